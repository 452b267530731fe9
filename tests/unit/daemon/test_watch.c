/* tripd tells each watcher of every event that the watcher asked for, once and in order, and of how many events the
 * ring had lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/segment_dir.h"
#include "internal/rpc.h"
#include "net/watch.h"
#include "protocol/rpc.h"

static struct segment_dir dir;
static struct segment *segment;
static uint32_t db, mail;

static uint32_t add(const char *name)
{
    uint32_t slot;
    assert_int_equal(segment_take(segment, name, 0, &slot), 0);
    segment_name_publish(segment, slot);
    return slot;
}

static int set_up(void **state)
{
    (void)state;
    segment_dir_make(&dir);
    segment = segment_dir_create(&dir, 8, 4);
    db = add("payments/db");
    mail = add("mail");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_unmap(segment);
    segment_dir_remove(&dir);
    return 0;
}

static void happens(uint32_t slot, enum transition_of of, enum transition_by by)
{
    const struct transition event = {.breaker = slot,
                                     .of = (uint16_t)of,
                                     .by = (uint8_t)by,
                                     .from = TRIP_STATE_CLOSED,
                                     .to = TRIP_STATE_OPEN,
                                     .reason = TRIP_REASON_CONSECUTIVE};
    segment_transition(segment, &event, 1000);
}

static void steps(uint32_t slot, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        happens(slot, OF_STATE, BY_CLIENT);
}

/* Makes a watcher that asks for every event since the segment was made. */
static struct watch watcher(const char *kinds, const char *pattern)
{
    struct watch watch = {0};
    assert_true(watch_kinds(kinds, &watch.kinds));
    strcpy(watch.pattern, pattern);
    return watch;
}

/* The sequences of the events that are told next, and what was lost before them: "1 2 (7 lost) 10". */
static const char *told(struct watch *watch)
{
    static char text[4096];
    size_t i, length = 0;
    json_t *event, *notification = watch_read(watch, segment);
    text[0] = '\0';
    json_array_foreach(json_object_get(notification, "events"), i, event)
    {
        const json_int_t lost = json_integer_value(json_object_get(event, "lost"));
        if (lost)
            length += (size_t)snprintf(text + length, sizeof(text) - length, "(%lld lost) ", (long long)lost);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%lld ",
                                   (long long)json_integer_value(json_object_get(event, "sequence")));
    }
    json_decref(notification);
    return text;
}

static void test_each_event_is_told_once_in_order(void **state)
{
    (void)state;
    struct watch watch = watcher(NULL, "*");
    steps(db, 2);
    assert_string_equal(told(&watch), "1 2 ");
    assert_string_equal(told(&watch), "");
    steps(mail, 1);
    assert_true(watch_behind(&watch, segment));
    assert_string_equal(told(&watch), "3 ");
    assert_false(watch_behind(&watch, segment));
}

static void test_of_each_kind_those_are_told_that_are_wanted(void **state)
{
    (void)state;
    struct watch all = watcher(NULL, "*"), moves = watcher("transition", "*"), modes = watcher("mode", "*");
    struct watch acts = watcher("act", "*"), two = watcher("mode,act", "*");
    struct watch levels = watcher("level", "*"), features = watcher("feature", "*");
    happens(db, OF_STATE, BY_CLIENT);
    happens(db, OF_STATE, BY_OPERATOR);
    happens(db, OF_MODE, BY_OPERATOR);
    happens(db, OF_MODE, BY_CONFIG);
    happens(UINT32_MAX, OF_LEVEL, BY_OPERATOR);
    happens(UINT32_MAX, OF_FEATURE, BY_DAEMON);
    assert_string_equal(told(&all), "1 2 3 4 5 6 ");
    assert_string_equal(told(&moves), "1 2 ");
    assert_string_equal(told(&modes), "3 4 ");
    assert_string_equal(told(&acts), "2 3 5 ");
    assert_string_equal(told(&two), "2 3 4 5 ");
    assert_string_equal(told(&levels), "5 ");
    assert_string_equal(told(&features), "6 ");
}

static void test_what_is_no_kind_is_refused(void **state)
{
    (void)state;
    unsigned kinds;
    assert_false(watch_kinds("", &kinds));
    assert_false(watch_kinds("mode,", &kinds));
    assert_false(watch_kinds("modes", &kinds));
    assert_false(watch_kinds("mode,act,tran", &kinds));
}

static void test_breakers_that_do_not_match_are_passed_over_and_are_not_lost(void **state)
{
    (void)state;
    struct watch watch = watcher(NULL, "payments/*");
    steps(mail, 3);
    steps(db, 1);
    steps(mail, 1);
    assert_string_equal(told(&watch), "4 ");
    assert_false(watch_behind(&watch, segment));
}

/* The ring holds 4,096. */
static void test_what_the_ring_lost_is_told_with_the_next_event(void **state)
{
    (void)state;
    struct watch watch = watcher(NULL, "payments/*");
    steps(db, 5);
    assert_string_equal(told(&watch), "1 2 3 4 5 ");
    steps(mail, 4100);
    steps(db, 1);
    for (unsigned read = 0; read < 4; read++) /* of 1,024 events at most */
        assert_string_equal(told(&watch), read < 3 ? "" : "(5 lost) 4106 ");
    assert_int_equal(watch.lost, 0);
}

static void test_a_packet_of_the_longest_events_is_not_too_long(void **state)
{
    (void)state;
    static uint8_t packet[RPC_PACKET_MAX];
    size_t size;
    char name[TRIP_NAME_MAX + 1];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct transition event = {.breaker = add(name),
                               .by = BY_OPERATOR,
                               .uid = UINT32_MAX,
                               .to = TRIP_STATE_HALF_OPEN,
                               .reason = TRIP_REASON_FAILURE_RATE,
                               .condition = TRIP_REASON_FAILURE_RATE,
                               .steps = UINT32_MAX};
    memset(event.note, '\x01', sizeof(event.note) - 1);
    for (unsigned i = 0; i < 200; i++)
        segment_transition(segment, &event, UINT64_MAX / 2);
    struct watch watch = watcher(NULL, "*");
    json_t *const events = watch_read(&watch, segment);
    assert_int_equal(json_array_size(json_object_get(events, "events")), 48);
    assert_int_equal(rpc_write_notification(packet, "watch", events, &size), 0);
    print_message("%zu bytes of %d\n", size, RPC_PACKET_MAX);
    json_decref(events);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_event_is_told_once_in_order),
        TEST(of_each_kind_those_are_told_that_are_wanted),
        TEST(what_is_no_kind_is_refused),
        TEST(breakers_that_do_not_match_are_passed_over_and_are_not_lost),
        TEST(what_the_ring_lost_is_told_with_the_next_event),
        TEST(a_packet_of_the_longest_events_is_not_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
