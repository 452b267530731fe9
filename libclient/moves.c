#include "moves.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct moves moves_none(void)
{
    return (struct moves){.poll = {.fd = -1}, .told = {.fd = -1}, .timer = {.fd = -1}};
}

static int add(const struct moves *moves, int fd)
{
    struct epoll_event readable = {.events = EPOLLIN};
    return epoll_ctl(moves->poll.fd, EPOLL_CTL_ADD, fd, &readable) < 0 && errno != EEXIST ? -errno : 0;
}

static void remove_from(const struct moves *moves, int fd)
{
    if (descriptor_valid(&moves->poll))
        (void)epoll_ctl(moves->poll.fd, EPOLL_CTL_DEL, fd, NULL); /* it may not be there */
}

int moves_poll(struct moves *moves)
{
    if (descriptor_valid(&moves->poll))
        return 0;
    moves_close(moves);
    const int fd = descriptor_raise(epoll_create1(EPOLL_CLOEXEC));
    if (fd < 0)
        return -errno;
    moves->poll = descriptor_own(fd);
    const int timer = descriptor_raise(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    int error = timer < 0 ? -errno : add(moves, timer);
    if (timer >= 0)
        moves->timer = descriptor_own(timer);
    if (error < 0)
        moves_close(moves);
    return error;
}

void moves_take(struct moves *moves, int fd)
{
    const int own = descriptor_copy(fd);
    moves_end(moves);
    if (own < 0)
        return; /* the next step asks again */
    moves->told = descriptor_own(own);
    moves->asked = true;
    if (!descriptor_valid(&moves->poll) || add(moves, own) < 0)
        moves_end(moves);
}

void moves_read(struct moves *moves)
{
    char bytes[64];
    uint64_t times;
    ssize_t size = -1;
    if (descriptor_valid(&moves->timer))
        (void)!read(moves->timer.fd, &times, sizeof(times));
    if (!descriptor_valid(&moves->told))
        return;
    while ((size = recv(moves->told.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) == sizeof(bytes))
        ;
    if (size == 0) /* tripd is gone */
        moves_end(moves);
}

/* first_ns, then each every_ns; 0: never. */
static void set_timer(const struct moves *moves, long first_ns, time_t every_s)
{
    const struct itimerspec times = {.it_value = {.tv_sec = first_ns ? 0 : every_s, .tv_nsec = first_ns},
                                     .it_interval = {.tv_sec = every_s}};
    if (descriptor_valid(&moves->timer))
        (void)timerfd_settime(moves->timer.fd, 0, &times, NULL);
}

void moves_wake(const struct moves *moves)
{
    if (moves->poll.fd >= 0)
        set_timer(moves, 1, 0);
}

static bool ticks(const struct moves *moves)
{
    struct itimerspec times;
    return timerfd_gettime(moves->timer.fd, &times) == 0 && times.it_interval.tv_sec != 0;
}

void moves_follow(const struct moves *moves, int socket)
{
    if (moves->poll.fd < 0 || !descriptor_valid(&moves->timer))
        return;
    const bool told = moves->told.fd >= 0;
    if (socket >= 0 && told)
        remove_from(moves, socket);
    else if (socket >= 0)
        (void)add(moves, socket);
    if (told == ticks(moves))
        set_timer(moves, told, !told); /* one last time, or each second */
}

void moves_end(struct moves *moves)
{
    if (descriptor_valid(&moves->told))
        remove_from(moves, moves->told.fd);
    descriptor_close(&moves->told);
    moves->asked = false;
}

void moves_forked(struct moves *moves)
{
    descriptor_close(&moves->told);
    descriptor_close(&moves->timer);
    descriptor_close(&moves->poll);
    moves->asked = false;
}

void moves_close(struct moves *moves)
{
    moves_end(moves);
    descriptor_close(&moves->timer);
    descriptor_close(&moves->poll);
}
