#include "segment/saved_levels.h"

#include <string.h>

#include "core/settings.h"
#include "internal/enum_names.h"

/* Who set it, when, and why: of levels and features alike. */
struct setting {
    unsigned by;
    uint32_t uid;
    uint64_t since_unix_ms, until_unix_ms;
    char reason[sizeof(((struct level_state *)0)->reason)];
};

static json_t *pack_setting(json_t *map, const struct setting *setting)
{
    /* A reason that was cut within a character is no UTF-8: it is left out. */
    json_t *const reason = json_string(setting->reason);
    json_object_set_new(map, "by", json_string(NAME_OF(actor_names, setting->by)));
    json_object_set_new(map, "uid", json_integer(setting->uid));
    json_object_set_new(map, "since_unix_ms", json_integer((json_int_t)setting->since_unix_ms));
    json_object_set_new(map, "until_unix_ms", json_integer((json_int_t)setting->until_unix_ms));
    json_object_set_new(map, "reason", reason ? reason : json_string(""));
    return map;
}

json_t *saved_level_pack(const struct level_state *level, uint64_t until_unix_ms)
{
    struct setting setting = {
        .by = level->by, .uid = level->uid, .since_unix_ms = level->since_unix_ms, .until_unix_ms = until_unix_ms};
    memcpy(setting.reason, level->reason, sizeof(setting.reason));
    return pack_setting(json_pack("{s:s, s:i, s:i}", "level", level->group, "set", level->set, "now", level->now),
                        &setting);
}

json_t *saved_feature_pack(const struct feature_state *feature, uint64_t until_unix_ms)
{
    struct setting setting = {.by = feature->by,
                              .uid = feature->uid,
                              .since_unix_ms = feature->since_unix_ms,
                              .until_unix_ms = until_unix_ms};
    memcpy(setting.reason, feature->reason, sizeof(setting.reason));
    return pack_setting(json_pack("{s:s, s:i}", "feature", feature->name, "permille", feature->set_permille), &setting);
}

/* ---------------------------------------------------------------------------------------------------------- reading */

static bool number_of(const json_t *map, const char *key, uint64_t most, uint64_t *ret_number)
{
    const json_t *const value = json_object_get(map, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > most)
        return false;
    *ret_number = (uint64_t)json_integer_value(value);
    return true;
}

static bool name_of(const json_t *map, const char *key, bool may_be_empty, char ret_name[TRIP_NAME_MAX + 1])
{
    const char *const name = json_string_value(json_object_get(map, key));
    if (!name || (!settings_name_valid(name, strlen(name)) && (*name || !may_be_empty)))
        return false;
    memset(ret_name, 0, TRIP_NAME_MAX + 1);
    strcpy(ret_name, name);
    return true;
}

static bool setting_of(const json_t *map, struct setting *ret_setting)
{
    const char *const by = json_string_value(json_object_get(map, "by")), *const reason = json_string_value(
                                                                              json_object_get(map, "reason"));
    struct setting setting = {0};
    uint64_t uid;
    while (by && setting.by < BY_COUNT && strcmp(actor_names[setting.by], by) != 0)
        setting.by++;
    if (!by || setting.by == BY_COUNT || !reason || strlen(reason) >= sizeof(setting.reason) ||
        !number_of(map, "uid", UINT32_MAX, &uid) ||
        !number_of(map, "since_unix_ms", INT64_MAX, &setting.since_unix_ms) ||
        !number_of(map, "until_unix_ms", INT64_MAX, &setting.until_unix_ms))
        return false;
    setting.uid = (uint32_t)uid;
    strcpy(setting.reason, reason);
    *ret_setting = setting;
    return true;
}

bool saved_level_unpack(const json_t *map, struct saved_level *ret_level)
{
    struct saved_level read = {0};
    struct setting setting;
    uint64_t set, now;
    if (!name_of(map, "level", true, read.level.group) || !number_of(map, "set", LEVELS_MAX - 1, &set) ||
        !number_of(map, "now", LEVELS_MAX - 1, &now) || !setting_of(map, &setting))
        return false;
    read.level.set = (uint8_t)set;
    read.level.now = (uint8_t)now;
    read.level.by = (uint8_t)setting.by;
    read.level.uid = setting.uid;
    read.level.since_unix_ms = setting.since_unix_ms;
    read.until_unix_ms = setting.until_unix_ms;
    memcpy(read.level.reason, setting.reason, sizeof(read.level.reason));
    *ret_level = read;
    return true;
}

bool saved_feature_unpack(const json_t *map, struct saved_feature *ret_feature)
{
    struct saved_feature read = {0};
    struct setting setting;
    uint64_t permille;
    if (!name_of(map, "feature", false, read.feature.name) || !number_of(map, "permille", FEATURE_ON, &permille) ||
        !setting_of(map, &setting))
        return false;
    read.feature.set = 1;
    read.feature.set_permille = (uint16_t)permille;
    read.feature.by = (uint8_t)setting.by;
    read.feature.uid = setting.uid;
    read.feature.since_unix_ms = setting.since_unix_ms;
    read.until_unix_ms = setting.until_unix_ms;
    memcpy(read.feature.reason, setting.reason, sizeof(read.feature.reason));
    *ret_feature = read;
    return true;
}
