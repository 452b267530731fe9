/* Looks at a segment: rates from heartbeat to heartbeat, latencies, the trail of the last minute, and sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/watched.h"
#include "look.h"

static struct {
    struct watched watched;
    struct looks *looks;
    const struct look *look;
    uint32_t db;
} fixture;

static void count(uint64_t calls, uint64_t failures, uint64_t denied, uint64_t errors)
{
    const struct breaker_totals totals = {.calls = calls,
                                          .failures = failures,
                                          .denied = {denied, 1},
                                          .errors = {[TRIP_ERROR_NETWORK] = errors, [TRIP_ERROR_INTERNAL] = 1}};
    watched_totals(&fixture.watched, fixture.db, &totals);
}

static int set_up(void **state)
{
    (void)state;
    watched_make(&fixture.watched, 200);
    fixture.looks = looks_new();
    assert_non_null(fixture.looks);
    fixture.db = watched_breaker(&fixture.watched, "db");
    count(0, 0, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture.looks = looks_free(fixture.looks);
    watched_remove(&fixture.watched);
    return 0;
}

static const struct look *look_as(enum report_daemon daemon)
{
    fixture.look = looks_take(fixture.looks, watched_look(&fixture.watched, daemon, 300));
    assert_non_null(fixture.look);
    return fixture.look;
}

static const struct look *look(void)
{
    return look_as(REPORT_RUNNING);
}

static void beat(uint64_t ms)
{
    watched_beat(&fixture.watched, ms);
}

static const struct look_breaker *breaker(const char *name)
{
    for (uint32_t i = 0; i < fixture.look->count; i++)
        if (strcmp(fixture.look->breakers[i]->name, name) == 0)
            return fixture.look->breakers[i];
    fail_msg("there is no breaker %s", name);
    return NULL;
}

static void assert_rates(const struct rates *rates, double calls, double failures, double denied, double errors)
{
    assert_true(rates->known);
    assert_float_equal(rates->calls, calls, 1e-9);
    assert_float_equal(rates->failures, failures, 1e-9);
    assert_float_equal(rates->denied, denied, 1e-9);
    assert_float_equal(rates->errors, errors, 1e-9);
}

static void assert_unknown(const struct rates *rates)
{
    assert_false(rates->known);
    assert_float_equal(rates->calls, 0, 0);
    assert_float_equal(rates->denied, 0, 0);
}

/* ------------------------------------------------------------------------------------------------------------- rates
 */

static void test_the_first_look_knows_no_rates(void **state)
{
    (void)state;
    beat(1000);
    count(700, 20, 30, 5);
    look();
    assert_unknown(&breaker("db")->rates);
    assert_unknown(&fixture.look->rates);
    assert_int_equal(breaker("db")->calls, 700);
    assert_int_equal(breaker("db")->failures, 20);
    assert_int_equal(breaker("db")->denied, 31);
    assert_int_equal(breaker("db")->errors, 6);
}

static void test_rates_are_what_was_counted_between_two_heartbeats(void **state)
{
    (void)state;
    beat(1000);
    count(700, 20, 30, 5);
    look();
    beat(1000);
    count(790, 23, 42, 9);
    look();
    assert_rates(&breaker("db")->rates, 90, 3, 12, 4);
    assert_rates(&fixture.look->rates, 90, 3, 12, 4);
    assert_int_equal(breaker("db")->calls, 790);
}

static void test_a_heartbeat_two_seconds_later_halves_them(void **state)
{
    (void)state;
    beat(1000);
    count(700, 20, 30, 5);
    look();
    beat(2000);
    count(790, 23, 42, 9);
    look();
    assert_rates(&breaker("db")->rates, 45, 1.5, 6, 2);
}

/* tripd counts failures as they come, and successes at its heartbeats: a look in between would find failures alone. */
static void test_a_look_between_two_heartbeats_keeps_the_rates(void **state)
{
    (void)state;
    beat(1000);
    count(700, 20, 30, 5);
    look();
    beat(1000);
    count(790, 23, 42, 9);
    look();
    count(795, 28, 42, 14);
    look();
    assert_rates(&breaker("db")->rates, 90, 3, 12, 4);
    assert_int_equal(breaker("db")->calls, 795); /* while the sums are those of now */
    look();
    beat(1000);
    count(890, 33, 42, 19);
    look();
    assert_rates(&breaker("db")->rates, 100, 10, 0, 10); /* since the heartbeat, not since the look */
}

static void test_a_look_after_several_heartbeats_has_their_mean(void **state)
{
    (void)state;
    beat(1000);
    look();
    beat(1000);
    count(100, 0, 0, 0);
    beat(1000);
    count(200, 0, 0, 0);
    beat(1000);
    count(600, 0, 0, 0);
    look();
    assert_float_equal(breaker("db")->rates.calls, 200, 1e-9);
}

static void test_before_the_first_heartbeat_nothing_is_a_rate(void **state)
{
    (void)state;
    count(100, 0, 0, 0);
    look();
    count(200, 0, 0, 0);
    look();
    assert_unknown(&breaker("db")->rates);
    beat(1000);
    count(300, 0, 0, 0);
    look();
    assert_unknown(&breaker("db")->rates); /* one heartbeat alone is no interval */
    beat(1000);
    count(450, 0, 0, 0);
    look();
    assert_float_equal(breaker("db")->rates.calls, 150, 1e-9);
}

static void test_where_tripd_does_not_run_no_rate_is_known(void **state)
{
    (void)state;
    const enum report_daemon away[] = {REPORT_STALLED, REPORT_STOPPED, REPORT_GONE, REPORT_DEAD};
    for (unsigned i = 0; i < 4; i++) {
        looks_forget(fixture.looks);
        beat(1000);
        look();
        beat(1000);
        count(100 * (i + 1), 0, 0, 0);
        look();
        assert_true(breaker("db")->rates.known);
        look_as(away[i]);
        assert_unknown(&breaker("db")->rates);
        assert_unknown(&fixture.look->rates);
        assert_false(breaker("db")->certain);
    }
}

static void test_a_tripd_that_comes_back_has_rates_from_its_second_heartbeat_on(void **state)
{
    (void)state;
    beat(1000);
    count(100, 0, 0, 0);
    look();
    look_as(REPORT_DEAD);
    beat(60000);
    count(160, 0, 0, 0);
    look();
    assert_rates(&breaker("db")->rates, 1, 0, 0, 0); /* over the time that it was away */
    beat(1000);
    count(200, 0, 0, 0);
    look();
    assert_rates(&breaker("db")->rates, 40, 0, 0, 0);
}

static void test_counts_that_fell_are_no_rate_below_nothing(void **state)
{
    (void)state;
    beat(1000);
    count(700, 20, 30, 5);
    look();
    beat(1000);
    count(10, 1, 0, 0);
    look();
    assert_rates(&breaker("db")->rates, 0, 0, 0, 0);
    assert_float_equal(rate_per_second(5, 10, 0), 0, 0);
    assert_float_equal(rate_per_second(5, 10, 500), 10, 0);
    assert_float_equal(rate_per_second(10, 5, 500), 0, 0);
}

/* ------------------------------------------------------------------------------------------------ breakers come and go
 */

static void test_a_breaker_that_comes_later_has_rates_a_heartbeat_later(void **state)
{
    (void)state;
    beat(1000);
    look();
    beat(1000);
    const uint32_t web = watched_breaker(&fixture.watched, "web");
    watched_totals(&fixture.watched, web, &(struct breaker_totals){.calls = 50});
    look();
    assert_unknown(&breaker("web")->rates);
    assert_true(breaker("db")->rates.known);
    watched_totals(&fixture.watched, web, &(struct breaker_totals){.calls = 80});
    beat(1000);
    look();
    assert_float_equal(breaker("web")->rates.calls, 30, 1e-9);
}

/* A free slot rests until all others were taken. */
static void take_its_slot(const char *name)
{
    for (uint32_t slot; (slot = watched_breaker(&fixture.watched, name)) != fixture.db;)
        segment_forget(fixture.watched.segment, slot);
}

static void test_a_slot_that_another_breaker_took_starts_anew(void **state)
{
    (void)state;
    const char *const names[] = {"mail", "db"}; /* another name, and the same name again */
    for (unsigned i = 0; i < 2; i++) {
        beat(1000);
        count(100, 0, 0, 0);
        look();
        beat(1000);
        count(200, 0, 0, 0);
        look();
        segment_forget(fixture.watched.segment, fixture.db);
        take_its_slot(names[i]);
        count(900, 0, 0, 0);
        beat(1000);
        look();
        assert_int_equal(fixture.look->count, 1);
        assert_unknown(&breaker(names[i])->rates);
        assert_float_equal(breaker(names[i])->trail.calls[TRAIL_PLACES - 1], -1, 0);
        beat(1000);
        count(910, 0, 0, 0);
        look();
        assert_float_equal(breaker(names[i])->rates.calls, 10, 1e-9);
    }
}

static void test_a_forgotten_breaker_is_in_no_look(void **state)
{
    (void)state;
    watched_breaker(&fixture.watched, "web");
    look();
    assert_int_equal(fixture.look->count, 2);
    segment_forget(fixture.watched.segment, fixture.db);
    look();
    assert_int_equal(fixture.look->count, 1);
    assert_string_equal(fixture.look->breakers[0]->name, "web");
}

static void test_more_slots_than_before_are_followed(void **state)
{
    (void)state;
    char name[16];
    beat(1000);
    count(100, 0, 0, 0);
    look();
    assert_int_equal(fixture.watched.segment->slots, 64);
    for (unsigned i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "more-%u", i);
        watched_breaker(&fixture.watched, name);
    }
    assert_int_equal(fixture.watched.segment->slots, 192);
    beat(1000);
    count(150, 0, 0, 0);
    look();
    assert_int_equal(fixture.look->count, 151);
    assert_string_equal(fixture.look->breakers[150]->name, "more-149");
    assert_float_equal(breaker("db")->rates.calls, 50, 1e-9);
}

static void test_another_segment_starts_anew(void **state)
{
    (void)state;
    struct watched other;
    beat(1000);
    count(100, 0, 0, 0);
    look();
    beat(1000);
    look();
    assert_true(breaker("db")->rates.known);
    watched_make(&other, 8);
    watched_breaker(&other, "db");
    watched_beat(&other, 9000);
    fixture.look = looks_take(fixture.looks, watched_look(&other, REPORT_RUNNING, 300));
    assert_unknown(&breaker("db")->rates);
    assert_int_equal(fixture.look->count, 1);
    watched_remove(&other);
    setenv("TRIP_SHM_DIR", fixture.watched.dir.dir, 1);
}

static void test_looks_that_are_forgotten_leave_no_rate(void **state)
{
    (void)state;
    beat(1000);
    look();
    beat(1000);
    look();
    assert_true(breaker("db")->rates.known);
    looks_forget(fixture.looks);
    beat(1000);
    look();
    assert_unknown(&breaker("db")->rates);
}

/* --------------------------------------------------------------------------------------------------------- latencies
 */

static void put_latency(uint64_t ns, uint64_t calls)
{
    segment_latency_put(fixture.watched.segment, fixture.db, latency_bucket(ns), calls);
}

/* Within the length of a bucket; -1: not known. */
static void assert_latency(double actual_ms, double expected_ms)
{
    const double most = expected_ms > 0 ? expected_ms * 0.04 : 0;
    assert_float_equal(actual_ms, expected_ms, most);
}

static void assert_latencies(double p50_ms, double p99_ms)
{
    assert_latency(breaker("db")->p50_ms, p50_ms);
    assert_latency(breaker("db")->p99_ms, p99_ms);
}

static void test_latencies_are_of_the_calls_since_the_last_heartbeat(void **state)
{
    (void)state;
    put_latency(1000000, 1000);
    beat(1000);
    look();
    assert_latencies(1, 1); /* no rate is known: of all calls */
    put_latency(8000000, 98);
    put_latency(500000000, 2);
    beat(1000);
    look();
    assert_latencies(8, 500);
    look();
    assert_latencies(8, 500); /* between two heartbeats as before */
    beat(1000);
    look();
    assert_latencies(-1, -1); /* there were no calls */
}

static void test_where_no_rate_is_known_latencies_are_of_all_time(void **state)
{
    (void)state;
    put_latency(1000000, 50);
    beat(1000);
    look();
    put_latency(8000000, 50);
    beat(1000);
    look();
    assert_latencies(8, 8);
    look_as(REPORT_DEAD);
    assert_latencies(1, 8);
}

static void test_a_breaker_without_calls_has_no_latencies(void **state)
{
    (void)state;
    look();
    assert_latencies(-1, -1);
}

static void test_latencies_beyond_the_last_bucket_are_not_known(void **state)
{
    (void)state;
    put_latency(1000000, 60);
    put_latency(UINT64_C(500000000000), 40); /* 500 s */
    look();
    assert_latencies(1, -1);
}

/* --------------------------------------------------------------------------------------------------------- the trail
 */

/* The last places of the trail as text: - for what is not known, ! after those with trouble. */
static void assert_trail(unsigned places, const char *expected)
{
    const struct trail *const trail = &breaker("db")->trail;
    char text[512] = "";
    size_t used = 0;
    for (unsigned i = TRAIL_PLACES - places; i < TRAIL_PLACES; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", used ? " " : "");
        if (trail->calls[i] < 0)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "-");
        else
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%g", (double)trail->calls[i]);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", trail->trouble[i] ? "!" : "");
    }
    assert_string_equal(text, expected);
}

static void test_the_trail_moves_by_a_place_in_two_seconds(void **state)
{
    (void)state;
    beat(1000); /* 101 s: the second half of a place */
    look();
    assert_trail(4, "- - - -");
    beat(1000);
    count(10, 0, 0, 0);
    look();
    assert_trail(4, "- - - 10");
    beat(1000);
    count(14, 0, 0, 0);
    look();
    assert_trail(4, "- - - 10"); /* the highest rate of the place */
    beat(1000);
    count(20, 0, 0, 0);
    look();
    assert_trail(4, "- - 10 6");
    beat(1000);
    count(29, 0, 0, 0);
    look();
    assert_trail(4, "- - 10 9");
    beat(1000);
    look();
    assert_trail(4, "- 10 9 0");
}

static void test_the_trail_remembers_where_calls_failed_or_were_denied(void **state)
{
    (void)state;
    beat(1000);
    look();
    beat(1000);
    count(10, 2, 0, 0);
    look();
    beat(1000);
    count(20, 2, 0, 0);
    look();
    assert_trail(1, "10!"); /* some of the place's did */
    beat(1000);
    count(30, 2, 0, 0);
    look();
    beat(2000);
    count(34, 2, 7, 0);
    look();
    assert_trail(3, "10! 10 2!");
}

static void test_the_trail_has_gaps_where_nobody_looked(void **state)
{
    (void)state;
    beat(2000);
    look();
    beat(2000);
    count(8, 0, 0, 0);
    look();
    beat(6000);
    count(20, 0, 0, 0);
    look();
    assert_trail(5, "- 4 - - 2");
    beat(58000);
    look();
    assert_trail(TRAIL_PLACES, "2 - - - - - - - - - - - - - - - - - - - - - - - - - - - - 0");
    beat(UINT64_C(3600000));
    look();
    assert_trail(TRAIL_PLACES, "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - 0");
}

static void test_the_trail_stands_still_without_tripd(void **state)
{
    (void)state;
    beat(2000);
    look();
    beat(2000);
    count(8, 0, 0, 0);
    look();
    look_as(REPORT_STALLED);
    look_as(REPORT_DEAD);
    assert_trail(3, "- - 4");
}

/* ---------------------------------------------------------------------------------------------------------- the rest
 */

static void test_breakers_are_counted_by_state_and_mode(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const struct {
        const char *name;
        uint64_t word;
    } breakers[] = {{"b", word_open(2, 130000)},       {"c", word_open(2, 140000)},
                    {"d", word_half_open(3, 110000)},  {"e", word_probing(3, 1, 110000)},
                    {"f", word_ramping(4, 250, 0, 1)}, {"g", word_closed(5, 3, 1)}};
    watched_in_flight(&fixture.watched, fixture.db, 5);
    for (unsigned i = 0; i < 6; i++) {
        const uint32_t slot = watched_breaker(&fixture.watched, breakers[i].name);
        segment_mirror(segment, slot, breakers[i].word);
        watched_in_flight(&fixture.watched, slot, 10);
        if (i < 2)
            segment_mode_publish(segment, slot, MODE_OWNER_OPERATOR, i ? TRIP_MODE_SHADOW : TRIP_MODE_FORCED_OPEN, 0, 0,
                                 "", 100000);
    }
    look();
    assert_int_equal(fixture.look->count, 7);
    assert_int_equal(fixture.look->states[TRIP_STATE_CLOSED], 2);
    assert_int_equal(fixture.look->states[TRIP_STATE_OPEN], 2);
    assert_int_equal(fixture.look->states[TRIP_STATE_HALF_OPEN], 2);
    assert_int_equal(fixture.look->states[TRIP_STATE_RAMPING], 1);
    assert_int_equal(fixture.look->moded, 2);
    assert_int_equal(fixture.look->in_flight, 65);
    look();
    assert_int_equal(fixture.look->states[TRIP_STATE_OPEN], 2); /* of this look alone */
}

static void test_rates_of_all_breakers_are_added_up(void **state)
{
    (void)state;
    const uint32_t web = watched_breaker(&fixture.watched, "web");
    beat(1000);
    look();
    beat(1000);
    count(10, 1, 0, 0);
    watched_totals(&fixture.watched, web, &(struct breaker_totals){.calls = 5, .failures = 2, .denied = {3}});
    watched_breaker(&fixture.watched, "new");
    look();
    assert_rates(&fixture.look->rates, 15, 3, 3, 0);
}

static void test_a_look_says_when_it_was(void **state)
{
    (void)state;
    beat(1000);
    look();
    assert_int_equal(fixture.look->now_ms, 101000);
    assert_int_equal(fixture.look->heartbeat_age_ms, 300);
    assert_int_equal(fixture.look->host.up_ns, 1000000000);
    assert_int_equal(fixture.look->daemon, REPORT_RUNNING);
    assert_int_equal(fixture.look->header.segment_id, fixture.watched.segment->header->segment_id);
}

static void test_attached_processes_and_open_incidents_are_counted(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    look();
    assert_int_equal(fixture.look->clients, 0);
    assert_int_equal(fixture.look->incidents, 0);
    segment_client_set(segment, 1, &(struct client_slot){.lane_id = 7, .pid = 1});
    segment_client_set(segment, 4, &(struct client_slot){.lane_id = 8, .pid = 2});
    segment_incident(segment, &(struct incident){.id = 3, .start_ms = 1});
    segment_incident(segment, &(struct incident){.id = 4, .start_ms = 2, .end_ms = 5, .end_unix_ms = 5});
    look();
    assert_int_equal(fixture.look->clients, 2);
    assert_int_equal(fixture.look->incidents, 1);
}

static void test_a_breaker_is_shown_as_its_segment_has_it(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    const struct transition step = {
        .reason = TRIP_REASON_RELAPSE, .condition = TRIP_REASON_FAILURES, .by = BY_OPERATOR, .uid = 7};
    watched_calls(&fixture.watched, fixture.db, "SSFfs");
    watched_step(&fixture.watched, fixture.db, word_open(2, 130000), &step);
    segment_detail_hidden(segment, fixture.db, 90000);
    watched_at(&fixture.watched, 110000);
    look();
    const struct look_breaker *const db = breaker("db");
    assert_int_equal(db->slot, fixture.db);
    assert_int_equal(db->figures.state, TRIP_STATE_OPEN);
    assert_int_equal(db->figures.state_for_ms, 10000);
    assert_int_equal(db->figures.retry_after_ms, 20000);
    assert_int_equal(db->reason, TRIP_REASON_RELAPSE);
    assert_int_equal(db->condition, TRIP_REASON_FAILURES);
    assert_int_equal(db->by, BY_OPERATOR);
    assert_true(db->hidden);
    assert_true(db->certain);
    assert_int_equal(db->window_calls, 5);
    assert_int_equal(db->window_failures, 2);
    assert_int_equal(db->window_slow, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_look_knows_no_rates),
        TEST(test_rates_are_what_was_counted_between_two_heartbeats),
        TEST(test_a_heartbeat_two_seconds_later_halves_them),
        TEST(test_a_look_between_two_heartbeats_keeps_the_rates),
        TEST(test_a_look_after_several_heartbeats_has_their_mean),
        TEST(test_before_the_first_heartbeat_nothing_is_a_rate),
        TEST(test_where_tripd_does_not_run_no_rate_is_known),
        TEST(test_a_tripd_that_comes_back_has_rates_from_its_second_heartbeat_on),
        TEST(test_counts_that_fell_are_no_rate_below_nothing),
        TEST(test_a_breaker_that_comes_later_has_rates_a_heartbeat_later),
        TEST(test_a_slot_that_another_breaker_took_starts_anew),
        TEST(test_a_forgotten_breaker_is_in_no_look),
        TEST(test_more_slots_than_before_are_followed),
        TEST(test_another_segment_starts_anew),
        TEST(test_looks_that_are_forgotten_leave_no_rate),
        TEST(test_latencies_are_of_the_calls_since_the_last_heartbeat),
        TEST(test_where_no_rate_is_known_latencies_are_of_all_time),
        TEST(test_a_breaker_without_calls_has_no_latencies),
        TEST(test_latencies_beyond_the_last_bucket_are_not_known),
        TEST(test_the_trail_moves_by_a_place_in_two_seconds),
        TEST(test_the_trail_remembers_where_calls_failed_or_were_denied),
        TEST(test_the_trail_has_gaps_where_nobody_looked),
        TEST(test_the_trail_stands_still_without_tripd),
        TEST(test_breakers_are_counted_by_state_and_mode),
        TEST(test_rates_of_all_breakers_are_added_up),
        TEST(test_a_look_says_when_it_was),
        TEST(test_attached_processes_and_open_incidents_are_counted),
        TEST(test_a_breaker_is_shown_as_its_segment_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
