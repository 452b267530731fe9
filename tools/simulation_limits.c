#include "simulation_limits.h"

#include "internal/ticks.h"

/* --------------------------------------------------------------------------------------------------------- admission
 */

static bool take_ticket(struct sim_limits *limits, trip_priority priority)
{
    const uint64_t limit = limits->policy->tickets;
    const uint64_t reserve = policy_reserve_of(limits->policy->reserves, priority, limit);
    if (limits->tickets_taken + reserve >= limit)
        return false;
    limits->tickets_taken++;
    return true;
}

static bool take_token(struct sim_limits *limits, trip_priority priority, uint64_t now_ns)
{
    uint64_t wait_ns;
    limits->rate = policy_rate_take(limits->policy, limits->rate, priority, now_ns, &wait_ns);
    return wait_ns == 0;
}

static bool sheds(const struct sim_limits *limits, trip_priority priority, uint64_t *random)
{
    const uint64_t admits = policy_admit_permille(limits->policy, priority);
    return admits < 1000 && random_next(random) % 1000 >= admits;
}

/* In libtrip's order: what can be given back is taken before what cannot. */
bool sim_limits_take(struct sim_limits *limits, trip_priority priority, uint64_t now_ns, uint64_t *random,
                     enum limited *ret_by)
{
    const uint64_t flags = limits->policy->limits;
    *ret_by = LIMITED_SHED;
    if (flags & POLICY_THROTTLE && sheds(limits, priority, random))
        return false;
    *ret_by = LIMITED_CONCURRENCY;
    if (flags & POLICY_TICKETS && !take_ticket(limits, priority))
        return false;
    *ret_by = LIMITED_RATE;
    if (flags & POLICY_RATE && !take_token(limits, priority, now_ns)) {
        sim_limits_give(limits);
        return false;
    }
    return true;
}

void sim_limits_give(struct sim_limits *limits)
{
    limits->tickets_taken -= (limits->policy->limits & POLICY_TICKETS) != 0;
}

/* ------------------------------------------------------------------------------------------------- what is measured */

uint64_t sim_limits_counted(struct sim_limits *limits, uint64_t now_ns)
{
    if (!limits->measured)
        return 0;
    adaptive_counted(&limits->adaptive, limits->core->in_flight);
    const uint64_t due_ns = adaptive_due_ns(&limits->adaptive);
    if (limits->tick_ns)
        return 0;
    limits->tick_ns = due_ns > now_ns ? due_ns : now_ns; /* none came for long: the first one is a sample of its own */
    return limits->tick_ns;
}

static void publish(struct sim_limits *limits)
{
    limits->policy->admit_permille = limits->measured ? limits->adaptive.permille : ADAPTIVE_ADMIT_ALL;
    if (limits->measured)
        limits->policy->tickets = limiter_limit(&limits->adaptive.limiter);
}

void sim_limits_sample(struct sim_limits *limits, uint64_t now_ns)
{
    limits->tick_ns = 0;
    adaptive_sample(&limits->adaptive, limits->settings, limits->core, limits->detail->latency, now_ns);
    publish(limits);
}

void sim_limits_begin(struct sim_limits *limits, uint64_t now_ns)
{
    limits_policy(limits->policy, limits->settings);
    budget_pace_configure(&limits->pace, limits->settings, 0);
    budget_pace_from_now(&limits->pace, &limits->core->totals, now_ns);
    limits->budget = budget_make(limits->pace.cap, now_ns / TRIP_MS); /* as where tripd has run for long */
    limits->measured = adaptive_measures(limits->settings);
    if (limits->measured) {
        adaptive_begin(&limits->adaptive);
        adaptive_configure(&limits->adaptive, limits->settings, 0);
        adaptive_from_now(&limits->adaptive, &limits->core->totals, limits->detail->latency, now_ns);
    }
    publish(limits);
}

/* ----------------------------------------------------------------------------------------------------------- retries
 */

/* tripd deposits whenever it counted. Not later than it is looked at, that comes to the same: what is above the cap is
 * lost in any order. */
static struct budget deposit(struct sim_limits *limits, uint64_t now_ns)
{
    const struct budget budget = budget_pace_budget(&limits->pace, limits->settings);
    const uint64_t attempts = budget_first_attempts(&limits->core->totals);
    const uint64_t earned = budget_pace_earned(&limits->pace, limits->settings, attempts);
    limits->budget = budget_after_deposit(limits->budget, &budget, earned, now_ns / TRIP_MS);
    if (attempts > limits->pace.deposited)
        limits->pace.deposited = attempts;
    return budget;
}

/* At the seconds at which tripd looks: calls since the last one belong to the first of them, for else they had looked
 * themselves. */
void sim_limits_look(struct sim_limits *limits, uint64_t now_ns)
{
    if (!sim_limits_look_due(limits, now_ns))
        return;
    deposit(limits, now_ns); /* by the cap until now */
    const uint64_t first_ns = limits->pace.looked_ns + BUDGET_PACE_LOOK_NS;
    const uint64_t last_ns = now_ns - (now_ns - first_ns) % BUDGET_PACE_LOOK_NS;
    budget_pace_look(&limits->pace, limits->settings, limits->core->totals.calls, first_ns);
    budget_pace_look(&limits->pace, limits->settings, limits->core->totals.calls, last_ns);
}

bool sim_retry_wanted(const struct sim_limits *limits, struct sim_asking *asking, trip_error_type error,
                      uint64_t hint_ns, uint64_t now_ns, uint64_t *random, uint64_t *ret_delay_ns)
{
    const struct policy_retry retry = policy_retry_of(limits->policy);
    const uint64_t total_ns = limits->policy->retry_total_ns;
    asking->failed++;
    if (!(limits->policy->retry_on >> error & 1) || asking->failed >= retry.attempts || hint_ns > retry.backoff.max_ns)
        return false;
    asking->previous_ns = backoff_delay_ns(&retry.backoff, asking->failed, asking->previous_ns, random_next(random));
    *ret_delay_ns = at_least(asking->previous_ns, hint_ns);
    return total_ns == 0 || now_ns + *ret_delay_ns <= asking->started_ns + total_ns;
}

bool sim_retry_pay(struct sim_limits *limits, uint64_t now_ns)
{
    sim_limits_look(limits, now_ns);
    const struct budget budget = deposit(limits, now_ns);
    uint64_t wait_ns;
    limits->budget = budget_after_take(limits->budget, &budget, 0, now_ns / TRIP_MS, &wait_ns);
    limits->core->totals.retries += wait_ns == 0;
    limits->retries_refused += wait_ns != 0;
    return wait_ns == 0;
}

/* ------------------------------------------------------------------------------------------------------------- people
 */

void sim_limits_show(struct sim_limits *limits, uint64_t now_ns, struct limits_shown *ret_shown)
{
    sim_limits_look(limits, now_ns);
    const struct budget budget = deposit(limits, now_ns);
    *ret_shown = (struct limits_shown){
        .tickets_taken = limits->tickets_taken,
        .budget = budget_tokens(limits->budget, &budget, now_ns / TRIP_MS),
        .retries_refused = limits->retries_refused,
        .rate_free = policy_rate_free(limits->policy, limits->rate, now_ns),
        .tickets_max = limits->settings->concurrency.max,
        .rate_limit = limits->settings->rate.limit,
        .rate_per_ms = limits->settings->rate.per / TRIP_MS,
    };
}
