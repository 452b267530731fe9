/* A host that is used for many inputs: made once, and then begun again as it was at first, which costs a copy of its
 * memories and no system call. */
#ifndef TRIP_TESTS_HOST_AGAIN_H
#define TRIP_TESTS_HOST_AGAIN_H

#include "breakers_host.h"

struct host_first {
    uint8_t *memory; /* what has memory of segment and commons, but transitions and latencies, which begin empty */
    const struct config *config;
};

/* Copies to or from `memory`, of what is in use. Returns how much that is; NULL: only that. */
static inline size_t host_copy(const struct host *host, uint8_t *memory, bool back)
{
    const uint32_t slots = host->segment->slots;
    struct section parts[SECTION_COUNT + COMMONS_SECTION_COUNT + 2];
    uint8_t *bases[SECTION_COUNT + COMMONS_SECTION_COUNT + 2];
    size_t count = 0, copied = 0;
    parts[count] = (struct section){.stride = sizeof(struct segment_header), .count = 1};
    bases[count++] = (uint8_t *)host->segment->header;
    parts[count] = (struct section){.stride = sizeof(struct commons_header), .count = 1};
    bases[count++] = (uint8_t *)host->commons->header;
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        parts[count] = host->segment->header->sections[i];
        bases[count++] = (uint8_t *)host->segment->header;
    }
    commons_plan(&parts[count]);
    for (unsigned i = 0; i < COMMONS_SECTION_COUNT; i++)
        bases[count++] = (uint8_t *)host->commons->header;
    for (size_t i = 0; i < count; i++) {
        if (i == 2 + SECTION_TRANSITIONS || i == 2 + SECTION_ACTS || i == 2 + SECTION_LATENCY)
            continue;
        const size_t size = (size_t)parts[i].stride * (parts[i].count == BREAKERS_MAX ? slots : parts[i].count);
        if (memory && back)
            memcpy(bases[i] + parts[i].offset, memory + copied, size);
        else if (memory)
            memcpy(memory + copied, bases[i] + parts[i].offset, size);
        copied += size;
    }
    return copied;
}

static inline void host_remember(const struct host *host, struct host_first *first)
{
    must(host->segment->header->transition_next == 0 && host->segment->header->latency_groups == 0);
    *first = (struct host_first){.memory = malloc(host_copy(host, NULL, false)), .config = host->config};
    must(first->memory);
    host_copy(host, first->memory, false);
}

/* Clients attach again afterwards: the host knows of none. */
static inline void host_again(struct host *host, const struct host_first *first)
{
    const struct segment_header *const header = host->segment->header;
    host_close(host);
    memset(host->segment->transitions, 0,
           at_most(header->transition_next, TRANSITION_RING) * sizeof(struct transition));
    memset(host->segment->acts, 0, at_most(header->acts_next, ACTS_RING) * sizeof(struct transition));
    memset(host->segment->latency, 0, header->latency_groups * sizeof(struct latency_group));
    host_copy(host, first->memory, true);
    host->config = (struct config *)(uintptr_t)first->config;
    host->move_count = 0;
    segment_inherit(host->segment, &host->clock);
    host_open(host);
    breakers_drain_all(host->breakers);
}

#endif
