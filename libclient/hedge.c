#include "hedge.h"
#include "attempt.h"
#include "call.h"
#include "tell.h"

#include <signal.h>
#include <stdlib.h>

struct hedge {
    trip_breaker *breaker;
    trip_operation *operation;
    void *arg;
    void (*release)(void *arg);
    uint64_t generation; /* of the process */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    unsigned users;         /* trip_run, and each thread that runs */
    /* Threads that have not answered. It is 0 when a retry begins, because only the last thread answers with a failure.
     * Results that arrive after `answered` are ignored, and no retry follows. */
    unsigned running;
    bool answered;
    trip_outcome outcome; /* the first outcome that is no failure, else the last outcome */
    trip_attempt attempt;
};

/* The state of one attempt's thread. */
struct runner {
    struct hedge *hedge;
    trip_call call;
    trip_attempt attempt;
    trip_outcome outcome; /* cancelled, where the operation ends its thread */
};

struct hedge *hedge_new(trip_breaker *breaker, const trip_options *options, trip_operation *operation, void *arg)
{
    const uint64_t generation = fork_generation();
    struct hedge *const hedge = generation ? calloc(1, sizeof(*hedge)) : NULL;
    pthread_condattr_t monotonic;
    if (!hedge)
        return NULL;
    *hedge = (struct hedge){.breaker = breaker,
                            .operation = operation,
                            .arg = arg,
                            .release = options->release,
                            .generation = generation,
                            .users = 1};
    pthread_mutex_init(&hedge->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hedge->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* Counts as one more trip_open, so that trip_close leaves the client to the last attempt that runs. */
    pthread_mutex_lock(&clients.lock);
    breaker->client->opens++;
    pthread_mutex_unlock(&clients.lock);
    return hedge;
}

/* False: this is a child that the operation forked, and the lock may be held by a thread that is not in it. */
static bool hedge_lock(struct hedge *hedge)
{
    if (fork_generation() != hedge->generation)
        return false;
    pthread_mutex_lock(&hedge->lock);
    return true;
}

void hedge_leave(struct hedge *hedge)
{
    if (!hedge_lock(hedge))
        return;
    const bool last = --hedge->users == 0;
    pthread_mutex_unlock(&hedge->lock);
    if (!last)
        return;
    if (hedge->release)
        hedge->release(hedge->arg);
    struct trip_client *const client = hedge->breaker->client;
    pthread_cond_destroy(&hedge->changed);
    pthread_mutex_destroy(&hedge->lock);
    free(hedge);
    trip_close(client);
}

static void answer(struct hedge *hedge, const struct runner *runner)
{
    if (!hedge_lock(hedge))
        return;
    if (!hedge->answered) {
        hedge->running--;
        hedge->outcome = runner->outcome;
        hedge->attempt = runner->attempt;
        hedge->answered = !outcome_failed(runner->outcome) || hedge->running == 0;
        pthread_cond_signal(&hedge->changed);
    }
    pthread_mutex_unlock(&hedge->lock);
}

static void over(void *context)
{
    struct runner *const runner = context;
    struct hedge *const hedge = runner->hedge;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* `release` is not the last that is to be done */
    answer(hedge, runner);
    free(runner);
    hedge_leave(hedge);
}

static void *run(void *context)
{
    struct runner *const runner = context;
    pthread_cleanup_push(over, runner);
    runner->outcome = attempt_run(runner->hedge->operation, runner->hedge->arg, &runner->attempt, &runner->call);
    pthread_cleanup_pop(1);
    return NULL;
}

/* Starts a thread that blocks the host program's signals. False: no thread could be started. */
static bool start_thread(struct runner *runner)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&thread, &detached, run, runner) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return started;
}

/* Under the lock. False: there is no memory or no thread, and the caller still has to end the call. */
static bool start(struct hedge *hedge, trip_call *call, unsigned number)
{
    track_take((struct call *)call); /* its end is not this thread's any more */
    struct runner *const runner = malloc(sizeof(*runner));
    if (runner) {
        *runner = (struct runner){.hedge = hedge, .call = *call, .outcome = TRIP_CANCELLED};
        runner->attempt = attempt_of(call, number);
        hedge->users++;
        hedge->running++;
        if (start_thread(runner))
            return true;
        hedge->users--;
        hedge->running--;
    }
    free(runner);
    return false;
}

static void wait_for_answer(struct hedge *hedge, uint64_t for_ns)
{
    const uint64_t until_ns = saturated((unsigned __int128)monotonic_ns() + for_ns);
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};
    int error = 0;
    while (!hedge->answered && error == 0)
        error = for_ns == UINT64_MAX ? pthread_cond_wait(&hedge->changed, &hedge->lock)
                                     : pthread_cond_timedwait(&hedge->changed, &hedge->lock, &until);
}

/* The second one is paid from the retry budget, then admitted like any call, but waits for nothing. */
static void send_second(struct hedge *hedge, const trip_options *options, uint64_t began_ns, trip_result *result)
{
    trip_options second = *options;
    trip_call call;
    const uint64_t spent_ns = monotonic_ns() - began_ns;
    if (second.within_ns)
        second.within_ns = second.within_ns > spent_ns ? second.within_ns - spent_ns : 1;
    second.no_wait = true;
    if (!trip_hedge_take(hedge->breaker) || !trip_admitted(trip_begin_with(hedge->breaker, &call, &second)))
        return;
    if (start(hedge, &call, result->attempts + 1))
        result->attempts++;
    else
        trip_end(&call, TRIP_CANCELLED);
}

/* False: no thread is to be had. */
static bool run_in_threads(struct hedge *hedge, const trip_options *options, trip_call *call, uint64_t began_ns,
                           trip_attempt *ret_attempt, trip_result *result)
{
    uint64_t delay_ns;
    if (!hedge_lock(hedge))
        return false;
    hedge->answered = false;
    const bool started = start(hedge, call, result->attempts);
    if (started && trip_hedge_after(hedge->breaker, &delay_ns)) {
        wait_for_answer(hedge, delay_ns);
        if (!hedge->answered)
            send_second(hedge, options, began_ns, result);
    }
    if (started) {
        wait_for_answer(hedge, UINT64_MAX);
        *ret_attempt = hedge->attempt;
        result->outcome = hedge->outcome;
    }
    pthread_mutex_unlock(&hedge->lock);
    return started;
}

static void run_here(struct hedge *hedge, trip_call *call, trip_attempt *ret_attempt, trip_result *result)
{
    *ret_attempt = attempt_of(call, result->attempts);
    result->outcome = attempt_run(hedge->operation, hedge->arg, ret_attempt, call);
}

bool hedge_try(struct hedge *hedge, const trip_options *options, trip_attempt *ret_attempt, trip_result *result)
{
    const uint64_t began_ns = monotonic_ns();
    trip_call call;
    result->verdict = trip_begin_with(hedge->breaker, &call, options);
    if (!trip_admitted(result->verdict))
        return false;
    result->attempts++;
    if (!run_in_threads(hedge, options, &call, began_ns, ret_attempt, result))
        run_here(hedge, &call, ret_attempt, result);
    if (outcome_failed(result->outcome))
        result->error = ret_attempt->error.type;
    return true;
}
