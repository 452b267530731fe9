/* errno is the host program's: `trip_end(&call, TRIP_FAILURE); return -errno;` is how C is written. */
#include <errno.h>
#include <pthread.h>

#include "client_fixture.h"
#include "internal/policy.h"

static bool void_kept(void (*function)(trip_breaker *breaker), trip_breaker *breaker)
{
    errno = ECONNRESET;
    function(breaker);
    return errno == ECONNRESET;
}

static void ends(trip_breaker *breaker)
{
    trip_call call;
    trip_begin(breaker, &call);
    trip_end(&call, TRIP_FAILURE);
}

static void ends_with_an_error(trip_breaker *breaker)
{
    trip_call call;
    trip_begin(breaker, &call);
    trip_end_error(&call, &(trip_error){.type = TRIP_ERROR_NETWORK, .message = "reset"});
}

static void records(trip_breaker *breaker)
{
    trip_record(breaker, TRIP_OK, 0);
    trip_record(breaker, TRIP_FAILURE, 0);
}

static void retries(trip_breaker *breaker)
{
    trip_retry retry;
    trip_retry_start(breaker, &retry);
    trip_retry_within(&retry, 1000000);
}

static void asks(trip_breaker *breaker)
{
    trip_allow(breaker);
}

static bool all_keep_errno(trip_breaker *breaker)
{
    return void_kept(asks, breaker) && void_kept(ends, breaker) && void_kept(ends_with_an_error, breaker) &&
           void_kept(records, breaker) && void_kept(retries, breaker);
}

/* Calls for so long that each function finds it time to look after tripd. */
static bool all_keep_errno_over_time(trip_breaker *breaker)
{
    const struct timespec nap = {.tv_nsec = 60000000};
    bool kept = true;
    for (unsigned i = 0; i < 30 && kept; i++) {
        kept = void_kept(i % 2 ? ends : records, breaker);
        nanosleep(&nap, NULL);
    }
    return kept && all_keep_errno(breaker);
}

static void test_errno_is_left_alone_while_tripd_is_there(void **state)
{
    struct fixture *const fixture = *state;
    assert_true(all_keep_errno_over_time(fixture->breaker));
}

static void test_errno_is_left_alone_while_nobody_listens(void **state)
{
    struct fixture *const fixture = *state;
    unlink(fixture->fake.socket);
    fake_hang_up(&fixture->fake);
    fake_away(&fixture->fake);
    assert_true(all_keep_errno_over_time(fixture->breaker));
}

static void test_errno_is_left_alone_while_the_breaker_has_lost_its_place(void **state)
{
    struct fixture *const fixture = *state;
    fixture->fake.mute_resolve = true;
    fake_new_segment(&fixture->fake);
    assert_true(all_keep_errno_over_time(fixture->breaker));
}

static int keeps_errno(void *context)
{
    const struct fixture *const fixture = context;
    return all_keep_errno(fixture->breaker) && all_keep_errno_over_time(fixture->breaker) ? 0 : 1;
}

static void test_errno_is_left_alone_in_the_child_of_a_fork(void **state)
{
    assert_int_equal(in_child(keeps_errno, *state), 0);
}

static void *keeps_errno_in_thread(void *context)
{
    return keeps_errno(context) == 0 ? context : NULL;
}

static void test_errno_is_left_alone_in_a_thread_s_first_calls(void **state)
{
    pthread_t thread;
    void *kept = NULL;
    assert_int_equal(pthread_create(&thread, NULL, keeps_errno_in_thread, *state), 0);
    pthread_join(thread, &kept);
    assert_non_null(kept);
}

static void test_errno_is_left_alone_by_a_wait_for_a_ticket(void **state)
{
    struct fixture *const fixture = *state;
    struct policy_slot *const policy = &fixture->fake.segment->policies[fixture->slot];
    trip_call holder, call;
    policy->tickets_highest = policy->tickets = 1;
    policy->tickets_wait = 20000000;
    policy->limits = POLICY_TICKETS;
    assert_int_equal(trip_begin(fixture->breaker, &holder), TRIP_ALLOW);
    errno = ECONNRESET;
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_DENY_CONCURRENCY);
    assert_int_equal(errno, ECONNRESET);
    trip_end(&holder, TRIP_OK);
}

static void test_errno_is_left_alone_by_a_close(void **state)
{
    struct fixture *const fixture = *state;
    errno = ECONNRESET;
    trip_close(fixture->client);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(trip_open(&fixture->client, NULL), 0);
}

static void test_an_end_without_an_error_is_a_failure_of_unknown_type(void **state)
{
    struct fixture *const fixture = *state;
    trip_call call;
    assert_int_equal(trip_begin(fixture->breaker, &call), TRIP_ALLOW);
    trip_end_error(&call, NULL);
    assert_int_equal(fixture_counts(fixture).total_failures, 1);
    assert_int_equal(fixture_counts(fixture).total_timeouts, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errno_is_left_alone_while_tripd_is_there),
        TEST(errno_is_left_alone_while_nobody_listens),
        TEST(errno_is_left_alone_while_the_breaker_has_lost_its_place),
        TEST(errno_is_left_alone_in_the_child_of_a_fork),
        TEST(errno_is_left_alone_in_a_thread_s_first_calls),
        TEST(errno_is_left_alone_by_a_wait_for_a_ticket),
        TEST(errno_is_left_alone_by_a_close),
        TEST(an_end_without_an_error_is_a_failure_of_unknown_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
