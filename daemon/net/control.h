/* The control socket: MessagePack-RPC, one message a packet. Of a request the method is read first, then the caller's
 * role is checked, then its parameters are checked for depth and counts, unpacked, and it is carried out; nothing is
 * acknowledged that a dead tripd would forget. In an iteration of the loop each user has one request carried out, and
 * all that was reported is counted once at most. Names and parameters of methods: include/internal/rpc.h. */
#ifndef TRIPD_CONTROL_H
#define TRIPD_CONTROL_H

#include "breakers/breakers.h"
#include "core/refusals.h"
#include "loop/loop.h"
#include "net/peer.h"

struct control;

/* Reads the config file again, and applies it. 0: control_reloaded says later what came of it; -errno. */
typedef int control_reload_fn(void *context);
/* --test-clock: moves the time on; timers fire in order; returns when the time is published. -EOPNOTSUPP: real clock.
 */
typedef int control_advance_fn(void *context, uint64_t ns);

struct control_options {
    struct loop *loop;
    struct breakers *breakers;
    struct segment *segment;
    struct lanes *lanes;
    struct clock *clock;
    struct tracer *tracer;
    const struct refusals *refusals;
    const struct config *config; /* borrowed until control_reconfigure or control_free */
    control_reload_fn *reload;
    control_advance_fn *advance;
    void *context;
};

int control_new(const struct control_options *options, struct control **ret_control);
struct control *control_free(struct control *control);
/* said: lines, or NULL: notes, or the problems with FILE:LINE and mend. */
void control_reloaded(struct control *control, int error, const char *said);
void control_reconfigure(struct control *control, const struct config *config);

/* Takes over a connection whose first packet is this one: sets its handlers with loop_connection_start and answers. */
void control_connected(struct control *control, struct loop_connection *connection, const struct peer *peer,
                       struct loop_message *first);

#endif
