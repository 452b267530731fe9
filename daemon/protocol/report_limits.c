/* A breaker's limits as JSON: as configured, from the policy; how much is taken, from limits_shown; what was rejected,
 * from the totals. */
#include "internal/policy.h"
#include "protocol/report_parts.h"

static json_t *rejected(const struct report_breaker *breaker, trip_verdict verdict)
{
    return number(breaker->core->totals.denied[denial_of(verdict)]);
}

static json_t *holders(const struct limits_shown *shown)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < LIMITS_HOLDERS && shown->holders[i].lane; i++) {
        const uint32_t lane = shown->holders[i].lane;
        json_array_append_new(list, json_pack("{s:o, s:o}", "lane", lane < TICKET_LEASE ? number(lane) : json_null(),
                                              "tickets", number(shown->holders[i].tickets)));
    }
    return list;
}

static json_t *concurrency(const struct report_breaker *breaker)
{
    if (!(breaker->policy->limits & POLICY_TICKETS))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "limit", number(breaker->policy->tickets), "max",
                     number(breaker->limits->tickets_max), "taken", number(breaker->limits->tickets_taken), "holders",
                     holders(breaker->limits), "rejected", rejected(breaker, TRIP_DENY_CONCURRENCY));
}

static json_t *rate(const struct report_breaker *breaker)
{
    const struct policy_slot *const policy = breaker->policy;
    if (!(policy->limits & POLICY_RATE))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "limit", number(breaker->limits->rate_limit), "per_ms",
                     number(breaker->limits->rate_per_ms), "burst", number(policy_rate_burst(policy)), "window",
                     policy->limits & POLICY_SLIDING ? "sliding" : "bucket", "free", number(breaker->limits->rate_free),
                     "rejected", rejected(breaker, TRIP_DENY_RATE));
}

static json_t *throttle(const struct report_breaker *breaker)
{
    if (!(breaker->policy->limits & POLICY_THROTTLE))
        return json_null();
    return json_pack("{s:o, s:o}", "admit_permille", number(breaker->policy->admit_permille), "shed",
                     rejected(breaker, TRIP_DENY_SHED));
}

/* Retries and their budget: never null, for any caller may ask for retries. */
static json_t *retry(const struct report_breaker *breaker)
{
    return json_pack("{s:o, s:o, s:o}", "budget_tokens", number(breaker->limits->budget / BUDGET_TOKEN), "retries",
                     number(breaker->core->totals.retries), "refused", number(breaker->core->totals.retries_refused));
}

json_t *report_limits(const struct report_breaker *breaker)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "concurrency", concurrency(breaker), "rate", rate(breaker),
                     "throttle", throttle(breaker), "retry", retry(breaker), "deadline_rejected",
                     rejected(breaker, TRIP_DENY_DEADLINE));
}
