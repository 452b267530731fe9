/* Many clients under load, while clients, tripd's worker, its keeper, and both are killed with -9 at random instants,
 * stopped and continued, and forked. Afterwards
 *   - the counts agree exactly with what each client noted in memory of the test's own,
 *   - every permit is back within 1 s,
 *   - nobody spent more than 1 ms of its thread's CPU time in one call of libtrip. The kernel charges a thread for the
 *     interrupts that it happens to run under, now and then for more than that: after each call a loop that does
 *     nothing runs three times as long and is measured alike, and only what it does not show too is libtrip's.
 *
 *   torture clients|worker|keeper|both [--seed N] [--seconds N]
 *
 * A client is killed between an outcome and its note at will: it notes before and after, so that the count may lie
 * anywhere between, and nowhere else. Where the keeper dies, clients are stopped but not killed: a lane whose client
 * and keeper are both gone is nobody's.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "instance.h"
#include "storm.h"
#include "trip.h"

#define CLIENTS   10
#define LIVES_MAX 8192 /* processes in all: clients, those started in their place, and forked ones */
#define BREAKERS  4    /* calm/0, calm/1: never move; wild/0, wild/1: move all the time */
#define PERMITS   4

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CALL_CPU_MAX_NS UINT64_C(20000000)
#else
#define CALL_CPU_MAX_NS UINT64_C(1000000)
#endif
#define IDLE_TIMES      3 /* the idle loop's length, in those of the call before it */
#define IDLE_MAX_NS     20000
#define OVERRUNS_BEYOND 4 /* calls that may take too long, beyond as many idle loops */

static const char config[] = "breakers:\n"
                             "  - match: \"calm/*\"\n"
                             "    trip: {consecutive_failures: 0, failure_rate: 0%}\n"
                             "  - match: \"*\"\n"
                             "    trip: {consecutive_failures: 5, failure_rate: 50%}\n"
                             "    open: {for: 30ms, multiplier: 1.0, max: 30ms}\n"
                             "    half_open: {permits: 4, successes: 6, max_wait: 10s}\n";
static const char *const names[BREAKERS] = {"calm/0", "calm/1", "wild/0", "wild/1"};

enum noted { NOTED_OK, NOTED_FAILURE, NOTED_TIMEOUT, NOTED_IGNORED, NOTED_CANCELLED, NOTED_DENIED, NOTED_COUNT };

/* One process. `before` is what it was about to report, `after` what it had reported: they differ by one at most. */
struct life {
    uint64_t before[BREAKERS][NOTED_COUNT], after[BREAKERS][NOTED_COUNT];
    uint64_t cpu_max_ns;
    const char *cpu_max_in; /* a literal: the same address in every process of the test */
    unsigned call_overruns, idle_overruns;
};

struct arena {
    unsigned lives, stop, holding;
    uint64_t forks;
    struct life life[LIVES_MAX];
};

static struct arena *arena;

static uint64_t thread_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* CPU time of a loop that does nothing until the wall clock has moved on by `ns`. */
static uint64_t idle_cpu_ns(uint64_t ns)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t start = thread_cpu_ns(),
                   until = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec + ns;
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec < until);
    return thread_cpu_ns() - start;
}

static void note_cpu(struct life *life, uint64_t start, const char *in)
{
    const uint64_t spent = thread_cpu_ns() - start;
    if (spent > life->cpu_max_ns) {
        life->cpu_max_ns = spent;
        life->cpu_max_in = in;
    }
    life->call_overruns += spent > CALL_CPU_MAX_NS;
    const uint64_t idle = IDLE_TIMES * spent;
    life->idle_overruns += idle_cpu_ns(idle < IDLE_MAX_NS ? idle : IDLE_MAX_NS) > CALL_CPU_MAX_NS;
}

static enum noted noted_as(trip_outcome outcome)
{
    static const enum noted as[TRIP_OUTCOME_COUNT] = {[TRIP_OK] = NOTED_OK,
                                                      [TRIP_FAILURE] = NOTED_FAILURE,
                                                      [TRIP_TIMEOUT] = NOTED_TIMEOUT,
                                                      [TRIP_IGNORED] = NOTED_IGNORED,
                                                      [TRIP_CANCELLED] = NOTED_CANCELLED};
    return as[outcome];
}

/* --------------------------------------------------------------------------------------------------------- a client */

static void call_once(struct life *life, trip_breaker *breaker, unsigned number, trip_outcome outcome)
{
    trip_call call;
    uint64_t *before = life->before[number], *after = life->after[number];
    /* A denial is counted within begin: until the verdict is known both are possible. */
    before[NOTED_DENIED]++;
    uint64_t start = thread_cpu_ns();
    const trip_verdict verdict = trip_begin(breaker, &call);
    note_cpu(life, start, "trip_begin");
    if (!trip_admitted(verdict)) {
        after[NOTED_DENIED]++;
        return;
    }
    before[NOTED_DENIED]--;
    before[noted_as(outcome)]++;
    start = thread_cpu_ns();
    trip_end(&call, outcome);
    note_cpu(life, start, "trip_end");
    after[noted_as(outcome)]++;
}

static void record_once(struct life *life, trip_breaker *breaker, unsigned number, trip_outcome outcome)
{
    uint64_t start = thread_cpu_ns();
    const trip_verdict verdict = trip_allow(breaker);
    note_cpu(life, start, "trip_allow");
    if (!trip_admitted(verdict))
        return;
    life->before[number][noted_as(outcome)]++;
    start = thread_cpu_ns();
    trip_record(breaker, outcome, 0);
    note_cpu(life, start, "trip_record");
    life->after[number][noted_as(outcome)]++;
}

static trip_outcome some_outcome(uint64_t random)
{
    switch (random % 16) {
    case 0:
        return TRIP_IGNORED;
    case 1:
        return TRIP_CANCELLED;
    case 2:
        return TRIP_TIMEOUT;
    case 3:
    case 4:
    case 5:
        return TRIP_FAILURE;
    default:
        return TRIP_OK;
    }
}

static struct life *new_life(void)
{
    const unsigned number = __atomic_fetch_add(&arena->lives, 1, __ATOMIC_RELAXED);
    return number < LIVES_MAX ? &arena->life[number] : NULL;
}

/* Calls until told to stop, or `calls` times. */
static void load(struct life *life, trip_breaker *breakers[BREAKERS], uint64_t random, uint64_t calls)
{
    for (uint64_t i = 0; i < calls && !__atomic_load_n(&arena->stop, __ATOMIC_RELAXED); i++) {
        const uint64_t dice = next_random(&random);
        const unsigned number = (unsigned)(dice >> 8) % BREAKERS;
        if (dice & 1)
            call_once(life, breakers[number], number, some_outcome(dice >> 16));
        else
            record_once(life, breakers[number], number, some_outcome(dice >> 16));
        if ((dice >> 32) % 64 == 0)
            nap_us(200);
    }
}

/* Attached to the tripd of now: what was counted is, or will be, drained. */
static bool settle(trip_client *client, trip_breaker *breakers[BREAKERS])
{
    for (unsigned tries = 0; tries < 3000; tries++) {
        if (all_shared(breakers, BREAKERS) && trip_client_status(client) == TRIP_CLIENT_SHARED)
            return true;
        nap_us(20000);
    }
    return false;
}

static void fork_a_child(trip_client *client, trip_breaker *breakers[BREAKERS], uint64_t random)
{
    const pid_t pid = fork();
    if (pid != 0)
        return;
    struct life *life = new_life();
    if (!life || !settle(client, breakers))
        _exit(0); /* reports nothing: what it says would be counted nowhere */
    __atomic_add_fetch(&arena->forks, 1, __ATOMIC_RELAXED);
    load(life, breakers, random, 2000);
    _exit(settle(client, breakers) ? 0 : 3);
}

static _Noreturn void live(uint64_t random, bool forks)
{
    trip_client *client;
    trip_breaker *breakers[BREAKERS];
    struct life *life = new_life();
    signal(SIGCHLD, SIG_IGN);
    if (!life || trip_open(&client, NULL) < 0)
        _exit(2);
    for (unsigned i = 0; i < BREAKERS; i++)
        if (trip_breaker_get(client, names[i], &breakers[i]) < 0)
            _exit(2);
    if (!settle(client, breakers))
        _exit(3);
    while (!__atomic_load_n(&arena->stop, __ATOMIC_RELAXED)) {
        load(life, breakers, next_random(&random), 3000);
        if (forks && next_random(&random) % 4 == 0)
            fork_a_child(client, breakers, next_random(&random));
    }
    if (!settle(client, breakers))
        _exit(3);
    trip_close(client);
    _exit(0);
}

/* -------------------------------------------------------------------------------------------------------- the storm */

enum target { TARGET_CLIENTS, TARGET_WORKER, TARGET_KEEPER, TARGET_BOTH };

struct storm {
    struct instance instance;
    enum target target;
    uint64_t random;
    pid_t clients[CLIENTS];
    unsigned client_kills, tripd_kills, stops;
    bool failed;
};

static void start_client(struct storm *storm, unsigned number)
{
    const uint64_t random = next_random(&storm->random) | 1;
    storm->clients[number] = child_fork();
    if (storm->clients[number] == 0)
        live(random, storm->target != TARGET_KEEPER && storm->target != TARGET_BOTH);
}

static void kill_client(struct storm *storm, unsigned number)
{
    kill(storm->clients[number], SIGKILL);
    waitpid(storm->clients[number], NULL, 0);
    storm->client_kills++;
    start_client(storm, number);
}

static void stop_and_continue(struct storm *storm, unsigned number)
{
    kill(storm->clients[number], SIGSTOP);
    nap_us((unsigned)(next_random(&storm->random) % 30000));
    kill(storm->clients[number], SIGCONT);
    storm->stops++;
}

static void kill_tripd(struct storm *storm)
{
    const pid_t worker = instance_worker(&storm->instance);
    const bool both = storm->target == TARGET_BOTH;
    if ((storm->target == TARGET_WORKER || both) && worker)
        kill(worker, SIGKILL);
    if (storm->target == TARGET_KEEPER || both) {
        instance_kill_keeper(&storm->instance);
        nap_us((unsigned)(next_random(&storm->random) % 300000));
        instance_restart(&storm->instance);
    }
    storm->tripd_kills++;
}

static void storm_on(struct storm *storm, unsigned seconds)
{
    struct timespec start, now;
    uint64_t next_kill_ms = 300;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        const uint64_t ms =
            (uint64_t)(now.tv_sec - start.tv_sec) * 1000 + (uint64_t)((now.tv_nsec - start.tv_nsec) / 1000000);
        if (ms >= seconds * UINT64_C(1000))
            return;
        const unsigned number = (unsigned)(next_random(&storm->random) % CLIENTS);
        const bool may_kill = storm->target == TARGET_CLIENTS || storm->target == TARGET_WORKER;
        if (may_kill && next_random(&storm->random) % 2 == 0)
            kill_client(storm, number);
        else
            stop_and_continue(storm, number);
        if (storm->target != TARGET_CLIENTS && ms >= next_kill_ms) {
            kill_tripd(storm);
            next_kill_ms = ms + 200 + next_random(&storm->random) % 800;
        }
        nap_us((unsigned)(next_random(&storm->random) % 30000));
    }
}

static bool check(struct storm *storm, bool holds, const char *what)
{
    if (!holds) {
        printf("FAILED: %s\n", what);
        if (!storm->failed)
            instance_print_log(&storm->instance);
        storm->failed = true;
    }
    return holds;
}

static void wait_for_all(struct storm *storm)
{
    int status;
    pid_t pid;
    __atomic_store_n(&arena->stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pid = waitpid(storm->clients[i], &status, 0);
        check(storm, pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "a client ended by itself, attached to the tripd of now");
    }
    for (;;) { /* forked ones whose parent was killed are ours: PR_SET_CHILD_SUBREAPER */
        pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0 && arena->forks) {
            nap_us(10000);
            bool only_tripd = true;
            char path[64], line[4096] = "";
            snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
            FILE *file = fopen(path, "re");
            if (file && fgets(line, sizeof(line), file))
                only_tripd = strtol(line, NULL, 10) == storm->instance.keeper && !strchr(strchr(line, ' ') + 1, ' ');
            if (file)
                fclose(file);
            if (only_tripd)
                return;
        } else if (pid <= 0) {
            return;
        }
    }
}

/* ---------------------------------------------------------------------------------------- what must hold afterwards */

struct sums {
    uint64_t before[NOTED_COUNT], after[NOTED_COUNT];
};

static struct sums sum_up(unsigned breaker)
{
    struct sums sums = {0};
    const unsigned lives = arena->lives < LIVES_MAX ? arena->lives : LIVES_MAX;
    for (unsigned life = 0; life < lives; life++) {
        for (unsigned i = 0; i < NOTED_COUNT; i++) {
            sums.before[i] += arena->life[life].before[breaker][i];
            sums.after[i] += arena->life[life].after[breaker][i];
        }
    }
    return sums;
}

static uint64_t total(json_t *totals, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(totals, name));
}

static void check_between(struct storm *storm, const char *breaker, const char *what, uint64_t counted, uint64_t least,
                          uint64_t most)
{
    if (counted < least || counted > most) {
        printf("FAILED: %s: %s counted %llu, reported %llu to %llu\n", breaker, what, (unsigned long long)counted,
               (unsigned long long)least, (unsigned long long)most);
        storm->failed = true;
    }
}

static void check_counts(struct storm *storm, unsigned number)
{
    static const struct {
        const char *name;
        enum noted as;
    } exact[] = {{"ok", NOTED_OK},
                 {"timeouts", NOTED_TIMEOUT},
                 {"ignored", NOTED_IGNORED},
                 {"cancelled", NOTED_CANCELLED},
                 {"denied", NOTED_DENIED}};
    char arguments[64];
    snprintf(arguments, sizeof(arguments), "show %s", names[number]);
    json_t *shown = instance_ask(arguments), *totals = json_object_get(shown, "totals");
    const struct sums sums = sum_up(number);
    if (!check(storm, totals != NULL, "tripctl show answers"))
        return;
    uint64_t least = 0, most = 0;
    for (unsigned i = 0; i < NOTED_DENIED; i++) {
        least += sums.after[i];
        most += sums.before[i];
    }
    check_between(storm, names[number], "outcomes",
                  total(totals, "calls") + total(totals, "ignored") + total(totals, "cancelled") +
                      total(totals, "late"),
                  least, most);
    if (strncmp(names[number], "calm/", 5) != 0) { /* of a wild one, any outcome may have come late */
        check_between(storm, names[number], "denied", total(totals, "denied"), sums.after[NOTED_DENIED],
                      sums.before[NOTED_DENIED]);
    } else {
        for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
            check_between(storm, names[number], exact[i].name, total(totals, exact[i].name), sums.after[exact[i].as],
                          sums.before[exact[i].as]);
        check_between(storm, names[number], "failures", total(totals, "failures"),
                      sums.after[NOTED_FAILURE] + sums.after[NOTED_TIMEOUT],
                      sums.before[NOTED_FAILURE] + sums.before[NOTED_TIMEOUT]);
    }
    json_decref(shown);
}

static void check_cpu(struct storm *storm)
{
    const struct life *worst = &arena->life[0];
    unsigned calls = 0, idle = 0;
    for (unsigned life = 0; life < arena->lives && life < LIVES_MAX; life++) {
        if (arena->life[life].cpu_max_ns > worst->cpu_max_ns)
            worst = &arena->life[life];
        calls += arena->life[life].call_overruns;
        idle += arena->life[life].idle_overruns;
    }
    printf("most CPU time in one call: %.3f ms in %s; too long: %u calls, %u idle loops\n",
           (double)worst->cpu_max_ns / 1e6, worst->cpu_max_in ? worst->cpu_max_in : "none", calls, idle);
    check(storm, calls <= idle + OVERRUNS_BEYOND, "nobody spent more than 1 ms of CPU time in one call");
}

/* Takes a permit, says so, and waits for its end by SIGKILL. */
static _Noreturn void hold_a_permit(void)
{
    trip_client *client;
    trip_breaker *breaker;
    trip_call call;
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "wild/permits", &breaker) < 0)
        _exit(2);
    while (trip_begin(breaker, &call) != TRIP_PROBE)
        nap_us(1000);
    __atomic_add_fetch(&arena->holding, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static bool wait_free(trip_breaker *breaker, unsigned permits, unsigned ms)
{
    trip_info info;
    for (unsigned waited = 0; waited <= ms; waited += 5) {
        if (trip_breaker_info(breaker, &info) == 0 && info.state == TRIP_STATE_HALF_OPEN &&
            info.permits_free == permits)
            return true;
        nap_us(5000);
    }
    return false;
}

static void check_permits(struct storm *storm)
{
    trip_client *client;
    trip_breaker *breaker;
    pid_t holders[PERMITS];
    if (trip_open(&client, NULL) < 0 || trip_breaker_get(client, "wild/permits", &breaker) < 0) {
        check(storm, false, "a client opens after the storm");
        return;
    }
    for (unsigned i = 0; i < 5; i++)
        trip_record(breaker, TRIP_FAILURE, 0);
    check(storm, wait_free(breaker, PERMITS, 60000), "four permits are free once the breaker is half-open");
    for (unsigned i = 0; i < PERMITS; i++) {
        holders[i] = child_fork();
        if (holders[i] == 0)
            hold_a_permit();
    }
    for (unsigned tries = 0; tries < 12000 && __atomic_load_n(&arena->holding, __ATOMIC_ACQUIRE) < PERMITS; tries++)
        nap_us(5000);
    check(storm, __atomic_load_n(&arena->holding, __ATOMIC_ACQUIRE) == PERMITS, "four processes hold a permit each");
    check(storm, wait_free(breaker, 0, 60000), "no permit is free while four processes hold them");
    for (unsigned i = 0; i < PERMITS; i++) {
        kill(holders[i], SIGKILL);
        waitpid(holders[i], NULL, 0);
    }
    check(storm, wait_free(breaker, PERMITS, 5000),
          "every permit of killed holders is back before its lease of 10 s ends");
    trip_close(client);
}

static bool parse(int argc, char **argv, struct storm *storm, unsigned *seconds)
{
    static const char *const targets[] = {"clients", "worker", "keeper", "both"};
    if (!storm_options(argc, argv, &storm->random, seconds))
        return false;
    for (unsigned target = 0; target < 4; target++) {
        if (optind + 1 == argc && strcmp(argv[optind], targets[target]) == 0) {
            storm->target = (enum target)target;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct timespec now;
    unsigned seconds = 8;
    clock_gettime(CLOCK_REALTIME, &now);
    static struct storm storm;
    storm.random = (uint64_t)now.tv_nsec;
    if (!parse(argc, argv, &storm, &seconds)) {
        fprintf(stderr, "usage: torture clients|worker|keeper|both [--seed N] [--seconds N]\n");
        return 2;
    }
    printf("torture %s --seed %llu --seconds %u\n", argv[argc - 1], (unsigned long long)storm.random, seconds);
    fflush(stdout);
    storm.random |= 1;
    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    instance_start(&storm.instance, config);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* only now: what removes the folder is not ours */
    for (unsigned i = 0; i < CLIENTS; i++)
        start_client(&storm, i);
    storm_on(&storm, seconds);
    check(&storm, instance_wait_up(&storm.instance, 60000), "tripd is up after the storm");
    wait_for_all(&storm);
    for (unsigned i = 0; i < BREAKERS; i++)
        check_counts(&storm, i);
    check_cpu(&storm);
    check_permits(&storm);
    printf("%u clients killed, tripd killed %u times, %u stopped and continued, %llu forked, %u lives\n",
           storm.client_kills, storm.tripd_kills, storm.stops, (unsigned long long)arena->forks, arena->lives);
    check(&storm, storm.stops > 0, "there was a storm");
    check(&storm, storm.target == TARGET_CLIENTS || storm.tripd_kills > 0, "tripd was killed");
    check(&storm, storm.target > TARGET_WORKER || (storm.client_kills > 0 && arena->forks > 0),
          "clients were killed and forked");
    check(&storm, instance_stop(&storm.instance) == 0, "tripd stops with status 0");
    return storm.failed ? 1 : 0;
}
