/* Lanes that come, tell and go; and whose meters are whose.
 *
 *   dirty (commons) ──> ready ──> events into a batch, by meter ──> their breakers drained and settled ──> tails
 *
 * A ring's events may be overwritten only when what they tell is counted: a kill before leaves them to the next worker.
 */
#include "breakers/parts.h"

#include <string.h>

/* A lane that tells without end waits for its next turn of the loop, and so does what lanes tell of breakers that have
 * very many meters. */
#define ROUNDS_MAX     64
#define COLLECT_METERS 32768 /* read in one go; and those of one round */
#define EVENTS_LEAST   32    /* of a section in one round */
/* Of lanes that have ended: a full ring is read in two, and is then seen not to be full. */
#define LAST_ROUNDS 4

/* ------------------------------------------------------------------------------------------------- whose meters are
 * whose */

static void link_to(struct meter_side **chain, struct meter_side *meter)
{
    meter->next = *chain;
    meter->previous = chain;
    if (meter->next)
        meter->next->previous = &meter->next;
    *chain = meter;
}

static void leave_chain(struct meter_side *meter)
{
    *meter->previous = meter->next;
    if (meter->next)
        meter->next->previous = meter->previous;
    if (meter->breaker != NO_BREAKER)
        meter_side_unclaim(meter);
}

void breakers_home(struct breakers *breakers, struct meter_side *meter)
{
    const uint32_t slot = (uint32_t)meter->owner - 1, incarnation = (uint32_t)(meter->owner >> 32) & 0xffff;
    const bool ours = slot < breakers->segment->slots && breakers->table[slot].settings &&
                      segment_incarnation(breakers->segment, slot) == incarnation && meter_side_claim(meter, slot);
    link_to(ours ? &breakers->table[slot].meters : &breakers->nobodys, meter);
    if (ours)
        breakers_touch(breakers, slot);
}

/* Those whose owner was written anew go to where it says now. */
void breakers_strays(struct breakers *breakers, struct meter_side **chain)
{
    struct meter_side *strays = NULL;
    for (struct meter_side *meter = *chain, *next; meter; meter = next) {
        const uint64_t owner = meter_side_owner(meter);
        next = meter->next;
        if (owner == meter->owner || owner == 0)
            continue;
        leave_chain(meter);
        meter->owner = owner;
        link_to(&strays, meter);
    }
    while (strays) {
        struct meter_side *const meter = strays;
        leave_chain(meter);
        breakers_home(breakers, meter);
    }
}

void breakers_homeless(struct breakers *breakers, uint32_t slot)
{
    while (breakers->table[slot].meters) {
        struct meter_side *const meter = breakers->table[slot].meters;
        leave_chain(meter);
        link_to(&breakers->nobodys, meter);
    }
}

static void found(void *context, struct meter_side *meter)
{
    breakers_home(context, meter);
}

/* ---------------------------------------------------------------------------------------------------------- bits of
 * lanes */

static void set_bit(uint64_t *bits, uint32_t bit)
{
    bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void clear_bit(uint64_t *bits, uint32_t bit)
{
    bits[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

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
        /* Relaxed: doorbell_sleep's fence comes before, the client's between its bit and the bell. */
        any |= breakers->lanes[word] & __atomic_load_n(&breakers->commons->header->dirty[word], __ATOMIC_RELAXED);
    return any != 0 || any_ready(breakers);
}

static void take_dirty(struct breakers *breakers)
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

/* ------------------------------------------------------------------------------------------------------------ telling
 */

static void taken(void *context, struct meter_side *meter)
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

/* Breakers that this lane's events need not name: who watches calls in flight, and those of a section some of whose
 * events were not taken, be it that its ring was full or that a thread was held up while it wrote one. All others have
 * their evidence, and each step of their word, named by an event that was taken or by the heartbeat. */
static void touch_unnamed(struct breakers *breakers, const struct lane_side *side)
{
    const bool watched = breakers->stall_watchers || breakers->in_flight_watchers;
    if (!watched && !lane_side_untaken(side))
        return;
    for (uint32_t number = 0; number < side->meters; number++) {
        const struct meter_side *const meter = lane_side_meter(side, number);
        if (!meter || meter->breaker == NO_BREAKER)
            continue;
        if (section_side_untaken(meter_side_ring(meter)) || watches(breakers->table[meter->breaker].settings))
            breakers_touch(breakers, meter->breaker);
    }
}

/* Takes of all rings of a lane; true: come again. */
static bool take_lane(struct breakers *breakers, struct lane_side *side, uint32_t most)
{
    bool again = false;
    lanes_reading(breakers->options.lanes, side->number);
    lane_side_look(side, breakers->now_ticks, found, breakers);
    for (uint32_t section = 0; section < side->section_count; section++)
        again |= lane_side_take(side, section, &breakers->drain->batch, most, taken, breakers);
    touch_unnamed(breakers, side);
    lanes_reading(breakers->options.lanes, 0);
    return again;
}

/* What was taken is counted. */
static void release_lane(struct breakers *breakers, struct lane_side *side)
{
    lanes_reading(breakers->options.lanes, side->number);
    for (uint32_t section = 0; section < side->section_count; section++)
        lane_side_release(side, section);
    lanes_reading(breakers->options.lanes, 0);
}

static void empty_batch(struct breakers *breakers)
{
    for (struct meter_side *meter = breakers->told; meter; meter = meter->next_told)
        meter->told_first = meter->told_last = 0;
    breakers->told = NULL;
    breakers->drain->batch.count = 0;
}

/* Calls `each` for the lanes of these bits. */
static void for_lanes(struct breakers *breakers, const uint64_t *bits,
                      void (*each)(struct breakers *breakers, struct lane_side *side))
{
    for (uint32_t word = 0; word < words_of(breakers); word++)
        for (uint64_t left = bits[word]; left; left &= left - 1) {
            const uint32_t lane = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (breakers->sides[lane])
                each(breakers, breakers->sides[lane]);
        }
}

static void count_sections(struct breakers *breakers, struct lane_side *side)
{
    breakers->sections += lane_sections(side->lane);
}

static void take_turn(struct breakers *breakers, struct lane_side *side)
{
    /* Each its part of the batch: the lanes' events of one batch are of about the same time. */
    const uint32_t part = breakers->drain->batch.capacity / (breakers->sections ? breakers->sections : 1);
    if (take_lane(breakers, side, part > EVENTS_LEAST ? part : EVENTS_LEAST))
        set_bit(breakers->ready, side->number);
}

static void collect_round(struct breakers *breakers)
{
    uint64_t turn[COMMONS_LANES_MAX / 64];
    memcpy(turn, breakers->ready, sizeof(turn));
    memset(breakers->ready, 0, sizeof(breakers->ready));
    breakers->sections = 0;
    for_lanes(breakers, turn, count_sections);
    for_lanes(breakers, turn, take_turn);
    breakers_turn_touched(breakers);
    for_lanes(breakers, turn, release_lane);
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
    take_dirty(breakers);
    breakers_collect(breakers);
}

void breakers_collect_all(struct breakers *breakers)
{
    memcpy(breakers->ready, breakers->lanes, sizeof(breakers->ready));
    breakers_collect(breakers);
}

void breakers_rung(struct breakers *breakers)
{
    uint64_t told[COMMONS_LANES_MAX / 64];
    breakers_look_at_clock(breakers);
    take_dirty(breakers);
    memcpy(told, breakers->ready, sizeof(told));
    breakers_collect(breakers);
    if (breakers->stall_watchers)
        for_lanes(breakers, told, breakers_stall_look);
}

/* --------------------------------------------------------------------------------------------------------- everything
 */

/* Of these meters, which are all the breaker's. */
static void publish_latency(struct breakers *breakers, uint32_t slot, struct meter_side *first, bool alone)
{
    uint64_t counts[LATENCY_BUCKETS];
    memcpy(counts, breakers->segment->details[slot].latency, sizeof(counts));
    for (struct meter_side *meter = first; meter; meter = alone ? NULL : meter->next) {
        lanes_reading(breakers->options.lanes, meter->lane->number);
        meter_side_latency(meter, counts);
    }
    lanes_reading(breakers->options.lanes, 0);
    segment_detail_latency(breakers->segment, slot, counts);
}

void breakers_publish_latency(struct breakers *breakers, uint32_t slot)
{
    publish_latency(breakers, slot, breakers->table[slot].meters, false);
    breakers->table[slot].latency_stale = false;
}

static void drain_nobodys(struct breakers *breakers)
{
    for (struct meter_side *meter = breakers->nobodys; meter; meter = meter->next) {
        lanes_reading(breakers->options.lanes, meter->lane->number);
        drain_nobody(meter);
    }
    lanes_reading(breakers->options.lanes, 0);
    breakers_strays(breakers, &breakers->nobodys);
}

void breakers_find_meters(struct breakers *breakers)
{
    for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes); lane++) {
        if (!breakers->sides[lane])
            continue;
        lanes_reading(breakers->options.lanes, lane);
        lane_side_look(breakers->sides[lane], breakers->now_ticks, found, breakers);
    }
    lanes_reading(breakers->options.lanes, 0);
    drain_nobodys(breakers);
}

/* Those that there was no memory for. */
static void lanes_late(struct breakers *breakers)
{
    for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes); lane++)
        if (lanes_get(breakers->options.lanes, lane) && !breakers->sides[lane])
            breakers_lane_came(breakers, lanes_get(breakers->options.lanes, lane));
}

static bool count(struct breakers *breakers, uint32_t slot)
{
    const bool news = breakers_drain(breakers, slot);
    const bool probed = word_state(breakers->segment->mirror[slot]) == WORD_HALF_OPEN;
    if (news || probed)
        breakers_settle(breakers, slot);
    return news || probed;
}

void breakers_count(struct breakers *breakers, uint32_t slot)
{
    count(breakers, slot);
}

/* True: it may change though no call comes. */
static bool look_at(struct breakers *breakers, uint32_t slot)
{
    const struct breaker *const breaker = &breakers->table[slot];
    const bool news = count(breakers, slot);
    if (breaker->latency_stale)
        breakers_publish_latency(breakers, slot);
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
    take_dirty(breakers);
    lanes_late(breakers);
    breakers->assembled = true;
    breakers_collect_all(breakers);
    drain_nobodys(breakers);
    begin_suspecting(breakers);
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++)
        if (breakers->table[slot].settings)
            look_at(breakers, slot);
    breakers_limits_reclaim(breakers);
    breakers_turn_touched(breakers);
}

/* ------------------------------------------------------------------------------------------------------- heartbeats
 */

static void look_for_moved(struct breakers *breakers, struct lane_side *side)
{
    lanes_reading(breakers->options.lanes, side->number);
    if (lane_side_moved(side))
        set_bit(breakers->ready, side->number);
    lanes_reading(breakers->options.lanes, 0);
}

static void is_lively(void *context, struct meter_side *meter)
{
    struct breakers *const breakers = context;
    if (meter->breaker != NO_BREAKER)
        breakers_enliven(breakers, meter->breaker);
    else
        breakers->nobodys_moved = true;
}

static void beat_of(struct breakers *breakers, struct lane_side *side)
{
    lane_side_beat(side, is_lively, breakers);
}

/* Words that are not what tripd knows: by clients who were killed before they told it, or damaged. A slot that never
 * had a name has no mirror, and its word may have no memory. */
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
                clear_bit(breakers->lively, slot);
        }
}

void breakers_beat(struct breakers *breakers)
{
    if (!breakers->assembled)
        breakers_drain_all(breakers);
    breakers_look_at_clock(breakers);
    take_dirty(breakers);
    lanes_late(breakers);
    for_lanes(breakers, breakers->lanes, look_for_moved);
    segment_round(breakers->segment); /* after the bits were taken: announce.h */
    breakers_collect(breakers);
    for_lanes(breakers, breakers->lanes, beat_of);
    if (breakers->nobodys_moved)
        drain_nobodys(breakers);
    breakers->nobodys_moved = false;
    look_at_words(breakers);
    begin_suspecting(breakers);
    look_at_lively(breakers);
    breakers_limits_reclaim(breakers);
    breakers_turn_touched(breakers);
}

/* ----------------------------------------------------------------------------------------------------- coming and
 * going */

void breakers_lane_came(struct breakers *breakers, struct lane *lane)
{
    const uint32_t number = lane_number(lane);
    if (!breakers->sides[number]) {
        if (lane_side_new(lane, &breakers->sides[number]) < 0)
            return; /* breakers_drain_all tries again */
        segment_pending_store(breakers->segment, lane_uid(lane), lane_identity(lane), breakers_store_mark, breakers);
        set_bit(breakers->lanes, number);
    }
    set_bit(breakers->ready, number); /* what it told before nobody was told of */
    breakers_collect(breakers);
    breakers_stall_look(breakers, breakers->sides[number]);
}

bool breakers_lane_blocks(const struct breakers *breakers, uint32_t number)
{
    return breakers_has_bit(breakers->blocks, number) && !breakers_has_bit(breakers->doomed, number);
}

/* A thread of it may go on for a moment, and take another ticket: that is nobody's, and free at the next heartbeat. */
void breakers_lane_doomed(struct breakers *breakers, uint32_t number)
{
    set_bit(breakers->doomed, number);
    breakers_tickets_of_lane(breakers, number);
}

/* Its meters' breakers, so that each is settled without it. */
static void touch_all(struct breakers *breakers, struct lane_side *side)
{
    for (uint32_t number = 0; number < side->meters; number++) {
        const struct meter_side *const meter = lane_side_meter(side, number);
        if (meter && meter->breaker != NO_BREAKER)
            breakers_touch(breakers, meter->breaker);
    }
}

/* What its calls took goes with its meters. The others' follow at the next heartbeat. */
static void publish_latencies(struct breakers *breakers, struct lane_side *side)
{
    for (uint32_t number = 0; number < side->meters; number++) {
        struct meter_side *const meter = lane_side_meter(side, number);
        if (meter && meter->breaker != NO_BREAKER && breakers->table[meter->breaker].latency_stale)
            publish_latency(breakers, meter->breaker, meter, true);
    }
}

static void unlink_meters(struct breakers *breakers, struct lane_side *side)
{
    (void)breakers;
    for (uint32_t number = 0; number < side->meters; number++) {
        struct meter_side *const meter = lane_side_meter(side, number);
        if (meter)
            leave_chain(meter);
    }
}

static void forget(struct breakers *breakers, struct lane_side *side)
{
    const uint32_t number = side->number;
    breakers_permits_of_lane(breakers, number);
    breakers->sides[number] = NULL;
    clear_bit(breakers->lanes, number);
    clear_bit(breakers->ready, number);
    clear_bit(breakers->doomed, number);
    lane_side_free(side);
}

/* What they told, and they alone: others wait for their turn. */
static void collect_last(struct breakers *breakers)
{
    uint64_t others[COMMONS_LANES_MAX / 64];
    memcpy(others, breakers->ready, sizeof(others));
    memcpy(breakers->ready, breakers->leaving, sizeof(breakers->ready));
    for (unsigned round = 0; round < LAST_ROUNDS && any_ready(breakers); round++)
        collect_round(breakers);
    memcpy(breakers->ready, others, sizeof(others));
}

/* Together: each breaker has its turns once, however many of its processes end at once. */
void breakers_lanes_gone(struct breakers *breakers, struct lane *const *lanes, uint32_t count)
{
    breakers_collect_told(breakers); /* what others told before comes before their last */
    for (uint32_t i = 0; i < count; i++) {
        breakers_tickets_of_lane(breakers, lane_number(lanes[i]));
        set_bit(breakers->leaving, lane_number(lanes[i])); /* its last counts are taken as they are */
    }
    collect_last(breakers);
    for_lanes(breakers, breakers->leaving, touch_all);
    breakers_turn_touched(breakers);
    for_lanes(breakers, breakers->leaving, touch_all);
    for_lanes(breakers, breakers->leaving, publish_latencies);
    for_lanes(breakers, breakers->leaving, unlink_meters);
    for_lanes(breakers, breakers->leaving, forget);
    breakers_turn_touched(breakers);
    memset(breakers->leaving, 0, sizeof(breakers->leaving));
}
