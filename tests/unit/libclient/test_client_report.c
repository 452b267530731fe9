/* What outcomes leave in the lane: counters, evidence, events, error records, the doorbell. */
#include "client_fixture.h"

#include <pthread.h>

#include "client.h"
#include "internal/bell.h"
#include "internal/doorbell.h"
#include "internal/state_word.h"
#include "lane_writer.h"

#define SLOW_NS UINT64_C(60000000001) /* one more than slow_after */

static struct lane_header *lane_of(struct fixture *fixture)
{
    return fake_lane(&fixture->fake, fake_lane_of(&fixture->fake, getpid()));
}

static uint64_t events_in(struct lane_header *lane)
{
    uint64_t count = 0;
    for (uint32_t section = 0; section < LANE_SECTIONS; section++)
        count += lane_section_at(lane, section)->head;
    return count;
}

/* Returns an event of this thread's section, which is 1: the first that was taken. */
static struct lane_event *event_at(struct lane_header *lane, uint64_t index)
{
    return lane_event_at(lane, 1, index);
}

static bool dirty(const struct fixture *fixture, uint32_t lane)
{
    return fixture->fake.commons->header->dirty[lane / 64] >> lane % 64 & 1;
}

static void test_successes_are_counted_and_not_told(void **state)
{
    struct fixture *const f = *state;
    record_n(f->breaker, TRIP_OK, 1000);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.ok, 1000);
    assert_int_equal(counts.total_ok, 1000);
    assert_int_equal(counts.meters, 1);
    assert_int_equal(events_in(lane_of(f)), 0);
    assert_false(dirty(f, 1));
}

static void test_a_failure_is_counted_told_and_rung(void **state)
{
    struct fixture *const f = *state;
    record_n(f->breaker, TRIP_OK, 3);
    f->fake.commons->header->doorbell = DOORBELL_ASLEEP;
    trip_record(f->breaker, TRIP_FAILURE, 0);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(counts.total_failures, 1);
    assert_int_equal(counts.total_timeouts, 0);
    assert_int_equal(events_in(lane_of(f)), 1);
    const struct lane_event *const event = event_at(lane_of(f), 0);
    assert_int_equal(event->ok, evidence_make(1, 3));
    assert_int_equal(event->failures, 1);
    assert_int_equal(event->slow, 0);
    assert_int_equal(event->stamp, 1);
    assert_int_equal(event->ticks, UINT64_C(1000000000)); /* of the test clock */
    assert_int_equal(event->what, lane_event_what(0, TRIP_FAILURE, false, TRIP_ERROR_UNKNOWN));
    assert_true(dirty(f, fake_lane_of(&f->fake, getpid())));
    assert_int_equal(f->fake.commons->header->doorbell, DOORBELL_AWAKE);
}

/* Does one more failure wake a tripd that sleeps? */
static bool rings(struct fixture *f, const trip_error *error)
{
    trip_call call;
    f->fake.commons->header->doorbell = DOORBELL_ASLEEP;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    if (error)
        trip_end_error(&call, error);
    else
        trip_end(&call, TRIP_FAILURE);
    return f->fake.commons->header->doorbell == DOORBELL_AWAKE;
}

static void no_streak_opens(struct fixture *f)
{
    struct fake_policy policy = fake_policy_default;
    policy.threshold = 0;
    fake_settings(&f->fake, f->slot, &policy);
}

/* Lets so many failures wait, as tripd does where they cannot trip anything. */
static void let_wait(struct fixture *f, uint32_t slot, uint64_t failures)
{
    struct state_line *const line = commons_line(f->fake.commons, slot);
    line->ring_at = bell_ring_at(line->told, failures);
}

static void take_events(struct fixture *f)
{
    struct lane_section *const section = lane_section_at(lane_of(f), 1);
    section->tail = section->head;
    memset(f->fake.commons->header->dirty, 0, sizeof(f->fake.commons->header->dirty));
}

static void test_among_failures_the_one_that_tripd_waits_for_rings(void **state)
{
    struct fixture *const f = *state;
    no_streak_opens(f);
    assert_true(rings(f, NULL)); /* tripd may not know the meter yet */
    take_events(f);
    let_wait(f, f->slot, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_false(rings(f, NULL));
    assert_true(dirty(f, fake_lane_of(&f->fake, getpid()))); /* a tripd that wakes up by itself takes them */
    assert_true(rings(f, NULL));
    assert_true(rings(f, NULL)); /* until tripd says otherwise */
    let_wait(f, f->slot, 2);
    assert_false(rings(f, NULL));
    let_wait(f, f->slot, BELL_EACH);
    assert_true(rings(f, NULL));
    assert_int_equal(fixture_counts(f).failures, 8);
    assert_int_equal(events_in(lane_of(f)), 8);
}

static void test_the_failure_that_opens_rings(void **state)
{
    struct fixture *const f = *state;
    assert_true(rings(f, NULL));
    let_wait(f, f->slot, 1000);
    for (unsigned i = 0; i < 3; i++)
        assert_false(rings(f, NULL));
    assert_true(rings(f, NULL)); /* the fifth in a row */
    assert_int_equal(word_state(fixture_word(f)), WORD_OPEN);
}

static void test_a_ring_of_events_that_is_half_full_rings(void **state)
{
    struct fixture *const f = *state;
    no_streak_opens(f);
    assert_true(rings(f, NULL));
    take_events(f);
    let_wait(f, f->slot, 1000000);
    for (unsigned i = 0; i < 255; i++)
        assert_false(rings(f, NULL));
    assert_true(rings(f, NULL)); /* 256 of 512 */
    take_events(f);
    assert_false(rings(f, NULL));
}

static void test_every_eighth_error_record_rings(void **state)
{
    struct fixture *const f = *state;
    const trip_error error = {.type = TRIP_ERROR_NETWORK, .message = "refused"};
    no_streak_opens(f);
    assert_true(rings(f, NULL));
    let_wait(f, f->slot, 1000000);
    for (unsigned i = 0; i < 7; i++)
        assert_false(rings(f, &error));
    assert_true(rings(f, &error)); /* 8 of 16 */
    for (unsigned i = 0; i < 7; i++)
        assert_false(rings(f, &error));
    assert_true(rings(f, &error));
}

static void test_whatever_is_told_of_a_state_that_is_not_closed_rings(void **state)
{
    struct fixture *const f = *state;
    no_streak_opens(f);
    assert_true(rings(f, NULL));
    let_wait(f, f->slot, 1000000);
    fixture_set(f, word_ramping(2, 1000, 0, 2));
    assert_true(rings(f, NULL));
    assert_true(rings(f, NULL));
}

static void test_a_slow_success_is_told_as_a_failure_is(void **state)
{
    struct fixture *const f = *state;
    assert_true(rings(f, NULL));
    let_wait(f, f->slot, 2);
    f->fake.commons->header->doorbell = DOORBELL_ASLEEP;
    trip_record(f->breaker, TRIP_OK, SLOW_NS);
    assert_int_equal(f->fake.commons->header->doorbell, DOORBELL_ASLEEP);
    trip_record(f->breaker, TRIP_OK, SLOW_NS);
    assert_int_equal(f->fake.commons->header->doorbell, DOORBELL_AWAKE);
}

static bool announced(struct fixture *f)
{
    return lane_of(f)->announced && (lane_of(f)->moved[0] & 1);
}

/* Takes the announced meters, as tripd does at a heartbeat. */
static void take_announced(struct fixture *f)
{
    lane_of(f)->moved[0] = 0;
    lane_of(f)->announced = 0;
    segment_round(f->fake.segment);
}

static void test_a_moved_counter_announces_its_meter_once_in_a_round(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    trip_record(f->breaker, TRIP_OK, 0);
    assert_true(announced(f));
    take_announced(f);
    assert_false(announced(f));
    trip_record(f->breaker, TRIP_OK, 0);
    assert_true(announced(f));
    lane_of(f)->moved[0] = 0;
    record_n(f->breaker, TRIP_OK, 1000);
    assert_false(announced(f)); /* tripd reads it once more, and the round is the same */
    take_announced(f);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    assert_true(announced(f));
    take_announced(f);
    trip_end(&call, TRIP_OK);
    assert_true(announced(f));
    take_announced(f);
    trip_record(f->breaker, TRIP_IGNORED, 0);
    assert_true(announced(f));
    take_announced(f);
    trip_record(f->breaker, TRIP_FAILURE, 0);
    assert_true(announced(f));
    take_announced(f);
    fixture_set(f, word_open(2, 1000000));
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_DENY_OPEN);
    assert_true(announced(f));
}

static void test_a_timeout_is_a_failure_too(void **state)
{
    struct fixture *const f = *state;
    trip_record(f->breaker, TRIP_TIMEOUT, 0);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(counts.total_failures, 1);
    assert_int_equal(counts.total_timeouts, 1);
    assert_int_equal(event_at(lane_of(f), 0)->what >> 21 & 31, TRIP_ERROR_TIMEOUT);
}

static void test_neutral_outcomes_enter_totals_only(void **state)
{
    struct fixture *const f = *state;
    record_n(f->breaker, TRIP_FAILURE, 2);
    record_n(f->breaker, TRIP_IGNORED, 3);
    record_n(f->breaker, TRIP_CANCELLED, 4);
    record_n(f->breaker, (trip_outcome)77, 1);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.ignored, 3);
    assert_int_equal(counts.cancelled, 5); /* what is no outcome, too */
    assert_int_equal(counts.ok + counts.total_ok, 0);
    assert_int_equal(word_streak(fixture_word(f)), 2);
    assert_int_equal(events_in(lane_of(f)), 2);
}

static void test_a_call_is_slow_strictly_after_slow_after(void **state)
{
    struct fixture *const f = *state;
    trip_record(f->breaker, TRIP_OK, SLOW_NS - 1);
    assert_int_equal(events_in(lane_of(f)), 0);
    trip_record(f->breaker, TRIP_OK, SLOW_NS);
    trip_record(f->breaker, TRIP_FAILURE, SLOW_NS);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.slow, 2);
    assert_int_equal(counts.total_slow, 2);
    assert_int_equal(counts.ok, 2);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(events_in(lane_of(f)), 2);
    assert_int_equal(event_at(lane_of(f), 0)->what >> 17 & 15, TRIP_OK | 1 << 3);
    assert_int_equal(event_at(lane_of(f), 1)->slow, 2);
}

static void test_nothing_is_slow_when_slow_after_is_off(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    policy.slow_after_ns = 0;
    fake_settings(&f->fake, f->slot, &policy);
    trip_record(f->breaker, TRIP_OK, UINT64_MAX);
    assert_int_equal(fixture_counts(f).slow, 0);
}

static void test_latencies_fall_into_their_buckets(void **state)
{
    struct fixture *const f = *state;
    trip_record(f->breaker, TRIP_OK, 1);
    trip_record(f->breaker, TRIP_OK, 127);
    trip_record(f->breaker, TRIP_OK, 128);
    trip_record(f->breaker, TRIP_OK, 65535);
    trip_record(f->breaker, TRIP_OK, 65536);
    trip_record(f->breaker, TRIP_FAILURE, 200000);
    trip_record(f->breaker, TRIP_OK, 0); /* unknown */
    trip_record(f->breaker, TRIP_OK, UINT64_MAX);
    const struct meter *const meter = lane_meter_at(lane_of(f), 0);
    static const uint32_t rooms[15] = {[0] = 1, [4] = 2, [5] = 3, [14] = 5}; /* 4 is for errors */
    assert_memory_equal(meter->rooms, rooms, sizeof(rooms));
    assert_int_equal(lane_of(f)->rooms_used, 5);
    assert_int_equal(lane_room_at(lane_of(f), 0)->counters[0], 2);  /* below 128 ns */
    assert_int_equal(lane_room_at(lane_of(f), 0)->counters[8], 1);  /* below 144 ns */
    assert_int_equal(lane_room_at(lane_of(f), 1)->counters[15], 1); /* 63.5 to 65.5 us */
    assert_int_equal(lane_room_at(lane_of(f), 1)->counters[16], 1); /* 65.5 to 69.6 us */
    assert_int_equal(lane_room_at(lane_of(f), 2)->counters[8], 1);  /* 196.6 to 204.8 us */
    assert_int_equal(lane_room_at(lane_of(f), 4)->counters[31], 1); /* 133 s and more */
}

static void test_evidence_starts_anew_with_each_epoch(void **state)
{
    struct fixture *const f = *state;
    record_n(f->breaker, TRIP_OK, 10);
    record_n(f->breaker, TRIP_FAILURE, 2);
    fixture_set(f, word_closed(2, 0, word_generation(fixture_word(f))));
    record_n(f->breaker, TRIP_FAILURE, 1);
    struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.ok, 0);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(event_at(lane_of(f), 2)->ok, evidence_make(2, 0));
    record_n(f->breaker, TRIP_OK, 1);
    counts = fixture_counts(f);
    assert_int_equal(counts.ok, 1);
    assert_int_equal(counts.total_ok, 11);
    assert_int_equal(counts.total_failures, 3);
}

static void test_while_not_closed_every_outcome_is_told_with_its_epoch(void **state)
{
    struct fixture *const f = *state;
    record_n(f->breaker, TRIP_OK, 1);
    fixture_set(f, word_open(2, 99000));
    record_n(f->breaker, TRIP_OK, 2);
    fixture_set(f, word_half_open(3, 99000));
    record_n(f->breaker, TRIP_OK, 1);
    assert_int_equal(events_in(lane_of(f)), 3);
    assert_int_equal(event_at(lane_of(f), 0)->ok, evidence_make(2, 1));
    assert_int_equal(event_at(lane_of(f), 1)->ok, evidence_make(2, 2));
    assert_int_equal(event_at(lane_of(f), 2)->ok, evidence_make(3, 1));
    assert_int_equal(fixture_word(f), word_half_open(3, 99000));
}

static void test_a_full_ring_drops_events_and_no_counts(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    policy.threshold = 0;
    fake_settings(&f->fake, f->slot, &policy);
    record_n(f->breaker, TRIP_FAILURE, LANE_EVENTS + 100);
    struct lane_section *const section = lane_section_at(lane_of(f), 1);
    assert_int_equal(section->head, LANE_EVENTS);
    assert_int_equal(fixture_counts(f).failures, LANE_EVENTS + 100);
    assert_int_equal(word_streak(fixture_word(f)), LANE_EVENTS + 100);
    section->tail = 10; /* tripd has read some */
    record_n(f->breaker, TRIP_FAILURE, 1);
    assert_int_equal(section->head, LANE_EVENTS + 1);
    assert_int_equal(event_at(lane_of(f), LANE_EVENTS)->failures, LANE_EVENTS + 101); /* the dropped ones are derived */
    assert_int_equal(event_at(lane_of(f), LANE_EVENTS)->stamp, LANE_EVENTS + 1);
}

static void test_a_tail_that_no_tripd_wrote_stops_events_alone(void **state)
{
    struct fixture *const f = *state;
    lane_section_at(lane_of(f), 1)->tail = UINT64_C(1) << 63;
    record_n(f->breaker, TRIP_FAILURE, 3);
    assert_int_equal(fixture_counts(f).failures, 3);
    assert_int_equal(events_in(lane_of(f)), 0);
}

static void test_the_streak_saturates_without_being_written_on(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    policy.threshold = 0;
    fake_settings(&f->fake, f->slot, &policy);
    fixture_set(f, word_with_streak(fixture_word(f), WORD_STREAK_MAX - 1));
    record_n(f->breaker, TRIP_FAILURE, 3);
    assert_int_equal(word_streak(fixture_word(f)), WORD_STREAK_MAX);
}

static void test_an_error_is_recorded_with_its_texts(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    char long_message[200];
    memset(long_message, 'x', sizeof(long_message) - 1);
    long_message[sizeof(long_message) - 1] = '\0';
    const trip_error error = {.type = TRIP_ERROR_NETWORK, .message = long_message, .trace = "t-1"};
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    trip_end_error(&call, &error);
    const struct lane_event *const event = event_at(lane_of(f), 0);
    assert_int_equal(event->what, lane_event_what(0, TRIP_FAILURE, false, TRIP_ERROR_NETWORK));
    const struct lane_error *const record = lane_error_at(lane_of(f), 1, 0);
    assert_int_equal(record->stamp, 1);
    assert_int_equal(strlen(record->message), TRIP_ERROR_MESSAGE_MAX);
    assert_string_equal(record->trace, "t-1");
    assert_string_equal(record->session, "");
}

/* Returns the calling thread's record that was written so many before the last one. */
static const struct lane_error *record_of(struct fixture *f, uint64_t before_last)
{
    const uint64_t written = lane_section_at(lane_of(f), 1)->errors;
    return lane_error_at(lane_of(f), 1, written - 1 - before_last);
}

static uint32_t errors_of(struct fixture *f, trip_error_type type)
{
    const struct meter *const meter = lane_meter_at(lane_of(f), 0);
    return meter->errors ? lane_room_at(lane_of(f), meter->errors - 1)->counters[type] : 0;
}

static void test_a_text_is_cut_at_the_end_of_a_character_and_marked_as_cut(void **state)
{
    struct fixture *const f = *state;
    char message[TRIP_ERROR_MESSAGE_MAX + 2] = {0}, id[TRIP_ERROR_ID_MAX + 1] = {0};
    memset(message, 'x', TRIP_ERROR_MESSAGE_MAX - 1);
    memcpy(message + TRIP_ERROR_MESSAGE_MAX - 1, "\xc3\xa9", 2); /* an e acute, half of which there is room for */
    memset(id, 'i', TRIP_ERROR_ID_MAX);
    trip_report_error(f->breaker, &(trip_error){.message = message, .correlation = id});
    assert_int_equal(strlen(record_of(f, 0)->message), TRIP_ERROR_MESSAGE_MAX - 1);
    assert_int_equal(strlen(record_of(f, 0)->correlation), TRIP_ERROR_ID_MAX);
    assert_int_equal(record_of(f, 0)->cut, ERROR_CUT_MESSAGE);
}

static void test_context_pairs_are_kept_whole_as_far_as_they_fit(void **state)
{
    struct fixture *const f = *state;
    char long_value[200] = {0};
    memset(long_value, 'v', sizeof(long_value) - 1);
    const trip_context fits[] = {{"table", "orders"}, {NULL, "no key"}, {"no value", NULL}, {"shard", "7"}},
                       too_long[] = {{"a", "1"}, {"b", long_value}, {"c", "3"}};
    trip_context nine[9];
    for (unsigned i = 0; i < 9; i++)
        nine[i] = (trip_context){"k", "v"};
    trip_report_error(f->breaker, &(trip_error){.context = fits, .context_count = 4});
    assert_int_equal(record_of(f, 0)->pairs, 2);
    assert_memory_equal(record_of(f, 0)->context,
                        "table\0orders\0shard\0"
                        "7\0",
                        22);
    assert_int_equal(record_of(f, 0)->cut, 0);
    trip_report_error(f->breaker, &(trip_error){.context = too_long, .context_count = 3});
    assert_int_equal(record_of(f, 0)->pairs, 1);
    assert_int_equal(record_of(f, 0)->cut, ERROR_CUT_CONTEXT);
    trip_report_error(f->breaker, &(trip_error){.context = nine, .context_count = 9});
    assert_int_equal(record_of(f, 0)->pairs, 8);
    assert_int_equal(record_of(f, 0)->cut, ERROR_CUT_CONTEXT);
}

static void test_an_error_of_no_call_is_counted_and_recorded_and_no_evidence(void **state)
{
    struct fixture *const f = *state;
    const uint64_t word = fixture_word(f);
    for (unsigned i = 0; i < 5; i++)
        trip_report_error(f->breaker, &(trip_error){.type = TRIP_ERROR_NETWORK, .message = "health check"});
    trip_report_error(f->breaker, NULL);
    assert_int_equal(errors_of(f, TRIP_ERROR_NETWORK), 5);
    assert_int_equal(errors_of(f, TRIP_ERROR_UNKNOWN), 1);
    assert_int_equal(record_of(f, 1)->outside, 1);
    assert_string_equal(record_of(f, 1)->message, "health check");
    assert_int_equal(fixture_word(f), word);
    assert_int_equal(fixture_counts(f).failures, 0);
    assert_int_equal(fixture_counts(f).total_failures, 0);
    assert_int_equal(events_in(lane_of(f)), 0);
}

static void test_each_failure_is_counted_by_its_type(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    record_n(f->breaker, TRIP_FAILURE, 2);
    record_n(f->breaker, TRIP_TIMEOUT, 1);
    record_n(f->breaker, TRIP_IGNORED, 1);
    trip_begin(f->breaker, &call);
    trip_end_error(&call, &(trip_error){.type = TRIP_ERROR_USER + 15});
    assert_int_equal(errors_of(f, TRIP_ERROR_UNKNOWN), 2);
    assert_int_equal(errors_of(f, TRIP_ERROR_TIMEOUT), 1);
    assert_int_equal(errors_of(f, TRIP_ERROR_USER + 15), 1);
    assert_int_equal(lane_section_at(lane_of(f), 1)->errors, 0); /* of which nothing else is known */
}

static void test_an_error_of_type_timeout_ends_as_a_timeout(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    const trip_error error = {.type = TRIP_ERROR_TIMEOUT};
    trip_begin(f->breaker, &call);
    trip_end_error(&call, &error);
    assert_int_equal(fixture_counts(f).total_timeouts, 1);
    assert_int_equal(errors_of(f, TRIP_ERROR_TIMEOUT), 1);
}

static void test_begin_and_end_count_what_is_in_flight(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[3];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(trip_begin(f->breaker, &calls[i]), TRIP_ALLOW);
    assert_int_equal(fixture_counts(f).started, 3);
    assert_int_equal(fixture_counts(f).finished, 0);
    fake_clock(&f->fake, 1200);
    trip_end(&calls[0], TRIP_OK);
    trip_end(&calls[1], TRIP_FAILURE);
    trip_end(&calls[2], TRIP_CANCELLED);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.finished, 3);
    assert_int_equal(counts.ok, 1);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(counts.cancelled, 1);
    assert_int_equal(lane_latency(lane_of(f), 0, latency_bucket(200000000)), 2);
}

static void test_the_second_end_of_a_call_does_nothing(void **state)
{
    struct fixture *const f = *state;
    trip_call call, moved;
    trip_begin(f->breaker, &call);
    memcpy(&moved, &call, sizeof(moved));
    trip_end(&moved, TRIP_OK);
    trip_end(&moved, TRIP_FAILURE);
    assert_int_equal(fixture_counts(f).total_ok, 1);
    assert_int_equal(fixture_counts(f).total_failures, 0);
}

static void test_the_end_of_a_denied_call_does_nothing(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    fixture_set(f, word_open(2, 99000));
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_DENY_OPEN);
    trip_end(&call, TRIP_FAILURE);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.denied, 1);
    assert_int_equal(counts.total_failures + counts.started + counts.finished, 0);
}

static void test_a_call_that_outlives_its_epoch_is_late(void **state)
{
    struct fixture *const f = *state;
    trip_call ok, failed, ignored;
    trip_begin(f->breaker, &ok);
    trip_begin(f->breaker, &failed);
    trip_begin(f->breaker, &ignored);
    fixture_set(f, word_closed(2, 3, word_generation(fixture_word(f))));
    trip_end(&ok, TRIP_OK);
    trip_end(&failed, TRIP_FAILURE);
    trip_end(&ignored, TRIP_IGNORED);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.late, 2);
    assert_int_equal(counts.ignored, 1);
    assert_int_equal(counts.total_ok + counts.total_failures, 0);
    assert_int_equal(counts.finished, 3);
    assert_int_equal(word_streak(fixture_word(f)), 3);
    assert_int_equal(events_in(lane_of(f)), 0);
}

static void test_watched_calls_stand_in_the_table_and_ring(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    trip_call first, second;
    policy.watched = true;
    fake_settings(&f->fake, f->slot, &policy);
    assert_int_equal(trip_begin(f->breaker, &first), TRIP_ALLOW);
    assert_true(dirty(f, fake_lane_of(&f->fake, getpid())));
    memset(f->fake.commons->header->dirty, 0, sizeof(f->fake.commons->header->dirty));
    assert_int_equal(trip_begin(f->breaker, &second), TRIP_ALLOW);
    assert_false(dirty(f, fake_lane_of(&f->fake, getpid()))); /* others were in flight */
    struct lane_call *const entry = lane_call_at(lane_of(f), 0);
    assert_int_equal(entry->state, lane_call_state(0, 1, LANE_CALL_RUNNING));
    assert_int_equal(entry->ticks, UINT64_C(1000000000));
    trip_end(&first, TRIP_OK);
    assert_int_equal(lane_call_status(entry->state), LANE_CALL_FREE);
    trip_end(&second, TRIP_OK);
    assert_int_equal(fixture_counts(f).ok, 2);
}

static void test_a_stalled_call_that_returns_enters_totals_only(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    trip_call stalling, stalled;
    policy.watched = true;
    fake_settings(&f->fake, f->slot, &policy);
    trip_begin(f->breaker, &stalling);
    trip_begin(f->breaker, &stalled);
    struct lane_call *const entries = lane_call_at(lane_of(f), 0);
    entries[0].state = lane_call_with_status(entries[0].state, LANE_CALL_STALLING);
    entries[1].state = lane_call_with_status(entries[1].state, LANE_CALL_STALLED);
    trip_end(&stalling, TRIP_OK);
    trip_end(&stalled, TRIP_FAILURE);
    assert_int_equal(lane_call_status(entries[0].state), LANE_CALL_RETURNED);
    assert_int_equal(lane_call_status(entries[1].state), LANE_CALL_FREE);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.late, 2);
    assert_int_equal(counts.ok + counts.failures, 0);
    assert_int_equal(counts.finished, 2);
    assert_int_equal(word_streak(fixture_word(f)), 0);
}

static void test_a_full_table_of_calls_watches_no_more(void **state)
{
    struct fixture *const f = *state;
    struct fake_policy policy = fake_policy_default;
    trip_call call;
    policy.watched = true;
    fake_settings(&f->fake, f->slot, &policy);
    trip_record(f->breaker, TRIP_OK, 0);
    for (uint32_t i = 0; i < LANE_CALLS; i++)
        lane_call_at(lane_of(f), i)->state = lane_call_state(0, 1, LANE_CALL_RUNNING);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    trip_end(&call, TRIP_OK);
    assert_int_equal(fixture_counts(f).ok, 2);
}

static void test_info_tells_what_tripd_published(void **state)
{
    struct fixture *const f = *state;
    trip_info info;
    struct core_state *const core = segment_begin(f->fake.segment, f->slot);
    core->head.window_calls = 40;
    core->head.window_failures = 10;
    core->head.window_slow = 3;
    core->head.minimum_calls = 20;
    segment_commit(f->fake.segment);
    segment_detail_state(f->fake.segment, f->slot, TRIP_REASON_FAILURE_RATE, 1000, 0);
    record_n(f->breaker, TRIP_FAILURE, 2);
    assert_int_equal(trip_breaker_info(f->breaker, &info), 0);
    assert_int_equal(info.state, TRIP_STATE_CLOSED);
    assert_int_equal(info.mode, TRIP_MODE_AUTO);
    assert_int_equal(info.reason, TRIP_REASON_FAILURE_RATE);
    assert_int_equal(info.client, TRIP_CLIENT_SHARED);
    assert_int_equal(info.consecutive_failures, 2);
    assert_int_equal(info.window_calls, 40);
    assert_int_equal(info.failure_rate_permille, 250);
    assert_int_equal(info.slow_rate_permille, 75);
    assert_int_equal(info.calls_until_rate, 0);
    fixture_set(f, word_half_open(3, 11000));
    fake_arm(&f->fake, f->slot, 0);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.state, TRIP_STATE_HALF_OPEN);
    assert_int_equal(info.permits_free, 1);
    assert_int_equal(info.retry_after_ms, 0);
    fixture_set(f, word_open(4, 11500));
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.retry_after_ms, 10500);
    fake_mode(&f->fake, f->slot, TRIP_MODE_FORCED_OPEN, 0);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.mode, TRIP_MODE_FORCED_OPEN);
    assert_true(info.retry_after_ms == UINT64_MAX);
    fake_mode(&f->fake, f->slot, TRIP_MODE_FORCED_OPEN, 4000);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.retry_after_ms, 10500); /* open is what it is when the mode ends */
    fake_mode(&f->fake, f->slot, TRIP_MODE_FORCED_OPEN, 14000);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.retry_after_ms, 13000);
}

static void test_a_probe_whose_lease_is_over_keeps_nobody_waiting(void **state)
{
    struct fixture *const f = *state;
    trip_info info;
    fixture_set(f, word_probing(3, 9, 1640)); /* the clock says 1000 */
    trip_breaker_info(f->breaker, &info);
    assert_in_range(info.retry_after_ms, 600, 704);
    fixture_set(f, word_probing(3, 9, 640));
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.retry_after_ms, 0);
}

static void test_rates_are_unknown_before_minimum_calls(void **state)
{
    struct fixture *const f = *state;
    trip_info info;
    struct core_state *const core = segment_begin(f->fake.segment, f->slot);
    core->head.window_calls = 19;
    core->head.window_failures = 19;
    core->head.minimum_calls = 20;
    segment_commit(f->fake.segment);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.failure_rate_permille, -1);
    assert_int_equal(info.slow_rate_permille, -1);
    assert_int_equal(info.calls_until_rate, 1);
}

/* A given latency of 60 s is slow, whatever the clock says; for an unknown latency the clock counts. */
static void test_a_caller_may_give_a_call_s_latency(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    trip_end_after(&call, TRIP_OK, SLOW_NS);
    trip_end_after(&call, TRIP_OK, SLOW_NS); /* is over */
    assert_int_equal(fixture_counts(f).total_slow, 1);
    assert_int_equal(fixture_counts(f).total_ok, 1);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    fake_clock(&f->fake, 100000);
    trip_end_after(&call, TRIP_OK, 1000000);
    assert_int_equal(fixture_counts(f).total_slow, 1);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    fake_clock(&f->fake, 200000);
    trip_end_after(&call, TRIP_OK, 0);
    assert_int_equal(fixture_counts(f).total_slow, 2);
}

/* ------------------------------------------------------------------------------------------- calls without a clock */

static void untime(struct fixture *f)
{
    f->fake.segment->policies[f->slot].limits = 0;
}

static uint64_t latencies(struct fixture *f, uint64_t least_ns)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < lane_of(f)->meters_used; i++)
        for (uint32_t bucket = latency_bucket(least_ns); bucket < LATENCY_BUCKETS; bucket++)
            count += lane_latency(lane_of(f), i, bucket);
    return count;
}

static void one_call(struct fixture *f, trip_outcome outcome, uint64_t *now_ms, unsigned ms)
{
    trip_call call;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    if (ms)
        fake_clock(&f->fake, *now_ms += ms);
    trip_end(&call, outcome);
}

/* Expected are 4,000 of 64,000, and 250 of the 4,000 slow ones, which come in the sampler's own rhythm: bounds are
 * seven times what chance moves them by. */
static void test_where_no_rule_needs_it_one_call_in_sixteen_is_timed_whatever_the_rhythm(void **state)
{
    struct fixture *const f = *state;
    uint64_t now_ms = 1000;
    untime(f);
    for (unsigned i = 0; i < 64000; i++)
        one_call(f, TRIP_OK, &now_ms, i % SAMPLED_ONE_IN == 0 ? 1000 : 0);
    assert_int_equal(fixture_counts(f).ok, 64000);
    assert_in_range(latencies(f, 0), 4000 - 430, 4000 + 430);
    assert_in_range(latencies(f, UINT64_C(900000000)), 250 - 107, 250 + 107);
}

/* Makes calls in a thread whose destructors have run, so that it shares section 0. */
static void *calls_in_the_shared_section(void *context)
{
    struct fixture *const f = context;
    uint64_t now_ms = 1000;
    thread_self.exiting = true;
    for (unsigned i = 0; i < 16000; i++)
        one_call(f, TRIP_OK, &now_ms, 0);
    return NULL;
}

/* Expected are 1,000 of 16,000: bounds are seven times what chance moves them by. */
static void test_a_section_that_threads_share_times_as_few_calls(void **state)
{
    struct fixture *const f = *state;
    pthread_t thread;
    untime(f);
    assert_int_equal(pthread_create(&thread, NULL, calls_in_the_shared_section, f), 0);
    pthread_join(thread, NULL);
    assert_int_equal(fixture_counts(f).ok, 16000);
    assert_in_range(latencies(f, 0), 1000 - 215, 1000 + 215);
    f->fake.segment->policies[f->slot].limits = POLICY_TIMED;
    const uint64_t before = latencies(f, 0);
    assert_int_equal(pthread_create(&thread, NULL, calls_in_the_shared_section, f), 0);
    pthread_join(thread, NULL);
    assert_int_equal(latencies(f, 0) - before, 16000);
}

static void test_a_call_begun_untimed_has_no_latency_also_if_a_reload_times_it(void **state)
{
    struct fixture *const f = *state;
    static const trip_outcome outcomes[] = {TRIP_OK, TRIP_FAILURE, TRIP_TIMEOUT};
    trip_call calls[3];
    untime(f);
    thread_self.to_sample = 1000;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(trip_begin(f->breaker, &calls[i]), TRIP_ALLOW);
    f->fake.segment->policies[f->slot].limits = POLICY_TIMED;
    fake_clock(&f->fake, 200000);
    for (unsigned i = 0; i < 3; i++)
        trip_end(&calls[i], outcomes[i]);
    assert_int_equal(fixture_counts(f).total_ok, 1);
    assert_int_equal(fixture_counts(f).total_failures, 2);
    assert_int_equal(fixture_counts(f).total_slow, 0);
    assert_int_equal(latencies(f, 0), 0);
    assert_int_equal(event_at(lane_of(f), 0)->ticks, UINT64_C(200000000000)); /* but its failure has a time */
}

static void test_a_sampled_call_has_a_latency_and_is_not_slow(void **state)
{
    struct fixture *const f = *state;
    uint64_t now_ms = 1000;
    untime(f);
    thread_self.to_sample = 1;
    one_call(f, TRIP_OK, &now_ms, 70000);
    assert_int_equal(latencies(f, 1), 1);
    assert_int_equal(fixture_counts(f).total_slow, 0);
    trip_info info;
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.slow_rate_permille, -1);
}

static void test_a_deadline_times_its_call_and_a_known_latency_needs_no_clock(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    untime(f);
    thread_self.to_sample = 1000;
    assert_int_equal(trip_begin_with(f->breaker, &call, &(trip_options){.within_ns = UINT64_C(60000000000)}),
                     TRIP_ALLOW);
    fake_clock(&f->fake, 1200);
    trip_end(&call, TRIP_OK);
    assert_int_equal(latencies(f, 0), 1);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    trip_end_after(&call, TRIP_OK, 200000000);
    assert_int_equal(lane_latency(lane_of(f), 0, latency_bucket(200000000)), 2);
}

static void test_a_call_that_takes_a_token_is_timed_no_more_than_others(void **state)
{
    struct fixture *const f = *state;
    struct policy_slot *const policy = &f->fake.segment->policies[f->slot];
    const struct rate_share share = bucket_share(&(struct rate){.limit = 1000, .per = 1000000000, .burst = 1000}, 0);
    uint64_t now_ms = 1000;
    policy->rate_step = share.step;
    for (unsigned priority = 0; priority < TRIP_PRIORITY_COUNT; priority++)
        policy->rate_shares[priority] = share.share;
    policy->limits = POLICY_RATE;
    thread_self.to_sample = 2;
    one_call(f, TRIP_OK, &now_ms, 200);
    assert_int_equal(latencies(f, 0), 0);
    one_call(f, TRIP_OK, &now_ms, 200);
    assert_int_equal(latencies(f, 0), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_successes_are_counted_and_not_told),
        TEST(test_a_failure_is_counted_told_and_rung),
        TEST(test_among_failures_the_one_that_tripd_waits_for_rings),
        TEST(test_the_failure_that_opens_rings),
        TEST(test_a_ring_of_events_that_is_half_full_rings),
        TEST(test_every_eighth_error_record_rings),
        TEST(test_whatever_is_told_of_a_state_that_is_not_closed_rings),
        TEST(test_a_slow_success_is_told_as_a_failure_is),
        TEST(test_a_moved_counter_announces_its_meter_once_in_a_round),
        TEST(test_a_timeout_is_a_failure_too),
        TEST(test_neutral_outcomes_enter_totals_only),
        TEST(test_a_call_is_slow_strictly_after_slow_after),
        TEST(test_nothing_is_slow_when_slow_after_is_off),
        TEST(test_latencies_fall_into_their_buckets),
        TEST(test_evidence_starts_anew_with_each_epoch),
        TEST(test_while_not_closed_every_outcome_is_told_with_its_epoch),
        TEST(test_a_full_ring_drops_events_and_no_counts),
        TEST(test_a_tail_that_no_tripd_wrote_stops_events_alone),
        TEST(test_the_streak_saturates_without_being_written_on),
        TEST(test_an_error_is_recorded_with_its_texts),
        TEST(test_a_text_is_cut_at_the_end_of_a_character_and_marked_as_cut),
        TEST(test_context_pairs_are_kept_whole_as_far_as_they_fit),
        TEST(test_an_error_of_no_call_is_counted_and_recorded_and_no_evidence),
        TEST(test_each_failure_is_counted_by_its_type),
        TEST(test_an_error_of_type_timeout_ends_as_a_timeout),
        TEST(test_begin_and_end_count_what_is_in_flight),
        TEST(test_the_second_end_of_a_call_does_nothing),
        TEST(test_the_end_of_a_denied_call_does_nothing),
        TEST(test_a_call_that_outlives_its_epoch_is_late),
        TEST(test_watched_calls_stand_in_the_table_and_ring),
        TEST(test_a_stalled_call_that_returns_enters_totals_only),
        TEST(test_a_full_table_of_calls_watches_no_more),
        TEST(test_info_tells_what_tripd_published),
        TEST(test_a_probe_whose_lease_is_over_keeps_nobody_waiting),
        TEST(test_rates_are_unknown_before_minimum_calls),
        TEST(test_a_caller_may_give_a_call_s_latency),
        TEST(test_where_no_rule_needs_it_one_call_in_sixteen_is_timed_whatever_the_rhythm),
        TEST(test_a_section_that_threads_share_times_as_few_calls),
        TEST(test_a_call_begun_untimed_has_no_latency_also_if_a_reload_times_it),
        TEST(test_a_sampled_call_has_a_latency_and_is_not_slow),
        TEST(test_a_deadline_times_its_call_and_a_known_latency_needs_no_clock),
        TEST(test_a_call_that_takes_a_token_is_timed_no_more_than_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
