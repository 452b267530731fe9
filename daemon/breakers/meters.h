/* Which breaker each meter of a lane belongs to. */
#ifndef TRIPD_BREAKERS_METERS_H
#define TRIPD_BREAKERS_METERS_H

#include "breakers/table.h"

void breakers_home(struct breakers *breakers, struct meter_cursor *meter); /* to the breaker that its owner names */
/* Those whose owner was written anew go to where it says now. */
void breakers_strays(struct breakers *breakers, struct meter_cursor **chain);
void breakers_homeless(struct breakers *breakers, uint32_t slot); /* all of a breaker that is forgotten */
void breakers_unlink_meters(struct breakers *breakers, struct lane_reader *reader); /* all of a lane that is gone */
/* Those that clients took, or gave to a breaker, until now: of this lane; of all lanes. */
void breakers_look_for_meters(struct breakers *breakers, struct lane_reader *reader);
void breakers_find_meters(struct breakers *breakers);
void breakers_drain_nobodys(struct breakers *breakers); /* meters of no breaker */

#endif
