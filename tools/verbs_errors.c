/* The verbs that say what went wrong: `errors` and `analyze`. */
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "reading.h"

/* ----------------------------------------------------------------------------------------------------------- errors */

static struct report_error_filter filter_of(const struct arguments *arguments)
{
    return (struct report_error_filter){.breaker = arguments->operand,
                                        .type = arguments->type,
                                        .trace = arguments->trace,
                                        .correlation = arguments->correlation,
                                        .session = arguments->session};
}

static json_t *errors_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    const struct report_error_filter filter = filter_of(arguments);
    struct error_record record;
    json_t *list = json_array();
    for (uint64_t after = 0; snapshot_error(snapshot, after, &record); after = record.sequence)
        if (report_error_wanted(&filter, &record))
            json_array_append_new(list, report_error(&record));
    return json_pack("{s:o}", "errors", list);
}

static void set_text(json_t *params, const char *key, const char *value)
{
    if (value)
        json_object_set_new(params, key, json_string(value));
}

static json_t *params_of(const struct arguments *arguments)
{
    json_t *params = json_object();
    set_text(params, "type", arguments->type);
    set_text(params, "trace", arguments->trace);
    set_text(params, "correlation", arguments->correlation);
    set_text(params, "session", arguments->session);
    return params;
}

int verb_errors(const struct arguments *arguments)
{
    int status;
    json_t *const errors = reading_result(arguments, errors_of, params_of(arguments), &status);
    return status == EXIT_DONE ? reading_show(arguments, errors, print_errors) : status;
}

/* ---------------------------------------------------------------------------------------------------------- analyze */

static json_t *analyses_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    const struct report_correlation correlation = snapshot_correlation(snapshot);
    json_t *analyses = report_analyses(&correlation);
    struct snapshot_breaker breaker;
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++)
        if (snapshot_breaker(snapshot, slot, &breaker))
            report_analyses_add(analyses, &correlation, breaker.detail.name, arguments->operand, true);
    return analyses;
}

int verb_analyze(const struct arguments *arguments)
{
    int status;
    json_t *const analyses = reading_result(arguments, analyses_of, json_object(), &status);
    return status == EXIT_DONE ? reading_show_named(arguments, analyses, print_analyses) : status;
}
