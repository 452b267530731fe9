/* Rates that all processes of a host share, one 64-bit word each. A caller takes a token by a CAS from the word that it
 * loaded to the word that the function returned. All functions are pure; a refusal returns the word unchanged, so a
 * refused caller writes nothing. *ret_wait is 0 if the caller may go on, else the time until a token is free if no
 * other caller takes it: never 0 for a refusal, BUCKET_NEVER if time alone frees none.
 *
 * `reserve` is the number of tokens that this caller must leave to more important callers; 0 for critical ones. It is
 * capped so that every caller may take from a full bucket.
 *
 * Times of rates are in ticks (internal/ticks.h), which an admission reads anyway, and may wrap; a budget's are ticks
 * in ms. Load the word, then read the clock, anew at each try: compared with an older time the word seems to lie in the
 * future. A word may lie ahead of its bound by up to BUCKET_CLOCK_SLACK; a word further ahead is treated as damage. So
 * a bad word gives at most one full bucket, or one empty bucket for the time of that slack.
 *
 * tripd divides when it publishes a rate (struct rate to struct rate_share); callers that take a token never divide.
 *
 * bucket    token bucket of `burst` tokens, one each per / limit: the generic cell rate algorithm as a virtual schedule
 *           (ITU-T I.371; ATM Forum, Traffic Management Specification 4.0)
 *
 *   63                                                        0
 *   [     theoretical arrival time 64: 1/32 tick, modular      ]     18 years
 *
 *           With I = per / limit: admitted if TAT <= now + (burst - 1) * I, and then TAT = max(TAT, now) + I. The
 *           1/32 are for an I that is no whole number of ticks: rounded up, so that no more than `limit` pass, and
 *           short of it by less than limit / (32 * per): 31 in a million at a million a second and a tick a
 *           nanosecond. A zero word is a full bucket.
 *
 * sliding   no more than `limit` within the last `per`, as estimated from two counters: the sliding window of
 *           Cloudflare, "How we built rate limiting capable of scaling to millions of domains" (2017)
 *
 *   63            2b 2b-1            b b-1           0
 *   [  window 64-2b  ][   previous b    ][   current b   ]     window: now / per, modular; b: as many bits as `limit`
 *
 *           Admitted if previous * (rest of this window / per) + current + 1 <= limit, computed without rounding. So
 *           callers that ask all the time get limit - 1 in each window, and with a limit of 1 one in two windows. A
 *           word that rested until the windows wrap looks like one of now, and its calls count again for two windows
 *           at most: that takes 34 years of windows of a millisecond for a limit of 4095, and 18 hours of windows of a
 *           second for the highest one.
 *
 * budget    tokens for retries, in thousandths: deposited by tripd (a ratio of the calls it counted), and refilled at
 *           min_per_second by each process that reads the word, so that the floor holds while tripd is away
 *           (RetryBudget of Twitter's Finagle, for a host). A token a second is a thousandth a millisecond: no
 * rounding.
 *
 *   63                   32 31                    0
 *   [    milli-tokens 32   ][  refilled at 32: ms   ]     modular, 49.7 days
 */
#ifndef TRIP_INTERNAL_BUCKET_WORD_H
#define TRIP_INTERNAL_BUCKET_WORD_H

#include <stdbool.h>

#include "internal/numbers.h"

#define BUCKET_CLOCK_SLACK UINT64_C(1000000000) /* ticks: one second */
#define BUCKET_NEVER       UINT64_MAX

struct rate {
    uint64_t limit; /* calls in `per` ticks; 1 at least */
    uint64_t per;   /* the ticks of a millisecond at least */
    uint64_t burst; /* bucket: calls that may come at once; 1 at least. burst * per / limit: BUCKET_AHEAD_MAX at most */
};

/* A rate as tripd publishes it to clients.
 *             bucket                                              sliding
 *   step      between two tokens, in 1/32 tick                    the window, in ticks
 *   whole     how far ahead of now the word may lie (1/32 tick)   how many calls may be in it before this one
 *   share     `whole` less the reserve that this caller leaves    `whole` less the reserve that this caller leaves */
struct rate_share {
    uint64_t step, whole, share;
};

static inline uint64_t bucket_positive(uint64_t value)
{
    return value ? value : 1;
}

/* ----------------------------------------------------------------------------------------------- bucket: GCRA */

#define BUCKET_PARTS 32 /* of a tick */
/* A quarter of the modular range, so that "ahead" and "behind" differ: 104 days at 8 GHz, in 1/32 tick. */
#define BUCKET_AHEAD_MAX (UINT64_C(1) << 61)

static inline struct rate_share bucket_share(const struct rate *rate, uint64_t reserve)
{
    const uint64_t step = at_most(
        quotient_up((unsigned __int128)rate->per * BUCKET_PARTS, bucket_positive(rate->limit)), BUCKET_AHEAD_MAX);
    const uint64_t whole = at_most(product(step, bucket_positive(rate->burst)), BUCKET_AHEAD_MAX) - step;
    return (struct rate_share){step, whole, whole - at_most(product(reserve, step), whole)};
}

/* Returns how far the word lies ahead of now; 0 if it lies behind, or so far ahead that it is damage. */
static inline uint64_t bucket_ahead(uint64_t word, const struct rate_share *rate, uint64_t now)
{
    const uint64_t ahead = word - now * BUCKET_PARTS;
    return ahead <= rate->whole + rate->step + BUCKET_CLOCK_SLACK * BUCKET_PARTS ? ahead : 0;
}

static inline uint64_t bucket_after_take(uint64_t word, const struct rate_share *rate, uint64_t now, uint64_t *ret_wait)
{
    const uint64_t ahead = bucket_ahead(word, rate, now);

    *ret_wait = ahead <= rate->share ? 0 : (ahead - rate->share + BUCKET_PARTS - 1) / BUCKET_PARTS;
    return *ret_wait ? word : now * BUCKET_PARTS + ahead + rate->step;
}

/* Returns the tokens that callers could take at once, for people. */
static inline uint64_t bucket_tokens(uint64_t word, const struct rate_share *rate, uint64_t now)
{
    const uint64_t span = rate->whole + rate->step;
    return (span - at_most(bucket_ahead(word, rate, now), span)) / bucket_positive(rate->step);
}

/* ------------------------------------------------------------------------------------- sliding: window counter */

#define SLIDING_COUNT_MAX 0xffffffu /* the highest limit */

/* The counts of a word, moved on to the window of `now`. */
struct sliding {
    uint64_t window; /* not modular */
    uint64_t rest;   /* time until the window ends; more than `per` if the caller's clock is older than the word */
    uint64_t previous, current;
};

static inline struct rate_share sliding_share(const struct rate *rate, uint64_t reserve)
{
    const uint64_t whole = at_most(bucket_positive(rate->limit), SLIDING_COUNT_MAX) - 1;
    return (struct rate_share){bucket_positive(rate->per), whole, whole - at_most(reserve, whole)};
}

/* Returns how many bits a count has. */
static inline unsigned sliding_bits(const struct rate_share *rate)
{
    return 64 - (unsigned)__builtin_clzll(at_most(rate->whole, SLIDING_COUNT_MAX - 1) + 1);
}

static inline uint64_t sliding_make(const struct rate_share *rate, uint64_t window, uint64_t previous, uint64_t current)
{
    const unsigned bits = sliding_bits(rate);
    const uint64_t most = (UINT64_C(1) << bits) - 1;
    return window << 2 * bits | (previous & most) << bits | (current & most);
}

/* Counts beyond the limit come from an older, higher limit or from damage, and are capped. */
static inline struct sliding sliding_at(uint64_t word, const struct rate_share *rate, uint64_t now)
{
    const unsigned bits = sliding_bits(rate);
    const uint64_t most = (UINT64_C(1) << bits) - 1, windows = UINT64_MAX >> 2 * bits;
    const uint64_t per = bucket_positive(rate->step), at = now / per;
    const uint64_t behind = (at - (word >> 2 * bits)) & windows;
    const uint64_t ahead = -behind & windows;
    const bool older_clock = behind != 0 && ahead <= (now + BUCKET_CLOCK_SLACK) / per - at;
    const uint64_t window = older_clock ? at + ahead : at, rest = (window + 1) * per - now;
    const uint64_t previous = at_most(word >> bits & most, rate->whole + 1);
    const uint64_t current = at_most(word & most, rate->whole + 1);

    if (behind == 0 || older_clock)
        return (struct sliding){window, rest, previous, current};
    return (struct sliding){window, rest, behind == 1 ? current : 0, 0};
}

/* Returns the estimated time until at most `most` of a window's `count` calls are within the last `per`. rest: the time
 * until all of them have left it. */
static inline uint64_t sliding_wait(uint64_t count, uint64_t most, uint64_t per, uint64_t rest)
{
    if (count <= most)
        return 0;
    const uint64_t rest_then = (uint64_t)((unsigned __int128)most * per / count);
    return rest > rest_then ? rest - rest_then : 0;
}

static inline uint64_t sliding_after_take(uint64_t word, const struct rate_share *rate, uint64_t now,
                                          uint64_t *ret_wait)
{
    const struct sliding is = sliding_at(word, rate, now);
    const uint64_t per = bucket_positive(rate->step);

    /* The calls of this window count whole until it ends, then less and less. */
    *ret_wait = is.current <= rate->share ? sliding_wait(is.previous, rate->share - is.current, per, is.rest)
                                          : is.rest + sliding_wait(is.current, rate->share, per, per);
    return *ret_wait ? word : sliding_make(rate, is.window, is.previous, is.current + 1);
}

/* Converts a word from one rate to another. If the window's length differs, the result is an empty word. */
static inline uint64_t sliding_recoded(uint64_t word, const struct rate_share *from, const struct rate_share *to,
                                       uint64_t now)
{
    const struct sliding is = sliding_at(word, from, now);
    return from->step == to->step
               ? sliding_make(to, is.window, at_most(is.previous, to->whole + 1), at_most(is.current, to->whole + 1))
               : 0;
}

/* Returns the calls within the last `per`, for people: estimated and rounded up, so that a limit of 10 shows one left
 * at 8.3. */
static inline uint64_t sliding_count(uint64_t word, const struct rate_share *rate, uint64_t now)
{
    const struct sliding is = sliding_at(word, rate, now);
    const uint64_t per = bucket_positive(rate->step);
    return quotient_up((unsigned __int128)is.previous * at_most(is.rest, per), per) + is.current;
}

/* --------------------------------------------------------------------------------------- budget: retries' tokens */

#define BUDGET_TOKEN    1000 /* a retry's price */
#define BUDGET_CAP_MAX  UINT32_MAX
#define BUDGET_SLACK_MS 1000

struct budget {
    uint64_t min_per_second; /* tokens; 0: deposits alone */
    uint64_t cap;            /* in thousandths; a token at least, BUDGET_CAP_MAX at most */
};

static inline uint64_t budget_make(uint64_t milli_tokens, uint64_t now_ms)
{
    return milli_tokens << 32 | (now_ms & UINT32_MAX);
}

/* Returns the tokens in thousandths, with the refill up to now. */
static inline uint64_t budget_tokens(uint64_t word, const struct budget *budget, uint64_t now_ms)
{
    const uint64_t rested_ms = (now_ms - word) & UINT32_MAX;
    const bool older_clock = rested_ms > UINT32_MAX - BUDGET_SLACK_MS;
    const uint64_t refill = older_clock ? 0 : product(rested_ms, budget->min_per_second);
    return at_most(saturated((unsigned __int128)(word >> 32) + refill), at_most(budget->cap, BUDGET_CAP_MAX));
}

/* The time never moves back, or an older clock would refill the same milliseconds twice. */
static inline uint64_t budget_refilled_ms(uint64_t word, uint64_t now_ms)
{
    return ((now_ms - word) & UINT32_MAX) > UINT32_MAX - BUDGET_SLACK_MS ? word & UINT32_MAX : now_ms;
}

static inline uint64_t budget_after_take(uint64_t word, const struct budget *budget, uint64_t reserve, uint64_t now_ms,
                                         uint64_t *ret_wait_ns)
{
    const uint64_t cap = at_most(budget->cap, BUDGET_CAP_MAX), tokens = budget_tokens(word, budget, now_ms);
    const uint64_t needed = BUDGET_TOKEN + at_most(reserve, cap > BUDGET_TOKEN ? cap - BUDGET_TOKEN : 0);

    if (tokens >= needed) {
        *ret_wait_ns = 0;
        return budget_make(tokens - BUDGET_TOKEN, budget_refilled_ms(word, now_ms));
    }
    *ret_wait_ns = budget->min_per_second == 0 || cap < BUDGET_TOKEN
                       ? BUCKET_NEVER
                       : product(quotient_up(needed - tokens, budget->min_per_second), 1000000);
    return word;
}

/* Returns the word after a deposit: tripd deposits the calls that it counted since the last one, times the ratio. */
static inline uint64_t budget_after_deposit(uint64_t word, const struct budget *budget, uint64_t milli_tokens,
                                            uint64_t now_ms)
{
    const uint64_t tokens = saturated((unsigned __int128)budget_tokens(word, budget, now_ms) + milli_tokens);
    return budget_make(at_most(tokens, at_most(budget->cap, BUDGET_CAP_MAX)), budget_refilled_ms(word, now_ms));
}

#endif
