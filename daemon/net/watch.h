/* Events for those who watch: each watcher reads the ring of events at its own pace, from where it is. tripd waits for
 * nobody: what the ring has lost before a watcher came to it is counted, and told with the next event.
 *
 *   ring     ... 41 42 43 44 45 │ next
 *   watcher          next = 42: 43, 44 and 45 are told when there is room in its queue
 */
#ifndef TRIPD_WATCH_H
#define TRIPD_WATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "segment/segment.h"

/* X(ENUM_SUFFIX, "name"): a step of a state, a change of a mode in force, what an operator did, an incident that began
 * or ended, a change of a degradation level, of a feature. */
#define WATCH_KINDS(X)          \
    X(TRANSITION, "transition") \
    X(MODE, "mode")             \
    X(ACT, "act")               \
    X(INCIDENT, "incident")     \
    X(LEVEL, "level")           \
    X(FEATURE, "feature")

#define WATCH_KIND_INDEX(suffix, name) WATCH_INDEX_##suffix,
enum { WATCH_KINDS(WATCH_KIND_INDEX) WATCH_KIND_COUNT };
#define WATCH_KIND_BIT(suffix, name) WATCH_##suffix = 1 << WATCH_INDEX_##suffix,
enum { WATCH_KINDS(WATCH_KIND_BIT) WATCH_ALL = (1 << WATCH_KIND_COUNT) - 1 };

struct watch {
    uint64_t next; /* index of the first event that it has not read */
    uint64_t lost; /* events that the ring had lost since the last one that it was told of */
    unsigned kinds;
    char pattern[TRIP_NAME_MAX + 1]; /* of breakers; "": all events */
};

/* Reads names of kinds with commas between them; NULL: all. False: one of them is no kind. */
bool watch_kinds(const char *names, unsigned *ret_kinds);

/* Is there an event that the watcher has not read? */
bool watch_behind(const struct watch *watch, const struct segment *segment);

/* Reads on. Returns {"events": [...]}, of which each is as in `events`, and says how many were lost before it, if some
 * were: as many as fit a packet. NULL: there is none that is wanted, or no memory. */
json_t *watch_read(struct watch *watch, const struct segment *segment);

#endif
