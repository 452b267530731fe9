/* Incidents of a segment, as `incidents` and `incidents show` print them. */
#ifndef TRIP_TOOLS_INCIDENTS_H
#define TRIP_TOOLS_INCIDENTS_H

#include <jansson.h>

#include "snapshot.h"

/* {"incidents": [...]}, in the order of their places. */
json_t *incidents_read(const struct snapshot *snapshot);
/* One, with its breakers and its timeline. NULL: it is not kept. */
json_t *incident_read(const struct snapshot *snapshot, uint64_t id);

#endif
