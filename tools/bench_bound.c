/* The bounds that are calls into a shared library, as libtrip is. They do only what every breaker has to do. */
#include "bench.h"

__attribute__((visibility("default"))) int bound_load_branch(const uint64_t *words)
{
    return __atomic_load_n(words, __ATOMIC_RELAXED) == 0;
}

/* Asks and counts an answer: a load, a branch, and the caller's own counters. */
__attribute__((visibility("default"))) void bound_load_branch_count(const uint64_t *words, uint64_t *counters)
{
    if (__atomic_load_n(words, __ATOMIC_RELAXED) != 0)
        return;
    __atomic_store_n(&counters[0], counters[0] + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&counters[1], counters[1] + 1, __ATOMIC_RELEASE);
}
