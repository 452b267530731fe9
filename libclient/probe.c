/* Probes: calls that try whether the dependency is back. A probe needs a permit of the half-open breaker or, while
 * tripd is away, the state word itself, which one client takes (probing). internal/state_word.h and
 * internal/permit_word.h define the steps. */
#include "steps.h"

#include "internal/permit_word.h"

#define DEADLINE_TRIES 1000 /* as in streak.c: against a process that changes the word all the time */

/* How many permit words can be armed. */
static uint32_t permit_count(const struct binding *binding)
{
    return binding->permits ? half_open_permits(__atomic_load_n(&binding->policy->half_open, __ATOMIC_RELAXED)) : 0;
}

uint32_t probe_permits_free(const struct binding *binding, uint64_t word)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < permit_count(binding); i++)
        /* Acquire: pairs with tripd's arming. */
        count += permit_takeable(__atomic_load_n(&binding->permits[i], __ATOMIC_ACQUIRE), word);
    return count;
}

uint64_t probe_permit_wait_ms(const struct binding *binding, uint64_t now_ms)
{
    uint64_t wait_ms = UINT64_MAX;
    for (uint32_t i = 0; i < permit_count(binding); i++) {
        const uint64_t permit = __atomic_load_n(&binding->permits[i], __ATOMIC_RELAXED);
        if (permit_outcome(permit) == PERMIT_OWNED && !permit_lease_over(permit, now_ms))
            wait_ms = at_most(wait_ms, permit_end_ms(permit, now_ms) - now_ms);
    }
    return wait_ms;
}

/* The deadline of the word whose permit was taken, to the lease's end at least. False: the epoch moved. */
static bool extend_deadline(const struct binding *binding, uint64_t word, uint64_t end_ms)
{
    const uint32_t epoch = word_epoch(word);
    for (unsigned tries = 0; tries < DEADLINE_TRIES; tries++) {
        word = __atomic_load_n(binding->word, __ATOMIC_SEQ_CST); /* after the permit's CAS, in the order of all */
        if (word_state(word) != WORD_HALF_OPEN || word_epoch(word) != epoch)
            return false;
        const uint64_t extended = word_extended(word, end_ms);
        if (extended == word ||
            __atomic_compare_exchange_n(binding->word, &word, extended, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

bool probe_permit_end(const struct binding *binding, const struct permit *permit, uint32_t outcome)
{
    uint64_t owned = permit->word;
    /* seq_cst: pairs with tripd's acquire, what was counted before is there. */
    return __atomic_compare_exchange_n(&binding->permits[permit->index], &owned,
                                       permit_with_outcome(owned, (enum permit_outcome)outcome), false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

bool probe_permit_take(const struct binding *binding, uint64_t word, uint32_t lane, uint64_t now_ms,
                       struct permit *ret_permit)
{
    const uint64_t max_wait_ms = half_open_max_wait_ms(__atomic_load_n(&binding->policy->half_open, __ATOMIC_RELAXED));
    const uint64_t end_ms = lease_end_ms(now_ms, max_wait_ms);
    for (uint32_t i = 0; i < permit_count(binding); i++) {
        uint64_t permit = __atomic_load_n(&binding->permits[i], __ATOMIC_ACQUIRE);
        const struct permit taken = {.index = i, .word = permit_owned(permit, lane, end_ms)};
        if (!permit_takeable(permit, word) || !__atomic_compare_exchange_n(&binding->permits[i], &permit, taken.word,
                                                                           false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            continue;
        /* Permits of a superseded commons are void: tripd waits only for leases that began before it made the new one.
         */
        if (extend_deadline(binding, word, end_ms) && !permit_lease_over(taken.word, view_now_ms(binding->view)) &&
            (binding->kind != BINDING_SHARED || binding_current(binding))) {
            *ret_permit = taken;
            return true;
        }
        probe_permit_end(binding, &taken, PERMIT_FREE);
        return false;
    }
    return false;
}

bool probe_due(const struct binding *binding, uint64_t word, uint64_t now_ms)
{
    /* The lane and the payload do not matter here. */
    return binding->kind != BINDING_MIRRORED && word_after_takeover(word, binding->policy, 0, now_ms) != word &&
           view_away(binding->view);
}

bool probe_take_over(const struct binding *binding, uint64_t word, uint32_t lane, uint64_t now_ms,
                     uint64_t *ret_probing)
{
    const uint64_t after = word_after_takeover(word, binding->policy, lane, now_ms);
    if (after == word || binding->kind == BINDING_MIRRORED || !view_away(binding->view) ||
        !__atomic_compare_exchange_n(binding->word, &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) ||
        word_state(after) != WORD_PROBING || word_probe_over(after, view_now_ms(binding->view)))
        return false;
    *ret_probing = after;
    return true;
}

/* Neutral outcomes give the word back: open, and due at once for the next one. */
bool probe_end(const struct binding *binding, uint64_t probing, trip_outcome outcome)
{
    const uint64_t now_ms = view_now_ms(binding->view);
    const bool neutral = outcome == TRIP_IGNORED || outcome == TRIP_CANCELLED;
    const uint64_t until_ms = neutral ? now_ms : streak_open_until_ms(binding, now_ms);
    const uint32_t generation = judge_generation(policy_newest_judge(binding->policy));
    const uint64_t after = word_after_probe(probing, outcome == TRIP_OK, until_ms, generation);
    return __atomic_compare_exchange_n(binding->word, &probing, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
