/* Tells the subscribers of a trace how things stood when it began, and what operators did since. lanes/drain.c tells
 * them of outcomes. */
#include "breakers/trace.h"

void breakers_trace(const struct breakers *breakers, uint32_t slot, const struct traced *step)
{
    struct traced now = *step;
    now.at_ms = breakers_now_ms(breakers);
    tracer_step(breakers->options.tracer, segment_name(breakers->segment, slot), &now);
}

void breakers_trace_record(const struct breakers *breakers, uint32_t slot, trip_outcome outcome, trip_error_type error,
                           bool slow)
{
    if (!tracer_wanted(breakers->options.tracer))
        return;
    const uint64_t slow_after = breakers->table[slot].settings->trip.slow_after;
    const struct traced step = {.op = TRACED_RECORD,
                                .outcome = outcome,
                                .error = error,
                                .latency_ms = slow ? tracer_slow_ms(slow_after) : 0,
                                .n = 1};
    breakers_trace(breakers, slot, &step);
}

void breakers_trace_mode(const struct breakers *breakers, uint32_t slot, trip_mode mode, uint64_t until_ms)
{
    const uint64_t now_ms = breakers_now_ms(breakers);
    const struct traced step = {.op = TRACED_MODE, .mode = mode, .span_ms = time_until(until_ms, now_ms)};
    if (tracer_wanted(breakers->options.tracer))
        breakers_trace(breakers, slot, &step);
}

void breakers_trace_move(const struct breakers *breakers, uint32_t slot, const struct move *move)
{
    const struct traced step = {.op = move->to == WORD_OPEN ? TRACED_TRIP : TRACED_RESET, .span_ms = move->for_ms};
    if (tracer_wanted(breakers->options.tracer))
        breakers_trace(breakers, slot, &step);
}

/* -------------------------------------------------------------------------------------------------------- beginning */

static void tell_mode(const struct breakers *breakers, uint32_t slot, struct tracer_subscriber *subscriber)
{
    const uint64_t word = breakers->segment->policies[slot].modes[MODE_OWNER_OPERATOR];
    const uint64_t now_ms = breakers_now_ms(breakers);
    uint64_t until_ms;
    if (!policy_mode_holds(word, now_ms, &until_ms))
        return;
    const struct traced step = {
        .op = TRACED_MODE, .at_ms = now_ms, .mode = (trip_mode)(word & 7), .span_ms = until_ms ? until_ms - now_ms : 0};
    tracer_step_to(subscriber, segment_name(breakers->segment, slot), &step);
}

/* Tells an open breaker as a trip for the rest of its time, a half-open one as a trip for the shortest time. */
static void tell_state(const struct breakers *breakers, uint32_t slot, struct tracer_subscriber *subscriber)
{
    const uint64_t word = breakers->segment->mirror[slot], now_ms = breakers_now_ms(breakers);
    const uint64_t until_ms = word_state(word) == WORD_OPEN ? word_deadline_ms(word) : 0;
    const struct traced step = {
        .op = TRACED_TRIP, .at_ms = now_ms, .span_ms = until_ms > now_ms ? until_ms - now_ms : 1};
    if (!word_counts_streak(word))
        tracer_step_to(subscriber, segment_name(breakers->segment, slot), &step);
}

void breakers_trace_from(struct breakers *breakers, struct tracer_subscriber *subscriber)
{
    breakers_look_at_clock(breakers);
    for (uint32_t slot = 0; slot < breakers->segment->slots; slot++) {
        if (!breakers->table[slot].settings)
            continue;
        tell_state(breakers, slot, subscriber); /* first: under a mode that keeps the state, a trip fails */
        tell_mode(breakers, slot, subscriber);
    }
}
