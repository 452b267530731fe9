/* Who is connected: connections are counted for each user, whatever they have become, from the accept to their end.
 *
 * A user who may report has room for limits.max_lanes attached processes and as many on their way. All others have
 * CALLERS_STRANGER each, and CALLERS_STRANGERS together, for one person may be many users (subordinate uids). */
#ifndef TRIPD_CALLERS_H
#define TRIPD_CALLERS_H

#include <stdint.h>
#include <sys/types.h>

#define CALLERS_STRANGER  16u
#define CALLERS_STRANGERS 128u

struct callers;
struct caller; /* one connection */

int callers_new(struct callers **ret_callers);
/* Those that are left are forgotten. Returns NULL. */
struct callers *callers_free(struct callers *callers);

/* most: connections that this user may have; 0: a stranger. -EUSERS: that is reached; -ENOMEM. */
int callers_come(struct callers *callers, uid_t uid, uint32_t most, struct caller **ret_caller);
/* Takes a struct caller, as loop_connection_on_end gives it back. */
void callers_leave(void *caller);

#endif
