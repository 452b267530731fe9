/* Rates in one word each: what passes at once, over hours of virtual time, by several clocks, at the wrap, and out of
 * words that say what cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "internal/bucket_word.h"

#define US     UINT64_C(1000)
#define MS     UINT64_C(1000000)
#define S      UINT64_C(1000000000)
#define HOUR   (3600 * S)
#define WRAP   (UINT64_C(1) << 59) /* of the bucket's time */
#define DAMAGE UINT64_C(0xdeadbeefdeadbeef)

typedef uint64_t (*take_rate)(uint64_t word, const struct rate *rate, uint64_t reserve, uint64_t now_ns,
                              uint64_t *ret_wait_ns);

/* Takes from rates as they are configured, with a tick of a nanosecond. */
static uint64_t bucket_take(uint64_t word, const struct rate *rate, uint64_t reserve, uint64_t now_ns,
                            uint64_t *ret_wait_ns)
{
    const struct rate_share share = bucket_share(rate, reserve);
    return bucket_after_take(word, &share, now_ns, ret_wait_ns);
}

static uint64_t sliding_take(uint64_t word, const struct rate *rate, uint64_t reserve, uint64_t now_ns,
                             uint64_t *ret_wait_ns)
{
    const struct rate_share share = sliding_share(rate, reserve);
    return sliding_after_take(word, &share, now_ns, ret_wait_ns);
}

static uint64_t tokens_left(uint64_t word, const struct rate *rate, uint64_t now_ns)
{
    const struct rate_share share = bucket_share(rate, 0);
    return bucket_tokens(word, &share, now_ns);
}

static uint64_t calls_within(uint64_t word, const struct rate *rate, uint64_t now_ns)
{
    const struct rate_share share = sliding_share(rate, 0);
    return sliding_count(word, &share, now_ns);
}

static bool take(take_rate after_take, uint64_t *word, const struct rate *rate, uint64_t reserve, uint64_t now_ns)
{
    uint64_t wait_ns = 77;
    const uint64_t after = after_take(*word, rate, reserve, now_ns, &wait_ns);

    if (wait_ns != 0)
        assert_int_equal(after, *word);
    *word = after;
    return wait_ns == 0;
}

static unsigned take_all(take_rate after_take, uint64_t *word, const struct rate *rate, uint64_t reserve,
                         uint64_t now_ns)
{
    unsigned taken = 0;
    while (taken < 100000 && take(after_take, word, rate, reserve, now_ns))
        taken++;
    return taken;
}

static uint64_t wait_ns_of(take_rate after_take, uint64_t word, const struct rate *rate, uint64_t reserve,
                           uint64_t now_ns)
{
    uint64_t wait_ns;
    after_take(word, rate, reserve, now_ns, &wait_ns);
    return wait_ns;
}

/* A greedy caller: asks, and comes back exactly when it is told to. Each refusal is early by at least a nanosecond. */
static uint64_t greedy(take_rate after_take, uint64_t word, const struct rate *rate, uint64_t from_ns, uint64_t for_ns)
{
    uint64_t taken = 0;

    for (uint64_t now_ns = from_ns; now_ns - from_ns <= for_ns;) {
        uint64_t wait_ns;
        word = after_take(word, rate, 0, now_ns, &wait_ns);
        taken += wait_ns == 0;
        if (wait_ns > 1 && taken % 64 == 0)
            assert_int_equal(wait_ns_of(after_take, word, rate, 0, now_ns + wait_ns - 1), 1);
        now_ns += wait_ns;
    }
    return taken;
}

/* Processes that come when they like, about ten times as often as the rate admits, with clocks that lag by up to 5 ms.
 */
static uint64_t crowd(take_rate after_take, const struct rate *rate, uint64_t for_ns)
{
    uint64_t word = 0, taken = 0, seed = 11;
    const uint64_t pause_ns = rate->per / rate->limit / 5;

    for (uint64_t now_ns = S; now_ns - S <= for_ns; now_ns += random_between(0, pause_ns, random_next(&seed))) {
        const uint64_t lag_ns = random_between(0, 5 * MS, random_next(&seed));
        taken += take(after_take, &word, rate, 0, now_ns - lag_ns);
    }
    return taken;
}

/* ------------------------------------------------------------------------------------------------ token bucket */

static const struct rate hundred = {.limit = 100, .per = S, .burst = 20};

static void test_a_full_bucket_passes_exactly_its_burst_at_once(void **state)
{
    (void)state;
    uint64_t word = 0;
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, 5 * S), 20);
    assert_int_equal(word, (5 * S + 200 * MS) * 32);

    const struct rate one = {.limit = 3, .per = S, .burst = 1};
    word = 0;
    assert_int_equal(take_all(bucket_take, &word, &one, 0, 5 * S), 1);
}

static void test_an_empty_bucket_says_when_the_next_token_comes(void **state)
{
    (void)state;
    uint64_t word = 0;
    take_all(bucket_take, &word, &hundred, 0, 5 * S);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 0, 5 * S), 10 * MS);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 0, 5 * S + 10 * MS - 1), 1);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, 5 * S + 10 * MS), 1);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, 5 * S + 45 * MS), 3);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 0, 5 * S + 45 * MS), 5 * MS);
}

static void test_a_bucket_that_rested_is_full_and_no_fuller(void **state)
{
    (void)state;
    uint64_t word = 0;
    take_all(bucket_take, &word, &hundred, 0, 5 * S);
    assert_int_equal(tokens_left(word, &hundred, 5 * S), 0);
    assert_int_equal(tokens_left(word, &hundred, 5 * S + 55 * MS), 5);
    assert_int_equal(tokens_left(word, &hundred, 9 * S), 20);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, 9 * S), 20);
}

static void test_a_bucket_keeps_its_rate_for_hours(void **state)
{
    (void)state;
    /* limit * time / per + burst, the last of them at the end of the time. */
    assert_int_equal(greedy(bucket_take, 0, &hundred, 5 * S, 2 * HOUR), 720020);
    const struct rate third = {.limit = 3, .per = S, .burst = 1};
    assert_in_range(greedy(bucket_take, 0, &third, 0, 100 * HOUR), 1080000, 1080001);
    const struct rate seventh = {.limit = 7, .per = 60 * S, .burst = 7};
    assert_in_range(greedy(bucket_take, 0, &seventh, 0, 1000 * HOUR), 420006, 420007);
    const struct rate odd = {.limit = 999, .per = S, .burst = 50};
    assert_in_range(greedy(bucket_take, 0, &odd, 0, 3 * HOUR), 10789249, 10789250);
}

static void test_a_bucket_of_a_million_a_second_falls_short_by_31_in_a_million_at_most(void **state)
{
    (void)state;
    const struct rate fast = {.limit = 999999, .per = S, .burst = 2};
    assert_in_range(greedy(bucket_take, 0, &fast, 0, 10 * S), 9999682, 9999992);
}

static void test_a_crowd_with_clocks_that_lag_gets_no_more_than_the_bucket_gives(void **state)
{
    (void)state;
    assert_in_range(crowd(bucket_take, &hundred, HOUR), 360018, 360020);
}

static void test_an_older_clock_finds_no_full_bucket(void **state)
{
    (void)state;
    uint64_t word = 0;
    take_all(bucket_take, &word, &hundred, 0, 5 * S);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 0, 5 * S - 5 * MS), 15 * MS);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 0, 4 * S), S + 10 * MS);
}

static void test_a_bucket_goes_on_over_the_wrap(void **state)
{
    (void)state;
    uint64_t word = (WRAP - S) * 32;
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, WRAP - 50 * MS), 20);
    assert_true(word < 32 * S);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, WRAP - 50 * MS), 0);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, WRAP + 50 * MS), 10);
    assert_int_equal(greedy(bucket_take, 0, &hundred, WRAP - 5 * S, 10 * S), 1020);
}

static void test_an_arrival_time_further_ahead_than_any_is_now(void **state)
{
    (void)state;
    const uint64_t highest = (5 * S + 200 * MS + S) * 32; /* empty, by a clock a second ahead */
    uint64_t wait_ns;

    assert_int_equal(bucket_take(highest, &hundred, 0, 5 * S, &wait_ns), highest);
    assert_int_equal(wait_ns, S + 10 * MS);
    assert_int_equal(bucket_take(highest + 1, &hundred, 0, 5 * S, &wait_ns), (5 * S + 10 * MS) * 32);
    assert_int_equal(wait_ns, 0);
    for (uint64_t word = DAMAGE, i = 0; i < 100000; i++) {
        random_next(&word);
        assert_true(wait_ns_of(bucket_take, word, &hundred, 0, 5 * S) <= S + 10 * MS);
    }
}

static void test_a_reserve_stays_in_the_bucket_for_the_more_important(void **state)
{
    (void)state;
    uint64_t word = 0;
    assert_int_equal(take_all(bucket_take, &word, &hundred, 4, 5 * S), 16);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 4, 5 * S), 10 * MS);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 1, 5 * S), 3);
    assert_int_equal(take_all(bucket_take, &word, &hundred, 0, 5 * S), 1);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, 4, 5 * S), 50 * MS);
}

static void test_everybody_may_take_from_a_full_bucket(void **state)
{
    (void)state;
    uint64_t word = 0;
    assert_int_equal(take_all(bucket_take, &word, &hundred, UINT64_MAX, 5 * S), 1);
    assert_int_equal(wait_ns_of(bucket_take, word, &hundred, UINT64_MAX, 5 * S), 10 * MS);
}

static void test_extreme_rates_neither_divide_by_zero_nor_wrap(void **state)
{
    (void)state;
    const struct rate nothing = {0};
    uint64_t word = 0;
    assert_true(take(bucket_take, &word, &nothing, 0, 5 * S));
    const struct rate everything = {.limit = UINT64_MAX, .per = S, .burst = UINT64_MAX};
    word = 0;
    assert_true(take(bucket_take, &word, &everything, 0, 5 * S));
    assert_int_equal(word, 5 * S * 32 + 1);
    const struct rate never = {.limit = 1, .per = UINT64_MAX, .burst = UINT64_MAX};
    word = 0;
    assert_int_equal(take_all(bucket_take, &word, &never, 0, 5 * S), 1);
}

/* ----------------------------------------------------------------------------------------------- sliding window */

static const struct rate ten = {.limit = 10, .per = S};

static uint64_t word_of(const struct rate *rate, uint64_t window, uint64_t previous, uint64_t current)
{
    const struct rate_share share = sliding_share(rate, 0);
    return sliding_make(&share, window, previous, current);
}

static void test_fields_of_the_sliding_window_stand_at_their_bits(void **state)
{
    (void)state;
    const struct rate highest = {.limit = SLIDING_COUNT_MAX, .per = S};
    assert_int_equal(word_of(&highest, 0x51234, 0xabcdef, 0x123456), UINT64_C(0x1234abcdef123456));
    uint64_t word = 0;
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 0x1234 * S), 10); /* a limit of 10 has 4 bits */
    assert_int_equal(word, UINT64_C(0x12340a));
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 0x1235 * S + S / 2), 5);
    assert_int_equal(word, UINT64_C(0x1235a5));
}

static void test_the_window_before_counts_for_the_part_that_is_still_in(void **state)
{
    (void)state;
    uint64_t word = word_of(&ten, 41, 0, 8);
    assert_int_equal(calls_within(word, &ten, 42 * S), 8);
    assert_int_equal(calls_within(word, &ten, 42 * S + S / 4), 6);
    assert_int_equal(calls_within(word, &ten, 42 * S + S * 3 / 10), 6); /* 5.6 */
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 42 * S + S / 4), 4);
    assert_int_equal(word, word_of(&ten, 42, 8, 4));
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 42 * S + S / 4), 0);
    assert_int_equal(calls_within(word, &ten, 43 * S), 4);
    assert_int_equal(calls_within(word, &ten, 44 * S), 0);
}

static void test_an_estimate_of_a_little_more_than_the_limit_is_more(void **state)
{
    (void)state;
    const struct rate one = {.limit = 1, .per = S};
    uint64_t word = 0;
    assert_true(take(sliding_take, &word, &one, 0, 999 * MS));
    assert_false(take(sliding_take, &word, &one, 0, 1001 * MS)); /* 0.999 + 1 */
    assert_int_equal(wait_ns_of(sliding_take, word, &one, 0, 1001 * MS), 999 * MS);
    assert_false(take(sliding_take, &word, &one, 0, 2000 * MS - 1));
    assert_true(take(sliding_take, &word, &one, 0, 2000 * MS));
}

static void test_a_sliding_window_says_when_the_next_call_passes(void **state)
{
    (void)state;
    uint64_t word = 0;
    take_all(sliding_take, &word, &ten, 0, 42 * S + 300 * MS);
    /* Ten calls in this window: one of them has left a tenth of the next one after it began. */
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 0, 42 * S + 300 * MS), 800 * MS);
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 0, 43 * S), 100 * MS);
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 43 * S + 100 * MS - 1), 0);
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 43 * S + 100 * MS), 1);
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 0, 43 * S + 100 * MS), 100 * MS);
}

static void test_a_sliding_window_keeps_its_rate_for_hours(void **state)
{
    (void)state;
    /* A caller that always asks gets limit - 1 in each window after the first; with a limit of 1, one in two windows.
     */
    assert_int_equal(greedy(sliding_take, 0, &ten, 42 * S, 2 * HOUR), 64802);
    const struct rate one = {.limit = 1, .per = S};
    assert_int_equal(greedy(sliding_take, 0, &one, 42 * S, 2 * HOUR), 3601);
    const struct rate seventh = {.limit = 7, .per = 60 * S};
    assert_int_equal(greedy(sliding_take, 0, &seventh, 0, 1000 * HOUR), 360002);
    const struct rate large = {.limit = 100000, .per = HOUR};
    assert_int_equal(greedy(sliding_take, 0, &large, 0, 20 * HOUR), 1999982);
}

static void test_a_crowd_with_clocks_that_lag_gets_no_more_than_the_window_lets_through(void **state)
{
    (void)state;
    assert_in_range(crowd(sliding_take, &ten, 2 * HOUR), 64700, 72010);
    const struct rate often = {.limit = 10, .per = MS};
    assert_in_range(crowd(sliding_take, &often, 60 * S), 300000, 600010);
}

static void test_no_window_of_its_own_lets_more_than_the_limit_through(void **state)
{
    (void)state;
    uint64_t word = 0, seed = 3;
    for (uint64_t window = 1; window < 20000; window++) {
        unsigned taken = 0;
        for (uint64_t at_ns = 0; at_ns < S; at_ns += random_between(0, 100 * MS, random_next(&seed)))
            taken += take(sliding_take, &word, &ten, 0, window * S + at_ns);
        assert_in_range(taken, 1, 10);
    }
}

static void test_an_older_clock_counts_in_the_window_that_began(void **state)
{
    (void)state;
    uint64_t word = word_of(&ten, 42, 8, 1);
    assert_int_equal(calls_within(word, &ten, 42 * S - 5 * MS), 9);
    assert_true(take(sliding_take, &word, &ten, 0, 42 * S - 5 * MS));
    assert_int_equal(word, word_of(&ten, 42, 8, 2));
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 0, 42 * S - 5 * MS), 130 * MS);
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 0, 42 * S + 125 * MS), 0);
}

static void test_calls_of_long_ago_are_not_taken_for_calls_of_now(void **state)
{
    (void)state;
    const struct rate four = {.limit = 4, .per = MS};
    const uint64_t later_ms[] = {2, 65000, 65535, 65536, 65537, 24 * 3600 * 1000};
    for (size_t i = 0; i < sizeof(later_ms) / sizeof(later_ms[0]); i++) {
        uint64_t word = 0;
        assert_int_equal(take_all(sliding_take, &word, &four, 0, 0), 4);
        assert_int_equal(take_all(sliding_take, &word, &four, 0, later_ms[i] * MS), 4);
    }
}

static void test_a_sliding_window_goes_on_over_the_wrap(void **state)
{
    (void)state;
    const struct rate highest = {.limit = SLIDING_COUNT_MAX, .per = S}; /* 16 bits of window */
    uint64_t word = word_of(&highest, 65533, 0, SLIDING_COUNT_MAX);
    assert_int_equal(wait_ns_of(sliding_take, word, &highest, 0, 65535 * S), 0);
    word = word_of(&highest, 65535, 0, SLIDING_COUNT_MAX);
    assert_true(wait_ns_of(sliding_take, word, &highest, 0, 65536 * S) > 0);
    assert_true(take(sliding_take, &word, &highest, 0, 65536 * S + S / 2));
    assert_int_equal(word, word_of(&highest, 0, SLIDING_COUNT_MAX, 1));
    assert_int_equal(calls_within(word, &highest, 65536 * S - 5 * MS), SLIDING_COUNT_MAX + 1); /* an older clock */
}

static void test_a_window_that_cannot_be_is_empty_and_counts_beyond_the_limit_are_the_limit(void **state)
{
    (void)state;
    uint64_t word = word_of(&ten, 44, 10, 10); /* more than a second ahead */
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 42 * S + 900 * MS), 10);
    assert_int_equal(word, word_of(&ten, 42, 0, 10));

    word = word_of(&ten, 42, 15, 15);
    assert_int_equal(calls_within(word, &ten, 42 * S), 20);
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 0, 42 * S), S + 100 * MS);
    for (uint64_t i = 0, seed = DAMAGE; i < 100000; i++)
        assert_true(wait_ns_of(sliding_take, random_next(&seed), &ten, 0, 42 * S) <= 2200 * MS);
}

static void test_another_limit_keeps_the_counts_and_another_window_begins_anew(void **state)
{
    (void)state;
    const struct rate hundred_calls = {.limit = 100, .per = S}, five = {.limit = 5, .per = S};
    const struct rate minute = {.limit = 100, .per = 60 * S};
    const struct rate_share from = sliding_share(&ten, 0), wider = sliding_share(&hundred_calls, 0),
                            narrower = sliding_share(&five, 0), longer = sliding_share(&minute, 0);
    const uint64_t word = word_of(&ten, 42, 8, 7);
    assert_int_equal(sliding_recoded(word, &from, &wider, 42 * S), word_of(&hundred_calls, 42, 8, 7));
    assert_int_equal(sliding_recoded(word, &from, &narrower, 42 * S), word_of(&five, 42, 5, 5));
    assert_int_equal(sliding_recoded(word, &from, &longer, 42 * S), 0);
}

static void test_a_reserve_of_the_window_is_for_the_more_important(void **state)
{
    (void)state;
    uint64_t word = 0;
    assert_int_equal(take_all(sliding_take, &word, &ten, 4, 42 * S), 6);
    assert_int_equal(take_all(sliding_take, &word, &ten, 1, 42 * S), 3);
    assert_int_equal(take_all(sliding_take, &word, &ten, 0, 42 * S), 1);
    assert_int_equal(wait_ns_of(sliding_take, word, &ten, 4, 42 * S), 1500 * MS);
    word = 0;
    assert_int_equal(take_all(sliding_take, &word, &ten, UINT64_MAX, 42 * S), 1);
}

static void test_the_highest_limit_of_a_sliding_window_does_not_spill(void **state)
{
    (void)state;
    const struct rate highest = {.limit = UINT64_MAX, .per = S};
    uint64_t word = word_of(&highest, 42, 0, SLIDING_COUNT_MAX - 1);
    assert_int_equal(take_all(sliding_take, &word, &highest, 0, 42 * S), 1);
    assert_int_equal(word, word_of(&highest, 42, 0, SLIDING_COUNT_MAX));
    const struct rate nothing = {0};
    word = 0;
    assert_int_equal(take_all(sliding_take, &word, &nothing, 0, 5), 1);
}

/* ------------------------------------------------------------------------------------------------ retry budget */

static const struct budget ten_per_second = {.min_per_second = 10, .cap = 100000};

static bool retry(uint64_t *word, const struct budget *budget, uint64_t reserve, uint64_t now_ms)
{
    uint64_t wait_ns = 77;
    const uint64_t after = budget_after_take(*word, budget, reserve, now_ms, &wait_ns);

    if (wait_ns != 0)
        assert_int_equal(after, *word);
    *word = after;
    return wait_ns == 0;
}

static unsigned retry_all(uint64_t *word, const struct budget *budget, uint64_t reserve, uint64_t now_ms)
{
    unsigned taken = 0;
    while (taken < 10000000 && retry(word, budget, reserve, now_ms))
        taken++;
    return taken;
}

static uint64_t retry_wait_ns(uint64_t word, const struct budget *budget, uint64_t reserve, uint64_t now_ms)
{
    uint64_t wait_ns;
    budget_after_take(word, budget, reserve, now_ms, &wait_ns);
    return wait_ns;
}

static void test_fields_of_the_budget_stand_at_their_bits(void **state)
{
    (void)state;
    assert_int_equal(budget_make(0x12345678, UINT64_C(0xf9abcdef0)), UINT64_C(0x123456789abcdef0));
    assert_int_equal(budget_after_deposit(budget_make(5000, 7000), &ten_per_second, 250, 7003),
                     budget_make(5280, 7003));
}

static void test_a_retry_costs_a_token(void **state)
{
    (void)state;
    uint64_t word = budget_make(2999, 7000);
    assert_true(retry(&word, &ten_per_second, 0, 7000));
    assert_int_equal(word, budget_make(1999, 7000));
    assert_true(retry(&word, &ten_per_second, 0, 7000));
    assert_false(retry(&word, &ten_per_second, 0, 7000));
    assert_int_equal(word, budget_make(999, 7000));
    assert_int_equal(retry_wait_ns(word, &ten_per_second, 0, 7000), MS); /* 10 thousandths come in a millisecond */
    assert_true(retry(&word, &ten_per_second, 0, 7001));
}

static void test_the_floor_refills_the_budget_while_tripd_is_away(void **state)
{
    (void)state;
    uint64_t word = budget_make(0, 7000);
    assert_int_equal(retry_wait_ns(word, &ten_per_second, 0, 7000), 100 * MS);
    assert_int_equal(retry_wait_ns(word, &ten_per_second, 0, 7099), MS);
    assert_int_equal(retry_all(&word, &ten_per_second, 0, 7100), 1);
    assert_int_equal(retry_all(&word, &ten_per_second, 0, 8000), 9);

    /* A caller that wants to retry at each millisecond, for two hours. */
    uint64_t taken = 0;
    word = budget_make(100000, 0);
    for (uint64_t now_ms = 0; now_ms <= 7200000; now_ms++)
        taken += retry_all(&word, &ten_per_second, 0, now_ms);
    assert_int_equal(taken, 72100);
}

static void test_deposits_add_to_the_floor_up_to_the_cap(void **state)
{
    (void)state;
    /* 1,000 calls a second at 20 %, told twice a second, and 10 a second for nothing: all but what came last is used.
     */
    const struct budget roomy = {.min_per_second = 10, .cap = 200000};
    uint64_t word = budget_make(0, 0), taken = 0;
    for (uint64_t now_ms = 1; now_ms <= 3600000; now_ms++) {
        if (now_ms % 500 == 0)
            word = budget_after_deposit(word, &roomy, 100000, now_ms);
        taken += retry(&word, &roomy, 0, now_ms);
    }
    assert_in_range(taken, 755900, 755902);

    word = budget_after_deposit(budget_make(99000, 7000), &ten_per_second, 5000, 7000);
    assert_int_equal(word, budget_make(100000, 7000));
    assert_int_equal(budget_after_deposit(word, &ten_per_second, UINT64_MAX, 9000), budget_make(100000, 9000));
}

static void test_nothing_is_lost_between_a_deposit_and_the_refill(void **state)
{
    (void)state;
    const struct budget roomy = {.min_per_second = 10, .cap = BUDGET_CAP_MAX};
    uint64_t word = budget_make(0, 0), deposits = 0, seed = 5;
    for (uint64_t now_ms = 0; now_ms < 3600000; now_ms += random_between(0, 20, random_next(&seed)), deposits++)
        word = budget_after_deposit(word, &roomy, 7, now_ms);
    assert_true(deposits > 100000);
    assert_int_equal(budget_tokens(word, &roomy, 3600000), 36000000 + 7 * deposits);
}

static void test_an_older_clock_refills_nothing_and_nothing_twice(void **state)
{
    (void)state;
    uint64_t word = budget_make(1500, 7000);
    assert_int_equal(budget_tokens(word, &ten_per_second, 6995), 1500);
    assert_true(retry(&word, &ten_per_second, 0, 6995));
    assert_int_equal(word, budget_make(500, 7000));
    assert_int_equal(budget_after_deposit(word, &ten_per_second, 100, 6995), budget_make(600, 7000));

    uint64_t taken = 0, seed = 9;
    word = budget_make(100000, 10000);
    for (uint64_t now_ms = 10000; now_ms <= 3610000; now_ms++)
        taken += retry_all(&word, &ten_per_second, 0, now_ms - random_between(0, 5, random_next(&seed)));
    assert_in_range(taken, 36099, 36100);
}

static void test_the_budget_goes_on_over_the_wrap(void **state)
{
    (void)state;
    const uint64_t wrap_ms = UINT64_C(1) << 32;
    uint64_t word = budget_make(0, wrap_ms - 500);
    assert_int_equal(retry_all(&word, &ten_per_second, 0, wrap_ms + 500), 10);
    assert_int_equal(word, budget_make(0, 500));
    assert_int_equal(retry_all(&word, &ten_per_second, 0, wrap_ms - 5), 0);
    assert_int_equal(word, budget_make(0, 500));
}

static void test_a_budget_that_cannot_be_is_full_at_most_and_refills_again(void **state)
{
    (void)state;
    assert_int_equal(budget_tokens(UINT64_MAX, &ten_per_second, 7000), 100000);
    assert_int_equal(budget_tokens(budget_make(0, 8001), &ten_per_second, 7000), 100000); /* 49.7 days */
    assert_int_equal(budget_tokens(budget_make(0, 8000), &ten_per_second, 7000), 0);
    assert_int_equal(budget_tokens(budget_make(0, 8000), &ten_per_second, 8100), 1000);
    for (uint64_t i = 0, seed = DAMAGE; i < 100000; i++)
        assert_true(budget_tokens(random_next(&seed), &ten_per_second, 7000) <= 100000);
}

static void test_a_reserve_of_the_budget_is_for_the_more_important(void **state)
{
    (void)state;
    uint64_t word = budget_make(10000, 7000);
    assert_int_equal(retry_all(&word, &ten_per_second, 5000, 7000), 5);
    assert_int_equal(retry_wait_ns(word, &ten_per_second, 5000, 7000), 100 * MS);
    assert_int_equal(retry_all(&word, &ten_per_second, 500, 7000), 4);
    assert_int_equal(retry_all(&word, &ten_per_second, 0, 7000), 1);
    word = budget_make(100000, 7000);
    assert_int_equal(retry_all(&word, &ten_per_second, UINT64_MAX, 7000), 1);
}

static void test_without_a_floor_only_deposits_help(void **state)
{
    (void)state;
    const struct budget deposits = {.cap = 10000};
    uint64_t word = budget_make(0, 7000);
    assert_int_equal(retry_wait_ns(word, &deposits, 0, 3600000), BUCKET_NEVER);
    word = budget_after_deposit(word, &deposits, 1000, 3600000);
    assert_true(retry(&word, &deposits, 0, 3600000));
}

static void test_a_cap_below_a_token_never_lets_a_retry_through(void **state)
{
    (void)state;
    const struct budget small = {.min_per_second = 10, .cap = 999};
    assert_int_equal(retry_wait_ns(UINT64_MAX, &small, 0, 7000), BUCKET_NEVER);
}

static void test_the_largest_budget_does_not_wrap(void **state)
{
    (void)state;
    const struct budget largest = {.min_per_second = UINT64_MAX, .cap = UINT64_MAX};
    assert_int_equal(budget_tokens(budget_make(5, 0), &largest, 7000), UINT32_MAX);
    assert_int_equal(budget_after_deposit(budget_make(5, 0), &largest, UINT64_MAX, 7000),
                     budget_make(UINT32_MAX, 7000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_bucket_passes_exactly_its_burst_at_once),
        cmocka_unit_test(test_an_empty_bucket_says_when_the_next_token_comes),
        cmocka_unit_test(test_a_bucket_that_rested_is_full_and_no_fuller),
        cmocka_unit_test(test_a_bucket_keeps_its_rate_for_hours),
        cmocka_unit_test(test_a_bucket_of_a_million_a_second_falls_short_by_31_in_a_million_at_most),
        cmocka_unit_test(test_a_crowd_with_clocks_that_lag_gets_no_more_than_the_bucket_gives),
        cmocka_unit_test(test_an_older_clock_finds_no_full_bucket),
        cmocka_unit_test(test_a_bucket_goes_on_over_the_wrap),
        cmocka_unit_test(test_an_arrival_time_further_ahead_than_any_is_now),
        cmocka_unit_test(test_a_reserve_stays_in_the_bucket_for_the_more_important),
        cmocka_unit_test(test_everybody_may_take_from_a_full_bucket),
        cmocka_unit_test(test_extreme_rates_neither_divide_by_zero_nor_wrap),
        cmocka_unit_test(test_fields_of_the_sliding_window_stand_at_their_bits),
        cmocka_unit_test(test_the_window_before_counts_for_the_part_that_is_still_in),
        cmocka_unit_test(test_an_estimate_of_a_little_more_than_the_limit_is_more),
        cmocka_unit_test(test_calls_of_long_ago_are_not_taken_for_calls_of_now),
        cmocka_unit_test(test_another_limit_keeps_the_counts_and_another_window_begins_anew),
        cmocka_unit_test(test_a_sliding_window_says_when_the_next_call_passes),
        cmocka_unit_test(test_a_sliding_window_keeps_its_rate_for_hours),
        cmocka_unit_test(test_a_crowd_with_clocks_that_lag_gets_no_more_than_the_window_lets_through),
        cmocka_unit_test(test_no_window_of_its_own_lets_more_than_the_limit_through),
        cmocka_unit_test(test_an_older_clock_counts_in_the_window_that_began),
        cmocka_unit_test(test_a_sliding_window_goes_on_over_the_wrap),
        cmocka_unit_test(test_a_window_that_cannot_be_is_empty_and_counts_beyond_the_limit_are_the_limit),
        cmocka_unit_test(test_a_reserve_of_the_window_is_for_the_more_important),
        cmocka_unit_test(test_the_highest_limit_of_a_sliding_window_does_not_spill),
        cmocka_unit_test(test_fields_of_the_budget_stand_at_their_bits),
        cmocka_unit_test(test_a_retry_costs_a_token),
        cmocka_unit_test(test_the_floor_refills_the_budget_while_tripd_is_away),
        cmocka_unit_test(test_deposits_add_to_the_floor_up_to_the_cap),
        cmocka_unit_test(test_nothing_is_lost_between_a_deposit_and_the_refill),
        cmocka_unit_test(test_an_older_clock_refills_nothing_and_nothing_twice),
        cmocka_unit_test(test_the_budget_goes_on_over_the_wrap),
        cmocka_unit_test(test_a_budget_that_cannot_be_is_full_at_most_and_refills_again),
        cmocka_unit_test(test_a_reserve_of_the_budget_is_for_the_more_important),
        cmocka_unit_test(test_without_a_floor_only_deposits_help),
        cmocka_unit_test(test_a_cap_below_a_token_never_lets_a_retry_through),
        cmocka_unit_test(test_the_largest_budget_does_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
