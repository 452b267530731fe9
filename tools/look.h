/* What the screens and JSON of triptop present of an instance: one look at its segment, and the rates since another.
 *
 *   snapshot ──> looks_take: a look, with rates ──> top/rows.h: rows of breakers and groups
 *
 * tripd counts successes at its heartbeats, about once a second. So rates are taken from heartbeat to heartbeat,
 * however often one looks, and a look between two heartbeats keeps the rates of the one before.
 */
#ifndef TRIP_TOOLS_LOOK_H
#define TRIP_TOOLS_LOOK_H

#include "protocol/figures.h"
#include "snapshot.h"

#define TRAIL_PLACES 30
#define TRAIL_MS     2000 /* of a place: the trail is the last minute */

/* What happened in a second, on average. */
struct rates {
    bool known; /* false: there was one heartbeat only, or tripd does not run */
    double calls, failures, denied, errors;
};

/* How many calls a second there were, and whether some of them failed or were denied. The newest place is the last. */
struct trail {
    float calls[TRAIL_PLACES]; /* negative: not known */
    bool trouble[TRAIL_PLACES];
};

struct look_breaker {
    uint32_t slot, incarnation;
    char name[TRIP_NAME_MAX + 1];
    struct figures figures;
    enum trip_reason reason, condition; /* of the last opening; for a relapse, the condition that held */
    enum transition_by by;              /* who took the last step */
    bool hidden;                        /* lists leave it out, because it has no calls */
    bool certain;                       /* false: without a running tripd, clients may have moved its state */
    uint64_t window_calls, window_failures, window_slow, in_flight;
    uint64_t calls, failures, denied, errors; /* since it came into being */
    struct rates rates;
    double p50_ms, p99_ms; /* of the calls of the rates, or where these are not known of all; negative: not known */
    struct trail trail;
};

struct look {
    struct segment_header header;
    enum report_daemon daemon;
    uint64_t now_ms; /* on the instance's clock */
    uint64_t heartbeat_age_ms;
    struct host_metrics host;
    uint32_t clients, incidents; /* processes that are attached; incidents that go on */
    uint32_t states[TRIP_STATE_COUNT], moded;
    uint64_t in_flight;
    struct rates rates; /* of all breakers together */
    uint32_t count;
    const struct look_breaker **breakers; /* in the order of their slots */
};

struct looks;

struct looks *looks_new(void); /* NULL: no memory */
struct looks *looks_free(struct looks *looks);
/* Looks at the segment. The result lasts until the next look. NULL: no memory. */
const struct look *looks_take(struct looks *looks, const struct snapshot *snapshot);
/* Forgets earlier looks: the next one is at another time, or at another segment. */
void looks_forget(struct looks *looks);

/* Adds the rates of one more. What is added up is known if some of it is. */
void rates_add(struct rates *to, const struct rates *more);

/* Returns how much something grew in a second, on average. */
double rate_per_second(uint64_t before, uint64_t now, uint64_t ms);

#endif
