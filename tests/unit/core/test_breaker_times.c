/* A breaker measures three times: how long it spent in each state, how long it took from the first failure to open, and
 * how long it took from there to close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/breaker.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static struct breaker_settings settings;
static struct core_state core;
static const struct breaker_totals *const totals = &core.head.totals;

/* Made at 10 s, with a window of the last 100 calls. */
static int set_up(void **state)
{
    (void)state;
    breaker_settings_defaults(&settings);
    settings.open.jitter = 0;
    core_init(&core, &settings, 10 * S);
    return 0;
}

static void windows_of_time(void)
{
    settings.window.type = WINDOW_TIME;
    settings.window.span = 10 * S;
    core_init(&core, &settings, 10 * S);
}

static void calls(uint64_t at_ns, uint64_t n, enum call_kind kind)
{
    core_calls(&core, at_ns, n, kind);
}

static void opens(uint64_t at_ns, trip_reason reason)
{
    core_opened(&core, at_ns, 30 * S, reason, TRIP_REASON_NONE);
}

/* ----------------------------------------------------------------------------------------------- time in each state */

static void test_the_time_in_each_state_counts_when_the_state_is_left(void **state)
{
    (void)state;
    settings.ramp.over = 20 * S;
    opens(15 * S, TRIP_REASON_CONSECUTIVE);
    core_half_opened(&core, 45 * S);
    core_closed(&core, &settings, 47 * S);
    core_ramp_ended(&core, 67 * S);
    assert_int_equal(totals->state_ns[TRIP_STATE_CLOSED], 5 * S);
    assert_int_equal(totals->state_ns[TRIP_STATE_OPEN], 30 * S);
    assert_int_equal(totals->state_ns[TRIP_STATE_HALF_OPEN], 2 * S);
    assert_int_equal(totals->state_ns[TRIP_STATE_RAMPING], 20 * S);
    assert_int_equal(core.head.state, TRIP_STATE_CLOSED);
    assert_int_equal(core.head.state_since_ns, 67 * S);
}

static void test_a_step_that_was_taken_before_the_last_one_takes_no_time_away(void **state)
{
    (void)state;
    opens(15 * S, TRIP_REASON_OPERATOR);
    core_half_opened(&core, 14 * S);
    assert_int_equal(totals->state_ns[TRIP_STATE_OPEN], 0);
}

/* ------------------------------------------------------------------------------------------------- time to detect */

static void test_a_streak_is_detected_from_its_first_failure_on(void **state)
{
    (void)state;
    calls(11 * S, 1, CALL_FAILED); /* a success ends that streak */
    calls(12 * S, 1, CALL_SLOW);
    calls(13 * S, 2, CALL_FAILED);
    calls(14 * S, 3, CALL_FAILED_SLOW);
    opens(14 * S + 250 * MS, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(totals->detected, 1);
    assert_int_equal(totals->detect_ns, S + 250 * MS);
    assert_int_equal(core.head.last_detect_ns, S + 250 * MS);
}

static void test_a_rate_is_detected_from_the_oldest_failure_in_the_window_on(void **state)
{
    (void)state;
    calls(11 * S, 50, CALL_OK);
    calls(12 * S, 1, CALL_FAILED);
    calls(13 * S, 20, CALL_OK);
    calls(14 * S, 30, CALL_FAILED);
    opens(15 * S, TRIP_REASON_FAILURE_RATE);
    assert_int_equal(totals->detect_ns, 3 * S);
}

static void test_failures_that_a_count_window_forgot_led_to_nothing(void **state)
{
    (void)state;
    calls(11 * S, 10, CALL_FAILED);
    calls(12 * S, 95, CALL_OK); /* five of the failures are left */
    assert_int_equal(window_trouble_since(&core.window, 12 * S), 11 * S);
    calls(13 * S, 5, CALL_OK);
    assert_int_equal(window_trouble_since(&core.window, 13 * S), 0);
    calls(14 * S, 50, CALL_FAILED);
    calls(15 * S, 49, CALL_OK);
    opens(16 * S, TRIP_REASON_FAILURES);
    assert_int_equal(totals->detect_ns, 2 * S);
}

static void test_a_window_of_five_calls_knows_each_of_them(void **state)
{
    (void)state;
    settings.window.size = 5;
    core_init(&core, &settings, 10 * S);
    for (unsigned i = 0; i < 12; i++)
        calls((11 + i) * S, 1, CALL_FAILED);
    assert_int_equal(window_trouble_since(&core.window, 30 * S), 18 * S);
    calls(31 * S, 4, CALL_OK);
    assert_int_equal(window_trouble_since(&core.window, 31 * S), 22 * S);
    calls(32 * S, 1, CALL_SLOW);
    assert_int_equal(window_trouble_since(&core.window, 32 * S), 32 * S);
}

static void test_failures_that_a_time_window_forgot_led_to_nothing(void **state)
{
    (void)state;
    windows_of_time();
    calls(11 * S + 1, 1, CALL_FAILED);
    calls(13 * S + 500 * MS, 1, CALL_SLOW);
    assert_int_equal(window_trouble_since(&core.window, 20 * S), 11 * S + 1);
    assert_int_equal(window_trouble_since(&core.window, 21 * S), 13 * S + 500 * MS);
    assert_int_equal(window_trouble_since(&core.window, 24 * S), 0);
    calls(21 * S, 8, CALL_SLOW);
    opens(21 * S + 100 * MS, TRIP_REASON_SLOW_RATE);
    assert_int_equal(totals->detect_ns, 7 * S + 600 * MS);
}

static void test_a_batch_that_fills_the_window_leaves_no_time_of_before(void **state)
{
    (void)state;
    settings.window.size = 20;
    core_init(&core, &settings, 10 * S);
    calls(11 * S, 1, CALL_FAILED);
    calls(5000 * S, 20, CALL_FAILED);
    assert_int_equal(window_trouble_since(&core.window, 5000 * S), 5000 * S);
}

static void test_a_larger_window_keeps_the_times_of_the_tenth_that_is_half_written(void **state)
{
    (void)state;
    settings.window.size = 20;
    core_init(&core, &settings, 10 * S);
    calls(11 * S, 20, CALL_FAILED);
    calls(1000 * S, 1, CALL_FAILED); /* the second place of its tenth is of 11 s still */
    settings.window.size = 21;
    core_reconfigure(&core, &settings);
    assert_int_equal(window_trouble_since(&core.window, 1000 * S), 11 * S);
}

static void test_a_window_of_another_size_keeps_the_times_of_its_calls(void **state)
{
    (void)state;
    calls(11 * S, 30, CALL_OK);
    calls(12 * S, 3, CALL_FAILED);
    calls(13 * S, 3, CALL_FAILED);
    settings.window.size = 20;
    core_reconfigure(&core, &settings);
    assert_int_equal(window_trouble_since(&core.window, 14 * S), 12 * S);
}

static void test_what_no_call_led_to_was_not_detected(void **state)
{
    (void)state;
    calls(11 * S, 4, CALL_FAILED);
    opens(12 * S, TRIP_REASON_OPERATOR);
    assert_int_equal(totals->detected, 0);
}

static void test_a_probe_that_fails_is_no_detection_but_a_relapse_of_a_ramp_is(void **state)
{
    (void)state;
    settings.ramp.over = 20 * S;
    calls(11 * S, 5, CALL_FAILED);
    opens(11 * S, TRIP_REASON_CONSECUTIVE);
    core_half_opened(&core, 41 * S);
    opens(42 * S, TRIP_REASON_PROBE_FAILED);
    assert_int_equal(totals->detected, 1);
    core_half_opened(&core, 72 * S);
    core_closed(&core, &settings, 73 * S);
    calls(75 * S, 5, CALL_FAILED);
    core_opened(&core, 76 * S, 30 * S, TRIP_REASON_RELAPSE, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(totals->detected, 2);
    assert_int_equal(core.head.last_detect_ns, S);
}

static void test_what_led_to_one_opening_leads_to_no_other(void **state)
{
    (void)state;
    calls(11 * S, 5, CALL_FAILED);
    opens(12 * S, TRIP_REASON_CONSECUTIVE);
    core_half_opened(&core, 42 * S);
    core_closed(&core, &settings, 43 * S);
    calls(50 * S, 5, CALL_FAILED);
    opens(50 * S + 2 * MS, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(core.head.last_detect_ns, 2 * MS);
    assert_int_equal(totals->detect_ns, S + 2 * MS);
}

/* ------------------------------------------------------------------------------------------------ time to recover */

static void test_an_outage_lasts_from_the_first_opening_until_closed(void **state)
{
    (void)state;
    opens(15 * S, TRIP_REASON_CONSECUTIVE);
    core_half_opened(&core, 45 * S);
    opens(46 * S, TRIP_REASON_PROBE_FAILED);
    core_half_opened(&core, 106 * S);
    assert_int_equal(totals->recovered, 0);
    core_closed(&core, &settings, 107 * S);
    assert_int_equal(totals->recovered, 1);
    assert_int_equal(totals->recover_ns, 92 * S);
    assert_int_equal(core.head.last_recover_ns, 92 * S);
}

static void test_a_ramp_belongs_to_the_outage(void **state)
{
    (void)state;
    settings.ramp.over = 20 * S;
    opens(15 * S, TRIP_REASON_CONSECUTIVE);
    core_half_opened(&core, 45 * S);
    core_closed(&core, &settings, 46 * S);
    assert_int_equal(totals->recovered, 0);
    core_ramp_ended(&core, 66 * S);
    assert_int_equal(totals->recover_ns, 51 * S);
}

static void test_a_reset_ends_the_outage(void **state)
{
    (void)state;
    opens(15 * S, TRIP_REASON_CONSECUTIVE);
    core_reset(&core, &settings, 18 * S);
    core_reset(&core, &settings, 20 * S);
    assert_int_equal(totals->recovered, 1);
    assert_int_equal(totals->recover_ns, 3 * S);
}

/* ---------------------------------------------------------------------------------------------------------- probes */

static void test_probes_of_all_half_open_times_add_up(void **state)
{
    (void)state;
    core_half_opened(&core, 45 * S);
    core_probes(&core, 2, CALL_SLOW);
    core_probes(&core, 1, CALL_FAILED);
    core_half_opened(&core, 60 * S);
    core_probes(&core, 3, CALL_OK);
    assert_int_equal(totals->probes_ok, 5);
    assert_int_equal(totals->probes_failures, 1);
    assert_int_equal(totals->probes_slow, 2);
    assert_int_equal(core.head.probe_ok, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(test_##name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(the_time_in_each_state_counts_when_the_state_is_left),
        TEST(a_step_that_was_taken_before_the_last_one_takes_no_time_away),
        TEST(a_streak_is_detected_from_its_first_failure_on),
        TEST(a_rate_is_detected_from_the_oldest_failure_in_the_window_on),
        TEST(failures_that_a_count_window_forgot_led_to_nothing),
        TEST(a_window_of_five_calls_knows_each_of_them),
        TEST(failures_that_a_time_window_forgot_led_to_nothing),
        TEST(a_batch_that_fills_the_window_leaves_no_time_of_before),
        TEST(a_larger_window_keeps_the_times_of_the_tenth_that_is_half_written),
        TEST(a_window_of_another_size_keeps_the_times_of_its_calls),
        TEST(what_no_call_led_to_was_not_detected),
        TEST(a_probe_that_fails_is_no_detection_but_a_relapse_of_a_ramp_is),
        TEST(what_led_to_one_opening_leads_to_no_other),
        TEST(an_outage_lasts_from_the_first_opening_until_closed),
        TEST(a_ramp_belongs_to_the_outage),
        TEST(a_reset_ends_the_outage),
        TEST(probes_of_all_half_open_times_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
