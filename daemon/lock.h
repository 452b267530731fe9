/* One tripd an instance, and one a segment: a lock file beside the socket and one beside the segment, held by flock on
 * one open file description that the worker inherits from the keeper, so that they are free only when both are gone.
 * The content is the keeper's pid, for people. Nobody else may open the file: a reader could lock it, too. It stays
 * when tripd ends: removing it would let two of them lock two files of one name. */
#ifndef TRIPD_LOCK_H
#define TRIPD_LOCK_H

#include <sys/types.h>

/* -EWOULDBLOCK: *ret_holder is the pid that the file names (0: unknown). -EPERM: the file is another user's, who could
 * hold it for good and name any pid. Others: -errno. A tripd that was just killed
 * is given ten seconds to let go. */
int lock_take(const char *path, int *ret_fd, pid_t *ret_holder);

#endif
