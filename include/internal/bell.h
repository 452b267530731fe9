/* Which of the failures that are told wake a sleeping tripd: those that may be the last that a condition needs. The
 * doorbell (doorbell.h) does the waking.
 *
 *   client                                      tripd, at each drain of the breaker
 *     evidence, event        (release)            take dirty bits         (seq_cst exchange, seq_cst fence)
 *     told + 1               (release)            take the lanes' events
 *     full fence             (seq_cst)            base = told             (acquire)
 *     dirty bit is set?      (acquire)            read the meters, judge
 *       no: set it           (seq_cst RMW)        ring_at = base + needed (release)
 *     told reaches ring_at?  (relaxed)          before it sleeps
 *       no: done                                  ASLEEP                  (seq_cst store, seq_cst fence)
 *       yes: ring                                 is a dirty bit set?     yes: drain
 *
 * What `base` counts tripd finds in the meters, for it reads them later. Is such an event not taken yet, its outcome
 * waits for it, and then every event rings (BELL_EACH). A client that compares with an older `ring_at` has set the bit
 * before tripd looks for bits the last time, so that tripd drains again. Checked with spin: tests/model/bell.pml.
 *
 * Anyone can write both words: they move the moment of a drain, which comes at the next heartbeat at the latest.
 */
#ifndef TRIP_INTERNAL_BELL_H
#define TRIP_INTERNAL_BELL_H

#include <stdbool.h>
#include <stdint.h>

/* `needed` of tripd's: every event rings. What is so far behind any count is reached by all that are told. */
#define BELL_EACH 0
#define BELL_PAST (UINT64_C(1) << 62)
#define BELL_MOST UINT32_MAX

static inline uint64_t bell_ring_at(uint64_t base, uint64_t needed)
{
    if (needed == BELL_EACH)
        return base - BELL_PAST;
    return base + (needed < BELL_MOST ? needed : BELL_MOST);
}

/* Does the event that was told as this one, counted from 1, ring? */
static inline bool bell_reached(uint64_t told, uint64_t ring_at)
{
    return (int64_t)(told - ring_at) >= 0;
}

#endif
