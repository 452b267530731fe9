/* Latencies in buckets: where each begins and ends, and how far a quantile is from that of the calls themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "internal/latency.h"

#define CALLS 100000
#define US    UINT64_C(1000)
#define MS    UINT64_C(1000000)
#define S     UINT64_C(1000000000)

static void test_buckets_begin_and_end_where_they_should(void **state)
{
    (void)state;
    static const struct {
        uint32_t bucket;
        uint64_t begin_ns, end_ns;
    } buckets[] = {
        {0, 0, 128},
        {8, 128, 144},
        {10, 160, 176},
        {15, 240, 256},
        {16, 256, 272},
        {31, 496, 512},
        {32, 512, 544},
        {47, 992, 1024},
        {48, 1024, 1088},
        {144, 65536, 69632},
        {207, 1015808, 1048576},
        {208, 1048576, 1114112},
        {368, UINT64_C(1073741824), UINT64_C(1140850688)},
        {463, UINT64_C(66571993088), UINT64_C(68719476736)},
        {464, UINT64_C(68719476736), UINT64_C(73014444032)},
        {479, UINT64_C(133143986176), UINT64_C(137438953472)},
    };
    for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
        assert_int_equal(latency_bucket_begin_ns(buckets[i].bucket), buckets[i].begin_ns);
        assert_int_equal(latency_bucket_end_ns(buckets[i].bucket), buckets[i].end_ns);
        assert_int_equal(latency_bucket(buckets[i].begin_ns), buckets[i].bucket);
        assert_int_equal(latency_bucket(buckets[i].end_ns - 1), buckets[i].bucket);
    }
}

static void test_buckets_follow_one_another_without_a_gap(void **state)
{
    (void)state;
    assert_int_equal(latency_bucket(127), 0);
    assert_int_equal(latency_bucket(128), 8);
    for (uint32_t bucket = 8; bucket + 1 < 480; bucket++) {
        assert_int_equal(latency_bucket(latency_bucket_end_ns(bucket) - 1), bucket);
        assert_int_equal(latency_bucket(latency_bucket_end_ns(bucket)), bucket + 1);
    }
}

static void test_calls_longer_than_137_seconds_are_in_the_last_bucket(void **state)
{
    (void)state;
    assert_int_equal(latency_bucket(UINT64_C(137438953471)), 479);
    assert_int_equal(latency_bucket(UINT64_C(137438953472)), 479);
    assert_int_equal(latency_bucket(3600 * S), 479);
    assert_int_equal(latency_bucket(UINT64_MAX), 479);
}

static void test_a_buckets_middle_is_within_a_32nd_of_all_in_it(void **state)
{
    (void)state;
    for (uint32_t bucket = 16; bucket < 480; bucket++) {
        const uint64_t begin_ns = latency_bucket_begin_ns(bucket), end_ns = latency_bucket_end_ns(bucket);
        const uint64_t middle_ns = latency_bucket_middle_ns(bucket);
        assert_true((middle_ns - begin_ns) * 32 <= begin_ns);
        assert_true((end_ns - middle_ns) * 32 <= begin_ns);
    }
}

static void test_below_256_nanoseconds_a_middle_is_within_8_and_below_128_within_64(void **state)
{
    (void)state;
    assert_int_equal(latency_bucket_middle_ns(latency_bucket(0)), 64);
    assert_int_equal(latency_bucket_middle_ns(latency_bucket(127)), 64);
    assert_int_equal(latency_bucket_middle_ns(latency_bucket(159)), 152);
    assert_int_equal(latency_bucket_middle_ns(latency_bucket(160)), 168); /* 5% */
    assert_int_equal(latency_bucket_middle_ns(latency_bucket(255)), 248);
}

/* ------------------------------------------------------------------------------------------------------- quantiles */

static void test_without_calls_there_is_no_quantile(void **state)
{
    (void)state;
    const uint64_t counts[480] = {0};
    assert_int_equal(latency_quantile_bucket(counts, 500), 480);
}

static void test_a_quantile_is_the_first_bucket_that_reaches_its_share(void **state)
{
    (void)state;
    const uint64_t counts[480] = {[3] = 50, [100] = 49, [479] = 1};
    assert_int_equal(latency_calls(counts), 100);
    assert_int_equal(latency_quantile_bucket(counts, 0), 3);
    assert_int_equal(latency_quantile_bucket(counts, 500), 3); /* exactly half of them */
    assert_int_equal(latency_quantile_bucket(counts, 501), 100);
    assert_int_equal(latency_quantile_bucket(counts, 990), 100);
    assert_int_equal(latency_quantile_bucket(counts, 991), 479);
    assert_int_equal(latency_quantile_bucket(counts, 1000), 479);
}

static uint64_t latencies[CALLS];

static int by_length(const void *a, const void *b)
{
    const uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static void quantiles_are_true(void)
{
    static const uint32_t permilles[] = {1, 10, 250, 500, 900, 950, 990, 999, 1000};
    uint64_t counts[480] = {0};
    qsort(latencies, CALLS, sizeof(latencies[0]), by_length);
    for (unsigned i = 0; i < CALLS; i++)
        counts[latency_bucket(latencies[i])]++;
    for (size_t i = 0; i < sizeof(permilles) / sizeof(permilles[0]); i++) {
        const double truth_ns = (double)latencies[CALLS / 1000 * permilles[i] - 1];
        const double found_ns = (double)latency_bucket_middle_ns(latency_quantile_bucket(counts, permilles[i]));
        if (fabs(found_ns - truth_ns) > 0.05 * truth_ns)
            fail_msg("quantile %u: %.0f ns, and the truth is %.0f ns", permilles[i], found_ns, truth_ns);
    }
}

/* Spreads the calls evenly over [0, 1). */
static double share(unsigned call)
{
    return (call + 0.5) / CALLS;
}

static void test_quantiles_of_calls_that_all_take_the_same_are_true(void **state)
{
    (void)state;
    static const uint64_t lasts_ns[] = {160,        255,     256,   257,    1000,   65535,  65536,
                                        1 * MS - 1, 12 * MS, 1 * S, 30 * S, 68 * S, 69 * S, 137 * S};
    for (size_t i = 0; i < sizeof(lasts_ns) / sizeof(lasts_ns[0]); i++) {
        for (unsigned call = 0; call < CALLS; call++)
            latencies[call] = lasts_ns[i];
        quantiles_are_true();
    }
}

static void test_quantiles_of_uniform_latencies_are_true(void **state)
{
    (void)state;
    static const uint64_t spans_ns[][2] = {{160, 2000}, {1 * US, 100 * US}, {1 * MS, 3 * MS}, {160, 137 * S}};
    for (size_t i = 0; i < sizeof(spans_ns) / sizeof(spans_ns[0]); i++) {
        for (unsigned call = 0; call < CALLS; call++)
            latencies[call] = spans_ns[i][0] + (uint64_t)(share(call) * (double)(spans_ns[i][1] - spans_ns[i][0]));
        quantiles_are_true();
    }
}

static void test_quantiles_of_exponential_latencies_are_true(void **state)
{
    (void)state;
    static const uint64_t means_ns[] = {200 * US, 5 * MS, 10 * S};
    for (size_t i = 0; i < sizeof(means_ns) / sizeof(means_ns[0]); i++) {
        for (unsigned call = 0; call < CALLS; call++)
            latencies[call] = (uint64_t)(-(double)means_ns[i] * log(1 - share(call))) + 160;
        quantiles_are_true();
    }
}

static void test_quantiles_of_latencies_with_two_peaks_are_true(void **state)
{
    (void)state;
    for (unsigned call = 0; call < CALLS; call++)
        latencies[call] = call % 20 == 0 ? 30 * S + call * US : 700 + call % 300; /* a cache, and its timeouts */
    quantiles_are_true();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_begin_and_end_where_they_should),
        cmocka_unit_test(test_buckets_follow_one_another_without_a_gap),
        cmocka_unit_test(test_calls_longer_than_137_seconds_are_in_the_last_bucket),
        cmocka_unit_test(test_a_buckets_middle_is_within_a_32nd_of_all_in_it),
        cmocka_unit_test(test_below_256_nanoseconds_a_middle_is_within_8_and_below_128_within_64),
        cmocka_unit_test(test_without_calls_there_is_no_quantile),
        cmocka_unit_test(test_a_quantile_is_the_first_bucket_that_reaches_its_share),
        cmocka_unit_test(test_quantiles_of_calls_that_all_take_the_same_are_true),
        cmocka_unit_test(test_quantiles_of_uniform_latencies_are_true),
        cmocka_unit_test(test_quantiles_of_exponential_latencies_are_true),
        cmocka_unit_test(test_quantiles_of_latencies_with_two_peaks_are_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
