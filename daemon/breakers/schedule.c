#include "breakers/schedule.h"

#include "breakers/adaptive.h"
#include "breakers/permits.h"
#include "internal/numbers.h"

#define TICK_NS ADAPTIVE_TICK_NS /* looks while calls come */

static uint64_t probing_end_ns(const struct breakers *breakers, uint64_t word)
{
    const uint64_t mask = (UINT64_C(1) << PROBE_LEASE_BITS) - 1, now_steps = breakers_now_ms(breakers) / LEASE_STEP_MS;
    return breakers_ms_to_ns((now_steps + ((word - now_steps) & mask)) * LEASE_STEP_MS);
}

static uint64_t ramp_due_ns(const struct breakers *breakers, uint32_t slot)
{
    const uint64_t end_ns = breakers_ms_to_ns(ramp_end_ms(breakers->segment->policies[slot].ramp_end));
    uint64_t next_ns;
    core_ramp_permille(segment_core(breakers->segment, slot), breakers->table[slot].settings, breakers->now_ns,
                       &next_ns);
    return next_ns > breakers->now_ns ? at_most(next_ns, end_ns) : end_ns;
}

static uint64_t state_due_ns(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    switch (word_state(word)) {
    case WORD_OPEN:
        return breakers_ms_to_ns(word_deadline_ms(word));
    case WORD_HALF_OPEN:
        return breakers_permits_due(breakers, slot);
    case WORD_PROBING:
        return probing_end_ns(breakers, word);
    case WORD_RAMPING:
        return ramp_due_ns(breakers, slot);
    default:
        return DEADLINE_NEVER;
    }
}

bool breakers_may_hide(const struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    for (unsigned owner = 0; owner < MODE_OWNER_CONFIG; owner++)
        if (policy->modes[owner])
            return false;
    return word_state(word) == WORD_CLOSED && segment_core(breakers->segment, slot)->head.in_flight == 0;
}

uint64_t breakers_idle_due_ns(const struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const struct breaker *const breaker = &breakers->table[slot];
    if (!breaker->settings->forget_after || breakers->segment->details[slot].hidden_ms ||
        !breakers_may_hide(breakers, slot, word))
        return DEADLINE_NEVER;
    return breakers_after(breakers_ms_to_ns(breaker->used_ms), breaker->settings->forget_after);
}

static uint64_t tick_due_ns(const struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const struct core_state *const core = segment_core(breakers->segment, slot);
    const struct breaker_settings *const settings = breakers->table[slot].settings;
    const bool ticks = breakers->options.simulates
                           ? core_waits_for_success(core, settings, word_state(word), breakers->now_ns)
                           : core_wants_tick(core, settings, word_state(word), breakers->now_ns);
    /* the same moments for all breakers: one wake-up serves all */
    return ticks ? (breakers->now_ns / TICK_NS + 1) * TICK_NS : DEADLINE_NEVER;
}

void breakers_schedule(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const struct breaker *const breaker = &breakers->table[slot];
    uint64_t due_ns = breaker->mode_until_ms ? breakers_ms_to_ns(breaker->mode_until_ms) : DEADLINE_NEVER;
    due_ns = at_most(due_ns, breaker->growth_until_ns);
    due_ns = at_most(due_ns, breakers_idle_due_ns(breakers, slot, word));
    due_ns = at_most(due_ns, breakers_adaptive_due_ns(breaker));
    due_ns = at_most(due_ns, breaker->bell_until_ns);
    if (!breakers_frozen(breaker)) {
        due_ns = at_most(due_ns, state_due_ns(breakers, slot, word));
        due_ns = at_most(due_ns, tick_due_ns(breakers, slot, word));
    }
    /* The breaker was due, and looking at it did not help: it waits for a CAS that failed too often, or a permit that
     * is held. */
    if (due_ns <= breakers->now_ns)
        due_ns = breakers->now_ns + 1000000;
    deadlines_set(breakers->due, slot, due_ns);
}
