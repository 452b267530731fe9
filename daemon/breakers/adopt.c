/* Adopts the segment of an earlier worker. A transaction that it committed is carried out; every state word is looked
 * at, and a step that has no record gets one; policies are published anew, for the config may have changed; and every
 * breaker is judged again, which is safe because decisions are functions of the image. */
#include "breakers/adopt.h"

#include "breakers/limits.h"
#include "breakers/move.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/settle.h"
#include "internal/succession.h"

/* May a probe still run that the last commons admitted? By a permit, or because a client took an open breaker's next
 * step while no tripd was there, which no mirror shows. */
static bool may_be_probed(uint64_t mirror, uint64_t now_ms)
{
    return word_state(mirror) == WORD_HALF_OPEN || word_state(mirror) == WORD_PROBING ||
           (word_state(mirror) == WORD_OPEN && word_deadline_ms(mirror) <= now_ms);
}

/* Returns the word for a new commons. If a probe admitted in the last commons may still run, the breaker is open until
 * the longest lease is over, by the settings of that time. */
static uint64_t fresh_word(struct breakers *breakers, uint32_t slot, uint64_t mirror)
{
    const uint32_t epoch = (word_epoch(mirror) + WORD_FRESH_COMMONS_EPOCHS) & WORD_EPOCH_MASK;
    const uint64_t now_ms = breakers_now_ms(breakers);
    const uint64_t max_wait_ms = half_open_max_wait_ms(breakers->segment->policies[slot].half_open);
    return may_be_probed(mirror, now_ms) ? word_open(epoch, lease_end_ms(now_ms, max_wait_ms))
                                         : breakers_restored(breakers, slot, mirror, epoch);
}

/* Fills a word of a new commons, for the last one's words are gone. */
static void fill_word(struct breakers *breakers, uint32_t slot)
{
    const uint64_t mirror = breakers->segment->mirror[slot];
    const uint64_t word = fresh_word(breakers, slot, mirror);
    /* No client has been given this commons yet. The mirror is stored last: if this worker is killed before, the next
     * one finds the same mirror and does the same again. */
    __atomic_store_n(commons_word(breakers->commons, slot), word, __ATOMIC_RELEASE);
    if (word_state(word) != word_state(mirror))
        breakers_record(breakers, slot, mirror, word,
                        &(struct move){.to = word_state(word), .reason = TRIP_REASON_MAX_WAIT, .neutral = true},
                        breakers->now_ns);
    segment_mirror(breakers->segment, slot, word);
}

/* Returns the generation of the newest judge, or the word's if its judge is still there. */
static uint32_t generation_of(const struct breakers *breakers, uint32_t slot)
{
    return judge_generation(policy_newest_judge(&breakers->segment->policies[slot]));
}

static void adopt_slot(struct breakers *breakers, uint32_t slot, bool fresh_commons)
{
    struct segment *const segment = breakers->segment;
    struct breaker *const breaker = &breakers->table[slot];
    const struct core_state *const core = segment_core(segment, slot);
    breakers_watch(breakers, slot, config_settings_for(breakers->options.config, segment_name(segment, slot)));
    breaker->generation = generation_of(breakers, slot);
    breaker->untold = true;
    breaker->reporters_stale = true; /* of those that were shown some may be gone */
    breakers_enliven(breakers, slot);
    breaker->mode = judge_mode(policy_newest_judge(&segment->policies[slot])); /* as the last tripd saw it */
    breaker->used_ms = segment->details[slot].used_ms;
    breakers_unused(breakers, slot);
    breaker->permits_out = core->head.totals.opens != 0;
    if (fresh_commons) {
        fill_word(breakers, slot);
        breakers_limits_begin(breakers, slot);
    }
    breakers_word(breakers, slot);
    breakers_configure_again(breakers, slot, breakers->options.config,
                             &(struct breakers_actor){.by = BY_DAEMON, .reason = "while no tripd ran"});
    breakers_limits_from_now(breakers, slot);
    breakers_touch(breakers, slot);
}

int breakers_adopt(struct breakers *breakers)
{
    const uint64_t commons_id = breakers->commons->commons_id;
    const bool fresh_commons = breakers->segment->header->commons_id != commons_id;
    breakers_look_at_clock(breakers);
    breakers->recovering = true;
    segment_recover(breakers->segment);
    breakers->recovering = false;
    if (fresh_commons)
        segment_commons_begin(breakers->segment);
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++) {
        breakers_limits_adopt(breakers, slot);
        if (segment_used(breakers->segment, slot))
            adopt_slot(breakers, slot, fresh_commons);
    }
    segment_commons_publish(breakers->segment, commons_id);
    for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes); lane++)
        if (lanes_get(breakers->options.lanes, lane))
            breakers_lane_came(breakers, lanes_get(breakers->options.lanes, lane));
    breakers_turn_touched(breakers);
    return 0;
}

/* ----------------------------------------------------------------------- what a client brings of the commons before */

#define TRIES 1000

/* Does the breaker take over openings from earlier commons? Not in a mode that keeps its state. */
static bool takes_openings(const struct breakers *breakers, uint32_t slot)
{
    return slot < breakers->segment->slots && breakers->table[slot].settings &&
           !breakers_frozen(&breakers->table[slot]);
}

/* Tells why a client opened the breaker, as far as the word shows it. */
static trip_reason reason_before(uint64_t now_word)
{
    switch (word_state(now_word)) {
    case WORD_RAMPING:
        return TRIP_REASON_RELAPSE;
    case WORD_OPEN:
        return TRIP_REASON_PROBE_FAILED;
    default:
        return TRIP_REASON_CONSECUTIVE;
    }
}

void breakers_opened_before(struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t number)
{
    const struct segment *const segment = breakers->segment;
    if (!takes_openings(breakers, slot))
        return;
    breakers_drain(breakers, slot);
    for (unsigned tries = 0; tries < TRIES; tries++) { /* clients count on the word meanwhile */
        const uint64_t now_word = breakers_word(breakers, slot), now_ms = breakers_now_ms(breakers);
        if (!word_outlives(word, number, &segment->rests[slot], now_word, now_ms, segment->policies[slot].longest_ms))
            break;
        const struct move move = {.to = WORD_OPEN,
                                  .reason = reason_before(now_word),
                                  .for_ms = word_deadline_ms(word) - now_ms,
                                  .by = BY_CLIENT};
        if (breakers_move(breakers, slot, now_word, &move))
            break;
    }
    breakers_settle(breakers, slot);
}
