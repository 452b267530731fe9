/* For verbs that go on until they are interrupted, or for a time. */
#ifndef TRIP_TOOLS_INTERRUPT_H
#define TRIP_TOOLS_INTERRUPT_H

#include <stdint.h>

/* Returns a descriptor that SIGINT and SIGTERM make readable; system calls that they would interrupt go on. -1: only a
 * time ends the verb. */
int interrupt_catch(void);
/* Returns for how long poll may wait until a time of monotonic_ns(), an hour at most; 0: it has come. */
int interrupt_left_ms(uint64_t at_ns);

#endif
