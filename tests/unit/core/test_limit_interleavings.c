/* A limit that moves while calls take tickets: all interleavings of three takers and tripd at each load and CAS. No
 * call is admitted beside more than the limit, those counted that lie beyond it. Each seeded bug shows that the walk
 * can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/limit_actors.h"

static struct interleave walk(struct limit_scenario scenario)
{
    struct interleave run;
    if (!limit_explore(&scenario, &run)) {
        interleave_print(&run);
        fail_msg("%s", run.broken);
    }
    return run;
}

static const struct limit_scenario falling = {.limits = {3, 1}, .calls = 1};

static void test_a_limit_that_falls_counts_tickets_beyond_it(void **state)
{
    (void)state;
    walk(falling);
    assert_true(limit_met.beyond > 10);
    assert_true(limit_met.recounted > 10);
    assert_true(limit_met.given_back > 10);
}

static void test_a_limit_that_falls_by_a_word_counts_tickets_beyond_it(void **state)
{
    (void)state;
    walk((struct limit_scenario){.limits = {6, 2}, .calls = 1, .hints = {0, 4, 4}});
    assert_true(limit_met.beyond > 10);
    assert_true(limit_met.given_back > 10);
}

static void test_a_limit_that_falls_and_rises_again_is_held(void **state)
{
    (void)state;
    walk((struct limit_scenario){.limits = {3, 1, 2}, .calls = 1});
    walk((struct limit_scenario){.limits = {2, 1, 3, 1}, .calls = 1});
}

static void test_a_limit_that_rises_is_held(void **state)
{
    (void)state;
    walk((struct limit_scenario){.limits = {1, 3}, .calls = 1});
    assert_true(limit_met.denied > 10);
}

static void assert_found(struct limit_scenario scenario, enum limit_bug bug)
{
    struct interleave run;
    scenario.bug = bug;
    assert_false(limit_explore(&scenario, &run));
    assert_string_equal(run.broken, "more are in flight than the limit");
    assert_true(run.steps > 0);
}

static void test_seeded_a_taker_that_does_not_look_again_is_found(void **state)
{
    (void)state;
    assert_found(falling, LIMIT_NOT_AGAIN);
}

static void test_seeded_a_taker_that_does_not_count_again_is_found(void **state)
{
    (void)state;
    assert_found((struct limit_scenario){.limits = {3, 2}, .calls = 2}, LIMIT_NOT_COUNTED);
}

static void test_seeded_looking_before_the_limit_falls_is_found(void **state)
{
    (void)state;
    assert_found(falling, LIMIT_LOOK_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_limit_that_falls_counts_tickets_beyond_it),
        cmocka_unit_test(test_a_limit_that_falls_by_a_word_counts_tickets_beyond_it),
        cmocka_unit_test(test_a_limit_that_falls_and_rises_again_is_held),
        cmocka_unit_test(test_a_limit_that_rises_is_held),
        cmocka_unit_test(test_seeded_a_taker_that_does_not_look_again_is_found),
        cmocka_unit_test(test_seeded_a_taker_that_does_not_count_again_is_found),
        cmocka_unit_test(test_seeded_looking_before_the_limit_falls_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
