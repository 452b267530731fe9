#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

#include "internal/numbers.h"
#include "internal/ticks.h"

#define LONGEST_MS 3600000

int interrupt_catch(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int interrupt_left_ms(uint64_t at_ns)
{
    const uint64_t left_ns = time_until(at_ns, monotonic_ns());
    return (int)at_most(left_ns / 1000000 + (left_ns % 1000000 != 0), LONGEST_MS);
}
