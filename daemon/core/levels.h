/* Degradation levels, and the features that they switch off. All of it is in one image (internal/layout_levels.h): a
 * caller changes an image by these functions, brings it into force, and then publishes the words of features and writes
 * the events that the image says are untold.
 *
 *   - In force for a group is the highest of the host's level, its own, and those of the groups that it is in:
 *     payments/db is in payments.
 *   - A level rises at once. It goes down one step at a time, each of which takes `back_after`; a raise meanwhile, also
 *     one to less than what is still in force, makes the wait begin anew. A step that comes late makes those after it
 *     no earlier: a tripd that was away does not switch everything on at once.
 *   - What an operator set for a feature beats the levels, and outlives its entry in the config. A feature that is
 *     neither configured nor set is on, as every name that nobody knows.
 */
#ifndef TRIPD_CORE_LEVELS_H
#define TRIPD_CORE_LEVELS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/settings.h"
#include "internal/layout.h"

struct levels_now {
    uint64_t ms; /* since the segment's creation */
    uint64_t unix_ms;
};

struct levels_act {
    enum transition_by by;
    uint32_t uid;
    const char *reason; /* NULL: none */
    uint64_t until_ms;  /* 0: it has no TTL */
};

/* Takes the settings over. Levels above the highest one fall to it at once. */
void levels_configure(struct levels_image *image, const struct levels_settings *levels,
                      const struct feature_settings *features, size_t count, const struct levels_now *now);
/* Sets the level of a group, "" for the host's. level: less than image->count. -ENOSPC: so many groups have one. */
int levels_set(struct levels_image *image, const char *group, unsigned level, const struct levels_act *act,
               const struct levels_now *now);
/* Ends what was set for a group. Nothing happens if nothing was. */
void levels_auto(struct levels_image *image, const char *group, const struct levels_act *act,
                 const struct levels_now *now);
/* Sets a feature: on for so many permille of the keys. -ENOENT: it is neither configured nor set. */
int levels_feature_set(struct levels_image *image, const char *name, unsigned permille, const struct levels_act *act,
                       const struct levels_now *now);
/* Ends what was set for a feature. -ENOENT: as above. */
int levels_feature_auto(struct levels_image *image, const char *name, const struct levels_act *act,
                        const struct levels_now *now);
/* Take over what was set before a reboot, which took the image; a level goes back from where it was. What finds no
 * place is left out. */
void levels_restore(struct levels_image *image, const struct level_state *before, const struct levels_now *now);
void levels_restore_feature(struct levels_image *image, const struct feature_state *before);
/* Does what is due: TTLs end, levels go down a step. */
void levels_tick(struct levels_image *image, const struct levels_now *now);
/* Returns when something will be due, ms; UINT64_MAX: never. */
uint64_t levels_due_ms(const struct levels_image *image);

/* Returns the level in force for a group, "" for the host. */
unsigned levels_in_force(const struct levels_image *image, const char *group);
/* Returns the level that decides about a feature. */
unsigned levels_over_feature(const struct levels_image *image, const char *name);
/* Is the name within the group, as payments/db/main is within payments and payments/db? */
bool levels_is_within(const char *name, const char *group);
/* NULL: nothing was set for this group, and nothing of what was is in force. */
const struct level_state *levels_find(const struct levels_image *image, const char *group);
/* NULL: it is neither configured nor set. */
const struct feature_state *levels_feature_find(const struct levels_image *image, const char *name);

static inline bool level_in_use(const struct level_state *level)
{
    return level->set || level->now;
}

static inline bool feature_in_use(const struct feature_state *feature)
{
    return feature->configured || feature->set;
}

#endif
