/* A reporter writes anything into its lane and the commons. The tests count how much it can make tripd spend, and an
 * honest client beside it loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "breakers/limits.h"

#define BREAKERS 8
#define HOSTILE  6

static struct host *host;
static struct client honest, hostile[HOSTILE];
static uint32_t slot, meter; /* the honest client's */

static void start(const char *settings)
{
    host = host_start_by(host_settings(settings), BREAKERS);
    slot = host_breaker(host, "db");
    client_start(host, &honest, 101);
    meter = client_meter(host, &honest, slot);
    for (unsigned i = 0; i < HOSTILE; i++)
        client_start(host, &hostile[i], 201 + i);
    breakers_drain_all(host->breakers);
}

static int stop(void **state)
{
    (void)state;
    client_free(&honest);
    for (unsigned i = 0; i < HOSTILE; i++)
        client_free(&hostile[i]);
    host_stop(host);
    return 0;
}

static void honest_report(const char *outcomes)
{
    client_reports(host, &honest, meter, slot, outcomes);
    breakers_rung(host->breakers);
}

/* ---------------------------------------------------------------------------------------------------------- meters */

/* Two meters a section, given to one breaker, each with a call that went well. */
static void give_all_to_one(struct client *client)
{
    const uint32_t epoch = word_epoch(host_word(host, slot));
    for (uint32_t number = 0; number < 2 * LANE_SECTIONS; number++) {
        writer_meter(&client->writer, slot, segment_incarnation(host->segment, slot), number % LANE_SECTIONS);
        writer_ok(&client->writer, number, epoch, 1);
    }
}

static void test_one_meter_counts_for_a_breaker_in_a_section(void **state)
{
    (void)state;
    start("open: {for: 30s}");
    give_all_to_one(&hostile[0]);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.ok, LANE_SECTIONS);
    honest_report("SSS");
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.ok, LANE_SECTIONS + 3);
}

static void test_the_next_meter_counts_once_the_first_one_went_to_another_breaker(void **state)
{
    (void)state;
    start("open: {for: 30s}");
    const uint32_t other = host_breaker(host, "other");
    const uint64_t owner = meter_owner(slot, segment_incarnation(host->segment, slot), 1);
    const uint64_t elsewhere = meter_owner(other, segment_incarnation(host->segment, other), 1);
    struct lane_writer *const writer = &hostile[0].writer;
    writer_meter(writer, slot, segment_incarnation(host->segment, slot), 1);
    breakers_drain_all(host->breakers);
    lane_meter_at(writer->memory, 0)->owner = elsewhere;
    breakers_drain_all(host->breakers);
    writer_meter(writer, slot, segment_incarnation(host->segment, slot), 1);
    writer_ok(writer, 1, word_epoch(host_word(host, slot)), 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(lane_meter_at(writer->memory, 1)->owner, owner);
    assert_int_equal(host_head(host, slot)->totals.ok, 1);
}

static void test_a_death_costs_no_more_than_its_lane_s_meters_and_those_of_its_breakers(void **state)
{
    (void)state;
    start("open: {for: 30s}");
    for (unsigned i = 0; i < HOSTILE; i++)
        give_all_to_one(&hostile[i]);
    breakers_drain_all(host->breakers);
    const uint64_t before = host->breakers->drain->meters_read;
    client_die(host, &hostile[0]);
    /* Three turns of the one breaker, of a meter a section and lane. */
    assert_true(host->breakers->drain->meters_read - before <= 3 * (HOSTILE * LANE_SECTIONS + 1));
}

static void test_processes_that_die_together_cost_each_breaker_its_turns_once(void **state)
{
    (void)state;
    struct lane *lanes[HOSTILE];
    start("open: {for: 30s}");
    for (unsigned i = 0; i < HOSTILE; i++)
        give_all_to_one(&hostile[i]);
    breakers_drain_all(host->breakers);
    honest_report("SFS");
    const uint64_t before = host->breakers->drain->meters_read;
    for (unsigned i = 0; i < HOSTILE; i++) {
        writer_ok(&hostile[i].writer, 0, word_epoch(host_word(host, slot)), 1); /* its last, which nobody was told of */
        lanes[i] = hostile[i].lane;
    }
    breakers_lanes_gone(host->breakers, lanes, HOSTILE);
    assert_true(host->breakers->drain->meters_read - before <= 3 * (HOSTILE * LANE_SECTIONS + 1));
    for (unsigned i = 0; i < HOSTILE; i++)
        lanes_remove(host->lanes, lanes[i]);
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.ok, HOSTILE * (LANE_SECTIONS + 1) + 2);
    assert_int_equal(host_head(host, slot)->totals.failures, 1);
}

static void fill_rings(struct client *client)
{
    for (uint32_t section = 0; section < LANE_SECTIONS; section++)
        for (uint32_t breaker = 0; breaker < BREAKERS; breaker++) {
            const uint32_t number =
                writer_meter(&client->writer, breaker, segment_incarnation(host->segment, breaker), section);
            for (unsigned i = 0; i < LANE_EVENTS / BREAKERS; i++)
                writer_outcome(&client->writer, number, word_epoch(host_word(host, breaker)), TRIP_IGNORED, false,
                               host->clock.test_now_ns);
        }
    client_mark_dirty(host, client);
}

static void test_many_events_are_left_for_the_next_turn(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0}");
    for (unsigned i = 1; i < BREAKERS; i++)
        host_breaker(host, (const char[]){(char)('a' + i), 0});
    for (unsigned i = 0; i < HOSTILE; i++)
        fill_rings(&hostile[i]);
    const uint64_t before = host->breakers->drain->meters_read;
    unsigned turns = 0;
    for (; breakers_pending(host->breakers); turns++) {
        const uint64_t at = host->breakers->drain->meters_read;
        breakers_rung(host->breakers);
        assert_true(host->breakers->drain->meters_read - at <= 32768 + BREAKERS * (HOSTILE * LANE_SECTIONS + 1));
        assert_true(turns < 100);
    }
    honest_report("SS");
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.ok, 2);
    assert_true(host->breakers->drain->meters_read > before);
}

/* ------------------------------------------------------------------------------------------------------ state words */

static void write_word(uint64_t word)
{
    __atomic_store_n(commons_word(host->commons, slot), word, __ATOMIC_SEQ_CST);
}

static void operator_trips(uint64_t ms)
{
    static const struct breakers_actor actor = {.by = BY_OPERATOR, .uid = 7, .reason = "maintenance"};
    breakers_trip(host->breakers, slot, ms, &actor);
}

static unsigned moves_by(enum transition_by by)
{
    unsigned count = 0;
    for (unsigned i = 0; i < host->move_count; i++)
        count += host->moves[i].by == by;
    return count;
}

static void test_no_word_of_a_client_s_is_taken_for_an_operator_s_opening(void **state)
{
    (void)state;
    start("open: {for: 30s, jitter: 0%}, half_open: {successes: 1}");
    operator_trips(1000);
    host_advance(host, 1000); /* half-open */
    const uint64_t opens = host_head(host, slot)->totals.trips[TRIP_REASON_OPERATOR];
    write_word(word_open(word_epoch(host_word(host, slot)) + 1, 0));
    breakers_drain_all(host->breakers);
    write_word(word_open(word_epoch(host_word(host, slot)) + 1, host->segment->details[slot].until_ms));
    breakers_drain_all(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.trips[TRIP_REASON_OPERATOR], opens);
    assert_int_equal(moves_by(BY_OPERATOR), 1);
    for (unsigned i = 1; i < host->move_count; i++)
        assert_int_not_equal(host->moves[i].reason, TRIP_REASON_OPERATOR);
}

/* A client opens and closes the breaker by turns, as fast as it can. */
static void flip_word(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        const uint32_t epoch = word_epoch(host_word(host, slot)) + 1;
        write_word(i % 2 ? word_closed(epoch, 0, host->breakers->table[slot].generation)
                         : word_open(epoch, host_now_ms(host) + 30000));
        breakers_drain_all(host->breakers);
    }
}

static void test_fast_steps_are_told_together_and_operators_steps_one_by_one(void **state)
{
    (void)state;
    start("open: {for: 30s, jitter: 0%}, half_open: {successes: 1}");
    flip_word(1000);
    assert_int_equal(host->move_count, 16);
    assert_int_equal(host->segment->header->transition_next, 16);
    operator_trips(1000);
    assert_int_equal(host->move_count, 18);
    assert_int_equal(host->moves[16].steps, 984);
    assert_int_equal(host->moves[16].by, BY_CLIENT);
    assert_int_equal(host->moves[16].to, TRIP_STATE_CLOSED);
    assert_int_equal(host->moves[17].by, BY_OPERATOR);
    assert_int_equal(host->moves[17].steps, 0);
    assert_int_equal(host_head(host, slot)->totals.opens, 501);
}

static void test_steps_that_were_kept_back_are_told_a_second_later(void **state)
{
    (void)state;
    start("open: {for: 30s, jitter: 0%}, half_open: {successes: 1}");
    flip_word(18);
    assert_int_equal(host->move_count, 16);
    host_advance(host, 1000);
    assert_int_equal(host->move_count, 17);
    assert_int_equal(host->moves[16].steps, 2);
    host_advance(host, 5000);
    assert_int_equal(host->move_count, 17);
}

/* All breakers, faster than steps are told one by one, until the ring of all transitions has forgotten everything else.
 */
static void test_an_operator_s_act_is_still_told_after_a_storm_of_steps(void **state)
{
    (void)state;
    struct transition event;
    start("open: {for: 30s, jitter: 0%}, half_open: {successes: 1}");
    for (unsigned i = 1; i < BREAKERS; i++)
        host_breaker(host, (const char[]){(char)('a' + i), 0});
    operator_trips(1000);
    for (unsigned second = 0; host->segment->header->transition_next < 2 * 4096; second++) {
        assert_true(second < 100);
        for (slot = 0; slot < BREAKERS; slot++) {
            flip_word(20);
            host->move_count = 0; /* the log is not looked at */
        }
        host_advance(host, 1000);
    }
    assert_true(segment_event(host->segment, 0, &event));
    assert_int_equal(event.by, BY_OPERATOR);
    assert_string_equal(event.note, "maintenance");
    assert_true(segment_event(host->segment, event.sequence, &event));
    assert_int_equal(event.sequence, host->segment->header->transition_next - 4096 + 1);
}

/* --------------------------------------------------------------------------------------------------------- tickets */

static unsigned tickets_out(void)
{
    return ticket_count(commons_tickets(host->commons, slot), 0, TICKETS_MAX);
}

/* Somebody writes the honest client's number into all the tickets that are free. */
static void forge_tickets(uint32_t lane)
{
    struct ticket ticket;
    while (ticket_take(commons_tickets(host->commons, slot), 4, 0, lane, 0, &ticket) == 0)
        ;
}

static struct ticket begin_call(void)
{
    struct ticket ticket;
    writer_total(&lane_meter_at(honest.writer.memory, meter)->started, 1);
    assert_int_equal(ticket_take(commons_tickets(host->commons, slot), 4, 0, honest.number, 0, &ticket), 0);
    return ticket;
}

static void test_tickets_that_no_call_of_the_lane_accounts_for_are_free_at_the_next_heartbeat(void **state)
{
    (void)state;
    start("concurrency: {max: 4}");
    forge_tickets(honest.number);
    assert_int_equal(tickets_out(), 4);
    breakers_drain_all(host->breakers);
    assert_int_equal(tickets_out(), 0);
}

static void test_tickets_in_the_names_of_all_processes_are_free_at_the_same_heartbeat(void **state)
{
    (void)state;
    struct ticket ticket;
    start("concurrency: {max: 64}");
    begin_call();
    for (unsigned i = 0; i < 63; i++)
        assert_int_equal(ticket_take(commons_tickets(host->commons, slot), 64, 0,
                                     i % 2 ? honest.number : hostile[i % HOSTILE].number, i, &ticket),
                         0);
    breakers_drain_all(host->breakers);
    assert_int_equal(tickets_out(), 1);
}

/* Two threads without a section wanted the same meter: the later one's waits, without an owner, for another breaker. */
static void test_a_meter_that_nobody_uses_yet_does_not_keep_forged_tickets_out(void **state)
{
    (void)state;
    start("concurrency: {max: 4}");
    __atomic_fetch_add(&honest.writer.memory->meters_used, 1, __ATOMIC_RELEASE);
    begin_call();
    forge_tickets(honest.number);
    breakers_drain_all(host->breakers);
    assert_int_equal(tickets_out(), 1);
}

/* The ticket's call is counted by a meter that the process took, or gave to this breaker, after tripd last looked for
 * meters. */
static void test_the_ticket_of_a_thread_s_first_call_stays_out(void **state)
{
    (void)state;
    struct ticket ticket;
    start("concurrency: {max: 4}");
    const uint32_t first = writer_meter(&honest.writer, slot, segment_incarnation(host->segment, slot), 3);
    writer_total(&lane_meter_at(honest.writer.memory, first)->started, 1);
    assert_int_equal(ticket_take(commons_tickets(host->commons, slot), 4, 0, honest.number, 0, &ticket), 0);
    breakers_limits_look(host->breakers, slot);
    breakers_limits_reclaim(host->breakers);
    assert_int_equal(tickets_out(), 1);
}

static void test_the_tickets_of_calls_in_flight_stay_out_beside_forged_ones(void **state)
{
    (void)state;
    start("concurrency: {max: 4}");
    begin_call();
    begin_call();
    forge_tickets(honest.number);
    for (unsigned second = 0; second < 10; second++)
        host_advance(host, 1000);
    assert_int_equal(tickets_out(), 2);
}

static void test_a_caller_stopped_between_its_count_and_its_ticket_keeps_the_ticket(void **state)
{
    (void)state;
    start("concurrency: {max: 4}");
    const struct ticket ticket = begin_call();
    for (unsigned second = 0; second < 10; second++)
        host_advance(host, 1000);
    assert_int_equal(tickets_out(), 1);
    assert_true(ticket_give(commons_tickets(host->commons, slot), ticket)); /* and is not counted as ended yet */
    host_advance(host, 3000);
    assert_int_equal(tickets_out(), 0);
    writer_total(&lane_meter_at(honest.writer.memory, meter)->finished, 1);
    begin_call();
    host_advance(host, 3000);
    assert_int_equal(tickets_out(), 1);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_meter_counts_for_a_breaker_in_a_section),
        TEST(the_next_meter_counts_once_the_first_one_went_to_another_breaker),
        TEST(a_death_costs_no_more_than_its_lane_s_meters_and_those_of_its_breakers),
        TEST(processes_that_die_together_cost_each_breaker_its_turns_once),
        TEST(no_word_of_a_client_s_is_taken_for_an_operator_s_opening),
        TEST(fast_steps_are_told_together_and_operators_steps_one_by_one),
        TEST(steps_that_were_kept_back_are_told_a_second_later),
        TEST(an_operator_s_act_is_still_told_after_a_storm_of_steps),
        TEST(tickets_that_no_call_of_the_lane_accounts_for_are_free_at_the_next_heartbeat),
        TEST(tickets_in_the_names_of_all_processes_are_free_at_the_same_heartbeat),
        TEST(a_meter_that_nobody_uses_yet_does_not_keep_forged_tickets_out),
        TEST(the_ticket_of_a_thread_s_first_call_stays_out),
        TEST(the_tickets_of_calls_in_flight_stay_out_beside_forged_ones),
        TEST(a_caller_stopped_between_its_count_and_its_ticket_keeps_the_ticket),
        TEST(many_events_are_left_for_the_next_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
