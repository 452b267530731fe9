#ifndef TRIPD_BREAKERS_LIMITS_H
#define TRIPD_BREAKERS_LIMITS_H

#include "breakers/table.h"

/* What was not there before is in the table: whether tickets may be out. Then, where its calls so far are known, what
 * they earned is not earned again. */
void breakers_limits_adopt(struct breakers *breakers, uint32_t slot);
void breakers_limits_from_now(struct breakers *breakers, uint32_t slot);
void breakers_limits_begin(struct breakers *breakers, uint32_t slot); /* words as for a new name */
void breakers_limits_configure(struct breakers *breakers, uint32_t slot);
void breakers_limits_publish(struct breakers *breakers, uint32_t slot); /* as settings and measurements say */
void breakers_limits_counted(struct breakers *breakers, uint32_t slot); /* a drain brought something */
/* Once a second: the budget's cap, tickets of lanes that are not there, what people are
 * shown. False: without calls nothing of that will change. */
bool breakers_limits_look(struct breakers *breakers, uint32_t slot);
/* After the looks at all breakers: frees the tickets that no call of their lane accounts for. */
void breakers_limits_reclaim(struct breakers *breakers);
/* A lane is gone, and its number may be another's soon. */
void breakers_tickets_of_lane(struct breakers *breakers, uint32_t lane);
void breakers_limits_forget(struct breakers *breakers, uint32_t slot);

#endif
