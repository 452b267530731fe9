#include "core/deadlines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct deadlines {
    uint32_t count;  /* deadlines that are set: entries of the heap */
    uint64_t *at_ns; /* deadlines of the heap's entries */
    uint32_t *heap;  /* whose deadline each entry is, the earliest first */
    uint32_t *place; /* by whose it is: its entry + 1 in the heap; 0: none is set */
};

int deadlines_new(uint32_t count, struct deadlines **ret_deadlines)
{
    struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
    if (!deadlines)
        return -ENOMEM;
    deadlines->at_ns = calloc(count, sizeof(*deadlines->at_ns));
    deadlines->heap = calloc(count, sizeof(*deadlines->heap));
    deadlines->place = calloc(count, sizeof(*deadlines->place));
    if (!deadlines->at_ns || !deadlines->heap || !deadlines->place) {
        deadlines_free(deadlines);
        return -ENOMEM;
    }
    *ret_deadlines = deadlines;
    return 0;
}

struct deadlines *deadlines_free(struct deadlines *deadlines)
{
    if (!deadlines)
        return NULL;
    free(deadlines->at_ns);
    free(deadlines->heap);
    free(deadlines->place);
    free(deadlines);
    return NULL;
}

static void put(struct deadlines *deadlines, uint32_t place, uint32_t which)
{
    deadlines->heap[place] = which;
    deadlines->place[which] = place + 1;
}

static void rise(struct deadlines *deadlines, uint32_t place, uint32_t which)
{
    while (place > 0 && deadlines->at_ns[which] < deadlines->at_ns[deadlines->heap[(place - 1) / 2]]) {
        put(deadlines, place, deadlines->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(deadlines, place, which);
}

static void sink(struct deadlines *deadlines, uint32_t place, uint32_t which)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= deadlines->count)
            break;
        if (child + 1 < deadlines->count &&
            deadlines->at_ns[deadlines->heap[child + 1]] < deadlines->at_ns[deadlines->heap[child]])
            child++;
        if (deadlines->at_ns[which] <= deadlines->at_ns[deadlines->heap[child]])
            break;
        put(deadlines, place, deadlines->heap[child]);
        place = child;
    }
    put(deadlines, place, which);
}

static void take_out(struct deadlines *deadlines, uint32_t which)
{
    const uint32_t place = deadlines->place[which] - 1, last = deadlines->heap[--deadlines->count];
    deadlines->place[which] = 0;
    if (last == which)
        return;
    put(deadlines, place, last);
    rise(deadlines, place, last);
    sink(deadlines, deadlines->place[last] - 1, last);
}

void deadlines_set(struct deadlines *deadlines, uint32_t which, uint64_t at_ns)
{
    const bool set = deadlines->place[which] != 0;
    if (set ? deadlines->at_ns[which] == at_ns : at_ns == DEADLINE_NEVER)
        return;
    deadlines->at_ns[which] = at_ns;
    if (at_ns == DEADLINE_NEVER) {
        take_out(deadlines, which);
        return;
    }
    if (!set)
        deadlines->place[which] = ++deadlines->count;
    rise(deadlines, deadlines->place[which] - 1, which);
    sink(deadlines, deadlines->place[which] - 1, which);
}

uint64_t deadlines_first(const struct deadlines *deadlines, uint32_t *ret_which)
{
    if (deadlines->count == 0)
        return DEADLINE_NEVER;
    *ret_which = deadlines->heap[0];
    return deadlines->at_ns[deadlines->heap[0]];
}
