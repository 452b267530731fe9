/* All that an instance must have before its first worker: config, lock, segment, commons, socket. What fails here ends
 * tripd with a message that says what to do; a worker that is forked later has nothing left to ask for but memory. */
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
    char state_path[PATHS_MAX]; /* a folder of the instance's own */
    struct config *config;
    struct notify notify;
    struct notify_fd *inherited; /* out of systemd's store; what is used here has fd -1 */
    size_t inherited_count;
    struct clock clock;
    struct segment *segment;
    int lock, segment_lock;
    int listener;
    bool own_socket; /* made here, not by systemd */
    int commons;
};

/* 0, or -errno after the log has said why. */
int startup_open(struct startup *startup, const struct options *options);
/* Removes the socket, unless systemd keeps it for the next tripd. */
void startup_close(struct startup *startup);

/* The config as it is now, of the file and its drop-ins; a file that was not asked for by name may be missing. As
 * config_load. */
int startup_config(const struct startup *startup, struct config **ret_config, char **ret_problems);

/* Raises the limit of descriptors as far as may be, and says when max_lanes processes need more. */
void startup_descriptors(const struct config *config);

#endif
