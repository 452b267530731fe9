/* What triptop costs while it shows 1,000 breakers that all have calls: it looks once a second, at 80x24. */
#include "bench.h"

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BREAKERS    1000
#define WARM_MS     3000 /* until it has started, and its second look is over */
#define ROUND_US    200000
#define ROUND_CALLS 20

/* $TRIPTOP, else beside us, else in the PATH. */
static void exec_triptop(void)
{
    char self[512] = "", candidate[640];
    const char *const named = getenv("TRIPTOP");
    if (named)
        execl(named, "triptop", NULL);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
        snprintf(candidate, sizeof(candidate), "%s/triptop", dirname(self));
        execl(candidate, "triptop", NULL);
    }
    execlp("triptop", "triptop", NULL);
}

static pid_t start_triptop(int *ret_terminal)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    const pid_t pid = forkpty(ret_terminal, NULL, NULL, &size);
    if (pid < 0)
        bench_fail("forkpty", errno);
    if (pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        exec_triptop();
        _exit(127);
    }
    return pid;
}

/* Reads what triptop draws, as a terminal does, for so long. Returns how many bytes it were. */
static uint64_t read_terminal(int terminal, unsigned ms)
{
    char bytes[4096];
    uint64_t read_bytes = 0;
    const uint64_t start = bench_ticks();
    for (double passed; (passed = bench_ns(bench_ticks() - start) / 1e6) < ms;) {
        struct pollfd fd = {.fd = terminal, .events = POLLIN};
        const ssize_t more = poll(&fd, 1, (int)(ms - passed) + 1) > 0 ? read(terminal, bytes, sizeof(bytes)) : 0;
        if (more < 0)
            bench_fail("triptop ended (set TRIPTOP to its path)", errno);
        read_bytes += (uint64_t)more;
    }
    return read_bytes;
}

/* Calls through each breaker, some times a second, until it is killed. */
static pid_t start_calls(void)
{
    static trip_breaker *breakers[BREAKERS];
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    trip_client *const client = stage_client();
    for (unsigned i = 0; i < BREAKERS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "top/%u/%u", i / 100, i);
        breakers[i] = stage_breaker(client, name);
    }
    for (;;) {
        for (unsigned i = 0; i < BREAKERS * ROUND_CALLS; i++)
            trip_record(breakers[i % BREAKERS], i % 97 == 0 ? TRIP_FAILURE : TRIP_OK, 1000 * (1 + i % 5000));
        bench_nap_us(ROUND_US);
    }
}

void bench_top(void)
{
    struct bench_stage stage;
    int terminal;
    stage_start(&stage, "limits: {max_breakers: 1100}\n");
    const pid_t calls = start_calls(), top = start_triptop(&terminal);
    read_terminal(terminal, WARM_MS);
    const uint64_t cpu = bench_cpu_ns(top), start = bench_ticks();
    const uint64_t drawn = read_terminal(terminal, 100 * bench_effort + 1000);
    const double passed_ns = bench_ns(bench_ticks() - start);
    const double percent = 100 * (double)(bench_cpu_ns(top) - cpu) / passed_ns;
    kill(top, SIGKILL);
    kill(calls, SIGKILL);
    waitpid(top, NULL, 0);
    waitpid(calls, NULL, 0);
    close(terminal);
    stage_stop(&stage);
    bench_report(&(struct bench_row){.path = "triptop_cpu_percent",
                                     .is_value = true,
                                     .measured = percent,
                                     .bound = "bytes drawn a second",
                                     .bound_measured = (double)drawn / (passed_ns / 1e9),
                                     .target = "<= 1% of a core",
                                     .limit = 1});
}
