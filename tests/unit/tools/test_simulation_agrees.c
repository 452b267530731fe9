/* What simulate once said otherwise than tripd, when it played the breakers by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/simulated.h"

#define ENTRY(settings) "breakers: [{match: \"*\", " settings "}]"
#define OPEN            "open: {for: 100ms, jitter: 0%}"
#define FAILURES        "trip: {consecutive_failures: 0, failure_rate: 0%, failures: 2}, "

static void test_a_ramping_breaker_is_judged_when_a_mode_ends(void **state)
{
    struct run run =
        begin(ENTRY(FAILURES "half_open: {successes: 1}, ramp: {over: 10s, steps: [50%, 100%]}, " OPEN), false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":200,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":300,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"disabled\","
                                 "\"ttl_ms\":400}",
                                 "{\"t_ms\":400,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":2}",
                                 "{\"t_ms\":750,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text), "0 closed>open operator; 100 open>half_open none; "
                                           "200 half_open>ramping none; 700 ramping>open relapse; ");
    end(&run);
}

/* tripd looks at calls in flight each 250 ms, simulate after each step. */
static void test_calls_in_flight_are_judged_when_a_breaker_closes(void **state)
{
    struct run run = begin(ENTRY("trip: {in_flight: 2}, half_open: {successes: 1}, " OPEN), false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":1,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"b\"}",
                                 "{\"t_ms\":400,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\"}", NULL});
    assert_string_equal(story(&run, text), "1 closed>open in_flight; 101 open>half_open none; "
                                           "400 half_open>closed none; 400 closed>open in_flight; ");
    end(&run);
}

static void test_a_probe_that_takes_longer_than_stall_after_has_a_say(void **state)
{
    struct run run = begin(ENTRY("trip: {stall_after: 20ms}, half_open: {successes: 1}, " OPEN), false);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                           "{\"t_ms\":100,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":50}",
                           "{\"t_ms\":200,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text),
                        "0 closed>open operator; 100 open>half_open none; 150 half_open>closed none; ");
    end(&run);
}

static void test_a_call_that_stalled_when_it_was_slow_already_is_a_slow_failure(void **state)
{
    struct run run = begin(ENTRY("trip: {slow_after: 10ms, stall_after: 20ms}, " OPEN), false);
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":50,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":60,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_int_equal(number(last(&run), "window", "failures"), 1);
    assert_int_equal(number(last(&run), "window", "slow"), 1);
    assert_int_equal(number(last(&run), "totals", "late"), 1);
    assert_int_equal(number(last(&run), "totals", "calls"), 0);
    end(&run);
}

static void test_what_a_probe_says_after_its_lease_is_late(void **state)
{
    struct run run = begin(ENTRY("half_open: {max_wait: 128ms, successes: 1}, " OPEN), false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":100,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":400,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":400,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text), "0 closed>open operator; 100 open>half_open none; ");
    assert_int_equal(number(last(&run), "totals", "late"), 1);
    assert_int_equal(number(last(&run), "probes", "ok"), 0);
    end(&run);
}

static void test_growth_that_was_forgotten_is_not_shown_as_the_next_open_time(void **state)
{
    struct run run = begin(ENTRY("open: {for: 1s, multiplier: 2.0, max: 16s, forget: 10ms, jitter: 0%}"), false);
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":1500,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_int_equal(number(last(&run), "settings", "next_open_ms"), 1000);
    end(&run);
}

/* The wall clock of a trace is the trace's. */
static void test_wall_times_are_the_traces(void **state)
{
    struct run run = begin(ENTRY(OPEN), false);
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":5,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":7,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":9,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_int_equal(number(last(&run), NULL, "created_unix_ms"), 5);
    assert_int_equal(number(last(&run), "error", "at_unix_ms"), 5);
    assert_int_equal(number(last(&run), NULL, "since_unix_ms"), 7);
    end(&run);
}

/* tripd's ring and log tell of 16 in a second, and of the others together. */
static void test_each_step_is_told_however_many_there_are_in_a_second(void **state)
{
    struct run run =
        begin(ENTRY("trip: {consecutive_failures: 1}, open: {for: 10ms, multiplier: 1.0, jitter: 0%}"), false);
    unsigned opened = 0;
    size_t i;
    json_t *event;
    (void)state;
    for (unsigned t_ms = 0; t_ms < 1000; t_ms += 10) {
        char line[128];
        snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\"}", t_ms);
        steps(&run, (const char *[]){line, NULL});
    }
    json_array_foreach(run.events, i, event) opened +=
        strcmp(json_string_value(json_object_get(event, "to")), "open") == 0;
    assert_int_equal(opened, 100);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ramping_breaker_is_judged_when_a_mode_ends),
        cmocka_unit_test(test_calls_in_flight_are_judged_when_a_breaker_closes),
        cmocka_unit_test(test_a_probe_that_takes_longer_than_stall_after_has_a_say),
        cmocka_unit_test(test_a_call_that_stalled_when_it_was_slow_already_is_a_slow_failure),
        cmocka_unit_test(test_what_a_probe_says_after_its_lease_is_late),
        cmocka_unit_test(test_growth_that_was_forgotten_is_not_shown_as_the_next_open_time),
        cmocka_unit_test(test_wall_times_are_the_traces),
        cmocka_unit_test(test_each_step_is_told_however_many_there_are_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
