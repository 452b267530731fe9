/* Tells a trace's subscribers. Without subscribers these functions do nothing. */
#ifndef TRIPD_BREAKERS_TRACE_H
#define TRIPD_BREAKERS_TRACE_H

#include "breakers/move.h"

void breakers_trace_record(const struct breakers *breakers, uint32_t slot, trip_outcome outcome, trip_error_type error,
                           bool slow);
/* until_ms 0: no TTL. */
void breakers_trace_mode(const struct breakers *breakers, uint32_t slot, trip_mode mode, uint64_t until_ms);
/* Tells of an operator's trip or reset. */
void breakers_trace_move(const struct breakers *breakers, uint32_t slot, const struct move *move);

#endif
