#include "breakers/meters.h"

#include "breakers/latency.h"

static void link_to(struct meter_cursor **chain, struct meter_cursor *meter)
{
    meter->next = *chain;
    meter->previous = chain;
    if (meter->next)
        meter->next->previous = &meter->next;
    *chain = meter;
}

/* The breaker keeps the latencies that the meter counted for it. */
static void leave_chain(struct breakers *breakers, struct meter_cursor *meter)
{
    *meter->previous = meter->next;
    if (meter->next)
        meter->next->previous = meter->previous;
    if (meter->breaker == NO_BREAKER)
        return;
    if (breakers->table[meter->breaker].latency_stale)
        breakers_publish_latency_of(breakers, meter);
    breakers->table[meter->breaker].reporters_stale = true;
    breakers_enliven(breakers, meter->breaker);
    meter_cursor_unclaim(meter);
}

void breakers_home(struct breakers *breakers, struct meter_cursor *meter)
{
    const uint32_t slot = (uint32_t)meter->owner - 1, incarnation = (uint32_t)(meter->owner >> 32) & 0xffff;
    const bool ours = slot < breakers->segment->slots && breakers->table[slot].settings &&
                      segment_incarnation(breakers->segment, slot) == incarnation && meter_cursor_claim(meter, slot);
    link_to(ours ? &breakers->table[slot].meters : &breakers->nobodys, meter);
    if (!ours)
        return;
    breakers->table[slot].reporters_stale = true;
    breakers_touch(breakers, slot);
}

void breakers_strays(struct breakers *breakers, struct meter_cursor **chain)
{
    struct meter_cursor *strays = NULL;
    for (struct meter_cursor *meter = *chain, *next; meter; meter = next) {
        const uint64_t owner = meter_cursor_owner(meter);
        next = meter->next;
        if (owner == meter->owner || owner == 0)
            continue;
        leave_chain(breakers, meter);
        meter_cursor_pass_on(meter, owner);
        link_to(&strays, meter);
    }
    while (strays) {
        struct meter_cursor *const meter = strays;
        leave_chain(breakers, meter);
        breakers_home(breakers, meter);
    }
}

void breakers_homeless(struct breakers *breakers, uint32_t slot)
{
    while (breakers->table[slot].meters) {
        struct meter_cursor *const meter = breakers->table[slot].meters;
        leave_chain(breakers, meter);
        link_to(&breakers->nobodys, meter);
    }
}

void breakers_unlink_meters(struct breakers *breakers, struct lane_reader *reader)
{
    for (uint32_t number = 0; number < reader->meters; number++) {
        struct meter_cursor *const meter = lane_reader_meter(reader, number);
        if (meter)
            leave_chain(breakers, meter);
    }
}

/* ------------------------------------------------------------------------------------------------- looking for them */

static void found(void *context, struct meter_cursor *meter)
{
    breakers_home(context, meter);
}

void breakers_look_for_meters(struct breakers *breakers, struct lane_reader *reader)
{
    lane_reader_look(reader, breakers->now_ticks, found, breakers);
}

void breakers_drain_nobodys(struct breakers *breakers)
{
    for (struct meter_cursor *meter = breakers->nobodys; meter; meter = meter->next) {
        lanes_reading(breakers->options.lanes, meter->lane->number);
        drain_nobody(meter);
    }
    lanes_reading(breakers->options.lanes, 0);
    breakers_strays(breakers, &breakers->nobodys);
}

void breakers_find_meters(struct breakers *breakers)
{
    for (uint32_t lane = 1; lane <= lanes_highest(breakers->options.lanes); lane++) {
        if (!breakers->readers[lane])
            continue;
        lanes_reading(breakers->options.lanes, lane);
        lane_reader_look(breakers->readers[lane], breakers->now_ticks, found, breakers);
    }
    lanes_reading(breakers->options.lanes, 0);
    breakers_drain_nobodys(breakers);
}
