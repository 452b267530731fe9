/* Whose files tripd believes: root's, and those of the user that it runs as. Whoever else owns one can change it at any
 * time, or hold its lock. */
#ifndef TRIPD_OWNER_H
#define TRIPD_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static inline bool owner_is_ours(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

#endif
