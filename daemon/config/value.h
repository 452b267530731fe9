/* Quantities as people write them: 250ms, 1m30s, 12.5%, 2.0, 256MiB, 100. One way to write each, so that `010`, `5x`,
 * `30` for a duration and `1e3` are refused instead of guessed at. */
#ifndef TRIPD_CONFIG_VALUE_H
#define TRIPD_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_DURATION, /* nanoseconds */
    CONFIG_RATE,     /* permille */
    CONFIG_COUNT,
    CONFIG_FACTOR, /* thousandths */
    CONFIG_BYTES,
    CONFIG_WORD,        /* place in a list of words */
    CONFIG_STEPS,       /* a list of rates */
    CONFIG_PATTERN,     /* of breakers' names */
    CONFIG_ERROR_TYPES, /* a bit each */
};

#define CONFIG_TEXT_MAX 32  /* a quantity, written out */
#define CONFIG_WHY_MAX  160 /* what is wrong; what would be right */

/* One of the first five kinds, between lowest and highest. False: *why says what is wrong and what would be right.
 * What is larger than any value can be is UINT64_MAX to the comparison. */
bool config_value_parse(enum config_kind kind, const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_value,
                        char why[CONFIG_WHY_MAX]);

/* Parses again to the same value. */
const char *config_value_format(enum config_kind kind, uint64_t value, char text[CONFIG_TEXT_MAX]);

/* A number alone, as in user:1000: no sign, no leading zero. */
bool config_value_id(const char *text, uint32_t *ret_id);

/* The name most like this one, at most two letters away; NULL if there is none. */
const char *config_value_nearest(const char *text, const char *const *names, size_t count);

#endif
