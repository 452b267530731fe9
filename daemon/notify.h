/* Talks to systemd by the documented protocols of sd_notify(3) and sd_listen_fds(3), without libsystemd. Without
 * systemd (no NOTIFY_SOCKET) everything here does nothing. */
#ifndef TRIPD_NOTIFY_H
#define TRIPD_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_NAME_MAX 63 /* bytes of a descriptor's name */

struct notify {
    int fd; /* -1: there is no socket */
    struct sockaddr_un address;
    socklen_t address_size;
    bool watchdog; /* systemd expects WATCHDOG=1 now and then */
};

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC. 0, also if they are not set; -errno: the socket cannot be used. */
int notify_open(struct notify *ret_notify);
void notify_close(struct notify *notify);

/* Sends lines of VARIABLE=value, as sd_notify(3) lists them. Never blocks: a message that systemd does not take is
 * lost. */
void notify_send(const struct notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a descriptor into the unit's store under this name; the next start gets it through notify_inherit. watched:
 * systemd drops it at an error or a hang-up, as when the process of a pidfd dies. */
void notify_store(const struct notify *notify, const char *name, int fd, bool watched);
void notify_unstore(const struct notify *notify, const char *name);

struct notify_fd {
    int fd; /* CLOEXEC */
    char name[NOTIFY_NAME_MAX + 1];
};

/* Takes descriptors from the store and from socket units (LISTEN_FDS, LISTEN_FDNAMES), and the variables out of the
 * environment. The caller frees *ret_fds, which is NULL with a count of 0. */
int notify_inherit(struct notify_fd **ret_fds, size_t *ret_count);

#endif
