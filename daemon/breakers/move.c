/* A state moves. The CAS of the state word is the step; what follows from it (image, details, ring, mirror) is written
 * in one transaction of the journal, so that each step is recorded once wherever tripd dies: before the CAS nothing has
 * happened; after it, word and mirror differ and adoption records the step; from the commit on the journal does. */
#include "breakers/move.h"

#include <string.h>

#include "breakers/policy.h"
#include "breakers/tell.h"
#include "breakers/word.h"

/* ------------------------------------------------------------------------------------------------- recording a step */

static void note_in_core(struct core_state *core, const struct breaker_settings *settings, uint64_t from, uint64_t to,
                         const struct move *move, uint64_t at_ns)
{
    uint64_t unjittered_ns = core->last_open_ns;
    switch (word_state(to)) {
    case WORD_OPEN:
        if (!move->neutral)
            core_next_open_ns(core, settings, at_ns, 0, &unjittered_ns);
        core_opened(core, at_ns, unjittered_ns, move->reason, move->condition);
        break;
    case WORD_HALF_OPEN:
    case WORD_PROBING:
        core_half_opened(core, at_ns);
        break;
    case WORD_RAMPING:
        core_closed(core, settings, at_ns);
        break;
    default:
        if (move->reset)
            core_reset(core, settings, at_ns);
        else if (word_state(from) != WORD_RAMPING)
            core_closed(core, settings, at_ns);
        core_ramp_ended(core, at_ns);
    }
}

void breakers_record(struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to, const struct move *move,
                     uint64_t at_ns)
{
    struct core_state *const core = segment_begin(breakers->segment, slot);
    breakers_enliven(breakers, slot);
    breakers->unused_by[slot] = NOBODY; /* called at least by processes that are not counted */
    struct journal_mark mark = {
        .kind = JOURNAL_STEP,
        .step = {.from = from,
                 .to = to,
                 .at_ms = at_ns / 1000000,
                 .slot = slot,
                 .uid = move->uid,
                 .reason = (uint8_t)move->reason,
                 .condition = (uint8_t)move->condition,
                 .by = (uint8_t)move->by},
    };
    if (move->note)
        memcpy(mark.step.note, move->note, strnlen(move->note, sizeof(mark.step.note) - 1));
    note_in_core(core, breakers->table[slot].settings, from, to, move, at_ns);
    segment_mark(breakers->segment, &mark);
    segment_commit(breakers->segment);
}

/* Was it written before the kill? */
static bool in_ring(const struct segment *segment, uint32_t slot, uint32_t epoch)
{
    const uint64_t next = segment->header->transition_next;
    for (uint64_t i = 1; i <= TRANSITION_RING && i <= next; i++) {
        const struct transition *const entry = &segment->transitions[(next - i) % TRANSITION_RING];
        if (entry->of == OF_STATE && entry->breaker == slot && entry->epoch == epoch)
            return true;
    }
    return false;
}

void breakers_step_store(struct breakers *breakers, const struct step_mark *step)
{
    const uint64_t from = step->from, to = step->to, at_ms = step->at_ms;
    const uint32_t slot = step->slot;
    struct segment *const segment = breakers->segment;
    if (slot >= segment->slots)
        return;
    const bool opened = word_state(to) == WORD_OPEN;
    struct transition transition = {
        .breaker = slot,
        .from = (uint8_t)word_shown_state(from),
        .to = (uint8_t)word_shown_state(to),
        .reason = (uint8_t)(opened ? step->reason : TRIP_REASON_NONE),
        .condition = (uint8_t)(opened ? step->condition : TRIP_REASON_NONE),
        .by = step->by,
        .uid = step->uid,
        .epoch = word_epoch(to),
        .at_ms = at_ms,
        .at_unix_ms = segment_wall_ms(segment),
    };
    memcpy(transition.note, step->note, sizeof(transition.note) - 1);
    segment_detail_state(segment, slot, opened ? transition.reason : segment->details[slot].reason, at_ms,
                         opened ? word_deadline_ms(to) : 0);
    if (opened)
        segment_detail_condition(segment, slot, transition.condition);
    const bool known = breakers->recovering && in_ring(segment, slot, transition.epoch);
    const bool shown = (transition.from != transition.to || opened) && !known;
    if ((opened || word_state(to) == WORD_CLOSED) && !known) /* on the way back it stays known who opened */
        segment_detail_actor(segment, slot, transition.by, transition.uid, transition.note);
    if (shown)
        breakers_tell_step(breakers, slot, &transition);
    segment_mirror(segment, slot, to);
    breakers_stepped(breakers, slot);
}

/* ------------------------------------------------------------------------------------------------- tripd's own step */

static uint64_t now_ms_up(const struct breakers *breakers)
{
    return (breakers->now_ns + 999999) / 1000000;
}

static uint64_t open_word(struct breakers *breakers, uint32_t slot, uint64_t from, const struct move *move)
{
    const uint64_t published_ms = breakers->segment->policies[slot].next_open_ms;
    const uint64_t for_ms = move->neutral ? 0 : move->for_ms ? move->for_ms : published_ms;
    const uint64_t until_ms = now_ms_up(breakers) + for_ms;
    if (for_ms > published_ms) /* clients take a deadline beyond the longest for damage */
        breakers_publish_next_open(breakers, slot, NULL, for_ms + 1);
    /* Before the CAS: a kill after it leaves the reason. */
    const uint64_t to = word_open(word_epoch(from) + 1, until_ms);
    segment_detail_state(breakers->segment, slot, move->reason, breakers_now_ms(breakers), until_ms);
    segment_detail_condition(breakers->segment, slot, move->condition);
    segment_detail_intended(breakers->segment, slot, to);
    return to;
}

static uint64_t half_open_word(struct breakers *breakers, uint32_t slot, uint64_t from)
{
    const struct breaker_settings *const settings = breakers->table[slot].settings;
    /* As long as a lease that is taken at once: nobody takes the word over meanwhile. */
    return word_half_open(word_epoch(from) + 1,
                          lease_end_ms(breakers_now_ms(breakers), (settings->half_open.max_wait + 999999) / 1000000));
}

static uint64_t ramping_word(struct breakers *breakers, uint32_t slot, uint64_t from)
{
    const struct breaker *const breaker = &breakers->table[slot];
    const uint32_t epoch = (word_epoch(from) + 1) & WORD_EPOCH_MASK;
    const uint64_t end_ns = breakers->now_ns + breaker->settings->ramp.over;
    segment_ramp_end_publish(breakers->segment, slot, epoch, (end_ns + 999999) / 1000000);
    return word_ramping(epoch, breaker->settings->ramp.steps[0], 0, breaker->generation);
}

static uint64_t closed_word(struct breakers *breakers, uint32_t slot, uint64_t from, const struct move *move)
{
    if (word_state(from) == WORD_RAMPING && !move->reset)
        return word_after_ramp(from);
    return word_closed(word_epoch(from) + 1, 0, breakers->table[slot].generation);
}

/* What must stand before anybody sees the new word. */
static uint64_t prepare(struct breakers *breakers, uint32_t slot, uint64_t from, const struct move *move)
{
    struct core_state core;
    switch (move->to) {
    case WORD_OPEN:
        return open_word(breakers, slot, from, move);
    case WORD_HALF_OPEN:
        return half_open_word(breakers, slot, from);
    case WORD_RAMPING:
        breakers_publish_next_open(breakers, slot, NULL, 0);
        return ramping_word(breakers, slot, from);
    default:
        core = *segment_core(breakers->segment, slot);
        if (move->reset)
            core_reset(&core, breakers->table[slot].settings, breakers->now_ns);
        breakers_publish_next_open(breakers, slot, &core, 0);
        return closed_word(breakers, slot, from, move);
    }
}

bool breakers_move(struct breakers *breakers, uint32_t slot, uint64_t from, const struct move *move)
{
    const uint64_t to = prepare(breakers, slot, from, move);
    breakers_will_admit(breakers, slot, to);
    if (!breakers_cas(breakers, slot, from, to)) {
        segment_detail_intended(breakers->segment, slot, 0);
        breakers_stepped(breakers, slot);
        return false;
    }
    breakers_record(breakers, slot, from, to, move, breakers->now_ns);
    if (move->to == WORD_OPEN)
        breakers_publish_next_open(breakers, slot, NULL, 0);
    else if (move->to == WORD_HALF_OPEN)
        breakers_opening_ended(breakers, slot);
    return true;
}
