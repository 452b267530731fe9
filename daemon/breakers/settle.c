/* Settles a breaker: its meters are drained, the image is judged, the state moves; then permits, the bell and the next
 * deadline follow. */
#include "breakers/settle.h"

#include "breakers/bell.h"
#include "breakers/errors.h"
#include "breakers/limits.h"
#include "breakers/meters.h"
#include "breakers/move.h"
#include "breakers/permits.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/schedule.h"
#include "breakers/word.h"

#define STEPS_MAX 8 /* steps of a breaker in one go: open, half-open, closed, ... */

/* --------------------------------------------------------------------------------------------------------- draining */

/* Drains the evidence for this word, once. over: the word is another one by now. */
static bool turn(struct breakers *breakers, uint32_t slot, uint64_t word, bool over)
{
    struct breaker *const breaker = &breakers->table[slot];
    struct drain_found found;
    breakers_look_at_clock(breakers);
    const struct drain_turn turn = {
        .slot = slot,
        .settings = breaker->settings,
        .meters = breaker->meters,
        .word = word,
        .judges = !over && !breakers_frozen(breaker),
        .over = over,
        .leaving = breakers->leaving,
        .now_ns = breakers->now_ns,
        .now_ticks = breakers->now_ticks,
        .error = breakers_error_told,
        .context = breakers,
    };
    breakers_bell_look(breakers, slot);
    drain_breaker(breakers->drain, &turn, &found);
    breaker->untold = found.untold;
    if (found.counted) {
        breakers_enliven(breakers, slot);
        breakers->unused_by[slot] = NOBODY;
        breaker->latency_stale = breaker->reporters_stale = true;
        breakers_seen(breakers, slot);
        breakers_limits_counted(breakers, slot);
    }
    if (found.strayed)
        breakers_strays(breakers, &breaker->meters);
    return found.counted || (found.in_flight_moved && breaker->settings->trip.in_flight);
}

bool breakers_drain(struct breakers *breakers, uint32_t slot)
{
    const uint64_t before = breakers->segment->mirror[slot], found = breakers_raw_word(breakers, slot);
    bool news = false;
    /* A client opened it: the calls that it counted until then led to the opening. */
    if (word_counts_streak(before) && word_valid(found) && epoch_after(word_epoch(found), word_epoch(before)))
        news = turn(breakers, slot, before, true);
    const uint64_t word = breakers_word(breakers, slot);
    const bool moved = word_epoch(word) != word_epoch(before);
    return turn(breakers, slot, word, false) || news || moved;
}

/* --------------------------------------------------------------------------------------------------------- settling */

/* Does time demand a step of the state, and which one? */
static bool due_step(const struct breakers *breakers, uint32_t slot, uint64_t word, struct move *ret_move)
{
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    const uint64_t now_ms = breakers_now_ms(breakers);
    const bool due = word_due(word, now_ms, policy->longest_ms);
    switch (word_state(word)) {
    case WORD_OPEN:
        *ret_move = (struct move){.to = WORD_HALF_OPEN};
        return due;
    case WORD_PROBING: /* half-open with permits follows at once */
        *ret_move = (struct move){.to = WORD_OPEN, .reason = TRIP_REASON_MAX_WAIT, .neutral = true};
        return due || breakers_lane_dead(breakers, word_probe_lane(word));
    case WORD_RAMPING:
        *ret_move = (struct move){.to = WORD_CLOSED};
        return word_ramp_over(word, policy->ramp_end, now_ms);
    default:
        return false;
    }
}

static bool step_by_time(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    struct move move;
    if (!due_step(breakers, slot, word, &move))
        return false;
    breakers_move(breakers, slot, word, &move);
    return true;
}

/* Moves a ramp's share, which is no step of the state. True: look again. */
static bool step_of_ramp(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    uint64_t next_ns;
    if (word_state(word) != WORD_RAMPING)
        return false;
    const uint32_t permille = core_ramp_permille(segment_core(breakers->segment, slot), breakers->table[slot].settings,
                                                 breakers->now_ns, &next_ns);
    const uint64_t stepped = word_with_permille(word, permille);
    if (stepped == word)
        return false;
    if (breakers_cas(breakers, slot, word, stepped))
        segment_mirror(breakers->segment, slot, stepped);
    return true;
}

/* Takes the step of a streak that grew while a mode kept the state. */
static bool step_by_streak(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const uint64_t threshold = breakers->table[slot].settings->trip.consecutive_failures;
    if (!word_counts_streak(word) || threshold == 0 || word_streak(word) < threshold)
        return false;
    const struct move move = move_by_streak(word);
    breakers_move(breakers, slot, word, &move);
    return true;
}

/* Takes the step that the image demands. True: look again, also if another process was faster. */
static bool step_by_verdict(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const struct core_state *core = segment_core(breakers->segment, slot);
    if (word_state(word) == WORD_HALF_OPEN && breakers_permits_count(breakers, slot, word))
        core = segment_core(breakers->segment, slot);
    const struct core_verdict verdict =
        core_judge(core, breakers->table[slot].settings, word_state(word), core->head.in_flight, breakers->now_ns);
    if (!verdict.move)
        return false;
    const struct move move = {.to = verdict.to, .reason = verdict.reason, .condition = verdict.condition};
    breakers_move(breakers, slot, word, &move);
    return true;
}

void breakers_settle(struct breakers *breakers, uint32_t slot)
{
    uint64_t word = 0;
    breakers_look_at_mode(breakers, slot);
    const bool frozen = breakers_frozen(&breakers->table[slot]);
    for (unsigned step = 0; step < STEPS_MAX; step++) {
        word = breakers_word(breakers, slot);
        if (frozen || (!step_by_streak(breakers, slot, word) && !step_by_verdict(breakers, slot, word) &&
                       !step_by_time(breakers, slot, word) && !step_of_ramp(breakers, slot, word)))
            break;
    }
    if (word_state(word) == WORD_HALF_OPEN && !frozen)
        breakers_permits_renew(breakers, slot, word);
    breakers_bell_set(breakers, slot, word);
    breakers_schedule(breakers, slot, word);
}

void breakers_turn_touched(struct breakers *breakers)
{
    while (breakers->touched != NONE) {
        const uint32_t slot = breakers->touched;
        breakers->touched = breakers->table[slot].next;
        breakers->table[slot].touched = false;
        breakers_drain(breakers, slot);
        breakers_settle(breakers, slot);
    }
}
