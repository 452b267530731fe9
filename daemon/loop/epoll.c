/* The epoll backend, for kernels that refuse io_uring. A source that wants nothing stays registered, edge-triggered and
 * for no event, so that wanting something again cannot fail. */
#include "loop/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 64

struct loop_epoll {
    int fd;
    int ready; /* events that are still to be dispatched */
    struct epoll_event events[EVENTS];
};

static struct loop_epoll *epoll_of(const struct loop *loop)
{
    return loop->backend;
}

static struct epoll_event event_of(struct loop_source *source)
{
    uint32_t events = source->wanted ? 0 : EPOLLET;
    if (source->wanted & LOOP_INPUT)
        events |= EPOLLIN;
    if (source->wanted & LOOP_OUTPUT)
        events |= EPOLLOUT;
    return (struct epoll_event){.events = events, .data.ptr = source};
}

static int epoll_add(struct loop_source *source)
{
    /* Nonblocking: if the caller is gone by the time of accept, accept must not wait for the next one. */
    if (source->kind == LOOP_LISTENER) {
        const int flags = fcntl(source->fd, F_GETFL);
        if (flags < 0 || fcntl(source->fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return -errno;
    }
    struct epoll_event event = event_of(source);
    return epoll_ctl(epoll_of(source->loop)->fd, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

static void epoll_refresh(struct loop_source *source)
{
    struct epoll_event event = event_of(source);
    if (epoll_ctl(epoll_of(source->loop)->fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
        source->loop->error = -errno;
}

static void epoll_remove(struct loop_source *source)
{
    epoll_ctl(epoll_of(source->loop)->fd, EPOLL_CTL_DEL, source->fd, NULL);
}

static int epoll_wait_ready(struct loop *loop, uint64_t timeout_ns)
{
    struct loop_epoll *epoll = epoll_of(loop);
    const uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 > 0); /* never early */
    int timeout = -1;
    if (timeout_ns != LOOP_NEVER)
        timeout = ms < 1000000 ? (int)ms : 1000000;
    if (timeout != 0)
        loop->wakeups++;
    const int ready = epoll_wait(epoll->fd, epoll->events, EVENTS, timeout);
    epoll->ready = ready > 0 ? ready : 0;
    return ready < 0 && errno != EINTR ? -errno : 0;
}

static void accept_ready(struct loop_listener *listener)
{
    for (unsigned i = 0; i < LOOP_BURST && listener->source.wanted; i++) {
        const int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC);
        const int result = fd >= 0 ? fd : -errno;
        if (result == -EAGAIN)
            return;
        loop_listener_ready(listener, result);
    }
}

static void source_ready(struct loop_source *source, uint32_t events)
{
    const bool ended = events & (EPOLLHUP | EPOLLERR);
    if ((source->wanted & LOOP_INPUT) && (ended || (events & EPOLLIN))) {
        if (source->kind == LOOP_LISTENER)
            accept_ready((struct loop_listener *)source);
        else if (source->kind == LOOP_CONNECTION)
            loop_connection_readable((struct loop_connection *)source);
        else
            loop_watch_ready((struct loop_watch *)source);
    }
    if ((source->wanted & LOOP_OUTPUT) && (ended || (events & EPOLLOUT)))
        loop_connection_writable((struct loop_connection *)source);
}

/* A source that a handler removed in this round wants nothing any more, and is freed after the last event. */
static void epoll_dispatch(struct loop *loop)
{
    struct loop_epoll *epoll = epoll_of(loop);
    for (int i = 0; i < epoll->ready; i++)
        source_ready(epoll->events[i].data.ptr, epoll->events[i].events);
    epoll->ready = 0;
}

static void epoll_close(struct loop *loop)
{
    close(epoll_of(loop)->fd);
    free(loop->backend);
}

static const struct loop_backend_ops epoll_ops = {
    .backend = LOOP_EPOLL,
    .close = epoll_close,
    .wait = epoll_wait_ready,
    .dispatch = epoll_dispatch,
    .add = epoll_add,
    .refresh = epoll_refresh,
    .remove = epoll_remove,
};

int loop_epoll_open(struct loop *loop)
{
    struct loop_epoll *epoll = calloc(1, sizeof(*epoll));
    if (!epoll)
        return -ENOMEM;
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll->fd < 0) {
        const int error = -errno;
        free(epoll);
        return error;
    }
    loop->backend = epoll;
    loop->ops = &epoll_ops;
    return 0;
}
