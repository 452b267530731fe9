/* How soon calls end at best: the fastest of late, never of long ago. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/soonest.h"

#define S UINT64_C(1000000000)

static struct soonest soonest;

static int set_up(void **state)
{
    (void)state;
    memset(&soonest, 0, sizeof(soonest));
    return 0;
}

static void came(int64_t calls, uint64_t latency_ns, uint64_t now_ns)
{
    int64_t counts[LATENCY_BUCKETS] = {0};
    counts[latency_bucket(latency_ns)] = calls;
    soonest_add(&soonest, counts, now_ns);
}

static void test_nothing_is_said_of_fewer_than_20_calls(void **state)
{
    (void)state;
    came(19, 100000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 0);
    came(1, 100000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 67108864); /* where the bucket of 100 ms begins */
}

static void test_whoever_had_as_much_time_as_a_call_took_is_not_told_that_it_cannot(void **state)
{
    (void)state;
    for (uint64_t ns = 1000; ns < 10 * S; ns += ns / 7) {
        memset(&soonest, 0, sizeof(soonest));
        came(1000, ns, S);
        assert_true(soonest_ns(&soonest, S) <= ns);
        assert_true(soonest_ns(&soonest, S) * 2 > ns || ns < 65536 || ns > 2 * S);
    }
}

static void test_calls_faster_than_64_us_leave_no_deadline_too_short(void **state)
{
    (void)state;
    came(1000, 60000, S);
    assert_int_equal(soonest_ns(&soonest, S), 0);
}

static void test_one_fast_call_in_twenty_is_enough(void **state)
{
    (void)state;
    came(951, 200000000, S);
    came(49, 1000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 134217728);
    came(1, 200000000, S);
    came(4, 1000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 786432);
}

static void test_it_is_forgotten_within_ten_seconds(void **state)
{
    (void)state;
    came(1000, 100000000, 5 * S);
    assert_int_equal(soonest_ns(&soonest, 10 * S), 67108864);
    assert_int_equal(soonest_ns(&soonest, 15 * S - 1), 67108864);
    assert_int_equal(soonest_ns(&soonest, 15 * S), 0);
    assert_int_equal(soonest_ns(&soonest, 16 * S), 0);
}

static void test_nobody_looked_for_long_and_it_is_forgotten_all_the_same(void **state)
{
    (void)state;
    came(1000, 100000000, 5 * S);
    came(19, 100000000, 3600 * S);
    assert_int_equal(soonest_ns(&soonest, 3600 * S), 0);
}

static void test_calls_of_two_halves_count_together(void **state)
{
    (void)state;
    came(10, 100000000, 9 * S);
    came(10, 100000000, 11 * S);
    assert_int_equal(soonest_ns(&soonest, 11 * S), 67108864);
    assert_int_equal(soonest_ns(&soonest, 15 * S), 0); /* 10 are left */
}

/* A failure that is seen a look later than its call. */
static void test_what_is_taken_back_was_not_there(void **state)
{
    (void)state;
    came(-3, 100000000, S);
    came(22, 100000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 0);
    came(-5, 1000000, S);
    came(1, 100000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 67108864);
}

static void test_absurd_counts_do_no_harm(void **state)
{
    (void)state;
    came(INT64_MAX, 100000000, S);
    came(INT64_MAX, 100000000, S);
    assert_int_equal(soonest_ns(&soonest, S), 67108864);
    came(INT64_MIN, 1000000, S);
    came(INT64_MIN, 1000000, S);
    came(INT64_MAX, 4 * S, S);
    assert_int_equal(soonest_ns(&soonest, S), 67108864);
}

#define TEST(name) cmocka_unit_test_setup(test_##name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_said_of_fewer_than_20_calls),
        TEST(whoever_had_as_much_time_as_a_call_took_is_not_told_that_it_cannot),
        TEST(calls_faster_than_64_us_leave_no_deadline_too_short),
        TEST(one_fast_call_in_twenty_is_enough),
        TEST(it_is_forgotten_within_ten_seconds),
        TEST(nobody_looked_for_long_and_it_is_forgotten_all_the_same),
        TEST(calls_of_two_halves_count_together),
        TEST(what_is_taken_back_was_not_there),
        TEST(absurd_counts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
