/* A server in virtual time that limits stand before, and what its callers see of it. cmocka.h comes first. */
#ifndef TRIP_TESTS_SERVED_H
#define TRIP_TESTS_SERVED_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "internal/layout.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

/* The middle of a bucket: all that tripd knows of a latency. */
static inline uint64_t bucket_middle(uint32_t bucket)
{
    if (bucket == 0)
        return 32768;
    return (bucket % 2 ? 5 : 7) * (UINT64_C(65536) << (bucket - 1) / 2) / 4;
}

#define CALLS_MAX 2048

enum spread { CONSTANT, EXPONENTIAL };

/* `workers` serve one call each, the others wait in order. Callers offer calls at random (Poisson) and hold to the
 * limit; whoever waits longer than the timeout gives up, and is served for nothing. */
struct server {
    uint64_t now_ns, random;
    double calls_per_s; /* offered */
    unsigned workers;
    uint64_t service_ns, timeout_ns, slow_after_ns;
    enum spread spread;
    uint32_t room; /* waiting or served at most, others are refused at once; 0: no bound */
    uint64_t next_call_ns;
    uint64_t free_ns[CALLS_MAX]; /* of each worker */
    struct call {
        uint64_t start_ns, end_ns;
        bool ok;
    } calls[CALLS_MAX];
    uint32_t in_flight;
};

struct served {
    uint64_t calls, failures, ok, slow, latency_ns;
    uint32_t latency[LATENCY_BUCKETS]; /* calls */
    uint32_t in_flight;
};

static inline uint64_t next_random(struct server *server)
{
    server->random ^= server->random << 13;
    server->random ^= server->random >> 7;
    server->random ^= server->random << 17;
    return server->random;
}

static inline uint64_t exponential(struct server *server, double mean_ns)
{
    return (uint64_t)(-mean_ns * log(((double)(next_random(server) >> 11) + 1) / 9007199254740993.0));
}

static inline void count_end(const struct server *server, const struct call *call, struct served *served)
{
    const uint64_t lasted_ns = call->end_ns - call->start_ns;

    served->calls++;
    served->latency_ns += bucket_middle(latency_bucket(lasted_ns));
    served->latency[latency_bucket(lasted_ns)]++;
    served->slow += lasted_ns > server->slow_after_ns;
    *(call->ok ? &served->ok : &served->failures) += 1;
}

static inline void end_calls(struct server *server, uint64_t until_ns, struct served *served)
{
    for (uint32_t i = 0; i < server->in_flight;) {
        if (server->calls[i].end_ns > until_ns) {
            i++;
            continue;
        }
        count_end(server, &server->calls[i], served);
        server->calls[i] = server->calls[--server->in_flight];
    }
}

static inline bool refuses(const struct server *server)
{
    uint32_t inside = 0;

    for (unsigned i = 0; i < server->in_flight; i++)
        inside += server->calls[i].ok;
    return server->room && inside >= server->room;
}

/* When the worker that is free first has served a call that comes now. */
static inline uint64_t served_ns(struct server *server)
{
    uint64_t *worker = &server->free_ns[0];

    for (unsigned i = 1; i < server->workers; i++)
        worker = server->free_ns[i] < *worker ? &server->free_ns[i] : worker;
    *worker = (*worker > server->now_ns ? *worker : server->now_ns) +
              (server->spread == CONSTANT ? server->service_ns : exponential(server, (double)server->service_ns));
    return *worker;
}

static inline void begin_call(struct server *server)
{
    const bool refused = refuses(server);
    const uint64_t end_ns = refused ? server->now_ns + 200 * US : served_ns(server);
    const uint64_t timeout_ns = server->now_ns + server->timeout_ns;

    assert_true(server->in_flight < CALLS_MAX);
    server->calls[server->in_flight++] = (struct call){.start_ns = server->now_ns,
                                                       .end_ns = end_ns < timeout_ns ? end_ns : timeout_ns,
                                                       .ok = !refused && end_ns < timeout_ns};
}

static inline struct served serve(struct server *server, uint64_t span_ns, uint32_t limit)
{
    struct served served = {0};
    const uint64_t end_ns = server->now_ns + span_ns;

    for (; server->next_call_ns < end_ns; server->next_call_ns += exponential(server, 1e9 / server->calls_per_s)) {
        server->now_ns = server->next_call_ns;
        end_calls(server, server->now_ns, &served);
        if (server->in_flight < limit)
            begin_call(server);
        served.in_flight = server->in_flight > served.in_flight ? server->in_flight : served.in_flight;
    }
    server->now_ns = end_ns;
    end_calls(server, end_ns, &served);
    return served;
}

#endif
