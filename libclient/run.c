/* One operation for blocking code: admission, attempt, outcome, backoff, as often as the retry settings allow. */
#include "attempt.h"
#include "hedge.h"
#include "instead.h"
#include "tell.h"

#include <errno.h>

static void sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

struct run {
    trip_breaker *breaker;
    trip_operation *operation;
    void *arg;
    trip_options options;
    struct hedge *hedge;  /* NULL: attempts run in the caller's thread */
    uint64_t deadline_ns; /* of all attempts, on CLOCK_MONOTONIC; 0: none */
    bool cuttable;        /* the latest attempt had a cancel_fd */
    trip_result result;
};

static bool failed(const trip_result *result)
{
    return outcome_failed(result->outcome);
}

/* One attempt; false: it was not admitted. */
static bool try_here(struct run *run, trip_attempt *attempt)
{
    trip_result *const result = &run->result;
    trip_call call;
    result->verdict = trip_begin_with(run->breaker, &call, &run->options);
    if (!trip_admitted(result->verdict))
        return false;
    result->attempts++;
    *attempt = attempt_of(&call, result->attempts);
    run->cuttable = attempt->cancel_fd >= 0;
    result->outcome = attempt_run(run->operation, run->arg, attempt, &call);
    if (failed(result))
        result->error = attempt->error.type;
    return true;
}

static bool try_once(struct run *run, trip_attempt *attempt)
{
    return run->hedge ? hedge_try(run->hedge, &run->options, attempt, &run->result) : try_here(run, attempt);
}

static int status_of(const trip_result *result)
{
    if (result->strategy != TRIP_STRATEGY_NONE)
        return 0;
    if (result->attempts == 0)
        return -EAGAIN;
    if (failed(result))
        return -EIO;
    return result->outcome == TRIP_CANCELLED ? -ECANCELED : 0;
}

/* Why a denied retry ended the retries. */
static trip_retry_answer denied_by(trip_verdict verdict)
{
    switch (verdict) {
    case TRIP_DENY_CONCURRENCY:
    case TRIP_DENY_RATE:
    case TRIP_DENY_SHED:
        return TRIP_RETRY_LIMIT;
    case TRIP_DENY_DEADLINE:
        return TRIP_RETRY_DEADLINE;
    default:
        return TRIP_RETRY_OPEN;
    }
}

/* The time until the deadline, for the next attempt; 1 if it has passed, so that admission denies the attempt. */
static uint64_t left_ns(uint64_t deadline_ns)
{
    const uint64_t now_ns = monotonic_ns();
    return deadline_ns > now_ns ? deadline_ns - now_ns : 1;
}

static void try_until_done(struct run *run)
{
    const uint64_t within_ns = run->options.within_ns;
    trip_result *const result = &run->result;
    trip_attempt attempt;
    trip_retry retry;
    uint64_t delay_ns;
    trip_retry_start(run->breaker, &retry);
    trip_retry_within(&retry, within_ns);
    while (try_once(run, &attempt) && failed(result)) {
        result->stopped_by = trip_retry_next(&retry, result->error, attempt.retry_after_ns, &delay_ns);
        if (result->stopped_by != TRIP_RETRY_AGAIN)
            return;
        sleep_ns(delay_ns);
        if (run->deadline_ns)
            run->options.within_ns = left_ns(run->deadline_ns);
    }
    if (result->attempts && failed(result) && !trip_admitted(result->verdict))
        result->stopped_by = denied_by(result->verdict);
}

/* ---------------------------------------------------------------------------------------------------------- instead */

/* Was it given up because the breaker opened meanwhile? */
static bool was_cut_short(const struct run *run)
{
    return run->result.outcome == TRIP_CANCELLED && run->result.attempts && run->cuttable &&
           !trip_admitted(trip_allow(run->breaker));
}

/* Tells whether there is no answer, and the type of the error in whose place another one is wanted. */
static bool wants_instead(const struct run *run, trip_error_type *ret_type)
{
    const trip_result *const result = &run->result;
    *ret_type = result->error;
    if (result->attempts && failed(result))
        return true;
    *ret_type = trip_error_from_denial(run->breaker, result->attempts ? TRIP_DENY_OPEN : result->verdict);
    return result->attempts == 0 || was_cut_short(run);
}

static void answer_instead(struct run *run)
{
    trip_error_type type;
    struct instead instead = {.breaker = run->breaker,
                              .fallbacks = run->options.fallbacks,
                              .arg = run->arg,
                              .options = {.priority = run->options.priority, .no_wait = run->options.no_wait},
                              .result = &run->result};
    if (!instead.fallbacks || !wants_instead(run, &type))
        return;
    instead.options.within_ns = run->deadline_ns ? left_ns(run->deadline_ns) : 0;
    instead_answer(&instead, type);
}

/* Runs at the end, also if the thread is cancelled. */
static void over(void *context)
{
    const struct run *const run = context;
    if (run->hedge)
        hedge_leave(run->hedge);
    else if (run->options.release)
        run->options.release(run->arg);
}

int trip_run_with(trip_breaker *breaker, const trip_options *options, trip_operation *operation, void *arg,
                  trip_result *ret_result)
{
    const uint64_t started_ns = monotonic_ns();
    struct run run = {.breaker = breaker,
                      .operation = operation,
                      .arg = arg,
                      .options = options ? *options : (trip_options){0},
                      .result = {.outcome = TRIP_CANCELLED, .stopped_by = TRIP_RETRY_AGAIN}};
    uint64_t delay_ns;
    int cancel_state = PTHREAD_CANCEL_ENABLE;
    if (run.options.within_ns)
        run.deadline_ns = saturated((unsigned __int128)started_ns + run.options.within_ns);
    if (run.options.idempotent && trip_hedge_after(breaker, &delay_ns))
        run.hedge = hedge_new(breaker, &run.options, operation, arg);
    if (run.hedge) /* a thread cancelled in its wait would leave the lock taken, and the other threads stuck */
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_cleanup_push(over, &run);
    try_until_done(&run);
    answer_instead(&run);
    pthread_cleanup_pop(1);
    if (run.hedge)
        pthread_setcancelstate(cancel_state, NULL);
    run.result.elapsed_ns = monotonic_ns() - started_ns;
    if (ret_result)
        *ret_result = run.result;
    return status_of(&run.result);
}

int trip_run(trip_breaker *breaker, trip_operation *operation, void *arg, trip_result *ret_result)
{
    return trip_run_with(breaker, NULL, operation, arg, ret_result);
}
