/* Delays between attempts: each kind against its closed form, each jitter against its bounds and its mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "internal/backoff.h"

#define MS    UINT64_C(1000000)
#define DRAWS 100000

/* Returns the contract's defaults, with this kind and jitter. */
static struct backoff retry(unsigned kind, unsigned jitter)
{
    return (struct backoff){.kind = (uint8_t)kind,
                            .jitter = (uint8_t)jitter,
                            .jitter_permille = 100,
                            .multiplier_permille = 2000,
                            .base_ns = 100 * MS,
                            .max_ns = 10000 * MS};
}

static struct backoff exponential(unsigned jitter)
{
    return retry(BACKOFF_EXPONENTIAL, jitter);
}

static struct backoff with_base(struct backoff backoff, uint64_t base_ns)
{
    backoff.base_ns = base_ns;
    return backoff;
}

static struct backoff with_max(struct backoff backoff, uint64_t max_ns)
{
    backoff.max_ns = max_ns;
    return backoff;
}

static struct backoff with_multiplier(struct backoff backoff, uint32_t permille)
{
    backoff.multiplier_permille = permille;
    return backoff;
}

static struct backoff with_ratio(struct backoff backoff, uint16_t permille)
{
    backoff.jitter_permille = permille;
    return backoff;
}

static uint64_t plain_ns(struct backoff backoff, unsigned attempt)
{
    return backoff_delay_ns(&backoff, attempt, 0, UINT64_C(0x123456789abcdef0));
}

/* ------------------------------------------------------------------------------------------------------- kinds */

static void test_fixed_is_the_base_at_each_attempt(void **state)
{
    (void)state;
    const struct backoff fixed = retry(BACKOFF_FIXED, JITTER_NONE);
    assert_int_equal(plain_ns(fixed, 1), 100 * MS);
    assert_int_equal(plain_ns(fixed, 2), 100 * MS);
    assert_int_equal(plain_ns(fixed, 4000000000), 100 * MS);
}

static void test_linear_grows_by_the_base_up_to_the_maximum(void **state)
{
    (void)state;
    const struct backoff linear = retry(BACKOFF_LINEAR, JITTER_NONE);
    assert_int_equal(plain_ns(linear, 1), 100 * MS);
    assert_int_equal(plain_ns(linear, 2), 200 * MS);
    assert_int_equal(plain_ns(linear, 7), 700 * MS);
    assert_int_equal(plain_ns(linear, 100), 10000 * MS);
    assert_int_equal(plain_ns(linear, 101), 10000 * MS);
}

static void test_exponential_doubles_up_to_the_maximum(void **state)
{
    (void)state;
    static const uint64_t expected_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    for (unsigned attempt = 1; attempt <= 9; attempt++)
        assert_int_equal(plain_ns(exponential(JITTER_NONE), attempt), expected_ms[attempt - 1] * MS);
    assert_int_equal(plain_ns(exponential(JITTER_NONE), UINT32_MAX), 10000 * MS);
}

static void test_exponential_with_a_broken_multiplier(void **state)
{
    (void)state;
    const struct backoff grows = with_multiplier(exponential(JITTER_NONE), 1500);
    assert_int_equal(plain_ns(grows, 2), 150 * MS);
    assert_int_equal(plain_ns(grows, 3), 225 * MS);
    assert_int_equal(plain_ns(grows, 4), 337500000);
    assert_int_equal(plain_ns(grows, 11), 5766503905); /* 100 ms * 1.5^10 = 5766503906.25 ns, each step rounded down */
    assert_int_equal(plain_ns(grows, 13), 10000 * MS);
}

static void test_a_multiplier_of_one_waits_the_base_and_does_not_count_to_four_milliards(void **state)
{
    (void)state;
    assert_int_equal(plain_ns(with_multiplier(exponential(JITTER_NONE), 1000), UINT32_MAX), 100 * MS);
    assert_int_equal(plain_ns(with_base(with_multiplier(exponential(JITTER_NONE), 1001), 1), UINT32_MAX), 1);
    assert_int_equal(plain_ns(with_multiplier(exponential(JITTER_NONE), 0), UINT32_MAX), 0);
}

static void test_attempt_zero_is_the_first(void **state)
{
    (void)state;
    assert_int_equal(plain_ns(exponential(JITTER_NONE), 0), 100 * MS);
    assert_int_equal(plain_ns(retry(BACKOFF_FIXED, JITTER_NONE), 0), 100 * MS);
}

static void test_no_kind_exceeds_the_maximum_however_large_the_base(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < BACKOFF_KIND_COUNT; kind++) {
        assert_int_equal(plain_ns(with_base(retry(kind, JITTER_NONE), UINT64_MAX), 3), 10000 * MS);
        assert_int_equal(plain_ns(with_max(retry(kind, JITTER_NONE), 0), 3), 0);
    }
}

static void test_values_beyond_64_bits_become_the_largest(void **state)
{
    (void)state;
    const struct backoff linear = with_max(with_base(retry(BACKOFF_LINEAR, JITTER_NONE), UINT64_MAX / 2), UINT64_MAX);
    assert_int_equal(plain_ns(linear, 2), UINT64_MAX - 1);
    assert_int_equal(plain_ns(linear, 3), UINT64_MAX);
    const struct backoff grows = with_max(with_multiplier(exponential(JITTER_NONE), UINT32_MAX), UINT64_MAX);
    assert_int_equal(plain_ns(grows, 2), UINT64_C(429496729500000));
    assert_int_equal(plain_ns(grows, 4), UINT64_MAX);
    assert_int_equal(plain_ns(grows, UINT32_MAX), UINT64_MAX);
}

static void test_words_that_name_no_kind_are_fixed_without_jitter(void **state)
{
    (void)state;
    assert_int_equal(plain_ns(retry(255, 255), 5), 100 * MS);
}

/* ------------------------------------------------------------------------------------------------------ jitter */

struct drawn {
    uint64_t lowest_ns, highest_ns, mean_ns;
};

/* attempt 4: 800 ms before jitter. */
static struct drawn draw(struct backoff backoff, uint64_t previous_ns)
{
    struct drawn drawn = {.lowest_ns = UINT64_MAX};
    uint64_t seed = 4, sum = 0;

    for (unsigned i = 0; i < DRAWS; i++) {
        const uint64_t delay_ns = backoff_delay_ns(&backoff, 4, previous_ns, random_next(&seed));
        drawn.lowest_ns = at_most(delay_ns, drawn.lowest_ns);
        drawn.highest_ns = delay_ns > drawn.highest_ns ? delay_ns : drawn.highest_ns;
        sum += delay_ns;
    }
    drawn.mean_ns = sum / DRAWS;
    return drawn;
}

static uint64_t least_ns(struct backoff backoff, uint64_t previous_ns)
{
    return backoff_delay_ns(&backoff, 4, previous_ns, 0);
}

static uint64_t most_ns(struct backoff backoff, uint64_t previous_ns)
{
    return backoff_delay_ns(&backoff, 4, previous_ns, UINT64_MAX);
}

/* Asserts that each tenth of the range is drawn equally often, +-4 %. */
static void assert_even_tenths(struct backoff backoff, uint64_t previous_ns, uint64_t lowest_ns, uint64_t highest_ns)
{
    unsigned tenths[10] = {0};
    uint64_t seed = 7;

    for (unsigned i = 0; i < DRAWS; i++) {
        const uint64_t delay_ns = backoff_delay_ns(&backoff, 4, previous_ns, random_next(&seed));
        tenths[at_most((delay_ns - lowest_ns) * 10 / (highest_ns - lowest_ns), 9)]++;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(tenths[i], 9600, 10400);
}

/* Asserts that the least random bits draw the lowest value, the most the highest, and that the range is filled evenly:
 * mean +-0.6 %. */
static void assert_even(struct backoff backoff, uint64_t previous_ns, uint64_t lowest_ms, uint64_t highest_ms)
{
    assert_int_equal(least_ns(backoff, previous_ns), lowest_ms * MS);
    assert_int_equal(most_ns(backoff, previous_ns), highest_ms * MS);

    const struct drawn drawn = draw(backoff, previous_ns);
    const uint64_t mean_ns = (lowest_ms + highest_ms) * MS / 2;
    assert_in_range(drawn.lowest_ns, lowest_ms * MS, (lowest_ms + 1) * MS);
    assert_in_range(drawn.highest_ns, (highest_ms - 1) * MS, highest_ms * MS);
    assert_in_range(drawn.mean_ns, mean_ns - permille_of(mean_ns, 6), mean_ns + permille_of(mean_ns, 6));
    assert_even_tenths(backoff, previous_ns, lowest_ms * MS, highest_ms * MS);
}

static void test_no_jitter_is_the_delay_itself(void **state)
{
    (void)state;
    const struct drawn drawn = draw(exponential(JITTER_NONE), 400 * MS);
    assert_int_equal(drawn.lowest_ns, 800 * MS);
    assert_int_equal(drawn.highest_ns, 800 * MS);
}

static void test_proportional_jitter_goes_ten_percent_both_ways(void **state)
{
    (void)state;
    assert_even(exponential(JITTER_PROPORTIONAL), 0, 720, 880);
}

static void test_proportional_jitter_spreads_around_the_maximum(void **state)
{
    (void)state;
    const struct backoff backoff = with_max(exponential(JITTER_PROPORTIONAL), 500 * MS);
    assert_int_equal(least_ns(backoff, 0), 450 * MS);
    assert_int_equal(most_ns(backoff, 0), 550 * MS);
}

static void test_proportional_jitter_never_goes_below_nothing_or_beyond_64_bits(void **state)
{
    (void)state;
    const struct backoff wild = with_ratio(exponential(JITTER_PROPORTIONAL), UINT16_MAX);
    assert_int_equal(least_ns(wild, 0), 0);
    assert_int_equal(most_ns(wild, 0), 1600 * MS);
    const struct backoff large =
        with_max(with_base(with_ratio(retry(BACKOFF_FIXED, JITTER_PROPORTIONAL), 1000), UINT64_MAX), UINT64_MAX);
    assert_int_equal(least_ns(large, 0), 0);
    assert_int_equal(most_ns(large, 0), UINT64_MAX);
}

static void test_full_jitter_is_even_from_nothing_to_the_delay(void **state)
{
    (void)state;
    assert_even(exponential(JITTER_FULL), 0, 0, 800);
}

static void test_equal_jitter_keeps_half_of_the_delay(void **state)
{
    (void)state;
    assert_even(exponential(JITTER_EQUAL), 0, 400, 800);
}

static void test_decorrelated_jitter_goes_from_the_base_to_three_times_the_delay_before(void **state)
{
    (void)state;
    assert_even(exponential(JITTER_DECORRELATED), 500 * MS, 100, 1500);
}

static void test_the_first_decorrelated_delay_comes_from_the_base(void **state)
{
    (void)state;
    const struct backoff backoff = exponential(JITTER_DECORRELATED);
    assert_int_equal(least_ns(backoff, 0), 100 * MS);
    assert_int_equal(most_ns(backoff, 0), 300 * MS);
}

static void test_decorrelated_jitter_is_cut_at_the_maximum(void **state)
{
    (void)state;
    const struct backoff backoff = exponential(JITTER_DECORRELATED);
    assert_int_equal(most_ns(backoff, 10000 * MS), 10000 * MS);
    assert_int_equal(most_ns(backoff, UINT64_MAX), 10000 * MS);
    assert_int_equal(least_ns(with_max(exponential(JITTER_DECORRELATED), 50 * MS), 0), 50 * MS);

    uint64_t seed = 1, previous_ns = 0, cut = 0;
    for (unsigned i = 0; i < DRAWS; i++) {
        previous_ns = backoff_delay_ns(&backoff, 1, previous_ns, random_next(&seed));
        assert_in_range(previous_ns, 100 * MS, 10000 * MS);
        cut += previous_ns == 10000 * MS;
    }
    assert_in_range(cut, 20000, 60000);
}

static void test_a_delay_of_one_place_is_that_place(void **state)
{
    (void)state;
    for (unsigned jitter = 0; jitter < JITTER_DECORRELATED; jitter++) {
        const struct backoff nothing = with_base(exponential(jitter), 0);
        assert_int_equal(least_ns(nothing, 0), 0);
        assert_int_equal(most_ns(nothing, 0), 0);
    }
}

/* ------------------------------------------------------------------------------------------------------- names */

#define NAME_OF(suffix, name) name,

static void test_names_are_those_of_the_config(void **state)
{
    (void)state;
    static const char *const kinds[] = {BACKOFF_KINDS(NAME_OF)};
    static const char *const jitters[] = {JITTER_KINDS(NAME_OF)};
    assert_string_equal(kinds[BACKOFF_FIXED], "fixed");
    assert_string_equal(kinds[BACKOFF_LINEAR], "linear");
    assert_string_equal(kinds[BACKOFF_EXPONENTIAL], "exponential");
    assert_string_equal(jitters[JITTER_NONE], "none");
    assert_string_equal(jitters[JITTER_PROPORTIONAL], "proportional");
    assert_string_equal(jitters[JITTER_FULL], "full");
    assert_string_equal(jitters[JITTER_EQUAL], "equal");
    assert_string_equal(jitters[JITTER_DECORRELATED], "decorrelated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_is_the_base_at_each_attempt),
        cmocka_unit_test(test_linear_grows_by_the_base_up_to_the_maximum),
        cmocka_unit_test(test_exponential_doubles_up_to_the_maximum),
        cmocka_unit_test(test_exponential_with_a_broken_multiplier),
        cmocka_unit_test(test_a_multiplier_of_one_waits_the_base_and_does_not_count_to_four_milliards),
        cmocka_unit_test(test_attempt_zero_is_the_first),
        cmocka_unit_test(test_no_kind_exceeds_the_maximum_however_large_the_base),
        cmocka_unit_test(test_values_beyond_64_bits_become_the_largest),
        cmocka_unit_test(test_words_that_name_no_kind_are_fixed_without_jitter),
        cmocka_unit_test(test_no_jitter_is_the_delay_itself),
        cmocka_unit_test(test_proportional_jitter_goes_ten_percent_both_ways),
        cmocka_unit_test(test_proportional_jitter_spreads_around_the_maximum),
        cmocka_unit_test(test_proportional_jitter_never_goes_below_nothing_or_beyond_64_bits),
        cmocka_unit_test(test_full_jitter_is_even_from_nothing_to_the_delay),
        cmocka_unit_test(test_equal_jitter_keeps_half_of_the_delay),
        cmocka_unit_test(test_decorrelated_jitter_goes_from_the_base_to_three_times_the_delay_before),
        cmocka_unit_test(test_the_first_decorrelated_delay_comes_from_the_base),
        cmocka_unit_test(test_decorrelated_jitter_is_cut_at_the_maximum),
        cmocka_unit_test(test_a_delay_of_one_place_is_that_place),
        cmocka_unit_test(test_names_are_those_of_the_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
