/* Writes an incident's members, errors and moments, and keeps within the bounds of its tables. */
#include <string.h>

#include "core/incidents_parts.h"

#define DEPLOY_RECENT_MS UINT64_C(600000)

int32_t incident_relative(const struct incident *incident, uint64_t at_ms)
{
    if (at_ms >= incident->start_ms)
        return (int32_t)at_most(at_ms - incident->start_ms, INT32_MAX);
    return -(int32_t)at_most(incident->start_ms - at_ms, INT32_MAX);
}

uint64_t incident_absolute(const struct incident *incident, int32_t relative_ms)
{
    if (relative_ms >= 0)
        return incident->start_ms + (uint64_t)relative_ms;
    return time_until(incident->start_ms, (uint64_t)(-(int64_t)relative_ms));
}

/* ---------------------------------------------------------------------------------------------------------- moments */

static void place_moment(struct incident *incident, uint64_t at_ms, struct incident_moment moment)
{
    moment.at_ms = incident_relative(incident, at_ms);
    incident->moments[incident->moment_count++] = moment;
}

void incident_moment(struct incident *incident, uint64_t at_ms, struct incident_moment moment)
{
    const unsigned places = moment.kind == MOMENT_ENDED ? INCIDENT_MOMENTS : INCIDENT_MOMENTS - 1;
    if (incident->moment_count < places)
        place_moment(incident, at_ms, moment);
    else
        incident->moments_more++;
}

void incident_touch(struct incident *incident, uint64_t at_ms)
{
    incident->last_ms = at_least(incident->last_ms, at_ms);
}

/* ------------------------------------------------------------------------------------------------------------ start */

static int32_t moved(int32_t at_ms, int32_t by_ms)
{
    const int64_t later = (int64_t)at_ms + by_ms;
    return (int32_t)(later < INT32_MAX ? later : INT32_MAX);
}

static void move_members(struct incident *incident, int32_t by_ms)
{
    for (unsigned i = 0; i < incident->member_count; i++) {
        struct incident_member *const member = &incident->members[i];
        member->onset_ms = moved(member->onset_ms, by_ms);
        if (member->opened_ms != INCIDENT_NEVER)
            member->opened_ms = moved(member->opened_ms, by_ms);
        if (member->closed_ms != INCIDENT_NEVER)
            member->closed_ms = moved(member->closed_ms, by_ms);
    }
}

static void note_deploy(struct incident *incident, const struct incidents_host *host)
{
    incident->deploy_unix_ms = 0;
    memset(incident->deploy, 0, sizeof(incident->deploy));
    if (host->deploy_unix_ms == 0 || host->deploy_ms > incident->start_ms ||
        incident->start_ms - host->deploy_ms > DEPLOY_RECENT_MS)
        return;
    incident->deploy_unix_ms = host->deploy_unix_ms;
    if (host->deploy)
        memcpy(incident->deploy, host->deploy, strnlen(host->deploy, sizeof(incident->deploy) - 1));
}

static void start_at(struct incident *incident, const struct incidents_host *host, uint64_t at_ms)
{
    const int32_t by_ms = -incident_relative(incident, at_ms);
    move_members(incident, by_ms);
    for (unsigned i = 0; i < incident->moment_count; i++)
        incident->moments[i].at_ms = moved(incident->moments[i].at_ms, by_ms);
    incident->start_ms = at_ms;
    incident->start_unix_ms = host->unix_ms(host->context, at_ms);
    note_deploy(incident, host);
}

void incident_begin(struct incident *incident, const struct incidents_host *host, uint64_t id, uint64_t at_ms)
{
    incident->id = id;
    incident->last_ms = at_ms;
    incident->candidate = INCIDENT_NOBODY;
    start_at(incident, host, at_ms);
}

void incident_onset(struct incident *incident, const struct incidents_host *host, unsigned member, uint64_t onset_ms)
{
    if (onset_ms < incident->start_ms)
        start_at(incident, host, onset_ms);
    incident->members[member].onset_ms = incident_relative(incident, onset_ms);
}

/* ---------------------------------------------------------------------------------------------------------- members */

unsigned incident_member_of(const struct incident *incident, uint32_t slot, const char *name)
{
    for (unsigned i = 0; incident->id && i < incident->member_count; i++) {
        const struct incident_member *const member = &incident->members[i];
        const char *const known = incident_member_name(incident, i);
        if (member->slot == slot &&
            (member->flags & MEMBER_NAME_CUT ? strncmp(known, name, strlen(known)) == 0 : strcmp(known, name) == 0))
            return i;
    }
    return INCIDENT_NOBODY;
}

/* The last byte of all stays 0: it is the name of those for which there is no room. */
static void name_member(struct incident *incident, struct incident_member *member, const char *name)
{
    const size_t room = INCIDENT_NAMES - 1u - incident->names_used, length = strlen(name);
    const size_t kept = length < room ? length : room;
    member->name = incident->names_used;
    memcpy(&incident->names[incident->names_used], name, kept);
    incident->names_used = (uint16_t)at_most(incident->names_used + kept + 1, INCIDENT_NAMES - 1);
    if (kept < length)
        member->flags |= MEMBER_NAME_CUT;
}

unsigned incident_join(struct incident *incident, const struct incidents_host *host, uint32_t slot, const char *name,
                       uint64_t onset_ms)
{
    if (incident->member_count == INCIDENT_MEMBERS) {
        incident->members_more++;
        return INCIDENT_NOBODY;
    }
    const unsigned place = incident->member_count++;
    struct incident_member *const member = &incident->members[place];
    *member = (struct incident_member){.slot = slot, .opened_ms = INCIDENT_NEVER, .closed_ms = INCIDENT_NEVER};
    name_member(incident, member, name);
    incident_onset(incident, host, place, onset_ms);
    incident_moment(incident, onset_ms, (struct incident_moment){.kind = MOMENT_JOINED, .member = (uint8_t)place});
    return place;
}

/* ----------------------------------------------------------------------------------------------------------- errors */

static uint32_t more(uint32_t count, uint64_t n)
{
    return (uint32_t)at_most(count + at_most(n, UINT32_MAX), UINT32_MAX);
}

static struct incident_count *count_of(struct incident_count counts[INCIDENT_COUNTS], uint64_t key)
{
    struct incident_count *least = &counts[0];
    for (unsigned i = 0; i < INCIDENT_COUNTS; i++) {
        if (counts[i].count && counts[i].key == key)
            return &counts[i];
        if (counts[i].count < least->count)
            least = &counts[i];
    }
    least->key = key;
    least->over = least->count;
    return least;
}

static uint32_t surely(const struct incident_count *counted)
{
    return counted->count - counted->over;
}

/* Returns the most frequent one; of equally frequent ones that which was there first. */
static const struct incident_count *count_errors(struct incident_count counts[INCIDENT_COUNTS], uint64_t key,
                                                 uint64_t times)
{
    struct incident_count *const counted = count_of(counts, key);
    const struct incident_count *most = &counts[0];
    counted->count = more(counted->count, times);
    for (unsigned i = 1; i < INCIDENT_COUNTS; i++)
        if (surely(&counts[i]) > surely(most))
            most = &counts[i];
    return most;
}

static const char *text_of(const struct incidents_host *host, uint64_t id)
{
    const char *const text = host->fingerprint ? host->fingerprint(host->context, id) : NULL;
    return text ? text : "";
}

static void lead(struct incident *incident, const struct incidents_host *host, const struct incident_count *most)
{
    const bool known = incident->fingerprint == most->key && incident->fingerprint_text[0];
    incident->fingerprint = most->key;
    incident->fingerprint_errors = surely(most);
    if (known)
        return;
    const char *const text = text_of(host, most->key);
    memset(incident->fingerprint_text, 0, sizeof(incident->fingerprint_text));
    memcpy(incident->fingerprint_text, text, strnlen(text, FINGERPRINT_TEXT_MAX));
}

static void lead_process(struct incident *incident, const struct incident_count *most)
{
    incident->pid = (uint32_t)most->key;
    incident->pid_errors = surely(most);
}

void incident_errors(struct incident_open *open, const struct incidents_host *host, unsigned member,
                     const struct incident_errors *errors)
{
    struct incident *const incident = &open->incident;
    if (errors->times == 0)
        return;
    incident->errors = saturated((unsigned __int128)incident->errors + errors->times);
    incident->members[member].errors = more(incident->members[member].errors, errors->times);
    incident->members[member].type = errors->type;
    if (errors->fingerprint)
        lead(incident, host, count_errors(open->fingerprints, errors->fingerprint, errors->times));
    if (errors->pid)
        lead_process(incident, count_errors(open->pids, errors->pid, errors->times));
}
