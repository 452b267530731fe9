/* What libtrip costs a whole server: a prefork server with and without it, in slices that take turns. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench_server.h"
#include "internal/ticks.h"
#include "median.h"

#define PAIRS_MAX 100
#define SLICES    20  /* slices of each side in a pair */
#define REQUESTS  50  /* requests of a caller in a slice */
#define WARM_UP   100 /* requests of a caller to each side before the slices */

_Static_assert(PAIRS_MAX / 10 >= MEDIAN_SAMPLES_MIN, "A quick run has too few pairs for an interval.");

static const char config[] = "breakers:\n"
                             "  - match: \"*\"\n"
                             "    trip: {slow_rate: 100%}\n"; /* so that each call is timed */

enum side { WITHOUT, WITH, SIDES };

/* A client of both servers. There are as many callers as a server has workers, and they all ask at once. */
struct caller {
    pthread_t thread;
    struct pair *pair;
    int connections[SIDES];
    uint64_t begun_ns[SIDES][SLICES], ended_ns[SIDES][SLICES];
    double latencies_ns[SIDES][SLICES * REQUESTS];
};

struct pair {
    unsigned number;
    pthread_barrier_t slice;
    struct server servers[SIDES];
    struct caller callers[SERVER_WORKERS];
};

static void ask(const struct caller *caller, enum side side)
{
    if (!server_ask(caller->connections[side]))
        bench_fail("the server did not answer with 200", EPROTO);
}

static void ask_slice(struct caller *caller, enum side side, unsigned slice)
{
    double *const latencies_ns = &caller->latencies_ns[side][(size_t)slice * REQUESTS];
    uint64_t now_ns = monotonic_ns();
    caller->begun_ns[side][slice] = now_ns;
    for (unsigned i = 0; i < REQUESTS; i++) {
        const uint64_t begun_ns = now_ns;
        ask(caller, side);
        now_ns = monotonic_ns();
        latencies_ns[i] = (double)(now_ns - begun_ns);
    }
    caller->ended_ns[side][slice] = now_ns;
}

/* Calls the servers in slices that follow each other within milliseconds, so that both sides meet the same neighbours.
 * The sides also take turns at being first. */
static void *call(void *context)
{
    struct caller *const caller = context;
    for (enum side side = 0; side < SIDES; side++)
        for (unsigned i = 0; i < WARM_UP; i++)
            ask(caller, side);
    for (unsigned turn = 0; turn < SIDES * SLICES; turn++) {
        const enum side side = ((turn + 1) / 2 + caller->pair->number) % 2 ? WITH : WITHOUT;
        pthread_barrier_wait(&caller->pair->slice);
        ask_slice(caller, side, turn / SIDES);
    }
    return NULL;
}

static double requests_per_s(const struct pair *pair, enum side side)
{
    uint64_t spent_ns = 0;
    for (unsigned slice = 0; slice < SLICES; slice++) {
        uint64_t begun_ns = UINT64_MAX, ended_ns = 0;
        for (unsigned i = 0; i < SERVER_WORKERS; i++) {
            const uint64_t begun = pair->callers[i].begun_ns[side][slice],
                           ended = pair->callers[i].ended_ns[side][slice];
            begun_ns = begun < begun_ns ? begun : begun_ns;
            ended_ns = ended > ended_ns ? ended : ended_ns;
        }
        spent_ns += ended_ns - begun_ns;
    }
    return (double)(SERVER_WORKERS * SLICES * REQUESTS) * 1e9 / (double)spent_ns;
}

static double p99_us(const struct pair *pair, enum side side)
{
    static double latencies_ns[SERVER_WORKERS][SLICES * REQUESTS];
    for (unsigned i = 0; i < SERVER_WORKERS; i++)
        memcpy(latencies_ns[i], pair->callers[i].latencies_ns[side], sizeof(latencies_ns[i]));
    return bench_percentile(latencies_ns[0], SERVER_WORKERS * SLICES * REQUESTS, 99) / 1e3;
}

/* Starts both servers anew for each pair, so that the layout of a process's memory differs from pair to pair. */
static void measure(struct pair *pair, const struct upstream *upstream)
{
    for (enum side side = 0; side < SIDES; side++)
        server_start(&pair->servers[side], upstream, side == WITH);
    pthread_barrier_init(&pair->slice, NULL, SERVER_WORKERS);
    for (unsigned i = 0; i < SERVER_WORKERS; i++) {
        struct caller *const caller = &pair->callers[i];
        caller->pair = pair;
        for (enum side side = 0; side < SIDES; side++)
            caller->connections[side] = server_connect(pair->servers[side].port);
        if (pthread_create(&caller->thread, NULL, call, caller) != 0)
            bench_fail("no more threads", EAGAIN);
    }
    for (unsigned i = 0; i < SERVER_WORKERS; i++) {
        pthread_join(pair->callers[i].thread, NULL);
        for (enum side side = 0; side < SIDES; side++)
            close(pair->callers[i].connections[side]);
    }
    pthread_barrier_destroy(&pair->slice);
    for (enum side side = 0; side < SIDES; side++)
        server_stop(&pair->servers[side]);
}

static void report(const char *path, double *percents, unsigned count, const char *without, double limit)
{
    const bool more_is_better = limit < 100;
    const struct median median = median_of(percents, count);
    bench_report(&(struct bench_row){.path = path,
                                     .is_value = true,
                                     .measured = median.value,
                                     .bound = without,
                                     .bound_measured = 100,
                                     .target = more_is_better ? ">= 99 %" : "<= 101 %",
                                     .limit = limit,
                                     .more_is_better = more_is_better,
                                     .interval = {.low = median.low, .high = median.high}});
}

void bench_impact(void)
{
    static struct pair pair;
    const unsigned pairs = PAIRS_MAX * bench_effort / 100;
    double throughput[PAIRS_MAX], p99[PAIRS_MAX], per_s_without[PAIRS_MAX], p99_without[PAIRS_MAX];
    char throughput_bound[64], p99_bound[64];
    struct bench_stage stage;
    struct upstream upstream;
    stage_start(&stage, config);
    upstream_start(&upstream);
    for (pair.number = 0; pair.number < pairs; pair.number++) {
        const unsigned i = pair.number;
        measure(&pair, &upstream);
        per_s_without[i] = requests_per_s(&pair, WITHOUT);
        p99_without[i] = p99_us(&pair, WITHOUT);
        throughput[i] = 100 * requests_per_s(&pair, WITH) / per_s_without[i];
        p99[i] = 100 * p99_us(&pair, WITH) / p99_without[i];
    }
    upstream_stop(&upstream);
    stage_stop(&stage);
    snprintf(throughput_bound, sizeof(throughput_bound), "%% of %.0f a second without libtrip",
             median_of(per_s_without, pairs).value);
    snprintf(p99_bound, sizeof(p99_bound), "%% of %.0f us without libtrip", median_of(p99_without, pairs).value);
    report("impact_throughput", throughput, pairs, throughput_bound, 99);
    report("impact_p99", p99, pairs, p99_bound, 101);
}
