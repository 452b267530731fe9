/* Does tripd trust a file's owner? It trusts root and the user that it runs as. Any other owner can change the file at
 * any time, or hold its lock. */
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
