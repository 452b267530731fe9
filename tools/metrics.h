/* What was counted, of a segment, as `metrics` prints it. */
#ifndef TRIP_TOOLS_METRICS_H
#define TRIP_TOOLS_METRICS_H

#include <jansson.h>

#include "snapshot.h"

/* Of breakers, groups, all of them together, and tripd itself. wanted: a breaker's name, a pattern or a group; NULL:
 * the host with all groups. NULL without memory. */
json_t *metrics_read(const struct snapshot *snapshot, const char *wanted);

#endif
