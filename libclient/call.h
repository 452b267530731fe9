/* What a trip_call holds. */
#ifndef TRIP_CALL_H
#define TRIP_CALL_H

#include "client.h"

enum call_flag {
    CALL_COUNTED = 1, /* in the meter's `started` */
    CALL_PERMIT = 2,  /* holds a permit of a half-open breaker */
    CALL_PROBING = 4, /* holds the state word itself */
    CALL_WATCHED = 8, /* listed in the lane's table of calls in flight */
    CALL_TICKET = 16, /* holds a ticket of the bulkhead */
    CALL_TRACKED = 32 /* its content is in track.c */
};

struct call {
    struct trip_breaker *breaker; /* NULL: denied, or ended */
    uint64_t ticks;               /* when it began; 0: it is not timed, whatever its outcome */
    const struct binding *binding;
    uint64_t word; /* the state word that admitted it; the probing one that it put there */
    uint64_t lane; /* serial: of the meter and of the table that know of it */
    union {
        struct {
            uint64_t permit;  /* the permit word as it took it */
            uint64_t watched; /* its word in the lane's table */
        };
        struct { /* of one that is tracked */
            struct tracked *tracked;
            uint64_t tracked_serial;
        };
    };
    uint64_t deadline;    /* ticks; 0: none */
    struct ticket ticket; /* value 0: none */
    uint32_t generation;  /* of the process: a forked child ends nothing of its parent's */
    uint16_t watched_place;
    uint8_t permit_index;
    uint8_t flags; /* enum call_flag */
} __attribute__((may_alias));

_Static_assert(sizeof(struct call) == sizeof(trip_call), "trip_call has no room for a call");
_Static_assert(PERMITS_PER_BREAKER <= 256 && LANE_CALLS <= 65536, "a call's permit or place has outgrown its field");

/* Time now, for a call that is timed: never 0. */
static inline uint64_t call_ticks(const struct call *call)
{
    const uint64_t ticks = view_ticks(call->binding->view);
    return likely(ticks) ? ticks : 1;
}

/* ---------------------------------------------------------------------- track.c: calls of threads that asked for it */
struct tracked;
/* Moves an admitted call's content to track.c, and leaves its place and serial in the call. */
void track_begin(struct call *call);
/* Makes the call an untracked one, before it is ended or moves to a thread of libtrip. False: the call has ended. */
bool track_take(struct call *call);
/* Gives a call that the calling thread began and nobody has ended. */
bool track_take_own(struct call *ret_call);
void track_close(const struct trip_client *client);
/* In a forked child: forgets the parent's calls, which the child must not end. */
void track_forked(void);

/* --------------------------------------------------- watch.c: calls in flight of breakers whose policy watches them */
/* False: no place is free, the call goes unwatched. */
bool watch_begin(struct lane *lane, uint32_t meter, uint64_t ticks, struct call *call);
/* True: tripd has counted the call as a failure, for it took too long; its outcome enters totals only. */
bool watch_end(struct lane *lane, const struct call *call);

#endif
