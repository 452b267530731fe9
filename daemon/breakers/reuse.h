#ifndef TRIPD_BREAKERS_REUSE_H
#define TRIPD_BREAKERS_REUSE_H

#include "breakers/table.h"

/* The table is full: frees the slot of a breaker that would be the same if it were made anew: of one that never had a
 * call, or of the one that is hidden for longest. False: there is none. */
bool breakers_make_room(struct breakers *breakers);
/* The same of one that this user made, if it is hidden. */
bool breakers_make_room_of(struct breakers *breakers, uid_t uid);

#endif
