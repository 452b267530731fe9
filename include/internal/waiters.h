/* How libtrip and tripd wake the callers that wait for a breaker's ticket. */
#ifndef TRIP_INTERNAL_WAITERS_H
#define TRIP_INTERNAL_WAITERS_H

#include "internal/doorbell.h"
#include "internal/layout.h"

/* A process killed between store and wake leaves waiters asleep; tripd repeats the wake when the process dies. */
static inline void waiters_wake(struct limit_lines *lines)
{
    /* Sequentially consistent: pairs with the fence of libtrip's ticket_wait, whose waiter sets it again, and then
     * looks at the tickets. */
    __atomic_store_n(&lines->waiting, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&lines->wakes, 1, __ATOMIC_SEQ_CST);
    if (doorbell_wake(&lines->wakes) >= DOORBELL_WAKES) /* there may be more of them: the next one who gives back */
        __atomic_store_n(&lines->waiting, 1, __ATOMIC_SEQ_CST);
}

#endif
