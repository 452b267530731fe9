/* The dependency of the demo: an HTTP server that answers each request with 200 and closes the connection.
 *
 *   upstream PORT    SIGUSR1: hang (accepts and never answers) | SIGUSR2: answer again | SIGKILL: be dead
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

#define CONNECTIONS_MAX 1024

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

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

/* A request of a health check or a proxy fits one segment: what came is the request. */
static void serve(int fd)
{
    char request[2048];
    if (read(fd, request, sizeof(request)) > 0)
        (void)!write(fd, answer, sizeof(answer) - 1);
    close(fd);
}

int main(int argc, char **argv)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC), signal_fd = signals();
    const int listener = argc == 2 ? listen_on((uint16_t)atoi(argv[1])) : -EINVAL;
    if (listener < 0) {
        fprintf(stderr, "upstream: cannot listen on port %s: %s\n", argc == 2 ? argv[1] : "(none given)",
                strerror(-listener));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    watch(epoll, signal_fd);
    watch(epoll, listener);
    bool hung = false;
    int held[CONNECTIONS_MAX], held_count = 0;
    for (;;) {
        struct epoll_event events[64];
        const int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            struct signalfd_siginfo info;
            if (fd == signal_fd && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
                hung = info.ssi_signo == SIGUSR1;
                while (!hung && held_count)
                    close(held[--held_count]);
            } else if (fd == listener) {
                const int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (connection >= 0)
                    watch(epoll, connection);
            } else if (hung && held_count < CONNECTIONS_MAX) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
                held[held_count++] = fd;
            } else {
                serve(fd);
            }
        }
    }
}
