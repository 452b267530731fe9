/* The manuals' promises, as simulate answers them: the same cases, with the same literal numbers, that
 * tests/unit/daemon/test_breakers_answers.c asks tripd's breakers and tests/system/same_answers.sh a live tripd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/simulated_lines.h"

#define OPEN       "open: {for: 100ms, multiplier: 1.0, jitter: 0%}"
#define OFF        "consecutive_failures: 0, failure_rate: 0%"
#define PROBED     OPEN ", half_open: {successes: 1, max_wait: 500ms}"
#define STALLS     "trip: {" OFF ", slow_after: 20ms, stall_after: 50ms}, " PROBED
#define NO_RESERVE ", priority: {sheddable_below: 0%, normal_below: 0%}"

static void test_a_sliding_window_rounds_nothing(void **state)
{
    (void)state;
    play("rate: {limit: 1, per: 1s, window: sliding}" NO_RESERVE,
         LINES("999" CALL, "1001" CALL, "1999" CALL, "2000" CALL),
         "999 allow; 1001 deny_rate; 1999 deny_rate; 2000 allow; ");
}

static void test_calls_of_long_ago_are_not_calls_of_now(void **state)
{
    (void)state;
    play("rate: {limit: 4, per: 1ms, window: sliding}" NO_RESERVE,
         LINES("0" CALL N(4), "65000" CALL, "131072" CALL, "196608" CALL),
         "0 allow; 0 allow; 0 allow; 0 allow; 65000 allow; 131072 allow; 196608 allow; ");
}

static void test_a_full_half_open_breaker_may_be_tried_when_the_first_lease_ends(void **state)
{
    (void)state;
    assert_int_equal(shown(OPEN ", half_open: {permits: 2, max_wait: 500ms}",
                           LINES("0" TRIP, "200" BEGIN("1"), "600" BEGIN("2"), "600" SHOW), NULL, "retry_after_ms"),
                     104);
    play(OPEN ", half_open: {permits: 2, max_wait: 500ms}",
         LINES("0" TRIP, "200" BEGIN("1"), "600" BEGIN("2"), "703" BEGIN("3"), "704" BEGIN("4")),
         "0 closed>open operator; 100 open>half_open none; 200 probe; 600 probe; 703 deny_half_open; 704 probe; ");
}

static void test_forced_open_for_a_time_hides_no_longer_open_time(void **state)
{
    (void)state;
    assert_int_equal(shown("open: {for: 1s, jitter: 0%}", LINES("0" TRIP, "10" MODE("forced_open") TTL(100), "10" SHOW),
                           NULL, "retry_after_ms"),
                     990);
    assert_int_equal(shown("open: {for: 1s, jitter: 0%}", LINES("0" TRIP, "10" MODE("forced_open"), "10" SHOW), NULL,
                           "retry_after_ms"),
                     -1);
}

static void test_a_mode_that_freezes_grants_no_permit(void **state)
{
    (void)state;
    assert_int_equal(shown(OPEN, LINES("0" TRIP, "150" SHOW), NULL, "permits_free"), 1);
    assert_int_equal(shown(OPEN, LINES("0" TRIP, "150" MODE("disabled"), "150" SHOW), NULL, "permits_free"), 0);
}

static void test_a_streak_of_a_frozen_time_opens_when_the_mode_ends(void **state)
{
    (void)state;
    play("trip: {consecutive_failures: 2, failure_rate: 0%}, " OPEN,
         LINES("0" MODE("disabled"), "0" RECORD("failure") N(3), "1" MODE("auto"), "2" BEGIN("1")),
         "1 closed>open consecutive; 2 deny_open; ");
    play("trip: {consecutive_failures: 2, failure_rate: 0%}, " OPEN,
         LINES("0" MODE("disabled") TTL(70), "0" RECORD("failure") N(3), "71" BEGIN("1")),
         "70 closed>open consecutive; 71 deny_open; ");
}

static void test_forgetting_alone_opens_nothing_and_the_next_outcome_does(void **state)
{
    (void)state;
    play("trip: {consecutive_failures: 0, failure_rate: 50%}, window: {type: time, for: 10s}, " OPEN,
         LINES("0" RECORD("ok") N(12), "5000" RECORD("failure") N(10), "11900" RECORD("ignored"), "12000" RECORD("ok")),
         "12000 closed>open failure_rate; ");
}

static void test_a_reset_forgets_growth_and_makes_calls_in_flight_late(void **state)
{
    (void)state;
    const char *const settings = "open: {for: 1s, multiplier: 2.0, max: 16s, jitter: 0%}";
    assert_int_equal(shown(settings, LINES("0" TRIP, "1" SHOW), "settings", "next_open_ms"), 2000);
    assert_int_equal(shown(settings, LINES("0" TRIP, "1,\"op\":\"reset\"", "1" SHOW), "settings", "next_open_ms"),
                     1000);
    assert_int_equal(shown(settings,
                           LINES("0" BEGIN("1"), "0,\"op\":\"reset\"",
                                 "1,\"op\":\"end\",\"id\":\"1\",\"outcome\":\"failure\"", "1" SHOW),
                           "totals", "late"),
                     1);
}

static void test_a_retry_whose_delay_ends_with_the_total_is_made(void **state)
{
    (void)state;
    play("trip: {" OFF "}, retry: {backoff: fixed, base: 100ms, jitter: none, total: 100ms}",
         LINES("0,\"op\":\"call\",\"outcome\":\"timeout\",\"retry\":true", "1000" RECORD("ok")),
         "0 allow; 100 allow 2; ");
}

static void test_an_open_breaker_ends_retries_however_soon_it_may_be_tried(void **state)
{
    (void)state;
    play("trip: {consecutive_failures: 1}, open: {for: 10ms, jitter: 0%}, retry: {backoff: fixed, base: 100ms, jitter: "
         "none}",
         LINES("0,\"op\":\"call\",\"outcome\":\"timeout\",\"retry\":true", "1000" RECORD("ignored")),
         "0 allow; 0 closed>open consecutive; 10 open>half_open none; ");
}

static void test_failures_of_a_frozen_ramp_open_at_the_end_of_its_ttl(void **state)
{
    (void)state;
    play("trip: {" OFF ", failures: 3}, ramp: {over: 10s, steps: [100%]}, " PROBED,
         LINES("0" TRIP, "100" CALL, "100" MODE("disabled") TTL(70), "101" RECORD("failure") N(3), "171" BEGIN("1")),
         "0 closed>open operator; 100 open>half_open none; 100 probe; 100 half_open>ramping none; "
         "170 ramping>open relapse; 171 deny_open; ");
}

static void test_calls_in_flight_are_judged_when_half_open_closes(void **state)
{
    (void)state;
    play(
        "trip: {" OFF ", in_flight: 3}, " PROBED,
        LINES("0" BEGIN("1"), "0" BEGIN("2"), "0" BEGIN("3"), "100" BEGIN("4"), "110" END("4", "ok"), "111" BEGIN("5")),
        "0 allow; 0 allow; 0 closed>open in_flight; 0 allow; 100 open>half_open none; 100 probe; "
        "110 half_open>closed none; 110 closed>open in_flight; 111 deny_open; ");
}

static void test_the_outcome_of_a_probe_counts_however_long_it_took_within_its_lease(void **state)
{
    (void)state;
    play(STALLS, LINES("0" TRIP, "100" BEGIN("1"), "300" END("1", "ok")),
         "0 closed>open operator; 100 open>half_open none; 100 probe; 300 half_open>closed none; ");
}

static void test_a_call_stalls_when_it_is_in_flight_for_longer(void **state)
{
    (void)state;
    assert_int_equal(shown(STALLS, LINES("0" BEGIN("1"), "50" SHOW), "window", "failures"), 0);
    assert_int_equal(shown(STALLS, LINES("0" BEGIN("1"), "51" SHOW), "window", "failures"), 1);
    assert_int_equal(shown(STALLS, LINES("0" BEGIN("1"), "51" SHOW), "window", "slow"), 1);
    assert_int_equal(shown(STALLS, LINES("0" BEGIN("1"), "60" END("1", "ok"), "60" SHOW), "window", "calls"), 1);
    assert_int_equal(shown(STALLS, LINES("0" BEGIN("1"), "60" END("1", "ok"), "60" SHOW), "totals", "late"), 1);
    assert_int_equal(shown(STALLS, LINES("0" BEGIN("1"), "60" END("1", "ok"), "60" SHOW), "totals", "calls"), 0);
}

static void test_a_probe_s_outcome_after_its_lease_is_late(void **state)
{
    (void)state;
    const char *const late[] = {"0" TRIP, "100" BEGIN("1"), "700" END("1", "ok"), "700" SHOW, NULL};
    assert_int_equal(shown(PROBED, late, "totals", "late"), 1);
    assert_int_equal(shown(PROBED, late, "totals", "ok"), 0);
    assert_int_equal(shown(PROBED, late, "probes", "ok"), 0);
}

static void test_growth_is_forgotten_when_forget_has_passed_since_the_opening_ended(void **state)
{
    (void)state;
    const char *const settings = "open: {for: 1s, multiplier: 2.0, max: 16s, jitter: 0%, forget: 10ms}";
    assert_int_equal(shown(settings, LINES("0" TRIP, "1009" SHOW), "settings", "next_open_ms"), 2000);
    assert_int_equal(shown(settings, LINES("0" TRIP, "1010" SHOW), "settings", "next_open_ms"), 1000);
    assert_int_equal(shown(settings, LINES("0" TRIP, "1500" SHOW), "settings", "next_open_ms"), 1000);
}

/* The limits of a mode that denies nothing. */
static void test_shadow_takes_what_there_is_and_counts_what_it_would_have_denied(void **state)
{
    (void)state;
    const char *const settings = "concurrency: {max: 1}, priority: {sheddable_below: 0%, normal_below: 0%}, " PROBED;
    play(settings, LINES("0" MODE("shadow"), "0" BEGIN("1"), "0" BEGIN("2"), "1" MODE("auto"), "1" BEGIN("3")),
         "0 allow; 0 allow; 1 deny_concurrency; ");
    assert_int_equal(shown(settings, LINES("0" MODE("shadow"), "0" TRIP, "0" BEGIN("1"), "1" SHOW), "totals", "denied"),
                     1);
}

static void test_a_call_that_begins_beside_one_that_hangs_stalls_too(void **state)
{
    (void)state;
    const char *const lines[] = {"0" BEGIN("1"), "60" BEGIN("2"), "60" BEGIN("3"), "200" SHOW, NULL};
    assert_int_equal(shown(STALLS, lines, "window", "failures"), 3);
    assert_int_equal(shown(STALLS, lines, NULL, "in_flight"), 3);
}

static void test_each_of_many_slow_successes_counts_though_no_rate_of_them_is_judged(void **state)
{
    (void)state;
    const char *const lines[] = {"0,\"op\":\"record\",\"outcome\":\"ok\",\"latency_ms\":50" N(3), "0" SHOW, NULL};
    assert_int_equal(shown(STALLS, lines, "window", "calls"), 3);
    assert_int_equal(shown(STALLS, lines, "window", "slow"), 3);
}

static void test_disabled_calls_are_outside_the_limits(void **state)
{
    (void)state;
    const char *const settings = "concurrency: {max: 1}" NO_RESERVE;
    play(settings, LINES("0" MODE("disabled"), "0" BEGIN("1"), "0" BEGIN("2"), "1" MODE("auto"), "1" BEGIN("3")),
         "0 allow; 0 allow; 1 allow; ");
    assert_int_equal(
        shown(settings, LINES("0" MODE("disabled"), "0" BEGIN("1"), "0" BEGIN("2"), "1" SHOW), "totals", "denied"), 0);
}

static void test_the_bulkhead_is_asked_before_the_rate_and_neither_is_a_denial(void **state)
{
    (void)state;
    const char *const settings = "concurrency: {max: 1}, rate: {limit: 2, per: 1h}" NO_RESERVE;
    const char *const lines[] = {"0" BEGIN("1"),     "0" BEGIN("2"), "0" END("1", "ok"), "0" BEGIN("3"),
                                 "0" END("3", "ok"), "0" BEGIN("4"), "0" SHOW,           NULL};
    play(settings, lines, "0 allow; 0 deny_concurrency; 0 allow; 0 deny_rate; ");
    assert_int_equal(shown(settings, lines, "totals", "denied"), 0);
}

static void test_a_relapse_says_which_condition_held_and_an_operator_s_trip_is_none(void **state)
{
    (void)state;
    const char *const settings =
        "trip: {consecutive_failures: 2, failure_rate: 0%}, ramp: {over: 10s, steps: [100%]}, " PROBED;
    play(settings, LINES("0" TRIP, "100" CALL, "200" TRIP, "300" CALL, "301" RECORD("failure") N(2)),
         "0 closed>open operator; 100 open>half_open none; 100 probe; 100 half_open>ramping none; "
         "200 ramping>open operator; 300 open>half_open none; 300 probe; 300 half_open>ramping none; "
         "301 ramping>open relapse; ");
    struct run run = played(settings, LINES("0" TRIP, "100" CALL, "101" RECORD("failure") N(2), "101" SHOW), false);
    assert_string_equal(json_string_value(json_object_get(last(&run), "reason")), "relapse");
    assert_string_equal(json_string_value(json_object_get(last(&run), "condition")), "consecutive");
    end(&run);
}

static void test_a_half_open_breaker_ends_retries_if_every_lease_outlasts_the_delay(void **state)
{
    (void)state;
#define RETRIED ",\"op\":\"call\",\"outcome\":\"timeout\",\"latency_ms\":101,\"retry\":true"
    const char *const settings =
        "trip: {consecutive_failures: 0, failure_rate: 0%}, open: {for: 10ms, multiplier: 1.0, jitter: 0%}, "
        "half_open: {max_wait: 500ms}, retry: {attempts: 2, backoff: fixed, base: 100ms, jitter: none}";
    play(settings, LINES("0" RETRIED, "50" TRIP, "100" BEGIN("1"), "1000" RECORD("ignored")), /* leased until 640 */
         "0 allow; 50 closed>open operator; 60 open>half_open none; 100 probe; ");
    play(settings,
         LINES("0" RETRIED, "50" TRIP, "60" BEGIN("1"), "100" END("1", "cancelled"), "1000" RECORD("ignored")),
         "0 allow; 50 closed>open operator; 60 open>half_open none; 60 probe; 201 probe 2; 302 half_open>open "
         "probe_failed; 312 open>half_open none; ");
}

static void test_wall_times_are_the_traces(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", " OPEN "}]", false);
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
    struct run run = begin(
        "breakers: [{match: \"*\", trip: {consecutive_failures: 1}, open: {for: 10ms, multiplier: 1.0, jitter: 0%}}]",
        false);
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
        cmocka_unit_test(test_a_sliding_window_rounds_nothing),
        cmocka_unit_test(test_calls_of_long_ago_are_not_calls_of_now),
        cmocka_unit_test(test_a_full_half_open_breaker_may_be_tried_when_the_first_lease_ends),
        cmocka_unit_test(test_forced_open_for_a_time_hides_no_longer_open_time),
        cmocka_unit_test(test_a_mode_that_freezes_grants_no_permit),
        cmocka_unit_test(test_a_streak_of_a_frozen_time_opens_when_the_mode_ends),
        cmocka_unit_test(test_forgetting_alone_opens_nothing_and_the_next_outcome_does),
        cmocka_unit_test(test_a_reset_forgets_growth_and_makes_calls_in_flight_late),
        cmocka_unit_test(test_a_retry_whose_delay_ends_with_the_total_is_made),
        cmocka_unit_test(test_an_open_breaker_ends_retries_however_soon_it_may_be_tried),
        cmocka_unit_test(test_failures_of_a_frozen_ramp_open_at_the_end_of_its_ttl),
        cmocka_unit_test(test_calls_in_flight_are_judged_when_half_open_closes),
        cmocka_unit_test(test_the_outcome_of_a_probe_counts_however_long_it_took_within_its_lease),
        cmocka_unit_test(test_a_call_stalls_when_it_is_in_flight_for_longer),
        cmocka_unit_test(test_a_probe_s_outcome_after_its_lease_is_late),
        cmocka_unit_test(test_growth_is_forgotten_when_forget_has_passed_since_the_opening_ended),
        cmocka_unit_test(test_shadow_takes_what_there_is_and_counts_what_it_would_have_denied),
        cmocka_unit_test(test_a_call_that_begins_beside_one_that_hangs_stalls_too),
        cmocka_unit_test(test_each_of_many_slow_successes_counts_though_no_rate_of_them_is_judged),
        cmocka_unit_test(test_disabled_calls_are_outside_the_limits),
        cmocka_unit_test(test_the_bulkhead_is_asked_before_the_rate_and_neither_is_a_denial),
        cmocka_unit_test(test_a_relapse_says_which_condition_held_and_an_operator_s_trip_is_none),
        cmocka_unit_test(test_a_half_open_breaker_ends_retries_if_every_lease_outlasts_the_delay),
        cmocka_unit_test(test_wall_times_are_the_traces),
        cmocka_unit_test(test_each_step_is_told_however_many_there_are_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
