/* Which breaker each meter of a lane belongs to. */
#ifndef TRIPD_BREAKERS_METERS_H
#define TRIPD_BREAKERS_METERS_H

#include "breakers/table.h"

/* Links a meter to the breaker that its owner names. */
void breakers_home(struct breakers *breakers, struct meter_cursor *meter);
/* Moves meters whose owner has changed to the breaker that it names now. */
void breakers_strays(struct breakers *breakers, struct meter_cursor **chain);
/* Unlinks all meters of a breaker that is forgotten. */
void breakers_homeless(struct breakers *breakers, uint32_t slot);
/* Unlinks all meters of a lane that is gone. */
void breakers_unlink_meters(struct breakers *breakers, struct lane_reader *reader);
/* Finds the meters that clients took, or gave to a breaker, until now: of this lane; of all lanes. */
void breakers_look_for_meters(struct breakers *breakers, struct lane_reader *reader);
void breakers_find_meters(struct breakers *breakers);
/* Drains the meters of no breaker. */
void breakers_drain_nobodys(struct breakers *breakers);

#endif
