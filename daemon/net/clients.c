#include "net/clients.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define DUMPS_ASKED 64 /* processes looked at in one heartbeat */

struct client {
    struct clients *clients;
    struct lane *lane; /* NULL: the lane is set aside */
    uint64_t lane_id;
    uint32_t number;
    uid_t uid;
    pid_t pid;
    int pidfd;
    struct loop_watch *watch;
    bool kept;                          /* the keeper holds its lane */
    bool dead;                          /* its process ended; its last reports are about to be counted */
    const struct client_events *events; /* NULL: it has no connection */
    void *context;
    struct client_slot shown; /* what people are shown, in the segment */
};

struct clients {
    struct clients_options options;
    struct breakers *breakers;
    struct loop_connection *keeper;
    uint32_t places;
    struct client **by_number; /* place 0 is unused; clients whose lane is set aside are above LANES_MAX */
    struct lane **ended;       /* room for the lanes of clients that end together */
    struct loop_timer *burial;
    uint32_t asked_last; /* the last client that was asked whether it dumps core */
};

/* ------------------------------------------------------------------------------------------ what the keeper is told */

static int tell_keeper(struct clients *clients, enum keeper_kind kind, const struct client *client)
{
    struct keeper_message message = {.kind = kind};
    int fds[2];
    if (client) {
        message.number = client->number;
        message.lane_id = client->lane_id;
        message.uid = client->uid;
        message.pid = client->pid;
    }
    if (kind != KEEPER_KEEP)
        return loop_connection_send(clients->keeper, &message, sizeof(message), NULL, 0);
    fds[0] = lane_fd(client->lane);
    fds[1] = client->pidfd;
    return loop_connection_send(clients->keeper, &message, sizeof(message), fds, 2);
}

void clients_ready(struct clients *clients)
{
    (void)tell_keeper(clients, KEEPER_READY, NULL);
}

/* -------------------------------------------------------------------------------------------- what people are shown */

static void show(struct client *client)
{
    struct client_slot slot = client->shown;
    if (!client->lane)
        return;
    slot.lane_id = client->lane_id;
    slot.pid = (uint32_t)client->pid;
    slot.uid = client->uid;
    slot.detached = client->events == NULL;
    slot.meters = lane_meters(client->lane);
    slot.lost = lane_lost(client->lane);
    snprintf(slot.program, sizeof(slot.program), "%s", lane_program(client->lane));
    if (slot.attached_unix_ms == 0)
        slot.attached_unix_ms = realtime_ms();
    if (memcmp(&slot, &client->shown, sizeof(slot)) == 0)
        return;
    client->shown = slot;
    segment_client_set(client->clients->options.segment, client->number, &slot);
}

static void grant(struct client *client)
{
    lane_grant(client->lane, client->clients->options.segment->header->commons_number);
}

/* ---------------------------------------------------------------------------------------------- the end of a client */

/* Frees what is left of a client after its process: its last reports were counted, its permits and its number are free.
 */
static void client_free(struct client *client, bool drop)
{
    struct clients *clients = client->clients;
    if (client->events)
        client->events->gone(client->context);
    loop_watch_remove(client->watch);
    if (client->lane) {
        lanes_remove(clients->options.lanes, client->lane);
        segment_client_clear(clients->options.segment, client->number);
    }
    if (drop)
        (void)tell_keeper(clients, KEEPER_DROP, client);
    close(client->pidfd);
    clients->by_number[client->number] = NULL;
    free(client);
}

static void client_gone(struct client *client, bool drop)
{
    if (client->lane)
        breakers_lanes_gone(client->clients->breakers, &client->lane, 1);
    client_free(client, drop);
}

static bool process_died(int pidfd)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* Clients whose deaths come in one iteration of the loop end together, so that a breaker they share is drained once. */
static void died(void *context, struct loop_watch *watch)
{
    struct client *client = context;
    loop_watch_remove(watch);
    client->watch = NULL;
    client->dead = true;
    loop_timer_arm(client->clients->burial, monotonic_ns());
}

static void bury(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct clients *const clients = context;
    uint32_t count = 0;
    for (uint32_t number = 1; number < clients->places; number++) {
        const struct client *const client = clients->by_number[number];
        if (client && client->dead && client->lane)
            clients->ended[count++] = client->lane;
    }
    if (count)
        breakers_lanes_gone(clients->breakers, clients->ended, count);
    for (uint32_t number = 1; number < clients->places; number++)
        if (clients->by_number[number] && clients->by_number[number]->dead)
            client_free(clients->by_number[number], true);
}

static void look(struct client *client)
{
    if (client->lane && !client->events && !client->dead && lane_abandoned(client->lane))
        client_gone(client, true);
    else
        show(client);
}

/* Looks for processes that dump core. A process keeps its tickets and permits until it is gone, and a dump may take
 * minutes. Each answer costs a read of /proc, so only processes for which others wait are asked, in turn. */
static void look_for_dumps(struct clients *clients)
{
    unsigned asked = 0;
    for (uint32_t i = 1; i < clients->places && asked < DUMPS_ASKED; i++) {
        const uint32_t number = clients->asked_last % (clients->places - 1) + 1;
        const struct client *const client = clients->by_number[number];
        clients->asked_last = number;
        if (!client || !client->lane || !breakers_lane_blocks(clients->breakers, number))
            continue;
        asked++;
        if (!peer_dumps_core(client->pidfd))
            continue;
        log_notice("process %d dumps core: what it held is free", (int)client->pid);
        breakers_lane_doomed(clients->breakers, number);
    }
}

static void measure(const struct client *client)
{
    if (client->lane)
        lane_measure(client->lane);
}

void clients_look(struct clients *clients)
{
    look_for_dumps(clients);
    for (uint32_t number = 1; number < clients->places; number++)
        if (clients->by_number[number]) {
            measure(clients->by_number[number]);
            look(clients->by_number[number]);
        }
}

void client_hung_up(struct client *client)
{
    client->events = NULL;
    lane_hung_up(client->lane);
    look(client);
}

bool client_uses_any(const struct client *client, const uint64_t *slots)
{
    return client->lane && lane_resolved_any(client->lane, slots);
}

uint32_t client_number(const struct client *client)
{
    return client->number;
}

/* ----------------------------------------------------------------------------------------------------- a new client */

static struct client *client_new(struct clients *clients, uint32_t number, int pidfd)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->clients = clients;
    client->number = number;
    client->pidfd = pidfd;
    clients->by_number[number] = client;
    return client;
}

/* Does a client stand in the way of this lane and process? Not if it is gone, even if no event has said so yet. */
static int in_the_way(struct client *client, const struct lane_offer *offer, const char **ret_why)
{
    const bool same_process = client->pid == offer->pid;
    const bool same_lane = client->lane_id == offer->lane_id && client->uid == offer->uid;
    if (!same_lane && (!same_process || offer->pid == 0)) /* 0: its pid namespace is hidden from us */
        return 0;
    if (process_died(client->pidfd) || (client->lane && !same_lane && lane_abandoned(client->lane))) {
        client_gone(client, true);
        return 0;
    }
    if (!client->lane && same_lane) {
        *ret_why = "this lane was being drained at two crashes of tripd and is set aside: restart this process";
        return -EPERM;
    }
    if (same_process && same_lane)
        return 0;
    if (!client->lane) /* the process goes on with a new lane */
        return 0;
    *ret_why = same_process ? "this process has another lane: one process attaches once"
                            : "this lane is another process's: a forked child makes its own";
    return same_process ? -EBUSY : -EEXIST;
}

static int make_way(struct clients *clients, const struct lane_offer *offer, const char **ret_why)
{
    for (uint32_t number = 1; number < clients->places; number++) {
        struct client *client = clients->by_number[number];
        const int error = client ? in_the_way(client, offer, ret_why) : 0;
        if (error < 0)
            return error;
    }
    return 0;
}

/* Takes a client up again that hung up and is back with its lane, or that got no answer because the last worker died.
 */
static void resume(struct client *client, const struct client_events *events, void *context)
{
    client->events = events;
    client->context = context;
    show(client);
    if (client->kept)
        events->kept(context, 0);
}

/* Begins with a new lane. On failure the lane is gone again. */
static int begin(struct clients *clients, struct lane *lane, int pidfd, const struct peer *peer,
                 const struct client_events *events, void *context, struct client **ret_client, const char **ret_why)
{
    struct client *client = client_new(clients, lane_number(lane), pidfd);
    if (!client) {
        lanes_remove(clients->options.lanes, lane);
        close(pidfd);
        *ret_why = "tripd has no memory left";
        return -ENOMEM;
    }
    client->lane = lane;
    client->lane_id = lane_identity(lane);
    client->uid = peer->uid;
    client->pid = peer->pid;
    breakers_lane_came(clients->breakers, lane);
    int error = loop_watch_add(clients->options.loop, pidfd, died, client, &client->watch);
    if (error == 0)
        error = tell_keeper(clients, KEEPER_KEEP, client);
    if (error < 0) {
        *ret_why = "tripd cannot watch this process or pass its lane on: it is out of memory or descriptors";
        client_gone(client, false);
        return error;
    }
    client->events = events;
    client->context = context;
    show(client);
    *ret_client = client;
    return 0;
}

int clients_attach(struct clients *clients, int fd, int pidfd, const struct peer *peer, uint64_t lane_id,
                   const struct client_events *events, void *context, struct client **ret_client, const char **ret_why)
{
    struct lane *lane;
    const struct lane_offer offer = {.fd = fd, .uid = peer->uid, .pid = peer->pid, .lane_id = lane_id};
    int error = make_way(clients, &offer, ret_why);
    if (error == 0)
        error = lanes_attach(clients->options.lanes, &offer, &lane, ret_why);
    if (error < 0) {
        loop_close_foreign(clients->options.loop, fd);
        close(pidfd);
        return error;
    }
    struct client *before = clients->by_number[lane_number(lane)];
    if (!before)
        return begin(clients, lane, pidfd, peer, events, context, ret_client, ret_why);
    close(pidfd); /* of the same process, as make_way checked */
    *ret_client = before;
    resume(before, events, context);
    return 0;
}

int clients_attach_dead(struct clients *clients, int fd, const struct peer *peer, uint64_t lane_id,
                        const char **ret_why)
{
    struct lane *lane;
    const struct lane_offer offer = {.fd = fd, .uid = peer->uid, .pid = peer->pid, .lane_id = lane_id};
    const int error = lanes_attach(clients->options.lanes, &offer, &lane, ret_why);
    if (error < 0) {
        loop_close_foreign(clients->options.loop, fd);
        return error;
    }
    if (clients->by_number[lane_number(lane)]) { /* it was attached before: its pidfd tells of the death */
        lane_hung_up(lane);
        return 0;
    }
    breakers_lane_came(clients->breakers, lane);
    breakers_lanes_gone(clients->breakers, &lane, 1);
    lanes_remove(clients->options.lanes, lane);
    return 0;
}

/* --------------------------------------------------------------------------------------------- the keeper's answers */

static void kept(struct clients *clients, const struct keeper_message *message)
{
    struct client *client = message->number < clients->places ? clients->by_number[message->number] : NULL;
    if (!client || client->lane_id != message->lane_id || client->kept)
        return; /* it died meanwhile */
    const struct client_events *const events = client->events;
    void *const context = client->context;
    client->kept = message->error == 0;
    if (!client->kept) {
        client->events = NULL;
        client_gone(client, false);
    } else {
        grant(client);
        breakers_lane_came(clients->breakers, client->lane); /* counts what it told before it could ring */
    }
    if (events) /* its connection may have ended: then the client has ended with it, and is not touched again */
        events->kept(context, message->error);
}

static void keeper_received(void *context, struct loop_connection *connection, struct loop_message *packet)
{
    (void)connection;
    struct keeper_message message;
    if (packet->size != sizeof(message))
        return;
    memcpy(&message, packet->data, sizeof(message));
    if (message.kind == KEEPER_KEPT)
        kept(context, &message);
}

/* The keeper died. PR_SET_PDEATHSIG's signal comes a moment later. Until then nothing may happen that looks like a
 * clean stop, or like a lane that is safe. */
static void keeper_hung_up(void *context, struct loop_connection *connection, int error)
{
    (void)context;
    (void)connection;
    (void)error;
    log_error("the keeper is gone: the worker ends");
    kill(getpid(), SIGKILL);
}

/* ----------------------------------------------------------------------------------- what the worker before us left */

static void inherit_lane(struct clients *clients, const struct keeper_lane *held)
{
    const struct clients_options *options = &clients->options;
    const bool aside = held->number > LANES_MAX;
    const char *why = NULL;
    struct lane *lane = NULL;
    const struct lane_offer offer = {
        .fd = held->fd, .uid = held->uid, .pid = held->pid, .lane_id = held->lane_id, .number = held->number};
    if (!aside && lanes_attach(options->lanes, &offer, &lane, &why) < 0) {
        log_warning("lane %u of process %d is lost: %s", held->number, (int)held->pid, why);
        lane = NULL;
    }
    struct client *client = client_new(clients, held->number, held->pidfd);
    if (!client)
        return; /* without memory nothing else works either, so the end of the process would not be noticed */
    client->lane = lane;
    client->lane_id = held->lane_id;
    client->uid = held->uid;
    client->pid = held->pid;
    client->kept = true;
}

int clients_new(const struct clients_options *options, struct clients **ret_clients)
{
    struct clients *clients = calloc(1, sizeof(*clients));
    if (!clients)
        return -ENOMEM;
    clients->options = *options;
    clients->places = LANES_MAX + 1 + KEEPER_ASIDE;
    clients->by_number = calloc(clients->places, sizeof(*clients->by_number));
    clients->ended = calloc(clients->places, sizeof(*clients->ended));
    int error = clients->by_number && clients->ended ? 0 : -ENOMEM;
    if (error == 0)
        error = loop_timer_new(options->loop, bury, clients, &clients->burial);
    if (error == 0)
        error = loop_connection_adopt(options->loop, options->birth->socket, &clients->keeper);
    if (error < 0) {
        loop_timer_free(clients->burial);
        free(clients->ended);
        free(clients->by_number);
        free(clients);
        return error;
    }
    loop_connection_start(clients->keeper, keeper_received, keeper_hung_up, clients);
    for (uint32_t number = 1; number < clients->places; number++)
        if (options->birth->lanes[number].number == number)
            inherit_lane(clients, &options->birth->lanes[number]);
    *ret_clients = clients;
    return 0;
}

int clients_begin(struct clients *clients, struct breakers *breakers)
{
    clients->breakers = breakers;
    for (uint32_t number = 1; number < clients->places; number++) {
        struct client *client = clients->by_number[number];
        if (!client)
            continue;
        if (client->lane) {
            grant(client);
            breakers_lane_came(breakers, client->lane);
        } else if (number <= LANES_MAX) { /* lost: its client makes another lane */
            client_gone(client, true);
            continue;
        }
        const int error = loop_watch_add(clients->options.loop, client->pidfd, died, client, &client->watch);
        if (error < 0)
            return error;
        show(client);
    }
    return 0;
}

struct clients *clients_free(struct clients *clients)
{
    if (!clients)
        return NULL;
    for (uint32_t number = 1; number < clients->places; number++) {
        struct client *client = clients->by_number[number];
        if (!client)
            continue;
        loop_watch_remove(client->watch);
        close(client->pidfd);
        free(client);
    }
    loop_connection_close(clients->keeper);
    loop_timer_free(clients->burial);
    free(clients->ended);
    free(clients->by_number);
    free(clients);
    return NULL;
}
