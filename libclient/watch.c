/* The lane's table of calls in flight (internal/layout.h: struct lane_call): tripd finds there what hangs. */
#include "call.h"

#define WATCH_PLACES 64 /* looked at for a free one: a table that full is as good as full */

bool watch_begin(struct lane *lane, uint32_t meter, uint64_t ticks, struct call *call)
{
    if (!lane_calls_ready(lane))
        return false;
    const uint32_t start = __atomic_fetch_add(&lane->watch_next, 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < WATCH_PLACES; i++) {
        const uint32_t place = (start + i) % LANE_CALLS;
        struct lane_call *const entry = lane_call_at(lane->memory, place);
        uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_RELAXED);
        const uint32_t serial = (uint32_t)(state >> 32) + 1;
        if (lane_call_status(state) != LANE_CALL_FREE ||
            !__atomic_compare_exchange_n(&entry->state, &state, lane_call_state(meter, serial, LANE_CALL_TAKEN), false,
                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            continue;
        call->watched = lane_call_state(meter, serial, LANE_CALL_RUNNING);
        call->watched_place = (uint16_t)place;
        __atomic_store_n(&entry->ticks, ticks, __ATOMIC_RELAXED);
        __atomic_store_n(&entry->state, call->watched,
                         __ATOMIC_RELEASE); /* pairs with tripd's acquire: ticks are set */
        return true;
    }
    return false;
}

bool watch_end(struct lane *lane, const struct call *call)
{
    struct lane_call *const entry = lane_call_at(lane->memory, call->watched_place);
    uint64_t state = call->watched;
    /* Release: pairs with the acquire of who takes the place next. */
    if (__atomic_compare_exchange_n(&entry->state, &state, lane_call_with_status(state, LANE_CALL_FREE), false,
                                    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        return false;
    /* tripd was faster: it is counting the call, or has counted it. */
    if (lane_call_status(state) == LANE_CALL_STALLING &&
        __atomic_compare_exchange_n(&entry->state, &state, lane_call_with_status(state, LANE_CALL_RETURNED), false,
                                    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        return true;
    if (lane_call_status(state) == LANE_CALL_STALLED)
        __atomic_store_n(&entry->state, lane_call_with_status(state, LANE_CALL_FREE), __ATOMIC_RELEASE);
    return true;
}
