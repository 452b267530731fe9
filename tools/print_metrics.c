/* Metrics for people: of tripd, of several breakers together, and of breakers. */
#include <string.h>

#include "print.h"
#include "print_parts.h"
#include "table.h"

#define MIB (1024.0 * 1024.0)

/* Prints the numbers of a map that has any: "open 12, rate 5". */
static void counts(FILE *out, const char *label, const json_t *map)
{
    const char *key, *between = "";
    json_t *value;
    if (json_object_size(map) == 0)
        return;
    fprintf(out, "  %-12s", label);
    json_object_foreach((json_t *)map, key, value)
    {
        fprintf(out, "%s%s %lld", between, key, (long long)json_integer_value(value));
        between = ", ";
    }
    fputc('\n', out);
}

static const char *milliseconds(const json_t *map, const char *key, char text[24])
{
    const double ms = json_number_value(json_object_get(map, key));
    if (ms < 1000)
        snprintf(text, 24, "%.3gms", ms);
    else
        print_span((uint64_t)ms, text);
    return text;
}

/* after: of what the time is counted. */
static void spans(FILE *out, const char *label, const json_t *map, const char *after)
{
    char mean[24], last[24], of[48] = "";
    if (tree_number(map, "times") == 0)
        return;
    if (!tree_absent(map, "last_ms"))
        snprintf(of, sizeof(of), "%s the last of ", milliseconds(map, "last_ms", last));
    print_line(out, label, "%s after the %s on average, %s%llu time%s", milliseconds(map, "mean_ms", mean), after, of,
               N(map, "times"), print_plural(tree_number(map, "times")));
}

static void states(FILE *out, const json_t *map)
{
    const char *key, *between = "";
    json_t *value;
    char span[24];
    fprintf(out, "  %-12s", "time in");
    json_object_foreach((json_t *)map, key, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        fprintf(out, "%s%s %s", between, key, print_span((uint64_t)json_integer_value(value), span));
        between = ", ";
    }
    fputs(*between ? "\n" : "-\n", out);
}

static void latencies(FILE *out, const char *label, const json_t *spread)
{
    char p50[24], p95[24], p99[24];
    if (tree_number(spread, "calls") > 0)
        print_line(out, label, "p50 %s, p95 %s, p99 %s", print_latency(spread, "p50_ms", p50),
                   print_latency(spread, "p95_ms", p95), print_latency(spread, "p99_ms", p99));
}

static void calls(FILE *out, const json_t *metrics)
{
    char slow[32] = "unknown";
    if (!tree_absent(metrics, "slow"))
        snprintf(slow, sizeof(slow), "%llu", N(metrics, "slow"));
    print_line(out, "calls", "%llu: %llu ok, %llu failed, %llu of them timeout%s; slow: %s", N(metrics, "calls"),
               N(metrics, "ok"), N(metrics, "failures"), N(metrics, "timeouts"),
               print_plural(tree_number(metrics, "timeouts")), slow);
    print_line(out, "", "%llu ignored, %llu cancelled, %llu late, %llu in flight", N(metrics, "ignored"),
               N(metrics, "cancelled"), N(metrics, "late"), N(metrics, "in_flight"));
}

static void metrics_of(FILE *out, const json_t *metrics)
{
    const json_t *const retries = json_object_get(metrics, "retries"), *const probes =
                                                                           json_object_get(metrics, "probes");
    calls(out, metrics);
    counts(out, "denied", json_object_get(metrics, "denied"));
    counts(out, "errors", json_object_get(metrics, "errors"));
    if (tree_number(retries, "paid") + tree_number(retries, "refused") > 0)
        print_line(out, "retries", "%llu, and %llu that the budget refused", N(retries, "paid"), N(retries, "refused"));
    latencies(out, "latency", json_object_get(metrics, "latency"));
    states(out, json_object_get(metrics, "state_ms"));
    print_line(out, "opened", "%llu time%s", N(metrics, "opens"), print_plural(tree_number(metrics, "opens")));
    counts(out, "", json_object_get(metrics, "trips"));
    if (tree_number(probes, "ok") + tree_number(probes, "failures") > 0)
        print_line(out, "probes", "%llu ok, %llu failed, %llu slow", N(probes, "ok"), N(probes, "failures"),
                   N(probes, "slow"));
    spans(out, "detected", json_object_get(metrics, "detect"), "first failure");
    spans(out, "recovered", json_object_get(metrics, "recover"), "first opening");
}

static void tripd(FILE *out, const json_t *tripd)
{
    const json_t *const memory = json_object_get(tripd, "memory"), *const refused = json_object_get(tripd, "refused");
    char span[24];
    fputs("tripd\n", out);
    print_line(out, "up", "%s, %.2f%% of it busy; %llu worker%s started", print_span(tree_number(tripd, "up_ms"), span),
               json_number_value(json_object_get(tripd, "busy_percent")), N(tripd, "starts"),
               print_plural(tree_number(tripd, "starts")));
    print_line(out, "memory", "worker %.1f MiB, segment %.1f MiB, %llu lane%s %.1f MiB",
               (double)tree_number(memory, "worker_bytes") / MIB, (double)tree_number(memory, "segment_bytes") / MIB,
               N(tripd, "lanes"), print_plural(tree_number(tripd, "lanes")),
               (double)tree_number(memory, "lane_bytes") / MIB);
    latencies(out, "events wait", json_object_get(tripd, "event_lag"));
    print_line(out, "untold", "%llu failed or slow call%s counted without an event of their own", N(tripd, "untold"),
               print_plural(tree_number(tripd, "untold")));
    print_line(out, "errors", "%llu lost their text, %llu found no room to be analysed",
               N(tripd, "errors_without_text"), N(tripd, "errors_not_analysed"));
    print_line(out, "refused", "%llu attach%s", N(refused, "attaches"),
               tree_number(refused, "attaches") == 1 ? "" : "es");
}

static void each(FILE *out, const char *what, const json_t *list)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(list, i, entry)
    {
        fprintf(out, "%s%s\n", what, tree_text(entry, "name"));
        metrics_of(out, entry);
    }
}

/* A line a group: its metrics are shown in whole where it is asked for. */
static void group_table(FILE *out, const json_t *groups)
{
    static const char *const headings[] = {"GROUP", ">BREAKERS", ">CALLS", ">FAILED", ">DENIED", ">OPENED"};
    struct table *const table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    size_t i;
    const json_t *group;
    table_shrink(table, 0, 12);
    json_array_foreach(groups, i, group)
    {
        uint64_t denied = 0;
        const char *key;
        json_t *value;
        json_object_foreach(json_object_get(group, "denied"), key, value) denied += (uint64_t)json_integer_value(value);
        table_cell(table, "%s", tree_text(group, "name"));
        table_cell(table, "%llu", N(group, "breakers"));
        table_cell(table, "%llu", N(group, "calls"));
        table_cell(table, "%llu", N(group, "failures"));
        table_cell(table, "%llu", (unsigned long long)denied);
        table_cell(table, "%llu", N(group, "opens"));
    }
    table_print(table, out);
    table_free(table);
}

void print_metrics(FILE *out, const json_t *result)
{
    const json_t *const host = json_object_get(result, "host"), *const groups = json_object_get(result, "groups");
    if (!json_is_object(host)) {
        each(out, "group ", groups);
        each(out, "", json_object_get(result, "breakers"));
        return;
    }
    tripd(out, json_object_get(result, "tripd"));
    fprintf(out, "all %llu breaker%s, and those that are forgotten\n", N(host, "breakers"),
            print_plural(tree_number(host, "breakers")));
    metrics_of(out, host);
    if (json_array_size(groups) == 0)
        return;
    fputc('\n', out);
    group_table(out, groups);
}
