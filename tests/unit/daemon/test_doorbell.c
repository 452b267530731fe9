/* The doorbell between a loop that sleeps and those who ring, as threads and as processes on one mapping; and a word
 * that is written by someone hostile. Over each way to wait: io_uring's futex wait, and the helper thread under both
 * backends. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/refuse.h"
#include "internal/doorbell.h"
#include "internal/ticks.h"
#include "internal/waiters.h"
#include "loop/backend.h"

#define MS        UINT64_C(1000000)
#define LATE_NS   (60000 * MS)
#define GUARD_NS  (300000 * MS)
#define WINDOW_NS (150 * MS)
#define RINGERS   4
#define EVENTS    1000

enum kind { FUTEX_WAIT_OF_URING, THREAD_UNDER_URING, THREAD_UNDER_EPOLL };

struct ringer {
    uint64_t published; /* by the ringer */
    uint64_t rang;      /* rings that woke a sleeper; written at the end */
    uint64_t lost;      /* 1: an event was not seen in time */
    bool done;
    uint64_t seen __attribute__((aligned(64))); /* by the loop */
} __attribute__((aligned(64)));

/* Memory of ringers and loop: a mapping of its own, like the commons. */
struct shared {
    uint32_t word;
    uint32_t elsewhere; /* where a thief moves the waiter */
    bool begin, stolen, healed, stop;
    struct ringer ringers[RINGERS];
};

struct rig {
    struct loop *loop;
    struct loop_backend_ops ops; /* THREAD_UNDER_URING: io_uring's without its futex wait */
    struct loop_timer *guard, *heartbeat;
    struct shared *shared;
    uint64_t consumed[RINGERS];
    unsigned expected; /* ringers that will be done */
    uint64_t rungs;
    uint64_t met_looking, met_falling_asleep; /* events that came while the loop went to sleep */
    uint64_t random;
    unsigned heartbeats, asked, windows;
    bool late;
};

static void guard_due(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct rig *rig = context;
    rig->late = true;
    loop_stop(rig->loop);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void spin(uint64_t turns)
{
    for (; turns > 0; turns--)
        __asm__ volatile("");
}

/* Mostly a few turns; at times, lets whoever else is to run on this processor run. */
static void linger(uint64_t *random)
{
    if (next_random(random) % 16 == 0)
        sched_yield();
    else
        spin(next_random(random) % 4096);
}

/* Lingers where a ring is easily lost, before and after looking, and counts the rings that came just then. */
static bool pending(void *context)
{
    struct rig *rig = context;
    const bool asleep = __atomic_load_n(&rig->shared->word, __ATOMIC_RELAXED) == DOORBELL_ASLEEP;
    bool some = false;
    if (asleep)
        linger(&rig->random);
    for (unsigned i = 0; i < rig->expected; i++)
        some |= __atomic_load_n(&rig->shared->ringers[i].published, __ATOMIC_ACQUIRE) != rig->consumed[i];
    if (asleep && !some)
        linger(&rig->random);
    const bool still = __atomic_load_n(&rig->shared->word, __ATOMIC_RELAXED) == DOORBELL_ASLEEP;
    rig->met_looking += asleep && some;
    rig->met_falling_asleep += asleep && !some && !still;
    return some;
}

static void rung(void *context)
{
    struct rig *rig = context;
    unsigned done = 0;
    rig->rungs++;
    for (unsigned i = 0; i < rig->expected; i++) {
        struct ringer *ringer = &rig->shared->ringers[i];
        rig->consumed[i] = __atomic_load_n(&ringer->published, __ATOMIC_ACQUIRE);
        __atomic_store_n(&ringer->seen, rig->consumed[i], __ATOMIC_RELEASE);
        done += __atomic_load_n(&ringer->done, __ATOMIC_ACQUIRE);
    }
    if (rig->expected > 0 && done == rig->expected)
        loop_stop(rig->loop);
}

static int open_kind(struct rig *rig, enum kind kind)
{
    const char *why = NULL;
    const int error = loop_new(&rig->loop, kind == THREAD_UNDER_EPOLL ? LOOP_EPOLL : LOOP_URING, &why);
    if (error < 0)
        return error;
    if (kind == FUTEX_WAIT_OF_URING && !rig->loop->ops->doorbell_wait) {
        rig->loop = loop_free(rig->loop);
        return -ENOSYS;
    }
    if (kind == THREAD_UNDER_URING) {
        rig->ops = *rig->loop->ops;
        rig->ops.doorbell_wait = NULL;
        rig->loop->ops = &rig->ops;
    }
    return 0;
}

static int rig_try(struct rig *rig, enum kind kind, unsigned ringers)
{
    memset(rig, 0, sizeof(*rig));
    int error = open_kind(rig, kind);
    if (error < 0)
        return error;
    rig->expected = ringers;
    rig->random = 362436069;
    rig->shared = mmap(NULL, sizeof(*rig->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (rig->shared == MAP_FAILED)
        return -ENOMEM;
    error = loop_timer_new(rig->loop, guard_due, rig, &rig->guard);
    if (error < 0)
        return error;
    loop_timer_arm(rig->guard, monotonic_ns() + GUARD_NS);
    return loop_doorbell(rig->loop, &rig->shared->word, pending, rung, rig);
}

static void rig_open(struct rig *rig, void **state, unsigned ringers)
{
    const enum kind kind = **(const enum kind **)state;
    const int error = rig_try(rig, kind, ringers);
    if (kind != THREAD_UNDER_EPOLL && (error == -EPERM || error == -ENOSYS || error == -EINVAL)) {
        print_message("io_uring, or its futex wait, is not to be had here: %s\n", strerror(-error));
        skip();
    }
    assert_int_equal(error, 0);
}

static void rig_close(struct rig *rig)
{
    loop_timer_free(rig->guard);
    loop_timer_free(rig->heartbeat);
    loop_free(rig->loop);
    munmap(rig->shared, sizeof(*rig->shared));
}

static void pause_for(uint64_t ns)
{
    const struct timespec pause = {.tv_nsec = (long)ns};
    nanosleep(&pause, NULL);
}

static void wait_for_flag(const bool *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        pause_for(100000);
}

/* ------------------------------------------------------------------------------------------------- ringers */

/* Returns false if the loop has not seen all that was published after this long. */
static bool await_seen(const struct ringer *ringer, uint64_t ns)
{
    const uint64_t until = monotonic_ns() + ns;
    while (__atomic_load_n(&ringer->seen, __ATOMIC_ACQUIRE) != ringer->published) {
        if (monotonic_ns() > until)
            return false;
        sched_yield();
    }
    return true;
}

/* hesitation: turns between publishing and ringing, where the loop may fall asleep. */
static bool publish(struct shared *shared, struct ringer *ringer, uint64_t hesitation)
{
    __atomic_store_n(&ringer->published, ringer->published + 1, __ATOMIC_RELEASE);
    spin(hesitation);
    return doorbell_ring(&shared->word);
}

/* The last word of a ringer: it is done. */
static void finish(struct shared *shared, struct ringer *ringer)
{
    __atomic_store_n(&ringer->done, true, __ATOMIC_RELEASE);
    publish(shared, ringer, 0);
}

/* Rings once for each event, and does not go on before it was seen: nobody else's ring can make up for a lost one for
 * long. The pauses between let the loop be anywhere between awake and asleep. */
static void ring_all(struct shared *shared, struct ringer *ringer, uint64_t seed)
{
    uint64_t rang = 0;
    bool seen = true;
    wait_for_flag(&shared->begin);
    for (unsigned i = 0; i < EVENTS && seen; i++) {
        rang += publish(shared, ringer, i % 2 == 0 ? 0 : next_random(&seed) % 16384);
        seen = await_seen(ringer, LATE_NS);
        spin(next_random(&seed) % 4096);
    }
    ringer->rang = rang;
    ringer->lost = !seen;
    finish(shared, ringer);
}

struct ringing {
    struct shared *shared;
    unsigned number;
};

static void *ring_in_thread(void *argument)
{
    const struct ringing *ringing = argument;
    ring_all(ringing->shared, &ringing->shared->ringers[ringing->number], 88172645463325252 + ringing->number);
    return NULL;
}

static void run_ringers(struct rig *rig)
{
    const uint64_t before = loop_wakeups(rig->loop);
    __atomic_store_n(&rig->shared->begin, true, __ATOMIC_RELEASE);
    assert_int_equal(loop_run(rig->loop), 0);
    assert_false(rig->late);
    assert_true(loop_wakeups(rig->loop) - before > 0);
}

static void assert_overlapped(const struct rig *rig)
{
    uint64_t rang = 0;
    for (unsigned i = 0; i < RINGERS; i++) {
        assert_int_equal(rig->shared->ringers[i].lost, 0);
        assert_int_equal(rig->shared->ringers[i].published, EVENTS + 1);
        rang += rig->shared->ringers[i].rang;
    }
    print_message("%llu rings woke the loop; it met %llu events while it looked, %llu while it fell asleep\n",
                  (unsigned long long)rang, (unsigned long long)rig->met_looking,
                  (unsigned long long)rig->met_falling_asleep);
    assert_true(rang > 0);
    assert_true(rig->met_looking + rig->met_falling_asleep > 0);
}

static void test_every_event_of_four_threads_is_seen(void **state)
{
    struct rig rig;
    rig_open(&rig, state, RINGERS);
    pthread_t threads[RINGERS];
    struct ringing ringing[RINGERS];
    for (unsigned i = 0; i < RINGERS; i++) {
        ringing[i] = (struct ringing){.shared = rig.shared, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ring_in_thread, &ringing[i]), 0);
    }
    run_ringers(&rig);
    for (unsigned i = 0; i < RINGERS; i++)
        pthread_join(threads[i], NULL);
    assert_overlapped(&rig);
    rig_close(&rig);
}

static void test_every_event_of_four_processes_is_seen(void **state)
{
    struct rig rig;
    rig_open(&rig, state, RINGERS);
    pid_t children[RINGERS];
    for (unsigned i = 0; i < RINGERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            ring_all(rig.shared, &rig.shared->ringers[i], 88172645463325252 + i);
            _exit(0);
        }
    }
    run_ringers(&rig);
    for (unsigned i = 0; i < RINGERS; i++)
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
    assert_overlapped(&rig);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- a hostile word */

static void *scribble(void *argument)
{
    struct shared *shared = argument;
    uint64_t random = 2463534242;
    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
        __atomic_store_n(&shared->word, (uint32_t)(next_random(&random) % 4), __ATOMIC_RELAXED);
        doorbell_wake(&shared->word);
    }
    return NULL;
}

static void *ring_for_nothing(void *argument)
{
    struct shared *shared = argument;
    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED))
        doorbell_ring(&shared->word);
    return NULL;
}

static void *wake_for_nothing(void *argument)
{
    struct shared *shared = argument;
    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED))
        doorbell_wake(&shared->word);
    return NULL;
}

/* Once more where the machine had no time for the attacker. */
static void window_due(void *context, struct loop_timer *timer)
{
    struct rig *rig = context;
    rig->windows++;
    if (rig->rungs >= 3)
        loop_stop(rig->loop);
    else
        loop_timer_arm(timer, monotonic_ns() + WINDOW_NS);
}

static void *ring_once(void *argument)
{
    struct shared *shared = argument;
    struct ringer *ringer = &shared->ringers[0];
    publish(shared, ringer, 0);
    ringer->lost = !await_seen(ringer, LATE_NS);
    finish(shared, ringer);
    return NULL;
}

/* For 150 ms an attacker rings while nothing is pending. It rings a million times; the loop looks some 20 times at
 * most, rests included, or once more and as often as the attacker rang if it hardly came to ring. An event that is
 * published meanwhile is seen at the end of a rest. */
static void assert_attack_is_bounded(void **state, void *(*attack)(void *))
{
    struct rig rig;
    rig_open(&rig, state, 1);
    pthread_t attacker, honest;
    struct loop_timer *timer;
    assert_int_equal(loop_timer_new(rig.loop, window_due, &rig, &timer), 0);
    loop_timer_arm(timer, monotonic_ns() + WINDOW_NS);
    assert_int_equal(pthread_create(&attacker, NULL, attack, rig.shared), 0);
    const uint64_t before = loop_wakeups(rig.loop);
    assert_int_equal(loop_run(rig.loop), 0);
    assert_false(rig.late);
    assert_true(rig.rungs >= 3); /* the attack arrived */
    assert_true(loop_wakeups(rig.loop) - before < 30 * rig.windows);

    assert_int_equal(pthread_create(&honest, NULL, ring_once, rig.shared), 0);
    assert_int_equal(loop_run(rig.loop), 0);
    assert_false(rig.late);
    pthread_join(honest, NULL);
    assert_int_equal(rig.shared->ringers[0].lost, 0);
    __atomic_store_n(&rig.shared->stop, true, __ATOMIC_RELAXED);
    pthread_join(attacker, NULL);
    loop_timer_free(timer);
    rig_close(&rig);
}

static void test_random_values_do_not_keep_the_loop_awake(void **state)
{
    assert_attack_is_bounded(state, scribble);
}

static void test_ringing_for_nothing_does_not_keep_the_loop_awake(void **state)
{
    assert_attack_is_bounded(state, ring_for_nothing);
}

static void test_waking_for_nothing_does_not_keep_the_loop_awake(void **state)
{
    assert_attack_is_bounded(state, wake_for_nothing);
}

/* Moves whoever waits on the word to another one: true if there was someone. */
static bool move_waiter(struct shared *shared)
{
    return syscall(SYS_futex, &shared->word, FUTEX_REQUEUE, 0, INT_MAX, &shared->elsewhere, 0) > 0;
}

/* Moves nobody: counts who waits. */
static long waiters_of(uint32_t *word)
{
    return syscall(SYS_futex, word, FUTEX_REQUEUE, 0, INT_MAX, word, 0);
}

/* Steals the waiter, and looks whether it waits on the word again once the loop's heartbeat has taken it back. */
static void *steal(void *argument)
{
    struct shared *shared = argument;
    struct ringer *ringer = &shared->ringers[0];
    const uint64_t until = monotonic_ns() + 2 * LATE_NS;
    while (!move_waiter(shared) && monotonic_ns() < until)
        pause_for(100000);
    __atomic_store_n(&shared->stolen, true, __ATOMIC_RELEASE);
    wait_for_flag(&shared->healed);
    while (waiters_of(&shared->word) == 0 && monotonic_ns() < until)
        pause_for(100000);
    ringer->rang += waiters_of(&shared->word) != 0;
    finish(shared, ringer);
    return NULL;
}

static void heartbeat_due(void *context, struct loop_timer *timer)
{
    struct rig *rig = context;
    if (!__atomic_load_n(&rig->shared->stolen, __ATOMIC_ACQUIRE)) {
        loop_timer_arm(timer, monotonic_ns() + 100 * MS);
        return;
    }
    rig->heartbeats++;
    loop_doorbell_rearm(rig->loop);
    __atomic_store_n(&rig->shared->healed, true, __ATOMIC_RELEASE);
}

static void test_a_stolen_waiter_is_back_at_the_next_heartbeat(void **state)
{
    struct rig rig;
    rig_open(&rig, state, 1);
    assert_int_equal(loop_timer_new(rig.loop, heartbeat_due, &rig, &rig.heartbeat), 0);
    loop_timer_arm(rig.heartbeat, monotonic_ns() + 100 * MS);
    pthread_t thief;
    assert_int_equal(pthread_create(&thief, NULL, steal, rig.shared), 0);
    assert_int_equal(loop_run(rig.loop), 0);
    assert_false(rig.late);
    pthread_join(thief, NULL);
    assert_int_equal(rig.heartbeats, 1);
    assert_int_equal(rig.shared->ringers[0].rang, 1);
    assert_int_equal(rig.shared->ringers[0].lost, 0);
    rig_close(&rig);
}

/* Steals the waiter once and for all: from then on no ring is heard. The loop's heartbeat, which is the only one, finds
 * the first of them; all others the loop finds by itself. */
static void *steal_for_good(void *argument)
{
    struct shared *shared = argument;
    struct ringer *ringer = &shared->ringers[0];
    const uint64_t until = monotonic_ns() + LATE_NS;
    while (!move_waiter(shared) && monotonic_ns() < until)
        pause_for(100000);
    while (!publish(shared, ringer, 0) && monotonic_ns() < until) /* it was awake just now */
        pause_for(MS);
    __atomic_store_n(&shared->stolen, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 20 && !ringer->lost; i++) {
        ringer->lost = !await_seen(ringer, LATE_NS);
        pause_for(i * MS);
        move_waiter(shared);
        publish(shared, ringer, 0);
    }
    ringer->lost |= !await_seen(ringer, LATE_NS);
    finish(shared, ringer);
    return NULL;
}

static void only_heartbeat_due(void *context, struct loop_timer *timer)
{
    struct rig *rig = context;
    if (__atomic_load_n(&rig->shared->stolen, __ATOMIC_ACQUIRE))
        rig->heartbeats++;
    else
        loop_timer_arm(timer, monotonic_ns() + 100 * MS);
}

static void test_after_a_ring_that_was_not_heard_the_loop_looks_by_itself(void **state)
{
    struct rig rig;
    rig_open(&rig, state, 1);
    assert_int_equal(loop_timer_new(rig.loop, only_heartbeat_due, &rig, &rig.heartbeat), 0);
    loop_timer_arm(rig.heartbeat, monotonic_ns() + 100 * MS);
    pthread_t thief;
    assert_int_equal(pthread_create(&thief, NULL, steal_for_good, rig.shared), 0);
    assert_int_equal(loop_run(rig.loop), 0);
    assert_false(rig.late);
    pthread_join(thief, NULL);
    assert_int_equal(rig.heartbeats, 1);
    assert_int_equal(rig.shared->ringers[0].lost, 0);
    rig_close(&rig);
}

#define STRANGERS 100

static void *wait_there(void *word)
{
    syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return NULL;
}

static void test_a_ring_wakes_64_waiters_at_most_and_the_next_ticket_wakes_the_others(void **state)
{
    (void)state;
    static struct limit_lines lines;
    pthread_t threads[STRANGERS];
    lines = (struct limit_lines){.waiting = 1};
    for (unsigned i = 0; i < STRANGERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_there, &lines.wakes), 0);
    for (unsigned tries = 0; waiters_of(&lines.wakes) < STRANGERS && tries < 60000; tries++)
        pause_for(MS);
    waiters_wake(&lines);
    assert_int_equal(lines.waiting, 1);
    assert_int_equal(waiters_of(&lines.wakes), STRANGERS - 64);
    waiters_wake(&lines);
    assert_int_equal(lines.waiting, 0);
    assert_int_equal(waiters_of(&lines.wakes), 0);
    for (unsigned i = 0; i < STRANGERS; i++)
        pthread_join(threads[i], NULL);
}

static void again_due(void *context, struct loop_timer *timer)
{
    struct rig *rig = context;
    loop_doorbell_rearm(rig->loop);
    if (++rig->heartbeats == 20)
        loop_stop(rig->loop);
    else
        loop_timer_arm(timer, monotonic_ns() + 5 * MS);
}

static void test_a_heartbeat_that_arms_anew_wakes_the_loop_once(void **state)
{
    struct rig rig;
    rig_open(&rig, state, 0);
    assert_int_equal(loop_timer_new(rig.loop, again_due, &rig, &rig.heartbeat), 0);
    loop_timer_arm(rig.heartbeat, monotonic_ns() + 5 * MS);
    const uint64_t before = loop_wakeups(rig.loop);
    assert_int_equal(loop_run(rig.loop), 0);
    assert_true(loop_wakeups(rig.loop) - before <= 22);
    assert_int_equal(rig.rungs, 0);
    rig_close(&rig);
}

/* Says yes and no by turns; at each no, arms the only timer there is. */
static bool pending_by_turns(void *context)
{
    struct rig *rig = context;
    if (rig->asked++ % 2 == 0)
        return true;
    loop_timer_arm(rig->heartbeat, monotonic_ns() + 100000);
    return false;
}

static void ignore_rung(void *context)
{
    (void)context;
}

static void tenth_due(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct rig *rig = context;
    if (++rig->heartbeats == 10)
        loop_stop(rig->loop);
}

/* Yes before a sleep, and no when the loop asks again, is not a ring for nothing: a timer was armed, or someone else
 * has seen to it. */
static void test_pending_arms_a_timer_and_its_yes_is_never_empty(void **state)
{
    struct rig rig;
    rig_open(&rig, state, 0);
    rig.loop->doorbell.pending = pending_by_turns;
    rig.loop->doorbell.rung = ignore_rung;
    assert_int_equal(loop_timer_new(rig.loop, tenth_due, &rig, &rig.heartbeat), 0);
    assert_int_equal(loop_run(rig.loop), 0);
    assert_false(rig.late);
    assert_int_equal(rig.loop->doorbell.empty, 0);
    assert_int_equal(rig.loop->doorbell.rest_until_ns, 0);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- refusals */

/* Rings in a child whose kernel has no futex_waitv. Exit status: 0, or the step that failed. */
static int ring_without_waitv(void)
{
    struct rig rig;
    pthread_t honest;
    if (refuse_syscall(SYS_futex_waitv, ENOSYS) < 0 || rig_try(&rig, THREAD_UNDER_EPOLL, 1) < 0)
        return 1;
    if (pthread_create(&honest, NULL, ring_once, rig.shared) != 0)
        return 2;
    if (loop_run(rig.loop) < 0 || rig.late)
        return 3;
    pthread_join(honest, NULL);
    const bool lost = rig.shared->ringers[0].lost;
    rig_close(&rig);
    return lost ? 4 : 0;
}

static void test_a_kernel_without_futex_waitv_rings_too(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0)
        _exit(ring_without_waitv());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static const enum kind futex_wait = FUTEX_WAIT_OF_URING, under_uring = THREAD_UNDER_URING,
                       under_epoll = THREAD_UNDER_EPOLL;

#define OVER(test, kind, name)                                 \
    {                                                          \
#test name, test, NULL, NULL, (void *)(uintptr_t)&kind \
    }
#define OVER_ALL(test)                                                                                  \
    OVER(test, futex_wait, " (io_uring's futex wait)"), OVER(test, under_uring, " (thread, io_uring)"), \
        OVER(test, under_epoll, " (thread, epoll)")

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_ALL(test_every_event_of_four_threads_is_seen),
        OVER_ALL(test_every_event_of_four_processes_is_seen),
        OVER_ALL(test_random_values_do_not_keep_the_loop_awake),
        OVER_ALL(test_ringing_for_nothing_does_not_keep_the_loop_awake),
        OVER_ALL(test_waking_for_nothing_does_not_keep_the_loop_awake),
        OVER_ALL(test_a_stolen_waiter_is_back_at_the_next_heartbeat),
        OVER_ALL(test_after_a_ring_that_was_not_heard_the_loop_looks_by_itself),
        OVER_ALL(test_a_heartbeat_that_arms_anew_wakes_the_loop_once),
        OVER_ALL(test_pending_arms_a_timer_and_its_yes_is_never_empty),
        cmocka_unit_test(test_a_ring_wakes_64_waiters_at_most_and_the_next_ticket_wakes_the_others),
        cmocka_unit_test(test_a_kernel_without_futex_waitv_rings_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
