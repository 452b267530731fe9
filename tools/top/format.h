/* Numbers for people, as short as a column needs them. */
#ifndef TRIP_TOP_FORMAT_H
#define TRIP_TOP_FORMAT_H

#include <stdint.h>

#define FORMAT_MAX 24

/* A count or a rate: 0.4, 12, 1234, 12.3k, 123k, 4.5M; five columns, up to 999G. */
const char *format_count(double count, char text[FORMAT_MAX]);
/* A share of a whole: 84%; "-" of a whole of 0. */
const char *format_share(uint64_t part, uint64_t whole, char text[FORMAT_MAX]);
const char *format_permille(int32_t permille, char text[FORMAT_MAX]); /* "-": below 0 */
/* A latency: 250ns, 0.013ms, 4.2ms, 120ms, 1.5s; "-": below 0. */
const char *format_latency(double ms, char text[FORMAT_MAX]);
/* A span: 950ms, 1.5s, 42s, 2m05s; "never": FIGURES_NEVER. */
const char *format_span(uint64_t ms, char text[FORMAT_MAX]);
/* A time of day: 14:03:05. */
const char *format_clock(uint64_t unix_ms, char text[FORMAT_MAX]);

#endif
