#ifndef TRIPD_BREAKERS_PERMITS_H
#define TRIPD_BREAKERS_PERMITS_H

#include "breakers/table.h"

/* Counts the answers to this half-open word's permits. True: there were some. */
bool breakers_permits_count(struct breakers *breakers, uint32_t slot, uint64_t word);
/* Takes back the permits that nobody holds any more, and arms as many as the verdict still needs. */
void breakers_permits_renew(struct breakers *breakers, uint32_t slot, uint64_t word);
/* Carries out the journal's entry of an answer. */
void breakers_permits_store(struct breakers *breakers, const struct journal_mark *mark);
/* Returns when the first lease ends; DEADLINE_NEVER: none runs. */
uint64_t breakers_permits_due(struct breakers *breakers, uint32_t slot);
/* Takes back the permits and the probing word of a lane that is gone. */
void breakers_permits_of_lane(struct breakers *breakers, uint32_t lane);

#endif
