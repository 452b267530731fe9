/* Tells which of many things comes due first: one deadline for each thing, in a heap that knows where each one stands.
 * Nothing allocates after deadlines_new. */
#ifndef TRIPD_DEADLINES_H
#define TRIPD_DEADLINES_H

#include <stdint.h>

#define DEADLINE_NEVER UINT64_MAX

struct deadlines;

int deadlines_new(uint32_t count, struct deadlines **ret_deadlines); /* no deadline is set */
struct deadlines *deadlines_free(struct deadlines *deadlines);
void deadlines_set(struct deadlines *deadlines, uint32_t which, uint64_t at_ns);
/* Returns the earliest deadline, and whose it is. DEADLINE_NEVER: none is set. */
uint64_t deadlines_first(const struct deadlines *deadlines, uint32_t *ret_which);

#endif
