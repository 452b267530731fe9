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
    CONFIG_FLAG,        /* the same: false, true */
    CONFIG_STEPS,       /* a list of rates */
    CONFIG_PATTERN,     /* of breakers' names */
    CONFIG_PATTERNS,    /* a list of them */
    CONFIG_ERROR_TYPES, /* a bit each */
    CONFIG_FALLBACK,    /* a chain of the book */
};

#define CONFIG_TEXT_MAX 32  /* a quantity, written out */
#define CONFIG_WHY_MAX  160 /* what is wrong; what would be right */

/* Reads a value of one of the first five kinds, between lowest and highest. False: *why says what is wrong and what
 * would be right. A number too large for 64 bits compares as UINT64_MAX. */
bool config_value_parse(enum config_kind kind, const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_value,
                        char why[CONFIG_WHY_MAX]);

/* Writes a value so that it parses to the same value again. */
const char *config_value_format(enum config_kind kind, uint64_t value, char text[CONFIG_TEXT_MAX]);

/* Reads a number alone, as in user:1000: no sign, no leading zero. */
bool config_value_id(const char *text, uint32_t *ret_id);

/* Returns the name most like this text, at most two letters away. NULL: there is none. */
const char *config_value_nearest(const char *text, const char *const *names, size_t count);

#endif
