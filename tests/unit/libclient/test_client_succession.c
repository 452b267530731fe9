/* tripd made another commons: the next load of every attached process knows. Until the process has the new one it
 * decides by the mirror, moves no word, and keeps what it has to say; what opened while nobody was there is handed
 * over. */
#include <errno.h>

#include "client.h"
#include "client_fixture.h"
#include "internal/ticks.h"

#define ANOTHER_NAMESPACE 4026539999u
#define FAR_AWAY_NS       UINT64_C(100000000000000)

static bool shared(const struct fixture *fixture)
{
    return trip_client_status(fixture->client) == TRIP_CLIENT_SHARED;
}

static trip_verdict begun(struct fixture *fixture, trip_outcome outcome)
{
    trip_call call;
    const trip_verdict verdict = trip_begin(fixture->breaker, &call);
    trip_end(&call, outcome);
    return verdict;
}

/* Loses the commons, so that the process cannot have the new one. */
static void lose_commons_unheard(struct fixture *fixture)
{
    fixture->fake.silent = true;
    fake_lose_commons(&fixture->fake);
}

/* ----------------------------------------------------------------------------------------- by the mirror meanwhile */

static void test_the_next_load_denies_what_the_next_tripd_has_opened(void **state)
{
    struct fixture *const fixture = *state;
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_ALLOW);
    lose_commons_unheard(fixture);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_ALLOW);
    fixture_set(fixture, word_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_DENY_OPEN);
    fixture_set(fixture, word_half_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_HALF_OPEN);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_DENY_HALF_OPEN);
    fixture_set(fixture, word_ramping(word_epoch(fixture_word(fixture)) + 1, 0, 0, 0));
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_RAMP);
    fixture_set(fixture, word_closed(word_epoch(fixture_word(fixture)) + 1, 0, 0));
    assert_int_equal(trip_allow(fixture->breaker), TRIP_ALLOW);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_ALLOW);
}

static void test_a_mode_that_the_next_tripd_sets_holds_at_once(void **state)
{
    struct fixture *const fixture = *state;
    lose_commons_unheard(fixture);
    fake_mode(&fixture->fake, fixture->slot, TRIP_MODE_FORCED_OPEN, 5000);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_FORCED);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_DENY_FORCED);
    fake_clock(&fixture->fake, 5000);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_ALLOW);
}

static void test_failures_meanwhile_move_no_word_and_count_when_the_lane_is_taken(void **state)
{
    struct fixture *const fixture = *state;
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_ALLOW);
    lose_commons_unheard(fixture);
    const uint64_t word = fixture_word(fixture);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(begun(fixture, TRIP_FAILURE), TRIP_ALLOW);
    trip_record(fixture->breaker, TRIP_FAILURE, 0);
    assert_true(fixture_word(fixture) == word);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_ALLOW);
    fixture->fake.silent = false;
    fake_hang_up(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    const struct fake_counts counts = fixture_counts(fixture);
    assert_int_equal(counts.total_failures, 8);
    assert_int_equal(counts.failures, 8);
    assert_int_equal(counts.total_ok, 1);
}

static void test_a_call_that_began_before_counts_in_the_new_commons(void **state)
{
    struct fixture *const fixture = *state;
    trip_call call;
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_ALLOW);
    fake_lose_commons(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    trip_end(&call, TRIP_FAILURE);
    assert_int_equal(word_streak(fixture_word(fixture)), 1);
    assert_int_equal(fixture_counts(fixture).late, 0);
    assert_int_equal(fixture_counts(fixture).failures, 1);
}

static void test_a_call_that_began_before_is_late_if_the_breaker_moved_since(void **state)
{
    struct fixture *const fixture = *state;
    trip_call call;
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_ALLOW);
    fake_lose_commons(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    fixture_set(fixture, word_closed(word_epoch(fixture_word(fixture)) + 1, 0, 0)); /* as tripctl reset */
    trip_end(&call, TRIP_FAILURE);
    assert_int_equal(word_streak(fixture_word(fixture)), 0);
    assert_int_equal(fixture_counts(fixture).late, 1);
    assert_int_equal(fixture_counts(fixture).total_failures, 0);
}

static void test_streaks_count_in_the_new_commons_once_the_process_has_it(void **state)
{
    struct fixture *const fixture = *state;
    fake_lose_commons(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    record_n(fixture->breaker, TRIP_FAILURE, 4);
    assert_int_equal(word_streak(fixture_word(fixture)), 4);
    record_n(fixture->breaker, TRIP_FAILURE, 1);
    assert_int_equal(word_state(fixture_word(fixture)), WORD_OPEN);
}

static void test_a_permit_of_the_dead_commons_is_not_lent(void **state)
{
    struct fixture *const fixture = *state;
    fixture_set(fixture, word_half_open(word_epoch(fixture_word(fixture)) + 1, 60000));
    fake_arm(&fixture->fake, fixture->slot, 0);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_PROBE);
    lose_commons_unheard(fixture);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_HALF_OPEN);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_DENY_HALF_OPEN);
}

/* ------------------------------------------------------------------------------ what opened while nobody was there */

/* Opens the breaker by this process's own failures. */
static uint64_t open_while_away(struct fixture *fixture)
{
    fake_away(&fixture->fake);
    record_n(fixture->breaker, TRIP_FAILURE, 5);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
    return fixture_word(fixture);
}

static void test_an_opening_of_before_goes_on_denying_and_is_handed_over(void **state)
{
    struct fixture *const fixture = *state;
    const uint64_t opened = open_while_away(fixture);
    fake_lose_commons(&fixture->fake);
    fake_back(&fixture->fake);
    assert_int_equal(word_state(fixture_word(fixture)), WORD_CLOSED); /* nobody mirrored it */
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_DENY_OPEN);
    assert_true(WAIT_FOR(shared(fixture)));
    assert_int_equal(fake_seen(&fixture->fake, &fixture->fake.opening_count), 1);
    assert_int_equal(fixture->fake.openings[0].breaker, fixture->slot);
    assert_true(fixture->fake.openings[0].word == opened);
}

static void test_until_tripd_has_taken_an_opening_over_the_old_commons_denies(void **state)
{
    struct fixture *const fixture = *state;
    open_while_away(fixture);
    fixture->fake.mute_openings = true;
    fake_lose_commons(&fixture->fake);
    fake_back(&fixture->fake);
    assert_true(WAIT_FOR(begun(fixture, TRIP_OK) != TRIP_DENY_OPEN ||
                         fake_seen(&fixture->fake, &fixture->fake.opening_count) != 0));
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_DENY_OPEN);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
    fixture->fake.mute_openings = false;
    fake_hang_up(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    assert_int_equal(fake_seen(&fixture->fake, &fixture->fake.opening_count), 2);
}

static void test_an_opening_of_before_ends_when_somebody_knows_better(void **state)
{
    struct fixture *const fixture = *state;
    open_while_away(fixture);
    lose_commons_unheard(fixture);
    fake_back(&fixture->fake);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
    fixture_set(fixture, word_closed(word_epoch(fixture_word(fixture)) + 1, 0, 0)); /* as tripctl reset */
    assert_int_equal(trip_allow(fixture->breaker), TRIP_ALLOW);
    assert_int_equal(begun(fixture, TRIP_OK), TRIP_ALLOW);
}

static void test_an_opening_of_before_ends_with_its_time(void **state)
{
    struct fixture *const fixture = *state;
    open_while_away(fixture);
    lose_commons_unheard(fixture);
    fake_back(&fixture->fake);
    fake_clock(&fixture->fake, 30999);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
    fake_clock(&fixture->fake, 31000);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_ALLOW);
}

static void test_openings_of_breakers_of_other_processes_are_handed_over_too(void **state)
{
    struct fixture *const fixture = *state;
    const uint32_t others = fake_breaker(&fixture->fake, "mail");
    /* Written as a process would that is dead by now: the word is not mirrored. */
    *commons_word(fixture->fake.commons, others) = word_open(word_epoch(fake_word(&fixture->fake, others)) + 1, 9000);
    fake_lose_commons(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    assert_int_equal(fake_seen(&fixture->fake, &fixture->fake.opening_count), 1);
    assert_int_equal(fixture->fake.openings[0].breaker, others);
}

/* A thread of this process opened a breaker in the commons before, when this process had the one in force already. */
static uint64_t open_late(struct fixture *fixture)
{
    struct commons_view *const before = fixture->client->view->commons->older;
    uint64_t *const word = (uint64_t *)(uintptr_t)(before->words.base + (size_t)fixture->slot * before->words.stride);
    *word = word_open(word_epoch(*word) + 1, 30000);
    before->opened_late = true;
    return *word;
}

static void test_a_late_opening_is_sent_again_if_tripd_dies_before_it_takes_it(void **state)
{
    struct fixture *const fixture = *state;
    fake_lose_commons(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    const uint64_t opened = open_late(fixture);
    fixture->fake.mute_openings = true;
    fake_lose_commons(&fixture->fake);
    assert_true(WAIT_FOR(!shared(fixture) && fake_seen(&fixture->fake, &fixture->fake.opening_count) == 1));
    fixture->fake.mute_openings = false;
    fake_hang_up(&fixture->fake);
    assert_true(WAIT_FOR(shared(fixture)));
    assert_int_equal(fake_seen(&fixture->fake, &fixture->fake.opening_count), 2);
    assert_int_equal(fixture->fake.openings[1].breaker, fixture->slot);
    assert_true(fixture->fake.openings[1].word == opened);
}

static void test_while_the_next_tripd_is_away_too_either_commons_denies(void **state)
{
    struct fixture *const fixture = *state;
    open_while_away(fixture);
    lose_commons_unheard(fixture);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN); /* its own commons says so */
    fake_clock(&fixture->fake, 31000);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_PROBE);
    fixture_set(fixture, word_open(word_epoch(fixture_word(fixture)) + 1, 60000)); /* an operator, before tripd died */
    fake_away(&fixture->fake);
    assert_int_equal(trip_allow(fixture->breaker), TRIP_DENY_OPEN);
}

/* --------------------------------------------------------------------------------------------- tickets, and clocks */

static void test_a_ticket_of_the_dead_commons_is_given_back_there(void **state)
{
    struct fixture *const fixture = *state;
    struct fake_daemon *const fake = &fixture->fake;
    trip_call before, after;
    fake->segment->policies[fixture->slot].tickets_highest = 4;
    fake->segment->policies[fixture->slot].tickets = 4;
    fake->segment->policies[fixture->slot].limits = POLICY_TICKETS;
    assert_int_equal(trip_begin(fixture->breaker, &before), TRIP_ALLOW);
    fake_lose_commons(fake);
    assert_true(WAIT_FOR(shared(fixture)));
    assert_int_equal(trip_begin(fixture->breaker, &after), TRIP_ALLOW);
    assert_int_equal(ticket_count(commons_tickets(fake->commons, fixture->slot), 0, 4), 1);
    trip_end(&before, TRIP_OK);
    assert_int_equal(ticket_count(commons_tickets(fake->commons, fixture->slot), 0, 4), 1);
    trip_end(&after, TRIP_OK);
    assert_int_equal(ticket_count(commons_tickets(fake->commons, fixture->slot), 0, 4), 0);
}

static void test_after_many_commons_the_memory_of_old_ones_is_given_back(void **state)
{
    struct fixture *const fixture = *state;
    trip_call old;
    assert_int_equal(trip_begin(fixture->breaker, &old), TRIP_ALLOW);
    for (unsigned i = 0; i < 8; i++) {
        fake_lose_commons(&fixture->fake);
        assert_true(WAIT_FOR(shared(fixture)));
        assert_int_equal(begun(fixture, TRIP_OK), TRIP_ALLOW);
    }
    trip_end(&old, TRIP_FAILURE); /* its words are gone, its addresses are not */
    char line[512];
    unsigned mapped = 0;
    FILE *const maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        mapped += strstr(line, "tripd-commons-") && strstr(line, "(deleted)") && strstr(line, "rw-s");
    fclose(maps);
    assert_in_range(mapped, 1, 3); /* the one in force, the one before, and this test's own mapping */
}

static void beat(struct fixture *fixture, uint64_t offset_ns)
{
    fixture->fake.segment->header->heartbeat_mono_ns = monotonic_ns() + offset_ns;
}

/* The heart beats just before the status is asked: on a busy machine the last beat may be long ago. */
static trip_client_state status_at_a_beat(struct fixture *fixture, uint64_t offset_ns)
{
    beat(fixture, offset_ns);
    return trip_client_status(fixture->client);
}

/* A new client of a tripd whose clock is `offset` ahead of this process's. */
static trip_client_state status_of_one_shifted(struct fixture *fixture, uint64_t offset_ns)
{
    trip_close(fixture->client);
    fixture->fake.clock_offset_ns = offset_ns;
    fixture->fake.time_namespace = ANOTHER_NAMESPACE;
    beat(fixture, offset_ns);
    if (trip_open(&fixture->client, NULL) < 0 || trip_breaker_get(fixture->client, "db", &fixture->breaker) < 0)
        return TRIP_CLIENT_COUNT;
    WAIT_FOR(status_at_a_beat(fixture, offset_ns) == TRIP_CLIENT_SHARED);
    return status_at_a_beat(fixture, offset_ns);
}

static void test_a_clock_of_another_time_namespace_is_corrected(void **state)
{
    struct fixture *const fixture = *state;
    assert_int_equal(status_of_one_shifted(fixture, FAR_AWAY_NS), TRIP_CLIENT_SHARED);
    assert_int_equal(status_of_one_shifted(fixture, -FAR_AWAY_NS), TRIP_CLIENT_SHARED);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_the_next_load_denies_what_the_next_tripd_has_opened),
        CASE(test_a_mode_that_the_next_tripd_sets_holds_at_once),
        CASE(test_failures_meanwhile_move_no_word_and_count_when_the_lane_is_taken),
        CASE(test_a_call_that_began_before_counts_in_the_new_commons),
        CASE(test_a_call_that_began_before_is_late_if_the_breaker_moved_since),
        CASE(test_streaks_count_in_the_new_commons_once_the_process_has_it),
        CASE(test_a_permit_of_the_dead_commons_is_not_lent),
        CASE(test_an_opening_of_before_goes_on_denying_and_is_handed_over),
        CASE(test_until_tripd_has_taken_an_opening_over_the_old_commons_denies),
        CASE(test_an_opening_of_before_ends_when_somebody_knows_better),
        CASE(test_an_opening_of_before_ends_with_its_time),
        CASE(test_openings_of_breakers_of_other_processes_are_handed_over_too),
        CASE(test_a_late_opening_is_sent_again_if_tripd_dies_before_it_takes_it),
        CASE(test_while_the_next_tripd_is_away_too_either_commons_denies),
        CASE(test_a_ticket_of_the_dead_commons_is_given_back_there),
        CASE(test_after_many_commons_the_memory_of_old_ones_is_given_back),
        CASE(test_a_clock_of_another_time_namespace_is_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
