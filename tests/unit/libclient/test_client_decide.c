/* The verdicts that each state word, mode and permit gives to a question and to an admission. */
#include "client_fixture.h"

#include "internal/state_word.h"

static trip_verdict begin(struct fixture *fixture)
{
    trip_call call;
    const trip_verdict verdict = trip_begin(fixture->breaker, &call);
    trip_end(&call, TRIP_CANCELLED);
    return verdict;
}

static void test_closed_allows(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
    assert_int_equal(begin(f), TRIP_ALLOW);
}

static void test_an_unset_word_allows(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, 0);
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
    assert_int_equal(begin(f), TRIP_ALLOW);
    fixture_set(f, word_make(3, (enum word_state)7, 0));
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
}

static void test_open_denies_and_goes_on_denying_after_its_deadline_while_tripd_lives(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, word_open(2, 31000));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_OPEN);
    assert_int_equal(begin(f), TRIP_DENY_OPEN);
    fake_clock(&f->fake, 31000);
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_OPEN);
    assert_int_equal(begin(f), TRIP_DENY_OPEN);
    assert_int_equal(fixture_counts(f).denied, 2);
}

static void test_half_open_probes_while_a_permit_is_armed(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, word_half_open(3, 11000));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_HALF_OPEN);
    assert_int_equal(begin(f), TRIP_DENY_HALF_OPEN);
    fake_arm(&f->fake, f->slot, 0);
    assert_int_equal(trip_allow(f->breaker), TRIP_PROBE);
    assert_int_equal(trip_allow(f->breaker), TRIP_PROBE); /* took nothing */
    assert_int_equal(begin(f), TRIP_PROBE);
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_HALF_OPEN);
}

static void test_probing_denies(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, word_probing(3, 9, 11000));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_HALF_OPEN);
    assert_int_equal(begin(f), TRIP_DENY_HALF_OPEN);
}

static void test_ramping_admits_its_permille(void **state)
{
    struct fixture *const f = *state;
    unsigned admitted = 0;
    fixture_set(f, word_ramping(4, 0, 0, 1));
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(trip_allow(f->breaker), TRIP_DENY_RAMP);
    fixture_set(f, word_ramping(4, 250, 0, 1));
    for (unsigned i = 0; i < 10000; i++)
        admitted += trip_allow(f->breaker) == TRIP_ALLOW;
    assert_in_range(admitted, 2200, 2800);
    fixture_set(f, word_ramping(4, 1000, 0, 1));
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(begin(f), TRIP_ALLOW);
}

static void test_forced_open_denies_in_every_state(void **state)
{
    struct fixture *const f = *state;
    fake_mode(&f->fake, f->slot, TRIP_MODE_FORCED_OPEN, 0);
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_FORCED);
    assert_int_equal(begin(f), TRIP_DENY_FORCED);
    fixture_set(f, word_open(2, 0));
    fake_away(&f->fake);
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_FORCED);
    assert_int_equal(begin(f), TRIP_DENY_FORCED);
    assert_int_equal(fixture_word(f), word_open(2, 0));
}

static void test_a_mode_ends_with_its_ttl_also_without_tripd(void **state)
{
    struct fixture *const f = *state;
    fake_mode(&f->fake, f->slot, TRIP_MODE_FORCED_OPEN, 5000);
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_FORCED);
    fake_clock(&f->fake, 4999);
    assert_int_equal(begin(f), TRIP_DENY_FORCED);
    fake_away(&f->fake);
    fake_clock(&f->fake, 5000);
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
    assert_int_equal(begin(f), TRIP_ALLOW);
}

static void test_disabled_admits_and_moves_nothing(void **state)
{
    struct fixture *const f = *state;
    fake_mode(&f->fake, f->slot, TRIP_MODE_DISABLED, 0);
    record_n(f->breaker, TRIP_FAILURE, 7);
    assert_int_equal(word_state(fixture_word(f)), WORD_CLOSED);
    assert_int_equal(word_streak(fixture_word(f)), 7);
    assert_int_equal(fixture_counts(f).total_failures, 7);
    fixture_set(f, word_open(2, 90000));
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
    assert_int_equal(begin(f), TRIP_ALLOW);
}

static void test_the_judge_follows_a_ttl_without_tripd(void **state)
{
    struct fixture *const f = *state;
    fake_mode(&f->fake, f->slot, TRIP_MODE_DISABLED, 5000);
    record_n(f->breaker, TRIP_FAILURE, 5);
    assert_int_equal(word_state(fixture_word(f)), WORD_CLOSED);
    fake_away(&f->fake);
    fake_clock(&f->fake, 5000);
    record_n(f->breaker, TRIP_FAILURE, 1);
    assert_int_equal(fixture_word(f), word_open(2, 35000));
}

static void test_shadow_moves_and_never_denies(void **state)
{
    struct fixture *const f = *state;
    fake_mode(&f->fake, f->slot, TRIP_MODE_SHADOW, 0);
    record_n(f->breaker, TRIP_FAILURE, 5);
    assert_int_equal(fixture_word(f), word_open(2, 31000));
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
    assert_int_equal(begin(f), TRIP_ALLOW);
    fixture_set(f, word_half_open(3, 11000));
    assert_int_equal(begin(f), TRIP_ALLOW);
    fake_arm(&f->fake, f->slot, 0);
    assert_int_equal(begin(f), TRIP_PROBE);
}

static void test_a_forgotten_breaker_is_found_again_under_its_new_slot(void **state)
{
    struct fixture *const f = *state;
    record_n(f->breaker, TRIP_FAILURE, 3);
    segment_forget(f->fake.segment, f->slot);
    const uint64_t before = fixture_word(f);
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW); /* by a rule of its own */
    const uint32_t other = fake_breaker(&f->fake, "db");
    assert_int_not_equal(other, f->slot);
    fake_set_word(&f->fake, other, word_open(7, 99000));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_OPEN); /* allow finds it by itself */
    assert_int_equal(begin(f), TRIP_DENY_OPEN);
    trip_record(f->breaker, TRIP_FAILURE, 0);
    assert_int_equal(fake_word(&f->fake, f->slot), before); /* the old slot is untouched */
    assert_int_equal(fake_counts_all(&f->fake, other, 7).total_failures, 1);
}

static void test_a_slot_given_away_is_not_mistaken(void **state)
{
    struct fixture *const f = *state;
    for (unsigned i = 1; i < FAKE_BREAKERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "other%u", i);
        fake_breaker(&f->fake, name);
    }
    segment_forget(f->fake.segment, f->slot);
    assert_int_equal(fake_breaker(&f->fake, "stranger"), f->slot);
    fixture_set(f, word_open(9, 99000));
    assert_int_equal(trip_allow(f->breaker), TRIP_ALLOW);
    record_n(f->breaker, TRIP_FAILURE, 5); /* by the private rule */
    assert_int_equal(fixture_word(f), word_open(9, 99000));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_OPEN);
}

static void test_breakers_that_do_not_fit_the_table_admit(void **state)
{
    struct fixture *const f = *state;
    trip_breaker *breaker;
    trip_info info;
    trip_call call;
    f->fake.full = true;
    assert_int_equal(trip_breaker_get(f->client, "too-much", &breaker), 0);
    record_n(breaker, TRIP_FAILURE, 50);
    assert_int_equal(trip_allow(breaker), TRIP_ALLOW);
    assert_int_equal(trip_begin(breaker, &call), TRIP_ALLOW);
    trip_end(&call, TRIP_FAILURE);
    assert_int_equal(trip_breaker_info(breaker, &info), 0);
    assert_int_equal(info.client, TRIP_CLIENT_UNREPORTED);
    assert_int_equal(info.state, TRIP_STATE_CLOSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_closed_allows),
        TEST(test_an_unset_word_allows),
        TEST(test_open_denies_and_goes_on_denying_after_its_deadline_while_tripd_lives),
        TEST(test_half_open_probes_while_a_permit_is_armed),
        TEST(test_probing_denies),
        TEST(test_ramping_admits_its_permille),
        TEST(test_forced_open_denies_in_every_state),
        TEST(test_a_mode_ends_with_its_ttl_also_without_tripd),
        TEST(test_disabled_admits_and_moves_nothing),
        TEST(test_the_judge_follows_a_ttl_without_tripd),
        TEST(test_shadow_moves_and_never_denies),
        TEST(test_a_forgotten_breaker_is_found_again_under_its_new_slot),
        TEST(test_a_slot_given_away_is_not_mistaken),
        TEST(test_breakers_that_do_not_fit_the_table_admit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
