/* One attempt of trip_run, and the outcome of its call. */
#include "attempt.h"
#include "tell.h"

#include <pthread.h>

trip_attempt attempt_of(const trip_call *call, unsigned number)
{
    const int cancel_fd = trip_call_fd(call);
    return (trip_attempt){
        .number = number, .remaining_ns = trip_call_remaining_ns(call), .cancel_fd = cancel_fd < 0 ? -1 : cancel_fd};
}

static void end_cancelled(void *call)
{
    trip_end(call, TRIP_CANCELLED);
}

trip_outcome attempt_run(trip_operation *operation, void *arg, trip_attempt *attempt, trip_call *call)
{
    trip_outcome outcome;
    pthread_cleanup_push(end_cancelled, call); /* for a thread that does not come back: cancelled, or at its exit */
    outcome = outcome_known(operation(arg, attempt));
    pthread_cleanup_pop(0);
    if (outcome == TRIP_TIMEOUT)
        attempt->error.type = TRIP_ERROR_TIMEOUT;
    if (outcome_failed(outcome))
        trip_end_error(call, &attempt->error);
    else
        trip_end(call, outcome);
    return outcome;
}
