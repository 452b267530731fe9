/* Incidents in the snapshot. An incident is saved as its bytes, with the digest of the layout that they have: a tripd
 * that lays incidents out otherwise leaves it out. */
#ifndef TRIPD_SAVED_INCIDENTS_H
#define TRIPD_SAVED_INCIDENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "internal/layout.h"

/* {"incident", "layout", "bytes"}. NULL: no memory. */
json_t *saved_incident_pack(const struct incident *incident);
/* Reads such a map. An incident that went on ends there. False: it is of another layout, or damaged. */
bool saved_incident_unpack(const json_t *map, struct incident *ret_incident);

#endif
