/* Errors that clients told: kept as records, counted for the analyses, and the last one of each breaker in its details.
 */
#ifndef TRIPD_BREAKERS_ERRORS_H
#define TRIPD_BREAKERS_ERRORS_H

#include "breakers/table.h"

/* The config's `correlation` comes into force. */
void breakers_correlate(struct breakers *breakers, const struct config *config);
/* What a drain finds: drain_turn.error. context: struct breakers. */
void breakers_error_told(void *context, const struct drain_error *error);
/* A call was in flight for longer than stall_after. */
void breakers_error_stalled(struct breakers *breakers, uint32_t slot, const struct lane *lane);

#endif
