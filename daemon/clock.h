/* The instance's clock: nanoseconds since the segment's creation, real or moved by `tripctl clock advance` alone. */
#ifndef TRIPD_CLOCK_H
#define TRIPD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "internal/ticks.h"

struct clock {
    enum ticks_kind ticks; /* TICKS_MONOTONIC or TICKS_TEST */
    struct tsc_base tsc;   /* how clients read it */
    uint64_t created_mono_ns;
    uint64_t test_now_ns; /* TICKS_TEST: the time now; published in the segment when all due timers have fired */
};

/* Where the TSC can be trusted, measures how long a cycle is, within 20 ms. */
void clock_measure(struct clock *clock, bool test);

static inline uint64_t clock_ticks(const struct clock *clock)
{
    return clock->ticks == TICKS_TEST ? clock->test_now_ns : monotonic_ns();
}

static inline uint64_t clock_now_ns(const struct clock *clock)
{
    return clock->ticks == TICKS_TEST ? clock->test_now_ns : monotonic_ns() - clock->created_mono_ns;
}

static inline uint64_t clock_now_ms(const struct clock *clock)
{
    return clock_now_ns(clock) / 1000000;
}

/* CLOCK_MONOTONIC time at which the instance's clock will show at_ns: for the loop's timers. Not under a test clock. */
static inline uint64_t clock_to_monotonic(const struct clock *clock, uint64_t at_ns)
{
    return clock->created_mono_ns + at_ns;
}

#endif
