/* Probes alone: all interleavings of two and three clients, tripd and the clock at each load, CAS and look at the time,
 * with tripd alive, falsely suspected at any moment, dead, and dying on the way. Never more probes than are permitted,
 * never one after its lease, and nothing is lost for ever. Each seeded bug shows that the walk can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/probe_actors.h"

#define ONE_PERMIT  .permits = 1, .successes = 1, .max_wait_ms = 128, .open_ms = 64
#define TWO_PERMITS .permits = 2, .successes = 2, .max_wait_ms = 128, .open_ms = 64
#define ARMED       permit_make(7, 1, 0, PERMIT_ARMED, 0)

static struct interleave walk(struct probe_scenario scenario)
{
    struct interleave run;
    if (!probe_explore(&scenario, &run)) {
        interleave_print(&run);
        fail_msg("%s", run.broken);
    }
    return run;
}

/* ----------------------------------------------------------------------------------------------------- tripd lives */

static void test_one_probe_at_a_time_with_tripd_alive(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 64), .calls = {2, 2}, .looks = 4,
                                            .ticks = 3};
    const struct interleave run = walk(scenario);
    assert_int_equal(run.interleavings, 263541554826105980);
    assert_int_equal(run.worlds, 335504);
    assert_int_equal(probe_met.takeovers, 0);
    assert_true(probe_met.starts > 1000);
    assert_true(probe_met.given_back > 1000);
    assert_true(probe_met.extended > 1000);
    assert_true(probe_met.late_answers > 1000);
    assert_true(probe_met.closed > 1000);
}

static void test_three_clients_share_one_permit(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {
        ONE_PERMIT, .start = word_half_open(7, 128), .permit = {ARMED}, .calls = {1, 1, 1}, .looks = 2, .ticks = 1};
    const struct interleave run = walk(scenario);
    assert_int_equal(run.interleavings, 13369045371396);
    assert_true(probe_met.failed_swaps > 1000);
    assert_true(probe_met.armed > 1000);
}

/* tripd looks at a permit long after it looked at the word. */
static void test_a_slow_tripd_arms_no_lease_that_runs(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 0), .calls = {1, 1}, .looks = 3,
                                            .ticks = 5};
    const struct interleave run = walk(scenario);
    assert_int_equal(run.interleavings, 13279848077330);
}

static void test_two_of_three_clients_get_two_permits(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {TWO_PERMITS, .start = word_half_open(7, 64), .permit = {ARMED, ARMED},
                                            .calls = {1, 1, 1}, .ticks = 1};
    const struct interleave run = walk(scenario);
    assert_int_equal(run.interleavings, 232435584180);
    assert_int_equal(probe_met.takeovers, 0);
}

/* ----------------------------------------------------------------------------------------------- falsely suspected */

static void test_one_probe_at_a_time_with_tripd_suspected(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 64),   .calls = {1, 1}, .looks = 4,
                                            .ticks = 4, .suspicion = PROBE_SUSPECTED};
    const struct interleave run = walk(scenario);
    assert_int_equal(run.interleavings, 259420584432972);
    assert_true(probe_met.takeovers > 1000);
    assert_true(probe_met.given_back > 1000);
    assert_true(probe_met.extended > 1000);
    assert_true(probe_met.closed > 1000);
}

static void test_two_calls_of_one_client_with_tripd_suspected(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 64),   .calls = {2, 1}, .looks = 3,
                                            .ticks = 3, .suspicion = PROBE_SUSPECTED};
    assert_int_equal(walk(scenario).interleavings, 49314377455688);
}

static void test_three_clients_suspect_at_once(void **state)
{
    (void)state;
    struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 0),    .calls = {1, 1, 1}, .looks = 2,
                                      .ticks = 1, .suspicion = PROBE_SUSPECTED};
    assert_int_equal(walk(scenario).interleavings, 74443595106);
    assert_true(probe_met.failed_swaps > 1000);

    scenario.start = word_half_open(7, 64);
    scenario.permit[0] = ARMED;
    scenario.looks = 1;
    assert_int_equal(walk(scenario).interleavings, 1122383157360);
    assert_true(probe_met.takeovers > 1000);
    assert_true(probe_met.given_back > 1000);
}

static void test_two_permits_with_tripd_suspected(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {
        TWO_PERMITS, .start = word_half_open(7, 64), .permit = {ARMED, ARMED}, .calls = {1, 1}, .looks = 2,
        .ticks = 2,  .suspicion = PROBE_SUSPECTED};
    assert_int_equal(walk(scenario).interleavings, 12066948010943930);
    assert_true(probe_met.takeovers > 1000);
}

static void test_a_lease_of_the_longest_time_is_not_taken_over(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {.permits = 1,
                                            .successes = 1,
                                            .max_wait_ms = 256,
                                            .open_ms = 64,
                                            .start = word_open(7, 0),
                                            .calls = {1, 1},
                                            .looks = 1,
                                            .ticks = 4,
                                            .suspicion = PROBE_SUSPECTED};
    assert_int_equal(walk(scenario).interleavings, 54585616);
}

static void test_clients_and_tripd_die_on_the_way(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {
        ONE_PERMIT, .start = word_open(7, 64),    .calls = {1, 1},         .looks = 4,
        .ticks = 3, .suspicion = PROBE_SUSPECTED, .clients_may_die = true, .tripd_may_die = true};
    assert_int_equal(walk(scenario).interleavings, 119413658139286);
    assert_true(probe_met.deaths > 1000);
    assert_true(probe_met.closed > 1000);
}

/* ------------------------------------------------------------------------------------------------------------- dead */

static void test_one_client_probes_at_a_time_with_tripd_dead(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 64), .calls = {2, 1, 1}, .ticks = 4,
                                            .suspicion = PROBE_KNOWN_DEAD};
    const struct interleave run = walk(scenario);
    assert_int_equal(run.interleavings, 2773880966);
    assert_true(probe_met.takeovers > 1000);
    assert_true(probe_met.failed_swaps > 1000);
    assert_true(probe_met.closed > 1000);
}

/* tripd died half-open, with a permit armed: taking that permit and taking the word over exclude each other. */
static void test_an_armed_permit_that_tripd_left_behind(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT,        .start = word_half_open(7, 64),
                                            .permit = {ARMED}, .calls = {1, 1, 1},
                                            .ticks = 4,        .suspicion = PROBE_SUSPECTED};
    assert_int_equal(walk(scenario).interleavings, 36363567912);
    assert_true(probe_met.given_back > 1000);
    assert_true(probe_met.takeovers > 1000);
}

/* A client that died, or hangs, while it probed: the next one goes on when the lease is over. */
static void test_a_probing_word_whose_owner_is_gone(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_probing(7, 9, 128), .calls = {1, 1, 1},
                                            .ticks = 5, .suspicion = PROBE_KNOWN_DEAD};
    assert_true(walk(scenario).interleavings > 1000000);
    assert_true(probe_met.takeovers > 100);
    assert_true(probe_met.closed > 100);
}

/* ----------------------------------------------------------------------------------------------------- seeded bugs */

static void assert_found(struct probe_scenario scenario, enum probe_bug bug, const char *found)
{
    struct interleave run;
    scenario.bug = bug;
    assert_false(probe_explore(&scenario, &run));
    assert_string_equal(run.broken, found);
    assert_true(run.steps > 0);
}

static const char TOO_MANY[] = "more probes run than are permitted";

static struct probe_scenario suspected(void)
{
    return (struct probe_scenario){ONE_PERMIT, .start = word_open(7, 64),   .calls = {2, 1}, .looks = 3,
                                   .ticks = 3, .suspicion = PROBE_SUSPECTED};
}

static void test_seeded_a_takeover_without_probing_is_found(void **state)
{
    (void)state;
    assert_found(suspected(), PROBE_TAKEN_AS_HALF_OPEN, TOO_MANY);
}

static void test_seeded_a_takeover_that_is_stored_is_found(void **state)
{
    (void)state;
    assert_found(suspected(), PROBE_TAKEOVER_STORED, TOO_MANY);
}

static void test_seeded_a_permit_without_its_extension_is_found(void **state)
{
    (void)state;
    assert_found(suspected(), PROBE_NOT_EXTENDED, TOO_MANY);
}

static void test_seeded_a_clock_read_before_the_word_is_found(void **state)
{
    (void)state;
    assert_found(suspected(), PROBE_CLOCK_FIRST, TOO_MANY);
}

static void test_seeded_a_permit_compared_with_an_older_time_is_found(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 0), .calls = {1, 1}, .looks = 3,
                                            .ticks = 5};
    assert_found(scenario, PROBE_CLOCK_KEPT, TOO_MANY);
}

static void test_seeded_a_start_without_a_look_at_the_lease_is_found(void **state)
{
    (void)state;
    assert_found(suspected(), PROBE_LEASE_UNCHECKED, "a probe started after its lease");
}

static void test_seeded_an_answer_that_is_stored_is_found(void **state)
{
    (void)state;
    const struct probe_scenario scenario = {ONE_PERMIT, .start = word_open(7, 64), .calls = {2, 2}, .looks = 4,
                                            .ticks = 3};
    assert_found(scenario, PROBE_ANSWER_STORED, TOO_MANY);
}

static void test_seeded_arming_a_lease_that_runs_is_found(void **state)
{
    (void)state;
    assert_found(suspected(), PROBE_LEASE_IGNORED, TOO_MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_probe_at_a_time_with_tripd_alive),
        cmocka_unit_test(test_three_clients_share_one_permit),
        cmocka_unit_test(test_a_slow_tripd_arms_no_lease_that_runs),
        cmocka_unit_test(test_two_of_three_clients_get_two_permits),
        cmocka_unit_test(test_one_probe_at_a_time_with_tripd_suspected),
        cmocka_unit_test(test_two_calls_of_one_client_with_tripd_suspected),
        cmocka_unit_test(test_three_clients_suspect_at_once),
        cmocka_unit_test(test_two_permits_with_tripd_suspected),
        cmocka_unit_test(test_a_lease_of_the_longest_time_is_not_taken_over),
        cmocka_unit_test(test_clients_and_tripd_die_on_the_way),
        cmocka_unit_test(test_one_client_probes_at_a_time_with_tripd_dead),
        cmocka_unit_test(test_an_armed_permit_that_tripd_left_behind),
        cmocka_unit_test(test_a_probing_word_whose_owner_is_gone),
        cmocka_unit_test(test_seeded_a_takeover_without_probing_is_found),
        cmocka_unit_test(test_seeded_a_takeover_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_a_permit_without_its_extension_is_found),
        cmocka_unit_test(test_seeded_a_clock_read_before_the_word_is_found),
        cmocka_unit_test(test_seeded_a_permit_compared_with_an_older_time_is_found),
        cmocka_unit_test(test_seeded_a_start_without_a_look_at_the_lease_is_found),
        cmocka_unit_test(test_seeded_an_answer_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_arming_a_lease_that_runs_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
