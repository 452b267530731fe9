/* The dependency of the demo: an HTTP server that answers each request with 200 and closes the connection, and counts
 * what it sees in the record.
 *
 *   upstream PORT RECORD answer | reset | slow
 *
 * answer: at once. reset: breaks each connection off. slow: works on 10 requests at the same time, 100 ms each; the
 * others wait for their turn.
 * SIGUSR1: hang (accepts and never answers) | SIGUSR2: answer again | SIGKILL: be dead
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record.h"

#define CONNECTIONS_MAX 1024
#define SLOW_NS         UINT64_C(100000000)
#define SLOW_CAPACITY   10

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

struct request {
    int fd;
    uint64_t done_ns;
};

struct upstream {
    bool hung, resets;
    uint64_t work_ns; /* for each request */
    uint64_t taken, answered;
    struct request requests[CONNECTIONS_MAX]; /* taken ones, by number: the first to come is the first to be done */
    struct record_upstream *seen;
};

static int listen_on(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, CONNECTIONS_MAX) < 0)
        return -errno;
    return fd;
}

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static struct request *request_of(struct upstream *upstream, uint64_t number)
{
    return &upstream->requests[number % CONNECTIONS_MAX];
}

/* Returns when a request is done. Its work begins when a place is free: when the request SLOW_CAPACITY before it is
 * done. */
static uint64_t done_ns(struct upstream *upstream)
{
    const uint64_t number = upstream->taken, now = record_now_ns();
    const uint64_t free_ns = number < SLOW_CAPACITY ? 0 : request_of(upstream, number - SLOW_CAPACITY)->done_ns;
    return (free_ns > now ? free_ns : now) + upstream->work_ns;
}

/* Takes a request. One of a health check or a proxy fits one segment, so that what came is the whole request. A
 * connection that is closed unread is reset. */
static void take(struct upstream *upstream, int fd)
{
    char text[2048];
    const uint64_t at_once = upstream->taken - upstream->answered;
    upstream->seen->requests++;
    if (upstream->resets || at_once == CONNECTIONS_MAX || read(fd, text, sizeof(text)) <= 0) {
        close(fd);
        return;
    }
    *request_of(upstream, upstream->taken) = (struct request){.fd = fd, .done_ns = done_ns(upstream)};
    upstream->taken++;
    if (at_once + 1 > upstream->seen->most)
        upstream->seen->most = at_once + 1;
}

static void answer_done(struct upstream *upstream)
{
    while (!upstream->hung && upstream->answered < upstream->taken) {
        const struct request *request = request_of(upstream, upstream->answered);
        if (request->done_ns > record_now_ns())
            return;
        upstream->answered++;
        (void)!write(request->fd, answer, sizeof(answer) - 1);
        close(request->fd);
    }
}

/* Returns how long epoll_wait may wait: until the next request is done. */
static int timeout_ms(struct upstream *upstream)
{
    if (upstream->hung || upstream->answered == upstream->taken)
        return -1;
    const uint64_t at_ns = request_of(upstream, upstream->answered)->done_ns, now = record_now_ns();
    return at_ns > now ? (int)((at_ns - now) / 1000000) + 1 : 0;
}

static bool parse(int argc, char **argv, struct upstream *upstream)
{
    if (argc != 4)
        return false;
    upstream->resets = strcmp(argv[3], "reset") == 0;
    upstream->work_ns = strcmp(argv[3], "slow") == 0 ? SLOW_NS : 0;
    return upstream->resets || upstream->work_ns || strcmp(argv[3], "answer") == 0;
}

int main(int argc, char **argv)
{
    static struct upstream upstream;
    if (!parse(argc, argv, &upstream)) {
        fprintf(stderr, "usage: upstream PORT RECORD answer|reset|slow\n");
        return 2;
    }
    struct record *record = record_map(argv[2]);
    if (!record) {
        fprintf(stderr, "upstream: cannot map the record: %s\n", strerror(errno));
        return 1;
    }
    const int epoll = epoll_create1(EPOLL_CLOEXEC), signal_fd = signals();
    const int listener = listen_on((uint16_t)atoi(argv[1]));
    if (listener < 0) {
        fprintf(stderr, "upstream: cannot listen on port %s: %s\n", argv[1], strerror(-listener));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    watch(epoll, signal_fd);
    watch(epoll, listener);
    upstream.seen = &record->upstream;
    for (;;) {
        struct epoll_event events[64];
        const int count = epoll_wait(epoll, events, 64, timeout_ms(&upstream));
        answer_done(&upstream); /* before later requests are counted */
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            struct signalfd_siginfo info;
            if (fd == signal_fd && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
                upstream.hung = info.ssi_signo == SIGUSR1;
            } else if (fd == listener) {
                const int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (connection >= 0)
                    watch(epoll, connection);
            } else {
                epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
                take(&upstream, fd);
                answer_done(&upstream);
            }
        }
    }
}
