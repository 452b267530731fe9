/* An instance of tripd in the memory of this process: its breakers and its chronicle, on a segment, a commons and a
 * lane that nobody else sees, under a test clock that the simulation moves. No loop, no sockets: whoever has it calls.
 */
#ifndef TRIP_TOOLS_SIMULATE_INSTANCE_H
#define TRIP_TOOLS_SIMULATE_INSTANCE_H

#include "breakers/breakers.h"
#include "chronicle/chronicle.h"

struct instance_options {
    const struct config *config; /* borrowed */
    uint64_t seed;
    breakers_moved_fn *moved;
    void (*incident)(void *context, const struct incident *incident); /* it began or ended */
    void *context;
};

struct instance {
    struct clock clock;
    struct segment *segment;
    struct commons *commons;
    struct lanes *lanes;
    struct breakers *breakers;
    struct chronicle *chronicle;
    trip_client *caller;
};

/* Begins an instance. -errno: what was made so far is still freed by instance_end. */
int instance_begin(struct instance *instance, const struct instance_options *options);
void instance_end(struct instance *instance);

static inline uint64_t instance_now_ns(const struct instance *instance)
{
    return instance->clock.test_now_ns;
}

static inline void instance_set_time(struct instance *instance, uint64_t now_ns)
{
    instance->clock.test_now_ns = now_ns;
    segment_test_now(instance->segment, now_ns);
}

static inline uint64_t instance_word(const struct instance *instance, uint32_t slot)
{
    return __atomic_load_n(commons_word(instance->commons, slot), __ATOMIC_ACQUIRE);
}

#endif
