/* The closer: descriptors that close at once, that would linger, and that hold its threads. close(2) is the test's own
 * (--wrap): it waits as long as a gate is shut. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/closer.h"

#define PATIENCE_MS 60000

static bool shut; /* closes wait */
static int held;  /* that wait */
static int done;  /* that came back */

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    /* Relaxed everywhere: no data depends on it. */
    __atomic_add_fetch(&held, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&shut, __ATOMIC_RELAXED))
        usleep(1000);
    __atomic_sub_fetch(&held, 1, __ATOMIC_RELAXED);
    const int result = __real_close(fd);
    __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
    return result;
}

static int closes_done(void)
{
    return __atomic_load_n(&done, __ATOMIC_RELAXED);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void await_closed(int fd)
{
    for (int i = 0; i < PATIENCE_MS && is_open(fd); i++)
        usleep(1000);
    assert_false(is_open(fd));
}

static void descriptors_are_closed(void **state)
{
    (void)state;
    struct closer *closer;
    int fds[3] = {open("/dev/null", O_RDONLY | O_CLOEXEC), -1, open("/dev/null", O_RDONLY | O_CLOEXEC)};
    assert_int_equal(closer_start(&closer), 0);
    closer_close_all(closer, fds, 3);
    await_closed(fds[0]);
    await_closed(fds[2]);
    assert_null(closer_stop(closer));
}

static void descriptors_pending_at_the_stop_are_closed(void **state)
{
    (void)state;
    struct closer *closer;
    int fds[200];
    assert_int_equal(closer_start(&closer), 0);
    for (int i = 0; i < 200; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    closer_close_all(closer, fds, 200);
    assert_null(closer_stop(closer));
    for (int i = 0; i < 200; i++)
        assert_false(is_open(fds[i]));
}

static void send_fd(int socket, const void *data, size_t size, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
    assert_int_equal(sendmsg(socket, &message, 0), size);
}

/* Makes a TCP socket whose close waits for an hour, for nobody reads at the other end. */
static int lingering(int listener)
{
    static const char bytes[65536];
    const struct linger hour = {.l_onoff = 1, .l_linger = 3600};
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour)), 0);
    while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        continue;
    return fd;
}

static int sink(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static void await_closes(int count)
{
    for (int i = 0; i < PATIENCE_MS && closes_done() < count; i++)
        usleep(1000);
    assert_int_equal(closes_done(), count);
}

/* More of them than there are threads. */
static void sockets_do_not_linger(void **state)
{
    (void)state;
    struct closer *closer;
    const int listener = sink();
    int fds[2 * CLOSER_THREADS];
    for (size_t i = 0; i < 2 * CLOSER_THREADS; i++)
        fds[i] = lingering(listener);
    assert_int_equal(closer_start(&closer), 0);
    const int before = closes_done();
    closer_close_all(closer, fds, 2 * CLOSER_THREADS);
    await_closes(before + 2 * CLOSER_THREADS);
    assert_null(closer_stop(closer));
    close(listener);
}

static void sockets_that_wait_unread_do_not_linger(void **state)
{
    (void)state;
    struct closer *closer;
    int pair[2], inner[2];
    const int listener = sink();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, inner), 0);
    for (int i = 0; i < 20; i++) {
        const int fd = lingering(listener);
        send_fd(i % 2 ? pair[0] : inner[0], "y", 1, fd);
        __real_close(fd); /* the last one is in the packet */
    }
    send_fd(pair[0], "", 0, inner[1]);
    close(inner[1]);
    assert_int_equal(closer_start(&closer), 0);
    const int before = closes_done();
    closer_close(closer, pair[1]);
    await_closes(before + 1);
    assert_int_equal(send(pair[0], "x", 1, MSG_NOSIGNAL), -1);
    assert_null(closer_stop(closer));
    close(pair[0]);
    close(inner[0]);
    close(listener);
}

/* Descriptors that do not close hold a thread each; the others are closed as long as there is a further thread. */
static void the_closer_is_stuck_when_all_threads_are_held(void **state)
{
    (void)state;
    struct closer *closer;
    int fds[CLOSER_THREADS + 1], i;
    assert_int_equal(closer_start(&closer), 0);
    assert_false(closer_stuck(closer));
    __atomic_store_n(&shut, true, __ATOMIC_RELAXED);
    for (i = 0; i <= CLOSER_THREADS; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    closer_close_all(closer, fds, CLOSER_THREADS + 1);
    for (i = 0; i < PATIENCE_MS && !closer_stuck(closer); i++)
        usleep(1000);
    assert_true(closer_stuck(closer));
    assert_int_equal(__atomic_load_n(&held, __ATOMIC_RELAXED), CLOSER_THREADS);
    __atomic_store_n(&shut, false, __ATOMIC_RELAXED);
    for (i = 0; i <= CLOSER_THREADS; i++)
        await_closed(fds[i]);
    assert_false(closer_stuck(closer));
    assert_null(closer_stop(closer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_closed),
        cmocka_unit_test(descriptors_pending_at_the_stop_are_closed),
        cmocka_unit_test(sockets_do_not_linger),
        cmocka_unit_test(sockets_that_wait_unread_do_not_linger),
        cmocka_unit_test(the_closer_is_stuck_when_all_threads_are_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
