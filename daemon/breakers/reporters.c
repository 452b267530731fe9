#include "breakers/reporters.h"

/* Adds up what each lane has reported to the breaker by its meters, one for each of its threads. Returns the lanes that
 * have reported a call, chained. It reads tripd's own copy of the marks, and no lane. */
static struct lane_reader *add_up(const struct breakers *breakers, uint32_t slot)
{
    struct lane_reader *lanes = NULL;
    for (const struct meter_cursor *meter = breakers->table[slot].meters; meter; meter = meter->next) {
        struct lane_reader *const lane = meter->lane;
        const struct reported reported = meter_cursor_reported(meter);
        if (reported.calls == 0)
            continue;
        if (lane->reported.calls == 0) {
            lane->next_reporter = lanes;
            lanes = lane;
        }
        lane->reported.calls += reported.calls;
        lane->reported.failures += reported.failures;
        lane->reported.slow += reported.slow;
    }
    return lanes;
}

/* Lists the lane if it is among those with the most calls. */
static void list(struct reporters_shown *shown, struct reporting_lane lane)
{
    for (unsigned place = 0; place < REPORTERS_LISTED; place++)
        if (shown->lanes[place].calls < lane.calls) {
            const struct reporting_lane less = shown->lanes[place];
            shown->lanes[place] = lane;
            lane = less;
        }
}

void breakers_publish_reporters(struct breakers *breakers, uint32_t slot)
{
    struct reporters_shown shown = {0};
    for (struct lane_reader *lane = add_up(breakers, slot); lane; lane = lane->next_reporter) {
        shown.count++;
        list(&shown, (struct reporting_lane){.lane = lane->number,
                                             .calls = lane->reported.calls,
                                             .failures = lane->reported.failures,
                                             .slow = lane->reported.slow});
        lane->reported = (struct reported){0};
    }
    segment_reporters_show(breakers->segment, slot, &shown);
    breakers->table[slot].reporters_stale = false;
}
