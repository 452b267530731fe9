/* The default settings that libtrip needs, too: for all breakers of a process that never attached, and for the retries
 * of a breaker that found no place in tripd's table. Times are nanoseconds, rates permille, factors thousandths. */
#ifndef TRIP_INTERNAL_DEFAULTS_H
#define TRIP_INTERNAL_DEFAULTS_H

#include "trip.h"

#define DEFAULT_CONSECUTIVE_FAILURES 5
#define DEFAULT_SLOW_AFTER           UINT64_C(60000000000)
#define DEFAULT_OPEN                 UINT64_C(30000000000)
#define DEFAULT_OPEN_MAX             UINT64_C(300000000000)
#define DEFAULT_OPEN_JITTER          100
#define DEFAULT_PERMITS              1
#define DEFAULT_MAX_WAIT             UINT64_C(10000000000)
#define DEFAULT_RETRY_ATTEMPTS       3
#define DEFAULT_RETRY_BASE           UINT64_C(100000000)
#define DEFAULT_RETRY_MULTIPLIER     2000
#define DEFAULT_RETRY_MAX            UINT64_C(10000000000)
#define DEFAULT_RETRY_JITTER         100
#define DEFAULT_BUDGET_PER_SECOND    10
#define DEFAULT_RETRY_ON                                                                          \
    (1u << TRIP_ERROR_NETWORK | 1u << TRIP_ERROR_TIMEOUT | 1u << TRIP_ERROR_SERVICE_UNAVAILABLE | \
     1u << TRIP_ERROR_RATE_LIMITED)

#endif
