/* Reading a segment: a living one, a copy in a file, and forged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "../../support/segment_dir.h"
#include "internal/state_word.h"
#include "snapshot.h"

struct fixture {
    struct segment_dir dir;
    struct segment *segment;
    char copy[128];
};

static uint32_t make_breaker(struct segment *segment, const char *name, uint64_t calls)
{
    static const struct segment_policy policy = {.threshold = 5, .permits = 1};
    uint32_t slot;
    assert_int_equal(segment_take(segment, name, 0, &slot), 0);
    struct breaker_settings settings;
    breaker_settings_defaults(&settings);
    struct core_state *core = segment_begin(segment, slot);
    core_init(core, &settings, 0);
    core->head.totals.calls = core->head.totals.ok = calls;
    segment_commit(segment);
    segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_mirror(segment, slot, word_closed(7, 2, 1));
    segment_name_publish(segment, slot);
    return slot;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    segment_dir_make(&fixture.dir);
    fixture.segment = segment_dir_create(&fixture.dir, 8, 4);
    snprintf(fixture.copy, sizeof(fixture.copy), "%s/copy", fixture.dir.dir);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    segment_unmap(fixture->segment);
    segment_dir_remove(&fixture->dir);
    return 0;
}

static struct snapshot *opened(const char *path, bool is_file)
{
    struct snapshot *snapshot;
    char *why;
    assert_int_equal(snapshot_open(path, is_file, &snapshot, &why), 0);
    assert_null(why);
    return snapshot;
}

static void make_copy(const struct fixture *fixture, size_t size)
{
    segment_dir_copy(fixture->segment, fixture->copy, size);
}

static void write_at(const struct fixture *fixture, uint64_t at, const void *bytes, size_t size)
{
    const int fd = open(fixture->copy, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)at), size);
    close(fd);
}

static void test_a_breaker_is_found_by_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    make_breaker(fixture->segment, "cache", 1);
    make_breaker(fixture->segment, "db", 41);
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    assert_true(snapshot_find(snapshot, "db", &breaker));
    assert_string_equal(breaker.detail.name, "db");
    assert_int_equal(breaker.core.totals.calls, 41);
    assert_int_equal(word_streak(breaker.report.word), 2);
    assert_false(snapshot_find(snapshot, "none", &breaker));
    snapshot_close(snapshot);
}

static void test_a_forgotten_breaker_is_not_shown(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    const uint32_t slot = make_breaker(fixture->segment, "db", 1);
    segment_forget(fixture->segment, slot);
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    assert_false(snapshot_breaker(snapshot, slot, &breaker));
    snapshot_close(snapshot);
}

static void test_a_copy_in_a_file_says_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    make_breaker(fixture->segment, "db", 17);
    make_copy(fixture, fixture->segment->size);
    struct snapshot *snapshot = opened(fixture->copy, true);
    assert_true(snapshot_find(snapshot, "db", &breaker));
    assert_int_equal(breaker.core.totals.calls, 17);
    assert_int_equal(snapshot_slots(snapshot), 64);
    assert_int_equal(snapshot_lanes(snapshot), 4095);
    snapshot_close(snapshot);
}

static void test_latencies_are_read_from_a_living_segment_and_from_a_copy(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    const uint32_t calls[LATENCY_GROUP] = {[0] = 41, [31] = 1};
    make_breaker(fixture->segment, "cache", 1);
    const uint32_t slot = make_breaker(fixture->segment, "db", 17);
    segment_latency_add(fixture->segment, slot, 5, calls);
    segment_latency_add(fixture->segment, slot, 14, calls);
    make_copy(fixture, fixture->segment->size);
    for (unsigned is_file = 0; is_file < 2; is_file++) {
        struct snapshot *snapshot = opened(is_file ? fixture->copy : fixture->dir.path, is_file);
        assert_true(snapshot_find(snapshot, "db", &breaker));
        assert_int_equal(breaker.report.latency[160], 41);
        assert_int_equal(breaker.report.latency[191], 1);
        assert_int_equal(breaker.report.latency[448], 41);
        assert_int_equal(latency_calls(breaker.report.latency), 84);
        assert_true(snapshot_find(snapshot, "cache", &breaker));
        assert_int_equal(latency_calls(breaker.report.latency), 0);
        snapshot_close(snapshot);
    }
}

static void test_reporters_are_read_from_a_living_segment_and_from_a_copy(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    make_breaker(fixture->segment, "cache", 1);
    const uint32_t slot = make_breaker(fixture->segment, "db", 17);
    const struct reporters_shown shown = {.count = 1, .lanes = {{.lane = 3, .calls = 17, .failures = 4}}};
    segment_reporters_show(fixture->segment, slot, &shown);
    make_copy(fixture, fixture->segment->size);
    for (unsigned is_file = 0; is_file < 2; is_file++) {
        struct snapshot *snapshot = opened(is_file ? fixture->copy : fixture->dir.path, is_file);
        assert_true(snapshot_find(snapshot, "db", &breaker));
        assert_int_equal(breaker.report.reporters->count, 1);
        assert_int_equal(breaker.report.reporters->lanes[0].lane, 3);
        assert_int_equal(breaker.report.reporters->lanes[0].calls, 17);
        assert_int_equal(breaker.report.reporters->lanes[0].failures, 4);
        assert_true(snapshot_find(snapshot, "cache", &breaker));
        assert_int_equal(breaker.report.reporters->count, 0);
        snapshot_close(snapshot);
    }
}

static void test_forged_reporters_are_shown_as_far_as_there_are_places(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    const uint32_t slot = make_breaker(fixture->segment, "db", 17);
    memset(&fixture->segment->reporters[slot], 0xff, sizeof(struct reporters_shown)); /* as if always being written */
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    assert_true(snapshot_find(snapshot, "db", &breaker));
    json_t *show = report_show(&breaker.report);
    assert_int_equal(json_array_size(json_object_get(json_object_get(show, "reporters"), "lanes")), 8);
    json_decref(show);
    snapshot_close(snapshot);
}

static void test_a_group_that_has_no_memory_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot_breaker breaker;
    const uint32_t slot = make_breaker(fixture->segment, "db", 17);
    fixture->segment->details[slot].latency[3] = UINT32_MAX;
    fixture->segment->details[slot].latency[4] = 1;
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    assert_true(snapshot_find(snapshot, "db", &breaker));
    assert_int_equal(latency_calls(breaker.report.latency), 0);
    snapshot_close(snapshot);
}

static void test_transitions_come_in_order_and_only_those_the_ring_holds(void **state)
{
    struct fixture *fixture = *state;
    struct transition what = {.reason = TRIP_REASON_OPERATOR}, entry;
    what.breaker = make_breaker(fixture->segment, "db", 1);
    for (uint64_t i = 0; i < 4100; i++)
        segment_transition(fixture->segment, &what, i);
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    assert_true(snapshot_transition(snapshot, 0, &entry));
    assert_int_equal(entry.sequence, 5);
    assert_true(snapshot_transition(snapshot, 4099, &entry));
    assert_int_equal(entry.at_ms, 4099);
    assert_false(snapshot_transition(snapshot, 4100, &entry));
    snapshot_close(snapshot);
}

static void test_acts_that_the_ring_holds_no_more_come_first(void **state)
{
    struct fixture *fixture = *state;
    struct transition act = {.by = BY_OPERATOR}, step = {.by = BY_CLIENT}, mode = {.of = OF_MODE}, entry;
    const uint64_t expected[] = {1, 3, 6, 7};
    uint64_t index = 0;
    act.breaker = step.breaker = mode.breaker = make_breaker(fixture->segment, "db", 1);
    segment_transition(fixture->segment, &act, 0);
    segment_transition(fixture->segment, &step, 0);
    segment_transition(fixture->segment, &mode, 0);
    for (unsigned i = 0; i < 4098; i++)
        segment_transition(fixture->segment, &step, 0);
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(snapshot_transition(snapshot, index, &entry));
        assert_int_equal(entry.sequence, expected[i]);
        index = entry.sequence;
    }
    snapshot_close(snapshot);
}

static void test_processes_and_patterns_are_copied(void **state)
{
    struct fixture *fixture = *state;
    const struct client_slot attached = {.lane_id = 9, .pid = 77, .program = "nginx"};
    struct client_slot client;
    struct pattern_slot pattern;
    segment_client_set(fixture->segment, 2, &attached);
    assert_int_equal(segment_pattern_set(fixture->segment, "pay*", TRIP_MODE_FORCED_OPEN, 0, 0, "incident 42", 0), 0);
    struct snapshot *snapshot = opened(fixture->dir.path, false);
    assert_true(snapshot_client(snapshot, 2, &client));
    assert_int_equal(client.pid, 77);
    assert_false(snapshot_client(snapshot, 1, &client));
    unsigned found = 0;
    for (uint32_t place = 0; place < PATTERNS_MAX; place++)
        if (snapshot_pattern(snapshot, place, &pattern)) {
            assert_string_equal(pattern.pattern, "pay*");
            found++;
        }
    assert_int_equal(found, 1);
    snapshot_close(snapshot);
}

/* Made a minute ago, with a heartbeat of half a minute ago. */
static struct segment *make_aged(struct fixture *fixture)
{
    clock_measure(&fixture->dir.clock, false);
    struct segment *segment = segment_dir_create(&fixture->dir, 8, 4);
    segment_heartbeat(segment);
    segment->header->created_mono_ns = monotonic_ns() - 60 * TRIP_S;
    segment->header->heartbeat_mono_ns = monotonic_ns() - 30 * TRIP_S;
    return segment;
}

static uint64_t now_ms(const char *path, bool is_file)
{
    struct snapshot *snapshot = opened(path, is_file);
    const uint64_t now = snapshot_now_ms(snapshot);
    snapshot_close(snapshot);
    return now;
}

static void test_time_goes_on_without_a_tripd_but_not_in_a_copy(void **state)
{
    struct fixture *fixture = *state;
    segment_unmap(fixture->segment);
    fixture->segment = make_aged(fixture);
    make_copy(fixture, fixture->segment->size);
    assert_in_range(now_ms(fixture->copy, true), 29000, 31000);
    assert_in_range(now_ms(fixture->dir.path, false), 60000, 120000); /* stalled */
    segment_stopped(fixture->segment);
    assert_in_range(now_ms(fixture->dir.path, false), 60000, 120000);
    fixture->segment->header->boot_id[0] ^= 1;
    assert_in_range(now_ms(fixture->dir.path, false), 29000, 31000);
}

static void refused(const struct fixture *fixture, int expected, const char *says)
{
    struct snapshot *snapshot;
    char *why;
    assert_int_equal(snapshot_open(fixture->copy, true, &snapshot, &why), expected);
    assert_non_null(why);
    if (!strstr(why, says))
        fail_msg("\"%s\" does not say \"%s\"", why, says);
    free(why);
}

static void test_a_file_that_is_no_segment_is_refused_with_the_reason(void **state)
{
    struct fixture *fixture = *state;
    const size_t size = fixture->segment->size;
    struct segment_header header = *fixture->segment->header;

    make_copy(fixture, 100);
    refused(fixture, -EBADMSG, "too short");
    make_copy(fixture, size - 4096);
    refused(fixture, -EBADMSG, "cut short");
    make_copy(fixture, size);
    header.digest++;
    write_at(fixture, 0, &header, sizeof(header));
    refused(fixture, -EPROTO, "install the same version");
    header.digest--;
    header.version = 0;
    write_at(fixture, 0, &header, sizeof(header));
    refused(fixture, -EAGAIN, "being made");
    header.version = 1;
    header.magic = 0;
    write_at(fixture, 0, &header, sizeof(header));
    refused(fixture, -EBADMSG, "no state segment");
    header.magic = SEGMENT_MAGIC;
    header.slots = 65536;
    write_at(fixture, 0, &header, sizeof(header));
    refused(fixture, -EBADMSG, "do not go together");
    header.slots = 64;
    header.sections[SECTION_CORE].offset = size - 8;
    write_at(fixture, 0, &header, sizeof(header));
    refused(fixture, -EBADMSG, "section 3");
}

static void read_everything(const struct snapshot *snapshot)
{
    struct snapshot_breaker breaker;
    struct transition transition;
    struct client_slot client;
    struct pattern_slot pattern;
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++)
        if (snapshot_breaker(snapshot, slot, &breaker))
            json_decref(report_show(&breaker.report));
    for (uint64_t index = 0; snapshot_transition(snapshot, index, &transition); index = transition.sequence)
        json_decref(report_transition(&transition, NULL));
    for (uint32_t lane = 1; lane <= snapshot_lanes(snapshot); lane++)
        if (snapshot_client(snapshot, lane, &client))
            json_decref(report_client(lane, &client));
    for (uint32_t place = 0; place < PATTERNS_MAX; place++)
        if (snapshot_pattern(snapshot, place, &pattern))
            json_decref(report_pattern(&pattern, 0));
}

/* Bytes changed at random, with a fixed seed: whatever is still opened is read to its end without harm. */
static void test_damage_is_refused_or_shown_but_never_followed(void **state)
{
    struct fixture *fixture = *state;
    struct transition what = {0};
    what.breaker = make_breaker(fixture->segment, "db", 1);
    segment_latency_add(fixture->segment, what.breaker, 3, (const uint32_t[LATENCY_GROUP]){5});
    segment_transition(fixture->segment, &what, 1);
    const struct segment_header *const header = fixture->segment->header;
    unsigned seed = 1, opened_count = 0;
    for (unsigned round = 0; round < 240; round++) {
        make_copy(fixture, fixture->segment->size);
        for (unsigned i = 0; i < 40; i++) {
            const unsigned which = (unsigned)rand_r(&seed) % SECTION_COUNT;
            const struct section *const section = &header->sections[which];
            const uint32_t entries = section_memory(which) == MEMORY_SLOTS ? header->slots
                                     : which == SECTION_LATENCY            ? header->latency_groups
                                                                           : section->count;
            const uint64_t at = i % 10 == 0 ? 128 + (uint64_t)rand_r(&seed) % 704
                                            : section->offset + (uint64_t)rand_r(&seed) % (section->stride * entries);
            write_at(fixture, at, &(uint8_t){(uint8_t)rand_r(&seed)}, 1);
        }
        struct snapshot *snapshot;
        char *why;
        if (snapshot_open(fixture->copy, true, &snapshot, &why) == 0) {
            read_everything(snapshot);
            snapshot_close(snapshot);
            opened_count++;
        }
        free(why);
    }
    assert_in_range(opened_count, 1, 240);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_breaker_is_found_by_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_forgotten_breaker_is_not_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_copy_in_a_file_says_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latencies_are_read_from_a_living_segment_and_from_a_copy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_reporters_are_read_from_a_living_segment_and_from_a_copy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_forged_reporters_are_shown_as_far_as_there_are_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_that_has_no_memory_is_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acts_that_the_ring_holds_no_more_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transitions_come_in_order_and_only_those_the_ring_holds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_processes_and_patterns_are_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_goes_on_without_a_tripd_but_not_in_a_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_segment_is_refused_with_the_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_refused_or_shown_but_never_followed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
