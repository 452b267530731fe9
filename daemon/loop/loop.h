/* The event loop: io_uring where the kernel allows it, else epoll. Chosen once at loop_new; the same handlers, the
 * same order of events: what became ready is dispatched one at a time, on the calling thread.
 *
 * Ownership: the loop closes the descriptors of connections (loop_connection_close), and those that packets brought and
 * nobody took; a moment later, on a thread of its own (closer.h). All others stay the caller's, who removes their
 * listener or watch before closing them. Any handler may add or remove anything, itself too, but
 * not free the loop. loop_free removes the listeners, connections and watches that are left; timers are freed before
 * it by whoever made them.
 * A loop belongs to the thread (and the process) that made it.
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

/* One packet of a connection. The descriptors are CLOEXEC and belong to the loop: a handler that keeps one takes it
 * by setting its place to -1; the rest are closed when the handler returns. */
struct loop_message {
    const uint8_t *data;
    size_t size;
    int fds[LOOP_MESSAGE_FDS];
    size_t fd_count;
};

typedef void loop_accepted_fn(void *context, struct loop_connection *connection);
typedef void loop_received_fn(void *context, struct loop_connection *connection, struct loop_message *message);
/* The peer hung up, or sent what cannot be a message. The connection is closed afterwards. error: 0, or -EMSGSIZE (too
 * long, too many descriptors), -EMFILE (its descriptors did not fit in our table), -EACCES (it may send none),
 * -ECONNRESET (it closed without reading all we sent; what it sent came before), or what the socket said. */
typedef void loop_hung_up_fn(void *context, struct loop_connection *connection, int error);
typedef void loop_ended_fn(void *context);
typedef void loop_due_fn(void *context, struct loop_timer *timer);
typedef void loop_ready_fn(void *context, struct loop_watch *watch);
typedef void loop_signalled_fn(void *context, int signal);
typedef void loop_rung_fn(void *context);

/* backend LOOP_AUTO: io_uring if it can be set up and has what is needed (multishot accept and recvmsg, buffer
 * rings), else epoll. *ret_why: a static sentence for the log, why this backend and this doorbell were chosen. */
int loop_new(struct loop **ret_loop, enum loop_backend backend, const char **ret_why);
struct loop *loop_free(struct loop *loop); /* NULL is fine; returns NULL */
enum loop_backend loop_backend(const struct loop *loop);

/* Runs until loop_stop; 0, or the -errno of what broke the loop. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* SOCK_SEQPACKET listening sockets. */
int loop_listen(struct loop *loop, int fd, loop_accepted_fn *accepted, void *context,
                struct loop_listener **ret_listener);
void loop_listener_remove(struct loop_listener *listener);

/* An accepted connection: nothing is received until its handlers are set. A socket that came otherwise (a socketpair)
 * is adopted with loop_connection_adopt. */
int loop_connection_adopt(struct loop *loop, int fd, struct loop_connection **ret_connection);
void loop_connection_start(struct loop_connection *connection, loop_received_fn *received, loop_hung_up_fn *hung_up,
                           void *context);
/* Called once, when the connection is closed by whoever has it then. */
void loop_connection_on_end(struct loop_connection *connection, loop_ended_fn *ended, void *context);
/* Before the start: a packet with descriptors is not received, and ends the connection a moment later. So none of them
 * is ever in our table, where only close(2) takes it out, which a file system in user space may never let return. */
void loop_connection_refuse_descriptors(struct loop_connection *connection);
int loop_connection_fd(const struct loop_connection *connection);
/* Queues a packet (and borrows the descriptors until it returns: they are duplicated). Never blocks; a peer that does
 * not read is bounded: -ENOBUFS after 256 queued packets or 4 MiB. -EINVAL: empty, or too many descriptors;
 * -EMSGSIZE: too long; else what sendmsg said. A packet that cannot be sent later on ends the connection. */
int loop_connection_send(struct loop_connection *connection, const void *data, size_t size, const int *fds,
                         size_t fd_count);
/* How many packets wait for the peer to read. */
size_t loop_connection_queued(const struct loop_connection *connection);
void loop_connection_close(struct loop_connection *connection); /* safe inside its own handlers */

/* One-shot timers on CLOCK_MONOTONIC; arming again moves it, deadline 0 disarms. */
int loop_timer_new(struct loop *loop, loop_due_fn *due, void *context, struct loop_timer **ret_timer);
void loop_timer_arm(struct loop_timer *timer, uint64_t deadline_ns);
struct loop_timer *loop_timer_free(struct loop_timer *timer);

/* POLLIN on any descriptor (a pidfd: its process died). Level-triggered, stays until removed. */
int loop_watch_add(struct loop *loop, int fd, loop_ready_fn *ready, void *context, struct loop_watch **ret_watch);
void loop_watch_remove(struct loop_watch *watch);

/* Blocks the signals of the mask, which stay blocked, and reports each one. At most once a loop: -EBUSY. */
int loop_signals(struct loop *loop, const int *signals, size_t count, loop_signalled_fn *signalled, void *context);

/* The doorbell: a futex word in memory that others write too, shared between processes. Before the loop sleeps it
 * stores DOORBELL_ASLEEP (seq_cst), calls `pending` (which may arm timers), and sleeps only if that said no. Awake it
 * holds DOORBELL_AWAKE. `rung` is called once for each wake-up by the word, and when `pending` said yes. The word is
 * hostile: see include/internal/doorbell.h. By io_uring's futex wait (probed by opcode) or a helper thread that waits
 * in futex(2) and pokes the loop. */
typedef bool loop_pending_fn(void *context);
int loop_doorbell(struct loop *loop, uint32_t *word, loop_pending_fn *pending, loop_rung_fn *rung, void *context);

/* At each heartbeat: leaves the word and waits on it anew, for anyone who can write the word can also move its waiter
 * elsewhere (FUTEX_REQUEUE). */
void loop_doorbell_rearm(struct loop *loop);

/* Closes a descriptor that a packet brought, as the loop itself would. */
void loop_close_foreign(struct loop *loop, int fd);
/* To be asked once a second: does what strangers sent not close, so that descriptors pile up? Only the end of the
 * process lets go of them. */
bool loop_cannot_close(struct loop *loop);

/* Iterations since loop_new that slept: for the idle test and `tripctl status`. */
uint64_t loop_wakeups(const struct loop *loop);
uint64_t loop_asleep_ns(const struct loop *loop); /* how long it has waited for events */

#endif
