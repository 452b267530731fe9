/* Those who wait for a ticket of a breaker: how libtrip and tripd wake them. */
#ifndef TRIP_INTERNAL_WAITERS_H
#define TRIP_INTERNAL_WAITERS_H

#include "internal/doorbell.h"
#include "internal/layout.h"

/* Who is killed in between leaves them asleep with `waiting` cleared: tripd calls it again at a process's death. */
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
