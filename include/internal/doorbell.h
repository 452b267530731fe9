/* The doorbell: one futex word in the commons, by which clients wake a sleeping tripd.
 *
 *   sleeper (tripd)                          ringer (client)
 *     word = ASLEEP          (seq_cst)         publish an event        (release)
 *     is there anything?     (seq_cst fence)   full fence              (seq_cst)
 *     no: futex wait(word == ASLEEP)           word == ASLEEP?         (relaxed)
 *     awake: word = AWAKE                        CAS ASLEEP -> AWAKE, futex wake
 *
 * Each side stores, fences, then loads what the other stored, so at least one of them sees the other: no wake-up is
 * lost. While tripd is awake a ringer makes no system call. Any process can write the word, wait on it before tripd
 * does, and move tripd's waiter with FUTEX_REQUEUE: tripd trusts it for promptness only, looks at the lanes at each
 * heartbeat anyway, and for a while by itself when it finds that somebody rang and nobody woke it.
 */
#ifndef TRIP_INTERNAL_DOORBELL_H
#define TRIP_INTERNAL_DOORBELL_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DOORBELL_AWAKE  0u
#define DOORBELL_ASLEEP 1u

/* Strangers may wait there too, and swallow a wake of one; who wakes pays for each of them. */
#define DOORBELL_WAKES 64

/* Wakes those who wait on the word longest: returns how many. */
static inline long doorbell_wake(uint32_t *word)
{
    return syscall(SYS_futex, word, FUTEX_WAKE, DOORBELL_WAKES, NULL, NULL, 0);
}

/* After an event was published. Returns true if tripd slept and was woken. */
static inline bool doorbell_ring(uint32_t *word)
{
    /* Pairs with doorbell_sleep: either we see ASLEEP, or tripd sees our event. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t asleep = DOORBELL_ASLEEP;
    if (__builtin_expect(__atomic_load_n(word, __ATOMIC_RELAXED) != DOORBELL_ASLEEP, 1))
        return false;
    if (!__atomic_compare_exchange_n(word, &asleep, DOORBELL_AWAKE, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return false;
    doorbell_wake(word);
    return true;
}

/* tripd, before it looks for work a last time and waits. */
static inline void doorbell_sleep(uint32_t *word)
{
    __atomic_store_n(word, DOORBELL_ASLEEP, __ATOMIC_SEQ_CST);
    /* Pairs with doorbell_ring. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void doorbell_awake(uint32_t *word)
{
    __atomic_store_n(word, DOORBELL_AWAKE, __ATOMIC_RELAXED);
}

#endif
