/* Totals that outlive their breakers: each is in its group once, wherever a worker is killed, and no total is lost when
 * the table of groups is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/segment_dir.h"
#include "internal/totals.h"

#define BREAKERS 40
#define S        UINT64_C(1000000000)

static struct segment_dir dir;
static struct segment *segment;
static struct breaker_settings settings;

static int set_up(void **state)
{
    (void)state;
    segment_dir_make(&dir);
    segment = segment_dir_create(&dir, BREAKERS, 4);
    breaker_settings_defaults(&settings);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_unmap(segment);
    segment_dir_remove(&dir);
    return 0;
}

/* Made at 0 s, with so many calls. */
static uint32_t breaker(const char *name, uint64_t calls)
{
    uint32_t slot;
    assert_int_equal(segment_take(segment, name, 0, &slot), 0);
    struct core_state *const core = segment_begin(segment, slot);
    core_init(core, &settings, 0);
    core->head.totals.calls = calls;
    segment_commit(segment);
    segment_name_publish(segment, slot);
    return slot;
}

static void forgotten(const char *name, uint64_t calls)
{
    const uint32_t slot = breaker(name, calls);
    segment_group_take_over(segment, slot, 5 * S);
    segment_forget(segment, slot);
}

/* Returns the totals of the group with this name. "" stands for the breakers that are in no group. */
static struct breaker_totals group(const char *name)
{
    for (uint32_t at = 0; at < segment->header->groups; at++)
        if (strcmp(segment->groups[at].name, name) == 0)
            return segment_group(segment, at)->totals;
    fail_msg("there is no group %s", name);
    return (struct breaker_totals){0};
}

static uint64_t calls_of(uint32_t slot)
{
    return segment_core(segment, slot)->head.totals.calls;
}

static void test_totals_go_to_the_group_of_the_name(void **state)
{
    (void)state;
    forgotten("payments/eu/db", 3);
    forgotten("payments/eu/cache", 4);
    forgotten("payments/us", 5);
    forgotten("db", 6);
    assert_int_equal(segment->header->groups, 3);
    assert_int_equal(group("payments/eu").calls, 7);
    assert_int_equal(group("payments").calls, 5);
    assert_int_equal(group("").calls, 6);
}

static void test_the_time_in_the_last_state_is_moved_too(void **state)
{
    (void)state;
    forgotten("payments/db", 1);
    assert_int_equal(group("payments").state_ns[TRIP_STATE_CLOSED], 5 * S);
}

static void test_a_breaker_whose_totals_were_moved_has_none(void **state)
{
    (void)state;
    const uint32_t slot = breaker("payments/db", 9);
    segment_group_take_over(segment, slot, 5 * S);
    assert_int_equal(calls_of(slot), 0);
    const struct breaker_totals now = totals_now(&segment_core(segment, slot)->head, 7 * S);
    assert_int_equal(now.state_ns[TRIP_STATE_CLOSED], 2 * S);
    assert_int_equal(segment_core(segment, slot)->opened_ns, CORE_NEVER); /* all else is as it was */
}

static void test_a_breaker_that_never_had_a_call_takes_no_group(void **state)
{
    (void)state;
    forgotten("payments/db", 0);
    assert_int_equal(segment->header->groups, 1);
    assert_int_equal(group("").state_ns[TRIP_STATE_CLOSED], 0);
}

/* What a worker leaves that is killed right after the commit: the breaker still has its totals. */
static struct group_image *killed_before_emptying(uint32_t slot, uint64_t calls)
{
    segment_group_take_over(segment, slot, 5 * S);
    segment_begin(segment, slot)->head.totals.calls = calls;
    segment_commit(segment);
    struct group_image *const image = &segment->groups[1].images[segment->groups[1].commits & 1];
    image->from = group_from(slot, segment_incarnation(segment, slot));
    return image;
}

static void test_the_next_worker_empties_the_breaker_whose_totals_are_in_the_group(void **state)
{
    (void)state;
    const uint32_t slot = breaker("payments/db", 9);
    const struct group_image *const image = killed_before_emptying(slot, 9);
    segment_recover(segment);
    assert_int_equal(calls_of(slot), 0);
    assert_int_equal(group("payments").calls, 9);
    assert_int_equal(image->from, 0);
    segment_recover(segment);
    assert_int_equal(group("payments").calls, 9);
}

static void test_a_breaker_that_came_after_it_into_the_slot_keeps_its_totals(void **state)
{
    (void)state;
    const uint32_t slot = breaker("payments/db", 9);
    killed_before_emptying(slot, 9);
    segment_forget(segment, slot);
    uint32_t next = breaker("other", 2);
    for (unsigned i = 0; i < BREAKERS && next != slot; i++) { /* slots come in turn */
        segment_forget(segment, next);
        next = breaker("other", 2);
    }
    assert_int_equal(next, slot);
    segment_recover(segment);
    assert_int_equal(calls_of(slot), 2);
}

/* Killed before the commit, nothing has happened. */
static void test_an_image_that_was_not_committed_counts_nothing(void **state)
{
    (void)state;
    forgotten("payments/db", 9);
    struct group_slot *const entry = &segment->groups[1];
    entry->images[(entry->commits + 1) & 1] = (struct group_image){.totals.calls = 1000};
    segment_recover(segment);
    assert_int_equal(group("payments").calls, 9);
    forgotten("payments/db", 1);
    assert_int_equal(group("payments").calls, 10);
}

static void test_groups_that_find_no_place_are_counted_with_breakers_without_one(void **state)
{
    (void)state;
    char name[32];
    for (unsigned i = 0; i < GROUPS_MAX + 9; i++) {
        snprintf(name, sizeof(name), "%u/db", i);
        forgotten(name, 1);
    }
    assert_int_equal(segment->header->groups, 1024);
    assert_int_equal(group("1022").calls, 1);
    assert_int_equal(group("").calls, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(totals_go_to_the_group_of_the_name),
        TEST(the_time_in_the_last_state_is_moved_too),
        TEST(a_breaker_whose_totals_were_moved_has_none),
        TEST(a_breaker_that_never_had_a_call_takes_no_group),
        TEST(the_next_worker_empties_the_breaker_whose_totals_are_in_the_group),
        TEST(a_breaker_that_came_after_it_into_the_slot_keeps_its_totals),
        TEST(an_image_that_was_not_committed_counts_nothing),
        TEST(groups_that_find_no_place_are_counted_with_breakers_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
