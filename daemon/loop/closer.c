#include "loop/closer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "internal/ticks.h"

#define HELD_NS       UINT64_C(100000000)  /* without progress: then another thread begins */
#define STUCK_NS      UINT64_C(1000000000) /* without progress of any thread */
#define STACK_SIZE    ((size_t)256 << 10)
#define QUEUED_MAX    4096 /* packets or connections that are taken out of one socket: more than the kernel queues */
#define PACKET_FDS    253  /* that the kernel passes with one (SCM_MAX_FD) */
#define PENDING_FIRST 64

struct closer {
    pthread_mutex_t mutex;
    pthread_cond_t work, ended;
    int *fds; /* first to count are still to be closed */
    size_t first, count, room;
    pthread_t started[CLOSER_THREADS];
    unsigned threads, idle, ended_count;
    uint64_t moved_ns; /* when a thread was last done with one or began, or the first of those that wait came */
    bool stopping;
};

/* ---- the queue; the mutex is held */

static bool empty(const struct closer *closer)
{
    return closer->first == closer->count;
}

static bool make_room(struct closer *closer)
{
    if (closer->first > 0) {
        memmove(closer->fds, closer->fds + closer->first, (closer->count - closer->first) * sizeof(int));
        closer->count -= closer->first;
        closer->first = 0;
        return true;
    }
    const size_t room = closer->room ? closer->room * 2 : PENDING_FIRST;
    int *fds = realloc(closer->fds, room * sizeof(int));
    if (!fds)
        return false;
    closer->fds = fds;
    closer->room = room;
    return true;
}

static bool put(struct closer *closer, int fd)
{
    if (closer->count == closer->room && !make_room(closer))
        return false;
    if (empty(closer))
        closer->moved_ns = monotonic_ns();
    closer->fds[closer->count++] = fd;
    return true;
}

static int take(struct closer *closer)
{
    const int fd = closer->fds[closer->first++];
    if (closer->first == closer->count)
        closer->first = closer->count = 0;
    return fd;
}

/* ---- closing */

static bool option_is(int fd, int option, int value)
{
    int found;
    socklen_t size = sizeof(found);
    return getsockopt(fd, SOL_SOCKET, option, &found, &size) == 0 && found == value;
}

static void close_received(struct closer *closer, struct msghdr *header)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        int fds[PACKET_FDS];
        const size_t bytes = part->cmsg_len - CMSG_LEN(0);
        memcpy(fds, CMSG_DATA(part), bytes);
        closer_close_all(closer, fds, bytes / sizeof(int));
    }
}

/* One packet, or a piece of a stream. False: there is no more. With SO_PASSCRED each packet has credentials, even one
 * without bytes; the end has none. */
static bool receive_one(struct closer *closer, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    char bytes[4096];
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    const ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno == EINTR || errno == ECONNRESET;
    close_received(closer, &header);
    return size > 0 || header.msg_controllen > 0;
}

/* Connections that wait in a listening socket hold packets, too. */
static bool accept_one(struct closer *closer, int fd)
{
    const int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    closer_close(closer, accepted);
    return accepted >= 0 || errno == EINTR;
}

static void empty_unix_socket(struct closer *closer, int fd)
{
    const int yes = 1;
    const bool listens = option_is(fd, SO_ACCEPTCONN, 1);
    shutdown(fd, SHUT_RD); /* nothing more comes meanwhile */
    if (listens && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
    for (unsigned i = 0; i < QUEUED_MAX; i++)
        if (!(listens ? accept_one(closer, fd) : receive_one(closer, fd)))
            return;
}

static void close_foreign(struct closer *closer, int fd)
{
    const struct linger off = {.l_onoff = 0};
    if (option_is(fd, SO_DOMAIN, AF_UNIX))
        empty_unix_socket(closer, fd);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)); /* what is no socket does not linger */
    close(fd);
}

/* ---- threads */

static void *run(void *argument)
{
    struct closer *closer = argument;
    pthread_setname_np(pthread_self(), "tripd-closer");
    pthread_mutex_lock(&closer->mutex);
    while (!closer->stopping || !empty(closer)) {
        if (empty(closer)) {
            closer->idle++;
            pthread_cond_wait(&closer->work, &closer->mutex);
            closer->idle--;
            continue;
        }
        const int fd = take(closer);
        pthread_mutex_unlock(&closer->mutex);
        close_foreign(closer, fd);
        pthread_mutex_lock(&closer->mutex);
        closer->moved_ns = monotonic_ns();
    }
    closer->ended_count++;
    pthread_cond_signal(&closer->ended);
    pthread_mutex_unlock(&closer->mutex);
    return NULL;
}

/* The mutex is held. */
static int thread_start(struct closer *closer)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&closer->started[closer->threads], &attributes, run, closer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return -error;
    closer->threads++;
    closer->moved_ns = monotonic_ns();
    return 0;
}

int closer_start(struct closer **ret_closer)
{
    struct closer *closer = calloc(1, sizeof(*closer));
    if (!closer)
        return -ENOMEM;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&closer->mutex, NULL);
    pthread_cond_init(&closer->work, NULL);
    pthread_cond_init(&closer->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_lock(&closer->mutex);
    const int error = thread_start(closer);
    pthread_mutex_unlock(&closer->mutex);
    if (error < 0) {
        free(closer);
        return error;
    }
    *ret_closer = closer;
    return 0;
}

struct closer *closer_stop(struct closer *closer)
{
    if (!closer)
        return NULL;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&closer->mutex);
    closer->stopping = true;
    pthread_cond_broadcast(&closer->work);
    int error = 0;
    while (closer->ended_count < closer->threads && error == 0)
        error = pthread_cond_timedwait(&closer->ended, &closer->mutex, &until);
    const bool held = closer->ended_count < closer->threads;
    pthread_mutex_unlock(&closer->mutex);
    if (held) /* it still uses this memory, until the process ends */
        return NULL;
    for (unsigned i = 0; i < closer->threads; i++)
        pthread_join(closer->started[i], NULL);
    free(closer->fds);
    free(closer);
    return NULL;
}

/* ---- for the loop */

void closer_close(struct closer *closer, int fd)
{
    closer_close_all(closer, &fd, 1);
}

/* The mutex is held. False: no thread makes progress, and there may be no further one. */
static bool keep_going(struct closer *closer)
{
    if (empty(closer) || closer->idle > 0 || monotonic_ns() - closer->moved_ns < HELD_NS)
        return true;
    return closer->threads < CLOSER_THREADS && thread_start(closer) == 0;
}

void closer_close_all(struct closer *closer, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        pthread_mutex_lock(&closer->mutex);
        const bool noted = put(closer, fds[i]);
        (void)keep_going(closer);
        pthread_cond_signal(&closer->work);
        pthread_mutex_unlock(&closer->mutex);
        if (!noted)
            close(fds[i]);
    }
}

bool closer_stuck(struct closer *closer)
{
    pthread_mutex_lock(&closer->mutex);
    const bool stuck = !keep_going(closer) && monotonic_ns() - closer->moved_ns > STUCK_NS;
    pthread_mutex_unlock(&closer->mutex);
    return stuck;
}
