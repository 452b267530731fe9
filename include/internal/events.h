/* Reading a segment's transitions by index. One ring holds the latest transitions of all kinds; a second ring holds
 * only acts, and so keeps them for longer. An act stands in both rings under the same sequence. */
#ifndef TRIP_INTERNAL_EVENTS_H
#define TRIP_INTERNAL_EVENTS_H

#include <stdbool.h>

#include "internal/layout.h"
#include "internal/numbers.h"
#include "internal/words.h"

struct events {
    const struct segment_header *header;
    const uint8_t *ring, *acts;
    uint32_t ring_stride, acts_stride;
};

/* Is it an act: a change of a mode or a level, or a step that neither a client nor tripd itself took? Clients' steps
 * must not push acts out. */
static inline bool event_is_act(const struct transition *event)
{
    return event->of == OF_MODE || event->of == OF_LEVEL || (event->by != BY_CLIENT && event->by != BY_DAEMON);
}

/* Copies an event. False: nothing is there, or tripd is writing it. */
static inline bool event_copy(const uint8_t *place, struct transition *ret_event)
{
    return words_take(ret_event, place, sizeof(*ret_event)) != 0;
}

static inline bool event_in_ring(const struct events *events, uint64_t index, struct transition *ret_event)
{
    /* Pairs with the release of segment_transition. */
    const uint64_t next = __atomic_load_n(&events->header->transition_next, __ATOMIC_ACQUIRE);
    const uint64_t first = next > TRANSITION_RING ? next - TRANSITION_RING : 0;
    for (uint64_t at = at_least(index, first); at < next; at++)
        if (event_copy(events->ring + at % TRANSITION_RING * events->ring_stride, ret_event) &&
            ret_event->sequence == at + 1)
            return true;
    return false;
}

static inline bool event_among_acts(const struct events *events, uint64_t index, struct transition *ret_event)
{
    const uint8_t *found = NULL;
    uint64_t least = UINT64_MAX;
    for (uint32_t at = 0; at < ACTS_RING; at++) {
        const uint8_t *const place = events->acts + (size_t)at * events->acts_stride;
        /* Relaxed: event_copy checks it again. */
        const uint64_t sequence =
            __atomic_load_n(&((const struct transition *)(const void *)place)->sequence, __ATOMIC_RELAXED);
        if (sequence > index && sequence < least) {
            least = sequence;
            found = place;
        }
    }
    return found && event_copy(found, ret_event) && ret_event->sequence == least;
}

/* Copies the first event at or after `index`; the next one is at or after its sequence. False: there is none. */
static inline bool event_from(const struct events *events, uint64_t index, struct transition *ret_event)
{
    struct transition act;
    const bool in_ring = event_in_ring(events, index, ret_event);
    if (in_ring && ret_event->sequence == index + 1)
        return true;
    /* This look comes after the one at the ring, so that an act that the ring lost meanwhile is found. */
    if (!event_among_acts(events, index, &act) || (in_ring && act.sequence >= ret_event->sequence))
        return in_ring;
    *ret_event = act;
    return true;
}

#endif
