/* A user without a role, who means harm. Each attack is an argument; it prints what it came to, then stays (so that
 * what it holds, and what tripd holds of it, can be counted) until standard input ends.
 *
 *   linger COUNT     so many packets, each with a TCP socket that lingers for an hour when it is closed
 *   linger_many COUNT  so many packets with 20 of these each
 *   linger_unread    connections until tripd does not answer, and such a socket in a packet that tripd does not read
 *   silent COUNT [MAY]  connects so many times, and says nothing; prints how many of these tripd did not close, once
 *                    these are no more than it may have: 16
 *   refused COUNT    likewise, but each says hello with another version's layout, and reads the refusal
 *   requests COUNT   over so many connections requests of 57 KB, again and again until standard input ends
 *   unread COUNT     connects so many times, and asks over each until it is hung up on, without reading an answer
 *   linger_nested    such a socket, unread in a connection to a listening socket that goes to tripd
 *   fuse COUNT DEVICE  so many packets, each with a file of a file system of its own, whose close it never answers; it
 *                    mounts that with this device (/dev/fuse, or one like it); prints 0 where it may not */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/descriptors.h"
#include "internal/paths.h"
#include "internal/wire.h"

#define MANY    20
#define SILENT  70
#define ALLOWED 16 /* connections of a user without a role */

static int die(const char *what)
{
    fprintf(stderr, "outsider: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_tripd(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATHS_MAX];
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || paths_socket(path, paths_instance(NULL), false) < 0)
        return die("socket");
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return die("connect");
    return fd;
}

/* Sends a packet with a descriptor. False: tripd has closed the connection. */
static bool send_with(int socket, const void *data, size_t size, const int *fds, size_t count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(MANY * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    descriptors_put(&message, &control, fds, count);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

/* ---------------------------------------------------------------------------------------------- sockets that linger */

static int sink; /* listens, and never reads */

static void sink_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sink = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sink < 0 || bind(sink, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(sink, 512) < 0)
        die("a TCP socket that listens");
}

/* Makes a socket that lingers: its send buffer is full, and no one reads at the other end. */
static int lingering(void)
{
    static const char bytes[65536];
    const struct linger hour = {.l_onoff = 1, .l_linger = 3600};
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || getsockname(sink, (struct sockaddr *)&address, &size) < 0 ||
        connect(fd, (struct sockaddr *)&address, size) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour)) < 0)
        return die("a TCP socket");
    while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
        continue;
    return fd;
}

/* Sends it from a child, whose end does not linger, as a close would if it happened to be the last one. */
static bool send_lingering(int socket, const void *data, size_t size, int count)
{
    int fds[MANY], status;
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < count; i++)
            fds[i] = lingering();
        _exit(!send_with(socket, data, size, fds, (size_t)count));
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void linger(int packets, int fds)
{
    int sent = 0;
    for (int i = 0; i < packets; i++)
        sent += send_lingering(connect_tripd(), "x", 1, fds);
    printf("%d\n", sent);
}

/* Connections are refused at some number; packets without bytes look as if they had ended. */
/* Connects until tripd refuses, at some number of connections. Tries again if tripd was so fast that it had closed all.
 */
static void linger_unread(void)
{
    int sent = 0, sockets[SILENT];
    for (int round = 0; sent == 0 && round < 50; round++) {
        for (int i = 0; i < SILENT; i++) {
            sockets[i] = connect_tripd();
            sent += i >= SILENT / 2 && send_lingering(sockets[i], "", 0, 1);
        }
        for (int i = 0; sent == 0 && i < SILENT; i++)
            close(sockets[i]);
    }
    printf("%d\n", sent);
}

static void linger_nested(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0tripd-outsider"};
    const int tripd = connect_tripd(), listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const int caller = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 8) < 0 ||
        connect(caller, (struct sockaddr *)&address, sizeof(address)) < 0 || !send_lingering(caller, "x", 1, 1))
        die("a socket within a socket");
    close(caller);
    printf("%d\n", send_with(tripd, "x", 1, &listener, 1));
    close(listener);
}

/* ------------------------------------------------------------------- a file system in user space, which is one file */

#define FILE_PATH "/etc/passwd" /* the file system's file lies over this one, for this process only */

static bool write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Mounts the file system. Returns the device's descriptor; -1: this user may not mount it. */
static int fuse_mount(const char *device)
{
    char map[64], options[96];
    const unsigned uid = getuid(), gid = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_file("/proc/self/setgroups", "deny"))
        return -1;
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (!write_file("/proc/self/uid_map", map))
        return -1;
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    if (!write_file("/proc/self/gid_map", map))
        return -1;
    const int fd = open(device, O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=%u,group_id=%u", fd, uid, gid);
    return fd >= 0 && mount("outsider", FILE_PATH, "fuse", 0, options) == 0 ? fd : -1;
}

static void fuse_answer(int device, uint64_t request, int error, const void *data, size_t size)
{
    struct {
        struct fuse_out_header head;
        char data[256];
    } answer = {.head = {.len = (uint32_t)(sizeof(answer.head) + size), .error = error, .unique = request}};
    if (size > 0)
        memcpy(answer.data, data, size);
    (void)!write(device, &answer, answer.head.len);
}

/* Serves the file system, but never answers a close. */
static void fuse_serve(int device)
{
    static char buffer[FUSE_MIN_READ_BUFFER + 4096];
    const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
    const struct fuse_attr_out attr = {.attr = {.ino = FUSE_ROOT_ID, .mode = S_IFREG | 0644, .nlink = 1}};
    const struct fuse_open_out opened = {0};
    while (read(device, buffer, sizeof(buffer)) > 0) {
        const struct fuse_in_header *request = (const struct fuse_in_header *)(const void *)buffer;
        if (request->opcode == FUSE_INIT)
            fuse_answer(device, request->unique, 0, &init, sizeof(init));
        else if (request->opcode == FUSE_GETATTR)
            fuse_answer(device, request->unique, 0, &attr, sizeof(attr));
        else if (request->opcode == FUSE_OPEN)
            fuse_answer(device, request->unique, 0, &opened, sizeof(opened));
        else if (request->opcode != FUSE_FLUSH)
            fuse_answer(device, request->unique, -ENOSYS, NULL, 0);
    }
}

/* Opens the files in a child, so that this process dies with none of them open, and whoever waits for its answers goes
 * on. */
static void hold_closes(int count, const char *path)
{
    const int device = fuse_mount(path);
    int sent = 0;
    if (device >= 0 && fork() != 0)
        fuse_serve(device);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(device);
    for (int i = 0; device >= 0 && i < count; i++) {
        const int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
        sent += fd >= 0 && send_with(connect_tripd(), "x", 1, &fd, 1);
    }
    printf("%d\n", sent);
}

/* -------------------------------------------------------------------------------------------- connections that stay */

static bool is_closed(int socket)
{
    char byte;
    return recv(socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void connect_often(int count, int may, bool hello)
{
    const struct timeval patience = {.tv_sec = 5};
    struct wire_refused refused;
    int open = 0, *sockets = calloc((size_t)count, sizeof(int));
    const struct wire_hello other = {.head = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = WIRE_HELLO},
                                     .digest = 1};
    for (int i = 0; i < count; i++) {
        sockets[i] = connect_tripd();
        setsockopt(sockets[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (hello && send_with(sockets[i], &other, sizeof(other), NULL, 0))
            (void)recv(sockets[i], &refused, sizeof(refused), 0);
    }
    for (int tries = 0; tries < 100; tries++) {
        open = 0;
        for (int i = 0; i < count; i++)
            open += !is_closed(sockets[i]);
        if (open <= may)
            break;
        usleep(100000); /* tripd has not come to the last of them yet */
    }
    printf("%d\n", open);
}

/* --------------------------------------------------------------------------------------------------------- requests */

/* [0, 1, "list", {"00000": 0, ...}] of 8,000 parameters */
static size_t long_request(char *packet)
{
    static const char head[] = "\x94\x00\x01\xa4list\xde\x1f\x40";
    size_t size = sizeof(head) - 1;
    memcpy(packet, head, size);
    for (int i = 0; i < 8000; i++, size += 7)
        snprintf(packet + size, 8, "\xa5%05u%c", (unsigned)i % 100000, 1);
    return size;
}

/* Asks, and connects again after a refusal. */
static void ask(int *socket, const char *packet, size_t size)
{
    char answer[4096];
    while (recv(*socket, answer, sizeof(answer), MSG_DONTWAIT) > 0)
        continue;
    if (send(*socket, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
        close(*socket);
        *socket = connect_tripd();
    }
}

static void ask_on(int count)
{
    static char packet[65536];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const size_t size = long_request(packet);
    int *sockets = calloc((size_t)count, sizeof(int));
    for (int i = 0; i < count; i++)
        sockets[i] = connect_tripd();
    printf("%d\n", count);
    fflush(stdout);
    while (poll(&input, 1, 0) == 0)
        for (int i = 0; i < count; i++)
            ask(&sockets[i], packet, size);
}

static void ask_unread(int count)
{
    static const char request[] = "\x94\x00\x01\xa4list\x80";
    int ended = 0;
    for (int i = 0; i < count; i++) {
        const int socket = connect_tripd();
        while (send(socket, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0)
            continue;
        ended++;
        close(socket);
    }
    printf("%d\n", ended);
}

int main(int argc, char **argv)
{
    const char *attack = argc > 1 ? argv[1] : "";
    const int count = argc > 2 ? atoi(argv[2]) : 1;
    char byte;
    sink_open();
    if (strcmp(attack, "linger") == 0)
        linger(count, 1);
    else if (strcmp(attack, "linger_many") == 0)
        linger(count, MANY);
    else if (strcmp(attack, "linger_unread") == 0)
        linger_unread();
    else if (strcmp(attack, "linger_nested") == 0)
        linger_nested();
    else if (strcmp(attack, "silent") == 0 || strcmp(attack, "refused") == 0)
        connect_often(count, argc > 3 ? atoi(argv[3]) : ALLOWED, *attack == 'r');
    else if (strcmp(attack, "requests") == 0)
        ask_on(count);
    else if (strcmp(attack, "unread") == 0)
        ask_unread(count);
    else if (strcmp(attack, "fuse") == 0)
        hold_closes(count, argc > 3 ? argv[3] : "/dev/fuse");
    else
        return 2;
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}
