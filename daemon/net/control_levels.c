/* The methods about degradation levels and features. */
#include <errno.h>
#include <string.h>

#include "config/value.h"
#include "core/levels.h"
#include "internal/feature_word.h"
#include "internal/levels.h"
#include "internal/numbers.h"
#include "log.h"
#include "net/control_methods.h"
#include "protocol/report_levels.h"
#include "protocol/rpc.h"

static const char *text(const struct control_request *request, enum rpc_param param)
{
    return request->params[param].text;
}

static uint64_t page_limit(const struct control_request *request)
{
    const uint64_t limit = request->params[RPC_INDEX_LIMIT].number;
    return limit > 0 ? limit : RPC_PAGE;
}

static struct degradation_actor actor(const struct control_request *request)
{
    return (struct degradation_actor){.uid = request->uid,
                                      .reason = text(request, RPC_INDEX_REASON),
                                      .ttl_ms = request->params[RPC_INDEX_TTL_MS].number};
}

/* ----------------------------------------------------------------------------------------------------------- levels */

/* Finds the group that is meant; "": the host. */
static json_t *group_of(const struct control_request *request, const char **ret_group)
{
    const char *const name = text(request, RPC_INDEX_NAME);
    *ret_group = name ? name : "";
    if (!name || settings_name_valid(name, strlen(name)))
        return NULL;
    return rpc_error(RPC_CODE_INVALID,
                     "\"%s\" is no group: a group is a name as payments, of 1 to %d of letters, digits "
                     "and . _ : / @ -; without one the host is meant",
                     name, TRIP_NAME_MAX);
}

static json_t *level_now(const struct control_options *options, const char *group)
{
    return report_level(segment_levels(options->segment), group, clock_now_ms(options->clock));
}

/* `after` and `next` count the places of levels. */
json_t *control_level_list(const struct control_options *options, const struct control_request *request,
                           json_t **ret_error)
{
    const char *group;
    *ret_error = group_of(request, &group);
    return *ret_error ? NULL
                      : report_levels(segment_levels(options->segment), *group ? group : NULL,
                                      request->params[RPC_INDEX_AFTER].number, page_limit(request),
                                      clock_now_ms(options->clock));
}

static bool find_level(const struct levels_image *image, const char *said, unsigned *ret_level)
{
    uint32_t number;
    for (unsigned level = 0; level < image->count; level++)
        if (strcmp(image->names[level], said) == 0) {
            *ret_level = level;
            return true;
        }
    if (!config_value_id(said, &number) || number >= image->count)
        return false;
    *ret_level = number;
    return true;
}

static json_t *no_level(const struct levels_image *image, const char *said)
{
    char known[LEVELS_MAX * (LEVEL_NAME_MAX + 3)] = "";
    size_t length = 0;
    for (unsigned level = 0; level < image->count; level++)
        length +=
            (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", level ? ", " : "", image->names[level]);
    return rpc_error(RPC_CODE_INVALID, "\"%s\" is no level: %s are, or a number from 0 to %u", said, known,
                     (unsigned)image->count - 1);
}

/* Counts the features that are on for no key. */
static unsigned count_off(const struct levels_image *image)
{
    unsigned off = 0;
    for (uint32_t place = 0; place < FEATURE_PLACES; place++)
        off += feature_in_use(&image->features[place]) && feature_permille(image->features[place].word) == 0;
    return off;
}

/* Says what became of the level, and how many features are off now. */
static json_t *level_answer(const struct control_options *options, const char *group)
{
    json_t *const result = level_now(options, group);
    json_object_set_new(result, "features_off", json_integer(count_off(segment_levels(options->segment))));
    return result;
}

static void log_act(const char *what, const char *of, const char *to, const struct control_request *request)
{
    const char *const reason = text(request, RPC_INDEX_REASON);
    log_notice("%s %s%s%s by uid %u%s%s", what, of, *to ? " " : "", to, (unsigned)request->uid, reason ? ", " : "",
               reason ? reason : "");
}

json_t *control_level_set(const struct control_options *options, const struct control_request *request,
                          json_t **ret_error)
{
    const struct levels_image *const image = segment_levels(options->segment);
    const char *const said = text(request, RPC_INDEX_LEVEL);
    const struct degradation_actor who = actor(request);
    const char *group;
    unsigned level = 0;
    *ret_error = group_of(request, &group);
    if (!*ret_error && !find_level(image, said, &level))
        *ret_error = no_level(image, said);
    if (!*ret_error && degradation_level_set(options->degradation, group, level, &who) == -ENOSPC)
        *ret_error = rpc_error(RPC_CODE_FAILED,
                               "level set %s: %d groups have a level, and there is no place for more: set it for the "
                               "host or for an outer group, or end one with `tripctl level auto`",
                               group, LEVEL_GROUPS);
    if (*ret_error)
        return NULL;
    log_act("level set", *group ? group : "host", said, request);
    return level_answer(options, group);
}

json_t *control_level_auto(const struct control_options *options, const struct control_request *request,
                           json_t **ret_error)
{
    const struct degradation_actor who = actor(request);
    const char *group;
    *ret_error = group_of(request, &group);
    if (*ret_error)
        return NULL;
    degradation_level_auto(options->degradation, group, &who);
    log_act("level auto", *group ? group : "host", "", request);
    return level_answer(options, group);
}

/* --------------------------------------------------------------------------------------------------------- features */

/* `after` and `next` count the places of features. */
json_t *control_feature_list(const struct control_options *options, const struct control_request *request,
                             json_t **ret_error)
{
    (void)ret_error;
    return report_features(segment_levels(options->segment), text(request, RPC_INDEX_NAME),
                           request->params[RPC_INDEX_AFTER].number, page_limit(request), clock_now_ms(options->clock));
}

static json_t *no_feature(const char *name)
{
    return rpc_error(
        RPC_CODE_NOT_FOUND,
        "no feature is named %s in tripd's config, so it is on; `tripctl feature list` shows those that are", name);
}

static bool find_permille(const char *said, unsigned *ret_permille)
{
    char why[CONFIG_WHY_MAX];
    uint64_t permille = strcmp(said, "on") == 0 ? FEATURE_ON : 0;
    const bool word = permille || strcmp(said, "off") == 0;
    if (!word && !config_value_parse(CONFIG_RATE, said, 0, FEATURE_ON, &permille, why))
        return false;
    *ret_permille = (unsigned)permille;
    return true;
}

static json_t *feature_answer(const struct control_options *options, const char *name)
{
    const struct levels_image *const image = segment_levels(options->segment);
    const struct feature_state *const feature = levels_feature_find(image, name);
    /* One that was set, and is not in the config any more, is gone when that ends. */
    return feature ? report_feature(image, feature, clock_now_ms(options->clock))
                   : json_pack("{s:s, s:s, s:i}", "feature", name, "state", "on", "percent", 100);
}

json_t *control_feature_set(const struct control_options *options, const struct control_request *request,
                            json_t **ret_error)
{
    const char *const name = text(request, RPC_INDEX_NAME), *const said = text(request, RPC_INDEX_STATE);
    const struct degradation_actor who = actor(request);
    unsigned permille = 0;
    if (!find_permille(said, &permille))
        *ret_error = rpc_error(RPC_CODE_INVALID,
                               "\"%s\" is no state of a feature: on, off, or for how many of the keys "
                               "it is on, as 20%%",
                               said);
    else if (degradation_feature_set(options->degradation, name, permille, &who) == -ENOENT)
        *ret_error = no_feature(name);
    if (*ret_error)
        return NULL;
    log_act("feature set", name, said, request);
    return feature_answer(options, name);
}

json_t *control_feature_auto(const struct control_options *options, const struct control_request *request,
                             json_t **ret_error)
{
    const char *const name = text(request, RPC_INDEX_NAME);
    const struct degradation_actor who = actor(request);
    if (degradation_feature_auto(options->degradation, name, &who) == -ENOENT) {
        *ret_error = no_feature(name);
        return NULL;
    }
    log_act("feature auto", name, "", request);
    return feature_answer(options, name);
}
