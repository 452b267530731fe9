/* The evidence of one meter in one epoch, in order: what its counters say beyond what is counted, with the told events
 * as the only points in time that are known. Pure; what comes in was read once from hostile memory, so that counts may
 * be any, but every step's calls stay within what the counters say.
 *
 *   counted ──ok ok ok──> event ──ok──> event ──ok ok──> now
 *               gap               gap            gap, if nothing is on its way
 */
#ifndef TRIPD_SOURCE_H
#define TRIPD_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/window.h"

#define STEP_NO_CALL CALL_KINDS

/* A told event, as copied from a ring. */
struct told {
    uint64_t ticks;
    uint64_t ok; /* evidence: epoch and count */
    uint32_t failures, slow;
    uint32_t what;
    uint32_t next; /* place + 1 of the same meter's next one; 0: none */
};

struct evidence_counts {
    uint64_t ok, failures, slow;
};

struct source {
    const struct told *batch;
    uint32_t next; /* place + 1 in the batch; 0: no more */
    uint32_t epoch;
    struct evidence_counts counted; /* moves on with each step; at the end it is what to mark */
    struct evidence_counts counters;
    uint64_t ticks;       /* of the last step's last call; before the first step: since when `counted` stands */
    uint64_t until_ticks; /* no step is later than this */
    uint64_t untold;      /* failed and slow calls that were counted without an event of their own */
    bool rest;            /* take the counters up to now, not only up to the last event */
};

/* Calls in no known order since the last step, then one call, or several equal ones in a row. */
struct source_step {
    uint64_t ticks; /* of the first of them */
    uint64_t n;
    unsigned kind; /* enum call_kind, or STEP_NO_CALL */
    uint32_t what; /* of the event that told the first call; 0: no event did */
    bool gapless;  /* no calls came before it, and `gap` is not set */
    uint64_t gap[CALL_KINDS];
};

/* Returns an event's counts, as they stand in this source's counters. */
struct evidence_counts source_counts_at(const struct source *source, const struct told *told);
/* Takes the next step. together_ticks: failures in a row that were not slow, less than this apart, make one step; 0:
 * each makes its own. False: there is no more. */
bool source_next(struct source *source, uint64_t together_ticks, struct source_step *ret_step);

#endif
