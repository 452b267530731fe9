/* For event loops: a descriptor that becomes readable when a breaker of this client has moved (trip_client_fd).
 *
 *   tripd ── one byte ──> told ── is in ──> poll, which the host polls
 *
 * `poll` is an epoll instance and stays the same until trip_close, or a fork. All epoll instances have one inode, so
 * that nobody could tell it from another one that the host opened under its number: trip.h asks the host to leave it
 * open. `told` is a socket, which comes from tripd with each attach; tripd never waits when it writes. All of it is
 * under the client's lock. */
#ifndef TRIP_MOVES_H
#define TRIP_MOVES_H

#include <stdint.h>

#include "descriptor.h"

struct moves {
    struct descriptor poll, told;
    bool asked;     /* tripd, on this connection */
    uint32_t chain; /* of breakers: where the next look begins */
};

struct moves moves_none(void);
/* Makes `poll`, if it is not there. -errno of epoll_create1. */
int moves_poll(struct moves *moves);
/* tripd sent this descriptor, which stays the caller's. */
void moves_take(struct moves *moves, int fd);
/* Makes `poll` silent until tripd says more. */
void moves_read(struct moves *moves);
/* The connection to tripd ended. */
void moves_end(struct moves *moves);
void moves_close(struct moves *moves);

#endif
