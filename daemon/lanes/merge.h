/* One order for the calls of several sources. Told events stand where their times say; the calls between two events of
 * a source are spread evenly over the time between them. So a source's own order is kept exactly, and calls of others
 * fall among them in proportion. Pure. The work is bounded by events, never by how many calls a counter claims. */
#ifndef TRIPD_MERGE_H
#define TRIPD_MERGE_H

#include "lanes/source.h"

/* Is given the next n calls of this kind (enum call_kind). They came at `ticks` at the latest; a row of calls given
 * together begins then. what: of the event that told the first; 0: no event did. False: no more calls are wanted. */
typedef bool merge_emit_fn(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what);

struct merge_input {
    struct source source;
    struct source_step step; /* the step that comes next */
    uint64_t since_ticks;    /* time of the step before */
};

/* Is told that the next calls, until it is called again, are of this input. */
typedef void merge_begin_fn(void *context, const struct merge_input *input);

struct merge_options {
    uint64_t remembers;   /* where the order of calls is not known, those before the last so many may be left out */
    uint64_t apart_ticks; /* calls further apart than this are given in several parts, each with its time */
    /* Told failures in a row, less than this apart, may be given together where only one source is left; 0: never. */
    uint64_t together_ticks;
    merge_emit_fn *emit;
    merge_begin_fn *begin; /* NULL: not called */
    void *context;
};

/* Merges the inputs, whose sources are set; the rest of an input is the merge's own. order: `count` places to work in.
 * Afterwards each source stands at its end, even if emit wanted no more. Returns how many calls were left out, as no
 * window would remember them. */
uint64_t merge_sources(const struct merge_options *options, struct merge_input *inputs, struct merge_input **order,
                       uint32_t count);

#endif
