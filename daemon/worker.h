/* The worker: puts the parts together and runs the loop. It may be killed at any instruction: everything that must last
 * is in the segment, the commons and the lanes, or with the keeper. */
#ifndef TRIPD_WORKER_H
#define TRIPD_WORKER_H

#include "keeper.h"

/* A keeper_work_fn. context: struct startup. */
int worker_run(void *context, const struct keeper_birth *birth);

#endif
