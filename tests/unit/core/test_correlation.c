/* Error correlation: what is said of the errors in the window, with literal numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/correlation.h"
#include "core/settings.h"
#include "internal/error_rows.h"

#define S TRIP_S

static const struct correlation_settings defaults = {
    .window = 60 * S, .max_errors = 1024, .high_error_rate = 10000, .pattern_share = 500};

/* Analyses so many errors of three types, where the last error of each type is later than that of the type before. */
static struct analysis of(uint64_t networks, uint64_t timeouts, uint64_t internals)
{
    struct correlation_sums sums = {0};
    sums.counts[TRIP_ERROR_NETWORK] = networks;
    sums.counts[TRIP_ERROR_TIMEOUT] = timeouts;
    sums.counts[TRIP_ERROR_INTERNAL] = internals;
    sums.latest_ns[TRIP_ERROR_NETWORK] = 1 * S;
    sums.latest_ns[TRIP_ERROR_TIMEOUT] = 2 * S;
    sums.latest_ns[TRIP_ERROR_INTERNAL] = 3 * S;
    return correlation_analyse(&sums, &defaults);
}

static void assert_analysis(struct analysis analysis, enum analysis_kind kind, uint64_t errors, trip_error_type type,
                            uint64_t type_errors)
{
    assert_int_equal(analysis.kind, kind);
    assert_int_equal(analysis.errors, errors);
    assert_int_equal(analysis.type_errors, type_errors);
    if (errors)
        assert_int_equal(analysis.type, type);
}

static void test_without_errors_there_are_none(void **state)
{
    (void)state;
    assert_analysis(of(0, 0, 0), ANALYSIS_NO_ERRORS, 0, 0, 0);
}

static void test_one_error_is_a_pattern_of_one(void **state)
{
    (void)state;
    assert_analysis(of(0, 1, 0), ANALYSIS_PATTERN_DETECTED, 1, TRIP_ERROR_TIMEOUT, 1);
}

static void test_exactly_ten_a_second_is_not_high_and_one_more_is(void **state)
{
    (void)state;
    assert_analysis(of(300, 300, 0), ANALYSIS_NORMAL_OPERATION, 600, TRIP_ERROR_TIMEOUT, 300);
    assert_int_equal(of(300, 300, 0).rate_milli, 10000);
    assert_analysis(of(300, 301, 0), ANALYSIS_HIGH_ERROR_RATE, 601, TRIP_ERROR_TIMEOUT, 301);
    assert_int_equal(of(300, 301, 0).rate_milli, 10016);
}

static void test_exactly_half_is_no_pattern_and_more_than_half_is(void **state)
{
    (void)state;
    assert_analysis(of(5, 3, 2), ANALYSIS_NORMAL_OPERATION, 10, TRIP_ERROR_NETWORK, 5);
    assert_analysis(of(6, 3, 2), ANALYSIS_PATTERN_DETECTED, 11, TRIP_ERROR_NETWORK, 6);
}

static void test_equally_common_types_are_named_by_the_latest_error(void **state)
{
    (void)state;
    assert_analysis(of(4, 4, 4), ANALYSIS_NORMAL_OPERATION, 12, TRIP_ERROR_INTERNAL, 4);
    assert_analysis(of(4, 4, 3), ANALYSIS_NORMAL_OPERATION, 11, TRIP_ERROR_TIMEOUT, 4);
}

static void test_a_high_rate_is_said_before_a_pattern(void **state)
{
    (void)state;
    assert_analysis(of(0, 601, 0), ANALYSIS_HIGH_ERROR_RATE, 601, TRIP_ERROR_TIMEOUT, 601);
}

static void test_settings_move_both_bounds(void **state)
{
    (void)state;
    struct correlation_sums sums = {0};
    const struct correlation_settings settings = {.window = 10 * S, .high_error_rate = 500, .pattern_share = 800};
    sums.counts[TRIP_ERROR_NETWORK] = 4;
    sums.counts[TRIP_ERROR_TIMEOUT] = 1;
    assert_int_equal(correlation_analyse(&sums, &settings).kind, ANALYSIS_NORMAL_OPERATION); /* 0.5 a second, 80% */
    sums.counts[TRIP_ERROR_NETWORK] = 5;
    assert_int_equal(correlation_analyse(&sums, &settings).kind, ANALYSIS_HIGH_ERROR_RATE); /* 0.6 a second */
    sums.counts[TRIP_ERROR_TIMEOUT] = 0;
    assert_int_equal(correlation_analyse(&sums, &settings).kind, ANALYSIS_PATTERN_DETECTED);
}

static void test_an_error_is_in_the_window_for_sixty_seconds_less_the_part_of_a_sub_bucket_that_had_passed(void **state)
{
    (void)state;
    struct error_row row = {0};
    error_row_add(&row, 60 * S, 3 * S, 7); /* in the sub-bucket from 0 to 6 s */
    assert_int_equal(error_row_sum(&row, 60 * S, 3 * S), 7);
    assert_int_equal(error_row_sum(&row, 60 * S, 60 * S - 1), 7);
    assert_int_equal(error_row_sum(&row, 60 * S, 60 * S), 0);
    assert_int_equal(row.latest_ns, 3 * S);
}

static void test_a_row_forgets_what_left_the_window_and_keeps_the_rest(void **state)
{
    (void)state;
    struct error_row row = {0};
    for (uint64_t second = 0; second < 120; second++)
        error_row_add(&row, 60 * S, second * S, 1);
    assert_int_equal(error_row_sum(&row, 60 * S, 119 * S), 60);
    assert_int_equal(error_row_sum(&row, 60 * S, 125 * S), 54);
    error_row_add(&row, 60 * S, 1000 * S, 2);
    assert_int_equal(error_row_sum(&row, 60 * S, 1000 * S), 2);
}

static void test_an_error_that_is_told_late_counts_in_its_own_time(void **state)
{
    (void)state;
    struct error_row row = {0};
    error_row_add(&row, 60 * S, 100 * S, 1);
    error_row_add(&row, 60 * S, 50 * S, 1); /* 96 to 102 s less nine: from 42 s on */
    error_row_add(&row, 60 * S, 41 * S, 1); /* too old */
    assert_int_equal(error_row_sum(&row, 60 * S, 100 * S), 2);
    assert_int_equal(error_row_sum(&row, 60 * S, 108 * S), 1);
    assert_int_equal(row.latest_ns, 100 * S);
}

static void test_a_count_stays_at_its_highest(void **state)
{
    (void)state;
    struct error_row row = {0};
    error_row_add(&row, 60 * S, 0, UINT32_MAX - 1);
    error_row_add(&row, 60 * S, 0, 5);
    assert_int_equal(error_row_sum(&row, 60 * S, 0), UINT32_MAX);
}

static void test_a_group_is_the_name_up_to_its_last_slash(void **state)
{
    (void)state;
    assert_int_equal(group_length("payments/db"), 8);
    assert_int_equal(group_length("a/b/c"), 3);
    assert_int_equal(group_length("db"), 0);
    assert_int_equal(group_length("/db"), 0);
}

static void test_entities_and_types_have_rows_of_their_own(void **state)
{
    (void)state;
    const uint64_t group = error_entity(ERROR_SCOPE_GROUP, "a", 1), breaker = error_entity(ERROR_SCOPE_BREAKER, "a", 1);
    assert_int_not_equal(group, breaker);
    assert_int_not_equal(error_row_key(group, TRIP_ERROR_NETWORK), error_row_key(group, TRIP_ERROR_TIMEOUT));
    assert_int_not_equal(error_row_key(group, TRIP_ERROR_NETWORK), 0);
}

static void test_an_entity_is_analysed_from_its_rows_alone(void **state)
{
    (void)state;
    static struct error_row rows[ERROR_ROWS];
    const uint64_t db = error_entity(ERROR_SCOPE_BREAKER, "db", 2),
                   cache = error_entity(ERROR_SCOPE_BREAKER, "cache", 5);
    const uint64_t keys[3] = {error_row_key(db, TRIP_ERROR_TIMEOUT), error_row_key(db, TRIP_ERROR_NETWORK),
                              error_row_key(cache, TRIP_ERROR_NETWORK)};
    for (unsigned i = 0; i < 3; i++) {
        struct error_row *const row = &rows[error_row_place(keys[i], i)]; /* at the first place, or one behind it */
        row->key = keys[i];
        error_row_add(row, 60 * S, 10 * S, 10 + i);
    }
    assert_analysis(correlation_of_entity(rows, db, &defaults, 10 * S), ANALYSIS_PATTERN_DETECTED, 21,
                    TRIP_ERROR_NETWORK, 11);
    assert_analysis(correlation_of_entity(rows, cache, &defaults, 10 * S), ANALYSIS_PATTERN_DETECTED, 12,
                    TRIP_ERROR_NETWORK, 12);
    assert_analysis(correlation_of_entity(rows, db, &defaults, 60 * S), ANALYSIS_PATTERN_DETECTED, 21,
                    TRIP_ERROR_NETWORK, 11);
    assert_analysis(correlation_of_entity(rows, db, &defaults, 66 * S), ANALYSIS_NO_ERRORS, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_errors_there_are_none),
        cmocka_unit_test(test_one_error_is_a_pattern_of_one),
        cmocka_unit_test(test_exactly_ten_a_second_is_not_high_and_one_more_is),
        cmocka_unit_test(test_exactly_half_is_no_pattern_and_more_than_half_is),
        cmocka_unit_test(test_equally_common_types_are_named_by_the_latest_error),
        cmocka_unit_test(test_a_high_rate_is_said_before_a_pattern),
        cmocka_unit_test(test_settings_move_both_bounds),
        cmocka_unit_test(
            test_an_error_is_in_the_window_for_sixty_seconds_less_the_part_of_a_sub_bucket_that_had_passed),
        cmocka_unit_test(test_a_row_forgets_what_left_the_window_and_keeps_the_rest),
        cmocka_unit_test(test_an_error_that_is_told_late_counts_in_its_own_time),
        cmocka_unit_test(test_a_count_stays_at_its_highest),
        cmocka_unit_test(test_a_group_is_the_name_up_to_its_last_slash),
        cmocka_unit_test(test_entities_and_types_have_rows_of_their_own),
        cmocka_unit_test(test_an_entity_is_analysed_from_its_rows_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
