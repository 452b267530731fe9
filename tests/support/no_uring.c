/* no_uring EPERM|ENOSYS COMMAND ARGUMENT...: runs a command to which a seccomp filter forbids io_uring with this error,
 * as containers do. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "refuse.h"

int main(int argc, char **argv)
{
    const bool denied = argc > 2 && strcmp(argv[1], "EPERM") == 0;
    if (argc < 3 || (!denied && strcmp(argv[1], "ENOSYS") != 0)) {
        fprintf(stderr, "usage: no_uring EPERM|ENOSYS COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (refuse_syscall(SYS_io_uring_setup, denied ? EPERM : ENOSYS) < 0) {
        fprintf(stderr, "no_uring: cannot set a seccomp filter: %s\n", strerror(errno));
        return 1;
    }
    execvp(argv[2], argv + 2);
    fprintf(stderr, "no_uring: cannot run %s: %s\n", argv[2], strerror(errno));
    return 127;
}
