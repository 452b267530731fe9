/* tripd's reader of a lane: how far its rings are read, and which meters belong to which breakers. Everything in a lane
 * is hostile: each value is loaded once, into the structs here, and bounded before it is used. */
#ifndef TRIPD_LANE_READER_H
#define TRIPD_LANE_READER_H

#include "internal/state_word.h"
#include "lanes/lanes.h"
#include "lanes/source.h"

#define METERS_PER_CHUNK 16
#define NO_BREAKER       UINT32_MAX
#define TICKS_UNKNOWN    UINT64_MAX

struct lane_reader;

/* The calls of one latency group that tripd has taken from a meter: the counters of its room at that time. */
struct latency_taken {
    struct latency_taken *next; /* of another latency group of this meter */
    uint32_t group;
    uint32_t calls[LATENCY_GROUP];
};

/* Calls that were reported, and those of them that failed and that were slow. */
struct reported {
    uint64_t calls, failures, slow;
};

/* tripd's reader of a meter. The marks stand in the lane, for the next worker; this copy the client cannot change. */
struct meter_cursor {
    struct lane_reader *lane;
    struct meter_cursor *next;      /* the next meter of the same breaker, or of no breaker */
    struct meter_cursor **previous; /* the pointer to this meter in that chain */
    struct meter_cursor *next_told; /* the next meter with events in the batch */
    struct meter_cursor *next_active;
    struct meter_cursor *next_claim; /* the next meter that counts for a breaker, with the same hash */
    uint32_t announced;              /* the client's note, as last seen */
    uint32_t active;                 /* how many more heartbeats read it */
    uint64_t owner;                  /* as it was when `breaker` was found; 0: the meter is not taken */
    uint32_t breaker;                /* NO_BREAKER: the owner is a forgotten breaker, or no breaker at all */
    uint32_t number;                 /* in the lane */
    int64_t in_flight;               /* calls begun less calls ended, when last read */
    struct reported before; /* to the breakers that had the meter before its owner, as far as this worker knows */
    struct meter_marks marks;
    uint64_t marked_ticks;          /* since when the marks' evidence stands; 0: unknown */
    uint64_t deferred_ticks;        /* since when an outcome is counted but not told, or TICKS_UNKNOWN */
    uint32_t told_first, told_last; /* places + 1 in the batch; 0: none */
    struct latency_taken *latency;
    uint32_t latency_before; /* a bit for each latency group whose calls until now a worker before this one took */
};

struct section_cursor {
    uint64_t tail; /* events read */
    bool more;     /* there are unread events: part of what the counters say came after them */
    bool full;     /* the ring was full when it was last read */
    bool dropped; /* it was full then or the time before: calls that the counters have beyond the events were dropped */
    bool stuck;   /* a thread has not written the next event yet; the events behind it wait */
    /* Error records before errors_tail are read; of the LANE_ERRORS from there on, those whose bit is set are read,
     * too. */
    uint64_t errors_tail;
    uint32_t errors_read;
};

struct lane_reader {
    struct lane *lane;
    void *memory;
    uint64_t lane_id;
    uid_t uid;
    uint32_t number;
    uint32_t meters; /* in use, as of the last look */
    uint32_t section_count;
    uint32_t unowned;            /* the lowest meter that had no owner at the last look; `meters`: all had one */
    bool short_of_room;          /* there was no room for a meter that has an owner */
    bool latency_refused;        /* there was none for latencies: the quota is not asked again before the next look */
    struct meter_cursor *active; /* meters that were announced or found lately; a chain */
    uint64_t looked_ticks;       /* when meters were last looked for, or TICKS_UNKNOWN */
    struct section_cursor *sections; /* for the `section_count` sections in use */
    uint32_t chunk_count;
    struct meter_cursor **chunks;
    struct meter_cursor **claims; /* chains of meters that count for a breaker, by a hash of breaker and section */
    uint32_t claim_chains;        /* a power of two */
    uint32_t claim_count;
    struct reported reported;          /* while a breaker's reporters are added up: this lane's part; else zeros */
    struct lane_reader *next_reporter; /* the next lane with such a part */
};

/* A batch of told events, from any lanes. */
struct told_batch {
    struct told *events;
    uint32_t count, capacity;
};

int lane_reader_new(struct lane *lane, struct lane_reader **ret_reader);
struct lane_reader *lane_reader_free(struct lane_reader *reader);
/* Is this a mark of this lane? */
bool lane_reader_of(const struct lane_reader *reader, const struct journal_mark *mark);

/* Lets the meter count for the breaker in its section. False: another meter of the lane does already. libtrip takes no
 * more than one, and each one makes draining its breaker longer. */
bool meter_cursor_claim(struct meter_cursor *meter, uint32_t breaker);
void meter_cursor_unclaim(struct meter_cursor *meter);

/* Looks for meters that came into use, and calls `found` for each that has an owner now. A meter for which there is no
 * memory, or no room in its user's quota, is looked for again. */
void lane_reader_look(struct lane_reader *reader, uint64_t now_ticks,
                      void (*found)(void *context, struct meter_cursor *meter), void *context);
/* Takes what the client has announced (announce.h). True: the lane has something to read, or meters to look for. */
bool lane_reader_moved(struct lane_reader *reader);
/* Calls `each` for the meters that this heartbeat reads. */
void lane_reader_beat(struct lane_reader *reader, void (*each)(void *context, struct meter_cursor *meter),
                      void *context);
/* Returns a meter. NULL: it is not in use. */
struct meter_cursor *lane_reader_meter(const struct lane_reader *reader, uint32_t number);
uint32_t meter_cursor_section(const struct meter_cursor *meter);
const struct section_cursor *meter_cursor_ring(const struct meter_cursor *meter); /* its section's */
uint64_t meter_cursor_owner(const struct meter_cursor *meter);                    /* as it stands in the lane now */
/* Gives the meter to its next owner, who gets nothing of what it has counted. */
void meter_cursor_pass_on(struct meter_cursor *meter, uint64_t owner);
/* Returns what tripd has counted of the meter for its owner, so little that the sum over any meters does not wrap. */
struct reported meter_cursor_reported(const struct meter_cursor *meter);

uint32_t lane_reader_telling(const struct lane_reader *reader); /* sections whose ring has events to take */
/* Appends up to `most` events of a section to the batch, with the events of each meter chained. Calls `taken` for each
 * meter at its first one. True: call again after lane_reader_release, for there are more events, or the batch or the
 * ring was full and outcomes may have gone untold. */
bool lane_reader_take(struct lane_reader *reader, uint32_t section, struct told_batch *batch, uint32_t most,
                      void (*taken)(void *context, struct meter_cursor *meter), void *context);
/* Did the last takes leave out events that clients told, or did clients drop some? In this section; in any section. */
bool section_cursor_untaken(const struct section_cursor *section);
bool lane_reader_untaken(const struct lane_reader *reader);
/* Lets the client overwrite the events that were taken. */
void lane_reader_release(struct lane_reader *reader, uint32_t section);

/* The client's counters of a meter, each word loaded once. */
struct counters {
    uint64_t owner;
    uint64_t ok, failures, slow; /* evidence */
    uint64_t total_ok, total_failures, total_timeouts, total_slow, ignored, cancelled, late, retries, retries_refused;
    uint64_t denied[DENIALS];
    uint32_t errors[TRIP_ERROR_TYPE_COUNT];
    uint64_t started, finished;
    bool steady; /* no failure came while they were read: all successes they hold are later than the last one told */
};
void meter_cursor_read(const struct meter_cursor *meter, struct counters *ret_counters);
/* Returns how much a total has grown. One that ran backwards, or further than any can, brings nothing. */
static inline uint64_t total_grown(uint64_t total, uint64_t before)
{
    const uint64_t by = total - before;
    return by <= EVIDENCE_COUNT_MASK ? by : 0;
}
/* Return only the calls begun, only the calls ended. */
uint64_t meter_cursor_begun(const struct meter_cursor *meter);
uint64_t meter_cursor_ended(const struct meter_cursor *meter);
/* Did tripd find room for all meters that count, when it last looked for them? */
bool lane_reader_complete(const struct lane_reader *reader);
/* Stores the marks in the lane and in the copy. False: there is no such meter. */
bool lane_reader_mark(struct lane_reader *reader, uint32_t number, const struct meter_marks *marks);
/* Takes the calls by latency since the last time, and calls `each` for the groups that have some. tripd leaves calls in
 * the lane if it has no memory, or the user's quota no room, to remember that it took them. */
void meter_cursor_latency(struct meter_cursor *meter,
                          void (*each)(void *context, uint32_t group, const uint32_t calls[LATENCY_GROUP]),
                          void *context);

/* Calls `each` for the meter's error records that were not read yet. A record is passed as it stands there, which may
 * be any bytes. Returns how many records of its section were overwritten unread since the last time. */
uint64_t meter_cursor_errors(const struct meter_cursor *meter,
                             void (*each)(void *context, const struct lane_error *record), void *context);

#endif
