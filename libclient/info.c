/* A snapshot of one breaker, for the caller. */
#include "shared_limits.h"
#include "steps.h"

#include <string.h>

#define READ_TRIES      5  /* of what tripd is writing: then without it */
#define DEFAULT_MINIMUM 10 /* window.minimum_calls of a breaker that no tripd looks after */

static bool copy_head(const struct binding *binding, struct core_head *ret_head)
{
    const struct core_slot *const slot =
        (const struct core_slot *)(const void *)(binding->view->cores.base +
                                                 (size_t)binding->slot * binding->view->cores.stride);
    for (unsigned tries = 0; tries < READ_TRIES; tries++) {
        /* Acquire: pairs with tripd's release when the image came into force. */
        const uint64_t commits = __atomic_load_n(&slot->commits, __ATOMIC_ACQUIRE);
        *ret_head = slot->images[commits & 1].head;
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the image is read before `commits` is looked at again */
        if (__atomic_load_n(&slot->commits, __ATOMIC_RELAXED) == commits)
            return true;
    }
    return false;
}

static int32_t permille(uint64_t part, uint64_t whole, uint64_t minimum)
{
    return whole < minimum || whole == 0 ? -1 : (int32_t)(part * 1000 / whole);
}

static void fill_window(const struct binding *binding, trip_info *info)
{
    struct core_head head = {.minimum_calls = DEFAULT_MINIMUM};
    if (binding_shared(binding) && !copy_head(binding, &head))
        head = (struct core_head){.minimum_calls = DEFAULT_MINIMUM};
    info->window_calls = head.window_calls;
    info->window_failures = head.window_failures;
    const bool timed = policy_times_calls(binding->policy);
    info->window_slow = timed ? head.window_slow : 0;
    info->failure_rate_permille = permille(head.window_failures, head.window_calls, head.minimum_calls);
    info->slow_rate_permille = !timed ? -1 : permille(head.window_slow, head.window_calls, head.minimum_calls);
    const uint64_t missing = head.window_calls < head.minimum_calls ? head.minimum_calls - head.window_calls : 0;
    info->calls_until_rate = missing < UINT32_MAX ? (uint32_t)missing : UINT32_MAX;
}

/* tripd's word for the opening that this word is of; else a client has opened it, by the one way that clients have. */
static trip_reason last_reason(const struct binding *binding, uint64_t word)
{
    if (!binding_shared(binding))
        return TRIP_REASON_NONE;
    const struct detail_slot *const detail = view_detail(binding->view, binding->slot);
    const uint8_t reason = __atomic_load_n(&detail->reason, __ATOMIC_RELAXED); /* one byte: always whole */
    const uint64_t until_ms = __atomic_load_n(&detail->until_ms, __ATOMIC_RELAXED);
    if (reason >= TRIP_REASON_COUNT || (word_state(word) == WORD_OPEN && until_ms != word_deadline_ms(word)))
        return TRIP_REASON_NONE;
    return (trip_reason)reason;
}

/* Without tripd, only consecutive failures open a breaker. */
static trip_reason reason_of(const struct binding *binding, uint64_t word)
{
    const trip_reason told = last_reason(binding, word);
    const bool unseen = told == TRIP_REASON_NONE && word_shown_state(word) != TRIP_STATE_CLOSED;
    return unseen ? TRIP_REASON_CONSECUTIVE : told;
}

/* The time until the state admits a call; it runs on while a mode forces the breaker open. A half-open breaker whose
 * permits are all out admits a call when the first lease ends, if tripd is there to free the permit. */
static uint64_t state_wait_ms(const struct binding *binding, uint64_t word, uint64_t now_ms)
{
    const uint64_t longest_ms = __atomic_load_n(&binding->policy->longest_ms, __ATOMIC_RELAXED);
    if (probe_permits_free(binding, word) > 0 || word_due(word, now_ms, longest_ms))
        return 0;
    const uint64_t all_ms = word_wait_ms(word, now_ms);
    return word_state(word) == WORD_HALF_OPEN && !view_away(binding->view)
               ? at_most(all_ms, probe_permit_wait_ms(binding, now_ms))
               : all_ms;
}

static void fill_limits(const struct binding *binding, trip_info *info)
{
    const struct policy_slot *const policy = binding->policy;
    const uint64_t flags = __atomic_load_n(&policy->limits, __ATOMIC_RELAXED);
    const struct ticket_limit tickets = flags & POLICY_TICKETS ? limits_tickets(binding) : (struct ticket_limit){0};
    info->admit_permille = flags & POLICY_THROTTLE
                               ? (uint32_t)at_most(__atomic_load_n(&policy->admit_permille, __ATOMIC_RELAXED), 1000)
                               : 1000;
    info->tickets = tickets.now;
    if (tickets.now)
        info->tickets_free =
            tickets.now - (uint32_t)at_most(policy_tickets_out(binding->tickets, tickets), tickets.now);
    for (trip_priority priority = 0; priority < TRIP_PRIORITY_COUNT; priority++)
        info->rate_wait_ms[priority] = quotient_up(limits_rate_wait_ns(binding, priority), 1000000);
}

int trip_breaker_info(trip_breaker *breaker, trip_info *ret_info)
{
    trip_info info = {.client = trip_client_status(breaker->client)};
    const struct binding *const binding = breaker_bound(breaker);
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const uint64_t now_ms = view_now_ms(binding->view);
    if (!binding_shared(binding) && info.client != TRIP_CLIENT_PRIVATE)
        info.client = binding->kind == BINDING_FULL ? TRIP_CLIENT_UNREPORTED : TRIP_CLIENT_PRIVATE;
    info.state = word_shown_state(word);
    info.mode =
        policy_mode_now(binding->policy, __atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED), now_ms);
    info.reason = reason_of(binding, word);
    info.consecutive_failures = word_counts_streak(word) ? word_streak(word) : 0;
    const bool frozen = info.mode == TRIP_MODE_FORCED_OPEN || info.mode == TRIP_MODE_DISABLED;
    info.permits_free = frozen ? 0 : probe_permits_free(binding, word);
    info.retry_after_ms = policy_retry_after_ms(binding->policy->modes, now_ms, state_wait_ms(binding, word, now_ms));
    fill_limits(binding, &info);
    fill_window(binding, &info);
    *ret_info = info;
    return 0;
}
