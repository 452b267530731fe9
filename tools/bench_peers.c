/* Measures the same call by other means: begin and end through a mutex that processes share, and through Redis. Each
 * peer does no more than a breaker must: it looks at a state, counts the call in flight, and counts its outcome. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/policy.h"

#define TIMES       (5000 * (uint64_t)bench_effort)
#define PASSES      3
#define REDIS_TIMES (50 * (uint64_t)bench_effort)

static const char config[] = "breakers:\n"
                             "  - match: \"timed/*\"\n"
                             "    trip: {slow_rate: 100%}\n"
                             "  - match: \"*\"\n";

/* ---------------------------------------------------------------------------------------------------------- libtrip */

struct ours {
    trip_breaker *untimed, *timed;
};

static void *prepare_ours(unsigned round)
{
    static struct ours ours;
    (void)round;
    trip_client *client = stage_client();
    ours.untimed = stage_breaker(client, "ok");
    ours.timed = stage_breaker(client, "timed/ok");
    return &ours;
}

static void call_through(trip_breaker *breaker, uint64_t times)
{
    trip_call call;
    for (uint64_t i = 0; i < times; i++)
        if (trip_begin(breaker, &call) == TRIP_ALLOW)
            trip_end(&call, TRIP_OK);
}

static void begin_end_untimed(void *context, uint64_t times)
{
    call_through(((struct ours *)context)->untimed, times);
}

static void begin_end_timed(void *context, uint64_t times)
{
    call_through(((struct ours *)context)->timed, times);
}

/* ------------------------------------------------------------------------------ a robust mutex that processes share */

static struct by_mutex {
    pthread_mutex_t lock;
    uint64_t open, in_flight, ok, latency_ns;
} * by_mutex;

static void make_mutex(void)
{
    pthread_mutexattr_t attributes;
    by_mutex = mmap(NULL, sizeof(*by_mutex), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (by_mutex == MAP_FAILED)
        bench_fail("no memory to share", errno);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&by_mutex->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static bool mutex_begin(void)
{
    pthread_mutex_lock(&by_mutex->lock);
    const bool admitted = by_mutex->open == 0;
    by_mutex->in_flight += admitted;
    pthread_mutex_unlock(&by_mutex->lock);
    return admitted;
}

static void mutex_end(uint64_t ticks)
{
    pthread_mutex_lock(&by_mutex->lock);
    by_mutex->in_flight--;
    by_mutex->ok++;
    by_mutex->latency_ns += ticks;
    pthread_mutex_unlock(&by_mutex->lock);
}

static void mutex_untimed(void *context, uint64_t times)
{
    (void)context;
    for (uint64_t i = 0; i < times; i++)
        if (mutex_begin())
            mutex_end(0);
}

static void mutex_timed(void *context, uint64_t times)
{
    (void)context;
    for (uint64_t i = 0; i < times; i++) {
        const bool admitted = mutex_begin();
        const uint64_t start = bench_ticks();
        if (admitted)
            mutex_end(bench_ticks() - start);
    }
}

static void *prepare_nothing(unsigned round)
{
    (void)round;
    return NULL;
}

/* --------------------------------------------------- Redis over a Unix socket: one round trip to look, one to count */

static char redis_path[96];

static pid_t start_redis(const struct bench_stage *stage)
{
    snprintf(redis_path, sizeof(redis_path), "%s/redis.sock", stage->folder);
    const pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", redis_path, "--save", "", "--appendonly",
               "no", "--dir", stage->folder, NULL);
    _exit(127);
}

static int redis_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Waits until Redis answers. False: there is no redis-server, or it does not come up. */
static bool redis_is_up(pid_t pid)
{
    for (unsigned tries = 0; tries < 250 && waitpid(pid, NULL, WNOHANG) == 0; tries++) {
        const int fd = redis_connect();
        if (fd >= 0) {
            close(fd);
            return true;
        }
        bench_nap_us(20000);
    }
    return false;
}

/* Asks, and reads an answer of one line, or of two. */
static void redis_ask(int fd, const char *question, const char *answer_end)
{
    char answer[64];
    size_t length = 0;
    if (write(fd, question, strlen(question)) != (ssize_t)strlen(question))
        bench_fail("redis-server takes no question", errno);
    do {
        const ssize_t n = read(fd, answer + length, sizeof(answer) - 1 - length);
        if (n <= 0)
            bench_fail("redis-server gives no answer", errno);
        length += (size_t)n;
        answer[length] = '\0';
    } while (!strstr(answer, answer_end) && length < sizeof(answer) - 1);
}

static void *prepare_redis(unsigned round)
{
    static int fd;
    (void)round;
    fd = redis_connect();
    if (fd < 0)
        bench_fail(redis_path, errno);
    return &fd;
}

static void redis_call(void *context, uint64_t times)
{
    const int fd = *(const int *)context;
    for (uint64_t i = 0; i < times; i++) {
        redis_ask(fd, "*2\r\n$3\r\nGET\r\n$4\r\nopen\r\n", "\r\n");
        redis_ask(fd, "*2\r\n$4\r\nINCR\r\n$2\r\nok\r\n", "\r\n");
    }
}

/* ------------------------------------------------------------------------------------------------------------- rows */

static void least_of(bench_prepare_fn *prepare, bench_call_fn *call, uint64_t times, double *one, double *two)
{
    double one_now, two_now;
    bench_one_and_two(prepare, call, times, &one_now, &two_now);
    *one = one_now < *one ? one_now : *one;
    *two = two_now < *two ? two_now : *two;
}

static void beside(const char *path, bench_call_fn *ours, double clock_reads, const char *name,
                   bench_prepare_fn *prepare_peer, bench_call_fn *peer, uint64_t times)
{
    char row[64], bound[64];
    double one = 1e9, two = 1e9, peer_one = 1e9, peer_two = 1e9;
    for (unsigned pass = 0; pass < PASSES; pass++) { /* in turns, for the machine is not equally quiet all the time */
        least_of(prepare_peer, peer, times, &peer_one, &peer_two);
        least_of(prepare_ours, ours, TIMES, &one, &two);
    }
    snprintf(row, sizeof(row), "%s_beside_%s", path, name);
    snprintf(bound, sizeof(bound), "%s", name);
    bench_report_timed(row, one, clock_reads, bound, peer_one, "<= 1.5x", 1.5 * peer_one);
    snprintf(row, sizeof(row), "%s_beside_%s_two", path, name);
    snprintf(bound, sizeof(bound), "%s, two processes", name);
    bench_report_timed(row, two, clock_reads, bound, peer_two, "<= 1x", peer_two);
}

void bench_peers(void)
{
    struct bench_stage stage;
    stage_start(&stage, config);
    make_mutex();
    beside("untimed", begin_end_untimed, 2.0 / SAMPLED_ONE_IN, "mutex", prepare_nothing, mutex_untimed, TIMES);
    beside("timed", begin_end_timed, 2, "mutex", prepare_nothing, mutex_timed, TIMES);
    munmap(by_mutex, sizeof(*by_mutex));
    const pid_t redis = start_redis(&stage);
    if (redis > 0 && redis_is_up(redis)) {
        beside("untimed", begin_end_untimed, 2.0 / SAMPLED_ONE_IN, "redis", prepare_redis, redis_call, REDIS_TIMES);
        kill(redis, SIGTERM);
        waitpid(redis, NULL, 0);
        unlink(redis_path);
    }
    stage_stop(&stage);
}
