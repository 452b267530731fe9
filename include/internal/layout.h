/* The layout of everything that tripd, libtrip and the tools share. Header-only, not installed.
 *
 *   state segment   named POSIX shm, written by tripd alone, clients map it read-only
 *   commons         sealed memfd, one CAS-able 64-bit word at a time, written by everyone
 *   lane            sealed memfd of one client process; the lines marked "tripd" are tripd's, the rest the client's
 *
 * Rules that hold everywhere:
 *   - A field is a naturally aligned 8-byte (or smaller) scalar, written and read whole.
 *   - A comment above each line names its writer. A line has one kind of writer, except for the CAS-able words.
 *   - Sections of the segment are found by the offset, stride and count that its header states, never by constants: a
 *     later version adds sections behind, and an older reader goes on.
 *   - A reader copies, then validates the copy, and uses nothing from shared memory twice.
 *
 * Any change here moves layout_digest(), whose value stands in a golden file in tests/abi; a client with another digest
 * is refused at attach with both named.
 */
#ifndef TRIP_INTERNAL_LAYOUT_H
#define TRIP_INTERNAL_LAYOUT_H

#include "internal/layout_commons.h"
#include "internal/layout_lane.h"
#include "internal/layout_segment.h"
#include "internal/numbers.h"

#define LAYOUT_AT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field " moved")
#define LAYOUT_SIZE(type, size)    _Static_assert(sizeof(struct type) == (size), #type " changed its size")

LAYOUT_AT(segment_header, version, 8);
LAYOUT_AT(segment_header, sections, 128);
LAYOUT_AT(segment_header, heartbeat_mono_ns, 640);
LAYOUT_AT(segment_header, slots, 680);
LAYOUT_AT(segment_header, test_now_ns, 704);
LAYOUT_AT(segment_header, transition_next, 768);
LAYOUT_AT(segment_header, tsc, 832);
LAYOUT_SIZE(segment_header, 896);
LAYOUT_SIZE(tsc_line, 64);
LAYOUT_AT(policy_slot, modes, 64);
LAYOUT_AT(policy_slot, tickets_wait, 120);
LAYOUT_AT(policy_slot, tickets_highest, 128);
LAYOUT_AT(policy_slot, retry, 192);
LAYOUT_SIZE(policy_slot, 256);
LAYOUT_SIZE(core_slot, 64 + 2 * CORE_IMAGE_SIZE);
LAYOUT_SIZE(transition, 272);
LAYOUT_SIZE(meter_marks, 256);
LAYOUT_SIZE(step_mark, 128);
LAYOUT_SIZE(journal_mark, 280);
LAYOUT_SIZE(client_slot, 64);
LAYOUT_SIZE(pattern_slot, 256);
LAYOUT_SIZE(latency_group, 256);
LAYOUT_AT(commons_header, dirty, 64);
LAYOUT_SIZE(state_line, 64);
LAYOUT_AT(state_line, ring_at, 16);
LAYOUT_SIZE(limit_lines, 192);
LAYOUT_SIZE(limits_shown, 120);
LAYOUT_SIZE(reporting_lane, 32);
LAYOUT_SIZE(reporters_shown, 272);
LAYOUT_SIZE(error_record, 656);
LAYOUT_SIZE(error_row, 64);
LAYOUT_SIZE(correlation_shown, 64);
LAYOUT_SIZE(fingerprint, 216);
LAYOUT_SIZE(incident, 1536);
LAYOUT_SIZE(chronicle_memory, 32848);
LAYOUT_AT(fallback_memory, books, 8);
LAYOUT_SIZE(fallback_step, 24);
LAYOUT_SIZE(level_state, 256);
LAYOUT_SIZE(feature_state, 256);
LAYOUT_SIZE(levels_memory, 295976);
LAYOUT_SIZE(lane_header, 704);
_Static_assert(sizeof(struct lane_header) <= LANE_HEADS_OFFSET, "lane_header outgrew its place");
LAYOUT_SIZE(lane_section, 128);
LAYOUT_SIZE(meter, 512);
LAYOUT_AT(meter, denied, 128);
LAYOUT_AT(meter, marks, 192);
LAYOUT_AT(meter, rooms, 448);
LAYOUT_SIZE(lane_room, 128);
LAYOUT_SIZE(lane_event, 32);
LAYOUT_SIZE(lane_error, 512);
LAYOUT_SIZE(lane_call, 16);
_Static_assert(TRIP_ERROR_TYPE_COUNT <= 32 && LANE_METERS <= 1 << 17, "an event has no room for a type or a meter");
_Static_assert(LATENCY_GROUP == LANE_ROOM_COUNTERS, "a room holds a group");
_Static_assert(LANE_RINGS_SIZE % LAYOUT_PAGE == 0, "sections share pages");

/* FNV-1a over what the static asserts above and the constants say: equal only for equal layouts. */
static inline uint64_t layout_digest(void)
{
    const uint64_t facts[] = {
        LAYOUT_VERSION,
        SECTION_COUNT,
        COMMONS_SECTION_COUNT,
        CORE_IMAGE_SIZE,
        TRANSITION_RING,
        ACTS_RING,
        JOURNAL_MARKS,
        PENDING_MARKS,
        PERMITS_PER_BREAKER,
        BREAKERS_MAX,
        LANES_MAX,
        COMMONS_LANES_MAX,
        LANE_SECTIONS,
        LANE_METERS,
        LANE_BREAKERS,
        LANE_EVENTS,
        LANE_ERRORS,
        LANE_CALLS,
        LANE_ROOMS,
        LATENCY_OCTAVES,
        LATENCY_STEPS,
        LATENCY_GROUP,
        LANE_HEADS_OFFSET,
        LANE_RESOLVED_OFFSET,
        LANE_CALLS_OFFSET,
        LANE_RINGS_OFFSET,
        LANE_METERS_OFFSET,
        TRIP_NAME_MAX,
        TRIP_ERROR_MESSAGE_MAX,
        TRIP_ERROR_ID_MAX,
        TRIP_ERROR_CONTEXT_MAX,
        ERROR_RECORDS_MAX,
        ERROR_ROWS,
        sizeof(struct error_record),
        offsetof(struct error_record, name),
        sizeof(struct error_row),
        sizeof(struct correlation_shown),
        FINGERPRINTS_MAX,
        INCIDENTS_KEPT,
        sizeof(struct fingerprint),
        sizeof(struct incident),
        sizeof(struct incident_member),
        sizeof(struct incident_moment),
        sizeof(struct chronicle_memory),
        FALLBACK_CHAINS,
        FALLBACK_STEPS,
        FALLBACK_TEXTS,
        TRIP_STRATEGY_COUNT,
        sizeof(struct fallback_book),
        sizeof(struct fallback_memory),
        offsetof(struct policy_slot, fallback),
        TRIP_REASON_COUNT,
        TRIP_OUTCOME_COUNT,
        TRIP_ERROR_TYPE_COUNT,
        sizeof(struct segment_header),
        offsetof(struct segment_header, heartbeat_mono_ns),
        offsetof(struct segment_header, commons_id),
        offsetof(struct segment_header, round),
        offsetof(struct segment_header, slots),
        offsetof(struct segment_header, latency_groups),
        offsetof(struct segment_header, max_breakers),
        sizeof(struct breaker_rest),
        offsetof(struct segment_header, test_now_ns),
        offsetof(struct segment_header, tsc),
        sizeof(struct policy_slot),
        offsetof(struct policy_slot, judge),
        offsetof(struct policy_slot, next_open_ms),
        offsetof(struct policy_slot, half_open),
        offsetof(struct policy_slot, modes),
        offsetof(struct policy_slot, ramp_end),
        offsetof(struct policy_slot, tickets_wait),
        offsetof(struct policy_slot, tickets_highest),
        offsetof(struct policy_slot, rate_shares),
        offsetof(struct policy_slot, retry),
        sizeof(struct detail_slot),
        offsetof(struct detail_slot, modes),
        offsetof(struct detail_slot, latency),
        sizeof(struct core_head),
        sizeof(struct core_slot),
        sizeof(struct transition),
        sizeof(struct journal),
        sizeof(struct journal_mark),
        offsetof(struct journal_mark, kind),
        sizeof(struct client_slot),
        sizeof(struct pattern_slot),
        sizeof(struct latency_group),
        PATTERNS_MAX,
        sizeof(struct commons_header),
        offsetof(struct commons_header, doorbell),
        offsetof(struct commons_header, dirty),
        sizeof(struct state_line),
        offsetof(struct state_line, told),
        offsetof(struct state_line, ring_at),
        sizeof(struct limit_lines),
        sizeof(struct limits_shown),
        sizeof(struct reporters_shown),
        sizeof(struct reporting_lane),
        TICKETS_MAX,
        TICKET_LEASE,
        LEASE_UNIT_MS,
        DENIALS,
        sizeof(struct lane_header),
        offsetof(struct lane_header, meters_used),
        offsetof(struct lane_header, segment_id),
        offsetof(struct lane_header, announced),
        offsetof(struct lane_header, rooms_used),
        offsetof(struct lane_header, granted),
        offsetof(struct lane_header, moved),
        sizeof(struct lane_section),
        offsetof(struct lane_section, tail),
        sizeof(struct meter),
        offsetof(struct meter, rung),
        offsetof(struct meter, denied),
        offsetof(struct meter, marks),
        offsetof(struct meter, rooms),
        offsetof(struct meter, errors),
        sizeof(struct lane_room),
        sizeof(struct lane_event),
        offsetof(struct lane_event, what),
        sizeof(struct lane_error),
        offsetof(struct lane_error, message),
        sizeof(struct lane_call),
        LEVELS_MAX,
        LEVEL_GROUPS,
        FEATURE_PLACES,
        sizeof(struct level_state),
        offsetof(struct level_state, set),
        sizeof(struct feature_state),
        offsetof(struct feature_state, configured),
        sizeof(struct levels_image),
        offsetof(struct transition, set),
        OF_COUNT,
    };
    return fnv1a(FNV1A_BASIS, facts, sizeof(facts));
}

#endif
