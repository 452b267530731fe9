/* Another commons under clients that fail, ask and attach: all interleavings of two threads of one process, a second
 * process, tripd and an operator at each load, CAS and store, with tripd dying at any of its steps. No opening is lost,
 * no acknowledged reset is undone, no call is admitted that began after an acknowledged trip. Each seeded bug shows
 * that the walk can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/commons_actors.h"

static struct interleave walk(struct commons_scenario scenario)
{
    struct interleave run;
    if (!commons_explore(&scenario, &run)) {
        interleave_print(&run);
        fail_msg("%s", run.broken);
    }
    return run;
}

/* ----------------------------------------------------------------------------------------------- openings go on */

static const struct commons_scenario thread_opens = {.callers = {"FF"}, .threshold = 2, .deaths_of_both = 1};

static void test_an_opening_outlives_its_commons(void **state)
{
    (void)state;
    const struct interleave run = walk(thread_opens);
    assert_int_equal(run.interleavings, 1402169);
    assert_int_equal(run.worlds, 611);
    assert_int_equal(commons_met.late_looks, 40);
    assert_int_equal(commons_met.taken, 10);
    assert_int_equal(commons_met.not_taken, 7);
}

/* The thread is late, or tripd dies before it has taken over what it was sent. */
static const struct commons_scenario tripd_dies_on_the_way = {
    .callers = {"F"}, .threshold = 1, .deaths = 1, .deaths_of_both = 2};

static void test_an_opening_outlives_each_tripd_that_dies_on_the_way(void **state)
{
    (void)state;
    const struct interleave run = walk(tripd_dies_on_the_way);
    assert_int_equal(run.interleavings, 13704667425169);
    assert_int_equal(run.worlds, 21682);
    assert_true(commons_met.hung_up > 1000);
    assert_true(commons_met.taken > 100);
}

static void test_openings_of_two_threads_outlive_two_commons(void **state)
{
    (void)state;
    walk((struct commons_scenario){.callers = {"F", "F"}, .threshold = 1, .deaths = 1, .deaths_of_both = 2});
    assert_true(commons_met.late_looks > 1000);
    assert_true(commons_met.failed_swaps > 1000);
    assert_true(commons_met.by_own > 1000);
    assert_true(commons_met.by_mirror > 1000);
}

/* ------------------------------------------------------------------------------------------- resets are not undone */

static const struct commons_scenario reset_between = {
    .callers = {"F", NULL, "F"}, .verbs = "R", .threshold = 1, .deaths_of_both = 1};

static void test_an_older_opening_undoes_no_acknowledged_reset(void **state)
{
    (void)state;
    walk(reset_between);
    assert_true(commons_met.taken > 1000);
    assert_true(commons_met.not_taken > 1000);
}

static const struct commons_scenario reset_between_two_commons = {
    .callers = {"F"}, .verbs = "R", .threshold = 1, .deaths = 1, .deaths_of_both = 2};

static void test_a_reset_in_a_commons_between_is_not_undone(void **state)
{
    (void)state;
    walk(reset_between_two_commons);
    assert_true(commons_met.not_taken > 1000);
}

static void test_no_process_denies_after_an_acknowledged_reset(void **state)
{
    (void)state;
    walk((struct commons_scenario){.callers = {"F", NULL, "A"}, .verbs = "R", .threshold = 1, .deaths_of_both = 1});
    assert_true(commons_met.by_own > 1000);
    assert_true(commons_met.by_mirror > 1000);
}

/* -------------------------------------------------------------------------------------------------- trips are heard */

static const struct commons_scenario trip = {
    .callers = {"A"}, .verbs = "T", .threshold = 1, .deaths = 1, .deaths_of_both = 2};

static void test_no_call_is_admitted_after_an_acknowledged_trip(void **state)
{
    (void)state;
    walk(trip);
    assert_true(commons_met.by_mirror > 1000);
}

static void test_no_call_is_admitted_after_a_trip_beside_failures_and_a_reset(void **state)
{
    (void)state;
    walk((struct commons_scenario){.callers = {"FF", "A"}, .verbs = "TR", .threshold = 2, .deaths_of_both = 1});
    assert_true(commons_met.opened > 1000);
    assert_true(commons_met.by_mirror > 1000);
}

/* ------------------------------------------------------------------------------------------------------ seeded bugs */

static void assert_found(struct commons_scenario scenario, enum commons_bug bug, const char *found)
{
    struct interleave run;
    scenario.bug = bug;
    assert_false(commons_explore(&scenario, &run));
    assert_string_equal(run.broken, found);
    assert_true(run.steps > 0);
}

static void test_seeded_an_opener_that_does_not_look_again_is_found(void **state)
{
    (void)state;
    assert_found(thread_opens, COMMONS_NO_SECOND_LOOK, "an opening was lost");
}

static void test_seeded_a_process_that_hands_nothing_over_is_found(void **state)
{
    (void)state;
    assert_found(thread_opens, COMMONS_NOT_HANDED_OVER, "an opening was lost");
}

static void test_seeded_a_late_opening_that_is_sent_once_is_found(void **state)
{
    (void)state;
    assert_found(tripd_dies_on_the_way, COMMONS_UNHEARD, "an opening was lost");
}

static void test_seeded_an_opening_that_outlives_moves_is_found(void **state)
{
    (void)state;
    assert_found(reset_between, COMMONS_NOT_RESTED, "an older opening has undone an acknowledged reset");
}

static void test_seeded_an_opening_that_outlives_moves_in_a_commons_between_is_found(void **state)
{
    (void)state;
    assert_found(reset_between_two_commons, COMMONS_ANY_AGE, "an older opening has undone an acknowledged reset");
}

static void test_seeded_a_rest_whose_word_is_noted_first_is_found(void **state)
{
    (void)state;
    assert_found(reset_between_two_commons, COMMONS_REST_WORD_FIRST,
                 "an older opening has undone an acknowledged reset");
}

static void test_seeded_an_answer_before_the_number_moved_is_found(void **state)
{
    (void)state;
    assert_found(trip, COMMONS_ANSWERED_EARLY, "a call was admitted that began after an acknowledged trip");
}

static void test_seeded_a_number_that_nobody_moves_is_found(void **state)
{
    (void)state;
    assert_found(trip, COMMONS_NUMBERS_ONCE, "the number is an old one");
}

static void test_seeded_a_process_that_goes_by_its_dead_commons_is_found(void **state)
{
    (void)state;
    assert_found(trip, COMMONS_DEAD_WORD, "a call was admitted that began after an acknowledged trip");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_opening_outlives_its_commons),
        cmocka_unit_test(test_an_opening_outlives_each_tripd_that_dies_on_the_way),
        cmocka_unit_test(test_openings_of_two_threads_outlive_two_commons),
        cmocka_unit_test(test_an_older_opening_undoes_no_acknowledged_reset),
        cmocka_unit_test(test_a_reset_in_a_commons_between_is_not_undone),
        cmocka_unit_test(test_no_process_denies_after_an_acknowledged_reset),
        cmocka_unit_test(test_no_call_is_admitted_after_an_acknowledged_trip),
        cmocka_unit_test(test_no_call_is_admitted_after_a_trip_beside_failures_and_a_reset),
        cmocka_unit_test(test_seeded_an_opener_that_does_not_look_again_is_found),
        cmocka_unit_test(test_seeded_a_process_that_hands_nothing_over_is_found),
        cmocka_unit_test(test_seeded_a_late_opening_that_is_sent_once_is_found),
        cmocka_unit_test(test_seeded_an_opening_that_outlives_moves_is_found),
        cmocka_unit_test(test_seeded_an_opening_that_outlives_moves_in_a_commons_between_is_found),
        cmocka_unit_test(test_seeded_a_rest_whose_word_is_noted_first_is_found),
        cmocka_unit_test(test_seeded_an_answer_before_the_number_moved_is_found),
        cmocka_unit_test(test_seeded_a_number_that_nobody_moves_is_found),
        cmocka_unit_test(test_seeded_a_process_that_goes_by_its_dead_commons_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
