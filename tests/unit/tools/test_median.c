/* Medians, and how certain they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "median.h"

static void assert_is(struct median median, double low, double value, double high)
{
    assert_true(median.low == low);
    assert_true(median.value == value);
    assert_true(median.high == high);
}

static void test_the_median_is_the_middle_one_or_between_the_middle_two(void **state)
{
    (void)state;
    double odd[] = {5, 1, 4, 2, 3}, even[] = {4, 1, 3, 2};
    assert_true(median_of(odd, 5).value == 3);
    assert_true(median_of(even, 4).value == 2.5);
}

/* All five lie on one side of the true median in 2 * 1/32 of all runs: 6.25%. */
static void test_of_five_samples_the_interval_is_the_whole_range(void **state)
{
    (void)state;
    double one[] = {7}, five[] = {5, 1, 4, 2, 3};
    assert_is(median_of(one, 1), 7, 7, 7);
    assert_is(median_of(five, 5), 1, 3, 5);
}

/* The ranks are those that tables of the sign test give for 95%. */
static void test_the_interval_leaves_out_what_the_sign_test_allows(void **state)
{
    (void)state;
    double six[6], ten[10], hundred[100];
    for (int i = 0; i < 6; i++)
        six[i] = 6 - i;
    for (int i = 0; i < 10; i++)
        ten[i] = 10 - i;
    for (int i = 0; i < 100; i++)
        hundred[i] = 100 - i;
    assert_is(median_of(six, 6), 1, 3.5, 6);
    assert_is(median_of(ten, 10), 2, 5.5, 9);
    assert_is(median_of(hundred, 100), 40, 50.5, 61);
}

static void test_one_wild_sample_moves_neither_median_nor_interval(void **state)
{
    (void)state;
    double samples[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1e9};
    assert_is(median_of(samples, 10), 2, 5.5, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_median_is_the_middle_one_or_between_the_middle_two),
        cmocka_unit_test(test_of_five_samples_the_interval_is_the_whole_range),
        cmocka_unit_test(test_the_interval_leaves_out_what_the_sign_test_allows),
        cmocka_unit_test(test_one_wild_sample_moves_neither_median_nor_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
