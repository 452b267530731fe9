/* Reads result trees, for the files that print them. */
#ifndef TRIP_TOOLS_PRINT_PARTS_H
#define TRIP_TOOLS_PRINT_PARTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Return "" and 0 if the key is missing, or its value is of another kind. */
const char *tree_text(const json_t *map, const char *key);
uint64_t tree_number(const json_t *map, const char *key);
#define N(map, key) ((unsigned long long)tree_number(map, key)) /* for printf's %llu */
/* Is there no such key in the map, or null under it? */
bool tree_absent(const json_t *map, const char *key);

/* Prints a label, and the text in the column after it. */
void print_line(FILE *out, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *print_plural(uint64_t count); /* "s", or nothing for one */
/* Formats a quantile of latencies, which is right within 5%. A missing one lies above all buckets with an end. */
const char *print_latency(const json_t *map, const char *key, char out[24]);

/* Writes the evidence for a candidate, the strongest first and no more than `most`: "failed first and opened first". */
void write_evidence(FILE *out, const json_t *candidate, size_t most);

/* Returns whom an event is of: a breaker, a feature, a group, or "host". */
const char *event_subject(const json_t *event);

/* Formats a time of day: 2025-11-24 03:04:05.678. */
const char *print_moment(uint64_t unix_ms, char out[40]);

#endif
