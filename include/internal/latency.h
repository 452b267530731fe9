/* How long calls took, in buckets: libtrip counts, tripd sums, tools read quantiles.
 *
 * The buckets are log-linear, as HdrHistogram's (G. Tene): each octave is cut into 16 steps of equal length.
 *
 *   bucket 0        [0, 128) ns; buckets 1 to 7 stay empty
 *   octave 0        [128, 256) ns, in steps of 16 ns: buckets 8 to 15
 *   octave k        [2^(7+k), 2^(8+k)) ns, in steps of 2^(3+k) ns; k from 1 to 29, which ends at 137.4 s
 *   last bucket     likewise, and all that took longer
 *
 * A step of octave k >= 1 is a 16th of where the octave begins. So the middle of a bucket differs from any latency in
 * it by a 32nd of that latency at most: 3.2%. Not so below 160 ns, where it may be more than 5%; nor in the last
 * bucket, whose latencies have no upper bound.
 *
 * Bucket 0 is so wide because a client's calls that are shorter than anything one guards (a benchmark's) then fall into
 * a place that its processor predicts, instead of one that it must wait for the clock to find.
 */
#ifndef TRIP_INTERNAL_LATENCY_H
#define TRIP_INTERNAL_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "internal/words.h"

#define LATENCY_OCTAVES 30
#define LATENCY_STEPS   16 /* of an octave */
#define LATENCY_BUCKETS (LATENCY_OCTAVES * LATENCY_STEPS)

/* Two octaves are a group: counters that get their memory together, when the first call falls into one of them. */
#define LATENCY_GROUP  32 /* buckets */
#define LATENCY_GROUPS (LATENCY_BUCKETS / LATENCY_GROUP)

#define LATENCY_FIRST_NS 128 /* where bucket 0 ends */

static inline uint32_t latency_bucket(uint64_t ns)
{
    if (ns < LATENCY_FIRST_NS)
        return 0;
    /* Octaves 0 and 1 have steps of the same length: both are counted from 0 on. */
    const uint32_t octave = 63u - (uint32_t)__builtin_clzll(ns | 256) - 8;
    const uint32_t bucket = octave * LATENCY_STEPS + (uint32_t)(ns >> (octave + 4));
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The shortest latency that falls into the bucket. Not for buckets 1 to 7, which stay empty. */
static inline uint64_t latency_bucket_begin_ns(uint32_t bucket)
{
    const uint32_t octave = bucket / LATENCY_STEPS;
    return octave == 0 ? bucket * 16u : (uint64_t)(LATENCY_STEPS + bucket % LATENCY_STEPS) << (octave + 3);
}

/* A bucket's latencies are below this end, except that the last bucket has no upper bound. */
static inline uint64_t latency_bucket_end_ns(uint32_t bucket)
{
    return bucket == 0 ? LATENCY_FIRST_NS : latency_bucket_begin_ns(bucket + 1);
}

static inline uint64_t latency_bucket_middle_ns(uint32_t bucket)
{
    return (latency_bucket_begin_ns(bucket) + latency_bucket_end_ns(bucket)) / 2;
}

static inline uint64_t latency_calls(const uint64_t counts[LATENCY_BUCKETS])
{
    uint64_t calls = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        calls += counts[bucket];
    return calls;
}

/* The first bucket such that at least `permille` of all calls are in it or in the buckets before it. Its middle is the
 * quantile, within the bound above. LATENCY_BUCKETS: there were no calls. */
static inline uint32_t latency_quantile_bucket(const uint64_t counts[LATENCY_BUCKETS], uint32_t permille)
{
    const double rank = (double)latency_calls(counts) * permille / 1000;
    double seen = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        seen += (double)counts[bucket];
        if (seen > 0 && seen >= rank)
            return bucket;
    }
    return LATENCY_BUCKETS;
}

/* Reads a breaker's counts from the segment. numbers: the group numbers of its detail slot. groups: the section's
 * entries, `stride` bytes each, of which `there` have memory. */
static inline void latency_load(const uint32_t numbers[LATENCY_GROUPS], const uint8_t *groups, size_t stride,
                                uint32_t there, uint64_t ret_counts[LATENCY_BUCKETS])
{
    const size_t size = LATENCY_GROUP * sizeof(*ret_counts);
    for (uint32_t group = 0; group < LATENCY_GROUPS; group++) {
        /* Pairs with tripd's release, which follows the group's memory. */
        const uint32_t number = __atomic_load_n(&numbers[group], __ATOMIC_ACQUIRE);
        uint64_t *const counts = &ret_counts[group * LATENCY_GROUP];
        if (number && number <= there)
            words_load(counts, groups + (number - 1) * stride, size);
        else
            memset(counts, 0, size);
    }
}

#endif
