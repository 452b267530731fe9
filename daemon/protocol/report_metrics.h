/* What was counted since it came into being, of breakers, groups of breakers and the host: `metrics`.
 *
 *   report_metrics_begin ──> _forgotten, each group ──> _add, each breaker ──> _end: the tree
 */
#ifndef TRIPD_REPORT_METRICS_H
#define TRIPD_REPORT_METRICS_H

#include "protocol/report.h"

struct report_metrics;

/* wanted: a breaker's name, a pattern or a group, which must live as long as the metrics; NULL: the host with all
 * groups. NULL without memory. */
struct report_metrics *report_metrics_begin(const char *wanted, uint64_t now_ms);

/* Adds what the segment has of breakers of this group that are forgotten; "": of those without a group. All groups come
 * before the first breaker. */
void report_metrics_forgotten(struct report_metrics *metrics, const char *name, const struct group_image *image);

struct report_counted {
    const char *name;
    uint32_t slot, incarnation;
    const struct policy_slot *policy;
    const struct core_head *core;
    const uint64_t *latency; /* calls by latency bucket */
};
/* Adds a breaker to its group and to the host. listed: it is an entry of its own, if it was asked for. */
void report_metrics_add(struct report_metrics *metrics, const struct report_counted *breaker, bool listed);
/* Whether a breaker of this name is asked for by itself. */
bool report_metrics_wanted(const struct report_metrics *metrics, const char *name);

/* {"as_of_ms", "host", "groups": [], "breakers": []}; the host is null where something else was asked for. Frees. */
json_t *report_metrics_end(struct report_metrics *metrics);

/* Returns what `metrics` says of tripd itself: how busy it is, how long events wait for it, how much memory it has. */
json_t *report_tripd(const struct segment_header *header, const struct host_metrics *host,
                     const struct correlation_shown *errors);

#endif
