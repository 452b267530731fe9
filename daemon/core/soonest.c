#include "core/soonest.h"

#include <string.h>

#define LEAST     20              /* calls that it takes */
#define ONE_IN    20              /* the fastest of them are how many */
#define COUNT_MAX (INT32_MAX / 2) /* two halves together fit too */

static void turn(struct soonest *soonest, uint64_t now_ns)
{
    const uint64_t half = now_ns / SOONEST_HALF_NS;
    if (half == soonest->half)
        return;
    if (half == soonest->half + 1)
        memcpy(soonest->calls[1], soonest->calls[0], sizeof(soonest->calls[1]));
    else
        memset(soonest->calls[1], 0, sizeof(soonest->calls[1]));
    memset(soonest->calls[0], 0, sizeof(soonest->calls[0]));
    soonest->half = half;
}

static int32_t sum(int32_t calls, int64_t came)
{
    const int64_t bounded = came > COUNT_MAX ? COUNT_MAX : came < -COUNT_MAX ? -COUNT_MAX : came;
    const int64_t after = calls + bounded;
    return (int32_t)(after > COUNT_MAX ? COUNT_MAX : after < -COUNT_MAX ? -COUNT_MAX : after);
}

void soonest_add(struct soonest *soonest, const int64_t came[LATENCY_BUCKETS], uint64_t now_ns)
{
    turn(soonest, now_ns);
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        soonest->calls[0][bucket] = sum(soonest->calls[0][bucket], came[bucket]);
}

static uint64_t calls_in(const struct soonest *soonest, uint32_t bucket)
{
    const int32_t calls = soonest->calls[0][bucket] + soonest->calls[1][bucket];
    return calls > 0 ? (uint64_t)calls : 0;
}

uint64_t soonest_ns(struct soonest *soonest, uint64_t now_ns)
{
    uint64_t calls = 0, seen = 0;
    uint32_t bucket = 0;
    turn(soonest, now_ns);
    for (uint32_t each = 0; each < LATENCY_BUCKETS; each++)
        calls += calls_in(soonest, each);
    if (calls < LEAST)
        return 0;
    while ((seen += calls_in(soonest, bucket)) * ONE_IN < calls)
        bucket++;
    return latency_bucket_begin_ns(bucket);
}
