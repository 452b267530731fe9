/* The state word: the one truth about a breaker, and the protocol by which clients and tripd change it.
 *
 *   63          44 43   41 40                                    0
 *   [  epoch 20  ][state 3][              payload 41             ]
 *
 *   CLOSED     streak 25 | generation 16
 *   RAMPING    permille 10 | streak 15 | generation 16      (its end stands with the epoch in the policy slot)
 *   OPEN       deadline, ms since the segment's creation
 *   HALF_OPEN  deadline, likewise: at least the end of every lease that runs
 *   PROBING    owner's lane 12 | lease's end 29 (64 ms steps, modular); shown as half_open
 *   UNSET      a zero word: no breaker yet, or another process punched a hole; it admits, and tripd restores it
 *
 * Each change of state is one CAS from the very word that was judged, with epoch + 1. All are tripd's, but:
 *   - the failure that brings the streak to the threshold opens, in the client that saw it;
 *   - a streak is counted and cleared by clients, same epoch;
 *   - a client that takes a permit extends the half-open deadline, same epoch;
 *   - while tripd's heartbeat is stale and the deadline has passed, a client takes the next step: OPEN, HALF_OPEN,
 *     PROBING -> PROBING by this client alone; RAMPING -> CLOSED; its own PROBING -> CLOSED or OPEN.
 *
 * A process that judges a deadline loads the word first and reads the clock after it: with an older time it would take
 * a lease that began meanwhile for damage, and two probes would run.
 * Checked with spin (tests/model/), and these very functions in all interleavings of two and three clients and tripd
 * (tests/unit/core/test_*_interleavings.c). All functions here are pure: word in, word out.
 */
#ifndef TRIP_INTERNAL_STATE_WORD_H
#define TRIP_INTERNAL_STATE_WORD_H

#include <stdbool.h>

#include "internal/layout.h"
#include "internal/policy.h"

enum word_state { WORD_UNSET, WORD_CLOSED, WORD_OPEN, WORD_HALF_OPEN, WORD_RAMPING, WORD_PROBING };

#define WORD_EPOCH_MASK           0xfffffu
#define WORD_EPOCH_SHIFT          44
#define WORD_STATE_SHIFT          41
#define WORD_PAYLOAD_MASK         ((UINT64_C(1) << 41) - 1)
#define WORD_DEADLINE_MAX         WORD_PAYLOAD_MASK
#define WORD_STREAK_ONE           UINT64_C(0x10000)
#define WORD_STREAK_MAX           0x7fffu /* of the 25 and 15 bits: both saturate here */
#define WORD_FRESH_COMMONS_EPOCHS (1u << 18)
#define LEASE_STEP_MS             64
#define PROBE_LEASE_BITS          29

static inline uint64_t word_make(uint32_t epoch, enum word_state state, uint64_t payload)
{
    return (uint64_t)(epoch & WORD_EPOCH_MASK) << WORD_EPOCH_SHIFT | (uint64_t)state << WORD_STATE_SHIFT |
           (payload & WORD_PAYLOAD_MASK);
}

static inline uint32_t word_epoch(uint64_t word)
{
    return (uint32_t)(word >> WORD_EPOCH_SHIFT);
}

static inline enum word_state word_state(uint64_t word)
{
    return (enum word_state)(word >> WORD_STATE_SHIFT & 7);
}

static inline uint64_t word_payload(uint64_t word)
{
    return word & WORD_PAYLOAD_MASK;
}

static inline bool word_valid(uint64_t word)
{
    return word_state(word) >= WORD_CLOSED && word_state(word) <= WORD_PROBING;
}

static inline uint64_t word_closed(uint32_t epoch, uint32_t streak, uint32_t generation)
{
    return word_make(epoch, WORD_CLOSED, (uint64_t)(streak & 0x1ffffff) << 16 | (generation & 0xffff));
}

static inline uint64_t word_ramping(uint32_t epoch, uint32_t permille, uint32_t streak, uint32_t generation)
{
    return word_make(epoch, WORD_RAMPING,
                     (uint64_t)(permille & 0x3ff) << 31 | (uint64_t)(streak & 0x7fff) << 16 | (generation & 0xffff));
}

static inline uint64_t word_open(uint32_t epoch, uint64_t deadline_ms)
{
    return word_make(epoch, WORD_OPEN, deadline_ms < WORD_DEADLINE_MAX ? deadline_ms : WORD_DEADLINE_MAX);
}

static inline uint64_t word_half_open(uint32_t epoch, uint64_t deadline_ms)
{
    return word_make(epoch, WORD_HALF_OPEN, deadline_ms < WORD_DEADLINE_MAX ? deadline_ms : WORD_DEADLINE_MAX);
}

/* Returns the end of a lease that begins now. It lies on a step, so that words that hold steps and words that hold
 * milliseconds mean the same moment. */
static inline uint64_t lease_end_ms(uint64_t now_ms, uint64_t max_wait_ms)
{
    return (now_ms + max_wait_ms + LEASE_STEP_MS - 1) / LEASE_STEP_MS * LEASE_STEP_MS;
}

/* The lease's end is rounded up to the next step: the lease never ends early. */
static inline uint64_t word_probing(uint32_t epoch, uint32_t lane, uint64_t end_ms)
{
    const uint64_t steps = (end_ms + LEASE_STEP_MS - 1) / LEASE_STEP_MS;
    return word_make(epoch, WORD_PROBING,
                     (uint64_t)(lane & 0xfff) << PROBE_LEASE_BITS | (steps & ((UINT64_C(1) << PROBE_LEASE_BITS) - 1)));
}

/* For closed and ramping words. */
static inline uint32_t word_generation(uint64_t word)
{
    return (uint32_t)(word & 0xffff);
}

static inline uint32_t word_streak(uint64_t word)
{
    return (uint32_t)(word >> 16) & (word_state(word) == WORD_RAMPING ? 0x7fffu : 0x1ffffffu);
}

static inline bool word_counts_streak(uint64_t word)
{
    return word_state(word) == WORD_CLOSED || word_state(word) == WORD_RAMPING;
}

/* Is it closed with a streak of 0? Then a success changes nothing. */
static inline bool word_calm(uint64_t word)
{
    return (word >> 16 & 0xfffffff) == (uint64_t)WORD_CLOSED << (WORD_STATE_SHIFT - 16);
}

static inline uint64_t word_with_streak(uint64_t word, uint32_t streak)
{
    const uint64_t bits = word_state(word) == WORD_RAMPING ? 0x7fff : 0x1ffffff;
    return (word & ~(bits << 16)) | (streak < WORD_STREAK_MAX ? streak : WORD_STREAK_MAX) * WORD_STREAK_ONE;
}

static inline uint64_t word_with_generation(uint64_t word, uint32_t generation)
{
    return (word & ~UINT64_C(0xffff)) | (generation & 0xffff);
}

static inline uint32_t word_permille(uint64_t word)
{
    return (uint32_t)(word >> 31 & 0x3ff);
}

static inline uint64_t word_with_permille(uint64_t word, uint32_t permille)
{
    return (word & ~(UINT64_C(0x3ff) << 31)) | (uint64_t)(permille & 0x3ff) << 31;
}

/* For open and half-open words. */
static inline uint64_t word_deadline_ms(uint64_t word)
{
    return word_payload(word);
}

static inline uint32_t word_probe_lane(uint64_t word)
{
    return (uint32_t)(word >> PROBE_LEASE_BITS & 0xfff);
}

/* Is a lease over? Its end is in steps of 64 ms, modular: it is over when it lies behind by less than half the range.
 */
static inline bool lease_over(uint64_t end_steps, unsigned bits, uint64_t now_ms)
{
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    return ((now_ms / LEASE_STEP_MS - end_steps) & mask) < (UINT64_C(1) << (bits - 1));
}

/* For probing words: is the owner's lease over? Then it starts no probe. */
static inline bool word_probe_over(uint64_t word, uint64_t now_ms)
{
    return lease_over(word & ((UINT64_C(1) << PROBE_LEASE_BITS) - 1), PROBE_LEASE_BITS, now_ms);
}

/* Returns the time until the state admits a probe, as far as the word tells. */
static inline uint64_t word_wait_ms(uint64_t word, uint64_t now_ms)
{
    const uint64_t mask = (UINT64_C(1) << PROBE_LEASE_BITS) - 1;
    switch (word_state(word)) {
    case WORD_OPEN:
    case WORD_HALF_OPEN:
        return time_until(word_deadline_ms(word), now_ms);
    case WORD_PROBING:
        return word_probe_over(word, now_ms) ? 0 : ((word - now_ms / LEASE_STEP_MS) & mask) * LEASE_STEP_MS;
    default:
        return 0;
    }
}

/* Has the word's time passed? A deadline further away than any this breaker can have is damage, and treated as passed.
 */
static inline bool word_due(uint64_t word, uint64_t now_ms, uint64_t longest_ms)
{
    switch (word_state(word)) {
    case WORD_OPEN:
    case WORD_HALF_OPEN:
        /* A lease's end is rounded up to the next step, and a half-open deadline with it. */
        return now_ms >= word_deadline_ms(word) || word_deadline_ms(word) - now_ms > longest_ms + LEASE_STEP_MS;
    case WORD_PROBING: {
        const uint64_t mask = (UINT64_C(1) << PROBE_LEASE_BITS) - 1;
        const uint64_t ahead_ms = (((word & mask) - now_ms / LEASE_STEP_MS) & mask) * LEASE_STEP_MS;
        /* Both ends are on steps: the lease's end was rounded up, and is rounded down here. */
        return word_probe_over(word, now_ms) || ahead_ms > longest_ms + UINT64_C(2) * LEASE_STEP_MS;
    }
    default:
        return false;
    }
}

/* Returns the word after a failure while closed or ramping, judged by policy_judge_of(generation). It opens when the
 * streak reaches the threshold; in modes disabled and forced_open the streak counts on and nothing moves. The word
 * takes the judge's generation: its own, except in the case told there. *ret_opened: is it an opening? */
static inline uint64_t word_after_failure(uint64_t word, uint64_t judge, uint64_t open_until_ms, bool *ret_opened)
{
    const uint32_t streak = word_streak(word) < WORD_STREAK_MAX ? word_streak(word) + 1 : WORD_STREAK_MAX;
    const trip_mode mode = judge_mode(judge);
    const uint64_t judged = word_with_generation(word, judge_generation(judge));
    *ret_opened = judge_threshold(judge) != 0 && streak >= judge_threshold(judge) &&
                  (mode == TRIP_MODE_AUTO || mode == TRIP_MODE_SHADOW);
    if (*ret_opened)
        return word_open(word_epoch(word) + 1, open_until_ms);
    return streak < WORD_STREAK_MAX ? judged + WORD_STREAK_ONE : word_with_streak(judged, streak);
}

/* Returns the word after a success: the same word (nothing to write), unless the success ends a streak. */
static inline uint64_t word_after_success(uint64_t word)
{
    return word_counts_streak(word) && word_streak(word) != 0 ? word_with_streak(word, 0) : word;
}

/* For half-open words: returns the word with a deadline that covers the lease; the same word if it does already. */
static inline uint64_t word_extended(uint64_t word, uint64_t end_ms)
{
    return word_deadline_ms(word) >= end_ms ? word : word_half_open(word_epoch(word), end_ms);
}

/* Returns the closed word after a ramp; the streak goes on. */
static inline uint64_t word_after_ramp(uint64_t word)
{
    return word_closed(word_epoch(word) + 1, word_streak(word), word_generation(word));
}

/* Is a ramping word's time over? An end with another epoch is damage, and counts as over. */
static inline bool word_ramp_over(uint64_t word, uint64_t ramp_end, uint64_t now_ms)
{
    return ramp_end_epoch(ramp_end) != word_epoch(word) || now_ms >= ramp_end_ms(ramp_end);
}

/* Returns the step that a client may take while the heartbeat is stale, in mode auto or shadow; the same word if there
 * is none. To probing: after its CAS this client alone may start one probe, unless word_probe_over. */
static inline uint64_t word_after_takeover(uint64_t word, const struct policy_slot *slot, uint32_t lane,
                                           uint64_t now_ms)
{
    /* Relaxed: the word's acquire load pairs with the release CAS that followed these stores. */
    if (word_state(word) == WORD_RAMPING)
        return word_ramp_over(word, __atomic_load_n(&slot->ramp_end, __ATOMIC_RELAXED), now_ms) ? word_after_ramp(word)
                                                                                                : word;
    if (!word_due(word, now_ms, __atomic_load_n(&slot->longest_ms, __ATOMIC_RELAXED)))
        return word;
    const uint64_t max_wait_ms = half_open_max_wait_ms(__atomic_load_n(&slot->half_open, __ATOMIC_RELAXED));
    return word_probing(word_epoch(word) + 1, lane, lease_end_ms(now_ms, max_wait_ms));
}

/* Returns the word after this client's own probe, for a CAS from the very word that it installed. A neutral outcome
 * opens until now, so that the next client may try. generation: of policy_newest_judge. */
static inline uint64_t word_after_probe(uint64_t word, bool good, uint64_t open_until_ms, uint32_t generation)
{
    return good ? word_closed(word_epoch(word) + 1, 0, generation) : word_open(word_epoch(word) + 1, open_until_ms);
}

/* Returns the state that tools show to people. */
static inline trip_state word_shown_state(uint64_t word)
{
    switch (word_state(word)) {
    case WORD_OPEN:
        return TRIP_STATE_OPEN;
    case WORD_HALF_OPEN:
    case WORD_PROBING:
        return TRIP_STATE_HALF_OPEN;
    case WORD_RAMPING:
        return TRIP_STATE_RAMPING;
    default:
        return TRIP_STATE_CLOSED;
    }
}

/* ------------------------------------------------------------------------------ evidence words: epoch 20 | count 44 */

#define EVIDENCE_COUNT_MASK ((UINT64_C(1) << 44) - 1)

static inline uint64_t evidence_make(uint32_t epoch, uint64_t count)
{
    return (uint64_t)(epoch & WORD_EPOCH_MASK) << 44 | (count & EVIDENCE_COUNT_MASK);
}

static inline uint32_t evidence_epoch(uint64_t evidence)
{
    return (uint32_t)(evidence >> 44);
}

static inline uint64_t evidence_count(uint64_t evidence)
{
    return evidence & EVIDENCE_COUNT_MASK;
}

/* Returns the evidence after n more outcomes of this epoch. */
static inline uint64_t evidence_after(uint64_t evidence, uint32_t epoch, uint64_t n)
{
    return evidence_epoch(evidence) == epoch ? evidence + n : evidence_make(epoch, n);
}

/* Is `epoch` later than `other`? The comparison is modular: epochs wrap after 2^20 changes. */
static inline bool epoch_after(uint32_t epoch, uint32_t other)
{
    return ((epoch - other) & WORD_EPOCH_MASK) - 1 < WORD_EPOCH_MASK / 2;
}

/* Is this evidence of a later epoch than tripd knows? It may lag by fewer epochs than a new commons moves them on;
 * evidence further ahead was counted in an earlier commons. A word that never counted has no epoch. */
static inline bool evidence_ahead(uint64_t evidence, uint32_t epoch)
{
    return evidence != 0 && ((evidence_epoch(evidence) - epoch) & WORD_EPOCH_MASK) - 1 < WORD_FRESH_COMMONS_EPOCHS / 2;
}

#endif
