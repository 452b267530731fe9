/* The places of the sections in a segment that tripd makes. A reader takes offset, stride and count from the header,
 * and may compare stride and count with these. */
#ifndef TRIP_INTERNAL_SEGMENT_PLAN_H
#define TRIP_INTERNAL_SEGMENT_PLAN_H

#include <string.h>

#include "internal/layout.h"
#include "internal/names.h"

#define SECTION_SHAPE(suffix, pointer, type, entries, memory) {.stride = sizeof(type), .count = (entries)},
/* The stride and count of a section; the offset is 0, for only the whole plan knows it. */
static inline struct section section_shape(unsigned section)
{
    static const struct section shapes[SECTION_COUNT] = {SEGMENT_SECTIONS(SECTION_SHAPE)};
    return shapes[section];
}

/* Fills in the sections, and returns the exact size of the segment. */
static inline uint64_t segment_plan(struct section sections[SECTION_PLACES])
{
    uint64_t end = LAYOUT_PAGE;
    memset(sections, 0, SECTION_PLACES * sizeof(*sections));
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        sections[i] = section_shape(i);
        sections[i].offset = end;
        end += ((uint64_t)sections[i].stride * sections[i].count + LAYOUT_PAGE - 1) / LAYOUT_PAGE * LAYOUT_PAGE;
    }
    return end;
}

#endif
