/* What people and programs are shown of an instance: what is copied out of its segment, as JSON trees. The one place
 * that names keys: tripd's control socket and tripctl's --json build their answers here.
 *
 * Durations end in `_ms`, wall times in `_unix_ms`; rates are percent, null while fewer than minimum_calls calls are in
 * the window. Each function returns a new reference, or NULL without memory. Texts that came from clients are cleaned:
 * no control characters, always UTF-8.
 */
#ifndef TRIPD_REPORT_H
#define TRIPD_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "core/refusals.h"
#include "core/tracer.h"
#include "internal/layout.h"

/* What is known of tripd. DEAD: it was not stopped, and nobody listens at its socket; the segment alone cannot tell
 * DEAD from STALLED. */
#define REPORT_DAEMONS(X) \
    X(RUNNING, "running") \
    X(STALLED, "stalled") \
    X(STOPPED, "stopped") \
    X(GONE, "gone")       \
    X(DEAD, "dead")

#define REPORT_DAEMON_ENUM(suffix, name) REPORT_##suffix,
enum report_daemon { REPORT_DAEMONS(REPORT_DAEMON_ENUM) };

struct report_breaker {
    const struct policy_slot *policy;
    const struct detail_slot *detail;
    const struct core_head *core;
    uint64_t word; /* from the mirror */
    uint64_t now_ms;
    const struct limits_shown *limits;
    const struct reporters_shown *reporters; /* for report_show alone; NULL: a simulation has none */
    const uint64_t *latency;                 /* calls by latency bucket; for report_show alone */
    const struct error_record *error; /* the last error's record, for report_show alone; NULL: it is overwritten */
    enum report_daemon
        daemon;        /* if tripd is not running, clients may have moved the state since, and `word` is a guess */
    uint64_t as_of_ms; /* since when `word` is a guess; 0: it is certain */
};

/* A line of `list`: what operators look at first. */
json_t *report_line(const struct report_breaker *breaker);
/* The breaker's mode and its owner. NULL: it is in mode auto. */
json_t *report_mode(const struct report_breaker *breaker);
/* The answer to `show`: the line, and everything else. */
json_t *report_show(const struct report_breaker *breaker);

/* The `limits` of `show`: {"concurrency", "rate", "throttle", "retry", "deadline_rejected"}; a limit that is off is
 * null. */
json_t *report_limits(const struct report_breaker *breaker);

/* A mode that binds breakers by a pattern, also breakers to come. */
json_t *report_pattern(const struct pattern_slot *pattern, uint64_t now_ms);
/* levels: where the names of levels are; NULL: they are told by number. */
json_t *report_transition(const struct transition *transition, const struct levels_image *levels);
/* Is the event of a breaker, a group with a level, or a feature that matches? An incident is of several breakers, and
 * so of the host alone. wanted: a name or a pattern; NULL: everything is. */
bool report_transition_wanted(const struct transition *transition, const char *wanted);
json_t *report_client(uint32_t lane, const struct client_slot *client);

/* Tells the state of tripd from its segment's header and from this boot's CLOCK_MONOTONIC and id. A segment of another
 * boot, or a copy from another machine, has no tripd here. */
enum report_daemon report_daemon_state(const struct segment_header *header, uint64_t mono_ns,
                                       const uint8_t boot_id[16]);

const char *report_daemon_name(enum report_daemon daemon);

struct report_instance {
    const struct segment_header *header;
    enum report_daemon daemon;
    uint64_t now_ms;
    uint64_t mono_ns;
    uint32_t states[TRIP_STATE_COUNT]; /* breakers by state */
    uint32_t moded;                    /* breakers whose mode is not auto */
    uint32_t clients;
    uint64_t lost; /* outcomes of its clients that found no meter */
};
/* Counts a breaker in `states` and `moded`. word: from the mirror. */
void report_count(struct report_instance *instance, const struct policy_slot *policy, uint64_t word);
void report_count_client(struct report_instance *instance, const struct client_slot *client);
json_t *report_status(const struct report_instance *instance);
/* For `status` of a running tripd: which users cannot take part, and why, the latest first. */
json_t *report_refusals(const struct refusals *refusals);

/* Returns {"steps", "lost"}. Each step is a line of a trace, as tools/trace_step.h reads it. */
json_t *report_trace(const struct tracer_batch *batch);

/* Returns lines of text as a list, of at most the first 30,000 bytes. NULL: there are no lines. */
json_t *report_lines(const char *text);

#endif
