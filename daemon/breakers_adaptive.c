/* What is measured for a breaker's limits, while calls come: the concurrency that its latency bears, the share of calls
 * that adaptive throttling admits, and when a call is slow enough to be hedged. All private: a worker after this one
 * begins with the tickets in force, and measures the rest anew within seconds.
 */
#include "breakers_parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/limiter.h"
#include "core/throttle.h"
#include "internal/numbers.h"

#define ADMIT_ALL    1000
#define HEDGE_MEMORY 32 /* a sample replaces a 32nd of what is remembered: 8 s of latencies count most */
#define HEDGE_LEAST  20 /* calls that a percentile needs */

struct adaptive {
    struct limiter_state limiter;
    struct throttle_state throttle;
    struct breaker_totals totals;      /* as of the last sample */
    uint64_t latency[LATENCY_BUCKETS]; /* likewise */
    double recent[LATENCY_BUCKETS];    /* calls of late by latency */
    uint64_t sampled_ns;
    uint64_t hedge_ns;
    uint32_t in_flight; /* the most since the last sample */
    uint32_t permille;
    bool busy; /* calls come, or the share of the admitted is to rise again */
};

/* ------------------------------------------------------------------------------------------------------ for the slot
 */

uint64_t breakers_adaptive_tickets(const struct breaker *breaker)
{
    return breaker->adaptive ? limiter_limit(&breaker->adaptive->limiter) : breaker->settings->concurrency.max;
}

uint64_t breakers_adaptive_permille(const struct breaker *breaker)
{
    return breaker->adaptive ? breaker->adaptive->permille : ADMIT_ALL;
}

static bool hedges(const struct breaker_settings *settings)
{
    return settings->hedge.set && settings->hedge.max > 0;
}

uint64_t breakers_adaptive_hedge_ns(const struct breaker *breaker)
{
    if (!hedges(breaker->settings))
        return 0;
    if (breaker->settings->hedge.after)
        return breaker->settings->hedge.after;
    return breaker->adaptive ? breaker->adaptive->hedge_ns : 0;
}

/* ----------------------------------------------------------------------------------------------------------- settings
 */

static bool measures(const struct breaker_settings *settings)
{
    return (settings->concurrency.max && settings->concurrency.adaptive != LIMITER_NONE) || settings->throttle.k ||
           (hedges(settings) && settings->hedge.after == 0);
}

/* Where the limit stands it goes on from. in_force 0: it does not stand yet. */
static void set_limiter(struct limiter_state *limiter, const struct breaker_settings *settings, uint64_t in_force)
{
    struct limiter_state fresh;
    limiter_init(&fresh, (enum limiter_kind)settings->concurrency.adaptive, (uint32_t)settings->concurrency.min,
                 (uint32_t)settings->concurrency.max);
    if (fresh.kind == limiter->kind && fresh.min == limiter->min && fresh.max == limiter->max)
        return;
    if (in_force && fresh.kind != LIMITER_NONE)
        fresh.limit = (double)(in_force < fresh.min ? fresh.min : at_most(in_force, fresh.max));
    *limiter = fresh;
}

void breakers_adaptive_configure(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    if (!measures(breaker->settings)) {
        breakers_adaptive_free(breaker);
        return;
    }
    if (!breaker->adaptive) {
        breaker->adaptive = calloc(1, sizeof(*breaker->adaptive));
        if (!breaker->adaptive)
            return; /* the limits are fixed until the next reload */
        breaker->adaptive->permille = ADMIT_ALL;
        breakers_adaptive_from_now(breakers, slot);
    }
    set_limiter(&breaker->adaptive->limiter, breaker->settings, policy->limits & POLICY_TICKETS ? policy->tickets : 0);
    if (breaker->settings->throttle.k == 0)
        breaker->adaptive->permille = ADMIT_ALL;
}

void breakers_adaptive_free(struct breaker *breaker)
{
    free(breaker->adaptive);
    breaker->adaptive = NULL;
}

void breakers_adaptive_from_now(struct breakers *breakers, uint32_t slot)
{
    struct adaptive *const adaptive = breakers->table[slot].adaptive;
    if (!adaptive)
        return;
    adaptive->totals = segment_core(breakers->segment, slot)->head.totals;
    memcpy(adaptive->latency, breakers->segment->details[slot].latency, sizeof(adaptive->latency));
    adaptive->sampled_ns = breakers->now_ns;
}

/* ------------------------------------------------------------------------------------------------------------ samples
 */

static uint64_t bucket_middle_ns(uint32_t bucket)
{
    const uint64_t begin_ns = bucket == 0 ? 0 : latency_bucket_end_ns(bucket - 1);
    return (begin_ns + latency_bucket_end_ns(bucket)) / 2;
}

static uint64_t mean_latency_ns(const struct adaptive *adaptive, const uint64_t counts[LATENCY_BUCKETS])
{
    double sum_ns = 0, calls = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        const double came = (double)(counts[bucket] - adaptive->latency[bucket]);
        sum_ns += came * (double)bucket_middle_ns(bucket);
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
                                            .mean_latency_ns = mean_ns,
                                            .in_flight = adaptive->in_flight});
}

/* Accepted is what went well: why the others failed, totals do not tell. */
static void sample_throttle(struct adaptive *adaptive, const struct breaker_totals *totals, uint64_t k, uint64_t now_ns)
{
    const uint64_t shed = totals->limited[LIMITED_SHED] - adaptive->totals.limited[LIMITED_SHED];
    throttle_add(&adaptive->throttle, now_ns, totals->calls - adaptive->totals.calls + shed,
                 totals->ok - adaptive->totals.ok);
    adaptive->permille = throttle_admit_permille(&adaptive->throttle, now_ns, k);
}

/* The end of the bucket in which it lies; 0: too few calls, or it lies beyond all buckets. */
static uint64_t percentile_ns(const double counts[LATENCY_BUCKETS], double share)
{
    double calls = 0, seen = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        calls += counts[bucket];
    for (uint32_t bucket = 0; calls >= HEDGE_LEAST && bucket < LATENCY_BUCKETS - 1; bucket++) {
        seen += counts[bucket];
        if (seen >= calls * share)
            return latency_bucket_end_ns(bucket);
    }
    return 0;
}

static void sample_hedge(struct adaptive *adaptive, const uint64_t counts[LATENCY_BUCKETS], enum hedge_at at)
{
    static const double shares[] = {[HEDGE_AT_P50] = 0.50, [HEDGE_AT_P95] = 0.95, [HEDGE_AT_P99] = 0.99};
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        adaptive->recent[bucket] +=
            (double)(counts[bucket] - adaptive->latency[bucket]) - adaptive->recent[bucket] / HEDGE_MEMORY;
    adaptive->hedge_ns = percentile_ns(adaptive->recent, shares[at]);
}

void breakers_adaptive_counted(struct breakers *breakers, uint32_t slot)
{
    struct adaptive *const adaptive = breakers->table[slot].adaptive;
    const uint64_t in_flight = segment_core(breakers->segment, slot)->head.in_flight;
    if (!adaptive)
        return;
    adaptive->busy = true;
    if (in_flight > adaptive->in_flight)
        adaptive->in_flight = (uint32_t)at_most(in_flight, UINT32_MAX);
}

/* All breakers' ticks at the same moments: one wake-up. */
uint64_t breakers_adaptive_due_ns(const struct breaker *breaker)
{
    return breaker->adaptive && breaker->adaptive->busy ? (breaker->adaptive->sampled_ns / TICK_NS + 1) * TICK_NS
                                                        : DEADLINE_NEVER;
}

void breakers_adaptive_tick(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    struct adaptive *const adaptive = breaker->adaptive;
    const struct core_head *const core = &segment_core(breakers->segment, slot)->head;
    const uint64_t *const counts = breakers->segment->details[slot].latency;
    if (breakers_adaptive_due_ns(breaker) > breakers->now_ns)
        return;
    breakers_publish_latency(breakers, slot);
    const bool calls = memcmp(&adaptive->totals, &core->totals, sizeof(core->totals)) != 0;
    sample_throttle(adaptive, &core->totals, breaker->settings->throttle.k, breakers->now_ns);
    if (calls) {
        sample_concurrency(adaptive, &core->totals, mean_latency_ns(adaptive, counts), breakers->now_ns);
        sample_hedge(adaptive, counts, (enum hedge_at)breaker->settings->hedge.at);
    }
    breakers_adaptive_from_now(breakers, slot);
    adaptive->in_flight = (uint32_t)at_most(core->in_flight, UINT32_MAX);
    adaptive->busy = calls || adaptive->permille < ADMIT_ALL;
    breakers_limits_publish(breakers, slot);
}
