/* Reads result trees, for the files that print them. */
#ifndef TRIP_TOOLS_PRINT_PARTS_H
#define TRIP_TOOLS_PRINT_PARTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* "", 0: it is not there, or of another kind. */
const char *tree_text(const json_t *map, const char *key);
uint64_t tree_number(const json_t *map, const char *key);
#define N(map, key) ((unsigned long long)tree_number(map, key)) /* for printf's %llu */
/* Whether the map has no such key, or null under it. */
bool tree_absent(const json_t *map, const char *key);

/* A line of what is said of one thing: the label, then the text in the column after it. */
void print_line(FILE *out, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *print_plural(uint64_t count); /* "s", or nothing for one */
/* A quantile of latencies; what took longer than buckets can tell is above the highest. */
const char *print_latency(const json_t *map, const char *key, char out[24]);

/* 2025-11-24 03:04:05.678 */
const char *print_moment(uint64_t unix_ms, char out[40]);

#endif
