/* The state word: its fields at their bits, and each step with its boundaries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "internal/state_word.h"

#define LONGEST_MS 330000

/* --------------------------------------------------------------------------------------------------------- fields */

static void test_fields_stand_at_their_bits(void **state)
{
    (void)state;
    assert_int_equal(word_make(0xabcde, WORD_CLOSED, 0), UINT64_C(0xabcde20000000000));
    assert_int_equal(word_make(0xabcde, WORD_OPEN, 0x123), UINT64_C(0xabcde40000000123));
    assert_int_equal(word_make(0, WORD_HALF_OPEN, 0), UINT64_C(0x0000060000000000));
    assert_int_equal(word_make(0, WORD_RAMPING, 0), UINT64_C(0x0000080000000000));
    assert_int_equal(word_make(0, WORD_PROBING, 0), UINT64_C(0x00000a0000000000));
    assert_int_equal(word_closed(1, 5, 0x4321), UINT64_C(0x0000120000054321));
    assert_int_equal(word_ramping(1, 250, 7, 0x4321), UINT64_C(0x0000187d00074321));
    assert_int_equal(word_probing(1, 0xfff, 64), UINT64_C(0x00001bffe0000001));
}

static void test_fields_are_read_back(void **state)
{
    (void)state;
    const uint64_t closed = word_closed(0xfffff, 0x7fff, 0xffff);
    assert_int_equal(word_epoch(closed), 0xfffff);
    assert_int_equal(word_state(closed), WORD_CLOSED);
    assert_int_equal(word_streak(closed), 0x7fff);
    assert_int_equal(word_generation(closed), 0xffff);

    const uint64_t ramping = word_ramping(3, 1000, 0x7fff, 2);
    assert_int_equal(word_epoch(ramping), 3);
    assert_int_equal(word_state(ramping), WORD_RAMPING);
    assert_int_equal(word_permille(ramping), 1000);
    assert_int_equal(word_streak(ramping), 0x7fff);
    assert_int_equal(word_generation(ramping), 2);

    assert_int_equal(word_deadline_ms(word_open(9, 123456)), 123456);
    assert_int_equal(word_deadline_ms(word_half_open(9, 123456)), 123456);
    assert_int_equal(word_probe_lane(word_probing(9, 4095, 1)), 4095);
    assert_int_equal(word_probe_lane(word_probing(9, 17, UINT64_MAX / 2)), 17);
}

static void test_a_change_of_one_field_leaves_the_others(void **state)
{
    (void)state;
    const uint64_t ramping = word_ramping(0x12345, 250, 7, 0x4321);
    assert_int_equal(word_with_streak(ramping, 8), word_ramping(0x12345, 250, 8, 0x4321));
    assert_int_equal(word_with_permille(ramping, 1000), word_ramping(0x12345, 1000, 7, 0x4321));
    assert_int_equal(word_with_generation(ramping, 0x10009), word_ramping(0x12345, 250, 7, 9));
    const uint64_t closed = word_closed(0x12345, 7, 0x4321);
    assert_int_equal(word_with_streak(closed, 0), word_closed(0x12345, 0, 0x4321));
    assert_int_equal(word_with_generation(closed, 0xffff), word_closed(0x12345, 7, 0xffff));
}

static void test_the_epoch_wraps(void **state)
{
    (void)state;
    assert_int_equal(word_open(0xfffff + 1, 5), word_open(0, 5));
    assert_int_equal(word_epoch(word_open(0x1fffff, 5)), 0xfffff);
}

static void test_a_deadline_saturates(void **state)
{
    (void)state;
    assert_int_equal(word_deadline_ms(word_open(1, UINT64_MAX)), WORD_DEADLINE_MAX);
    assert_int_equal(word_state(word_open(1, UINT64_MAX)), WORD_OPEN);
    assert_int_equal(word_deadline_ms(word_half_open(1, UINT64_C(1) << 41)), WORD_DEADLINE_MAX);
}

static void test_only_five_states_are_valid(void **state)
{
    (void)state;
    unsigned valid = 0;
    for (unsigned i = 0; i < 8; i++)
        valid += word_valid(word_make(1, (enum word_state)i, 0));
    assert_int_equal(valid, 5);
    assert_false(word_valid(0));
    assert_false(word_valid(UINT64_MAX));
}

static void test_shown_states(void **state)
{
    (void)state;
    assert_int_equal(word_shown_state(0), TRIP_STATE_CLOSED);
    assert_int_equal(word_shown_state(word_closed(1, 0, 0)), TRIP_STATE_CLOSED);
    assert_int_equal(word_shown_state(word_open(1, 0)), TRIP_STATE_OPEN);
    assert_int_equal(word_shown_state(word_half_open(1, 0)), TRIP_STATE_HALF_OPEN);
    assert_int_equal(word_shown_state(word_probing(1, 1, 0)), TRIP_STATE_HALF_OPEN);
    assert_int_equal(word_shown_state(word_ramping(1, 100, 0, 0)), TRIP_STATE_RAMPING);
}

static void test_an_epoch_is_later_up_to_half_the_range(void **state)
{
    (void)state;
    assert_true(epoch_after(2, 1));
    assert_false(epoch_after(1, 1));
    assert_false(epoch_after(1, 2));
    assert_true(epoch_after(0, 0xfffff));
    assert_false(epoch_after(0xfffff, 0));
    assert_true(epoch_after(WORD_FRESH_COMMONS_EPOCHS + 5, 5));
}

/* -------------------------------------------------------------------------------------------------------- streaks */

static const uint64_t FIVE = 5; /* judge: threshold 5, mode auto, generation 0 */

static void test_four_failures_do_not_open_and_the_fifth_does(void **state)
{
    (void)state;
    uint64_t word = word_closed(7, 0, 0);
    bool opened;
    for (uint32_t failures = 1; failures <= 4; failures++) {
        word = word_after_failure(word, FIVE, 30000, &opened);
        assert_false(opened);
        assert_int_equal(word, word_closed(7, failures, 0));
    }
    word = word_after_failure(word, FIVE, 30000, &opened);
    assert_true(opened);
    assert_int_equal(word, word_open(8, 30000));
}

static void test_a_success_begins_the_streak_again(void **state)
{
    (void)state;
    uint64_t word = word_closed(7, 0, 0);
    bool opened = false;
    for (const char *step = "FFSFFFF"; *step; step++) {
        word = *step == 'S' ? word_after_success(word) : word_after_failure(word, FIVE, 30000, &opened);
        assert_false(opened);
    }
    assert_int_equal(word, word_closed(7, 4, 0));
}

static void test_a_success_without_a_streak_writes_nothing(void **state)
{
    (void)state;
    const uint64_t words[] = {word_closed(7, 0, 3),        word_ramping(7, 100, 0, 3),   word_open(7, 1u << 20),
                              word_half_open(7, 1u << 20), word_probing(7, 3, 1u << 20), 0};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_int_equal(word_after_success(words[i]), words[i]);
    assert_int_equal(word_after_success(word_closed(7, 1, 3)), word_closed(7, 0, 3));
    assert_int_equal(word_after_success(word_ramping(7, 100, 9, 3)), word_ramping(7, 100, 0, 3));
}

static void test_ramping_streaks_open_too(void **state)
{
    (void)state;
    bool opened;
    assert_int_equal(word_after_failure(word_ramping(7, 250, 3, 0), FIVE, 99, &opened), word_ramping(7, 250, 4, 0));
    assert_false(opened);
    assert_int_equal(word_after_failure(word_ramping(7, 250, 4, 0), FIVE, 99, &opened), word_open(8, 99));
    assert_true(opened);
}

static void test_a_lowered_threshold_opens_at_the_next_failure(void **state)
{
    (void)state;
    bool opened;
    assert_int_equal(word_after_failure(word_closed(7, 8, 0), FIVE, 99, &opened), word_open(8, 99));
    assert_true(opened);
}

static void test_a_threshold_of_zero_never_opens_and_the_streak_saturates(void **state)
{
    (void)state;
    bool opened;
    const uint64_t full = word_closed(7, 0x7fff, 0);
    assert_int_equal(word_after_failure(full, 0, 99, &opened), full);
    assert_false(opened);
    const uint64_t ramping = word_ramping(7, 100, 0x7fff, 0);
    assert_int_equal(word_after_failure(ramping, 0, 99, &opened), ramping);
    assert_int_equal(word_streak(word_with_streak(full, UINT32_MAX)), 0x7fff);
}

static void test_the_largest_threshold_is_reached(void **state)
{
    (void)state;
    bool opened;
    const uint64_t judge = policy_judge(0x7fff, TRIP_MODE_AUTO, false, 0);
    word_after_failure(word_closed(7, 0x7ffd, 0), judge, 99, &opened);
    assert_false(opened);
    assert_int_equal(word_after_failure(word_closed(7, 0x7ffe, 0), judge, 99, &opened), word_open(8, 99));
}

static void test_modes_that_freeze_count_and_do_not_open(void **state)
{
    (void)state;
    static const struct {
        trip_mode mode;
        bool opens;
    } modes[] = {
        {TRIP_MODE_AUTO, true}, {TRIP_MODE_SHADOW, true}, {TRIP_MODE_DISABLED, false}, {TRIP_MODE_FORCED_OPEN, false}};
    for (size_t i = 0; i < 4; i++) {
        bool opened;
        const uint64_t judge = policy_judge(5, modes[i].mode, false, 0);
        const uint64_t word = word_after_failure(word_closed(7, 4, 0), judge, 99, &opened);
        assert_int_equal(opened, modes[i].opens);
        assert_int_equal(word, modes[i].opens ? word_open(8, 99) : word_closed(7, 5, 0));
    }
}

/* ---------------------------------------------------------------------------------------------------------- judges */

static void test_a_judge_is_found_by_the_parity_of_its_generation(void **state)
{
    (void)state;
    struct policy_slot slot = {
        .judge = {policy_judge(5, TRIP_MODE_AUTO, false, 8), policy_judge(3, TRIP_MODE_SHADOW, true, 7)}};
    assert_int_equal(judge_threshold(policy_judge_of(&slot, 8)), 5);
    assert_int_equal(judge_threshold(policy_judge_of(&slot, 7)), 3);
    assert_int_equal(judge_mode(policy_judge_of(&slot, 7)), TRIP_MODE_SHADOW);
    assert_true(judge_watched(policy_judge_of(&slot, 7)));
    assert_int_equal(policy_newest_judge(&slot), slot.judge[0]);
    slot.judge[1] = policy_judge(3, TRIP_MODE_AUTO, false, 9);
    assert_int_equal(policy_newest_judge(&slot), slot.judge[1]);
}

static void test_the_newest_judge_across_the_wrap(void **state)
{
    (void)state;
    struct policy_slot slot = {
        .judge = {policy_judge(5, TRIP_MODE_AUTO, false, 0x10000), policy_judge(3, TRIP_MODE_AUTO, false, 0xffff)}};
    assert_int_equal(judge_generation(slot.judge[0]), 0);
    assert_int_equal(policy_newest_judge(&slot), slot.judge[0]);
    slot.judge[0] = policy_judge(5, TRIP_MODE_AUTO, false, 0xfffe);
    assert_int_equal(policy_newest_judge(&slot), slot.judge[1]);
}

static void test_a_place_that_was_never_written_is_no_judge(void **state)
{
    (void)state;
    struct policy_slot slot = {.judge = {policy_judge(5, TRIP_MODE_AUTO, false, 0), 0}};
    assert_int_equal(policy_newest_judge(&slot), slot.judge[0]);
    slot.judge[0] = 0;
    slot.judge[1] = policy_judge(5, TRIP_MODE_AUTO, false, 0xffff);
    assert_int_equal(judge_threshold(policy_newest_judge(&slot)), 0); /* generation 0 is later than 65,535 */
}

/* A probe closed with generation 8 while two reloads came: the next failure is judged by 10, and says so. */
static void test_a_word_left_behind_by_two_reloads_is_moved_to_the_newest(void **state)
{
    (void)state;
    const struct policy_slot slot = {
        .judge = {policy_judge(2, TRIP_MODE_AUTO, false, 10), policy_judge(9, TRIP_MODE_AUTO, false, 9)}};
    bool opened;
    uint64_t word = word_closed(7, 0, 8);
    word = word_after_failure(word, policy_judge_of(&slot, word_generation(word)), 99, &opened);
    assert_int_equal(word, word_closed(7, 1, 10));
    assert_false(opened);
    word = word_after_failure(word, policy_judge_of(&slot, word_generation(word)), 99, &opened);
    assert_int_equal(word, word_open(8, 99));
}

static void test_a_mode_that_ran_out_is_replaced_in_the_judge(void **state)
{
    (void)state;
    const uint64_t judge = policy_judge(5, TRIP_MODE_FORCED_OPEN, true, 0x1234);
    assert_int_equal(judge_with_mode(judge, TRIP_MODE_AUTO), policy_judge(5, TRIP_MODE_AUTO, true, 0x1234));
    assert_int_equal(judge_with_mode(judge, TRIP_MODE_SHADOW), policy_judge(5, TRIP_MODE_SHADOW, true, 0x1234));
}

static void test_the_strongest_mode_that_has_not_run_out_holds(void **state)
{
    (void)state;
    uint64_t until_ms = 7;
    struct policy_slot slot;
    memset(&slot, 0, sizeof(slot));
    assert_int_equal(policy_mode_of(slot.modes, 0, &until_ms), TRIP_MODE_AUTO);
    assert_int_equal(until_ms, 0);

    slot.modes[MODE_OWNER_CONFIG] = policy_mode_word(TRIP_MODE_SHADOW, 0);
    slot.modes[MODE_OWNER_OPERATOR] = policy_mode_word(TRIP_MODE_FORCED_OPEN, 5000);
    slot.admission = policy_admission(policy_plain(9, 77), TRIP_MODE_FORCED_OPEN, true);
    assert_int_equal(policy_mode_of(slot.modes, 4999, &until_ms), TRIP_MODE_FORCED_OPEN);
    assert_int_equal(until_ms, 5000);
    assert_int_equal(policy_mode_now(&slot, slot.admission, 4999), TRIP_MODE_FORCED_OPEN);
    assert_int_equal(policy_mode_of(slot.modes, 5000, &until_ms), TRIP_MODE_SHADOW);
    assert_int_equal(policy_mode_now(&slot, slot.admission, 5000), TRIP_MODE_SHADOW);

    slot.modes[MODE_OWNER_FLEET] = policy_mode_word((trip_mode)7, 0); /* damage */
    assert_int_equal(policy_mode_of(slot.modes, 5000, &until_ms), TRIP_MODE_SHADOW);
}

static void test_a_plain_admission_is_one_comparison(void **state)
{
    (void)state;
    const uint64_t plain = policy_plain(0x1234, UINT64_C(0xabcdef0123456789));
    assert_int_equal(plain, UINT64_C(0xf012345678912340));
    assert_int_equal(policy_admission(plain, TRIP_MODE_AUTO, false), plain);
    assert_int_not_equal(policy_admission(plain, TRIP_MODE_AUTO, true), plain);
    assert_int_not_equal(policy_admission(plain, TRIP_MODE_SHADOW, false), plain);
    assert_int_not_equal(policy_plain(0x1235, UINT64_C(0xabcdef0123456789)), plain);
    assert_int_not_equal(policy_plain(0x1234, UINT64_C(0xabcdef0123456788)), plain);
    assert_int_equal(policy_incarnation(policy_admission(plain, TRIP_MODE_SHADOW, true)), 0x1234);
}

static void test_half_open_settings_are_bounded(void **state)
{
    (void)state;
    const uint64_t half_open = policy_half_open(3, 10000);
    assert_int_equal(half_open_permits(half_open), 3);
    assert_int_equal(half_open_max_wait_ms(half_open), 10000);
    assert_int_equal(half_open_permits(policy_half_open(255, 0)), 64);
    assert_int_equal(half_open_max_wait_ms(policy_half_open(1, 43200000)), 43200000);
}

/* ------------------------------------------------------------------------------------------------------- deadlines */

static void test_open_is_due_at_its_deadline(void **state)
{
    (void)state;
    assert_false(word_due(word_open(7, 30000), 29999, LONGEST_MS));
    assert_true(word_due(word_open(7, 30000), 30000, LONGEST_MS));
    assert_true(word_due(word_open(7, 30000), 30001, LONGEST_MS));
    assert_false(word_due(word_half_open(7, 30000), 29999, LONGEST_MS));
    assert_true(word_due(word_half_open(7, 30000), 30000, LONGEST_MS));
}

static void test_a_deadline_too_far_away_is_due(void **state)
{
    (void)state;
    assert_false(word_due(word_open(7, 1000 + LONGEST_MS), 1000, LONGEST_MS));
    assert_false(word_due(word_open(7, 1064 + LONGEST_MS), 1000, LONGEST_MS)); /* rounded up to a lease's step */
    assert_true(word_due(word_open(7, 1065 + LONGEST_MS), 1000, LONGEST_MS));
    assert_true(word_due(word_open(7, WORD_DEADLINE_MAX), 1000, LONGEST_MS));
}

static void test_closed_ramping_and_unset_are_never_due(void **state)
{
    (void)state;
    assert_false(word_due(word_closed(7, 0, 0), UINT64_MAX / 2, LONGEST_MS));
    assert_false(word_due(word_ramping(7, 100, 0, 0), UINT64_MAX / 2, LONGEST_MS));
    assert_false(word_due(0, UINT64_MAX / 2, LONGEST_MS));
}

static void test_a_lease_ends_on_a_step_and_never_early(void **state)
{
    (void)state;
    assert_int_equal(lease_end_ms(0, 10000), 10048);
    assert_int_equal(lease_end_ms(48, 10000), 10048);
    assert_int_equal(lease_end_ms(49, 10000), 10112);
    const uint64_t word = word_probing(7, 3, lease_end_ms(49, 10000));
    assert_false(word_probe_over(word, 10111));
    assert_true(word_probe_over(word, 10112));
    assert_false(word_due(word, 10111, LONGEST_MS));
    assert_true(word_due(word, 10112, LONGEST_MS));
}

static void test_a_probing_lease_is_modular(void **state)
{
    (void)state;
    const uint64_t range_ms = UINT64_C(64) << 29, now = range_ms - 64;
    const uint64_t word = word_probing(7, 3, lease_end_ms(now, 10000));
    assert_int_equal(word_probe_lane(word), 3);
    assert_false(word_due(word, now, LONGEST_MS));
    assert_false(word_due(word, now + 9999, LONGEST_MS));
    assert_true(word_due(word, now + 10048, LONGEST_MS));
    assert_true(word_due(word, now + range_ms / 2 - 1, LONGEST_MS));
    assert_true(word_due(word, now + range_ms / 2 + 20000, LONGEST_MS)); /* wrapped: looks too long */
}

/* max_wait may be the longest time there is: no lease just taken looks like damage, wherever now stands in a step. */
static void test_a_lease_of_the_longest_time_is_no_damage(void **state)
{
    (void)state;
    for (uint64_t now = 0; now < 256; now++) {
        const uint64_t end = lease_end_ms(now, 10000);
        assert_false(word_due(word_probing(7, 3, end), now, 10000));
        assert_false(word_due(word_half_open(7, end), now, 10000));
        assert_true(word_due(word_probing(7, 3, end + 256), now, 10000));
    }
}

/* -------------------------------------------------------------------------------------------------------- takeover */

static const struct policy_slot SLOT = {
    .longest_ms = LONGEST_MS, .half_open = UINT64_C(10000) << 8 | 1, .judge = {5, 0}};

static void test_a_client_takes_over_what_is_due(void **state)
{
    (void)state;
    const uint64_t taken = word_probing(8, 3, 40000);
    assert_int_equal(word_after_takeover(word_open(7, 30000), &SLOT, 3, 30000), taken);
    assert_int_equal(word_after_takeover(word_half_open(7, 30000), &SLOT, 3, 30000), taken);
    assert_int_equal(word_after_takeover(word_probing(7, 9, 29952), &SLOT, 3, 30000), taken);
    assert_false(word_probe_over(taken, 39999));
    assert_true(word_probe_over(taken, 40000));
}

static void test_a_client_leaves_what_is_not_due(void **state)
{
    (void)state;
    const uint64_t words[] = {word_open(7, 30001), word_half_open(7, 30001), word_probing(7, 9, 30016),
                              word_closed(7, 4, 1), 0};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_int_equal(word_after_takeover(words[i], &SLOT, 3, 30000), words[i]);
}

static void test_the_end_of_a_ramp_keeps_the_streak(void **state)
{
    (void)state;
    struct policy_slot slot = SLOT;
    slot.ramp_end = policy_ramp_end(7, 50000);
    const uint64_t word = word_ramping(7, 500, 3, 0x4321);
    assert_int_equal(word_after_takeover(word, &slot, 3, 49999), word);
    assert_int_equal(word_after_takeover(word, &slot, 3, 50000), word_closed(8, 3, 0x4321));
    slot.ramp_end = policy_ramp_end(6, 50000); /* another ramp's: damage */
    assert_int_equal(word_after_takeover(word, &slot, 3, 0), word_closed(8, 3, 0x4321));
}

static void test_a_ramps_end_is_read_back(void **state)
{
    (void)state;
    const uint64_t ramp_end = policy_ramp_end(0xfffff, POLICY_MS_MASK);
    assert_int_equal(ramp_end, UINT64_C(0xfffff1ffffffffff));
    assert_int_equal(ramp_end_epoch(ramp_end), 0xfffff);
    assert_int_equal(ramp_end_ms(ramp_end), POLICY_MS_MASK);
    assert_true(word_ramp_over(word_ramping(0xfffff, 500, 0, 0), ramp_end, POLICY_MS_MASK));
    assert_false(word_ramp_over(word_ramping(0xfffff, 500, 0, 0), ramp_end, POLICY_MS_MASK - 1));
}

static void test_a_probing_ends_closed_or_open(void **state)
{
    (void)state;
    const uint64_t word = word_probing(0xfffff, 3, 40064);
    assert_int_equal(word_after_probe(word, true, 99999, 6), word_closed(0, 0, 6));
    assert_int_equal(word_after_probe(word, false, 99999, 6), word_open(0, 99999));
}

static void test_an_extension_never_shortens(void **state)
{
    (void)state;
    assert_int_equal(word_extended(word_half_open(7, 1000), 999), word_half_open(7, 1000));
    assert_int_equal(word_extended(word_half_open(7, 1000), 1000), word_half_open(7, 1000));
    assert_int_equal(word_extended(word_half_open(7, 1000), 1001), word_half_open(7, 1001));
}

/* -------------------------------------------------------------------------------------------------------- evidence */

static void test_evidence_counts_within_its_epoch(void **state)
{
    (void)state;
    uint64_t evidence = 0;
    evidence = evidence_after(evidence, 7, 1);
    assert_int_equal(evidence, UINT64_C(7) << 44 | 1);
    evidence = evidence_after(evidence, 7, 1);
    assert_int_equal(evidence_count(evidence), 2);
    evidence = evidence_after(evidence, 8, 1);
    assert_int_equal(evidence_epoch(evidence), 8);
    assert_int_equal(evidence_count(evidence), 1);
    assert_int_equal(evidence_count(evidence_make(0xfffff, EVIDENCE_COUNT_MASK)), (UINT64_C(1) << 44) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_stand_at_their_bits),
        cmocka_unit_test(test_fields_are_read_back),
        cmocka_unit_test(test_a_change_of_one_field_leaves_the_others),
        cmocka_unit_test(test_the_epoch_wraps),
        cmocka_unit_test(test_a_deadline_saturates),
        cmocka_unit_test(test_only_five_states_are_valid),
        cmocka_unit_test(test_shown_states),
        cmocka_unit_test(test_an_epoch_is_later_up_to_half_the_range),
        cmocka_unit_test(test_four_failures_do_not_open_and_the_fifth_does),
        cmocka_unit_test(test_a_success_begins_the_streak_again),
        cmocka_unit_test(test_a_success_without_a_streak_writes_nothing),
        cmocka_unit_test(test_ramping_streaks_open_too),
        cmocka_unit_test(test_a_lowered_threshold_opens_at_the_next_failure),
        cmocka_unit_test(test_a_threshold_of_zero_never_opens_and_the_streak_saturates),
        cmocka_unit_test(test_the_largest_threshold_is_reached),
        cmocka_unit_test(test_modes_that_freeze_count_and_do_not_open),
        cmocka_unit_test(test_a_judge_is_found_by_the_parity_of_its_generation),
        cmocka_unit_test(test_the_newest_judge_across_the_wrap),
        cmocka_unit_test(test_a_place_that_was_never_written_is_no_judge),
        cmocka_unit_test(test_a_word_left_behind_by_two_reloads_is_moved_to_the_newest),
        cmocka_unit_test(test_a_mode_that_ran_out_is_replaced_in_the_judge),
        cmocka_unit_test(test_the_strongest_mode_that_has_not_run_out_holds),
        cmocka_unit_test(test_a_plain_admission_is_one_comparison),
        cmocka_unit_test(test_half_open_settings_are_bounded),
        cmocka_unit_test(test_open_is_due_at_its_deadline),
        cmocka_unit_test(test_a_deadline_too_far_away_is_due),
        cmocka_unit_test(test_closed_ramping_and_unset_are_never_due),
        cmocka_unit_test(test_a_lease_ends_on_a_step_and_never_early),
        cmocka_unit_test(test_a_probing_lease_is_modular),
        cmocka_unit_test(test_a_lease_of_the_longest_time_is_no_damage),
        cmocka_unit_test(test_a_client_takes_over_what_is_due),
        cmocka_unit_test(test_a_client_leaves_what_is_not_due),
        cmocka_unit_test(test_the_end_of_a_ramp_keeps_the_streak),
        cmocka_unit_test(test_a_ramps_end_is_read_back),
        cmocka_unit_test(test_a_probing_ends_closed_or_open),
        cmocka_unit_test(test_an_extension_never_shortens),
        cmocka_unit_test(test_evidence_counts_within_its_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
