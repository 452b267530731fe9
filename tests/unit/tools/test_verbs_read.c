/* The verbs that look, over a forged segment: what an operator reads, what programs read, and the exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "../../support/segment_dir.h"
#include "../daemon/capture.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "verbs.h"

#define AT_UNIX_MS 1700000095000
#define NOT_HERE   "tripctl: tripd does not run; this is its last state\n"

static struct {
    struct segment_dir dir;
    struct segment *segment;
    char copy[128];
} fixture;

static char said[CAPTURE_MAX];

static uint32_t add(const char *name, uint64_t word, trip_reason reason)
{
    static const struct segment_policy policy = {
        .threshold = 5, .slow_after_ns = 60000000000, .permits = 1, .max_wait_ms = 10000, .longest_ms = 330000};
    struct breaker_settings settings;
    uint32_t slot;
    breaker_settings_defaults(&settings);
    assert_int_equal(segment_take(fixture.segment, name, 0, &slot), 0);
    struct core_state *core = segment_begin(fixture.segment, slot);
    core_init(core, &settings, 0);
    core->head.totals = (struct breaker_totals){.calls = 20, .ok = 14, .failures = 6, .denied = {3}};
    core->head.window_calls = 16;
    core->head.window_failures = 6;
    segment_commit(fixture.segment);
    segment_policy_publish(fixture.segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_next_open_publish(fixture.segment, slot, 30000, 330000);
    segment_limits_publish(fixture.segment, slot, &(struct policy_slot){.limits = POLICY_TIMED});
    segment_mirror(fixture.segment, slot, word);
    segment_detail_state(fixture.segment, slot, reason, 95000, 125000);
    segment_detail_match(fixture.segment, slot, "*");
    fixture.segment->details[slot].since_unix_ms = AT_UNIX_MS;
    fixture.segment->details[slot].created_unix_ms = AT_UNIX_MS;
    segment_name_publish(fixture.segment, slot);
    return slot;
}

static void add_event(uint32_t slot, uint64_t at_ms, const struct transition *transition)
{
    const uint64_t index = fixture.segment->header->transition_next;
    struct transition event = *transition;
    event.breaker = slot;
    segment_transition(fixture.segment, &event, at_ms);
    fixture.segment->transitions[index].at_unix_ms = AT_UNIX_MS + index;
}

/* payments/a is open for 25 s more, payments/b closed, and shadow by pattern binds what begins with x. */
static int set_up(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    segment_dir_make(&fixture.dir);
    setenv("TRIP_RUNTIME_DIR", fixture.dir.dir, 1); /* nobody listens there */
    fixture.segment = segment_dir_create(&fixture.dir, 8, 4);
    snprintf(fixture.copy, sizeof(fixture.copy), "%s/copy", fixture.dir.dir);
    segment_test_now(fixture.segment, 100000000000);
    const uint32_t b = add("payments/b", word_closed(3, 2, 1), TRIP_REASON_NONE);
    const uint32_t a = add("payments/a", word_open(7, 125000), TRIP_REASON_CONSECUTIVE);
    add_event(b, 94000,
              &(struct transition){.to = TRIP_STATE_OPEN,
                                   .reason = TRIP_REASON_OPERATOR,
                                   .by = BY_OPERATOR,
                                   .uid = 4000000001,
                                   .note = "drill"});
    add_event(a, 95000,
              &(struct transition){.to = TRIP_STATE_OPEN, .reason = TRIP_REASON_CONSECUTIVE, .by = BY_CLIENT});
    segment_pattern_set(fixture.segment, "x*", TRIP_MODE_SHADOW, 160000, 4000000001, "trial", 100000);
    const struct client_slot client = {
        .lane_id = 9, .attached_unix_ms = AT_UNIX_MS, .pid = 4242, .uid = 4000000001, .meters = 2, .program = "nginx"};
    segment_client_set(fixture.segment, 1, &client);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_unmap(fixture.segment);
    segment_dir_remove(&fixture.dir);
    unsetenv("TRIP_RUNTIME_DIR");
    return 0;
}

static int run(verb_fn *verb, const char *operand, unsigned given)
{
    const struct arguments arguments = {
        .operand = operand, .instance = "test", .given = given, .segment = fixture.copy};
    struct capture capture;
    capture_begin(&capture);
    const int status = verb(&arguments);
    capture_end(&capture, said);
    return status;
}

static void copy_segment(size_t size)
{
    segment_dir_copy(fixture.segment, fixture.copy, size);
}

static void test_list_shows_what_a_dead_tripd_left(void **state)
{
    (void)state;
    assert_int_equal(run(verb_list, NULL, OPTION_NONE), EXIT_DONE);
    assert_string_equal(said, NOT_HERE "STATE    BREAKER     WHY           FOR   PROBE  FAILED  SLOW  CALLS  BY\n"
                                       "open?    payments/a  consecutive  5.0s  in 25s   37.5%  0.0%     16  -\n"
                                       "closed?  payments/b  -            5.0s       -   37.5%  0.0%     16  -\n"
                                       "\n"
                                       "modes by pattern, for breakers to come too:\n"
                                       "PATTERN  MODE    ENDS      BY              REASON\n"
                                       "x*       shadow  in 1m00s  uid 4000000001  trial\n");
}

static void test_a_hidden_breaker_is_counted_and_listed_where_it_is_asked_for(void **state)
{
    (void)state;
    uint32_t slot;
    assert_int_equal(segment_find(fixture.segment, "payments/b", &slot), 0);
    segment_detail_hidden(fixture.segment, slot, 90000);
    assert_int_equal(run(verb_list, NULL, OPTION_NONE), EXIT_DONE);
    assert_null(strstr(said, "payments/b"));
    assert_non_null(strstr(said, "\n1 more had no call for their forget_after: `tripctl list '*'` shows them too\n"));
    assert_int_equal(run(verb_list, "*", OPTION_NONE), EXIT_DONE);
    assert_non_null(strstr(said, "payments/b"));
    assert_int_equal(run(verb_list, NULL, OPTION_JSON), EXIT_DONE);
    assert_null(strstr(said, "payments/b"));
}

static void test_a_copy_in_a_file_is_shown_alike(void **state)
{
    (void)state;
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_list, "*/a", OPTION_SEGMENT), EXIT_DONE);
    assert_string_equal(said, "STATE  BREAKER     WHY           FOR   PROBE  FAILED  SLOW  CALLS  BY\n"
                              "open?  payments/a  consecutive  5.0s  in 25s   37.5%  0.0%     16  -\n");
}

static void test_list_as_json(void **state)
{
    (void)state;
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_list, "*b", OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_string_equal(
        said, "{\"breakers\":[{\"breaker\":\"payments/b\",\"state\":\"closed\",\"mode\":\"auto\",\"reason\":\"none\","
              "\"by\":\"tripd\",\"uid\":null,\"note\":null,\"since_unix_ms\":1700000095000,\"state_for_ms\":5000,"
              "\"window\":{\"calls\":16,\"ok\":10,\"failures\":6,"
              "\"slow\":0,\"failure_rate\":37.5,\"slow_rate\":0.0},\"consecutive_failures\":2,\"retry_after_ms\":0,"
              "\"permits_free\":0,\"ramp\":null,\"mode_owner\":null,\"mode_reason\":null,\"mode_ttl_ms\":null,\"mode_"
              "uid\":null,\"hidden\":false,\"certain\":false,\"daemon\":\"gone\",\"as_of_ms\":0,"
              "\"user\":null,\"mode_user\":null}],"
              "\"patterns\":[],\"hidden\":0}\n");
}

static void test_show_begins_with_state_and_reason(void **state)
{
    (void)state;
    static const char begin[] = "payments/a: open?, consecutive, for 5.0s, since 2023-11-14 22:14:55.000\n"
                                "  next probe  in 25s\n"
                                "  mode        auto\n"
                                "  window      16 calls: 10 ok, 6 failed (37.5%), 0 slow (0.0%)\n";
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_show, "payments/a", OPTION_SEGMENT), EXIT_DONE);
    assert_memory_equal(said, begin, sizeof(begin) - 1);
    assert_int_equal(run(verb_show, "payments/a", OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_ptr_equal(strstr(said, "{\"t_ms\":100000,\"event\":\"show\",\"breaker\":\"payments/a\",\"state\":\"open\","),
                     said);
}

static void test_users_have_their_names_beside_their_numbers(void **state)
{
    (void)state;
    struct client_slot client = {.lane_id = 9, .attached_unix_ms = AT_UNIX_MS, .pid = 4242, .program = "nginx"};
    segment_client_set(fixture.segment, 2, &client); /* of user 0, whom each host has */
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_clients, NULL, OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_non_null(strstr(said, "\"uid\":4000000001,\"program\":\"nginx\""));
    assert_non_null(strstr(said, "\"user\":null}"));
    assert_non_null(strstr(said, "\"user\":\"root\"}"));
    assert_int_equal(run(verb_list, "none*", OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_int_equal(run(verb_list, "x*", OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_non_null(strstr(said, "\"uid\":4000000001,\"reason\":\"trial\",\"user\":null}]"));
    segment_mode_publish(fixture.segment, 0, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 0, 0, "migration", 100000);
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_list, "payments/b", OPTION_SEGMENT), EXIT_DONE);
    assert_non_null(strstr(said, "operator root: migration\n"));
}

static void test_show_of_an_unknown_breaker(void **state)
{
    (void)state;
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_show, "payments/c", OPTION_SEGMENT), EXIT_REFUSED);
    assert_string_equal(said, "tripctl: no breaker is named payments/c; `tripctl list` shows those that there are\n");
}

static void test_events_oldest_first(void **state)
{
    (void)state;
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_events, NULL, OPTION_SEGMENT), EXIT_DONE);
    assert_string_equal(said, "2023-11-14 22:14:55.000  payments/b: closed -> open (operator), by operator uid "
                              "4000000001: drill\n"
                              "2023-11-14 22:14:55.001  payments/a: closed -> open (consecutive), by client\n");
    assert_int_equal(run(verb_events, "*a", OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_string_equal(said,
                        "{\"events\":[{\"sequence\":2,\"t_ms\":95000,\"at_unix_ms\":1700000095001,\"breaker\":"
                        "\"payments/a\",\"event\":\"transition\",\"from\":\"closed\",\"to\":\"open\",\"reason\":"
                        "\"consecutive\",\"by\":\"client\",\"uid\":null,\"note\":null,\"steps\":1,\"user\":null}]}\n");
}

static void test_clients_and_status(void **state)
{
    (void)state;
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_clients, NULL, OPTION_SEGMENT), EXIT_DONE);
    assert_string_equal(said, "LANE   PID  USER            PROGRAM  ATTACHED                 BREAKERS\n"
                              "   1  4242  uid 4000000001  nginx    2023-11-14 22:14:55.000         2\n");
    assert_int_equal(run(verb_status, NULL, OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_non_null(strstr(said, "\"daemon\":\"gone\""));
    assert_non_null(strstr(said, "\"clock\":\"test\",\"timer\":\"test\",\"now_ms\":100000,"));
    assert_non_null(strstr(said, "\"not_auto\":0,\"closed\":1,\"open\":1,\"half_open\":0,\"ramping\":0}"));
}

#define NO_CHANGE "tripctl: no change of none is known\n"

static void test_a_clean_stop_is_told_from_a_death(void **state)
{
    (void)state;
    segment_heartbeat(fixture.segment);
    assert_int_equal(run(verb_events, "none", OPTION_NONE), EXIT_DONE);
    assert_string_equal(said, "tripctl: tripd runs, but its socket is not where it is looked for; the newest calls may "
                              "be missing\n" NO_CHANGE);
    fixture.segment->header->heartbeat_mono_ns -= 3100000000;
    assert_int_equal(run(verb_events, "none", OPTION_NONE), EXIT_DONE);
    assert_string_equal(said, "tripctl: tripd is dead, and was not stopped; this is its last state, and clients go on "
                              "without it\n" NO_CHANGE);
    segment_stopped(fixture.segment);
    assert_int_equal(run(verb_events, "none", OPTION_NONE), EXIT_DONE);
    assert_string_equal(said, "tripctl: tripd was stopped; this is its last state\n" NO_CHANGE);
}

/* A socket that nobody accepts at: of a dead tripd while nobody listens, of a stalled one while somebody does. */
static int bind_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/test.sock", fixture.dir.dir);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (const struct sockaddr *)&address, sizeof(address)), errno);
    return fd;
}

static void test_a_dead_tripd_is_told_from_a_stalled_one(void **state)
{
    (void)state;
    const int fd = bind_socket();
    segment_heartbeat(fixture.segment);
    assert_int_equal(run(verb_clients, NULL, OPTION_NONE), EXIT_DONE);
    assert_ptr_equal(strstr(said, "tripctl: tripd is dead, and was not stopped;"), said);
    assert_int_equal(run(verb_status, NULL, OPTION_JSON), EXIT_DONE);
    assert_non_null(strstr(said, "\"daemon\":\"dead\""));
    assert_return_code(listen(fd, 8), errno);
    assert_int_equal(run(verb_clients, NULL, OPTION_NONE), EXIT_DONE);
    assert_ptr_equal(strstr(said, "tripctl: tripd runs but did not answer; the newest calls may be missing\n"), said);
    fixture.segment->header->heartbeat_mono_ns -= 3100000000;
    assert_int_equal(run(verb_clients, NULL, OPTION_NONE), EXIT_DONE);
    assert_ptr_equal(strstr(said, "tripctl: tripd has no heartbeat;"), said);
    assert_int_equal(run(verb_status, NULL, OPTION_JSON), EXIT_DONE);
    assert_non_null(strstr(said, "\"daemon\":\"stalled\""));
    close(fd);
}

static void test_a_pattern_without_a_match_is_reported(void **state)
{
    (void)state;
    static const char nothing[] = "tripctl: no breaker matches %s; `tripctl list` shows those that there are\n";
    char expected[256];
    copy_segment(fixture.segment->size);
    snprintf(expected, sizeof(expected), nothing, "nosuch");
    assert_int_equal(run(verb_list, "nosuch", OPTION_SEGMENT), EXIT_REFUSED);
    assert_non_null(strstr(said, expected));
    snprintf(expected, sizeof(expected), nothing, "nosuch*");
    assert_int_equal(run(verb_list, "nosuch*", OPTION_SEGMENT), EXIT_DONE);
    assert_non_null(strstr(said, expected));
    assert_int_equal(run(verb_list, "x*", OPTION_SEGMENT), EXIT_DONE); /* a pattern that an operator set */
    assert_null(strstr(said, "matches"));
}

static void test_list_ends_with_what_did_not_fit(void **state)
{
    (void)state;
    fixture.segment->header->overflow = 2;
    copy_segment(fixture.segment->size);
    assert_int_equal(run(verb_list, "payments/*", OPTION_SEGMENT), EXIT_DONE);
    assert_non_null(strstr(said, "\n\n2 times limits.max_breakers, which is 8, was used up: raise it\n"));
    assert_int_equal(run(verb_list, "payments/*", OPTION_SEGMENT | OPTION_JSON), EXIT_DONE);
    assert_null(strstr(said, "used up"));
}

static void test_no_segment_is_no_daemon(void **state)
{
    (void)state;
    char expected[512];
    assert_int_equal(unlink(fixture.dir.path), 0);
    assert_int_equal(run(verb_list, NULL, OPTION_NONE), EXIT_NO_DAEMON);
    snprintf(
        expected, sizeof(expected),
        "tripctl: no tripd has run as instance test: there is no state segment %s; add --user for one of your own, or "
        "set TRIP_SHM_DIR if its tripd has it\n",
        fixture.dir.path);
    assert_string_equal(said, expected);
    assert_int_equal(run(verb_status, NULL, OPTION_NONE), EXIT_NO_DAEMON);
}

static void test_a_file_that_is_none_is_refused(void **state)
{
    (void)state;
    char expected[256];
    assert_int_equal(run(verb_list, NULL, OPTION_SEGMENT), EXIT_REFUSED);
    snprintf(expected, sizeof(expected), "tripctl: %s: No such file or directory\n", fixture.copy);
    assert_string_equal(said, expected);
    copy_segment(100);
    assert_int_equal(run(verb_list, NULL, OPTION_SEGMENT), EXIT_REFUSED);
    snprintf(expected, sizeof(expected), "tripctl: %s is no state segment of tripd: it is too short\n", fixture.copy);
    assert_string_equal(said, expected);
}

static void test_nothing_follows_in_a_file(void **state)
{
    (void)state;
    assert_int_equal(run(verb_events, NULL, OPTION_SEGMENT | OPTION_FOLLOW), EXIT_USAGE);
    assert_string_equal(said, "tripctl: nothing new comes in a file: leave out --follow or --segment\n");
}

static int run_wait(const char *operand, trip_state wanted, uint64_t timeout_ms, unsigned given)
{
    const struct arguments arguments = {.operand = operand,
                                        .instance = "test",
                                        .given = given | OPTION_STATE,
                                        .state = wanted,
                                        .timeout_ms = timeout_ms};
    struct capture capture;
    capture_begin(&capture);
    const int status = verb_wait(&arguments);
    capture_end(&capture, said);
    return status;
}

static void test_wait_ends_at_once_in_the_wanted_state(void **state)
{
    (void)state;
    assert_int_equal(run_wait("payments/a", TRIP_STATE_OPEN, 60000, OPTION_NONE), EXIT_DONE);
    assert_string_equal(said, NOT_HERE "payments/a is open\n");
    assert_int_equal(run_wait("payments/b", TRIP_STATE_CLOSED, 60000, OPTION_JSON), EXIT_DONE);
    assert_non_null(strstr(said, "{\"breaker\":\"payments/b\",\"state\":\"closed\",\"reached\":true,\"waited_ms\":"));
}

static void test_wait_names_the_state_that_it_saw_instead(void **state)
{
    (void)state;
    assert_int_equal(run_wait("payments/a", TRIP_STATE_CLOSED, 1, OPTION_NONE), EXIT_REFUSED);
    assert_non_null(strstr(said, "tripctl: payments/a is open, not closed, after "));
    assert_int_equal(run_wait("payments/a", TRIP_STATE_HALF_OPEN, 1, OPTION_JSON), EXIT_REFUSED);
    assert_non_null(strstr(said, "{\"breaker\":\"payments/a\",\"state\":\"open\",\"reached\":false,\"waited_ms\":"));
    assert_int_equal(run_wait("payments/c", TRIP_STATE_CLOSED, 1, OPTION_NONE), EXIT_REFUSED);
    assert_non_null(strstr(said, "tripctl: no breaker is named payments/c after "));
    assert_int_equal(run_wait("payments/c", TRIP_STATE_CLOSED, 1, OPTION_JSON), EXIT_REFUSED);
    assert_non_null(strstr(said, "{\"breaker\":\"payments/c\",\"state\":null,\"reached\":false,"));
}

static void *add_ramping(void *unused)
{
    (void)unused;
    add("payments/c", word_ramping(3, 250, 0, 1), TRIP_REASON_NONE);
    return NULL;
}

static void test_wait_sees_a_breaker_that_comes_while_it_waits(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, add_ramping, NULL), 0);
    assert_int_equal(run_wait("payments/c", TRIP_STATE_RAMPING, 60000, OPTION_NONE), EXIT_DONE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(said, NOT_HERE "payments/c is ramping\n");
}

static void test_wait_without_a_state_is_wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(run(verb_wait, "payments/a", OPTION_NONE), EXIT_USAGE);
    assert_string_equal(said, "tripctl: wait needs --state closed, open, half_open or ramping\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_list_shows_what_a_dead_tripd_left),
        TEST(test_a_hidden_breaker_is_counted_and_listed_where_it_is_asked_for),
        TEST(test_a_copy_in_a_file_is_shown_alike),
        TEST(test_list_as_json),
        TEST(test_show_begins_with_state_and_reason),
        TEST(test_users_have_their_names_beside_their_numbers),
        TEST(test_show_of_an_unknown_breaker),
        TEST(test_events_oldest_first),
        TEST(test_clients_and_status),
        TEST(test_a_clean_stop_is_told_from_a_death),
        TEST(test_a_dead_tripd_is_told_from_a_stalled_one),
        TEST(test_a_pattern_without_a_match_is_reported),
        TEST(test_list_ends_with_what_did_not_fit),
        TEST(test_no_segment_is_no_daemon),
        TEST(test_a_file_that_is_none_is_refused),
        TEST(test_nothing_follows_in_a_file),
        TEST(test_wait_ends_at_once_in_the_wanted_state),
        TEST(test_wait_names_the_state_that_it_saw_instead),
        TEST(test_wait_sees_a_breaker_that_comes_while_it_waits),
        TEST(test_wait_without_a_state_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
