/* Permits: their fields at their bits, and who may take, answer and arm them when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "internal/permit_word.h"

#define LONGEST_MS 330000

static void test_fields_stand_at_their_bits(void **state)
{
    (void)state;
    assert_int_equal(permit_make(0xabcde, 0x12, 0x345, PERMIT_OWNED, 64 * 0x54321),
                     UINT64_C(0xabcde12345000000) | UINT64_C(2) << 21 | 0x54321);
    const uint64_t permit = permit_make(0xfffff, 0xff, 0xfff, PERMIT_SLOW_FAILED, 64 * UINT64_C(0x1fffff));
    assert_int_equal(permit, UINT64_MAX);
    assert_int_equal(permit_epoch(permit), 0xfffff);
    assert_int_equal(permit_serial(permit), 0xff);
    assert_int_equal(permit_lane(permit), 0xfff);
    assert_int_equal(permit_outcome(permit), PERMIT_SLOW_FAILED);
}

static void test_a_zero_word_is_a_free_permit(void **state)
{
    (void)state;
    assert_int_equal(permit_outcome(0), PERMIT_FREE);
    assert_true(permit_armable(0, 7, 1000, LONGEST_MS));
    assert_false(permit_takeable(0, word_half_open(0, 1000)));
}

static void test_arming_moves_the_serial_and_forgets_the_owner(void **state)
{
    (void)state;
    const uint64_t answered = permit_make(6, 0xff, 17, PERMIT_OK, 6400);
    assert_int_equal(permit_armed(answered, 7), permit_make(7, 0, 0, PERMIT_ARMED, 0));
    assert_int_equal(permit_armed(permit_armed(answered, 7), 7), permit_make(7, 1, 0, PERMIT_ARMED, 0));
}

static void test_taking_keeps_epoch_and_serial(void **state)
{
    (void)state;
    const uint64_t armed = permit_make(7, 3, 0, PERMIT_ARMED, 0);
    assert_int_equal(permit_owned(armed, 17, 6400), permit_make(7, 3, 17, PERMIT_OWNED, 6400));
}

static void test_only_an_armed_permit_of_the_words_epoch_can_be_taken(void **state)
{
    (void)state;
    const uint64_t armed = permit_make(7, 3, 0, PERMIT_ARMED, 0);
    assert_true(permit_takeable(armed, word_half_open(7, 0)));
    assert_false(permit_takeable(armed, word_half_open(8, 0)));
    assert_false(permit_takeable(armed, word_probing(7, 0, 0)));
    assert_false(permit_takeable(armed, word_open(7, 0)));
    assert_false(permit_takeable(armed, word_closed(7, 0, 0)));
    for (unsigned outcome = PERMIT_FREE; outcome <= PERMIT_SLOW_FAILED; outcome++)
        assert_int_equal(
            permit_takeable(permit_with_outcome(armed, (enum permit_outcome)outcome), word_half_open(7, 0)),
            outcome == PERMIT_ARMED);
}

static void test_an_answer_keeps_everything_else(void **state)
{
    (void)state;
    const uint64_t owned = permit_make(7, 3, 17, PERMIT_OWNED, 6400);
    assert_int_equal(permit_with_outcome(owned, PERMIT_SLOW_FAILED), permit_make(7, 3, 17, PERMIT_SLOW_FAILED, 6400));
    assert_int_equal(permit_with_outcome(owned, PERMIT_FREE), permit_make(7, 3, 17, PERMIT_FREE, 6400));
}

static void test_a_lease_runs_until_its_step(void **state)
{
    (void)state;
    const uint64_t owned = permit_make(7, 3, 17, PERMIT_OWNED, lease_end_ms(49, 10000));
    assert_true(permit_running(owned, 49, LONGEST_MS));
    assert_true(permit_running(owned, 10111, LONGEST_MS));
    assert_false(permit_running(owned, 10112, LONGEST_MS));
    assert_false(permit_lease_over(owned, 10111));
    assert_true(permit_lease_over(owned, 10112));
}

static void test_a_lease_is_modular(void **state)
{
    (void)state;
    const uint64_t range_ms = UINT64_C(64) << 21, now = range_ms - 64;
    const uint64_t owned = permit_make(7, 3, 17, PERMIT_OWNED, lease_end_ms(now, 10000));
    assert_int_equal(permit_lane(owned), 17);
    assert_true(permit_running(owned, now + 9999, LONGEST_MS));
    assert_false(permit_running(owned, now + 10048, LONGEST_MS));
    assert_false(permit_running(owned, now + range_ms / 2 + 20000, LONGEST_MS)); /* wrapped: looks too long */
}

static void test_the_longest_max_wait_fits_the_lease(void **state)
{
    (void)state;
    const uint64_t twelve_hours_ms = 43200000;
    const uint64_t owned = permit_make(7, 3, 17, PERMIT_OWNED, lease_end_ms(1, twelve_hours_ms));
    assert_true(permit_running(owned, 1, twelve_hours_ms));
    assert_true(permit_running(owned, twelve_hours_ms, twelve_hours_ms));
    assert_false(permit_running(owned, twelve_hours_ms + 64, twelve_hours_ms));
}

static void test_a_lease_of_the_longest_time_is_no_damage(void **state)
{
    (void)state;
    for (uint64_t now = 0; now < 256; now++) {
        const uint64_t end = lease_end_ms(now, 10000);
        assert_true(permit_running(permit_make(7, 3, 17, PERMIT_OWNED, end), now, 10000));
        assert_false(permit_running(permit_make(7, 3, 17, PERMIT_OWNED, end + 256), now, 10000));
    }
}

static void test_a_running_lease_of_any_epoch_is_not_armed(void **state)
{
    (void)state;
    const uint64_t owned = permit_make(7, 3, 17, PERMIT_OWNED, 10048);
    assert_false(permit_armable(owned, 7, 10047, LONGEST_MS));
    assert_false(permit_armable(owned, 9, 10047, LONGEST_MS));
    assert_true(permit_armable(owned, 7, 10048, LONGEST_MS));
    assert_true(permit_armable(owned, 9, 10048, LONGEST_MS));
}

static void test_an_armed_permit_is_armed_again_only_for_another_epoch(void **state)
{
    (void)state;
    const uint64_t armed = permit_make(7, 3, 0, PERMIT_ARMED, 0);
    assert_false(permit_armable(armed, 7, 1000, LONGEST_MS));
    assert_true(permit_armable(armed, 8, 1000, LONGEST_MS));
}

static void test_answered_permits_can_be_armed(void **state)
{
    (void)state;
    for (unsigned outcome = PERMIT_OK; outcome <= PERMIT_SLOW_FAILED; outcome++)
        assert_true(permit_armable(permit_make(7, 3, 17, (enum permit_outcome)outcome, 99968), 7, 0, LONGEST_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_stand_at_their_bits),
        cmocka_unit_test(test_a_zero_word_is_a_free_permit),
        cmocka_unit_test(test_arming_moves_the_serial_and_forgets_the_owner),
        cmocka_unit_test(test_taking_keeps_epoch_and_serial),
        cmocka_unit_test(test_only_an_armed_permit_of_the_words_epoch_can_be_taken),
        cmocka_unit_test(test_an_answer_keeps_everything_else),
        cmocka_unit_test(test_a_lease_runs_until_its_step),
        cmocka_unit_test(test_a_lease_is_modular),
        cmocka_unit_test(test_the_longest_max_wait_fits_the_lease),
        cmocka_unit_test(test_a_lease_of_the_longest_time_is_no_damage),
        cmocka_unit_test(test_a_running_lease_of_any_epoch_is_not_armed),
        cmocka_unit_test(test_an_armed_permit_is_armed_again_only_for_another_epoch),
        cmocka_unit_test(test_answered_permits_can_be_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
