/* What a forked child must know of its parent. */
#ifndef TRIP_FORK_H
#define TRIP_FORK_H

#include "base.h"

/* Wiped to 0 in a forked child. */
extern const uint64_t *fork_page HIDDEN;
/* In a forked child, once: drops what is the parent's. */
typedef void fork_drop_fn(void);
/* Under clients.lock; the first one's `drop` stays. */
int fork_watch(fork_drop_fn *drop);
/* Of this process; in a forked child it first drops what is the parent's. 0: another thread is at that right now. */
uint64_t fork_generation(void);

#endif
