/* How long to wait before the next attempt: a delay from the number of attempts that failed, then jitter on it.
 *
 *   delay d of attempt n (n = 1 after the first failure), never above `max`
 *     FIXED         base
 *     LINEAR        base * n
 *     EXPONENTIAL   base * multiplier^(n - 1), each step rounded down to whole nanoseconds
 *
 *   jitter on d
 *     NONE          d
 *     PROPORTIONAL  evenly over [d - d * ratio, d + d * ratio]: the one that may end above `max`, as open.jitter does,
 *                   so that callers whose delay has reached `max` do not all retry at once
 *     FULL          evenly over [0, d]
 *     EQUAL         evenly over [d / 2, d]
 *     DECORRELATED  evenly over [base, 3 * the delay before], then cut at `max`, whatever d is
 *
 * FULL, EQUAL and DECORRELATED are from Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 * All arithmetic saturates. The functions are pure: the caller passes the random bits.
 */
#ifndef TRIP_INTERNAL_BACKOFF_H
#define TRIP_INTERNAL_BACKOFF_H

#include "internal/numbers.h"

/* X(ENUM_SUFFIX, "name in the config"). */
#define BACKOFF_KINDS(X) \
    X(FIXED, "fixed")    \
    X(LINEAR, "linear")  \
    X(EXPONENTIAL, "exponential")

#define JITTER_KINDS(X)             \
    X(NONE, "none")                 \
    X(PROPORTIONAL, "proportional") \
    X(FULL, "full")                 \
    X(EQUAL, "equal")               \
    X(DECORRELATED, "decorrelated")

#define BACKOFF_ENUM(suffix, name) BACKOFF_##suffix,
#define JITTER_ENUM(suffix, name)  JITTER_##suffix,

enum backoff_kind { BACKOFF_KINDS(BACKOFF_ENUM) BACKOFF_KIND_COUNT };
enum jitter_kind { JITTER_KINDS(JITTER_ENUM) JITTER_KIND_COUNT };

struct backoff {
    uint8_t kind;                 /* enum backoff_kind */
    uint8_t jitter;               /* enum jitter_kind */
    uint16_t jitter_permille;     /* the ratio of PROPORTIONAL; 1000 at most */
    uint32_t multiplier_permille; /* of EXPONENTIAL */
    uint64_t base_ns, max_ns;
};

/* The loop ends early once the delay no longer changes: it has reached the cap, or the multiplier is 1. */
static inline uint64_t backoff_exponential_ns(const struct backoff *backoff, unsigned attempt)
{
    uint64_t delay_ns = at_most(backoff->base_ns, backoff->max_ns);
    for (uint64_t last_ns = UINT64_MAX; attempt > 1 && delay_ns != last_ns; attempt--) {
        last_ns = delay_ns;
        delay_ns = at_most(permille_of(delay_ns, backoff->multiplier_permille), backoff->max_ns);
    }
    return delay_ns;
}

/* Returns the delay before jitter. */
static inline uint64_t backoff_plain_ns(const struct backoff *backoff, unsigned attempt)
{
    switch ((enum backoff_kind)backoff->kind) {
    case BACKOFF_LINEAR:
        return at_most(product(backoff->base_ns, attempt), backoff->max_ns);
    case BACKOFF_EXPONENTIAL:
        return backoff_exponential_ns(backoff, attempt);
    default:
        return at_most(backoff->base_ns, backoff->max_ns);
    }
}

static inline uint64_t backoff_proportional_ns(uint64_t delay_ns, uint64_t permille, uint64_t random)
{
    const uint64_t ratio_ns = permille_of(delay_ns, at_most(permille, 1000));
    return random_between(delay_ns - ratio_ns, saturated((unsigned __int128)delay_ns + ratio_ns), random);
}

static inline uint64_t backoff_decorrelated_ns(const struct backoff *backoff, uint64_t previous_ns, uint64_t random)
{
    const uint64_t from_ns = previous_ns > backoff->base_ns ? previous_ns : backoff->base_ns;
    return at_most(random_between(backoff->base_ns, product(from_ns, 3), random), backoff->max_ns);
}

/* Returns the delay before the next attempt. attempt: how many have failed, 1 at least. previous_ns: the last delay, 0
 * if there was none. random: any 64 bits. */
static inline uint64_t backoff_delay_ns(const struct backoff *backoff, unsigned attempt, uint64_t previous_ns,
                                        uint64_t random)
{
    const uint64_t delay_ns = backoff_plain_ns(backoff, attempt);
    switch ((enum jitter_kind)backoff->jitter) {
    case JITTER_PROPORTIONAL:
        return backoff_proportional_ns(delay_ns, backoff->jitter_permille, random);
    case JITTER_FULL:
        return random_between(0, delay_ns, random);
    case JITTER_EQUAL:
        return random_between(delay_ns / 2, delay_ns, random);
    case JITTER_DECORRELATED:
        return backoff_decorrelated_ns(backoff, previous_ns, random);
    default:
        return delay_ns;
    }
}

#endif
