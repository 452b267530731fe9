/* How soon a call of this breaker ends at best, by those of late: whoever has less time left need not send it. Pure, no
 * pointers.
 *
 * - Only calls that went well are looked at. One that was given up says no more than that it would have taken longer,
 *   and calls that cannot end in time would else look like fast ones: docs/decisions/soonest.md.
 * - The window is 5 to 10 s, in two halves. Whoever is refused is not measured, so what is known must be forgotten by
 *   time alone: when all are refused, all are sent again 10 s later at the latest.
 */
#ifndef TRIP_CORE_SOONEST_H
#define TRIP_CORE_SOONEST_H

#include "internal/layout.h"

#define SOONEST_HALF_NS UINT64_C(5000000000)

/* All zero: no calls yet. */
struct soonest {
    int32_t calls[2][LATENCY_BUCKETS]; /* that went well: of this half of the window, of the half before */
    uint64_t half;                     /* its number on the clock */
};

/* Calls that went well; less than none: so many of those before did not. */
void soonest_add(struct soonest *soonest, const int64_t came[LATENCY_BUCKETS], uint64_t now_ns);

/* Where the latency bucket begins that the fastest twentieth reaches into: of 100 calls 95 at least took so long. 0:
 * too few calls to say. */
uint64_t soonest_ns(struct soonest *soonest, uint64_t now_ns);

#endif
