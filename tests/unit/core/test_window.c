/* Sliding windows: what they hold after each call, and against a plain list of calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/window.h"

#define S UINT64_C(1000000000)

static struct window window;

static void ok(uint64_t n)
{
    window_add(&window, 0, n, CALL_OK);
}

static void failed(uint64_t n)
{
    window_add(&window, 0, n, CALL_FAILED);
}

static void slow(uint64_t n)
{
    window_add(&window, 0, n, CALL_SLOW);
}

#define assert_window(c, f, s)                \
    do {                                      \
        assert_int_equal(window.calls, c);    \
        assert_int_equal(window.failures, f); \
        assert_int_equal(window.slow, s);     \
    } while (0)

static void test_a_new_window_is_empty(void **state)
{
    (void)state;
    memset(&window, 0xff, sizeof(window));
    window_init(&window, WINDOW_COUNT, 4096, 60 * S);
    assert_window(0, 0, 0);
    memset(&window, 0xff, sizeof(window));
    window_init(&window, WINDOW_TIME, 100, 60 * S);
    assert_window(0, 0, 0);
    window_advance(&window, 1000 * S);
    assert_window(0, 0, 0);
}

static void test_a_call_is_forgotten_when_size_more_have_come(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 10, 0);
    failed(1);
    assert_window(1, 1, 0);
    ok(9);
    assert_window(10, 1, 0);
    ok(1);
    assert_window(10, 0, 0);
}

static void test_a_call_can_be_failed_and_slow(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 3, 0);
    window_add(&window, 0, 2, CALL_FAILED_SLOW);
    assert_window(2, 2, 2);
    slow(1);
    assert_window(3, 2, 3);
    slow(1);
    assert_window(3, 1, 3);
    ok(2);
    assert_window(3, 0, 1);
}

static void test_a_window_of_one_holds_the_last_call(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 1, 0);
    failed(1);
    assert_window(1, 1, 0);
    ok(1);
    assert_window(1, 0, 0);
    failed(7);
    assert_window(1, 1, 0);
}

static void test_a_batch_larger_than_the_window_fills_it(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 100, 0);
    ok(50);
    failed(UINT64_MAX);
    assert_window(100, 100, 0);
    ok(99);
    assert_window(100, 1, 0);
    ok(UINT64_MAX);
    assert_window(100, 0, 0);
    slow(100);
    assert_window(100, 0, 100);
}

static void test_adding_nothing_changes_nothing(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 3, 0);
    failed(2);
    failed(0);
    ok(0);
    assert_window(2, 2, 0);
    ok(2);
    assert_window(3, 1, 0);
}

static void test_clearing_empties_a_count_window(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 4096, 0);
    window_add(&window, 0, 5000, CALL_FAILED_SLOW);
    assert_window(4096, 4096, 4096);
    window_clear(&window);
    assert_window(0, 0, 0);
    ok(4096); /* what was there before is not forgotten a second time */
    assert_window(4096, 0, 0);
    failed(1);
    assert_window(4096, 1, 0);
}

/* --------------------------------------------------------------------------------------------- against a plain list */

#define CALLS 20000

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % limit;
}

static void check_against_list(uint32_t size)
{
    static uint8_t list[CALLS]; /* bit 0 failed, bit 1 slow */
    uint32_t calls = 0;

    window_init(&window, WINDOW_COUNT, size, 0);
    while (calls < CALLS) {
        const uint32_t longest = random_below(8) ? 5 : 2 * size;
        const uint32_t wanted = random_below(longest + 1), room = CALLS - calls, n = wanted < room ? wanted : room;
        const uint8_t kind = (uint8_t)random_below(4);
        memset(list + calls, kind, n);
        calls += n;
        window_add(&window, 0, n, call_kind(kind & 1, kind & 2));

        uint32_t failures = 0, slows = 0;
        const uint32_t in_window = calls < size ? calls : size;
        for (uint32_t i = calls - in_window; i < calls; i++) {
            failures += list[i] & 1;
            slows += list[i] >> 1;
        }
        assert_window(in_window, failures, slows);
    }
}

static void test_a_count_window_agrees_with_a_list(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 63, 64, 65, 100, 127, 128, 129, 1000, 4095, 4096};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        check_against_list(sizes[i]);
}

/* ------------------------------------------------------------------------------------------------------------- time */

static void test_a_time_window_forgets_by_tenths_of_its_span(void **state)
{
    (void)state;
    window_init(&window, WINDOW_TIME, 100, 10 * S);
    window_add(&window, 0 * S, 3, CALL_FAILED);
    window_add(&window, 1 * S - 1, 1, CALL_FAILED);
    window_add(&window, 1 * S, 5, CALL_SLOW);
    assert_window(9, 4, 5);
    window_advance(&window, 10 * S - 1);
    assert_window(9, 4, 5);
    window_advance(&window, 10 * S); /* the first tenth is 9 to 10 s old */
    assert_window(5, 0, 5);
    window_advance(&window, 11 * S - 1);
    assert_window(5, 0, 5);
    window_advance(&window, 11 * S);
    assert_window(0, 0, 0);
}

static void test_a_long_pause_forgets_everything(void **state)
{
    (void)state;
    window_init(&window, WINDOW_TIME, 100, 10 * S);
    for (uint64_t second = 0; second < 10; second++)
        window_add(&window, second * S, 7, CALL_FAILED_SLOW);
    assert_window(70, 70, 70);
    window_advance(&window, UINT64_MAX);
    assert_window(0, 0, 0);
    window_add(&window, UINT64_MAX, 1, CALL_OK);
    assert_window(1, 0, 0);
}

static void test_a_time_of_before_counts_as_now(void **state)
{
    (void)state;
    window_init(&window, WINDOW_TIME, 100, 10 * S);
    window_add(&window, 30 * S, 1, CALL_FAILED);
    window_add(&window, 2 * S, 1, CALL_FAILED);
    assert_window(2, 2, 0);
    window_advance(&window, 39 * S);
    assert_window(2, 2, 0);
    window_advance(&window, 40 * S);
    assert_window(0, 0, 0);
}

static void test_sums_at_a_time_are_what_advancing_leaves(void **state)
{
    (void)state;
    window_init(&window, WINDOW_TIME, 100, 10 * S);
    for (uint64_t second = 100; second < 110; second++)
        window_add(&window, second * S, second - 99, call_kind(second % 2, second % 3 == 0));
    assert_window(55, 30, 18);
    for (uint64_t now = 105 * S; now < 125 * S; now += S / 2) {
        const struct window_sums sums = window_sums_at(&window, now);
        struct window advanced = window;
        window_advance(&advanced, now);
        assert_int_equal(sums.calls, advanced.calls);
        assert_int_equal(sums.failures, advanced.failures);
        assert_int_equal(sums.slow, advanced.slow);
    }
    const struct window_sums late = window_sums_at(&window, 118 * S);
    assert_int_equal(late.calls, 10);
    assert_int_equal(late.failures, 10);
    assert_int_equal(late.slow, 0);
}

static void test_a_full_bucket_counts_no_further(void **state)
{
    (void)state;
    window_init(&window, WINDOW_TIME, 100, 10 * S);
    window_add(&window, 0, UINT64_C(1) << 44, CALL_FAILED);
    assert_window(UINT32_MAX, UINT32_MAX, 0);
    window_add(&window, 0, UINT64_MAX, CALL_FAILED_SLOW);
    assert_window(UINT32_MAX, UINT32_MAX, 0);
    window_add(&window, S, UINT64_MAX, CALL_SLOW);
    assert_window(2 * (uint64_t)UINT32_MAX, UINT32_MAX, UINT32_MAX);
    window_advance(&window, 10 * S);
    assert_window(UINT32_MAX, 0, UINT32_MAX);
    window_advance(&window, 11 * S);
    assert_window(0, 0, 0);
}

static void test_a_span_that_ten_does_not_divide(void **state)
{
    (void)state;
    window_init(&window, WINDOW_TIME, 100, 10000009); /* buckets of 1,000,000 ns */
    window_add(&window, 999999, 1, CALL_FAILED);
    window_advance(&window, 9999999);
    assert_window(1, 1, 0);
    window_advance(&window, 10000000);
    assert_window(0, 0, 0);
}

/* ----------------------------------------------------------------------------------------------------------- reload */

/* f o f o .. : the latest call is ok. */
static void fill_alternating(uint32_t pairs)
{
    for (uint32_t i = 0; i < pairs; i++) {
        failed(1);
        ok(1);
    }
}

static void test_a_smaller_window_keeps_the_latest_calls(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 100, 60 * S);
    slow(90);
    fill_alternating(15); /* overwrites the first 20 */
    assert_window(100, 15, 70);
    window_reshape(&window, WINDOW_COUNT, 31, 60 * S);
    assert_window(31, 15, 1);
    ok(1); /* forgets the slow one */
    assert_window(31, 15, 0);
    ok(1); /* then the first failure */
    assert_window(31, 14, 0);
}

static void test_a_larger_window_keeps_all_and_their_order(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 4, 60 * S);
    ok(3);
    failed(2);
    slow(1);
    assert_window(4, 2, 1); /* o f f s */
    window_reshape(&window, WINDOW_COUNT, 6, 60 * S);
    assert_window(4, 2, 1);
    ok(3); /* the o is forgotten */
    assert_window(6, 2, 1);
    ok(1);
    assert_window(6, 1, 1);
    ok(2);
    assert_window(6, 0, 0);
}

static void test_the_same_size_keeps_everything_whatever_the_span(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 5, 60 * S);
    failed(5);
    window_reshape(&window, WINDOW_COUNT, 5, 10 * S);
    assert_window(5, 5, 0);
}

static void test_another_type_or_span_starts_empty(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 10, 60 * S);
    failed(10);
    window_reshape(&window, WINDOW_TIME, 10, 60 * S);
    assert_window(0, 0, 0);
    window_add(&window, 100 * S, 5, CALL_FAILED);
    window_reshape(&window, WINDOW_TIME, 20, 60 * S);
    assert_window(5, 5, 0);
    window_reshape(&window, WINDOW_TIME, 20, 30 * S);
    assert_window(0, 0, 0);
    window_add(&window, 100 * S, 5, CALL_FAILED);
    window_reshape(&window, WINDOW_COUNT, 20, 30 * S);
    assert_window(0, 0, 0);
    ok(20);
    assert_window(20, 0, 0);
    ok(20);
    assert_window(20, 0, 0);
}

static void test_every_reshape_keeps_the_latest_that_fit(void **state)
{
    (void)state;
    for (uint32_t from = 1; from <= 140; from += 3) {
        for (uint32_t to = 1; to <= 140; to += 3) {
            const uint32_t calls = 3 * (from + to) / 2, kept = calls < from ? calls : from, fit = kept < to ? kept : to;
            window_init(&window, WINDOW_COUNT, from, 0);
            for (uint32_t i = 0; i < calls; i++) /* every third call fails */
                window_add(&window, 0, 1, call_kind(i % 3 == 0, false));
            window_reshape(&window, WINDOW_COUNT, to, 0);
            uint32_t failures = 0;
            for (uint32_t i = calls - fit; i < calls; i++)
                failures += i % 3 == 0;
            assert_window(fit, failures, 0);
        }
    }
}

static void test_a_copy_goes_on_alone(void **state)
{
    (void)state;
    struct window copy;
    memset(&copy, 0xff, sizeof(copy));
    window_init(&window, WINDOW_COUNT, 100, 0);
    failed(70);
    slow(40);
    window_copy(&copy, &window);
    ok(100);
    assert_window(100, 0, 0);
    window_copy(&window, &copy);
    assert_window(100, 60, 40);
    ok(60);
    assert_window(100, 0, 40);

    window_init(&window, WINDOW_TIME, 100, 10 * S);
    window_add(&window, 5 * S, 4, CALL_FAILED_SLOW);
    window_copy(&copy, &window);
    window_advance(&copy, 15 * S);
    assert_int_equal(copy.calls, 0);
    assert_window(4, 4, 4);
}

static void test_a_copy_into_another_shape_is_whole(void **state)
{
    (void)state;
    struct window copy;
    window_init(&copy, WINDOW_COUNT, 4096, 0);
    window_add(&copy, 0, 4096, CALL_FAILED_SLOW);
    window_init(&window, WINDOW_COUNT, 100, 0);
    failed(1);
    window_copy(&copy, &window);
    window = copy;
    assert_window(1, 1, 0);
    window_reshape(&window, WINDOW_COUNT, 4096, 0); /* bits of the larger one of before are not seen again */
    ok(4095);
    assert_window(4096, 1, 0);
    ok(1);
    assert_window(4096, 0, 0);
}

/* 200,000 batches of 4,096 calls: one by one they would take seconds. */
static void test_a_batch_costs_words(void **state)
{
    (void)state;
    window_init(&window, WINDOW_COUNT, 4096, 0);
    const clock_t began = clock();
    for (int i = 0; i < 100000; i++) {
        failed(4096);
        ok(4096);
    }
    assert_window(4096, 0, 0);
    assert_true(clock() - began < 3 * CLOCKS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_window_is_empty),
        cmocka_unit_test(test_a_call_is_forgotten_when_size_more_have_come),
        cmocka_unit_test(test_a_call_can_be_failed_and_slow),
        cmocka_unit_test(test_a_window_of_one_holds_the_last_call),
        cmocka_unit_test(test_a_batch_larger_than_the_window_fills_it),
        cmocka_unit_test(test_adding_nothing_changes_nothing),
        cmocka_unit_test(test_clearing_empties_a_count_window),
        cmocka_unit_test(test_a_count_window_agrees_with_a_list),
        cmocka_unit_test(test_a_time_window_forgets_by_tenths_of_its_span),
        cmocka_unit_test(test_a_long_pause_forgets_everything),
        cmocka_unit_test(test_a_time_of_before_counts_as_now),
        cmocka_unit_test(test_sums_at_a_time_are_what_advancing_leaves),
        cmocka_unit_test(test_a_full_bucket_counts_no_further),
        cmocka_unit_test(test_a_span_that_ten_does_not_divide),
        cmocka_unit_test(test_a_smaller_window_keeps_the_latest_calls),
        cmocka_unit_test(test_a_larger_window_keeps_all_and_their_order),
        cmocka_unit_test(test_the_same_size_keeps_everything_whatever_the_span),
        cmocka_unit_test(test_another_type_or_span_starts_empty),
        cmocka_unit_test(test_every_reshape_keeps_the_latest_that_fit),
        cmocka_unit_test(test_a_copy_goes_on_alone),
        cmocka_unit_test(test_a_copy_into_another_shape_is_whole),
        cmocka_unit_test(test_a_batch_costs_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
