/* Noticing a fork. The page below is wiped in a child (MADV_WIPEONFORK works on private anonymous pages only), so that
 * a child made by any means, also by one that runs no atfork handlers, sees 0 where its threads expect a generation. */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define FORK_BUSY UINT64_MAX /* a thread of the child is dropping the parent's state */

static const uint64_t never_opened = 0;
const uint64_t *fork_page = &never_opened;

static uint64_t *page;
static uint64_t generation;
static fork_drop_fn *drop_what_is_the_parents;

static void in_child(void)
{
    fork_generation();
}

int fork_watch(fork_drop_fn *drop)
{
    if (page)
        return 0;
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    int error = madvise(memory, size, MADV_WIPEONFORK) < 0 ? -errno : 0;
    if (error == 0)
        error = -pthread_atfork(NULL, NULL, in_child); /* closes the inherited socket at once */
    if (error < 0) {
        munmap(memory, size);
        return error;
    }
    drop_what_is_the_parents = drop;
    page = memory;
    *page = ++generation;
    __atomic_store_n(&fork_page, page, __ATOMIC_RELEASE);
    return 0;
}

uint64_t fork_generation(void)
{
    if (unlikely(!page)) /* this process opened no client, so it inherited none */
        return 1;
    /* Acquire: pairs with the release below, the clients are ready for this process. */
    uint64_t seen = __atomic_load_n(page, __ATOMIC_ACQUIRE);
    if (likely(seen != 0 && seen != FORK_BUSY))
        return seen;
    if (seen == FORK_BUSY ||
        !__atomic_compare_exchange_n(page, &seen, FORK_BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 0;
    ERRNO_KEPT;
    generation++;
    drop_what_is_the_parents();
    __atomic_store_n(page, generation, __ATOMIC_RELEASE);
    return generation;
}
