/* Reads result trees, for the files that print them. */
#ifndef TRIP_TOOLS_PRINT_PARTS_H
#define TRIP_TOOLS_PRINT_PARTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Return "" and 0 if the key is missing, or its value is of another kind. */
const char *tree_text(const json_t *map, const char *key);
uint64_t tree_number(const json_t *map, const char *key);
/* Is there no such key in the map, or null under it? */
bool tree_absent(const json_t *map, const char *key);

/* Formats a time of day: 2025-11-24 03:04:05.678. */
const char *print_moment(uint64_t unix_ms, char out[40]);

#endif
