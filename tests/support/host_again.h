/* A host that is used for many inputs: made once, and then begun again as it was at first, which costs a copy of its
 * memories and no system call. */
#ifndef TRIP_TESTS_HOST_AGAIN_H
#define TRIP_TESTS_HOST_AGAIN_H

#include "breakers_host.h"

struct host_first {
    uint8_t *segment; /* without the rings of transitions, which are large and begin empty */
    uint8_t *commons;
    size_t rings, rings_size; /* where they are in the segment */
    const struct config *config;
};

static inline void host_remember(const struct host *host, struct host_first *first)
{
    const uint8_t *const map = (const uint8_t *)host->segment->header;
    must(host->segment->header->transition_next == 0);
    *first = (struct host_first){
        .segment = malloc(host->segment->size),
        .commons = malloc(host->commons->size),
        .rings = (size_t)((const uint8_t *)host->segment->transitions - map),
        .rings_size = (size_t)((const uint8_t *)host->segment->journal - (const uint8_t *)host->segment->transitions),
        .config = host->config};
    must(first->segment && first->commons);
    memcpy(first->segment, map, host->segment->size);
    memcpy(first->commons, host->commons->header, host->commons->size);
}

/* Clients attach again afterwards: the host knows of none. */
static inline void host_again(struct host *host, const struct host_first *first)
{
    uint8_t *const map = (uint8_t *)host->segment->header;
    const struct segment_header *const header = host->segment->header;
    const size_t behind = first->rings + first->rings_size;
    host_close(host);
    memset(host->segment->transitions, 0,
           at_most(header->transition_next, TRANSITION_RING) * sizeof(struct transition));
    memset(host->segment->acts, 0, at_most(header->acts_next, ACTS_RING) * sizeof(struct transition));
    memcpy(map, first->segment, first->rings);
    memcpy(map + behind, first->segment + behind, host->segment->size - behind);
    memcpy(host->commons->header, first->commons, host->commons->size);
    host->config = (struct config *)(uintptr_t)first->config;
    host->move_count = 0;
    segment_inherit(host->segment, &host->clock);
    host_open(host);
    breakers_drain_all(host->breakers);
}

#endif
