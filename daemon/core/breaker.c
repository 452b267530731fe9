/* Judges the outcomes of calls: trip conditions, the probes' verdict, open times, ramp. */
#include "core/breaker.h"

#include <stddef.h>
#include <string.h>

#include "internal/numbers.h"
#include "internal/totals.h"

#define PERMILLE UINT64_C(1000)

/* ------------------------------------------------------------------------------------------------------- the sums */

static void show_window(struct core_state *core)
{
    core->head.window_calls = core->window.calls;
    core->head.window_failures = core->window.failures;
    core->head.window_slow = core->window.slow;
}

static void empty_window(struct core_state *core)
{
    window_clear(&core->window);
    show_window(core);
}

static void forget_probes(struct core_state *core)
{
    core->head.probe_ok = core->head.probe_failures = core->head.probe_slow = 0;
}

static enum window_type window_type(const struct breaker_settings *settings)
{
    return settings->window.type == WINDOW_TIME ? WINDOW_TIME : WINDOW_COUNT;
}

/* Copies into the head what people are shown beside the counts. */
static void show_needs(struct core_state *core, const struct breaker_settings *settings)
{
    const bool rate = settings->half_open.verdict == PROBE_VERDICT_RATE;
    core->head.minimum_calls = settings->window.minimum_calls;
    core->head.probes_needed = rate ? settings->half_open.sample : settings->half_open.successes;
}

void core_init(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns)
{
    memset(core, 0, sizeof(*core));
    core->opened_ns = core->streak_ns = core->outage_ns = CORE_NEVER;
    core->head.state_since_ns = now_ns;
    show_needs(core, settings);
    window_init(&core->window, window_type(settings), (uint32_t)settings->window.size, settings->window.span);
}

void core_reconfigure(struct core_state *core, const struct breaker_settings *settings)
{
    show_needs(core, settings);
    window_reshape(&core->window, window_type(settings), (uint32_t)settings->window.size, settings->window.span);
    show_window(core);
}

void core_calls(struct core_state *core, uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    window_add(&core->window, now_ns, n, kind);
    show_window(core);
    if (!(kind & CALL_FAILED))
        core->streak_ns = CORE_NEVER;
    else if (core->streak_ns == CORE_NEVER)
        core->streak_ns = now_ns;
}

void core_advance(struct core_state *core, uint64_t now_ns)
{
    window_advance(&core->window, now_ns);
    show_window(core);
}

void core_show(struct core_state *core, uint64_t now_ns)
{
    const struct window_sums sums = window_sums_at(&core->window, now_ns);
    core->head.window_calls = sums.calls;
    core->head.window_failures = sums.failures;
    core->head.window_slow = sums.slow;
}

void core_probes(struct core_state *core, uint64_t n, enum call_kind kind)
{
    struct breaker_totals *const totals = &core->head.totals;
    *(kind & CALL_FAILED ? &core->head.probe_failures : &core->head.probe_ok) += n;
    core->head.probe_slow += kind & CALL_SLOW ? n : 0;
    *(kind & CALL_FAILED ? &totals->probes_failures : &totals->probes_ok) += n;
    totals->probes_slow += kind & CALL_SLOW ? n : 0;
}

/* -------------------------------------------------------------------------------------------------------- judging */

/* Is part / whole at least this rate? A rate of 0 is off. */
static bool reaches(uint64_t part, uint64_t whole, uint64_t rate_permille)
{
    return rate_permille != 0 && part * PERMILLE >= whole * rate_permille;
}

/* A trip condition over the window: so many of its calls are of one kind, or so large a share of them. */
struct condition {
    trip_reason reason;
    enum call_kind of; /* CALL_FAILED or CALL_SLOW */
    bool rate;
    size_t limit; /* its offset in the settings; the limit is calls, or permille for a rate; 0: the condition is off */
};

#define CONDITION(reason, key, of, rate) {TRIP_REASON_##reason, of, rate, offsetof(struct breaker_settings, trip.key)},
static const struct condition conditions[] = {WINDOW_CONDITIONS(CONDITION)};
#define CONDITIONS_END (conditions + sizeof(conditions) / sizeof(conditions[0]))

static uint64_t limit_of(const struct condition *condition, const struct breaker_settings *settings)
{
    return *(const uint64_t *)(const void *)((const uint8_t *)settings + condition->limit);
}

bool core_counts(const struct breaker_settings *settings, unsigned kinds)
{
    for (const struct condition *each = conditions; each < CONDITIONS_END; each++)
        if ((each->of & kinds) && limit_of(each, settings))
            return true;
    return false;
}

/* Returns how many calls of its kind complete the condition in a window of so many calls. CORE_NEVER: no number does.
 */
static uint64_t needed(const struct condition *condition, const struct breaker_settings *settings, uint64_t calls)
{
    const uint64_t limit = limit_of(condition, settings);
    if (limit == 0 || (condition->rate && calls == 0))
        return CORE_NEVER;
    return condition->rate ? (calls * limit + PERMILLE - 1) / PERMILLE : limit;
}

static uint64_t part_of(const struct condition *condition, const struct window_sums *window)
{
    return condition->of == CALL_FAILED ? window->failures : window->slow;
}

/* Returns the conditions over the window that hold, a bit a reason. calls: what the rates are shares of; 0: too few
 * calls for a rate. */
static unsigned held(const struct window_sums *window, const struct breaker_settings *settings, uint64_t calls)
{
    unsigned reasons = 0;
    for (const struct condition *each = conditions; each < CONDITIONS_END; each++)
        reasons |= (unsigned)(part_of(each, window) >= needed(each, settings, calls)) << each->reason;
    return reasons;
}

static unsigned window_conditions(const struct window_sums *window, const struct breaker_settings *settings)
{
    return held(window, settings, window->calls >= settings->window.minimum_calls ? window->calls : 0);
}

/* Returns the fewest calls that the rates may be shares of from now on, while the window forgets none. */
static uint64_t fewest_calls(uint64_t calls, const struct breaker_settings *settings)
{
    return at_least(at_least(calls, settings->window.minimum_calls), 1);
}

static trip_reason trip_condition(const struct core_state *core, const struct breaker_settings *settings,
                                  uint64_t in_flight, uint64_t now_ns)
{
    const struct window_sums then = {core->window.calls, core->window.failures, core->window.slow};
    const struct window_sums now = window_sums_at(&core->window, now_ns);
    const unsigned reasons = window_conditions(&then, settings) & window_conditions(&now, settings);

    if (reasons)
        return (trip_reason)__builtin_ctz(reasons);
    if (settings->trip.in_flight && in_flight >= settings->trip.in_flight)
        return TRIP_REASON_IN_FLIGHT;
    return TRIP_REASON_NONE;
}

/* n equal calls that may come. */
struct coming {
    const struct core_state *core;
    const struct breaker_settings *settings;
    uint64_t at_ns, now_ns;
    enum call_kind kind;
};

static unsigned conditions_after(const struct coming *coming, uint64_t n, uint64_t judged_ns)
{
    const struct window_sums sums = window_sums_after(&coming->core->window, judged_ns, n, coming->kind);
    return window_conditions(&sums, coming->settings);
}

/* Does a condition hold after n calls, both at the time of the calls and now? Calls that the window has forgotten by
 * now still counted at that time. */
static bool trips_after(const struct coming *coming, uint64_t n)
{
    const unsigned now = conditions_after(coming, n, coming->now_ns);
    return now && (coming->at_ns == coming->now_ns || now & conditions_after(coming, n, coming->at_ns));
}

/* Finds the first call after which a condition holds. None holds after `quiet` calls, one does after `tripped` calls.
 */
static uint64_t first_that_trips(const struct coming *coming, uint64_t quiet, uint64_t tripped)
{
    while (tripped - quiet > 1) {
        const uint64_t middle = quiet + (tripped - quiet) / 2;
        if (trips_after(coming, middle))
            tripped = middle;
        else
            quiet = middle;
    }
    return tripped;
}

/* Could a condition hold after any of the calls? Answers yes too often, for it forgets that a full window drops older
 * calls. */
static bool could_trip(const struct coming *coming, uint64_t n)
{
    const struct window *const window = &coming->core->window;
    const struct window_sums sums = {
        .calls = window->calls,
        .failures = window->failures + (coming->kind & CALL_FAILED ? n : 0),
        .slow = window->slow + (coming->kind & CALL_SLOW ? n : 0),
    };
    return held(&sums, coming->settings, fewest_calls(sums.calls, coming->settings)) != 0;
}

/* Each further equal call moves every condition the same way, towards its limit or away from it. So a condition that
 * holds neither at the call from which the rates count nor at the last call held at none between. */
uint64_t core_calls_until_trip(const struct core_state *core, const struct breaker_settings *settings, uint64_t at_ns,
                               uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    const struct coming coming = {core, settings, at_ns, now_ns, kind};
    if (n == 0 || !could_trip(&coming, n))
        return 0;
    const uint64_t calls = window_sums_at(&core->window, now_ns).calls, minimum = settings->window.minimum_calls;
    const uint64_t missing = calls < minimum ? minimum - calls : 1, first = missing < n ? missing : n;

    if (trips_after(&coming, first))
        return first_that_trips(&coming, 0, first);
    return trips_after(&coming, n) ? first_that_trips(&coming, first, n) : 0;
}

static uint64_t missing(uint64_t part, uint64_t wanted)
{
    return part < wanted ? wanted - part : 1;
}

/* Returns the fewest failures or slow calls that complete a condition. Successes beside them only delay a rate, once
 * minimum_calls are reached; before that, they are the calls that minimum_calls waits for. */
static uint64_t until_condition(const struct window_sums *window, const struct breaker_settings *settings)
{
    const uint64_t calls = fewest_calls(window->calls, settings);
    uint64_t least = CORE_NEVER;
    for (const struct condition *each = conditions; each < CONDITIONS_END; each++) {
        const uint64_t wanted = needed(each, settings, calls);
        if (wanted != CORE_NEVER)
            least = at_most(least, missing(part_of(each, window), wanted));
    }
    return least;
}

/* Looks at each moment at which a time window forgets a bucket: a rate may be nearest to its limit right then. */
uint64_t core_failures_until_trip(const struct core_state *core, const struct breaker_settings *settings,
                                  uint64_t now_ns, uint64_t until_ns)
{
    uint64_t least = CORE_NEVER;
    for (unsigned bucket = 0; bucket <= WINDOW_BUCKETS + 1; bucket++) {
        const uint64_t at_ns = at_most(now_ns + bucket * (core->window.span_ns / WINDOW_BUCKETS), until_ns);
        const struct window_sums window = window_sums_at(&core->window, at_ns);
        least = at_most(least, until_condition(&window, settings));
        if (at_ns == until_ns)
            break;
    }
    return least;
}

enum probing_verdict { VERDICT_PENDING, VERDICT_GOOD, VERDICT_BAD };

/* Judges the rates over `sample` probes, as soon as the outstanding probes can no longer change the verdict. */
static enum probing_verdict judge_sample(const struct core_head *head, const struct breaker_settings *settings)
{
    const uint64_t sample = settings->half_open.sample, answered = head->probe_ok + head->probe_failures;
    const uint64_t to_come = answered < sample ? sample - answered : 0;

    if (reaches(head->probe_failures, sample, settings->trip.failure_rate) ||
        reaches(head->probe_slow, sample, settings->trip.slow_rate))
        return VERDICT_BAD;
    if (answered == 0 || reaches(head->probe_failures + to_come, sample, settings->trip.failure_rate) ||
        reaches(head->probe_slow + to_come, sample, settings->trip.slow_rate))
        return VERDICT_PENDING;
    return VERDICT_GOOD;
}

static enum probing_verdict judge_probes(const struct core_head *head, const struct breaker_settings *settings)
{
    if (settings->half_open.verdict == PROBE_VERDICT_RATE)
        return judge_sample(head, settings);
    if (head->probe_failures)
        return VERDICT_BAD;
    return head->probe_ok >= settings->half_open.successes ? VERDICT_GOOD : VERDICT_PENDING;
}

static bool has_ramp(const struct breaker_settings *settings)
{
    return settings->ramp.over != 0 && settings->ramp.step_count != 0;
}

struct core_verdict core_judge(const struct core_state *core, const struct breaker_settings *settings,
                               enum word_state state, uint64_t in_flight, uint64_t now_ns)
{
    struct core_verdict verdict = {false, state, TRIP_REASON_NONE, TRIP_REASON_NONE};

    if (state == WORD_CLOSED || state == WORD_RAMPING) {
        verdict.reason = trip_condition(core, settings, in_flight, now_ns);
        if (verdict.reason == TRIP_REASON_NONE)
            return verdict;
        if (state == WORD_RAMPING) {
            verdict.condition = verdict.reason;
            verdict.reason = TRIP_REASON_RELAPSE;
        }
        verdict.move = true;
        verdict.to = WORD_OPEN;
    } else if (state == WORD_HALF_OPEN) {
        const enum probing_verdict probes = judge_probes(&core->head, settings);
        if (probes == VERDICT_PENDING)
            return verdict;
        verdict.move = true;
        verdict.to = probes == VERDICT_BAD ? WORD_OPEN : has_ramp(settings) ? WORD_RAMPING : WORD_CLOSED;
        verdict.reason = probes == VERDICT_BAD ? TRIP_REASON_PROBE_FAILED : TRIP_REASON_NONE;
    }
    return verdict;
}

uint32_t core_probes_wanted(const struct core_state *core, const struct breaker_settings *settings)
{
    const struct core_head *const head = &core->head;

    if (judge_probes(head, settings) != VERDICT_PENDING)
        return 0;
    const uint64_t missing = settings->half_open.verdict == PROBE_VERDICT_RATE
                                 ? settings->half_open.sample - head->probe_ok - head->probe_failures
                                 : settings->half_open.successes - head->probe_ok;
    return (uint32_t)(missing < settings->half_open.permits ? missing : settings->half_open.permits);
}

/* ------------------------------------------------------------------------------------------------------- the tick */

/* Could successes alone complete a rate? They fill the window up to minimum_calls. After that, only the first one
 * could, where forgetting has raised a rate. */
static bool could_fill_up(const struct breaker_settings *settings, const struct window_sums *window)
{
    const uint64_t calls = fewest_calls(window->calls + 1, settings);
    for (const struct condition *each = conditions; each < CONDITIONS_END; each++)
        if (each->rate && part_of(each, window) && part_of(each, window) >= needed(each, settings, calls))
            return true;
    return false;
}

/* Could successes alone complete a rate in what the time window will be after forgetting 0, 1, 2 ... of its buckets? */
static bool could_forget_into(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns)
{
    struct window left;
    window_copy(&left, &core->window);
    window_advance(&left, now_ns);
    struct window_sums window = {left.calls, left.failures, left.slow};

    for (uint64_t i = 1; i <= WINDOW_BUCKETS && window.calls; i++) {
        if (could_fill_up(settings, &window))
            return true;
        const struct window_bucket *const oldest = &left.buckets[(left.bucket + i) % WINDOW_BUCKETS];
        window.calls -= oldest->calls;
        window.failures -= oldest->failures;
        window.slow -= oldest->slow;
    }
    return false;
}

bool core_waits_for_success(const struct core_state *core, const struct breaker_settings *settings,
                            enum word_state state, uint64_t now_ns)
{
    if (state != WORD_CLOSED && state != WORD_RAMPING)
        return false;
    if (core->window.type == WINDOW_TIME)
        return could_forget_into(core, settings, now_ns);
    const struct window_sums window = {core->window.calls, core->window.failures, core->window.slow};
    return window.calls < settings->window.minimum_calls && could_fill_up(settings, &window);
}

bool core_wants_tick(const struct core_state *core, const struct breaker_settings *settings, enum word_state state,
                     uint64_t now_ns)
{
    const bool counts = settings->trip.in_flight && core->head.in_flight;
    return (counts && (state == WORD_CLOSED || state == WORD_RAMPING)) ||
           core_waits_for_success(core, settings, state, now_ns);
}

/* ----------------------------------------------------------------------------------------------- how long it opens */

uint64_t core_longest_open_ns(const struct breaker_settings *settings)
{
    return settings->open.max + permille_of(settings->open.max, settings->open.jitter);
}

uint64_t core_growth_until_ns(const struct core_state *core, const struct breaker_settings *settings)
{
    if (!core->last_open_ns || !settings->open.forget)
        return 0;
    if (core->opened_ns != CORE_NEVER)
        return CORE_NEVER;
    return core->last_end_ns + at_most(settings->open.forget, CORE_NEVER - core->last_end_ns);
}

uint64_t core_next_open_ns(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns,
                           uint64_t random, uint64_t *ret_unjittered_ns)
{
    uint64_t open_ns = settings->open.span;

    if (now_ns < core_growth_until_ns(core, settings)) {
        const uint64_t grown_ns = permille_of(core->last_open_ns, settings->open.multiplier);
        open_ns = grown_ns > open_ns ? grown_ns : open_ns;
    }
    open_ns = at_most(open_ns, settings->open.max);
    *ret_unjittered_ns = open_ns;

    /* Spreads the open time evenly over [open_ns - jitter_ns, open_ns + jitter_ns]. A state word can say no less than a
     * millisecond. */
    const uint64_t jitter_ns = permille_of(open_ns, settings->open.jitter);
    const uint64_t jittered_ns = random_between(open_ns - jitter_ns, open_ns + jitter_ns, random);
    return jittered_ns > TRIP_MS ? jittered_ns : TRIP_MS;
}

bool core_as_new(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns)
{
    const struct window_sums window = window_sums_at(&core->window, now_ns);
    uint64_t next_open_ns;
    core_next_open_ns(core, settings, now_ns, 0, &next_open_ns);
    return window.failures == 0 && window.slow == 0 && core->head.in_flight == 0 &&
           next_open_ns == at_most(settings->open.span, settings->open.max);
}

/* ------------------------------------------------------------------------------------------------- the state moved */

static void end_opening(struct core_state *core, uint64_t now_ns)
{
    if (core->opened_ns != CORE_NEVER)
        core->last_end_ns = now_ns;
    core->opened_ns = CORE_NEVER;
}

static void end_ramp(struct core_state *core)
{
    core->ramp_start_ns = core->ramp_end_ns = 0;
}

/* An outage lasts from the first opening until the breaker is closed again, however often it opens meanwhile. */
static void note_outage(struct core_state *core, enum trip_state state, uint64_t now_ns)
{
    struct core_head *const head = &core->head;
    if (state == TRIP_STATE_OPEN && core->outage_ns == CORE_NEVER)
        core->outage_ns = now_ns;
    if (state != TRIP_STATE_CLOSED || core->outage_ns == CORE_NEVER)
        return;
    head->last_recover_ns = time_until(now_ns, core->outage_ns);
    head->totals.recover_ns += head->last_recover_ns;
    head->totals.recovered++;
    core->outage_ns = CORE_NEVER;
}

void core_count_stay(struct core_state *core, uint64_t now_ns)
{
    core->head.totals = totals_now(&core->head, now_ns);
    core->head.state_since_ns = now_ns;
}

static void enter(struct core_state *core, enum trip_state state, uint64_t now_ns)
{
    core_count_stay(core, now_ns);
    core->head.state = state;
    note_outage(core, state, now_ns);
}

/* When the first of the calls came that led to this opening. 0: no calls did, or it is not known when. */
static uint64_t led_to_since(const struct core_state *core, trip_reason condition, uint64_t now_ns)
{
    if (core->head.state != TRIP_STATE_CLOSED && core->head.state != TRIP_STATE_RAMPING)
        return 0;
    switch (condition) {
    case TRIP_REASON_CONSECUTIVE:
        return core->streak_ns == CORE_NEVER ? 0 : core->streak_ns;
    case TRIP_REASON_FAILURES:
    case TRIP_REASON_FAILURE_RATE:
    case TRIP_REASON_SLOW_RATE:
        return window_trouble_since(&core->window, now_ns);
    default:
        return 0;
    }
}

static void note_detection(struct core_state *core, trip_reason condition, uint64_t now_ns)
{
    struct core_head *const head = &core->head;
    const uint64_t since_ns = led_to_since(core, condition, now_ns);
    if (!since_ns)
        return;
    head->last_detect_ns = time_until(now_ns, since_ns);
    head->totals.detect_ns += head->last_detect_ns;
    head->totals.detected++;
}

void core_ramp_ended(struct core_state *core, uint64_t now_ns)
{
    end_ramp(core);
    enter(core, TRIP_STATE_CLOSED, now_ns);
}

void core_opened(struct core_state *core, uint64_t now_ns, uint64_t unjittered_ns, trip_reason reason,
                 trip_reason condition)
{
    note_detection(core, condition != TRIP_REASON_NONE ? condition : reason, now_ns);
    end_opening(core, now_ns);
    end_ramp(core);
    core->last_open_ns = unjittered_ns;
    core->opened_ns = now_ns;
    core->streak_ns = CORE_NEVER;
    core->head.totals.opens++;
    core->head.totals.trips[reason]++;
    enter(core, TRIP_STATE_OPEN, now_ns);
}

void core_half_opened(struct core_state *core, uint64_t now_ns)
{
    end_opening(core, now_ns);
    forget_probes(core);
    enter(core, TRIP_STATE_HALF_OPEN, now_ns);
}

void core_closed(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns)
{
    end_opening(core, now_ns);
    forget_probes(core);
    empty_window(core);
    end_ramp(core);
    core->streak_ns = CORE_NEVER;
    enter(core, has_ramp(settings) ? TRIP_STATE_RAMPING : TRIP_STATE_CLOSED, now_ns);
    if (!has_ramp(settings))
        return;
    core->ramp_start_ns = now_ns;
    core->ramp_end_ns = now_ns + settings->ramp.over;
}

void core_reset(struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns)
{
    end_opening(core, now_ns);
    forget_probes(core);
    end_ramp(core);
    core->last_open_ns = core->last_end_ns = 0;
    core->streak_ns = CORE_NEVER;
    enter(core, TRIP_STATE_CLOSED, now_ns);
    core_reconfigure(core, settings);
    empty_window(core);
}

/* -------------------------------------------------------------------------------------------------------- the ramp */

uint32_t core_ramp_permille(const struct core_state *core, const struct breaker_settings *settings, uint64_t now_ns,
                            uint64_t *ret_next_ns)
{
    const uint64_t over_ns = core->ramp_end_ns - core->ramp_start_ns, steps = settings->ramp.step_count;

    *ret_next_ns = core->ramp_end_ns;
    if (now_ns >= core->ramp_end_ns || steps == 0)
        return PERMILLE;
    const uint64_t passed_ns = now_ns > core->ramp_start_ns ? now_ns - core->ramp_start_ns : 0;
    const uint64_t step = passed_ns * steps / over_ns;
    *ret_next_ns = core->ramp_start_ns + ((step + 1) * over_ns + steps - 1) / steps;
    return settings->ramp.steps[step];
}

/* ------------------------------------------------------------------------------------------------- for who reads it */

static int32_t rate_permille(const struct core_head *head, uint64_t part)
{
    if (head->window_calls == 0 || head->window_calls < head->minimum_calls)
        return -1;
    return part < head->window_calls ? (int32_t)(part * PERMILLE / head->window_calls) : (int32_t)PERMILLE;
}

int32_t core_failure_rate_permille(const struct core_head *head)
{
    return rate_permille(head, head->window_failures);
}

int32_t core_slow_rate_permille(const struct core_head *head)
{
    return rate_permille(head, head->window_slow);
}

uint32_t core_calls_until_rate(const struct core_head *head)
{
    const uint64_t missing = head->window_calls < head->minimum_calls ? head->minimum_calls - head->window_calls : 0;
    return (uint32_t)at_most(missing, UINT32_MAX);
}
