/* The event loop: io_uring where the kernel allows it, else epoll; loop_new chooses once. With both, handlers are
 * called in the same order, one at a time, on the calling thread.
 *
 * Ownership: the loop closes the descriptors of connections (loop_connection_close), and descriptors that packets
 * brought and no handler took, a moment later on a thread of its own (closer.h). All other descriptors stay the
 * caller's, who removes their listener or watch before closing them. A handler may add or remove anything, itself
 * included, but must not free the loop. loop_free removes the listeners, connections and watches that are left; their
 * makers free timers before that. A loop belongs to the thread (and the process) that made it.
 */
#ifndef TRIPD_LOOP_H
#define TRIPD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LOOP_MESSAGE_MAX 65536 /* bytes of one packet; a longer one closes its connection */
#define LOOP_MESSAGE_FDS 4     /* descriptors of one packet; more close its connection */

struct loop;
struct loop_listener;
struct loop_connection;
struct loop_timer;
struct loop_watch;

enum loop_backend { LOOP_AUTO, LOOP_URING, LOOP_EPOLL };

/* One packet of a connection. Its descriptors are CLOEXEC and belong to the loop: a handler that keeps one sets its
 * place to -1; the loop closes the others when the handler returns. */
struct loop_message {
    const uint8_t *data;
    size_t size;
    int fds[LOOP_MESSAGE_FDS];
    size_t fd_count;
};

typedef void loop_accepted_fn(void *context, struct loop_connection *connection);
typedef void loop_received_fn(void *context, struct loop_connection *connection, struct loop_message *message);
/* Is called when the peer hung up, or sent something that cannot be a message; the loop closes the connection
 * afterwards. error: 0, -EMSGSIZE (packet too long, or too many descriptors), -EMFILE (its descriptors did not fit into
 * our table), -EACCES (it may send none), -ECONNRESET (it closed without reading all we sent; its own packets came
 * before), or the socket's error. */
typedef void loop_hung_up_fn(void *context, struct loop_connection *connection, int error);
typedef void loop_ended_fn(void *context);
typedef void loop_due_fn(void *context, struct loop_timer *timer);
typedef void loop_ready_fn(void *context, struct loop_watch *watch);
typedef void loop_signalled_fn(void *context, int signal);
typedef void loop_rung_fn(void *context);

/* Makes a loop. LOOP_AUTO: io_uring if it can be set up and has what the loop needs (multishot accept and recvmsg,
 * buffer rings), else epoll. *ret_why: a static sentence for the log that says why this backend and this doorbell were
 * chosen. */
int loop_new(struct loop **ret_loop, enum loop_backend backend, const char **ret_why);
struct loop *loop_free(struct loop *loop); /* NULL is fine; returns NULL */
enum loop_backend loop_backend(const struct loop *loop);

/* Runs until loop_stop. 0, or the -errno of what broke the loop. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Listens on a SOCK_SEQPACKET socket. */
int loop_listen(struct loop *loop, int fd, loop_accepted_fn *accepted, void *context,
                struct loop_listener **ret_listener);
void loop_listener_remove(struct loop_listener *listener);

/* An accepted connection receives nothing until it is started with its handlers. loop_connection_adopt makes a
 * connection of a socket that came another way (a socketpair). */
int loop_connection_adopt(struct loop *loop, int fd, struct loop_connection **ret_connection);
void loop_connection_start(struct loop_connection *connection, loop_received_fn *received, loop_hung_up_fn *hung_up,
                           void *context);
/* `ended` is called once, when the connection is closed, whichever side closes it. */
void loop_connection_on_end(struct loop_connection *connection, loop_ended_fn *ended, void *context);
/* Call it before the start. A packet with descriptors is then not received, and ends the connection a moment later. So
 * no descriptor of the peer's ever enters our table, where only close(2) would take it out again: a file system in user
 * space may never let that close return. */
void loop_connection_refuse_descriptors(struct loop_connection *connection);
int loop_connection_fd(const struct loop_connection *connection);
/* Queues a packet, and duplicates its descriptors, which stay the caller's. Never blocks. A peer that does not read is
 * bounded: -ENOBUFS after 256 queued packets or 4 MiB. -EINVAL: the packet is empty, or has too many descriptors;
 * -EMSGSIZE: it is too long; else sendmsg's error. A packet that cannot be sent later on ends the connection. */
int loop_connection_send(struct loop_connection *connection, const void *data, size_t size, const int *fds,
                         size_t fd_count);
/* `room` is called each time when the last packet that waited was sent. */
void loop_connection_on_room(struct loop_connection *connection, loop_ended_fn *room, void *context);
/* Returns how many packets wait until the peer reads. */
size_t loop_connection_queued(const struct loop_connection *connection);
void loop_connection_close(struct loop_connection *connection); /* may be called inside its own handlers */

/* One-shot timers on CLOCK_MONOTONIC. Arming again moves the deadline, 0 disarms. */
int loop_timer_new(struct loop *loop, loop_due_fn *due, void *context, struct loop_timer **ret_timer);
void loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns);
struct loop_timer *loop_timer_free(struct loop_timer *timer);

/* Watches any descriptor for POLLIN (a pidfd: its process died). Level-triggered, until it is removed. */
int loop_watch_add(struct loop *loop, int fd, loop_ready_fn *ready, void *context, struct loop_watch **ret_watch);
void loop_watch_remove(struct loop_watch *watch);

/* Blocks the signals of the mask, which stay blocked, and reports each one. Once a loop, else -EBUSY. */
int loop_signals(struct loop *loop, const int *signals, size_t count, loop_signalled_fn *signalled, void *context);

/* The doorbell: a futex word in memory that others write too, shared between processes. Before the loop sleeps it
 * stores DOORBELL_ASLEEP (seq_cst), calls `pending` (which may arm timers), and sleeps only if that said no. Awake it
 * holds DOORBELL_AWAKE. `rung` is called once for each wake-up by the word, and when `pending` said yes. The word is
 * hostile: see include/internal/doorbell.h. By io_uring's futex wait (probed by opcode) or a helper thread that waits
 * in futex(2) and pokes the loop. */
typedef bool loop_pending_fn(void *context);
int loop_doorbell(struct loop *loop, uint32_t *word, loop_pending_fn *pending, loop_rung_fn *rung, void *context);

/* Leaves the word and waits on it anew. Call it at each heartbeat, for anyone who can write the word can also move its
 * waiter elsewhere (FUTEX_REQUEUE). */
void loop_doorbell_rearm(struct loop *loop);

/* Closes a descriptor that came with a packet, as the loop itself would. */
void loop_close_foreign(struct loop *loop, int fd);
/* Do descriptors that strangers sent fail to close, so that they pile up? Ask once a second: only the end of the
 * process frees them. */
bool loop_cannot_close(struct loop *loop);

/* Returns in how many iterations since loop_new the loop slept; for the idle test and `tripctl status`. */
uint64_t loop_wakeups(const struct loop *loop);
uint64_t loop_asleep_ns(const struct loop *loop); /* how long it has waited for events */

#endif
