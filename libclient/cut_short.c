/* Calls in flight that end when their breaker opens: cancel.h. */
#include "call.h"

/* Is tripd's answer still to come? A process without a lane asks for nothing. */
static bool unanswered(const struct trip_client *client, const struct cancel *cancel, const struct binding *binding)
{
    const bool without_lane = client->attach.state == ATTACH_DONE && !client->attach.taken_lane;
    return binding->kind == BINDING_SHARED && !cancel_ready(cancel, binding) && !cancel->error && !without_lane;
}

/* Under the lock: asks tripd, and waits for its answer, in vain once for each of its starts at most. */
static int ask_locked(struct trip_breaker *breaker, uint64_t until_ns, bool *locked)
{
    struct trip_client *const client = breaker->client;
    const int error = cancel_make(breaker);
    if (error < 0)
        return error;
    struct cancel *const cancel = breaker->cancel;
    attach_step(client);
    while (unanswered(client, cancel, breaker->binding) && monotonic_ns() < until_ns &&
           (*locked = attach_wait(client, until_ns)))
        attach_step(client);
    if (!*locked)
        return -EAGAIN;
    if (cancel_ready(cancel, breaker->binding))
        return cancel->poll.fd;
    __atomic_store_n(&cancel->waited, view_start(client->view), __ATOMIC_RELAXED);
    return cancel->error < 0 ? cancel->error : -EAGAIN;
}

COLD static int ask(struct trip_breaker *breaker)
{
    const uint64_t until_ns = monotonic_ns() + OPEN_WAIT_NS;
    bool locked = client_lock_until(breaker->client, until_ns);
    const int fd = locked ? ask_locked(breaker, until_ns, &locked) : -EAGAIN;
    if (locked)
        client_unlock(breaker->client);
    return fd;
}

/* Does the admission word still force the breaker open after the TTL of that? tripd has not silenced its timer yet. */
static bool forced_no_more(const struct binding *binding)
{
    const uint64_t admission = __atomic_load_n(&binding->policy->admission, __ATOMIC_ACQUIRE);
    return (admission & 7) == TRIP_MODE_FORCED_OPEN && policy_has_ttl(admission) &&
           policy_mode_now(binding->policy, admission, view_now_ms(binding->view)) != TRIP_MODE_FORCED_OPEN;
}

/* A probe ends by its lease, and nothing else may take its permit. */
static bool may_be_cut(const struct call *call, const struct binding *binding)
{
    return !(call->flags & (CALL_PERMIT | CALL_PROBING)) && binding->kind == BINDING_SHARED &&
           binding->policy == call->binding->policy && policy_same_breaker(binding->plain, call->binding->plain) &&
           __atomic_load_n(&binding->policy->limits, __ATOMIC_RELAXED) & POLICY_CUT_SHORT &&
           !view_away(binding->view) && !forced_no_more(binding);
}

/* Why there is no timer, as far as that is known without asking. 0: ask. */
static int known_error(const struct cancel *cancel, const struct binding *binding)
{
    if (__atomic_load_n(&cancel->waited, __ATOMIC_RELAXED) != view_start(binding->view))
        return 0;
    const int error = __atomic_load_n(&cancel->error, __ATOMIC_RELAXED);
    return error < 0 ? error : -EAGAIN;
}

int trip_call_fd(const trip_call *public_call)
{
    const struct call *const call = (const struct call *)public_call;
    struct trip_breaker *const breaker = call->breaker;
    const uint64_t generation = fork_generation();
    if (!breaker || generation == 0 || call->generation != (uint32_t)generation)
        return -EINVAL;
    ERRNO_KEPT;
    const struct binding *const binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    if (!may_be_cut(call, binding))
        return -EAGAIN;
    const struct cancel *const cancel = __atomic_load_n(&breaker->cancel, __ATOMIC_ACQUIRE);
    if (likely(cancel && cancel_ready(cancel, binding)))
        return cancel->poll.fd;
    const int error = cancel ? known_error(cancel, binding) : 0;
    return error < 0 ? error : ask(breaker);
}
