/* Who reports to a breaker, as people are shown it: by lane, those with the most calls first, and nobody who is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"

#define CLIENTS 11

static struct host *host;
static struct client clients[CLIENTS];
static unsigned client_count;
static uint32_t slot;

static void start(uint32_t breakers, unsigned count)
{
    host = host_start("breakers: [{match: \"*\", forget_after: 60s, trip: {consecutive_failures: 0}}]", breakers);
    lanes_reconfigure(host->lanes, CLIENTS, UINT64_C(1) << 30);
    slot = host_breaker(host, "db");
    for (client_count = 0; client_count < count; client_count++)
        client_start(host, &clients[client_count], 101 + client_count);
}

static int stop(void **state)
{
    (void)state;
    while (client_count > 0)
        client_free(&clients[--client_count]);
    host_stop(host);
    return 0;
}

static struct meter *meter_of(unsigned client)
{
    return lane_meter_at(clients[client].writer.memory, client_meter(host, &clients[client], slot));
}

static void succeeds(unsigned client, uint64_t calls)
{
    client_meter(host, &clients[client], slot);
    writer_total(&meter_of(client)->total_ok, calls);
}

static const struct reporters_shown *shown(void)
{
    breakers_drain_all(host->breakers);
    return &host->segment->reporters[slot];
}

static void beats(unsigned count)
{
    for (unsigned beat = 0; beat < count; beat++)
        breakers_beat(host->breakers);
}

static void assert_shows(uint64_t count, const uint32_t (*lanes)[2])
{
    const struct reporters_shown *const reporters = shown();
    unsigned place = 0;
    assert_int_equal(reporters->sequence % 2, 0);
    assert_int_equal(reporters->count, count);
    for (; place < REPORTERS_LISTED && lanes[place][0]; place++) {
        assert_int_equal(reporters->lanes[place].lane, lanes[place][0]);
        assert_int_equal(reporters->lanes[place].calls, lanes[place][1]);
    }
    if (place < REPORTERS_LISTED)
        assert_int_equal(reporters->lanes[place].lane, 0);
}
#define SHOWS(count, ...) assert_shows(count, (const uint32_t[][2]){__VA_ARGS__, {0, 0}})

static void test_of_eleven_lanes_the_eight_with_the_most_calls_are_listed_in_order(void **state)
{
    (void)state;
    static const uint64_t calls[CLIENTS] = {3, 14, 15, 9, 26, 5, 35, 8, 97, 93, 23};
    start(4, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        succeeds(i, calls[i]);
    SHOWS(11, {9, 97}, {10, 93}, {7, 35}, {5, 26}, {11, 23}, {3, 15}, {2, 14}, {4, 9});
    succeeds(0, 97);
    SHOWS(11, {1, 100}, {9, 97}, {10, 93}, {7, 35}, {5, 26}, {11, 23}, {3, 15}, {2, 14});
}

static void test_failures_and_slow_calls_are_among_the_calls(void **state)
{
    (void)state;
    start(4, 1);
    client_reports(host, &clients[0], client_meter(host, &clients[0], slot), slot, "SSSSFFsf");
    breakers_rung(host->breakers);
    SHOWS(1, {1, 8});
    assert_int_equal(shown()->lanes[0].failures, 3);
    assert_int_equal(shown()->lanes[0].slow, 2);
}

static void test_the_meters_of_a_lane_s_threads_are_added_up(void **state)
{
    (void)state;
    start(4, 2);
    const uint32_t incarnation = segment_incarnation(host->segment, slot);
    for (uint32_t section = 1; section <= 3; section++) {
        const uint32_t meter = writer_meter(&clients[0].writer, slot, incarnation, section);
        writer_total(&lane_meter_at(clients[0].writer.memory, meter)->total_ok, 10);
        writer_total(&lane_meter_at(clients[0].writer.memory, meter)->total_failures, section);
    }
    succeeds(1, 20);
    SHOWS(2, {1, 36}, {2, 20});
    assert_int_equal(shown()->lanes[0].failures, 6);
}

static void test_a_lane_that_has_reported_no_call_is_not_counted(void **state)
{
    (void)state;
    start(4, 2);
    succeeds(0, 1);
    writer_total(&meter_of(1)->denied[denial_of(TRIP_DENY_OPEN)], 5);
    SHOWS(1, {1, 1});
}

static void test_heartbeats_show_what_was_counted_between_them(void **state)
{
    (void)state;
    start(4, 1);
    SHOWS(0, {0, 0});
    client_reports(host, &clients[0], client_meter(host, &clients[0], slot), slot, "F");
    breakers_rung(host->breakers);
    assert_int_equal(host_head(host, slot)->totals.failures, 1);
    assert_int_equal(host->segment->reporters[slot].count, 0); /* nobody waits for it */
    beats(1);
    assert_int_equal(host->segment->reporters[slot].count, 1);
    assert_int_equal(host->segment->reporters[slot].sequence, 2);
    beats(5);
    assert_int_equal(host->segment->reporters[slot].sequence, 2);
}

static void test_a_lane_that_left_gives_its_place_to_the_next(void **state)
{
    (void)state;
    start(4, 9);
    for (unsigned i = 0; i < 9; i++)
        succeeds(i, 10 + i);
    SHOWS(9, {9, 18}, {8, 17}, {7, 16}, {6, 15}, {5, 14}, {4, 13}, {3, 12}, {2, 11});
    beats(5); /* until no heartbeat looks at the breaker any more */
    client_die(host, &clients[4]);
    beats(1);
    assert_int_equal(host->segment->reporters[slot].count, 8);
    SHOWS(8, {9, 18}, {8, 17}, {7, 16}, {6, 15}, {4, 13}, {3, 12}, {2, 11}, {1, 10});
    for (unsigned i = 0; i < 9; i++)
        if (i != 4)
            client_die(host, &clients[i]);
    beats(1);
    assert_int_equal(host->segment->reporters[slot].count, 0);
    SHOWS(0, {0, 0});
}

/* libtrip keeps a slot's meter when the slot gets another breaker: its counts go on. */
static void test_a_reused_slot_shows_nothing_of_its_last_breaker(void **state)
{
    (void)state;
    start(1, 1);
    const uint32_t meter = client_meter(host, &clients[0], slot);
    succeeds(0, 5);
    SHOWS(1, {1, 5});
    host_advance(host, 120000);
    assert_int_equal(host_breaker(host, "cache"), slot);
    assert_int_equal(host->segment->reporters[slot].count, 0);
    assert_int_equal(host->segment->reporters[slot].lanes[0].calls, 0);
    struct meter *const line = lane_meter_at(clients[0].writer.memory, meter);
    line->owner = meter_owner(slot, segment_incarnation(host->segment, slot), 1);
    SHOWS(0, {0, 0});
    client_reports(host, &clients[0], meter, slot, "SF");
    breakers_rung(host->breakers);
    SHOWS(1, {1, 2});
    assert_int_equal(shown()->lanes[0].failures, 1);
}

static void test_the_next_worker_shows_only_lanes_that_it_has(void **state)
{
    (void)state;
    start(4, 2);
    succeeds(0, 7);
    succeeds(1, 9);
    SHOWS(2, {2, 9}, {1, 7});
    host_kill(host, &clients[0], 1);
    SHOWS(1, {1, 7});
    host_kill_both(host, &clients[0], 1);
    SHOWS(1, {1, 7});
    host_kill_both(host, NULL, 0);
    SHOWS(0, {0, 0});
}

static void test_a_lane_that_claims_nonsense_is_left_out_and_the_others_are_right(void **state)
{
    (void)state;
    start(4, 2);
    const uint32_t incarnation = segment_incarnation(host->segment, slot);
    const uint64_t claims[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 63, UINT64_C(1) << 44};
    for (uint32_t section = 1; section <= 4; section++) {
        const uint32_t meter = writer_meter(&clients[0].writer, slot, incarnation, section);
        writer_total(&lane_meter_at(clients[0].writer.memory, meter)->total_ok, claims[section - 1]);
    }
    succeeds(1, 3);
    SHOWS(1, {2, 3});
    writer_total(&meter_of(1)->total_failures, UINT64_C(1) << 40);
    meter_of(1)->total_ok = (uint64_t)0 - (UINT64_C(1) << 40) + 5;
    SHOWS(1, {2, 5});
    assert_int_equal(shown()->lanes[0].failures, 5); /* of 2^40 that it claims */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)
    const struct CMUnitTest tests[] = {
        TEST(of_eleven_lanes_the_eight_with_the_most_calls_are_listed_in_order),
        TEST(failures_and_slow_calls_are_among_the_calls),
        TEST(the_meters_of_a_lane_s_threads_are_added_up),
        TEST(a_lane_that_has_reported_no_call_is_not_counted),
        TEST(heartbeats_show_what_was_counted_between_them),
        TEST(a_lane_that_left_gives_its_place_to_the_next),
        TEST(a_reused_slot_shows_nothing_of_its_last_breaker),
        TEST(the_next_worker_shows_only_lanes_that_it_has),
        TEST(a_lane_that_claims_nonsense_is_left_out_and_the_others_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
