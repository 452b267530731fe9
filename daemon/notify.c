#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/descriptors.h"

#define FIRST_INHERITED 3
#define MESSAGE_MAX     512

static bool watchdog_wanted(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    return usec && strtoull(usec, NULL, 10) > 0 && (!pid || strtol(pid, NULL, 10) == getpid());
}

int notify_open(struct notify *ret_notify)
{
    struct notify notify = {.fd = -1};
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || !*path) {
        *ret_notify = notify;
        return 0;
    }
    const size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof(notify.address.sun_path))
        return -EAFNOSUPPORT;
    notify.address.sun_family = AF_UNIX;
    memcpy(notify.address.sun_path, path, length);
    if (path[0] == '@') /* an abstract socket: its name begins with a NUL, and none ends it */
        notify.address.sun_path[0] = '\0';
    notify.address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify.fd < 0)
        return -errno;
    notify.watchdog = watchdog_wanted();
    *ret_notify = notify;
    return 0;
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

static void send_message(const struct notify *notify, const char *text, int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct msghdr message = {
        .msg_name = (void *)&notify->address, .msg_namelen = notify->address_size, .msg_iov = &data, .msg_iovlen = 1};
    if (notify->fd < 0)
        return;
    descriptors_put(&message, &control, &fd, fd >= 0 ? 1 : 0);
    (void)sendmsg(notify->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_send(const struct notify *notify, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof(text))
        send_message(notify, text, -1);
}

void notify_store(const struct notify *notify, const char *name, int fd, bool watched)
{
    char text[MESSAGE_MAX];
    snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s%s", name, watched ? "" : "\nFDPOLL=0");
    send_message(notify, text, fd);
}

void notify_unstore(const struct notify *notify, const char *name)
{
    char text[MESSAGE_MAX];
    snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    send_message(notify, text, -1);
}

/* Takes a number out of the environment; 0: the variable holds none. */
static long take_number(const char *variable)
{
    const char *value = getenv(variable);
    const long number = value ? strtol(value, NULL, 10) : 0;
    unsetenv(variable);
    return number;
}

/* Reads the names: one variable lists them, separated by colons, in the order of the descriptors. */
static void name_descriptors(struct notify_fd *fds, size_t count, const char *names)
{
    for (size_t i = 0; i < count && names && *names; i++) {
        const size_t length = strcspn(names, ":");
        if (length <= NOTIFY_NAME_MAX)
            memcpy(fds[i].name, names, length); /* the rest is zero already */
        names += length + (names[length] == ':');
    }
}

int notify_inherit(struct notify_fd **ret_fds, size_t *ret_count)
{
    const long pid = take_number("LISTEN_PID");
    const long count = take_number("LISTEN_FDS");
    struct notify_fd *fds = NULL;
    size_t number = 0;
    if (pid == getpid() && count > 0 && count < INT_MAX - FIRST_INHERITED) {
        number = (size_t)count;
        fds = calloc(number, sizeof(*fds));
        if (!fds)
            return -ENOMEM;
        for (size_t i = 0; i < number; i++) {
            fds[i].fd = FIRST_INHERITED + (int)i;
            if (fcntl(fds[i].fd, F_SETFD, FD_CLOEXEC) < 0) {
                const int error = -errno;
                free(fds);
                return error;
            }
        }
        name_descriptors(fds, number, getenv("LISTEN_FDNAMES"));
    }
    unsetenv("LISTEN_FDNAMES");
    *ret_fds = fds;
    *ret_count = number;
    return 0;
}
