#include "net/door.h"

#include <errno.h>
#include <stdlib.h>

#include "core/refusals.h"
#include "internal/ticks.h"
#include "log.h"
#include "net/callers.h"

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
    struct callers *callers;
    struct refusals refusals;
};

/* Frees the visitor, whose connection now belongs to the client or control side. */
static void visitor_free(struct visitor *visitor)
{
    *visitor->previous = visitor->next;
    if (visitor->next)
        visitor->next->previous = visitor->previous;
    free(visitor);
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

/* Returns how many connections this user may have; 0: it may not report, and counts as a stranger. */
static uint32_t room_of(const struct door_options *options, const struct peer *peer)
{
    const bool reports = config_allows(options->config, CONFIG_REPORT, peer->uid, peer->groups, peer->group_count);
    return reports ? CALLERS_SHARE * options->config->limits.max_lanes : 0;
}

/* Lets a connection in. A user who may not report has no lane to send: its descriptors are refused. */
static int come_in(struct door *door, struct loop_connection *connection, const struct peer *peer)
{
    struct caller *caller;
    const uint32_t room = room_of(&door->options, peer);
    const int error = callers_come(door->callers, peer->uid, room, &caller);
    if (error == -EUSERS && refusals_tell(&door->refusals, peer->uid, error, monotonic_ns()))
        log_warning("uid %u has as many connections as it may have (%u), or all users with%s the role report together "
                    "have %u: further ones are closed. End some of its programs (pid %d is one)",
                    (unsigned)peer->uid, room ? room : CALLERS_STRANGER, room ? "" : "out",
                    room ? CALLERS_SHARES * room : CALLERS_STRANGERS, (int)peer->pid);
    if (error == 0)
        loop_connection_on_end(connection, callers_leave, caller);
    if (room == 0)
        loop_connection_refuse_descriptors(connection);
    return error;
}

static void accepted(void *context, struct loop_connection *connection)
{
    struct door *door = context;
    struct visitor *visitor = calloc(1, sizeof(*visitor));
    if (!visitor || peer_of(loop_connection_fd(connection), &visitor->peer) < 0 ||
        come_in(door, connection, &visitor->peer) < 0) {
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
    int error = callers_new(&door->callers);
    if (error == 0)
        error = loop_listen(options->loop, options->listener, accepted, door, &door->listener);
    if (error < 0) {
        callers_free(door->callers);
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
    callers_free(door->callers);
    free(door);
    return NULL;
}

void door_reconfigure(struct door *door, const struct config *config)
{
    door->options.config = config;
}
