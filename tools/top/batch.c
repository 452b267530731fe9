#include "batch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "incidents.h"
#include "internal/enum_names.h"
#include "print.h"
#include "protocol/report_errors.h"

#define WIDTH      170 /* all columns have room */
#define WIDTH_MOST 1000

/* As wide as $COLUMNS says, or else the terminal is. */
static int width(void)
{
    const char *const columns = getenv("COLUMNS");
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const int wanted = columns ? atoi(columns) : size.ws_col;
    return wanted >= 20 && wanted <= WIDTH_MOST ? wanted : WIDTH;
}

void batch_print(FILE *out, const struct top *top)
{
    const int first = HEADER_ROWS + 1;
    struct canvas *const canvas = canvas_new(first + 1 + (int)top->rows.count, width(), top->options.ascii);
    const struct columns_plan plan = columns_plan(canvas->columns);
    header_paint(canvas, &top->scene);
    if (top->scene.look)
        columns_paint_headings(canvas, first, &plan, top->settings.sort, top->settings.descending);
    for (size_t i = 0; i < top->rows.count; i++)
        columns_paint(canvas, first + 1 + (int)i, &plan, &top->rows.rows[i], false, top->settings.tree);
    for (int row = 0; row < (top->scene.look ? canvas->rows : 2); row++) {
        char *const text = canvas_text(canvas, row);
        fprintf(out, "%s\n", text);
        free(text);
    }
    fputc('\n', out);
    fflush(out);
    canvas_free(canvas);
}

/* ------------------------------------------------------------------------------------------------------------- JSON */

static json_t *real_or_null(bool known, double value)
{
    return known ? json_real(value) : json_null();
}

static json_t *span_or_null(uint64_t ms)
{
    return ms == FIGURES_NEVER ? json_null() : json_integer((json_int_t)ms);
}

static json_t *permille_or_null(int32_t permille)
{
    return permille < 0 ? json_null() : json_real(permille / 10.0);
}

static json_t *rates_of(const struct rates *rates)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "calls_per_second", real_or_null(rates->known, rates->calls),
                     "failures_per_second", real_or_null(rates->known, rates->failures), "denied_per_second",
                     real_or_null(rates->known, rates->denied), "errors_per_second",
                     real_or_null(rates->known, rates->errors));
}

static json_t *breaker_of(const struct look_breaker *breaker)
{
    const struct figures *const figures = &breaker->figures;
    const bool owned = figures->mode_owner < MODE_OWNER_COUNT;
    json_t *const json = json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "breaker", breaker->name, "state",
        state_names[figures->state], "mode", NAME_OF(mode_names, figures->mode), "mode_owner",
        owned ? json_string(owner_names[figures->mode_owner]) : json_null(), "reason",
        NAME_OF(reason_names, breaker->reason), "state_for_ms", (json_int_t)figures->state_for_ms, "failure_rate",
        permille_or_null(figures->failure_permille), "slow_rate", permille_or_null(figures->slow_permille), "p50_ms",
        real_or_null(breaker->p50_ms >= 0, breaker->p50_ms), "p99_ms",
        real_or_null(breaker->p99_ms >= 0, breaker->p99_ms), "in_flight", (json_int_t)breaker->in_flight,
        "permits_free", (json_int_t)figures->permits_free, "ramp",
        figures->ramps ? json_real(figures->ramp_permille / 10.0) : json_null(), "retry_after_ms",
        span_or_null(figures->retry_after_ms));
    json_object_update_new(json, rates_of(&breaker->rates));
    return json;
}

static json_t *breakers_of(const struct top *top)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < top->rows.count; i++)
        if (top->rows.rows[i].breaker)
            json_array_append_new(list, breaker_of(top->rows.rows[i].breaker));
    return list;
}

static json_t *states_of(const struct look *look)
{
    json_t *const states = json_object();
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        json_object_set_new(states, state_names[state], json_integer(look->states[state]));
    return states;
}

/* Returns what goes on, without what is over. */
static json_t *incidents_of(const struct snapshot *snapshot)
{
    json_t *const all = incidents_read(snapshot), *const list = json_array(), *incident;
    size_t i;
    json_array_foreach(json_object_get(all, "incidents"), i,
                       incident) if (json_is_null(json_object_get(incident, "end_unix_ms")))
        json_array_append(list, incident);
    json_decref(all);
    return list;
}

static const char *named_as(const struct top *top)
{
    return top->options.arguments ? "instance" : "file";
}

void batch_json(FILE *out, const struct top *top)
{
    const struct look *const look = top->scene.look;
    if (!look) {
        json_t *const waits =
            json_pack("{s:s, s:n, s:s}", named_as(top), top->scene.named, "daemon", "waits_for", top->scene.waits);
        print_json(out, waits);
        fflush(out);
        json_decref(waits);
        return;
    }
    const struct report_correlation correlation = snapshot_correlation(top->scene.snapshot);
    json_t *const analyses = report_analyses(&correlation);
    json_t *const json = json_pack(
        "{s:s, s:I, s:s, s:I, s:I, s:I, s:o, s:I, s:O, s:o, s:o}", named_as(top), top->scene.named, "at_unix_ms",
        (json_int_t)top->scene.unix_ms, "daemon", report_daemon_name(look->daemon), "heartbeat_age_ms",
        (json_int_t)look->heartbeat_age_ms, "up_ms", (json_int_t)(look->host.up_ns / 1000000), "processes",
        (json_int_t)look->clients, "states", states_of(look), "in_flight", (json_int_t)look->in_flight, "analysis",
        json_object_get(analyses, "host"), "incidents", incidents_of(top->scene.snapshot), "breakers",
        breakers_of(top));
    json_object_update_new(json, rates_of(&look->rates));
    print_json(out, json);
    fflush(out);
    json_decref(analyses);
    json_decref(json);
}
