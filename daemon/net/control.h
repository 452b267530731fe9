/* The control socket: MessagePack-RPC, one message a packet. Of a request the method is read first; then the caller's
 * role is checked; then the parameters are checked for depth and counts, unpacked, and the method is carried out.
 * Nothing is acknowledged that the next tripd would not know. In an iteration of the loop each user has one request
 * carried out, and reports are counted once at most. Names and parameters of methods: include/internal/rpc.h. */
#ifndef TRIPD_CONTROL_H
#define TRIPD_CONTROL_H

#include "breakers/breakers.h"
#include "core/refusals.h"
#include "degradation/degradation.h"
#include "loop/loop.h"
#include "net/peer.h"

struct control;

/* Reads the config file again and applies it. 0: control_reloaded tells the result later; else -errno. */
typedef int control_reload_fn(void *context);
/* For --test-clock: moves the time on, with timers firing in order; returns when the time is published. -EOPNOTSUPP:
 * the clock is real. */
typedef int control_advance_fn(void *context, uint64_t ns);

struct control_options {
    struct loop *loop;
    struct breakers *breakers;
    struct degradation *degradation;
    struct segment *segment;
    struct lanes *lanes;
    struct clock *clock;
    struct tracer *tracer;
    const struct refusals *refusals;
    const struct config *config; /* borrowed until control_reconfigure or control_free */
    control_reload_fn *reload;
    control_advance_fn *advance;
    void (*drained)(void *context); /* everything that was reported is counted: analyse it; NULL: nobody does */
    void *context;
};

int control_new(const struct control_options *options, struct control **ret_control);
struct control *control_free(struct control *control);
/* Tells the result of a reload. said: lines, or NULL: notes, or the problems with FILE:LINE and how to mend them. */
void control_reloaded(struct control *control, int error, const char *said);
/* An event came into the ring: those who watch are told in the loop's next iteration. */
void control_event(struct control *control);
void control_reconfigure(struct control *control, const struct config *config);

/* Takes over a connection, of which this is the first packet: sets its handlers with loop_connection_start, and
 * answers. */
void control_connected(struct control *control, struct loop_connection *connection, const struct peer *peer,
                       struct loop_message *first);

#endif
