/* How a process reports an outcome to tripd: by counters in a meter of its lane, and events in the section's ring.
 * internal/lane_write.h has the stores and their order. */
#ifndef TRIP_TELL_H
#define TRIP_TELL_H

#include "internal/lane_write.h"
#include "reporter.h"

struct outcome {
    trip_outcome what;
    bool slow;
    uint64_t latency_ns;     /* 0: unknown */
    uint64_t ticks;          /* when; 0: now */
    const trip_error *error; /* NULL: no more is known */
};

/* A value outside the enumeration counts as cancelled, which is no evidence about the dependency. */
static inline trip_outcome outcome_known(trip_outcome what)
{
    return (unsigned)what < TRIP_OUTCOME_COUNT ? what : TRIP_CANCELLED;
}

static inline bool outcome_failed(trip_outcome what)
{
    return what == TRIP_FAILURE || what == TRIP_TIMEOUT;
}

/* ignored, cancelled: no evidence about the dependency */
static inline bool outcome_neutral(trip_outcome what)
{
    return what == TRIP_IGNORED || what == TRIP_CANCELLED;
}

static inline bool latency_slow(const struct policy_slot *policy, uint64_t latency_ns)
{
    const uint64_t slow_after_ns = __atomic_load_n(&policy->slow_after_ns, __ATOMIC_RELAXED);
    return latency_ns > slow_after_ns && slow_after_ns != 0;
}

/* In a section that is the thread's own. */
static inline void own_add(uint64_t *counter)
{
    lane_add(counter, 1, true);
}

void tell_announce(struct lane *lane, const struct meter *meter);

/* A counter of the meter moved: tripd will read it. announce.h. */
static inline void meter_moved(struct lane *lane, const struct meter *meter, const uint32_t *round)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the compiler keeps this after the bump */
    if (unlikely(__atomic_load_n(&meter->announced, __ATOMIC_RELAXED) != __atomic_load_n(round, __ATOMIC_RELAXED)))
        tell_announce(lane, meter);
}

static inline void reporter_add(const struct reporter *reporter, uint64_t *counter)
{
    lane_add(counter, 1, reporter->section != 0);
    meter_moved(reporter->lane, reporter->meter, &reporter->lane->view->segment->round);
}

/* Counts a latency in a section that is the thread's own. */
void tell_latency(struct lane *lane, struct meter *meter, uint64_t latency_ns);

/* Bucket 0 apart: its counter is known before the clock was read, and a processor that predicts this branch need not
 * wait for the time to find it. Relaxed: for people, and the thread itself wrote the room's number. */
static inline void own_latency(struct lane *lane, struct meter *meter, uint64_t latency_ns)
{
    const uint32_t room = __atomic_load_n(&meter->rooms[0], __ATOMIC_RELAXED);
    if (latency_ns >= LATENCY_FIRST_NS || unlikely(!room)) {
        tell_latency(lane, meter, latency_ns);
        return;
    }
    uint32_t *const calls = &lane_room_at(lane->memory, room - 1)->counters[0];
    __atomic_store_n(calls, __atomic_load_n(calls, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

/* Closed without a streak, and the meter's successes are of its epoch: one more success changes nothing else. */
static inline bool meter_calm(const struct meter *meter, uint64_t word)
{
    return evidence_epoch(__atomic_load_n(&meter->ok, __ATOMIC_RELAXED)) == word_epoch(word) && word_calm(word);
}

/* A success that is not slow, in a section of the thread's own, where meter_calm. Returns the new total. */
static inline uint64_t own_ok(struct meter *meter)
{
    const uint64_t total = __atomic_load_n(&meter->total_ok, __ATOMIC_RELAXED) + 1;
    __atomic_store_n(&meter->total_ok, total, __ATOMIC_RELEASE);
    own_add(&meter->ok);
    return total;
}

/* How a call ended, with all that trip_record, trip_end and their like can say of it: report.c. */
struct call;
void outcome_record(struct trip_breaker *breaker, const struct outcome *outcome);
void outcome_end(struct call *call, struct outcome *outcome);

/* The totals alone, and an error's record: for outcomes whose evidence is elsewhere (a permit), or that are none. True:
 * half of the ring of records is full. */
bool tell_totals(const struct reporter *reporter, const struct outcome *outcome);
/* An outcome of this state word's epoch: counted, told if it must be, and its effect on the streak. */
void tell_outcome(struct reporter reporter, const struct binding *binding, uint64_t word,
                  const struct outcome *outcome);
/* Draws tripd's attention to this breaker, with what is known of the outcome, which is counted elsewhere. */
void tell_event(const struct reporter *reporter, const struct binding *binding, uint64_t word,
                const struct outcome *outcome);
/* Marks the lane and rings. */
void tell_ring(const struct lane *lane, const struct view *view);

#endif
