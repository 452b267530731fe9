/* The verbs about degradation levels and features. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "protocol/report_levels.h"
#include "reading.h"
#include "request.h"

static const struct levels_image *levels_of(const struct snapshot *snapshot)
{
    static struct levels_image image;
    snapshot_levels(snapshot, &image);
    return &image;
}

static json_t *read_levels(const struct arguments *arguments, const struct snapshot *snapshot)
{
    return report_levels(levels_of(snapshot), arguments->operand, 0, UINT64_MAX, snapshot_now_ms(snapshot));
}

static json_t *read_host_level(const struct arguments *arguments, const struct snapshot *snapshot)
{
    (void)arguments;
    return report_levels(levels_of(snapshot), "", 0, UINT64_MAX, snapshot_now_ms(snapshot));
}

static json_t *read_features(const struct arguments *arguments, const struct snapshot *snapshot)
{
    return report_features(levels_of(snapshot), arguments->operand, 0, UINT64_MAX, snapshot_now_ms(snapshot));
}

static int by_name(const void *left, const void *right)
{
    const json_t *const *const one = left, *const *const other = right;
    return strcmp(json_string_value(json_object_get(*one, "feature")),
                  json_string_value(json_object_get(*other, "feature")));
}

/* Sorts the features by name: in the segment they stand by their names' hashes. */
static void sort_features(json_t *result)
{
    const json_t *const features = json_object_get(result, "features");
    json_t *sorted[FEATURE_PLACES], *const list = json_array();
    size_t count = 0, i;
    json_t *feature;
    json_array_foreach(features, i, feature) if (count < FEATURE_PLACES) sorted[count++] = feature;
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    for (i = 0; i < count; i++)
        json_array_append(list, sorted[i]);
    json_object_set_new(result, "features", list);
}

/* Asks tripd by the method of the list, also for one entry of it. */
static int look(const struct arguments *arguments, const char *method, reading_fn *read, json_t **ret_result)
{
    struct verb verb = *arguments->verb;
    struct arguments listing = *arguments;
    int status = EXIT_DONE;
    verb.method = method;
    listing.verb = &verb;
    *ret_result = reading_result(&listing, read, json_object(), &status);
    return status;
}

int verb_level_list(const struct arguments *arguments)
{
    json_t *levels;
    const int status = look(arguments, "level_list", read_levels, &levels);
    return status == EXIT_DONE ? reading_show(arguments, levels, print_levels) : status;
}

int verb_level_show(const struct arguments *arguments)
{
    json_t *levels;
    const int status = look(arguments, "level_list", arguments->operand ? read_levels : read_host_level, &levels);
    return status == EXIT_DONE ? reading_show(arguments, levels, print_level) : status;
}

int verb_feature_list(const struct arguments *arguments)
{
    json_t *features;
    const int status = look(arguments, "feature_list", read_features, &features);
    if (status != EXIT_DONE)
        return status;
    sort_features(features);
    return reading_show(arguments, features, print_features);
}

int verb_feature_show(const struct arguments *arguments)
{
    json_t *features;
    const int status = look(arguments, "feature_list", read_features, &features);
    if (status != EXIT_DONE)
        return status;
    json_t *const feature = json_incref(json_array_get(json_object_get(features, "features"), 0));
    json_decref(features);
    if (feature)
        return reading_show(arguments, feature, print_feature);
    fprintf(stderr, "tripctl: no feature is named %s in tripd's config; `tripctl feature list` shows those that are\n",
            arguments->operand);
    return EXIT_REFUSED;
}

/* ---------------------------------------------------------------------------------------------------------- changes */

static int change(const struct arguments *arguments, const char *key, void (*print)(FILE *out, const json_t *result))
{
    json_t *result = NULL;
    json_t *const params = json_pack("{s:s*, s:s*}", "name", arguments->operand, "reason", arguments->reason);
    if (key)
        json_object_set_new(params, key, json_string(arguments->second));
    if (arguments->given & OPTION_TTL)
        json_object_set_new(params, "ttl_ms", json_integer((json_int_t)arguments->ttl_ms));
    const int status = request(arguments, arguments->verb->method, params, &result);
    return status == EXIT_DONE ? reading_show(arguments, result, print) : status;
}

int verb_level_set(const struct arguments *arguments)
{
    return change(arguments, "level", print_level_change);
}

int verb_level_auto(const struct arguments *arguments)
{
    return change(arguments, NULL, print_level_change);
}

int verb_feature_set(const struct arguments *arguments)
{
    return change(arguments, "state", print_feature_change);
}

int verb_feature_auto(const struct arguments *arguments)
{
    return change(arguments, NULL, print_feature_change);
}
