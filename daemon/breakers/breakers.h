/* The breakers of an instance: the one place where a breaker's state moves, and where lanes, core, segment and commons
 * meet. A report's way: lane ──> drain (lanes/lanes.h, lanes/drain.h) ──> core image in a transaction
 * (segment/segment.h) ──> core_judge ──> CAS of the state word ──> details, mirror, transition ring.
 *
 * No I/O, no descriptors, no clock of its own: times come from the clock it is given, and the next moment it wants to
 * be called is breakers_due. So the worker drives it by the loop's timer, and tests and the test clock by hand.
 */
#ifndef TRIPD_BREAKERS_H
#define TRIPD_BREAKERS_H

#include "config/config.h"
#include "core/tracer.h"
#include "lanes/lanes.h"
#include "segment/commons.h"
#include "segment/segment.h"

struct breakers;

/* Writes a line of the log about a transition. */
typedef void breakers_moved_fn(void *context, const struct transition *transition);

/* stepped: a breaker's state or mode has moved, or its slot was given up; called after each step, however fast they
 * come. admits: the breaker is about to admit calls; called before it does. */
typedef void breakers_slot_fn(void *context, uint32_t slot);

struct breakers_options {
    struct segment *segment;
    struct commons *commons;
    struct lanes *lanes;
    struct clock *clock;
    const struct config *config; /* borrowed until breakers_reconfigure or breakers_free */
    const struct tracer *tracer; /* is told of what is drained, too; NULL: no trace */
    uint64_t seed;               /* for the jitter of open times */
    breakers_moved_fn *moved;    /* these three may be NULL */
    breakers_slot_fn *stepped, *admits;
    bool simulates; /* tell each step, however fast they come; count each call at once, so that no tick is needed */
    void *context;
};

/* Adopts what the segment holds: carries the journal out, checks each word of the commons against the mirror (a new
 * commons is filled from the mirror, with epochs moved on by 2^18), completes the transition ring, judges every breaker
 * again, and puts unset or invalid words right. An empty segment has no breakers. */
int breakers_new(const struct breakers_options *options, struct breakers **ret_breakers);
struct breakers *breakers_free(struct breakers *breakers);

struct saved;
/* Restores a snapshot after a reboot, into a segment that was just made: breakers, their modes and totals, modes by
 * pattern. A breaker that was open is open for the rest of its time. 0, or the last -errno of breakers that found no
 * place (-ENOSPC). */
int breakers_restore(struct breakers *breakers, const struct saved *saved, uint64_t now_unix_ms);

/* Finds a breaker by its name, or makes it, for a process of this user. -EINVAL: the name is not valid; -ENOSPC: the
 * table is full; -EDQUOT: the user's processes have made as many names as limits.breakers_per_user allows, and none of
 * them is hidden. */
int breakers_resolve(struct breakers *breakers, uid_t uid, const char *name, uint32_t *ret_slot);

/* At the last breakers_drain_all, did other processes want what this lane held: tickets of a bulkhead that has none
 * left, or a probe's permit? */
bool breakers_lane_blocks(const struct breakers *breakers, uint32_t number);
/* Notes that the lane's process will not return to its program, though it is not gone. Its tickets are free now, its
 * permits at the next breakers_drain_all; the lane stays until breakers_lanes_gone. */
void breakers_lane_doomed(struct breakers *breakers, uint32_t number);

/* Collects told events and drains the breakers that they name, because the doorbell rang or a lane is dirty. */
void breakers_rung(struct breakers *breakers);
bool breakers_pending(struct breakers *breakers); /* for the doorbell: is anything dirty? */
/* Counts one breaker's meters, and moves its state as they demand. True: there was news, or the breaker is half-open.
 */
bool breakers_count(struct breakers *breakers, uint32_t slot);
/* Does the same, and looks at its limits and at what people are shown, as each heartbeat does. */
void breakers_heartbeat(struct breakers *breakers, uint32_t slot);
/* Counts all meters of all lanes, for `sync` and before a stop. The first call also says that all lanes that this
 * worker inherited are here: until then the owner of a permit is not taken for dead because it has no lane. */
void breakers_drain_all(struct breakers *breakers);
/* A heartbeat: looks at breakers that moved since the last one, and at those that change by time. The first one looks
 * at all. */
void breakers_beat(struct breakers *breakers);
/* Ends these lanes: drains them, frees their permits and probing, drops all references. lanes_remove comes next. */
void breakers_lanes_gone(struct breakers *breakers, struct lane *const *lanes, uint32_t count);
/* Takes up a lane: stores its pending marks, finds its meters. */
void breakers_lane_came(struct breakers *breakers, struct lane *lane);

/* Takes over an opening, if it still counts (internal/succession.h): a client that comes back says that this breaker
 * opened, while no tripd was there, in the commons of this number, and passes its word there. */
void breakers_opened_before(struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t number);

/* Does the breaker cut calls in flight short now? It does where `trip.cut_short` is set, while it is open or half-open
 * in mode auto, and while it is forced open. */
bool breakers_cuts_short(const struct breakers *breakers, uint32_t slot);

/* Tells a new subscriber the modes and the open breakers with which its trace begins. */
void breakers_trace_from(struct breakers *breakers, struct tracer_subscriber *subscriber);

/* Finds the calls in flight, also those of which no client has told, before a test clock moves. */
void breakers_stall_look_all(struct breakers *breakers);
/* Returns when to call breakers_tick next: ns on the instance's clock, UINT64_MAX: never. */
uint64_t breakers_due(const struct breakers *breakers);
void breakers_tick(struct breakers *breakers);

/* Applies new settings, after SIGHUP or tripctl. State and window stay. */
void breakers_reconfigure(struct breakers *breakers, const struct config *config);

/* ------------------------------------------------------------------------------------------------ what operators do */

/* Who acts, for ring and details. The functions below return 0 or -errno; -ENOENT: there is no such breaker. */
struct breakers_actor {
    enum transition_by by;
    uint32_t uid;
    const char *reason; /* NULL: none */
};
/* Does the breaker's mode keep its state (forced_open, disabled)? */
bool breakers_keeps_state(const struct breakers *breakers, uint32_t slot);
/* Opens the breaker. for_ms 0: for the next open time. -EBUSY: its mode keeps the state. */
int breakers_trip(struct breakers *breakers, uint32_t slot, uint64_t for_ms, const struct breakers_actor *actor);
int breakers_reset(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor);
int breakers_mode(struct breakers *breakers, uint32_t slot, enum mode_owner owner, trip_mode mode, uint64_t ttl_ms,
                  const struct breakers_actor *actor);
/* Sets a mode by pattern, which also binds breakers that come later, until its TTL. Of the patterns that match a name
 * the latest wins. -ENOSPC: there are 256. */
int breakers_mode_pattern(struct breakers *breakers, const char *pattern, trip_mode mode, uint64_t ttl_ms,
                          const struct breakers_actor *actor);
/* Calls `each` for the slots whose name matches, in the order of slots. */
void breakers_matching(struct breakers *breakers, const char *pattern, void (*each)(void *context, uint32_t slot),
                       void *context);

#endif
