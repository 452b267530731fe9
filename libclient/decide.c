/* May a call go out? */
#include "internal/permit_word.h"
#include "shared_limits.h"
#include "steps.h"
#include "tell.h"

#define ADMIT_TRIES 4 /* another client may move the word meanwhile: then libtrip judges the new word */

bool trip_admitted(trip_verdict verdict)
{
    return verdict == TRIP_ALLOW || verdict == TRIP_PROBE;
}

/* ----------------------------------------------------------------------------------------------------------- asking */

static trip_verdict ramp_verdict(uint64_t word)
{
    return thread_random() % 1000 < word_permille(word) ? TRIP_ALLOW : TRIP_DENY_RAMP;
}

/* now_ms: read after the word (docs/decisions/word-before-clock.md). */
static trip_verdict state_verdict(const struct binding *binding, uint64_t word, uint64_t now_ms)
{
    switch (word_state(word)) {
    case WORD_OPEN:
        return probe_due(binding, word, now_ms) ? TRIP_PROBE : TRIP_DENY_OPEN;
    case WORD_HALF_OPEN:
    case WORD_PROBING: {
        const bool probes = probe_permits_free(binding, word) > 0 || probe_due(binding, word, now_ms);
        return probes ? TRIP_PROBE : TRIP_DENY_HALF_OPEN;
    }
    case WORD_RAMPING:
        return probe_due(binding, word, now_ms) ? TRIP_ALLOW : ramp_verdict(word);
    default: /* an unset word admits: tripd will put it right */
        return TRIP_ALLOW;
    }
}

/* Async-signal-safe: loads, the clock, and a search of tripd's index of names. One function, and not a cold one: the
 * first denial after a breaker opened finds none of its code in the cache. */
static __attribute__((noinline)) FLATTEN trip_verdict question(const struct trip_breaker *breaker,
                                                               const struct binding *binding)
{
    struct binding room[2];
    const struct binding *const bound = binding;
    uint64_t word, admission;
    unsigned tries = 0;
    do {
        binding = tries < ADMIT_TRIES ? breaker_glance(breaker, bound, room) : &breaker->own;
        word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    } while (!binding_was_in_slot(binding, &admission) && tries++ < ADMIT_TRIES);
    const uint64_t now_ms = view_now_ms(binding->view);
    const trip_mode mode = policy_mode_now(binding->policy, admission, now_ms);
    if (mode == TRIP_MODE_FORCED_OPEN || mode == TRIP_MODE_DISABLED)
        return mode == TRIP_MODE_DISABLED ? TRIP_ALLOW : TRIP_DENY_FORCED;
    const trip_verdict verdict = state_verdict(binding, word, now_ms);
    return mode == TRIP_MODE_SHADOW && !trip_admitted(verdict) ? TRIP_ALLOW : verdict;
}

trip_verdict trip_allow(trip_breaker *breaker)
{
    const struct binding *const binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    /* Acquire: pairs with the CAS that opened. The admission after the word, for it says whose the word was. */
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    if (likely(word_state(word) == WORD_CLOSED &&
               __atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED) == binding->plain))
        return TRIP_ALLOW;
    return question(breaker, binding);
}

/* ------------------------------------------------------------------------------------------------------- admission */

static bool take_permit(struct call *call, uint64_t word, uint64_t now_ms)
{
    struct permit permit;
    if (!probe_permit_take(call->binding, word, reporter_lane(call->breaker->client, call->binding), now_ms, &permit))
        return false;
    call->word = word;
    call->permit = permit.word;
    call->permit_index = (uint8_t)permit.index;
    call->flags |= CALL_PERMIT;
    return true;
}

static bool take_word(struct call *call, uint64_t word, uint64_t now_ms)
{
    if (!probe_take_over(call->binding, word, reporter_lane(call->breaker->client, call->binding), now_ms, &call->word))
        return false;
    call->flags |= CALL_PROBING;
    return true;
}

/* Takes the permit or the step that the state demands. *ret_again: the word moved meanwhile. */
static trip_verdict admit_by_state(struct call *call, uint64_t now_ms, bool *ret_again)
{
    const uint64_t word = call->word;
    const enum word_state state = word_state(word);
    *ret_again = false;
    if (state == WORD_CLOSED || !word_valid(word))
        return TRIP_ALLOW;
    if (reporter_may_hold(call->breaker->client, call->binding) &&
        ((state == WORD_HALF_OPEN && take_permit(call, word, now_ms)) || take_word(call, word, now_ms)))
        return TRIP_PROBE;
    *ret_again = __atomic_load_n(call->binding->word, __ATOMIC_ACQUIRE) != word;
    if (state == WORD_RAMPING)
        return ramp_verdict(word);
    return state == WORD_OPEN ? TRIP_DENY_OPEN : TRIP_DENY_HALF_OPEN;
}

/* *ret_overruled: as what the breaker would have denied, but for the mode, which is shadow; TRIP_ALLOW: it would not.
 */
static trip_verdict admit(struct call *call, trip_verdict *ret_overruled)
{
    trip_verdict verdict = TRIP_ALLOW;
    trip_mode mode = TRIP_MODE_AUTO;
    bool again = true;
    *ret_overruled = TRIP_ALLOW;
    for (unsigned tries = 0; tries < ADMIT_TRIES && again; tries++) {
        uint64_t admission;
        call->word = __atomic_load_n(call->binding->word, __ATOMIC_ACQUIRE);
        if (!binding_was_in_slot(call->binding, &admission)) { /* given away this moment: as a new breaker */
            call->binding = &call->breaker->own;
            continue;
        }
        const struct binding *const binding = call->binding;
        const uint64_t now_ms = view_now_ms(binding->view); /* after the word: docs/decisions/word-before-clock.md */
        mode = policy_mode_now(binding->policy, admission, now_ms);
        if (mode == TRIP_MODE_FORCED_OPEN || mode == TRIP_MODE_DISABLED)
            return mode == TRIP_MODE_DISABLED ? TRIP_ALLOW : TRIP_DENY_FORCED;
        verdict = admit_by_state(call, now_ms, &again);
    }
    if (mode != TRIP_MODE_SHADOW || trip_admitted(verdict))
        return verdict;
    *ret_overruled = verdict;
    return TRIP_ALLOW;
}

/* Does the policy in force want to know of calls in flight? A probe's end is its lease's. */
static bool watched(const struct call *call)
{
    const uint64_t word = call->word;
    return word_counts_streak(word) &&
           judge_watched(__atomic_load_n(&call->binding->policy->judge[word_generation(word) & 1], __ATOMIC_RELAXED));
}

static void count_started(const struct reporter *reporter, struct call *call)
{
    struct meter *const meter = reporter->meter;
    if (!meter)
        return;
    if (!(call->flags & CALL_COUNTED)) /* who took a ticket is */
        reporter_add(reporter, &meter->started);
    const uint64_t finished = __atomic_load_n(&meter->finished, __ATOMIC_RELAXED);
    const bool alone = __atomic_load_n(&meter->started, __ATOMIC_RELAXED) == finished + 1;
    call->lane = reporter->lane->serial;
    call->flags |= CALL_COUNTED;
    if (!watched(call))
        return;
    const uint32_t number = lane_meter_number(reporter->lane->memory, meter);
    if (!call->ticks) /* a reload has just begun to watch */
        call->ticks = call_ticks(call);
    if (watch_begin(reporter->lane, number, call->ticks, call))
        call->flags |= CALL_WATCHED;
    if (alone) /* tripd has a timer to set */
        tell_ring(reporter->lane, call->binding->view);
}

/* Gives back the permit or the probing word of a call that is not sent after all. */
static void give_back_unsent(const struct call *call)
{
    const struct permit permit = {.index = call->permit_index, .word = call->permit};
    if (call->flags & CALL_PERMIT)
        probe_permit_end(call->binding, &permit, PERMIT_FREE);
    if (call->flags & CALL_PROBING)
        probe_end(call->binding, call->word, TRIP_CANCELLED);
}

static void count_denied(const struct reporter *reporter, trip_verdict verdict)
{
    if (reporter->meter)
        reporter_add(reporter, &reporter->meter->denied[denial_of(verdict)]);
}

static trip_verdict deny(const struct reporter *reporter, struct call *call, trip_verdict verdict)
{
    count_denied(reporter, verdict);
    call->breaker = NULL;
    return verdict;
}

#define PASSED_NS 1 /* a deadline so near has passed */

/* In shadow mode a call takes tickets and tokens as in auto. A call that auto would have denied takes nothing, is
 * counted under the limit that would have denied it, and is admitted. */
static void shadow_limits(const struct reporter *reporter, struct call *call, trip_priority priority,
                          trip_verdict overruled)
{
    trip_verdict verdict = overruled;
    if (overruled != TRIP_ALLOW || !limits_take(reporter, call, priority, 0, &verdict))
        count_denied(reporter, verdict);
}

/* Limits hold only where the breaker may deny: mode disabled admits every call. */
static bool limited(const struct reporter *reporter, struct call *call, trip_priority priority, uint64_t most_wait_ns,
                    trip_verdict overruled, trip_verdict *ret_verdict)
{
    const struct binding *const binding = call->binding;
    const uint64_t admission = __atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED);
    const trip_mode mode = policy_mode_now(binding->policy, admission, view_now_ms(binding->view));
    if (mode == TRIP_MODE_SHADOW)
        shadow_limits(reporter, call, priority, overruled);
    if (mode != TRIP_MODE_AUTO || limits_take(reporter, call, priority, most_wait_ns, ret_verdict)) {
        if (trip_call_remaining_ns((const trip_call *)call) > PASSED_NS)
            return false;
        *ret_verdict = TRIP_DENY_DEADLINE; /* the deadline passed while the call waited for a ticket */
        limits_give_unsent(reporter, call);
    }
    give_back_unsent(call);
    return true;
}

/* Last: the clock runs from here, or from where the call took its token. */
static inline void start_clock(struct call *call, uint64_t limits)
{
    const bool timed = limits & POLICY_TIMED || call->deadline || thread_samples();
    if (!timed)
        call->ticks = 0;
    else if (!call->ticks)
        call->ticks = call_ticks(call);
}

COLD static trip_verdict begin_slow(struct trip_breaker *breaker, struct call *call, const trip_options *options)
{
    const uint64_t most_wait_ns = options->no_wait ? 0 : UINT64_MAX;
    *call = (struct call){.generation = (uint32_t)fork_generation()};
    if (call->generation == 0) /* another thread of this child is at it: nothing can be held or counted */
        return trip_allow(breaker);
    client_look(breaker->client); /* a denied caller has no other chance; not between a call's begin and its end */
    call->breaker = breaker;
    call->binding = breaker_bound(breaker);
    const uint64_t asked = view_ticks(call->binding->view);
    /* The lane first, so that the permits and tickets that the call takes carry its number. */
    const struct reporter reporter = reporter_find(breaker, call->binding);
    const uint64_t left_ns = options->within_ns ? options->within_ns : UINT64_MAX;
    if (left_ns <= PASSED_NS) /* before admit: a call that is not sent takes no probe's permit */
        return deny(&reporter, call, TRIP_DENY_DEADLINE);
    trip_verdict overruled, denial;
    const trip_verdict verdict = admit(call, &overruled);
    if (!trip_admitted(verdict))
        return deny(&reporter, call, verdict);
    if (options->within_ns)
        call->deadline = asked + at_most(options->within_ns, UINT64_MAX / 2);
    if (limited(&reporter, call, options->priority, at_most(left_ns, most_wait_ns), overruled, &denial))
        return deny(&reporter, call, denial);
    start_clock(call, __atomic_load_n(&call->binding->policy->limits, __ATOMIC_RELAXED));
    count_started(&reporter, call);
    if (unlikely(thread_self.tracking))
        track_begin(call);
    return verdict;
}

static const trip_options as_usual;

trip_verdict trip_begin_with(trip_breaker *breaker, trip_call *call, const trip_options *options)
{
    return begin_slow(breaker, (struct call *)call, options ? options : &as_usual);
}

uint64_t trip_call_remaining_ns(const trip_call *public_call)
{
    const struct call *const call = (const struct call *)public_call;
    if (!call->breaker || !call->deadline)
        return UINT64_MAX;
    return ticks_between(view_ticks(call->binding->view), call->deadline);
}

/* The fast path of a closed breaker with limits, in the thread's own section: it needs none of begin_slow's checks. */
static __attribute__((noinline)) trip_verdict begin_limited(struct call *call, const struct thread_slot *slot,
                                                            struct meter *meter, uint64_t limits)
{
    const struct reporter reporter = reporter_of(slot, meter);
    trip_verdict denial;
    call->flags = 0;
    call->ticks = 0;
    if (unlikely(!limits_take(&reporter, call, TRIP_PRIORITY_NORMAL, UINT64_MAX, &denial))) {
        client_look(call->breaker->client);
        return deny(&reporter, call, denial);
    }
    if (!(call->flags & CALL_COUNTED)) /* who took a ticket is */
        reporter_add(&reporter, &meter->started);
    call->flags |= CALL_COUNTED;
    start_clock(call, limits);
    return TRIP_ALLOW;
}

/* In a section that threads share: with the clock reads of the fast path, and atomics. */
COLD static trip_verdict begin_elsewhere(trip_breaker *breaker, struct call *call)
{
    const struct binding *const binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const uint64_t limits = __atomic_load_n(&binding->policy->limits, __ATOMIC_RELAXED);
    struct reporter reporter;
    if (word_state(word) != WORD_CLOSED ||
        __atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED) != binding->plain || limits & POLICY_LIMITS ||
        judge_watched(__atomic_load_n(&binding->policy->judge[word & 1], __ATOMIC_RELAXED)) ||
        !shared_at_hand(breaker, binding, &reporter))
        return begin_slow(breaker, call, &as_usual);
    *call = (struct call){.breaker = breaker,
                          .binding = binding,
                          .word = word,
                          .lane = reporter.lane->serial,
                          .generation = (uint32_t)__atomic_load_n(fork_page, __ATOMIC_RELAXED),
                          .flags = CALL_COUNTED};
    reporter_add(&reporter, &reporter.meter->started);
    start_clock(call, limits);
    return TRIP_ALLOW;
}

trip_verdict trip_begin(trip_breaker *breaker, trip_call *public_call)
{
    struct call *const call = (struct call *)public_call;
    const struct binding *const binding = __atomic_load_n(&breaker->binding, __ATOMIC_ACQUIRE);
    const uint64_t word = __atomic_load_n(binding->word, __ATOMIC_ACQUIRE);
    const struct thread_slot *slot;
    struct meter *meter;
    if (unlikely(__atomic_load_n(&binding->policy->admission, __ATOMIC_RELAXED) != binding->plain ||
                 word_state(word) != WORD_CLOSED || !(meter = meter_at_hand(breaker, binding, &slot)) ||
                 judge_watched(__atomic_load_n(&binding->policy->judge[word & 1], __ATOMIC_RELAXED))))
        return begin_elsewhere(breaker, call);
    call->breaker = breaker;
    call->binding = binding;
    call->word = word;
    call->lane = slot->lane;
    call->generation = (uint32_t)slot->generation;
    call->deadline = 0;
    const uint64_t limits = __atomic_load_n(&binding->policy->limits, __ATOMIC_RELAXED);
    if (unlikely(limits & POLICY_LIMITS))
        return begin_limited(call, slot, meter, limits);
    own_add(&meter->started);
    meter_moved(slot->lane_at, meter, slot->round);
    call->flags = CALL_COUNTED;
    call->ticks = 0;
    start_clock(call, limits);
    return TRIP_ALLOW;
}
