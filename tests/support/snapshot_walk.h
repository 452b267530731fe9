/* Reads all that a snapshot has, makes the reports of it that tripctl makes, and prints them for nobody. Whatever the
 * segment holds, this ends, and no text of a report moves a terminal. */
#ifndef TRIP_TESTS_SNAPSHOT_WALK_H
#define TRIP_TESTS_SNAPSHOT_WALK_H

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "incidents.h"
#include "internal/policy.h"
#include "internal/printable.h"
#include "print.h"
#include "protocol/report_incidents.h"
#include "protocol/report_levels.h"
#include "protocol/report_metrics.h"
#include "snapshot.h"

static inline void walk_texts(const json_t *value)
{
    const char *key;
    json_t *inner;
    size_t i;
    if (json_is_string(value))
        assert(printable_all(json_string_value(value), json_string_length(value)));
    json_object_foreach((json_t *)value, key, inner)
    {
        assert(printable_all(key, strlen(key)));
        walk_texts(inner);
    }
    json_array_foreach(value, i, inner) walk_texts(inner);
}

/* Prints a report as people see it, and takes it. */
static inline void walk_print(FILE *nowhere, json_t *report, void (*print)(FILE *out, const json_t *report))
{
    walk_texts(report);
    if (report)
        print(nowhere, report);
    json_decref(report);
}

static inline const char *walk_name(void *context, uint32_t slot)
{
    static struct snapshot_breaker breaker;
    const struct snapshot *const snapshot = context;
    return slot < snapshot_slots(snapshot) && snapshot_breaker(snapshot, slot, &breaker) ? breaker.detail.name : "";
}

static inline void walk_breakers(const struct snapshot *snapshot, FILE *nowhere)
{
    const struct segment_header header = snapshot_header(snapshot);
    const struct host_metrics host = snapshot_host(snapshot);
    const struct report_correlation correlation = snapshot_correlation(snapshot);
    struct report_instance instance = {.header = &header,
                                       .daemon = snapshot_known_daemon(snapshot),
                                       .now_ms = snapshot_now_ms(snapshot),
                                       .mono_ns = snapshot_mono_ns(snapshot)};
    struct report_metrics *const metrics = report_metrics_begin(NULL, instance.now_ms);
    json_t *const lines = json_array(), *const patterns = json_array(), *const clients = json_array();
    json_t *const analyses = report_analyses(&correlation);
    struct snapshot_breaker breaker, again;
    struct snapshot_group group;
    struct pattern_slot pattern;
    struct client_slot client;
    struct window window;
    for (uint32_t at = 0; at < snapshot_groups(snapshot); at++)
        if (snapshot_group(snapshot, at, &group))
            report_metrics_forgotten(metrics, group.name, &group.image);
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++) {
        if (!snapshot_breaker(snapshot, slot, &breaker))
            continue;
        const struct report_counted counted = {.name = breaker.detail.name,
                                               .slot = slot,
                                               .incarnation = policy_incarnation(breaker.policy.admission),
                                               .policy = &breaker.policy,
                                               .core = &breaker.core,
                                               .latency = breaker.latency};
        report_metrics_add(metrics, &counted, true);
        report_count(&instance, &breaker.policy, breaker.report.word);
        report_analyses_add(analyses, &correlation, breaker.detail.name, NULL, true);
        snapshot_window(snapshot, slot, &window);
        json_array_append_new(lines, report_line(&breaker.report));
        if (snapshot_find(snapshot, breaker.detail.name, &again))
            walk_print(nowhere, report_show(&again.report), print_show);
    }
    for (uint32_t place = 0; place < PATTERNS_MAX; place++)
        if (snapshot_pattern(snapshot, place, &pattern))
            json_array_append_new(patterns, report_pattern(&pattern, instance.now_ms));
    for (uint32_t lane = 1; lane <= snapshot_lanes(snapshot); lane++)
        if (snapshot_client(snapshot, lane, &client)) {
            report_count_client(&instance, &client);
            json_array_append_new(clients, report_client(lane, &client));
        }
    walk_print(nowhere, json_pack("{s:o, s:o}", "breakers", lines, "patterns", patterns), print_list);
    walk_print(nowhere, json_pack("{s:o}", "clients", clients), print_clients);
    walk_print(nowhere, analyses, print_analyses);
    walk_print(nowhere, report_status(&instance), print_status);
    json_t *const sums = report_metrics_end(metrics);
    json_object_set_new(sums, "tripd", report_tripd(&header, &host, correlation.shown));
    walk_print(nowhere, sums, print_metrics);
}

static inline void walk_events(const struct snapshot *snapshot, FILE *nowhere)
{
    json_t *const events = json_array(), *const errors = json_array();
    static struct levels_image levels[1];
    struct transition event = {0};
    struct error_record record = {0};
    snapshot_levels(snapshot, levels);
    for (uint64_t index = 0; snapshot_transition(snapshot, index, &event); index = event.sequence) {
        assert(event.sequence > index);
        json_array_append_new(events, report_transition(&event, levels));
    }
    for (uint64_t after = 0; snapshot_error(snapshot, after, &record); after = record.sequence) {
        assert(record.sequence > after);
        json_array_append_new(errors, report_error(&record));
    }
    walk_print(nowhere, json_pack("{s:o}", "events", events), print_events);
    walk_print(nowhere, json_pack("{s:o}", "errors", errors), print_errors);
}

static inline void walk_levels(const struct snapshot *snapshot, FILE *nowhere)
{
    static struct levels_image levels[1];
    const uint64_t now_ms = snapshot_now_ms(snapshot);
    snapshot_levels(snapshot, levels);
    walk_print(nowhere, report_levels(levels, NULL, 0, UINT64_MAX, now_ms), print_levels);
    for (unsigned i = 0; i < 1 + LEVEL_GROUPS; i++)
        walk_print(nowhere, report_levels(levels, levels->levels[i].group, 0, 1, now_ms), print_level);
    walk_print(nowhere, report_features(levels, NULL, 0, UINT64_MAX, now_ms), print_features);
    for (unsigned i = 0; i < FEATURE_PLACES; i++)
        walk_print(nowhere, report_feature(levels, &levels->features[i], now_ms), print_feature);
}

static inline void walk_chronicle(const struct snapshot *snapshot, FILE *nowhere)
{
    const struct chronicle_shown shown = snapshot_chronicle(snapshot);
    const struct report_since since = report_since(&shown, snapshot_correlation(snapshot).now_ns);
    const struct report_names names = {.name = walk_name, .context = (void *)snapshot};
    json_t *const head = report_fingerprints_head(&shown), *const fingerprints = json_array();
    struct fingerprint fingerprint;
    struct incident incident;
    for (uint32_t place = 0; place < snapshot_fingerprints(snapshot); place++)
        if (snapshot_fingerprint(snapshot, place, &fingerprint)) {
            report_fingerprint_wanted(&fingerprint, &names, "*");
            json_array_append_new(fingerprints, report_fingerprint(&fingerprint, &names, &since));
        }
    json_object_set_new(head, "fingerprints", fingerprints);
    walk_print(nowhere, head, print_fingerprints);
    walk_print(nowhere, incidents_read(snapshot), print_incidents);
    for (uint32_t place = 0; place < INCIDENTS_KEPT; place++)
        if (snapshot_incident(snapshot, place, &incident))
            walk_print(nowhere, incident_read(snapshot, incident.id), print_incident);
}

static inline void walk_snapshot(const struct snapshot *snapshot)
{
    FILE *const nowhere = fopen("/dev/null", "we");
    assert(nowhere);
    snapshot_daemon(snapshot);
    snapshot_groups_moved(snapshot);
    walk_breakers(snapshot, nowhere);
    walk_events(snapshot, nowhere);
    walk_levels(snapshot, nowhere);
    walk_chronicle(snapshot, nowhere);
    fclose(nowhere);
}

#endif
