/* How fast the world learns of a trip: a failure in one process, a denial in another on the other core.
 *
 *   streak   bound by a store's way to the other core
 *   daemon   bound by waking an io_uring loop through a futex, which then stores
 */
#include "bench.h"

#include <errno.h>
#include <liburing.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLES_MAX      1000
#define URING_FUTEX_WAIT 51
#define FUTEX2_U32       0x02

static const char config[] = "limits: {max_breakers: 4096}\n"
                             "breakers:\n"
                             "  - match: \"streak/*\"\n"
                             "    trip: {consecutive_failures: 5, failure_rate: 0%}\n"
                             "  - match: \"rate/*\"\n"
                             "    trip: {consecutive_failures: 0, failure_rate: 50%}\n"
                             "    window: {type: count, size: 100, minimum_calls: 10}\n";

/* Between the process that fails and the one that watches. Each word on a line of its own. */
struct arena {
    unsigned round __attribute__((aligned(64)));    /* failing: watch sample round - 1 */
    unsigned watching __attribute__((aligned(64))); /* watching: I do */
    uint64_t seen __attribute__((aligned(64)));     /* watching: when it was seen, ticks; 0: not yet */
    uint64_t line __attribute__((aligned(64)));     /* the bounds' store */
    unsigned bell __attribute__((aligned(64)));     /* the bound's futex */
};

enum kind { BOUND_STORE, STREAK, BOUND_WAKE, RATE, KINDS };

static bool seen(enum kind kind, struct arena *arena, trip_breaker *breaker, unsigned round)
{
    if (kind == STREAK || kind == RATE)
        return !trip_admitted(trip_allow(breaker));
    return __atomic_load_n(&arena->line, __ATOMIC_ACQUIRE) == round;
}

static trip_breaker *breaker_of(trip_client *client, enum kind kind, unsigned sample)
{
    char name[32];
    snprintf(name, sizeof(name), "%s/%u", kind == RATE ? "rate" : "streak", sample);
    return kind == STREAK || kind == RATE ? stage_breaker(client, name) : NULL;
}

static _Noreturn void watch(struct arena *arena, unsigned samples)
{
    bench_pin(1);
    trip_client *client = stage_client();
    for (unsigned round = 1; round <= samples * KINDS; round++) {
        const enum kind kind = (enum kind)((round - 1) % KINDS);
        while (__atomic_load_n(&arena->round, __ATOMIC_ACQUIRE) != round)
            bench_nap_us(20);
        trip_breaker *breaker = breaker_of(client, kind, (round - 1) / KINDS);
        (void)seen(kind, arena, breaker, round);
        __atomic_store_n(&arena->watching, round, __ATOMIC_RELEASE);
        while (!seen(kind, arena, breaker, round))
            __builtin_ia32_pause();
        __atomic_store_n(&arena->seen, bench_ticks(), __ATOMIC_RELEASE);
    }
    trip_close(client);
    _exit(0);
}

/* Waits on the bell as tripd does, and stores: the least that a daemon's reaction can be. */
static _Noreturn void wake(struct arena *arena)
{
    struct io_uring ring;
    const int error = io_uring_queue_init(8, &ring, 0);
    if (error)
        bench_fail("no io_uring to measure the bound of daemon_trip with", error);
    for (;;) {
        unsigned bell = __atomic_load_n(&arena->bell, __ATOMIC_ACQUIRE);
        if (bell & 1) {
            __atomic_store_n(&arena->bell, bell + 1, __ATOMIC_SEQ_CST);
            __atomic_store_n(&arena->line, __atomic_load_n(&arena->round, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
            continue;
        }
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        struct io_uring_cqe *cqe;
        io_uring_prep_rw(URING_FUTEX_WAIT, sqe, FUTEX2_U32, &arena->bell, 0, bell);
        sqe->addr3 = 0xffffffff;
        if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe) < 0)
            continue;
        if (cqe->res < 0 && cqe->res != -EAGAIN && cqe->res != -EINTR)
            bench_fail("this kernel's io_uring cannot wait on a futex: no bound for daemon_trip", cqe->res);
        io_uring_cqe_seen(&ring, cqe);
    }
}

/* Before the nap: tripd has drained it, and sleeps, when the last one comes. */
static void prepare_rate(trip_breaker *breaker)
{
    for (unsigned i = 0; i < 5; i++)
        trip_record(breaker, TRIP_OK, 0);
    for (unsigned i = 0; i < 4; i++)
        trip_record(breaker, TRIP_FAILURE, 0);
}

/* After it: four in a row, and the fifth opens; four stores, and the fifth is the one that is waited for. tripd has no
 * part in this and no core to run on: it is stopped meanwhile, and counts as awake once its bell was rung. */
static void prepare_streak(const struct bench_stage *stage, trip_breaker *breaker)
{
    kill(stage->worker, SIGSTOP);
    for (unsigned i = 0; i < 4; i++)
        trip_record(breaker, TRIP_FAILURE, 0);
}

static void prepare_store(struct arena *arena)
{
    for (unsigned i = 0; i < 4; i++)
        __atomic_store_n(&arena->line, 0, __ATOMIC_SEQ_CST);
}

static void set_off(enum kind kind, struct arena *arena, trip_breaker *breaker, unsigned round)
{
    switch (kind) {
    case BOUND_STORE:
        __atomic_store_n(&arena->line, round, __ATOMIC_RELEASE);
        break;
    case BOUND_WAKE:
        __atomic_add_fetch(&arena->bell, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &arena->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
        break;
    default:
        trip_record(breaker, TRIP_FAILURE, 0);
    }
}

/* One sample, in ns: from just before the report to the other process's denial. */
static double sample(const struct bench_stage *stage, struct arena *arena, trip_client *client, unsigned round)
{
    const enum kind kind = (enum kind)((round - 1) % KINDS);
    trip_breaker *breaker = breaker_of(client, kind, (round - 1) / KINDS);
    if (kind == RATE)
        prepare_rate(breaker);
    __atomic_store_n(&arena->seen, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&arena->round, round, __ATOMIC_RELEASE);
    while (__atomic_load_n(&arena->watching, __ATOMIC_ACQUIRE) != round)
        bench_nap_us(20);
    bench_nap_us(1000); /* tripd and the bound's loop have gone to sleep */
    if (kind == STREAK)
        prepare_streak(stage, breaker);
    if (kind == BOUND_STORE)
        prepare_store(arena);
    const uint64_t start = bench_ticks();
    set_off(kind, arena, breaker, round);
    uint64_t end;
    while (!(end = __atomic_load_n(&arena->seen, __ATOMIC_ACQUIRE)))
        bench_nap_us(50); /* leaves this core to tripd */
    if (kind == STREAK)
        kill(stage->worker, SIGCONT);
    return end > start ? bench_ns(end - start) : 0;
}

static void report(const char *path, double *samples, double *bounds, size_t count, double percent, double factor,
                   double clock_reads, const char *bound, const char *target)
{
    const double limit = bench_percentile(bounds, count, percent);
    bench_report(&(struct bench_row){.path = path,
                                     .measured = bench_percentile(samples, count, percent),
                                     .bound = bound,
                                     .bound_measured = limit,
                                     .target = target,
                                     .limit = factor * limit,
                                     .clock_reads = clock_reads});
}

void bench_trips(void)
{
    static double samples[KINDS][SAMPLES_MAX];
    const unsigned count = SAMPLES_MAX * bench_effort / 100;
    struct bench_stage stage;
    struct arena *arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stage_start(&stage, config);
    bench_ns(0); /* measures the clock before the processes part */
    const pid_t watcher = fork();
    if (watcher == 0)
        watch(arena, count);
    const pid_t waker = fork();
    if (waker == 0)
        wake(arena);
    trip_client *client = stage_client();
    bench_pin(0);
    for (unsigned round = 1; round <= count * KINDS; round++)
        samples[(round - 1) % KINDS][(round - 1) / KINDS] = sample(&stage, arena, client, round);
    trip_close(client);
    waitpid(watcher, NULL, 0);
    kill(waker, SIGKILL);
    waitpid(waker, NULL, 0);
    stage_stop(&stage);
    munmap(arena, sizeof(*arena));
    report("streak_trip_p50", samples[STREAK], samples[BOUND_STORE], count, 50, 2, 2, "a store's way", "<= 2x");
    report("streak_trip_p99", samples[STREAK], samples[BOUND_STORE], count, 99, 5, 2, "a store's way, p99", "<= 5x");
    report("daemon_trip_p50", samples[RATE], samples[BOUND_WAKE], count, 50, 2, 1, "futex wake of an io_uring loop",
           "<= 2x");
    report("daemon_trip_p99", samples[RATE], samples[BOUND_WAKE], count, 99, 5, 1, "the same, p99", "<= 5x");
}
