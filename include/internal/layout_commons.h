/* The commons: everyone writes it, one word at a time, and nobody believes it. */
#ifndef TRIP_INTERNAL_LAYOUT_COMMONS_H
#define TRIP_INTERNAL_LAYOUT_COMMONS_H

#include "internal/layout_base.h"
#include "internal/ticket_word.h"

/* What is where: commons_plan.h. */
#define COMMONS_LANES_MAX   4096
#define PERMITS_PER_BREAKER 64

enum commons_section {
    COMMONS_WORDS,   /* struct state_line, one a breaker */
    COMMONS_PERMITS, /* uint64_t[PERMITS_PER_BREAKER], one a breaker */
    COMMONS_LIMITS,  /* struct limit_lines, one a breaker */
    COMMONS_TICKETS, /* uint64_t[TICKET_WORDS], one a breaker: ticket_word.h */
    COMMONS_SECTION_COUNT
};

/* Everyone writes it: nobody believes it. */
struct commons_header {
    uint32_t doorbell __attribute__((aligned(LAYOUT_LINE))); /* doorbell.h */

    /* A bit a lane, bit n of the whole for lane n: something was told (or dropped, for want of room) since tripd last
     * looked. Set by the client after its event and a full fence, before the bell, if it rings: bell.h. */
    uint64_t dirty[COMMONS_LANES_MAX / 64] __attribute__((aligned(LAYOUT_LINE)));
};

/* A line of its own: written only when the breaker's state or streak changes, and for failures. A client that tells of
 * a call that failed or was slow while the breaker was closed adds 1 to `told`, and wakes tripd if that reaches
 * `ring_at`: bell.h. */
struct state_line {
    uint64_t word;    /* state_word.h */
    uint64_t told;    /* everyone: modular */
    uint64_t ring_at; /* tripd */
    uint64_t reserved[5];
};

/* What limits share: a line for each word that is written at each call, so that those who use one do not wait for those
 * who use another. */
struct limit_lines {
    uint64_t rate __attribute__((aligned(LAYOUT_LINE))); /* bucket_word.h */

    uint64_t budget __attribute__((aligned(LAYOUT_LINE))); /* bucket_word.h */
    uint64_t retries_refused;                              /* for people */

    /* Who waits for a ticket sets `waiting` and sleeps on `wakes`; who gives one back and finds it set clears it, moves
     * `wakes` on and wakes those who sleep longest: waiters.h. */
    uint32_t wakes __attribute__((aligned(LAYOUT_LINE)));
    uint32_t waiting;
};

#endif
