/* What decides for a breaker: a slot of the view, its mirror, or the breaker's own word. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/names.h"
#include "internal/succession.h"

/* The state word of breakers that did not fit tripd's table. They admit everything, so nobody writes it. */
static const struct state_line full_word = {.word = (uint64_t)WORD_CLOSED << WORD_STATE_SHIFT};

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
COLD static const struct binding *superseded(const struct binding *binding)
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
COLD static bool find(const struct trip_breaker *breaker, struct binding *ret_binding)
{
    const struct view *const view = __atomic_load_n(&breaker->client->view, __ATOMIC_ACQUIRE);
    uint32_t slot;
    if (!view || names_find((const uint64_t *)(const void *)view->names.base, view->names.count, view->details.base,
                            view->details.stride, BREAKERS_MAX, breaker->name, &slot, NULL) < 0)
        return false;
    const struct detail_slot *const detail = view_detail(view, slot);
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

const struct binding *binding_deciding(const struct trip_breaker *breaker, const struct binding *binding)
{
    const struct binding *const decides = in_force(binding);
    return decides ? without_probe(breaker, decides) : &breaker->own;
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
    moves_wake(&breaker->client->moves); /* it may be open already */
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
