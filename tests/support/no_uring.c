/* no_uring COMMAND ARGUMENT...: runs a command to which a seccomp filter forbids io_uring, as containers do. */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "refuse.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: no_uring COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (refuse_syscall(SYS_io_uring_setup, EPERM) < 0) {
        fprintf(stderr, "no_uring: cannot set a seccomp filter: %s\n", strerror(errno));
        return 1;
    }
    execvp(argv[1], argv + 1);
    fprintf(stderr, "no_uring: cannot run %s: %s\n", argv[1], strerror(errno));
    return 127;
}
