/* The keeper: what it does when workers stop, fail, crash and are killed, and what the next one inherits. Keeper and
 * workers are processes of their own; workers tell in shared memory how they were born, and do as it says. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/child.h"
#include "internal/ticks.h"
#include "keeper.h"

#define BIRTHS_MAX 8
#define DEADLINE   (60000 * 1000)

enum deed {
    WAIT,       /* until it is told to stop */
    FAIL,       /* cannot start */
    CRASH,      /* started, then aborts */
    CRASH_LANE, /* likewise, while it drains lane 2 */
    HAND_OVER,  /* hands lane 2 over, then waits */
    HAND_OVER_BAD /* hands over one that does not fit, then waits */,
    DROP, /* drops lane 2, then waits */
    HANG, /* started, then hears of nothing but SIGKILL */
};

static struct script {
    enum deed deeds[BIRTHS_MAX]; /* of the first worker, the second, ... */
    int births;
    int ready; /* deeds done, in the way of births */
    struct {
        pid_t pid;
        uint64_t at;
        struct keeper_lane lane;  /* as inherited, number 2 */
        struct keeper_lane aside; /* the first that is set aside */
        char content;             /* of its memfd */
        int32_t kept;             /* the keeper's answer */
        int hangups;              /* SIGHUPs seen */
    } born[BIRTHS_MAX];
} * script;

static pid_t keeper;
static uint64_t look_ns = KEEPER_LOOK_NS;

/* ---------------------------------------------------------------------------------------------------- in the worker */

static int hand_over(const struct keeper_birth *birth, uint32_t number)
{
    const struct keeper_message keep = {
        .kind = KEEPER_KEEP, .number = number, .lane_id = 4711, .uid = 1000, .pid = getpid()};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    const int fds[2] = {memfd_create("lane", MFD_CLOEXEC), (int)syscall(SYS_pidfd_open, getpid(), 0)};
    struct iovec data = {.iov_base = (void *)&keep, .iov_len = sizeof(keep)};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    struct keeper_message answer;
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(head), fds, sizeof(fds));
    if (write(fds[0], "L", 1) != 1 || sendmsg(birth->socket, &message, 0) != sizeof(keep) ||
        recv(birth->socket, &answer, sizeof(answer), 0) != sizeof(answer) || answer.kind != KEEPER_KEPT ||
        answer.number != number || answer.lane_id != 4711)
        return -EPROTO;
    close(fds[0]);
    close(fds[1]);
    return answer.error;
}

static void tell(const struct keeper_birth *birth, enum keeper_kind kind, uint32_t number)
{
    const struct keeper_message message = {.kind = kind, .number = number};
    if (send(birth->socket, &message, sizeof(message), 0) != sizeof(message))
        _exit(9);
}

static int wait_for_stop(int me)
{
    for (;;) {
        sigset_t mask;
        int signal;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGHUP);
        if (sigwait(&mask, &signal) != 0 || signal == SIGTERM)
            return 0;
        /* Pairs with the acquire load in the test. */
        __atomic_add_fetch(&script->born[me].hangups, 1, __ATOMIC_RELEASE);
    }
}

static int work(void *context, const struct keeper_birth *birth)
{
    (void)context;
    const int me = script->births;
    script->born[me].pid = getpid();
    script->born[me].at = monotonic_ns();
    script->born[me].lane = birth->lanes[2];
    script->born[me].aside = birth->lanes[LANES_MAX + 1];
    if (birth->lanes[2].number != 0 && pread(birth->lanes[2].fd, &script->born[me].content, 1, 0) != 1)
        return 9;
    if (getppid() != birth->keeper || *birth->draining != 0)
        return 9;
    __atomic_store_n(&script->births, me + 1, __ATOMIC_RELEASE); /* pairs with the acquire load in the test */
    if (script->deeds[me] == FAIL)
        _exit(1);
    tell(birth, KEEPER_READY, 0);
    if (script->deeds[me] == HAND_OVER)
        script->born[me].kept = hand_over(birth, 2);
    if (script->deeds[me] == HAND_OVER_BAD)
        script->born[me].kept = hand_over(birth, LANES_MAX + 1);
    if (script->deeds[me] == DROP)
        tell(birth, KEEPER_DROP, 2);
    if (script->deeds[me] == CRASH_LANE)
        *birth->draining = 2;
    __atomic_store_n(&script->ready, me + 1, __ATOMIC_RELEASE); /* pairs with the acquire load in the test */
    while (script->deeds[me] == HANG)
        pause();
    if (script->deeds[me] == CRASH || script->deeds[me] == CRASH_LANE)
        abort();
    _exit(wait_for_stop(me));
}

/* ------------------------------------------------------------------------------------------------------ in the test */

static void start_with(struct notify_fd *inherited, size_t inherited_count)
{
    static const struct notify nobody = {.fd = -1};
    const struct keeper_options options = {.notify = &nobody,
                                           .inherited = inherited,
                                           .inherited_count = inherited_count,
                                           .work = work,
                                           .look_ns = look_ns};
    fflush(NULL);
    keeper = child_fork();
    if (keeper == 0) {
        /* its log is its own: only the exit status counts */
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        _exit(keeper_run(&options));
    }
    assert_true(keeper > 0);
}

static void start(void)
{
    start_with(NULL, 0);
}

/* Waits until *count is at least n. False: not before the deadline. */
static bool await(const int *count, int n)
{
    for (int i = 0; i < DEADLINE / 1000; i++) {
        if (__atomic_load_n(count, __ATOMIC_ACQUIRE) >= n) /* pairs with the worker's release stores */
            return true;
        usleep(1000);
    }
    return false;
}

static void await_ready(int n)
{
    assert_true(await(&script->ready, n));
}

/* Returns the keeper's exit status; -1: a signal ended it. */
static int ended(void)
{
    int status;
    assert_int_equal(waitpid(keeper, &status, 0), keeper);
    keeper = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int stopped(void)
{
    kill(keeper, SIGTERM);
    return ended();
}

static int set_up(void **state)
{
    (void)state;
    script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return script == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (keeper > 0) { /* a test failed on its way; the worker dies with its keeper */
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
        keeper = 0;
    }
    return munmap(script, sizeof(*script));
}

static void test_a_stop_is_passed_on_and_ends_cleanly(void **state)
{
    (void)state;
    start();
    await_ready(1);
    assert_int_equal(stopped(), 0);
    assert_int_equal(script->births, 1);
}

static void test_a_worker_that_cannot_start_at_first_ends_the_keeper(void **state)
{
    (void)state;
    script->deeds[0] = FAIL;
    start();
    assert_int_equal(ended(), 1);
    assert_int_equal(script->births, 1);
}

static void test_a_worker_that_fails_later_is_replaced(void **state)
{
    (void)state;
    script->deeds[1] = FAIL;
    start();
    await_ready(1);
    kill(script->born[0].pid, SIGKILL);
    await_ready(3);
    assert_int_equal(stopped(), 0);
    assert_int_equal(script->births, 3);
}

static void test_a_killed_worker_is_replaced_at_once(void **state)
{
    (void)state;
    start();
    await_ready(1);
    const uint64_t killed = monotonic_ns();
    kill(script->born[0].pid, SIGKILL);
    await_ready(2);
    assert_true(script->born[1].at - killed < UINT64_C(1000000000));
    assert_int_not_equal(script->born[1].pid, script->born[0].pid);
    assert_int_equal(stopped(), 0);
}

static void test_a_worker_that_does_not_move_is_replaced(void **state)
{
    (void)state;
    script->deeds[0] = HANG;
    look_ns = UINT64_C(10000000);
    start();
    look_ns = KEEPER_LOOK_NS;
    await_ready(2);
    assert_int_not_equal(script->born[1].pid, script->born[0].pid);
    assert_true(script->born[1].at - script->born[0].at >= KEEPER_LOOKS * UINT64_C(10000000));
    kill(keeper, SIGKILL); /* the next one moves as little */
    assert_int_equal(ended(), -1);
}

static void test_workers_that_crash_at_once_are_started_ever_later(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        script->deeds[i] = CRASH;
    start();
    await_ready(5);
    assert_true(script->born[2].at - script->born[1].at >= 50 * 1000000);
    assert_true(script->born[3].at - script->born[2].at >= 100 * 1000000);
    assert_true(script->born[4].at - script->born[3].at >= 200 * 1000000);
    assert_int_equal(stopped(), 0);
}

static void test_a_lane_is_acknowledged_and_inherited_until_it_is_dropped(void **state)
{
    (void)state;
    script->deeds[0] = HAND_OVER;
    script->deeds[1] = DROP;
    start();
    await_ready(1);
    assert_int_equal(script->born[0].kept, 0);
    assert_int_equal(script->born[0].lane.number, 0);
    kill(script->born[0].pid, SIGKILL);
    await_ready(2);
    assert_int_equal(script->born[1].lane.number, 2);
    assert_int_equal(script->born[1].lane.lane_id, 4711);
    assert_int_equal(script->born[1].lane.uid, 1000);
    assert_int_equal(script->born[1].lane.pid, script->born[0].pid);
    assert_int_equal(script->born[1].lane.deaths, 0);
    assert_int_equal(script->born[1].content, 'L');
    kill(script->born[1].pid, SIGKILL);
    await_ready(3);
    assert_int_equal(script->born[2].lane.number, 0);
    assert_int_equal(stopped(), 0);
}

static void test_a_lane_that_has_no_place_is_refused(void **state)
{
    (void)state;
    script->deeds[0] = HAND_OVER_BAD;
    start();
    await_ready(1);
    assert_int_equal(script->born[0].kept, -ERANGE);
    assert_int_equal(stopped(), 0);
}

static void test_a_lane_that_was_drained_at_two_crashes_is_set_aside(void **state)
{
    (void)state;
    script->deeds[0] = HAND_OVER;
    script->deeds[1] = CRASH_LANE;
    script->deeds[2] = CRASH_LANE;
    start();
    await_ready(1);
    kill(script->born[0].pid, SIGKILL);
    await_ready(4);
    assert_int_equal(script->born[1].lane.deaths, 0);
    assert_int_equal(script->born[2].lane.deaths, 1);
    assert_int_equal(script->born[2].aside.number, 0);
    assert_int_equal(script->born[3].lane.number, 0);
    assert_int_equal(script->born[3].aside.number, LANES_MAX + 1);
    assert_int_equal(script->born[3].aside.lane_id, 4711);
    assert_int_equal(script->born[3].aside.deaths, 2);
    assert_int_equal(stopped(), 0);
}

static void test_a_killed_keeper_takes_its_worker_along(void **state)
{
    (void)state;
    start();
    await_ready(1);
    struct pollfd worker = {.fd = (int)syscall(SYS_pidfd_open, script->born[0].pid, 0), .events = POLLIN};
    assert_true(worker.fd >= 0);
    assert_int_equal(poll(&worker, 1, 0), 0);
    kill(keeper, SIGKILL);
    assert_int_equal(poll(&worker, 1, DEADLINE / 1000), 1);
    close(worker.fd);
    assert_int_equal(ended(), -1);
}

static void test_a_hangup_signal_is_passed_on(void **state)
{
    (void)state;
    start();
    await_ready(1);
    kill(keeper, SIGHUP);
    assert_true(await(&script->born[0].hangups, 1));
    assert_int_equal(stopped(), 0);
}

static void test_a_stop_between_two_workers_starts_one_that_stops_cleanly(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        script->deeds[i] = CRASH;
    start();
    await_ready(4);
    /* The fifth comes 200 ms later; it is not waited for. */
    assert_int_equal(stopped(), 0);
    assert_int_equal(script->births, 5);
}

static void test_lanes_come_back_out_of_systemds_store(void **state)
{
    (void)state;
    struct notify_fd inherited[] = {
        {.fd = (int)syscall(SYS_pidfd_open, getpid(), 0), .name = "owner.2"},
        {.fd = memfd_create("lane", MFD_CLOEXEC), .name = "lane.2.1000.4242.00000000000000ff"},
        {.fd = memfd_create("lane", MFD_CLOEXEC), .name = "lane.3.1000.4243.00000000000000fe"},
    };
    assert_int_equal(write(inherited[1].fd, "S", 1), 1);
    start_with(inherited, 3);
    await_ready(1);
    assert_int_equal(script->born[0].lane.number, 2);
    assert_int_equal(script->born[0].lane.uid, 1000);
    assert_int_equal(script->born[0].lane.pid, 4242);
    assert_int_equal(script->born[0].lane.lane_id, 255);
    assert_int_equal(script->born[0].content, 'S');
    assert_int_equal(stopped(), 0);
    for (int i = 0; i < 3; i++)
        close(inherited[i].fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_stop_is_passed_on_and_ends_cleanly),
        TEST(test_a_worker_that_cannot_start_at_first_ends_the_keeper),
        TEST(test_a_worker_that_fails_later_is_replaced),
        TEST(test_a_killed_worker_is_replaced_at_once),
        TEST(test_a_worker_that_does_not_move_is_replaced),
        TEST(test_workers_that_crash_at_once_are_started_ever_later),
        TEST(test_a_lane_is_acknowledged_and_inherited_until_it_is_dropped),
        TEST(test_a_lane_that_has_no_place_is_refused),
        TEST(test_a_lane_that_was_drained_at_two_crashes_is_set_aside),
        TEST(test_a_killed_keeper_takes_its_worker_along),
        TEST(test_a_hangup_signal_is_passed_on),
        TEST(test_a_stop_between_two_workers_starts_one_that_stops_cleanly),
        TEST(test_lanes_come_back_out_of_systemds_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
