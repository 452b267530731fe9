/* Breakers by name, and what each is bound to. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/defaults.h"
#include "internal/names.h"
#include "internal/succession.h"

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

/* The state word of breakers that did not fit tripd's table. They admit everything, so nobody writes it. */
static const struct state_line full_word = {.word = (uint64_t)WORD_CLOSED << WORD_STATE_SHIFT};

static bool name_valid(const char *name)
{
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-");
    return length >= 1 && length <= TRIP_NAME_MAX && name[length] == '\0';
}

/* --------------------------------------------------------------------------------------------------------- bindings */

static uint64_t *word_at(const struct table *table, uint32_t slot)
{
    return (uint64_t *)(uintptr_t)(table->base + (size_t)slot * table->stride);
}

/* A binding to a slot, with the words of this commons. */
static struct binding slot_binding(const struct view *view, struct commons_view *commons, uint32_t slot,
                                   uint32_t incarnation)
{
    return (struct binding){
        .policy = view_policy(view, slot),
        .word = word_at(&commons->words, slot),
        .plain = policy_plain(incarnation, commons->number),
        .owner = meter_owner(slot, incarnation, 0),
        .permits = word_at(&commons->permits, slot),
        .limits = (struct limit_lines *)(void *)word_at(&commons->limits, slot),
        .tickets = word_at(&commons->tickets, slot),
        .view = view,
        .commons = commons,
        .slot = slot,
        .kind = BINDING_SHARED,
    };
}

/* The binding that decides while `binding` is superseded. Permits of an outdated commons are void, so it has none. */
static struct binding mirrored(const struct binding *binding)
{
    struct binding mirrored = *binding;
    mirrored.word = word_at(&binding->view->mirror, binding->slot);
    mirrored.permits = NULL;
    mirrored.kind = BINDING_MIRRORED;
    mirrored.mirrored = NULL;
    return mirrored;
}

/* Chooses what decides for a superseded binding: the mirror, which shows what tripd knows, or the binding's own commons
 * if a breaker opened there without tripd's knowledge. While tripd is away nobody updates the mirror, so the own
 * commons decides unless the mirror is open. */
static const struct binding *superseded(const struct binding *binding)
{
    const struct policy_slot *const policy = binding->policy;
    const struct view *const view = binding->view;
    const uint64_t mirror = __atomic_load_n(binding->mirrored->word, __ATOMIC_ACQUIRE);
    const uint64_t own = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const struct breaker_rest rest = rest_load((const void *)word_at(&view->rests, binding->slot));
    const uint64_t longest_ms = __atomic_load_n(&policy->longest_ms, __ATOMIC_RELAXED), now_ms = view_now_ms(view);
    const bool mirror_opens = word_state(mirror) == WORD_OPEN && !word_due(mirror, now_ms, longest_ms);
    const bool knows_more = word_outlives(own, binding->commons->number, &rest, mirror, now_ms, longest_ms) ||
                            (view_away(view) && !mirror_opens);
    return knows_more && !__atomic_load_n(&binding->commons->retired, __ATOMIC_RELAXED) ? binding : binding->mirrored;
}

/* NULL: the slot is another breaker's now. */
static const struct binding *in_force(const struct binding *binding)
{
    /* Acquire: pairs with the release of a mode that was set just now; its TTL is read after it. */
    const uint64_t admission = __atomic_load_n(&binding->policy->admission, __ATOMIC_ACQUIRE);
    if (unlikely(!policy_same_breaker(admission, binding->plain)))
        return NULL;
    return likely(binding->kind != BINDING_SHARED || policy_same_commons(admission, binding->plain))
               ? binding
               : superseded(binding);
}

/* The name's slot may be given away at any moment: only an incarnation that stood before and after the name was
 * compared is the name's. */
static bool find(const struct trip_breaker *breaker, struct binding *ret_binding)
{
    const struct view *const view = __atomic_load_n(&breaker->client->view, __ATOMIC_ACQUIRE);
    uint32_t slot;
    if (!view || names_find((const uint64_t *)(const void *)view->names.base, view->names.count, view->details.base,
                            view->details.stride, BREAKERS_MAX, breaker->name, &slot, NULL) < 0)
        return false;
    const struct detail_slot *const detail =
        (const struct detail_slot *)(const void *)(view->details.base + (size_t)slot * view->details.stride);
    /* Acquire: the name is read after it. Pairs with tripd's moving on of the incarnation. */
    const uint64_t before = __atomic_load_n(&view_policy(view, slot)->admission, __ATOMIC_ACQUIRE);
    const bool same_name = strncmp(detail->name, breaker->name, sizeof(detail->name)) == 0;
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the name is read before the load below */
    const uint64_t after = __atomic_load_n(&view_policy(view, slot)->admission, __ATOMIC_RELAXED);
    if (!same_name || !policy_same_breaker(before, after))
        return false;
    *ret_binding = slot_binding(view, view_latest(view), slot, policy_incarnation(before));
    return true;
}

/* A process that tripd refuses gets no words of the commons in force, and no probe. While a breaker in mode auto is
 * half-open for the others, its own private one decides for it. */
static const struct binding *without_probe(const struct trip_breaker *breaker, const struct binding *decides)
{
    if (decides->kind != BINDING_MIRRORED || __atomic_load_n(&breaker->client->attach.refused, __ATOMIC_RELAXED) == 0)
        return decides;
    const uint64_t admission = __atomic_load_n(&decides->policy->admission, __ATOMIC_ACQUIRE);
    const trip_state state = word_shown_state(__atomic_load_n(decides->word, __ATOMIC_ACQUIRE));
    const trip_mode mode = policy_mode_now(decides->policy, admission, view_now_ms(decides->view));
    return state == TRIP_STATE_HALF_OPEN && mode == TRIP_MODE_AUTO ? &breaker->own : decides;
}

const struct binding *breaker_glance(const struct trip_breaker *breaker, const struct binding *binding,
                                     struct binding ret_room[2])
{
    const struct binding *decides = in_force(binding);
    if (!decides && find(breaker, &ret_room[0])) {
        ret_room[1] = mirrored(&ret_room[0]);
        ret_room[0].mirrored = &ret_room[1];
        decides = in_force(&ret_room[0]);
    }
    return decides ? without_probe(breaker, decides) : &breaker->own;
}

static void bind_private(struct trip_breaker *breaker)
{
    if (breaker->binding == &breaker->own)
        return;
    /* A word of before is over, with whatever streak it had. */
    const uint64_t word = __atomic_load_n(&breaker->own_word, __ATOMIC_RELAXED);
    __atomic_store_n(&breaker->own_word, word_closed(word_epoch(word) + 1, 0, 0), __ATOMIC_RELEASE);
    __atomic_store_n(&breaker->binding, &breaker->own, __ATOMIC_RELEASE);
}

static bool same_binding(const struct binding *a, const struct binding *b)
{
    return a->policy == b->policy && a->plain == b->plain && a->word == b->word;
}

/* The binding and what decides in its place are one piece of memory. */
struct binding_pair {
    struct binding binding, mirrored;
} __attribute__((aligned(LAYOUT_LINE)));

/* All bindings that were ever made: a thread may use one as long as the client is open. They are allocated by the page,
 * so that a pair takes no more than its cache lines. */
struct binding_page {
    struct binding_page *older;
    size_t used;
    struct binding_pair pairs[(LAYOUT_PAGE - LAYOUT_LINE) / sizeof(struct binding_pair)];
};

/* Under the client's lock. NULL: no memory. */
static struct binding_pair *new_pair(struct trip_client *client)
{
    struct binding_page *page = client->bindings;
    if (!page || page->used == sizeof(page->pairs) / sizeof(page->pairs[0])) {
        page = aligned_alloc(LAYOUT_LINE, sizeof(*page));
        if (!page)
            return NULL;
        page->older = client->bindings;
        page->used = 0;
        client->bindings = page;
    }
    return &page->pairs[page->used++];
}

void bindings_free(struct trip_client *client)
{
    while (client->bindings) {
        struct binding_page *const page = client->bindings;
        client->bindings = page->older;
        free(page);
    }
}

static void bind_to(struct trip_breaker *breaker, const struct binding *wanted)
{
    if (same_binding(breaker->binding, wanted))
        return;
    struct binding_pair *const pair = new_pair(breaker->client);
    if (!pair)
        return; /* no memory: the breaker keeps its binding, and a later call tries again */
    pair->binding = *wanted;
    if (wanted->kind == BINDING_SHARED) {
        pair->mirrored = mirrored(wanted);
        pair->binding.mirrored = &pair->mirrored;
    }
    __atomic_store_n(&breaker->binding, &pair->binding, __ATOMIC_RELEASE);
}

/* tripd does not reuse a slot with a mode or limits that a lane marks as resolved. So this process marks the slot first
 * and checks it again afterwards. An unset word tells that tripd may have read the lane before the mark. */
static bool bind_to_slot(struct trip_breaker *breaker, const struct binding *found)
{
    const struct lane *const lane = breaker->client->lane;
    if (lane && lane->view == found->view)
        lane_resolve(lane, found->slot);
    const uint64_t word = __atomic_load_n(found->word, __ATOMIC_ACQUIRE);
    if (word_state(word) == WORD_UNSET ||
        !policy_same_breaker(__atomic_load_n(&found->policy->admission, __ATOMIC_RELAXED), found->plain))
        return false;
    bind_to(breaker, found);
    return true;
}

static void bind_full(struct trip_breaker *breaker)
{
    struct binding full = breaker->own;
    full.word = (uint64_t *)(uintptr_t)&full_word.word;
    full.kind = BINDING_FULL;
    bind_to(breaker, &full);
}

bool breaker_bind(struct trip_breaker *breaker)
{
    struct binding found;
    if (find(breaker, &found) && bind_to_slot(breaker, &found)) {
        breaker->full = false;
        return true;
    }
    if (!breaker->full)
        bind_private(breaker);
    return false;
}

/* Resolves the breaker and asks tripd if needed. Only a breaker in use asks, so that a thousand breakers which lose
 * their slots at once do not. */
static void bind_or_ask(struct trip_breaker *breaker)
{
    __atomic_store_n(&breaker->next_bind_ns, coarse_ns() + (breaker->full ? FULL_PAUSE_NS : ATTACH_PAUSE_NS),
                     __ATOMIC_RELAXED);
    if (!breaker_bind(breaker) && !breaker->resolve_serial)
        attach_resolve(breaker->client, breaker);
}

void breaker_resolved(struct trip_breaker *breaker, uint32_t slot, uint32_t incarnation, int error)
{
    const struct view *const view = breaker->client->view;
    breaker->resolve_serial = 0;
    breaker->full = error == -ENOSPC;
    if (breaker->full) {
        bind_full(breaker);
        return;
    }
    if (error != 0 || slot >= BREAKERS_MAX)
        return;
    const struct binding binding = slot_binding(view, view_latest(view), slot, incarnation);
    bind_to_slot(breaker, &binding);
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
    const struct binding *const decides = in_force(__atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE));
    /* Stale, while another thread looks the name up: until then the private binding decides. */
    return decides ? without_probe(breaker, decides) : &breaker->own;
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
    if (!name || !name_valid(name))
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
