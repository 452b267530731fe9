/* One tripd for each instance, and one for each segment: a lock file beside the socket and one beside the segment. The
 * lock is a flock on one open file description, which the worker inherits from the keeper: it is free only when both
 * are gone. The file holds the keeper's pid, for people. No other user may open it, for a reader could lock it, too. It
 * stays when tripd ends: if it were removed, two tripds could lock two files of the same name. */
#ifndef TRIPD_LOCK_H
#define TRIPD_LOCK_H

#include <sys/types.h>

/* Takes the lock. -EWOULDBLOCK: *ret_holder is the pid in the file (0: unknown). -EPERM: the file is another user's,
 * who could hold the lock for good and write any pid. Others: -errno. A tripd that was just killed has ten seconds to
 * let go. */
int lock_take(const char *path, int *ret_fd, pid_t *ret_holder);

#endif
