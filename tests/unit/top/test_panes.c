/* What the header and the panes say, at which place. */
#include "../../support/screen.h"
#include "core/burst.h"
#include "core/fingerprints.h"

#define BODY (HEADER_ROWS + 1) /* the pane's first row */

static struct screen fixture;

static int set_up(void **state)
{
    (void)state;
    static const struct correlation_settings settings = {
        .window = 60 * TRIP_S, .max_errors = 100, .high_error_rate = 10000, .pattern_share = 500};
    screen_make(&fixture, 200);
    assert_int_equal(segment_correlation_publish(fixture.watched.segment, &settings), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    screen_remove(&fixture);
    return 0;
}

static uint32_t add(const char *name)
{
    return watched_breaker(&fixture.watched, name);
}

static void step(uint32_t slot, uint64_t word, trip_reason reason, enum transition_by by)
{
    watched_step(&fixture.watched, slot, word, &(struct transition){.reason = (uint8_t)reason, .by = (uint8_t)by});
}

/* Looks anew, and paints a pane of as many columns, on a screen with room for all of it. */
static const struct canvas *pane(int key, int columns)
{
    screen_look(&fixture);
    screen_press(&fixture, key);
    return screen_paint(&fixture, 60, columns);
}

/* ------------------------------------------------------------------------------------------------------- the header */

static void test_the_header_of_a_tripd_that_runs(void **state)
{
    (void)state;
    const uint32_t db = add("db"), web = add("web");
    add("mail");
    watched_beat(&fixture.watched, 1000);
    screen_look(&fixture);
    watched_beat(&fixture.watched, 1000);
    watched_totals(&fixture.watched, db,
                   &(struct breaker_totals){.calls = 1234, .failures = 12, .denied = {3}, .errors = {13}});
    watched_in_flight(&fixture.watched, web, 17);
    step(db, word_open(2, 130000), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    segment_client_set(fixture.watched.segment, 1, &(struct client_slot){.lane_id = 9});
    screen_look(&fixture);
    const struct canvas *const canvas = screen_paint(&fixture, 24, 80);
    assert_painted_rows(canvas, 0,
                        "tripd web-1  up 2.0s, heartbeat 300ms ago  1 process                    22:15:02\n"
                        "calls 1234/s   denied 3/s   errors 13/s   in flight 17\n"
                        "no errors in 1m00s\n"
                        "no open incident\n"
                        "3 breakers: ✖ 1 open ◐ 0 half_open ◢ 0 ramping ● 2 closed  ██████░░░░░░░░░░░░░░\n"
                        "F2 Breakers F3 One breaker F4 Events F5 Errors F7 Incidents F8 Clients F9 Limits");
    assert_style(canvas, 0, 0, STYLE_BOLD);
    assert_style(canvas, 1, 6, STYLE_BOLD);
    assert_style(canvas, 1, 22, STYLE_BAD);
    assert_style(canvas, 4, 59, STYLE_BAD);
    assert_style(canvas, 4, 79, STYLE_PLAIN);
    assert_style(canvas, 5, 3, STYLE_HEADING);
}

static void test_rates_that_nobody_knows_yet(void **state)
{
    (void)state;
    add("db");
    screen_look(&fixture);
    const struct canvas *const canvas = screen_paint(&fixture, 24, 80);
    assert_painted_row(canvas, 1, "calls -   denied -   errors -   in flight 0");
    assert_painted_row(canvas, 4, "1 breaker: ✖ 0 open ◐ 0 half_open ◢ 0 ramping ● 1 closed  ░░░░░░░░░░░░░░░░░░░░░");
}

static void test_a_time_that_there_is_no_room_for_is_left_out(void **state)
{
    (void)state;
    add("db");
    screen_look(&fixture);
    assert_painted_row(screen_paint(&fixture, 24, 62), 0,
                       "tripd web-1  up 0ms, heartbeat 300ms ago  0 processes 22:15:00");
    assert_painted_row(screen_paint(&fixture, 24, 61), 0, "tripd web-1  up 0ms, heartbeat 300ms ago  0 processes");
    assert_painted_row(screen_paint(&fixture, 24, 20), 0, "tripd web-1  up 0ms,");
}

static void test_a_tripd_that_does_not_run_is_said_first(void **state)
{
    (void)state;
    const struct {
        enum report_daemon daemon;
        uint64_t age_ms;
        const char *expected;
    } cases[] = {
        {REPORT_STALLED, 12000, "tripd web-1  stalled, last heartbeat 12s ago: programs go on without it  0 processes"},
        {REPORT_DEAD, 300000, "tripd web-1  dead, last heartbeat 5m00s ago: programs go on without it  0 processes"},
        {REPORT_STOPPED, 7200000, "tripd web-1  stopped, last heartbeat 2h00m ago  0 processes"},
        {REPORT_GONE, 300, "tripd web-1  a copy, or of another boot: its last state  0 processes"},
    };
    add("db");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct snapshot *const snapshot = watched_look(&fixture.watched, cases[i].daemon, cases[i].age_ms);
        top_look(fixture.top, snapshot, "", WATCHED_UNIX_MS);
        const struct canvas *const canvas = screen_paint(&fixture, 24, 120);
        assert_painted(canvas, 0, 0, cases[i].expected);
        assert_painted(canvas, 0, 112, "22:13:20");
        assert_style(canvas, 0, 13, STYLE_ALARM);
        assert_painted_row(canvas, 1, "calls -   denied -   errors -   in flight 0");
        assert_int_not_equal(painted_find(canvas, "● closed?"), -1);
    }
}

static void test_before_there_is_a_segment_it_is_said_what_is_waited_for(void **state)
{
    (void)state;
    top_look(fixture.top, NULL, "waits for tripd: there is no state segment /dev/shm/tripd", WATCHED_UNIX_MS);
    const struct canvas *const canvas = screen_paint(&fixture, 24, 80);
    assert_painted_row(canvas, 0, "tripd web-1");
    assert_painted_row(canvas, 1, "waits for tripd: there is no state segment /dev/shm/tripd");
    assert_painted_row(canvas, BODY, "Nothing to show yet. `q` leaves.");
    for (int key = '1'; key <= '7'; key++) {
        screen_press(&fixture, key);
        assert_painted_row(screen_paint(&fixture, 24, 80), BODY, "Nothing to show yet. `q` leaves.");
    }
}

static void count_errors(uint32_t slot, trip_error_type type, uint64_t n)
{
    const uint64_t now_ns = fixture.watched.now_ms * 1000000;
    segment_errors_count(fixture.watched.segment, slot, type, now_ns, n, now_ns);
}

static const char *analysis(void)
{
    static char text[PAINTED_MAX];
    screen_look(&fixture);
    painted_read(screen_paint(&fixture, 24, 80), 2, 0, 80, text);
    size_t end = strlen(text);
    while (end > 0 && text[end - 1] == ' ')
        end--;
    text[end] = '\0';
    return text;
}

static void test_the_header_says_what_errors_have_in_common(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    count_errors(db, TRIP_ERROR_INTERNAL, 1);
    assert_string_equal(analysis(), "a pattern: 100% of 1 error in 1m00s: internal");
    count_errors(db, TRIP_ERROR_NETWORK, 1);
    assert_string_equal(analysis(), "normal: 2 errors in 1m00s");
    assert_style(fixture.canvas, 2, 0, STYLE_PLAIN);
    count_errors(db, TRIP_ERROR_NETWORK, 8);
    assert_string_equal(analysis(), "a pattern: 90% of 10 errors in 1m00s: network");
    assert_style(fixture.canvas, 2, 0, STYLE_BAD);
    count_errors(db, TRIP_ERROR_TIMEOUT, 990);
    assert_string_equal(analysis(), "high error rate: 1000 errors in 1m00s, 99% of them timeout");
    assert_style(fixture.canvas, 2, 0, STYLE_BAD);
}

static void test_each_state_that_there_is_has_a_place_in_the_bar(void **state)
{
    (void)state;
    const uint64_t words[] = {word_open(2, 130000), word_half_open(2, 130000), word_ramping(2, 100, 0, 1)};
    char name[16];
    for (unsigned i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "%u", i);
        const uint32_t slot = add(name);
        if (i < 3)
            segment_mirror(fixture.watched.segment, slot, words[i]);
    }
    screen_look(&fixture);
    const struct canvas *const canvas = screen_paint(&fixture, 24, 120);
    assert_painted(canvas, 4, 0, "150 breakers: ✖ 1 open ◐ 1 half_open ◢ 1 ramping ● 147 closed  ███░░░");
    assert_style(canvas, 4, 63, STYLE_BAD);
    assert_style(canvas, 4, 64, STYLE_PROBED);
    assert_style(canvas, 4, 65, STYLE_RAMPING);
    assert_style(canvas, 4, 66, STYLE_GOOD);
    assert_painted(canvas, 4, 118, "░ ");
}

static void test_breakers_that_are_not_in_mode_auto_are_counted(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    segment_mode_publish(fixture.watched.segment, db, MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, 0, "", 0);
    screen_look(&fixture);
    assert_painted(screen_paint(&fixture, 24, 120), 4, 0,
                   "1 breaker: ✖ 0 open ◐ 0 half_open ◢ 0 ramping ● 1 closed, 1 not auto  ░░░");
}

static void test_a_recording_says_where_it_is_in_place_of_the_time(void **state)
{
    (void)state;
    add("db");
    screen_open(&fixture, &(struct top_options){.named = "day.rec", .recording = true, .unchangeable = "a file"});
    top_playback(fixture.top, "22:15:11, 10s of 2m00s, 4x");
    screen_look(&fixture);
    const struct canvas *const canvas = screen_paint(&fixture, 24, 120);
    assert_painted(canvas, 0, 94, "22:15:11, 10s of 2m00s, 4x");
    assert_painted_row(canvas, 23, "F1 help / find \\ filter t tree F6 sort [ back ] on . step } faster q quit");
}

/* -------------------------------------------------------------------------------------------------- one breaker */

static void test_a_breaker_that_is_open(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const uint32_t db = add("payments/db");
    watched_beat(&fixture.watched, 1000);
    screen_look(&fixture);
    watched_beat(&fixture.watched, 1000);
    watched_totals(&fixture.watched, db,
                   &(struct breaker_totals){.calls = 40, .failures = 7, .timeouts = 2, .opens = 1, .denied = {12, 1}});
    watched_in_flight(&fixture.watched, db, 3);
    watched_calls(&fixture.watched, db, "SSSSSsSSfFFFFF");
    watched_step(&fixture.watched, db, word_open(2, 132000),
                 &(struct transition){.reason = TRIP_REASON_CONSECUTIVE, .by = BY_CLIENT});
    segment_error(segment, &(struct error_record){.breaker = db, .message = "connection refused"});
    segment_detail_error(segment, db,
                         &(struct error_record){.type = TRIP_ERROR_NETWORK, .message = "connection refused"});
    segment->details[db].error_unix_ms = WATCHED_UNIX_MS + 101500;
    screen_look(&fixture);
    watched_at(&fixture.watched, 107000);
    const struct canvas *const canvas = pane('2', 80);
    assert_painted_rows(canvas, BODY,
                        "payments/db  ✖ open for 5.0s: consecutive, by client\n"
                        "next          a probe in 25s; it closes after 3, if they are good\n"
                        "now           40 calls/s, 7 failed/s, 13 denied/s, 3 in flight\n"
                        "in all        40 calls, 7 failed, 2 timeouts, 13 denied; opened 1 time, for 5.0s\n"
                        "last error    network: connection refused, at 2023-11-14 22:15:01.500\n"
                        "settings      of \"*\": opens after 5 failures in a row, next time for 30s\n"
                        "              slow after 1m00s, rates from 10 calls, 1 permit of 10s\n"
                        "\n"
                        "window        the last 14 of 100 calls, 43% failed; the latest is the last\n"
                        "  ·····◷··✖✖✖✖✖✖\n"
                        "\n"
                        "last hour     a column is 46 s; the state in the most trouble of each");
    assert_style(canvas, BODY, 15, STYLE_BAD);
    assert_style(canvas, BODY + 9, 2, STYLE_GOOD);
    assert_style(canvas, BODY + 9, 7, STYLE_PROBED);  /* slow */
    assert_style(canvas, BODY + 9, 10, STYLE_PROBED); /* failed, and slow */
    assert_style(canvas, BODY + 9, 15, STYLE_BAD);
    assert_painted(canvas, BODY + 12, 78, " ✖"); /* it was closed for a part of this column */
    assert_painted_row(canvas, BODY + 13, "");
}

/* A breaker with a story: closed for a while, then open, half-open, and what is asked for. */
static const struct canvas *half_open_pane(void)
{
    const uint32_t db = add("db");
    struct core_state *const core = segment_begin(fixture.watched.segment, db);
    core->head.probe_ok = 1;
    core->head.probe_failures = 1;
    segment_commit(fixture.watched.segment);
    step(db, word_half_open(3, 130000), TRIP_REASON_FAILURE_RATE, BY_DAEMON);
    segment_permits_free_publish(fixture.watched.segment, db, 1, 0);
    return pane('2', 80);
}

static void test_a_breaker_that_is_half_open(void **state)
{
    (void)state;
    assert_painted_rows(half_open_pane(), BODY,
                        "db  ◐ half_open for 0ms: failure_rate, by tripd\n"
                        "probes        1 of 3 good, 1 failed; 1 may start now\n"
                        "in all        0 calls, 0 failed, 0 timeouts, 0 denied; opened 0 times, for 0ms");
}

static void test_a_breaker_that_ramps(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    step(db, word_ramping(3, 250, 0, 1), TRIP_REASON_FAILURE_RATE, BY_DAEMON);
    assert_painted_rows(pane('2', 80), BODY,
                        "db  ◢ ramping for 0ms: failure_rate, by tripd\n"
                        "ramp          admits 25% of the calls, for some time more\n"
                        "in all        0 calls, 0 failed, 0 timeouts, 0 denied; opened 0 times, for 0ms");
    segment_ramp_end_publish(fixture.watched.segment, db, 3, 172000);
    assert_painted_row(pane('2', 80), BODY + 1, "ramp          admits 25% of the calls, for 1m12s more");
}

static void test_a_breaker_that_an_operator_opened_and_forced(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const uint32_t db = add("db");
    watched_step(
        &fixture.watched, db, word_open(2, 400000),
        &(struct transition){.reason = TRIP_REASON_OPERATOR, .by = BY_OPERATOR, .uid = 4000000001, .note = "drill"});
    segment_mode_publish(segment, db, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 3700000, 4000000001, "migration",
                         100000);
    const struct canvas *const canvas = pane('2', 100);
    assert_painted_rows(canvas, BODY,
                        "db  ✖ open for 0ms: operator, by operator uid 4000000001: drill\n"
                        "mode          forced_open, by operator uid 4000000001, for 1h00m more: migration\n"
                        "next          a probe in 1h00m; it closes after 3, if they are good");
    assert_style(canvas, BODY + 1, 14, STYLE_MODED);
}

static void test_a_breaker_that_relapsed_says_which_condition_held(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    watched_step(&fixture.watched, db, word_open(2, 130000),
                 &(struct transition){.reason = TRIP_REASON_RELAPSE, .condition = TRIP_REASON_SLOW_RATE});
    assert_painted_row(pane('2', 80), BODY, "db  ✖ open for 0ms: relapse: slow_rate, by tripd");
}

static void test_a_breaker_that_no_streak_opens(void **state)
{
    (void)state;
    const struct segment_policy policy = {
        .threshold = 0, .slow_after_ns = 1500000000, .permits = 3, .max_wait_ms = 500};
    const uint32_t db = add("db");
    segment_policy_publish(fixture.watched.segment, db, &policy, TRIP_MODE_AUTO, 0);
    segment_detail_match(fixture.watched.segment, db, "d*");
    assert_painted_rows(pane('2', 80), BODY + 2,
                        "settings      of \"d*\": no streak opens it, next time for 30s\n"
                        "              slow after 1.5s, rates from 10 calls, 3 permits of 500ms\n");
}

static void test_a_window_without_calls_has_no_share(void **state)
{
    (void)state;
    add("db");
    const struct canvas *const canvas = pane('2', 80);
    assert_painted_rows(canvas, BODY,
                        "db  ● closed for 0ms\n"
                        "in all        0 calls, 0 failed, 0 timeouts, 0 denied; opened 0 times, for 0ms\n"
                        "settings      of \"*\": opens after 5 failures in a row, next time for 30s\n"
                        "              slow after 1m00s, rates from 10 calls, 1 permit of 10s\n"
                        "\n"
                        "window        the last 0 of 100 calls, - failed; the latest is the last\n"
                        "\n"
                        "last hour     a column is 46 s; the state in the most trouble of each");
}

static void test_a_large_window_shows_the_latest_calls_that_there_is_room_for(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    for (unsigned i = 0; i < 10; i++)
        watched_calls(&fixture.watched, db, "SSSSSSSSSF");
    const struct canvas *canvas = pane('2', 22);
    const int row = painted_find(canvas, "window  ");
    assert_painted_rows(canvas, row + 1,
                        "  ·········✖·········✖\n"
                        "  ·········✖·········✖\n"
                        "  ·········✖·········✖\n"
                        "  ·········✖·········✖\n"
                        "");
    canvas = pane('2', 200);
    assert_painted_rows(canvas, row + 1,
                        "  ·········✖·········✖·········✖·········✖·········✖·········✖·········✖·········✖·········✖"
                        "·········✖\n"
                        "\n");
}

static void test_the_window_in_ascii(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    screen_open(&fixture, &(struct top_options){.named = "web-1", .unchangeable = "a file", .ascii = true});
    watched_calls(&fixture.watched, db, "SFsf");
    const struct canvas *const canvas = pane('2', 80);
    assert_painted_row(canvas, painted_find(canvas, "window  ") + 1, "  .XsX");
    assert_painted_row(canvas, BODY, "db  o closed for 0ms");
}

static void test_a_time_window_has_its_tenths_the_latest_last(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    struct core_state *const core = segment_begin(fixture.watched.segment, db);
    window_init(&core->window, WINDOW_TIME, 100, 20 * TRIP_S);
    segment_commit(fixture.watched.segment);
    watched_calls(&fixture.watched, db, "SSSFFSSS");
    watched_at(&fixture.watched, 102000);
    watched_calls(&fixture.watched, db, "SSs");
    watched_at(&fixture.watched, 106000);
    watched_calls(&fixture.watched, db, "F");
    const struct canvas *const canvas = pane('2', 80);
    const int row = painted_find(canvas, "window  ");
    assert_painted_rows(canvas, row,
                        "window        12 calls in 20s, 25% failed; the latest tenth is the last\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         8 calls, 2 failed, 0 slow\n"
                        "         3 calls, 0 failed, 1 slow\n"
                        "         0 calls, 0 failed, 0 slow\n"
                        "         1 calls, 1 failed, 0 slow\n");
    assert_style(canvas, row + 7, 19, STYLE_BAD);
    assert_style(canvas, row + 8, 29, STYLE_PROBED);
}

/* ----------------------------------------------------------------------------------------------- the last hour */

/* The last hour of a breaker as a text of 60 columns, a minute each. */
static void assert_hour(const char *name, const char *expected)
{
    snprintf(fixture.top->selected, sizeof(fixture.top->selected), "%s", name);
    const struct canvas *const canvas = pane('2', 62);
    const int row = painted_find(canvas, "last hour     a column is 60 s; the state");
    assert_int_not_equal(row, -1);
    assert_painted(canvas, row + 1, 2, expected);
}

#define MINUTE UINT64_C(60000)

static void test_the_last_hour_of_a_breaker_that_opened_twice(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    add("web");
    watched_at(&fixture.watched, 90 * MINUTE);
    step(db, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_at(&fixture.watched, 100 * MINUTE);
    step(db, word_half_open(3, 0), TRIP_REASON_CONSECUTIVE, BY_DAEMON);
    watched_at(&fixture.watched, 102 * MINUTE);
    step(db, word_ramping(4, 100, 0, 1), TRIP_REASON_CONSECUTIVE, BY_DAEMON);
    watched_at(&fixture.watched, 105 * MINUTE);
    step(db, word_closed(5, 0, 1), TRIP_REASON_CONSECUTIVE, BY_DAEMON);
    watched_at(&fixture.watched, 110 * MINUTE);
    step(db, word_open(6, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    step(db, word_closed(7, 0, 1), TRIP_REASON_CONSECUTIVE, BY_OPERATOR); /* at once */
    watched_at(&fixture.watched, 120 * MINUTE);
    assert_hour("db", "●●●●●●●●●●●●●●●●●●●●●●●●●●●●●✖✖✖✖✖✖✖✖✖✖✖◐◐◢◢◢●●●●✖●●●●●●●●●●");
    assert_hour("web", "●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●");
}

static void test_on_a_wide_screen_a_column_is_15_seconds(void **state)
{
    (void)state;
    add("db");
    watched_at(&fixture.watched, 120 * MINUTE);
    const struct canvas *const canvas = pane('2', 300);
    const int row = painted_find(canvas, "last hour     a column is 15 s;");
    assert_painted(canvas, row + 1, 240, "●● ");
}

static void test_before_a_breaker_came_into_being_its_hour_is_empty(void **state)
{
    (void)state;
    watched_at(&fixture.watched, 100 * MINUTE);
    const uint32_t db = add("db");
    add("web");
    watched_at(&fixture.watched, 110 * MINUTE);
    step(db, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_at(&fixture.watched, 120 * MINUTE);
    assert_hour("db", "                                       ●●●●●●●●●●✖✖✖✖✖✖✖✖✖✖✖");
    assert_hour("web", "                                       ●●●●●●●●●●●●●●●●●●●●●");
}

static void test_a_breaker_that_has_been_open_for_longer_than_the_hour(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    watched_at(&fixture.watched, 30 * MINUTE);
    step(db, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_at(&fixture.watched, 120 * MINUTE);
    assert_hour("db", "✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖");
}

static void test_the_hour_of_an_earlier_breaker_of_the_same_name_is_not_its_own(void **state)
{
    (void)state;
    const uint32_t before = add("db");
    watched_at(&fixture.watched, 80 * MINUTE);
    step(before, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_at(&fixture.watched, 90 * MINUTE);
    segment_forget(fixture.watched.segment, before);
    const uint32_t db = add("db");
    watched_at(&fixture.watched, 120 * MINUTE);
    assert_hour("db", "                             ●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●");
    step(db, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    assert_hour("db", "                             ●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●✖");
}

static void test_what_the_ring_of_events_has_lost_is_not_known(void **state)
{
    (void)state;
    const uint32_t db = add("db"), web = add("web");
    step(db, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT); /* which is overwritten */
    watched_at(&fixture.watched, 90 * MINUTE);
    for (unsigned i = 0; i < TRANSITION_RING / 2; i++) {
        step(web, word_open(2, 0), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
        step(web, word_closed(3, 0, 1), TRIP_REASON_CONSECUTIVE, BY_DAEMON);
    }
    watched_at(&fixture.watched, 110 * MINUTE);
    step(db, word_half_open(3, 0), TRIP_REASON_CONSECUTIVE, BY_DAEMON);
    watched_at(&fixture.watched, 120 * MINUTE);
    assert_hour("db", "                             ✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖✖◐◐◐◐◐◐◐◐◐◐");
}

static void test_an_instance_that_is_younger_than_an_hour(void **state)
{
    (void)state;
    add("db"); /* at 100 s */
    watched_at(&fixture.watched, 10 * MINUTE);
    assert_hour("db", "                                                   ●●●●●●●●●");
}

/* -------------------------------------------------------------------------------------- latencies, who reports */

static void test_a_histogram_has_a_line_an_octave(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    segment_latency_put(fixture.watched.segment, db, latency_bucket(300000), 10);
    segment_latency_put(fixture.watched.segment, db, latency_bucket(400000), 70);
    segment_latency_put(fixture.watched.segment, db, latency_bucket(1100000), 20);
    const struct canvas *const canvas = pane('2', 80);
    const int row = painted_find(canvas, "latency  ");
    assert_painted_rows(canvas, row,
                        "latency       of 100 calls: p50 0.401ms, p95 1.08ms, p99 1.08ms\n"
                        "  <     0.5ms ████████████████████████████████████████ 80\n"
                        "  <     1.0ms  0\n"
                        "  <     2.1ms ██████████ 20\n"
                        "\n");
}

static void test_the_shortest_and_the_longest_latencies(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    segment_latency_put(fixture.watched.segment, db, 0, 1);
    segment_latency_put(fixture.watched.segment, db, LATENCY_BUCKETS - 1, 1);
    segment_limits_publish(fixture.watched.segment, db, &(struct policy_slot){0});
    const struct canvas *const canvas = pane('2', 90);
    const int row = painted_find(canvas, "latency  ");
    assert_painted_rows(canvas, row,
                        "latency       of 2 calls: p50 <128ns, p95 >137s, p99 >137s; one call in 16 is timed\n"
                        "  <     256ns ████████████████████████████████████████ 1\n"
                        "  <     512ns  0\n"
                        "  <   0.001ms  0\n");
    assert_painted(canvas, row + 29, 0, "  <     1m08s  0");
    assert_painted(canvas, row + 30, 0, "       longer ████████████████████████████████████████ 1");
}

static void test_who_reports_with_the_most_calls_first(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    struct segment *const segment = fixture.watched.segment;
    segment_client_set(segment, 2, &(struct client_slot){.lane_id = 9, .pid = 4242, .program = "nginx"});
    segment_reporters_show(
        segment, db,
        &(struct reporters_shown){.count = 2,
                                  .lanes = {{.lane = 2, .calls = 900, .failures = 3}, {.lane = 7, .calls = 12}}});
    const struct canvas *const canvas = pane('2', 80);
    const int row = painted_find(canvas, "reported by");
    assert_painted_rows(canvas, row,
                        "reported by   2 processes, those with the most calls first\n"
                        "              lane 2     pid 4242     nginx            900 calls, 3 failed\n"
                        "              lane 7     12 calls, 0 failed\n");
    assert_style(canvas, row + 1, 64, STYLE_BAD);
}

static void test_a_breaker_that_is_forgotten_and_one_that_nobody_chose(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    pane('2', 80);
    segment_forget(fixture.watched.segment, db);
    assert_painted_row(pane('2', 80), BODY, "This breaker is forgotten: it had no calls for long.");
    fixture.top->selected[0] = '\0';
    assert_painted_row(pane('2', 80), BODY, "Choose a breaker in the table: Enter shows it here.");
}

/* ---------------------------------------------------------------------------------------------------- events */

static void test_events_come_the_latest_first(void **state)
{
    (void)state;
    const uint32_t db = add("payments/db");
    assert_painted_row(pane('3', 120), BODY + 1, "nothing has happened yet");
    step(db, word_open(2, 130000), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_at(&fixture.watched, 101500);
    watched_event(&fixture.watched, &(struct transition){.of = OF_MODE,
                                                         .breaker = db,
                                                         .from = TRIP_MODE_AUTO,
                                                         .to = TRIP_MODE_FORCED_OPEN,
                                                         .by = BY_OPERATOR,
                                                         .uid = 4000000001,
                                                         .until_unix_ms = 1700003600000,
                                                         .note = "migration"});
    watched_event(&fixture.watched,
                  &(struct transition){.of = OF_INCIDENT, .breaker = db, .to = INCIDENT_BEGAN, .epoch = 42});
    watched_step(&fixture.watched, db, word_half_open(3, 130000), &(struct transition){.steps = 7});
    watched_step(&fixture.watched, db, word_open(4, 130000),
                 &(struct transition){.reason = TRIP_REASON_RELAPSE, .condition = TRIP_REASON_FAILURES});
    const struct canvas *const canvas = pane('3', 140);
    assert_painted_rows(
        canvas, BODY,
        "WHEN                     BREAKER  WHAT HAPPENED, THE LATEST FIRST\n"
        "2023-11-14 22:15:01.500  payments/db  half_open -> open (relapse: failures), by tripd\n"
        "2023-11-14 22:15:01.500  payments/db  open -> half_open, by tripd, after 7 steps too fast to tell\n"
        "2023-11-14 22:15:01.500  payments/db  incident #42 began\n"
        "2023-11-14 22:15:01.500  payments/db  mode auto -> forced_open until 2023-11-14 23:13:20.000, by operator "
        "uid 4000000001: migration\n"
        "2023-11-14 22:15:00.000  payments/db  closed -> open (consecutive), by client\n");
    assert_style(canvas, BODY + 1, 51, STYLE_BAD);
    assert_style(canvas, BODY + 2, 46, STYLE_PROBED);
    assert_style(canvas, BODY + 4, 51, STYLE_MODED);
}

static void test_the_filter_holds_for_events_and_incidents_stay(void **state)
{
    (void)state;
    const uint32_t db = add("db"), web = add("web");
    step(db, word_open(2, 130000), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    step(web, word_open(2, 130000), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_event(&fixture.watched,
                  &(struct transition){.of = OF_INCIDENT, .breaker = db, .to = INCIDENT_ENDED, .epoch = 7});
    snprintf(fixture.top->filter, sizeof(fixture.top->filter), "web");
    assert_painted_rows(pane('3', 80), BODY + 1,
                        "2023-11-14 22:15:00.000  db  incident #7 ended\n"
                        "2023-11-14 22:15:00.000  web  closed -> open (consecutive), by client\n"
                        "\n");
}

static void test_of_many_events_the_latest_thousand_are_shown(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    for (unsigned i = 0; i < 1500; i++)
        step(db, i % 2 ? word_closed(2, 0, 1) : word_open(2, 130000), TRIP_REASON_CONSECUTIVE, BY_CLIENT);
    watched_at(&fixture.watched, 101000);
    step(db, word_open(2, 130000), TRIP_REASON_FAILURES, BY_DAEMON);
    const struct canvas *const canvas = pane('3', 80);
    assert_int_equal(fixture.top->lines, 1001);
    assert_painted_row(canvas, BODY + 1, "2023-11-14 22:15:01.000  db  closed -> open (failures), by tripd");
    assert_painted_row(canvas, BODY + 2, "2023-11-14 22:15:00.000  db  open -> closed, by client");
}

/* ---------------------------------------------------------------------------------------------------- errors */

/* An error at this moment. */
static void error(const struct error_record *what)
{
    struct segment *const segment = fixture.watched.segment;
    const uint64_t place = segment->correlation->next % segment->header->error_records;
    segment_error(segment, what);
    segment->errors[place].at_unix_ms = WATCHED_UNIX_MS + fixture.watched.now_ms;
}

static void test_errors_by_template_and_the_last_ones(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const uint32_t db = add("payments/db"), api = add("payments/api");
    const uint64_t last_ms = WATCHED_UNIX_MS + 100000;
    assert_painted_rows(pane('4', 120), BODY,
                        "  ERRORS   NOW/S  LAST      TYPE                 BREAKERS; TEMPLATE OF THE MESSAGES\n"
                        "no errors with a message\n"
                        "\n"
                        "WHEN                     BREAKER  ERROR, THE LATEST FIRST\n"
                        "no errors\n");
    assert_int_equal(segment_fingerprints_reserve(segment, 16), 0);
    struct fingerprint entry = {.id = 1,
                                .count = 12,
                                .over = 3,
                                .last_unix_ms = last_ms,
                                .type = TRIP_ERROR_NETWORK,
                                .breakers = {db, api},
                                .names = {fingerprint_name_hash("payments/db"), fingerprint_name_hash("payments/api")},
                                .breaker_count = 2,
                                .text = "connect to <address> failed"};
    segment_fingerprint(segment, 0, &entry);
    entry = (struct fingerprint){.id = 2,
                                 .count = 4711,
                                 .last_unix_ms = last_ms - 60000,
                                 .type = TRIP_ERROR_TIMEOUT,
                                 .breakers = {db},
                                 .names = {fingerprint_name_hash("payments/db")},
                                 .breaker_count = FINGERPRINT_BREAKERS + 1,
                                 .text = "no answer in <n> ms"};
    burst_add(&entry.burst, fixture.watched.now_ms * 1000000, 30);
    segment_fingerprint(segment, 5, &entry);
    segment_chronicle_next(segment)->unclassified = 9;
    segment_chronicle_commit(segment);
    error(&(struct error_record){.breaker = db, .type = TRIP_ERROR_NETWORK, .pid = 4242, .times = 1});
    watched_at(&fixture.watched, 100500);
    error(&(struct error_record){.breaker = api,
                                 .type = TRIP_ERROR_TIMEOUT,
                                 .pid = 17,
                                 .times = 3,
                                 .message = "no answer in 30 ms",
                                 .trace = "4bf92f",
                                 .session = "s-1"});
    const struct canvas *const canvas = pane('4', 120);
    assert_painted_rows(canvas, BODY,
                        "  ERRORS   NOW/S  LAST      TYPE                 BREAKERS; TEMPLATE OF THE MESSAGES\n"
                        "    4711      30  22:14:00  timeout              burst new payments/db, ...\n"
                        "                            no answer in <n> ms\n"
                        "      12       0  22:15:00  network              new payments/db, payments/api  at most 3 of "
                        "these are others\n"
                        "                            connect to <address> failed\n"
                        "       9  without a message, or their text was lost\n"
                        "\n"
                        "WHEN                     BREAKER  ERROR, THE LATEST FIRST\n"
                        "2023-11-14 22:15:00.500  payments/api  timeout 3 times  pid 17  trace 4bf92f  session s-1\n"
                        "                         no answer in 30 ms\n"
                        "2023-11-14 22:15:00.000  payments/db  network  pid 4242\n"
                        "\n");
    assert_style(canvas, BODY + 1, 28, STYLE_BAD);
    assert_style(canvas, BODY + 1, 49, STYLE_ALARM);
    snprintf(fixture.top->filter, sizeof(fixture.top->filter), "*api");
    assert_painted_rows(pane('4', 120), BODY + 1,
                        "      12       0  22:15:00  network              new payments/db, payments/api  at most 3 of "
                        "these are others\n"
                        "                            connect to <address> failed\n"
                        "       9  without a message, or their text was lost\n"
                        "\n"
                        "WHEN                     BREAKER  ERROR, THE LATEST FIRST\n"
                        "2023-11-14 22:15:00.500  payments/api  timeout 3 times  pid 17  trace 4bf92f  session s-1\n"
                        "                         no answer in 30 ms\n"
                        "\n");
}

static void test_a_filter_that_is_a_part_of_a_name_holds_for_templates_too(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const uint32_t db = add("payments/db");
    assert_int_equal(segment_fingerprints_reserve(segment, 16), 0);
    segment_fingerprint(segment, 0,
                        &(struct fingerprint){.id = 1,
                                              .count = 12,
                                              .breakers = {db},
                                              .names = {fingerprint_name_hash("payments/db")},
                                              .breaker_count = 1,
                                              .text = "refused"});
    snprintf(fixture.top->filter, sizeof(fixture.top->filter), "ments");
    assert_int_not_equal(painted_find(pane('4', 120), "refused"), -1);
    snprintf(fixture.top->filter, sizeof(fixture.top->filter), "mail");
    assert_nowhere(pane('4', 120), "refused");
    fixture.top->filter[0] = '\0';
    screen_open(&fixture, &(struct top_options){.named = "web-1",
                                                .unchangeable = "a file",
                                                .patterns = (char *const[]){"mail", "web*", NULL}});
    assert_nowhere(pane('4', 120), "refused");
}

static void test_an_error_text_cannot_reach_the_terminal(void **state)
{
    (void)state;
    const uint32_t db = add("db");
    error(&(struct error_record){.breaker = db, .message = "\033]0;owned\007\xff\xc2\x9b\xe2\x80\xae!"});
    const struct canvas *const canvas = pane('4', 80);
    for (int row = 0; row < canvas->rows; row++)
        for (int column = 0; column < canvas->columns; column++) {
            const wchar_t character = painted_cell(canvas, row, column)->character;
            assert_true(character == 0 || (character >= ' ' && (character < 0x7f || character > 0x9f)));
            assert_int_not_equal(character, 0x202e);
        }
    assert_int_not_equal(painted_find(canvas, "]0;owned"), -1);
}

/* -------------------------------------------------------------------------------------------------- incidents */

static unsigned add_name(struct incident *incident, const char *name)
{
    const unsigned at = incident->names_used;
    memcpy(incident->names + at, name, strlen(name) + 1);
    incident->names_used = (uint16_t)(at + strlen(name) + 1);
    return at;
}

static void add_member(struct incident *incident, const char *name, const struct incident_member *what)
{
    struct incident_member *const member = &incident->members[incident->member_count++];
    *member = *what;
    member->name = (uint16_t)add_name(incident, name);
}

/* Three breakers: payments/db led. */
static struct incident cascade(void)
{
    struct incident incident = {.id = 42,
                                .start_ms = 40000,
                                .start_unix_ms = WATCHED_UNIX_MS + 40000,
                                .errors = 4711,
                                .fingerprint = 1,
                                .fingerprint_errors = 4000,
                                .deploy_unix_ms = WATCHED_UNIX_MS + 10000,
                                .evidence = 1 << EVIDENCE_FIRST | 1 << EVIDENCE_DEPENDED_ON,
                                .confidence = 812,
                                .candidate = 1,
                                .members_more = 2,
                                .moments_more = 5,
                                .fingerprint_text = "connect to <address> failed",
                                .deploy = "v42"};
    add_member(&incident, "web",
               &(struct incident_member){
                   .onset_ms = 4200, .opened_ms = INCIDENT_NEVER, .closed_ms = INCIDENT_NEVER, .errors = 1});
    add_member(&incident, "payments/db",
               &(struct incident_member){.opened_ms = 1200,
                                         .closed_ms = INCIDENT_NEVER,
                                         .errors = 4000,
                                         .opens = 2,
                                         .reason = TRIP_REASON_CONSECUTIVE});
    add_member(&incident, "payments/api",
               &(struct incident_member){.onset_ms = 900,
                                         .opened_ms = 2500,
                                         .closed_ms = 59000,
                                         .errors = 700,
                                         .opens = 1,
                                         .reason = TRIP_REASON_FAILURE_RATE});
    incident.moment_count = 3;
    incident.moments[0] = (struct incident_moment){.kind = MOMENT_JOINED, .member = 1};
    incident.moments[1] = (struct incident_moment){.at_ms = 1200,
                                                   .kind = MOMENT_ACT,
                                                   .member = 1,
                                                   .from_to = TRIP_STATE_CLOSED << 4 | TRIP_STATE_OPEN,
                                                   .by = BY_OPERATOR,
                                                   .uid = 4000000001};
    incident.moments[2] = (struct incident_moment){.at_ms = 59000, .kind = MOMENT_ENDED, .member = INCIDENT_NOBODY};
    return incident;
}

static void test_an_incident_is_a_tree_with_its_cause_at_the_root(void **state)
{
    (void)state;
    add("db");
    assert_painted_rows(pane('5', 120), BODY, "WHAT FAILED TOGETHER, THE LATEST FIRST\nno incidents\n");
    const struct incident incident = cascade();
    segment_incident(fixture.watched.segment, &incident);
    const struct canvas *const canvas = pane('5', 120);
    assert_painted_row(canvas, 3, "1 incident: #42 for 1m00s, 3 breakers, payments/db led (81%)");
    assert_painted_rows(canvas, BODY,
                        "WHAT FAILED TOGETHER, THE LATEST FIRST\n"
                        "#42  2023-11-14 22:14:00.000  goes on for 1m00s, 4711 errors\n"
                        "  payments/db  failed +0ms, 4000 errors, opened +1.2s (consecutive)\n"
                        "     likely the cause (81%): it failed first and is one that others of them depend on\n"
                        "  ├─ web  failed +4.2s, 1 error\n"
                        "  └─ payments/api  failed +900ms, 700 errors, opened +2.5s (failure_rate), closed +59s\n"
                        "     and 2 more\n"
                        "     connect to <address> failed\n"
                        "     deploy v42 30s before\n"
                        "     22:14:00  payments/db: joined\n"
                        "     22:14:01  payments/db: act closed -> open, by operator uid 4000000001\n"
                        "     22:14:59  ended\n"
                        "     and 5 more\n"
                        "\n");
    assert_style(canvas, 3, 0, STYLE_BAD);
    assert_style(canvas, BODY + 1, 30, STYLE_BAD);
}

static void test_incidents_that_are_over_and_without_a_cause(void **state)
{
    (void)state;
    add("db");
    struct incident incident = {.id = 7,
                                .start_ms = 1000,
                                .start_unix_ms = WATCHED_UNIX_MS + 1000,
                                .end_ms = 61000,
                                .end_unix_ms = WATCHED_UNIX_MS + 61000,
                                .errors = 1,
                                .candidate = INCIDENT_NOBODY};
    add_member(&incident, "web",
               &(struct incident_member){.opened_ms = INCIDENT_NEVER, .closed_ms = INCIDENT_NEVER, .errors = 1});
    segment_incident(fixture.watched.segment, &incident);
    incident = cascade();
    incident.id = 70; /* in the place before */
    incident.candidate = INCIDENT_NOBODY;
    incident.moment_count = 0;
    segment_incident(fixture.watched.segment, &incident);
    const struct canvas *const canvas = pane('5', 120);
    assert_painted_row(canvas, 3, "1 incident: #70 for 1m00s, 3 breakers");
    assert_painted_rows(canvas, BODY + 1,
                        "#70  2023-11-14 22:14:00.000  goes on for 1m00s, 4711 errors\n"
                        "  ├─ web  failed +4.2s, 1 error\n"
                        "  ├─ payments/db  failed +0ms, 4000 errors, opened +1.2s (consecutive)\n"
                        "  └─ payments/api  failed +900ms, 700 errors, opened +2.5s (failure_rate), closed +59s\n"
                        "     and 2 more\n"
                        "     connect to <address> failed\n"
                        "     deploy v42 30s before\n"
                        "     and 5 more\n"
                        "\n"
                        "#7  2023-11-14 22:13:21.000  lasted 1m00s, 1 error\n"
                        "  └─ web  failed +0ms, 1 error\n"
                        "\n");
    assert_style(canvas, BODY + 10, 29, STYLE_GOOD);
}

static void test_the_latest_of_several_open_incidents_is_in_the_header(void **state)
{
    (void)state;
    add("db");
    struct incident incident = cascade();
    segment_incident(fixture.watched.segment, &incident);
    incident.id = 65; /* in the place before */
    incident.start_ms = 95000;
    incident.member_count = 1;
    incident.candidate = 0;
    segment_incident(fixture.watched.segment, &incident);
    assert_painted_row(pane('1', 120), 3, "2 incidents: #65 for 5.0s, 1 breaker, web led (81%)");
}

static void test_an_incident_in_ascii(void **state)
{
    (void)state;
    add("db");
    screen_open(&fixture, &(struct top_options){.named = "web-1", .unchangeable = "a file", .ascii = true});
    const struct incident incident = cascade();
    segment_incident(fixture.watched.segment, &incident);
    const struct canvas *const canvas = pane('5', 120);
    assert_painted(canvas, BODY + 4, 0, "  |- web  failed +4.2s, 1 error");
    assert_painted(canvas, BODY + 5, 0, "  `- payments/api  failed +900ms");
}

/* ---------------------------------------------------------------------------------------------------- clients */

static void test_attached_processes(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    add("db");
    assert_painted_rows(pane('6', 120), BODY,
                        " LANE      PID  USER            PROGRAM           BREAKERS  ATTACHED\n"
                        "no clients\n");
    segment_client_set(
        segment, 1,
        &(struct client_slot){
            .lane_id = 9, .attached_unix_ms = WATCHED_UNIX_MS, .pid = 4242, .uid = 0, .meters = 2, .program = "nginx"});
    segment_client_set(segment, 3,
                       &(struct client_slot){.lane_id = 10,
                                             .attached_unix_ms = WATCHED_UNIX_MS + 1000,
                                             .pid = 4194304,
                                             .uid = 4000000001,
                                             .detached = 1,
                                             .meters = 131072,
                                             .program = "a-long-program-name-xyz",
                                             .lost = 17});
    const struct canvas *const canvas = pane('6', 120);
    assert_painted_row(canvas, 0,
                       "tripd web-1  up 0ms, heartbeat 300ms ago  2 processes" //
                       "                                                           22:15:00");
    assert_painted_rows(
        canvas, BODY + 1,
        "    1     4242  root            nginx                    2  2023-11-14 22:13:20\n"
        "    3  4194304  uid 4000000001  a-long-program-name-xyz    131072  2023-11-14 22:13:21  detached  17 outcomes "
        "lost\n"
        "\n");
    assert_style(canvas, BODY + 2, 86, STYLE_MODED);
}

/* ----------------------------------------------------------------------------------------------------- limits */

static void test_limits_with_who_holds_them(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const uint32_t db = add("payments/db");
    add("web");
    assert_painted_rows(pane('7', 120), BODY,
                        "LIMITS AND RETRY BUDGETS, AND WHO HOLDS THEM\n"
                        "no breaker has a limit, or has seen a retry\n");
    struct policy_slot policy = {.limits = POLICY_TICKETS | POLICY_RATE | POLICY_THROTTLE | POLICY_TIMED,
                                 .tickets = 10,
                                 .tickets_highest = 10,
                                 .admit_permille = 905};
    policy.rate_step = 10000000; /* a call in 10 ms */
    policy.rate_shares[TRIP_PRIORITY_CRITICAL] = 19 * policy.rate_step;
    segment_limits_publish(segment, db, &policy);
    segment_client_set(segment, 2, &(struct client_slot){.lane_id = 9, .pid = 4242, .program = "nginx"});
    const struct limits_shown shown = {.tickets_taken = 7,
                                       .tickets_max = 20,
                                       .budget = 12000,
                                       .rate_free = 3,
                                       .rate_limit = 100,
                                       .rate_per_ms = 1000,
                                       .holders = {{2, 4}, {5, 2}, {TICKET_LEASE, 1}}};
    segment_limits_show(segment, db, &shown);
    struct breaker_totals totals = {.retries = 44, .retries_refused = 6};
    totals.denied[denial_of(TRIP_DENY_CONCURRENCY)] = 11;
    totals.denied[denial_of(TRIP_DENY_RATE)] = 12;
    totals.denied[denial_of(TRIP_DENY_SHED)] = 13;
    totals.denied[denial_of(TRIP_DENY_DEADLINE)] = 14;
    watched_totals(&fixture.watched, db, &totals);
    assert_painted_rows(pane('7', 120), BODY + 1,
                        "payments/db\n"
                        "  concurrency   ██████████████░░░░░░ 7 of 10 tickets taken, 20 at most; 11 rejected\n"
                        "                    4  by nginx, pid 4242\n"
                        "                    2  by lane 5\n"
                        "                    1  without a lane\n"
                        "  rate          █████████████████░░░ 3 of 20 free, 100 in 1.0s; 12 rejected\n"
                        "  throttle      admits 90.5%; 13 shed\n"
                        "  retries       12 more are paid for; 44 were, 6 refused\n"
                        "  deadlines     14 calls not sent: their deadline had passed\n"
                        "\n");
}

static void test_limits_of_a_hidden_breaker_are_shown_where_it_is_asked_for(void **state)
{
    (void)state;
    const uint32_t old = add("old");
    segment_limits_publish(fixture.watched.segment, old,
                           &(struct policy_slot){.limits = POLICY_TICKETS, .tickets = 4, .tickets_highest = 4});
    segment_detail_hidden(fixture.watched.segment, old, 90000);
    assert_painted_row(pane('7', 80), BODY + 1, "no breaker has a limit, or has seen a retry");
    snprintf(fixture.top->filter, sizeof(fixture.top->filter), "ol");
    assert_painted_rows(pane('7', 80), BODY + 1,
                        "old\n"
                        "  concurrency   ░░░░░░░░░░░░░░░░░░░░ 0 of 4 tickets taken, 0 at most; 0 rejected\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_header_of_a_tripd_that_runs),
        TEST(test_rates_that_nobody_knows_yet),
        TEST(test_a_time_that_there_is_no_room_for_is_left_out),
        TEST(test_a_tripd_that_does_not_run_is_said_first),
        TEST(test_before_there_is_a_segment_it_is_said_what_is_waited_for),
        TEST(test_the_header_says_what_errors_have_in_common),
        TEST(test_each_state_that_there_is_has_a_place_in_the_bar),
        TEST(test_breakers_that_are_not_in_mode_auto_are_counted),
        TEST(test_a_recording_says_where_it_is_in_place_of_the_time),
        TEST(test_a_breaker_that_is_open),
        TEST(test_a_breaker_that_is_half_open),
        TEST(test_a_breaker_that_ramps),
        TEST(test_a_breaker_that_an_operator_opened_and_forced),
        TEST(test_a_breaker_that_relapsed_says_which_condition_held),
        TEST(test_a_breaker_that_no_streak_opens),
        TEST(test_a_window_without_calls_has_no_share),
        TEST(test_a_large_window_shows_the_latest_calls_that_there_is_room_for),
        TEST(test_the_window_in_ascii),
        TEST(test_a_time_window_has_its_tenths_the_latest_last),
        TEST(test_the_last_hour_of_a_breaker_that_opened_twice),
        TEST(test_on_a_wide_screen_a_column_is_15_seconds),
        TEST(test_before_a_breaker_came_into_being_its_hour_is_empty),
        TEST(test_a_breaker_that_has_been_open_for_longer_than_the_hour),
        TEST(test_the_hour_of_an_earlier_breaker_of_the_same_name_is_not_its_own),
        TEST(test_what_the_ring_of_events_has_lost_is_not_known),
        TEST(test_an_instance_that_is_younger_than_an_hour),
        TEST(test_a_histogram_has_a_line_an_octave),
        TEST(test_the_shortest_and_the_longest_latencies),
        TEST(test_who_reports_with_the_most_calls_first),
        TEST(test_a_breaker_that_is_forgotten_and_one_that_nobody_chose),
        TEST(test_events_come_the_latest_first),
        TEST(test_the_filter_holds_for_events_and_incidents_stay),
        TEST(test_of_many_events_the_latest_thousand_are_shown),
        TEST(test_errors_by_template_and_the_last_ones),
        TEST(test_a_filter_that_is_a_part_of_a_name_holds_for_templates_too),
        TEST(test_an_error_text_cannot_reach_the_terminal),
        TEST(test_an_incident_is_a_tree_with_its_cause_at_the_root),
        TEST(test_incidents_that_are_over_and_without_a_cause),
        TEST(test_the_latest_of_several_open_incidents_is_in_the_header),
        TEST(test_an_incident_in_ascii),
        TEST(test_attached_processes),
        TEST(test_limits_with_who_holds_them),
        TEST(test_limits_of_a_hidden_breaker_are_shown_where_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, painted_set_up, NULL);
}
