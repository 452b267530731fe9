/* Each heartbeat looks at the breakers that moved since the last one, and at those that change by time. */
#include <string.h>

#include "breakers/lanes.h"
#include "breakers/latency.h"
#include "breakers/limits.h"
#include "breakers/meters.h"
#include "breakers/reporters.h"
#include "breakers/settle.h"
#include "breakers/tell.h"
#include "breakers/word.h"

/* Takes up the lanes whose readers found no memory when the lanes came. */
static void lanes_late(struct breakers *breakers)
{
    for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes); lane++)
        if (lanes_get(breakers->options.lanes, lane) && !breakers->readers[lane])
            breakers_lane_came(breakers, lanes_get(breakers->options.lanes, lane));
}

bool breakers_count(struct breakers *breakers, uint32_t slot)
{
    const bool news = breakers_drain(breakers, slot);
    const bool probed = word_state(breakers->segment->mirror[slot]) == WORD_HALF_OPEN;
    if (news || probed)
        breakers_settle(breakers, slot);
    return news || probed;
}

/* Looks at one breaker. True: it may change even if no call comes. */
static bool look_at(struct breakers *breakers, uint32_t slot)
{
    const struct breaker *const breaker = &breakers->table[slot];
    const bool news = breakers_count(breakers, slot);
    if (breaker->latency_stale)
        breakers_publish_latency(breakers, slot);
    if (breaker->reporters_stale)
        breakers_publish_reporters(breakers, slot);
    const bool limits = breakers_limits_look(breakers, slot);
    if (breakers->now_ns >= breaker->steps.until_ns)
        breakers_tell_rest(breakers, slot);
    return news || limits || breaker->steps.rest.steps;
}

static void begin_suspecting(struct breakers *breakers)
{
    breakers->suspect_count = 0;
    memset(breakers->blocks, 0, sizeof(breakers->blocks));
}

void breakers_heartbeat(struct breakers *breakers, uint32_t slot)
{
    look_at(breakers, slot);
    breakers_limits_reclaim(breakers);
}

void breakers_drain_all(struct breakers *breakers)
{
    breakers_look_at_clock(breakers);
    breakers_take_dirty(breakers);
    lanes_late(breakers);
    breakers->assembled = true;
    breakers_collect_all(breakers);
    breakers_drain_nobodys(breakers);
    begin_suspecting(breakers);
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++)
        if (breakers->table[slot].settings)
            look_at(breakers, slot);
    breakers_limits_reclaim(breakers);
    breakers_turn_touched(breakers);
}

/* ------------------------------------------------------------------------------------------------------- heartbeats */

static void look_for_moved(struct breakers *breakers, struct lane_reader *reader)
{
    lanes_reading(breakers->options.lanes, reader->number);
    if (lane_reader_moved(reader))
        breakers_set_bit(breakers->ready, reader->number);
    lanes_reading(breakers->options.lanes, 0);
}

static void is_lively(void *context, struct meter_cursor *meter)
{
    struct breakers *const breakers = context;
    if (meter->breaker != NO_BREAKER)
        breakers_enliven(breakers, meter->breaker);
    else
        breakers->nobodys_moved = true;
}

static void beat_of(struct breakers *breakers, struct lane_reader *reader)
{
    lane_reader_beat(reader, is_lively, breakers);
}

/* Looks for words that differ from what tripd knows: their clients were killed before they told of a step, or the word
 * is damaged. A slot that never had a name has no mirror, and its word may have no memory. */
static void look_at_words(struct breakers *breakers)
{
    const uint64_t *const mirror = breakers->segment->mirror;
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++)
        if (mirror[slot] &&
            (mirror[slot] != breakers_raw_word(breakers, slot) || word_state(mirror[slot]) == WORD_HALF_OPEN))
            breakers_enliven(breakers, slot);
}

static void look_at_lively(struct breakers *breakers)
{
    for (uint32_t word = 0; word <= breakers->segment->slots / 64; word++)
        for (uint64_t left = breakers->lively[word]; left; left &= left - 1) {
            const uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (!breakers->table[slot].settings || !look_at(breakers, slot))
                breakers_clear_bit(breakers->lively, slot);
        }
}

void breakers_beat(struct breakers *breakers)
{
    if (!breakers->assembled)
        breakers_drain_all(breakers);
    breakers_look_at_clock(breakers);
    breakers_take_dirty(breakers);
    lanes_late(breakers);
    breakers_for_lanes(breakers, breakers->lanes, look_for_moved);
    segment_round(breakers->segment);     /* after the bits of the last round were taken: announce.h */
    breakers_collect_and_watch(breakers); /* a call that begins beside one that hangs rings nobody */
    breakers_for_lanes(breakers, breakers->lanes, beat_of);
    if (breakers->nobodys_moved)
        breakers_drain_nobodys(breakers);
    breakers->nobodys_moved = false;
    look_at_words(breakers);
    begin_suspecting(breakers);
    look_at_lively(breakers);
    breakers_limits_reclaim(breakers);
    breakers_turn_touched(breakers);
}
