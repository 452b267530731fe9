/* Calls in flight for longer than stall_after: each counts once, as a failure, in window and streak.
 *
 *   claim    RUNNING -> STALLING     by CAS: the call's own end is no evidence from now on
 *   count    window and mark in one transaction; its commit moves STALLING -> STALLED, RETURNED -> FREE
 *   streak   one CAS of the state word
 *
 * Killed before the commit, the next worker finds STALLING (or RETURNED) and counts; killed after it, the journal moves
 * the place on and nobody counts again. Between the commit and the CAS of the streak a kill leaves a stall in the
 * window that the streak never saw, as with a client killed there. */
#include "breakers/stall.h"

#include "breakers/errors.h"
#include "breakers/move.h"
#include "breakers/reconcile.h"
#include "breakers/settle.h"
#include "breakers/trace.h"
#include "breakers/word.h"

struct call_place {
    struct lane_reader *reader;
    uint32_t place;
    uint64_t state;
    uint64_t ticks;
};

static uint64_t *state_of(const struct lane_reader *reader, uint32_t place)
{
    return &lane_call_at(reader->memory, place)->state;
}

static bool cas_state(const struct lane_reader *reader, uint32_t place, uint64_t from, enum lane_call_status status)
{
    /* Release: pairs with the acquire of a client that takes a freed place. Acquire: pairs with the client's CAS. */
    return __atomic_compare_exchange_n(state_of(reader, place), &from, lane_call_with_status(from, status), false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* --------------------------------------------------------------------------------------------------------- counting */

bool breakers_stall_store(struct breakers *breakers, const struct journal_mark *mark)
{
    const struct lane_reader *const reader = mark->lane <= LANES_MAX ? breakers->readers[mark->lane] : NULL;
    const uint32_t place = mark->place;
    const uint64_t stalling = mark->call;
    if (!reader || !lane_reader_of(reader, mark))
        return false;
    if (place < LANE_CALLS && !cas_state(reader, place, stalling, LANE_CALL_STALLED))
        cas_state(reader, place, lane_call_with_status(stalling, LANE_CALL_RETURNED), LANE_CALL_FREE);
    return true;
}

static void count_in_window(struct breakers *breakers, uint32_t slot, const struct call_place *call, bool slow)
{
    const struct journal_mark mark = {
        .kind = JOURNAL_CALL,
        .lane_id = call->reader->lane_id,
        .lane = call->reader->number,
        .place = call->place,
        .uid = call->reader->uid,
        .call = lane_call_with_status(call->state, LANE_CALL_STALLING),
    };
    struct core_state *const core = segment_begin(breakers->segment, slot);
    core_calls(core, breakers->now_ns, 1, call_kind(true, slow));
    segment_mark(breakers->segment, &mark);
    segment_commit(breakers->segment);
    breakers_trace_record(breakers, slot, TRIP_TIMEOUT, TRIP_ERROR_TIMEOUT, slow);
    breakers_error_stalled(breakers, slot, call->reader->lane);
}

/* Counts in the streak as a client's failure does: word_after_failure, except that the opening is tripd's own step. */
static void count_in_streak(struct breakers *breakers, uint32_t slot, uint32_t epoch)
{
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    for (unsigned tries = 0; tries < 64; tries++) {
        const uint64_t word = breakers_word(breakers, slot);
        if (!word_counts_streak(word) || word_epoch(word) != epoch)
            return;
        bool opened;
        const uint64_t after = word_after_failure(word, policy_judge_of(policy, word_generation(word)), 0, &opened);
        const struct move move = move_by_streak(word);
        if (opened ? breakers_move(breakers, slot, word, &move) : breakers_cas(breakers, slot, word, after))
            return;
    }
}

static void count_stall(struct breakers *breakers, uint32_t slot, const struct call_place *call)
{
    const struct breaker_settings *const settings = breakers->table[slot].settings;
    const uint64_t word = breakers_word(breakers, slot);
    const uint64_t age_ns = ticks_between(call->ticks, breakers->now_ticks);
    const bool slow = settings->trip.slow_after && age_ns > settings->trip.slow_after;
    count_in_window(breakers, slot, call, slow);
    count_in_streak(breakers, slot, word_epoch(word));
    breakers_touch(breakers, slot);
}

/* ---------------------------------------------------------------------------------------------------------- looking */

/* Returns when the call will have taken too long, and the slot of its breaker. DEADLINE_NEVER: it is of an earlier
 * epoch, or its breaker does not watch calls. */
static uint64_t stalls_at(struct breakers *breakers, const struct call_place *call, uint32_t *ret_slot)
{
    const struct meter_cursor *const meter = lane_reader_meter(call->reader, (uint32_t)call->state - 1);
    if (!meter || meter->breaker == NO_BREAKER)
        return DEADLINE_NEVER;
    const struct breaker_settings *const settings = breakers->table[meter->breaker].settings;
    const uint64_t mirror = breakers->segment->mirror[meter->breaker];
    const uint64_t since_ns = breakers_ms_to_ns(breakers->segment->details[meter->breaker].since_ms);
    const uint64_t age_ns = ticks_between(call->ticks, breakers->now_ticks);
    const uint64_t began_ns = age_ns < breakers->now_ns ? breakers->now_ns - age_ns : 0;
    if (!settings->trip.stall_after || !word_counts_streak(mirror) || began_ns < since_ns)
        return DEADLINE_NEVER;
    *ret_slot = meter->breaker;
    return breakers_after(began_ns, settings->trip.stall_after + 1); /* longer than stall_after */
}

static void look_at_place(struct breakers *breakers, struct lane_reader *reader, uint32_t place)
{
    struct call_place call = {.reader = reader, .place = place};
    uint32_t slot;
    /* Pairs with the client's release of RUNNING: `ticks` is written. */
    call.state = __atomic_load_n(state_of(reader, place), __ATOMIC_ACQUIRE);
    const enum lane_call_status status = lane_call_status(call.state);
    if (status != LANE_CALL_RUNNING && status != LANE_CALL_STALLING && status != LANE_CALL_RETURNED)
        return;
    call.ticks = __atomic_load_n(&lane_call_at(reader->memory, place)->ticks, __ATOMIC_RELAXED);
    const uint64_t at_ns = stalls_at(breakers, &call, &slot);
    if (status == LANE_CALL_RUNNING && at_ns > breakers->now_ns) {
        breakers->stall_due_ns = at_ns < breakers->stall_due_ns ? at_ns : breakers->stall_due_ns;
        return;
    }
    /* a worker that was killed before it counted had claimed it, or it is claimed now */
    if (status == LANE_CALL_RUNNING && !cas_state(reader, place, call.state, LANE_CALL_STALLING))
        return;
    if (at_ns != DEADLINE_NEVER)
        count_stall(breakers, slot, &call);
    else if (!cas_state(reader, place, lane_call_with_status(call.state, LANE_CALL_STALLING), LANE_CALL_STALLED))
        cas_state(reader, place, lane_call_with_status(call.state, LANE_CALL_RETURNED), LANE_CALL_FREE);
}

/* Does a breaker of this lane watch calls? If not, reading the lane's table would only allocate it. */
static bool watches(struct breakers *breakers, const struct lane_reader *reader, bool touch)
{
    bool any = false;
    for (uint32_t number = 0; number < reader->meters && breakers->stall_watchers; number++) {
        const struct meter_cursor *const meter = lane_reader_meter(reader, number);
        if (!meter || meter->breaker == NO_BREAKER || !breakers->table[meter->breaker].settings->trip.stall_after)
            continue;
        any = true;
        if (touch)
            breakers_touch(breakers, meter->breaker);
    }
    return any;
}

void breakers_stall_look(struct breakers *breakers, struct lane_reader *reader)
{
    if (!lane_calls(reader->lane) || !watches(breakers, reader, false))
        return;
    breakers_look_at_clock(breakers);
    lanes_reading(breakers->options.lanes, reader->number);
    for (uint32_t place = 0; place < LANE_CALLS; place++)
        look_at_place(breakers, reader, place);
    lanes_reading(breakers->options.lanes, 0);
    breakers_turn_touched(breakers);
}

void breakers_stall_look_all(struct breakers *breakers)
{
    breakers->stall_due_ns = DEADLINE_NEVER;
    for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes); lane++) {
        struct lane_reader *const reader = breakers->readers[lane];
        if (!reader || !watches(breakers, reader, true))
            continue;
        breakers_turn_touched(breakers); /* calls that ended before count before */
        breakers_stall_look(breakers, reader);
    }
}
