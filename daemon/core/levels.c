#include "core/levels.h"

#include <errno.h>
#include <string.h>

#include "internal/feature_word.h"
#include "internal/numbers.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void copy_text(char *to, const char *from, size_t size)
{
    memset(to, 0, size);
    if (from)
        memcpy(to, from, strnlen(from, size - 1));
}

/* ----------------------------------------------------------------------------------------------------------- levels */

bool levels_is_within(const char *name, const char *group)
{
    const size_t length = strlen(group);
    return strncmp(name, group, length) == 0 && name[length] == '/';
}

unsigned levels_over_feature(const struct levels_image *image, const char *name)
{
    unsigned highest = image->levels[0].now;
    for (size_t i = 1; i < COUNT_OF(image->levels); i++)
        if (image->levels[i].now > highest && levels_is_within(name, image->levels[i].group))
            highest = image->levels[i].now;
    return highest;
}

unsigned levels_in_force(const struct levels_image *image, const char *group)
{
    const struct level_state *const own = levels_find(image, group);
    const unsigned outer = levels_over_feature(image, group);
    return own && own->now > outer ? own->now : outer;
}

#define NOWHERE SIZE_MAX

static size_t place_of_level(const struct levels_image *image, const char *group)
{
    for (size_t i = 0; i < COUNT_OF(image->levels); i++)
        if (level_in_use(&image->levels[i]) && strcmp(image->levels[i].group, group) == 0)
            return i;
    return NOWHERE;
}

const struct level_state *levels_find(const struct levels_image *image, const char *group)
{
    const size_t place = place_of_level(image, group);
    return place == NOWHERE ? NULL : &image->levels[place];
}

static struct level_state *find_level(struct levels_image *image, const char *group)
{
    const size_t place = place_of_level(image, group);
    return place == NOWHERE ? NULL : &image->levels[place];
}

static struct level_state *take_level(struct levels_image *image, const char *group)
{
    if (!*group)
        return &image->levels[0];
    for (size_t i = 1; i < COUNT_OF(image->levels); i++) {
        struct level_state *const level = &image->levels[i];
        if (level_in_use(level) || level->untold)
            continue;
        *level = (struct level_state){0};
        copy_text(level->group, group, sizeof(level->group));
        return level;
    }
    return NULL;
}

/* Makes `set` the level to which it goes: up at once, down step by step. */
static void head_for(struct level_state *level, unsigned set, uint64_t now_ms, uint64_t back_after_ms)
{
    if (set >= level->now) {
        level->now = (uint8_t)set;
        level->next_ms = 0;
    } else if (set > level->set || level->next_ms == 0) {
        level->next_ms = now_ms + back_after_ms;
    }
    level->set = (uint8_t)set;
    level->untold = 1;
}

static void note_level_act(struct level_state *level, const struct levels_act *act, const struct levels_now *now)
{
    level->by = (uint8_t)act->by;
    level->uid = act->uid;
    level->since_unix_ms = now->unix_ms;
    level->until_ms = act->until_ms;
    copy_text(level->reason, act->reason, sizeof(level->reason));
}

static void end_level(struct levels_image *image, struct level_state *level, const struct levels_act *act,
                      const struct levels_now *now)
{
    note_level_act(level, act, now);
    head_for(level, 0, now->ms, image->back_after_ms);
}

static const struct levels_act time_ended = {.by = BY_DAEMON, .reason = "its time ended"};

static void tick_level(struct levels_image *image, struct level_state *level, const struct levels_now *now)
{
    if (level->until_ms && level->until_ms <= now->ms)
        end_level(image, level, &time_ended, now);
    if (level->next_ms == 0 || level->next_ms > now->ms)
        return;
    level->now--;
    level->next_ms = level->now > level->set ? now->ms + image->back_after_ms : 0;
    level->untold = 1;
}

static void limit_level(struct level_state *level, unsigned highest, const struct levels_now *now)
{
    static const struct levels_act fewer = {.by = BY_CONFIG, .reason = "the config has fewer levels"};
    const uint64_t until_ms = level->until_ms;
    if (level->set <= highest && level->now <= highest)
        return;
    if (level->set > highest) {
        note_level_act(level, &fewer, now);
        level->until_ms = until_ms;
        level->set = (uint8_t)highest;
    }
    level->now = (uint8_t)highest;
    level->next_ms = level->now > level->set ? level->next_ms : 0;
    level->untold = 1;
}

/* --------------------------------------------------------------------------------------------------------- features */

static size_t place_of_feature(const struct levels_image *image, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(image->features); i++)
        if (feature_in_use(&image->features[i]) && strcmp(image->features[i].name, name) == 0)
            return i;
    return NOWHERE;
}

const struct feature_state *levels_feature_find(const struct levels_image *image, const char *name)
{
    const size_t place = place_of_feature(image, name);
    return place == NOWHERE ? NULL : &image->features[place];
}

static struct feature_state *find_feature(struct levels_image *image, const char *name)
{
    const size_t place = place_of_feature(image, name);
    return place == NOWHERE ? NULL : &image->features[place];
}

static unsigned wanted_permille(const struct levels_image *image, const struct feature_state *feature)
{
    if (feature->set)
        return feature->set_permille;
    if (!feature->configured)
        return FEATURE_ON;
    return levels_over_feature(image, feature->name) >= feature->off_from ? 0 : feature->permille;
}

/* Makes the word of each feature what levels, config and operators want. cause: of words that change by themselves. */
static void judge_features(struct levels_image *image, enum feature_cause cause)
{
    for (size_t i = 0; i < COUNT_OF(image->features); i++) {
        struct feature_state *const feature = &image->features[i];
        const unsigned permille = wanted_permille(image, feature);
        if (feature->word == 0 || feature_permille(feature->word) == permille)
            continue;
        feature->word = (feature->word & ~FEATURE_PERMILLE_MASK) | permille;
        if (feature->untold == FEATURE_TOLD)
            feature->untold = (uint8_t)cause;
    }
}

static void note_feature_act(struct feature_state *feature, const struct levels_act *act, const struct levels_now *now)
{
    feature->by = (uint8_t)act->by;
    feature->uid = act->uid;
    feature->since_unix_ms = now->unix_ms;
    feature->until_ms = act->until_ms;
    feature->untold = FEATURE_BY_ACT;
    copy_text(feature->reason, act->reason, sizeof(feature->reason));
}

static void end_feature(struct feature_state *feature, const struct levels_act *act, const struct levels_now *now)
{
    note_feature_act(feature, act, now);
    feature->until_ms = 0;
    feature->set = 0;
}

/* Finds the place for a new feature: the one that has its mark; else a free one on the way of a search for it, best one
 * of which everything is told. There is one, for FEATURES_MAX are configured at most, and as many kept besides. */
static struct feature_state *take_feature(struct levels_image *image, uint64_t mark)
{
    struct feature_state *untold = NULL, *free = NULL;
    for (uint32_t i = 0; i < FEATURE_PLACES; i++) {
        struct feature_state *const feature = &image->features[(feature_place(mark) + i) & (FEATURE_PLACES - 1)];
        if (feature_has_mark(feature->word, mark))
            return feature;
        if (!free && !feature_in_use(feature) && feature->untold == FEATURE_TOLD)
            free = feature;
        if (!untold && !feature_in_use(feature))
            untold = feature;
        if (feature->word == 0)
            break;
    }
    return free ? free : untold;
}

/* Drops what the config does not have any more, and is not set. */
static void unconfigure(struct levels_image *image, const struct feature_settings *settings, size_t count)
{
    uint8_t stays[FEATURE_PLACES] = {0};
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t place = place_of_feature(image, settings[i].name);
        if (place != NOWHERE)
            stays[place] = 1;
    }
    for (size_t i = 0; i < FEATURE_PLACES; i++) {
        struct feature_state *const feature = &image->features[i];
        feature->configured = feature->configured && stays[i];
        if (!stays[i] && feature->set && kept++ >= FEATURES_MAX)
            feature->set = 0;
    }
}

/* NULL: another feature has this mark, or there is no place. */
static struct feature_state *find_or_take(struct levels_image *image, const char *name)
{
    struct feature_state *feature = find_feature(image, name);
    if (feature)
        return feature;
    const uint64_t mark = feature_mark(name);
    feature = take_feature(image, mark);
    if (!feature || feature_in_use(feature))
        return NULL;
    *feature = (struct feature_state){.word = mark | FEATURE_ON};
    copy_text(feature->name, name, sizeof(feature->name));
    return feature;
}

static void configure_feature(struct levels_image *image, const struct feature_settings *settings)
{
    struct feature_state *const feature = find_or_take(image, settings->name);
    if (!feature)
        return; /* only if a feature that was set before, and is no longer configured, has the same mark */
    feature->configured = 1;
    feature->permille = (uint16_t)settings->percent;
    feature->off_from = settings->off_from;
}

/* ---------------------------------------------------------------------------------------------------------- changes */

void levels_configure(struct levels_image *image, const struct levels_settings *levels,
                      const struct feature_settings *features, size_t count, const struct levels_now *now)
{
    image->back_after_ms = levels->back_after / TRIP_MS;
    image->count = levels->count;
    memcpy(image->names, levels->names, sizeof(image->names));
    for (size_t i = 0; i < COUNT_OF(image->levels); i++) {
        struct level_state *const level = &image->levels[i];
        limit_level(level, levels->count - 1u, now);
        if (level->next_ms)
            level->next_ms = at_most(level->next_ms, now->ms + image->back_after_ms);
    }
    unconfigure(image, features, count);
    /* Features that are gone are on before others take their places. */
    judge_features(image, FEATURE_BY_CONFIG);
    for (size_t i = 0; i < count; i++)
        configure_feature(image, &features[i]);
    judge_features(image, FEATURE_BY_CONFIG);
}

int levels_set(struct levels_image *image, const char *group, unsigned level, const struct levels_act *act,
               const struct levels_now *now)
{
    struct level_state *own = find_level(image, group);
    if (!own && level == 0)
        return 0;
    if (!own)
        own = take_level(image, group);
    if (!own)
        return -ENOSPC;
    note_level_act(own, act, now);
    head_for(own, level, now->ms, image->back_after_ms);
    judge_features(image, FEATURE_BY_LEVEL);
    return 0;
}

void levels_auto(struct levels_image *image, const char *group, const struct levels_act *act,
                 const struct levels_now *now)
{
    struct level_state *const own = find_level(image, group);
    if (own)
        end_level(image, own, act, now);
}

int levels_feature_set(struct levels_image *image, const char *name, unsigned permille, const struct levels_act *act,
                       const struct levels_now *now)
{
    struct feature_state *const feature = find_feature(image, name);
    if (!feature)
        return -ENOENT;
    note_feature_act(feature, act, now);
    feature->set = 1;
    feature->set_permille = (uint16_t)permille;
    judge_features(image, FEATURE_BY_ACT);
    return 0;
}

int levels_feature_auto(struct levels_image *image, const char *name, const struct levels_act *act,
                        const struct levels_now *now)
{
    struct feature_state *const feature = find_feature(image, name);
    if (!feature)
        return -ENOENT;
    if (!feature->set)
        return 0;
    end_feature(feature, act, now);
    judge_features(image, FEATURE_BY_ACT);
    return 0;
}

void levels_restore(struct levels_image *image, const struct level_state *before, const struct levels_now *now)
{
    struct level_state *level = find_level(image, before->group);
    if (!level)
        level = take_level(image, before->group);
    if (!level)
        return;
    *level = *before;
    level->now = (uint8_t)at_least(level->now, level->set);
    level->told = 0;
    level->untold = 1;
    level->next_ms = level->now > level->set ? now->ms + image->back_after_ms : 0;
    limit_level(level, (unsigned)image->count - 1, now);
    judge_features(image, FEATURE_BY_LEVEL);
}

void levels_restore_feature(struct levels_image *image, const struct feature_state *before)
{
    struct feature_state *const feature = find_or_take(image, before->name);
    if (!feature)
        return;
    feature->set = 1;
    feature->set_permille = before->set_permille;
    feature->by = before->by;
    feature->uid = before->uid;
    feature->since_unix_ms = before->since_unix_ms;
    feature->until_ms = before->until_ms;
    memcpy(feature->reason, before->reason, sizeof(feature->reason));
    feature->untold = FEATURE_BY_ACT;
    judge_features(image, FEATURE_BY_ACT);
}

void levels_tick(struct levels_image *image, const struct levels_now *now)
{
    for (size_t i = 0; i < COUNT_OF(image->levels); i++)
        tick_level(image, &image->levels[i], now);
    for (size_t i = 0; i < COUNT_OF(image->features); i++) {
        struct feature_state *const feature = &image->features[i];
        if (feature->set && feature->until_ms && feature->until_ms <= now->ms)
            end_feature(feature, &time_ended, now);
    }
    judge_features(image, FEATURE_BY_LEVEL);
}

static void sooner(uint64_t *due_ms, uint64_t at_ms)
{
    if (at_ms)
        *due_ms = at_most(*due_ms, at_ms);
}

uint64_t levels_due_ms(const struct levels_image *image)
{
    uint64_t due_ms = UINT64_MAX;
    for (size_t i = 0; i < COUNT_OF(image->levels); i++) {
        sooner(&due_ms, image->levels[i].until_ms);
        sooner(&due_ms, image->levels[i].next_ms);
    }
    for (size_t i = 0; i < COUNT_OF(image->features); i++)
        if (image->features[i].set)
            sooner(&due_ms, image->features[i].until_ms);
    return due_ms;
}
