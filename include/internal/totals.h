/* Sums of what breakers counted (struct breaker_totals): of one breaker up to now, and of several together. */
#ifndef TRIP_INTERNAL_TOTALS_H
#define TRIP_INTERNAL_TOTALS_H

#include "internal/layout.h"
#include "internal/numbers.h"

/* Adds each sum to its like. */
static inline void totals_add(struct breaker_totals *to, const struct breaker_totals *from)
{
    for (size_t at = 0; at < sizeof(*to) / sizeof(uint64_t); at++)
        ((uint64_t *)to)[at] += ((const uint64_t *)from)[at];
}

/* The totals of an image with the time that the breaker has been in its state by now. */
static inline struct breaker_totals totals_now(const struct core_head *head, uint64_t now_ns)
{
    struct breaker_totals totals = head->totals;
    if (head->state < TRIP_STATE_COUNT)
        totals.state_ns[head->state] += time_until(now_ns, head->state_since_ns);
    return totals;
}

/* Names a breaker, as struct group_image has it. */
static inline uint64_t group_from(uint32_t slot, uint32_t incarnation)
{
    return ((uint64_t)slot + 1) | (uint64_t)incarnation << 32;
}

#endif
