/* The manuals' promises about states, modes and times, to the millisecond, under a test clock.
 * tests/system/same_answers.sh asks a live tripd the same. Of each breaker, the conditions that a test does not name
 * are off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "protocol/report.h"

#define OPEN "open: {for: 100ms, multiplier: 1.0, jitter: 0%}"
#define OFF  "consecutive_failures: 0, failure_rate: 0%"

static struct host *host;
static struct client client;
static uint32_t slot, meter;
static const struct breakers_actor operator= {.by = BY_OPERATOR, .uid = 12, .reason = "drill"};

static void start(const char *settings)
{
    host = host_start_by(host_settings(settings), 8);
    slot = host_breaker(host, "db");
    client_start(host, &client, 101);
    meter = client_meter(host, &client, slot);
}

static int stop(void **state)
{
    (void)state;
    client_free(&client);
    host_stop(host);
    return 0;
}

static void at(uint64_t ms)
{
    host_advance(host, ms - host_now_ms(host));
}

static void report(const char *outcomes)
{
    client_reports(host, &client, meter, slot, outcomes);
    breakers_rung(host->breakers);
}

static void trip(void)
{
    assert_int_equal(breakers_trip(host->breakers, slot, 0, &operator), 0);
}

static void set_mode(trip_mode mode, uint64_t ttl_ms)
{
    assert_int_equal(breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, mode, ttl_ms, &operator), 0);
}

static uint32_t begin_probe(void)
{
    const uint32_t place = client_take_permit(host, &client, slot);
    assert_int_not_equal(place, PERMITS_PER_BREAKER);
    return place;
}

static void end_probe(uint32_t place, enum permit_outcome answer)
{
    client_answer(host, &client, meter, slot, place, answer);
    breakers_rung(host->breakers);
}

static enum word_state now(void)
{
    return host_state(host, slot);
}

static const struct transition *last_move(void)
{
    return &host->moves[host->move_count - 1];
}

/* Returns a shown value; -1: null. */
static long long shown(const char *key)
{
    breakers_drain_all(host->breakers);
    uint64_t latency[LATENCY_BUCKETS];
    segment_latency_read(host->segment, slot, latency);
    json_t *const show = report_show(&(struct report_breaker){.policy = host_policy(host, slot),
                                                              .detail = &host->segment->details[slot],
                                                              .core = host_head(host, slot),
                                                              .word = host->segment->mirror[slot],
                                                              .now_ms = host_now_ms(host),
                                                              .limits = &host->segment->limits[slot],
                                                              .latency = latency});
    const json_t *const value = json_object_get(show, key);
    const long long number = json_is_null(value) ? -1 : json_integer_value(value);
    json_decref(show);
    return number;
}

/* -------------------------------------------------------------------------------------------- when to come again */

static void test_a_full_half_open_breaker_may_be_tried_when_the_first_lease_ends(void **state)
{
    (void)state;
    start(OPEN ", half_open: {permits: 2, max_wait: 500ms}");
    trip();
    at(200);
    begin_probe();
    at(600);
    begin_probe();
    assert_int_equal(shown("permits_free"), 0);
    assert_int_equal(shown("retry_after_ms"), 104); /* of 700, rounded up to a step of 64 ms */
    at(703);
    assert_int_equal(shown("retry_after_ms"), 1);
    at(704);
    assert_int_equal(shown("retry_after_ms"), 0);
    begin_probe();
}

static void test_a_probe_of_an_earlier_epoch_delays_no_call_that_the_verdict_holds_back(void **state)
{
    (void)state;
    start(OPEN ", half_open: {permits: 2, successes: 1, max_wait: 500ms}");
    trip();
    at(100);
    begin_probe(); /* until 640 */
    trip();
    at(200);
    begin_probe(); /* until 704: one success is all that is needed */
    assert_int_equal(shown("permits_free"), 0);
    assert_int_equal(shown("retry_after_ms"), 504);
}

static void test_forced_open_for_a_time_hides_no_longer_open_time(void **state)
{
    (void)state;
    start("open: {for: 1s, jitter: 0%}");
    trip();
    at(10);
    set_mode(TRIP_MODE_FORCED_OPEN, 100);
    assert_int_equal(shown("retry_after_ms"), 990);
    set_mode(TRIP_MODE_FORCED_OPEN, 5000);
    assert_int_equal(shown("retry_after_ms"), 5000);
    set_mode(TRIP_MODE_FORCED_OPEN, 0);
    assert_int_equal(shown("retry_after_ms"), -1);
}

static void test_behind_a_mode_that_ends_the_next_one_decides(void **state)
{
    (void)state;
    start("open: {for: 1s, jitter: 0%}");
    trip();
    set_mode(TRIP_MODE_FORCED_OPEN, 100);
    breakers_mode(host->breakers, slot, MODE_OWNER_FLEET, TRIP_MODE_FORCED_OPEN, 300, &operator);
    breakers_mode(host->breakers, slot, MODE_OWNER_RULE, TRIP_MODE_DISABLED, 0, &operator);
    assert_int_equal(shown("retry_after_ms"), 300);
    breakers_mode(host->breakers, slot, MODE_OWNER_FLEET, TRIP_MODE_FORCED_OPEN, 0, &operator);
    assert_int_equal(shown("retry_after_ms"), -1);
}

static void test_a_mode_that_freezes_grants_no_permit(void **state)
{
    (void)state;
    start(OPEN);
    trip();
    at(100);
    assert_int_equal(shown("permits_free"), 1);
    set_mode(TRIP_MODE_DISABLED, 0);
    assert_int_equal(shown("permits_free"), 0);
    assert_int_equal(shown("retry_after_ms"), 0);
    set_mode(TRIP_MODE_FORCED_OPEN, 50);
    assert_int_equal(shown("permits_free"), 0);
    assert_int_equal(shown("retry_after_ms"), 50);
    at(150);
    assert_int_equal(shown("permits_free"), 1);
}

/* ------------------------------------------------------------------------------------------- when a mode ends */

static void test_a_streak_of_a_frozen_time_opens_when_the_mode_ends(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 2, failure_rate: 0%}, " OPEN);
    set_mode(TRIP_MODE_DISABLED, 0);
    report("FFF");
    assert_int_equal(now(), WORD_CLOSED);
    at(1);
    set_mode(TRIP_MODE_AUTO, 0);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(last_move()->at_ms, 1);
}

static void test_a_streak_of_a_frozen_time_opens_at_the_end_of_its_ttl(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 2, failure_rate: 0%}, " OPEN);
    set_mode(TRIP_MODE_DISABLED, 70);
    report("FFF");
    at(69);
    assert_int_equal(now(), WORD_CLOSED);
    at(1000);
    assert_int_equal(host->moves[0].reason, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(host->moves[0].at_ms, 70);
}

static void test_failures_of_a_frozen_ramp_open_at_the_end_of_its_ttl(void **state)
{
    (void)state;
    start("trip: {" OFF ", failures: 3}, half_open: {successes: 1}, ramp: {over: 10s, steps: [100%]}, " OPEN);
    trip();
    at(100);
    end_probe(begin_probe(), PERMIT_OK);
    assert_int_equal(now(), WORD_RAMPING);
    set_mode(TRIP_MODE_DISABLED, 70);
    report("FFF");
    assert_int_equal(now(), WORD_RAMPING);
    at(170);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_RELAPSE);
    assert_int_equal(last_move()->condition, TRIP_REASON_FAILURES);
    assert_int_equal(last_move()->at_ms, 170);
}

static void test_calls_forgotten_while_a_mode_kept_the_state_open_nothing(void **state)
{
    (void)state;
    start("trip: {" OFF ", failures: 3}, window: {type: time, for: 1s}, " OPEN);
    set_mode(TRIP_MODE_DISABLED, 0);
    report("FFF");
    at(2000);
    set_mode(TRIP_MODE_AUTO, 0);
    assert_int_equal(now(), WORD_CLOSED);
}

static void test_a_relapse_says_which_condition_held_and_an_operator_s_trip_is_none(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 2, failure_rate: 0%}, half_open: {successes: 1}, ramp: {over: 10s}, " OPEN);
    for (unsigned round = 0; round < 2; round++) {
        trip();
        assert_int_equal(last_move()->reason, TRIP_REASON_OPERATOR);
        assert_int_equal(last_move()->condition, TRIP_REASON_NONE);
        assert_int_equal(host->segment->details[slot].condition, TRIP_REASON_NONE);
        host_advance(host, 100);
        end_probe(begin_probe(), PERMIT_OK);
        assert_int_equal(now(), WORD_RAMPING);
    }
    report("FF");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_RELAPSE);
    assert_int_equal(last_move()->by, BY_CLIENT);
    assert_int_equal(last_move()->condition, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(host->segment->details[slot].condition, TRIP_REASON_CONSECUTIVE);
}

/* ------------------------------------------------------------------------------------------------- conditions */

static void test_forgetting_alone_opens_nothing_and_the_next_outcome_does(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, window: {type: time, for: 10s}, " OPEN);
    report("SSSSSSSSSSSS");
    at(5000);
    report("FFFFFFFFFF"); /* 10 of 22 */
    at(12000);
    assert_int_equal(now(), WORD_CLOSED); /* 10 of 10 */
    report("S");                          /* counted, not told */
    at(12250);
    assert_int_equal(host->moves[0].reason, TRIP_REASON_FAILURE_RATE);
    assert_in_range(host->moves[0].at_ms, 12000, 12250);
}

static void test_calls_in_flight_are_judged_when_half_open_closes(void **state)
{
    (void)state;
    start("trip: {" OFF ", in_flight: 3}, half_open: {successes: 1}, " OPEN);
    lane_meter_at(client.writer.memory, meter)->started = 2;
    trip();
    at(100);
    const uint32_t place = begin_probe();
    lane_meter_at(client.writer.memory, meter)->started = 4; /* the probe, and one of before */
    end_probe(place, PERMIT_OK);
    breakers_drain_all(host->breakers);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_IN_FLIGHT);
    assert_int_equal(last_move()->at_ms, 100);
}

/* ----------------------------------------------------------------------------------------------------- growth */

#define GROWS "open: {for: 1s, multiplier: 2.0, max: 16s, jitter: 0%, forget: 10ms}"

static long long next_open_ms(void)
{
    breakers_drain_all(host->breakers);
    return (long long)host_policy(host, slot)->next_open_ms;
}

static void test_growth_is_forgotten_when_forget_has_passed_since_the_opening_ended(void **state)
{
    (void)state;
    start(GROWS);
    trip();
    assert_int_equal(next_open_ms(), 2000);
    at(1009);
    assert_int_equal(next_open_ms(), 2000); /* it ended at 1000 */
    at(1010);
    assert_int_equal(next_open_ms(), 1000);
    at(1500);
    assert_int_equal(next_open_ms(), 1000);
}

static void test_a_reset_forgets_growth_and_makes_calls_in_flight_late(void **state)
{
    (void)state;
    start("open: {for: 1s, multiplier: 2.0, max: 16s, jitter: 0%}");
    const uint32_t epoch = word_epoch(host_word(host, slot));
    trip();
    assert_int_equal(next_open_ms(), 2000);
    assert_int_equal(breakers_reset(host->breakers, slot, &operator), 0);
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(next_open_ms(), 1000);
    assert_int_equal(word_epoch(host_word(host, slot)), epoch + 2); /* which is another one than theirs */
    assert_int_equal(breakers_reset(host->breakers, slot, &operator), 0);
    assert_int_equal(word_epoch(host_word(host, slot)), epoch + 3);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_half_open_breaker_may_be_tried_when_the_first_lease_ends),
        TEST(a_probe_of_an_earlier_epoch_delays_no_call_that_the_verdict_holds_back),
        TEST(forced_open_for_a_time_hides_no_longer_open_time),
        TEST(behind_a_mode_that_ends_the_next_one_decides),
        TEST(a_mode_that_freezes_grants_no_permit),
        TEST(a_streak_of_a_frozen_time_opens_when_the_mode_ends),
        TEST(a_streak_of_a_frozen_time_opens_at_the_end_of_its_ttl),
        TEST(failures_of_a_frozen_ramp_open_at_the_end_of_its_ttl),
        TEST(calls_forgotten_while_a_mode_kept_the_state_open_nothing),
        TEST(a_relapse_says_which_condition_held_and_an_operator_s_trip_is_none),
        TEST(forgetting_alone_opens_nothing_and_the_next_outcome_does),
        TEST(calls_in_flight_are_judged_when_half_open_closes),
        TEST(growth_is_forgotten_when_forget_has_passed_since_the_opening_ended),
        TEST(a_reset_forgets_growth_and_makes_calls_in_flight_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
