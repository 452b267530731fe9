/* What the files of the checks share. */
#ifndef TRIPD_CONFIG_CHECK_PARTS_H
#define TRIPD_CONFIG_CHECK_PARTS_H

#include "config_check.h"

struct check {
    const struct breaker_settings *settings;
    const struct config_lines *lines;
    struct config_problems *problems, *notes;
};

/* The line of the first of the two that stands in the file: what the reader most likely got wrong. */
static inline size_t line_of(const struct check *check, enum config_key_id first, enum config_key_id second)
{
    if (check->lines->keys[first])
        return check->lines->keys[first];
    return check->lines->keys[second] ? check->lines->keys[second] : check->lines->entry;
}

static inline const char *shown(enum config_kind kind, uint64_t value, char text[CONFIG_TEXT_MAX])
{
    return config_value_format(kind, value, text);
}

/* Retries, and the limits on calls. */
void config_check_load(const struct check *check);

#endif
