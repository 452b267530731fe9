/* How long it takes from a breaker's opening in one process until somebody who watches is told: `watch`. */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc_client.h"

#define SAMPLES_MAX 1000

static const char config[] = "breakers:\n"
                             "  - {match: \"*\", trip: {consecutive_failures: 1}, open: {for: 1h, max: 1h}}\n";

struct watcher {
    struct rpc_client *client;
    bool told;
};

static void told(void *context, const char *method, const json_t *params)
{
    (void)method;
    (void)params;
    ((struct watcher *)context)->told = true;
}

static void begin(const struct bench_stage *stage, struct watcher *watcher)
{
    char path[128];
    json_t *answer = NULL, *error = NULL, *nothing = json_object();
    snprintf(path, sizeof(path), "%s/bench.sock", stage->folder);
    int failed = rpc_client_open(path, &watcher->client);
    if (failed == 0)
        failed = rpc_client_call(watcher->client, "watch", nothing, 5000, &answer, &error);
    if (failed < 0)
        bench_fail("watch", failed);
    rpc_client_listen(watcher->client, told, watcher);
    json_decref(answer);
    json_decref(nothing);
}

/* Opens a new breaker. Returns how many ns pass from just before the failure that opens it until the watcher's poll
 * returns. */
static double sample(struct watcher *watcher, trip_client *client, unsigned round)
{
    char name[32];
    snprintf(name, sizeof(name), "watched/%u", round);
    trip_breaker *const breaker = stage_breaker(client, name);
    struct pollfd fd = {.fd = rpc_client_fd(watcher->client), .events = POLLIN};
    bench_nap_us(1000); /* tripd has gone to sleep */
    watcher->told = false;
    const uint64_t start = bench_ticks();
    trip_record(breaker, TRIP_FAILURE, 0);
    if (poll(&fd, 1, 5000) != 1)
        bench_fail("nobody was told", ETIMEDOUT);
    const uint64_t end = bench_ticks();
    if (rpc_client_receive(watcher->client, 1000) < 0 || !watcher->told)
        bench_fail("what was told is no event", EBADMSG);
    return bench_ns(end - start);
}

/* The bound: a process that sleeps in read, and answers. */
struct echo {
    pid_t pid;
    int ask, answer; /* eventfds */
};

static void echo_start(struct echo *echo)
{
    uint64_t value;
    echo->ask = eventfd(0, EFD_CLOEXEC);
    echo->answer = eventfd(0, EFD_CLOEXEC);
    echo->pid = fork();
    if (echo->pid < 0)
        bench_fail("fork", errno);
    if (echo->pid > 0)
        return;
    while (read(echo->ask, &value, sizeof(value)) == sizeof(value))
        (void)!write(echo->answer, &value, sizeof(value));
    _exit(1);
}

static double bound(const struct echo *echo)
{
    struct pollfd fd = {.fd = echo->answer, .events = POLLIN};
    uint64_t one = 1;
    bench_nap_us(1000);
    const uint64_t start = bench_ticks();
    (void)!write(echo->ask, &one, sizeof(one));
    poll(&fd, 1, 5000);
    const uint64_t end = bench_ticks();
    (void)!read(echo->answer, &one, sizeof(one));
    return bench_ns(end - start);
}

static void report(const char *path, double *samples, double *bounds, size_t count, double percent, const char *target,
                   double limit)
{
    bench_report_ns(path, bench_percentile(samples, count, percent), "there and back by eventfds",
                    bench_percentile(bounds, count, percent), target, limit);
}

void bench_watch(void)
{
    static double samples[SAMPLES_MAX], bounds[SAMPLES_MAX];
    const unsigned count = SAMPLES_MAX * bench_effort / 100;
    struct bench_stage stage;
    struct watcher watcher = {0};
    struct echo echo;
    bench_ns(0); /* measures the clock before the processes part */
    echo_start(&echo);
    stage_start(&stage, config);
    begin(&stage, &watcher);
    trip_client *const client = stage_client();
    for (unsigned round = 0; round < count; round++) {
        bounds[round] = bound(&echo);
        samples[round] = sample(&watcher, client, round);
    }
    trip_close(client);
    rpc_client_close(watcher.client);
    stage_stop(&stage);
    kill(echo.pid, SIGKILL);
    waitpid(echo.pid, NULL, 0);
    close(echo.ask);
    close(echo.answer);
    report("watch_p50", samples, bounds, count, 50, "<= 1 ms", 1e6);
    report("watch_p99", samples, bounds, count, 99, "<= 1 ms", 1e6);
}
