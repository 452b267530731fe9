/* Decides whether an operation is retried, and after how long. The budget bounds the retries of all processes together.
 */
#include "shared_limits.h"

struct retry {
    struct trip_breaker *breaker;
    uint64_t started_ns;  /* on the instance's clock, as all times here */
    uint64_t deadline_ns; /* 0: none */
    uint64_t previous_ns; /* the delay before this one */
    uint32_t failed;      /* attempts */
    uint32_t reserved;
    const struct view *view; /* whose clock these times are of; it lives as long as the client */
    uint64_t unused[2];
} __attribute__((may_alias));
_Static_assert(sizeof(struct retry) == sizeof(trip_retry), "trip_retry has no room for a retry");

void trip_retry_start(trip_breaker *breaker, trip_retry *public_retry)
{
    const struct view *const view = breaker_bound(breaker)->view;
    *(struct retry *)public_retry = (struct retry){.breaker = breaker, .view = view, .started_ns = view_now_ns(view)};
}

void trip_retry_within(trip_retry *public_retry, uint64_t within_ns)
{
    struct retry *const retry = (struct retry *)public_retry;
    retry->deadline_ns = within_ns ? saturated((unsigned __int128)view_now_ns(retry->view) + within_ns) : 0;
}

/* Does the breaker end the retries? An open breaker does, however soon it may be probed; a half-open one does if all
 * probes are out and every lease outlasts the delay. A ramping breaker draws anew for each call, and ends no retries.
 */
static bool ends_retries(struct trip_breaker *breaker, uint64_t delay_ns)
{
    trip_info info;
    switch (trip_allow(breaker)) {
    case TRIP_DENY_OPEN:
    case TRIP_DENY_FORCED:
        return true;
    case TRIP_DENY_HALF_OPEN:
        return trip_breaker_info(breaker, &info) < 0 || product(info.retry_after_ms, 1000000) > delay_ns;
    default:
        return false;
    }
}

static bool ends_after(uint64_t now_ns, uint64_t delay_ns, uint64_t until_ns)
{
    return until_ns != 0 && saturated((unsigned __int128)now_ns + delay_ns) > until_ns;
}

static uint64_t random_64(void)
{
    return (uint64_t)thread_random() << 32 | thread_random();
}

trip_retry_answer trip_retry_next(trip_retry *public_retry, trip_error_type error, uint64_t hint_ns,
                                  uint64_t *ret_delay_ns)
{
    struct retry *const retry = (struct retry *)public_retry;
    const struct binding *const binding = breaker_bound(retry->breaker);
    const struct policy_slot *const policy = binding->policy;
    const struct policy_retry settings = policy_retry_of(policy);
    const uint64_t on = __atomic_load_n(&policy->retry_on, __ATOMIC_RELAXED);
    const uint64_t total_ns = __atomic_load_n(&policy->retry_total_ns, __ATOMIC_RELAXED);
    retry->failed++;
    if ((unsigned)error >= TRIP_ERROR_TYPE_COUNT || !(on >> error & 1))
        return TRIP_RETRY_NOT_RETRYABLE;
    if (retry->failed >= settings.attempts)
        return TRIP_RETRY_ATTEMPTS;
    const uint64_t backoff_ns = backoff_delay_ns(&settings.backoff, retry->failed, retry->previous_ns, random_64());
    const uint64_t delay_ns = at_least(backoff_ns, hint_ns);
    if (hint_ns > settings.backoff.max_ns)
        return TRIP_RETRY_TIME;
    const uint64_t now_ns = view_now_ns(retry->view);
    if (ends_retries(retry->breaker, delay_ns))
        return TRIP_RETRY_OPEN;
    if (ends_after(now_ns, delay_ns, total_ns ? saturated((unsigned __int128)retry->started_ns + total_ns) : 0))
        return TRIP_RETRY_TIME;
    if (ends_after(now_ns, saturated((unsigned __int128)delay_ns + 1), retry->deadline_ns)) /* no time would be left */
        return TRIP_RETRY_DEADLINE;
    if (!limits_pay_retry(retry->breaker, binding))
        return TRIP_RETRY_BUDGET;
    retry->previous_ns = backoff_ns;
    *ret_delay_ns = delay_ns;
    return TRIP_RETRY_AGAIN;
}

bool trip_hedge_after(trip_breaker *breaker, uint64_t *ret_delay_ns)
{
    const uint64_t hedge_ns = __atomic_load_n(&breaker_bound(breaker)->policy->hedge_ns, __ATOMIC_RELAXED);
    if (hedge_ns)
        *ret_delay_ns = hedge_ns;
    return hedge_ns != 0;
}

bool trip_hedge_take(trip_breaker *breaker)
{
    return limits_pay_retry(breaker, breaker_bound(breaker));
}
