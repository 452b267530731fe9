/* Limits and retries: what clients judge by is published from settings and measurements; the retry budget gets its
 * deposits; tickets of the dead are free again; people are shown what is taken.
 *
 * What clients do to the words of limits needs nothing of tripd: buckets refill by the clock, tickets are given back by
 * who took them. So a tripd that is away stops deposits and what adapts, and no limit.
 */
#include "breakers_parts.h"

#include <string.h>

#include "internal/doorbell.h"
#include "internal/policy.h"

#define DEPOSIT_TRIES  64
#define BUDGET_CAP_S   10 /* of deposits and floor: as long as a burst of failures may be paid by the calm before it */
#define PACE_LOOK_NS   TRIP_S
#define PACE_SMOOTHING 4 /* a look moves the pace by a quarter: 1 s of calls is not mistaken for the traffic */
#define CAP_NOTABLE    8 /* an eighth more or less: the cap is on a line that retries read, and bounds, no more */

/* -------------------------------------------------------------------------------------------------- what is published
 */

static uint64_t flags(const struct breaker_settings *settings)
{
    return (settings->concurrency.max ? POLICY_TICKETS : 0u) | (settings->rate.limit ? POLICY_RATE : 0u) |
           (settings->rate.limit && settings->rate.window == RATE_SLIDING ? POLICY_SLIDING : 0u) |
           (settings->throttle.k ? POLICY_THROTTLE : 0u);
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

static struct policy_slot wanted(const struct breaker *breaker)
{
    const struct breaker_settings *const settings = breaker->settings;
    return (struct policy_slot){
        .limits = flags(settings),
        .tickets = breakers_adaptive_tickets(breaker),
        .tickets_wait = settings->concurrency.wait,
        .rate_limit = settings->rate.limit,
        .rate_per_ns = settings->rate.per,
        .rate_burst = settings->rate.burst ? settings->rate.burst : settings->rate.limit,
        .reserves =
            policy_reserves((uint32_t)settings->priority.sheddable_below, (uint32_t)settings->priority.normal_below),
        .admit_permille = breakers_adaptive_permille(breaker),
        .hedge_ns = breakers_adaptive_hedge_ns(breaker),
        .retry = retry_word(settings),
        .retry_base_ns = settings->retry.base,
        .retry_max_ns = settings->retry.max,
        .retry_total_ns = settings->retry.total,
        .retry_on = settings->retry.on,
        .budget_floor = settings->budget.min_per_second,
        .budget_cap = breaker->budget.cap,
    };
}

/* Those who wait for a ticket look again. */
static void wake_waiters(const struct breakers *breakers, uint32_t slot)
{
    struct limit_lines *const lines = commons_limits(breakers->commons, slot);
    /* Who waits says so, then looks at the tickets; here it is the other way round. One of both sees the other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&lines->waiting, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&lines->waiting, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&lines->turn, 1, __ATOMIC_SEQ_CST);
    doorbell_wake(&lines->turn);
}

void breakers_limits_publish(struct breakers *breakers, uint32_t slot)
{
    const struct policy_slot before = breakers->segment->policies[slot];
    struct policy_slot words = wanted(&breakers->table[slot]);
    if (!(words.limits & POLICY_TICKETS))
        words.tickets = before.tickets; /* it says to the worker after this one that there are some out */
    if ((before.limits ^ words.limits) & POLICY_SLIDING) /* the same word means something else: a fresh one */
        __atomic_store_n(&commons_limits(breakers->commons, slot)->rate, 0, __ATOMIC_RELAXED);
    segment_limits_publish(breakers->segment, slot, &words);
    if (words.tickets > before.tickets || (before.limits & ~words.limits & POLICY_TICKETS))
        wake_waiters(breakers, slot);
}

/* -------------------------------------------------------------------------------------------------------- the budget
 */

static uint64_t load_relaxed(const uint64_t *word) /* whole for itself, and judged as hostile */
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t calls_counted(const struct breakers *breakers, uint32_t slot)
{
    return segment_core(breakers->segment, slot)->head.totals.calls;
}

/* Calls that were asked for: a retry earns nothing, else a ratio of 20% would let through 25%. Who forges `retries` can
 * as well empty the budget itself. */
static uint64_t first_attempts(const struct breakers *breakers, uint32_t slot)
{
    const uint64_t calls = calls_counted(breakers, slot);
    return calls - at_most(load_relaxed(&commons_limits(breakers->commons, slot)->retries), calls);
}

static struct budget budget_of(const struct breaker *breaker)
{
    return (struct budget){.min_per_second = breaker->settings->budget.min_per_second, .cap = breaker->budget.cap};
}

/* A full one is not written: where nobody retries the line rests. False: others were faster each time. */
static bool deposit(struct breakers *breakers, uint32_t slot, uint64_t milli_tokens)
{
    uint64_t *const place = &commons_limits(breakers->commons, slot)->budget;
    const struct budget budget = budget_of(&breakers->table[slot]);
    const uint64_t now_ms = breakers_now_ms(breakers);
    uint64_t word = load_relaxed(place);
    for (unsigned tries = 0; tries < DEPOSIT_TRIES; tries++) {
        if (budget_tokens(word, &budget, now_ms) == budget.cap)
            return true;
        const uint64_t after = budget_after_deposit(word, &budget, milli_tokens, now_ms);
        /* Relaxed: the word guards nothing but itself. */
        if (__atomic_compare_exchange_n(place, &word, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

void breakers_limits_counted(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    const uint64_t attempts = first_attempts(breakers, slot);
    breakers_adaptive_counted(breakers, slot);
    if (attempts <= breaker->budget.deposited)
        return;
    const uint64_t earned = product(attempts - breaker->budget.deposited, breaker->settings->budget.ratio);
    if (earned == 0 || deposit(breakers, slot, earned))
        breaker->budget.deposited = attempts;
}

/* What 10 s bring, by the floor and by the pace of calls: so much may be saved for a burst of failures. */
static uint64_t cap_of(const struct breaker *breaker)
{
    const struct breaker_settings *const settings = breaker->settings;
    const uint64_t floor = product(settings->budget.min_per_second, BUDGET_TOKEN);
    const uint64_t earned = product((uint64_t)breaker->budget.calls_per_s, settings->budget.ratio);
    const uint64_t cap = at_most(
        product(at_most(floor, BUDGET_CAP_MAX) + at_most(earned, BUDGET_CAP_MAX), BUDGET_CAP_S), BUDGET_CAP_MAX);
    return cap > BUDGET_TOKEN ? cap : BUDGET_TOKEN;
}

/* Which pace such a cap was for. */
static double pace_of(const struct breaker_settings *settings, uint64_t cap)
{
    const uint64_t floor = product(settings->budget.min_per_second, BUDGET_TOKEN);
    return settings->budget.ratio && cap / BUDGET_CAP_S > floor
               ? (double)(cap / BUDGET_CAP_S - floor) / (double)settings->budget.ratio
               : 0;
}

static void look_at_pace(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    const uint64_t calls = calls_counted(breakers, slot), took_ns = breakers->now_ns - breaker->budget.looked_ns;
    if (took_ns < PACE_LOOK_NS)
        return;
    const double pace = (double)(calls - breaker->budget.looked_calls) * (double)TRIP_S / (double)took_ns;
    breaker->budget.calls_per_s += (pace - breaker->budget.calls_per_s) / PACE_SMOOTHING;
    breaker->budget.looked_calls = calls;
    breaker->budget.looked_ns = breakers->now_ns;
    const uint64_t cap = cap_of(breaker), notable = breaker->budget.cap / CAP_NOTABLE;
    if (cap <= breaker->budget.cap + notable && cap + notable >= breaker->budget.cap)
        return;
    breaker->budget.cap = cap;
    breakers_limits_publish(breakers, slot);
}

/* -------------------------------------------------------------------------------------------------------- the tickets
 */

void breakers_tickets_of_lane(struct breakers *breakers, uint32_t lane)
{
    for (uint32_t slot = 0; slot < breakers->segment->max_breakers; slot++)
        if (breakers->table[slot].ticketed && ticket_reclaim(commons_tickets(breakers->commons, slot), lane) > 0)
            wake_waiters(breakers, slot);
}

/* How many each lane holds. Lanes that are not there hold nothing: they died while no tripd was there, or the number is
 * made up. */
static void count_holders(struct breakers *breakers, uint32_t slot, uint16_t held[TICKET_LANE_MAX + 1])
{
    uint64_t *const words = commons_tickets(breakers->commons, slot);
    bool freed = false;
    for (unsigned at = 0; at < TICKET_WORDS; at++) {
        const uint64_t word = load_relaxed(&words[at]);
        for (unsigned place = 0; place < TICKETS_PER_WORD; place++) {
            const uint32_t lane = tickets_lane_at(word, place);
            if (lane && (lane > lanes_max(breakers->options.lanes) || breakers_lane_dead(breakers, lane)))
                freed |= ticket_reclaim(words, lane) > 0;
            else
                held[lane]++;
        }
    }
    if (freed)
        wake_waiters(breakers, slot);
}

/* Among those who hold most, in their order. */
static void rank(struct limits_shown *shown, uint32_t lane, uint32_t tickets)
{
    unsigned place = LIMITS_HOLDERS;
    while (place > 0 && shown->holders[place - 1].tickets < tickets)
        place--;
    if (place == LIMITS_HOLDERS)
        return;
    memmove(&shown->holders[place + 1], &shown->holders[place],
            (LIMITS_HOLDERS - 1 - place) * sizeof(shown->holders[0]));
    shown->holders[place].lane = lane;
    shown->holders[place].tickets = tickets;
}

static void look_at_tickets(struct breakers *breakers, uint32_t slot, struct limits_shown *shown)
{
    uint16_t held[TICKET_LANE_MAX + 1] = {0};
    if (!breakers->table[slot].ticketed) /* nobody touched these words, and so many pages are not there */
        return;
    count_holders(breakers, slot, held);
    for (uint32_t lane = 1; lane <= TICKET_LANE_MAX; lane++) {
        shown->tickets_taken += held[lane];
        if (held[lane])
            rank(shown, lane, held[lane]);
    }
}

/* ------------------------------------------------------------------------------------------------ what people are
 * shown
 */

static uint64_t rate_free(const struct breakers *breakers, uint32_t slot)
{
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    const uint64_t word = load_relaxed(&commons_limits(breakers->commons, slot)->rate);
    const struct rate rate = {policy->rate_limit, policy->rate_per_ns, policy->rate_burst};
    if (!(policy->limits & POLICY_RATE))
        return 0;
    if (!(policy->limits & POLICY_SLIDING))
        return bucket_tokens(word, &rate, breakers->now_ns);
    return rate.limit - at_most(sliding_count(word, &rate, breakers->now_ns), rate.limit);
}

void breakers_limits_look(struct breakers *breakers, uint32_t slot)
{
    const struct limit_lines *const lines = commons_limits(breakers->commons, slot);
    look_at_pace(breakers, slot);
    const struct budget budget = budget_of(&breakers->table[slot]);
    struct limits_shown shown = {
        .budget = budget_tokens(load_relaxed(&lines->budget), &budget, breakers_now_ms(breakers)),
        .retries = load_relaxed(&lines->retries),
        .retries_refused = load_relaxed(&lines->retries_refused),
        .rate_free = rate_free(breakers, slot),
        .tickets_max = breakers->table[slot].settings->concurrency.max,
    };
    look_at_tickets(breakers, slot, &shown);
    segment_limits_show(breakers->segment, slot, &shown);
}

/* ---------------------------------------------------------------------------------------------------- coming and going
 */

void breakers_limits_configure(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    breaker->ticketed = breaker->ticketed || breaker->settings->concurrency.max != 0;
    if (breaker->budget.cap == 0) /* new, or a worker before this one knew the pace */
        breaker->budget.calls_per_s = pace_of(breaker->settings, breakers->segment->policies[slot].budget_cap);
    breaker->budget.cap = cap_of(breaker);
    breakers_adaptive_configure(breakers, slot);
    breakers_limits_publish(breakers, slot);
}

void breakers_limits_from_now(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    breaker->budget.deposited = first_attempts(breakers, slot);
    breaker->budget.looked_calls = calls_counted(breakers, slot);
    breaker->budget.looked_ns = breakers->now_ns;
    breakers_adaptive_from_now(breakers, slot);
}

void breakers_limits_adopt(struct breakers *breakers, uint32_t slot)
{
    breakers->table[slot].ticketed = breakers->segment->policies[slot].tickets != 0;
}

void breakers_limits_begin(struct breakers *breakers, uint32_t slot)
{
    struct limit_lines *const lines = commons_limits(breakers->commons, slot);
    /* Relaxed: clients find the slot by its name, published later with release. */
    __atomic_store_n(&lines->rate, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lines->budget, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lines->retries, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lines->retries_refused, 0, __ATOMIC_RELAXED);
}

/* Nothing is in flight: a ticket that is still out was lost. */
void breakers_limits_forget(struct breakers *breakers, uint32_t slot)
{
    uint64_t *const words = commons_tickets(breakers->commons, slot);
    for (unsigned at = 0; breakers->table[slot].ticketed && at < TICKET_WORDS; at++)
        __atomic_fetch_and(&words[at], ~TICKETS_EACH(TICKET_LANE_MAX), __ATOMIC_RELEASE);
    breakers_adaptive_free(&breakers->table[slot]);
}
