/* Prints errors for people: records, and what they have in common. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "print_parts.h"
#include "table.h"
#include "users.h"
#include "wrap.h"

/* ---------------------------------------------------------------------------------------------------------- records */

/* Prints, on further lines, what is known of the error beyond its message. */
static void more(FILE *out, const json_t *error)
{
    static const char *const ids[] = {"trace", "span", "correlation", "session"};
    char *text = NULL, name[USER_NAME_MAX];
    size_t size = 0;
    const char *key;
    const json_t *value;
    FILE *line = open_memstream(&text, &size);
    if (!line)
        return;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (!tree_absent(error, ids[i]))
            fprintf(line, "%s %s, ", ids[i], tree_text(error, ids[i]));
    json_object_foreach(json_object_get(error, "context"), key, value)
        fprintf(line, "%s=%s, ", key, json_string_value(value));
    if (!tree_absent(error, "latency_ms"))
        fprintf(line, "%.3gms, ", json_number_value(json_object_get(error, "latency_ms")));
    fprintf(line, "process %" PRIu64 " of %s", tree_number(error, "pid"), user_name(tree_number(error, "uid"), name));
    if (json_array_size(json_object_get(error, "cut")) > 0)
        fputs(", cut", line);
    fclose(line);
    fputs("    ", out);
    wrap_print(out, text, 4, 4);
    fputc('\n', out);
    free(text);
}

static void print_error(FILE *out, const json_t *error)
{
    char when[40], times[32] = "";
    if (tree_number(error, "times") > 1)
        snprintf(times, sizeof(times), " %" PRIu64 " times", tree_number(error, "times"));
    char *text = NULL;
    if (asprintf(&text, "%s  %s: %s%s%s%s%s", print_moment(tree_number(error, "at_unix_ms"), when),
                 tree_text(error, "breaker"), tree_text(error, "type"), times,
                 json_is_true(json_object_get(error, "outside")) ? " outside of a call" : "",
                 tree_absent(error, "message") ? "" : ": ", tree_text(error, "message")) < 0)
        return;
    wrap_print(out, text, 0, 4);
    fputc('\n', out);
    free(text);
    more(out, error);
}

void print_errors(FILE *out, const json_t *result)
{
    size_t i;
    json_t *error;
    if (json_array_size(json_object_get(result, "errors")) == 0)
        fputs("no errors\n", out);
    json_array_foreach(json_object_get(result, "errors"), i, error) print_error(out, error);
}

/* --------------------------------------------------------------------------------------------------------- analyses */

static void row(struct table *table, const char *scope, const json_t *analysis)
{
    table_cell(table, "%s%s%s", scope, *scope && !tree_absent(analysis, "name") ? " " : "",
               tree_text(analysis, "name"));
    table_cell(table, "%s", tree_text(analysis, "analysis"));
    table_cell(table, "%" PRIu64, tree_number(analysis, "errors"));
    table_cell(table, "%.2f", json_number_value(json_object_get(analysis, "per_second")));
    if (tree_absent(analysis, "type"))
        table_cell(table, "-");
    else
        table_cell(table, "%s (%" PRIu64 ")", tree_text(analysis, "type"), tree_number(analysis, "type_errors"));
}

static void rows(struct table *table, const char *scope, const json_t *list)
{
    size_t i;
    const json_t *analysis;
    json_array_foreach(list, i, analysis) row(table, scope, analysis);
}

void print_analyses(FILE *out, const json_t *result)
{
    static const char *const headings[] = {"OF", "ANALYSIS", ">ERRORS", ">PER SECOND", "MOST COMMON"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    char span[24];
    table_shrink(table, 0, 12);
    row(table, "the host", json_object_get(result, "host"));
    rows(table, "group", json_object_get(result, "groups"));
    rows(table, "", json_object_get(result, "breakers"));
    table_print(table, out);
    table_free(table);
    fprintf(out,
            "\nover the last %s; more than %.3g a second are a high rate, more than %.3g%% of one type a pattern\n",
            print_span(tree_number(result, "window_ms"), span),
            json_number_value(json_object_get(result, "high_error_rate")),
            json_number_value(json_object_get(result, "pattern_share")));
    if (tree_number(result, "uncounted") > 0)
        fprintf(out, "%" PRIu64 " errors found no room in the tables: groups and breakers may have had more\n",
                tree_number(result, "uncounted"));
}
