#include "degradation/degradation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/levels.h"
#include "internal/feature_word.h"
#include "internal/levels.h"
#include "internal/numbers.h"
#include "segment/saved.h"

struct degradation {
    struct degradation_options options;
    struct segment *segment;
    uint64_t due_ms;
};

static struct levels_now now_of(const struct degradation *degradation)
{
    return (struct levels_now){.ms = clock_now_ms(degradation->options.clock),
                               .unix_ms = segment_wall_ms(degradation->segment)};
}

/* ----------------------------------------------------------------------------------------------------------- events */

/* In whose name changes are told that were not made now. NULL: in that of whoever made them. */
struct telling {
    const char *instead; /* a note: tripd did it */
    bool completes;      /* a worker that was killed may have told some of it */
};

/* Is the event in the ring? The number of the commit that made the change tells it from others like it. */
static bool is_in_ring(const struct segment *segment, const struct transition *event)
{
    const uint64_t next = segment->header->transition_next;
    struct transition entry;
    for (uint64_t index = time_until(next, TRANSITION_RING); segment_event(segment, index, &entry);
         index = entry.sequence)
        if (entry.of == event->of && entry.epoch == event->epoch && strcmp(entry.name, event->name) == 0)
            return true;
    return false;
}

static void tell(struct degradation *degradation, struct transition *event, const struct telling *telling)
{
    const struct levels_now now = now_of(degradation);
    event->breaker = UINT32_MAX;
    event->epoch = (uint32_t)degradation->segment->levels->commits;
    event->at_ms = now.ms;
    event->at_unix_ms = now.unix_ms;
    if (telling->instead) {
        event->by = BY_DAEMON;
        event->uid = 0;
        memset(event->note, 0, sizeof(event->note));
        memcpy(event->note, telling->instead, strnlen(telling->instead, sizeof(event->note) - 1));
    }
    if (telling->completes && is_in_ring(degradation->segment, event))
        return;
    segment_transition(degradation->segment, event, now.ms);
    if (degradation->options.told)
        degradation->options.told(degradation->options.context, event);
}

static uint64_t until_unix_ms(const struct degradation *degradation, uint64_t until_ms)
{
    const struct levels_now now = now_of(degradation);
    return until_ms ? now.unix_ms + time_until(until_ms, now.ms) : 0;
}

static void tell_level(struct degradation *degradation, const struct level_state *level, const struct telling *telling)
{
    struct transition event = {.of = OF_LEVEL,
                               .from = level->told,
                               .to = level->now,
                               .set = level->set,
                               .by = level->by,
                               .uid = level->uid,
                               .until_unix_ms = until_unix_ms(degradation, level->until_ms)};
    memcpy(event.name, level->group, sizeof(event.name));
    memcpy(event.note, level->reason, sizeof(event.note));
    tell(degradation, &event, telling);
}

static void tell_feature(struct degradation *degradation, const struct levels_image *image,
                         const struct feature_state *feature, uint64_t word, const struct telling *telling)
{
    const bool known = feature_has_mark(word, feature->word & ~FEATURE_PERMILLE_MASK);
    struct transition event = {.of = OF_FEATURE,
                               .from_permille = (uint16_t)(known ? feature_permille(word) : FEATURE_ON),
                               .to_permille = (uint16_t)feature_permille(feature->word),
                               .by = BY_DAEMON,
                               .until_unix_ms = until_unix_ms(degradation, feature->set ? feature->until_ms : 0)};
    memcpy(event.name, feature->name, sizeof(event.name));
    if (feature->untold == FEATURE_BY_ACT) {
        event.by = feature->by;
        event.uid = feature->uid;
        memcpy(event.note, feature->reason, sizeof(event.note));
    } else if (feature->untold == FEATURE_BY_CONFIG) {
        event.by = BY_CONFIG;
    } else {
        const char *const name = level_name(image, levels_over_feature(image, feature->name));
        snprintf(event.note, sizeof(event.note), "level %s", name);
    }
    tell(degradation, &event, telling);
}

/* Completes what follows from the image in force: events, and the words of features. */
static void publish(struct degradation *degradation, const struct telling *telling)
{
    struct segment *const segment = degradation->segment;
    const struct levels_image *const image = segment_levels(segment);
    for (uint32_t i = 0; i < 1 + LEVEL_GROUPS; i++) {
        if (!image->levels[i].untold)
            continue;
        tell_level(degradation, &image->levels[i], telling);
        segment_level_told(segment, i);
    }
    for (uint32_t place = 0; place < FEATURE_PLACES; place++) {
        const struct feature_state *const feature = &image->features[place];
        const uint64_t word = segment->feature_words[place];
        if (feature->untold != FEATURE_TOLD)
            tell_feature(degradation, image, feature, word, telling);
        if (feature->untold != FEATURE_TOLD || feature->word != word)
            segment_feature_publish(segment, place);
    }
    degradation->due_ms = levels_due_ms(image);
}

static void bring_into_force(struct degradation *degradation, const struct telling *telling)
{
    segment_levels_commit(degradation->segment);
    publish(degradation, telling);
}

/* ------------------------------------------------------------------------------------------------------ made, config
 */

static const struct telling by_themselves = {0};

void degradation_reconfigure(struct degradation *degradation, const struct config *config)
{
    const struct levels_now now = now_of(degradation);
    struct levels_image *const next = segment_levels_next(degradation->segment);
    levels_tick(next, &now); /* what was due before is not the config's doing */
    levels_configure(next, &config->levels, config->features, config->feature_count, &now);
    bring_into_force(degradation, &by_themselves);
}

int degradation_new(const struct degradation_options *options, struct degradation **ret_degradation)
{
    struct degradation *const degradation = calloc(1, sizeof(*degradation));
    if (!degradation)
        return -ENOMEM;
    degradation->options = *options;
    degradation->segment = options->segment;
    publish(degradation, &(struct telling){.completes = true});
    degradation_reconfigure(degradation, options->config);
    *ret_degradation = degradation;
    return 0;
}

struct degradation *degradation_free(struct degradation *degradation)
{
    free(degradation);
    return NULL;
}

/* Returns when what was set ends, or 0. Wall clocks jump, so nothing lasts longer than it would have when the snapshot
 * was written. What ran out ends with the next tick, and its level goes back step by step from there. */
static uint64_t ends_ms(const struct saved *saved, uint64_t wall_ms, uint64_t now_unix_ms, uint64_t now_ms)
{
    const uint64_t left_ms = at_most(time_until(wall_ms, now_unix_ms), time_until(wall_ms, saved->written_unix_ms));
    return wall_ms ? at_least(now_ms + left_ms, 1) : 0;
}

void degradation_restore(struct degradation *degradation, const struct saved *saved, uint64_t now_unix_ms)
{
    const struct levels_now now = now_of(degradation);
    struct levels_image *const next = segment_levels_next(degradation->segment);
    for (size_t i = 0; i < saved->level_count; i++) {
        struct level_state level = saved->levels[i].level;
        level.until_ms = ends_ms(saved, saved->levels[i].until_unix_ms, now_unix_ms, now.ms);
        levels_restore(next, &level, &now);
    }
    for (size_t i = 0; i < saved->feature_count; i++) {
        struct feature_state feature = saved->features[i].feature;
        feature.until_ms = ends_ms(saved, saved->features[i].until_unix_ms, now_unix_ms, now.ms);
        levels_restore_feature(next, &feature);
    }
    bring_into_force(degradation, &(struct telling){.instead = "as before the restart"});
    degradation_tick(degradation);
}

/* ------------------------------------------------------------------------------------------------------------- time */

uint64_t degradation_due(const struct degradation *degradation)
{
    return degradation->due_ms == UINT64_MAX ? UINT64_MAX : product(degradation->due_ms, TRIP_MS);
}

void degradation_tick(struct degradation *degradation)
{
    const struct levels_now now = now_of(degradation);
    if (degradation->due_ms > now.ms)
        return;
    levels_tick(segment_levels_next(degradation->segment), &now);
    bring_into_force(degradation, &by_themselves);
}

/* -------------------------------------------------------------------------------------------------------- operators */

/* An act that has begun: the image that it changes is not in force yet. */
struct change {
    struct levels_image *image;
    struct levels_now now;
    struct levels_act act;
};

static struct change begin(struct degradation *degradation, const struct degradation_actor *actor)
{
    const struct levels_now now = now_of(degradation);
    degradation_tick(degradation); /* what is due comes before the act */
    return (struct change){.image = segment_levels_next(degradation->segment),
                           .now = now,
                           .act = {.by = BY_OPERATOR,
                                   .uid = actor->uid,
                                   .reason = actor->reason,
                                   .until_ms = actor->ttl_ms ? now.ms + actor->ttl_ms : 0}};
}

static int end(struct degradation *degradation, int error)
{
    if (error == 0)
        bring_into_force(degradation, &by_themselves);
    return error;
}

int degradation_level_set(struct degradation *degradation, const char *group, unsigned level,
                          const struct degradation_actor *actor)
{
    const struct change change = begin(degradation, actor);
    return end(degradation, levels_set(change.image, group, level, &change.act, &change.now));
}

void degradation_level_auto(struct degradation *degradation, const char *group, const struct degradation_actor *actor)
{
    const struct change change = begin(degradation, actor);
    levels_auto(change.image, group, &change.act, &change.now);
    end(degradation, 0);
}

int degradation_feature_set(struct degradation *degradation, const char *name, unsigned permille,
                            const struct degradation_actor *actor)
{
    const struct change change = begin(degradation, actor);
    return end(degradation, levels_feature_set(change.image, name, permille, &change.act, &change.now));
}

int degradation_feature_auto(struct degradation *degradation, const char *name, const struct degradation_actor *actor)
{
    const struct change change = begin(degradation, actor);
    return end(degradation, levels_feature_auto(change.image, name, &change.act, &change.now));
}
