/* What tripd says of itself: struct host_metrics. */
#include "internal/numbers.h"
#include "segment/segment.h"

/* Relaxed: for people, each word by itself. */
static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

void segment_host_beat(struct segment *segment, uint64_t up_ns, uint64_t busy_ns, uint64_t resident,
                       uint64_t lane_memory)
{
    struct host_metrics *const host = segment->host;
    store(&host->up_ns, host->up_ns + up_ns);
    store(&host->busy_ns, host->busy_ns + at_most(busy_ns, up_ns));
    store(&host->resident, resident);
    store(&host->lane_memory, lane_memory);
}

void segment_host_untold(struct segment *segment, uint64_t calls)
{
    store(&segment->host->untold, segment->host->untold + calls);
}

void segment_host_lag(struct segment *segment, uint64_t lag_ns, uint64_t events)
{
    uint64_t *const bucket = &segment->host->lag[latency_bucket(lag_ns)];
    store(bucket, *bucket + events);
}
