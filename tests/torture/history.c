/* Clients write down each call, with the time before and after it, while tripd is killed, stopped, upgraded and
 * reloaded under them, while they are killed and forked and change their user, while breakers are hidden and their
 * table is full. Afterwards history_check.h says whether what they were told can have been true.
 *
 *   torture_history [--only restart|away|role|hidden|young] [--seed N] [--seconds N]
 *
 * The seed reproduces what is done, not when. --only does one thing alone:
 *   restart  the commons dies; operators trip before clients have noticed
 *   away     clients open a breaker while no tripd lives
 *   role     callers lack the role report
 *   hidden   breakers that were idle for forget_after are called again
 *   young    children end after one call, or are killed with all tickets
 *
 * Exempt, as the manual says: tickets and tokens taken in a commons that died with both processes; leases of processes
 * without a lane, which last a minute; outcomes of a process that ended before any tripd was sent its lane. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "history_clients.h"
#include "instance.h"
#include "storm.h"

#define MS            UINT64_C(1000000)
#define PATIENCE_MS   20000 /* for what a second is enough for */
#define ABSENCES_MAX  4096
#define VERBS_MAX     16384
#define CARDS_MAX     64
#define DEALS_MAX     20
#define OPEN_MS       2500
#define ROLE_OPEN_MS  300
#define TEXT_OF(word) #word
#define TEXT(word)    TEXT_OF(word)

/* The two configs differ in what nobody here uses. */
static const char config[] =
    "limits: {max_breakers: 16}\n"
    "access: {observe: [any], report: [\"user:0\"], control: [\"user:0\"]}\n"
    "breakers:\n"
    "  - match: \"held\"\n"
    "    mode: forced_open\n"
    "    forget_after: 1s\n"
    "  - match: \"ops\"\n"
    "    trip: {consecutive_failures: 0, failure_rate: 0%}\n"
    "    open: {for: 1s, multiplier: 1.0, jitter: 0%}\n"
    "    half_open: {permits: 2, successes: 3}\n"
    "  - match: \"opens\"\n"
    "    trip: {consecutive_failures: 5, failure_rate: 0%}\n"
    "    open: {for: " TEXT(OPEN_MS) "ms, multiplier: 1.0, jitter: 0%}\n"
                                     "    half_open: {permits: 2, successes: 3}\n"
                                     "  - match: \"role\"\n"
                                     "    trip: {consecutive_failures: 5, failure_rate: 0%}\n"
                                     "    open: {for: " TEXT(
                                         ROLE_OPEN_MS) "ms, multiplier: 1.0, jitter: 0%}\n"
                                                       "    half_open: {permits: 2, successes: 3}\n"
                                                       "  - match: \"bulk\"\n"
                                                       "    concurrency: {max: 4}\n"
                                                       "    priority: {sheddable_below: 0%, normal_below: 0%}\n"
                                                       "    forget_after: 1s\n"
                                                       "  - match: \"rate\"\n"
                                                       "    rate: {limit: 5, per: 1s}\n"
                                                       "    priority: {sheddable_below: 0%, normal_below: 0%}\n"
                                                       "    forget_after: 1s\n"
                                                       "  - match: \"taken\"\n"
                                                       "    concurrency: {max: 4}\n"
                                                       "    priority: {sheddable_below: 0%, normal_below: 0%}\n"
                                                       "  - match: \"press/*\"\n"
                                                       "    forget_after: 1s\n"
                                                       "  - match: \"*\"\n"
                                                       "    trip: {consecutive_failures: 0, failure_rate: 0%}\n";
static const char other_config[] = "    retry: {attempts: 5}\n"; /* the same with this line behind */

const struct history_breaker history_breakers[BREAKERS] = {
    [HELD] = {.name = "held", .forced_open = true},
    [OPS] = {.name = "ops", .permits = 2, .max_wait_ns = 10000 * MS},
    [OPENS] = {.name = "opens", .open_ns = OPEN_MS * MS, .permits = 2, .max_wait_ns = 10000 * MS},
    [ROLE] = {.name = "role", .open_ns = ROLE_OPEN_MS * MS, .permits = 2, .max_wait_ns = 10000 * MS},
    [BULK] = {.name = "bulk", .tickets = 4, .counted = true},
    [RATE] = {.name = "rate", .limit = 5, .per_ns = 1000 * MS, .burst = 5, .counted = true},
    [COUNT] = {.name = "count", .counted = true},
    [YOUNG] = {.name = "young", .counted = true},
    [TAKEN] = {.name = "taken", .tickets = 4},
};

struct card;
struct deck {
    const struct card *cards[CARDS_MAX];
    unsigned count;
};

enum part {
    RESTART = 1,
    AWAY = 2,
    ROLES = 4,
    HIDING = 8,
    YOUTH = 16,
    MIXED = 32,
    ALL = RESTART | AWAY | ROLES | HIDING | YOUTH | MIXED
};
static const struct {
    const char *name;
    enum part part;
} parts[] = {{"restart", RESTART}, {"away", AWAY}, {"role", ROLES}, {"hidden", HIDING}, {"young", YOUTH}};

enum absence_kind { WORKER_KILLED, KEEPER_KILLED, BOTH_KILLED, STOPPED, UPGRADED, ABSENCE_KINDS };

static struct storm {
    struct instance instance;
    enum part parts;
    uint64_t random;
    bool failed, gave_up_on[BREAKERS]; /* of what was found wrong there, more would tell nothing */
    unsigned clients;
    bool may_kill, killed; /* all clients are attached, so a lane of a killed one is read; one was killed since */
    unsigned mode;         /* of OPS: the last of force-open, disable and auto that was sent */
    unsigned absences_of[ABSENCE_KINDS], reloads, hidings, kills, takers, upgrades, replaced, deaths;
    struct history_absence absences[ABSENCES_MAX];
    struct history_verb verbs[VERBS_MAX];
    size_t absence_count, verb_count;
} storm;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    printf("FAILED: %s\n", what);
    storm.failed = true;
}

static bool does(enum part part)
{
    return storm.parts & part;
}

static unsigned dice(unsigned sides)
{
    return (unsigned)(next_random(&storm.random) >> 16) % sides;
}

static struct history history_now(void)
{
    const uint32_t calls = __atomic_load_n(&arena->call_count, __ATOMIC_ACQUIRE),
                   lives = __atomic_load_n(&arena->life_count, __ATOMIC_ACQUIRE);
    return (struct history){.breakers = history_breakers,
                            .breaker_count = BREAKERS,
                            .calls = arena->calls,
                            .call_count = calls < CALLS_MAX ? calls : CALLS_MAX,
                            .due_count = calls < CALLS_MAX ? calls : CALLS_MAX,
                            .lives = arena->lives,
                            .life_count = lives < LIVES_MAX ? lives : LIVES_MAX,
                            .verbs = storm.verbs,
                            .verb_count = storm.verb_count,
                            .absences = storm.absences,
                            .absence_count = storm.absence_count};
}

static bool wait_until(bool (*holds)(void), unsigned patience_ms)
{
    for (unsigned waited = 0; waited < patience_ms; waited += 5) {
        if (holds())
            return true;
        nap_us(5000);
    }
    return holds();
}

/* ---- operators */

/* What tripctl says of this; NULL: it failed. A new reference. */
static json_t *tripctl(const char *verb, unsigned breaker, const char *options)
{
    char arguments[128];
    snprintf(arguments, sizeof(arguments), "%s %s %s 2>/dev/null", verb,
             breaker < BREAKERS ? history_breakers[breaker].name : "", options);
    return instance_ask(arguments);
}

static bool operate(unsigned breaker, enum history_verb_kind kind, unsigned for_ms)
{
    static const char *const names[VERB_KINDS] = {"trip", "force-open", "disable", "auto", "reset"};
    char options[32] = "";
    struct history_verb *const verb = &storm.verbs[storm.verb_count];
    if (storm.verb_count == VERBS_MAX)
        return false;
    if (kind == VERB_TRIP)
        snprintf(options, sizeof(options), "--for %ums", for_ms);
    *verb = (struct history_verb){.kind = kind, .breaker = (uint8_t)breaker, .for_ns = for_ms * MS};
    verb->sent = history_now_ns();
    json_t *const answer = tripctl(names[kind], breaker, options);
    verb->answered = answer ? history_now_ns() : 0;
    storm.verb_count++;
    json_decref(answer);
    return verb->answered;
}

static bool calls_freely(void)
{
    json_t *const shown = tripctl("show", OPENS, "");
    const char *const state = json_string_value(json_object_get(shown, "state"));
    const bool closed = state && strcmp(state, "closed") == 0;
    json_decref(shown);
    return closed;
}

/* A mode is taken away before another verb, so that there is no doubt of what holds. */
static void operate_somehow(void)
{
    static const unsigned times_ms[] = {300, 700, 1500};
    static const enum history_verb_kind kinds[] = {VERB_TRIP, VERB_TRIP, VERB_TRIP, VERB_FORCE_OPEN, VERB_DISABLE};
    enum history_verb_kind kind = kinds[dice(5)];
    if (storm.mode != VERB_AUTO)
        kind = VERB_AUTO;
    else if (dice(6) == 0)
        kind = VERB_RESET;
    if (kind != VERB_TRIP && kind != VERB_RESET)
        storm.mode = kind;
    operate(OPS, kind, times_ms[dice(3)]);
}

/* ---- totals */

static uint64_t total_of(json_t *totals, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(totals, name));
}

/* False: tripctl knows no such breaker, for it is hidden. */
static bool totals_of(unsigned breaker, struct history_totals *ret_totals)
{
    json_t *const shown = tripctl("show", breaker, ""), *const totals = json_object_get(shown, "totals");
    const bool known = totals != NULL;
    if (known)
        *ret_totals = (struct history_totals){total_of(totals, "ok"),        total_of(totals, "failures"),
                                              total_of(totals, "timeouts"),  total_of(totals, "ignored"),
                                              total_of(totals, "cancelled"), total_of(totals, "late")};
    json_decref(shown);
    return known;
}

/* What was reported until now is counted soon; what is reported meanwhile may be. */
static void wait_for_totals(unsigned breaker)
{
    const size_t due = history_now().due_count;
    bool agree = storm.gave_up_on[breaker];
    for (unsigned waited = 0; waited <= PATIENCE_MS && !agree; waited += 20) {
        struct history_totals totals = {0};
        if (!totals_of(breaker, &totals) && waited % 500 == 0)
            __atomic_fetch_add(&arena->bursts, 1, __ATOMIC_ACQ_REL); /* a call shows it again */
        struct history history = history_now(); /* after the totals: what they count was begun by then */
        history.due_count = due;
        agree = history_check_totals(&history, breaker, &totals, NULL);
        if (!agree && waited == PATIENCE_MS) {
            history_check_totals(&history, breaker, &totals, stdout);
            storm.failed = storm.gave_up_on[breaker] = true;
        }
        nap_us(20000);
    }
}

/* ---- clients */

static bool settles(const struct storm_client *client)
{
    return client->kind != ASKER && client->kind != ROLELESS;
}

static bool all_settled(void)
{
    for (unsigned i = 0; i < storm.clients; i++)
        if (settles(&arena->clients[i]) &&
            __atomic_load_n(&arena->clients[i].settled, __ATOMIC_ACQUIRE) != arena->settle_round)
            return false;
    return true;
}

static void settle_all(void)
{
    __atomic_fetch_add(&arena->settle_round, 1, __ATOMIC_ACQ_REL);
    storm.may_kill = wait_until(all_settled, 2 * PATIENCE_MS);
    check(storm.may_kill, "every client attaches again");
    for (unsigned i = 0; i < storm.clients; i++)
        if (storm.may_kill && settles(&arena->clients[i]))
            arena->lives[arena->clients[i].life].settled = true;
}

static void add_client(enum client_kind kind)
{
    client_start(storm.clients++, kind, next_random(&storm.random));
}

static void kill_client(void)
{
    unsigned slot = dice(storm.clients);
    while (arena->clients[slot].kind > SLOW)
        slot = dice(storm.clients);
    if (!storm.may_kill || arena->clients[slot].settled == UNSETTLED)
        settle_all();
    if (!storm.may_kill)
        return;
    struct storm_client *const client = &arena->clients[slot];
    struct history_life *const life = &arena->lives[client->life];
    kill(client->pid, SIGKILL);
    waitpid(client->pid, NULL, 0);
    life->settled = true;
    life->died = history_now_ns();
    client_start(slot, client->kind, next_random(&storm.random));
    storm.killed = true;
    storm.kills++;
}

/* Who is replaced ends by itself: what it holds without a lane would be out for a minute. */
static void replace(enum client_kind kind)
{
    int status = 0;
    for (unsigned slot = 0; slot < storm.clients; slot++) {
        if (arena->clients[slot].kind != kind)
            continue;
        __atomic_store_n(&arena->clients[slot].retires, 1, __ATOMIC_RELEASE);
        waitpid(arena->clients[slot].pid, &status, 0);
        check(status == 0, "a client ends by itself, and attached");
        client_start(slot, kind, next_random(&storm.random));
        storm.replaced++;
        return;
    }
}

/* ---- tripd goes away and comes back */

static bool children_pause(void)
{
    return __atomic_load_n(&arena->paused, __ATOMIC_ACQUIRE);
}

/* Who has ended is counted before tripd goes: what both processes knew dies with them. */
static void count_the_dead(void)
{
    if (does(YOUTH)) {
        __atomic_store_n(&arena->quiet_children, 1, __ATOMIC_RELEASE);
        check(wait_until(children_pause, 2 * PATIENCE_MS), "no child is being forked");
        wait_for_totals(YOUNG);
    }
    if (storm.killed) {
        settle_all();
        wait_for_totals(COUNT);
    }
    storm.killed = false;
    __atomic_store_n(&arena->quiet_children, dice(2), __ATOMIC_RELEASE); /* some are forked while tripd is away */
}

static bool opens_is_denied(void)
{
    return __atomic_load_n(&arena->opened[OPENS], __ATOMIC_ACQUIRE) > 0;
}

static void let_clients_open(void)
{
    __atomic_store_n(&arena->opened[OPENS], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&arena->fails[OPENS], 1, __ATOMIC_RELEASE);
    wait_until(opens_is_denied, PATIENCE_MS);
    __atomic_store_n(&arena->fails[OPENS], 0, __ATOMIC_RELEASE);
}

static void stop_tripd(void)
{
    int status = 0;
    kill(storm.instance.keeper, SIGTERM);
    waitpid(storm.instance.keeper, &status, 0);
    storm.instance.keeper = 0;
    check(status == 0, "tripd stops with status 0");
}

/* The worker dies with its keeper, and is ours then: PR_SET_CHILD_SUBREAPER. */
static void kill_keeper(bool and_worker)
{
    const pid_t worker = instance_worker(&storm.instance);
    if (and_worker && worker)
        kill(worker, SIGKILL);
    instance_kill_keeper(&storm.instance);
    if (worker)
        waitpid(worker, NULL, 0);
}

static void upgrade_path(void)
{
    static char first[256];
    char path[128], command[512];
    const char *const program = getenv("TRIPD");
    if (!*first)
        snprintf(first, sizeof(first), "%s", program ? program : "tripd");
    snprintf(path, sizeof(path), "%s/tripd-%u", storm.instance.folder, ++storm.upgrades);
    snprintf(command, sizeof(command), "cp %s %s", first, path);
    if (system(command) == 0)
        setenv("TRIPD", path, 1);
}

static void take_away(enum absence_kind kind)
{
    const pid_t worker = instance_worker(&storm.instance);
    if (kind == WORKER_KILLED && worker)
        kill(worker, SIGKILL);
    else if (kind == KEEPER_KILLED || kind == BOTH_KILLED)
        kill_keeper(kind == BOTH_KILLED);
    else if (kind != WORKER_KILLED)
        stop_tripd();
    storm.absences_of[kind]++;
}

/* A probe runs, or nobody probes now. */
static void catch_a_probe(void)
{
    const unsigned probes = __atomic_load_n(&arena->probes, __ATOMIC_ACQUIRE);
    if (storm.mode != VERB_AUTO || !operate(OPS, VERB_TRIP, 50))
        return;
    for (unsigned waited = 0; waited < 1000 && __atomic_load_n(&arena->probes, __ATOMIC_ACQUIRE) == probes; waited++)
        nap_us(1000);
}

static void be_away(enum absence_kind kind, bool clients_open)
{
    struct history_absence *const absence = &storm.absences[storm.absence_count];
    if (storm.absence_count == ABSENCES_MAX)
        return;
    if (clients_open && !wait_until(calls_freely, 2 * OPEN_MS))
        operate(OPENS, VERB_RESET, 0);
    absence->from = history_now_ns();
    count_the_dead();
    if (!clients_open && dice(2))
        catch_a_probe();
    storm.absence_count++; /* `to` 0 until then: nothing is checked meanwhile */
    take_away(kind);
    if (kind != WORKER_KILLED) {
        storm.may_kill = false;
        absence->dead_from = history_now_ns();
        if (clients_open)
            let_clients_open();
        else
            nap_us(dice(4) * 100000);
        if (kind == UPGRADED)
            upgrade_path();
        absence->dead_to = history_now_ns();
        instance_restart(&storm.instance);
    }
    check(instance_wait_up(&storm.instance, PATIENCE_MS), "tripd is up again");
    absence->to = history_now_ns();
    __atomic_store_n(&arena->quiet_children, 0, __ATOMIC_RELEASE);
}

/* At once: who has not noticed yet must hear of it all the same. */
static void trip_after_restart(void)
{
    if (storm.mode != VERB_AUTO) {
        operate(OPS, VERB_AUTO, 0);
        storm.mode = VERB_AUTO;
    }
    operate(OPS, VERB_TRIP, 1500);
    nap_us(1000000); /* is what is tried */
}

/* ---- other things that happen */

static void reload(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/test.yaml", storm.instance.folder);
    FILE *const file = fopen(path, "we");
    if (!file)
        return;
    fprintf(file, "%s%s", config, storm.reloads % 2 ? "" : other_config);
    fclose(file);
    kill(storm.instance.keeper, SIGHUP);
    storm.reloads++;
}

static bool rate_is_hidden(void)
{
    json_t *const list = tripctl("list", BREAKERS, ""), *breaker;
    size_t i;
    bool shown = list == NULL;
    json_array_foreach(json_object_get(list, "breakers"), i, breaker)
    {
        const char *const name = json_string_value(json_object_get(breaker, "breaker"));
        shown |= name && strcmp(name, "rate") == 0;
    }
    json_decref(list);
    return !shown;
}

static void hide(void)
{
    __atomic_store_n(&arena->idle, 1, __ATOMIC_RELEASE);
    storm.hidings += wait_until(rate_is_hidden, PATIENCE_MS / 2);
    __atomic_fetch_add(&arena->bursts, 1, __ATOMIC_ACQ_REL);
    wait_for_totals(RATE); /* nothing was lost with what was not shown */
    wait_for_totals(BULK);
    __atomic_store_n(&arena->idle, 0, __ATOMIC_RELEASE);
}

static bool taker_called(void)
{
    return __atomic_load_n(&arena->taker_called, __ATOMIC_ACQUIRE);
}

static bool taker_holds(void)
{
    return __atomic_load_n(&arena->taker_holds, __ATOMIC_ACQUIRE);
}

/* tripd lists the child, and has answered a question since: so the child's lane is given to it. */
static bool taker_has_a_lane(void)
{
    json_t *const answer = tripctl("clients", BREAKERS, ""), *client;
    size_t i;
    bool listed = false;
    json_array_foreach(json_object_get(answer, "clients"), i, client) listed |=
        json_integer_value(json_object_get(client, "pid")) == (json_int_t)arena->taker;
    json_decref(answer);
    if (!listed)
        return false;
    json_t *const asked = tripctl("clock show", BREAKERS, "");
    json_decref(asked);
    return asked != NULL;
}

static json_int_t taken(unsigned breaker)
{
    json_t *const shown = tripctl("show", breaker, "");
    json_t *const bulkhead = json_object_get(json_object_get(shown, "limits"), "concurrency");
    const json_int_t tickets = bulkhead ? json_integer_value(json_object_get(bulkhead, "taken")) : -1;
    json_decref(shown);
    return tickets;
}

static bool all_of_taker_are_out(void)
{
    return taken(TAKEN) == (json_int_t)history_breakers[TAKEN].tickets;
}

static bool none_of_taker_is_out(void)
{
    return taken(TAKEN) == 0;
}

static bool none_of_bulk_is_out(void)
{
    return taken(BULK) <= 0; /* -1: it is hidden, which a breaker in use is not */
}

static void kill_a_taker(void)
{
    if (storm.gave_up_on[TAKEN])
        return;
    arena->taker = 0;
    arena->taker_called = arena->taker_go = arena->taker_holds = 0;
    __atomic_store_n(&arena->taker_wanted, 1, __ATOMIC_RELEASE);
    check(wait_until(taker_called, PATIENCE_MS), "a child is forked, and has called");
    check(wait_until(taker_has_a_lane, PATIENCE_MS), "tripd lists the child");
    __atomic_store_n(&arena->taker_go, 1, __ATOMIC_RELEASE);
    check(wait_until(taker_holds, PATIENCE_MS) && wait_until(all_of_taker_are_out, PATIENCE_MS),
          "the child holds all tickets");
    kill(arena->taker, SIGKILL);
    const uint64_t killed = history_now_ns();
    storm.takers++;
    if (wait_until(none_of_taker_is_out, PATIENCE_MS))
        return;
    printf("FAILED: rule 7: taken: %lld tickets of pid %d, a forked worker that tripd had given a lane, are not back "
           "%.1f s after it was killed\n",
           (long long)taken(TAKEN), (int)arena->taker, (double)(history_now_ns() - killed) / 1e9);
    storm.failed = storm.gave_up_on[TAKEN] = true;
}

/* ---- what was seen */

/* What this storm is for and did not do yet; NULL: nothing. */
static const char *what_is_missing(void)
{
    const struct history history = history_now();
    const struct history_seen seen = history_look(&history);
    const unsigned *const of = storm.absences_of;
    const bool roles = does(ROLES) && geteuid() == 0;
    const struct {
        bool part, seen;
        const char *what;
    } goals[] = {
        {true, seen.calls > 0 && seen.questions > 0 && seen.probes > 0, "calls, questions and probes"},
        {true, seen.denied_by_verbs > 0, "calls that verbs denied"},
        {true, seen.rejected > 0 && seen.rated > 0, "calls that the limits denied"},
        {does(RESTART), of[KEEPER_KILLED] && of[BOTH_KILLED] && of[STOPPED] && of[UPGRADED], "each kind of restart"},
        {does(RESTART), seen.calls_across > 0, "calls in the bulkhead while tripd went or came"},
        {does(RESTART), seen.probes_across > 0, "probes while tripd went or came"},
        {does(AWAY), seen.openings_across > 0, "openings of clients that outlived tripd's absence"},
        {roles, of[WORKER_KILLED] > 0 && storm.replaced > 0, "killed workers, and replaced clients"},
        {does(HIDING), storm.hidings > 0, "hidden breakers"},
        {does(YOUTH), arena->children > 0 && storm.takers > 0, "children that called, and that were killed"},
        {does(MIXED), storm.kills > 0 && arena->pressed > 0, "killed clients, and more names than fit"},
    };
    for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++)
        if (goals[i].part && !goals[i].seen)
            return goals[i].what;
    return NULL;
}

static void print_seen(void)
{
    const struct history history = history_now();
    const struct history_seen seen = history_look(&history);
    printf("%zu calls, %zu questions, %zu denials, %zu probes, %u lives, %llu children\n", seen.calls, seen.questions,
           seen.denials, seen.probes, arena->life_count, (unsigned long long)arena->children);
    printf("killed: worker %u times, keeper %u, both %u, clients %u; stopped %u, upgraded %u, reloaded %u times\n",
           storm.absences_of[WORKER_KILLED], storm.absences_of[KEEPER_KILLED], storm.absences_of[BOTH_KILLED],
           storm.kills, storm.absences_of[STOPPED], storm.absences_of[UPGRADED], storm.reloads);
    printf("%zu verbs, %zu denied by them; %zu denied while tripd was dead, %zu such openings outlived it\n",
           storm.verb_count, seen.denied_by_verbs, seen.denied_while_dead, seen.openings_across);
    printf("while tripd went or came: %zu probes, %zu calls in the bulkhead; %zu denied by bulkhead, %zu by rate\n",
           seen.probes_across, seen.calls_across, seen.rejected, seen.rated);
    printf("%u times hidden, %u killed with all tickets, %llu names pressed in, %u clients replaced\n", storm.hidings,
           storm.takers, (unsigned long long)arena->pressed, storm.replaced);
}

/* ---- the storm */

static void die(void)
{
    be_away((enum absence_kind)(KEEPER_KILLED + storm.deaths++ % (ABSENCE_KINDS - KEEPER_KILLED)), false);
    trip_after_restart();
    if (dice(2))
        replace(ASKER);
}

static void die_while_clients_open(void)
{
    be_away((enum absence_kind)(KEEPER_KILLED + dice(ABSENCE_KINDS - KEEPER_KILLED)), true);
    nap_us(OPEN_MS * 1000 / 2); /* is what is tried */
}

static void kill_worker(void)
{
    be_away(WORKER_KILLED, false);
}

static void replace_a_roleless(void)
{
    replace(ROLELESS);
}

/* A deck of cards: in each deal all of them are played, in another order. */
static const struct card {
    void (*play)(void);
    enum part part; /* is in the deck if the storm has that part; 0: always */
    unsigned copies;
} cards[] = {
    {die, RESTART, 4},        {die_while_clients_open, AWAY, 2},
    {kill_worker, ROLES, 2},  {replace_a_roleless, ROLES, 1},
    {hide, HIDING, 1},        {kill_a_taker, YOUTH, 1},
    {kill_client, MIXED, 3},  {reload, 0, 2},
    {operate_somehow, 0, 10},
};

static void deal(struct deck *deck)
{
    *deck = (struct deck){0};
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
        for (unsigned copies = 0; copies < cards[i].copies && (!cards[i].part || does(cards[i].part)); copies++)
            deck->cards[deck->count++] = &cards[i];
    for (unsigned left = deck->count; left > 1; left--) {
        const unsigned other = dice(left);
        const struct card *const card = deck->cards[left - 1];
        deck->cards[left - 1] = deck->cards[other];
        deck->cards[other] = card;
    }
}

/* Until the time is over, a whole deck was played, and all was seen that a storm is for. */
static void storm_on(unsigned seconds)
{
    const uint64_t until = history_now_ns() + seconds * 1000 * MS;
    struct deck deck = {0};
    for (unsigned deals = 0; deals < DEALS_MAX && !arena->stop;) {
        if (deck.count == 0 && deals++ > 0 && history_now_ns() >= until && what_is_missing() == NULL)
            return;
        if (deck.count == 0)
            deal(&deck);
        deck.cards[--deck.count]->play();
        nap_us(dice(150000));
    }
}

static void start_clients(void)
{
    add_client(CALLER);
    add_client(CALLER);
    add_client(SLOW);
    add_client(SLOW);
    add_client(ASKER);
    if (does(ROLES) && geteuid() == 0) {
        add_client(ROLELESS);
        add_client(ROLELESS);
    }
    if (does(YOUTH))
        add_client(FORKER);
    settle_all();
    if (does(MIXED))
        add_client(PRESSER); /* when all others have their names */
}

static bool role_is_denied(void)
{
    return __atomic_load_n(&arena->opened[ROLE], __ATOMIC_ACQUIRE) > 0;
}

/* Those alone call it who lack the role report, one of whom was forked now. */
static void let_the_roleless_open(void)
{
    if (!does(ROLES) || geteuid() != 0)
        return;
    add_client(ROLELESS);
    __atomic_store_n(&arena->opened[ROLE], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&arena->fails[ROLE], 1, __ATOMIC_RELEASE);
    check(wait_until(role_is_denied, PATIENCE_MS), "those who lack the role report open a breaker");
    __atomic_store_n(&arena->fails[ROLE], 0, __ATOMIC_RELEASE);
}

static void calm_down(void)
{
    static const unsigned to_recover[] = {OPS, OPENS, ROLE};
    __atomic_store_n(&arena->quiet_children, 1, __ATOMIC_RELEASE);
    operate(OPS, VERB_AUTO, 0);
    let_the_roleless_open();
    __atomic_store_n(&arena->calm, 1, __ATOMIC_RELEASE);
    const uint64_t since = history_now_ns();
    for (unsigned i = 0; i < sizeof(to_recover) / sizeof(to_recover[0]); i++) {
        struct history history = history_now();
        for (unsigned waited = 0; waited < PATIENCE_MS && !history_check_recovery(&history, to_recover[i], since, NULL);
             waited += 50) {
            nap_us(50000);
            history = history_now();
        }
        if (!history_check_recovery(&history, to_recover[i], since, stdout))
            storm.failed = true;
    }
    settle_all();
}

static void check_totals(void)
{
    __atomic_store_n(&arena->idle, 1, __ATOMIC_RELEASE);
    for (unsigned breaker = 0; breaker < BREAKERS; breaker++)
        if (history_breakers[breaker].counted)
            wait_for_totals(breaker);
    if (!storm.gave_up_on[BULK])
        check(wait_until(none_of_bulk_is_out, PATIENCE_MS), "rule 7: bulk: all tickets are back");
}

static void end_clients(void)
{
    int status;
    __atomic_store_n(&arena->stop, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < storm.clients; i++)
        check(waitpid(arena->clients[i].pid, &status, 0) > 0 && status == 0, "a client ends by itself, and attached");
}

static bool parse_only(const char *name)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strcmp(parts[i].name, name) == 0) {
            storm.parts = parts[i].part;
            return true;
        }
    return false;
}

static bool parse(int argc, char **argv, unsigned *seconds)
{
    static const struct option known[] = {
        {"seed", 1, NULL, 's'}, {"seconds", 1, NULL, 't'}, {"only", 1, NULL, 'o'}, {NULL, 0, NULL, 0}};
    int key;
    while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (key == 's')
            storm.random = strtoull(optarg, NULL, 10);
        else if (key == 't')
            *seconds = (unsigned)atoi(optarg);
        else if (key != 'o' || !parse_only(optarg))
            return false;
    }
    return optind == argc;
}

static const char *name_of_parts(void)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].part == storm.parts)
            return parts[i].name;
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned seconds = 20;
    storm.random = history_now_ns() / 1000;
    storm.parts = ALL;
    storm.mode = VERB_AUTO;
    if (!parse(argc, argv, &seconds)) {
        fprintf(stderr, "usage: torture_history [--only restart|away|role|hidden|young] [--seed N] [--seconds N]\n");
        return 2;
    }
    printf("torture_history%s%s --seed %llu --seconds %u\n", storm.parts == ALL ? "" : " --only ",
           storm.parts == ALL ? "" : name_of_parts(), (unsigned long long)storm.random, seconds);
    fflush(stdout);
    storm.random |= 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED)
        return 1;
    instance_start(&storm.instance, config);
    chmod(storm.instance.folder, 0755); /* for nobody */
    start_clients();
    storm_on(seconds);
    check(!arena->stop, "the history had room for all calls");
    calm_down();
    check_totals();
    end_clients();
    const struct history history = history_now();
    storm.failed |= history_check(&history, stdout) > 0;
    print_seen();
    const char *const missing = what_is_missing();
    if (missing)
        printf("FAILED: the storm has not brought %s\n", missing);
    storm.failed |= missing != NULL;
    check(instance_stop(&storm.instance) == 0, "tripd stops with status 0");
    while (wait(NULL) > 0) /* whose parents are dead: PR_SET_CHILD_SUBREAPER */
        ;
    return storm.failed ? 1 : 0;
}
