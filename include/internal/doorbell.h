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
 * does, and move tripd's waiter with FUTEX_REQUEUE. So tripd relies on the doorbell for promptness only: it reads the
 * lanes at each heartbeat anyway, and polls for a while when it finds that a client rang and tripd was not woken.
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

/* Any process may wait on the word and take a wake that was meant for tripd, so a ringer wakes several waiters; the
 * bound limits what that costs the ringer. */
#define DOORBELL_WAKES 64

/* Wakes the processes that have waited longest on the word, and returns how many. */
static inline long doorbell_wake(uint32_t *word)
{
    return syscall(SYS_futex, word, FUTEX_WAKE, DOORBELL_WAKES, NULL, NULL, 0);
}

/* A client calls it after it published an event. Returns true if tripd slept and was woken. */
static inline bool doorbell_ring(uint32_t *word)
{
    /* Pairs with doorbell_sleep: either this client sees ASLEEP, or tripd sees the event. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t asleep = DOORBELL_ASLEEP;
    if (__builtin_expect(__atomic_load_n(word, __ATOMIC_RELAXED) != DOORBELL_ASLEEP, 1))
        return false;
    if (!__atomic_compare_exchange_n(word, &asleep, DOORBELL_AWAKE, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return false;
    doorbell_wake(word);
    return true;
}

/* tripd calls it before it looks for work a last time and waits. */
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
