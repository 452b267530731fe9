/* What tripd keeps in its own memory of each breaker and of each lane, and how late it is. The floors above stand in
 * tests/unit/floors.sh. */
#ifndef TRIPD_BREAKERS_TABLE_H
#define TRIPD_BREAKERS_TABLE_H

#include "breakers/breakers.h"
#include "core/adaptive.h"
#include "core/deadlines.h"
#include "core/limits.h"
#include "internal/policy.h"
#include "lanes/drain.h"

#define NONE   UINT32_MAX /* of a chain by number: its end */
#define NOBODY 0          /* root, whose names are not counted, or no user */

struct told_steps {
    uint64_t until_ns; /* the window's end */
    uint64_t told;
    struct transition rest; /* .steps: so many were not told yet */
};

#define SUSPECTS 4096 /* of all breakers, at one heartbeat */

/* A lane that holds more of a breaker's tickets than calls of it are known. */
struct suspect {
    uint32_t slot;
    uint16_t lane, held;
    uint64_t ended; /* calls that had ended before the tickets were counted */
};

struct breaker {
    const struct breaker_settings *settings; /* NULL: the slot is free */
    struct meter_cursor *meters;
    trip_mode mode; /* in force, as of the last look */
    uint64_t mode_until_ms;
    uint64_t used_ms;         /* a call was seen */
    uint64_t growth_until_ns; /* the published open time has grown, and is published anew when that is forgotten */
    uint64_t told;            /* failures and slow calls told, before the meters were read last */
    uint64_t error_ns;        /* when the latest error came that the details name */
    uint64_t bell_until_ns;   /* when it is to be asked anew which of those to come rings */
    uint32_t generation;      /* of the newest judge */
    uint32_t next;            /* of those touched */
    bool touched;
    bool untold;               /* a failure or slow call is counted in a meter, and its event was not taken */
    bool permits_out;          /* a permit word may be somebody's */
    bool latency_stale;        /* calls were counted since the details were written */
    bool ticketed;             /* a ticket may be somebody's */
    struct adaptive *adaptive; /* what is measured for its limits; NULL: they are fixed */
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
    uint64_t *lively;             /* a bit a breaker: heartbeats look at it */
    uint32_t *unused_by;          /* by slot: who, other than root, made a name that had no call yet; else NOBODY */
    struct lane_reader **readers; /* by lane number */
    struct meter_cursor *nobodys; /* meters of no breaker */
    struct meter_cursor *told;    /* meters with events in the batch; a chain */
    uint32_t telling;             /* sections that share the batch of this round */
    uint32_t touched;             /* breakers that have news; a chain */
    uint32_t stall_watchers;      /* breakers with stall_after */
    uint32_t in_flight_watchers;  /* breakers with in_flight */
    uint64_t stall_due_ns;
    uint64_t random;
    uint64_t now_ns, now_ticks;               /* as of breakers_look_at_clock */
    uint64_t no_room_until_ns;                /* breakers_make_room found none: it looks again then */
    uint64_t no_memory_until_ns;              /* and so for the memory of further slots */
    bool assembled;                           /* lanes of before have come back: an owner without a lane is dead */
    bool nobodys_moved;                       /* a meter of no breaker was announced */
    bool told_tickets;                        /* the log has said that there is no memory for some */
    bool recovering;                          /* the journal's marks are stored once more */
    uint64_t lanes[COMMONS_LANES_MAX / 64];   /* a bit a lane: attached */
    uint64_t ready[COMMONS_LANES_MAX / 64];   /* a bit a lane: has told something */
    uint64_t leaving[COMMONS_LANES_MAX / 64]; /* a bit a lane: nothing more will come of it */
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
/* Both saturate. */
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
/* It holds what others want. */
static inline void breakers_note_blocks(struct breakers *breakers, uint32_t lane)
{
    if (lane < COMMONS_LANES_MAX)
        breakers->blocks[lane / 64] |= UINT64_C(1) << lane % 64;
}
/* The process behind this lane holds nothing any more. */
bool breakers_lane_dead(const struct breakers *breakers, uint32_t lane);
bool breakers_frozen(const struct breaker *breaker); /* its mode keeps the state as it is */
/* It has news, or moved: heartbeats look at it until nothing changes any more. */
void breakers_enliven(struct breakers *breakers, uint32_t slot);
/* It has news: drained and settled by breakers_turn_touched. */
void breakers_touch(struct breakers *breakers, uint32_t slot);
/* Notes whether its name had a call yet, and who made it. */
void breakers_unused(struct breakers *breakers, uint32_t slot);
/* A call was seen, or somebody asked for it by name: it is hidden no more. */
void breakers_seen(struct breakers *breakers, uint32_t slot);

#endif
