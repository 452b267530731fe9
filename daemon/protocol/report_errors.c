#include "protocol/report_errors.h"

#include <string.h>

#include "internal/enum_names.h"
#include "internal/error_records.h"
#include "internal/error_rows.h"
#include "protocol/report_parts.h"

#define TEXT(field) report_text(field, sizeof(field))

json_t *report_error_type(uint32_t type)
{
    return json_string(NAME_OF(error_names, type));
}

json_t *report_errors_by_type(const uint64_t errors[TRIP_ERROR_TYPE_COUNT])
{
    json_t *map = json_object();
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (errors[type])
            json_object_set_new(map, error_names[type], number(errors[type]));
    return map;
}

/* ---------------------------------------------------------------------------------------------------------- records */

static json_t *cuts(unsigned cut)
{
    static const char *const names[] = {"message", "correlation", "trace", "session", "context"}; /* enum error_cut */
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cut >> i & 1)
            json_array_append_new(list, json_string(names[i]));
    return list;
}

/* The context as a map of the pairs that are whole, for the segment may be damaged. */
static json_t *context(const struct error_record *record)
{
    json_t *pairs = json_object();
    const char *key, *value;
    size_t at = 0;
    for (unsigned pair = 0;
         pair < record->pairs && error_context_next(record->context, sizeof(record->context), &at, &key, &value);
         pair++) {
        json_t *const name = report_text(key, strlen(key));
        json_object_set_new(pairs, json_string_value(name), report_text(value, strlen(value)));
        json_decref(name);
    }
    return pairs;
}

static json_t *latency_ms(uint64_t ns)
{
    return ns ? json_real((double)ns / 1e6) : json_null();
}

json_t *report_error(const struct error_record *record)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "sequence", number(record->sequence), "t_ms", number(record->at_ms), "at_unix_ms",
                     number(record->at_unix_ms), "breaker", TEXT(record->name), "type", report_error_type(record->type),
                     "times", number(record->times), "outside", record->outside != 0, "message",
                     report_text_or_null(record->message, sizeof(record->message)), "correlation",
                     report_text_or_null(record->correlation, sizeof(record->correlation)), "trace",
                     report_text_or_null(record->trace, sizeof(record->trace)), "span",
                     report_text_or_null(record->span, sizeof(record->span)), "session",
                     report_text_or_null(record->session, sizeof(record->session)), "context", context(record), "cut",
                     cuts(record->cut), "latency_ms", latency_ms(record->latency_ns), "pid", number(record->pid), "uid",
                     number(record->uid));
}

static bool is(const char *wanted, const char *text, size_t size)
{
    return !wanted || (strnlen(text, size) == strlen(wanted) && memcmp(text, wanted, strlen(wanted)) == 0);
}

static bool is_of_type(const char *wanted, unsigned type)
{
    return !wanted || (type < TRIP_ERROR_TYPE_COUNT && strcmp(error_names[type], wanted) == 0);
}

bool report_error_wanted(const struct report_error_filter *filter, const struct error_record *record)
{
    char name[TRIP_NAME_MAX + 1];
    memcpy(name, record->name, sizeof(name));
    name[TRIP_NAME_MAX] = '\0';
    return (!filter->breaker || settings_pattern_matches(filter->breaker, name)) &&
           is_of_type(filter->type, record->type) && is(filter->trace, record->trace, sizeof(record->trace)) &&
           is(filter->correlation, record->correlation, sizeof(record->correlation)) &&
           is(filter->session, record->session, sizeof(record->session));
}

bool report_error_type_known(const char *name)
{
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (is_of_type(name, type))
            return true;
    return false;
}

/* --------------------------------------------------------------------------------------------------------- analyses */

#define ANALYSIS_NAME(suffix, name) name,
static const char *const analysis_names[] = {ANALYSES(ANALYSIS_NAME)};

static json_t *analysis_of(const struct report_correlation *correlation, enum error_scope scope, const char *name,
                           size_t length)
{
    const struct correlation_settings settings = {
        .window = at_least(correlation->shown->window_ns, TRIP_S), /* what is copied may be forged, or new */
        .high_error_rate = correlation->shown->high_error_rate,
        .pattern_share = correlation->shown->pattern_share,
    };
    const struct analysis analysis =
        correlation_of_entity(correlation->rows, error_entity(scope, name, length), &settings, correlation->now_ns);
    const bool some = analysis.errors != 0;
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "name", length ? report_text(name, length) : json_null(),
                     "analysis", analysis_names[analysis.kind], "errors", number(analysis.errors), "per_second",
                     json_real((double)analysis.rate_milli / 1000), "type",
                     some ? report_error_type(analysis.type) : json_null(), "type_errors",
                     number(analysis.type_errors));
}

json_t *report_analyses(const struct report_correlation *correlation)
{
    const struct correlation_shown *const shown = correlation->shown;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:[], s:[]}", "as_of_ms", number(correlation->now_ns / 1000000),
                     "window_ms", number(shown->window_ns / 1000000), "high_error_rate",
                     json_real((double)shown->high_error_rate / 1000), "pattern_share",
                     json_real((double)shown->pattern_share / 10), "uncounted", number(shown->uncounted), "host",
                     analysis_of(correlation, ERROR_SCOPE_HOST, "", 0), "groups", "breakers");
}

static bool listed(const json_t *list, const char *name, size_t length)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const char *const other = json_string_value(json_object_get(entry, "name"));
        if (other && strlen(other) == length && memcmp(other, name, length) == 0)
            return true;
    }
    return false;
}

/* Adds an entity's analysis to the list. wanted: the caller asked for it by its name. */
static void add(json_t *list, const struct report_correlation *correlation, enum error_scope scope, const char *name,
                size_t length, bool wanted)
{
    if (listed(list, name, length))
        return;
    json_t *const entry = analysis_of(correlation, scope, name, length);
    if (wanted || json_integer_value(json_object_get(entry, "errors")) > 0)
        json_array_append(list, entry);
    json_decref(entry);
}

void report_analyses_add(json_t *analyses, const struct report_correlation *correlation, const char *name,
                         const char *wanted, bool groups)
{
    const size_t group = group_length(name), length = wanted ? strlen(wanted) : 0;
    const bool group_named = wanted && length == group && memcmp(wanted, name, group) == 0;
    const bool named = wanted && settings_pattern_matches(wanted, name);
    if (groups && group && (!wanted || group_named))
        add(json_object_get(analyses, "groups"), correlation, ERROR_SCOPE_GROUP, name, group, group_named);
    if (!wanted || named || group_named)
        add(json_object_get(analyses, "breakers"), correlation, ERROR_SCOPE_BREAKER, name, strlen(name), named);
}
