/* The TSC: a clock that is read in no time, and followed by the kernel's own. tripd publishes how its cycles become
 * nanoseconds of CLOCK_MONOTONIC (internal/ticks.h), and gives it up for good, for this segment, once it does not go as
 * that clock does. */
#ifndef TRIPD_TSC_H
#define TRIPD_TSC_H

#include <stdbool.h>
#include <stdint.h>

#include "internal/layout.h"

/* Both clocks at one moment. */
struct tsc_sample {
    uint64_t cycles, ns;
};

struct tsc_sample tsc_sample(void);

/* Trusts the TSC if the CPU says that it is invariant, the kernel lists it among its clocks, and the cores agree; then
 * measures how long a cycle is, within 20 ms. */
void tsc_measure(struct tsc_base *ret_base);

/* The kernel has not given the TSC up. */
bool tsc_listed(void);

/* Moves the base on to this sample, half a second after the last at the earliest. NULL, or why the TSC is given up:
 * from then on base->ns_q32 is 0. */
const char *tsc_follow(struct tsc_base *base, struct tsc_sample now, bool listed);

#endif
