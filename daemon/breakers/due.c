/* What comes due, and when: open times, leases, ramps, ends of modes, open.forget, forget_after, and the tick while
 * counted successes or calls in flight could complete a condition. One deadline a breaker. */
#include "breakers/parts.h"

#include "internal/numbers.h"

uint64_t breakers_ms_to_ns(uint64_t ms)
{
    return ms < UINT64_MAX / 1000000 ? ms * 1000000 : UINT64_MAX;
}

uint64_t breakers_after(uint64_t ns, uint64_t by)
{
    return ns < UINT64_MAX - by ? ns + by : UINT64_MAX;
}

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

/* When the breaker will have been idle for forget_after. */
static uint64_t idle_due_ns(const struct breakers *breakers, uint32_t slot, uint64_t word)
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
    /* All breakers' ticks at the same moments: one wake-up. */
    return core_wants_tick(core, breakers->table[slot].settings, word_state(word), breakers->now_ns)
               ? (breakers->now_ns / TICK_NS + 1) * TICK_NS
               : DEADLINE_NEVER;
}

void breakers_schedule(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const struct breaker *const breaker = &breakers->table[slot];
    uint64_t due_ns = breaker->mode_until_ms ? breakers_ms_to_ns(breaker->mode_until_ms) : DEADLINE_NEVER;
    due_ns = at_most(due_ns, breaker->growth_until_ns);
    due_ns = at_most(due_ns, idle_due_ns(breakers, slot, word));
    due_ns = at_most(due_ns, breakers_adaptive_due_ns(breaker));
    due_ns = at_most(due_ns, breaker->bell_until_ns);
    if (!breakers_frozen(breaker)) {
        due_ns = at_most(due_ns, state_due_ns(breakers, slot, word));
        due_ns = at_most(due_ns, tick_due_ns(breakers, slot, word));
    }
    /* What is due already and did not help waits: for a CAS that failed too often, or a permit that is held. */
    if (due_ns <= breakers->now_ns)
        due_ns = breakers->now_ns + 1000000;
    deadlines_set(breakers->due, slot, due_ns);
}

static void come_due(struct breakers *breakers, uint32_t slot)
{
    breakers_drain(breakers, slot);
    breakers_adaptive_tick(breakers, slot);
    if (breakers->table[slot].growth_until_ns <= breakers->now_ns)
        breakers_publish_next_open(breakers, slot, NULL, 0);
    breakers_settle(breakers, slot);
    breakers_turn_touched(breakers); /* a breaker that has news is not idle: of a meter that says it is its now */
    const uint64_t word = breakers_word(breakers, slot);
    if (idle_due_ns(breakers, slot, word) > breakers->now_ns)
        return;
    segment_detail_hidden(breakers->segment, slot, at_least(breakers_now_ms(breakers), 1));
    breakers_schedule(breakers, slot, word);
}

uint64_t breakers_due(const struct breakers *breakers)
{
    uint32_t slot;
    return at_most(deadlines_first(breakers->due, &slot), breakers->stall_due_ns);
}

void breakers_tick(struct breakers *breakers)
{
    uint32_t slot;
    breakers_look_at_clock(breakers);
    const uint64_t until_ns = breakers->now_ns;
    breakers_collect_told(breakers); /* what is counted is counted in order */
    if (breakers->stall_due_ns <= until_ns)
        breakers_stall_look_all(breakers);
    while (deadlines_first(breakers->due, &slot) <= until_ns)
        come_due(breakers, slot);
}
