/* A replay: calls as a trace says, made by libtrip (caller.h) on the memory of tripd's own breakers (instance.h). What
 * is here is when who does what; what comes of it is theirs.
 *
 * The replay makes the first of many equal calls. As long as the others can only come to the same, caller_repeat adds
 * them to the lane's counters, which then stand as if each had been made.
 */
#include "simulation.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "chronicle_events.h"
#include "core/adaptive.h"
#include "instance.h"
#include "internal/enum_names.h"
#include "internal/numbers.h"
#include "protocol/report.h"
#include "protocol/report_errors.h"

#define NEVER       UINT64_MAX
#define TIME_MAX_NS (2 * TRACE_T_MS_MAX * TRIP_MS) /* what a state word can say; no retry goes beyond */

struct sim_breaker {
    char name[TRIP_NAME_MAX + 1]; /* first, for tsearch compares it */
    uint32_t slot;
    const struct breaker_settings *settings;
    trip_breaker *calls; /* the breaker as its callers see it */
    bool patient;        /* its counters may wait, as long as they cannot complete a condition */
    bool counted;        /* tripd knows of its meter */
    bool used;           /* used since the last heartbeat, and in the chain of used ones */
    struct sim_breaker *next_used;
    uint64_t looked_ns; /* when a heartbeat last looked at it */
};

/* How a call asks, and which attempt it is. */
struct sim_asking {
    trip_priority priority;
    bool retry;        /* after a failure, as the settings say */
    uint32_t attempt;  /* 1 for the first attempt */
    trip_retry so_far; /* the retry so far */
};

struct sim_outcome {
    struct caller_outcome call;
    uint64_t retry_after_ns;
};

/* A call that is admitted and not ended yet, or a retry that waits for its time. Its place is used again. Calls that
 * begin and end together are one, if nothing tells them apart meanwhile. */
struct sim_call {
    struct sim_breaker *breaker;
    trip_call call;
    uint64_t count;
    uint32_t epoch;
    struct sim_outcome end;    /* of op call: known beforehand */
    struct trace_texts *texts; /* those of `end` while it waits; NULL: it has none, or they are a line's */
    struct sim_asking asking;
    uint32_t next_free;
};
#define NO_CALL UINT32_MAX

/* An id of op begin that has not ended yet. */
struct sim_id {
    char id[TRACE_ID_MAX + 1]; /* first, for tsearch compares it */
    uint32_t call;             /* NO_CALL: the call was denied, and its end is ignored */
};

/* Events at the same time happen in this order. */
enum event_kind { EVENT_OUTCOME, EVENT_RETRY };

struct event {
    uint64_t at_ns, order; /* by kind, then by sequence */
    uint32_t call;
};

struct simulation {
    struct simulation_options options;
    struct instance instance;
    uint64_t sequence;
    struct sim_breaker **breakers;
    uint32_t breaker_count;
    struct sim_breaker *used; /* breakers used since the last heartbeat; a chain */
    bool beats;               /* a heartbeat comes: a breaker was used, or has moved */
    uint64_t heartbeat_ns;    /* time of the next heartbeat */
    uint64_t quiet_ns;        /* when an incident may have been quiet for long enough */
    json_t *untold;           /* events of incidents, until the chronicle's next look that is due by time */
    void *by_name;            /* tsearch: struct sim_breaker, by its name */
    void *by_id;              /* tsearch: struct sim_id */
    struct sim_call *calls;
    uint32_t call_room, first_free;
    struct event *events; /* a heap */
    size_t event_count, event_room;
    bool out_of_memory;
};

static uint64_t now_ns(const struct simulation *simulation)
{
    return instance_now_ns(&simulation->instance);
}

static uint64_t now_ms(const struct simulation *simulation)
{
    return now_ns(simulation) / TRIP_MS;
}

static uint64_t word_of(const struct simulation *simulation, const struct sim_breaker *breaker)
{
    return instance_word(&simulation->instance, breaker->slot);
}

static const struct core_state *core_of(const struct simulation *simulation, const struct sim_breaker *breaker)
{
    return segment_core(simulation->instance.segment, breaker->slot);
}

/* ---------------------------------------------------------------------------------------------------- what is due */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void schedule(struct simulation *simulation, uint64_t at_ns, enum event_kind kind, uint32_t call)
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
    const struct event event = {at_ns, (uint64_t)kind << 60 | simulation->sequence++, call};
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

/* Lets a heartbeat come at the next full second. */
static void beat_soon(struct simulation *simulation)
{
    if (!simulation->beats)
        simulation->heartbeat_ns = (now_ns(simulation) / HEARTBEAT_NS + 1) * HEARTBEAT_NS;
    simulation->beats = true;
}

/* A breakers_moved_fn. Modes are not reported, for the trace itself sets them. */
static void moved(void *context, const struct transition *transition)
{
    struct simulation *const simulation = context;
    beat_soon(simulation);
    if (transition->of == OF_STATE)
        report(simulation, json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "t_ms", (json_int_t)transition->at_ms, "breaker",
                                     transition->name, "event", "transition", "from", state_names[transition->from],
                                     "to", state_names[transition->to], "reason", reason_names[transition->reason]));
}

/* Reports a verdict; from the second attempt on it says that it is of a retry. */
static void report_verdict(const struct simulation *simulation, const struct sim_breaker *breaker, trip_verdict verdict,
                           const char *id, uint32_t attempt)
{
    if (simulation->options.verdicts)
        report(simulation, json_pack("{s:I, s:s, s:s, s:s, s:s?, s:o*}", "t_ms", (json_int_t)now_ms(simulation),
                                     "breaker", breaker->name, "event", "verdict", "verdict", verdict_names[verdict],
                                     "id", id, "attempt", attempt > 1 ? json_integer(attempt) : NULL));
}

/* ------------------------------------------------------------------------------- what errors and moves amount to */

static void incident_changed(void *context, const struct incident *incident)
{
    const struct simulation *const simulation = context;
    json_array_append_new(simulation->untold, chronicle_event(&simulation->instance, incident));
}

/* Reads what is new, and finds when an incident may end by itself. */
static void look_back(struct simulation *simulation)
{
    while (chronicle_look(simulation->instance.chronicle, now_ns(simulation)))
        ;
    simulation->quiet_ns = chronicle_quiet_ns(&simulation->instance, simulation->options.config->correlation.quiet);
}

/* Reads what may be overwritten soon. What comes of it is told later, so that the same is told at the same time whether
 * equal calls are counted at once or one by one. */
static void keep_up(struct simulation *simulation)
{
    if (chronicle_behind(simulation->instance.chronicle))
        look_back(simulation);
}

/* Reports the incidents that have begun or ended since this was done last. */
static void tell_incidents(struct simulation *simulation)
{
    size_t i;
    json_t *event;
    look_back(simulation);
    json_array_foreach(simulation->untold, i, event)
    {
        json_object_set_new(event, "t_ms", json_integer((json_int_t)now_ms(simulation)));
        report(simulation, json_incref(event));
    }
    json_array_clear(simulation->untold);
}

/* ---------------------------------------------------------------------------------------------- what tripd is told */

/* May the counters wait? tripd leaves counters for up to 250 ms where none of their calls can complete a condition;
 * here, none that could waits at all. */
static bool may_wait(const struct simulation *simulation, const struct sim_breaker *breaker)
{
    return breaker->patient && word_state(word_of(simulation, breaker)) == WORD_CLOSED &&
           !core_wants_tick(core_of(simulation, breaker), breaker->settings, WORD_CLOSED,
                            simulation->instance.clock.test_now_ns);
}

/* Looks at a breaker after its callers did something. */
static void look(struct simulation *simulation, struct sim_breaker *breaker)
{
    struct breakers *const breakers = simulation->instance.breakers;
    beat_soon(simulation);
    if (!breaker->used) {
        breaker->used = true;
        breaker->next_used = simulation->used;
        simulation->used = breaker;
    }
    if (!breaker->counted) { /* tripd looks for new meters when an event tells of one */
        breaker->counted = true;
        caller_rings(breaker->calls);
    }
    if (breakers_pending(breakers))
        breakers_rung(breakers);
    if (!may_wait(simulation, breaker))
        breakers_count(breakers, breaker->slot);
    keep_up(simulation);
}

static void heartbeat(struct simulation *simulation)
{
    simulation->beats = false;
    while (simulation->used) {
        struct sim_breaker *const breaker = simulation->used;
        simulation->used = breaker->next_used;
        breaker->used = false;
        breaker->looked_ns = now_ns(simulation);
        breakers_heartbeat(simulation->instance.breakers, breaker->slot);
    }
    tell_incidents(simulation);
}

/* Makes up for heartbeats that had nothing to do, before the breaker's callers do something. */
static void catch_up(struct simulation *simulation, struct sim_breaker *breaker)
{
    if (now_ns(simulation) - breaker->looked_ns < HEARTBEAT_NS)
        return;
    breaker->looked_ns = now_ns(simulation);
    breakers_heartbeat(simulation->instance.breakers, breaker->slot);
}

/* ----------------------------------------------------------------------------------------------------------- calls */

static uint32_t place_call(struct simulation *simulation, const struct sim_call *what)
{
    if (simulation->first_free == NO_CALL) {
        const uint32_t room = simulation->call_room ? 2 * simulation->call_room : 64;
        struct sim_call *calls = realloc(simulation->calls, room * sizeof(*calls));
        if (!calls) {
            simulation->out_of_memory = true;
            return NO_CALL;
        }
        for (uint32_t i = simulation->call_room; i < room; i++)
            calls[i] = (struct sim_call){.next_free = i + 1 < room ? i + 1 : NO_CALL};
        simulation->first_free = simulation->call_room;
        simulation->calls = calls;
        simulation->call_room = room;
    }
    const uint32_t place = simulation->first_free;
    simulation->first_free = simulation->calls[place].next_free;
    simulation->calls[place] = *what;
    return place;
}

static struct sim_call take_call(struct simulation *simulation, uint32_t place)
{
    const struct sim_call call = simulation->calls[place];
    simulation->calls[place].texts = NULL; /* they are the taker's */
    simulation->calls[place].next_free = simulation->first_free;
    simulation->first_free = place;
    return call;
}

/* Gives a call texts of its own, for those that it has are a line's or another call's. */
static void own_texts(struct simulation *simulation, struct sim_call *call)
{
    if (!call->end.call.texts)
        return;
    call->texts = malloc(sizeof(*call->texts));
    if (call->texts)
        *call->texts = *call->end.call.texts;
    else
        simulation->out_of_memory = true;
    call->end.call.texts = call->texts;
}

/* Keeps a call until it is due, with texts of its own. */
static void postpone(struct simulation *simulation, const struct sim_call *call, uint64_t at_ns, enum event_kind kind)
{
    const uint32_t place = place_call(simulation, call);
    if (place == NO_CALL)
        return;
    own_texts(simulation, &simulation->calls[place]);
    schedule(simulation, at_ns, kind, place);
}

static bool failed(const struct sim_outcome *what)
{
    return what->call.outcome == TRIP_FAILURE || what->call.outcome == TRIP_TIMEOUT;
}

static bool neutral(const struct sim_outcome *what)
{
    return what->call.outcome == TRIP_IGNORED || what->call.outcome == TRIP_CANCELLED;
}

/* Returns how many successes may be counted at once: none before the last may move the state. */
static uint64_t alike_successes(const struct simulation *simulation, const struct sim_breaker *breaker, uint64_t n)
{
    const uint64_t until = breakers_keeps_state(simulation->instance.breakers, breaker->slot)
                               ? 0
                               : core_calls_until_trip(core_of(simulation, breaker), breaker->settings,
                                                       now_ns(simulation), now_ns(simulation), n, CALL_OK);
    return until == 0 ? n : at_least(until - 1, 1);
}

/* Returns how many of n equal outcomes may be counted at once: errors with texts are told one by one. call NULL: they
 * had no admission. */
static uint64_t alike(struct simulation *simulation, const struct sim_breaker *breaker, const struct sim_call *call,
                      const struct sim_outcome *what, uint64_t n)
{
    const uint64_t slow_after = breaker->settings->trip.slow_after;
    const bool slow = slow_after && what->call.latency_ns > slow_after;
    if (n == 1 || neutral(what) ||
        (!failed(what) && !slow && word_calm(word_of(simulation, breaker)) && may_wait(simulation, breaker)))
        return n;
    breakers_count(simulation->instance.breakers, breaker->slot);
    const uint64_t word = word_of(simulation, breaker);
    if (call && call->epoch != word_epoch(word))
        return n;
    if (!word_counts_streak(word))
        return (word_state(word) == WORD_HALF_OPEN && !call) || (failed(what) && what->call.texts) ? 1 : n;
    /* An event tells of each failure and slow call, and tripd counts them when it comes. */
    return failed(what) || word_streak(word) || slow ? 1 : alike_successes(simulation, breaker, n);
}

static void repeat(struct simulation *simulation, struct sim_breaker *breaker, const struct caller_counted *since,
                   uint64_t n)
{
    if (n > 1) {
        caller_repeat(breaker->calls, since, n - 1);
        look(simulation, breaker);
    }
}

/* Ends some of n equal calls at once, and returns how many. */
static uint64_t end_some(struct simulation *simulation, struct sim_breaker *breaker, const struct sim_call *call,
                         const struct sim_outcome *what, uint64_t n)
{
    struct caller_counted since;
    n = alike(simulation, breaker, call, what, n);
    if (n > 1)
        caller_counted(breaker->calls, &since);
    if (call)
        caller_end(&call->call, &what->call);
    else
        caller_record(breaker->calls, &what->call);
    look(simulation, breaker);
    repeat(simulation, breaker, &since, n);
    return n;
}

static bool is_retried(const struct sim_asking *asking, const struct sim_outcome *what)
{
    return asking->retry && failed(what);
}

static void retry_later(struct simulation *simulation, struct sim_breaker *breaker, const struct sim_outcome *what,
                        const struct sim_asking *asking)
{
    struct sim_call again = {.breaker = breaker, .end = *what, .asking = *asking};
    uint64_t delay_ns;
    const trip_retry_answer answer =
        trip_retry_next(&again.asking.so_far, what->call.error, what->retry_after_ns, &delay_ns);
    if (answer != TRIP_RETRY_AGAIN || now_ns(simulation) + delay_ns + what->call.latency_ns > TIME_MAX_NS)
        return;
    again.asking.attempt++;
    look(simulation, breaker);
    postpone(simulation, &again, now_ns(simulation) + delay_ns, EVENT_RETRY);
}

/* Ends all of them. */
static void finish(struct simulation *simulation, const struct sim_call *call, const struct sim_outcome *what)
{
    for (uint64_t left = call->count; left > 0;)
        left -= end_some(simulation, call->breaker, call, what, left);
    if (is_retried(&call->asking, what))
        retry_later(simulation, call->breaker, what, &call->asking);
}

/* Asks whether the call may be made, and counts its attempt if it is retried. */
static trip_verdict ask(struct simulation *simulation, struct sim_call *call, const char *id)
{
    struct sim_breaker *const breaker = call->breaker;
    if (call->asking.retry && call->asking.attempt == 1)
        trip_retry_start(breaker->calls, &call->asking.so_far);
    const trip_verdict verdict = caller_begin(breaker->calls, &call->call, call->asking.priority);
    call->epoch = word_epoch(word_of(simulation, breaker));
    call->count = 1;
    /* Tripd finds such a call at a heartbeat at the latest; here it is found at once. */
    if (breaker->settings->trip.stall_after)
        caller_rings(breaker->calls);
    look(simulation, breaker);
    report_verdict(simulation, breaker, verdict, id, call->asking.attempt);
    return verdict;
}

/* Do further calls get this verdict, too, and hold nothing, as long as the state does not move? */
static bool all_are_answered_alike(const struct simulation *simulation, const struct sim_breaker *breaker,
                                   const struct sim_asking *asking, const struct sim_outcome *what)
{
    const enum word_state state = word_state(word_of(simulation, breaker));
    return !simulation->options.verdicts && !is_retried(asking, what) && state != WORD_RAMPING &&
           !breaker->settings->trip.in_flight && !breaker->settings->trip.stall_after &&
           !policy_limits_calls(&simulation->instance.segment->policies[breaker->slot]);
}

/* Makes calls that end before the next one begins. */
static uint64_t call_at_once(struct simulation *simulation, const struct sim_call *call,
                             const struct caller_counted *since, uint64_t n)
{
    n = alike(simulation, call->breaker, call, &call->end, n);
    finish(simulation, call, &call->end);
    repeat(simulation, call->breaker, since, n);
    return n;
}

/* Makes some of n equal calls at once, and returns how many. */
static uint64_t call_some(struct simulation *simulation, struct sim_breaker *breaker, const struct sim_outcome *what,
                          const struct sim_asking *asking, uint64_t n)
{
    struct sim_call call = {.breaker = breaker, .end = *what, .asking = *asking};
    struct caller_counted since;
    if (n > 1 && !all_are_answered_alike(simulation, breaker, asking, what))
        n = 1;
    if (n > 1)
        caller_counted(breaker->calls, &since);
    const trip_verdict verdict = ask(simulation, &call, NULL);
    const bool admitted = trip_admitted(verdict);
    n = admitted && caller_holds(&call.call) ? 1 : n;
    if (admitted && what->call.latency_ns == 0)
        return call_at_once(simulation, &call, &since, n);
    repeat(simulation, breaker, &since, n);
    call.count = n;
    if (admitted)
        postpone(simulation, &call, now_ns(simulation) + what->call.latency_ns, EVENT_OUTCOME);
    return n;
}

/* --------------------------------------------------------------------------------------------------- time goes on */

static void come_due(struct simulation *simulation)
{
    const struct event event = take_first(simulation);
    const struct sim_call call = take_call(simulation, event.call);
    catch_up(simulation, call.breaker);
    if (kind_of(&event) == EVENT_RETRY)
        call_some(simulation, call.breaker, &call.end, &call.asking, 1);
    else
        finish(simulation, &call, &call.end);
    free(call.texts);
}

/* Fires tripd's timers. A timer that is due at once again must not hold the time. False: the timer
 * is due again at until_ns, and would hold the time there. */
static bool tick(struct simulation *simulation, uint64_t until_ns)
{
    breakers_tick(simulation->instance.breakers);
    keep_up(simulation);
    if (breakers_due(simulation->instance.breakers) > now_ns(simulation))
        return true;
    if (now_ns(simulation) == until_ns)
        return false;
    instance_set_time(&simulation->instance, now_ns(simulation) + 1);
    return true;
}

/* Carries out everything that is due until at_ns, which is then the time. */
static void advance(struct simulation *simulation, uint64_t at_ns)
{
    for (;;) {
        const uint64_t beat_ns = simulation->beats ? simulation->heartbeat_ns : NEVER;
        const uint64_t due_ns = breakers_due(simulation->instance.breakers);
        const uint64_t event_ns = simulation->event_count ? simulation->events[0].at_ns : NEVER;
        const uint64_t next_ns = at_most(at_most(beat_ns, simulation->quiet_ns), at_most(due_ns, event_ns));
        if (next_ns > at_ns)
            break;
        instance_set_time(&simulation->instance, at_least(next_ns, now_ns(simulation)));
        if (beat_ns <= next_ns)
            heartbeat(simulation);
        else if (simulation->quiet_ns <= next_ns)
            tell_incidents(simulation);
        else if (due_ns > next_ns)
            come_due(simulation);
        else if (!tick(simulation, at_ns))
            break;
    }
    instance_set_time(&simulation->instance, at_ns);
}

/* -------------------------------------------------------------------------------------------------------- breakers */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b); /* both begin with their key */
}

static int resolve(struct simulation *simulation, struct sim_breaker *breaker, const char *name)
{
    struct instance *const instance = &simulation->instance;
    const int error = breakers_resolve(instance->breakers, 0, name, &breaker->slot);
    return error < 0 ? error : caller_breaker(instance->caller, name, &breaker->calls);
}

static struct sim_breaker *make_breaker(struct simulation *simulation, const char *name)
{
    struct sim_breaker **room =
        realloc(simulation->breakers, (simulation->breaker_count + 1) * sizeof(*simulation->breakers));
    struct sim_breaker *breaker = calloc(1, sizeof(*breaker));
    if (room)
        simulation->breakers = room;
    if (!room || !breaker || resolve(simulation, breaker, name) < 0) {
        free(breaker);
        return NULL;
    }
    const struct breaker_settings *const settings = config_settings_for(simulation->options.config, name);
    snprintf(breaker->name, sizeof(breaker->name), "%s", name);
    breaker->settings = settings;
    breaker->patient =
        settings->window.type == WINDOW_COUNT && !settings->trip.in_flight && !adaptive_measures(settings);
    breaker->looked_ns = now_ns(simulation);
    simulation->breakers[simulation->breaker_count++] = breaker;
    return breaker;
}

/* Finds or makes a breaker. NULL: `problem` says why, or there is no memory. */
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

/* Makes an id. NULL: no memory. */
static struct sim_id *new_id(struct simulation *simulation, const char id[TRACE_ID_MAX + 1])
{
    struct sim_id *made = calloc(1, sizeof(*made));
    if (made)
        memcpy(made->id, id, sizeof(made->id)); /* before the search, for it is the key */
    if (made && tsearch(made, &simulation->by_id, by_text))
        return made;
    free(made);
    return NULL;
}

/* Begins a call under an id. The id of a denied call may begin again, whether it ended or not. */
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
    struct sim_call call = {.breaker = breaker, .asking = {.priority = step->priority, .attempt = 1}};
    id->call = trip_admitted(ask(simulation, &call, step->id)) ? place_call(simulation, &call) : NO_CALL;
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
        const struct sim_call call = take_call(simulation, id->call);
        catch_up(simulation, call.breaker);
        finish(simulation, &call,
               &(struct sim_outcome){.call = {step->outcome, step->error, 0, trace_step_texts(step)}});
    }
    tdelete(id, &simulation->by_id, by_text);
    free(id);
    return 0;
}

static const struct breakers_actor by_trace = {.by = BY_OPERATOR};

static void step_mode(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step)
{
    breakers_mode(simulation->instance.breakers, breaker->slot, MODE_OWNER_OPERATOR, step->mode, step->span_ms,
                  &by_trace);
}

static int step_trip(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                     char problem[256])
{
    if (breakers_trip(simulation->instance.breakers, breaker->slot, step->span_ms, &by_trace) != -EBUSY)
        return 0;
    snprintf(problem, 256, "trip refused, as tripd does: the mode of %s keeps its state as it is", step->breaker);
    return SIMULATION_REFUSED;
}

static json_t *shown(struct simulation *simulation, struct sim_breaker *breaker)
{
    const struct segment *const segment = simulation->instance.segment;
    uint64_t latency[LATENCY_BUCKETS];
    breakers_heartbeat(simulation->instance.breakers, breaker->slot);
    segment_latency_read(segment, breaker->slot, latency);
    json_t *show = report_show(&(struct report_breaker){.policy = &segment->policies[breaker->slot],
                                                        .detail = &segment->details[breaker->slot],
                                                        .core = &core_of(simulation, breaker)->head,
                                                        .word = word_of(simulation, breaker),
                                                        .now_ms = now_ms(simulation),
                                                        .limits = &segment->limits[breaker->slot],
                                                        .latency = latency});
    /* The keys that every event has come first. */
    json_t *event =
        json_pack("{s:I, s:s, s:s}", "t_ms", (json_int_t)now_ms(simulation), "breaker", breaker->name, "event", "show");
    json_object_update(event, show);
    json_decref(show);
    return event;
}

static json_t *analyses(struct simulation *simulation)
{
    const struct segment *const segment = simulation->instance.segment;
    const struct report_correlation correlation = {
        .rows = segment->error_rows, .shown = segment->correlation, .now_ns = simulation->instance.clock.test_now_ns};
    for (uint32_t i = 0; i < simulation->breaker_count; i++)
        breakers_heartbeat(simulation->instance.breakers, simulation->breakers[i]->slot);
    json_t *event = json_pack("{s:I, s:s}", "t_ms", (json_int_t)now_ms(simulation), "event", "analysis");
    json_t *found = report_analyses(&correlation);
    for (uint32_t i = 0; i < simulation->breaker_count; i++)
        report_analyses_add(found, &correlation, simulation->breakers[i]->name, NULL, true);
    json_object_update(event, found);
    json_decref(found);
    return event;
}

/* Refuses too many calls for one line. Equal calls are made together as long as they are alike; calls with limits, and
 * errors with texts, are made one by one, and a line may have a bounded number of those. */
static bool is_too_much(const struct trace_step *step, uint64_t pieces, char problem[256])
{
    if (pieces <= SIMULATION_PIECES_MAX)
        return false;
    snprintf(problem, 256, "\"n\" is %llu, but %s of %.100s are decided one by one here (%s): a line may have %u",
             (unsigned long long)step->n, step->op == TRACE_ERROR ? "errors" : "calls", step->breaker,
             step->has_texts ? "texts, limits, retries, --verdicts" : "limits, retries, --verdicts",
             SIMULATION_PIECES_MAX);
    return true;
}

static int call_all(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                    const struct sim_outcome *what, char problem[256])
{
    const struct sim_asking asking = {.priority = step->priority, .retry = step->retry, .attempt = 1};
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

/* Tells errors of no call. No event tells of these: they are counted here, before their texts are overwritten. */
static int step_error(struct simulation *simulation, struct sim_breaker *breaker, const struct trace_step *step,
                      char problem[256])
{
    const struct trace_texts *const texts = trace_step_texts(step);
    const uint64_t pieces = texts ? step->n : 1;
    if (is_too_much(step, pieces, problem))
        return -EINVAL;
    beat_soon(simulation);
    for (uint64_t i = 0; i < pieces; i++) {
        caller_errors(breaker->calls, step->error, texts, step->n / pieces);
        caller_rings(breaker->calls);
        breakers_rung(simulation->instance.breakers);
        breakers_count(simulation->instance.breakers, breaker->slot);
        keep_up(simulation);
    }
    return 0;
}

static int carry_out(struct simulation *simulation, const struct trace_step *step, char problem[256])
{
    const struct sim_outcome what = {.call = {step->outcome, step->error, step->latency_ns, trace_step_texts(step)},
                                     .retry_after_ns = step->retry_after_ms * TRIP_MS};
    if (step->op == TRACE_END)
        return step_end(simulation, step, problem);
    if (step->op == TRACE_ANALYZE) {
        report(simulation, analyses(simulation));
        return 0;
    }
    struct sim_breaker *breaker = breaker_of(simulation, step->breaker, problem);
    if (!breaker)
        return simulation->out_of_memory ? -ENOMEM : -EINVAL;
    catch_up(simulation, breaker);
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
        breakers_reset(simulation->instance.breakers, breaker->slot, &by_trace);
        return 0;
    case TRACE_ERROR:
        return step_error(simulation, breaker, step, problem);
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
    keep_up(simulation);
    return error ? error : simulation->out_of_memory ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------------------------------------------ begin, end */

static void summarize(struct simulation *simulation, struct sim_breaker *breaker)
{
    json_t *show = shown(simulation, breaker);
    report(simulation, json_pack("{s:I, s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:O, s:I, s:I, s:O}", "t_ms",
                                 (json_int_t)now_ms(simulation), "breaker", breaker->name, "event", "summary", "state",
                                 json_object_get(show, "state"), "mode", json_object_get(show, "mode"), "totals",
                                 json_object_get(show, "totals"), "open_ms", json_object_get(show, "open_ms"), "opens",
                                 json_object_get(show, "opens"), "trips", json_object_get(show, "trips"), "retries",
                                 (json_int_t)core_of(simulation, breaker)->head.totals.retries, "retries_refused",
                                 (json_int_t)core_of(simulation, breaker)->head.totals.retries_refused, "limits",
                                 json_object_get(show, "limits")));
    json_decref(show);
}

void simulation_end(struct simulation *simulation)
{
    size_t place;
    json_t *event;
    while (simulation->event_count)
        advance(simulation, simulation->events[0].at_ns);
    heartbeat(simulation); /* the last errors, too, have their part in what is said below */
    if (simulation->instance.segment->correlation->next > 0) /* there were errors */
        report(simulation, analyses(simulation));
    for (uint32_t i = 0; i < simulation->breaker_count; i++)
        summarize(simulation, simulation->breakers[i]);
    json_t *const summaries = chronicle_summaries(&simulation->instance);
    json_array_foreach(summaries, place, event) report(simulation, json_incref(event));
    json_decref(summaries);
}

int simulation_new(const struct simulation_options *options, struct simulation **ret_simulation)
{
    struct simulation *simulation = calloc(1, sizeof(*simulation));
    if (!simulation)
        return -ENOMEM;
    simulation->options = *options;
    simulation->first_free = NO_CALL;
    simulation->quiet_ns = NEVER;
    simulation->untold = json_array();
    const int error = instance_begin(&simulation->instance, &(struct instance_options){.config = options->config,
                                                                                       .seed = options->seed,
                                                                                       .moved = moved,
                                                                                       .incident = incident_changed,
                                                                                       .context = simulation});
    if (error < 0) {
        simulation_free(simulation);
        return error;
    }
    *ret_simulation = simulation;
    return 0;
}

static void keep(void *node)
{
    (void)node; /* simulation->breakers owns it */
}

struct simulation *simulation_free(struct simulation *simulation)
{
    if (!simulation)
        return NULL;
    instance_end(&simulation->instance);
    tdestroy(simulation->by_id, free);
    tdestroy(simulation->by_name, keep);
    for (uint32_t i = 0; i < simulation->breaker_count; i++)
        free(simulation->breakers[i]);
    for (uint32_t i = 0; i < simulation->call_room; i++)
        free(simulation->calls[i].texts);
    free(simulation->breakers);
    json_decref(simulation->untold);
    free(simulation->calls);
    free(simulation->events);
    free(simulation);
    return NULL;
}
