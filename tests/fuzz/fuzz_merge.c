/* The order of what meters tell. Counters and events are any numbers, as a hostile client writes them. The merge emits
 * exactly the calls that the counters say, each once except forgotten ones, never back in time, and its work is bounded
 * by the events. */
#include <assert.h>
#include <stdlib.h>

#include "bytes.h"
#include "fuzz.h"
#include "internal/layout.h"
#include "internal/state_word.h"
#include "lanes/merge.h"

#define EPOCH       7
#define SOURCES_MAX 8
#define EVENTS_MAX  256

struct emitted {
    uint64_t calls[CALL_KINDS];
    uint64_t ticks;
    uint64_t parts;
    uint64_t wanted; /* emit wants so many parts, and then no more */
};

static bool emit(void *context, unsigned kind, uint64_t n, uint64_t ticks, uint32_t what)
{
    (void)what;
    struct emitted *emitted = context;
    assert(kind < CALL_KINDS && n > 0);
    assert(ticks >= emitted->ticks);
    emitted->calls[kind] += n;
    emitted->ticks = ticks;
    return ++emitted->parts < emitted->wanted;
}

/* Makes a source as drain.c does: counters are never less than what is counted, and no time is later than now. */
static struct source make_source(struct bytes *bytes, uint64_t now_ticks)
{
    struct source source = {.epoch = EPOCH, .until_ticks = now_ticks, .rest = bytes_byte(bytes) & 1};
    struct evidence_counts *const counted = &source.counted, *const counters = &source.counters;
    counted->ok = bytes_number(bytes) & EVIDENCE_COUNT_MASK;
    counted->failures = bytes_number(bytes) & EVIDENCE_COUNT_MASK;
    counted->slow = bytes_number(bytes) & EVIDENCE_COUNT_MASK;
    counters->ok = counted->ok + bytes_number(bytes) % (EVIDENCE_COUNT_MASK - counted->ok + 1);
    counters->failures = counted->failures + bytes_number(bytes) % (EVIDENCE_COUNT_MASK - counted->failures + 1);
    counters->slow = counted->slow + bytes_number(bytes) % (EVIDENCE_COUNT_MASK - counted->slow + 1);
    source.ticks = bytes_number(bytes);
    if (source.ticks > now_ticks)
        source.ticks = now_ticks;
    return source;
}

static uint32_t tell(struct bytes *bytes, struct merge_input *inputs, uint32_t count, struct told *batch)
{
    uint32_t last[SOURCES_MAX] = {0}, events = 0;
    while (bytes_left(bytes) && events < EVENTS_MAX) {
        const uint32_t of = bytes_below(bytes, count);
        const uint32_t epoch = bytes_byte(bytes) % 8 ? EPOCH : EPOCH + 1;
        const uint64_t ticks = bytes_number(bytes), ok = evidence_make(epoch, bytes_number(bytes));
        batch[events++] = (struct told){.ticks = ticks,
                                        .ok = ok,
                                        .failures = (uint32_t)bytes_number(bytes),
                                        .slow = (uint32_t)bytes_number(bytes),
                                        .what = (uint32_t)bytes_byte(bytes) << 16};
        *(last[of] ? &batch[last[of] - 1].next : &inputs[of].source.next) = events;
        last[of] = events;
    }
    return events;
}

static void check_all_told(const struct evidence_counts *before, const struct merge_input *inputs, uint32_t count,
                           const struct emitted *emitted, uint64_t forgotten)
{
    const uint64_t *const calls = emitted->calls;
    uint64_t ok = 0, failures = 0, slow = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct source *const source = &inputs[i].source;
        assert(source->counted.ok >= before[i].ok && source->counted.ok <= source->counters.ok);
        assert(source->counted.failures >= before[i].failures && source->counted.failures <= source->counters.failures);
        assert(source->counted.slow >= before[i].slow && source->counted.slow <= source->counters.slow);
        assert(!source->rest || source->counted.ok == source->counters.ok);
        assert(!source->rest || source->counted.failures == source->counters.failures);
        ok += source->counted.ok - before[i].ok;
        failures += source->counted.failures - before[i].failures;
        slow += source->counted.slow - before[i].slow;
    }
    if (emitted->parts >= emitted->wanted)
        return;
    assert(calls[CALL_OK] + calls[CALL_SLOW] <= ok);
    assert(calls[CALL_FAILED] + calls[CALL_FAILED | CALL_SLOW] <= failures);
    assert(calls[CALL_OK] + calls[CALL_SLOW] + calls[CALL_FAILED] + calls[CALL_FAILED | CALL_SLOW] + forgotten ==
           ok + failures);
    assert(calls[CALL_SLOW] + calls[CALL_FAILED | CALL_SLOW] <= slow);
    assert(forgotten || calls[CALL_SLOW] + calls[CALL_FAILED | CALL_SLOW] == slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    struct told batch[EVENTS_MAX];
    struct merge_input inputs[SOURCES_MAX] = {0}, *order[SOURCES_MAX];
    struct evidence_counts before[SOURCES_MAX];
    struct emitted emitted = {.wanted = UINT64_MAX};
    const uint32_t count = bytes_below(&bytes, SOURCES_MAX + 1);
    const uint64_t now_ticks = bytes_number(&bytes);
    const struct merge_options options = {.remembers = bytes_number(&bytes),
                                          .apart_ticks = bytes_number(&bytes),
                                          .together_ticks = bytes_number(&bytes),
                                          .emit = emit,
                                          .context = &emitted};
    emitted.wanted -= bytes_number(&bytes); /* all parts, or (2^64 - 1 less 2^64 - 1) none */
    for (uint32_t i = 0; i < count; i++) {
        inputs[i].source = make_source(&bytes, now_ticks);
        inputs[i].source.batch = batch;
        before[i] = inputs[i].source.counted;
    }
    const uint32_t events = count ? tell(&bytes, inputs, count, batch) : 0;
    const uint64_t forgotten = merge_sources(&options, inputs, order, count);
    check_all_told(before, inputs, count, &emitted, forgotten);
    assert(emitted.ticks <= now_ticks);
    /* A step emits, at its time, the calls in between, of each kind; in more than one slice, 4,096 times in all. */
    assert(emitted.parts <= (events + 2 * (uint64_t)count) * (CALL_KINDS + 1) + 4096 * CALL_KINDS);
    return 0;
}
