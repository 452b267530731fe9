/* Traces replayed in virtual time: what happens, when, and why. Expected lines are what an operator would read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/simulated.h"

#define EXACT "breakers: [{match: \"*\", open: {for: 30s, jitter: 0%}}]"

static void test_five_timeouts_open_and_three_probes_close(void **state)
{
    struct run run = begin(EXACT, false);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){
              "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"latency_ms\":1000,\"n\":5}",
              "{\"t_ms\":31000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":3}", NULL});
    assert_string_equal(story(&run, text),
                        "1000 closed>open consecutive; 31000 open>half_open none; 31000 half_open>closed none; ");
    simulation_end(run.simulation);
    assert_int_equal(number(last(&run), NULL, "open_ms"), 30000);
    assert_int_equal(number(last(&run), "trips", "consecutive"), 1);
    assert_int_equal(number(last(&run), "totals", "calls"), 8);
    end(&run);
}

static void test_a_success_between_failures_starts_the_streak_again(void **state)
{
    struct run run = begin(EXACT, false);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){"{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":2}",
                           "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                           "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":4}", NULL});
    assert_string_equal(story(&run, text), "");
    assert_int_equal(step(&run, "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}"), 0);
    assert_string_equal(story(&run, text), "1 closed>open consecutive; ");
    end(&run);
}

static void test_the_rate_counts_from_minimum_calls_on(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", trip: {consecutive_failures: 0}}]", false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":5,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":5}",
                                 "{\"t_ms\":6,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":4}", NULL});
    assert_string_equal(story(&run, text), "");
    assert_int_equal(step(&run, "{\"t_ms\":7,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\"}"), 0);
    assert_string_equal(story(&run, text), "7 closed>open failure_rate; ");
    end(&run);
}

static void test_half_open_admits_as_many_probes_as_there_are_permits(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", open: {for: 1s, jitter: 0%}, half_open: {permits: 2}}]", true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":1000,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":1000,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"b\"}",
                                 "{\"t_ms\":1000,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"c\"}",
                                 "{\"t_ms\":1001,\"op\":\"end\",\"id\":\"c\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":1002,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"cancelled\"}",
                                 "{\"t_ms\":1003,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"c\"}",
                                 "{\"t_ms\":1004,\"op\":\"end\",\"id\":\"b\",\"outcome\":\"failure\"}", NULL});
    assert_string_equal(story(&run, text), "0 closed>open operator; 1000 open>half_open none; 1000 probe; 1000 probe; "
                                           "1000 deny_half_open; 1003 probe; 1004 half_open>open probe_failed; ");
    end(&run);
}

static void test_a_permit_is_back_when_max_wait_is_over(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", open: {for: 1s, jitter: 0%}, half_open: {max_wait: 2s}}]", true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":1000,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":2900,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"b\"}",
                                 "{\"t_ms\":3100,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"c\"}", NULL});
    assert_string_equal(story(&run, text), "0 closed>open operator; 1000 open>half_open none; 1000 probe; "
                                           "2900 deny_half_open; 3100 probe; ");
    end(&run);
}

static void test_an_outcome_of_an_earlier_epoch_is_late(void **state)
{
    struct run run = begin(EXACT, false);
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"latency_ms\":50,\"n\":3}",
                    "{\"t_ms\":10,\"op\":\"trip\",\"breaker\":\"db\",\"for_ms\":20}",
                    "{\"t_ms\":60,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_int_equal(number(last(&run), "totals", "late"), 3);
    assert_int_equal(number(last(&run), "totals", "calls"), 0);
    end(&run);
}

static void test_a_stalled_call_fails_before_it_returns(void **state)
{
    struct run run =
        begin("breakers: [{match: \"*\", trip: {stall_after: 200ms}, open: {for: 2s, jitter: 0%}}]", false);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){
              "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"latency_ms\":1000,\"n\":5}",
              "{\"t_ms\":1500,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text), "200 closed>open consecutive; ");
    assert_int_equal(number(last(&run), "totals", "late"), 5);
    end(&run);
}

static void test_a_forced_mode_holds_until_its_ttl_and_freezes_the_state(void **state)
{
    struct run run = begin(EXACT, true);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\",\"for_ms\":1000}",
                           "{\"t_ms\":500,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"forced_open\",\"ttl_ms\":5000}",
                           "{\"t_ms\":2000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                           "{\"t_ms\":5500,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}", NULL});
    assert_string_equal(story(&run, text),
                        "0 closed>open operator; 2000 deny_forced; 5500 open>half_open none; 5500 probe; ");
    end(&run);
}

static void test_steps_that_a_mode_held_back_follow_when_it_ends(void **state)
{
    struct run run = begin(EXACT, false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"disabled\"}",
                                 "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":10}",
                                 "{\"t_ms\":100,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"auto\"}",
                                 "{\"t_ms\":200,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"forced_open\"}",
                                 "{\"t_ms\":70000,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"auto\"}",
                                 "{\"t_ms\":70001,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text), "100 closed>open consecutive; 70000 open>half_open none; ");
    end(&run);
}

static void test_the_open_time_doubles_at_each_trip_and_is_forgotten(void **state)
{
    struct run run = begin(
        "breakers: [{match: \"*\", trip: {consecutive_failures: 1}, open: {for: 1s, jitter: 0%, forget: 60s}}]", false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":1000,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":3000,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":7000,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":3}",
                                 "{\"t_ms\":70000,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":71000,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text),
                        "0 closed>open consecutive; 1000 open>half_open none; 1000 half_open>open probe_failed; "
                        "3000 open>half_open none; 3000 half_open>open probe_failed; 7000 open>half_open none; "
                        "7000 half_open>closed none; 70000 closed>open consecutive; 71000 open>half_open none; ");
    end(&run);
}

static void test_open_times_grow_beyond_forget(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", trip: {consecutive_failures: 1, failure_rate: 0%}, "
                           "open: {for: 10s, max: 300s, multiplier: 2.0, jitter: 0%, forget: 60s}}]",
                           false);
    char text[1024];
    (void)state;
    for (unsigned t_ms = 0; t_ms <= 620000; t_ms += 10000) {
        char line[128];
        snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\"}", t_ms);
        assert_int_equal(step(&run, line), 0);
    }
    assert_string_equal(
        story(&run, text),
        "0 closed>open consecutive; 10000 open>half_open none; 10000 half_open>open probe_failed; "
        "30000 open>half_open none; 30000 half_open>open probe_failed; 70000 open>half_open none; "
        "70000 half_open>open probe_failed; 150000 open>half_open none; 150000 half_open>open probe_failed; "
        "310000 open>half_open none; 310000 half_open>open probe_failed; 610000 open>half_open none; "
        "610000 half_open>open probe_failed; ");
    end(&run);
}

/* The last show of an operator's trip at 0, for 1 s, whose growth is forgotten 500 ms later. */
static json_int_t next_open_ms_at(unsigned t_ms)
{
    struct run run =
        begin("breakers: [{match: \"*\", open: {for: 1s, multiplier: 2.0, jitter: 0%, forget: 500ms}}]", false);
    char line[64];
    snprintf(line, sizeof(line), "{\"t_ms\":%u,\"op\":\"show\",\"breaker\":\"db\"}", t_ms);
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}", line, NULL});
    const json_t *shown = json_array_get(run.events, json_array_size(run.events) - 1);
    const json_int_t next_ms = json_integer_value(json_object_get(json_object_get(shown, "settings"), "next_open_ms"));
    end(&run);
    return next_ms;
}

static void test_a_show_says_the_open_time_that_is_next_then(void **state)
{
    (void)state;
    assert_int_equal(next_open_ms_at(0), 2000);
    assert_int_equal(next_open_ms_at(1499), 2000);
    assert_int_equal(next_open_ms_at(1500), 1000);
}

static void test_a_failure_during_the_ramp_is_a_relapse(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", trip: {consecutive_failures: 1}, open: {for: 1s, jitter: 0%}, "
                           "half_open: {successes: 1}, ramp: {over: 4s, steps: [10%, 25%, 50%, 100%]}}]",
                           false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":1000,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":2500,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":4500,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":9000,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(story(&run, text),
                        "0 closed>open operator; 1000 open>half_open none; 1000 half_open>ramping none; "
                        "2500 ramping>open relapse; 4500 open>half_open none; 4500 half_open>ramping none; "
                        "8500 ramping>closed none; ");
    end(&run);
}

static void test_time_that_goes_back_is_refused(void **state)
{
    struct run run = begin(EXACT, false);
    (void)state;
    assert_int_equal(step(&run, "{\"t_ms\":5,\"op\":\"show\",\"breaker\":\"db\"}"), 0);
    assert_int_equal(step(&run, "{\"t_ms\":4,\"op\":\"show\",\"breaker\":\"db\"}"), -EINVAL);
    assert_string_equal(run.problem, "\"t_ms\" is 4 after 5: times never decrease");
    end(&run);
}

static void test_ids_begin_once_and_end_once(void **state)
{
    struct run run = begin(EXACT, false);
    (void)state;
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}"), 0);
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}"), -EINVAL);
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"ok\"}"), 0);
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"ok\"}"), -EINVAL);
    assert_string_equal(run.problem, "id \"a\" has not begun, or has ended before");
    end(&run);
}

static void test_an_id_that_was_denied_is_free_again(void **state)
{
    struct run run = begin(EXACT, true);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":1,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":2,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":3,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":30000,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"b\"}",
                                 "{\"t_ms\":30001,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":30002,\"op\":\"end\",\"id\":\"b\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":30003,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"a\"}",
                                 "{\"t_ms\":30004,\"op\":\"end\",\"id\":\"a\",\"outcome\":\"failure\"}", NULL});
    assert_string_equal(story(&run, text), "0 closed>open operator; 1 deny_open; 2 deny_open; 30000 open>half_open "
                                           "none; 30000 probe; 30001 deny_half_open; 30003 probe; "
                                           "30004 half_open>open probe_failed; ");
    end(&run);
}

static void test_a_trip_that_tripd_would_refuse_says_so_and_goes_on(void **state)
{
    struct run run = begin(EXACT, false);
    char text[1024];
    (void)state;
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"disabled\"}"), 0);
    assert_int_equal(step(&run, "{\"t_ms\":1,\"op\":\"trip\",\"breaker\":\"db\"}"), SIMULATION_REFUSED);
    assert_string_equal(run.problem, "trip refused, as tripd does: the mode of db keeps its state as it is");
    assert_string_equal(story(&run, text), "");
    assert_int_equal(step(&run, "{\"t_ms\":2,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"auto\"}"), 0);
    assert_int_equal(step(&run, "{\"t_ms\":3,\"op\":\"trip\",\"breaker\":\"db\"}"), 0);
    assert_string_equal(story(&run, text), "3 closed>open operator; ");
    end(&run);
}

static void test_an_open_time_that_begins_within_a_millisecond_is_not_cut_short(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", trip: {stall_after: 1s}, open: {for: 5s, jitter: 0%}}]", false);
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        char line[128];
        snprintf(line, sizeof(line), "{\"t_ms\":0,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"%u\"}", i);
        assert_int_equal(step(&run, line), 0);
    }
    assert_int_equal(step(&run, "{\"t_ms\":9000,\"op\":\"show\",\"breaker\":\"db\"}"), 0);
    assert_string_equal(json_string_value(json_object_get(last(&run), "state")), "half_open");
    assert_int_equal(number(last(&run), NULL, "open_ms"), 5000);
    end(&run);
}

static void test_each_event_begins_with_time_breaker_and_kind(void **state)
{
    struct run run = begin(EXACT, true);
    size_t i;
    json_t *event;
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                                 "{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    simulation_end(run.simulation);
    assert_int_equal(json_array_size(run.events), 4);
    json_array_foreach(run.events, i, event)
    {
        void *key = json_object_iter(event);
        assert_string_equal(json_object_iter_key(key), "t_ms");
        assert_string_equal(json_object_iter_key(key = json_object_iter_next(event, key)), "breaker");
        assert_string_equal(json_object_iter_key(json_object_iter_next(event, key)), "event");
    }
    end(&run);
}

static void test_a_failure_at_the_very_beginning_is_the_last_error(void **state)
{
    struct run run = begin(EXACT, false);
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(json_string_value(json_object_get(json_object_get(last(&run), "error"), "type")), "unknown");
    end(&run);
}

static void refused(const char *line, const char *why)
{
    struct trace_step parsed;
    char problem[256] = "";
    assert_int_equal(trace_step_parse(line, strlen(line), &parsed, problem), -EINVAL);
    assert_string_equal(problem, why);
}

static void test_a_step_that_is_wrong_says_what_would_be_right(void **state)
{
    (void)state;
    refused("{\"op\":\"show\",\"breaker\":\"db\"}", "\"t_ms\" must be an integer from 0 to 1099511627776");
    refused("{\"t_ms\":0,\"op\":\"shout\",\"breaker\":\"db\"}",
            "\"op\" is none of those known; it is one of call, record, begin, end, mode, trip, reset, show, error, "
            "analyze");
    refused("{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"a b\"}",
            "\"breaker\" must be 1 to 127 of letters, digits and . _ : / @ -");
    refused("{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\"}",
            "\"outcome\" is missing; it is one of ok, failure, timeout, ignored, cancelled");
    refused("{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":0}",
            "\"n\" must be an integer from 1 to 1000000000");
    refused("{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":\"user_16\"}",
            "\"error\" is none of those known; it is one of unknown, network, timeout, service_unavailable, "
            "rate_limited, resource_exhausted, protocol, authentication, internal, user_0 to user_15");
    refused("{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"db\",\"op\":\"show\"}",
            "not JSON: duplicate object key near '\"op\"'");
    refused("{\"t_ms\":007,\"op\":\"show\",\"breaker\":\"db\"}", "not JSON: invalid token near '0'");
    refused("{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"db\"", "not JSON: '}' expected near end of file");
    refused("[1]", "a step is a JSON object on a line of its own");
}

static void test_a_step_means_the_same_in_whatever_form_it_is_written(void **state)
{
    static const char *const lines[] = {
        "{\"t_ms\":7,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"latency_ms\":12,\"n\":3,\"error\":"
        "\"user_9\"}",
        "{ \"n\" : 3, \"error\": \"user_9\", \"latency_ms\": 12, \"outcome\": \"failure\", \"op\": \"call\", "
        "\"breaker\": \"db\", \"t_ms\": 7 }",
        "\t{\"t_ms\":7,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"latency_ms\":12.0,\"n\":3,"
        "\"error\":\"user_9\",\"host\":{\"n\":[1]}}",
        "{\"t_ms\":7,\"op\":\"c\\u0061ll\",\"breaker\":\"db\",\"outcome\":\"failure\",\"latency_ms\":12,\"n\":3,"
        "\"error\":\"user_9\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct trace_step parsed;
        char problem[256] = "";
        assert_int_equal(trace_step_parse(lines[i], strlen(lines[i]), &parsed, problem), 0);
        assert_int_equal(parsed.op, TRACE_CALL);
        assert_int_equal(parsed.t_ms, 7);
        assert_string_equal(parsed.breaker, "db");
        assert_int_equal(parsed.outcome, TRIP_FAILURE);
        assert_int_equal(parsed.latency_ns, 12000000);
        assert_int_equal(parsed.n, 3);
        assert_int_equal(parsed.error, TRIP_ERROR_USER + 9);
    }
}

static void test_the_same_seed_gives_the_same_run(void **state)
{
    char text[2][1024];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct run run = begin("breakers: [{match: \"*\", open: {for: 10s, jitter: 50%}}]", false);
        steps(&run,
              (const char *[]){"{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":5}",
                               "{\"t_ms\":60000,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
        story(&run, text[i]);
        end(&run);
    }
    assert_string_equal(text[0], text[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_five_timeouts_open_and_three_probes_close),
        cmocka_unit_test(test_a_success_between_failures_starts_the_streak_again),
        cmocka_unit_test(test_the_rate_counts_from_minimum_calls_on),
        cmocka_unit_test(test_half_open_admits_as_many_probes_as_there_are_permits),
        cmocka_unit_test(test_a_permit_is_back_when_max_wait_is_over),
        cmocka_unit_test(test_an_outcome_of_an_earlier_epoch_is_late),
        cmocka_unit_test(test_a_stalled_call_fails_before_it_returns),
        cmocka_unit_test(test_a_forced_mode_holds_until_its_ttl_and_freezes_the_state),
        cmocka_unit_test(test_steps_that_a_mode_held_back_follow_when_it_ends),
        cmocka_unit_test(test_the_open_time_doubles_at_each_trip_and_is_forgotten),
        cmocka_unit_test(test_open_times_grow_beyond_forget),
        cmocka_unit_test(test_a_show_says_the_open_time_that_is_next_then),
        cmocka_unit_test(test_a_failure_during_the_ramp_is_a_relapse),
        cmocka_unit_test(test_time_that_goes_back_is_refused),
        cmocka_unit_test(test_ids_begin_once_and_end_once),
        cmocka_unit_test(test_an_id_that_was_denied_is_free_again),
        cmocka_unit_test(test_a_trip_that_tripd_would_refuse_says_so_and_goes_on),
        cmocka_unit_test(test_an_open_time_that_begins_within_a_millisecond_is_not_cut_short),
        cmocka_unit_test(test_each_event_begins_with_time_breaker_and_kind),
        cmocka_unit_test(test_a_failure_at_the_very_beginning_is_the_last_error),
        cmocka_unit_test(test_a_step_that_is_wrong_says_what_would_be_right),
        cmocka_unit_test(test_a_step_means_the_same_in_whatever_form_it_is_written),
        cmocka_unit_test(test_the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
