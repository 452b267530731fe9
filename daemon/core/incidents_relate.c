/* Each thing that speaks for a breaker's being part of an incident, or against it, adds to its log-odds. The weights
 * come from a logistic regression over the joinings and beginnings of tests/outages' tuning seeds. */
#include <math.h>
#include <string.h>

#include "core/incidents_parts.h"

#define JOINS          0.3 /* log-odds above which a breaker joins: two stories made one are worse than one made two */
#define AT_ONCE        1.5 /* its onset is that of a member, or a member's opening */
#define LATER          (-1.0) /* for each e-fold of the time between */
#define LONG_AFTER     (-3.0) /* after so many windows */
#define LONG_WINDOWS   12
#define LATER_PART     5 /* of the cascade window, from which on that counts */
#define DEPENDS        2.1
#define SHARED         3.1    /* an id */
#define THIRD          2.7    /* both have to do with a third one that fails */
#define STRANGERS      (-0.8) /* both breakers' errors have ids, and none in common */
#define STRANGERS_FROM 3      /* errors with ids */
#define ALIKE          1.6    /* the same fingerprint */
#define SAME_GROUP     1.0
#define FAILING        0.6 /* a member failed when it began to */
#define RARE           6.0 /* logarithm of windows in which the breaker begins to fail once by itself; oftener: less */
#define USUAL_MS       3600000.0 /* as if one episode had been seen in so long */
#define THIRD_WINDOWS  6

static uint64_t distance(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

/* Is it failing now? A lonely error is no failing. */
static bool fails(const struct activity *activity)
{
    return activity->state != ACTIVITY_CLOSED || activity->level_milli > ERROR_MILLI;
}

/* How far the breaker's onset is from a member's onset or opening. */
static uint64_t gap_to(const struct incident *incident, const struct incident_member *member,
                       const struct activity *known, uint64_t onset_ms)
{
    uint64_t gap = distance(onset_ms, incident_absolute(incident, member->onset_ms));
    if (member->opened_ms != INCIDENT_NEVER)
        gap = at_most(gap, distance(onset_ms, incident_absolute(incident, member->opened_ms)));
    return known && fails(known) ? at_most(gap, distance(onset_ms, known->onset_ms)) : gap;
}

static double timely(uint64_t gap_ms, uint64_t window)
{
    const double much_later = gap_ms > LONG_WINDOWS * window ? LONG_AFTER : 0;
    return AT_ONCE + much_later + LATER * log(1 + (double)gap_ms * LATER_PART / (double)window);
}

/* The rarer a breaker begins to fail by itself, the less likely it does so just now. */
static double rarity(const struct activity *activity, uint64_t window)
{
    const double seen_ms = (double)time_until(activity->last_ms, activity->since_ms) + USUAL_MS;
    const double windows = log(seen_ms / ((activity->episodes + 1.0) * (double)window));
    return windows < RARE ? windows - RARE : 0;
}

static size_t group_length(const char *name)
{
    const char *const end = strrchr(name, '/');
    return end ? (size_t)(end - name) : 0;
}

static bool same_group(const char *one, const char *other)
{
    const size_t length = group_length(one);
    return length && length == group_length(other) && memcmp(one, other, length) == 0;
}

/* How closely the members of an incident are related to a breaker. */
struct relation {
    uint64_t gap_ms; /* the least, as far as that is sure */
    uint32_t shared; /* ids */
    bool depends, third, alike, group;
    bool have_ids; /* errors of members have ids */
    bool failing;  /* a member was failing when the breaker began to */
};

static void relate(struct relation *relation, const struct incidents_host *host, const struct activity *activity,
                   const struct activity *member)
{
    uint32_t first;
    relation->depends |= host->depends(host->context, activity->slot, member->slot) ||
                         host->depends(host->context, member->slot, activity->slot);
    relation->shared += activities_shared(activity, member, &first);
    relation->have_ids |= member->with_ids >= STRANGERS_FROM;
    relation->failing |= member->onset_ms <= activity->onset_ms + window_ms(host) && fails(member);
    relation->alike |= activity->fingerprint && activity->fingerprint == member->fingerprint;
}

static bool tied(const struct incidents_host *host, const struct activity *one, const struct activity *other)
{
    uint32_t first;
    return activities_shared(one, other, &first) || host->depends(host->context, one->slot, other->slot) ||
           host->depends(host->context, other->slot, one->slot);
}

static bool tied_to_member(const struct incidents *incidents, const struct incidents_host *host,
                           const struct incident *incident, const struct activity *activity)
{
    for (unsigned i = 0; i < incident->member_count; i++) {
        const struct activity *const member = activity_seen(incidents, incident->members[i].slot);
        if (member == activity)
            return false;
        if (member && tied(host, activity, member))
            return true;
    }
    return false;
}

/* Is there a third breaker that fails, though it may not have opened yet, and has to do with both? */
static bool tied_by_third(const struct incidents *incidents, const struct incidents_host *host,
                          const struct incident *incident, const struct activity *activity)
{
    for (unsigned i = 0; i < INCIDENTS_ACTIVITIES; i++) {
        const struct activity *const third = &incidents->activities[i];
        if (third->name_hash && third != activity && fails(third) &&
            distance(third->last_ms, activity->last_ms) < THIRD_WINDOWS * window_ms(host) &&
            tied(host, activity, third) && tied_to_member(incidents, host, incident, third))
            return true;
    }
    return false;
}

static struct relation relation_to(const struct incidents *incidents, const struct incidents_host *host,
                                   const struct incident *incident, const struct activity *activity, const char *name)
{
    struct relation relation = {.gap_ms = UINT64_MAX};
    for (unsigned i = 0; i < incident->member_count; i++) {
        const struct incident_member *const member = &incident->members[i];
        const struct activity *const known = activity_seen(incidents, member->slot);
        const uint64_t unsure_ms = UINT64_C(100) * member->pace + activity_pace(activity);
        relation.gap_ms =
            at_most(relation.gap_ms, time_until(gap_to(incident, member, known, activity->onset_ms), unsure_ms));
        relation.group |= same_group(name, incident_member_name(incident, i));
        if (known)
            relate(&relation, host, activity, known);
    }
    relation.third = tied_by_third(incidents, host, incident, activity);
    return relation;
}

static double log_odds(const struct relation *relation, const struct activity *activity, uint64_t window)
{
    double odds = timely(relation->gap_ms, window) + rarity(activity, window);
    if (relation->depends)
        odds += DEPENDS;
    if (relation->shared)
        odds += SHARED;
    else if (relation->have_ids && activity->with_ids >= STRANGERS_FROM)
        odds += STRANGERS;
    if (relation->third && !relation->depends && !relation->shared)
        odds += THIRD;
    if (relation->alike)
        odds += ALIKE;
    if (relation->group)
        odds += SAME_GROUP;
    if (relation->failing)
        odds += FAILING;
    return odds;
}

struct incident_open *incidents_related(struct incidents *incidents, const struct incidents_host *host,
                                        const struct activity *activity, const char *name)
{
    struct incident_open *best = NULL;
    double most = JOINS;
    for (unsigned i = 0; i < INCIDENTS_OPEN; i++) {
        const struct incident *const incident = &incidents->open[i].incident;
        if (incident->id == 0)
            continue;
        const struct relation relation = relation_to(incidents, host, incident, activity, name);
        const double odds = log_odds(&relation, activity, window_ms(host));
        if (odds > most) {
            most = odds;
            best = &incidents->open[i];
        }
    }
    return best;
}
