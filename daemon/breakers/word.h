#ifndef TRIPD_BREAKERS_WORD_H
#define TRIPD_BREAKERS_WORD_H

#include "breakers/table.h"

uint64_t breakers_raw_word(const struct breakers *breakers, uint32_t slot);
/* Swaps the word, and nothing else. */
bool breakers_cas(const struct breakers *breakers, uint32_t slot, uint64_t from, uint64_t to);

#endif
