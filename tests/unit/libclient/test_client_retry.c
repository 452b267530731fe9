/* Retries: which answer ends them, what they cost, and trip_run, which does everything for blocking code. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "client.h"
#include "core/limits.h"
#include "retry_fixture.h"

static void test_delays_grow_until_the_attempts_are_used_up(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns = 7;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
    assert_int_equal(delay_ns, 100 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
    assert_int_equal(delay_ns, 200 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_ATTEMPTS);
    assert_int_equal(delay_ns, 200 * MS); /* written with AGAIN only */
    assert_int_equal(tokens(f), 0);
}

static void test_an_error_that_is_not_listed_ends_the_retries(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_AUTHENTICATION, 0, &delay_ns), TRIP_RETRY_NOT_RETRYABLE);
    assert_int_equal(trip_retry_next(&retry, (trip_error_type)99, 0, &delay_ns), TRIP_RETRY_NOT_RETRYABLE);
    assert_int_equal(tokens(f), 2000);
}

static void test_an_invalid_error_type_is_not_retried(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    policy(f)->retry_on = UINT64_MAX;
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_TYPE_COUNT, 0, &delay_ns), TRIP_RETRY_NOT_RETRYABLE);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, (trip_error_type)64, 0, &delay_ns), TRIP_RETRY_NOT_RETRYABLE);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, (trip_error_type)-1, 0, &delay_ns), TRIP_RETRY_NOT_RETRYABLE);
}

static void test_a_longer_hint_of_the_server_is_honoured(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 3000 * MS, &delay_ns), TRIP_RETRY_AGAIN);
    assert_int_equal(delay_ns, 3000 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 50 * MS, &delay_ns), TRIP_RETRY_AGAIN);
    assert_int_equal(delay_ns, 200 * MS);
}

static void test_a_server_that_asks_for_more_than_the_longest_delay_ends_the_retries(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 10000 * MS, &delay_ns), TRIP_RETRY_AGAIN);
    assert_int_equal(delay_ns, 10000 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 10000 * MS + 1, &delay_ns), TRIP_RETRY_TIME);
    assert_int_equal(tokens(f), 1000); /* it was not charged */
}

static void test_a_dry_budget_refuses_and_counts(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    for (unsigned i = 0; i < 2; i++) {
        trip_retry_start(f->breaker, &retry);
        assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
    }
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_BUDGET);
    assert_false(trip_hedge_take(f->breaker));
    assert_int_equal(fixture_counts(f).retries, 2);
    assert_int_equal(fixture_counts(f).retries_refused, 2);
}

static void test_an_open_breaker_ends_the_retries_at_once(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    fixture_set(f, word_open(word_epoch(fixture_word(f)) + 1, 1010)); /* for less than the delay */
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_OPEN);
    assert_int_equal(tokens(f), 2000); /* nothing was charged */
}

static void test_a_delay_beyond_total_or_deadline_is_not_slept(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    trip_retry_within(&retry, 100 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_DEADLINE);
    policy(f)->retry_total_ns = 250 * MS; /* since the start, which ends before 200 ms from 1100 on are over */
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
    fake_clock(&f->fake, 1100);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_TIME);
}

static void test_a_delay_that_ends_after_the_deadline_is_not_slept(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    trip_retry_within(&retry, 99 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_DEADLINE);
    assert_int_equal(tokens(f), 2000); /* nothing was charged */
    trip_retry_start(f->breaker, &retry);
    trip_retry_within(&retry, 101 * MS);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
    trip_retry_start(f->breaker, &retry);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
}

static void test_hedging_is_off_without_a_time(void **state)
{
    struct fixture *const f = *state;
    uint64_t delay_ns = 7;
    assert_false(trip_hedge_after(f->breaker, &delay_ns));
    assert_int_equal(delay_ns, 7);
    policy(f)->hedge_ns = 30 * MS;
    assert_true(trip_hedge_after(f->breaker, &delay_ns));
    assert_int_equal(delay_ns, 30 * MS);
}

static void test_a_half_open_breaker_ends_the_retries_unless_it_moves_on_before_the_delay_ends(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    fixture_set(f, word_half_open(3, 1101)); /* no permit is free, and the delay ends at 1100 */
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_OPEN);
    assert_int_equal(tokens(f), 2000);
    trip_retry_start(f->breaker, &retry);
    fixture_set(f, word_half_open(3, 1100));
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
}

static void test_a_ramping_breaker_ends_no_retries(void **state)
{
    struct fixture *const f = *state;
    trip_retry retry;
    uint64_t delay_ns;
    retries(f);
    trip_retry_start(f->breaker, &retry);
    fixture_set(f, word_ramping(3, 0, 0, 0));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_RAMP);
    assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
}

/* --------------------------------------------------------------------------------------------------- without tripd */

static unsigned granted_to_failed_calls(trip_breaker *breaker, unsigned calls)
{
    unsigned granted = 0;
    for (unsigned i = 0; i < calls; i++) {
        trip_retry retry;
        uint64_t delay_ns;
        trip_retry_start(breaker, &retry);
        const trip_retry_answer answer = trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns);
        assert_true(answer == TRIP_RETRY_AGAIN || answer == TRIP_RETRY_BUDGET);
        granted += answer == TRIP_RETRY_AGAIN;
    }
    return granted;
}

/* Asserts the default budget: 100 at once, and 10 a second of the real clock, never more than one in a tenth of a
 * second. */
static void assert_has_the_default_budget(trip_breaker *breaker)
{
    const uint64_t began_ns = monotonic_ns();
    const unsigned granted = granted_to_failed_calls(breaker, 10000);
    assert_in_range(granted, 100, 101 + (monotonic_ns() - began_ns) / (100 * MS));
    for (unsigned i = 0; i < 4; i++) {
        bool taken = false;
        assert_true(WAIT_FOR(taken = taken || trip_hedge_take(breaker)));
    }
    assert_in_range(granted + 4, 104, 101 + (monotonic_ns() - began_ns) / (100 * MS));
}

static void test_without_tripd_a_process_has_a_budget_of_its_own(void **state)
{
    trip_client *client;
    trip_breaker *breaker;
    (void)state;
    assert_int_equal(trip_open(&client, "nobody-is-there"), 0);
    assert_int_equal(trip_breaker_get(client, "db", &breaker), 0);
    assert_int_equal(trip_client_status(client), TRIP_CLIENT_PRIVATE);
    assert_has_the_default_budget(breaker);
    trip_close(client);
}

static void test_without_tripd_retries_are_by_its_default_settings(void **state)
{
    struct fixture *const f = *state;
    const struct policy_slot *const own = f->breaker->own.policy;
    struct breaker_settings defaults;
    struct policy_slot published = {0};
    struct budget_pace pace = {0};
    breaker_settings_defaults(&defaults);
    limits_policy(&published, &defaults);
    budget_pace_configure(&pace, &defaults, 0);
    assert_int_equal(own->limits, published.limits);
    assert_int_equal(own->retry, published.retry);
    assert_int_equal(own->retry_base_ns, published.retry_base_ns);
    assert_int_equal(own->retry_max_ns, published.retry_max_ns);
    assert_int_equal(own->retry_total_ns, published.retry_total_ns);
    assert_int_equal(own->retry_on, published.retry_on);
    assert_int_equal(own->budget_floor, published.budget_floor);
    assert_int_equal(own->budget_cap, pace.cap);
    assert_int_equal(f->breaker->own_budget >> 32, 100000); /* full at first */
}

static void test_a_breaker_that_does_not_fit_is_retried_by_the_default_settings(void **state)
{
    struct fixture *const f = *state;
    trip_breaker *breaker;
    f->fake.full = true;
    assert_int_equal(trip_breaker_get(f->client, "too-much", &breaker), 0);
    assert_has_the_default_budget(breaker);
}

/* ---------------------------------------------------------------------------------------------------------- jitter */

/* Sets the jitter, and draws as often as a test wants. */
static void jitters(struct fixture *f, unsigned jitter)
{
    const struct policy_retry retry = {
        .attempts = 10, .backoff = {.kind = BACKOFF_FIXED, .jitter = (uint8_t)jitter, .multiplier_permille = 1000}};
    retries(f);
    policy(f)->retry = policy_retry_word(&retry);
    policy(f)->budget_cap = UINT32_MAX;
    commons_limits(f->fake.commons, f->slot)->budget = budget_make(UINT32_MAX, 1000);
}

static uint64_t first_delay_ns(trip_breaker *breaker)
{
    trip_retry retry;
    uint64_t delay_ns = UINT64_MAX;
    trip_retry_start(breaker, &retry);
    trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns);
    return delay_ns;
}

static void test_delays_with_jitter_are_spread_over_the_whole_range(void **state)
{
    struct fixture *const f = *state;
    unsigned drawn[10] = {0};
    jitters(f, JITTER_FULL);
    for (unsigned i = 0; i < 1000; i++) {
        const uint64_t delay_ns = first_delay_ns(f->breaker);
        assert_in_range(delay_ns, 0, 100 * MS);
        drawn[delay_ns * 10 / (100 * MS + 1)]++;
    }
    for (unsigned tenth = 0; tenth < 10; tenth++)
        assert_in_range(drawn[tenth], 40, 160); /* 100 are to be expected, more or less 10 */
}

static void test_decorrelated_delays_grow_from_the_delay_before(void **state)
{
    struct fixture *const f = *state;
    uint64_t highest_ns = 0;
    jitters(f, JITTER_DECORRELATED);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t before_ns = 100 * MS, delay_ns;
        trip_retry retry;
        trip_retry_start(f->breaker, &retry);
        while (trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns) == TRIP_RETRY_AGAIN) {
            assert_in_range(delay_ns, 100 * MS, 3 * before_ns);
            before_ns = delay_ns;
            if (delay_ns > highest_ns)
                highest_ns = delay_ns;
        }
    }
    assert_in_range(highest_ns, 1000 * MS, 10000 * MS);
}

static void test_decorrelated_delays_do_not_grow_from_what_the_server_says(void **state)
{
    struct fixture *const f = *state;
    jitters(f, JITTER_DECORRELATED);
    for (unsigned i = 0; i < 50; i++) {
        trip_retry retry;
        uint64_t delay_ns;
        trip_retry_start(f->breaker, &retry);
        assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 5000 * MS, &delay_ns), TRIP_RETRY_AGAIN);
        assert_int_equal(delay_ns, 5000 * MS);
        assert_int_equal(trip_retry_next(&retry, TRIP_ERROR_NETWORK, 0, &delay_ns), TRIP_RETRY_AGAIN);
        assert_in_range(delay_ns, 100 * MS, 900 * MS); /* the first backoff was 300 ms at most */
    }
}

/* Forks in one of two ways: with atfork handlers, and without. */
static pid_t forked_as(unsigned child)
{
    return child % 2 ? fork() : _Fork();
}

static void test_forked_children_do_not_draw_what_their_parent_and_each_other_draw(void **state)
{
    struct fixture *const f = *state;
    uint64_t *const drawn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(drawn, MAP_FAILED);
    jitters(f, JITTER_FULL);
    assert_in_range(first_delay_ns(f->breaker), 0, 100 * MS); /* or there is nothing to inherit */
    for (unsigned child = 0; child < 4; child++) {
        const pid_t pid = forked_as(child);
        if (pid == 0) {
            drawn[child] = first_delay_ns(f->breaker);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    drawn[4] = first_delay_ns(f->breaker);
    for (unsigned i = 0; i < 5; i++) {
        assert_in_range(drawn[i], 0, 100 * MS);
        for (unsigned other = 0; other < i; other++)
            assert_int_not_equal(drawn[i], drawn[other]);
    }
    munmap(drawn, 4096);
}

static uint64_t dice(trip_breaker *breaker)
{
    uint64_t thrown = 0;
    for (unsigned i = 0; i < 64; i++)
        thrown = thrown << 1 | (trip_allow(breaker) == TRIP_ALLOW);
    return thrown;
}

static void test_children_of_a_child_that_has_only_asked_throw_dice_of_their_own(void **state)
{
    struct fixture *const f = *state;
    uint64_t *const thrown = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(thrown, MAP_FAILED);
    fixture_set(f, word_ramping(3, 500, 0, 0));
    const pid_t child = _Fork();
    if (child == 0) {
        thrown[0] = dice(f->breaker);
        for (unsigned i = 1; i <= 2; i++) {
            const pid_t grandchild = _Fork();
            if (grandchild == 0) {
                thrown[i] = dice(f->breaker);
                _exit(0);
            }
            waitpid(grandchild, NULL, 0);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (unsigned i = 0; i < 3; i++)
        assert_int_not_equal(thrown[i], thrown[(i + 1) % 3]);
    munmap(thrown, 4096);
}

/* -------------------------------------------------------------------------------------------------------- trip_run */

struct script {
    unsigned calls, fails;
    uint64_t remaining_ns;
};

static trip_outcome work(void *arg, trip_attempt *attempt)
{
    struct script *const script = arg;
    script->calls++;
    script->remaining_ns = attempt->remaining_ns;
    if (attempt->number > script->fails)
        return TRIP_OK;
    attempt->error = (trip_error){.type = TRIP_ERROR_NETWORK, .message = "refused"};
    return TRIP_FAILURE;
}

static void test_run_tries_again_until_it_succeeds(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fails = 2};
    trip_result result;
    retries(f);
    policy(f)->retry_base_ns = MS;
    assert_int_equal(trip_run(f->breaker, work, &script, &result), 0);
    assert_int_equal(script.calls, 3);
    assert_int_equal(result.attempts, 3);
    assert_int_equal(result.outcome, TRIP_OK);
    assert_int_equal(result.verdict, TRIP_ALLOW);
    assert_int_equal(result.error, TRIP_ERROR_NETWORK); /* the last failure's */
    assert_int_equal(result.stopped_by, TRIP_RETRY_AGAIN);
    assert_in_range(result.elapsed_ns, 3 * MS, 3000 * MS);
    assert_int_equal(fixture_counts(f).total_failures, 2);
    assert_int_equal(fixture_counts(f).total_ok, 1);
}

static void test_run_gives_up_when_the_breaker_opens(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fails = 9};
    trip_result result;
    struct fake_policy settings = fake_policy_default;
    settings.threshold = 2;
    fake_settings(&f->fake, f->slot, &settings);
    retries(f);
    policy(f)->retry_base_ns = MS;
    assert_int_equal(trip_run(f->breaker, work, &script, &result), -EIO);
    assert_int_equal(script.calls, 2);
    assert_int_equal(result.stopped_by, TRIP_RETRY_OPEN);
    assert_int_equal(trip_run(f->breaker, work, &script, &result), -EAGAIN);
    assert_int_equal(result.attempts, 0);
    assert_int_equal(result.verdict, TRIP_DENY_OPEN);
    assert_int_equal(result.outcome, TRIP_CANCELLED);
}

static void test_run_passes_the_remaining_time_on(void **state)
{
    struct fixture *const f = *state;
    struct script script = {.fails = 0};
    const trip_options options = {.within_ns = 2000 * MS};
    assert_int_equal(trip_run_with(f->breaker, &options, work, &script, NULL), 0);
    assert_in_range(script.remaining_ns, 1, 2000 * MS);
    const trip_options late = {.within_ns = 1};
    assert_int_equal(trip_run_with(f->breaker, &late, work, &script, NULL), -EAGAIN);
    assert_int_equal(script.calls, 1);
}

/* An operation that fails, and uses up the limit, so that its retry finds no place. */
struct last_one {
    struct policy_slot *policy;
    uint64_t limit; /* enum policy_limit */
};

static trip_outcome fails_and_limits(void *arg, trip_attempt *attempt)
{
    const struct last_one *const last = arg;
    last->policy->limits = last->limit;
    attempt->error.type = TRIP_ERROR_NETWORK;
    return TRIP_FAILURE;
}

static void test_run_says_that_a_limit_denied_its_retry(void **state)
{
    struct fixture *const f = *state;
    static const struct {
        uint64_t before, after;
        trip_verdict verdict;
    } cases[] = {{0, POLICY_TICKETS, TRIP_DENY_CONCURRENCY},
                 {0, POLICY_THROTTLE, TRIP_DENY_SHED},
                 {POLICY_RATE, POLICY_RATE, TRIP_DENY_RATE}};
    trip_result result;
    retries(f);
    policy(f)->budget_cap = 3000;
    commons_limits(f->fake.commons, f->slot)->budget = budget_make(3000, 1000);
    policy(f)->retry_base_ns = MS;
    policy(f)->tickets = 0;
    policy(f)->admit_permille = 0;
    fake_back(&f->fake);
    policy(f)->rate_step = 3600000 * MS; /* a token, and no second one for long */
    for (unsigned i = 0; i < 3; i++) {
        struct last_one last = {.policy = policy(f), .limit = cases[i].after};
        policy(f)->limits = cases[i].before;
        assert_int_equal(trip_run(f->breaker, fails_and_limits, &last, &result), -EIO);
        assert_int_equal(result.attempts, 1);
        assert_int_equal(result.verdict, cases[i].verdict);
        assert_string_equal(trip_retry_answer_name(result.stopped_by), "limit");
    }
}

static trip_outcome says_nonsense(void *arg, trip_attempt *attempt)
{
    (void)attempt;
    ++*(unsigned *)arg;
    return (trip_outcome)99;
}

static void test_an_outcome_that_is_none_is_a_cancelled_one(void **state)
{
    struct fixture *const f = *state;
    unsigned calls = 0;
    trip_result result;
    const trip_options hedged = {.idempotent = true};
    retries(f);
    assert_int_equal(trip_run(f->breaker, says_nonsense, &calls, &result), -ECANCELED);
    assert_int_equal(result.outcome, TRIP_CANCELLED);
    policy(f)->hedge_ns = 10000 * MS;
    assert_int_equal(trip_run_with(f->breaker, &hedged, says_nonsense, &calls, &result), -ECANCELED);
    assert_int_equal(result.outcome, TRIP_CANCELLED);
    assert_int_equal(fixture_counts(f).cancelled, 2);
    assert_int_equal(calls, 2);
}

/* ---------------------------------------------------------------------------------------------------------- hedging */

struct slow_once {
    unsigned calls, over, released; /* atomics */
};

static trip_outcome slow_at_first(void *arg, trip_attempt *attempt)
{
    struct slow_once *const slow = arg;
    const struct timespec nap = {.tv_nsec = 400000000};
    __atomic_add_fetch(&slow->calls, 1, __ATOMIC_RELAXED);
    if (attempt->number == 1)
        nanosleep(&nap, NULL);
    __atomic_add_fetch(&slow->over, 1, __ATOMIC_RELAXED);
    return TRIP_OK;
}

static void release(void *arg)
{
    struct slow_once *const slow = arg;
    __atomic_add_fetch(&slow->released, 1, __ATOMIC_RELAXED);
}

static unsigned released(const struct slow_once *slow)
{
    return __atomic_load_n(&slow->released, __ATOMIC_RELAXED);
}

static void test_a_second_attempt_answers_for_a_slow_first_one(void **state)
{
    struct fixture *const f = *state;
    static struct slow_once slow;
    trip_result result;
    const trip_options options = {.idempotent = true, .release = release};
    retries(f);
    policy(f)->hedge_ns = 20 * MS;
    assert_int_equal(trip_run_with(f->breaker, &options, slow_at_first, &slow, &result), 0);
    assert_int_equal(result.attempts, 2);
    assert_in_range(result.elapsed_ns, 20 * MS, 390 * MS);
    assert_int_equal(released(&slow), 0); /* the first one still has it */
    assert_int_equal(tokens(f), 1000);
    assert_true(WAIT_FOR(released(&slow) == 1));
    assert_int_equal(__atomic_load_n(&slow.over, __ATOMIC_RELAXED), 2);
    assert_true(WAIT_FOR(fixture_counts(f).total_ok == 2));
}

static void test_a_client_that_is_closed_stays_for_the_attempt_that_still_runs(void **state)
{
    struct fixture *const f = *state;
    static struct slow_once slow;
    trip_result result;
    const trip_options options = {.idempotent = true, .release = release};
    retries(f);
    policy(f)->hedge_ns = 20 * MS;
    assert_int_equal(trip_run_with(f->breaker, &options, slow_at_first, &slow, &result), 0);
    trip_close(f->client);
    assert_true(WAIT_FOR(released(&slow) == 1)); /* and ends its call meanwhile */
    assert_int_equal(trip_open(&f->client, NULL), 0);
}

static void test_nothing_is_hedged_from_a_dry_budget_or_without_settings(void **state)
{
    struct fixture *const f = *state;
    static struct slow_once slow;
    trip_result result;
    const trip_options options = {.idempotent = true, .release = release};
    retries(f);
    assert_int_equal(trip_run_with(f->breaker, &options, slow_at_first, &slow, &result), 0);
    assert_int_equal(result.attempts, 1);
    policy(f)->hedge_ns = 20 * MS;
    commons_limits(f->fake.commons, f->slot)->budget = budget_make(0, 1000);
    assert_int_equal(trip_run_with(f->breaker, &options, slow_at_first, &slow, &result), 0);
    assert_int_equal(result.attempts, 1);
    assert_true(WAIT_FOR(released(&slow) == 2));
}

/* -------------------------------------------------------------------------------------- threads that are cancelled */

struct hanging {
    trip_breaker *breaker;
    unsigned begun, released; /* atomics */
};

static void released_once_more(void *arg)
{
    struct hanging *const hanging = arg;
    __atomic_add_fetch(&hanging->released, 1, __ATOMIC_RELAXED);
}

static trip_outcome hangs(void *arg, trip_attempt *attempt)
{
    struct hanging *const hanging = arg;
    (void)attempt;
    __atomic_add_fetch(&hanging->begun, 1, __ATOMIC_RELAXED);
    while (pause() < 0)
        ;
    return TRIP_OK;
}

static trip_outcome fails(void *arg, trip_attempt *attempt)
{
    (void)arg;
    attempt->error.type = TRIP_ERROR_NETWORK;
    return TRIP_FAILURE;
}

static trip_outcome ends_its_thread(void *arg, trip_attempt *attempt)
{
    (void)arg;
    (void)attempt;
    pthread_exit(NULL);
}

static const trip_options releasing = {.release = released_once_more};

static void *run_hangs(void *arg)
{
    struct hanging *const hanging = arg;
    trip_run_with(hanging->breaker, &releasing, hangs, hanging, NULL);
    return NULL;
}

static void *run_fails(void *arg)
{
    struct hanging *const hanging = arg;
    trip_run_with(hanging->breaker, &releasing, fails, hanging, NULL);
    return NULL;
}

static void *join_cancelled(pthread_t thread)
{
    void *returned = NULL;
    pthread_cancel(thread);
    pthread_join(thread, &returned);
    return returned;
}

static unsigned tickets_taken_now(struct fixture *f)
{
    return ticket_count(commons_tickets(f->fake.commons, f->slot), 0, 1);
}

static void test_a_thread_cancelled_in_the_operation_holds_nothing(void **state)
{
    struct fixture *const f = *state;
    struct hanging hanging = {.breaker = f->breaker};
    pthread_t thread;
    policy(f)->tickets = 1;
    policy(f)->limits = POLICY_TICKETS;
    assert_int_equal(pthread_create(&thread, NULL, run_hangs, &hanging), 0);
    assert_true(WAIT_FOR(__atomic_load_n(&hanging.begun, __ATOMIC_RELAXED) == 1));
    assert_int_equal(tickets_taken_now(f), 1);
    assert_ptr_equal(join_cancelled(thread), PTHREAD_CANCELED);
    assert_int_equal(tickets_taken_now(f), 0);
    const struct fake_counts counts = fixture_counts(f);
    assert_int_equal(counts.started, 1);
    assert_int_equal(counts.finished, 1);
    assert_int_equal(counts.cancelled, 1);
    assert_int_equal(hanging.released, 1);
}

static void test_a_probe_cancelled_in_the_operation_gives_its_permit_back(void **state)
{
    struct fixture *const f = *state;
    struct hanging hanging = {.breaker = f->breaker};
    pthread_t thread;
    fixture_set(f, word_half_open(3, 11000));
    fake_arm(&f->fake, f->slot, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_hangs, &hanging), 0);
    assert_true(WAIT_FOR(__atomic_load_n(&hanging.begun, __ATOMIC_RELAXED) == 1));
    assert_int_equal(trip_allow(f->breaker), TRIP_DENY_HALF_OPEN);
    assert_ptr_equal(join_cancelled(thread), PTHREAD_CANCELED);
    assert_int_equal(permit_outcome(fake_permit(&f->fake, f->slot, 0)), PERMIT_NEUTRAL);
}

static void test_a_thread_cancelled_in_the_backoff_releases_its_argument(void **state)
{
    struct fixture *const f = *state;
    struct hanging hanging = {.breaker = f->breaker};
    pthread_t thread;
    retries(f);
    policy(f)->retry_base_ns = policy(f)->retry_max_ns = 3600000 * MS;
    assert_int_equal(pthread_create(&thread, NULL, run_fails, &hanging), 0);
    assert_true(WAIT_FOR(tokens(f) == 1000)); /* paid, so about to sleep */
    assert_ptr_equal(join_cancelled(thread), PTHREAD_CANCELED);
    assert_int_equal(hanging.released, 1);
}

static void *run_ends_its_thread(void *arg)
{
    static trip_result result;
    const trip_options options = {.idempotent = true, .release = released_once_more};
    struct hanging *const hanging = arg;
    trip_run_with(hanging->breaker, &options, ends_its_thread, hanging, &result);
    __atomic_store_n(&hanging->begun, 1, __ATOMIC_RELEASE);
    return &result;
}

static void test_a_hedged_operation_that_ends_its_thread_is_cancelled(void **state)
{
    struct fixture *const f = *state;
    static struct hanging hanging;
    pthread_t thread;
    void *result;
    hanging.breaker = f->breaker;
    policy(f)->hedge_ns = 3600000 * MS;
    assert_int_equal(pthread_create(&thread, NULL, run_ends_its_thread, &hanging), 0);
    assert_true(WAIT_FOR(__atomic_load_n(&hanging.begun, __ATOMIC_ACQUIRE) == 1));
    pthread_join(thread, &result);
    assert_int_equal(((trip_result *)result)->outcome, TRIP_CANCELLED);
    assert_true(WAIT_FOR(__atomic_load_n(&hanging.released, __ATOMIC_RELAXED) == 1));
    assert_int_equal(fixture_counts(f).cancelled, 1);
}

/* -------------------------------------------------------------------------------------------- operations that fork */

static unsigned forks, forked; /* atomics */

/* A thread that starts a hedged attempt sets its signal mask back under the hedge's lock: here it waits for the fork.
 */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    const int error = syscall(SYS_rt_sigprocmask, how, set, before, 8) < 0 ? errno : 0;
    if (!before && __atomic_load_n(&forks, __ATOMIC_RELAXED))
        WAIT_FOR(__atomic_load_n(&forked, __ATOMIC_ACQUIRE));
    return error;
}

static void exit_7(void)
{
    _exit(7);
}

static trip_outcome forks_here(void *arg, trip_attempt *attempt)
{
    pid_t *const child = arg;
    (void)attempt;
    *child = fork();
    if (*child == 0)
        atexit(exit_7); /* before what sanitizers look for at an exit */
    __atomic_store_n(&forked, 1, __ATOMIC_RELEASE);
    return TRIP_OK;
}

static void test_a_child_forked_in_a_hedged_operation_ends_with_it(void **state)
{
    struct fixture *const f = *state;
    static pid_t child;
    int status = 0;
    bool ended = false;
    const trip_options options = {.idempotent = true};
    policy(f)->hedge_ns = 3600000 * MS;
    __atomic_store_n(&forks, 1, __ATOMIC_RELAXED);
    assert_int_equal(trip_run_with(f->breaker, &options, forks_here, &child, NULL), 0);
    __atomic_store_n(&forks, 0, __ATOMIC_RELAXED);
    if (!WAIT_FOR(ended || (ended = waitpid(child, &status, WNOHANG) == child))) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(fixture_counts(f).total_ok, 1); /* the parent's */
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(delays_grow_until_the_attempts_are_used_up),
        TEST(an_error_that_is_not_listed_ends_the_retries),
        TEST(an_invalid_error_type_is_not_retried),
        TEST(a_longer_hint_of_the_server_is_honoured),
        TEST(a_server_that_asks_for_more_than_the_longest_delay_ends_the_retries),
        TEST(a_dry_budget_refuses_and_counts),
        TEST(an_open_breaker_ends_the_retries_at_once),
        TEST(a_delay_beyond_total_or_deadline_is_not_slept),
        TEST(a_delay_that_ends_after_the_deadline_is_not_slept),
        TEST(hedging_is_off_without_a_time),
        TEST(without_tripd_a_process_has_a_budget_of_its_own),
        TEST(without_tripd_retries_are_by_its_default_settings),
        TEST(a_breaker_that_does_not_fit_is_retried_by_the_default_settings),
        TEST(a_half_open_breaker_ends_the_retries_unless_it_moves_on_before_the_delay_ends),
        TEST(a_ramping_breaker_ends_no_retries),
        TEST(delays_with_jitter_are_spread_over_the_whole_range),
        TEST(decorrelated_delays_grow_from_the_delay_before),
        TEST(decorrelated_delays_do_not_grow_from_what_the_server_says),
        TEST(forked_children_do_not_draw_what_their_parent_and_each_other_draw),
        TEST(children_of_a_child_that_has_only_asked_throw_dice_of_their_own),
        TEST(run_tries_again_until_it_succeeds),
        TEST(run_gives_up_when_the_breaker_opens),
        TEST(run_passes_the_remaining_time_on),
        TEST(run_says_that_a_limit_denied_its_retry),
        TEST(an_outcome_that_is_none_is_a_cancelled_one),
        TEST(a_second_attempt_answers_for_a_slow_first_one),
        TEST(a_client_that_is_closed_stays_for_the_attempt_that_still_runs),
        TEST(nothing_is_hedged_from_a_dry_budget_or_without_settings),
        TEST(a_thread_cancelled_in_the_operation_holds_nothing),
        TEST(a_probe_cancelled_in_the_operation_gives_its_permit_back),
        TEST(a_thread_cancelled_in_the_backoff_releases_its_argument),
        TEST(a_hedged_operation_that_ends_its_thread_is_cancelled),
        TEST(a_child_forked_in_a_hedged_operation_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
