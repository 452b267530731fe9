/* Errors that clients told: kept as records, counted for the analyses; each breaker's last one stands in its details.
 */
#ifndef TRIPD_BREAKERS_ERRORS_H
#define TRIPD_BREAKERS_ERRORS_H

#include "breakers/table.h"

/* Applies the config's `correlation`. */
void breakers_correlate(struct breakers *breakers, const struct config *config);
/* Keeps and counts errors that a drain found: it is drain_turn.error, with struct breakers as its context. */
void breakers_error_told(void *context, const struct drain_error *error);
/* Keeps and counts the error of a call that was in flight for longer than stall_after. */
void breakers_error_stalled(struct breakers *breakers, uint32_t slot, const struct lane *lane);

#endif
