/* What the parts of report.h share; nobody else includes it. */
#ifndef TRIPD_REPORT_PARTS_H
#define TRIPD_REPORT_PARTS_H

#include "protocol/report.h"

static inline json_t *number(uint64_t value)
{
    return json_integer(value <= INT64_MAX ? (json_int_t)value : INT64_MAX);
}

/* Text of at most `size` bytes, NUL or not at its end. Escape sequences would reach a terminal: control characters
 * become '?', C1 ones (in UTF-8: c2 80 to c2 9f) too; what is not UTF-8 keeps its ASCII. */
json_t *report_text(const char *from, size_t size);

json_t *report_text_or_null(const char *from, size_t size); /* null: it is empty */
json_t *report_error_type(uint32_t type);
/* {"calls", "p50_ms", "p95_ms", "p99_ms"}. */
json_t *report_latency(const uint64_t counts[LATENCY_BUCKETS]);
/* Bytes of the segment that have memory. */
uint64_t report_segment_memory(const struct segment_header *header);

/* Of `show`: {"concurrency", "rate", "throttle", "retry", "deadline_rejected"}; those that are
 * off are null. */
json_t *report_limits(const struct report_breaker *breaker);

#endif
