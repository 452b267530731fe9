/* The offsets of a commons' sections. They are constants: every process can write the commons, so nobody reads its
 * shape, layout or identity from it. */
#ifndef TRIP_INTERNAL_COMMONS_PLAN_H
#define TRIP_INTERNAL_COMMONS_PLAN_H

#include "internal/layout.h"

static inline uint64_t commons_page_up(uint64_t size)
{
    return (size + LAYOUT_PAGE - 1) / LAYOUT_PAGE * LAYOUT_PAGE;
}

/* Fills in the sections, and returns the exact size of the memfd. */
static inline uint64_t commons_plan(struct section sections[COMMONS_SECTION_COUNT])
{
    static const uint32_t strides[COMMONS_SECTION_COUNT] = {
        [COMMONS_WORDS] = sizeof(struct state_line),
        [COMMONS_PERMITS] = PERMITS_PER_BREAKER * sizeof(uint64_t),
        [COMMONS_LIMITS] = sizeof(struct limit_lines),
        [COMMONS_TICKETS] = TICKET_WORDS * sizeof(uint64_t),
    };
    uint64_t end = sizeof(struct commons_header);
    for (unsigned i = 0; i < COMMONS_SECTION_COUNT; i++) {
        sections[i] = (struct section){.offset = commons_page_up(end), .stride = strides[i], .count = BREAKERS_MAX};
        end = sections[i].offset + (uint64_t)BREAKERS_MAX * strides[i];
    }
    return commons_page_up(end);
}

#endif
