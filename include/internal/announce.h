/* Clients announce the meters that they changed, so that tripd reads only these at a heartbeat.
 *
 *   client, at each call                        tripd, at each heartbeat
 *     bump a counter of the meter                 take the announced bits   (acquire exchange)
 *     round == the meter's note?                  round + 1                 (release)
 *       yes: done                                 read the meters that were announced now, or at the last heartbeat
 *       no: note = round
 *           set the bit of its 32   (release)
 *           the lane's flag = 1     (release)
 *
 * There is no fence between the bump and the look at the round, so the bump may still be in a store buffer when tripd
 * moves the round on and reads the meter. Such a bump found its meter announced for that round, in a bit that tripd
 * takes at that heartbeat or later: tripd reads the meter once more a second after, when no store buffer holds it any
 * longer. In section 0 a thread may find another thread's note before that thread has set the bit: tripd reads both
 * bumps once the bit is set. Events, permits and tickets need no announcement. `sync`, `show` and the end of a lane
 * read every meter, announced or not.
 */
#ifndef TRIP_INTERNAL_ANNOUNCE_H
#define TRIP_INTERNAL_ANNOUNCE_H

#include "internal/layout.h"

#define ANNOUNCED_BEATS  2  /* heartbeats that read a meter, from the one that takes its bit on */
#define ANNOUNCED_METERS 32 /* meters that share a bit; their notes tell tripd which of them moved */

static inline void announce(struct lane_header *lane, uint32_t number, const uint32_t *round)
{
    const uint32_t group = number % LANE_METERS / ANNOUNCED_METERS;
    /* Acquire: the bit is set after tripd took the bits of the round before. */
    const uint32_t now = __atomic_load_n(round, __ATOMIC_ACQUIRE);
    __atomic_store_n(&lane_meter_at(lane, number)->announced, now, __ATOMIC_RELAXED);
    __atomic_fetch_or(&lane->moved[group / 64], UINT64_C(1) << group % 64, __ATOMIC_RELEASE); /* after the note */
    __atomic_store_n(&lane->announced, 1, __ATOMIC_RELEASE); /* after the bit: pairs with tripd's exchange */
}

#endif
