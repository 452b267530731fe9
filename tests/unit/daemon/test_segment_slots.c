/* Slots of the segment: names and their index, incarnations, policies by parity, modes by strength, details. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "../../support/segment_dir.h"
#include "internal/names.h"
#include "internal/policy.h"
#include "internal/words.h"

#define BREAKERS 40 /* an index of 128 places */

static int set_up(void **state)
{
    static struct segment_fixture fixture;
    segment_fixture_make(&fixture, BREAKERS);
    *state = &fixture;
    return 0;
}

static uint32_t add(struct segment *segment, const char *name)
{
    uint32_t slot;
    assert_int_equal(segment_take(segment, name, 0, &slot), 0);
    segment_name_publish(segment, slot);
    return slot;
}

static void adopt_again(struct segment_fixture *fixture)
{
    const struct segment_options options = segment_dir_options(&fixture->dir, BREAKERS, 4);
    struct clock clock;
    const char *why;
    segment_unmap(fixture->segment);
    assert_int_equal(segment_adopt(&options, &clock, &fixture->segment, &why), SEGMENT_READY);
}

static uint32_t places_of(const struct segment *segment, uint64_t entry)
{
    uint32_t count = 0;
    for (uint32_t place = 0; place < NAMES_PLACES; place++)
        count += segment->names[place] == entry;
    return count;
}

/* ------------------------------------------------------------------------------------------------------- names */

static void test_a_name_is_found_once_it_is_published(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    uint32_t slot, found = 99;
    assert_int_equal(segment_take(segment, "db", 7, &slot), 0);
    assert_int_equal(segment_find(segment, "db", &found), -ENOENT);
    assert_int_equal(found, 99);
    assert_true(segment_used(segment, slot));
    segment_name_publish(segment, slot);
    assert_int_equal(segment_find(segment, "db", &found), 0);
    assert_int_equal(found, slot);
    assert_string_equal(segment_name(segment, slot), "db");
    assert_int_equal(segment->details[slot].used_ms, 7);
    assert_int_equal(segment_find(segment, "d", &found), -ENOENT);
    assert_int_equal(segment_find(segment, "db2", &found), -ENOENT);
}

static void test_a_name_of_127_letters_is_whole(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char name[128], longer[128];
    uint32_t found;
    memset(name, 'n', 127);
    name[127] = '\0';
    memcpy(longer, name, 128);
    longer[126] = 'm';
    const uint32_t slot = add(segment, name);
    assert_int_equal(segment_find(segment, name, &found), 0);
    assert_int_equal(found, slot);
    assert_int_equal(segment_find(segment, longer, &found), -ENOENT);
}

static void test_a_full_table_is_counted(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char name[16];
    uint32_t slot = 99;
    for (unsigned i = 0; i < BREAKERS; i++) {
        snprintf(name, sizeof(name), "b%u", i);
        assert_int_equal(add(segment, name), i);
    }
    assert_int_equal(segment_take(segment, "one-more", 0, &slot), -ENOSPC);
    assert_int_equal(segment_take(segment, "another", 0, &slot), -ENOSPC);
    assert_int_equal(slot, 99);
    assert_int_equal(segment->header->overflow, 2);
    for (unsigned i = 0; i < BREAKERS; i++) {
        snprintf(name, sizeof(name), "b%u", i);
        assert_int_equal(segment_find(segment, name, &slot), 0);
        assert_int_equal(slot, i);
    }
}

static void test_the_bound_moves_both_ways_and_present_breakers_stay(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char name[16];
    uint32_t slot = 99;
    for (unsigned i = 0; i < BREAKERS; i++) {
        snprintf(name, sizeof(name), "b%u", i);
        add(segment, name);
    }
    assert_true(segment_full(segment));
    segment_bounds(segment, BREAKERS + 1, 1);
    assert_false(segment_full(segment));
    assert_int_equal(add(segment, "one-more"), BREAKERS);
    segment_bounds(segment, 2, 1);
    assert_int_equal(segment_find(segment, "one-more", &slot), 0);
    segment_forget(segment, 0);
    assert_int_equal(segment_take(segment, "another", 0, &slot), -ENOSPC);
    for (uint32_t used = 1; used < BREAKERS; used++)
        segment_forget(segment, used);
    assert_int_equal(segment->used_count, 1);
    assert_int_equal(add(segment, "another"), 0); /* below the bound, though "one-more" is beyond it */
    assert_int_equal(segment_take(segment, "third", 0, &slot), -ENOSPC);
}

static void test_slots_beyond_those_with_memory_are_not_taken(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char name[16];
    uint32_t slot = 99;
    segment_bounds(segment, 1000, 1);
    assert_int_equal(segment_slots_wanted(segment), 64);
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "b%u", i);
        assert_int_equal(add(segment, name), i);
    }
    assert_int_equal(segment_take(segment, "beyond", 0, &slot), -ENOMEM);
    assert_int_equal(segment->header->overflow, 1);
    assert_int_equal(segment_slots_wanted(segment), 128);
    assert_int_equal(segment_reserve(segment, 128), 0);
    assert_int_equal(add(segment, "beyond"), 64);
    segment_forget(segment, 10);
    assert_int_equal(add(segment, "next"), 65); /* a slot that was forgotten rests as long as may be */
    assert_int_equal(segment_slots_wanted(segment), 128);
}

static void test_a_forgotten_slot_is_reused_with_another_incarnation(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    uint32_t found;
    const uint32_t slot = add(segment, "db");
    assert_int_equal(segment_incarnation(segment, slot), 1);
    segment_mirror(segment, slot, word_closed(1234, 2, 3));
    segment_forget(segment, slot);
    assert_int_equal(segment_find(segment, "db", &found), -ENOENT);
    assert_false(segment_used(segment, slot));
    assert_int_equal(segment_incarnation(segment, slot), 2);
    assert_int_equal(word_epoch(segment->mirror[slot]), 1234);
    for (unsigned i = 0; i < BREAKERS - 1; i++) {
        char name[16];
        snprintf(name, sizeof(name), "b%u", i);
        assert_int_not_equal(add(segment, name), slot); /* it rests until all others were taken */
    }
    assert_int_equal(add(segment, "cache"), slot);
    assert_int_equal(segment_incarnation(segment, slot), 3);
}

static void test_the_incarnation_leaves_zero_out_when_it_wraps(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    segment->policies[slot].admission = policy_plain(0xffff, 0);
    segment_forget(segment, slot);
    assert_int_equal(segment_incarnation(segment, slot), 1);
}

static uint64_t calls_in(const struct segment *segment, uint32_t slot, uint32_t bucket)
{
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(segment, slot, counts);
    return counts[bucket];
}

static void test_latencies_of_each_breaker_add_up_in_groups_of_its_own(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t calls[LATENCY_GROUP] = {[0] = 1, [31] = 2}, one[LATENCY_GROUP] = {[31] = 1};
    const uint32_t first = add(segment, "db"), second = add(segment, "cache");
    assert_int_equal(segment->header->latency_groups, 0);
    segment_latency_add(segment, first, 5, calls);
    segment_latency_add(segment, second, 5, one);
    segment_latency_add(segment, first, 14, one);
    segment_latency_add(segment, first, 5, one);
    assert_int_equal(segment->header->latency_groups, 16); /* a page */
    assert_int_equal(segment->details[first].latency[5], 1);
    assert_int_equal(segment->details[second].latency[5], 2);
    assert_int_equal(segment->details[first].latency[14], 3);
    assert_int_equal(calls_in(segment, first, 160), 1);
    assert_int_equal(calls_in(segment, first, 191), 3);
    assert_int_equal(calls_in(segment, first, 479), 1);
    assert_int_equal(calls_in(segment, second, 191), 1);
    assert_int_equal(calls_in(segment, second, 160), 0);
}

static void test_a_worker_after_this_one_gives_nobody_s_group_away(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    struct clock clock;
    const uint32_t calls[LATENCY_GROUP] = {7};
    const uint32_t first = add(segment, "db"), second = add(segment, "cache");
    for (uint32_t group = 0; group < 14; group++)
        segment_latency_add(segment, first, group, calls);
    segment_inherit(segment, &clock);
    for (uint32_t group = 0; group < 14; group++)
        segment_latency_add(segment, second, group, calls);
    assert_int_equal(segment->details[second].latency[0], 15);
    assert_int_equal(segment->details[second].latency[13], 28);
    assert_int_equal(segment->header->latency_groups, 32);
    for (uint32_t group = 0; group < 14; group++)
        assert_int_equal(calls_in(segment, first, group * 32), 7);
}

static void test_latencies_that_get_no_memory_are_not_shown(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t calls[LATENCY_GROUP] = {7};
    const uint32_t slot = add(segment, "db");
    const int fd = segment->fd;
    segment_latency_add(segment, slot, 0, calls);
    segment->latency_next = segment->header->latency_groups; /* all of the page are somebody's */
    segment->fd = -1;                                        /* no memory is to be had */
    segment_latency_add(segment, slot, 1, calls);
    segment_latency_add(segment, slot, 0, calls);
    segment->fd = fd;
    assert_int_equal(segment->header->latency_groups, 16);
    assert_int_equal(segment->details[slot].latency[1], 0);
    assert_int_equal(calls_in(segment, slot, 0), 14);
    assert_int_equal(calls_in(segment, slot, 32), 0);
    segment_latency_add(segment, slot, 1, calls);
    assert_int_equal(calls_in(segment, slot, 32), 7);
}

static void test_a_reused_slot_knows_nothing_of_its_last_breaker(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const struct segment_policy policy = {.threshold = 5, .permits = 3, .max_wait_ms = 10, .longest_ms = 7};
    const uint32_t calls[LATENCY_GROUP] = {1, 2, 3};
    uint64_t latency[LATENCY_BUCKETS];
    uint32_t slot = add(segment, "db");
    segment_policy_publish(segment, slot, &policy, TRIP_MODE_SHADOW, 0);
    segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, 0, "why", 0);
    segment_ramp_end_publish(segment, slot, 3, 4);
    segment_next_open_publish(segment, slot, 5, 6);
    segment_detail_error(segment, slot, &(struct error_record){.type = TRIP_ERROR_NETWORK, .message = "refused"});
    segment_latency_add(segment, slot, 7, calls);
    segment_begin(segment, slot)->head.totals.calls = 8;
    segment_commit(segment);
    segment_forget(segment, slot);
    segment->take_next = slot;
    assert_int_equal(add(segment, "cache"), slot);

    struct policy_slot unset = {.admission = policy_plain(3, 0)};
    assert_memory_equal(&segment->policies[slot], &unset, sizeof(unset));
    assert_string_equal(segment->details[slot].name, "cache");
    assert_string_equal(segment->details[slot].error_message, "");
    segment_latency_read(segment, slot, latency);
    assert_int_equal(latency_calls(latency), 0);
    assert_int_equal(segment->details[slot].latency[7], 1); /* the group stays the slot's */
    assert_int_equal(segment->details[slot].modes[MODE_OWNER_OPERATOR].since_unix_ms, 0);
    assert_int_equal(segment_core(segment, slot)->head.totals.calls, 0);
}

static void test_names_behind_a_forgotten_one_are_still_found(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char names[3][16];
    unsigned found = 0;
    uint32_t slot, slots[3];
    for (unsigned i = 0; found < 3; i++) { /* three names that want the same place */
        snprintf(names[found], sizeof(names[found]), "n%u", i);
        found += (names_hash(names[found]) & (NAMES_PLACES - 1)) == 17;
    }
    for (unsigned i = 0; i < 3; i++)
        slots[i] = add(segment, names[i]);
    assert_true(segment->names[17] == names_entry(names_hash(names[0]), slots[0]));
    assert_true(segment->names[19] == names_entry(names_hash(names[2]), slots[2]));
    segment_forget(segment, slots[0]);
    assert_true(segment->names[17] == names_entry(names_hash(names[1]), slots[1]));
    assert_true(segment->names[18] == names_entry(names_hash(names[2]), slots[2]));
    assert_true(segment->names[19] == NAMES_EMPTY);
    assert_int_equal(segment_find(segment, names[0], &slot), -ENOENT);
    assert_int_equal(segment_find(segment, names[1], &slot), 0);
    assert_int_equal(slot, slots[1]);
    assert_int_equal(segment_find(segment, names[2], &slot), 0);
    assert_int_equal(slot, slots[2]);
}

static void test_any_name_is_found_however_many_came_and_went(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    char names[BREAKERS][24];
    uint64_t random = 1;
    uint32_t found;
    for (uint32_t slot = 0; slot < BREAKERS; slot++) {
        snprintf(names[slot], sizeof(names[slot]), "first-%u", slot);
        assert_int_equal(add(segment, names[slot]), slot);
    }
    for (unsigned i = 0; i < 3000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const uint32_t slot = (uint32_t)(random >> 40) % BREAKERS;
        segment_forget(segment, slot);
        assert_int_equal(segment_find(segment, names[slot], &found), -ENOENT);
        snprintf(names[slot], sizeof(names[slot]), "churn-%u", i);
        assert_int_equal(add(segment, names[slot]), slot);
        for (uint32_t other = 0; other < BREAKERS; other++) {
            assert_int_equal(segment_find(segment, names[other], &found), 0);
            assert_int_equal(found, other);
        }
        assert_int_equal(places_of(segment, NAMES_EMPTY), 131072 - BREAKERS);
    }
}

static void test_a_name_that_a_kill_left_at_two_places_is_at_one_again(void **state)
{
    struct segment_fixture *fixture = *state;
    uint32_t found;
    const uint32_t slot = add(fixture->segment, "db"), home = names_hash("db") & (NAMES_PLACES - 1);
    fixture->segment->names[(home + 1) % NAMES_PLACES] = fixture->segment->names[home];
    adopt_again(fixture);
    assert_int_equal(segment_find(fixture->segment, "db", &found), 0);
    assert_int_equal(found, slot);
    assert_int_equal(places_of(fixture->segment, NAMES_EMPTY), 131071);
    segment_forget(fixture->segment, slot);
    assert_int_equal(segment_find(fixture->segment, "db", &found), -ENOENT);
}

static void test_a_kill_between_taking_and_publishing_leaves_a_free_slot(void **state)
{
    struct segment_fixture *fixture = *state;
    uint32_t slot, found;
    add(fixture->segment, "db");
    assert_int_equal(segment_take(fixture->segment, "cache", 0, &slot), 0);
    adopt_again(fixture);
    assert_int_equal(segment_find(fixture->segment, "cache", &found), -ENOENT);
    assert_false(segment_used(fixture->segment, slot));
    assert_true(segment_used(fixture->segment, 0));
    fixture->segment->take_next = slot;
    assert_int_equal(add(fixture->segment, "cache"), slot);
}

static void test_index_entries_that_no_tripd_wrote_are_taken_out(void **state)
{
    struct segment_fixture *fixture = *state;
    const uint32_t slot = add(fixture->segment, "db");
    uint32_t found;
    uint64_t *names = fixture->segment->names;
    names[names_hash("x") & (NAMES_PLACES - 1)] = names_entry(names_hash("x"), 64);
    names[names_hash("y") & (NAMES_PLACES - 1)] = (uint64_t)names_hash("y") << 32;
    names[names_hash("z") & (NAMES_PLACES - 1)] = names_entry(names_hash("z"), slot);
    names[names_hash("unnamed") & (NAMES_PLACES - 1)] = names_entry(names_hash(""), 7);
    assert_int_equal(places_of(fixture->segment, NAMES_EMPTY), 131067);
    adopt_again(fixture);
    assert_int_equal(places_of(fixture->segment, NAMES_EMPTY), 131071);
    assert_int_equal(segment_find(fixture->segment, "db", &found), 0);
    assert_int_equal(found, slot);
    assert_false(segment_used(fixture->segment, 7));
}

/* ---------------------------------------------------------------------------------------------------- policies */

static void test_a_policy_goes_to_the_place_not_in_force(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    const struct policy_slot *words = &segment->policies[slot];
    struct segment_policy policy = {
        .threshold = 5, .watched = true, .slow_after_ns = 60, .permits = 2, .max_wait_ms = 10000, .longest_ms = 330000};
    assert_int_equal(segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0), 1);
    assert_true(words->judge[1] == policy_judge(5, TRIP_MODE_AUTO, true, 1));
    assert_int_equal(words->judge[0], 0);
    assert_int_equal(words->slow_after_ns, 60);
    assert_int_equal(half_open_permits(words->half_open), 2);
    assert_int_equal(half_open_max_wait_ms(words->half_open), 10000);
    assert_int_equal(words->longest_ms, 330000);

    policy.threshold = 7;
    assert_int_equal(segment_policy_publish(segment, slot, &policy, TRIP_MODE_SHADOW, 1), 2);
    assert_int_equal(judge_threshold(words->judge[0]), 7);
    assert_int_equal(judge_mode(words->judge[0]), TRIP_MODE_SHADOW);
    assert_int_equal(judge_generation(words->judge[0]), 2);
    assert_int_equal(judge_threshold(words->judge[1]), 5);
    /* Its CAS never came: the same generation again overwrites the same place. */
    policy.threshold = 9;
    assert_int_equal(segment_policy_publish(segment, slot, &policy, TRIP_MODE_SHADOW, 1), 2);
    assert_int_equal(judge_threshold(words->judge[0]), 9);
    assert_int_equal(judge_threshold(words->judge[1]), 5);
}

static void test_generations_wrap_after_16_bits(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    const struct segment_policy policy = {.threshold = 5};
    assert_int_equal(segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0xffff), 0);
    assert_int_equal(judge_threshold(segment->policies[slot].judge[0]), 5);
    assert_int_equal(judge_generation(segment->policies[slot].judge[0]), 0);
}

static void test_open_times_and_ramp_ends_are_published(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    segment_next_open_publish(segment, slot, 30000, 330000);
    segment_ramp_end_publish(segment, slot, 17, 99000);
    assert_int_equal(segment->policies[slot].next_open_ms, 30000);
    assert_int_equal(segment->policies[slot].longest_ms, 330000);
    assert_int_equal(ramp_end_epoch(segment->policies[slot].ramp_end), 17);
    assert_int_equal(ramp_end_ms(segment->policies[slot].ramp_end), 99000);
}

/* ------------------------------------------------------------------------------------------------------- modes */

static void test_the_strongest_owner_rules(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    const uint64_t *admission = &segment->policies[slot].admission;
    assert_true(*admission == policy_plain(1, 0));
    segment_mode_publish(segment, slot, MODE_OWNER_CONFIG, TRIP_MODE_SHADOW, 0, 0, NULL, 0);
    assert_true(*admission == policy_admission(policy_plain(1, 0), TRIP_MODE_SHADOW, false));
    segment_mode_publish(segment, slot, MODE_OWNER_RULE, TRIP_MODE_DISABLED, 0, 0, NULL, 0);
    assert_true(*admission == policy_admission(policy_plain(1, 0), TRIP_MODE_DISABLED, false));
    segment_mode_publish(segment, slot, MODE_OWNER_FLEET, TRIP_MODE_AUTO, 0, 0, NULL, 0);
    assert_true(*admission == policy_plain(1, 0));
    segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 0, 0, NULL, 0);
    assert_true(*admission == policy_admission(policy_plain(1, 0), TRIP_MODE_FORCED_OPEN, false));
    segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, TRIP_MODE_COUNT, 0, 0, NULL, 0);
    segment_mode_publish(segment, slot, MODE_OWNER_FLEET, TRIP_MODE_COUNT, 0, 0, NULL, 0);
    assert_int_equal(segment_mode_now(segment, slot, 0, NULL), TRIP_MODE_DISABLED);
    segment_mode_publish(segment, slot, MODE_OWNER_RULE, TRIP_MODE_COUNT, 0, 0, NULL, 0);
    assert_int_equal(segment_mode_now(segment, slot, 0, NULL), TRIP_MODE_SHADOW);
    assert_int_equal(segment->details[slot].mode_by_config, TRIP_MODE_SHADOW);
}

static void test_at_a_ttls_end_the_next_owner_holds(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    uint64_t until_ms = 99;
    segment_mode_publish(segment, slot, MODE_OWNER_CONFIG, TRIP_MODE_SHADOW, 0, 0, NULL, 1000);
    segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 6000, 0, NULL, 1000);
    const uint64_t admission = segment->policies[slot].admission;
    assert_true(admission == policy_admission(policy_plain(1, 0), TRIP_MODE_FORCED_OPEN, true));
    assert_int_equal(segment_mode_now(segment, slot, 5999, &until_ms), TRIP_MODE_FORCED_OPEN);
    assert_int_equal(until_ms, 6000);
    /* A client without tripd comes to the same mode. */
    assert_int_equal(policy_mode_now(&segment->policies[slot], admission, 6000), TRIP_MODE_SHADOW);
    assert_int_equal(segment_mode_now(segment, slot, 6000, &until_ms), TRIP_MODE_SHADOW);
    assert_int_equal(until_ms, 0);
    assert_true(segment->policies[slot].admission == policy_admission(policy_plain(1, 0), TRIP_MODE_SHADOW, false));
    assert_int_equal(segment->policies[slot].modes[MODE_OWNER_OPERATOR], 0);
    assert_int_equal(segment->details[slot].modes[MODE_OWNER_OPERATOR].since_unix_ms, 0);
}

static void test_a_mode_names_its_owner_reason_and_end(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    char reason[200];
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    const uint64_t before_ms = realtime_ms();
    segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 61000, 1000, reason, 1000);
    const uint64_t after_ms = realtime_ms();
    const struct detail_slot *detail = &segment->details[slot];
    assert_int_equal(detail->modes[MODE_OWNER_OPERATOR].uid, 1000);
    assert_int_equal(detail->modes[MODE_OWNER_OPERATOR].mode, TRIP_MODE_DISABLED);
    assert_int_equal(strlen(detail->modes[MODE_OWNER_OPERATOR].reason), 95);
    assert_in_range(detail->modes[MODE_OWNER_OPERATOR].since_unix_ms, before_ms, after_ms);
    assert_in_range(detail->modes[MODE_OWNER_OPERATOR].until_unix_ms, before_ms + 60000, after_ms + 60000);
}

static void test_an_admission_that_a_kill_left_behind_is_put_right(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    segment->policies[slot].modes[MODE_OWNER_OPERATOR] = policy_mode_word(TRIP_MODE_DISABLED, 0);
    assert_int_equal(segment_mode_now(segment, slot, 0, NULL), TRIP_MODE_DISABLED);
    assert_true(segment->policies[slot].admission == policy_admission(policy_plain(1, 0), TRIP_MODE_DISABLED, false));
}

/* ----------------------------------------------------------------------------------------------------- details */

static void test_details_hold_what_was_published(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    const struct detail_slot *detail = &segment->details[slot];
    segment_detail_state(segment, slot, TRIP_REASON_SLOW_RATE, 500, 30500);
    segment_detail_error(segment, slot,
                         &(struct error_record){.type = TRIP_ERROR_TIMEOUT, .message = "no answer in 1 s"});
    segment_detail_used(segment, slot, 501);
    segment_detail_actor(segment, slot, BY_OPERATOR, 12, "db failover");
    segment_detail_match(segment, slot, "payments/*");
    assert_int_equal(detail->by, BY_OPERATOR);
    assert_int_equal(detail->uid, 12);
    assert_string_equal(detail->note, "db failover");
    assert_int_equal(detail->reason, TRIP_REASON_SLOW_RATE);
    assert_int_equal(detail->since_ms, 500);
    assert_int_equal(detail->until_ms, 30500);
    assert_int_equal(detail->error_type, TRIP_ERROR_TIMEOUT);
    assert_string_equal(detail->error_message, "no answer in 1 s");
    assert_int_equal(detail->used_ms, 501);
    assert_string_equal(detail->settings_match, "payments/*");
    assert_int_equal(detail->sequence % 2, 0);
    segment_detail_error(segment, slot, &(struct error_record){.type = TRIP_ERROR_UNKNOWN});
    assert_string_equal(detail->error_message, "");
}

static void test_a_detail_that_a_kill_left_half_written_is_readable_again(void **state)
{
    struct segment_fixture *fixture = *state;
    const uint32_t slot = add(fixture->segment, "db");
    fixture->segment->details[slot].sequence = 7;
    adopt_again(fixture);
    assert_int_equal(fixture->segment->details[slot].sequence, 8);
    fixture->segment->details[slot].sequence = 9;
    segment_detail_match(fixture->segment, slot, "*");
    assert_int_equal(fixture->segment->details[slot].sequence, 10);
}

#define WRITES      100000
#define PATIENCE_NS UINT64_C(60000000000)

struct race {
    struct segment *segment;
    uint32_t slot;
    uint64_t whole, overlapped; /* atomic */
    uint64_t torn;
    bool stop;
};

/* Copies as tools do, and looks whether every letter of the message is the same. */
static void *read_details(void *context)
{
    struct race *race = context;
    const struct detail_slot *detail = &race->segment->details[race->slot];
    while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
        char message[TRIP_ERROR_MESSAGE_MAX + 1];
        const uint64_t before = __atomic_load_n(&detail->sequence, __ATOMIC_ACQUIRE);
        words_load(message, detail->error_message, sizeof(message));
        const uint64_t after = __atomic_load_n(&detail->sequence, __ATOMIC_RELAXED);
        if (before % 2 || before != after) {
            __atomic_add_fetch(&race->overlapped, 1, __ATOMIC_RELAXED);
            continue;
        }
        __atomic_add_fetch(&race->whole, 1, __ATOMIC_RELAXED);
        for (unsigned i = 1; i < TRIP_ERROR_MESSAGE_MAX; i++)
            if (message[i] != message[0]) {
                race->torn++;
                break;
            }
    }
    return NULL;
}

static bool both_were_seen(const struct race *race)
{
    return __atomic_load_n(&race->whole, __ATOMIC_RELAXED) > 1000 &&
           __atomic_load_n(&race->overlapped, __ATOMIC_RELAXED) > 0;
}

/* The writer goes on until the reader has met a half-written detail, which takes a while on a busy machine. */
static void test_a_detail_is_never_read_torn(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    struct race race = {.segment = segment, .slot = add(segment, "db")};
    struct error_record error = {.type = TRIP_ERROR_NETWORK};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_details, &race), 0);
    const uint64_t begin_ns = monotonic_ns();
    for (unsigned i = 0; i < WRITES || (!both_were_seen(&race) && monotonic_ns() - begin_ns < PATIENCE_NS); i++) {
        memset(error.message, 'a' + (int)(i % 26), TRIP_ERROR_MESSAGE_MAX);
        segment_detail_error(segment, race.slot, &error);
        for (unsigned pause = i % 1024; pause > 0; pause--)
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
    pthread_join(reader, NULL);
    print_message("%lu whole, %lu overlapped\n", race.whole, race.overlapped);
    assert_int_equal(race.torn, 0);
    assert_true(race.whole > 0);
    assert_true(race.overlapped > 0);
}

/* ------------------------------------------------------------------------------------------------------ limits */

static void test_whichever_number_of_the_limits_changes_is_shown(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const struct limits_shown *const place = &segment->limits[add(segment, "db")];
    const size_t head = offsetof(struct limits_shown, tickets_taken), size = sizeof(*place) - head;
    struct limits_shown shown = {0};
    for (size_t byte = head; byte < sizeof(shown); byte++) {
        ((uint8_t *)&shown)[byte] = (uint8_t)byte;
        segment_limits_show(segment, 0, &shown);
        assert_memory_equal((const uint8_t *)place + head, (const uint8_t *)&shown + head, size);
    }
    assert_int_equal(place->sequence, 224); /* the size is 112 */
    segment_limits_show(segment, 0, &shown);
    assert_int_equal(place->sequence, 224);
}

/* --------------------------------------------------------------------------------------------------- reporters */

static void test_whatever_changes_of_the_reporters_is_shown_and_a_forgotten_slot_has_none(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    const struct reporters_shown *const place = &segment->reporters[slot], none = {0};
    const size_t head = offsetof(struct reporters_shown, count), size = sizeof(*place) - head;
    struct reporters_shown shown = {0};
    segment_reporters_show(segment, slot, &shown);
    assert_int_equal(place->sequence, 0);
    for (size_t byte = head; byte < sizeof(shown); byte++) {
        ((uint8_t *)&shown)[byte] = 1;
        segment_reporters_show(segment, slot, &shown);
        assert_memory_equal((const uint8_t *)place + head, (const uint8_t *)&shown + head, size);
    }
    assert_int_equal(place->sequence, 528); /* the size is 264 */
    segment_forget(segment, slot);
    assert_int_equal(place->sequence, 530);
    assert_memory_equal((const uint8_t *)place + head, (const uint8_t *)&none + head, size);
}

static void test_an_entry_that_a_kill_left_half_written_is_whole_when_it_is_shown_again(void **state)
{
    struct segment *segment = ((struct segment_fixture *)*state)->segment;
    const uint32_t slot = add(segment, "db");
    segment->reporters[slot].sequence = 7;
    segment_reporters_show(segment, slot, &(struct reporters_shown){0});
    assert_int_equal(segment->reporters[slot].sequence, 8);
    segment_reporters_show(segment, slot, &(struct reporters_shown){0});
    assert_int_equal(segment->reporters[slot].sequence, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_name_is_found_once_it_is_published, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_of_127_letters_is_whole, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_table_is_counted, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_bound_moves_both_ways_and_present_breakers_stay, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_slots_beyond_those_with_memory_are_not_taken, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_forgotten_slot_is_reused_with_another_incarnation, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_incarnation_leaves_zero_out_when_it_wraps, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_latencies_of_each_breaker_add_up_in_groups_of_its_own, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_worker_after_this_one_gives_nobody_s_group_away, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_latencies_that_get_no_memory_are_not_shown, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_reused_slot_knows_nothing_of_its_last_breaker, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_names_behind_a_forgotten_one_are_still_found, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_any_name_is_found_however_many_came_and_went, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_that_a_kill_left_at_two_places_is_at_one_again, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_kill_between_taking_and_publishing_leaves_a_free_slot, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_index_entries_that_no_tripd_wrote_are_taken_out, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_policy_goes_to_the_place_not_in_force, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_generations_wrap_after_16_bits, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_open_times_and_ramp_ends_are_published, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_strongest_owner_rules, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_at_a_ttls_end_the_next_owner_holds, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_mode_names_its_owner_reason_and_end, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_an_admission_that_a_kill_left_behind_is_put_right, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_details_hold_what_was_published, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_detail_that_a_kill_left_half_written_is_readable_again, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_detail_is_never_read_torn, set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_whichever_number_of_the_limits_changes_is_shown, set_up,
                                        segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_whatever_changes_of_the_reporters_is_shown_and_a_forgotten_slot_has_none,
                                        set_up, segment_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_an_entry_that_a_kill_left_half_written_is_whole_when_it_is_shown_again,
                                        set_up, segment_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
