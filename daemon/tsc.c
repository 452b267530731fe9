#include "tsc.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "internal/numbers.h"
#include "internal/ticks.h"

#define CALIBRATION_NS 10000000
#define SAMPLE_TRIES   8
#define INVARIANT_TSC  (1u << 8) /* CPUID 80000007h, EDX: constant and nonstop */
#define CLOCKSOURCES   "/sys/devices/system/clocksource/clocksource0/"
#define MOVE_NS        UINT64_C(500000000)
#define CORES_APART_NS 5000 /* reading both clocks takes some 100 ns; a core that is off is far more off */

/* How far a second of the TSC may be from the kernel's. NTP slews CLOCK_MONOTONIC by a 2,000th at most; and tripd may
 * lose the processor between the two readings of a sample, though not in each of its tries. */
#define DRIFT_ONE_IN 1000
#define DRIFT_NS     50000

#ifdef __x86_64__

static bool names_tsc(const char *file)
{
    char names[128] = " ";
    const int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t length = read(fd, names + 1, sizeof(names) - 2);
    close(fd);
    for (ssize_t i = 0; i <= length; i++)
        names[i] = names[i] == '\n' ? ' ' : names[i];
    return length > 0 && strstr(names, " tsc ") != NULL;
}

bool tsc_listed(void)
{
    return names_tsc(CLOCKSOURCES "available_clocksource");
}

/* Does the kernel use the TSC as its clock? Then it watches by itself whether the cores agree. */
static bool kernel_uses_it(void)
{
    return names_tsc(CLOCKSOURCES "current_clocksource");
}

static bool cpu_says_invariant(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && (edx & INVARIANT_TSC);
}

/* Reads both clocks several times, and returns the try in which they were read closest together, for tripd may be
 * interrupted between. */
struct tsc_sample tsc_sample(void)
{
    struct tsc_sample best = {0};
    uint64_t narrowest = UINT64_MAX;
    for (unsigned try = 0; try < SAMPLE_TRIES; try++) {
        const uint64_t before = __rdtsc();
        const uint64_t ns = monotonic_ns();
        const uint64_t after = __rdtsc();
        if (after - before >= narrowest)
            continue;
        narrowest = after - before;
        best = (struct tsc_sample){.cycles = before + narrowest / 2, .ns = ns};
    }
    return best;
}

#else

bool tsc_listed(void)
{
    return false;
}

static bool kernel_uses_it(void)
{
    return false;
}

static bool cpu_says_invariant(void)
{
    return false;
}

struct tsc_sample tsc_sample(void)
{
    return (struct tsc_sample){0};
}

#endif

static uint64_t rate_between(struct tsc_sample begin, struct tsc_sample end)
{
    if (end.cycles <= begin.cycles || end.ns <= begin.ns)
        return 0;
    return saturated(((unsigned __int128)(end.ns - begin.ns) << 32) / (end.cycles - begin.cycles));
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Do the cores agree? Reads the TSC on each core that tripd may run on, while the base is fresh. */
static bool cores_agree(const struct tsc_base *base)
{
    cpu_set_t may, one;
    bool agree = true;
    if (sched_getaffinity(0, sizeof(may), &may) < 0)
        return false;
    for (size_t core = 0; core < CPU_SETSIZE && agree; core++) {
        if (!CPU_ISSET(core, &may))
            continue;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        if (sched_setaffinity(0, sizeof(one), &one) < 0)
            return false;
        const struct tsc_sample here = tsc_sample();
        agree = apart(tsc_base_ns(base, here.cycles), here.ns) < CORES_APART_NS + (here.ns - base->ns) / DRIFT_ONE_IN;
    }
    return sched_setaffinity(0, sizeof(may), &may) == 0 && agree;
}

void tsc_measure(struct tsc_base *ret_base)
{
    const struct timespec pause = {.tv_nsec = CALIBRATION_NS};
    *ret_base = (struct tsc_base){0};
    if (!cpu_says_invariant() || !tsc_listed())
        return;
    const struct tsc_sample begin = tsc_sample();
    nanosleep(&pause, NULL);
    const struct tsc_sample end = tsc_sample();
    const struct tsc_base base = {.cycles = end.cycles, .ns = end.ns, .ns_q32 = rate_between(begin, end)};
    if (base.ns_q32 && (kernel_uses_it() || cores_agree(&base)))
        *ret_base = base;
}

static const char *mistrust(const struct tsc_base *base, struct tsc_sample now, bool listed)
{
    if (!listed)
        return "the kernel does not list it among its clocks";
    if (now.cycles < base->cycles)
        return "it ran backwards";
    const uint64_t took_ns = now.ns - base->ns;
    const uint64_t counted_ns = tsc_base_ns(base, now.cycles) - base->ns;
    return apart(took_ns, counted_ns) > took_ns / DRIFT_ONE_IN + DRIFT_NS ? "it drifts from the kernel's clock" : NULL;
}

const char *tsc_follow(struct tsc_base *base, struct tsc_sample now, bool listed)
{
    if (base->ns_q32 == 0 || now.ns < base->ns)
        return NULL;
    const char *const why = mistrust(base, now, listed);
    const uint64_t rate = rate_between((struct tsc_sample){base->cycles, base->ns}, now);
    if (why)
        *base = (struct tsc_base){0};
    else if (now.ns - base->ns >= MOVE_NS)
        *base = (struct tsc_base){.cycles = now.cycles, .ns = now.ns, .ns_q32 = rate};
    return why;
}
