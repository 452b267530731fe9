/* Work that may wait for long, as for a name service: done in a forked child, whose output comes back to the loop. */
#ifndef TRIPD_ASIDE_H
#define TRIPD_ASIDE_H

#include <stdio.h>

#include "loop/loop.h"

#define ASIDE_PATIENCE_NS UINT64_C(60000000000) /* then the child is killed */

struct aside;

/* In the child, which has no descriptors but the log and `out`. 0, or -errno. */
typedef int aside_work_fn(void *context, FILE *out);
/* error: 0; what the work returned; -ETIMEDOUT; -EIO: the child died. The data, which ends in a NUL behind `size`, is
 * valid until it returns; the aside is gone afterwards. */
typedef void aside_done_fn(void *context, int error, const char *data, size_t size);

int aside_start(struct loop *loop, aside_work_fn *work, void *work_context, aside_done_fn *done, void *done_context,
                struct aside **ret_aside);
struct aside *aside_stop(struct aside *aside); /* kills the child, and does not call `done`. NULL is fine */

#endif
