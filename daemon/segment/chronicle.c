/* What tripd makes of errors and events, in the segment: internal/layout_chronicle.h. */
#include <string.h>

#include "internal/words.h"
#include "segment/pages.h"
#include "segment/segment.h"

_Static_assert(SETTINGS_TEMPLATES_MAX == FINGERPRINTS_MAX,
               "correlation.fingerprints may be as many as there are places");

const struct chronicle_image *segment_chronicle(const struct segment *segment)
{
    return &segment->chronicle->images[segment->chronicle->commits & 1];
}

struct chronicle_image *segment_chronicle_next(struct segment *segment)
{
    struct chronicle_memory *const memory = segment->chronicle;
    struct chronicle_image *const next = &memory->images[(memory->commits + 1) & 1];
    words_store(next, segment_chronicle(segment), sizeof(*next));
    return next;
}

void segment_chronicle_commit(struct segment *segment)
{
    /* Pairs with the acquire of readers: the image that it selects is whole. */
    __atomic_store_n(&segment->chronicle->commits, segment->chronicle->commits + 1, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------------------------------------- fingerprints */

int segment_fingerprints_reserve(struct segment *segment, uint32_t places)
{
    struct segment_header *const header = segment->header;
    const int error = pages_reserve_entries(segment->fd, &header->sections[SECTION_FINGERPRINTS], 0, places);
    if (error < 0)
        return error;
    for (uint32_t place = places; place < header->fingerprints; place++)
        __atomic_store_n(&segment->fingerprints[place].id, 0, __ATOMIC_RELAXED);
    /* Last: the entries below have memory. Pairs with the acquire of readers. */
    __atomic_store_n(&header->fingerprints, places, __ATOMIC_RELEASE);
    return 0;
}

void segment_fingerprint(struct segment *segment, uint32_t place, const struct fingerprint *entry)
{
    struct chronicle_memory *const memory = segment->chronicle;
    memory->staged_entry = *entry;
    /* Each store is seen by the worker that comes after a kill, in this order. */
    __atomic_store_n(&memory->staged, (uint64_t)place + 1, __ATOMIC_RELEASE);
    words_publish(&segment->fingerprints[place], entry, sizeof(*entry));
    __atomic_store_n(&memory->staged, 0, __ATOMIC_RELEASE);
}

void segment_chronicle_restore(struct segment *segment)
{
    const struct chronicle_memory *const memory = segment->chronicle;
    const struct fingerprint entry = memory->staged_entry;
    if (memory->staged != 0 && memory->staged <= segment->header->fingerprints)
        segment_fingerprint(segment, (uint32_t)memory->staged - 1, &entry);
}

/* ------------------------------------------------------------------------------------------------------ incidents */

void segment_incident(struct segment *segment, const struct incident *incident)
{
    words_publish(&segment->incidents[incident->id % INCIDENTS_KEPT], incident, sizeof(*incident));
}

void segment_incidents_put(struct segment *segment, const struct incident *incidents, size_t count)
{
    struct chronicle_image *const next = segment_chronicle_next(segment);
    for (size_t i = 0; i < count; i++) {
        segment_incident(segment, &incidents[i]);
        next->incidents.next_id = at_least(next->incidents.next_id, incidents[i].id + 1);
    }
    /* Breakers that are open as before begin no new incident. */
    next->incidents.events = segment->header->transition_next;
    segment_chronicle_commit(segment);
}

/* ------------------------------------------------------------------------------------------------- starts, deploys */

void segment_deploy(struct segment *segment, const char *name, uint32_t uid, uint64_t now_ms)
{
    struct chronicle_memory *const memory = segment->chronicle;
    struct deploy_mark mark = {.at_ms = now_ms, .at_unix_ms = segment_wall_ms(segment), .uid = uid};
    memcpy(mark.name, name, strnlen(name, sizeof(mark.name) - 1));
    words_store(&memory->deploy_marks[(memory->deploys + 1) & 1], &mark, sizeof(mark));
    /* Pairs with the acquire of readers: the mark that it selects is whole. */
    __atomic_store_n(&memory->deploys, memory->deploys + 1, __ATOMIC_RELEASE);
}

void segment_chronicle_started(struct segment *segment, uint64_t now_ms)
{
    __atomic_store_n(&segment->chronicle->started_ms, now_ms, __ATOMIC_RELEASE);
    __atomic_store_n(&segment->chronicle->started_unix_ms, segment_wall_ms(segment), __ATOMIC_RELEASE);
}
