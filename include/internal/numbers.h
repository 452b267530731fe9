/* Whole numbers that saturate instead of wrapping, random ones spread evenly, and a hash. */
#ifndef TRIP_INTERNAL_NUMBERS_H
#define TRIP_INTERNAL_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t at_most(uint64_t value, uint64_t highest)
{
    return value < highest ? value : highest;
}

static inline uint64_t at_least(uint64_t value, uint64_t lowest)
{
    return value > lowest ? value : lowest;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
#define FNV1A_BASIS UINT64_C(0xcbf29ce484222325)
static inline uint64_t fnv1a(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Returns the time left until `at`, in any unit; 0: it has passed. */
static inline uint64_t time_until(uint64_t at, uint64_t now)
{
    return at > now ? at - now : 0;
}

static inline uint64_t saturated(unsigned __int128 value)
{
    return value < UINT64_MAX ? (uint64_t)value : UINT64_MAX;
}

static inline uint64_t product(uint64_t value, uint64_t factor)
{
    return saturated((unsigned __int128)value * factor);
}

static inline uint64_t permille_of(uint64_t value, uint64_t permille)
{
    return saturated((unsigned __int128)value * permille / 1000);
}

/* Divides, rounding up. */
static inline uint64_t quotient_up(unsigned __int128 value, uint64_t divisor)
{
    return saturated((value + divisor - 1) / divisor);
}

/* splitmix64 (public domain, Sebastiano Vigna): the same numbers from the same seed everywhere. */
static inline uint64_t random_next(uint64_t *seed)
{
    uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* Maps any 64 random bits evenly to [lowest, highest], both included. highest >= lowest. */
static inline uint64_t random_between(uint64_t lowest, uint64_t highest, uint64_t random)
{
    const unsigned __int128 places = (unsigned __int128)(highest - lowest) + 1;
    return lowest + (uint64_t)(random * places >> 64);
}

#endif
