/* Everything about one breaker. */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "internal/enum_names.h"
#include "panes.h"
#include "print_parts.h"
#include "states.h"
#include "symbols.h"
#include "users.h"

#define HOUR_MS       3600000u
#define TIMELINE_MAX  240
#define HISTOGRAM_BAR 40
#define WINDOW_ROWS   4

/* ------------------------------------------------------------------------------------------------------- its state */

static void write_state(struct canvas *paper, const json_t *show, const struct figures *figures)
{
    const char *const state = tree_text(show, "state");
    char span[FORMAT_MAX], name[USER_NAME_MAX];
    int at = pane_line(paper, STYLE_BOLD, "%s  ", tree_text(show, "breaker"));
    at = pane_more(paper, at, state_style(figures->state), "%s %s for %s",
                   symbol(symbol_of_state(figures->state), paper->ascii), state,
                   format_span(figures->state_for_ms, span));
    if (figures->state != TRIP_STATE_CLOSED)
        at = pane_more(paper, at, STYLE_PLAIN, ": %s%s%s, by %s", tree_text(show, "reason"),
                       tree_absent(show, "condition") ? "" : ": ", tree_text(show, "condition"), tree_text(show, "by"));
    if (!tree_absent(show, "uid"))
        at = pane_more(paper, at, STYLE_PLAIN, " %s", user_name(tree_number(show, "uid"), name));
    if (!tree_absent(show, "note"))
        pane_more(paper, at, STYLE_PLAIN, ": %s", tree_text(show, "note"));
}

static void write_mode(struct canvas *paper, const json_t *show, const struct figures *figures)
{
    char span[FORMAT_MAX], name[USER_NAME_MAX];
    if (figures->mode == TRIP_MODE_AUTO)
        return;
    int at = pane_fact(paper, "mode", "%s", "");
    at = pane_more(paper, at, STYLE_MODED, "%s, by %s", tree_text(show, "mode"), tree_text(show, "mode_owner"));
    if (!tree_absent(show, "mode_uid"))
        at = pane_more(paper, at, STYLE_PLAIN, " %s", user_name(tree_number(show, "mode_uid"), name));
    if (figures->mode_ttl_ms != FIGURES_NEVER)
        at = pane_more(paper, at, STYLE_PLAIN, ", for %s more", format_span(figures->mode_ttl_ms, span));
    if (!tree_absent(show, "mode_reason"))
        pane_more(paper, at, STYLE_PLAIN, ": %s", tree_text(show, "mode_reason"));
}

static void write_next(struct canvas *paper, const json_t *show, const struct figures *figures)
{
    const json_t *const probes = json_object_get(show, "probes");
    char span[FORMAT_MAX], share[FORMAT_MAX];
    if (figures->state == TRIP_STATE_OPEN && figures->retry_after_ms != FIGURES_NEVER)
        pane_fact(paper, "next", "a probe in %s; it closes after %llu, if they are good",
                  format_span(figures->retry_after_ms, span), N(probes, "needed"));
    else if (figures->state == TRIP_STATE_HALF_OPEN)
        pane_fact(paper, "probes", "%llu of %llu good, %llu failed; %u may start now", N(probes, "ok"),
                  N(probes, "needed"), N(probes, "failures"), figures->permits_free);
    else if (figures->ramps)
        pane_fact(paper, "ramp", "admits %s of the calls, for %s more",
                  format_permille((int32_t)figures->ramp_permille, share),
                  figures->ramp_ends_ms == FIGURES_NEVER ? "some time" : format_span(figures->ramp_ends_ms, span));
}

static void write_counts(struct canvas *paper, const struct look_breaker *breaker, const json_t *show)
{
    const json_t *const totals = json_object_get(show, "totals");
    char calls[FORMAT_MAX], failed[FORMAT_MAX], denied[FORMAT_MAX], span[FORMAT_MAX];
    if (breaker->rates.known)
        pane_fact(paper, "now", "%s calls/s, %s failed/s, %s denied/s, %llu in flight",
                  format_count(breaker->rates.calls, calls), format_count(breaker->rates.failures, failed),
                  format_count(breaker->rates.denied, denied), (unsigned long long)breaker->in_flight);
    pane_fact(paper, "in all", "%llu calls, %llu failed, %llu timeouts, %llu denied; opened %llu time%s, for %s",
              N(totals, "calls"), N(totals, "failures"), N(totals, "timeouts"), (unsigned long long)breaker->denied,
              N(show, "opens"), print_plural(tree_number(show, "opens")),
              format_span(tree_number(show, "open_ms"), span));
}

static void write_error(struct canvas *paper, const json_t *show)
{
    const json_t *const error = json_object_get(show, "error");
    char when[40];
    if (!json_is_object(error))
        return;
    int at = pane_fact(paper, "last error", "%s", "");
    at = pane_more(paper, at, STYLE_BAD, "%s", tree_text(error, "type"));
    pane_more(paper, at, STYLE_PLAIN, "%s%s, at %s", tree_absent(error, "message") ? "" : ": ",
              tree_text(error, "message"), print_moment(tree_number(error, "at_unix_ms"), when));
}

static void write_settings(struct canvas *paper, const json_t *show)
{
    const json_t *const settings = json_object_get(show, "settings");
    char slow[FORMAT_MAX], wait[FORMAT_MAX], next[FORMAT_MAX];
    const uint64_t streak = tree_number(settings, "consecutive_failures");
    int at = pane_fact(paper, "settings", "of \"%s\": ", tree_text(settings, "match"));
    if (streak)
        at = pane_more(paper, at, STYLE_PLAIN, "opens after %llu failure%s in a row", (unsigned long long)streak,
                       print_plural(streak));
    else
        at = pane_more(paper, at, STYLE_PLAIN, "no streak opens it");
    pane_more(paper, at, STYLE_PLAIN, ", next time for %s", format_span(tree_number(settings, "next_open_ms"), next));
    pane_fact(paper, "", "slow after %s, rates from %llu call%s, %llu permit%s of %s",
              format_span(tree_number(settings, "slow_after_ms"), slow), N(settings, "minimum_calls"),
              print_plural(tree_number(settings, "minimum_calls")), N(settings, "permits"),
              print_plural(tree_number(settings, "permits")), format_span(tree_number(settings, "max_wait_ms"), wait));
}

/* ------------------------------------------------------------------------------------------------------ its window */

static void write_call(struct canvas *paper, int column, enum call_kind kind)
{
    static const struct {
        enum symbol symbol;
        enum style style;
    } calls[CALL_KINDS] = {[CALL_OK] = {SYMBOL_OK_CALL, STYLE_GOOD},
                           [CALL_FAILED] = {SYMBOL_FAILED_CALL, STYLE_BAD},
                           [CALL_SLOW] = {SYMBOL_SLOW_CALL, STYLE_PROBED},
                           [CALL_FAILED_SLOW] = {SYMBOL_FAILED_CALL, STYLE_PROBED}};
    pane_more(paper, column, calls[kind].style, "%s", symbol(calls[kind].symbol, paper->ascii));
}

/* The calls of a count window one by one, the latest last; of a large window the latest that there is room for. */
static void write_each_call(struct canvas *paper, const struct window *window, int width)
{
    const uint32_t columns = width > 2 ? (uint32_t)width - 2 : 1, most = WINDOW_ROWS * columns;
    const uint32_t shown = window->calls < most ? (uint32_t)window->calls : most;
    for (uint32_t i = 0; i < shown; i++) {
        if (i % columns == 0)
            pane_line(paper, STYLE_PLAIN, "%s", "");
        write_call(paper, 2 + (int)(i % columns), window_kind(window, shown - 1 - i));
    }
}

/* The sub-buckets of a time window. Which of them are too old by now, tripd forgets when it counts next. */
static void write_buckets(struct canvas *paper, const struct window *window)
{
    for (unsigned i = 1; i <= WINDOW_BUCKETS; i++) {
        const struct window_bucket *const bucket = &window->buckets[(window->bucket + i) % WINDOW_BUCKETS];
        const int at = pane_line(paper, STYLE_PLAIN, "  %8u calls", bucket->calls);
        pane_more(paper,
                  pane_more(paper, at, bucket->failures ? STYLE_BAD : STYLE_PLAIN, ", %u failed", bucket->failures),
                  bucket->slow ? STYLE_PROBED : STYLE_PLAIN, ", %u slow", bucket->slow);
    }
}

static void write_window(struct canvas *paper, const struct scene *scene, const struct look_breaker *breaker, int width)
{
    struct window window;
    char text[FORMAT_MAX], span[FORMAT_MAX];
    if (!snapshot_window(scene->snapshot, breaker->slot, &window))
        return;
    pane_line(paper, STYLE_PLAIN, "%s", "");
    const char *const failed = format_share(breaker->window_failures, breaker->window_calls, text);
    if (window.type == WINDOW_COUNT)
        pane_fact(paper, "window", "the last %llu of %u calls, %s failed; the latest is the last",
                  (unsigned long long)window.calls, window.size, failed);
    else
        pane_fact(paper, "window", "%llu calls in %s, %s failed; the latest tenth is the last",
                  (unsigned long long)breaker->window_calls, format_span(window.span_ns / 1000000, span), failed);
    if (window.type == WINDOW_COUNT)
        write_each_call(paper, &window, width);
    else
        write_buckets(paper, &window);
}

/* -------------------------------------------------------------------------------------------------- its last hour */

/* The state in the most trouble of each part of the last hour; -1: not known. */
struct timeline {
    int columns;
    uint64_t now_ms; /* on the instance's clock */
    int8_t states[TIMELINE_MAX];
};

/* Returns the column of a time: HOUR_MS before now is the first. */
static int column_of(const struct timeline *timeline, uint64_t at_ms)
{
    const uint64_t ago = at_ms < timeline->now_ms ? timeline->now_ms - at_ms : 0;
    if (ago >= HOUR_MS)
        return 0;
    return (int)((HOUR_MS - 1 - ago) * (uint64_t)timeline->columns / HOUR_MS);
}

static void stay(struct timeline *timeline, trip_state state, uint64_t from_ms, uint64_t to_ms)
{
    if (to_ms + HOUR_MS <= timeline->now_ms)
        return;
    for (int column = column_of(timeline, from_ms); column <= column_of(timeline, to_ms); column++)
        if (timeline->states[column] < 0 || state_trouble(state) > state_trouble((trip_state)timeline->states[column]))
            timeline->states[column] = (int8_t)state;
}

/* Is it a change of this breaker's state? An earlier breaker of its name had another slot. */
static bool is_step_of(const struct transition *event, const struct look_breaker *breaker)
{
    return event->of == OF_STATE && event->from < TRIP_STATE_COUNT && event->to < TRIP_STATE_COUNT &&
           event->breaker == breaker->slot && strcmp(event->name, breaker->name) == 0;
}

/* Follows the breaker's changes of state. Before the first one that is known, it was in the state that this one left,
 * as far as the ring of events reaches back. */
static void follow(struct timeline *timeline, const struct scene *scene, const struct look_breaker *breaker,
                   uint64_t created_ms)
{
    struct transition event;
    uint64_t since_ms = created_ms, oldest_ms = timeline->now_ms;
    trip_state state = breaker->figures.state;
    bool found = false;
    for (uint64_t index = 0; snapshot_transition(scene->snapshot, index, &event); index = event.sequence) {
        event.name[TRIP_NAME_MAX] = '\0';
        oldest_ms = index == 0 ? event.at_ms : oldest_ms;
        if (!is_step_of(&event, breaker))
            continue;
        if (!found && event.sequence > 1 && since_ms < oldest_ms &&
            scene->look->header.transition_next > TRANSITION_RING)
            since_ms = oldest_ms; /* earlier events are overwritten */
        stay(timeline, (trip_state)event.from, since_ms, event.at_ms);
        found = true;
        since_ms = event.at_ms;
        state = (trip_state)event.to;
    }
    if (!found)
        since_ms = time_until(timeline->now_ms, breaker->figures.state_for_ms);
    stay(timeline, state, since_ms, timeline->now_ms);
}

static void write_timeline(struct canvas *paper, const struct scene *scene, const struct look_breaker *breaker,
                           const json_t *show, int width)
{
    struct timeline timeline = {.columns = width - 2, .now_ms = scene->look->now_ms};
    const uint64_t created_ms = time_until(tree_number(show, "created_unix_ms"), scene->look->header.created_unix_ms);
    if (timeline.columns > TIMELINE_MAX)
        timeline.columns = TIMELINE_MAX;
    if (timeline.columns < 1)
        return;
    memset(timeline.states, -1, sizeof(timeline.states));
    follow(&timeline, scene, breaker, created_ms);
    pane_line(paper, STYLE_PLAIN, "%s", "");
    pane_fact(paper, "last hour", "a column is %u s; the state in the most trouble of each",
              HOUR_MS / 1000 / (unsigned)timeline.columns);
    pane_line(paper, STYLE_PLAIN, "%s", "");
    for (int column = 0; column < timeline.columns; column++) {
        const int state = timeline.states[column];
        if (state >= 0)
            pane_more(paper, 2 + column, state_style((trip_state)state), "%s",
                      symbol(symbol_of_state((trip_state)state), paper->ascii));
    }
}

/* ---------------------------------------------------------------------------------------------------- its latencies */

/* A line an octave, from the shortest to the longest that occurred. */
static void write_histogram(struct canvas *paper, const uint64_t latency[LATENCY_BUCKETS], const json_t *show)
{
    uint64_t octaves[LATENCY_OCTAVES] = {0}, most = 0;
    unsigned first = LATENCY_OCTAVES, last = 0;
    char p50[24], p95[24], p99[24], end[FORMAT_MAX];
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        octaves[bucket / LATENCY_STEPS] += latency[bucket];
    for (unsigned octave = 0; octave < LATENCY_OCTAVES; octave++) {
        most = octaves[octave] > most ? octaves[octave] : most;
        first = octaves[octave] && first == LATENCY_OCTAVES ? octave : first;
        last = octaves[octave] ? octave : last;
    }
    if (most == 0)
        return;
    const json_t *const spread = json_object_get(show, "latency");
    pane_line(paper, STYLE_PLAIN, "%s", "");
    int at = pane_fact(paper, "latency", "of %llu calls: p50 %s, p95 %s, p99 %s", N(spread, "calls"),
                       print_latency(spread, "p50_ms", p50), print_latency(spread, "p95_ms", p95),
                       print_latency(spread, "p99_ms", p99));
    if (!tree_absent(show, "latency_sampled"))
        pane_more(paper, at, STYLE_PLAIN, "; one call in %llu is timed", N(show, "latency_sampled"));
    for (unsigned octave = first; octave <= last; octave++) {
        const unsigned full = (unsigned)((double)octaves[octave] * HISTOGRAM_BAR / (double)most);
        const double ms = (double)latency_bucket_end_ns((octave + 1) * LATENCY_STEPS - 1) / 1e6;
        if (octave == LATENCY_OCTAVES - 1)
            at = pane_line(paper, STYLE_DIM, "  %11s ", "longer");
        else
            at = pane_line(paper, STYLE_DIM, "  < %9s ", format_latency(ms, end));
        for (unsigned i = 0; i < full; i++)
            at = pane_more(paper, at, STYLE_GOOD, "%s", symbol(SYMBOL_FULL, paper->ascii));
        pane_more(paper, at, STYLE_PLAIN, " %llu", (unsigned long long)octaves[octave]);
    }
}

/* ---------------------------------------------------------------------------------------------------- who reports */

static void write_reporters(struct canvas *paper, const struct scene *scene, const json_t *show)
{
    const json_t *const reporters = json_object_get(show, "reporters"), *reporter;
    size_t i;
    if (tree_number(reporters, "count") == 0)
        return;
    pane_line(paper, STYLE_PLAIN, "%s", "");
    pane_fact(paper, "reported by", "%llu process%s, those with the most calls first", N(reporters, "count"),
              tree_number(reporters, "count") == 1 ? "" : "es");
    json_array_foreach(json_object_get(reporters, "lanes"), i, reporter)
    {
        struct client_slot client;
        int at = pane_line(paper, STYLE_DIM, "%14slane %-5llu", "", N(reporter, "lane"));
        if (snapshot_client(scene->snapshot, (uint32_t)tree_number(reporter, "lane"), &client))
            at = pane_more(paper, at, STYLE_PLAIN, " pid %-8u %-16.24s", client.pid, client.program);
        at = pane_more(paper, at, STYLE_PLAIN, " %llu calls", N(reporter, "calls"));
        pane_more(paper, at, tree_number(reporter, "failures") ? STYLE_BAD : STYLE_PLAIN, ", %llu failed",
                  N(reporter, "failures"));
    }
}

/* -------------------------------------------------------------------------------------------------------- the pane */

static const struct look_breaker *found(const struct scene *scene, const char *name)
{
    for (uint32_t i = 0; i < scene->look->count; i++)
        if (strcmp(scene->look->breakers[i]->name, name) == 0)
            return scene->look->breakers[i];
    return NULL;
}

void pane_breaker(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    const struct look_breaker *const breaker = found(scene, options->breaker);
    struct snapshot_breaker copy;
    if (!breaker || !snapshot_find(scene->snapshot, options->breaker, &copy)) {
        pane_line(paper, STYLE_PLAIN, "%s",
                  *options->breaker ? "This breaker is forgotten: it had no calls for long."
                                    : "Choose a breaker in the table: Enter shows it here.");
        return;
    }
    json_t *const show = report_show(&copy.report);
    write_state(paper, show, &breaker->figures);
    write_mode(paper, show, &breaker->figures);
    write_next(paper, show, &breaker->figures);
    write_counts(paper, breaker, show);
    write_error(paper, show);
    write_settings(paper, show);
    write_window(paper, scene, breaker, options->width);
    write_timeline(paper, scene, breaker, show, options->width);
    write_histogram(paper, copy.latency, show);
    write_reporters(paper, scene, show);
    json_decref(show);
}
