/* What storms have in common. */
#ifndef TRIP_TESTS_STORM_H
#define TRIP_TESTS_STORM_H

#include <stdint.h>
#include <time.h>

static inline void nap_us(unsigned us)
{
    const struct timespec nap = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&nap, NULL);
}

/* xorshift64*: the same numbers from the same seed everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
