#ifndef TRIPD_BREAKERS_SETTLE_H
#define TRIPD_BREAKERS_SETTLE_H

#include "breakers/table.h"

/* Counts what the breaker's meters say. True: there was something, or the word differs from the mirror. */
bool breakers_drain(struct breakers *breakers, uint32_t slot);
/* Judges the breaker until its state moves no more, then sees to permits and sets the next deadline. */
void breakers_settle(struct breakers *breakers, uint32_t slot);
/* Drains and settles the breakers that have news (breakers_touch). */
void breakers_turn_touched(struct breakers *breakers);

#endif
