#include "net/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int peer_of(int fd, struct peer *ret_peer)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -errno;
    struct peer peer = {.uid = credentials.uid, .pid = credentials.pid, .groups = {credentials.gid}, .group_count = 1};
    gid_t more[PEER_GROUPS_MAX - 1];
    size = sizeof(more);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, more, &size) == 0) {
        const size_t count = size / sizeof(gid_t);
        memcpy(&peer.groups[1], more, count * sizeof(gid_t));
        peer.group_count += count;
    } else if (errno != ERANGE) { /* ERANGE: it is in more groups than fit here, and only the primary one counts */
        return -errno;
    }
    *ret_peer = peer;
    return 0;
}

int peer_pidfd(int fd, int *ret_pidfd)
{
    int pidfd;
    socklen_t size = sizeof(pidfd);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
        return -errno;
    *ret_pidfd = pidfd;
    return 0;
}

/* Reads `Pid:` from the descriptor's fdinfo. False: there is none. */
static bool fdinfo_pid(int fd, long *ret_pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    const int info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0)
        return false;
    const ssize_t size = read(info, text, sizeof(text) - 1);
    close(info);
    if (size <= 0)
        return false;
    text[size] = '\0';
    const char *line = strstr(text, "\nPid:");
    if (!line)
        return false;
    *ret_pid = strtol(line + strlen("\nPid:"), NULL, 10);
    return true;
}

int peer_pidfd_check(int pidfd, pid_t pid)
{
    long found;
    if (!fdinfo_pid(pidfd, &found))
        return -EINVAL;
    if (found == -1)
        return -ESRCH;
    return found == pid && pid > 0 ? 0 : -EPERM;
}

/* Does the process's status have this line? The kernel keeps the name of a process on one line, so it cannot forge
 * another. */
static bool status_says(long pid, const char *what)
{
    char path[64], *line = NULL;
    size_t size = 0;
    bool says = false;
    snprintf(path, sizeof(path), "/proc/%ld/status", pid);
    FILE *const status = fopen(path, "re");
    while (status && !says && getline(&line, &size, status) > 0)
        says = strcmp(line, what) == 0;
    free(line);
    if (status)
        fclose(status);
    return says;
}

/* The pidfd is checked last, for the number belongs to the process only while that is there. */
bool peer_dumps_core(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    long pid;
    return fdinfo_pid(pidfd, &pid) && pid > 0 && status_says(pid, "CoreDumping:\t1\n") && poll(&ended, 1, 0) == 0;
}
