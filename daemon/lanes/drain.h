/* Draining one breaker: what its meters say beyond their marks goes into its image, and the marks move, both or
 * neither (the journal of internal/layout.h). Totals count whatever the epoch; evidence counts only in the epoch of the
 * state that it is evidence for, in the order that merge.h makes, up to the call at which a condition holds. */
#ifndef TRIPD_DRAIN_H
#define TRIPD_DRAIN_H

#include "core/tracer.h"
#include "lanes/lane_reader.h"
#include "lanes/merge.h"
#include "segment/segment.h"

struct drain_input {
    struct meter_cursor *meter;
    struct counters counters;
};

/* What draining needs, and places to work in. */
struct drain {
    struct segment *segment;
    const struct clock *clock;
    const struct lanes *lanes;
    const struct tracer *tracer; /* NULL: no trace is wanted */
    struct told_batch batch;
    uint64_t meters_read; /* meters read so far: what draining has cost */
    uint32_t input_count;
    struct drain_input inputs[JOURNAL_MARKS];
    struct merge_input merge[JOURNAL_MARKS];
    struct merge_input *order[JOURNAL_MARKS];
};

/* Errors of one type that a meter counted. */
struct drain_error {
    uint32_t slot;
    const struct meter_cursor *meter;
    trip_error_type type;
    uint64_t n;
    uint64_t at_ns;
    const struct lane_error *record; /* the record of one error, hostile; NULL: nothing else is known of these errors */
};

/* One breaker's turn to be drained. */
struct drain_turn {
    uint32_t slot;
    const struct breaker_settings *settings;
    struct meter_cursor *meters; /* the breaker's meters, chained */
    uint64_t word;               /* the state word, whose state and epoch the evidence is for */
    bool judges;             /* its state may move: evidence counts only up to the call at which a condition holds */
    bool over;               /* the word is another one by now: do not wait for outcomes that are not told yet */
    const uint64_t *leaving; /* a bit for each lane from which nothing more will come */
    uint64_t now_ns, now_ticks;
    void (*error)(void *context, const struct drain_error *error);
    void *context;
};

struct drain_found {
    bool counted;         /* there was something new */
    bool in_flight_moved; /* the number of calls in flight changed */
    bool untold;          /* a failure or slow call is counted in a meter, and its event was not taken yet */
    bool strayed;         /* a meter says that it is another breaker's now: it was left alone */
};

void drain_breaker(struct drain *drain, const struct drain_turn *turn, struct drain_found *ret_found);
/* Marks what a meter of no breaker has counted as counted; no breaker gets it. */
void drain_nobody(struct meter_cursor *meter);

#endif
