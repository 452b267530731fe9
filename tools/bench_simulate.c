/* How much of a trace `tripctl simulate` replays in a second of CPU, from its lines to its transitions. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulation.h"

#define BREAKERS 8
#define LINES    (2000 * bench_effort)
#define LINE_MAX 128
#define ROUNDS   5

struct bench_trace {
    char (*lines)[LINE_MAX];
    uint64_t outcomes;
};

/* Mostly good, with a spell of failures now and then that opens. calls: of a good line. */
static struct bench_trace make_trace(uint64_t calls)
{
    struct bench_trace trace = {.lines = calloc(LINES, LINE_MAX)};
    if (!trace.lines)
        bench_fail("a trace", ENOMEM);
    for (unsigned i = 0; i < LINES; i++) {
        const bool failing = i % 20000 < 500 && i % 4 != 0;
        const uint64_t n = failing ? 1 : 1 + i % (2 * calls - 1);
        char many[32] = "";
        if (n > 1)
            snprintf(many, sizeof(many), ",\"n\":%llu", (unsigned long long)n);
        snprintf(trace.lines[i], LINE_MAX,
                 "{\"t_ms\":%u,\"op\":\"call\",\"breaker\":\"payments/%u\",\"outcome\":\"%s\",\"latency_ms\":12%s}",
                 i / 10, i % BREAKERS, failing ? "failure" : "ok", many);
        trace.outcomes += n;
    }
    return trace;
}

static void count(void *context, const json_t *event)
{
    (void)event;
    ++*(uint64_t *)context;
}

static uint64_t replay_ns(const struct bench_trace *trace, const struct config *config)
{
    uint64_t events = 0;
    const struct simulation_options options = {.config = config, .seed = 1, .event = count, .context = &events};
    struct simulation *simulation;
    struct trace_step step;
    char problem[256] = "";
    int error = simulation_new(&options, &simulation);
    const uint64_t start = bench_cpu_ns(getpid());
    for (unsigned i = 0; i < LINES && error == 0; i++) {
        error = trace_step_parse(trace->lines[i], strlen(trace->lines[i]), &step, problem);
        if (error == 0)
            error = simulation_step(simulation, &step, problem);
    }
    if (error == 0)
        simulation_end(simulation);
    const uint64_t ns = bench_cpu_ns(getpid()) - start;
    if (error || events <= BREAKERS) /* more than the summaries: it opened */
        bench_fail(*problem ? problem : "a replay without transitions", error ? error : EINVAL);
    simulation_free(simulation);
    return ns;
}

static void replay(const char *path, uint64_t calls, const char *target, double limit)
{
    const struct bench_trace trace = make_trace(calls);
    struct config *config;
    char *problems = NULL;
    double best = 0;
    const int error = config_parse("", 0, "defaults", &config, &problems);
    if (error < 0)
        bench_fail("the default settings", error);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const double rate = (double)trace.outcomes * 1e9 / (double)replay_ns(&trace, config);
        best = rate > best ? rate : best;
    }
    bench_report(&(struct bench_row){.path = path,
                                     .is_value = true,
                                     .measured = best,
                                     .bound = "nothing",
                                     .target = target,
                                     .limit = limit,
                                     .more_is_better = true});
    config_free(config);
    free(trace.lines);
}

void bench_simulate(void)
{
    replay("simulate_outcomes_per_s", 10, ">= 5 M", 5e6);
    replay("simulate_lines_per_s", 1, ">= 2 M", 2e6);
}
