/* What tripd itself costs: CPU for reports, and none while nothing is reported. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORTERS 8
#define BREAKERS  1000
#define LANES     256
#define USED      16
#define IDLE      10000
#define SPARSE    64 /* successes between two failures */

static const char config[] = "breakers:\n"
                             "  - match: \"failing/*\"\n"
                             "    trip: {consecutive_failures: 0, failure_rate: 0%}\n";

static uint64_t tripd_cpu_ns(const struct bench_stage *stage)
{
    return bench_cpu_ns(stage->keeper) + bench_cpu_ns(stage->worker);
}

/* Returns this process's breaker KIND/NUMBER, of a client and so of a lane of its own. */
static trip_breaker *numbered(const char *kind, unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "%s/%u", kind, number);
    return stage_breaker(stage_client(), name);
}

/* Reports successes. */
static void report_ok(unsigned number, uint64_t count)
{
    trip_breaker *const breaker = numbered("ok", number);
    for (uint64_t i = 0; i < count; i++) {
        trip_record(breaker, TRIP_OK, 1000000);
        if (i % 4096 == 0)
            bench_nap_us(100);
    }
}

/* Reports failures in bursts that fit the ring, so that an event tells of each one. */
static void report_failures(unsigned number, uint64_t count)
{
    trip_breaker *const breaker = numbered("failing", number);
    for (uint64_t i = 0; i < count; i++) {
        trip_record(breaker, TRIP_FAILURE, 1000000);
        if (i % 400 == 399)
            bench_nap_us(1000);
    }
}

/* Reports failures as report_failures does, each with a text. */
static void report_errors(unsigned number, uint64_t count)
{
    const trip_error error = {.type = TRIP_ERROR_NETWORK, .message = "connection refused", .correlation = "req-7"};
    trip_breaker *const breaker = numbered("failing", number);
    for (uint64_t i = 0; i < count; i++) {
        trip_call call;
        trip_begin(breaker, &call);
        trip_end_error(&call, &error);
        if (i % 400 == 399)
            bench_nap_us(1000);
    }
}

/* Reports failures far apart, so that tripd sleeps between them, and far too few to trip anything. */
static void report_sparse(unsigned number, uint64_t count)
{
    trip_breaker *const breaker = numbered("sparse", number);
    for (uint64_t i = 0; i < count; i++) {
        for (unsigned ok = 0; ok < SPARSE; ok++)
            trip_record(breaker, TRIP_OK, 1000000);
        trip_record(breaker, TRIP_FAILURE, 1000000);
        bench_nap_us(5000);
    }
}

static void in_reporters(void (*work)(unsigned number, uint64_t count), uint64_t count)
{
    for (unsigned number = 0; number < REPORTERS; number++) {
        if (fork() == 0) {
            work(number, count / REPORTERS);
            _exit(0);
        }
    }
    for (unsigned number = 0; number < REPORTERS; number++) {
        int status;
        if (wait(&status) < 0 || status != 0)
            bench_fail("a reporting process failed", ECHILD);
    }
}

/* Returns tripd's CPU, keeper and worker, for `count` reports, less what the same time costs when nothing happens. */
static double cpu_per_million_ms(const struct bench_stage *stage, void (*work)(unsigned number, uint64_t count),
                                 uint64_t count, double idle_share)
{
    const uint64_t start = bench_ticks(), cpu = tripd_cpu_ns(stage);
    in_reporters(work, count);
    bench_nap_us(300000); /* lets tripd drain what is left in the lanes */
    const double spent = (double)(tripd_cpu_ns(stage) - cpu) - idle_share * bench_ns(bench_ticks() - start);
    return (spent > 0 ? spent : 0) / 1e6 / ((double)count / 1e6);
}

/* Returns the milliseconds of CPU that tripd uses in a second while a process rests that has used so many breakers
 * once. */
static double idle_ms(unsigned breakers)
{
    struct bench_stage stage;
    stage_start(&stage, "limits: {max_breakers: 10100}\n");
    trip_client *client = stage_client();
    for (unsigned i = 0; i < breakers; i++) {
        char name[32];
        snprintf(name, sizeof(name), "idle/%u", i);
        trip_record(stage_breaker(client, name), TRIP_OK, 1000000);
    }
    bench_nap_us(3500000); /* lets tripd see that the new meters move no more */
    const uint64_t cpu = tripd_cpu_ns(&stage), start = bench_ticks();
    bench_nap_us(30000 * bench_effort + 2000000);
    const double spent = (double)(tripd_cpu_ns(&stage) - cpu), seconds = bench_ns(bench_ticks() - start) / 1e9;
    trip_close(client);
    stage_stop(&stage);
    return spent / 1e6 / seconds;
}

static uint64_t switches(pid_t pid)
{
    char path[64], line[256];
    uint64_t count = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        bench_fail(path, errno);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
            count = strtoull(line + 24, NULL, 10);
    fclose(file);
    return count;
}

static double rss_mib(pid_t pid)
{
    char path[64], line[256];
    double kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        bench_fail(path, errno);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    fclose(file);
    return kib / 1024;
}

static void report_value(const char *path, double value, const char *bound, double bound_value, const char *target,
                         double limit)
{
    bench_report(&(struct bench_row){.path = path,
                                     .is_value = true,
                                     .measured = value,
                                     .bound = bound,
                                     .bound_measured = bound_value,
                                     .target = target,
                                     .limit = limit});
}

/* Starts LANES processes, each of which uses USED of the BREAKERS, and then rests. */
static void crowd(pid_t pids[LANES])
{
    int up[2], stay[2];
    if (pipe(up) < 0 || pipe(stay) < 0)
        bench_fail("pipe", errno);
    for (unsigned number = 0; number < LANES; number++) {
        pids[number] = fork();
        if (pids[number] < 0)
            bench_fail("fork", errno);
        if (pids[number] == 0) {
            char name[32], byte = 1;
            close(stay[1]);
            trip_client *client = stage_client();
            for (unsigned i = 0; i < USED; i++) {
                snprintf(name, sizeof(name), "crowd/%u", (number * USED + i) % BREAKERS);
                trip_record(stage_breaker(client, name), TRIP_OK, 1000);
            }
            const bool shared = trip_client_status(client) == TRIP_CLIENT_SHARED;
            (void)!write(up[1], &byte, 1);
            (void)!read(stay[0], &byte, 1); /* returns when the bench closes it, or dies */
            _exit(shared ? 0 : 1);
        }
        char byte;
        if (read(up[0], &byte, 1) != 1)
            bench_fail("a client of the crowd failed", ECHILD);
    }
    close(up[0]);
    close(up[1]);
    close(stay[0]);        /* stay[1] lives as long as the bench: the crowd waits for its end */
    bench_nap_us(1500000); /* lets a heartbeat drain them */
}

void bench_daemon(void)
{
    const uint64_t oks = 400000 * (uint64_t)bench_effort, fails = 10000 * (uint64_t)bench_effort;
    struct bench_stage stage;
    static pid_t pids[LANES];
    stage_start(&stage, config);

    const unsigned idle_us = 30000 * bench_effort + 2000000;
    uint64_t cpu = tripd_cpu_ns(&stage), start = bench_ticks();
    const uint64_t before = switches(stage.keeper) + switches(stage.worker);
    bench_nap_us(idle_us);
    const double seconds = bench_ns(bench_ticks() - start) / 1e9;
    const double idle_share = (double)(tripd_cpu_ns(&stage) - cpu) / 1e9 / seconds;
    report_value("idle_wakeups_per_s", (double)(switches(stage.keeper) + switches(stage.worker) - before) / seconds,
                 "heartbeats", 1, "<= 2", 2);
    report_value("daemon_cpu_per_1m_ok_ms", cpu_per_million_ms(&stage, report_ok, oks, idle_share), "nothing", 0,
                 "<= 1 ms", 1);
    const double failures_ms = cpu_per_million_ms(&stage, report_failures, fails, idle_share);
    report_value("daemon_cpu_per_1m_failures_ms", failures_ms, "nothing", 0, "<= 20 ms", 20);
    report_value("daemon_cpu_per_1m_errors_ms", cpu_per_million_ms(&stage, report_errors, fails, idle_share),
                 "failures without a text", failures_ms, "<= 200 ms", 200);
    const uint64_t sparse = 40 * (uint64_t)bench_effort;
    report_value("sparse_failure_cpu", cpu_per_million_ms(&stage, report_sparse, sparse, idle_share) / 1000, "nothing",
                 0, "<= 5 us", 5);
    crowd(pids);
    report_value("daemon_rss_mib", rss_mib(stage.keeper) + rss_mib(stage.worker), "nothing", 0,
                 "< 16 MiB with 1,000 breakers, 256 lanes", 16);
    for (unsigned number = 0; number < LANES; number++) {
        kill(pids[number], SIGKILL);
        waitpid(pids[number], NULL, 0);
    }
    stage_stop(&stage);
    report_value("idle_10000_breakers_ms", idle_ms(IDLE), "nothing", 0, "<= 1 ms/s", 1);
}
