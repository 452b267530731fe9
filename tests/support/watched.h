/* An instance for the screens of triptop, without its processes: what they read is put into a segment by hand, and they
 * look at it at times that the test chooses. A look is made of a packed copy, whose now does not move. */
#ifndef TRIP_TEST_WATCHED_H
#define TRIP_TEST_WATCHED_H

#include "internal/policy.h"
#include "internal/state_word.h"
#include "segment_dir.h"
#include "snapshot.h"

#define WATCHED_UNIX_MS UINT64_C(1700000000000) /* the segment was made: 2023-11-14 22:13:20 UTC */
#define WATCHED_MONO_NS UINT64_C(5000000000000) /* the same moment on CLOCK_MONOTONIC */

struct watched {
    struct segment_dir dir;
    struct segment *segment;
    struct snapshot *living, *look;
    void *packed;
    uint64_t now_ms; /* on the instance's clock, and of the last heartbeat */
};

static inline void watched_at(struct watched *watched, uint64_t now_ms)
{
    watched->now_ms = now_ms;
    watched->segment->header->heartbeat_mono_ns = WATCHED_MONO_NS + now_ms * 1000000;
    segment_test_now(watched->segment, now_ms * 1000000);
}

/* Puts an instance at 100 s after its creation. Its tripd has not counted yet. */
static inline void watched_make(struct watched *watched, uint32_t max_breakers)
{
    *watched = (struct watched){0};
    char *why;
    segment_dir_make(&watched->dir);
    watched->segment = segment_dir_create(&watched->dir, max_breakers, 4);
    assert(snapshot_open(watched->dir.path, false, &watched->living, &why) == 0);
    segment_started(watched->segment, 1, 1);
    watched->segment->header->created_unix_ms = WATCHED_UNIX_MS;
    watched->segment->header->created_mono_ns = WATCHED_MONO_NS;
    watched_at(watched, 100000);
}

static inline void watched_forget_look(struct watched *watched)
{
    watched->look = snapshot_close(watched->look);
    free(watched->packed);
    watched->packed = NULL;
}

static inline void watched_remove(struct watched *watched)
{
    watched_forget_look(watched);
    snapshot_close(watched->living);
    segment_unmap(watched->segment);
    segment_dir_remove(&watched->dir);
}

/* A heartbeat so much later: tripd has counted all calls up to now. */
static inline void watched_beat(struct watched *watched, uint64_t ms)
{
    watched_at(watched, watched->now_ms + ms);
    segment_host_beat(watched->segment, ms * 1000000, 0, 0, 0);
}

/* Looks so long after the last heartbeat. The result lasts until the next look. */
static inline const struct snapshot *watched_look(struct watched *watched, enum report_daemon daemon, uint64_t age_ms)
{
    const uint64_t size = snapshot_packed_size(watched->living);
    struct snapshot_look look = {.mono_ns = watched->segment->header->heartbeat_mono_ns + age_ms * 1000000,
                                 .daemon = daemon};
    char *why;
    watched_forget_look(watched);
    memcpy(look.boot_id, watched->segment->header->boot_id, sizeof(look.boot_id));
    watched->packed = calloc(1, size);
    assert(watched->packed && snapshot_pack(watched->living, watched->packed, size));
    assert(snapshot_of_memory(watched->packed, size, "test", &look, &watched->look, &why) == 0);
    return watched->look;
}

/* ------------------------------------------------------------------------------------------------------ its breakers
 */

/* Adds a breaker that is closed since its creation, now, and had no calls. */
static inline uint32_t watched_breaker(struct watched *watched, const char *name)
{
    static const struct segment_policy policy = {
        .threshold = 5, .slow_after_ns = 60000000000, .permits = 1, .max_wait_ms = 10000, .longest_ms = 330000};
    struct segment *const segment = watched->segment;
    struct breaker_settings settings;
    uint32_t slot;
    breaker_settings_defaults(&settings);
    if (segment_slots_wanted(segment) > segment->slots)
        assert(segment_reserve(segment, segment_slots_wanted(segment)) == 0);
    assert(segment_take(segment, name, watched->now_ms, &slot) == 0);
    core_init(segment_begin(segment, slot), &settings, watched->now_ms * 1000000);
    segment_commit(segment);
    segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_next_open_publish(segment, slot, 30000, 330000);
    segment_limits_publish(segment, slot, &(struct policy_slot){.limits = POLICY_TIMED});
    segment_mirror(segment, slot, word_closed(1, 0, 1));
    segment_detail_state(segment, slot, TRIP_REASON_NONE, watched->now_ms, 0);
    segment_detail_match(segment, slot, "*");
    segment->details[slot].since_unix_ms = WATCHED_UNIX_MS + watched->now_ms;
    segment->details[slot].created_unix_ms = WATCHED_UNIX_MS + watched->now_ms;
    segment_name_publish(segment, slot);
    return slot;
}

/* What was counted of a breaker up to now, since it came into being. */
static inline void watched_totals(struct watched *watched, uint32_t slot, const struct breaker_totals *totals)
{
    segment_begin(watched->segment, slot)->head.totals = *totals;
    segment_commit(watched->segment);
}

static inline void watched_in_flight(struct watched *watched, uint32_t slot, uint64_t calls)
{
    segment_begin(watched->segment, slot)->head.in_flight = calls;
    segment_commit(watched->segment);
}

/* Counts calls in the breaker's window, the latest last. S: success, F: failure, s, f: slow ones. */
static inline void watched_calls(struct watched *watched, uint32_t slot, const char *calls)
{
    struct core_state *const core = segment_begin(watched->segment, slot);
    for (; *calls; calls++)
        core_calls(core, watched->now_ms * 1000000, 1,
                   call_kind(*calls == 'F' || *calls == 'f', *calls == 's' || *calls == 'f'));
    core_show(core, watched->now_ms * 1000000);
    segment_commit(watched->segment);
}

/* Writes an event, which is of this moment. */
static inline void watched_event(struct watched *watched, const struct transition *event)
{
    struct segment *const segment = watched->segment;
    const uint64_t index = segment->header->transition_next, act = segment->header->acts_next;
    segment_transition(segment, event, watched->now_ms);
    segment->transitions[index % TRANSITION_RING].at_unix_ms = WATCHED_UNIX_MS + watched->now_ms;
    if (segment->header->acts_next != act)
        segment->acts[act % ACTS_RING].at_unix_ms = WATCHED_UNIX_MS + watched->now_ms;
}

/* Moves a breaker's state now, with its event. `step`: reason, condition, by, uid, note. */
static inline void watched_step(struct watched *watched, uint32_t slot, uint64_t word, const struct transition *step)
{
    struct segment *const segment = watched->segment;
    struct transition event = *step;
    event.breaker = slot;
    event.from = (uint8_t)word_shown_state(segment->mirror[slot]);
    event.to = (uint8_t)word_shown_state(word);
    watched_event(watched, &event);
    struct core_head *const head = &segment_begin(segment, slot)->head;
    head->state = event.to;
    head->state_since_ns = watched->now_ms * 1000000;
    segment_commit(segment);
    segment_mirror(segment, slot, word);
    segment_detail_state(segment, slot, (trip_reason)step->reason, watched->now_ms, 0);
    segment_detail_condition(segment, slot, (trip_reason)step->condition);
    segment_detail_actor(segment, slot, (enum transition_by)step->by, step->uid, step->note);
    segment->details[slot].since_unix_ms = WATCHED_UNIX_MS + watched->now_ms;
}

#endif
