/* Calls by latency: groups of buckets that get their memory, and a breaker, when the first call falls into them. */
#include <errno.h>

#include "segment/pages.h"
#include "segment/segment.h"

#define GROUPS_A_PAGE (LAYOUT_PAGE / (uint32_t)sizeof(struct latency_group))

static struct latency_group *group_of(const struct segment *segment, uint32_t slot, uint32_t group)
{
    const uint32_t number = segment->details[slot].latency[group];
    return number && number <= segment->header->latency_groups ? &segment->latency[number - 1] : NULL;
}

static int reserve_more(struct segment *segment)
{
    uint32_t *const groups = &segment->header->latency_groups;
    const uint32_t end = *groups < LATENCY_GROUPS_MAX - GROUPS_A_PAGE ? *groups + GROUPS_A_PAGE : LATENCY_GROUPS_MAX;
    if (*groups == end)
        return -ENOSPC;
    const int error = pages_reserve_entries(segment->fd, &segment->header->sections[SECTION_LATENCY], *groups, end);
    if (error < 0)
        return error;
    /* Pairs with the acquire of those who read groups. */
    __atomic_store_n(groups, end, __ATOMIC_RELEASE);
    return 0;
}

/* Takes the next group, whose counts are zeros. A worker that is killed before the group's number stands in the details
 * leaves the group to the next worker. */
static struct latency_group *group_take(struct segment *segment, uint32_t slot, uint32_t group)
{
    if (segment->latency_next >= segment->header->latency_groups && reserve_more(segment) < 0)
        return NULL;
    const uint32_t number = ++segment->latency_next;
    /* Pairs with the acquire of latency_load. */
    __atomic_store_n(&segment->details[slot].latency[group], number, __ATOMIC_RELEASE);
    return &segment->latency[number - 1];
}

/* The group of these latencies, taken if need be. NULL: there is no memory for it. */
static struct latency_group *group_for(struct segment *segment, uint32_t slot, uint32_t group)
{
    struct latency_group *const there = group_of(segment, slot, group);
    return there ? there : group_take(segment, slot, group);
}

void segment_latency_add(struct segment *segment, uint32_t slot, uint32_t group, const uint32_t calls[LATENCY_GROUP])
{
    struct latency_group *const to = group_for(segment, slot, group);
    for (unsigned i = 0; to && i < LATENCY_GROUP; i++)
        if (calls[i]) /* release: pairs with the acquire of words_load */
            __atomic_store_n(&to->calls[i], to->calls[i] + calls[i], __ATOMIC_RELEASE);
}

void segment_latency_put(struct segment *segment, uint32_t slot, uint32_t bucket, uint64_t calls)
{
    struct latency_group *const to = group_for(segment, slot, bucket / LATENCY_GROUP);
    if (to) /* release: pairs with the acquire of words_load */
        __atomic_store_n(&to->calls[bucket % LATENCY_GROUP], calls, __ATOMIC_RELEASE);
}

void segment_latency_clear(struct segment *segment, uint32_t slot)
{
    static const struct latency_group zeros;
    for (uint32_t group = 0; group < LATENCY_GROUPS; group++) {
        struct latency_group *const to = group_of(segment, slot, group);
        if (to)
            words_store(to, &zeros, sizeof(zeros));
    }
}

void segment_latency_read(const struct segment *segment, uint32_t slot, uint64_t ret_counts[LATENCY_BUCKETS])
{
    latency_load(segment->details[slot].latency, (const uint8_t *)segment->latency, sizeof(*segment->latency),
                 segment->header->latency_groups, ret_counts);
}

void segment_latency_restore(struct segment *segment)
{
    segment->latency_next = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++)
        for (uint32_t group = 0; group < LATENCY_GROUPS; group++) {
            const uint32_t number = segment->details[slot].latency[group];
            if (number > segment->latency_next && number <= segment->header->latency_groups)
                segment->latency_next = number;
        }
}
