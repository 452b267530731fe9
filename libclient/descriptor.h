/* Descriptors of libtrip: never 0 to 2, and never taken for another one that the host opened under their number; but
 * for epoll instances, timers and the like, which have one inode: another one of the host's looks like ours. */
#ifndef TRIP_DESCRIPTOR_H
#define TRIP_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

/* A descriptor of ours: the host may close it, and reuse its number. */
struct descriptor {
    int fd; /* -1: none */
    dev_t dev;
    ino_t ino;
};

/* Moves the descriptor that a system call returned to a number above 2. -1 and errno: the process has none left. */
int descriptor_raise(int fd);
int descriptor_copy(int fd);
struct descriptor descriptor_own(int fd);
bool descriptor_valid(const struct descriptor *descriptor);
void descriptor_close(struct descriptor *descriptor);

#endif
