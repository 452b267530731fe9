#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "internal/ticks.h"
#include "tsc.h"

_Noreturn void bench_fail(const char *what, int error)
{
    fprintf(stderr, "trip-bench: %s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(1);
}

/* ------------------------------------------------------------------------------------------------- clocks and cores */

/* As libtrip reads it, but for the arithmetic. */
uint64_t bench_ticks(void)
{
#ifdef __x86_64__
    static int trusted = -1;
    if (trusted < 0) {
        struct tsc_base base;
        tsc_measure(&base);
        trusted = base.ns_q32 != 0;
    }
    if (trusted)
        return __rdtsc();
#endif
    return monotonic_ns();
}

double bench_clock_read_ns(void)
{
    static double least;
    const uint64_t times = 1000 * (uint64_t)bench_effort;
    for (unsigned round = 0; least == 0 || round < 30; round++) {
        if (least != 0 && round == 0)
            return least;
        const uint64_t start = bench_ticks();
        for (uint64_t i = 0; i < times; i++)
            __asm__ volatile("" : : "r"(bench_ticks()));
        const double ns = bench_ns(bench_ticks() - start) / (double)times;
        least = least == 0 || ns < least ? ns : least;
    }
    return least;
}

double bench_ns(uint64_t ticks)
{
    static double ns_a_tick;
    if (ns_a_tick == 0) {
        const uint64_t ns = monotonic_ns(), start = bench_ticks();
        bench_nap_us(50000);
        ns_a_tick = (double)(monotonic_ns() - ns) / (double)(bench_ticks() - start);
    }
    return (double)ticks * ns_a_tick;
}

void bench_pin(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        bench_fail("two cores are needed to pin to", errno);
}

/* A part that ran before may have pinned this process: tripd and others it starts may run where they like. */
static void unpin(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof(set));
    (void)sched_setaffinity(0, sizeof(set), &set);
}

void bench_nap_us(unsigned us)
{
    const struct timespec nap = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&nap, NULL);
}

uint64_t bench_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    const int error = clock_getcpuclockid(pid, &clock);
    if (error || clock_gettime(clock, &time) < 0)
        bench_fail("cannot read tripd's CPU time", error ? error : errno);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_percentile(double *samples, size_t count, double percent)
{
    qsort(samples, count, sizeof(*samples), by_size);
    const size_t place = (size_t)((double)count * percent / 100);
    return samples[place < count ? place : count - 1];
}

static double time_of(bench_call_fn *call, void *context, uint64_t times)
{
    const uint64_t start = bench_ticks();
    call(context, times);
    return bench_ns(bench_ticks() - start) / (double)times;
}

void bench_compare(bench_call_fn *bound, bench_call_fn *path, void *context, double *ret_bound_ns, double *ret_path_ns)
{
    const uint64_t times = 10000 * (uint64_t)bench_effort;
    *ret_bound_ns = *ret_path_ns = 1e9;
    for (unsigned round = 0; round < 30; round++) {
        const double bound_ns = time_of(bound, context, times), path_ns = time_of(path, context, times);
        *ret_bound_ns = bound_ns < *ret_bound_ns ? bound_ns : *ret_bound_ns;
        *ret_path_ns = path_ns < *ret_path_ns ? path_ns : *ret_path_ns;
    }
}

/* ------------------------------------------------------------------------------------------------------------ tripd */

static void write_config(const struct bench_stage *stage, const char *config)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/bench.yaml", stage->folder);
    FILE *file = fopen(path, "we");
    if (!file || fputs(config, file) < 0 || fclose(file) != 0)
        bench_fail("cannot write tripd's configuration", errno);
}

/* $TRIPD, else beside us as built or as installed, else in the PATH. */
static void exec_tripd(const char *folder, bool has_config)
{
    char self[512] = "", candidate[640], config[128];
    const char *named = getenv("TRIPD");
    snprintf(config, sizeof(config), "%s/bench.yaml", folder);
    char *argv[] = {"tripd", has_config ? "-c" : NULL, config, NULL};
    if (named)
        execv(named, argv);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
        dirname(self);
        snprintf(candidate, sizeof(candidate), "%s/../daemon/tripd", self);
        execv(candidate, argv);
        snprintf(candidate, sizeof(candidate), "%s/../sbin/tripd", self);
        execv(candidate, argv);
    }
    execvp("tripd", argv);
}

static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%d", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    return child;
}

trip_client *stage_client(void)
{
    trip_client *client;
    const int error = trip_open(&client, NULL);
    if (error)
        bench_fail("trip_open", error);
    return client;
}

static bool is_up(void)
{
    trip_client *client = stage_client();
    const bool up = trip_client_status(client) == TRIP_CLIENT_SHARED;
    trip_close(client);
    return up;
}

void stage_start(struct bench_stage *stage, const char *config)
{
    unpin();
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/trip-bench.XXXXXX");
    if (!mkdtemp(stage->folder))
        bench_fail("cannot make a folder in /tmp", errno);
    setenv("TRIP_RUNTIME_DIR", stage->folder, 1);
    setenv("TRIP_STATE_DIR", stage->folder, 1);
    setenv("TRIP_SHM_DIR", stage->folder, 1);
    setenv("TRIP_INSTANCE", "bench", 1);
    if (config)
        write_config(stage, config);
    const pid_t parent = getpid();
    stage->keeper = fork();
    if (stage->keeper == 0) {
        char log[128];
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        snprintf(log, sizeof(log), "%s/log", stage->folder);
        dup2(open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDERR_FILENO);
        if (getppid() == parent)
            exec_tripd(stage->folder, config != NULL);
        _exit(127);
    }
    for (unsigned tries = 0; tries < 100 && !is_up(); tries++)
        bench_nap_us(20000);
    stage->worker = child_of(stage->keeper);
    if (!is_up() || !stage->worker) {
        stage_stop(stage);
        bench_fail("tripd did not come up (set TRIPD to its path)", ENOENT);
    }
}

void stage_stop(struct bench_stage *stage)
{
    static const char *const files[] = {
        "bench.yaml", "log", "bench.sock", "bench.lock", "tripd.bench", "tripd.bench~lock", "bench/snapshot", "bench"};
    char path[128];
    kill(stage->keeper, SIGTERM);
    waitpid(stage->keeper, NULL, 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", stage->folder, files[i]);
        remove(path);
    }
    rmdir(stage->folder);
}

trip_breaker *stage_breaker(trip_client *client, const char *name)
{
    trip_breaker *breaker;
    const int error = trip_breaker_get(client, name, &breaker);
    if (error)
        bench_fail(name, error);
    return breaker;
}
