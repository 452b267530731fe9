#ifndef TRIPD_BREAKERS_SETTLE_H
#define TRIPD_BREAKERS_SETTLE_H

#include "breakers/table.h"

/* Counts what its meters say. True: there was something, or the word is not the one that the mirror holds. */
bool breakers_drain(struct breakers *breakers, uint32_t slot);
/* Judges until nothing moves any more, then sees to permits and sets the next deadline. */
void breakers_settle(struct breakers *breakers, uint32_t slot);
/* Drains and settles all that have news: breakers_touch. */
void breakers_turn_touched(struct breakers *breakers);

#endif
