/* What the manuals promise, as simulate answers it: the same cases, with the same literal numbers, that
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
