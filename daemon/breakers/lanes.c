/* Lanes that come, tell and go.
 *
 *   dirty (commons) ──> ready ──> events into a batch, by meter ──> their breakers drained and settled ──> tails
 *
 * A ring's events may be overwritten only when what they tell is counted: a kill before leaves them to the next worker.
 */
#include "breakers/lanes.h"

#include <string.h>

#include "breakers/limits.h"
#include "breakers/meters.h"
#include "breakers/permits.h"
#include "breakers/settle.h"
#include "breakers/stall.h"
#include "breakers/word.h"
#include "internal/numbers.h"
#include "internal/ticks.h"

/* A lane that tells without end has to wait for the loop's next iteration, and so have breakers with very many meters.
 */
#define EVENTS_LEAST   32                           /* events of a section in one round */
#define ROUNDS_MAX     (LANE_EVENTS / EVENTS_LEAST) /* enough to read a ring that was full when the first one began */
#define COLLECT_METERS 32768                        /* meters read in one go; and in one round */
/* Rounds for lanes that have ended: two read a full ring, after which it is seen not to be full. */
#define LAST_ROUNDS 4
#define LAG_SAMPLES 32 /* of a lane's events in one round, whose waiting is looked at */

/* ---------------------------------------------------------------------------------------------------- bits of lanes */

static uint32_t words_of(const struct breakers *breakers)
{
    return lanes_highest(breakers->options.lanes) / 64 + 1;
}

static bool any_ready(const struct breakers *breakers)
{
    uint64_t any = 0;
    for (uint32_t word = 0; word < words_of(breakers); word++)
        any |= breakers->ready[word];
    return any != 0;
}

bool breakers_pending(struct breakers *breakers)
{
    uint64_t any = 0;
    for (uint32_t word = 0; word < words_of(breakers); word++)
        /* Relaxed: doorbell_sleep's fence comes before this load, the client's fence between its bit and the bell. */
        any |= breakers->lanes[word] & __atomic_load_n(&breakers->commons->header->dirty[word], __ATOMIC_RELAXED);
    return any != 0 || any_ready(breakers);
}

void breakers_take_dirty(struct breakers *breakers)
{
    for (uint32_t word = 0; word < words_of(breakers); word++) {
        uint64_t *const dirty = &breakers->commons->header->dirty[word];
        if (__atomic_load_n(dirty, __ATOMIC_RELAXED))
            breakers->ready[word] |= breakers->lanes[word] & __atomic_exchange_n(dirty, 0, __ATOMIC_SEQ_CST);
    }
    /* Pairs with the client's fence between its event and its look at the bit: either it sees the bit cleared and sets
     * it again, or we see the event. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---------------------------------------------------------------------------------------------------------- telling */

static void taken(void *context, struct meter_cursor *meter)
{
    struct breakers *const breakers = context;
    meter->next_told = breakers->told;
    breakers->told = meter;
    if (meter->breaker != NO_BREAKER)
        breakers_touch(breakers, meter->breaker);
}

static bool watches(const struct breaker_settings *settings)
{
    return settings->trip.stall_after || settings->trip.in_flight;
}

/* Touches breakers that this lane's events need not name: those whose calls in flight are watched, and those of a
 * section of which some events were not taken, because its ring was full or a thread was held up while it wrote one.
 * For every other breaker, a taken event or the heartbeat names its evidence and each step of its word. */
static void touch_unnamed(struct breakers *breakers, const struct lane_reader *reader)
{
    const bool watched = breakers->stall_watchers || breakers->in_flight_watchers;
    if (!watched && !lane_reader_untaken(reader))
        return;
    for (uint32_t number = 0; number < reader->meters; number++) {
        const struct meter_cursor *const meter = lane_reader_meter(reader, number);
        if (!meter || meter->breaker == NO_BREAKER)
            continue;
        if (section_cursor_untaken(meter_cursor_ring(meter)) || watches(breakers->table[meter->breaker].settings))
            breakers_touch(breakers, meter->breaker);
    }
}

/* Takes events of all rings of a lane. True: there are more. */
static bool take_lane(struct breakers *breakers, struct lane_reader *reader, uint32_t most)
{
    bool again = false;
    lanes_reading(breakers->options.lanes, reader->number);
    breakers_look_for_meters(breakers, reader);
    for (uint32_t section = 0; section < reader->section_count; section++)
        again |= lane_reader_take(reader, section, &breakers->drain->batch, most, taken, breakers);
    touch_unnamed(breakers, reader);
    lanes_reading(breakers->options.lanes, 0);
    return again;
}

/* Gives the events back to the client, for they are counted. */
static void release_lane(struct breakers *breakers, struct lane_reader *reader)
{
    lanes_reading(breakers->options.lanes, reader->number);
    for (uint32_t section = 0; section < reader->section_count; section++)
        lane_reader_release(reader, section);
    lanes_reading(breakers->options.lanes, 0);
}

static void empty_batch(struct breakers *breakers)
{
    for (struct meter_cursor *meter = breakers->told; meter; meter = meter->next_told)
        meter->told_first = meter->told_last = 0;
    breakers->told = NULL;
    breakers->drain->batch.count = 0;
}

void breakers_for_lanes(struct breakers *breakers, const uint64_t *bits,
                        void (*each)(struct breakers *breakers, struct lane_reader *reader))
{
    for (uint32_t word = 0; word < words_of(breakers); word++)
        for (uint64_t left = bits[word]; left; left &= left - 1) {
            const uint32_t lane = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (breakers->readers[lane])
                each(breakers, breakers->readers[lane]);
        }
}

static void count_telling(struct breakers *breakers, struct lane_reader *reader)
{
    lanes_reading(breakers->options.lanes, reader->number);
    breakers->telling += lane_reader_telling(reader);
    lanes_reading(breakers->options.lanes, 0);
}

/* Counts how long the events from place `first` of the batch on have waited: of many events every few, for as many. */
static void count_lag(struct breakers *breakers, uint32_t first)
{
    const struct told_batch *const batch = &breakers->drain->batch;
    const uint32_t step = 1 + (batch->count - first) / LAG_SAMPLES;
    for (uint32_t at = first; at < batch->count; at += step)
        segment_host_lag(breakers->segment, ticks_between(batch->events[at].ticks, breakers->now_ticks),
                         at_most(step, batch->count - at));
}

static void take_share(struct breakers *breakers, struct lane_reader *reader)
{
    const uint32_t first = breakers->drain->batch.count;
    /* Each section gets its part of the batch, so that the events of a batch are of about the same time. */
    const uint32_t part = breakers->drain->batch.capacity / (breakers->telling ? breakers->telling : 1);
    if (take_lane(breakers, reader, part > EVENTS_LEAST ? part : EVENTS_LEAST))
        breakers_set_bit(breakers->ready, reader->number);
    count_lag(breakers, first);
}

static void collect_round(struct breakers *breakers)
{
    uint64_t now[COMMONS_LANES_MAX / 64];
    memcpy(now, breakers->ready, sizeof(now));
    memset(breakers->ready, 0, sizeof(breakers->ready));
    breakers->telling = 0;
    breakers_look_at_clock(breakers);
    breakers_for_lanes(breakers, now, count_telling);
    breakers_for_lanes(breakers, now, take_share);
    breakers_turn_touched(breakers);
    breakers_for_lanes(breakers, now, release_lane);
    empty_batch(breakers);
}

void breakers_collect(struct breakers *breakers)
{
    const uint64_t until = breakers->drain->meters_read + COLLECT_METERS;
    for (unsigned round = 0; round < ROUNDS_MAX && any_ready(breakers) && breakers->drain->meters_read < until; round++)
        collect_round(breakers);
}

void breakers_collect_told(struct breakers *breakers)
{
    breakers_take_dirty(breakers);
    breakers_collect(breakers);
}

void breakers_collect_all(struct breakers *breakers)
{
    memcpy(breakers->ready, breakers->lanes, sizeof(breakers->ready));
    breakers_collect(breakers);
}

void breakers_collect_and_watch(struct breakers *breakers)
{
    uint64_t told[COMMONS_LANES_MAX / 64];
    memcpy(told, breakers->ready, sizeof(told));
    breakers_collect(breakers);
    if (breakers->stall_watchers)
        breakers_for_lanes(breakers, told, breakers_stall_look);
}

void breakers_rung(struct breakers *breakers)
{
    breakers_look_at_clock(breakers);
    breakers_take_dirty(breakers);
    breakers_collect_and_watch(breakers);
}

/* ------------------------------------------------------------------------------------------------- coming and going */

void breakers_lane_came(struct breakers *breakers, struct lane *lane)
{
    const uint32_t number = lane_number(lane);
    if (!breakers->readers[number]) {
        if (lane_reader_new(lane, &breakers->readers[number]) < 0)
            return; /* breakers_drain_all tries again */
        segment_pending_store(breakers->segment, lane_uid(lane), lane_identity(lane));
        breakers_set_bit(breakers->lanes, number);
    }
    breakers_set_bit(breakers->ready, number); /* nobody was told of what it told before */
    breakers_collect(breakers);
    breakers_stall_look(breakers, breakers->readers[number]);
}

bool breakers_lane_blocks(const struct breakers *breakers, uint32_t number)
{
    return breakers_has_bit(breakers->blocks, number) && !breakers_has_bit(breakers->doomed, number);
}

/* A thread of it may run on for a moment and take another ticket: nobody holds that one, and the next heartbeat frees
 * it. */
void breakers_lane_doomed(struct breakers *breakers, uint32_t number)
{
    breakers_set_bit(breakers->doomed, number);
    breakers_tickets_of_lane(breakers, number);
}

/* Touches the breakers of its meters, so that each is settled without this lane. */
static void touch_all(struct breakers *breakers, struct lane_reader *reader)
{
    for (uint32_t number = 0; number < reader->meters; number++) {
        const struct meter_cursor *const meter = lane_reader_meter(reader, number);
        if (meter && meter->breaker != NO_BREAKER)
            breakers_touch(breakers, meter->breaker);
    }
}

static void forget(struct breakers *breakers, struct lane_reader *reader)
{
    const uint32_t number = reader->number;
    breakers_permits_of_lane(breakers, number);
    breakers->readers[number] = NULL;
    breakers_clear_bit(breakers->lanes, number);
    breakers_clear_bit(breakers->ready, number);
    breakers_clear_bit(breakers->doomed, number);
    lane_reader_free(reader);
}

/* Collects what these lanes told; other lanes wait for their turn. */
static void collect_last(struct breakers *breakers)
{
    uint64_t others[COMMONS_LANES_MAX / 64];
    memcpy(others, breakers->ready, sizeof(others));
    memcpy(breakers->ready, breakers->leaving, sizeof(breakers->ready));
    for (unsigned round = 0; round < LAST_ROUNDS && any_ready(breakers); round++)
        collect_round(breakers);
    memcpy(breakers->ready, others, sizeof(others));
}

/* All lanes that end together end in one go: each breaker is drained once, however many of its processes end at once.
 */
void breakers_lanes_gone(struct breakers *breakers, struct lane *const *lanes, uint32_t count)
{
    breakers_collect_told(breakers); /* other lanes' earlier events come before the last ones of these */
    for (uint32_t i = 0; i < count; i++) {
        breakers_tickets_of_lane(breakers, lane_number(lanes[i]));
        breakers_set_bit(breakers->leaving, lane_number(lanes[i])); /* nothing follows: counts are taken as they are */
    }
    collect_last(breakers);
    breakers_for_lanes(breakers, breakers->leaving, touch_all);
    breakers_turn_touched(breakers);
    breakers_for_lanes(breakers, breakers->leaving, touch_all);
    breakers_for_lanes(breakers, breakers->leaving, breakers_unlink_meters);
    breakers_for_lanes(breakers, breakers->leaving, forget);
    breakers_turn_touched(breakers);
    memset(breakers->leaving, 0, sizeof(breakers->leaving));
}
