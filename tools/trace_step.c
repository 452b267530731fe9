#include "trace_step.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/settings.h"
#include "trace_line.h"

#define TRACE_NAME(suffix, name) name,
static const char *const op_names[] = {TRACE_OPS(TRACE_NAME)};
static const char *const outcome_names[] = {TRIP_OUTCOMES(TRACE_NAME)};
static const char *const mode_names[] = {TRIP_MODES(TRACE_NAME)};
static const char *const priority_names[] = {TRIP_PRIORITIES(TRACE_NAME)};
static const char *const error_names[] = {TRIP_ERROR_TYPES(TRACE_NAME)};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

#define USER_ERRORS ", user_0 to user_15"
_Static_assert(TRIP_ERROR_USER_MAX == 16, "the last of USER_ERRORS");

struct reader {
    struct trace_line line;
    char *problem; /* a buffer of 256 bytes */
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->problem, 256, format, arguments);
    va_end(arguments);
    return false;
}

static const struct trace_value *value_of(const struct reader *reader, enum trace_field field)
{
    return &reader->line.values[field];
}

static bool is_given(const struct reader *reader, enum trace_field field)
{
    return value_of(reader, field)->kind != TRACE_VALUE_MISSING;
}

static bool is_text(const struct trace_value *value, const char *text)
{
    return value->kind == TRACE_VALUE_TEXT && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}

static bool find_name(const struct trace_value *value, const char *const names[], unsigned count, unsigned *ret_index)
{
    unsigned index = 0;
    while (index < count && !is_text(value, names[index]))
        index++;
    if (index == count)
        return false;
    *ret_index = index;
    return true;
}

/* Reports a value that is not known. more: what else is known, beginning with a comma; or nothing. */
static bool not_known(const struct reader *reader, enum trace_field field, const char *const names[], unsigned count,
                      const char *more)
{
    char known[160] = "";
    size_t used = 0;
    for (unsigned i = 0; i < count && used < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", names[i]);
    return wrong(reader, "\"%s\" is %s; it is one of %s%s", trace_field_name(field),
                 value_of(reader, field)->kind == TRACE_VALUE_MISSING ? "missing" : "none of those known", known, more);
}

static bool read_name(const struct reader *reader, enum trace_field field, const char *const names[], unsigned count,
                      unsigned *ret_index)
{
    return find_name(value_of(reader, field), names, count, ret_index) || not_known(reader, field, names, count, "");
}

static bool read_count(const struct reader *reader, enum trace_field field, uint64_t lowest, uint64_t highest,
                       uint64_t *ret_count)
{
    const struct trace_value *value = value_of(reader, field);
    if (value->kind != TRACE_VALUE_INTEGER || value->integer < 0 || (uint64_t)value->integer < lowest ||
        (uint64_t)value->integer > highest)
        return wrong(reader, "\"%s\" must be an integer from %llu to %llu", trace_field_name(field),
                     (unsigned long long)lowest, (unsigned long long)highest);
    *ret_count = (uint64_t)value->integer;
    return true;
}

/* Reads a count. *ret_count keeps its value if the field is not given. */
static bool read_count_if_given(const struct reader *reader, enum trace_field field, uint64_t highest,
                                uint64_t *ret_count)
{
    return !is_given(reader, field) || read_count(reader, field, 1, highest, ret_count);
}

static bool read_latency(const struct reader *reader, uint64_t *ret_ns)
{
    const struct trace_value *value = value_of(reader, TRACE_FIELD_LATENCY_MS);
    const bool whole = value->kind == TRACE_VALUE_INTEGER;
    const double ms = whole ? (double)value->integer : value->real;
    if (value->kind == TRACE_VALUE_MISSING)
        return true;
    if ((!whole && value->kind != TRACE_VALUE_REAL) || !(ms >= 0 && ms <= (double)TRACE_T_MS_MAX))
        return wrong(reader, "\"latency_ms\" must be a number of milliseconds, 0 or more");
    *ret_ns = whole ? (uint64_t)value->integer * 1000000 : (uint64_t)(ms * 1e6 + 0.5);
    return true;
}

/* Reads a text, adds a NUL behind it, and refuses one that holds a NUL. */
static bool read_text(const struct reader *reader, enum trace_field field, char *ret_text, size_t size)
{
    const struct trace_value *value = value_of(reader, field);
    if (value->kind != TRACE_VALUE_TEXT || value->length == 0 || value->length >= size ||
        memchr(value->text, '\0', value->length))
        return wrong(reader, "\"%s\" must be a text of 1 to %zu bytes", trace_field_name(field), size - 1);
    memcpy(ret_text, value->text, value->length);
    ret_text[value->length] = '\0';
    return true;
}

static bool read_breaker(const struct reader *reader, struct trace_step *step)
{
    if (!read_text(reader, TRACE_FIELD_BREAKER, step->breaker, sizeof(step->breaker)))
        return false;
    return settings_name_valid(step->breaker, value_of(reader, TRACE_FIELD_BREAKER)->length) ||
           wrong(reader, "\"breaker\" must be 1 to 127 of letters, digits and . _ : / @ -");
}

/* Finds one of the user's own types, user_0 to user_15. */
static bool find_user_error(const struct trace_value *value, unsigned *ret_type)
{
    char name[16];
    for (unsigned number = 0; number < TRIP_ERROR_USER_MAX; number++) {
        snprintf(name, sizeof(name), "user_%u", number);
        if (is_text(value, name)) {
            *ret_type = TRIP_ERROR_USER + number;
            return true;
        }
    }
    return false;
}

static bool read_error(const struct reader *reader, struct trace_step *step)
{
    const struct trace_value *value = value_of(reader, TRACE_FIELD_ERROR);
    unsigned type = step->error;
    if (value->kind != TRACE_VALUE_MISSING && !find_name(value, error_names, COUNT(error_names), &type) &&
        !find_user_error(value, &type))
        return not_known(reader, TRACE_FIELD_ERROR, error_names, COUNT(error_names), USER_ERRORS);
    step->error = (trip_error_type)type;
    return true;
}

static bool read_text_if_given(const struct reader *reader, enum trace_field field, char *ret_text, size_t size)
{
    ret_text[0] = '\0';
    return !is_given(reader, field) || read_text(reader, field, ret_text, size);
}

static bool read_texts(const struct reader *reader, struct trace_step *step)
{
    struct trace_texts *const texts = &step->texts;
    step->has_texts = is_given(reader, TRACE_FIELD_MESSAGE) || is_given(reader, TRACE_FIELD_TRACE) ||
                      is_given(reader, TRACE_FIELD_CORRELATION);
    return !step->has_texts ||
           (read_text_if_given(reader, TRACE_FIELD_MESSAGE, texts->message, sizeof(texts->message)) &&
            read_text_if_given(reader, TRACE_FIELD_TRACE, texts->trace, sizeof(texts->trace)) &&
            read_text_if_given(reader, TRACE_FIELD_CORRELATION, texts->correlation, sizeof(texts->correlation)));
}

static bool read_outcome(const struct reader *reader, struct trace_step *step)
{
    unsigned outcome;
    if (!read_name(reader, TRACE_FIELD_OUTCOME, outcome_names, COUNT(outcome_names), &outcome))
        return false;
    step->outcome = (trip_outcome)outcome;
    step->error = step->outcome == TRIP_TIMEOUT ? TRIP_ERROR_TIMEOUT : TRIP_ERROR_UNKNOWN;
    return read_error(reader, step) && read_texts(reader, step);
}

static bool read_mode(const struct reader *reader, struct trace_step *step)
{
    unsigned mode;
    if (!read_name(reader, TRACE_FIELD_MODE, mode_names, COUNT(mode_names), &mode))
        return false;
    step->mode = (trip_mode)mode;
    return read_count_if_given(reader, TRACE_FIELD_TTL_MS, TRACE_T_MS_MAX, &step->span_ms);
}

static bool read_id(const struct reader *reader, struct trace_step *step)
{
    return read_text(reader, TRACE_FIELD_ID, step->id, sizeof(step->id));
}

static bool read_priority(const struct reader *reader, struct trace_step *step)
{
    unsigned priority = TRIP_PRIORITY_NORMAL;
    if (is_given(reader, TRACE_FIELD_PRIORITY) &&
        !read_name(reader, TRACE_FIELD_PRIORITY, priority_names, COUNT(priority_names), &priority))
        return false;
    step->priority = (trip_priority)priority;
    return true;
}

static bool read_retry(const struct reader *reader, struct trace_step *step)
{
    const enum trace_value_kind kind = value_of(reader, TRACE_FIELD_RETRY)->kind;
    step->retry = kind == TRACE_VALUE_TRUE;
    if (kind != TRACE_VALUE_MISSING && kind != TRACE_VALUE_FALSE && kind != TRACE_VALUE_TRUE)
        return wrong(reader, "\"retry\" must be true or false");
    return read_count_if_given(reader, TRACE_FIELD_RETRY_AFTER_MS, TRACE_T_MS_MAX, &step->retry_after_ms);
}

static bool read_outcomes(const struct reader *reader, struct trace_step *step)
{
    return read_outcome(reader, step) && read_latency(reader, &step->latency_ns) &&
           read_count_if_given(reader, TRACE_FIELD_N, TRACE_N_MAX, &step->n);
}

static bool read_step(const struct reader *reader, struct trace_step *step)
{
    unsigned op;
    if (!read_name(reader, TRACE_FIELD_OP, op_names, COUNT(op_names), &op) ||
        !read_count(reader, TRACE_FIELD_T_MS, 0, TRACE_T_MS_MAX, &step->t_ms))
        return false;
    step->op = (enum trace_op)op;
    if (step->op != TRACE_END && step->op != TRACE_ANALYZE && !read_breaker(reader, step))
        return false;
    switch (step->op) {
    case TRACE_CALL:
        return read_outcomes(reader, step) && read_priority(reader, step) && read_retry(reader, step);
    case TRACE_RECORD:
        return read_outcomes(reader, step);
    case TRACE_BEGIN:
        return read_id(reader, step) && read_priority(reader, step);
    case TRACE_END:
        return read_id(reader, step) && read_outcome(reader, step);
    case TRACE_MODE:
        return read_mode(reader, step);
    case TRACE_ERROR:
        step->error = TRIP_ERROR_UNKNOWN;
        return read_error(reader, step) && read_texts(reader, step) &&
               read_count_if_given(reader, TRACE_FIELD_N, TRACE_N_MAX, &step->n);
    case TRACE_TRIP:
        return read_count_if_given(reader, TRACE_FIELD_FOR_MS, TRACE_T_MS_MAX, &step->span_ms);
    default:
        return true;
    }
}

int trace_step_parse(const char *line, size_t length, struct trace_step *ret_step, char problem[256])
{
    struct trace_step step;
    struct reader reader;
    memset(&step, 0, offsetof(struct trace_step, texts));
    step.n = 1;
    reader.problem = problem; /* trace_line_read has begun it */
    if (length > TRACE_LINE_MAX) {
        wrong(&reader, "a line has %d bytes at most", TRACE_LINE_MAX);
        return -EINVAL;
    }
    const bool read = trace_line_read(&reader.line, line, length, problem) && read_step(&reader, &step);
    trace_line_free(&reader.line);
    if (!read)
        return -EINVAL;
    memcpy(ret_step, &step, step.has_texts ? sizeof(step) : offsetof(struct trace_step, texts));
    return 0;
}
