/* The server side of include/internal/wire.h: clients say hello, hand over their lane, and ask for breakers. This file
 * knows connections only; the client behind one lives in clients.h. */
#ifndef TRIPD_ATTACH_H
#define TRIPD_ATTACH_H

#include "breakers/breakers.h"
#include "core/refusals.h"
#include "loop/loop.h"
#include "net/clients.h"
#include "net/peer.h"

struct attach;

struct attach_options {
    struct loop *loop;
    struct segment *segment;
    struct commons *commons;
    struct breakers *breakers;
    struct clients *clients;
    struct refusals *refusals;
    const struct config *config; /* borrowed until attach_reconfigure or attach_free */
    uint64_t time_namespace;     /* tripd's; 0: unknown */
    uint32_t share_of_cancels;   /* cancels.h */
    bool peer_pidfds;            /* this kernel has SO_PEERPIDFD; else clients send their own */
};

int attach_new(const struct attach_options *options, struct attach **ret_attach);
struct attach *attach_free(struct attach *attach);
void attach_reconfigure(struct attach *attach, const struct config *config, uint32_t share_of_cancels);
/* A breaker moved. In the loop's next iteration its timers are armed (cancels.h), and the processes that use it, and
 * asked for that, are woken, once however many breakers move. */
void attach_moved(struct attach *attach, uint32_t slot);
/* A breaker is about to admit calls: those that begin then are not cut short by the opening before it. */
void attach_admits(struct attach *attach, uint32_t slot);
/* tripd was stopped for so long that clients went on without it: nobody's calls are cut short until attach_back. */
void attach_away(struct attach *attach);
void attach_back(struct attach *attach);
/* Call it once a second: hangs up on clients that were refused for their version or role, once they have had a second
 * to read why. */
void attach_look(struct attach *attach);

/* Takes over a connection, of which this is the first packet: sets its handlers with loop_connection_start, and
 * answers. */
void attach_connected(struct attach *attach, struct loop_connection *connection, const struct peer *peer,
                      struct loop_message *first);

#endif
