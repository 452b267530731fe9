#include "core/incidents.h"

#include <string.h>

#include "core/incidents_parts.h"

/* ---------------------------------------------------------------------------------------------------- begin and end */

static void tell(const struct incidents_host *host, const struct incident *incident)
{
    if (host->changed)
        host->changed(host->context, incident);
}

static bool any_open(const struct incident *incident)
{
    for (unsigned i = 0; i < incident->member_count; i++)
        if (incident->members[i].flags & MEMBER_OPEN)
            return true;
    return false;
}

static void end(struct incidents *incidents, const struct incidents_host *host, struct incident_open *open)
{
    struct incident *const incident = &open->incident;
    incident_candidate(incidents, host, incident);
    incident_touch(incident, incident->start_ms);
    incident->end_ms = at_least(incident->last_ms, 1);
    incident->end_unix_ms = incident->start_unix_ms + (incident->end_ms - incident->start_ms);
    incident_moment(incident, incident->last_ms,
                    (struct incident_moment){.kind = MOMENT_ENDED, .member = INCIDENT_NOBODY});
    tell(host, incident);
    memset(open, 0, sizeof(*open));
}

void incidents_end_quiet(struct incidents *incidents, const struct incidents_host *host, uint64_t now_ms)
{
    const uint64_t quiet_ms = host->settings.quiet / NANOS_PER_MS;
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        const struct incident *const incident = &incidents->open[i].incident;
        if (incident->id && !any_open(incident) && now_ms >= incident->last_ms &&
            now_ms - incident->last_ms >= quiet_ms)
            end(incidents, host, &incidents->open[i]);
    }
}

/* Is it nearer to its end? An incident with an open breaker is further from it than any without. */
static bool quieter(const struct incident *one, const struct incident *other)
{
    const bool one_open = any_open(one), other_open = any_open(other);
    return one_open == other_open ? one->last_ms < other->last_ms : other_open;
}

/* Returns a free place. If there is none, the incident that is nearest to its end ends now. */
static struct incident_open *make_place(struct incidents *incidents, const struct incidents_host *host)
{
    struct incident_open *nearest = &incidents->open[0];
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        struct incident_open *const open = &incidents->open[i];
        if (open->incident.id == 0)
            return open;
        if (quieter(&open->incident, &nearest->incident))
            nearest = open;
    }
    nearest->incident.displaced = 1;
    end(incidents, host, nearest);
    return nearest;
}

static struct incident_open *begin(struct incidents *incidents, const struct incidents_host *host,
                                   struct activity *activity)
{
    struct incident_open *const open = make_place(incidents, host);
    if (activity->episodes < UINT16_MAX)
        activity->episodes++;
    incidents->next_id = at_least(incidents->next_id, 1);
    incident_begin(&open->incident, host, incidents->next_id++, activity->onset_ms);
    return open;
}

/* ---------------------------------------------------------------------------------------------------------- members */

void subject_find(struct incidents *incidents, uint32_t slot, struct subject *subject)
{
    subject->open = NULL;
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        const unsigned member = incident_member_of(&incidents->open[i].incident, slot, subject->name);
        if (member == INCIDENT_NOBODY)
            continue;
        subject->open = &incidents->open[i];
        subject->member = member;
        return;
    }
}

struct subject subject_of(struct incidents *incidents, uint32_t slot, const char *name, uint64_t at_ms)
{
    struct subject subject = {.activity = activity_make(incidents, slot, name, at_ms), .name = name};
    subject_find(incidents, slot, &subject);
    return subject;
}

/* The errors of the run that led to it belong to the incident. */
static void bring_errors(const struct incidents_host *host, const struct subject *subject)
{
    const struct activity *const activity = subject->activity;
    const struct incident_errors errors = {
        .times = activity->errors, .fingerprint = activity->fingerprint, .pid = activity->pid, .type = activity->type};
    incident_errors(subject->open, host, subject->member, &errors);
}

void subject_join(struct incidents *incidents, const struct incidents_host *host, struct subject *subject)
{
    struct activity *const activity = subject->activity;
    struct incident_open *const related = incidents_related(incidents, host, activity, subject->name);
    struct incident_open *const open = related ? related : begin(incidents, host, activity);
    subject->member = incident_join(&open->incident, host, activity->slot, subject->name, activity->onset_ms);
    if (subject->member == INCIDENT_NOBODY) {
        incident_touch(&open->incident, activity->last_ms);
        return;
    }
    subject->open = open;
    bring_errors(host, subject);
    subject_member(subject)->pace = (uint8_t)at_most(activity_pace(activity) / 100, UINT8_MAX);
    incident_candidate(incidents, host, &open->incident);
    if (!related)
        tell(host, &open->incident);
}

/* ----------------------------------------------------------------------------------------------------------- errors */

static void count_errors(const struct incidents_host *host, const struct subject *subject,
                         const struct incidents_error *error)
{
    const struct incident_errors errors = {
        .times = error->times, .fingerprint = error->fingerprint, .pid = error->pid, .type = error->type};
    incident_errors(subject->open, host, subject->member, &errors);
}

static void burst(const struct subject *subject, uint64_t at_ms)
{
    subject_member(subject)->flags |= MEMBER_BURST;
    incident_moment(subject_incident(subject), at_ms,
                    (struct incident_moment){.kind = MOMENT_ERROR_BURST, .member = (uint8_t)subject->member});
}

/* Was this run the member's first in the incident? Then its errors say when the member began to fail. */
static void failed_earlier(const struct incidents_host *host, const struct subject *subject)
{
    const uint64_t known_ms = incident_absolute(subject_incident(subject), subject_member(subject)->onset_ms);
    const uint64_t onset_ms = subject->activity->onset_ms;
    if (onset_ms < known_ms && known_ms - onset_ms <= window_ms(host))
        incident_onset(subject_incident(subject), host, subject->member, onset_ms);
}

void incidents_error(struct incidents *incidents, const struct incidents_host *host,
                     const struct incidents_error *error)
{
    const char *const name = host->name(host->context, error->slot);
    const uint64_t at_ms = error->at_ns / NANOS_PER_MS;
    if (!name || !name[0] || error->times == 0)
        return;
    incidents_end_quiet(incidents, host, at_ms);
    struct subject subject = subject_of(incidents, error->slot, name, at_ms);
    const bool was_member = subject.open != NULL;
    const struct activity_change change = activity_errors(subject.activity, host, error, was_member);
    activity_ids(incidents, subject.activity, error);
    if (!was_member && change.burst)
        subject_join(incidents, host, &subject);
    else if (was_member)
        count_errors(host, &subject, error);
    if (!subject.open)
        return;
    if (change.earlier)
        failed_earlier(host, &subject);
    if (change.burst)
        burst(&subject, at_ms);
    if (change.elevated)
        incident_touch(subject_incident(&subject), at_ms);
}

/* ------------------------------------------------------------------------------------------------------------- time */

/* A breaker that is forgotten, or whose slot has another name, will not close. */
static void forget_gone(struct incident *incident, const struct incidents_host *host)
{
    for (unsigned i = 0; i < incident->member_count; i++) {
        const char *const name = host->name(host->context, incident->members[i].slot);
        if (!name || incident_member_of(incident, incident->members[i].slot, name) != i)
            incident->members[i].flags &= (uint8_t) ~(MEMBER_OPEN | MEMBER_TRIED);
    }
}

void incidents_tick(struct incidents *incidents, const struct incidents_host *host, uint64_t now_ns)
{
    const uint64_t now_ms = now_ns / NANOS_PER_MS;
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        struct incident *const incident = &incidents->open[i].incident;
        if (incident->id == 0)
            continue;
        forget_gone(incident, host);
        incident->last_ms = at_most(incident->last_ms, now_ms); /* a time that is wrong keeps none open for ever */
    }
    incidents_end_quiet(incidents, host, now_ms);
}
