#include "loop/closer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal/ticks.h"

#define INTERRUPT_NS  1000000L
#define HELD_NS       UINT64_C(100000000)  /* after so long without progress another thread begins */
#define STUCK_NS      UINT64_C(1000000000) /* after so long without progress of any thread the closer counts as stuck */
#define STACK_SIZE    ((size_t)256 << 10)
#define PENDING_FIRST 64

struct closer {
    pthread_mutex_t mutex;
    pthread_cond_t work, ended;
    int *fds; /* the entries from `first` to `count` are still to be closed */
    size_t first, count, room;
    pthread_t started[CLOSER_THREADS];
    unsigned threads, idle, ended_count;
    uint64_t moved_ns; /* when a thread last closed one or began, or when the queue last became filled */
    bool stopping;
};

/* ------------------------------------------------------------------------------------- the queue; the mutex is held */

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

/* ---------------------------------------------------------------------------------------------------------- closing */

static void interrupt(int signal)
{
    (void)signal;
}

/* Makes a timer whose signal interrupts the wait of this thread. False: there is none, and closes are not interrupted.
 */
static bool interrupter_new(timer_t *ret_timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
    sigset_t interrupts;
    event._sigev_un._tid = gettid();
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGALRM);
    return timer_create(CLOCK_MONOTONIC, &event, ret_timer) == 0 &&
           pthread_sigmask(SIG_UNBLOCK, &interrupts, NULL) == 0;
}

/* Sends the thread a signal each `ns` from now on; a signal that comes before the close begins is lost, but the next
 * one follows. 0 stops it. */
static void interrupt_every(timer_t timer, long ns)
{
    const struct timespec period = {.tv_nsec = ns};
    timer_settime(timer, 0, &(struct itimerspec){.it_interval = period, .it_value = period}, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- threads */

static void *run(void *argument)
{
    struct closer *closer = argument;
    timer_t interrupter;
    const bool interrupts = interrupter_new(&interrupter);
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
        if (interrupts)
            interrupt_every(interrupter, INTERRUPT_NS);
        close(fd); /* an interrupted close has closed the descriptor, too */
        if (interrupts)
            interrupt_every(interrupter, 0);
        pthread_mutex_lock(&closer->mutex);
        closer->moved_ns = monotonic_ns();
    }
    closer->ended_count++;
    pthread_cond_signal(&closer->ended);
    pthread_mutex_unlock(&closer->mutex);
    if (interrupts)
        timer_delete(interrupter);
    return NULL;
}

/* Starts one more thread. The mutex is held. */
static int thread_start(struct closer *closer)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all); /* the loop handles signals: this thread blocks all */
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
    const struct sigaction interrupted = {.sa_handler = interrupt}; /* without SA_RESTART */
    struct closer *closer = calloc(1, sizeof(*closer));
    if (!closer)
        return -ENOMEM;
    sigaction(SIGALRM, &interrupted, NULL);
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
    if (held) /* a held thread goes on using this memory until the process ends */
        return NULL;
    for (unsigned i = 0; i < closer->threads; i++)
        pthread_join(closer->started[i], NULL);
    free(closer->fds);
    free(closer);
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------- for the loop */

void closer_close(struct closer *closer, int fd)
{
    closer_close_all(closer, &fd, 1);
}

/* Starts another thread if none makes progress. The mutex is held. False: there may be no further thread. */
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
