/* The instance's clock: nanoseconds since the segment's creation; the real clock, or a test clock that only `tripctl
 * clock advance` moves. */
#ifndef TRIPD_CLOCK_H
#define TRIPD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "internal/ticks.h"

struct clock {
    enum ticks_kind ticks; /* TICKS_MONOTONIC or TICKS_TEST */
    struct tsc_base tsc;   /* how clients read it */
    uint64_t created_mono_ns;
    /* TICKS_TEST: the time now; it is published in the segment when all due timers have fired. */
    uint64_t test_now_ns;
};

/* Sets the clock up. If the TSC can be trusted, measures within 20 ms how long a cycle is. */
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

/* Returns the CLOCK_MONOTONIC time at which the instance's clock will show at_ns, for the loop's timers. Not for a test
 * clock. */
static inline uint64_t clock_to_monotonic(const struct clock *clock, uint64_t at_ns)
{
    return clock->created_mono_ns + at_ns;
}

#endif
