/* Limits that all processes share, as one process meets them: tickets, tokens, shedding, deadlines, priorities. The
 * policy is what the test writes into the slot. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <errno.h>

#include "client_fixture.h"

static struct policy_slot *policy(struct fixture *f)
{
    return &f->fake.segment->policies[f->slot];
}

static struct limit_lines *lines(struct fixture *f)
{
    return commons_limits(f->fake.commons, f->slot);
}

static uint64_t *tickets(struct fixture *f)
{
    return commons_tickets(f->fake.commons, f->slot);
}

static void limit_tickets(struct fixture *f, uint64_t limit, uint64_t wait_ns)
{
    policy(f)->tickets = limit;
    policy(f)->tickets_wait = wait_ns;
    policy(f)->limits |= POLICY_TICKETS;
}

/* Sets a limit for a second; of the bucket, sheddable calls leave half to the others. */
static void limit_rate(struct fixture *f, uint64_t limit, uint64_t burst, bool sliding)
{
    const struct rate rate = {.limit = limit, .per = 1000000000, .burst = burst};
    for (unsigned priority = 0; priority < TRIP_PRIORITY_COUNT; priority++) {
        const uint64_t reserve = priority == TRIP_PRIORITY_SHEDDABLE ? burst / 2 : 0;
        const struct rate_share share = sliding ? sliding_share(&rate, reserve) : bucket_share(&rate, reserve);
        policy(f)->rate_step = share.step;
        policy(f)->rate_shares[priority] = share.share;
    }
    policy(f)->limits |= POLICY_RATE | (sliding ? POLICY_SLIDING : 0);
}

static uint64_t rejected(struct fixture *f, trip_verdict verdict)
{
    uint64_t sum = 0;
    for (uint32_t lane = 1; lane < FAKE_CONNECTIONS; lane++) {
        struct lane_header *const memory = fake_lane(&f->fake, lane);
        for (uint32_t i = 0; memory && i < memory->meters_used; i++)
            sum += lane_meter_at(memory, i)->denied[denial_of(verdict)];
    }
    return sum;
}

static trip_verdict begin_within(struct fixture *f, uint64_t within_ns)
{
    const trip_options options = {.priority = TRIP_PRIORITY_CRITICAL, .within_ns = within_ns};
    trip_call call;
    const trip_verdict verdict = trip_begin_with(f->breaker, &call, &options);
    trip_end(&call, TRIP_CANCELLED);
    return verdict;
}

static trip_verdict begin_as(struct fixture *f, trip_priority priority)
{
    trip_call call;
    return trip_begin_with(f->breaker, &call, &(trip_options){.priority = priority});
}

/* --------------------------------------------------------------------------------------------------------- bulkhead */

static void test_no_more_calls_are_in_flight_than_there_are_tickets(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[3], beyond;
    limit_tickets(f, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(trip_begin(f->breaker, &calls[i]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &beyond), TRIP_DENY_CONCURRENCY);
    trip_end(&beyond, TRIP_OK);                                                  /* a denied call holds nothing */
    assert_int_equal(fixture_counts(f).started - fixture_counts(f).finished, 3); /* nor is it in flight */
    assert_int_equal(ticket_count(tickets(f), 0, 3), 3);
    trip_end(&calls[1], TRIP_FAILURE);
    trip_end(&calls[1], TRIP_FAILURE);
    assert_int_equal(ticket_count(tickets(f), 0, 3), 2);
    assert_int_equal(trip_begin(f->breaker, &calls[1]), TRIP_ALLOW);
    assert_int_equal(rejected(f, TRIP_DENY_CONCURRENCY), 1);
    assert_int_equal(fixture_counts(f).denied, 0); /* a local rejection is no denial of the breaker's */
    for (unsigned i = 0; i < 3; i++)
        trip_end(&calls[i], TRIP_OK);
    assert_int_equal(ticket_count(tickets(f), 0, 3), 0);
}

static void test_the_last_tickets_are_the_more_important_calls(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[10];
    limit_tickets(f, 10, 0);
    policy(f)->reserves = policy_reserves(500, 200); /* 5 for the others, 2 for the critical */
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(trip_begin_with(f->breaker, &calls[i], &(trip_options){.priority = TRIP_PRIORITY_SHEDDABLE}),
                         TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_SHEDDABLE), TRIP_DENY_CONCURRENCY);
    for (unsigned i = 5; i < 8; i++)
        assert_int_equal(trip_begin(f->breaker, &calls[i]), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_DENY_CONCURRENCY);
    for (unsigned i = 8; i < 10; i++)
        assert_int_equal(trip_begin_with(f->breaker, &calls[i], &(trip_options){.priority = TRIP_PRIORITY_CRITICAL}),
                         TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_CRITICAL), TRIP_DENY_CONCURRENCY);
}

static void test_a_reserve_is_rounded_down(void **state)
{
    const uint64_t reserves = policy_reserves(350, 199);
    (void)state;
    assert_int_equal(policy_reserve_of(reserves, TRIP_PRIORITY_SHEDDABLE, 10), 3);
    assert_int_equal(policy_reserve_of(reserves, TRIP_PRIORITY_SHEDDABLE, 2), 0); /* else a limit of 1 admits none */
    assert_int_equal(policy_reserve_of(reserves, TRIP_PRIORITY_NORMAL, 10), 1);
    assert_int_equal(policy_reserve_of(reserves, TRIP_PRIORITY_CRITICAL, 10), 0);
}

static void *end_a_little_later(void *call)
{
    const struct timespec nap = {.tv_nsec = 50000000};
    nanosleep(&nap, NULL);
    trip_end(call, TRIP_OK);
    return NULL;
}

static void test_a_waiting_caller_gets_the_ticket_that_another_thread_gives_back(void **state)
{
    struct fixture *const f = *state;
    trip_call first, second;
    pthread_t thread;
    limit_tickets(f, 1, UINT64_C(10000000000));
    assert_int_equal(trip_begin(f->breaker, &first), TRIP_ALLOW);
    assert_int_equal(pthread_create(&thread, NULL, end_a_little_later, &first), 0);
    assert_int_equal(trip_begin(f->breaker, &second), TRIP_ALLOW);
    pthread_join(thread, NULL);
    assert_int_equal(lines(f)->wakes, 1);
    trip_end(&second, TRIP_OK);
}

static trip_verdict begin_without_waiting(struct fixture *f, trip_call *call)
{
    return trip_begin_with(f->breaker, call, &(trip_options){.no_wait = true});
}

/* The wait would last an hour. */
static void test_an_event_loop_never_waits_and_is_told_when_there_may_be_a_ticket(void **state)
{
    struct fixture *const f = *state;
    trip_call first, second, third;
    limit_tickets(f, 1, UINT64_C(3600000000000));
    assert_int_equal(begin_without_waiting(f, &first), TRIP_ALLOW);
    const uint64_t generation = trip_ticket_generation(f->breaker);
    assert_int_equal(begin_without_waiting(f, &second), TRIP_DENY_CONCURRENCY);
    assert_true(trip_ticket_generation(f->breaker) == generation);
    trip_end(&first, TRIP_OK);
    const uint64_t moved = trip_ticket_generation(f->breaker);
    assert_true(moved != generation);
    assert_int_equal(begin_without_waiting(f, &second), TRIP_ALLOW);
    assert_int_equal(begin_without_waiting(f, &third), TRIP_DENY_CONCURRENCY);
    assert_true(trip_ticket_generation(f->breaker) == moved);
    trip_end(&second, TRIP_CANCELLED);
    assert_true(trip_ticket_generation(f->breaker) != moved);
    fake_lose_commons(&f->fake);
    const uint64_t before = trip_ticket_generation(f->breaker);
    assert_true(WAIT_FOR(trip_ticket_generation(f->breaker) != before)); /* where others hold the tickets */
}

static void *switch_tickets_off(void *context)
{
    struct fixture *const f = context;
    WAIT_FOR(__atomic_load_n(&lines(f)->waiting, __ATOMIC_SEQ_CST));
    __atomic_store_n(&policy(f)->limits, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&lines(f)->wakes, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &lines(f)->wakes, FUTEX_WAKE, 1, NULL, NULL, 0);
    return NULL;
}

static void test_a_reload_without_tickets_admits_waiting_callers(void **state)
{
    struct fixture *const f = *state;
    trip_call first, second;
    pthread_t thread;
    limit_tickets(f, 1, UINT64_C(10000000000));
    assert_int_equal(trip_begin(f->breaker, &first), TRIP_ALLOW);
    assert_int_equal(pthread_create(&thread, NULL, switch_tickets_off, f), 0);
    const trip_verdict verdict = trip_begin(f->breaker, &second);
    pthread_join(thread, NULL);
    assert_int_equal(verdict, TRIP_ALLOW);
    trip_end(&second, TRIP_OK); /* it holds none */
    assert_int_equal(ticket_count(tickets(f), 0, 1), 1);
}

static void *open_then_end(void *context)
{
    struct fixture *const f = context;
    const struct timespec nap = {.tv_nsec = 50000000};
    nanosleep(&nap, NULL);
    fixture_set(f, word_open(word_epoch(fixture_word(f)) + 1, 60000));
    ticket_give(tickets(f), (struct ticket){0, tickets_at(*tickets(f), 0)});
    __atomic_fetch_add(&lines(f)->wakes, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &lines(f)->wakes, FUTEX_WAKE, 1, NULL, NULL, 0);
    return NULL;
}

static void test_no_call_that_waited_goes_through_a_breaker_that_opened_meanwhile(void **state)
{
    struct fixture *const f = *state;
    trip_call first, second;
    pthread_t thread;
    limit_tickets(f, 1, UINT64_C(10000000000));
    assert_int_equal(trip_begin(f->breaker, &first), TRIP_ALLOW);
    assert_int_equal(pthread_create(&thread, NULL, open_then_end, f), 0);
    assert_int_equal(trip_begin(f->breaker, &second), TRIP_DENY_CONCURRENCY);
    pthread_join(thread, NULL);
    assert_int_equal(ticket_count(tickets(f), 0, 1), 0);
}

static void test_a_wait_ends_with_the_deadline(void **state)
{
    struct fixture *const f = *state;
    trip_call first, second;
    limit_tickets(f, 1, UINT64_C(10000000000));
    assert_int_equal(trip_begin(f->breaker, &first), TRIP_ALLOW);
    const uint64_t start = monotonic_ns();
    const trip_options options = {.within_ns = 20000000};
    assert_int_equal(trip_begin_with(f->breaker, &second, &options), TRIP_DENY_CONCURRENCY);
    assert_in_range(monotonic_ns() - start, 20000000, 2000000000);
}

static void *end_when_it_is_late(void *context)
{
    struct fixture *const f = context;
    const struct timespec nap = {.tv_nsec = 50000000};
    nanosleep(&nap, NULL);
    fake_clock(&f->fake, 11000);
    ticket_give(tickets(f), (struct ticket){0, tickets_at(*tickets(f), 0)});
    __atomic_fetch_add(&lines(f)->wakes, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &lines(f)->wakes, FUTEX_WAKE, 1, NULL, NULL, 0);
    return NULL;
}

static void test_a_call_that_waited_until_its_time_has_passed_is_not_sent(void **state)
{
    struct fixture *const f = *state;
    trip_call first, second;
    pthread_t thread;
    limit_tickets(f, 1, UINT64_C(20000000000));
    assert_int_equal(trip_begin(f->breaker, &first), TRIP_ALLOW);
    assert_int_equal(pthread_create(&thread, NULL, end_when_it_is_late, f), 0);
    const trip_options options = {.within_ns = 10000000000};
    assert_int_equal(trip_begin_with(f->breaker, &second, &options), TRIP_DENY_DEADLINE);
    pthread_join(thread, NULL);
    assert_int_equal(rejected(f, TRIP_DENY_DEADLINE), 1);
    assert_int_equal(ticket_count(tickets(f), 0, 1), 0);
}

static void test_a_probe_that_finds_no_ticket_gives_its_permit_back(void **state)
{
    struct fixture *const f = *state;
    trip_call held, probe;
    limit_tickets(f, 1, 0);
    assert_int_equal(trip_begin(f->breaker, &held), TRIP_ALLOW);
    fixture_set(f, word_half_open(word_epoch(fixture_word(f)) + 1, 60000));
    fake_arm(&f->fake, f->slot, 0);
    assert_int_equal(trip_begin(f->breaker, &probe), TRIP_DENY_CONCURRENCY);
    assert_int_equal(permit_outcome(fake_permit(&f->fake, f->slot, 0)), PERMIT_FREE);
}

static int ends_its_parents_call(void *call)
{
    trip_end(call, TRIP_OK);
    return 0;
}

static void test_a_child_gives_back_no_ticket_of_its_parent_s(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    limit_tickets(f, 1, 0);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    assert_int_equal(in_child(ends_its_parents_call, &call), 0);
    assert_int_equal(ticket_count(tickets(f), 0, 1), 1);
    trip_end(&call, TRIP_OK);
    assert_int_equal(ticket_count(tickets(f), 0, 1), 0);
}

static void test_a_ticket_of_an_earlier_commons_frees_none_of_the_next_commons(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    limit_tickets(f, 1, 0);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    const uint64_t alike = *tickets(f);
    fake_lose_commons(&f->fake);
    assert_true(WAIT_FOR(trip_client_status(f->client) == TRIP_CLIENT_SHARED));
    *tickets(f) = alike; /* another's by now: same place, same serial, same number */
    trip_end(&call, TRIP_OK);
    assert_int_equal(ticket_count(tickets(f), 0, 1), 1);
}

static uint32_t tickets_free_now(struct fixture *f)
{
    trip_info info;
    return trip_breaker_info(f->breaker, &info) == 0 ? info.tickets_free : UINT32_MAX;
}

static void test_calls_in_flight_count_when_a_limit_falls(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[4], next;
    limit_tickets(f, 4, 0);
    policy(f)->tickets_highest = 4;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(trip_begin(f->breaker, &calls[i]), TRIP_ALLOW);
    policy(f)->tickets = 2;
    for (unsigned ended = 0; ended < 3; ended++) {
        assert_int_equal(tickets_free_now(f), 0);
        assert_int_equal(trip_begin(f->breaker, &next), TRIP_DENY_CONCURRENCY);
        trip_end(&calls[ended], TRIP_OK);
    }
    assert_int_equal(tickets_free_now(f), 1);
    assert_int_equal(trip_begin(f->breaker, &next), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &calls[0]), TRIP_DENY_CONCURRENCY);
}

/* The process holds leases, as many as the limit. */
static void test_a_process_without_a_lane_is_held_to_the_limit(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[3];
    trip_close(f->client);
    f->fake.refuse_lane = -EDQUOT;
    assert_int_equal(trip_open(&f->client, NULL), 0);
    assert_int_equal(trip_breaker_get(f->client, "db", &f->breaker), 0);
    assert_int_equal(trip_client_status(f->client), TRIP_CLIENT_UNREPORTED);
    limit_tickets(f, 2, 0);
    assert_int_equal(trip_begin(f->breaker, &calls[0]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &calls[1]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &calls[2]), TRIP_DENY_CONCURRENCY);
    assert_int_equal(tickets_holder_at(*tickets(f), 0), ticket_lease(clock_now_ms(&f->fake.clock)));
    trip_end(&calls[0], TRIP_OK);
    assert_int_equal(ticket_count(tickets(f), 0, 2), 1);
    assert_int_equal(trip_begin(f->breaker, &calls[2]), TRIP_ALLOW);
}

/* Returns how many of five calls a worker begins that was forked while tripd was away. */
static int calls_of_a_worker(void *context)
{
    struct fixture *const f = context;
    trip_call calls[5];
    int admitted = 0;
    for (unsigned i = 0; i < 5; i++)
        admitted += trip_admitted(trip_begin(f->breaker, &calls[i]));
    trip_end(&calls[0], TRIP_OK);
    return admitted;
}

static int first_call_of_a_child(void *context)
{
    struct fixture *const f = context;
    trip_call call;
    return (int)trip_begin(f->breaker, &call);
}

/* Its lane is on its way. */
static void test_a_child_s_first_call_finds_a_ticket(void **state)
{
    struct fixture *const f = *state;
    limit_tickets(f, 4, UINT64_C(10000000000));
    assert_int_equal(in_child(first_call_of_a_child, f), TRIP_ALLOW);
    assert_int_equal(ticket_count(tickets(f), 0, 4), 1);
}

static void test_workers_forked_while_tripd_is_away_are_held_to_the_limit(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    limit_tickets(f, 4, 0);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    fake_away(&f->fake);
    assert_int_equal(in_child(calls_of_a_worker, f), 3);
    assert_int_equal(in_child(calls_of_a_worker, f), 1); /* the one that the first gave back */
    assert_int_equal(ticket_count(tickets(f), 0, 4), 3);
}

/* ------------------------------------------------------------------------------------------------- rate, shedding */

static void test_a_burst_passes_and_then_the_rate(void **state)
{
    struct fixture *const f = *state;
    trip_info info;
    limit_rate(f, 10, 3, false);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_DENY_RATE);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.rate_wait_ms[TRIP_PRIORITY_NORMAL], 100);
    fake_clock(&f->fake, 1100);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_DENY_RATE);
    assert_int_equal(rejected(f, TRIP_DENY_RATE), 2);
}

static void test_a_sliding_window_admits_its_limit(void **state)
{
    struct fixture *const f = *state;
    limit_rate(f, 4, 4, true);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_DENY_RATE);
}

static void test_the_last_tokens_are_the_more_important_calls(void **state)
{
    struct fixture *const f = *state;
    limit_rate(f, 10, 4, false);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_SHEDDABLE), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_SHEDDABLE), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_SHEDDABLE), TRIP_DENY_RATE);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_CRITICAL), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_CRITICAL), TRIP_DENY_RATE);
}

static void test_info_tells_each_priority_when_the_rate_admits_it(void **state)
{
    struct fixture *const f = *state;
    const struct rate rate = {.limit = 10, .per = 1000000000, .burst = 4};
    trip_info info;
    limit_rate(f, 10, 4, false);
    policy(f)->rate_shares[TRIP_PRIORITY_NORMAL] = bucket_share(&rate, 1).share;
    trip_breaker_info(f->breaker, &info);
    for (trip_priority priority = 0; priority < TRIP_PRIORITY_COUNT; priority++)
        assert_int_equal(info.rate_wait_ms[priority], 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(begin_as(f, TRIP_PRIORITY_CRITICAL), TRIP_ALLOW);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.rate_wait_ms[TRIP_PRIORITY_CRITICAL], 100);
    assert_int_equal(info.rate_wait_ms[TRIP_PRIORITY_NORMAL], 200);
    assert_int_equal(info.rate_wait_ms[TRIP_PRIORITY_SHEDDABLE], 300);
    fake_clock(&f->fake, 1299);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_SHEDDABLE), TRIP_DENY_RATE);
    fake_clock(&f->fake, 1300);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_SHEDDABLE), TRIP_ALLOW);
}

static void test_a_call_without_a_token_keeps_no_ticket(void **state)
{
    struct fixture *const f = *state;
    limit_tickets(f, 5, 0);
    limit_rate(f, 10, 1, false);
    trip_call call;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_DENY_RATE);
    assert_int_equal(ticket_count(tickets(f), 0, 5), 1);
}

static void test_critical_calls_are_never_shed_and_sheddable_ones_first(void **state)
{
    struct fixture *const f = *state;
    unsigned admitted[TRIP_PRIORITY_COUNT] = {0};
    policy(f)->admit_permille = 500;
    policy(f)->limits |= POLICY_THROTTLE;
    fake_back(&f->fake);
    for (unsigned i = 0; i < 4000; i++)
        for (trip_priority priority = 0; priority < TRIP_PRIORITY_COUNT; priority++)
            admitted[priority] += begin_as(f, priority) == TRIP_ALLOW;
    assert_int_equal(admitted[TRIP_PRIORITY_CRITICAL], 4000);
    assert_in_range(admitted[TRIP_PRIORITY_NORMAL], 1800, 2200);
    assert_in_range(admitted[TRIP_PRIORITY_SHEDDABLE], 850, 1150);
    assert_int_equal(rejected(f, TRIP_DENY_SHED),
                     8000 - admitted[TRIP_PRIORITY_NORMAL] - admitted[TRIP_PRIORITY_SHEDDABLE]);
}

/* Otherwise the share of all could not rise where nobody else calls. */
static void test_sheddable_calls_have_a_least_share_of_what_is_admitted(void **state)
{
    struct fixture *const f = *state;
    unsigned admitted = 0;
    policy(f)->admit_permille = 100;
    policy(f)->reserves = policy_sheddable_least(750);
    policy(f)->limits |= POLICY_THROTTLE;
    fake_back(&f->fake);
    for (unsigned i = 0; i < 20000; i++)
        admitted += begin_as(f, TRIP_PRIORITY_SHEDDABLE) == TRIP_ALLOW;
    assert_in_range(admitted, 1300, 1700); /* 7.5%, not 1% */
}

static void test_while_tripd_is_away_nothing_is_shed(void **state)
{
    struct fixture *const f = *state;
    policy(f)->admit_permille = 0;
    policy(f)->limits |= POLICY_THROTTLE;
    fake_back(&f->fake);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_DENY_SHED);
    fake_away(&f->fake);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
}

static void test_while_tripd_is_away_an_adaptive_limit_is_the_most_that_it_may_be(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[4];
    limit_tickets(f, 1, 0);
    policy(f)->reserves = policy_tickets_most(3);
    fake_back(&f->fake);
    assert_int_equal(trip_begin(f->breaker, &calls[0]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &calls[1]), TRIP_DENY_CONCURRENCY);
    fake_away(&f->fake);
    assert_int_equal(tickets_free_now(f), 2);
    assert_int_equal(trip_begin(f->breaker, &calls[1]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &calls[2]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &calls[3]), TRIP_DENY_CONCURRENCY);
}

/* -------------------------------------------------------------------------------------------------------- the rest */

static void test_a_call_whose_time_has_passed_is_not_sent(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    const trip_options late = {.priority = TRIP_PRIORITY_CRITICAL, .within_ns = 1};
    assert_int_equal(trip_begin_with(f->breaker, &call, &late), TRIP_DENY_DEADLINE);
    assert_int_equal(rejected(f, TRIP_DENY_DEADLINE), 1);
    const trip_options soon = {.within_ns = 500000000};
    assert_int_equal(trip_begin_with(f->breaker, &call, &soon), TRIP_ALLOW);
    assert_int_equal(trip_call_remaining_ns(&call), 500000000); /* the clock stands still */
    fake_clock(&f->fake, 1200);
    assert_int_equal(trip_call_remaining_ns(&call), 300000000);
    fake_clock(&f->fake, 2000);
    assert_int_equal(trip_call_remaining_ns(&call), 0);
    trip_end(&call, TRIP_OK);
}

static void test_a_probe_whose_time_has_passed_takes_no_permit(void **state)
{
    struct fixture *const f = *state;
    fixture_set(f, word_half_open(word_epoch(fixture_word(f)) + 1, 60000));
    fake_arm(&f->fake, f->slot, 0);
    const uint64_t word = fixture_word(f), permit = fake_permit(&f->fake, f->slot, 0);
    assert_int_equal(begin_within(f, 1), TRIP_DENY_DEADLINE);
    assert_int_equal(fixture_word(f), word);
    assert_int_equal(fake_permit(&f->fake, f->slot, 0), permit);
    assert_int_equal(begin_within(f, 100000000), TRIP_PROBE);
}

static void test_shadow_takes_what_there_is_and_counts_what_it_would_have_denied(void **state)
{
    struct fixture *const f = *state;
    trip_call calls[3];
    limit_tickets(f, 2, 0);
    limit_rate(f, 3, 3, false);
    fake_mode(&f->fake, f->slot, TRIP_MODE_SHADOW, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(trip_begin(f->breaker, &calls[i]), TRIP_ALLOW);
    assert_int_equal(ticket_count(tickets(f), 0, 2), 2);
    assert_int_equal(rejected(f, TRIP_DENY_CONCURRENCY), 1);
    for (unsigned i = 0; i < 3; i++)
        trip_end(&calls[i], TRIP_OK);
    assert_int_equal(ticket_count(tickets(f), 0, 2), 0);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW); /* the third token: who had no ticket took none */
    assert_int_equal(rejected(f, TRIP_DENY_RATE), 0);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(rejected(f, TRIP_DENY_RATE), 1);
    assert_int_equal(ticket_count(tickets(f), 0, 2), 1); /* who had no token keeps no ticket */
    assert_int_equal(fixture_counts(f).denied, 0);
    fixture_set(f, word_open(2, 31000));
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(fixture_counts(f).denied, 1);
    assert_int_equal(rejected(f, TRIP_DENY_RATE), 1); /* whom the breaker would have denied asks no limit */
}

static void test_disabled_takes_nothing_and_counts_nothing(void **state)
{
    struct fixture *const f = *state;
    limit_tickets(f, 1, 0);
    limit_rate(f, 1, 1, false);
    fake_mode(&f->fake, f->slot, TRIP_MODE_DISABLED, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW);
    assert_int_equal(ticket_count(tickets(f), 0, 1), 0);
    assert_int_equal(rejected(f, TRIP_DENY_CONCURRENCY), 0);
    assert_int_equal(rejected(f, TRIP_DENY_RATE), 0);
    fake_mode(&f->fake, f->slot, TRIP_MODE_AUTO, 0);
    assert_int_equal(begin_as(f, TRIP_PRIORITY_NORMAL), TRIP_ALLOW); /* the token is there */
}

static void test_info_tells_what_is_left(void **state)
{
    struct fixture *const f = *state;
    trip_info info;
    trip_call call;
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.tickets, 0);
    assert_int_equal(info.admit_permille, 1000);
    limit_tickets(f, 7, 0);
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    trip_breaker_info(f->breaker, &info);
    assert_int_equal(info.tickets, 7);
    assert_int_equal(info.tickets_free, 6);
    assert_int_equal(info.rate_wait_ms[TRIP_PRIORITY_NORMAL], 0);
    trip_end(&call, TRIP_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_calls_are_in_flight_than_there_are_tickets),
        TEST(the_last_tickets_are_the_more_important_calls),
        TEST(a_reserve_is_rounded_down),
        TEST(an_event_loop_never_waits_and_is_told_when_there_may_be_a_ticket),
        TEST(a_waiting_caller_gets_the_ticket_that_another_thread_gives_back),
        TEST(a_reload_without_tickets_admits_waiting_callers),
        TEST(no_call_that_waited_goes_through_a_breaker_that_opened_meanwhile),
        TEST(a_wait_ends_with_the_deadline),
        TEST(a_call_that_waited_until_its_time_has_passed_is_not_sent),
        TEST(a_probe_that_finds_no_ticket_gives_its_permit_back),
        TEST(a_child_gives_back_no_ticket_of_its_parent_s),
        TEST(a_ticket_of_an_earlier_commons_frees_none_of_the_next_commons),
        TEST(calls_in_flight_count_when_a_limit_falls),
        TEST(a_process_without_a_lane_is_held_to_the_limit),
        TEST(a_child_s_first_call_finds_a_ticket),
        TEST(workers_forked_while_tripd_is_away_are_held_to_the_limit),
        TEST(a_burst_passes_and_then_the_rate),
        TEST(a_sliding_window_admits_its_limit),
        TEST(the_last_tokens_are_the_more_important_calls),
        TEST(info_tells_each_priority_when_the_rate_admits_it),
        TEST(a_call_without_a_token_keeps_no_ticket),
        TEST(critical_calls_are_never_shed_and_sheddable_ones_first),
        TEST(sheddable_calls_have_a_least_share_of_what_is_admitted),
        TEST(while_tripd_is_away_nothing_is_shed),
        TEST(while_tripd_is_away_an_adaptive_limit_is_the_most_that_it_may_be),
        TEST(a_call_whose_time_has_passed_is_not_sent),
        TEST(a_probe_whose_time_has_passed_takes_no_permit),
        TEST(shadow_takes_what_there_is_and_counts_what_it_would_have_denied),
        TEST(disabled_takes_nothing_and_counts_nothing),
        TEST(info_tells_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
