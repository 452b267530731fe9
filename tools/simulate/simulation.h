/* Breakers in virtual time: tripd's own, and libtrip's calls to them, in this process's memory, without other processes
 * or a clock.
 *
 * Time moves by simulation_step alone; what became due before a step (open times, ramp steps, outcomes of calls,
 * stalls, ends of leases) happens first, in order of time, timers before outcomes. What a step counts is counted before
 * the next one. Nobody waits for a ticket. No breaker gives its place to another one: an idle one keeps its totals to
 * the summary. Incidents are reported at the full second after they began, and when they have been quiet for so long
 * that they are over.
 */
#ifndef TRIP_TOOLS_SIMULATION_H
#define TRIP_TOOLS_SIMULATION_H

#include <jansson.h>
#include <stdbool.h>

#include "config/config.h"
#include "trace_step.h"

struct simulation;

/* Is given what happened, as the JSON object that `tripctl simulate` prints: borrowed. */
typedef void simulation_event_fn(void *context, const json_t *event);

struct simulation_options {
    const struct config *config; /* borrowed */
    uint64_t seed;               /* seed of jitter and ramp */
    bool verdicts;               /* report each admission */
    simulation_event_fn *event;
    void *context;
};

int simulation_new(const struct simulation_options *options, struct simulation **ret_simulation);
struct simulation *simulation_free(struct simulation *simulation);

#define SIMULATION_REFUSED 1

/* Calls of one step that are decided one by one, at most, or errors of one step that have texts. */
#define SIMULATION_PIECES_MAX 1000000u

/* Takes a step. SIMULATION_REFUSED with `problem`: tripd would refuse it; nothing changed, and the next step may
 * follow. -EINVAL with `problem`: time went back, an id is unknown or in use, there are more breakers than
 * limits.max_breakers, or more than SIMULATION_PIECES_MAX calls that are decided one by one. -ENOMEM. */
int simulation_step(struct simulation *simulation, const struct trace_step *step, char problem[256]);

/* Carries out what is still due (outcomes of calls, and no timer after the last of them), then reports a summary of
 * each breaker, the fingerprints of errors, and a summary of each incident. */
void simulation_end(struct simulation *simulation);

#endif
