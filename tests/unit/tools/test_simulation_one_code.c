/* What simulate once answered otherwise than tripd, when it had a second version of the rules.
 * tests/system/same_answers.sh asks tripd the same, with the same numbers (7 to 12 there). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/simulated_lines.h"

#define OPEN   "open: {for: 100ms, multiplier: 1.0, jitter: 0%}, half_open: {successes: 1, max_wait: 500ms}"
#define OFF    "consecutive_failures: 0, failure_rate: 0%"
#define STALLS "trip: {" OFF ", slow_after: 20ms, stall_after: 50ms}, " OPEN

/* 7 */
static void test_failures_of_a_frozen_ramp_open_at_the_end_of_its_ttl(void **state)
{
    (void)state;
    play("trip: {" OFF ", failures: 3}, ramp: {over: 10s, steps: [100%]}, " OPEN,
         LINES("0" TRIP, "100" CALL, "100" MODE("disabled") TTL(70), "101" RECORD("failure") N(3), "171" BEGIN("1")),
         "0 closed>open operator; 100 open>half_open none; 100 probe; 100 half_open>ramping none; "
         "170 ramping>open relapse; 171 deny_open; ");
}

/* 8 */
static void test_calls_in_flight_are_judged_when_half_open_closes(void **state)
{
    (void)state;
    play(
        "trip: {" OFF ", in_flight: 3}, " OPEN,
        LINES("0" BEGIN("1"), "0" BEGIN("2"), "0" BEGIN("3"), "100" BEGIN("4"), "110" END("4", "ok"), "111" BEGIN("5")),
        "0 allow; 0 allow; 0 closed>open in_flight; 0 allow; 100 open>half_open none; 100 probe; "
        "110 half_open>closed none; 110 closed>open in_flight; 111 deny_open; ");
}

/* 9 */
static void test_the_outcome_of_a_probe_counts_however_long_it_took_within_its_lease(void **state)
{
    (void)state;
    play(STALLS, LINES("0" TRIP, "100" BEGIN("1"), "300" END("1", "ok")),
         "0 closed>open operator; 100 open>half_open none; 100 probe; 300 half_open>closed none; ");
}

/* 10 */
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

/* 11 */
static void test_what_a_probe_says_after_its_lease_is_late(void **state)
{
    (void)state;
    const char *const late[] = {"0" TRIP, "100" BEGIN("1"), "700" END("1", "ok"), "700" SHOW, NULL};
    assert_int_equal(shown(OPEN, late, "totals", "late"), 1);
    assert_int_equal(shown(OPEN, late, "totals", "ok"), 0);
    assert_int_equal(shown(OPEN, late, "probes", "ok"), 0);
}

/* 12 */
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
    const char *const settings = "concurrency: {max: 1}, priority: {sheddable_below: 0%, normal_below: 0%}, " OPEN;
    play(settings, LINES("0" MODE("shadow"), "0" BEGIN("1"), "0" BEGIN("2"), "1" MODE("auto"), "1" BEGIN("3")),
         "0 allow; 0 allow; 1 deny_concurrency; ");
    assert_int_equal(shown(settings, LINES("0" MODE("shadow"), "0" TRIP, "0" BEGIN("1"), "1" SHOW), "totals", "denied"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_of_a_frozen_ramp_open_at_the_end_of_its_ttl),
        cmocka_unit_test(test_calls_in_flight_are_judged_when_half_open_closes),
        cmocka_unit_test(test_the_outcome_of_a_probe_counts_however_long_it_took_within_its_lease),
        cmocka_unit_test(test_a_call_stalls_when_it_is_in_flight_for_longer),
        cmocka_unit_test(test_what_a_probe_says_after_its_lease_is_late),
        cmocka_unit_test(test_growth_is_forgotten_when_forget_has_passed_since_the_opening_ended),
        cmocka_unit_test(test_shadow_takes_what_there_is_and_counts_what_it_would_have_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
