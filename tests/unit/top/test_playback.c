/* Playing a recording back: where it is after each key, what it says, and the rates there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../support/watched.h"
#include "playback.h"
#include "recorder.h"
#include "recording.h"

#define LOOKS 121 /* two minutes, a look a second */

static struct {
    struct watched watched;
    uint32_t db;
    char path[128];
    struct recorder *recorder;
    struct playback *playback;
    struct top *top;
} fixture;

static int set_up(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    watched_make(&fixture.watched, 8);
    setenv("XDG_CONFIG_HOME", fixture.watched.dir.dir, 1);
    snprintf(fixture.path, sizeof(fixture.path), "%s/recording", fixture.watched.dir.dir);
    fixture.db = watched_breaker(&fixture.watched, "db");
    assert_int_equal(recorder_open(fixture.path, UINT64_C(64) << 20, &fixture.recorder), 0);
    fixture.top = top_new(&(struct top_options){.named = "recording", .recording = true, .unchangeable = "a file"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture.top = top_free(fixture.top);
    fixture.playback = playback_close(fixture.playback);
    watched_remove(&fixture.watched);
    unsetenv("XDG_CONFIG_HOME");
    return 0;
}

/* A heartbeat so much later, up to which there were so many calls in all, and a look at it. */
static void record(uint64_t ms, uint64_t calls)
{
    watched_beat(&fixture.watched, ms);
    watched_totals(&fixture.watched, fixture.db, &(struct breaker_totals){.calls = calls});
    assert_int_equal(recorder_look(fixture.recorder, fixture.watched.living, REPORT_RUNNING), 0);
}

/* The recorder reads the clocks of the machine. This gives each frame, as if it was recorded then, the time of the
 * heartbeat before it: unix_ms[i] after the segment's creation. forged: the frame whose payload is no payload. */
static void retime(const uint64_t *unix_ms, unsigned forged)
{
    struct recording_file file;
    struct recording_frame frame;
    FILE *const out = fopen(fixture.path, "r+e");
    assert_non_null(out);
    assert_int_equal(fread(&file, sizeof(file), 1, out), 1);
    uint64_t check = recording_start(&file);
    for (unsigned i = 0; fread(&frame, sizeof(frame), 1, out) == 1; i++) {
        uint8_t *const payload = malloc(frame.stored);
        assert_int_equal(fread(payload, frame.stored, 1, out), 1);
        fseek(out, -(long)(frame.stored + sizeof(frame)), SEEK_CUR);
        frame.unix_ms = WATCHED_UNIX_MS + unix_ms[i];
        frame.mono_ns = WATCHED_MONO_NS + unix_ms[i] * 1000000;
        if (i == forged)
            memset(payload, 0xa5, frame.stored);
        frame.check = check = recording_check(check, &frame, payload);
        assert_int_equal(fwrite(&frame, sizeof(frame), 1, out), 1);
        assert_int_equal(fwrite(payload, frame.stored, 1, out), 1);
        fseek(out, 0, SEEK_CUR);
        free(payload);
    }
    fclose(out);
}

#define NONE_FORGED UINT32_MAX

static void open_recording(const uint64_t *unix_ms, unsigned forged)
{
    char *why;
    assert_int_equal(recorder_close(fixture.recorder), 0);
    retime(unix_ms, forged);
    assert_int_equal(playback_open(fixture.path, &fixture.playback, &why), 0);
    assert_null(why);
    playback_begin(fixture.playback, fixture.top);
}

/* Two minutes from 22:15:01 on, a look a second. In second i there are i calls. */
static void open_two_minutes(unsigned forged)
{
    uint64_t unix_ms[LOOKS], calls = 0;
    for (unsigned i = 0; i < LOOKS; i++) {
        calls += i;
        record(1000, calls);
        unix_ms[i] = fixture.watched.now_ms;
    }
    open_recording(unix_ms, forged);
}

/* Is the look shown that was recorded in this second after the first one? */
static void assert_at(unsigned second)
{
    assert_non_null(fixture.top->scene.look);
    assert_int_equal(fixture.top->scene.unix_ms, WATCHED_UNIX_MS + 101000 + second * UINT64_C(1000));
    assert_int_equal(fixture.top->scene.look->now_ms, 101000 + second * UINT64_C(1000));
}

static void assert_rate(double calls)
{
    assert_true(fixture.top->scene.look->rates.known);
    assert_float_equal(fixture.top->scene.look->rates.calls, calls, 1e-6);
}

static void assert_says(const char *expected)
{
    assert_string_equal(fixture.top->scene.playback, expected);
}

static void press(enum action action)
{
    playback_press(fixture.playback, fixture.top, action);
}

static void go_on(uint64_t ms)
{
    playback_go_on(fixture.playback, fixture.top, ms);
}

/* --------------------------------------------------------------------------------------------------------- going on */

static void test_it_begins_at_the_first_look(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    assert_at(0);
    assert_says("22:15:01, 0ms of 2m00s, 1x");
    assert_false(fixture.top->scene.look->rates.known);
    assert_false(fixture.top->paused);
    assert_int_equal(fixture.top->rows.count, 1);
    playback_begin(fixture.playback, fixture.top);
    assert_at(0);
}

static void test_it_goes_on_as_fast_as_it_was_recorded(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    go_on(1000);
    assert_at(1);
    assert_rate(1);
    go_on(900);
    assert_at(1);
    go_on(99);
    assert_at(1);
    go_on(1);
    assert_at(2);
    assert_rate(2);
    assert_says("22:15:03, 2.0s of 2m00s, 1x");
}

static void test_looks_in_between_are_looked_at_too(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    go_on(7000);
    assert_at(7);
    assert_rate(7); /* of the last second, not of all seven */
    const struct trail *const trail = &fixture.top->scene.look->breakers[0]->trail;
    assert_float_equal(trail->calls[TRAIL_PLACES - 1], 7, 1e-6);
    assert_float_equal(trail->calls[TRAIL_PLACES - 2], 6, 1e-6);
    assert_float_equal(trail->calls[TRAIL_PLACES - 3], 4, 1e-6);
}

static void test_it_ends_at_the_last_look(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    go_on(119999);
    assert_at(119);
    assert_false(playback_ended(fixture.playback));
    go_on(1);
    assert_at(120);
    assert_true(playback_ended(fixture.playback));
    assert_says("22:17:01, 2m00s of 2m00s, 1x, end");
    go_on(60000);
    assert_at(120);
    press(ACTION_STEP);
    assert_at(120);
    press(ACTION_SEEK_ON);
    assert_at(120);
    press(ACTION_SEEK_BACK); /* from the last look, however long one has waited there */
    assert_at(110);
    assert_false(playback_ended(fixture.playback));
    go_on(1000);
    assert_at(111);
}

static void test_a_recording_of_one_look_is_at_its_end(void **state)
{
    (void)state;
    record(1000, 5);
    open_recording((uint64_t[]){101000}, NONE_FORGED);
    assert_at(0);
    assert_true(playback_ended(fixture.playback));
    assert_says("22:15:01, 0ms of 0ms, 1x, end");
    press(ACTION_SEEK_ON);
    press(ACTION_SEEK_BACK);
    press(ACTION_STEP_BACK);
    press(ACTION_STEP);
    go_on(1000);
    assert_at(0);
}

/* ------------------------------------------------------------------------------------------------------------- speed
 */

static void test_the_speed_doubles_and_halves_within_bounds(void **state)
{
    (void)state;
    const char *const faster[] = {"2x", "4x", "8x", "16x", "32x", "64x", "64x"};
    const char *const slower[] = {"32x", "16x", "8x", "4x", "2x", "1x", "0.5x", "0.25x", "0.25x"};
    char expected[64];
    open_two_minutes(NONE_FORGED);
    for (unsigned i = 0; i < 7; i++) {
        press(ACTION_FASTER);
        snprintf(expected, sizeof(expected), "22:15:01, 0ms of 2m00s, %s", faster[i]);
        assert_says(expected);
    }
    for (unsigned i = 0; i < 9; i++) {
        press(ACTION_SLOWER);
        snprintf(expected, sizeof(expected), "22:15:01, 0ms of 2m00s, %s", slower[i]);
        assert_says(expected);
    }
    assert_at(0);
}

static void test_twice_as_fast_two_seconds_pass_in_one(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    press(ACTION_FASTER);
    go_on(1000);
    assert_at(2);
    press(ACTION_SLOWER);
    press(ACTION_SLOWER);
    press(ACTION_SLOWER); /* a quarter */
    go_on(3999);
    assert_at(2);
    go_on(4);
    assert_at(3);
}

/* ------------------------------------------------------------------------------------------------------ seeks, steps
 */

static void test_a_seek_goes_ten_seconds_on_and_back(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    press(ACTION_SEEK_ON);
    assert_at(10);
    assert_says("22:15:11, 10s of 2m00s, 1x");
    press(ACTION_SEEK_ON);
    assert_at(20);
    press(ACTION_SEEK_BACK);
    assert_at(10);
    go_on(1000);
    assert_at(11);
    press(ACTION_SEEK_BACK);
    assert_at(1);
    press(ACTION_SEEK_BACK);
    assert_at(0);
    press(ACTION_SEEK_BACK);
    assert_at(0);
    assert_false(fixture.top->paused);
}

static void test_after_a_seek_rates_and_trail_are_those_of_the_place(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    for (unsigned i = 0; i < 9; i++)
        press(ACTION_SEEK_ON);
    assert_at(90);
    assert_rate(90);
    const struct trail *trail = &fixture.top->scene.look->breakers[0]->trail;
    assert_float_equal(trail->calls[TRAIL_PLACES - 1], 90, 1e-6);
    assert_float_equal(trail->calls[0], 32, 1e-6); /* a minute before */
    press(ACTION_SEEK_BACK);
    assert_at(80);
    assert_rate(80);
    trail = &fixture.top->scene.look->breakers[0]->trail;
    assert_float_equal(trail->calls[TRAIL_PLACES - 1], 80, 1e-6);
    for (unsigned i = 0; i < 8; i++)
        press(ACTION_SEEK_BACK);
    assert_at(0);
    assert_false(fixture.top->scene.look->rates.known);
}

static void test_a_step_pauses_and_goes_a_look_on_or_back(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    press(ACTION_SEEK_ON);
    press(ACTION_STEP);
    assert_at(11);
    assert_rate(11);
    assert_true(fixture.top->paused);
    press(ACTION_STEP_BACK);
    assert_at(10);
    assert_rate(10);
    fixture.top->paused = false;
    press(ACTION_STEP_BACK);
    assert_at(9);
    assert_rate(9);
    assert_true(fixture.top->paused);
    assert_says("22:15:10, 9.0s of 2m00s, 1x");
    go_on(1000); /* from there */
    assert_at(10);
}

static void test_a_step_back_from_the_first_look_stays(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    press(ACTION_STEP_BACK);
    assert_at(0);
    assert_true(fixture.top->paused);
}

static void test_a_part_of_a_second_that_has_passed_does_not_count_after_a_step(void **state)
{
    (void)state;
    open_two_minutes(NONE_FORGED);
    go_on(900);
    press(ACTION_STEP);
    assert_at(1);
    go_on(999);
    assert_at(1);
    go_on(1);
    assert_at(2);
}

static void test_a_seek_passes_a_gap_that_is_longer(void **state)
{
    (void)state;
    const uint64_t unix_ms[] = {101000, 102000, 162000, 222000};
    record(1000, 10);
    record(1000, 20);
    record(60000, 620);
    record(60000, 680);
    open_recording(unix_ms, NONE_FORGED);
    press(ACTION_SEEK_ON);
    assert_at(1);
    press(ACTION_SEEK_ON);
    assert_at(61);
    assert_rate(10);
    press(ACTION_SEEK_ON);
    assert_at(121);
    assert_rate(1);
    assert_true(playback_ended(fixture.playback));
    press(ACTION_SEEK_BACK);
    assert_at(61);
    press(ACTION_SEEK_BACK);
    assert_at(1);
    press(ACTION_SEEK_BACK);
    assert_at(0);
}

static void test_wall_time_that_goes_back_is_passed(void **state)
{
    (void)state;
    const uint64_t unix_ms[] = {111000, 112000, 103000, 104000};
    for (unsigned i = 0; i < 4; i++)
        record(1000, 10 * i);
    open_recording(unix_ms, NONE_FORGED);
    press(ACTION_STEP);
    press(ACTION_STEP);
    assert_int_equal(fixture.top->scene.unix_ms, WATCHED_UNIX_MS + 103000);
    assert_says("22:15:03, 0ms of 0ms, 1x"); /* how long it is in all, nobody knows */
    press(ACTION_STEP);
    assert_true(playback_ended(fixture.playback));
    press(ACTION_STEP_BACK);
    press(ACTION_STEP_BACK);
    press(ACTION_STEP_BACK);
    assert_int_equal(fixture.top->scene.unix_ms, WATCHED_UNIX_MS + 111000);
}

/* ---------------------------------------------------------------------------------------------------------- damage */

static void test_looks_that_are_damaged_are_passed_with_a_word(void **state)
{
    (void)state;
    open_two_minutes(5);
    press(ACTION_SEEK_ON); /* looks need all since the last whole one, which is the first */
    assert_null(fixture.top->scene.snapshot);
    assert_null(fixture.top->scene.look);
    assert_int_equal(fixture.top->rows.count, 0);
    assert_string_equal(fixture.top->scene.waits, "the recording is damaged here");
    assert_says("22:15:11, 10s of 2m00s, 1x");
    go_on(50000); /* the next whole one */
    assert_at(60);
    assert_rate(32.5); /* since the last one that was whole */
    go_on(1000);
    assert_at(61);
    assert_rate(61);
    for (unsigned i = 0; i < 6; i++)
        press(ACTION_SEEK_BACK);
    assert_at(1);
}

static void test_what_is_no_recording_is_refused_with_the_reason(void **state)
{
    (void)state;
    char *why;
    assert_int_equal(playback_open("/dev/null", &fixture.playback, &why), -EBADMSG);
    assert_non_null(strstr(why, "no recording"));
    free(why);
    assert_int_equal(playback_open("/nonexistent/recording", &fixture.playback, &why), -ENOENT);
    free(why);
    assert_int_equal(playback_open(fixture.path, &fixture.playback, &why), -EBADMSG); /* which has no look yet */
    free(why);
    assert_null(playback_close(NULL));
    recorder_close(fixture.recorder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_it_begins_at_the_first_look),
        TEST(test_it_goes_on_as_fast_as_it_was_recorded),
        TEST(test_looks_in_between_are_looked_at_too),
        TEST(test_it_ends_at_the_last_look),
        TEST(test_a_recording_of_one_look_is_at_its_end),
        TEST(test_the_speed_doubles_and_halves_within_bounds),
        TEST(test_twice_as_fast_two_seconds_pass_in_one),
        TEST(test_a_seek_goes_ten_seconds_on_and_back),
        TEST(test_after_a_seek_rates_and_trail_are_those_of_the_place),
        TEST(test_a_step_pauses_and_goes_a_look_on_or_back),
        TEST(test_a_step_back_from_the_first_look_stays),
        TEST(test_a_part_of_a_second_that_has_passed_does_not_count_after_a_step),
        TEST(test_a_seek_passes_a_gap_that_is_longer),
        TEST(test_wall_time_that_goes_back_is_passed),
        TEST(test_looks_that_are_damaged_are_passed_with_a_word),
        TEST(test_what_is_no_recording_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
