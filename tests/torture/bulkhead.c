/* Many processes call through bulkheads of five tickets, by a rate, and pay retries, while they are killed with -9 at
 * random instants, stopped and continued, and forked with a call in flight. The protected server is a word of the
 * test's own memory: who was admitted sets its bit there before it does anything, and clears it before it ends the
 * call, so that each one sees, in one step, how many are inside with it.
 *   - Nobody ever sees more than five.
 *   - All tickets are free within 1 s of the last death, and whole: five are admitted, and no sixth.
 *   - No more calls passed by the rate, and no more retries were paid, than the time brought tokens; then the bucket is
 *     full again, and the budget gives a second's tokens a second later.
 *   - Calls, rejections and retries were counted as each process noted them, before and after.
 *
 *   torture_bulkhead [--seed N] [--seconds N]
 *
 * Who is to be killed is doomed first, and not counted any more: its ticket may be another's before we know of its
 * death.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "instance.h"
#include "internal/ticks.h"
#include "storm.h"
#include "trip.h"

#define CLIENTS   12
#define SLOTS     (2 * CLIENTS) /* one for each client, and one for its forked child */
#define TICKETS   5
#define LIMIT     200 /* calls a second that the rate admits; BURST at once */
#define BURST     20
#define FLOOR     50           /* retries a second */
#define CAP       (10 * FLOOR) /* tokens of a new budget */
#define BULKHEADS 2
#define DOOMED    32 /* doomed slots are 32 bits beyond the bits of slots that are inside */

static const char config[] = "breakers:\n"
                             "  - match: \"deny\"\n"
                             "    concurrency: {max: 5}\n"
                             "  - match: \"wait\"\n"
                             "    concurrency: {max: 5, wait: 20ms}\n"
                             "  - match: \"rate\"\n"
                             "    rate: {limit: 200, burst: 20}\n"
                             "    retry: {budget: {ratio: 0, min_per_second: 50}}\n";
enum { DENY, WAIT, RATE, BREAKERS };
static const char *const names[BREAKERS] = {[DENY] = "deny", [WAIT] = "wait", [RATE] = "rate"};

/* Reports that were about to be made, and that were made: a process killed between the two has one more of the former.
 */
struct notes {
    uint64_t before, after;
};

struct slot {
    struct notes ended[BREAKERS], denied[BREAKERS];
    struct notes paid;
    unsigned forked; /* a child lives in this slot */
};

struct arena {
    uint64_t inside[BULKHEADS]; /* 32 bits of slots that are inside, 32 of doomed ones */
    unsigned stop;
    unsigned most[BULKHEADS]; /* the most that were inside at once */
    uint64_t overruns, full[BULKHEADS], forks, unpaid;
    struct slot slots[SLOTS];
};

static struct arena *arena;

/* --------------------------------------------------------------------------------------------- the protected server */

static unsigned living_inside(uint64_t word)
{
    return (unsigned)__builtin_popcount((uint32_t)word & ~(uint32_t)(word >> DOOMED));
}

static void enter(unsigned breaker, unsigned slot)
{
    const uint64_t bit = UINT64_C(1) << slot;
    const unsigned seen = living_inside(__atomic_fetch_or(&arena->inside[breaker], bit, __ATOMIC_SEQ_CST) | bit);
    __atomic_fetch_add(&arena->overruns, seen > TICKETS, __ATOMIC_RELAXED);
    __atomic_fetch_add(&arena->full[breaker], seen == TICKETS, __ATOMIC_RELAXED);
    unsigned most = __atomic_load_n(&arena->most[breaker], __ATOMIC_RELAXED);
    while (most < seen &&
           !__atomic_compare_exchange_n(&arena->most[breaker], &most, seen, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static void leave(unsigned breaker, unsigned slot)
{
    __atomic_fetch_and(&arena->inside[breaker], ~(UINT64_C(1) << slot), __ATOMIC_SEQ_CST);
}

static void doom(unsigned slot)
{
    for (unsigned breaker = 0; breaker < BULKHEADS; breaker++)
        __atomic_fetch_or(&arena->inside[breaker], UINT64_C(1) << (slot + DOOMED), __ATOMIC_SEQ_CST);
}

static void bury(unsigned slot)
{
    const uint64_t bits = UINT64_C(1) << slot | UINT64_C(1) << (slot + DOOMED);
    for (unsigned breaker = 0; breaker < BULKHEADS; breaker++)
        __atomic_fetch_and(&arena->inside[breaker], ~bits, __ATOMIC_SEQ_CST);
}

/* --------------------------------------------------------------------------------------------------------- a client */

struct client {
    trip_client *client;
    trip_breaker *breakers[BREAKERS];
    unsigned slot;
    uint64_t random;
};

static bool stopped(void)
{
    return __atomic_load_n(&arena->stop, __ATOMIC_RELAXED);
}

/* Waits until the client is attached: tripd drains, or will drain, what it counted. */
static bool settle(const struct client *client)
{
    for (unsigned tries = 0; tries < 3000; tries++) {
        if (all_shared(client->breakers, BREAKERS))
            return true;
        nap_us(20000);
    }
    return false;
}

static void work(struct client *client)
{
    const uint64_t dice = next_random(&client->random);
    if (dice % 4 == 0)
        nap_us((unsigned)(dice >> 8) % 1500);
}

static bool begin(struct client *client, unsigned breaker, trip_call *call)
{
    struct notes *const denied = &arena->slots[client->slot].denied[breaker];
    denied->before++;
    if (trip_admitted(trip_begin(client->breakers[breaker], call))) {
        denied->before--;
        return true;
    }
    denied->after++;
    return false;
}

static void end(struct client *client, unsigned breaker, trip_call *call)
{
    struct notes *const ended = &arena->slots[client->slot].ended[breaker];
    ended->before++;
    trip_end(call, TRIP_OK);
    ended->after++;
}

static void call_once(struct client *client, unsigned breaker)
{
    trip_call call;
    if (!begin(client, breaker, &call)) {
        nap_us(100);
        return;
    }
    enter(breaker, client->slot);
    work(client);
    leave(breaker, client->slot);
    end(client, breaker, &call);
}

static void call_by_rate(struct client *client)
{
    struct notes *const paid = &arena->slots[client->slot].paid;
    trip_call call;
    if (begin(client, RATE, &call))
        end(client, RATE, &call);
    paid->before++;
    if (trip_hedge_take(client->breakers[RATE])) {
        paid->after++;
        return;
    }
    paid->before--;
    __atomic_fetch_add(&arena->unpaid, 1, __ATOMIC_RELAXED);
}

/* Goes on in a child. The call in flight is the parent's: ending it here gives nothing back. */
static _Noreturn void live_on(struct client client, trip_call *of_parent)
{
    trip_end(of_parent, TRIP_OK);
    client.slot += CLIENTS;
    if (__atomic_exchange_n(&arena->slots[client.slot].forked, 1, __ATOMIC_ACQ_REL))
        _exit(0); /* another parent in the same place has a child already */
    if (!settle(&client))
        _exit(3);
    for (unsigned calls = 0; calls < 300 && !stopped(); calls++)
        call_once(&client, calls % BULKHEADS);
    const bool settled = settle(&client);
    __atomic_store_n(&arena->slots[client.slot].forked, 0, __ATOMIC_RELEASE);
    _exit(settled ? 0 : 3);
}

static void fork_with_a_call(struct client *client)
{
    trip_call call;
    if (!begin(client, DENY, &call))
        return;
    enter(DENY, client->slot);
    const uint64_t random = next_random(&client->random);
    const pid_t pid = fork();
    if (pid == 0) {
        client->random = random;
        live_on(*client, &call);
    }
    __atomic_fetch_add(&arena->forks, pid > 0, __ATOMIC_RELAXED);
    work(client);
    leave(DENY, client->slot);
    end(client, DENY, &call);
}

static _Noreturn void live(unsigned slot, uint64_t random)
{
    struct client client = {.slot = slot, .random = random};
    signal(SIGCHLD, SIG_IGN);
    if (trip_open(&client.client, NULL) < 0)
        _exit(2);
    for (unsigned breaker = 0; breaker < BREAKERS; breaker++)
        if (trip_breaker_get(client.client, names[breaker], &client.breakers[breaker]) < 0)
            _exit(2);
    if (!settle(&client))
        _exit(3);
    while (!stopped()) {
        const uint64_t dice = next_random(&client.random);
        if (dice % 64 == 0)
            fork_with_a_call(&client);
        else if (dice % 4 == 1)
            call_by_rate(&client);
        else
            call_once(&client, (unsigned)(dice >> 8) % BULKHEADS);
    }
    for (;;) /* until it is killed */
        call_once(&client, DENY);
}

/* -------------------------------------------------------------------------------------------------------- the storm */

struct storm {
    struct instance instance;
    uint64_t random;
    pid_t clients[CLIENTS];
    unsigned kills, stops;
    uint64_t began_us;
    bool failed;
};

static uint64_t now_us(void)
{
    return monotonic_ns() / 1000;
}

static void check(struct storm *storm, bool holds, const char *what)
{
    if (holds)
        return;
    printf("FAILED: %s\n", what);
    if (!storm->failed)
        instance_print_log(&storm->instance);
    storm->failed = true;
}

static void start_client(struct storm *storm, unsigned slot)
{
    const uint64_t random = next_random(&storm->random) | 1;
    storm->clients[slot] = child_fork();
    if (storm->clients[slot] == 0)
        live(slot, random);
}

static void kill_client(struct storm *storm, unsigned slot)
{
    int status = 0;
    doom(slot);
    kill(storm->clients[slot], SIGKILL);
    waitpid(storm->clients[slot], &status, 0);
    bury(slot);
    check(storm, WIFSIGNALED(status), "a client lived until it was killed");
    storm->kills++;
}

static void stop_and_continue(struct storm *storm, unsigned slot)
{
    kill(storm->clients[slot], SIGSTOP);
    nap_us((unsigned)(next_random(&storm->random) % 30000));
    kill(storm->clients[slot], SIGCONT);
    storm->stops++;
}

static void storm_on(struct storm *storm, unsigned seconds)
{
    const uint64_t end_us = now_us() + seconds * UINT64_C(1000000);
    while (now_us() < end_us) {
        const unsigned slot = (unsigned)(next_random(&storm->random) % CLIENTS);
        if (next_random(&storm->random) % 2 == 0) {
            kill_client(storm, slot);
            start_client(storm, slot);
        } else {
            stop_and_continue(storm, slot);
        }
        nap_us((unsigned)(next_random(&storm->random) % 30000));
    }
}

static bool forked_are_gone(void)
{
    for (unsigned slot = CLIENTS; slot < SLOTS; slot++)
        if (__atomic_load_n(&arena->slots[slot].forked, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

/* ---------------------------------------------------------------------------------------- what must hold afterwards */

static bool wait_free(trip_breaker *breaker, unsigned tickets, unsigned ms)
{
    trip_info info;
    for (unsigned waited = 0; waited <= ms; waited += 5) {
        if (trip_breaker_info(breaker, &info) == 0 && info.tickets == TICKETS && info.tickets_free == tickets)
            return true;
        nap_us(5000);
    }
    return false;
}

static void check_tickets(struct storm *storm, trip_breaker *breaker)
{
    trip_call calls[TICKETS + 1];
    unsigned admitted = 0;
    for (unsigned i = 0; i < TICKETS; i++)
        admitted += trip_begin(breaker, &calls[i]) == TRIP_ALLOW;
    check(storm, admitted == TICKETS, "five calls are admitted after the storm");
    check(storm, trip_begin(breaker, &calls[TICKETS]) == TRIP_DENY_CONCURRENCY, "and no sixth");
    for (unsigned i = 0; i < TICKETS; i++)
        trip_end(&calls[i], TRIP_OK);
    check(storm, wait_free(breaker, TICKETS, 0), "all tickets are free once they were given back");
}

static json_int_t shown_number(json_t *shown, const char *first, const char *second, const char *third)
{
    json_t *at = json_object_get(json_object_get(shown, first), second);
    return json_integer_value(third ? json_object_get(at, third) : at);
}

static void check_between(struct storm *storm, const char *what, json_int_t counted, const struct notes *notes)
{
    if ((uint64_t)counted >= notes->after && (uint64_t)counted <= notes->before)
        return;
    printf("FAILED: %s: counted %lld, noted %llu to %llu\n", what, (long long)counted, (unsigned long long)notes->after,
           (unsigned long long)notes->before);
    storm->failed = true;
}

static void add(struct notes *sum, const struct notes *notes)
{
    sum->before += notes->before;
    sum->after += notes->after;
}

/* Adds up one breaker's notes of all slots. */
static void sum_notes(unsigned breaker, struct notes *ended, struct notes *denied, struct notes *paid)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        add(ended, &arena->slots[slot].ended[breaker]);
        add(denied, &arena->slots[slot].denied[breaker]);
        add(paid, &arena->slots[slot].paid);
    }
}

static void check_counts(struct storm *storm, unsigned breaker)
{
    char arguments[32];
    struct notes ended = {0}, denied = {0}, paid = {0};
    snprintf(arguments, sizeof(arguments), "show %s", names[breaker]);
    json_t *shown = instance_ask(arguments);
    sum_notes(breaker, &ended, &denied, &paid);
    check_between(storm, "calls", shown_number(shown, "totals", "calls", NULL), &ended);
    check_between(storm, "rejections",
                  shown_number(shown, "limits", breaker == RATE ? "rate" : "concurrency", "rejected"), &denied);
    check(storm, denied.after > 0 || breaker == WAIT, "calls were denied, for the limit was reached");
    printf("%s: %llu calls, %llu denied\n", names[breaker], (unsigned long long)ended.after,
           (unsigned long long)denied.after);
    if (breaker == RATE)
        check_between(storm, "retries", shown_number(shown, "limits", "retry", "retries"), &paid);
    else
        check(storm,
              json_is_object(json_object_get(json_object_get(shown, "limits"), "concurrency")) &&
                  shown_number(shown, "limits", "concurrency", "taken") == 0,
              "tripctl shows no ticket taken");
    json_decref(shown);
}

static void check_inside(struct storm *storm, unsigned breaker)
{
    printf("%s: five inside %llu times, at most %u\n", names[breaker], (unsigned long long)arena->full[breaker],
           arena->most[breaker]);
    check(storm, arena->full[breaker] > 0, "five were inside at once");
}

/* Returns the tokens that `per_second` brings until now, rounded up. */
static uint64_t brought(uint64_t since_us, uint64_t per_second)
{
    return (now_us() - since_us) * per_second / 1000000 + 1;
}

static void check_tokens(struct storm *storm, trip_breaker *breaker)
{
    struct notes passed = {0}, denied = {0}, paid = {0};
    uint64_t taken = 0;
    trip_call call;
    sum_notes(RATE, &passed, &denied, &paid);
    printf("rate: %llu passed, %llu retries paid, %llu not\n", (unsigned long long)passed.after,
           (unsigned long long)paid.after, (unsigned long long)arena->unpaid);
    check(storm, passed.after <= BURST + brought(storm->began_us, LIMIT), "no more calls than tokens");
    check(storm, paid.after <= CAP + brought(storm->began_us, FLOOR), "no more retries than tokens");
    check(storm, arena->unpaid > 0, "retries were refused, for the budget was dry");
    while (trip_hedge_take(breaker))
        ;
    const uint64_t dry_us = now_us();
    nap_us(1000000); /* this time is what is measured */
    for (; trip_begin_with(breaker, &call, &(trip_options){.priority = TRIP_PRIORITY_CRITICAL}) == TRIP_ALLOW; taken++)
        trip_end(&call, TRIP_OK);
    check(storm, taken >= BURST && taken <= BURST + brought(dry_us, LIMIT), "the bucket is full after the storm");
    for (taken = 0; trip_hedge_take(breaker); taken++)
        ;
    check(storm, taken >= FLOOR && taken <= brought(dry_us, FLOOR), "a second brings the budget what it should");
}

static void calm_down(struct storm *storm)
{
    trip_client *client;
    trip_breaker *breakers[BREAKERS];
    __atomic_store_n(&arena->stop, 1, __ATOMIC_RELAXED);
    for (unsigned waited = 0; waited < 1000 && !forked_are_gone(); waited++)
        nap_us(10000);
    check(storm, trip_open(&client, NULL) == 0, "a client opens after the storm");
    for (unsigned breaker = 0; breaker < BREAKERS; breaker++)
        check(storm, trip_breaker_get(client, names[breaker], &breakers[breaker]) == 0, "a breaker is had");
    for (unsigned slot = 0; slot < CLIENTS; slot++)
        kill_client(storm, slot);
    for (unsigned breaker = 0; breaker < BULKHEADS; breaker++)
        check(storm, wait_free(breakers[breaker], TICKETS, 1000), "all tickets are free within 1 s of the last death");
    for (unsigned breaker = 0; breaker < BREAKERS; breaker++)
        check_counts(storm, breaker);
    for (unsigned breaker = 0; breaker < BULKHEADS; breaker++) {
        check_inside(storm, breaker);
        check_tickets(storm, breakers[breaker]);
    }
    check_tokens(storm, breakers[RATE]);
    trip_close(client);
}

int main(int argc, char **argv)
{
    static struct storm storm;
    struct timespec now;
    unsigned seconds = 8;
    clock_gettime(CLOCK_REALTIME, &now);
    storm.random = (uint64_t)now.tv_nsec;
    if (!storm_options(argc, argv, &storm.random, &seconds) || optind != argc) {
        fprintf(stderr, "usage: torture_bulkhead [--seed N] [--seconds N]\n");
        return 2;
    }
    printf("torture_bulkhead --seed %llu --seconds %u\n", (unsigned long long)storm.random, seconds);
    fflush(stdout);
    storm.random |= 1;
    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    instance_start(&storm.instance, config);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* only now: what removes the folder is not ours */
    storm.began_us = now_us();
    for (unsigned slot = 0; slot < CLIENTS; slot++)
        start_client(&storm, slot);
    storm_on(&storm, seconds);
    calm_down(&storm);
    printf("%u killed, %u stopped and continued, %llu forked\n", storm.kills, storm.stops,
           (unsigned long long)arena->forks);
    check(&storm, arena->overruns == 0, "nobody ever saw more than five inside");
    check(&storm, storm.kills > CLIENTS && storm.stops > 0 && arena->forks > 0, "there was a storm");
    check(&storm, instance_stop(&storm.instance) == 0, "tripd stops with status 0");
    while (wait(NULL) > 0) /* children of dead parents are ours: PR_SET_CHILD_SUBREAPER */
        ;
    return storm.failed ? 1 : 0;
}
