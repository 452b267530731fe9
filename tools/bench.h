/* Functions that the files of trip-bench share: rows, the stage (a tripd of its own), clocks, and pairs of pinned
 * processes. */
#ifndef TRIP_BENCH_H
#define TRIP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trip.h"

/* A row of the table: a path, what bounds it on this hardware, and the target in terms of that bound. */
struct bench_row {
    const char *path;
    bool is_value; /* `measured` is a value in the unit that its name says; otherwise nanoseconds */
    double measured;
    const char *bound;
    double bound_measured;
    const char *target;
    double limit; /* the most that `measured` may be (with `more_is_better` the least) */
    bool more_is_better;
    double clock_reads; /* reads of the clock that `measured` includes */
    struct {
        double low, high; /* the true value lies between them in 95 of 100 runs; 0 and 0: not known */
    } interval;
};

void bench_report(const struct bench_row *row);
void bench_report_ns(const char *path, double ns, const char *bound, double bound_ns, const char *target, double limit);
/* Reports a path likewise that reads the clock so often. */
void bench_report_timed(const char *path, double ns, double clock_reads, const char *bound, double bound_ns,
                        const char *target, double limit);

/* -------------------------------------------------------------------------------------------------------- the stage */

/* A tripd of our own in a folder of its own, which clients find through the environment. */
struct bench_stage {
    char folder[64];
    pid_t keeper, worker;
};
/* Starts tripd. config: YAML, NULL for the defaults. Exits with a message if tripd does not come up. */
void stage_start(struct bench_stage *stage, const char *config);
void stage_stop(struct bench_stage *stage);
trip_client *stage_client(void);
trip_breaker *stage_breaker(trip_client *client, const char *name);

/* ------------------------------------------------------------------------------------------------- clocks and cores */
uint64_t bench_ticks(void);
/* Returns what one read of libtrip's clock costs on this machine: the least of many rounds, measured once. */
double bench_clock_read_ns(void);
double bench_ns(uint64_t ticks);
void bench_pin(unsigned core);
void bench_nap_us(unsigned us);
/* Returns the nanoseconds of CPU that all threads of a process used. */
uint64_t bench_cpu_ns(pid_t pid);
_Noreturn void bench_fail(const char *what, int error);

/* Returns the nanoseconds that a round trip of `call` takes: the least of `rounds`, for noise only adds. Bound and path
 * take turns. */
typedef void bench_call_fn(void *context, uint64_t times);
void bench_compare(bench_call_fn *bound, bench_call_fn *path, void *context, double *ret_bound_ns, double *ret_path_ns);

/* Makes what a measuring process calls with. It runs in that process, after the fork, once for each round, numbered
 * from 0. */
typedef void *bench_prepare_fn(unsigned round);
/* Measures the nanoseconds a call takes in one process, and in the slower of two at once: the least of some rounds of
 * each, in turns. */
void bench_one_and_two(bench_prepare_fn *prepare, bench_call_fn *call, uint64_t times, double *ret_one_ns,
                       double *ret_two_ns);
/* Measures two processes that get into each other's way: the median round, for in the least one the other process was
 * elsewhere. */
double bench_two(bench_prepare_fn *prepare, bench_call_fn *call, uint64_t times);

double bench_percentile(double *samples, size_t count, double percent);

/* How thorough the measurements are: `--quick` is a tenth. */
extern unsigned bench_effort; /* percent */

/* ------------------------------------------------------------------------------------------------ the rows, by file */
void bench_calls(void);    /* bench_calls.c: allow, record, begin and end, alone and in two processes */
void bench_limits(void);   /* bench_limits.c: bulkhead, rate and retry budget, alone and in two processes */
void bench_many(void);     /* bench_many.c: many breakers, threads and processes */
void bench_trips(void);    /* bench_trips.c: how fast another process denies */
void bench_watch(void);    /* bench_watch.c: how fast those who watch are told */
void bench_daemon(void);   /* bench_daemon.c: what tripd itself costs */
void bench_errors(void);   /* bench_errors.c: what an error costs tripd, and what asking of them costs */
void bench_peers(void);    /* bench_peers.c: the same call by a mutex, and by Redis */
void bench_impact(void);   /* bench_impact.c: a prefork server with and without libtrip */
void bench_simulate(void); /* bench_simulate.c: how much of a trace tripctl simulate replays in a second */
void bench_top(void);      /* bench_top.c: what triptop costs */

/* ------------------------------------------------ bounds: the same kind of call into a shared library, libtripbound */
int bound_load_branch(const uint64_t *words);
void bound_load_branch_count(const uint64_t *words, uint64_t *counters);

#endif
