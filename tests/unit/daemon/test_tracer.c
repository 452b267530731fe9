/* Steps of a trace on their way to subscribers: equal ones together, times that go on, and steps that find no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tracer.h"
#include "protocol/report.h"
#include "protocol/rpc.h"

struct reader {
    struct tracer_subscriber *subscriber;
    bool full; /* it has no room */
    unsigned batches;
    char text[8192]; /* the steps, then " lost N", a batch a line */
};

static struct tracer tracer;

static bool take(void *context, const struct tracer_batch *batch)
{
    struct reader *reader = context;
    size_t used = strlen(reader->text), i;
    json_t *report, *step;
    if (reader->full)
        return false;
    reader->batches++;
    report = report_trace(batch);
    json_array_foreach(json_object_get(report, "steps"), i, step)
    {
        char *line = json_dumps(step, JSON_COMPACT);
        used += (size_t)snprintf(reader->text + used, sizeof(reader->text) - used, "%s\n", line);
        free(line);
    }
    if (batch->lost)
        snprintf(reader->text + used, sizeof(reader->text) - used, "lost %lld\n",
                 (long long)json_integer_value(json_object_get(report, "lost")));
    json_decref(report);
    return true;
}

static struct reader *subscribe(const char *pattern, uint64_t now_ms)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    assert_non_null(reader);
    assert_int_equal(tracer_subscribe(&tracer, pattern, now_ms, take, reader, &reader->subscriber), 0);
    return reader;
}

static void unsubscribe(struct reader *reader)
{
    tracer_unsubscribe(&tracer, reader->subscriber);
    free(reader);
}

static void outcome(const char *breaker, uint64_t at_ms, trip_outcome what, uint64_t n)
{
    const struct traced step = {.op = TRACED_RECORD, .at_ms = at_ms, .outcome = what, .n = n};
    tracer_step(&tracer, breaker, &step);
}

static void test_steps_are_lines_that_simulate_reads(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 1000);
    const struct traced steps[] = {
        {.op = TRACED_RECORD, .at_ms = 1000, .outcome = TRIP_OK, .n = 5},
        {.op = TRACED_RECORD, .at_ms = 1001, .outcome = TRIP_FAILURE, .error = TRIP_ERROR_NETWORK, .n = 1},
        {.op = TRACED_RECORD, .at_ms = 1001, .outcome = TRIP_FAILURE, .error = TRIP_ERROR_USER + 3, .n = 1},
        {.op = TRACED_RECORD, .at_ms = 1002, .outcome = TRIP_TIMEOUT, .error = TRIP_ERROR_TIMEOUT, .n = 1},
        {.op = TRACED_RECORD, .at_ms = 1002, .outcome = TRIP_OK, .latency_ms = 60001, .n = 1},
        {.op = TRACED_RECORD, .at_ms = 1002, .outcome = TRIP_IGNORED, .n = 2},
        {.op = TRACED_MODE, .at_ms = 1003, .mode = TRIP_MODE_FORCED_OPEN, .span_ms = 5000},
        {.op = TRACED_MODE, .at_ms = 1003, .mode = TRIP_MODE_AUTO},
        {.op = TRACED_TRIP, .at_ms = 1003},
        {.op = TRACED_TRIP, .at_ms = 1004, .span_ms = 250},
        {.op = TRACED_RESET, .at_ms = 1005},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        tracer_step(&tracer, "payments/db", &steps[i]);
    tracer_flush(&tracer);
    assert_string_equal(
        reader->text,
        "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"payments/db\",\"outcome\":\"ok\",\"n\":5}\n"
        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"payments/db\",\"outcome\":\"failure\",\"error\":\"network\"}\n"
        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"payments/db\",\"outcome\":\"failure\",\"error\":\"user_3\"}\n"
        "{\"t_ms\":2,\"op\":\"record\",\"breaker\":\"payments/db\",\"outcome\":\"timeout\"}\n"
        "{\"t_ms\":2,\"op\":\"record\",\"breaker\":\"payments/db\",\"outcome\":\"ok\",\"latency_ms\":60001}\n"
        "{\"t_ms\":2,\"op\":\"record\",\"breaker\":\"payments/db\",\"outcome\":\"ignored\",\"n\":2}\n"
        "{\"t_ms\":3,\"op\":\"mode\",\"breaker\":\"payments/db\",\"mode\":\"forced_open\",\"ttl_ms\":5000}\n"
        "{\"t_ms\":3,\"op\":\"mode\",\"breaker\":\"payments/db\",\"mode\":\"auto\"}\n"
        "{\"t_ms\":3,\"op\":\"trip\",\"breaker\":\"payments/db\"}\n"
        "{\"t_ms\":4,\"op\":\"trip\",\"breaker\":\"payments/db\",\"for_ms\":250}\n"
        "{\"t_ms\":5,\"op\":\"reset\",\"breaker\":\"payments/db\"}\n");
    unsubscribe(reader);
}

static void test_equal_outcomes_in_a_row_are_one_step(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 0);
    outcome("a", 1, TRIP_FAILURE, 1);
    outcome("a", 1, TRIP_FAILURE, 2);
    outcome("a", 1, TRIP_OK, 1); /* another outcome */
    outcome("a", 1, TRIP_FAILURE, 1);
    outcome("b", 1, TRIP_FAILURE, 1); /* another breaker */
    outcome("b", 2, TRIP_FAILURE, 1); /* another time */
    tracer_flush(&tracer);
    assert_string_equal(reader->text,
                        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"failure\",\"n\":3}\n"
                        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\"}\n"
                        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"failure\"}\n"
                        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"b\",\"outcome\":\"failure\"}\n"
                        "{\"t_ms\":2,\"op\":\"record\",\"breaker\":\"b\",\"outcome\":\"failure\"}\n");
    unsubscribe(reader);
}

static void test_times_never_decrease(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 100);
    outcome("a", 90, TRIP_OK, 1); /* told before it began, drained after */
    outcome("a", 107, TRIP_OK, 1);
    outcome("b", 105, TRIP_OK, 1); /* another breaker's lane, drained later */
    outcome("b", 108, TRIP_OK, 1);
    tracer_flush(&tracer);
    assert_string_equal(reader->text, "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\"}\n"
                                      "{\"t_ms\":7,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\"}\n"
                                      "{\"t_ms\":7,\"op\":\"record\",\"breaker\":\"b\",\"outcome\":\"ok\"}\n"
                                      "{\"t_ms\":8,\"op\":\"record\",\"breaker\":\"b\",\"outcome\":\"ok\"}\n");
    unsubscribe(reader);
}

static void test_each_subscriber_gets_matching_steps_since_it_came(void **state)
{
    (void)state;
    struct reader *all = subscribe(NULL, 0);
    outcome("payments/a", 1, TRIP_OK, 1);
    struct reader *some = subscribe("payments/*", 5);
    outcome("mail", 6, TRIP_OK, 1);
    outcome("payments/b", 7, TRIP_OK, 1);
    tracer_flush(&tracer);
    assert_string_equal(all->text, "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"payments/a\",\"outcome\":\"ok\"}\n"
                                   "{\"t_ms\":6,\"op\":\"record\",\"breaker\":\"mail\",\"outcome\":\"ok\"}\n"
                                   "{\"t_ms\":7,\"op\":\"record\",\"breaker\":\"payments/b\",\"outcome\":\"ok\"}\n");
    assert_string_equal(some->text, "{\"t_ms\":2,\"op\":\"record\",\"breaker\":\"payments/b\",\"outcome\":\"ok\"}\n");
    unsubscribe(all);
    outcome("payments/b", 9, TRIP_OK, 1);
    some->text[0] = '\0';
    tracer_flush(&tracer);
    assert_string_equal(some->text, "{\"t_ms\":4,\"op\":\"record\",\"breaker\":\"payments/b\",\"outcome\":\"ok\"}\n");
    unsubscribe(some);
    assert_false(tracer_wanted(&tracer));
}

static void test_a_full_batch_goes_at_once(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 0);
    for (uint64_t i = 0; i < 64; i++)
        outcome("a", i, TRIP_OK, 1);
    assert_int_equal(reader->batches, 0);
    outcome("a", 64, TRIP_OK, 1);
    assert_int_equal(reader->batches, 1);
    tracer_flush(&tracer);
    assert_int_equal(reader->batches, 2);
    tracer_flush(&tracer); /* nothing new */
    assert_int_equal(reader->batches, 2);
    unsubscribe(reader);
}

static void test_steps_without_room_are_counted(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 0);
    reader->full = true;
    for (uint64_t i = 0; i < 64; i++)
        outcome("a", i, TRIP_OK, 10);
    tracer_flush(&tracer); /* no room: the batch waits */
    outcome("a", 64, TRIP_OK, 1);
    reader->full = false;
    tracer_flush(&tracer);
    assert_string_equal(reader->text, "{\"t_ms\":64,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\"}\n"
                                      "lost 640\n");
    reader->text[0] = '\0';
    outcome("a", 65, TRIP_OK, 1);
    tracer_flush(&tracer); /* it is said once */
    assert_string_equal(reader->text, "{\"t_ms\":65,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\"}\n");
    unsubscribe(reader);
}

static void test_a_batch_that_waits_for_room_loses_nothing(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 0);
    reader->full = true;
    outcome("a", 1, TRIP_OK, 1);
    tracer_flush(&tracer);
    outcome("a", 1, TRIP_OK, 1);
    reader->full = false;
    tracer_flush(&tracer);
    assert_string_equal(reader->text, "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\",\"n\":2}\n");
    unsubscribe(reader);
}

static void test_a_lane_that_claims_milliards_makes_a_step_that_simulate_takes(void **state)
{
    (void)state;
    struct reader *reader = subscribe(NULL, 0);
    outcome("a", 1, TRIP_OK, UINT64_C(1) << 44);
    outcome("a", 1, TRIP_OK, 1);
    tracer_flush(&tracer);
    assert_string_equal(reader->text,
                        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\",\"n\":1000000000}\n"
                        "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"a\",\"outcome\":\"ok\"}\n"
                        "lost 17591186044416\n");
    unsubscribe(reader);
}

static void test_the_longest_queue_of_a_trace_leaves_room_for_an_answer(void **state)
{
    (void)state;
    uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    struct tracer_batch batch = {.lost = INT64_MAX, .count = TRACER_BATCH};
    for (uint32_t i = 0; i < TRACER_BATCH; i++) {
        batch.steps[i] = (struct traced){.op = TRACED_RECORD,
                                         .at_ms = INT64_MAX,
                                         .outcome = TRIP_FAILURE,
                                         .error = TRIP_ERROR_RESOURCE_EXHAUSTED,
                                         .latency_ms = INT64_MAX,
                                         .n = TRACER_N_MAX};
        memset(batch.steps[i].breaker, 'x', TRIP_NAME_MAX);
    }
    json_t *report = report_trace(&batch);
    assert_int_equal(rpc_write_notification(packet, "trace", report, &size), 0);
    assert_in_range(size * RPC_TRACE_QUEUED, 2 << 20, (4 << 20) - RPC_PACKET_MAX); /* loop.h: 4 MiB */
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_lines_that_simulate_reads),
        cmocka_unit_test(test_equal_outcomes_in_a_row_are_one_step),
        cmocka_unit_test(test_times_never_decrease),
        cmocka_unit_test(test_each_subscriber_gets_matching_steps_since_it_came),
        cmocka_unit_test(test_a_full_batch_goes_at_once),
        cmocka_unit_test(test_steps_without_room_are_counted),
        cmocka_unit_test(test_a_batch_that_waits_for_room_loses_nothing),
        cmocka_unit_test(test_a_lane_that_claims_milliards_makes_a_step_that_simulate_takes),
        cmocka_unit_test(test_the_longest_queue_of_a_trace_leaves_room_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
