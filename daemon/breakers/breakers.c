/* Makes and frees the breakers of an instance, and looks at those that come due. */
#include <errno.h>
#include <stdlib.h>

#include "breakers/adaptive.h"
#include "breakers/adopt.h"
#include "breakers/errors.h"
#include "breakers/lanes.h"
#include "breakers/limits.h"
#include "breakers/marks.h"
#include "breakers/policy.h"
#include "breakers/reconcile.h"
#include "breakers/schedule.h"
#include "breakers/settle.h"
#include "internal/numbers.h"

#define BATCH_EVENTS 4096

/* -------------------------------------------------------------------------------------------------- made and unmade */

static int make_drain(struct breakers *breakers)
{
    struct drain *const drain = calloc(1, sizeof(*drain));
    breakers->drain = drain;
    if (!drain)
        return -ENOMEM;
    *drain = (struct drain){
        .segment = breakers->segment,
        .clock = breakers->options.clock,
        .lanes = breakers->options.lanes,
        .tracer = breakers->options.tracer,
        .batch = {.events = calloc(BATCH_EVENTS, sizeof(struct told)), .capacity = BATCH_EVENTS},
    };
    return drain->batch.events ? 0 : -ENOMEM;
}

int breakers_new(const struct breakers_options *options, struct breakers **ret_breakers)
{
    struct breakers *breakers = calloc(1, sizeof(*breakers));
    if (!breakers)
        return -ENOMEM;
    breakers->options = *options;
    breakers->segment = options->segment;
    breakers->commons = options->commons;
    segment_store_marks_by(breakers->segment, breakers_store_mark, breakers);
    breakers->random = options->seed;
    breakers->touched = NONE;
    breakers->stall_due_ns = DEADLINE_NEVER;
    breakers->table = calloc(BREAKERS_MAX, sizeof(*breakers->table));
    breakers->readers = calloc(LANES_MAX + 1, sizeof(*breakers->readers));
    breakers->unused_by = calloc(BREAKERS_MAX, sizeof(*breakers->unused_by));
    breakers->lively = calloc(BREAKERS_MAX / 64 + 1, sizeof(*breakers->lively));
    int error = breakers->table && breakers->readers && breakers->unused_by && breakers->lively ? make_drain(breakers)
                                                                                                : -ENOMEM;
    if (error == 0)
        error = deadlines_new(BREAKERS_MAX, &breakers->due);
    if (error == 0)
        error = commons_reserve(options->commons, options->segment->slots);
    if (error == 0) {
        breakers_correlate(breakers, options->config);
        breakers_publish_fallbacks(breakers, options->config);
        error = breakers_adopt(breakers);
    }
    if (error < 0) {
        breakers_free(breakers);
        return error;
    }
    *ret_breakers = breakers;
    return 0;
}

struct breakers *breakers_free(struct breakers *breakers)
{
    if (!breakers)
        return NULL;
    segment_store_marks_by(breakers->segment, NULL, NULL);
    for (uint32_t lane = 1; breakers->readers && lane <= LANES_MAX; lane++)
        lane_reader_free(breakers->readers[lane]);
    if (breakers->drain)
        free(breakers->drain->batch.events);
    free(breakers->drain);
    for (uint32_t slot = 0; breakers->table && slot < breakers->segment->slots; slot++)
        breakers_adaptive_free(&breakers->table[slot]);
    free(breakers->unused_by);
    free(breakers->lively);
    free(breakers->readers);
    free(breakers->table);
    deadlines_free(breakers->due);
    free(breakers);
    return NULL;
}

/* --------------------------------------------------------------------------------------------------- what comes due */

static void come_due(struct breakers *breakers, uint32_t slot)
{
    breakers_drain(breakers, slot);
    if (breakers_adaptive_tick(breakers, slot))
        breakers_limits_publish(breakers, slot);
    if (breakers->table[slot].growth_until_ns <= breakers->now_ns)
        breakers_publish_next_open(breakers, slot, NULL, 0);
    breakers_settle(breakers, slot);
    breakers_turn_touched(breakers); /* news: such a breaker is not idle */
    const uint64_t word = breakers_word(breakers, slot);
    if (breakers_idle_due_ns(breakers, slot, word) > breakers->now_ns)
        return;
    segment_detail_hidden(breakers->segment, slot, at_least(breakers_now_ms(breakers), 1));
    breakers_schedule(breakers, slot, word);
}

uint64_t breakers_due(const struct breakers *breakers)
{
    uint32_t slot;
    return at_most(deadlines_first(breakers->due, &slot), breakers->stall_due_ns);
}

void breakers_tick(struct breakers *breakers)
{
    uint32_t slot;
    breakers_look_at_clock(breakers);
    const uint64_t until_ns = breakers->now_ns;
    breakers_collect_told(breakers); /* so that calls are counted in order */
    if (breakers->stall_due_ns <= until_ns)
        breakers_stall_look_all(breakers);
    while (deadlines_first(breakers->due, &slot) <= until_ns)
        come_due(breakers, slot);
}
