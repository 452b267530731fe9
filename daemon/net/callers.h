/* Counts the connections of each user, from the accept to their end, whatever becomes of them. For example: a user who
 * may report has room for limits.max_lanes attached processes and for as many on their way, and all such users but root
 * together have CALLERS_SHARES times that. Each other user has CALLERS_STRANGER connections, and all others together
 * CALLERS_STRANGERS. The sums are bounded because one person may be many users (subordinate uids), and because tripd
 * has no more descriptors than it asked for at its start (startup.c). */
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
/* Forgets the connections that are left. Returns NULL. */
struct callers *callers_free(struct callers *callers);

/* Counts a new connection. most: connections that this user may have; 0: it is a stranger. -EUSERS: it has as many;
 * -ENOMEM. */
int callers_come(struct callers *callers, uid_t uid, uint32_t most, struct caller **ret_caller);
/* Takes a struct caller, as loop_connection_on_end passes it back. */
void callers_leave(void *caller);

#endif
