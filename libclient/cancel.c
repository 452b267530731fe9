#include "cancel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client.h"

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
    return cancel->poll.fd >= 0 && binding->kind == BINDING_SHARED && cancel->asked != binding->plain;
}

struct cancel *cancel_unasked(struct cancel *cancels)
{
    while (cancels && !wanted(cancels))
        cancels = cancels->next;
    return cancels;
}

static void silence(struct cancel *cancel)
{
    __atomic_store_n(&cancel->ready, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&cancel->error, 0, __ATOMIC_RELAXED);
    cancel->asked = 0;
    if (descriptor_valid(&cancel->told) && descriptor_valid(&cancel->poll))
        (void)epoll_ctl(cancel->poll.fd, EPOLL_CTL_DEL, cancel->told.fd, NULL); /* it may not be there */
    descriptor_close(&cancel->told);
}

void cancel_asked(struct cancel *cancel)
{
    silence(cancel); /* of the slot that the breaker had before */
    cancel->asked = cancel->breaker->binding->plain;
}

/* Puts the timer into `poll`. -errno. */
static int place(struct cancel *cancel, int fd)
{
    struct epoll_event readable = {.events = EPOLLIN};
    const int own = descriptor_copy(fd);
    if (own < 0)
        return -errno;
    cancel->told = descriptor_own(own);
    return epoll_ctl(cancel->poll.fd, EPOLL_CTL_ADD, own, &readable) < 0 ? -errno : 0;
}

void cancels_take(struct cancel *cancels, uint32_t slot, uint32_t incarnation, int error, int fd)
{
    for (struct cancel *cancel = cancels; cancel; cancel = cancel->next) {
        const struct binding *const binding = cancel->breaker->binding;
        if (!binding_shared(binding) || binding->slot != slot || cancel->asked != binding->plain ||
            policy_incarnation(binding->plain) != (incarnation & 0xffff) || descriptor_valid(&cancel->told))
            continue;
        error = error < 0 ? error : place(cancel, fd);
        __atomic_store_n(&cancel->error, error, __ATOMIC_RELAXED);
        __atomic_store_n(&cancel->start, view_start(binding->view), __ATOMIC_RELAXED);
        if (error == 0) /* Release: pairs with cancel_ready. */
            __atomic_store_n(&cancel->ready, binding->plain, __ATOMIC_RELEASE);
    }
}

void cancels_end(struct cancel *cancels)
{
    for (struct cancel *cancel = cancels; cancel; cancel = cancel->next)
        silence(cancel);
}

void cancels_forked(struct cancel *cancels)
{
    for (struct cancel *cancel = cancels; cancel; cancel = cancel->next) {
        cancel->asked = cancel->ready = 0;
        cancel->waited = 0;
        descriptor_close(&cancel->told);
        descriptor_close(&cancel->poll);
    }
}

void cancels_free(struct cancel *cancels)
{
    while (cancels) {
        struct cancel *const cancel = cancels;
        cancels = cancel->next;
        silence(cancel);
        descriptor_close(&cancel->poll);
        free(cancel);
    }
}
