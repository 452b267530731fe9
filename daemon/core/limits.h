/* Limits and retries as clients are told of them: words of the policy slot, and how far the retry budget may fill.
 * Pure, no pointers. tripd publishes by it, and `tripctl simulate` judges by it.
 */
#ifndef TRIP_CORE_LIMITS_H
#define TRIP_CORE_LIMITS_H

#include "core/settings.h"
#include "core/throttle.h"
#include "internal/policy.h"

/* What settings alone decide. Measured are admit_permille, hedge_ns, budget_cap and, where it is adaptive, tickets. */
void limits_policy(struct policy_slot *policy, const struct breaker_settings *settings);

#define BUDGET_CAP_S 10 /* of deposits and floor: as long as a burst of failures may be paid by the calm before it */

/* All zero: of a new breaker. */
struct budget_pace {
    uint64_t cap;       /* in force */
    uint64_t deposited; /* calls that have earned their tokens */
    uint64_t looked_ns, looked_calls;
    double calls_per_s; /* smoothed */
};

/* published_cap: of a worker before this one, which knew the pace; 0: there was none. */
void budget_pace_configure(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t published_cap);
/* What was counted until now earns nothing. */
void budget_pace_from_now(struct budget_pace *pace, const struct breaker_totals *totals, uint64_t now_ns);
/* Calls that were asked for, whatever came of them, so that a hedge that loses takes nothing from another call: a retry
 * earns nothing, else a ratio of 20% would let through 25%. One that is paid, and then denied, takes what a call earns.
 */
uint64_t budget_first_attempts(const struct breaker_totals *totals);

struct budget budget_pace_budget(const struct budget_pace *pace, const struct breaker_settings *settings);
/* In thousandths of a token, since the last deposit. Retries are counted before their calls; what they are ahead, or a
 * client forged, is made up for by as many calls as earn a full budget, at most. */
uint64_t budget_pace_earned(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t attempts);

#define BUDGET_PACE_LOOK_NS TRIP_S

/* calls: counted so far, retries too. Moves nothing within BUDGET_PACE_LOOK_NS of the look before. Of a longer time it
 * makes as many looks as there should have been, with the calls spread evenly over them. True: the cap moved. */
/* Has the cap come down to what it is without calls? */
bool budget_pace_rests(const struct budget_pace *pace, const struct breaker_settings *settings);
bool budget_pace_look(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t calls,
                      uint64_t now_ns);

#endif
