/* The index of names in the segment: open addressing, linear probing, a power of two of places.
 *
 *   entry   0: empty, ends a search | else hash 32 | slot + 1 (32)
 *
 * tripd writes an entry last (release), after the slot's name, policy and state word. A reader finds a slot by the
 * hash, then compares the name; what it found may be forgotten a moment later, which the incarnation in the policy's
 * admission word tells. When a name is forgotten, those behind it move up, so that searches stay short however many
 * names come and go: a reader may miss one that just moves, and asks tripd for it.
 */
#ifndef TRIP_INTERNAL_NAMES_H
#define TRIP_INTERNAL_NAMES_H

#include <errno.h>
#include <string.h>

#include "internal/layout.h"
#include "internal/numbers.h"

#define NAMES_EMPTY UINT64_C(0)

/* Returns the length of a breaker's group: its name up to the last `/`. 0: the breaker is in no group. */
static inline size_t group_length(const char *name)
{
    const char *const slash = strrchr(name, '/');
    return slash ? (size_t)(slash - name) : 0;
}

/* Returns a hash of 64 bits, folded to 32. */
static inline uint32_t names_hash(const char *name)
{
    const uint64_t hash = fnv1a(FNV1A_BASIS, name, strlen(name));
    return (uint32_t)(hash ^ hash >> 32);
}

static inline uint64_t names_entry(uint32_t hash, uint32_t slot)
{
    return (uint64_t)hash << 32 | (slot + 1);
}

static inline uint32_t names_entry_hash(uint64_t entry)
{
    return (uint32_t)(entry >> 32);
}

/* Returns the slot of an entry. Where the index is not trusted it may be no slot at all. */
static inline uint32_t names_entry_slot(uint64_t entry)
{
    return (uint32_t)entry - 1;
}

#define NAMES_PLACES (1u << 17)
_Static_assert(NAMES_PLACES >= 2 * BREAKERS_MAX, "the index is half empty at least");

/* Finds a name. details: `slots` entries, `stride` bytes apart. -ENOENT: it is not there. *ret_place may be NULL. */
static inline int names_find(const uint64_t *index, uint32_t places, const void *details, uint32_t stride,
                             uint32_t slots, const char *name, uint32_t *ret_slot, uint32_t *ret_place)
{
    const uint32_t hash = names_hash(name);
    for (uint32_t probe = 0; probe < places; probe++) {
        const uint32_t place = (hash + probe) & (places - 1);
        /* Pairs with the release of segment_name_publish: the name is there before its entry. */
        const uint64_t entry = __atomic_load_n(&index[place], __ATOMIC_ACQUIRE);
        if (entry == NAMES_EMPTY)
            return -ENOENT;
        const uint32_t slot = names_entry_slot(entry);
        if (names_entry_hash(entry) != hash || slot >= slots)
            continue;
        const struct detail_slot *detail =
            (const struct detail_slot *)((const uint8_t *)details + (size_t)slot * stride);
        if (strncmp(detail->name, name, sizeof(detail->name)) != 0)
            continue;
        *ret_slot = slot;
        if (ret_place)
            *ret_place = place;
        return 0;
    }
    return -ENOENT;
}

#endif
