/* Levels and features in the segment: internal/layout_levels.h. */
#include "internal/words.h"
#include "segment/segment.h"

static struct levels_image *in_force(const struct segment *segment)
{
    return &segment->levels->images[segment->levels->commits & 1];
}

const struct levels_image *segment_levels(const struct segment *segment)
{
    return in_force(segment);
}

struct levels_image *segment_levels_next(struct segment *segment)
{
    struct levels_memory *const memory = segment->levels;
    struct levels_image *const next = &memory->images[(memory->commits + 1) & 1];
    words_store(next, segment_levels(segment), sizeof(*next));
    return next;
}

void segment_levels_commit(struct segment *segment)
{
    /* Pairs with the acquire of levels_copy: the image that it selects is whole. */
    __atomic_store_n(&segment->levels->commits, segment->levels->commits + 1, __ATOMIC_RELEASE);
}

void segment_level_told(struct segment *segment, uint32_t place)
{
    struct level_state *const level = &in_force(segment)->levels[place];
    /* Both are for tripd alone. A worker that is killed between the two tells nothing twice: it looks into the ring. */
    __atomic_store_n(&level->told, level->now, __ATOMIC_RELEASE);
    __atomic_store_n(&level->untold, 0, __ATOMIC_RELEASE);
}

void segment_feature_publish(struct segment *segment, uint32_t place)
{
    struct feature_state *const feature = &in_force(segment)->features[place];
    /* Relaxed: the word is all that clients read (feature_find). */
    if (segment->feature_words[place] != feature->word)
        __atomic_store_n(&segment->feature_words[place], feature->word, __ATOMIC_RELAXED);
    /* For tripd alone, after the word: a worker that is killed between publishes the same word again. */
    __atomic_store_n(&feature->untold, FEATURE_TOLD, __ATOMIC_RELEASE);
}
