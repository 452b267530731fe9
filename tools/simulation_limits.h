/* Limits and retries of a simulated breaker, by the words and the pure core that libtrip and tripd use
 * (internal/bucket_word.h, internal/policy.h, core/limits.h, core/adaptive.h), with one difference: a ticket is not one
 * place among those of the limit, but counts. Where an adaptive limit falls, all that are out count against it.
 */
#ifndef TRIP_TOOLS_SIMULATION_LIMITS_H
#define TRIP_TOOLS_SIMULATION_LIMITS_H

#include <stdbool.h>

#include "core/adaptive.h"
#include "core/breaker.h"
#include "core/limits.h"

struct sim_limits {
    const struct breaker_settings *settings;
    struct core_head *core; /* of its totals the retries are counted here */
    const struct detail_slot *detail;
    struct policy_slot *policy;
    uint64_t rate, budget;    /* words, as in the commons */
    uint64_t retries_refused; /* by the dry budget */
    uint64_t tick_ns;         /* when the sample comes that was asked for; 0: none was */
    struct budget_pace pace;
    struct adaptive adaptive;
    uint32_t tickets_taken;
    bool measured; /* by `adaptive` */
};

/* How a call asks, and which attempt it is. */
struct sim_asking {
    trip_priority priority;
    bool retry;           /* after a failure, as the settings say */
    uint32_t failed;      /* attempts before this one */
    uint64_t started_ns;  /* the first one */
    uint64_t previous_ns; /* the backoff before this one */
};

/* The rest of `limits` is zero, and so are the words of `policy` that are of limits. */
void sim_limits_begin(struct sim_limits *limits, uint64_t now_ns);

/* For an admitted call. False: rejected, *ret_by says by what, and nothing is held. */
bool sim_limits_take(struct sim_limits *limits, trip_priority priority, uint64_t now_ns, uint64_t *random,
                     enum limited *ret_by);
/* What sim_limits_take took and what can be given back. */
void sim_limits_give(struct sim_limits *limits);

/* Calls were admitted, rejected or counted. Returns when to sample what is measured, if that is news; else 0. */
uint64_t sim_limits_counted(struct sim_limits *limits, uint64_t now_ns);
void sim_limits_sample(struct sim_limits *limits, uint64_t now_ns);

/* May the attempt that just failed be followed by another? asking then is that one's. The budget is left to be
 * charged. hint_ns: the server's Retry-After. */
bool sim_retry_wanted(const struct sim_limits *limits, struct sim_asking *asking, trip_error_type error,
                      uint64_t hint_ns, uint64_t now_ns, uint64_t *random, uint64_t *ret_delay_ns);
/* False: the budget is dry. */
bool sim_retry_pay(struct sim_limits *limits, uint64_t now_ns);

void sim_limits_show(struct sim_limits *limits, uint64_t now_ns, struct limits_shown *ret_shown);

/* Moves the retry budget's cap with the pace of calls; before any is counted at this time. */
void sim_limits_look(struct sim_limits *limits, uint64_t now_ns);

static inline bool sim_limits_look_due(const struct sim_limits *limits, uint64_t now_ns)
{
    return now_ns - limits->pace.looked_ns >= BUDGET_PACE_LOOK_NS;
}

#endif
