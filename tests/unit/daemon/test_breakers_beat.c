/* Heartbeats read announced meters, do not read resting ones, and move on what changes by time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "breakers/table.h"
#include "internal/announce.h"

#define RESTING 100

static struct host *host;
static struct client client;
static uint32_t slot, meter;

static void start(const char *settings)
{
    host = host_start_by(host_settings(settings), 128);
    slot = host_breaker(host, "db");
    client_start(host, &client, 101);
    meter = client_meter(host, &client, slot);
    for (unsigned beat = 0; beat < 3; beat++) /* what is new is read a while */
        breakers_beat(host->breakers);
}

static int stop(void **state)
{
    (void)state;
    client_free(&client);
    host_stop(host);
    return 0;
}

static void succeeds(uint32_t at, uint32_t breaker)
{
    writer_ok(&client.writer, at, word_epoch(host_word(host, breaker)), 1);
}

static void announces(uint32_t at)
{
    announce(client.writer.memory, at, &host->segment->header->round);
}

/* Returns how many meters this heartbeat reads. */
static uint64_t beat(void)
{
    const uint64_t before = host->breakers->drain->meters_read;
    breakers_beat(host->breakers);
    return host->breakers->drain->meters_read - before;
}

static uint64_t calls(void)
{
    return host_head(host, slot)->totals.calls;
}

static void test_a_call_is_counted_by_the_heartbeat_after_it(void **state)
{
    (void)state;
    start("trip: {}");
    succeeds(meter, slot);
    announces(meter);
    assert_true(beat() > 0);
    assert_int_equal(calls(), 1);
}

static void test_a_call_whose_counter_was_seen_late_is_counted_by_the_heartbeat_after_that(void **state)
{
    (void)state;
    start("trip: {}");
    succeeds(meter, slot);
    announces(meter);
    beat();
    succeeds(meter, slot); /* for the round before: it stood in a store buffer */
    beat();
    assert_int_equal(calls(), 2);
}

static void test_a_resting_meter_is_not_read_again(void **state)
{
    (void)state;
    uint32_t slots[RESTING], meters[RESTING];
    start("trip: {}");
    for (unsigned i = 0; i < RESTING; i++) {
        char name[16];
        snprintf(name, sizeof(name), "idle/%u", i);
        slots[i] = host_breaker(host, name);
        meters[i] = client_meter(host, &client, slots[i]);
        succeeds(meters[i], slots[i]);
        announces(meters[i]);
    }
    assert_true(beat() >= RESTING);
    beat();
    beat();
    assert_int_equal(beat(), 0);
    for (unsigned i = 0; i < RESTING; i++)
        assert_int_equal(host_head(host, slots[i])->totals.calls, 1);
    succeeds(meters[3], slots[3]);
    announces(meters[3]);
    const uint64_t read = beat();
    assert_true(read > 0 && read < 4);
    assert_int_equal(host_head(host, slots[3])->totals.calls, 2);
}

static void begins(uint32_t place)
{
    struct lane_call *const call = lane_call_at(client.writer.memory, place);
    writer_total(&lane_meter_at(client.writer.memory, meter)->started, 1);
    call->ticks = host->clock.test_now_ns;
    __atomic_store_n(&call->state, lane_call_state(meter, 7, LANE_CALL_RUNNING), __ATOMIC_RELEASE);
    announces(meter);
}

/* Only the first call in flight rings. */
static void test_a_call_that_begins_beside_one_that_hangs_stalls_too(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%, stall_after: 5s}");
    begins(0);
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    host_sleep(host, 6000);
    breakers_tick(host->breakers);
    assert_int_equal(host_head(host, slot)->window_failures, 1);
    begins(1);
    beat();
    assert_int_equal(breakers_due(host->breakers), 11000000001);
    host_sleep(host, 5001);
    breakers_tick(host->breakers);
    assert_int_equal(host_head(host, slot)->window_failures, 2);
}

static void test_a_round_begins_with_each_heartbeat(void **state)
{
    (void)state;
    start("trip: {}");
    const uint32_t round = host->segment->header->round;
    beat();
    beat();
    assert_int_equal(host->segment->header->round, round + 2);
    breakers_drain_all(host->breakers);
    assert_int_equal(host->segment->header->round, round + 2);
}

static void test_everything_is_read_where_everything_is_asked_for(void **state)
{
    (void)state;
    start("trip: {}");
    succeeds(meter, slot);
    beat();
    assert_int_equal(calls(), 0); /* it was not announced */
    breakers_drain_all(host->breakers);
    assert_int_equal(calls(), 1);
}

static void test_the_end_of_a_lane_takes_what_was_not_announced(void **state)
{
    (void)state;
    start("trip: {}");
    succeeds(meter, slot);
    client_die(host, &client);
    assert_int_equal(calls(), 1);
    beat();
}

static void test_the_next_worker_reads_all_that_it_finds(void **state)
{
    (void)state;
    start("trip: {}");
    succeeds(meter, slot);
    announces(meter);
    lane_reader_moved(host->breakers->readers[client.number]); /* the bit was taken, and the worker is killed */
    host_kill(host, &client, 1);
    assert_int_equal(calls(), 1);
    succeeds(meter, slot); /* announced for that round */
    beat();
    assert_int_equal(calls(), 2);
}

static void moves_the_word(void)
{
    *commons_word(host->commons, slot) = word_open(word_epoch(host_word(host, slot)) + 1, host_now_ms(host) + 1000);
}

static void rings(void)
{
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
}

static void test_a_word_that_a_client_moved_and_never_told_is_noticed(void **state)
{
    (void)state;
    start("trip: {}");
    moves_the_word();
    beat();
    assert_int_equal(host->move_count, 1);
    assert_int_equal(host->moves[0].to, TRIP_STATE_OPEN);
}

/* A process may have 10,000 breakers, and ring for one. */
static void test_a_lane_that_rings_has_only_breakers_looked_at_that_its_events_name(void **state)
{
    (void)state;
    start("trip: {}");
    rings(); /* its meters are found */
    moves_the_word();
    rings();
    assert_int_equal(host->move_count, 0);
    beat();
    assert_int_equal(host->move_count, 1);
}

static void test_a_step_whose_event_waits_behind_a_thread_that_was_held_up_is_seen_at_once(void **state)
{
    (void)state;
    start("trip: {}");
    rings();
    moves_the_word();
    lane_section_at(client.writer.memory, 1)->head++; /* its event is not written yet */
    rings();
    assert_int_equal(host->move_count, 1);
    beat();
}

static void test_a_step_whose_event_found_the_ring_full_is_seen_at_once(void **state)
{
    (void)state;
    start("trip: {}");
    rings();
    moves_the_word();
    lane_section_at(client.writer.memory, 1)->head += LANE_EVENTS;
    rings();
    assert_int_equal(host->move_count, 1);
    beat();
}

/* Returns how many meters are read for the lane's events. */
static uint64_t rung(void)
{
    const uint64_t before = host->breakers->drain->meters_read;
    client_mark_dirty(host, &client);
    breakers_rung(host->breakers);
    return host->breakers->drain->meters_read - before;
}

/* All 257 sections are in use, and one thread is busy: its ring is read in one round. Were the batch shared out among
 * all sections, the ring would take 16 rounds, each with a turn that reads the breaker's 257 meters. */
static void test_the_ring_of_a_busy_section_beside_idle_ones_is_read_in_one_round(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 0, failure_rate: 0%}");
    const uint32_t incarnation = segment_incarnation(host->segment, slot);
    for (uint32_t section = 0; section < LANE_SECTIONS; section++)
        if (section != 1) /* the client's own meter is there */
            succeeds(writer_meter(&client.writer, slot, incarnation, section), slot);
    breakers_drain_all(host->breakers);
    assert_int_equal(calls(), LANE_SECTIONS - 1);
    for (unsigned i = 0; i < LANE_EVENTS - 1; i++)
        writer_outcome(&client.writer, meter, word_epoch(host_word(host, slot)), TRIP_FAILURE, false,
                       host->clock.test_now_ns);
    assert_int_equal(rung(), LANE_SECTIONS);
    assert_int_equal(host_head(host, slot)->totals.failures, LANE_EVENTS - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_counted_by_the_heartbeat_after_it),
        TEST(a_call_whose_counter_was_seen_late_is_counted_by_the_heartbeat_after_that),
        TEST(a_resting_meter_is_not_read_again),
        TEST(a_call_that_begins_beside_one_that_hangs_stalls_too),
        TEST(a_round_begins_with_each_heartbeat),
        TEST(everything_is_read_where_everything_is_asked_for),
        TEST(the_end_of_a_lane_takes_what_was_not_announced),
        TEST(the_next_worker_reads_all_that_it_finds),
        TEST(a_word_that_a_client_moved_and_never_told_is_noticed),
        TEST(a_lane_that_rings_has_only_breakers_looked_at_that_its_events_name),
        TEST(a_step_whose_event_waits_behind_a_thread_that_was_held_up_is_seen_at_once),
        TEST(a_step_whose_event_found_the_ring_full_is_seen_at_once),
        TEST(the_ring_of_a_busy_section_beside_idle_ones_is_read_in_one_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
