#include "net/control_methods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/error_rows.h"
#include "internal/numbers.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "log.h"
#include "protocol/report.h"
#include "protocol/report_config.h"
#include "protocol/report_errors.h"
#include "protocol/report_incidents.h"
#include "protocol/report_metrics.h"
#include "protocol/rpc.h"

static const char *param_text(const struct control_request *request, enum rpc_param param)
{
    return request->params[param].text;
}

static uint64_t param_number(const struct control_request *request, enum rpc_param param)
{
    return request->params[param].number;
}

static uint64_t page_limit(const struct control_request *request)
{
    const uint64_t limit = param_number(request, RPC_INDEX_LIMIT);
    return limit > 0 ? limit : RPC_PAGE;
}

/* ---------------------------------------------------------------------------------------------- names and patterns */

static bool is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

static json_t *name_check(const char *name)
{
    const size_t length = strlen(name);
    const size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-*?");
    if (length > 0 && good == length)
        return NULL;
    return rpc_error(RPC_CODE_INVALID,
                     "\"%s\" is neither a name nor a pattern: 1 to %d of letters, digits and "
                     ". _ : / @ -, with * and ? in a pattern",
                     name, TRIP_NAME_MAX);
}

static json_t *not_found(const char *name)
{
    return rpc_error(RPC_CODE_NOT_FOUND,
                     is_pattern(name) ? "no breaker matches %s"
                                      : "no breaker is named %s; one comes into being when a client "
                                        "first names it",
                     name);
}

static bool name_wanted(const char *wanted, const char *name)
{
    return !wanted || settings_pattern_matches(wanted, name);
}

/* ----------------------------------------------------------------------------------------------- what is looked at */

static struct report_breaker view(const struct control_options *options, uint32_t slot)
{
    const struct segment *segment = options->segment;
    return (struct report_breaker){.policy = &segment->policies[slot],
                                   .detail = &segment->details[slot],
                                   .core = &segment_core(segment, slot)->head,
                                   .word = segment->mirror[slot],
                                   .now_ms = clock_now_ms(options->clock),
                                   .limits = &segment->limits[slot],
                                   .reporters = &segment->reporters[slot]};
}

/* Reports the entry at the cursor, which runs over slots, then patterns. NULL: there is none, or it is not wanted. */
static json_t *list_entry(const struct control_options *options, const char *wanted, uint64_t cursor)
{
    const struct segment *segment = options->segment;
    if (cursor < BREAKERS_MAX) {
        const struct report_breaker breaker = view(options, (uint32_t)cursor);
        const bool listed = wanted ? name_wanted(wanted, breaker.detail->name) : breaker.detail->hidden_ms == 0;
        return segment_used(segment, (uint32_t)cursor) && listed ? report_line(&breaker) : NULL;
    }
    const struct pattern_slot *pattern = &segment->patterns[cursor - BREAKERS_MAX];
    const uint64_t now_ms = clock_now_ms(options->clock);
    const bool holds = pattern->serial != 0 && (pattern->until_ms == 0 || now_ms < pattern->until_ms);
    return holds && name_wanted(wanted, pattern->pattern) ? report_pattern(pattern, now_ms) : NULL;
}

static uint32_t count_hidden(const struct segment *segment)
{
    uint32_t hidden = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++)
        hidden += segment_used(segment, slot) && segment->details[slot].hidden_ms != 0;
    return hidden;
}

json_t *control_list(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    const char *wanted = param_text(request, RPC_INDEX_NAME);
    *ret_error = wanted ? name_check(wanted) : NULL;
    if (*ret_error)
        return NULL;
    control_drain(request->connection);

    json_t *breakers = json_array(), *patterns = json_array(), *next = NULL;
    const uint64_t end = BREAKERS_MAX + PATTERNS_MAX;
    uint64_t count = 0;
    for (uint64_t cursor = param_number(request, RPC_INDEX_AFTER); cursor < end; cursor++) {
        if (cursor >= options->segment->slots && cursor < BREAKERS_MAX)
            cursor = BREAKERS_MAX; /* patterns come next */
        json_t *entry = list_entry(options, wanted, cursor);
        if (entry && count++ == page_limit(request)) {
            json_decref(entry);
            next = json_integer((json_int_t)cursor);
            break;
        }
        if (entry)
            json_array_append_new(cursor < BREAKERS_MAX ? breakers : patterns, entry);
    }
    return json_pack("{s:o, s:o, s:i, s:o*}", "breakers", breakers, "patterns", patterns, "hidden",
                     wanted ? 0 : (int)count_hidden(options->segment), "next", next);
}

json_t *control_show(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    const char *name = param_text(request, RPC_INDEX_NAME);
    uint32_t slot;
    control_drain(request->connection);
    *ret_error = name_check(name);
    if (!*ret_error && segment_find(options->segment, name, &slot) < 0)
        *ret_error = not_found(name);
    if (*ret_error)
        return NULL;
    uint64_t latency[LATENCY_BUCKETS];
    struct report_breaker breaker = view(options, slot);
    segment_latency_read(options->segment, slot, latency);
    breaker.latency = latency;
    struct error_record error;
    if (segment_error_find(options->segment, breaker.detail->error_sequence, &error))
        breaker.error = &error;
    json_t *show = report_show(&breaker);
    json_object_set_new(show, "config", report_settings(options->config, config_settings_for(options->config, name)));
    return show;
}

json_t *control_events(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    const struct segment *segment = options->segment;
    const char *wanted = param_text(request, RPC_INDEX_NAME);
    *ret_error = wanted ? name_check(wanted) : NULL;
    if (*ret_error)
        return NULL;

    struct transition event;
    json_t *events = json_array(), *next = NULL;
    for (uint64_t index = param_number(request, RPC_INDEX_AFTER); segment_event(segment, index, &event);
         index = event.sequence) {
        if (!report_transition_wanted(&event, wanted))
            continue;
        if (json_array_size(events) == page_limit(request)) {
            next = json_integer((json_int_t)(event.sequence - 1));
            break;
        }
        json_array_append_new(events, report_transition(&event, segment_levels(segment)));
    }
    return json_pack("{s:o, s:o*}", "events", events, "next", next);
}

json_t *control_errors(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    const struct report_error_filter filter = {.breaker = param_text(request, RPC_INDEX_NAME),
                                               .type = param_text(request, RPC_INDEX_TYPE),
                                               .trace = param_text(request, RPC_INDEX_TRACE),
                                               .correlation = param_text(request, RPC_INDEX_CORRELATION),
                                               .session = param_text(request, RPC_INDEX_SESSION)};
    *ret_error = filter.breaker ? name_check(filter.breaker) : NULL;
    if (!*ret_error && filter.type && !report_error_type_known(filter.type))
        *ret_error = rpc_error(RPC_CODE_INVALID, "\"%s\" is no type of errors", filter.type);
    if (*ret_error)
        return NULL;
    control_drain(request->connection);

    struct error_record record;
    json_t *errors = json_array(), *next = NULL;
    for (uint64_t after = param_number(request, RPC_INDEX_AFTER); segment_error_after(options->segment, after, &record);
         after = record.sequence) {
        if (!report_error_wanted(&filter, &record))
            continue;
        if (json_array_size(errors) == page_limit(request)) {
            next = json_integer((json_int_t)(record.sequence - 1));
            break;
        }
        json_array_append_new(errors, report_error(&record));
    }
    return json_pack("{s:o, s:o*}", "errors", errors, "next", next);
}

/* Did an earlier page report the group of this breaker? */
static bool group_told(const struct segment *segment, uint32_t slot, uint64_t page)
{
    const char *const name = segment_name(segment, slot);
    const size_t length = group_length(name);
    for (uint32_t earlier = 0; length && earlier < page && earlier < segment->slots; earlier++)
        if (segment_used(segment, earlier) && group_length(segment_name(segment, earlier)) == length &&
            memcmp(segment_name(segment, earlier), name, length) == 0)
            return true;
    return false;
}

json_t *control_analyze(const struct control_options *options, const struct control_request *request,
                        json_t **ret_error)
{
    const struct segment *const segment = options->segment;
    const char *const wanted = param_text(request, RPC_INDEX_NAME);
    const uint64_t after = param_number(request, RPC_INDEX_AFTER);
    *ret_error = wanted ? name_check(wanted) : NULL;
    if (*ret_error)
        return NULL;
    control_drain(request->connection);
    const struct report_correlation correlation = {
        .rows = segment->error_rows, .shown = segment->correlation, .now_ns = clock_now_ns(options->clock)};
    json_t *const analyses = report_analyses(&correlation);
    const json_t *const breakers = json_object_get(analyses, "breakers");
    for (uint64_t slot = after; slot < segment->slots; slot++) {
        if (!segment_used(segment, (uint32_t)slot))
            continue;
        if (json_array_size(breakers) == page_limit(request)) {
            json_object_set_new(analyses, "next", json_integer((json_int_t)slot));
            break;
        }
        report_analyses_add(analyses, &correlation, segment_name(segment, (uint32_t)slot), wanted,
                            !group_told(segment, (uint32_t)slot, after));
    }
    return analyses;
}

/* ----------------------------------------------------------------------------------- what errors and events amount to
 */

static const char *name_of_slot(void *context, uint32_t slot)
{
    return segment_name_of(context, slot);
}

#define INCIDENTS_PAGE 20 /* at 3,000 bytes each they do not fill a packet */

json_t *control_fingerprints(const struct control_options *options, const struct control_request *request,
                             json_t **ret_error)
{
    struct segment *const segment = options->segment;
    const char *const wanted = param_text(request, RPC_INDEX_NAME);
    *ret_error = wanted ? name_check(wanted) : NULL;
    if (*ret_error)
        return NULL;
    control_drain(request->connection);
    const struct report_names names = {.name = name_of_slot, .context = segment};
    const struct chronicle_shown shown = chronicle_show(segment->chronicle);
    const struct report_since since = report_since(&shown, clock_now_ns(options->clock));
    json_t *const result = report_fingerprints_head(&shown);
    json_t *const list = json_array();
    for (uint64_t place = param_number(request, RPC_INDEX_AFTER); place < segment->header->fingerprints; place++) {
        const struct fingerprint *const entry = &segment->fingerprints[place];
        if (entry->id == 0 || !report_fingerprint_wanted(entry, &names, wanted))
            continue;
        if (json_array_size(list) == page_limit(request)) {
            json_object_set_new(result, "next", json_integer((json_int_t)place));
            break;
        }
        json_array_append_new(list, report_fingerprint(entry, &names, &since));
    }
    json_object_set_new(result, "fingerprints", list);
    return result;
}

/* Returns the lowest id from `id` on that is kept. NULL: there is none. */
static const struct incident *incident_from(const struct segment *segment, uint64_t id)
{
    const struct incident *lowest = NULL;
    for (unsigned place = 0; place < INCIDENTS_KEPT; place++) {
        const struct incident *const incident = &segment->incidents[place];
        if (incident->id >= at_least(id, 1) && (!lowest || incident->id < lowest->id))
            lowest = incident;
    }
    return lowest;
}

json_t *control_incidents(const struct control_options *options, const struct control_request *request,
                          json_t **ret_error)
{
    const struct incident *incident;
    json_t *const list = json_array(), *next = NULL;
    (void)ret_error;
    control_drain(request->connection);
    for (uint64_t id = param_number(request, RPC_INDEX_AFTER); (incident = incident_from(options->segment, id));
         id = incident->id + 1) {
        if (json_array_size(list) == at_most(page_limit(request), INCIDENTS_PAGE)) {
            next = json_integer((json_int_t)incident->id);
            break;
        }
        json_array_append_new(list, report_incident(incident, clock_now_ms(options->clock), false));
    }
    return json_pack("{s:o, s:o*}", "incidents", list, "next", next);
}

json_t *control_incidents_show(const struct control_options *options, const struct control_request *request,
                               json_t **ret_error)
{
    const uint64_t id = param_number(request, RPC_INDEX_INCIDENT);
    control_drain(request->connection);
    const struct incident *const incident = incident_from(options->segment, id);
    if (incident && incident->id == id)
        return report_incident(incident, clock_now_ms(options->clock), true);
    *ret_error = rpc_error(RPC_CODE_NOT_FOUND, "no incident %llu is kept", (unsigned long long)id);
    return NULL;
}

json_t *control_deploy_mark(const struct control_options *options, const struct control_request *request,
                            json_t **ret_error)
{
    struct segment *const segment = options->segment;
    const char *const name = param_text(request, RPC_INDEX_NAME);
    const size_t most = sizeof(segment->chronicle->deploy_marks[0].name) - 1;
    if (name && (strlen(name) > most || !settings_name_valid(name, strlen(name)))) {
        *ret_error = rpc_error(RPC_CODE_INVALID, "a deploy's name has 1 to %zu letters, digits and . _ : / @ -", most);
        return NULL;
    }
    control_drain(request->connection); /* errors that came before it are not new */
    segment_deploy(segment, name ? name : "", request->uid, clock_now_ms(options->clock));
    log_notice("deploy mark%s%s by uid %u", name ? " " : "", name ? name : "", (unsigned)request->uid);
    return json_pack("{s:o, s:I}", "name", name ? json_string(name) : json_null(), "at_unix_ms",
                     (json_int_t)chronicle_show(segment->chronicle).deploy.at_unix_ms);
}

/* ---------------------------------------------------------------------------------------------------------- metrics */

/* An answer goes on with groups, and then, from this cursor on, with breakers by their slots. */
#define METRICS_SLOTS (UINT64_C(1) << 20)
#define METRICS_PAGE  20 /* entries: at 2,000 bytes each they do not fill a packet */

static uint64_t metrics_limit(const struct control_request *request)
{
    return at_most(page_limit(request), METRICS_PAGE);
}

static bool lists_breakers(const struct control_request *request)
{
    return param_number(request, RPC_INDEX_AFTER) >= METRICS_SLOTS;
}

/* Keeps the groups of this page. Returns where the answer goes on; 0: this was all. */
static uint64_t cut_groups(const struct control_request *request, json_t *result)
{
    const json_t *const groups = json_object_get(result, "groups");
    const uint64_t first = param_number(request, RPC_INDEX_AFTER), end = first + metrics_limit(request);
    const size_t count = json_array_size(groups);
    json_t *const page = json_array();
    for (uint64_t at = first; at < count && at < end; at++)
        json_array_append(page, json_array_get(groups, at));
    json_object_set_new(result, "groups", page);
    if (end < count)
        return end;
    return param_text(request, RPC_INDEX_NAME) ? METRICS_SLOTS : 0;
}

static void add_metrics(const struct segment *segment, uint32_t slot, struct report_metrics *metrics, bool listed)
{
    uint64_t latency[LATENCY_BUCKETS];
    const struct report_counted breaker = {.name = segment_name(segment, slot),
                                           .slot = slot,
                                           .incarnation = segment_incarnation(segment, slot),
                                           .policy = &segment->policies[slot],
                                           .core = &segment_core(segment, slot)->head,
                                           .latency = latency};
    if (listed)
        segment_latency_read(segment, slot, latency);
    report_metrics_add(metrics, &breaker, listed);
}

static void collect_metrics(const struct segment *segment, const struct control_request *request,
                            struct report_metrics *metrics, uint64_t *ret_next)
{
    uint64_t listed = 0;
    for (uint32_t at = 0; at < segment->header->groups; at++)
        report_metrics_forgotten(metrics, segment->groups[at].name, segment_group(segment, at));
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (!segment_used(segment, slot))
            continue;
        const bool wanted = METRICS_SLOTS + slot >= param_number(request, RPC_INDEX_AFTER) && lists_breakers(request) &&
                            report_metrics_wanted(metrics, segment_name(segment, slot));
        if (wanted && !*ret_next && listed++ == metrics_limit(request))
            *ret_next = METRICS_SLOTS + slot;
        add_metrics(segment, slot, metrics, wanted && !*ret_next);
    }
}

/* The first page has the sums of all, and the first groups. */
json_t *control_metrics(const struct control_options *options, const struct control_request *request,
                        json_t **ret_error)
{
    const struct segment *const segment = options->segment;
    const char *const wanted = param_text(request, RPC_INDEX_NAME);
    uint64_t next = 0;
    *ret_error = wanted ? name_check(wanted) : NULL;
    if (*ret_error)
        return NULL;
    control_drain(request->connection);
    struct report_metrics *const metrics = report_metrics_begin(wanted, clock_now_ms(options->clock));
    if (!metrics)
        return NULL;
    collect_metrics(segment, request, metrics, &next);
    json_t *const result = report_metrics_end(metrics);
    json_object_set_new(result, "tripd", report_tripd(segment->header, segment->host, segment->correlation));
    if (lists_breakers(request))
        json_object_del(result, "groups");
    else
        next = cut_groups(request, result);
    if (next)
        json_object_set_new(result, "next", json_integer((json_int_t)next));
    return result;
}

json_t *control_clients(const struct control_options *options, const struct control_request *request,
                        json_t **ret_error)
{
    (void)ret_error;
    const struct segment *segment = options->segment;
    json_t *clients = json_array(), *next = NULL;
    for (uint64_t lane = param_number(request, RPC_INDEX_AFTER); lane <= LANES_MAX; lane++) {
        if (segment->clients[lane].lane_id == 0)
            continue;
        if (json_array_size(clients) == page_limit(request)) {
            next = json_integer((json_int_t)lane);
            break;
        }
        json_array_append_new(clients, report_client((uint32_t)lane, &segment->clients[lane]));
    }
    return json_pack("{s:o, s:o*}", "clients", clients, "next", next);
}

json_t *control_status(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    (void)ret_error;
    const struct segment *segment = options->segment;
    control_drain(request->connection);
    struct report_instance instance = {.header = segment->header,
                                       .daemon = REPORT_RUNNING,
                                       .now_ms = clock_now_ms(options->clock),
                                       .mono_ns = monotonic_ns()};
    for (uint32_t slot = 0; slot < segment->slots; slot++)
        if (segment_used(segment, slot))
            report_count(&instance, &segment->policies[slot], segment->mirror[slot]);
    for (uint32_t lane = 1; lane <= LANES_MAX; lane++)
        if (segment->clients[lane].lane_id != 0)
            report_count_client(&instance, &segment->clients[lane]);
    json_t *status = report_status(&instance);
    json_object_set_new(status, "version",
                        json_sprintf("%d.%d.%d", TRIP_VERSION_MAJOR, TRIP_VERSION_MINOR, TRIP_VERSION_PATCH));
    json_object_set_new(status, "loop", json_string(loop_backend(options->loop) == LOOP_URING ? "io_uring" : "epoll"));
    json_object_set_new(status, "config_file",
                        options->config->file ? json_string(options->config->file) : json_null());
    json_object_set_new(json_object_get(status, "clients"), "refusals", report_refusals(options->refusals));
    json_object_set_new(status, "wakeups", json_integer((json_int_t)loop_wakeups(options->loop)));
    json_object_set_new(status, "roles", control_roles(request->connection));
    return status;
}

json_t *control_sync(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    (void)ret_error;
    control_drain(request->connection);
    tracer_flush(options->tracer);
    return json_pack("{s:I}", "now_ms", (json_int_t)clock_now_ms(options->clock));
}

static json_t *no_trace(int error)
{
    switch (error) {
    case -EALREADY:
        return rpc_error(RPC_CODE_REFUSED, "this connection traces already");
    case -EUSERS:
        return rpc_error(RPC_CODE_REFUSED, "your user has %d traces running, and may have no more: end one of them",
                         RPC_TRACES_PER_USER);
    default:
        return rpc_error(RPC_CODE_FAILED, "trace: %s", strerror(-error));
    }
}

json_t *control_trace(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    const char *wanted = param_text(request, RPC_INDEX_NAME);
    *ret_error = wanted ? name_check(wanted) : NULL;
    if (*ret_error)
        return NULL;
    control_drain(request->connection); /* what was reported before the request counts before it */
    const int error = control_subscribe(request->connection, wanted);
    if (error < 0) {
        *ret_error = no_trace(error);
        return NULL;
    }
    return json_pack("{s:I}", "now_ms", (json_int_t)clock_now_ms(options->clock));
}

static json_t *no_watch(int error)
{
    switch (error) {
    case -EALREADY:
        return rpc_error(RPC_CODE_REFUSED, "this connection watches already");
    case -EUSERS:
        return rpc_error(RPC_CODE_REFUSED, "your user has %d watchers, and may have no more: end one of them",
                         RPC_WATCHES_PER_USER);
    default:
        return rpc_error(RPC_CODE_FAILED, "watch: %s", strerror(-error));
    }
}

/* The answer says which event is the last one so far: whoever has seen a later one has seen another segment's. */
json_t *control_watch(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    const uint64_t next = options->segment->header->transition_next;
    const char *const pattern = param_text(request, RPC_INDEX_PATTERN), *const kinds =
                                                                            param_text(request, RPC_INDEX_KINDS);
    const uint64_t since = request->given & RPC_SINCE ? param_number(request, RPC_INDEX_SINCE) : next;
    struct watch watch = {.next = since < next ? since : next};
    *ret_error = pattern ? name_check(pattern) : NULL;
    if (!*ret_error && !watch_kinds(kinds, &watch.kinds))
        *ret_error =
            rpc_error(RPC_CODE_INVALID,
                      "\"%s\" are no kinds of events: transition, mode, act, incident, level and feature are", kinds);
    if (*ret_error)
        return NULL;
    strcpy(watch.pattern, pattern ? pattern : "");
    const int error = control_watch_from(request->connection, &watch);
    if (error < 0) {
        *ret_error = no_watch(error);
        return NULL;
    }
    return json_pack("{s:I, s:I}", "now_ms", (json_int_t)clock_now_ms(options->clock), "sequence", (json_int_t)next);
}

/* ------------------------------------------------------------------------------------------- what operators change */

struct hit {
    uint32_t slot;
    bool skipped;
};

struct hits {
    struct hit *hits; /* in the order of slots */
    size_t count;
};

static void hit(void *context, uint32_t slot)
{
    struct hits *hits = context;
    hits->hits[hits->count++].slot = slot;
}

/* Finds the breakers that a name or pattern means now. Finding none is an error only for a name. */
static int hits_find(const struct control_options *options, const char *name, struct hits *ret_hits)
{
    struct hits hits = {.hits = calloc(options->segment->slots, sizeof(struct hit))};
    if (!hits.hits)
        return -ENOMEM;
    if (is_pattern(name))
        breakers_matching(options->breakers, name, hit, &hits);
    else if (segment_find(options->segment, name, &hits.hits[0].slot) == 0)
        hits.count = 1;
    *ret_hits = hits;
    return 0;
}

static size_t hits_done(const struct hits *hits)
{
    size_t done = 0;
    for (size_t i = 0; i < hits->count; i++)
        done += !hits->hits[i].skipped;
    return done;
}

/* Is this the next page of an answer? Then nothing is done again. */
static bool goes_on(const struct control_request *request)
{
    return param_number(request, RPC_INDEX_AFTER) > 0;
}

static json_t *hits_report(const struct control_options *options, const struct control_request *request,
                           const struct hits *hits)
{
    json_t *done = json_array(), *skipped = json_array(), *next = NULL;
    uint64_t named = 0;
    for (size_t i = 0; i < hits->count && !next; i++) {
        const struct hit *const each = &hits->hits[i];
        if (each->slot < param_number(request, RPC_INDEX_AFTER))
            continue;
        if (named++ == page_limit(request))
            next = json_integer(each->slot);
        else
            json_array_append_new(each->skipped ? skipped : done,
                                  json_string(segment_name(options->segment, each->slot)));
    }
    return json_pack("{s:I, s:o, s:o, s:o*}", "count", (json_int_t)hits_done(hits), "breakers", done, "skipped",
                     skipped, "next", next);
}

static struct breakers_actor actor(const struct control_request *request)
{
    return (struct breakers_actor){
        .by = BY_OPERATOR, .uid = request->uid, .reason = param_text(request, RPC_INDEX_REASON)};
}

static void log_done(const char *what, const struct control_request *request, const struct hits *hits)
{
    const char *reason = param_text(request, RPC_INDEX_REASON);
    const size_t done = hits_done(hits);
    char skipped[40] = "";
    if (done < hits->count)
        snprintf(skipped, sizeof(skipped), ", %zu skipped", hits->count - done);
    log_notice("%s %s by uid %u: %zu breaker%s%s%s%s", what, param_text(request, RPC_INDEX_NAME),
               (unsigned)request->uid, done, done == 1 ? "" : "s", skipped, reason ? ", " : "", reason ? reason : "");
}

static json_t *failure(const char *what, const char *name, int error)
{
    switch (error) {
    case -ENOENT:
        return not_found(name);
    case -EBUSY:
        return rpc_error(RPC_CODE_REFUSED,
                         is_pattern(name)
                             ? "%s: the mode of each breaker that matches %s keeps its state as it is; `tripctl auto "
                               "%s` first"
                             : "%s: the mode of %s keeps its state as it is; `tripctl auto %s` first",
                         what, name, name);
    case -ENOSPC:
        return rpc_error(
            RPC_CODE_FAILED,
            "%s %s: %d patterns hold a mode, and there is no place for more: name the breakers one by one, "
            "or wait until a TTL ends",
            what, name, PATTERNS_MAX);
    default:
        return rpc_error(RPC_CODE_FAILED, "%s %s: %s", what, name, strerror(-error));
    }
}

/* Makes the answer: what happened to each breaker, or why nothing did. Frees the hits. */
static json_t *answer(const struct control_options *options, const struct control_request *request, const char *what,
                      struct hits *hits, int error, json_t **ret_error)
{
    json_t *result = NULL;
    if (error < 0) {
        *ret_error = failure(what, param_text(request, RPC_INDEX_NAME), error);
    } else {
        result = hits_report(options, request, hits);
        if (!goes_on(request))
            log_done(what, request, hits);
    }
    free(hits->hits);
    return result;
}

/* Does to one breaker what the verb says. */
typedef int action_fn(struct breakers *breakers, uint32_t slot, const struct control_request *request);

/* Acts on each breaker that a pattern means, and skips breakers that cannot be acted on. It is an error only if none
 * can. */
static int act_on_each(const struct control_options *options, const struct control_request *request,
                       const struct hits *hits, action_fn *action)
{
    int error = -ENOENT;
    for (size_t i = 0; i < hits->count; i++) {
        const int failed = action(options->breakers, hits->hits[i].slot, request);
        hits->hits[i].skipped = failed < 0;
        error = failed < 0 ? failed : error;
    }
    return hits_done(hits) > 0 || goes_on(request) ? 0 : error;
}

static json_t *act(const struct control_options *options, const struct control_request *request, const char *what,
                   action_fn *action, json_t **ret_error)
{
    const char *name = param_text(request, RPC_INDEX_NAME);
    struct hits hits;
    *ret_error = name_check(name);
    if (*ret_error || hits_find(options, name, &hits) < 0)
        return NULL;
    return answer(options, request, what, &hits, act_on_each(options, request, &hits, action), ret_error);
}

static int trip_one(struct breakers *breakers, uint32_t slot, const struct control_request *request)
{
    const struct breakers_actor who = actor(request);
    if (goes_on(request))
        return breakers_keeps_state(breakers, slot) ? -EBUSY : 0;
    return breakers_trip(breakers, slot, param_number(request, RPC_INDEX_FOR_MS), &who);
}

json_t *control_trip(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    return act(options, request, "trip", trip_one, ret_error);
}

static int reset_one(struct breakers *breakers, uint32_t slot, const struct control_request *request)
{
    const struct breakers_actor who = actor(request);
    return goes_on(request) ? 0 : breakers_reset(breakers, slot, &who);
}

/* Lists the breakers whose mode still decides, so that the step has no effect on them. */
static json_t *held(const struct control_options *options, const json_t *names)
{
    json_t *list = json_array(), *name;
    size_t i;
    json_array_foreach(names, i, name)
    {
        uint32_t slot;
        if (segment_find(options->segment, json_string_value(name), &slot) < 0)
            continue;
        const struct report_breaker breaker = view(options, slot);
        json_t *mode = report_mode(&breaker);
        if (mode)
            json_array_append_new(list, mode);
    }
    return list;
}

json_t *control_reset(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    json_t *result = act(options, request, "reset", reset_one, ret_error);
    if (result)
        json_object_set_new(result, "held", held(options, json_object_get(result, "breakers")));
    return result;
}

/* Sets a mode. A pattern also binds later breakers, so that it is no error if it matches none yet. */
static int mode_set(const struct control_options *options, const struct control_request *request, trip_mode mode,
                    const struct hits *hits)
{
    const char *name = param_text(request, RPC_INDEX_NAME);
    const uint64_t ttl_ms = param_number(request, RPC_INDEX_TTL_MS);
    const struct breakers_actor who = actor(request);
    if (goes_on(request))
        return 0;
    if (is_pattern(name))
        return breakers_mode_pattern(options->breakers, name, mode, ttl_ms, &who);
    if (hits->count == 0)
        return -ENOENT;
    return breakers_mode(options->breakers, hits->hits[0].slot, MODE_OWNER_OPERATOR, mode, ttl_ms, &who);
}

static json_t *mode_by_verb(const struct control_options *options, const struct control_request *request,
                            const char *verb, trip_mode mode, json_t **ret_error)
{
    const char *name = param_text(request, RPC_INDEX_NAME);
    struct hits hits;
    *ret_error = name_check(name);
    if (*ret_error || hits_find(options, name, &hits) < 0)
        return NULL;
    return answer(options, request, verb, &hits, mode_set(options, request, mode, &hits), ret_error);
}

json_t *control_force_open(const struct control_options *options, const struct control_request *request,
                           json_t **ret_error)
{
    return mode_by_verb(options, request, "force-open", TRIP_MODE_FORCED_OPEN, ret_error);
}

json_t *control_disable(const struct control_options *options, const struct control_request *request,
                        json_t **ret_error)
{
    return mode_by_verb(options, request, "disable", TRIP_MODE_DISABLED, ret_error);
}

json_t *control_shadow(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    return mode_by_verb(options, request, "shadow", TRIP_MODE_SHADOW, ret_error);
}

json_t *control_auto(const struct control_options *options, const struct control_request *request, json_t **ret_error)
{
    return mode_by_verb(options, request, "auto", TRIP_MODE_AUTO, ret_error);
}

/* ------------------------------------------------------------------------------------------------------ the config */

static json_t *busy(int error)
{
    return error == -EALREADY ? rpc_error(RPC_CODE_REFUSED, "this connection waits for an answer: ask over another one")
                              : rpc_error(RPC_CODE_FAILED, "%s", strerror(-error));
}

/* Checks a config in a child, for users and groups have to be looked up. */
static int check_text(void *context, FILE *out)
{
    const char *text = context;
    json_t *result = report_check_text(text, strlen(text), "config");
    return result && json_dumpf(result, out, JSON_COMPACT) == 0 ? 0 : -ENOMEM;
}

json_t *control_config_check(const struct control_options *options, const struct control_request *request,
                             json_t **ret_error)
{
    (void)options;
    void *const text = (void *)(uintptr_t)param_text(request, RPC_INDEX_TEXT);
    const int error = control_await_aside(request->connection, check_text, text);
    if (error < 0)
        *ret_error = busy(error);
    return NULL;
}

json_t *control_config_reload(const struct control_options *options, const struct control_request *request,
                              json_t **ret_error)
{
    int error = control_await_reload(request->connection);
    if (error == 0)
        error = options->reload(options->context);
    if (error < 0)
        *ret_error = busy(error);
    return NULL;
}

/* Returns a page of YAML: whole lines; `after` and `next` count bytes. */
static json_t *yaml_page(const char *yaml, size_t size, uint64_t after)
{
    const size_t most = 60000;
    const size_t from = after < size ? (size_t)after : size;
    size_t length = size - from < most ? size - from : most;
    while (from + length < size && length > 0 && yaml[from + length - 1] != '\n')
        length--;
    json_t *next = from + length < size ? json_integer((json_int_t)(from + length)) : NULL;
    return json_pack("{s:o, s:o*}", "yaml", json_stringn(yaml + from, length), "next", next);
}

static json_t *config_yaml(const struct config *config, uint64_t after, bool origins)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return NULL;
    const int error = config_write_yaml(config, file, origins);
    const bool whole = fclose(file) == 0 && error == 0;
    json_t *page = whole ? yaml_page(text, size, after) : NULL;
    free(text);
    return page;
}

#define CONFIG_PAGE_BYTES 60000 /* as JSON, which is longer than MessagePack */

/* A page of the config's lists, whose entries are counted one list after the other. */
struct config_page {
    uint64_t after, limit; /* how many entries it leaves out, and how many it may have */
    uint64_t seen, taken;
    size_t size;
    bool full;
};

/* Takes an entry, unless it is of a page before or after this one. Entries with long fallbacks are fewer in a page. */
static void take_entry(struct config_page *page, json_t *some, json_t *entry)
{
    if (page->seen++ < page->after || page->full)
        return;
    page->size += json_dumpb(entry, NULL, 0, JSON_COMPACT);
    page->full = page->taken == page->limit || (page->taken > 0 && page->size > CONFIG_PAGE_BYTES);
    if (page->full)
        return;
    json_array_append(some, entry);
    page->taken++;
}

/* Returns a page of JSON: `after` and `next` count features, then entries of breakers. */
static json_t *config_page(const struct config *config, uint64_t after, uint64_t limit, bool origins)
{
    static const char *const lists[] = {"features", "breakers"};
    struct config_page page = {.after = after, .limit = limit};
    json_t *const shown = report_config(config, origins);
    for (size_t list = 0; list < sizeof(lists) / sizeof(lists[0]); list++) {
        json_t *const some = json_array(), *entry;
        size_t i;
        json_array_foreach(json_object_get(shown, lists[list]), i, entry) take_entry(&page, some, entry);
        json_object_set_new(shown, lists[list], some);
    }
    if (page.full)
        json_object_set_new(shown, "next", json_integer((json_int_t)(after + page.taken)));
    return shown;
}

json_t *control_config_show(const struct control_options *options, const struct control_request *request,
                            json_t **ret_error)
{
    const char *form = param_text(request, RPC_INDEX_FORM);
    const uint64_t after = param_number(request, RPC_INDEX_AFTER);
    const bool origins = param_number(request, RPC_INDEX_ORIGIN);
    if (form && strcmp(form, "yaml") == 0)
        return config_yaml(options->config, after, origins);
    if (!form)
        return config_page(options->config, after, page_limit(request), origins);
    *ret_error = rpc_error(RPC_CODE_INVALID, "config_show has no form \"%s\": yaml, or none", form);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------- the clock */

json_t *control_clock_show(const struct control_options *options, const struct control_request *request,
                           json_t **ret_error)
{
    (void)request;
    (void)ret_error;
    return json_pack("{s:s, s:I}", "clock", options->clock->ticks == TICKS_TEST ? "test" : "real", "now_ms",
                     (json_int_t)clock_now_ms(options->clock));
}

json_t *control_clock_advance(const struct control_options *options, const struct control_request *request,
                              json_t **ret_error)
{
    const int error = options->advance(options->context, param_number(request, RPC_INDEX_BY_MS) * TRIP_MS);
    if (error == 0)
        return control_clock_show(options, request, ret_error);
    *ret_error = error == -EOPNOTSUPP
                     ? rpc_error(RPC_CODE_UNSUPPORTED, "tripd's clock is the real one: start it with --test-clock")
                     : rpc_error(RPC_CODE_FAILED, "clock advance: %s", strerror(-error));
    return NULL;
}
