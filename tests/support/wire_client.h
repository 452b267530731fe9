/* A client of the control socket by hand: sends packets of include/internal/wire.h, good and forged. */
#ifndef TRIP_TESTS_WIRE_CLIENT_H
#define TRIP_TESTS_WIRE_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal/descriptors.h"
#include "internal/wire.h"

#define WIRE_CLIENT_PATIENCE_MS 3000

union wire_packet {
    struct wire_head head;
    struct wire_welcome welcome;
    struct wire_attached attached;
    struct wire_resolved resolved;
    struct wire_refused refused;
    uint8_t bytes[WIRE_PACKET_MAX];
};

static inline struct wire_head wire_head_of(enum wire_kind kind)
{
    return (struct wire_head){.magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = (uint16_t)kind};
}

static inline int wire_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool wire_send(int fd, const void *packet, size_t size, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    descriptors_put(&message, &control, fds, fd_count);
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Receives the next packet, and returns its bytes; 0: the other side hung up; -1: nothing came in time. fds: up to 4,
 * unused ones -1. */
static inline ssize_t wire_receive(int fd, union wire_packet *packet, int fds[4])
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec data = {.iov_base = packet, .iov_len = sizeof(*packet)};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 4; i++)
        fds[i] = -1;
    if (poll(&ready, 1, WIRE_CLIENT_PATIENCE_MS) != 1)
        return -1;
    const ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (size > 0 && CMSG_FIRSTHDR(&message))
        memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), CMSG_FIRSTHDR(&message)->cmsg_len - CMSG_LEN(0));
    return size < 0 ? 0 : size;
}

static inline bool wire_hello(int fd)
{
    const struct wire_hello hello = {.head = wire_head_of(WIRE_HELLO), .digest = layout_digest(), .library = "0.1.0"};
    return wire_send(fd, &hello, sizeof(hello), NULL, 0);
}

static inline bool wire_attach(int fd, uint64_t lane_id, const int *fds, size_t fd_count)
{
    const struct wire_attach attach = {.head = wire_head_of(WIRE_ATTACH), .lane_id = lane_id};
    return wire_send(fd, &attach, sizeof(attach), fds, fd_count);
}

static inline bool wire_resolve(int fd, uint64_t serial, const char *name)
{
    struct wire_resolve resolve = {.head = wire_head_of(WIRE_RESOLVE), .serial = serial};
    const size_t length = strlen(name);
    memcpy(resolve.name, name, length < sizeof(resolve.name) ? length : sizeof(resolve.name));
    return wire_send(fd, &resolve, sizeof(resolve), NULL, 0);
}

#endif
