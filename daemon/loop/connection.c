/* Connections: packets received, packets that wait until the peer reads, and the end. */
#include "loop/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal/descriptors.h"
#include "internal/ticks.h"

#define QUEUE_MAX 256
#define FAREWELL_NS \
    UINT64_C(1000000000) /* how long a peer that sent descriptors, and may not, has to read its answers */
#define QUEUE_BYTES_MAX ((size_t)4 << 20)

struct loop_packet {
    struct loop_packet *next;
    size_t size;
    int fds[LOOP_MESSAGE_FDS]; /* our duplicates of the descriptors */
    size_t fd_count;
    uint8_t data[];
};

struct loop_connection *loop_connection_new(struct loop *loop, int fd)
{
    struct loop_connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return NULL;
    struct loop_source *source = &connection->source;
    source->loop = loop;
    source->kind = LOOP_CONNECTION;
    source->fd = fd;
    connection->last = &connection->first;
    if (loop->ops->add(source) < 0) {
        free(connection);
        return NULL;
    }
    loop_link_insert_after(loop->sources.previous, &source->link);
    return connection;
}

int loop_connection_adopt(struct loop *loop, int fd, struct loop_connection **ret_connection)
{
    struct loop_connection *connection = loop_connection_new(loop, fd);
    if (!connection)
        return -ENOMEM;
    *ret_connection = connection;
    return 0;
}

static void refresh(struct loop_connection *connection, unsigned wanted)
{
    if (connection->source.wanted == wanted)
        return;
    connection->source.wanted = wanted;
    connection->source.loop->ops->refresh(&connection->source);
}

void loop_connection_start(struct loop_connection *connection, loop_received_fn *received, loop_hung_up_fn *hung_up,
                           void *context)
{
    connection->received = received;
    connection->hung_up = hung_up;
    connection->context = context;
    if (!connection->source.removed)
        refresh(connection, connection->source.wanted | LOOP_INPUT);
}

void loop_connection_on_end(struct loop_connection *connection, loop_ended_fn *ended, void *context)
{
    connection->ended = ended;
    connection->ended_context = context;
}

void loop_connection_refuse_descriptors(struct loop_connection *connection)
{
    connection->refuses_descriptors = true;
}

int loop_connection_fd(const struct loop_connection *connection)
{
    return connection->source.fd;
}

void loop_connection_on_room(struct loop_connection *connection, loop_ended_fn *room, void *context)
{
    connection->room = room;
    connection->room_context = context;
}

size_t loop_connection_queued(const struct loop_connection *connection)
{
    return connection->queued;
}

void loop_connection_close(struct loop_connection *connection)
{
    if (!connection || connection->source.removed)
        return;
    loop_connection_discard(connection);
    connection->farewell = loop_timer_free(connection->farewell);
    loop_source_remove(&connection->source);
    if (connection->ended)
        connection->ended(connection->ended_context);
}

/* ------------------------------------------------------------------------------------------------- the end */

static void hang_up(struct loop_connection *connection, int error)
{
    connection->hung_up(connection->context, connection, error);
    loop_connection_close(connection);
}

/* Is the connection at its end? Both an empty packet and the end read as 0 bytes, but at the end the socket says
 * hang-up and holds no bytes. An empty packet sent just before the end is taken for the end. */
static bool at_end(int fd)
{
    struct pollfd state = {.fd = fd, .events = POLLRDHUP};
    int unread = 0;
    if (poll(&state, 1, 0) < 0 || !(state.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)))
        return false;
    return ioctl(fd, FIONREAD, &unread) < 0 || unread == 0;
}

bool loop_connection_failed(struct loop_connection *connection, int error)
{
    if (connection->source.removed || error == -ECANCELED)
        return false;
    if (error == -EINTR || error == -EAGAIN || error == -ENOBUFS)
        return true;
    /* The peer closed without reading what we sent. The kernel says so once; what the peer sent before follows. */
    if (error == -ECONNRESET && connection->error == 0) {
        connection->error = error;
        return true;
    }
    hang_up(connection, error);
    return false;
}

/* ------------------------------------------------------------------------------------------------- packets in */

/* Returns 0 to accept a packet, or the -errno with which the connection ends. */
static int refuse(const struct loop_connection *connection, const struct msghdr *header, size_t size, size_t fd_count)
{
    if (header->msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    if (fd_count > LOOP_MESSAGE_FDS)
        return -EMSGSIZE;
    if (header->msg_flags & MSG_CTRUNC) /* there was room for the descriptors, but our descriptor table is full */
        return -EMFILE;
    if (size == 0 && fd_count == 0 && at_end(connection->source.fd))
        return -ENOTCONN;
    return 0;
}

void loop_connection_packet_ready(struct loop_connection *connection, struct msghdr *header, const uint8_t *data,
                                  size_t size)
{
    struct loop_message message = {.data = data, .size = size, .fds = {-1, -1, -1, -1}};
    struct closer *const closer = connection->source.loop->closer;
    int fds[LOOP_CONTROL_FDS];
    const size_t fd_count = descriptors_take(header, fds, LOOP_CONTROL_FDS);
    const int error = connection->source.removed ? -ENOTCONN : refuse(connection, header, size, fd_count);
    if (error < 0) {
        if (!connection->source.removed)
            hang_up(connection, error == -ENOTCONN ? connection->error : error);
        closer_close_all(closer, fds, fd_count);
        return;
    }
    message.fd_count = fd_count;
    memcpy(message.fds, fds, fd_count * sizeof(int));
    connection->received(connection->context, connection, &message);
    closer_close_all(closer, message.fds, fd_count);
}

static void farewell_due(void *context, struct loop_timer *timer)
{
    (void)timer;
    hang_up(context, -EACCES);
}

/* Stops reading, and hangs up a moment later. The peer can still read its answers: a hang-up that leaves packets unread
 * would be an error to the peer, who might take that for the answer. */
static void become_deaf(struct loop_connection *connection)
{
    refresh(connection, connection->source.wanted & ~LOOP_INPUT);
    if (loop_timer_new(connection->source.loop, farewell_due, connection, &connection->farewell) < 0)
        hang_up(connection, -EACCES);
    else
        loop_timer_arm(connection->farewell, monotonic_ns() + FAREWELL_NS);
}

/* Looks at the next packet without taking it. As there is no room for descriptors, the kernel only flags them, and
 * leaves them in the packet. */
static ssize_t look(int fd, bool *ret_descriptors)
{
    struct msghdr header = {0};
    const ssize_t size = recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT);
    *ret_descriptors = size >= 0 && (header.msg_flags & MSG_CTRUNC);
    return size;
}

/* Receives one packet. False: there is none for now. */
static bool receive_one(struct loop_connection *connection)
{
    struct loop *const loop = connection->source.loop;
    struct iovec part = {.iov_base = loop->packet, .iov_len = sizeof(loop->packet)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = loop->control, .msg_controllen = sizeof(loop->control)};
    bool descriptors = false;
    ssize_t size = connection->refuses_descriptors ? look(connection->source.fd, &descriptors) : 0;
    if (descriptors) {
        become_deaf(connection);
        return false;
    }
    if (size >= 0)
        size = recvmsg(connection->source.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno != EAGAIN && loop_connection_failed(connection, -errno);
    loop_connection_packet_ready(connection, &header, loop->packet, (size_t)size);
    return true;
}

void loop_connection_readable(struct loop_connection *connection)
{
    const unsigned most =
        connection->refuses_descriptors
            ? 1
            : LOOP_BURST; /* connections that may send no descriptors are strangers: one packet a turn */
    for (unsigned i = 0; i < most && (connection->source.wanted & LOOP_INPUT); i++)
        if (!receive_one(connection))
            return;
}

/* ------------------------------------------------------------------------------------------------- packets out */

static struct loop_packet *packet_free(struct loop_packet *packet)
{
    for (size_t i = 0; packet && i < packet->fd_count; i++)
        close(packet->fds[i]); /* only descriptors of tripd's own files */
    free(packet);
    return NULL;
}

static int packet_new(const void *data, size_t size, const int *fds, size_t fd_count, struct loop_packet **ret_packet)
{
    struct loop_packet *packet = malloc(sizeof(*packet) + size);
    if (!packet)
        return -ENOMEM;
    packet->next = NULL;
    packet->size = size;
    packet->fd_count = 0;
    memcpy(packet->data, data, size);
    for (size_t i = 0; i < fd_count; i++) {
        const int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            const int error = -errno;
            packet_free(packet);
            return error;
        }
        packet->fds[packet->fd_count++] = fd;
    }
    *ret_packet = packet;
    return 0;
}

/* Sends a packet. 0 or -errno; -EAGAIN: the peer has to read first. */
static int send_now(int fd, const void *data, size_t size, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr header;
        uint8_t room[CMSG_SPACE(LOOP_MESSAGE_FDS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0)
        memset(&control, 0, sizeof(control));
    descriptors_put(&message, &control, fds, fd_count);
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static int enqueue(struct loop_connection *connection, const void *data, size_t size, const int *fds, size_t fd_count)
{
    if (connection->queued >= QUEUE_MAX || connection->queued_bytes + size > QUEUE_BYTES_MAX)
        return -ENOBUFS;
    struct loop_packet *packet = NULL;
    const int error = packet_new(data, size, fds, fd_count, &packet);
    if (error < 0)
        return error;
    *connection->last = packet;
    connection->last = &packet->next;
    connection->queued++;
    connection->queued_bytes += size;
    refresh(connection, connection->source.wanted | LOOP_OUTPUT);
    return 0;
}

int loop_connection_send(struct loop_connection *connection, const void *data, size_t size, const int *fds,
                         size_t fd_count)
{
    if (connection->source.removed)
        return -ENOTCONN;
    if (size == 0 || fd_count > LOOP_MESSAGE_FDS)
        return -EINVAL;
    if (size > LOOP_MESSAGE_MAX)
        return -EMSGSIZE;
    int error = -EAGAIN;
    if (!connection->first)
        error = send_now(connection->source.fd, data, size, fds, fd_count);
    return error == -EAGAIN ? enqueue(connection, data, size, fds, fd_count) : error;
}

static void dequeue(struct loop_connection *connection)
{
    struct loop_packet *packet = connection->first;
    connection->first = packet->next;
    if (!connection->first)
        connection->last = &connection->first;
    connection->queued--;
    connection->queued_bytes -= packet->size;
    packet_free(packet);
}

void loop_connection_discard(struct loop_connection *connection)
{
    while (connection->first)
        dequeue(connection);
}

void loop_connection_writable(struct loop_connection *connection)
{
    if (connection->source.removed)
        return;
    int error = 0;
    while (connection->first && error == 0) {
        const struct loop_packet *packet = connection->first;
        error = send_now(connection->source.fd, packet->data, packet->size, packet->fds, packet->fd_count);
        if (error == 0)
            dequeue(connection);
    }
    if (error == -EAGAIN)
        return;
    refresh(connection, connection->source.wanted & ~LOOP_OUTPUT);
    if (error == 0 && connection->room)
        connection->room(connection->room_context);
    if (error == 0)
        return;
    /* A packet that cannot be sent breaks the connection. What the peer sent before still arrives, then its end. */
    loop_connection_discard(connection);
    if (error != -EPIPE)
        connection->error = error;
    shutdown(connection->source.fd, SHUT_RDWR);
}
