/* What tripd tells systemd, and what it gets from it: the documented protocols of sd_notify(3) and
 * sd_listen_fds(3), spoken without libsystemd. Without systemd (no NOTIFY_SOCKET) everything here does nothing. */
#ifndef TRIPD_NOTIFY_H
#define TRIPD_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_NAME_MAX 63 /* bytes of a descriptor's name */

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_size;
    bool watchdog; /* systemd wants WATCHDOG=1 now and then */
};

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC. 0, also without them; -errno: a socket that cannot be used. */
int notify_open(struct notify *ret_notify);
void notify_close(struct notify *notify);

/* Lines of VARIABLE=value as sd_notify(3) lists them. Never blocks; what systemd does not take is lost. */
void notify_send(const struct notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a descriptor into the unit's store under this name; the next start gets it through notify_inherit. watched:
 * systemd drops it at an error or hang-up, which is what happens to the pidfd of a dead process. */
void notify_store(const struct notify *notify, const char *name, int fd, bool watched);
void notify_unstore(const struct notify *notify, const char *name);

struct notify_fd {
    int fd; /* CLOEXEC */
    char name[NOTIFY_NAME_MAX + 1];
};

/* Descriptors from the store and of socket units (LISTEN_FDS, LISTEN_FDNAMES); takes the variables out of the
 * environment. *ret_fds is to be freed; NULL with a count of 0. */
int notify_inherit(struct notify_fd **ret_fds, size_t *ret_count);

#endif
