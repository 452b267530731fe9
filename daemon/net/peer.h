/* Identifies the peer of a connection: by what the kernel says, never by what the peer says. */
#ifndef TRIPD_PEER_H
#define TRIPD_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PEER_GROUPS_MAX 64

struct peer {
    uid_t uid;
    pid_t pid;                     /* in tripd's pid namespace; for people, and to check a pidfd against */
    gid_t groups[PEER_GROUPS_MAX]; /* the primary one first */
    size_t group_count;
};

/* Reads SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket. 0 or -errno. */
int peer_of(int fd, struct peer *ret_peer);

/* Gets a pidfd of the process that connected (SO_PEERPIDFD, Linux 6.5), CLOEXEC. -ENOPROTOOPT: this kernel has none. */
int peer_pidfd(int fd, int *ret_pidfd);
/* Is this descriptor, which a peer sent, the pidfd of the living process that the kernel calls `pid`? -EINVAL: it is no
 * pidfd; -EPERM: it is another process's; -ESRCH: the process is gone. */
int peer_pidfd_check(int pidfd, pid_t pid);
/* Is the process writing a core dump? Then no thread of it returns to its program. False also where /proc does not show
 * the process (hidepid, ProtectProc=). */
bool peer_dumps_core(int pidfd);

#endif
