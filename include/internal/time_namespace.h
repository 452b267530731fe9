/* Identifies the time namespace of a process: in another one than tripd's, CLOCK_MONOTONIC is shifted by a constant. */
#ifndef TRIP_INTERNAL_TIME_NAMESPACE_H
#define TRIP_INTERNAL_TIME_NAMESPACE_H

#include <stdint.h>
#include <sys/stat.h>

/* Returns the inode of the namespace, the same for all its processes; 0: unknown, for there is no /proc.
 * Async-signal-safe. */
static inline uint64_t time_namespace(void)
{
    struct stat status;
    return stat("/proc/thread-self/ns/time", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

#endif
