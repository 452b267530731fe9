/* The clock: the length of a tick, and the times of the real clock and the test clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"

static void test_a_test_clock_ticks_in_nanoseconds_and_stands_still(void **state)
{
    struct clock clock;
    (void)state;
    clock_measure(&clock, true);
    assert_int_equal(clock.ticks, TICKS_TEST);
    assert_int_equal(clock.tsc.ns_q32, 0);
    assert_int_equal(clock_now_ns(&clock), 0);
    clock.test_now_ns = 30 * UINT64_C(1000000000);
    assert_int_equal(clock_now_ms(&clock), 30000);
    assert_int_equal(clock_ticks(&clock), 30 * UINT64_C(1000000000));
}

static uint64_t slept_ns;

/* Replaces the C library's nanosleep: it adds up how long the clock sleeps. */
int nanosleep(const struct timespec *requested, struct timespec *ret_left)
{
    slept_ns += (uint64_t)requested->tv_sec * UINT64_C(1000000000) + (uint64_t)requested->tv_nsec;
    return clock_nanosleep(CLOCK_MONOTONIC, 0, requested, ret_left);
}

static void test_measuring_sleeps_no_longer_than_10_ms(void **state)
{
    struct clock clock;
    (void)state;
    const uint64_t begin_ns = monotonic_ns();
    slept_ns = 0;
    clock_measure(&clock, false);
    print_message("it took %llu us\n", (unsigned long long)(monotonic_ns() - begin_ns) / 1000);
    assert_in_range(slept_ns, 0, 10000000);
}

static void test_real_time_counts_from_the_creation(void **state)
{
    struct clock clock;
    (void)state;
    clock_measure(&clock, false);
    clock.created_mono_ns = monotonic_ns() - 5 * UINT64_C(1000000000);
    const uint64_t now_ms = clock_now_ms(&clock);
    assert_in_range(now_ms, 5000, (monotonic_ns() - clock.created_mono_ns) / 1000000);
    assert_int_equal(clock_to_monotonic(&clock, 7) - clock.created_mono_ns, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_test_clock_ticks_in_nanoseconds_and_stands_still),
        cmocka_unit_test(test_measuring_sleeps_no_longer_than_10_ms),
        cmocka_unit_test(test_real_time_counts_from_the_creation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
