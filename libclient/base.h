/* What all parts of libtrip use. */
#ifndef TRIP_BASE_H
#define TRIP_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "trip.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define COLD        __attribute__((cold, noinline))
#define FLATTEN     __attribute__((flatten))              /* what it calls becomes part of it, but for cold functions */
#define HIDDEN      __attribute__((visibility("hidden"))) /* of data on the fast path: addressed without a table */

/* A full fence after a sequentially consistent read-modify-write. On x86 that is one itself, and only the compiler has
 * to keep the order. */
static inline void fence_after_locked(void)
{
#ifdef __x86_64__
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Restores errno at the end of a scope: a public function that reports no error must not change the host's errno. */
#define ERRNO_KEPT const int errno_was __attribute__((cleanup(errno_restore), unused)) = errno

static inline void errno_restore(const int *errno_was)
{
    errno = *errno_was;
}

static inline uint64_t coarse_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#endif
