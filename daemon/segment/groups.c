/* Totals outlive their breakers: before a slot is given to another name, what its breaker counted is added to its
 * group's. It is added once, wherever a worker is killed: see struct group_slot. */
#include <string.h>

#include "internal/names.h"
#include "internal/totals.h"
#include "internal/words.h"
#include "segment/pages.h"
#include "segment/segment.h"

static uint64_t breaker_of(const struct segment *segment, uint32_t slot)
{
    return group_from(slot, segment_incarnation(segment, slot));
}

static bool is_named(const struct group_slot *group, const char *name, size_t length)
{
    return strncmp(group->name, name, length) == 0 && group->name[length] == '\0';
}

/* The next entry, with this name. NULL: all are in use, or there is no memory. */
static struct group_slot *group_take(struct segment *segment, const char *name, size_t length)
{
    const uint32_t used = segment->header->groups;
    struct group_slot *const group = &segment->groups[used];
    if (used == GROUPS_MAX ||
        pages_reserve_entries(segment->fd, &segment->header->sections[SECTION_GROUPS], used, used + 1) < 0)
        return NULL;
    *group = (struct group_slot){0}; /* a worker that was killed here may have begun it */
    memcpy(group->name, name, length);
    /* Pairs with the acquire of those who read groups. */
    __atomic_store_n(&segment->header->groups, used + 1, __ATOMIC_RELEASE);
    return group;
}

static struct group_slot *group_for(struct segment *segment, const char *name, size_t length)
{
    for (uint32_t at = 0; at < segment->header->groups; at++)
        if (is_named(&segment->groups[at], name, length))
            return &segment->groups[at];
    struct group_slot *const taken = group_take(segment, name, length);
    return taken ? taken : &segment->groups[0];
}

/* Fills the image not in force, and puts it in force. */
static void add(struct group_slot *group, uint64_t from, const struct breaker_totals *totals)
{
    struct group_image image = group->images[group->commits & 1];
    image.from = from;
    totals_add(&image.totals, totals);
    words_store(&group->images[(group->commits + 1) & 1], &image, sizeof(image));
    /* Pairs with the acquire of readers: the image that it selects is whole. */
    __atomic_store_n(&group->commits, group->commits + 1, __ATOMIC_RELEASE);
}

static void empty_breaker(struct segment *segment, struct group_slot *group, uint32_t slot)
{
    segment_begin(segment, slot)->head.totals = (struct breaker_totals){0};
    segment_commit(segment);
    __atomic_store_n(&group->images[group->commits & 1].from, 0, __ATOMIC_RELEASE);
}

void segment_group_take_over(struct segment *segment, uint32_t slot, uint64_t now_ns)
{
    if (segment_never_called(segment, slot)) /* such names would fill the table of groups */
        return;
    const char *const name = segment_name(segment, slot);
    struct group_slot *const group = group_for(segment, name, group_length(name));
    core_count_stay(segment_begin(segment, slot), now_ns);
    segment_commit(segment);
    add(group, breaker_of(segment, slot), &segment_core(segment, slot)->head.totals);
    empty_breaker(segment, group, slot);
}

void segment_groups_restore(struct segment *segment)
{
    for (uint32_t at = 0; at < segment->header->groups; at++) {
        struct group_slot *const group = &segment->groups[at];
        const uint64_t from = group->images[group->commits & 1].from;
        const uint32_t slot = (uint32_t)from - 1;
        if (from && slot < segment->slots && breaker_of(segment, slot) == from)
            empty_breaker(segment, group, slot);
    }
}

void segment_groups_clear(struct segment *segment)
{
    segment->groups[0].images[segment->groups[0].commits & 1] = (struct group_image){0};
    __atomic_store_n(&segment->header->groups, 1, __ATOMIC_RELEASE);
}

void segment_group_put(struct segment *segment, const char *name, const struct breaker_totals *totals)
{
    add(group_for(segment, name, strlen(name)), 0, totals);
}

const struct group_image *segment_group(const struct segment *segment, uint32_t at)
{
    const struct group_slot *const group = &segment->groups[at];
    return &group->images[group->commits & 1];
}
