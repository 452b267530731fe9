/* The first rows of the screen: does tripd run, what do calls do, what goes wrong. */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "incidents.h"
#include "internal/enum_names.h"
#include "print_parts.h"
#include "protocol/report_errors.h"
#include "scene.h"
#include "states.h"
#include "symbols.h"

#define WORDS_MAX   256
#define CLOCK_WIDTH 8

static void paint_daemon(struct canvas *canvas, const struct scene *scene)
{
    const struct look *const look = scene->look;
    const bool runs = look->daemon == REPORT_RUNNING;
    const bool misses = look->daemon == REPORT_STALLED || look->daemon == REPORT_DEAD;
    char age[FORMAT_MAX], up[FORMAT_MAX], clock[FORMAT_MAX];
    int at = canvas_print(canvas, 0, 0, canvas->columns, STYLE_BOLD, scene->playback ? "%s" : "tripd %s", scene->named);
    if (runs && scene->playback) /* its end of the row has to say where the recording is */
        at = canvas_put(canvas, 0, at, canvas->columns, STYLE_PLAIN, "  running");
    else if (runs)
        at = canvas_print(canvas, 0, at, canvas->columns, STYLE_PLAIN, "  up %s, heartbeat %s ago",
                          format_span(look->host.up_ns / 1000000, up), format_span(look->heartbeat_age_ms, age));
    else if (look->daemon == REPORT_GONE)
        at = canvas_put(canvas, 0, at, canvas->columns, STYLE_ALARM, "  a copy, or of another boot: its last state");
    else
        at = canvas_print(canvas, 0, at, canvas->columns, STYLE_ALARM, "  %s, last heartbeat %s ago",
                          report_daemon_name(look->daemon), format_span(look->heartbeat_age_ms, age));
    if (misses)
        at = canvas_put(canvas, 0, at, canvas->columns, STYLE_ALARM, ": programs go on without it");
    at = canvas_print(canvas, 0, at, canvas->columns, STYLE_PLAIN, "  %u process%s", look->clients,
                      look->clients == 1 ? "" : "es");
    if (scene->playback)
        canvas_put_right(canvas, 0, at + 1, canvas->columns - at - 1, STYLE_KEY, scene->playback);
    else if (at + 1 + CLOCK_WIDTH <= canvas->columns) /* a time that is cut would be another one */
        canvas_put_right(canvas, 0, at + 1, canvas->columns - at - 1, STYLE_PLAIN, format_clock(scene->unix_ms, clock));
}

static int paint_rate(struct canvas *canvas, int at, const char *label, enum style style, bool known, double rate)
{
    char text[FORMAT_MAX];
    at = canvas_print(canvas, 1, at, canvas->columns, STYLE_DIM, "%s%s ", at ? "   " : "", label);
    return canvas_print(canvas, 1, at, canvas->columns, known && rate > 0 ? style : STYLE_PLAIN, "%s%s",
                        known ? format_count(rate, text) : "-", known ? "/s" : "");
}

static void paint_rates(struct canvas *canvas, const struct look *look)
{
    const struct rates *const rates = &look->rates;
    char text[FORMAT_MAX];
    int at = paint_rate(canvas, 0, "calls", STYLE_BOLD, rates->known, rates->calls);
    at = paint_rate(canvas, at, "denied", STYLE_BAD, rates->known, rates->denied);
    at = paint_rate(canvas, at, "errors", STYLE_BAD, rates->known, rates->errors);
    at = canvas_put(canvas, 1, at, canvas->columns, STYLE_DIM, "   in flight ");
    canvas_put(canvas, 1, at, canvas->columns, STYLE_PLAIN, format_count((double)look->in_flight, text));
}

/* Says what the errors of all breakers have in common. */
static void say_analysis(char words[WORDS_MAX], enum style *ret_style, const json_t *analyses)
{
    const json_t *const host = json_object_get(analyses, "host");
    const char *const kind = tree_text(host, "analysis");
    const unsigned long long errors = N(host, "errors");
    char window[FORMAT_MAX], share[FORMAT_MAX];
    format_span(tree_number(analyses, "window_ms"), window);
    *ret_style = STYLE_BAD;
    if (strcmp(kind, "high_error_rate") == 0)
        snprintf(words, WORDS_MAX, "high error rate: %llu errors in %s, %s of them %s", errors, window,
                 format_share(tree_number(host, "type_errors"), errors, share), tree_text(host, "type"));
    else if (strcmp(kind, "pattern_detected") == 0)
        snprintf(words, WORDS_MAX, "a pattern: %s of %llu error%s in %s: %s",
                 format_share(tree_number(host, "type_errors"), errors, share), errors, print_plural(errors), window,
                 tree_text(host, "type"));
    else if (errors)
        snprintf(words, WORDS_MAX, "normal: %llu error%s in %s", errors, print_plural(errors), window);
    else
        snprintf(words, WORDS_MAX, "no errors in %s", window);
    if (strcmp(kind, "high_error_rate") != 0 && strcmp(kind, "pattern_detected") != 0)
        *ret_style = STYLE_PLAIN;
}

static void paint_analysis(struct canvas *canvas, const struct snapshot *snapshot)
{
    const struct report_correlation correlation = snapshot_correlation(snapshot);
    json_t *const analyses = report_analyses(&correlation);
    char words[WORDS_MAX];
    enum style style;
    say_analysis(words, &style, analyses);
    canvas_put(canvas, 2, 0, canvas->columns, style, words);
    json_decref(analyses);
}

/* Returns the latest of the incidents that go on. NULL: there is none. */
static json_t *latest_incident(const json_t *list)
{
    json_t *latest = NULL, *incident;
    size_t i;
    json_array_foreach(list, i, incident) if (tree_absent(incident, "end_unix_ms") &&
                                              (!latest || N(incident, "incident") > N(latest, "incident"))) latest =
        incident;
    return latest;
}

static void paint_incidents(struct canvas *canvas, const struct scene *scene)
{
    if (scene->look->incidents == 0) {
        canvas_put(canvas, 3, 0, canvas->columns, STYLE_PLAIN, "no open incident");
        return;
    }
    json_t *const incidents = incidents_read(scene->snapshot);
    const json_t *const latest = latest_incident(json_object_get(incidents, "incidents"));
    const json_t *const candidate = json_object_get(latest, "candidate");
    char span[FORMAT_MAX];
    int at = canvas_print(canvas, 3, 0, canvas->columns, STYLE_BAD, "%u incident%s", scene->look->incidents,
                          scene->look->incidents == 1 ? "" : "s");
    at = canvas_print(canvas, 3, at, canvas->columns, STYLE_PLAIN, ": #%llu for %s, %zu breaker%s",
                      N(latest, "incident"), format_span(tree_number(latest, "for_ms"), span),
                      json_array_size(json_object_get(latest, "breakers")),
                      print_plural(json_array_size(json_object_get(latest, "breakers"))));
    if (json_is_object(candidate))
        canvas_print(canvas, 3, at, canvas->columns, STYLE_PLAIN, ", %s led (%.0f%%)", tree_text(candidate, "breaker"),
                     json_number_value(json_object_get(candidate, "confidence")));
    json_decref(incidents);
}

/* A bar of the breakers by state, those in the most trouble first. Each state that there is gets a place. */
static void paint_bar(struct canvas *canvas, int at, int width, const struct look *look)
{
    int place = 0;
    uint32_t before = 0;
    for (unsigned i = 0; i < TRIP_STATE_COUNT && look->count; i++) {
        const trip_state state = states_by_trouble[i];
        const uint32_t count = look->states[state];
        before += count;
        const int share = (int)((uint64_t)before * (uint64_t)width / look->count);
        const int end = count && share <= place ? place + 1 : share;
        for (; count && place < end && place < width; place++)
            canvas_put(canvas, 4, at + place, 1, state_style(state),
                       symbol(state == TRIP_STATE_CLOSED ? SYMBOL_EMPTY : SYMBOL_FULL, canvas->ascii));
    }
}

static void paint_states(struct canvas *canvas, const struct look *look)
{
    int at = canvas_print(canvas, 4, 0, canvas->columns, STYLE_PLAIN, "%u breaker%s:", look->count,
                          look->count == 1 ? "" : "s");
    for (unsigned i = 0; i < TRIP_STATE_COUNT; i++) {
        const trip_state state = states_by_trouble[i];
        const uint32_t count = look->states[state];
        at = canvas_print(canvas, 4, at, canvas->columns, count ? state_style(state) : STYLE_DIM, " %s %u %s",
                          symbol(symbol_of_state(state), canvas->ascii), count, state_names[state]);
    }
    if (look->moded)
        at = canvas_print(canvas, 4, at, canvas->columns, STYLE_MODED, ", %u not auto", look->moded);
    if (canvas->columns - at > 12)
        paint_bar(canvas, at + 2, canvas->columns - at - 3, look);
}

void header_paint(struct canvas *canvas, const struct scene *scene)
{
    if (!scene->snapshot) {
        canvas_print(canvas, 0, 0, canvas->columns, STYLE_BOLD, "tripd %s", scene->named);
        canvas_put_rows(canvas, 1, HEADER_ROWS - 1, STYLE_ALARM, scene->waits);
        return;
    }
    paint_daemon(canvas, scene);
    paint_rates(canvas, scene->look);
    paint_analysis(canvas, scene->snapshot);
    paint_incidents(canvas, scene);
    paint_states(canvas, scene->look);
}
