/* Reads result trees, for the files that print them. */
#ifndef TRIP_TOOLS_PRINT_PARTS_H
#define TRIP_TOOLS_PRINT_PARTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "", 0: it is not there, or of another kind. */
const char *tree_text(const json_t *map, const char *key);
uint64_t tree_number(const json_t *map, const char *key);
/* Whether the map has no such key, or null under it. */
bool tree_absent(const json_t *map, const char *key);

/* 2025-11-24 03:04:05.678 */
const char *print_moment(uint64_t unix_ms, char out[40]);

#endif
