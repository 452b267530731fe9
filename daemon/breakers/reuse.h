#ifndef TRIPD_BREAKERS_REUSE_H
#define TRIPD_BREAKERS_REUSE_H

#include "breakers/table.h"

/* For a full table: frees the slot of a breaker that, made anew, would be the same; first one that never had a call,
 * then the one that is hidden for longest. False: there is none. */
bool breakers_make_room(struct breakers *breakers);
/* Frees the slot of a hidden breaker that this user made. False: there is none. */
bool breakers_make_room_of(struct breakers *breakers, uid_t uid);

#endif
