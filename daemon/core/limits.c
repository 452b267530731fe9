#include "core/limits.h"

#include <stdbool.h>

#include "core/breaker.h"
#include "core/limiter.h"

#define PACE_SMOOTHING 4   /* a look moves the pace by a quarter: 1 s of calls is not mistaken for the traffic */
#define LOOKS_MAX      200 /* after so many looks nothing is left of an earlier pace */
#define CAP_NOTABLE    8   /* the cap moves only by an eighth or more: retries read its line, and it only bounds */

/* Must clients time every call, for a condition or an adaptive limit? Otherwise they time a sample, for people and for
 * hedging. */
static bool times_calls(const struct breaker_settings *settings)
{
    return core_counts(settings, CALL_SLOW) || settings->trip.stall_after || settings->trip.in_flight ||
           (settings->concurrency.max && settings->concurrency.adaptive != LIMITER_NONE);
}

static uint64_t flags(const struct breaker_settings *settings)
{
    return (settings->concurrency.max ? POLICY_TICKETS : 0u) | (settings->rate.limit ? POLICY_RATE : 0u) |
           (settings->rate.limit && settings->rate.window == RATE_SLIDING ? POLICY_SLIDING : 0u) |
           (settings->throttle.k ? POLICY_THROTTLE : 0u) | (times_calls(settings) ? POLICY_TIMED : 0u) |
           (settings->trip.cut_short ? POLICY_CUT_SHORT : 0u);
}

static uint64_t retry_word(const struct breaker_settings *settings)
{
    return policy_retry_word(&(struct policy_retry){
        .attempts = (uint32_t)settings->retry.attempts,
        .backoff = {.kind = settings->retry.backoff,
                    .jitter = settings->retry.jitter,
                    .jitter_permille = (uint16_t)settings->retry.jitter_ratio,
                    .multiplier_permille = (uint32_t)settings->retry.multiplier},
    });
}

/* Writes what each priority may take of the rate: critical calls all, the others less a reserve, rounded down. */
static void rate_words(struct policy_slot *policy, const struct breaker_settings *settings)
{
    const bool sliding = settings->rate.window == RATE_SLIDING;
    const struct rate rate = {.limit = settings->rate.limit,
                              .per = settings->rate.per,
                              .burst = settings->rate.burst ? settings->rate.burst : settings->rate.limit};
    const uint64_t below[TRIP_PRIORITY_COUNT] = {[TRIP_PRIORITY_NORMAL] = settings->priority.normal_below,
                                                 [TRIP_PRIORITY_SHEDDABLE] = settings->priority.sheddable_below};
    for (unsigned priority = 0; priority < TRIP_PRIORITY_COUNT; priority++) {
        const uint64_t reserve = permille_of(sliding ? rate.limit : rate.burst, below[priority]);
        const struct rate_share share = sliding ? sliding_share(&rate, reserve) : bucket_share(&rate, reserve);
        policy->rate_step = share.step;
        policy->rate_shares[priority] = share.share;
    }
}

void limits_policy(struct policy_slot *policy, const struct breaker_settings *settings)
{
    policy->limits = flags(settings);
    policy->tickets = settings->concurrency.max;
    policy->tickets_wait = settings->concurrency.wait;
    rate_words(policy, settings);
    policy->reserves =
        policy_reserves((uint32_t)settings->priority.sheddable_below, (uint32_t)settings->priority.normal_below) |
        policy_tickets_most(settings->concurrency.max) |
        policy_sheddable_least(throttle_sheddable_permille(settings->throttle.k));
    policy->retry = retry_word(settings);
    policy->retry_base_ns = settings->retry.base;
    policy->retry_max_ns = settings->retry.max;
    policy->retry_total_ns = settings->retry.total;
    policy->retry_on = settings->retry.on;
    policy->budget_floor = settings->budget.min_per_second;
}

/* ------------------------------------------------------------------------------------------------------ the budget */

/* Returns the cap: the tokens of 10 s, at the floor and at the pace of calls. So many may be saved for a burst of
 * failures. */
static uint64_t cap_of(const struct budget_pace *pace, const struct breaker_settings *settings)
{
    const uint64_t floor = product(settings->budget.min_per_second, BUDGET_TOKEN);
    const uint64_t earned = product((uint64_t)pace->calls_per_s, settings->budget.ratio);
    const uint64_t cap = at_most(
        product(at_most(floor, BUDGET_CAP_MAX) + at_most(earned, BUDGET_CAP_MAX), BUDGET_CAP_S), BUDGET_CAP_MAX);
    return cap > BUDGET_TOKEN ? cap : BUDGET_TOKEN;
}

/* Returns the pace of calls for which cap_of gives this cap. */
static double pace_of(const struct breaker_settings *settings, uint64_t cap)
{
    const uint64_t floor = product(settings->budget.min_per_second, BUDGET_TOKEN);
    return settings->budget.ratio && cap / BUDGET_CAP_S > floor
               ? (double)(cap / BUDGET_CAP_S - floor) / (double)settings->budget.ratio
               : 0;
}

void budget_pace_configure(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t published_cap)
{
    if (pace->cap == 0)
        pace->calls_per_s = pace_of(settings, published_cap);
    pace->cap = cap_of(pace, settings);
}

uint64_t budget_first_attempts(const struct breaker_totals *totals)
{
    const uint64_t ended = totals->calls + totals->ignored + totals->cancelled;
    return ended - at_most(totals->retries, ended);
}

void budget_pace_from_now(struct budget_pace *pace, const struct breaker_totals *totals, uint64_t now_ns)
{
    pace->deposited = budget_first_attempts(totals);
    pace->looked_calls = totals->calls;
    pace->looked_ns = now_ns;
}

struct budget budget_pace_budget(const struct budget_pace *pace, const struct breaker_settings *settings)
{
    return (struct budget){.min_per_second = settings->budget.min_per_second, .cap = pace->cap};
}

uint64_t budget_pace_earned(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t attempts)
{
    const uint64_t debt = pace->cap / bucket_positive(settings->budget.ratio);
    if (pace->deposited > attempts && pace->deposited - attempts > debt)
        pace->deposited = attempts + debt;
    return attempts > pace->deposited ? product(attempts - pace->deposited, settings->budget.ratio) : 0;
}

/* Moves the cap if it changed notably. False: it stays. */
static bool move_cap(struct budget_pace *pace, const struct breaker_settings *settings)
{
    const uint64_t cap = cap_of(pace, settings), notable = pace->cap / CAP_NOTABLE;
    if (cap <= pace->cap + notable && cap + notable >= pace->cap)
        return false;
    pace->cap = cap;
    return true;
}

bool budget_pace_rests(const struct budget_pace *pace, const struct breaker_settings *settings)
{
    struct budget_pace idle = {.cap = pace->cap};
    return !move_cap(&idle, settings);
}

bool budget_pace_look(struct budget_pace *pace, const struct breaker_settings *settings, uint64_t calls,
                      uint64_t now_ns)
{
    const uint64_t took_ns = now_ns - pace->looked_ns, missed = took_ns / BUDGET_PACE_LOOK_NS;
    bool moved = false;
    if (missed == 0)
        return false;
    const double now = (double)(calls - pace->looked_calls) * (double)TRIP_S / (double)took_ns;
    for (uint64_t i = 0; i < at_most(missed, LOOKS_MAX); i++) {
        pace->calls_per_s += (now - pace->calls_per_s) / PACE_SMOOTHING;
        moved |= move_cap(pace, settings);
    }
    pace->looked_calls = calls;
    pace->looked_ns = now_ns;
    return moved;
}
