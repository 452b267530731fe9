/* The lane of one client process:
 *
 *   header | section heads | resolved breakers | in-flight table | sections' rings | meters | rooms
 *
 * Every lane has room for the highest limits and is mostly holes: a page gets its memory when its client needs it. The
 * client allocates the memory of an entry before it marks the entry as used (docs/decisions/lane-size.md).
 */
#ifndef TRIP_INTERNAL_LAYOUT_LANE_H
#define TRIP_INTERNAL_LAYOUT_LANE_H

#include "internal/latency.h"
#include "internal/layout_segment.h"

#define LANE_MAGIC         UINT64_C(0x31656e616c706972) /* "riplane1" */
#define LANE_BREAKERS      65536                        /* slots that a lane has a bit for */
#define LANE_SECTIONS      257    /* 0 is shared by the threads that found no section of their own */
#define LANE_METERS        131072 /* BREAKERS_MAX + 1 in section 0, and LANE_THREAD_METERS: an event has 17 bits */
#define LANE_THREAD_METERS 65536  /* meters of the sections that threads have for themselves, at most */
#define LANE_EVENTS        512    /* a section's ring; a power of two */
#define LANE_ERRORS        16     /* a section's ring of error records; a power of two */
#define LANE_CALLS         1024   /* in-flight table of a lane */
#define LANE_ROOMS         524288 /* four for each meter: most breakers' latencies fall into two or three groups */
#define LANE_ROOM_COUNTERS 32

struct lane_header {
    /* client, once, before the attach */
    uint64_t magic;
    uint32_t version;
    uint32_t pid; /* as the client sees it: for people only */
    uint64_t digest;
    uint64_t lane_id; /* random: among the lanes of its user, names this one for ever */
    char program[24];

    /* client, when it takes a meter: meters [0, meters_used) may be looked at, later ones are holes */
    uint32_t meters_used __attribute__((aligned(LAYOUT_LINE)));
    uint32_t sections_used; /* sections [0, sections_used) may be read; 1 at least */
    uint64_t lost;          /* outcomes of admitted calls that found no meter, and so are not counted */
    uint64_t segment_id;    /* the segment whose slots the meters count for; written once, before the attach */
    uint32_t announced;     /* the client sets 1, tripd 0: `moved`, below, has bits set */
    uint32_t calls_used;    /* 1: the in-flight table has memory and may be read; 0: it is a hole */
    uint32_t rooms_used;    /* rooms [0, rooms_used) may be read, later ones are holes */

    /* tripd writes `granted` once the keeper holds the lane: the lane's number (12 bits, 1 to max_lanes) and, as in
     * admission words, the commons in which the number belongs to this lane; 0: tripd has not granted one yet */
    uint64_t granted __attribute__((aligned(LAYOUT_LINE)));
    uint32_t detached; /* 1: tripd does not look at this lane any more */

    /* One bit per 32 meters: the client announced one of them, and tripd has not taken the bit. announce.h */
    uint64_t moved[LANE_METERS / 32 / 64] __attribute__((aligned(LAYOUT_LINE)));
};

struct lane_section {
    /* client */
    uint64_t head __attribute__((aligned(LAYOUT_LINE))); /* events appended */
    uint64_t errors;                                     /* error records written */
    /* tripd */
    uint64_t tail __attribute__((aligned(LAYOUT_LINE))); /* events consumed */
    uint64_t errors_tail;                                /* error records consumed, before this one */
    uint32_t errors_read;                                /* records consumed out of order: bit n for errors_tail + n */
};

/* One section's counters of one breaker. Evidence words are epoch 20 | count 44: a client that finds another epoch in
 * the state word overwrites them with count 1, and never moves them back. Totals only grow. Section 0's are changed
 * with atomics, the others by plain single-writer stores (release, paired with tripd's acquire). For one outcome the
 * client bumps `slow`, then `ok` or `failures`, then appends the event; among the totals it bumps the call's total
 * first. Once `marks` equal the counters the client may give the meter to another breaker, whose calls the meter then
 * counts. */
struct meter {
    /* client: the words that a counted success writes, besides its room */
    uint64_t owner __attribute__((aligned(LAYOUT_LINE))); /* breaker + 1 (32), incarnation (16), section (16); last */
    uint64_t ok;                                          /* evidence */
    uint64_t total_ok;
    /* Calls begun and ended; the difference, summed over all meters, is the calls in flight. A call counts as begun
     * before it takes a ticket, and as ended after it gave the ticket back: a lane never holds more tickets than calls.
     */
    uint64_t started, finished;
    uint64_t failures, slow; /* evidence */
    uint32_t rung;           /* client's own note: it woke tripd for an event of this owner, so tripd knows the meter */
    uint32_t announced;      /* client: the segment's round when it announced the meter last */
    /* client */
    uint64_t total_failures, total_timeouts, total_slow, ignored, cancelled, late;
    uint64_t retries, retries_refused; /* paid from the budget, and not */
    /* client: calls that were denied, by verdict */
    uint64_t denied[DENIALS] __attribute__((aligned(LAYOUT_LINE)));
    /* tripd */
    struct meter_marks marks __attribute__((aligned(LAYOUT_LINE)));
    /* client: number + 1 of the room that counts the calls of each latency group; 0: none yet. A room stays its
     * meter's. */
    uint32_t rooms[LATENCY_GROUPS] __attribute__((aligned(LAYOUT_LINE)));
    uint32_t errors; /* number + 1 of the room that counts errors by type; 0: none yet */
};

/* Counters that a meter allocates only when it needs them, such as the calls of one latency group. A client takes rooms
 * one after the other, and no two meters share one. A counter only grows, and wraps. */
struct lane_room {
    uint32_t counters[LANE_ROOM_COUNTERS] __attribute__((aligned(LAYOUT_LINE)));
};

/* One outcome, reported to tripd. The client bumps the counters before it appends the event, and the event carries
 * them, so that tripd knows the order, and how many events a full ring dropped. `stamp` is the low 32 bits of index +
 * 1, last. A section's own thread writes the event, then `head`; in section 0 a thread first takes its place by a CAS
 * of `head`, never further than `tail` + LANE_EVENTS. */
struct lane_event {
    uint64_t ticks;    /* when the call ended */
    uint64_t ok;       /* the meter's evidence: epoch 20 | count 44, of this event's epoch */
    uint32_t failures; /* low 32 bits of the evidence counts, this event included */
    uint32_t slow;
    uint32_t what; /* meter 17, outcome 3, slow 1, error type 5 */
    uint32_t stamp;
};

#define LANE_ERROR_WRITING UINT64_MAX

/* One error with its texts. tripd reads these records by `errors` of their section, independently of the events. */
struct lane_error {
    uint64_t stamp; /* index + 1, written last; LANE_ERROR_WRITING until then; 0: never written */
    uint64_t ticks; /* when it came */
    uint64_t latency_ns;
    uint32_t meter;
    uint8_t type;    /* enum trip_error_type */
    uint8_t outside; /* 1: the error was reported outside of a call */
    uint8_t cut;     /* enum error_cut, bits */
    uint8_t pairs;   /* in `context` */
    char message[TRIP_ERROR_MESSAGE_MAX + 1];
    char correlation[TRIP_ERROR_ID_MAX + 1];
    char trace[TRIP_ERROR_ID_MAX + 1];
    char session[TRIP_ERROR_ID_MAX + 1];
    char context[TRIP_ERROR_CONTEXT_MAX];
    uint64_t reserved[4];
};

/* A call in flight on a breaker whose policy watches them (stall_after). `state`: meter + 1 (32), serial (24),
 * status (8). The client takes a free place (serial + 1), writes `ticks`, then status RUNNING. All other steps are
 * CASes:
 *
 *   call ends      RUNNING  -> FREE      its outcome is evidence, as any
 *                  STALLING -> RETURNED  tripd is counting it as a failure: the outcome enters totals only
 *                  STALLED  -> FREE      tripd has counted it: the outcome enters totals only
 *   tripd          RUNNING  -> STALLING  older than stall_after: it will be counted
 *                  then, with the commit that counts it: STALLING -> STALLED, RETURNED -> FREE
 *
 * A tripd that finds STALLING or RETURNED after it carried the journal out counts it: its predecessor did not. */
enum lane_call_status {
    LANE_CALL_FREE,
    LANE_CALL_TAKEN,
    LANE_CALL_RUNNING,
    LANE_CALL_STALLING,
    LANE_CALL_STALLED,
    LANE_CALL_RETURNED
};

struct lane_call {
    uint64_t state;
    uint64_t ticks;
};

/* Offsets in a lane. Each section has pages of its own, which no other section touches. The heads of the first sections
 * share the header's page, so that tripd reads only one page of a lane with few threads. */
#define LANE_ALIGN(x)        (((x) + LAYOUT_PAGE - 1) / LAYOUT_PAGE * LAYOUT_PAGE)
#define LANE_HEADS_OFFSET    768
#define LANE_RESOLVED_OFFSET LANE_ALIGN(LANE_HEADS_OFFSET + LANE_SECTIONS * sizeof(struct lane_section))
#define LANE_CALLS_OFFSET    LANE_ALIGN(LANE_RESOLVED_OFFSET + LANE_BREAKERS / 8)
#define LANE_RINGS_OFFSET    LANE_ALIGN(LANE_CALLS_OFFSET + LANE_CALLS * sizeof(struct lane_call))
#define LANE_RINGS_SIZE      LANE_ALIGN(LANE_EVENTS * sizeof(struct lane_event) + LANE_ERRORS * sizeof(struct lane_error))
#define LANE_METERS_OFFSET   (LANE_RINGS_OFFSET + LANE_SECTIONS * LANE_RINGS_SIZE)
#define LANE_ROOMS_OFFSET    LANE_ALIGN(LANE_METERS_OFFSET + LANE_METERS * sizeof(struct meter))
#define LANE_SIZE            (LANE_ROOMS_OFFSET + LANE_ROOMS * sizeof(struct lane_room))

static inline size_t lane_rings_offset(uint32_t section)
{
    return LANE_RINGS_OFFSET + (size_t)section * LANE_RINGS_SIZE;
}

static inline size_t lane_head_offset(uint32_t section)
{
    return LANE_HEADS_OFFSET + (size_t)section * sizeof(struct lane_section);
}

static inline size_t lane_meter_offset(uint32_t meter)
{
    return LANE_METERS_OFFSET + (size_t)meter * sizeof(struct meter);
}

static inline size_t lane_room_offset(uint32_t room)
{
    return LANE_ROOMS_OFFSET + (size_t)room * sizeof(struct lane_room);
}

static inline struct lane_section *lane_section_at(void *lane, uint32_t section)
{
    return (struct lane_section *)((uint8_t *)lane + lane_head_offset(section));
}

static inline struct meter *lane_meter_at(void *lane, uint32_t meter)
{
    return (struct meter *)((uint8_t *)lane + lane_meter_offset(meter));
}

static inline struct lane_room *lane_room_at(void *lane, uint32_t room)
{
    return (struct lane_room *)((uint8_t *)lane + lane_room_offset(room));
}

static inline struct lane_event *lane_event_at(void *lane, uint32_t section, uint64_t index)
{
    return (struct lane_event *)((uint8_t *)lane + lane_rings_offset(section)) + index % LANE_EVENTS;
}

static inline struct lane_error *lane_error_at(void *lane, uint32_t section, uint64_t index)
{
    return (struct lane_error *)((uint8_t *)lane + lane_rings_offset(section) +
                                 LANE_EVENTS * sizeof(struct lane_event)) +
           index % LANE_ERRORS;
}

static inline struct lane_call *lane_call_at(void *lane, uint32_t index)
{
    return (struct lane_call *)((uint8_t *)lane + LANE_CALLS_OFFSET) + index;
}

/* A bit for each breaker: this process has, or had, a handle that is bound to the slot. The client sets the bit before
 * it binds the handle, and never clears it. tripd reads it before it gives a slot with limits or a mode to another
 * name. */
static inline uint64_t *lane_resolved_at(void *lane, uint32_t breaker)
{
    return (uint64_t *)((uint8_t *)lane + LANE_RESOLVED_OFFSET) + breaker % LANE_BREAKERS / 64;
}

static inline uint32_t lane_event_what(uint32_t meter, trip_outcome outcome, _Bool slow, uint32_t type)
{
    return meter % LANE_METERS | ((uint32_t)outcome & 7) << 17 | (uint32_t)slow << 20 | (type & 31) << 21;
}

static inline uint32_t lane_event_meter(uint32_t what)
{
    return what % LANE_METERS;
}

/* Returns the outcome of an event, which is hostile: the number may be no outcome at all. */
static inline uint32_t lane_event_outcome(uint32_t what)
{
    return what >> 17 & 7;
}

static inline _Bool lane_event_slow(uint32_t what)
{
    return what >> 20 & 1;
}

static inline trip_error_type lane_event_error_type(uint32_t what)
{
    const uint32_t type = what >> 21 & 31;
    return type < TRIP_ERROR_TYPE_COUNT ? (trip_error_type)type : TRIP_ERROR_UNKNOWN;
}

static inline uint64_t meter_owner(uint32_t breaker, uint32_t incarnation, uint32_t section)
{
    return ((uint64_t)breaker + 1) | (uint64_t)(incarnation & 0xffff) << 32 | (uint64_t)section << 48;
}

static inline uint64_t lane_call_state(uint32_t meter, uint32_t serial, enum lane_call_status status)
{
    return ((uint64_t)meter + 1) | (uint64_t)(serial & 0xffffff) << 32 | (uint64_t)status << 56;
}

static inline enum lane_call_status lane_call_status(uint64_t state)
{
    return (enum lane_call_status)(state >> 56);
}

static inline uint64_t lane_call_with_status(uint64_t state, enum lane_call_status status)
{
    return (state & ~(UINT64_C(0xff) << 56)) | (uint64_t)status << 56;
}

#endif
