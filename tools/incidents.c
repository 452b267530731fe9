#include "incidents.h"

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

struct slot_names {
    const struct snapshot *snapshot;
    struct snapshot_breaker breaker;
};

static const char *name_of_slot(void *context, uint32_t slot)
{
    struct slot_names *const names = context;
    const bool there =
        slot < snapshot_slots(names->snapshot) && snapshot_breaker(names->snapshot, slot, &names->breaker);
    return there ? names->breaker.detail.name : "";
}

json_t *fingerprints_read(const struct snapshot *snapshot, const char *wanted)
{
    struct slot_names slots = {.snapshot = snapshot};
    const struct report_names names = {.name = name_of_slot, .context = &slots};
    const struct chronicle_shown shown = snapshot_chronicle(snapshot);
    const struct report_since since = report_since(&shown, snapshot_correlation(snapshot).now_ns);
    json_t *const result = report_fingerprints_head(&shown), *const list = json_array();
    struct fingerprint entry;
    for (uint32_t place = 0; place < snapshot_fingerprints(snapshot); place++)
        if (snapshot_fingerprint(snapshot, place, &entry) && report_fingerprint_wanted(&entry, &names, wanted))
            json_array_append_new(list, report_fingerprint(&entry, &names, &since));
    json_object_set_new(result, "fingerprints", list);
    return result;
}

/* Orders a list, and takes it. */
static json_t *sorted(json_t *list, const char *key)
{
    json_t *const by = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const json_int_t value = json_integer_value(json_object_get(entry, key));
        size_t at = json_array_size(by);
        while (at > 0 && json_integer_value(json_object_get(json_array_get(by, at - 1), key)) < value)
            at--;
        json_array_insert(by, at, entry);
    }
    json_decref(list);
    return by;
}

void incidents_sort(json_t *result, const char *list, const char *key)
{
    if (result)
        json_object_set_new(result, list, sorted(json_incref(json_object_get(result, list)), key));
}
