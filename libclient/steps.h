/* The steps by which clients change state words: streaks that open (streak.c), and probes (probe.c). */
#ifndef TRIP_STEPS_H
#define TRIP_STEPS_H

#include "binding.h"

/* A failure, resp. a success, of this epoch while the word is closed or ramping. */
void streak_failed(const struct binding *binding, uint64_t word);
void streak_succeeded(const struct binding *binding, uint64_t word);
/* When an opening that begins now ends. */
uint64_t streak_open_until_ms(const struct binding *binding, uint64_t now_ms);

struct permit {
    uint32_t index;
    uint64_t word;
};

/* Half-open: how many could be taken now. */
uint32_t probe_permits_free(const struct binding *binding, uint64_t word);
/* Until the first lease of a permit ends; UINT64_MAX: none runs. */
uint64_t probe_permit_wait_ms(const struct binding *binding, uint64_t now_ms);
/* Takes one and extends the state word's deadline to its lease's end. */
bool probe_permit_take(const struct binding *binding, uint64_t word, uint32_t lane, uint64_t now_ms,
                       struct permit *ret_permit);
/* False: the lease is over, and the permit may belong to another call. */
bool probe_permit_end(const struct binding *binding, const struct permit *permit, uint32_t outcome);
/* tripd is away and the word's time has passed: a client may take the next step. now_ms: read after the word. */
bool probe_due(const struct binding *binding, uint64_t word, uint64_t now_ms);
/* Takes that step. True: this client alone may probe. A ramp that ended is closed by it, and nobody probes. */
bool probe_take_over(const struct binding *binding, uint64_t word, uint32_t lane, uint64_t now_ms,
                     uint64_t *ret_probing);
/* False: the lease is over, and another client may hold the word. */
bool probe_end(const struct binding *binding, uint64_t probing, trip_outcome outcome);

#endif
