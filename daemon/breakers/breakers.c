/* The table of breakers: what comes of what was told. Drain, judge, move; then the next deadline. */
#include "breakers/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_EVENTS    4096
#define NO_MEMORY_PAUSE UINT64_C(1000000000)
#define STEPS_MAX       8 /* of a breaker in one go: open, half-open, closed, ... */

/* ------------------------------------------------------------------------------------------------- made and unmade */

static int make_drain(struct breakers *breakers)
{
    struct drain *const drain = calloc(1, sizeof(*drain));
    breakers->drain = drain;
    if (!drain)
        return -ENOMEM;
    *drain = (struct drain){
        .segment = breakers->segment,
        .clock = breakers->options.clock,
        .lanes = breakers->options.lanes,
        .tracer = breakers->options.tracer,
        .batch = {.events = calloc(BATCH_EVENTS, sizeof(struct told)), .capacity = BATCH_EVENTS},
    };
    return drain->batch.events ? 0 : -ENOMEM;
}

int breakers_new(const struct breakers_options *options, struct breakers **ret_breakers)
{
    struct breakers *breakers = calloc(1, sizeof(*breakers));
    if (!breakers)
        return -ENOMEM;
    breakers->options = *options;
    breakers->segment = options->segment;
    breakers->commons = options->commons;
    segment_store_marks_by(breakers->segment, breakers_store_mark, breakers);
    breakers->random = options->seed;
    breakers->touched = NONE;
    breakers->stall_due_ns = DEADLINE_NEVER;
    breakers->table = calloc(BREAKERS_MAX, sizeof(*breakers->table));
    breakers->sides = calloc(LANES_MAX + 1, sizeof(*breakers->sides));
    breakers->unused_by = calloc(BREAKERS_MAX, sizeof(*breakers->unused_by));
    breakers->lively = calloc(BREAKERS_MAX / 64 + 1, sizeof(*breakers->lively));
    int error =
        breakers->table && breakers->sides && breakers->unused_by && breakers->lively ? make_drain(breakers) : -ENOMEM;
    if (error == 0)
        error = deadlines_new(BREAKERS_MAX, &breakers->due);
    if (error == 0)
        error = commons_reserve(options->commons, options->segment->slots);
    if (error == 0)
        error = breakers_adopt(breakers);
    if (error < 0) {
        breakers_free(breakers);
        return error;
    }
    *ret_breakers = breakers;
    return 0;
}

struct breakers *breakers_free(struct breakers *breakers)
{
    if (!breakers)
        return NULL;
    segment_store_marks_by(breakers->segment, NULL, NULL);
    for (uint32_t lane = 1; breakers->sides && lane <= LANES_MAX; lane++)
        lane_side_free(breakers->sides[lane]);
    if (breakers->drain)
        free(breakers->drain->batch.events);
    free(breakers->drain);
    for (uint32_t slot = 0; breakers->table && slot < breakers->segment->slots; slot++)
        breakers_adaptive_free(&breakers->table[slot]);
    free(breakers->unused_by);
    free(breakers->lively);
    free(breakers->sides);
    free(breakers->table);
    deadlines_free(breakers->due);
    free(breakers);
    return NULL;
}

void breakers_look_at_clock(struct breakers *breakers)
{
    const struct clock *const clock = breakers->options.clock;
    breakers->now_ns = clock_now_ns(clock);
    breakers->now_ticks = clock_ticks(clock);
}

/* ---------------------------------------------------------------------------------------------------------- draining
 */

void breakers_enliven(struct breakers *breakers, uint32_t slot)
{
    breakers->lively[slot / 64] |= UINT64_C(1) << slot % 64;
}

void breakers_touch(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    if (breaker->touched || !breaker->settings)
        return;
    breaker->touched = true;
    breaker->next = breakers->touched;
    breakers->touched = slot;
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

static void note_error(struct breakers *breakers, uint32_t slot, const struct drain_found *found)
{
    char message[TRIP_ERROR_MESSAGE_MAX + 1] = "";
    const uint32_t record = found->error->what >> 26 & 63;
    if (record) {
        lanes_reading(breakers->options.lanes, found->error_meter->lane->number);
        lane_side_error(found->error_meter->lane, meter_side_section(found->error_meter), record - 1, message);
        lanes_reading(breakers->options.lanes, 0);
    }
    segment_detail_error(breakers->segment, slot, lane_event_error_type(found->error->what), message);
}

/* One turn, for the evidence of this word; over: which is another one by now. */
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
    };
    breakers_bell_look(breakers, slot);
    drain_breaker(breakers->drain, &turn, &found);
    breaker->untold = found.untold;
    if (found.error)
        note_error(breakers, slot, &found);
    if (found.counted) {
        breakers_enliven(breakers, slot);
        breakers->unused_by[slot] = NOBODY;
        breaker->latency_stale = true;
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
    /* A client opened it: what it counted until then is what led to it. */
    if (word_counts_streak(before) && word_valid(found) && epoch_after(word_epoch(found), word_epoch(before)))
        news = turn(breakers, slot, before, true);
    const uint64_t word = breakers_word(breakers, slot);
    const bool moved = word_epoch(word) != word_epoch(before);
    return turn(breakers, slot, word, false) || news || moved;
}

/* ---------------------------------------------------------------------------------------------------------- settling
 */

/* Lane 0 is a client's that has none: it dies unseen, and what it holds ends with its lease. */
bool breakers_lane_dead(const struct breakers *breakers, uint32_t lane)
{
    const bool there = lane < COMMONS_LANES_MAX && lanes_get(breakers->options.lanes, lane);
    return lane != 0 && breakers->assembled &&
           (!there || breakers_has_bit(breakers->leaving, lane) || breakers_has_bit(breakers->doomed, lane));
}

/* Does time demand a step, and which? */
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

/* How much of a ramp is admitted: no step of the state. True: look again. */
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

/* The step that a streak demands which grew while a mode kept the state as it was. */
static bool step_by_streak(struct breakers *breakers, uint32_t slot, uint64_t word)
{
    const uint64_t threshold = breakers->table[slot].settings->trip.consecutive_failures;
    if (!word_counts_streak(word) || threshold == 0 || word_streak(word) < threshold)
        return false;
    const struct move move = move_by_streak(word);
    breakers_move(breakers, slot, word, &move);
    return true;
}

/* The step that the image demands. True: look again, also if another one was faster. */
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

/* --------------------------------------------------------------------------------------------------- coming and going
 */

/* A free slot's epoch goes on, whatever the words say that are found there. */
static uint32_t next_epoch(const struct breakers *breakers, uint32_t slot)
{
    const uint32_t mirrored = word_epoch(breakers->segment->mirror[slot]);
    const uint32_t found = word_epoch(breakers_raw_word(breakers, slot));
    return ((epoch_after(found, mirrored) ? found : mirrored) + 1) & WORD_EPOCH_MASK;
}

static void begin(struct breakers *breakers, uint32_t slot)
{
    struct segment *const segment = breakers->segment;
    struct breaker *const breaker = &breakers->table[slot];
    const char *const name = segment_name(segment, slot);
    const uint64_t now_ms = breakers_now_ms(breakers);
    const uint64_t fresh = word_closed(next_epoch(breakers, slot), 0, 0);
    const struct pattern_slot *const pattern = segment_pattern_for(segment, name, now_ms);
    *breaker = (struct breaker){.used_ms = now_ms, .ticketed = breaker->ticketed, .untold = true};
    core_init(segment_begin(segment, slot), config_settings_for(breakers->options.config, name));
    segment_commit(segment);
    breakers_limits_begin(breakers, slot);
    segment_mirror(segment, slot, fresh);
    /* Release: pairs with the acquire of clients, who find the slot by its name, published later. */
    __atomic_store_n(commons_word(breakers->commons, slot), fresh, __ATOMIC_RELEASE);
    if (pattern)
        segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, (trip_mode)pattern->mode, pattern->until_ms,
                             pattern->uid, pattern->reason, now_ms);
    breakers_enliven(breakers, slot);
    breakers_configure(breakers, slot, breakers->options.config);
    breakers_limits_from_now(breakers, slot);
    segment_name_publish(segment, slot);
    if (pattern)
        breakers_trace_mode(breakers, slot, (trip_mode)pattern->mode, pattern->until_ms);
    breakers_settle(breakers, slot);
}

void breakers_seen(struct breakers *breakers, uint32_t slot)
{
    breakers->table[slot].used_ms = breakers_now_ms(breakers);
    segment_detail_used(breakers->segment, slot, breakers->table[slot].used_ms);
    if (breakers->segment->details[slot].hidden_ms)
        segment_detail_hidden(breakers->segment, slot, 0);
}

void breakers_unused(struct breakers *breakers, uint32_t slot)
{
    const uint32_t uid = breakers->segment->details[slot].made_by;
    breakers->unused_by[slot] = uid != 0 && segment_never_called(breakers->segment, slot) ? uid : NOBODY;
}

/* Whoever may report may ask for names without end. */
static bool within_quota(const struct breakers *breakers, uid_t uid)
{
    const struct segment *const segment = breakers->segment;
    const uint64_t permille = breakers->options.config->limits.breakers_per_user;
    uint64_t made = 0;
    for (uint32_t slot = 0; uid != 0 && slot < segment->slots; slot++)
        made += segment_used(segment, slot) && segment->details[slot].made_by == uid;
    return made < (segment->header->max_breakers * permille + 999) / 1000;
}

/* For the slot that is next in turn. Where there is none, names share the slots that have some. */
static void make_memory(struct breakers *breakers)
{
    const uint32_t slots = segment_slots_wanted(breakers->segment);
    if (slots == breakers->segment->slots || breakers->now_ns < breakers->no_memory_until_ns)
        return;
    if (commons_reserve(breakers->commons, slots) < 0 || segment_reserve(breakers->segment, slots) < 0)
        breakers->no_memory_until_ns = breakers_after(breakers->now_ns, NO_MEMORY_PAUSE);
}

int breakers_resolve(struct breakers *breakers, uid_t uid, const char *name, uint32_t *ret_slot)
{
    if (!settings_name_valid(name, strnlen(name, TRIP_NAME_MAX + 1)))
        return -EINVAL;
    breakers_look_at_clock(breakers);
    if (segment_find(breakers->segment, name, ret_slot) == 0) {
        breakers_seen(breakers, *ret_slot);
        breakers_schedule(breakers, *ret_slot, breakers_word(breakers, *ret_slot));
        return 0;
    }
    if (!within_quota(breakers, uid) && !breakers_make_room_of(breakers, uid))
        return -EDQUOT;
    make_memory(breakers);
    if (segment_full(breakers->segment))
        breakers_make_room(breakers);
    const int error = segment_take(breakers->segment, name, breakers_now_ms(breakers), ret_slot);
    if (error < 0)
        return error;
    segment_detail_made_by(breakers->segment, *ret_slot, uid);
    breakers_unused(breakers, *ret_slot);
    begin(breakers, *ret_slot);
    return 0;
}

void breakers_matching(struct breakers *breakers, const char *pattern, void (*each)(void *context, uint32_t slot),
                       void *context)
{
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++)
        if (breakers->table[slot].settings && settings_pattern_matches(pattern, segment_name(breakers->segment, slot)))
            each(context, slot);
}
