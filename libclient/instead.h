/* What answers instead of an operation of trip_run that got no answer. */
#ifndef TRIP_INSTEAD_H
#define TRIP_INSTEAD_H

#include "base.h"

struct instead {
    trip_breaker *breaker;
    const trip_fallbacks *fallbacks;
    void *arg;            /* of the operation */
    trip_options options; /* for calls to other endpoints, with what is left of the deadline */
    trip_result *result;
};

/* Tries the breaker's chain for this type of error. True: a strategy answered, which the result names. */
bool instead_answer(const struct instead *instead, trip_error_type type);

#endif
