#include "users.h"

#include <pwd.h>
#include <stdio.h>

const char *user_name(uint64_t uid, char out[USER_NAME_MAX])
{
    const struct passwd *entry = uid <= UINT32_MAX ? getpwuid((uid_t)uid) : NULL;
    if (entry)
        snprintf(out, USER_NAME_MAX, "%.40s", entry->pw_name);
    else
        snprintf(out, USER_NAME_MAX, "uid %llu", (unsigned long long)uid);
    return out;
}

static json_t *name_or_null(const json_t *uid)
{
    const struct passwd *entry = json_is_integer(uid) ? getpwuid((uid_t)json_integer_value(uid)) : NULL;
    json_t *name = entry ? json_string(entry->pw_name) : NULL;
    return name ? name : json_null();
}

static void add_beside(json_t *map, const char *number, const char *name)
{
    const json_t *uid = json_object_get(map, number);
    if (uid)
        json_object_set_new(map, name, name_or_null(uid));
}

void users_add(json_t *tree)
{
    const char *key;
    json_t *value;
    size_t i;
    json_array_foreach(tree, i, value) users_add(value);
    json_object_foreach(tree, key, value) users_add(value);
    add_beside(tree, "uid", "user");
    add_beside(tree, "mode_uid", "mode_user");
}
