/* A client of a fake tripd, with settings for retries. */
#ifndef TRIP_TESTS_RETRY_FIXTURE_H
#define TRIP_TESTS_RETRY_FIXTURE_H

#include "client_fixture.h"
#include "internal/backoff.h"

#define MS UINT64_C(1000000)

static inline struct policy_slot *policy(struct fixture *f)
{
    return &f->fake.segment->policies[f->slot];
}

/* 3 attempts, 100 ms, then twice as long, no jitter, for network errors; a budget of 2 tokens that no time refills. */
static inline void retries(struct fixture *f)
{
    const struct policy_retry retry = {
        .attempts = 3, .backoff = {.kind = BACKOFF_EXPONENTIAL, .jitter = JITTER_NONE, .multiplier_permille = 2000}};
    policy(f)->retry = policy_retry_word(&retry);
    policy(f)->retry_base_ns = 100 * MS;
    policy(f)->retry_max_ns = 10000 * MS;
    policy(f)->retry_on = 1u << TRIP_ERROR_NETWORK;
    policy(f)->budget_floor = 0;
    policy(f)->budget_cap = 2000;
    commons_limits(f->fake.commons, f->slot)->budget = budget_make(2000, 1000);
}

static inline uint64_t tokens(struct fixture *f)
{
    const struct budget budget = policy_budget(policy(f));
    return budget_tokens(commons_limits(f->fake.commons, f->slot)->budget, &budget, clock_now_ms(&f->fake.clock));
}

#endif
