/* Hedging: which answer counts, and how long the second attempt may take. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "retry_fixture.h"

/* One operation's memory, which its threads may still use when its test is over. */
struct race {
    struct fixture *fixture;
    unsigned begun, over, released; /* atomics */
    uint64_t remaining_ns[3];       /* by number of the attempt */
    trip_outcome first;
    bool dry;        /* the budget */
    bool threadless; /* the second attempt */
    bool (*first_waits_for)(struct race *race);
};

static unsigned seen(const unsigned *count)
{
    return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

static void release(void *arg)
{
    struct race *const race = arg;
    __atomic_add_fetch(&race->released, 1, __ATOMIC_RELEASE);
}

static uint64_t rejected_for_want_of_tickets(struct fixture *f)
{
    struct lane_header *const memory = fake_lane(&f->fake, fake_lane_of(&f->fake, getpid()));
    uint64_t sum = 0;
    for (uint32_t i = 0; i < memory->meters_used; i++)
        sum += __atomic_load_n(&lane_meter_at(memory, i)->denied[denial_of(TRIP_DENY_CONCURRENCY)], __ATOMIC_RELAXED);
    return sum;
}

static bool second_began(struct race *race)
{
    return seen(&race->begun) == 2;
}

static bool second_is_over(struct race *race)
{
    return seen(&race->over) == 1;
}

static bool second_was_rejected(struct race *race)
{
    return rejected_for_want_of_tickets(race->fixture) == 1;
}

static bool second_was_refused(struct race *race)
{
    return fixture_counts(race->fixture).retries_refused == 1;
}

static bool second_was_given_up(struct race *race)
{
    return fixture_counts(race->fixture).cancelled == 1;
}

/* Sets the stack size of new threads: with a petabyte there are none. */
static size_t set_stack_size(size_t size)
{
    pthread_attr_t defaults;
    size_t before;
    pthread_getattr_default_np(&defaults);
    pthread_attr_getstacksize(&defaults, &before);
    pthread_attr_setstacksize(&defaults, size);
    pthread_setattr_default_np(&defaults);
    pthread_attr_destroy(&defaults);
    return before;
}

#define NO_THREADS ((size_t)1 << 50)

static trip_outcome first_attempt(struct race *race, trip_attempt *attempt)
{
    const size_t usual = race->threadless ? set_stack_size(NO_THREADS) : 0;
    WAIT_FOR(race->first_waits_for(race));
    if (usual)
        set_stack_size(usual);
    attempt->error.type = TRIP_ERROR_AUTHENTICATION;
    return race->first;
}

/* A first one that fails is given time to answer, too. */
static trip_outcome second_attempt(struct race *race)
{
    const struct timespec nap = {.tv_nsec = 50000000};
    if (race->first == TRIP_OK || !WAIT_FOR(fixture_counts(race->fixture).total_failures == 1))
        return TRIP_OK;
    nanosleep(&nap, NULL);
    return TRIP_OK;
}

static trip_outcome run_attempt(void *arg, trip_attempt *attempt)
{
    struct race *const race = arg;
    const unsigned number = attempt->number;
    race->remaining_ns[number] = attempt->remaining_ns;
    __atomic_add_fetch(&race->begun, 1, __ATOMIC_RELEASE);
    const trip_outcome outcome = number == 1 ? first_attempt(race, attempt) : second_attempt(race);
    __atomic_add_fetch(&race->over, 1, __ATOMIC_RELEASE);
    return outcome;
}

static const trip_options hedged = {
    .priority = TRIP_PRIORITY_NORMAL, .within_ns = 60000 * MS, .idempotent = true, .release = release};

static int hedge(struct fixture *f, struct race *race, trip_result *ret_result)
{
    race->fixture = f;
    retries(f);
    policy(f)->hedge_ns = 20 * MS;
    if (race->dry)
        commons_limits(f->fake.commons, f->slot)->budget = budget_make(0, 1000);
    return trip_run_with(f->breaker, &hedged, run_attempt, race, ret_result);
}

static void test_a_failure_does_not_answer_while_the_other_attempt_runs(void **state)
{
    static struct race race = {.first = TRIP_FAILURE, .first_waits_for = second_began};
    trip_result result;
    assert_int_equal(hedge(*state, &race, &result), 0);
    assert_int_equal(result.outcome, TRIP_OK);
    assert_int_equal(result.attempts, 2);
    assert_true(WAIT_FOR(seen(&race.released) == 1));
}

static void test_the_second_attempt_has_what_time_the_first_has_left(void **state)
{
    static struct race race = {.first = TRIP_OK, .first_waits_for = second_is_over};
    assert_int_equal(hedge(*state, &race, NULL), 0);
    assert_true(WAIT_FOR(seen(&race.released) == 1));
    assert_int_equal(race.remaining_ns[1], 60000 * MS); /* the instance's clock stands still */
    assert_in_range(race.remaining_ns[2], 1, 59980 * MS);
}

struct plain {
    unsigned calls; /* atomic */
    bool elsewhere;
    pthread_t caller;
};

static trip_outcome runs_for_100_ms(void *arg, trip_attempt *attempt)
{
    struct plain *const plain = arg;
    const uint64_t began_ns = monotonic_ns();
    (void)attempt;
    __atomic_add_fetch(&plain->calls, 1, __ATOMIC_RELAXED);
    if (!pthread_equal(pthread_self(), plain->caller))
        plain->elsewhere = true;
    WAIT_FOR(monotonic_ns() - began_ns > 100 * MS);
    return TRIP_OK;
}

static void test_an_operation_that_is_not_idempotent_is_sent_once(void **state)
{
    struct fixture *const f = *state;
    static struct plain plain;
    const trip_options options = {0};
    trip_result result;
    plain.caller = pthread_self();
    retries(f);
    policy(f)->hedge_ns = 20 * MS;
    assert_int_equal(trip_run_with(f->breaker, &options, runs_for_100_ms, &plain, &result), 0);
    assert_int_equal(result.attempts, 1);
    assert_int_equal(plain.calls, 1);
    assert_false(plain.elsewhere);
    assert_int_equal(fixture_counts(f).started, 1);
    assert_int_equal(tokens(f), 2000);
}

static void test_without_a_thread_the_caller_s_does_it(void **state)
{
    struct fixture *const f = *state;
    static struct plain plain;
    const trip_options options = {.idempotent = true};
    plain.caller = pthread_self();
    retries(f);
    policy(f)->hedge_ns = 20 * MS;
    const size_t usual = set_stack_size(NO_THREADS);
    const int status = trip_run_with(f->breaker, &options, runs_for_100_ms, &plain, NULL);
    set_stack_size(usual);
    assert_int_equal(status, 0);
    assert_int_equal(plain.calls, 1);
    assert_false(plain.elsewhere);
}

struct failing {
    unsigned calls;
    sigset_t blocked;
};

static trip_outcome fails_once(void *arg, trip_attempt *attempt)
{
    struct failing *const failing = arg;
    pthread_sigmask(SIG_BLOCK, NULL, &failing->blocked);
    if (failing->calls++)
        return TRIP_OK;
    attempt->error.type = TRIP_ERROR_NETWORK;
    attempt->retry_after_ns = 50 * MS;
    return TRIP_FAILURE;
}

static void test_a_failure_in_a_thread_is_retried_by_its_type_and_the_server_s_wish(void **state)
{
    struct fixture *const f = *state;
    struct failing failing = {0};
    const trip_options options = {.idempotent = true};
    trip_result result;
    retries(f);
    policy(f)->retry_base_ns = MS;
    policy(f)->hedge_ns = 10000 * MS;
    assert_int_equal(trip_run_with(f->breaker, &options, fails_once, &failing, &result), 0);
    assert_int_equal(result.attempts, 2);
    assert_int_equal(result.error, TRIP_ERROR_NETWORK);
    assert_true(result.elapsed_ns >= 50 * MS);
}

static void test_libtrip_s_threads_take_no_signal_of_the_program_s(void **state)
{
    struct fixture *const f = *state;
    struct failing failing = {.calls = 1};
    const trip_options options = {.idempotent = true};
    sigset_t after;
    retries(f);
    policy(f)->hedge_ns = 10000 * MS;
    assert_int_equal(trip_run_with(f->breaker, &options, fails_once, &failing, NULL), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_true(sigismember(&failing.blocked, SIGTERM));
    assert_true(sigismember(&failing.blocked, SIGALRM));
    assert_true(sigismember(&failing.blocked, SIGRTMAX));
    assert_false(sigismember(&after, SIGTERM));
}

static void all_tickets(struct fixture *f)
{
    policy(f)->tickets = 2;
    policy(f)->limits = POLICY_TICKETS;
}

static void assert_all_came_back(struct fixture *f)
{
    assert_int_equal(fixture_counts(f).finished, fixture_counts(f).started);
    assert_int_equal(ticket_count(commons_tickets(f->fake.commons, f->slot), 0, 2), 0);
}

/* Calls earn tokens: one that was never sent is none. */
static void test_a_second_attempt_that_the_dry_budget_refuses_is_no_call(void **state)
{
    struct fixture *const f = *state;
    static struct race race = {.first = TRIP_OK, .first_waits_for = second_was_refused};
    trip_result result;
    race.dry = true;
    all_tickets(f);
    assert_int_equal(hedge(f, &race, &result), 0);
    assert_int_equal(result.attempts, 1);
    assert_int_equal(fixture_counts(f).started, 1);
    assert_int_equal(fixture_counts(f).cancelled, 0);
    assert_true(WAIT_FOR(seen(&race.released) == 1));
    assert_all_came_back(f);
}

static void test_a_second_attempt_without_a_thread_gives_all_back(void **state)
{
    struct fixture *const f = *state;
    static struct race race = {.first = TRIP_OK, .first_waits_for = second_was_given_up, .threadless = true};
    trip_result result;
    all_tickets(f);
    assert_int_equal(hedge(f, &race, &result), 0);
    assert_int_equal(result.attempts, 1);
    assert_int_equal(seen(&race.begun), 1);
    assert_true(WAIT_FOR(seen(&race.released) == 1));
    assert_int_equal(fixture_counts(f).started, 2);
    assert_int_equal(fixture_counts(f).cancelled, 1);
    assert_all_came_back(f);
}

static void test_the_second_attempt_waits_for_no_ticket(void **state)
{
    struct fixture *const f = *state;
    static struct race race = {.first = TRIP_OK, .first_waits_for = second_was_rejected};
    trip_result result;
    policy(f)->tickets = 1;
    policy(f)->tickets_wait = 10000 * MS;
    policy(f)->limits = POLICY_TICKETS;
    assert_int_equal(hedge(f, &race, &result), 0);
    assert_int_equal(result.attempts, 1);
    assert_int_equal(rejected_for_want_of_tickets(f), 1);
    assert_int_equal(tokens(f), 1000); /* it was paid, as a retry that is denied */
    assert_true(WAIT_FOR(seen(&race.released) == 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failure_does_not_answer_while_the_other_attempt_runs),
        TEST(the_second_attempt_has_what_time_the_first_has_left),
        TEST(an_operation_that_is_not_idempotent_is_sent_once),
        TEST(without_a_thread_the_caller_s_does_it),
        TEST(a_failure_in_a_thread_is_retried_by_its_type_and_the_server_s_wish),
        TEST(libtrip_s_threads_take_no_signal_of_the_program_s),
        TEST(a_second_attempt_that_the_dry_budget_refuses_is_no_call),
        TEST(a_second_attempt_without_a_thread_gives_all_back),
        TEST(the_second_attempt_waits_for_no_ticket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
