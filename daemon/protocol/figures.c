#include "protocol/figures.h"

#include "core/breaker.h"
#include "internal/policy.h"
#include "internal/state_word.h"

/* Returns the owner of the mode in force; policy_mode_of tells only the mode. */
static enum mode_owner mode_owner_now(const struct policy_slot *policy, uint64_t now_ms)
{
    for (unsigned owner = 0; owner < MODE_OWNER_COUNT; owner++) {
        const uint64_t mode = policy->modes[owner], until_ms = mode >> 4 & POLICY_MS_MASK;
        if ((mode & 8) && (!until_ms || now_ms < until_ms) && (mode & 7) < TRIP_MODE_COUNT)
            return (enum mode_owner)owner;
    }
    return MODE_OWNER_COUNT;
}

static uint32_t permits_armed(const struct report_breaker *breaker)
{
    if (word_state(breaker->word) != WORD_HALF_OPEN)
        return 0;
    const uint32_t permits = half_open_permits(breaker->policy->half_open);
    return breaker->policy->permits_free < permits ? (uint32_t)breaker->policy->permits_free : permits;
}

/* Returns the time until the state admits a call. Without a running tripd nobody frees permits: clients wait for the
 * last lease, which is the word's deadline. */
static uint64_t state_wait_ms(const struct report_breaker *breaker)
{
    const bool frees = word_state(breaker->word) == WORD_HALF_OPEN && breaker->daemon == REPORT_RUNNING;
    if (permits_armed(breaker))
        return 0;
    return frees && breaker->detail->permit_due_ms ? time_until(breaker->detail->permit_due_ms, breaker->now_ms)
                                                   : word_wait_ms(breaker->word, breaker->now_ms);
}

static void add_ramp(const struct report_breaker *breaker, struct figures *figures)
{
    const uint64_t end = breaker->policy->ramp_end;
    figures->ramps = word_state(breaker->word) == WORD_RAMPING;
    if (!figures->ramps)
        return;
    figures->ramp_permille = word_permille(breaker->word);
    figures->ramp_ends_ms = ramp_end_epoch(end) == word_epoch(breaker->word)
                                ? time_until(ramp_end_ms(end), breaker->now_ms)
                                : FIGURES_NEVER;
}

struct figures figures_of(const struct report_breaker *breaker)
{
    const struct policy_slot *const policy = breaker->policy;
    uint64_t until_ms;
    struct figures figures = {.state = word_shown_state(breaker->word),
                              .mode = policy_mode_of(policy->modes, breaker->now_ms, &until_ms),
                              .mode_owner = mode_owner_now(policy, breaker->now_ms),
                              .state_for_ms = time_until(breaker->now_ms, breaker->detail->since_ms),
                              .failure_permille = core_failure_rate_permille(breaker->core),
                              .timed = policy_times_calls(policy),
                              .slow_permille = policy_times_calls(policy) ? core_slow_rate_permille(breaker->core) : -1,
                              .streak = word_counts_streak(breaker->word) ? word_streak(breaker->word) : 0,
                              .retry_after_ms =
                                  policy_retry_after_ms(policy->modes, breaker->now_ms, state_wait_ms(breaker))};
    figures.mode_ttl_ms = until_ms ? time_until(until_ms, breaker->now_ms) : FIGURES_NEVER;
    if (figures.mode != TRIP_MODE_FORCED_OPEN && figures.mode != TRIP_MODE_DISABLED)
        figures.permits_free = permits_armed(breaker);
    add_ramp(breaker, &figures);
    return figures;
}
