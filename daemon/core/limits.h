/* Limits and retries as tripd publishes them to clients: words of the policy slot, and the cap of the retry budget.
 * Pure, no pointers. tripd publishes by it, and `tripctl simulate` judges by it. */
#ifndef TRIP_CORE_LIMITS_H
#define TRIP_CORE_LIMITS_H

#include "core/settings.h"
#include "core/throttle.h"
#include "internal/policy.h"

/* Writes the words that the settings alone decide. The others are measured: admit_permille, hedge_ns, budget_cap and,
 * for an adaptive limit, tickets. */
void limits_policy(struct policy_slot *policy, const struct breaker_settings *settings);

#define BUDGET_CAP_S 10 /* seconds of deposits and floor: the cap pays for a burst of failures as long as that */

/* The pace of a breaker's calls, for its retry budget. All zero: a new breaker. */
struct budget_pace {
    uint64_t cap;       /* in force */
    uint64_t deposited; /* calls that have earned their tokens already */
    uint64_t looked_ns, looked_calls;
    double calls_per_s; /* smoothed */
};

/* Applies settings. published_cap: the cap that the worker before this one published, from which the pace is derived;
 * 0: none. */
void budget_pace_configure(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t published_cap);
/* Leaves all calls counted until now out of the budget: they earn nothing. */
void budget_pace_from_now(struct budget_pace *pace, const struct breaker_totals *totals, uint64_t now_ns);
/* Returns the calls that count as first attempts: all calls but retries. A retry earns nothing, or a ratio of 20% would
 * let through 25%; a hedge that loses takes nothing from another call; a retry that is paid, and then denied, takes
 * away what a call earns. */
uint64_t budget_first_attempts(const struct breaker_totals *totals);

struct budget budget_pace_budget(const struct budget_pace *pace, const struct breaker_settings *settings);
/* Returns what calls have earned since the last deposit, in thousandths of a token. A client counts a retry before its
 * call, and may forge counts: a lead of retries is paid off by as many calls as earn a full budget, at most. */
uint64_t budget_pace_earned(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t attempts);

#define BUDGET_PACE_LOOK_NS TRIP_S

/* Measures the pace of calls. calls: counted so far, retries included. Within BUDGET_PACE_LOOK_NS of the last look
 * nothing moves; after a longer time it makes up for the looks in between, with the calls spread evenly over them.
 * True: the cap moved. */
bool budget_pace_look(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t calls,
                      uint64_t now_ns);
/* Has the cap come down to what it is without calls? */
bool budget_pace_rests(const struct budget_pace *pace, const struct breaker_settings *settings);

#endif
