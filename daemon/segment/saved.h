/* The snapshot on disk: what a reboot must not lose, which takes the segment away. Modes, open breakers, totals.
 *
 *   FOLDER/snapshot      a stream of MessagePack maps: a head, then patterns, breakers, groups, incidents, levels,
 *                        features that are set
 *   FOLDER/snapshot.new  the one being written; renamed when it is whole and on the disk
 *
 * Times are wall times: no monotonic time means anything after a reboot.
 */
#ifndef TRIPD_SAVED_H
#define TRIPD_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "internal/layout.h"
#include "segment/segment.h"

#define SAVED_VERSION  1
#define SAVED_SIZE_MAX (256 * 1024 * 1024) /* bytes: a file that is longer is no snapshot */

struct saved_mode {
    bool set;
    trip_mode mode;
    uint32_t uid;
    uint64_t until_unix_ms; /* 0: no TTL */
    char reason[DETAIL_TEXT_MAX];
};

/* The calls of one bucket of internal/latency.h. */
struct saved_latency {
    uint32_t bucket;
    uint64_t calls;
};

struct saved_breaker {
    char name[TRIP_NAME_MAX + 1];
    trip_reason reason;          /* of the last opening */
    uint64_t open_until_unix_ms; /* 0: it was closed or ramping */
    uint32_t made_by;            /* the user whose quota the breaker counts against */
    struct breaker_totals totals;
    struct saved_mode modes[MODE_OWNER_CONFIG]; /* modes from the config come back with the config */
    struct saved_latency *latency;              /* the buckets that hold calls */
    size_t latency_count;
};

/* What breakers of a group counted that are forgotten; "": of no group. */
struct saved_group {
    char name[TRIP_NAME_MAX + 1];
    struct breaker_totals totals;
};

struct saved_pattern {
    char pattern[TRIP_NAME_MAX + 1];
    struct saved_mode mode;
};

/* In both, times are in `until_unix_ms` (0: no TTL), and the entry's own are 0. */
struct saved_level {
    struct level_state level;
    uint64_t until_unix_ms;
};

struct saved_feature {
    struct feature_state feature;
    uint64_t until_unix_ms;
};

struct saved {
    uint64_t written_unix_ms;
    struct saved_breaker *breakers;
    size_t breaker_count;
    struct saved_pattern *patterns;
    size_t pattern_count;
    struct saved_group *groups;
    size_t group_count;
    struct incident *incidents;
    size_t incident_count;
    struct saved_level *levels;
    size_t level_count;
    struct saved_feature *features;
    size_t feature_count;
};

/* Writes what the segment holds now, whole or not at all. 0 or -errno. Allocates memory, and reads nothing but the
 * segment. */
int saved_write(const char *folder, const struct segment *segment, uint64_t now_ms);

/* Writes the same into any file. now_unix_ms: the wall time at now_ms. -EAGAIN: a breaker was forgotten meanwhile,
 * whose totals may be there twice. */
int saved_put(FILE *file, const struct segment *segment, uint64_t now_ms, uint64_t now_unix_ms);

/* Reads the snapshot. -ENOENT: there is none. -EBADMSG: it is damaged, and *ret_why says where; nothing of it is used.
 */
int saved_read(const char *folder, struct saved *ret_saved, const char **ret_why);
/* Reads the bytes of a snapshot's file. */
int saved_parse(const uint8_t *data, size_t size, struct saved *ret_saved, const char **ret_why);
void saved_clear(struct saved *saved);

#endif
