#include "protocol/report_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "core/settings.h"
#include "internal/enum_names.h"
#include "internal/names.h"
#include "internal/policy.h"
#include "internal/totals.h"
#include "protocol/report_errors.h"
#include "protocol/report_parts.h"

/* What several breakers have together. */
struct sum {
    char name[TRIP_NAME_MAX + 1];
    struct breaker_totals totals;
    uint64_t in_flight;
    uint64_t breakers; /* that are there */
};

struct report_metrics {
    const char *wanted;
    uint64_t now_ms;
    struct sum host;
    struct sum *groups;
    size_t group_count, group_room;
    json_t *places;  /* of groups by name: index in `groups` */
    uint64_t moving; /* the breaker whose totals stand in its group too */
    json_t *breakers;
};

/* ------------------------------------------------------------------------------------------------------ one's metrics
 */

static json_t *milliseconds(uint64_t ns)
{
    return json_real((double)ns / 1e6);
}

static json_t *denied(const struct breaker_totals *totals)
{
    json_t *map = json_object();
    for (unsigned denial = 0; denial < DENIALS; denial++)
        if (totals->denied[denial])
            json_object_set_new(map, verdict_names[TRIP_DENY_OPEN + denial], number(totals->denied[denial]));
    return map;
}

static json_t *states(const struct breaker_totals *totals)
{
    json_t *map = json_object();
    for (unsigned state = 0; state < TRIP_STATE_COUNT; state++)
        json_object_set_new(map, state_names[state], number(totals->state_ns[state] / 1000000));
    return map;
}

static json_t *trips(const struct breaker_totals *totals)
{
    json_t *map = json_object();
    for (unsigned reason = TRIP_REASON_NONE + 1; reason < TRIP_REASON_COUNT; reason++)
        if (totals->trips[reason])
            json_object_set_new(map, reason_names[reason], number(totals->trips[reason]));
    return map;
}

/* null: it never took place. */
static json_t *mean(uint64_t times, uint64_t ns)
{
    return times ? milliseconds(ns / times) : json_null();
}

/* last_ns: NULL where several breakers have a last one each. */
static json_t *spans(uint64_t times, uint64_t ns, const uint64_t *last_ns)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "times", number(times), "total_us", number(ns / 1000), "mean_ms",
                     mean(times, ns), "last_ms", times && last_ns ? milliseconds(*last_ns) : json_null());
}

/* name "": of the host. head NULL: of several breakers. */
static json_t *metrics_of(const char *name, const struct breaker_totals *totals, uint64_t in_flight,
                          const struct core_head *head)
{
    json_t *const metrics = json_object();
    if (*name)
        json_object_set_new(metrics, "name", report_text(name, TRIP_NAME_MAX));
    json_object_set_new(metrics, "calls", number(totals->calls));
    json_object_set_new(metrics, "ok", number(totals->ok));
    json_object_set_new(metrics, "failures", number(totals->failures));
    json_object_set_new(metrics, "timeouts", number(totals->timeouts));
    json_object_set_new(metrics, "slow", number(totals->slow));
    json_object_set_new(metrics, "ignored", number(totals->ignored));
    json_object_set_new(metrics, "cancelled", number(totals->cancelled));
    json_object_set_new(metrics, "late", number(totals->late));
    json_object_set_new(metrics, "in_flight", number(in_flight));
    json_object_set_new(metrics, "denied", denied(totals));
    json_object_set_new(metrics, "errors", report_errors_by_type(totals->errors));
    json_object_set_new(
        metrics, "retries",
        json_pack("{s:o, s:o}", "paid", number(totals->retries), "refused", number(totals->retries_refused)));
    json_object_set_new(metrics, "state_ms", states(totals));
    json_object_set_new(metrics, "opens", number(totals->opens));
    json_object_set_new(metrics, "trips", trips(totals));
    json_object_set_new(metrics, "probes",
                        json_pack("{s:o, s:o, s:o}", "ok", number(totals->probes_ok), "failures",
                                  number(totals->probes_failures), "slow", number(totals->probes_slow)));
    json_object_set_new(metrics, "detect",
                        spans(totals->detected, totals->detect_ns, head ? &head->last_detect_ns : NULL));
    json_object_set_new(metrics, "recover",
                        spans(totals->recovered, totals->recover_ns, head ? &head->last_recover_ns : NULL));
    return metrics;
}

static json_t *metrics_of_sum(const struct sum *sum)
{
    json_t *const metrics = metrics_of(sum->name, &sum->totals, sum->in_flight, NULL);
    json_object_set_new(metrics, "breakers", number(sum->breakers));
    return metrics;
}

/* ------------------------------------------------------------------------------------------------------------- groups
 */

/* NULL: it is in no group, or there is no memory. */
static struct sum *group_of(struct report_metrics *metrics, const char *name, size_t length)
{
    char key[TRIP_NAME_MAX + 1] = {0};
    if (length == 0 || length >= sizeof(key))
        return NULL;
    memcpy(key, name, length);
    const json_t *const place = json_object_get(metrics->places, key);
    if (place)
        return &metrics->groups[json_integer_value(place)];
    if (metrics->group_count == metrics->group_room) {
        const size_t room = metrics->group_room ? 2 * metrics->group_room : 16;
        void *const grown = realloc(metrics->groups, room * sizeof(*metrics->groups));
        if (!grown)
            return NULL;
        metrics->groups = grown;
        metrics->group_room = room;
    }
    if (json_object_set_new(metrics->places, key, json_integer((json_int_t)metrics->group_count)) < 0)
        return NULL;
    struct sum *const group = &metrics->groups[metrics->group_count++];
    *group = (struct sum){0};
    memcpy(group->name, key, sizeof(key));
    return group;
}

static bool group_wanted(const struct report_metrics *metrics, const char *name)
{
    return !metrics->wanted || strcmp(metrics->wanted, name) == 0;
}

static json_t *groups(const struct report_metrics *metrics)
{
    json_t *list = json_array();
    for (size_t i = 0; i < metrics->group_count; i++)
        if (group_wanted(metrics, metrics->groups[i].name))
            json_array_append_new(list, metrics_of_sum(&metrics->groups[i]));
    return list;
}

/* ------------------------------------------------------------------------------------------------------ begin to end
 */

struct report_metrics *report_metrics_begin(const char *wanted, uint64_t now_ms)
{
    struct report_metrics *metrics = calloc(1, sizeof(*metrics));
    if (!metrics)
        return NULL;
    metrics->wanted = wanted;
    metrics->now_ms = now_ms;
    metrics->places = json_object();
    metrics->breakers = json_array();
    return metrics;
}

static void add_totals(struct sum *sum, const struct breaker_totals *totals, uint64_t in_flight, uint64_t breakers)
{
    if (!sum)
        return;
    totals_add(&sum->totals, totals);
    sum->in_flight += in_flight;
    sum->breakers += breakers;
}

void report_metrics_forgotten(struct report_metrics *metrics, const char *name, const struct group_image *image)
{
    add_totals(&metrics->host, &image->totals, 0, 0);
    add_totals(group_of(metrics, name, strnlen(name, TRIP_NAME_MAX)), &image->totals, 0, 0);
    if (image->from)
        metrics->moving = image->from;
}

bool report_metrics_wanted(const struct report_metrics *metrics, const char *name)
{
    const size_t group = group_length(name);
    return metrics->wanted && (settings_pattern_matches(metrics->wanted, name) ||
                               (strlen(metrics->wanted) == group && memcmp(metrics->wanted, name, group) == 0));
}

/* slow is null where clients do not time each call, and so nobody knows how many were slow. */
static json_t *breaker_entry(const struct report_counted *breaker, const struct breaker_totals *totals)
{
    json_t *const entry = metrics_of(breaker->name, totals, breaker->core->in_flight, breaker->core);
    json_object_set_new(entry, "latency", report_latency(breaker->latency));
    if (!policy_times_calls(breaker->policy))
        json_object_set_new(entry, "slow", json_null());
    return entry;
}

void report_metrics_add(struct report_metrics *metrics, const struct report_counted *breaker, bool listed)
{
    const struct breaker_totals totals = totals_now(breaker->core, metrics->now_ms * 1000000);
    const size_t group = group_length(breaker->name);
    if (group_from(breaker->slot, breaker->incarnation) == metrics->moving)
        return;
    add_totals(&metrics->host, &totals, breaker->core->in_flight, 1);
    add_totals(group_of(metrics, breaker->name, group), &totals, breaker->core->in_flight, 1);
    if (listed && report_metrics_wanted(metrics, breaker->name))
        json_array_append_new(metrics->breakers, breaker_entry(breaker, &totals));
}

json_t *report_metrics_end(struct report_metrics *metrics)
{
    json_t *const result = json_pack("{s:o, s:o, s:o, s:o}", "as_of_ms", number(metrics->now_ms), "host",
                                     metrics->wanted ? json_null() : metrics_of_sum(&metrics->host), "groups",
                                     groups(metrics), "breakers", metrics->breakers);
    json_decref(metrics->places);
    free(metrics->groups);
    free(metrics);
    return result;
}

/* -------------------------------------------------------------------------------------------------------------- tripd
 */

json_t *report_tripd(const struct segment_header *header, const struct host_metrics *host,
                     const struct correlation_shown *errors)
{
    const double busy = host->up_ns ? 100 * (double)host->busy_ns / (double)host->up_ns : 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "up_ms", number(host->up_ns / 1000000),
                     "busy_ms", number(host->busy_ns / 1000000), "busy_percent", json_real(busy), "starts",
                     number(header->starts), "lanes", number(header->lanes), "memory",
                     json_pack("{s:o, s:o, s:o}", "worker_bytes", host->resident ? number(host->resident) : json_null(),
                               "segment_bytes", number(report_segment_memory(header)), "lane_bytes",
                               number(host->lane_memory)),
                     "event_lag", report_latency(host->lag), "untold", number(host->untold), "errors_without_text",
                     number(errors->untexted), "errors_not_analysed", number(errors->uncounted), "refused",
                     json_pack("{s:o, s:o, s:o}", "attaches", number(header->refused), "by_max_lanes",
                               number(header->refused_lanes), "by_memory", number(header->refused_memory)));
}
