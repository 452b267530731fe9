/* Prints the results of verbs for people, as lines and tables for a terminal. The results are the trees that --json
 * prints. Times of day are in the local time zone. */
#ifndef TRIP_TOOLS_PRINT_H
#define TRIP_TOOLS_PRINT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

void print_json(FILE *out, const json_t *result); /* one line */

void print_list(FILE *out, const json_t *result);
void print_show(FILE *out, const json_t *result);
void print_event(FILE *out, const json_t *event);
void print_events(FILE *out, const json_t *result);
void print_errors(FILE *out, const json_t *result);
void print_analyses(FILE *out, const json_t *result);
void print_metrics(FILE *out, const json_t *result);
void print_fingerprints(FILE *out, const json_t *result);
void print_incidents(FILE *out, const json_t *result);
void print_incident(FILE *out, const json_t *incident);
void print_deploy(FILE *out, const json_t *result);
void print_levels(FILE *out, const json_t *result);
void print_level(FILE *out, const json_t *result);
/* Prints what `level set` and `level auto` did, and what `feature set` and `feature auto` did. */
void print_level_change(FILE *out, const json_t *level);
void print_features(FILE *out, const json_t *result);
void print_feature(FILE *out, const json_t *feature);
void print_feature_change(FILE *out, const json_t *feature);
void print_clients(FILE *out, const json_t *result);
void print_status(FILE *out, const json_t *result);
/* Prints what a verb did. done: "tripped", "forced open", ... later: breakers to come are bound too. */
void print_hits(FILE *out, const json_t *result, const char *done, const char *later);
void print_reloaded(FILE *out, const json_t *result);
void print_clock(FILE *out, const json_t *result);

/* Formats a time: 950ms, 1.5s, 42s, 2m05s, 3h12m, 4d03h. */
const char *print_span(uint64_t ms, char text[24]);

#endif
