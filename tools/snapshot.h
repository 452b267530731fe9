/* The one reader of a state segment for all tools: a living instance's, a dead one's, or a core copy of it in a file.
 *
 * Every field is checked before it is used, and everything handed out is a copy. A file that was named is read into
 * memory, so that nobody can truncate it under us; an instance's segment is mapped, if root, tripd's user or oneself
 * owns it.
 */
#ifndef TRIP_TOOLS_SNAPSHOT_H
#define TRIP_TOOLS_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/window.h"
#include "internal/boot.h"
#include "internal/chronicle.h"
#include "internal/layout.h"
#include "protocol/report.h"
#include "protocol/report_errors.h"

struct snapshot;

/* Opens a segment. path: an instance's, as paths_segment() gives it, or (is_file) any file. 0; -ENOENT: there is none;
 * -EPROTO: another version of tripd made it; -EPERM: a stranger owns it; -EBADMSG: it is no segment; other errors of
 * opening. *ret_why says more, and the caller frees it; it may be NULL. */
int snapshot_open(const char *path, bool is_file, struct snapshot **ret_snapshot, char **ret_why);
struct snapshot *snapshot_close(struct snapshot *snapshot);

/* When and where a segment was looked at, and what was known of its tripd then. */
struct snapshot_look {
    uint64_t mono_ns;
    uint8_t boot_id[BOOT_ID_SIZE];
    enum report_daemon daemon;
};
/* Makes a snapshot of a packed copy, with the errors of snapshot_open. name: what the copy is of, for *ret_why. It
 * borrows the memory, which is a multiple of 8 bytes. Now is the time of the look, and tripd is as it was then. */
int snapshot_of_memory(const void *packed, uint64_t size, const char *name, const struct snapshot_look *look,
                       struct snapshot **ret_snapshot, char **ret_why);
/* A packed copy has the header and all entries that are in use. Returns how many bytes it takes by now, whole pages. */
uint64_t snapshot_packed_size(const struct snapshot *snapshot);
/* Brings a packed copy up to date; a new one is all zeros. False: it would have another size by now, and stays as it
 * is. Each entry is copied as it stood at one moment, unless tripd wrote it all the time. */
bool snapshot_pack(const struct snapshot *snapshot, void *packed, uint64_t size);

/* Returns a fresh copy of the header. */
struct segment_header snapshot_header(const struct snapshot *snapshot);
enum report_daemon snapshot_daemon(const struct snapshot *snapshot);
/* Sets what is known of tripd beyond the segment, from asking it. Breakers' reports say it from then on. */
void snapshot_know_daemon(struct snapshot *snapshot, enum report_daemon daemon);
enum report_daemon snapshot_known_daemon(const struct snapshot *snapshot);
/* Returns the milliseconds since creation on the instance's clock: now, even without a tripd, for open times pass all
 * the same; for a file, or a segment of another boot, at the last heartbeat. */
uint64_t snapshot_now_ms(const struct snapshot *snapshot);
/* Returns the time of the look on CLOCK_MONOTONIC: now, or that of the copy. */
uint64_t snapshot_mono_ns(const struct snapshot *snapshot);

uint32_t snapshot_slots(const struct snapshot *snapshot);
/* A copy of a breaker. `report` points into the rest. */
struct snapshot_breaker {
    struct policy_slot policy;
    struct detail_slot detail;
    struct core_head core;
    struct limits_shown limits;
    struct reporters_shown reporters;
    uint64_t latency[LATENCY_BUCKETS];
    struct error_record error;
    struct report_breaker report;
};
/* Copies a breaker. False: the slot is free, or changed all the time while it was read. */
bool snapshot_breaker(const struct snapshot *snapshot, uint32_t slot, struct snapshot_breaker *ret_breaker);
bool snapshot_find(const struct snapshot *snapshot, const char *name, struct snapshot_breaker *ret_breaker);

/* Copies a breaker's window. False: it is damaged. */
bool snapshot_window(const struct snapshot *snapshot, uint32_t slot, struct window *ret_window);

/* Copies the first transition at or after `index`; the next one is at or after its sequence. False: there is none. */
bool snapshot_transition(const struct snapshot *snapshot, uint64_t index, struct transition *ret_transition);

/* Copies the first error record whose sequence is more than `after`. False: there is none. */
bool snapshot_error(const struct snapshot *snapshot, uint64_t after, struct error_record *ret_record);
/* Returns the rows and settings, which point into the snapshot: as of now while tripd runs, otherwise as of its last
 * heartbeat. */
struct report_correlation snapshot_correlation(const struct snapshot *snapshot);

/* Copies a fingerprint; place: 0 to snapshot_fingerprints() - 1. False: the place is free, or being written. */
uint32_t snapshot_fingerprints(const struct snapshot *snapshot);
bool snapshot_fingerprint(const struct snapshot *snapshot, uint32_t place, struct fingerprint *ret_entry);
/* Copies an incident; place: 0 to INCIDENTS_KEPT - 1. False: the place is free, or being written. */
bool snapshot_incident(const struct snapshot *snapshot, uint32_t place, struct incident *ret_incident);
struct chronicle_shown snapshot_chronicle(const struct snapshot *snapshot);

/* Groups are 0 to snapshot_groups() - 1; the first is that of breakers without a group. False: it changed all the time.
 */
uint32_t snapshot_groups(const struct snapshot *snapshot);
struct snapshot_group {
    char name[TRIP_NAME_MAX + 1];
    struct group_image image;
};
bool snapshot_group(const struct snapshot *snapshot, uint32_t at, struct snapshot_group *ret_group);
/* Moves when a breaker's totals go to its group: sums of both that were read meanwhile may be wrong. */
uint64_t snapshot_groups_moved(const struct snapshot *snapshot);
struct host_metrics snapshot_host(const struct snapshot *snapshot);
/* Copies levels and features. If tripd changed them all the time, some may be of before. */
void snapshot_levels(const struct snapshot *snapshot, struct levels_image *ret_levels);

/* Copies a client. False: nobody has this lane, or there is none of this number. Lanes are 1 to snapshot_lanes(). */
uint32_t snapshot_lanes(const struct snapshot *snapshot);
bool snapshot_client(const struct snapshot *snapshot, uint32_t lane, struct client_slot *ret_client);
/* Copies a pattern. place: 0 to PATTERNS_MAX - 1. False: it is free, or ran out. */
bool snapshot_pattern(const struct snapshot *snapshot, uint32_t place, struct pattern_slot *ret_pattern);

#endif
