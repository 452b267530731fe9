/* Traces of one breaker as short lines, the transitions that simulate reports, and what it shows at the end. */
#ifndef TRIP_TESTS_SIMULATED_LINES_H
#define TRIP_TESTS_SIMULATED_LINES_H

#include "simulated.h"

/* Plays lines, each the rest of a step of breaker "db": "T_MS,OP...". */
static inline struct run played(const char *settings, const char *const lines[], bool verdicts)
{
    char config[512], line[512];
    snprintf(config, sizeof(config), "breakers: [{match: \"*\", %s}]", settings);
    struct run run = begin(config, verdicts);
    for (size_t i = 0; lines[i]; i++) {
        const char *const rest = strchr(lines[i], ',');
        snprintf(line, sizeof(line), "{\"t_ms\":%.*s,\"breaker\":\"db\"%s}", (int)(rest - lines[i]), lines[i], rest);
        if (step(&run, line) != 0)
            fail_msg("%s: %s", line, run.problem);
    }
    return run;
}

static inline void play(const char *settings, const char *const lines[], const char *expected)
{
    struct run run = played(settings, lines, true);
    char text[1024];
    assert_string_equal(story(&run, text), expected);
    end(&run);
}

/* Plays lines, the last of which is a show, and returns a value of it; -1: null. */
static inline long long shown(const char *settings, const char *const lines[], const char *group, const char *key)
{
    struct run run = played(settings, lines, false);
    const json_t *const in = group ? json_object_get(last(&run), group) : last(&run);
    const json_t *const value = json_object_get(in, key);
    const long long number = json_is_null(value) ? -1 : json_integer_value(value);
    end(&run);
    return number;
}

#define CALL          ",\"op\":\"call\",\"outcome\":\"ok\""
#define TRIP          ",\"op\":\"trip\""
#define SHOW          ",\"op\":\"show\""
#define BEGIN(id)     ",\"op\":\"begin\",\"id\":\"" id "\""
#define END(id, what) ",\"op\":\"end\",\"id\":\"" id "\",\"outcome\":\"" what "\""
#define MODE(mode)    ",\"op\":\"mode\",\"mode\":\"" mode "\""
#define TTL(ms)       ",\"ttl_ms\":" #ms
#define RECORD(what)  ",\"op\":\"record\",\"outcome\":\"" what "\""
#define N(n)          ",\"n\":" #n
#define LINES(...)    ((const char *const[]){__VA_ARGS__, NULL})

#endif
