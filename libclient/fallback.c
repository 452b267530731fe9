/* What to answer instead: walks a breaker's chain of strategies. */
#include <string.h>

#include "client.h"
#include "internal/numbers.h"

#define LOOK_TRIES 5

/* What the public struct keeps of a walk. */
struct walk {
    const struct fallback_copy *copy; /* NULL: it has not begun */
    uint32_t next;                    /* step, or the first one of an alternative that goes on; STEP_NONE: the end */
    uint32_t tried;                   /* a bit an endpoint of that alternative */
};
#define STEP_NONE UINT32_MAX

_Static_assert(sizeof(struct walk) <= sizeof(((trip_fallback *)0)->state), "trip_fallback has no room for a walk");
_Static_assert(FALLBACK_LIST_MAX <= 32, "`tried` has no room for a list's endpoints");

/* -------------------------------------------------------------------------------------------------------- the walk */

/* Finds the copy and the first step of the breaker's list for this type of error. The word and the book may move
 * between two looks, so that it looks again. */
static void begin(trip_breaker *breaker, trip_error_type type, struct walk *walk)
{
    const struct binding *const binding = breaker_bound(breaker);
    *walk = (struct walk){.next = STEP_NONE};
    if (!binding_shared(binding) || !binding->view->fallbacks)
        return;
    for (unsigned tries = 0; tries < LOOK_TRIES && !walk->copy; tries++) {
        /* Acquire: pairs with the release of segment_policy_publish, the word's book is there. */
        const uint64_t word = __atomic_load_n(&binding->policy->fallback, __ATOMIC_ACQUIRE);
        const uint32_t chain = (uint32_t)word;
        if (!chain)
            return;
        walk->copy = fallbacks_copy(&breaker->client->fallbacks, binding->view, (uint32_t)(word >> 32));
        if (!walk->copy || chain > walk->copy->book.chain_count)
            continue;
        const uint32_t first = walk->copy->book.chains[chain - 1].first[type];
        walk->next = first ? first - 1 : STEP_NONE;
    }
}

/* Returns the endpoint's own breaker. NULL: there is no memory, or its name is no breaker's. */
static trip_breaker *breaker_of(trip_breaker *breaker, const struct fallback_copy *copy, uint32_t step)
{
    trip_breaker **const place = (trip_breaker **)&copy->breakers[step];
    trip_breaker *own = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (own)
        return own;
    if (trip_breaker_get(breaker->client, copy->book.texts + copy->book.steps[step].text, &own) < 0)
        return NULL;
    __atomic_store_n(place, own, __ATOMIC_RELEASE); /* the same pointer whichever thread asks */
    return own;
}

static bool is_dead(trip_breaker *breaker)
{
    return !breaker || !trip_admitted(trip_allow(breaker));
}

/* Draws one of the endpoints that are left, by weight. left: a bit each. */
static uint32_t drawn(const struct fallback_step *steps, uint32_t left)
{
    uint32_t all = 0, place;
    for (uint32_t bits = left; bits; bits &= bits - 1)
        all += steps[__builtin_ctz(bits)].weight;
    uint32_t dice = all ? thread_random() % all : 0;
    for (uint32_t bits = left;; bits &= bits - 1) {
        place = (uint32_t)__builtin_ctz(bits);
        if (dice < steps[place].weight || !(bits & (bits - 1)))
            return place;
        dice -= steps[place].weight;
    }
}

static uint32_t endpoints_of(const struct fallback_step *first)
{
    uint32_t count = 1;
    while (first[count - 1].flags & FALLBACK_MORE)
        count++;
    return count;
}

/* Goes behind a step, whose list may end with it. */
static void go_behind(struct walk *walk, uint32_t step)
{
    walk->tried = 0;
    walk->next = walk->copy->book.steps[step].flags & FALLBACK_LAST ? STEP_NONE : step + 1;
}

/* Finds the next endpoint of an alternative that is alive, and counts the dead ones before it. False: all were tried,
 * or are dead; the walk is behind it. */
static bool next_endpoint(trip_breaker *breaker, struct walk *walk, unsigned *dead, uint32_t *ret_step)
{
    const struct fallback_step *const first = &walk->copy->book.steps[walk->next];
    const uint32_t count = endpoints_of(first), base = walk->next;
    for (;;) {
        const uint32_t left = ~walk->tried & (uint32_t)((UINT64_C(1) << count) - 1);
        if (!left) {
            go_behind(walk, base + count - 1);
            return false;
        }
        const uint32_t place = first->flags & FALLBACK_WEIGHTED ? drawn(first, left) : (uint32_t)__builtin_ctz(left);
        walk->tried |= 1u << place;
        *ret_step = base + place;
        if (!is_dead(breaker_of(breaker, walk->copy, *ret_step)))
            return true;
        ++*dead;
    }
}

static void answer(trip_breaker *breaker, const struct walk *walk, uint32_t at, trip_fallback *fallback)
{
    const struct fallback_step *const step = &walk->copy->book.steps[at];
    fallback->strategy = step->strategy;
    fallback->text = walk->copy->book.texts + step->text;
    fallback->size = step->size;
    fallback->ttl_ns = product(step->ttl_ms, 1000000);
    fallback->breaker = step->strategy == TRIP_STRATEGY_ALTERNATIVE ? breaker_of(breaker, walk->copy, at) : NULL;
}

bool trip_fallback_next(trip_breaker *breaker, trip_error_type type, trip_fallback *fallback)
{
    ERRNO_KEPT;
    struct walk walk;
    memcpy(&walk, fallback->state, sizeof(walk));
    if (!fallback->begun)
        begin(breaker, (unsigned)type < TRIP_ERROR_TYPE_COUNT ? type : TRIP_ERROR_UNKNOWN, &walk);
    fallback->begun = true;
    fallback->dead = 0;
    uint32_t step = walk.next;
    while (walk.next != STEP_NONE) {
        step = walk.next;
        if (walk.copy->book.steps[step].strategy != TRIP_STRATEGY_ALTERNATIVE) {
            go_behind(&walk, step);
            break;
        }
        if (next_endpoint(breaker, &walk, &fallback->dead, &step))
            break;
        step = STEP_NONE;
    }
    memcpy(fallback->state, &walk, sizeof(walk));
    if (step != STEP_NONE)
        answer(breaker, &walk, step, fallback);
    else
        fallback->strategy = TRIP_STRATEGY_NONE;
    return step != STEP_NONE;
}

/* ------------------------------------------------------------------------------------------------------- of denials */

trip_error_type trip_error_from_denial(trip_breaker *breaker, trip_verdict verdict)
{
    const struct binding *const binding = breaker_bound(breaker);
    const bool by_limit = verdict >= TRIP_DENY_CONCURRENCY;
    if (verdict == TRIP_DENY_DEADLINE)
        return TRIP_ERROR_TIMEOUT;
    if (by_limit || !binding_shared(binding))
        return TRIP_ERROR_SERVICE_UNAVAILABLE;
    const struct detail_slot *const detail = view_detail(binding->view, binding->slot);
    const uint8_t type = __atomic_load_n(&detail->error_type, __ATOMIC_RELAXED); /* one byte: always whole */
    const bool known = __atomic_load_n(&detail->error_unix_ms, __ATOMIC_RELAXED) != 0;
    return known && type < TRIP_ERROR_TYPE_COUNT ? (trip_error_type)type : TRIP_ERROR_SERVICE_UNAVAILABLE;
}
