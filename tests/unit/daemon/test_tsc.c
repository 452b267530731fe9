/* tripd follows the TSC by the kernel's clock, and gives it up once it goes differently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "internal/ticks.h"
#include "tsc.h"

/* 2 GHz: a cycle is half a nanosecond. The base: cycle 1,000,000 was at 10 s. */
#define HALF_Q32 (UINT64_C(1) << 31)
#define BASE                                                                         \
    {                                                                                \
        .cycles = UINT64_C(1000000), .ns = UINT64_C(10000000000), .ns_q32 = HALF_Q32 \
    }

static struct tsc_sample at(uint64_t cycles, uint64_t ns)
{
    return (struct tsc_sample){.cycles = 1000000 + cycles, .ns = UINT64_C(10000000000) + ns};
}

static void test_cycles_become_nanoseconds_of_the_kernel_s_clock(void **state)
{
    (void)state;
    const struct tsc_base base = BASE;
    assert_int_equal(tsc_base_ns(&base, 1000000), UINT64_C(10000000000));
    assert_int_equal(tsc_base_ns(&base, 1000003), UINT64_C(10000000001));
    assert_int_equal(tsc_base_ns(&base, 1000000 + UINT64_C(7200000000000)),
                     UINT64_C(3610000000000));                      /* an hour later */
    assert_int_equal(tsc_base_ns(&base, 5), UINT64_C(10000000000)); /* never before the base */
}

static void test_the_base_follows_and_takes_over_the_rate_of_the_last_second(void **state)
{
    (void)state;
    struct tsc_base base = BASE;
    assert_null(tsc_follow(&base, at(2000400000, 1000000000), true)); /* 200 millionths fast: NTP slews the clock */
    assert_int_equal(base.cycles, 2001400000);
    assert_int_equal(base.ns, UINT64_C(11000000000));
    assert_int_equal(base.ns_q32, 2147054237); /* 0.4999 ns */
    assert_int_equal(tsc_base_ns(&base, UINT64_C(4001800000)), UINT64_C(11999999999));
}

static void test_a_look_soon_after_the_last_checks_and_moves_nothing(void **state)
{
    (void)state;
    struct tsc_base base = BASE;
    assert_null(tsc_follow(&base, at(200000000, 100000000), true));
    assert_int_equal(base.cycles, 1000000);
    assert_int_equal(base.ns_q32, HALF_Q32);
}

static const char *given_up(struct tsc_sample now, bool listed)
{
    struct tsc_base base = BASE;
    const char *const why = tsc_follow(&base, now, listed);
    assert_int_equal(base.ns_q32 == 0, why != NULL);
    return why;
}

static void test_a_thousandth_of_drift_is_the_end_of_it(void **state)
{
    (void)state;
    /* In 1 s 1 ms, and 50 us for two readings: 2,100,000 cycles. */
    assert_null(given_up(at(2000000000 + 2100000, 1000000000), true));
    assert_string_equal(given_up(at(2000000000 + 2100002, 1000000000), true), "it drifts from the kernel's clock");
    assert_null(given_up(at(2000000000 - 2100000, 1000000000), true));
    assert_string_equal(given_up(at(2000000000 - 2100002, 1000000000), true), "it drifts from the kernel's clock");
}

static void test_a_machine_that_slept_or_was_moved_gives_it_up(void **state)
{
    (void)state;
    /* The TSC went on for an hour, CLOCK_MONOTONIC for a second; and the other way round. */
    assert_string_equal(given_up(at(UINT64_C(7200000000000), 1000000000), true), "it drifts from the kernel's clock");
    assert_string_equal(given_up(at(2000000000, UINT64_C(3600000000000)), true), "it drifts from the kernel's clock");
    assert_string_equal(given_up((struct tsc_sample){.cycles = 999999, .ns = UINT64_C(11000000000)}, true),
                        "it ran backwards");
}

static void test_tripd_gives_up_a_tsc_that_the_kernel_gives_up(void **state)
{
    (void)state;
    assert_string_equal(given_up(at(2000000000, 1000000000), false), "the kernel does not list it among its clocks");
}

static void test_a_tsc_that_is_given_up_stays_so(void **state)
{
    (void)state;
    struct tsc_base base = {0};
    assert_null(tsc_follow(&base, at(2000000000, 1000000000), true));
    assert_int_equal(base.ns_q32, 0);
}

static void test_a_measured_base_agrees_with_the_kernel_s_clock(void **state)
{
    struct tsc_base base;
    (void)state;
    tsc_measure(&base);
    if (!base.ns_q32)
        skip();
    const struct tsc_sample now = tsc_sample();
    assert_in_range(tsc_base_ns(&base, now.cycles), now.ns - 50000, now.ns + 50000);
    assert_null(tsc_follow(&base, now, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cycles_become_nanoseconds_of_the_kernel_s_clock),
        cmocka_unit_test(test_the_base_follows_and_takes_over_the_rate_of_the_last_second),
        cmocka_unit_test(test_a_look_soon_after_the_last_checks_and_moves_nothing),
        cmocka_unit_test(test_a_thousandth_of_drift_is_the_end_of_it),
        cmocka_unit_test(test_a_machine_that_slept_or_was_moved_gives_it_up),
        cmocka_unit_test(test_tripd_gives_up_a_tsc_that_the_kernel_gives_up),
        cmocka_unit_test(test_a_tsc_that_is_given_up_stays_so),
        cmocka_unit_test(test_a_measured_base_agrees_with_the_kernel_s_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
