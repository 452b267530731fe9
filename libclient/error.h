/* What went wrong, as tripd is told: counted by type in the meter, and with its texts in the section's ring of records.
 */
#ifndef TRIP_ERROR_H
#define TRIP_ERROR_H

#include "tell.h"

/* Of this outcome, which failed; or, with `outside`, of no call. True: half of the ring of records is full, and tripd
 * should come. */
bool error_tell(const struct reporter *reporter, const struct outcome *outcome, bool outside);

/* The type that is counted. */
trip_error_type error_type_of(const struct outcome *outcome);

#endif
