/* wait: for scripts and tests, which would poll `show` themselves. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/settings.h"
#include "internal/state_word.h"
#include "internal/ticks.h"
#include "print.h"
#include "reading.h"
#include "request.h"

#define POLL_NS        20000000
#define POLL_SOCKET_NS 100000000 /* each request makes tripd count all that is new */

#define STATE_NAME(suffix, name) name,
static const char *const state_names[] = {TRIP_STATES(STATE_NAME)};

static uint64_t passed_ms(uint64_t since_ns)
{
    return (monotonic_ns() - since_ns) / TRIP_MS;
}

static const char *own_name(const char *state)
{
    for (unsigned i = 0; state && i < TRIP_STATE_COUNT; i++)
        if (strcmp(state, state_names[i]) == 0)
            return state_names[i];
    return NULL;
}

static const char *state_by_socket(const struct arguments *arguments)
{
    json_t *answer = NULL;
    const int error = request_quietly(arguments, "list", json_pack("{s:s}", "name", arguments->operand), &answer);
    const json_t *breaker = error == 0 ? json_array_get(json_object_get(answer, "breakers"), 0) : NULL;
    const char *state = own_name(json_string_value(json_object_get(breaker, "state")));
    json_decref(answer);
    return state;
}

/* Returns the breaker's state. NULL: no breaker has this name yet. snapshot NULL: ask tripd. */
static const char *state_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    struct snapshot_breaker breaker;
    if (!snapshot)
        return state_by_socket(arguments);
    return snapshot_find(snapshot, arguments->operand, &breaker) ? state_names[word_shown_state(breaker.report.word)]
                                                                 : NULL;
}

/* Returns the last state that was seen, wanted or not. */
static const char *poll(const struct arguments *arguments, struct snapshot **snapshot, const char *wanted,
                        uint64_t since_ns)
{
    const struct timespec nap = {.tv_nsec = *snapshot ? POLL_NS : POLL_SOCKET_NS};
    const char *state = state_of(arguments, *snapshot);
    while (state != wanted && passed_ms(since_ns) < arguments->timeout_ms) {
        nanosleep(&nap, NULL);
        if (*snapshot)
            reading_renew(arguments, snapshot);
        state = state_of(arguments, *snapshot);
    }
    return state;
}

static void say(const struct arguments *arguments, const char *state, bool reached, uint64_t waited_ms)
{
    const char *name = arguments->operand;
    char span[24];
    if (arguments->given & OPTION_JSON) {
        json_t *result = json_pack("{s:s, s:s?, s:b, s:I}", "breaker", name, "state", state, "reached", reached,
                                   "waited_ms", (json_int_t)waited_ms);
        print_json(stdout, result);
        json_decref(result);
    } else if (reached) {
        printf("%s is %s\n", name, state);
    } else if (state) {
        fprintf(stderr, "tripctl: %s is %s, not %s, after %s\n", name, state, state_names[arguments->state],
                print_span(waited_ms, span));
    } else {
        fprintf(stderr, "tripctl: no breaker is named %s after %s\n", name, print_span(waited_ms, span));
    }
}

int verb_wait(const struct arguments *arguments)
{
    const uint64_t since_ns = monotonic_ns();
    struct snapshot *snapshot;
    if (!(arguments->given & OPTION_STATE)) {
        fputs("tripctl: wait needs --state closed, open, half_open or ramping\n", stderr);
        return EXIT_USAGE;
    }
    const int status = reading_open(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    const char *wanted = state_names[arguments->state];
    const char *state = poll(arguments, &snapshot, wanted, since_ns);
    say(arguments, state, state == wanted, passed_ms(since_ns));
    snapshot_close(snapshot);
    return state == wanted ? EXIT_DONE : EXIT_REFUSED;
}
