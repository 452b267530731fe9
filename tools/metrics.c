#include "metrics.h"

#include "internal/policy.h"
#include "protocol/report_metrics.h"

#define TRIES 5

/* NULL: no memory. */
static json_t *sums_of(const struct snapshot *snapshot, const char *wanted)
{
    struct report_metrics *const metrics = report_metrics_begin(wanted, snapshot_now_ms(snapshot));
    struct snapshot_breaker breaker;
    struct snapshot_group group;
    for (uint32_t at = 0; metrics && at < snapshot_groups(snapshot); at++)
        if (snapshot_group(snapshot, at, &group))
            report_metrics_forgotten(metrics, group.name, &group.image);
    for (uint32_t slot = 0; metrics && slot < snapshot_slots(snapshot); slot++) {
        if (!snapshot_breaker(snapshot, slot, &breaker))
            continue;
        const struct report_counted counted = {.name = breaker.detail.name,
                                               .slot = slot,
                                               .incarnation = policy_incarnation(breaker.policy.admission),
                                               .policy = &breaker.policy,
                                               .core = &breaker.core,
                                               .latency = breaker.latency};
        report_metrics_add(metrics, &counted, true);
    }
    return metrics ? report_metrics_end(metrics) : NULL;
}

json_t *metrics_read(const struct snapshot *snapshot, const char *wanted)
{
    const struct segment_header header = snapshot_header(snapshot);
    const struct host_metrics host = snapshot_host(snapshot);
    uint64_t moved = snapshot_groups_moved(snapshot), before;
    json_t *metrics = NULL;
    unsigned tries = 0;
    do { /* a breaker that is forgotten meanwhile is in its group or in the list, and may be missed */
        before = moved;
        json_decref(metrics);
        metrics = sums_of(snapshot, wanted);
        moved = snapshot_groups_moved(snapshot);
    } while (moved != before && ++tries < TRIES);
    if (metrics)
        json_object_set_new(metrics, "tripd", report_tripd(&header, &host, snapshot_correlation(snapshot).shown));
    return metrics;
}
