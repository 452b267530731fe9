/* The attached processes: from their attach to their death, told by a pidfd, or by a free flock on the lane (an exec
 * keeps the process and loses the client). A hang-up ends neither. They outlive workers: the keeper holds lane and
 * pidfd of each, and acknowledges that before the client is answered.
 */
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

/* Takes what the keeper held: lanes are attached again under their numbers, so that breakers_new finds them. */
int clients_new(const struct clients_options *options, struct clients **ret_clients);
struct clients *clients_free(struct clients *clients);

/* Once, after breakers_new: from here on deaths are told, those that came before first. */
int clients_begin(struct clients *clients, struct breakers *breakers);

/* Tells the keeper that this worker has started. */
void clients_ready(struct clients *clients);

/* For the connection that the client is on. error: 0, or why the keeper could not hold the lane; then, and when the
 * process died, the client is gone. Not called after client_hung_up. */
struct client_events {
    void (*kept)(void *context, int error);
    void (*gone)(void *context);
};

/* Takes both descriptors, also when it fails. 0: events->kept comes later, perhaps at once. -EEXIST:
 * another process of this user has the lane; -EBUSY: this process has another one; -EPERM: the lane was set aside;
 * others as lanes_attach. *ret_why: for people. */
int clients_attach(struct clients *clients, int fd, int pidfd, const struct peer *peer, uint64_t lane_id,
                   const struct client_events *events, void *context, struct client **ret_client, const char **ret_why);
/* The lane of a process that is dead already, as one that a prefork server forked for a moment: what it told is
 * counted, and nothing of it stays. Takes fd. 0 or as lanes_attach. */
int clients_attach_dead(struct clients *clients, int fd, const struct peer *peer, uint64_t lane_id,
                        const char **ret_why);
void client_hung_up(struct client *client);
uint32_t client_number(const struct client *client);

/* Now and then: clients that did an exec, and what people are shown of each. */
void clients_look(struct clients *clients);

#endif
