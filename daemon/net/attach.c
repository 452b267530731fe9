#include "net/attach.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/wire.h"
#include "log.h"
#include "net/cancels.h"

enum session_state {
    SESSION_NEW,      /* may say hello */
    SESSION_GREETED,  /* may attach and resolve */
    SESSION_KEEPING,  /* its lane is on its way to the keeper */
    SESSION_ATTACHED, /* may resolve */
    SESSION_REFUSED,  /* may read why, and hang up */
    SESSION_OVER,     /* refused, and there was one look since */
};

struct session {
    struct attach *attach;
    struct loop_connection *connection;
    struct peer peer;
    enum session_state state;
    struct client *client;  /* in KEEPING and ATTACHED */
    int watch;              /* our end of the socket that the process polls for breakers that move; -1: none */
    struct cancel *cancels; /* the timers by which its calls in flight are cut short */
    struct session *next, **previous;
};

struct attach {
    struct attach_options options;
    struct session *sessions;
    struct cancels *cancels;
    struct loop_timer *wake;                              /* armed while processes are to be woken */
    uint64_t moved[LANE_BREAKERS / 64];                   /* a bit a breaker that moved since */
    bool told_names, told_quota, told_lanes, told_memory; /* the log has said that it is full */
};

/* --------------------------------------------------------------------------------------------------------- sessions */

static void unwatch(struct session *session)
{
    if (session->watch < 0)
        return;
    close(session->watch);
    session->watch = -1;
}

static void session_close(struct session *session)
{
    *session->previous = session->next;
    if (session->next)
        session->next->previous = session->previous;
    if (session->client)
        client_hung_up(session->client);
    unwatch(session);
    cancels_drop(&session->cancels);
    loop_connection_close(session->connection);
    free(session);
}

static int session_new(struct attach *attach, struct loop_connection *connection, const struct peer *peer,
                       struct session **ret_session)
{
    struct session *session = malloc(sizeof(*session));
    if (!session)
        return -ENOMEM;
    *session = (struct session){.attach = attach,
                                .watch = -1,
                                .connection = connection,
                                .peer = *peer,
                                .next = attach->sessions,
                                .previous = &attach->sessions};
    if (session->next)
        session->next->previous = &session->next;
    attach->sessions = session;
    *ret_session = session;
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- answers */

/* Each of these functions returns 0, or the -errno for which the connection has to end. A peer that is gone reads no
 * answer, but what it sent before it went still arrives and counts. */

static int answer(struct session *session, const void *packet, size_t size, const int *fds, size_t fd_count)
{
    const int error = loop_connection_send(session->connection, packet, size, fds, fd_count);
    return error == -EPIPE || error == -ECONNRESET ? 0 : error;
}

static struct wire_head head_of(enum wire_kind kind)
{
    return (struct wire_head){.magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = (uint16_t)kind};
}

_Static_assert(sizeof(((struct refusal *)0)->why) == sizeof(((struct wire_refused *)0)->why),
               "a reason has outgrown its place");

static int refuse(struct session *session, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(struct session *session, int error, const char *format, ...)
{
    struct wire_refused refused = {.head = head_of(WIRE_REFUSED), .error = error, .digest = layout_digest()};
    struct refusal refusal = {.uid = session->peer.uid, .pid = session->peer.pid, .error = error};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refused.why, sizeof(refused.why), format, arguments);
    va_end(arguments);
    memcpy(refusal.why, refused.why, sizeof(refusal.why));
    segment_refused(session->attach->options.segment);
    if (refusals_add(session->attach->options.refusals, &refusal, monotonic_ns(), realtime_ms()))
        log_warning("a process of uid %u does not take part (pid %d): %s", (unsigned)session->peer.uid,
                    (int)session->peer.pid, refused.why);
    return answer(session, &refused, sizeof(refused), NULL, 0);
}

static int welcome(struct session *session)
{
    const struct attach_options *options = &session->attach->options;
    const struct wire_welcome packet = {
        .head = head_of(WIRE_WELCOME),
        .segment_id = options->segment->header->segment_id,
        .segment_size = options->segment->size,
        .commons_id = options->commons->commons_id,
        .commons_size = options->commons->size,
        .commons_number = options->segment->header->commons_number,
        .slots = options->commons->slots,
        .wants_pidfd = !options->peer_pidfds,
        .monotonic_ns = monotonic_ns(),
        .time_namespace = options->time_namespace,
    };
    const int fds[] = {options->segment->read_only_fd, options->commons->fd};
    return answer(session, &packet, sizeof(packet), fds, 2);
}

static int answer_attached(struct session *session)
{
    const struct wire_attached packet = {.head = head_of(WIRE_ATTACHED), .lane = client_number(session->client)};
    session->state = SESSION_ATTACHED;
    return answer(session, &packet, sizeof(packet), NULL, 0);
}

/* --------------------------------------------------------- what is full is said once: how often, the segment counts */

static void say_no_lane(struct attach *attach, int error, uid_t uid)
{
    bool *told = error == -EMFILE ? &attach->told_lanes : &attach->told_memory;
    segment_refused_lane(attach->options.segment, error);
    if (*told)
        return;
    *told = true;
    if (error == -EMFILE)
        log_warning("limits.max_lanes is used up: %u processes are attached, and what others report is not counted; "
                    "raise it, and reload the config",
                    attach->options.segment->header->max_lanes);
    else
        log_warning("limits.lane_memory_per_user is used up by processes of uid %u, and what further ones report is "
                    "not counted; raise it, and reload the config",
                    (unsigned)uid);
}

static void say_no_place(struct session *session, const char *name, int error)
{
    struct attach *const attach = session->attach;
    bool *told = error == -EDQUOT ? &attach->told_quota : &attach->told_names;
    if (*told)
        return;
    *told = true;
    if (error == -EDQUOT)
        log_warning(
            "limits.breakers_per_user is used up by names that processes of uid %u asked for: they get no more until "
            "one is idle, and calls of \"%s\" are admitted and not counted; raise it, and reload the config",
            (unsigned)session->peer.uid, name);
    else if (error == -ENOSPC)
        log_warning("limits.max_breakers is used up: %u breakers are there, and \"%s\" does not fit, so its calls are "
                    "admitted and not counted; raise it, and reload the config",
                    attach->options.segment->used_count, name);
    else
        log_warning("there is no memory for more than the %u breakers that are there, so calls of \"%s\" are admitted "
                    "and not counted: enlarge the file system of the state segment, or give tripd more memory",
                    attach->options.segment->used_count, name);
}

/* ------------------------------------------------------------------------------------------------------------ hello */

static bool may_report(const struct session *session)
{
    const struct peer *peer = &session->peer;
    return config_allows(session->attach->options.config, CONFIG_REPORT, peer->uid, peer->groups, peer->group_count);
}

static int take_hello(struct session *session, const struct wire_hello *hello)
{
    if (session->state != SESSION_NEW)
        return -EPROTO;
    session->state = SESSION_REFUSED;
    if (hello->head.version != WIRE_VERSION || hello->digest != layout_digest())
        return refuse(session, -EPROTO,
                      "layout differs: libtrip %.*s lays out shared memory as %016" PRIx64
                      ", this tripd %d.%d.%d as %016" PRIx64 ": install the same version of both",
                      (int)sizeof(hello->library), hello->library, hello->digest, TRIP_VERSION_MAJOR,
                      TRIP_VERSION_MINOR, TRIP_VERSION_PATCH, layout_digest());
    if (!may_report(session))
        return refuse(session, -EACCES,
                      "uid %u lacks the role report: add its user or one of its groups to access.report in tripd's "
                      "config file, or it to the group tripd, then reload tripd and start the program again",
                      (unsigned)session->peer.uid);
    session->state = SESSION_GREETED;
    return welcome(session);
}

/* ----------------------------------------------------------------------------------------------------------- attach */

static void lane_kept(void *context, int error)
{
    struct session *session = context;
    if (error == 0) {
        if (answer_attached(session) < 0)
            session_close(session);
        return;
    }
    session->client = NULL;
    session->state = SESSION_GREETED;
    if (refuse(session, error, "tripd's keeper cannot hold one more lane: %s; raise LimitNOFILE= in tripd's unit",
               strerror(-error)) < 0)
        session_close(session);
}

/* Ends the session of a client that died. A forked child may still hold the socket, but nobody may speak for the client
 * any more. */
static void client_gone(void *context)
{
    struct session *session = context;
    session->client = NULL;
    session_close(session);
}

static const struct client_events client_events = {.kept = lane_kept, .gone = client_gone};

/* Finds a pidfd of the process that connected: the kernel's, or if it has none the packet's, once the kernel confirms
 * it. */
static int find_pidfd(const struct session *session, struct loop_message *message)
{
    int pidfd;
    if (session->attach->options.peer_pidfds) {
        const int error = peer_pidfd(loop_connection_fd(session->connection), &pidfd);
        return error < 0 ? error : pidfd;
    }
    if (message->fd_count < 2)
        return -EBADMSG;
    const int error = peer_pidfd_check(message->fds[1], session->peer.pid);
    if (error < 0)
        return error;
    pidfd = message->fds[1];
    message->fds[1] = -1;
    return pidfd;
}

/* Takes the lane of a process that ended before tripd came to it. */
static int take_dead(struct session *session, const struct wire_attach *request, struct loop_message *message)
{
    const char *why = NULL;
    const int fd = message->fds[0];
    message->fds[0] = -1;
    const int error = clients_attach_dead(session->attach->options.clients, fd, &session->peer, request->lane_id, &why);
    return error == 0 ? 0 : refuse(session, error, "%s", why);
}

static int take_attach(struct session *session, const struct wire_attach *request, struct loop_message *message)
{
    const char *why = NULL;
    if (session->state != SESSION_GREETED || message->fd_count < 1)
        return -EPROTO;
    const int pidfd = find_pidfd(session, message);
    if (pidfd == -ESRCH)
        return take_dead(session, request, message);
    if (pidfd < 0)
        return refuse(session, pidfd, "process %d cannot be watched: %s", (int)session->peer.pid, strerror(-pidfd));
    const int fd = message->fds[0];
    message->fds[0] = -1;
    session->state = SESSION_KEEPING;
    const int error = clients_attach(session->attach->options.clients, fd, pidfd, &session->peer, request->lane_id,
                                     &client_events, session, &session->client, &why);
    if (error == 0)
        return 0;
    session->state = SESSION_GREETED;
    if (error == -EMFILE || error == -EDQUOT)
        say_no_lane(session->attach, error, session->peer.uid);
    return refuse(session, error, "%s", why);
}

/* ---------------------------------------------------------------------------------------------------------- resolve */

static bool may_ask(const struct session *session)
{
    return session->state == SESSION_GREETED || session->state == SESSION_KEEPING || session->state == SESSION_ATTACHED;
}

static int take_resolve(struct session *session, const struct wire_resolve *request)
{
    const struct attach_options *options = &session->attach->options;
    struct wire_resolved resolved = {.head = head_of(WIRE_RESOLVED), .serial = request->serial, .error = -EINVAL};
    uint32_t slot;
    if (!may_ask(session))
        return -EPROTO;
    if (memchr(request->name, '\0', sizeof(request->name)))
        resolved.error = breakers_resolve(options->breakers, session->peer.uid, request->name, &slot);
    if (resolved.error < 0 && resolved.error != -EINVAL) {
        say_no_place(session, request->name, resolved.error);
        resolved.error = -ENOSPC; /* whatever was used up */
    }
    if (resolved.error == 0) {
        resolved.breaker = slot;
        resolved.incarnation = segment_incarnation(options->segment, slot);
    }
    return answer(session, &resolved, sizeof(resolved), NULL, 0);
}

/* --------------------------------------------------------------------------------------------------------- openings */

static int take_openings(struct session *session, const struct wire_openings *packet)
{
    if (!may_ask(session) || packet->count > WIRE_OPENINGS_MAX)
        return -EPROTO;
    for (uint32_t i = 0; i < packet->count; i++)
        breakers_opened_before(session->attach->options.breakers, packet->openings[i].breaker, packet->openings[i].word,
                               packet->commons_number);
    const struct wire_head taken = head_of(WIRE_TAKEN);
    return answer(session, &taken, sizeof(taken), NULL, 0);
}

/* ---------------------------------------------------------------------------------------------------- who is woken */

/* A byte makes the socket readable. Where no more bytes fit it is readable already, and a peer that has closed its end
 * wants none. */
static void wake(const struct session *session)
{
    (void)send(session->watch, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The process is woken at once, for breakers may have moved before. */
static int take_watch(struct session *session)
{
    const struct wire_head watched = head_of(WIRE_WATCHED);
    int ends[2];
    if (session->state != SESSION_ATTACHED)
        return -EPROTO;
    unwatch(session); /* it has lost the one of before */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){0}, sizeof(int)); /* the least: a byte says all */
    session->watch = ends[0];
    wake(session);
    const int error = answer(session, &watched, sizeof(watched), &ends[1], 1);
    close(ends[1]);
    return error;
}

void attach_moved(struct attach *attach, uint32_t slot)
{
    attach->moved[slot / 64 % (LANE_BREAKERS / 64)] |= UINT64_C(1) << slot % 64;
    loop_timer_arm(attach->wake, monotonic_ns());
}

static void look_at_cancels(struct attach *attach)
{
    for (uint32_t group = 0; group < LANE_BREAKERS / 64; group++)
        for (uint64_t bits = attach->moved[group]; bits; bits &= bits - 1)
            cancels_look(attach->cancels, group * 64 + (uint32_t)__builtin_ctzll(bits));
}

static void wake_all(void *context, struct loop_timer *timer)
{
    struct attach *attach = context;
    (void)timer;
    look_at_cancels(attach); /* first: a call that is cut short frees a worker */
    for (const struct session *session = attach->sessions; session; session = session->next)
        if (session->watch >= 0 && session->client && client_uses_any(session->client, attach->moved))
            wake(session);
    memset(attach->moved, 0, sizeof(attach->moved));
}

void attach_admits(struct attach *attach, uint32_t slot)
{
    cancels_silence(attach->cancels, slot);
}

void attach_away(struct attach *attach)
{
    cancels_silence_all(attach->cancels);
}

void attach_back(struct attach *attach)
{
    cancels_look_all(attach->cancels);
}

static int take_cancel(struct session *session, const struct wire_cancel *request)
{
    struct wire_cancels answered = {
        .head = head_of(WIRE_CANCELS), .breaker = request->breaker, .incarnation = request->incarnation};
    int fd = -1;
    if (session->state != SESSION_ATTACHED)
        return -EPROTO;
    answered.error = cancels_add(session->attach->cancels, session->peer.uid, request->breaker, request->incarnation,
                                 &session->cancels, &fd);
    return answer(session, &answered, sizeof(answered), &fd, answered.error == 0);
}

/* ---------------------------------------------------------------------------------------------------------- packets */

/* Handles a packet. -errno: it may not come now. */
static int take_packet(struct session *session, struct loop_message *message)
{
    union {
        struct wire_head head;
        struct wire_hello hello;
        struct wire_attach attach;
        struct wire_resolve resolve;
        struct wire_openings openings;
        struct wire_cancel cancel;
    } packet;
    if (message->size < sizeof(packet.head) || message->size > sizeof(packet))
        return -EPROTO;
    memcpy(&packet, message->data, message->size);
    if (packet.head.magic != WIRE_MAGIC)
        return -EPROTO;
    if (packet.head.kind == WIRE_HELLO && message->size == sizeof(packet.hello))
        return take_hello(session, &packet.hello);
    if (packet.head.version != WIRE_VERSION)
        return -EPROTO;
    if (packet.head.kind == WIRE_ATTACH && message->size == sizeof(packet.attach))
        return take_attach(session, &packet.attach, message);
    if (packet.head.kind == WIRE_RESOLVE && message->size == sizeof(packet.resolve))
        return take_resolve(session, &packet.resolve);
    if (packet.head.kind == WIRE_OPENINGS && message->size == sizeof(packet.openings))
        return take_openings(session, &packet.openings);
    if (packet.head.kind == WIRE_WATCH && message->size == sizeof(packet.head))
        return take_watch(session);
    if (packet.head.kind == WIRE_CANCEL && message->size == sizeof(packet.cancel))
        return take_cancel(session, &packet.cancel);
    return -EPROTO;
}

static void received(void *context, struct loop_connection *connection, struct loop_message *message)
{
    (void)connection;
    if (take_packet(context, message) < 0)
        session_close(context);
}

static void hung_up(void *context, struct loop_connection *connection, int error)
{
    (void)connection;
    (void)error;
    session_close(context);
}

void attach_connected(struct attach *attach, struct loop_connection *connection, const struct peer *peer,
                      struct loop_message *first)
{
    struct session *session;
    if (session_new(attach, connection, peer, &session) < 0) {
        loop_connection_close(connection);
        return;
    }
    loop_connection_start(connection, received, hung_up, session);
    received(session, connection, first);
}

void attach_look(struct attach *attach)
{
    struct session *next;
    for (struct session *session = attach->sessions; session; session = next) {
        next = session->next;
        if (session->state == SESSION_OVER)
            session_close(session);
        else if (session->state == SESSION_REFUSED)
            session->state = SESSION_OVER;
    }
}

/* -------------------------------------------------------------------------------------------------------- the whole */

int attach_new(const struct attach_options *options, struct attach **ret_attach)
{
    struct attach *attach = calloc(1, sizeof(*attach));
    if (!attach)
        return -ENOMEM;
    attach->options = *options;
    int error = cancels_new(options->breakers, options->segment, &attach->cancels);
    if (error == 0)
        error = loop_timer_new(options->loop, wake_all, attach, &attach->wake);
    if (error < 0) {
        cancels_free(attach->cancels);
        free(attach);
        return error;
    }
    cancels_share(attach->cancels, options->share_of_cancels);
    *ret_attach = attach;
    return 0;
}

struct attach *attach_free(struct attach *attach)
{
    if (!attach)
        return NULL;
    while (attach->sessions)
        session_close(attach->sessions);
    cancels_free(attach->cancels);
    loop_timer_free(attach->wake);
    free(attach);
    return NULL;
}

void attach_reconfigure(struct attach *attach, const struct config *config, uint32_t share_of_cancels)
{
    attach->options.config = config;
    cancels_share(attach->cancels, share_of_cancels);
    attach->told_names = attach->told_quota = attach->told_lanes = attach->told_memory = false;
}
