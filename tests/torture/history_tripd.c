#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history_storm.h"

/* The two configs differ only in a setting that nobody uses here. */
static const char config[] = "limits: {max_breakers: 16}\n"
                             "access: {observe: [any], report: [\"user:0\", \"user:65533\"], control: [\"user:0\"]}\n"
                             "breakers:\n"
                             "  - match: \"held\"\n"
                             "    mode: forced_open\n"
                             "    forget_after: 1s\n"
                             "  - match: \"ops\"\n"
                             "    trip: {consecutive_failures: 0, failure_rate: 0%}\n"
                             "    open: {for: 1s, multiplier: 1.0, jitter: 0%}\n"
                             "    half_open: {permits: 2, successes: 3}\n"
                             "  - match: \"quiet\"\n"
                             "    trip: {consecutive_failures: 0, failure_rate: 0%}\n"
                             "    half_open: {permits: 2, successes: 3}\n"
                             "    forget_after: 1s\n"
                             "  - match: \"opens\"\n"
                             "    trip: {consecutive_failures: 5, failure_rate: 0%}\n"
                             "    open: {for: 2500ms, multiplier: 1.0, jitter: 0%}\n"
                             "    half_open: {permits: 2, successes: 3}\n"
                             "  - match: \"role\"\n"
                             "    trip: {consecutive_failures: 5, failure_rate: 0%}\n"
                             "    open: {for: 300ms, multiplier: 1.0, jitter: 0%}\n"
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
                             "  - match: \"hostile/*\"\n"
                             "    concurrency: {max: 4}\n"
                             "    rate: {limit: 5, per: 1s}\n"
                             "  - match: \"press/*\"\n"
                             "    forget_after: 1s\n"
                             "  - match: \"*\"\n"
                             "    trip: {consecutive_failures: 0, failure_rate: 0%}\n";
static const char other_config[] = "    retry: {attempts: 5}\n"; /* the same with this line at its end */

const struct history_breaker history_breakers[BREAKERS] = {
    [HELD] = {.name = "held", .forced_open = true},
    [OPS] = {.name = "ops", .permits = 2, .max_wait_ns = 10000 * MS},
    [QUIET] = {.name = "quiet", .permits = 2, .max_wait_ns = 10000 * MS},
    [OPENS] = {.name = "opens", .open_ns = 2500 * MS, .permits = 2, .max_wait_ns = 10000 * MS},
    [ROLE] = {.name = "role", .open_ns = 300 * MS, .permits = 2, .max_wait_ns = 10000 * MS},
    [BULK] = {.name = "bulk", .tickets = 4, .counted = true},
    [RATE] = {.name = "rate", .limit = 5, .per_ns = 1000 * MS, .burst = 5, .counted = true},
    [COUNT] = {.name = "count", .counted = true},
    [YOUNG] = {.name = "young", .counted = true},
    [TAKEN] = {.name = "taken", .tickets = 4},
};

/* --------------------------------------------------------------------------------------- what the storm has come to */

void check(bool holds, const char *what)
{
    if (holds)
        return;
    printf("FAILED: %s\n", what);
    if (!storm.failed)
        instance_print_log(&storm.instance);
    storm.failed = true;
}

bool does(enum part part)
{
    return storm.parts & part;
}

unsigned dice(unsigned sides)
{
    return (unsigned)(next_random(&storm.random) >> 16) % sides;
}

struct history history_now(void)
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
                            .absence_count = storm.absence_count,
                            .others_report = does(HOSTILE)};
}

bool wait_until(bool (*holds)(void), unsigned patience_ms)
{
    for (unsigned waited = 0; waited < patience_ms; waited += 5) {
        if (holds())
            return true;
        nap_us(5000);
    }
    return holds();
}

/* -------------------------------------------------------------------------------------------------------- operators */

json_t *tripctl(const char *verb, unsigned breaker, const char *options)
{
    char arguments[128];
    snprintf(arguments, sizeof(arguments), "%s %s %s 2>/dev/null", verb,
             breaker < BREAKERS ? history_breakers[breaker].name : "", options);
    return instance_ask(arguments);
}

bool operate(unsigned breaker, enum history_verb_kind kind, unsigned for_ms)
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

void operate_somehow(void)
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

/* ----------------------------------------------------------------------------------------------------------- totals */

static uint64_t total_of(json_t *totals, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(totals, name));
}

/* Reads the totals. False: tripctl knows no such breaker, for it is hidden. */
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

void wait_for_totals(unsigned breaker)
{
    const size_t due = history_now().due_count;
    bool agree = storm.gave_up_on[breaker];
    for (unsigned waited = 0; waited <= PATIENCE_MS && !agree; waited += 20) {
        struct history_totals totals = {0};
        if (!totals_of(breaker, &totals) && waited % 500 == 0)
            __atomic_fetch_add(&arena->bursts, 1, __ATOMIC_ACQ_REL); /* a call makes it visible again */
        struct history history = history_now(); /* after the totals: calls that they count had begun by then */
        history.due_count = due;
        agree = history_check_totals(&history, breaker, &totals, NULL);
        if (!agree && waited == PATIENCE_MS) {
            history_check_totals(&history, breaker, &totals, stdout);
            storm.failed = storm.gave_up_on[breaker] = true;
        }
        nap_us(20000);
    }
}

/* ----------------------------------------------------------------------------------- tripd goes away and comes back */

static bool children_pause(void)
{
    return __atomic_load_n(&arena->paused, __ATOMIC_ACQUIRE);
}

/* Waits until dead clients are counted, before tripd goes: what both processes knew dies with them. */
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
    /* Some children are forked while tripd is away. */
    __atomic_store_n(&arena->quiet_children, dice(2), __ATOMIC_RELEASE);
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

/* Kills the keeper. The worker dies with it, and is then this process's to reap: PR_SET_CHILD_SUBREAPER. */
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

/* Waits until a probe runs, or nobody probes any more. */
static void catch_a_probe(void)
{
    const unsigned probes = __atomic_load_n(&arena->probes, __ATOMIC_ACQUIRE);
    if (storm.mode != VERB_AUTO || !operate(OPS, VERB_TRIP, 50))
        return;
    for (unsigned waited = 0; waited < 1000 && __atomic_load_n(&arena->probes, __ATOMIC_ACQUIRE) == probes; waited++)
        nap_us(1000);
}

void tripd_away(enum absence_kind kind, bool clients_open)
{
    struct history_absence *const absence = &storm.absences[storm.absence_count];
    if (storm.absence_count == ABSENCES_MAX)
        return;
    if (clients_open && !wait_until(calls_freely, 5000))
        operate(OPENS, VERB_RESET, 0);
    absence->from = history_now_ns();
    count_the_dead();
    if (!clients_open && dice(2))
        catch_a_probe();
    storm.absence_count++; /* `to` is 0 until then, and nothing is checked meanwhile */
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

void tripd_start(void)
{
    instance_start(&storm.instance, config);
    chmod(storm.instance.folder, 0755); /* so that user nobody reaches it */
}

void tripd_reload(void)
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
