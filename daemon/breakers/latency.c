#include "breakers/latency.h"

#include <string.h>

/* Of these meters, which are all the breaker's. */
static void publish_latency(struct breakers *breakers, uint32_t slot, struct meter_cursor *first, bool alone)
{
    uint64_t counts[LATENCY_BUCKETS];
    memcpy(counts, breakers->segment->details[slot].latency, sizeof(counts));
    for (struct meter_cursor *meter = first; meter; meter = alone ? NULL : meter->next) {
        lanes_reading(breakers->options.lanes, meter->lane->number);
        meter_cursor_latency(meter, counts);
    }
    lanes_reading(breakers->options.lanes, 0);
    segment_detail_latency(breakers->segment, slot, counts);
}

void breakers_publish_latency(struct breakers *breakers, uint32_t slot)
{
    publish_latency(breakers, slot, breakers->table[slot].meters, false);
    breakers->table[slot].latency_stale = false;
}

void breakers_publish_latency_of(struct breakers *breakers, struct meter_cursor *meter)
{
    publish_latency(breakers, meter->breaker, meter, true);
}
