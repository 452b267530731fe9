#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "owner.h"

#define PATIENCE_STEPS   6000
#define PATIENCE_STEP_NS 10000000

static pid_t read_holder(int fd)
{
    char text[32];
    const ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const long pid = strtol(text, NULL, 10);
    return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static int write_holder(int fd)
{
    char text[32];
    const int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    /* In this order a full file system loses nothing of a file that is there. */
    if (pwrite(fd, text, (size_t)size, 0) != size || ftruncate(fd, size) < 0)
        return errno ? -errno : -EIO;
    return 0;
}

/* Is the process gone, or dead while its parent has not asked for its status yet? */
static bool is_gone(pid_t pid)
{
    const int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0)
        return pid > 0 && errno == ESRCH;
    struct pollfd died = {.fd = pidfd, .events = POLLIN};
    const bool gone = poll(&died, 1, 0) == 1;
    close(pidfd);
    return gone;
}

/* Waits for the lock. A killed keeper's worker, and the child that writes its snapshot, hold it until they are dead,
 * too: for a moment, or for as long as a busy disk keeps one of them in fsync, which no signal ends. */
static int wait_for_lock(int fd)
{
    const struct timespec step = {.tv_nsec = PATIENCE_STEP_NS};
    for (int i = 0; i < PATIENCE_STEPS; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK || !is_gone(read_holder(fd)))
            return -errno;
        nanosleep(&step, NULL);
    }
    return -EWOULDBLOCK;
}

static bool is_anothers(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && !owner_is_ours(&status);
}

int lock_take(const char *path, int *ret_fd, pid_t *ret_holder)
{
    struct stat status;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fd < 0 ? -errno : 0;
    if (fd < 0)
        return error == -EACCES && is_anothers(path) ? -EPERM : error;
    if (fstat(fd, &status) < 0 || !owner_is_ours(&status))
        error = -EPERM;
    if (error == 0)
        error = wait_for_lock(fd);
    if (error == -EWOULDBLOCK)
        *ret_holder = read_holder(fd);
    if (error == 0)
        error = write_holder(fd);
    if (error < 0) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}
