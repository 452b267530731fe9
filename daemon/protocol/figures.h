/* What people look at first of a breaker, computed in one place from what was copied of it: the answers of tripd and
 * tripctl and the screens of triptop present these. */
#ifndef TRIPD_FIGURES_H
#define TRIPD_FIGURES_H

#include "protocol/report.h"

#define FIGURES_NEVER UINT64_MAX

struct figures {
    trip_state state;           /* as people are shown it */
    trip_mode mode;             /* in force */
    enum mode_owner mode_owner; /* MODE_OWNER_COUNT: no mode is set */
    uint64_t mode_ttl_ms;       /* until the mode ends; FIGURES_NEVER: it has no TTL */
    uint64_t state_for_ms;
    int32_t failure_permille; /* of the window; -1: it holds fewer than minimum_calls */
    bool timed;               /* clients time each call, so that it is known which were slow */
    int32_t slow_permille;    /* likewise; -1 too if clients do not time each call */
    uint32_t streak;          /* failures in a row */
    uint32_t permits_free;    /* that a caller could take: none in a mode that freezes the state */
    bool ramps;
    uint32_t ramp_permille;  /* of calls that a ramp admits */
    uint64_t ramp_ends_ms;   /* until the ramp ends; FIGURES_NEVER: not known */
    uint64_t retry_after_ms; /* until a call may be admitted again; FIGURES_NEVER: only an operator can end the mode */
};

struct figures figures_of(const struct report_breaker *breaker);

#endif
