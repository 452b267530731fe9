/* Publishes calls by latency: adds what meters have counted to the segment. */
#ifndef TRIPD_BREAKERS_LATENCY_H
#define TRIPD_BREAKERS_LATENCY_H

#include "breakers/table.h"

void breakers_publish_latency(struct breakers *breakers, uint32_t slot);
void breakers_publish_latency_of(struct breakers *breakers, struct meter_cursor *meter); /* of this meter only */

#endif
