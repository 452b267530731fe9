/* What many breakers, threads and processes cost. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/layout.h"
#include "internal/ticks.h"

#define BREAKERS      1000
#define IDLE_THREADS  30
#define PROCESSES_MAX 1000
#define ATTACH_MOST_S 20

/* -------------------------------------------------------------------------------------- a thousand breakers in turn */

/* The bound makes the same walk by hand: from a handle to its binding, from there to a line of settings, one of state,
 * and two of counters, with the strides of libtrip's and tripd's tables. */

#define HANDLE_STRIDE  832 /* a trip_breaker in the heap */
#define BINDING_STRIDE 224

struct bound_line {
    const volatile uint64_t *settings, *state;
    uint64_t expected;
    unsigned number;
};

struct walk {
    trip_breaker *breakers[BREAKERS];
    uint8_t *handles[BREAKERS];
    struct meter **meters;
    struct lane_room *rooms;
    unsigned next;
    volatile uint64_t sink;
};

static const struct bound_line *bound_of(uint8_t *handle)
{
    return *(const struct bound_line *volatile *)(void *)handle;
}

static bool looks_fine(const struct bound_line *bound)
{
    return *bound->state == 0 && *bound->settings == bound->expected;
}

static void add(uint64_t *counter)
{
    (*(volatile uint64_t *)counter)++;
}

static void walk_by_hand(void *context, uint64_t times)
{
    struct walk *walk = context;
    for (uint64_t n = 0; n < times; n++) {
        uint8_t *const handle = walk->handles[walk->next++ % BREAKERS];
        const struct bound_line *bound = bound_of(handle);
        if (looks_fine(bound))
            add(&walk->meters[bound->number]->started);
        const uint64_t start = bench_ticks();
        walk->sink = bench_ticks() - start;
        bound = bound_of(handle);
        if (!looks_fine(bound))
            continue;
        struct meter *const meter = walk->meters[bound->number];
        add(&meter->finished);
        add(&meter->total_ok);
        add(&meter->ok);
        (*(volatile uint32_t *)&walk->rooms[meter->rooms[1]].counters[1])++;
    }
}

static void walk_breakers(void *context, uint64_t times)
{
    struct walk *walk = context;
    trip_call call;
    for (uint64_t n = 0; n < times; n++)
        if (trip_begin(walk->breakers[walk->next++ % BREAKERS], &call) == TRIP_ALLOW)
            trip_end(&call, TRIP_OK);
}

static void *lines(size_t stride)
{
    const size_t size = stride * BREAKERS;
    void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("no memory", errno);
    memset(memory, 0, size);
    return memory;
}

static void lay_out(struct walk *walk)
{
    uint8_t *const handles = lines(HANDLE_STRIDE), *const bindings = lines(BINDING_STRIDE);
    const struct policy_slot *const policies = lines(sizeof(*policies));
    const struct state_line *const words = lines(sizeof(*words));
    struct meter *const meters = lines(sizeof(*meters));
    walk->meters = lines(sizeof(*walk->meters));
    walk->rooms = lines(sizeof(*walk->rooms));
    for (unsigned i = 0; i < BREAKERS; i++) {
        struct bound_line *const bound = (void *)(bindings + (size_t)i * BINDING_STRIDE);
        walk->handles[i] = handles + (size_t)i * HANDLE_STRIDE;
        *(struct bound_line **)(void *)walk->handles[i] = bound;
        *bound = (struct bound_line){.settings = &policies[i].admission, .state = &words[i].word, .number = i};
        walk->meters[i] = &meters[i];
        meters[i].rooms[1] = i;
    }
}

/* Returns the resident bytes of the mappings that are this process's own: heap, anonymous memory, and lane. */
static double own_memory(void)
{
    char line[512];
    bool counts = false;
    long kib = 0, sum = 0;
    FILE *const file = fopen("/proc/self/smaps", "re");
    while (file && fgets(line, sizeof(line), file)) {
        unsigned long begin, end;
        int name = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &begin, &end, &name) == 2 && name)
            counts = line[name] == '\0' || line[name] == '\n' || strncmp(line + name, "[heap]", 6) == 0 ||
                     strstr(line + name, "trip-lane") != NULL;
        else if (counts && sscanf(line, "Rss: %ld kB", &kib) == 1)
            sum += kib;
    }
    if (file)
        fclose(file);
    return (double)sum * 1024;
}

static void thousand_breakers(void)
{
    static struct walk walk;
    char name[32];
    trip_client *client = stage_client();
    trip_call call;
    double bound, path;
    lay_out(&walk);
    walk.breakers[0] = stage_breaker(client, "ok");
    if (trip_begin(walk.breakers[0], &call) == TRIP_ALLOW) /* the thread takes what it needs */
        trip_end(&call, TRIP_OK);
    const double before = own_memory();
    for (unsigned i = 0; i < BREAKERS; i++) {
        snprintf(name, sizeof(name), "many/%u", i);
        walk.breakers[i] = stage_breaker(client, name);
        if (trip_begin(walk.breakers[i], &call) == TRIP_ALLOW)
            trip_end(&call, TRIP_OK);
    }
    const double memory = (own_memory() - before) / BREAKERS;
    bench_compare(walk_by_hand, walk_breakers, &walk, &bound, &path);
    bench_report_ns("thousand_breakers", path, "the same walk by hand", bound, "<= 1.5x", 1.5 * bound);
    bench_report(&(struct bench_row){.path = "breaker_memory",
                                     .is_value = true,
                                     .measured = memory,
                                     .bound = "bytes of a client's meter",
                                     .bound_measured = sizeof(struct meter),
                                     .target = "<= 1,024 bytes",
                                     .limit = 1024});
    trip_close(client);
}

/* ---------------------------------------------------------------------- thirty threads that have reported and sleep */

struct crowd {
    trip_breaker *ok;
    pthread_barrier_t reported, over;
    double ns;
};

static void *idle(void *context)
{
    struct crowd *const crowd = context;
    trip_record(crowd->ok, TRIP_OK, 0);
    pthread_barrier_wait(&crowd->reported);
    pthread_barrier_wait(&crowd->over);
    return NULL;
}

/* Measures at all places of a page, in turns, where a meter may begin. If the addresses of a call and a meter differ
 * only by pages, the processor takes one for the other and waits: a thread's meter may be lucky or not. */
struct placed_call {
    trip_call call;
    char elsewhere[sizeof(struct meter) - sizeof(trip_call)];
};

static void *begin_end(void *context)
{
    struct crowd *const crowd = context;
    const uint64_t times = 20000 * (uint64_t)bench_effort;
    const uint64_t start = bench_ticks();
    struct placed_call calls[LAYOUT_PAGE / sizeof(struct placed_call)];
    for (uint64_t i = 0; i < times; i++) {
        trip_call *const call = &calls[i % (sizeof(calls) / sizeof(calls[0]))].call;
        if (trip_begin(crowd->ok, call) == TRIP_ALLOW)
            trip_end(call, TRIP_OK);
    }
    crowd->ns = bench_ns(bench_ticks() - start) / (double)times;
    return NULL;
}

/* Returns the nanoseconds of begin and end in a thread that comes after so many others. */
static double after_threads(struct crowd *crowd, unsigned count)
{
    pthread_t threads[IDLE_THREADS], measuring;
    pthread_barrier_init(&crowd->reported, NULL, count + 1);
    pthread_barrier_init(&crowd->over, NULL, count + 1);
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, idle, crowd) != 0)
            bench_fail("no more threads", EAGAIN);
    pthread_barrier_wait(&crowd->reported);
    if (pthread_create(&measuring, NULL, begin_end, crowd) != 0)
        bench_fail("no more threads", EAGAIN);
    pthread_join(measuring, NULL);
    pthread_barrier_wait(&crowd->over);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crowd->reported);
    pthread_barrier_destroy(&crowd->over);
    return crowd->ns;
}

static void thirty_threads(void)
{
    trip_client *client = stage_client();
    struct crowd crowd = {.ok = stage_breaker(client, "ok")};
    double alone = 1e9, crowded = 1e9;
    for (unsigned round = 0; round < 20; round++) {
        const double one = after_threads(&crowd, 0), other = after_threads(&crowd, IDLE_THREADS);
        alone = one < alone ? one : alone;
        crowded = other < crowded ? other : crowded;
    }
    bench_report_ns("thirty_threads", crowded, "begin and end, no other thread", alone, "<= 1.05x", 1.05 * alone);
    trip_close(client);
}

/* --------------------------------------------------------------------------- processes that attach at the same time */

struct start {
    unsigned ready, done;
    int gate[2]; /* a pipe: when its write end closes, all readers wake up */
};

static void attach_one(struct start *start)
{
    trip_client *client;
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(start->gate[1]);
    __atomic_fetch_add(&start->ready, 1, __ATOMIC_SEQ_CST);
    (void)!read(start->gate[0], &byte, 1);
    if (trip_open(&client, NULL) < 0)
        _exit(1);
    while (trip_client_status(client) != TRIP_CLIENT_SHARED) {
        bench_nap_us(20000);
    }
    __atomic_fetch_add(&start->done, 1, __ATOMIC_SEQ_CST);
    pause();
}

/* Returns the milliseconds until all of them are shared. */
static double attach_all(unsigned count)
{
    static pid_t processes[PROCESSES_MAX];
    struct start *const start = mmap(NULL, sizeof(*start), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || pipe2(start->gate, O_CLOEXEC) < 0)
        bench_fail("no memory, or no pipe", errno);
    for (unsigned i = 0; i < count; i++) {
        processes[i] = fork();
        if (processes[i] < 0)
            bench_fail("cannot fork", errno);
        if (processes[i] == 0) {
            attach_one(start);
            _exit(0);
        }
    }
    while (__atomic_load_n(&start->ready, __ATOMIC_ACQUIRE) < count)
        bench_nap_us(1000);
    const uint64_t began_ns = monotonic_ns();
    close(start->gate[1]);
    while (__atomic_load_n(&start->done, __ATOMIC_ACQUIRE) < count &&
           monotonic_ns() - began_ns < ATTACH_MOST_S * UINT64_C(1000000000))
        bench_nap_us(500);
    const double ms = (double)(monotonic_ns() - began_ns) / 1e6;
    for (unsigned i = 0; i < count; i++)
        kill(processes[i], SIGKILL);
    for (unsigned i = 0; i < count; i++)
        waitpid(processes[i], NULL, 0);
    close(start->gate[0]);
    munmap(start, sizeof(*start));
    return ms;
}

static void report_attach(const char *path, unsigned count, const char *target, double limit_ms)
{
    struct bench_stage stage;
    stage_start(&stage, NULL);
    const double ms = attach_all(count);
    stage_stop(&stage);
    bench_report(&(struct bench_row){.path = path,
                                     .is_value = true,
                                     .measured = ms,
                                     .bound = "ms, all of them shared",
                                     .bound_measured = limit_ms,
                                     .target = target,
                                     .limit = limit_ms});
}

void bench_many(void)
{
    struct bench_stage stage;
    report_attach("attach_64", 64, "<= 60 ms", 60);
    report_attach("attach_1000", 1000, "<= 2,000 ms", 2000);
    stage_start(&stage, NULL);
    bench_pin(0);
    thousand_breakers();
    thirty_threads();
    stage_stop(&stage);
}
