/* What breakers judge by, as it is drained, for those who subscribed: `tripctl trace` writes it down, one step a line,
 * in the form that `tripctl simulate` reads (tools/trace_step.h). All outcomes are records; what operators do comes
 * between them, in the order in which it took effect. Nobody subscribed: one branch, tracer_wanted.
 *
 * Nothing here waits: steps are collected in a batch a subscriber, equal ones in a row as one, and a batch that finds
 * no room is lost. How many outcomes and acts were lost goes with the next one that is sent.
 */
#ifndef TRIPD_TRACER_H
#define TRIPD_TRACER_H

#include <stdbool.h>
#include <stdint.h>

#include "trip.h"

#define TRACER_BATCH 64                   /* steps; each is shown in 250 bytes at most */
#define TRACER_N_MAX UINT64_C(1000000000) /* outcomes of one step: no honest client tells of more at once */

/* What a step does: X(ENUM_SUFFIX, "name in JSON"). ERROR: an error outside of a call, from trip_report_error. */
#define TRACED_OPS(X)   \
    X(RECORD, "record") \
    X(MODE, "mode")     \
    X(TRIP, "trip")     \
    X(RESET, "reset")   \
    X(ERROR, "error")

#define TRACED_ENUM(suffix, name) TRACED_##suffix,
enum traced_op { TRACED_OPS(TRACED_ENUM) };

/* Fields that the op does not use are 0. */
struct traced {
    enum traced_op op;
    uint64_t at_ms; /* on the instance's clock; in a subscriber's batch, since it subscribed */
    trip_outcome outcome;
    trip_error_type error;
    uint64_t latency_ms; /* 0: the call was not slow, or its latency is not known */
    uint64_t n;
    trip_mode mode;
    uint64_t span_ms; /* open time of a trip, or a mode's TTL; 0: the breaker's next open time, or no TTL */
    char breaker[TRIP_NAME_MAX + 1];
};

struct tracer_batch {
    uint64_t lost; /* outcomes and acts that were lost before these steps */
    uint32_t count;
    struct traced steps[TRACER_BATCH];
};

struct tracer_subscriber;

/* All zero: nobody subscribed. */
struct tracer {
    struct tracer_subscriber *first;
};

/* Sends a batch. False: there is no room for it now. */
typedef bool tracer_send_fn(void *context, const struct tracer_batch *batch);

/* Subscribes to the breakers that match the pattern, which is copied; NULL: to all. 0 or -ENOMEM. */
int tracer_subscribe(struct tracer *tracer, const char *pattern, uint64_t now_ms, tracer_send_fn *send, void *context,
                     struct tracer_subscriber **ret_subscriber);
void tracer_unsubscribe(struct tracer *tracer, struct tracer_subscriber *subscriber); /* NULL is fine */

/* Does anybody subscribe? tracer NULL: nobody. */
static inline bool tracer_wanted(const struct tracer *tracer)
{
    return __builtin_expect(tracer && tracer->first, false);
}

/* Returns the latency to trace for a call of which only is known that it was slow. */
static inline uint64_t tracer_slow_ms(uint64_t slow_after_ns)
{
    return slow_after_ns / 1000000 + 1;
}

/* Tells the subscribers of one step. step->breaker need not be set. */
void tracer_step(const struct tracer *tracer, const char *breaker, const struct traced *step);
void tracer_step_to(struct tracer_subscriber *subscriber, const char *breaker, const struct traced *step);
/* Counts outcomes of which no step tells. */
void tracer_lost(const struct tracer *tracer, const char *breaker, uint64_t n);
/* Sends the steps that are collected. */
void tracer_flush(const struct tracer *tracer);

#endif
