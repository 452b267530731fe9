/* The keeper: what must outlive a worker, and nothing else. It holds the lanes and pidfds that workers hand over,
 * forks the worker without exec, so that it inherits all, and forks the next one when it ended. Everything of
 * substance happens in the worker; the keeper must have no reason to die.
 *
 *   worker                                         keeper
 *     KEEPER_READY                            ->     start-up is over: from now on a dead worker is replaced
 *     KEEPER_KEEP {lane, whose} + lane, pidfd ->     keeps both, puts them into systemd's store
 *                                             <-     KEEPER_KEPT {number, error}: now the client may be answered
 *     KEEPER_DROP {number}                    ->     closes both
 *
 * over a SOCK_SEQPACKET pair, each message one struct keeper_message.
 *
 * A worker that is ready also counts its heartbeats in memory that it shares with the keeper. When that count did not
 * move at KEEPER_LOOKS looks of the keeper's own, one every two seconds, the worker is held by something, and is
 * killed; also one that was stopped (SIGSTOP, a debugger). A look that came late counts as a heartbeat, for then the
 * keeper itself was stopped, or the whole host was: so whoever stops the worker, to look at it, stops the keeper first.
 */
#ifndef TRIPD_KEEPER_H
#define TRIPD_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "internal/layout.h"
#include "notify.h"

enum keeper_kind { KEEPER_READY = 1, KEEPER_KEEP, KEEPER_KEPT, KEEPER_DROP };

struct keeper_message {
    uint32_t kind;
    uint32_t number; /* of the lane */
    uint64_t lane_id;
    uint32_t uid;
    int32_t pid;
    int32_t error; /* KEPT: 0 or -errno */
    uint32_t reserved;
};

struct keeper_lane {
    uint64_t lane_id;
    uint32_t number; /* its place; 0: the place is empty */
    uid_t uid;
    pid_t pid;
    int fd;
    int pidfd;
    uint32_t deaths; /* workers that crashed while they drained this lane */
};

/* A lane that was being drained at two crashes is set aside: it moves to a place above all lanes' numbers. There a
 * worker finds it and leaves it alone, until its process is gone. */
#define KEEPER_DEATHS_MAX 2
#define KEEPER_ASIDE      16

#define KEEPER_LOOK_NS UINT64_C(2000000000)
#define KEEPER_LOOKS   5

/* Returns what to do about -EMFILE and -EFBIG, as the end of a message; "" for other errors. */
const char *keeper_mend(int error);

/* What the keeper gives to a new worker. */
struct keeper_birth {
    int socket; /* to the keeper */
    pid_t keeper;
    /* By number: places 1 to LANES_MAX; then KEEPER_ASIDE places for lanes that are set aside. */
    const struct keeper_lane *lanes;
    bool again; /* it is not this keeper's first worker */
    /* Shared with the keeper: the number of the lane that is being drained, 0: none; and the count of heartbeats. */
    uint32_t *draining;
    uint32_t *beats;
};

/* Runs in the worker's process and returns its exit status: 0 after a stop; otherwise it could not start. */
typedef int keeper_work_fn(void *context, const struct keeper_birth *birth);

struct keeper_options {
    const struct notify *notify;
    /* Descriptors from systemd's store: the keeper takes lanes (fd = -1) and leaves the others. */
    struct notify_fd *inherited;
    size_t inherited_count;
    keeper_work_fn *work;
    void *context;
    uint64_t look_ns; /* time between looks at the worker's heartbeats: KEEPER_LOOK_NS, except in tests */
};

/* Keeps workers running until SIGTERM or SIGINT, which it passes on to the worker (as it does SIGHUP), has ended the
 * worker. Returns tripd's exit status: 0 after a clean stop; 1 if the first worker could not start, which the worker
 * has explained. */
int keeper_run(const struct keeper_options *options);

#endif
