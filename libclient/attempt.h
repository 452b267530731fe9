/* One attempt of trip_run, in the caller's thread or in a hedge's. */
#ifndef TRIP_ATTEMPT_H
#define TRIP_ATTEMPT_H

#include "base.h"

/* An attempt that has not run yet, of an admitted call. */
trip_attempt attempt_of(const trip_call *call, unsigned number);
/* Runs it and ends its call. attempt->error.type is the failure's. */
trip_outcome attempt_run(trip_operation *operation, void *arg, trip_attempt *attempt, trip_call *call);

#endif
