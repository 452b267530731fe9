/* Publishes for people which processes report to a breaker. */
#ifndef TRIPD_BREAKERS_REPORTERS_H
#define TRIPD_BREAKERS_REPORTERS_H

#include "breakers/table.h"

void breakers_publish_reporters(struct breakers *breakers, uint32_t slot);

#endif
