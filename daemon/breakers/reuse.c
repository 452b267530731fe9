/* Hidden breakers, and names that never had a call. A breaker without a call for `forget_after` is hidden: lists leave
 * it out, and all else goes on. Its slot is given to another name only where a new name finds no place, and only if
 * made anew it would be the same: first those that never had a call, hidden or not, then from the one hidden for
 * longest on. Handles to it turn stale then; the next call through one makes it anew.
 *
 * Meanwhile a stale handle knows neither mode nor limits. So a breaker that has some is left alone while a living
 * process has a handle to it, which the process says in its lane (internal/layout.h: lane_resolved_at). Both look
 * twice:
 *
 *   client   sets its bit     │ fence │ looks at word and incarnation: the word is unset, and it asks tripd for the
 * name tripd    unsets the word  │ fence │ looks at bits, calls in flight, reports: there is one, and it puts the word
 * back
 *
 * Checked with spin (tests/model/hidden.pml). */
#include "breakers/reuse.h"

#include "breakers/lanes.h"
#include "breakers/limits.h"
#include "breakers/meters.h"
#include "breakers/move.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/schedule.h"
#include "breakers/settle.h"
#include "breakers/tell.h"
#include "breakers/trace.h"
#include "breakers/word.h"

#define EVICT_TRIES   4
#define NO_ROOM_PAUSE UINT64_C(1000000000)

/* Would a process with a stale handle get through where this breaker denies? */
static bool protects(const struct breakers *breakers, uint32_t slot)
{
    const struct policy_slot *const policy = &breakers->segment->policies[slot];
    return policy->modes[MODE_OWNER_CONFIG] != 0 || policy_limits_calls(policy);
}

static bool resolved_by_any(const struct breakers *breakers, uint32_t slot)
{
    for (uint32_t number = 1; number <= lanes_highest(breakers->options.lanes); number++) {
        const struct lane *const lane = lanes_get(breakers->options.lanes, number);
        if (lane && lane_resolved(lane, slot))
            return true;
    }
    return breakers->table[slot].meters != NULL;
}

/* Processes without a lane hold tickets that no meter tells of. */
static bool tickets_out(const struct breakers *breakers, uint32_t slot)
{
    return breakers->table[slot].ticketed &&
           ticket_count(commons_tickets(breakers->commons, slot), 0, TICKETS_MAX) != 0;
}

static bool idle(const struct breakers *breakers, uint32_t slot)
{
    return breakers->unused_by[slot] != NOBODY || breakers->segment->details[slot].hidden_ms != 0;
}

static bool same_made_anew(struct breakers *breakers, uint32_t slot)
{
    const struct breaker *const breaker = &breakers->table[slot];
    if (!breaker->settings || !idle(breakers, slot))
        return false;
    const uint64_t word = breakers_word(breakers, slot);
    return word_calm(word) && breakers_may_hide(breakers, slot, word) && !tickets_out(breakers, slot) &&
           core_as_new(segment_core(breakers->segment, slot), breaker->settings, breakers->now_ns) &&
           !(protects(breakers, slot) && resolved_by_any(breakers, slot));
}

/* The lower the rank, the sooner the slot is reused: names without a call by when they were asked for, then breakers by
 * since when they are hidden. */
static uint64_t reuse_rank(const struct breakers *breakers, uint32_t slot)
{
    const bool unused = breakers->unused_by[slot] != NOBODY;
    return unused ? breakers->table[slot].used_ms : UINT64_MAX / 2 + breakers->segment->details[slot].hidden_ms;
}

static bool hidden_of(const struct breakers *breakers, uint32_t slot, uid_t uid)
{
    return breakers->segment->details[slot].hidden_ms != 0 && breakers->segment->details[slot].made_by == uid;
}

/* Finds the breaker to evict. uid NOBODY: of any user. */
static bool find_candidate(struct breakers *breakers, uid_t uid, uint32_t *ret_slot)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++) {
        const uint64_t rank = reuse_rank(breakers, slot);
        if (rank >= first || (uid != NOBODY && !hidden_of(breakers, slot, uid)) || !same_made_anew(breakers, slot))
            continue;
        first = rank;
        *ret_slot = slot;
    }
    return first != UINT64_MAX;
}

static bool in_flight(const struct counters *now, const struct meter_marks *marks)
{
    (void)marks;
    return now->started != now->finished;
}

static bool reported(const struct counters *now, const struct meter_marks *marks)
{
    return now->total_ok != marks->total_ok || now->total_failures != marks->total_failures ||
           now->ignored != marks->ignored || now->cancelled != marks->cancelled || now->late != marks->late ||
           denied_by_breaker(now->denied) != denied_by_breaker(marks->denied);
}

static bool any_meter(const struct breakers *breakers, uint32_t slot,
                      bool (*says)(const struct counters *now, const struct meter_marks *marks))
{
    bool any = false;
    for (const struct meter_cursor *meter = breakers->table[slot].meters; meter && !any; meter = meter->next) {
        struct counters now;
        lanes_reading(breakers->options.lanes, meter->lane->number);
        meter_cursor_read(meter, &now);
        any = says(&now, &meter->marks);
    }
    lanes_reading(breakers->options.lanes, 0);
    return any;
}

/* In this order, for a client reports a call before it counts it as ended. */
static bool has_news(struct breakers *breakers, uint32_t slot)
{
    breakers_find_meters(breakers);
    return any_meter(breakers, slot, in_flight) || any_meter(breakers, slot, reported);
}

static void give_up(struct breakers *breakers, uint32_t slot, uint64_t unset)
{
    breakers_trace_move(breakers, slot, &(struct move){.to = WORD_CLOSED}); /* if the name comes again it is as new */
    segment_group_take_over(breakers->segment, slot, breakers->now_ns);
    segment_forget(breakers->segment, slot);
    breakers->unused_by[slot] = NOBODY;
    segment_mirror(breakers->segment, slot, unset);
    breakers_homeless(breakers, slot);
    breakers_limits_forget(breakers, slot);
    breakers_watch(breakers, slot, NULL);
    breakers_stepped(breakers, slot);
    deadlines_set(breakers->due, slot, DEADLINE_NEVER);
}

/* Unsets the word, which keeps its epoch, and if there is news puts the very same word back: calls in flight, and their
 * events, then count as before. */
static bool evict(struct breakers *breakers, uint32_t slot)
{
    breakers_collect_all(breakers);
    breakers_drain(breakers, slot);
    const uint64_t word = breakers_word(breakers, slot), unset = word_make(word_epoch(word), WORD_UNSET, 0);
    if (!same_made_anew(breakers, slot) || !word_calm(word) || !breakers_cas(breakers, slot, word, unset))
        return false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* pairs with the fence of libtrip's lane_resolve */
    if ((protects(breakers, slot) && resolved_by_any(breakers, slot)) || has_news(breakers, slot)) {
        breakers_cas(breakers, slot, unset, word);
        breakers_seen(breakers, slot);
        breakers_touch(breakers, slot);
        breakers_turn_touched(breakers);
        return false;
    }
    give_up(breakers, slot, unset);
    return true;
}

static bool make_room(struct breakers *breakers, uid_t uid)
{
    uint32_t slot = 0;
    for (unsigned tries = 0; tries < EVICT_TRIES && find_candidate(breakers, uid, &slot); tries++)
        if (evict(breakers, slot))
            return true;
    return false;
}

bool breakers_make_room(struct breakers *breakers)
{
    if (breakers->now_ns <
        breakers->no_room_until_ns) /* so that a new name with each call does not look at all breakers each time */
        return false;
    if (make_room(breakers, NOBODY))
        return true;
    breakers->no_room_until_ns = breakers_after(breakers->now_ns, NO_ROOM_PAUSE);
    return false;
}

/* Without a pause, which one user could impose on the others. */
bool breakers_make_room_of(struct breakers *breakers, uid_t uid)
{
    return make_room(breakers, uid);
}
