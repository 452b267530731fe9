#include "chronicle/chronicle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fingerprints.h"
#include "core/incidents.h"
#include "internal/chronicle.h"
#include "internal/numbers.h"
#include "log.h"

struct chronicle {
    struct chronicle_options options;
    struct segment *segment;
    struct fingerprints fingerprints;
    struct incidents_host host;
    struct chronicle_image *image; /* in a look: the one that it changes, not in force yet */
    struct chronicle_shown shown;  /* the last deploy mark, for the incidents that begin */
    uint64_t now_ms, now_unix_ms;
    bool again; /* this is the first look after a start: the last worker may have told what it did not commit */
};

/* ------------------------------------------------------------------------------------------- what incidents.h asks */

static const char *name_of(void *context, uint32_t slot)
{
    const struct chronicle *const chronicle = context;
    return segment_name_of(chronicle->segment, slot);
}

static bool depends(void *context, uint32_t slot, uint32_t on)
{
    const struct chronicle *const chronicle = context;
    const struct breaker_settings *const settings =
        config_settings_for(chronicle->options.config, name_of(context, slot));
    for (unsigned i = 0; i < settings->depends_on.count; i++)
        if (settings_pattern_matches(settings->depends_on.patterns[i], name_of(context, on)))
            return true;
    return false;
}

static const char *text_of(void *context, uint64_t id)
{
    const struct chronicle *const chronicle = context;
    const struct fingerprint *const table = chronicle->segment->fingerprints;
    for (uint32_t place = 0; id && place < chronicle->fingerprints.places; place++)
        if (table[place].id == id)
            return table[place].text;
    return "";
}

static uint64_t unix_ms(void *context, uint64_t at_ms)
{
    const struct chronicle *const chronicle = context;
    return at_ms < chronicle->now_ms ? chronicle->now_unix_ms - (chronicle->now_ms - at_ms)
                                     : chronicle->now_unix_ms + (at_ms - chronicle->now_ms);
}

/* Did the last worker tell this already, before it was killed? */
static bool was_told(const struct segment *segment, const struct transition *event)
{
    const uint64_t next = segment->header->transition_next;
    for (uint64_t i = 1; i <= TRANSITION_RING && i <= next; i++) {
        const struct transition *const entry = &segment->transitions[(next - i) % TRANSITION_RING];
        if (entry->of == OF_INCIDENT && entry->epoch == event->epoch && entry->to == event->to)
            return true;
    }
    return false;
}

/* Stores the incident, and enters it into the ring of events. This comes before the commit: a worker that is killed in
 * between does both again, and finds that the event is there. */
static void changed(void *context, const struct incident *incident)
{
    struct chronicle *const chronicle = context;
    struct segment *const segment = chronicle->segment;
    struct transition event = {.of = OF_INCIDENT,
                               .breaker = incident_leader(incident),
                               .to = incident->end_ms ? INCIDENT_ENDED : INCIDENT_BEGAN,
                               .by = BY_DAEMON,
                               .epoch = (uint32_t)incident->id};
    segment_incident(segment, incident);
    if (chronicle->again && was_told(segment, &event))
        return;
    segment_transition(segment, &event, chronicle->now_ms);
    if (chronicle->options.changed)
        chronicle->options.changed(chronicle->options.context, incident);
}

/* ------------------------------------------------------------------------------------------------- made and unmade */

static void take_settings(struct chronicle *chronicle, const struct config *config)
{
    chronicle->options.config = config;
    chronicle->host.settings = (struct incidents_settings){.cascade_window = config->correlation.cascade_window,
                                                           .quiet = config->correlation.quiet};
}

/* Gives fingerprints as many places as the config says. -ENOMEM; what there was stays. */
static int make_places(struct chronicle *chronicle, uint32_t places)
{
    uint32_t *const shapes = calloc(places, sizeof(*shapes));
    const int error = shapes ? segment_fingerprints_reserve(chronicle->segment, places) : -ENOMEM;
    if (error < 0) {
        free(shapes);
        return error;
    }
    const uint64_t next_id =
        at_least(chronicle->fingerprints.next_id, segment_chronicle(chronicle->segment)->next_fingerprint);
    free(chronicle->fingerprints.shapes);
    fingerprints_begin(&chronicle->fingerprints, chronicle->segment->fingerprints, shapes, places);
    chronicle->fingerprints.next_id = at_least(chronicle->fingerprints.next_id, next_id); /* none is used again */
    return 0;
}

/* Without memory the places of before stay; at a start there are none, and errors are unclassified. */
static void set_places(struct chronicle *chronicle, const struct config *config)
{
    const uint32_t places = (uint32_t)config->correlation.fingerprints;
    const int error = places == chronicle->fingerprints.places ? 0 : make_places(chronicle, places);
    if (error < 0)
        log_warning("correlation: no memory for %u fingerprints: %s; there are %u", places, strerror(-error),
                    chronicle->fingerprints.places);
}

int chronicle_new(const struct chronicle_options *options, struct chronicle **ret_chronicle)
{
    struct chronicle *const chronicle = calloc(1, sizeof(*chronicle));
    if (!chronicle)
        return -ENOMEM;
    chronicle->options = *options;
    chronicle->segment = options->segment;
    chronicle->again = true;
    chronicle->host = (struct incidents_host){.context = chronicle,
                                              .name = name_of,
                                              .fingerprint = text_of,
                                              .depends = depends,
                                              .unix_ms = unix_ms,
                                              .changed = changed};
    take_settings(chronicle, options->config);
    set_places(chronicle, options->config);
    *ret_chronicle = chronicle;
    return 0;
}

struct chronicle *chronicle_free(struct chronicle *chronicle)
{
    if (chronicle)
        free(chronicle->fingerprints.shapes);
    free(chronicle);
    return NULL;
}

void chronicle_reconfigure(struct chronicle *chronicle, const struct config *config)
{
    take_settings(chronicle, config);
    set_places(chronicle, config);
}

/* --------------------------------------------------------------------------------------------------------- reading */

static void count(struct chronicle *chronicle, const struct error_record *record, struct incidents_error *error)
{
    struct fingerprint entry;
    bool burst;
    const uint32_t place = fingerprints_count(&chronicle->fingerprints, record, &entry, &burst);
    if (place == FINGERPRINT_NONE)
        chronicle->image->unclassified += record->times;
    if (place == FINGERPRINT_NONE || place == FINGERPRINT_GONE)
        return;
    segment_fingerprint(chronicle->segment, place, &entry);
    fingerprints_stored(&chronicle->fingerprints, place);
    error->fingerprint = entry.id;
}

static void take_error(struct chronicle *chronicle, const struct error_record *record)
{
    struct incidents_error error = {.at_ns = record->at_ms * 1000000,
                                    .slot = record->breaker,
                                    .pid = record->pid,
                                    .times = record->times,
                                    .trace = record->trace,
                                    .correlation = record->correlation,
                                    .type = record->type};
    count(chronicle, record, &error);
    incidents_error(&chronicle->image->incidents, &chronicle->host, &error);
}

/* Reads whichever of the next error and the next event came first. False: there is neither. */
static bool take_next(struct chronicle *chronicle)
{
    struct incidents *const incidents = &chronicle->image->incidents;
    struct error_record record;
    struct transition event;
    const bool error_there = segment_error_after(chronicle->segment, incidents->errors, &record);
    const bool event_there = incidents->events < chronicle->segment->header->transition_next &&
                             segment_event(chronicle->segment, incidents->events, &event);
    if (!error_there && !event_there)
        return false;
    if (error_there && (!event_there || record.at_ms <= event.at_ms)) {
        /* Records that were overwritten unread stand for one error each at least. A worker that was killed may have
         * counted some of them. */
        chronicle->image->unclassified +=
            time_until(record.sequence - 1, at_least(incidents->errors, chronicle->fingerprints.seen));
        incidents->errors = record.sequence;
        take_error(chronicle, &record);
    } else {
        incidents->events = event.sequence;
        if (event.of != OF_INCIDENT)
            incidents_event(incidents, &chronicle->host, &event);
    }
    return true;
}

/* Shows the incidents that go on, where they have changed. */
static void show_open(struct chronicle *chronicle)
{
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        const struct incident *const incident = &chronicle->image->incidents.open[i].incident;
        const struct incident *const shown = &chronicle->segment->incidents[incident->id % INCIDENTS_KEPT];
        if (incident->id && memcmp(incident, shown, sizeof(*incident)) != 0)
            segment_incident(chronicle->segment, incident);
    }
}

bool chronicle_behind(const struct chronicle *chronicle)
{
    const struct segment *const segment = chronicle->segment;
    const struct incidents *const read = &segment_chronicle(segment)->incidents;
    return segment->correlation->next - read->errors > segment->header->error_records / 2 ||
           segment->header->transition_next - read->events > TRANSITION_RING / 2;
}

bool chronicle_look(struct chronicle *chronicle, uint64_t now_ns)
{
    chronicle->now_ms = now_ns / 1000000;
    chronicle->now_unix_ms = segment_wall_ms(chronicle->segment);
    chronicle->shown = chronicle_show(chronicle->segment->chronicle);
    chronicle->host.deploy_ms = chronicle->shown.deploy.at_ms;
    chronicle->host.deploy_unix_ms = chronicle->shown.deploys ? unix_ms(chronicle, chronicle->shown.deploy.at_ms) : 0;
    chronicle->host.deploy = chronicle->shown.deploy.name;
    chronicle->image = segment_chronicle_next(chronicle->segment);
    unsigned taken = 0;
    while (taken < CHRONICLE_LOOK && take_next(chronicle))
        taken++;
    incidents_tick(&chronicle->image->incidents, &chronicle->host, now_ns);
    chronicle->again = false;
    chronicle->image->next_fingerprint = chronicle->fingerprints.next_id;
    if (memcmp(chronicle->image, segment_chronicle(chronicle->segment), sizeof(*chronicle->image)) != 0) {
        show_open(chronicle);
        segment_chronicle_commit(chronicle->segment);
    }
    return taken == CHRONICLE_LOOK;
}
