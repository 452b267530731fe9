/* Reporters that keep to none of libtrip's promises, beside the clients of the storm. Each attacks its lane, the
 * commons and the socket together, as its seed says, until it is killed: it writes anything anywhere in its lane, in
 * the head of the commons and in what there is of its own breakers, reports of everyone's breakers, takes tickets of
 * others' bulkhead in anybody's name, and sends packets of any kind with any descriptors. It leaves alone the words of
 * others' breakers, their permits and buckets: a reporter may write these, and no history of its victims could be
 * judged. */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "history_storm.h"
#include "internal/commons_plan.h"
#include "internal/doorbell.h"
#include "internal/numbers.h"
#include "internal/policy.h"
#include "internal/ticket_word.h"
#include "internal/ticks.h"
#include "lane_writer.h"
#include "wire_client.h"

#define OWN         4 /* breakers of its own */
#define METERS      16
#define SESSION_MAX 2000 /* steps of a session */
#define SILENT_MAX  8    /* connections that stay silent */

static struct {
    uint64_t random;
    char socket[96];
    int connection;
    struct wire_welcome welcome;
    const uint8_t *segment;
    uint8_t *commons;
    struct section sections[COMMONS_SECTION_COUNT];
    struct lane_writer lane;
    uint32_t own[OWN], bulkhead; /* their slots */
    unsigned own_count;
    int silent[SILENT_MAX];
} self;

/* Returns a random number below the limit, which is not 0. */
static uint32_t below(uint32_t limit)
{
    return (uint32_t)(next_random(&self.random) >> 24) % limit;
}

static uint64_t any(void)
{
    static const uint64_t ends[] = {0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    const uint32_t kind = below(8);
    if (kind < 5)
        return ends[kind];
    return next_random(&self.random) >> (kind == 5 ? 0 : below(64));
}

static const struct segment_header *header(void)
{
    return (const struct segment_header *)(const void *)self.segment;
}

/* --------------------------------------------------------------------------------------------------------- the lane */

static void write_lane(void)
{
    struct lane_header *const lane = self.lane.memory;
    const uint32_t meter = below(METERS), section = below(LANE_SECTIONS);
    uint64_t *word = (uint64_t *)lane + below((uint32_t)(self.lane.size / 8));
    switch (below(5)) {
    case 0:
        word = (uint64_t *)lane + below(sizeof(*lane) / 8);
        break;
    case 1:
        word = (uint64_t *)(void *)lane_meter_at(lane, meter) + below(sizeof(struct meter) / 8);
        break;
    case 2:
        word = (uint64_t *)(void *)lane_section_at(lane, section) + below(sizeof(struct lane_section) / 8);
        break;
    case 3:
        word = (uint64_t *)(void *)lane_call_at(lane, below(LANE_CALLS));
        break;
    default:
        break;
    }
    *word = below(2) ? any() : *word + any();
}

static void mark_dirty(void)
{
    struct commons_header *const commons = (struct commons_header *)(void *)self.commons;
    __atomic_fetch_or(&commons->dirty[below(COMMONS_LANES_MAX / 64)], any(), __ATOMIC_SEQ_CST);
    doorbell_ring(&commons->doorbell);
}

static uint32_t epoch_of(uint32_t slot)
{
    const uint8_t *const line = self.commons + self.sections[COMMONS_WORDS].offset + slot * sizeof(struct state_line);
    return word_epoch(__atomic_load_n((const uint64_t *)(const void *)line, __ATOMIC_ACQUIRE));
}

/* Reports as libtrip does, for any breaker. */
static void report(void)
{
    const uint32_t meter = below(METERS), slot = below((uint32_t)at_least(self.welcome.slots, 1));
    const uint8_t *const policies = self.segment + header()->sections[SECTION_POLICY].offset;
    const struct policy_slot *const policy = (const struct policy_slot *)(const void *)policies + slot;
    lane_meter_at(self.lane.memory, meter)->owner =
        meter_owner(slot, policy_incarnation(policy->admission), below(LANE_SECTIONS));
    self.lane.memory->meters_used = METERS;
    self.lane.memory->sections_used = LANE_SECTIONS;
    for (uint32_t i = below(16); i > 0; i--)
        writer_outcome(&self.lane, meter, epoch_of(slot) + below(3) - 1, below(TRIP_OUTCOME_COUNT), below(2),
                       monotonic_ns() - below(UINT32_MAX));
    mark_dirty();
}

/* ------------------------------------------------------------------------------------------------------ the commons */

static void write_head(void)
{
    struct commons_header *const commons = (struct commons_header *)(void *)self.commons;
    const uint64_t value = any();
    switch (below(4)) {
    case 0:
        __atomic_store_n(&commons->doorbell, below(2) ? below(3) : (uint32_t)value, __ATOMIC_SEQ_CST);
        break;
    case 1:
        doorbell_wake(&commons->doorbell);
        break;
    default:
        __atomic_store_n((uint64_t *)(void *)self.commons + below((uint32_t)(self.sections[COMMONS_WORDS].offset / 8)),
                         value, __ATOMIC_SEQ_CST);
    }
}

static void write_own_breaker(void)
{
    const struct section *const section = &self.sections[below(COMMONS_SECTION_COUNT)];
    if (self.own_count == 0) /* the table is full */
        return;
    uint64_t *const words = (uint64_t *)(void *)(self.commons + section->offset +
                                                 (uint64_t)self.own[below(self.own_count)] * section->stride);
    uint64_t *const word = &words[below(section->stride / 8)];
    *word = below(2) ? any() : tickets_with(*word, below(TICKETS_PER_WORD), (uint16_t)below(16));
}

static void forge_tickets(void)
{
    struct ticket ticket;
    uint64_t *const tickets = (uint64_t *)(void *)(self.commons + self.sections[COMMONS_TICKETS].offset) +
                              (size_t)self.bulkhead * TICKET_WORDS;
    for (uint32_t i = below(4); i > 0; i--)
        ticket_take(tickets, history_breakers[BULK].tickets, 0, below(16), 0, &ticket);
}

/* ------------------------------------------------------------------------------------------------------- the socket */

static int any_descriptor(void)
{
    int ends[2];
    switch (below(4)) {
    case 0:
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    case 1:
        return memfd_create("any", MFD_CLOEXEC);
    case 2:
        return dup(self.lane.fd);
    default:
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
            return -1;
        close(ends[1]);
        return ends[0];
    }
}

static void send_anything(int connection)
{
    static const size_t sizes[] = {sizeof(struct wire_head), sizeof(struct wire_hello), sizeof(struct wire_attach),
                                   sizeof(struct wire_resolve), sizeof(struct wire_openings)};
    uint64_t packet[WIRE_PACKET_MAX / 8];
    int fds[4];
    uint32_t count = below(4) ? 0 : below(4);
    const size_t size = below(4) ? sizes[below(5)] : below(sizeof(packet));
    for (size_t i = 0; i < sizeof(packet) / 8; i++)
        packet[i] = any();
    const struct wire_head head = wire_head_of(below(WIRE_TAKEN + 2));
    if (below(8))
        memcpy(packet, &head, sizeof(head));
    for (uint32_t i = 0; i < count; i++)
        fds[i] = any_descriptor();
    wire_send(connection, packet, size, fds, count);
    for (uint32_t i = 0; i < count; i++)
        close(fds[i]);
}

static void send_on_the_side(void)
{
    int *const place = &self.silent[below(SILENT_MAX)];
    if (*place >= 0)
        close(*place);
    *place = wire_connect(self.socket);
    if (*place >= 0)
        send_anything(*place);
}

static bool resolve(const char *name, uint32_t *ret_slot)
{
    union wire_packet packet;
    int fds[4];
    const uint64_t serial = next_random(&self.random);
    if (!wire_resolve(self.connection, serial, name))
        return false;
    while (wire_receive(self.connection, &packet, fds) > 0) {
        __atomic_fetch_add(&arena->hostile_lanes, packet.head.kind == WIRE_ATTACHED, __ATOMIC_RELAXED);
        if (packet.head.kind != WIRE_RESOLVED || packet.resolved.serial != serial)
            continue;
        *ret_slot = packet.resolved.breaker;
        return packet.resolved.error == 0;
    }
    return false;
}

static void ask_for_a_name(void)
{
    char name[32];
    snprintf(name, sizeof(name), "squatted/%u", below(1000));
    wire_resolve(self.connection, next_random(&self.random), name);
}

static void drop_answers(void)
{
    char bytes[WIRE_PACKET_MAX];
    while (recv(self.connection, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
}

static void send_on_its_connection(void)
{
    send_anything(self.connection);
}

/* --------------------------------------------------------------------------------------------------------- its life */

static bool welcome(void)
{
    union wire_packet packet;
    int fds[4];
    self.connection = wire_connect(self.socket);
    if (self.connection < 0 || !wire_hello(self.connection) || wire_receive(self.connection, &packet, fds) <= 0 ||
        packet.head.kind != WIRE_WELCOME)
        return false;
    self.welcome = packet.welcome;
    self.segment = mmap(NULL, self.welcome.segment_size, PROT_READ, MAP_SHARED, fds[0], 0);
    self.commons = mmap(NULL, self.welcome.commons_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
    commons_plan(self.sections);
    for (unsigned i = 0; i < 4; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return self.segment != MAP_FAILED && self.commons != MAP_FAILED;
}

static bool attach(void)
{
    const uint64_t id = below(2) ? 1 + below(64) : next_random(&self.random);
    writer_make(&self.lane, id);
    self.lane.memory->segment_id = self.welcome.segment_id;
    return wire_attach(self.connection, id, &self.lane.fd, 1);
}

static void step(void)
{
    static void (*const steps[])(void) = {write_lane,
                                          write_lane,
                                          write_lane,
                                          report,
                                          report,
                                          write_head,
                                          write_own_breaker,
                                          write_own_breaker,
                                          send_on_the_side,
                                          ask_for_a_name,
                                          send_on_its_connection,
                                          forge_tickets};
    steps[below(sizeof(steps) / sizeof(steps[0]))]();
    drop_answers();
    __atomic_fetch_add(&arena->hostile_steps, 1, __ATOMIC_RELAXED);
}

static bool session(void)
{
    char name[32];
    self.own_count = 0;
    if (!welcome() || !attach() || !resolve(history_breakers[BULK].name, &self.bulkhead))
        return false;
    for (unsigned i = 0; i < OWN; i++) {
        snprintf(name, sizeof(name), "hostile/%u", below(8));
        self.own_count += resolve(name, &self.own[self.own_count]);
    }
    __atomic_fetch_add(&arena->hostile_sessions, 1, __ATOMIC_RELAXED);
    for (uint32_t i = below(SESSION_MAX); i > 0; i--) {
        step();
        if (below(4) == 0)
            nap_us(below(1000));
    }
    return true;
}

/* A process attaches one lane at a time; the next session is another process's. */
static _Noreturn void live(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(HOSTILE_UID, HOSTILE_UID, HOSTILE_UID) < 0 ||
                           setresuid(HOSTILE_UID, HOSTILE_UID, HOSTILE_UID) < 0))
        _exit(5);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        const uint64_t random = next_random(&self.random) | 1;
        const pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            self.random = random;
            for (unsigned i = 0; i < SILENT_MAX; i++)
                self.silent[i] = -1;
            _exit(!session());
        }
        int status = 1;
        waitpid(pid, &status, 0);
        if (status != 0)
            nap_us(10000); /* tripd is away, or has hung up */
    }
}

pid_t hostile_start(const char *folder, uint64_t random)
{
    const pid_t pid = child_fork();
    if (pid != 0)
        return pid;
    self.random = random | 1;
    snprintf(self.socket, sizeof(self.socket), "%s/test.sock", folder);
    live();
}
