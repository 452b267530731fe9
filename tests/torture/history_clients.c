#include "history_clients.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "call.h" /* libtrip's own header: tells which commons a process uses, and which opening lent a permit */
#include "storm.h"

#define AT_ONCE     6 /* calls of one process that may be in the bulkhead at a time */
#define BURST_CALLS 15
#define TAKER_CALLS 10

struct arena *arena;

/* State of each thread. */
static struct {
    enum client_kind kind;
    unsigned slot, life;
    uint64_t random;
    trip_client *client;
    trip_breaker *breakers[BREAKERS];
} self;

static bool is(const unsigned *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0;
}

uint64_t history_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ----------------------------------------------------------------------------------------------------- writing down */

static struct history_call *new_call(unsigned breaker, bool question)
{
    const uint32_t index = __atomic_fetch_add(&arena->call_count, 1, __ATOMIC_RELAXED);
    if (index >= CALLS_MAX) {
        __atomic_store_n(&arena->stop, 1, __ATOMIC_RELEASE);
        _exit(4);
    }
    struct history_call *const call = &arena->calls[index];
    call->life = (uint16_t)self.life;
    call->breaker = (uint8_t)breaker;
    call->question = question;
    return call;
}

static void new_life(void)
{
    self.life = __atomic_fetch_add(&arena->life_count, 1, __ATOMIC_RELAXED);
    if (self.life >= LIVES_MAX)
        _exit(4);
    struct history_life *const life = &arena->lives[self.life];
    life->pid = (uint32_t)getpid();
    life->uid = (uint32_t)geteuid();
    life->reports = self.kind != ROLELESS;
    life->born = history_now_ns();
}

/* Returns the commons that both this process and tripd use; 0: they use different ones. It only reads: asking libtrip
 * would make it look for tripd. */
static uint64_t commons_in_force(void)
{
    const struct view *const view = __atomic_load_n(&self.client->view, __ATOMIC_ACQUIRE);
    return view && !view_outdated(view) ? view_latest(view)->id : 0;
}

/* Returns a number for the opening that admitted the call. A half-open state goes on in the next commons, whose permits
 * wait until leases of the earlier one are over: so its number leaves the commons out. */
static uint32_t opening_of(const trip_call *call)
{
    const uint64_t word = ((const struct call *)(const void *)call)->word;
    const bool lent = word_state(word) == WORD_HALF_OPEN;
    return lent ? word_epoch(word) % WORD_FRESH_COMMONS_EPOCHS : word_epoch(word) | UINT32_C(1) << 31;
}

static void note_verdict(struct history_call *noted, trip_verdict verdict, uint64_t commons)
{
    noted->verdict = (uint8_t)verdict;
    noted->commons = commons == commons_in_force() ? commons : 0;
    __atomic_store_n(&noted->begin_after, history_now_ns(), __ATOMIC_RELEASE);
    if (verdict == TRIP_DENY_OPEN)
        __atomic_fetch_add(&arena->opened[noted->breaker], 1, __ATOMIC_RELAXED);
}

static struct history_call *begin(unsigned breaker, trip_call *call)
{
    struct history_call *const noted = new_call(breaker, false);
    const uint64_t commons = commons_in_force();
    noted->begin_before = history_now_ns();
    const trip_verdict verdict = trip_begin(self.breakers[breaker], call);
    if (verdict == TRIP_PROBE)
        noted->opening = opening_of(call);
    note_verdict(noted, verdict, commons);
    return noted;
}

static void end(struct history_call *noted, trip_call *call, trip_outcome outcome)
{
    noted->outcome = (uint8_t)outcome;
    __atomic_store_n(&noted->end_before, history_now_ns(), __ATOMIC_RELEASE);
    trip_end(call, outcome);
    __atomic_store_n(&noted->end_after, history_now_ns(), __ATOMIC_RELEASE);
}

static void ask(unsigned breaker)
{
    struct history_call *const noted = new_call(breaker, true);
    const uint64_t commons = commons_in_force();
    noted->begin_before = history_now_ns();
    note_verdict(noted, trip_allow(self.breakers[breaker]), commons);
}

/* ------------------------------------------------------------------------------------------------------------ calls */

static trip_outcome some_outcome(unsigned breaker, bool probe)
{
    const uint64_t dice = next_random(&self.random);
    if (is(&arena->fails[breaker]))
        return TRIP_FAILURE;
    if (is(&arena->calm))
        return TRIP_OK;
    if (breaker == COUNT || breaker == YOUNG)
        return (trip_outcome)(dice >> 16) % TRIP_OUTCOME_COUNT;
    return probe && dice % 8 == 0 ? TRIP_FAILURE : TRIP_OK;
}

static void call_once(unsigned breaker)
{
    trip_call call;
    struct history_call *const noted = begin(breaker, &call);
    const bool probe = noted->verdict == TRIP_PROBE;
    const uint64_t dice = next_random(&self.random);
    if (!trip_admitted((trip_verdict)noted->verdict))
        return;
    __atomic_fetch_add(&arena->probes, probe, __ATOMIC_ACQ_REL);
    if (probe)
        nap_us((unsigned)(dice >> 8) % 150000);
    else if (dice % 4 == 0)
        nap_us((unsigned)(dice >> 8) % 3000);
    end(noted, &call, some_outcome(breaker, probe));
}

static void call_at_once(unsigned count)
{
    struct history_call *noted[AT_ONCE];
    trip_call calls[AT_ONCE];
    for (unsigned i = 0; i < count; i++)
        noted[i] = begin(BULK, &calls[i]);
    nap_us((unsigned)(next_random(&self.random) % 10000));
    for (unsigned i = 0; i < count; i++)
        if (trip_admitted((trip_verdict)noted[i]->verdict))
            end(noted[i], &calls[i], TRIP_OK);
}

/* Each process begins with another breaker, for what it finds out at one it may know at the next. */
static void call_in_a_burst(void)
{
    static const unsigned burst[] = {HELD, RATE, BULK, QUIET};
    for (unsigned i = 0; i < 4; i++) {
        const unsigned breaker = burst[(i + self.slot) % 4];
        for (unsigned calls = 0; breaker != BULK && calls < BURST_CALLS; calls++)
            call_once(breaker);
        if (breaker == BULK)
            call_at_once(AT_ONCE);
    }
}

static void call_something(void)
{
    static const unsigned of_role[] = {HELD, OPS, OPS, OPENS, OPENS, BULK, BULK, RATE, COUNT, COUNT, COUNT, COUNT};
    static const unsigned of_none[] = {HELD, OPS, OPS, OPENS, ROLE, ROLE, BULK, RATE};
    const uint64_t dice = next_random(&self.random) >> 8;
    const unsigned breaker = self.kind == ROLELESS ? of_none[dice % (sizeof(of_none) / sizeof(of_none[0]))]
                                                   : of_role[dice % (sizeof(of_role) / sizeof(of_role[0]))];
    if (breaker == BULK)
        call_at_once(1 + (unsigned)(dice >> 16) % AT_ONCE);
    else if (is(&arena->fails[OPENS]) && self.kind != ROLELESS)
        call_once(OPENS);
    else
        call_once(breaker);
}

/* ------------------------------------------------------------------------------------------------------------ lives */

static bool all_counted_are_shared(void)
{
    bool shared = true;
    for (unsigned breaker = 0; breaker < BREAKERS; breaker++) {
        trip_info info;
        shared &= !history_breakers[breaker].counted ||
                  (trip_breaker_info(self.breakers[breaker], &info) == 0 && info.client == TRIP_CLIENT_SHARED);
    }
    return shared;
}

/* Waits until this process is attached to the present tripd, which has answered the counted names: what was counted is,
 * or will be, drained. */
static bool settle(void)
{
    for (unsigned tries = 0; tries < 3000; tries++) {
        if (all_counted_are_shared())
            return true;
        nap_us(20000);
    }
    return false;
}

static bool goes_on(void)
{
    return !is(&arena->stop) && !is(&arena->clients[self.slot].retires);
}

static void settle_if_asked(void)
{
    unsigned *const settled = &arena->clients[self.slot].settled;
    const unsigned round = __atomic_load_n(&arena->settle_round, __ATOMIC_ACQUIRE);
    if (*settled != round && settle())
        __atomic_store_n(settled, round, __ATOMIC_RELEASE);
}

static void burst_if_asked(unsigned *seen)
{
    const unsigned bursts = __atomic_load_n(&arena->bursts, __ATOMIC_ACQUIRE);
    if (*seen != bursts)
        call_in_a_burst();
    *seen = bursts;
}

static void live_by_calls(void)
{
    unsigned bursts = __atomic_load_n(&arena->bursts, __ATOMIC_ACQUIRE);
    while (goes_on()) {
        if (self.kind != ROLELESS)
            settle_if_asked();
        burst_if_asked(&bursts);
        if (is(&arena->idle))
            nap_us(5000);
        else
            call_something();
        nap_us(self.kind == SLOW ? 20000 : 300 + (unsigned)(next_random(&self.random) % 700));
    }
}

static void live_by_questions(void)
{
    static const unsigned about[] = {HELD, OPS, OPS, OPENS};
    while (goes_on()) {
        if (!is(&arena->idle))
            ask(about[next_random(&self.random) % (sizeof(about) / sizeof(about[0]))]);
        nap_us(3000);
    }
}

static void live_by_pressing(void)
{
    for (unsigned number = 0; goes_on(); number++) {
        trip_breaker *breaker;
        trip_call call;
        char name[32];
        settle_if_asked();
        snprintf(name, sizeof(name), "press/%u", number % 500);
        if (trip_breaker_get(self.client, name, &breaker) == 0 && trip_admitted(trip_begin(breaker, &call)))
            trip_end(&call, TRIP_OK);
        __atomic_fetch_add(&arena->pressed, 1, __ATOMIC_RELAXED);
        nap_us(20000);
    }
}

/* --------------------------------------------------------------------------- children of a process that is attached */

static _Noreturn void end_of_life(bool settled)
{
    struct history_life *const life = &arena->lives[self.life];
    life->settled = settled;
    __atomic_store_n(&life->died, history_now_ns(), __ATOMIC_RELEASE);
    _exit(0);
}

/* Ends at once, so that it is dead before tripd can have taken its lane. */
static _Noreturn void live_for_one_call(void)
{
    new_life();
    call_once(YOUNG);
    end_of_life(false);
}

static _Noreturn void live_for_a_while(void)
{
    new_life();
    for (unsigned i = 0; i < 100 && !is(&arena->stop); i++) {
        call_once(YOUNG);
        nap_us(1000);
    }
    end_of_life(settle());
}

/* A young worker that takes all tickets and is killed. The test has seen that it has its lane by then. */
static _Noreturn void live_for_tickets(void)
{
    trip_call calls[AT_ONCE];
    new_life();
    for (unsigned i = 0; i < TAKER_CALLS; i++)
        call_once(TAKEN);
    __atomic_store_n(&arena->taker_called, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; !is(&arena->taker_go); i++) {
        if (i < TAKER_CALLS)
            call_once(TAKEN);
        nap_us(50000);
    }
    call_once(TAKEN);
    for (unsigned i = 0; i < history_breakers[TAKEN].tickets; i++)
        begin(TAKEN, &calls[i]);
    __atomic_store_n(&arena->taker_holds, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void fork_a_taker(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        live_for_tickets();
    }
    __atomic_store_n(&arena->taker, pid, __ATOMIC_RELEASE);
    __atomic_store_n(&arena->taker_wanted, 0, __ATOMIC_RELEASE);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static void fork_a_child(bool keeps_on)
{
    const pid_t pid = fork();
    if (pid == 0 && keeps_on)
        live_for_a_while();
    if (pid == 0)
        live_for_one_call();
    __atomic_fetch_add(&arena->children, pid > 0, __ATOMIC_RELAXED);
    __atomic_fetch_add(&arena->kept_children, pid > 0 && keeps_on, __ATOMIC_RELAXED);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static void live_by_forks(void)
{
    while (goes_on()) {
        const bool quiet = is(&arena->quiet_children);
        settle_if_asked();
        __atomic_store_n(&arena->paused, quiet, __ATOMIC_RELEASE);
        if (is(&arena->taker_wanted))
            fork_a_taker();
        else if (!quiet)
            fork_a_child(next_random(&self.random) % 16 == 0);
        if (!is(&arena->idle))
            call_once(COUNT); /* otherwise it would never hear of another tripd */
        nap_us(2000);
    }
    __atomic_store_n(&arena->paused, 1, __ATOMIC_RELEASE);
}

/* --------------------------------------------------------------------------------------------------------- a client */

static void open_all(void)
{
    if (trip_open(&self.client, NULL) < 0)
        _exit(2);
    for (unsigned breaker = 0; breaker < BREAKERS; breaker++)
        if (trip_breaker_get(self.client, history_breakers[breaker].name, &self.breakers[breaker]) < 0)
            _exit(2);
    if (!settle())
        _exit(3);
}

/* Changes its user, like workers of a server whose master opened the client as root. */
static void become_nobody(void)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid > 0) {
        waitpid(pid, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 5);
    }
    if (pid < 0 || setgroups(0, NULL) < 0 || setresgid(NOBODY_UID, NOBODY_UID, NOBODY_UID) < 0 ||
        setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID) < 0)
        _exit(5);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static _Noreturn void live(void)
{
    const unsigned round = __atomic_load_n(&arena->settle_round, __ATOMIC_ACQUIRE);
    open_all();
    if (self.kind == ROLELESS)
        become_nobody();
    new_life();
    arena->lives[self.life].recovers = self.kind <= ROLELESS;
    arena->clients[self.slot].life = self.life;
    __atomic_store_n(&arena->clients[self.slot].settled, round, __ATOMIC_RELEASE);
    if (self.kind == ASKER)
        live_by_questions();
    else if (self.kind == FORKER)
        live_by_forks();
    else if (self.kind == PRESSER)
        live_by_pressing();
    else
        live_by_calls();
    const bool settled = self.kind == ROLELESS || settle();
    arena->lives[self.life].settled = settled && self.kind != ROLELESS;
    arena->lives[self.life].died = history_now_ns();
    trip_close(self.client);
    _exit(settled ? 0 : 3);
}

void client_start(unsigned slot, enum client_kind kind, uint64_t random)
{
    const pid_t parent = getpid();
    arena->clients[slot] = (struct storm_client){.kind = kind, .settled = UNSETTLED};
    const pid_t pid = fork();
    if (pid != 0) {
        arena->clients[slot].pid = pid;
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    self.slot = slot;
    self.kind = kind;
    self.random = random | 1;
    live();
}
