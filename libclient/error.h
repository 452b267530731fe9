/* Reports errors to tripd: counts them by type in the meter, and appends their texts to the section's error ring. */
#ifndef TRIP_ERROR_H
#define TRIP_ERROR_H

#include "tell.h"

/* Reports the error of a failed outcome or, with `outside`, an error outside of any call. True: half of the error ring
 * is full, and tripd should be woken. */
bool error_tell(const struct reporter *reporter, const struct outcome *outcome, bool outside);

/* The type that is counted. */
static inline trip_error_type error_type_of(const struct outcome *outcome)
{
    if (outcome->error && (unsigned)outcome->error->type < TRIP_ERROR_TYPE_COUNT)
        return outcome->error->type;
    return outcome->what == TRIP_TIMEOUT ? TRIP_ERROR_TIMEOUT : TRIP_ERROR_UNKNOWN;
}

#endif
