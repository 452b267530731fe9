/* Prints degradation levels and features for people. */
#include <string.h>

#include "print.h"
#include "print_parts.h"
#include "table.h"
#include "users.h"

#define COLUMNS(headings) (sizeof(headings) / sizeof((headings)[0]))

static const char *span_or_nothing(const json_t *map, const char *key, char text[24])
{
    return tree_absent(map, key) ? "" : print_span(tree_number(map, key), text);
}

/* Writes who set it: "operator root: load test". size: of `out`. */
static const char *setter(const json_t *map, char *out, size_t size)
{
    char name[USER_NAME_MAX];
    const bool user = !tree_absent(map, "uid"), why = !tree_absent(map, "reason");
    if (tree_absent(map, "by"))
        return "";
    snprintf(out, size, "%s%s%s%s%s", tree_text(map, "by"), user ? " " : "",
             user ? user_name(tree_number(map, "uid"), name) : "", why ? ": " : "", tree_text(map, "reason"));
    return out;
}

static const char *group_name(const json_t *level)
{
    return tree_absent(level, "group") ? "host" : tree_text(level, "group");
}

/* ----------------------------------------------------------------------------------------------------------- levels */

static void print_names(FILE *out, const json_t *result)
{
    char span[24];
    size_t i;
    json_t *name;
    fputs("levels: ", out);
    json_array_foreach(json_object_get(result, "names"), i, name)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(name));
    fprintf(out, "; each step back takes %s\n", print_span(tree_number(result, "back_after_ms"), span));
}

void print_levels(FILE *out, const json_t *result)
{
    static const char *const headings[] = {"GROUP", "IN FORCE", "OWN", "SET", ">NEXT STEP", ">ENDS IN", "BY"};
    struct table *table = table_new(headings, COLUMNS(headings));
    char next[24], ends[24], by[256];
    size_t i;
    json_t *level;
    table_shrink(table, COLUMNS(headings) - 1, 16);
    json_array_foreach(json_object_get(result, "levels"), i, level)
    {
        table_cell(table, "%s", group_name(level));
        table_cell(table, "%s", tree_text(level, "level"));
        table_cell(table, "%s", tree_text(level, "own"));
        table_cell(table, "%s", tree_text(level, "set"));
        table_cell(table, "%s", span_or_nothing(level, "next_step_ms", next));
        table_cell(table, "%s", span_or_nothing(level, "ttl_ms", ends));
        table_cell(table, "%s", setter(level, by, sizeof(by)));
    }
    table_print(table, out);
    table_free(table);
    fputc('\n', out);
    print_names(out, result);
}

/* Says that the level goes back, if it does. */
static void print_way_back(FILE *out, const json_t *level)
{
    char span[24];
    if (!tree_absent(level, "next_step_ms"))
        print_line(out, "goes back", "to %s, the next step in %s", tree_text(level, "set"),
                   print_span(tree_number(level, "next_step_ms"), span));
}

void print_level(FILE *out, const json_t *result)
{
    const json_t *const level = json_array_get(json_object_get(result, "levels"), 0);
    char ends[24], by[256], when[40];
    fprintf(out, "%s: level %s\n", group_name(level), tree_text(level, "level"));
    print_line(out, "its own", "%s", tree_text(level, "own"));
    print_way_back(out, level);
    if (!tree_absent(level, "by"))
        print_line(out, "set", "to %s by %s, %s", tree_text(level, "set"), setter(level, by, sizeof(by)),
                   print_moment(tree_number(level, "since_unix_ms"), when));
    if (!tree_absent(level, "ttl_ms"))
        print_line(out, "ends in", "%s", span_or_nothing(level, "ttl_ms", ends));
    print_names(out, result);
}

void print_level_change(FILE *out, const json_t *level)
{
    char span[24];
    const uint64_t off = tree_number(level, "features_off");
    fprintf(out, "%s: level %s, %llu feature%s %s off\n", group_name(level), tree_text(level, "level"),
            (unsigned long long)off, print_plural(off), off == 1 ? "is" : "are");
    if (!tree_absent(level, "next_step_ms"))
        fprintf(out, "it goes back to %s one step at a time, the next one in %s\n", tree_text(level, "set"),
                print_span(tree_number(level, "next_step_ms"), span));
    else if (strcmp(tree_text(level, "level"), tree_text(level, "own")) != 0)
        fprintf(out, "its own level is %s; that of the host or of an outer group is higher\n", tree_text(level, "own"));
}

/* --------------------------------------------------------------------------------------------------------- features */

/* Says why the feature is as it is. */
static const char *why(const json_t *feature, char *out, size_t size)
{
    const char *const decides = tree_text(feature, "decides");
    if (strcmp(decides, "operator") == 0)
        return setter(feature, out, size);
    if (strcmp(decides, "level") != 0)
        return decides;
    snprintf(out, size, "level %s", tree_text(feature, "level"));
    return out;
}

static const char *off_from(const json_t *feature)
{
    return tree_absent(feature, "off_from") ? "never" : tree_text(feature, "off_from");
}

void print_features(FILE *out, const json_t *result)
{
    static const char *const headings[] = {"FEATURE", "STATE", "OFF FROM", ">ENDS IN", "WHY"};
    struct table *table = table_new(headings, COLUMNS(headings));
    char ends[24], because[256];
    size_t i;
    json_t *feature;
    table_shrink(table, COLUMNS(headings) - 1, 16);
    json_array_foreach(json_object_get(result, "features"), i, feature)
    {
        table_cell(table, "%s", tree_text(feature, "feature"));
        table_cell(table, "%s", tree_text(feature, "state"));
        table_cell(table, "%s", off_from(feature));
        table_cell(table, "%s", span_or_nothing(feature, "ttl_ms", ends));
        table_cell(table, "%s", why(feature, because, sizeof(because)));
    }
    if (i > 0)
        table_print(table, out);
    else
        fputs("no features\n", out);
    table_free(table);
}

void print_feature(FILE *out, const json_t *feature)
{
    char ends[24], because[256], when[40];
    fprintf(out, "%s: %s\n", tree_text(feature, "feature"), tree_text(feature, "state"));
    if (*why(feature, because, sizeof(because)))
        print_line(out, "why", "%s", why(feature, because, sizeof(because)));
    if (!tree_absent(feature, "since_unix_ms"))
        print_line(out, "set", "%s", print_moment(tree_number(feature, "since_unix_ms"), when));
    if (!tree_absent(feature, "ttl_ms"))
        print_line(out, "ends in", "%s", span_or_nothing(feature, "ttl_ms", ends));
    print_line(out, "level", "%s", tree_text(feature, "level"));
    if (tree_absent(feature, "configured_percent"))
        print_line(out, "config", "tripd's config does not have it any more; when what was set ends it is on");
    else
        print_line(out, "config", "off from: %s; while it is on, for %g%% of the keys", off_from(feature),
                   json_number_value(json_object_get(feature, "configured_percent")));
}

void print_feature_change(FILE *out, const json_t *feature)
{
    char because[256];
    const char *const reason = why(feature, because, sizeof(because));
    fprintf(out, "%s: %s%s%s\n", tree_text(feature, "feature"), tree_text(feature, "state"), *reason ? ", by " : "",
            reason);
}
