/* What goes wrong: errors by the template of their messages, and the last ones with their texts. */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "incidents.h"
#include "must.h"
#include "panes.h"
#include "print_parts.h"
#include "protocol/report_errors.h"

#define ERRORS_SHOWN 500

static const char *names_of(const json_t *names, bool more, char text[256])
{
    size_t used = 0, i;
    const json_t *name;
    *text = '\0';
    json_array_foreach(names, i, name) if (used < 256) used += (size_t)snprintf(
        text + used, 256 - used, "%s%s", i ? ", " : "", json_string_value(name) ? json_string_value(name) : "");
    if (more && used < 256)
        snprintf(text + used, 256 - used, ", ...");
    return text;
}

static void write_fingerprint(struct canvas *paper, const json_t *entry)
{
    char count[FORMAT_MAX], rate[FORMAT_MAX], last[FORMAT_MAX], names[256];
    const bool burst = json_is_true(json_object_get(entry, "burst"));
    int at = pane_line(paper, STYLE_PLAIN, "%8s %7s  %-8s  ", format_count((double)tree_number(entry, "errors"), count),
                       format_count(json_number_value(json_object_get(entry, "per_second")), rate),
                       format_clock(tree_number(entry, "last_unix_ms"), last));
    at = pane_more(paper, at, STYLE_BAD, "%-20s", tree_text(entry, "type"));
    if (burst)
        at = pane_more(paper, at, STYLE_ALARM, " burst");
    if (json_is_true(json_object_get(entry, "new")))
        at = pane_more(paper, at, STYLE_KEY, " new");
    at = pane_more(
        paper, at, STYLE_BOLD, " %s",
        names_of(json_object_get(entry, "breakers"), json_is_true(json_object_get(entry, "more_breakers")), names));
    if (tree_number(entry, "at_most_others"))
        pane_more(paper, at, STYLE_DIM, "  at most %llu of these are others", N(entry, "at_most_others"));
    pane_line(paper, STYLE_PLAIN, "%28s%s", "", tree_text(entry, "template"));
}

/* Is one of its breakers wanted? If all of them are forgotten, it is where every name is. */
static bool is_wanted(const json_t *entry, const struct rows_options *rows)
{
    const json_t *const names = json_object_get(entry, "breakers"), *name;
    size_t i;
    json_array_foreach(names, i,
                       name) if (json_is_string(name) && rows_wanted(json_string_value(name), rows)) return true;
    return rows_wanted("", rows);
}

static void write_fingerprints(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    json_t *const result = fingerprints_read(scene->snapshot, NULL);
    incidents_sort(result, "fingerprints", "errors");
    const json_t *const list = json_object_get(result, "fingerprints"), *entry;
    size_t written = 0, i;
    pane_heading(paper, "  ERRORS   NOW/S  LAST      TYPE                 BREAKERS; TEMPLATE OF THE MESSAGES");
    json_array_foreach(list, i, entry)
    {
        if (!is_wanted(entry, options->rows))
            continue;
        write_fingerprint(paper, entry);
        written++;
    }
    if (written == 0)
        pane_line(paper, STYLE_PLAIN, "no errors with a message");
    if (tree_number(result, "unclassified"))
        pane_line(paper, STYLE_DIM, "%8llu  without a message, or their text was lost", N(result, "unclassified"));
    json_decref(result);
}

/* The latest records that are wanted, in the order in which they came. */
struct records {
    struct error_record ring[ERRORS_SHOWN];
    uint64_t count;
};

static void collect(struct records *records, const struct scene *scene, const struct rows_options *rows)
{
    struct error_record record;
    for (uint64_t after = 0; snapshot_error(scene->snapshot, after, &record); after = record.sequence) {
        record.name[TRIP_NAME_MAX] = '\0';
        if (rows_wanted(record.name, rows))
            records->ring[records->count++ % ERRORS_SHOWN] = record;
    }
}

static void write_record(struct canvas *paper, const json_t *error)
{
    static const char *const ids[] = {"trace", "correlation", "session"};
    char when[40];
    int at = pane_line(paper, STYLE_DIM, "%s  ", print_moment(tree_number(error, "at_unix_ms"), when));
    at = pane_more(paper, at, STYLE_BOLD, "%s  ", tree_text(error, "breaker"));
    at = pane_more(paper, at, STYLE_BAD, "%s", tree_text(error, "type"));
    if (tree_number(error, "times") > 1)
        at = pane_more(paper, at, STYLE_PLAIN, " %llu times", N(error, "times"));
    at = pane_more(paper, at, STYLE_DIM, "  pid %llu", N(error, "pid"));
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (!tree_absent(error, ids[i]))
            at = pane_more(paper, at, STYLE_DIM, "  %s %s", ids[i], tree_text(error, ids[i]));
    if (!tree_absent(error, "message"))
        pane_line(paper, STYLE_PLAIN, "%25s%s", "", tree_text(error, "message"));
}

void pane_errors(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    struct records *const records = must(calloc(1, sizeof(*records)));
    write_fingerprints(paper, scene, options);
    collect(records, scene, options->rows);
    pane_line(paper, STYLE_PLAIN, "%s", "");
    pane_heading(paper, "WHEN                     BREAKER  ERROR, THE LATEST FIRST");
    if (records->count == 0)
        pane_line(paper, STYLE_PLAIN, "no errors");
    for (uint64_t i = 0; i < records->count && i < ERRORS_SHOWN; i++) {
        json_t *const error = report_error(&records->ring[(records->count - 1 - i) % ERRORS_SHOWN]);
        write_record(paper, error);
        json_decref(error);
    }
    free(records);
}
