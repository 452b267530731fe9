/* What a forked child must know of its parent. */
#ifndef TRIP_FORK_H
#define TRIP_FORK_H

#include "base.h"

/* Wiped to 0 in a forked child. */
extern const uint64_t *fork_page HIDDEN;
int fork_watch(void);
/* The generation of this process. A forked child first drops the parent's state; 0: another thread is doing so now. */
uint64_t fork_generation(void);

/* track.c: forgets the parent's calls, which the child must not end. */
void track_forked(void);

#endif
