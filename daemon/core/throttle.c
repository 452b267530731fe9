/* Adaptive throttling. A bucket says which second it is of, so nothing has to be cleared as time passes. */
#include "core/throttle.h"

#include <string.h>

#include "core/settings.h"

#define ADMIT_ALL    1000
#define ADMIT_LEAST  10               /* permille */
#define PROBES_LEAST THROTTLE_BUCKETS /* calls in the window: one a second */

/* Adds up to the largest count that fits. */
static void add_up(uint32_t *count, uint64_t n)
{
    const uint32_t room = UINT32_MAX - *count;
    *count += n < room ? (uint32_t)n : room;
}

void throttle_add(struct throttle_state *throttle, uint64_t now_ns, uint64_t requests, uint64_t accepts)
{
    const uint64_t second = now_ns / TRIP_S;
    struct throttle_bucket *const bucket = &throttle->buckets[second % THROTTLE_BUCKETS];

    if (bucket->second < second) {
        memset(bucket, 0, sizeof(*bucket));
        bucket->second = second;
    }
    add_up(&bucket->requests, requests);
    add_up(&bucket->accepts, accepts);
}

static uint64_t least_permille(uint64_t requests)
{
    if (requests <= PROBES_LEAST)
        return ADMIT_ALL;
    const uint64_t probes = ADMIT_ALL * PROBES_LEAST / requests;
    return probes > ADMIT_LEAST ? probes : ADMIT_LEAST;
}

static uint64_t rejected_permille(uint64_t requests, uint64_t accepts, uint64_t k_thousandths)
{
    const unsigned __int128 borne = (unsigned __int128)accepts * k_thousandths; /* thousandths of calls */
    const unsigned __int128 asked = (unsigned __int128)requests * 1000;

    return asked > borne ? (uint64_t)((asked - borne) / (requests + 1)) : 0;
}

uint32_t throttle_sheddable_permille(uint64_t k_thousandths)
{
    return k_thousandths ? (uint32_t)((1000 + 1000000 / k_thousandths) / 2) : 0;
}

uint32_t throttle_admit_permille(const struct throttle_state *throttle, uint64_t now_ns, uint64_t k_thousandths)
{
    const uint64_t second = now_ns / TRIP_S;
    uint64_t requests = 0, accepts = 0;

    if (k_thousandths == 0)
        return ADMIT_ALL;
    for (unsigned i = 0; i < THROTTLE_BUCKETS; i++) {
        const struct throttle_bucket *const bucket = &throttle->buckets[i];
        if (bucket->second + THROTTLE_BUCKETS <= second)
            continue;
        requests += bucket->requests;
        accepts += bucket->accepts;
    }
    const uint64_t admitted = ADMIT_ALL - rejected_permille(requests, accepts, k_thousandths);
    const uint64_t least = least_permille(requests);
    return (uint32_t)(admitted > least ? admitted : least);
}
