#include "core/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/settings.h"
#include "internal/numbers.h"

struct tracer_subscriber {
    struct tracer_subscriber *next;
    tracer_send_fn *send;
    void *context;
    uint64_t began_ms;
    uint64_t last_ms; /* time of the last step, since the trace began */
    char pattern[TRIP_NAME_MAX + 1];
    struct tracer_batch batch;
};

int tracer_subscribe(struct tracer *tracer, const char *pattern, uint64_t now_ms, tracer_send_fn *send, void *context,
                     struct tracer_subscriber **ret_subscriber)
{
    struct tracer_subscriber *const subscriber = calloc(1, sizeof(*subscriber));
    if (!subscriber)
        return -ENOMEM;
    subscriber->send = send;
    subscriber->context = context;
    subscriber->began_ms = now_ms;
    pattern = pattern ? pattern : "*";
    memcpy(subscriber->pattern, pattern, strnlen(pattern, TRIP_NAME_MAX));
    subscriber->next = tracer->first;
    tracer->first = subscriber;
    *ret_subscriber = subscriber;
    return 0;
}

void tracer_unsubscribe(struct tracer *tracer, struct tracer_subscriber *subscriber)
{
    struct tracer_subscriber **place = &tracer->first;
    while (*place && *place != subscriber)
        place = &(*place)->next;
    if (*place)
        *place = subscriber->next;
    free(subscriber);
}

/* --------------------------------------------------------------------------------------------------------- batches */

static uint64_t weight(const struct traced *step)
{
    return step->op == TRACED_RECORD ? step->n : 1;
}

static bool deliver(struct tracer_subscriber *subscriber)
{
    if (!subscriber->send(subscriber->context, &subscriber->batch))
        return false;
    subscriber->batch.lost = 0;
    subscriber->batch.count = 0;
    return true;
}

static void lose(struct tracer_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        batch->lost += weight(&batch->steps[i]);
    batch->count = 0;
}

/* Is this step equal to the last one, except for its number of calls? */
static bool continues(const struct traced *last, const struct traced *step, uint64_t at_ms, const char *breaker)
{
    return step->op == TRACED_RECORD && last->op == TRACED_RECORD && last->at_ms == at_ms &&
           last->outcome == step->outcome && last->error == step->error && last->latency_ms == step->latency_ms &&
           last->n + step->n <= TRACER_N_MAX && strcmp(last->breaker, breaker) == 0;
}

/* Returns a step's time since the trace began, never before the last step's. tripd drains one breaker after the other,
 * so that the second one's calls may be older than the first one's. */
static uint64_t time_since_it_began(struct tracer_subscriber *subscriber, uint64_t at_ms)
{
    const uint64_t since_ms = time_until(at_ms, subscriber->began_ms);
    if (since_ms > subscriber->last_ms)
        subscriber->last_ms = since_ms;
    return subscriber->last_ms;
}

void tracer_step_to(struct tracer_subscriber *subscriber, const char *breaker, const struct traced *step)
{
    struct tracer_batch *const batch = &subscriber->batch;
    if (!settings_pattern_matches(subscriber->pattern, breaker))
        return;
    const uint64_t at_ms = time_since_it_began(subscriber, step->at_ms);
    if (batch->count && continues(&batch->steps[batch->count - 1], step, at_ms, breaker)) {
        batch->steps[batch->count - 1].n += step->n;
        return;
    }
    if (batch->count == TRACER_BATCH && !deliver(subscriber))
        lose(batch);
    struct traced *const taken = &batch->steps[batch->count++];
    *taken = *step;
    taken->at_ms = at_ms;
    memset(taken->breaker, 0, sizeof(taken->breaker));
    memcpy(taken->breaker, breaker, strnlen(breaker, TRIP_NAME_MAX));
    if (taken->n > TRACER_N_MAX) {
        batch->lost += taken->n - TRACER_N_MAX;
        taken->n = TRACER_N_MAX;
    }
}

void tracer_step(const struct tracer *tracer, const char *breaker, const struct traced *step)
{
    for (struct tracer_subscriber *each = tracer->first; each; each = each->next)
        tracer_step_to(each, breaker, step);
}

void tracer_lost(const struct tracer *tracer, const char *breaker, uint64_t n)
{
    for (struct tracer_subscriber *each = tracer->first; each; each = each->next)
        if (settings_pattern_matches(each->pattern, breaker))
            each->batch.lost += n;
}

void tracer_flush(const struct tracer *tracer)
{
    for (struct tracer_subscriber *each = tracer->first; each; each = each->next)
        if (each->batch.count || each->batch.lost)
            deliver(each);
}
