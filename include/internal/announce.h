/* Which meters moved: a heartbeat reads those, and no others, so that what rests costs nothing.
 *
 *   client, at each call                        tripd, at each heartbeat
 *     bump a counter of the meter                 take the announced bits   (acquire exchange)
 *     round == the meter's note?                  round + 1                 (release)
 *       yes: done                                 read the meters that were announced now, or at the last heartbeat
 *       no: set the meter's bit     (release)
 *           the lane's flag = 1     (release)
 *           note = round
 *
 * There is no fence between the bump and the look at the round, so the bump may still be in a store buffer when tripd
 * moves the round on and reads the meter. Such a bump found its meter announced for that round, in a bit that tripd
 * takes at that heartbeat or later: tripd reads the meter once more a second after, when no store buffer holds it any
 * longer. Events, permits and tickets need no announcement. What reads everything (`sync`, `show`, the end of a lane)
 * needs none either.
 */
#ifndef TRIP_INTERNAL_ANNOUNCE_H
#define TRIP_INTERNAL_ANNOUNCE_H

#include "internal/layout.h"

#define ANNOUNCED_BEATS 2 /* heartbeats that read a meter, from the one that takes its bit on */

static inline void announce(void *lane, uint32_t meter_count, uint32_t number, const uint32_t *round)
{
    struct lane_header *const header = lane;
    /* Acquire: the bit is set after tripd took the bits of the round before. */
    const uint32_t now = __atomic_load_n(round, __ATOMIC_ACQUIRE);
    __atomic_fetch_or(lane_announced_at(lane, meter_count, number), UINT64_C(1) << number % 64, __ATOMIC_RELEASE);
    __atomic_store_n(&header->announced, 1, __ATOMIC_RELEASE); /* after the bit: pairs with tripd's exchange */
    __atomic_store_n(&lane_meter_at(lane, number)->announced, now, __ATOMIC_RELAXED);
}

#endif
