#include "simulation.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/breaker.h"
#include "internal/numbers.h"
#include "protocol/report.h"
#include "simulation_limits.h"

#define NEVER              UINT64_MAX
#define TIME_MAX_NS        (2 * TRACE_T_MS_MAX * TRIP_MS) /* what a state word can say; no retry goes beyond */
#define NAME(suffix, name) name,

struct sim_breaker {
    char name[TRIP_NAME_MAX + 1]; /* first: what tsearch compares */
    uint32_t index;
    const struct breaker_settings *settings;
    struct core_state core;
    struct policy_slot policy;
    struct detail_slot detail;
    struct sim_limits limits;
    uint64_t word;
    uint64_t next_open_ns;   /* unjittered: of policy.next_open_ms */
    bool grown;              /* next_open_ns: longer than the first, until that is forgotten */
    uint32_t probes_out;     /* permits of this epoch that are taken and whose lease runs */
    uint32_t probes_running; /* of any epoch: together no more than there are permits */
    uint64_t timer_ns;       /* when its timer comes; NEVER: none. Timers of other times are ignored */
};

struct sim_outcome {
    trip_outcome outcome;
    trip_error_type error;
    uint64_t latency_ns;
    uint64_t retry_after_ns;
};

/* Admitted and not yet ended, or a retry that waits for its time. Its place is reused; `serial` tells events of a call
 * that is gone. Calls that begin and end together are one, where nothing tells them apart meanwhile. */
struct sim_call {
    struct sim_breaker *breaker; /* NULL: free */
    uint64_t count;
    uint32_t epoch;
    uint32_t serial;
    bool probe;    /* holds a permit whose lease runs */
    bool ticketed; /* holds what limits give back */
    bool stalled;
    struct sim_outcome end; /* of op call: known beforehand */
    struct sim_asking asking;
    uint64_t begin_ns;
    uint32_t next_free;
};
#define NO_CALL UINT32_MAX

/* An id of op begin that was not ended yet. */
struct sim_id {
    char id[TRACE_ID_MAX + 1]; /* first: what tsearch compares */
    uint32_t call;             /* NO_CALL: it was denied, its end is ignored */
};

/* In this order at the same time. */
enum event_kind { EVENT_TIMER, EVENT_SAMPLE, EVENT_LEASE, EVENT_STALL, EVENT_OUTCOME, EVENT_RETRY };

struct event {
    uint64_t at_ns, order; /* kind, then sequence */
    uint32_t index;        /* of the breaker or the call */
    uint32_t serial;       /* of the call */
};

struct simulation {
    struct simulation_options options;
    uint64_t now_ns, random, sequence;
    struct sim_breaker **breakers;
    uint32_t breaker_count;
    void *by_name; /* tsearch: struct sim_breaker, by its name */
    void *by_id;   /* tsearch: struct sim_id */
    struct sim_call *calls;
    uint32_t call_room, first_free;
    struct event *events;                         /* a heap */
    size_t event_count, event_room, outcomes_due; /* retries, too */
    bool out_of_memory;
};

static uint64_t now_ms(const struct simulation *simulation)
{
    return simulation->now_ns / TRIP_MS;
}

static uint64_t ms_up(uint64_t ns)
{
    return ns / TRIP_MS + (ns % TRIP_MS != 0);
}

/* ---------------------------------------------------------------------------------------------------- what is due */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void schedule(struct simulation *simulation, uint64_t at_ns, enum event_kind kind, uint32_t index,
                     uint32_t serial)
{
    if (simulation->event_count == simulation->event_room) {
        const size_t room = simulation->event_room ? 2 * simulation->event_room : 256;
        struct event *events = realloc(simulation->events, room * sizeof(*events));
        if (!events) {
            simulation->out_of_memory = true;
            return;
        }
        simulation->events = events;
        simulation->event_room = room;
    }
    const struct event event = {at_ns, (uint64_t)kind << 60 | simulation->sequence++, index, serial};
    simulation->outcomes_due += kind >= EVENT_OUTCOME;
    size_t place = simulation->event_count++;
    for (; place > 0 && earlier(&event, &simulation->events[(place - 1) / 2]); place = (place - 1) / 2)
        simulation->events[place] = simulation->events[(place - 1) / 2];
    simulation->events[place] = event;
}

static struct event take_first(struct simulation *simulation)
{
    struct event *events = simulation->events;
    const struct event first = events[0], last = events[--simulation->event_count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= simulation->event_count)
            break;
        if (child + 1 < simulation->event_count && earlier(&events[child + 1], &events[child]))
            child++;
        if (!earlier(&events[child], &last))
            break;
        events[place] = events[child];
        place = child;
    }
    events[place] = last;
    return first;
}

static enum event_kind kind_of(const struct event *event)
{
    return (enum event_kind)(event->order >> 60);
}

/* ------------------------------------------------------------------------------------------------------- reporting */

static void report(const struct simulation *simulation, json_t *event)
{
    if (event)
        simulation->options.event(simulation->options.context, event);
    json_decref(event);
}

static void report_move(const struct simulation *simulation, const struct sim_breaker *breaker, uint64_t before,
                        trip_reason reason)
{
    static const char *const states[] = {TRIP_STATES(NAME)};
    static const char *const reasons[] = {TRIP_REASONS(NAME)};
    const bool relapse = reason == TRIP_REASON_RELAPSE;
    report(simulation,
           json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o*}", "t_ms", (json_int_t)now_ms(simulation), "breaker",
                     breaker->name, "event", "transition", "from", states[word_shown_state(before)], "to",
                     states[word_shown_state(breaker->word)], "reason", reasons[reason], "condition",
                     relapse ? json_string(reasons[breaker->detail.condition]) : NULL));
}

/* attempt: only retries, from 2 on, say which they are. */
static void report_verdict(const struct simulation *simulation, const struct sim_breaker *breaker, trip_verdict verdict,
                           const char *id, uint32_t attempt)
{
    static const char *const verdicts[] = {TRIP_VERDICTS(NAME)};
    if (simulation->options.verdicts)
        report(simulation, json_pack("{s:I, s:s, s:s, s:s, s:s?, s:o*}", "t_ms", (json_int_t)now_ms(simulation),
                                     "breaker", breaker->name, "event", "verdict", "verdict", verdicts[verdict], "id",
                                     id, "attempt", attempt > 1 ? json_integer(attempt) : NULL));
}

/* ---------------------------------------------------------------------------------------------- the state moves on */

static trip_mode mode_now(const struct simulation *simulation, const struct sim_breaker *breaker,
                          uint64_t *ret_until_ms)
{
    return policy_mode_of(breaker->policy.modes, now_ms(simulation), ret_until_ms);
}

static bool moves(trip_mode mode)
{
    return mode == TRIP_MODE_AUTO || mode == TRIP_MODE_SHADOW;
}

/* The next time at which the breaker moves without a call: the end of a frozen mode, of the open time, of a ramp's
 * step, or of a sub-bucket whose leaving could raise a rate. */
static uint64_t due_ns(const struct simulation *simulation, const struct sim_breaker *breaker)
{
    uint64_t until_ms, step_ns;
    if (!moves(mode_now(simulation, breaker, &until_ms)))
        return until_ms ? until_ms * TRIP_MS : NEVER;
    switch (word_state(breaker->word)) {
    case WORD_OPEN:
        return word_deadline_ms(breaker->word) * TRIP_MS;
    case WORD_RAMPING:
        core_ramp_permille(&breaker->core, breaker->settings, simulation->now_ns, &step_ns);
        return step_ns;
    case WORD_CLOSED:
        if (breaker->core.window.type == WINDOW_TIME &&
            core_wants_tick(&breaker->core, breaker->settings, WORD_CLOSED, simulation->now_ns)) {
            const uint64_t bucket_ns = breaker->core.window.span_ns / WINDOW_BUCKETS;
            return (simulation->now_ns / bucket_ns + 1) * bucket_ns;
        }
        return NEVER;
    default:
        return NEVER;
    }
}

static void set_timer(struct simulation *simulation, struct sim_breaker *breaker)
{
    const uint64_t due = due_ns(simulation, breaker);
    const uint64_t at_ns = due > simulation->now_ns ? due : simulation->now_ns; /* a mode held it until now */
    if (at_ns == breaker->timer_ns)
        return;
    breaker->timer_ns = at_ns;
    if (at_ns != NEVER)
        schedule(simulation, at_ns, EVENT_TIMER, breaker->index, 0);
}

static void choose_next_open(struct simulation *simulation, struct sim_breaker *breaker)
{
    const uint64_t open_ns = core_next_open_ns(&breaker->core, breaker->settings, simulation->now_ns,
                                               random_next(&simulation->random), &breaker->next_open_ns);
    breaker->policy.next_open_ms = ms_up(open_ns);
    breaker->grown = simulation->now_ns < core_growth_until_ns(&breaker->core, breaker->settings);
}

/* Once, so that each draws one number of the jitter's. */
static void forget_growth(struct simulation *simulation, struct sim_breaker *breaker)
{
    if (breaker->grown && simulation->now_ns >= core_growth_until_ns(&breaker->core, breaker->settings))
        choose_next_open(simulation, breaker);
}

static void note_move(struct simulation *simulation, struct sim_breaker *breaker, uint64_t before, trip_reason reason)
{
    breaker->detail.since_ms = breaker->detail.since_unix_ms = now_ms(simulation);
    breaker->probes_out = 0;
    report_move(simulation, breaker, before, reason);
    set_timer(simulation, breaker);
}

/* for_ms 0: the next open time. */
static void open_now(struct simulation *simulation, struct sim_breaker *breaker, trip_reason reason,
                     trip_reason condition, uint64_t for_ms)
{
    const uint64_t before = breaker->word;
    forget_growth(simulation, breaker);
    const uint64_t open_ms = for_ms ? for_ms : breaker->policy.next_open_ms;
    breaker->word = word_open(word_epoch(before) + 1, ms_up(simulation->now_ns) + open_ms);
    core_opened(&breaker->core, simulation->now_ns, breaker->next_open_ns, reason);
    choose_next_open(simulation, breaker);
    breaker->detail.reason = (uint8_t)reason;
    breaker->detail.condition = (uint8_t)condition;
    note_move(simulation, breaker, before, reason);
}

static void open_by_streak(struct simulation *simulation, struct sim_breaker *breaker)
{
    if (word_state(breaker->word) == WORD_RAMPING)
        open_now(simulation, breaker, TRIP_REASON_RELAPSE, TRIP_REASON_CONSECUTIVE, 0);
    else
        open_now(simulation, breaker, TRIP_REASON_CONSECUTIVE, TRIP_REASON_NONE, 0);
}

/* When the lease of a permit ends that is taken now. */
static uint64_t lease_ends_ms(const struct simulation *simulation, const struct sim_breaker *breaker)
{
    return lease_end_ms(now_ms(simulation), half_open_max_wait_ms(breaker->policy.half_open));
}

static void half_open_now(struct simulation *simulation, struct sim_breaker *breaker)
{
    const uint64_t before = breaker->word;
    breaker->word = word_half_open(word_epoch(before) + 1, lease_ends_ms(simulation, breaker));
    core_half_opened(&breaker->core, simulation->now_ns);
    note_move(simulation, breaker, before, TRIP_REASON_NONE);
}

/* Closed, or ramping where the settings have a ramp. */
static void close_now(struct simulation *simulation, struct sim_breaker *breaker, enum word_state to)
{
    const uint64_t before = breaker->word;
    const uint32_t epoch = word_epoch(before) + 1;
    uint64_t step_ns;
    core_closed(&breaker->core, breaker->settings, simulation->now_ns);
    breaker->policy.ramp_end = policy_ramp_end(epoch, breaker->core.ramp_end_ns / TRIP_MS);
    breaker->word =
        to == WORD_RAMPING
            ? word_ramping(epoch, core_ramp_permille(&breaker->core, breaker->settings, simulation->now_ns, &step_ns),
                           0, 0)
            : word_closed(epoch, 0, 0);
    note_move(simulation, breaker, before, TRIP_REASON_NONE);
}

static void ramp_on(struct simulation *simulation, struct sim_breaker *breaker)
{
    const uint64_t before = breaker->word;
    uint64_t step_ns;
    const uint32_t permille = core_ramp_permille(&breaker->core, breaker->settings, simulation->now_ns, &step_ns);
    if (simulation->now_ns < breaker->core.ramp_end_ns) {
        breaker->word = word_with_permille(before, permille);
        set_timer(simulation, breaker);
        return;
    }
    core_ramp_ended(&breaker->core);
    breaker->word = word_after_ramp(before);
    note_move(simulation, breaker, before, TRIP_REASON_NONE);
}

/* What the core says after something was told. */
static void judge(struct simulation *simulation, struct sim_breaker *breaker)
{
    uint64_t until_ms;
    const uint64_t threshold = breaker->settings->trip.consecutive_failures;
    const bool streak = word_counts_streak(breaker->word) && threshold && word_streak(breaker->word) >= threshold;
    if (moves(mode_now(simulation, breaker, &until_ms)) && streak) {
        open_by_streak(simulation, breaker);
    } else if (moves(mode_now(simulation, breaker, &until_ms))) {
        const struct core_verdict verdict = core_judge(&breaker->core, breaker->settings, word_state(breaker->word),
                                                       breaker->core.head.in_flight, simulation->now_ns);
        if (verdict.move && verdict.to == WORD_OPEN)
            open_now(simulation, breaker, verdict.reason, verdict.condition, 0);
        else if (verdict.move)
            close_now(simulation, breaker, verdict.to);
    }
    set_timer(simulation, breaker);
}

static void timer_fired(struct simulation *simulation, struct sim_breaker *breaker)
{
    uint64_t until_ms;
    breaker->timer_ns = NEVER;
    if (!moves(mode_now(simulation, breaker, &until_ms)))
        set_timer(simulation, breaker);
    else if (word_state(breaker->word) == WORD_OPEN && now_ms(simulation) >= word_deadline_ms(breaker->word))
        half_open_now(simulation, breaker);
    else if (word_state(breaker->word) == WORD_RAMPING)
        ramp_on(simulation, breaker);
    else {
        core_show(&breaker->core, simulation->now_ns);
        judge(simulation, breaker);
    }
}

/* -------------------------------------------------------------------------------------------------------- evidence */

static void streak_grows(struct simulation *simulation, struct sim_breaker *breaker)
{
    uint64_t until_ms;
    bool opened;
    const trip_mode mode = mode_now(simulation, breaker, &until_ms);
    const uint64_t word = word_after_failure(
        breaker->word, policy_judge((uint32_t)breaker->settings->trip.consecutive_failures, mode, false, 0), 0,
        &opened);
    if (opened)
        open_by_streak(simulation, breaker);
    else
        breaker->word = word;
}

/* n calls ended (or one stalled) in the epoch of their admission. probe: they answer in half-open. */
static void count_evidence(struct simulation *simulation, struct sim_breaker *breaker, uint64_t n, bool failed,
                           bool slow, bool probe)
{
    if (word_counts_streak(breaker->word)) {
        core_calls(&breaker->core, breaker->settings, simulation->now_ns, n, failed, slow);
        if (failed)
            streak_grows(simulation, breaker);
        else
            breaker->word = word_after_success(breaker->word);
    } else if (word_state(breaker->word) == WORD_HALF_OPEN && probe) {
        core_probes(&breaker->core, n, failed, slow);
    } else {
        return;
    }
    judge(simulation, breaker);
}

/* How many equal outcomes, of n, may be counted at once: those of which no one would have moved the state before the
 * last. */
static uint64_t alike(const struct simulation *simulation, struct sim_breaker *breaker, uint64_t n, bool failed,
                      bool slow, bool probe)
{
    const enum word_state state = word_state(breaker->word);
    uint64_t until_ms;
    if (!word_counts_streak(breaker->word) && !(state == WORD_HALF_OPEN && probe))
        return n; /* counted in the totals alone */
    if (n == 1 || state == WORD_HALF_OPEN || failed || (slow && breaker->settings->trip.slow_rate))
        return 1;
    if (!moves(mode_now(simulation, breaker, &until_ms)))
        return n;
    core_advance(&breaker->core, simulation->now_ns);
    if (core_judge(&breaker->core, breaker->settings, state, breaker->core.head.in_flight, simulation->now_ns).move)
        return 1;
    const uint64_t until = core_calls_until_trip(&breaker->core, breaker->settings, simulation->now_ns,
                                                 simulation->now_ns, n, failed, slow);
    return until ? until : n;
}

static void note_error(const struct simulation *simulation, struct sim_breaker *breaker, trip_error_type type,
                       const char *message)
{
    breaker->detail.error_type = (uint8_t)type;
    breaker->detail.error_unix_ms = now_ms(simulation) ? now_ms(simulation) : 1; /* 0 is no error */
    snprintf(breaker->detail.error_message, sizeof(breaker->detail.error_message), "%s", message);
}

/* A sample follows, soon. */
static void measure(struct simulation *simulation, struct sim_breaker *breaker)
{
    const uint64_t at_ns = sim_limits_counted(&breaker->limits, simulation->now_ns);
    if (at_ns)
        schedule(simulation, at_ns, EVENT_SAMPLE, breaker->index, 0);
}

static void sample(struct simulation *simulation, struct sim_breaker *breaker)
{
    sim_limits_sample(&breaker->limits, simulation->now_ns);
    if (breaker->limits.adaptive.busy)
        measure(simulation, breaker);
}

/* Some of n equal outcomes at once: as many as the number that it returns. call NULL: without admission. */
static uint64_t end_some(struct simulation *simulation, struct sim_breaker *breaker, const struct sim_call *call,
                         const struct sim_outcome *what, uint64_t n)
{
    struct breaker_totals *totals = &breaker->core.head.totals;
    const uint64_t slow_after = breaker->settings->trip.slow_after;
    const bool failed = what->outcome == TRIP_FAILURE || what->outcome == TRIP_TIMEOUT;
    const bool slow = slow_after && what->latency_ns > slow_after && (failed || what->outcome == TRIP_OK);
    const bool probe = !call || call->probe, evidence = !call || !call->stalled;
    if (what->outcome == TRIP_IGNORED) {
        totals->ignored += n;
    } else if (what->outcome == TRIP_CANCELLED) {
        totals->cancelled += n;
    } else if (call && call->epoch != word_epoch(breaker->word)) {
        totals->late += n;
    } else {
        n = evidence ? alike(simulation, breaker, n, failed, slow, probe) : n;
        if (sim_limits_look_due(&breaker->limits, simulation->now_ns))
            sim_limits_look(&breaker->limits, simulation->now_ns);
        totals->calls += n;
        totals->ok += failed ? 0 : n;
        totals->failures += failed ? n : 0;
        totals->timeouts += what->outcome == TRIP_TIMEOUT ? n : 0;
        totals->slow += slow ? n : 0;
        breaker->detail.latency[latency_bucket(what->latency_ns)] += what->latency_ns ? n : 0;
        if (failed)
            note_error(simulation, breaker, what->error, "");
        if (evidence)
            count_evidence(simulation, breaker, n, failed, slow, probe);
        if (breaker->limits.measured)
            measure(simulation, breaker);
    }
    return n;
}

/* ----------------------------------------------------------------------------------------------------------- calls */

static struct sim_call *place_call(struct simulation *simulation, const struct sim_call *what)
{
    if (simulation->first_free == NO_CALL) {
        const uint32_t room = simulation->call_room ? 2 * simulation->call_room : 64;
        struct sim_call *calls = realloc(simulation->calls, room * sizeof(*calls));
        if (!calls) {
            simulation->out_of_memory = true;
            return NULL;
        }
        for (uint32_t i = simulation->call_room; i < room; i++)
            calls[i] = (struct sim_call){.next_free = i + 1 < room ? i + 1 : NO_CALL};
        simulation->first_free = simulation->call_room;
        simulation->calls = calls;
        simulation->call_room = room;
    }
    struct sim_call *call = &simulation->calls[simulation->first_free];
    const uint32_t serial = call->serial + 1;
    simulation->first_free = call->next_free;
    *call = *what;
    call->serial = serial;
    return call;
}

static void free_call(struct simulation *simulation, uint32_t index)
{
    simulation->calls[index].breaker = NULL;
    simulation->calls[index].next_free = simulation->first_free;
    simulation->first_free = index;
}

static bool admits(trip_verdict verdict)
{
    return verdict == TRIP_ALLOW || verdict == TRIP_PROBE;
}

/* No more than the verdict still needs, and no more running at once than there are permits. */
static uint32_t permits_free(const struct sim_breaker *breaker)
{
    const uint32_t wanted = core_probes_wanted(&breaker->core, breaker->settings), out = breaker->probes_out;
    const uint32_t permits = half_open_permits(breaker->policy.half_open), running = breaker->probes_running;
    const uint32_t missing = wanted > out ? wanted - out : 0, room = permits > running ? permits - running : 0;
    return missing < room ? missing : room;
}

static trip_verdict ask(struct simulation *simulation, const struct sim_breaker *breaker)
{
    switch (word_state(breaker->word)) {
    case WORD_OPEN:
        return TRIP_DENY_OPEN;
    case WORD_HALF_OPEN:
        return permits_free(breaker) ? TRIP_PROBE : TRIP_DENY_HALF_OPEN;
    case WORD_RAMPING:
        return random_next(&simulation->random) % 1000 < word_permille(breaker->word) ? TRIP_ALLOW : TRIP_DENY_RAMP;
    default:
        return TRIP_ALLOW;
    }
}

static trip_verdict admit(struct simulation *simulation, struct sim_breaker *breaker)
{
    uint64_t until_ms;
    trip_verdict verdict;
    switch (mode_now(simulation, breaker, &until_ms)) {
    case TRIP_MODE_FORCED_OPEN:
        verdict = TRIP_DENY_FORCED;
        break;
    case TRIP_MODE_DISABLED:
        verdict = TRIP_ALLOW;
        break;
    case TRIP_MODE_SHADOW:
        verdict = ask(simulation, breaker) == TRIP_PROBE ? TRIP_PROBE : TRIP_ALLOW;
        break;
    default:
        verdict = ask(simulation, breaker);
    }
    return verdict;
}

/* How a call was answered. */
struct sim_admission {
    const struct sim_asking *asking;
    trip_verdict verdict;
    bool limited; /* it took what limits demand */
};

/* Limits hold where the breaker may deny: not where its mode is to admit whatever comes. */
static struct sim_admission ask_all(struct simulation *simulation, struct sim_breaker *breaker,
                                    const struct sim_asking *asking)
{
    static const trip_verdict verdicts[LIMITED_COUNT] = {[LIMITED_CONCURRENCY] = TRIP_DENY_CONCURRENCY,
                                                         [LIMITED_RATE] = TRIP_DENY_RATE,
                                                         [LIMITED_SHED] = TRIP_DENY_SHED};
    struct sim_admission admission = {.asking = asking, .verdict = admit(simulation, breaker)};
    uint64_t until_ms;
    enum limited by;
    if (!(breaker->policy.limits & POLICY_LIMITS) || !admits(admission.verdict) ||
        mode_now(simulation, breaker, &until_ms) != TRIP_MODE_AUTO)
        return admission;
    admission.limited =
        sim_limits_take(&breaker->limits, asking->priority, simulation->now_ns, &simulation->random, &by);
    if (!admission.limited)
        admission.verdict = verdicts[by];
    return admission;
}

static void take_permit(struct simulation *simulation, struct sim_breaker *breaker)
{
    breaker->probes_out++;
    breaker->probes_running++;
    breaker->word = word_extended(breaker->word, lease_ends_ms(simulation, breaker));
}

static void return_permit(const struct sim_call *call)
{
    call->breaker->probes_running--;
    call->breaker->probes_out -= call->epoch == word_epoch(call->breaker->word);
}

static struct sim_call admitted(struct simulation *simulation, struct sim_breaker *breaker,
                                const struct sim_admission *admission, uint64_t count)
{
    const struct sim_call call = {.breaker = breaker,
                                  .count = count,
                                  .epoch = word_epoch(breaker->word),
                                  .probe = admission->verdict == TRIP_PROBE,
                                  .ticketed = admission->limited,
                                  .asking = *admission->asking,
                                  .begin_ns = simulation->now_ns};
    breaker->core.head.in_flight += count;
    if (call.probe)
        take_permit(simulation, breaker);
    if (breaker->limits.measured)
        measure(simulation, breaker);
    return call;
}

/* An admitted call begins: its permit's lease, its stall, its place among the calls in flight. */
static struct sim_call *begin_call(struct simulation *simulation, struct sim_breaker *breaker,
                                   const struct sim_admission *admission, uint64_t count)
{
    const uint64_t stall_after = breaker->settings->trip.stall_after;
    const struct sim_call begun = admitted(simulation, breaker, admission, count);
    struct sim_call *call = place_call(simulation, &begun);
    if (!call)
        return NULL;
    const uint32_t index = (uint32_t)(call - simulation->calls), serial = call->serial;
    if (call->probe)
        schedule(simulation, lease_ends_ms(simulation, breaker) * TRIP_MS, EVENT_LEASE, index, serial);
    if (stall_after)
        schedule(simulation, simulation->now_ns + stall_after + 1, EVENT_STALL, index, serial);
    if (breaker->settings->trip.in_flight)
        judge(simulation, breaker);
    return call;
}

/* No more in flight. */
static void leave(const struct sim_call *call)
{
    call->breaker->core.head.in_flight -= call->count;
    if (call->probe)
        return_permit(call);
    if (call->ticketed)
        sim_limits_give(&call->breaker->limits);
}

/* When the first lease of this breaker's probes ends; 0: none runs. */
static uint64_t permit_due_ms(const struct simulation *simulation, const struct sim_breaker *breaker)
{
    uint64_t first_ms = 0;
    for (uint32_t i = 0; i < simulation->call_room; i++) {
        const struct sim_call *const call = &simulation->calls[i];
        const uint64_t end_ms =
            lease_end_ms(call->begin_ns / TRIP_MS, half_open_max_wait_ms(breaker->policy.half_open));
        if (call->breaker == breaker && call->probe && (first_ms == 0 || end_ms < first_ms))
            first_ms = end_ms;
    }
    return first_ms;
}

/* Does the breaker end the retries? As libtrip decides. */
static bool ends_retries(struct simulation *simulation, struct sim_breaker *breaker, uint64_t delay_ns)
{
    switch (admit(simulation, breaker)) {
    case TRIP_DENY_OPEN:
    case TRIP_DENY_FORCED:
        return true;
    case TRIP_DENY_HALF_OPEN:
        return permit_due_ms(simulation, breaker) * TRIP_MS > simulation->now_ns + delay_ns;
    default:
        return false;
    }
}

/* A call failed whose caller retries: as trip_retry_next answers. */
static void retry_later(struct simulation *simulation, struct sim_breaker *breaker, const struct sim_outcome *what,
                        const struct sim_asking *asking)
{
    struct sim_call again = {.breaker = breaker, .end = *what, .asking = *asking};
    uint64_t delay_ns;
    if (!sim_retry_wanted(&breaker->limits, &again.asking, what->error, what->retry_after_ns, simulation->now_ns,
                          &simulation->random, &delay_ns) ||
        simulation->now_ns + delay_ns + what->latency_ns > TIME_MAX_NS || ends_retries(simulation, breaker, delay_ns) ||
        !sim_retry_pay(&breaker->limits, simulation->now_ns))
        return;
    const struct sim_call *call = place_call(simulation, &again);
    if (call)
        schedule(simulation, simulation->now_ns + delay_ns, EVENT_RETRY, (uint32_t)(call - simulation->calls),
                 call->serial);
}

static bool is_retried(const struct sim_asking *asking, const struct sim_outcome *what)
{
    return asking->retry && (what->outcome == TRIP_FAILURE || what->outcome == TRIP_TIMEOUT);
}

/* What an outcome brings about comes later: nothing is due between those that are told at once. */
static void finish_call(struct simulation *simulation, uint32_t index, const struct sim_outcome *what)
{
    const struct sim_call *call = &simulation->calls[index];
    struct sim_breaker *breaker = call->breaker;
    leave(call);
    for (uint64_t left = call->count; left > 0;)
        left -= end_some(simulation, breaker, call, what, left);
    free_call(simulation, index);
    if (is_retried(&call->asking, what))
        retry_later(simulation, breaker, what, &call->asking);
}

static void lease_ended(struct sim_call *call)
{
    if (call->probe)
        return_permit(call);
    call->probe = false; /* neutral: its answer is for nobody */
}

static void stalled(struct simulation *simulation, struct sim_call *call)
{
    struct sim_breaker *breaker = call->breaker;
    call->stalled = true;
    if (call->epoch != word_epoch(breaker->word) || !word_counts_streak(breaker->word))
        return;
    note_error(simulation, breaker, TRIP_ERROR_TIMEOUT, "stalled: in flight for longer than stall_after");
    count_evidence(simulation, breaker, 1, true, false, false);
}

static void count_denied(struct breaker_totals *totals, trip_verdict verdict, uint64_t n)
{
    switch (verdict) {
    case TRIP_DENY_CONCURRENCY:
        totals->limited[LIMITED_CONCURRENCY] += n;
        break;
    case TRIP_DENY_RATE:
        totals->limited[LIMITED_RATE] += n;
        break;
    case TRIP_DENY_SHED:
        totals->limited[LIMITED_SHED] += n;
        break;
    default:
        totals->denied += n;
    }
}

static void note_verdict(struct simulation *simulation, struct sim_breaker *breaker,
                         const struct sim_admission *admission, uint64_t n, const char *id)
{
    if (!admits(admission->verdict)) {
        count_denied(&breaker->core.head.totals, admission->verdict, n);
        if (breaker->limits.measured)
            measure(simulation, breaker);
    }
    report_verdict(simulation, breaker, admission->verdict, id, admission->asking->failed + 1);
}

/* Do the calls that follow at once get this verdict, too, as long as the state does not move? */
static bool verdict_stays(const struct simulation *simulation, const struct sim_breaker *breaker, trip_verdict verdict)
{
    return !simulation->options.verdicts && verdict != TRIP_PROBE && word_state(breaker->word) != WORD_RAMPING &&
           !breaker->settings->trip.in_flight && !breaker->policy.limits;
}

/* The outcome comes before the next call. */
static uint64_t call_at_once(struct simulation *simulation, struct sim_breaker *breaker,
                             const struct sim_admission *admission, const struct sim_outcome *what, uint64_t n)
{
    const struct sim_call call = admitted(simulation, breaker, admission, 1);
    if (breaker->settings->trip.in_flight)
        judge(simulation, breaker);
    leave(&call);
    n = end_some(simulation, breaker, &call, what, n);
    if (is_retried(&call.asking, what))
        retry_later(simulation, breaker, what, &call.asking);
    return n;
}

/* Each stalls by itself. */
static uint64_t call_for_long(struct simulation *simulation, struct sim_breaker *breaker,
                              const struct sim_admission *admission, const struct sim_outcome *what, uint64_t n)
{
    const uint64_t count = breaker->settings->trip.stall_after ? 1 : n;
    struct sim_call *call = begin_call(simulation, breaker, admission, count);
    if (!call)
        return n;
    call->end = *what;
    schedule(simulation, simulation->now_ns + what->latency_ns, EVENT_OUTCOME, (uint32_t)(call - simulation->calls),
             call->serial);
    return count;
}

/* Some of n equal calls at once: as many as the number that it returns. Each is retried by itself. */
static uint64_t call_some(struct simulation *simulation, struct sim_breaker *breaker, const struct sim_outcome *what,
                          const struct sim_asking *asking, uint64_t n)
{
    const struct sim_admission admission = ask_all(simulation, breaker, asking);
    n = verdict_stays(simulation, breaker, admission.verdict) && !is_retried(asking, what) ? n : 1;
    note_verdict(simulation, breaker, &admission, n, NULL);
    if (!admits(admission.verdict))
        return n;
    return what->latency_ns ? call_for_long(simulation, breaker, &admission, what, n)
                            : call_at_once(simulation, breaker, &admission, what, n);
}

static void retry_now(struct simulation *simulation, uint32_t index)
{
    const struct sim_call call = simulation->calls[index];
    free_call(simulation, index);
    call_some(simulation, call.breaker, &call.end, &call.asking, 1);
}

/* Carries out everything that is due until at_ns, and stands there. */
static void advance(struct simulation *simulation, uint64_t at_ns)
{
    while (simulation->event_count && simulation->events[0].at_ns <= at_ns) {
        const struct event event = take_first(simulation);
        const enum event_kind kind = kind_of(&event);
        simulation->now_ns = event.at_ns;
        simulation->outcomes_due -= kind >= EVENT_OUTCOME;
        if (kind == EVENT_TIMER) {
            if (simulation->breakers[event.index]->timer_ns == event.at_ns)
                timer_fired(simulation, simulation->breakers[event.index]);
            continue;
        }
        if (kind == EVENT_SAMPLE) {
            sample(simulation, simulation->breakers[event.index]);
            continue;
        }
        struct sim_call *call = &simulation->calls[event.index];
        if (!call->breaker || call->serial != event.serial)
            continue;
        if (kind == EVENT_LEASE)
            lease_ended(call);
        else if (kind == EVENT_STALL)
            stalled(simulation, call);
        else if (kind == EVENT_RETRY)
            retry_now(simulation, event.index);
        else
            finish_call(simulation, event.index, &call->end);
    }
    if (at_ns > simulation->now_ns)
        simulation->now_ns = at_ns;
}

/* -------------------------------------------------------------------------------------------------------- breakers */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b); /* both begin with their key */
}

static void show_policy(struct sim_breaker *breaker)
{
    const struct breaker_settings *settings = breaker->settings;
    struct policy_slot *policy = &breaker->policy;
    policy->judge[0] = policy_judge((uint32_t)settings->trip.consecutive_failures, TRIP_MODE_AUTO, false, 0);
    policy->slow_after_ns = settings->trip.slow_after;
    policy->half_open = policy_half_open((uint32_t)settings->half_open.permits, ms_up(settings->half_open.max_wait));
    if (settings->mode != TRIP_MODE_AUTO)
        policy->modes[MODE_OWNER_CONFIG] = policy_mode_word((trip_mode)settings->mode, 0);
}

static struct sim_breaker *make_breaker(struct simulation *simulation, const char *name)
{
    struct sim_breaker **room =
        realloc(simulation->breakers, (simulation->breaker_count + 1) * sizeof(*simulation->breakers));
    struct sim_breaker *breaker = calloc(1, sizeof(*breaker));
    if (room)
        simulation->breakers = room;
    if (!room || !breaker) {
        free(breaker);
        return NULL;
    }
    snprintf(breaker->name, sizeof(breaker->name), "%s", name);
    snprintf(breaker->detail.name, sizeof(breaker->detail.name), "%s", name);
    breaker->settings = config_settings_for(simulation->options.config, name);
    snprintf(breaker->detail.settings_match, sizeof(breaker->detail.settings_match), "%s", breaker->settings->match);
    breaker->index = simulation->breaker_count;
    breaker->timer_ns = NEVER;
    breaker->word = word_closed(1, 0, 0);
    core_init(&breaker->core, breaker->settings);
    show_policy(breaker);
    choose_next_open(simulation, breaker);
    breaker->limits = (struct sim_limits){.settings = breaker->settings,
                                          .core = &breaker->core.head,
                                          .detail = &breaker->detail,
                                          .policy = &breaker->policy};
    sim_limits_begin(&breaker->limits, simulation->now_ns);
    simulation->breakers[simulation->breaker_count++] = breaker;
    return breaker;
}

/* NULL: problem says why, or there is no memory. */
static struct sim_breaker *breaker_of(struct simulation *simulation, const char *name, char problem[256])
{
    struct sim_breaker **found = tfind(name, &simulation->by_name, by_text);
    if (found)
        return *found;
    if (simulation->breaker_count == simulation->options.config->limits.max_breakers) {
        snprintf(problem, 256, "more breakers than limits.max_breakers, %u: raise it in the configuration",
                 simulation->options.config->limits.max_breakers);
        return NULL;
    }
    struct sim_breaker *breaker = make_breaker(simulation, name);
    if (!breaker || !tsearch(breaker, &simulation->by_name, by_text))
        simulation->out_of_memory = true;
    return breaker;
}

/* ----------------------------------------------------------------------------------------------------------- steps */

/* NULL: no memory. */
static struct sim_id *new_id(struct simulation *simulation, const char id[TRACE_ID_MAX + 1])
{
    struct sim_id *made = calloc(1, sizeof(*made));
    if (made)
        memcpy(made->id, id, sizeof(made->id)); /* before the search: it is the key */
    if (made && tsearch(made, &simulation->by_id, by_text))
        return made;
    free(made);
    return NULL;
}

/* Who was denied may begin again, with an end in between or without. */
static int step_begin(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                      char problem[256])
{
    struct sim_id **found = tfind(step->id, &simulation->by_id, by_text);
    if (found && (*found)->call != NO_CALL) {
        snprintf(problem, 256, "id \"%.100s\" has begun before and not ended: end it, or take another id", step->id);
        return -EINVAL;
    }
    struct sim_id *id = found ? *found : new_id(simulation, step->id);
    if (!id)
        return -ENOMEM;
    const struct sim_asking asking = {.priority = step->priority};
    const struct sim_admission admission = ask_all(simulation, breaker, &asking);
    note_verdict(simulation, breaker, &admission, 1, step->id);
    const struct sim_call *call = admits(admission.verdict) ? begin_call(simulation, breaker, &admission, 1) : NULL;
    id->call = call ? (uint32_t)(call - simulation->calls) : NO_CALL;
    return 0;
}

static int step_end(struct simulation *simulation, const struct trace_step *step, char problem[256])
{
    struct sim_id **found = tfind(step->id, &simulation->by_id, by_text);
    if (!found) {
        snprintf(problem, 256, "id \"%.100s\" has not begun, or has ended before", step->id);
        return -EINVAL;
    }
    struct sim_id *id = *found;
    if (id->call != NO_CALL) {
        const uint64_t latency_ns = simulation->now_ns - simulation->calls[id->call].begin_ns;
        finish_call(simulation, id->call, &(struct sim_outcome){step->outcome, step->error, latency_ns, 0});
    }
    tdelete(id, &simulation->by_id, by_text);
    free(id);
    return 0;
}

static void step_mode(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step)
{
    uint64_t until_ms, *operators = &breaker->policy.modes[MODE_OWNER_OPERATOR];
    *operators = 0;
    if (step->mode != TRIP_MODE_AUTO || mode_now(simulation, breaker, &until_ms) != TRIP_MODE_AUTO)
        *operators = policy_mode_word(step->mode, step->span_ms ? step->t_ms + step->span_ms : 0);
    breaker->detail.modes[MODE_OWNER_OPERATOR].since_unix_ms = *operators ? step->t_ms : 0;
    judge(simulation, breaker);
}

static int step_trip(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                     char problem[256])
{
    uint64_t until_ms;
    if (!moves(mode_now(simulation, breaker, &until_ms))) {
        snprintf(problem, 256, "trip refused, as tripd does: the mode of %s keeps its state as it is", step->breaker);
        return SIMULATION_REFUSED;
    }
    open_now(simulation, breaker, TRIP_REASON_OPERATOR, TRIP_REASON_NONE, step->span_ms);
    return 0;
}

static void step_reset(struct simulation *simulation, struct sim_breaker *breaker)
{
    const uint64_t before = breaker->word;
    breaker->word = word_closed(word_epoch(before) + 1, 0, 0);
    core_reset(&breaker->core, breaker->settings, simulation->now_ns);
    choose_next_open(simulation, breaker);
    if (word_state(before) != WORD_CLOSED)
        note_move(simulation, breaker, before, TRIP_REASON_NONE);
}

static json_t *shown(struct simulation *simulation, struct sim_breaker *breaker)
{
    forget_growth(simulation, breaker);
    core_show(&breaker->core, simulation->now_ns);
    struct limits_shown limits;
    sim_limits_show(&breaker->limits, simulation->now_ns, &limits);
    breaker->policy.permits_free = permits_free(breaker);
    breaker->detail.permit_due_ms = permit_due_ms(simulation, breaker);
    json_t *show = report_show(&(struct report_breaker){.policy = &breaker->policy,
                                                        .detail = &breaker->detail,
                                                        .core = &breaker->core.head,
                                                        .word = breaker->word,
                                                        .now_ms = now_ms(simulation),
                                                        .limits = &limits});
    /* The keys of every event come first. */
    json_t *event =
        json_pack("{s:I, s:s, s:s}", "t_ms", (json_int_t)now_ms(simulation), "breaker", breaker->name, "event", "show");
    json_object_update(event, show);
    json_decref(show);
    return event;
}

/* Calls come together as long as they are alike; else one by one, as with limits: of these a line has a bounded number.
 */
static bool is_too_much(const struct trace_step *step, uint64_t pieces, char problem[256])
{
    if (pieces <= SIMULATION_PIECES_MAX)
        return false;
    snprintf(
        problem, 256,
        "\"n\" is %llu, but calls of %s are decided one by one here (limits, retries, --verdicts): a line may have %u",
        (unsigned long long)step->n, step->breaker, SIMULATION_PIECES_MAX);
    return true;
}

static int call_all(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                    const struct sim_outcome *what, char problem[256])
{
    const struct sim_asking asking = {
        .priority = step->priority, .retry = step->retry, .started_ns = simulation->now_ns};
    uint64_t pieces = 0;
    for (uint64_t left = step->n; left > 0 && !simulation->out_of_memory;) {
        if (is_too_much(step, ++pieces, problem))
            return -EINVAL;
        left -= call_some(simulation, breaker, what, &asking, left);
    }
    return 0;
}

static int record_all(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                      const struct sim_outcome *what, char problem[256])
{
    uint64_t pieces = 0;
    for (uint64_t left = step->n; left > 0;) {
        if (is_too_much(step, ++pieces, problem))
            return -EINVAL;
        left -= end_some(simulation, breaker, NULL, what, left);
    }
    return 0;
}

static int carry_out(struct simulation *simulation, const struct trace_step *step, char problem[256])
{
    const struct sim_outcome what = {step->outcome, step->error, step->latency_ns, step->retry_after_ms * TRIP_MS};
    if (step->op == TRACE_END)
        return step_end(simulation, step, problem);
    struct sim_breaker *breaker = breaker_of(simulation, step->breaker, problem);
    if (!breaker)
        return simulation->out_of_memory ? -ENOMEM : -EINVAL;
    switch (step->op) {
    case TRACE_CALL:
        return call_all(simulation, breaker, step, &what, problem);
    case TRACE_RECORD:
        return record_all(simulation, breaker, step, &what, problem);
    case TRACE_BEGIN:
        return step_begin(simulation, breaker, step, problem);
    case TRACE_MODE:
        step_mode(simulation, breaker, step);
        return 0;
    case TRACE_TRIP:
        return step_trip(simulation, breaker, step, problem);
    case TRACE_RESET:
        step_reset(simulation, breaker);
        return 0;
    default:
        report(simulation, shown(simulation, breaker));
        return 0;
    }
}

int simulation_step(struct simulation *simulation, const struct trace_step *step, char problem[256])
{
    if (step->t_ms < now_ms(simulation)) {
        snprintf(problem, 256, "\"t_ms\" is %llu after %llu: times never decrease", (unsigned long long)step->t_ms,
                 (unsigned long long)now_ms(simulation));
        return -EINVAL;
    }
    advance(simulation, step->t_ms * TRIP_MS);
    const int error = carry_out(simulation, step, problem);
    return error ? error : simulation->out_of_memory ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------------------------------------------ begin, end */

static void summarize(struct simulation *simulation, struct sim_breaker *breaker)
{
    json_t *show = shown(simulation, breaker);
    report(simulation,
           json_pack("{s:I, s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:O, s:I, s:I, s:O}", "t_ms",
                     (json_int_t)now_ms(simulation), "breaker", breaker->name, "event", "summary", "state",
                     json_object_get(show, "state"), "mode", json_object_get(show, "mode"), "totals",
                     json_object_get(show, "totals"), "open_ms", json_object_get(show, "open_ms"), "opens",
                     json_object_get(show, "opens"), "trips", json_object_get(show, "trips"), "retries",
                     (json_int_t)breaker->core.head.totals.retries, "retries_refused",
                     (json_int_t)breaker->limits.retries_refused, "limits", json_object_get(show, "limits")));
    json_decref(show);
}

void simulation_end(struct simulation *simulation)
{
    while (simulation->outcomes_due)
        advance(simulation, simulation->events[0].at_ns);
    for (uint32_t i = 0; i < simulation->breaker_count; i++)
        summarize(simulation, simulation->breakers[i]);
}

int simulation_new(const struct simulation_options *options, struct simulation **ret_simulation)
{
    struct simulation *simulation = calloc(1, sizeof(*simulation));
    if (!simulation)
        return -ENOMEM;
    simulation->options = *options;
    simulation->random = options->seed;
    simulation->first_free = NO_CALL;
    *ret_simulation = simulation;
    return 0;
}

static void keep(void *node)
{
    (void)node; /* owned by simulation->breakers */
}

struct simulation *simulation_free(struct simulation *simulation)
{
    if (!simulation)
        return NULL;
    tdestroy(simulation->by_id, free);
    tdestroy(simulation->by_name, keep);
    for (uint32_t i = 0; i < simulation->breaker_count; i++)
        free(simulation->breakers[i]);
    free(simulation->breakers);
    free(simulation->calls);
    free(simulation->events);
    free(simulation);
    return NULL;
}
