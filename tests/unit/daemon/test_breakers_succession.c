/* A tripd that makes another commons: fills its words from the mirror, moves the number in each admission word, and
 * takes over what opened in an older commons while no tripd was there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "internal/succession.h"

#define STEADY "open: {for: 30s, multiplier: 1.0, max: 30s, jitter: 0%}"

static struct host *host;
static uint32_t slot;

static void start(const char *settings)
{
    host = host_start_by(host_settings(settings), 8);
    slot = host_breaker(host, "db");
}

static int stop(void **state)
{
    (void)state;
    host_stop(host);
    return 0;
}

/* Both processes of tripd die, and their descriptors are lost. */
static void lose_commons(void)
{
    host_kill_both(host, NULL, 0);
}

/* Opens the word by a client's streak, which nobody mirrors. */
static uint64_t opened_by_client(uint64_t until_ms)
{
    return word_open(word_epoch(host_word(host, slot)) + 1, until_ms);
}

static void test_admission_words_carry_the_number_of_the_commons_in_force(void **state)
{
    (void)state;
    start(STEADY);
    assert_true(host_policy(host, slot)->admission == policy_plain(1, 1));
    lose_commons();
    assert_int_equal(host->segment->header->commons_number, 2);
    assert_true(host_policy(host, slot)->admission == policy_plain(1, 2));
    assert_true(host_policy(host, host_breaker(host, "later"))->admission == policy_plain(1, 2));
    host_kill(host, NULL, 0); /* the worker alone: the keeper hands on the commons */
    assert_true(host_policy(host, slot)->admission == policy_plain(1, 2));
}

static void test_modes_and_ttls_stay_in_the_admission_word(void **state)
{
    (void)state;
    start(STEADY);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 60000,
                  &(struct breakers_actor){.by = BY_OPERATOR});
    lose_commons();
    const struct policy_slot *const policy = host_policy(host, slot);
    assert_int_equal(policy_mode_now(policy, policy->admission, 59999), TRIP_MODE_FORCED_OPEN);
    assert_int_equal(policy_mode_now(policy, policy->admission, 60000), TRIP_MODE_AUTO);
}

static void test_an_opening_in_the_commons_before_is_taken_over_with_its_time(void **state)
{
    (void)state;
    start(STEADY);
    host_advance(host, 1000);
    const uint64_t opened = opened_by_client(25000);
    lose_commons();
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
    breakers_opened_before(host->breakers, slot, opened, 1);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 25000);
    assert_true(host->segment->mirror[slot] == host_word(host, slot));
    assert_int_equal(host->segment->details[slot].reason, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(host->segment->details[slot].by, BY_CLIENT);
    assert_int_equal(host_head(host, slot)->totals.opens, 1);
    breakers_opened_before(host->breakers, slot, opened, 1); /* as the next client says, too */
    assert_int_equal(host_head(host, slot)->totals.opens, 1);
    host_advance(host, 24000);
    assert_int_equal(host_state(host, slot), WORD_HALF_OPEN);
}

static void test_an_opening_is_not_taken_over_where_somebody_knows_better(void **state)
{
    (void)state;
    start(STEADY);
    const uint64_t opened = opened_by_client(25000);
    lose_commons();
    breakers_reset(host->breakers, slot, &(struct breakers_actor){.by = BY_OPERATOR});
    breakers_opened_before(host->breakers, slot, opened, 1);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
}

static void test_an_opening_that_is_over_or_damaged_is_not_taken_over(void **state)
{
    (void)state;
    start(STEADY);
    const uint32_t epoch = word_epoch(host_word(host, slot));
    host_advance(host, 1000);
    lose_commons();
    breakers_opened_before(host->breakers, slot, word_open(epoch + 1, 1000), 1);
    breakers_opened_before(host->breakers, slot, word_open(epoch + 1, 32000), 1);
    breakers_opened_before(host->breakers, slot, word_half_open(epoch + 1, 25000), 1);
    breakers_opened_before(host->breakers, 7, word_open(epoch + 1, 25000), 1);
    breakers_opened_before(host->breakers, 99, word_open(epoch + 1, 25000), 1);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
    breakers_opened_before(host->breakers, slot, word_open(epoch + 1, 25000), 1);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
}

/* The breaker opened, was mirrored, and its time passed; then a client's probe failed while tripd was away. */
static void test_a_reopening_for_longer_is_taken_over_too(void **state)
{
    (void)state;
    start("half_open: {max_wait: 2s}, " STEADY);
    breakers_trip(host->breakers, slot, 1000, &(struct breakers_actor){.by = BY_OPERATOR});
    const uint32_t epoch = word_epoch(host_word(host, slot));
    host_sleep(host, 3000);
    lose_commons();
    assert_int_equal(host_state(host, slot), WORD_OPEN); /* until a probe of before is over */
    assert_in_range(word_deadline_ms(host_word(host, slot)), 5000, 5064);
    breakers_opened_before(host->breakers, slot, word_open(epoch + 2, 25000), 1);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 25000);
    assert_int_equal(host->segment->details[slot].reason, TRIP_REASON_PROBE_FAILED);
    breakers_opened_before(host->breakers, slot, word_open(epoch + 2, 20000), 1);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 25000);
}

static void test_a_mode_that_keeps_the_state_takes_over_nothing(void **state)
{
    (void)state;
    start("mode: disabled, " STEADY);
    const uint64_t opened = opened_by_client(25000);
    lose_commons();
    breakers_opened_before(host->breakers, slot, opened, 1);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
}

static void test_an_opening_many_commons_ago_is_taken_over_too(void **state)
{
    (void)state;
    start(STEADY);
    const uint64_t opened = opened_by_client(25000);
    for (unsigned i = 0; i < 6; i++)
        lose_commons();
    breakers_opened_before(host->breakers, slot, opened, 1);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
}

static void test_an_opening_is_not_taken_over_if_the_breaker_moved_in_a_commons_between(void **state)
{
    (void)state;
    start(STEADY);
    const struct breakers_actor actor = {.by = BY_OPERATOR};
    const uint32_t epoch = word_epoch(host_word(host, slot));
    lose_commons();
    breakers_reset(host->breakers, slot, &actor);
    lose_commons();
    lose_commons();
    breakers_opened_before(host->breakers, slot, word_open(epoch + 3, 25000),
                           1); /* it moved more often before than since */
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
    const uint64_t opened = opened_by_client(25000);
    breakers_opened_before(host->breakers, slot, opened, 2);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
}

static void test_a_slot_that_got_another_name_since_takes_over_nothing(void **state)
{
    (void)state;
    start("forget_after: 60s, " STEADY);
    const uint64_t opened = opened_by_client(100000);
    lose_commons();
    host_advance(host, 61000);
    for (char name[] = "n0"; name[1] < '8'; name[1]++)
        host_breaker(host, name);
    assert_string_equal(segment_name(host->segment, slot), "n7");
    breakers_opened_before(host->breakers, slot, opened, 1);
    assert_int_equal(host_state(host, slot), WORD_CLOSED);
}

/* The worker dies at any slot of the filling, and the next one begins again with the same commons. */
static void test_a_worker_that_dies_while_it_fills_loses_no_opening(void **state)
{
    (void)state;
    start(STEADY);
    const uint32_t other = host_breaker(host, "other");
    const uint64_t opened = opened_by_client(25000);
    host_close(host);
    close(host->commons->fd);
    commons_unmap(host->commons);
    host_commons(host);
    segment_inherit(host->segment, &host->clock);
    segment_commons_begin(host->segment);
    const uint64_t filled = word_closed(word_epoch(host->segment->mirror[slot]) + WORD_FRESH_COMMONS_EPOCHS, 0, 0);
    *commons_word(host->commons, slot) = filled; /* and no further: `other` is not filled */
    segment_mirror(host->segment, slot, filled);
    host_open(host);
    assert_false(word_moved(filled, host_word(host, slot)));
    assert_int_equal(host_state(host, other), WORD_CLOSED);
    breakers_opened_before(host->breakers, slot, opened, 1);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
}

static void test_a_worker_that_dies_while_it_moves_numbers_leaves_the_rest_to_the_next(void **state)
{
    (void)state;
    start(STEADY);
    lose_commons();
    struct policy_slot *const policy = &host->segment->policies[slot];
    policy->admission = policy_with_commons(policy->admission, 1); /* as if it had not come to this one */
    host_kill(host, NULL, 0);
    assert_true(host_policy(host, slot)->admission == policy_plain(1, 2));
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(admission_words_carry_the_number_of_the_commons_in_force),
        TEST(modes_and_ttls_stay_in_the_admission_word),
        TEST(an_opening_in_the_commons_before_is_taken_over_with_its_time),
        TEST(an_opening_is_not_taken_over_where_somebody_knows_better),
        TEST(an_opening_that_is_over_or_damaged_is_not_taken_over),
        TEST(a_reopening_for_longer_is_taken_over_too),
        TEST(a_mode_that_keeps_the_state_takes_over_nothing),
        TEST(an_opening_many_commons_ago_is_taken_over_too),
        TEST(an_opening_is_not_taken_over_if_the_breaker_moved_in_a_commons_between),
        TEST(a_slot_that_got_another_name_since_takes_over_nothing),
        TEST(a_worker_that_dies_while_it_fills_loses_no_opening),
        TEST(a_worker_that_dies_while_it_moves_numbers_leaves_the_rest_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
