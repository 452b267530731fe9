/* The words of a policy slot: what clients judge by, each 64 bits, read whole.
 *
 * admission   0-2 mode | 3 it has a TTL, which `modes` tells | 4-19 incarnation of the slot
 *             20-63 number of the commons in force
 *             With mode auto and no TTL it equals policy_plain(incarnation, number). One comparison tells a client that
 *             nothing but the state word decides, that the slot is still its breaker's, and that the words which it has
 *             mapped are those in force.
 * judge[g&1]  0-14 threshold of the streak (0: off) | 15-17 mode | 18 calls in flight are watched | 19-34 generation
 *             A change writes the place that is not in force, then moves the generation in the state word by CAS: the
 *             word's generation always finds the judge that belongs to it, also if tripd died in between.
 * modes[i]    0-2 mode | 3 set | 4-44 TTL's end in ms (0: none)
 * half_open   0-7 permits | 8-39 max_wait in ms
 * ramp_end    0-40 end in ms | 44-63 epoch, as in the state word
 * reserves    0-9 permille that sheddable calls leave free | 10-19 that normal ones do
 *             20-30 the most tickets, in force while tripd is away
 *             31-40 permille of what throttling admits that sheddable calls get at least
 * retry       0-7 attempts | 8-11 enum backoff_kind | 12-15 enum jitter_kind | 16-25 jitter in permille
 *             26-57 multiplier in permille
 */
#ifndef TRIP_INTERNAL_POLICY_H
#define TRIP_INTERNAL_POLICY_H

#include "internal/backoff.h"
#include "internal/bucket_word.h"
#include "internal/layout.h"

#define POLICY_MS_MASK ((UINT64_C(1) << 41) - 1)

#define POLICY_COMMONS_SHIFT 20

static inline uint64_t policy_plain(uint32_t incarnation, uint64_t number)
{
    return (uint64_t)TRIP_MODE_AUTO | (uint64_t)(incarnation & 0xffff) << 4 | number << POLICY_COMMONS_SHIFT;
}

/* Returns the admission word for the same slot and commons with this mode in force. */
static inline uint64_t policy_admission(uint64_t admission, trip_mode mode, _Bool has_ttl)
{
    return (admission & ~UINT64_C(15)) | (uint64_t)mode | (has_ttl ? 8u : 0u);
}

static inline uint64_t policy_with_commons(uint64_t admission, uint64_t number)
{
    return (admission & ((UINT64_C(1) << POLICY_COMMONS_SHIFT) - 1)) | number << POLICY_COMMONS_SHIFT;
}

static inline uint32_t policy_incarnation(uint64_t admission)
{
    return (uint32_t)(admission >> 4 & 0xffff);
}

/* Do both words name the same breaker in the slot? */
static inline _Bool policy_same_breaker(uint64_t admission, uint64_t plain)
{
    return policy_incarnation(admission) == policy_incarnation(plain);
}

/* Do both words name the same commons? */
static inline _Bool policy_same_commons(uint64_t admission, uint64_t plain)
{
    return admission >> POLICY_COMMONS_SHIFT == plain >> POLICY_COMMONS_SHIFT;
}

/* Returns a lane's number, 12 bits, together with the only commons in which it belongs to the lane. */
static inline uint64_t policy_lane_grant(uint64_t number, uint32_t lane)
{
    return number << POLICY_COMMONS_SHIFT | (lane & 0xfff);
}

/* Returns the lane's number in the commons of `plain`; 0: it has none there. */
static inline uint32_t policy_lane_granted(uint64_t granted, uint64_t plain)
{
    return policy_same_commons(granted, plain) ? (uint32_t)(granted & 0xfff) : 0;
}

static inline _Bool policy_has_ttl(uint64_t admission)
{
    return (admission & 8) != 0;
}

static inline uint64_t policy_mode_word(trip_mode mode, uint64_t until_ms)
{
    return (uint64_t)mode | 8u | (until_ms & POLICY_MS_MASK) << 4;
}

/* Is this owner's mode set, with a TTL that has not passed? */
static inline _Bool policy_mode_holds(uint64_t word, uint64_t now_ms, uint64_t *ret_until_ms)
{
    const uint64_t until_ms = word >> 4 & POLICY_MS_MASK;
    if (!(word & 8) || (until_ms && now_ms >= until_ms) || (word & 7) >= TRIP_MODE_COUNT)
        return false;
    *ret_until_ms = until_ms;
    return true;
}

/* Returns the strongest mode that is set and has not run out; auto if there is none. ret_until_ms: 0 without a TTL. */
static inline trip_mode policy_mode_of(const uint64_t modes[MODE_OWNER_COUNT], uint64_t now_ms, uint64_t *ret_until_ms)
{
    for (unsigned owner = 0; owner < MODE_OWNER_COUNT; owner++) {
        const uint64_t word = __atomic_load_n(&modes[owner], __ATOMIC_RELAXED);
        if (policy_mode_holds(word, now_ms, ret_until_ms))
            return (trip_mode)(word & 7);
    }
    *ret_until_ms = 0;
    return TRIP_MODE_AUTO;
}

/* Returns until when the modes force the breaker open; now_ms: they do not; UINT64_MAX: without an end. *ret_mode: the
 * mode that holds afterwards. */
static inline uint64_t policy_forced_until_ms(const uint64_t modes[MODE_OWNER_COUNT], uint64_t now_ms,
                                              trip_mode *ret_mode)
{
    uint64_t until_ms;
    while ((*ret_mode = policy_mode_of(modes, now_ms, &until_ms)) == TRIP_MODE_FORCED_OPEN) {
        if (until_ms == 0)
            return UINT64_MAX;
        now_ms = until_ms;
    }
    return now_ms;
}

/* Returns the time until a call may be admitted, if the state admits one in state_ms; UINT64_MAX: never by itself. */
static inline uint64_t policy_retry_after_ms(const uint64_t modes[MODE_OWNER_COUNT], uint64_t now_ms, uint64_t state_ms)
{
    trip_mode after;
    const uint64_t until_ms = policy_forced_until_ms(modes, now_ms, &after);
    if (until_ms == UINT64_MAX)
        return UINT64_MAX;
    return after == TRIP_MODE_AUTO ? at_least(until_ms - now_ms, state_ms) : until_ms - now_ms;
}

/* Returns the mode in force, also when a TTL has passed while no tripd publishes that. admission: loaded before, with
 * acquire if a TTL that was set just now must be seen. */
static inline trip_mode policy_mode_now(const struct policy_slot *slot, uint64_t admission, uint64_t now_ms)
{
    uint64_t until_ms;
    if (policy_has_ttl(admission))
        return policy_mode_of(slot->modes, now_ms, &until_ms);
    const unsigned mode = admission & 7;
    return mode < TRIP_MODE_COUNT ? (trip_mode)mode : TRIP_MODE_AUTO;
}

static inline uint64_t policy_judge(uint32_t threshold, trip_mode mode, _Bool watched, uint32_t generation)
{
    return (threshold & 0x7fff) | (uint64_t)mode << 15 | (uint64_t)watched << 18 |
           (uint64_t)(generation & 0xffff) << 19;
}

static inline uint32_t judge_threshold(uint64_t judge)
{
    return (uint32_t)(judge & 0x7fff);
}

static inline trip_mode judge_mode(uint64_t judge)
{
    const unsigned mode = judge >> 15 & 7;
    return mode < TRIP_MODE_COUNT ? (trip_mode)mode : TRIP_MODE_AUTO;
}

static inline _Bool judge_watched(uint64_t judge)
{
    return judge >> 18 & 1;
}

static inline uint32_t judge_generation(uint64_t judge)
{
    return (uint32_t)(judge >> 19 & 0xffff);
}

/* Returns the judge with another mode, for the time after a TTL ended while no tripd publishes that. */
static inline uint64_t judge_with_mode(uint64_t judge, trip_mode mode)
{
    return (judge & ~(UINT64_C(7) << 15)) | (uint64_t)mode << 15;
}

/* Returns the judge of the latest generation: a word without a generation (open, half-open, probing) closes with it. */
static inline uint64_t policy_newest_judge(const struct policy_slot *slot)
{
    /* Relaxed: a judge is one word and names its generation, by which the reader checks it. */
    const uint64_t even = __atomic_load_n(&slot->judge[0], __ATOMIC_RELAXED);
    const uint64_t odd = __atomic_load_n(&slot->judge[1], __ATOMIC_RELAXED);
    if (!(judge_generation(odd) & 1)) /* it was never written */
        return even;
    if (judge_generation(even) & 1)
        return odd;
    return ((judge_generation(odd) - judge_generation(even)) & 0xffff) < 0x8000 ? odd : even;
}

/* Returns the judge of a word of this generation; or the newest one, if a later generation stands in its place. Then
 * either the word was loaded before two reloads, and a CAS from it fails; or a client's probe closed the breaker with a
 * generation that two reloads have replaced since, and the next step moves the word on to the newest. */
static inline uint64_t policy_judge_of(const struct policy_slot *slot, uint32_t generation)
{
    /* Relaxed: the acquire load of the word pairs with the release CAS that moved it to this generation, which follows
     * the store of the judge. */
    const uint64_t judge = __atomic_load_n(&slot->judge[generation & 1], __ATOMIC_RELAXED);
    return judge_generation(judge) == (generation & 0xffff) ? judge : policy_newest_judge(slot);
}

/* Returns the word `ramp_end`: the epoch of the ramping state, and when it ends. */
static inline uint64_t policy_ramp_end(uint32_t epoch, uint64_t end_ms)
{
    return (uint64_t)(epoch & 0xfffff) << 44 | (end_ms & POLICY_MS_MASK);
}

static inline uint32_t ramp_end_epoch(uint64_t ramp_end)
{
    return (uint32_t)(ramp_end >> 44);
}

static inline uint64_t ramp_end_ms(uint64_t ramp_end)
{
    return ramp_end & POLICY_MS_MASK;
}

static inline uint64_t policy_half_open(uint32_t permits, uint64_t max_wait_ms)
{
    return (permits & 0xff) | (max_wait_ms & 0xffffffff) << 8;
}

static inline uint32_t half_open_permits(uint64_t half_open)
{
    const uint32_t permits = half_open & 0xff;
    return permits < PERMITS_PER_BREAKER ? permits : PERMITS_PER_BREAKER;
}

static inline uint64_t half_open_max_wait_ms(uint64_t half_open)
{
    return half_open >> 8 & 0xffffffff;
}

/* ----------------------------------------------------------------------------------------------- limits and retries */

enum policy_limit {
    POLICY_TICKETS = 1,
    POLICY_RATE = 2,
    POLICY_SLIDING = 4, /* the rate's window slides */
    POLICY_THROTTLE = 8,
    POLICY_LIMITS = 15,
    /* No limits: */
    POLICY_TIMED = 16,    /* clients time each call, not a sample (docs/decisions/untimed-calls.md) */
    POLICY_CUT_SHORT = 32 /* an opening cuts calls in flight short */
};

#define SAMPLED_ONE_IN 16 /* of so many calls one is timed, if not every one is */

static inline _Bool policy_times_calls(const struct policy_slot *slot)
{
    return (__atomic_load_n(&slot->limits, __ATOMIC_RELAXED) & POLICY_TIMED) != 0;
}

/* Does any limit apply to a call that the breaker admits? */
static inline _Bool policy_limits_calls(const struct policy_slot *slot)
{
    return (__atomic_load_n(&slot->limits, __ATOMIC_RELAXED) & POLICY_LIMITS) != 0;
}

static inline uint64_t policy_reserves(uint32_t sheddable_permille, uint32_t normal_permille)
{
    return (sheddable_permille & 0x3ff) | (uint64_t)(normal_permille & 0x3ff) << 10;
}

static inline struct ticket_limit policy_tickets(const struct policy_slot *slot)
{
    /* Sequentially consistent: after a client took a ticket, these loads decide whether it keeps it (ticket_keeps). */
    const uint64_t now = __atomic_load_n(&slot->tickets, __ATOMIC_SEQ_CST);
    const uint64_t highest = __atomic_load_n(&slot->tickets_highest, __ATOMIC_SEQ_CST);
    return (struct ticket_limit){(unsigned)at_most(now, TICKETS_MAX), (unsigned)at_most(highest, TICKETS_MAX)};
}

static inline unsigned policy_tickets_out(const uint64_t *words, struct ticket_limit limit)
{
    return ticket_count(words, 0, (unsigned)at_least(limit.highest, limit.now));
}

static inline uint64_t policy_tickets_most(uint64_t tickets)
{
    return (tickets & 0x7ff) << 20;
}

static inline uint64_t policy_sheddable_least(uint32_t permille)
{
    return (uint64_t)(permille & 0x3ff) << 31;
}

static inline unsigned reserves_tickets_most(uint64_t reserves)
{
    return (unsigned)(reserves >> 20 & 0x7ff);
}

/* Returns how many of `tickets`, TICKETS_MAX at most, a call of this priority must leave free: rounded down, and never
 * all. */
static inline uint64_t policy_reserve_of(uint64_t reserves, trip_priority priority, uint64_t tickets)
{
    const uint64_t permille = priority == TRIP_PRIORITY_CRITICAL ? 0
                              : priority == TRIP_PRIORITY_NORMAL ? reserves >> 10 & 0x3ff
                                                                 : reserves & 0x3ff;
    const uint64_t reserve = tickets * permille / 1000;
    return reserve < tickets || reserve == 0 ? reserve : tickets - 1;
}

struct policy_retry {
    uint32_t attempts;
    struct backoff backoff;
};

static inline uint64_t policy_retry_word(const struct policy_retry *retry)
{
    return (retry->attempts & 0xff) | (uint64_t)(retry->backoff.kind & 15) << 8 |
           (uint64_t)(retry->backoff.jitter & 15) << 12 | (uint64_t)(retry->backoff.jitter_permille & 0x3ff) << 16 |
           (uint64_t)retry->backoff.multiplier_permille << 26;
}

static inline struct policy_retry policy_retry_of(const struct policy_slot *slot)
{
    /* Relaxed: each word is whole; a reload between two of them mixes two valid settings once. */
    const uint64_t word = __atomic_load_n(&slot->retry, __ATOMIC_RELAXED);
    return (struct policy_retry){
        .attempts = word & 0xff,
        .backoff = {.kind = word >> 8 & 15,
                    .jitter = word >> 12 & 15,
                    .jitter_permille = word >> 16 & 0x3ff,
                    .multiplier_permille = (uint32_t)(word >> 26),
                    .base_ns = __atomic_load_n(&slot->retry_base_ns, __ATOMIC_RELAXED),
                    .max_ns = __atomic_load_n(&slot->retry_max_ns, __ATOMIC_RELAXED)},
    };
}

static inline struct budget policy_budget(const struct policy_slot *slot)
{
    return (struct budget){.min_per_second = __atomic_load_n(&slot->budget_floor, __ATOMIC_RELAXED),
                           .cap = __atomic_load_n(&slot->budget_cap, __ATOMIC_RELAXED)};
}

static inline struct rate_share policy_rate(const struct policy_slot *slot, trip_priority priority)
{
    const unsigned asks = (unsigned)priority < TRIP_PRIORITY_COUNT ? priority : TRIP_PRIORITY_SHEDDABLE;
    return (struct rate_share){
        .step = __atomic_load_n(&slot->rate_step, __ATOMIC_RELAXED),
        .whole = __atomic_load_n(&slot->rate_shares[TRIP_PRIORITY_CRITICAL], __ATOMIC_RELAXED),
        .share = __atomic_load_n(&slot->rate_shares[asks], __ATOMIC_RELAXED),
    };
}

/* Returns the rate's word after one more call. *ret_wait: 0, or in how many ticks there is a token. */
static inline uint64_t policy_rate_take(const struct policy_slot *slot, uint64_t word, trip_priority priority,
                                        uint64_t now, uint64_t *ret_wait)
{
    const struct rate_share rate = policy_rate(slot, priority);
    return __atomic_load_n(&slot->limits, __ATOMIC_RELAXED) & POLICY_SLIDING
               ? sliding_after_take(word, &rate, now, ret_wait)
               : bucket_after_take(word, &rate, now, ret_wait);
}

/* Returns how many calls could come at once, for people. */
static inline uint64_t policy_rate_free(const struct policy_slot *slot, uint64_t word, uint64_t now)
{
    const struct rate_share rate = policy_rate(slot, TRIP_PRIORITY_CRITICAL);
    if (!(slot->limits & POLICY_RATE))
        return 0;
    if (!(slot->limits & POLICY_SLIDING))
        return bucket_tokens(word, &rate, now);
    return rate.whole + 1 - at_most(sliding_count(word, &rate, now), rate.whole + 1);
}

/* Returns how many calls could come at once after a long rest, for people. */
static inline uint64_t policy_rate_burst(const struct policy_slot *slot)
{
    const struct rate_share rate = policy_rate(slot, TRIP_PRIORITY_CRITICAL);
    return (slot->limits & POLICY_SLIDING ? rate.whole : rate.whole / bucket_positive(rate.step)) + 1;
}

/* Returns the share of calls that throttling admits. Critical calls are never shed. For sheddable calls the share is
 * squared, but it stays at least the share from which hosts recover (core/throttle.h). */
static inline uint64_t policy_admit_permille(const struct policy_slot *slot, trip_priority priority)
{
    const uint64_t permille = at_most(__atomic_load_n(&slot->admit_permille, __ATOMIC_RELAXED), 1000);
    if (priority == TRIP_PRIORITY_CRITICAL || priority == TRIP_PRIORITY_NORMAL)
        return priority == TRIP_PRIORITY_CRITICAL ? 1000 : permille;
    const uint64_t least = permille * (__atomic_load_n(&slot->reserves, __ATOMIC_RELAXED) >> 31 & 0x3ff) / 1000;
    const uint64_t twice = permille * permille / 1000;
    return at_least(twice, least);
}

#endif
