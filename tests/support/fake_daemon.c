#include "fake_daemon.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal/descriptors.h"
#include "internal/paths.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "internal/wire.h"

#define BEAT_MS 500

const struct fake_policy fake_policy_default = {.threshold = 5,
                                                .slow_after_ns = UINT64_C(60000000000),
                                                .open_ms = 30000,
                                                .longest_ms = 330000,
                                                .max_wait_ms = 10000,
                                                .permits = 1};

/* -------------------------------------------------------------------------------------------------------- breakers */

uint64_t fake_word(const struct fake_daemon *fake, uint32_t slot)
{
    return __atomic_load_n(commons_word(fake->commons, slot), __ATOMIC_SEQ_CST);
}

void fake_set_word(struct fake_daemon *fake, uint32_t slot, uint64_t word)
{
    __atomic_store_n(commons_word(fake->commons, slot), word, __ATOMIC_SEQ_CST);
    segment_mirror(fake->segment, slot, word);
}

uint64_t fake_permit(const struct fake_daemon *fake, uint32_t slot, uint32_t index)
{
    return __atomic_load_n(&commons_permits(fake->commons, slot)[index], __ATOMIC_SEQ_CST);
}

void fake_arm(struct fake_daemon *fake, uint32_t slot, uint32_t index)
{
    uint64_t *const permit = &commons_permits(fake->commons, slot)[index];
    __atomic_store_n(permit, permit_armed(*permit, word_epoch(fake_word(fake, slot))), __ATOMIC_SEQ_CST);
}

void fake_settings(struct fake_daemon *fake, uint32_t slot, const struct fake_policy *policy)
{
    const struct segment_policy published = {.threshold = policy->threshold,
                                             .watched = policy->watched,
                                             .slow_after_ns = policy->slow_after_ns,
                                             .permits = policy->permits,
                                             .max_wait_ms = policy->max_wait_ms,
                                             .longest_ms = policy->longest_ms};
    const uint64_t word = fake_word(fake, slot);
    const trip_mode mode = policy_mode_now(&fake->segment->policies[slot], fake->segment->policies[slot].admission,
                                           clock_now_ms(&fake->clock));
    segment_next_open_publish(fake->segment, slot, policy->open_ms, policy->longest_ms);
    const uint32_t generation = segment_policy_publish(fake->segment, slot, &published, mode, word_generation(word));
    if (word_counts_streak(word))
        fake_set_word(fake, slot, word_with_generation(word, generation));
}

void fake_mode(struct fake_daemon *fake, uint32_t slot, trip_mode mode, uint64_t until_ms)
{
    segment_mode_publish(fake->segment, slot, MODE_OWNER_OPERATOR, mode, until_ms, 0, NULL, clock_now_ms(&fake->clock));
    const uint64_t word = fake_word(fake, slot);
    if (!word_counts_streak(word))
        return;
    uint64_t *const judge = fake->segment->policies[slot].judge;
    const uint64_t now = judge[word_generation(word) & 1];
    const uint32_t next = word_generation(word) + 1;
    __atomic_store_n(&judge[next & 1], policy_judge(judge_threshold(now), mode, judge_watched(now), next),
                     __ATOMIC_RELEASE);
    fake_set_word(fake, slot, word_with_generation(word, next));
}

static int make_breaker(struct fake_daemon *fake, const char *name, uint32_t *ret_slot)
{
    if (segment_find(fake->segment, name, ret_slot) == 0)
        return 0;
    if (fake->full)
        return -ENOSPC;
    const int error = segment_take(fake->segment, name, clock_now_ms(&fake->clock), ret_slot);
    if (error < 0)
        return error;
    const uint64_t word = fake_word(fake, *ret_slot);
    fake_set_word(fake, *ret_slot, word_closed(word_epoch(word) + 1, 0, 0));
    fake_settings(fake, *ret_slot, &fake_policy_default);
    fake->segment->policies[*ret_slot].limits = POLICY_TIMED;
    segment_name_publish(fake->segment, *ret_slot);
    return 0;
}

uint32_t fake_breaker(struct fake_daemon *fake, const char *name)
{
    uint32_t slot;
    pthread_mutex_lock(&fake->lock);
    const int error = make_breaker(fake, name, &slot);
    pthread_mutex_unlock(&fake->lock);
    assert(error == 0);
    return slot;
}

/* ---------------------------------------------------------------------------------------------------- conversation */

static struct wire_head head_of(enum wire_kind kind)
{
    return (struct wire_head){.magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = (uint16_t)kind};
}

static void answer(const struct fake_connection *connection, const void *packet, size_t size, const int *fds,
                   size_t fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    descriptors_put(&message, control.bytes, fds, fd_count);
    sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void refuse(const struct fake_connection *connection, int error)
{
    struct wire_refused packet = {.head = head_of(WIRE_REFUSED), .error = error, .why = "the test wants it so"};
    answer(connection, &packet, sizeof(packet), NULL, 0);
}

static void hello(struct fake_daemon *fake, struct fake_connection *connection)
{
    fake->hellos++;
    if (fake->refuse_hello) {
        refuse(connection, fake->refuse_hello);
        return;
    }
    const struct wire_welcome packet = {.head = head_of(WIRE_WELCOME),
                                        .segment_id = fake->segment->header->segment_id,
                                        .segment_size = (uint64_t)((int64_t)fake->segment->size + fake->size_error),
                                        .commons_id = fake->commons->commons_id,
                                        .commons_size = (uint64_t)((int64_t)fake->commons->size + fake->size_error),
                                        .commons_number = fake->segment->header->commons_number,
                                        .slots = fake->segment->slots,
                                        .wants_pidfd = 1,
                                        .monotonic_ns = monotonic_ns() + fake->clock_offset_ns,
                                        .time_namespace = fake->time_namespace};
    const int fds[2] = {fake->forged_segment_fd >= 0 ? fake->forged_segment_fd : fake->segment->read_only_fd,
                        fake->forged_commons_fd >= 0 ? fake->forged_commons_fd : fake->commons_fd};
    answer(connection, &packet, sizeof(packet), fds, 2);
}

static uint32_t number_for(const struct fake_daemon *fake, uint64_t lane_id)
{
    for (uint32_t number = 1; number < FAKE_CONNECTIONS; number++)
        if (fake->lanes[number].memory && fake->lanes[number].lane_id == lane_id)
            return number;
    for (uint32_t number = 1; number < FAKE_CONNECTIONS; number++)
        if (!fake->lanes[number].memory)
            return number;
    return 0;
}

/* Is the lane one of this segment? A client that comes back offers the lane that it had, which may be another
 * segment's. */
static bool of_segment(const struct fake_daemon *fake, int fd)
{
    uint64_t segment_id = 0;
    return pread(fd, &segment_id, sizeof(segment_id), offsetof(struct lane_header, segment_id)) ==
               (ssize_t)sizeof(segment_id) &&
           segment_id == fake->segment->header->segment_id;
}

static void take_lane(struct fake_daemon *fake, struct fake_connection *connection, const struct wire_attach *request,
                      int fd)
{
    fake->attaches++;
    const uint32_t number = number_for(fake, request->lane_id);
    if (fake->refuse_lane || !number) {
        refuse(connection, fake->refuse_lane ? fake->refuse_lane : -EMFILE);
        return;
    }
    if (request->lane_id == fake->taken_id) {
        refuse(connection, -EEXIST);
        return;
    }
    if (!of_segment(fake, fd)) {
        refuse(connection, -EINVAL);
        return;
    }
    struct fake_lane *const lane = &fake->lanes[number];
    if (!lane->memory) {
        lane->fd = dup(fd);
        lane->lane_id = request->lane_id;
        lane->pid = connection->pid;
        lane->memory = mmap(NULL, LANE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert(lane->memory != MAP_FAILED && lane->memory->lane_id == request->lane_id);
        __atomic_store_n(&lane->memory->granted, policy_lane_grant(fake->segment->header->commons_number, number),
                         __ATOMIC_RELEASE);
        __atomic_store_n(&lane->memory->detached, 0, __ATOMIC_RELEASE);
    }
    connection->lane = number;
    const struct wire_attached packet = {.head = head_of(WIRE_ATTACHED), .lane = number};
    answer(connection, &packet, sizeof(packet), NULL, 0);
}

static void resolve(struct fake_daemon *fake, const struct fake_connection *connection,
                    const struct wire_resolve *request)
{
    struct wire_resolved packet = {.head = head_of(WIRE_RESOLVED), .serial = request->serial};
    fake->resolves++;
    if (fake->mute_resolve)
        return;
    packet.error = make_breaker(fake, request->name, &packet.breaker);
    if (packet.error == 0)
        packet.incarnation = segment_incarnation(fake->segment, packet.breaker);
    answer(connection, &packet, sizeof(packet), NULL, 0);
}

static void take_openings(struct fake_daemon *fake, const struct fake_connection *connection,
                          const struct wire_openings *packet)
{
    const struct wire_head taken = head_of(WIRE_TAKEN);
    for (uint32_t i = 0; i < packet->count; i++)
        fake->openings[fake->opening_count++ % FAKE_OPENINGS] = packet->openings[i];
    if (!fake->mute_openings)
        answer(connection, &taken, sizeof(taken), NULL, 0);
}

static bool receive(struct fake_daemon *fake, struct fake_connection *connection)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    union {
        struct wire_head head;
        struct wire_attach attach;
        struct wire_resolve resolve;
        struct wire_openings openings;
        uint8_t bytes[WIRE_PACKET_MAX];
    } packet;
    int fds[4];
    size_t fd_count = 0;
    struct iovec part = {.iov_base = &packet, .iov_len = sizeof(packet)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    const ssize_t size = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size <= 0)
        return size < 0 && errno == EAGAIN;
    const struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
    if (header) {
        fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), fd_count * sizeof(int));
    }
    if (!fake->silent && packet.head.kind == WIRE_HELLO)
        hello(fake, connection);
    else if (!fake->silent && !fake->refuse_hello && packet.head.kind == WIRE_ATTACH && fd_count > 0)
        take_lane(fake, connection, &packet.attach, fds[0]);
    else if (!fake->silent && packet.head.kind == WIRE_RESOLVE)
        resolve(fake, connection, &packet.resolve);
    else if (!fake->silent && packet.head.kind == WIRE_OPENINGS)
        take_openings(fake, connection, &packet.openings);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    return true;
}

static void connection_close(struct fake_connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    *connection = (struct fake_connection){.fd = -1};
}

static void accept_one(struct fake_daemon *fake)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    const int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < FAKE_CONNECTIONS; i++)
        if (fake->connections[i].fd < 0) {
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
            fake->connections[i] = (struct fake_connection){.fd = fd, .pid = peer.pid};
            return;
        }
    if (fd >= 0)
        close(fd);
}

/* On tripd's clock. A test that takes longer than a heartbeat may, on a busy machine, finds no tripd that is away. */
static void beat(struct fake_daemon *fake)
{
    if (!__atomic_load_n(&fake->away, __ATOMIC_RELAXED))
        __atomic_store_n(&fake->segment->header->heartbeat_mono_ns, monotonic_ns() + fake->clock_offset_ns,
                         __ATOMIC_RELAXED);
}

static void *serve(void *context)
{
    struct fake_daemon *const fake = context;
    for (;;) {
        struct pollfd polled[FAKE_CONNECTIONS + 2] = {{.fd = fake->listener, .events = POLLIN},
                                                      {.fd = fake->poke[0], .events = POLLIN}};
        pthread_mutex_lock(&fake->lock);
        for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
            polled[i + 2] = (struct pollfd){.fd = fake->connections[i].fd, .events = POLLIN};
        const bool stop = fake->stop;
        pthread_mutex_unlock(&fake->lock);
        if (stop)
            return NULL;
        poll(polled, FAKE_CONNECTIONS + 2, BEAT_MS);
        char byte;
        if (polled[1].revents && read(fake->poke[0], &byte, 1) < 0)
            return NULL;
        pthread_mutex_lock(&fake->lock);
        for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
            if (polled[i + 2].revents && fake->connections[i].fd == polled[i + 2].fd &&
                !receive(fake, &fake->connections[i]))
                connection_close(&fake->connections[i]);
        if (polled[0].revents)
            accept_one(fake);
        beat(fake);
        pthread_mutex_unlock(&fake->lock);
    }
}

static void poke(struct fake_daemon *fake)
{
    assert(write(fake->poke[1], "", 1) == 1);
}

/* ------------------------------------------------------------------------------------------------------------- life */

static void make_segment(struct fake_daemon *fake, bool test_clock)
{
    char path[PATHS_MAX];
    struct clock measured;
    clock_measure(&measured, test_clock);
    assert(paths_segment(path, "test", false, 0) == 0);
    const struct segment_options options = {
        .path = path, .max_breakers = FAKE_BREAKERS, .max_lanes = FAKE_CONNECTIONS - 1, .clock = &measured};
    assert(segment_create(&options, &fake->clock, &fake->segment) == 0);
}

static void make_commons(struct fake_daemon *fake)
{
    assert(commons_make(&fake->commons_fd) == 0);
    assert(commons_map(fake->commons_fd, &fake->commons) == 0);
}

static void listen_there(struct fake_daemon *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, fake->socket, sizeof(address.sun_path) - 1);
    fake->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    assert(listen(fake->listener, 64) == 0);
}

void fake_start(struct fake_daemon *fake, bool test_clock)
{
    *fake = (struct fake_daemon){.forged_segment_fd = -1, .forged_commons_fd = -1};
    folder_make(fake->dir, FOLDER_IN_SHM);
    snprintf(fake->socket, sizeof(fake->socket), "%s/test.sock", fake->dir);
    setenv("TRIP_RUNTIME_DIR", fake->dir, 1);
    setenv("TRIP_SHM_DIR", fake->dir, 1);
    setenv("TRIP_INSTANCE", "test", 1);
    pthread_mutex_init(&fake->lock, NULL);
    make_segment(fake, test_clock);
    make_commons(fake);
    listen_there(fake);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        fake->connections[i].fd = -1;
    segment_started(fake->segment, getpid(), getpid());
    segment_commons_publish(fake->segment, fake->commons->commons_id);
    segment_heartbeat(fake->segment);
    assert(pipe(fake->poke) == 0);
    assert(pthread_create(&fake->thread, NULL, serve, fake) == 0);
}

static void drop_lanes(struct fake_daemon *fake)
{
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        if (fake->lanes[i].memory) {
            munmap(fake->lanes[i].memory, LANE_SIZE);
            close(fake->lanes[i].fd);
            fake->lanes[i] = (struct fake_lane){0};
        }
}

void fake_stop(struct fake_daemon *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->stop = true;
    pthread_mutex_unlock(&fake->lock);
    poke(fake);
    pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        connection_close(&fake->connections[i]);
    drop_lanes(fake);
    close(fake->listener);
    close(fake->poke[0]);
    close(fake->poke[1]);
    close(fake->commons_fd);
    commons_unmap(fake->commons);
    segment_unmap(fake->segment);
    folder_remove(fake->dir);
}

void fake_hang_up(struct fake_daemon *fake)
{
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        connection_close(&fake->connections[i]);
    pthread_mutex_unlock(&fake->lock);
    poke(fake);
}

void fake_lose_commons(struct fake_daemon *fake)
{
    pthread_mutex_lock(&fake->lock);
    struct commons *const before = fake->commons;
    close(fake->commons_fd);
    make_commons(fake);
    segment_commons_begin(fake->segment);
    for (uint32_t slot = 0; slot < FAKE_BREAKERS; slot++) {
        const uint64_t word = fake->segment->mirror[slot];
        const uint64_t epochs = (uint64_t)WORD_FRESH_COMMONS_EPOCHS << WORD_EPOCH_SHIFT;
        if (word)
            fake_set_word(fake, slot, word + epochs);
    }
    commons_unmap(before);
    drop_lanes(fake);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        connection_close(&fake->connections[i]);
    segment_started(fake->segment, getpid(), getpid());
    segment_commons_publish(fake->segment, fake->commons->commons_id);
    pthread_mutex_unlock(&fake->lock);
    poke(fake);
}

void fake_new_segment(struct fake_daemon *fake)
{
    char path[PATHS_MAX];
    pthread_mutex_lock(&fake->lock);
    assert(paths_segment(path, "test", false, 0) == 0 && paths_segment_unlink(path) == 0);
    segment_unmap(fake->segment);
    close(fake->commons_fd);
    commons_unmap(fake->commons);
    make_segment(fake, fake->clock.ticks == TICKS_TEST);
    make_commons(fake);
    drop_lanes(fake);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        connection_close(&fake->connections[i]);
    segment_started(fake->segment, getpid(), getpid());
    segment_commons_publish(fake->segment, fake->commons->commons_id);
    segment_heartbeat(fake->segment);
    pthread_mutex_unlock(&fake->lock);
    poke(fake);
}

void fake_away(struct fake_daemon *fake)
{
    pthread_mutex_lock(&fake->lock); /* no beat is on its way */
    __atomic_store_n(&fake->away, true, __ATOMIC_RELAXED);
    __atomic_store_n(&fake->segment->header->heartbeat_mono_ns, monotonic_ns() - 2 * HEARTBEAT_STALE_NS,
                     __ATOMIC_RELAXED);
    pthread_mutex_unlock(&fake->lock);
}

void fake_back(struct fake_daemon *fake)
{
    __atomic_store_n(&fake->away, false, __ATOMIC_RELAXED);
    segment_heartbeat(fake->segment);
}

void fake_clock(struct fake_daemon *fake, uint64_t ms)
{
    fake->clock.test_now_ns = ms * 1000000;
    segment_test_now(fake->segment, fake->clock.test_now_ns);
}

/* ---------------------------------------------------------------------------------------------------------- counts */

static uint64_t of_epoch(uint64_t evidence, uint32_t epoch)
{
    return evidence_epoch(evidence) == epoch ? evidence_count(evidence) : 0;
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void add_meter(struct fake_counts *counts, const struct meter *meter, uint32_t epoch)
{
    counts->meters++;
    counts->ok += of_epoch(load(&meter->ok), epoch);
    counts->failures += of_epoch(load(&meter->failures), epoch);
    counts->slow += of_epoch(load(&meter->slow), epoch);
    counts->total_ok += load(&meter->total_ok);
    counts->total_failures += load(&meter->total_failures);
    counts->total_timeouts += load(&meter->total_timeouts);
    counts->total_slow += load(&meter->total_slow);
    counts->ignored += load(&meter->ignored);
    counts->cancelled += load(&meter->cancelled);
    counts->late += load(&meter->late);
    for (unsigned denial = 0; denial < BREAKER_DENIALS; denial++)
        counts->denied += load(&meter->denied[denial]);
    counts->retries += load(&meter->retries);
    counts->retries_refused += load(&meter->retries_refused);
    counts->started += load(&meter->started);
    counts->finished += load(&meter->finished);
}

static void add_lane(struct fake_counts *counts, struct lane_header *memory, uint32_t slot, uint32_t epoch)
{
    const uint32_t used = __atomic_load_n(&memory->meters_used, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < used; i++) {
        const struct meter *const meter = lane_meter_at(memory, i);
        if ((uint32_t)load(&meter->owner) == slot + 1)
            add_meter(counts, meter, epoch);
    }
}

struct fake_counts fake_counts(struct fake_daemon *fake, uint32_t lane, uint32_t slot, uint32_t epoch)
{
    struct fake_counts counts = {0};
    pthread_mutex_lock(&fake->lock);
    if (fake->lanes[lane].memory)
        add_lane(&counts, fake->lanes[lane].memory, slot, epoch);
    pthread_mutex_unlock(&fake->lock);
    return counts;
}

struct fake_counts fake_counts_all(struct fake_daemon *fake, uint32_t slot, uint32_t epoch)
{
    struct fake_counts counts = {0};
    pthread_mutex_lock(&fake->lock);
    for (uint32_t lane = 1; lane < FAKE_CONNECTIONS; lane++)
        if (fake->lanes[lane].memory)
            add_lane(&counts, fake->lanes[lane].memory, slot, epoch);
    pthread_mutex_unlock(&fake->lock);
    return counts;
}

struct lane_header *fake_lane(struct fake_daemon *fake, uint32_t lane)
{
    pthread_mutex_lock(&fake->lock);
    struct lane_header *const memory = fake->lanes[lane].memory;
    pthread_mutex_unlock(&fake->lock);
    return memory;
}

uint32_t fake_lane_of(struct fake_daemon *fake, pid_t pid)
{
    uint32_t found = 0;
    pthread_mutex_lock(&fake->lock);
    for (uint32_t lane = 1; lane < FAKE_CONNECTIONS; lane++)
        if (fake->lanes[lane].memory && fake->lanes[lane].pid == pid)
            found = lane;
    pthread_mutex_unlock(&fake->lock);
    return found;
}

unsigned fake_seen(struct fake_daemon *fake, const unsigned *counter)
{
    pthread_mutex_lock(&fake->lock);
    const unsigned seen = *counter;
    pthread_mutex_unlock(&fake->lock);
    return seen;
}
