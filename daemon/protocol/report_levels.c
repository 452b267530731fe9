#include "protocol/report_levels.h"

#include <string.h>

#include "config/value.h"
#include "core/levels.h"
#include "internal/enum_names.h"
#include "internal/feature_word.h"
#include "internal/names.h"
#include "internal/numbers.h"
#include "protocol/report_parts.h"

json_t *report_permille(unsigned permille)
{
    char text[CONFIG_TEXT_MAX];
    if (permille == 0 || permille >= FEATURE_ON)
        return json_string(permille ? "on" : "off");
    return json_string(config_value_format(CONFIG_RATE, permille, text));
}

json_t *report_level_name(const struct levels_image *image, unsigned level)
{
    if (!image || level >= image->count || level >= LEVELS_MAX)
        return json_sprintf("%u", level);
    return report_text(image->names[level], sizeof(image->names[level]));
}

static json_t *percent(unsigned permille)
{
    return permille % 10 ? json_real(permille / 10.0) : json_integer(permille / 10);
}

static json_t *left_or_null(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms ? number(time_until(at_ms, now_ms)) : json_null();
}

/* Who set it and why; nulls for what nobody set. */
static void add_setting(json_t *map, bool is_set, unsigned by, uint32_t uid, const char *reason, uint64_t since_unix_ms,
                        uint64_t until_ms, uint64_t now_ms)
{
    const bool by_user = is_set && by == BY_OPERATOR;
    json_object_update_new(
        map, json_pack("{s:o, s:o, s:o, s:o, s:o}", "by", is_set ? json_string(NAME_OF(actor_names, by)) : json_null(),
                       "uid", by_user ? number(uid) : json_null(), "reason",
                       is_set ? report_text_or_null(reason, sizeof(((struct level_state *)0)->reason)) : json_null(),
                       "since_unix_ms", is_set ? number(since_unix_ms) : json_null(), "ttl_ms",
                       is_set ? left_or_null(until_ms, now_ms) : json_null()));
}

json_t *report_level(const struct levels_image *image, const char *group, uint64_t now_ms)
{
    static const struct level_state none;
    const struct level_state *const found = levels_find(image, group), *const own = found ? found : &none;
    const unsigned in_force = levels_in_force(image, group);
    json_t *const map = json_pack(
        "{s:o, s:o, s:i, s:o, s:o, s:o}", "group", *group ? report_text(group, strlen(group)) : json_null(), "level",
        report_level_name(image, in_force), "number", (int)in_force, "own", report_level_name(image, own->now), "set",
        report_level_name(image, own->set), "next_step_ms", left_or_null(own->next_ms, now_ms));
    add_setting(map, found != NULL, own->by, own->uid, own->reason, own->since_unix_ms, own->until_ms, now_ms);
    return map;
}

json_t *report_feature(const struct levels_image *image, const struct feature_state *feature, uint64_t now_ms)
{
    const unsigned permille = feature_permille(feature->word), level = levels_over_feature(image, feature->name);
    const size_t group = group_length(feature->name);
    const bool never = feature->off_from == LEVEL_NEVER || !feature->configured;
    const char *const decides = feature->set ? "operator" : level >= feature->off_from ? "level" : "config";
    json_t *const map = json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "feature", report_text(feature->name, sizeof(feature->name)),
        "group", group ? report_text(feature->name, group) : json_null(), "state", report_permille(permille), "percent",
        percent(permille), "decides", decides, "level", report_level_name(image, level), "off_from",
        never ? json_null() : report_level_name(image, feature->off_from), "configured_percent",
        feature->configured ? percent(feature->permille) : json_null());
    add_setting(map, feature->set, feature->by, feature->uid, feature->reason, feature->since_unix_ms,
                feature->until_ms, now_ms);
    return map;
}

/* ------------------------------------------------------------------------------------------------------------ lists */

static bool level_listed(const struct levels_image *image, uint64_t place)
{
    return place == 0 || level_in_use(&image->levels[place]);
}

json_t *report_levels(const struct levels_image *image, const char *group, uint64_t from, uint64_t limit,
                      uint64_t now_ms)
{
    json_t *const names = json_array(), *const list = json_array(), *next = NULL;
    for (unsigned level = 0; level < image->count && level < LEVELS_MAX; level++)
        json_array_append_new(names, report_level_name(image, level));
    for (uint64_t place = from; !group && !next && place < 1 + LEVEL_GROUPS; place++) {
        if (!level_listed(image, place))
            continue;
        if (json_array_size(list) == limit)
            next = json_integer((json_int_t)place);
        else
            json_array_append_new(list, report_level(image, image->levels[place].group, now_ms));
    }
    if (group)
        json_array_append_new(list, report_level(image, group, now_ms));
    return json_pack("{s:o, s:o, s:o, s:o*}", "levels", list, "names", names, "back_after_ms",
                     number(image->back_after_ms), "next", next);
}

json_t *report_features(const struct levels_image *image, const char *wanted, uint64_t from, uint64_t limit,
                        uint64_t now_ms)
{
    json_t *const list = json_array(), *next = NULL;
    for (uint64_t place = from; !next && place < FEATURE_PLACES; place++) {
        const struct feature_state *const feature = &image->features[place];
        if (!feature_in_use(feature) || (wanted && !settings_pattern_matches(wanted, feature->name)))
            continue;
        if (json_array_size(list) == limit)
            next = json_integer((json_int_t)place);
        else
            json_array_append_new(list, report_feature(image, feature, now_ms));
    }
    return json_pack("{s:o, s:o*}", "features", list, "next", next);
}
