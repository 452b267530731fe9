#include "chronicle_events.h"

#include <stdlib.h>
#include <string.h>

#include "internal/enum_names.h"
#include "protocol/report_incidents.h"

static json_int_t now_ms(const struct instance *instance)
{
    return (json_int_t)(instance_now_ns(instance) / TRIP_MS);
}

json_t *chronicle_event(const struct instance *instance, const struct incident *incident)
{
    const char *const leader = segment_name(instance->segment, incident_leader(incident));
    return json_pack("{s:I, s:s?, s:s, s:I, s:s}", "t_ms", now_ms(instance), "breaker", *leader ? leader : NULL,
                     "event", "incident", "incident", (json_int_t)incident->id, "to",
                     incident_step_names[incident->end_ms ? INCIDENT_ENDED : INCIDENT_BEGAN]);
}

uint64_t chronicle_quiet_ns(const struct instance *instance, uint64_t quiet_ns)
{
    const struct incidents *const incidents = &segment_chronicle(instance->segment)->incidents;
    uint64_t next_ns = UINT64_MAX;
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        const struct incident *const incident = &incidents->open[i].incident;
        const uint64_t at_ns = (incident->last_ms + quiet_ns / TRIP_MS) * TRIP_MS;
        if (incident->id && at_ns > instance_now_ns(instance))
            next_ns = at_most(next_ns, at_ns);
    }
    return next_ns;
}

/* ------------------------------------------------------------------------------------------------------- summaries */

/* Makes an event of what is reported. The keys that every event has come first. */
static void append(const struct instance *instance, json_t *list, const char *kind, json_t *report)
{
    json_t *const event = json_pack("{s:I, s:s}", "t_ms", now_ms(instance), "event", kind);
    json_object_update(event, report);
    json_decref(report);
    json_array_append_new(list, event);
}

static const char *name_of(void *context, uint32_t slot)
{
    return segment_name_of(context, slot);
}

static int by_errors(const void *left, const void *right)
{
    const struct fingerprint *one, *other;
    memcpy(&one, left, sizeof(one));
    memcpy(&other, right, sizeof(other));
    if (one->count != other->count)
        return one->count > other->count ? -1 : 1;
    return one->id < other->id ? -1 : 1;
}

/* Returns those that there are, in order: the caller's to free. NULL: no memory. */
static const struct fingerprint **fingerprints_of(const struct segment *segment, uint32_t *ret_count)
{
    const struct fingerprint **const found = calloc(segment->header->fingerprints + 1u, sizeof(const void *));
    uint32_t count = 0;
    for (uint32_t place = 0; found && place < segment->header->fingerprints; place++)
        if (segment->fingerprints[place].id)
            found[count++] = &segment->fingerprints[place];
    if (count)
        qsort(found, count, sizeof(const void *), by_errors);
    *ret_count = count;
    return found;
}

static bool append_fingerprints(const struct instance *instance, json_t *list)
{
    const struct segment *const segment = instance->segment;
    const struct report_names names = {.name = name_of, .context = instance->segment};
    const struct chronicle_shown shown = chronicle_show(segment->chronicle);
    const struct report_since since = report_since(&shown, instance_now_ns(instance));
    uint32_t count;
    const struct fingerprint **const found = fingerprints_of(segment, &count);
    for (uint32_t i = 0; i < count; i++)
        append(instance, list, "fingerprint", report_fingerprint(found[i], &names, &since));
    free(found);
    return found != NULL;
}

/* Leaves out the process that told of the most errors: it is the simulation itself, another one each time. */
static json_t *without_process(json_t *report)
{
    json_object_set_new(report, "process", json_null());
    return report;
}

static void append_incidents(const struct instance *instance, json_t *list)
{
    const uint64_t next = segment_chronicle(instance->segment)->incidents.next_id;
    for (uint64_t id = next > INCIDENTS_KEPT ? next - INCIDENTS_KEPT : 1; id < next; id++) {
        const struct incident *const incident = &instance->segment->incidents[id % INCIDENTS_KEPT];
        if (incident->id == id)
            append(instance, list, "incident_summary",
                   without_process(report_incident(incident, (uint64_t)now_ms(instance), true)));
    }
}

json_t *chronicle_summaries(const struct instance *instance)
{
    json_t *const list = json_array();
    if (list && append_fingerprints(instance, list)) {
        append_incidents(instance, list);
        return list;
    }
    json_decref(list);
    return NULL;
}
