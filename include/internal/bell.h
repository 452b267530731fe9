/* The bell decides which events wake a sleeping tripd: only an event that may complete a trip condition does. The
 * doorbell (doorbell.h) wakes it.
 *
 *   client                                      tripd, at each drain of the breaker
 *     evidence, event        (release)            take dirty bits         (seq_cst exchange, seq_cst fence)
 *     told + 1               (seq_cst RMW)        take the lanes' events
 *     full fence             (seq_cst)            base = told             (acquire)
 *     dirty bit is set?      (acquire)            read the meters, judge
 *       no: set it           (seq_cst RMW)        ring_at = base + needed (release)
 *     told reaches ring_at?  (relaxed)          before it sleeps
 *       no: done                                  ASLEEP                  (seq_cst store, seq_cst fence)
 *       yes: ring                                 is a dirty bit set?     yes: drain
 *
 * tripd reads the meters after `base`, so it finds every outcome that `base` counts there. While tripd has not taken
 * the event of such an outcome, it keeps the outcome back and lets every event ring (BELL_EACH). A client that compares
 * with an older `ring_at` has set the dirty bit before tripd looks for bits the last time, so tripd drains again.
 * Checked with spin: tests/model/bell.pml.
 *
 * Any process can write both words. A wrong value only delays or hastens a drain, which comes at the next heartbeat at
 * the latest.
 */
#ifndef TRIP_INTERNAL_BELL_H
#define TRIP_INTERNAL_BELL_H

#include <stdbool.h>
#include <stdint.h>

/* The value of `needed` with which every event rings: `ring_at` then lies so far behind that every count reaches it. */
#define BELL_EACH 0
#define BELL_PAST (UINT64_C(1) << 62)
#define BELL_MOST UINT32_MAX

static inline uint64_t bell_ring_at(uint64_t base, uint64_t needed)
{
    if (needed == BELL_EACH)
        return base - BELL_PAST;
    return base + (needed < BELL_MOST ? needed : BELL_MOST);
}

/* Does event number `told`, counted from 1, ring? */
static inline bool bell_reached(uint64_t told, uint64_t ring_at)
{
    return (int64_t)(told - ring_at) >= 0;
}

#endif
