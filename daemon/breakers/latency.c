#include "breakers/latency.h"

struct publishing {
    struct segment *segment;
    uint32_t slot;
};

static void add(void *context, uint32_t group, const uint32_t calls[LATENCY_GROUP])
{
    const struct publishing *const to = context;
    segment_latency_add(to->segment, to->slot, group, calls);
}

void breakers_publish_latency_of(struct breakers *breakers, struct meter_cursor *meter)
{
    struct publishing to = {.segment = breakers->segment, .slot = meter->breaker};
    lanes_reading(breakers->options.lanes, meter->lane->number);
    meter_cursor_latency(meter, add, &to);
    lanes_reading(breakers->options.lanes, 0);
}

void breakers_publish_latency(struct breakers *breakers, uint32_t slot)
{
    for (struct meter_cursor *meter = breakers->table[slot].meters; meter; meter = meter->next)
        breakers_publish_latency_of(breakers, meter);
    breakers->table[slot].latency_stale = false;
}
