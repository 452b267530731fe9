#include "tell.h"
#include "error.h"
#include "steps.h"

#include <string.h>

#include "internal/bell.h"
#include "internal/doorbell.h"

/* --------------------------------------------------------------------------------------------------------- counters */

COLD void tell_announce(struct lane *lane, const struct meter *meter)
{
    announce(lane->memory, lane_meter_number(lane->memory, meter), &lane->view->segment->round);
}

static uint32_t *latency_counter(const struct lane *lane, uint32_t room, uint32_t bucket)
{
    return &lane_room_at(lane->memory, room - 1)->counters[bucket % LATENCY_GROUP];
}

/* Counts a latency in section 0. Where the meter gets no room the call is counted, and its latency is not. */
static void shared_latency(struct lane *lane, struct meter *meter, uint32_t bucket)
{
    const uint32_t room = lane_room(lane, &meter->rooms[bucket / LATENCY_GROUP]);
    if (room)
        __atomic_fetch_add(latency_counter(lane, room, bucket), 1, __ATOMIC_RELAXED);
}

COLD static void first_latency(struct lane *lane, struct meter *meter, uint32_t bucket)
{
    shared_latency(lane, meter, bucket);
}

void tell_latency(struct lane *lane, struct meter *meter, uint64_t latency_ns)
{
    const uint32_t bucket = latency_bucket(latency_ns);
    const uint32_t room = __atomic_load_n(&meter->rooms[bucket / LATENCY_GROUP], __ATOMIC_RELAXED);
    if (unlikely(!room)) {
        first_latency(lane, meter, bucket);
        return;
    }
    uint32_t *const calls = latency_counter(lane, room, bucket);
    __atomic_store_n(calls, __atomic_load_n(calls, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void latency_add(const struct reporter *reporter, const struct outcome *outcome)
{
    if (!outcome->latency_ns)
        return;
    if (reporter->section)
        own_latency(reporter->lane, reporter->meter, outcome->latency_ns);
    else
        shared_latency(reporter->lane, reporter->meter, latency_bucket(outcome->latency_ns));
}

bool tell_totals(const struct reporter *reporter, const struct outcome *outcome)
{
    struct meter *const meter = reporter->meter;
    if (!meter)
        return false;
    if (outcome->what == TRIP_IGNORED || outcome->what == TRIP_CANCELLED) {
        reporter_add(reporter, outcome->what == TRIP_IGNORED ? &meter->ignored : &meter->cancelled);
        return false;
    }
    latency_add(reporter, outcome);
    /* The call first: tripd reads in the opposite order, and so never finds more slow calls than calls. */
    reporter_add(reporter, outcome_failed(outcome->what) ? &meter->total_failures : &meter->total_ok);
    if (outcome->slow)
        reporter_add(reporter, &meter->total_slow);
    if (outcome->what == TRIP_TIMEOUT)
        reporter_add(reporter, &meter->total_timeouts);
    return outcome_failed(outcome->what) && error_tell(reporter, outcome, false);
}

/* `slow` before ok or failures: tripd reads in the opposite order, and so never counts a slow call as a fast one. */
static void count_evidence(const struct reporter *reporter, uint32_t epoch, const struct outcome *outcome)
{
    struct meter *const meter = reporter->meter;
    const bool own = reporter->section != 0;
    if (outcome->slow)
        lane_add_evidence(&meter->slow, epoch, 1, own);
    lane_add_evidence(outcome_failed(outcome->what) ? &meter->failures : &meter->ok, epoch, 1, own);
}

/* ----------------------------------------------------------------------------------------------------------- events */

/* False: half of its ring is full. */
static bool append_event(const struct reporter *reporter, const struct view *view, uint32_t epoch,
                         const struct outcome *outcome)
{
    struct lane_header *const lane = reporter->lane->memory;
    uint64_t index, waiting;
    if (!lane_take_place(lane, reporter->section, &index, &waiting))
        return false;
    const uint32_t what =
        lane_event_what(lane_meter_number(lane, reporter->meter), outcome->what, outcome->slow, error_type_of(outcome));
    lane_write_event(lane, reporter->section, index, reporter->meter, epoch,
                     outcome->ticks ? outcome->ticks : view_ticks(view), what);
    return waiting < LANE_EVENTS / 2;
}

/* ------------------------------------------------------------------------------------------------------------- ring */

/* Whether the event numbered `told` wakes tripd. */
struct bell {
    const struct state_line *line; /* NULL: yes */
    uint64_t told;
};

/* Relaxed: bell.h. */
static bool may_wait(const struct bell *bell)
{
    return bell->line && !bell_reached(bell->told, __atomic_load_n(&bell->line->ring_at, __ATOMIC_RELAXED));
}

/* Told -> fence -> dirty -> fence -> bell. The caller makes the first fence, which pairs with tripd's grant of the
 * number and with its clearing of the bit: one side sees the other's store. tripd clears a set bit before it reads the
 * rings, so it will find this event once it is awake. */
static void ring(const struct lane *lane, const struct view *view, const struct bell *bell)
{
    const struct commons_view *const in_force = view_latest(view);
    struct commons_header *const commons = in_force->memory;
    const uint32_t number = lane_number(lane, policy_plain(0, in_force->number)) % COMMONS_LANES_MAX;
    const uint64_t bit = UINT64_C(1) << (number % 64);
    uint64_t *const dirty = &commons->dirty[number / 64];
    if (!number) /* tripd has not taken this lane yet, and reads all of it when it does */
        return;
    /* Acquire: `ring_at` is read after it. */
    const bool clean = !(__atomic_load_n(dirty, __ATOMIC_ACQUIRE) & bit);
    if (clean)
        __atomic_fetch_or(dirty, bit, __ATOMIC_SEQ_CST);
    if (may_wait(bell) || (!clean && __atomic_load_n(&commons->doorbell, __ATOMIC_RELAXED) != DOORBELL_ASLEEP))
        return;
    doorbell_ring(&commons->doorbell);
}

void tell_ring(const struct lane *lane, const struct view *view)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* pairs as ring() says */
    ring(lane, view, &(struct bell){.line = NULL});
}

void tell_event(const struct reporter *reporter, const struct binding *binding, uint64_t word,
                const struct outcome *outcome)
{
    if (!reporter->meter)
        return;
    append_event(reporter, binding->view, word_epoch(word), outcome);
    tell_ring(reporter->lane, binding->view);
}

/* Counts the event on the state word's line, with the fence that ring() asks for. The bell may stay silent only for a
 * closed breaker whose word is in the commons in force: .line is NULL for all others. */
static struct bell count_told(const struct binding *binding, uint64_t word)
{
    struct state_line *const line = (struct state_line *)(void *)binding->word;
    struct bell bell = {.line = NULL};
    if (binding->kind != BINDING_SHARED || word_state(word) != WORD_CLOSED) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* pairs as ring() says */
        return bell;
    }
    bell.told = __atomic_fetch_add(&line->told, 1, __ATOMIC_SEQ_CST) + 1; /* pairs with tripd's acquire */
    fence_after_locked();                                                 /* pairs as ring() says */
    /* This failure may have opened it, which tripd is to know at once. */
    if (word_state(__atomic_load_n(binding->word, __ATOMIC_RELAXED)) == WORD_CLOSED &&
        binding->commons == view_latest(binding->view))
        bell.line = line;
    return bell;
}

/* The owner's first event always rings: tripd may not know the meter yet, and so could not count on it for `ring_at`.
 */
static bool first_of(struct meter *meter)
{
    if (__atomic_load_n(&meter->rung, __ATOMIC_RELAXED))
        return false;
    __atomic_store_n(&meter->rung, 1, __ATOMIC_RELAXED);
    return true;
}

/* Evidence, then the streak, then the rest: the failure that opens is seen by all before its lane's other lines have
 * found their way. Killed in between it stands in the evidence, from which tripd derives what was not told. The event
 * comes after the word: tripd looks only at words of breakers that events name, and at all of them once a second. */
FLATTEN void tell_outcome(struct reporter reporter, const struct binding *binding, uint64_t word,
                          const struct outcome *outcome)
{
    const bool failed = outcome_failed(outcome->what);
    const bool told = (failed || outcome->slow || word_state(word) != WORD_CLOSED) && reporter.meter;
    if (outcome_neutral(outcome->what)) {
        tell_totals(&reporter, outcome);
        return;
    }
    if (reporter.meter && word_valid(word)) /* else: tripd will put the word right, its epoch says nothing */
        count_evidence(&reporter, word_epoch(word), outcome);
    if (failed)
        streak_failed(binding, word);
    else
        streak_succeeded(binding, word);
    const bool half_full = tell_totals(&reporter, outcome);
    if (!told)
        return;
    const bool room = append_event(&reporter, binding->view, word_epoch(word), outcome);
    struct bell bell = count_told(binding, word);
    if (!room || half_full || first_of(reporter.meter))
        bell.line = NULL;
    ring(reporter.lane, binding->view, &bell);
}
