/* The parts of the segment that are for people: the last transitions, the attached clients, the patterns that bind. */
#include "segment/segment.h"

#include <errno.h>
#include <string.h>

#include "internal/events.h"
#include "internal/words.h"

/* -------------------------------------------------------------------------------------------------- transitions */

/* Appends an entry to a ring. A kill before the last store leaves a whole entry that is not counted:
 * segment_transitions_restore counts it. */
static void write_next(struct transition *ring, uint32_t places, uint64_t *next, const struct transition *entry)
{
    struct transition *const place = &ring[*next % places];
    words_publish(place, entry, sizeof(*entry));
    __atomic_store_n(next, *next + 1, __ATOMIC_RELEASE);
}

void segment_transition(struct segment *segment, const struct transition *what, uint64_t now_ms)
{
    struct segment_header *const header = segment->header;
    struct transition entry = *what;
    entry.sequence = header->transition_next + 1;
    entry.at_ms = now_ms;
    entry.at_unix_ms = segment_wall_ms(segment);
    if (entry.of != OF_LEVEL && entry.of != OF_FEATURE)
        memcpy(entry.name, segment_name(segment, entry.breaker), sizeof(entry.name));
    entry.note[sizeof(entry.note) - 1] = '\0';
    if (event_is_act(&entry))
        write_next(segment->acts, ACTS_RING, &header->acts_next, &entry);
    write_next(segment->transitions, TRANSITION_RING, &header->transition_next, &entry);
}

void segment_transitions_restore(struct segment *segment)
{
    struct segment_header *const header = segment->header;
    const uint64_t next = header->transition_next, acts_next = header->acts_next;
    if (segment->acts[acts_next % ACTS_RING].sequence == next + 1)
        __atomic_store_n(&header->acts_next, acts_next + 1, __ATOMIC_RELEASE);
    const struct transition act = segment->acts[(header->acts_next + ACTS_RING - 1) % ACTS_RING];
    if (segment->transitions[next % TRANSITION_RING].sequence == next + 1)
        __atomic_store_n(&header->transition_next, next + 1, __ATOMIC_RELEASE);
    else if (act.sequence == next + 1)
        write_next(segment->transitions, TRANSITION_RING, &header->transition_next, &act);
}

bool segment_event(const struct segment *segment, uint64_t index, struct transition *ret_event)
{
    const struct events events = {.header = segment->header,
                                  .ring = (const uint8_t *)segment->transitions,
                                  .acts = (const uint8_t *)segment->acts,
                                  .ring_stride = sizeof(struct transition),
                                  .acts_stride = sizeof(struct transition)};
    return event_from(&events, index, ret_event);
}

/* ------------------------------------------------------------------------------------------------------ clients */

void segment_client_clear(struct segment *segment, uint32_t lane)
{
    if (segment->clients[lane].lane_id != 0)
        __atomic_store_n(&segment->clients[lane].lane_id, 0, __ATOMIC_RELAXED);
}

void segment_client_set(struct segment *segment, uint32_t lane, const struct client_slot *client)
{
    words_publish(&segment->clients[lane], client, sizeof(*client));
}

/* ----------------------------------------------------------------------------------------------------- patterns */

static bool pattern_holds(const struct pattern_slot *place, uint64_t now_ms)
{
    return place->serial != 0 && (place->until_ms == 0 || now_ms < place->until_ms);
}

static bool pattern_is(const struct pattern_slot *place, const char *pattern)
{
    return place->serial != 0 && strncmp(place->pattern, pattern, sizeof(place->pattern)) == 0;
}

/* Finds a place for a pattern: a free one, so that after a kill either the old entry or the new one is there; if all
 * are taken, the same pattern's own. */
static struct pattern_slot *pattern_place(struct segment *segment, const char *pattern, uint64_t now_ms)
{
    struct pattern_slot *own = NULL;
    for (unsigned i = 0; i < PATTERNS_MAX; i++) {
        struct pattern_slot *place = &segment->patterns[i];
        if (!pattern_holds(place, now_ms))
            return place;
        if (pattern_is(place, pattern))
            own = place;
    }
    return own;
}

static uint64_t pattern_serial(const struct segment *segment)
{
    uint64_t highest = 0;
    for (unsigned i = 0; i < PATTERNS_MAX; i++)
        if (segment->patterns[i].serial > highest)
            highest = segment->patterns[i].serial;
    return highest + 1;
}

/* Drops each `auto` that overrides nothing: it is needed only above an older pattern with another mode. */
static void drop_idle_autos(struct segment *segment, uint64_t now_ms)
{
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < PATTERNS_MAX; i++) {
        const struct pattern_slot *place = &segment->patterns[i];
        if (pattern_holds(place, now_ms) && place->mode != TRIP_MODE_AUTO && place->serial < oldest)
            oldest = place->serial;
    }
    for (unsigned i = 0; i < PATTERNS_MAX; i++) {
        struct pattern_slot *place = &segment->patterns[i];
        if (place->serial != 0 && place->mode == TRIP_MODE_AUTO && place->serial < oldest)
            __atomic_store_n(&place->serial, 0, __ATOMIC_RELEASE); /* pairs with the acquire of readers */
    }
}

int segment_pattern_set(struct segment *segment, const char *pattern, trip_mode mode, uint64_t until_ms, uint32_t uid,
                        const char *reason, uint64_t now_ms)
{
    struct pattern_slot *place = pattern_place(segment, pattern, now_ms);
    if (!place)
        return -ENOSPC;
    struct pattern_slot entry = {
        .serial = pattern_serial(segment),
        .set_unix_ms = segment_wall_ms(segment),
        .until_ms = until_ms,
        .uid = uid,
        .mode = mode,
    };
    memcpy(entry.pattern, pattern, strnlen(pattern, sizeof(entry.pattern) - 1));
    if (reason)
        memcpy(entry.reason, reason, strnlen(reason, sizeof(entry.reason) - 1));

    words_publish(place, &entry, sizeof(entry));
    for (unsigned i = 0; i < PATTERNS_MAX; i++)
        if (&segment->patterns[i] != place && pattern_is(&segment->patterns[i], pattern))
            __atomic_store_n(&segment->patterns[i].serial, 0, __ATOMIC_RELEASE);
    drop_idle_autos(segment, now_ms);
    return 0;
}

const struct pattern_slot *segment_pattern_for(const struct segment *segment, const char *name, uint64_t now_ms)
{
    const struct pattern_slot *latest = NULL;
    for (unsigned i = 0; i < PATTERNS_MAX; i++) {
        const struct pattern_slot *place = &segment->patterns[i];
        if (pattern_holds(place, now_ms) && (!latest || place->serial > latest->serial) &&
            settings_pattern_matches(place->pattern, name))
            latest = place;
    }
    return latest;
}
