#include "print.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "print_entry.h"
#include "print_parts.h"
#include "table.h"
#include "users.h"

#define LEAST_BUCKET_MS 0.000128 /* the first latency bucket ends here */

/* ---------------------------------------------------------------------------------------------------- out of trees */

const char *tree_text(const json_t *map, const char *key)
{
    const char *value = json_string_value(json_object_get(map, key));
    return value ? value : "";
}

uint64_t tree_number(const json_t *map, const char *key)
{
    const json_int_t value = json_integer_value(json_object_get(map, key));
    return value > 0 ? (uint64_t)value : 0;
}

bool tree_absent(const json_t *map, const char *key)
{
    const json_t *value = json_object_get(map, key);
    return !value || json_is_null(value);
}

void print_json(FILE *out, const json_t *result)
{
    json_dumpf(result, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    fputc('\n', out);
}

/* ------------------------------------------------------------------------------------------------------- quantities */

const char *print_span(uint64_t ms, char out[24])
{
    const unsigned long long s = ms / 1000;
    if (ms < 1000)
        snprintf(out, 24, "%llums", (unsigned long long)ms);
    else if (ms < 10000)
        snprintf(out, 24, "%llu.%llus", s, (unsigned long long)ms / 100 % 10);
    else if (s < 60)
        snprintf(out, 24, "%llus", s);
    else if (s < 3600)
        snprintf(out, 24, "%llum%02llus", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 24, "%lluh%02llum", s / 3600, s / 60 % 60);
    else
        snprintf(out, 24, "%llud%02lluh", s / 86400, s / 3600 % 24);
    return out;
}

const char *print_moment(uint64_t unix_ms, char out[40])
{
    const time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    char day[24];
    if (unix_ms == 0 || !localtime_r(&seconds, &parts) || strftime(day, sizeof(day), "%F %T", &parts) == 0)
        snprintf(out, 40, "-");
    else
        snprintf(out, 40, "%s.%03u", day, (unsigned)(unix_ms % 1000));
    return out;
}

/* Formats a rate: 37.5%, or - while it is unknown. */
static const char *rate(const json_t *map, const char *key, char out[24])
{
    if (tree_absent(map, key))
        snprintf(out, 24, "-");
    else
        snprintf(out, 24, "%.1f%%", json_number_value(json_object_get(map, key)));
    return out;
}

/* Formats a number, or - while it is unknown. */
static const char *count(const json_t *map, const char *key, char out[24])
{
    if (json_is_null(json_object_get(map, key)))
        snprintf(out, 24, "-");
    else
        snprintf(out, 24, "%llu", (unsigned long long)tree_number(map, key));
    return out;
}

const char *print_latency(const json_t *map, const char *key, char out[24])
{
    const double ms = json_number_value(json_object_get(map, key));
    if (tree_absent(map, key))
        snprintf(out, 24, ">137s");
    else if (ms < LEAST_BUCKET_MS)
        snprintf(out, 24, "<128ns");
    else
        snprintf(out, 24, ms < 10 ? "%.3gms" : "%.0fms", ms);
    return out;
}

const char *print_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* Tells when the next call may be admitted. */
static const char *next_probe(const json_t *breaker, char out[32])
{
    const uint64_t wait_ms = tree_number(breaker, "retry_after_ms");
    const bool forced = strcmp(tree_text(breaker, "mode"), "forced_open") == 0;
    const bool closed =
        strcmp(tree_text(breaker, "state"), "closed") == 0 || strcmp(tree_text(breaker, "state"), "ramping") == 0;
    char span[24];
    if (tree_absent(breaker, "retry_after_ms"))
        snprintf(out, 32, "never");
    else if (wait_ms > 0)
        snprintf(out, 32, "in %s", print_span(wait_ms, span));
    else
        snprintf(out, 32, closed && !forced ? "-" : "now");
    return out;
}

static bool is_auto(const json_t *breaker)
{
    return strcmp(tree_text(breaker, "mode"), "auto") == 0;
}

static bool is_closed(const json_t *breaker)
{
    return strcmp(tree_text(breaker, "state"), "closed") == 0;
}

/* Returns "?" where the state is a guess: without a living tripd clients may have moved it since it was last seen. */
static const char *doubt(const json_t *breaker)
{
    return json_is_false(json_object_get(breaker, "certain")) ? "?" : "";
}

/* Formats the state. A mode decides before it: open, closed?, ramping 25%, forced_open (closed) */
static const char *state(const json_t *breaker, char out[64])
{
    const json_t *ramp = json_object_get(breaker, "ramp");
    if (!is_auto(breaker))
        snprintf(out, 64, "%s (%s%s)", tree_text(breaker, "mode"), tree_text(breaker, "state"), doubt(breaker));
    else if (json_is_object(ramp))
        snprintf(out, 64, "%s%s %g%%", tree_text(breaker, "state"), doubt(breaker),
                 json_number_value(json_object_get(ramp, "admit")));
    else
        snprintf(out, 64, "%s%s", tree_text(breaker, "state"), doubt(breaker));
    return out;
}

static bool by_operator(const json_t *breaker)
{
    return strcmp(tree_text(breaker, "by"), "operator") == 0;
}

/* Formats an operator: operator root */
static const char *operator_name(const json_t *breaker, char out[64])
{
    char name[USER_NAME_MAX];
    snprintf(out, 64, "operator %s", user_name(tree_number(breaker, "uid"), name));
    return out;
}

/* Formats the owner of a mode: operator root, fleet */
static const char *mode_owner(const json_t *breaker, char out[64])
{
    char name[USER_NAME_MAX];
    const bool named = !tree_absent(breaker, "mode_uid");
    snprintf(out, 64, "%s%s%s", tree_text(breaker, "mode_owner"), named ? " " : "",
             named ? user_name(tree_number(breaker, "mode_uid"), name) : "");
    return out;
}

/* Tells who did it: for a mode "operator root for 50s more: migration", for a state "operator root: db failover". */
static const char *whose(const json_t *breaker, char out[256])
{
    char span[24], name[64], ttl[48] = "";
    if (!is_auto(breaker)) {
        if (!tree_absent(breaker, "mode_ttl_ms"))
            snprintf(ttl, sizeof(ttl), " for %s more", print_span(tree_number(breaker, "mode_ttl_ms"), span));
        snprintf(out, 256, "%s%s%s%s", mode_owner(breaker, name), ttl, tree_absent(breaker, "mode_reason") ? "" : ": ",
                 tree_text(breaker, "mode_reason"));
    } else if (by_operator(breaker)) {
        snprintf(out, 256, "%s%s%s", operator_name(breaker, name), tree_absent(breaker, "note") ? "" : ": ",
                 tree_text(breaker, "note"));
    } else {
        snprintf(out, 256, "-");
    }
    return out;
}

/* ------------------------------------------------------------------------------------------------------------- list */

/* How narrow the columns may become until the list fits a terminal: first the names, then the states. */
#define NAME_LEAST  20
#define STATE_LEAST 12

/* Ranks trouble first: breakers that deny, then those that may deny, then those not in mode auto. */
static int rank(const json_t *breaker)
{
    static const char *const order[] = {"open", "half_open", "ramping", "closed"};
    if (strcmp(tree_text(breaker, "mode"), "forced_open") == 0)
        return 0;
    for (int i = 0; i < 3; i++)
        if (strcmp(tree_text(breaker, "state"), order[i]) == 0)
            return i + 1;
    return is_auto(breaker) ? 5 : 4;
}

static int by_trouble(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    const int difference = rank(a) - rank(b);
    return difference ? difference : strcmp(tree_text(a, "breaker"), tree_text(b, "breaker"));
}

static void list_row(struct table *table, const json_t *breaker)
{
    char shown[64], span[24], probe[32], failed[24], slow[24], by[256];
    const json_t *window = json_object_get(breaker, "window");
    table_cell(table, "%s", state(breaker, shown));
    table_cell(table, "%s", tree_text(breaker, "breaker"));
    table_cell(table, "%s", is_closed(breaker) ? "-" : tree_text(breaker, "reason"));
    table_cell(table, "%s", print_span(tree_number(breaker, "state_for_ms"), span));
    table_cell(table, "%s", next_probe(breaker, probe));
    table_cell(table, "%s", rate(window, "failure_rate", failed));
    table_cell(table, "%s", rate(window, "slow_rate", slow));
    table_cell(table, "%llu", (unsigned long long)tree_number(window, "calls"));
    table_cell(table, "%s", whose(breaker, by));
}

static void print_breakers(FILE *out, const json_t *breakers)
{
    static const char *const headings[] = {"STATE",   "BREAKER", "WHY",    ">FOR", ">PROBE",
                                           ">FAILED", ">SLOW",   ">CALLS", "BY"};
    const size_t count = json_array_size(breakers);
    json_t **sorted = calloc(count ? count : 1, sizeof(json_t *));
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    table_shrink(table, 1, NAME_LEAST);
    table_shrink(table, 0, STATE_LEAST);
    table_shrink(table, 1, 0);
    for (size_t i = 0; sorted && i < count; i++)
        sorted[i] = json_array_get(breakers, i);
    if (sorted)
        qsort(sorted, count, sizeof(json_t *), by_trouble);
    for (size_t i = 0; sorted && i < count; i++)
        list_row(table, sorted[i]);
    table_print(table, out);
    table_free(table);
    free(sorted);
}

static void print_patterns(FILE *out, const json_t *patterns)
{
    static const char *const headings[] = {"PATTERN", "MODE", "ENDS", "BY", "REASON"};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    size_t i;
    json_t *pattern;
    table_shrink(table, 0, NAME_LEAST);
    table_shrink(table, 3, STATE_LEAST);
    json_array_foreach(patterns, i, pattern)
    {
        char span[24], name[USER_NAME_MAX];
        table_cell(table, "%s", tree_text(pattern, "pattern"));
        table_cell(table, "%s", tree_text(pattern, "mode"));
        table_cell(table, "%s%s", tree_absent(pattern, "ttl_ms") ? "never" : "in ",
                   tree_absent(pattern, "ttl_ms") ? "" : print_span(tree_number(pattern, "ttl_ms"), span));
        table_cell(table, "%s", user_name(tree_number(pattern, "uid"), name));
        table_cell(table, "%s", tree_text(pattern, "reason"));
    }
    table_print(table, out);
    table_free(table);
}

void print_list(FILE *out, const json_t *result)
{
    const json_t *breakers = json_object_get(result, "breakers"), *patterns = json_object_get(result, "patterns");
    if (json_array_size(breakers) > 0)
        print_breakers(out, breakers);
    else
        fputs("no breakers\n", out);
    if (json_array_size(patterns) > 0) {
        fputs("\nmodes by pattern, for breakers to come too:\n", out);
        print_patterns(out, patterns);
    }
    if (tree_number(result, "hidden") > 0)
        fprintf(out, "\n%llu more had no call for their forget_after: `tripctl list '*'` shows them too\n",
                (unsigned long long)tree_number(result, "hidden"));
}

/* ------------------------------------------------------------------------------------------------------------- show */

void print_line(FILE *out, const char *label, const char *format, ...)
{
    va_list arguments;
    fprintf(out, "  %-12s", label);
    va_start(arguments, format);
    vfprintf(out, format, arguments);
    va_end(arguments);
    fputc('\n', out);
}

/* Tells why it opened, or who opened or closed it: , operator root: "db failover" */
static const char *cause(const json_t *show, char out[256])
{
    char name[64];
    const bool noted = !tree_absent(show, "note");
    out[0] = '\0';
    if (by_operator(show))
        snprintf(out, 256, ", %s%s%s%s", operator_name(show, name), noted ? ": \"" : "", tree_text(show, "note"),
                 noted ? "\"" : "");
    else if (!is_closed(show))
        snprintf(out, 256, ", %s%s%s", tree_text(show, "reason"), tree_absent(show, "condition") ? "" : ": ",
                 tree_text(show, "condition"));
    return out;
}

static void show_half_open(FILE *out, const json_t *show)
{
    const json_t *probes = json_object_get(show, "probes");
    print_line(out, "permits", "%llu free of %llu", N(show, "permits_free"),
               N(json_object_get(show, "settings"), "permits"));
    char slow[24];
    print_line(out, "probes", "%llu of %llu ok, %llu failed, %s slow", N(probes, "ok"), N(probes, "needed"),
               N(probes, "failures"), count(probes, "slow", slow));
}

static void show_ramp(FILE *out, const json_t *ramp)
{
    char span[24];
    const bool ends = !tree_absent(ramp, "ends_ms");
    print_line(out, "ramp", "admits %g%%%s%s", json_number_value(json_object_get(ramp, "admit")),
               ends ? ", all in " : "", ends ? print_span(tree_number(ramp, "ends_ms"), span) : "");
}

static void show_state(FILE *out, const json_t *show)
{
    char shown[64], why[256], span[24], when[40], probe[32];
    const json_t *ramp = json_object_get(show, "ramp");
    const bool forced = strcmp(tree_text(show, "mode"), "forced_open") == 0;
    fprintf(out, "%s: %s%s, for %s, since %s\n", tree_text(show, "breaker"), state(show, shown), cause(show, why),
            print_span(tree_number(show, "state_for_ms"), span),
            print_moment(tree_number(show, "since_unix_ms"), when));
    if (json_is_object(ramp))
        show_ramp(out, ramp);
    else if (!is_closed(show) || forced)
        print_line(out, "next probe", "%s", next_probe(show, probe));
    if (strcmp(tree_text(show, "state"), "half_open") == 0)
        show_half_open(out, show);
}

static void show_modes(FILE *out, const json_t *show)
{
    size_t i;
    json_t *entry;
    if (json_array_size(json_object_get(show, "modes")) == 0)
        print_line(out, "mode", "auto");
    json_array_foreach(json_object_get(show, "modes"), i, entry)
    {
        char when[40], name[USER_NAME_MAX], span[24];
        const bool named = strcmp(tree_text(entry, "owner"), "operator") == 0;
        print_line(out, i == 0 ? "mode" : "then", "%s by %s%s%s since %s%s%s%s%s", tree_text(entry, "mode"),
                   tree_text(entry, "owner"), named ? " " : "", named ? user_name(tree_number(entry, "uid"), name) : "",
                   print_moment(tree_number(entry, "since_unix_ms"), when),
                   tree_absent(entry, "ttl_ms") ? "" : ", ends in ",
                   tree_absent(entry, "ttl_ms") ? "" : print_span(tree_number(entry, "ttl_ms"), span),
                   tree_absent(entry, "reason") ? "" : ": ", tree_text(entry, "reason"));
    }
}

static void show_calls(FILE *out, const json_t *show)
{
    const json_t *window = json_object_get(show, "window"), *totals = json_object_get(show, "totals");
    char failed[24], slow[24], slow_rate[24];
    print_line(out, "window", "%llu call%s: %llu ok, %llu failed (%s), %s slow (%s)", N(window, "calls"),
               print_plural(tree_number(window, "calls")), N(window, "ok"), N(window, "failures"),
               rate(window, "failure_rate", failed), count(window, "slow", slow), rate(window, "slow_rate", slow_rate));
    if (tree_number(show, "calls_until_rate") > 0)
        print_line(out, "", "the rates count after %llu more call%s", N(show, "calls_until_rate"),
                   print_plural(tree_number(show, "calls_until_rate")));
    print_line(out, "in a row", "%llu failed", N(show, "consecutive_failures"));
    print_line(out, "in flight", "%llu", N(show, "in_flight"));
    print_line(out, "totals", "%llu call%s: %llu ok, %llu failed, %llu of them timeout%s; %s slow", N(totals, "calls"),
               print_plural(tree_number(totals, "calls")), N(totals, "ok"), N(totals, "failures"),
               N(totals, "timeouts"), print_plural(tree_number(totals, "timeouts")), count(totals, "slow", slow));
    print_line(out, "", "%llu denied, %llu ignored, %llu cancelled, %llu late", N(totals, "denied"),
               N(totals, "ignored"), N(totals, "cancelled"), N(totals, "late"));
}

static void show_latency(FILE *out, const json_t *show)
{
    const json_t *spread = json_object_get(show, "latency");
    char p50[24], p95[24], p99[24], sampled[40] = "";
    if (!tree_absent(show, "latency_sampled"))
        snprintf(sampled, sizeof(sampled), ", of one call in %llu", N(show, "latency_sampled"));
    if (tree_number(spread, "calls") > 0)
        print_line(out, "latency", "p50 %s, p95 %s, p99 %s%s", print_latency(spread, "p50_ms", p50),
                   print_latency(spread, "p95_ms", p95), print_latency(spread, "p99_ms", p99), sampled);
}

static void show_opens(FILE *out, const json_t *show)
{
    char span[24];
    const char *reason, *between = ": ";
    json_t *count;
    fprintf(out, "  %-12s%llu time%s, %s in all", "opened", N(show, "opens"), print_plural(tree_number(show, "opens")),
            print_span(tree_number(show, "open_ms"), span));
    json_object_foreach(json_object_get(show, "trips"), reason, count)
    {
        if (json_integer_value(count) > 0) {
            fprintf(out, "%s%s %lld", between, reason, (long long)json_integer_value(count));
            between = ", ";
        }
    }
    fputc('\n', out);
}

static void show_reporters(FILE *out, const json_t *reporters)
{
    const json_t *const lanes = json_object_get(reporters, "lanes");
    const uint64_t count = tree_number(reporters, "count"), listed = json_array_size(lanes);
    size_t i;
    json_t *lane;
    if (listed == 0)
        return;
    fprintf(out, "  %-12s%llu process%s", "reporters", (unsigned long long)count, count == 1 ? "" : "es");
    json_array_foreach(lanes, i, lane)
    {
        fprintf(out, "%s%llu call%s by lane %llu (%llu failed)", i == 0 ? ": " : ", ", N(lane, "calls"),
                print_plural(tree_number(lane, "calls")), N(lane, "lane"), N(lane, "failures"));
    }
    if (count > listed)
        fprintf(out, ", and %llu more", (unsigned long long)(count - listed));
    fputc('\n', out);
}

static void show_error(FILE *out, const json_t *show)
{
    static const char *const ids[] = {"correlation", "trace", "session"};
    const json_t *error = json_object_get(show, "error");
    char when[40];
    if (json_is_object(error))
        print_line(out, "last error", "%s%s%s, at %s", tree_text(error, "type"),
                   tree_absent(error, "message") ? "" : ": ", tree_text(error, "message"),
                   print_moment(tree_number(error, "at_unix_ms"), when));
    for (size_t i = 0; json_is_object(error) && i < sizeof(ids) / sizeof(ids[0]); i++)
        if (!tree_absent(error, ids[i]))
            print_line(out, "", "%s %s", ids[i], tree_text(error, ids[i]));
}

static void show_concurrency(FILE *out, const json_t *tickets)
{
    size_t i;
    json_t *holder;
    if (!json_is_object(tickets))
        return;
    fprintf(out, "  %-12s%llu of %llu tickets taken", "concurrency", N(tickets, "taken"), N(tickets, "limit"));
    if (tree_number(tickets, "max") != tree_number(tickets, "limit"))
        fprintf(out, ", %llu at most", N(tickets, "max"));
    json_array_foreach(json_object_get(tickets, "holders"), i, holder)
    {
        if (json_is_null(json_object_get(holder, "lane")))
            fprintf(out, "%s%llu without a lane", i == 0 ? ": " : ", ", N(holder, "tickets"));
        else
            fprintf(out, "%s%llu by lane %llu", i == 0 ? ": " : ", ", N(holder, "tickets"), N(holder, "lane"));
    }
    fprintf(out, "; %llu rejected\n", N(tickets, "rejected"));
}

static void show_deadlines(FILE *out, const json_t *limits)
{
    if (tree_number(limits, "deadline_rejected") == 0)
        return;
    print_line(out, "deadlines", "%llu calls not sent: their deadline had passed", N(limits, "deadline_rejected"));
}

static void show_limits(FILE *out, const json_t *limits)
{
    const json_t *bucket = json_object_get(limits, "rate"), *throttle = json_object_get(limits, "throttle");
    const json_t *retry = json_object_get(limits, "retry");
    char per[24];
    show_concurrency(out, json_object_get(limits, "concurrency"));
    if (json_is_object(bucket))
        print_line(out, "rate", "%llu of %llu free, %llu in %s; %llu rejected", N(bucket, "free"), N(bucket, "burst"),
                   N(bucket, "limit"), print_span(tree_number(bucket, "per_ms"), per), N(bucket, "rejected"));
    if (json_is_object(throttle))
        print_line(out, "throttle", "admits %.1f%%; %llu shed", (double)tree_number(throttle, "admit_permille") / 10,
                   N(throttle, "shed"));
    if (tree_number(retry, "retries") > 0 || tree_number(retry, "refused") > 0)
        print_line(out, "retries", "%llu, %llu refused; %llu more are paid for", N(retry, "retries"),
                   N(retry, "refused"), N(retry, "budget_tokens"));
    show_deadlines(out, limits);
}

static void show_settings(FILE *out, const json_t *show)
{
    const json_t *settings = json_object_get(show, "settings");
    char slow[24], wait[24], next[24];
    const uint64_t streak = tree_number(settings, "consecutive_failures");
    if (streak > 0)
        print_line(out, "settings", "of \"%s\": opens after %llu failure%s in a row", tree_text(settings, "match"),
                   (unsigned long long)streak, print_plural(streak));
    else
        print_line(out, "settings", "of \"%s\": no streak opens it", tree_text(settings, "match"));
    print_line(out, "", "opens for %s next time", print_span(tree_number(settings, "next_open_ms"), next));
    print_line(out, "", "slow after %s, rates from %llu call%s, %llu permit%s of %s",
               print_span(tree_number(settings, "slow_after_ms"), slow), N(settings, "minimum_calls"),
               print_plural(tree_number(settings, "minimum_calls")), N(settings, "permits"),
               print_plural(tree_number(settings, "permits")), print_span(tree_number(settings, "max_wait_ms"), wait));
}

void print_show(FILE *out, const json_t *show)
{
    show_state(out, show);
    show_modes(out, show);
    show_error(out, show);
    show_calls(out, show);
    show_latency(out, show);
    show_opens(out, show);
    show_reporters(out, json_object_get(show, "reporters"));
    show_limits(out, json_object_get(show, "limits"));
    show_settings(out, show);
    if (json_is_object(json_object_get(show, "config")))
        print_entry(out, json_object_get(show, "config"));
    else if (json_is_null(json_object_get(show, "config")))
        print_line(out, "config", "tripd alone knows its other settings, and does not say them");
}

/* ---------------------------------------------------------------------------------------------------- other results */

/* Writes who did it, and why, to the end of the line. */
static void print_actor(FILE *out, const json_t *event)
{
    char name[USER_NAME_MAX];
    fprintf(out, ", by %s", tree_text(event, "by"));
    if (!tree_absent(event, "uid"))
        fprintf(out, " %s", user_name(tree_number(event, "uid"), name));
    if (!tree_absent(event, "note"))
        fprintf(out, ": %s", tree_text(event, "note"));
    if (tree_number(event, "steps") > 1)
        fprintf(out, ", after %llu steps too fast to tell", N(event, "steps"));
    fputc('\n', out);
}

static void print_state_step(FILE *out, const json_t *event)
{
    fprintf(out, "%s -> %s", tree_text(event, "from"), tree_text(event, "to"));
    if (strcmp(tree_text(event, "to"), "open") == 0)
        fprintf(out, " (%s%s%s)", tree_text(event, "reason"), tree_absent(event, "condition") ? "" : ": ",
                tree_text(event, "condition"));
    print_actor(out, event);
}

static void print_mode_step(FILE *out, const json_t *event)
{
    char until[40];
    fprintf(out, "mode %s -> %s", tree_text(event, "from"), tree_text(event, "to"));
    if (!tree_absent(event, "until_unix_ms"))
        fprintf(out, " until %s", print_moment(tree_number(event, "until_unix_ms"), until));
    print_actor(out, event);
}

/* Where a level stays as it is, what was set says to which level it goes. */
static void print_level_step(FILE *out, const char *kind, const json_t *event)
{
    char until[40];
    fprintf(out, "%s %s -> %s", kind, tree_text(event, "from"), tree_text(event, "to"));
    if (!tree_absent(event, "set") && strcmp(tree_text(event, "set"), tree_text(event, "to")) != 0)
        fprintf(out, ", on the way to %s", tree_text(event, "set"));
    if (!tree_absent(event, "until_unix_ms"))
        fprintf(out, " until %s", print_moment(tree_number(event, "until_unix_ms"), until));
    print_actor(out, event);
}

const char *event_subject(const json_t *event)
{
    const char *const kind = tree_text(event, "event");
    if (strcmp(kind, "level") == 0)
        return tree_absent(event, "group") ? "host" : tree_text(event, "group");
    return tree_text(event, strcmp(kind, "feature") == 0 ? "feature" : "breaker");
}

void print_event(FILE *out, const json_t *event)
{
    char when[40];
    const char *const kind = tree_text(event, "event");
    fprintf(out, "%s  %s: ", print_moment(tree_number(event, "at_unix_ms"), when), event_subject(event));
    if (strcmp(kind, "incident") == 0)
        fprintf(out, "incident %llu %s\n", N(event, "incident"), tree_text(event, "to"));
    else if (strcmp(kind, "mode") == 0)
        print_mode_step(out, event);
    else if (strcmp(kind, "level") == 0 || strcmp(kind, "feature") == 0)
        print_level_step(out, kind, event);
    else
        print_state_step(out, event);
}

void print_events(FILE *out, const json_t *result)
{
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(result, "events"), i, event) print_event(out, event);
}

/* Notes that a client is detached, or that outcomes of it were lost. */
static void client_mark(struct table *table, const json_t *client)
{
    const bool detached = json_is_true(json_object_get(client, "detached"));
    const uint64_t lost = tree_number(client, "lost");
    if (lost > 0)
        table_cell(table, "%s%llu lost", detached ? "detached, " : "", (unsigned long long)lost);
    else
        table_cell(table, "%s", detached ? "detached" : "");
}

void print_clients(FILE *out, const json_t *result)
{
    static const char *const headings[] = {">LANE", ">PID", "USER", "PROGRAM", "ATTACHED", ">BREAKERS", ""};
    struct table *table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    size_t i;
    json_t *client;
    if (json_array_size(json_object_get(result, "clients")) == 0)
        fputs("no clients\n", out);
    json_array_foreach(json_object_get(result, "clients"), i, client)
    {
        char when[40], name[USER_NAME_MAX];
        table_cell(table, "%llu", N(client, "lane"));
        table_cell(table, "%llu", N(client, "pid"));
        table_cell(table, "%s", user_name(tree_number(client, "uid"), name));
        table_cell(table, "%s", tree_text(client, "program"));
        table_cell(table, "%s", print_moment(tree_number(client, "attached_unix_ms"), when));
        table_cell(table, "%llu", N(client, "meters"));
        client_mark(table, client);
    }
    if (i > 0)
        table_print(table, out);
    table_free(table);
}

static void status_daemon(FILE *out, const json_t *status)
{
    const char *daemon = tree_text(status, "daemon");
    char span[24];
    if (strcmp(daemon, "running") == 0)
        print_line(out, "tripd", "running, keeper %llu and worker %llu", N(status, "keeper_pid"),
                   N(status, "worker_pid"));
    else if (strcmp(daemon, "stalled") == 0)
        print_line(out, "tripd", "stalled: no heartbeat for %s; keeper %llu, worker %llu",
                   print_span(tree_number(status, "heartbeat_age_ms"), span), N(status, "keeper_pid"),
                   N(status, "worker_pid"));
    else if (strcmp(daemon, "dead") == 0)
        print_line(out, "tripd", "dead, and was not stopped: no heartbeat for %s; clients go on without it",
                   print_span(tree_number(status, "heartbeat_age_ms"), span));
    else
        print_line(out, "tripd", "%s",
                   strcmp(daemon, "stopped") == 0 ? "stopped cleanly"
                                                  : "not here: this is a copy, or of another boot or machine");
}

static void status_full(FILE *out, uint64_t times, const char *limit)
{
    if (times > 0)
        print_line(out, "", "%llu time%s limits.%s was used up: raise it", (unsigned long long)times,
                   print_plural(times), limit);
}

static void status_lost(FILE *out, uint64_t outcomes)
{
    if (outcomes > 0)
        print_line(out, "", "%llu outcome%s lost: the kernel had no memory to count %s", (unsigned long long)outcomes,
                   print_plural(outcomes), outcomes == 1 ? "it" : "them");
}

static void status_refusals(FILE *out, const json_t *refusals)
{
    size_t i;
    json_t *refusal;
    char who[USER_NAME_MAX], when[40];
    json_array_foreach(refusals, i, refusal) print_line(
        out, i == 0 ? "refused" : "", "%s, %llu time%s until %s: %s", user_name(tree_number(refusal, "uid"), who),
        N(refusal, "count"), print_plural(tree_number(refusal, "count")),
        print_moment(tree_number(refusal, "last_unix_ms"), when), tree_text(refusal, "why"));
}

static const char *timed_by(const json_t *status)
{
    const char *const timer = tree_text(status, "timer");
    if (strcmp(timer, "tsc") == 0)
        return "; calls are timed by the TSC";
    return strcmp(timer, "tsc_given_up") == 0 ? "; the TSC was given up, calls are timed by CLOCK_MONOTONIC" : "";
}

void print_status(FILE *out, const json_t *status)
{
    const json_t *breakers = json_object_get(status, "breakers"), *clients = json_object_get(status, "clients");
    char when[40], span[24];
    status_daemon(out, status);
    if (!tree_absent(status, "version"))
        print_line(out, "version", "%s, on %s, %llu wake-ups", tree_text(status, "version"), tree_text(status, "loop"),
                   N(status, "wakeups"));
    print_line(out, "breakers",
               "%llu of %llu: %llu open, %llu half_open, %llu ramping, %llu closed; %llu not in mode auto",
               N(breakers, "count"), N(breakers, "most"), N(breakers, "open"), N(breakers, "half_open"),
               N(breakers, "ramping"), N(breakers, "closed"), N(breakers, "not_auto"));
    status_full(out, tree_number(breakers, "overflow"), "max_breakers");
    print_line(out, "clients", "%llu of %llu, %llu refused", N(clients, "count"), N(clients, "most"),
               N(clients, "refused"));
    status_refusals(out, json_object_get(clients, "refusals"));
    status_full(out, tree_number(clients, "no_lane"), "max_lanes");
    status_full(out, tree_number(clients, "no_memory"), "lane_memory_per_user");
    status_lost(out, tree_number(clients, "lost"));
    print_line(out, "segment", "%llu KiB since %s; tripd started %llu time%s", N(status, "segment_bytes") / 1024,
               print_moment(tree_number(status, "created_unix_ms"), when), N(status, "starts"),
               print_plural(tree_number(status, "starts")));
    print_line(out, "config", "%s of %s", tree_absent(status, "config_file") ? "-" : tree_text(status, "config_file"),
               print_moment(tree_number(status, "config_unix_ms"), when));
    print_line(out, "clock", "%s, %s%s", tree_text(status, "clock"), print_span(tree_number(status, "now_ms"), span),
               timed_by(status));
    print_line(out, "transitions", "%llu", N(status, "transitions"));
}

static void print_names(FILE *out, const json_t *names)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name) fprintf(out, "%s\n", json_string_value(name));
}

void print_hits(FILE *out, const json_t *result, const char *done, const char *later)
{
    const json_t *skipped = json_object_get(result, "skipped");
    const uint64_t count = tree_number(result, "count");
    size_t i;
    json_t *held;
    char name[64];
    print_names(out, json_object_get(result, "breakers"));
    fprintf(out, "%llu breaker%s %s%s\n", (unsigned long long)count, print_plural(count), done, later);
    if (json_array_size(skipped) > 0)
        fprintf(out, "%zu skipped, for the mode keeps the state as it is until `tripctl auto`:\n",
                json_array_size(skipped));
    print_names(out, skipped);
    json_array_foreach(json_object_get(result, "held"), i, held)
        fprintf(out, "%s stays %s by %s; `tripctl auto %s` ends that\n", tree_text(held, "breaker"),
                tree_text(held, "mode"), mode_owner(held, name), tree_text(held, "breaker"));
}

void print_reloaded(FILE *out, const json_t *result)
{
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(result, "notes"), i, note) fprintf(out, "%s\n", json_string_value(note));
    fputs("reloaded\n", out);
}

void print_clock(FILE *out, const json_t *result)
{
    char span[24];
    fprintf(out, "%s clock, %s since the segment was made\n", tree_text(result, "clock"),
            print_span(tree_number(result, "now_ms"), span));
}
