/* Kills a process at its n-th store to shared memory: what another process then finds there is what kill -9 between any
 * two of its instructions can leave (on x86, where stores become visible in their order).
 *
 * The memory is made read-only; each store faults, is counted, and carried out by one single step.
 */
#ifndef TRIP_TESTS_STORE_KILL_H
#define TRIP_TESTS_STORE_KILL_H

#if defined(__x86_64__)
#define STORE_KILL_WORKS 1
#else
#define STORE_KILL_WORKS 0
#endif

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define STORE_KILL_REGIONS 8
#define STORE_KILL_EXIT    77

struct store_kill {
    struct {
        void *memory;
        size_t size;
    } regions[STORE_KILL_REGIONS];
    unsigned region_count;
    uint64_t left; /* stores until the kill */
};

static struct store_kill store_kill;

static inline void store_kill_protect(int protection)
{
    for (unsigned i = 0; i < store_kill.region_count; i++)
        if (mprotect(store_kill.regions[i].memory, store_kill.regions[i].size, protection) < 0)
            abort();
}

static inline void store_kill_step(void *context, int on)
{
#if STORE_KILL_WORKS
    const greg_t trap_flag = 0x100;
    greg_t *const flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    *flags = on ? *flags | trap_flag : *flags & ~trap_flag;
#else
    (void)context;
    (void)on;
#endif
}

static inline void store_kill_faulted(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    const uintptr_t address = (uintptr_t)info->si_addr;
    for (unsigned i = 0; i < store_kill.region_count; i++) {
        const uintptr_t start = (uintptr_t)store_kill.regions[i].memory;
        if (address < start || address >= start + store_kill.regions[i].size)
            continue;
        if (store_kill.left-- == 0)
            _exit(STORE_KILL_EXIT);
        store_kill_protect(PROT_READ | PROT_WRITE);
        store_kill_step(context, 1);
        return;
    }
    abort(); /* the program's own fault */
}

static inline void store_kill_stepped(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    store_kill_step(context, 0);
    store_kill_protect(PROT_READ);
}

static inline void store_kill_add(void *memory, size_t size)
{
    if (store_kill.region_count == STORE_KILL_REGIONS)
        abort();
    store_kill.regions[store_kill.region_count].memory = memory;
    store_kill.regions[store_kill.region_count++].size = size;
}

/* Runs `work` in a child that dies before its store number `stores` (from 0) to the memory that was added. True: it was
 * killed; false: it came to its end. */
static inline int store_kill_run(uint64_t stores, void (*work)(void))
{
    int status;
    const pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        const struct sigaction faulted = {.sa_sigaction = store_kill_faulted, .sa_flags = SA_SIGINFO};
        const struct sigaction stepped = {.sa_sigaction = store_kill_stepped, .sa_flags = SA_SIGINFO};
        store_kill.left = stores;
        sigaction(SIGSEGV, &faulted, NULL);
        sigaction(SIGTRAP, &stepped, NULL);
        store_kill_protect(PROT_READ);
        work();
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != STORE_KILL_EXIT))
        abort();
    return WEXITSTATUS(status) == STORE_KILL_EXIT;
}

#endif
