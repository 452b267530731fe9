/* The TSC: a clock that is read almost for free, and checked against the kernel's clock. tripd publishes how its cycles
 * become nanoseconds of CLOCK_MONOTONIC (internal/ticks.h). Once it does not keep pace with that clock, tripd gives it
 * up for as long as this segment lives. */
#ifndef TRIPD_TSC_H
#define TRIPD_TSC_H

#include <stdbool.h>
#include <stdint.h>

#include "internal/layout.h"

/* Both clocks, read at one moment. */
struct tsc_sample {
    uint64_t cycles, ns;
};

struct tsc_sample tsc_sample(void);

/* Measures within 20 ms how long a cycle is, if the TSC can be trusted: the CPU says that it is invariant, the kernel
 * lists it among its clocks, and the cores agree. */
void tsc_measure(struct tsc_base *ret_base);

/* Does the kernel still list the TSC, or has it given it up? */
bool tsc_listed(void);

/* Moves the base on to this sample, at least half a second after the last one. Returns NULL, or why the TSC is given
 * up: from then on base->ns_q32 is 0. */
const char *tsc_follow(struct tsc_base *base, struct tsc_sample now, bool listed);

#endif
