#ifndef TRIPD_BREAKERS_RECONCILE_H
#define TRIPD_BREAKERS_RECONCILE_H

#include "breakers/table.h"

/* The word, valid, and as the mirror has it: what clients did is recorded first, damage put right. */
uint64_t breakers_word(struct breakers *breakers, uint32_t slot);
/* A word that stands for the same as `mirror`, in this epoch. */
uint64_t breakers_restored(struct breakers *breakers, uint32_t slot, uint64_t mirror, uint32_t epoch);

#endif
