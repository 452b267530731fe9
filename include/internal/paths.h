/* Where an instance's files are: one place for daemon, library and tools.
 *
 * TRIP_RUNTIME_DIR, TRIP_STATE_DIR and TRIP_SHM_DIR override everything: the socket is RUNTIME/NAME.sock, the state
 * STATE/NAME, the segment the file SHM/tripd.NAME. Without them: system paths, or the user's with `user`. A program
 * that has more rights than the user that started it (set-user-ID, file capabilities) ignores the environment.
 */
#ifndef TRIP_INTERNAL_PATHS_H
#define TRIP_INTERNAL_PATHS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#define PATHS_INSTANCE_MAX 63
#define PATHS_MAX          256
#define PATHS_SOCKET_MAX   (sizeof(((struct sockaddr_un *)0)->sun_path))

/* Is it 1 to 63 characters of letters, digits and . _ -, not beginning with a dot? */
static inline bool paths_instance_valid(const char *name)
{
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return length >= 1 && length <= PATHS_INSTANCE_MAX && name[length] == '\0' && name[0] != '.';
}

/* Returns the instance's name; for NULL $TRIP_INSTANCE, else "default". NULL: it is not a valid name. */
static inline const char *paths_instance(const char *name)
{
    if (!name)
        name = secure_getenv("TRIP_INSTANCE");
    if (!name || !*name)
        name = "default";
    return paths_instance_valid(name) ? name : NULL;
}

static inline int paths_format(char *path, size_t size, const char *dir, const char *middle, const char *name,
                               const char *ending)
{
    const int length = snprintf(path, size, "%s%s%s%s", dir, middle, name, ending);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static inline const char *paths_env(const char *variable)
{
    const char *value = secure_getenv(variable);
    return value && *value ? value : NULL;
}

/* Makes the path of tripd's own socket. -ENOENT: `user` without XDG_RUNTIME_DIR. */
static inline int paths_socket(char path[PATHS_MAX], const char *instance, bool user)
{
    const char *dir = paths_env("TRIP_RUNTIME_DIR");
    if (dir)
        return paths_format(path, PATHS_SOCKET_MAX, dir, "/", instance, ".sock");
    if (!user)
        return paths_format(path, PATHS_SOCKET_MAX, "/run/tripd", "/", instance, ".sock");
    dir = paths_env("XDG_RUNTIME_DIR");
    return dir ? paths_format(path, PATHS_SOCKET_MAX, dir, "/tripd/", instance, ".sock") : -ENOENT;
}

enum paths_place { PATHS_NAMED, PATHS_USER, PATHS_SYSTEM, PATHS_PLACES };

/* Makes the path of a socket that a client tries, in the order of enum paths_place. -ENOENT: this place does not apply;
 * -ERANGE: there is no further place. */
static inline int paths_socket_candidate(char path[PATHS_MAX], const char *instance, unsigned place)
{
    const char *dir;
    switch (place) {
    case PATHS_NAMED:
        dir = paths_env("TRIP_RUNTIME_DIR");
        return dir ? paths_format(path, PATHS_SOCKET_MAX, dir, "/", instance, ".sock") : -ENOENT;
    case PATHS_USER:
        dir = paths_env("TRIP_RUNTIME_DIR") ? NULL : paths_env("XDG_RUNTIME_DIR");
        return dir ? paths_format(path, PATHS_SOCKET_MAX, dir, "/tripd/", instance, ".sock") : -ENOENT;
    case PATHS_SYSTEM:
        return paths_env("TRIP_RUNTIME_DIR")
                   ? -ENOENT
                   : paths_format(path, PATHS_SOCKET_MAX, "/run/tripd", "/", instance, ".sock");
    default:
        return -ERANGE;
    }
}

static inline int paths_config(char path[PATHS_MAX], const char *instance, bool user)
{
    if (!user)
        return paths_format(path, PATHS_MAX, "/etc/tripd", "/", instance, ".yaml");
    const char *dir = paths_env("XDG_CONFIG_HOME");
    if (dir)
        return paths_format(path, PATHS_MAX, dir, "/tripd/", instance, ".yaml");
    dir = paths_env("HOME");
    return dir ? paths_format(path, PATHS_MAX, dir, "/.config/tripd/", instance, ".yaml") : -ENOENT;
}

static inline int paths_state(char path[PATHS_MAX], const char *instance, bool user)
{
    const char *dir = paths_env("TRIP_STATE_DIR");
    if (dir)
        return paths_format(path, PATHS_MAX, dir, "/", instance, "");
    if (!user)
        return paths_format(path, PATHS_MAX, "/var/lib/tripd", "/", instance, "");
    dir = paths_env("XDG_STATE_HOME");
    if (dir)
        return paths_format(path, PATHS_MAX, dir, "/tripd/", instance, "");
    dir = paths_env("HOME");
    return dir ? paths_format(path, PATHS_MAX, dir, "/.local/state/tripd/", instance, "") : -ENOENT;
}

/* Makes the segment's name as people read it: a path, or a name for shm_open (it begins with its only slash). */
static inline int paths_segment(char path[PATHS_MAX], const char *instance, bool user, uid_t uid)
{
    const char *dir = paths_env("TRIP_SHM_DIR");
    if (dir)
        return paths_format(path, PATHS_MAX, dir, "/tripd.", instance, "");
    char prefix[32];
    snprintf(prefix, sizeof(prefix), user ? "/tripd-%u." : "/tripd.", (unsigned)uid);
    return paths_format(path, PATHS_MAX, "", prefix, instance, "");
}

/* Opens the segment that paths_segment named: with shm_open, or after TRIP_SHM_DIR with open. Returns a CLOEXEC
 * descriptor or -errno. */
static inline int paths_segment_open(const char *path, int flags, mode_t mode)
{
    const int fd = paths_env("TRIP_SHM_DIR") ? open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode)
                                             : shm_open(path, flags | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

static inline int paths_segment_unlink(const char *path)
{
    return (paths_env("TRIP_SHM_DIR") ? unlink(path) : shm_unlink(path)) < 0 ? -errno : 0;
}

#endif
