/* One order out of several sources: a source's calls stay in their order, and others' calls fall among them in
 * proportion. Expected orders are literal: S a success, F a failure, s and f slow ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "internal/layout.h"
#include "internal/state_word.h"
#include "lanes/merge.h"

#define EPOCH 7
#define NOW   1000

static char order[4096];
static size_t order_length;
static uint64_t emitted[CALL_KINDS];
static unsigned parts, wanted_parts;
static uint64_t together_ticks; /* for the next merge */

static bool note(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    (void)what;
    (void)context;
    (void)ticks;
    emitted[kind] += n;
    for (uint64_t i = 0; i < n && order_length + 1 < sizeof(order); i++)
        order[order_length++] = "SFsf"[kind];
    return ++parts < wanted_parts;
}

/* -------------------------------------------------------------------------------------------------- telling by hand */

static struct told batch[2048];
static uint32_t batch_count;
static struct merge_input inputs[4];
static uint32_t input_count;
static uint32_t last_told[4]; /* place + 1 */

static void begin(void)
{
    memset(order, 0, sizeof(order));
    memset(emitted, 0, sizeof(emitted));
    memset(batch, 0, sizeof(batch));
    memset(inputs, 0, sizeof(inputs));
    memset(last_told, 0, sizeof(last_told));
    order_length = 0;
    together_ticks = 0;
    parts = 0;
    wanted_parts = 1u << 30;
    batch_count = input_count = 0;
}

/* Adds a source that has counted nothing since `since`; told and counters set what its counters say. */
static uint32_t source(uint64_t since)
{
    struct source *const made = &inputs[input_count].source;
    *made = (struct source){.batch = batch, .epoch = EPOCH, .ticks = since, .until_ticks = NOW, .rest = true};
    return input_count++;
}

static void counters(uint32_t of, uint64_t ok, uint64_t failures, uint64_t slow)
{
    inputs[of].source.counters = (struct evidence_counts){ok, failures, slow};
}

/* The counters stand with the event, as if nothing came after it. */
static void tell(uint32_t of, uint64_t ticks, trip_outcome outcome, bool slow, uint64_t ok, uint32_t failures,
                 uint32_t slows)
{
    batch[batch_count] = (struct told){.ticks = ticks,
                                       .ok = evidence_make(EPOCH, ok),
                                       .failures = failures,
                                       .slow = slows,
                                       .what = lane_event_what(0, outcome, slow, 0)};
    *(last_told[of] ? &batch[last_told[of] - 1].next : &inputs[of].source.next) = ++batch_count;
    last_told[of] = batch_count;
    counters(of, ok, failures, slows);
}

static uint64_t forgotten;

static const char *merged_of(uint64_t remembers, uint64_t apart_ticks)
{
    struct merge_input *heap[4];
    const struct merge_options options = {
        .remembers = remembers, .apart_ticks = apart_ticks, .together_ticks = together_ticks, .emit = note};
    forgotten = merge_sources(&options, inputs, heap, input_count);
    return order;
}

static const char *merged(void)
{
    return merged_of(100, UINT64_MAX);
}

/* ------------------------------------------------------------------------------------------------------- one source */

static void test_a_source_s_own_order_is_exact(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell(a, 10, TRIP_FAILURE, false, 2, 1, 0);
    tell(a, 11, TRIP_TIMEOUT, true, 2, 2, 1);
    tell(a, 900, TRIP_OK, true, 4, 2, 2);
    tell(a, 901, TRIP_FAILURE, false, 4, 3, 2);
    counters(a, 7, 3, 2);
    assert_string_equal(merged(), "SSFfSsFSSS");
    assert_int_equal(inputs[a].source.counted.ok, 7);
    assert_int_equal(inputs[a].source.counted.failures, 3);
    assert_int_equal(inputs[a].source.counted.slow, 2);
}

static void test_counted_calls_are_not_counted_again(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    inputs[a].source.counted = (struct evidence_counts){5, 1, 0};
    tell(a, 10, TRIP_FAILURE, false, 2, 1, 0); /* counted before */
    tell(a, 20, TRIP_FAILURE, false, 6, 2, 0);
    assert_string_equal(merged(), "SF");
}

static void test_without_the_rest_counting_ends_at_the_last_event(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell(a, 10, TRIP_FAILURE, false, 1, 1, 0);
    counters(a, 9, 2, 0);
    inputs[a].source.rest = false;
    assert_string_equal(merged(), "SF");
    assert_int_equal(inputs[a].source.counted.ok, 1);
    assert_int_equal(inputs[a].source.counted.failures, 1);
}

static void test_an_event_of_another_epoch_is_passed_over(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell(a, 10, TRIP_FAILURE, false, 1, 1, 0);
    batch[0].ok = evidence_make(EPOCH - 1, 50);
    tell(a, 20, TRIP_FAILURE, false, 1, 1, 0);
    assert_string_equal(merged(), "SF");
}

static void test_a_neutral_event_is_no_call(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell(a, 10, TRIP_IGNORED, false, 2, 0, 0);
    tell(a, 20, TRIP_CANCELLED, false, 2, 0, 0);
    tell(a, 30, TRIP_FAILURE, false, 3, 1, 0);
    assert_string_equal(merged(), "SSSF");
}

static void test_dropped_events_are_told_by_the_counts(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell(a, 10, TRIP_FAILURE, false, 0, 1, 0);
    tell(a, 500, TRIP_FAILURE, false, 2, 4, 1); /* two failures, one of them slow, and two successes between */
    assert_string_equal(merged(), "FSSFfF");
}

static void test_a_mix_of_dropped_calls_is_spread_evenly(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    counters(a, 8, 4, 0);
    assert_string_equal(merged(), "SSFSSFSSFSSF");
}

static void test_a_slow_call_seen_before_its_outcome_waits_for_it(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    counters(a, 0, 0, 1);
    assert_string_equal(merged(), "");
    assert_int_equal(inputs[a].source.counted.slow, 0);
}

/* -------------------------------------------------------------------------------------------------- several sources */

static void test_others_calls_fall_between_events_in_proportion(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0), b = source(0);
    tell(a, 1000, TRIP_FAILURE, false, 10, 1, 0);
    tell(b, 300, TRIP_FAILURE, false, 0, 1, 0);
    tell(b, 700, TRIP_FAILURE, false, 0, 2, 0);
    assert_string_equal(merged(), "SSSFSSSSFSSSF");
}

static void test_sources_that_only_count_flow_together(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0), b = source(0), c = source(500);
    counters(a, 10, 0, 0);
    counters(b, 0, 0, 0);
    tell(b, 500, TRIP_FAILURE, false, 0, 1, 0);
    counters(c, 6, 0, 0);
    assert_string_equal(merged(), "SSSSSFSSSSSSSSSSS");
    assert_int_equal(emitted[CALL_OK], 16);
}

static void test_events_at_the_same_time_come_in_the_order_of_sources(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0), b = source(0);
    tell(b, 100, TRIP_OK, true, 1, 0, 1);
    tell(a, 100, TRIP_FAILURE, false, 0, 1, 0);
    assert_string_equal(merged(), "Fs");
}

static void test_times_that_run_backwards_keep_the_order_of_the_ring(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(100);
    tell(a, 900, TRIP_FAILURE, false, 1, 1, 0);
    tell(a, 5, TRIP_OK, true, 2, 1, 1);
    tell(a, UINT64_MAX, TRIP_FAILURE, false, 2, 2, 1);
    assert_string_equal(merged(), "SFsF");
}

static void test_counts_are_exact_however_times_divide(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t a = source(i * 7);
        tell(a, 333 + i, TRIP_FAILURE, false, 1001 + i, 1, 0);
        tell(a, 777 + i, TRIP_FAILURE, false, 5003 + i, 2, 0);
        counters(a, 10007 + i, 2, 0);
    }
    merged();
    assert_int_equal(emitted[CALL_OK], 30024);
    assert_int_equal(emitted[CALL_FAILED], 6);
    assert_int_equal(emitted[CALL_SLOW], 0);
}

/* ----------------------------------------------------------------------------------------------------------- bounds */

/* When the gaps are over, rounding leaves a rest of their rates, here below 0; over a long time it adds up. */
static void test_rounding_never_makes_calls_out_of_a_long_idle_time(void **state)
{
    (void)state;
    begin();
    const uint64_t late = UINT64_C(1) << 54;
    const uint32_t a = source(0), b = source(0), c = source(0), d = source(0);
    tell(a, 9, TRIP_FAILURE, false, 1, 1, 0);
    tell(b, 1, TRIP_FAILURE, false, 4, 1, 0);
    inputs[c].source.until_ticks = inputs[d].source.until_ticks = late;
    tell(c, late, TRIP_FAILURE, false, 0, 1, 0);
    tell(d, late, TRIP_FAILURE, false, 0, 1, 0);
    assert_string_equal(merged(), "SSSSFSFFF");
    assert_int_equal(emitted[CALL_OK], 5);
    assert_int_equal(emitted[CALL_FAILED], 4);
}

static void test_absurd_counts_cost_no_more_than_the_window_remembers(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0), b = source(0);
    counters(a, EVIDENCE_COUNT_MASK, EVIDENCE_COUNT_MASK / 2, EVIDENCE_COUNT_MASK);
    tell(b, 500, TRIP_FAILURE, false, EVIDENCE_COUNT_MASK, 1, 0);
    merged();
    assert_true(parts < 1000);
    /* Two gaps, each of 200 calls but for what rounding leaves of each kind, and the one that was told. */
    assert_in_range(order_length, 401, 409);
    assert_int_equal(order_length + forgotten, 2 * EVIDENCE_COUNT_MASK + EVIDENCE_COUNT_MASK / 2 + 1);
}

static void test_absurd_gaps_before_each_of_many_events_cost_little_more_than_the_events(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    for (uint32_t i = 1; i <= 2048; i++)
        tell(a, 500, TRIP_OK, false, i * UINT64_C(1000000), i * 1000000, 0);
    merged_of(UINT64_MAX, UINT64_MAX);
    assert_in_range(parts, 4096, 2048 * 3 + 4096 * 2);
    assert_int_equal(emitted[CALL_OK], 2048000000);
    assert_int_equal(emitted[CALL_FAILED], 2048000000);
}

static void test_the_remembered_end_of_a_large_gap_is_mixed(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    counters(a, 1500, 1500, 0);
    merged_of(100, UINT64_MAX);
    assert_int_equal(order_length, 200);
    assert_int_equal(forgotten, 2800);
    assert_int_equal(emitted[CALL_FAILED], 100);
    assert_null(strstr(order, "FFF"));
    assert_int_equal(inputs[a].source.counted.failures, 1500);
}

static void test_a_gap_that_the_window_remembers_is_given_whole(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    counters(a, 150, 51, 0);
    merged_of(101, UINT64_MAX);
    assert_int_equal(order_length, 201);
    assert_int_equal(forgotten, 0);
}

static void test_calls_far_apart_are_given_in_parts(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    counters(a, 128, 0, 0);
    merged_of(UINT64_MAX, 100);
    assert_int_equal(parts, 64);
    assert_int_equal(emitted[CALL_OK], 128);
}

static void test_a_merge_stops_when_no_more_is_wanted_and_counts_everything(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell(a, 10, TRIP_FAILURE, false, 0, 1, 0);
    tell(a, 20, TRIP_FAILURE, false, 0, 2, 0);
    tell(a, 30, TRIP_FAILURE, false, 5, 3, 0);
    wanted_parts = 2;
    assert_string_equal(merged(), "FF");
    assert_int_equal(inputs[a].source.counted.failures, 3);
    assert_int_equal(inputs[a].source.counted.ok, 5);
}

/* ------------------------------------------------------------------------------------------------ failures in a row */

static void tell_row(uint32_t of, uint64_t ticks, uint32_t first, uint32_t last)
{
    for (uint32_t failure = first; failure <= last; failure++)
        tell(of, ticks++, TRIP_FAILURE, false, 0, failure, 0);
}

static void test_failures_in_a_row_are_given_together(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell_row(a, 10, 1, 5);
    together_ticks = UINT64_MAX;
    assert_string_equal(merged(), "FFFFF");
    assert_int_equal(parts, 1);
    assert_int_equal(inputs[a].source.counted.failures, 5);
    assert_int_equal(inputs[a].source.ticks, NOW);
}

static void test_failures_that_each_want_a_step_are_given_one_by_one(void **state)
{
    (void)state;
    begin();
    tell_row(source(0), 10, 1, 5);
    assert_string_equal(merged(), "FFFFF");
    assert_int_equal(parts, 5);
}

static void test_a_row_is_no_longer_than_its_calls_may_be_apart(void **state)
{
    (void)state;
    begin();
    tell_row(source(0), 10, 1, 5);
    together_ticks = 2;
    assert_string_equal(merged(), "FFFFF");
    assert_int_equal(parts, 3);
}

static void test_a_row_ends_where_something_else_came_between(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell_row(a, 10, 1, 2);
    tell(a, 20, TRIP_FAILURE, true, 0, 3, 1);
    tell(a, 21, TRIP_FAILURE, false, 1, 4, 1);
    tell(a, 22, TRIP_TIMEOUT, false, 1, 5, 1);
    tell(a, 23, TRIP_FAILURE, false, 1, 7, 1); /* the sixth went untold */
    tell(a, 24, TRIP_OK, true, 2, 7, 2);
    tell(a, 25, TRIP_FAILURE, false, 2, 8, 2);
    together_ticks = UINT64_MAX;
    assert_string_equal(merged(), "FFfSFFFFsF");
    assert_int_equal(inputs[a].source.counted.failures, 8);
    assert_int_equal(inputs[a].source.counted.slow, 2);
}

static void test_a_row_tells_no_more_than_the_counters_say(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0);
    tell_row(a, 10, 1, 5);
    counters(a, 0, 3, 0);
    together_ticks = UINT64_MAX;
    assert_string_equal(merged(), "FFF");
    assert_int_equal(inputs[a].source.counted.failures, 3);
}

static void test_rows_of_two_sources_keep_their_times(void **state)
{
    (void)state;
    begin();
    const uint32_t a = source(0), b = source(0);
    tell(a, 10, TRIP_FAILURE, false, 0, 1, 0);
    tell(b, 11, TRIP_OK, true, 1, 0, 1);
    tell(a, 12, TRIP_FAILURE, false, 0, 2, 0);
    tell(b, 13, TRIP_OK, true, 2, 0, 2);
    tell(a, 14, TRIP_FAILURE, false, 0, 3, 0);
    together_ticks = UINT64_MAX;
    assert_string_equal(merged(), "FsFsF");
}

static void test_nothing_comes_of_nothing(void **state)
{
    (void)state;
    begin();
    assert_string_equal(merged(), "");
    source(0);
    assert_string_equal(merged(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_source_s_own_order_is_exact),
        cmocka_unit_test(test_counted_calls_are_not_counted_again),
        cmocka_unit_test(test_without_the_rest_counting_ends_at_the_last_event),
        cmocka_unit_test(test_an_event_of_another_epoch_is_passed_over),
        cmocka_unit_test(test_a_neutral_event_is_no_call),
        cmocka_unit_test(test_dropped_events_are_told_by_the_counts),
        cmocka_unit_test(test_a_mix_of_dropped_calls_is_spread_evenly),
        cmocka_unit_test(test_a_slow_call_seen_before_its_outcome_waits_for_it),
        cmocka_unit_test(test_others_calls_fall_between_events_in_proportion),
        cmocka_unit_test(test_sources_that_only_count_flow_together),
        cmocka_unit_test(test_events_at_the_same_time_come_in_the_order_of_sources),
        cmocka_unit_test(test_times_that_run_backwards_keep_the_order_of_the_ring),
        cmocka_unit_test(test_counts_are_exact_however_times_divide),
        cmocka_unit_test(test_rounding_never_makes_calls_out_of_a_long_idle_time),
        cmocka_unit_test(test_absurd_counts_cost_no_more_than_the_window_remembers),
        cmocka_unit_test(test_absurd_gaps_before_each_of_many_events_cost_little_more_than_the_events),
        cmocka_unit_test(test_the_remembered_end_of_a_large_gap_is_mixed),
        cmocka_unit_test(test_a_gap_that_the_window_remembers_is_given_whole),
        cmocka_unit_test(test_calls_far_apart_are_given_in_parts),
        cmocka_unit_test(test_a_merge_stops_when_no_more_is_wanted_and_counts_everything),
        cmocka_unit_test(test_failures_in_a_row_are_given_together),
        cmocka_unit_test(test_failures_that_each_want_a_step_are_given_one_by_one),
        cmocka_unit_test(test_a_row_is_no_longer_than_its_calls_may_be_apart),
        cmocka_unit_test(test_a_row_ends_where_something_else_came_between),
        cmocka_unit_test(test_a_row_tells_no_more_than_the_counters_say),
        cmocka_unit_test(test_rows_of_two_sources_keep_their_times),
        cmocka_unit_test(test_nothing_comes_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
