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

/* A line for the log, at each transition. */
typedef void breakers_moved_fn(void *context, const struct transition *transition);

struct breakers_options {
    struct segment *segment;
    struct commons *commons;
    struct lanes *lanes;
    struct clock *clock;
    const struct config *config; /* borrowed until breakers_reconfigure or breakers_free */
    const struct tracer *tracer; /* what is drained goes there too; NULL: nowhere */
    uint64_t seed;               /* of the jitter */
    breakers_moved_fn *moved;
    bool simulates; /* each step is told, however fast they come; each call is counted at once, and needs no tick */
    void *context;
};

/* Adopts what the segment holds: carries the journal out, checks each word of the commons against the mirror (a fresh
 * commons is filled from the mirror, epochs moved on by 2^18), completes the transition ring, judges every breaker
 * again, puts unset or invalid words right. With an empty segment: none. */
int breakers_new(const struct breakers_options *options, struct breakers **ret_breakers);
struct breakers *breakers_free(struct breakers *breakers);

struct saved;
/* After a reboot, into a segment that was just made: breakers, their modes and totals, modes by pattern; open ones are
 * open for what is left. 0, or the last -errno of those that found no place (-ENOSPC). */
int breakers_restore(struct breakers *breakers, const struct saved *saved, uint64_t now_unix_ms);

/* Finds or makes, for a process of this user. -EINVAL; -ENOSPC: the table is full; -EDQUOT: its processes have made as
 * many names as limits.breakers_per_user says, and none of them is hidden. */
int breakers_resolve(struct breakers *breakers, uid_t uid, const char *name, uint32_t *ret_slot);

/* Did others want what this lane held, at the last breakers_drain_all: tickets of a bulkhead that has none left, or a
 * probe's permit? */
bool breakers_lane_blocks(const struct breakers *breakers, uint32_t number);
/* Its process will not return to its program, though it is not gone: tickets are free now, permits at the next
 * breakers_drain_all. Its lane stays until breakers_lanes_gone. */
void breakers_lane_doomed(struct breakers *breakers, uint32_t number);

/* The doorbell rang, or something is dirty: collects told events, drains the breakers they name. */
void breakers_rung(struct breakers *breakers);
bool breakers_pending(struct breakers *breakers); /* for the doorbell: is anything dirty? */
/* One breaker: its counters are counted, and it moves as they demand. True: there was news, or it is half-open. */
bool breakers_count(struct breakers *breakers, uint32_t slot);
/* The same, and what each heartbeat looks at: its limits, and what people are shown. */
void breakers_heartbeat(struct breakers *breakers, uint32_t slot);
/* Everything: all counters of all lanes (`sync`, before stop). The first call says that all lanes a worker inherited
 * have come: until then a permit's owner without a lane is not taken for dead. */
void breakers_drain_all(struct breakers *breakers);
/* A heartbeat: what moved since the last one, and what changes by time. The first one is everything. */
void breakers_beat(struct breakers *breakers);
/* The last of these lanes: drains them, frees their permits and probing, drops all references. Then lanes_remove. */
void breakers_lanes_gone(struct breakers *breakers, struct lane *const *lanes, uint32_t count);
void breakers_lane_came(struct breakers *breakers, struct lane *lane); /* pending marks; meters it already has */

/* A client that comes back says that this breaker opened in the commons that it had, of this number, while no tripd was
 * there: its word there. Taken over if it still counts (internal/succession.h). */
void breakers_opened_before(struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t number);

/* Tells one who subscribed what modes and which open breakers a trace from now on begins with. */
void breakers_trace_from(struct breakers *breakers, struct tracer_subscriber *subscriber);

/* When breakers_tick wants to be called next: ns on the instance's clock, UINT64_MAX: never. */
/* Calls in flight are known from now on, also those of which nobody has told: before a test clock moves. */
void breakers_stall_look_all(struct breakers *breakers);
uint64_t breakers_due(const struct breakers *breakers);
void breakers_tick(struct breakers *breakers);

/* New settings by SIGHUP or tripctl: state and window stay. */
void breakers_reconfigure(struct breakers *breakers, const struct config *config);

/* ------------------------------------------------------------------------------------------------ what operators do */

/* Who acts, for ring and details. The functions below return 0 or -errno; -ENOENT: there is no such breaker. */
struct breakers_actor {
    enum transition_by by;
    uint32_t uid;
    const char *reason; /* NULL: none */
};
/* Its mode does: forced_open, disabled. */
bool breakers_keeps_state(const struct breakers *breakers, uint32_t slot);
/* for_ms 0: the next open time. -EBUSY: its mode keeps the state as it is. */
int breakers_trip(struct breakers *breakers, uint32_t slot, uint64_t for_ms, const struct breakers_actor *actor);
int breakers_reset(struct breakers *breakers, uint32_t slot, const struct breakers_actor *actor);
int breakers_mode(struct breakers *breakers, uint32_t slot, enum mode_owner owner, trip_mode mode, uint64_t ttl_ms,
                  const struct breakers_actor *actor);
/* A mode by pattern binds breakers that come later too (until its TTL); the latest that matches wins. -ENOSPC: 256. */
int breakers_mode_pattern(struct breakers *breakers, const char *pattern, trip_mode mode, uint64_t ttl_ms,
                          const struct breakers_actor *actor);
/* Slots whose name matches: calls `each` in the order of slots. */
void breakers_matching(struct breakers *breakers, const char *pattern, void (*each)(void *context, uint32_t slot),
                       void *context);

#endif
