#include "core/correlation.h"

#include "internal/error_rows.h"

/* Ten at least, so that the numbers of a window's sub-buckets do not run below 0. */
static uint32_t bucket_of(uint64_t window_ns, uint64_t at_ns)
{
    return (uint32_t)(at_ns / (window_ns / ERROR_ROW_BUCKETS)) + ERROR_ROW_BUCKETS;
}

/* The distance from bucket `from` to bucket `to`; modular, as the numbers are. */
static int32_t ahead(uint32_t to, uint32_t from)
{
    return (int32_t)(to - from);
}

static void advance(struct error_row *row, uint32_t bucket)
{
    const int32_t steps = ahead(bucket, row->bucket);
    for (int32_t step = 1; step <= steps && step <= ERROR_ROW_BUCKETS; step++)
        row->counts[(row->bucket + (uint32_t)step) % ERROR_ROW_BUCKETS] = 0;
    if (steps > 0)
        row->bucket = bucket;
}

void error_row_add(struct error_row *row, uint64_t window_ns, uint64_t at_ns, uint64_t n)
{
    const uint32_t bucket = bucket_of(window_ns, at_ns);
    advance(row, bucket);
    if (ahead(row->bucket, bucket) >= ERROR_ROW_BUCKETS)
        return;
    uint32_t *const count = &row->counts[bucket % ERROR_ROW_BUCKETS];
    *count = n < UINT32_MAX - *count ? *count + (uint32_t)n : UINT32_MAX;
    if (at_ns > row->latest_ns)
        row->latest_ns = at_ns;
}

uint64_t error_row_sum(const struct error_row *row, uint64_t window_ns, uint64_t now_ns)
{
    const uint32_t now = bucket_of(window_ns, now_ns);
    uint64_t sum = 0;
    for (uint32_t age = 0; age < ERROR_ROW_BUCKETS; age++) {
        const uint32_t bucket = row->bucket - age;
        if (ahead(now, bucket) < ERROR_ROW_BUCKETS)
            sum += row->counts[bucket % ERROR_ROW_BUCKETS];
    }
    return sum;
}

static trip_error_type most_common(const struct correlation_sums *sums)
{
    unsigned most = 0;
    for (unsigned type = 1; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (sums->counts[type] > sums->counts[most] ||
            (sums->counts[type] == sums->counts[most] && sums->latest_ns[type] > sums->latest_ns[most]))
            most = type;
    return (trip_error_type)most;
}

struct analysis correlation_analyse(const struct correlation_sums *sums, const struct correlation_settings *settings)
{
    struct analysis analysis = {.kind = ANALYSIS_NORMAL_OPERATION, .type = most_common(sums)};
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        analysis.errors += sums->counts[type];
    analysis.type_errors = sums->counts[analysis.type];
    /* The product of errors, thousandths and nanoseconds may exceed 64 bits, so the rate is a double. */
    const double rate = (double)analysis.errors * 1e12 / (double)settings->window;
    analysis.rate_milli = (uint64_t)rate;
    if (analysis.errors == 0)
        analysis.kind = ANALYSIS_NO_ERRORS;
    else if (rate > (double)settings->high_error_rate)
        analysis.kind = ANALYSIS_HIGH_ERROR_RATE;
    else if (analysis.type_errors * 1000 > analysis.errors * settings->pattern_share)
        analysis.kind = ANALYSIS_PATTERN_DETECTED;
    return analysis;
}

struct analysis correlation_of_entity(const struct error_row *rows, uint64_t entity,
                                      const struct correlation_settings *settings, uint64_t now_ns)
{
    struct correlation_sums sums = {0};
    struct error_row row;
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++) {
        if (!error_row_find(rows, error_row_key(entity, (trip_error_type)type), &row))
            continue;
        sums.counts[type] = error_row_sum(&row, settings->window, now_ns);
        sums.latest_ns[type] = row.latest_ns;
    }
    return correlation_analyse(&sums, settings);
}
