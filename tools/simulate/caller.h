/* A process that calls, in a simulation: libtrip itself, on the memory of an instance that is kept in this very process
 * (instance.h). Of tripd's folders nothing is included here, for both name what they share alike.
 */
#ifndef TRIP_TOOLS_SIMULATE_CALLER_H
#define TRIP_TOOLS_SIMULATE_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "internal/layout.h"
#include "trace_step.h"
#include "trip.h"

/* What tripd would send to a client that attaches. */
struct caller_offer {
    int segment_fd, commons_fd; /* they stay the caller's */
    uint64_t segment_id, segment_size, commons_id, commons_size, commons_number;
    uint64_t seed; /* seed of the dice of ramps, shedding and retries */
};

/* How a call ended. */
struct caller_outcome {
    trip_outcome outcome;
    trip_error_type error;
    uint64_t latency_ns;
    const struct trace_texts *texts; /* of its error; NULL: it has none */
};

int caller_new(const struct caller_offer *offer, trip_client **ret_caller);
/* Returns the lane as it would be sent to tripd. *ret_fd is the caller's to close. */
int caller_lane(const trip_client *caller, int *ret_fd, uint64_t *ret_lane_id);
int caller_breaker(trip_client *caller, const char *name, trip_breaker **ret_breaker);

trip_verdict caller_begin(trip_breaker *breaker, trip_call *call, trip_priority priority);
/* Does the call hold anything? If not, it stands for any number of equal calls: a copy of it ends each of them. */
bool caller_holds(const trip_call *call);
void caller_end(const trip_call *call, const struct caller_outcome *outcome);
void caller_record(trip_breaker *breaker, const struct caller_outcome *outcome);

/* Reports n errors outside of calls. texts: of the first one, which may be NULL; nothing is known of the others. */
void caller_errors(trip_breaker *breaker, trip_error_type type, const struct trace_texts *texts, uint64_t n);

/* Rings for the lane, so that tripd drains it. */
void caller_rings(trip_breaker *breaker);

/* What the lane has counted for a breaker until now. */
struct caller_counted {
    struct meter meter;
    uint32_t latency[LATENCY_BUCKETS];
    uint32_t errors[TRIP_ERROR_TYPE_COUNT];
};
void caller_counted(trip_breaker *breaker, struct caller_counted *ret_counted);
/* Adds `times` more of whatever the lane has counted since then. */
void caller_repeat(trip_breaker *breaker, const struct caller_counted *counted, uint64_t times);

#endif
