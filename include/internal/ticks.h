/* Time as clients and tripd measure it.
 *
 * Ticks are for latencies and for the order of events: TSC cycles where the kernel itself trusts the TSC (its
 * clocksource is "tsc"), else nanoseconds of CLOCK_MONOTONIC, under a test clock its nanoseconds. The segment's header
 * says which, and how long a tick is. Deadlines are milliseconds since the segment's creation on the instance's clock;
 * the heartbeat is always real CLOCK_MONOTONIC.
 */
#ifndef TRIP_INTERNAL_TICKS_H
#define TRIP_INTERNAL_TICKS_H

#include <stdint.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "internal/numbers.h"

#define HEARTBEAT_NS       UINT64_C(1000000000)
#define HEARTBEAT_STALE_NS UINT64_C(3000000000)

#define TICKS_NANOSECOND_Q32 (UINT64_C(1) << 32) /* of a tick that is a nanosecond */

enum ticks_kind { TICKS_MONOTONIC, TICKS_TSC, TICKS_TEST };

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

/* test_now_ns: the header's, for TICKS_TEST. */
static inline uint64_t ticks_now(enum ticks_kind kind, const uint64_t *test_now_ns)
{
#ifdef __x86_64__
    if (__builtin_expect(kind == TICKS_TSC, 1))
        return __rdtsc();
#endif
    return kind == TICKS_TEST ? __atomic_load_n(test_now_ns, __ATOMIC_ACQUIRE) : monotonic_ns();
}

/* tick_ns_q32: nanoseconds a tick, 32.32 fixed point. Saturates instead of wrapping. */
static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t tick_ns_q32)
{
    return saturated((unsigned __int128)ticks * tick_ns_q32 >> 32);
}

/* A clock that is read in no time: it does not follow what disciplines CLOCK_MONOTONIC. */
static inline uint64_t ticks_to_ms(uint64_t ticks, uint64_t tick_ns_q32)
{
    return ticks_to_ns(ticks, tick_ns_q32) / 1000000;
}

static inline uint64_t ticks_to_ns_up(uint64_t ticks, uint64_t tick_ns_q32)
{
    return saturated(((unsigned __int128)ticks * tick_ns_q32 + UINT32_MAX) >> 32);
}

/* The other way round, rounded up; half the range at most, so that a tick can be added to it. */
static inline uint64_t ticks_of_ns(uint64_t ns, uint64_t tick_ns_q32)
{
    const uint64_t tick = tick_ns_q32 ? tick_ns_q32 : 1;
    const unsigned __int128 ticks = (((unsigned __int128)ns << 32) + tick - 1) / tick;
    return ticks > UINT64_MAX / 2 ? UINT64_MAX / 2 : (uint64_t)ticks;
}

#endif
