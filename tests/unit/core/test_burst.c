/* Bursts: literal counts, and how often a steady stream is held to be one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "core/burst.h"
#include "internal/numbers.h"

#define HOUR 360 /* buckets */

static uint64_t at(uint64_t bucket)
{
    return bucket * BURST_BUCKET_NS;
}

/* Counts so many events in each bucket of an hour; the next bucket is number 360. Nine or more in the first one are a
 * burst. */
static struct burst steady(uint64_t n)
{
    struct burst burst = {0};
    for (uint64_t bucket = 0; bucket < HOUR; bucket++)
        assert_int_equal(burst_add(&burst, at(bucket), n), bucket == 0 && n >= 9);
    return burst;
}

static void test_of_two_in_ten_seconds_thirty_are_a_burst_and_eight_are_none(void **state)
{
    (void)state;
    struct burst burst = steady(2), other = burst;
    assert_false(burst_add(&burst, at(HOUR), 8));
    assert_false(burst_now(&burst, at(HOUR)));
    assert_true(burst_add(&other, at(HOUR), 30));
    assert_true(burst_now(&other, at(HOUR)));
}

static void test_the_sixteenth_event_makes_the_burst_and_those_behind_it_begin_none(void **state)
{
    (void)state;
    struct burst burst = steady(2);
    for (unsigned i = 1; i <= 40; i++)
        assert_int_equal(burst_add(&burst, at(HOUR) + i, 1), i == 16);
}

static void test_the_bound_grows_with_the_long_run(void **state)
{
    (void)state;
    static const struct {
        uint64_t before, none, burst;
    } bounds[] = {{1, 12, 13}, {5, 22, 23}, {10, 32, 33}, {100, 156, 157}};
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct burst burst = steady(bounds[i].before), other = burst;
        assert_false(burst_add(&burst, at(HOUR), bounds[i].none));
        assert_true(burst_add(&other, at(HOUR), bounds[i].burst));
    }
}

static void test_what_is_new_is_a_burst_from_nine_events_on(void **state)
{
    (void)state;
    struct burst burst = {0};
    assert_false(burst_add(&burst, at(1000), 8));
    assert_true(burst_add(&burst, at(1000), 1));
}

static void test_a_burst_is_there_in_its_bucket_and_in_the_next_one(void **state)
{
    (void)state;
    struct burst burst = {0};
    assert_true(burst_add(&burst, at(5), 20));
    assert_true(burst_now(&burst, at(6) - 1));
    assert_true(burst_now(&burst, at(7) - 1));
    assert_false(burst_now(&burst, at(7)));
    assert_false(burst_now(&(struct burst){0}, 0));
}

static void test_each_bucket_far_above_the_long_run_begins_a_burst(void **state)
{
    (void)state;
    struct burst burst = steady(2);
    assert_true(burst_add(&burst, at(HOUR), 30));
    assert_true(burst_add(&burst, at(HOUR + 1), 30));
}

static void test_an_event_that_is_told_late_counts_in_the_bucket_that_runs(void **state)
{
    (void)state;
    struct burst burst = {0};
    burst_add(&burst, at(10), 3);
    burst_add(&burst, at(2), 4);
    assert_int_equal(burst.count, 7);
    assert_int_equal(burst_rate_milli(&burst, at(11)), 700);
}

static void test_rates_are_thousandths_of_an_event_a_second(void **state)
{
    (void)state;
    struct burst burst = steady(2);
    assert_int_equal(burst_long_run_milli(&burst), 200);
    burst_add(&burst, at(HOUR), 25);
    assert_int_equal(burst_rate_milli(&burst, at(HOUR)), 25000); /* in a second, at least */
    assert_int_equal(burst_rate_milli(&burst, at(HOUR) + BURST_BUCKET_NS / 2), 5000);
    assert_int_equal(burst_rate_milli(&burst, at(HOUR + 1)), 2500);
    assert_int_equal(burst_rate_milli(&burst, at(HOUR + 2)), 0);
    assert_int_equal(burst_long_run_milli(&burst), 200);
    assert_int_equal(burst_rate_milli(&(struct burst){0}, 0), 0);
    assert_int_equal(burst_long_run_milli(&(struct burst){0}), 0);
}

static void test_the_first_buckets_count_alike(void **state)
{
    (void)state;
    struct burst burst = {0};
    burst_add(&burst, at(0), 8);
    assert_int_equal(burst_long_run_milli(&burst), 800); /* there is no other yet */
    burst_add(&burst, at(1), 1);
    assert_int_equal(burst_long_run_milli(&burst), 800);
    burst_add(&burst, at(4), 1); /* 8, 1, 0 and 0 */
    assert_int_equal(burst.long_run, 2250000);
    burst_add(&burst, at(9), 1); /* 8, 1, 0, 0, 1, and four times 0 */
    assert_int_equal(burst.long_run, 1111111);
}

static void test_silence_ages_the_long_run(void **state)
{
    (void)state;
    struct burst burst = steady(2);
    burst_add(&burst, at(HOUR - 1 + HOUR), 1); /* an hour later: 2 / e */
    assert_int_equal(burst_long_run_milli(&burst), 73);
    burst_add(&burst, at(HOUR - 1 + 2 * HOUR), 1);
    assert_int_equal(burst_long_run_milli(&burst), 27);
    burst_add(&burst, at(1000000), 1);
    assert_int_equal(burst_long_run_milli(&burst), 0);
    assert_true(burst_add(&burst, at(1000000), 8)); /* what was usual has become new */
}

static void test_silence_does_the_same_as_buckets_without_events(void **state)
{
    (void)state;
    struct burst silent = {0}, told = {0};
    burst_add(&silent, at(0), 50);
    burst_add(&told, at(0), 50);
    for (uint64_t bucket = 1; bucket < 700; bucket++)
        burst_add(&told, at(bucket), 0);
    burst_add(&silent, at(700), 3);
    burst_add(&told, at(700), 3);
    assert_int_equal(silent.buckets, 700);
    assert_int_equal(told.buckets, 700);
    assert_in_range(told.long_run, silent.long_run - 400, silent.long_run); /* rounded down once, and 700 times */
}

static void test_counts_stay_at_their_highest(void **state)
{
    (void)state;
    struct burst burst = {0};
    assert_true(burst_add(&burst, at(0), UINT64_MAX));
    assert_false(burst_add(&burst, at(0), 1));
    assert_int_equal(burst.count, UINT32_MAX);
    burst_add(&burst, UINT64_MAX, 1);
    assert_int_equal(burst.count, 1);
    burst.buckets = UINT32_MAX;
    burst_add(&burst, UINT64_MAX, 1);
    assert_int_equal(burst.buckets, UINT32_MAX);
}

/* ----------------------------------------------------------------------------------------------------- false alarms */

#define STREAM      1000000
#define POISSON_MAX 400

/* Fills in how likely it is that a Poisson count is n or less. */
static void poisson(double mean, double ret_below[POISSON_MAX])
{
    double sum = 0;
    for (unsigned n = 0; n < POISSON_MAX; n++) {
        sum += exp(n * log(mean) - mean - lgamma(n + 1.0));
        ret_below[n] = sum;
    }
}

static unsigned draw(const double below[POISSON_MAX], uint64_t *seed)
{
    const double random = (double)(random_next(seed) >> 11) * 0x1p-53;
    unsigned low = 0, high = POISSON_MAX - 1;
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (random < below[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static unsigned bursts_of_a_steady_stream(double mean, uint64_t seed, double *ret_mean)
{
    double below[POISSON_MAX];
    struct burst burst = {0};
    uint64_t events = 0;
    unsigned bursts = 0;
    poisson(mean, below);
    for (uint64_t bucket = 0; bucket < HOUR + STREAM; bucket++) {
        const unsigned n = draw(below, &seed);
        const bool begun = n && burst_add(&burst, at(bucket), n);
        bursts += begun && bucket >= HOUR;
        events += n;
    }
    *ret_mean = (double)events / (HOUR + STREAM);
    return bursts;
}

static void test_a_steady_stream_is_a_burst_in_fewer_than_one_of_100_000_buckets(void **state)
{
    (void)state;
    static const double means[] = {0.01, 0.1, 1, 10, 100};
    for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
        double mean;
        const unsigned bursts = bursts_of_a_steady_stream(means[i], i + 1, &mean);
        print_message("%g events a bucket: %u bursts in %u buckets\n", means[i], bursts, STREAM);
        assert_true(fabs(mean - means[i]) < 5 * sqrt(means[i] / STREAM)); /* the generator does what it should */
        assert_true(bursts < STREAM / 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_two_in_ten_seconds_thirty_are_a_burst_and_eight_are_none),
        cmocka_unit_test(test_the_sixteenth_event_makes_the_burst_and_those_behind_it_begin_none),
        cmocka_unit_test(test_the_bound_grows_with_the_long_run),
        cmocka_unit_test(test_what_is_new_is_a_burst_from_nine_events_on),
        cmocka_unit_test(test_a_burst_is_there_in_its_bucket_and_in_the_next_one),
        cmocka_unit_test(test_each_bucket_far_above_the_long_run_begins_a_burst),
        cmocka_unit_test(test_an_event_that_is_told_late_counts_in_the_bucket_that_runs),
        cmocka_unit_test(test_rates_are_thousandths_of_an_event_a_second),
        cmocka_unit_test(test_the_first_buckets_count_alike),
        cmocka_unit_test(test_silence_ages_the_long_run),
        cmocka_unit_test(test_silence_does_the_same_as_buckets_without_events),
        cmocka_unit_test(test_counts_stay_at_their_highest),
        cmocka_unit_test(test_a_steady_stream_is_a_burst_in_fewer_than_one_of_100_000_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
