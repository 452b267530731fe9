/* Records of errors as hostile memory: an input is a record's bytes, as a client may write them into its lane. tripd
 * drains it, keeps it in the segment, and it is reported. Whatever was written, each error is counted once by its type,
 * its record is there, and what is reported of it is UTF-8 in which nothing moves a terminal, within the bounds of
 * trip.h. */
#include <assert.h>
#include <stdlib.h>

#include "breakers_host.h"
#include "fuzz.h"
#include "internal/printable.h"
#include "protocol/report_errors.h"

static struct host *host;
static struct client client;
static uint32_t slot, meter;

static void start(void)
{
    host = host_start("breakers: [{match: \"*\", trip: {consecutive_failures: 0, failure_rate: 0%}}]", 2);
    slot = host_breaker(host, "payments/db");
    client_start(host, &client, 101);
    meter = client_meter(host, &client, slot);
    breakers_drain_all(host->breakers);
}

static void check_text(const json_t *text, size_t most)
{
    if (json_is_null(text))
        return;
    assert(json_is_string(text)); /* jansson takes no text that is not UTF-8 */
    assert(json_string_length(text) <= most);
    assert(printable_all(json_string_value(text), json_string_length(text)));
}

static void check_context(const json_t *context)
{
    size_t pairs = 0, bytes = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)context, key, value)
    {
        assert(printable_all(key, strlen(key)));
        check_text(value, TRIP_ERROR_CONTEXT_MAX);
        bytes += strlen(key) + json_string_length(value) + 2;
        pairs++;
    }
    assert(pairs <= TRIP_ERROR_PAIRS_MAX && bytes <= TRIP_ERROR_CONTEXT_MAX);
}

static void check_report(const struct error_record *record)
{
    json_t *const report = report_error(record);
    assert(report);
    check_text(json_object_get(report, "message"), TRIP_ERROR_MESSAGE_MAX);
    check_text(json_object_get(report, "correlation"), TRIP_ERROR_ID_MAX);
    check_text(json_object_get(report, "trace"), TRIP_ERROR_ID_MAX);
    check_text(json_object_get(report, "span"), ERROR_SPAN_MAX);
    check_text(json_object_get(report, "session"), TRIP_ERROR_ID_MAX);
    check_context(json_object_get(report, "context"));
    char *const text = json_dumps(report, JSON_COMPACT);
    assert(text && printable_all(text, strlen(text)));
    free(text);
    json_decref(report);
}

/* A traceparent is taken apart into trace and span, which are hexadecimal then. */
static void check_span(const struct error_record *record)
{
    if (record->span[0] == '\0')
        return;
    assert(strlen(record->trace) == 32 && strspn(record->trace, "0123456789abcdefABCDEF") == 32);
    assert(strlen(record->span) == 16 && strspn(record->span, "0123456789abcdefABCDEF") == 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lane_error told = {0};
    struct error_record record;
    if (!host)
        start();
    memcpy((uint8_t *)&told + sizeof(told.stamp), data, at_most(size, sizeof(told) - sizeof(told.stamp)));
    const unsigned type = told.type < TRIP_ERROR_TYPE_COUNT ? told.type : TRIP_ERROR_UNKNOWN;
    const uint64_t counted = host_head(host, slot)->totals.errors[type];
    const uint64_t sequence = host->segment->correlation->next;
    writer_error_record(&client.writer, meter, &told);
    writer_errors(&client.writer, meter, (trip_error_type)type, 1);
    breakers_drain_all(host->breakers);
    assert(host_head(host, slot)->totals.errors[type] == counted + 1);
    assert(segment_error_after(host->segment, sequence, &record));
    assert(record.sequence == sequence + 1 && record.type == type && record.times == 1);
    check_report(&record);
    check_span(&record);
    return 0;
}
