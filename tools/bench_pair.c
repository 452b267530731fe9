/* Measures the same calls in one process and in two, each pinned to a core of its own. */
#include "bench.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 8

struct pair {
    unsigned ready; /* atomic: processes that are warm */
    double ns[2];
};

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("no memory to share", errno);
    return memory;
}

static double slowest_of(bench_prepare_fn *prepare, unsigned round, bench_call_fn *call, uint64_t times,
                         unsigned processes)
{
    struct pair *const pair = shared(sizeof(*pair));
    pid_t pids[2];
    for (unsigned number = 0; number < processes; number++) {
        pids[number] = fork();
        if (pids[number] == 0) {
            bench_pin(number);
            void *context = prepare(round);
            call(context, times / 10);
            __atomic_add_fetch(&pair->ready, 1, __ATOMIC_RELEASE);
            while (__atomic_load_n(&pair->ready, __ATOMIC_ACQUIRE) < processes)
                ;
            const uint64_t start = bench_ticks();
            call(context, times);
            pair->ns[number] = bench_ns(bench_ticks() - start) / (double)times;
            _exit(0);
        }
    }
    double slowest = 0;
    for (unsigned number = 0; number < processes; number++) {
        int status;
        if (pids[number] < 0 || waitpid(pids[number], &status, 0) < 0 || status != 0)
            bench_fail("a measuring process failed", ECHILD);
        slowest = pair->ns[number] > slowest ? pair->ns[number] : slowest;
    }
    munmap(pair, sizeof(*pair));
    return slowest;
}

void bench_one_and_two(bench_prepare_fn *prepare, bench_call_fn *call, uint64_t times, double *ret_one_ns,
                       double *ret_two_ns)
{
    *ret_one_ns = *ret_two_ns = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const double one = slowest_of(prepare, 2 * round, call, times, 1),
                     two = slowest_of(prepare, 2 * round + 1, call, times, 2);
        *ret_one_ns = one < *ret_one_ns ? one : *ret_one_ns;
        *ret_two_ns = two < *ret_two_ns ? two : *ret_two_ns;
    }
}

double bench_two(bench_prepare_fn *prepare, bench_call_fn *call, uint64_t times)
{
    double ns[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++)
        ns[round] = slowest_of(prepare, round, call, times, 2);
    return bench_percentile(ns, ROUNDS, 50);
}
