/* Each member has a score, a sum of what speaks for its being the cause, and so has "none of them". The share of the
 * greatest one's exponential in that of all is the confidence. The weights are those that make the causes of
 * tests/outages' tuning seeds most likely (conditional logit: McFadden, Conditional Logit Analysis of Qualitative
 * Choice Behavior, 1974). */
#include <math.h>

#include "core/incidents_parts.h"

#define FEATURES(X)                                                                                   \
    X(FIRST, 0.65)       /* it failed first */                                                        \
    X(BEHIND, -0.4)      /* so many times the pace of its errors after the first one */               \
    X(DEPENDED_ON, 1.0)  /* so many others depend on it */                                            \
    X(DEPENDS, -4.5)     /* it depends on so many others */                                           \
    X(TRACE_FIRST, 0.15) /* in the traces that it shares with so many others its errors came first */ \
    X(TRACE_LAST, -4.4)  /* last */

#define FEATURE_ENUM(suffix, weight) FEATURE_##suffix,
enum feature { FEATURES(FEATURE_ENUM) FEATURE_COUNT };
#define FEATURE_WEIGHT(suffix, weight) weight,
static const double weights[FEATURE_COUNT] = {FEATURES(FEATURE_WEIGHT)};

#define FEATURE_MOST    3.0
#define SCORE_NONE      (-2.15) /* the cause is no member */
#define SCORE_NOT_ALONE (-1.75) /* the same where there is one member */
#define SHARED_ENOUGH   3       /* shared ids that say which of two was first */
#define PACE_LEAST_MS   100.0

struct suspect {
    double features[FEATURE_COUNT];
    double score;
};

static double bounded(double feature)
{
    return feature < FEATURE_MOST ? feature : FEATURE_MOST;
}

static int32_t first_onset(const struct incident *incident)
{
    int32_t first_ms = INT32_MAX;
    for (unsigned i = 0; i < incident->member_count; i++)
        if (incident->members[i].onset_ms < first_ms)
            first_ms = incident->members[i].onset_ms;
    return first_ms;
}

/* A breaker that is called seldom fails later than what failed because of it: its first error is up to one pace late.
 */
static void weigh_onset(struct suspect *suspect, const struct incident_member *member, int32_t first_ms)
{
    const double pace_ms = PACE_LEAST_MS * (member->pace + 1.0);
    suspect->features[FEATURE_FIRST] = member->onset_ms == first_ms;
    suspect->features[FEATURE_BEHIND] = bounded(((double)member->onset_ms - first_ms) / pace_ms);
}

static void weigh_dependencies(struct suspect *suspect, const struct incidents_host *host,
                               const struct incident *incident, unsigned place)
{
    const uint32_t slot = incident->members[place].slot;
    double depended_on = 0, depends = 0;
    for (unsigned i = 0; i < incident->member_count; i++) {
        if (i == place)
            continue;
        depended_on += host->depends(host->context, incident->members[i].slot, slot);
        depends += host->depends(host->context, slot, incident->members[i].slot);
    }
    suspect->features[FEATURE_DEPENDED_ON] = bounded(depended_on);
    suspect->features[FEATURE_DEPENDS] = bounded(depends);
}

/* From -1, its errors come last in shared traces, to 1; nearer to 0 where few are shared. */
static double precedence(const struct activity *one, const struct activity *other)
{
    uint32_t first;
    const uint32_t shared = activities_shared(one, other, &first);
    if (shared == 0)
        return 0;
    const double sure = shared < SHARED_ENOUGH ? (double)shared / SHARED_ENOUGH : 1;
    return sure * (2.0 * first / shared - 1);
}

static void weigh_traces(struct suspect *suspect, const struct incidents *incidents, const struct incident *incident,
                         unsigned place)
{
    const struct activity *const self = activity_seen(incidents, incident->members[place].slot);
    double first = 0, last = 0;
    for (unsigned i = 0; self && i < incident->member_count; i++) {
        const struct activity *const other = activity_seen(incidents, incident->members[i].slot);
        const double precedes = i != place && other ? precedence(self, other) : 0;
        first += precedes > 0 ? precedes : 0;
        last += precedes < 0 ? -precedes : 0;
    }
    suspect->features[FEATURE_TRACE_FIRST] = bounded(first);
    suspect->features[FEATURE_TRACE_LAST] = bounded(last);
}

static void weigh(struct suspect suspects[INCIDENT_MEMBERS], const struct incidents *incidents,
                  const struct incidents_host *host, const struct incident *incident)
{
    const int32_t first_ms = first_onset(incident);
    for (unsigned i = 0; i < incident->member_count; i++) {
        struct suspect *const suspect = &suspects[i];
        weigh_onset(suspect, &incident->members[i], first_ms);
        weigh_dependencies(suspect, host, incident, i);
        weigh_traces(suspect, incidents, incident, i);
        suspect->score = 0;
        for (unsigned feature = 0; feature < FEATURE_COUNT; feature++)
            suspect->score += weights[feature] * suspect->features[feature];
    }
}

static unsigned most_suspect(const struct suspect suspects[INCIDENT_MEMBERS], unsigned count)
{
    unsigned most = 0;
    for (unsigned i = 1; i < count; i++)
        if (suspects[i].score > suspects[most].score)
            most = i;
    return most;
}

static uint16_t confidence_of(const struct suspect suspects[INCIDENT_MEMBERS], unsigned count, unsigned most)
{
    double sum = exp((count == 1 ? SCORE_NOT_ALONE : SCORE_NONE) - suspects[most].score);
    for (unsigned i = 0; i < count; i++)
        sum += exp(suspects[i].score - suspects[most].score);
    return (uint16_t)(1000 / sum + 0.5);
}

static uint32_t lead_of(const struct incident *incident, unsigned place)
{
    int32_t next_ms = INT32_MAX;
    for (unsigned i = 0; i < incident->member_count; i++)
        if (i != place && incident->members[i].onset_ms < next_ms)
            next_ms = incident->members[i].onset_ms;
    const int32_t onset_ms = incident->members[place].onset_ms;
    return incident->member_count > 1 && next_ms > onset_ms ? (uint32_t)(next_ms - onset_ms) : 0;
}

static uint16_t bit(enum incident_evidence evidence, bool holds)
{
    return (uint16_t)(holds ? 1u << evidence : 0);
}

static bool any_depends(const struct suspect suspects[INCIDENT_MEMBERS], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (suspects[i].features[FEATURE_DEPENDS] > 0)
            return true;
    return false;
}

static uint16_t evidence_of(const struct suspect suspects[INCIDENT_MEMBERS], unsigned count, unsigned place)
{
    const double *const features = suspects[place].features;
    if (count == 1)
        return bit(EVIDENCE_ALONE, true);
    return bit(EVIDENCE_FIRST, features[FEATURE_FIRST] > 0) |
           bit(EVIDENCE_DEPENDED_ON, features[FEATURE_DEPENDED_ON] > 0) |
           bit(EVIDENCE_INDEPENDENT, features[FEATURE_DEPENDS] <= 0 && any_depends(suspects, count)) |
           bit(EVIDENCE_TRACE, features[FEATURE_TRACE_FIRST] > features[FEATURE_TRACE_LAST]);
}

void incident_candidate(const struct incidents *incidents, const struct incidents_host *host, struct incident *incident)
{
    struct suspect suspects[INCIDENT_MEMBERS] = {0};
    weigh(suspects, incidents, host, incident);
    const unsigned most = most_suspect(suspects, incident->member_count);
    incident->candidate = (uint8_t)most;
    incident->confidence = confidence_of(suspects, incident->member_count, most);
    incident->evidence = evidence_of(suspects, incident->member_count, most);
    incident->lead_ms = lead_of(incident, most);
}
