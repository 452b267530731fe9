/* What a forked child must know of its parent. */
#ifndef TRIP_FORK_H
#define TRIP_FORK_H

#include "base.h"

/* Wiped to 0 in a forked child. */
extern const uint64_t *fork_page HIDDEN;
int fork_watch(void);
/* Of this process; in a forked child it first drops what is the parent's. 0: another thread is at that right now. */
uint64_t fork_generation(void);

/* track.c: the parent's calls are none of the child's. */
void track_forked(void);

#endif
