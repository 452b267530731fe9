#include "lanes/drain.h"

#include <string.h>

#include "internal/state_word.h"

/* How long an outcome that is counted but not told yet may hold back the successes after it. */
#define DEFER_NS UINT64_C(100000000)

/* -------------------------------------------------------------------------------------------- what one meter brings */

static uint64_t of_epoch(uint64_t evidence, uint32_t epoch)
{
    return evidence_epoch(evidence) == epoch ? evidence_count(evidence) : 0;
}

/* Has the meter gone on to a later epoch? What is marked is done with, whatever its epoch: it may be a full turn of the
 * epochs old. */
static bool gone_on(uint64_t evidence, uint64_t marked, uint32_t epoch)
{
    return evidence != marked && evidence_ahead(evidence, epoch);
}

/* As far as evidence of this epoch may be counted. A meter that has gone on holds only in its events how far it came.
 */
static uint64_t counter_of(uint64_t evidence, uint64_t marked, uint32_t epoch)
{
    const uint64_t count = of_epoch(evidence, epoch), counted = of_epoch(marked, epoch);
    if (gone_on(evidence, marked, epoch))
        return EVIDENCE_COUNT_MASK;
    return count > counted ? count : counted;
}

static bool any_gone_on(const struct counters *counters, const struct meter_marks *marks, uint32_t epoch)
{
    return gone_on(counters->ok, marks->ok, epoch) || gone_on(counters->failures, marks->failures, epoch) ||
           gone_on(counters->slow, marks->slow, epoch);
}

/* Do the counters hold no failure and no slow call that has not been told? */
static bool all_told(const struct source *source, const struct told_batch *batch, const struct meter_cursor *meter)
{
    struct evidence_counts last = source->counted;
    const struct told *const told = meter->told_last ? &batch->events[meter->told_last - 1] : NULL;
    if (told && evidence_epoch(told->ok) == source->epoch)
        last = source_counts_at(source, told);
    return last.failures == source->counters.failures && last.slow == source->counters.slow;
}

/* May the successes after the last event be counted now? Not while an outcome is between its counter and its event:
 * it came before some of them. */
static bool takes_rest(const struct drain *drain, const struct drain_turn *turn, const struct drain_input *input,
                       const struct source *source)
{
    struct meter_cursor *const meter = input->meter;
    const uint32_t section = meter_cursor_section(meter);
    const struct section_cursor *const ring = meter_cursor_ring(meter);
    if (any_gone_on(&input->counters, &meter->marks, source->epoch))
        return false;
    const uint32_t lane = meter->lane->number;
    if (turn->over || turn->leaving[lane / 64] >> lane % 64 & 1)
        return true;
    if (!ring->more &&
        (section == 0 || ring->dropped || (input->counters.steady && all_told(source, &drain->batch, meter)))) {
        meter->deferred_ticks = TICKS_UNKNOWN;
        return true;
    }
    if (meter->deferred_ticks == TICKS_UNKNOWN)
        meter->deferred_ticks = turn->now_ticks;
    return ticks_between(meter->deferred_ticks, turn->now_ticks) >= DEFER_NS;
}

static struct source source_of(const struct drain *drain, const struct drain_turn *turn,
                               const struct drain_input *input)
{
    const struct counters *const counters = &input->counters;
    const struct meter_cursor *const meter = input->meter;
    const uint32_t epoch = word_epoch(turn->word);
    struct source source = {
        .batch = drain->batch.events,
        .next = meter->told_first,
        .epoch = epoch,
        .counted = {of_epoch(meter->marks.ok, epoch), of_epoch(meter->marks.failures, epoch),
                    of_epoch(meter->marks.slow, epoch)},
        .ticks = meter->marked_ticks,
        .until_ticks = turn->now_ticks,
    };
    source.counters = (struct evidence_counts){counter_of(counters->ok, meter->marks.ok, epoch),
                                               counter_of(counters->failures, meter->marks.failures, epoch),
                                               counter_of(counters->slow, meter->marks.slow, epoch)};
    if (source.ticks == TICKS_UNKNOWN) /* all that is new came just before the first event */
        source.ticks = source.next ? drain->batch.events[source.next - 1].ticks : turn->now_ticks;
    if (source.ticks > turn->now_ticks)
        source.ticks = turn->now_ticks;
    source.rest = takes_rest(drain, turn, input, &source);
    return source;
}

static uint64_t evidence_mark(uint64_t marked, uint64_t counter, uint32_t epoch, uint64_t counted)
{
    if (counter != 0 && evidence_epoch(counter) == epoch)
        return evidence_make(epoch, counted);
    /* A later epoch's is for a later turn; an earlier one's is for none, and done with. */
    return gone_on(counter, marked, epoch) ? marked : counter;
}

static struct meter_marks marks_of(const struct drain_input *input, const struct source *source)
{
    const struct counters *const counters = &input->counters;
    struct meter_marks marks = input->meter->marks;
    marks.ok = evidence_mark(marks.ok, counters->ok, source->epoch, source->counted.ok);
    marks.failures = evidence_mark(marks.failures, counters->failures, source->epoch, source->counted.failures);
    marks.slow = evidence_mark(marks.slow, counters->slow, source->epoch, source->counted.slow);
    marks.total_ok = counters->total_ok;
    marks.total_failures = counters->total_failures;
    marks.total_timeouts = counters->total_timeouts;
    marks.total_slow = counters->total_slow;
    marks.ignored = counters->ignored;
    marks.cancelled = counters->cancelled;
    marks.late = counters->late;
    marks.retries = counters->retries;
    marks.retries_refused = (uint32_t)counters->retries_refused;
    memcpy(marks.denied, counters->denied, sizeof(marks.denied));
    memcpy(marks.errors, counters->errors, sizeof(marks.errors));
    return marks;
}

static bool differs(const struct counters *counters, const struct meter_marks *marks)
{
    return counters->ok != marks->ok || counters->total_ok != marks->total_ok ||
           counters->failures != marks->failures || counters->slow != marks->slow ||
           counters->total_failures != marks->total_failures || counters->total_timeouts != marks->total_timeouts ||
           counters->total_slow != marks->total_slow || counters->ignored != marks->ignored ||
           counters->cancelled != marks->cancelled || counters->late != marks->late ||
           counters->retries != marks->retries || (uint32_t)counters->retries_refused != marks->retries_refused ||
           memcmp(counters->denied, marks->denied, sizeof(marks->denied)) != 0 ||
           memcmp(counters->errors, marks->errors, sizeof(marks->errors)) != 0;
}

/* Of `whole` calls: a client may claim more of them than there were. */
static void add_part(uint64_t *part, uint64_t by, uint64_t whole)
{
    const uint64_t room = whole > *part ? whole - *part : 0;
    *part += by < room ? by : room;
}

static uint64_t asked(const struct breaker_totals *totals)
{
    uint64_t sum = totals->calls + totals->ignored + totals->cancelled + totals->late;
    for (unsigned denial = 0; denial < DENIALS; denial++)
        sum += totals->denied[denial];
    return sum;
}

static void add_totals(struct breaker_totals *totals, const struct counters *counters, const struct meter_marks *marks)
{
    const uint64_t ok = total_grown(counters->total_ok, marks->total_ok);
    const uint64_t failures = total_grown(counters->total_failures, marks->total_failures);
    totals->calls += ok + failures;
    totals->ok += ok;
    totals->failures += failures;
    add_part(&totals->timeouts, total_grown(counters->total_timeouts, marks->total_timeouts), totals->failures);
    add_part(&totals->slow, total_grown(counters->total_slow, marks->total_slow), totals->calls);
    totals->ignored += total_grown(counters->ignored, marks->ignored);
    totals->cancelled += total_grown(counters->cancelled, marks->cancelled);
    totals->late += total_grown(counters->late, marks->late);
    for (unsigned denial = 0; denial < DENIALS; denial++)
        totals->denied[denial] += total_grown(counters->denied[denial], marks->denied[denial]);
    add_part(&totals->retries, total_grown(counters->retries, marks->retries), asked(totals));
    totals->retries_refused += (uint32_t)counters->retries_refused - marks->retries_refused;
}

static uint64_t time_in_turn(const struct drain_turn *turn, uint64_t ticks)
{
    const uint64_t age_ns = ticks_between(ticks, turn->now_ticks);
    return age_ns < turn->now_ns ? turn->now_ns - age_ns : 0;
}

/* ---------------------------------------------------------------------------------------------------------- errors */

/* A meter's new errors, of which fewer are left as their records are found. */
struct new_errors {
    const struct drain_turn *turn;
    struct drain_error told;
    uint64_t left[TRIP_ERROR_TYPE_COUNT];
};

/* Tells of one error with its record. The client writes a record before it counts the error, so that the record may
 * belong to an error that only the next drain finds counted: then there is none to take off here. */
static void error_with_record(void *context, const struct lane_error *record)
{
    struct new_errors *const errors = context;
    const unsigned type = record->type < TRIP_ERROR_TYPE_COUNT ? record->type : TRIP_ERROR_UNKNOWN;
    errors->left[type] -= errors->left[type] != 0;
    errors->told.type = (trip_error_type)type;
    errors->told.n = 1;
    errors->told.at_ns = time_in_turn(errors->turn, record->ticks);
    errors->told.record = record;
    errors->turn->error(errors->turn->context, &errors->told);
}

/* Tells, as one, of the meter's new errors of this type that had no record. */
static void errors_left(struct new_errors *errors, unsigned type)
{
    errors->told.type = (trip_error_type)type;
    errors->told.n = errors->left[type];
    if (errors->told.n)
        errors->turn->error(errors->turn->context, &errors->told);
    errors->left[type] = 0;
}

/* Tells of the errors that had no record. Nobody knows when each came: the time of the meter's last event of the batch
 * stands for all, or now. That event's type is told last, for it is the breaker's last error. */
static void errors_without_record(struct new_errors *errors, const struct told *last)
{
    errors->told.record = NULL;
    errors->told.at_ns = last ? time_in_turn(errors->turn, last->ticks) : errors->turn->now_ns;
    const unsigned latest = last ? lane_event_error_type(last->what) : TRIP_ERROR_UNKNOWN;
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        if (type != latest)
            errors_left(errors, type);
    errors_left(errors, latest);
}

static void count_errors(struct drain *drain, const struct drain_turn *turn, const struct drain_input *input,
                         uint64_t totals[TRIP_ERROR_TYPE_COUNT])
{
    struct new_errors errors = {.turn = turn, .told = {.slot = turn->slot, .meter = input->meter}};
    bool some = false;
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++) {
        errors.left[type] = input->counters.errors[type] - input->meter->marks.errors[type];
        totals[type] += errors.left[type];
        some |= errors.left[type] != 0;
    }
    if (!some)
        return;
    segment_errors_untexted(drain->segment, meter_cursor_errors(input->meter, error_with_record, &errors));
    const uint32_t last = input->meter->told_last;
    errors_without_record(&errors, last ? &drain->batch.events[last - 1] : NULL);
}

/* ------------------------------------------------------------------------------------------------- evidence to core */

/* Calls of one kind in a row go into the window together, in a time window if the first and the last are less than a
 * sixteenth of a bucket apart: two halves of it, for rows may come together already. */
#define TOGETHER_PARTS 32

struct feed {
    const struct drain *drain;
    const struct drain_turn *turn;
    struct core_state *core;
    enum word_state state;
    bool in_time;          /* calls count in the bucket of their own time */
    uint64_t bucket_ticks; /* of a time window */
    uint64_t together_ticks;
    unsigned kind;       /* of the calls that wait */
    uint64_t n;          /* how many */
    uint64_t ticks;      /* when the first of them was */
    bool stopped;        /* a condition held */
    merge_emit_fn *emit; /* of what is traced on its way */
    bool wants_no_more;  /* emit does */
};

/* Judged at each call, as if it had been told alone: no more of them count than it takes until a condition holds. One
 * that a time window has forgotten by now opens nothing any more, and must not keep what came after it from counting.
 */
static void feed_waiting(struct feed *feed)
{
    const uint64_t at_ns = time_in_turn(feed->turn, feed->ticks);
    const enum call_kind kind = (enum call_kind)feed->kind;
    uint64_t until = 0;
    if (feed->n == 0)
        return;
    if (feed->in_time)
        core_advance(feed->core, at_ns);
    if (feed->turn->judges)
        until = core_calls_until_trip(feed->core, feed->turn->settings, at_ns, feed->turn->now_ns, feed->n, kind);
    core_calls(feed->core, at_ns, until ? until : feed->n, kind);
    feed->stopped = until != 0;
    feed->n = 0;
}

static bool feed_calls(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    (void)what;
    struct feed *const feed = context;
    if (kind == feed->kind && feed->n && (!feed->in_time || ticks - feed->ticks < feed->together_ticks)) {
        feed->n += n;
        return true;
    }
    feed_waiting(feed);
    feed->kind = kind;
    feed->n = n;
    feed->ticks = ticks;
    return !feed->stopped;
}

static bool feed_probes(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    const struct feed *const feed = context;
    (void)ticks;
    (void)what;
    core_probes(feed->core, n, (enum call_kind)kind);
    return !feed->turn->judges ||
           !core_judge(feed->core, feed->turn->settings, feed->state, 0, feed->turn->now_ns).move;
}

static bool feed_nothing(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    (void)context;
    (void)kind;
    (void)n;
    (void)ticks;
    (void)what;
    return false;
}

static merge_emit_fn *feeder(enum word_state state)
{
    switch (state) {
    case WORD_CLOSED:
    case WORD_RAMPING:
        return feed_calls;
    case WORD_HALF_OPEN:
        return feed_probes;
    default:
        return feed_nothing;
    }
}

/* ---------------------------------------------------------------------------------------------------------- a trace */

static struct traced traced_calls(const struct feed *feed, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    struct traced step = {
        .op = TRACED_RECORD, .at_ms = time_in_turn(feed->turn, ticks) / 1000000, .n = n, .outcome = TRIP_OK};
    if (kind & CALL_FAILED) {
        step.outcome = lane_event_outcome(what) == TRIP_TIMEOUT ? TRIP_TIMEOUT : TRIP_FAILURE;
        step.error = lane_event_error_type(what);
    }
    if (kind & CALL_SLOW)
        step.latency_ms = tracer_slow_ms(feed->turn->settings->trip.slow_after);
    return step;
}

/* On the way to the core, what comes is traced; also what the core wants no more of, for other settings might. */
static bool trace_and_feed(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    struct feed *const feed = context;
    const struct traced step = traced_calls(feed, kind, n, ticks, what);
    tracer_step(feed->drain->tracer, segment_name(feed->drain->segment, feed->turn->slot), &step);
    feed->wants_no_more = feed->wants_no_more || !feed->emit(feed, kind, n, ticks, what);
    return true;
}

/* No evidence, and in no order with it. */
static void trace_neutral(const struct drain *drain, const struct drain_turn *turn, const struct drain_input *input)
{
    const struct counters *const counters = &input->counters;
    const struct meter_marks *const marks = &input->meter->marks;
    const char *const breaker = segment_name(drain->segment, turn->slot);
    struct traced step = {.op = TRACED_RECORD, .at_ms = turn->now_ns / 1000000};
    step.outcome = TRIP_IGNORED;
    step.n = total_grown(counters->ignored, marks->ignored);
    if (step.n)
        tracer_step(drain->tracer, breaker, &step);
    step.outcome = TRIP_CANCELLED;
    step.n = total_grown(counters->cancelled, marks->cancelled);
    if (step.n)
        tracer_step(drain->tracer, breaker, &step);
}

/* ------------------------------------------------------------------------------------------------- the transaction */

static uint64_t bucket_ticks(const struct window *window)
{
    return window->type == WINDOW_TIME ? window->span_ns / WINDOW_BUCKETS : UINT64_MAX;
}

/* A crash is on the account of the lane whose evidence is worked on. */
static void work_for(void *context, const struct merge_input *input)
{
    const struct drain *const drain = ((const struct feed *)context)->drain;
    lanes_reading(drain->lanes, drain->inputs[input - drain->merge].meter->lane->number);
}

static void merge_inputs(struct drain *drain, const struct drain_turn *turn, struct core_state *core)
{
    const bool traces = tracer_wanted(drain->tracer);
    struct feed feed = {
        .drain = drain,
        .turn = turn,
        .core = core,
        .state = word_state(turn->word),
        .in_time = core->window.type == WINDOW_TIME,
        .bucket_ticks = bucket_ticks(&core->window),
        .together_ticks = bucket_ticks(&core->window) / TOGETHER_PARTS,
        .emit = feeder(word_state(turn->word)),
    };
    const struct merge_options options = {
        /* A time window remembers by time, and a verdict over probes counts each. */
        .remembers = feed.in_time || feed.state == WORD_HALF_OPEN ? UINT64_MAX : core->window.size,
        .apart_ticks = feed.bucket_ticks,
        /* A verdict is over each probe, and a trace has the time of each call. */
        .together_ticks = feed.emit == feed_calls && !traces ? feed.together_ticks : 0,
        .emit = traces ? trace_and_feed : feed.emit,
        .begin = work_for,
        .context = &feed,
    };
    const uint64_t forgotten = merge_sources(&options, drain->merge, drain->order, drain->input_count);
    if (forgotten && traces)
        tracer_lost(drain->tracer, segment_name(drain->segment, turn->slot), forgotten);
    if (!feed.stopped)
        feed_waiting(&feed);
}

static bool waits(const struct source *source)
{
    return source->counted.failures != source->counters.failures || source->counted.slow != source->counters.slow;
}

/* Counts the inputs, and empties them. True: a failure or slow call of theirs waits for its event. */
static bool flush(struct drain *drain, const struct drain_turn *turn, uint64_t in_flight)
{
    bool untold = false;
    struct core_state *const core = segment_begin(drain->segment, turn->slot);
    for (uint32_t i = 0; i < drain->input_count; i++) {
        lanes_reading(drain->lanes, drain->inputs[i].meter->lane->number);
        drain->merge[i].source = source_of(drain, turn, &drain->inputs[i]);
    }
    merge_inputs(drain, turn, core);
    for (uint32_t i = 0; i < drain->input_count; i++) {
        const struct drain_input *const input = &drain->inputs[i];
        struct meter_cursor *const meter = input->meter;
        lanes_reading(drain->lanes, meter->lane->number);
        const struct journal_mark mark = {
            .kind = JOURNAL_METER,
            .lane_id = meter->lane->lane_id,
            .lane = meter->lane->number,
            .place = meter->number,
            .uid = meter->lane->uid,
            .marks = marks_of(input, &drain->merge[i].source),
        };
        if (tracer_wanted(drain->tracer))
            trace_neutral(drain, turn, input);
        add_totals(&core->head.totals, &input->counters, &meter->marks);
        count_errors(drain, turn, input, core->head.totals.errors);
        segment_mark(drain->segment, &mark);
        meter->marked_ticks = drain->merge[i].source.ticks;
        untold |= waits(&drain->merge[i].source);
        if (drain->merge[i].source.untold)
            segment_host_untold(drain->segment, drain->merge[i].source.untold);
    }
    lanes_reading(drain->lanes, 0);
    core_show(core, turn->now_ns);
    core->head.in_flight = in_flight;
    drain->input_count = 0;
    segment_commit(drain->segment);
    return untold;
}

/* Calls begun less calls ended; a meter that claims nonsense counts for none. A call may end in another section than
 * it began in, so that one meter's difference may be negative and the sum is right. */
static int64_t in_flight_of(const struct counters *counters)
{
    const int64_t calls = (int64_t)(counters->started - counters->finished);
    return calls > -(INT64_C(1) << 31) && calls < INT64_C(1) << 31 ? calls : 0;
}

void drain_breaker(struct drain *drain, const struct drain_turn *turn, struct drain_found *ret_found)
{
    int64_t in_flight = 0;
    *ret_found = (struct drain_found){0};
    drain->input_count = 0;
    for (struct meter_cursor *meter = turn->meters; meter; meter = meter->next) {
        struct drain_input *const input = &drain->inputs[drain->input_count];
        lanes_reading(drain->lanes, meter->lane->number);
        meter_cursor_read(meter, &input->counters);
        drain->meters_read++;
        if (input->counters.owner != meter->owner) {
            ret_found->strayed = true;
            continue;
        }
        meter->in_flight = in_flight_of(&input->counters);
        in_flight += meter->in_flight;
        if (!differs(&input->counters, &meter->marks))
            continue;
        input->meter = meter;
        ret_found->counted = true;
        if (++drain->input_count == JOURNAL_MARKS)
            ret_found->untold |= flush(drain, turn, segment_core(drain->segment, turn->slot)->head.in_flight);
    }
    lanes_reading(drain->lanes, 0);
    const uint64_t calls = in_flight > 0 ? (uint64_t)in_flight : 0;
    const struct core_state *const core = segment_core(drain->segment, turn->slot);
    const bool forgets = window_sums_at(&core->window, turn->now_ns).calls != core->head.window_calls;
    ret_found->in_flight_moved = core->head.in_flight != calls;
    if (drain->input_count || forgets || ret_found->in_flight_moved)
        ret_found->untold |= flush(drain, turn, calls);
}

void drain_nobody(struct meter_cursor *meter)
{
    struct drain_input input = {.meter = meter};
    meter_cursor_read(meter, &input.counters);
    if (input.counters.owner != meter->owner || !differs(&input.counters, &meter->marks))
        return;
    struct meter_marks marks = marks_of(&input, &(struct source){0});
    marks.ok = input.counters.ok;
    marks.failures = input.counters.failures;
    marks.slow = input.counters.slow;
    lane_reader_mark(meter->lane, meter->number, &marks);
}
