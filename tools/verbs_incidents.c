/* The verbs that say what errors and events amount to: `fingerprints`, `incidents`, `incidents show`, `deploy mark`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "incidents.h"
#include "print.h"
#include "reading.h"
#include "request.h"
#include "users.h"

static json_t *fingerprints_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    return fingerprints_read(snapshot, arguments->operand);
}

int verb_fingerprints(const struct arguments *arguments)
{
    int status;
    json_t *const result = reading_result(arguments, fingerprints_of, json_object(), &status);
    if (status != EXIT_DONE)
        return status;
    incidents_sort(result, "fingerprints", "errors");
    return reading_show(arguments, result, print_fingerprints);
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
    if (status != EXIT_DONE)
        return status;
    incidents_sort(result, "incidents", "incident");
    return reading_show(arguments, result, print_incidents);
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
