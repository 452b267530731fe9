/* Measurements for a breaker's limits, made while calls come: the concurrency that the dependency bears at its latency,
 * the share of calls that adaptive throttling admits, and the time after which a call is hedged. Pure, no pointers.
 * tripd samples with it, and so does `tripctl simulate`. */
#ifndef TRIP_CORE_ADAPTIVE_H
#define TRIP_CORE_ADAPTIVE_H

#include <stdbool.h>

#include "core/limiter.h"
#include "core/settings.h"
#include "core/throttle.h"
#include "internal/layout.h"

#define ADAPTIVE_ADMIT_ALL 1000                /* permille */
#define ADAPTIVE_TICK_NS   UINT64_C(250000000) /* from one sample to the next, while calls come */

/* Limits need no more than half octaves from 65,536 ns to 2.1 s: bucket 2i ends at 65,536 ns * 2^i, the one after it at
 * 1.5 times that, and the last one holds all that took longer. */
#define ADAPTIVE_BUCKETS 32

struct adaptive {
    struct limiter_state limiter;
    struct throttle_state throttle;
    struct breaker_totals totals;       /* as of the last sample */
    uint64_t latency[ADAPTIVE_BUCKETS]; /* likewise */
    double recent[ADAPTIVE_BUCKETS];    /* calls of late by latency */
    uint64_t sampled_ns;
    uint64_t hedge_ns;  /* the time after which a call is hedged; 0: too few calls to tell */
    uint32_t in_flight; /* the most since the last sample */
    uint32_t permille;  /* share of calls that are admitted */
    bool busy;          /* calls come, or the share of the admitted has still to rise */
};

uint32_t adaptive_bucket(uint64_t latency_ns);
uint64_t adaptive_bucket_middle_ns(uint32_t bucket);
/* Sums the counts of the fine latency buckets into the coarse ones. */
void adaptive_fold(const uint64_t counts[LATENCY_BUCKETS], uint64_t ret_latency[ADAPTIVE_BUCKETS]);

/* Do these settings need any measurement? */
bool adaptive_measures(const struct breaker_settings *settings);

/* Begins without limits: all calls are admitted. adaptive_configure sets the limits. */
void adaptive_begin(struct adaptive *adaptive);
/* Applies settings. in_force: the limit of concurrency in force, from which the limiter goes on; 0: there is none. */
void adaptive_configure(struct adaptive *adaptive, const struct breaker_settings *settings, uint64_t in_force);
/* Leaves all calls counted until now out of the next sample. */
void adaptive_from_now(struct adaptive *adaptive, const struct breaker_totals *totals,
                       const uint64_t latency[ADAPTIVE_BUCKETS], uint64_t now_ns);

/* Notes that calls were counted, and how many are in flight. */
void adaptive_counted(struct adaptive *adaptive, uint64_t in_flight);
/* Returns when to sample next, at the same moments for all breakers. UINT64_MAX: not before calls come. */
uint64_t adaptive_due_ns(const struct adaptive *adaptive);
void adaptive_sample(struct adaptive *adaptive, const struct breaker_settings *settings, const struct core_head *core,
                     const uint64_t latency[ADAPTIVE_BUCKETS], uint64_t now_ns);

#endif
