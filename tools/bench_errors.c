/* What an error costs tripd, and what it costs to ask what recent errors have in common. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/correlation.h"
#include "internal/error_rows.h"
#include "segment/segment.h"

#define NOW_NS (1000 * TRIP_S)

struct bench_errors {
    struct segment *segment;
    struct clock clock;
    struct error_record record, copy;
    uint64_t entity;
    uint64_t found;
};

static void make(struct bench_errors *errors)
{
    const struct correlation_settings settings = correlation_defaults();
    const struct segment_options options = {
        .path = "/trip-bench", .max_breakers = 64, .max_lanes = 1, .clock = &errors->clock};
    uint32_t slot;
    errors->clock = (struct clock){.ticks = TICKS_TEST, .test_now_ns = NOW_NS};
    int error = segment_create_private(&options, &errors->segment);
    if (error == 0)
        error = segment_reserve(errors->segment, 64);
    if (error == 0)
        error = segment_take(errors->segment, "payments/db", 0, &slot);
    if (error == 0)
        error = segment_correlation_publish(errors->segment, &settings);
    if (error < 0)
        bench_fail("a segment", error);
    errors->record = (struct error_record){.type = TRIP_ERROR_TIMEOUT, .times = 1, .breaker = slot};
    strcpy(errors->record.message, "no answer from 10.0.0.5:5432 in 1000 ms");
    strcpy(errors->record.correlation, "3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    errors->entity = error_entity(ERROR_SCOPE_HOST, "", 0);
}

/* Fills every place of the table with rows of other entities. */
static void fill(const struct bench_errors *errors)
{
    char name[32];
    for (unsigned i = 0; i < 4 * ERROR_ROWS; i++) {
        snprintf(name, sizeof(name), "other/%u", i);
        const uint64_t key = error_row_key(error_entity(ERROR_SCOPE_BREAKER, name, strlen(name)), TRIP_ERROR_NETWORK);
        for (uint32_t probe = 0; probe < ERROR_ROW_PROBES; probe++) {
            struct error_row *const row = &errors->segment->error_rows[error_row_place(key, probe)];
            if (row->key)
                continue;
            row->key = key;
            error_row_add(row, errors->segment->correlation->window_ns, NOW_NS, 1);
            break;
        }
    }
}

static void copy_record(void *context, uint64_t times)
{
    struct bench_errors *const errors = context;
    for (uint64_t i = 0; i < times; i++) {
        memcpy(&errors->copy, &errors->record, sizeof(errors->copy));
        __asm__ volatile("" : : "r"(&errors->copy) : "memory");
    }
}

/* Does with a record what breakers_error_told does. */
static void take_error(void *context, uint64_t times)
{
    struct bench_errors *const errors = context;
    for (uint64_t i = 0; i < times; i++) {
        struct error_record *const record = &errors->record;
        segment_errors_count(errors->segment, record->breaker, (trip_error_type)record->type, NOW_NS, 1, NOW_NS);
        segment_error(errors->segment, record);
        segment_detail_error(errors->segment, record->breaker, record);
    }
}

static void nothing(void *context, uint64_t times)
{
    (void)context;
    for (uint64_t i = 0; i < times; i++)
        __asm__ volatile("");
}

static void analyze(void *context, uint64_t times)
{
    struct bench_errors *const errors = context;
    const struct correlation_settings settings = correlation_defaults();
    for (uint64_t i = 0; i < times; i++)
        errors->found += correlation_of_entity(errors->segment->error_rows, errors->entity, &settings, NOW_NS).errors;
}

void bench_errors(void)
{
    static struct bench_errors errors;
    double bound_ns, path_ns;
    make(&errors);
    bench_compare(copy_record, take_error, &errors, &bound_ns, &path_ns);
    bench_report_ns("error_record", path_ns, "a copy of a record", bound_ns, "<= 200 ns", 200);
    fill(&errors);
    bench_compare(nothing, analyze, &errors, &bound_ns, &path_ns);
    bench_report_ns("analyze_read", path_ns, "nothing", 0, "<= 20 us", 20000);
    if (errors.found == 0)
        bench_fail("the errors were not found", ENOENT);
    segment_unmap(errors.segment);
}
