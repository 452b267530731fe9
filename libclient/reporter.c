/* Where the calling thread counts a breaker's calls: its section of the lane, or the one that threads share. */
#include "reporter.h"

struct reporter reporter_find(struct trip_breaker *breaker, const struct binding *binding)
{
    const struct reporter nobody = {0};
    if (!binding_shared(binding))
        return nobody;
    struct thread_slot *slot = thread_take(breaker->client);
    if (!slot) { /* a forked child, or no memory for a lane until now */
        client_look(breaker->client);
        slot = thread_take(breaker->client);
    }
    if (!slot)
        return nobody;
    struct lane *const lane = slot->lane_at;
    if (lane->view != binding->view) /* of another segment: its meters are other breakers' */
        return nobody;
    uint32_t section = slot->section;
    struct meter *meter = lane_meter(lane, section, binding->slot, binding->owner);
    if (!meter && section)
        meter = lane_meter(lane, section = 0, binding->slot, binding->owner);
    return (struct reporter){.lane = lane, .meter = meter, .section = section};
}
