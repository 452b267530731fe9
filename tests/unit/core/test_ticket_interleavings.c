/* Tickets: all interleavings of two and three takers and tripd at each load and CAS, with processes that die at any
 * step and lanes whose numbers are reissued. Never more than the limit are held, none is lost, none is free while it is
 * held. Each seeded bug shows that the walk can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/ticket_actors.h"

#define ONE_WORD  .words = 1
#define TWO_WORDS .words = 2

static struct interleave walk(struct ticket_scenario scenario)
{
    struct interleave run;
    if (!ticket_explore(&scenario, &run)) {
        interleave_print(&run);
        fail_msg("%s", run.broken);
    }
    return run;
}

static void test_two_takers_share_one_ticket(void **state)
{
    (void)state;
    const struct interleave run = walk(
        (struct ticket_scenario){ONE_WORD, .limit = 1, .clients = {{.lane = 1, .calls = 3}, {.lane = 2, .calls = 3}}});
    assert_int_equal(run.interleavings, 34062);
    assert_true(ticket_met.denied > 10);
    assert_true(ticket_met.failed_swaps > 10);
}

static struct ticket_scenario crowding(void)
{
    return (struct ticket_scenario){
        ONE_WORD, .limit = 2, .clients = {{.lane = 1, .calls = 2}, {.lane = 2, .calls = 2}, {.lane = 3, .calls = 2}}};
}

static void test_three_takers_share_two_tickets_of_a_word(void **state)
{
    (void)state;
    const struct interleave run = walk(crowding());
    assert_int_equal(run.interleavings, 5389694698674);
    assert_true(ticket_met.denied_critical > 10);
    assert_true(ticket_met.failed_swaps > 10);
}

static void test_three_takers_share_five_tickets_of_two_words(void **state)
{
    (void)state;
    const struct interleave run = walk((struct ticket_scenario){TWO_WORDS, .limit = 5,
                                                                .clients = {{.lane = 1, .calls = 2, .hint = 4},
                                                                            {.lane = 2, .calls = 2, .hint = 4},
                                                                            {.lane = 3, .calls = 2, .hint = 4}}});
    assert_int_equal(run.interleavings, 26105169268992);
    assert_int_equal(ticket_met.denied, 0);
    assert_true(ticket_met.failed_swaps > 10);
}

static void test_a_taker_may_die_at_any_step(void **state)
{
    (void)state;
    const struct interleave run = walk((struct ticket_scenario){
        ONE_WORD, .limit = 1, .clients = {{.lane = 1, .calls = 2, .may_die = true}, {.lane = 2, .calls = 3}}});
    assert_int_equal(run.interleavings, 45395);
    assert_true(ticket_met.dead_holders > 10);
    assert_true(ticket_met.reclaimed > 10);
}

static void test_two_takers_may_die_at_any_step(void **state)
{
    (void)state;
    const struct interleave run = walk((struct ticket_scenario){TWO_WORDS, .limit = 5,
                                                                .clients = {{.lane = 1, .calls = 2, .may_die = true},
                                                                            {.lane = 2, .calls = 2, .hint = 4},
                                                                            {.lane = 3, .calls = 2, .may_die = true}}});
    assert_int_equal(run.interleavings, 255597539920672);
    assert_true(ticket_met.reclaimed > 10);
}

static void test_two_threads_die_with_their_process(void **state)
{
    (void)state;
    const struct interleave run = walk((struct ticket_scenario){
        ONE_WORD, .limit = 2,
        .clients = {{.lane = 1, .calls = 2, .may_die = true}, {.lane = 1, .calls = 2}, {.lane = 2, .calls = 2}}});
    assert_int_equal(run.interleavings, 20710360898760);
    assert_true(ticket_met.reclaimed > 10);
}

/* An heir begins with the number of a lane that died with a ticket. */
static struct ticket_scenario inheritance(void)
{
    return (struct ticket_scenario){TWO_WORDS, .limit = 5,
                                    .clients = {{.lane = 1, .calls = 2, .hint = 4, .may_die = true},
                                                {.lane = 1, .calls = 2, .hint = 4, .heir = true},
                                                {.lane = 2, .calls = 2, .hint = 4}}};
}

static void test_a_lanes_number_is_reissued_after_its_tickets_are_reclaimed(void **state)
{
    (void)state;
    const struct interleave run = walk(inheritance());
    assert_int_equal(run.interleavings, 131063556);
    assert_true(ticket_met.reclaimed > 10);
    assert_true(ticket_met.heirs > 10);
}

/* Two threads of one process, so that a later holder may have the same lane as an earlier one. */
static struct ticket_scenario ending_twice(void)
{
    return (struct ticket_scenario){
        ONE_WORD, .limit = 1, .ends_twice = true,
        .clients = {{.lane = 1, .calls = 2}, {.lane = 1, .calls = 2}, {.lane = 2, .calls = 1}}};
}

static void test_a_call_that_ends_twice_gives_back_once(void **state)
{
    (void)state;
    const struct interleave run = walk(ending_twice());
    assert_int_equal(run.interleavings, 52803102);
    assert_true(ticket_met.ended_again > 10);
}

/* Three takers that each leave two of four tickets: each finds three free at first. */
static struct ticket_scenario modesty(void)
{
    return (struct ticket_scenario){ONE_WORD, .limit = 4,
                                    .clients = {{.lane = 1, .calls = 2, .reserve = 2},
                                                {.lane = 2, .calls = 2, .reserve = 2},
                                                {.lane = 3, .calls = 2, .reserve = 2}}};
}

static void test_a_caller_that_leaves_a_reserve_never_holds_it(void **state)
{
    (void)state;
    const struct interleave run = walk(modesty());
    assert_int_equal(run.interleavings, 1904893380796194);
    assert_true(ticket_met.denied > 10);
}

static void test_the_critical_find_the_reserve_whatever_the_others_do(void **state)
{
    (void)state;
    const struct interleave run = walk((struct ticket_scenario){TWO_WORDS, .limit = 5,
                                                                .clients = {{.lane = 1, .calls = 2, .reserve = 4},
                                                                            {.lane = 2, .calls = 2, .reserve = 4},
                                                                            {.lane = 3, .calls = 3, .hint = 4}}});
    assert_int_equal(run.interleavings, 17061200841460);
    assert_true(ticket_met.denied > 10);
    assert_int_equal(ticket_met.denied_critical, 0);
}

/* ----------------------------------------------------------------------------------------------------- seeded bugs */

static void assert_found(struct ticket_scenario scenario, enum ticket_bug bug, const char *found)
{
    struct interleave run;
    scenario.bug = bug;
    assert_false(ticket_explore(&scenario, &run));
    assert_string_equal(run.broken, found);
    assert_true(run.steps > 0);
}

static void test_seeded_a_taking_that_is_stored_is_found(void **state)
{
    (void)state;
    assert_found(crowding(), TICKET_TAKE_STORED, "a ticket is lost");
}

static void test_seeded_a_giving_that_is_stored_is_found(void **state)
{
    (void)state;
    assert_found(crowding(), TICKET_GIVE_STORED, "a ticket is held and free");
}

static void test_seeded_giving_back_whatever_is_there_is_found(void **state)
{
    (void)state;
    assert_found(ending_twice(), TICKET_GIVE_UNCHECKED, "a call that ended twice gave back another's ticket");
}

static void test_seeded_a_serial_that_stands_still_is_found(void **state)
{
    (void)state;
    assert_found(ending_twice(), TICKET_NO_SERIAL, "a call that ended twice gave back another's ticket");
}

static void test_seeded_noting_after_taking_is_found(void **state)
{
    (void)state;
    assert_found(inheritance(), TICKET_NOTED_LATER, "a ticket is lost");
}

static void test_seeded_reclaiming_from_the_living_is_found(void **state)
{
    (void)state;
    assert_found(inheritance(), TICKET_RECLAIM_LIVE, "a ticket is held and free");
}

static void test_seeded_reissuing_before_reclaiming_is_found(void **state)
{
    (void)state;
    assert_found(inheritance(), TICKET_REISSUED_EARLY, "a ticket is held and free");
}

static void test_seeded_a_reserve_that_is_only_counted_is_found(void **state)
{
    (void)state;
    assert_found(modesty(), TICKET_RESERVE_COUNTED, "the reserve is held by who should leave it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_takers_share_one_ticket),
        cmocka_unit_test(test_three_takers_share_two_tickets_of_a_word),
        cmocka_unit_test(test_three_takers_share_five_tickets_of_two_words),
        cmocka_unit_test(test_a_taker_may_die_at_any_step),
        cmocka_unit_test(test_two_takers_may_die_at_any_step),
        cmocka_unit_test(test_two_threads_die_with_their_process),
        cmocka_unit_test(test_a_lanes_number_is_reissued_after_its_tickets_are_reclaimed),
        cmocka_unit_test(test_a_call_that_ends_twice_gives_back_once),
        cmocka_unit_test(test_a_caller_that_leaves_a_reserve_never_holds_it),
        cmocka_unit_test(test_the_critical_find_the_reserve_whatever_the_others_do),
        cmocka_unit_test(test_seeded_a_taking_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_a_giving_that_is_stored_is_found),
        cmocka_unit_test(test_seeded_giving_back_whatever_is_there_is_found),
        cmocka_unit_test(test_seeded_a_serial_that_stands_still_is_found),
        cmocka_unit_test(test_seeded_noting_after_taking_is_found),
        cmocka_unit_test(test_seeded_reclaiming_from_the_living_is_found),
        cmocka_unit_test(test_seeded_reissuing_before_reclaiming_is_found),
        cmocka_unit_test(test_seeded_a_reserve_that_is_only_counted_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
