/* For event loops: a descriptor that becomes readable when a breaker of this client has moved (trip_client_fd).
 *
 *   tripd ── one byte ──> told  ┐
 *   each second without `told`,  timer ├ are in ──> poll, which the host polls
 *   and when a breaker is bound ─┘      │
 *   tripd's answer to an attach  socket ┘
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
    struct descriptor poll, told, timer;
    bool asked;     /* tripd, on this connection */
    uint32_t chain; /* of breakers: where the next look begins */
};

struct moves moves_none(void);
/* Makes `poll` with its timer, if it is not there. -errno of epoll_create1 and timerfd_create. */
int moves_poll(struct moves *moves);
/* tripd sent this descriptor, which stays the caller's. */
void moves_take(struct moves *moves, int fd);
/* Makes `poll` silent until there is more to say. */
void moves_read(struct moves *moves);
/* Makes `poll` readable. */
void moves_wake(const struct moves *moves);
/* After each step of the conversation. socket: it goes on there; -1: there is none. While tripd has not sent `told`,
 * `poll` is readable when there is an answer, and each second. */
void moves_follow(const struct moves *moves, int socket);
/* In a forked child: closes its copies, and leaves the parent's epoll instance as it is. */
void moves_forked(struct moves *moves);
/* The connection to tripd ended. */
void moves_end(struct moves *moves);
void moves_close(struct moves *moves);

#endif
