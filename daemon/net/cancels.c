#include "net/cancels.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct cancel {
    int fd;
    uint32_t slot, incarnation;
    bool armed;
    struct caller *caller;                  /* counts it for its user */
    struct cancel *next, **previous;        /* of its process */
    struct cancel *beside, **beside_before; /* of its slot */
};

struct cancels {
    struct breakers *breakers;
    struct segment *segment;
    struct callers *users;
    struct cancel **slots; /* the timers of each */
    uint32_t share;        /* of a user */
};

int cancels_new(struct breakers *breakers, struct segment *segment, struct cancels **ret_cancels)
{
    struct cancels *const cancels = calloc(1, sizeof(*cancels));
    if (!cancels)
        return -ENOMEM;
    *cancels = (struct cancels){
        .breakers = breakers, .segment = segment, .slots = calloc(BREAKERS_MAX, sizeof(*cancels->slots))};
    if (!cancels->slots || callers_new(&cancels->users) < 0) {
        cancels_free(cancels);
        return -ENOMEM;
    }
    *ret_cancels = cancels;
    return 0;
}

void cancels_share(struct cancels *cancels, uint32_t share)
{
    cancels->share = share;
}

static void drop(struct cancel *cancel)
{
    *cancel->previous = cancel->next;
    if (cancel->next)
        cancel->next->previous = cancel->previous;
    *cancel->beside_before = cancel->beside;
    if (cancel->beside)
        cancel->beside->beside_before = cancel->beside_before;
    close(cancel->fd);
    callers_leave(cancel->caller);
    free(cancel);
}

struct cancels *cancels_free(struct cancels *cancels)
{
    for (uint32_t slot = 0; cancels && cancels->slots && slot < cancels->segment->slots; slot++)
        while (cancels->slots[slot])
            drop(cancels->slots[slot]);
    if (cancels) {
        callers_free(cancels->users);
        free(cancels->slots);
    }
    free(cancels);
    return NULL;
}

static void set(struct cancel *cancel, bool armed)
{
    const struct itimerspec times = {.it_value = {.tv_nsec = armed}}; /* one nanosecond from now; 0: never */
    if (cancel->armed == armed)
        return;
    (void)timerfd_settime(cancel->fd, 0, &times, NULL);
    cancel->armed = armed;
}

static void drop_of_slot(struct cancel *list, uint32_t slot)
{
    while (list && list->slot != slot)
        list = list->next;
    if (list)
        drop(list);
}

int cancels_add(struct cancels *cancels, uid_t uid, uint32_t slot, uint32_t incarnation, struct cancel **list,
                int *ret_fd)
{
    struct caller *caller;
    if (slot >= cancels->segment->slots || segment_incarnation(cancels->segment, slot) != incarnation)
        return -ESTALE;
    drop_of_slot(*list, slot);
    int error = cancels->share ? callers_come(cancels->users, uid, cancels->share, &caller) : -EUSERS;
    if (error < 0)
        return error == -EUSERS ? -EDQUOT : error;
    struct cancel *const cancel = malloc(sizeof(*cancel));
    const int fd = cancel ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) : -1;
    if (fd < 0) {
        error = cancel ? -errno : -ENOMEM;
        callers_leave(caller);
        free(cancel);
        return error;
    }
    struct cancel **const beside = &cancels->slots[slot];
    *cancel = (struct cancel){.fd = fd,
                              .slot = slot,
                              .incarnation = incarnation,
                              .caller = caller,
                              .next = *list,
                              .previous = list,
                              .beside = *beside,
                              .beside_before = beside};
    if (cancel->next)
        cancel->next->previous = &cancel->next;
    if (cancel->beside)
        cancel->beside->beside_before = &cancel->beside;
    *list = *beside = cancel;
    set(cancel, breakers_cuts_short(cancels->breakers, slot));
    *ret_fd = fd;
    return 0;
}

void cancels_drop(struct cancel **list)
{
    while (*list)
        drop(*list);
}

void cancels_look(struct cancels *cancels, uint32_t slot)
{
    const uint32_t incarnation = segment_incarnation(cancels->segment, slot);
    const bool cuts_short = breakers_cuts_short(cancels->breakers, slot);
    for (struct cancel *cancel = cancels->slots[slot], *beside; cancel; cancel = beside) {
        beside = cancel->beside;
        if (cancel->incarnation == incarnation)
            set(cancel, cuts_short);
        else
            drop(cancel);
    }
}

void cancels_silence(struct cancels *cancels, uint32_t slot)
{
    for (struct cancel *cancel = cancels->slots[slot]; cancel; cancel = cancel->beside)
        set(cancel, false);
}

void cancels_silence_all(struct cancels *cancels)
{
    for (uint32_t slot = 0; slot < cancels->segment->slots; slot++)
        cancels_silence(cancels, slot);
}

void cancels_look_all(struct cancels *cancels)
{
    for (uint32_t slot = 0; slot < cancels->segment->slots; slot++)
        if (cancels->slots[slot])
            cancels_look(cancels, slot);
}
