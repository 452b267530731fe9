/* A trace replayed in virtual time: the lines behind a line `%%`, through the config before it. Any line is refused
 * with a reason, or is a step; what is reported never contradicts itself. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "simulation.h"

#define CALLS_MAX       4000 /* calls of all steps together: n may be a milliard */
#define ATTEMPTS_MAX    100  /* retry.attempts */
#define BREAKERS_TRACED 64

/* What the events so far say, and the step that is being carried out. */
struct story {
    json_int_t t_ms;
    const struct trace_step *step; /* NULL: no step, the rest is played to its end */
    size_t breakers;
    struct {
        char name[TRIP_NAME_MAX + 1];
        const char *state;
    } breaker[BREAKERS_TRACED];
};

#define NAME(suffix, name) name,
static const char *const state_names[] = {TRIP_STATES(NAME)};

/* Returns the name of a state that outlives the event. */
static const char *state_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));
    for (size_t i = 0; i < TRIP_STATE_COUNT; i++)
        if (text && strcmp(text, state_names[i]) == 0)
            return state_names[i];
    abort(); /* no state has this name */
}

static const char **state_place(struct story *story, const char *name)
{
    for (size_t i = 0; i < story->breakers; i++)
        if (strcmp(story->breaker[i].name, name) == 0)
            return &story->breaker[i].state;
    assert(story->breakers < BREAKERS_TRACED);
    strcpy(story->breaker[story->breakers].name, name);
    story->breaker[story->breakers].state = state_names[TRIP_STATE_CLOSED];
    return &story->breaker[story->breakers++].state;
}

static bool is(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool now(const struct story *story, enum trace_op op)
{
    return story->step && story->step->op == op && (json_int_t)story->step->t_ms == story->t_ms;
}

/* Checks a transition: from open only to half-open or, by an operator, closed or open again; to ramping only from
 * half-open. */
static void check_transition(const struct story *story, const json_t *event, const char **state)
{
    const char *from = state_of(event, "from"), *to = state_of(event, "to");
    const char *reason = json_string_value(json_object_get(event, "reason"));
    const bool tripped = is(reason, "operator"), reset = is(to, "closed") && now(story, TRACE_RESET);
    assert(from == *state);
    assert(is(to, "open") == !is(reason, "none"));
    assert(!tripped || now(story, TRACE_TRIP));
    assert(!is(to, "half_open") || is(from, "open"));
    assert(!is(to, "ramping") || is(from, "half_open"));
    assert(!is(from, "open") || is(to, "half_open") || tripped || reset);
    assert(is(reason, "probe_failed") == (is(from, "half_open") && is(to, "open") && !tripped));
    assert(is(reason, "relapse") == (is(from, "ramping") && is(to, "open") && !tripped));
    *state = to;
}

static void check_verdict(const json_t *event, const char *state)
{
    const char *verdict = json_string_value(json_object_get(event, "verdict"));
    assert(verdict);
    assert(!is(verdict, "probe") || is(state, "half_open"));
    assert(!is(verdict, "deny_open") || is(state, "open"));
    assert(!is(verdict, "deny_half_open") || is(state, "half_open"));
    assert(!is(verdict, "deny_ramp") || is(state, "ramping"));
}

static json_int_t number(const json_t *map, const char *key)
{
    const json_t *value = json_object_get(map, key);
    assert(json_is_integer(value) && json_integer_value(value) >= 0);
    return json_integer_value(value);
}

static void check_totals(const json_t *totals)
{
    assert(number(totals, "calls") == number(totals, "ok") + number(totals, "failures"));
    assert(number(totals, "timeouts") <= number(totals, "failures"));
    assert(json_is_null(json_object_get(totals, "slow")) || number(totals, "slow") <= number(totals, "calls"));
    assert(number(totals, "ignored") + number(totals, "cancelled") + number(totals, "late") <= CALLS_MAX);
    assert(number(totals, "calls") + number(totals, "denied") <= CALLS_MAX);
}

static void check_window(const json_t *window)
{
    assert(number(window, "calls") == number(window, "ok") + number(window, "failures"));
    assert(json_is_null(json_object_get(window, "slow")) || number(window, "slow") <= number(window, "calls"));
    assert(number(window, "calls") <= CALLS_MAX);
}

/* Checks an analysis: one type has no more errors than all types, a breaker no more than the host. */
static void check_analysis(const json_t *event)
{
    const json_t *const host = json_object_get(event, "host"), *breaker;
    size_t i;
    assert(number(host, "type_errors") <= number(host, "errors"));
    assert((number(host, "errors") == 0) == is(json_string_value(json_object_get(host, "analysis")), "no_errors"));
    json_array_foreach(json_object_get(event, "breakers"), i, breaker)
    {
        assert(number(breaker, "errors") > 0 && number(breaker, "errors") <= number(host, "errors"));
        assert(number(breaker, "type_errors") <= number(breaker, "errors"));
    }
}

/* Checks an incident: what has ended began, and lasted; what each of its breakers did is in it. */
static void check_incident(const json_t *event)
{
    const json_t *const end = json_object_get(event, "end_unix_ms");
    const size_t breakers = json_array_size(json_object_get(event, "breakers"));
    assert(number(event, "incident") > 0 && number(event, "start_unix_ms") <= number(event, "t_ms"));
    assert(json_is_null(end) || json_integer_value(end) >= number(event, "start_unix_ms"));
    assert(breakers > 0 && breakers == json_array_size(json_object_get(event, "members")));
}

/* Checks an event that is not of one breaker. False: it is of one. */
static bool check_of_many(const json_t *event, const char *kind)
{
    if (is(kind, "analysis"))
        check_analysis(event);
    else if (is(kind, "fingerprint"))
        assert(number(event, "errors") > 0 && number(event, "at_most_others") < number(event, "errors"));
    else if (is(kind, "incident_summary"))
        check_incident(event);
    else if (is(kind, "incident"))
        assert(number(event, "incident") > 0);
    else
        return false;
    return true;
}

static void check_event(void *context, const json_t *event)
{
    struct story *story = context;
    const char *kind = json_string_value(json_object_get(event, "event"));
    assert(number(event, "t_ms") >= story->t_ms);
    story->t_ms = number(event, "t_ms");
    if (check_of_many(event, kind))
        return;
    const char **state = state_place(story, json_string_value(json_object_get(event, "breaker")));
    if (is(kind, "transition")) {
        check_transition(story, event, state);
    } else if (is(kind, "verdict")) {
        check_verdict(event, *state);
    } else {
        assert(state_of(event, "state") == *state);
        check_totals(json_object_get(event, "totals"));
        if (is(kind, "show"))
            check_window(json_object_get(event, "window"));
    }
}

/* ------------------------------------------------------------------------------------------------------- the replay */

static bool same_texts(const struct trace_texts *a, const struct trace_texts *b)
{
    return a && b ? is(a->message, b->message) && is(a->trace, b->trace) && is(a->correlation, b->correlation) : a == b;
}

static bool same(const struct trace_step *a, const struct trace_step *b)
{
    return a->op == b->op && a->t_ms == b->t_ms && a->latency_ns == b->latency_ns && a->n == b->n &&
           a->span_ms == b->span_ms && a->outcome == b->outcome && a->error == b->error && a->mode == b->mode &&
           a->priority == b->priority && a->retry == b->retry && a->retry_after_ms == b->retry_after_ms &&
           is(a->breaker, b->breaker) && is(a->id, b->id) && same_texts(trace_step_texts(a), trace_step_texts(b));
}

/* Parses a line in both ways (tools/trace_line.h): it is the same step, or wrong for the same reason. */
static int parse(const char *line, size_t length, struct trace_step *ret_step, char problem[256])
{
    struct trace_step by_jansson;
    char why[256] = "", spaced[TRACE_LINE_MAX + 1] = "\t";
    const int error = trace_step_parse(line, length, ret_step, problem);
    if (length >= TRACE_LINE_MAX)
        return error;
    memcpy(spaced + 1, line, length);
    assert(trace_step_parse(spaced, length + 1, &by_jansson, why) == error);
    assert(error ? is(problem, why) : same(ret_step, &by_jansson));
    return error;
}

/* Returns the most calls that a step may make. */
static uint64_t calls_of(const struct trace_step *step)
{
    const uint64_t n = step->op == TRACE_CALL || step->op == TRACE_RECORD || step->op == TRACE_ERROR ? step->n : 1;
    return step->retry ? ATTEMPTS_MAX * n : n;
}

static void replay(struct simulation *simulation, struct story *story, const char *trace, size_t size)
{
    uint64_t calls = 0;
    const char *const end = trace + size;
    while (trace < end) {
        struct trace_step step;
        char problem[256] = "";
        const char *newline = memchr(trace, '\n', (size_t)(end - trace));
        const size_t length = (size_t)((newline ? newline : end) - trace);
        int error = parse(trace, length, &step, problem);
        trace += length + 1;
        if (error == 0 && (calls += calls_of(&step)) > CALLS_MAX)
            return;
        story->step = error == 0 ? &step : NULL;
        if (error == 0)
            error = simulation_step(simulation, &step, problem);
        story->step = NULL;
        assert(error == 0 || ((error == -EINVAL || error == SIMULATION_REFUSED) && problem[0] &&
                              memchr(problem, '\0', sizeof(problem))));
    }
}

/* Reads the config at the beginning, up to its line `%%`; the defaults if there is none, or none that is valid. */
static struct config *read_config(const uint8_t *data, size_t size, size_t *ret_trace)
{
    struct config *config = NULL;
    char *problems = NULL;
    const uint8_t *mark = memmem(data, size, "%%\n", 3);
    *ret_trace = mark ? (size_t)(mark - data) + 3 : 0;
    if (!mark || config_parse((const char *)data, (size_t)(mark - data), "trace.yaml", &config, &problems) < 0)
        assert(config_parse("", 0, "defaults", &config, &(char *){NULL}) == 0);
    free(problems);
    if (config->limits.max_breakers > BREAKERS_TRACED)
        config->limits.max_breakers = BREAKERS_TRACED;
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct story story = {0};
    struct simulation *simulation = NULL;
    size_t trace;
    struct config *config = read_config(data, size, &trace);
    const struct simulation_options options = {
        .config = config, .seed = 1, .verdicts = true, .event = check_event, .context = &story};
    assert(simulation_new(&options, &simulation) == 0);
    replay(simulation, &story, (const char *)data + trace, size - trace);
    simulation_end(simulation);
    simulation_free(simulation);
    config_free(config);
    return 0;
}
