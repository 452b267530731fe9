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

/* The answers to what an entity's errors have in common: X(ENUM_SUFFIX, "name"). The first one that holds is given. */
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
    trip_error_type type; /* the most common type; of two equally common ones, the type whose error came last */
    uint64_t type_errors; /* errors of that type */
};

/* Adds n errors that came at at_ns. Forgets errors that have left the window; does not count errors older than the
 * window. */
void error_row_add(struct error_row *row, uint64_t window_ns, uint64_t at_ns, uint64_t n);
/* Returns how many of the row's errors are in the window that ends at now_ns. */
uint64_t error_row_sum(const struct error_row *row, uint64_t window_ns, uint64_t now_ns);

/* Analyses sums. high_error_rate: more errors a second than that. pattern_detected: more than pattern_share of the
 * errors are of one type. */
struct analysis correlation_analyse(const struct correlation_sums *sums, const struct correlation_settings *settings);

/* Analyses an entity's rows (internal/error_rows.h). */
struct analysis correlation_of_entity(const struct error_row *rows, uint64_t entity,
                                      const struct correlation_settings *settings, uint64_t now_ns);

#endif
