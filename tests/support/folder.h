/* Folders of a test's own. They are gone soon after its process, however that ended: a failed assertion, a fuzzer's
 * finding and a time-out come to no tear-down. */
#ifndef TRIP_TESTS_FOLDER_H
#define TRIP_TESTS_FOLDER_H

#include <assert.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER_ROOM 48 /* of a folder's path */

enum folder_where { FOLDER_IN_TMP, FOLDER_IN_SHM };

/* Removes the folder when the process of this pidfd has ended. A tripd that ends with it may still write there. */
static inline void folder_outlive(int pidfd, const char *folder)
{
    static const char remove[] = "for i in $(seq 100); do rm -rf \"$0\" && exit; sleep 0.1; done";
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    if (setsid() < 0 || chdir("/") < 0 || dup2(pidfd, STDIN_FILENO) < 0)
        _exit(1);
    syscall(SYS_close_range, STDIN_FILENO + 1, ~0U, 0); /* whoever reads the test's output waits for its end */
    while (poll(&end, 1, -1) < 1)
        ;
    execl("/bin/sh", "sh", "-c", remove, folder, NULL);
    _exit(1);
}

/* Starts a process that removes the folder. It is no child of this one, and in a session of its own: who kills the test
 * with its children, or with its group, does not kill that. */
static inline void folder_ends_with_this_process(const char *folder)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    assert(pidfd >= 0);
    const pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        if (fork() == 0)
            folder_outlive(pidfd, folder);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    close(pidfd);
}

/* Returns the folder that holds all others of this process. */
static inline const char *folder_root(enum folder_where where)
{
    static struct {
        pid_t owner;
        char path[FOLDER_ROOM];
    } roots[2];
    if (roots[where].owner != getpid()) {
        roots[where].owner = getpid();
        strcpy(roots[where].path, where == FOLDER_IN_SHM ? "/dev/shm/trip-test-XXXXXX" : "/tmp/trip-test-XXXXXX");
        assert(mkdtemp(roots[where].path));
        assert(chmod(roots[where].path, 0711) == 0); /* a test may let other users into its folder */
        folder_ends_with_this_process(roots[where].path);
    }
    return roots[where].path;
}

/* Makes an empty folder. */
static inline void folder_make(char ret_folder[FOLDER_ROOM], enum folder_where where)
{
    snprintf(ret_folder, FOLDER_ROOM, "%.32s/XXXXXX", folder_root(where));
    assert(mkdtemp(ret_folder));
}

static inline int folder_remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes the folder and what is in it, before the process ends. */
static inline void folder_remove(const char *folder)
{
    nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
