/* One tripd an instance: a lock file beside the socket, held by flock on one open file description that the worker
 * inherits from the keeper, so that the instance is free only when both are gone. Its content is the keeper's pid, for
 * people. The file stays when tripd ends: removing it would let two of them lock two files of one name. */
#ifndef TRIPD_LOCK_H
#define TRIPD_LOCK_H

#include <sys/types.h>

/* -EWOULDBLOCK: *ret_holder is the pid that the file names (0: unknown). Others: -errno. A tripd that was just killed
 * is given half a second to let go. */
int lock_take(const char *path, int *ret_fd, pid_t *ret_holder);

#endif
