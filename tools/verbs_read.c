/* The verbs that look: they read the state segment, whether tripd runs or not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/settings.h"
#include "internal/paths.h"
#include "internal/ticks.h"
#include "print.h"
#include "request.h"
#include "snapshot.h"

#define FOLLOW_NS 100000000 /* how often new events are looked for */

/* ------------------------------------------------------------------------------------------------------ the segment */

static int not_found(const struct arguments *arguments, const char *path, int error, const char *why)
{
    const bool file = arguments->given & OPTION_SEGMENT, user = arguments->given & OPTION_USER;
    if (why)
        fprintf(stderr, "tripctl: %s\n", why);
    else if (error == -ENOENT && !file)
        fprintf(stderr,
                "tripctl: no tripd has run as instance %s: there is no state segment %s%s; %sset TRIP_SHM_DIR if its "
                "tripd has it\n",
                arguments->instance, paths_env("TRIP_SHM_DIR") ? "" : "/dev/shm", path,
                user ? "" : "add --user for one of your own, or ");
    else
        fprintf(stderr, "tripctl: %s: %s\n", path, strerror(-error));
    return error == -ENOENT && !file ? EXIT_NO_DAEMON : EXIT_REFUSED;
}

/* A file's, or the instance's. */
static int open_segment(const struct arguments *arguments, struct snapshot **ret_snapshot)
{
    char path[PATHS_MAX] = "", *why = NULL;
    const bool file = arguments->given & OPTION_SEGMENT;
    int error = file ? 0 : paths_segment(path, arguments->instance, arguments->given & OPTION_USER, geteuid());
    if (error == 0)
        error = snapshot_open(file ? arguments->segment : path, file, ret_snapshot, &why);
    const int status = error == 0 ? EXIT_DONE : not_found(arguments, file ? arguments->segment : path, error, why);
    free(why);
    return status;
}

/* What became of tripd: the segment says, and the error of asking it. A socket that is not there may be elsewhere for
 * who asks, so that it tells nothing while the heart beats. */
static enum report_daemon daemon_now(const struct snapshot *snapshot, int error)
{
    const enum report_daemon daemon = snapshot_daemon(snapshot);
    const bool dead = (daemon == REPORT_RUNNING && error == -ECONNREFUSED) ||
                      (daemon == REPORT_STALLED && (error == -ECONNREFUSED || error == -ENOENT));
    return dead ? REPORT_DEAD : daemon;
}

/* tripd lives, and did not make the segment current. */
static void warn_of_silence(int error, const json_t *answer)
{
    const char *refusal = json_string_value(json_object_get(answer, "message"));
    switch (error) {
    case 0:
        return;
    case -EREMOTEIO:
        fprintf(stderr, "tripctl: %s; the newest calls may be missing\n", refusal ? refusal : "tripd refused");
        return;
    case -ENOENT:
        fputs("tripctl: tripd runs, but its socket is not where it is looked for; the newest calls may be missing\n",
              stderr);
        return;
    case -EACCES:
        fputs("tripctl: you may not connect to tripd's socket; the newest calls may be missing\n", stderr);
        return;
    default:
        fputs("tripctl: tripd runs but did not answer; the newest calls may be missing\n", stderr);
    }
}

/* On standard error, so that what is printed stays what it is. */
static void warn_of_age(const struct snapshot *snapshot, int error, const json_t *answer)
{
    switch (daemon_now(snapshot, error)) {
    case REPORT_STOPPED:
        fputs("tripctl: tripd was stopped; this is its last state\n", stderr);
        break;
    case REPORT_GONE:
        fputs("tripctl: tripd does not run; this is its last state\n", stderr);
        break;
    case REPORT_DEAD:
        fputs("tripctl: tripd is dead, and was not stopped; this is its last state, and clients go on without it\n",
              stderr);
        break;
    case REPORT_STALLED:
        if (error != 0)
            fputs("tripctl: tripd has no heartbeat; this is its last state, and clients go on without it\n", stderr);
        break;
    default:
        warn_of_silence(error, answer);
    }
}

/* The segment; a living tripd is asked to make it current. */
static int find(const struct arguments *arguments, struct snapshot **ret_snapshot)
{
    json_t *answer = NULL;
    const bool file = arguments->given & OPTION_SEGMENT;
    const int error = file ? 0 : request_quietly(arguments, "sync", &answer);
    const int status = open_segment(arguments, ret_snapshot);
    if (status == EXIT_DONE)
        snapshot_know_daemon(*ret_snapshot, file ? REPORT_GONE : daemon_now(*ret_snapshot, error));
    if (status == EXIT_DONE && !file)
        warn_of_age(*ret_snapshot, error, answer);
    json_decref(answer);
    return status;
}

/* result: taken. */
static int show_result(const struct arguments *arguments, json_t *result,
                       void (*print)(FILE *out, const json_t *result))
{
    if (!result) {
        fputs("tripctl: no memory left\n", stderr);
        return EXIT_REFUSED;
    }
    if (arguments->given & OPTION_JSON)
        print_json(stdout, result);
    else
        print(stdout, result);
    json_decref(result);
    return EXIT_DONE;
}

static bool wanted(const struct arguments *arguments, const char *name)
{
    return !arguments->operand || settings_pattern_matches(arguments->operand, name);
}

/* ---------------------------------------------------------------------------------------------------- list and show */

/* Breakers that are hidden are listed where they are asked for by a name or pattern; else they are counted. */
static json_t *list_breakers(const struct arguments *arguments, const struct snapshot *snapshot, uint32_t *ret_hidden)
{
    json_t *list = json_array();
    struct snapshot_breaker breaker;
    *ret_hidden = 0;
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++) {
        if (!snapshot_breaker(snapshot, slot, &breaker) || !wanted(arguments, breaker.detail.name))
            continue;
        if (!arguments->operand && breaker.detail.hidden_ms)
            (*ret_hidden)++;
        else
            json_array_append_new(list, report_line(&breaker.report));
    }
    return list;
}

static json_t *list_patterns(const struct arguments *arguments, const struct snapshot *snapshot)
{
    json_t *list = json_array();
    struct pattern_slot pattern;
    for (uint32_t place = 0; place < PATTERNS_MAX; place++)
        if (snapshot_pattern(snapshot, place, &pattern) && wanted(arguments, pattern.pattern))
            json_array_append_new(list, report_pattern(&pattern, snapshot_now_ms(snapshot)));
    return list;
}

static void print_hidden(uint32_t hidden)
{
    if (hidden > 0)
        printf("\n%u more had no call for their forget_after: `tripctl list '*'` shows them too\n", hidden);
}

static void print_overflow(const struct snapshot *snapshot)
{
    const struct segment_header header = snapshot_header(snapshot);
    if (header.overflow > 0)
        printf("\n%llu time%s limits.max_breakers, which is %u, was used up: raise it\n",
               (unsigned long long)header.overflow, header.overflow == 1 ? "" : "s", header.max_breakers);
}

/* A name that is not there is an error, a pattern that nothing matches a remark. */
static int matches_nothing(const struct arguments *arguments)
{
    fprintf(stderr, "tripctl: no breaker matches %s; `tripctl list` shows those that there are\n", arguments->operand);
    return strpbrk(arguments->operand, "*?") ? EXIT_DONE : EXIT_REFUSED;
}

int verb_list(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    int status = find(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    uint32_t hidden;
    json_t *breakers = list_breakers(arguments, snapshot, &hidden), *patterns = list_patterns(arguments, snapshot);
    if (arguments->operand && json_array_size(breakers) == 0 && json_array_size(patterns) == 0)
        status = matches_nothing(arguments);
    const int shown =
        show_result(arguments, json_pack("{s:o, s:o}", "breakers", breakers, "patterns", patterns), print_list);
    if (!(arguments->given & OPTION_JSON)) {
        print_hidden(hidden);
        print_overflow(snapshot);
    }
    snapshot_close(snapshot);
    return shown == EXIT_DONE ? status : shown;
}

int verb_show(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    struct snapshot_breaker breaker;
    int status = find(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    if (snapshot_find(snapshot, arguments->operand, &breaker)) {
        status = show_result(arguments, report_show(&breaker.report), print_show);
    } else {
        fprintf(stderr, "tripctl: no breaker is named %s; `tripctl list` shows those that there are\n",
                arguments->operand);
        status = EXIT_REFUSED;
    }
    snapshot_close(snapshot);
    return status;
}

/* ----------------------------------------------------------------------------------------------------------- events */

/* From index on: those that are wanted, given to `each`. Returns the index to go on from. */
static uint64_t walk_events(const struct arguments *arguments, const struct snapshot *snapshot, uint64_t index,
                            void (*each)(json_t *list, const struct arguments *arguments, json_t *event), json_t *list)
{
    uint64_t first, end;
    snapshot_transitions(snapshot, &first, &end);
    for (index = index > first ? index : first; index < end; index++) {
        struct transition transition;
        if (!snapshot_transition(snapshot, index, &transition))
            continue;
        transition.name[TRIP_NAME_MAX] = '\0';
        if (!wanted(arguments, transition.name))
            continue;
        json_t *event = report_transition(&transition);
        each(list, arguments, event);
        json_decref(event);
    }
    return end;
}

static void collect(json_t *list, const struct arguments *arguments, json_t *event)
{
    (void)arguments;
    json_array_append(list, event);
}

static void print_now(json_t *list, const struct arguments *arguments, json_t *event)
{
    (void)list;
    if (arguments->given & OPTION_JSON)
        print_json(stdout, event);
    else
        print_event(stdout, event);
    fflush(stdout);
}

/* The segment of this name now, if it is another one: tripd came back and made it anew. */
static bool reopen(const struct arguments *arguments, struct snapshot **snapshot)
{
    struct snapshot *now;
    char path[PATHS_MAX], *why = NULL;
    if (snapshot_daemon(*snapshot) == REPORT_RUNNING ||
        paths_segment(path, arguments->instance, arguments->given & OPTION_USER, geteuid()) < 0)
        return false;
    const int error = snapshot_open(path, false, &now, &why);
    free(why);
    if (error < 0)
        return false;
    const bool another = snapshot_header(now).segment_id != snapshot_header(*snapshot).segment_id;
    snapshot_close(another ? *snapshot : now);
    *snapshot = another ? now : *snapshot;
    return another;
}

/* Until standard output ends. */
static int follow(const struct arguments *arguments, struct snapshot *snapshot)
{
    const struct timespec nap = {.tv_nsec = FOLLOW_NS};
    uint64_t index = 0;
    while (!ferror(stdout)) {
        index = walk_events(arguments, snapshot, index, print_now, NULL);
        nanosleep(&nap, NULL);
        if (reopen(arguments, &snapshot))
            index = 0;
    }
    snapshot_close(snapshot);
    return EXIT_REFUSED;
}

int verb_events(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    if ((arguments->given & OPTION_FOLLOW) && (arguments->given & OPTION_SEGMENT)) {
        fputs("tripctl: nothing new comes in a file: leave out --follow or --segment\n", stderr);
        return EXIT_USAGE;
    }
    const int status = find(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    if (arguments->given & OPTION_FOLLOW)
        return follow(arguments, snapshot);
    json_t *list = json_array();
    walk_events(arguments, snapshot, 0, collect, list);
    snapshot_close(snapshot);
    if (arguments->operand && json_array_size(list) == 0)
        fprintf(stderr, "tripctl: no change of state of %s is known\n", arguments->operand);
    return show_result(arguments, json_pack("{s:o}", "events", list), print_events);
}

/* ----------------------------------------------------------------------------------------------- clients and status */

int verb_clients(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    const int status = find(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    json_t *list = json_array();
    for (uint32_t lane = 1; lane <= snapshot_lanes(snapshot); lane++) {
        struct client_slot client;
        if (snapshot_client(snapshot, lane, &client))
            json_array_append_new(list, report_client(lane, &client));
    }
    snapshot_close(snapshot);
    return show_result(arguments, json_pack("{s:o}", "clients", list), print_clients);
}

static json_t *status_of(const struct snapshot *snapshot, enum report_daemon daemon)
{
    const struct segment_header header = snapshot_header(snapshot);
    struct snapshot_breaker breaker;
    struct client_slot client;
    struct report_instance instance = {
        .header = &header, .daemon = daemon, .now_ms = snapshot_now_ms(snapshot), .mono_ns = monotonic_ns()};
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++)
        if (snapshot_breaker(snapshot, slot, &breaker))
            report_count(&instance, &breaker.policy, breaker.report.word);
    for (uint32_t lane = 1; lane <= snapshot_lanes(snapshot); lane++)
        instance.clients += snapshot_client(snapshot, lane, &client);
    return report_status(&instance);
}

/* A living tripd knows more of itself than the segment does. */
int verb_status(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    json_t *answer = NULL;
    const bool file = arguments->given & OPTION_SEGMENT;
    const int error = file ? 0 : request_quietly(arguments, "status", &answer);
    if (!file && error == 0)
        return show_result(arguments, answer, print_status);
    int status = open_segment(arguments, &snapshot);
    if (status == EXIT_DONE) {
        const enum report_daemon daemon = daemon_now(snapshot, error);
        if (daemon == REPORT_RUNNING)
            warn_of_silence(error, answer);
        status = show_result(arguments, status_of(snapshot, daemon), print_status);
        snapshot_close(snapshot);
    }
    json_decref(answer);
    return status;
}
