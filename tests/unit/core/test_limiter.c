/* Adaptive concurrency: each step by hand, then closed loops with a server in virtual time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../support/served.h"
#include "core/limiter.h"

static struct limiter_state limiter;
static uint64_t now_ns;

/* An interval of 100 ms. */
static uint32_t interval_with_slow(uint64_t calls, uint64_t failures, uint64_t slow, uint64_t latency_ns,
                                   uint32_t in_flight)
{
    now_ns += 100 * MS;
    return limiter_update(&limiter, &(struct limiter_sample){.now_ns = now_ns,
                                                             .calls = calls,
                                                             .failures = failures,
                                                             .slow = slow,
                                                             .mean_latency_ns = latency_ns,
                                                             .in_flight = in_flight});
}

static uint32_t interval(uint64_t calls, uint64_t failures, uint64_t latency_ns, uint32_t in_flight)
{
    return interval_with_slow(calls, failures, 0, latency_ns, in_flight);
}

static void start(enum limiter_kind kind, uint32_t min, uint32_t max)
{
    now_ns = 0;
    limiter_init(&limiter, kind, min, max);
}

/* At a limit of 20, with 10 ms for unloaded latency where that matters. */
static void start_measured(enum limiter_kind kind)
{
    start(kind, 1, 1000);
    for (unsigned i = 0; kind != LIMITER_AIMD && i < 3; i++)
        interval(100, 0, 10 * MS, 20);
    assert_int_equal(limiter_limit(&limiter), 20);
}

/* ------------------------------------------------------------------------------------------------------- the rules */

static void test_config_names_are_aimd_gradient2_and_vegas(void **state)
{
    static const char *const names[] = {
#define X(kind, name) [LIMITER_##kind] = name,
        LIMITER_KINDS(X)
#undef X
    };

    (void)state;
    assert_string_equal(names[LIMITER_NONE], "none");
    assert_string_equal(names[LIMITER_AIMD], "aimd");
    assert_string_equal(names[LIMITER_GRADIENT2], "gradient2");
    assert_string_equal(names[LIMITER_VEGAS], "vegas");
    assert_int_equal(LIMITER_KIND_COUNT, 4);
}

static void test_none_is_always_the_maximum(void **state)
{
    (void)state;
    start(LIMITER_NONE, 1, 300);
    assert_int_equal(limiter_limit(&limiter), 300);
    assert_int_equal(interval(1000, 1000, S, 300), 300);
    assert_int_equal(interval(1000, 0, MS, 300), 300);
}

static void test_a_limit_begins_at_20_or_as_near_as_it_may(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
        start(kind, 1, 1000);
        assert_int_equal(limiter_limit(&limiter), 20);
        start(kind, 50, 1000);
        assert_int_equal(limiter_limit(&limiter), 50);
        start(kind, 1, 8);
        assert_int_equal(limiter_limit(&limiter), 8);
        start(kind, 0, 0);
        assert_int_equal(limiter_limit(&limiter), 1);
        start(kind, 30, 7);
        assert_int_equal(limiter_limit(&limiter), 30);
    }
}

static void test_a_step_waits_for_a_round_trip(void **state)
{
    (void)state;
    start(LIMITER_AIMD, 1, 1000);
    assert_int_equal(interval(10, 0, MS, 20), 20);
    assert_int_equal(interval(9, 0, MS, 20), 20);
    assert_int_equal(interval(1, 0, MS, 20), 21);
    start(LIMITER_AIMD, 1, 4);
    interval(10, 10, MS, 4);
    assert_int_equal(limiter_limit(&limiter), 3);
    assert_int_equal(interval(9, 0, MS, 3), 3); /* and for ten calls */
    assert_int_equal(interval(1, 0, MS, 3), 4);
}

static void test_aimd_adds_one_or_a_hundredth(void **state)
{
    (void)state;
    start(LIMITER_AIMD, 1, 1000);
    assert_int_equal(interval(100, 0, MS, 20), 21);
    assert_int_equal(interval(100, 0, 900 * MS, 20), 22);
    start(LIMITER_AIMD, 500, 1000);
    assert_int_equal(interval(1000, 0, MS, 500), 505);
}

static void test_a_tenth_of_failures_takes_a_tenth_of_the_limit(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
        start_measured(kind);
        assert_true(interval(100, 9, 10 * MS, 20) >= 20);
        start(kind, 1, 1000);
        assert_int_equal(interval(100, 10, 10 * MS, 20), 18);
        assert_int_equal(interval(100, 100, 10 * MS, 18), 16);
        start(kind, 1, 5);
        assert_int_equal(interval(10, 10, 10 * MS, 5), 4); /* or one */
    }
}

static void test_a_limit_at_its_minimum_rises_from_there(void **state)
{
    (void)state;
    start(LIMITER_AIMD, 15, 1000);
    for (unsigned i = 0; i < 20; i++)
        interval(100, 100, MS, 20);
    assert_int_equal(limiter_limit(&limiter), 15);
    assert_int_equal(interval(100, 0, MS, 15), 16);
}

static void test_slow_calls_are_drops_to_aimd(void **state)
{
    (void)state;
    start(LIMITER_AIMD, 1, 1000);
    assert_int_equal(interval_with_slow(100, 0, 9, MS, 20), 21);
    assert_int_equal(interval_with_slow(100, 0, 10, MS, 20), 18);
    assert_int_equal(interval_with_slow(100, 5, 5, MS, 20), 17);
    assert_int_equal(interval_with_slow(100, 5, 4, MS, 20), 18);
}

static void test_a_slow_failure_is_one_drop_at_most(void **state)
{
    (void)state;
    start(LIMITER_AIMD, 1, 1000);
    assert_int_equal(interval_with_slow(5, 5, 5, MS, 20), 20);
    assert_int_equal(interval_with_slow(95, 0, 0, MS, 20), 21); /* 5 drops of 100 calls, not 10 */
}

static void test_slow_calls_are_no_drops_to_algorithms_that_read_latency(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_GRADIENT2; kind < LIMITER_KIND_COUNT; kind++) {
        start_measured(kind);
        assert_true(interval_with_slow(100, 0, 100, 10 * MS, 20) >= 20);
        assert_true(interval_with_slow(100, 9, 91, 10 * MS, 20) >= 20);
    }
}

static void test_a_limit_used_by_less_than_half_does_not_rise(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
        start_measured(kind);
        for (unsigned i = 0; i < 1000; i++)
            assert_int_equal(interval(100, 0, 10 * MS, 9), 20);
        now_ns = S; /* no drain is due */
        interval(100, 0, 10 * MS, 10);
        assert_true(limiter.limit > 20);
    }
}

static void test_an_interval_without_calls_changes_nothing(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
        start(kind, 1, 1000);
        for (unsigned i = 0; i < 1000; i++)
            assert_int_equal(interval(0, 0, 0, 20), 20);
    }
}

static void test_gradient2_follows_its_formula(void **state)
{
    (void)state;
    start_measured(LIMITER_GRADIENT2);
    assert_int_equal(interval(100, 0, 10 * MS, 20), 20); /* 0.8 * 20 + 0.2 * (20 + 4.47) = 20.89 */
    assert_int_equal(interval(100, 0, 15 * MS, 20), 21); /* 0.8 * 20.89 + 0.2 * (20.89 + 4.57) = 21.81 */
    assert_int_equal(interval(100, 0, 20 * MS, 20), 21); /* 0.8 * 21.81 + 0.2 * (21.81 * 0.75 + 4.67) = 21.65 */
    assert_int_equal(interval(100, 0, 90 * MS, 20), 20); /* 0.8 * 21.65 + 0.2 * (21.65 * 0.5 + 4.65) = 20.42 */
}

static void test_vegas_follows_its_formula(void **state)
{
    (void)state;
    start_measured(LIMITER_VEGAS);
    assert_int_equal(interval(100, 0, 16 * MS, 20), 21); /* a queue of 1.25, up to 2: + 1 */
    assert_int_equal(interval(100, 0, 20 * MS, 20), 21); /* 5.25, up to 6: as it is */
    assert_int_equal(interval(100, 0, 30 * MS, 20), 20); /* 10.5: - 1 */
    assert_int_equal(interval(100, 0, 15 * MS, 20), 26); /* none: + 6 */
    limiter.limit = 200;
    assert_int_equal(interval(200, 0, 15 * MS, 200), 212);
    assert_int_equal(interval(212, 0, 30 * MS, 200), 210);
}

static void test_one_bucket_more_of_latency_is_no_queue(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_GRADIENT2; kind < LIMITER_KIND_COUNT; kind++)
        for (uint32_t bucket = 0; bucket + 2 < ADAPTIVE_BUCKETS; bucket++) {
            start_measured(kind);
            limiter.unloaded_ns = fmax(65536, (double)adaptive_bucket_middle_ns(bucket));
            interval(100, 0, adaptive_bucket_middle_ns(bucket + 1), 20);
            assert_true(limiter.limit > 20);
        }
}

static void test_three_buckets_more_of_latency_are_a_queue(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_GRADIENT2; kind < LIMITER_KIND_COUNT; kind++)
        for (uint32_t bucket = 1; bucket + 3 < ADAPTIVE_BUCKETS; bucket++) {
            start_measured(kind);
            limiter.unloaded_ns = (double)adaptive_bucket_middle_ns(bucket);
            limiter.limit = 50;
            assert_true(interval(100, 0, adaptive_bucket_middle_ns(bucket + 3), 50) < 50);
        }
}

static void test_quick_refusals_are_not_taken_for_the_unloaded_latency(void **state)
{
    (void)state;
    start_measured(LIMITER_GRADIENT2);
    for (unsigned i = 0; i < 5; i++)
        interval(100, 90, 200 * US, 20);
    assert_int_equal(limiter_limit(&limiter), 11);
    assert_true(limiter.unloaded_ns == 10e6);
}

static void test_a_lower_latency_is_believed_by_half_and_a_higher_one_by_an_eighth_if_not_pressed(void **state)
{
    (void)state;
    start_measured(LIMITER_VEGAS);
    interval(100, 0, 6 * MS, 20);
    assert_true(limiter.unloaded_ns == 8e6);
    interval(100, 0, 16 * MS, 20);
    assert_true(limiter.unloaded_ns == 8e6);
    interval(100, 0, 16 * MS, 5);
    assert_true(limiter.unloaded_ns == 9e6);
}

/* ------------------------------------------------------------------------------------------------------ the drains */

static void test_a_drain_lets_a_third_through_and_measures_in_its_second_window(void **state)
{
    (void)state;
    start(LIMITER_GRADIENT2, 1, 1000);
    assert_int_equal(interval(100, 0, 30 * MS, 20), 6);
    assert_int_equal(interval(19, 0, 25 * MS, 20), 6); /* calls of before */
    assert_int_equal(interval(1, 0, 25 * MS, 20), 6);
    assert_int_equal(interval(100, 0, 10 * MS, 6), 20);
    assert_true(limiter.unloaded_ns == 10e6);
}

static void test_a_drain_keeps_the_minimum(void **state)
{
    (void)state;
    start(LIMITER_VEGAS, 15, 1000);
    assert_int_equal(interval(100, 0, 10 * MS, 20), 15);
}

static void test_drains_come_20_s_apart_while_the_limit_is_pressed(void **state)
{
    (void)state;
    start(LIMITER_GRADIENT2, 1, 20);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(interval(100, 0, 10 * MS, 20), 6);
        assert_int_equal(interval(100, 0, 10 * MS, 20), 6);
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(interval(100, 0, 10 * MS, 20), 20);
    }
}

static void test_a_pause_is_16_times_as_long_as_its_drain(void **state)
{
    (void)state;
    start(LIMITER_GRADIENT2, 1, 20);
    interval(100, 0, S, 20);
    interval(20, 0, S, 20);
    now_ns = 5100 * MS - 100 * MS;
    assert_int_equal(interval(20, 0, S, 6), 20); /* 5 s */
    now_ns = 85000 * MS - 100 * MS;
    assert_int_equal(interval(100, 0, S, 20), 20);
    assert_int_equal(interval(100, 0, S, 20), 6);
}

static void test_a_limit_that_is_not_pressed_is_not_drained(void **state)
{
    (void)state;
    start_measured(LIMITER_VEGAS);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(interval(100, 0, 10 * MS, 9), 20);
}

static void test_aimd_is_not_drained(void **state)
{
    (void)state;
    start(LIMITER_AIMD, 1, 20);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(interval(100, 0, 10 * MS, 20), 20);
}

static void test_drops_end_a_drain(void **state)
{
    (void)state;
    start(LIMITER_GRADIENT2, 1, 1000);
    assert_int_equal(interval(100, 0, 10 * MS, 20), 6);
    assert_int_equal(interval(100, 50, 10 * MS, 20), 18);
}

/* --------------------------------------------------------------------------------------------------------- hostile */

static void test_no_sample_takes_the_limit_out_of_its_bounds(void **state)
{
    static const uint64_t values[] = {0, 1, 20, 1000, 65535, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX};
    uint64_t random = 88172645463325252;

    (void)state;
    for (enum limiter_kind kind = LIMITER_NONE; kind < LIMITER_KIND_COUNT; kind++) {
        start(kind, 3, 500);
        for (unsigned i = 0; i < 100000; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            const struct limiter_sample sample = {.now_ns = values[random % 8],
                                                  .calls = values[random >> 8 & 7],
                                                  .failures = values[random >> 16 & 7],
                                                  .mean_latency_ns = values[random >> 24 & 7],
                                                  .in_flight = (uint32_t)values[random >> 32 & 7]};
            const uint32_t limit = limiter_update(&limiter, &sample);
            assert_in_range(limit, 3, 500);
        }
        assert_true(isfinite(limiter.limit) && isfinite(limiter.unloaded_ns));
    }
}

static void test_the_widest_bounds_are_held(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
        start(kind, UINT32_MAX, UINT32_MAX);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(interval(UINT64_MAX, 0, MS, UINT32_MAX), UINT32_MAX);
    }
}

static void test_an_absurd_latency_is_forgotten_by_the_next_drain(void **state)
{
    (void)state;
    for (enum limiter_kind kind = LIMITER_GRADIENT2; kind < LIMITER_KIND_COUNT; kind++)
        for (unsigned absurd = 0; absurd < 2; absurd++) {
            start_measured(kind);
            limiter.unloaded_ns = absurd ? 1e19 : 65536;
            for (unsigned i = 0; i < 210; i++)
                interval(100, 0, 10 * MS, limiter_limit(&limiter));
            assert_true(fabs(limiter.unloaded_ns - 10e6) < 1e4);
        }
}

/* -------------------------------------------------------------------------------------------------- closed loops */

static struct server server;

static uint32_t limit_after(const struct served *served)
{
    return limiter_update(&limiter, &(struct limiter_sample){
                                        .now_ns = server.now_ns,
                                        .calls = served->calls,
                                        .failures = served->failures,
                                        .slow = served->slow,
                                        .mean_latency_ns = served->calls ? served->latency_ns / served->calls : 0,
                                        .in_flight = served->in_flight,
                                    });
}

static struct yield run(const struct dependency *dependency, uint32_t *limit, uint64_t span_ns)
{
    return serve_limited(&server, dependency, dependency->interval_ns, span_ns, limit, limit_after);
}

static void start_loop(const struct dependency *dependency, enum limiter_kind kind, unsigned workers)
{
    server = server_of(dependency, workers);
    limiter_init(&limiter, kind, 1, 1000);
}

static void test_throughput_is_within_a_tenth_of_the_best_static_limit_whatever_the_capacity_does(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPENDENCY_COUNT; i++)
        for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
            const struct dependency *const dependency = &dependencies[i];
            start_loop(dependency, kind, 40);
            assert_capacity_is_followed(&server, dependency, kind, dependency->interval_ns, limiter_limit(&limiter),
                                        limit_after);
        }
}

static void test_a_service_that_becomes_slower_is_not_starved_nor_flooded_when_it_is_quick_again(void **state)
{
    const struct dependency *const dependency = &dependencies[0];

    (void)state;
    for (enum limiter_kind kind = LIMITER_GRADIENT2; kind < LIMITER_KIND_COUNT; kind++) {
        start_loop(dependency, kind, 40);
        uint32_t limit = limiter_limit(&limiter);

        run(dependency, &limit, 30 * S);
        server.service_ns = 40 * MS; /* 40 workers serve 1000 calls a second */
        run(dependency, &limit, 30 * S);
        const struct yield slow = run(dependency, &limit, 60 * S);
        assert_in_range((uint64_t)slow.ok_per_s, 900, 1000);
        assert_true(slow.latency < 6); /* in service times of before */
        server.service_ns = 20 * MS;
        run(dependency, &limit, 60 * S);
        const struct yield quick = run(dependency, &limit, 60 * S);
        assert_in_range((uint64_t)quick.ok_per_s, 1800, 2000);
        assert_true(quick.latency < 3);
    }
}

static void test_a_server_smaller_than_the_first_limit_is_found(void **state)
{
    const struct dependency *const dependency = &dependencies[1];

    (void)state;
    for (enum limiter_kind kind = LIMITER_GRADIENT2; kind < LIMITER_KIND_COUNT; kind++) {
        start_loop(dependency, kind, 4);
        uint32_t limit = limiter_limit(&limiter);

        run(dependency, &limit, 120 * S);
        const struct yield yield = run(dependency, &limit, 60 * S);
        assert_in_range((uint64_t)yield.ok_per_s, 51, 60); /* 4 / 70 ms: 57 */
        assert_true(yield.latency < 4);
    }
}

/* 12 calls at work on average, now and then 30. */
static void test_a_load_below_capacity_does_not_drive_the_limit_up(void **state)
{
    const struct dependency *const dependency = &dependencies[0];

    (void)state;
    for (enum limiter_kind kind = LIMITER_AIMD; kind < LIMITER_KIND_COUNT; kind++) {
        start_loop(dependency, kind, 40);
        server.calls_per_s = 600;
        uint32_t limit = limiter_limit(&limiter);

        run(dependency, &limit, 60 * S);
        assert_in_range((uint64_t)run(dependency, &limit, 540 * S).ok_per_s, 590, 610);
        assert_in_range(limit, 20, 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_names_are_aimd_gradient2_and_vegas),
        cmocka_unit_test(test_none_is_always_the_maximum),
        cmocka_unit_test(test_a_limit_begins_at_20_or_as_near_as_it_may),
        cmocka_unit_test(test_a_step_waits_for_a_round_trip),
        cmocka_unit_test(test_aimd_adds_one_or_a_hundredth),
        cmocka_unit_test(test_a_tenth_of_failures_takes_a_tenth_of_the_limit),
        cmocka_unit_test(test_a_limit_at_its_minimum_rises_from_there),
        cmocka_unit_test(test_slow_calls_are_drops_to_aimd),
        cmocka_unit_test(test_a_slow_failure_is_one_drop_at_most),
        cmocka_unit_test(test_slow_calls_are_no_drops_to_algorithms_that_read_latency),
        cmocka_unit_test(test_a_limit_used_by_less_than_half_does_not_rise),
        cmocka_unit_test(test_an_interval_without_calls_changes_nothing),
        cmocka_unit_test(test_gradient2_follows_its_formula),
        cmocka_unit_test(test_vegas_follows_its_formula),
        cmocka_unit_test(test_one_bucket_more_of_latency_is_no_queue),
        cmocka_unit_test(test_three_buckets_more_of_latency_are_a_queue),
        cmocka_unit_test(test_quick_refusals_are_not_taken_for_the_unloaded_latency),
        cmocka_unit_test(test_a_lower_latency_is_believed_by_half_and_a_higher_one_by_an_eighth_if_not_pressed),
        cmocka_unit_test(test_a_drain_lets_a_third_through_and_measures_in_its_second_window),
        cmocka_unit_test(test_a_drain_keeps_the_minimum),
        cmocka_unit_test(test_drains_come_20_s_apart_while_the_limit_is_pressed),
        cmocka_unit_test(test_a_pause_is_16_times_as_long_as_its_drain),
        cmocka_unit_test(test_a_limit_that_is_not_pressed_is_not_drained),
        cmocka_unit_test(test_aimd_is_not_drained),
        cmocka_unit_test(test_drops_end_a_drain),
        cmocka_unit_test(test_no_sample_takes_the_limit_out_of_its_bounds),
        cmocka_unit_test(test_the_widest_bounds_are_held),
        cmocka_unit_test(test_an_absurd_latency_is_forgotten_by_the_next_drain),
        cmocka_unit_test(test_throughput_is_within_a_tenth_of_the_best_static_limit_whatever_the_capacity_does),
        cmocka_unit_test(test_a_service_that_becomes_slower_is_not_starved_nor_flooded_when_it_is_quick_again),
        cmocka_unit_test(test_a_server_smaller_than_the_first_limit_is_found),
        cmocka_unit_test(test_a_load_below_capacity_does_not_drive_the_limit_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
