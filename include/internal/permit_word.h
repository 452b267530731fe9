/* A half-open breaker's permits: words in the commons, each one probe at a time.
 *
 *   63       44 43      36 35    24 23       21 20           0
 *   [ epoch 20 ][serial 8 ][lane 12][outcome 3 ][lease end 21 ]     lease end: 64 ms steps, modular
 *
 *   FREE      nobody's: never armed, or given back
 *   ARMED     tripd, after its own CAS to half-open: one probe may be taken, in this epoch
 *   OWNED     a client took it (ARMED -> OWNED by CAS), then extended the state word's deadline to the lease's end
 *   OK ..     the owner's outcome (OWNED -> outcome by CAS); tripd counts it and arms again with serial + 1
 *
 * A client whose extension fails (the epoch moved) or whose lease is over gives back and denies. Only words that are
 * free, answered, or whose owner died or lease ended are armed; each arming moves the serial, so that an owner of
 * before cannot answer for the one of now.
 */
#ifndef TRIP_INTERNAL_PERMIT_WORD_H
#define TRIP_INTERNAL_PERMIT_WORD_H

#include "internal/state_word.h"

enum permit_outcome {
    PERMIT_FREE,
    PERMIT_ARMED,
    PERMIT_OWNED,
    PERMIT_OK,
    PERMIT_FAILED,
    PERMIT_NEUTRAL,
    PERMIT_SLOW_OK,
    PERMIT_SLOW_FAILED
};

#define PERMIT_LEASE_BITS 21

static inline uint64_t permit_make(uint32_t epoch, uint32_t serial, uint32_t lane, enum permit_outcome outcome,
                                   uint64_t end_ms)
{
    const uint64_t steps = (end_ms + LEASE_STEP_MS - 1) / LEASE_STEP_MS;
    return (uint64_t)(epoch & WORD_EPOCH_MASK) << 44 | (uint64_t)(serial & 0xff) << 36 |
           (uint64_t)(lane & 0xfff) << 24 | (uint64_t)outcome << 21 | (steps & ((1u << PERMIT_LEASE_BITS) - 1));
}

static inline uint32_t permit_epoch(uint64_t permit)
{
    return (uint32_t)(permit >> 44);
}

static inline uint32_t permit_serial(uint64_t permit)
{
    return (uint32_t)(permit >> 36 & 0xff);
}

static inline uint32_t permit_lane(uint64_t permit)
{
    return (uint32_t)(permit >> 24 & 0xfff);
}

static inline enum permit_outcome permit_outcome(uint64_t permit)
{
    return (enum permit_outcome)(permit >> 21 & 7);
}

static inline uint64_t permit_with_outcome(uint64_t permit, enum permit_outcome outcome)
{
    return (permit & ~(UINT64_C(7) << 21)) | (uint64_t)outcome << 21;
}

static inline bool permit_lease_over(uint64_t permit, uint64_t now_ms)
{
    return lease_over(permit & ((1u << PERMIT_LEASE_BITS) - 1), PERMIT_LEASE_BITS, now_ms);
}

/* Returns when the permit's lease ends, if it is not over yet. */
static inline uint64_t permit_end_ms(uint64_t permit, uint64_t now_ms)
{
    const uint64_t mask = (1u << PERMIT_LEASE_BITS) - 1, now_steps = now_ms / LEASE_STEP_MS;
    return (now_steps + ((permit - now_steps) & mask)) * LEASE_STEP_MS;
}

static inline uint64_t permit_armed(uint64_t permit, uint32_t epoch)
{
    return permit_make(epoch, permit_serial(permit) + 1, 0, PERMIT_ARMED, 0);
}

static inline uint64_t permit_owned(uint64_t permit, uint32_t lane, uint64_t end_ms)
{
    return permit_make(permit_epoch(permit), permit_serial(permit), lane, PERMIT_OWNED, end_ms);
}

/* May a client take the permit, given the state word that it loaded before? */
static inline bool permit_takeable(uint64_t permit, uint64_t word)
{
    return word_state(word) == WORD_HALF_OPEN && permit_outcome(permit) == PERMIT_ARMED &&
           permit_epoch(permit) == word_epoch(word);
}

/* Does a probe run on the permit, of whatever epoch? Not if its lease ends later than any lease may (longest_ms): that
 * is damage. The clock is read after the permit was loaded, or a lease taken meanwhile would look like damage. */
static inline bool permit_running(uint64_t permit, uint64_t now_ms, uint64_t longest_ms)
{
    const uint64_t mask = (1u << PERMIT_LEASE_BITS) - 1;
    const uint64_t ahead_ms = ((permit - now_ms / LEASE_STEP_MS) & mask) * LEASE_STEP_MS;
    return permit_outcome(permit) == PERMIT_OWNED && !permit_lease_over(permit, now_ms) &&
           ahead_ms <= longest_ms + UINT64_C(2) * LEASE_STEP_MS;
}

/* May tripd arm the permit, while its state word is half-open in `epoch`? An answer of this epoch has to be counted
 * first. A dead owner's permit may be armed too: the caller knows who is dead. */
static inline bool permit_armable(uint64_t permit, uint32_t epoch, uint64_t now_ms, uint64_t longest_ms)
{
    if (permit_outcome(permit) == PERMIT_ARMED)
        return permit_epoch(permit) != epoch;
    return !permit_running(permit, now_ms, longest_ms);
}

#endif
