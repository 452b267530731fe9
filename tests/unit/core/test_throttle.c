/* Adaptive throttling: the rule by hand, then a closed loop with an overloaded server in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/throttle.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)
#define K  2000

static struct throttle_state throttle;

static int set_up(void **state)
{
    (void)state;
    memset(&throttle, 0, sizeof(throttle));
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- the rule */

static void test_a_throttle_without_calls_admits_all(void **state)
{
    (void)state;
    assert_int_equal(throttle_admit_permille(&throttle, 0, K), 1000);
    assert_int_equal(throttle_admit_permille(&throttle, 1000 * S, K), 1000);
    assert_int_equal(throttle_admit_permille(&throttle, UINT64_MAX, K), 1000);
}

static void test_the_rule_sheds_what_is_beyond_k_times_the_accepts(void **state)
{
    (void)state;
    throttle_add(&throttle, S, 999, 600);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 1000);
    throttle_add(&throttle, S, 201, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 1000); /* 1200 = 2 * 600 */
    throttle_add(&throttle, S, 299, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 801);    /* 299 of 1500 */
    assert_int_equal(throttle_admit_permille(&throttle, S, 1500), 601); /* 599 of 1500 */
    assert_int_equal(throttle_admit_permille(&throttle, S, 1000), 401); /* 899 of 1500 */
    assert_int_equal(throttle_admit_permille(&throttle, S, 3000), 1000);
}

static void test_sheddable_calls_get_midway_between_what_must_be_admitted_and_all(void **state)
{
    (void)state;
    assert_int_equal(throttle_sheddable_permille(2000), 750);
    assert_int_equal(throttle_sheddable_permille(1100), 954);
    assert_int_equal(throttle_sheddable_permille(100000), 505);
}

static void test_a_k_of_0_is_off(void **state)
{
    (void)state;
    throttle_add(&throttle, S, 1000, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, 0), 1000);
}

static void test_one_call_in_100_is_always_admitted(void **state)
{
    (void)state;
    throttle_add(&throttle, S, 1000000, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 10);
}

static void test_a_call_a_second_is_always_admitted(void **state)
{
    (void)state;
    throttle_add(&throttle, S, 10, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 1000);
    throttle_add(&throttle, S, 10, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 500);
    throttle_add(&throttle, S, 380, 0);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 25);
}

static void test_a_second_is_forgotten_ten_later(void **state)
{
    (void)state;
    throttle_add(&throttle, 5 * S, 499, 0);
    throttle_add(&throttle, 6 * S, 500, 250);
    assert_int_equal(throttle_admit_permille(&throttle, 6 * S, K), 501);
    assert_int_equal(throttle_admit_permille(&throttle, 15 * S - 1, K), 501);
    assert_int_equal(throttle_admit_permille(&throttle, 15 * S, K), 1000);
    throttle_add(&throttle, 15 * S, 500, 0); /* where the counts of second 5 were */
    assert_int_equal(throttle_admit_permille(&throttle, 15 * S, K), 501);
    assert_int_equal(throttle_admit_permille(&throttle, 16 * S, K), 20); /* 500 of 501, but for the call a second */
    assert_int_equal(throttle_admit_permille(&throttle, 25 * S, K), 1000);
}

static void test_a_time_of_before_counts_as_the_newest_there_is_in_its_bucket(void **state)
{
    (void)state;
    throttle_add(&throttle, 25 * S, 500, 500);
    throttle_add(&throttle, 15 * S, 499, 0);
    assert_int_equal(throttle_admit_permille(&throttle, 25 * S, K), 1000);
    throttle_add(&throttle, 15 * S, 500, 0);
    assert_int_equal(throttle_admit_permille(&throttle, 25 * S, K), 668); /* 499 of 1500 */
}

static void test_a_full_bucket_counts_no_further(void **state)
{
    (void)state;
    throttle_add(&throttle, S, UINT64_MAX, UINT64_MAX);
    throttle_add(&throttle, S, UINT64_MAX, 1);
    assert_int_equal(throttle.buckets[1].requests, UINT32_MAX);
    assert_int_equal(throttle.buckets[1].accepts, UINT32_MAX);
    assert_int_equal(throttle_admit_permille(&throttle, S, K), 1000);
    assert_int_equal(throttle_admit_permille(&throttle, S, UINT64_MAX), 1000);
    for (unsigned i = 2; i < 11; i++)
        throttle_add(&throttle, i * S, UINT64_MAX, 0);
    assert_int_equal(throttle_admit_permille(&throttle, 10 * S, K), 201);
    assert_int_equal(throttle_admit_permille(&throttle, 10 * S, 1), 10);
}

/* ----------------------------------------------------------------------------------------------------- closed loops */

#define TICK         (100 * MS)
#define TICKS_PER_S  10
#define CALLS_A_TICK 500 /* offered: 5000 a second */

/* A server. Of the work that it can do in a tick, a served call takes 16 parts, a refused one 1. */
struct server {
    uint64_t parts;
};
#define SERVED_PARTS  16
#define REFUSED_PARTS 1

static uint64_t now_ns, random_state;

static bool admitted(uint32_t permille)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % 1000 < permille;
}

static void start(void)
{
    now_ns = 0;
    random_state = 88172645463325252;
}

/* Serves as many calls as leave enough to refuse the others. */
static uint64_t serve(const struct server *server, uint64_t calls)
{
    if (calls * SERVED_PARTS <= server->parts)
        return calls;
    if (calls * REFUSED_PARTS >= server->parts)
        return 0;
    return (server->parts - calls * REFUSED_PARTS) / (SERVED_PARTS - REFUSED_PARTS);
}

/* Returns how many calls were served in `seconds`. */
static uint64_t run(const struct server *server, unsigned seconds, uint64_t k_thousandths)
{
    uint64_t served = 0;

    for (unsigned tick = 0; tick < seconds * TICKS_PER_S; tick++, now_ns += TICK) {
        const uint32_t permille = throttle_admit_permille(&throttle, now_ns, k_thousandths);
        uint64_t calls = 0;
        for (unsigned i = 0; i < CALLS_A_TICK; i++)
            calls += admitted(permille);
        const uint64_t accepts = serve(server, calls);
        throttle_add(&throttle, now_ns, CALLS_A_TICK, accepts);
        served += accepts;
    }
    return served;
}

static const struct server overloaded = {100 * SERVED_PARTS}; /* 1000 calls a second, of the 5000 offered */
static const struct server dead = {0};
static const struct server ample = {1000 * SERVED_PARTS};

static void test_five_times_the_load_leaves_nine_tenths_of_the_capacity(void **state)
{
    (void)state;
    start();
    run(&overloaded, 60, K);
    assert_in_range(run(&overloaded, 60, K), 54000, 60000);
}

static void test_without_a_throttle_five_times_the_load_takes_a_quarter_of_the_capacity(void **state)
{
    (void)state;
    start();
    run(&overloaded, 60, 0);
    assert_in_range(run(&overloaded, 60, 0), 40000, 45000);
}

static void test_the_first_ten_seconds_of_overload_are_no_worse_than_without_a_throttle(void **state)
{
    (void)state;
    start();
    run(&ample, 60, K);
    const uint64_t with = run(&overloaded, 10, K);
    assert_in_range(with, 7300, 10000);
}

static void test_shedding_begins_half_a_window_after_all_calls_began_to_fail(void **state)
{
    (void)state;
    start();
    run(&ample, 60, K);
    run(&dead, 5, K);
    assert_int_equal(throttle_admit_permille(&throttle, now_ns - 1, K), 1000);
    run(&dead, 1, K);
    assert_true(throttle_admit_permille(&throttle, now_ns, K) < 1000);
    run(&dead, 5, K);
    assert_int_equal(throttle_admit_permille(&throttle, now_ns, K), 10);
}

static void test_a_server_that_is_back_gets_all_calls_within_40_seconds(void **state)
{
    (void)state;
    start();
    run(&ample, 60, K);
    run(&dead, 600, K);
    assert_int_equal(throttle_admit_permille(&throttle, now_ns, K), 10);
    run(&ample, 40, K);
    assert_int_equal(throttle_admit_permille(&throttle, now_ns, K), 1000);
}

static void test_a_dead_server_gets_a_hundredth_of_the_calls(void **state)
{
    (void)state;
    start();
    run(&dead, 60, K);
    uint64_t calls = 0;
    for (unsigned i = 0; i < 100000; i++)
        calls += admitted(throttle_admit_permille(&throttle, now_ns, K));
    assert_in_range(calls, 900, 1100);
}

#define TEST(name) cmocka_unit_test_setup(test_##name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_throttle_without_calls_admits_all),
        TEST(the_rule_sheds_what_is_beyond_k_times_the_accepts),
        TEST(sheddable_calls_get_midway_between_what_must_be_admitted_and_all),
        TEST(a_k_of_0_is_off),
        TEST(one_call_in_100_is_always_admitted),
        TEST(a_call_a_second_is_always_admitted),
        TEST(a_second_is_forgotten_ten_later),
        TEST(a_time_of_before_counts_as_the_newest_there_is_in_its_bucket),
        TEST(a_full_bucket_counts_no_further),
        TEST(five_times_the_load_leaves_nine_tenths_of_the_capacity),
        TEST(without_a_throttle_five_times_the_load_takes_a_quarter_of_the_capacity),
        TEST(the_first_ten_seconds_of_overload_are_no_worse_than_without_a_throttle),
        TEST(shedding_begins_half_a_window_after_all_calls_began_to_fail),
        TEST(a_server_that_is_back_gets_all_calls_within_40_seconds),
        TEST(a_dead_server_gets_a_hundredth_of_the_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
