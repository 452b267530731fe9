/* Limits that all processes share: a call that the breaker admitted may still find no ticket of the bulkhead, no token
 * of the rate, or be shed because the dependency is overloaded. Tickets and tokens are words in the commons
 * (internal/ticket_word.h, internal/bucket_word.h); tripd publishes their number in the policy slot. Without tripd the
 * only limit is the process's own retry budget. */
#include "shared_limits.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal/waiters.h"
#include "tell.h"

#define TICKET_TRIES 3
/* The distance between the places where neighbouring lanes begin to search: 263 words. It is a prime above their
 * number, so that lanes begin at all words, and neighbours mostly on different cache lines. */
#define TICKET_SPREAD (263 * TICKETS_PER_WORD)

#define RATE_TRIES 64 /* another process won each lost CAS, or attacks: after so many in a row the call is denied */

static uint64_t load(const uint64_t *word)
{
    /* Relaxed: each word of the policy is whole for itself. */
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* --------------------------------------------------------------------------------------------------------- bulkhead */

/* Gives the ticket back to the commons from which it was taken, even if that is superseded. */
void limits_give(const struct call *call)
{
    struct limit_lines *const lines = call->binding->limits;
    if (!ticket_give(call->binding->tickets, call->ticket))
        return;
    /* Sequentially consistent, as the giving back is: pairs with the fence of ticket_wait. */
    if (unlikely(__atomic_load_n(&lines->waiting, __ATOMIC_SEQ_CST)))
        waiters_wake(lines);
}

/* A call that is about to take a ticket stands in its meter before the ticket does, and leaves it after the ticket is
 * given back: wherever a thread is stopped, tripd finds no more tickets of this lane than calls. */
static void count_taker(const struct reporter *reporter, struct call *call)
{
    if (!reporter->meter)
        return;
    reporter_add(reporter, &reporter->meter->started);
    call->lane = reporter->lane->serial;
    call->flags |= CALL_COUNTED;
}

static void discount_taker(const struct reporter *reporter, struct call *call)
{
    if (call->flags & CALL_COUNTED)
        reporter_add(reporter, &reporter->meter->finished);
    call->flags &= (uint8_t)~CALL_COUNTED;
}

void limits_give_unsent(const struct reporter *reporter, struct call *call)
{
    if (!(call->flags & CALL_TICKET))
        return;
    limits_give(call);
    call->flags &= (uint8_t)~CALL_TICKET;
    discount_taker(reporter, call);
}

/* The number under which tripd finds what this call holds of the binding's tickets; 0: it has none there now, or no
 * meter that accounts for it. */
static uint32_t own_lane(const struct reporter *reporter, const struct binding *binding)
{
    const struct lane *const lane = reporter->meter ? reporter->lane : NULL;
    return lane && !lane_given_up(lane) ? lane_number(lane, binding->plain) : 0;
}

/* While tripd is away nobody adapts the limit, so the highest one allowed holds. */
struct ticket_limit limits_tickets(const struct binding *binding)
{
    struct ticket_limit limit = policy_tickets(binding->policy);
    const unsigned most = reserves_tickets_most(load(&binding->policy->reserves));
    if (unlikely(limit.now < most) && view_away(binding->view))
        limit.now = most;
    return limit;
}

/* The holder that this process writes into a ticket: its lane's number or, without one, a lease, which tripd frees at
 * the lease's end and not at the process's death. */
static uint32_t holder_now(const struct reporter *reporter, const struct binding *binding)
{
    const uint32_t lane = own_lane(reporter, binding);
    return lane != 0 && lane <= TICKET_LANE_MAX ? lane : ticket_lease(view_now_ms(binding->view));
}

/* If the process lost its number or lease meanwhile, the ticket carries another process's mark or none. */
static bool still_holder(const struct reporter *reporter, const struct call *call, uint32_t holder)
{
    return holder < TICKET_LEASE ? own_lane(reporter, call->binding) == holder
                                 : !ticket_lease_over(holder, view_now_ms(call->binding->view));
}

/* Returns 0; -EAGAIN: no ticket is free; -EINTR: the ticket had to be given back. */
static int ticket_try_once(const struct reporter *reporter, struct call *call, trip_priority priority)
{
    const struct policy_slot *const policy = call->binding->policy;
    uint64_t *const words = call->binding->tickets;
    const struct ticket_limit limit = limits_tickets(call->binding);
    const unsigned beyond = limit.highest > limit.now ? ticket_count(words, limit.now, limit.highest) : 0;
    const unsigned reserve = beyond + (unsigned)policy_reserve_of(load(&policy->reserves), priority, limit.now);
    const uint32_t holder = holder_now(reporter, call->binding);
    if (ticket_take(words, limit.now, reserve, holder, holder * TICKET_SPREAD, &call->ticket) < 0)
        return -EAGAIN;
    if (unlikely(!still_holder(reporter, call, holder) ||
                 !ticket_keeps(words, limits_tickets(call->binding), call->ticket))) {
        limits_give(call);
        return -EINTR;
    }
    call->flags |= CALL_TICKET;
    return 0;
}

/* Tries again after -EINTR, because other callers may have given back their tickets, too. Each try counts as a call of
 * its own, or tripd could find one call with two tickets. */
static bool ticket_try(const struct reporter *reporter, struct call *call, trip_priority priority)
{
    int error = -EINTR;
    for (unsigned tries = 0; tries < TICKET_TRIES && error == -EINTR; tries++) {
        count_taker(reporter, call);
        error = ticket_try_once(reporter, call, priority);
        if (error < 0)
            discount_taker(reporter, call);
    }
    return error == 0;
}

/* Other processes may sleep on the word first and be woken instead, so a waiter also checks by itself this often. */
#define TICKET_SLEEP_NS UINT64_C(50000000)

static void futex_wait(uint32_t *word, uint32_t seen, uint64_t ns)
{
    ERRNO_KEPT;
    const struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    syscall(SYS_futex, word, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

/* A breaker that moved while a call waited has not admitted it any more. */
static bool still_admitted(const struct reporter *reporter, struct call *call)
{
    if (word_epoch(__atomic_load_n(call->binding->word, __ATOMIC_ACQUIRE)) == word_epoch(call->word))
        return true;
    limits_give_unsent(reporter, call);
    return false;
}

/* Announces a waiter, which then tries to take a ticket. Returns `wakes`, which moves when a ticket is given back. */
static uint32_t say_waiting(struct limit_lines *lines)
{
    const uint32_t wakes = __atomic_load_n(&lines->wakes, __ATOMIC_ACQUIRE);
    __atomic_store_n(&lines->waiting, 1, __ATOMIC_SEQ_CST);
    /* Pairs with limits_give: either the giver sees this waiter, or this waiter sees the ticket. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return wakes;
}

uint64_t trip_ticket_generation(trip_breaker *breaker)
{
    const struct binding *const binding = breaker_bound(breaker);
    const uint64_t commons = binding->commons ? binding->commons->number : 0;
    return commons << 32 | say_waiting(binding->limits);
}

/* The only wait of an admission, and only where the settings ask for it. */
static bool ticket_wait(const struct reporter *reporter, struct call *call, trip_priority priority, uint64_t wait_ns)
{
    struct limit_lines *const lines = call->binding->limits;
    const uint64_t until_ns = monotonic_ns() + wait_ns;
    for (;;) {
        const uint32_t wakes = say_waiting(lines);
        const bool on = load(&call->binding->policy->limits) & POLICY_TICKETS; /* a reload may end it */
        if (!on || ticket_try(reporter, call, priority))
            return still_admitted(reporter, call);
        const uint64_t now_ns = monotonic_ns();
        if (now_ns >= until_ns)
            return false;
        futex_wait(&lines->wakes, wakes, at_most(until_ns - now_ns, TICKET_SLEEP_NS));
    }
}

static bool take_ticket(const struct reporter *reporter, struct call *call, trip_priority priority,
                        uint64_t most_wait_ns)
{
    if (likely(ticket_try(reporter, call, priority)))
        return true;
    const uint64_t wait_ns = at_most(load(&call->binding->policy->tickets_wait), most_wait_ns);
    return wait_ns != 0 && ticket_wait(reporter, call, priority, wait_ns);
}

/* ------------------------------------------------------------------------------------------------------------- rate */

/* One reading of the clock serves both the rate and, if the call is timed, the call's beginning. */
static bool take_token(struct call *call, trip_priority priority)
{
    uint64_t *const at = &call->binding->limits->rate;
    uint64_t word = load(at), wait;
    for (unsigned tries = 0; tries < RATE_TRIES; tries++) {
        /* The word, then the clock: docs/decisions/word-before-clock.md. */
        const uint64_t now = view_ticks(call->binding->view);
        const uint64_t after = policy_rate_take(call->binding->policy, word, priority, now, &wait);
        call->ticks = at_least(now, 1);
        if (wait)
            return false;
        /* Relaxed: the word orders nothing but itself. */
        if (__atomic_compare_exchange_n(at, &word, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

uint64_t limits_rate_wait_ns(const struct binding *binding, trip_priority priority)
{
    uint64_t wait = 0;
    if (load(&binding->policy->limits) & POLICY_RATE) {
        const uint64_t word = load(&binding->limits->rate);
        policy_rate_take(binding->policy, word, priority, view_ticks(binding->view), &wait);
    }
    return wait;
}

/* --------------------------------------------------------------------------------------------- adaptive throttling */

/* While tripd is away nobody updates the share, so libtrip ignores it; else it would shed all that time. */
static bool sheds(const struct binding *binding, trip_priority priority)
{
    const uint64_t admits = policy_admit_permille(binding->policy, priority);
    return admits < 1000 && thread_random() % 1000 >= admits && !view_away(binding->view);
}

/* --------------------------------------------------------------------------------------------------------- together */

/* Takes the ticket, which can be given back, before the token, which cannot. */
bool limits_take(const struct reporter *reporter, struct call *call, trip_priority priority, uint64_t most_wait_ns,
                 trip_verdict *ret_verdict)
{
    const struct policy_slot *const policy = call->binding->policy;
    const uint64_t flags = load(&policy->limits);
    *ret_verdict = TRIP_DENY_SHED;
    if (flags & POLICY_THROTTLE && sheds(call->binding, priority))
        return false;
    *ret_verdict = TRIP_DENY_CONCURRENCY;
    if (flags & POLICY_TICKETS && !take_ticket(reporter, call, priority, most_wait_ns))
        return false;
    *ret_verdict = TRIP_DENY_RATE;
    if (flags & POLICY_RATE && !take_token(call, priority)) {
        limits_give_unsent(reporter, call);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- retries */

static bool take_from_budget(struct trip_breaker *breaker, const struct binding *binding)
{
    const struct budget budget = policy_budget(binding->policy);
    struct limit_lines *const lines = binding->limits;
    uint64_t *const at = lines ? &lines->budget : &breaker->own_budget;
    uint64_t word = load(at), wait_ns = 1;
    for (unsigned tries = 0; tries < RATE_TRIES; tries++) {
        const uint64_t now_ms = view_ticks(binding->view) / 1000000; /* after the word */
        const uint64_t after = budget_after_take(word, &budget, 0, now_ms, &wait_ns);
        if (wait_ns)
            break;
        if (__atomic_compare_exchange_n(at, &word, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

/* A paid retry is counted where its call is: tripd lets no retry earn another. */
bool limits_pay_retry(struct trip_breaker *breaker, const struct binding *binding)
{
    const bool paid = take_from_budget(breaker, binding);
    const struct thread_slot *slot;
    struct meter *const meter = meter_at_hand(breaker, binding, &slot);
    const struct reporter reporter = meter ? reporter_of(slot, meter) : reporter_find(breaker, binding);
    if (reporter.meter)
        reporter_add(&reporter, paid ? &reporter.meter->retries : &reporter.meter->retries_refused);
    return paid;
}
