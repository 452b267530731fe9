#include "net/watch.h"

#include <string.h>

#include "core/settings.h"
#include "internal/events.h"
#include "protocol/report.h"

#define EVENTS_MAX 48   /* of one packet: at 1,300 bytes each they do not fill it */
#define READ_MAX   1024 /* in one go, wanted or not */

bool watch_kinds(const char *names, unsigned *ret_kinds)
{
#define WATCH_KIND_NAME(suffix, name) name,
    static const char *const kinds[] = {WATCH_KINDS(WATCH_KIND_NAME)};
    *ret_kinds = names ? 0 : WATCH_ALL;
    while (names) {
        const size_t length = strcspn(names, ",");
        unsigned kind = 0;
        while (kind < WATCH_KIND_COUNT && (strlen(kinds[kind]) != length || memcmp(kinds[kind], names, length) != 0))
            kind++;
        if (kind == WATCH_KIND_COUNT)
            return false;
        *ret_kinds |= 1u << kind;
        names = names[length] ? names + length + 1 : NULL;
    }
    return true;
}

static bool wanted(const struct watch *watch, const struct transition *event)
{
    static const unsigned of[OF_COUNT] = {[OF_STATE] = WATCH_TRANSITION,
                                          [OF_MODE] = WATCH_MODE,
                                          [OF_INCIDENT] = WATCH_INCIDENT,
                                          [OF_LEVEL] = WATCH_LEVEL,
                                          [OF_FEATURE] = WATCH_FEATURE};
    const unsigned kinds = of[event->of] | (event->by == BY_OPERATOR || event->by == BY_FLEET ? WATCH_ACT : 0);
    return watch->kinds & kinds && report_transition_wanted(event, *watch->pattern ? watch->pattern : NULL);
}

static json_t *told(struct watch *watch, const struct segment *segment, const struct transition *event)
{
    json_t *const entry = report_transition(event, segment_levels(segment));
    if (watch->lost)
        json_object_set_new(entry, "lost", json_integer((json_int_t)watch->lost));
    watch->lost = 0;
    return entry;
}

bool watch_behind(const struct watch *watch, const struct segment *segment)
{
    return watch->next < segment->header->transition_next;
}

json_t *watch_read(struct watch *watch, const struct segment *segment)
{
    json_t *const events = json_array();
    struct transition event;
    for (unsigned read = 0; read < READ_MAX && watch_behind(watch, segment); read++) {
        if (json_array_size(events) == EVENTS_MAX || !segment_event(segment, watch->next, &event))
            break;
        watch->lost += event.sequence - 1 - watch->next;
        watch->next = event.sequence;
        if (wanted(watch, &event))
            json_array_append_new(events, told(watch, segment, &event));
    }
    if (json_array_size(events) > 0)
        return json_pack("{s:o}", "events", events);
    json_decref(events);
    return NULL;
}
