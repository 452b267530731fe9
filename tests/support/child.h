/* A child process that is killed when its parent ends. */
#ifndef TRIP_TESTS_CHILD_H
#define TRIP_TESTS_CHILD_H

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Forks, and returns as fork(2) does. */
static inline pid_t child_fork(void)
{
    const pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the parent ended before the line above */
        _exit(1);
    return 0;
}

#endif
