/* Timers by which calls in flight are cut short: one for each process and breaker whose callers asked for it
 * (trip_call_fd). A timer is readable while its breaker cuts calls short (breakers_cuts_short), and silent otherwise.
 *
 * Why timers: tripd arms one for a time that has passed, or disarms it, and neither call waits for anybody. The
 * process shares the timer's description. Whatever it does there, to its flags, or by reading or setting it, reaches
 * nobody but itself. An eventfd would let it fill the counter and have tripd wait; a socket's byte cannot be taken
 * back.
 */
#ifndef TRIPD_CANCELS_H
#define TRIPD_CANCELS_H

#include "breakers/breakers.h"
#include "net/callers.h"

/* Timers of one user's processes, where tripd may have so many descriptors. All users but root together have
 * CALLERS_SHARES as many, and root as many as one user. */
#define CANCELS_SHARE  4096u
#define CANCELS_SHARES (CALLERS_SHARES + 1)

struct cancels;
struct cancel; /* one timer */

int cancels_new(struct breakers *breakers, struct segment *segment, struct cancels **ret_cancels);
/* Closes the timers that are left. Returns NULL. */
struct cancels *cancels_free(struct cancels *cancels);

/* Sets how many timers one user's processes may have. */
void cancels_share(struct cancels *cancels, uint32_t share);
/* Makes a timer for a process of this user, readable if the breaker cuts calls short now, and puts it into the
 * process's list, instead of the one that it had for this slot. The descriptor stays the timer's. -ESTALE: another
 * breaker has the slot; -EDQUOT: the user has as many as it may have; or -errno of timerfd_create. */
int cancels_add(struct cancels *cancels, uid_t uid, uint32_t slot, uint32_t incarnation, struct cancel **list,
                int *ret_fd);
/* The process hung up: closes all of its timers. */
void cancels_drop(struct cancel **list);

/* The breaker, or its mode, has moved: makes its timers what they have to be, and closes those of a breaker that had
 * the slot before. */
void cancels_look(struct cancels *cancels, uint32_t slot);
/* The breaker is about to admit calls: its timers are silent before it does. So a call that begins then is not cut
 * short by the opening before it, also if tripd is stopped in between. */
void cancels_silence(struct cancels *cancels, uint32_t slot);
/* tripd was stopped for so long that clients went on without it: all timers are silent until cancels_look_all. */
void cancels_silence_all(struct cancels *cancels);
void cancels_look_all(struct cancels *cancels);

#endif
