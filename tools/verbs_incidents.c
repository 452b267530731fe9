/* The verbs that say what errors and events amount to: `fingerprints`, `incidents`, `incidents show`, `deploy mark`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "incidents.h"
#include "print.h"
#include "protocol/report_incidents.h"
#include "reading.h"
#include "request.h"
#include "users.h"

/* ---------------------------------------------------------------------------------------------------- fingerprints */

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

static json_t *fingerprints_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    struct slot_names slots = {.snapshot = snapshot};
    const struct report_names names = {.name = name_of_slot, .context = &slots};
    const struct chronicle_shown shown = snapshot_chronicle(snapshot);
    const struct report_since since = report_since(&shown, snapshot_correlation(snapshot).now_ns);
    json_t *const result = report_fingerprints_head(&shown), *const list = json_array();
    struct fingerprint entry;
    for (uint32_t place = 0; place < snapshot_fingerprints(snapshot); place++)
        if (snapshot_fingerprint(snapshot, place, &entry) &&
            report_fingerprint_wanted(&entry, &names, arguments->operand))
            json_array_append_new(list, report_fingerprint(&entry, &names, &since));
    json_object_set_new(result, "fingerprints", list);
    return result;
}

/* --------------------------------------------------------------------------------------------------------- sorting */

/* Orders a list by a number of its entries, the greatest first; equal ones stay as they are. Takes the list. */
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

/* The result with its list in order; NULL stays NULL. */
static json_t *ordered(json_t *result, const char *list, const char *key)
{
    if (result)
        json_object_set_new(result, list, sorted(json_incref(json_object_get(result, list)), key));
    return result;
}

/* ----------------------------------------------------------------------------------------------------------- verbs */

int verb_fingerprints(const struct arguments *arguments)
{
    int status;
    json_t *const result = reading_result(arguments, fingerprints_of, json_object(), &status);
    return status == EXIT_DONE ? reading_show(arguments, ordered(result, "fingerprints", "errors"), print_fingerprints)
                               : status;
}

static json_t *incidents_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    (void)arguments;
    return incidents_read(snapshot);
}

int verb_incidents(const struct arguments *arguments)
{
    int status;
    json_t *const result = reading_result(arguments, incidents_of, json_object(), &status);
    return status == EXIT_DONE ? reading_show(arguments, ordered(result, "incidents", "incident"), print_incidents)
                               : status;
}

static int no_such_incident(const struct arguments *arguments)
{
    fprintf(stderr, "tripctl: no incident %s is kept; `tripctl incidents` shows those that are\n", arguments->operand);
    return EXIT_REFUSED;
}

int verb_incidents_show(const struct arguments *arguments)
{
    struct snapshot *snapshot;
    char *end;
    const uint64_t id = strtoull(arguments->operand, &end, 10);
    if (*end || id == 0 || id > INT64_MAX)
        return no_such_incident(arguments);
    int status = reading_open(arguments, &snapshot);
    if (status != EXIT_DONE)
        return status;
    json_t *incident = NULL;
    if (snapshot)
        incident = incident_read(snapshot, id);
    else
        status = request(arguments, arguments->verb->method, json_pack("{s:I}", "incident", (json_int_t)id), &incident);
    snapshot_close(snapshot);
    if (status == EXIT_DONE && !incident)
        return no_such_incident(arguments);
    return status == EXIT_DONE ? reading_show(arguments, incident, print_incident) : status;
}

int verb_deploy_mark(const struct arguments *arguments)
{
    json_t *result = NULL;
    json_t *const params = json_pack("{s:s*}", "name", arguments->operand);
    const int status = request(arguments, arguments->verb->method, params, &result);
    return status == EXIT_DONE ? reading_show(arguments, result, print_deploy) : status;
}
