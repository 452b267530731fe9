/* The events of a simulation that say what its errors and transitions amount to: fingerprints and incidents. */
#ifndef TRIP_TOOLS_SIMULATE_CHRONICLE_EVENTS_H
#define TRIP_TOOLS_SIMULATE_CHRONICLE_EVENTS_H

#include <jansson.h>

#include "instance.h"

/* An incident began, or ended. */
json_t *chronicle_event(const struct instance *instance, const struct incident *incident);

/* Returns when the next of the incidents that go on has been quiet for long enough, after now. UINT64_MAX: none will.
 */
uint64_t chronicle_quiet_ns(const struct instance *instance, uint64_t quiet_ns);

/* Gives an event for each fingerprint, the one with the most errors first, then one for each incident that is kept, in
 * the order in which they began: a list. NULL: no memory. */
json_t *chronicle_summaries(const struct instance *instance);

#endif
