/* Hidden breakers, and the reuse of their slots: a new name that finds no place takes the slot of a breaker that, made
 * anew, would be the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"

#define SLOTS 3

static struct host *host;
static struct client client;

/* Three slots; breakers begin as `settings` say. */
static void start(const char *settings)
{
    char config[512];
    snprintf(config, sizeof(config), "breakers: [{match: \"*\", forget_after: 60s, %s}]", settings);
    host = host_start(config, SLOTS);
    client_start(host, &client, 101);
}

static int stop(void **state)
{
    (void)state;
    client_free(&client);
    host_stop(host);
    return 0;
}

static int resolve_as(uid_t uid, const char *name)
{
    uint32_t slot;
    return breakers_resolve(host->breakers, uid, name, &slot);
}

static int resolve(const char *name)
{
    return resolve_as(0, name);
}

static bool there(const char *name)
{
    uint32_t slot;
    return segment_find(host->segment, name, &slot) == 0;
}

static uint32_t reports(const char *name, const char *outcomes)
{
    const uint32_t slot = host_breaker(host, name);
    client_reports(host, &client, client_meter(host, &client, slot), slot, outcomes);
    breakers_rung(host->breakers);
    return slot;
}

/* Sets the lane's bit, as libtrip does before it binds a handle. */
static void says_resolved(uint32_t slot)
{
    *lane_resolved_at(client.writer.memory, slot) |= UINT64_C(1) << slot;
}

static void hide_all(void)
{
    host_advance(host, 61000);
}

static void test_a_new_name_gets_the_slot_that_is_hidden_for_longest(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    const uint32_t first = host_breaker(host, "first");
    host_advance(host, 1000);
    host_breaker(host, "second");
    host_advance(host, 1000);
    host_breaker(host, "third");
    hide_all();
    const uint32_t epoch = word_epoch(host_word(host, first)), incarnation = segment_incarnation(host->segment, first);
    assert_int_equal(host_breaker(host, "fourth"), first);
    assert_false(there("first"));
    assert_true(there("second"));
    assert_true(epoch_after(word_epoch(host_word(host, first)), epoch));
    assert_int_not_equal(segment_incarnation(host->segment, first), incarnation);
    assert_int_equal(host_state(host, first), WORD_CLOSED);
    assert_int_equal(host->segment->details[first].hidden_ms, 0);
}

static void test_what_a_breaker_counted_goes_to_its_group_when_its_slot_is_given_away(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    reports("payments/db", "SSS");
    reports("payments/cache", "SS");
    reports("other", "S");
    hide_all();
    for (unsigned i = 0; i < 3; i++)
        host_breaker(host, (const char *[]){"x", "y", "z"}[i]);
    assert_false(there("payments/db"));
    assert_int_equal(host->segment->header->groups, 2);
    assert_string_equal(host->segment->groups[1].name, "payments");
    assert_int_equal(segment_group(host->segment, 1)->totals.calls, 5);
    assert_int_equal(segment_group(host->segment, 0)->totals.calls, 1);
    assert_int_equal(host_head(host, host_breaker(host, "x"))->totals.calls, 0);
}

static void test_a_breaker_that_is_not_hidden_keeps_its_slot(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    reports("first", "S");
    reports("second", "S");
    reports("third", "S");
    assert_int_equal(resolve("fourth"), -ENOSPC);
    assert_int_equal(host->segment->header->overflow, 1);
}

static void test_a_name_that_never_had_a_call_goes_first_hidden_or_not(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    reports("first", "S");
    hide_all();
    assert_int_equal(resolve_as(1000, "second"), 0);
    host_advance(host, 1000);
    assert_int_equal(resolve_as(1001, "third"), 0);
    host_advance(host, 1000);
    assert_int_equal(resolve_as(1002, "fourth"), 0);
    assert_false(there("second"));
    assert_int_equal(resolve_as(1003, "fifth"), 0);
    assert_false(there("third"));
    assert_true(there("first"));
}

static void test_a_name_of_root_s_or_one_that_has_opened_is_not_given_away_at_once(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    uint32_t slot;
    host_breaker(host, "first");
    host_breaker(host, "second");
    assert_int_equal(breakers_resolve(host->breakers, 1000, "uncounted", &slot), 0);
    /* A process without the role report opens it, and counts nothing. */
    *commons_word(host->commons, slot) = word_open(word_epoch(host_word(host, slot)) + 1, host_now_ms(host) + 1000);
    breakers_drain_all(host->breakers);
    assert_int_equal(resolve_as(1001, "fourth"), -ENOSPC);
}

static void test_a_name_without_a_call_stays_while_it_protects_somebody(void **state)
{
    (void)state;
    uint32_t first, second, third, fourth;
    start("concurrency: {max: 5}");
    assert_int_equal(breakers_resolve(host->breakers, 1000, "first", &first), 0);
    assert_int_equal(breakers_resolve(host->breakers, 1001, "second", &second), 0);
    assert_int_equal(breakers_resolve(host->breakers, 1002, "third", &third), 0);
    says_resolved(first);
    says_resolved(third);
    assert_int_equal(breakers_resolve(host->breakers, 1003, "fourth", &fourth), 0);
    assert_int_equal(fourth, second);
}

static void calls(uint32_t slot)
{
    client_reports(host, &client, client_meter(host, &client, slot), slot, "S");
    breakers_drain_all(host->breakers);
}

static void test_half_of_the_table_is_the_most_that_a_user_s_names_take_called_or_not(void **state)
{
    (void)state;
    uint32_t slot;
    start("open: {for: 1s}");
    assert_int_equal(breakers_resolve(host->breakers, 65534, "first", &slot), 0);
    calls(slot);
    assert_int_equal(breakers_resolve(host->breakers, 65534, "second", &slot), 0);
    assert_int_equal(resolve_as(65534, "third"), -EDQUOT);
    calls(slot);
    assert_int_equal(resolve_as(65534, "third"), -EDQUOT);
    assert_int_equal(resolve_as(65534, "first"), 0);
    assert_int_equal(resolve_as(1000, "honest"), 0);
}

static void test_a_user_s_names_are_as_many_as_the_config_says_and_root_s_as_fit(void **state)
{
    (void)state;
    host = host_start("limits: {breakers_per_user: 10%}\nbreakers: [{match: \"*\"}]", SLOTS);
    client_start(host, &client, 101);
    assert_int_equal(resolve_as(65534, "first"), 0);
    assert_int_equal(resolve_as(65534, "second"), -EDQUOT);
    assert_int_equal(resolve("second"), 0);
    assert_int_equal(resolve("third"), 0);
}

static void test_a_user_at_its_bound_gets_the_place_of_its_own_name_that_is_hidden(void **state)
{
    (void)state;
    uint32_t first, slot;
    start("open: {for: 1s}");
    assert_int_equal(breakers_resolve(host->breakers, 65534, "first", &first), 0);
    calls(first);
    assert_int_equal(breakers_resolve(host->breakers, 65534, "second", &slot), 0);
    calls(slot);
    host_advance(host, 30000);
    calls(slot);
    assert_int_equal(resolve_as(65534, "third"), -EDQUOT);
    host_advance(host, 31000);
    assert_int_equal(resolve_as(65534, "third"), 0);
    assert_false(there("first"));
    assert_true(there("second"));
    assert_int_equal(resolve_as(65534, "fourth"), -EDQUOT);
    assert_int_equal(resolve_as(1000, "honest"), 0);
}

static void test_good_calls_alone_are_given_up(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    const uint32_t slot = reports("first", "SSSSSSSSSSSSSSSSSSSS");
    host_advance(host, 1000);
    reports("second", "F");
    reports("third", "F");
    hide_all();
    assert_int_equal(host_breaker(host, "fourth"), slot);
}

static void test_failures_streaks_and_growth_are_not_given_up(void **state)
{
    (void)state;
    start("trip: {consecutive_failures: 3, failure_rate: 0%}, window: {type: count, size: 100}, "
          "open: {for: 1s, multiplier: 2.0, max: 8s, jitter: 0%, forget: 10m}, half_open: {successes: 1}");
    reports("streak", "F");
    reports("window", "FS");
    const uint32_t grown = host_breaker(host, "grown");
    breakers_trip(host->breakers, grown, 0, &(struct breakers_actor){.by = BY_OPERATOR});
    breakers_reset(host->breakers, grown, &(struct breakers_actor){.by = BY_OPERATOR});
    hide_all();
    breakers_drain_all(host->breakers);
    assert_int_not_equal(host->segment->details[grown].hidden_ms, 0);
    assert_int_equal(resolve("fourth"), 0); /* a reset forgets growth: that one goes */
    assert_false(there("grown"));
    hide_all();
    assert_true(there("streak"));
    assert_true(there("window"));
    reports("fourth", "F");
    hide_all();
    assert_int_equal(resolve("fifth"), -ENOSPC);
}

static void test_a_breaker_with_limits_keeps_its_slot_while_somebody_has_resolved_it(void **state)
{
    (void)state;
    start("concurrency: {max: 5}");
    says_resolved(host_breaker(host, "first"));
    says_resolved(host_breaker(host, "second"));
    says_resolved(host_breaker(host, "third"));
    hide_all();
    assert_int_equal(resolve("fourth"), -ENOSPC);
    client_die(host, &client);
    host_advance(host, 2000);
    assert_int_equal(resolve("fourth"), 0);
}

static void test_a_breaker_with_a_mode_by_config_keeps_its_slot_while_somebody_has_counted_it(void **state)
{
    (void)state;
    start("mode: forced_open");
    reports("first", "S");
    reports("second", "S");
    reports("third", "S");
    hide_all();
    assert_int_equal(resolve("fourth"), -ENOSPC);
    client_die(host, &client);
    host_advance(host, 2000);
    assert_int_equal(resolve("fourth"), 0);
}

static void test_a_breaker_with_an_operators_mode_is_never_given_up(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    const struct breakers_actor actor = {.by = BY_OPERATOR};
    breakers_mode(host->breakers, host_breaker(host, "first"), MODE_OWNER_OPERATOR, TRIP_MODE_SHADOW, 0, &actor);
    breakers_mode(host->breakers, host_breaker(host, "second"), MODE_OWNER_OPERATOR, TRIP_MODE_DISABLED, 0, &actor);
    breakers_mode(host->breakers, host_breaker(host, "third"), MODE_OWNER_OPERATOR, TRIP_MODE_FORCED_OPEN, 0, &actor);
    hide_all();
    assert_int_equal(resolve("fourth"), -ENOSPC);
}

static void test_a_call_in_flight_or_a_ticket_out_keeps_the_slot(void **state)
{
    (void)state;
    struct ticket ticket;
    start("concurrency: {max: 5}");
    const uint32_t held = host_breaker(host, "held"), flight = reports("flight", "S");
    struct meter *const line = lane_meter_at(client.writer.memory, client_meter(host, &client, flight));
    line->started++;
    const uint32_t free = host_breaker(host, "free");
    hide_all();
    must(ticket_take(commons_tickets(host->commons, held), 5, 0, ticket_lease(host_now_ms(host)), 0, &ticket) == 0);
    assert_int_equal(host_breaker(host, "fourth"), free);
    assert_true(there("held"));
    assert_true(there("flight"));
}

static void test_a_call_that_began_since_the_last_look_keeps_the_slot(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    const uint32_t slot = reports("first", "S");
    reports("second", "F");
    reports("third", "F");
    hide_all();
    lane_meter_at(client.writer.memory, client_meter(host, &client, slot))->started++;
    assert_int_equal(resolve("fourth"), -ENOSPC);
    assert_true(there("first"));
}

static void test_a_full_table_without_room_is_looked_through_once_a_second(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    const uint32_t slot = host_breaker(host, "first");
    host_breaker(host, "second");
    host_breaker(host, "third");
    assert_int_equal(resolve("fourth"), -ENOSPC);
    host->segment->details[slot].hidden_ms = 1; /* hidden by now */
    assert_int_equal(resolve("fourth"), -ENOSPC);
    host_advance(host, 1001);
    assert_int_equal(resolve("fourth"), 0);
}

static void test_a_stray_meter_s_calls_for_a_forgotten_breaker_count_for_none(void **state)
{
    (void)state;
    start("open: {for: 1s}");
    const uint32_t slot = host_breaker(host, "first"), meter = client_meter(host, &client, slot);
    const uint32_t epoch = word_epoch(host_word(host, slot));
    client_reports(host, &client, meter, slot, "SSS");
    host_advance(host, 1000);
    reports("second", "F");
    reports("third", "F");
    hide_all();
    assert_int_equal(host_breaker(host, "fourth"), slot);
    writer_ok(&client.writer, meter, epoch, 3);
    breakers_drain_all(host->breakers);
    assert_int_equal(lane_meter_at(client.writer.memory, meter)->marks.total_ok, 6);
    assert_int_equal(host_head(host, slot)->totals.calls, 0);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_name_gets_the_slot_that_is_hidden_for_longest),
        TEST(what_a_breaker_counted_goes_to_its_group_when_its_slot_is_given_away),
        TEST(a_breaker_that_is_not_hidden_keeps_its_slot),
        TEST(a_name_that_never_had_a_call_goes_first_hidden_or_not),
        TEST(a_name_of_root_s_or_one_that_has_opened_is_not_given_away_at_once),
        TEST(a_name_without_a_call_stays_while_it_protects_somebody),
        TEST(half_of_the_table_is_the_most_that_a_user_s_names_take_called_or_not),
        TEST(a_user_s_names_are_as_many_as_the_config_says_and_root_s_as_fit),
        TEST(a_user_at_its_bound_gets_the_place_of_its_own_name_that_is_hidden),
        TEST(good_calls_alone_are_given_up),
        TEST(failures_streaks_and_growth_are_not_given_up),
        TEST(a_breaker_with_limits_keeps_its_slot_while_somebody_has_resolved_it),
        TEST(a_breaker_with_a_mode_by_config_keeps_its_slot_while_somebody_has_counted_it),
        TEST(a_breaker_with_an_operators_mode_is_never_given_up),
        TEST(a_call_in_flight_or_a_ticket_out_keeps_the_slot),
        TEST(a_call_that_began_since_the_last_look_keeps_the_slot),
        TEST(a_full_table_without_room_is_looked_through_once_a_second),
        TEST(a_stray_meter_s_calls_for_a_forgotten_breaker_count_for_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
