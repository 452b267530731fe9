/* The control socket's listening end: made at its path, with the folder if that is missing. Whoever may reach the
 * folder may connect; what one may do is decided by credentials, not by the file's mode. */
#ifndef TRIPD_LISTENER_H
#define TRIPD_LISTENER_H

#include <stdbool.h>

/* Makes the folder that `path` is in, one level deep, 0755 but for the umask. 0 too if it is there; -EPERM: it is
 * neither root's nor our user's. */
int listener_make_folder(const char *path);

/* Replaces a socket that a dead tripd left (the caller holds the instance's lock); anything else at the path is
 * -EEXIST. SOCK_SEQPACKET, CLOEXEC, non-blocking, mode 0666. */
int listener_make(const char *path, int *ret_fd);

/* Is this inherited descriptor a listening SOCK_SEQPACKET socket whose path is this one and still there? */
bool listener_usable(int fd, const char *path);
/* Is it a listening SOCK_SEQPACKET Unix socket at all? */
bool listener_is(int fd);

#endif
