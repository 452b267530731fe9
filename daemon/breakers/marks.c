/* Carries out a journal entry: a step, a permit's answer, a stalled call, or the marks of a meter. Each commit calls
 * it, for breakers_new registered it with the segment. */
#include "breakers/marks.h"

#include "breakers/move.h"
#include "breakers/permits.h"
#include "breakers/stall.h"

static bool store_meter_mark(struct breakers *breakers, const struct journal_mark *mark)
{
    struct lane_reader *reader = mark->lane <= LANES_MAX ? breakers->readers[mark->lane] : NULL;
    if (!reader || !lane_reader_of(reader, mark)) { /* the lane came back under another number */
        reader = NULL;
        for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes) && !reader; lane++)
            if (breakers->readers[lane] && lane_reader_of(breakers->readers[lane], mark))
                reader = breakers->readers[lane];
    }
    if (!reader)
        return false;
    lanes_reading(breakers->options.lanes, reader->number);
    const bool marked = lane_reader_mark(reader, mark->place, &mark->marks);
    lanes_reading(breakers->options.lanes, 0);
    return marked;
}

bool breakers_store_mark(void *context, const struct journal_mark *mark)
{
    struct breakers *const breakers = context;
    switch ((enum journal_kind)mark->kind) {
    case JOURNAL_METER:
        return store_meter_mark(breakers, mark);
    case JOURNAL_CALL:
        return breakers_stall_store(breakers, mark);
    case JOURNAL_STEP:
        breakers_step_store(breakers, &mark->step);
        return true;
    case JOURNAL_PERMIT:
        breakers_permits_store(breakers, mark);
        return true;
    }
    return true; /* no tripd wrote this entry */
}
