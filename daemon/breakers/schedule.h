/* When a breaker wants to be looked at next: open times, leases, ramps, ends of modes, open.forget, forget_after, and
 * the tick while counted successes or calls in flight could complete a condition. One deadline a breaker. */
#ifndef TRIPD_BREAKERS_SCHEDULE_H
#define TRIPD_BREAKERS_SCHEDULE_H

#include "breakers/table.h"

void breakers_schedule(struct breakers *breakers, uint32_t slot, uint64_t word);
/* May the breaker be hidden? It is closed, nothing is in flight, and no mode is set but by the config: after
 * forget_after without a call, lists leave it out. */
bool breakers_may_hide(const struct breakers *breakers, uint32_t slot, uint64_t word);
/* Returns when the breaker will have been idle for forget_after. */
uint64_t breakers_idle_due_ns(const struct breakers *breakers, uint32_t slot, uint64_t word);

#endif
