/* Numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "format.h"
#include "protocol/figures.h"

static void test_a_count_has_three_digits_or_four(void **state)
{
    (void)state;
    const struct {
        double count;
        const char *expected;
    } cases[] = {{0, "0"},          {0.04, "0.0"},     {0.4, "0.4"},       {1, "1"},           {9.94, "9.9"},
                 {9.95, "10"},      {12, "12"},        {12.4, "12"},       {999.6, "1000"},    {1234, "1234"},
                 {9999.4, "9999"},  {9999.5, "10.0k"}, {12345, "12.3k"},   {99949, "99.9k"},   {99950, "100k"},
                 {999499, "999k"},  {999500, "1.0M"},  {4.5e6, "4.5M"},    {99.94e6, "99.9M"}, {99.95e6, "100M"},
                 {999.4e6, "999M"}, {999.5e6, "1.0G"}, {12.34e9, "12.3G"}, {987e9, "987G"}};
    char text[FORMAT_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format_count(cases[i].count, text), cases[i].expected);
}

static void test_no_count_below_a_thousand_billions_is_wider_than_five_columns(void **state)
{
    (void)state;
    char text[FORMAT_MAX];
    for (double count = 0.01; count < 999e9; count *= 1.0007)
        assert_in_range(strlen(format_count(count, text)), 1, 5);
    assert_in_range(strlen(format_count((double)UINT64_MAX, text)), 1, FORMAT_MAX - 1);
}

static void test_a_share_is_whole_percents_of_what_there_is(void **state)
{
    (void)state;
    char text[FORMAT_MAX];
    assert_string_equal(format_share(0, 0, text), "-");
    assert_string_equal(format_share(5, 0, text), "-");
    assert_string_equal(format_share(0, 7, text), "0%");
    assert_string_equal(format_share(1, 3, text), "33%");
    assert_string_equal(format_share(84, 100, text), "84%");
    assert_string_equal(format_share(7, 7, text), "100%");
    assert_string_equal(format_share(9, 7, text), "100%"); /* read while it moved */
    assert_string_equal(format_share(UINT64_MAX, UINT64_MAX, text), "100%");
    assert_string_equal(format_permille(125, text), "12%");
    assert_string_equal(format_permille(-1, text), "-");
}

static void test_a_latency_has_the_digits_that_matter(void **state)
{
    (void)state;
    const struct {
        double ms;
        const char *expected;
    } cases[] = {{-1, "-"},          {0.000064, "64ns"}, {0.00025, "250ns"}, {0.001, "0.001ms"},
                 {0.013, "0.013ms"}, {0.099, "0.099ms"}, {0.1, "0.1ms"},     {4.24, "4.2ms"},
                 {9.99, "10.0ms"},   {10, "10ms"},       {120.4, "120ms"},   {999.4, "999ms"},
                 {1000, "1.0s"},     {1500, "1.5s"},     {59999, "59s"},     {125000, "2m05s"}};
    char text[FORMAT_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format_latency(cases[i].ms, text), cases[i].expected);
}

static void test_a_span_may_never_end(void **state)
{
    (void)state;
    const struct {
        uint64_t ms;
        const char *expected;
    } cases[] = {{0, "0ms"},          {950, "950ms"},       {1500, "1.5s"},
                 {42000, "42s"},      {125000, "2m05s"},    {3599999, "59m59s"},
                 {11520000, "3h12m"}, {356400000, "4d03h"}, {FIGURES_NEVER, "never"}};
    char text[FORMAT_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format_span(cases[i].ms, text), cases[i].expected);
    assert_in_range(strlen(format_span(UINT64_MAX - 1, text)), 1, FORMAT_MAX - 1);
}

static void test_a_time_of_day_is_that_of_the_time_zone(void **state)
{
    (void)state;
    char text[FORMAT_MAX];
    setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(format_clock(1700000000999, text), "22:13:20");
    setenv("TZ", "EST5", 1);
    tzset();
    assert_string_equal(format_clock(1700000000999, text), "17:13:20");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_count_has_three_digits_or_four),
        cmocka_unit_test(test_no_count_below_a_thousand_billions_is_wider_than_five_columns),
        cmocka_unit_test(test_a_share_is_whole_percents_of_what_there_is),
        cmocka_unit_test(test_a_latency_has_the_digits_that_matter),
        cmocka_unit_test(test_a_span_may_never_end),
        cmocka_unit_test(test_a_time_of_day_is_that_of_the_time_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
