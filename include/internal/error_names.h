/* Names of all error types, by number: the types of trip.h, then the user's own types. */
#ifndef TRIP_INTERNAL_ERROR_NAMES_H
#define TRIP_INTERNAL_ERROR_NAMES_H

#include "trip.h"

#define ERROR_NAME(suffix, name) name,

/* clang-format off */
#define ERROR_NAMES                                                                                                  \
    TRIP_ERROR_TYPES(ERROR_NAME) "user_0", "user_1", "user_2", "user_3", "user_4", "user_5", "user_6", "user_7",     \
    "user_8", "user_9", "user_10", "user_11", "user_12", "user_13", "user_14", "user_15"
/* clang-format on */

#endif
