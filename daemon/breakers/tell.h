/* Steps and modes are told to people: ring and log. */
#ifndef TRIPD_BREAKERS_TELL_H
#define TRIPD_BREAKERS_TELL_H

#include "breakers/table.h"

/* Fills in its name. */
void breakers_tell(struct breakers *breakers, uint32_t slot, struct transition *transition);
/* A step of the state: may be kept back. */
void breakers_tell_step(struct breakers *breakers, uint32_t slot, struct transition *transition);
/* The steps that were kept back, as one: at their window's end at the latest, which heartbeats look for. */
void breakers_tell_rest(struct breakers *breakers, uint32_t slot);

#endif
