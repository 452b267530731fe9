/* The book of fallback chains, in the segment: internal/fallback_book.h. */
#include <string.h>

#include "segment/segment.h"

static bool same_texts(const struct fallback_book *a, const struct fallback_book *b)
{
    return a->text_used == b->text_used && memcmp(a->texts, b->texts, a->text_used) == 0;
}

/* Do both say the same, in whatever generation? */
static bool same(const struct fallback_book *a, const struct fallback_book *b)
{
    return a->chain_count == b->chain_count && a->step_count == b->step_count &&
           memcmp(a->chains, b->chains, a->chain_count * sizeof(a->chains[0])) == 0 &&
           memcmp(a->steps, b->steps, a->step_count * sizeof(a->steps[0])) == 0 && same_texts(a, b);
}

uint64_t segment_fallbacks_publish(struct segment *segment, const struct fallback_book *book)
{
    static const struct fallback_book empty;
    struct fallback_memory *const memory = segment->fallbacks;
    const uint64_t next = memory->commits + 1;
    const struct fallback_book *const wanted = book ? book : &empty;
    struct fallback_book *const place = &memory->books[next & 1];
    if (same(&memory->books[memory->commits & 1], wanted))
        return memory->commits;
    /* A reader of the book that is overwritten finds its generation gone, or `commits` moved on by two. */
    __atomic_store_n(&place->generation, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the generation is gone before the rest changes: fallback_copy */
    *place = *wanted;                        /* whose generation is 0 */
    __atomic_store_n(&place->generation, next, __ATOMIC_RELEASE); /* pairs with fallback_copy's first look */
    __atomic_store_n(&memory->commits, next, __ATOMIC_RELEASE);
    return next;
}
