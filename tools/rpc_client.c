#include "rpc_client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal/ticks.h"
#include "protocol/rpc.h"

struct rpc_client {
    int fd;
    uint32_t last_id;
    rpc_notified_fn *notified;
    void *context; /* of notified */
    uint8_t packet[RPC_PACKET_MAX];
};

int rpc_client_adopt(int fd, struct rpc_client **ret_client)
{
    struct rpc_client *client = malloc(sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->fd = fd;
    client->last_id = 0;
    client->notified = NULL;
    *ret_client = client;
    return 0;
}

int rpc_client_open(const char *path, struct rpc_client **ret_client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    if (error == 0)
        error = rpc_client_adopt(fd, ret_client);
    if (error < 0)
        close(fd);
    return error;
}

struct rpc_client *rpc_client_close(struct rpc_client *client)
{
    if (client) {
        close(client->fd);
        free(client);
    }
    return NULL;
}

/* Waits for POLLIN or POLLOUT until the deadline. */
static int wait_for(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        const uint64_t now_ns = monotonic_ns();
        const uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns + 999999) / 1000000 : 0;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        const int ready = poll(&poll_fd, 1, (int)left_ms);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int send_packet(struct rpc_client *client, size_t size, uint64_t deadline_ns)
{
    for (;;) {
        if (send(client->fd, client->packet, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return errno == ECONNRESET ? -EPIPE : -errno;
        const int error = wait_for(client->fd, POLLOUT, deadline_ns);
        if (error < 0)
            return error;
    }
}

/* Receives the next packet, and returns its bytes. An empty packet looks like the end, and is taken for it. */
static ssize_t receive_packet(struct rpc_client *client, uint64_t deadline_ns)
{
    for (;;) {
        const int error = wait_for(client->fd, POLLIN, deadline_ns);
        if (error < 0)
            return error;
        const ssize_t size = recv(client->fd, client->packet, sizeof(client->packet), MSG_TRUNC | MSG_DONTWAIT);
        if (size > (ssize_t)sizeof(client->packet))
            return -EBADMSG;
        if (size > 0)
            return size;
        if (size == 0 || errno == ECONNRESET)
            return -EPIPE;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

static int receive_message(struct rpc_client *client, uint64_t deadline_ns, struct rpc_message *ret_message)
{
    const char *why;
    const ssize_t size = receive_packet(client, deadline_ns);
    return size < 0 ? (int)size : rpc_read(client->packet, (size_t)size, ret_message, &why);
}

static void notify(const struct rpc_client *client, struct rpc_message *message)
{
    if (client->notified)
        client->notified(client->context, message->method, message->params);
    rpc_message_clear(message);
}

/* Takes an answer. Its id is 0 if tripd refused the connection or the packet as such. */
static int take_answer(const struct rpc_client *client, const struct rpc_message *message, json_t **ret_result,
                       json_t **ret_error)
{
    if (message->kind != RPC_RESPONSE || (message->id != client->last_id && message->id != 0))
        return -EBADMSG;
    if (message->error) {
        *ret_error = json_incref(message->error);
        return -EREMOTEIO;
    }
    if (!message->result)
        return -EBADMSG;
    *ret_result = json_incref(message->result);
    return 0;
}

int rpc_client_call(struct rpc_client *client, const char *method, const json_t *params, int timeout_ms,
                    json_t **ret_result, json_t **ret_error)
{
    const uint64_t deadline_ns = monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    json_t *nothing = params ? NULL : json_object();
    struct rpc_message message;
    size_t size;
    int error = rpc_write_request(client->packet, ++client->last_id, method, params ? params : nothing, &size);
    json_decref(nothing);
    if (error == 0)
        error = send_packet(client, size, deadline_ns);
    if (error == 0)
        error = receive_message(client, deadline_ns, &message);
    while (error == 0 && message.kind == RPC_NOTIFICATION) {
        notify(client, &message);
        error = receive_message(client, deadline_ns, &message);
    }
    if (error < 0)
        return error;
    error = take_answer(client, &message, ret_result, ret_error);
    rpc_message_clear(&message);
    return error;
}

void rpc_client_listen(struct rpc_client *client, rpc_notified_fn *notified, void *context)
{
    client->notified = notified;
    client->context = context;
}

int rpc_client_fd(const struct rpc_client *client)
{
    return client->fd;
}

int rpc_client_receive(struct rpc_client *client, int timeout_ms)
{
    struct rpc_message message;
    const int error = receive_message(client, monotonic_ns() + (uint64_t)timeout_ms * 1000000, &message);
    if (error < 0)
        return error;
    const bool notification = message.kind == RPC_NOTIFICATION;
    if (notification)
        notify(client, &message);
    else
        rpc_message_clear(&message);
    return notification ? 0 : -EBADMSG;
}
