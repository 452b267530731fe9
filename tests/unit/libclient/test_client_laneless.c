/* Processes that have no lane, or not yet: refused ones, children of a fork whose lane is on its way, and those of a
 * tripd that does not answer. They decide like everybody, and hold what they take until a lease ends. */
#include <errno.h>

#include "client_fixture.h"
#include "internal/policy.h"

static void half_open_with_a_permit(struct fixture *fixture)
{
    fixture_set(fixture, word_half_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    fake_arm(&fixture->fake, fixture->slot, 0);
}

static void bulkhead_of_four(struct fixture *fixture)
{
    struct policy_slot *const policy = &fixture->fake.segment->policies[fixture->slot];
    policy->tickets_highest = policy->tickets = 4;
    policy->limits = POLICY_TICKETS;
}

/* Calls until the breaker admits a probe, which ends well. */
static int probes(void *context)
{
    struct fixture *const fixture = context;
    trip_call call;
    trip_verdict verdict = TRIP_DENY_HALF_OPEN;
    WAIT_FOR(verdict != TRIP_DENY_HALF_OPEN || (verdict = trip_begin(fixture->breaker, &call)) != TRIP_DENY_HALF_OPEN);
    trip_end(&call, TRIP_OK);
    return verdict == TRIP_PROBE ? 0 : 1 + (int)verdict;
}

static uint32_t permit_of(const struct fixture *fixture)
{
    return permit_outcome(fake_permit(&fixture->fake, fixture->slot, 0));
}

static void test_a_child_without_the_role_takes_a_permit(void **state)
{
    struct fixture *const fixture = *state;
    half_open_with_a_permit(fixture);
    fixture->fake.refuse_hello = -EACCES;
    assert_int_equal(in_child(probes, fixture), 0);
    assert_int_equal(permit_of(fixture), PERMIT_OK);
    assert_int_equal(permit_lane(fake_permit(&fixture->fake, fixture->slot, 0)), 0);
}

static void test_a_child_of_a_tripd_that_does_not_answer_takes_a_permit_in_the_end(void **state)
{
    struct fixture *const fixture = *state;
    half_open_with_a_permit(fixture);
    fixture->fake.silent = true;
    assert_int_equal(in_child(probes, fixture), 0);
    assert_int_equal(permit_of(fixture), PERMIT_OK);
}

static void test_a_child_whose_lane_is_refused_takes_a_permit(void **state)
{
    struct fixture *const fixture = *state;
    half_open_with_a_permit(fixture);
    fixture->fake.refuse_lane = -EDQUOT;
    assert_int_equal(in_child(probes, fixture), 0);
    assert_int_equal(permit_of(fixture), PERMIT_OK);
}

static int holds_a_lease(void *context)
{
    struct fixture *const fixture = context;
    trip_call call;
    if (trip_begin(fixture->breaker, &call) != TRIP_ALLOW)
        return 1;
    const uint64_t word = commons_tickets(fixture->fake.commons, fixture->slot)[0];
    const bool lease = tickets_holder_at(word, 0) >= TICKET_LEASE || tickets_holder_at(word, 1) >= TICKET_LEASE ||
                       tickets_holder_at(word, 2) >= TICKET_LEASE || tickets_holder_at(word, 3) >= TICKET_LEASE;
    trip_end(&call, TRIP_OK);
    return lease ? 0 : 2;
}

static void test_a_child_without_the_role_holds_tickets_on_a_lease(void **state)
{
    struct fixture *const fixture = *state;
    bulkhead_of_four(fixture);
    fixture->fake.refuse_hello = -EACCES;
    assert_int_equal(in_child(holds_a_lease, fixture), 0);
    assert_int_equal(ticket_count(commons_tickets(fixture->fake.commons, fixture->slot), 0, 4), 0);
}

/* A process that tripd refuses cannot have the next commons: no permit is its, and it must not be denied for ever. */
static void test_a_refused_process_of_a_dead_commons_recovers_too(void **state)
{
    struct fixture *const fixture = *state;
    trip_call call;
    trip_verdict verdict = TRIP_DENY_OPEN;
    fixture->fake.refuse_hello = -EACCES;
    fake_lose_commons(&fixture->fake);
    fixture_set(fixture, word_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_DENY_OPEN);
    half_open_with_a_permit(fixture);
    assert_true(WAIT_FOR(verdict == TRIP_ALLOW || (verdict = trip_begin(fixture->breaker, &call)) == TRIP_ALLOW));
    trip_end(&call, TRIP_OK);
    fake_mode(&fixture->fake, fixture->slot, TRIP_MODE_FORCED_OPEN, 0);
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_DENY_FORCED);
    fake_mode(&fixture->fake, fixture->slot, TRIP_MODE_COUNT, 0);
    fixture_set(fixture, word_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_DENY_OPEN);
}

/* -------------------------------------------------------------------------------------------------- young children */

static bool held_by_a_lane(const struct fixture *fixture)
{
    const uint64_t *const words = commons_tickets(fixture->fake.commons, fixture->slot);
    for (unsigned at = 0; at < TICKETS_PER_WORD; at++) {
        const uint32_t holder = tickets_holder_at(words[0], at);
        if (holder != 0 && holder < TICKET_LEASE)
            return true;
    }
    return false;
}

/* tripd has written the number into the lane; the process has read no answer. It makes fewer calls than between two
 * looks. */
static int holds_by_its_number(void *context)
{
    struct fixture *const fixture = context;
    const struct timespec nap = {.tv_nsec = 20000000};
    for (unsigned calls = 0; calls < 60; calls++) {
        trip_call call;
        if (trip_begin(fixture->breaker, &call) != TRIP_ALLOW)
            return 1;
        const bool held = held_by_a_lane(fixture);
        trip_end(&call, TRIP_OK);
        if (held)
            return 0;
        nanosleep(&nap, NULL);
    }
    return 2;
}

static void test_a_child_holds_tickets_by_the_number_of_its_lane_with_the_next_call(void **state)
{
    struct fixture *const fixture = *state;
    bulkhead_of_four(fixture);
    assert_int_equal(in_child(holds_by_its_number, fixture), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_without_the_role_takes_a_permit),
        TEST(a_child_of_a_tripd_that_does_not_answer_takes_a_permit_in_the_end),
        TEST(a_child_whose_lane_is_refused_takes_a_permit),
        TEST(a_child_without_the_role_holds_tickets_on_a_lease),
        TEST(a_refused_process_of_a_dead_commons_recovers_too),
        TEST(a_child_holds_tickets_by_the_number_of_its_lane_with_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
