/* Limits and retries: what clients judge by is published from settings and measurements; the retry budget gets its
 * deposits; tickets of the dead are free again; people are shown what is taken.
 *
 * What clients do to the words of limits needs nothing of tripd: buckets refill by the clock, tickets are given back by
 * who took them. So a tripd that is away stops deposits and what adapts, and no limit.
 */
#include "breakers/limits.h"

#include <string.h>

#include "breakers/adaptive.h"
#include "breakers/meters.h"
#include "internal/policy.h"
#include "internal/waiters.h"
#include "log.h"

#define DEPOSIT_TRIES 64

/* ------------------------------------------------------------------------------------------------ what is published */

static struct policy_slot wanted(const struct breaker *breaker)
{
    struct policy_slot words = {0};
    limits_policy(&words, breaker->settings);
    if (!breaker->ticketed)
        words.limits &= ~(uint64_t)POLICY_TICKETS;
    words.tickets = breakers_adaptive_tickets(breaker);
    words.admit_permille = breakers_adaptive_permille(breaker);
    words.hedge_ns = breakers_adaptive_hedge_ns(breaker);
    words.budget_cap = breaker->budget.cap;
    return words;
}

/* Wakes the clients that wait for a ticket, so that they look again. */
static void wake_waiters(const struct breakers *breakers, uint32_t slot)
{
    struct limit_lines *const lines = commons_limits(breakers->commons, slot);
    /* A waiter sets `waiting` and then looks at the tickets; tripd frees a ticket and then looks at `waiting`. With a
     * fence on both sides one of them sees the other's store. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&lines->waiting, __ATOMIC_RELAXED))
        waiters_wake(lines);
}

/* Writes a rate's word anew when its fields get another meaning. A client that takes a token by the old rate at this
 * moment spoils the word, for two windows at most. */
static void recode_rate(const struct breakers *breakers, uint32_t slot, const struct policy_slot *before,
                        const struct policy_slot *after)
{
    const struct rate_share from = policy_rate(before, TRIP_PRIORITY_CRITICAL);
    const struct rate_share to = policy_rate(after, TRIP_PRIORITY_CRITICAL);
    uint64_t *const rate = &commons_limits(breakers->commons, slot)->rate;
    const bool sliding = before->limits & after->limits & POLICY_SLIDING;
    if (!((before->limits ^ after->limits) & POLICY_SLIDING) &&
        (!sliding || (from.step == to.step && sliding_bits(&from) == sliding_bits(&to))))
        return;
    const uint64_t word = __atomic_load_n(rate, __ATOMIC_RELAXED);
    __atomic_store_n(rate, sliding ? sliding_recoded(word, &from, &to, breakers->now_ticks) : 0, __ATOMIC_RELAXED);
}

void breakers_limits_publish(struct breakers *breakers, uint32_t slot)
{
    const struct policy_slot before = breakers->segment->policies[slot];
    struct policy_slot words = wanted(&breakers->table[slot]);
    if (!(words.limits & POLICY_TICKETS))
        words.tickets = before.tickets; /* so that the next worker knows that tickets may be out */
    words.tickets_highest = at_least(before.tickets_highest, words.tickets);
    recode_rate(breakers, slot, &before, &words);
    segment_limits_publish(breakers->segment, slot, &words);
    if (words.tickets > before.tickets || (before.limits & ~words.limits & POLICY_TICKETS))
        wake_waiters(breakers, slot);
}

/* ------------------------------------------------------------------------------------------------------- the budget */

static uint64_t load_relaxed(const uint64_t *word) /* one word, whole by itself, and judged as hostile */
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static const struct breaker_totals *counted(const struct breakers *breakers, uint32_t slot)
{
    return &segment_core(breakers->segment, slot)->head.totals;
}

static struct budget budget_of(const struct breaker *breaker)
{
    return budget_pace_budget(&breaker->budget, breaker->settings);
}

/* Returns the budget's time, as libtrip's take_from_budget reckons it. */
static uint64_t budget_now_ms(const struct breakers *breakers)
{
    return breakers->now_ticks / 1000000;
}

/* Deposits into the budget. A full budget is not written: its line rests while nobody retries. False: others were
 * faster at each try. */
static bool deposit(struct breakers *breakers, uint32_t slot, uint64_t milli_tokens)
{
    uint64_t *const place = &commons_limits(breakers->commons, slot)->budget;
    const struct budget budget = budget_of(&breakers->table[slot]);
    const uint64_t now_ms = budget_now_ms(breakers);
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
    const uint64_t attempts = budget_first_attempts(counted(breakers, slot));
    breakers_adaptive_counted(breakers, slot);
    const uint64_t earned = budget_pace_earned(&breaker->budget, breaker->settings, attempts);
    if (attempts > breaker->budget.deposited && (earned == 0 || deposit(breakers, slot, earned)))
        breaker->budget.deposited = attempts;
}

static void look_at_pace(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    if (budget_pace_look(&breaker->budget, breaker->settings, counted(breakers, slot)->calls, breakers->now_ns))
        breakers_limits_publish(breakers, slot);
}

/* ------------------------------------------------------------------------------------------------------ the tickets */

/* Frees the tickets of a dead lane. Waiters are woken even if it held none and none says that it waits: a process that
 * gives a ticket back clears `waiting` before it wakes, and may be killed in between. */
void breakers_tickets_of_lane(struct breakers *breakers, uint32_t lane)
{
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++) {
        if (!breakers->table[slot].ticketed)
            continue;
        ticket_reclaim(commons_tickets(breakers->commons, slot), lane);
        waiters_wake(commons_limits(breakers->commons, slot));
    }
}

static bool is_holder(const struct breakers *breakers, uint32_t holder)
{
    if (holder >= TICKET_LEASE)
        return !ticket_lease_over(holder, breakers_now_ms(breakers));
    return holder <= LANES_MAX && !breakers_lane_dead(breakers, holder);
}

/* Counts how many tickets each lane holds, and under TICKET_LEASE all leases; returns where the last ticket ends.
 * Tickets of a lane that is not there belong to nobody: the lane died while no tripd was there, or its number is made
 * up, perhaps a different one for each ticket. */
static unsigned count_holders(struct breakers *breakers, uint32_t slot, uint16_t held[TICKET_LEASE + 1])
{
    uint64_t *const words = commons_tickets(breakers->commons, slot);
    uint64_t nobodys[TICKET_HOLDER_SET] = {0};
    unsigned end = 0;
    bool any = false;
    for (unsigned at = 0; at < TICKET_WORDS; at++) {
        /* Acquire: the call whose ticket is seen has begun, and the counters that are read afterwards include it. */
        const uint64_t word = __atomic_load_n(&words[at], __ATOMIC_ACQUIRE);
        for (unsigned place = 0; place < TICKETS_PER_WORD; place++) {
            const uint32_t holder = tickets_holder_at(word, place);
            if (holder == 0)
                continue;
            end = at * TICKETS_PER_WORD + place + 1;
            if (is_holder(breakers, holder)) {
                held[at_most(holder, TICKET_LEASE)]++;
            } else {
                ticket_holders_add(nobodys, holder);
                any = true;
            }
        }
    }
    if (any && ticket_reclaim_all(words, nobodys) > 0) /* as in breakers_tickets_of_lane */
        waiters_wake(commons_limits(breakers->commons, slot));
    return end;
}

/* Enters the lane among those that hold most, in order. */
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

/* Adds up each lane's calls that have begun, or ended. */
static void count_calls(struct breakers *breakers, uint32_t slot, uint64_t (*of)(const struct meter_cursor *meter),
                        uint64_t calls[TICKET_LANE_MAX + 1])
{
    for (const struct meter_cursor *meter = breakers->table[slot].meters; meter; meter = meter->next) {
        const uint32_t lane = meter->lane->number;
        lanes_reading(breakers->options.lanes, lane);
        if (lane <= TICKET_LANE_MAX) /* the sums wrap, whatever a lane claims */
            calls[lane] += of(meter);
    }
    lanes_reading(breakers->options.lanes, 0);
}

/* Returns how many tickets no call accounts for. Ended calls are counted before the tickets and begun ones after them,
 * so that every ticket seen in between has a call. */
static unsigned surplus_of(unsigned held, uint64_t ended, uint64_t begun)
{
    const int64_t calls = (int64_t)(begun - ended);
    return calls >= (int64_t)held ? 0 : calls > 0 ? held - (unsigned)calls : held;
}

static void note_suspects(struct breakers *breakers, uint32_t slot, const uint16_t held[TICKET_LEASE + 1],
                          const uint64_t ended[TICKET_LANE_MAX + 1], const uint64_t begun[TICKET_LANE_MAX + 1])
{
    const uint32_t last = (uint32_t)at_most(lanes_highest(breakers->options.lanes), TICKET_LANE_MAX);
    for (uint32_t lane = 1; lane <= last && breakers->suspect_count < SUSPECTS; lane++)
        if (surplus_of(held[lane], ended[lane], begun[lane]))
            breakers->suspects[breakers->suspect_count++] =
                (struct suspect){.slot = slot, .lane = (uint16_t)lane, .held = held[lane], .ended = ended[lane]};
}

static unsigned reclaim_from(struct breakers *breakers, const struct suspect *suspect, uint64_t begun)
{
    const struct lane_reader *const reader = breakers->readers[suspect->lane];
    const unsigned surplus = surplus_of(suspect->held, suspect->ended, begun);
    return surplus && reader && lane_reader_complete(reader)
               ? ticket_reclaim_some(commons_tickets(breakers->commons, suspect->slot), suspect->lane, surplus)
               : 0;
}

/* Frees tickets that no call accounts for: anyone who can write the words can put another lane's number there. A call
 * may be counted in a meter that tripd did not know when it saw the ticket, so all meters are looked for now, once,
 * however many lanes are suspected. */
void breakers_limits_reclaim(struct breakers *breakers)
{
    const struct suspect *suspect = breakers->suspects, *const end = suspect + breakers->suspect_count;
    if (suspect != end)
        breakers_find_meters(breakers);
    while (suspect != end) {
        const uint32_t slot = suspect->slot;
        uint64_t begun[TICKET_LANE_MAX + 1] = {0};
        unsigned freed = 0;
        count_calls(breakers, slot, meter_cursor_begun, begun);
        for (; suspect != end && suspect->slot == slot; suspect++)
            freed += reclaim_from(breakers, suspect, begun[suspect->lane]);
        if (freed)
            waiters_wake(commons_limits(breakers->commons, slot));
    }
    breakers->suspect_count = 0;
}

static void note_blocks(struct breakers *breakers, const uint16_t held[TICKET_LEASE + 1])
{
    const uint32_t last = (uint32_t)at_most(lanes_highest(breakers->options.lanes), TICKET_LANE_MAX);
    for (uint32_t lane = 1; lane <= last; lane++)
        if (held[lane])
            breakers_note_blocks(breakers, lane);
}

static void look_at_tickets(struct breakers *breakers, uint32_t slot, struct limits_shown *shown)
{
    uint16_t held[TICKET_LEASE + 1] = {0};
    uint64_t ended[TICKET_LANE_MAX + 1] = {0}, begun[TICKET_LANE_MAX + 1] = {0};
    count_calls(breakers, slot, meter_cursor_ended, ended);
    /* Between the limit, which may have fallen, and the look at tickets beyond it. Pairs with the taking in
     * ticket_take: either tripd sees the ticket, or its taker sees the limit and gives it back. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const uint64_t end = count_holders(breakers, slot, held), limit = breakers->segment->policies[slot].tickets;
    segment_tickets_highest_publish(breakers->segment, slot, at_least(end, limit));
    count_calls(breakers, slot, meter_cursor_begun, begun);
    note_suspects(breakers, slot, held, ended, begun);
    for (uint32_t holder = 1; holder <= TICKET_LEASE; holder++) {
        shown->tickets_taken += held[holder];
        if (held[holder])
            rank(shown, holder, held[holder]);
    }
    if (shown->tickets_taken >= limit)
        note_blocks(breakers, held);
}

/* -------------------------------------------------------------------------------------------- what people are shown */

static uint64_t rate_free(const struct breakers *breakers, uint32_t slot)
{
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    return policy_rate_free(policy, load_relaxed(&commons_limits(breakers->commons, slot)->rate), breakers->now_ticks);
}

static void show(struct breakers *breakers, uint32_t slot)
{
    const struct limit_lines *const lines = commons_limits(breakers->commons, slot);
    const struct budget budget = budget_of(&breakers->table[slot]);
    struct limits_shown shown = {
        .budget = budget_tokens(load_relaxed(&lines->budget), &budget, budget_now_ms(breakers)),
        .rate_free = rate_free(breakers, slot),
        .tickets_max = breakers->table[slot].settings->concurrency.max,
        .rate_limit = breakers->table[slot].settings->rate.limit,
        .rate_per_ms = breakers->table[slot].settings->rate.per / TRIP_MS,
    };
    if (breakers->table[slot].ticketed) /* else nobody touched these words, and their pages have no memory */
        look_at_tickets(breakers, slot, &shown);
    segment_limits_show(breakers->segment, slot, &shown);
}

bool breakers_limits_look(struct breakers *breakers, uint32_t slot)
{
    const struct breaker *const breaker = &breakers->table[slot];
    look_at_pace(breakers, slot);
    show(breakers, slot);
    /* processes without a lane take tickets and rate tokens too, and no meter shows it */
    return breaker->ticketed || breaker->settings->rate.limit ||
           !budget_pace_rests(&breaker->budget, breaker->settings);
}

/* ------------------------------------------------------------------------------------------------- coming and going */

/* Gets memory for the tickets. Without it concurrency is not limited until a config is read again. */
static bool make_tickets(struct breakers *breakers, uint32_t slot)
{
    const int error = commons_reserve_tickets(breakers->commons, slot);
    if (error < 0 && !breakers->told_tickets)
        log_warning(
            "there is no memory for the tickets of \"%s\", so concurrency.max of it is not in force: give tripd "
            "more memory, and reload the config",
            segment_name(breakers->segment, slot));
    breakers->told_tickets = error < 0;
    return error == 0;
}

void breakers_limits_configure(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    if (breaker->settings->concurrency.max != 0 && !breaker->ticketed)
        breaker->ticketed = make_tickets(breakers, slot);
    budget_pace_configure(&breaker->budget, breaker->settings, breakers->segment->policies[slot].budget_cap);
    breakers_adaptive_configure(breakers, slot);
    breakers_limits_publish(breakers, slot);
    show(breakers, slot);
}

void breakers_limits_from_now(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    budget_pace_from_now(&breaker->budget, counted(breakers, slot), breakers->now_ns);
    breakers_adaptive_from_now(breakers, slot);
}

void breakers_limits_adopt(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    breaker->ticketed =
        breakers->segment->policies[slot].tickets != 0 && commons_reserve_tickets(breakers->commons, slot) == 0;
    if (breaker->ticketed) /* clients or a tripd that died meanwhile may have left waiters asleep */
        waiters_wake(commons_limits(breakers->commons, slot));
}

void breakers_limits_begin(struct breakers *breakers, uint32_t slot)
{
    struct limit_lines *const lines = commons_limits(breakers->commons, slot);
    /* Relaxed: clients find the slot by its name, published later with release. */
    __atomic_store_n(&lines->rate, 0, __ATOMIC_RELAXED);
    /* The floor's tokens are there from the first call on. */
    __atomic_store_n(&lines->budget, budget_make(0, budget_now_ms(breakers) - BUDGET_CAP_S * 1000), __ATOMIC_RELAXED);
}

/* Nothing is in flight, so that a ticket that is still out was lost. */
void breakers_limits_forget(struct breakers *breakers, uint32_t slot)
{
    uint64_t *const words = commons_tickets(breakers->commons, slot);
    for (unsigned at = 0; breakers->table[slot].ticketed && at < TICKET_WORDS; at++)
        __atomic_fetch_and(&words[at], ~TICKETS_EACH(TICKET_HOLDER_MAX), __ATOMIC_RELEASE);
    breakers_adaptive_free(&breakers->table[slot]);
}
