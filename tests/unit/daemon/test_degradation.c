/* Levels and features in the segment: words, events, and what a kill of tripd between any two steps leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../support/segment_dir.h"
#include "core/levels.h"
#include "degradation/degradation.h"
#include "internal/feature_word.h"
#include "internal/levels.h"
#include "segment/saved.h"

static const char with_three[] = "features:\n"
                                 "  recommendations: {off_from: degraded}\n"
                                 "  \"payments/express\": {off_from: 2, percent: 25%}\n"
                                 "  plain:\n";

struct fixture {
    struct segment_fixture of;
    struct segment *segment;
    struct config *config;
    struct degradation *degradation;
    unsigned told;
};

static struct fixture fixture;

static void note_told(void *context, const struct transition *event)
{
    (void)context;
    (void)event;
    fixture.told++;
}

static struct config *config_of(const char *text)
{
    struct config *config = NULL;
    char *problems = NULL;
    if (config_parse(text, strlen(text), "test", &config, &problems) < 0)
        fail_msg("%s", problems);
    return config;
}

/* As the next tripd does with the segment that it finds. */
static void begin(void)
{
    const struct degradation_options options = {
        .segment = fixture.segment, .clock = &fixture.of.dir.clock, .config = fixture.config, .told = note_told};
    degradation_free(fixture.degradation);
    assert_int_equal(degradation_new(&options, &fixture.degradation), 0);
}

static int set_up(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    segment_fixture_make(&fixture.of, 8);
    fixture.segment = fixture.of.segment;
    fixture.of.dir.clock.ticks = TICKS_TEST;
    fixture.config = config_of(with_three);
    begin();
    *state = &fixture.of;
    return 0;
}

static int tear_down(void **state)
{
    degradation_free(fixture.degradation);
    config_free(fixture.config);
    return segment_fixture_tear_down(state);
}

static void reload(const char *text)
{
    struct config *const before = fixture.config;
    fixture.config = config_of(text);
    degradation_reconfigure(fixture.degradation, fixture.config);
    config_free(before);
}

static void advance(uint64_t ms)
{
    const uint64_t until_ns = fixture.of.dir.clock.test_now_ns + ms * 1000000;
    while (degradation_due(fixture.degradation) <= until_ns) {
        fixture.of.dir.clock.test_now_ns =
            at_least(degradation_due(fixture.degradation), fixture.of.dir.clock.test_now_ns);
        degradation_tick(fixture.degradation);
    }
    fixture.of.dir.clock.test_now_ns = until_ns;
}

static const struct degradation_actor alice = {.uid = 1000, .reason = "load test"};

static void set_level(const char *group, unsigned level, uint64_t ttl_ms)
{
    const struct degradation_actor actor = {.uid = 1000, .reason = "load test", .ttl_ms = ttl_ms};
    assert_int_equal(degradation_level_set(fixture.degradation, group, level, &actor), 0);
}

static unsigned level(const char *group)
{
    return levels_in_force(segment_levels(fixture.segment), group);
}

/* What a client reads. */
static unsigned word(const char *name)
{
    const uint64_t mark = feature_mark(name), found = *feature_find(fixture.segment->feature_words, mark);
    return feature_has_mark(found, mark) ? feature_permille(found) : FEATURE_ON;
}

/* The event at this index; of another kind or name: none. */
static struct transition event(uint64_t index, enum transition_of of, const char *name)
{
    struct transition found;
    assert_true(segment_event(fixture.segment, index, &found));
    assert_int_equal(found.of, of);
    assert_string_equal(found.name, name);
    return found;
}

static uint64_t events(void)
{
    return fixture.segment->header->transition_next;
}

/* ------------------------------------------------------------------------------------------------------------ events
 */

static void test_a_level_s_event_has_its_actor_and_those_of_features_follow_it(void **state)
{
    (void)state;
    const uint64_t first = events();
    set_level("", 2, 60000);
    const struct transition raised = event(first, OF_LEVEL, "");
    assert_int_equal(raised.from, 0);
    assert_int_equal(raised.to, 2);
    assert_int_equal(raised.set, 2);
    assert_int_equal(raised.by, BY_OPERATOR);
    assert_int_equal(raised.uid, 1000);
    assert_string_equal(raised.note, "load test");
    assert_true(raised.until_unix_ms > raised.at_unix_ms);
    unsigned off = 0;
    for (uint64_t index = first + 1; index < events(); index++) {
        struct transition feature;
        assert_true(segment_event(fixture.segment, index, &feature));
        assert_int_equal(feature.of, OF_FEATURE);
        assert_int_equal(feature.to_permille, 0);
        assert_int_equal(feature.from_permille, strcmp(feature.name, "recommendations") == 0 ? 1000 : 250);
        assert_int_equal(feature.by, BY_DAEMON);
        assert_string_equal(feature.note, "level minimal");
        off++;
    }
    assert_int_equal(off, 2);
    assert_int_equal(word("recommendations"), 0);
    assert_int_equal(word("payments/express"), 0);
    assert_int_equal(word("plain"), 1000);
}

static void test_each_step_back_is_an_event_of_whoever_lowered_it(void **state)
{
    (void)state;
    set_level("payments", 2, 0);
    const uint64_t first = events();
    degradation_level_auto(fixture.degradation, "payments", &alice);
    assert_int_equal(event(first, OF_LEVEL, "payments").to, 2);
    assert_int_equal(event(first, OF_LEVEL, "payments").set, 0);
    advance(30000);
    assert_int_equal(event(first + 1, OF_LEVEL, "payments").to, 1);
    assert_int_equal(event(first + 1, OF_LEVEL, "payments").uid, 1000);
    assert_int_equal(event(first + 2, OF_FEATURE, "payments/express").to_permille, 250);
    advance(30000);
    assert_int_equal(event(first + 3, OF_LEVEL, "payments").to, 0);
    assert_int_equal(events(), first + 4);
    assert_true(degradation_due(fixture.degradation) == UINT64_MAX);
}

static void test_the_end_of_a_ttl_is_tripd_s_own_doing(void **state)
{
    (void)state;
    set_level("", 1, 5000);
    const uint64_t first = events();
    advance(4999);
    assert_int_equal(events(), first);
    advance(1);
    assert_int_equal(event(first, OF_LEVEL, "").by, BY_DAEMON);
    assert_string_equal(event(first, OF_LEVEL, "").note, "its time ended");
    assert_int_equal(level(""), 1);
    advance(30000);
    assert_int_equal(level(""), 0);
    assert_int_equal(word("recommendations"), 1000);
}

static void test_a_feature_set_by_hand_is_an_event_even_if_it_stays_as_it_is(void **state)
{
    (void)state;
    const uint64_t first = events();
    assert_int_equal(degradation_feature_set(fixture.degradation, "plain", 1000, &alice), 0);
    assert_int_equal(event(first, OF_FEATURE, "plain").from_permille, 1000);
    assert_int_equal(event(first, OF_FEATURE, "plain").by, BY_OPERATOR);
    assert_int_equal(degradation_feature_set(fixture.degradation, "plain", 300, &alice), 0);
    assert_int_equal(event(first + 1, OF_FEATURE, "plain").to_permille, 300);
    assert_int_equal(word("plain"), 300);
    assert_int_equal(degradation_feature_auto(fixture.degradation, "plain", &alice), 0);
    assert_int_equal(event(first + 2, OF_FEATURE, "plain").to_permille, 1000);
    assert_int_equal(degradation_feature_set(fixture.degradation, "unknown", 0, &alice), -ENOENT);
    assert_int_equal(events(), first + 3);
    assert_int_equal(fixture.told, events());
}

static void test_a_reload_tells_what_it_changes(void **state)
{
    (void)state;
    set_level("", 1, 0);
    const uint64_t first = events();
    reload("levels: {names: [normal, degraded]}\nfeatures: {plain: {off_from: 1}}\n");
    struct transition told;
    for (uint64_t index = first; index < events(); index = told.sequence) {
        assert_true(segment_event(fixture.segment, index, &told));
        assert_int_equal(told.of, OF_FEATURE);
        assert_int_equal(told.by, BY_CONFIG);
    }
    assert_int_equal(word("plain"), 0);
    assert_int_equal(word("recommendations"), 1000);
    assert_int_equal(word("payments/express"), 1000);
    assert_int_equal(events(), first + 3);
}

/* ------------------------------------------------------------------------------------------------------------- kills
 */

static void test_the_next_tripd_takes_over_and_ttls_run_on(void **state)
{
    (void)state;
    set_level("", 2, 10000);
    assert_int_equal(degradation_feature_set(fixture.degradation, "plain", 0, &alice), 0);
    const uint64_t first = events();
    begin();
    assert_int_equal(events(), first);
    assert_int_equal(level(""), 2);
    assert_int_equal(word("plain"), 0);
    assert_int_equal(word("recommendations"), 0);
    advance(10000);
    assert_int_equal(event(first, OF_LEVEL, "").set, 0);
    begin(); /* on the way back */
    advance(29999);
    assert_int_equal(level(""), 2);
    advance(1);
    assert_int_equal(level(""), 1);
}

static void test_a_tripd_that_was_away_for_an_hour_goes_back_step_by_step_from_then_on(void **state)
{
    (void)state;
    set_level("", 3, 10000);
    fixture.of.dir.clock.test_now_ns += UINT64_C(3600000000000);
    begin();
    assert_int_equal(level(""), 3);
    advance(29999);
    assert_int_equal(level(""), 3);
    advance(1);
    assert_int_equal(level(""), 2);
    advance(60000);
    assert_int_equal(level(""), 0);
}

/* As a worker that was killed when its change was in force, and nothing of it was told yet. */
static void change_unheard(unsigned to)
{
    const struct levels_now now = {.ms = clock_now_ms(&fixture.of.dir.clock), .unix_ms = realtime_ms()};
    const struct levels_act act = {.by = BY_OPERATOR, .uid = 1000, .reason = "load test"};
    assert_int_equal(levels_set(segment_levels_next(fixture.segment), "", to, &act, &now), 0);
    segment_levels_commit(fixture.segment);
}

static void test_a_change_whose_worker_was_killed_before_its_events_is_told_once(void **state)
{
    (void)state;
    const uint64_t first = events();
    change_unheard(1);
    assert_int_equal(word("recommendations"), 1000);
    begin();
    assert_int_equal(word("recommendations"), 0);
    assert_int_equal(event(first, OF_LEVEL, "").uid, 1000);
    assert_int_equal(event(first + 1, OF_FEATURE, "recommendations").from_permille, 1000);
    assert_int_equal(events(), first + 2);
    begin();
    assert_int_equal(events(), first + 2);
}

/* As a worker that was killed after it wrote an event, and before it noted that. */
static void test_an_event_that_was_written_before_a_kill_is_not_told_again(void **state)
{
    (void)state;
    set_level("", 2, 0);
    const uint64_t last = events();
    struct levels_image *const image = &fixture.segment->levels->images[fixture.segment->levels->commits & 1];
    image->levels[0].untold = 1;
    for (uint32_t place = 0; place < FEATURE_PLACES; place++) {
        if (!image->features[place].configured || strcmp(image->features[place].name, "plain") == 0)
            continue;
        image->features[place].untold = FEATURE_BY_LEVEL;
        fixture.segment->feature_words[place] |= FEATURE_ON; /* the word comes after the event */
    }
    begin();
    assert_int_equal(events(), last);
    assert_int_equal(word("recommendations"), 0);
    assert_int_equal(word("payments/express"), 0);
}

static void test_a_change_that_was_not_in_force_yet_is_as_if_it_had_not_been(void **state)
{
    (void)state;
    const uint64_t first = events();
    const struct levels_now now = {0};
    const struct levels_act act = {.by = BY_OPERATOR};
    levels_set(segment_levels_next(fixture.segment), "", 3, &act, &now);
    begin();
    assert_int_equal(level(""), 0);
    assert_int_equal(word("recommendations"), 1000);
    assert_int_equal(events(), first);
}

/* ------------------------------------------------------------------------------------------------------------ reboots
 */

/* Writes a snapshot, and reads it into an empty segment so many milliseconds later. */
static void reboot(uint64_t later_ms)
{
    char *data = NULL;
    size_t size = 0;
    const char *why = "";
    struct saved saved;
    FILE *const file = open_memstream(&data, &size);
    assert_int_equal(saved_put(file, fixture.segment, clock_now_ms(&fixture.of.dir.clock), 1700000000000), 0);
    fclose(file);
    if (saved_parse((const uint8_t *)data, size, &saved, &why) < 0)
        fail_msg("%s", why);
    free(data);
    memset(fixture.segment->levels, 0, sizeof(*fixture.segment->levels));
    memset(fixture.segment->feature_words, 0, FEATURE_PLACES * sizeof(uint64_t));
    fixture.of.dir.clock.test_now_ns = 0;
    begin();
    degradation_restore(fixture.degradation, &saved, 1700000000000 + later_ms);
    saved_clear(&saved);
}

static void test_a_reboot_brings_back_what_was_set_with_its_actor_and_what_is_left_of_its_ttl(void **state)
{
    (void)state;
    set_level("", 2, 0);
    set_level("payments", 3, 20000);
    assert_int_equal(degradation_feature_set(fixture.degradation, "plain", 0, &alice), 0);
    const uint64_t first = events();
    reboot(15000);
    assert_int_equal(level(""), 2);
    assert_int_equal(level("payments"), 3);
    assert_int_equal(word("plain"), 0);
    assert_int_equal(word("recommendations"), 0);
    const struct level_state *const host = levels_find(segment_levels(fixture.segment), "");
    assert_int_equal(host->uid, 1000);
    assert_string_equal(host->reason, "load test");
    assert_int_equal(host->until_ms, 0);
    assert_int_equal(levels_find(segment_levels(fixture.segment), "payments")->until_ms, 5000);
    struct transition told;
    for (uint64_t index = first; index < events(); index = told.sequence) {
        assert_true(segment_event(fixture.segment, index, &told));
        assert_true(told.by == BY_CONFIG || strcmp(told.note, "as before the restart") == 0);
    }
}

static void test_what_ran_out_during_a_reboot_goes_back_step_by_step(void **state)
{
    (void)state;
    set_level("", 2, 20000);
    reboot(3600000);
    advance(1);
    assert_int_equal(level(""), 2);
    assert_int_equal(levels_find(segment_levels(fixture.segment), "")->set, 0);
    advance(30000);
    assert_int_equal(level(""), 1);
    advance(30000);
    assert_int_equal(level(""), 0);
}

static void test_a_level_on_its_way_back_goes_on_after_a_reboot(void **state)
{
    (void)state;
    set_level("", 3, 0);
    degradation_level_auto(fixture.degradation, "", &alice);
    advance(30000);
    reboot(0);
    assert_int_equal(level(""), 2);
    advance(60000);
    assert_int_equal(level(""), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_level_s_event_has_its_actor_and_those_of_features_follow_it),
        TEST(test_each_step_back_is_an_event_of_whoever_lowered_it),
        TEST(test_the_end_of_a_ttl_is_tripd_s_own_doing),
        TEST(test_a_feature_set_by_hand_is_an_event_even_if_it_stays_as_it_is),
        TEST(test_a_reload_tells_what_it_changes),
        TEST(test_the_next_tripd_takes_over_and_ttls_run_on),
        TEST(test_a_tripd_that_was_away_for_an_hour_goes_back_step_by_step_from_then_on),
        TEST(test_a_change_whose_worker_was_killed_before_its_events_is_told_once),
        TEST(test_an_event_that_was_written_before_a_kill_is_not_told_again),
        TEST(test_a_change_that_was_not_in_force_yet_is_as_if_it_had_not_been),
        TEST(test_a_reboot_brings_back_what_was_set_with_its_actor_and_what_is_left_of_its_ttl),
        TEST(test_what_ran_out_during_a_reboot_goes_back_step_by_step),
        TEST(test_a_level_on_its_way_back_goes_on_after_a_reboot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
