#include "lanes/merge.h"

#include <string.h>

#define SLICES      64   /* parts into which the calls of a gap are mixed */
#define SLICES_MORE 4096 /* parts beyond one a gap, of all gaps together: a lane may claim many gaps */

struct merge {
    const struct merge_options *options;
    struct merge_input **heap; /* inputs by the time of their next step */
    uint32_t active;
    const struct merge_input *begun; /* the input for which `begin` was called last */
    bool stopped;
    uint64_t now_ticks;
    double rate[CALL_KINDS];   /* calls a tick of all gaps that are running */
    double flowed[CALL_KINDS]; /* calls of them so far */
    uint64_t loaded[CALL_KINDS], emitted[CALL_KINDS];
    uint64_t slices_left;
    uint64_t waiting;   /* loaded and not emitted yet, of all kinds */
    uint64_t forgotten; /* counted, but not emitted */
};

/* -------------------------------------------------------------------------------------------- the next of the steps */

static bool before(const struct merge_input *a, const struct merge_input *b)
{
    return a->step.ticks != b->step.ticks ? a->step.ticks < b->step.ticks : a < b;
}

static void sink_down(struct merge *merge, uint32_t place)
{
    struct merge_input *const input = merge->heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= merge->active)
            break;
        if (child + 1 < merge->active && before(merge->heap[child + 1], merge->heap[child]))
            child++;
        if (!before(merge->heap[child], input))
            break;
        merge->heap[place] = merge->heap[child];
        place = child;
    }
    merge->heap[place] = input;
}

/* ------------------------------------------------------------------------------------------- calls of several kinds */

static void emit_told(struct merge *merge, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    if (n && !merge->stopped)
        merge->stopped = !merge->options->emit(merge->options->context, kind, n, ticks, what);
}

static void emit(struct merge *merge, unsigned kind, uint64_t n, uint64_t ticks)
{
    emit_told(merge, kind, n, ticks, 0);
}

static uint64_t share(uint64_t n, uint64_t part, uint64_t whole)
{
    return (uint64_t)((unsigned __int128)n * part / whole);
}

/* Leaves out all but the last calls that a window can remember. Their order is not known, and in a wrong order they
 * could make a condition hold that never held. */
static void forget(struct merge *merge, uint64_t counts[CALL_KINDS], uint64_t total)
{
    for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
        const uint64_t n = share(counts[kind], total - 2 * merge->options->remembers, total);
        counts[kind] -= n;
        merge->forgotten += n;
    }
}

static uint64_t take_slices(struct merge *merge, uint64_t total)
{
    const uint64_t wanted = total < SLICES ? total : SLICES;
    const uint64_t slices = wanted <= merge->slices_left ? wanted : merge->slices_left + 1;
    merge->slices_left -= slices - 1;
    return slices;
}

static void emit_mixed(struct merge *merge, uint64_t counts[CALL_KINDS], uint64_t total, uint64_t to_ticks)
{
    const uint64_t from_ticks = merge->now_ticks, slices = take_slices(merge, total);
    uint64_t done[CALL_KINDS] = {0};
    if (merge->options->remembers < total / 2)
        forget(merge, counts, total);
    for (uint64_t slice = 1; slice <= slices && !merge->stopped; slice++) {
        const uint64_t ticks = from_ticks + share(to_ticks - from_ticks, slice, slices);
        for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
            const uint64_t until = share(counts[kind], slice, slices);
            emit(merge, kind, until - done[kind], ticks);
            done[kind] = until;
        }
    }
}

static void emit_gap(struct merge *merge, uint64_t counts[CALL_KINDS], uint64_t to_ticks)
{
    uint64_t total = 0;
    unsigned kinds = 0, last = 0;
    for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
        total += counts[kind];
        kinds += counts[kind] != 0;
        last = counts[kind] ? kind : last;
    }
    if (total == 0 || merge->stopped)
        return;
    if (kinds == 1 && to_ticks - merge->now_ticks < merge->options->apart_ticks)
        emit(merge, last, total, to_ticks);
    else
        emit_mixed(merge, counts, total, to_ticks);
}

/* ------------------------------------------------------------------------------------------------- flowing in time */

/* Emits the calls of all gaps that fall before `ticks`. */
static void flow_to(struct merge *merge, uint64_t ticks)
{
    uint64_t counts[CALL_KINDS];
    const double passed = (double)(ticks - merge->now_ticks);
    for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
        uint64_t due = merge->loaded[kind];
        if (merge->active > 1) {
            merge->flowed[kind] += merge->rate[kind] * passed;
            /* The sum of many fractions is off by rounding: near a whole number it is that number, and below 0 it is 0.
             */
            const double whole = merge->flowed[kind] > 0 ? merge->flowed[kind] + 1e-6 : 0;
            due = whole < (double)due ? (uint64_t)whole : due;
        }
        counts[kind] = due > merge->emitted[kind] ? due - merge->emitted[kind] : 0;
        merge->emitted[kind] += counts[kind];
        merge->waiting -= counts[kind];
    }
    emit_gap(merge, counts, ticks);
}

/* Adds (+1) or takes away (-1) the rates of a gap that begins or ends. */
static void change_rate(struct merge *merge, const struct merge_input *input, double sign)
{
    const uint64_t length = input->step.ticks - input->since_ticks;
    for (unsigned kind = 0; kind < CALL_KINDS; kind++)
        if (input->step.gap[kind] && length)
            merge->rate[kind] += sign * (double)input->step.gap[kind] / (double)length;
}

static void load_gap(struct merge *merge, const struct merge_input *input)
{
    for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
        merge->loaded[kind] += input->step.gap[kind];
        merge->waiting += input->step.gap[kind];
        if (input->step.ticks == input->since_ticks)
            merge->flowed[kind] += (double)input->step.gap[kind];
    }
    change_rate(merge, input, 1);
}

/* Loads the source's next step, with the gap before it. */
static bool load(struct merge *merge, struct merge_input *input)
{
    const uint64_t together_ticks = merge->active == 1 ? merge->options->together_ticks : 0;
    input->since_ticks = input->source.ticks;
    if (!source_next(&input->source, together_ticks, &input->step))
        return false;
    if (!input->step.gapless)
        load_gap(merge, input);
    return true;
}

static void begin_with(struct merge *merge, const struct merge_input *input)
{
    if (merge->begun == input || !merge->options->begin)
        return;
    merge->begun = input;
    merge->options->begin(merge->options->context, input);
}

/* Starts a source with a step at which nothing has happened yet. */
static void start(struct merge *merge, struct merge_input *inputs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        inputs[i].step = (struct source_step){.ticks = inputs[i].source.ticks, .kind = STEP_NO_CALL, .gapless = true};
        inputs[i].since_ticks = inputs[i].source.ticks;
        merge->heap[i] = &inputs[i];
    }
    merge->active = count;
    for (uint32_t place = count / 2; place-- > 0;)
        sink_down(merge, place);
    merge->now_ticks = count ? merge->heap[0]->step.ticks : 0;
}

uint64_t merge_sources(const struct merge_options *options, struct merge_input *inputs, struct merge_input **order,
                       uint32_t count)
{
    struct merge merge = {.options = options, .heap = order, .slices_left = SLICES_MORE};
    start(&merge, inputs, count);
    while (merge.active) {
        struct merge_input *const first = merge.heap[0];
        begin_with(&merge, first);
        if (merge.waiting)
            flow_to(&merge, first->step.ticks);
        merge.now_ticks = first->source.ticks;
        if (!first->step.gapless)
            change_rate(&merge, first, -1);
        if (first->step.kind != STEP_NO_CALL)
            emit_told(&merge, first->step.kind, first->step.n, first->step.ticks, first->step.what);
        if (!load(&merge, first))
            merge.heap[0] = merge.heap[--merge.active];
        if (merge.active > 1)
            sink_down(&merge, 0);
    }
    return merge.forgotten;
}
