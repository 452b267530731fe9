/* Who is connected: connections are counted for each user, whatever they have become, from the accept to their end.
 *
 * A user who may report has room for limits.max_lanes attached processes and as many on their way, and all such users
 * but root have CALLERS_SHARES times that together. All others have CALLERS_STRANGER each, and CALLERS_STRANGERS
 * together. For one person may be many users (subordinate uids), and tripd has no more descriptors than it asked for at
 * its start (startup.c). */
#ifndef TRIPD_CALLERS_H
#define TRIPD_CALLERS_H

#include <stdint.h>
#include <sys/types.h>

#define CALLERS_STRANGER  16u
#define CALLERS_STRANGERS 128u
#define CALLERS_SHARE     2u /* times limits.max_lanes */
#define CALLERS_SHARES    4u

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
