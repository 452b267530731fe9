#include "core/adaptive.h"

#include <string.h>

#include "internal/numbers.h"

#define HEDGE_MEMORY \
    32 /* a sample replaces a 32nd of what is remembered, so that the last 8 s of latencies count most */
#define HEDGE_LEAST 20 /* the fewest calls that a percentile needs */

/* --------------------------------------------------------------------------------------------------------- buckets */

#define FIRST_STEPS 144 /* buckets of latency.h that the first bucket here holds: it ends at 65,536 ns */
#define HALF_OCTAVE (LATENCY_STEPS / 2)

static uint32_t bucket_of(uint32_t fine)
{
    const uint32_t bucket = fine < FIRST_STEPS ? 0 : 1 + (fine - FIRST_STEPS) / HALF_OCTAVE;
    return bucket < ADAPTIVE_BUCKETS ? bucket : ADAPTIVE_BUCKETS - 1;
}

static uint64_t end_ns(uint32_t bucket)
{
    return latency_bucket_begin_ns(FIRST_STEPS + bucket * HALF_OCTAVE);
}

uint32_t adaptive_bucket(uint64_t latency_ns)
{
    return bucket_of(latency_bucket(latency_ns));
}

uint64_t adaptive_bucket_middle_ns(uint32_t bucket)
{
    return ((bucket == 0 ? 0 : end_ns(bucket - 1)) + end_ns(bucket)) / 2;
}

void adaptive_fold(const uint64_t counts[LATENCY_BUCKETS], uint64_t ret_latency[ADAPTIVE_BUCKETS])
{
    memset(ret_latency, 0, ADAPTIVE_BUCKETS * sizeof(*ret_latency));
    for (uint32_t fine = 0; fine < LATENCY_BUCKETS; fine++)
        ret_latency[bucket_of(fine)] += counts[fine];
}

static bool hedges_by_latency(const struct breaker_settings *settings)
{
    return settings->hedge.set && settings->hedge.max > 0 && settings->hedge.after == 0;
}

bool adaptive_measures(const struct breaker_settings *settings)
{
    return (settings->concurrency.max && settings->concurrency.adaptive != LIMITER_NONE) || settings->throttle.k ||
           hedges_by_latency(settings);
}

/* Gives the limiter new settings. It goes on from its limit, or where it had none from in_force; 0: there is none in
 * force. */
static void set_limiter(struct limiter_state *limiter, const struct breaker_settings *settings, uint64_t in_force)
{
    struct limiter_state fresh;
    limiter_init(&fresh, (enum limiter_kind)settings->concurrency.adaptive, (uint32_t)settings->concurrency.min,
                 (uint32_t)settings->concurrency.max);
    if (fresh.kind == limiter->kind && fresh.min == limiter->min && fresh.max == limiter->max)
        return;
    if (limiter->kind != LIMITER_NONE)
        in_force = (uint64_t)limiter->limit; /* the limit in force is less during a drain */
    if (in_force && fresh.kind != LIMITER_NONE)
        fresh.limit = (double)(in_force < fresh.min ? fresh.min : at_most(in_force, fresh.max));
    *limiter = fresh;
}

void adaptive_configure(struct adaptive *adaptive, const struct breaker_settings *settings, uint64_t in_force)
{
    set_limiter(&adaptive->limiter, settings, in_force);
    if (settings->throttle.k == 0)
        adaptive->permille = ADAPTIVE_ADMIT_ALL;
}

void adaptive_begin(struct adaptive *adaptive)
{
    *adaptive = (struct adaptive){.permille = ADAPTIVE_ADMIT_ALL};
}

void adaptive_from_now(struct adaptive *adaptive, const struct breaker_totals *totals,
                       const uint64_t latency[ADAPTIVE_BUCKETS], uint64_t now_ns)
{
    adaptive->totals = *totals;
    memcpy(adaptive->latency, latency, sizeof(adaptive->latency));
    adaptive->sampled_ns = now_ns;
}

/* --------------------------------------------------------------------------------------------------------- samples */

static uint64_t mean_latency_ns(const struct adaptive *adaptive, const uint64_t counts[ADAPTIVE_BUCKETS])
{
    double sum_ns = 0, calls = 0;
    for (uint32_t bucket = 0; bucket < ADAPTIVE_BUCKETS; bucket++) {
        const double came = (double)(counts[bucket] - adaptive->latency[bucket]);
        sum_ns += came * (double)adaptive_bucket_middle_ns(bucket);
        calls += came;
    }
    return calls > 0 ? (uint64_t)(sum_ns / calls) : 0;
}

static void sample_concurrency(struct adaptive *adaptive, const struct breaker_totals *totals, uint64_t mean_ns,
                               uint64_t now_ns)
{
    limiter_update(&adaptive->limiter,
                   &(struct limiter_sample){.now_ns = now_ns,
                                            .calls = totals->calls - adaptive->totals.calls,
                                            .failures = totals->failures - adaptive->totals.failures,
                                            .slow = totals->slow - adaptive->totals.slow,
                                            .mean_latency_ns = mean_ns,
                                            .in_flight = adaptive->in_flight});
}

/* Feeds the throttle. Every failure counts as not accepted, for totals do not say why a call failed. */
static void sample_throttle(struct adaptive *adaptive, const struct breaker_totals *totals, uint64_t k, uint64_t now_ns)
{
    const unsigned denial = denial_of(TRIP_DENY_SHED);
    const uint64_t shed = totals->denied[denial] - adaptive->totals.denied[denial];
    throttle_add(&adaptive->throttle, now_ns, totals->calls - adaptive->totals.calls + shed,
                 totals->ok - adaptive->totals.ok);
    adaptive->permille = throttle_admit_permille(&adaptive->throttle, now_ns, k);
}

/* Returns the end of the bucket that holds the percentile. 0: there are too few calls, or it lies beyond all buckets.
 */
static uint64_t percentile_ns(const double counts[ADAPTIVE_BUCKETS], double share)
{
    double calls = 0, seen = 0;
    for (uint32_t bucket = 0; bucket < ADAPTIVE_BUCKETS; bucket++)
        calls += counts[bucket];
    for (uint32_t bucket = 0; calls >= HEDGE_LEAST && bucket < ADAPTIVE_BUCKETS - 1; bucket++) {
        seen += counts[bucket];
        if (seen >= calls * share)
            return end_ns(bucket);
    }
    return 0;
}

static void sample_hedge(struct adaptive *adaptive, const uint64_t counts[ADAPTIVE_BUCKETS], enum hedge_at at)
{
    static const double shares[] = {[HEDGE_AT_P50] = 0.50, [HEDGE_AT_P95] = 0.95, [HEDGE_AT_P99] = 0.99};
    for (uint32_t bucket = 0; bucket < ADAPTIVE_BUCKETS; bucket++)
        adaptive->recent[bucket] +=
            (double)(counts[bucket] - adaptive->latency[bucket]) - adaptive->recent[bucket] / HEDGE_MEMORY;
    adaptive->hedge_ns = percentile_ns(adaptive->recent, shares[at]);
}

void adaptive_counted(struct adaptive *adaptive, uint64_t in_flight)
{
    adaptive->busy = true;
    if (in_flight > adaptive->in_flight)
        adaptive->in_flight = (uint32_t)at_most(in_flight, UINT32_MAX);
}

uint64_t adaptive_due_ns(const struct adaptive *adaptive)
{
    return adaptive->busy ? (adaptive->sampled_ns / ADAPTIVE_TICK_NS + 1) * ADAPTIVE_TICK_NS : UINT64_MAX;
}

void adaptive_sample(struct adaptive *adaptive, const struct breaker_settings *settings, const struct core_head *core,
                     const uint64_t latency[ADAPTIVE_BUCKETS], uint64_t now_ns)
{
    const bool calls = memcmp(&adaptive->totals, &core->totals, sizeof(core->totals)) != 0;
    sample_throttle(adaptive, &core->totals, settings->throttle.k, now_ns);
    if (calls) {
        sample_concurrency(adaptive, &core->totals, mean_latency_ns(adaptive, latency), now_ns);
        sample_hedge(adaptive, latency, (enum hedge_at)settings->hedge.at);
    }
    adaptive_from_now(adaptive, &core->totals, latency, now_ns);
    adaptive->in_flight = (uint32_t)at_most(core->in_flight, UINT32_MAX);
    adaptive->busy = calls || adaptive->permille < ADAPTIVE_ADMIT_ALL;
}
