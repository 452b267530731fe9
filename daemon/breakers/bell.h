#ifndef TRIPD_BREAKERS_BELL_H
#define TRIPD_BREAKERS_BELL_H

#include "breakers/table.h"

void breakers_bell_look(struct breakers *breakers, uint32_t slot); /* before its meters are read */
/* Sets, after judging what was read, at which failure clients ring. */
void breakers_bell_set(struct breakers *breakers, uint32_t slot, uint64_t word);

#endif
