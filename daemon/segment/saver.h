/* Keeps the snapshot on disk (saved.h) up to date. Every few seconds, if something changed, a child process writes it,
 * so that a slow disk never holds the loop up, and no stop for long. */
#ifndef TRIPD_SAVER_H
#define TRIPD_SAVER_H

#include "clock.h"
#include "loop/loop.h"
#include "segment/segment.h"

struct saver;

#define SAVER_LOCKS 2

/* Begins to save. folder: borrowed; made if it is not there. locks: descriptors that the children must close; -1: none.
 */
int saver_new(struct loop *loop, const struct segment *segment, const struct clock *clock, const char *folder,
              const int locks[SAVER_LOCKS], struct saver **ret_saver);
/* Waits for a child that is still writing. */
struct saver *saver_free(struct saver *saver);

/* Starts a child if it is time; call it once a second. */
void saver_beat(struct saver *saver);
/* Writes the last snapshot before a stop, and waits a few seconds at most for the disk to take it. */
void saver_stop(struct saver *saver);

#endif
