/* Error correlation: what the errors of the last `window` have in common. Pure: time comes in as an argument.
 *
 *   errors ──> error_row_add: a row for each entity and type ──> correlation_analyse: one answer
 *
 * For example: 40 of 50 errors in 60 s were timeouts. That is fewer than 10 a second, and more than half are of one
 * type: pattern_detected, timeout, 40 of 50.
 *
 * Times are nanoseconds since the segment's creation on the instance's clock.
 */
#ifndef TRIP_CORE_CORRELATION_H
#define TRIP_CORE_CORRELATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"
#include "internal/layout.h"

/* What is said of an entity's errors: X(ENUM_SUFFIX, "name"). The first that holds is the answer. */
#define ANALYSES(X)                         \
    X(NO_ERRORS, "no_errors")               \
    X(HIGH_ERROR_RATE, "high_error_rate")   \
    X(PATTERN_DETECTED, "pattern_detected") \
    X(NORMAL_OPERATION, "normal_operation")

#define ANALYSIS_ENUM(suffix, name) ANALYSIS_##suffix,
enum analysis_kind { ANALYSES(ANALYSIS_ENUM) ANALYSIS_COUNT };

/* One entity's errors in the window. */
struct correlation_sums {
    uint64_t counts[TRIP_ERROR_TYPE_COUNT];
    uint64_t latest_ns[TRIP_ERROR_TYPE_COUNT]; /* when the last of them came */
};

struct analysis {
    enum analysis_kind kind;
    uint64_t errors;      /* in the window */
    uint64_t rate_milli;  /* thousandths of an error a second: errors / window */
    trip_error_type type; /* the most common one; of two equally common ones the one that came last */
    uint64_t type_errors; /* of that type */
};

/* n errors came at at_ns. What has left the window is forgotten; an error older than the window is not counted. */
void error_row_add(struct error_row *row, uint64_t window_ns, uint64_t at_ns, uint64_t n);
/* How many of the row's errors are in the window that ends at now_ns. */
uint64_t error_row_sum(const struct error_row *row, uint64_t window_ns, uint64_t now_ns);

/* high_error_rate: more than that many a second. pattern_detected: one type has more than pattern_share of all. */
struct analysis correlation_analyse(const struct correlation_sums *sums, const struct correlation_settings *settings);

/* The same from the rows of an entity (internal/error_rows.h). */
struct analysis correlation_of_entity(const struct error_row *rows, uint64_t entity,
                                      const struct correlation_settings *settings, uint64_t now_ns);

#endif
