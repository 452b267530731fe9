/* tripd's own memory of each breaker and each lane. The floors above stand in tests/unit/floors.sh. */
#ifndef TRIPD_BREAKERS_TABLE_H
#define TRIPD_BREAKERS_TABLE_H

#include "breakers/breakers.h"
#include "core/adaptive.h"
#include "core/deadlines.h"
#include "core/limits.h"
#include "internal/policy.h"
#include "lanes/drain.h"

#define NONE   UINT32_MAX /* the end of a chain by number */
#define NOBODY 0          /* root, whose names are not counted; or no user */

struct told_steps {
    uint64_t until_ns; /* the end of the window */
    uint64_t told;
    struct transition rest; /* `steps` of it were not told yet */
};

#define SUSPECTS 4096 /* for all breakers, at one heartbeat */

/* A lane that holds more tickets of a breaker than calls of it are known. */
struct suspect {
    uint32_t slot;
    uint16_t lane, held;
    uint64_t ended; /* calls that had ended when the tickets were counted */
};

struct breaker {
    const struct breaker_settings *settings; /* NULL: the slot is free */
    struct meter_cursor *meters;
    trip_mode mode; /* the mode in force, at the last look */
    uint64_t mode_until_ms;
    uint64_t used_ms;         /* when a call was last seen */
    uint64_t growth_until_ns; /* when the growth of the published open time is forgotten, and it is published anew */
    uint64_t told;            /* failures and slow calls told, up to the last reading of the meters */
    uint64_t error_ns;        /* when the latest error in the details came */
    uint64_t bell_until_ns;   /* when to compute the bell anew */
    uint32_t generation;      /* the newest judge's generation */
    uint32_t next;            /* the next touched breaker */
    bool touched;
    bool untold;               /* a failure or slow call is counted in a meter, and its event was not taken */
    bool permits_out;          /* some process may hold a permit */
    bool latency_stale;        /* calls were counted since the details were written */
    bool reporters_stale;      /* calls were counted, or a meter came or left, since people were shown who reports */
    bool ticketed;             /* some process may hold a ticket */
    struct adaptive *adaptive; /* measurements for its limits; NULL: they are fixed */
    struct budget_pace budget;
    struct told_steps steps;
};

struct breakers {
    struct breakers_options options;
    struct segment *segment;
    struct commons *commons;
    struct breaker *table;
    struct deadlines *due;
    struct drain *drain;
    uint64_t *lively;    /* a bit a breaker: heartbeats look at it */
    uint32_t *unused_by; /* by slot: the user, other than root, who made a name that had no call yet; else NOBODY */
    struct lane_reader **readers; /* by lane number */
    struct meter_cursor *nobodys; /* meters of no breaker */
    struct meter_cursor *told;    /* meters with events in the batch; a chain */
    uint32_t telling;             /* sections that share the batch of this round */
    uint32_t touched;             /* breakers with news; a chain */
    uint32_t stall_watchers;      /* breakers with stall_after */
    uint32_t in_flight_watchers;  /* breakers with in_flight */
    uint64_t stall_due_ns;
    uint64_t random;
    uint64_t fallbacks; /* generation of the book of fallback chains in force */
    uint64_t now_ns, now_ticks;  /* as of breakers_look_at_clock */
    uint64_t no_room_until_ns;   /* breakers_make_room found no room: it does not look again before then */
    uint64_t no_memory_until_ns; /* the same for the memory of further slots */
    bool assembled;              /* lanes of the last worker have come back: a holder without a lane is dead */
    bool nobodys_moved;          /* a meter of no breaker was announced */
    bool told_tickets;           /* the log has said that tickets got no memory */
    bool recovering;             /* the journal's marks are being stored once more */
    uint64_t lanes[COMMONS_LANES_MAX / 64];   /* a bit a lane: attached */
    uint64_t ready[COMMONS_LANES_MAX / 64];   /* a bit a lane: it has told something */
    uint64_t leaving[COMMONS_LANES_MAX / 64]; /* a bit a lane: nothing more will come from it */
    uint64_t blocks[COMMONS_LANES_MAX / 64];  /* a bit a lane: others wanted what it held at the last heartbeat */
    uint64_t doomed[COMMONS_LANES_MAX / 64];  /* a bit a lane: breakers_lane_doomed */
    uint32_t suspect_count;
    struct suspect suspects[SUSPECTS]; /* in the order of their breakers */
};

void breakers_look_at_clock(struct breakers *breakers);
static inline uint64_t breakers_now_ms(const struct breakers *breakers)
{
    return breakers->now_ns / 1000000;
}
/* Convert a time; both saturate. */
uint64_t breakers_ms_to_ns(uint64_t ms);
uint64_t breakers_after(uint64_t ns, uint64_t by);

static inline bool breakers_has_bit(const uint64_t *bits, uint32_t lane)
{
    return bits[lane / 64] >> lane % 64 & 1;
}
static inline void breakers_set_bit(uint64_t *bits, uint32_t bit)
{
    bits[bit / 64] |= UINT64_C(1) << bit % 64;
}
static inline void breakers_clear_bit(uint64_t *bits, uint32_t bit)
{
    bits[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}
/* Notes that the lane holds what other processes want. */
static inline void breakers_note_blocks(struct breakers *breakers, uint32_t lane)
{
    if (lane < COMMONS_LANES_MAX)
        breakers->blocks[lane / 64] |= UINT64_C(1) << lane % 64;
}
/* Does the process of this lane hold nothing any more? */
bool breakers_lane_dead(const struct breakers *breakers, uint32_t lane);
bool breakers_frozen(const struct breaker *breaker); /* does its mode keep the state? */
/* Makes heartbeats look at the breaker until nothing changes any more, for it has news or moved. */
void breakers_enliven(struct breakers *breakers, uint32_t slot);
/* Has breakers_turn_touched drain and settle the breaker, for it has news. */
void breakers_touch(struct breakers *breakers, uint32_t slot);
/* Notes whether the name had a call yet, and which user made it. */
void breakers_unused(struct breakers *breakers, uint32_t slot);
/* Notes that a call was seen, or that the name was asked for: the breaker is not hidden any more. */
void breakers_seen(struct breakers *breakers, uint32_t slot);

#endif
