#include "startup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keeper.h"
#include "lock.h"
#include "log.h"
#include "net/callers.h"
#include "net/cancels.h"
#include "net/listener.h"
#include "segment/commons.h"

#define RIGHTS \
    "start tripd as root or by its systemd unit, run `tripd --user`, or set TRIP_RUNTIME_DIR and TRIP_SHM_DIR"

/* Says what would mend this error: a higher limit, or other rights. */
static const char *mend(int error)
{
    return *keeper_mend(error) ? keeper_mend(error) : "; " RIGHTS;
}

#define SEGMENT_LOCK "~lock" /* behind the segment's name; no instance name holds it, so it names no segment */

#define FDS_PER_LANE 3   /* memfd, pidfd, and the socket by which a process is woken */
#define FDS_BESIDE   512 /* connections of root, log, loop, and strangers' descriptors until they are closed */

/* ------------------------------------------------------------------------------------------------- paths and config */

static int find_paths(struct startup *startup)
{
    const struct options *options = &startup->options;
    int error = paths_socket(startup->socket_path, options->instance, options->user);
    if (error < 0) {
        log_error(error == -ENOENT ? "there is no XDG_RUNTIME_DIR for --user: log in as that user, or set "
                                     "TRIP_RUNTIME_DIR"
                                   : "the control socket's path is too long: set TRIP_RUNTIME_DIR to a shorter folder");
        return error;
    }
    const size_t stem = strlen(startup->socket_path) - strlen(".sock");
    snprintf(startup->lock_path, sizeof(startup->lock_path), "%.*s.lock", (int)stem, startup->socket_path);
    error = paths_segment(startup->segment_path, options->instance, options->user, geteuid());
    if (paths_state(startup->state_path, options->instance, options->user) < 0)
        startup->state_path[0] = '\0'; /* --user without a home: the saver says so */
    if (error == 0)
        error = options->config ? paths_format(startup->config_path, PATHS_MAX, options->config, "", "", "")
                                : paths_config(startup->config_path, options->instance, options->user);
    if (error == -ENAMETOOLONG)
        log_error("a path is longer than %d bytes: set TRIP_SHM_DIR, or the config, to a shorter one", PATHS_MAX - 1);
    if (error == -ENOENT) /* --user without a home: there is no config file */
        startup->config_path[0] = '\0';
    return error == -ENOENT ? 0 : error;
}

int startup_config(const struct startup *startup, struct config **ret_config, char **ret_problems)
{
    if (startup->options.config)
        return config_load(startup->config_path, ret_config, ret_problems);
    if (!*startup->config_path)
        return config_load(NULL, ret_config, ret_problems);
    return config_load_if_there(startup->config_path, ret_config, ret_problems);
}

static int read_config(struct startup *startup)
{
    char *problems = NULL;
    const int error = startup_config(startup, &startup->config, &problems);
    if (error < 0) {
        log_lines(LOG_LEVEL_ERROR, problems ? problems : "no memory to read the config");
        free(problems);
        return error;
    }
    if (startup->config->notes)
        log_lines(LOG_LEVEL_WARNING, startup->config->notes);
    return 0;
}

/* -------------------------------------------------------------------------------------------- one tripd an instance */

static void say_foreign_lock(const char *path)
{
    log_error(
        "%s is another user's file, which could keep tripd from running: remove it, or run tripd as that user, or "
        "choose another instance with -i",
        path);
}

static int take_lock(struct startup *startup)
{
    pid_t holder = 0;
    int error = listener_make_folder(startup->socket_path);
    if (error == -EPERM) {
        log_error(
            "the folder of %s is neither root's nor of the user that tripd runs as, so its owner could replace the "
            "socket: run tripd as that user, or give the folder to tripd's (chown)",
            startup->socket_path);
        return error;
    }
    if (error < 0) {
        log_error("cannot make the folder of %s: %s%s", startup->socket_path, strerror(-error), mend(error));
        return error;
    }
    error = lock_take(startup->lock_path, &startup->lock, &holder);
    if (error == -EWOULDBLOCK)
        log_error("instance \"%s\" is run by another tripd, pid %d, which holds %s: stop that one, or choose another "
                  "instance with -i",
                  startup->options.instance, (int)holder, startup->lock_path);
    else if (error == -EPERM)
        say_foreign_lock(startup->lock_path);
    else if (error < 0)
        log_error("cannot lock %s: %s%s", startup->lock_path, strerror(-error), mend(error));
    return error;
}

/* Returns the descriptors that tripd needs for these lanes, and for as many connections as callers.h lets in. */
static rlim_t descriptors_of(uint32_t lanes)
{
    return (rlim_t)(FDS_PER_LANE + CALLERS_SHARES * CALLERS_SHARE) * lanes + CALLERS_STRANGERS + FDS_BESIDE;
}

/* Raises the limit as far as tripd may, for all lanes that a reload may allow: the keeper reads no config again. */
void startup_descriptors(const struct config *config)
{
    const rlim_t wanted = descriptors_of(config->limits.max_lanes),
                 most = descriptors_of(LANES_MAX) + CANCELS_SHARES * CANCELS_SHARE;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= most)
        return;
    const struct rlimit raised = {.rlim_cur = most, .rlim_max = limit.rlim_max > most ? limit.rlim_max : most};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    const struct rlimit allowed = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &allowed);
    if (limit.rlim_max >= wanted)
        return;
    log_warning("%llu descriptors are not enough for limits.max_lanes: %u processes need %llu; raise LimitNOFILE= in "
                "the unit or `ulimit -n`",
                (unsigned long long)limit.rlim_max, config->limits.max_lanes, (unsigned long long)wanted);
}

uint32_t startup_share_of_cancels(const struct config *config)
{
    const rlim_t needed = descriptors_of(config->limits.max_lanes);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= needed)
        return 0;
    return (uint32_t)at_most((limit.rlim_cur - needed) / CANCELS_SHARES, CANCELS_SHARE);
}

/* ---------------------------------------------------------------------------------------------- segment and commons */

static struct notify_fd *inherited_named(struct startup *startup, const char *name)
{
    for (size_t i = 0; i < startup->inherited_count; i++)
        if (startup->inherited[i].fd >= 0 && strcmp(startup->inherited[i].name, name) == 0)
            return &startup->inherited[i];
    return NULL;
}

/* Drops what the store holds: it belongs to a segment that is gone. Its lanes have another shape, its words are of
 * other breakers. */
static void drop_inherited(struct startup *startup)
{
    for (size_t i = 0; i < startup->inherited_count; i++) {
        struct notify_fd *each = &startup->inherited[i];
        if (each->fd < 0 || listener_is(each->fd))
            continue;
        notify_unstore(&startup->notify, each->name);
        close(each->fd);
        each->fd = -1;
    }
}

/* Returns the folder of shm_open's names, so that it and the segment's name make a path. */
static const char *shm_folder(void)
{
    return paths_env("TRIP_SHM_DIR") ? "" : "/dev/shm";
}

static void say_no_segment(const struct startup *startup, int error)
{
    const char *where = shm_folder();
    if (error == -ENOSPC)
        log_error("no room for the state segment %s%s: enlarge that file system (mount -o remount,size=..., for a "
                  "container --shm-size); it takes 4.1 MiB, and 6 KiB more for each breaker beyond 64",
                  where, startup->segment_path);
    else if (error == -EPERM)
        log_error(
            "the state segment %s%s is another user's: run tripd as that user, remove the file, or choose another "
            "instance with -i",
            where, startup->segment_path);
    else
        log_error("cannot make the state segment %s%s: %s%s", where, startup->segment_path, strerror(-error),
                  mend(error));
}

/* Locks the segment: a tripd with another TRIP_RUNTIME_DIR has another socket and lock, and may have this segment. The
 * lock is a file of its own, for anyone who may read a file may flock it. */
static int lock_segment(struct startup *startup)
{
    char path[PATHS_MAX + sizeof(SEGMENT_LOCK)];
    pid_t holder = 0;
    int error = paths_format(path, sizeof(path), shm_folder(), startup->segment_path, SEGMENT_LOCK, "");
    if (error == 0)
        error = lock_take(path, &startup->segment_lock, &holder);
    if (error == -EWOULDBLOCK)
        log_error("the state segment %s%s is used by another tripd, pid %d, which holds %s: stop that one, or choose "
                  "another instance with -i, or another TRIP_SHM_DIR",
                  shm_folder(), startup->segment_path, (int)holder, path);
    else if (error == -EPERM)
        say_foreign_lock(path);
    else if (error == -ENOSPC)
        say_no_segment(startup, error);
    else if (error < 0)
        log_error("cannot lock %s: %s%s", path, strerror(-error), mend(error));
    return error;
}

static int open_segment(struct startup *startup)
{
    struct clock clock;
    clock_measure(&clock, startup->options.test_clock);
    const struct segment_options options = {.path = startup->segment_path,
                                            .max_breakers = startup->config->limits.max_breakers,
                                            .max_lanes = startup->config->limits.max_lanes,
                                            .clock = &clock};
    const char *why = NULL;
    const enum segment_found found = segment_adopt(&options, &startup->clock, &startup->segment, &why);
    if (found == SEGMENT_FOREIGN) {
        log_error("the state segment %s%s cannot be used: %s; remove it, or choose another instance with -i",
                  shm_folder(), startup->segment_path, why);
        return -EPERM;
    }
    if (found == SEGMENT_READY) {
        log_info("adopted the state segment %s%s", shm_folder(), startup->segment_path);
        return 0;
    }
    if (found == SEGMENT_INCOMPATIBLE)
        log_notice("the state segment %s%s is made anew: %s", shm_folder(), startup->segment_path, why);
    drop_inherited(startup);
    const int error = segment_create(&options, &startup->clock, &startup->segment);
    if (error < 0)
        say_no_segment(startup, error);
    return error;
}

/* Takes the store's commons, if the segment's words were in it last. */
static bool inherit_commons(struct startup *startup)
{
    struct notify_fd *stored = inherited_named(startup, "commons");
    struct commons *commons = NULL;
    if (!stored || commons_map(stored->fd, &commons) < 0)
        return false;
    const bool current = commons->commons_id == startup->segment->header->commons_id;
    commons_unmap(commons);
    if (!current)
        return false;
    startup->commons = stored->fd;
    stored->fd = -1;
    return true;
}

static int open_commons(struct startup *startup)
{
    if (inherit_commons(startup))
        return 0;
    const int error = commons_make(&startup->commons);
    if (error < 0) {
        log_error("cannot make the commons: %s%s", strerror(-error), keeper_mend(error));
        return error;
    }
    notify_unstore(&startup->notify, "commons");
    notify_store(&startup->notify, "commons", startup->commons, true);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- the socket */

/* Takes the listening socket of a socket unit, wherever it listens; or the store's, if its name is still there. */
static bool inherit_listener(struct startup *startup)
{
    for (size_t i = 0; i < startup->inherited_count; i++) {
        struct notify_fd *each = &startup->inherited[i];
        const bool stored = strcmp(each->name, "listener") == 0;
        if (each->fd < 0 || !(stored ? listener_usable(each->fd, startup->socket_path) : listener_is(each->fd)))
            continue;
        startup->listener = each->fd;
        each->fd = -1;
        return true;
    }
    return false;
}

static int open_listener(struct startup *startup)
{
    if (inherit_listener(startup))
        return 0;
    const int error = listener_make(startup->socket_path, &startup->listener);
    if (error == -EEXIST)
        log_error("%s is there and no socket: remove it", startup->socket_path);
    else if (error < 0)
        log_error("cannot listen at %s: %s%s", startup->socket_path, strerror(-error), mend(error));
    if (error < 0)
        return error;
    startup->own_socket = true;
    notify_unstore(&startup->notify, "listener");
    notify_store(&startup->notify, "listener", startup->listener, true);
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- all of it */

static int open_systemd(struct startup *startup)
{
    int error = notify_open(&startup->notify);
    if (error < 0)
        log_error("NOTIFY_SOCKET cannot be used: %s", strerror(-error));
    else if ((error = notify_inherit(&startup->inherited, &startup->inherited_count)) < 0)
        log_error("descriptors that LISTEN_FDS promises cannot be used: %s", strerror(-error));
    return error;
}

static int open_all(struct startup *startup)
{
    int error = open_systemd(startup);
    if (error == 0)
        error = find_paths(startup);
    if (error == 0)
        error = read_config(startup);
    if (error == 0)
        error = take_lock(startup);
    if (error == 0)
        error = lock_segment(startup);
    if (error == 0)
        error = open_segment(startup);
    if (error == 0)
        error = open_commons(startup);
    if (error == 0)
        error = open_listener(startup);
    return error;
}

int startup_open(struct startup *startup, const struct options *options)
{
    *startup = (struct startup){
        .options = *options, .notify = {.fd = -1}, .lock = -1, .segment_lock = -1, .listener = -1, .commons = -1};
    const int error = open_all(startup);
    if (error < 0) {
        startup_close(startup);
        return error;
    }
    startup_descriptors(startup->config);
    /* Looking at the segment mapped its pages here. The keeper, which inherits the mapping, never looks again. */
    madvise(startup->segment->header, startup->segment->size, MADV_DONTNEED);
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void startup_close(struct startup *startup)
{
    if (startup->own_socket && startup->notify.fd < 0)
        unlink(startup->socket_path);
    close_fd(startup->listener);
    close_fd(startup->commons);
    segment_unmap(startup->segment);
    config_free(startup->config);
    for (size_t i = 0; i < startup->inherited_count; i++)
        close_fd(startup->inherited[i].fd);
    free(startup->inherited);
    notify_close(&startup->notify);
    close_fd(startup->segment_lock);
    close_fd(startup->lock); /* last, for now the instance is free */
}
