/* Tells people, in ring and log, about steps of the state and about modes. */
#ifndef TRIPD_BREAKERS_TELL_H
#define TRIPD_BREAKERS_TELL_H

#include "breakers/table.h"

/* Fills in the breaker's name. */
void breakers_tell(struct breakers *breakers, uint32_t slot, struct transition *transition);
/* Tells of a step of the state, or keeps it back. */
void breakers_tell_step(struct breakers *breakers, uint32_t slot, struct transition *transition);
/* Tells of the steps that were kept back, as one. Heartbeats call it at the window's end at the latest. */
void breakers_tell_rest(struct breakers *breakers, uint32_t slot);

/* Says that the breaker's state or mode has moved: breakers_options.stepped. */
void breakers_stepped(struct breakers *breakers, uint32_t slot);
/* Call it before the word, or a mode, admits calls: says so, unless the breaker goes on cutting calls short. */
void breakers_will_admit(struct breakers *breakers, uint32_t slot, uint64_t word);

#endif
