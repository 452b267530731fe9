/* Attaching, as a client that does it right, and as one that does not. tripd's side (loop, attach, clients, lanes,
 * segment) runs in a child with breakers that only count; the test is the client, and the keeper. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/child.h"
#include "../../support/lane_writer.h"
#include "../../support/segment_dir.h"
#include "../../support/wire_client.h"
#include "net/attach.h"
#include "net/listener.h"

#define MAX_BREAKERS 64
#define MAX_LANES    4

static struct counts {
    int came, gone, opened;
    uint32_t number; /* of the last one that came or went */
    struct client_slot shown[MAX_LANES + 1];
    uint64_t refused;
    uint32_t opened_slot;
    uint64_t opened_word, opened_number;
} * counts;

/* ---------------------------------------------------------------------------------------------- breakers that count */

void breakers_lane_came(struct breakers *breakers, struct lane *lane)
{
    (void)breakers;
    counts->number = lane_number(lane);
    __atomic_add_fetch(&counts->came, 1, __ATOMIC_RELEASE); /* pairs with the test's acquire */
}

void breakers_lanes_gone(struct breakers *breakers, struct lane *const *lanes, uint32_t count)
{
    (void)breakers;
    counts->number = lane_number(lanes[count - 1]);
    __atomic_add_fetch(&counts->gone, (int)count, __ATOMIC_RELEASE); /* pairs with the test's acquire */
}

bool breakers_lane_blocks(const struct breakers *breakers, uint32_t number)
{
    (void)breakers;
    (void)number;
    return false;
}

void breakers_lane_doomed(struct breakers *breakers, uint32_t number)
{
    (void)breakers;
    (void)number;
}

void breakers_opened_before(struct breakers *breakers, uint32_t slot, uint64_t word, uint64_t number)
{
    (void)breakers;
    counts->opened_slot = slot;
    counts->opened_word = word;
    counts->opened_number = number;
    __atomic_fetch_add(&counts->opened, 1, __ATOMIC_SEQ_CST);
}

int breakers_resolve(struct breakers *breakers, uid_t uid, const char *name, uint32_t *ret_slot)
{
    (void)breakers;
    (void)uid;
    if (strcmp(name, "full") == 0)
        return -ENOSPC;
    if (!settings_name_valid(name, strlen(name)))
        return -EINVAL;
    *ret_slot = 7;
    return 0;
}

/* ----------------------------------------------------------------------------------------------------- tripd's side */

struct server {
    const char *config;
    bool own_pidfds; /* clients send their own */
    struct keeper_lane lanes[LANES_MAX + 1 + KEEPER_ASIDE];
};

static char folder[FOLDER_ROOM], path[80];
static struct segment_dir dir;
static pid_t server_pid;
static int keeper; /* our end, as the keeper's */

static struct loop *server_loop;
static struct attach *server_attach;
static struct clients *server_clients;
static struct refusals server_refusals;
static struct segment *server_segment;

static void first(void *context, struct loop_connection *connection, struct loop_message *message)
{
    (void)context;
    struct peer peer;
    if (peer_of(loop_connection_fd(connection), &peer) < 0)
        _exit(3);
    attach_connected(server_attach, connection, &peer, message);
}

static void left(void *context, struct loop_connection *connection, int error)
{
    (void)context;
    (void)connection;
    (void)error;
}

static void accepted(void *context, struct loop_connection *connection)
{
    loop_connection_start(connection, first, left, context);
}

static void look_often(void *context, struct loop_timer *timer)
{
    clients_look(context);
    memcpy(counts->shown, server_segment->clients, sizeof(counts->shown));
    /* Pairs with the test's acquire. */
    __atomic_store_n(&counts->refused, server_segment->header->refused, __ATOMIC_RELEASE);
    loop_timer_arm(timer, monotonic_ns() + 5000000);
}

static int serve(const struct server *server, int listener, int socket)
{
    static uint32_t draining;
    const char *why;
    char *problems;
    int commons_fd;
    struct commons *commons;
    struct lanes *lanes;
    struct config *config;
    struct loop_listener *accepting;
    struct loop_timer *timer;
    server_segment = segment_dir_create(&dir, MAX_BREAKERS, MAX_LANES);
    const struct keeper_birth birth = {
        .socket = socket, .keeper = getppid(), .lanes = server->lanes, .draining = &draining};
    const struct lanes_options lane_options = {
        .max_lanes = MAX_LANES, .memory_per_user = 3 * WRITER_MEMORY, .clock = &dir.clock, .draining = &draining};
    if (commons_make(&commons_fd) < 0 || commons_map(commons_fd, &commons) < 0 ||
        lanes_new(&lane_options, &lanes) < 0 || loop_new(&server_loop, LOOP_AUTO, &why) < 0 ||
        config_parse(server->config, strlen(server->config), "test", &config, &problems) < 0)
        return 1;
    const struct clients_options client_options = {
        .loop = server_loop, .segment = server_segment, .lanes = lanes, .birth = &birth};
    if (clients_new(&client_options, &server_clients) < 0 || clients_begin(server_clients, NULL) < 0)
        return 2;
    const struct attach_options attach_options = {.loop = server_loop,
                                                  .segment = server_segment,
                                                  .commons = commons,
                                                  .clients = server_clients,
                                                  .refusals = &server_refusals,
                                                  .config = config,
                                                  .peer_pidfds = !server->own_pidfds};
    if (attach_new(&attach_options, &server_attach) < 0 ||
        loop_listen(server_loop, listener, accepted, NULL, &accepting) < 0 ||
        loop_timer_new(server_loop, look_often, server_clients, &timer) < 0)
        return 2;
    loop_timer_arm(timer, 1);
    return loop_run(server_loop) < 0;
}

static void serve_with(const struct server *server)
{
    int pair[2], listener;
    assert_int_equal(listener_make(path, &listener), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fflush(NULL);
    server_pid = child_fork();
    if (server_pid == 0) {
        close(pair[0]);
        _exit(serve(server, listener, pair[1]));
    }
    assert_true(server_pid > 0);
    close(pair[1]);
    close(listener);
    keeper = pair[0];
}

static void serve_all(void)
{
    static const struct server everyone = {.config = "access: {report: [any]}"};
    serve_with(&everyone);
}

static int set_up(void **state)
{
    (void)state;
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    segment_dir_make(&dir);
    folder_make(folder, FOLDER_IN_TMP);
    snprintf(path, sizeof(path), "%s/x.sock", folder);
    return counts == MAP_FAILED ? -1 : chmod(folder, 0755); /* another user connects, too */
}

static int tear_down(void **state)
{
    (void)state;
    int status = 0;
    if (server_pid > 0) {
        kill(server_pid, SIGKILL);
        waitpid(server_pid, &status, 0);
        server_pid = 0;
        close(keeper);
    }
    folder_remove(folder);
    segment_dir_remove(&dir);
    munmap(counts, sizeof(*counts));
    return WIFEXITED(status) ? -1 : 0; /* it was to run until it was killed */
}

/* -------------------------------------------------------------------------------------------------- the test's side */

static bool await(const int *count, int n)
{
    for (int i = 0; i < WIRE_CLIENT_PATIENCE_MS; i++) {
        if (__atomic_load_n(count, __ATOMIC_ACQUIRE) >= n) /* pairs with the server's release */
            return true;
        usleep(1000);
    }
    return false;
}

static bool await_shown(uint32_t lane, bool detached)
{
    for (int i = 0; i < WIRE_CLIENT_PATIENCE_MS; i++) {
        if (counts->shown[lane].lane_id != 0 && (counts->shown[lane].detached == 1) == detached)
            return true;
        usleep(1000);
    }
    return false;
}

/* Plays the keeper: takes what is handed over, and acknowledges it. */
static struct keeper_message handed_over(void)
{
    struct keeper_message message;
    union wire_packet packet;
    int fds[4];
    assert_int_equal(wire_receive(keeper, &packet, fds), sizeof(message));
    memcpy(&message, packet.bytes, sizeof(message));
    assert_int_equal(message.kind, KEEPER_KEEP);
    assert_true(fds[0] >= 0 && fds[1] >= 0);
    assert_true(fcntl(fds[0], F_GET_SEALS) > 0);
    close(fds[0]);
    close(fds[1]);
    return message;
}

static void say_kept(struct keeper_message message, int error)
{
    message.kind = KEEPER_KEPT;
    message.error = error;
    assert_int_equal(send(keeper, &message, sizeof(message), 0), sizeof(message));
}

static struct keeper_message keep(int error)
{
    const struct keeper_message message = handed_over();
    say_kept(message, error);
    return message;
}

static struct keeper_message dropped(void)
{
    struct keeper_message message;
    union wire_packet packet;
    int fds[4];
    assert_int_equal(wire_receive(keeper, &packet, fds), sizeof(message));
    memcpy(&message, packet.bytes, sizeof(message));
    assert_int_equal(message.kind, KEEPER_DROP);
    return message;
}

static void close_all(int fds[4])
{
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void hung_up(int client)
{
    union wire_packet packet;
    int fds[4];
    assert_int_equal(wire_receive(client, &packet, fds), 0);
    close(client);
}

static int greeted(void)
{
    union wire_packet packet;
    int fds[4];
    const int client = wire_connect(path);
    assert_true(client >= 0);
    assert_true(wire_hello(client));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_welcome));
    assert_int_equal(packet.head.kind, WIRE_WELCOME);
    close_all(fds);
    return client;
}

static void refused(int client, int error, const char *why)
{
    union wire_packet packet;
    int fds[4];
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_refused));
    assert_int_equal(packet.head.kind, WIRE_REFUSED);
    assert_int_equal(packet.refused.error, error);
    assert_true(packet.refused.digest == layout_digest());
    assert_non_null(strstr(packet.refused.why, why));
}

static void make_lane(struct lane_writer *writer, uint64_t lane_id)
{
    writer_make(writer, lane_id);
}

/* Locks the lane as libtrip does: a second description holds the lock for as long as somebody holds that description.
 */
static int lock_lane(const struct lane_writer *writer)
{
    char second[64];
    snprintf(second, sizeof(second), "/proc/self/fd/%d", writer->fd);
    const int fd = open(second, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static uint32_t attached(int client, const struct lane_writer *writer)
{
    union wire_packet packet;
    int fds[4];
    assert_true(wire_attach(client, writer->memory->lane_id, &writer->fd, 1));
    keep(0);
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_attached));
    assert_int_equal(packet.head.kind, WIRE_ATTACHED);
    return packet.attached.lane;
}

static void test_a_client_is_welcomed_with_segment_and_commons(void **state)
{
    (void)state;
    serve_all();
    union wire_packet packet;
    int fds[4];
    struct segment_header header;
    const int client = wire_connect(path);
    assert_true(wire_hello(client));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_welcome));
    assert_int_equal(packet.welcome.slots, 0);
    assert_int_equal(packet.welcome.wants_pidfd, 0);
    assert_int_equal(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(pread(fds[0], &header, sizeof(header), 0), sizeof(header));
    assert_true(header.magic == SEGMENT_MAGIC);
    assert_true(header.segment_id == packet.welcome.segment_id);
    assert_true(header.size == packet.welcome.segment_size);
    assert_int_equal(lseek(fds[1], 0, SEEK_END), packet.welcome.commons_size);
    assert_true(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fds[0], 0) == MAP_FAILED);
    close_all(fds);
    close(client);
}

static void test_the_answer_comes_only_after_the_keeper_holds_the_lane(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer writer;
    union wire_packet packet;
    int fds[4];
    make_lane(&writer, 42);
    writer.memory->lost = 3;
    const int lock = lock_lane(&writer), client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1));
    struct pollfd answer = {.fd = client, .events = POLLIN}, handed_over = {.fd = keeper, .events = POLLIN};
    assert_int_equal(poll(&handed_over, 1, WIRE_CLIENT_PATIENCE_MS), 1);
    assert_int_equal(poll(&answer, 1, 50), 0);
    const struct keeper_message held = keep(0);
    assert_int_equal(held.number, 1);
    assert_int_equal(held.lane_id, 42);
    assert_int_equal(held.uid, getuid());
    assert_int_equal(held.pid, getpid());
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_attached));
    assert_int_equal(packet.attached.lane, 1);
    assert_int_equal(writer.memory->granted & 0xfff, 1);
    assert_true(await(&counts->came, 1));
    assert_true(await_shown(1, false));
    assert_int_equal(counts->shown[1].pid, getpid());
    assert_string_equal(counts->shown[1].program, "writer");
    assert_int_equal(counts->shown[1].lost, 3);
    close(client);
    close(lock);
    writer_free(&writer);
}

static void test_a_keeper_without_room_refuses_and_the_client_may_try_again(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer writer;
    make_lane(&writer, 42);
    const int lock = lock_lane(&writer), client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1));
    keep(-EMFILE);
    refused(client, -EMFILE, "raise LimitNOFILE=");
    assert_true(await(&counts->gone, 1));
    assert_int_equal(attached(client, &writer), 1);
    close(client);
    close(lock);
    writer_free(&writer);
}

/* Stops the server until SIGCONT: it then finds what came meanwhile, in the order in which it came. */
static void pause_server(void)
{
    int status;
    assert_int_equal(kill(server_pid, SIGSTOP), 0);
    assert_int_equal(waitpid(server_pid, &status, WUNTRACED), server_pid);
    assert_true(WIFSTOPPED(status));
}

/* The keeper answers, and then the client goes, before tripd looks: what it touches afterwards AddressSanitizer says.
 */
static void leave_while_kept(int error)
{
    struct lane_writer writer;
    make_lane(&writer, 42);
    const int lock = lock_lane(&writer), client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1));
    const struct keeper_message message = handed_over();
    pause_server();
    say_kept(message, error);
    close(client);
    close(lock);
    kill(server_pid, SIGCONT);
    writer_free(&writer);
}

static void test_a_client_that_left_while_the_keeper_took_its_lane_is_gone(void **state)
{
    (void)state;
    serve_all();
    leave_while_kept(0);
    assert_true(await(&counts->gone, 1));
    assert_int_equal(dropped().number, 1);
    leave_while_kept(-EMFILE);
    assert_true(await(&counts->gone, 2));
    close(greeted());
}

static void test_another_layout_is_refused_with_both_named(void **state)
{
    (void)state;
    serve_all();
    char expected[200];
    const struct wire_hello hello = {.head = wire_head_of(WIRE_HELLO), .digest = 0x123, .library = "9.9.9"};
    const int client = wire_connect(path);
    assert_true(wire_send(client, &hello, sizeof(hello), NULL, 0));
    snprintf(expected, sizeof(expected),
             "layout differs: libtrip 9.9.9 lays out shared memory as 0000000000000123, this tripd 0.1.0 as %016llx: "
             "install the same "
             "version of both",
             (unsigned long long)layout_digest());
    refused(client, -EPROTO, expected);
    assert_true(wire_resolve(client, 1, "db")); /* after a refusal there is only hanging up */
    hung_up(client);
}

static void test_a_user_without_the_role_is_told_which_one(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can be another user for a moment */
    static const struct server few = {.config = "access: {report: [\"user:0\"], control: [\"user:0\"]}"};
    serve_with(&few);
    assert_int_equal(seteuid(65534), 0);
    const int client = wire_connect(path);
    assert_int_equal(seteuid(0), 0);
    assert_true(wire_hello(client));
    refused(client, -EACCES, "uid 65534 lacks the role report: add its user or one of its groups to access.report");
    close(client);
    for (int i = 0; i < WIRE_CLIENT_PATIENCE_MS && __atomic_load_n(&counts->refused, __ATOMIC_ACQUIRE) == 0; i++)
        usleep(1000); /* pairs with the server's release */
    assert_int_equal(counts->refused, 1);
}

static void test_packets_that_are_none_end_the_connection(void **state)
{
    (void)state;
    serve_all();
    const struct wire_hello hello = {.head = wire_head_of(WIRE_HELLO), .digest = layout_digest()};
    const struct wire_attach attach = {.head = wire_head_of(WIRE_ATTACH), .lane_id = 1};
    struct wire_resolve other = {.head = wire_head_of(99)};
    int client = wire_connect(path);
    assert_true(wire_send(client, &hello, sizeof(hello) - 1, NULL, 0));
    hung_up(client);
    client = wire_connect(path);
    assert_true(wire_send(client, "trip", 4, NULL, 0));
    hung_up(client);
    client = wire_connect(path);
    assert_true(wire_send(client, &attach, sizeof(attach), NULL, 0)); /* before hello */
    hung_up(client);
    client = greeted();
    assert_true(wire_send(client, &attach, sizeof(attach), NULL, 0)); /* without a lane */
    hung_up(client);
    client = greeted();
    assert_true(wire_hello(client)); /* twice */
    hung_up(client);
    client = greeted();
    assert_true(wire_send(client, &other, sizeof(other), NULL, 0));
    hung_up(client);
    client = greeted();
    other.head = wire_head_of(WIRE_RESOLVE);
    other.head.magic = 0;
    assert_true(wire_send(client, &other, sizeof(other), NULL, 0));
    hung_up(client);
}

static void test_memory_that_is_no_lane_is_refused(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer unsealed = {0};
    writer_make_sized(&unsealed, 42, LANE_SIZE, 0);
    const int client = greeted();
    assert_true(wire_attach(client, 42, &unsealed.fd, 1));
    refused(client, -EINVAL, "not sealed");
    const int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(wire_attach(client, 42, &file, 1));
    refused(client, -EINVAL, "no memfd");
    close(file);
    close(client);
    writer_free(&unsealed);
}

static void test_a_lane_that_is_not_the_one_of_the_packet_is_refused(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer writer;
    make_lane(&writer, 42);
    const int client = greeted();
    assert_true(wire_attach(client, 43, &writer.fd, 1));
    refused(client, -EINVAL, "the lane has another id than the packet that brought it");
    assert_int_equal(attached(client, &writer), 1);
    close(client);
    writer_free(&writer);
}

static void test_one_process_attaches_once(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer writer, second;
    make_lane(&writer, 42);
    make_lane(&second, 43);
    const int lock = lock_lane(&writer), client = greeted(), other = greeted();
    assert_int_equal(attached(client, &writer), 1);
    assert_true(wire_attach(other, 43, &second.fd, 1));
    refused(other, -EBUSY, "this process has another lane");
    assert_true(wire_attach(other, 42, &writer.fd, 1));
    refused(other, -EEXIST, "a lane with this id is attached");
    close(client);
    close(other);
    close(lock);
    writer_free(&writer);
    writer_free(&second);
}

static void test_a_hang_up_detaches_and_the_same_lane_comes_back_under_its_number(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer writer;
    union wire_packet packet;
    int fds[4];
    make_lane(&writer, 42);
    const int lock = lock_lane(&writer);
    int client = greeted();
    assert_int_equal(attached(client, &writer), 1);
    assert_true(await_shown(1, false));
    close(client);
    assert_true(await_shown(1, true));
    assert_int_equal(counts->gone, 0);
    client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1)); /* the keeper has it: it is not asked again */
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_attached));
    assert_int_equal(packet.attached.lane, 1);
    assert_true(await_shown(1, false));
    assert_int_equal(counts->came, 2); /* at its attach, and when the keeper had it: not once more now */
    assert_int_equal(counts->gone, 0);
    close(client);
    close(lock);
    writer_free(&writer);
}

static void test_after_an_exec_the_lane_is_gone(void **state)
{
    (void)state;
    serve_all();
    struct lane_writer writer, second;
    make_lane(&writer, 42);
    make_lane(&second, 43);
    const int lock = lock_lane(&writer);
    int client = greeted();
    assert_int_equal(attached(client, &writer), 1);
    close(lock); /* as an exec does: the mapping goes, and the descriptor that held the lock with it */
    close(client);
    assert_true(await(&counts->gone, 1));
    assert_int_equal(dropped().number, 1);
    client = greeted();
    assert_int_equal(attached(client, &second), 1);
    close(client);
    writer_free(&writer);
    writer_free(&second);
}

/* A process that attaches, says so, and waits for its end. */
static pid_t attached_child(uint64_t lane_id, int *ret_end)
{
    int ends[2], fds[4];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct lane_writer writer;
        union wire_packet packet;
        close(ends[1]);
        const int client = wire_connect(path);
        writer_make(&writer, lane_id);
        if (!wire_hello(client) || wire_receive(client, &packet, fds) != sizeof(struct wire_welcome) ||
            !wire_attach(client, lane_id, &writer.fd, 1) ||
            wire_receive(client, &packet, fds) != sizeof(struct wire_attached))
            _exit(1);
        _exit(read(ends[0], &byte, 1) < 0);
    }
    close(ends[0]);
    *ret_end = ends[1];
    keep(0);
    assert_true(await_shown(1, false));
    return child;
}

static void test_a_killed_process_is_gone_at_once(void **state)
{
    (void)state;
    serve_all();
    int end;
    const pid_t child = attached_child(42, &end);
    assert_int_equal(counts->gone, 0);
    kill(child, SIGKILL);
    const uint64_t killed = monotonic_ns();
    assert_true(await(&counts->gone, 1));
    assert_true(monotonic_ns() - killed < UINT64_C(1000000000));
    assert_int_equal(dropped().number, 1);
    assert_int_equal(counts->number, 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(end);
}

static void test_a_users_memory_and_the_number_of_lanes_are_bounded(void **state)
{
    (void)state;
    serve_all();
    int ends[3];
    pid_t children[3];
    struct lane_writer writer;
    for (int i = 0; i < 3; i++)
        children[i] = attached_child((uint64_t)i + 1, &ends[i]);
    make_lane(&writer, 42);
    const int client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1));
    refused(client, -EDQUOT, "limits.lane_memory_per_user");
    assert_true(wire_resolve(client, 5, "db")); /* it may still ask for breakers */
    union wire_packet packet;
    int fds[4];
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_resolved));
    for (int i = 2; i >= 0; i--) { /* the later ones hold the earlier ones' pipes */
        close(ends[i]);
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
    }
    close(client);
    writer_free(&writer);
}

static void test_names_become_breakers(void **state)
{
    (void)state;
    serve_all();
    union wire_packet packet;
    struct wire_resolve endless = {.head = wire_head_of(WIRE_RESOLVE)};
    int fds[4];
    const int client = greeted();
    assert_true(wire_resolve(client, 5, "db"));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_resolved));
    assert_int_equal(packet.resolved.serial, 5);
    assert_int_equal(packet.resolved.error, 0);
    assert_int_equal(packet.resolved.breaker, 7);
    assert_true(wire_resolve(client, 6, "full"));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_resolved));
    assert_int_equal(packet.resolved.serial, 6);
    assert_int_equal(packet.resolved.error, -ENOSPC);
    memset(endless.name, 'x', sizeof(endless.name));
    assert_true(wire_send(client, &endless, sizeof(endless), NULL, 0));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_resolved));
    assert_int_equal(packet.resolved.error, -EINVAL);
    close(client);
}

static void test_without_peer_pidfds_the_client_sends_its_own(void **state)
{
    (void)state;
    static const struct server old_kernel = {.config = "access: {report: [any]}", .own_pidfds = true};
    serve_with(&old_kernel);
    union wire_packet packet;
    int fds[4];
    struct lane_writer writer;
    make_lane(&writer, 42);
    const int lock = lock_lane(&writer), client = wire_connect(path);
    assert_true(wire_hello(client));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_welcome));
    assert_int_equal(packet.welcome.wants_pidfd, 1);
    close_all(fds);
    assert_true(wire_attach(client, 42, &writer.fd, 1)); /* none */
    refused(client, -EBADMSG, "cannot be watched");
    int sent[2] = {writer.fd, (int)syscall(SYS_pidfd_open, server_pid, 0)};
    assert_true(wire_attach(client, 42, sent, 2)); /* another process's */
    refused(client, -EPERM, "cannot be watched");
    close(sent[1]);
    sent[1] = (int)syscall(SYS_pidfd_open, getpid(), 0);
    assert_true(wire_attach(client, 42, sent, 2));
    keep(0);
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_attached));
    close(sent[1]);
    close(client);
    close(lock);
    writer_free(&writer);
}

static void test_lanes_that_the_keeper_held_are_attached_again(void **state)
{
    (void)state;
    struct lane_writer writer;
    union wire_packet packet;
    int fds[4];
    make_lane(&writer, 42);
    const int lock = lock_lane(&writer);
    struct server after_a_crash = {.config = "access: {report: [any]}"};
    after_a_crash.lanes[3] = (struct keeper_lane){.lane_id = 42,
                                                  .number = 3,
                                                  .uid = getuid(),
                                                  .pid = getpid(),
                                                  .fd = writer_send(&writer),
                                                  .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0)};
    serve_with(&after_a_crash);
    close(after_a_crash.lanes[3].fd);
    close(after_a_crash.lanes[3].pidfd);
    assert_true(await(&counts->came, 1));
    assert_int_equal(counts->number, 3);
    assert_true(await_shown(3, true));
    const int client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1));
    assert_int_equal(wire_receive(client, &packet, fds), sizeof(struct wire_attached));
    assert_int_equal(packet.attached.lane, 3);
    assert_true(await_shown(3, false));
    close(client);
    close(lock);
    writer_free(&writer);
}

static void test_a_lane_that_was_set_aside_is_left_alone(void **state)
{
    (void)state;
    struct lane_writer writer, fresh;
    make_lane(&writer, 42);
    make_lane(&fresh, 43);
    const int lock = lock_lane(&fresh);
    struct server after_crashes = {.config = "access: {report: [any]}"};
    after_crashes.lanes[LANES_MAX + 1] = (struct keeper_lane){.lane_id = 42,
                                                              .number = LANES_MAX + 1,
                                                              .uid = getuid(),
                                                              .pid = getpid(),
                                                              .fd = writer_send(&writer),
                                                              .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0),
                                                              .deaths = 2};
    serve_with(&after_crashes);
    close(after_crashes.lanes[LANES_MAX + 1].fd);
    close(after_crashes.lanes[LANES_MAX + 1].pidfd);
    const int client = greeted();
    assert_true(wire_attach(client, 42, &writer.fd, 1));
    refused(client, -EPERM, "is set aside: restart this process");
    assert_int_equal(counts->came, 0);
    assert_int_equal(attached(client, &fresh), 1); /* the process may begin anew */
    close(client);
    close(lock);
    writer_free(&writer);
    writer_free(&fresh);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_client_is_welcomed_with_segment_and_commons),
        TEST(test_the_answer_comes_only_after_the_keeper_holds_the_lane),
        TEST(test_a_keeper_without_room_refuses_and_the_client_may_try_again),
        TEST(test_a_client_that_left_while_the_keeper_took_its_lane_is_gone),
        TEST(test_another_layout_is_refused_with_both_named),
        TEST(test_a_user_without_the_role_is_told_which_one),
        TEST(test_packets_that_are_none_end_the_connection),
        TEST(test_memory_that_is_no_lane_is_refused),
        TEST(test_a_lane_that_is_not_the_one_of_the_packet_is_refused),
        TEST(test_one_process_attaches_once),
        TEST(test_a_hang_up_detaches_and_the_same_lane_comes_back_under_its_number),
        TEST(test_after_an_exec_the_lane_is_gone),
        TEST(test_a_killed_process_is_gone_at_once),
        TEST(test_a_users_memory_and_the_number_of_lanes_are_bounded),
        TEST(test_names_become_breakers),
        TEST(test_without_peer_pidfds_the_client_sends_its_own),
        TEST(test_lanes_that_the_keeper_held_are_attached_again),
        TEST(test_a_lane_that_was_set_aside_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
