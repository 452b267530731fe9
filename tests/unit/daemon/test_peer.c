/* The peer of a connection: the kernel's word against the peer's. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/folder.h"
#include "net/peer.h"

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* A child that waits to be killed; so it does when its parent is gone, for then the pipe ends. */
static pid_t waiting_child(int *ret_end)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) < 0);
    }
    close(ends[0]);
    *ret_end = ends[1];
    return child;
}

static void test_user_pid_and_groups_are_the_kernels(void **state)
{
    (void)state;
    int pair[2];
    struct peer peer;
    gid_t groups[PEER_GROUPS_MAX];
    const int group_count = getgroups(PEER_GROUPS_MAX, groups);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(peer_of(pair[0], &peer), 0);
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.groups[0], getgid());
    assert_int_equal(peer.group_count, group_count + 1);
    for (int i = 0; i < group_count; i++)
        assert_int_equal(peer.groups[i + 1], groups[i]);
    close(pair[0]);
    close(pair[1]);
}

static void test_a_descriptor_that_is_no_socket_has_no_peer(void **state)
{
    (void)state;
    struct peer peer = {.pid = 77};
    assert_int_equal(peer_of(STDIN_FILENO, &peer), -ENOTSOCK);
    assert_int_equal(peer.pid, 77);
}

static void test_the_peers_pidfd_tells_its_death(void **state)
{
    (void)state;
    int pair[2], pidfd;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    const int error = peer_pidfd(pair[0], &pidfd);
    if (error == -ENOPROTOOPT)
        skip(); /* a kernel before 6.5 */
    assert_int_equal(error, 0);
    assert_int_equal(peer_pidfd_check(pidfd, getpid()), 0);
    struct pollfd ready = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    close(pidfd);
    close(pair[0]);
    close(pair[1]);
}

static void test_a_sent_pidfd_must_be_the_peers_own(void **state)
{
    (void)state;
    int end;
    const pid_t child = waiting_child(&end);
    const int own = pidfd_of(getpid()), other = pidfd_of(child);
    assert_int_equal(peer_pidfd_check(own, getpid()), 0);
    assert_int_equal(peer_pidfd_check(other, child), 0);
    assert_int_equal(peer_pidfd_check(other, getpid()), -EPERM);
    assert_int_equal(peer_pidfd_check(STDIN_FILENO, getpid()), -EINVAL);
    assert_int_equal(peer_pidfd_check(-1, getpid()), -EINVAL);
    close(end);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(peer_pidfd_check(other, child), -ESRCH);
    close(own);
    close(other);
}

/* A dump of much memory that was never touched takes long, and little room. */
static pid_t dumping_child(const char *folder)
{
    const struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    const pid_t child = fork();
    if (child != 0)
        return child;
    char *const memory =
        mmap(NULL, (size_t)256 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || chdir(folder) < 0 || setrlimit(RLIMIT_CORE, &most) < 0)
        _exit(1);
    *memory = 1;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static bool ended(int pidfd)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void test_a_process_that_dumps_core_differs_from_a_running_and_a_dead_one(void **state)
{
    (void)state;
    char folder[FOLDER_ROOM];
    folder_make(folder, FOLDER_IN_TMP);
    const int own = pidfd_of(getpid());
    assert_false(peer_dumps_core(own));
    assert_false(peer_dumps_core(STDIN_FILENO));
    const pid_t child = dumping_child(folder);
    const int dumping = pidfd_of(child);
    bool seen = false;
    while (!seen && !ended(dumping))
        seen = peer_dumps_core(dumping);
    kill(child, SIGKILL); /* which ends the dump */
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(peer_dumps_core(dumping));
    close(own);
    close(dumping);
    folder_remove(folder);
    if (!seen) /* this host lets nobody dump core */
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_pid_and_groups_are_the_kernels),
        cmocka_unit_test(test_a_descriptor_that_is_no_socket_has_no_peer),
        cmocka_unit_test(test_the_peers_pidfd_tells_its_death),
        cmocka_unit_test(test_a_sent_pidfd_must_be_the_peers_own),
        cmocka_unit_test(test_a_process_that_dumps_core_differs_from_a_running_and_a_dead_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
