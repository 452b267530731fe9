/* Functions that the parts of report.h share. Nothing else includes this file. */
#ifndef TRIPD_REPORT_PARTS_H
#define TRIPD_REPORT_PARTS_H

#include "protocol/report.h"

static inline json_t *number(uint64_t value)
{
    return json_integer(value <= INT64_MAX ? (json_int_t)value : INT64_MAX);
}

/* Makes JSON of a text of at most `size` bytes, with or without a NUL at its end. Control characters become '?', for an
 * escape sequence would reach a terminal; the C1 ones too (in UTF-8: c2 80 to c2 9f). Of a text that is not UTF-8 only
 * ASCII stays. */
json_t *report_text(const char *from, size_t size);

json_t *report_text_or_null(const char *from, size_t size); /* null: the text is empty */
json_t *report_error_type(uint32_t type);
/* {"calls", "p50_ms", "p95_ms", "p99_ms"}. */
json_t *report_latency(const uint64_t counts[LATENCY_BUCKETS]);
/* Bytes of the segment that have memory. */
uint64_t report_segment_memory(const struct segment_header *header);

#endif
