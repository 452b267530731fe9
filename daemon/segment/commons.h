/* The commons: a sealed memfd that everyone writes, one 64-bit word at a time. Made by the keeper (so that it outlives
 * workers), mapped by the worker. Every word read from it is judged as hostile. */
#ifndef TRIPD_COMMONS_H
#define TRIPD_COMMONS_H

#include "internal/commons_plan.h"
#include "internal/permit_word.h"

struct commons {
    struct commons_header *header;
    uint8_t *words, *permits, *limits, *tickets; /* the strides are fixed in tripd */
    uint32_t slots;                              /* breakers that have memory, but for their tickets */
    uint64_t commons_id;
    size_t size;
    int fd;
};

/* Makes a new sealed memfd. Only its header has memory. */
int commons_make(int *ret_fd);
/* Maps a memfd that commons_make made. Checks its seals and exact size first, and takes the id from the memfd's name,
 * which nobody can change. -EINVAL: it is not such a memfd. The descriptor stays the caller's. */
int commons_map(int fd, struct commons **ret_commons);
struct commons *commons_unmap(struct commons *commons);
/* Reserve memory for the breakers [0, slots), or for one breaker's tickets, before any client is told of them: a client
 * that touches a missing page pays for it from its own account, or gets a SIGBUS. -ENOSPC, -ENOMEM: nothing has
 * changed. */
int commons_reserve(struct commons *commons, uint32_t slots);
int commons_reserve_tickets(const struct commons *commons, uint32_t slot);

static inline struct state_line *commons_line(const struct commons *commons, uint32_t slot)
{
    return (struct state_line *)commons->words + slot;
}

static inline uint64_t *commons_word(const struct commons *commons, uint32_t slot)
{
    return &commons_line(commons, slot)->word;
}

static inline uint64_t *commons_permits(const struct commons *commons, uint32_t slot)
{
    return (uint64_t *)commons->permits + (size_t)slot * PERMITS_PER_BREAKER;
}

static inline struct limit_lines *commons_limits(const struct commons *commons, uint32_t slot)
{
    return (struct limit_lines *)commons->limits + slot;
}

static inline uint64_t *commons_tickets(const struct commons *commons, uint32_t slot)
{
    return (uint64_t *)commons->tickets + (size_t)slot * TICKET_WORDS;
}

#endif
