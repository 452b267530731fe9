/* A prefork HTTP server on the loopback, like many servers: its workers accept on one socket, serve one connection at a
 * time, and ask an upstream for each request. */
#ifndef TRIP_BENCH_SERVER_H
#define TRIP_BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_WORKERS 4

struct upstream {
    uint16_t port;
    pid_t process;
};
void upstream_start(struct upstream *upstream);
void upstream_stop(struct upstream *upstream);

struct server {
    uint16_t port;
    int listener;
    pid_t workers[SERVER_WORKERS];
};
/* Starts a server; returns when all workers accept. with_libtrip: each call of the upstream is begun and ended through
 * a breaker that all workers share and whose calls are timed. */
void server_start(struct server *server, const struct upstream *upstream, bool with_libtrip);
void server_stop(struct server *server);

/* A connection to either of them; and one request on it, which fails where the answer is not 200. */
int server_connect(uint16_t port);
bool server_ask(int connection);

#endif
