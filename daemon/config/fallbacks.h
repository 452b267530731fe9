/* Adds to the book of fallback chains while a config is read, and shows its chains. What is equal is kept once: texts,
 * lists, and whole chains. A chain is known by its number + 1, as in breaker_settings.fallback. */
#ifndef TRIPD_CONFIG_FALLBACKS_H
#define TRIPD_CONFIG_FALLBACKS_H

#include <stdio.h>

#include "config/config.h"

#define CONFIG_FEATURES_MAX 32    /* of one `reduced`: with commas they are no longer than a value may be */
#define CONFIG_CHAIN_MAX    32768 /* bytes of a chain as shown: an answer to `tripctl show` has room for it */

_Static_assert(CONFIG_FEATURES_MAX *(TRIP_NAME_MAX + 1) <= FALLBACK_VALUE_MAX, "the features fit");

extern const char *const config_strategy_names[TRIP_STRATEGY_COUNT];

/* Writes where the text is into the step. False: there is no room. */
bool config_fallback_text(struct fallback_book *book, const char *text, struct fallback_step *step);
/* Returns the place of the list + 1, as in `first` of a chain, and marks its last step. 0: there is no room. */
uint16_t config_fallback_list(struct fallback_book *book, struct fallback_step *steps, size_t count);
/* Returns the chain's number + 1. 0: there is no room. */
uint16_t config_fallback_chain(struct fallback_book *book, const struct fallback_chain *chain);

/* How a chain is shown: the lists of error types, and last, as "*", the list that most types have. Fills in the place +
 * 1 of each list, 0 for an empty one, and -1 where none is shown; returns how many are. */
#define CONFIG_FALLBACK_LISTS (TRIP_ERROR_TYPE_COUNT + 1)
size_t config_fallback_lists(const struct fallback_chain *chain, int ret_lists[CONFIG_FALLBACK_LISTS]);
/* The names of the types, "*" last. */
extern const char *const config_fallback_types[CONFIG_FALLBACK_LISTS];
/* Returns the bytes that a chain takes as shown, near enough. */
size_t config_fallback_size(const struct fallback_book *book, const struct fallback_chain *chain);

/* Write and visit the chain of an entry (show_fallback.c). */
void config_fallback_write(const struct config *config, uint16_t fallback, FILE *file);
void config_fallback_visit(const struct config *config, uint16_t fallback, const struct config_visitor *visitor);

#endif
