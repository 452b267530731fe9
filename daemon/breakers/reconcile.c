/* Checks state words as they are found in the commons, where anybody can write. A step that a client may take is
 * recorded; anything else is damage, and put right from the mirror. */
#include "breakers/reconcile.h"

#include "breakers/move.h"
#include "breakers/policy.h"
#include "breakers/word.h"

#define TRIES 16 /* a word that somebody changes all the time has to wait for the next occasion */

uint64_t breakers_restored(struct breakers *breakers, uint32_t slot, uint64_t mirror, uint32_t epoch)
{
    const struct breaker *const breaker = &breakers->table[slot];
    const uint64_t now_ms = breakers_now_ms(breakers);
    const uint64_t ramp_end = breakers->segment->policies[slot].ramp_end;
    epoch &= WORD_EPOCH_MASK;
    switch (word_state(mirror)) {
    case WORD_OPEN:
        return word_open(epoch, word_deadline_ms(mirror));
    case WORD_HALF_OPEN: /* leases may run that the mirror does not show */
        return word_half_open(epoch, lease_end_ms(now_ms, breaker->settings->half_open.max_wait / 1000000));
    case WORD_PROBING: /* nobody probes: half-open with permits follows */
        return word_open(epoch, now_ms);
    case WORD_RAMPING:
        segment_ramp_end_publish(breakers->segment, slot, epoch, ramp_end_ms(ramp_end));
        return word_ramping(epoch, word_permille(mirror), word_streak(mirror), breaker->generation);
    default:
        return word_closed(epoch, word_streak(mirror), breaker->generation);
    }
}

/* ---------------------------------------------------------------------------------------------- what clients may do */

/* Returns the mirror's word with the parts from this word, of the same epoch, that clients may change without a new
 * epoch. */
static uint64_t as_it_should_be(const struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t mirror)
{
    if (word_state(word) != word_state(mirror))
        return mirror;
    switch (word_state(word)) {
    case WORD_CLOSED:
        return word_closed(word_epoch(word), word_streak(word), breakers->table[slot].generation);
    case WORD_RAMPING:
        return word_ramping(word_epoch(word), word_permille(mirror), word_streak(word),
                            breakers->table[slot].generation);
    case WORD_HALF_OPEN:
        return word;
    default:
        return mirror;
    }
}

/* Tells why a client opened the breaker. */
static trip_reason reason_of(const struct breakers *breakers, uint64_t from, uint64_t to)
{
    switch (word_state(from)) {
    case WORD_CLOSED:
        return TRIP_REASON_CONSECUTIVE;
    case WORD_RAMPING:
        return TRIP_REASON_RELAPSE;
    default: /* the client gave its probe back without an outcome, so that the word is due at once */
        return word_deadline_ms(to) > breakers_now_ms(breakers) ? TRIP_REASON_PROBE_FAILED : TRIP_REASON_MAX_WAIT;
    }
}

/* Tells when a client opened the breaker, from its deadline. */
static uint64_t opened_ns(const struct breakers *breakers, uint32_t slot, uint64_t to)
{
    const uint64_t deadline_ms = word_deadline_ms(to), lasts_ms = breakers->segment->policies[slot].next_open_ms;
    const uint64_t since_ns = deadline_ms > lasts_ms ? breakers_ms_to_ns(deadline_ms - lasts_ms) : 0;
    return since_ns < breakers->now_ns ? since_ns : breakers->now_ns;
}

/* Records a step that word and mirror show and nobody recorded: a client's, or one that tripd took before it was
 * killed. tripd wrote its reason and its word before the step, where no client can write. */
static void record_step(struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to)
{
    const struct detail_slot *const detail = &breakers->segment->details[slot];
    struct move move = {.to = word_state(to), .by = BY_CLIENT};
    uint64_t at_ns = breakers->now_ns;
    if (move.to == WORD_OPEN) {
        const bool own = to == detail->intended && detail->reason < TRIP_REASON_COUNT;
        move.reason = own ? (trip_reason)detail->reason : reason_of(breakers, from, to);
        if (move.reason == TRIP_REASON_RELAPSE) /* a client's relapse is by the streak */
            move.condition = own ? (trip_reason)detail->condition : TRIP_REASON_CONSECUTIVE;
        move.by = own ? BY_DAEMON : BY_CLIENT;
        move.neutral = move.reason == TRIP_REASON_MAX_WAIT;
        if (!move.neutral)
            at_ns = opened_ns(breakers, slot, to);
    }
    breakers_record(breakers, slot, from, to, &move, at_ns);
    breakers_publish_next_open(breakers, slot, NULL, 0);
}

/* ------------------------------------------------------------------------------------------------------------- both */

/* Checks the word. False: read it again. */
static bool check(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const uint64_t mirror = breakers->segment->mirror[slot];
    const bool same_epoch = word_epoch(word) == word_epoch(mirror);
    uint64_t right = word;
    if (!word_valid(word) || (!same_epoch && !epoch_after(word_epoch(word), word_epoch(mirror))))
        right = breakers_restored(breakers, slot, mirror, word_epoch(mirror) + 1);
    else if (same_epoch)
        right = as_it_should_be(breakers, slot, word, mirror);
    if (right != word) {
        if (!breakers_cas(breakers, slot, word, right))
            return false;
        if (word_state(right) == WORD_OPEN && word_state(mirror) == WORD_PROBING)
            breakers_record(breakers, slot, mirror, right,
                            &(struct move){.to = WORD_OPEN, .reason = TRIP_REASON_MAX_WAIT, .neutral = true},
                            breakers->now_ns);
        segment_mirror(breakers->segment, slot, right);
        return false;
    }
    if (!same_epoch)
        record_step(breakers, slot, mirror, word);
    else if (word != mirror)
        segment_mirror(breakers->segment, slot, word);
    return same_epoch;
}

uint64_t breakers_word(struct breakers *breakers, uint32_t slot)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        const uint64_t word = breakers_raw_word(breakers, slot);
        breakers_look_at_clock(breakers); /* after reading the word: state_word.h */
        if (check(breakers, slot, word))
            return word;
    }
    return breakers->segment->mirror[slot];
}
