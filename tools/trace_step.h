/* One step of a trace: a JSON line that `tripctl trace` writes and `tripctl simulate` reads.
 *
 *   {"t_ms":0,"op":"call","breaker":"db","outcome":"timeout","latency_ms":1000,"error":"network","n":5}
 *   {"t_ms":1,"op":"record","breaker":"db","outcome":"ok","latency_ms":12,"n":100}
 *   {"t_ms":2,"op":"begin","breaker":"db","id":"a"}      {"t_ms":3,"op":"end","id":"a","outcome":"ok"}
 *   {"t_ms":4,"op":"mode","breaker":"db","mode":"forced_open","ttl_ms":5000}
 *   {"t_ms":5,"op":"trip","breaker":"db","for_ms":5000}  {"t_ms":6,"op":"reset","breaker":"db"}
 *   {"t_ms":7,"op":"show","breaker":"db"}                {"t_ms":8,"op":"analyze"}
 *   {"t_ms":8,"op":"error","breaker":"db","error":"network","n":3}
 *
 * A call may have "priority" (normal if not given), as a begin may, and "retry":true, with "retry_after_ms". A call, a
 * record, an end and an error may have texts of their error: "message", "trace", "correlation".
 * n stands for that many equal lines. Keys that are not known are allowed; `tripctl trace` has "lost" on the first line
 * after outcomes that it could not write.
 */
#ifndef TRIP_TOOLS_TRACE_STEP_H
#define TRIP_TOOLS_TRACE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trip.h"

#define TRACE_OPS(X)    \
    X(CALL, "call")     \
    X(RECORD, "record") \
    X(BEGIN, "begin")   \
    X(END, "end")       \
    X(MODE, "mode")     \
    X(TRIP, "trip")     \
    X(RESET, "reset")   \
    X(SHOW, "show")     \
    X(ERROR, "error")   \
    X(ANALYZE, "analyze")

#define TRACE_ENUM(suffix, name) TRACE_##suffix,
enum trace_op { TRACE_OPS(TRACE_ENUM) TRACE_OP_COUNT };

#define TRACE_ID_MAX   127
#define TRACE_LINE_MAX 4096
#define TRACE_T_MS_MAX (UINT64_C(1) << 40) /* 35 years: what a state word can say */
#define TRACE_N_MAX    UINT64_C(1000000000)

/* The texts of an error: its message and its ids. "": it has none. */
struct trace_texts {
    char message[TRIP_ERROR_MESSAGE_MAX + 1];
    char trace[TRIP_ERROR_ID_MAX + 1];
    char correlation[TRIP_ERROR_ID_MAX + 1];
};

/* Fields that the op does not use are 0. */
struct trace_step {
    enum trace_op op;
    uint64_t t_ms;
    uint64_t latency_ns;
    uint64_t n;
    uint64_t span_ms;        /* for_ms or ttl_ms; 0: not given */
    uint64_t retry_after_ms; /* 0: not given */
    trip_outcome outcome;
    trip_error_type error;
    trip_mode mode;
    trip_priority priority;
    bool retry;
    bool has_texts; /* false: `texts` is whatever it was, so that a step without texts costs no copy of them */
    char breaker[TRIP_NAME_MAX + 1];
    char id[TRACE_ID_MAX + 1];
    struct trace_texts texts;
};

/* The texts of a step's error. NULL: it has none. */
static inline const struct trace_texts *trace_step_texts(const struct trace_step *step)
{
    return step->has_texts ? &step->texts : NULL;
}

/* Reads a step. line: without its newline. 0, or -EINVAL with a `problem` that says what is wrong and what would be
 * right. */
int trace_step_parse(const char *line, size_t length, struct trace_step *ret_step, char problem[256]);

#endif
