#include "trace_step.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/settings.h"

#define TRACE_NAME(suffix, name) name,
static const char *const op_names[] = {TRACE_OPS(TRACE_NAME)};
static const char *const outcome_names[] = {TRIP_OUTCOMES(TRACE_NAME)};
static const char *const mode_names[] = {TRIP_MODES(TRACE_NAME)};
static const char *const error_names[] = {TRIP_ERROR_TYPES(TRACE_NAME)};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

struct reader {
    json_t *line;
    char *problem; /* 256 bytes */
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->problem, 256, format, arguments);
    va_end(arguments);
    return false;
}

static void list_names(const char *const names[], size_t count, char text[160])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < 160; i++)
        used += (size_t)snprintf(text + used, 160 - used, "%s%s", i ? ", " : "", names[i]);
}

/* One of the names. required false: *ret_index keeps its value where the key is not given. */
static bool read_name(const struct reader *reader, const char *key, const char *const names[], size_t count,
                      bool required, unsigned *ret_index)
{
    char known[160];
    const json_t *value = json_object_get(reader->line, key);
    if (!value && !required)
        return true;
    for (unsigned i = 0; json_is_string(value) && i < count; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            *ret_index = i;
            return true;
        }
    }
    list_names(names, count, known);
    return wrong(reader, "\"%s\" is %s; it is one of %s", key, value ? "none of those known" : "missing", known);
}

static bool read_count(const struct reader *reader, const char *key, uint64_t lowest, uint64_t highest, bool required,
                       uint64_t *ret_count)
{
    const json_t *value = json_object_get(reader->line, key);
    if (!value && !required)
        return true;
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number < lowest || (uint64_t)number > highest)
        return wrong(reader, "\"%s\" must be an integer from %llu to %llu", key, (unsigned long long)lowest,
                     (unsigned long long)highest);
    *ret_count = (uint64_t)number;
    return true;
}

static bool read_latency(const struct reader *reader, uint64_t *ret_ns)
{
    const json_t *value = json_object_get(reader->line, "latency_ms");
    const double ms = json_number_value(value);
    if (!value)
        return true;
    if (!json_is_number(value) || !(ms >= 0 && ms <= (double)TRACE_T_MS_MAX))
        return wrong(reader, "\"latency_ms\" must be a number of milliseconds, 0 or more");
    *ret_ns = json_is_integer(value) ? (uint64_t)json_integer_value(value) * 1000000 : (uint64_t)(ms * 1e6 + 0.5);
    return true;
}

static bool read_text(const struct reader *reader, const char *key, char *ret_text, size_t size)
{
    const json_t *value = json_object_get(reader->line, key);
    const size_t length = json_string_length(value);
    if (!json_is_string(value) || length == 0 || length >= size || strlen(json_string_value(value)) != length)
        return wrong(reader, "\"%s\" must be a text of 1 to %zu bytes", key, size - 1);
    memcpy(ret_text, json_string_value(value), length + 1);
    return true;
}

static bool read_breaker(const struct reader *reader, struct trace_step *step)
{
    if (!read_text(reader, "breaker", step->breaker, sizeof(step->breaker)))
        return false;
    return settings_name_valid(step->breaker, strlen(step->breaker)) ||
           wrong(reader, "\"breaker\" must be 1 to 127 of letters, digits and . _ : / @ -");
}

/* The user's own types are user_0 to user_15. */
static bool read_error(const struct reader *reader, struct trace_step *step)
{
    const char *value = json_string_value(json_object_get(reader->line, "error"));
    unsigned number, type = step->error;
    int end = 0;
    if (value && sscanf(value, "user_%2u%n", &number, &end) == 1 && value[end] == '\0' &&
        number < TRIP_ERROR_USER_MAX) {
        step->error = (trip_error_type)(TRIP_ERROR_USER + number);
        return true;
    }
    if (!read_name(reader, "error", error_names, COUNT(error_names), false, &type))
        return false;
    step->error = (trip_error_type)type;
    return true;
}

static bool read_outcome(const struct reader *reader, struct trace_step *step)
{
    unsigned outcome;
    if (!read_name(reader, "outcome", outcome_names, COUNT(outcome_names), true, &outcome))
        return false;
    step->outcome = (trip_outcome)outcome;
    step->error = step->outcome == TRIP_TIMEOUT ? TRIP_ERROR_TIMEOUT : TRIP_ERROR_UNKNOWN;
    return read_error(reader, step);
}

static bool read_mode(const struct reader *reader, struct trace_step *step)
{
    unsigned mode;
    if (!read_name(reader, "mode", mode_names, COUNT(mode_names), true, &mode))
        return false;
    step->mode = (trip_mode)mode;
    return read_count(reader, "ttl_ms", 1, TRACE_T_MS_MAX, false, &step->span_ms);
}

static bool read_step(const struct reader *reader, struct trace_step *step)
{
    unsigned op;
    if (!json_is_object(reader->line))
        return wrong(reader, "a step is a JSON object on a line of its own");
    if (!read_name(reader, "op", op_names, COUNT(op_names), true, &op) ||
        !read_count(reader, "t_ms", 0, TRACE_T_MS_MAX, true, &step->t_ms))
        return false;
    step->op = (enum trace_op)op;
    if (step->op != TRACE_END && !read_breaker(reader, step))
        return false;
    switch (step->op) {
    case TRACE_CALL:
    case TRACE_RECORD:
        return read_outcome(reader, step) && read_latency(reader, &step->latency_ns) &&
               read_count(reader, "n", 1, TRACE_N_MAX, false, &step->n);
    case TRACE_BEGIN:
        return read_text(reader, "id", step->id, sizeof(step->id));
    case TRACE_END:
        return read_text(reader, "id", step->id, sizeof(step->id)) && read_outcome(reader, step);
    case TRACE_MODE:
        return read_mode(reader, step);
    case TRACE_TRIP:
        return read_count(reader, "for_ms", 1, TRACE_T_MS_MAX, false, &step->span_ms);
    default:
        return true;
    }
}

int trace_step_parse(const char *line, size_t length, struct trace_step *ret_step, char problem[256])
{
    struct trace_step step = {.n = 1};
    json_error_t error;
    struct reader reader = {.problem = problem};
    if (length > TRACE_LINE_MAX) {
        wrong(&reader, "a line has %d bytes at most", TRACE_LINE_MAX);
        return -EINVAL;
    }
    reader.line = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    const bool read = reader.line ? read_step(&reader, &step) : wrong(&reader, "not JSON: %.200s", error.text);
    json_decref(reader.line);
    if (!read)
        return -EINVAL;
    *ret_step = step;
    return 0;
}
