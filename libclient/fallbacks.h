/* This process's copies of the book of fallback chains: one a generation that was asked for, kept until trip_close, so
 * that texts may be pointed to. */
#ifndef TRIP_FALLBACKS_H
#define TRIP_FALLBACKS_H

#include "base.h"
#include "internal/fallback_book.h"

struct view;

struct fallback_copy {
    struct fallback_copy *older;
    const struct view *view;                       /* of the segment it came from */
    struct trip_breaker *breakers[FALLBACK_STEPS]; /* of endpoints, as they are asked for */
    struct fallback_book book;
};

/* Returns the copy of a generation, of whose number the low half is known; makes it if need be. NULL: the generation is
 * gone, or there is no memory. Any thread may call it: copies are only appended. */
struct fallback_copy *fallbacks_copy(struct fallback_copy **copies, const struct view *view, uint32_t generation);
struct fallback_copy *fallbacks_free(struct fallback_copy *copies);

#endif
