/* Calls that a thread has left open, by an exception, a longjmp, or a request that was cut off. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>

#include "client_fixture.h"
#include "internal/policy.h"

static int track_setup(void **state)
{
    if (fixture_setup(state) < 0)
        return -1;
    struct fixture *const f = *state;
    struct policy_slot *const policy = &f->fake.segment->policies[f->slot];
    policy->tickets_highest = policy->tickets = 8;
    policy->limits = POLICY_TICKETS;
    trip_thread_track(true);
    return 0;
}

static int track_teardown(void **state)
{
    trip_cancel_all();
    trip_thread_track(false);
    return fixture_teardown(state);
}

static unsigned tickets_out(const struct fixture *f)
{
    return ticket_count(commons_tickets(f->fake.commons, f->slot), 0, 8);
}

static void test_calls_that_were_left_open_are_cancelled(void **state)
{
    struct fixture *const f = *state;
    trip_call left[3], ended;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(trip_begin(f->breaker, &left[i]), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &ended), TRIP_ALLOW);
    trip_end(&ended, TRIP_OK);
    assert_int_equal(tickets_out(f), 3);
    assert_int_equal(trip_cancel_all(), 3);
    assert_int_equal(tickets_out(f), 0);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.cancelled, 3);
    assert_int_equal(counts.total_ok, 1);
    assert_int_equal(counts.started, 4);
    assert_int_equal(counts.finished, 4);
    assert_int_equal(trip_cancel_all(), 0);
}

/* Any thread that still has the call may end it, even when its place is another call's by then. */
static void test_the_end_of_a_cancelled_call_does_nothing(void **state)
{
    struct fixture *const f = *state;
    trip_call cancelled, next;
    assert_int_equal(trip_begin(f->breaker, &cancelled), TRIP_ALLOW);
    assert_int_equal(trip_cancel_all(), 1);
    assert_int_equal(trip_begin(f->breaker, &next), TRIP_ALLOW);
    trip_end(&cancelled, TRIP_FAILURE);
    assert_int_equal(tickets_out(f), 1);
    assert_int_equal(fixture_counts(f).total_failures, 0);
    trip_end(&next, TRIP_OK);
    assert_int_equal(fixture_counts(f).total_ok, 1);
}

static void test_a_call_may_be_moved_before_it_ends(void **state)
{
    struct fixture *const f = *state;
    trip_call call, moved;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    memcpy(&moved, &call, sizeof(call));
    memset(&call, 0xff, sizeof(call));
    trip_end(&moved, TRIP_OK);
    assert_int_equal(tickets_out(f), 0);
    assert_int_equal(trip_cancel_all(), 0);
}

static void *end_call(void *call)
{
    trip_end(call, TRIP_OK);
    assert_int_equal(trip_cancel_all(), 0); /* of this thread's there is none */
    return NULL;
}

static void test_a_call_that_another_thread_ends_is_left_open_by_nobody(void **state)
{
    struct fixture *const f = *state;
    trip_call moved, left;
    pthread_t thread;
    assert_int_equal(trip_begin(f->breaker, &moved), TRIP_ALLOW);
    assert_int_equal(trip_begin(f->breaker, &left), TRIP_ALLOW);
    assert_int_equal(pthread_create(&thread, NULL, end_call, &moved), 0);
    pthread_join(thread, NULL);
    assert_int_equal(trip_cancel_all(), 1);
    assert_int_equal(fixture_counts(f).total_ok, 1);
    assert_int_equal(fixture_counts(f).cancelled, 1);
}

static void test_a_probe_that_was_left_open_gives_its_permit_back(void **state)
{
    struct fixture *const f = *state;
    trip_call probe;
    fixture_set(f, word_half_open(word_epoch(fixture_word(f)) + 1, 60000));
    fake_arm(&f->fake, f->slot, 0);
    assert_int_equal(trip_begin(f->breaker, &probe), TRIP_PROBE);
    assert_int_equal(trip_cancel_all(), 1);
    assert_int_equal(permit_outcome(fake_permit(&f->fake, f->slot, 0)), PERMIT_NEUTRAL);
}

static trip_outcome jumps_out(void *arg, trip_attempt *attempt)
{
    (void)attempt;
    longjmp(*(jmp_buf *)arg, 1);
}

static void test_an_operation_that_is_jumped_out_of_is_cancelled(void **state)
{
    struct fixture *const f = *state;
    jmp_buf out;
    if (setjmp(out) == 0)
        trip_run(f->breaker, jumps_out, &out, NULL);
    assert_int_equal(tickets_out(f), 1);
    assert_int_equal(trip_cancel_all(), 1);
    assert_int_equal(tickets_out(f), 0);
}

static int cancels_nothing_of_its_parent_s(void *context)
{
    struct fixture *const f = context;
    trip_call own;
    if (trip_cancel_all() != 0 || tickets_out(f) != 1)
        return 1;
    if (trip_begin(f->breaker, &own) != TRIP_ALLOW || trip_cancel_all() != 1)
        return 2;
    return tickets_out(f) == 1 ? 0 : 3;
}

static void test_a_child_cancels_nothing_of_its_parent_s(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    assert_int_equal(in_child(cancels_nothing_of_its_parent_s, f), 0);
    assert_int_equal(trip_cancel_all(), 1);
}

static void test_a_close_forgets_the_calls_of_its_client(void **state)
{
    struct fixture *const f = *state;
    trip_call call;
    assert_int_equal(trip_begin(f->breaker, &call), TRIP_ALLOW);
    trip_close(f->client);
    assert_int_equal(trip_cancel_all(), 0);
    assert_int_equal(trip_open(&f->client, NULL), 0);
}

static void test_untracked_calls_stay_open(void **state)
{
    struct fixture *const f = *state;
    trip_call tracked, plain;
    assert_int_equal(trip_begin(f->breaker, &tracked), TRIP_ALLOW);
    trip_thread_track(false);
    assert_int_equal(trip_begin(f->breaker, &plain), TRIP_ALLOW);
    assert_int_equal(trip_cancel_all(), 1);
    assert_int_equal(tickets_out(f), 1);
    trip_end(&plain, TRIP_OK);
    assert_int_equal(tickets_out(f), 0);
    assert_int_equal(fixture_counts(f).meters, 1); /* in the section that the thread has all the time */
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, track_setup, track_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_that_were_left_open_are_cancelled),
        TEST(the_end_of_a_cancelled_call_does_nothing),
        TEST(a_call_may_be_moved_before_it_ends),
        TEST(a_call_that_another_thread_ends_is_left_open_by_nobody),
        TEST(a_probe_that_was_left_open_gives_its_permit_back),
        TEST(an_operation_that_is_jumped_out_of_is_cancelled),
        TEST(a_child_cancels_nothing_of_its_parent_s),
        TEST(a_close_forgets_the_calls_of_its_client),
        TEST(untracked_calls_stay_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
