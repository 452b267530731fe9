/* What a trace is for: the same config makes of it, in virtual time, what tripd made of the calls themselves. Each test
 * drives an instance by hand (breakers_host.h) while it is traced, says which transitions that gives, and finds the
 * same ones, at the same times and for the same reasons, in the simulation of the trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/breakers_host.h"
#include "protocol/report.h"
#include "simulation.h"

#define NAME(suffix, name) name,
static const char *const state_names[] = {TRIP_STATES(NAME)};
static const char *const reason_names[] = {TRIP_REASONS(NAME)};

#define STORY_MAX 2048

static struct {
    struct host *host;
    struct client client, other;
    uint32_t slot, meter, other_meter;
    uint64_t began_ms;
    struct tracer_subscriber *subscriber;
    json_t *trace;
    uint64_t lost;
} run;

/* ----------------------------------------------------------------------------------------------------- being traced */

static bool keep(void *context, const struct tracer_batch *batch)
{
    (void)context;
    json_t *report = report_trace(batch);
    run.lost += (uint64_t)json_integer_value(json_object_get(report, "lost"));
    json_array_extend(run.trace, json_object_get(report, "steps"));
    json_decref(report);
    return true;
}

static void trace_from_now(void)
{
    breakers_drain_all(run.host->breakers);
    run.began_ms = host_now_ms(run.host);
    run.host->move_count = 0;
    assert_int_equal(tracer_subscribe(&run.host->tracer, NULL, run.began_ms, keep, NULL, &run.subscriber), 0);
    breakers_trace_from(run.host->breakers, run.subscriber);
}

/* jitter is off: what it gives is another with each run. */
static void start(const char *settings)
{
    run.host = host_start_by(host_settings(settings), 4);
    run.slot = host_breaker(run.host, "db");
    client_start(run.host, &run.client, 101);
    client_start(run.host, &run.other, 102);
    run.meter = client_meter(run.host, &run.client, run.slot);
    run.other_meter = client_meter(run.host, &run.other, run.slot);
    run.trace = json_array();
    run.lost = 0;
    host_advance(run.host, 1000);
}

static int stop(void **state)
{
    (void)state;
    tracer_unsubscribe(&run.host->tracer, run.subscriber);
    json_decref(run.trace);
    client_free(&run.client);
    client_free(&run.other);
    host_stop(run.host);
    return 0;
}

/* All before tripd looks. */
static void burst(const char *outcomes)
{
    client_reports(run.host, &run.client, run.meter, run.slot, outcomes);
    breakers_rung(run.host->breakers);
}

static void reports(const char *outcomes)
{
    for (; *outcomes; outcomes++)
        burst((const char[]){*outcomes, '\0'});
}

static void probe(enum permit_outcome outcome)
{
    const uint32_t place = client_take_permit(run.host, &run.client, run.slot);
    assert_int_not_equal(place, PERMITS_PER_BREAKER);
    client_answer(run.host, &run.client, run.meter, run.slot, place, outcome);
    breakers_rung(run.host->breakers);
}

/* -------------------------------------------------------------------------------------------------- being replayed */

static void tell(char story[STORY_MAX], uint64_t at_ms, const char *from, const char *to, const char *reason)
{
    const size_t used = strlen(story);
    snprintf(story + used, STORY_MAX - used, "%llu %s>%s %s; ", (unsigned long long)at_ms, from, to, reason);
}

static void tell_event(void *context, const json_t *event)
{
    if (strcmp(json_string_value(json_object_get(event, "event")), "transition") == 0)
        tell(context, (uint64_t)json_integer_value(json_object_get(event, "t_ms")),
             json_string_value(json_object_get(event, "from")), json_string_value(json_object_get(event, "to")),
             json_string_value(json_object_get(event, "reason")));
}

static void replay_line(struct simulation *simulation, const json_t *step)
{
    char *line = json_dumps(step, JSON_COMPACT), problem[256] = "";
    struct trace_step parsed;
    if (trace_step_parse(line, strlen(line), &parsed, problem) < 0 || simulation_step(simulation, &parsed, problem) < 0)
        fail_msg("%s: %s", line, problem);
    free(line);
}

/* Replays until now, which a step that shows the breaker marks. */
static void replay(char story[STORY_MAX])
{
    const struct simulation_options options = {
        .config = run.host->config, .seed = 1, .event = tell_event, .context = story};
    struct simulation *simulation;
    size_t i;
    json_t *step, *end = json_pack("{s:I, s:s, s:s}", "t_ms", (json_int_t)(host_now_ms(run.host) - run.began_ms), "op",
                                   "show", "breaker", "db");
    story[0] = '\0';
    assert_int_equal(simulation_new(&options, &simulation), 0);
    json_array_foreach(run.trace, i, step) replay_line(simulation, step);
    replay_line(simulation, end);
    json_decref(end);
    simulation_free(simulation);
}

static void what_was(char story[STORY_MAX])
{
    story[0] = '\0';
    for (unsigned i = 0; i < run.host->move_count; i++) {
        const struct transition *const move = &run.host->moves[i];
        tell(story, move->at_ms - run.began_ms, state_names[move->from], state_names[move->to],
             reason_names[move->reason]);
    }
}

static void assert_both(const char *expected)
{
    char was[STORY_MAX], replayed[STORY_MAX];
    breakers_drain_all(run.host->breakers);
    tracer_flush(&run.host->tracer);
    assert_int_equal(run.lost, 0);
    what_was(was);
    replay(replayed);
    assert_string_equal(was, expected);
    assert_string_equal(replayed, expected);
}

/* ----------------------------------------------------------------------------------------------------- the stories */

#define OPEN    "open: {for: 30s, jitter: 0%}"
#define STREAKS "trip: {failure_rate: 0%}, " OPEN

static void test_a_streak_opens_and_three_probes_close(void **state)
{
    (void)state;
    start(OPEN);
    trace_from_now();
    reports("FFFFSFFFF"); /* a success between: no streak of five */
    host_advance(run.host, 100);
    reports("F"); /* the fifth in a row */
    host_advance(run.host, 30000);
    for (unsigned i = 0; i < 3; i++) {
        host_advance(run.host, 50);
        probe(PERMIT_OK);
    }
    burst("SSSSSSFFFFFSF"); /* what comes after the fifth counts no more */
    assert_both("100 closed>open consecutive; 30100 open>half_open none; 30250 half_open>closed none; "
                "30250 closed>open consecutive; ");
}

static void test_failed_probes_open_for_longer_each_time(void **state)
{
    (void)state;
    start(OPEN ", half_open: {successes: 1}");
    trace_from_now();
    reports("FFFFF");
    host_advance(run.host, 30010);
    probe(PERMIT_FAILED);
    host_advance(run.host, 60010);
    probe(PERMIT_NEUTRAL);
    probe(PERMIT_SLOW_FAILED);
    host_advance(run.host, 120010);
    probe(PERMIT_OK);
    assert_both("0 closed>open consecutive; 30000 open>half_open none; 30010 half_open>open probe_failed; "
                "90010 open>half_open none; 90020 half_open>open probe_failed; 210020 open>half_open none; "
                "210030 half_open>closed none; ");
}

static void test_outcomes_without_admission_are_probes_too(void **state)
{
    (void)state;
    start(OPEN);
    trace_from_now();
    reports("FFFFF");
    reports("SSFF"); /* while open: they move nothing */
    host_advance(run.host, 30000);
    reports("SSS");
    assert_both("0 closed>open consecutive; 30000 open>half_open none; 30000 half_open>closed none; ");
}

#define RATES "trip: {consecutive_failures: 0, failure_rate: 50%, slow_rate: 50%, slow_after: 1s}, " OPEN

static void test_a_failure_rate_opens_at_the_call_that_completes_it(void **state)
{
    (void)state;
    start(RATES);
    trace_from_now();
    reports("SFSFSFSF");
    host_advance(run.host, 700);
    burst("SFFFSSS"); /* the tenth call; what came with it counts no more */
    host_advance(run.host, 30000);
    reports("SSS");
    reports("FFFFFFFFF");
    host_advance(run.host, 10);
    reports("S");
    host_advance(run.host, 250); /* the tenth call is a success, which rings no bell */
    assert_both("700 closed>open failure_rate; 30700 open>half_open none; 30700 half_open>closed none; "
                "30710 closed>open failure_rate; ");
}

static void test_slow_calls_open_by_their_own_rate(void **state)
{
    (void)state;
    start(RATES);
    trace_from_now();
    reports("SSSSSSsssf");
    host_advance(run.host, 20);
    reports("ssss");
    assert_both("20 closed>open slow_rate; ");
}

static void test_two_lanes_are_replayed_in_the_order_in_which_they_were_merged(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failures: 3}, window: {size: 6, minimum_calls: 6}, " OPEN);
    trace_from_now();
    client_reports(run.host, &run.client, run.meter, run.slot, "FF");
    host_sleep(run.host, 10);
    client_reports(run.host, &run.other, run.other_meter, run.slot, "sssss");
    host_sleep(run.host, 10);
    reports("F"); /* F F s s s s s F: two at most are in any six */
    host_sleep(run.host, 10);
    client_reports(run.host, &run.other, run.other_meter, run.slot, "F");
    reports("F");
    assert_both("30 closed>open failures; ");
}

static void test_a_time_window_forgets_in_the_replay_too(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failures: 4}, window: {type: time, for: 10s}, " OPEN);
    trace_from_now();
    reports("FFF");
    host_advance(run.host, 11000);
    reports("FF"); /* the three are forgotten */
    host_advance(run.host, 2000);
    reports("SSFSF");
    assert_both("13000 closed>open failures; ");
}

static void test_a_relapse_on_the_ramp(void **state)
{
    (void)state;
    start(OPEN ", half_open: {successes: 1}, ramp: {over: 4s}");
    trace_from_now();
    reports("FFFFF");
    host_advance(run.host, 30000);
    probe(PERMIT_OK);
    host_advance(run.host, 2000);
    reports("FFFFF");
    host_advance(run.host, 60000);
    probe(PERMIT_OK);
    host_advance(run.host, 4000);
    assert_both("0 closed>open consecutive; 30000 open>half_open none; 30000 half_open>ramping none; "
                "32000 ramping>open relapse; 92000 open>half_open none; 92000 half_open>ramping none; "
                "96000 ramping>closed none; ");
}

static void test_operators_acts_are_replayed(void **state)
{
    (void)state;
    start(STREAKS);
    struct breakers *const breakers = run.host->breakers;
    const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 7};
    trace_from_now();
    assert_int_equal(breakers_trip(breakers, run.slot, 5000, &actor), 0);
    host_advance(run.host, 6000);
    assert_int_equal(breakers_reset(breakers, run.slot, &actor), 0);
    reports("FFFF");
    assert_int_equal(breakers_reset(breakers, run.slot, &actor), 0); /* the streak begins anew */
    reports("FFFF");
    assert_int_equal(breakers_mode(breakers, run.slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 3000, &actor), 0);
    reports("FSFF"); /* counted, moves nothing */
    host_advance(run.host, 3000);
    reports("FFF");
    host_advance(run.host, 1000);
    assert_int_equal(breakers_mode(breakers, run.slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 0, &actor), 0);
    host_advance(run.host, 60000); /* frozen: open for longer than 30 s */
    assert_int_equal(breakers_mode(breakers, run.slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &actor), 0);
    assert_both("0 closed>open operator; 5000 open>half_open none; 6000 half_open>closed none; "
                "9000 closed>open consecutive; 70000 open>half_open none; ");
}

static void test_a_step_that_a_mode_held_back_comes_at_its_end(void **state)
{
    (void)state;
    start(OPEN);
    const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 7};
    trace_from_now();
    breakers_mode(run.host->breakers, run.slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 0, &actor);
    reports("FFFFFFFFFF");
    host_advance(run.host, 100);
    breakers_mode(run.host->breakers, run.slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &actor);
    host_advance(run.host, 100);
    assert_both("100 closed>open consecutive; ");
}

static void test_a_mode_by_pattern_binds_a_breaker_that_comes_later(void **state)
{
    (void)state;
    start(STREAKS);
    const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 7};
    trace_from_now();
    assert_int_equal(breakers_mode_pattern(run.host->breakers, "m*", TRIP_MODE_DISABLED, 1000, &actor), 0);
    host_advance(run.host, 400);
    const uint32_t slot = host_breaker(run.host, "mail"), meter = client_meter(run.host, &run.client, slot);
    client_reports(run.host, &run.client, meter, slot, "FFFFFFF");
    breakers_rung(run.host->breakers);
    host_advance(run.host, 600);
    client_reports(run.host, &run.client, meter, slot, "SFFFFF");
    breakers_rung(run.host->breakers);
    assert_both("1000 closed>open consecutive; ");
}

static void test_a_stalled_call_is_a_failure_when_it_stalls(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 3, stall_after: 2s}, " OPEN);
    trace_from_now();
    reports("FF");
    struct lane_call *const call = lane_call_at(run.client.writer.memory, 0);
    call->ticks = run.host->clock.test_now_ns;
    call->state = lane_call_state(run.meter, 1, LANE_CALL_RUNNING);
    client_mark_dirty(run.host, &run.client);
    breakers_rung(run.host->breakers);
    host_advance(run.host, 5000);
    assert_both("2000 closed>open consecutive; ");
}

static void test_a_hidden_breaker_goes_on_with_its_streak(void **state)
{
    (void)state;
    start("forget_after: 60s, " OPEN);
    const uint32_t slot = host_breaker(run.host, "mail"), meter = client_meter(run.host, &run.client, slot);
    trace_from_now();
    client_reports(run.host, &run.client, meter, slot, "FFFF");
    breakers_rung(run.host->breakers);
    host_advance(run.host, 61000);
    assert_int_not_equal(run.host->segment->details[slot].hidden_ms, 0);
    client_reports(run.host, &run.client, meter, slot, "F");
    breakers_rung(run.host->breakers);
    assert_both("61000 closed>open consecutive; ");
}

/* ---------------------------------------------------------------------------------------------------- how it begins */

static void test_a_trace_begins_with_open_breakers_and_their_remaining_time(void **state)
{
    (void)state;
    char replayed[STORY_MAX];
    start(OPEN ", half_open: {successes: 1}");
    reports("FFFFF");
    host_advance(run.host, 12000);
    trace_from_now();
    host_advance(run.host, 18000);
    probe(PERMIT_OK);
    tracer_flush(&run.host->tracer);
    replay(replayed);
    assert_string_equal(replayed, "0 closed>open operator; 18000 open>half_open none; 18000 half_open>closed none; ");
}

static void test_a_trace_begins_with_operators_modes_and_what_is_left_of_them(void **state)
{
    (void)state;
    start(STREAKS);
    const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 7};
    assert_int_equal(breakers_mode(run.host->breakers, run.slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 3000, &actor),
                     0);
    host_advance(run.host, 1000);
    trace_from_now();
    reports("FFFFFFF");
    host_advance(run.host, 2000);
    reports("SFFFFF");
    assert_both("2000 closed>open consecutive; ");
}

/* ---------------------------------------------------------------------------------------------------- what is said */

static void assert_step(size_t index, const char *expected)
{
    char *line = json_dumps(json_array_get(run.trace, index), JSON_COMPACT);
    assert_string_equal(line, expected);
    free(line);
}

static void test_counted_successes_are_one_step(void **state)
{
    (void)state;
    start(OPEN);
    trace_from_now();
    writer_ok(&run.client.writer, run.meter, word_epoch(host_word(run.host, run.slot)), 100000);
    host_advance(run.host, 250);
    breakers_drain_all(run.host->breakers);
    tracer_flush(&run.host->tracer);
    assert_int_equal(json_array_size(run.trace), 1);
    assert_step(0, "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":100000}");
}

static void test_a_told_failure_says_what_it_was(void **state)
{
    (void)state;
    start("trip: {slow_after: 250ms}, " OPEN);
    const uint32_t epoch = word_epoch(host_word(run.host, run.slot));
    struct lane_writer *const writer = &run.client.writer;
    trace_from_now();
    host_advance(run.host, 5);
    writer_count(writer, run.meter, epoch, TRIP_TIMEOUT, true);
    writer_tell(writer, run.meter, epoch, TRIP_TIMEOUT, true, run.host->clock.test_now_ns, TRIP_ERROR_TIMEOUT);
    writer_count(writer, run.meter, epoch, TRIP_FAILURE, false);
    writer_tell(writer, run.meter, epoch, TRIP_FAILURE, false, run.host->clock.test_now_ns, TRIP_ERROR_NETWORK);
    writer_total(&lane_meter_at(writer->memory, run.meter)->ignored, 3);
    writer_total(&lane_meter_at(writer->memory, run.meter)->cancelled, 1);
    client_mark_dirty(run.host, &run.client);
    breakers_rung(run.host->breakers);
    tracer_flush(&run.host->tracer);
    assert_int_equal(json_array_size(run.trace), 4);
    assert_step(0, "{\"t_ms\":5,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"latency_ms\":251}");
    assert_step(1, "{\"t_ms\":5,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":\"network\"}");
    assert_step(2, "{\"t_ms\":5,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ignored\",\"n\":3}");
    assert_step(3, "{\"t_ms\":5,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"cancelled\"}");
}

/* Of 20,000 calls each 20th failed, and half of the failures found the ring full. */
static void test_calls_in_an_order_that_nobody_knows_are_lost_and_trip_no_replay(void **state)
{
    (void)state;
    char replayed[STORY_MAX];
    uint64_t told = 0;
    size_t i;
    json_t *step;
    start("trip: {consecutive_failures: 0}, " OPEN);
    trace_from_now();
    for (unsigned call = 0; call < 20000; call++)
        client_reports(run.host, &run.client, run.meter, run.slot, call % 20 ? "S" : "F");
    host_sleep(run.host, 1000);
    breakers_drain_all(run.host->breakers);
    tracer_flush(&run.host->tracer);
    json_array_foreach(run.trace, i, step) told +=
        json_object_get(step, "n") ? (uint64_t)json_integer_value(json_object_get(step, "n")) : 1;
    assert_in_range(run.lost, 9500, 9600); /* all but 200 of those after the ring was full */
    assert_int_equal(told + run.lost, 20000);
    assert_int_equal(run.host->move_count, 0);
    replay(replayed);
    assert_string_equal(replayed, "");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_teardown(function, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_a_streak_opens_and_three_probes_close),
        TEST(test_failed_probes_open_for_longer_each_time),
        TEST(test_outcomes_without_admission_are_probes_too),
        TEST(test_a_failure_rate_opens_at_the_call_that_completes_it),
        TEST(test_slow_calls_open_by_their_own_rate),
        TEST(test_two_lanes_are_replayed_in_the_order_in_which_they_were_merged),
        TEST(test_a_time_window_forgets_in_the_replay_too),
        TEST(test_a_relapse_on_the_ramp),
        TEST(test_operators_acts_are_replayed),
        TEST(test_a_step_that_a_mode_held_back_comes_at_its_end),
        TEST(test_a_mode_by_pattern_binds_a_breaker_that_comes_later),
        TEST(test_a_stalled_call_is_a_failure_when_it_stalls),
        TEST(test_a_hidden_breaker_goes_on_with_its_streak),
        TEST(test_a_trace_begins_with_open_breakers_and_their_remaining_time),
        TEST(test_a_trace_begins_with_operators_modes_and_what_is_left_of_them),
        TEST(test_counted_successes_are_one_step),
        TEST(test_a_told_failure_says_what_it_was),
        TEST(test_calls_in_an_order_that_nobody_knows_are_lost_and_trip_no_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
