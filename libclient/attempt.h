/* One attempt of trip_run, in the caller's thread or in a hedge's. */
#ifndef TRIP_ATTEMPT_H
#define TRIP_ATTEMPT_H

#include "base.h"

/* Runs it and ends its call. attempt->error.type is the failure's. */
trip_outcome attempt_run(trip_operation *operation, void *arg, trip_attempt *attempt, trip_call *call);

#endif
