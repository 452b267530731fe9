/* Everything that an instance needs before its first worker: config, locks, segment, commons, socket. A failure here
 * ends tripd with a message that says what to do. A worker that is forked later needs nothing more but memory. */
#ifndef TRIPD_STARTUP_H
#define TRIPD_STARTUP_H

#include "clock.h"
#include "config/config.h"
#include "internal/paths.h"
#include "notify.h"
#include "options.h"
#include "segment/segment.h"

struct startup {
    struct options options;
    char socket_path[PATHS_MAX];
    char lock_path[PATHS_MAX];
    char segment_path[PATHS_MAX];
    char config_path[PATHS_MAX];
    char state_path[PATHS_MAX]; /* the instance's own folder */
    struct config *config;
    struct notify notify;
    struct notify_fd *inherited; /* descriptors from systemd's store; those in use here have fd -1 */
    size_t inherited_count;
    struct clock clock;
    struct segment *segment;
    int lock, segment_lock;
    int listener;
    bool own_socket; /* tripd made the socket, not systemd */
    int commons;
};

/* Opens everything. 0, or -errno after the log has said why. */
int startup_open(struct startup *startup, const struct options *options);
/* Removes the socket, unless systemd keeps it for the next tripd. */
void startup_close(struct startup *startup);

/* Reads the config as it is now, from the file and its drop-ins, like config_load. The file may be missing, unless it
 * was named. */
int startup_config(const struct startup *startup, struct config **ret_config, char **ret_problems);

/* Raises the limit of descriptors as far as possible, and logs a warning if max_lanes processes need more. */
void startup_descriptors(const struct config *config);
/* Returns how many timers one user's processes may have (net/cancels.h), of the descriptors that nothing else needs. */
uint32_t startup_share_of_cancels(const struct config *config);

#endif
