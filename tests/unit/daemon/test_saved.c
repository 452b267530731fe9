/* The snapshot on disk: what it holds survives the segment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "../../support/breakers_host.h"
#include "protocol/packed.h"
#include "segment/saved.h"

#define STEADY "open: {for: 30s, multiplier: 1.0, max: 30s, jitter: 0%}"
#define CONFIG "breakers: [{match: \"*\", " STEADY "}]"

static char folder[FOLDER_ROOM];
static struct host *host;
static const struct breakers_actor by_operator = {.by = BY_OPERATOR, .uid = 1000, .reason = "incident 42"};

static int set_up(void **state)
{
    (void)state;
    folder_make(folder, FOLDER_IN_TMP);
    host = host_start(CONFIG, 8);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    host_stop(host);
    return 0;
}

static void save(void)
{
    assert_int_equal(saved_write(folder, host->segment, clock_now_ms(&host->clock)), 0);
}

static struct saved loaded(void)
{
    struct saved saved;
    const char *why = "";
    if (saved_read(folder, &saved, &why) != 0)
        fail_msg("%s", why);
    return saved;
}

/* Reboots after the machine was off for so long. */
static void reboot(uint64_t for_ms)
{
    struct saved saved = loaded();
    host_stop(host);
    host = host_start(CONFIG, 8);
    assert_int_equal(breakers_restore(host->breakers, &saved, saved.written_unix_ms + for_ms), 0);
    saved_clear(&saved);
}

static void test_an_open_breaker_is_open_for_what_is_left(void **state)
{
    (void)state;
    assert_int_equal(breakers_trip(host->breakers, host_breaker(host, "db"), 20000, &by_operator), 0);
    save();
    reboot(15000);
    uint32_t slot;
    assert_int_equal(segment_find(host->segment, "db", &slot), 0);
    assert_int_equal(host_state(host, slot), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)) - clock_now_ms(&host->clock), 5000);
    assert_int_equal(host->segment->details[slot].reason, TRIP_REASON_OPERATOR);
}

static void test_a_breaker_whose_time_ran_out_meanwhile_probes_at_once(void **state)
{
    (void)state;
    assert_int_equal(breakers_trip(host->breakers, host_breaker(host, "db"), 20000, &by_operator), 0);
    save();
    reboot(3600000);
    const uint32_t slot = host_breaker(host, "db");
    host_advance(host, 10);
    assert_int_equal(host_state(host, slot), WORD_HALF_OPEN);
}

static void test_a_wall_clock_that_went_back_opens_no_longer_than_before(void **state)
{
    (void)state;
    assert_int_equal(breakers_trip(host->breakers, host_breaker(host, "db"), 20000, &by_operator), 0);
    save();
    reboot((uint64_t)-86400000);
    const uint32_t slot = host_breaker(host, "db");
    assert_int_equal(word_deadline_ms(host_word(host, slot)) - clock_now_ms(&host->clock), 20000);
}

static void test_totals_and_openings_are_counted_on(void **state)
{
    struct client client;
    (void)state;
    const uint32_t slot = host_breaker(host, "db");
    client_start(host, &client, 101);
    const uint32_t meter = client_meter(host, &client, slot);
    client_reports(host, &client, meter, slot, "SSSF");
    writer_total(&lane_meter_at(client.writer.memory, meter)->denied[denial_of(TRIP_DENY_RATE)], 6);
    writer_total(&lane_meter_at(client.writer.memory, meter)->denied[denial_of(TRIP_DENY_RAMP)], 2);
    writer_errors(&client.writer, meter, (trip_error_type)(TRIP_ERROR_USER + 3), 5);
    writer_latency(&client.writer, meter, 1000, 3);
    writer_latency(&client.writer, meter, UINT64_MAX, 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(breakers_trip(host->breakers, slot, 1000, &by_operator), 0);
    client_free(&client);
    save();
    reboot(5000);
    const struct core_head *const head = &segment_core(host->segment, host_breaker(host, "db"))->head;
    assert_int_equal(head->totals.calls, 4);
    assert_int_equal(head->totals.ok, 3);
    assert_int_equal(head->totals.errors[TRIP_ERROR_UNKNOWN], 1);
    assert_int_equal(head->totals.errors[TRIP_ERROR_USER + 3], 5);
    assert_int_equal(head->totals.failures, 1);
    assert_int_equal(head->totals.denied[denial_of(TRIP_DENY_RATE)], 6);
    assert_int_equal(head->totals.denied[denial_of(TRIP_DENY_RAMP)], 2);
    assert_int_equal(head->totals.denied[denial_of(TRIP_DENY_OPEN)], 0);
    assert_int_equal(head->totals.opens, 1);
    assert_int_equal(head->totals.trips[TRIP_REASON_OPERATOR], 1);
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(host->segment, host_breaker(host, "db"), counts);
    assert_int_equal(latency_calls(counts), 4);
    assert_int_equal(counts[latency_bucket(1000)], 3);
    assert_int_equal(counts[479], 1);
}

static void put_totals(uint32_t slot, const struct breaker_totals *totals)
{
    segment_begin(host->segment, slot)->head.totals = *totals;
    segment_commit(host->segment);
}

/* Each sum has a number of its own. */
static struct breaker_totals numbered(uint64_t from)
{
    struct breaker_totals totals;
    for (size_t at = 0; at < sizeof(totals) / sizeof(uint64_t); at++)
        ((uint64_t *)&totals)[at] = from + at;
    totals.trips[TRIP_REASON_NONE] = 0; /* no opening is without a reason */
    return totals;
}

static void test_each_sum_comes_back_as_it_was(void **state)
{
    (void)state;
    const struct breaker_totals totals = numbered(1000);
    put_totals(host_breaker(host, "db"), &totals);
    save();
    reboot(0);
    const struct core_head *const head = &segment_core(host->segment, host_breaker(host, "db"))->head;
    struct breaker_totals expected = totals;
    expected.state_ns[TRIP_STATE_CLOSED] = head->totals.state_ns[TRIP_STATE_CLOSED]; /* it went on */
    assert_true(head->totals.state_ns[TRIP_STATE_CLOSED] >= totals.state_ns[TRIP_STATE_CLOSED]);
    assert_memory_equal(&head->totals, &expected, sizeof(expected));
}

static void test_totals_of_breakers_that_are_forgotten_come_back_with_their_group(void **state)
{
    (void)state;
    const struct breaker_totals totals = numbered(500), more = numbered(7);
    segment_group_put(host->segment, "payments/eu", &totals);
    segment_group_put(host->segment, "", &more);
    save();
    reboot(0);
    assert_int_equal(host->segment->header->groups, 2);
    assert_string_equal(host->segment->groups[1].name, "payments/eu");
    const struct breaker_totals group = segment_group(host->segment, 1)->totals;
    const struct breaker_totals none = segment_group(host->segment, 0)->totals;
    assert_memory_equal(&group, &totals, sizeof(group));
    assert_memory_equal(&none, &more, sizeof(none));
}

/* A worker that was killed while it restored leaves what it had restored to the next one. */
static void test_what_is_restored_twice_is_there_once(void **state)
{
    (void)state;
    const struct breaker_totals totals = numbered(500);
    segment_group_put(host->segment, "payments/eu", &totals);
    put_totals(host_breaker(host, "db"), &totals);
    save();
    reboot(0);
    struct saved saved = loaded();
    assert_int_equal(breakers_restore(host->breakers, &saved, saved.written_unix_ms), 0);
    saved_clear(&saved);
    assert_int_equal(host->segment->header->groups, 2);
    const struct breaker_totals group = segment_group(host->segment, 1)->totals;
    assert_memory_equal(&group, &totals, sizeof(group));
    assert_int_equal(segment_core(host->segment, host_breaker(host, "db"))->head.totals.calls, totals.calls);
}

static size_t packed(uint8_t *data, size_t room, json_t *map)
{
    size_t size;
    assert_int_equal(packed_write(data, room, map, &size), 0);
    json_decref(map);
    return size;
}

static void test_a_snapshot_of_before_knows_no_latencies_and_fewer_denials(void **state)
{
    uint8_t data[1024];
    struct saved saved;
    const char *why = "";
    (void)state;
    size_t size = packed(data, sizeof(data), json_pack("{s:i}", "tripd_snapshot", 1));
    size += packed(data + size, sizeof(data) - size,
                   json_pack("{s:s, s:s, s:{s:i, s:i, s:i}}", "breaker", "db", "reason", "none", "totals", "calls", 4,
                             "denied", 5, "rate", 6));
    size += packed(data + size, sizeof(data) - size, json_pack("{s:b}", "end", 1));
    if (saved_parse(data, size, &saved, &why) < 0)
        fail_msg("%s", why);
    assert_int_equal(saved.breaker_count, 1);
    assert_int_equal(saved.breakers[0].totals.calls, 4);
    assert_int_equal(denied_by_breaker(saved.breakers[0].totals.denied), 5);
    assert_int_equal(saved.breakers[0].totals.denied[denial_of(TRIP_DENY_RATE)], 6);
    assert_int_equal(saved.breakers[0].totals.denied[denial_of(TRIP_DENY_SHED)], 0);
    assert_int_equal(saved.breakers[0].latency_count, 0);
    saved_clear(&saved);
}

static void test_names_that_never_had_a_call_do_not_come_back(void **state)
{
    uint32_t slot;
    (void)state;
    host_breaker(host, "never-called");
    save();
    reboot(10000);
    assert_int_equal(segment_find(host->segment, "never-called", &slot), -ENOENT);
}

static void test_names_count_for_the_users_who_made_them_after_a_reboot(void **state)
{
    uint32_t slot;
    (void)state;
    for (unsigned i = 0; i < 4; i++) { /* half of the table */
        assert_int_equal(breakers_resolve(host->breakers, 1000, (const char[]){(char)('a' + i), 0}, &slot), 0);
        breakers_trip(host->breakers, slot, 60000, &by_operator);
    }
    save();
    reboot(10000);
    assert_int_equal(breakers_resolve(host->breakers, 1000, "e", &slot), -EDQUOT);
    assert_int_equal(breakers_resolve(host->breakers, 1001, "e", &slot), 0);
}

static void test_modes_come_back_with_owner_reason_and_ttl(void **state)
{
    uint64_t until_ms;
    (void)state;
    const uint32_t slot = host_breaker(host, "db");
    assert_int_equal(
        breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 60000, &by_operator), 0);
    save();
    reboot(10000);
    const uint32_t again = host_breaker(host, "db");
    const uint64_t now_ms = clock_now_ms(&host->clock);
    assert_int_equal(segment_mode_now(host->segment, again, now_ms, &until_ms), TRIP_MODE_FORCED_OPEN);
    assert_int_equal(until_ms - now_ms, 50000);
    assert_int_equal(host->segment->details[again].modes[MODE_OWNER_OPERATOR].uid, 1000);
    assert_string_equal(host->segment->details[again].modes[MODE_OWNER_OPERATOR].reason, "incident 42");
}

static void test_a_mode_that_ran_out_meanwhile_does_not_come_back(void **state)
{
    uint64_t until_ms;
    (void)state;
    const uint32_t slot = host_breaker(host, "db");
    assert_int_equal(
        breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 60000, &by_operator), 0);
    save();
    reboot(60000);
    assert_int_equal(segment_mode_now(host->segment, host_breaker(host, "db"), clock_now_ms(&host->clock), &until_ms),
                     TRIP_MODE_AUTO);
}

static void test_a_mode_by_pattern_binds_breakers_that_come_after_the_reboot(void **state)
{
    uint64_t until_ms;
    (void)state;
    assert_int_equal(breakers_mode_pattern(host->breakers, "pay/*", TRIP_MODE_DISABLED, 0, &by_operator), 0);
    save();
    reboot(1000);
    const uint32_t slot = host_breaker(host, "pay/db");
    assert_int_equal(segment_mode_now(host->segment, slot, clock_now_ms(&host->clock), &until_ms), TRIP_MODE_DISABLED);
}

static trip_mode mode_of(const char *name)
{
    uint64_t until_ms;
    return segment_mode_now(host->segment, host_breaker(host, name), clock_now_ms(&host->clock), &until_ms);
}

static void test_a_mode_by_pattern_that_was_taken_from_a_breaker_stays_taken(void **state)
{
    (void)state;
    const uint32_t slot = host_breaker(host, "pay/db");
    assert_int_equal(breakers_mode_pattern(host->breakers, "pay/*", TRIP_MODE_FORCED_OPEN, 0, &by_operator), 0);
    assert_int_equal(breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &by_operator), 0);
    save();
    reboot(1000);
    assert_int_equal(mode_of("pay/db"), TRIP_MODE_AUTO);
    assert_int_equal(mode_of("pay/other"), TRIP_MODE_FORCED_OPEN);
}

static void test_the_later_of_two_patterns_still_wins_after_the_reboot(void **state)
{
    (void)state;
    assert_int_equal(breakers_mode_pattern(host->breakers, "old/*", TRIP_MODE_SHADOW, 1000, &by_operator), 0);
    assert_int_equal(breakers_mode_pattern(host->breakers, "pay/*", TRIP_MODE_DISABLED, 0, &by_operator), 0);
    host_advance(host, 2000); /* the first one's place is free, and the next one's */
    assert_int_equal(breakers_mode_pattern(host->breakers, "pay/d*", TRIP_MODE_FORCED_OPEN, 0, &by_operator), 0);
    save();
    reboot(1000);
    assert_int_equal(mode_of("pay/db"), TRIP_MODE_FORCED_OPEN);
    assert_int_equal(mode_of("pay/cards"), TRIP_MODE_DISABLED);
}

static void test_a_reason_that_was_cut_within_a_character_keeps_the_rest(void **state)
{
    (void)state;
    char reason[DETAIL_TEXT_MAX + 1];
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + DETAIL_TEXT_MAX - 2, "\xc3\xa4", sizeof("\xc3\xa4")); /* its second byte finds no place */
    const struct breakers_actor wordy = {.by = BY_OPERATOR, .uid = 1000, .reason = reason};
    const uint32_t slot = host_breaker(host, "db");
    assert_int_equal(breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, &wordy), 0);
    save();
    struct saved saved = loaded();
    assert_int_equal(strlen(saved.breakers[0].modes[MODE_OWNER_OPERATOR].reason), 94);
    saved_clear(&saved);
}

static void test_writing_leaves_nothing_unfinished_behind(void **state)
{
    char path[96];
    struct stat status;
    (void)state;
    save();
    save();
    snprintf(path, sizeof(path), "%s/snapshot.new", folder);
    assert_int_equal(stat(path, &status), -1);
    snprintf(path, sizeof(path), "%s/snapshot", folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_no_snapshot_is_no_error_but_said(void **state)
{
    struct saved saved;
    const char *why;
    (void)state;
    assert_int_equal(saved_read(folder, &saved, &why), -ENOENT);
}

static void refused(const uint8_t *data, size_t size, const char *expected)
{
    struct saved saved;
    const char *why = "";
    assert_int_equal(saved_parse(data, size, &saved, &why), -EBADMSG);
    assert_string_equal(why, expected);
}

static void test_a_damaged_snapshot_is_refused_whole(void **state)
{
    uint8_t data[1024];
    (void)state;
    refused((const uint8_t *)"", 0, "it is cut short");
    refused((const uint8_t *)"\xdd\xff\xff\xff\xff", 5, "a count in the message is more than what follows");
    refused(data, packed(data, sizeof(data), json_pack("{s:i}", "tripd_snapshot", 2)),
            "it does not begin as a snapshot of this version does");
    size_t size = packed(data, sizeof(data), json_pack("{s:i, s:i}", "tripd_snapshot", 1, "written_unix_ms", 5));
    refused(data, size, "it is cut short");
    const size_t bad_name = packed(data + size, sizeof(data) - size, json_pack("{s:s}", "breaker", "no name"));
    refused(data, size + bad_name, "a breaker has no valid name");
    char name[TRIP_NAME_MAX + 2];
    memset(name, 'x', sizeof(name));
    name[TRIP_NAME_MAX + 1] = '\0';
    const size_t long_name = packed(data + size, sizeof(data) - size, json_pack("{s:s}", "breaker", name));
    refused(data, size + long_name, "a breaker has no valid name");
    const size_t stranger = packed(data + size, sizeof(data) - size, json_pack("{s:s}", "what", "is this"));
    refused(data, size + stranger,
            "a map is neither a breaker, a pattern, a group, an incident, a level nor a feature");
    const size_t bucket =
        packed(data + size, sizeof(data) - size,
               json_pack("{s:s, s:s, s:[i, i]}", "breaker", "db", "reason", "none", "latency", 480, 1));
    refused(data, size + bucket, "a breaker's latencies are in a bucket that there is not");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_open_breaker_is_open_for_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_breaker_whose_time_ran_out_meanwhile_probes_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wall_clock_that_went_back_opens_no_longer_than_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_totals_and_openings_are_counted_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_sum_comes_back_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_restored_twice_is_there_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_totals_of_breakers_that_are_forgotten_come_back_with_their_group, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_snapshot_of_before_knows_no_latencies_and_fewer_denials, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_names_that_never_had_a_call_do_not_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_count_for_the_users_who_made_them_after_a_reboot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_modes_come_back_with_owner_reason_and_ttl, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mode_that_ran_out_meanwhile_does_not_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mode_by_pattern_binds_breakers_that_come_after_the_reboot, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_mode_by_pattern_that_was_taken_from_a_breaker_stays_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_later_of_two_patterns_still_wins_after_the_reboot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reason_that_was_cut_within_a_character_keeps_the_rest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_writing_leaves_nothing_unfinished_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_snapshot_is_no_error_but_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_snapshot_is_refused_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
