#ifndef TRIPD_BREAKERS_PERMITS_H
#define TRIPD_BREAKERS_PERMITS_H

#include "breakers/table.h"

/* Counts the answers of this half-open word's permits. True: there were some. */
bool breakers_permits_count(struct breakers *breakers, uint32_t slot, uint64_t word);
/* Takes back what nobody holds any more, and arms what the verdict still needs. */
void breakers_permits_renew(struct breakers *breakers, uint32_t slot, uint64_t word);
/* Carries out the journal's mark of an answer. */
void breakers_permits_store(struct breakers *breakers, const struct journal_mark *mark);
/* When the first lease ends; DEADLINE_NEVER: none runs. */
uint64_t breakers_permits_due(struct breakers *breakers, uint32_t slot);
/* A lane is gone, and with it what it held. */
void breakers_permits_of_lane(struct breakers *breakers, uint32_t lane);

#endif
