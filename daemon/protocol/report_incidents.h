/* Fingerprints and incidents as JSON for people and programs. */
#ifndef TRIPD_REPORT_INCIDENTS_H
#define TRIPD_REPORT_INCIDENTS_H

#include "internal/chronicle.h"
#include "protocol/report.h"

/* Finds the name of the breaker that has a slot now. "": nobody has it. */
struct report_names {
    const char *(*name)(void *context, uint32_t slot);
    void *context;
};

/* Since when fingerprints count as new: the last deploy mark; where there was none, the last start. */
struct report_since {
    uint64_t now_ns, new_ms;
};
struct report_since report_since(const struct chronicle_shown *shown, uint64_t now_ns);

/* One fingerprint: its template, how often it came, since when, of whom, and how fast. */
json_t *report_fingerprint(const struct fingerprint *entry, const struct report_names *names,
                           const struct report_since *since);
/* Did an error with it come from a breaker that matches? wanted: a name or a pattern; NULL: any. */
bool report_fingerprint_wanted(const struct fingerprint *entry, const struct report_names *names, const char *wanted);
/* What goes with a list of fingerprints: {"deploy": {...} or null, "new_since_unix_ms", "unclassified"}. */
json_t *report_fingerprints_head(const struct chronicle_shown *shown);

/* One incident, as of now_ms on the instance's clock. whole: with what each breaker did, and the timeline. */
json_t *report_incident(const struct incident *incident, uint64_t now_ms, bool whole);

#endif
