/* Runs work that may wait for long, such as a look-up in a name service, in a forked child. The child's output comes
 * back to the loop. */
#ifndef TRIPD_ASIDE_H
#define TRIPD_ASIDE_H

#include <stdio.h>

#include "loop/loop.h"

#define ASIDE_PATIENCE_NS UINT64_C(60000000000) /* after this time the child is killed */

struct aside;

/* The work. It runs in the child, which has no descriptors but the log and `out`. 0, or -errno. */
typedef int aside_work_fn(void *context, FILE *out);
/* Is told of the end. error: 0; what the work returned; -ETIMEDOUT; -EIO: the child died. A NUL follows the data, which
 * is valid until this function returns. The aside is freed afterwards. */
typedef void aside_done_fn(void *context, int error, const char *data, size_t size);

int aside_start(struct loop *loop, aside_work_fn *work, void *work_context, aside_done_fn *done, void *done_context,
                struct aside **ret_aside);
struct aside *aside_stop(struct aside *aside); /* kills the child and does not call `done`; NULL is fine */

#endif
