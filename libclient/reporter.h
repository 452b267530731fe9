/* Where the calling thread counts a breaker's calls. */
#ifndef TRIP_REPORTER_H
#define TRIP_REPORTER_H

#include "client.h"

/* Where the calling thread counts a breaker's calls; meter NULL: nowhere. */
struct reporter {
    struct lane *lane;
    struct meter *meter;
    uint32_t section;
};

struct reporter reporter_find(struct trip_breaker *breaker, const struct binding *binding);

/* Does it count for this breaker? The section's number in its owner is no question here: it was found by section. */
static inline bool meter_is_of(const struct meter *meter, const struct binding *binding)
{
    return (__atomic_load_n(&meter->owner, __ATOMIC_RELAXED) ^ binding->owner) << 16 == 0;
}

/* The same without a call, if this thread has a section of its own and has counted for this breaker before; else NULL.
 * *ret_slot: that section. */
static inline struct meter *meter_at_hand(const struct trip_breaker *breaker, const struct binding *binding,
                                          const struct thread_slot **ret_slot)
{
    const struct trip_client *const client = breaker->client;
    const struct thread_slot *const slot = &thread_self.slots[client->thread_slot];
    /* Relaxed: written by this thread, or by the fork that made it. */
    if (unlikely(slot->generation != __atomic_load_n(fork_page, __ATOMIC_RELAXED) ||
                 slot->own_lane != __atomic_load_n(&client->lane_serial, __ATOMIC_RELAXED)))
        return NULL;
    struct meter *const meter = __atomic_load_n(&slot->meters[binding->slot], __ATOMIC_RELAXED);
    *ret_slot = slot;
    return likely(meter && meter_is_of(meter, binding)) ? meter : NULL;
}

/* May calls of this thread count in section 0? Where it has no section of its own, or that one no room for more. */
static inline bool shares_section(const struct thread_slot *slot, uint32_t breaker)
{
    const struct lane *const lane = slot->lane_at;
    if (slot->section == 0)
        return true;
    return !slot->meters[breaker] && (__atomic_load_n(&lane->thread_meters, __ATOMIC_RELAXED) >= LANE_THREAD_METERS ||
                                      __atomic_load_n(&lane->refused_until_ns, __ATOMIC_RELAXED) != 0);
}

/* As meter_at_hand, of threads that share section 0. */
static inline bool shared_at_hand(const struct trip_breaker *breaker, const struct binding *binding,
                                  struct reporter *ret_reporter)
{
    const struct trip_client *const client = breaker->client;
    const struct thread_slot *const slot = &thread_self.slots[client->thread_slot];
    if (!binding_shared(binding) || thread_self.tracking ||
        slot->generation != __atomic_load_n(fork_page, __ATOMIC_RELAXED) || slot->generation == 0 ||
        slot->lane != __atomic_load_n(&client->lane_serial, __ATOMIC_RELAXED) || !shares_section(slot, binding->slot))
        return false;
    struct meter *const meter = __atomic_load_n(&slot->lane_at->meters[0][binding->slot], __ATOMIC_ACQUIRE);
    *ret_reporter = (struct reporter){.lane = slot->lane_at, .meter = meter, .section = 0};
    return meter && meter_is_of(meter, binding);
}

static inline struct reporter reporter_of(const struct thread_slot *slot, struct meter *meter)
{
    return (struct reporter){.lane = slot->lane_at, .meter = meter, .section = slot->section};
}

/* The number under which this process holds what it takes of the binding's commons; 0: it has none there now. */
static inline uint32_t reporter_lane(const struct trip_client *client, const struct binding *binding)
{
    return lane_number(__atomic_load_n(&client->lane, __ATOMIC_ACQUIRE), binding->plain);
}

/* May this process take permits and tickets that tripd frees at its death? tripd finds them only by the lane's number,
 * so a process whose lane is on its way waits for it. A process that gets no lane holds them until their lease ends. */
static inline bool reporter_may_hold(const struct trip_client *client, const struct binding *binding)
{
    return binding->kind != BINDING_SHARED || reporter_lane(client, binding) != 0 ||
           coarse_ns() >= __atomic_load_n(&client->lane_due_ns, __ATOMIC_RELAXED);
}

#endif
