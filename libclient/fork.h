/* What a forked child must know of its parent. */
#ifndef TRIP_FORK_H
#define TRIP_FORK_H

#include "base.h"

/* Wiped to 0 in a forked child. */
extern const uint64_t *fork_page HIDDEN;
/* Drops the parent's state, once in each forked child. */
typedef void fork_drop_fn(void);
/* Under clients.lock; the first one's `drop` stays. */
int fork_watch(fork_drop_fn *drop);
/* The generation of this process. A forked child first drops the parent's state; 0: another thread is doing so now. */
uint64_t fork_generation(void);

#endif
