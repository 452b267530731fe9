/* tripd's reader of a lane: how far its rings are read, and which of its meters are whose. Everything in a lane is
 * hostile: each value is loaded once, into what is declared here, and bounded before it is used. */
#ifndef TRIPD_LANE_READER_H
#define TRIPD_LANE_READER_H

#include "lanes/lanes.h"
#include "lanes/source.h"

#define METERS_PER_CHUNK 16
#define NO_BREAKER       UINT32_MAX
#define TICKS_UNKNOWN    UINT64_MAX

struct lane_reader;

/* The calls of one latency group that tripd has taken of a meter: its room's counters, as they were then. */
struct latency_taken {
    struct latency_taken *next; /* of another group */
    uint32_t group;
    uint32_t calls[LATENCY_GROUP];
};

/* tripd's reader of a meter. The marks stand in the lane, for the worker after this one; these here are a copy, which
 * the client cannot change. */
struct meter_cursor {
    struct lane_reader *lane;
    struct meter_cursor *next;      /* of the same breaker, or of nobody's */
    struct meter_cursor **previous; /* what points to it in that chain */
    struct meter_cursor *next_told; /* of those with events in the batch */
    struct meter_cursor *next_active;
    struct meter_cursor *next_claim; /* of those that count for a breaker, with the same hash */
    uint32_t announced;              /* the client's note, as last seen */
    uint32_t active;                 /* heartbeats that are to read it */
    uint64_t owner;                  /* as it was when `breaker` was found; 0: not taken */
    uint32_t breaker;                /* NO_BREAKER: nobody's: of a breaker that was forgotten, or not one */
    uint32_t number;                 /* in the lane */
    int64_t in_flight;               /* calls begun less calls ended, when last read */
    struct meter_marks marks;
    uint64_t marked_ticks;          /* since when the marks' evidence stands; 0: unknown */
    uint64_t deferred_ticks;        /* since when an outcome is counted but not told, or TICKS_UNKNOWN */
    uint32_t told_first, told_last; /* places + 1 in the batch; 0: none */
    struct latency_taken *latency;
    uint32_t latency_before; /* a bit a group: its calls until now were taken by a worker before this one */
};

struct section_cursor {
    uint64_t tail; /* events read */
    bool more;     /* there are events that are not read yet: what the counters say came partly after them */
    bool full;     /* it was full when last read */
    bool dropped;  /* or the time before: what the counters say beyond the events was dropped */
    bool stuck;    /* a thread has not written the next event yet, and those behind it wait */
    /* Error records: those before errors_tail are read, and of the LANE_ERRORS from there on those with a bit. */
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
    uint32_t unowned;                /* the lowest that had no owner then; `meters`: all have */
    bool short_of_room;              /* there was no room for one that has */
    bool latency_refused;            /* likewise for latencies: the quota is not asked again before the next look */
    struct meter_cursor *active;     /* those that were announced, or found, of late; a chain */
    uint64_t looked_ticks;           /* when meters were last looked for, or TICKS_UNKNOWN */
    struct section_cursor *sections; /* `section_count`: of those in use */
    uint32_t chunk_count;
    struct meter_cursor **chunks;
    struct meter_cursor **claims; /* chains of meters that count for a breaker, by the hash of it and their section */
    uint32_t claim_chains;        /* a power of two */
    uint32_t claim_count;
};

/* A batch of told events, of any lanes. */
struct told_batch {
    struct told *events;
    uint32_t count, capacity;
};

int lane_reader_new(struct lane *lane, struct lane_reader **ret_reader);
struct lane_reader *lane_reader_free(struct lane_reader *reader);
/* Is the mark of this lane? */
bool lane_reader_of(const struct lane_reader *reader, const struct journal_mark *mark);

/* One meter of a lane counts for a breaker in a section: libtrip takes no more, and each one costs its breaker's turns.
 * False: another one does. */
bool meter_cursor_claim(struct meter_cursor *meter, uint32_t breaker);
void meter_cursor_unclaim(struct meter_cursor *meter);

/* Looks for meters that came into use; `found` is called for each one that has an owner now. Without memory for one, or
 * room for it in its user's quota, it is looked for again. */
void lane_reader_look(struct lane_reader *reader, uint64_t now_ticks,
                      void (*found)(void *context, struct meter_cursor *meter), void *context);
/* Takes what the client has announced: announce.h. True: there is something to read in the lane, or to look for. */
bool lane_reader_moved(struct lane_reader *reader);
/* Calls `each` for the meters that this heartbeat is to read. */
void lane_reader_beat(struct lane_reader *reader, void (*each)(void *context, struct meter_cursor *meter),
                      void *context);
/* NULL: not in use. */
struct meter_cursor *lane_reader_meter(const struct lane_reader *reader, uint32_t number);
uint32_t meter_cursor_section(const struct meter_cursor *meter);
const struct section_cursor *meter_cursor_ring(const struct meter_cursor *meter); /* its section's */
uint64_t meter_cursor_owner(const struct meter_cursor *meter);                    /* as it stands in the lane now */

uint32_t lane_reader_telling(const struct lane_reader *reader); /* sections whose ring has events to take */
/* Appends up to `most` events of a section to the batch, those of each meter chained. `taken` is called for each meter
 * that got its first one. True: there is more to take, or there was no room, and outcomes may have gone untold until
 * lane_reader_release: come again. */
bool lane_reader_take(struct lane_reader *reader, uint32_t section, struct told_batch *batch, uint32_t most,
                      void (*taken)(void *context, struct meter_cursor *meter), void *context);
/* Did the last takes leave out events that clients told, or lost? Of a section; of any section. */
bool section_cursor_untaken(const struct section_cursor *section);
bool lane_reader_untaken(const struct lane_reader *reader);
/* The events that were taken may be overwritten. */
void lane_reader_release(struct lane_reader *reader, uint32_t section);

/* A meter's lines of the client's, each word loaded once. */
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
/* Calls begun and calls ended alone. */
uint64_t meter_cursor_begun(const struct meter_cursor *meter);
uint64_t meter_cursor_ended(const struct meter_cursor *meter);
/* Did tripd find room for all meters that count, when it last looked for them? */
bool lane_reader_complete(const struct lane_reader *reader);
/* The marks, into the lane and the copy. False: there is no such meter. */
bool lane_reader_mark(struct lane_reader *reader, uint32_t number, const struct meter_marks *marks);
/* Calls by latency that came since the last time; `each` is called for the groups that have some. What tripd cannot
 * remember as taken, for want of memory or of room in the user's quota, it does not take. */
void meter_cursor_latency(struct meter_cursor *meter,
                          void (*each)(void *context, uint32_t group, const uint32_t calls[LATENCY_GROUP]),
                          void *context);

/* Calls `each` for the error records of the meter that were not read yet, as they stand there, which is any bytes.
 * Returns how many of its section's were overwritten before they were read, since the last time. */
uint64_t meter_cursor_errors(const struct meter_cursor *meter,
                             void (*each)(void *context, const struct lane_error *record), void *context);

#endif
