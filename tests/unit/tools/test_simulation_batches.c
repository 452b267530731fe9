/* `n` stands for that many equal lines. The simulation counts at once what it can: random traces, with n and line by
 * line, come out the same to the last event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation.h"

#define TRACES      400
#define STEPS       60
#define TRANSITIONS 3000 /* that there are at least, so that the traces do not pass each other by */

static const char *const configs[] = {
    "",
    "trip: {consecutive_failures: 0}, window: {size: 20, minimum_calls: 7}",
    "trip: {consecutive_failures: 3, failures: 4}, window: {size: 10, minimum_calls: 10}",
    "trip: {consecutive_failures: 0, failure_rate: 30%, slow_rate: 40%, slow_after: 10ms}, open: {for: 50ms}",
    "trip: {consecutive_failures: 0}, window: {type: time, for: 1s, minimum_calls: 12}, open: {for: 100ms}",
    "trip: {stall_after: 15ms}, open: {for: 80ms}",
    "trip: {in_flight: 25}, open: {for: 80ms}, half_open: {permits: 3}",
    "open: {for: 60ms}, half_open: {successes: 1}, ramp: {over: 200ms}",
    "open: {for: 60ms}, half_open: {permits: 4, verdict: rate, sample: 8}, ramp: {over: 100ms, steps: [30%, 60%]}",
    "mode: shadow, open: {for: 60ms}, half_open: {permits: 2, max_wait: 70ms}",
    "mode: disabled, trip: {failures: 3}",
};
#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

static uint64_t random_state;

static uint64_t below(uint64_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % limit;
}

static struct trace_step random_step(uint64_t t_ms)
{
    static const uint64_t latencies_ms[] = {0, 0, 0, 5, 12, 30, 90}, counts[] = {1, 2, 3, 6, 7, 12, 40, 200};
    static const trip_outcome outcomes[] = {TRIP_OK,      TRIP_OK,      TRIP_OK,      TRIP_OK,       TRIP_FAILURE,
                                            TRIP_FAILURE, TRIP_TIMEOUT, TRIP_IGNORED, TRIP_CANCELLED};
    static const enum trace_op ops[] = {TRACE_CALL,   TRACE_CALL,   TRACE_CALL,   TRACE_CALL,   TRACE_CALL,
                                        TRACE_RECORD, TRACE_RECORD, TRACE_RECORD, TRACE_RECORD, TRACE_SHOW};
    static const enum trace_op rare[] = {TRACE_MODE, TRACE_TRIP, TRACE_RESET};
    struct trace_step step = {.op = below(12) ? ops[below(10)] : rare[below(3)],
                              .t_ms = t_ms,
                              .n = counts[below(8)],
                              .outcome = outcomes[below(9)],
                              .error = TRIP_ERROR_NETWORK,
                              .latency_ns = latencies_ms[below(7)] * 1000000,
                              .mode = (trip_mode)below(TRIP_MODE_COUNT),
                              .span_ms = below(3) ? 20 + below(100) : 0};
    snprintf(step.breaker, sizeof(step.breaker), "db%d", (int)below(2));
    step.has_texts = below(3) == 0;
    if (step.has_texts && below(8))
        snprintf(step.texts.message, sizeof(step.texts.message), "no answer from host %d", (int)below(4));
    if (step.has_texts && below(2))
        snprintf(step.texts.trace, sizeof(step.texts.trace), "%d", (int)below(20));
    return step;
}

/* Errors of which only the number is known are one record where they are counted at once. Which of the errors before an
 * incident count for its fingerprint depends on that, as it does in life. */
static void keep(void *context, const json_t *event)
{
    json_t *const kept = json_deep_copy(event);
    if (strcmp(json_string_value(json_object_get(kept, "event")), "incident_summary") == 0)
        json_object_del(kept, "fingerprint");
    json_array_append_new(context, kept);
}

static void carry_out(struct simulation *simulation, struct trace_step step, bool line_by_line)
{
    char problem[256] = "";
    const bool many = step.op == TRACE_CALL || step.op == TRACE_RECORD;
    const uint64_t times = many && line_by_line ? step.n : 1;
    step.n = many && !line_by_line ? step.n : 1;
    for (uint64_t i = 0; i < times; i++)
        if (simulation_step(simulation, &step, problem) < 0)
            fail_msg("%s", problem);
}

static json_t *replay(const char *settings, const struct trace_step steps[STEPS], bool line_by_line)
{
    char yaml[512], *problems = NULL;
    struct config *config;
    struct simulation *simulation;
    json_t *events = json_array();
    snprintf(yaml, sizeof(yaml), "breakers: [{match: \"*\"%s%s}]", *settings ? ", " : "", settings);
    if (config_parse(yaml, strlen(yaml), "test.yaml", &config, &problems) < 0)
        fail_msg("%s", problems);
    const struct simulation_options options = {.config = config, .seed = 1, .event = keep, .context = events};
    assert_int_equal(simulation_new(&options, &simulation), 0);
    for (unsigned i = 0; i < STEPS; i++)
        carry_out(simulation, steps[i], line_by_line);
    simulation_end(simulation);
    simulation_free(simulation);
    config_free(config);
    return events;
}

static unsigned compare(const json_t *at_once, const json_t *line_by_line)
{
    unsigned transitions = 0;
    for (size_t i = 0; i < json_array_size(line_by_line); i++) {
        const json_t *expected = json_array_get(line_by_line, i), *event = json_array_get(at_once, i);
        char *was = json_dumps(event, JSON_COMPACT | JSON_ENCODE_ANY), *should_be = json_dumps(expected, JSON_COMPACT);
        if (!json_equal(event, expected))
            fail_msg("%s\ninstead of %s", was ? was : "nothing", should_be);
        free(was);
        free(should_be);
        transitions += strcmp(json_string_value(json_object_get(expected, "event")), "transition") == 0;
    }
    assert_int_equal(json_array_size(at_once), json_array_size(line_by_line));
    return transitions;
}

static void test_n_calls_mean_the_same_as_that_many_lines(void **state)
{
    unsigned transitions = 0;
    (void)state;
    for (unsigned trace = 0; trace < TRACES; trace++) {
        struct trace_step steps[STEPS];
        uint64_t t_ms = 0;
        random_state = trace;
        for (unsigned i = 0; i < STEPS; i++)
            steps[i] = random_step(t_ms += below(3) ? below(20) : 0);
        json_t *at_once = replay(configs[trace % CONFIGS], steps, false);
        json_t *line_by_line = replay(configs[trace % CONFIGS], steps, true);
        transitions += compare(at_once, line_by_line);
        json_decref(at_once);
        json_decref(line_by_line);
    }
    assert_in_range(transitions, TRANSITIONS, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_n_calls_mean_the_same_as_that_many_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
