/* A run of errors is a leaky bucket: each error fills it by one, and one error leaks out in each cascade window, and
 * twice the breaker's long-run rate of errors. The run's onset is when the bucket was empty last. So a lonely error is
 * a run of one that is over five seconds later, and noise that is usual for the breaker makes no run. */
#include <string.h>

#include "core/incidents_parts.h"
#include "internal/names.h"

#define LEVEL_HIGHEST    10000u /* after a storm without an opening the run ends that much later, and no more */
#define LEVEL_ELEVATED   5000u
#define PACE_FACTOR      2
#define PACE_LONGEST_MS  30000
#define ERRORS_THAT_OPEN 4  /* fewer in the run: those before it had a part in it */
#define LONG_RUN_KNOWN   30 /* buckets after which the long run says what is usual */

static uint32_t hash_of(const char *name)
{
    return names_hash(name) ? names_hash(name) : 1;
}

const struct activity *activity_seen(const struct incidents *incidents, uint32_t slot)
{
    for (unsigned i = 0; i < INCIDENTS_ACTIVITIES; i++)
        if (incidents->activities[i].name_hash && incidents->activities[i].slot == slot)
            return &incidents->activities[i];
    return NULL;
}

struct activity *activity_of(struct incidents *incidents, uint32_t slot)
{
    const struct activity *const seen = activity_seen(incidents, slot);
    return seen ? &incidents->activities[seen - incidents->activities] : NULL;
}

static bool is_member(const struct incidents *incidents, uint32_t slot)
{
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        const struct incident *const incident = &incidents->open[i].incident;
        for (unsigned member = 0; incident->id && member < incident->member_count; member++)
            if (incident->members[member].slot == slot)
                return true;
    }
    return false;
}

/* Members are fewer than places, so that there is always one. */
static struct activity *least_recent(struct incidents *incidents)
{
    struct activity *least = NULL;
    for (unsigned i = 0; i < INCIDENTS_ACTIVITIES; i++) {
        struct activity *const one = &incidents->activities[i];
        if (one->name_hash == 0)
            return one;
        if ((!least || one->last_ms < least->last_ms) && !is_member(incidents, one->slot))
            least = one;
    }
    return least;
}
_Static_assert(INCIDENTS_ACTIVITIES > INCIDENTS_OPEN * INCIDENT_MEMBERS, "members alone fill the table");

struct activity *activity_make(struct incidents *incidents, uint32_t slot, const char *name, uint64_t at_ms)
{
    const uint32_t hash = hash_of(name);
    struct activity *activity = activity_of(incidents, slot);
    if (activity && activity->name_hash == hash)
        return activity;
    if (!activity)
        activity = least_recent(incidents);
    *activity =
        (struct activity){.slot = slot, .name_hash = hash, .since_ms = at_ms, .last_ms = at_ms, .onset_ms = at_ms};
    return activity;
}

/* ------------------------------------------------------------------------------------------------------------ runs */

/* Thousandths of an error a second that are no run. */
static uint64_t leak_milli(const struct activity *activity, const struct incidents_host *host)
{
    const uint64_t usual = activity->burst.buckets < LONG_RUN_KNOWN ? 0 : burst_long_run_milli(&activity->burst);
    return ERROR_MILLI * 1000 / window_ms(host) + 2 * usual;
}

static void leak(struct activity *activity, const struct incidents_host *host, uint64_t at_ms)
{
    const uint64_t leaked = product(time_until(at_ms, activity->last_ms), leak_milli(activity, host)) / 1000;
    activity->level_milli = (uint16_t)time_until(activity->level_milli, leaked);
}

/* A breaker that is called once in ten seconds fails once in ten seconds: each error is a run of its own. Errors are at
 * a pace as long as no gap between two is far longer than the one before it. */
static void keep_pace(struct activity *activity, const struct incidents_host *host, uint64_t at_ms, bool begins)
{
    const uint64_t gap_ms = time_until(at_ms, activity->last_ms);
    const bool at_pace =
        gap_ms <= PACE_FACTOR * at_least(activity->gap_ms, window_ms(host)) && gap_ms <= PACE_LONGEST_MS;
    if (begins)
        activity->paced_ms =
            at_pace ? (uint32_t)at_most(activity->paced_ms + time_until(at_ms, activity->onset_ms), UINT32_MAX) : 0;
    activity->gap_ms = (uint32_t)at_most(gap_ms, UINT32_MAX);
}

static void run_begins(struct activity *activity, uint64_t at_ms, bool member)
{
    activity->onset_ms = at_ms;
    activity->errors = 0;
    if (member) /* ids that were shared earlier in the incident are evidence still */
        return;
    activity->with_ids = 0;
    memset(activity->links, 0, sizeof(activity->links));
}

/* An error told late may show that the run began earlier. */
static bool began_earlier(struct activity *activity, const struct incidents_host *host, uint64_t at_ms)
{
    if (at_ms >= activity->onset_ms || activity->onset_ms - at_ms > window_ms(host))
        return false;
    activity->onset_ms = at_ms;
    return true;
}

static void fill(struct activity *activity, const struct incidents_error *error, uint64_t at_ms)
{
    const uint64_t errors = at_most(error->times, LEVEL_HIGHEST);
    activity->level_milli = (uint16_t)at_most(activity->level_milli + errors * ERROR_MILLI, LEVEL_HIGHEST);
    activity->errors = (uint32_t)at_most(activity->errors + at_most(error->times, UINT32_MAX), UINT32_MAX);
    activity->last_ms = at_least(activity->last_ms, at_ms);
    activity->fingerprint = error->fingerprint ? error->fingerprint : activity->fingerprint;
    activity->pid = error->pid;
    activity->type = error->type;
}

struct activity_change activity_errors(struct activity *activity, const struct incidents_host *host,
                                       const struct incidents_error *error, bool member)
{
    const uint64_t at_ms = error->at_ns / NANOS_PER_MS;
    struct activity_change change = {0};
    leak(activity, host, at_ms);
    const bool begins = activity->level_milli == 0 && activity->state == ACTIVITY_CLOSED && at_ms >= activity->last_ms;
    keep_pace(activity, host, at_ms, begins);
    if (begins)
        run_begins(activity, at_ms, member);
    else
        change.earlier = began_earlier(activity, host, at_ms);
    fill(activity, error, at_ms);
    change.burst = burst_add(&activity->burst, error->at_ns, error->times);
    change.elevated = activity->level_milli >= LEVEL_ELEVATED || burst_now(&activity->burst, error->at_ns);
    return change;
}

void activity_step(struct activity *activity, enum activity_state state, uint64_t at_ms)
{
    if (activity->state == ACTIVITY_CLOSED && activity->level_milli == 0)
        activity->onset_ms = at_ms; /* slow calls led to it, or its errors have not been told yet */
    else if (activity->state == ACTIVITY_CLOSED && activity->errors < ERRORS_THAT_OPEN)
        activity->onset_ms = time_until(activity->onset_ms, activity->paced_ms);
    activity->paced_ms = 0;
    if (state == ACTIVITY_CLOSED)
        activity->level_milli = 0;
    activity->state = (uint8_t)state;
    activity->last_ms = at_least(activity->last_ms, at_ms);
}

uint64_t activity_pace(const struct activity *activity)
{
    return time_until(activity->last_ms, activity->onset_ms) / at_least(activity->errors, 2);
}

/* ------------------------------------------------------------------------------------------------------ shared ids */

static struct activity_link *link_to(struct activity *activity, uint32_t slot)
{
    struct activity_link *least = &activity->links[0];
    for (unsigned i = 0; i < ACTIVITY_LINKS; i++) {
        struct activity_link *const link = &activity->links[i];
        if (link->together && link->slot == slot)
            return link;
        if (link->together < least->together)
            least = link;
    }
    *least = (struct activity_link){.slot = slot};
    return least;
}

static void link_count(struct activity *activity, uint32_t slot, bool first)
{
    struct activity_link *const link = link_to(activity, slot);
    if (link->together == UINT16_MAX) {
        link->together /= 2;
        link->first /= 2;
    }
    link->together++;
    link->first = (uint16_t)(link->first + first);
}

static void meet(struct incidents *incidents, struct activity *activity, const struct incidents_id *id, uint32_t at_ms)
{
    struct activity *const other = activity_of(incidents, id->slot);
    const int32_t later = (int32_t)(at_ms - id->at_ms);
    if (!other)
        return;
    link_count(activity, other->slot, later < 0);
    link_count(other, activity->slot, later > 0);
}

static void note_id(struct incidents *incidents, struct activity *activity, uint64_t hash, uint64_t at_ms)
{
    for (unsigned i = 0; i < INCIDENTS_IDS; i++)
        if (incidents->ids[i].hash == hash && incidents->ids[i].slot == activity->slot)
            return;
    for (unsigned i = 0; i < INCIDENTS_IDS; i++)
        if (incidents->ids[i].hash == hash)
            meet(incidents, activity, &incidents->ids[i], (uint32_t)at_ms);
    incidents->ids[incidents->ids_next++ % INCIDENTS_IDS] =
        (struct incidents_id){.hash = hash, .slot = activity->slot, .at_ms = (uint32_t)at_ms};
}

/* Ids of different kinds are never alike. */
static uint64_t id_hash(const char *id, uint8_t kind)
{
    const uint64_t hash = fnv1a(fnv1a(FNV1A_BASIS, &kind, 1), id, strlen(id));
    return hash ? hash : 1;
}

void activity_ids(struct incidents *incidents, struct activity *activity, const struct incidents_error *error)
{
    const char *const ids[] = {error->trace, error->correlation};
    bool any = false;
    for (uint8_t kind = 0; kind < 2; kind++) {
        if (!ids[kind] || !ids[kind][0])
            continue;
        note_id(incidents, activity, id_hash(ids[kind], kind), error->at_ns / NANOS_PER_MS);
        any = true;
    }
    if (any && activity->with_ids < UINT16_MAX)
        activity->with_ids++;
}

static const struct activity_link *link_between(const struct activity *one, const struct activity *other)
{
    for (unsigned i = 0; i < ACTIVITY_LINKS; i++)
        if (one->links[i].together && one->links[i].slot == other->slot)
            return &one->links[i];
    return NULL;
}

uint32_t activities_shared(const struct activity *one, const struct activity *other, uint32_t *ret_first)
{
    const struct activity_link *const there = link_between(one, other), *const back = link_between(other, one);
    if (there && (!back || there->together >= back->together)) {
        *ret_first = there->first;
        return there->together;
    }
    *ret_first = back ? (uint32_t)(back->together - back->first) : 0;
    return back ? back->together : 0;
}
