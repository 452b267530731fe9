/* How long it takes from a breaker's opening in one process until another one is told: who watches, by the control
 * socket; and whose call is cut short, by its descriptor. */
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
                             "  - match: cut\n"
                             "    trip: {consecutive_failures: 1, cut_short: true}\n"
                             "    open: {for: 1ms, max: 1ms}\n"
                             "    half_open: {successes: 1}\n"
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

/* ------------------------------------------------------------------------------------------- calls that are cut short
 */

/* The other process has a call in flight, or waits for an eventfd, and notes when its poll returned. */
struct arena {
    unsigned polling; /* the round that it polls in */
    uint64_t woken;   /* ticks; 0: not yet */
    unsigned done;    /* the last round that may be left */
};

static void poll_and_note(struct arena *arena, int fd, unsigned round)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    __atomic_store_n(&arena->woken, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&arena->polling, round, __ATOMIC_RELEASE);
    if (poll(&poll_fd, 1, 5000) != 1)
        bench_fail("no call was cut short", fd < 0 ? -fd : ETIMEDOUT);
    __atomic_store_n(&arena->woken, bench_ticks(), __ATOMIC_RELEASE);
    while (__atomic_load_n(&arena->done, __ATOMIC_ACQUIRE) != round)
        bench_nap_us(50);
}

static _Noreturn void be_cut_short(struct arena *arena, int event, unsigned count)
{
    trip_client *const client = stage_client();
    trip_breaker *const breaker = stage_breaker(client, "cut");
    for (unsigned round = 1; round <= count; round++) {
        trip_call call;
        uint64_t value;
        if (trip_begin(breaker, &call) != TRIP_ALLOW)
            bench_fail("the breaker has recovered, and denies", EPROTO);
        poll_and_note(arena, trip_call_fd(&call), 2 * round);
        trip_end(&call, TRIP_CANCELLED);
        poll_and_note(arena, event, 2 * round + 1);
        (void)!read(event, &value, sizeof(value));
    }
    _exit(0);
}

/* Returns how many ns pass from just before `open`, or the write of the eventfd, until the other process's poll
 * returns.
 */
static double until_woken(struct arena *arena, unsigned round, trip_breaker *opens, int event)
{
    const uint64_t one = 1;
    uint64_t woken;
    while (__atomic_load_n(&arena->polling, __ATOMIC_ACQUIRE) != round)
        bench_nap_us(50);
    bench_nap_us(1000); /* it sleeps, and tripd too */
    const uint64_t start = bench_ticks();
    if (opens)
        trip_record(opens, TRIP_FAILURE, 0);
    else
        (void)!write(event, &one, sizeof(one));
    while (!(woken = __atomic_load_n(&arena->woken, __ATOMIC_ACQUIRE)))
        bench_nap_us(50); /* leaves this core to the others */
    __atomic_store_n(&arena->done, round, __ATOMIC_RELEASE);
    return woken > start ? bench_ns(woken - start) : 0;
}

static void recover(trip_breaker *breaker)
{
    trip_call probe;
    while (trip_allow(breaker) != TRIP_ALLOW) {
        if (trip_begin(breaker, &probe) == TRIP_PROBE)
            trip_end(&probe, TRIP_OK);
        bench_nap_us(100);
    }
}

static void measure_cuts(trip_client *client, double *samples, double *bounds, unsigned count)
{
    struct arena *const arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const int event = eventfd(0, EFD_CLOEXEC);
    const pid_t other = fork();
    if (other == 0)
        be_cut_short(arena, event, count);
    trip_breaker *const breaker = stage_breaker(client, "cut");
    for (unsigned round = 1; round <= count; round++) {
        samples[round - 1] = until_woken(arena, 2 * round, breaker, -1);
        recover(breaker);
        bounds[round - 1] = until_woken(arena, 2 * round + 1, NULL, event);
    }
    waitpid(other, NULL, 0);
    close(event);
    munmap(arena, sizeof(*arena));
}

/* ----------------------------------------------------------------------------------------------------------- rows */

static void report(const char *path, const char *bound, double *samples, double *bounds, size_t count, double percent)
{
    bench_report_ns(path, bench_percentile(samples, count, percent), bound, bench_percentile(bounds, count, percent),
                    "<= 1 ms", 1e6);
}

void bench_watch(void)
{
    static double samples[SAMPLES_MAX], bounds[SAMPLES_MAX], cuts[SAMPLES_MAX], wakes[SAMPLES_MAX];
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
    rpc_client_close(watcher.client);
    measure_cuts(client, cuts, wakes, count);
    trip_close(client);
    stage_stop(&stage);
    kill(echo.pid, SIGKILL);
    waitpid(echo.pid, NULL, 0);
    close(echo.ask);
    close(echo.answer);
    report("watch_p50", "there and back by eventfds", samples, bounds, count, 50);
    report("watch_p99", "there and back by eventfds", samples, bounds, count, 99);
    report("cut_short_p50", "eventfd wake", cuts, wakes, count, 50);
    report("cut_short_p99", "eventfd wake", cuts, wakes, count, 99);
}
