/* The lane: its memfd, the sections that threads hold, and the meters of breakers. */
#ifndef TRIP_LANE_H
#define TRIP_LANE_H

#include "descriptor.h"
#include "view.h"

#define LANE_NONE UINT64_MAX /* no lane has this serial */

struct lane {
    uint64_t serial;         /* of this process, never used again */
    const struct view *view; /* whose slots its meters are indexed by */
    struct lane_header *memory;
    struct descriptor memfd;
    uint64_t taken[(LANE_SECTIONS + 63) / 64]; /* a bit a section that a thread holds */
    uint32_t thread_meters;                    /* meters taken by other sections than 0 */
    uint32_t spares[16];                       /* meter + 1: taken, but another thread was faster */
    uint32_t watch_next;                       /* where to look for a place in the table of calls in flight */
    /* Sections, meters and rooms below these numbers have memory for sure. */
    uint32_t sections_present, meters_present, rooms_present;
    bool calls_present;
    uint64_t refused_until_ns; /* the kernel had no memory: it is not asked again before; 0: it never refused */
    struct lane *older;
    struct meter **meters[LANE_SECTIONS]; /* by breaker; NULL: no thread has had this section yet */
};

/* -ENOMEM: the kernel has no memory for one, or grants this process none. */
int lane_make(const struct view *view, struct lane **ret_lane);
struct lane *lane_free(struct lane *lane);
/* In a forked child, where the lane is not mapped: drops what the child has of it. */
struct lane *lane_forget(struct lane *lane);
/* 0: all are taken, or there is no memory for one more: share section 0. */
uint32_t lane_section_take(struct lane *lane);
void lane_section_give(struct lane *lane, uint32_t section);
/* The meter of this breaker in this section, taken if need be; NULL: none is left. */
struct meter *lane_meter(struct lane *lane, uint32_t section, uint32_t slot, uint64_t owner);

/* Takes a room, all zeros, whose number + 1 stands in *place from then on: a place of a meter's, of which another
 * thread may have taken one meanwhile. 0: none is left, or there is no memory for it. */
uint32_t lane_room_take(struct lane *lane, uint32_t *place);

/* The room that stands there, taken if need be. */
static inline uint32_t lane_room(struct lane *lane, uint32_t *place)
{
    /* Acquire: pairs with the release of whoever took it. */
    const uint32_t room = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    return likely(room) ? room : lane_room_take(lane, place);
}

/* Is there a table of calls in flight? It gets its memory when the first call is to be watched. */
bool lane_calls_ready(struct lane *lane);

/* Marks in the lane that this process has a handle bound to the slot. The caller must read the slot's incarnation again
 * before it uses the binding: tripd may have reused the slot before the mark. */
void lane_resolve(const struct lane *lane, uint32_t slot);

/* Has tripd given up a lane that it had taken? */
static inline bool lane_given_up(const struct lane *lane)
{
    /* Acquire: pairs with tripd's release when it gives the lane up. */
    return __atomic_load_n(&lane->memory->detached, __ATOMIC_ACQUIRE) != 0;
}

/* The number by which tripd finds what this process holds in a commons, of which a binding's `plain` tells; 0: none. */
static inline uint32_t lane_number(const struct lane *lane, uint64_t plain)
{
    /* Relaxed: the number stands for itself, and only in the commons that it was given for. */
    return lane ? policy_lane_granted(__atomic_load_n(&lane->memory->granted, __ATOMIC_RELAXED), plain) : 0;
}

/* Is tripd reading this lane? */
static inline bool lane_attached(const struct lane *lane)
{
    return lane && lane_number(lane, policy_plain(0, view_latest(lane->view)->number)) != 0 && !lane_given_up(lane);
}

#endif
