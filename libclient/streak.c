/* Failures in a row over all processes, counted in the state word while it is closed or ramping.
 *
 * A failure stands in its meter before it counts here: a process killed in between leaves a failure in the window that
 * the streak never saw, as if it had been killed before the call failed. Each CAS starts from the very word that was
 * judged, so that each outcome counts or clears once, in an order in which the outcomes really overlapped.
 */
#include "steps.h"

/* A process that changes the word all the time could hold this thread up, so after this many lost CASes the streak does
 * not count the outcome. It takes thousands of processes to lose so often by chance. */
#define STREAK_TRIES 10000

uint64_t streak_open_until_ms(const struct binding *binding, uint64_t now_ms)
{
    const uint64_t next = __atomic_load_n(&binding->policy->next_open_ms, __ATOMIC_RELAXED);
    const uint64_t longest = __atomic_load_n(&binding->policy->longest_ms, __ATOMIC_RELAXED);
    return now_ms + (next < longest ? next : longest);
}

/* A mode's TTL ends also when no tripd is there to write another judge. False: the word is another breaker's. */
static bool judge_of(const struct binding *binding, uint64_t word, uint64_t *ret_judge)
{
    uint64_t admission;
    if (!binding_was_in_slot(binding, &admission))
        return false;
    *ret_judge = policy_judge_of(binding->policy, word_generation(word));
    if (unlikely(policy_has_ttl(admission)))
        *ret_judge =
            judge_with_mode(*ret_judge, policy_mode_now(binding->policy, admission, view_now_ms(binding->view)));
    return true;
}

/* The clock is read only by the failure that may open. */
static uint64_t after_failure(const struct binding *binding, uint64_t word, uint64_t judge)
{
    bool opened;
    const bool may_open = judge_threshold(judge) != 0 && word_streak(word) + 1 >= judge_threshold(judge);
    const uint64_t until_ms = unlikely(may_open) ? streak_open_until_ms(binding, view_now_ms(binding->view)) : 0;
    return word_after_failure(word, judge, until_ms, &opened);
}

/* tripd reads what opened in an older commons after it moved the number in the admission word. A client that still
 * finds its own number after its swap swapped before that; one that finds another number says so, and it is read again.
 */
static void note_opening(const struct binding *binding)
{
    if (binding->kind == BINDING_SHARED && unlikely(!binding_current(binding)))
        __atomic_store_n(&binding->commons->opened_late, true, __ATOMIC_RELEASE);
}

void streak_failed(const struct binding *binding, uint64_t word)
{
    const uint32_t epoch = word_epoch(word);
    if (unlikely(binding->kind == BINDING_MIRRORED))
        return;
    for (unsigned tries = 0; tries < STREAK_TRIES; tries++) {
        uint64_t judge;
        if (unlikely(!word_counts_streak(word) || word_epoch(word) != epoch || !judge_of(binding, word, &judge)))
            return;
        const uint64_t after = after_failure(binding, word, judge);
        /* Equal: it is saturated. seq_cst: pairs with every reader's acquire. */
        if (after == word)
            return;
        if (likely(
                __atomic_compare_exchange_n(binding->word, &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))) {
            if (unlikely(word_state(after) == WORD_OPEN))
                note_opening(binding);
            return;
        }
    }
}

void streak_succeeded(const struct binding *binding, uint64_t word)
{
    const uint32_t epoch = word_epoch(word);
    if (unlikely(binding->kind == BINDING_MIRRORED))
        return;
    for (unsigned tries = 0; tries < STREAK_TRIES; tries++) {
        const uint64_t after = word_after_success(word);
        uint64_t admission;
        if (after == word || word_epoch(word) != epoch || !binding_was_in_slot(binding, &admission) ||
            __atomic_compare_exchange_n(binding->word, &word, after, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            return;
    }
}
