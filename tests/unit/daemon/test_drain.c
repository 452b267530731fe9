/* From lanes into a breaker's window and totals: in order, each once, whatever a lane claims and wherever tripd is
 * killed. The order shows in a count window of few calls: it remembers the last ones alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "../../support/store_kill.h"
#include "internal/error_rows.h"

#define QUIET    "trip: {consecutive_failures: 0, failure_rate: 0%}"
#define LAST_SIX QUIET ", window: {size: 6}"

static struct host *host;
static struct client client, other;
static uint32_t slot, meter, other_meter;

static void start(const char *settings)
{
    host = host_start_by(host_settings(settings), 4);
    slot = host_breaker(host, "db");
    client_start(host, &client, 101);
    client_start(host, &other, 102);
    meter = client_meter(host, &client, slot);
    other_meter = client_meter(host, &other, slot);
    breakers_drain_all(host->breakers);
}

static int stop(void **state)
{
    (void)state;
    client_free(&client);
    client_free(&other);
    host_stop(host);
    return 0;
}

static uint32_t epoch(void)
{
    return word_epoch(host_word(host, slot));
}

static struct meter *line(void)
{
    return lane_meter_at(client.writer.memory, meter);
}

static uint64_t window_failures(void)
{
    return host_head(host, slot)->window_failures;
}

static uint64_t window_calls(void)
{
    return host_head(host, slot)->window_calls;
}

/* ----------------------------------------------------------------------------------------------------------- order */

static void test_the_window_holds_the_last_calls_in_their_order(void **state)
{
    (void)state;
    start(LAST_SIX);
    client_reports(host, &client, meter, slot, "FFFSSSSF"); /* F S S S S F are the last six */
    breakers_rung(host->breakers);
    assert_int_equal(window_failures(), 2);
    client_reports(host, &client, meter, slot, "SSSFSS"); /* one after the other replaced */
    breakers_drain_all(host->breakers);
    assert_int_equal(window_failures(), 1);
}

static void test_lanes_fall_into_one_order_by_time(void **state)
{
    (void)state;
    start(LAST_SIX);
    host_sleep(host, 10);
    client_reports(host, &client, meter, slot, "FFF");
    host_sleep(host, 10);
    client_reports(host, &other, other_meter, slot, "sssss");
    host_sleep(host, 10);
    client_reports(host, &client, meter, slot, "F");
    breakers_rung(host->breakers); /* F F F s s s s s F */
    assert_int_equal(window_failures(), 1);
    assert_int_equal(host_head(host, slot)->window_slow, 5);
}

static void test_counted_successes_fall_between_other_lanes_events_in_proportion(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 4}");
    client_reports(host, &client, meter, slot, "F");
    breakers_rung(host->breakers);
    writer_ok(&other.writer, other_meter, epoch(), 6); /* spread over the 60 ms to come */
    host_sleep(host, 20);
    client_reports(host, &client, meter, slot, "F"); /* 2 before it */
    host_sleep(host, 20);
    client_reports(host, &client, meter, slot, "F"); /* 2 between */
    host_sleep(host, 20);
    breakers_drain_all(host->breakers); /* 2 after: F S S F S S F S S */
    assert_int_equal(window_calls(), 4);
    assert_int_equal(window_failures(), 1);
}

static void test_a_success_after_an_untold_failure_waits_for_it(void **state)
{
    (void)state;
    start(LAST_SIX);
    writer_count(&client.writer, meter, epoch(), TRIP_FAILURE, false); /* counted, and not yet told */
    writer_ok(&client.writer, meter, epoch(), 2);
    breakers_drain_all(host->breakers);
    assert_int_equal(window_calls(), 0);
    assert_int_equal(host_head(host, slot)->totals.calls, 3); /* totals wait for nothing */
    /* The event's count is from before the two calls, as a preempted thread tells it. */
    line()->ok = evidence_make(epoch(), 0);
    writer_tell(&client.writer, meter, epoch(), TRIP_FAILURE, false, 0, 0);
    line()->ok = evidence_make(epoch(), 2);
    writer_ok(&client.writer, meter, epoch(), 4);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    assert_int_equal(window_calls(), 6);
    assert_int_equal(window_failures(), 0); /* F S S S S S S */
}

static void test_a_failure_that_is_never_told_is_counted_after_100_ms(void **state)
{
    (void)state;
    start(LAST_SIX);
    writer_count(&client.writer, meter, epoch(), TRIP_FAILURE, false);
    writer_ok(&client.writer, meter, epoch(), 2);
    breakers_drain_all(host->breakers);
    host_sleep(host, 99);
    breakers_drain_all(host->breakers);
    assert_int_equal(window_calls(), 0);
    host_sleep(host, 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(window_calls(), 3);
    assert_int_equal(window_failures(), 1);
    writer_tell(&client.writer, meter, epoch(), TRIP_FAILURE, false, 0, 0); /* too late: counted already */
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    assert_int_equal(window_calls(), 3);
}

/* ------------------------------------------------------------------------------------------ a worker that was away */

#define ONE_SECOND "trip: {consecutive_failures: 0, failure_rate: 50%}, window: {type: time, for: 1s, minimum_calls: 5}"

static void report_each(uint64_t ms, unsigned times, const char *outcomes)
{
    for (unsigned i = 0; i < times; i++) {
        host_sleep(host, ms);
        client_reports(host, &client, meter, slot, outcomes);
    }
}

static void test_an_outage_longer_than_the_window_trips_when_the_worker_is_back(void **state)
{
    (void)state;
    start(ONE_SECOND);
    report_each(50, 60, "F");
    breakers_rung(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    assert_int_equal(host->moves[0].reason, TRIP_REASON_FAILURE_RATE);
}

static void test_an_outage_that_is_over_when_the_worker_is_back_trips_nothing(void **state)
{
    (void)state;
    start(ONE_SECOND);
    report_each(50, 20, "F");
    report_each(50, 40, "s");
    breakers_rung(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
    assert_in_range(window_calls(), 18, 20); /* and what came after it counts */
    assert_int_equal(window_failures(), 0);
}

/* The rest of the window begins with failures; when they came, there were enough successes before them. */
static void test_successes_forgotten_since_still_counted_beside_the_failures_of_their_time(void **state)
{
    (void)state;
    start(ONE_SECOND);
    report_each(50, 10, "ssssssssss");
    report_each(50, 10, "F");
    report_each(50, 10, "ssssssssss"); /* the failures are the oldest calls that the window remembers now */
    breakers_rung(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
    assert_int_equal(window_failures(), 9);
    assert_in_range(window_calls(), 100, 109);
}

/* ----------------------------------------------------------------------------------------------------------- rings */

static void test_events_that_found_no_room_are_counted(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 4000}");
    for (unsigned i = 0; i < 2000; i++)
        client_reports(host, &client, meter, slot, i % 4 ? "F" : "S");
    breakers_rung(host->breakers);
    assert_int_equal(window_calls(), 2000);
    assert_int_equal(window_failures(), 1500);
    assert_int_equal(host_head(host, slot)->totals.failures, 1500);
    client_reports(host, &client, meter, slot, "F"); /* there is room again */
    breakers_rung(host->breakers);
    assert_int_equal(window_failures(), 1501);
}

/* tripd was away: each 20th call failed, and of the 1,000 failures 512 found a place in the ring. */
static void test_failures_that_found_no_room_are_no_streak_of_failures(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, window: {size: 100}");
    for (unsigned i = 0; i < 20000; i++)
        client_reports(host, &client, meter, slot, i % 20 ? "S" : "F");
    host_sleep(host, 1000);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
    assert_int_equal(window_calls(), 100);
    assert_in_range(window_failures(), 4, 8);
    assert_int_equal(host_head(host, slot)->totals.failures, 1000);
    assert_int_equal(host_head(host, slot)->totals.calls, 20000);
}

/* Half-open counts each outcome, whatever a window would remember. */
static void test_a_verdict_over_probes_forgets_none_of_them(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 40%}, window: {size: 1, minimum_calls: 1}, "
          "half_open: {permits: 20, verdict: rate, sample: 20}");
    breakers_trip(host->breakers, slot, 1, &(struct breakers_actor){.by = BY_OPERATOR});
    host_advance(host, 1);
    for (unsigned i = 0; i < 16; i++)
        writer_count(&client.writer, meter, epoch(), i % 4 ? TRIP_OK : TRIP_FAILURE, false);
    breakers_drain_all(host->breakers);
    host_sleep(host, 100); /* never told: counted now */
    breakers_drain_all(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_HALF_OPEN);
    assert_int_equal(host_head(host, slot)->probe_ok, 12);
    assert_int_equal(host_head(host, slot)->probe_failures, 4);
}

static void test_a_place_that_was_taken_and_never_written_blocks_until_the_ring_is_full(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 4000}");
    lane_section_at(client.writer.memory, 1)->head++; /* its thread was stopped here */
    client_reports(host, &client, meter, slot, "FFF");
    breakers_rung(host->breakers);
    assert_int_equal(window_calls(), 0);
    breakers_drain_all(host->breakers);
    assert_int_equal(window_calls(), 0);
    assert_int_equal(host_head(host, slot)->totals.calls, 3);
    for (unsigned i = 0; i < 600; i++)
        client_reports(host, &client, meter, slot, "F");
    breakers_rung(host->breakers);
    assert_int_equal(window_calls(), 603);
    client_reports(host, &client, meter, slot, "FF");
    breakers_rung(host->breakers);
    assert_int_equal(window_calls(), 605);
}

static void test_a_dead_client_s_last_counts_are_taken_as_they_are(void **state)
{
    (void)state;
    start(LAST_SIX);
    writer_count(&client.writer, meter, epoch(), TRIP_FAILURE, false); /* killed before it told */
    writer_ok(&other.writer, other_meter, epoch(), 1);
    client_die(host, &client);
    assert_int_equal(window_failures(), 1);
    assert_int_equal(host_head(host, slot)->totals.failures, 1);
    assert_int_equal(line()->marks.total_failures, 1);
}

/* libtrip opens before it tells: tripd, awake at that moment, finds the failure in the counters alone. */
static void test_the_failure_that_opened_is_in_the_window_though_not_told_yet(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 3, failure_rate: 0%}");
    client_reports(host, &client, meter, slot, "FF");
    breakers_rung(host->breakers);
    const uint32_t closed_epoch = epoch();
    writer_count(&client.writer, meter, closed_epoch, TRIP_FAILURE, false);
    client_streak(host, slot, closed_epoch, true);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    assert_int_equal(window_failures(), 3);
    writer_tell(&client.writer, meter, closed_epoch, TRIP_FAILURE, false, 0, TRIP_ERROR_NETWORK);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    assert_int_equal(window_failures(), 3);
    assert_int_equal(host_head(host, slot)->totals.failures, 3);
}

/* Each new commons moves the epochs on by a quarter of their range. A word that never counted, or counted last in an
 * earlier commons, is as far ahead as behind. */
static void test_old_evidence_is_never_taken_for_a_later_epoch_s(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 100}");
    client_reports(host, &client, meter, slot, "FfF");
    breakers_rung(host->breakers);
    struct client both[] = {client, other};
    for (unsigned restart = 1; restart <= 9; restart++) {
        host_kill_both(host, both, 2);
        client = both[0];
        other = both[1];
        breakers_reset(host->breakers, slot, &(struct breakers_actor){.by = BY_OPERATOR});
        writer_ok(&client.writer, meter, epoch(), 20);
        writer_ok(&other.writer, other_meter, epoch(), 20); /* it has never failed */
        breakers_drain_all(host->breakers);
        assert_int_equal(window_calls(), 40);
        assert_int_equal(window_failures(), 0);
    }
    client_die(host, &client);
    client_die(host, &other);
    assert_int_equal(window_calls(), 40);
    assert_int_equal(window_failures(), 0);
    assert_int_equal(host_head(host, slot)->window_slow, 0);
    assert_int_equal(host_head(host, slot)->totals.failures, 3);
}

static const struct error_record *record_at(uint64_t index)
{
    return &host->segment->errors[index % host->segment->header->error_records];
}

static void fail_with(trip_error_type type, const char *message)
{
    struct lane_error text = {.type = (uint8_t)type, .ticks = host->clock.test_now_ns};
    writer_count(&client.writer, meter, epoch(), TRIP_FAILURE, false);
    if (message) {
        snprintf(text.message, sizeof(text.message), "%s", message);
        writer_error_record(&client.writer, meter, &text);
    }
    writer_errors(&client.writer, meter, type, 1);
    writer_tell(&client.writer, meter, epoch(), TRIP_FAILURE, false, host->clock.test_now_ns, (uint32_t)type);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
}

static void test_an_error_is_counted_by_its_type_recorded_and_named_in_the_details(void **state)
{
    (void)state;
    start(QUIET);
    fail_with(TRIP_ERROR_NETWORK, "connection refused");
    assert_int_equal(host_head(host, slot)->totals.errors[TRIP_ERROR_NETWORK], 1);
    assert_int_equal(host->segment->correlation->next, 1);
    assert_string_equal(record_at(0)->message, "connection refused");
    assert_int_equal(record_at(0)->type, TRIP_ERROR_NETWORK);
    assert_int_equal(record_at(0)->times, 1);
    assert_int_equal(record_at(0)->breaker, slot);
    assert_string_equal(record_at(0)->name, segment_name(host->segment, slot));
    assert_int_equal(host->segment->details[slot].error_type, TRIP_ERROR_NETWORK);
    assert_string_equal(host->segment->details[slot].error_message, "connection refused");
    assert_int_equal(host->segment->details[slot].error_sequence, 1);
}

static void test_errors_without_a_text_are_one_record_that_says_how_many(void **state)
{
    (void)state;
    start(QUIET);
    writer_errors(&client.writer, meter, TRIP_ERROR_TIMEOUT, 37);
    writer_errors(&client.writer, meter, TRIP_ERROR_INTERNAL, 2);
    client_mark_dirty(host, &client);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.errors[TRIP_ERROR_TIMEOUT], 37);
    assert_int_equal(host_head(host, slot)->totals.errors[TRIP_ERROR_INTERNAL], 2);
    assert_int_equal(host_head(host, slot)->totals.calls, 0); /* no evidence, and no call */
    assert_int_equal(host->segment->correlation->next, 2);
    assert_int_equal(record_at(0)->type, TRIP_ERROR_TIMEOUT);
    assert_int_equal(record_at(0)->times, 37);
    assert_int_equal(record_at(1)->times, 2);
}

static void test_an_error_that_is_being_written_is_read_once_it_is_whole(void **state)
{
    (void)state;
    start(QUIET);
    const struct lane_error text = {.type = TRIP_ERROR_NETWORK, .message = "whole"};
    writer_error_record(&client.writer, meter, &text);
    struct lane_error *const record = lane_error_at(client.writer.memory, 1, 0);
    record->stamp = LANE_ERROR_WRITING;
    writer_errors(&client.writer, meter, TRIP_ERROR_NETWORK, 1);
    client_mark_dirty(host, &client);
    breakers_drain_all(host->breakers);
    assert_int_equal(host->segment->correlation->next, 1);
    assert_string_equal(record_at(0)->message, "");
    record->stamp = 1;
    writer_errors(&client.writer, meter, TRIP_ERROR_NETWORK, 1);
    client_mark_dirty(host, &client);
    breakers_drain_all(host->breakers);
    assert_int_equal(host->segment->correlation->next, 2);
    assert_string_equal(record_at(1)->message, "whole");
    assert_int_equal(record_at(1)->times, 1);
}

static void test_records_that_were_overwritten_are_counted_and_their_errors_too(void **state)
{
    (void)state;
    start(QUIET);
    for (unsigned i = 0; i < LANE_ERRORS + 4; i++) {
        const struct lane_error text = {.type = TRIP_ERROR_PROTOCOL, .message = {(char)('a' + i)}};
        writer_error_record(&client.writer, meter, &text);
        writer_errors(&client.writer, meter, TRIP_ERROR_PROTOCOL, 1);
    }
    client_mark_dirty(host, &client);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.errors[TRIP_ERROR_PROTOCOL], 20);
    assert_int_equal(host->segment->correlation->untexted, 4);
    assert_int_equal(host->segment->correlation->next, 17); /* the 16 that were there, and one for the other 4 */
    assert_string_equal(record_at(0)->message, "e");
    assert_string_equal(record_at(15)->message, "t");
    assert_int_equal(record_at(16)->times, 4);
}

static void test_a_traceparent_is_taken_apart_and_hostile_texts_end_where_their_place_ends(void **state)
{
    (void)state;
    start(QUIET);
    struct lane_error text = {.type = 200, .pairs = 255, .cut = 255};
    strcpy(text.trace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    memset(text.message, 'x', sizeof(text.message));
    memset(text.context, 'y', sizeof(text.context));
    memcpy(text.context, "table\0orders\0half", sizeof("table\0orders\0half") - 1);
    writer_error_record(&client.writer, meter, &text);
    writer_errors(&client.writer, meter, TRIP_ERROR_UNKNOWN, 1);
    client_mark_dirty(host, &client);
    breakers_drain_all(host->breakers);
    assert_int_equal(record_at(0)->type, TRIP_ERROR_UNKNOWN);
    assert_string_equal(record_at(0)->trace, "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(record_at(0)->span, "b7ad6b7169203331");
    assert_int_equal(strlen(record_at(0)->message), TRIP_ERROR_MESSAGE_MAX);
    assert_int_equal(record_at(0)->pairs, 1);
    assert_string_equal(record_at(0)->context, "table");
    assert_string_equal(record_at(0)->context + 6, "orders");
    assert_int_equal(record_at(0)->context[13], 0);
}

static void test_errors_are_counted_once_for_host_group_and_breaker(void **state)
{
    (void)state;
    start(QUIET);
    for (unsigned i = 0; i < 3; i++)
        fail_with(TRIP_ERROR_NETWORK, NULL);
    const char *const name = segment_name(host->segment, slot);
    const struct correlation_settings settings = correlation_defaults();
    const uint64_t now_ns = host->clock.test_now_ns;
    const struct analysis whole = correlation_of_entity(host->segment->error_rows,
                                                        error_entity(ERROR_SCOPE_HOST, "", 0), &settings, now_ns),
                          own = correlation_of_entity(host->segment->error_rows,
                                                      error_entity(ERROR_SCOPE_BREAKER, name, strlen(name)), &settings,
                                                      now_ns);
    assert_int_equal(whole.errors, 3);
    assert_int_equal(own.errors, 3);
    assert_int_equal(own.kind, ANALYSIS_PATTERN_DETECTED);
    assert_int_equal(host->segment->correlation->uncounted, 0);
}

static void test_local_rejections_are_counted_once_by_kind(void **state)
{
    (void)state;
    start(QUIET);
    line()->denied[denial_of(TRIP_DENY_CONCURRENCY)] = 1;
    line()->denied[denial_of(TRIP_DENY_RATE)] = 20;
    line()->denied[denial_of(TRIP_DENY_SHED)] = 300;
    lane_meter_at(other.writer.memory, other_meter)->denied[denial_of(TRIP_DENY_DEADLINE)] = 4000;
    for (unsigned times = 0; times < 2; times++) {
        breakers_drain_all(host->breakers);
        const uint64_t *const denied = host_head(host, slot)->totals.denied;
        assert_int_equal(denied[denial_of(TRIP_DENY_CONCURRENCY)], 1);
        assert_int_equal(denied[denial_of(TRIP_DENY_RATE)], 20);
        assert_int_equal(denied[denial_of(TRIP_DENY_SHED)], 300);
        assert_int_equal(denied[denial_of(TRIP_DENY_DEADLINE)], 4000);
    }
    line()->denied[denial_of(TRIP_DENY_RATE)] = 19; /* backwards: nothing */
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.denied[denial_of(TRIP_DENY_RATE)], 20);
    assert_int_equal(host_head(host, slot)->totals.calls, 0);
    assert_int_equal(window_calls(), 0);
}

static uint64_t shown_latency(uint64_t latency_ns)
{
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(host->segment, slot, counts);
    return counts[latency_bucket(latency_ns)];
}

static void test_latencies_are_summed_over_lanes_that_come_and_go(void **state)
{
    (void)state;
    start(QUIET);
    writer_latency(&client.writer, meter, 50, 10);
    writer_latency(&client.writer, meter, 20000000, 1);
    writer_latency(&other.writer, other_meter, 50, 5);
    writer_ok(&client.writer, meter, epoch(), 10);
    writer_ok(&other.writer, other_meter, epoch(), 5);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown_latency(50), 15);
    assert_int_equal(shown_latency(20000000), 1);
    client_die(host, &other);
    writer_latency(&client.writer, meter, 50, 1);
    writer_ok(&client.writer, meter, epoch(), 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown_latency(50), 16);
    assert_int_equal(shown_latency(20000000), 1);
}

static void test_latencies_of_two_meters_of_a_process_are_summed(void **state)
{
    (void)state;
    start(QUIET);
    const uint32_t shared = writer_meter(&client.writer, slot, segment_incarnation(host->segment, slot), 0);
    assert_true(shared != meter);
    writer_latency(&client.writer, meter, 1000, 3);
    writer_latency(&client.writer, shared, 1000, 4);
    writer_ok(&client.writer, meter, epoch(), 3);
    writer_ok(&client.writer, shared, epoch(), 4);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown_latency(1000), host_head(host, slot)->totals.ok);
}

static void test_latencies_that_came_while_no_worker_was_there_are_in_no_group_twice(void **state)
{
    (void)state;
    start(QUIET);
    writer_latency(&client.writer, meter, 1000, 3);
    writer_ok(&client.writer, meter, epoch(), 3);
    breakers_drain_all(host->breakers);
    for (unsigned i = 0; i < 3; i++) {
        host_kill(host, (struct client[]){client, other}, 2);
        writer_latency(&client.writer, meter, 1000, 1);
        writer_latency(&client.writer, meter, UINT64_C(1000000) << i * 4, 1); /* a group that it had none of */
        writer_ok(&client.writer, meter, epoch(), 2);
        breakers_drain_all(host->breakers);
    }
    assert_int_equal(shown_latency(1000), 6);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(shown_latency(UINT64_C(1000000) << i * 4), 1);
}

static void test_a_latency_counter_that_wraps_counts_on(void **state)
{
    (void)state;
    start(QUIET);
    writer_latency(&client.writer, meter, 1000, UINT32_MAX);
    writer_ok(&client.writer, meter, epoch(), 1);
    breakers_drain_all(host->breakers);
    writer_latency(&client.writer, meter, 1000, 3);
    writer_ok(&client.writer, meter, epoch(), 3);
    breakers_drain_all(host->breakers);
    assert_int_equal(lane_latency(client.writer.memory, meter, latency_bucket(1000)), 2);
    assert_int_equal(shown_latency(1000), UINT64_C(4294967298));
}

static void test_latencies_of_a_forgotten_breaker_are_not_the_next_one_s(void **state)
{
    (void)state;
    start(QUIET);
    writer_latency(&client.writer, meter, 1000, 3);
    writer_ok(&client.writer, meter, epoch(), 3);
    breakers_drain_all(host->breakers);
    writer_latency(&client.writer, meter, 1000, 2);
    writer_ok(&client.writer, meter, epoch(), 2);
    const uint32_t next = host_breaker(host, "cache");
    lane_meter_at(client.writer.memory, meter)->owner = meter_owner(next, segment_incarnation(host->segment, next), 1);
    writer_latency(&client.writer, meter, 1000, 1);
    writer_ok(&client.writer, meter, word_epoch(host_word(host, next)), 1);
    for (unsigned i = 0; i < 3; i++)
        breakers_drain_all(host->breakers);
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(host->segment, next, counts);
    assert_int_equal(shown_latency(1000) + counts[latency_bucket(1000)], 6);
    assert_in_range(counts[latency_bucket(1000)], 0, 3);
    assert_in_range(shown_latency(1000), 3, 6);
}

/* --------------------------------------------------------------------------------------------------------- hostile */

static void test_a_room_that_is_not_in_use_is_not_read(void **state)
{
    (void)state;
    static const uint32_t rooms[] = {2, 3, LANE_ROOMS, LANE_ROOMS + 1, UINT32_MAX};
    start(QUIET);
    writer_latency(&client.writer, meter, 1000, 3);
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        line()->rooms[latency_bucket(1000) / LATENCY_GROUP] = rooms[i];
        writer_ok(&client.writer, meter, epoch(), 1);
        breakers_drain_all(host->breakers);
    }
    assert_int_equal(shown_latency(1000), 0);
    line()->rooms[latency_bucket(1000) / LATENCY_GROUP] = 1;
    writer_ok(&client.writer, meter, epoch(), 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown_latency(1000), 3);
}

static void test_a_room_that_two_meters_name_counts_for_both(void **state)
{
    (void)state;
    start(QUIET);
    const uint32_t second = host_breaker(host, "second");
    const uint32_t second_meter = client_meter(host, &client, second);
    writer_latency(&client.writer, meter, 1000, 3);
    lane_meter_at(client.writer.memory, second_meter)->rooms[1] = 1;
    writer_ok(&client.writer, meter, epoch(), 3);
    writer_ok(&client.writer, second_meter, word_epoch(host_word(host, second)), 3);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown_latency(1000), 3);
    assert_int_equal(host_head(host, slot)->totals.ok, 3);
}

/* tripd charges what it keeps of a lane's latencies to the lane's user. */
static void test_latencies_beyond_a_users_memory_wait_for_room(void **state)
{
    (void)state;
    start(QUIET);
    writer_latency(&client.writer, meter, 1000, 3);
    lanes_reconfigure(host->lanes, HOST_LANES, 0);
    writer_give_memory(&client.writer, lane_room_offset(0), lane_room_offset(4096)); /* more than it is sure of */
    client.writer.memory->rooms_used = 4096;
    writer_ok(&client.writer, meter, epoch(), 3);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.ok, 3);
    assert_int_equal(shown_latency(1000), 0);
    lanes_reconfigure(host->lanes, HOST_LANES, 1 << 30);
    writer_ok(&client.writer, meter, epoch(), 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown_latency(1000), 3);
}

static void test_counters_that_run_backwards_count_nothing(void **state)
{
    (void)state;
    start(QUIET);
    client_reports(host, &client, meter, slot, "SSSSSSFFF");
    breakers_drain_all(host->breakers);
    line()->total_ok = 1;
    line()->total_failures = 0;
    line()->ok = evidence_make(epoch(), 2);
    line()->failures = evidence_make(epoch(), 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.calls, 9);
    assert_int_equal(window_calls(), 9);
    line()->total_ok = 3; /* from there on it counts again */
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.calls, 11);
}

static void test_absurd_jumps_are_bounded(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 4096}");
    line()->ok = evidence_make(epoch(), EVIDENCE_COUNT_MASK);
    line()->failures = evidence_make(epoch(), EVIDENCE_COUNT_MASK);
    line()->slow = evidence_make(epoch(), EVIDENCE_COUNT_MASK);
    line()->total_ok = UINT64_C(1) << 60;
    line()->total_failures = UINT64_MAX;
    line()->started = UINT64_C(1) << 60;
    writer_tell(&client.writer, meter, epoch(), TRIP_FAILURE, true, UINT64_MAX, 0);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    breakers_drain_all(host->breakers);
    assert_int_equal(window_calls(), 4096);
    assert_true(host_head(host, slot)->totals.calls <= EVIDENCE_COUNT_MASK * 2);
    assert_int_equal(host_head(host, slot)->in_flight, 0);
}

static void test_no_more_calls_timed_out_or_were_slow_than_there_were(void **state)
{
    (void)state;
    start(LAST_SIX);
    line()->total_timeouts = 7;
    line()->total_slow = 9;
    line()->total_failures = 2;
    line()->total_ok = 3;
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.timeouts, 2);
    assert_int_equal(host_head(host, slot)->totals.slow, 5);
    line()->total_failures = 3; /* what it claimed before is not counted later */
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.timeouts, 2);
}

/* ------------------------------------------------------------------------------------------- what tripd says of itself
 */

static void test_failures_that_found_their_ring_full_are_counted_as_untold(void **state)
{
    (void)state;
    start(QUIET);
    for (unsigned i = 0; i < LANE_EVENTS + 20; i++)
        writer_outcome(&client.writer, meter, epoch(), i % 2 ? TRIP_OK : TRIP_FAILURE, false, host->clock.test_now_ns);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.failures, (LANE_EVENTS + 20) / 2);
    assert_int_equal(host->segment->host->untold, 10); /* of the 20 that were dropped */
}

static void test_how_long_events_waited_is_counted_for_each(void **state)
{
    (void)state;
    start(QUIET);
    client_reports(host, &client, meter, slot, "FFF");
    host_sleep(host, 10);
    for (unsigned i = 0; i < 200; i++)
        client_reports(host, &other, other_meter, slot, "F");
    host_sleep(host, 30);
    breakers_rung(host->breakers);
    assert_int_equal(host->segment->host->lag[latency_bucket(40000000)], 3);
    assert_int_equal(host->segment->host->lag[latency_bucket(30000000)], 200);
    assert_int_equal(latency_calls(host->segment->host->lag), 203);
}

static uint64_t thread_cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

/* All rings full, and between any two events as many calls as there is room to claim: just not enough failures. Were
 * each call worked on, the test would not end in a day. */
static void claim_absurdly_much(void)
{
    void *const lane = client.writer.memory;
    for (uint32_t section = 0; section < LANE_SECTIONS; section++) {
        const uint32_t of = writer_meter(&client.writer, slot, segment_incarnation(host->segment, slot), section);
        struct meter *const claimed = lane_meter_at(lane, of);
        for (uint64_t i = 0; i < LANE_EVENTS; i++) {
            claimed->ok = evidence_make(epoch(), (i + 1) * 64 * 60000);
            claimed->failures = evidence_make(epoch(), (i + 1) * 64 * 59999);
            writer_tell(&client.writer, of, epoch(), TRIP_OK, false, host->clock.test_now_ns, 0);
        }
    }
    client_mark_dirty(host, &client);
}

static void drain_absurdly_much(const char *settings)
{
    start(settings);
    host_sleep(host, 1000);
    claim_absurdly_much();
    const uint64_t before_ms = thread_cpu_ms();
    unsigned iterations = 0;
    for (; breakers_pending(host->breakers) && iterations < 4; iterations++)
        breakers_rung(host->breakers);
    printf("%u iterations, %lu ms\n", iterations, (unsigned long)(thread_cpu_ms() - before_ms));
    assert_int_equal(lane_section_at(client.writer.memory, LANE_SECTIONS - 1)->tail, LANE_EVENTS);
    client_reports(host, &other, other_meter, slot, "F");
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.failures, 1);
}

static void test_absurd_claims_before_each_event_do_not_hold_tripd_up(void **state)
{
    (void)state;
    drain_absurdly_much("trip: {consecutive_failures: 0, failure_rate: 50%}, window: {type: time, for: 60s}");
}

static void test_absurd_claims_do_not_hold_tripd_up_with_a_count_window_either(void **state)
{
    (void)state;
    drain_absurdly_much("trip: {consecutive_failures: 0, failure_rate: 51%}, window: {size: 4096}");
}

static void test_any_bytes_in_a_lane_harm_nobody_else(void **state)
{
    (void)state;
    start(QUIET ", window: {type: time, for: 10s}");
    uint64_t random = 88172645463325252;
    uint64_t *const words = (uint64_t *)(void *)client.writer.memory;
    const size_t count = client.writer.size / sizeof(*words);
    client_reports(host, &other, other_meter, slot, "SSSSSFFF");
    breakers_drain_all(host->breakers);
    const uint64_t start_calls = host_head(host, slot)->totals.calls;
    const uint32_t second = host_breaker(host, "second");
    const uint32_t second_meter = client_meter(host, &other, second);
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned j = 0; j < 40; j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            /* Half of them where the lane says how it is used, and in its meters. */
            words[(random >> 20) % (j % 2 ? count : 1024)] = random & 1 ? random : random >> 50;
        }
        client_mark_dirty(host, &client);
        breakers_rung(host->breakers);
        host_advance(host, 100);
        client_reports(host, &other, second_meter, second, "SF");
    }
    breakers_drain_all(host->breakers);
    assert_true(host_head(host, slot)->totals.calls >= start_calls);
    assert_int_equal(host_head(host, second)->totals.failures >= 3000, 1);
    client_die(host, &client);
}

/* The lanes that would be blamed, noted in the middle of merging whenever a batch of a trace is full. */
static uint32_t blamed[16];
static unsigned blamed_count;

static bool note_blamed(void *context, const struct tracer_batch *batch)
{
    (void)context;
    (void)batch;
    must(blamed_count < 16);
    blamed[blamed_count++] = host->draining;
    return true;
}

static void test_a_crash_while_merging_would_be_blamed_on_the_lane_whose_turn_it_is(void **state)
{
    (void)state;
    struct tracer_subscriber *subscriber;
    start(LAST_SIX);
    assert_int_equal(tracer_subscribe(&host->tracer, NULL, 0, note_blamed, NULL, &subscriber), 0);
    blamed_count = 0;
    report_each(1, 65, "F"); /* a batch has 64 steps */
    for (unsigned i = 0; i < 65; i++) {
        host_sleep(host, 1);
        client_reports(host, &other, other_meter, slot, "F");
    }
    report_each(1, 65, "F");
    breakers_rung(host->breakers);
    assert_int_equal(blamed_count, 3);
    assert_int_equal(blamed[0], client.number);
    assert_int_equal(blamed[1], other.number);
    assert_int_equal(blamed[2], client.number);
    assert_int_equal(host->draining, 0);
    tracer_unsubscribe(&host->tracer, subscriber);
}

/* ----------------------------------------------------------------------------------------------------------- kills */

/* Runs `work` in a worker that is killed at its n-th store; the next one takes over. False: it had ended before. */
static bool killed_at(uint64_t store, void (*work)(void))
{
    store_kill.region_count = 0;
    store_kill_add(host->segment->header, host->segment->size);
    store_kill_add(host->commons->header, host->commons->size);
    store_kill_add(lane_memory(client.lane), client.writer.size);
    store_kill_add(lane_memory(other.lane), other.writer.size);
    const bool killed = store_kill_run(store, work);
    struct client both[] = {client, other};
    host_kill(host, both, 2);
    client = both[0];
    other = both[1];
    return killed;
}

static void rung(void)
{
    breakers_rung(host->breakers);
}

static void drain_all(void)
{
    breakers_drain_all(host->breakers);
}

#define KILLS 50

/* Kills `work` at places spread over all its stores: `prepare` before each, `check` after the next worker took over. */
static void kill_everywhere(void (*prepare)(unsigned round), void (*work)(void), void (*check)(unsigned round))
{
    uint64_t stores = 1, step = 1;
    unsigned round = 0;
    if (!STORE_KILL_WORKS) {
        print_message("no kill at a store on this architecture\n");
        skip();
    }
    for (prepare(round); killed_at(stores, work); prepare(round)) { /* how many there are, to a factor of two */
        check(round++);
        stores *= 2;
    }
    check(round++);
    step = stores / 2 / KILLS + 1;
    for (uint64_t at = 0; at < stores; at += step) {
        prepare(round);
        const bool killed = killed_at(at, work);
        check(round++);
        if (!killed)
            break;
    }
    assert_true(round > KILLS / 2);
}

static void tell_some(unsigned round)
{
    (void)round;
    client_reports(host, &client, meter, slot, "SSFSF");
    client_reports(host, &other, other_meter, slot, "FSs");
    writer_total(&line()->denied[denial_of(TRIP_DENY_SHED)], 3);
}

/* Whatever was drained before the kill, and by whichever worker: each call counts once. */
static void check_counts(unsigned round)
{
    const struct core_head *const head = host_head(host, slot);
    const uint64_t rounds = round + UINT64_C(1);
    assert_int_equal(head->totals.calls, 8 * rounds);
    assert_int_equal(head->totals.failures, 3 * rounds);
    assert_int_equal(head->totals.slow, rounds);
    assert_int_equal(head->totals.denied[denial_of(TRIP_DENY_SHED)], 3 * rounds);
    assert_int_equal(head->window_calls, 8 * rounds);
    assert_int_equal(head->window_failures, 3 * rounds);
    assert_int_equal(head->window_slow, rounds);
}

static void test_a_kill_anywhere_in_a_drain_counts_each_call_once(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 4096}");
    kill_everywhere(tell_some, rung, check_counts);
}

static void test_a_kill_anywhere_in_a_full_drain_counts_each_call_once(void **state)
{
    (void)state;
    start(QUIET ", window: {size: 4096}");
    kill_everywhere(tell_some, drain_all, check_counts);
}

static const struct breakers_actor operator= {.by = BY_OPERATOR};

static void tell_what_trips(unsigned round)
{
    (void)round;
    breakers_reset(host->breakers, slot, &operator);
    host->move_count = 0;
    client_reports(host, &client, meter, slot, "SSSSSFFFFFSS");
}

/* The first round has one reset less: the breaker was closed. */
static void check_tripped(unsigned round)
{
    const struct core_head *const head = host_head(host, slot);
    const uint64_t rounds = round + UINT64_C(1);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    assert_int_equal(head->totals.opens, rounds);
    assert_int_equal(head->totals.trips[TRIP_REASON_FAILURE_RATE], rounds);
    assert_int_equal(host->segment->header->transition_next, 2 * rounds - 1);
    assert_int_equal(host->segment->details[slot].reason, TRIP_REASON_FAILURE_RATE);
    assert_int_equal(host->segment->mirror[slot], host_word(host, slot));
    assert_int_equal(head->totals.calls, 12 * rounds);
}

static void test_a_kill_anywhere_in_a_trip_trips_once(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}");
    kill_everywhere(tell_what_trips, rung, check_tripped);
}

static void answer_probes(unsigned round)
{
    (void)round;
    breakers_trip(host->breakers, slot, 1, &operator);
    host_advance(host, 1);
    host->move_count = 0;
    for (unsigned i = 0; i < 2; i++)
        client_answer(host, &client, meter, slot, client_take_permit(host, &client, slot), PERMIT_SLOW_OK);
}

static void check_probes(unsigned round)
{
    (void)round;
    const struct core_head *const head = host_head(host, slot);
    assert_int_equal(host_state(host, slot), WORD_HALF_OPEN);
    assert_int_equal(head->probe_ok, 2);
    assert_int_equal(head->probe_slow, 2);
    assert_int_equal(host_policy(host, slot)->permits_free, 1); /* a third is needed */
}

static void test_a_kill_anywhere_counts_each_probe_once(void **state)
{
    (void)state;
    start(QUIET ", half_open: {permits: 2, successes: 3}, open: {multiplier: 1.0, jitter: 0%}");
    kill_everywhere(answer_probes, rung, check_probes);
}

static void stall_a_call(unsigned round)
{
    struct lane_call *const call = lane_call_at(client.writer.memory, round);
    call->ticks = host->clock.test_now_ns;
    call->state = lane_call_state(meter, 1, LANE_CALL_RUNNING);
    host_sleep(host, 1000);
    breakers_drain_all(host->breakers);
}

static void look_for_stalls(void)
{
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
}

static void check_stalls(unsigned round)
{
    client_mark_dirty(host, &client); /* what was not claimed yet is */
    breakers_rung(host->breakers);
    assert_int_equal(window_failures(), round + 1);
    assert_int_equal(lane_call_status(lane_call_at(client.writer.memory, round)->state), LANE_CALL_STALLED);
}

static void test_a_kill_anywhere_counts_each_stall_once(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, stall_after: 500ms}, window: {size: 4096}");
    host_sleep(host, 10);
    kill_everywhere(stall_a_call, look_for_stalls, check_stalls);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_window_holds_the_last_calls_in_their_order),
        TEST(lanes_fall_into_one_order_by_time),
        TEST(counted_successes_fall_between_other_lanes_events_in_proportion),
        TEST(a_success_after_an_untold_failure_waits_for_it),
        TEST(a_failure_that_is_never_told_is_counted_after_100_ms),
        TEST(an_outage_longer_than_the_window_trips_when_the_worker_is_back),
        TEST(an_outage_that_is_over_when_the_worker_is_back_trips_nothing),
        TEST(successes_forgotten_since_still_counted_beside_the_failures_of_their_time),
        TEST(events_that_found_no_room_are_counted),
        TEST(failures_that_found_no_room_are_no_streak_of_failures),
        TEST(a_verdict_over_probes_forgets_none_of_them),
        TEST(a_place_that_was_taken_and_never_written_blocks_until_the_ring_is_full),
        TEST(a_dead_client_s_last_counts_are_taken_as_they_are),
        TEST(the_failure_that_opened_is_in_the_window_though_not_told_yet),
        TEST(old_evidence_is_never_taken_for_a_later_epoch_s),
        TEST(an_error_is_counted_by_its_type_recorded_and_named_in_the_details),
        TEST(errors_without_a_text_are_one_record_that_says_how_many),
        TEST(an_error_that_is_being_written_is_read_once_it_is_whole),
        TEST(records_that_were_overwritten_are_counted_and_their_errors_too),
        TEST(a_traceparent_is_taken_apart_and_hostile_texts_end_where_their_place_ends),
        TEST(errors_are_counted_once_for_host_group_and_breaker),
        TEST(local_rejections_are_counted_once_by_kind),
        TEST(latencies_are_summed_over_lanes_that_come_and_go),
        TEST(latencies_of_two_meters_of_a_process_are_summed),
        TEST(latencies_that_came_while_no_worker_was_there_are_in_no_group_twice),
        TEST(a_latency_counter_that_wraps_counts_on),
        TEST(latencies_of_a_forgotten_breaker_are_not_the_next_one_s),
        TEST(a_room_that_is_not_in_use_is_not_read),
        TEST(a_room_that_two_meters_name_counts_for_both),
        TEST(latencies_beyond_a_users_memory_wait_for_room),
        TEST(counters_that_run_backwards_count_nothing),
        TEST(absurd_jumps_are_bounded),
        TEST(no_more_calls_timed_out_or_were_slow_than_there_were),
        TEST(failures_that_found_their_ring_full_are_counted_as_untold),
        TEST(how_long_events_waited_is_counted_for_each),
        TEST(absurd_claims_before_each_event_do_not_hold_tripd_up),
        TEST(absurd_claims_do_not_hold_tripd_up_with_a_count_window_either),
        TEST(any_bytes_in_a_lane_harm_nobody_else),
        TEST(a_crash_while_merging_would_be_blamed_on_the_lane_whose_turn_it_is),
        TEST(a_kill_anywhere_in_a_drain_counts_each_call_once),
        TEST(a_kill_anywhere_in_a_full_drain_counts_each_call_once),
        TEST(a_kill_anywhere_in_a_trip_trips_once),
        TEST(a_kill_anywhere_counts_each_probe_once),
        TEST(a_kill_anywhere_counts_each_stall_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
