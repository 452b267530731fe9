/* A small segment with some of everything in it, packed as snapshot.h says: for tests that forge one. */
#ifndef TRIP_TESTS_PACKED_SEGMENT_H
#define TRIP_TESTS_PACKED_SEGMENT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal/state_word.h"
#include "segment/segment.h"
#include "snapshot.h"

struct packed_segment {
    uint8_t *bytes;
    uint64_t size;
    struct section sections[SECTION_COUNT]; /* in it; counts of entries that are in use */
};

static inline uint32_t packed_breaker(struct segment *segment, const char *name)
{
    static const struct segment_policy policy = {.threshold = 5, .permits = 1};
    struct breaker_settings settings;
    uint32_t slot;
    assert(segment_take(segment, name, 0, &slot) == 0);
    breaker_settings_defaults(&settings);
    struct core_state *const core = segment_begin(segment, slot);
    core_init(core, &settings, 0);
    core->head.totals.calls = core->head.totals.failures = 17;
    segment_commit(segment);
    segment_policy_publish(segment, slot, &policy, TRIP_MODE_AUTO, 0);
    segment_mirror(segment, slot, word_closed(7, 2, 1));
    segment_latency_add(segment, slot, 3, (const uint32_t[LATENCY_GROUP]){5});
    segment_name_publish(segment, slot);
    return slot;
}

static inline void packed_fill(struct segment *segment)
{
    struct correlation_settings settings = correlation_defaults();
    settings.max_errors = settings.fingerprints = 16;
    assert(segment_reserve(segment, segment_slots_wanted(segment)) == 0);
    assert(segment_correlation_publish(segment, &settings) == 0);
    assert(segment_fingerprints_reserve(segment, 16) == 0);
    packed_breaker(segment, "payments/api");
    const uint32_t slot = packed_breaker(segment, "payments/db");
    segment_mirror(segment, slot, word_open(8, 30000));
    segment_transition(segment, &(struct transition){.breaker = slot, .to = TRIP_STATE_OPEN}, 9);
    segment_transition(segment, &(struct transition){.breaker = slot, .by = BY_OPERATOR, .note = "why"}, 9);
    segment_error(
        segment,
        &(struct error_record){
            .breaker = slot, .times = 1, .pairs = 1, .message = "refused", .trace = "t-1", .context = "table\0orders"});
    segment_errors_count(segment, slot, TRIP_ERROR_NETWORK, 9 * TRIP_MS, 3, 9 * TRIP_MS);
    segment_fingerprint(
        segment, 0, &(struct fingerprint){.id = 1, .count = 3, .breakers = {slot}, .breaker_count = 1, .text = "r"});
    segment_incident(segment, &(struct incident){.id = 1,
                                                 .start_ms = 9,
                                                 .errors = 3,
                                                 .evidence = 1,
                                                 .member_count = 1,
                                                 .moment_count = 1,
                                                 .members = {{.slot = slot}},
                                                 .moments = {{.kind = MOMENT_OPENED}},
                                                 .names_used = 12,
                                                 .names = "payments/db"});
    segment_deploy(segment, "web-42", 0, 5);
    segment_client_set(segment, 1, &(struct client_slot){.lane_id = 9, .pid = 77, .program = "nginx"});
    assert(segment_pattern_set(segment, "pay*", TRIP_MODE_SHADOW, 0, 0, "incident 42", 0) == 0);
    segment_limits_show(segment, slot, &(struct limits_shown){.tickets_max = 4, .holders = {{1, 2}}});
    segment_reporters_show(segment, slot, &(struct reporters_shown){.count = 1, .lanes = {{.lane = 1, .calls = 17}}});
    segment_group_put(segment, "gone", &(struct breaker_totals){.calls = 5});
    segment_host_beat(segment, 100, 10, 4096, 4096);
}

static inline struct packed_segment packed_segment_make(void)
{
    struct clock clock;
    struct segment *segment;
    struct snapshot *snapshot;
    char path[40], *why;
    clock_measure(&clock, true);
    const struct segment_options options = {.path = "", .max_breakers = 8, .max_lanes = 4, .clock = &clock};
    assert(segment_create_private(&options, &segment) == 0);
    packed_fill(segment);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", segment->fd);
    assert(snapshot_open(path, true, &snapshot, &why) == 0);
    struct packed_segment packed = {.size = snapshot_packed_size(snapshot)};
    packed.bytes = aligned_alloc(LAYOUT_PAGE, packed.size);
    assert(packed.bytes);
    memset(packed.bytes, 0, packed.size);
    assert(snapshot_pack(snapshot, packed.bytes, packed.size));
    uint64_t at = LAYOUT_PAGE;
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        packed.sections[i] = (struct section){
            .offset = at, .stride = segment->header->sections[i].stride, .count = section_entries(segment->header, i)};
        at += LANE_ALIGN((uint64_t)packed.sections[i].stride * packed.sections[i].count);
    }
    assert(at == packed.size);
    snapshot_close(snapshot);
    segment_unmap(segment);
    return packed;
}

#endif
