#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#define CALIBRATION_NS 10000000
#define SAMPLE_TRIES   8
#define INVARIANT_TSC  (1u << 8) /* CPUID 80000007h, EDX */
#define CLOCKSOURCE    "/sys/devices/system/clocksource/clocksource0/current_clocksource"

#ifdef __x86_64__

/* The kernel watches the TSC against other clocks, and gives it up when it drifts or differs between cores. */
static bool kernel_trusts_tsc(void)
{
    char name[8] = "";
    const int fd = open(CLOCKSOURCE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t length = read(fd, name, sizeof(name) - 1);
    close(fd);
    return length > 0 && strcmp(name, "tsc\n") == 0;
}

static bool cpu_has_invariant_tsc(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && (edx & INVARIANT_TSC);
}

struct sample {
    uint64_t cycles, ns;
};

/* Both clocks at one moment: the try in which they were read closest together, for we may be interrupted between. */
static struct sample sample_both(void)
{
    struct sample best = {0};
    uint64_t narrowest = UINT64_MAX;
    for (unsigned try = 0; try < SAMPLE_TRIES; try++) {
        const uint64_t before = __rdtsc();
        const uint64_t ns = monotonic_ns();
        const uint64_t after = __rdtsc();
        if (after - before >= narrowest)
            continue;
        narrowest = after - before;
        best = (struct sample){.cycles = before + narrowest / 2, .ns = ns};
    }
    return best;
}

static uint64_t measure_cycle_q32(void)
{
    const struct timespec pause = {.tv_nsec = CALIBRATION_NS};
    const struct sample begin = sample_both();
    nanosleep(&pause, NULL);
    const struct sample end = sample_both();
    if (end.cycles <= begin.cycles || end.ns <= begin.ns)
        return 0;
    return (uint64_t)(((unsigned __int128)(end.ns - begin.ns) << 32) / (end.cycles - begin.cycles));
}

#else

static bool kernel_trusts_tsc(void)
{
    return false;
}

static bool cpu_has_invariant_tsc(void)
{
    return false;
}

static uint64_t measure_cycle_q32(void)
{
    return 0;
}

#endif

void clock_measure(struct clock *clock, bool test)
{
    *clock = (struct clock){.ticks = test ? TICKS_TEST : TICKS_MONOTONIC, .tick_ns_q32 = TICKS_NANOSECOND_Q32};
    if (test || !kernel_trusts_tsc() || !cpu_has_invariant_tsc())
        return;
    const uint64_t cycle_q32 = measure_cycle_q32();
    if (cycle_q32 == 0)
        return;
    clock->ticks = TICKS_TSC;
    clock->tick_ns_q32 = cycle_q32;
}
