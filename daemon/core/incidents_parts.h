/* The parts of the engine of incidents (incidents.h), which include this, and nobody else does.
 *
 *   incidents.c            when incidents begin and end; what errors and time do
 *   incidents_events.c     what steps, acts and modes do
 *   incidents_activity.c   what each breaker does: runs of errors, ids that breakers' errors share
 *   incidents_relate.c     to which incident a breaker that fails belongs
 *   incidents_record.c     what stands in an incident: members, moments, counts
 *   incidents_candidate.c  which member is held to be the cause, and how surely
 *
 * Times without a unit are milliseconds since the segment's creation. */
#ifndef TRIP_CORE_INCIDENTS_PARTS_H
#define TRIP_CORE_INCIDENTS_PARTS_H

#include "core/incidents.h"

#define NANOS_PER_MS UINT64_C(1000000)
#define ERROR_MILLI  1000u /* what an error adds to activity.level_milli */

static inline uint64_t window_ms(const struct incidents_host *host)
{
    return at_least(host->settings.cascade_window / NANOS_PER_MS, 1);
}

/* ----------------------------------------------------------------------------------------------------- incidents.c */

/* A breaker, and the incident that it is a member of, if there is one. */
struct subject {
    struct activity *activity;
    const char *name;
    struct incident_open *open; /* NULL: it is a member of none */
    unsigned member;
};

static inline struct incident *subject_incident(const struct subject *subject)
{
    return &subject->open->incident;
}

static inline struct incident_member *subject_member(const struct subject *subject)
{
    return &subject->open->incident.members[subject->member];
}

/* Finds the breaker's activity, or makes it, and its incident. */
struct subject subject_of(struct incidents *incidents, uint32_t slot, const char *name, uint64_t at_ms);
/* Finds the incident of the breaker that has subject->name. */
void subject_find(struct incidents *incidents, uint32_t slot, struct subject *subject);
/* Makes a breaker that fails a member of the incident to which it is related most, or of one that begins with it.
 * subject->open stays NULL: that incident has no place for it. */
void subject_join(struct incidents *incidents, const struct incidents_host *host, struct subject *subject);
void incidents_end_quiet(struct incidents *incidents, const struct incidents_host *host, uint64_t now_ms);

/* -------------------------------------------------------------------------------------------- incidents_activity.c */

/* NULL: nothing is known of it. */
struct activity *activity_of(struct incidents *incidents, uint32_t slot);
const struct activity *activity_seen(const struct incidents *incidents, uint32_t slot);
/* Returns the breaker's entry, or makes it in the place of that which is not a member and was active longest ago. */
struct activity *activity_make(struct incidents *incidents, uint32_t slot, const char *name, uint64_t at_ms);

/* How an error changed the run of its breaker's errors. */
struct activity_change {
    bool burst;    /* a burst began */
    bool elevated; /* its errors are far more than usual */
    bool earlier;  /* the run is known to have begun earlier than it was said to */
};
struct activity_change activity_errors(struct activity *activity, const struct incidents_host *host,
                                       const struct incidents_error *error, bool member);
/* Notes the ids that an error had. */
void activity_ids(struct incidents *incidents, struct activity *activity, const struct incidents_error *error);
/* Notes a step of the breaker's state. */
void activity_step(struct activity *activity, enum activity_state state, uint64_t at_ms);

/* The mean time between the errors of a run. */
uint64_t activity_pace(const struct activity *activity);

/* How many ids the errors of two breakers had in common; *ret_first: how many `one` had first. */
uint32_t activities_shared(const struct activity *one, const struct activity *other, uint32_t *ret_first);

/* ---------------------------------------------------------------------------------------------- incidents_relate.c */

/* Returns the incident to which a breaker belongs that has begun to fail. NULL: to none. */
struct incident_open *incidents_related(struct incidents *incidents, const struct incidents_host *host,
                                        const struct activity *activity, const char *name);

/* ---------------------------------------------------------------------------------------------- incidents_record.c */

/* Begins an incident in a place that is all zeros. */
void incident_begin(struct incident *incident, const struct incidents_host *host, uint64_t id, uint64_t at_ms);
/* Returns the member's index. INCIDENT_NOBODY: it is none. */
unsigned incident_member_of(const struct incident *incident, uint32_t slot, const char *name);
/* Adds a member that failed first at onset_ms. INCIDENT_NOBODY: there is no place for it. */
unsigned incident_join(struct incident *incident, const struct incidents_host *host, uint32_t slot, const char *name,
                       uint64_t onset_ms);
/* Says that a member failed as early as that; the incident starts then at the latest. */
void incident_onset(struct incident *incident, const struct incidents_host *host, unsigned member, uint64_t onset_ms);
void incident_moment(struct incident *incident, uint64_t at_ms, struct incident_moment moment);
/* Something happened by which it is not over yet. */
void incident_touch(struct incident *incident, uint64_t at_ms);
int32_t incident_relative(const struct incident *incident, uint64_t at_ms);
uint64_t incident_absolute(const struct incident *incident, int32_t relative_ms);

/* Errors of a member. */
struct incident_errors {
    uint64_t times, fingerprint;
    uint32_t pid;
    uint8_t type;
};
void incident_errors(struct incident_open *open, const struct incidents_host *host, unsigned member,
                     const struct incident_errors *errors);

/* ------------------------------------------------------------------------------------------- incidents_candidate.c */

void incident_candidate(const struct incidents *incidents, const struct incidents_host *host,
                        struct incident *incident);

#endif
