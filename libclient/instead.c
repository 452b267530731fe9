/* Applies a chain of strategies for trip_run, through the functions that its caller gave. */
#include "instead.h"

#include "attempt.h"

static bool failed_by(trip_unanswered why, trip_unanswered *ret_why)
{
    *ret_why = why;
    return false;
}

/* An attempt at another endpoint, as an operation. */
struct fetch {
    const struct instead *instead;
    const char *endpoint;
};

static trip_outcome fetch_once(void *context, trip_attempt *attempt)
{
    const struct fetch *const fetch = context;
    return fetch->instead->fallbacks->fetch(fetch->instead->arg, fetch->endpoint, attempt);
}

/* Calls an endpoint under its own breaker, once. */
static bool answered_by(const struct instead *instead, const trip_fallback *fallback, trip_unanswered *ret_why)
{
    struct fetch fetch = {.instead = instead, .endpoint = fallback->text};
    trip_call call;
    if (!instead->fallbacks->fetch)
        return failed_by(TRIP_NOT_OFFERED, ret_why);
    if (!trip_admitted(trip_begin_with(fallback->breaker, &call, &instead->options)))
        return failed_by(TRIP_ALTERNATIVE_FAILED, ret_why);
    trip_attempt attempt = attempt_of(&call, 1);
    const trip_outcome outcome = attempt_run(fetch_once, &fetch, &attempt, &call);
    return outcome == TRIP_OK || outcome == TRIP_IGNORED || failed_by(TRIP_ALTERNATIVE_FAILED, ret_why);
}

static bool answers(const struct instead *instead, const trip_fallback *fallback, trip_unanswered *ret_why)
{
    const trip_fallbacks *const offered = instead->fallbacks;
    switch (fallback->strategy) {
    case TRIP_STRATEGY_ALTERNATIVE:
        return answered_by(instead, fallback, ret_why);
    case TRIP_STRATEGY_REDUCED:
        if (!offered->reduce)
            return failed_by(TRIP_NOT_OFFERED, ret_why);
        return offered->reduce(instead->arg, fallback->text) || failed_by(TRIP_FEATURE_REDUCED, ret_why);
    case TRIP_STRATEGY_DEFAULT:
        if (!offered->use)
            return failed_by(TRIP_NOT_OFFERED, ret_why);
        return offered->use(instead->arg, fallback->text, fallback->size) || failed_by(TRIP_NO_DEFAULT, ret_why);
    default: /* cached, queue: there is no store that keeps them */
        return failed_by(TRIP_STORE_AWAY, ret_why);
    }
}

static void note(trip_result *result, trip_strategy strategy, trip_unanswered why)
{
    if (result->tried_count < TRIP_TRIED_MAX) {
        result->tried[result->tried_count].strategy = strategy;
        result->tried[result->tried_count].why = why;
    }
    result->tried_count++;
}

/* Gives the next strategy. An endpoint that is left out because it is dead has failed, too. */
static bool next(const struct instead *instead, trip_error_type type, trip_fallback *fallback)
{
    const bool found = trip_fallback_next(instead->breaker, type, fallback);
    for (unsigned i = 0; i < fallback->dead; i++)
        note(instead->result, TRIP_STRATEGY_ALTERNATIVE, TRIP_ALTERNATIVE_FAILED);
    return found;
}

bool instead_answer(const struct instead *instead, trip_error_type type)
{
    trip_fallback fallback = {0};
    trip_unanswered why = TRIP_NO_STRATEGY;
    while (next(instead, type, &fallback)) {
        if (answers(instead, &fallback, &why)) {
            instead->result->strategy = fallback.strategy;
            return true;
        }
        note(instead->result, fallback.strategy, why);
    }
    note(instead->result, TRIP_STRATEGY_NONE, TRIP_NO_STRATEGY);
    return false;
}
