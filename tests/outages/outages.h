/* Synthetic outages with known truth, and what the engine of incidents (core/incidents.h) makes of them.
 *
 *   world.c   services and how they depend on each other
 *   story.c   which of them fail, when, how, and because of whom
 *   play.c    their calls, through tripd's own breakers in virtual time, to the engine
 *   judge.c   what the engine told, compared with the truth
 *
 * A world has 40 services in three layers and six groups (names are "group/kind-number"); each has a breaker, through
 * which it is called: 10 stores, 18 services that depend on one to three stores or services before them, 12 fronts that
 * depend on one to three services. Half of the dependencies are looked for in the service's own group. Of the
 * dependencies 60% are declared. A service is called every 0.1 s to 3 s (evenly spread by the logarithm; each
 * interval is up to 30% shorter or longer). Half of the breakers open after five failures in a row, as tripd does by
 * default, half by a failure rate of 50% in 20 calls. Of the services 65% give their errors trace ids, 15% correlation
 * ids, the others none. Three of ten have one of six error texts, the others a text of their own. Four of ten call
 * again what failed upstream, once. Each service has a lonely error every five minutes in the mean (exponentially),
 * with an id of its own.
 *
 * A seed has 200 incidents. The next one begins after the end of the one before it, 20 s, and a pause, exponential with
 * a mean of eight minutes: so almost half of them begin before those five quiet minutes have passed after which the one
 * before is told to have ended. One of ten has a companion: an unrelated incident of one or two other services that
 * begins within 30 s before or after it. A service that was part of an incident is part of no other one for 12 minutes.
 *
 * An incident has a root, any service (or one on which others depend, if there are to be several), and as many breakers
 * as the dice say (1: 30%, 2: 20%, 3: 20%, 4: 13%, 5: 10%, 6: 7%) or as there are that depend on it: each further one
 * depends on one that is part of it already, and fails after that by a delay, exponential with a mean of 0.8 s for nine
 * of ten, and even between 1 s and 4.5 s for the tenth. Six of ten are sharp: from one moment on the root's calls fail
 * with a probability of 0.8 to 1, for 20 s to 8 min. Two of ten are slow leaks: that probability grows evenly from 0
 * over 30 s to 150 s, and then stays for 20 s to 4 min. Two of ten flap: the root fails for 15 s to 60 s, two to five
 * times, with 40 s to 100 s between. Whoever depends fails with 0.8 to 1 of the probability of whom it depends on, or
 * with the square of the leak's share if it calls again. One of four who depend pass on the error text of whom they
 * depend on. An error has the id of an error of the last two seconds of the service that it depends on, in six of ten
 * cases, if there is one and both have ids of one kind; and a root's error has the id of an error of one that depends
 * on it in one of ten: that one had given up waiting before. In two of ten incidents a service that is no part of it
 * has one to three errors, with the root's ids where it can. In one of 20 an operator trips a breaker that is no part
 * of it.
 *
 * The truth of an incident is its root and those breakers that had at least five failed calls in it. An incident that
 * was told is right if its breakers and those of a true one have more in common than not (Jaccard index above 1/2),
 * and their times fit; each is matched once. A candidate is right if its incident is, and it is the root. */
#ifndef TRIP_TESTS_OUTAGES_H
#define TRIP_TESTS_OUTAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "internal/layout.h"
#include "internal/layout_chronicle.h"

#define SERVICES        40
#define UPSTREAMS       3
#define OUTAGES         200
#define OUTAGE_SERVICES 6
#define FLAPS           5
#define OUTAGE_QUIET_MS 300000

/* -------------------------------------------------------------------------------------------------------------- dice
 */

uint64_t dice(uint64_t *seed, uint64_t lowest, uint64_t highest);
double dice_share(uint64_t *seed); /* 0 or more, less than 1 */
bool dice_permille(uint64_t *seed, unsigned permille);
double dice_exponential(uint64_t *seed, double mean);

/* ------------------------------------------------------------------------------------------------------------- world
 */

enum ids { IDS_NONE, IDS_TRACE, IDS_CORRELATION };

struct service {
    char name[48];
    unsigned upstreams[UPSTREAMS], upstream_count;
    bool declared[UPSTREAMS];
    double period_ms;
    enum ids ids;
    uint64_t fingerprint;
    bool by_rate; /* its breaker opens by a failure rate */
    bool retries; /* calls that fail upstream, once */
};

struct world {
    struct service services[SERVICES];
};

void world_make(struct world *world, uint64_t *seed);
bool world_depends(const struct world *world, unsigned service, unsigned on);
bool world_declares(const struct world *world, unsigned service, unsigned on);

/* ------------------------------------------------------------------------------------------------------------- story
 */

enum outage_kind { OUTAGE_SHARP, OUTAGE_LEAK, OUTAGE_FLAPS };

struct outage_service {
    unsigned service, because_of; /* the root: of itself */
    uint64_t delay_ms;            /* after the root */
    double strength;
    uint64_t fingerprint;
    unsigned failed; /* calls, when it was played */
};

struct outage {
    enum outage_kind kind;
    uint64_t start_ms, end_ms; /* of the root's failing */
    uint64_t leak_ms;
    uint64_t flaps_ms[2 * FLAPS]; /* begins and ends, after the start */
    unsigned flap_count;
    struct outage_service services[OUTAGE_SERVICES]; /* the root first */
    unsigned service_count;
    uint64_t stray_ms[3]; /* errors of a service that is no part of it */
    unsigned stray, stray_count;
    bool tripped; /* by an operator: the stray one */
};

struct story {
    struct outage outages[OUTAGES]; /* by start */
};

void story_make(struct story *story, const struct world *world, uint64_t *seed);
/* The probability with which a call fails at that time. */
double outage_strength(const struct outage *outage, const struct outage_service *service, bool retries, uint64_t at_ms);
/* When the last of its services has stopped failing. */
uint64_t outage_over_ms(const struct outage *outage);

/* -------------------------------------------------------------------------------------------------------------- play
 */

#define TOLD_MAX 2000

struct told {
    struct incident incidents[TOLD_MAX]; /* those that have ended */
    unsigned count;
    uint64_t calls, errors, steps;
};

/* 0 or -errno. */
int play(struct story *story, const struct world *world, uint64_t seed, struct told *ret_told);

/* ------------------------------------------------------------------------------------------------------------- judge
 */

#define JUDGE_BINS 4 /* of confidence: below 50%, to 70%, to 90%, and above */

struct verdict {
    unsigned outages, told, matched, exact, causes;
    struct {
        unsigned told, right;
        double said; /* the sum */
    } bins[JUDGE_BINS];
    uint64_t start_off_ms; /* the sum over the matched ones */
};

/* Adds to the verdict. */
void judge(const struct story *story, const struct told *told, struct verdict *verdict);

#endif
