/* tripd's work for limits and retries: words published and followed live, budgets fed, tickets of the dead freed,
 * adaptive limits moved by measurements. Settings are set by hand, not by a config's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/breakers_host.h"
#include "../../support/served.h"
#include "../../support/store_kill.h"
#include "internal/policy.h"

#define TEXT "breakers: [{match: \"*\", trip: {consecutive_failures: 0, failure_rate: 0%}}]"

static struct host *host;
static struct client client, other;
static uint32_t slot, meter;

static struct breaker_settings *settings(struct config *config)
{
    return (struct breaker_settings *)config_settings_for(config, "db");
}

static void start(void (*set)(struct breaker_settings *settings))
{
    host = host_start(TEXT, 4);
    set(settings(host->config));
    slot = host_breaker(host, "db");
    client_start(host, &client, 101);
    client_start(host, &other, 102);
    meter = client_meter(host, &client, slot);
    breakers_drain_all(host->breakers);
}

static void reload(void (*set)(struct breaker_settings *settings))
{
    struct config *const config = host_config(TEXT);
    set(settings(config));
    breakers_reconfigure(host->breakers, config);
    config_free(host->config);
    host->config = config;
}

static int stop(void **state)
{
    (void)state;
    client_free(&client);
    client_free(&other);
    host_stop(host);
    host = NULL;
    return 0;
}

static struct meter *line(void)
{
    return lane_meter_at(client.writer.memory, meter);
}

static const struct policy_slot *policy(void)
{
    return host_policy(host, slot);
}

static struct limit_lines *lines(void)
{
    return commons_limits(host->commons, slot);
}

static const struct limits_shown *shown(void)
{
    return &host->segment->limits[slot];
}

static void none(struct breaker_settings *set)
{
    (void)set;
}

/* ----------------------------------------------------------------------------------------------------------- words */

static void everything(struct breaker_settings *set)
{
    set->concurrency.max = 50;
    set->concurrency.wait = 20 * TRIP_MS;
    set->rate.limit = 100;
    set->rate.per = 60 * TRIP_S;
    set->rate.burst = 7;
    set->priority.sheddable_below = 300;
    set->priority.normal_below = 100;
    set->hedge.set = 1;
    set->hedge.after = 70 * TRIP_MS;
    set->retry.attempts = 4;
    set->retry.backoff = BACKOFF_LINEAR;
    set->retry.jitter = JITTER_FULL;
    set->retry.total = 3 * TRIP_S;
    set->retry.base = 30 * TRIP_MS;
    set->retry.multiplier = 1700;
    set->retry.jitter_ratio = 250;
    set->retry.max = 4 * TRIP_S;
    set->retry.on = 1u << TRIP_ERROR_AUTHENTICATION | 1u << (TRIP_ERROR_USER + 15);
    set->budget.min_per_second = 3;
}

static void test_all_that_limits_need_is_published(void **state)
{
    (void)state;
    start(everything);
    assert_int_equal(policy()->limits, POLICY_TICKETS | POLICY_RATE);
    assert_int_equal(policy()->tickets, 50);
    assert_int_equal(policy()->tickets_wait, 20000000);
    assert_int_equal(policy()->rate_step, 19200000000); /* 600 ms in 1/32 ns */
    assert_int_equal(policy()->rate_shares[TRIP_PRIORITY_CRITICAL], 6 * 19200000000);
    assert_int_equal(policy()->rate_shares[TRIP_PRIORITY_NORMAL], 6 * 19200000000); /* 10% of 7 is none */
    assert_int_equal(policy()->rate_shares[TRIP_PRIORITY_SHEDDABLE], 4 * 19200000000);
    assert_int_equal(policy_rate_burst(policy()), 7);
    assert_int_equal(shown()->rate_limit, 100);
    assert_int_equal(shown()->rate_per_ms, 60000);
    assert_int_equal(shown()->rate_free, 7);
    assert_int_equal(policy_reserve_of(policy()->reserves, TRIP_PRIORITY_SHEDDABLE, 1000), 300);
    assert_int_equal(policy_reserve_of(policy()->reserves, TRIP_PRIORITY_NORMAL, 1000), 100);
    assert_int_equal(policy()->admit_permille, 1000);
    assert_int_equal(policy()->hedge_ns, 70000000);
    const struct policy_retry retry = policy_retry_of(policy());
    assert_int_equal(retry.attempts, 4);
    assert_int_equal(retry.backoff.kind, BACKOFF_LINEAR);
    assert_int_equal(retry.backoff.jitter, JITTER_FULL);
    assert_int_equal(retry.backoff.jitter_permille, 250);
    assert_int_equal(retry.backoff.multiplier_permille, 1700);
    assert_int_equal(policy()->retry_base_ns, 30000000);
    assert_int_equal(policy()->retry_max_ns, 4000000000);
    assert_int_equal(policy()->retry_total_ns, 3000000000);
    assert_int_equal(policy()->retry_on, 1u << TRIP_ERROR_AUTHENTICATION | 1u << (TRIP_ERROR_USER + 15));
    assert_int_equal(policy()->budget_floor, 3);
    assert_int_equal(policy()->budget_cap, 30000); /* 10 s of the floor */
}

static void sliding(struct breaker_settings *set)
{
    set->rate.limit = 30;
    set->rate.window = RATE_SLIDING;
    set->throttle.k = 2000;
}

static void by_slow_rate(struct breaker_settings *set)
{
    set->trip.slow_rate = 500;
}

static void by_stalls(struct breaker_settings *set)
{
    set->trip.stall_after = TRIP_S;
}

static void by_calls_in_flight(struct breaker_settings *set)
{
    set->trip.in_flight = 10;
}

static void by_vegas(struct breaker_settings *set)
{
    set->concurrency.max = 50;
    set->concurrency.adaptive = LIMITER_VEGAS;
}

static void test_clients_time_each_call_where_a_rule_needs_it(void **state)
{
    (void)state;
    start(none);
    assert_int_equal(policy()->limits & POLICY_TIMED, 0);
    reload(by_slow_rate);
    assert_int_equal(policy()->limits, POLICY_TIMED);
    reload(by_stalls);
    assert_int_equal(policy()->limits, POLICY_TIMED);
    reload(by_calls_in_flight);
    assert_int_equal(policy()->limits, POLICY_TIMED);
    reload(by_vegas);
    assert_int_equal(policy()->limits, POLICY_TIMED | POLICY_TICKETS);
    reload(sliding);
    assert_int_equal(policy()->limits & POLICY_TIMED, 0);
}

static void test_without_settings_nothing_is_limited(void **state)
{
    (void)state;
    start(none);
    assert_int_equal(policy()->limits, 0);
    assert_int_equal(policy()->tickets, 0);
    assert_int_equal(policy()->admit_permille, 1000);
    assert_int_equal(policy()->hedge_ns, 0);
    assert_int_equal(policy_retry_of(policy()).attempts, 3);
}

static void test_a_reload_is_followed_live(void **state)
{
    (void)state;
    start(everything);
    lines()->rate = 12345;
    reload(sliding);
    assert_int_equal(policy()->limits, POLICY_RATE | POLICY_SLIDING | POLICY_THROTTLE);
    assert_int_equal(policy()->rate_step, 1000000000);
    assert_int_equal(policy()->rate_shares[TRIP_PRIORITY_CRITICAL], 29); /* beside the one who asks */
    assert_int_equal(policy()->rate_shares[TRIP_PRIORITY_NORMAL], 28);
    assert_int_equal(policy()->rate_shares[TRIP_PRIORITY_SHEDDABLE], 23);
    assert_int_equal(policy_rate_burst(policy()), 30); /* as the limit */
    assert_int_equal(lines()->rate, 0);                /* the bucket's word says nothing to a window */
    assert_int_equal(policy()->hedge_ns, 0);
    reload(none);
    assert_int_equal(policy()->limits, 0);
}

static void wider(struct breaker_settings *set)
{
    set->rate.limit = 300;
    set->rate.window = RATE_SLIDING;
}

static void test_another_limit_keeps_the_calls_of_a_sliding_window(void **state)
{
    (void)state;
    start(sliding);
    const struct rate_share before = policy_rate(policy(), TRIP_PRIORITY_CRITICAL);
    lines()->rate = sliding_make(&before, 0, 20, 10);
    reload(wider);
    const struct rate_share after = policy_rate(policy(), TRIP_PRIORITY_CRITICAL);
    assert_int_equal(after.whole, 299);
    assert_int_equal(lines()->rate, sliding_make(&after, 0, 20, 10));
}

static const struct policy_slot off, on = {.limits = POLICY_TICKETS | POLICY_RATE,
                                           .tickets = 50,
                                           .tickets_wait = 1,
                                           .rate_step = 100,
                                           .rate_shares = {2, 7, 3}};
static const struct policy_slot *next;

static void publish_next(void)
{
    segment_limits_publish(host->segment, slot, next);
}

static void test_whatever_is_on_has_its_words_also_after_a_kill(void **state)
{
    (void)state;
    bool killed = true;
    uint64_t stores = 0;
    start(none);
    if (!STORE_KILL_WORKS)
        skip();
    store_kill.region_count = 0;
    store_kill_add(host->segment->header, host->segment->size);
    for (; killed; stores++) {
        segment_limits_publish(host->segment, slot, stores % 2 ? &on : &off);
        next = stores % 2 ? &off : &on;
        killed = store_kill_run(stores / 2, publish_next);
        assert_true(!(policy()->limits & POLICY_RATE) ||
                    (policy()->rate_step == 100 && policy()->rate_shares[0] == 2 && policy()->rate_shares[1] == 7 &&
                     policy()->rate_shares[2] == 3));
        assert_true(!(policy()->limits & POLICY_TICKETS) || (policy()->tickets == 50 && policy()->tickets_wait == 1));
    }
    assert_true(stores > 12);
}

/* --------------------------------------------------------------------------------------------------------- tickets */

static struct ticket take(struct client *holder)
{
    struct ticket ticket;
    writer_total(&lane_meter_at(holder->writer.memory, client_meter(host, holder, slot))->started, 1);
    must(ticket_take(commons_tickets(host->commons, slot), 50, 0, holder->number, 0, &ticket) == 0);
    return ticket;
}

static unsigned taken(void)
{
    return ticket_count(commons_tickets(host->commons, slot), 0, TICKETS_MAX);
}

static void look(void)
{
    breakers_drain_all(host->breakers);
}

static void test_a_dead_holder_s_tickets_are_free_and_waiters_look_again(void **state)
{
    (void)state;
    start(everything);
    take(&client);
    take(&client);
    const struct ticket others = take(&other);
    lines()->waiting = 1;
    client_die(host, &client);
    assert_int_equal(taken(), 1);
    assert_true(ticket_give(commons_tickets(host->commons, slot), others));
    assert_int_equal(lines()->waiting, 0);
    assert_int_equal(lines()->wakes, 1);
}

static void test_a_doomed_process_that_blocks_others_holds_no_ticket(void **state)
{
    struct ticket ticket;
    (void)state;
    start(everything);
    take(&client);
    look();
    assert_false(breakers_lane_blocks(host->breakers, client.number));
    for (unsigned i = 1; i < 50; i++)
        take(&other);
    breakers_drain_all(host->breakers);
    assert_true(breakers_lane_blocks(host->breakers, client.number));
    lines()->waiting = 1;
    breakers_lane_doomed(host->breakers, client.number);
    assert_int_equal(taken(), 49);
    assert_int_equal(lines()->wakes, 1);
    assert_false(breakers_lane_blocks(host->breakers, client.number));
    /* A thread of it goes on for a moment. */
    assert_int_equal(ticket_take(commons_tickets(host->commons, slot), 50, 0, client.number, 0, &ticket), 0);
    breakers_drain_all(host->breakers);
    assert_int_equal(taken(), 49);
    client_die(host, &client);
    assert_int_equal(taken(), 49);
}

static void test_waiters_of_a_process_that_died_before_its_wake_are_woken(void **state)
{
    (void)state;
    start(everything);
    assert_true(ticket_give(commons_tickets(host->commons, slot), take(&client)));
    lines()->waiting = 0; /* as limits_give leaves it before it wakes them */
    client_die(host, &client);
    assert_int_equal(lines()->wakes, 1);
}

static void test_a_worker_wakes_waiters_that_the_worker_before_left_asleep(void **state)
{
    (void)state;
    start(everything);
    host_kill(host, (struct client[]){client, other}, 2);
    assert_int_equal(lines()->wakes, 1);
}

static void test_nobody_is_woken_where_there_were_never_tickets(void **state)
{
    (void)state;
    start(none);
    client_die(host, &client);
    host_kill(host, &other, 1);
    assert_int_equal(lines()->wakes, 0);
}

static void test_a_process_that_died_while_tripd_was_away_holds_nothing(void **state)
{
    (void)state;
    start(everything);
    take(&client);
    take(&other);
    host_kill(host, &other, 1);
    assert_int_equal(taken(), 1);
    assert_int_equal(shown()->holders[0].lane, other.number);
}

static void test_a_lease_is_over_after_a_minute(void **state)
{
    (void)state;
    struct ticket ticket;
    start(everything);
    uint64_t *const words = commons_tickets(host->commons, slot);
    host_sleep(host, 3000);
    must(ticket_take(words, 50, 0, ticket_lease(clock_now_ms(&host->clock)), 0, &ticket) == 0);
    take(&client);
    host_sleep(host, 60000);
    look();
    assert_int_equal(taken(), 2);
    assert_int_equal(shown()->holders[0].lane, client.number);
    assert_int_equal(shown()->holders[1].lane, TICKET_LEASE);
    assert_int_equal(shown()->holders[1].tickets, 1);
    lines()->waiting = 1;
    host_sleep(host, 4000);
    look();
    assert_int_equal(taken(), 1);
    assert_int_equal(lines()->waiting, 0);
}

static void few(struct breaker_settings *set)
{
    set->concurrency.max = 2;
}

static void many(struct breaker_settings *set)
{
    set->concurrency.max = 60;
}

static void test_tickets_beyond_a_limit_that_fell_are_published_until_they_are_back(void **state)
{
    (void)state;
    struct ticket tickets[3];
    start(everything);
    assert_int_equal(policy()->tickets_highest, 50);
    for (unsigned i = 0; i < 3; i++)
        tickets[i] = take(&client);
    reload(few);
    assert_int_equal(policy()->tickets, 2);
    assert_int_equal(policy()->tickets_highest, 3);
    host_kill(host, &client, 1);
    assert_int_equal(policy()->tickets_highest, 3);
    assert_true(ticket_give(commons_tickets(host->commons, slot), tickets[2]));
    look();
    assert_int_equal(policy()->tickets_highest, 2);
    reload(many);
    assert_int_equal(policy()->tickets_highest, 60);
}

static void test_made_up_holders_are_freed_with_a_store_a_word(void **state)
{
    (void)state;
    start(everything);
    if (!STORE_KILL_WORKS)
        skip();
    uint64_t *const words = commons_tickets(host->commons, slot);
    for (uint32_t i = 0; i < TICKETS_MAX; i++) /* a holder each; nobody is lane 9 and beyond */
        words[i / TICKETS_PER_WORD] |= (uint64_t)(9 + i) << i % TICKETS_PER_WORD * TICKET_BITS;
    words[3] = tickets_with(words[3], 2, (uint16_t)client.number);
    words[3] = tickets_with(words[3], 3, (uint16_t)other.number);
    words[200] = tickets_with(words[200], 0, (uint16_t)other.number);
    line()->started = 1;
    lane_meter_at(other.writer.memory, client_meter(host, &other, slot))->started = 2;
    store_kill.region_count = 0;
    store_kill_add((void *)((uintptr_t)words & ~(uintptr_t)4095), 4096);
    assert_false(store_kill_run(TICKET_WORDS, look));
    assert_int_equal(taken(), 3);
    assert_int_equal(shown()->tickets_taken, 3);
    assert_int_equal(shown()->holders[0].lane, other.number);
    assert_int_equal(shown()->holders[0].tickets, 2);
    assert_int_equal(shown()->holders[1].lane, client.number);
    assert_int_equal(shown()->holders[1].tickets, 1);
    assert_int_equal(shown()->holders[2].lane, 0);
}

static void test_tickets_of_a_limit_that_is_off_since_are_freed_too(void **state)
{
    (void)state;
    start(everything);
    take(&client);
    take(&other);
    reload(none);
    host_kill(host, &other, 1);
    assert_int_equal(taken(), 1);
    client_die(host, &other);
    assert_int_equal(taken(), 0);
}

static void test_a_breaker_with_a_ticket_out_is_not_hidden(void **state)
{
    (void)state;
    start(everything);
    take(&client);
    host_advance(host, 3700000);
    assert_int_equal(host->segment->details[slot].hidden_ms, 0);
    assert_int_equal(taken(), 1);
}

static void more(struct breaker_settings *set)
{
    everything(set);
    set->concurrency.max = 60;
}

static void test_waiters_look_again_when_the_limit_rises(void **state)
{
    (void)state;
    start(everything);
    lines()->waiting = 1;
    reload(everything);
    assert_int_equal(lines()->waiting, 1);
    reload(more);
    assert_int_equal(lines()->waiting, 0);
    assert_int_equal(lines()->wakes, 1);
}

static void test_waiters_look_again_when_there_is_no_limit_any_more(void **state)
{
    (void)state;
    start(everything);
    lines()->waiting = 1;
    reload(none);
    assert_int_equal(lines()->waiting, 0);
    assert_int_equal(lines()->wakes, 1);
}

static void test_people_see_the_lanes_that_hold_most_tickets(void **state)
{
    (void)state;
    start(everything);
    take(&client);
    take(&other);
    take(&other);
    writer_total(&line()->retries_refused, 5);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown()->tickets_taken, 3);
    assert_int_equal(shown()->tickets_max, 50);
    assert_int_equal(shown()->holders[0].lane, other.number);
    assert_int_equal(shown()->holders[0].tickets, 2);
    assert_int_equal(shown()->holders[1].lane, client.number);
    assert_int_equal(shown()->holders[1].tickets, 1);
    assert_int_equal(shown()->holders[2].lane, 0);
    assert_int_equal(host_head(host, slot)->totals.retries_refused, 5);
    assert_int_equal(shown()->rate_free, 7);
    const uint64_t sequence = shown()->sequence;
    breakers_drain_all(host->breakers);
    assert_int_equal(shown()->sequence, sequence); /* nothing is new */
    take(&client);
    breakers_drain_all(host->breakers);
    assert_int_equal(shown()->tickets_taken, 4);
}

/* ---------------------------------------------------------------------------------------------------------- budget */

static void deposits_alone(struct breaker_settings *set)
{
    set->budget.min_per_second = 0;
}

/* Lets a second with so many calls pass. */
static void second(uint64_t calls)
{
    host_sleep(host, 1000);
    writer_total(&line()->total_ok, calls);
    breakers_drain_all(host->breakers);
}

static uint64_t milli_tokens(void)
{
    return lines()->budget >> 32;
}

static void test_calls_fill_the_budget_and_retries_earn_nothing(void **state)
{
    (void)state;
    start(deposits_alone);
    assert_int_equal(policy()->budget_cap, 1000); /* a token at least */
    second(1000);
    assert_int_equal(milli_tokens(), 1000);
    assert_int_equal(policy()->budget_cap, 500000); /* 10 s of 20% of 250 a second, smoothed */
    second(1000);
    assert_int_equal(milli_tokens(), 201000);
    writer_total(&line()->retries, 400);
    second(1000);
    assert_int_equal(host_head(host, slot)->totals.retries, 400);
    assert_int_equal(milli_tokens(), 321000);
    assert_int_equal(shown()->budget, 321000);
    assert_int_equal(policy()->budget_cap, 1156000);
    host_kill(host, (struct client[]){client, other}, 2);
    assert_int_equal(policy()->budget_cap, 1156000); /* else tokens would be cut */
    second(0);
    assert_int_equal(milli_tokens(), 321000); /* what earned before does not earn again */
}

/* The hedge counts as cancelled, and as a retry: the calls beside it earn what they should. */
static void test_a_hedge_that_loses_takes_nothing_from_the_calls(void **state)
{
    (void)state;
    start(deposits_alone);
    second(1000);
    writer_total(&line()->retries, 400);
    writer_total(&line()->cancelled, 400);
    second(1000);
    assert_int_equal(milli_tokens(), 201000);
}

static void deposits_of_5_percent(struct breaker_settings *set)
{
    set->budget.min_per_second = 0;
    set->budget.ratio = 50;
}

static void test_calls_earn_by_the_ratio(void **state)
{
    (void)state;
    start(deposits_of_5_percent);
    second(1000);
    assert_int_equal(policy()->budget_cap, 125000); /* 10 s of 5% of 250 a second, smoothed */
    second(1000);
    assert_int_equal(milli_tokens(), 51000);
}

static void test_forged_retries_are_made_up_for(void **state)
{
    (void)state;
    start(deposits_alone);
    second(1000);
    writer_total(&line()->retries, UINT64_C(1) << 43);
    second(1000);
    assert_int_equal(host_head(host, slot)->totals.retries, 2000); /* no more than calls */
    const uint64_t before = milli_tokens();
    for (unsigned i = 0; i < 6; i++)
        second(1000);
    assert_true(milli_tokens() > before);
}

static void test_a_pace_that_hardly_moves_moves_no_cap(void **state)
{
    (void)state;
    start(deposits_alone);
    for (unsigned i = 0; i < 60; i++)
        second(1000);
    const uint64_t cap = policy()->budget_cap;
    assert_in_range(cap, 1750000, 2000000); /* 10 s of 200 a second, to an eighth */
    for (unsigned i = 0; i < 60; i++)
        second(i % 2 ? 950 : 1050);
    assert_int_equal(policy()->budget_cap, cap);
}

static void deposits_of_10_percent(struct breaker_settings *set)
{
    set->budget.min_per_second = 0;
    set->budget.ratio = 100;
}

/* As in test_simulation_limits.c: tokens saved while there was much to do are gone once there is nothing. */
static void test_a_budget_goes_down_with_the_pace_of_calls(void **state)
{
    static const uint64_t idle_s[] = {0, 1, 2, 5, 10, 20, 600}, tokens[] = {94, 74, 56, 23, 5, 1, 1};
    (void)state;
    for (unsigned held_up = 0; held_up < 2; held_up++) {
        start(deposits_of_10_percent);
        for (unsigned i = 0; i < 60; i++)
            second(100);
        for (size_t i = 0; i < sizeof(idle_s) / sizeof(idle_s[0]); i++) {
            const uint64_t span_s = i == 0 ? 0 : idle_s[i] - idle_s[i - 1];
            for (uint64_t passed = 0; !held_up && passed < span_s; passed++)
                second(0);
            if (held_up) { /* tripd itself, or its test clock was moved on */
                host_sleep(host, span_s * 1000);
                breakers_drain_all(host->breakers);
            }
            assert_int_equal(shown()->budget / 1000, tokens[i]);
        }
        stop(NULL);
    }
    start(none); /* for the teardown */
}

static void test_the_floor_s_tokens_are_there_from_the_first_call_on(void **state)
{
    (void)state;
    start(none);
    assert_int_equal(shown()->budget, 100000);
    host_kill_both(host, (struct client[]){client, other}, 2);
    assert_int_equal(shown()->budget, 100000);
}

static void test_a_full_budget_is_not_written(void **state)
{
    (void)state;
    start(none);
    const uint64_t word = lines()->budget;
    second(10);
    assert_int_equal(lines()->budget, word);
    assert_int_equal(shown()->budget, 100000);
}

/* -------------------------------------------------------------------------------------------------------- adaptive */

#define SAMPLE_MS 250

static enum limiter_kind kind;
static uint64_t most, least;

static void adaptive(struct breaker_settings *set)
{
    set->concurrency.max = most;
    set->concurrency.min = least;
    set->concurrency.adaptive = (uint8_t)kind;
}

/* Starts; again, if there is an instance already. */
static void start_adaptive(enum limiter_kind by)
{
    if (host)
        stop(NULL);
    kind = by;
    most = 1000;
    least = 1;
    start(adaptive);
    assert_int_equal(policy()->tickets, 20);
}

/* Makes 100 calls of 10 ms. */
static void calls_of(uint64_t in_flight, uint64_t failures, uint64_t slow)
{
    writer_latency(&client.writer, meter, 10 * MS, 100);
    line()->started = line()->finished + in_flight;
    writer_total(&line()->total_ok, 100 - failures);
    writer_total(&line()->total_failures, failures);
    writer_total(&line()->total_slow, slow);
}

/* Returns the limit after a sample. */
static uint64_t sample_of(uint64_t in_flight, uint64_t failures, uint64_t slow)
{
    calls_of(in_flight, failures, slow);
    host_advance(host, SAMPLE_MS);
    return policy()->tickets;
}

static uint64_t sample(uint64_t in_flight)
{
    return sample_of(in_flight, 0, 0);
}

static const uint64_t *const steps[] = {
    [LIMITER_AIMD] = (const uint64_t[]){21, 22, 23, 24, 25, 26, 27, 28, 0},
    [LIMITER_GRADIENT2] = (const uint64_t[]){6, 6, 20, 20, 21, 22, 23, 24, 0}, /* a drain, + 0.89, and 0.91 and so on */
    [LIMITER_VEGAS] = (const uint64_t[]){6, 6, 20, 26, 32, 38, 44, 44, 0} /* 20 in flight are no half any more */,
};

static void test_each_algorithm_takes_its_steps(void **state)
{
    (void)state;
    for (enum limiter_kind by = LIMITER_AIMD; by < LIMITER_KIND_COUNT; by++) {
        start_adaptive(by);
        for (const uint64_t *limit = steps[by]; *limit; limit++)
            assert_int_equal(sample(20), *limit);
    }
}

static void test_a_reload_of_the_same_disturbs_no_algorithm(void **state)
{
    (void)state;
    for (enum limiter_kind by = LIMITER_AIMD; by < LIMITER_KIND_COUNT; by++) {
        start_adaptive(by);
        for (const uint64_t *limit = steps[by]; *limit; limit++) {
            reload(adaptive);
            assert_int_equal(sample(20), *limit);
        }
    }
}

static void test_a_limit_that_is_not_used_stays(void **state)
{
    (void)state;
    for (enum limiter_kind by = LIMITER_AIMD; by < LIMITER_KIND_COUNT; by++) {
        start_adaptive(by);
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(sample(9), 20);
        assert_int_not_equal(sample(10), 20);
    }
}

static void test_the_most_that_was_in_flight_counts_and_no_longer_than_it_was(void **state)
{
    (void)state;
    start_adaptive(LIMITER_AIMD);
    line()->started = 20;
    writer_total(&line()->total_ok, 1);
    breakers_drain_all(host->breakers);
    assert_int_equal(sample(2), 21);
    assert_int_equal(sample(2), 21);
}

static void test_failures_lower_each_limit(void **state)
{
    (void)state;
    for (enum limiter_kind by = LIMITER_AIMD; by < LIMITER_KIND_COUNT; by++) {
        start_adaptive(by);
        assert_int_equal(sample_of(20, 10, 0), 18);
        assert_int_equal(sample_of(20, 10, 0), 16);
    }
}

static void test_slow_calls_lower_the_limit_of_aimd_as_long_as_they_come(void **state)
{
    (void)state;
    start_adaptive(LIMITER_AIMD);
    assert_int_equal(sample_of(20, 0, 10), 18);
    assert_int_equal(sample_of(20, 0, 10), 16);
    assert_int_equal(sample_of(20, 0, 9), 17);
}

static void test_new_bounds_of_an_adaptive_limit_hold_at_once(void **state)
{
    (void)state;
    start_adaptive(LIMITER_AIMD);
    most = 15;
    reload(adaptive);
    assert_int_equal(policy()->tickets, 15);
    assert_int_equal(sample(15), 15);
    most = 1000;
    reload(adaptive);
    assert_int_equal(policy()->tickets, 15);
    assert_int_equal(sample(15), 16);
    least = 300;
    reload(adaptive);
    assert_int_equal(policy()->tickets, 300);
    assert_int_equal(sample_of(300, 100, 0), 300);
}

static void test_another_algorithm_goes_on_from_the_limit_that_stands(void **state)
{
    (void)state;
    start_adaptive(LIMITER_AIMD);
    for (unsigned i = 0; i < 5; i++)
        sample(25);
    kind = LIMITER_VEGAS;
    reload(adaptive);
    assert_int_equal(policy()->tickets, 25);
    assert_int_equal(sample(25), 8); /* a drain */
    assert_int_equal(sample(25), 8);
    assert_int_equal(sample(8), 25);
    assert_int_equal(sample(25), 31);
    kind = LIMITER_NONE;
    reload(adaptive);
    assert_int_equal(policy()->tickets, 1000);
}

static void test_a_limit_reloaded_while_it_drains_goes_on_from_where_it_stood(void **state)
{
    (void)state;
    start_adaptive(LIMITER_VEGAS);
    assert_int_equal(sample(20), 6);
    most = 900;
    reload(adaptive);
    assert_int_equal(policy()->tickets, 20);
}

static void test_tickets_beyond_an_adaptive_limit_that_fell_are_published_at_once(void **state)
{
    (void)state;
    start_adaptive(LIMITER_AIMD);
    for (unsigned i = 0; i < 20; i++)
        take(&client);
    calls_of(20, 10, 0);
    look();
    host_sleep(host, SAMPLE_MS);
    breakers_tick(host->breakers); /* which does not look at the tickets */
    assert_int_equal(policy()->tickets, 18);
    assert_int_equal(policy()->tickets_highest, 20);
    look();
    assert_int_equal(policy()->tickets_highest, 20);
    client_die(host, &client);
    look();
    assert_int_equal(policy()->tickets_highest, 18);
}

static struct server server;

/* tripd sees the calls in flight as the interval ends. */
static uint32_t tickets_after(const struct served *served)
{
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        if (served->latency[bucket])
            writer_latency(&client.writer, meter, latency_bucket_begin_ns(bucket), served->latency[bucket]);
    line()->started = line()->finished + server.in_flight;
    writer_total(&line()->total_ok, served->ok);
    writer_total(&line()->total_failures, served->failures);
    writer_total(&line()->total_slow, served->slow);
    host_advance(host, SAMPLE_MS);
    return (uint32_t)policy()->tickets;
}

static void test_throughput_is_within_a_tenth_of_the_best_static_limit_whatever_the_capacity_does(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPENDENCY_COUNT; i++)
        for (enum limiter_kind by = LIMITER_AIMD; by < LIMITER_KIND_COUNT; by++) {
            start_adaptive(by);
            server = server_of(&dependencies[i], 40);
            assert_capacity_is_followed(&server, &dependencies[i], by, SAMPLE_MS * MS, 20, tickets_after);
        }
}

static void test_a_worker_after_this_one_goes_on_from_the_limit_in_force(void **state)
{
    (void)state;
    start_adaptive(LIMITER_VEGAS);
    for (unsigned i = 0; i < 4; i++)
        sample(20);
    assert_int_equal(policy()->tickets, 26);
    host_kill(host, (struct client[]){client, other}, 2);
    assert_int_equal(policy()->tickets, 26);
}

static void test_nobody_is_woken_while_no_calls_come(void **state)
{
    (void)state;
    start_adaptive(LIMITER_GRADIENT2);
    second(100);
    assert_true(breakers_due(host->breakers) <= host->clock.test_now_ns + SAMPLE_MS * TRIP_MS);
    host_advance(host, 2 * SAMPLE_MS);
    assert_true(breakers_due(host->breakers) > host->clock.test_now_ns + 60 * TRIP_S);
}

static uint64_t k = 2000;

static void throttle(struct breaker_settings *set)
{
    set->throttle.k = k;
}

/* Lets a second pass in which 100 calls are asked for; tripd's share of them is shed. */
static void ask(uint64_t *total)
{
    const uint64_t admitted = policy()->admit_permille / 10;
    writer_total(total, admitted);
    writer_total(&line()->denied[denial_of(TRIP_DENY_SHED)], 100 - admitted);
    host_advance(host, 1000);
}

static void test_the_throttle_sheds_while_calls_fail_and_recovers(void **state)
{
    (void)state;
    start(throttle);
    for (unsigned i = 0; i < 15; i++)
        ask(&line()->total_ok);
    assert_int_equal(policy()->admit_permille, 1000);
    for (unsigned i = 0; i < 4; i++)
        ask(&line()->total_failures);
    assert_int_equal(policy()->admit_permille, 1000); /* half a window is borne */
    for (unsigned i = 0; i < 12; i++)
        ask(&line()->total_failures);
    assert_in_range(policy()->admit_permille, 10, 11); /* a call a second */
    for (unsigned i = 0; i < 60; i++)
        ask(&line()->total_ok);
    assert_int_equal(policy()->admit_permille, 1000);
}

/* Returns how many of 100 calls a second are admitted, none of them shed, while this share of them fails. */
static uint64_t admitted_by(uint64_t by, uint64_t failures)
{
    k = by;
    reload(throttle);
    for (unsigned i = 0; i < 12; i++) {
        writer_total(&line()->total_ok, 100 - failures);
        writer_total(&line()->total_failures, failures);
        host_advance(host, 1000);
    }
    k = 2000;
    return policy()->admit_permille;
}

static void test_the_throttle_bears_as_many_failures_as_its_k_says(void **state)
{
    (void)state;
    start(throttle);
    assert_int_equal(admitted_by(1500, 30), 1000);
    assert_int_equal(admitted_by(1500, 60), 601); /* 1 - (1000 - 1.5 * 400) / 1001 */
    assert_int_equal(admitted_by(2000, 60), 801);
    assert_int_equal(admitted_by(3000, 60), 1000);
    assert_int_equal(admitted_by(3000, 80), 601); /* 1 - (1000 - 3 * 200) / 1001 */
}

static void test_the_throttle_forgets_though_nobody_calls(void **state)
{
    (void)state;
    start(throttle);
    for (unsigned i = 0; i < 12; i++)
        ask(&line()->total_failures);
    assert_true(policy()->admit_permille < 500);
    host_advance(host, 11000);
    assert_int_equal(policy()->admit_permille, 1000);
}

static void hedge(struct breaker_settings *set)
{
    set->hedge.set = 1; /* at the p95 */
}

static void test_a_hedge_waits_for_the_measured_percentile(void **state)
{
    (void)state;
    start(hedge);
    writer_latency(&client.writer, meter, 1000000, 18);
    second(18);
    host_advance(host, SAMPLE_MS);
    assert_int_equal(policy()->hedge_ns, 0); /* too few to say */
    writer_latency(&client.writer, meter, 1000000, 76);
    writer_latency(&client.writer, meter, 10000000, 6);
    second(82);
    host_advance(host, SAMPLE_MS);
    assert_int_equal(policy()->hedge_ns, 12582912); /* the end of the bucket of 10 ms: 94 of 100 are faster */
    reload(none);
    assert_int_equal(policy()->hedge_ns, 0);
}

static enum hedge_at at;

static void hedge_at(struct breaker_settings *set)
{
    set->hedge.set = 1;
    set->hedge.at = (uint8_t)at;
}

static void throttle_and_hedge(struct breaker_settings *set)
{
    hedge(set);
    throttle(set);
}

static void test_a_throttle_that_was_off_begins_by_admitting_all(void **state)
{
    (void)state;
    start(throttle_and_hedge);
    for (unsigned i = 0; i < 12; i++)
        ask(&line()->total_failures);
    assert_true(policy()->admit_permille < 500);
    reload(hedge); /* goes on measuring */
    assert_int_equal(policy()->admit_permille, 1000);
    reload(throttle_and_hedge);
    assert_int_equal(policy()->admit_permille, 1000);
}

static uint64_t hedge_ns_at(enum hedge_at percentile)
{
    at = percentile;
    reload(hedge_at);
    writer_latency(&client.writer, meter, 1000000, 60);
    writer_latency(&client.writer, meter, 10000000, 38);
    writer_latency(&client.writer, meter, 100000000, 2);
    second(100);
    host_advance(host, SAMPLE_MS);
    return policy()->hedge_ns;
}

static void test_a_hedge_waits_for_the_percentile_of_its_settings(void **state)
{
    (void)state;
    start(hedge);
    assert_int_equal(hedge_ns_at(HEDGE_AT_P50), 1048576);
    assert_int_equal(hedge_ns_at(HEDGE_AT_P95), 12582912);
    assert_int_equal(hedge_ns_at(HEDGE_AT_P99), 100663296);
}

static void no_hedge(struct breaker_settings *set)
{
    everything(set);
    set->hedge.max = 0;
}

static void test_no_second_attempts_are_no_hedge(void **state)
{
    (void)state;
    start(no_hedge);
    assert_int_equal(policy()->hedge_ns, 0);
}

/* ------------------------------------------------------------------------------------------- how long calls took */

static uint64_t calls_that_took(uint64_t latency_ns)
{
    uint64_t counts[LATENCY_BUCKETS];
    segment_latency_read(host->segment, slot, counts);
    return counts[latency_bucket(latency_ns)];
}

/* Ends the calls of one second, each of this latency. */
static void calls_end(uint32_t ok, uint64_t latency_ns)
{
    writer_latency(&client.writer, meter, latency_ns, ok);
    writer_total(&line()->total_ok, ok);
    host_advance(host, 1000);
}

static void test_latencies_of_an_ended_process_are_known(void **state)
{
    (void)state;
    start(none);
    writer_latency(&client.writer, meter, 100000000, 20);
    writer_total(&line()->total_ok, 20);
    client_die(host, &client);
    host_advance(host, 1000);
    assert_int_equal(calls_that_took(100000000), 20);
}

static void test_latencies_of_a_process_that_lived_between_two_looks_are_known(void **state)
{
    (void)state;
    struct client brief;
    start(none);
    client_start(host, &brief, 103);
    const uint32_t its = client_meter(host, &brief, slot);
    writer_latency(&brief.writer, its, 100000000, 20);
    writer_total(&lane_meter_at(brief.writer.memory, its)->total_ok, 20);
    client_die(host, &brief);
    client_free(&brief);
    assert_int_equal(calls_that_took(100000000), 20);
}

static void test_a_worker_after_this_one_counts_no_latency_twice(void **state)
{
    (void)state;
    start(none);
    calls_end(20, 100000000);
    host_kill(host, (struct client[]){client, other}, 2);
    calls_end(1, 100000000);
    assert_int_equal(calls_that_took(100000000), 21);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_limits_need_is_published),
        TEST(clients_time_each_call_where_a_rule_needs_it),
        TEST(without_settings_nothing_is_limited),
        TEST(a_reload_is_followed_live),
        TEST(another_limit_keeps_the_calls_of_a_sliding_window),
        TEST(whatever_is_on_has_its_words_also_after_a_kill),
        TEST(a_dead_holder_s_tickets_are_free_and_waiters_look_again),
        TEST(a_doomed_process_that_blocks_others_holds_no_ticket),
        TEST(waiters_of_a_process_that_died_before_its_wake_are_woken),
        TEST(a_worker_wakes_waiters_that_the_worker_before_left_asleep),
        TEST(nobody_is_woken_where_there_were_never_tickets),
        TEST(a_process_that_died_while_tripd_was_away_holds_nothing),
        TEST(a_lease_is_over_after_a_minute),
        TEST(tickets_beyond_a_limit_that_fell_are_published_until_they_are_back),
        TEST(made_up_holders_are_freed_with_a_store_a_word),
        TEST(tickets_of_a_limit_that_is_off_since_are_freed_too),
        TEST(a_breaker_with_a_ticket_out_is_not_hidden),
        TEST(waiters_look_again_when_the_limit_rises),
        TEST(waiters_look_again_when_there_is_no_limit_any_more),
        TEST(people_see_the_lanes_that_hold_most_tickets),
        TEST(calls_fill_the_budget_and_retries_earn_nothing),
        TEST(a_hedge_that_loses_takes_nothing_from_the_calls),
        TEST(forged_retries_are_made_up_for),
        TEST(calls_earn_by_the_ratio),
        TEST(a_pace_that_hardly_moves_moves_no_cap),
        TEST(a_budget_goes_down_with_the_pace_of_calls),
        TEST(the_floor_s_tokens_are_there_from_the_first_call_on),
        TEST(a_full_budget_is_not_written),
        TEST(each_algorithm_takes_its_steps),
        TEST(a_reload_of_the_same_disturbs_no_algorithm),
        TEST(a_limit_that_is_not_used_stays),
        TEST(the_most_that_was_in_flight_counts_and_no_longer_than_it_was),
        TEST(failures_lower_each_limit),
        TEST(slow_calls_lower_the_limit_of_aimd_as_long_as_they_come),
        TEST(new_bounds_of_an_adaptive_limit_hold_at_once),
        TEST(another_algorithm_goes_on_from_the_limit_that_stands),
        TEST(a_limit_reloaded_while_it_drains_goes_on_from_where_it_stood),
        TEST(tickets_beyond_an_adaptive_limit_that_fell_are_published_at_once),
        TEST(throughput_is_within_a_tenth_of_the_best_static_limit_whatever_the_capacity_does),
        TEST(a_worker_after_this_one_goes_on_from_the_limit_in_force),
        TEST(nobody_is_woken_while_no_calls_come),
        TEST(the_throttle_sheds_while_calls_fail_and_recovers),
        TEST(the_throttle_bears_as_many_failures_as_its_k_says),
        TEST(the_throttle_forgets_though_nobody_calls),
        TEST(a_hedge_waits_for_the_measured_percentile),
        TEST(a_throttle_that_was_off_begins_by_admitting_all),
        TEST(a_hedge_waits_for_the_percentile_of_its_settings),
        TEST(no_second_attempts_are_no_hedge),
        TEST(latencies_of_an_ended_process_are_known),
        TEST(latencies_of_a_process_that_lived_between_two_looks_are_known),
        TEST(a_worker_after_this_one_counts_no_latency_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
