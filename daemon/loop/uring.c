/* The io_uring backend. The only file that knows liburing.
 *
 * Accept and receive are multishot, watches and waiting for room to send are one-shot polls that are armed again: so
 * both are level-triggered. Timers are the timeout of the wait itself. What is prepared is submitted by that wait: one
 * system call an iteration.
 *
 * A completion is told apart by its user_data: the source with what was armed of it in the low bits, or the number of
 * the wait on the doorbell. An operation's last completion (no IORING_CQE_F_MORE) clears its bit in `armed`; a source
 * is not freed before (see backend.h), so no completion can name memory that is gone. */
#include "loop/backend.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal/doorbell.h"

#define ENTRIES            64
#define COMPLETION_ENTRIES 1024

/* One packet each; the kernel takes them in turn, and gets each back when its handler returns. */
#define BUFFERS      16u
#define BUFFER_GROUP 0
#define BUFFER_SIZE  (sizeof(struct io_uring_recvmsg_out) + LOOP_CONTROL_SIZE + LOOP_MESSAGE_MAX)
#define BUFFER_PLACE ((BUFFER_SIZE + 63) & ~(size_t)63)

/* IORING_OP_FUTEX_WAIT of Linux 6.7: liburing 2.3 does not know it. */
#define OP_FUTEX_WAIT     51
#define FUTEX2_SHARED_U32 0x02
#define FUTEX_ANY         UINT64_C(0xffffffff)

/* The low bits of user_data. Cancellations have none, for nothing waits for their completion. */
#define TAG_INPUT  LOOP_INPUT
#define TAG_OUTPUT LOOP_OUTPUT
#define TAG_FUTEX  4u
#define TAG_MASK   7u

struct loop_uring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;
    struct msghdr receive; /* the layout of each buffer */
    /* Connections that got a buffer in this dispatch. They are armed again after those that found none; otherwise one
     * flooding connection would take all buffers again and again. */
    struct loop_source *served[BUFFERS];
    unsigned served_count;
    uint64_t futex_wait; /* the number of the latest wait on the doorbell */
    bool futex_armed;
};

static struct loop_uring *uring_of(const struct loop *loop)
{
    return loop->backend;
}

static struct io_uring_sqe *next_sqe(struct loop *loop)
{
    struct loop_uring *uring = uring_of(loop);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (sqe)
        return sqe;
    const int error = io_uring_submit(&uring->ring);
    sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe)
        loop->error = error < 0 ? error : -EBUSY;
    return sqe;
}

static uint64_t tagged(const struct loop_source *source, unsigned tag)
{
    return (uint64_t)(uintptr_t)source | tag;
}

static void cancel(struct loop *loop, uint64_t user_data)
{
    struct io_uring_sqe *sqe = next_sqe(loop);
    if (!sqe)
        return;
    io_uring_prep_cancel64(sqe, user_data, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 0;
}

/* ------------------------------------------------------------------------------------------------- buffers */

static uint8_t *buffer_at(const struct loop_uring *uring, unsigned number)
{
    return uring->memory + number * BUFFER_PLACE;
}

static void give_back(struct loop_uring *uring, unsigned number)
{
    io_uring_buf_ring_add(uring->buffers, buffer_at(uring, number), BUFFER_SIZE, (unsigned short)number,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(uring->buffers, 1);
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int open_buffers(struct loop_uring *uring)
{
    uring->buffers = map(BUFFERS * sizeof(struct io_uring_buf));
    uring->memory = map(BUFFERS * BUFFER_PLACE);
    if (!uring->buffers || !uring->memory)
        return -ENOMEM;
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)uring->buffers, .ring_entries = BUFFERS, .bgid = BUFFER_GROUP};
    const int error = io_uring_register_buf_ring(&uring->ring, &registration, 0);
    if (error < 0)
        return error;
    io_uring_buf_ring_init(uring->buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        give_back(uring, i);
    uring->receive.msg_controllen = LOOP_CONTROL_SIZE;
    return 0;
}

static void close_buffers(struct loop_uring *uring)
{
    if (uring->buffers)
        munmap(uring->buffers, BUFFERS * sizeof(struct io_uring_buf));
    if (uring->memory)
        munmap(uring->memory, BUFFERS * BUFFER_PLACE);
}

/* ------------------------------------------------------------------------------------------------- arming */

static void arm_input(struct loop_source *source)
{
    struct io_uring_sqe *sqe = next_sqe(source->loop);
    if (!sqe)
        return;
    switch (source->kind) {
    case LOOP_LISTENER:
        io_uring_prep_multishot_accept(sqe, source->fd, NULL, NULL, SOCK_CLOEXEC);
        break;
    case LOOP_CONNECTION:
        if (((struct loop_connection *)source)
                ->refuses_descriptors) { /* its packets are looked at before they are received */
            io_uring_prep_poll_add(sqe, source->fd, POLLIN);
            break;
        }
        io_uring_prep_recvmsg_multishot(sqe, source->fd, &uring_of(source->loop)->receive, MSG_CMSG_CLOEXEC);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = BUFFER_GROUP;
        break;
    case LOOP_WATCH:
        io_uring_prep_poll_add(sqe, source->fd, POLLIN);
        break;
    }
    sqe->user_data = tagged(source, TAG_INPUT);
    source->armed |= LOOP_INPUT;
}

static void arm_output(struct loop_source *source)
{
    struct io_uring_sqe *sqe = next_sqe(source->loop);
    if (!sqe)
        return;
    io_uring_prep_poll_add(sqe, source->fd, POLLOUT);
    sqe->user_data = tagged(source, TAG_OUTPUT);
    source->armed |= LOOP_OUTPUT;
}

/* Lets an operation that is no longer wanted end by itself; its completion is then ignored. */
static void uring_refresh(struct loop_source *source)
{
    const unsigned missing = source->wanted & ~source->armed;
    if (missing & LOOP_INPUT)
        arm_input(source);
    if (missing & LOOP_OUTPUT)
        arm_output(source);
}

static int uring_add(struct loop_source *source)
{
    (void)source;
    return 0;
}

static void uring_remove(struct loop_source *source)
{
    if (source->armed & LOOP_INPUT)
        cancel(source->loop, tagged(source, TAG_INPUT));
    if (source->armed & LOOP_OUTPUT)
        cancel(source->loop, tagged(source, TAG_OUTPUT));
    /* The owner may close the descriptor now, so that no operation still to be submitted may name it. */
    if (source->armed && source->kind != LOOP_CONNECTION)
        io_uring_submit(&uring_of(source->loop)->ring);
}

/* ------------------------------------------------------------------------------------------------- the doorbell */

static uint64_t futex_user_data(const struct loop_uring *uring)
{
    return uring->futex_wait * (TAG_MASK + 1) | TAG_FUTEX;
}

/* The kernel compares the word when the wait is submitted, in the same system call that sleeps. */
static void uring_doorbell_wait(struct loop *loop)
{
    struct loop_uring *uring = uring_of(loop);
    if (uring->futex_armed)
        return;
    struct io_uring_sqe *sqe = next_sqe(loop);
    if (!sqe)
        return;
    io_uring_prep_rw(OP_FUTEX_WAIT, sqe, FUTEX2_SHARED_U32, loop->doorbell.word, 0, DOORBELL_ASLEEP);
    sqe->addr3 = FUTEX_ANY;
    uring->futex_wait++;
    sqe->user_data = futex_user_data(uring);
    uring->futex_armed = true;
}

/* Fetches the cancelled wait's completion here, so that it does not end the next sleep. */
static void uring_doorbell_cancel(struct loop *loop)
{
    struct loop_uring *uring = uring_of(loop);
    if (!uring->futex_armed)
        return;
    cancel(loop, futex_user_data(uring));
    uring->futex_armed = false;
    io_uring_submit_and_get_events(&uring->ring);
}

static void futex_completed(struct loop *loop, uint64_t user_data, int result)
{
    struct loop_uring *uring = uring_of(loop);
    if (user_data == futex_user_data(uring))
        uring->futex_armed = false;
    /* The word was rung, or was not ASLEEP any more when the wait began. An error counts as an empty ring, so that we
     * rest. */
    if (result != -ECANCELED)
        loop->doorbell.answered = true;
}

static bool has_futex_wait(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    const bool has = probe && io_uring_opcode_supported(probe, OP_FUTEX_WAIT);
    io_uring_free_probe(probe);
    return has;
}

/* ------------------------------------------------------------------------------------------------- completions */

static void received(struct loop_connection *connection, int result, unsigned flags)
{
    struct loop_uring *uring = uring_of(connection->source.loop);
    if (!(flags & IORING_CQE_F_BUFFER)) {
        if (result < 0 && !loop_connection_failed(connection, result))
            connection->source.wanted &= ~LOOP_INPUT;
        return;
    }
    if (uring->served_count < BUFFERS)
        uring->served[uring->served_count++] = &connection->source;
    const unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer_at(uring, number), result, &uring->receive);
    if (out) {
        struct msghdr header = {.msg_control = io_uring_recvmsg_cmsg_firsthdr(out, &uring->receive),
                                .msg_controllen = out->controllen,
                                .msg_flags = (int)out->flags};
        loop_connection_packet_ready(connection, &header, io_uring_recvmsg_payload(out, &uring->receive),
                                     io_uring_recvmsg_payload_length(out, result, &uring->receive));
    }
    give_back(uring, number);
}

static void input_completed(struct loop_source *source, int result, unsigned flags)
{
    switch (source->kind) {
    case LOOP_LISTENER:
        loop_listener_ready((struct loop_listener *)source, result);
        break;
    case LOOP_CONNECTION:
        if (((struct loop_connection *)source)->refuses_descriptors && result >= 0)
            loop_connection_readable((struct loop_connection *)source);
        else
            received((struct loop_connection *)source, result, flags);
        break;
    case LOOP_WATCH:
        if (result < 0)
            source->wanted = 0;
        else
            loop_watch_ready((struct loop_watch *)source);
        break;
    }
}

static bool was_served(const struct loop_uring *uring, const struct loop_source *source)
{
    for (unsigned i = 0; i < uring->served_count; i++)
        if (uring->served[i] == source)
            return true;
    return false;
}

static void refresh_served(struct loop_uring *uring)
{
    for (unsigned i = 0; i < uring->served_count; i++)
        if (!uring->served[i]->removed)
            uring_refresh(uring->served[i]);
    uring->served_count = 0;
}

static void completed(struct loop *loop, uint64_t user_data, int result, unsigned flags)
{
    const unsigned tag = (unsigned)user_data & TAG_MASK;
    if (tag == TAG_FUTEX)
        futex_completed(loop, user_data, result);
    if (tag != TAG_INPUT && tag != TAG_OUTPUT)
        return;
    struct loop_source *source = (struct loop_source *)(uintptr_t)(user_data & ~(uint64_t)TAG_MASK);
    if (!(flags & IORING_CQE_F_MORE))
        source->armed &= ~tag;
    if (tag == TAG_INPUT)
        input_completed(source, result, flags);
    else
        loop_connection_writable((struct loop_connection *)source);
    if (!source->removed && !was_served(uring_of(loop), source))
        uring_refresh(source);
}

static void uring_dispatch(struct loop *loop)
{
    struct io_uring *ring = &uring_of(loop)->ring;
    for (unsigned left = io_uring_cq_ready(ring); left > 0; left--) {
        struct io_uring_cqe *cqe;
        if (io_uring_peek_cqe(ring, &cqe) < 0)
            break;
        const uint64_t user_data = cqe->user_data;
        const int result = cqe->res;
        const unsigned flags = cqe->flags;
        io_uring_cqe_seen(ring, cqe);
        completed(loop, user_data, result, flags);
    }
    refresh_served(uring_of(loop));
}

static int uring_wait(struct loop *loop, uint64_t timeout_ns)
{
    struct io_uring *ring = &uring_of(loop)->ring;
    int error;
    if (timeout_ns == 0 || io_uring_cq_ready(ring) > 0) {
        error = io_uring_submit_and_get_events(ring);
    } else {
        loop->wakeups++;
        struct io_uring_cqe *cqe;
        struct __kernel_timespec timeout = {.tv_sec = (long long)(timeout_ns / UINT64_C(1000000000)),
                                            .tv_nsec = (long long)(timeout_ns % UINT64_C(1000000000))};
        error = io_uring_submit_and_wait_timeout(ring, &cqe, 1, timeout_ns == LOOP_NEVER ? NULL : &timeout, NULL);
    }
    /* EBUSY: completions wait for room, which dispatching makes. */
    return error >= 0 || error == -ETIME || error == -EINTR || error == -EBUSY ? 0 : error;
}

static void uring_close(struct loop *loop)
{
    struct loop_uring *uring = uring_of(loop);
    io_uring_queue_exit(&uring->ring);
    close_buffers(uring);
    free(uring);
}

#define URING_OPS                                                                                                  \
    .backend = LOOP_URING, .close = uring_close, .wait = uring_wait, .dispatch = uring_dispatch, .add = uring_add, \
    .refresh = uring_refresh, .remove = uring_remove

static const struct loop_backend_ops uring_ops = {URING_OPS};

/* For kernels that can wait for the doorbell's futex in the ring. */
static const struct loop_backend_ops uring_futex_ops = {
    URING_OPS,
    .doorbell_wait = uring_doorbell_wait,
    .doorbell_cancel = uring_doorbell_cancel,
};

/* IORING_SETUP_DEFER_TASKRUN is the newest feature needed here: Linux before 6.1 says EINVAL. */
int loop_uring_open(struct loop *loop, bool *ret_futex)
{
    struct loop_uring *uring = calloc(1, sizeof(*uring));
    if (!uring)
        return -ENOMEM;
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETION_ENTRIES};
    int error = io_uring_queue_init_params(ENTRIES, &uring->ring, &params);
    if (error < 0) {
        free(uring);
        return error;
    }
    error = open_buffers(uring);
    if (error < 0) {
        io_uring_queue_exit(&uring->ring);
        close_buffers(uring);
        free(uring);
        return error;
    }
    *ret_futex = has_futex_wait(&uring->ring);
    loop->backend = uring;
    loop->ops = *ret_futex ? &uring_futex_ops : &uring_ops;
    return 0;
}
