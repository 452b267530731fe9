/* The settings of breakers, as config files state them and the core applies them. One declaration of each key:
 * X(section, key, KIND, default, lowest, highest), which makes the structure, the parser's table, `config show` and
 * the tests of the defaults. Section "" is the breaker entry itself.
 *
 * Kinds    DURATION  unsigned nanoseconds, written as 250ms, 30s, 5m, 1h
 *          RATE      permille, written as 50% or 12.5%
 *          COUNT     unsigned number
 *          FACTOR    thousandths, written as 2.0
 */
#ifndef TRIP_CORE_SETTINGS_H
#define TRIP_CORE_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "internal/defaults.h"
#include "internal/layout_levels.h"

#define TRIP_MS UINT64_C(1000000)
#define TRIP_S  (1000 * TRIP_MS)

#define SETTINGS_WINDOW_MAX     4096 /* calls in a count window: bounded by its place in the segment */
#define SETTINGS_PERMITS_MAX    64   /* permit words of a breaker in the commons */
#define SETTINGS_RAMP_STEPS_MAX 16
#define SETTINGS_PATTERN_MAX    127
#define SETTINGS_DEPENDS_MAX    8        /* patterns that an entry depends on */
#define SETTINGS_STREAK_MAX     32767    /* the streak's 15 bits in a ramping state word */
#define SETTINGS_TICKETS_MAX    1024     /* TICKETS_MAX of ticket_word.h */
#define SETTINGS_ERRORS_MAX     16384    /* ERROR_RECORDS_MAX of layout_segment.h */
#define SETTINGS_TEMPLATES_MAX  4096     /* FINGERPRINTS_MAX of layout_chronicle.h */
#define SETTINGS_RATE_MAX       0xffffff /* SLIDING_COUNT_MAX of bucket_word.h */
#define SETTINGS_OPEN_MAX       (30 * 24 * 3600 * TRIP_S)
#define SETTINGS_WAIT_MAX       (12 * 3600 * TRIP_S) /* leases are 21 bits of 64 ms steps, modular */

enum window_type { WINDOW_COUNT, WINDOW_TIME };
enum probe_verdict { PROBE_VERDICT_SUCCESSES, PROBE_VERDICT_RATE };
enum rate_window { RATE_BUCKET, RATE_SLIDING };
enum hedge_at { HEDGE_AT_P50, HEDGE_AT_P95, HEDGE_AT_P99 }; /* the measured percentile, where `after` is 0 */

/* clang-format off */
#define SETTINGS_SCALARS(X) \
    X(trip,      consecutive_failures, COUNT,    DEFAULT_CONSECUTIVE_FAILURES, 0, SETTINGS_STREAK_MAX) \
    X(trip,      failures,             COUNT,    0,            0, UINT32_MAX) \
    X(trip,      failure_rate,         RATE,     500,          0, 1000) \
    X(trip,      slow_rate,            RATE,     0,            0, 1000) \
    X(trip,      slow_after,           DURATION, DEFAULT_SLOW_AFTER, 0, SETTINGS_WAIT_MAX) \
    X(trip,      stall_after,          DURATION, 0,            0, SETTINGS_WAIT_MAX) \
    X(trip,      in_flight,            COUNT,    0,            0, UINT32_MAX) \
    X(window,    size,                 COUNT,    100,          1, SETTINGS_WINDOW_MAX) \
    X(window,    span,                 DURATION, 60 * TRIP_S,  10 * TRIP_MS, SETTINGS_WAIT_MAX) /* key `for` */ \
    X(window,    minimum_calls,        COUNT,    10,           1, UINT32_MAX) \
    X(open,      span,                 DURATION, DEFAULT_OPEN, TRIP_MS, SETTINGS_OPEN_MAX) /* key `for` */ \
    X(open,      multiplier,           FACTOR,   2000,         1000, 1000000) \
    X(open,      max,                  DURATION, DEFAULT_OPEN_MAX, TRIP_MS, SETTINGS_OPEN_MAX) \
    X(open,      jitter,               RATE,     DEFAULT_OPEN_JITTER, 0, 1000) \
    X(open,      forget,               DURATION, 600 * TRIP_S, 0, SETTINGS_OPEN_MAX) \
    X(half_open, permits,              COUNT,    DEFAULT_PERMITS, 1, SETTINGS_PERMITS_MAX) \
    X(half_open, successes,            COUNT,    3,            1, UINT16_MAX) \
    X(half_open, max_wait,             DURATION, DEFAULT_MAX_WAIT, TRIP_MS, SETTINGS_WAIT_MAX) \
    X(half_open, sample,               COUNT,    10,           1, UINT16_MAX) \
    X(ramp,      over,                 DURATION, 0,            0, SETTINGS_WAIT_MAX) \
    X(retry,     attempts,             COUNT,    DEFAULT_RETRY_ATTEMPTS, 1, 100) \
    X(retry,     base,                 DURATION, DEFAULT_RETRY_BASE, TRIP_MS, SETTINGS_WAIT_MAX) \
    X(retry,     multiplier,           FACTOR,   DEFAULT_RETRY_MULTIPLIER, 1000, 1000000) \
    X(retry,     max,                  DURATION, DEFAULT_RETRY_MAX, TRIP_MS, SETTINGS_WAIT_MAX) \
    X(retry,     jitter_ratio,         RATE,     DEFAULT_RETRY_JITTER, 0, 1000) \
    X(retry,     total,                DURATION, 0,            0, SETTINGS_WAIT_MAX) \
    X(budget,    ratio,                RATE,     200,          0, 1000) /* section retry.budget */ \
    X(budget,    min_per_second,       COUNT,    DEFAULT_BUDGET_PER_SECOND, 0, 100000) \
    X(hedge,     after,                DURATION, 0,            0, SETTINGS_WAIT_MAX) \
    X(hedge,     max,                  COUNT,    1,            0, 1) /* 0: off */ \
    X(concurrency, max,                COUNT,    0,            0, SETTINGS_TICKETS_MAX) \
    X(concurrency, wait,               DURATION, 0,            0, 60 * TRIP_S) \
    X(concurrency, min,                COUNT,    1,            1, SETTINGS_TICKETS_MAX) \
    X(rate,      limit,                COUNT,    0,            0, SETTINGS_RATE_MAX) \
    X(rate,      per,                  DURATION, TRIP_S,       TRIP_MS, 24 * 3600 * TRIP_S) \
    X(rate,      burst,                COUNT,    0,            0, SETTINGS_RATE_MAX) /* 0: as limit */ \
    X(throttle,  k,                    FACTOR,   0,            0, 100000) /* 0 is off; else 1.0 at least */ \
    X(priority,  sheddable_below,      RATE,     200,          0, 1000) \
    X(priority,  normal_below,         RATE,     50,           0, 1000)
/* clang-format on */

/* Settings of one `breakers:` entry. Durations in ns, rates in permille, factors in thousandths. */
struct breaker_settings {
    char match[SETTINGS_PATTERN_MAX + 1];
    uint8_t mode; /* enum trip_mode */
    struct {
        uint8_t count;
        char patterns[SETTINGS_DEPENDS_MAX][SETTINGS_PATTERN_MAX + 1]; /* of breakers that these depend on */
    } depends_on;
    struct {
        uint8_t cut_short; /* 1: calls in flight end when the breaker opens */
        uint64_t consecutive_failures, failures, failure_rate, slow_rate, slow_after, stall_after, in_flight;
    } trip;
    struct {
        uint8_t type; /* enum window_type */
        uint64_t size, span, minimum_calls;
    } window;
    struct {
        uint64_t span, multiplier, max, jitter, forget;
    } open;
    struct {
        uint8_t verdict; /* enum probe_verdict */
        uint64_t permits, successes, max_wait, sample;
    } half_open;
    struct {
        uint64_t over;
        uint16_t steps[SETTINGS_RAMP_STEPS_MAX]; /* permille, rising */
        uint32_t step_count;
    } ramp;
    struct {
        uint8_t backoff, jitter; /* enum backoff_kind, enum jitter_kind */
        uint32_t on;             /* error types to retry, a bit each */
        uint64_t attempts, base, multiplier, max, jitter_ratio, total;
    } retry;
    struct {
        uint64_t ratio, min_per_second;
    } budget;
    struct {
        uint8_t set; /* the entry has this section: hedging is on */
        uint8_t at;  /* enum hedge_at */
        uint64_t after, max;
    } hedge;
    struct {
        uint8_t adaptive; /* enum limiter_kind */
        uint64_t max, wait, min;
    } concurrency;
    struct {
        uint8_t window; /* enum rate_window */
        uint64_t limit, per, burst;
    } rate;
    struct {
        uint64_t k;
    } throttle;
    struct {
        uint64_t sheddable_below, normal_below;
    } priority;
    uint64_t forget_after;
    uint16_t fallback; /* its chain in the config's book + 1; 0: it has none */
};

/* The keys of `correlation:` in the config; kinds as above. */
/* clang-format off */
#define CORRELATION_SCALARS(X)                                                       \
    X(window, DURATION, 60 * TRIP_S, TRIP_S, 3600 * TRIP_S)                          \
    X(max_errors, COUNT, 1024, 16, SETTINGS_ERRORS_MAX)                                \
    X(high_error_rate, FACTOR, 10000, 1, UINT64_C(1000000000)) /* errors a second */ \
    X(pattern_share, RATE, 500, 0, 999)                                              \
    X(fingerprints, COUNT, 512, 16, SETTINGS_TEMPLATES_MAX)                            \
    X(cascade_window, DURATION, 5 * TRIP_S, 100 * TRIP_MS, 300 * TRIP_S)               \
    X(quiet, DURATION, 300 * TRIP_S, TRIP_S, 24 * 3600 * TRIP_S)
/* clang-format on */

struct correlation_settings {
    uint64_t window;          /* ns */
    uint64_t max_errors;      /* records that are kept */
    uint64_t high_error_rate; /* thousandths of an error a second */
    uint64_t pattern_share;   /* permille */
    uint64_t fingerprints;    /* templates of messages that are kept */
    uint64_t cascade_window;  /* ns: breakers that begin to fail within it may belong together */
    uint64_t quiet;           /* ns: then an incident is over */
};

struct correlation_settings correlation_defaults(void);

/* `levels:` of the config. */
struct levels_settings {
    uint64_t back_after; /* ns: how long each step back takes */
    uint8_t count;       /* of names: 2 at least */
    char names[LEVELS_MAX][LEVEL_NAME_MAX + 1];
};

/* An entry of `features:`. */
struct feature_settings {
    char name[TRIP_NAME_MAX + 1];
    uint64_t percent; /* permille of the keys for which it is on while it is on */
    uint8_t off_from; /* the first level that switches it off, or LEVEL_NEVER */
};

struct levels_settings levels_defaults(void);

/* Sets the contract's defaults, for match "*". */
void breaker_settings_defaults(struct breaker_settings *ret_settings);

/* Does the pattern match the name? `*` stands for any run of characters, `?` for one. */
_Bool settings_pattern_matches(const char *pattern, const char *name);

/* Is it 1 to 127 characters of letters, digits and . _ : / @ -? */
_Bool settings_name_valid(const char *name, size_t length);

#endif
