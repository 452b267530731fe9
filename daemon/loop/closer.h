/* Closes descriptors that strangers sent, and connections to strangers, on threads of its own: close(2) of a socket may
 * linger for as long as its sender asked for, and that of a file in user space for as long as its server likes.
 *
 * A signal interrupts what lingers after a millisecond: the socket itself, and those that wait unread in a Unix socket
 * and are closed with it, however deep. A file in user space holds its thread: after a tenth of a second without
 * progress another thread goes on with the rest, up to CLOSER_THREADS of them. When all of them are held, closer_stuck
 * says so, and only the end of this process helps.
 */
#ifndef TRIPD_CLOSER_H
#define TRIPD_CLOSER_H

#include <stdbool.h>
#include <stddef.h>

#define CLOSER_THREADS 8

struct closer;

/* Starts the closer. Its threads belong to the calling process: a forked child has none. */
int closer_start(struct closer **ret_closer);
/* Waits a second at most until everything is closed. A thread that is held stays. Returns NULL. */
struct closer *closer_stop(struct closer *closer);

/* Takes the descriptor and closes it soon. It waits for a close only when there is no memory for the queue. -1 is
 * ignored. */
void closer_close(struct closer *closer, int fd);
void closer_close_all(struct closer *closer, const int *fds, size_t count);

/* Starts more threads if the running ones make no progress; call it once a second at least. True: all threads that
 * there may be are held. */
bool closer_stuck(struct closer *closer);

#endif
