/* How much of a trace `tripctl simulate` replays in a second of CPU, from its lines to its transitions. */
#include "bench.h"

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BREAKERS 8
#define LINES    (2000 * bench_effort)
#define ROUNDS   5

struct bench_trace {
    int fd;
    uint64_t outcomes;
};

static FILE *memory_file(int *ret_fd)
{
    *ret_fd = memfd_create("trip-bench", MFD_CLOEXEC);
    FILE *const file = *ret_fd < 0 ? NULL : fdopen(dup(*ret_fd), "w+");
    if (!file)
        bench_fail("a trace in memory", errno);
    return file;
}

/* Mostly good, with a spell of failures now and then that opens. calls: of a good line. */
static struct bench_trace make_trace(uint64_t calls)
{
    struct bench_trace trace = {0};
    FILE *const file = memory_file(&trace.fd);
    for (unsigned i = 0; i < LINES; i++) {
        const bool failing = i % 20000 < 500 && i % 4 != 0;
        const uint64_t n = failing ? 1 : 1 + i % (2 * calls - 1);
        fprintf(file, "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"payments/%u\",\"outcome\":\"%s\",\"latency_ms\":12",
                i / 10, i % BREAKERS, failing ? "failure" : "ok");
        if (n > 1)
            fprintf(file, ",\"n\":%llu", (unsigned long long)n);
        fputs("}\n", file);
        trace.outcomes += n;
    }
    if (fclose(file) != 0)
        bench_fail("a trace in memory", errno);
    return trace;
}

/* $TRIPCTL, else beside us, else in the PATH. */
static void exec_simulate(void)
{
    char self[512] = "", beside[640];
    const char *const named = getenv("TRIPCTL");
    char *argv[] = {"tripctl", "simulate", "-", NULL};
    if (named)
        execv(named, argv);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
        snprintf(beside, sizeof(beside), "%s/tripctl", dirname(self));
        execv(beside, argv);
    }
    execvp("tripctl", argv);
}

/* More than the summaries: it opened. */
static void check_events(FILE *events)
{
    unsigned lines = 0;
    rewind(events);
    for (int letter; (letter = fgetc(events)) != EOF;)
        lines += letter == '\n';
    if (lines <= BREAKERS)
        bench_fail("a replay without transitions", EINVAL);
}

static uint64_t time_ns(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * UINT64_C(1000000000) + (uint64_t)time->tv_usec * 1000;
}

static uint64_t replay_ns(const struct bench_trace *trace)
{
    int output, status;
    struct rusage usage;
    FILE *const events = memory_file(&output);
    const pid_t child = fork();
    if (child == 0) {
        if (lseek(trace->fd, 0, SEEK_SET) == 0 && dup2(trace->fd, STDIN_FILENO) == 0 &&
            dup2(output, STDOUT_FILENO) == 1)
            exec_simulate();
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0)
        bench_fail("tripctl simulate", child < 0 ? errno : EINVAL);
    check_events(events);
    fclose(events);
    close(output);
    return time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime);
}

static void replay(const char *path, uint64_t calls, const char *target, double limit)
{
    const struct bench_trace trace = make_trace(calls);
    double best = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const double rate = (double)trace.outcomes * 1e9 / (double)replay_ns(&trace);
        best = rate > best ? rate : best;
    }
    bench_report(&(struct bench_row){.path = path,
                                     .is_value = true,
                                     .measured = best,
                                     .bound = "nothing",
                                     .target = target,
                                     .limit = limit,
                                     .more_is_better = true});
    close(trace.fd);
}

void bench_simulate(void)
{
    replay("simulate_outcomes_per_s", 10, ">= 5 M", 5e6);
    replay("simulate_lines_per_s", 1, ">= 1 M", 1e6);
}
