#ifndef TRIPD_BREAKERS_ADAPTIVE_H
#define TRIPD_BREAKERS_ADAPTIVE_H

#include "breakers/table.h"

uint64_t breakers_adaptive_tickets(const struct breaker *breaker);
uint64_t breakers_adaptive_permille(const struct breaker *breaker);
uint64_t breakers_adaptive_hedge_ns(const struct breaker *breaker);
void breakers_adaptive_configure(struct breakers *breakers, uint32_t slot);
void breakers_adaptive_from_now(struct breakers *breakers, uint32_t slot);
void breakers_adaptive_free(struct breaker *breaker);
void breakers_adaptive_counted(struct breakers *breakers, uint32_t slot);
uint64_t breakers_adaptive_due_ns(const struct breaker *breaker);
/* Samples if it is time. True: publish what follows from the sample. */
bool breakers_adaptive_tick(struct breakers *breakers, uint32_t slot);

#endif
