/* Tickets: their fields at their bits, and a breaker's words as one process and several threads use them (all
 * interleavings of few: test_ticket_interleavings.c). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "internal/ticket_word.h"

#define WORD UINT64_C(0x1001000020030fff) /* lanes 1, free, 3, 4095; serials 1, 0, 2, 0 */
#define ALL  UINT64_C(0x1000100010001000)

static void test_fields_stand_at_their_bits(void **state)
{
    (void)state;
    assert_int_equal(tickets_at(WORD, 0), 0x0fff);
    assert_int_equal(tickets_at(WORD, 1), 0x2003);
    assert_int_equal(tickets_at(WORD, 3), 0x1001);
    assert_int_equal(tickets_holder_at(WORD, 0), 4095);
    assert_int_equal(tickets_holder_at(WORD, 1), 3);
    assert_int_equal(tickets_holder_at(WORD, 2), 0);
    assert_int_equal(tickets_with(WORD, 2, 0xabcd), UINT64_C(0x1001abcd20030fff));
}

static void test_places_are_the_word_s_tickets_before_the_end(void **state)
{
    (void)state;
    assert_int_equal(tickets_places(4, 4), 0);
    assert_int_equal(tickets_places(4, 0), 0);
    assert_int_equal(tickets_places(4, 5), 0x1000);
    assert_int_equal(tickets_places(4, 7), UINT64_C(0x0000100010001000));
    assert_int_equal(tickets_places(4, 8), ALL);
    assert_int_equal(tickets_places(4, 1024), ALL);
}

static void test_a_ticket_with_a_lane_is_taken_whatever_its_serial(void **state)
{
    (void)state;
    assert_int_equal(tickets_taken(WORD, ALL), UINT64_C(0x1000000010001000));
    assert_int_equal(tickets_free(WORD, ALL), UINT64_C(0x0000100000000000));
    assert_int_equal(tickets_count(tickets_taken(WORD, ALL)), 3);
    assert_int_equal(tickets_first(tickets_free(WORD, ALL)), 2);
    assert_int_equal(tickets_taken(UINT64_C(0xf000f000f000f000), ALL), 0);
    assert_int_equal(tickets_free(UINT64_MAX, ALL), 0);
    for (uint32_t lane = 1; lane <= TICKET_HOLDER_MAX; lane++)
        assert_int_equal(tickets_taken((uint64_t)lane << 32, ALL), UINT64_C(0x0000100000000000));
}

static void test_a_lease_lasts_a_minute_and_is_no_lane(void **state)
{
    (void)state;
    assert_int_equal(ticket_lease(0), 0x800);
    assert_int_equal(ticket_lease(8000), 0x802);
    assert_int_equal(ticket_lease(2048 * UINT64_C(4000) + 3999), 0x800);
    assert_false(ticket_lease_over(0x802, 8000));
    assert_false(ticket_lease_over(0x802, 71999));
    assert_true(ticket_lease_over(0x802, 72000));
    assert_true(ticket_lease_over(0x802, 3600000));
    assert_false(ticket_lease_over(0x802, 0)); /* its taker's clock is ahead */
    assert_true(ticket_lease_over(0x803, 0));
    assert_false(ticket_lease_over(0x7ff, 3600000)); /* a lane's number */
}

static void test_the_death_of_a_lane_frees_no_leases(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket ticket;
    assert_int_equal(ticket_take(words, 4, 0, ticket_lease(200000), 0, &ticket), 0);
    assert_int_equal(ticket_reclaim(words, ticket_lease(200000)), 0);
    assert_int_equal(ticket_count(words, 0, 4), 1);
}

static void test_taking_moves_the_serial_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(tickets_after_take(WORD, 2, 7), UINT64_C(0x1001100720030fff));
    assert_int_equal(tickets_after_take(UINT64_C(0xf000), 0, 4095), 0x0fff);
}

static void test_giving_back_keeps_the_serial(void **state)
{
    (void)state;
    assert_int_equal(tickets_after_give(WORD, 1, 0x2003), UINT64_C(0x1001000020000fff));
    assert_int_equal(tickets_after_give(WORD, 1, 0x1003), WORD);
    assert_int_equal(tickets_after_give(WORD, 1, 0x2004), WORD);
    assert_int_equal(tickets_after_give(WORD, 2, 0x1007), WORD);
}

static uint64_t of_lane(uint64_t word, uint32_t lane)
{
    uint64_t lanes[TICKET_HOLDER_SET] = {0};
    ticket_holders_add(lanes, lane);
    return tickets_of_holders(word, lanes);
}

static void test_reclaiming_frees_every_ticket_of_the_lane(void **state)
{
    (void)state;
    assert_int_equal(of_lane(UINT64_C(0x3005200410050ff5), 5), UINT64_C(0x0fff00000fff0000));
    assert_int_equal(of_lane(UINT64_C(0x3005200510050005), 5), UINT64_C(0x0fff0fff0fff0fff));
    assert_int_equal(of_lane(UINT64_C(0x3005200410050fff), 4095), UINT64_C(0x0000000000000fff));
    assert_int_equal(of_lane(UINT64_C(0x3000200010050005), 0), 0);
    assert_int_equal(of_lane(UINT64_C(0x3000200010050005), 4096), 0);
}

/* ----------------------------------------------------------------------------------------------- a breaker's words */

static void test_the_limit_and_no_more_is_taken(void **state)
{
    (void)state;
    static const unsigned limits[] = {1, 2, 3, 4, 5, 50, 1023, 1024, 1025};
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        uint64_t words[TICKET_WORDS] = {0};
        const unsigned limit = limits[i] < 1024 ? limits[i] : 1024;
        struct ticket ticket = {0, 0};
        for (unsigned taken = 0; taken < limit; taken++) {
            assert_int_equal(ticket_take(words, limits[i], 0, 9, taken * 7, &ticket), 0);
            assert_true(ticket.index < limit);
            assert_int_equal(ticket.value, 0x1009);
        }
        assert_int_equal(ticket_take(words, limits[i], 0, 9, 0, &ticket), -EAGAIN);
        assert_int_equal(ticket_count(words, 0, TICKETS_MAX), limit);
    }
}

static void test_a_limit_of_nothing_admits_nothing_and_touches_nothing(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket ticket = {17, 18};
    assert_int_equal(ticket_take(words, 0, 0, 9, 0, &ticket), -EAGAIN);
    assert_int_equal(ticket_take(words, 4, 4, 9, 0, &ticket), -EAGAIN);
    assert_int_equal(ticket.index, 17);
    assert_int_equal(ticket.value, 18);
    assert_int_equal(words[0], 0);
}

static void test_the_search_begins_at_the_hint_and_comes_round(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket ticket = {0, 0};
    static const uint16_t expected[] = {8, 9, 0, 1, 2, 3, 4, 5, 6, 7};
    for (unsigned taken = 0; taken < 10; taken++) {
        assert_int_equal(ticket_take(words, 10, 0, 9, 9, &ticket), 0);
        assert_int_equal(ticket.index, expected[taken]);
    }
    assert_int_equal(ticket_take(words, 11, 0, 9, UINT32_MAX, &ticket), 0);
    assert_int_equal(ticket.index, 10);
}

static void test_a_ticket_is_given_back_once(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket first = {0, 0}, second = {0, 0};
    assert_int_equal(ticket_take(words, 1, 0, 9, 0, &first), 0);
    assert_true(ticket_give(words, first));
    assert_false(ticket_give(words, first));
    assert_int_equal(ticket_take(words, 1, 0, 9, 0, &second), 0);
    assert_int_equal(second.value, 0x2009);
    assert_false(ticket_give(words, first));
    assert_int_equal(ticket_count(words, 0, 1), 1);
    assert_true(ticket_give(words, second));
    assert_int_equal(words[0], 0x2000);
}

static void test_clearing_a_ticket_leaves_the_others_of_its_word(void **state)
{
    (void)state;
    uint64_t word = WORD;
    ticket_clear(&word, 1);
    assert_int_equal(word, UINT64_C(0x1001000020000fff));
}

static void test_a_ticket_from_nowhere_gives_nothing_back(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS];
    memset(words, 0xff, sizeof(words));
    assert_false(ticket_give(words, (struct ticket){65535, 0x1009}));
    assert_int_equal(ticket_count(words, 0, TICKETS_MAX), 1024);
}

static void test_a_dead_lanes_tickets_are_found_in_all_words(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket ticket = {0, 0};
    for (unsigned taken = 0; taken < 1024; taken++)
        assert_int_equal(ticket_take(words, 1024, 0, 1 + taken % 3, taken, &ticket), 0);
    assert_int_equal(ticket_reclaim(words, 2), 341);
    assert_int_equal(ticket_reclaim(words, 2), 0);
    assert_int_equal(ticket_count(words, 0, 1024), 683);
    assert_int_equal(ticket_reclaim(words, 1), 342);
    assert_int_equal(ticket_reclaim(words, 3), 341);
    assert_int_equal(ticket_reclaim(words, 0), 0);
    assert_int_equal(ticket_count(words, 0, 1024), 0);
}

static void test_the_tickets_of_many_dead_lanes_are_found_at_once(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket ticket = {0, 0};
    uint64_t dead[TICKET_HOLDER_SET] = {0};
    for (unsigned taken = 0; taken < 1024; taken++)
        assert_int_equal(ticket_take(words, 1024, 0, 1 + taken, taken, &ticket), 0);
    ticket_holders_add(dead, 0);
    ticket_holders_add(dead, 4096);
    assert_int_equal(ticket_reclaim_all(words, dead), 0);
    for (uint32_t lane = 1; lane <= 1024; lane++)
        if (lane % 64 != 63)
            ticket_holders_add(dead, lane);
    assert_int_equal(ticket_reclaim_all(words, dead), 1008);
    assert_int_equal(ticket_reclaim_all(words, dead), 0);
    assert_int_equal(ticket_count(words, 0, 1024), 16);
    assert_int_equal(ticket_count(words, 62, 63), 1);
    assert_int_equal(ticket_reclaim(words, 63), 1);
}

static void test_tickets_are_counted_from_any_to_any(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS];
    memset(words, 0xff, sizeof(words));
    assert_int_equal(ticket_count(words, 0, 0), 0);
    assert_int_equal(ticket_count(words, 0, 3), 3);
    assert_int_equal(ticket_count(words, 3, 6), 3);
    assert_int_equal(ticket_count(words, 6, 7), 1);
    assert_int_equal(ticket_count(words, 7, 3), 0);
    assert_int_equal(ticket_count(words, 5, UINT32_MAX), 1019);
    words[1] = 0;
    assert_int_equal(ticket_count(words, 3, 9), 2);
}

static void test_a_reserve_stays_for_the_more_important(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket ticket = {0, 0};
    for (unsigned taken = 0; taken < 8; taken++)
        assert_int_equal(ticket_take(words, 10, 2, 9, taken, &ticket), 0);
    assert_int_equal(ticket_take(words, 10, 2, 9, 0, &ticket), -EAGAIN);
    assert_int_equal(ticket_take(words, 10, 1, 9, 0, &ticket), 0);
    assert_int_equal(ticket.index, 8);
    assert_int_equal(ticket_take(words, 10, 1, 9, 0, &ticket), -EAGAIN);
    assert_int_equal(ticket_take(words, 10, 0, 9, 0, &ticket), 0);
    assert_int_equal(ticket.index, 9);
}

static void test_a_reserve_counts_what_is_free_wherever_it_is(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket held[10] = {{0, 0}}, ticket = {0, 0};
    for (unsigned taken = 0; taken < 10; taken++)
        assert_int_equal(ticket_take(words, 10, 0, 9, taken, &held[taken]), 0);
    ticket_give(words, held[0]);
    ticket_give(words, held[1]);
    assert_int_equal(ticket_take(words, 10, 2, 9, 0, &ticket), -EAGAIN);
    ticket_give(words, held[9]);
    assert_int_equal(ticket_take(words, 10, 2, 9, 0, &ticket), 0);
    assert_int_equal(ticket.index, 0);
}

static void test_a_limit_that_fell_admits_when_tickets_beyond_it_are_back(void **state)
{
    (void)state;
    uint64_t words[TICKET_WORDS] = {0};
    struct ticket held[10] = {{0, 0}}, ticket = {0, 0};
    for (unsigned taken = 0; taken < 10; taken++)
        assert_int_equal(ticket_take(words, 10, 0, 9, taken, &held[taken]), 0);
    for (unsigned given = 0; given < 6; given++) {
        assert_int_equal(ticket_take(words, 5, ticket_count(words, 5, 10), 9, 0, &ticket), -EAGAIN);
        ticket_give(words, held[given]);
    }
    assert_int_equal(ticket_count(words, 0, 10), 4);
    assert_int_equal(ticket_take(words, 5, ticket_count(words, 5, 10), 9, 0, &ticket), 0);
    assert_int_equal(ticket_take(words, 5, ticket_count(words, 5, 10), 9, 0, &ticket), -EAGAIN);
}

static void test_a_ticket_is_kept_within_the_limit_beside_no_more_than_it(void **state)
{
    (void)state;
    const uint64_t words[TICKET_WORDS] = {UINT64_C(0x0000100300001001), 0x1002}; /* tickets 0, 2, 4 */
    const struct ticket first = {0, 0x1001}, third = {2, 0x1003};
    assert_true(ticket_keeps(words, (struct ticket_limit){3, 5}, first));
    assert_false(ticket_keeps(words, (struct ticket_limit){2, 5}, first));
    assert_true(ticket_keeps(words, (struct ticket_limit){2, 4}, first));
    assert_true(ticket_keeps(words, (struct ticket_limit){1, 1}, first)); /* none is out beyond: nothing is counted */
    assert_true(ticket_keeps(words, (struct ticket_limit){3, 3}, third));
    assert_false(ticket_keeps(words, (struct ticket_limit){2, 2}, third));
}

/* ------------------------------------------------------------------------------------------------------- threads */

#define THREADS 4
#define LIMIT   6
#define CALLS   20000

struct load {
    uint64_t words[TICKET_WORDS];
    unsigned in_flight, most, admitted, denied, not_given;
    pthread_barrier_t start;
};

struct worker {
    struct load *load;
    uint32_t lane;
};

static void note_most(struct load *load, unsigned in_flight)
{
    unsigned most = __atomic_load_n(&load->most, __ATOMIC_RELAXED);
    while (in_flight > most &&
           !__atomic_compare_exchange_n(&load->most, &most, in_flight, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* Each thread holds up to two at a time: eight would like to hold six. */
static void *calls(void *at)
{
    const struct worker *const worker = at;
    struct load *const load = worker->load;
    struct ticket held[2];

    pthread_barrier_wait(&load->start);
    for (unsigned i = 0; i < CALLS; i++) {
        unsigned count = 0;
        for (unsigned want = 0; want < 2; want++) {
            if (ticket_take(load->words, LIMIT, 0, worker->lane, i, &held[count]) < 0) {
                __atomic_fetch_add(&load->denied, 1, __ATOMIC_RELAXED);
                continue;
            }
            note_most(load, __atomic_add_fetch(&load->in_flight, 1, __ATOMIC_RELAXED));
            count++;
        }
        if (i % 64 == 0)
            sched_yield();
        __atomic_fetch_add(&load->admitted, count, __ATOMIC_RELAXED);
        while (count > 0) {
            __atomic_fetch_sub(&load->in_flight, 1, __ATOMIC_RELAXED);
            if (!ticket_give(load->words, held[--count]))
                __atomic_fetch_add(&load->not_given, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void test_threads_never_hold_more_than_the_limit(void **state)
{
    (void)state;
    static struct load load;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    assert_int_equal(pthread_barrier_init(&load.start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&load, i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, calls, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&load.start);

    assert_in_range(load.most, 3, LIMIT); /* more than one thread's: they overlapped */
    assert_int_equal(load.admitted + load.denied, THREADS * CALLS * 2);
    assert_int_equal(load.not_given, 0);
    assert_int_equal(ticket_count(load.words, 0, TICKETS_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_stand_at_their_bits),
        cmocka_unit_test(test_places_are_the_word_s_tickets_before_the_end),
        cmocka_unit_test(test_a_ticket_with_a_lane_is_taken_whatever_its_serial),
        cmocka_unit_test(test_a_lease_lasts_a_minute_and_is_no_lane),
        cmocka_unit_test(test_the_death_of_a_lane_frees_no_leases),
        cmocka_unit_test(test_taking_moves_the_serial_and_nothing_else),
        cmocka_unit_test(test_giving_back_keeps_the_serial),
        cmocka_unit_test(test_reclaiming_frees_every_ticket_of_the_lane),
        cmocka_unit_test(test_the_limit_and_no_more_is_taken),
        cmocka_unit_test(test_a_limit_of_nothing_admits_nothing_and_touches_nothing),
        cmocka_unit_test(test_the_search_begins_at_the_hint_and_comes_round),
        cmocka_unit_test(test_a_ticket_is_given_back_once),
        cmocka_unit_test(test_clearing_a_ticket_leaves_the_others_of_its_word),
        cmocka_unit_test(test_a_ticket_from_nowhere_gives_nothing_back),
        cmocka_unit_test(test_a_dead_lanes_tickets_are_found_in_all_words),
        cmocka_unit_test(test_the_tickets_of_many_dead_lanes_are_found_at_once),
        cmocka_unit_test(test_tickets_are_counted_from_any_to_any),
        cmocka_unit_test(test_a_reserve_stays_for_the_more_important),
        cmocka_unit_test(test_a_reserve_counts_what_is_free_wherever_it_is),
        cmocka_unit_test(test_a_limit_that_fell_admits_when_tickets_beyond_it_are_back),
        cmocka_unit_test(test_a_ticket_is_kept_within_the_limit_beside_no_more_than_it),
        cmocka_unit_test(test_threads_never_hold_more_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
