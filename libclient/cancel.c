#include "cancel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"

#define REFUSED_AGAIN_NS UINT64_C(1000000000)

int cancel_make(struct trip_breaker *breaker)
{
    struct cancel *cancel = breaker->cancel;
    if (!cancel && !(cancel = calloc(1, sizeof(*cancel))))
        return -ENOMEM;
    if (!breaker->cancel) {
        *cancel = (struct cancel){
            .breaker = breaker, .poll = {.fd = -1}, .told = {.fd = -1}, .next = breaker->client->cancels};
        __atomic_store_n(&breaker->client->cancels, cancel, __ATOMIC_RELEASE); /* for a fork at this instant */
        __atomic_store_n(&breaker->cancel, cancel, __ATOMIC_RELEASE);
    }
    if (cancel->poll.fd >= 0)
        return 0;
    const int fd = descriptor_raise(epoll_create1(EPOLL_CLOEXEC));
    if (fd < 0)
        return -errno;
    cancel->poll = descriptor_own(fd);
    return 0;
}

static bool wanted(const struct cancel *cancel)
{
    const struct binding *const binding = cancel->breaker->binding;
    const bool refused = cancel->error < 0 && monotonic_ns() >= cancel->again_ns;
    return cancel->poll.fd >= 0 && binding->kind == BINDING_SHARED && (cancel->asked != binding->plain || refused);
}

struct cancel *cancel_unasked(struct cancel *cancels)
{
    while (cancels && !wanted(cancels))
        cancels = cancels->next;
    return cancels;
}

/* All timers and epoll instances have one inode, so that the kernel alone knows whether these two are still ours: then
 * the one is in the other. False: they are not. */
static bool silence(struct cancel *cancel)
{
    __atomic_store_n(&cancel->ready, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&cancel->error, 0, __ATOMIC_RELAXED);
    cancel->asked = 0;
    const bool had = cancel->told.fd >= 0;
    const bool ours = had && epoll_ctl(cancel->poll.fd, EPOLL_CTL_DEL, cancel->told.fd, NULL) == 0;
    if (ours)
        close(cancel->told.fd);
    cancel->told.fd = -1;
    return ours || !had;
}

void cancel_asked(struct cancel *cancel)
{
    (void)silence(cancel); /* of the slot that the breaker had before */
    cancel->asked = cancel->breaker->binding->plain;
}

/* Puts the timer into `poll`. -errno. */
static int place(struct cancel *cancel, int fd)
{
    struct epoll_event readable = {.events = EPOLLIN};
    const int own = descriptor_copy(fd);
    if (own < 0)
        return -errno;
    if (epoll_ctl(cancel->poll.fd, EPOLL_CTL_ADD, own, &readable) < 0) {
        const int error = -errno;
        close(own);
        return error;
    }
    cancel->told = descriptor_own(own);
    return 0;
}

void cancels_take(struct cancel *cancels, uint32_t slot, uint32_t incarnation, int error, int fd)
{
    for (struct cancel *cancel = cancels; cancel; cancel = cancel->next) {
        const struct binding *const binding = cancel->breaker->binding;
        if (!binding_shared(binding) || binding->slot != slot || cancel->asked != binding->plain ||
            policy_incarnation(binding->plain) != (incarnation & 0xffff) || cancel->told.fd >= 0)
            continue;
        error = error < 0 ? error : place(cancel, fd);
        __atomic_store_n(&cancel->error, error, __ATOMIC_RELAXED);
        cancel->again_ns = monotonic_ns() + REFUSED_AGAIN_NS;
        __atomic_store_n(&cancel->start, view_start(binding->view), __ATOMIC_RELAXED);
        if (error == 0) /* Release: pairs with cancel_ready. */
            __atomic_store_n(&cancel->ready, binding->plain, __ATOMIC_RELEASE);
    }
}

void cancels_end(struct cancel *cancels)
{
    for (struct cancel *cancel = cancels; cancel; cancel = cancel->next)
        (void)silence(cancel);
}

void cancels_forked(struct cancel *cancels)
{
    for (struct cancel *cancel = cancels; cancel; cancel = cancel->next) {
        cancel->asked = cancel->ready = 0;
        cancel->waited = 0;
        cancel->error = 0;
        descriptor_close(&cancel->told);
        descriptor_close(&cancel->poll);
    }
}

void cancels_free(struct cancel *cancels)
{
    while (cancels) {
        struct cancel *const cancel = cancels;
        cancels = cancel->next;
        if (silence(cancel))
            descriptor_close(&cancel->poll);
        free(cancel);
    }
}
