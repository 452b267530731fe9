/* The segment's entries for people: transitions, attached processes, modes by pattern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../support/segment_dir.h"

static int set_up(void **state)
{
    static struct segment_fixture fixture;
    segment_fixture_make(&fixture, 8);
    *state = &fixture;
    return 0;
}

static void adopt_again(struct segment_fixture *fixture)
{
    const struct segment_options options = segment_dir_options(&fixture->dir, 8, 4);
    struct clock clock;
    const char *why;
    segment_unmap(fixture->segment);
    assert_int_equal(segment_adopt(&options, &clock, &fixture->segment, &why), SEGMENT_READY);
}

/* -------------------------------------------------------------------------------------------------- transitions */

static void test_a_transition_tells_time_name_and_place(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    struct transition what = {
        .from = TRIP_STATE_CLOSED, .to = TRIP_STATE_OPEN, .reason = TRIP_REASON_OPERATOR, .by = BY_OPERATOR, .uid = 3};
    assert_int_equal(segment_take(segment, "db", 0, &what.breaker), 0);
    memset(what.note, 'n', sizeof(what.note));
    segment_transition(segment, &what, 1500);
    const struct transition *entry = &segment->transitions[0];
    assert_int_equal(segment->header->transition_next, 1);
    assert_int_equal(entry->sequence, 1);
    assert_int_equal(entry->at_ms, 1500);
    assert_in_range(realtime_ms() - entry->at_unix_ms, 0, 5000);
    assert_string_equal(entry->name, "db");
    assert_int_equal(entry->to, TRIP_STATE_OPEN);
    assert_int_equal(entry->uid, 3);
    assert_int_equal(strlen(entry->note), 87);
}

static void test_the_ring_holds_the_last_4096(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    struct transition what = {0};
    assert_int_equal(segment_take(segment, "db", 0, &what.breaker), 0);
    for (uint64_t i = 0; i < 5000; i++)
        segment_transition(segment, &what, i);
    assert_int_equal(segment->header->transition_next, 5000);
    for (uint64_t i = 5000 - 4096; i < 5000; i++) {
        assert_int_equal(segment->transitions[i % 4096].sequence, i + 1);
        assert_int_equal(segment->transitions[i % 4096].at_ms, i);
    }
}

static void take_steps(struct segment *segment, unsigned count)
{
    const struct transition step = {.by = BY_CLIENT};
    for (unsigned i = 0; i < count; i++)
        segment_transition(segment, &step, 0);
}

static void test_acts_are_pushed_out_by_1024_further_acts_and_no_step(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    struct transition what = {.by = BY_OPERATOR, .note = "first"}, event;
    assert_int_equal(segment_take(segment, "db", 0, &what.breaker), 0);
    segment_transition(segment, &what, 0);
    for (unsigned i = 1; i < 1024; i++) {
        const struct transition act = {.of = i % 2 ? OF_MODE : OF_STATE, .by = i % 2 ? BY_DAEMON : BY_RULE};
        segment_transition(segment, &act, 0);
    }
    take_steps(segment, 100000);
    assert_true(segment_event(segment, 0, &event));
    assert_int_equal(event.sequence, 1);
    assert_string_equal(event.note, "first");
    assert_true(segment_event(segment, 1023, &event));
    assert_int_equal(event.sequence, 1024);
    assert_true(segment_event(segment, 1024, &event));
    assert_int_equal(event.sequence, 1024 + 100000 - 4096 + 1);
    segment_transition(segment, &what, 0);
    assert_true(segment_event(segment, 0, &event));
    assert_int_equal(event.sequence, 2);
}

static void test_an_act_that_a_kill_left_out_of_the_ring_is_in_it_once(void **state)
{
    struct segment_fixture *fixture = *state;
    struct transition what = {.by = BY_OPERATOR}, event;
    assert_int_equal(segment_take(fixture->segment, "db", 0, &what.breaker), 0);
    take_steps(fixture->segment, 1);
    segment_transition(fixture->segment, &what, 10);
    fixture->segment->header->transition_next = 1; /* as killed before the entry in the ring */
    fixture->segment->transitions[1].sequence = 0;
    adopt_again(fixture);
    assert_int_equal(fixture->segment->header->transition_next, 2);
    fixture->segment->header->transition_next = 1; /* and before it was counted among the acts */
    fixture->segment->header->acts_next = 0;
    fixture->segment->transitions[1].sequence = 0;
    adopt_again(fixture);
    assert_int_equal(fixture->segment->header->acts_next, 1);
    assert_int_equal(fixture->segment->header->transition_next, 2);
    assert_true(segment_event(fixture->segment, 1, &event));
    assert_int_equal(event.at_ms, 10);
    assert_false(segment_event(fixture->segment, 2, &event));
}

static void test_a_transition_that_a_kill_left_uncounted_is_counted(void **state)
{
    struct segment_fixture *fixture = *state;
    struct transition what = {0};
    assert_int_equal(segment_take(fixture->segment, "db", 0, &what.breaker), 0);
    segment_transition(fixture->segment, &what, 10);
    segment_transition(fixture->segment, &what, 20);
    fixture->segment->header->transition_next = 1;
    adopt_again(fixture);
    assert_int_equal(fixture->segment->header->transition_next, 2);
    adopt_again(fixture);
    assert_int_equal(fixture->segment->header->transition_next, 2);
}

static void test_a_transition_that_a_kill_left_half_written_is_overwritten(void **state)
{
    struct segment_fixture *fixture = *state;
    struct transition what = {0};
    assert_int_equal(segment_take(fixture->segment, "db", 0, &what.breaker), 0);
    segment_transition(fixture->segment, &what, 10);
    fixture->segment->transitions[1].at_ms = 20;
    adopt_again(fixture);
    assert_int_equal(fixture->segment->header->transition_next, 1);
    segment_transition(fixture->segment, &what, 30);
    assert_int_equal(fixture->segment->transitions[1].at_ms, 30);
    assert_int_equal(fixture->segment->transitions[1].sequence, 2);
}

/* ------------------------------------------------------------------------------------------------------ clients */

static void test_a_client_stands_at_its_lanes_place_until_it_goes(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const struct client_slot client = {.lane_id = 77, .pid = 12, .uid = 34, .meters = 5, .program = "server"};
    segment_client_set(segment, 4, &client);
    assert_memory_equal(&segment->clients[4], &client, sizeof(client));
    segment_client_clear(segment, 4);
    assert_int_equal(segment->clients[4].lane_id, 0);
    segment_client_clear(segment, 4);
    assert_int_equal(segment->clients[3].lane_id, 0);
}

/* ----------------------------------------------------------------------------------------------------- patterns */

static int bind(struct segment *segment, const char *pattern, trip_mode mode, uint64_t until_ms)
{
    return segment_pattern_set(segment, pattern, mode, until_ms, 1000, "maintenance", 0);
}

static unsigned patterns_of(const struct segment *segment)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PATTERNS_MAX; i++)
        count += segment->patterns[i].serial != 0;
    return count;
}

static void test_the_latest_pattern_that_matches_binds(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    assert_null(segment_pattern_for(segment, "payments/visa", 0));
    assert_int_equal(bind(segment, "payments/*", TRIP_MODE_SHADOW, 0), 0);
    assert_int_equal(bind(segment, "*/visa", TRIP_MODE_DISABLED, 0), 0);
    assert_int_equal(segment_pattern_for(segment, "payments/visa", 0)->mode, TRIP_MODE_DISABLED);
    assert_int_equal(segment_pattern_for(segment, "payments/jcb", 0)->mode, TRIP_MODE_SHADOW);
    assert_string_equal(segment_pattern_for(segment, "payments/jcb", 0)->reason, "maintenance");
    assert_int_equal(segment_pattern_for(segment, "payments/jcb", 0)->uid, 1000);
    assert_null(segment_pattern_for(segment, "mail", 0));
    /* Set again it is the latest. */
    assert_int_equal(bind(segment, "payments/*", TRIP_MODE_FORCED_OPEN, 0), 0);
    assert_int_equal(segment_pattern_for(segment, "payments/visa", 0)->mode, TRIP_MODE_FORCED_OPEN);
    assert_int_equal(patterns_of(segment), 2);
}

static void test_a_pattern_binds_until_its_ttls_end(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    assert_int_equal(bind(segment, "*", TRIP_MODE_SHADOW, 0), 0);
    assert_int_equal(bind(segment, "db*", TRIP_MODE_DISABLED, 500), 0);
    assert_int_equal(segment_pattern_for(segment, "db1", 499)->mode, TRIP_MODE_DISABLED);
    assert_int_equal(segment_pattern_for(segment, "db1", 500)->mode, TRIP_MODE_SHADOW);
}

static void test_the_257th_pattern_does_not_fit_until_one_ran_out(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char pattern[16];
    for (unsigned i = 0; i < 256; i++) {
        snprintf(pattern, sizeof(pattern), "p%u-*", i);
        assert_int_equal(bind(segment, pattern, TRIP_MODE_SHADOW, i == 100 ? 500 : 0), 0);
    }
    assert_int_equal(bind(segment, "one-more", TRIP_MODE_SHADOW, 0), -ENOSPC);
    /* One of the 256 patterns is replaced, even when all places are taken. */
    assert_int_equal(bind(segment, "p7-*", TRIP_MODE_DISABLED, 0), 0);
    assert_int_equal(segment_pattern_for(segment, "p7-x", 0)->mode, TRIP_MODE_DISABLED);
    assert_int_equal(patterns_of(segment), 256);
    assert_int_equal(segment_pattern_set(segment, "one-more", TRIP_MODE_SHADOW, 0, 0, NULL, 500), 0);
    assert_int_equal(segment_pattern_for(segment, "one-more", 500)->mode, TRIP_MODE_SHADOW);
    assert_null(segment_pattern_for(segment, "p100-x", 0));
    assert_int_equal(patterns_of(segment), 256);
}

static void test_auto_stands_only_above_an_older_pattern_that_says_otherwise(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    assert_int_equal(bind(segment, "db*", TRIP_MODE_DISABLED, 0), 0);
    assert_int_equal(bind(segment, "db1", TRIP_MODE_AUTO, 0), 0);
    assert_int_equal(segment_pattern_for(segment, "db1", 0)->mode, TRIP_MODE_AUTO);
    assert_int_equal(patterns_of(segment), 2);
    assert_int_equal(bind(segment, "db*", TRIP_MODE_AUTO, 0), 0); /* nobody says otherwise any more */
    assert_int_equal(patterns_of(segment), 0);
    assert_int_equal(bind(segment, "x*", TRIP_MODE_SHADOW, 500), 0);
    assert_int_equal(segment_pattern_set(segment, "x*", TRIP_MODE_AUTO, 0, 1000, NULL, 500), 0);
    assert_int_equal(patterns_of(segment), 0);
}

static void test_a_pattern_twice_there_after_a_kill_is_one_again(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    assert_int_equal(bind(segment, "db", TRIP_MODE_SHADOW, 0), 0);
    segment->patterns[1] = segment->patterns[0];
    segment->patterns[1].serial = 2;
    segment->patterns[1].mode = TRIP_MODE_DISABLED;
    assert_int_equal(segment_pattern_for(segment, "db", 0)->mode, TRIP_MODE_DISABLED);
    assert_int_equal(bind(segment, "db", TRIP_MODE_FORCED_OPEN, 0), 0);
    assert_int_equal(segment_pattern_for(segment, "db", 0)->mode, TRIP_MODE_FORCED_OPEN);
    assert_int_equal(patterns_of(segment), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_transition_tells_time_name_and_place, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_ring_holds_the_last_4096, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_acts_are_pushed_out_by_1024_further_acts_and_no_step, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_an_act_that_a_kill_left_out_of_the_ring_is_in_it_once, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_transition_that_a_kill_left_uncounted_is_counted, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_transition_that_a_kill_left_half_written_is_overwritten, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_client_stands_at_its_lanes_place_until_it_goes, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_latest_pattern_that_matches_binds, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_pattern_binds_until_its_ttls_end, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_257th_pattern_does_not_fit_until_one_ran_out, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_auto_stands_only_above_an_older_pattern_that_says_otherwise, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_pattern_twice_there_after_a_kill_is_one_again, set_up,
                                        segment_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
