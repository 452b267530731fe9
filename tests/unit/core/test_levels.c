/* Levels and features in virtual time: literal milliseconds, and what the words of features say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/levels.h"
#include "internal/feature_word.h"

#include <errno.h>
#include <stdlib.h>

/* Four levels, each step back takes 30 s. */
static struct levels_image *image;
static uint64_t now_ms;

static struct levels_now at(uint64_t ms)
{
    now_ms = ms;
    return (struct levels_now){.ms = ms, .unix_ms = 1700000000000 + ms};
}

static const struct feature_settings three[] = {
    {.name = "recommendations", .off_from = 1, .percent = 1000},
    {.name = "payments/express", .off_from = 2, .percent = 250},
    {.name = "plain", .off_from = LEVEL_NEVER, .percent = 1000},
};

static void configure(const struct feature_settings *features, size_t count)
{
    const struct levels_settings levels = levels_defaults();
    const struct levels_now now = at(now_ms);
    levels_configure(image, &levels, features, count, &now);
}

static int setup(void **state)
{
    (void)state;
    image = calloc(1, sizeof(*image));
    now_ms = 1000;
    configure(three, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(image);
    return 0;
}

static const struct levels_act root = {.by = BY_OPERATOR, .uid = 0, .reason = "a test"};

static void set(const char *group, unsigned level)
{
    const struct levels_now now = at(now_ms);
    assert_int_equal(levels_set(image, group, level, &root, &now), 0);
}

static void set_until(const char *group, unsigned level, uint64_t until_ms)
{
    const struct levels_now now = at(now_ms);
    const struct levels_act act = {.by = BY_OPERATOR, .until_ms = until_ms};
    assert_int_equal(levels_set(image, group, level, &act, &now), 0);
}

static void end(const char *group)
{
    const struct levels_now now = at(now_ms);
    levels_auto(image, group, &root, &now);
}

static void tick(uint64_t ms)
{
    const struct levels_now now = at(ms);
    levels_tick(image, &now);
}

static unsigned level(const char *group)
{
    return levels_in_force(image, group);
}

/* -1: the feature is neither configured nor set. */
static int permille(const char *name)
{
    const struct feature_state *const feature = levels_feature_find(image, name);
    return feature ? (int)feature_permille(feature->word) : -1;
}

/* What a client finds that looks for the name. */
static unsigned found(const char *name)
{
    uint64_t words[FEATURE_PLACES];
    for (unsigned place = 0; place < FEATURE_PLACES; place++)
        words[place] = image->features[place].word;
    const uint64_t word = *feature_find(words, feature_mark(name));
    return feature_has_mark(word, feature_mark(name)) ? feature_permille(word) : FEATURE_ON;
}

static void told(void)
{
    for (unsigned i = 0; i < 1 + LEVEL_GROUPS; i++) {
        image->levels[i].told = image->levels[i].now;
        image->levels[i].untold = 0;
    }
    for (unsigned i = 0; i < FEATURE_PLACES; i++)
        image->features[i].untold = FEATURE_TOLD;
}

/* ------------------------------------------------------------------------------------------------------------- levels
 */

static void test_at_first_the_level_is_0_and_features_are_as_configured(void **state)
{
    (void)state;
    assert_int_equal(level(""), 0);
    assert_int_equal(level("payments/db"), 0);
    assert_int_equal(permille("recommendations"), 1000);
    assert_int_equal(permille("payments/express"), 250);
    assert_int_equal(permille("plain"), 1000);
    assert_int_equal(permille("unknown"), -1);
    assert_int_equal(found("unknown"), 1000);
    assert_true(levels_due_ms(image) == UINT64_MAX);
}

static void test_a_raise_holds_at_once_and_switches_off_what_begins_there(void **state)
{
    (void)state;
    set("", 1);
    assert_int_equal(level(""), 1);
    assert_int_equal(permille("recommendations"), 0);
    assert_int_equal(permille("payments/express"), 250);
    set("", 3);
    assert_int_equal(level(""), 3);
    assert_int_equal(permille("payments/express"), 0);
    assert_int_equal(permille("plain"), 1000);
    assert_true(levels_due_ms(image) == UINT64_MAX);
}

static void test_from_3_to_0_takes_three_steps_of_30_s(void **state)
{
    (void)state;
    set("", 3);
    end("");
    assert_int_equal(level(""), 3);
    assert_true(levels_due_ms(image) == 31000);
    tick(30999);
    assert_int_equal(level(""), 3);
    tick(31000);
    assert_int_equal(level(""), 2);
    assert_int_equal(permille("payments/express"), 0);
    tick(60999);
    assert_int_equal(level(""), 2);
    tick(61000);
    assert_int_equal(level(""), 1);
    assert_int_equal(permille("payments/express"), 250);
    assert_int_equal(permille("recommendations"), 0);
    tick(91000);
    assert_int_equal(level(""), 0);
    assert_int_equal(permille("recommendations"), 1000);
    assert_true(levels_due_ms(image) == UINT64_MAX);
}

static void test_lowering_by_an_operator_stops_at_the_level_that_was_set(void **state)
{
    (void)state;
    set("", 3);
    set("", 1);
    assert_int_equal(level(""), 3);
    tick(31000);
    tick(61000);
    assert_int_equal(level(""), 1);
    assert_true(levels_due_ms(image) == UINT64_MAX);
}

static void test_a_raise_on_the_way_back_makes_the_wait_begin_anew(void **state)
{
    (void)state;
    set("", 3);
    end("");
    tick(20000);
    set("", 1); /* less than what is in force, and more than what was set */
    tick(31000);
    assert_int_equal(level(""), 3);
    tick(49999);
    assert_int_equal(level(""), 3);
    tick(50000);
    assert_int_equal(level(""), 2);
    set("", 3);
    assert_int_equal(level(""), 3);
    assert_true(levels_due_ms(image) == UINT64_MAX);
    end("");
    tick(79999);
    assert_int_equal(level(""), 3);
    tick(80000);
    assert_int_equal(level(""), 2);
}

static void test_lowering_further_on_the_way_back_does_not_make_it_longer(void **state)
{
    (void)state;
    set("", 3);
    set("", 2);
    tick(20000);
    end("");
    tick(31000);
    assert_int_equal(level(""), 2);
    tick(61000);
    assert_int_equal(level(""), 1);
}

static void test_a_step_that_comes_late_makes_those_after_it_no_earlier(void **state)
{
    (void)state;
    set("", 3);
    end("");
    tick(500000); /* tripd was away */
    assert_int_equal(level(""), 2);
    tick(529999);
    assert_int_equal(level(""), 2);
    tick(530000);
    assert_int_equal(level(""), 1);
}

static void test_when_its_ttl_ends_a_level_goes_back_step_by_step(void **state)
{
    (void)state;
    set_until("", 2, 301000);
    assert_true(levels_due_ms(image) == 301000);
    tick(300999);
    assert_int_equal(levels_find(image, "")->set, 2);
    tick(301000);
    assert_int_equal(levels_find(image, "")->set, 0);
    assert_int_equal(levels_find(image, "")->by, BY_DAEMON);
    assert_string_equal(levels_find(image, "")->reason, "its time ended");
    assert_int_equal(level(""), 2);
    tick(331000);
    assert_int_equal(level(""), 1);
    tick(361000);
    assert_int_equal(level(""), 0);
    assert_null(levels_find(image, ""));
}

static void test_a_raise_without_a_ttl_ends_the_ttl_of_before(void **state)
{
    (void)state;
    set_until("", 2, 301000);
    set("", 2);
    tick(400000);
    assert_int_equal(levels_find(image, "")->set, 2);
}

static void test_for_a_group_the_highest_of_host_group_and_outer_groups_holds(void **state)
{
    (void)state;
    set("payments", 2);
    assert_int_equal(level(""), 0);
    assert_int_equal(level("payments"), 2);
    assert_int_equal(level("payments/db"), 2);
    assert_int_equal(level("payments/db/main"), 2);
    assert_int_equal(level("payments2"), 0);
    assert_int_equal(level("pay"), 0);
    assert_int_equal(permille("payments/express"), 0);
    assert_int_equal(permille("recommendations"), 1000);
    set("payments/db", 3);
    assert_int_equal(level("payments/db"), 3);
    assert_int_equal(level("payments"), 2);
    set("", 3);
    assert_int_equal(level("payments"), 3);
    end("payments");
    tick(61000); /* hidden behind the host's */
    assert_int_equal(level("payments"), 3);
}

static void test_64_groups_have_a_level_and_one_more_finds_no_place_until_one_ends(void **state)
{
    (void)state;
    char name[16];
    const struct levels_now now = at(1000);
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "group%u", i);
        set(name, 1);
    }
    assert_int_equal(levels_set(image, "one-more", 1, &root, &now), -ENOSPC);
    assert_int_equal(levels_set(image, "one-more", 0, &root, &now), 0);
    set("group7", 2);
    set("", 1);
    end("group63");
    tick(31000);
    assert_int_equal(levels_set(image, "one-more", 1, &root, &now), -ENOSPC); /* its end is not told yet */
    told();
    set("one-more", 1);
    assert_int_equal(level("one-more"), 1);
    assert_null(levels_find(image, "group63"));
}

static void test_auto_where_nothing_is_set_changes_nothing(void **state)
{
    (void)state;
    told();
    struct levels_image *const before = malloc(sizeof(*before));
    memcpy(before, image, sizeof(*before));
    end("");
    end("payments");
    assert_memory_equal(before, image, sizeof(*before));
    free(before);
}

/* ----------------------------------------------------------------------------------------------------------- features
 */

static int set_feature(const char *name, unsigned to, uint64_t until_ms)
{
    const struct levels_now now = at(now_ms);
    const struct levels_act act = {.by = BY_OPERATOR, .uid = 7, .reason = "by hand", .until_ms = until_ms};
    return levels_feature_set(image, name, to, &act, &now);
}

static int end_feature(const char *name)
{
    const struct levels_now now = at(now_ms);
    return levels_feature_auto(image, name, &root, &now);
}

static void test_what_an_operator_sets_beats_the_levels_until_auto(void **state)
{
    (void)state;
    set("", 3);
    assert_int_equal(set_feature("recommendations", 200, 0), 0);
    assert_int_equal(permille("recommendations"), 200);
    assert_int_equal(set_feature("plain", 0, 0), 0);
    assert_int_equal(permille("plain"), 0);
    assert_int_equal(end_feature("recommendations"), 0);
    assert_int_equal(permille("recommendations"), 0);
    assert_int_equal(end_feature("plain"), 0);
    assert_int_equal(permille("plain"), 1000);
    assert_int_equal(end_feature("plain"), 0);
    assert_int_equal(set_feature("unknown", 0, 0), -ENOENT);
    assert_int_equal(end_feature("unknown"), -ENOENT);
}

static void test_a_feature_that_was_set_for_60_s_follows_the_level_again_then(void **state)
{
    (void)state;
    assert_int_equal(set_feature("recommendations", 0, 61000), 0);
    assert_true(levels_due_ms(image) == 61000);
    tick(60999);
    assert_int_equal(permille("recommendations"), 0);
    tick(61000);
    assert_int_equal(permille("recommendations"), 1000);
    assert_true(levels_due_ms(image) == UINT64_MAX);
}

static void test_a_change_says_whether_an_act_a_level_or_the_config_made_it(void **state)
{
    (void)state;
    told();
    set("", 1);
    assert_int_equal(levels_feature_find(image, "recommendations")->untold, FEATURE_BY_LEVEL);
    assert_int_equal(levels_feature_find(image, "plain")->untold, FEATURE_TOLD);
    assert_int_equal(levels_find(image, "")->untold, 1);
    set_feature("recommendations", 0, 0); /* off as before: still an act */
    assert_int_equal(levels_feature_find(image, "recommendations")->untold, FEATURE_BY_ACT);
    told();
    const struct feature_settings other[] = {{.name = "plain", .off_from = LEVEL_NEVER, .percent = 10}};
    configure(other, 1);
    assert_int_equal(levels_feature_find(image, "plain")->untold, FEATURE_BY_CONFIG);
}

/* ------------------------------------------------------------------------------------------------------------ reloads
 */

static void test_a_reload_with_two_levels_brings_higher_ones_down_at_once(void **state)
{
    (void)state;
    struct levels_settings two = levels_defaults();
    const struct levels_now now = at(5000);
    two.count = 2;
    set("", 3);
    set("payments", 1);
    levels_configure(image, &two, three, 1, &now);
    assert_int_equal(level(""), 1);
    assert_int_equal(levels_find(image, "")->set, 1);
    assert_int_equal(levels_find(image, "")->by, BY_CONFIG);
    assert_int_equal(levels_find(image, "payments")->by, BY_OPERATOR);
    end("");
    tick(35000);
    assert_int_equal(level(""), 0);
}

static void test_a_reload_with_shorter_steps_shortens_the_wait_that_runs(void **state)
{
    (void)state;
    struct levels_settings fast = levels_defaults();
    fast.back_after = TRIP_S;
    set("", 2);
    end("");
    const struct levels_now now = at(5000);
    levels_configure(image, &fast, three, 3, &now);
    assert_true(levels_due_ms(image) == 6000);
    tick(6000);
    tick(7000);
    assert_int_equal(level(""), 0);
}

static void test_a_feature_that_a_reload_adds_follows_the_level_and_one_it_removes_is_on(void **state)
{
    (void)state;
    set("", 1);
    told();
    const struct feature_settings other[] = {{.name = "search", .off_from = 1, .percent = 1000}};
    configure(other, 1);
    assert_int_equal(permille("search"), 0);
    assert_int_equal(found("search"), 0);
    assert_int_equal(permille("recommendations"), -1);
    assert_int_equal(found("recommendations"), 1000);
    told();
    configure(three, 3);
    assert_int_equal(found("recommendations"), 0);
    assert_int_equal(found("search"), 1000);
}

static void test_a_feature_that_is_set_outlives_its_entry_in_the_config(void **state)
{
    (void)state;
    set_feature("recommendations", 0, 0);
    configure(three + 1, 2);
    assert_int_equal(permille("recommendations"), 0);
    assert_int_equal(found("recommendations"), 0);
    assert_int_equal(end_feature("recommendations"), 0);
    assert_int_equal(permille("recommendations"), -1);
    assert_int_equal(found("recommendations"), 1000);
    set_feature("plain", 0, 0);
    configure(three, 3); /* it comes back, and is set still */
    assert_int_equal(permille("plain"), 0);
}

/* Each config has 256 features, of which 100 were in the one before. No client that looks for one that stays ever finds
 * another answer, though their places are shared by thousands of names. */
static void test_256_features_find_places_in_100_configs_and_those_that_stay_do_not_move(void **state)
{
    (void)state;
    static struct feature_settings many[FEATURES_MAX];
    for (unsigned turn = 0; turn < 100; turn++) {
        for (unsigned i = 0; i < FEATURES_MAX; i++) {
            many[i] = (struct feature_settings){.off_from = LEVEL_NEVER, .percent = 500};
            snprintf(many[i].name, sizeof(many[i].name), i < 100 ? "stays-%u" : "turn-%u-%u", i < 100 ? i : turn, i);
        }
        uint64_t before[FEATURE_PLACES];
        for (unsigned place = 0; place < FEATURE_PLACES; place++)
            before[place] = image->features[place].word;
        configure(many, FEATURES_MAX);
        told();
        for (unsigned place = 0; turn > 0 && place < FEATURE_PLACES; place++)
            if (strncmp(image->features[place].name, "stays", 5) == 0)
                assert_true(image->features[place].word == before[place]);
        for (unsigned i = 0; i < FEATURES_MAX; i++)
            assert_int_equal(found(many[i].name), 500);
        if (turn > 0)
            assert_int_equal(found("turn-0-200"), 1000);
    }
}

/* ------------------------------------------------------------------------------------------------------------ reboots
 */

static void test_what_was_set_before_a_reboot_holds_and_goes_back_from_where_it_was(void **state)
{
    (void)state;
    const struct levels_now now = at(2000);
    const struct level_state host = {.set = 1, .now = 3, .by = BY_OPERATOR, .uid = 7, .reason = "before"};
    const struct level_state group = {.group = "payments", .set = 7, .now = 7, .by = BY_OPERATOR};
    const struct feature_state plain = {.name = "plain", .set = 1, .set_permille = 0, .by = BY_OPERATOR};
    const struct feature_state gone = {.name = "gone", .set = 1, .set_permille = 300, .by = BY_OPERATOR};
    levels_restore(image, &host, &now);
    levels_restore(image, &group, &now);
    levels_restore_feature(image, &plain);
    levels_restore_feature(image, &gone);
    assert_int_equal(level(""), 3);
    assert_string_equal(levels_find(image, "")->reason, "before");
    assert_int_equal(level("payments"), 3); /* there are four levels by now */
    assert_int_equal(permille("plain"), 0);
    assert_int_equal(permille("gone"), 300);
    assert_int_equal(permille("recommendations"), 0);
    tick(32000);
    assert_int_equal(level(""), 2);
    tick(62000);
    assert_int_equal(level(""), 1);
    assert_int_equal(levels_find(image, "")->set, 1);
}

/* --------------------------------------------------------------------------------------------------------------- keys
 */

static void test_a_key_stands_where_it_stands_in_every_process_for_ever(void **state)
{
    (void)state;
    assert_int_equal(feature_position("recommendations", "alice"), 76);
    assert_int_equal(feature_position("recommendations", "bob"), 800);
    assert_int_equal(feature_position("recommendations", ""), 173);
    assert_int_equal(feature_position("search", "alice"), 965);
    /* The byte between them keeps name and key apart. */
    assert_int_not_equal(feature_position("ab", "c"), feature_position("a", "bc"));
}

static void test_of_100000_keys_within_1_in_100_are_on_at_each_percentage(void **state)
{
    (void)state;
    unsigned at_200 = 0, at_500 = 0, both = 0;
    char key[16];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "user-%u", i);
        const unsigned position = feature_position("recommendations", key), other = feature_position("search", key);
        assert_true(position < 1000);
        at_200 += position < 200;
        at_500 += position < 500;
        both += position < 500 && other < 500;
    }
    assert_in_range(at_200, 19500, 20500);
    assert_in_range(at_500, 49000, 51000);
    assert_in_range(both, 24500, 25500); /* one feature's keys say nothing of another's */
}

#define LEVELS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEVELS_TEST(test_at_first_the_level_is_0_and_features_are_as_configured),
        LEVELS_TEST(test_a_raise_holds_at_once_and_switches_off_what_begins_there),
        LEVELS_TEST(test_from_3_to_0_takes_three_steps_of_30_s),
        LEVELS_TEST(test_lowering_by_an_operator_stops_at_the_level_that_was_set),
        LEVELS_TEST(test_a_raise_on_the_way_back_makes_the_wait_begin_anew),
        LEVELS_TEST(test_lowering_further_on_the_way_back_does_not_make_it_longer),
        LEVELS_TEST(test_a_step_that_comes_late_makes_those_after_it_no_earlier),
        LEVELS_TEST(test_when_its_ttl_ends_a_level_goes_back_step_by_step),
        LEVELS_TEST(test_a_raise_without_a_ttl_ends_the_ttl_of_before),
        LEVELS_TEST(test_for_a_group_the_highest_of_host_group_and_outer_groups_holds),
        LEVELS_TEST(test_64_groups_have_a_level_and_one_more_finds_no_place_until_one_ends),
        LEVELS_TEST(test_auto_where_nothing_is_set_changes_nothing),
        LEVELS_TEST(test_what_an_operator_sets_beats_the_levels_until_auto),
        LEVELS_TEST(test_a_feature_that_was_set_for_60_s_follows_the_level_again_then),
        LEVELS_TEST(test_a_change_says_whether_an_act_a_level_or_the_config_made_it),
        LEVELS_TEST(test_a_reload_with_two_levels_brings_higher_ones_down_at_once),
        LEVELS_TEST(test_a_reload_with_shorter_steps_shortens_the_wait_that_runs),
        LEVELS_TEST(test_a_feature_that_a_reload_adds_follows_the_level_and_one_it_removes_is_on),
        LEVELS_TEST(test_a_feature_that_is_set_outlives_its_entry_in_the_config),
        LEVELS_TEST(test_256_features_find_places_in_100_configs_and_those_that_stay_do_not_move),
        LEVELS_TEST(test_what_was_set_before_a_reboot_holds_and_goes_back_from_where_it_was),
        cmocka_unit_test(test_a_key_stands_where_it_stands_in_every_process_for_ever),
        cmocka_unit_test(test_of_100000_keys_within_1_in_100_are_on_at_each_percentage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
