#ifndef TRIPD_BREAKERS_LIMITS_H
#define TRIPD_BREAKERS_LIMITS_H

#include "breakers/table.h"

/* Adopts the words of an earlier worker: first whether tickets may be out, which only the table knows. Then, once the
 * breaker's calls are known, breakers_limits_from_now: what they have earned is not earned again. */
void breakers_limits_adopt(struct breakers *breakers, uint32_t slot);
void breakers_limits_from_now(struct breakers *breakers, uint32_t slot);
void breakers_limits_begin(struct breakers *breakers, uint32_t slot); /* sets the words as for a new name */
void breakers_limits_configure(struct breakers *breakers, uint32_t slot);
void breakers_limits_publish(struct breakers *breakers, uint32_t slot); /* as settings and measurements say */
void breakers_limits_counted(struct breakers *breakers, uint32_t slot); /* call it when a drain brought something */
/* Looks once a second at the budget's cap, at tickets of lanes that are not there, and at what people are shown. False:
 * without calls none of this will change. */
bool breakers_limits_look(struct breakers *breakers, uint32_t slot);
/* Frees the tickets that no call of their lane accounts for; after the looks at all breakers. */
void breakers_limits_reclaim(struct breakers *breakers);
/* Frees the tickets of a lane that is gone, before another lane gets its number. */
void breakers_tickets_of_lane(struct breakers *breakers, uint32_t lane);
void breakers_limits_forget(struct breakers *breakers, uint32_t slot);

#endif
