/* trip_run: how it connects the settings, the operation and its retries. */
#include <errno.h>
#include <pthread.h>

#include "retry_fixture.h"

#define ATTEMPTS 3

struct script {
    trip_attempt says; /* of each attempt that fails: error, retry_after_ns */
    trip_outcome fails_with;
    unsigned fails, calls;
    uint64_t remaining_ns[ATTEMPTS];
};

static trip_outcome work(void *arg, trip_attempt *attempt)
{
    struct script *const script = arg;
    script->remaining_ns[script->calls++] = attempt->remaining_ns;
    if (script->calls > script->fails)
        return TRIP_OK;
    attempt->error = script->says.error;
    attempt->retry_after_ns = script->says.retry_after_ns;
    return script->fails_with;
}

static const trip_attempt refused = {.error = {.type = TRIP_ERROR_NETWORK}};
static const trip_options five_seconds = {.within_ns = 5000 * MS};

static void test_the_second_attempt_is_told_what_the_first_and_the_delay_left(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.says = refused, .fails_with = TRIP_FAILURE, .fails = 1};
    retries(f);
    policy(f)->retry_base_ns = 20 * MS;
    assert_int_equal(trip_run_with(f->breaker, &five_seconds, work, &script, NULL), 0);
    assert_int_equal(script.calls, 2);
    assert_int_equal(script.remaining_ns[0], 5000 * MS); /* the instance's clock stands still */
    assert_in_range(script.remaining_ns[1], 1, 4980 * MS);
}

static void test_a_delay_beyond_the_deadline_is_not_slept(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.says = refused, .fails_with = TRIP_FAILURE, .fails = 1};
    trip_result result;
    retries(f);
    policy(f)->retry_base_ns = 6000 * MS;
    assert_int_equal(trip_run_with(f->breaker, &five_seconds, work, &script, &result), -EIO);
    assert_int_equal(result.stopped_by, TRIP_RETRY_DEADLINE);
    assert_int_equal(result.verdict, TRIP_ALLOW); /* no second admission was asked for */
    assert_int_equal(tokens(f), 2000);
    assert_in_range(result.elapsed_ns, 0, 5999 * MS);
}

static void test_the_server_is_left_alone_for_as_long_as_it_says(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.says = refused, .fails_with = TRIP_FAILURE, .fails = 1};
    trip_result result;
    script.says.retry_after_ns = 50 * MS;
    retries(f);
    policy(f)->retry_base_ns = MS;
    assert_int_equal(trip_run(f->breaker, work, &script, &result), 0);
    assert_int_equal(result.attempts, 2);
    assert_true(result.elapsed_ns >= 50 * MS);
}

static void test_a_timeout_without_an_error_s_type_is_retried_as_one(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fails_with = TRIP_TIMEOUT, .fails = 1};
    trip_result result;
    retries(f);
    policy(f)->retry_base_ns = MS;
    policy(f)->retry_on = 1u << TRIP_ERROR_TIMEOUT;
    assert_int_equal(trip_run(f->breaker, work, &script, &result), 0);
    assert_int_equal(result.attempts, 2);
    assert_int_equal(result.error, TRIP_ERROR_TIMEOUT);
    assert_int_equal(fixture_counts(f).total_timeouts, 1);
}

static void test_a_timeout_is_one_whatever_error_s_type_it_wrote(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.says = refused, .fails_with = TRIP_TIMEOUT, .fails = 1};
    trip_result result;
    retries(f); /* of network errors */
    assert_int_equal(trip_run(f->breaker, work, &script, &result), -EIO);
    assert_int_equal(result.stopped_by, TRIP_RETRY_NOT_RETRYABLE);
    assert_int_equal(result.error, TRIP_ERROR_TIMEOUT);
}

static trip_outcome fails_after_30_ms(void *calls, trip_attempt *attempt)
{
    const uint64_t began_ns = monotonic_ns();
    WAIT_FOR(monotonic_ns() - began_ns > 30 * MS);
    attempt->error.type = TRIP_ERROR_NETWORK;
    return ++*(unsigned *)calls == 1 ? TRIP_FAILURE : TRIP_OK;
}

/* The instance's clock stands still: by it the delay ends before the deadline. */
static void test_a_retry_that_wakes_after_the_deadline_is_not_sent(void **state)
{
    struct fixture *const f = *state;
    const trip_options options = {.within_ns = 30 * MS};
    unsigned calls = 0;
    trip_result result;
    retries(f);
    policy(f)->retry_base_ns = 10 * MS;
    assert_int_equal(trip_run_with(f->breaker, &options, fails_after_30_ms, &calls, &result), -EIO);
    assert_int_equal(calls, 1);
    assert_int_equal(result.verdict, TRIP_DENY_DEADLINE);
    assert_int_equal(result.stopped_by, TRIP_RETRY_DEADLINE);
}

static trip_outcome jumps_out(void *arg, trip_attempt *attempt)
{
    (void)attempt;
    longjmp(*(jmp_buf *)arg, 1);
}

static void clobber(void)
{
    volatile char stack[8192];
    memset((char *)stack, 0xa5, sizeof(stack));
}

static void *run_jump_and_end(void *breaker)
{
    jmp_buf out;
    if (setjmp(out) == 0)
        trip_run(breaker, jumps_out, &out, NULL);
    clobber();
    pthread_exit(breaker); /* runs what cleanup there is */
}

/* An interpreter's error jumps like this: the call stays in flight, and nothing more comes of it. */
static void test_an_operation_that_jumps_out_leaves_nothing_on_its_thread(void **state)
{
    struct fixture *const f = *state;
    pthread_t thread;
    void *ended = NULL;
    assert_int_equal(pthread_create(&thread, NULL, run_jump_and_end, f->breaker), 0);
    assert_int_equal(pthread_join(thread, &ended), 0);
    assert_ptr_equal(ended, f->breaker);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_attempt_is_told_what_the_first_and_the_delay_left),
        TEST(a_delay_beyond_the_deadline_is_not_slept),
        TEST(the_server_is_left_alone_for_as_long_as_it_says),
        TEST(a_timeout_without_an_error_s_type_is_retried_as_one),
        TEST(a_timeout_is_one_whatever_error_s_type_it_wrote),
        TEST(a_retry_that_wakes_after_the_deadline_is_not_sent),
        TEST(an_operation_that_jumps_out_leaves_nothing_on_its_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
