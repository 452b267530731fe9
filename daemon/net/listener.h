/* Makes the listening control socket at its path, and its folder if that is missing. Anyone who can reach the folder
 * may connect; credentials, not the file's mode, decide what a user may do. */
#ifndef TRIPD_LISTENER_H
#define TRIPD_LISTENER_H

#include <stdbool.h>

/* Makes the folder that `path` is in, one level deep, with mode 0755 less the umask. 0 also if it is there; -EPERM: it
 * is neither root's nor our user's. */
int listener_make_folder(const char *path);

/* Makes the socket: SOCK_SEQPACKET, CLOEXEC, non-blocking, mode 0666. Replaces a socket that a dead tripd left, for the
 * caller holds the instance's lock; -EEXIST: there is something else at the path. */
int listener_make(const char *path, int *ret_fd);

/* Is this inherited descriptor a listening SOCK_SEQPACKET socket with this path, and is the path still its own? */
bool listener_usable(int fd, const char *path);
/* Is it a listening SOCK_SEQPACKET Unix socket at all? */
bool listener_is(int fd);

#endif
