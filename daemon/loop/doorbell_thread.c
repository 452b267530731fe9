/* The doorbell where io_uring cannot wait on a futex: a thread that waits in futex(2), and pokes the loop through an
 * eventfd of tripd's own.
 *
 *   loop, before it sleeps              thread
 *     asleep = true        (seq_cst)      waits on the word as long as it is ASLEEP, and on `calls`
 *     waiting?             (seq_cst)      rung, or not ASLEEP:
 *     no: waiting = true,                   waiting = false       (seq_cst)
 *         calls + 1, wake the thread         asleep? poke the loop (seq_cst)
 *
 * The thread may get to the word after the loop woke for another reason and wrote AWAKE there: that is no ring, and
 * poking would only keep the loop awake. It looks at `asleep`, which nobody else can write; each side stores before it
 * loads what the other stored, so that either the thread pokes, or the loop sees that nobody waits and asks again.
 *
 * The wait on two words is futex_waitv (Linux 5.16): `calls` calls the thread back from a word from which its wait may
 * have been requeued. Where that is refused the thread waits on the word alone, and looks up once a second. */
#include "loop/backend.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal/doorbell.h"

struct doorbell_thread {
    uint32_t *word; /* shared memory: hostile */
    uint32_t calls; /* a private futex; moves when the thread has to look at the fields below */
    bool waiting;   /* the thread waits on the word, or is about to */
    bool asleep;    /* the loop sleeps, or is about to */
    bool stop;
    int fd;
    pthread_t thread;
};

static void call_back(struct doorbell_thread *thread)
{
    /* Release: pairs with the thread's acquire of `calls`: it sees what was stored before. */
    __atomic_fetch_add(&thread->calls, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &thread->calls, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long wait_both(struct doorbell_thread *thread, uint32_t calls)
{
    struct futex_waitv words[] = {
        {.val = DOORBELL_ASLEEP, .uaddr = (uintptr_t)thread->word, .flags = FUTEX_32},
        {.val = calls, .uaddr = (uintptr_t)&thread->calls, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
    };
    return syscall(SYS_futex_waitv, words, 2, 0, NULL, CLOCK_MONOTONIC);
}

static long wait_word_alone(struct doorbell_thread *thread)
{
    const struct timespec a_second = {.tv_sec = 1};
    return syscall(SYS_futex, thread->word, FUTEX_WAIT, DOORBELL_ASLEEP, &a_second, NULL, 0);
}

/* Waits until the word is rung or is not ASLEEP, or until `calls` moves. Returns true if the word was rung. */
static bool wait_rung(struct doorbell_thread *thread, uint32_t calls)
{
    long woken = wait_both(thread, calls);
    if (woken < 0 && errno != EAGAIN && errno != EINTR)
        woken = wait_word_alone(thread);
    /* Relaxed: no data depends on it; `pending` finds what was published. */
    return woken == 0 || __atomic_load_n(thread->word, __ATOMIC_RELAXED) != DOORBELL_ASLEEP;
}

static void poke(const struct doorbell_thread *thread)
{
    const uint64_t one = 1;
    /* The eventfd would refuse only after 2^64 of these. */
    if (write(thread->fd, &one, sizeof(one)) < 0)
        return;
}

static void *run(void *argument)
{
    struct doorbell_thread *thread = argument;
    for (;;) {
        /* Acquire: pairs with call_back. */
        const uint32_t calls = __atomic_load_n(&thread->calls, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&thread->stop, __ATOMIC_RELAXED)) /* ordered by `calls` */
            return NULL;
        if (!__atomic_load_n(&thread->waiting, __ATOMIC_SEQ_CST)) {
            syscall(SYS_futex, &thread->calls, FUTEX_WAIT_PRIVATE, calls, NULL, NULL, 0);
            continue;
        }
        if (!wait_rung(thread, calls))
            continue;
        /* Pairs with doorbell_thread_wait. */
        __atomic_store_n(&thread->waiting, false, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&thread->asleep, __ATOMIC_SEQ_CST))
            poke(thread);
    }
}

int doorbell_thread_start(uint32_t *word, struct doorbell_thread **ret_thread)
{
    struct doorbell_thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return -ENOMEM;
    thread->word = word;
    thread->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->fd < 0) {
        const int error = -errno;
        free(thread);
        return error;
    }
    /* The loop handles signals: the thread blocks all. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = -pthread_create(&thread->thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error < 0) {
        close(thread->fd);
        free(thread);
        return error;
    }
    *ret_thread = thread;
    return 0;
}

struct doorbell_thread *doorbell_thread_stop(struct doorbell_thread *thread)
{
    if (!thread)
        return NULL;
    __atomic_store_n(&thread->stop, true, __ATOMIC_RELAXED); /* released by call_back */
    call_back(thread);
    pthread_join(thread->thread, NULL);
    close(thread->fd);
    free(thread);
    return NULL;
}

int doorbell_thread_fd(const struct doorbell_thread *thread)
{
    return thread->fd;
}

void doorbell_thread_wait(struct doorbell_thread *thread)
{
    /* Pairs with run: it clears `waiting` before it looks at `asleep`. */
    __atomic_store_n(&thread->asleep, true, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&thread->waiting, __ATOMIC_SEQ_CST))
        return;
    __atomic_store_n(&thread->waiting, true, __ATOMIC_SEQ_CST);
    call_back(thread);
}

void doorbell_thread_awake(struct doorbell_thread *thread)
{
    __atomic_store_n(&thread->asleep, false, __ATOMIC_SEQ_CST);
}

bool doorbell_thread_rung(struct doorbell_thread *thread)
{
    uint64_t pokes;
    return read(thread->fd, &pokes, sizeof(pokes)) == (ssize_t)sizeof(pokes);
}

void doorbell_thread_again(struct doorbell_thread *thread)
{
    call_back(thread);
}
