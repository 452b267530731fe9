#include "loop/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "internal/ticks.h"

/* How long a listener rests when there is no descriptor or memory for a new connection; callers wait in its backlog. */
#define LISTENER_REST_NS UINT64_C(100000000)

/* How often loop_free looks whether the kernel has given back what was cancelled, 100 ms each. */
#define FREE_ROUNDS 20

static int open_backend(struct loop *loop, enum loop_backend backend, const char **ret_why)
{
    bool futex = false;
    const int error = backend == LOOP_EPOLL ? 0 : loop_uring_open(loop, &futex);
    if (backend != LOOP_EPOLL && error == 0) {
        *ret_why = futex ? "io_uring, doorbell by its futex wait"
                         : "io_uring; doorbell by a helper thread, for this kernel's io_uring cannot wait on a futex "
                           "(Linux 6.7 can)";
        return 0;
    }
    if (backend == LOOP_URING)
        return error;
    switch (-error) {
    case 0:
        *ret_why = "epoll, as asked; doorbell by a helper thread";
        break;
    case EPERM:
    case EACCES:
        *ret_why = "epoll, doorbell by a helper thread: io_uring is forbidden here (see sysctl "
                   "kernel.io_uring_disabled, and the seccomp filter of the container or unit)";
        break;
    case ENOSYS:
        *ret_why = "epoll, doorbell by a helper thread: this kernel has no io_uring, or a seccomp filter hides it";
        break;
    case EINVAL:
        *ret_why = "epoll, doorbell by a helper thread: this kernel's io_uring is older than Linux 6.1";
        break;
    case ENOMEM:
        *ret_why = "epoll, doorbell by a helper thread: no memory for io_uring (raise RLIMIT_MEMLOCK, LimitMEMLOCK= "
                   "in the unit)";
        break;
    default:
        *ret_why = "epoll, doorbell by a helper thread: io_uring could not be set up";
        break;
    }
    return loop_epoll_open(loop);
}

int loop_new(struct loop **ret_loop, enum loop_backend backend, const char **ret_why)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return -ENOMEM;
    loop_link_init(&loop->sources);
    loop_link_init(&loop->removed);
    loop_link_init(&loop->timers);
    loop->signals.fd = -1;
    const char *why = NULL;
    int error = closer_start(&loop->closer);
    if (error == 0)
        error = open_backend(loop, backend, &why);
    if (error < 0) {
        closer_stop(loop->closer);
        free(loop);
        return error;
    }
    *ret_loop = loop;
    *ret_why = why;
    return 0;
}

static struct loop_source *source_of(struct loop_link *link)
{
    return (struct loop_source *)link;
}

static void free_source(struct loop_source *source)
{
    loop_link_remove(&source->link);
    if (source->kind == LOOP_CONNECTION)
        closer_close(source->loop->closer, source->fd);
    free(source);
}

/* Frees the removed sources of which the kernel holds no operation any more. */
static void sweep(struct loop *loop)
{
    struct loop_link *link = loop->removed.next;
    while (link != &loop->removed) {
        struct loop_source *source = source_of(link);
        link = link->next;
        if (source->armed == 0)
            free_source(source);
    }
}

static void remove_any(struct loop_source *source)
{
    switch (source->kind) {
    case LOOP_LISTENER:
        loop_listener_remove((struct loop_listener *)source);
        break;
    case LOOP_CONNECTION:
        loop_connection_close((struct loop_connection *)source);
        break;
    case LOOP_WATCH:
        loop_watch_remove((struct loop_watch *)source);
        break;
    }
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;
    while (!loop_link_alone(&loop->sources))
        remove_any(source_of(loop->sources.next));
    loop_doorbell_close(loop);
    sweep(loop);
    for (unsigned i = 0; i < FREE_ROUNDS && !loop_link_alone(&loop->removed); i++) {
        if (loop->ops->wait(loop, 100 * UINT64_C(1000000)) < 0)
            break;
        loop->ops->dispatch(loop);
        sweep(loop);
    }
    loop->ops->close(loop);
    /* Without the ring the kernel holds no operation any more. */
    while (!loop_link_alone(&loop->removed))
        free_source(source_of(loop->removed.next));
    closer_stop(loop->closer);
    if (loop->signals.fd >= 0)
        close(loop->signals.fd);
    free(loop);
    return NULL;
}

enum loop_backend loop_backend(const struct loop *loop)
{
    return loop->ops->backend;
}

void loop_close_foreign(struct loop *loop, int fd)
{
    closer_close(loop->closer, fd);
}

bool loop_cannot_close(struct loop *loop)
{
    return closer_stuck(loop->closer);
}

uint64_t loop_wakeups(const struct loop *loop)
{
    return loop->wakeups;
}

uint64_t loop_asleep_ns(const struct loop *loop)
{
    return loop->asleep_ns;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

static int iterate(struct loop *loop)
{
    loop_timers_fire(loop, monotonic_ns());
    if (loop->stopped)
        return 0;
    const uint64_t now_ns = monotonic_ns();
    const uint64_t doorbell_ns = loop_doorbell_sleep(loop, now_ns);
    const uint64_t timer_ns = loop_timers_timeout(loop, now_ns); /* `pending` may have armed a timer */
    const int error = loop->ops->wait(loop, doorbell_ns < timer_ns ? doorbell_ns : timer_ns);
    loop->asleep_ns += monotonic_ns() - now_ns;
    loop_doorbell_woke(loop);
    if (error < 0)
        return error;
    loop->ops->dispatch(loop);
    loop_doorbell_answer(loop);
    sweep(loop);
    return loop->error;
}

int loop_run(struct loop *loop)
{
    int error = 0;
    loop->stopped = false;
    while (!loop->stopped && error == 0)
        error = iterate(loop);
    return error;
}

/* Makes `source` known to the backend. On failure the caller frees it. */
static int add_source(struct loop *loop, struct loop_source *source, enum loop_kind kind, int fd)
{
    source->loop = loop;
    source->kind = kind;
    source->fd = fd;
    const int error = loop->ops->add(source);
    if (error < 0)
        return error;
    loop_link_insert_after(loop->sources.previous, &source->link);
    return 0;
}

static void set_wanted(struct loop_source *source, unsigned wanted)
{
    if (source->removed || source->wanted == wanted)
        return;
    source->wanted = wanted;
    source->loop->ops->refresh(source);
}

void loop_source_remove(struct loop_source *source)
{
    source->removed = true;
    source->wanted = 0;
    source->loop->ops->remove(source);
    loop_link_remove(&source->link);
    loop_link_insert_after(source->loop->removed.previous, &source->link);
}

static void listener_retry(void *context, struct loop_timer *timer)
{
    (void)timer;
    struct loop_listener *listener = context;
    set_wanted(&listener->source, LOOP_INPUT);
}

int loop_listen(struct loop *loop, int fd, loop_accepted_fn *accepted, void *context,
                struct loop_listener **ret_listener)
{
    struct loop_listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return -ENOMEM;
    listener->accepted = accepted;
    listener->context = context;
    int error = loop_timer_new(loop, listener_retry, listener, &listener->retry);
    if (error == 0)
        error = add_source(loop, &listener->source, LOOP_LISTENER, fd);
    if (error < 0) {
        loop_timer_free(listener->retry);
        free(listener);
        return error;
    }
    set_wanted(&listener->source, LOOP_INPUT);
    *ret_listener = listener;
    return 0;
}

void loop_listener_remove(struct loop_listener *listener)
{
    if (!listener || listener->source.removed)
        return;
    listener->retry = loop_timer_free(listener->retry);
    loop_source_remove(&listener->source);
}

void loop_listener_ready(struct loop_listener *listener, int fd)
{
    struct loop *loop = listener->source.loop;
    if (listener->source.removed) {
        closer_close(loop->closer, fd);
        return;
    }
    struct loop_connection *connection = fd >= 0 ? loop_connection_new(loop, fd) : NULL;
    if (connection) {
        listener->accepted(listener->context, connection);
        return;
    }
    closer_close(loop->closer, fd);
    if (fd == -ECONNABORTED || fd == -EINTR || fd == -EAGAIN || fd == -ECANCELED)
        return;
    set_wanted(&listener->source, 0);
    loop_timer_arm(listener->retry, monotonic_ns() + LISTENER_REST_NS);
}

int loop_watch_add(struct loop *loop, int fd, loop_ready_fn *ready, void *context, struct loop_watch **ret_watch)
{
    if (fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    struct loop_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->ready = ready;
    watch->context = context;
    const int error = add_source(loop, &watch->source, LOOP_WATCH, fd);
    if (error < 0) {
        free(watch);
        return error;
    }
    set_wanted(&watch->source, LOOP_INPUT);
    *ret_watch = watch;
    return 0;
}

void loop_watch_remove(struct loop_watch *watch)
{
    if (watch && !watch->source.removed)
        loop_source_remove(&watch->source);
}

void loop_watch_ready(struct loop_watch *watch)
{
    if (!watch->source.removed)
        watch->ready(watch->context, watch);
}

static void signals_ready(void *context, struct loop_watch *watch)
{
    (void)watch;
    struct loop *loop = context;
    struct signalfd_siginfo info;
    /* Reads one signal in each iteration: the watch is level-triggered, and a handler may stop the loop. */
    if (read(loop->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        loop->signals.signalled(loop->signals.context, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const int *signals, size_t count, loop_signalled_fn *signalled, void *context)
{
    if (loop->signals.fd >= 0)
        return -EBUSY;
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < count; i++)
        if (sigaddset(&mask, signals[i]) < 0)
            return -EINVAL;
    const int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int error = -pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if (error == 0)
        error = loop_watch_add(loop, fd, signals_ready, loop, &loop->signals.watch);
    if (error < 0) {
        close(fd);
        return error;
    }
    loop->signals.fd = fd;
    loop->signals.signalled = signalled;
    loop->signals.context = context;
    return 0;
}
