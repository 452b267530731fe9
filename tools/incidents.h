/* Fingerprints and incidents of a segment, as `fingerprints`, `incidents` and `incidents show` print them. */
#ifndef TRIP_TOOLS_INCIDENTS_H
#define TRIP_TOOLS_INCIDENTS_H

#include <jansson.h>

#include "protocol/report_incidents.h"
#include "snapshot.h"

/* {"incidents": [...]}, in the order of their places. */
json_t *incidents_read(const struct snapshot *snapshot);
/* One, with its breakers and its timeline. NULL: it is not kept. */
json_t *incident_read(const struct snapshot *snapshot, uint64_t id);
/* {"fingerprints": [...], ...}, in the order of their places. wanted: of breakers that match; NULL: all. */
json_t *fingerprints_read(const struct snapshot *snapshot, const char *wanted);

/* Orders a list of the result by a number of its entries, the greatest first; equal ones stay as they are. */
void incidents_sort(json_t *result, const char *list, const char *key);

#endif
