#include "config/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULTS_MAX 2

static const char *const default_lists[CONFIG_ROLE_COUNT][DEFAULTS_MAX] = {
    [CONFIG_OBSERVE] = {"any"},
    [CONFIG_REPORT] = {"group:tripd"},
    [CONFIG_CONTROL] = {"user:root", "group:tripadm"},
};

bool config_principal_is_default(const char *text)
{
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++)
        for (unsigned i = 0; i < DEFAULTS_MAX; i++)
            if (default_lists[role][i] && strcmp(default_lists[role][i], text) == 0)
                return true;
    return false;
}

static bool has_control_letters(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

bool config_principal_parse(const char *text, struct config_principal *ret_principal, char why[CONFIG_WHY_MAX])
{
    struct config_principal principal = {.known = true};
    const char *name = strchr(text, ':');
    if (strlen(text) >= sizeof(principal.text) || has_control_letters(text)) {
        snprintf(why, CONFIG_WHY_MAX, "is no name of a user or group; write any, user:NAME or group:NAME");
        return false;
    }
    strcpy(principal.text, text);

    if (strcmp(text, "any") == 0) {
        principal.who = CONFIG_ANY;
    } else if (name && name[1] && strncmp(text, "user:", 5) == 0) {
        principal.who = CONFIG_USER;
        const enum config_found found = config_names_find(CONFIG_USER, name + 1, &principal.id);
        principal.known = found == CONFIG_FOUND;
        if (found == CONFIG_ABSENT) {
            snprintf(why, CONFIG_WHY_MAX, "names a user that this host does not have; create the user or write a UID");
            return false;
        }
    } else if (name && name[1] && strncmp(text, "group:", 6) == 0) {
        principal.who = CONFIG_GROUP;
        const enum config_found found = config_names_find(CONFIG_GROUP, name + 1, &principal.id);
        principal.known = found == CONFIG_FOUND;
        if (found == CONFIG_ABSENT && !config_principal_is_default(text)) {
            snprintf(why, CONFIG_WHY_MAX,
                     "names a group that this host does not have; create the group or write a GID");
            return false;
        }
    } else {
        snprintf(why, CONFIG_WHY_MAX, "is none of any, user:NAME or UID, group:NAME or GID; write one of these");
        return false;
    }
    *ret_principal = principal;
    return true;
}

int config_access_defaults(struct config *config)
{
    char why[CONFIG_WHY_MAX];
    for (unsigned role = 0; role < CONFIG_ROLE_COUNT; role++) {
        config->access[role].who = calloc(DEFAULTS_MAX, sizeof(struct config_principal));
        if (!config->access[role].who)
            return -ENOMEM;
        for (unsigned i = 0; i < DEFAULTS_MAX && default_lists[role][i]; i++) {
            /* A host without even a user root (a container from scratch) has root's number all the same. */
            struct config_principal *principal = &config->access[role].who[config->access[role].count++];
            if (config_principal_parse(default_lists[role][i], principal, why))
                continue;
            *principal = (struct config_principal){.who = CONFIG_USER, .id = 0, .known = true};
            strcpy(principal->text, default_lists[role][i]);
        }
    }
    return 0;
}

static bool principal_matches(const struct config_principal *principal, uid_t uid, const gid_t *groups,
                              size_t group_count)
{
    if (!principal->known)
        return false;
    if (principal->who == CONFIG_ANY)
        return true;
    if (principal->who == CONFIG_USER)
        return principal->id == uid;
    for (size_t i = 0; i < group_count; i++)
        if (principal->id == groups[i])
            return true;
    return false;
}

bool config_allows(const struct config *config, enum config_role role, uid_t uid, const gid_t *groups,
                   size_t group_count)
{
    if (uid == geteuid())
        return true;
    for (unsigned stronger = role; stronger < CONFIG_ROLE_COUNT; stronger++)
        for (size_t i = 0; i < config->access[stronger].count; i++)
            if (principal_matches(&config->access[stronger].who[i], uid, groups, group_count))
                return true;
    return false;
}

const char *config_role_name(enum config_role role)
{
    static const char *const names[CONFIG_ROLE_COUNT] = {"observe", "report", "control"};
    return role < CONFIG_ROLE_COUNT ? names[role] : "invalid";
}
