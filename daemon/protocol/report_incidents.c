#include "protocol/report_incidents.h"

#include <string.h>

#include "core/burst.h"
#include "core/fingerprints.h"
#include "core/settings.h"
#include "internal/enum_names.h"
#include "internal/numbers.h"
#include "protocol/report_parts.h"

#define TEXT(field)  report_text(field, sizeof(field))
#define PERMILLE(at) json_real((double)(at) / 10)
#define MILLI(rate)  json_real((double)(rate) / 1000)

/* --------------------------------------------------------------------------------------------------- fingerprints */

struct report_since report_since(const struct chronicle_shown *shown, uint64_t now_ns)
{
    return (struct report_since){.now_ns = now_ns, .new_ms = shown->deploys ? shown->deploy.at_ms : shown->started_ms};
}

static unsigned breakers_of(const struct fingerprint *entry)
{
    return entry->breaker_count < FINGERPRINT_BREAKERS ? entry->breaker_count : FINGERPRINT_BREAKERS;
}

/* "": the breaker is forgotten, be its slot free or another one's. */
static const char *breaker_name(const struct fingerprint *entry, unsigned i, const struct report_names *names)
{
    const char *const name = names->name(names->context, entry->breakers[i]);
    return entry->names[i] == fingerprint_name_hash(name) ? name : "";
}

static json_t *breaker_names(const struct fingerprint *entry, const struct report_names *names)
{
    json_t *const list = json_array();
    for (unsigned i = 0; i < breakers_of(entry); i++) {
        const char *const name = breaker_name(entry, i, names);
        if (*name)
            json_array_append_new(list, report_text(name, TRIP_NAME_MAX));
    }
    return list;
}

bool report_fingerprint_wanted(const struct fingerprint *entry, const struct report_names *names, const char *wanted)
{
    for (unsigned i = 0; wanted && i < breakers_of(entry); i++)
        if (settings_pattern_matches(wanted, breaker_name(entry, i, names)))
            return true;
    return !wanted;
}

json_t *report_fingerprint(const struct fingerprint *entry, const struct report_names *names,
                           const struct report_since *since)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:b, s:b}", "id", number(entry->id),
                     "template", TEXT(entry->text), "type", report_error_type(entry->type), "errors",
                     number(entry->count), "at_most_others", number(entry->over), "first_unix_ms",
                     number(entry->first_unix_ms), "last_unix_ms", number(entry->last_unix_ms), "breakers",
                     breaker_names(entry, names), "more_breakers", entry->breaker_count > FINGERPRINT_BREAKERS,
                     "processes", number(fingerprint_processes(entry)), "per_second",
                     MILLI(burst_rate_milli(&entry->burst, since->now_ns)), "usual_per_second",
                     MILLI(burst_long_run_milli(&entry->burst)), "burst", burst_now(&entry->burst, since->now_ns),
                     "new", entry->first_ms >= since->new_ms);
}

static json_t *report_deploy(const struct deploy_mark *mark)
{
    return json_pack("{s:o, s:o, s:o}", "name", report_text_or_null(mark->name, sizeof(mark->name)), "at_unix_ms",
                     number(mark->at_unix_ms), "uid", number(mark->uid));
}

json_t *report_fingerprints_head(const struct chronicle_shown *shown)
{
    return json_pack("{s:o, s:o, s:o}", "deploy", shown->deploys ? report_deploy(&shown->deploy) : json_null(),
                     "new_since_unix_ms", number(shown->deploys ? shown->deploy.at_unix_ms : shown->started_unix_ms),
                     "unclassified", number(shown->unclassified));
}

/* ------------------------------------------------------------------------------------------------------ incidents */

static const char *const moment_names[] = {
#define MOMENT_NAME(suffix, name) name,
    INCIDENT_MOMENT_KINDS(MOMENT_NAME)};
#define EVIDENCE_NAME(suffix, name, words) name,
static const char *const evidence_names[] = {INCIDENT_EVIDENCE(EVIDENCE_NAME)};
#define EVIDENCE_WORDS(suffix, name, words) words,
static const char *const evidence_words[] = {INCIDENT_EVIDENCE(EVIDENCE_WORDS)};

static unsigned members_of(const struct incident *incident)
{
    return incident->member_count < INCIDENT_MEMBERS ? incident->member_count : INCIDENT_MEMBERS;
}

/* Copies nothing beyond `names`, whatever a damaged incident says. */
static json_t *member_name(const struct incident *incident, unsigned member)
{
    const unsigned at = member < members_of(incident) ? incident->members[member].name : INCIDENT_NAMES;
    if (at >= INCIDENT_NAMES)
        return json_null();
    return report_text(&incident->names[at], INCIDENT_NAMES - at);
}

static json_t *member_names(const struct incident *incident)
{
    json_t *const list = json_array();
    for (unsigned member = 0; member < members_of(incident); member++)
        json_array_append_new(list, member_name(incident, member));
    return list;
}

static json_t *evidence_of(const struct incident *incident)
{
    json_t *const list = json_array();
    for (unsigned i = 0; i < EVIDENCE_COUNT; i++)
        if (incident->evidence >> i & 1)
            json_array_append_new(list, json_pack("{s:s, s:s}", "kind", evidence_names[i], "words", evidence_words[i]));
    return list;
}

static json_t *candidate_of(const struct incident *incident)
{
    if (incident->candidate >= members_of(incident))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "breaker", member_name(incident, incident->candidate), "confidence",
                     PERMILLE(incident->confidence), "evidence", evidence_of(incident), "lead_ms",
                     number(incident->lead_ms));
}

static json_t *fingerprint_of(const struct incident *incident)
{
    if (!incident->fingerprint)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "id", number(incident->fingerprint), "template",
                     TEXT(incident->fingerprint_text), "errors", number(incident->fingerprint_errors));
}

static json_t *deploy_of(const struct incident *incident)
{
    if (!incident->deploy_unix_ms)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "name", report_text_or_null(incident->deploy, sizeof(incident->deploy)),
                     "at_unix_ms", number(incident->deploy_unix_ms), "before_ms",
                     number(time_until(incident->start_unix_ms, incident->deploy_unix_ms)));
}

/* A time of a member, which is relative to the start. */
static json_t *moment_or_null(const struct incident *incident, int32_t at_ms)
{
    return at_ms == INCIDENT_NEVER ? json_null() : number(incident->start_unix_ms + (uint64_t)(int64_t)at_ms);
}

static json_t *report_member(const struct incident *incident, unsigned at)
{
    const struct incident_member *const member = &incident->members[at];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "breaker", member_name(incident, at), "failed_unix_ms",
                     moment_or_null(incident, member->onset_ms), "opened_unix_ms",
                     moment_or_null(incident, member->opened_ms), "closed_unix_ms",
                     moment_or_null(incident, member->closed_ms), "errors", number(member->errors), "opens",
                     number(member->opens), "reason", json_string(NAME_OF(reason_names, member->reason)), "type",
                     member->errors ? report_error_type(member->type) : json_null());
}

/* A state, a mode, or the number of a level; null for other moments. */
static json_t *end_of_step(const struct incident_moment *moment, unsigned value)
{
    switch (moment->kind) {
    case MOMENT_ACT:
        return json_string(NAME_OF(state_names, value));
    case MOMENT_MODE:
        return json_string(NAME_OF(mode_names, value));
    case MOMENT_LEVEL:
        return json_sprintf("%u", value);
    default:
        return json_null();
    }
}

static json_t *report_moment(const struct incident *incident, const struct incident_moment *moment)
{
    const unsigned from = moment->from_to >> 4, to = moment->from_to & 15;
    const bool step = moment->kind == MOMENT_MODE || moment->kind == MOMENT_ACT || moment->kind == MOMENT_LEVEL;
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "at_unix_ms", moment_or_null(incident, moment->at_ms),
                     "event", NAME_OF(moment_names, moment->kind), "breaker", member_name(incident, moment->member),
                     "from", end_of_step(moment, from), "to", end_of_step(moment, to), "by",
                     step ? json_string(NAME_OF(actor_names, moment->by)) : json_null(), "uid",
                     step && moment->by == BY_OPERATOR ? number(moment->uid) : json_null());
}

static void add_details(json_t *report, const struct incident *incident)
{
    json_t *const members = json_array(), *const moments = json_array();
    for (unsigned member = 0; member < members_of(incident); member++)
        json_array_append_new(members, report_member(incident, member));
    for (unsigned i = 0; i < incident->moment_count && i < INCIDENT_MOMENTS; i++)
        json_array_append_new(moments, report_moment(incident, &incident->moments[i]));
    json_object_set_new(report, "members", members);
    json_object_set_new(report, "timeline", moments);
    json_object_set_new(report, "timeline_more", number(incident->moments_more));
}

json_t *report_incident(const struct incident *incident, uint64_t now_ms, bool whole)
{
    json_t *const report = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "incident", number(incident->id),
        "start_unix_ms", number(incident->start_unix_ms), "end_unix_ms",
        incident->end_unix_ms ? number(incident->end_unix_ms) : json_null(), "for_ms",
        number(time_until(incident->end_ms ? incident->end_ms : now_ms, incident->start_ms)), "breakers",
        member_names(incident), "more_breakers", number(incident->members_more), "errors", number(incident->errors),
        "steps", number(incident->steps), "acts", number(incident->acts), "candidate", candidate_of(incident),
        "fingerprint", fingerprint_of(incident), "process",
        incident->pid ? json_pack("{s:o, s:o}", "pid", number(incident->pid), "errors", number(incident->pid_errors))
                      : json_null(),
        "deploy", deploy_of(incident));
    if (report && whole)
        add_details(report, incident);
    return report;
}
