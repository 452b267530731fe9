#include "door.h"

#include <errno.h>
#include <stdlib.h>

#define CLIENT_FIRST_BYTE 't' /* of WIRE_MAGIC as it lies in memory; no MessagePack-RPC message begins with it */

struct visitor {
    struct door *door;
    struct loop_connection *connection;
    struct peer peer;
    struct visitor *next, **previous;
};

struct door {
    struct door_options options;
    struct loop_listener *listener;
    struct visitor *visitors;
};

/* The connection is somebody else's now. */
static void visitor_free(struct visitor *visitor)
{
    *visitor->previous = visitor->next;
    if (visitor->next)
        visitor->next->previous = visitor->previous;
    free(visitor);
}

static size_t visitors_of(const struct door *door, uid_t uid)
{
    size_t count = 0;
    for (const struct visitor *each = door->visitors; each; each = each->next)
        count += each->peer.uid == uid;
    return count;
}

static void received(void *context, struct loop_connection *connection, struct loop_message *message)
{
    struct visitor *visitor = context;
    const struct door_options options = visitor->door->options;
    const struct peer peer = visitor->peer;
    visitor_free(visitor);
    if (message->size > 0 && message->data[0] == CLIENT_FIRST_BYTE)
        attach_connected(options.attach, connection, &peer, message);
    else
        control_connected(options.control, connection, &peer, message);
}

static void hung_up(void *context, struct loop_connection *connection, int error)
{
    (void)connection;
    (void)error;
    visitor_free(context);
}

static void accepted(void *context, struct loop_connection *connection)
{
    struct door *door = context;
    struct visitor *visitor = calloc(1, sizeof(*visitor));
    if (!visitor || peer_of(loop_connection_fd(connection), &visitor->peer) < 0 ||
        visitors_of(door, visitor->peer.uid) >= DOOR_WAITING_PER_USER) {
        free(visitor);
        loop_connection_close(connection);
        return;
    }
    visitor->door = door;
    visitor->connection = connection;
    visitor->next = door->visitors;
    visitor->previous = &door->visitors;
    if (visitor->next)
        visitor->next->previous = &visitor->next;
    door->visitors = visitor;
    loop_connection_start(connection, received, hung_up, visitor);
}

int door_new(const struct door_options *options, struct door **ret_door)
{
    struct door *door = calloc(1, sizeof(*door));
    if (!door)
        return -ENOMEM;
    door->options = *options;
    const int error = loop_listen(options->loop, options->listener, accepted, door, &door->listener);
    if (error < 0) {
        free(door);
        return error;
    }
    *ret_door = door;
    return 0;
}

struct door *door_free(struct door *door)
{
    if (!door)
        return NULL;
    loop_listener_remove(door->listener);
    while (door->visitors) {
        loop_connection_close(door->visitors->connection);
        visitor_free(door->visitors);
    }
    free(door);
    return NULL;
}
