/* Copying what tripd shows of levels and features. */
#ifndef TRIP_INTERNAL_LEVELS_H
#define TRIP_INTERNAL_LEVELS_H

#include <stdbool.h>

#include "internal/layout_levels.h"
#include "internal/words.h"

/* Makes sure that nobody who reads the copy reads beyond it. */
static inline void levels_bound(struct levels_image *image)
{
    image->count = image->count < LEVELS_MAX ? image->count : LEVELS_MAX;
    for (unsigned i = 0; i < LEVELS_MAX; i++)
        image->names[i][LEVEL_NAME_MAX] = '\0';
    for (unsigned i = 0; i < 1 + LEVEL_GROUPS; i++) {
        image->levels[i].group[TRIP_NAME_MAX] = '\0';
        image->levels[i].reason[sizeof(image->levels[i].reason) - 1] = '\0';
    }
    for (unsigned i = 0; i < FEATURE_PLACES; i++) {
        image->features[i].name[TRIP_NAME_MAX] = '\0';
        image->features[i].reason[sizeof(image->features[i].reason) - 1] = '\0';
    }
}

/* Copies the image in force. False: tripd changed it all the time; the copy may mix two images, and is harmless. */
static inline bool levels_copy(const struct levels_memory *memory, struct levels_image *ret_image)
{
    bool whole = false;
    for (unsigned tries = 0; tries < 5 && !whole; tries++) {
        /* Acquire: pairs with the release of segment_levels_commit. tripd writes an image that is in force a last time
         * when the next one is: so a copy is whole if `commits` has not moved by then. */
        const uint64_t commits = __atomic_load_n(&memory->commits, __ATOMIC_ACQUIRE);
        words_load(ret_image, &memory->images[commits & 1], sizeof(*ret_image));
        whole = __atomic_load_n(&memory->commits, __ATOMIC_RELAXED) == commits;
    }
    levels_bound(ret_image);
    return whole;
}

/* Returns the name of a level; "?" for one that has none. */
static inline const char *level_name(const struct levels_image *image, unsigned level)
{
    return level < image->count && level < LEVELS_MAX ? image->names[level] : "?";
}

#endif
