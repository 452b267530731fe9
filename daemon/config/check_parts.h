/* The parts that the files of the checks share. */
#ifndef TRIPD_CONFIG_CHECK_PARTS_H
#define TRIPD_CONFIG_CHECK_PARTS_H

#include "config/check.h"

struct check {
    const struct breaker_settings *settings;
    const struct config_lines *lines;
    struct config_problems *problems, *notes;
};

/* The line of whichever of the two keys stands in the file, the first one before the second: most likely the reader got
 * that line wrong. */
static inline size_t line_of(const struct check *check, enum config_key_id first, enum config_key_id second)
{
    if (check->lines->keys[first])
        return check->lines->keys[first];
    return check->lines->keys[second] ? check->lines->keys[second] : check->lines->entry;
}

static inline bool all_sound(const struct check *check, const enum config_key_id *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (check->lines->broken[keys[i]])
            return false;
    return true;
}

/* Were the values of all these keys understood? Only then can a check compare them. */
#define SOUND(check, ...)                                       \
    all_sound(check, (const enum config_key_id[]){__VA_ARGS__}, \
              sizeof((const enum config_key_id[]){__VA_ARGS__}) / sizeof(enum config_key_id))

static inline const char *by_default(const struct check *check, enum config_key_id id)
{
    return check->lines->keys[id] ? "" : " by default";
}

static inline const char *shown(enum config_kind kind, uint64_t value, char text[CONFIG_TEXT_MAX])
{
    return config_value_format(kind, value, text);
}

/* Checks retries, and the limits on calls. */
void config_check_load(const struct check *check);

#endif
