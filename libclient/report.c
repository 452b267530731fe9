/* Reporting how calls end. */
#include "error.h"
#include "shared_limits.h"
#include "steps.h"
#include "tell.h"

#include "internal/permit_word.h"
#include "internal/succession.h"

/* Checks now and then whether tripd is still the one that gave this commons and took this lane. */
static inline bool look_is_due(uint64_t count)
{
    return count % LOOK_EVERY == 0;
}

/* Notes that an outcome goes uncounted, for the kernel gave no memory for a meter. */
static void count_lost(const struct reporter *reporter)
{
    if (reporter->lane && !reporter->meter)
        __atomic_fetch_add(&reporter->lane->memory->lost, 1, __ATOMIC_RELAXED); /* only its value counts */
}

/* ----------------------------------------------------------------------------------------------------------- record */

/* While tripd is away and the word's time has passed: as begin and end would, in one. */
static bool recorded_as_probe(const struct reporter *reporter, const struct binding *binding, uint64_t word,
                              uint32_t lane, const struct outcome *outcome)
{
    const uint64_t now_ms = view_now_ms(binding->view);
    const uint64_t admission = __atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED);
    const trip_mode mode = policy_mode_now(binding->policy, admission, now_ms);
    uint64_t probing;
    if (outcome_neutral(outcome->what) || (mode != TRIP_MODE_AUTO && mode != TRIP_MODE_SHADOW) ||
        !probe_take_over(binding, word, lane, now_ms, &probing))
        return false;
    probe_end(binding, probing, outcome->what);
    tell_totals(reporter, outcome);
    tell_event(reporter, binding, probing, outcome);
    return true;
}

COLD void outcome_record(struct trip_breaker *breaker, const struct outcome *outcome)
{
    if (fork_generation() == 0)
        return;
    client_look(breaker->client);
    const struct binding *const binding = breaker_bound(breaker);
    if (binding->kind == BINDING_FULL)
        return;
    const struct reporter reporter = reporter_find(breaker, binding);
    count_lost(&reporter);
    uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    if (word_state(word) != WORD_CLOSED &&
        recorded_as_probe(&reporter, binding, word, reporter_lane(breaker->client, binding), outcome))
        return;
    if (word_state(word) == WORD_RAMPING) /* whose time was over: closed by now */
        word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    tell_outcome(reporter, binding, word, outcome);
}

static bool plain(const struct binding *binding)
{
    return __atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED) == binding->plain;
}

/* latency_ns 0: unknown. It comes last of what is stored: it is what the clock's read ends with. */
static inline void count_ok(struct trip_breaker *breaker, const struct thread_slot *slot, struct meter *meter,
                            uint64_t latency_ns)
{
    const uint64_t total = own_ok(meter);
    if (latency_ns)
        own_latency(slot->lane_at, meter, latency_ns);
    meter_moved(slot->lane_at, meter, slot->round);
    if (unlikely(look_is_due(total)))
        client_look(breaker->client);
}

static void tell_shared(struct trip_breaker *breaker, const struct reporter *reporter, const struct binding *binding,
                        uint64_t word, const struct outcome *outcome)
{
    tell_outcome(*reporter, binding, word, outcome);
    if (look_is_due(__atomic_load_n(&reporter->meter->total_ok, __ATOMIC_RELAXED)))
        client_look(breaker->client);
}

/* In a section that threads share. False: the breaker has no meter there yet, or the thread counts elsewhere. */
COLD static bool record_shared(struct trip_breaker *breaker, const struct binding *binding, uint64_t word,
                               const struct outcome *outcome)
{
    struct reporter reporter;
    if (word_state(word) != WORD_CLOSED || !plain(binding) || !shared_at_hand(breaker, binding, &reporter))
        return false;
    tell_shared(breaker, &reporter, binding, word, outcome);
    return true;
}

/* Whatever is not a plain success of a closed breaker, or has a latency. */
static __attribute__((noinline)) void record_other(struct trip_breaker *breaker, trip_outcome what, uint64_t latency_ns)
{
    const struct binding *const binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const struct outcome outcome = {
        .what = outcome_known(what), .slow = latency_slow(binding->policy, latency_ns), .latency_ns = latency_ns};
    const struct thread_slot *slot;
    struct meter *const meter =
        word_state(word) == WORD_CLOSED && plain(binding) ? meter_at_hand(breaker, binding, &slot) : NULL;
    if (unlikely(!meter)) {
        if (!record_shared(breaker, binding, word, &outcome))
            outcome_record(breaker, &outcome);
        return;
    }
    if (what == TRIP_OK && !outcome.slow && meter_calm(meter, word)) {
        count_ok(breaker, slot, meter, latency_ns);
        return;
    }
    const struct reporter reporter = reporter_of(slot, meter);
    tell_outcome(reporter, binding, word, &outcome);
    if (unlikely(look_is_due(__atomic_load_n(&meter->total_failures, __ATOMIC_RELAXED))))
        client_look(breaker->client);
}

/* Cold, so that the plain success runs straight through. */
COLD static void record_elsewhere(struct trip_breaker *breaker, trip_outcome what, uint64_t latency_ns)
{
    record_other(breaker, what, latency_ns);
}

/* Each way ends in a jump to another function or in none: nothing is kept on the stack. */
void trip_record(trip_breaker *breaker, trip_outcome what, uint64_t latency_ns)
{
    const struct binding *const binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const struct thread_slot *slot;
    struct meter *meter;
    if (likely(what == TRIP_OK && latency_ns == 0 && plain(binding) &&
               (meter = meter_at_hand(breaker, binding, &slot)) && meter_calm(meter, word)))
        count_ok(breaker, slot, meter, 0);
    else
        record_elsewhere(breaker, what, latency_ns);
}

/* -------------------------------------------------------------------------------------------------------------- end */

static bool same_slot(const struct binding *a, const struct binding *b)
{
    return a->policy == b->policy && policy_same_breaker(a->plain, b->plain);
}

static enum permit_outcome permit_answer(const struct outcome *outcome)
{
    if (outcome_neutral(outcome->what))
        return PERMIT_NEUTRAL;
    if (outcome_failed(outcome->what))
        return outcome->slow ? PERMIT_SLOW_FAILED : PERMIT_FAILED;
    return outcome->slow ? PERMIT_SLOW_OK : PERMIT_OK;
}

/* Gives back the call's permit or probing word. False: the lease is over, and another call may hold it now. */
static bool give_back(const struct call *call, const struct outcome *outcome)
{
    const struct binding *const binding = call->binding;
    if (call->flags & CALL_PROBING)
        return probe_end(binding, call->word, outcome->what);
    const struct permit permit = {.index = call->permit_index, .word = call->permit};
    const bool moved = word_epoch(__atomic_load_n(binding->word, __ATOMIC_ACQUIRE)) != word_epoch(call->word);
    return probe_permit_end(binding, &permit, moved ? PERMIT_NEUTRAL : permit_answer(outcome)) && !moved;
}

static void count_finished(const struct reporter *reporter, const struct call *call)
{
    if (reporter->meter && call->flags & CALL_COUNTED && reporter->lane->serial == call->lane)
        reporter_add(reporter, &reporter->meter->finished);
}

static void count_late(const struct reporter *reporter)
{
    if (reporter->meter)
        reporter_add(reporter, &reporter->meter->late);
}

static bool stalled(const struct trip_breaker *breaker, const struct call *call)
{
    struct lane *const lane = __atomic_load_n(&breaker->client->lane, __ATOMIC_ACQUIRE);
    return call->flags & CALL_WATCHED && lane && lane->serial == call->lane && watch_end(lane, call);
}

/* Everything a probe reports but its evidence, which is in the permit, or in the state word itself. */
static void end_probe(const struct reporter *reporter, const struct binding *binding, const struct call *call,
                      const struct outcome *outcome)
{
    if (!give_back(call, outcome)) {
        count_late(reporter);
        return;
    }
    tell_totals(reporter, outcome);
    tell_event(reporter, binding, call->word, outcome);
}

static void end_call(struct trip_breaker *breaker, const struct call *call, const struct outcome *outcome)
{
    const struct binding *const binding = breaker_bound(breaker);
    const struct reporter reporter = reporter_find(breaker, binding);
    const bool same = same_slot(binding, call->binding);
    count_lost(&reporter);
    if (same)
        count_finished(&reporter, call);
    const bool late = stalled(breaker, call) || !same;
    if (call->flags & (CALL_PERMIT | CALL_PROBING)) {
        end_probe(&reporter, binding, call, outcome);
        return;
    }
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    if (binding->kind == BINDING_FULL)
        return;
    if (!outcome_neutral(outcome->what) && (late || word_moved(call->word, word)))
        count_late(&reporter);
    else if (word_counts_streak(word))
        tell_outcome(reporter, binding, word, outcome);
    else /* admitted by its mode, against what the state says: no probe */
        tell_totals(&reporter, outcome);
}

/* 0: it is not timed. */
static inline uint64_t ticks_at_end(const struct call *call)
{
    return call->ticks ? view_ticks(call->binding->view) : 0;
}

/* 1 at least, because 0 stands for a call that is not timed. */
static inline uint64_t lasted_ns(const struct call *call, uint64_t until_ticks)
{
    return call->ticks ? at_least(ticks_between(call->ticks, until_ticks), 1) : 0;
}

/* A call that was timed only as a sample never counts as slow: too few are timed for a rate of slow calls. */
static bool was_slow(const struct policy_slot *policy, const struct outcome *outcome, bool measured)
{
    return latency_slow(policy, outcome->latency_ns) && (!measured || policy_times_calls(policy));
}

/* outcome: with the call's latency, if the caller knows it. */
static void end_own(const struct call *ended, struct outcome *outcome)
{
    struct trip_breaker *const breaker = ended->breaker;
    if (ended->flags & CALL_TICKET)
        limits_give(ended);
    const bool measured = outcome->latency_ns == 0;
    if (measured)
        outcome->latency_ns = lasted_ns(ended, outcome->ticks);
    outcome->slow = was_slow(ended->binding->policy, outcome, measured);
    end_call(breaker, ended, outcome);
    client_look(breaker->client);
}

/* A call that began and ends in section 0 while its breaker is closed, with no more clock reads than the fast path. */
static bool end_shared(struct call *call, const struct outcome *outcome)
{
    struct trip_breaker *const breaker = call->breaker;
    const struct binding *const binding = call->binding;
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    struct reporter reporter;
    if (call->flags != CALL_COUNTED || outcome_neutral(outcome->what) || outcome->latency_ns ||
        __atomic_load_n(&breaker->binding, __ATOMIC_RELAXED) != binding || !plain(binding) ||
        word_state(word) != WORD_CLOSED || word_epoch(word) != word_epoch(call->word) ||
        !shared_at_hand(breaker, binding, &reporter) || call->lane != reporter.lane->serial ||
        call->generation != (uint32_t)__atomic_load_n(fork_page, __ATOMIC_RELAXED))
        return false;
    struct outcome whole = *outcome;
    whole.latency_ns = lasted_ns(call, outcome->ticks);
    whole.slow = was_slow(binding->policy, &whole, true);
    call->breaker = NULL;
    reporter_add(&reporter, &reporter.meter->finished);
    tell_shared(breaker, &reporter, binding, word, &whole);
    return true;
}

COLD void outcome_end(struct call *call, struct outcome *outcome)
{
    if (end_shared(call, outcome))
        return;
    struct call ended = *call;
    call->breaker = NULL;
    if (ended.generation == 0 || ended.generation != (uint32_t)fork_generation())
        return; /* the parent began this call */
    if (track_take(&ended))
        end_own(&ended, outcome);
}

void trip_end(trip_call *public_call, trip_outcome what)
{
    struct call *const call = (struct call *)public_call;
    struct trip_breaker *const breaker = call->breaker;
    if (unlikely(!breaker))
        return;
    const struct binding *const binding = call->binding;
    const uint64_t ticks = ticks_at_end(call);
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const uint64_t ns = lasted_ns(call, ticks);
    const struct thread_slot *slot;
    struct meter *meter;
    if (likely(what == TRIP_OK && (call->flags | CALL_TICKET) == (CALL_COUNTED | CALL_TICKET) &&
               __atomic_load_n(&breaker->binding, __ATOMIC_RELAXED) == binding && plain(binding) &&
               word_epoch(word) == word_epoch(call->word) && !latency_slow(binding->policy, ns) &&
               (meter = meter_at_hand(breaker, binding, &slot)) && meter_calm(meter, word) &&
               call->generation == (uint32_t)slot->generation && call->lane == slot->lane)) {
        call->breaker = NULL;
        if (unlikely(call->flags & CALL_TICKET))
            limits_give(call);
        own_add(&meter->finished);
        count_ok(breaker, slot, meter, ns);
        return;
    }
    struct outcome outcome = {.what = outcome_known(what), .ticks = ticks};
    outcome_end(call, &outcome);
}

void trip_end_error(trip_call *public_call, const trip_error *error)
{
    struct call *const call = (struct call *)public_call;
    if (!call->breaker)
        return;
    const bool timeout = error && error->type == TRIP_ERROR_TIMEOUT;
    struct outcome outcome = {
        .what = timeout ? TRIP_TIMEOUT : TRIP_FAILURE, .ticks = ticks_at_end(call), .error = error};
    outcome_end(call, &outcome);
}

void trip_end_after(trip_call *public_call, trip_outcome what, uint64_t latency_ns)
{
    struct call *const call = (struct call *)public_call;
    if (!call->breaker)
        return;
    struct outcome outcome = {.what = outcome_known(what), .latency_ns = latency_ns, .ticks = ticks_at_end(call)};
    outcome_end(call, &outcome);
}

void trip_report_error(trip_breaker *breaker, const trip_error *error)
{
    const trip_error unknown = {.type = TRIP_ERROR_UNKNOWN};
    const struct outcome outcome = {.what = TRIP_FAILURE, .error = error ? error : &unknown};
    if (fork_generation() == 0)
        return;
    client_look(breaker->client);
    const struct binding *const binding = breaker_bound(breaker);
    const struct reporter reporter = reporter_find(breaker, binding);
    if (reporter.meter && error_tell(&reporter, &outcome, true))
        tell_ring(reporter.lane, binding->view);
}

unsigned trip_cancel_all(void)
{
    struct call call;
    unsigned count = 0;
    for (; fork_generation() != 0 && track_take_own(&call); count++) {
        struct outcome outcome = {.what = TRIP_CANCELLED, .ticks = ticks_at_end(&call)};
        end_own(&call, &outcome);
    }
    return count;
}
