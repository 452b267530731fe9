#include "segment/saved_incidents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal/numbers.h"

#define DIGITS (2 * sizeof(struct incident))

json_t *saved_incident_pack(const struct incident *incident)
{
    char digits[DIGITS + 1];
    for (size_t i = 0; i < sizeof(*incident); i++)
        snprintf(&digits[2 * i], 3, "%02x", ((const uint8_t *)incident)[i]);
    return json_pack("{s:I, s:I, s:s}", "incident", (json_int_t)incident->id, "layout",
                     (json_int_t)(layout_digest() & INT64_MAX), "bytes", digits);
}

static bool read_bytes(const char *digits, uint8_t *ret_bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
        char *end;
        ret_bytes[i] = (uint8_t)strtoul(pair, &end, 16);
        if (*end)
            return false;
    }
    return true;
}

/* Its milliseconds are of a clock that is gone; the times that are shown are wall times, and distances from the start.
 */
static void end_now(struct incident *incident)
{
    if (incident->end_unix_ms == 0)
        incident->end_unix_ms = incident->start_unix_ms + (incident->last_ms - incident->start_ms);
    incident->end_ms = time_until(incident->end_unix_ms, incident->start_unix_ms) + 1;
    incident->start_ms = incident->last_ms = 1;
}

bool saved_incident_unpack(const json_t *map, struct incident *ret_incident)
{
    const char *const digits = json_string_value(json_object_get(map, "bytes"));
    struct incident incident;
    if (!digits || strlen(digits) != DIGITS ||
        json_integer_value(json_object_get(map, "layout")) != (json_int_t)(layout_digest() & INT64_MAX) ||
        !read_bytes(digits, (uint8_t *)&incident, sizeof(incident)) || incident.id == 0)
        return false;
    end_now(&incident);
    *ret_incident = incident;
    return true;
}
