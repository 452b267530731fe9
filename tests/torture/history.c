/* Clients write down each call, with the time before and after it, while tripd is killed, stopped, upgraded and
 * reloaded under them, while they are killed and forked and change their user, while breakers are hidden and their
 * table is full. Afterwards history_check.h says whether what they were told can have been true.
 *
 *   torture_history [--only restart|away|role|hidden|young|hostile] [--seed N] [--seconds N]
 *
 * The seed reproduces what is done, not when. --only does one thing alone:
 *   restart  the commons dies; operators trip before clients have noticed
 *   away     clients open a breaker while no tripd lives
 *   role     callers lack the role report
 *   hidden   breakers that were idle for forget_after are called again
 *   young    children end after one call, or are killed with all tickets
 *   hostile  reporters attack their lanes, the commons and the socket; not part of the whole storm
 *
 * Exempt, as the manual says: tickets and tokens taken in a commons that died with both processes; leases of processes
 * without a lane, which last a minute; outcomes of a process that ended before any tripd was sent its lane. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history_storm.h"

#define CARDS_MAX 64
#define DEALS_MAX 20

struct storm storm;

struct card;
struct deck {
    const struct card *cards[CARDS_MAX];
    unsigned count;
};

static const struct {
    const char *name;
    enum part part;
} parts[] = {{"restart", RESTART}, {"away", AWAY},   {"role", ROLES},
             {"hidden", HIDING},   {"young", YOUTH}, {"hostile", HOSTILE}};

/* ---------------------------------------------------------------------------------------------------------- clients */

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

void settle_all(void)
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

/* Replaces a client, which ends by itself: tickets that it holds without a lane would be out for a minute. */
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

/* Trips at once: clients that have not noticed the restart must hear of it all the same. */
static void trip_after_restart(void)
{
    if (storm.mode != VERB_AUTO) {
        operate(OPS, VERB_AUTO, 0);
        storm.mode = VERB_AUTO;
    }
    operate(OPS, VERB_TRIP, 1500);
    nap_us(1000000); /* this pause is what is tried */
}

/* ---------------------------------------------------------------------------------------------- breakers are hidden */

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

/* Hides breakers. A hidden breaker loses nothing. A breaker that others have pushed out of the table may; but not one
 * with limits, as long as clients have handles to it. */
static void hide(void)
{
    const bool compares = dice(2);
    if (compares)
        settle_all();
    __atomic_store_n(&arena->idle, 1, __ATOMIC_RELEASE);
    storm.hidings += wait_until(rate_is_hidden, PATIENCE_MS / 2);
    if (!does(MIXED))
        operate(QUIET, VERB_TRIP, 500);
    __atomic_fetch_add(&arena->bursts, 1, __ATOMIC_ACQ_REL);
    if (compares) {
        wait_for_totals(RATE);
        wait_for_totals(BULK);
    } else {
        nap_us(500000);
    }
    __atomic_store_n(&arena->idle, 0, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------------ a young worker is killed with all tickets */

static bool taker_called(void)
{
    return __atomic_load_n(&arena->taker_called, __ATOMIC_ACQUIRE);
}

static bool taker_holds(void)
{
    return __atomic_load_n(&arena->taker_holds, __ATOMIC_ACQUIRE);
}

static bool taker_is_listed(void)
{
    json_t *const answer = tripctl("clients", BREAKERS, ""), *client;
    size_t i;
    bool listed = false;
    json_array_foreach(json_object_get(answer, "clients"), i, client)
    {
        listed |= json_integer_value(json_object_get(client, "pid")) == (json_int_t)arena->taker;
    }
    json_decref(answer);
    return listed;
}

/* Has the taker a lane? tripd answers in order, and has answered this process, which attached later. */
static bool taker_has_a_lane(void)
{
    return taker_is_listed() && instance_wait_up(&storm.instance, PATIENCE_MS);
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
    settle_all();
    arena->taker = 0;
    arena->taker_called = arena->taker_go = arena->taker_holds = 0;
    __atomic_store_n(&arena->taker_wanted, 1, __ATOMIC_RELEASE);
    check(wait_until(taker_called, PATIENCE_MS), "a child is forked, and has called");
    check(wait_until(taker_has_a_lane, PATIENCE_MS), "tripd gives the child a lane");
    __atomic_store_n(&arena->taker_go, 1, __ATOMIC_RELEASE);
    check(wait_until(taker_holds, PATIENCE_MS) && wait_until(all_of_taker_are_out, PATIENCE_MS),
          "the child holds all tickets");
    if (arena->taker <= 0)
        return;
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

/* --------------------------------------------------------------------------------------- reporters that are hostile */

static void end_hostile(pid_t *place)
{
    if (*place <= 0)
        return;
    kill(*place, SIGKILL);
    waitpid(*place, NULL, 0);
    *place = 0;
    storm.hostile_deaths++;
}

/* ---------------------------------------------------------------------------------------------------- what was seen */

/* Tells what this storm is meant to do and has not done yet. NULL: nothing is missing. */
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
        {does(HOSTILE), arena->hostile_lanes > 0 && storm.hostile_deaths > 0, "hostile reporters that attach and die"},
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
    printf("%llu sessions of hostile reporters, %llu lanes, %llu steps, killed %u times\n",
           (unsigned long long)arena->hostile_sessions, (unsigned long long)arena->hostile_lanes,
           (unsigned long long)arena->hostile_steps, storm.hostile_deaths);
}

/* -------------------------------------------------------------------------------------------------------- the storm */

static void die(void)
{
    tripd_away((enum absence_kind)(KEEPER_KILLED + storm.deaths++ % (ABSENCE_KINDS - KEEPER_KILLED)), false);
    trip_after_restart();
    if (dice(2))
        replace(ASKER);
}

static void die_while_clients_open(void)
{
    tripd_away((enum absence_kind)(KEEPER_KILLED + dice(ABSENCE_KINDS - KEEPER_KILLED)), true);
    nap_us(1250000); /* half of the open time: this pause is what is tried */
}

static void kill_worker(void)
{
    tripd_away(WORKER_KILLED, false);
}

static void replace_a_roleless(void)
{
    replace(ROLELESS);
}

static void renew_a_hostile(void)
{
    pid_t *const place = &storm.hostile[dice(HOSTILE_MAX)];
    end_hostile(place);
    *place = hostile_start(storm.instance.folder, next_random(&storm.random));
}

/* A deck of cards: in each deal all cards are played, in another order. */
static const struct card {
    void (*play)(void);
    enum part part; /* the card is in the deck if the storm has this part; 0: always */
    unsigned copies;
} cards[] = {
    {die, RESTART, 4},         {die_while_clients_open, AWAY, 2},
    {kill_worker, ROLES, 2},   {replace_a_roleless, ROLES, 1},
    {hide, HIDING, 1},         {kill_a_taker, YOUTH, 1},
    {kill_client, MIXED, 3},   {tripd_reload, 0, 2},
    {operate_somehow, 0, 10},  {renew_a_hostile, HOSTILE, 4},
    {kill_worker, HOSTILE, 1}, {kill_client, HOSTILE, 2},
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
        fprintf(stderr,
                "usage: torture_history [--only restart|away|role|hidden|young|hostile] [--seed N] [--seconds N]\n");
        return 2;
    }
    printf("torture_history%s%s --seed %llu --seconds %u\n", storm.parts == ALL ? "" : " --only ",
           storm.parts == ALL ? "" : name_of_parts(), (unsigned long long)storm.random, seconds);
    fflush(stdout);
    if (storm.parts == ROLES && geteuid() != 0) {
        printf("skipped: only root can become nobody\n");
        return 77;
    }
    storm.random |= 1;
    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED)
        return 1;
    tripd_start();
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* only now: what removes the folder is not ours */
    start_clients();
    storm_on(seconds);
    for (unsigned i = 0; i < HOSTILE_MAX; i++)
        end_hostile(&storm.hostile[i]);
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
