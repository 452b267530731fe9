/* The conversation with tripd: internal/wire.h, in steps that never block.
 *
 * A process that tripd knows already (its worker started again, or it forked) sends HELLO and its lane at once: what
 * its threads counted meanwhile stands in the lane. A first attach learns from WELCOME whose breakers its lane is to
 * count for. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal/descriptors.h"
#include "internal/numbers.h"
#include "internal/wire.h"

#define REFUSED_PAUSE_NS   UINT64_C(1000000000) /* after a refusal, of a connection or of a lane */
#define LANES_REPLACED_MAX 8 /* each keeps its memory until trip_close, for threads may count into it */
#define PACKET_FDS         4
#define WAIT_LEAST_NS      UINT64_C(5000000)
#define CLOCK_EXACT_NS     UINT64_C(20000000) /* of another time namespace: a question and its answer take no longer */

/* ---------------------------------------------------------------------------------------------------------- sending */

static struct wire_head head_of(enum wire_kind kind)
{
    return (struct wire_head){.magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = (uint16_t)kind};
}

static bool send_packet(const struct attach *attach, const void *packet, size_t size, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    descriptors_put(&message, control.bytes, fds, fd_count);
    return sendmsg(attach->socket.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

static bool send_hello(struct trip_client *client)
{
    struct wire_hello hello = {.head = head_of(WIRE_HELLO), .digest = layout_digest()};
    if (client->lane)
        hello.lane_id = client->lane->memory->lane_id;
    snprintf(hello.library, sizeof(hello.library), "%s", trip_version());
    client->attach.state = ATTACH_HELLO;
    client->attach.hello_ns = monotonic_ns();
    return send_packet(&client->attach, &hello, sizeof(hello), NULL, 0);
}

static bool send_lane(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    const struct wire_attach packet = {.head = head_of(WIRE_ATTACH), .lane_id = client->lane->memory->lane_id};
    int fds[2] = {client->lane->memfd.fd, -1};
    if (attach->wants_pidfd)
        fds[1] = descriptor_raise((int)syscall(SYS_pidfd_open, getpid(), 0));
    const bool sent = send_packet(attach, &packet, sizeof(packet), fds, fds[1] >= 0 ? 2 : 1);
    if (fds[1] >= 0)
        close(fds[1]);
    attach->sent_lane = true;
    return sent;
}

bool attach_resolve(struct trip_client *client, struct trip_breaker *breaker)
{
    struct attach *const attach = &client->attach;
    if (attach->state != ATTACH_DONE || !descriptor_valid(&attach->socket))
        return false;
    struct wire_resolve packet = {.head = head_of(WIRE_RESOLVE), .serial = ++attach->resolve_serial};
    memcpy(packet.name, breaker->name, strlen(breaker->name) + 1);
    if (!send_packet(attach, &packet, sizeof(packet), NULL, 0))
        return false;
    breaker->resolve_serial = packet.serial;
    breaker->next_asked = attach->asked;
    attach->asked = breaker;
    return true;
}

/* Asks tripd for a descriptor that tells when breakers have moved, if the host wants one: trip_client_fd. */
static void ask_moves(struct trip_client *client)
{
    const struct wire_head packet = head_of(WIRE_WATCH);
    struct attach *const attach = &client->attach;
    if (attach->state == ATTACH_DONE && attach->taken_lane && client->moves.poll.fd >= 0 && !client->moves.asked)
        client->moves.asked = send_packet(attach, &packet, sizeof(packet), NULL, 0);
}

/* Asks tripd for descriptors that cut calls short, of the breakers whose callers want one: trip_call_fd. */
static void ask_cancels(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    struct cancel *cancel = client->cancels;
    while (attach->state == ATTACH_DONE && attach->taken_lane && (cancel = cancel_unasked(cancel))) {
        const struct binding *const binding = cancel->breaker->binding;
        const struct wire_cancel packet = {
            .head = head_of(WIRE_CANCEL), .breaker = binding->slot, .incarnation = policy_incarnation(binding->plain)};
        if (!send_packet(attach, &packet, sizeof(packet), NULL, 0))
            return; /* the next step asks again */
        cancel_asked(cancel);
    }
}

/* ------------------------------------------------------------------------------------------------------------- lane */

/* Other threads read `refused` without the lock. */
static void set_refused(struct attach *attach, int error)
{
    __atomic_store_n(&attach->refused, error, __ATOMIC_RELAXED);
}

static void set_trouble(struct attach *attach, enum trouble_kind kind, int error)
{
    attach->trouble.kind = kind;
    attach->trouble.error = error;
}

/* due_ns 0: this process waits for no lane, because the lane has its number or will get none. */
static void lane_comes(struct trip_client *client, uint64_t due_ns)
{
    __atomic_store_n(&client->lane_due_ns, due_ns, __ATOMIC_RELAXED);
}

/* Threads find the new lane by its serial, and leave their section of the old one. */
static void use_lane(struct trip_client *client, struct lane *lane)
{
    for (size_t i = 0; i < BREAKER_CHAINS; i++)
        for (const struct trip_breaker *breaker = client->breakers[i]; breaker; breaker = breaker->next)
            if (binding_shared(breaker->binding) && breaker->binding->view == lane->view)
                lane_resolve(lane, breaker->binding->slot);
    lane->older = client->lanes;
    __atomic_store_n(&client->lanes, lane, __ATOMIC_RELEASE);
    __atomic_store_n(&client->lane, lane, __ATOMIC_RELEASE);
    __atomic_store_n(&client->lane_serial, lane->serial, __ATOMIC_RELEASE);
}

/* tripd reads a lane whose memfd the host has closed as long as this process lives; only a tripd that does not know it
 * needs to be sent one. What a process counts before tripd has taken its lane is not lost: it stands there. */
static void need_lane(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    struct lane *lane = client->lane;
    const bool ours = lane && lane->view == client->view && !attach->lane_id_taken;
    if (ours && (descriptor_valid(&lane->memfd) || lane_attached(lane)))
        return;
    const int error = lane_make(client->view, &lane);
    if (error < 0) {
        set_trouble(attach, TROUBLE_LANE, error);
        return;
    }
    use_lane(client, lane);
    attach->lanes_replaced += attach->lane_id_taken;
    attach->lane_id_taken = false;
}

/* ---------------------------------------------------------------------------------------------------------- answers */

static void bind_all(struct trip_client *client)
{
    for (size_t i = 0; i < BREAKER_CHAINS; i++)
        for (struct trip_breaker *breaker = client->breakers[i]; breaker; breaker = breaker->next)
            breaker_bind(breaker);
    features_bind(client);
}

/* -------------------------------------------------------------------------------------------------------- openings */
/* A client tells the tripd that made a new commons which breakers opened in the old one while no tripd served it:
 * internal/succession.h.
 */

static bool send_openings(struct trip_client *client, struct wire_openings *packet)
{
    const bool sent = send_packet(&client->attach, packet, sizeof(*packet), NULL, 0);
    packet->count = 0;
    return sent;
}

/* How many breakers have memory in a commons that another commons has followed. */
static uint32_t slots_of(const struct view *view, const struct commons_view *commons)
{
    const bool next = __atomic_load_n(&view->segment->commons_number, __ATOMIC_ACQUIRE) == commons->number + 1;
    const uint32_t slots = next ? __atomic_load_n(&view->segment->slots_before, __ATOMIC_ACQUIRE) : commons->slots;
    return slots < BREAKERS_MAX ? slots : BREAKERS_MAX;
}

/* Sends the openings of all breakers, also of those that this process never asked for: the process that opened one may
 * be dead by now. Returns how many packets it sent, each of which tripd answers, or -EAGAIN. */
static int hand_over(struct trip_client *client, struct commons_view *commons)
{
    const struct view *const view = client->view;
    struct wire_openings packet = {.head = head_of(WIRE_OPENINGS), .commons_number = commons->number};
    int packets = 0;
    __atomic_store_n(&commons->opened_late, false, __ATOMIC_RELAXED); /* before the words are read */
    const uint32_t slots = slots_of(view, commons);
    for (uint32_t slot = 0; slot < slots; slot++) {
        const uint64_t *const at =
            (const uint64_t *)(const void *)(commons->words.base + (size_t)slot * commons->words.stride);
        const uint64_t word = __atomic_load_n(at, __ATOMIC_SEQ_CST);
        if (word_state(word) == WORD_OPEN && word_deadline_ms(word) > view_now_ms(view))
            packet.openings[packet.count++] = (struct wire_opening){.breaker = slot, .word = word};
        if (packet.count == 0 || (packet.count < WIRE_OPENINGS_MAX && slot + 1 < slots))
            continue;
        if (!send_openings(client, &packet))
            return -EAGAIN;
        packets++;
    }
    return packets;
}

/* Sends the openings of a commons in which a breaker opened after that commons was superseded. */
static int hand_over_owed(struct trip_client *client, struct commons_view *commons)
{
    return commons && __atomic_load_n(&commons->opened_late, __ATOMIC_ACQUIRE) ? hand_over(client, commons) : 0;
}

/* Sends openings that a thread made in a commons superseded a moment before; repeated until tripd has answered. */
static void hand_over_late(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    struct commons_view *const before = client->view ? client->view->commons->older : NULL;
    if (attach->state != ATTACH_DONE || attach->unanswered > 0)
        return;
    attach->unanswered = hand_over_owed(client, before);
    attach->late = attach->unanswered != 0;
    if (attach->unanswered < 0)
        attach_close(client);
}

/* ------------------------------------------------------------------------------------------------------------- view */

static void use_commons(struct trip_client *client)
{
    view_use_commons(client->view, client->attach.commons);
    client->attach.commons = NULL;
}

/* tripd offers the same segment. A tripd that made another commons does not know the lanes and openings of the old one:
 * until it has taken them over, this process goes on deciding by the old commons. */
static int take_commons(struct trip_client *client, const struct view_offer *offer)
{
    struct attach *const attach = &client->attach;
    struct commons_view *const before = client->view->commons;
    if (before->id == offer->commons_id)
        return 0;
    const int error = view_map_commons(offer, &attach->commons);
    if (error < 0)
        return error;
    const int packets = hand_over(client, before), late = packets < 0 ? packets : hand_over_owed(client, before->older);
    attach->late = packets >= 0 && late != 0;
    if (late < 0)
        return -EAGAIN;
    attach->unanswered = packets + late;
    if (attach->unanswered == 0)
        use_commons(client);
    else
        attach->state = ATTACH_OPENINGS;
    return 0;
}

/* tripd offers another segment. Its slots belong to other breakers, so counts for the old slots must not reach it. */
static int take_view(struct trip_client *client, const struct view_offer *offer)
{
    struct view *view = client->view;
    if (view && view->segment_id == offer->segment_id)
        return take_commons(client, offer);
    const int error = view_map(offer, &view);
    if (error < 0)
        return error;
    view->older = client->views;
    client->views = view;
    __atomic_store_n(&client->view, view, __ATOMIC_RELEASE);
    __atomic_store_n(&client->lane_serial, LANE_NONE, __ATOMIC_RELEASE);
    __atomic_store_n(&client->lane, NULL, __ATOMIC_RELEASE);
    bind_all(client); /* before there is a lane: no breaker's slot of before finds a meter in it */
    return 0;
}

/* The conversation is complete, with a lane or, refused, without. */
static void settle(struct trip_client *client)
{
    client->attach.state = ATTACH_DONE;
    lane_comes(client, 0);
    bind_all(client);
}

/* Offers the lane to tripd, which has the view's segment. sent: the lane that went with HELLO. */
static int offer_lane(struct trip_client *client, const struct lane *sent)
{
    struct attach *const attach = &client->attach;
    need_lane(client);
    attach->state = ATTACH_LANE;
    if (sent)
        return client->lane == sent ? 0 : -EAGAIN; /* of another segment: from the start */
    if (!client->lane || !descriptor_valid(&client->lane->memfd))
        settle(client); /* no memory; or tripd has it already */
    else if (!send_lane(client))
        return -EAGAIN;
    return 0;
}

/* The clock of the tripd that sent this is where ours is, or between our question and its answer; else it is another
 * namespace's. Then our clock is set so that it is never ahead of tripd's, and behind by the answer's way at most. */
static int clock_offset(const struct attach *attach, const struct wire_welcome *welcome, uint64_t own_namespace,
                        uint64_t *ret_offset_ns)
{
    const uint64_t now_ns = monotonic_ns();
    const bool same = own_namespace != 0 && own_namespace == welcome->time_namespace;
    *ret_offset_ns = 0;
    if (same || (welcome->monotonic_ns >= attach->hello_ns && welcome->monotonic_ns <= now_ns))
        return 0;
    if (now_ns - attach->hello_ns > CLOCK_EXACT_NS)
        return -EAGAIN; /* one of the two processes was held up; the next attempt may be faster */
    *ret_offset_ns = welcome->monotonic_ns - now_ns;
    return 0;
}

static int welcomed(struct trip_client *client, const struct wire_welcome *welcome, const int *fds, size_t fd_count)
{
    struct attach *const attach = &client->attach;
    if (fd_count != 2 || attach->state != ATTACH_HELLO)
        return -EINVAL;
    uint64_t offset_ns;
    int error = clock_offset(attach, welcome, client->time_namespace, &offset_ns);
    if (error < 0)
        return error;
    const struct view_offer offer = {.segment_fd = fds[0],
                                     .commons_fd = fds[1],
                                     .segment_id = welcome->segment_id,
                                     .segment_size = welcome->segment_size,
                                     .commons_id = welcome->commons_id,
                                     .commons_size = welcome->commons_size,
                                     .commons_number = welcome->commons_number,
                                     .slots = welcome->slots,
                                     .clock_offset_ns = offset_ns,
                                     .daemon_uid = attach->daemon_uid};
    const struct lane *const sent = attach->sent_lane ? client->lane : NULL;
    error = take_view(client, &offer);
    if (error < 0)
        return error;
    set_refused(attach, 0);
    attach->wants_pidfd = welcome->wants_pidfd;
    return attach->state == ATTACH_OPENINGS ? 0 : offer_lane(client, sent);
}

/* tripd has taken over one packet of openings. */
static int taken(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    if (attach->unanswered <= 0 || --attach->unanswered > 0)
        return 0;
    attach->late = false;
    if (attach->state != ATTACH_OPENINGS)
        return 0;
    use_commons(client);
    if (!attach->answered_lane)
        return offer_lane(client, attach->sent_lane ? client->lane : NULL);
    settle(client);
    return 0;
}

static int attached(struct trip_client *client, const struct wire_attached *answer)
{
    struct attach *const attach = &client->attach;
    const bool early = attach->state == ATTACH_OPENINGS && attach->sent_lane;
    if ((attach->state != ATTACH_LANE && !early) || answer->lane == 0 || answer->lane >= COMMONS_LANES_MAX)
        return -EINVAL;
    set_refused(attach, 0);
    set_trouble(attach, TROUBLE_NONE, 0);
    attach->answered_lane = attach->taken_lane = true;
    if (!early)
        settle(client);
    return 0;
}

static void resolved(struct trip_client *client, const struct wire_resolved *answer)
{
    struct trip_breaker **asked = &client->attach.asked;
    while (*asked && (*asked)->resolve_serial != answer->serial)
        asked = &(*asked)->next_asked;
    struct trip_breaker *const breaker = *asked;
    if (!breaker)
        return;
    *asked = breaker->next_asked;
    breaker_resolved(breaker, answer->breaker, answer->incarnation, answer->error);
}

static void cancels_answered(struct trip_client *client, const struct wire_cancels *answer, int fd)
{
    const bool none =
        answer->error == -ESTALE || (answer->error == 0 && fd < 0); /* the slot was given away meanwhile */
    const int error = none ? -EAGAIN : answer->error;
    cancels_take(client->cancels, answer->breaker, answer->incarnation, error, fd);
}

_Static_assert(REFUSAL_MAX == sizeof(((struct wire_refused *)0)->why), "tripd's reason has outgrown its place");

/* A lane that is refused leaves the connection as it is: breakers can be asked for. */
static int refused(struct trip_client *client, const struct wire_refused *answer)
{
    struct attach *const attach = &client->attach;
    set_refused(attach, answer->error < 0 ? answer->error : -EPERM);
    set_trouble(attach, TROUBLE_REFUSED, attach->refused);
    memcpy(attach->refusal, answer->why, sizeof(attach->refusal));
    attach->refusal[sizeof(attach->refusal) - 1] = '\0';
    if (attach->state != ATTACH_LANE && attach->state != ATTACH_OPENINGS)
        return attach->refused;
    attach->lane_id_taken = answer->error == -EEXIST && attach->lanes_replaced < LANES_REPLACED_MAX;
    attach->lane_next_ns = attach->lane_id_taken ? 0 : monotonic_ns() + REFUSED_PAUSE_NS;
    attach->answered_lane = true;
    if (attach->state == ATTACH_LANE)
        settle(client);
    return 0;
}

#define PACKET(name, bytes) ((size) == sizeof(struct name) ? (const struct name *)(const void *)(bytes) : NULL)

/* 0, or why the conversation ends. */
static int understand(struct trip_client *client, const uint8_t *bytes, size_t size, const int *fds, size_t fd_count)
{
    const struct wire_head *const head = (const struct wire_head *)(const void *)bytes;
    if (size < sizeof(*head) || head->magic != WIRE_MAGIC || head->version != WIRE_VERSION)
        return -EPROTO;
    switch (head->kind) {
    case WIRE_WELCOME:
        return PACKET(wire_welcome, bytes) ? welcomed(client, PACKET(wire_welcome, bytes), fds, fd_count) : -EPROTO;
    case WIRE_ATTACHED:
        return PACKET(wire_attached, bytes) ? attached(client, PACKET(wire_attached, bytes)) : -EPROTO;
    case WIRE_RESOLVED:
        if (PACKET(wire_resolved, bytes))
            resolved(client, PACKET(wire_resolved, bytes));
        return PACKET(wire_resolved, bytes) ? 0 : -EPROTO;
    case WIRE_TAKEN:
        return PACKET(wire_head, bytes) ? taken(client) : -EPROTO;
    case WIRE_WATCHED:
        if (fd_count == 1)
            moves_take(&client->moves, fds[0]);
        return fd_count == 1 ? 0 : -EPROTO;
    case WIRE_CANCELS:
        if (PACKET(wire_cancels, bytes))
            cancels_answered(client, PACKET(wire_cancels, bytes), fd_count > 0 ? fds[0] : -1);
        return PACKET(wire_cancels, bytes) ? 0 : -EPROTO;
    case WIRE_REFUSED:
        return PACKET(wire_refused, bytes) ? refused(client, PACKET(wire_refused, bytes)) : -EPROTO;
    default:
        return -EPROTO;
    }
}

/* An entry of fds is -1 if this process had no descriptor left for it. */
static size_t take_descriptors(struct msghdr *message, int fds[PACKET_FDS])
{
    const size_t count = descriptors_take(message, fds, PACKET_FDS);
    for (size_t i = 0; i < count; i++)
        fds[i] = descriptor_raise(fds[i]);
    return count;
}

/* This process has no descriptor left for the one that tripd sent; it may have one later. */
static bool descriptors_lost(const struct msghdr *message, const int *fds, size_t fd_count)
{
    for (size_t i = 0; i < fd_count; i++)
        if (fds[i] < 0)
            return true;
    return message->msg_flags & MSG_CTRUNC;
}

/* 1: a packet was dealt with; 0: there is none; else why the conversation ends. */
static int receive_one(struct trip_client *client)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int))];
    } control;
    uint8_t bytes[WIRE_PACKET_MAX] __attribute__((aligned(8)));
    int fds[PACKET_FDS];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    const ssize_t size = recvmsg(client->attach.socket.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    const size_t fd_count = take_descriptors(&message, fds);
    int error = -ECONNRESET; /* no packet of ours is empty */
    if (size > 0 && message.msg_flags & MSG_TRUNC)
        error = -EPROTO;
    else if (size > 0)
        error = descriptors_lost(&message, fds, fd_count) ? -EMFILE
                                                          : understand(client, bytes, (size_t)size, fds, fd_count);
    for (size_t i = 0; i < fd_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return error < 0 ? error : 1;
}

/* ------------------------------------------------------------------------------------------------------ connecting */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = descriptor_raise(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        const int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Whoever listens can truncate the segment that it hands out, which ends this process by SIGBUS, and open its breakers.
 * In the folder that XDG_RUNTIME_DIR names anybody may listen, for a root shell may have it from another user (su); the
 * system's folder root gave to the user that tripd runs as. A folder that TRIP_RUNTIME_DIR names is taken as it is. */
static bool believed(const char *path, unsigned place, uid_t uid)
{
    char folder[PATHS_SOCKET_MAX];
    struct stat status;
    if (uid == 0 || uid == geteuid() || place == PATHS_NAMED)
        return true;
    if (place != PATHS_SYSTEM)
        return false;
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    return stat(folder, &status) == 0 && status.st_uid == uid;
}

static int connect_believed(const char *path, unsigned place, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    const int fd = connect_to(path);
    if (fd < 0)
        return fd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || !believed(path, place, peer.uid)) {
        close(fd);
        return -EPERM;
    }
    *ret_uid = peer.uid;
    return fd;
}

static bool connect_any(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    int fd = -ENOENT;
    for (unsigned place = 0; place < PATHS_PLACES && fd < 0; place++) {
        if (!client->sockets[place][0])
            continue;
        attach->connects[place] = fd = connect_believed(client->sockets[place], place, &attach->daemon_uid);
        attach->connected = place;
    }
    if (fd < 0) {
        set_trouble(attach, TROUBLE_CONNECT, fd);
        return false;
    }
    attach->socket = descriptor_own(fd);
    return true;
}

/* Does the tripd that listens certainly use the mapped segment? Only then may HELLO carry a lane. The commons may
 * differ, because a lane counts for the segment. */
static bool same_segment(const struct view *view)
{
    return view && !view_away(view);
}

static void begin(struct trip_client *client, uint64_t now)
{
    struct attach *const attach = &client->attach;
    if (now < attach->next_ns)
        return;
    attach->next_ns = now + ATTACH_PAUSE_NS;
    if (client->view)
        need_lane(client);
    if (!connect_any(client)) {
        lane_comes(client, 0);
        return;
    }
    if (attach->trouble.kind == TROUBLE_CONNECT)
        set_trouble(attach, TROUBLE_NONE, 0);
    lane_comes(client, coarse_ns() + LANE_DUE_NS);
    bool sent = send_hello(client);
    if (sent && client->lane && descriptor_valid(&client->lane->memfd) && same_segment(client->view))
        sent = send_lane(client);
    if (sent)
        return;
    set_trouble(attach, TROUBLE_TALK, -ECONNRESET);
    attach_close(client);
}

void attach_close(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    moves_end(&client->moves);
    cancels_end(client->cancels);
    descriptor_close(&attach->socket);
    attach->state = ATTACH_IDLE;
    attach->sent_lane = attach->answered_lane = attach->taken_lane = false;
    attach->commons = commons_view_unmap(attach->commons);
    if (attach->late)
        __atomic_store_n(&client->view->commons->older->opened_late, true, __ATOMIC_RELAXED);
    attach->late = false;
    attach->unanswered = 0;
    lane_comes(client, 0);
    for (; attach->asked; attach->asked = attach->asked->next_asked)
        attach->asked->resolve_serial = 0; /* no answer will come */
}

static bool must_begin_anew(const struct trip_client *client)
{
    const bool left = client->attach.state == ATTACH_DONE &&
                      (view_outdated(client->view) || (client->lane && lane_given_up(client->lane)));
    return left || !descriptor_valid(&client->attach.socket);
}

/* A lane that was refused, or that could not be made, may find room now. */
static void offer_again(struct trip_client *client, uint64_t now)
{
    struct attach *const attach = &client->attach;
    const bool attached = lane_attached(client->lane) && !attach->lane_id_taken;
    if (attach->state != ATTACH_DONE || attached || now < attach->lane_next_ns)
        return;
    attach->lane_next_ns = now + REFUSED_PAUSE_NS;
    if (offer_lane(client, NULL) < 0)
        attach_close(client);
}

static void receive(struct trip_client *client, uint64_t now)
{
    struct attach *const attach = &client->attach;
    int result = 1;
    while (result > 0 && attach->state != ATTACH_IDLE)
        result = receive_one(client);
    if (result >= 0)
        return;
    if (result == -EPROTO)
        set_refused(attach, -EPROTO);
    if (attach->trouble.kind != TROUBLE_REFUSED || attach->trouble.error != result)
        set_trouble(attach, TROUBLE_TALK, result);
    if (attach->refused)
        attach->next_ns = now + REFUSED_PAUSE_NS;
    attach_close(client);
}

void attach_step(struct trip_client *client)
{
    struct attach *const attach = &client->attach;
    const uint64_t now = monotonic_ns();
    if (attach->state != ATTACH_IDLE && must_begin_anew(client))
        attach_close(client);
    if (attach->state == ATTACH_IDLE)
        begin(client, now);
    receive(client, now);
    hand_over_late(client);
    offer_again(client, now);
    ask_moves(client);
    ask_cancels(client);
    moves_follow(&client->moves, attach->socket.fd);
}

/* Each wait is as long as all waits before it: another thread may receive the answer, and a thousand processes that
 * wait at once must not wake up all the time. */
static int wait_ms(uint64_t until_ns)
{
    const uint64_t now = monotonic_ns();
    const uint64_t left_ns = until_ns > now ? until_ns - now : 0;
    const uint64_t waited_ns = OPEN_WAIT_NS > left_ns ? OPEN_WAIT_NS - left_ns : 0;
    return (int)((at_most(at_least(waited_ns, WAIT_LEAST_NS), left_ns) + 999999) / 1000000);
}

bool attach_wait(struct trip_client *client, uint64_t until_ns)
{
    /* A duplicate: the host program may close the socket meanwhile and reuse its number. */
    struct pollfd socket = {.fd = descriptor_copy(client->attach.socket.fd), .events = POLLIN};
    client_unlock(client);
    poll(&socket, socket.fd >= 0 ? 1 : 0, wait_ms(until_ns));
    if (socket.fd >= 0)
        close(socket.fd);
    return client_lock_until(client, until_ns);
}
