/* The breakers of an instance under a test clock: what clients tell moves states, tripd's kills and hostile words do
 * not disturb them. Expectations are literal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "breakers/permits.h"

/* No growth, no jitter: times are literal. */
#define STEADY "open: {for: 30s, multiplier: 1.0, max: 30s, jitter: 0%}"

static struct host *host;
static struct client client, other;
static uint32_t slot, meter, other_meter;

/* A breaker "db" with these settings, and two clients of it. */
static void start(const char *settings)
{
    host = host_start_by(host_settings(settings), 8);
    slot = host_breaker(host, "db");
    client_start(host, &client, 101);
    client_start(host, &other, 102);
    meter = client_meter(host, &client, slot);
    other_meter = client_meter(host, &other, slot);
}

static int stop(void **state)
{
    (void)state;
    client_free(&client);
    client_free(&other);
    host_stop(host);
    return 0;
}

static void report(const char *outcomes)
{
    client_reports(host, &client, meter, slot, outcomes);
    breakers_rung(host->breakers);
}

static void report_other(const char *outcomes)
{
    client_reports(host, &other, other_meter, slot, outcomes);
    breakers_rung(host->breakers);
}

static enum word_state now(void)
{
    return host_state(host, slot);
}

static const struct transition *last_move(void)
{
    assert_true(host->move_count > 0);
    return &host->moves[host->move_count - 1];
}

static trip_reason shown_reason(void)
{
    return (trip_reason)host->segment->details[slot].reason;
}

/* Answers a probe. */
static void probe(enum permit_outcome answer)
{
    const uint32_t place = client_take_permit(host, &client, slot);
    assert_int_not_equal(place, PERMITS_PER_BREAKER);
    client_answer(host, &client, meter, slot, place, answer);
    breakers_rung(host->breakers);
}

static uint32_t armed(void)
{
    uint32_t count = 0;
    for (uint32_t place = 0; place < PERMITS_PER_BREAKER; place++)
        count += permit_takeable(commons_permits(host->commons, slot)[place], host_word(host, slot));
    return count;
}

/* ------------------------------------------------------------------------------------------------ making a breaker */

static void test_a_breaker_comes_into_being_closed(void **state)
{
    (void)state;
    start(STEADY);
    uint32_t again;
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(word_streak(host_word(host, slot)), 0);
    assert_int_equal(breakers_resolve(host->breakers, 0, "db", &again), 0);
    assert_int_equal(again, slot);
    assert_int_equal(breakers_resolve(host->breakers, 0, "two words", &again), -EINVAL);
    const struct policy_slot *const policy = host_policy(host, slot);
    const uint64_t judge = policy->judge[word_generation(host_word(host, slot)) & 1];
    assert_int_equal(judge_generation(judge), word_generation(host_word(host, slot)));
    assert_int_equal(judge_threshold(judge), 5);
    assert_int_equal(judge_mode(judge), TRIP_MODE_AUTO);
    assert_false(judge_watched(judge));
    assert_int_equal(policy->slow_after_ns, 60000000000);
    assert_int_equal(policy->next_open_ms, 30000);
    assert_int_equal(policy->longest_ms, 30000);
    assert_int_equal(half_open_permits(policy->half_open), 1);
    assert_int_equal(half_open_max_wait_ms(policy->half_open), 10000);
    assert_int_equal(policy->admission, policy_plain(segment_incarnation(host->segment, slot), 1));
    assert_string_equal(host->segment->details[slot].settings_match, "*");
}

static void test_a_full_table_refuses_the_next_name(void **state)
{
    (void)state;
    start(STEADY);
    char name[] = "b0";
    uint32_t made;
    report("S");
    for (; name[1] < '7'; name[1]++) {
        assert_int_equal(breakers_resolve(host->breakers, 0, name, &made), 0);
        client_reports(host, &client, client_meter(host, &client, made), made, "S");
    }
    breakers_drain_all(host->breakers);
    assert_int_equal(breakers_resolve(host->breakers, 0, "b8", &made), -ENOSPC);
    assert_int_equal(host->segment->header->overflow, 1);
}

/* --------------------------------------------------------------------------------------------------------- streaks */

static void test_five_failures_in_a_row_open(void **state)
{
    (void)state;
    start(STEADY);
    host_advance(host, 1000);
    report("FFFF");
    assert_int_equal(now(), WORD_CLOSED);
    report("F");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 31000);
    assert_int_equal(host->move_count, 1);
    assert_int_equal(last_move()->from, TRIP_STATE_CLOSED);
    assert_int_equal(last_move()->to, TRIP_STATE_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(last_move()->by, BY_CLIENT);
    assert_int_equal(last_move()->at_ms, 1000);
    assert_int_equal(last_move()->epoch, word_epoch(host_word(host, slot)));
    assert_string_equal(last_move()->name, "db");
    assert_int_equal(shown_reason(), TRIP_REASON_CONSECUTIVE);
    assert_int_equal(host->segment->details[slot].until_ms, 31000);
    assert_int_equal(host->segment->mirror[slot], host_word(host, slot));
    assert_int_equal(host_head(host, slot)->totals.failures, 5);
    assert_int_equal(host_head(host, slot)->totals.calls, 5);
    assert_int_equal(host_head(host, slot)->window_failures, 5);
    assert_int_equal(host_head(host, slot)->totals.opens, 1);
    assert_int_equal(host_head(host, slot)->totals.trips[TRIP_REASON_CONSECUTIVE], 1);
}

static void test_a_success_between_breaks_the_streak(void **state)
{
    (void)state;
    start(STEADY);
    report("FF");
    report_other("S");
    report_other("FFFF");
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(word_streak(host_word(host, slot)), 4);
}

static void test_a_streak_goes_over_processes(void **state)
{
    (void)state;
    start(STEADY);
    report("FF");
    report_other("FFF");
    assert_int_equal(now(), WORD_OPEN);
}

/* libtrip tells a step after it took it. A step after its event is found as one that nobody told. */
static void test_a_step_whose_event_was_read_before_it_is_noticed_by_the_heartbeat(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFF");
    const uint32_t epoch = word_epoch(host_word(host, slot));
    writer_outcome(&client.writer, meter, epoch, TRIP_FAILURE, false, 0);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    assert_int_equal(host->move_count, 0);
    client_streak(host, slot, epoch, true);
    breakers_beat(host->breakers);
    assert_int_equal(host->move_count, 1);
    assert_int_equal(last_move()->reason, TRIP_REASON_CONSECUTIVE);
}

/* ------------------------------------------------------------------------------------------------ rates and counts */

static void test_a_failure_rate_opens_once_enough_calls_came(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, " STEADY);
    report("SSSSFFFF");
    assert_int_equal(now(), WORD_CLOSED); /* 4 of 8, of minimum_calls 10 */
    report("S");
    report("F");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_FAILURE_RATE);
    assert_int_equal(last_move()->by, BY_DAEMON);
    assert_int_equal(host_head(host, slot)->window_calls, 10);
}

static void test_a_success_that_completes_minimum_calls_opens_with_the_tick(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, " STEADY);
    report("FFFFFF");
    report("SSSS"); /* counted, told to nobody */
    assert_int_equal(now(), WORD_CLOSED);
    host_advance_ns(host, 1); /* drains, so that the tick is not needed */
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_FAILURE_RATE);
}

static void test_the_tick_comes_within_250_ms_and_only_while_it_can_help(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, forget_after: 0s, " STEADY);
    assert_true(breakers_due(host->breakers) == UINT64_MAX);
    host_sleep(host, 1100);
    report("FFFFFF");
    assert_int_equal(breakers_due(host->breakers), 1250000000);
    client_reports(host, &client, meter, slot, "SSSS");
    host_sleep(host, 150);
    breakers_tick(host->breakers);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->at_ms, 1250);
}

static void test_a_condition_that_held_at_a_told_call_opens_whatever_came_after(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, " STEADY);
    client_reports(host, &client, meter, slot, "SSSSSFFFFFSSSSSSSSSSSSSSSSSSSSSSSS");
    breakers_rung(host->breakers);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(host_head(host, slot)->window_calls, 10);
    assert_int_equal(host_head(host, slot)->totals.calls, 34);
}

static void test_other_lanes_successes_count_before_a_rate_is_judged(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, " STEADY);
    breakers_drain_all(host->breakers);
    host_sleep(host, 1000);
    client_reports(host, &other, other_meter, slot, "SSSSSSSSSSSSSSSSSSSS"); /* 20, nobody told */
    report("FFFFFFFFFF");
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(host_head(host, slot)->window_calls, 30);
}

static void test_a_number_of_failures_opens_whatever_the_rate(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, failures: 3}, " STEADY);
    report("FSSSSSSFSSSSSS");
    assert_int_equal(now(), WORD_CLOSED);
    report("F");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_FAILURES);
}

static void test_slow_calls_open(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, slow_rate: 50%}, " STEADY);
    report("SSSSSssss");
    assert_int_equal(now(), WORD_CLOSED);
    report("s");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_SLOW_RATE);
    assert_int_equal(host_head(host, slot)->totals.slow, 5);
    assert_int_equal(host_head(host, slot)->totals.ok, 10);
}

static void test_a_time_window_that_has_forgotten_all_wakes_nobody(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 50%}, window: {type: time, for: 10s, minimum_calls: 10}, "
          "forget_after: 0s");
    client_reports(host, &client, meter, slot, "F");
    breakers_drain_all(host->breakers);
    assert_true(breakers_due(host->breakers) <= host->clock.test_now_ns + 10 * TRIP_S);
    host_advance(host, 25000);
    assert_true(breakers_due(host->breakers) > host->clock.test_now_ns + 3600 * TRIP_S);
}

static void test_a_time_window_forgets(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, failures: 4}, window: {type: time, for: 10s}, " STEADY);
    report("FFF");
    host_advance(host, 11000);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->window_calls, 0); /* people see that it forgot */
    report("FFF");
    assert_int_equal(now(), WORD_CLOSED);
    report("F");
    assert_int_equal(now(), WORD_OPEN);
}

static void test_calls_in_flight_open(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, in_flight: 3}, " STEADY);
    struct meter *const line = lane_meter_at(client.writer.memory, meter);
    assert_true(judge_watched(host_policy(host, slot)->judge[word_generation(host_word(host, slot)) & 1]));
    line->started = 1;
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->in_flight, 1);
    lane_meter_at(other.writer.memory, other_meter)->started = 1;
    client_mark_dirty(host, &other);
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->in_flight, 2);
    line->started = 2;
    host_sleep(host, 250);
    breakers_tick(host->breakers);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_IN_FLIGHT);
    assert_int_equal(host_head(host, slot)->in_flight, 3);
}

/* ----------------------------------------------------------------------------------------- open, half-open, closed */

static void test_an_open_breaker_half_opens_at_its_deadline_and_arms_one_permit(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 29999);
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 1);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1);
    assert_int_equal(host_policy(host, slot)->permits_free, 1);
    assert_int_equal(last_move()->to, TRIP_STATE_HALF_OPEN);
    assert_int_equal(host_head(host, slot)->totals.state_ns[TRIP_STATE_OPEN], UINT64_C(30000000000));
}

static void test_good_probes_close_and_the_windows_are_empty(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    probe(PERMIT_OK);
    assert_int_equal(armed(), 1);
    probe(PERMIT_SLOW_OK);
    assert_int_equal(now(), WORD_HALF_OPEN);
    probe(PERMIT_OK);
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(host_head(host, slot)->window_calls, 0);
    assert_int_equal(host_head(host, slot)->totals.ok, 3);
    assert_int_equal(host_head(host, slot)->totals.calls, 8);
    assert_int_equal(word_streak(host_word(host, slot)), 0);
    report("FFFFF");
    assert_int_equal(now(), WORD_OPEN);
}

static void test_a_failed_probe_reopens(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    probe(PERMIT_OK);
    probe(PERMIT_FAILED);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_PROBE_FAILED);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 60000);
}

static void test_a_neutral_probe_gives_its_permit_back(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    for (unsigned i = 0; i < 5; i++)
        probe(PERMIT_NEUTRAL);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1);
    assert_int_equal(host_head(host, slot)->probe_ok, 0);
    assert_int_equal(host_head(host, slot)->totals.ignored, 5);
}

static void test_recorded_outcomes_count_as_probes(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    report("SS");
    assert_int_equal(armed(), 1); /* one more is needed */
    report("S");
    assert_int_equal(now(), WORD_CLOSED);
}

static void test_outcomes_while_open_move_nothing(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    const uint64_t word = host_word(host, slot);
    report("SSSFFFFFF");
    assert_int_equal(host_word(host, slot), word);
    assert_int_equal(host_head(host, slot)->totals.calls, 14);
    assert_int_equal(host_head(host, slot)->window_calls, 5);
    host_advance(host, 30000);
    assert_int_equal(host_head(host, slot)->probe_ok, 0);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

static void test_no_more_permits_are_armed_than_the_verdict_needs(void **state)
{
    (void)state;
    start("half_open: {permits: 5, successes: 7}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    assert_int_equal(armed(), 5);
    uint32_t places[5];
    for (unsigned i = 0; i < 5; i++)
        places[i] = client_take_permit(host, &client, slot);
    for (unsigned i = 0; i < 4; i++)
        client_answer(host, &client, meter, slot, places[i], PERMIT_OK);
    breakers_rung(host->breakers);
    assert_int_equal(armed(), 2); /* 4 were good, 1 runs: 2 more */
    client_answer(host, &client, meter, slot, places[4], PERMIT_OK);
    breakers_rung(host->breakers);
    assert_int_equal(armed(), 2);
    report("S"); /* recorded without a permit: one less is needed */
    assert_int_equal(armed(), 1);
    probe(PERMIT_OK);
    assert_int_equal(now(), WORD_CLOSED);
}

static void test_a_permit_armed_where_no_client_looks_is_taken_back(void **state)
{
    (void)state;
    start("half_open: {permits: 2, successes: 2}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    uint64_t *const permits = commons_permits(host->commons, slot);
    permits[60] = permit_armed(permits[60], word_epoch(host_word(host, slot)));
    permits[61] = permit_armed(permits[61], word_epoch(host_word(host, slot)));
    permits[0] = permits[1] = 0;
    breakers_drain_all(host->breakers);
    assert_int_equal(permit_outcome(permits[60]), PERMIT_FREE);
    assert_int_equal(permit_outcome(permits[61]), PERMIT_FREE);
    assert_true(client_take_permit(host, &client, slot) < 2);
    assert_true(client_take_permit(host, &other, slot) < 2);
}

/* An answer comes between the count of answers and the arming after it. */
static void test_an_answer_that_is_not_counted_yet_leaves_its_place_taken(void **state)
{
    (void)state;
    start("half_open: {permits: 2, successes: 2}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    probe(PERMIT_OK);
    const uint32_t place = client_take_permit(host, &client, slot);
    assert_int_equal(armed(), 0); /* one more is needed, and runs */
    uint64_t *const permit = &commons_permits(host->commons, slot)[place];
    for (unsigned answer = PERMIT_OK; answer <= PERMIT_SLOW_FAILED; answer++) {
        *permit = permit_with_outcome(*permit, (enum permit_outcome)answer);
        breakers_permits_renew(host->breakers, slot, host_word(host, slot));
        assert_int_equal(armed(), 0);
    }
    *permit = permit_with_outcome(*permit, PERMIT_NEUTRAL);
    breakers_drain_all(host->breakers);
    assert_int_equal(armed(), 1); /* counted, and it was no answer */
}

static void test_a_verdict_by_rate_comes_as_soon_as_it_is_certain(void **state)
{
    (void)state;
    start("half_open: {permits: 10, verdict: rate, sample: 10, successes: 1}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    assert_int_equal(armed(), 10);
    for (unsigned i = 0; i < 4; i++)
        probe(PERMIT_FAILED);
    assert_int_equal(now(), WORD_HALF_OPEN); /* 4 of 10 are 40% */
    assert_int_equal(armed(), 6);
    for (unsigned i = 0; i < 5; i++)
        probe(PERMIT_OK);
    assert_int_equal(now(), WORD_HALF_OPEN); /* the tenth decides */
    probe(PERMIT_OK);
    assert_int_equal(now(), WORD_CLOSED);
    report("FFFFF");
    host_advance(host, 30000);
    for (unsigned i = 0; i < 5; i++)
        probe(PERMIT_FAILED);
    assert_int_equal(now(), WORD_OPEN); /* 50% whatever else comes */
}

static void test_a_lease_that_ends_is_neutral_and_the_permit_is_armed_again(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    const uint32_t place = client_take_permit(host, &client, slot);
    const uint64_t held = commons_permits(host->commons, slot)[place];
    breakers_drain_all(host->breakers);
    assert_int_equal(armed(), 0);
    assert_int_equal(host_policy(host, slot)->permits_free, 0);
    host_advance(host, 9900);
    assert_int_equal(armed(), 0);
    host_advance(host, 200);
    assert_int_equal(armed(), 1);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_not_equal(permit_serial(commons_permits(host->commons, slot)[place]), permit_serial(held));
}

static void test_the_death_of_a_prober_gives_its_permit_back_at_once(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    client_take_permit(host, &other, slot);
    breakers_drain_all(host->breakers);
    assert_int_equal(armed(), 0);
    client_die(host, &other);
    assert_int_equal(armed(), 1);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

static void test_a_probe_of_an_earlier_half_open_keeps_its_permit(void **state)
{
    (void)state;
    start("half_open: {permits: 2, successes: 3}, open: {for: 1s, multiplier: 1.0, max: 1s, jitter: 0%}");
    report("FFFFF");
    host_advance(host, 1000);
    const uint32_t hung = client_take_permit(host, &other, slot);
    probe(PERMIT_FAILED);
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 1000);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1); /* two at once, and one still runs */
    assert_int_equal(permit_outcome(commons_permits(host->commons, slot)[hung]), PERMIT_OWNED);
    client_answer(host, &other, other_meter, slot, hung, PERMIT_OK); /* late: it counts for nothing */
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->probe_ok, 0);
    assert_int_equal(armed(), 2);
}

/* ------------------------------------------------------------------------------------------------------ open times */

static void test_open_times_grow_are_capped_and_forgotten(void **state)
{
    (void)state;
    start("open: {for: 10s, multiplier: 2.0, max: 35s, jitter: 0%, forget: 60s}, half_open: {successes: 1}");
    report("FFFFF");
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 10000);
    host_advance(host, 10000);
    assert_int_equal(host_policy(host, slot)->next_open_ms, 20000);
    probe(PERMIT_FAILED);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 30000);
    host_advance(host, 20000);
    probe(PERMIT_OK);
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(host_policy(host, slot)->next_open_ms, 35000);
    host_advance(host, 59999); /* the last opening ended at 30 s */
    assert_int_equal(host_policy(host, slot)->next_open_ms, 35000);
    host_advance(host, 1);
    assert_int_equal(host_policy(host, slot)->next_open_ms, 10000);
    report("FFFFF");
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 100000);
}

static void test_open_times_grow_beyond_forget(void **state)
{
    (void)state;
    static const uint64_t deadlines[] = {10000, 30000, 70000, 150000, 310000, 610000};
    start("open: {for: 10s, multiplier: 2.0, max: 300s, jitter: 0%, forget: 60s}, half_open: {successes: 1}");
    report("FFFFF");
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(word_deadline_ms(host_word(host, slot)), deadlines[i]);
        host_advance(host, deadlines[i] - (i ? deadlines[i - 1] : 0));
        probe(PERMIT_FAILED);
    }
}

static void test_jitter_stays_within_its_bounds_and_below_the_longest(void **state)
{
    (void)state;
    start("open: {for: 10s, multiplier: 1.0, max: 10s, jitter: 20%}, half_open: {successes: 1}");
    uint64_t shortest = UINT64_MAX, longest = 0;
    assert_int_equal(host_policy(host, slot)->longest_ms, 12000);
    for (unsigned i = 0; i < 50; i++) {
        const uint64_t next = host_policy(host, slot)->next_open_ms;
        shortest = next < shortest ? next : shortest;
        longest = next > longest ? next : longest;
        report("FFFFF");
        host_advance(host, 12000);
        probe(PERMIT_OK);
        host->move_count = 0;
    }
    assert_in_range(shortest, 8000, 9000);
    assert_in_range(longest, 11000, 12000);
}

/* ------------------------------------------------------------------------------------------------------------ ramp */

#define RAMP STEADY ", half_open: {successes: 1}, ramp: {over: 4s, steps: [10%, 25%, 50%, 100%]}"

static void close_to_ramp(void)
{
    report("FFFFF");
    host_advance(host, 30000);
    probe(PERMIT_OK);
    assert_int_equal(now(), WORD_RAMPING);
}

static void test_a_ramp_goes_up_in_steps_and_ends_closed(void **state)
{
    (void)state;
    start(RAMP);
    close_to_ramp();
    const uint64_t ramping = host_word(host, slot);
    assert_int_equal(word_permille(ramping), 100);
    assert_int_equal(ramp_end_epoch(host_policy(host, slot)->ramp_end), word_epoch(ramping));
    assert_int_equal(ramp_end_ms(host_policy(host, slot)->ramp_end), 34000);
    host_advance(host, 1000);
    assert_int_equal(word_permille(host_word(host, slot)), 250);
    assert_int_equal(word_epoch(host_word(host, slot)), word_epoch(ramping));
    host_advance(host, 1000);
    assert_int_equal(word_permille(host_word(host, slot)), 500);
    host_advance(host, 1000);
    assert_int_equal(word_permille(host_word(host, slot)), 1000);
    report("F");
    host_advance(host, 1000);
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(word_streak(host_word(host, slot)), 1); /* the streak goes on */
    assert_int_equal(host_head(host, slot)->window_calls, 1);
    assert_int_equal(last_move()->from, TRIP_STATE_RAMPING);
}

static void test_failures_on_the_ramp_are_a_relapse(void **state)
{
    (void)state;
    start(RAMP);
    close_to_ramp();
    report("FFFFF");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_RELAPSE);
    assert_int_equal(last_move()->by, BY_CLIENT);
}

static void test_a_rate_on_the_ramp_is_a_relapse(void **state)
{
    (void)state;
    start(RAMP ", trip: {consecutive_failures: 0}");
    breakers_trip(host->breakers, slot, 0, &(struct breakers_actor){.by = BY_OPERATOR});
    host_advance(host, 30000);
    probe(PERMIT_OK);
    report("SSSSSFFFFF");
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_RELAPSE);
    assert_int_equal(last_move()->by, BY_DAEMON);
}

/* ---------------------------------------------------------------------------------------------------------- stalls */

#define STALLS "trip: {consecutive_failures: 2, stall_after: 500ms}, " STEADY

static void begin_call(struct client *of, uint32_t of_meter, uint32_t place)
{
    struct lane_call *const call = lane_call_at(of->writer.memory, place);
    writer_total(&lane_meter_at(of->writer.memory, of_meter)->started, 1);
    call->ticks = host->clock.test_now_ns;
    __atomic_store_n(&call->state, lane_call_state(of_meter, 7, LANE_CALL_RUNNING), __ATOMIC_RELEASE);
}

static void begin_call_and_ring(struct client *of, uint32_t of_meter, uint32_t place)
{
    begin_call(of, of_meter, place);
    client_mark_dirty(host, of);
    breakers_rung(host->breakers);
}

static enum lane_call_status call_status(struct client *of, uint32_t place)
{
    return lane_call_status(lane_call_at(of->writer.memory, place)->state);
}

static void test_a_stalled_call_counts_once_as_a_failure(void **state)
{
    (void)state;
    start(STALLS);
    host_sleep(host, 1000);
    begin_call_and_ring(&client, meter, 3);
    assert_int_equal(breakers_due(host->breakers), 1500000001);
    host_advance(host, 500);
    assert_int_equal(call_status(&client, 3), LANE_CALL_RUNNING); /* for as long, not for longer */
    host_advance_ns(host, 1);
    assert_int_equal(call_status(&client, 3), LANE_CALL_STALLED);
    assert_int_equal(host_head(host, slot)->window_failures, 1);
    assert_int_equal(host_head(host, slot)->totals.calls, 0); /* it has not returned */
    assert_int_equal(word_streak(host_word(host, slot)), 1);
    assert_int_equal(host->segment->details[slot].error_type, TRIP_ERROR_TIMEOUT);
    host_advance(host, 5000);
    assert_int_equal(host_head(host, slot)->window_failures, 1);
}

static void test_stalls_in_a_row_open_before_any_returns(void **state)
{
    (void)state;
    start(STALLS);
    begin_call(&client, meter, 0);
    host_advance(host, 100);
    begin_call(&other, other_meter, 0);
    host_advance(host, 501);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(last_move()->by, BY_DAEMON);
    assert_int_equal(last_move()->at_ms, 600);
}

static void test_calls_that_nobody_told_of_stall_when_the_test_clock_moves(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, stall_after: 500ms}, " STEADY);
    for (uint32_t place = 0; place < 8; place++)
        begin_call(&client, meter, place);
    host_advance(host, 10000);
    assert_int_equal(host_head(host, slot)->window_failures, 8);
}

static void test_a_stall_is_slow_where_it_lasted_for_long_enough(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, slow_after: 100ms, stall_after: 500ms}, " STEADY);
    begin_call(&client, meter, 0);
    host_advance(host, 501);
    assert_int_equal(host_head(host, slot)->window_calls, 1);
    assert_int_equal(host_head(host, slot)->window_failures, 1);
    assert_int_equal(host_head(host, slot)->window_slow, 1);
}

static void test_a_call_that_returns_in_time_does_not_stall(void **state)
{
    (void)state;
    start(STALLS);
    begin_call(&client, meter, 0);
    host_advance(host, 400);
    lane_call_at(client.writer.memory, 0)->state = lane_call_state(meter, 7, LANE_CALL_FREE);
    host_advance(host, 5000);
    assert_int_equal(host_head(host, slot)->window_failures, 0);
}

static void test_a_call_begun_before_the_breaker_opened_does_not_stall_after_it(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 2, stall_after: 60s}, half_open: {successes: 1}, " STEADY);
    host_sleep(host, 10);
    begin_call(&client, meter, 0);
    report("FF");
    host_advance(host, 30000);
    probe(PERMIT_OK);
    assert_int_equal(now(), WORD_CLOSED);
    host_advance(host, 60000);
    assert_int_equal(host_head(host, slot)->window_failures, 0);
    assert_int_equal(call_status(&client, 0), LANE_CALL_RUNNING);
}

static void test_a_stall_that_was_claimed_and_not_counted_is_counted_by_the_next_worker(void **state)
{
    (void)state;
    start(STALLS);
    begin_call(&client, meter, 0);
    begin_call(&other, other_meter, 0);
    struct lane_call *const call = lane_call_at(client.writer.memory, 0);
    struct lane_call *const returned = lane_call_at(other.writer.memory, 0);
    host_sleep(host, 600);
    call->state = lane_call_with_status(call->state, LANE_CALL_STALLING);
    returned->state = lane_call_with_status(returned->state, LANE_CALL_RETURNED);
    struct client both[] = {client, other};
    host_kill(host, both, 2);
    client = both[0];
    other = both[1];
    assert_int_equal(call_status(&client, 0), LANE_CALL_STALLED);
    assert_int_equal(call_status(&other, 0), LANE_CALL_FREE);
    assert_int_equal(host_head(host, slot)->window_failures, 2);
    assert_int_equal(now(), WORD_OPEN);
}

/* ------------------------------------------------------------------------------------------------ operators, modes */

static const struct breakers_actor operator= {.by = BY_OPERATOR, .uid = 12, .reason = "maintenance"};

static void test_an_operator_trips_and_the_breaker_recovers_by_itself(void **state)
{
    (void)state;
    start(STEADY);
    assert_int_equal(breakers_trip(host->breakers, slot, 5000, &operator), 0);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 5000);
    assert_int_equal(last_move()->reason, TRIP_REASON_OPERATOR);
    assert_int_equal(last_move()->by, BY_OPERATOR);
    assert_int_equal(last_move()->uid, 12);
    assert_string_equal(last_move()->note, "maintenance");
    host_advance(host, 5000);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(host->segment->details[slot].by, BY_OPERATOR);
    assert_int_equal(host->segment->details[slot].uid, 12);
    assert_string_equal(host->segment->details[slot].note, "maintenance");
    assert_int_equal(breakers_reset(host->breakers, slot, &(struct breakers_actor){.by = BY_OPERATOR, .uid = 13}), 0);
    assert_int_equal(host->segment->details[slot].uid, 13);
    assert_string_equal(host->segment->details[slot].note, "");
    assert_int_equal(breakers_trip(host->breakers, 7, 0, &operator), -ENOENT);
}

/* Killed when the step was committed, and before it was told. */
static void test_an_operator_s_reason_survives_a_kill_in_the_journal(void **state)
{
    (void)state;
    start(STEADY);
    assert_int_equal(breakers_trip(host->breakers, slot, 5000, &operator), 0);
    host->segment->transitions[(host->segment->header->transition_next - 1) % TRANSITION_RING].epoch = 0;
    segment_detail_actor(host->segment, slot, BY_DAEMON, 0, "");
    host->segment->journal->state = slot + 1;
    host_kill(host, &client, 1);
    assert_int_equal(last_move()->reason, TRIP_REASON_OPERATOR);
    assert_int_equal(last_move()->uid, 12);
    assert_string_equal(last_move()->note, "maintenance");
    assert_string_equal(host->segment->details[slot].note, "maintenance");
}

static void test_an_operator_s_trip_may_be_longer_than_any_other(void **state)
{
    (void)state;
    start(STEADY);
    assert_int_equal(breakers_trip(host->breakers, slot, 3600000, &operator), 0);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 3600000);
    assert_true(host_policy(host, slot)->longest_ms >= 3600000);
    assert_false(word_due(host_word(host, slot), 0, host_policy(host, slot)->longest_ms));
    host_advance(host, 3599999);
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 1);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

static void test_reset_closes_and_empties_the_windows(void **state)
{
    (void)state;
    start(STEADY);
    report("SSSFFFFF");
    assert_int_equal(breakers_reset(host->breakers, slot, &operator), 0);
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(host_head(host, slot)->window_calls, 0);
    assert_int_equal(host_head(host, slot)->totals.calls, 8);
    assert_int_equal(last_move()->to, TRIP_STATE_CLOSED);
    assert_int_equal(last_move()->by, BY_OPERATOR);
    report("FFF");
    assert_int_equal(breakers_reset(host->breakers, slot, &operator), 0); /* closed already: the streak is gone */
    report("FF");
    assert_int_equal(now(), WORD_CLOSED);
}

static void test_forced_open_and_disabled_freeze_the_state(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failures: 3}, " STEADY);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 0, &operator);
    report("FFFFF");
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(host_head(host, slot)->window_failures, 5); /* it records */
    assert_int_equal(breakers_trip(host->breakers, slot, 0, &operator), -EBUSY);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &operator);
    assert_int_equal(now(), WORD_OPEN); /* what it recorded counts */
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 0, &operator);
    host_advance(host, 60000);
    assert_int_equal(now(), WORD_OPEN);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &operator);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

static void test_a_frozen_breaker_s_streak_opens_nothing(void **state)
{
    (void)state;
    start(STEADY);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 0, &operator);
    report("FFFFFFF");
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(word_streak(host_word(host, slot)), 7);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, &operator);
    report("F");
    assert_int_equal(now(), WORD_OPEN); /* shadow moves */
}

static void test_a_mode_ends_with_its_ttl_and_the_next_owner_s_holds(void **state)
{
    (void)state;
    start("mode: shadow, " STEADY);
    const struct policy_slot *const policy = host_policy(host, slot);
    assert_int_equal(policy_mode_now(policy, policy->admission, 0), TRIP_MODE_SHADOW);
    breakers_mode(host->breakers, slot, MODE_OWNER_FLEET, TRIP_MODE_DISABLED, 20000, &operator);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 10000, &operator);
    const uint64_t epoch = word_epoch(host_word(host, slot));
    assert_int_equal(policy->admission & 7, TRIP_MODE_FORCED_OPEN);
    host_advance(host, 10000);
    assert_int_equal(policy->admission & 7, TRIP_MODE_DISABLED);
    assert_int_equal(judge_mode(policy->judge[word_generation(host_word(host, slot)) & 1]), TRIP_MODE_DISABLED);
    host_advance(host, 10000);
    assert_int_equal(policy->admission & 7, TRIP_MODE_SHADOW);
    assert_int_equal(judge_mode(policy->judge[word_generation(host_word(host, slot)) & 1]), TRIP_MODE_SHADOW);
    assert_int_equal(word_epoch(host_word(host, slot)), epoch); /* modes do not move it */
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &operator);
    assert_int_equal(policy->admission & 7, TRIP_MODE_AUTO); /* said, for the config says otherwise */
}

static void test_auto_is_no_mode_where_no_weaker_owner_set_one(void **state)
{
    (void)state;
    start(STEADY);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, &operator);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &operator);
    assert_int_equal(host_policy(host, slot)->modes[MODE_OWNER_OPERATOR], 0);
    assert_int_equal(host_policy(host, slot)->admission, policy_plain(segment_incarnation(host->segment, slot), 1));
}

static void test_a_mode_by_pattern_binds_later_breakers_too(void **state)
{
    (void)state;
    start(STEADY);
    assert_int_equal(breakers_mode_pattern(host->breakers, "d*", TRIP_MODE_SHADOW, 60000, &operator), 0);
    assert_int_equal(host_policy(host, slot)->admission & 7, TRIP_MODE_SHADOW);
    const uint32_t disk = host_breaker(host, "disk"), api = host_breaker(host, "api");
    assert_int_equal(host_policy(host, disk)->admission & 7, TRIP_MODE_SHADOW);
    assert_int_equal(host_policy(host, api)->admission & 7, TRIP_MODE_AUTO);
    host_advance(host, 60000);
    assert_int_equal(host_policy(host, disk)->admission & 7, TRIP_MODE_AUTO);
    assert_int_equal(host_policy(host, host_breaker(host, "dns"))->admission & 7, TRIP_MODE_AUTO);
}

/* ------------------------------------------------------------------------------------------------- reconfiguration */

static void reload(const char *settings)
{
    struct config *const before = host->config;
    host->config = host_settings(settings);
    breakers_reconfigure(host->breakers, host->config);
    config_free(before);
}

static void test_a_reload_keeps_state_window_and_streak(void **state)
{
    (void)state;
    start(STEADY);
    report("SSSFFF");
    const uint64_t before = host_word(host, slot);
    reload("trip: {consecutive_failures: 4}, " STEADY);
    assert_int_equal(word_epoch(host_word(host, slot)), word_epoch(before));
    assert_int_equal(word_streak(host_word(host, slot)), 3);
    assert_int_not_equal(word_generation(host_word(host, slot)), word_generation(before));
    assert_int_equal(host_head(host, slot)->window_calls, 6);
    assert_int_equal(host_head(host, slot)->window_failures, 3);
    report("F");
    assert_int_equal(now(), WORD_OPEN);
    const uint64_t open = host_word(host, slot);
    reload("trip: {consecutive_failures: 9}, open: {for: 1s, max: 1s, jitter: 0%}");
    assert_int_equal(host_word(host, slot), open);
    assert_false(word_due(open, 0, host_policy(host, slot)->longest_ms)); /* the running one may be longer */
}

static void test_a_reload_to_fewer_permits_counts_the_probes_that_run(void **state)
{
    static const char one_second[] = "open: {for: 1s, multiplier: 1.0, max: 1s, jitter: 0%}";
    char settings[256];
    (void)state;
    snprintf(settings, sizeof(settings), "half_open: {permits: 2, successes: 3}, %s", one_second);
    start(settings);
    report("FFFFF");
    host_advance(host, 1000);
    assert_int_equal(client_take_permit(host, &client, slot), 0);
    assert_int_equal(client_take_permit(host, &other, slot), 1);
    client_answer(host, &client, meter, slot, 0, PERMIT_FAILED);
    host_advance(host, 1000);
    assert_int_equal(armed(), 1); /* two at once, and the one of before still runs */
    snprintf(settings, sizeof(settings), "half_open: {permits: 1, successes: 3}, %s", one_second);
    reload(settings);
    assert_int_equal(armed(), 0);
    client_answer(host, &other, other_meter, slot, 1, PERMIT_OK);
    breakers_rung(host->breakers);
    assert_int_equal(armed(), 1);
}

static void test_a_running_probe_that_was_forged_takes_the_place_of_an_armed_permit(void **state)
{
    (void)state;
    start("half_open: {permits: 1, successes: 3}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    assert_int_equal(armed(), 1);
    commons_permits(host->commons, slot)[7] = permit_make(1, 0, client.number, PERMIT_OWNED, host_now_ms(host) + 5000);
    breakers_drain_all(host->breakers);
    assert_int_equal(armed(), 0);
    host_advance(host, 6000);
    assert_int_equal(armed(), 1);
}

static void test_a_reload_that_makes_a_condition_true_opens(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0}, " STEADY);
    report("SSSSSSSSFFF");
    reload("trip: {consecutive_failures: 0, failures: 3}, " STEADY);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(last_move()->reason, TRIP_REASON_FAILURES);
}

static void test_many_reloads_leave_a_judge_for_the_word_each_time(void **state)
{
    (void)state;
    start(STEADY);
    for (unsigned i = 0; i < 70; i++) {
        reload(i % 2 ? "trip: {consecutive_failures: 4}" : "trip: {consecutive_failures: 6}");
        const uint32_t generation = word_generation(host_word(host, slot));
        const uint64_t judge = host_policy(host, slot)->judge[generation & 1];
        assert_int_equal(judge_generation(judge), generation);
        assert_int_equal(judge_threshold(judge), i % 2 ? 4 : 6);
    }
}

/* ------------------------------------------------------------------------------------------------------ forgetting */

static void test_an_idle_breaker_is_hidden_and_goes_on_with_all_it_has(void **state)
{
    (void)state;
    start("forget_after: 60s, " STEADY);
    report("SS");
    host_advance(host, 30000);
    report("SF");
    const uint64_t word = host_word(host, slot);
    host_advance(host, 59000);
    assert_int_equal(host->segment->details[slot].hidden_ms, 0);
    host_advance(host, 2000);
    assert_in_range(host->segment->details[slot].hidden_ms, 89000, 91000);
    assert_true(segment_used(host->segment, slot));
    assert_true(host_word(host, slot) == word);
    assert_int_equal(host_head(host, slot)->window_failures, 1);
    report("F");
    assert_int_equal(host->segment->details[slot].hidden_ms, 0);
    assert_int_equal(word_streak(host_word(host, slot)), 2);
    host_advance(host, 61000);
    assert_int_not_equal(host->segment->details[slot].hidden_ms, 0);
    assert_int_equal(host_breaker(host, "db"), slot); /* asked for by its name */
    assert_int_equal(host->segment->details[slot].hidden_ms, 0);
    host_advance(host, 61000);
    assert_int_not_equal(host->segment->details[slot].hidden_ms, 0);
}

static void test_a_meter_given_to_another_breaker_counts_there(void **state)
{
    (void)state;
    start(STEADY);
    const uint32_t second = host_breaker(host, "second");
    report("SSF");
    struct meter *const line = lane_meter_at(client.writer.memory, meter);
    breakers_drain_all(host->breakers);
    assert_int_equal(line->marks.total_ok, 2);
    line->owner = meter_owner(second, segment_incarnation(host->segment, second), 1);
    client_reports(host, &client, meter, second, "SSSF");
    breakers_drain_all(host->breakers);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.calls, 3);
    assert_int_equal(host_head(host, second)->totals.calls, 4);
    assert_int_equal(host_head(host, second)->totals.failures, 1);
}

static void test_a_breaker_in_use_open_or_moded_is_not_hidden(void **state)
{
    (void)state;
    start("forget_after: 1s, " STEADY);
    const uint32_t open = host_breaker(host, "open"), moded = host_breaker(host, "moded");
    breakers_trip(host->breakers, open, 20000, &operator);
    breakers_mode(host->breakers, moded, MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, &operator);
    for (unsigned i = 0; i < 10; i++) {
        report("S");
        host_advance(host, 900);
    }
    assert_int_equal(host->segment->details[slot].hidden_ms, 0);
    assert_int_equal(host->segment->details[open].hidden_ms, 0);
    assert_int_equal(host->segment->details[moded].hidden_ms, 0);
}

/* -------------------------------------------------------------------------------------------------- kills of tripd */

static void kill_worker(void)
{
    struct client both[] = {client, other};
    host_kill(host, both, 2);
    client = both[0];
    other = both[1];
}

static void assert_mode_event(unsigned count, trip_mode from, trip_mode to, enum transition_by by, const char *note)
{
    const struct transition *const entry = &host->segment->transitions[host->segment->header->transition_next - 1];
    assert_int_equal(host->mode_count, count);
    assert_int_equal(host->last_mode.from, from);
    assert_int_equal(host->last_mode.to, to);
    assert_int_equal(host->last_mode.by, by);
    assert_string_equal(host->last_mode.note, note);
    assert_string_equal(host->last_mode.name, "db");
    assert_int_equal(entry->of, OF_MODE);
    assert_int_equal(entry->to, to);
    assert_string_equal(entry->note, note);
}

static void test_a_change_of_mode_is_an_event_with_owner_end_and_reason(void **state)
{
    (void)state;
    start(STEADY);
    const struct breakers_actor why = {.by = BY_OPERATOR, .uid = 1000, .reason = "drill"};
    assert_int_equal(host->mode_count, 0);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 10000, &why);
    assert_mode_event(1, TRIP_MODE_AUTO, TRIP_MODE_FORCED_OPEN, BY_OPERATOR, "drill");
    assert_int_equal(host->last_mode.uid, 1000);
    assert_in_range(host->last_mode.until_unix_ms - host->last_mode.at_unix_ms, 10000, 10001);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 20000, &why); /* for longer */
    assert_mode_event(2, TRIP_MODE_FORCED_OPEN, TRIP_MODE_FORCED_OPEN, BY_OPERATOR, "drill");
    host_advance(host, 19999);
    assert_int_equal(host->mode_count, 2);
    host_advance(host, 1);
    assert_mode_event(3, TRIP_MODE_FORCED_OPEN, TRIP_MODE_AUTO, BY_DAEMON, "its time ended");
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_AUTO, 0, &why); /* it is */
    assert_int_equal(host->mode_count, 3);
    reload("mode: shadow, " STEADY);
    assert_mode_event(4, TRIP_MODE_AUTO, TRIP_MODE_SHADOW, BY_CONFIG, "");
    reload("mode: shadow, " STEADY);
    assert_int_equal(host->mode_count, 4);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 10000, &why);
    assert_mode_event(5, TRIP_MODE_SHADOW, TRIP_MODE_DISABLED, BY_OPERATOR, "drill");
    kill_worker();
    assert_int_equal(host->mode_count, 5); /* nothing changed */
}

static void test_a_mode_whose_time_ends_while_no_tripd_runs_is_an_event(void **state)
{
    (void)state;
    start(STEADY);
    breakers_mode(host->breakers, slot, MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 10000, &operator);
    host_sleep(host, 10000);
    kill_worker();
    assert_mode_event(2, TRIP_MODE_FORCED_OPEN, TRIP_MODE_AUTO, BY_DAEMON, "while no tripd ran");
}

static void test_the_next_worker_goes_on_where_the_last_one_was(void **state)
{
    (void)state;
    start(STEADY);
    report("SSSFF");
    client_reports(host, &client, meter, slot, "F"); /* told, not read */
    kill_worker();
    assert_int_equal(host_head(host, slot)->totals.calls, 6);
    assert_int_equal(host_head(host, slot)->window_calls, 6);
    assert_int_equal(host_head(host, slot)->window_failures, 3);
    assert_int_equal(word_streak(host_word(host, slot)), 3);
    report("FF");
    assert_int_equal(now(), WORD_OPEN);
    kill_worker();
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(host->move_count, 1);
    host_advance(host, 30000);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

static void test_a_step_by_a_client_while_tripd_was_away_is_recorded_once(void **state)
{
    (void)state;
    start(STEADY);
    host_sleep(host, 1000);
    client_reports(host, &client, meter, slot, "FFFFF");
    host_sleep(host, 7000);
    kill_worker();
    assert_int_equal(host->move_count, 1);
    assert_int_equal(last_move()->reason, TRIP_REASON_CONSECUTIVE);
    assert_int_equal(last_move()->by, BY_CLIENT);
    assert_int_equal(last_move()->at_ms, 1000);
    kill_worker();
    assert_int_equal(host->move_count, 1);
    assert_int_equal(host->segment->header->transition_next, 1);
}

static void test_tripd_s_own_step_without_a_record_is_recorded_with_its_reason(void **state)
{
    (void)state;
    start(STEADY);
    /* Leaves the word as a kill between the CAS and the record does. */
    const uint64_t step = word_open(word_epoch(host_word(host, slot)) + 1, 30000);
    segment_detail_state(host->segment, slot, TRIP_REASON_FAILURE_RATE, 0, 30000);
    segment_detail_intended(host->segment, slot, step);
    *commons_word(host->commons, slot) = step;
    kill_worker();
    assert_int_equal(host->move_count, 1);
    assert_int_equal(last_move()->reason, TRIP_REASON_FAILURE_RATE);
    assert_int_equal(last_move()->by, BY_DAEMON);
    assert_int_equal(host_head(host, slot)->totals.opens, 1);
}

static void test_a_permit_that_is_held_survives_a_kill_of_tripd(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    const uint32_t place = client_take_permit(host, &client, slot);
    const uint64_t held = commons_permits(host->commons, slot)[place];
    kill_worker();
    assert_int_equal(commons_permits(host->commons, slot)[place], held);
    assert_int_equal(armed(), 0);
    client_answer(host, &client, meter, slot, place, PERMIT_OK);
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->probe_ok, 1);
    assert_int_equal(armed(), 1);
}

static void test_answers_given_while_tripd_was_away_count(void **state)
{
    (void)state;
    start("half_open: {permits: 3, successes: 3}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    for (unsigned i = 0; i < 3; i++)
        client_answer(host, &client, meter, slot, client_take_permit(host, &client, slot), PERMIT_OK);
    kill_worker();
    assert_int_equal(now(), WORD_CLOSED);
}

static void test_a_prober_that_died_with_tripd_frees_its_permit(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    client_take_permit(host, &other, slot);
    struct client one[] = {client};
    host_kill(host, one, 1); /* only this lane comes back */
    client = one[0];
    assert_int_equal(armed(), 1);
}

static void test_a_fresh_commons_is_filled_from_the_mirror_with_later_epochs(void **state)
{
    (void)state;
    start(STEADY);
    const uint32_t second = host_breaker(host, "second");
    report("FFF");
    breakers_trip(host->breakers, second, 60000, &operator);
    const uint32_t epoch = word_epoch(host_word(host, slot)), open_epoch = word_epoch(host_word(host, second));
    struct client both[] = {client, other};
    client_reports(host, &client, meter, slot, "SS"); /* counted meanwhile */
    host_kill_both(host, both, 2);
    client = both[0];
    other = both[1];
    assert_int_equal(word_epoch(host_word(host, slot)), epoch + (1 << 18));
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(word_streak(host_word(host, slot)), 3); /* as last mirrored */
    assert_int_equal(host_state(host, second), WORD_OPEN);
    assert_int_equal(word_epoch(host_word(host, second)), open_epoch + (1 << 18));
    assert_int_equal(word_deadline_ms(host_word(host, second)), 60000);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.calls, 5);
    assert_int_equal(host_head(host, slot)->totals.ok, 2);
    report("FF");
    assert_int_equal(now(), WORD_OPEN);
}

static void kill_both(void)
{
    struct client both[] = {client, other};
    host_kill_both(host, both, 2);
    client = both[0];
    other = both[1];
}

/* Probes of the old commons may run until their leases end. */
static void test_a_half_open_breaker_gets_its_permits_in_a_fresh_commons_when_old_leases_are_over(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    client_take_permit(host, &client, slot);
    kill_both();
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 40000);
    assert_int_equal(armed(), 0);
    assert_int_equal(last_move()->reason, TRIP_REASON_MAX_WAIT);
    assert_int_equal(host_policy(host, slot)->next_open_ms, 30000);
    host_advance(host, 9999);
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 1);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1);
    assert_int_equal(host->move_count, 4);
}

static void test_leases_of_an_old_commons_are_as_long_as_the_settings_of_then_said(void **state)
{
    (void)state;
    start("half_open: {max_wait: 60s}, " STEADY);
    report("FFFFF");
    host_advance(host, 30000);
    struct config *const old = host->config;
    host->config = host_config("breakers: [{match: \"*\", half_open: {max_wait: 1s}, open: {for: 1s, max: 1s}}]");
    kill_both();
    config_free(old);
    host_advance(host, 59900);
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 200);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1);
}

static void test_a_probing_client_of_an_old_commons_is_waited_for(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_sleep(host, 30000);
    const uint32_t epoch = word_epoch(host_word(host, slot));
    *commons_word(host->commons, slot) = word_probing(epoch + 1, client.number, lease_end_ms(30000, 10000));
    breakers_drain_all(host->breakers);
    kill_both();
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 9999);
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 1);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

/* While tripd was away a client may have begun to probe, which no mirror shows. */
static void test_an_open_breaker_that_is_due_waits_in_a_fresh_commons_too(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    host_sleep(host, 30000);
    kill_both();
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 40000);
    assert_int_equal(shown_reason(), TRIP_REASON_CONSECUTIVE);
    assert_int_equal(host->move_count, 1);
    host_advance(host, 10000);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

/* -------------------------------------------------------------------------------------- what clients did meanwhile */

static void test_a_probing_client_s_lease_ends_in_open_and_half_open(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    const uint32_t epoch = word_epoch(host_word(host, slot));
    host_sleep(host, 30000);
    *commons_word(host->commons, slot) = word_probing(epoch + 1, client.number, lease_end_ms(30000, 10000));
    breakers_drain_all(host->breakers);
    assert_int_equal(now(), WORD_PROBING);
    assert_int_equal(last_move()->to, TRIP_STATE_HALF_OPEN);
    assert_int_equal(last_move()->by, BY_CLIENT);
    assert_int_equal(armed(), 0);
    host_advance(host, 9000);
    assert_int_equal(now(), WORD_PROBING);
    host_advance(host, 1100);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(shown_reason(), TRIP_REASON_MAX_WAIT);
    assert_int_equal(host_head(host, slot)->totals.trips[TRIP_REASON_MAX_WAIT], 1);
    assert_int_equal(armed(), 1);
}

static void test_a_probing_client_s_death_ends_its_probing_at_once(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    const uint32_t epoch = word_epoch(host_word(host, slot));
    host_sleep(host, 30000);
    *commons_word(host->commons, slot) = word_probing(epoch + 1, other.number, lease_end_ms(30000, 10000));
    breakers_drain_all(host->breakers);
    client_die(host, &other);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1);
}

static void test_a_client_s_good_probe_closed_it(void **state)
{
    (void)state;
    start(STEADY);
    report("SSSSFFFFF");
    const uint64_t open = host_word(host, slot);
    const uint64_t judge = policy_newest_judge(host_policy(host, slot));
    *commons_word(host->commons, slot) = word_closed(word_epoch(open) + 2, 0, judge_generation(judge));
    breakers_drain_all(host->breakers);
    assert_int_equal(now(), WORD_CLOSED);
    assert_int_equal(host_head(host, slot)->window_calls, 0);
    assert_int_equal(last_move()->from, TRIP_STATE_OPEN);
    assert_int_equal(last_move()->to, TRIP_STATE_CLOSED);
    assert_int_equal(last_move()->by, BY_CLIENT);
}

static void test_a_client_s_failed_probe_reopened_it(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    const uint64_t open = host_word(host, slot);
    host_sleep(host, 40000);
    *commons_word(host->commons, slot) = word_open(word_epoch(open) + 2, 70000);
    breakers_drain_all(host->breakers);
    assert_int_equal(last_move()->reason, TRIP_REASON_PROBE_FAILED);
    assert_int_equal(last_move()->at_ms, 40000);
    host_advance(host, 30000);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

/* --------------------------------------------------------------------------------------------------- hostile words */

static void test_damaged_words_are_put_right_from_the_mirror(void **state)
{
    (void)state;
    start(STEADY);
    report("FFF");
    const uint64_t right = host_word(host, slot);
    const uint32_t epoch = word_epoch(right), generation = word_generation(right);
    const uint64_t damaged[] = {
        0,
        UINT64_MAX,
        word_make(epoch, WORD_UNSET, 5),
        word_make(epoch, 7, 5),
        word_closed(epoch - 1, 0, generation), /* back in time */
        word_open(epoch, 99999),               /* another state without a new epoch */
        word_half_open(epoch - 5, 1),          /* both */
        word_closed(epoch, 3, generation + 1), /* a generation that no judge has */
        word_ramping(epoch, 5, 1, generation), /* no ramp */
        word_probing(epoch, 1, 5),
    };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        *commons_word(host->commons, slot) = damaged[i];
        breakers_drain_all(host->breakers);
        assert_int_equal(now(), WORD_CLOSED);
        assert_int_equal(word_streak(host_word(host, slot)), 3);
        assert_int_equal(word_generation(host_word(host, slot)), generation);
        assert_false(epoch_after(epoch, word_epoch(host_word(host, slot))));
        assert_int_equal(host->segment->mirror[slot], host_word(host, slot));
    }
    assert_int_equal(host->move_count, 0);
    report("FF");
    assert_int_equal(now(), WORD_OPEN);
}

static void test_a_punched_hole_keeps_an_open_breaker_open(void **state)
{
    (void)state;
    start(STEADY);
    report("FFFFF");
    *commons_word(host->commons, slot) = 0;
    breakers_drain_all(host->breakers);
    assert_int_equal(now(), WORD_OPEN);
    assert_int_equal(word_deadline_ms(host_word(host, slot)), 30000);
    host_advance(host, 30000);
    *commons_word(host->commons, slot) = 0;
    memset(commons_permits(host->commons, slot), 0, PERMITS_PER_BREAKER * sizeof(uint64_t));
    breakers_drain_all(host->breakers);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 1);
}

static void test_an_absurd_deadline_is_taken_for_passed(void **state)
{
    (void)state;
    start(STEADY);
    *commons_word(host->commons, slot) = word_open(word_epoch(host_word(host, slot)) + 1, WORD_DEADLINE_MAX);
    breakers_drain_all(host->breakers);
    host_advance(host, 10);
    assert_int_equal(now(), WORD_HALF_OPEN);
}

static void test_random_words_and_permits_never_stop_the_breakers(void **state)
{
    (void)state;
    start("half_open: {permits: 4, successes: 4}, ramp: {over: 1s}, " STEADY);
    uint64_t random = 88172645463325252;
    for (unsigned i = 0; i < 5000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (i % 3)
            *commons_word(host->commons, slot) = random;
        else
            *commons_word(host->commons, slot) ^= UINT64_C(1) << random % 64;
        commons_permits(host->commons, slot)[random % PERMITS_PER_BREAKER] = random * 3;
        host->commons->header->dirty[random % 64] = random;
        breakers_rung(host->breakers);
        host_advance(host, random % 500);
        assert_true(word_valid(host_word(host, slot)));
        host->move_count = 0;
    }
    assert_int_equal(breakers_reset(host->breakers, slot, &operator), 0);
    host->move_count = 0;
    report("FFFFF");
    assert_int_equal(now(), WORD_OPEN);
    host_advance(host, 60000);
    assert_int_equal(now(), WORD_HALF_OPEN);
    assert_int_equal(armed(), 4);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_breaker_comes_into_being_closed),
        TEST(a_full_table_refuses_the_next_name),
        TEST(five_failures_in_a_row_open),
        TEST(a_success_between_breaks_the_streak),
        TEST(a_streak_goes_over_processes),
        TEST(a_step_whose_event_was_read_before_it_is_noticed_by_the_heartbeat),
        TEST(a_failure_rate_opens_once_enough_calls_came),
        TEST(a_success_that_completes_minimum_calls_opens_with_the_tick),
        TEST(the_tick_comes_within_250_ms_and_only_while_it_can_help),
        TEST(a_condition_that_held_at_a_told_call_opens_whatever_came_after),
        TEST(other_lanes_successes_count_before_a_rate_is_judged),
        TEST(a_number_of_failures_opens_whatever_the_rate),
        TEST(slow_calls_open),
        TEST(a_time_window_forgets),
        TEST(a_time_window_that_has_forgotten_all_wakes_nobody),
        TEST(calls_in_flight_open),
        TEST(an_open_breaker_half_opens_at_its_deadline_and_arms_one_permit),
        TEST(good_probes_close_and_the_windows_are_empty),
        TEST(a_failed_probe_reopens),
        TEST(a_neutral_probe_gives_its_permit_back),
        TEST(recorded_outcomes_count_as_probes),
        TEST(outcomes_while_open_move_nothing),
        TEST(no_more_permits_are_armed_than_the_verdict_needs),
        TEST(a_permit_armed_where_no_client_looks_is_taken_back),
        TEST(an_answer_that_is_not_counted_yet_leaves_its_place_taken),
        TEST(a_verdict_by_rate_comes_as_soon_as_it_is_certain),
        TEST(a_lease_that_ends_is_neutral_and_the_permit_is_armed_again),
        TEST(the_death_of_a_prober_gives_its_permit_back_at_once),
        TEST(a_probe_of_an_earlier_half_open_keeps_its_permit),
        TEST(open_times_grow_are_capped_and_forgotten),
        TEST(open_times_grow_beyond_forget),
        TEST(jitter_stays_within_its_bounds_and_below_the_longest),
        TEST(a_ramp_goes_up_in_steps_and_ends_closed),
        TEST(failures_on_the_ramp_are_a_relapse),
        TEST(a_rate_on_the_ramp_is_a_relapse),
        TEST(a_stalled_call_counts_once_as_a_failure),
        TEST(calls_that_nobody_told_of_stall_when_the_test_clock_moves),
        TEST(a_stall_is_slow_where_it_lasted_for_long_enough),
        TEST(stalls_in_a_row_open_before_any_returns),
        TEST(a_call_that_returns_in_time_does_not_stall),
        TEST(a_call_begun_before_the_breaker_opened_does_not_stall_after_it),
        TEST(a_stall_that_was_claimed_and_not_counted_is_counted_by_the_next_worker),
        TEST(an_operator_trips_and_the_breaker_recovers_by_itself),
        TEST(an_operator_s_reason_survives_a_kill_in_the_journal),
        TEST(an_operator_s_trip_may_be_longer_than_any_other),
        TEST(reset_closes_and_empties_the_windows),
        TEST(forced_open_and_disabled_freeze_the_state),
        TEST(a_frozen_breaker_s_streak_opens_nothing),
        TEST(a_mode_ends_with_its_ttl_and_the_next_owner_s_holds),
        TEST(auto_is_no_mode_where_no_weaker_owner_set_one),
        TEST(a_mode_by_pattern_binds_later_breakers_too),
        TEST(a_reload_keeps_state_window_and_streak),
        TEST(a_reload_to_fewer_permits_counts_the_probes_that_run),
        TEST(a_running_probe_that_was_forged_takes_the_place_of_an_armed_permit),
        TEST(a_reload_that_makes_a_condition_true_opens),
        TEST(many_reloads_leave_a_judge_for_the_word_each_time),
        TEST(an_idle_breaker_is_hidden_and_goes_on_with_all_it_has),
        TEST(a_meter_given_to_another_breaker_counts_there),
        TEST(a_breaker_in_use_open_or_moded_is_not_hidden),
        TEST(a_change_of_mode_is_an_event_with_owner_end_and_reason),
        TEST(a_mode_whose_time_ends_while_no_tripd_runs_is_an_event),
        TEST(the_next_worker_goes_on_where_the_last_one_was),
        TEST(a_step_by_a_client_while_tripd_was_away_is_recorded_once),
        TEST(tripd_s_own_step_without_a_record_is_recorded_with_its_reason),
        TEST(a_permit_that_is_held_survives_a_kill_of_tripd),
        TEST(answers_given_while_tripd_was_away_count),
        TEST(a_prober_that_died_with_tripd_frees_its_permit),
        TEST(a_fresh_commons_is_filled_from_the_mirror_with_later_epochs),
        TEST(a_half_open_breaker_gets_its_permits_in_a_fresh_commons_when_old_leases_are_over),
        TEST(leases_of_an_old_commons_are_as_long_as_the_settings_of_then_said),
        TEST(a_probing_client_of_an_old_commons_is_waited_for),
        TEST(an_open_breaker_that_is_due_waits_in_a_fresh_commons_too),
        TEST(a_probing_client_s_lease_ends_in_open_and_half_open),
        TEST(a_probing_client_s_death_ends_its_probing_at_once),
        TEST(a_client_s_good_probe_closed_it),
        TEST(a_client_s_failed_probe_reopened_it),
        TEST(damaged_words_are_put_right_from_the_mirror),
        TEST(a_punched_hole_keeps_an_open_breaker_open),
        TEST(an_absurd_deadline_is_taken_for_passed),
        TEST(random_words_and_permits_never_stop_the_breakers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
