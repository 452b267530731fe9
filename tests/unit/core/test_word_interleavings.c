/* The state word alone: all interleavings of two and three clients and tripd at each load and CAS, with tripd alive,
 * falsely suspected, and dead: streaks (probes: test_probe_interleavings.c). Each seeded bug shows that the walk can
 * fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/streak_actors.h"

#define POLICY(threshold, mode, generation) policy_judge(threshold, TRIP_MODE_##mode, false, generation)
#define FIVE               \
    {                      \
        POLICY(5, AUTO, 0) \
    }

static struct interleave walk_streak(const struct streak_scenario *scenario, const char *(*check)(const void *, bool))
{
    struct interleave run;
    if (!streak_explore(scenario, check, &run)) {
        interleave_print(&run);
        fail_msg("%s", run.broken);
    }
    return run;
}

static const char *opens_once(const void *at, bool ended)
{
    const struct streak_world *const world = at;
    const char *const wrong = streak_check(at, ended);

    if (wrong || !ended)
        return wrong;
    return world->word == word_open(8, STREAK_UNTIL_MS) && world->expect.opened == 1 ? NULL : "it did not open once";
}

static const char *ends_with_a_streak_of_four(const void *at, bool ended)
{
    const struct streak_world *const world = at;
    const char *const wrong = streak_check(at, ended);

    if (wrong || !ended)
        return wrong;
    return word_with_generation(world->word, 0) == word_closed(7, 4, 0) ? NULL : "the streak is not four";
}

static void test_five_failures_of_two_clients_open_once(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {.clients = {"FFF", "FF"}, .start = word_closed(7, 0, 0), .policies = FIVE};
    const struct interleave run = walk_streak(&scenario, opens_once);
    assert_int_equal(run.interleavings, 110050);
    assert_int_equal(run.worlds, 202);
    assert_int_equal(streak_met.failed_swaps, 39);
}

static void test_five_failures_of_three_clients_open_once(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {
        .clients = {"FF", "FF", "F"}, .start = word_closed(7, 0, 0), .policies = FIVE};
    const struct interleave run = walk_streak(&scenario, opens_once);
    assert_int_equal(run.interleavings, 3534094410);
    assert_int_equal(streak_met.failed_swaps, 490);
}

static void test_six_failures_open_once_and_the_last_is_lost(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {
        .clients = {"FF", "FF", "FF"}, .start = word_closed(7, 0, 0), .policies = FIVE};
    const struct interleave run = walk_streak(&scenario, opens_once);
    assert_true(run.interleavings > 1000000000);
}

static void test_four_failures_of_two_or_three_clients_do_not_open(void **state)
{
    (void)state;
    const struct streak_scenario two = {.clients = {"FF", "FF"}, .start = word_closed(7, 0, 0), .policies = FIVE};
    assert_int_equal(walk_streak(&two, ends_with_a_streak_of_four).interleavings, 5850);
    const struct streak_scenario three = {.clients = {"FF", "F", "F"}, .start = word_closed(7, 0, 0), .policies = FIVE};
    assert_int_equal(walk_streak(&three, ends_with_a_streak_of_four).interleavings, 5427960);
}

/* The operations come one after the other, each by any of three clients, while tripd reloads and may die in between. */
static void test_ffsffff_does_not_open_whoever_reports_which(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {.script = "FFSFFFF",
                                             .tripd = "RR",
                                             .tripd_may_die = true,
                                             .start = word_closed(7, 0, 0),
                                             .policies = {POLICY(5, AUTO, 0), POLICY(5, AUTO, 1), POLICY(5, AUTO, 2)}};
    const struct interleave run = walk_streak(&scenario, ends_with_a_streak_of_four);
    assert_true(run.interleavings > 1000000000);
    assert_true(streak_met.failed_swaps > 0);
}

static void test_fffff_opens_whoever_reports_which(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {.script = "FFFFF",
                                             .tripd = "RR",
                                             .tripd_may_die = true,
                                             .start = word_closed(7, 0, 0),
                                             .policies = {POLICY(5, AUTO, 0), POLICY(5, AUTO, 1), POLICY(5, AUTO, 2)}};
    const struct interleave run = walk_streak(&scenario, opens_once);
    assert_true(run.interleavings > 1000000);
    assert_true(streak_met.failed_swaps > 0);
}

/* Without a tripd: 3^7 and 3^5 assignments of operations to clients, each with one interleaving. */
static void test_a_dead_tripd_changes_nothing_about_streaks(void **state)
{
    (void)state;
    const struct streak_scenario stays = {.script = "FFSFFFF", .start = word_closed(7, 0, 0), .policies = FIVE};
    assert_int_equal(walk_streak(&stays, ends_with_a_streak_of_four).interleavings, 2187);
    const struct streak_scenario opens = {.script = "FFFFF", .start = word_closed(7, 0, 0), .policies = FIVE};
    assert_int_equal(walk_streak(&opens, opens_once).interleavings, 243);
}

static struct streak_scenario failures_and_successes(void)
{
    return (struct streak_scenario){
        .clients = {"FFS", "SFF", "FS"}, .start = word_closed(7, 0, 0), .policies = {POLICY(3, AUTO, 0)}};
}

static void test_failures_and_successes_of_three_clients_count_one_after_the_other(void **state)
{
    (void)state;
    const struct streak_scenario scenario = failures_and_successes();
    const struct interleave run = walk_streak(&scenario, streak_check);
    assert_int_equal(run.interleavings, 6200695248338);
    assert_int_equal(run.worlds, 5044);
    assert_int_equal(streak_met.failed_swaps, 2376);
    assert_int_equal(streak_met.opened, 482);
}

/* Thresholds 3, 5, 2, then mode disabled: each failure is judged by the generation that the word has. */
static struct streak_scenario reloads(void)
{
    return (struct streak_scenario){
        .clients = {"FF", "FF"},
        .tripd = "RRR",
        .tripd_may_die = true,
        .start = word_closed(7, 0, 0),
        .policies = {POLICY(3, AUTO, 0), POLICY(5, AUTO, 1), POLICY(2, AUTO, 2), POLICY(1, DISABLED, 3)}};
}

static void test_reloads_never_judge_with_another_generation(void **state)
{
    (void)state;
    const struct streak_scenario scenario = reloads();
    const struct interleave run = walk_streak(&scenario, streak_check);
    assert_int_equal(run.interleavings, 4499813560967742);
    assert_true(streak_met.judges_outrun > 1000);
    assert_true(streak_met.failed_swaps > 1000);
    assert_int_equal(streak_met.repaired, 0);
}

static void test_reloads_with_three_clients(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {.clients = {"FF", "F", "S"},
                                             .tripd = "RR",
                                             .tripd_may_die = true,
                                             .start = word_closed(7, 0, 0),
                                             .policies = {POLICY(3, AUTO, 0), POLICY(5, AUTO, 1), POLICY(2, AUTO, 2)}};
    const struct interleave run = walk_streak(&scenario, streak_check);
    assert_true(run.interleavings > 1000000000);
    assert_true(streak_met.judges_outrun > 100);
}

/* Admitted in epoch 7, ended when tripd opened and reset meanwhile: late, and no streak of epoch 9 ends. */
static struct streak_scenario late_ends(void)
{
    return (struct streak_scenario){.clients = {"as", "FF", "af"},
                                    .tripd = "XC",
                                    .tripd_may_die = true,
                                    .start = word_closed(7, 0, 0),
                                    .policies = {POLICY(3, AUTO, 0)}};
}

static void test_an_outcome_of_an_earlier_epoch_changes_no_streak(void **state)
{
    (void)state;
    const struct streak_scenario scenario = late_ends();
    const struct interleave run = walk_streak(&scenario, streak_check);
    assert_int_equal(run.interleavings, 23495024291);
    assert_true(streak_met.late > 100);
}

/* A falsely suspected tripd reloads twice while a client's own probe closes with the generation that it found. */
static struct streak_scenario closing_beside_reloads(void)
{
    return (struct streak_scenario){.clients = {"pFF", "F"},
                                    .tripd = "RRL",
                                    .tripd_may_die = true,
                                    .start = word_probing(7, 1, 64),
                                    .policies = {POLICY(3, AUTO, 0), POLICY(3, AUTO, 1), POLICY(2, AUTO, 2)}};
}

static const char *two_failures_open_under_the_last_policy(const void *at, bool ended)
{
    const struct streak_world *const world = at;
    const char *const wrong = streak_check(at, ended);

    if (wrong || !ended)
        return wrong;
    /* Client 0 failed twice after it closed; the last policy may have come after its first or second failure. */
    return world->expect.open || world->expect.streak >= 2 ? NULL : "failures were lost";
}

static void test_a_word_that_closed_with_an_old_generation_is_judged_again(void **state)
{
    (void)state;
    const struct streak_scenario scenario = closing_beside_reloads();
    const struct interleave run = walk_streak(&scenario, two_failures_open_under_the_last_policy);
    assert_int_equal(run.interleavings, 323236034028);
    assert_true(streak_met.repaired > 100);
}

/* The end of a ramp by tripd and by a client that suspects it, beside failures. */
static struct streak_scenario ramp_ends(void)
{
    return (struct streak_scenario){.clients = {"FF", "FS", "E"},
                                    .tripd = "TE",
                                    .tripd_may_die = true,
                                    .start = word_ramping(7, 100, 0, 0),
                                    .policies = {POLICY(3, AUTO, 0)}};
}

static const char *the_ramp_ends(const void *at, bool ended)
{
    const struct streak_world *const world = at;
    const char *const wrong = streak_check(at, ended);
    return wrong || !ended || !world->expect.ramping ? wrong : "it is still ramping";
}

static void test_the_end_of_a_ramp_keeps_the_streak(void **state)
{
    (void)state;
    const struct streak_scenario scenario = ramp_ends();
    const struct interleave run = walk_streak(&scenario, the_ramp_ends);
    assert_int_equal(run.interleavings, 76707778963486);
    assert_true(streak_met.failed_swaps > 100);
}

/* ------------------------------------------------------------------------------------------------------ seeded bugs */

static void assert_streak_bug(struct streak_scenario scenario, enum streak_bug bug, const char *found)
{
    struct interleave run;
    scenario.bug = bug;
    assert_false(streak_explore(&scenario, streak_check, &run));
    assert_string_equal(run.broken, found);
    assert_true(run.steps > 0);
}

static void test_seeded_a_failure_that_is_stored_is_found(void **state)
{
    (void)state;
    const struct streak_scenario scenario = {.clients = {"FF", "FF"}, .start = word_closed(7, 0, 0), .policies = FIVE};
    assert_streak_bug(scenario, STREAK_BLIND_FAILURE, "the streak is another one");
}

static void test_seeded_a_success_that_is_stored_is_found(void **state)
{
    (void)state;
    assert_streak_bug(failures_and_successes(), STREAK_BLIND_SUCCESS, "it should be open");
}

static void test_seeded_a_late_success_that_ends_a_streak_is_found(void **state)
{
    (void)state;
    assert_streak_bug(late_ends(), STREAK_LATE_SUCCESS, "the streak is another one");
}

static void test_seeded_a_generation_that_is_stored_is_found(void **state)
{
    (void)state;
    assert_streak_bug(reloads(), STREAK_BLIND_RELOAD, "it should be open");
}

static void test_seeded_judging_by_another_generation_is_found(void **state)
{
    (void)state;
    assert_streak_bug(reloads(), STREAK_OTHER_JUDGE, "a failure was judged by another generation than the word's");
}

static void test_seeded_a_word_that_is_judged_no_more_is_found(void **state)
{
    (void)state;
    struct interleave run;
    struct streak_scenario scenario = closing_beside_reloads();
    scenario.bug = STREAK_STUCK;
    assert_false(streak_explore(&scenario, two_failures_open_under_the_last_policy, &run));
    assert_string_equal(run.broken, "failures were lost");
}

static void test_seeded_a_ramps_end_that_forgets_the_streak_is_found(void **state)
{
    (void)state;
    assert_streak_bug(ramp_ends(), STREAK_RAMP_FORGETS, "the streak is another one");
}

static void test_seeded_an_opening_in_the_same_epoch_is_found(void **state)
{
    (void)state;
    assert_streak_bug(reloads(), STREAK_SAME_EPOCH, "the epoch is another one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_five_failures_of_two_clients_open_once),
        cmocka_unit_test(test_five_failures_of_three_clients_open_once),
        cmocka_unit_test(test_six_failures_open_once_and_the_last_is_lost),
        cmocka_unit_test(test_four_failures_of_two_or_three_clients_do_not_open),
        cmocka_unit_test(test_ffsffff_does_not_open_whoever_reports_which),
        cmocka_unit_test(test_fffff_opens_whoever_reports_which),
        cmocka_unit_test(test_a_dead_tripd_changes_nothing_about_streaks),
        cmocka_unit_test(test_failures_and_successes_of_three_clients_count_one_after_the_other),
        cmocka_unit_test(test_reloads_never_judge_with_another_generation),
        cmocka_unit_test(test_reloads_with_three_clients),
        cmocka_unit_test(test_an_outcome_of_an_earlier_epoch_changes_no_streak),
        cmocka_unit_test(test_a_word_that_closed_with_an_old_generation_is_judged_again),
        cmocka_unit_test(test_the_end_of_a_ramp_keeps_the_streak),
        cmocka_unit_test(test_seeded_a_failure_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_a_success_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_a_late_success_that_ends_a_streak_is_found),
        cmocka_unit_test(test_seeded_a_generation_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_judging_by_another_generation_is_found),
        cmocka_unit_test(test_seeded_a_word_that_is_judged_no_more_is_found),
        cmocka_unit_test(test_seeded_a_ramps_end_that_forgets_the_streak_is_found),
        cmocka_unit_test(test_seeded_an_opening_in_the_same_epoch_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
