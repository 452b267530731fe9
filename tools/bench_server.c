#include "bench_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define BREAKER "impact/upstream"

static const char question[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
static const char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char answer_denied[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
static const char answer_failed[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

/* --------------------------------------------------------------------------------------- both sides of a connection */

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        bench_fail("cannot listen on the loopback", errno);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void send_at_once(int fd)
{
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

int server_connect(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        bench_fail("cannot connect on the loopback", errno);
    send_at_once(fd);
    return fd;
}

static bool send_all(int fd, const char *text, size_t size)
{
    return send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Receives a request or an answer. It has no body: an empty line ends it. */
static bool receive_head(int fd, char *head, size_t room)
{
    for (size_t size = 0; size < room - 1;) {
        const ssize_t more = recv(fd, head + size, room - 1 - size, 0);
        if (more <= 0)
            return false;
        size += (size_t)more;
        head[size] = '\0';
        if (strstr(head, "\r\n\r\n"))
            return true;
    }
    return false;
}

bool server_ask(int connection)
{
    char head[512];
    return send_all(connection, question, sizeof(question) - 1) && receive_head(connection, head, sizeof(head)) &&
           strncmp(head, answer_ok, sizeof("HTTP/1.1 200") - 1) == 0;
}

static pid_t fork_bound_to(pid_t parent)
{
    const pid_t pid = fork();
    if (pid < 0)
        bench_fail("cannot fork", errno);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

static void kill_and_reap(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --------------------------------------------- the upstream: one process, which answers all connections as they ask */

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        _exit(1);
}

static _Noreturn void answer_all(int listener)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event event;
        char head[512];
        if (epoll_wait(epoll, &event, 1, -1) != 1)
            continue;
        if (event.data.fd == listener) {
            const int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (connection < 0)
                continue;
            send_at_once(connection);
            watch(epoll, connection);
        } else if (!receive_head(event.data.fd, head, sizeof(head)) ||
                   !send_all(event.data.fd, answer_ok, sizeof(answer_ok) - 1)) {
            close(event.data.fd);
        }
    }
}

void upstream_start(struct upstream *upstream)
{
    const int listener = listen_anywhere(&upstream->port);
    upstream->process = fork_bound_to(getpid());
    if (upstream->process == 0)
        answer_all(listener);
    close(listener);
}

void upstream_stop(struct upstream *upstream)
{
    kill_and_reap(upstream->process);
}

/* ------------------------------------------------------------------------------------------------------- the server */

/* Handles a request. A request with libtrip differs from one without only in this function. */
static const char *handle(int upstream, trip_breaker *breaker)
{
    trip_call call;
    if (!breaker)
        return server_ask(upstream) ? answer_ok : answer_failed;
    if (!trip_admitted(trip_begin(breaker, &call)))
        return answer_denied;
    const bool answered = server_ask(upstream);
    trip_end(&call, answered ? TRIP_OK : TRIP_FAILURE);
    return answered ? answer_ok : answer_failed;
}

static void serve(int client, int upstream, trip_breaker *breaker)
{
    char head[512];
    while (receive_head(client, head, sizeof(head))) {
        const char *const answer = handle(upstream, breaker);
        if (!send_all(client, answer, strlen(answer)))
            return;
    }
}

static trip_breaker *shared_breaker(void)
{
    trip_client *const client = stage_client();
    trip_breaker *const breaker = stage_breaker(client, BREAKER);
    trip_info info = {.client = TRIP_CLIENT_PRIVATE};
    while (info.client != TRIP_CLIENT_SHARED) {
        bench_nap_us(1000);
        trip_breaker_info(breaker, &info);
    }
    return breaker;
}

static _Noreturn void work(int listener, const struct upstream *upstream, bool with_libtrip, int ready)
{
    trip_breaker *const breaker = with_libtrip ? shared_breaker() : NULL;
    const int asked = server_connect(upstream->port);
    if (write(ready, "", 1) != 1)
        _exit(1);
    close(ready);
    for (;;) {
        const int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        send_at_once(client);
        serve(client, asked, breaker);
        close(client);
    }
}

void server_start(struct server *server, const struct upstream *upstream, bool with_libtrip)
{
    int ready[2];
    char byte;
    if (pipe(ready) < 0)
        bench_fail("no pipe", errno);
    server->listener = listen_anywhere(&server->port);
    const pid_t parent = getpid();
    for (unsigned i = 0; i < SERVER_WORKERS; i++) {
        server->workers[i] = fork_bound_to(parent);
        if (server->workers[i] == 0) {
            close(ready[0]);
            work(server->listener, upstream, with_libtrip, ready[1]);
        }
    }
    close(ready[1]);
    for (unsigned i = 0; i < SERVER_WORKERS; i++)
        if (read(ready[0], &byte, 1) != 1)
            bench_fail("a worker of the server ended before it began", ECHILD);
    close(ready[0]);
}

void server_stop(struct server *server)
{
    for (unsigned i = 0; i < SERVER_WORKERS; i++)
        kill_and_reap(server->workers[i]);
    close(server->listener);
}
