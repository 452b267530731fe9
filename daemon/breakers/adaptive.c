/* Feeds a breaker's measurements (core/adaptive.h) with what was counted. They are private to this worker: the next one
 * begins with the tickets in force, and measures the rest anew within seconds. */
#include "breakers/adaptive.h"

#include <stdlib.h>

#include "breakers/latency.h"

/* ----------------------------------------------------------------------------------------------------- for the slot */

uint64_t breakers_adaptive_tickets(const struct breaker *breaker)
{
    return breaker->adaptive ? limiter_limit(&breaker->adaptive->limiter) : breaker->settings->concurrency.max;
}

uint64_t breakers_adaptive_permille(const struct breaker *breaker)
{
    return breaker->adaptive ? breaker->adaptive->permille : ADAPTIVE_ADMIT_ALL;
}

uint64_t breakers_adaptive_hedge_ns(const struct breaker *breaker)
{
    const struct breaker_settings *const settings = breaker->settings;
    if (!settings->hedge.set || settings->hedge.max == 0)
        return 0;
    if (settings->hedge.after)
        return settings->hedge.after;
    return breaker->adaptive ? breaker->adaptive->hedge_ns : 0;
}

/* --------------------------------------------------------------------------------------------------------- settings */

void breakers_adaptive_configure(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    if (!adaptive_measures(breaker->settings)) {
        breakers_adaptive_free(breaker);
        return;
    }
    if (!breaker->adaptive) {
        breaker->adaptive = malloc(sizeof(*breaker->adaptive));
        if (!breaker->adaptive)
            return; /* the limits are fixed until the next reload */
        adaptive_begin(breaker->adaptive);
        breakers_adaptive_from_now(breakers, slot);
    }
    adaptive_configure(breaker->adaptive, breaker->settings, policy->limits & POLICY_TICKETS ? policy->tickets : 0);
}

void breakers_adaptive_free(struct breaker *breaker)
{
    free(breaker->adaptive);
    breaker->adaptive = NULL;
}

static void read_latency(const struct breakers *breakers, uint32_t slot, uint64_t ret_latency[ADAPTIVE_BUCKETS])
{
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(breakers->segment, slot, counts);
    adaptive_fold(counts, ret_latency);
}

void breakers_adaptive_from_now(struct breakers *breakers, uint32_t slot)
{
    struct adaptive *const adaptive = breakers->table[slot].adaptive;
    uint64_t latency[ADAPTIVE_BUCKETS];
    if (!adaptive)
        return;
    read_latency(breakers, slot, latency);
    adaptive_from_now(adaptive, &segment_core(breakers->segment, slot)->head.totals, latency, breakers->now_ns);
}

/* ---------------------------------------------------------------------------------------------------------- samples */

void breakers_adaptive_counted(struct breakers *breakers, uint32_t slot)
{
    struct adaptive *const adaptive = breakers->table[slot].adaptive;
    if (adaptive)
        adaptive_counted(adaptive, segment_core(breakers->segment, slot)->head.in_flight);
}

uint64_t breakers_adaptive_due_ns(const struct breaker *breaker)
{
    return breaker->adaptive ? adaptive_due_ns(breaker->adaptive) : DEADLINE_NEVER;
}

bool breakers_adaptive_tick(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    const struct breaker_totals *const totals = &segment_core(breakers->segment, slot)->head.totals;
    uint64_t latency[ADAPTIVE_BUCKETS];
    if (breakers_adaptive_due_ns(breaker) > breakers->now_ns)
        return false;
    if (breaker->mode == TRIP_MODE_SHADOW) /* a shadow sheds nothing: those calls went out, and are among the calls */
        breaker->adaptive->totals.denied[denial_of(TRIP_DENY_SHED)] = totals->denied[denial_of(TRIP_DENY_SHED)];
    breakers_publish_latency(breakers, slot);
    read_latency(breakers, slot, latency);
    adaptive_sample(breaker->adaptive, breaker->settings, &segment_core(breakers->segment, slot)->head, latency,
                    breakers->now_ns);
    return true;
}
