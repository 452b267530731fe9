/* The commons: every process may write it, one word at a time, so every reader checks each word before it acts on it.
 */
#ifndef TRIP_INTERNAL_LAYOUT_COMMONS_H
#define TRIP_INTERNAL_LAYOUT_COMMONS_H

#include "internal/layout_base.h"
#include "internal/ticket_word.h"

/* commons_plan.h has the offsets. */
#define COMMONS_LANES_MAX   4096
#define PERMITS_PER_BREAKER 64

enum commons_section {
    COMMONS_WORDS,   /* struct state_line, one a breaker */
    COMMONS_PERMITS, /* uint64_t[PERMITS_PER_BREAKER], one a breaker */
    COMMONS_LIMITS,  /* struct limit_lines, one a breaker */
    COMMONS_TICKETS, /* uint64_t[TICKET_WORDS], one a breaker: ticket_word.h */
    COMMONS_SECTION_COUNT
};

struct commons_header {
    uint32_t doorbell __attribute__((aligned(LAYOUT_LINE))); /* doorbell.h */

    /* One bit per lane, bit n for lane n: the client appended an event, or dropped one because the ring was full, since
     * tripd last looked. The client sets it after the event and a full fence, and before it rings the bell: bell.h. */
    uint64_t dirty[COMMONS_LANES_MAX / 64] __attribute__((aligned(LAYOUT_LINE)));
};

/* A breaker's state word, on a line of its own: clients write the line only when the state or the streak changes, and
 * for failed and slow calls. A client that reports a failed or slow call of a closed breaker adds 1 to `told`, and
 * wakes tripd if `told` reaches `ring_at`: bell.h. */
struct state_line {
    uint64_t word;    /* state_word.h */
    uint64_t told;    /* everyone: modular */
    uint64_t ring_at; /* tripd */
    uint64_t reserved[5];
};

/* The words of a breaker's limits. Each word that calls write has a line of its own, so that callers under one limit do
 * not slow callers under another. */
struct limit_lines {
    uint64_t rate __attribute__((aligned(LAYOUT_LINE))); /* bucket_word.h */

    uint64_t budget __attribute__((aligned(LAYOUT_LINE))); /* bucket_word.h */

    /* A caller that waits for a ticket sets `waiting` and sleeps on `wakes`. A caller that gives a ticket back while
     * `waiting` is set clears it, adds 1 to `wakes` and wakes the longest sleepers: waiters.h. */
    uint32_t wakes __attribute__((aligned(LAYOUT_LINE)));
    uint32_t waiting;
};

#endif
