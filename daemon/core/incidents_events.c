#include <string.h>

#include "core/incidents_parts.h"
#include "core/levels.h"

static bool by_someone(const struct transition *event)
{
    return event->by >= BY_OPERATOR && event->by < BY_COUNT;
}

static bool by_operator(const struct transition *event)
{
    return event->by == BY_OPERATOR || event->reason == TRIP_REASON_OPERATOR;
}

static void event_moment(const struct subject *subject, const struct transition *event, enum incident_moment_kind kind)
{
    incident_moment(subject_incident(subject), event->at_ms,
                    (struct incident_moment){.kind = (uint8_t)kind,
                                             .member = (uint8_t)subject->member,
                                             .from_to = (uint8_t)(event->from << 4 | (event->to & 15)),
                                             .by = event->by,
                                             .uid = event->uid});
}

static enum incident_moment_kind moment_of(const struct transition *event)
{
    static const uint8_t kinds[TRIP_STATE_COUNT] = {[TRIP_STATE_CLOSED] = MOMENT_CLOSED,
                                                    [TRIP_STATE_OPEN] = MOMENT_OPENED,
                                                    [TRIP_STATE_HALF_OPEN] = MOMENT_HALF_OPEN,
                                                    [TRIP_STATE_RAMPING] = MOMENT_RAMPING};
    return by_operator(event) ? MOMENT_ACT : (enum incident_moment_kind)kinds[event->to];
}

static void opened(const struct subject *subject, const struct transition *event)
{
    struct incident_member *const member = subject_member(subject);
    const uint64_t opens = event->steps > 1 ? event->steps / 2 : 1; /* every other step of many is an opening */
    member->flags = (uint8_t)((member->flags & ~MEMBER_TRIED) | MEMBER_OPEN);
    member->opens = (uint16_t)at_most(member->opens + opens, UINT16_MAX);
    if (member->opened_ms != INCIDENT_NEVER)
        return;
    member->opened_ms = incident_relative(subject_incident(subject), event->at_ms);
    member->reason = event->reason;
}

static void tried(const struct subject *subject)
{
    struct incident_member *const member = subject_member(subject);
    member->flags = (uint8_t)((member->flags & ~MEMBER_OPEN) | MEMBER_TRIED);
}

static void closed(const struct subject *subject, const struct transition *event)
{
    struct incident_member *const member = subject_member(subject);
    member->flags &= (uint8_t) ~(MEMBER_OPEN | MEMBER_TRIED);
    member->closed_ms = incident_relative(subject_incident(subject), event->at_ms);
}

static bool is_failing(const struct subject *subject)
{
    return subject->open && (subject_member(subject)->flags & (MEMBER_OPEN | MEMBER_TRIED)) != 0;
}

/* A step from open or half-open that evidence led to, or that ends such a time. */
static void recovers(const struct subject *subject, const struct transition *event)
{
    const bool is_closed = event->to == TRIP_STATE_CLOSED;
    activity_step(subject->activity, is_closed ? ACTIVITY_CLOSED : ACTIVITY_TRIED, event->at_ms);
    if (!is_failing(subject))
        return;
    incident_touch(subject_incident(subject), event->at_ms);
    if (is_closed)
        closed(subject, event);
    else
        tried(subject);
}

/* Whoever opens a breaker by hand, or sets a mode that keeps its state, holds it from then on: that is no evidence. */
static void held(const struct subject *subject, uint64_t at_ms)
{
    if (subject->activity)
        activity_step(subject->activity, ACTIVITY_CLOSED, at_ms);
    if (is_failing(subject))
        subject_member(subject)->flags &= (uint8_t) ~(MEMBER_OPEN | MEMBER_TRIED);
}

static void step(struct incidents *incidents, const struct incidents_host *host, struct subject *subject,
                 const struct transition *event)
{
    const bool opens = event->to == TRIP_STATE_OPEN && !by_operator(event);
    if (opens)
        activity_step(subject->activity, ACTIVITY_OPEN, event->at_ms);
    if (opens && !subject->open)
        subject_join(incidents, host, subject);
    if (!opens && event->to == TRIP_STATE_OPEN)
        held(subject, event->at_ms);
    else if (!opens)
        recovers(subject, event);
    if (!subject->open)
        return;
    struct incident *const incident = subject_incident(subject);
    incident->steps = (uint32_t)at_most((uint64_t)incident->steps + at_least(event->steps, 1), UINT32_MAX);
    event_moment(subject, event, moment_of(event));
    if (!opens)
        return;
    opened(subject, event);
    incident_touch(incident, event->at_ms);
    incident_candidate(incidents, host, incident);
}

static void mode(struct incidents *incidents, struct subject *subject, const struct transition *event)
{
    subject_find(incidents, event->breaker, subject);
    if (!subject->open)
        return;
    subject->activity = activity_of(incidents, event->breaker);
    if (event->to == TRIP_MODE_FORCED_OPEN || event->to == TRIP_MODE_DISABLED)
        held(subject, event->at_ms);
    event_moment(subject, event, MOMENT_MODE);
}

/* Does a level of this group concern a breaker of the incident? group "": the host's. */
static bool concerns(const struct incident *incident, const char *group)
{
    bool is_of = !*group;
    for (unsigned i = 0; i < incident->member_count && !is_of; i++)
        is_of = levels_is_within(incident_member_name(incident, i), group);
    return is_of;
}

static void level(struct incidents *incidents, const struct transition *event)
{
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        struct incident *const incident = &incidents->open[i].incident;
        if (!incident->id || !concerns(incident, event->name))
            continue;
        incident_moment(incident, event->at_ms,
                        (struct incident_moment){.kind = MOMENT_LEVEL,
                                                 .member = INCIDENT_NOBODY,
                                                 .from_to = (uint8_t)(event->from << 4 | (event->to & 15)),
                                                 .by = event->by,
                                                 .uid = event->uid});
        if (by_someone(event) && incident->acts < UINT32_MAX)
            incident->acts++;
    }
}

static bool is_valid(const struct transition *event)
{
    const unsigned count = event->of == OF_MODE ? (unsigned)TRIP_MODE_COUNT : (unsigned)TRIP_STATE_COUNT;
    return event->to < count && event->name[0] && memchr(event->name, 0, sizeof(event->name));
}

void incidents_event(struct incidents *incidents, const struct incidents_host *host, const struct transition *event)
{
    struct subject subject = {.name = event->name};
    if (event->of == OF_LEVEL) {
        incidents_end_quiet(incidents, host, event->at_ms);
        level(incidents, event);
        return;
    }
    if ((event->of != OF_STATE && event->of != OF_MODE) || !is_valid(event))
        return;
    incidents_end_quiet(incidents, host, event->at_ms);
    if (event->of == OF_MODE) {
        mode(incidents, &subject, event);
    } else {
        subject = subject_of(incidents, event->breaker, event->name, event->at_ms);
        step(incidents, host, &subject, event);
    }
    if (subject.open && by_someone(event) && subject_incident(&subject)->acts < UINT32_MAX)
        subject_incident(&subject)->acts++;
}
