#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "internal/numbers.h"
#include "tell.h"

int caller_new(const struct caller_offer *offer, trip_client **ret_caller)
{
    const struct view_offer as_attached = {.segment_fd = offer->segment_fd,
                                           .commons_fd = offer->commons_fd,
                                           .segment_id = offer->segment_id,
                                           .segment_size = offer->segment_size,
                                           .commons_id = offer->commons_id,
                                           .commons_size = offer->commons_size,
                                           .commons_number = offer->commons_number,
                                           .daemon_uid = geteuid()};
    uint64_t seed = offer->seed;
    struct view *view;
    int error = view_map(&as_attached, &view);
    if (error < 0)
        return error;
    error = client_of_view(view, ret_caller);
    if (error < 0) {
        view_unmap(view);
        return error;
    }
    thread_self.random = random_next(&seed) | 1;
    thread_self.random_generation = fork_generation();
    return 0;
}

int caller_lane(const trip_client *caller, int *ret_fd, uint64_t *ret_lane_id)
{
    *ret_fd = fcntl(caller->lane->memfd.fd, F_DUPFD_CLOEXEC, 0);
    *ret_lane_id = caller->lane->memory->lane_id;
    return *ret_fd < 0 ? -errno : 0;
}

int caller_breaker(trip_client *caller, const char *name, trip_breaker **ret_breaker)
{
    return breaker_of_view(caller, name, ret_breaker);
}

/* The caller never waits for a ticket: the replay is one thread, and no other call could give one back meanwhile. */
trip_verdict caller_begin(trip_breaker *breaker, trip_call *call, trip_priority priority)
{
    struct call *const begun = (struct call *)call;
    thread_self.to_sample = UINT32_MAX; /* no dice: each call is timed, below */
    const trip_verdict verdict =
        priority == TRIP_PRIORITY_NORMAL && !policy_limits_calls(breaker->binding->policy)
            ? trip_begin(breaker, call)
            : trip_begin_with(breaker, call, &(trip_options){.priority = priority, .no_wait = true});
    if (begun->breaker && !begun->ticks)
        begun->ticks = view_ticks(begun->binding->view);
    return verdict;
}

bool caller_holds(const trip_call *call)
{
    return (((const struct call *)call)->flags & (uint8_t)~CALL_COUNTED) != 0;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static trip_error error_of(trip_error_type type, const struct trace_texts *texts)
{
    trip_error error = {.type = type};
    if (texts) {
        error.message = text_or_null(texts->message);
        error.trace = text_or_null(texts->trace);
        error.correlation = text_or_null(texts->correlation);
    }
    return error;
}

static struct outcome outcome_of(const struct caller_outcome *outcome, const trip_error *error)
{
    return (struct outcome){.what = outcome->outcome, .latency_ns = outcome->latency_ns, .error = error};
}

void caller_end(const trip_call *call, const struct caller_outcome *outcome)
{
    trip_call copy = *call;
    const trip_error error = error_of(outcome->error, outcome->texts);
    struct outcome told = outcome_of(outcome, &error);
    told.ticks = view_ticks(((const struct call *)call)->binding->view);
    outcome_end((struct call *)&copy, &told);
}

void caller_record(trip_breaker *breaker, const struct caller_outcome *outcome)
{
    const trip_error error = error_of(outcome->error, outcome->texts);
    struct outcome told = outcome_of(outcome, &error);
    told.slow = latency_slow(breaker->binding->policy, outcome->latency_ns);
    outcome_record(breaker, &told);
}

/* libtrip tells the first error; the others are only added to its count, as equal calls are. */
void caller_errors(trip_breaker *breaker, trip_error_type type, const struct trace_texts *texts, uint64_t n)
{
    const trip_error error = error_of(type, texts);
    struct caller_counted before;
    if (n > 1)
        caller_counted(breaker, &before);
    trip_report_error(breaker, &error);
    if (n > 1)
        caller_repeat(breaker, &before, n - 1);
}

void caller_rings(trip_breaker *breaker)
{
    tell_ring(breaker->client->lane, breaker->binding->view);
}

/* ---------------------------------------------------------------------------------------------------- many at once */

/* Returns the counter of this latency. NULL: none of the breaker's calls took as long yet. */
static uint32_t *latency_of(const struct reporter *reporter, uint32_t bucket)
{
    const uint32_t room = reporter->meter->rooms[bucket / LATENCY_GROUP];
    return room ? &lane_room_at(reporter->lane->memory, room - 1)->counters[bucket % LATENCY_GROUP] : NULL;
}

/* Returns the counters of errors. NULL: the breaker has counted none yet. */
static uint32_t *errors_of(const struct reporter *reporter)
{
    const uint32_t room = reporter->meter->errors;
    return room ? lane_room_at(reporter->lane->memory, room - 1)->counters : NULL;
}

void caller_counted(trip_breaker *breaker, struct caller_counted *ret_counted)
{
    const struct reporter reporter = reporter_find(breaker, breaker_bound(breaker));
    memset(ret_counted, 0, sizeof(*ret_counted));
    if (!reporter.meter)
        return;
    ret_counted->meter = *reporter.meter;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        const uint32_t *const calls = latency_of(&reporter, bucket);
        ret_counted->latency[bucket] = calls ? *calls : 0;
    }
    if (errors_of(&reporter))
        memcpy(ret_counted->errors, errors_of(&reporter), sizeof(ret_counted->errors));
}

/* Repeats what was counted. Evidence of a new epoch began at one. */
static void repeat_evidence(uint64_t *evidence, uint64_t since, uint64_t times)
{
    if (*evidence != since)
        *evidence += times;
}

static void repeat(uint64_t *counter, uint64_t since, uint64_t times)
{
    *counter += (*counter - since) * times;
}

static void repeat_latency(const struct reporter *reporter, const uint32_t since[LATENCY_BUCKETS], uint64_t times)
{
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        uint32_t *const calls = latency_of(reporter, bucket);
        if (calls) /* the sums wrap */
            *calls += (uint32_t)((*calls - since[bucket]) * times);
    }
}

static void repeat_errors(const struct reporter *reporter, const uint32_t since[TRIP_ERROR_TYPE_COUNT], uint64_t times)
{
    uint32_t *const errors = errors_of(reporter);
    for (unsigned type = 0; errors && type < TRIP_ERROR_TYPE_COUNT; type++)
        errors[type] += (uint32_t)((errors[type] - since[type]) * times); /* the sums wrap */
}

void caller_repeat(trip_breaker *breaker, const struct caller_counted *counted, uint64_t times)
{
    const struct reporter reporter = reporter_find(breaker, breaker_bound(breaker));
    const struct meter *const since = &counted->meter;
    struct meter *const meter = reporter.meter;
    if (!meter)
        return;
    repeat_evidence(&meter->ok, since->ok, times);
    repeat_evidence(&meter->failures, since->failures, times);
    repeat_evidence(&meter->slow, since->slow, times);
    repeat(&meter->total_ok, since->total_ok, times);
    repeat(&meter->total_failures, since->total_failures, times);
    repeat(&meter->total_timeouts, since->total_timeouts, times);
    repeat(&meter->total_slow, since->total_slow, times);
    repeat(&meter->ignored, since->ignored, times);
    repeat(&meter->cancelled, since->cancelled, times);
    repeat(&meter->late, since->late, times);
    for (unsigned denial = 0; denial < DENIALS; denial++)
        repeat(&meter->denied[denial], since->denied[denial], times);
    repeat(&meter->started, since->started, times);
    repeat(&meter->finished, since->finished, times);
    repeat_latency(&reporter, counted->latency, times);
    repeat_errors(&reporter, counted->errors, times);
}
