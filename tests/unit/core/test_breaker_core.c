/* The breaker core: each trip condition, the probes' verdict, open times, ramp, with their boundaries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/breaker.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static struct breaker_settings settings;
static struct core_state core;

/* Begins with every condition off and no jitter: a test turns on the conditions that it tests. */
static int set_up(void **state)
{
    (void)state;
    breaker_settings_defaults(&settings);
    settings.trip.consecutive_failures = 0;
    settings.trip.failure_rate = 0;
    settings.open.jitter = 0;
    core_init(&core, &settings, 0);
    return 0;
}

static void reconfigured(void)
{
    core_reconfigure(&core, &settings);
}

static void ok(uint64_t n)
{
    core_calls(&core, 0, n, CALL_OK);
}

static void failed(uint64_t n)
{
    core_calls(&core, 0, n, CALL_FAILED);
}

static void slow(uint64_t n)
{
    core_calls(&core, 0, n, CALL_SLOW);
}

static void assert_moves(enum word_state from, uint64_t now_ns, uint64_t in_flight, enum word_state to,
                         trip_reason reason)
{
    const struct core_verdict verdict = core_judge(&core, &settings, from, in_flight, now_ns);
    assert_true(verdict.move);
    assert_int_equal(verdict.to, to);
    assert_int_equal(verdict.reason, reason);
}

static void assert_trips(trip_reason reason)
{
    assert_moves(WORD_CLOSED, 0, 0, WORD_OPEN, reason);
    assert_moves(WORD_RAMPING, 0, 0, WORD_OPEN, TRIP_REASON_RELAPSE);
}

static void assert_stays_in(enum word_state state)
{
    const struct core_verdict verdict = core_judge(&core, &settings, state, 0, 0);
    assert_false(verdict.move);
    assert_int_equal(verdict.reason, TRIP_REASON_NONE);
}

static void assert_stays(void)
{
    assert_stays_in(WORD_CLOSED);
    assert_stays_in(WORD_RAMPING);
}

/* ------------------------------------------------------------------------------------------------ trip conditions */

static void test_a_new_breaker_stays_closed(void **state)
{
    (void)state;
    breaker_settings_defaults(&settings);
    core_init(&core, &settings, 0);
    assert_stays();
    assert_int_equal(core.head.window_calls, 0);
    assert_int_equal(core.head.minimum_calls, 10);
    assert_int_equal(core.head.totals.opens, 0);
    assert_int_equal(core.opened_ns, CORE_NEVER);
}

static void test_conditions_that_are_off_never_trip(void **state)
{
    (void)state;
    core_calls(&core, 0, 1000, CALL_FAILED_SLOW);
    const struct core_verdict verdict = core_judge(&core, &settings, WORD_CLOSED, UINT64_MAX, 0);
    assert_false(verdict.move);
}

static void test_failures_trip_at_their_number_whatever_the_rate(void **state)
{
    (void)state;
    settings.trip.failures = 4;
    failed(3);
    ok(90);
    assert_stays();
    failed(1);
    assert_trips(TRIP_REASON_FAILURES);
}

static void test_failures_that_left_the_window_do_not_count(void **state)
{
    (void)state;
    settings.trip.failures = 4;
    failed(1);
    ok(97);
    failed(2);
    assert_stays();
    failed(1); /* the first one leaves */
    assert_stays();
    failed(1);
    assert_trips(TRIP_REASON_FAILURES);
}

static void test_failures_need_no_minimum_of_calls(void **state)
{
    (void)state;
    settings.trip.failures = 2;
    failed(2);
    assert_int_equal(core_calls_until_rate(&core.head), 8);
    assert_trips(TRIP_REASON_FAILURES);
}

static void test_the_failure_rate_counts_from_minimum_calls_on(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    failed(9);
    assert_stays();
    failed(1);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

static uint64_t calls_until_trip(uint64_t n, bool fail, bool slowly)
{
    return core_calls_until_trip(&core, &settings, 0, 0, n, call_kind(fail, slowly));
}

static void test_how_many_failures_it_takes_until_a_condition_holds(void **state)
{
    (void)state;
    settings.trip.failures = 30;
    ok(80);
    assert_int_equal(calls_until_trip(29, true, false), 0);
    assert_int_equal(calls_until_trip(30, true, false), 30);
    assert_int_equal(calls_until_trip(UINT64_C(1) << 44, true, false), 30);
    settings.trip.failure_rate = 200; /* 20 of 100 */
    assert_int_equal(calls_until_trip(1000, true, false), 20);
    assert_int_equal(calls_until_trip(1000, false, false), 0);
    settings.trip.slow_rate = 100; /* 9 of 89 */
    assert_int_equal(calls_until_trip(1000, true, true), 9);
    assert_int_equal(calls_until_trip(0, true, true), 0);
}

static void test_how_many_successes_it_takes_until_a_rate_counts(void **state)
{
    (void)state;
    settings.trip.failure_rate = 400;
    failed(4);
    assert_int_equal(calls_until_trip(5, false, false), 0);
    assert_int_equal(calls_until_trip(6, false, false), 6);
    assert_int_equal(calls_until_trip(100, false, false), 6);
    settings.trip.failure_rate = 410;
    assert_int_equal(calls_until_trip(100, false, false), 0);
}

static void test_failures_that_only_take_the_place_of_others_never_trip(void **state)
{
    (void)state;
    settings.window.size = 4096;
    settings.trip.failure_rate = 500;
    reconfigured();
    failed(2047);
    ok(2049);
    assert_int_equal(calls_until_trip(2047, true, false), 0);
    assert_int_equal(calls_until_trip(4096, true, false), 2048); /* the first that takes a success's place */
}

static void test_a_bucket_that_is_full_takes_no_call_that_could_trip(void **state)
{
    (void)state;
    settings.window.type = WINDOW_TIME;
    settings.trip.failure_rate = 500;
    reconfigured();
    ok(UINT64_C(1) << 40);
    assert_int_equal(calls_until_trip(UINT64_C(1) << 44, true, false), 0);
}

static void test_a_condition_must_hold_when_the_calls_came_and_still(void **state)
{
    (void)state;
    settings.window.type = WINDOW_TIME;
    settings.window.span = 10 * S;
    settings.trip.failure_rate = 500;
    reconfigured();
    ok(20);
    core_advance(&core, 5 * S);
    assert_int_equal(core_calls_until_trip(&core, &settings, 5 * S, 5 * S, 100, CALL_FAILED), 20);
    assert_int_equal(core_calls_until_trip(&core, &settings, 5 * S, 12 * S, 19, CALL_FAILED), 0); /* 19 of 39 */
    assert_int_equal(core_calls_until_trip(&core, &settings, 5 * S, 12 * S, 100, CALL_FAILED), 20);
    assert_int_equal(core_calls_until_trip(&core, &settings, 5 * S, 15 * S, 100, CALL_FAILED), 0); /* forgotten */
}

static uint64_t next_random(void)
{
    static uint64_t random = 88172645463325252;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
}

/* Counts n calls as if each were judged by itself. */
static uint64_t one_by_one(uint64_t n, bool fail, bool slowly)
{
    struct core_state each = core;
    for (uint64_t i = 1; i <= n; i++) {
        core_calls(&each, 0, 1, call_kind(fail, slowly));
        if (core_judge(&each, &settings, WORD_CLOSED, 0, 0).move)
            return i;
    }
    return 0;
}

static void test_equal_calls_at_once_trip_where_each_by_itself_would(void **state)
{
    unsigned trips = 0;
    for (unsigned round = 0; round < 20000; round++) {
        set_up(state);
        settings.window.type = next_random() % 2 ? WINDOW_COUNT : WINDOW_TIME;
        settings.window.size = 1 + next_random() % 150;
        settings.window.minimum_calls = 1 + next_random() % settings.window.size;
        settings.trip.failures = next_random() % 2 ? 0 : next_random() % 100;
        settings.trip.failure_rate = next_random() % 2 ? 0 : 1 + next_random() % 1000;
        settings.trip.slow_rate = next_random() % 2 ? 0 : 1 + next_random() % 1000;
        core_init(&core, &settings, 0);
        for (unsigned run = 0; run < 6; run++)
            core_calls(&core, 0, next_random() % 60, call_kind(next_random() % 2, next_random() % 2));
        const uint64_t n = next_random() % 300;
        const bool fail = next_random() % 2, slowly = next_random() % 2;
        const uint64_t until = one_by_one(n, fail, slowly);
        assert_int_equal(calls_until_trip(n, fail, slowly), until);
        trips += until > 1;
    }
    assert_true(trips > 1000);
}

static void test_a_success_can_be_the_call_that_completes_the_rate(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    failed(5);
    ok(4);
    assert_stays();
    ok(1);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

static void test_the_failure_rate_trips_at_its_value(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    ok(6);
    failed(5);
    assert_int_equal(core_failure_rate_permille(&core.head), 454);
    assert_stays();
    failed(1);
    assert_int_equal(core_failure_rate_permille(&core.head), 500);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

static void test_a_rate_of_a_fraction_of_a_percent(void **state)
{
    (void)state;
    settings.trip.failure_rate = 125;
    ok(88);
    failed(12);
    assert_stays();
    settings.window.size = 96;
    reconfigured(); /* 84 ok, 12 failed: 12.5% */
    assert_int_equal(core.head.window_calls, 96);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

static void test_a_rate_of_all(void **state)
{
    (void)state;
    settings.trip.failure_rate = 1000;
    ok(1);
    failed(99);
    assert_stays();
    failed(1);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

static void test_a_minimum_of_one_call(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    settings.window.minimum_calls = 1;
    reconfigured();
    assert_stays();
    failed(1);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

static void test_the_slow_rate_trips_at_its_value(void **state)
{
    (void)state;
    settings.trip.slow_rate = 300;
    ok(6);
    slow(3);
    assert_stays(); /* 9 calls */
    failed(2);
    assert_stays(); /* 3 of 11 */
    slow(1);
    assert_int_equal(core_slow_rate_permille(&core.head), 333);
    assert_trips(TRIP_REASON_SLOW_RATE);
}

static void test_slow_calls_are_no_failures(void **state)
{
    (void)state;
    settings.trip.failure_rate = 100;
    settings.trip.failures = 1;
    slow(100);
    assert_stays();
}

static void test_a_failed_slow_call_counts_in_both_rates(void **state)
{
    (void)state;
    settings.trip.slow_rate = 500;
    ok(5);
    core_calls(&core, 0, 5, CALL_FAILED_SLOW);
    assert_int_equal(core_failure_rate_permille(&core.head), 500);
    assert_int_equal(core_slow_rate_permille(&core.head), 500);
    assert_trips(TRIP_REASON_SLOW_RATE);
}

static void test_calls_in_flight_trip_at_their_number(void **state)
{
    (void)state;
    settings.trip.in_flight = 50;
    assert_false(core_judge(&core, &settings, WORD_CLOSED, 49, 0).move);
    assert_moves(WORD_CLOSED, 0, 50, WORD_OPEN, TRIP_REASON_IN_FLIGHT);
    assert_moves(WORD_RAMPING, 0, 50, WORD_OPEN, TRIP_REASON_RELAPSE);
    assert_false(core_judge(&core, &settings, WORD_HALF_OPEN, 50, 0).move);
}

static void test_of_several_conditions_the_first_of_the_list_is_the_reason(void **state)
{
    (void)state;
    settings.trip.failures = 5;
    settings.trip.failure_rate = 500;
    settings.trip.slow_rate = 500;
    settings.trip.in_flight = 1;
    core_calls(&core, 0, 10, CALL_FAILED_SLOW);
    assert_moves(WORD_CLOSED, 0, 1, WORD_OPEN, TRIP_REASON_FAILURES);
    settings.trip.failures = 0;
    assert_moves(WORD_CLOSED, 0, 1, WORD_OPEN, TRIP_REASON_FAILURE_RATE);
    settings.trip.failure_rate = 0;
    assert_moves(WORD_CLOSED, 0, 1, WORD_OPEN, TRIP_REASON_SLOW_RATE);
    settings.trip.slow_rate = 0;
    assert_moves(WORD_CLOSED, 0, 1, WORD_OPEN, TRIP_REASON_IN_FLIGHT);
}

static void test_conditions_judge_closed_and_ramping_alone(void **state)
{
    (void)state;
    settings.trip.failures = 1;
    failed(100);
    assert_stays_in(WORD_OPEN);
    assert_stays_in(WORD_HALF_OPEN);
    assert_stays_in(WORD_PROBING);
    assert_stays_in(WORD_UNSET);
}

static void test_the_same_image_gives_the_same_answer(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    failed(10);
    struct core_state copy;
    memcpy(&copy, &core, sizeof(copy));
    assert_trips(TRIP_REASON_FAILURE_RATE);
    assert_trips(TRIP_REASON_FAILURE_RATE); /* asking moves nothing */
    assert_memory_equal(&copy, &core, sizeof(copy));
    memset(&core, 0, sizeof(core));
    memcpy(&core, &copy, sizeof(copy));
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

/* -------------------------------------------------------------------------------------------------- time windows */

static void use_time_window(uint64_t span_ns)
{
    settings.window.type = WINDOW_TIME;
    settings.window.span = span_ns;
    core_init(&core, &settings, 0);
}

static void test_a_time_window_is_judged_at_the_time_asked(void **state)
{
    (void)state;
    settings.trip.failures = 3;
    use_time_window(10 * S);
    core_calls(&core, 5 * S, 3, CALL_FAILED);
    assert_moves(WORD_CLOSED, 14 * S, 0, WORD_OPEN, TRIP_REASON_FAILURES);
    assert_false(core_judge(&core, &settings, WORD_CLOSED, 0, 15 * S).move);
}

static void test_a_time_window_that_forgot_below_the_minimum_has_no_rate(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    use_time_window(10 * S);
    core_calls(&core, 1 * S, 2, CALL_OK);
    core_calls(&core, 4 * S, 8, CALL_FAILED);
    assert_moves(WORD_CLOSED, 4 * S, 0, WORD_OPEN, TRIP_REASON_FAILURE_RATE);
    assert_false(core_judge(&core, &settings, WORD_CLOSED, 0, 11 * S).move);
}

static void test_forgetting_alone_completes_no_condition(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    use_time_window(10 * S);
    core_calls(&core, 1 * S, 12, CALL_OK);
    core_calls(&core, 5 * S, 10, CALL_FAILED); /* 10 of 22 */
    assert_false(core_judge(&core, &settings, WORD_CLOSED, 0, 5 * S).move);
    assert_false(core_judge(&core, &settings, WORD_CLOSED, 0, 11 * S).move); /* 10 of 10 are left */
    core_show(&core, 11 * S);
    assert_int_equal(core_failure_rate_permille(&core.head), 1000);
    assert_false(core_judge(&core, &settings, WORD_CLOSED, 0, 11 * S).move);
    core_calls(&core, 12 * S, 1, CALL_OK); /* 10 of 11: an outcome came */
    assert_moves(WORD_CLOSED, 12 * S, 0, WORD_OPEN, TRIP_REASON_FAILURE_RATE);
}

static void test_the_shown_sums_leave_out_what_the_window_forgot(void **state)
{
    (void)state;
    use_time_window(10 * S);
    core_calls(&core, 1 * S, 12, CALL_FAILED_SLOW);
    assert_int_equal(core_failure_rate_permille(&core.head), 1000);
    core_show(&core, 11 * S);
    assert_int_equal(core.head.window_calls, 0);
    assert_int_equal(core.head.window_failures, 0);
    assert_int_equal(core.head.window_slow, 0);
    assert_int_equal(core_failure_rate_permille(&core.head), -1);
    assert_int_equal(core_calls_until_rate(&core.head), 10);
}

/* ------------------------------------------------------------------------------------- half-open: verdict successes */

static void half_open(void)
{
    core_opened(&core, 0, settings.open.span, TRIP_REASON_CONSECUTIVE, TRIP_REASON_NONE);
    core_half_opened(&core, 30 * S);
}

static void assert_verdict(enum word_state to, trip_reason reason)
{
    assert_moves(WORD_HALF_OPEN, 30 * S, 0, to, reason);
    assert_int_equal(core_probes_wanted(&core, &settings), 0);
}

static void assert_wants(uint32_t probes)
{
    assert_stays_in(WORD_HALF_OPEN);
    assert_int_equal(core_probes_wanted(&core, &settings), probes);
}

static void test_three_good_probes_close(void **state)
{
    (void)state;
    half_open();
    assert_wants(1);
    core_probes(&core, 1, CALL_OK);
    assert_wants(1);
    core_probes(&core, 1, CALL_SLOW); /* slow is good */
    assert_wants(1);
    core_probes(&core, 1, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

static void test_the_first_failed_probe_reopens(void **state)
{
    (void)state;
    half_open();
    core_probes(&core, 2, CALL_OK);
    core_probes(&core, 1, CALL_FAILED);
    assert_verdict(WORD_OPEN, TRIP_REASON_PROBE_FAILED);
    core_probes(&core, 1, CALL_OK); /* a third good one comes too late */
    assert_verdict(WORD_OPEN, TRIP_REASON_PROBE_FAILED);
}

static void test_no_more_probes_than_the_successes_still_need(void **state)
{
    (void)state;
    settings.half_open.permits = 8;
    settings.half_open.successes = 3;
    half_open();
    assert_wants(3);
    core_probes(&core, 1, CALL_OK);
    assert_wants(2);
    settings.half_open.permits = 1;
    assert_wants(1);
}

static void test_half_open_begins_with_no_probes_counted(void **state)
{
    (void)state;
    half_open();
    core_probes(&core, 2, CALL_SLOW);
    core_probes(&core, 1, CALL_FAILED);
    core_opened(&core, 31 * S, 60 * S, TRIP_REASON_PROBE_FAILED, TRIP_REASON_NONE);
    core_half_opened(&core, 91 * S);
    assert_int_equal(core.head.probe_ok, 0);
    assert_int_equal(core.head.probe_failures, 0);
    assert_int_equal(core.head.probe_slow, 0);
    assert_wants(1);
}

static void test_the_window_says_nothing_about_a_half_open_breaker(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    failed(100);
    half_open();
    assert_stays_in(WORD_HALF_OPEN);
    core_probes(&core, 3, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

static void test_closing_with_a_ramp_ramps(void **state)
{
    (void)state;
    settings.ramp.over = 10 * S;
    half_open();
    core_probes(&core, 3, CALL_OK);
    assert_verdict(WORD_RAMPING, TRIP_REASON_NONE);
    settings.ramp.step_count = 0;
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

/* ------------------------------------------------------------------------------------------ half-open: verdict rate */

static void half_open_by_rate(uint64_t failure_rate, uint64_t slow_rate, uint64_t sample)
{
    settings.half_open.verdict = PROBE_VERDICT_RATE;
    settings.half_open.sample = sample;
    settings.half_open.permits = 64;
    settings.trip.failure_rate = failure_rate;
    settings.trip.slow_rate = slow_rate;
    half_open();
}

static void test_a_sample_is_good_as_soon_as_failures_cannot_reach_the_rate(void **state)
{
    (void)state;
    half_open_by_rate(500, 0, 10);
    assert_wants(10);
    core_probes(&core, 5, CALL_OK);
    assert_wants(5); /* five failures would be 50% */
    core_probes(&core, 1, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

static void test_a_sample_is_bad_as_soon_as_the_rate_is_certain(void **state)
{
    (void)state;
    half_open_by_rate(500, 0, 10);
    core_probes(&core, 4, CALL_FAILED);
    assert_wants(6);
    core_probes(&core, 5, CALL_OK);
    assert_wants(1); /* 4 of 9: the last one decides */
    core_probes(&core, 1, CALL_FAILED);
    assert_verdict(WORD_OPEN, TRIP_REASON_PROBE_FAILED);
}

static void test_the_last_of_a_sample_can_close_too(void **state)
{
    (void)state;
    half_open_by_rate(500, 0, 10);
    core_probes(&core, 4, CALL_FAILED);
    core_probes(&core, 6, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

static void test_five_failures_at_once_end_a_sample_of_ten(void **state)
{
    (void)state;
    half_open_by_rate(500, 0, 10);
    core_probes(&core, 5, CALL_FAILED);
    assert_verdict(WORD_OPEN, TRIP_REASON_PROBE_FAILED);
}

static void test_a_sample_with_a_rate_that_does_not_divide_it(void **state)
{
    (void)state;
    half_open_by_rate(334, 0, 10); /* reached by 4 of 10, not by 3 */
    core_probes(&core, 3, CALL_FAILED);
    assert_wants(7);
    core_probes(&core, 6, CALL_OK);
    assert_wants(1);
    core_probes(&core, 1, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

static void test_slow_probes_are_judged_by_the_slow_rate(void **state)
{
    (void)state;
    half_open_by_rate(500, 200, 10);
    core_probes(&core, 1, CALL_SLOW);
    core_probes(&core, 8, CALL_OK);
    assert_wants(1); /* one more slow one would be 20% */
    core_probes(&core, 1, CALL_SLOW);
    assert_verdict(WORD_OPEN, TRIP_REASON_PROBE_FAILED);
}

static void test_a_sample_of_one(void **state)
{
    (void)state;
    half_open_by_rate(1000, 0, 1);
    assert_wants(1);
    core_probes(&core, 1, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
    half_open();
    core_probes(&core, 1, CALL_FAILED);
    assert_verdict(WORD_OPEN, TRIP_REASON_PROBE_FAILED);
}

static void test_no_more_probes_than_the_sample_still_needs(void **state)
{
    (void)state;
    half_open_by_rate(500, 0, 10);
    settings.half_open.permits = 4;
    assert_wants(4);
    core_probes(&core, 4, CALL_FAILED);
    core_probes(&core, 3, CALL_OK);
    assert_wants(3);
    core_probes(&core, 1, CALL_OK);
    assert_wants(2);
}

static void test_more_answers_than_the_sample_still_give_a_verdict(void **state)
{
    (void)state;
    half_open_by_rate(500, 0, 4);
    core_probes(&core, 9, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

static void test_a_sample_judged_by_no_rate_waits_for_a_probe(void **state)
{
    (void)state;
    half_open_by_rate(0, 0, 10); /* config refuses it; a reload of rates alone can bring it about */
    assert_wants(10);
    core_probes(&core, 1, CALL_OK);
    assert_verdict(WORD_CLOSED, TRIP_REASON_NONE);
}

/* ----------------------------------------------------------------------------------------------- how long it opens */

/* A trip at now_ns: how long it opens before jitter. */
static uint64_t trip_at(uint64_t now_ns)
{
    uint64_t unjittered_ns;
    core_next_open_ns(&core, &settings, now_ns, 0, &unjittered_ns);
    core_opened(&core, now_ns, unjittered_ns, TRIP_REASON_CONSECUTIVE, TRIP_REASON_NONE);
    return unjittered_ns;
}

static void test_open_times_grow_and_are_capped(void **state)
{
    (void)state;
    assert_int_equal(trip_at(0), 30 * S);
    assert_int_equal(trip_at(31 * S), 60 * S);
    assert_int_equal(trip_at(100 * S), 120 * S);
    assert_int_equal(trip_at(250 * S), 240 * S);
    assert_int_equal(trip_at(500 * S), 300 * S);
    assert_int_equal(trip_at(900 * S), 300 * S);
}

static void test_growth_is_forgotten_once_forget_has_passed_since_the_last_opening_ended(void **state)
{
    (void)state;
    assert_int_equal(trip_at(0), 30 * S);
    core_half_opened(&core, 30 * S);
    assert_int_equal(trip_at(630 * S - 1), 60 * S);
    core_half_opened(&core, 690 * S);
    assert_int_equal(trip_at(1290 * S), 30 * S);
    core_half_opened(&core, 1320 * S);
    assert_int_equal(trip_at(1321 * S), 60 * S);
}

static void test_growth_is_not_forgotten_while_open_however_short_forget_is(void **state)
{
    (void)state;
    static const uint64_t lasts[] = {10 * S, 20 * S, 40 * S, 80 * S, 160 * S, 300 * S, 300 * S};
    uint64_t now_ns = 0;
    settings.open.span = 10 * S;
    settings.open.forget = 60 * S;
    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
        assert_int_equal(trip_at(now_ns), lasts[i]);
        assert_int_equal(core_growth_until_ns(&core, &settings), CORE_NEVER);
        now_ns += lasts[i];
        core_half_opened(&core, now_ns); /* and its probe fails at once */
        assert_int_equal(core_growth_until_ns(&core, &settings), now_ns + 60 * S);
    }
}

static void test_an_operators_trip_of_an_open_breaker_grows(void **state)
{
    (void)state;
    settings.open.forget = 1 * S;
    assert_int_equal(trip_at(0), 30 * S);
    assert_int_equal(trip_at(20 * S), 60 * S);
}

static void test_closing_keeps_the_growth(void **state)
{
    (void)state;
    assert_int_equal(trip_at(0), 30 * S);
    core_half_opened(&core, 30 * S);
    core_closed(&core, &settings, 31 * S);
    assert_int_equal(trip_at(40 * S), 60 * S);
}

static void test_forget_zero_never_grows(void **state)
{
    (void)state;
    settings.open.forget = 0;
    assert_int_equal(trip_at(5 * S), 30 * S);
    assert_int_equal(trip_at(5 * S), 30 * S);
    assert_int_equal(trip_at(36 * S), 30 * S);
}

static void test_a_multiplier_of_one_never_grows(void **state)
{
    (void)state;
    settings.open.multiplier = 1000;
    assert_int_equal(trip_at(0), 30 * S);
    assert_int_equal(trip_at(31 * S), 30 * S);
}

static void test_a_multiplier_of_one_and_a_half(void **state)
{
    (void)state;
    settings.open.multiplier = 1500;
    assert_int_equal(trip_at(0), 30 * S);
    assert_int_equal(trip_at(31 * S), 45 * S);
    assert_int_equal(trip_at(80 * S), 67500 * MS);
    assert_int_equal(trip_at(150 * S), 101250 * MS);
}

static void test_the_first_opening_is_capped_too(void **state)
{
    (void)state;
    settings.open.max = 10 * S;
    assert_int_equal(trip_at(0), 10 * S);
    assert_int_equal(trip_at(11 * S), 10 * S);
}

static void test_growth_goes_on_from_the_time_before_jitter(void **state)
{
    (void)state;
    uint64_t unjittered_ns;
    settings.open.jitter = 500;
    assert_int_equal(core_next_open_ns(&core, &settings, 0, 0, &unjittered_ns), 15 * S);
    assert_int_equal(unjittered_ns, 30 * S);
    core_opened(&core, 0, unjittered_ns, TRIP_REASON_CONSECUTIVE, TRIP_REASON_NONE);
    assert_int_equal(core_next_open_ns(&core, &settings, 16 * S, 0, &unjittered_ns), 30 * S);
    assert_int_equal(unjittered_ns, 60 * S);
}

static void test_a_longer_open_time_by_reload_holds_at_once(void **state)
{
    (void)state;
    trip_at(0);
    settings.open.span = 100 * S;
    assert_int_equal(trip_at(31 * S), 100 * S);
    settings.open.span = 1 * S;
    assert_int_equal(trip_at(140 * S), 200 * S);
}

static void test_jitter_spreads_evenly_both_ways(void **state)
{
    (void)state;
    uint64_t unjittered_ns;
    settings.open.jitter = 100;
    assert_int_equal(core_next_open_ns(&core, &settings, 0, 0, &unjittered_ns), 27 * S);
    assert_int_equal(core_next_open_ns(&core, &settings, 0, UINT64_C(1) << 63, &unjittered_ns), 30 * S);
    assert_int_equal(core_next_open_ns(&core, &settings, 0, UINT64_MAX, &unjittered_ns), 33 * S);
    assert_int_equal(unjittered_ns, 30 * S);

    unsigned tenths[10] = {0};
    uint64_t random = 1;
    for (int i = 0; i < 10000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t open_ns = core_next_open_ns(&core, &settings, 0, random, &unjittered_ns);
        assert_in_range(open_ns, 27 * S, 33 * S);
        const uint64_t tenth = (open_ns - 27 * S) / (600 * MS);
        tenths[tenth < 10 ? tenth : 9]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 900, 1100);
}

static void test_jitter_comes_after_the_cap(void **state)
{
    (void)state;
    uint64_t unjittered_ns;
    settings.open.jitter = 100;
    settings.open.span = 300 * S;
    assert_int_equal(core_next_open_ns(&core, &settings, 0, UINT64_MAX, &unjittered_ns), 330 * S);
    assert_int_equal(core_longest_open_ns(&settings), 330 * S);
}

static void test_an_opening_lasts_a_millisecond_at_least(void **state)
{
    (void)state;
    uint64_t unjittered_ns;
    settings.open.jitter = 1000;
    assert_int_equal(core_next_open_ns(&core, &settings, 0, 0, &unjittered_ns), 1 * MS);
    assert_int_equal(core_next_open_ns(&core, &settings, 0, UINT64_MAX, &unjittered_ns), 60 * S);
}

static void test_the_largest_settings_do_not_overflow(void **state)
{
    (void)state;
    uint64_t unjittered_ns;
    settings.open.span = settings.open.max = settings.open.forget = SETTINGS_OPEN_MAX;
    settings.open.multiplier = 1000000;
    settings.open.jitter = 1000;
    trip_at(1);
    assert_int_equal(core_next_open_ns(&core, &settings, 2, UINT64_MAX, &unjittered_ns), 2 * SETTINGS_OPEN_MAX);
    assert_int_equal(unjittered_ns, 2592000 * S);
}

/* ------------------------------------------------------------------------------------------------- the state moved */

static void test_openings_are_counted_by_reason(void **state)
{
    (void)state;
    core_opened(&core, 0, 30 * S, TRIP_REASON_CONSECUTIVE, TRIP_REASON_NONE);
    core_half_opened(&core, 30 * S);
    core_opened(&core, 31 * S, 60 * S, TRIP_REASON_PROBE_FAILED, TRIP_REASON_NONE);
    core_half_opened(&core, 91 * S);
    core_opened(&core, 92 * S, 120 * S, TRIP_REASON_PROBE_FAILED, TRIP_REASON_NONE);
    assert_int_equal(core.head.totals.opens, 3);
    assert_int_equal(core.head.totals.trips[TRIP_REASON_CONSECUTIVE], 1);
    assert_int_equal(core.head.totals.trips[TRIP_REASON_PROBE_FAILED], 2);
    assert_int_equal(core.head.totals.trips[TRIP_REASON_RELAPSE], 0);
}

static void test_time_spent_open_counts_when_the_opening_ended(void **state)
{
    (void)state;
    core_opened(&core, 0, 30 * S, TRIP_REASON_CONSECUTIVE, TRIP_REASON_NONE); /* also at time 0 */
    assert_int_equal(core.head.totals.state_ns[TRIP_STATE_OPEN], 0 * MS);
    core_half_opened(&core, 30 * S);
    assert_int_equal(core.head.totals.state_ns[TRIP_STATE_OPEN], 30000 * MS);
    core_opened(&core, 40 * S, 30 * S, TRIP_REASON_PROBE_FAILED, TRIP_REASON_NONE);
    core_opened(&core, 45 * S, 30 * S, TRIP_REASON_OPERATOR, TRIP_REASON_NONE); /* opened again while open */
    assert_int_equal(core.head.totals.state_ns[TRIP_STATE_OPEN], 35000 * MS);
    core_closed(&core, &settings, 46 * S + 500 * MS);
    assert_int_equal(core.head.totals.state_ns[TRIP_STATE_OPEN], 36500 * MS);
    core_half_opened(&core, 60 * S);
    core_closed(&core, &settings, 70 * S);
    assert_int_equal(core.head.totals.state_ns[TRIP_STATE_OPEN], 36500 * MS);
}

static void test_closing_empties_window_and_probes(void **state)
{
    (void)state;
    failed(50);
    half_open();
    core_probes(&core, 3, CALL_SLOW);
    assert_int_equal(core.head.window_failures, 50); /* shown until then: why it opened */
    core_closed(&core, &settings, 31 * S);
    assert_int_equal(core.head.window_calls, 0);
    assert_int_equal(core.head.window_failures, 0);
    assert_int_equal(core.head.probe_ok, 0);
    assert_int_equal(core.head.probe_slow, 0);
    assert_int_equal(core.ramp_end_ns, 0);
    ok(4);
    assert_int_equal(core.head.window_calls, 4);
}

static void test_reset_is_as_new_but_for_totals(void **state)
{
    (void)state;
    core.head.totals.calls = 77;
    settings.ramp.over = 10 * S;
    failed(50);
    trip_at(5 * S);
    core_reset(&core, &settings, 15 * S);
    assert_int_equal(core.head.totals.calls, 77);
    assert_int_equal(core.head.totals.opens, 1);
    assert_int_equal(core.head.totals.state_ns[TRIP_STATE_OPEN], 10000 * MS);
    assert_int_equal(core.head.window_calls, 0);
    assert_int_equal(core.opened_ns, CORE_NEVER);
    assert_int_equal(core.ramp_end_ns, 0);
    assert_int_equal(trip_at(16 * S), 30 * S); /* growth is gone */
}

static void test_reconfiguring_keeps_what_fits_and_judges_by_the_new(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    ok(50);
    failed(20);
    core.head.totals.failures = 20;
    trip_at(3 * S);
    assert_stays();
    settings.window.size = 40;
    settings.window.minimum_calls = 40;
    reconfigured();
    assert_int_equal(core.head.window_calls, 40);
    assert_int_equal(core.head.window_failures, 20);
    assert_int_equal(core.head.minimum_calls, 40);
    assert_int_equal(core.head.totals.failures, 20);
    assert_int_equal(core.opened_ns, 3 * S);
    assert_int_equal(core.last_open_ns, 30 * S);
    assert_trips(TRIP_REASON_FAILURE_RATE);
}

/* -------------------------------------------------------------------------------------------------------- the ramp */

static void assert_ramp(uint64_t now_ns, uint32_t permille, uint64_t next_ns)
{
    uint64_t next;
    assert_int_equal(core_ramp_permille(&core, &settings, now_ns, &next), permille);
    assert_int_equal(next, next_ns);
}

static void test_a_ramp_rises_in_equal_parts(void **state)
{
    (void)state;
    settings.ramp.over = 40 * S;
    core_closed(&core, &settings, 100 * S);
    assert_int_equal(core.ramp_end_ns, 140 * S);
    assert_ramp(100 * S, 100, 110 * S);
    assert_ramp(110 * S - 1, 100, 110 * S);
    assert_ramp(110 * S, 250, 120 * S);
    assert_ramp(120 * S, 500, 130 * S);
    assert_ramp(130 * S, 1000, 140 * S);
    assert_ramp(140 * S - 1, 1000, 140 * S);
    assert_ramp(140 * S, 1000, 140 * S);
    assert_ramp(500 * S, 1000, 140 * S);
}

static void test_a_ramp_whose_steps_do_not_divide_its_time(void **state)
{
    (void)state;
    settings.ramp.over = 100;
    settings.ramp.step_count = 3;
    core_closed(&core, &settings, 1000);
    uint64_t now = 1000, next;
    static const uint64_t at[] = {1034, 1067, 1100};
    for (int step = 0; step < 3; step++) {
        assert_int_equal(core_ramp_permille(&core, &settings, now, &next), settings.ramp.steps[step]);
        assert_int_equal(next, at[step]);
        assert_int_equal(core_ramp_permille(&core, &settings, next - 1, &now), settings.ramp.steps[step]);
        now = next;
    }
}

static void test_a_ramp_goes_on_in_the_steps_of_a_reload(void **state)
{
    (void)state;
    settings.ramp.over = 40 * S;
    core_closed(&core, &settings, 100 * S);
    settings.ramp.step_count = 2;
    settings.ramp.steps[0] = 300;
    settings.ramp.steps[1] = 700;
    assert_ramp(110 * S, 300, 120 * S);
    assert_ramp(120 * S, 700, 140 * S);
    settings.ramp.step_count = 0;
    assert_ramp(120 * S, 1000, 140 * S);
}

static void test_the_end_of_a_ramp_keeps_the_window(void **state)
{
    (void)state;
    settings.ramp.over = 40 * S;
    core_closed(&core, &settings, 100 * S);
    failed(7);
    core_ramp_ended(&core, 110 * S);
    assert_int_equal(core.ramp_end_ns, 0);
    assert_int_equal(core.head.window_failures, 7);
    assert_ramp(120 * S, 1000, 0);
}

static void test_reopening_ends_the_ramp(void **state)
{
    (void)state;
    settings.ramp.over = 40 * S;
    core_closed(&core, &settings, 100 * S);
    core_opened(&core, 105 * S, 30 * S, TRIP_REASON_RELAPSE, TRIP_REASON_NONE);
    assert_int_equal(core.ramp_end_ns, 0);
    assert_int_equal(core.head.totals.trips[TRIP_REASON_RELAPSE], 1);
}

/* ---------------------------------------------------------------------------------------------- which failures ring */

static uint64_t until_trip(void)
{
    return core_failures_until_trip(&core, &settings, 0, 0);
}

static void test_a_new_breaker_can_wait_for_the_failures_that_its_minimum_of_calls_needs(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    settings.window.minimum_calls = 10;
    assert_int_equal(until_trip(), 5); /* of 10 calls */
    failed(2);
    assert_int_equal(until_trip(), 3);
}

static void test_a_full_window_can_wait_for_half_of_its_calls(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    ok(99);
    failed(1);
    assert_int_equal(until_trip(), 49); /* of 100 calls */
}

static void test_the_nearest_of_all_conditions_says_which_failure_may_trip(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    settings.trip.slow_rate = 300;
    settings.trip.failures = 40;
    ok(100);
    assert_int_equal(until_trip(), 30); /* that are slow */
    slow(20);
    assert_int_equal(until_trip(), 10);
    settings.trip.failures = 7;
    assert_int_equal(until_trip(), 7);
}

static void test_without_a_condition_over_the_window_no_failure_trips(void **state)
{
    (void)state;
    failed(3);
    slow(2);
    assert_true(until_trip() == CORE_NEVER);
}

static void test_where_successes_could_complete_a_condition_the_next_failure_may(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    failed(5);
    assert_int_equal(until_trip(), 1);
}

static void test_failures_until_a_trip_allow_for_what_the_window_will_forget(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    settings.window.type = WINDOW_TIME;
    settings.window.span = 10 * S;
    reconfigured();
    core_calls(&core, 0, 100, CALL_OK);
    core_calls(&core, 5 * S, 20, CALL_OK);
    assert_int_equal(core_failures_until_trip(&core, &settings, 5 * S, 6 * S), 60);  /* of 120 calls */
    assert_int_equal(core_failures_until_trip(&core, &settings, 5 * S, 10 * S), 10); /* of 20 */
    assert_int_equal(core_failures_until_trip(&core, &settings, 5 * S, 100 * S), 5); /* of the minimum, 10 */
}

static uint64_t random_word = 42;

static uint64_t random_below(uint64_t end)
{
    random_word = random_word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_word >> 33) % end;
}

static void draw_settings(void)
{
    settings.trip.failures = random_below(3) ? 0 : 1 + random_below(20);
    settings.trip.failure_rate = random_below(3) ? 1 + random_below(1000) : 0;
    settings.trip.slow_rate = random_below(2) ? 1 + random_below(1000) : 0;
    settings.window.type = random_below(2) ? WINDOW_TIME : WINDOW_COUNT;
    settings.window.size = 1 + random_below(30);
    settings.window.span = 10 * S;
    settings.window.minimum_calls = 1 + random_below(30);
}

/* Makes a call: mostly successes, or mostly failures, or in between. *ret_told: an event tells of the call. */
static uint64_t call_at_random(uint64_t now_ns, unsigned percent_told, bool *ret_told)
{
    const uint64_t at_ns = now_ns + random_below(4) / 3 * random_below(S / 2);
    const bool told = random_below(100) < percent_told;
    const unsigned kind = told ? 1 + (unsigned)random_below(3) : 0;
    core_calls(&core, at_ns, 1, call_kind(kind & 1, kind & 2));
    *ret_told = told;
    return at_ns;
}

/* Plays calls until a condition holds, or for `until_ns`. Returns how many events told until then. */
static uint64_t told_until_it_trips(uint64_t now_ns, uint64_t until_ns, bool *ret_tripped)
{
    const unsigned percent = 10 + 30 * (unsigned)random_below(4);
    uint64_t told = 0;
    for (unsigned i = 0; i < 60 && now_ns <= until_ns; i++) {
        *ret_tripped = core_judge(&core, &settings, WORD_CLOSED, 0, now_ns).move;
        if (*ret_tripped)
            return told;
        bool one;
        now_ns = call_at_random(now_ns, percent, &one);
        told += one;
    }
    *ret_tripped = now_ns <= until_ns && core_judge(&core, &settings, WORD_CLOSED, 0, now_ns).move;
    return told;
}

/* Makes a closed breaker with a past. False: it would be open. */
static bool draw_past(uint64_t *ret_now_ns)
{
    const unsigned percent = (unsigned)random_below(60);
    bool told;
    draw_settings();
    core_init(&core, &settings, 0);
    *ret_now_ns = 0;
    for (uint64_t calls = random_below(60); calls > 0; calls--)
        *ret_now_ns = call_at_random(*ret_now_ns, percent, &told);
    core_advance(&core, *ret_now_ns);
    return !core_judge(&core, &settings, WORD_CLOSED, 0, *ret_now_ns).move;
}

static void test_no_condition_holds_before_as_many_failures_as_were_said(void **state)
{
    (void)state;
    unsigned trips = 0, exact = 0, by_success = 0;
    for (unsigned run = 0; run < 200000; run++) {
        uint64_t now_ns;
        if (!draw_past(&now_ns))
            continue;
        const uint64_t until_ns = now_ns + random_below(12) * S;
        const uint64_t least = core_failures_until_trip(&core, &settings, now_ns, until_ns);
        const bool ticks = core_wants_tick(&core, &settings, WORD_CLOSED, now_ns);
        bool tripped;
        const uint64_t told = told_until_it_trips(now_ns, until_ns, &tripped);
        if (!tripped)
            continue;
        if (told == 0)
            assert_true(ticks); /* the tick sees it */
        else
            assert_true(told >= least);
        trips++;
        exact += told == least;
        by_success += told == 0;
    }
    assert_true(trips > 20000);
    assert_true(exact > 2000);
    assert_true(by_success > 100);
}

/* -------------------------------------------------------------------------------------------------------- the tick */

static bool wants_tick_at(uint64_t now_ns)
{
    const bool closed = core_wants_tick(&core, &settings, WORD_CLOSED, now_ns);
    assert_int_equal(core_wants_tick(&core, &settings, WORD_RAMPING, now_ns), closed);
    assert_false(core_wants_tick(&core, &settings, WORD_OPEN, now_ns));
    assert_false(core_wants_tick(&core, &settings, WORD_HALF_OPEN, now_ns));
    assert_false(core_wants_tick(&core, &settings, WORD_PROBING, now_ns));
    return closed;
}

static bool wants_tick(void)
{
    return wants_tick_at(0);
}

static void test_no_tick_without_failures(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    settings.trip.slow_rate = 500;
    assert_false(wants_tick());
    ok(5);
    assert_false(wants_tick());
}

static void test_a_tick_while_successes_could_complete_the_minimum(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    failed(4);
    assert_false(wants_tick()); /* 4 of 10 at best */
    failed(1);
    assert_true(wants_tick());
    ok(4);
    assert_true(wants_tick());
    ok(1); /* 5 of 10: it trips */
    assert_false(wants_tick());
}

static void test_a_tick_for_slow_calls_likewise(void **state)
{
    (void)state;
    settings.trip.slow_rate = 200;
    slow(1);
    assert_false(wants_tick());
    slow(1);
    assert_true(wants_tick());
    settings.trip.slow_rate = 0;
    assert_false(wants_tick());
}

static void test_no_tick_for_the_number_of_failures(void **state)
{
    (void)state;
    settings.trip.failures = 5;
    failed(4);
    assert_false(wants_tick());
}

static void test_a_tick_while_calls_in_flight_are_limited(void **state)
{
    (void)state;
    settings.trip.in_flight = 10;
    assert_false(wants_tick());
    core.head.in_flight = 1;
    assert_true(wants_tick());
    settings.trip.in_flight = 0;
    assert_false(wants_tick());
}

static void test_a_tick_while_a_time_window_could_forget_into_a_trip(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    use_time_window(10 * S);
    core_calls(&core, 1 * S, 100, CALL_OK);
    core_calls(&core, 2 * S, 4, CALL_FAILED);
    assert_false(wants_tick()); /* 4 of 10 at best, when the hundred are forgotten */
    core_calls(&core, 3 * S, 1, CALL_FAILED);
    assert_true(wants_tick());
    core_calls(&core, 4 * S, 6, CALL_OK);
    assert_false(wants_tick()); /* 5 of 11 */
    core_calls(&core, 5 * S, 20, CALL_FAILED);
    assert_true(wants_tick());
    assert_true(wants_tick_at(14 * S));
    assert_false(wants_tick_at(15 * S)); /* all is forgotten */
}

static void test_no_tick_where_the_next_success_brings_the_rate_below(void **state)
{
    (void)state;
    settings.trip.failure_rate = 500;
    use_time_window(10 * S);
    core_calls(&core, 1 * S, 100, CALL_OK);
    core_calls(&core, 2 * S, 10, CALL_FAILED);
    core_calls(&core, 3 * S, 9, CALL_OK);
    assert_true(wants_tick()); /* 10 of 20 with the next one, when the hundred are forgotten */
    core_calls(&core, 4 * S, 1, CALL_OK);
    assert_false(wants_tick()); /* 10 of 21 */
}

/* The tick's promise: while it is not wanted, no number of successes and no passing of time makes a breaker trip. */
static void test_without_a_tick_nothing_trips_by_itself(void **state)
{
    (void)state;
    uint64_t random = 7;
    unsigned quiet = 0, trips = 0;
    settings.trip.failure_rate = 400;
    settings.window.minimum_calls = 8;
    for (int round = 0; round < 3000; round++) {
        use_time_window(10 * S);
        uint64_t now = S;
        for (int i = 0; i < 6; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            now += (random >> 40) % 3 * S;
            core_calls(&core, now, (random >> 50) % 4, call_kind((random >> 60) & 1, false));
        }
        if (core_judge(&core, &settings, WORD_CLOSED, 0, now).move)
            continue;
        const bool wanted = core_wants_tick(&core, &settings, WORD_CLOSED, now);
        bool tripped = false;
        for (uint64_t later = now; later < now + 11 * S; later += S / 2) {
            struct core_state with = core;
            for (int successes = 0; successes < 9; successes++) {
                tripped |= core_judge(&with, &settings, WORD_CLOSED, 0, later).move;
                core_calls(&with, later, 1, CALL_OK);
            }
        }
        assert_int_equal(tripped, wanted);
        quiet += !wanted;
        trips += tripped;
    }
    assert_true(quiet > 300);
    assert_true(trips > 300);
}

/* ------------------------------------------------------------------------------------------------ for who reads it */

static void test_rates_are_unknown_until_minimum_calls(void **state)
{
    (void)state;
    assert_int_equal(core_calls_until_rate(&core.head), 10);
    failed(3);
    slow(6);
    assert_int_equal(core_calls_until_rate(&core.head), 1);
    assert_int_equal(core_failure_rate_permille(&core.head), -1);
    assert_int_equal(core_slow_rate_permille(&core.head), -1);
    ok(1);
    assert_int_equal(core_calls_until_rate(&core.head), 0);
    assert_int_equal(core_failure_rate_permille(&core.head), 300);
    assert_int_equal(core_slow_rate_permille(&core.head), 600);
    ok(20);
    assert_int_equal(core_calls_until_rate(&core.head), 0);
    assert_int_equal(core_failure_rate_permille(&core.head), 100);
}

static void test_rates_of_a_damaged_head_stay_in_range(void **state)
{
    (void)state;
    struct core_head head;
    memset(&head, 0, sizeof(head));
    assert_int_equal(core_failure_rate_permille(&head), -1);
    memset(&head, 0xff, sizeof(head));
    assert_int_equal(core_failure_rate_permille(&head), 1000);
    head.window_calls = 0;
    assert_int_equal(core_slow_rate_permille(&head), -1);
    assert_int_equal(core_calls_until_rate(&head), UINT32_MAX);
}

/* The simulator's bound is 5 M outcomes/s through everything; this is the core's share, one call at a time. */
static void test_a_million_calls_are_judged_within_a_second(void **state)
{
    (void)state;
    settings.trip.failures = 50;
    settings.trip.failure_rate = 500;
    settings.trip.slow_rate = 500;
    settings.window.size = 4096;
    reconfigured();
    const clock_t began = clock();
    unsigned trips = 0;
    for (uint64_t i = 0; i < 1000000; i++) {
        core_calls(&core, i, 1, call_kind(i % 100 == 0, i % 77 == 0));
        trips += core_judge(&core, &settings, WORD_CLOSED, 0, i).move;
    }
    assert_true(clock() - began < CLOCKS_PER_SEC);
    assert_int_equal(core.head.window_calls, 4096);
    assert_int_equal(core.head.window_failures, 40);
    assert_int_equal(trips, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_breaker_stays_closed),
        TEST(test_conditions_that_are_off_never_trip),
        TEST(test_failures_trip_at_their_number_whatever_the_rate),
        TEST(test_failures_that_left_the_window_do_not_count),
        TEST(test_failures_need_no_minimum_of_calls),
        TEST(test_the_failure_rate_counts_from_minimum_calls_on),
        TEST(test_how_many_failures_it_takes_until_a_condition_holds),
        TEST(test_how_many_successes_it_takes_until_a_rate_counts),
        TEST(test_failures_that_only_take_the_place_of_others_never_trip),
        TEST(test_a_bucket_that_is_full_takes_no_call_that_could_trip),
        TEST(test_a_condition_must_hold_when_the_calls_came_and_still),
        TEST(test_equal_calls_at_once_trip_where_each_by_itself_would),
        TEST(test_a_success_can_be_the_call_that_completes_the_rate),
        TEST(test_the_failure_rate_trips_at_its_value),
        TEST(test_a_rate_of_a_fraction_of_a_percent),
        TEST(test_a_rate_of_all),
        TEST(test_a_minimum_of_one_call),
        TEST(test_the_slow_rate_trips_at_its_value),
        TEST(test_slow_calls_are_no_failures),
        TEST(test_a_failed_slow_call_counts_in_both_rates),
        TEST(test_calls_in_flight_trip_at_their_number),
        TEST(test_of_several_conditions_the_first_of_the_list_is_the_reason),
        TEST(test_conditions_judge_closed_and_ramping_alone),
        TEST(test_the_same_image_gives_the_same_answer),
        TEST(test_a_time_window_is_judged_at_the_time_asked),
        TEST(test_a_time_window_that_forgot_below_the_minimum_has_no_rate),
        TEST(test_the_shown_sums_leave_out_what_the_window_forgot),
        TEST(test_forgetting_alone_completes_no_condition),
        TEST(test_three_good_probes_close),
        TEST(test_the_first_failed_probe_reopens),
        TEST(test_no_more_probes_than_the_successes_still_need),
        TEST(test_half_open_begins_with_no_probes_counted),
        TEST(test_the_window_says_nothing_about_a_half_open_breaker),
        TEST(test_closing_with_a_ramp_ramps),
        TEST(test_a_sample_is_good_as_soon_as_failures_cannot_reach_the_rate),
        TEST(test_a_sample_is_bad_as_soon_as_the_rate_is_certain),
        TEST(test_the_last_of_a_sample_can_close_too),
        TEST(test_five_failures_at_once_end_a_sample_of_ten),
        TEST(test_a_sample_with_a_rate_that_does_not_divide_it),
        TEST(test_slow_probes_are_judged_by_the_slow_rate),
        TEST(test_a_sample_of_one),
        TEST(test_no_more_probes_than_the_sample_still_needs),
        TEST(test_more_answers_than_the_sample_still_give_a_verdict),
        TEST(test_a_sample_judged_by_no_rate_waits_for_a_probe),
        TEST(test_open_times_grow_and_are_capped),
        TEST(test_growth_is_forgotten_once_forget_has_passed_since_the_last_opening_ended),
        TEST(test_growth_is_not_forgotten_while_open_however_short_forget_is),
        TEST(test_an_operators_trip_of_an_open_breaker_grows),
        TEST(test_closing_keeps_the_growth),
        TEST(test_forget_zero_never_grows),
        TEST(test_a_multiplier_of_one_never_grows),
        TEST(test_a_multiplier_of_one_and_a_half),
        TEST(test_the_first_opening_is_capped_too),
        TEST(test_growth_goes_on_from_the_time_before_jitter),
        TEST(test_a_longer_open_time_by_reload_holds_at_once),
        TEST(test_jitter_spreads_evenly_both_ways),
        TEST(test_jitter_comes_after_the_cap),
        TEST(test_an_opening_lasts_a_millisecond_at_least),
        TEST(test_the_largest_settings_do_not_overflow),
        TEST(test_openings_are_counted_by_reason),
        TEST(test_time_spent_open_counts_when_the_opening_ended),
        TEST(test_closing_empties_window_and_probes),
        TEST(test_reset_is_as_new_but_for_totals),
        TEST(test_reconfiguring_keeps_what_fits_and_judges_by_the_new),
        TEST(test_a_ramp_rises_in_equal_parts),
        TEST(test_a_ramp_whose_steps_do_not_divide_its_time),
        TEST(test_a_ramp_goes_on_in_the_steps_of_a_reload),
        TEST(test_the_end_of_a_ramp_keeps_the_window),
        TEST(test_reopening_ends_the_ramp),
        TEST(test_a_new_breaker_can_wait_for_the_failures_that_its_minimum_of_calls_needs),
        TEST(test_a_full_window_can_wait_for_half_of_its_calls),
        TEST(test_the_nearest_of_all_conditions_says_which_failure_may_trip),
        TEST(test_without_a_condition_over_the_window_no_failure_trips),
        TEST(test_where_successes_could_complete_a_condition_the_next_failure_may),
        TEST(test_failures_until_a_trip_allow_for_what_the_window_will_forget),
        TEST(test_no_condition_holds_before_as_many_failures_as_were_said),
        TEST(test_no_tick_without_failures),
        TEST(test_a_tick_while_successes_could_complete_the_minimum),
        TEST(test_a_tick_for_slow_calls_likewise),
        TEST(test_no_tick_for_the_number_of_failures),
        TEST(test_a_tick_while_calls_in_flight_are_limited),
        TEST(test_a_tick_while_a_time_window_could_forget_into_a_trip),
        TEST(test_no_tick_where_the_next_success_brings_the_rate_below),
        TEST(test_without_a_tick_nothing_trips_by_itself),
        TEST(test_rates_are_unknown_until_minimum_calls),
        TEST(test_rates_of_a_damaged_head_stay_in_range),
        TEST(test_a_million_calls_are_judged_within_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
