/* A server in virtual time that limits stand before, and what its callers see of it. cmocka.h comes first. */
#ifndef TRIP_TESTS_SERVED_H
#define TRIP_TESTS_SERVED_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/adaptive.h"
#include "core/limiter.h"
#include "internal/layout.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

#define CALLS_MAX 2048

enum spread { CONSTANT, EXPONENTIAL };

/* `workers` serve one call each; other calls wait in order. Callers come at random (Poisson) and keep to the limit. A
 * caller that waits longer than the timeout gives up, and its call is still served, for nothing. */
struct server {
    uint64_t now_ns, random;
    double calls_per_s; /* calls offered in a second */
    unsigned workers;
    uint64_t service_ns, timeout_ns, slow_after_ns;
    enum spread spread;
    uint32_t room; /* calls waiting or served at most; others are refused at once; 0: no bound */
    uint64_t next_call_ns;
    uint64_t free_ns[CALLS_MAX]; /* when each worker is free */
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
    /* The limiter knows no more than the bucket. */
    served->latency_ns += adaptive_bucket_middle_ns(adaptive_bucket(lasted_ns));
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

/* Returns when a call that comes now is served, by the worker that is free first. */
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

/* -------------------------------------------------------------------------------------------------- closed loops */

/* Each dependency is offered one and a half times what 40 workers can serve. */
static const struct dependency {
    const char *name;
    uint64_t interval_ns, service_ns;
    enum spread spread;
    uint32_t room;
} dependencies[] = {
    {"constant service, endless queue", 100 * MS, 20 * MS, CONSTANT, 0},
    {"exponential service, endless queue", 100 * MS, 70 * MS, EXPONENTIAL, 0},
    {"constant service, room for 80", S, 20 * MS, CONSTANT, 80},
    {"exponential service, room for 80", 100 * MS, 20 * MS, EXPONENTIAL, 80},
    {"slow exponential service, endless queue", 100 * MS, 500 * MS, EXPONENTIAL, 0},
};
#define DEPENDENCY_COUNT (sizeof(dependencies) / sizeof(dependencies[0]))

static inline struct server server_of(const struct dependency *dependency, unsigned workers)
{
    return (struct server){.random = 88172645463325252,
                           .calls_per_s = 1.5 * workers * 1e9 / (double)dependency->service_ns,
                           .workers = workers,
                           .service_ns = dependency->service_ns,
                           .timeout_ns = 10 * dependency->service_ns,
                           .slow_after_ns = 5 * dependency->service_ns,
                           .spread = dependency->spread,
                           .room = dependency->room};
}

/* Calls served in time in a second, and their latency in service times. */
struct yield {
    double ok_per_s, latency;
};

/* Returns the limit in force after an interval. */
typedef uint32_t limit_after_fn(const struct served *served);

/* after NULL: the limit stays. */
static inline struct yield serve_limited(struct server *server, const struct dependency *dependency,
                                         uint64_t interval_ns, uint64_t span_ns, uint32_t *limit, limit_after_fn *after)
{
    const uint64_t end_ns = server->now_ns + span_ns;
    struct served sum = {0};

    while (server->now_ns < end_ns) {
        const struct served served = serve(server, interval_ns, *limit);
        *limit = after ? after(&served) : *limit;
        sum.calls += served.calls;
        sum.ok += served.ok;
        sum.latency_ns += served.latency_ns;
    }
    return (struct yield){(double)sum.ok * 1e9 / (double)span_ns,
                          (double)sum.latency_ns / (double)sum.calls / (double)dependency->service_ns};
}

static inline double best_static(const struct dependency *dependency, unsigned workers)
{
    static const uint32_t limits[] = {5, 10, 20, 30, 40, 50, 60, 80, 120, 160, 240, 320, 480};
    const uint64_t span_ns = 20 * S + 100 * dependency->service_ns;
    double best = 0;

    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct server server = server_of(dependency, workers);
        uint32_t limit = limits[i];
        serve_limited(&server, dependency, S, 10 * S, &limit, NULL);
        best = fmax(best, serve_limited(&server, dependency, S, span_ns, &limit, NULL).ok_per_s);
    }
    return best;
}

static inline void assert_yield(const struct dependency *dependency, enum limiter_kind kind, const char *phase,
                                struct yield yield, double best)
{
    if (yield.ok_per_s < 0.9 * best)
        fail_msg("%s, algorithm %u, %s: %.0f calls a second, the best static limit serves %.0f", dependency->name, kind,
                 phase, yield.ok_per_s, best);
    if (yield.latency > (kind == LIMITER_AIMD ? 5 : 3)) /* aimd only keeps latency below "slow" */
        fail_msg("%s, algorithm %u, %s: a call lasts %.1f service times", dependency->name, kind, phase, yield.latency);
}

/* Asserts that the limit is within a tenth of the best static one, with 40 workers, 20, and 40 again. server: with 40.
 */
static inline void assert_capacity_is_followed(struct server *server, const struct dependency *dependency,
                                               enum limiter_kind kind, uint64_t interval_ns, uint32_t limit,
                                               limit_after_fn *after)
{
    static const char *const phases[] = {"steady", "halved", "doubled"};
    const uint64_t settle_ns = 30 * S + 100 * dependency->service_ns;
    const double best = best_static(dependency, 40), best_half = best_static(dependency, 20);

    /* The sweep itself must be right: 40 workers serve as many calls as they can, half as many half of that. */
    assert_true(best > 0.95 * 40e9 / (double)dependency->service_ns);
    assert_true(best_half < 0.55 * best && best_half > 0.45 * best);
    for (unsigned phase = 0; phase < 3; phase++) {
        server->workers = phase == 1 ? 20 : 40;
        serve_limited(server, dependency, interval_ns, settle_ns, &limit, after);
        assert_yield(dependency, kind, phases[phase],
                     serve_limited(server, dependency, interval_ns, 60 * S, &limit, after),
                     phase == 1 ? best_half : best);
    }
}

#endif
