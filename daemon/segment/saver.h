/* Keeps the snapshot on disk (saved.h) up to date: every few seconds when something changed, by a child process, so
 * that a slow disk never holds the loop up, and no stop for long. */
#ifndef TRIPD_SAVER_H
#define TRIPD_SAVER_H

#include "clock.h"
#include "loop/loop.h"
#include "segment/segment.h"

struct saver;

#define SAVER_LOCKS 2

/* folder: borrowed; made if it is not there. locks: descriptors that the children must not keep open; -1: none. */
int saver_new(struct loop *loop, const struct segment *segment, const struct clock *clock, const char *folder,
              const int locks[SAVER_LOCKS], struct saver **ret_saver);
/* Waits for a child that still writes. */
struct saver *saver_free(struct saver *saver);

/* Once a second. */
void saver_beat(struct saver *saver);
/* Writes the last snapshot before a stop, and waits a few seconds at most for the disk to take it. */
void saver_stop(struct saver *saver);

#endif
