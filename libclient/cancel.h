/* For calls that are to be cut short: a descriptor of each breaker whose caller asked for one (trip_call_fd). It is
 * readable from when the breaker opens until it admits calls again.
 *
 *   tripd ── arms, disarms ──> told, a timer ── is in ──> poll, which the host polls
 *
 * `told` is a timerfd that tripd made: it arms it for a time that has passed, and disarms it. Neither waits for
 * anybody, whatever this process does to its own copy, and nobody has to read. It comes anew with each connection to
 * tripd. `poll` is an epoll instance, so that the host's descriptor stays the same until trip_close, or a fork.
 *
 * All of it is under the client's lock, but for poll.fd, `ready`, `start` and `error`, which trip_call_fd reads
 * without. */
#ifndef TRIP_CANCEL_H
#define TRIP_CANCEL_H

#include "binding.h"
#include "descriptor.h"

struct cancel {
    struct trip_breaker *breaker;
    struct descriptor poll, told;
    uint64_t asked;    /* on this connection, for the binding of this admission word; 0: not */
    uint64_t ready;    /* the same, once `told` is in place */
    uint32_t start;    /* of tripd's worker that sent it: the next one does not know it */
    uint32_t waited;   /* the start of a worker that has given no timer when it was asked: callers do not wait again */
    int error;         /* tripd's answer: -errno */
    uint64_t again_ns; /* after an error: when tripd is asked again */
    struct cancel *next;
};

/* Has the worker that runs now sent the timer for this binding? */
static inline bool cancel_ready(const struct cancel *cancel, const struct binding *binding)
{
    /* Acquire: pairs with cancels_take. */
    return binding->kind == BINDING_SHARED && __atomic_load_n(&cancel->ready, __ATOMIC_ACQUIRE) == binding->plain &&
           __atomic_load_n(&cancel->start, __ATOMIC_RELAXED) == view_start(binding->view);
}

/* Makes the breaker's descriptor, if it is not there. -ENOMEM, or -errno of epoll_create1. */
int cancel_make(struct trip_breaker *breaker);
/* Finds the next breaker in the list whose descriptor tripd has to be asked for. NULL: there is none. */
struct cancel *cancel_unasked(struct cancel *cancels);
void cancel_asked(struct cancel *cancel);
/* tripd's answer for the breaker in this slot. error 0: `fd` is the timer, which stays the caller's. */
void cancels_take(struct cancel *cancels, uint32_t slot, uint32_t incarnation, int error, int fd);
/* The connection to tripd ended: all are silent. */
void cancels_end(struct cancel *cancels);
/* In a forked child: closes its copies, and leaves the parent's epoll instances as they are. */
void cancels_forked(struct cancel *cancels);
void cancels_free(struct cancel *cancels);

#endif
