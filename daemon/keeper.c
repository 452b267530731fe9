#include "keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/descriptors.h"
#include "internal/ticks.h"
#include "log.h"

#define MS              UINT64_C(1000000)
#define BACKOFF_FIRST   (50 * MS)
#define BACKOFF_MAX     (10000 * MS)
#define LIVED_WELL      (1000 * MS) /* a worker that lived this long did not die of starting */
#define SEND_TIMEOUT_US 900000
#define STOP_PATIENCE   (20000 * MS) /* a worker that should end, and has not by then, is killed */

/* Memory that worker and keeper share. It is not the segment: the owner of that file can truncate it, and the keeper
 * must not die of that. */
struct shared {
    uint32_t draining, beats;
};

struct keeper {
    const struct keeper_options *options;
    struct keeper_lane *lanes; /* by number; place 0 is unused */
    struct shared *shared;
    int signals;
    int socket;        /* to the worker; -1: no worker runs */
    pid_t worker;      /* 0: no worker runs */
    bool worker_ready; /* this worker is ready */
    bool ever_ready;   /* a worker was ready once */
    bool stopping;     /* SIGTERM or SIGINT came */
    bool last;         /* the running worker is the last one, however it ends */
    uint64_t deadline; /* CLOCK_MONOTONIC time of the next start, or of the end of patience; 0: neither is due */
    uint64_t started;  /* when the worker was forked */
    uint64_t backoff;  /* how long the start after the next death is delayed */
    uint64_t look;     /* CLOCK_MONOTONIC time of the next look at the worker; 0: it is not ready */
    uint32_t beats;    /* the worker's heartbeats at the last look */
    unsigned still;    /* looks in a row at which the heartbeats had not moved */
    bool ended;
    int status;
};

const char *keeper_mend(int error)
{
    if (error == -EFBIG)
        return "; raise LimitFSIZE= in tripd's unit or `ulimit -f`";
    return error == -EMFILE ? "; raise LimitNOFILE= in tripd's unit or `ulimit -n`" : "";
}

/* ------------------------------------------------------------------------------------------------------------ lanes */

#define PLACES (LANES_MAX + 1 + KEEPER_ASIDE) /* with place 0, which is unused */

static struct keeper_lane *lane_at(struct keeper *keeper, uint32_t number)
{
    return number >= 1 && number < PLACES ? &keeper->lanes[number] : NULL;
}

/* Makes names for systemd's store, which tell the next keeper all that it must know about a lane. */
static void lane_names(const struct keeper_lane *lane, char lane_name[NOTIFY_NAME_MAX + 1],
                       char owner_name[NOTIFY_NAME_MAX + 1])
{
    snprintf(lane_name, NOTIFY_NAME_MAX + 1, "lane.%u.%u.%d.%016" PRIx64, lane->number, (unsigned)lane->uid,
             (int)lane->pid, lane->lane_id);
    snprintf(owner_name, NOTIFY_NAME_MAX + 1, "owner.%u", lane->number);
}

static void lane_store(const struct keeper *keeper, const struct keeper_lane *lane)
{
    char lane_name[NOTIFY_NAME_MAX + 1], owner_name[NOTIFY_NAME_MAX + 1];
    lane_names(lane, lane_name, owner_name);
    notify_store(keeper->options->notify, lane_name, lane->fd, true);
    notify_store(keeper->options->notify, owner_name, lane->pidfd, false);
}

static void lane_unstore(const struct keeper *keeper, const struct keeper_lane *lane)
{
    char lane_name[NOTIFY_NAME_MAX + 1], owner_name[NOTIFY_NAME_MAX + 1];
    lane_names(lane, lane_name, owner_name);
    notify_unstore(keeper->options->notify, lane_name);
    notify_unstore(keeper->options->notify, owner_name);
}

static void lane_drop(struct keeper *keeper, struct keeper_lane *lane)
{
    if (lane->number == 0)
        return;
    lane_unstore(keeper, lane);
    close(lane->fd);
    close(lane->pidfd);
    *lane = (struct keeper_lane){0};
}

/* Keeps a lane. Takes both descriptors. */
static void lane_put(struct keeper *keeper, const struct keeper_lane *lane)
{
    struct keeper_lane *place = &keeper->lanes[lane->number];
    lane_drop(keeper, place); /* the worker reused the number, so its last lane is gone */
    *place = *lane;
}

static void lane_set_aside(struct keeper *keeper, struct keeper_lane *lane)
{
    uint32_t number = LANES_MAX + 1;
    while (number < PLACES && keeper->lanes[number].number != 0)
        number++;
    if (number == PLACES) {
        lane_drop(keeper, lane);
        return;
    }
    struct keeper_lane *place = &keeper->lanes[number];
    lane_unstore(keeper, lane);
    *place = *lane;
    place->number = number;
    *lane = (struct keeper_lane){0};
    lane_store(keeper, place);
}

/* Returns the pidfd that the store holds beside this lane. NULL: there is none. */
static struct notify_fd *inherited_owner(const struct keeper_options *options, uint32_t number)
{
    char name[NOTIFY_NAME_MAX + 1];
    snprintf(name, sizeof(name), "owner.%u", number);
    for (size_t i = 0; i < options->inherited_count; i++)
        if (options->inherited[i].fd >= 0 && strcmp(options->inherited[i].name, name) == 0)
            return &options->inherited[i];
    return NULL;
}

static void inherit_lane(struct keeper *keeper, struct notify_fd *stored)
{
    unsigned number, uid;
    int pid;
    struct keeper_lane lane = {.fd = stored->fd};
    if (stored->fd < 0 || sscanf(stored->name, "lane.%u.%u.%d.%" SCNx64, &number, &uid, &pid, &lane.lane_id) != 4)
        return;
    struct notify_fd *owner = inherited_owner(keeper->options, number);
    lane.number = number;
    lane.uid = uid;
    lane.pid = pid;
    lane.pidfd = owner ? owner->fd : -1;
    if (!owner || !lane_at(keeper, number)) {
        log_warning("%s came out of systemd's store without its owner's pidfd: left alone; its client attaches again",
                    stored->name);
        return;
    }
    lane_put(keeper, &lane);
    stored->fd = owner->fd = -1;
}

static void inherit_lanes(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->options->inherited_count; i++)
        inherit_lane(keeper, &keeper->options->inherited[i]);
}

static void worker_kill(const struct keeper *keeper)
{
    if (keeper->worker > 0) /* it is not reaped yet, so the number is still its own */
        kill(keeper->worker, SIGKILL);
}

/* --------------------------------------------------------------------------------- is the worker held by something? */

static uint32_t beats_of(const struct keeper *keeper)
{
    return __atomic_load_n(&keeper->shared->beats, __ATOMIC_RELAXED); /* only a count: no data depends on it */
}

static void begin_looking(struct keeper *keeper)
{
    keeper->look = monotonic_ns() + keeper->options->look_ns;
    keeper->beats = beats_of(keeper);
    keeper->still = 0;
}

static void look(struct keeper *keeper, uint64_t now)
{
    const bool late = now - keeper->look >= keeper->options->look_ns; /* then the keeper itself was stopped */
    const uint32_t beats = beats_of(keeper);
    keeper->still = late || beats != keeper->beats ? 0 : keeper->still + 1;
    keeper->beats = beats;
    keeper->look = now + keeper->options->look_ns;
    if (keeper->still < KEEPER_LOOKS)
        return;
    log_error("worker %d has not moved at %d looks, one every two seconds: it is killed and started again",
              (int)keeper->worker, KEEPER_LOOKS);
    keeper->look = 0;
    worker_kill(keeper);
}

/* ----------------------------------------------------------------------------------------- messages from the worker */

static void answer_kept(struct keeper *keeper, const struct keeper_message *asked, int error)
{
    const struct keeper_message kept = {
        .kind = KEEPER_KEPT, .number = asked->number, .lane_id = asked->lane_id, .error = error};
    if (keeper->worker > 0 && send(keeper->socket, &kept, sizeof(kept), MSG_NOSIGNAL) != sizeof(kept)) {
        log_error("the worker does not take answers: %s; it is killed and started again", strerror(errno));
        worker_kill(keeper);
    }
}

static int keep(struct keeper *keeper, const struct keeper_lane *lane, int fds[2], size_t fd_count)
{
    if (fd_count != 2) /* they found no room in the keeper's table */
        return -EMFILE;
    if (lane->number < 1 || lane->number > LANES_MAX)
        return -ERANGE;
    lane_put(keeper, lane);
    lane_store(keeper, lane);
    fds[0] = fds[1] = -1;
    return 0;
}

static void take_message(struct keeper *keeper, const struct keeper_message *message, int fds[2], size_t fd_count)
{
    const struct keeper_lane lane = {.lane_id = message->lane_id,
                                     .number = message->number,
                                     .uid = message->uid,
                                     .pid = message->pid,
                                     .fd = fds[0],
                                     .pidfd = fds[1]};
    switch (message->kind) {
    case KEEPER_READY:
        keeper->worker_ready = keeper->ever_ready = true;
        begin_looking(keeper);
        break;
    case KEEPER_KEEP:
        answer_kept(keeper, message, keep(keeper, &lane, fds, fd_count));
        break;
    case KEEPER_DROP:
        if (lane_at(keeper, message->number))
            lane_drop(keeper, lane_at(keeper, message->number));
        break;
    default:
        break;
    }
}

static void receive(struct keeper *keeper)
{
    struct keeper_message message;
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    int fds[2] = {-1, -1};
    struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    const ssize_t size = recvmsg(keeper->socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) { /* the worker hung up: it is ending */
        close(keeper->socket);
        keeper->socket = -1;
        if (keeper->worker > 0 && keeper->deadline == 0)
            keeper->deadline = monotonic_ns() + STOP_PATIENCE;
        return;
    }
    const size_t fd_count = descriptors_take(&header, fds, 2);
    if (size == sizeof(message) && !(header.msg_flags & MSG_TRUNC))
        take_message(keeper, &message, fds, fd_count);
    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* ------------------------------------------------------------------------------------------------ the worker's life */

static void become_worker(struct keeper *keeper, pid_t parent, int socket)
{
    /* The worker dies with the keeper, even if the keeper died before this call, which getppid tells. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    prctl(PR_SET_NAME, "tripd-worker");
    close(keeper->signals);
    const struct keeper_birth birth = {.socket = socket,
                                       .keeper = parent,
                                       .lanes = keeper->lanes,
                                       .again = keeper->ever_ready,
                                       .draining = &keeper->shared->draining,
                                       .beats = &keeper->shared->beats};
    const int status = keeper->options->work(keeper->options->context, &birth);
    free(keeper->lanes);
    exit(status);
}

static int worker_fork(struct keeper *keeper)
{
    const struct timeval patience = {.tv_usec = SEND_TIMEOUT_US};
    const pid_t parent = getpid();
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    keeper->shared->draining = 0;
    const pid_t pid = fork();
    if (pid < 0) {
        const int error = -errno;
        close(pair[0]);
        close(pair[1]);
        return error;
    }
    if (pid == 0) {
        close(pair[0]);
        become_worker(keeper, parent, pair[1]);
    }
    close(pair[1]);
    keeper->socket = pair[0];
    keeper->worker = pid;
    keeper->worker_ready = false;
    keeper->look = 0;
    keeper->started = monotonic_ns();
    keeper->deadline = 0;
    return 0;
}

static void schedule_start(struct keeper *keeper)
{
    keeper->deadline = monotonic_ns() + keeper->backoff;
    keeper->backoff = keeper->backoff == 0 ? BACKOFF_FIRST : keeper->backoff * 2;
    if (keeper->backoff > BACKOFF_MAX)
        keeper->backoff = BACKOFF_MAX;
}

static void end(struct keeper *keeper, int status)
{
    keeper->ended = true;
    keeper->status = status;
}

static void worker_start(struct keeper *keeper)
{
    const int error = worker_fork(keeper);
    if (error < 0) {
        log_error("cannot fork a worker: %s%s", strerror(-error), keeper_mend(error));
        if (keeper->stopping || !keeper->ever_ready)
            end(keeper, 1);
        else
            schedule_start(keeper);
        return;
    }
    if (keeper->stopping) { /* this last worker adopts, drains, and marks the stop as a clean one */
        keeper->last = true;
        kill(keeper->worker, SIGTERM);
        keeper->deadline = monotonic_ns() + STOP_PATIENCE;
    }
}

/* Blames a lane that was being drained when the worker crashed, for it may have caused the crash. A worker killed from
 * outside blames none. */
static void blame(struct keeper *keeper, int status)
{
    struct keeper_lane *lane = lane_at(keeper, keeper->shared->draining);
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const bool crash = signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGILL ||
                       signal == SIGFPE || signal == SIGTRAP || signal == SIGSYS;
    if (!crash || !lane || lane->number == 0)
        return;
    lane->deaths++;
    if (lane->deaths < KEEPER_DEATHS_MAX || lane->number > LANES_MAX)
        return;
    log_error(
        "lane %u of process %d (user %u) was being drained at %u crashes of the worker: it is set aside, and what "
        "that process reports is no longer counted; restart that process, and report this as a bug",
        lane->number, (int)lane->pid, (unsigned)lane->uid, lane->deaths);
    lane_set_aside(keeper, lane);
}

static void say_death(pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        log_warning("worker %d was killed by signal %d (%s)", (int)pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        log_warning("worker %d ended with status %d", (int)pid, WEXITSTATUS(status));
}

/* Handles the end of a worker, which is reaped already. The messages that it sent before come first, so that no lane
 * that it kept is lost, and none that it dropped stays. */
static void worker_died(struct keeper *keeper, int status)
{
    const pid_t pid = keeper->worker;
    keeper->worker = 0;
    while (keeper->socket >= 0 && recv(keeper->socket, NULL, 0, MSG_PEEK | MSG_DONTWAIT) >= 0)
        receive(keeper);
    const bool stopped = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const bool failed_start = WIFEXITED(status) && !stopped && !keeper->ever_ready;
    if (keeper->socket >= 0)
        close(keeper->socket);
    keeper->socket = -1;
    if (!stopped && !failed_start)
        say_death(pid, status);
    blame(keeper, status);
    if (keeper->worker_ready && monotonic_ns() - keeper->started >= LIVED_WELL)
        keeper->backoff = 0;
    if (stopped || failed_start || keeper->last)
        end(keeper, stopped ? 0 : 1);
    else if (keeper->stopping)
        worker_start(keeper);
    else
        schedule_start(keeper);
}

static void reap(struct keeper *keeper)
{
    int status;
    pid_t pid;
    /* any child: as the first process of a container tripd gets children of others, too */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == keeper->worker)
            worker_died(keeper, status);
}

/* ---------------------------------------------------------------------------------------------------------- signals */

static void stop(struct keeper *keeper)
{
    if (keeper->stopping)
        return;
    keeper->stopping = true;
    notify_send(keeper->options->notify, "STOPPING=1");
    if (keeper->worker == 0) {
        worker_start(keeper);
        return;
    }
    kill(keeper->worker, SIGTERM);
    keeper->deadline = monotonic_ns() + STOP_PATIENCE;
}

static void take_signal(struct keeper *keeper)
{
    struct signalfd_siginfo signal;
    if (read(keeper->signals, &signal, sizeof(signal)) != sizeof(signal))
        return;
    if (signal.ssi_signo == SIGCHLD)
        reap(keeper);
    else if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT)
        stop(keeper);
    else if (signal.ssi_signo == SIGHUP && keeper->worker > 0)
        kill(keeper->worker, SIGHUP);
}

static int block_signals(int *ret_fd)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    /* The signals stay blocked in the worker, whose loop takes them the same way: none is lost between fork and loop.
     */
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    const int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- the loop */

static void deadline_passed(struct keeper *keeper)
{
    keeper->deadline = 0;
    if (keeper->worker == 0) {
        worker_start(keeper);
    } else {
        log_error("worker %d did not end within %d s: killed", (int)keeper->worker, (int)(STOP_PATIENCE / (1000 * MS)));
        keeper->last = keeper->stopping;
        worker_kill(keeper);
    }
}

/* Returns the next start's or stop's deadline or the next look, whichever is first; 0: neither is due. */
static uint64_t next_due(const struct keeper *keeper)
{
    if (keeper->deadline == 0 || (keeper->look != 0 && keeper->look < keeper->deadline))
        return keeper->look;
    return keeper->deadline;
}

static int timeout_ms(const struct keeper *keeper)
{
    const uint64_t due = next_due(keeper), now = monotonic_ns();
    if (due == 0)
        return -1;
    return now >= due ? 0 : (int)((due - now) / MS + 1);
}

static void pass_time(struct keeper *keeper)
{
    const uint64_t now = monotonic_ns();
    if (keeper->look != 0 && now >= keeper->look)
        look(keeper, now);
    if (keeper->deadline != 0 && now >= keeper->deadline)
        deadline_passed(keeper);
}

static void wait_once(struct keeper *keeper)
{
    struct pollfd fds[2] = {{.fd = keeper->signals, .events = POLLIN}, {.fd = keeper->socket, .events = POLLIN}};
    const int ready = poll(fds, 2, timeout_ms(keeper));
    if (ready > 0 && fds[1].revents)
        receive(keeper);
    if (ready > 0 && fds[0].revents)
        take_signal(keeper);
    pass_time(keeper);
}

static int set_up(struct keeper *keeper)
{
    keeper->lanes = calloc(PLACES, sizeof(*keeper->lanes));
    keeper->shared = mmap(NULL, sizeof(*keeper->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!keeper->lanes || keeper->shared == MAP_FAILED)
        return -ENOMEM;
    return block_signals(&keeper->signals);
}

static void tear_down(struct keeper *keeper)
{
    for (size_t i = 1; keeper->lanes && i < PLACES; i++)
        if (keeper->lanes[i].number != 0) { /* systemd's store goes on holding them */
            close(keeper->lanes[i].fd);
            close(keeper->lanes[i].pidfd);
        }
    free(keeper->lanes);
    if (keeper->shared != MAP_FAILED)
        munmap(keeper->shared, sizeof(*keeper->shared));
    if (keeper->signals >= 0)
        close(keeper->signals);
}

int keeper_run(const struct keeper_options *options)
{
    struct keeper keeper = {.options = options, .signals = -1, .socket = -1, .shared = MAP_FAILED, .status = 1};
    const int error = set_up(&keeper);
    if (error < 0) {
        log_error("cannot set up the keeper: %s%s", strerror(-error), keeper_mend(error));
    } else {
        inherit_lanes(&keeper);
        worker_start(&keeper);
        while (!keeper.ended)
            wait_once(&keeper);
    }
    tear_down(&keeper);
    return keeper.status;
}
