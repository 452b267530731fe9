/* Breakers by name. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/defaults.h"
#include "internal/names.h"

#define FULL_PAUSE_NS UINT64_C(10000000000) /* tripd's table was full: ask again after that */

#define PRIVATE_BUDGET_CAP (10 * DEFAULT_BUDGET_PER_SECOND * BUDGET_TOKEN) /* of 10 s */

static const struct policy_retry private_retry = {.attempts = DEFAULT_RETRY_ATTEMPTS,
                                                  .backoff = {.kind = BACKOFF_EXPONENTIAL,
                                                              .jitter = JITTER_PROPORTIONAL,
                                                              .jitter_permille = DEFAULT_RETRY_JITTER,
                                                              .multiplier_permille = DEFAULT_RETRY_MULTIPLIER,
                                                              .base_ns = DEFAULT_RETRY_BASE,
                                                              .max_ns = DEFAULT_RETRY_MAX}};

/* The policy of all private breakers. */
static struct policy_slot private_policy;
static pthread_once_t private_policy_once = PTHREAD_ONCE_INIT;

static void fill_private_policy(void)
{
    private_policy = (struct policy_slot){
        .admission = policy_plain(0, 0),
        .judge = {policy_judge(DEFAULT_CONSECUTIVE_FAILURES, TRIP_MODE_AUTO, false, 0),
                  policy_judge(DEFAULT_CONSECUTIVE_FAILURES, TRIP_MODE_AUTO, false, 0)},
        .slow_after_ns = DEFAULT_SLOW_AFTER,
        .next_open_ms = DEFAULT_OPEN / 1000000,
        .longest_ms = DEFAULT_OPEN_MAX / 1000000 * (1000 + DEFAULT_OPEN_JITTER) / 1000,
        .half_open = policy_half_open(DEFAULT_PERMITS, DEFAULT_MAX_WAIT / 1000000),
        .retry = policy_retry_word(&private_retry),
        .retry_base_ns = private_retry.backoff.base_ns,
        .retry_max_ns = private_retry.backoff.max_ns,
        .retry_on = DEFAULT_RETRY_ON,
        .budget_floor = DEFAULT_BUDGET_PER_SECOND,
        .budget_cap = PRIVATE_BUDGET_CAP,
        .admit_permille = 1000,
    };
}

bool breaker_name_valid(const char *name)
{
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-");
    return length >= 1 && length <= TRIP_NAME_MAX && name[length] == '\0';
}

/* --------------------------------------------------------------------------------------------------------- binding */

/* Resolves the breaker and asks tripd if needed. Only a breaker in use asks, so that a thousand breakers which lose
 * their slots at once do not. */
static void bind_or_ask(struct trip_breaker *breaker)
{
    __atomic_store_n(&breaker->next_bind_ns, coarse_ns() + (breaker->full ? FULL_PAUSE_NS : ATTACH_PAUSE_NS),
                     __ATOMIC_RELAXED);
    if (!breaker_bind(breaker) && !breaker->resolve_serial)
        attach_resolve(breaker->client, breaker);
}

const struct binding *breaker_bound(struct trip_breaker *breaker)
{
    struct trip_client *const client = breaker->client;
    const struct binding *binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    if (likely(binding->kind == BINDING_SHARED && binding_current(binding)))
        return binding;
    client_look(client);
    const bool due =
        binding->kind == BINDING_SHARED || coarse_ns() >= __atomic_load_n(&breaker->next_bind_ns, __ATOMIC_RELAXED);
    if (__atomic_load_n(&client->view, __ATOMIC_RELAXED) && due && client_try_lock(client)) {
        ERRNO_KEPT;
        bind_or_ask(breaker);
        client_unlock(client);
    }
    /* Stale, while another thread looks the name up: until then the private binding decides. */
    return binding_deciding(breaker, __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE));
}

/* --------------------------------------------------------------------------------------------------------- by name */

static struct trip_breaker *registered(struct trip_client *client, const char *name, uint32_t chain)
{
    struct trip_breaker *breaker = __atomic_load_n(&client->breakers[chain], __ATOMIC_ACQUIRE);
    while (breaker && strcmp(breaker->name, name) != 0)
        breaker = breaker->next;
    return breaker;
}

static struct trip_breaker *breaker_new(struct trip_client *client, const char *name)
{
    struct trip_breaker *const breaker = calloc(1, sizeof(*breaker) + strlen(name) + 1);
    if (!breaker)
        return NULL;
    pthread_once(&private_policy_once, fill_private_policy);
    breaker->client = client;
    memcpy(breaker->name, name, strlen(name) + 1);
    breaker->own_word = word_closed(0, 0, 0);
    breaker->own_budget = budget_make(PRIVATE_BUDGET_CAP, 0);
    breaker->own = (struct binding){.policy = &private_policy,
                                    .word = &breaker->own_word,
                                    .plain = policy_plain(0, 0),
                                    .view = &private_view,
                                    .kind = BINDING_PRIVATE};
    breaker->binding = &breaker->own;
    return breaker;
}

static bool waits_for_answer(const struct trip_breaker *breaker)
{
    return breaker->binding == &breaker->own && breaker->resolve_serial != 0;
}

/* Under the lock, except while it waits: other threads may then ask for other breakers, and receive the answer to this
 * question. False: the lock could not be taken again in time. */
static bool resolve_within(struct trip_breaker *breaker, uint64_t until_ns)
{
    struct trip_client *const client = breaker->client;
    bool locked = true;
    attach_step(client);
    bind_or_ask(breaker);
    while (locked && waits_for_answer(breaker) && monotonic_ns() < until_ns) {
        locked = attach_wait(client, until_ns);
        if (locked && monotonic_ns() < until_ns)
            attach_step(client);
    }
    return locked;
}

/* Appended for those who search without the lock; two threads may ask for the same new name at once. */
static struct trip_breaker *register_breaker(struct trip_client *client, const char *name, uint32_t chain)
{
    struct trip_breaker *const fresh = breaker_new(client, name);
    if (!fresh)
        return NULL;
    struct trip_breaker *first = __atomic_load_n(&client->breakers[chain], __ATOMIC_ACQUIRE);
    do {
        struct trip_breaker *const there = registered(client, name, chain);
        if (there) {
            free(fresh);
            return there;
        }
        fresh->next = first;
    } while (!__atomic_compare_exchange_n(&client->breakers[chain], &first, fresh, false, __ATOMIC_RELEASE,
                                          __ATOMIC_ACQUIRE));
    return fresh;
}

int breaker_of_view(trip_client *client, const char *name, trip_breaker **ret_breaker)
{
    struct trip_breaker *const breaker = register_breaker(client, name, names_hash(name) % BREAKER_CHAINS);
    if (!breaker)
        return -ENOMEM;
    *ret_breaker = breaker;
    return breaker_bind(breaker) ? 0 : -ENOENT;
}

int trip_breaker_get(trip_client *client, const char *name, trip_breaker **ret_breaker)
{
    const uint64_t until_ns = monotonic_ns() + OPEN_WAIT_NS;
    if (!name || !breaker_name_valid(name))
        return -EINVAL;
    const uint32_t chain = names_hash(name) % BREAKER_CHAINS;
    struct trip_breaker *breaker = registered(client, name, chain);
    if (!breaker) {
        fork_generation();
        breaker = register_breaker(client, name, chain);
        if (!breaker)
            return -ENOMEM;
        if (client_lock_until(client, until_ns) && resolve_within(breaker, until_ns))
            client_unlock(client);
    }
    *ret_breaker = breaker;
    return 0;
}
