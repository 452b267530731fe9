/* The parts of the loop, for each other only.
 *
 *   loop.c             the iteration, sources' lives, listeners, watches, signals
 *   timer.c            timers, in order of their deadlines
 *   connection.c       packets in, the queue of packets out, hang-up
 *   doorbell.c         when the word says ASLEEP, and when it is not trusted
 *   doorbell_thread.c  a thread that waits on the word where io_uring cannot
 *   uring.c, epoll.c   the backends: they wait, and say what became ready
 *
 * A removed source is gone at once for its owner. The loop frees it later, at the end of an iteration in which the
 * kernel holds no operation of it any more: a late completion still finds the source, and does nothing because it is
 * `removed`. Until then a connection's descriptor stays open, too, so that no operation still to be submitted can meet
 * another file under its number.
 */
#ifndef TRIPD_LOOP_BACKEND_H
#define TRIPD_LOOP_BACKEND_H

#include "loop/closer.h"
#include "loop/loop.h"

#define LOOP_BURST 16         /* packets or connections of one source before the others have their turn */
#define LOOP_NEVER UINT64_MAX /* a timeout: wait until something becomes ready */

/* Room for all descriptors that the kernel passes with one packet (SCM_MAX_FD). The kernel would close the descriptors
 * that found no room at once, on the receiving thread. */
#define LOOP_CONTROL_FDS  253
#define LOOP_CONTROL_SIZE CMSG_SPACE(LOOP_CONTROL_FDS * sizeof(int))

/* A place in a doubly linked ring; always the first member of the struct that is linked. */
struct loop_link {
    struct loop_link *next, *previous;
};

static inline void loop_link_init(struct loop_link *link)
{
    link->next = link->previous = link;
}

static inline bool loop_link_alone(const struct loop_link *link)
{
    return link->next == link;
}

static inline void loop_link_insert_after(struct loop_link *place, struct loop_link *link)
{
    link->previous = place;
    link->next = place->next;
    place->next->previous = link;
    place->next = link;
}

static inline void loop_link_remove(struct loop_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    loop_link_init(link);
}

/* A source waits until its descriptor can be read, until it can be written, or for either. */
#define LOOP_INPUT  1u
#define LOOP_OUTPUT 2u

enum loop_kind { LOOP_LISTENER, LOOP_CONNECTION, LOOP_WATCH };

struct loop_source {
    struct loop_link link; /* in loop->sources or loop->removed */
    struct loop *loop;
    enum loop_kind kind;
    int fd;
    bool removed;
    unsigned wanted; /* LOOP_INPUT | LOOP_OUTPUT */
    unsigned armed;  /* io_uring: the operations that the kernel holds; the source is freed only when this is 0 */
};

struct loop_timer {
    struct loop_link link; /* in loop->timers, or alone */
    struct loop *loop;
    uint64_t deadline_ns;
    loop_due_fn *due;
    void *context;
};

struct loop_listener {
    struct loop_source source;
    loop_accepted_fn *accepted;
    void *context;
    struct loop_timer *retry; /* runs while tripd has no descriptor left for a new connection */
};

struct loop_watch {
    struct loop_source source;
    loop_ready_fn *ready;
    void *context;
};

struct loop_packet;

struct loop_connection {
    struct loop_source source;
    loop_received_fn *received; /* NULL until started */
    loop_hung_up_fn *hung_up;
    void *context;
    loop_ended_fn *ended; /* called at the end; NULL: nothing is called */
    void *ended_context;
    loop_ended_fn *room; /* called when nothing waits any more; NULL: nothing is called */
    void *room_context;
    int error; /* passed to hung_up */
    bool refuses_descriptors;
    struct loop_timer *farewell; /* the peer sent descriptors and may not: the end comes when this is due; else NULL */
    struct loop_packet *first, **last;
    size_t queued, queued_bytes;
};

struct loop_doorbell {
    uint32_t *word; /* NULL: there is no doorbell */
    loop_pending_fn *pending;
    loop_rung_fn *rung;
    void *context;
    struct doorbell_thread *thread; /* NULL: io_uring waits on the word */
    bool answered;                  /* the word woke us: call `rung` */
    bool found;                     /* something was pending before we slept: call `rung` likewise */
    unsigned empty;                 /* wake-ups in a row after which nothing was pending */
    uint64_t rest_until_ns;         /* until then we sleep without the word */
    bool asleep;                    /* the word said ASLEEP while we slept */
    bool unheard;                   /* the word was rung and something is pending, but its wake did not reach us */
    uint64_t poll_ns;               /* we look by ourselves after so long; 0: we do not */
    uint64_t poll_until_ns;         /* if no ring goes unheard until then, we stop looking by ourselves */
};

struct loop_signals {
    struct loop_watch *watch; /* NULL: no signals are watched */
    int fd;
    loop_signalled_fn *signalled;
    void *context;
};

struct loop_backend_ops {
    enum loop_backend backend;
    void (*close)(struct loop *loop);
    /* Sleeps until something is ready, timeout_ns at most, and counts in loop->wakeups whether it may have slept. */
    int (*wait)(struct loop *loop, uint64_t timeout_ns);
    /* Calls the loop_..._ready functions below for what wait found. */
    void (*dispatch)(struct loop *loop);
    int (*add)(struct loop_source *source);
    void (*refresh)(struct loop_source *source); /* called when `wanted` changed */
    void (*remove)(struct loop_source *source);
    /* Waits on loop->doorbell.word while it is ASLEEP, beside everything else; does nothing if it waits already. NULL:
     * this backend cannot. */
    void (*doorbell_wait)(struct loop *loop);
    void (*doorbell_cancel)(struct loop *loop);
};

struct loop {
    const struct loop_backend_ops *ops;
    void *backend; /* struct loop_uring or struct loop_epoll */
    struct loop_link sources, removed;
    struct loop_link timers; /* by deadline; timers with the same deadline in the order in which they were armed */
    struct loop_doorbell doorbell;
    struct loop_signals signals;
    struct closer *closer;
    uint64_t wakeups, asleep_ns;
    _Alignas(struct cmsghdr) uint8_t control[LOOP_CONTROL_SIZE]; /* for loop_connection_receive */
    uint8_t packet[LOOP_MESSAGE_MAX];
    bool stopped;
    int error; /* the kernel refused something that the loop cannot do without */
};

/* loop.c */
void loop_source_remove(struct loop_source *source);
/* Takes a new connection's descriptor, or the -errno of accept. */
void loop_listener_ready(struct loop_listener *listener, int fd);
void loop_watch_ready(struct loop_watch *watch);

/* timer.c */
void loop_timers_fire(struct loop *loop, uint64_t now_ns);
uint64_t loop_timers_timeout(const struct loop *loop, uint64_t now_ns);

/* connection.c */
struct loop_connection *loop_connection_new(struct loop *loop, int fd);
/* Takes a packet. header: msg_control, msg_controllen and msg_flags as recvmsg left them. The connection may be removed
 * already: then the packet's descriptors are closed. */
void loop_connection_packet_ready(struct loop_connection *connection, struct msghdr *header, const uint8_t *data,
                                  size_t size);
/* Receives up to LOOP_BURST packets; only one, if the connection may send no descriptors. */
void loop_connection_readable(struct loop_connection *connection);
/* Handles an -errno from receiving. True: receiving may succeed again. */
bool loop_connection_failed(struct loop_connection *connection, int error);
void loop_connection_writable(struct loop_connection *connection);
void loop_connection_discard(struct loop_connection *connection); /* drops the queued packets */

/* doorbell.c */
/* Prepares the doorbell for a sleep. Returns for how long the loop may sleep as far as the doorbell is concerned. */
uint64_t loop_doorbell_sleep(struct loop *loop, uint64_t now_ns);
void loop_doorbell_woke(struct loop *loop);
void loop_doorbell_answer(struct loop *loop);
void loop_doorbell_close(struct loop *loop);

/* doorbell_thread.c: its descriptor becomes readable when the word was rung. */
int doorbell_thread_start(uint32_t *word, struct doorbell_thread **ret_thread);
int doorbell_thread_fd(const struct doorbell_thread *thread);
void doorbell_thread_wait(struct doorbell_thread *thread);  /* the loop is about to sleep */
void doorbell_thread_awake(struct doorbell_thread *thread); /* the loop woke */
bool doorbell_thread_rung(struct doorbell_thread *thread);  /* call it when the descriptor was readable */
void doorbell_thread_again(struct doorbell_thread *thread); /* leaves the word and waits on it anew */
struct doorbell_thread *doorbell_thread_stop(struct doorbell_thread *thread);

/* uring.c, epoll.c. 0 or -errno. *ret_futex: the backend can wait on the doorbell. */
int loop_uring_open(struct loop *loop, bool *ret_futex);
int loop_epoll_open(struct loop *loop);

#endif
