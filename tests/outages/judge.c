#include "outages.h"

#define ENOUGH_FAILED 5

/* The slots of the breakers are the numbers of the services: play resolves them in this order. */
static uint64_t truth_of(const struct outage *outage)
{
    uint64_t services = UINT64_C(1) << outage->services[0].service;
    for (unsigned i = 1; i < outage->service_count; i++)
        if (outage->services[i].failed >= ENOUGH_FAILED)
            services |= UINT64_C(1) << outage->services[i].service;
    return services;
}

static uint64_t members_of(const struct incident *incident)
{
    uint64_t services = 0;
    for (unsigned i = 0; i < incident->member_count; i++)
        services |= UINT64_C(1) << incident->members[i].slot;
    return services;
}

static unsigned in_common_permille(uint64_t one, uint64_t other)
{
    return (unsigned)(1000 * __builtin_popcountll(one & other) / __builtin_popcountll(one | other));
}

/* A minute before an outage nothing of it can have been seen, and quiet minutes after it nothing is. */
static bool same_time(const struct outage *outage, const struct incident *incident)
{
    return incident->start_ms + 60000 >= outage->start_ms &&
           incident->start_ms <= outage_over_ms(outage) + OUTAGE_QUIET_MS;
}

/* Returns the outage that has most in common with the incident, of those that are not matched. -1: none has enough. */
static int match(const struct story *story, const struct incident *incident, const bool taken[OUTAGES],
                 unsigned *ret_permille)
{
    int best = -1;
    *ret_permille = 500;
    for (unsigned i = 0; i < OUTAGES; i++) {
        if (taken[i] || !same_time(&story->outages[i], incident))
            continue;
        const unsigned permille = in_common_permille(truth_of(&story->outages[i]), members_of(incident));
        if (permille <= *ret_permille)
            continue;
        *ret_permille = permille;
        best = (int)i;
    }
    return best;
}

static unsigned bin_of(unsigned confidence)
{
    return confidence < 500 ? 0 : confidence < 700 ? 1 : confidence < 900 ? 2 : 3;
}

static uint64_t off(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

static void judge_candidate(const struct outage *outage, const struct incident *incident, struct verdict *verdict)
{
    if (incident->candidate == INCIDENT_NOBODY)
        return;
    const bool right = outage && incident->members[incident->candidate].slot == outage->services[0].service;
    const unsigned bin = bin_of(incident->confidence);
    verdict->causes += right;
    verdict->bins[bin].told++;
    verdict->bins[bin].right += right;
    verdict->bins[bin].said += incident->confidence / 1000.0;
}

void judge(const struct story *story, const struct told *told, struct verdict *verdict)
{
    bool taken[OUTAGES] = {false};
    verdict->outages += OUTAGES;
    verdict->told += told->count;
    for (unsigned i = 0; i < told->count; i++) {
        const struct incident *const incident = &told->incidents[i];
        unsigned permille;
        const int matched = match(story, incident, taken, &permille);
        const struct outage *const outage = matched < 0 ? NULL : &story->outages[matched];
        judge_candidate(outage, incident, verdict);
        if (!outage)
            continue;
        taken[matched] = true;
        verdict->matched++;
        verdict->exact += permille == 1000;
        verdict->start_off_ms += off(incident->start_ms, outage->start_ms);
    }
}
