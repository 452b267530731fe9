#include "breakers/errors.h"

#include <ctype.h>
#include <string.h>

#include "internal/error_records.h"
#include "log.h"

/* ---------------------------------------------------------------------------------------------------------- traces */

#define TRACEPARENT_SIZE 55 /* 00-32 digits of trace-16 digits of span-01: W3C Trace Context, version 00 */
#define TRACE_DIGITS     32

static bool hexadecimal(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

static bool is_traceparent(const char *text)
{
    return strlen(text) == TRACEPARENT_SIZE && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
           hexadecimal(text, 2) && hexadecimal(text + 3, TRACE_DIGITS) && hexadecimal(text + 36, ERROR_SPAN_MAX) &&
           hexadecimal(text + 53, 2);
}

static void take_apart(struct error_record *record)
{
    if (!is_traceparent(record->trace))
        return;
    memcpy(record->span, record->trace + 36, ERROR_SPAN_MAX);
    memmove(record->trace, record->trace + 3, TRACE_DIGITS);
    memset(record->trace + TRACE_DIGITS, 0, sizeof(record->trace) - TRACE_DIGITS);
}

/* ----------------------------------------------------------------------------------------------------------- texts */

/* Copies a text up to its first NUL, and zeros behind it: the lane's bytes are hostile. */
static void take_text(char *to, const char *from, size_t size)
{
    const size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    memset(to + length, 0, size - length);
}

/* Copies the pairs that are whole. */
static void take_context(struct error_record *record, const struct lane_error *told)
{
    const char *key, *value;
    size_t used = 0;
    while (record->pairs < told->pairs && record->pairs < TRIP_ERROR_PAIRS_MAX &&
           error_context_next(told->context, sizeof(told->context), &used, &key, &value))
        record->pairs++;
    memcpy(record->context, told->context, used);
}

static void take_record(struct error_record *record, const struct lane_error *told)
{
    record->latency_ns = told->latency_ns;
    record->outside = told->outside != 0;
    record->cut = told->cut;
    take_text(record->message, told->message, sizeof(record->message));
    take_text(record->correlation, told->correlation, sizeof(record->correlation));
    take_text(record->trace, told->trace, sizeof(record->trace));
    take_text(record->session, told->session, sizeof(record->session));
    take_context(record, told);
    take_apart(record);
}

/* --------------------------------------------------------------------------------------------------------- keeping */

/* Names the latest error in the details, whichever process was drained first. */
static void note_latest(struct breakers *breakers, uint32_t slot, const struct error_record *record, uint64_t at_ns)
{
    struct breaker *const breaker = &breakers->table[slot];
    if (at_ns < breaker->error_ns)
        return;
    breaker->error_ns = at_ns;
    segment_detail_error(breakers->segment, slot, record);
}

static void keep(struct breakers *breakers, uint32_t slot, struct error_record *record, uint64_t at_ns)
{
    record->breaker = slot;
    record->at_ms = at_ns / 1000000;
    segment_errors_count(breakers->segment, slot, (trip_error_type)record->type, at_ns, record->times,
                         breakers->now_ns);
    segment_error(breakers->segment, record);
    note_latest(breakers, slot, record, at_ns);
}

static void of_process(struct error_record *record, const struct lane *lane)
{
    record->pid = (uint32_t)lane_pid(lane);
    record->uid = lane_uid(lane);
}

/* Traces an error that no call had. Errors of calls are traced with the calls' outcomes. */
static void trace_outside(const struct breakers *breakers, const struct drain_error *error)
{
    const struct traced step = {
        .op = TRACED_ERROR, .at_ms = error->at_ns / 1000000, .error = error->type, .n = error->n};
    if (tracer_wanted(breakers->drain->tracer))
        tracer_step(breakers->drain->tracer, segment_name(breakers->segment, error->slot), &step);
}

void breakers_error_told(void *context, const struct drain_error *error)
{
    struct breakers *const breakers = context;
    struct error_record record = {.type = (uint8_t)error->type,
                                  .times = error->n < UINT32_MAX ? (uint32_t)error->n : UINT32_MAX};
    of_process(&record, error->meter->lane->lane);
    if (error->record)
        take_record(&record, error->record);
    if (record.outside)
        trace_outside(breakers, error);
    keep(breakers, error->slot, &record, error->at_ns);
}

void breakers_error_stalled(struct breakers *breakers, uint32_t slot, const struct lane *lane)
{
    struct error_record record = {.type = TRIP_ERROR_TIMEOUT, .times = 1};
    strcpy(record.message, "stalled: in flight for longer than stall_after");
    of_process(&record, lane);
    keep(breakers, slot, &record, breakers->now_ns);
}

void breakers_correlate(struct breakers *breakers, const struct config *config)
{
    const int error = segment_correlation_publish(breakers->segment, &config->correlation);
    if (error < 0)
        log_warning("correlation: no memory for %llu error records: %s; the settings of before stay in force",
                    (unsigned long long)config->correlation.max_errors, strerror(-error));
}
