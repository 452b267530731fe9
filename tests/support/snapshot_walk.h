/* Reads all that a snapshot has, makes the reports of it that tripctl makes, and prints them for nobody. Whatever the
 * segment holds, this ends, and no text of a report moves a terminal. */
#ifndef TRIP_TESTS_SNAPSHOT_WALK_H
#define TRIP_TESTS_SNAPSHOT_WALK_H

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "incidents.h"
#include "internal/printable.h"
#include "metrics.h"
#include "print.h"
#include "protocol/report_incidents.h"
#include "protocol/report_levels.h"
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

static inline void walk_breakers(const struct snapshot *snapshot, FILE *nowhere)
{
    const struct segment_header header = snapshot_header(snapshot);
    const struct report_correlation correlation = snapshot_correlation(snapshot);
    struct report_instance instance = {.header = &header,
                                       .daemon = snapshot_known_daemon(snapshot),
                                       .now_ms = snapshot_now_ms(snapshot),
                                       .mono_ns = snapshot_mono_ns(snapshot)};
    json_t *const lines = json_array(), *const patterns = json_array(), *const clients = json_array();
    json_t *const analyses = report_analyses(&correlation);
    struct snapshot_breaker breaker, again;
    struct pattern_slot pattern;
    struct client_slot client;
    struct window window;
    for (uint32_t slot = 0; slot < snapshot_slots(snapshot); slot++) {
        if (!snapshot_breaker(snapshot, slot, &breaker))
            continue;
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
    walk_print(nowhere, metrics_read(snapshot, NULL), print_metrics);
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
    struct incident incident;
    walk_print(nowhere, fingerprints_read(snapshot, NULL), print_fingerprints);
    walk_print(nowhere, fingerprints_read(snapshot, "*"), print_fingerprints);
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
