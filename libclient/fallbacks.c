#include "fallbacks.h"

#include <stdlib.h>
#include <string.h>

#include "internal/numbers.h"
#include "view.h"

struct fallback_copy *fallbacks_free(struct fallback_copy *copies)
{
    while (copies) {
        struct fallback_copy *const copy = copies;
        copies = copy->older;
        free(copy);
    }
    return NULL;
}

/* Copies the parts of a book that are in use. They may change meanwhile: whoever copies looks afterwards. */
static void copy_parts(struct fallback_book *to, const struct fallback_book *from)
{
    to->chain_count = (uint32_t)at_most(from->chain_count, FALLBACK_CHAINS);
    to->step_count = (uint32_t)at_most(from->step_count, FALLBACK_STEPS);
    to->text_used = (uint32_t)at_most(from->text_used, FALLBACK_TEXTS - 1);
    memcpy(to->chains, from->chains, to->chain_count * sizeof(to->chains[0]));
    memcpy(to->steps, from->steps, to->step_count * sizeof(to->steps[0]));
    memcpy(to->texts, from->texts, to->text_used);
    to->texts[to->text_used] = '\0';
}

/* Copies the book of a generation, of whose number the low half is known. False: it is gone, or damaged. */
static bool fallback_copy(const struct view *view, uint32_t generation, struct fallback_book *ret_book)
{
    const struct fallback_memory *const memory = view->fallbacks;
    const struct fallback_book *const from = &memory->books[generation & 1];
    /* Acquire: pairs with segment_fallbacks_publish, the book of this generation is whole. */
    const uint64_t before = __atomic_load_n(&from->generation, __ATOMIC_ACQUIRE);
    if ((uint32_t)before != generation)
        return false;
    copy_parts(ret_book, from);
    __atomic_thread_fence(
        __ATOMIC_ACQUIRE); /* the copy before the second look: pairs with the fence of the publisher */
    ret_book->generation = before;
    return __atomic_load_n(&from->generation, __ATOMIC_RELAXED) == before && fallback_book_ok(ret_book);
}

static struct fallback_copy *found(struct fallback_copy **copies, const struct view *view, uint32_t generation)
{
    struct fallback_copy *copy = __atomic_load_n(copies, __ATOMIC_ACQUIRE);
    while (copy && (copy->view != view || (uint32_t)copy->book.generation != generation))
        copy = copy->older;
    return copy;
}

/* Appends a copy for those who search without the lock. Two threads may make the same one at once: both stay. */
static void keep(struct fallback_copy **copies, struct fallback_copy *copy)
{
    copy->older = __atomic_load_n(copies, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(copies, &copy->older, copy, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        continue;
}

struct fallback_copy *fallbacks_copy(struct fallback_copy **copies, const struct view *view, uint32_t generation)
{
    struct fallback_copy *copy = found(copies, view, generation);
    if (copy)
        return copy;
    copy = calloc(1, sizeof(*copy));
    if (!copy || !fallback_copy(view, generation, &copy->book)) {
        free(copy);
        return NULL;
    }
    copy->view = view;
    keep(copies, copy);
    return copy;
}
