#include "trace_line.h"

#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 18 /* so many digits fit an int64_t, whatever they are */

#define NAME(suffix, name) {name, sizeof(name) - 1},
static const struct {
    const char *name;
    size_t length;
} fields[] = {TRACE_FIELDS(NAME)};

const char *trace_field_name(enum trace_field field)
{
    return fields[field].name;
}

/* -------------------------------------------------------------------------------------------------- the plain form */

struct scan {
    const char *at, *end;
};

static bool take(struct scan *scan, char wanted)
{
    while (scan->at < scan->end && *scan->at == ' ')
        scan->at++;
    if (scan->at == scan->end || *scan->at != wanted)
        return false;
    scan->at++;
    return true;
}

/* Reads a text up to its closing quote, after the opening one was read. */
static bool scan_text(struct scan *scan, struct trace_value *ret_value)
{
    const char *const begin = scan->at;
    while (scan->at < scan->end && *scan->at >= ' ' && *scan->at < 127 && *scan->at != '"' && *scan->at != '\\')
        scan->at++;
    ret_value->kind = TRACE_VALUE_TEXT;
    ret_value->text = begin;
    ret_value->length = (uint32_t)(scan->at - begin);
    return scan->at < scan->end && *scan->at++ == '"';
}

/* Reads an integer. The reader of what follows finds out if that is a digit, a point or an exponent. */
static bool scan_integer(struct scan *scan, struct trace_value *ret_value)
{
    const char *begin;
    while (scan->at < scan->end && *scan->at == ' ')
        scan->at++;
    ret_value->kind = TRACE_VALUE_INTEGER;
    ret_value->integer = 0;
    for (begin = scan->at; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        if (scan->at - begin == DIGITS_MAX)
            return false;
        ret_value->integer = 10 * ret_value->integer + (*scan->at - '0');
    }
    return scan->at > begin && (*begin != '0' || scan->at == begin + 1);
}

static bool scan_word(struct scan *scan, const char *word, enum trace_value_kind kind, struct trace_value *ret_value)
{
    const size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    ret_value->kind = kind;
    return true;
}

/* Reads another value, behind the blanks before it. What follows a word is checked as after a number. */
static bool scan_other(struct scan *scan, struct trace_value *ret_value)
{
    return scan_word(scan, "true", TRACE_VALUE_TRUE, ret_value) ||
           scan_word(scan, "false", TRACE_VALUE_FALSE, ret_value) || scan_integer(scan, ret_value);
}

/* Returns the field of a key. TRACE_FIELD_COUNT: the key is none of these. */
static enum trace_field field_of(const struct trace_value *key)
{
    unsigned field = 0;
    while (field < TRACE_FIELD_COUNT &&
           (fields[field].length != key->length || memcmp(fields[field].name, key->text, key->length) != 0))
        field++;
    return (enum trace_field)field;
}

static bool scan_member(struct scan *scan, struct trace_line *line)
{
    struct trace_value key;
    if (!take(scan, '"') || !scan_text(scan, &key) || !take(scan, ':'))
        return false;
    const enum trace_field field = field_of(&key);
    if (field == TRACE_FIELD_COUNT || line->values[field].kind != TRACE_VALUE_MISSING)
        return false;
    return take(scan, '"') ? scan_text(scan, &line->values[field]) : scan_other(scan, &line->values[field]);
}

/* Reads a line. False: it is not in the plain form, and jansson has to read it. */
static bool scan_line(struct trace_line *line, const char *text, size_t length)
{
    struct scan scan = {text, text + length};
    if (length == 0 || *text != '{')
        return false;
    scan.at++;
    do {
        if (!scan_member(&scan, line))
            return false;
    } while (take(&scan, ','));
    return take(&scan, '}') && scan.at == scan.end;
}

/* ------------------------------------------------------------------------------------------------- every other line */

static struct trace_value value_of(const json_t *json)
{
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_STRING:
        return (struct trace_value){
            .kind = TRACE_VALUE_TEXT, .text = json_string_value(json), .length = (uint32_t)json_string_length(json)};
    case JSON_INTEGER:
        return (struct trace_value){.kind = TRACE_VALUE_INTEGER, .integer = json_integer_value(json)};
    case JSON_REAL:
        return (struct trace_value){.kind = TRACE_VALUE_REAL, .real = json_real_value(json)};
    case JSON_FALSE:
        return (struct trace_value){.kind = TRACE_VALUE_FALSE};
    case JSON_TRUE:
        return (struct trace_value){.kind = TRACE_VALUE_TRUE};
    default:
        return (struct trace_value){.kind = json ? TRACE_VALUE_OTHER : TRACE_VALUE_MISSING};
    }
}

static bool load_line(struct trace_line *line, const char *text, size_t length, char problem[256])
{
    json_error_t error;
    line->json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!line->json)
        snprintf(problem, 256, "not JSON: %.200s", error.text);
    else if (!json_is_object(line->json))
        snprintf(problem, 256, "a step is a JSON object on a line of its own");
    for (unsigned field = 0; field < TRACE_FIELD_COUNT; field++)
        line->values[field] = value_of(json_object_get(line->json, fields[field].name));
    return json_is_object(line->json);
}

bool trace_line_read(struct trace_line *line, const char *text, size_t length, char problem[256])
{
    *line = (struct trace_line){0};
    if (scan_line(line, text, length))
        return true;
    *line = (struct trace_line){0};
    return load_line(line, text, length, problem);
}

void trace_line_free(struct trace_line *line)
{
    json_decref(line->json);
}
