/* Who is at the other end of a connection: as the kernel says, never as the peer does. */
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

/* SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket. 0 or -errno. */
int peer_of(int fd, struct peer *ret_peer);

/* A pidfd of the process that connected (SO_PEERPIDFD, Linux 6.5), CLOEXEC. -ENOPROTOOPT: this kernel has none. */
int peer_pidfd(int fd, int *ret_pidfd);
/* Is this descriptor, which a peer sent, the pidfd of the process that the kernel calls `pid`, and does it live?
 * -EINVAL: no pidfd, -EPERM: of another process, -ESRCH: of one that is gone. */
int peer_pidfd_check(int pidfd, pid_t pid);
/* Does its process write a core dump? Then no thread of it returns to its program. False also where /proc does not show
 * the process (hidepid, ProtectProc=). */
bool peer_dumps_core(int pidfd);

#endif
