/* Time as clients and tripd measure it.
 *
 * Ticks are for latencies, for rates and for the order of events: nanoseconds of tripd's CLOCK_MONOTONIC, under a test
 * clock its nanoseconds. A client reads them off the TSC where tripd trusts it, by the base that tripd publishes once a
 * second (struct tsc_line); else off its own CLOCK_MONOTONIC. Both are the same scale, so that a TSC which is given up
 * mixes no units in calls in flight, in events or in the words of rates; readings may differ by a microsecond, so a
 * difference may be negative, and counts as none. Deadlines are milliseconds since the segment's creation on the
 * instance's clock; the heartbeat is always real CLOCK_MONOTONIC.
 */
#ifndef TRIP_INTERNAL_TICKS_H
#define TRIP_INTERNAL_TICKS_H

#include <stdint.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "internal/layout.h"

#define HEARTBEAT_NS       UINT64_C(1000000000)
#define HEARTBEAT_STALE_NS UINT64_C(3000000000)

enum ticks_kind { TICKS_MONOTONIC, TICKS_TSC /* a client's clock, while the TSC is trusted */, TICKS_TEST };

static inline uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t realtime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t tsc_base_ns(const struct tsc_base *base, uint64_t cycles)
{
    const uint64_t since = cycles > base->cycles ? cycles - base->cycles : 0;
    return base->ns + (uint64_t)((unsigned __int128)since * base->ns_q32 >> 32);
}

#define TSC_READ_TRIES 4 /* tripd moves the base once a second */

/* Returns the time by the TSC, as CLOCK_MONOTONIC; 0: the TSC is not trusted. */
static inline uint64_t tsc_now_ns(const struct tsc_line *line)
{
#ifdef __x86_64__
    for (unsigned tries = 0; tries < TSC_READ_TRIES; tries++) {
        /* Acquire: pairs with tripd's release, the base was written before. */
        const uint64_t sequence = __atomic_load_n(&line->sequence, __ATOMIC_ACQUIRE);
        const struct tsc_base *const in_force = &line->bases[sequence & 1];
        const struct tsc_base base = {.cycles = __atomic_load_n(&in_force->cycles, __ATOMIC_RELAXED),
                                      .ns = __atomic_load_n(&in_force->ns, __ATOMIC_RELAXED),
                                      .ns_q32 = __atomic_load_n(&in_force->ns_q32, __ATOMIC_RELAXED)};
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the base is read before `sequence` is looked at again */
        if (__builtin_expect(__atomic_load_n(&line->sequence, __ATOMIC_RELAXED) == sequence, 1))
            return base.ns_q32 ? tsc_base_ns(&base, __rdtsc()) : 0;
    }
#else
    (void)line;
#endif
    return 0;
}

static inline uint64_t ticks_between(uint64_t since, uint64_t until)
{
    return until > since ? until - since : 0;
}

#endif
