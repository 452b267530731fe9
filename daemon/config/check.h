/* Settings that each make sense but can never work together, and those that work but may surprise. */
#ifndef TRIPD_CONFIG_CHECK_H
#define TRIPD_CONFIG_CHECK_H

#include "config/config.h"
#include "config/keys.h"
#include "config/problems.h"

/* Where an entry and its keys stand in the file; 0: this key does not. */
struct config_lines {
    size_t entry;
    size_t keys[CONFIG_KEY_COUNT];
    bool broken[CONFIG_KEY_COUNT]; /* its value was not understood, so that no check may use it */
};

void config_check_breaker(const struct breaker_settings *settings, const struct config_lines *lines,
                          struct config_problems *problems, struct config_problems *notes);

/* Does this pattern match every name that the other one matches? */
bool config_pattern_covers(const char *pattern, const char *other);

#endif
