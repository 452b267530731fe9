/* Parts that the storms share. */
#ifndef TRIP_TESTS_STORM_H
#define TRIP_TESTS_STORM_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "trip.h"

static inline void nap_us(unsigned us)
{
    const struct timespec nap = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&nap, NULL);
}

/* Returns the next number of xorshift64*: the same numbers from the same seed everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Reads --seed N and --seconds N. False: there is another option. Operands follow at optind. */
static inline bool storm_options(int argc, char **argv, uint64_t *seed, unsigned *seconds)
{
    static const struct option known[] = {{"seed", 1, NULL, 's'}, {"seconds", 1, NULL, 't'}, {NULL, 0, NULL, 0}};
    int key;
    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (key == 's')
            *seed = strtoull(optarg, NULL, 10);
        else if (key == 't')
            *seconds = (unsigned)atoi(optarg);
        else
            return false;
    }
    return true;
}

/* Has the present tripd answered the name of each breaker? Then reports to them are, or will be, drained. */
static inline bool all_shared(trip_breaker *const *breakers, unsigned count)
{
    bool shared = true;
    for (unsigned i = 0; i < count; i++) {
        trip_info info;
        shared &= trip_breaker_info(breakers[i], &info) == 0 && info.client == TRIP_CLIENT_SHARED;
    }
    return shared;
}

#endif
