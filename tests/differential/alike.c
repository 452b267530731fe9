/* alike config SEED TRACES      prints a configuration of so many breakers, each with settings of its own
 * alike run SEED TRACES FILE    plays a random trace of each of them to simulate and to the tripd that runs with this
 *                               configuration and a test clock at 0, and compares after each step
 *
 * A step is a line of a trace (tripctl(1), simulate): the clock moves to its time, then simulate takes the line, and
 * the live tripd the same by libtrip (begin, end, call, record) or by its control socket (mode, trip, reset). Then all
 * show the breaker: simulate with verdicts, which decides each call by itself, simulate without, which takes equal
 * calls together, and tripd. The first difference is told with the trace that led to it, as lines that tripctl simulate
 * takes; the exit status is 1. The same seed makes the same settings and steps.
 *
 * The settings leave nothing to chance: no jitter, ramps that admit all or nothing, no throttle. Wall times and uids
 * are not compared, nor latencies: where calls are not timed, simulate times each, and a program one in 16 by dice. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal/numbers.h"
#include "internal/paths.h"
#include "rpc_client.h"
#include "simulation.h"

#define STEPS      60 /* steps of a trace */
#define IDS        6  /* calls in flight at the same time */
#define MOVES_TOLD 16 /* moves of a breaker that tripd tells one by one in a second; it tells the others together */
#define TEXT       512
#define PATIENCE   600
#define ANSWER_MS  60000
#define LINE       256

static uint64_t seed;

static uint64_t pick(uint64_t count)
{
    return random_between(0, count - 1, random_next(&seed));
}

static const char *one_of(const char *const *choices)
{
    uint64_t count = 0;
    while (choices[count])
        count++;
    return choices[pick(count)];
}
#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__, NULL})

/* -------------------------------------------------------------------------------------------------------- settings */

/* Prints an entry. The choice of words leaves out settings that do not go with others, so that no check has to. */
static void print_entry(unsigned trace)
{
    printf("  - match: t%u\n", trace);
    printf("    trip: {consecutive_failures: %s, failures: %s, failure_rate: %s, stall_after: %s, in_flight: %s,\n",
           ONE_OF("0", "2", "3"), ONE_OF("0", "0", "3"), ONE_OF("0%", "50%"), ONE_OF("0s", "50ms", "300ms"),
           ONE_OF("0", "0", "3"));
    printf("           slow_rate: %s, slow_after: %s}\n", ONE_OF("0%", "0%", "50%"), ONE_OF("20ms", "100ms", "60s"));
    printf("    window: {%s, minimum_calls: 3}\n",
           ONE_OF("type: count, size: 4", "type: count, size: 10", "type: time, for: 1s"));
    printf("    open: {for: %s, multiplier: %s, max: 4s, jitter: 0%%, forget: %s}\n", ONE_OF("1ms", "100ms", "1s"),
           ONE_OF("1.0", "2.0"), ONE_OF("0s", "10ms", "600ms", "10m"));
    printf("    half_open: {permits: %s, successes: %s, max_wait: %s}\n", ONE_OF("1", "2"), ONE_OF("1", "2"),
           ONE_OF("64ms", "500ms", "10s"));
    printf("    ramp: {over: %s, steps: [100%%]}\n", ONE_OF("100ms", "1s"));
    printf("    concurrency: {max: %s}\n    rate: {limit: %s, per: 100ms, window: %s}\n", ONE_OF("0", "0", "2"),
           ONE_OF("0", "0", "3"), ONE_OF("bucket", "sliding"));
    printf("    priority: {sheddable_below: %s, normal_below: 0%%}\n", ONE_OF("0%", "50%"));
}

static int print_config(unsigned traces)
{
    printf("limits: {max_breakers: 4096}\nbreakers:\n");
    for (unsigned trace = 0; trace < traces; trace++)
        print_entry(trace);
    return 0;
}

static struct {
    char name[16]; /* of its breaker */
    bool in_flight[IDS];
    char lines[1 + STEPS + IDS][LINE];
    unsigned length;
    bool moves_together; /* some moves are told together: no move of this trace is compared from now on */
    uint64_t moved_ms[MOVES_TOLD];
    unsigned moves;
} trace;

/* --------------------------------------------------------------------------------------------------------- one side */

static struct config *config;

/* What a step told. All of it must be told alike by all. */
struct told {
    char verdicts[TEXT];
    char moves[TEXT];
};

static struct simulated {
    struct simulation *simulation;
    json_t *show; /* of the latest step, if that was a show */
    struct told told;
} simulated[2]; /* with verdicts, and without them */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void add_text(char text[TEXT], const char *more)
{
    const size_t used = strlen(text);
    snprintf(text + used, TEXT - used, "%s ", more);
}

static void add_move(char text[TEXT], const json_t *event)
{
    char move[160];
    snprintf(move, sizeof(move), "%lld:%s>%s:%s", (long long)json_integer_value(json_object_get(event, "t_ms")),
             text_of(event, "from"), text_of(event, "to"), text_of(event, "reason"));
    add_text(text, move);
}

static void simulated_event(void *context, const json_t *event)
{
    struct simulated *const one = context;
    const char *const kind = text_of(event, "event");
    if (strcmp(text_of(event, "breaker"), trace.name) != 0) /* an event of an earlier trace */
        return;
    if (strcmp(kind, "verdict") == 0) {
        add_text(one->told.verdicts, text_of(event, "verdict"));
    } else if (strcmp(kind, "transition") == 0) {
        add_move(one->told.moves, event);
    } else if (strcmp(kind, "show") == 0) {
        json_decref(one->show);
        one->show = json_deep_copy(event);
    }
}

static int simulated_start(const char *file)
{
    char *problems = NULL;
    int error = 0;
    if (config_load(file, &config, &problems) < 0) {
        fprintf(stderr, "%s", problems ? problems : file);
        return -EINVAL;
    }
    for (unsigned i = 0; i < 2 && error == 0; i++) {
        const struct simulation_options options = {
            .config = config, .seed = 1, .verdicts = i == 0, .event = simulated_event, .context = &simulated[i]};
        error = simulation_new(&options, &simulated[i].simulation);
    }
    return error;
}

static void simulated_end(void)
{
    for (unsigned i = 0; i < 2; i++) {
        simulation_free(simulated[i].simulation);
        json_decref(simulated[i].show);
    }
    config_free(config);
}

/* Takes a step. SIMULATION_REFUSED: simulate refuses it, as tripd would. */
static int simulated_step(const char *line)
{
    struct trace_step step;
    char problem[256] = "";
    int error = trace_step_parse(line, strlen(line), &step, problem);
    for (unsigned i = 0; i < 2 && error >= 0; i++)
        error = simulation_step(simulated[i].simulation, &step, problem);
    if (error < 0)
        fprintf(stderr, "alike: simulate does not take %s: %s\n", line, problem);
    return error;
}

/* ------------------------------------------------------------------------------------------------------- other side */

static struct {
    struct rpc_client *rpc;
    trip_client *client;
    trip_breaker *breaker;
    trip_call calls[IDS];
    uint64_t now_ms;
    uint64_t sequence; /* the latest event that was read */
    struct told told;
} live;

/* Asks tripd. -EREMOTEIO: it refused. */
static int live_asks(const char *method, json_t *params, json_t **ret_result)
{
    json_t *result = NULL, *refusal = NULL;
    const int error = rpc_client_call(live.rpc, method, params, ANSWER_MS, &result, &refusal);
    json_decref(params);
    json_decref(refusal);
    if (error == 0 && ret_result)
        *ret_result = result;
    else
        json_decref(result);
    return error;
}

static int live_start(void)
{
    char path[PATHS_MAX];
    int error = paths_socket(path, getenv("TRIP_INSTANCE"), false);
    if (error == 0)
        error = rpc_client_open(path, &live.rpc);
    return error < 0 ? error : trip_open(&live.client, NULL);
}

static int live_breaker(const char *name)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    trip_info info;
    int error = trip_breaker_get(live.client, name, &live.breaker);
    for (unsigned tries = 0; error == 0 && tries < PATIENCE; tries++) {
        error = trip_breaker_info(live.breaker, &info);
        if (error == 0 && info.client == TRIP_CLIENT_SHARED)
            return 0;
        trip_allow(live.breaker);
        nanosleep(&pause, NULL);
    }
    return error < 0 ? error : -ETIMEDOUT;
}

/* Makes tripd count all that was told until now, at this time of the clock. */
static int live_settles(void)
{
    return live_asks("sync", NULL, NULL);
}

static int live_advances(uint64_t at_ms)
{
    const uint64_t by_ms = at_ms - live.now_ms;
    live.now_ms = at_ms;
    return by_ms ? live_asks("clock_advance", json_pack("{s:I}", "by_ms", (json_int_t)by_ms), NULL) : 0;
}

/* Reads what tripd told of the breaker since the last time. */
static int live_reads_moves(void)
{
    json_t *page = NULL, *event;
    size_t i;
    const int error =
        live_asks("events", json_pack("{s:s, s:I}", "name", trace.name, "after", (json_int_t)live.sequence), &page);
    json_array_foreach(json_object_get(page, "events"), i, event)
    {
        live.sequence = (uint64_t)json_integer_value(json_object_get(event, "sequence"));
        if (strcmp(text_of(event, "event"), "transition") == 0)
            add_move(live.told.moves, event);
    }
    json_decref(page);
    return error;
}

/* --------------------------------------------------------------------------------------------------------- a trace */

enum play { PLAY_BEGIN, PLAY_END, PLAY_CALL, PLAY_RECORD, PLAY_MODE, PLAY_TRIP, PLAY_RESET, PLAY_SHOW };

/* A step, as both sides take it. */
struct round {
    enum play play;
    uint64_t at_ms;
    unsigned id;
    trip_outcome outcome;
    unsigned n;
    uint64_t latency_ms; /* latency of a record */
    trip_priority priority;
    const char *mode, *method;
    uint64_t span_ms; /* TTL, or how long a trip lasts; 0: none */
};

static const struct {
    const char *mode, *method;
} modes[] = {{"auto", "auto"}, {"forced_open", "force_open"}, {"disabled", "disable"}, {"shadow", "shadow"}};

static struct round next_round(void)
{
    static const uint64_t pauses_ms[] = {0, 0, 0, 0, 1, 1, 10, 50, 51, 63, 64, 100, 250, 500, 600, 1000};
    static const enum play plays[] = {PLAY_BEGIN,  PLAY_BEGIN, PLAY_BEGIN, PLAY_BEGIN, PLAY_END,  PLAY_END,
                                      PLAY_END,    PLAY_END,   PLAY_CALL,  PLAY_CALL,  PLAY_CALL, PLAY_RECORD,
                                      PLAY_RECORD, PLAY_MODE,  PLAY_TRIP,  PLAY_RESET, PLAY_SHOW};
    static const trip_priority priorities[] = {TRIP_PRIORITY_NORMAL, TRIP_PRIORITY_NORMAL, TRIP_PRIORITY_CRITICAL,
                                               TRIP_PRIORITY_SHEDDABLE};
    static const trip_outcome outcomes[] = {TRIP_OK,      TRIP_OK,      TRIP_OK,      TRIP_FAILURE,
                                            TRIP_FAILURE, TRIP_TIMEOUT, TRIP_IGNORED, TRIP_CANCELLED};
    struct round round = {.play = plays[pick(sizeof(plays) / sizeof(plays[0]))], .id = (unsigned)pick(IDS)};
    const uint64_t mode = pick(sizeof(modes) / sizeof(modes[0]));
    round.at_ms = live.now_ms + pauses_ms[pick(sizeof(pauses_ms) / sizeof(pauses_ms[0]))];
    round.outcome = outcomes[pick(sizeof(outcomes) / sizeof(outcomes[0]))];
    round.n = (unsigned)pick(3) + 1;
    round.latency_ms = pick(2) * 50;
    round.priority = priorities[pick(sizeof(priorities) / sizeof(priorities[0]))];
    round.mode = modes[mode].mode;
    round.method = modes[mode].method;
    round.span_ms = mode && pick(2) ? 1 + pick(400) : 0;
    if (round.play == PLAY_BEGIN && trace.in_flight[round.id])
        round.play = PLAY_END;
    else if (round.play == PLAY_END && !trace.in_flight[round.id])
        round.play = PLAY_BEGIN;
    return round;
}

static const char *priority_name(trip_priority priority)
{
    static const char *const names[] = {
#define NAME(suffix, name) [TRIP_PRIORITY_##suffix] = name,
        TRIP_PRIORITIES(NAME)
#undef NAME
    };
    return names[priority];
}

static void write_line(const struct round *round, char line[LINE])
{
    char rest[160] = "";
    switch (round->play) {
    case PLAY_BEGIN:
        snprintf(rest, sizeof(rest), "\"op\":\"begin\",\"breaker\":\"%s\",\"id\":\"%u\",\"priority\":\"%s\"",
                 trace.name, round->id, priority_name(round->priority));
        break;
    case PLAY_CALL:
        snprintf(rest, sizeof(rest),
                 "\"op\":\"call\",\"breaker\":\"%s\",\"outcome\":\"%s\",\"n\":%u,\"priority\":\"%s\"", trace.name,
                 trip_outcome_name(round->outcome), round->n, priority_name(round->priority));
        break;
    case PLAY_END:
        snprintf(rest, sizeof(rest), "\"op\":\"end\",\"id\":\"%u\",\"outcome\":\"%s\"", round->id,
                 trip_outcome_name(round->outcome));
        break;
    case PLAY_RECORD:
        snprintf(rest, sizeof(rest),
                 "\"op\":\"record\",\"breaker\":\"%s\",\"outcome\":\"%s\",\"latency_ms\":%llu,\"n\":%u", trace.name,
                 trip_outcome_name(round->outcome), (unsigned long long)round->latency_ms, round->n);
        break;
    case PLAY_MODE:
        snprintf(rest, sizeof(rest), "\"op\":\"mode\",\"breaker\":\"%s\",\"mode\":\"%s\"", trace.name, round->mode);
        break;
    case PLAY_TRIP:
    case PLAY_RESET:
    case PLAY_SHOW:
        snprintf(rest, sizeof(rest), "\"op\":\"%s\",\"breaker\":\"%s\"",
                 round->play == PLAY_TRIP    ? "trip"
                 : round->play == PLAY_RESET ? "reset"
                                             : "show",
                 trace.name);
    }
    const bool spans = round->span_ms && (round->play == PLAY_MODE || round->play == PLAY_TRIP);
    char span[48] = "";
    if (spans)
        snprintf(span, sizeof(span), ",\"%s\":%llu", round->play == PLAY_MODE ? "ttl_ms" : "for_ms",
                 (unsigned long long)round->span_ms);
    snprintf(line, LINE, "{\"t_ms\":%llu,%s%s}", (unsigned long long)round->at_ms, rest, span);
}

/* Returns the parameters for tripd. NULL: the step asks it nothing. */
static json_t *params_of(const struct round *round)
{
    json_t *const params = json_pack("{s:s}", "name", trace.name);
    if (round->span_ms && round->play != PLAY_RESET)
        json_object_set_new(params, round->play == PLAY_MODE ? "ttl_ms" : "for_ms",
                            json_integer((json_int_t)round->span_ms));
    return params;
}

/* Begins calls as simulate does (tools/simulate/caller.c): by trip_begin if that can say all, and without waiting for a
 * ticket. */
static bool live_begins(const struct round *round, trip_call *call)
{
    const trip_verdict verdict =
        round->priority == TRIP_PRIORITY_NORMAL
            ? trip_begin(live.breaker, call)
            : trip_begin_with(live.breaker, call, &(trip_options){.priority = round->priority, .no_wait = true});
    add_text(live.told.verdicts, trip_verdict_name(verdict));
    return trip_admitted(verdict);
}

/* Makes calls. A call that moves the state does so before the next call. */
static int live_calls(const struct round *round)
{
    int error = 0;
    for (unsigned i = 0; i < round->n && error == 0; i++) {
        trip_call call;
        const bool admitted = live_begins(round, &call);
        error = live_settles();
        if (!admitted || error < 0)
            continue;
        trip_end(&call, round->outcome);
        error = live_settles();
    }
    return error;
}

static int live_records(const struct round *round)
{
    int error = 0;
    for (unsigned i = 0; i < round->n && error == 0; i++) {
        trip_record(live.breaker, round->outcome, round->latency_ms * 1000000);
        error = live_settles();
    }
    return error;
}

/* Takes a step. SIMULATION_REFUSED: tripd refused. */
static int live_step(const struct round *round)
{
    json_t *result = NULL;
    int error = live_advances(round->at_ms);
    if (error < 0)
        return error;
    switch (round->play) {
    case PLAY_BEGIN:
        live_begins(round, &live.calls[round->id]);
        break;
    case PLAY_END:
        trip_end(&live.calls[round->id], round->outcome);
        break;
    case PLAY_CALL:
        return live_calls(round);
    case PLAY_RECORD:
        return live_records(round);
    case PLAY_MODE:
        return live_asks(round->method, params_of(round), NULL);
    case PLAY_TRIP:
        error = live_asks("trip", params_of(round), &result);
        if (error == 0 && json_array_size(json_object_get(result, "skipped")) > 0)
            error = -EREMOTEIO;
        json_decref(result);
        return error == -EREMOTEIO ? SIMULATION_REFUSED : error;
    case PLAY_RESET:
        return live_asks("reset", params_of(round), NULL);
    default:
        break;
    }
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- comparing */

static const char *const compared[] = {"state",
                                       "mode",
                                       "reason",
                                       "condition",
                                       "by",
                                       "state_for_ms",
                                       "window",
                                       "retry_after_ms",
                                       "totals",
                                       "probes",
                                       "permits_free",
                                       "mode_ttl_ms",
                                       "mode_owner",
                                       "in_flight",
                                       "opens",
                                       "trips",
                                       "open_ms",
                                       "ramp",
                                       "calls_until_rate",
                                       "limits",
                                       "settings",
                                       "latency_sampled",
                                       "consecutive_failures"};

static int differs(const char *side, const json_t *by_simulation, const json_t *by_tripd)
{
    int differences = 0;
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        const json_t *const one = json_object_get(by_simulation, compared[i]);
        const json_t *const other = json_object_get(by_tripd, compared[i]);
        if ((!one && !other) || json_equal(one, other))
            continue;
        char *const texts[] = {json_dumps(one, JSON_COMPACT | JSON_ENCODE_ANY),
                               json_dumps(other, JSON_COMPACT | JSON_ENCODE_ANY)};
        fprintf(stderr, "%s: %s %s, tripd %s\n", compared[i], side, texts[0] ? texts[0] : "nothing",
                texts[1] ? texts[1] : "nothing");
        free(texts[0]);
        free(texts[1]);
        differences++;
    }
    return differences;
}

static int differs_in_words(const char *what, const char *side, const char *by_simulation, const char *by_tripd)
{
    if (strcmp(by_simulation, by_tripd) == 0)
        return 0;
    fprintf(stderr, "%s: %s %s, tripd %s\n", what, side, by_simulation, by_tripd);
    return 1;
}

/* Notes moves. tripd tells a number of moves in a second one by one, and the others together (tripctl(1), events);
 * simulate tells each. The comparison leaves moves out from the first one that tripd may tell together with others. */
static void note_moves(const char *moves)
{
    for (const char *move = moves; *move; move = strchr(move, ' ') + 1) {
        const uint64_t at_ms = strtoull(move, NULL, 10);
        uint64_t *const before_ms = &trace.moved_ms[trace.moves++ % MOVES_TOLD];
        trace.moves_together |= trace.moves > MOVES_TOLD && at_ms < *before_ms + 2000;
        *before_ms = at_ms;
    }
}

/* Leaves the budget out of the comparison. How many tokens it may have follows the pace of calls between two looks of
 * tripd, at least a second apart. A simulation looks at each second of the trace; tripd's heartbeats are real, and its
 * test clock jumps over seconds. */
static void forget_pace(json_t *show)
{
    json_object_del(json_object_get(json_object_get(show, "limits"), "retry"), "budget_tokens");
}

static int compare(void)
{
    static const char *const sides[] = {"simulate", "simulate of many"};
    char line[LINE];
    json_t *show = NULL;
    int error = live_settles();
    if (error == 0)
        error = live_asks("show", params_of(&(struct round){0}), &show);
    if (error == 0)
        error = live_reads_moves();
    write_line(&(struct round){.play = PLAY_SHOW, .at_ms = live.now_ms}, line);
    if (error == 0)
        error = simulated_step(line);
    note_moves(simulated[0].told.moves);
    int differences = 0;
    forget_pace(show);
    for (unsigned i = 0; i < 2 && error == 0; i++) {
        forget_pace(simulated[i].show);
        differences += differs(sides[i], simulated[i].show, show);
        if (!trace.moves_together)
            differences += differs_in_words("moves", sides[i], simulated[i].told.moves, live.told.moves);
    }
    if (error == 0)
        differences += differs_in_words("verdicts", sides[0], simulated[0].told.verdicts, live.told.verdicts);
    json_decref(show);
    return error ? error : differences;
}

static int take(const struct round *round)
{
    char *const line = trace.lines[trace.length++];
    simulated[0].told = simulated[1].told = live.told = (struct told){0};
    write_line(round, line);
    const int one = simulated_step(line), other = live_step(round);
    if (one < 0 || other < 0)
        return one < 0 ? one : other;
    if (round->play == PLAY_BEGIN || round->play == PLAY_END)
        trace.in_flight[round->id] = round->play == PLAY_BEGIN;
    if (one != other)
        fprintf(stderr, "simulate %s it, tripd %s it\n", one ? "refused" : "did", other ? "refused" : "did");
    const int differences = compare();
    return differences < 0 ? differences : differences + (one != other);
}

static int end_all(void)
{
    int differences = 0;
    for (unsigned id = 0; id < IDS && differences == 0; id++)
        if (trace.in_flight[id])
            differences =
                take(&(struct round){.play = PLAY_END, .at_ms = live.now_ms, .id = id, .outcome = TRIP_CANCELLED});
    return differences;
}

static int play_trace(unsigned number)
{
    trace.length = trace.moves = 0;
    trace.moves_together = false;
    snprintf(trace.name, sizeof(trace.name), "t%u", number);
    int differences = live_breaker(trace.name);
    if (differences == 0) /* from now on simulate knows the breaker, too */
        differences = take(&(struct round){.play = PLAY_SHOW, .at_ms = live.now_ms});
    for (unsigned i = 0; i < STEPS && differences == 0; i++) {
        const struct round round = next_round();
        differences = take(&round);
    }
    return differences ? differences : end_all();
}

static int tell(int differences)
{
    if (differences < 0)
        fprintf(stderr, "alike: %s\n", strerror(-differences));
    for (unsigned i = 0; i < trace.length; i++)
        fprintf(stderr, "%s\n", trace.lines[i]);
    return 1;
}

static int run(unsigned traces, const char *file)
{
    int error = simulated_start(file);
    if (error == 0)
        error = live_start();
    if (error < 0)
        return tell(error);
    for (unsigned number = 0; number < traces; number++) {
        const int differences = play_trace(number);
        if (differences)
            return tell(differences);
    }
    printf("%u traces of %u steps: 0 differences\n", traces, STEPS);
    trip_close(live.client);
    rpc_client_close(live.rpc);
    simulated_end();
    return 0;
}

int main(int count, char **arguments)
{
    if (count < 4)
        return 2;
    seed = strtoull(arguments[2], NULL, 10);
    const unsigned traces = (unsigned)strtoul(arguments[3], NULL, 10);
    if (strcmp(arguments[1], "config") == 0)
        return print_config(traces);
    return count < 5 ? 2 : run(traces, arguments[4]);
}
