#include "core/burst.h"

#include <math.h>

#define LONG_RUN_BUCKETS 360 /* an hour */
#define FAR_ABOVE        5.0 /* standard deviations */
#define MILLION          1000000u
#define LEAST_MS         1000u /* of a bucket that has just begun */

/* 1 at least: 0 says that there was no bucket yet. */
static uint32_t bucket_of(uint64_t at_ns)
{
    return (uint32_t)(at_ns / BURST_BUCKET_NS) + 1;
}

/* The long run after one more bucket, which had n events. */
static uint64_t long_run_with(const struct burst *burst, uint64_t n)
{
    const uint32_t weigh = burst->buckets < LONG_RUN_BUCKETS ? burst->buckets + 1 : LONG_RUN_BUCKETS;
    const double before = (double)burst->long_run, now = (double)n * MILLION;
    return (uint64_t)(before + (now - before) / weigh);
}

/* The same after `empty` buckets without an event. */
static void pass_empty(struct burst *burst, uint32_t empty)
{
    const uint32_t young = burst->buckets < LONG_RUN_BUCKETS ? LONG_RUN_BUCKETS - burst->buckets : 0;
    const uint32_t even = empty < young ? empty : young;
    double long_run = (double)burst->long_run;
    if (even)
        long_run *= (double)burst->buckets / (burst->buckets + even);
    long_run *= pow(1.0 - 1.0 / LONG_RUN_BUCKETS, empty - even);
    burst->long_run = (uint64_t)long_run;
    burst->buckets = burst->buckets < UINT32_MAX - empty ? burst->buckets + empty : UINT32_MAX;
}

static void move_on(struct burst *burst, uint32_t bucket)
{
    if (burst->bucket == 0)
        burst->bucket = bucket;
    if (bucket <= burst->bucket)
        return;
    burst->long_run = long_run_with(burst, burst->count);
    if (burst->buckets < UINT32_MAX)
        burst->buckets++;
    pass_empty(burst, bucket - burst->bucket - 1);
    burst->bucket = bucket;
    burst->count = 0;
}

static bool far_above(uint32_t count, uint64_t long_run)
{
    const double n = count, expected = (double)long_run / MILLION;
    return sqrt(n) + sqrt(n + 1) - sqrt(4 * expected + 1) >= FAR_ABOVE;
}

bool burst_add(struct burst *burst, uint64_t at_ns, uint64_t n)
{
    move_on(burst, bucket_of(at_ns));
    burst->count = n < UINT32_MAX - burst->count ? burst->count + (uint32_t)n : UINT32_MAX;
    if (burst->burst_bucket == burst->bucket || !far_above(burst->count, burst->long_run))
        return false;
    burst->burst_bucket = burst->bucket;
    return true;
}

bool burst_now(const struct burst *burst, uint64_t now_ns)
{
    return burst->burst_bucket != 0 && bucket_of(now_ns) - burst->burst_bucket <= 1;
}

uint64_t burst_rate_milli(const struct burst *burst, uint64_t now_ns)
{
    const uint32_t now = bucket_of(now_ns);
    if (burst->bucket == 0 || now - burst->bucket > 1)
        return 0;
    const uint64_t young_ms = now_ns % BURST_BUCKET_NS / 1000000, whole_ms = BURST_BUCKET_NS / 1000000;
    const uint64_t over_ms = now != burst->bucket ? whole_ms : young_ms < LEAST_MS ? LEAST_MS : young_ms;
    return (uint64_t)burst->count * 1000000 / over_ms;
}

uint64_t burst_long_run_milli(const struct burst *burst)
{
    struct burst all = *burst;
    all.long_run = long_run_with(&all, all.count);
    return (all.buckets ? burst->long_run : all.long_run) / (1000 * (BURST_BUCKET_NS / 1000000000));
}
