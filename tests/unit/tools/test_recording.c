/* A recording: what is read back is what could be seen, in every order; and what is cut, damaged or forged is left out
 * or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../support/segment_dir.h"
#include "internal/state_word.h"
#include "recorder.h"
#include "recording.h"

#define MIB (UINT64_C(1) << 20)

struct fixture {
    struct segment_dir dir;
    struct segment *segment;
    uint32_t slot; /* of "db" */
    char path[128];
    struct snapshot *living;
    struct recorder *recorder;
    struct recording *recording;
};

static uint32_t make_breaker(struct segment *segment, const char *name)
{
    static const struct segment_policy policy = {.threshold = 5, .permits = 1};
    uint32_t slot;
    if (segment_slots_wanted(segment) > segment->slots)
        assert_int_equal(segment_reserve(segment, segment_slots_wanted(segment)), 0);
    assert_int_equal(segment_take(segment, name, 0, &slot), 0);
    struct breaker_settings settings;
    breaker_settings_defaults(&settings);
    core_init(segment_begin(segment, slot), &settings, 0);
    segment_commit(segment);
    segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_mirror(segment, slot, word_closed(7, 0, 1));
    segment_name_publish(segment, slot);
    return slot;
}

static void count_calls(struct fixture *fixture, uint64_t calls)
{
    segment_begin(fixture->segment, fixture->slot)->head.totals.calls = calls;
    segment_commit(fixture->segment);
}

static struct snapshot *opened(const char *path)
{
    struct snapshot *snapshot;
    char *why;
    assert_int_equal(snapshot_open(path, false, &snapshot, &why), 0);
    return snapshot;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    segment_dir_make(&fixture.dir);
    fixture.segment = segment_dir_create(&fixture.dir, 200, 4);
    fixture.slot = make_breaker(fixture.segment, "db");
    snprintf(fixture.path, sizeof(fixture.path), "%s/recording", fixture.dir.dir);
    fixture.living = opened(fixture.dir.path);
    assert_int_equal(recorder_open(fixture.path, 64 * MIB, &fixture.recorder), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    recording_close(fixture->recording);
    if (fixture->recorder)
        recorder_close(fixture->recorder);
    snapshot_close(fixture->living);
    segment_unmap(fixture->segment);
    segment_dir_remove(&fixture->dir);
    return 0;
}

static void look(struct fixture *fixture)
{
    assert_int_equal(recorder_look(fixture->recorder, fixture->living, REPORT_RUNNING), 0);
}

/* Looks once for each number of calls from 1 on. */
static void record_counts(struct fixture *fixture, uint64_t looks)
{
    for (uint64_t calls = 1; calls <= looks; calls++) {
        count_calls(fixture, calls);
        look(fixture);
    }
}

static struct recording *reopened(struct fixture *fixture)
{
    char *why;
    fixture->recording = recording_close(fixture->recording);
    assert_int_equal(recording_open(fixture->path, &fixture->recording, &why), 0);
    assert_null(why);
    return fixture->recording;
}

static struct snapshot_breaker seen_at(struct recording *recording, uint32_t frame, const char *name)
{
    struct snapshot_breaker breaker;
    assert_int_equal(recording_go(recording, frame), 0);
    assert_true(snapshot_find(recording_snapshot(recording), name, &breaker));
    return breaker;
}

static uint64_t calls_at(struct recording *recording, uint32_t frame)
{
    return seen_at(recording, frame, "db").core.totals.calls;
}

/* ----------------------------------------------------------------------------------------------------- there and back
 */

static void test_each_look_is_read_back_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t order[] = {0, 1, 2, 199, 0, 59, 60, 61, 60, 59, 121, 120, 119, 179, 178, 180, 62, 62, 198, 199};
    record_counts(fixture, 200);
    struct recording *const recording = reopened(fixture);
    assert_int_equal(recording_frames(recording), 200);
    assert_int_equal(recording_cut(recording), 0);
    assert_null(recording_snapshot(recording));
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        assert_int_equal(calls_at(recording, order[i]), order[i] + 1);
    for (uint32_t frame = 200; frame-- > 0;)
        assert_int_equal(calls_at(recording, frame), frame + 1);
    assert_int_equal(recording_go(recording, 200), -EINVAL);
}

static void test_states_errors_and_events_are_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct error_record record;
    struct transition event;
    static const struct correlation_settings settings = {.window = 60 * TRIP_S, .max_errors = 100};
    assert_int_equal(segment_correlation_publish(fixture->segment, &settings), 0);
    look(fixture);
    segment_error(fixture->segment, &(struct error_record){.breaker = fixture->slot, .message = "refused"});
    segment_transition(
        fixture->segment,
        &(struct transition){.breaker = fixture->slot, .to = TRIP_STATE_OPEN, .reason = TRIP_REASON_FAILURE_RATE}, 9);
    segment_mirror(fixture->segment, fixture->slot, word_open(8, 30009));
    look(fixture);
    struct recording *const recording = reopened(fixture);
    assert_int_equal(word_state(seen_at(recording, 0, "db").report.word), WORD_CLOSED);
    assert_false(snapshot_error(recording_snapshot(recording), 0, &record));
    assert_false(snapshot_transition(recording_snapshot(recording), 0, &event));
    assert_int_equal(word_state(seen_at(recording, 1, "db").report.word), WORD_OPEN);
    assert_true(snapshot_error(recording_snapshot(recording), 0, &record));
    assert_string_equal(record.message, "refused");
    assert_true(snapshot_transition(recording_snapshot(recording), 0, &event));
    assert_int_equal(event.reason, TRIP_REASON_FAILURE_RATE);
}

static void test_a_segment_that_grows_is_followed(void **state)
{
    struct fixture *fixture = *state;
    char name[16];
    look(fixture);
    for (unsigned i = 0; i < 130; i++) {
        snprintf(name, sizeof(name), "more-%u", i);
        make_breaker(fixture->segment, name);
        look(fixture);
    }
    struct recording *const recording = reopened(fixture);
    assert_int_equal(recording_frames(recording), 131);
    assert_string_equal(seen_at(recording, 130, "more-129").detail.name, "more-129");
    assert_int_equal(snapshot_slots(recording_snapshot(recording)), 192);
    assert_int_equal(recording_go(recording, 0), 0);
    assert_int_equal(snapshot_slots(recording_snapshot(recording)), 64);
    struct snapshot_breaker breaker;
    assert_false(snapshot_find(recording_snapshot(recording), "more-0", &breaker));
    assert_string_equal(seen_at(recording, 70, "more-69").detail.name, "more-69");
}

static void test_another_segment_of_the_same_size_is_followed(void **state)
{
    struct fixture *fixture = *state;
    record_counts(fixture, 3);
    const uint64_t first = fixture->segment->header->segment_id;
    segment_unmap(fixture->segment);
    fixture->segment = segment_dir_create(&fixture->dir, 200, 4);
    const uint64_t second = fixture->segment->header->segment_id;
    fixture->slot = make_breaker(fixture->segment, "mail");
    snapshot_close(fixture->living);
    fixture->living = opened(fixture->dir.path);
    count_calls(fixture, 7);
    look(fixture);
    look(fixture);
    struct recording *const recording = reopened(fixture);
    assert_int_equal(seen_at(recording, 4, "mail").core.totals.calls, 7);
    assert_int_equal(snapshot_header(recording_snapshot(recording)).segment_id, second);
    assert_int_equal(calls_at(recording, 2), 3);
    assert_int_equal(snapshot_header(recording_snapshot(recording)).segment_id, first);
    assert_int_equal(seen_at(recording, 3, "mail").core.totals.calls, 7);
}

/* Now is the time of the look, however late it is read. */
static void test_time_and_tripd_are_those_of_the_look(void **state)
{
    struct fixture *fixture = *state;
    snapshot_close(fixture->living);
    segment_unmap(fixture->segment);
    clock_measure(&fixture->dir.clock, false);
    fixture->segment = segment_dir_create(&fixture->dir, 200, 4);
    fixture->living = opened(fixture->dir.path);
    segment_heartbeat(fixture->segment);
    fixture->segment->header->created_mono_ns = monotonic_ns() - 60 * TRIP_S;
    look(fixture);
    fixture->segment->header->heartbeat_mono_ns -= 30 * TRIP_S;
    assert_int_equal(recorder_look(fixture->recorder, fixture->living, REPORT_DEAD), 0);
    fixture->segment->header->boot_id[0] ^= 1; /* as one of another boot, whose time stands still */
    assert_int_equal(recorder_look(fixture->recorder, fixture->living, REPORT_GONE), 0);

    struct recording *const recording = reopened(fixture);
    const uint64_t created_ns = fixture->segment->header->created_mono_ns;
    const enum report_daemon expected[] = {REPORT_RUNNING, REPORT_DEAD, REPORT_GONE};
    for (uint32_t frame = 0; frame < 3; frame++) {
        assert_int_equal(recording_go(recording, frame), 0);
        const struct snapshot *const snapshot = recording_snapshot(recording);
        const struct recording_look at = recording_at(recording, frame);
        assert_int_equal(at.daemon, expected[frame]);
        assert_int_equal(snapshot_daemon(snapshot), expected[frame]);
        assert_int_equal(snapshot_known_daemon(snapshot), expected[frame]);
        if (frame < 2)
            assert_int_equal(snapshot_now_ms(snapshot), (at.mono_ns - created_ns) / TRIP_MS);
        else
            assert_in_range(snapshot_now_ms(snapshot), 29000, 31000 + (at.mono_ns - created_ns) / TRIP_MS - 60000);
    }
    const uint64_t last = recording_at(recording, 2).unix_ms;
    assert_int_equal(recording_find(recording, last), 2);
    assert_int_equal(recording_find(recording, UINT64_MAX), 2);
    assert_int_equal(recording_find(recording, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_look_is_read_back_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_states_errors_and_events_are_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_segment_that_grows_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_segment_of_the_same_size_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_and_tripd_are_those_of_the_look, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
