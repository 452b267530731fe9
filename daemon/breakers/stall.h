#ifndef TRIPD_BREAKERS_STALL_H
#define TRIPD_BREAKERS_STALL_H

#include "breakers/table.h"

/* Looks for calls of this lane that take too long, and for the time when the next one will. */
void breakers_stall_look(struct breakers *breakers, struct lane_reader *reader);
/* Carries out the journal's entry of a stalled call. */
bool breakers_stall_store(struct breakers *breakers, const struct journal_mark *mark);

#endif
