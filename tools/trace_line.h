/* The fields of a trace's line, whatever they mean: a flat JSON object whose keys may be these. Lines in the plain form
 * that `tripctl trace` writes (keys of these and none twice, texts of printable ASCII without escapes, whole numbers,
 * true and false)
 * are read right here, for traces are long; every other one by jansson, with the same result. A line that begins with
 * white space is jansson's, which is how the two are compared (tests/fuzz/fuzz_trace.c).
 */
#ifndef TRIP_TOOLS_TRACE_LINE_H
#define TRIP_TOOLS_TRACE_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_FIELDS(X)                 \
    X(T_MS, "t_ms")                     \
    X(OP, "op")                         \
    X(BREAKER, "breaker")               \
    X(OUTCOME, "outcome")               \
    X(LATENCY_MS, "latency_ms")         \
    X(N, "n")                           \
    X(ERROR, "error")                   \
    X(ID, "id")                         \
    X(MODE, "mode")                     \
    X(TTL_MS, "ttl_ms")                 \
    X(FOR_MS, "for_ms")                 \
    X(PRIORITY, "priority")             \
    X(RETRY, "retry")                   \
    X(RETRY_AFTER_MS, "retry_after_ms") \
    X(MESSAGE, "message")               \
    X(TRACE, "trace")                   \
    X(CORRELATION, "correlation")

#define TRACE_FIELD(suffix, name) TRACE_FIELD_##suffix,
enum trace_field { TRACE_FIELDS(TRACE_FIELD) TRACE_FIELD_COUNT };

enum trace_value_kind {
    TRACE_VALUE_MISSING,
    TRACE_VALUE_TEXT,
    TRACE_VALUE_INTEGER,
    TRACE_VALUE_REAL,
    TRACE_VALUE_FALSE,
    TRACE_VALUE_TRUE,
    TRACE_VALUE_OTHER
};

struct trace_value {
    enum trace_value_kind kind;
    uint32_t length; /* of the text, which has no NUL at its end */
    union {
        const char *text;
        int64_t integer;
        double real;
    };
};

struct trace_line {
    struct trace_value values[TRACE_FIELD_COUNT];
    json_t *json; /* holds the texts; NULL: they are in the line itself */
};

/* Reads a line. False: it is no JSON object, and `problem` says what it is instead. Free it in either case; it lives no
 * longer than the text. */
bool trace_line_read(struct trace_line *line, const char *text, size_t length, char problem[256]);
void trace_line_free(struct trace_line *line);

const char *trace_field_name(enum trace_field field);

#endif
