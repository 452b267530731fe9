/* The verbs that look: they read the state segment, whether tripd runs or not; where there is none, they ask tripd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/settings.h"
#include "follow.h"
#include "internal/ticks.h"
#include "print.h"
#include "reading.h"
#include "request.h"
#include "users.h"

#define FOLLOW_NS 100000000 /* how often to look for new events */

static bool wanted(const struct arguments *arguments, const char *name)
{
    return !arguments->operand || settings_pattern_matches(arguments->operand, name);
}

/* ---------------------------------------------------------------------------------------------------- list and show */

/* Lists breakers. Hidden ones are listed if they are asked for by a name or pattern; otherwise they are counted. */
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

static void print_overflow(uint64_t times, uint64_t most)
{
    if (times > 0)
        printf("\n%llu time%s limits.max_breakers, which is %llu, was used up: raise it\n", (unsigned long long)times,
               times == 1 ? "" : "s", (unsigned long long)most);
}

/* Reports that nothing matches: an error for a name, a remark for a pattern. */
static int matches_nothing(const struct arguments *arguments)
{
    fprintf(stderr, "tripctl: no breaker matches %s; `tripctl list` shows those that there are\n", arguments->operand);
    return strpbrk(arguments->operand, "*?") ? EXIT_DONE : EXIT_REFUSED;
}

/* Prints the list, and takes it. */
static int show_list(const struct arguments *arguments, json_t *list)
{
    int status = EXIT_DONE;
    if (arguments->operand && json_array_size(json_object_get(list, "breakers")) == 0 &&
        json_array_size(json_object_get(list, "patterns")) == 0)
        status = matches_nothing(arguments);
    const int shown = reading_show(arguments, list, print_list);
    return shown == EXIT_DONE ? status : shown;
}

static int list_by_socket(const struct arguments *arguments)
{
    int status;
    json_t *answer = NULL, *list = reading_ask(arguments, json_object(), &status);
    if (!list)
        return status;
    status = show_list(arguments, list);
    if (!(arguments->given & OPTION_JSON) && request_quietly(arguments, "status", NULL, &answer) == 0) {
        const json_t *breakers = json_object_get(answer, "breakers");
        print_overflow((uint64_t)json_integer_value(json_object_get(breakers, "overflow")),
                       (uint64_t)json_integer_value(json_object_get(breakers, "most")));
    }
    json_decref(answer);
    return status;
}

static json_t *list_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    uint32_t hidden;
    json_t *breakers = list_breakers(arguments, snapshot, &hidden);
    return json_pack("{s:o, s:o, s:i}", "breakers", breakers, "patterns", list_patterns(arguments, snapshot), "hidden",
                     (int)hidden);
}

int verb_list(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    int status = reading_open(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    if (!snapshot)
        return list_by_socket(arguments);
    status = show_list(arguments, list_of(arguments, snapshot));
    const struct segment_header header = snapshot_header(snapshot);
    if (!(arguments->given & OPTION_JSON))
        print_overflow(header.overflow, header.max_breakers);
    snapshot_close(snapshot);
    return status;
}

/* Reports a breaker from the segment. Its config only tripd knows. */
static json_t *show_of(const struct snapshot_breaker *breaker)
{
    json_t *show = report_show(&breaker->report);
    json_object_set_new(show, "config", json_null());
    return show;
}

/* Shows a breaker from the segment. snapshot NULL: tripd had said that there is none of this name. */
static int show_from_segment(const struct arguments *arguments, const struct snapshot *snapshot)
{
    struct snapshot_breaker breaker;
    if (snapshot && snapshot_find(snapshot, arguments->operand, &breaker))
        return reading_show(arguments, show_of(&breaker), print_show);
    return reading_no_breaker(arguments);
}

/* Asks a living tripd first, for it knows the config too. */
int verb_show(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    json_t *answer = NULL;
    const bool file = arguments->given & OPTION_SEGMENT;
    const int error =
        file ? 0 : request_quietly(arguments, "show", json_pack("{s:s}", "name", arguments->operand), &answer);
    if (!file && error == 0)
        return reading_show(arguments, answer, print_show);
    int status =
        error == -EREMOTEIO ? reading_open(arguments, &snapshot) : reading_found(arguments, error, answer, &snapshot);
    if (status == EXIT_DONE) {
        status = show_from_segment(arguments, snapshot);
        snapshot_close(snapshot);
    }
    json_decref(answer);
    return status;
}

/* ----------------------------------------------------------------------------------------------------------- events */

/* Calls `each` for the wanted events from this index on. Returns the index to go on from. */
static uint64_t walk_events(const struct arguments *arguments, const struct snapshot *snapshot, uint64_t index,
                            void (*each)(json_t *list, const struct arguments *arguments, json_t *event), json_t *list)
{
    static struct levels_image levels[1];
    struct transition transition;
    snapshot_levels(snapshot, levels);
    for (; snapshot_transition(snapshot, index, &transition); index = transition.sequence) {
        transition.name[TRIP_NAME_MAX] = '\0';
        if (!report_transition_wanted(&transition, arguments->operand))
            continue;
        json_t *event = report_transition(&transition, levels);
        each(list, arguments, event);
        json_decref(event);
    }
    return index;
}

static void collect(json_t *list, const struct arguments *arguments, json_t *event)
{
    (void)arguments;
    json_array_append(list, event);
}

static void print_now(json_t *list, const struct arguments *arguments, json_t *event)
{
    (void)list;
    follow_print(arguments, event);
}

/* Where no tripd tells of events: looks into the segment for new ones until standard output ends. */
static int follow_segment(const struct arguments *arguments, struct snapshot *snapshot)
{
    const struct timespec nap = {.tv_nsec = FOLLOW_NS};
    uint64_t index = 0;
    while (!ferror(stdout)) {
        index = walk_events(arguments, snapshot, index, print_now, NULL);
        nanosleep(&nap, NULL);
        if (reading_renew(arguments, &snapshot))
            index = 0;
    }
    snapshot_close(snapshot);
    return EXIT_REFUSED;
}

/* Prints events, and takes them. */
static int show_events(const struct arguments *arguments, json_t *events)
{
    if (arguments->operand && json_array_size(json_object_get(events, "events")) == 0)
        fprintf(stderr, "tripctl: no change of %s is known\n", arguments->operand);
    return reading_show(arguments, events, print_events);
}

static int events_by_socket(const struct arguments *arguments)
{
    int status;
    json_t *events = reading_ask(arguments, json_object(), &status);
    return events ? show_events(arguments, events) : status;
}

int verb_events(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    if ((arguments->given & OPTION_FOLLOW) && (arguments->given & OPTION_SEGMENT)) {
        fputs("tripctl: nothing new comes in a file: leave out --follow or --segment\n", stderr);
        return EXIT_USAGE;
    }
    if ((arguments->given & OPTION_FOLLOW) && follow_events(arguments) == 0)
        return EXIT_REFUSED;
    const int status = reading_open(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    if (!snapshot)
        return events_by_socket(arguments);
    if (arguments->given & OPTION_FOLLOW)
        return follow_segment(arguments, snapshot);
    json_t *list = json_array();
    walk_events(arguments, snapshot, 0, collect, list);
    snapshot_close(snapshot);
    return show_events(arguments, json_pack("{s:o}", "events", list));
}

/* ----------------------------------------------------------------------------------------------- clients and status */

int verb_clients(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    int status = reading_open(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    if (!snapshot) {
        json_t *clients = reading_ask(arguments, json_object(), &status);
        return clients ? reading_show(arguments, clients, print_clients) : status;
    }
    json_t *list = json_array();
    for (uint32_t lane = 1; lane <= snapshot_lanes(snapshot); lane++) {
        struct client_slot client;
        if (snapshot_client(snapshot, lane, &client))
            json_array_append_new(list, report_client(lane, &client));
    }
    snapshot_close(snapshot);
    return reading_show(arguments, json_pack("{s:o}", "clients", list), print_clients);
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
        if (snapshot_client(snapshot, lane, &client))
            report_count_client(&instance, &client);
    return report_status(&instance);
}

/* Asks a living tripd first, for it knows more of itself than the segment does. */
int verb_status(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    json_t *answer = NULL;
    const bool file = arguments->given & OPTION_SEGMENT;
    const int error = file ? 0 : request_quietly(arguments, "status", NULL, &answer);
    if (!file && error == 0)
        return reading_show(arguments, answer, print_status);
    int status = reading_segment(arguments, &snapshot);
    if (status == EXIT_DONE) {
        const enum report_daemon daemon = reading_daemon(snapshot, error);
        if (daemon == REPORT_RUNNING)
            reading_warn(error, answer);
        status = reading_show(arguments, status_of(snapshot, daemon), print_status);
        snapshot_close(snapshot);
    }
    json_decref(answer);
    return status;
}
