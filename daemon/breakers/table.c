#include "breakers/table.h"

void breakers_look_at_clock(struct breakers *breakers)
{
    const struct clock *const clock = breakers->options.clock;
    breakers->now_ns = clock_now_ns(clock);
    breakers->now_ticks = clock_ticks(clock);
}

uint64_t breakers_ms_to_ns(uint64_t ms)
{
    return ms < UINT64_MAX / 1000000 ? ms * 1000000 : UINT64_MAX;
}

uint64_t breakers_after(uint64_t ns, uint64_t by)
{
    return ns < UINT64_MAX - by ? ns + by : UINT64_MAX;
}

void breakers_enliven(struct breakers *breakers, uint32_t slot)
{
    breakers->lively[slot / 64] |= UINT64_C(1) << slot % 64;
}

void breakers_touch(struct breakers *breakers, uint32_t slot)
{
    struct breaker *const breaker = &breakers->table[slot];
    if (breaker->touched || !breaker->settings)
        return;
    breaker->touched = true;
    breaker->next = breakers->touched;
    breakers->touched = slot;
}

/* Lane 0 stands for a client without a lane. Nobody sees it die: what it holds ends with its lease. */
bool breakers_lane_dead(const struct breakers *breakers, uint32_t lane)
{
    const bool there = lane < COMMONS_LANES_MAX && lanes_get(breakers->options.lanes, lane);
    return lane != 0 && breakers->assembled &&
           (!there || breakers_has_bit(breakers->leaving, lane) || breakers_has_bit(breakers->doomed, lane));
}

bool breakers_frozen(const struct breaker *breaker)
{
    return breaker->mode == TRIP_MODE_FORCED_OPEN || breaker->mode == TRIP_MODE_DISABLED;
}

void breakers_seen(struct breakers *breakers, uint32_t slot)
{
    breakers->table[slot].used_ms = breakers_now_ms(breakers);
    segment_detail_used(breakers->segment, slot, breakers->table[slot].used_ms);
    if (breakers->segment->details[slot].hidden_ms)
        segment_detail_hidden(breakers->segment, slot, 0);
}

void breakers_unused(struct breakers *breakers, uint32_t slot)
{
    const uint32_t uid = breakers->segment->details[slot].made_by;
    breakers->unused_by[slot] = uid != 0 && segment_never_called(breakers->segment, slot) ? uid : NOBODY;
}
