#include "incidents.h"

#include "protocol/report_incidents.h"

json_t *incidents_read(const struct snapshot *snapshot)
{
    json_t *const list = json_array();
    struct incident incident;
    for (uint32_t place = 0; place < INCIDENTS_KEPT; place++)
        if (snapshot_incident(snapshot, place, &incident))
            json_array_append_new(list, report_incident(&incident, snapshot_now_ms(snapshot), false));
    return json_pack("{s:o}", "incidents", list);
}

json_t *incident_read(const struct snapshot *snapshot, uint64_t id)
{
    struct incident incident;
    const bool there = snapshot_incident(snapshot, (uint32_t)(id % INCIDENTS_KEPT), &incident) && incident.id == id;
    return there ? report_incident(&incident, snapshot_now_ms(snapshot), true) : NULL;
}
