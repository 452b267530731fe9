/* The book of fallback chains: what to answer instead when a breaker denies or a call fails. tripd makes it of the
 * config, and publishes it whole (layout_segment.h); a client copies it whole, checks the copy, and reads that.
 *
 *   policy_slot.fallback ──> chains[n].first[error type] ──> steps[i], steps[i + 1] ... up to FALLBACK_LAST ──> texts
 *
 * An alternative with several endpoints is several steps, one an endpoint; all but the last of them have FALLBACK_MORE.
 */
#ifndef TRIP_INTERNAL_FALLBACK_BOOK_H
#define TRIP_INTERNAL_FALLBACK_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trip.h"

#define FALLBACK_CHAINS     256   /* breakers entries with a fallback of their own */
#define FALLBACK_STEPS      1024  /* of all chains */
#define FALLBACK_LIST_MAX   16    /* steps of one list */
#define FALLBACK_TEXTS      49152 /* bytes of all texts */
#define FALLBACK_VALUE_MAX  4096  /* bytes of a default value, as JSON */
#define FALLBACK_WEIGHT_MAX 1000

enum fallback_flag {
    FALLBACK_LAST = 1,     /* the list ends here */
    FALLBACK_MORE = 2,     /* the next step is another endpoint of the same alternative */
    FALLBACK_WEIGHTED = 4, /* which endpoint comes first is drawn, by weight; else their order is kept */
};

struct fallback_step {
    uint8_t strategy; /* enum trip_strategy, not NONE */
    uint8_t flags;
    uint16_t weight;
    uint32_t text, size; /* in `texts`, with a NUL behind it: endpoint, features with commas, JSON, name of the queue */
    uint32_t reserved;
    uint64_t ttl_ms; /* cached */
};

struct fallback_chain {
    uint16_t first[TRIP_ERROR_TYPE_COUNT]; /* place in `steps` + 1, by error type; 0: no strategy */
};

struct fallback_book {
    uint64_t generation; /* 1, 2, ...; 0: it was never written */
    uint32_t chain_count, step_count, text_used, reserved;
    struct fallback_chain chains[FALLBACK_CHAINS];
    struct fallback_step steps[FALLBACK_STEPS];
    char texts[FALLBACK_TEXTS];
};

static inline bool fallback_step_ok(const struct fallback_book *book, uint32_t at)
{
    const struct fallback_step *const step = &book->steps[at];
    return step->strategy > TRIP_STRATEGY_NONE && step->strategy < TRIP_STRATEGY_COUNT &&
           step->text <= book->text_used && step->size < book->text_used - step->text + 1 &&
           (step->size == 0 || book->texts[step->text + step->size] == '\0') &&
           ((step->flags & FALLBACK_LAST) || at + 1 < book->step_count) &&
           !(step->flags & FALLBACK_LAST && step->flags & FALLBACK_MORE);
}

/* Is a copy whole, so that every list ends, and every text lies within it? Then it may be read without a check. */
static inline bool fallback_book_ok(const struct fallback_book *book)
{
    if (book->chain_count > FALLBACK_CHAINS || book->step_count > FALLBACK_STEPS || book->text_used >= FALLBACK_TEXTS ||
        book->texts[book->text_used] != '\0')
        return false;
    for (uint32_t chain = 0; chain < book->chain_count; chain++)
        for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
            if (book->chains[chain].first[type] > book->step_count)
                return false;
    for (uint32_t at = 0; at < book->step_count; at++)
        if (!fallback_step_ok(book, at))
            return false;
    return true;
}

/* The word of a policy slot: which chain of which generation of the book. 0: the breaker has no fallback. */
static inline uint64_t fallback_word(uint64_t generation, uint32_t chain)
{
    return (generation & 0xffffffff) << 32 | (chain + 1);
}

#endif
