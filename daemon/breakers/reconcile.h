#ifndef TRIPD_BREAKERS_RECONCILE_H
#define TRIPD_BREAKERS_RECONCILE_H

#include "breakers/table.h"

/* Returns the word, valid and equal to the mirror's: steps of clients are recorded first, damage is put right. */
uint64_t breakers_word(struct breakers *breakers, uint32_t slot);
/* Returns a word of this epoch that means the same as `mirror`. */
uint64_t breakers_restored(struct breakers *breakers, uint32_t slot, uint64_t mirror, uint32_t epoch);

#endif
