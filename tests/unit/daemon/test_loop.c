/* The event loop: every test over io_uring and over epoll. Where io_uring is refused its half says so and is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/child.h"
#include "../../support/refuse.h"
#include "internal/ticks.h"
#include "loop/loop.h"

#define MS            UINT64_C(1000000)
#define DEADLINE_NS   (60000 * MS)
#define CONNECTIONS   300
#define LONGEST       65536
#define OVERSIZED     65537
#define RECEIVED_KEPT 512

/* A loop with a listening socket, and what arrived at its connections. */
struct rig {
    struct loop *loop;
    struct loop_timer *guard;
    int listening;
    struct sockaddr_un address;
    socklen_t address_size;
    struct loop_listener *listener;
    struct loop_connection *connections[CONNECTIONS];
    size_t accepted, received, hung_up;
    size_t wanted; /* of what is counted by the test: the loop is stopped when it is reached */
    struct {
        struct loop_connection *connection;
        size_t size, fd_count;
        uint8_t first;
    } packets[RECEIVED_KEPT];
    int kept_fds[LOOP_MESSAGE_FDS];
    int error; /* of the last hang-up */
    bool late;
};

static void guard_due(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct rig *rig = context;
    rig->late = true;
    loop_stop(rig->loop);
}

/* Runs until a handler stops the loop; false if it failed, or if that took too long. What is named try does not assert:
 * for children. */
static bool try_run(struct rig *rig)
{
    loop_timer_arm(rig->guard, monotonic_ns() + DEADLINE_NS);
    const int error = loop_run(rig->loop);
    loop_timer_arm(rig->guard, 0);
    return error == 0 && !rig->late;
}

static void run(struct rig *rig)
{
    assert_true(try_run(rig));
}

static void stop_due(void *context, struct loop_timer *timer)
{
    (void)timer;
    loop_stop(context);
}

static bool try_run_for(struct rig *rig, uint64_t ns)
{
    struct loop_timer *timer;
    if (loop_timer_new(rig->loop, stop_due, rig->loop, &timer) < 0)
        return false;
    loop_timer_arm(timer, monotonic_ns() + ns);
    const bool ran = try_run(rig);
    loop_timer_free(timer);
    return ran;
}

static void run_for(struct rig *rig, uint64_t ns)
{
    assert_true(try_run_for(rig, ns));
}

static size_t count_fds(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 2048; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Waits for the number of descriptors. Strangers' descriptors are closed on another thread. */
static void await_fds(size_t count)
{
    for (unsigned i = 0; i < 10000 && count_fds() != count; i++)
        usleep(1000);
    assert_int_equal(count_fds(), count);
}

static void reached(struct rig *rig, size_t count)
{
    if (count == rig->wanted)
        loop_stop(rig->loop);
}

static void received(void *context, struct loop_connection *connection, struct loop_message *message)
{
    struct rig *rig = context;
    if (rig->received < RECEIVED_KEPT) {
        rig->packets[rig->received].connection = connection;
        rig->packets[rig->received].size = message->size;
        rig->packets[rig->received].fd_count = message->fd_count;
        rig->packets[rig->received].first = message->size > 0 ? message->data[0] : 0;
    }
    rig->received++;
    reached(rig, rig->received);
}

static void received_keeping(void *context, struct loop_connection *connection, struct loop_message *message)
{
    struct rig *rig = context;
    for (size_t i = 0; i < message->fd_count; i++) {
        rig->kept_fds[i] = message->fds[i];
        message->fds[i] = -1;
    }
    received(context, connection, message);
}

static void hung_up(void *context, struct loop_connection *connection, int error)
{
    (void)connection;
    struct rig *rig = context;
    rig->error = error;
    rig->hung_up++;
    loop_stop(rig->loop);
}

static void accepted(void *context, struct loop_connection *connection)
{
    struct rig *rig = context;
    rig->connections[rig->accepted++] = connection;
    loop_connection_start(connection, received, hung_up, rig);
}

/* Listens. 0 or -errno. */
static int rig_listen(struct rig *rig)
{
    static unsigned number;
    rig->address.sun_family = AF_UNIX;
    const int length = snprintf(rig->address.sun_path + 1, sizeof(rig->address.sun_path) - 1, "trip-test-loop-%d-%u",
                                (int)getpid(), number++);
    rig->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    rig->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* as tripd's */
    if (rig->listening < 0 || bind(rig->listening, (struct sockaddr *)&rig->address, rig->address_size) < 0 ||
        listen(rig->listening, CONNECTIONS) < 0)
        return -errno;
    return loop_listen(rig->loop, rig->listening, accepted, rig, &rig->listener);
}

static int rig_try_open(struct rig *rig, enum loop_backend backend)
{
    const char *why = NULL;
    memset(rig, 0, sizeof(*rig));
    int error = loop_new(&rig->loop, backend, &why);
    if (error == 0 && (!why || loop_backend(rig->loop) != backend))
        error = -ENOTSUP;
    if (error == 0)
        error = loop_timer_new(rig->loop, guard_due, rig, &rig->guard);
    return error == 0 ? rig_listen(rig) : error;
}

static void rig_open(struct rig *rig, void **state)
{
    const enum loop_backend backend = **(const enum loop_backend **)state;
    const int error = rig_try_open(rig, backend);
    if (backend == LOOP_URING && (error == -EPERM || error == -ENOSYS || error == -EINVAL)) {
        print_message("io_uring is refused here: %s\n", strerror(-error));
        skip();
    }
    assert_int_equal(error, 0);
}

static void rig_close(struct rig *rig)
{
    rig->guard = loop_timer_free(rig->guard);
    rig->loop = loop_free(rig->loop);
    close(rig->listening);
}

static int connect_to(const struct rig *rig)
{
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&rig->address, rig->address_size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Adopts a connection of the rig, and returns its peer's descriptor. */
static int adopt(struct rig *rig, struct loop_connection **ret_connection)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(loop_connection_adopt(rig->loop, ends[0], ret_connection), 0);
    assert_int_equal(loop_connection_fd(*ret_connection), ends[0]);
    return ends[1];
}

static int adopt_started(struct rig *rig)
{
    struct loop_connection *connection;
    const int peer = adopt(rig, &connection);
    loop_connection_start(connection, received, hung_up, rig);
    return peer;
}

static ssize_t send_fds(int socket, const void *data, size_t size, const int *fds, size_t count)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    return sendmsg(socket, &message, 0);
}

static bool same_file(int left, int right)
{
    struct stat a, b;
    return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ------------------------------------------------------------------------------------------------- connections */

static void test_three_hundred_callers_are_accepted_and_heard(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    int clients[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        clients[i] = connect_to(&rig);
        assert_true(clients[i] >= 0);
        assert_int_equal(send(clients[i], "hello", 5, 0), 5);
    }
    rig.wanted = CONNECTIONS;
    run(&rig);
    assert_int_equal(rig.accepted, 300);
    assert_int_equal(rig.received, 300);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(rig.packets[i].size, 5);
        assert_int_equal(fcntl(loop_connection_fd(rig.connections[i]), F_GETFD), FD_CLOEXEC);
        assert_int_equal(loop_connection_send(rig.connections[i], "yes", 3, NULL, 0), 0);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        char answer[8];
        assert_int_equal(recv(clients[i], answer, sizeof(answer), 0), 3);
        close(clients[i]);
    }
    rig_close(&rig);
}

static void test_closed_connections_give_their_descriptors_back(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const size_t before = count_fds();
    for (unsigned round = 1; round <= 50; round++) {
        const int client = connect_to(&rig);
        assert_int_equal(send(client, "x", 1, 0), 1);
        rig.wanted = round;
        run(&rig);
        loop_connection_close(rig.connections[round - 1]);
        if (round % 2 == 0) /* the peer sees it */
            run_for(&rig, MS);
        char byte;
        if (round % 2 == 0)
            assert_int_equal(recv(client, &byte, 1, 0), 0);
        close(client);
    }
    run_for(&rig, MS);
    await_fds(before);
    assert_int_equal(rig.hung_up, 0); /* of a connection closed by its owner nothing is heard */
    rig_close(&rig);
}

static void test_nothing_is_received_before_the_handlers_are_set(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    assert_int_equal(send(peer, "early", 5, 0), 5);
    close(peer);
    const uint64_t before = loop_wakeups(rig.loop);
    run_for(&rig, 20 * MS);
    assert_true(loop_wakeups(rig.loop) - before <= 3); /* nor does a hang-up that nobody hears keep it awake */
    loop_connection_start(connection, received, hung_up, &rig);
    run(&rig);
    assert_int_equal(rig.received, 1);
    assert_int_equal(rig.packets[0].size, 5);
    assert_int_equal(rig.hung_up, 1);
    rig_close(&rig);
}

static void test_a_packet_brings_four_descriptors_closed_on_exec(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_start(connection, received_keeping, hung_up, &rig);
    int pipes[4];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(pipes + 2), 0);
    assert_int_equal(send_fds(peer, "four", 4, pipes, 4), 4);
    rig.wanted = 1;
    run(&rig);
    assert_int_equal(rig.packets[0].fd_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_not_equal(rig.kept_fds[i], pipes[i]);
        assert_int_equal(fcntl(rig.kept_fds[i], F_GETFD), FD_CLOEXEC);
        assert_true(same_file(rig.kept_fds[i], pipes[i]));
        close(rig.kept_fds[i]);
        close(pipes[i]);
    }
    close(peer);
    rig_close(&rig);
}

static void test_descriptors_that_nobody_takes_are_closed(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const int peer = adopt_started(&rig);
    const size_t before = count_fds();
    const int fds[] = {0, 1, 2};
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(send_fds(peer, "three", 5, fds, 3), 5);
    rig.wanted = 20;
    run(&rig);
    assert_int_equal(rig.packets[19].fd_count, 3);
    await_fds(before);
    close(peer);
    rig_close(&rig);
}

static void test_descriptors_that_come_after_the_close_are_closed(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const size_t before = count_fds();
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_start(connection, received, hung_up, &rig);
    run_for(&rig, MS);
    const int fds[] = {0, 1};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(send_fds(peer, "two", 3, fds, 2), 3);
    loop_connection_close(connection);
    run_for(&rig, MS);
    assert_int_equal(rig.received, 0);
    close(peer);
    await_fds(before);
    rig_close(&rig);
}

static void test_five_descriptors_close_the_connection(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const size_t before = count_fds();
    const int peer = adopt_started(&rig);
    const int fds[] = {0, 1, 2, 0, 1};
    assert_int_equal(send_fds(peer, "five", 4, fds, 5), 4);
    run(&rig);
    assert_int_equal(rig.received, 0);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, -EMSGSIZE);
    close(peer);
    run_for(&rig, MS);
    await_fds(before);
    rig_close(&rig);
}

/* The peer reads its answers before it reads the end, and no error instead. */
static void test_a_peer_that_may_send_no_descriptors_and_does_is_hung_up_on(void **state)
{
    struct rig rig;
    char answer[8];
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_refuse_descriptors(connection);
    loop_connection_start(connection, received, hung_up, &rig);
    assert_int_equal(send(peer, "first", 5, 0), 5);
    assert_int_equal(send(peer, "", 0, 0), 0);
    rig.wanted = 2;
    run(&rig);
    assert_int_equal(rig.packets[0].size, 5);
    assert_int_equal(loop_connection_send(connection, "yes", 3, NULL, 0), 0);
    const size_t before = count_fds();
    const int fds[] = {0, 1};
    assert_int_equal(send_fds(peer, "two", 3, fds, 2), 3);
    assert_int_equal(send(peer, "third", 5, 0), 5);
    run_for(&rig, MS);
    assert_int_equal(count_fds(), before);
    assert_int_equal(recv(peer, answer, sizeof(answer), MSG_DONTWAIT), 3);
    run(&rig);
    assert_int_equal(rig.received, 2);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, -EACCES);
    run_for(&rig, MS);
    await_fds(before - 1);
    close(peer);
    rig_close(&rig);
}

static void test_a_peer_that_may_send_no_descriptors_hangs_up_as_others_do(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_refuse_descriptors(connection);
    loop_connection_start(connection, received, hung_up, &rig);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(send(peer, "many", 4, 0), 4);
    close(peer);
    run(&rig);
    assert_int_equal(rig.received, 100);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, 0);
    rig_close(&rig);
}

static void test_64_KiB_arrive_whole_and_a_byte_more_closes(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const int peer = adopt_started(&rig);
    uint8_t *packet = malloc(OVERSIZED);
    assert_non_null(packet);
    memset(packet, 0x5a, OVERSIZED);
    assert_int_equal(send(peer, packet, LONGEST, 0), LONGEST);
    rig.wanted = 1;
    run(&rig);
    assert_int_equal(rig.packets[0].size, 65536);
    assert_int_equal(rig.packets[0].first, 0x5a);
    assert_int_equal(send(peer, packet, OVERSIZED, 0), OVERSIZED);
    run(&rig);
    assert_int_equal(rig.received, 1);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, -EMSGSIZE);
    free(packet);
    close(peer);
    rig_close(&rig);
}

static void test_an_empty_packet_is_not_the_end(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const int peer = adopt_started(&rig);
    const int in = 0;
    assert_int_equal(send(peer, "", 0, 0), 0);
    assert_int_equal(send(peer, "a", 1, 0), 1);
    assert_int_equal(send_fds(peer, "", 0, &in, 1), 0);
    assert_int_equal(send(peer, "b", 1, 0), 1);
    rig.wanted = 4;
    run(&rig);
    assert_int_equal(rig.packets[0].size, 0);
    assert_int_equal(rig.packets[1].first, 'a');
    assert_int_equal(rig.packets[2].size, 0);
    assert_int_equal(rig.packets[2].fd_count, 1);
    assert_int_equal(rig.packets[3].first, 'b');
    assert_int_equal(rig.hung_up, 0);
    close(peer);
    run(&rig);
    assert_int_equal(rig.hung_up, 1);
    rig_close(&rig);
}

static void test_an_empty_packet_before_others_and_the_end_hides_none(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const int peer = adopt_started(&rig);
    assert_int_equal(send(peer, "", 0, 0), 0);
    assert_int_equal(send(peer, "last", 4, 0), 4);
    close(peer);
    run(&rig);
    assert_int_equal(rig.received, 2);
    assert_int_equal(rig.packets[1].size, 4);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, 0);
    rig_close(&rig);
}

static void test_a_hang_up_comes_after_forty_packets_sent_before_it(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const int peer = adopt_started(&rig);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(send(peer, &(char){(char)i}, 1, 0), 1);
    close(peer);
    run(&rig);
    assert_int_equal(rig.received, 40);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(rig.packets[i].first, i);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, 0);
    rig_close(&rig);
}

static void test_a_peer_that_closed_with_answers_unread_is_still_heard(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_start(connection, received, hung_up, &rig);
    assert_int_equal(loop_connection_send(connection, "unread", 6, NULL, 0), 0);
    assert_int_equal(send(peer, "last words", 10, 0), 10);
    close(peer);
    run(&rig);
    assert_int_equal(rig.received, 1);
    assert_int_equal(rig.packets[0].size, 10);
    assert_int_equal(rig.hung_up, 1);
    assert_int_equal(rig.error, -ECONNRESET);
    rig_close(&rig);
}

static void test_one_that_floods_does_not_starve_the_others(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const int flooding = adopt_started(&rig);
    const int quiet = adopt_started(&rig);
    while (send(flooding, "flood", 5, MSG_DONTWAIT) == 5)
        ;
    assert_int_equal(send(quiet, "q", 1, 0), 1);
    rig.wanted = RECEIVED_KEPT;
    size_t place = 0;
    run_for(&rig, 50 * MS);
    while (place < RECEIVED_KEPT && rig.packets[place].first != 'q')
        place++;
    assert_true(place < 100);
    close(flooding);
    close(quiet);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- sending */

static void test_a_peer_that_never_reads_is_bounded_by_256_packets(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_start(connection, received, hung_up, &rig);
    size_t sent = 0;
    uint8_t packet[100] = {0};
    int error = 0;
    while (error == 0) {
        memcpy(packet, &sent, sizeof(sent));
        error = loop_connection_send(connection, packet, sizeof(packet), NULL, 0);
        sent += error == 0;
    }
    assert_int_equal(error, -ENOBUFS);
    assert_int_equal(loop_connection_queued(connection), 256);
    const uint64_t before = loop_wakeups(rig.loop);
    run_for(&rig, 20 * MS);
    assert_true(loop_wakeups(rig.loop) - before <= 3); /* a full socket does not keep the loop awake */

    /* Then it reads everything, in order. */
    for (size_t i = 0; i < sent; i++) {
        while (recv(peer, packet, sizeof(packet), MSG_DONTWAIT) < 0)
            run_for(&rig, MS);
        assert_memory_equal(packet, &i, sizeof(i));
    }
    assert_int_equal(loop_connection_queued(connection), 0);
    close(peer);
    rig_close(&rig);
}

static void test_a_peer_that_never_reads_is_bounded_by_4_MiB(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    loop_connection_start(connection, received, hung_up, &rig);
    uint8_t *packet = calloc(1, LONGEST);
    assert_non_null(packet);
    int error = 0;
    while (error == 0)
        error = loop_connection_send(connection, packet, LONGEST, NULL, 0);
    assert_int_equal(error, -ENOBUFS);
    assert_int_equal(loop_connection_queued(connection), 64);
    assert_int_equal(loop_connection_send(connection, packet, OVERSIZED, NULL, 0), -EMSGSIZE);
    assert_int_equal(loop_connection_send(connection, packet, 0, NULL, 0), -EINVAL);
    close(peer);
    run(&rig);
    assert_int_equal(rig.hung_up, 1);
    free(packet);
    rig_close(&rig);
}

static void test_queued_descriptors_are_duplicates_and_are_given_back(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct loop_connection *connection;
    const int peer = adopt(&rig, &connection);
    const size_t before = count_fds();
    uint8_t *packet = calloc(1, LONGEST);
    assert_non_null(packet);
    while (loop_connection_queued(connection) == 0)
        assert_int_equal(loop_connection_send(connection, packet, LONGEST, NULL, 0), 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(loop_connection_send(connection, "end", 3, &ends[1], 1), 0);
    close(ends[1]);
    assert_int_equal(count_fds(), before + 2); /* the pipe's reading end, and the duplicate */

    ssize_t size = 0;
    int got = -1;
    while (size != 3) {
        _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
        struct iovec part = {.iov_base = packet, .iov_len = LONGEST};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        size = recvmsg(peer, &message, MSG_DONTWAIT);
        if (size < 0)
            run_for(&rig, MS);
        if (size == 3 && CMSG_FIRSTHDR(&message))
            memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
    }
    assert_int_equal(write(got, "!", 1), 1);
    close(got);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* nobody holds the writing end any more */
    close(ends[0]);
    await_fds(before);
    free(packet);
    close(peer);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- timers */

struct order {
    struct rig *rig;
    struct loop_timer *timers[5];
    uint64_t fired_ns[16];
    unsigned which[16], count, stop_at;
};

static unsigned which_of(const struct order *order, const struct loop_timer *timer)
{
    for (unsigned i = 0; i < 5; i++)
        if (order->timers[i] == timer)
            return i;
    return 99;
}

static void note_due(void *context, struct loop_timer *timer)
{
    struct order *order = context;
    order->fired_ns[order->count] = monotonic_ns();
    order->which[order->count] = which_of(order, timer);
    order->count++;
    if (order->count == order->stop_at)
        loop_stop(order->rig->loop);
}

static void test_timers_fire_in_order_and_never_early(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct order order = {.rig = &rig, .stop_at = 4};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(loop_timer_new(rig.loop, note_due, &order, &order.timers[i]), 0);
    const uint64_t start = monotonic_ns();
    loop_timer_arm(order.timers[0], start + 30 * MS);
    loop_timer_arm(order.timers[1], start + 10 * MS);
    loop_timer_arm(order.timers[2], start + 10 * MS); /* among equals the one armed first */
    loop_timer_arm(order.timers[3], start + 5 * MS);
    loop_timer_arm(order.timers[4], start + 1 * MS);
    loop_timer_arm(order.timers[3], start + 20 * MS); /* moved */
    loop_timer_arm(order.timers[4], 0);               /* disarmed */
    run(&rig);
    const unsigned expected[] = {1, 2, 3, 0};
    const uint64_t due_ms[] = {10, 10, 20, 30};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(order.which[i], expected[i]);
        assert_true(order.fired_ns[i] >= start + due_ms[i] * MS);
    }
    for (unsigned i = 0; i < 5; i++)
        assert_null(loop_timer_free(order.timers[i]));
    rig_close(&rig);
}

static void rearm_due(void *context, struct loop_timer *timer)
{
    struct order *order = context;
    if (++order->count == 5)
        loop_stop(order->rig->loop);
    else
        loop_timer_arm(timer, 1); /* long past */
}

static void test_a_timer_armed_for_the_past_by_its_handler_lets_others_have_their_turn(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct order order = {.rig = &rig};
    assert_int_equal(loop_timer_new(rig.loop, rearm_due, &order, &order.timers[0]), 0);
    loop_timer_arm(order.timers[0], 1);
    const int peer = adopt_started(&rig);
    assert_int_equal(send(peer, "x", 1, 0), 1);
    run(&rig);
    assert_int_equal(order.count, 5);
    assert_int_equal(rig.received, 1);
    loop_timer_free(order.timers[0]);
    close(peer);
    rig_close(&rig);
}

static void free_others_due(void *context, struct loop_timer *timer)
{
    struct order *order = context;
    order->count++;
    for (unsigned i = 0; i < 5; i++)
        if (order->timers[i] != timer)
            loop_timer_free(order->timers[i]);
    loop_timer_free(timer);
    loop_stop(order->rig->loop);
}

static void test_a_handler_frees_its_timer_and_others_that_are_due(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct order order = {.rig = &rig};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(loop_timer_new(rig.loop, free_others_due, &order, &order.timers[i]), 0);
        loop_timer_arm(order.timers[i], 1 + i);
    }
    run(&rig);
    run_for(&rig, MS);
    assert_int_equal(order.count, 1);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- watches */

struct watching {
    struct rig *rig;
    struct loop_watch *watch, *other;
    unsigned count, stop_at;
};

static void watch_ready(void *context, struct loop_watch *watch)
{
    struct watching *watching = context;
    assert_ptr_equal(watch, watching->watch);
    if (++watching->count == watching->stop_at)
        loop_stop(watching->rig->loop);
}

static void test_a_watch_on_a_pidfd_fires_when_the_process_is_killed(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    const pid_t child = child_fork();
    if (child == 0)
        for (;;)
            pause();
    const int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    assert_true(pidfd >= 0);
    struct watching watching = {.rig = &rig, .stop_at = 1};
    assert_int_equal(loop_watch_add(rig.loop, pidfd, watch_ready, &watching, &watching.watch), 0);
    run_for(&rig, 5 * MS);
    assert_int_equal(watching.count, 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    run(&rig);
    assert_int_equal(watching.count, 1);
    loop_watch_remove(watching.watch);
    close(pidfd);
    run_for(&rig, 5 * MS);
    assert_int_equal(watching.count, 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    rig_close(&rig);
}

static void test_a_watch_is_level_triggered_until_it_is_removed(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    struct watching watching = {.rig = &rig, .stop_at = 3};
    assert_int_equal(loop_watch_add(rig.loop, ends[0], watch_ready, &watching, &watching.watch), 0);
    run(&rig);
    assert_int_equal(watching.count, 3);
    loop_watch_remove(watching.watch);
    run_for(&rig, MS);
    assert_int_equal(watching.count, 3);
    assert_int_equal(loop_watch_add(rig.loop, 1999, watch_ready, &watching, &watching.watch), -EBADF);
    close(ends[0]);
    close(ends[1]);
    rig_close(&rig);
}

static void remove_both(void *context, struct loop_watch *watch)
{
    (void)watch;
    struct watching *watching = context;
    watching->count++;
    loop_watch_remove(watching->watch);
    loop_watch_remove(watching->other);
    loop_stop(watching->rig->loop);
}

static void test_a_handler_removes_itself_and_another_that_is_ready(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    struct watching watching = {.rig = &rig};
    assert_int_equal(loop_watch_add(rig.loop, ends[0], remove_both, &watching, &watching.watch), 0);
    const int again = dup(ends[0]);
    assert_int_equal(loop_watch_add(rig.loop, again, remove_both, &watching, &watching.other), 0);
    run(&rig);
    run_for(&rig, MS);
    assert_int_equal(watching.count, 1);
    close(again);
    close(ends[0]);
    close(ends[1]);
    rig_close(&rig);
}

/* Closes every connection of the rig, its own too, at the first packet. */
static void close_all(void *context, struct loop_connection *connection, struct loop_message *message)
{
    struct rig *rig = context;
    received(context, connection, message);
    for (size_t i = 0; i < rig->accepted; i++)
        loop_connection_close(rig->connections[i]);
    assert_int_equal(loop_connection_send(connection, "late", 4, NULL, 0), -ENOTCONN);
    loop_listener_remove(rig->listener);
}

static void accepted_to_close(void *context, struct loop_connection *connection)
{
    struct rig *rig = context;
    rig->connections[rig->accepted++] = connection;
    loop_connection_start(connection, close_all, hung_up, rig);
    reached(rig, rig->accepted);
}

static void test_a_handler_closes_all_connections_and_the_listener(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    loop_listener_remove(rig.listener);
    assert_int_equal(loop_listen(rig.loop, rig.listening, accepted_to_close, &rig, &rig.listener), 0);
    const size_t before = count_fds();
    int clients[10];
    for (unsigned i = 0; i < 10; i++)
        clients[i] = connect_to(&rig);
    rig.wanted = 10;
    run(&rig);
    assert_int_equal(rig.accepted, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(send(clients[i], "x", 1, 0), 1);
    run_for(&rig, 5 * MS);
    assert_int_equal(rig.received, 1);
    assert_int_equal(rig.hung_up, 0);
    for (unsigned i = 0; i < 10; i++)
        close(clients[i]);
    await_fds(before);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- signals */

struct caught {
    struct rig *rig;
    unsigned user, child, stop_at;
};

static void signalled(void *context, int signal)
{
    struct caught *caught = context;
    caught->user += signal == SIGUSR1;
    caught->child += signal == SIGUSR2;
    if (caught->user + caught->child == caught->stop_at)
        loop_stop(caught->rig->loop);
}

static void test_signals_are_reported_each(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    struct caught caught = {.rig = &rig, .stop_at = 2};
    const int signals[] = {SIGUSR1, SIGUSR2};
    assert_int_equal(loop_signals(rig.loop, signals, 2, signalled, &caught), 0);
    assert_int_equal(loop_signals(rig.loop, signals, 2, signalled, &caught), -EBUSY);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    run(&rig);
    assert_int_equal(caught.user, 1);
    assert_int_equal(caught.child, 1);
    caught.stop_at = 3;
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    run(&rig);
    assert_int_equal(caught.user, 2);
    rig_close(&rig);
}

/* ------------------------------------------------------------------------------------------------- scarcity */

/* In a child with a small table: two callers wait while it is full, and are accepted when there is room again. The exit
 * status is 0, or the number of the step that failed. */
static int exhausted(enum loop_backend backend)
{
    struct rig rig;
    if (rig_try_open(&rig, backend) < 0)
        return 9;
    const int first = connect_to(&rig), second = connect_to(&rig);
    if (first < 0 || second < 0)
        return 1;
    const struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 2;
    int fillers[64];
    unsigned filled = 0;
    while ((fillers[filled] = dup(0)) >= 0)
        filled++;
    const uint64_t before = loop_wakeups(rig.loop);
    if (!try_run_for(&rig, 250 * MS) || rig.accepted != 0)
        return 3;
    if (loop_wakeups(rig.loop) - before > 10)
        return 4;
    for (unsigned i = 0; i < 10; i++)
        close(fillers[i]);
    if (!try_run_for(&rig, 150 * MS) || rig.accepted != 2)
        return 5;
    const int third = connect_to(&rig); /* and the listener goes on as ever */
    if (third < 0 || !try_run_for(&rig, 10 * MS) || rig.accepted != 3)
        return 6;
    /* A packet whose descriptors find no room ends its connection, and leaves none behind. */
    const int fds[] = {0, 1, 2};
    while ((fillers[10] = dup(0)) >= 0 && filled < 63)
        filled++;
    if (send_fds(first, "three", 5, fds, 3) != 5)
        return 7;
    if (!try_run(&rig) || rig.hung_up != 1 || rig.error != -EMFILE)
        return 8;
    rig_close(&rig);
    return 0;
}

static int in_child(int (*body)(enum loop_backend backend), enum loop_backend backend)
{
    const pid_t child = fork();
    if (child == 0)
        _exit(body(backend));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_callers_wait_while_descriptors_have_run_out(void **state)
{
    struct rig rig;
    rig_open(&rig, state); /* skips */
    rig_close(&rig);
    assert_int_equal(in_child(exhausted, **(const enum loop_backend **)state), 0);
}

static void count_ready(void *context, struct loop_watch *watch)
{
    struct watching *watching = context;
    loop_watch_remove(watch);
    if (++watching->count == watching->stop_at)
        loop_stop(watching->rig->loop);
}

/* The ring has room for 1,024 completions; the kernel keeps the rest until there is room. */
static void test_1500_watches_that_become_ready_at_once_are_all_called(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct watching watching = {.rig = &rig, .stop_at = 1500};
    for (unsigned i = 0; i < 1500; i++) {
        struct loop_watch *watch;
        assert_int_equal(loop_watch_add(rig.loop, ends[0], count_ready, &watching, &watch), 0);
    }
    run_for(&rig, MS);
    assert_int_equal(watching.count, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    run(&rig);
    run_for(&rig, MS);
    assert_int_equal(watching.count, 1500);
    close(ends[0]);
    close(ends[1]);
    rig_close(&rig);
}

static int refused_with(unsigned error, const char *words)
{
    struct loop *loop = NULL;
    const char *why = NULL;
    if (refuse_syscall(SYS_io_uring_setup, error) < 0)
        return 1;
    if (loop_new(&loop, LOOP_URING, &why) != -(int)error || loop || why)
        return 2;
    if (loop_new(&loop, LOOP_AUTO, &why) != 0 || loop_backend(loop) != LOOP_EPOLL)
        return 3;
    loop_free(loop);
    return strstr(why, words) ? 0 : 4;
}

static int forbidden(enum loop_backend backend)
{
    (void)backend;
    return refused_with(EPERM, "forbidden");
}

static int missing(enum loop_backend backend)
{
    (void)backend;
    return refused_with(ENOSYS, "this kernel has no io_uring, or a seccomp filter hides it");
}

static void test_where_io_uring_is_forbidden_epoll_is_taken_and_said(void **state)
{
    (void)state;
    assert_int_equal(in_child(forbidden, LOOP_AUTO), 0);
    assert_int_equal(in_child(missing, LOOP_AUTO), 0);
}

static void test_an_idle_loop_sleeps(void **state)
{
    struct rig rig;
    rig_open(&rig, state);
    int peers[20];
    for (unsigned i = 0; i < 20; i++)
        peers[i] = adopt_started(&rig);
    run_for(&rig, 5 * MS);
    const uint64_t before = loop_wakeups(rig.loop);
    run_for(&rig, 200 * MS);
    assert_true(loop_wakeups(rig.loop) - before <= 2); /* the timer of run_for, once it may be early */
    for (unsigned i = 0; i < 20; i++)
        close(peers[i]);
    rig_close(&rig);
}

static const enum loop_backend uring = LOOP_URING, epoll = LOOP_EPOLL;

#define OVER_BOTH(test)                                                 \
    {#test " (io_uring)", test, NULL, NULL, (void *)(uintptr_t)&uring}, \
    {                                                                   \
#test " (epoll)", test, NULL, NULL, (void *)(uintptr_t)&epoll   \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_BOTH(test_three_hundred_callers_are_accepted_and_heard),
        OVER_BOTH(test_closed_connections_give_their_descriptors_back),
        OVER_BOTH(test_nothing_is_received_before_the_handlers_are_set),
        OVER_BOTH(test_a_packet_brings_four_descriptors_closed_on_exec),
        OVER_BOTH(test_descriptors_that_nobody_takes_are_closed),
        OVER_BOTH(test_descriptors_that_come_after_the_close_are_closed),
        OVER_BOTH(test_five_descriptors_close_the_connection),
        OVER_BOTH(test_a_peer_that_may_send_no_descriptors_and_does_is_hung_up_on),
        OVER_BOTH(test_a_peer_that_may_send_no_descriptors_hangs_up_as_others_do),
        OVER_BOTH(test_64_KiB_arrive_whole_and_a_byte_more_closes),
        OVER_BOTH(test_an_empty_packet_is_not_the_end),
        OVER_BOTH(test_an_empty_packet_before_others_and_the_end_hides_none),
        OVER_BOTH(test_a_hang_up_comes_after_forty_packets_sent_before_it),
        OVER_BOTH(test_a_peer_that_closed_with_answers_unread_is_still_heard),
        OVER_BOTH(test_one_that_floods_does_not_starve_the_others),
        OVER_BOTH(test_a_peer_that_never_reads_is_bounded_by_256_packets),
        OVER_BOTH(test_a_peer_that_never_reads_is_bounded_by_4_MiB),
        OVER_BOTH(test_queued_descriptors_are_duplicates_and_are_given_back),
        OVER_BOTH(test_timers_fire_in_order_and_never_early),
        OVER_BOTH(test_a_timer_armed_for_the_past_by_its_handler_lets_others_have_their_turn),
        OVER_BOTH(test_a_handler_frees_its_timer_and_others_that_are_due),
        OVER_BOTH(test_a_watch_on_a_pidfd_fires_when_the_process_is_killed),
        OVER_BOTH(test_a_watch_is_level_triggered_until_it_is_removed),
        OVER_BOTH(test_a_handler_removes_itself_and_another_that_is_ready),
        OVER_BOTH(test_a_handler_closes_all_connections_and_the_listener),
        OVER_BOTH(test_signals_are_reported_each),
        OVER_BOTH(test_callers_wait_while_descriptors_have_run_out),
        OVER_BOTH(test_an_idle_loop_sleeps),
        {"test_1500_watches_that_become_ready_at_once_are_all_called (io_uring)",
         test_1500_watches_that_become_ready_at_once_are_all_called, NULL, NULL, (void *)(uintptr_t)&uring},
        cmocka_unit_test(test_where_io_uring_is_forbidden_epoll_is_taken_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
