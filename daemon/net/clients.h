/* The attached processes, from their attach to their death. A pidfd tells of the death, or a free flock on the lane: an
 * exec keeps the process and loses the client. A hang-up ends neither. Clients outlive workers: the keeper holds lane
 * and pidfd of each, and acknowledges that before the client gets its answer. */
#ifndef TRIPD_CLIENTS_H
#define TRIPD_CLIENTS_H

#include "breakers/breakers.h"
#include "keeper.h"
#include "loop/loop.h"
#include "net/peer.h"

struct clients;
struct client;

struct clients_options {
    struct loop *loop;
    struct segment *segment;
    struct lanes *lanes;
    const struct keeper_birth *birth;
};

/* Takes over what the keeper held: attaches lanes under their old numbers, so that breakers_new finds them. */
int clients_new(const struct clients_options *options, struct clients **ret_clients);
struct clients *clients_free(struct clients *clients);

/* Call it once, after breakers_new. From here on deaths are told; those that came before are told first. */
int clients_begin(struct clients *clients, struct breakers *breakers);

/* Tells the keeper that this worker has started. */
void clients_ready(struct clients *clients);

/* Events for the connection of the client. error: 0, or why the keeper could not hold the lane; then, and when the
 * process died, the client is gone. Not called after client_hung_up. */
struct client_events {
    void (*kept)(void *context, int error);
    void (*gone)(void *context);
};

/* Attaches a client. Takes both descriptors, also when it fails. 0: events->kept comes later, perhaps at once. -EEXIST:
 * another process of this user has the lane; -EBUSY: this process has another lane; -EPERM: the lane was set aside;
 * others as lanes_attach. *ret_why: for people. */
int clients_attach(struct clients *clients, int fd, int pidfd, const struct peer *peer, uint64_t lane_id,
                   const struct client_events *events, void *context, struct client **ret_client, const char **ret_why);
/* Takes the lane of a process that is dead already, such as one that a prefork server forked for a moment: counts what
 * it told, and keeps nothing of it. Takes fd. 0, or as lanes_attach. */
int clients_attach_dead(struct clients *clients, int fd, const struct peer *peer, uint64_t lane_id,
                        const char **ret_why);
void client_hung_up(struct client *client);
uint32_t client_number(const struct client *client);
/* Has the process asked for one of these breakers? slots: a bit each, LANE_BREAKERS. */
bool client_uses_any(const struct client *client, const uint64_t *slots);

/* Looks now and then for clients that did an exec, and updates what people are shown of each. */
void clients_look(struct clients *clients);

#endif
