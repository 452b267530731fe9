/* Errors as JSON for people and programs: records, and what errors have in common. */
#ifndef TRIPD_REPORT_ERRORS_H
#define TRIPD_REPORT_ERRORS_H

#include "core/correlation.h"
#include "protocol/report.h"

/* Counts by type, {type: n}, for the types that occurred. */
json_t *report_errors_by_type(const uint64_t errors[TRIP_ERROR_TYPE_COUNT]);

/* One record, with its texts cleaned. */
json_t *report_error(const struct error_record *record);

/* Selects records by what they hold; a NULL selects any. */
struct report_error_filter {
    const char *breaker; /* a name, or a pattern */
    const char *type, *trace, *correlation, *session;
};
bool report_error_wanted(const struct report_error_filter *filter, const struct error_record *record);
/* Is it the name of an error type? */
bool report_error_type_known(const char *name);

/* The rows that are analysed, the settings, and the time at which the window ends. */
struct report_correlation {
    const struct error_row *rows;
    const struct correlation_shown *shown;
    uint64_t now_ns;
};

/* Begins an answer: {"as_of_ms", "window_ms", "host", "groups": [], "breakers": []}, the last two empty. */
json_t *report_analyses(const struct report_correlation *correlation);
/* Adds the breaker of this name, and with `groups` its group if it is not there yet. A breaker without errors in the
 * window is left out, unless it was asked for by name. wanted: a name, a pattern or a group; NULL: all. */
void report_analyses_add(json_t *analyses, const struct report_correlation *correlation, const char *name,
                         const char *wanted, bool groups);

#endif
