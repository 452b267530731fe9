#include "clock.h"

#include "tsc.h"

void clock_measure(struct clock *clock, bool test)
{
    *clock = (struct clock){.ticks = test ? TICKS_TEST : TICKS_MONOTONIC};
    if (!test)
        tsc_measure(&clock->tsc);
}
