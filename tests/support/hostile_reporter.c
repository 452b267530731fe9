/* hostile_reporter SOCKET: a process with the role report that keeps to none of libtrip's promises. It does what
 * standard input tells it, a line a step, and answers each with a line. It ends when standard input does.
 *
 *   hello                 maps segment and commons
 *   attach ID [HEADER]    a lane of its own, by this id (in the header by another one): "ok", or the refusal's name
 *   lane NUMBER           the id of this lane, as everyone reads it in the segment
 *   crowd COUNT           so many threads wait on the doorbell from now on
 *   hoard SLOT            gives all the meters of its lane to this breaker
 *   names COUNT           asks for so many names: how many got a place
 *   forge NAME COUNT PID  takes so many tickets of this breaker for the lane of that process: how many it got
 *   flip NAME COUNT       opens and closes this breaker, which `hoard` named, so many times by turns: how often
 *   scribble              writes over all that stands at the head of the commons
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal/commons_plan.h"
#include "internal/doorbell.h"
#include "internal/policy.h"
#include "lane_writer.h"
#include "wire_client.h"

#define WORDS 5

static const char *socket_path;
static int connection = -1;
static struct wire_welcome welcome;
static const struct segment_header *segment;
static uint8_t *commons;
static struct section sections[COMMONS_SECTION_COUNT];
static struct lane_writer lane = {.fd = -1};
static char *words[WORDS]; /* of the line; "" beyond its end */

static const char *error_name(int error)
{
    return error == 0 ? "ok" : strerrorname_np(-error);
}

static uint64_t number(unsigned word)
{
    return strtoull(words[word], NULL, 0);
}

static const char *hello(void)
{
    union wire_packet packet;
    int fds[4];
    connection = wire_connect(socket_path);
    if (connection < 0 || !wire_hello(connection) || wire_receive(connection, &packet, fds) <= 0)
        return "no answer";
    if (packet.head.kind != WIRE_WELCOME)
        return error_name(packet.refused.error);
    welcome = packet.welcome;
    segment = mmap(NULL, welcome.segment_size, PROT_READ, MAP_SHARED, fds[0], 0);
    commons = mmap(NULL, welcome.commons_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
    commons_plan(sections);
    return segment == MAP_FAILED || commons == MAP_FAILED ? "not mapped" : "ok";
}

static const char *attach(void)
{
    union wire_packet packet;
    int fds[4];
    writer_make(&lane, number(2) ? number(2) : number(1));
    lane.memory->segment_id = welcome.segment_id;
    if (!wire_attach(connection, number(1), &lane.fd, 1) || wire_receive(connection, &packet, fds) <= 0)
        return "no answer";
    return packet.head.kind == WIRE_ATTACHED ? "ok" : error_name(packet.refused.error);
}

static const struct client_slot *client_at(uint64_t lane_number)
{
    const struct section *const clients = &segment->sections[SECTION_CLIENTS];
    const uint8_t *const slots = (const uint8_t *)segment + clients->offset;
    return (const struct client_slot *)(const void *)(slots + lane_number * clients->stride);
}

static const char *lane_id(void)
{
    static char id[24];
    snprintf(id, sizeof(id), "%llu", (unsigned long long)client_at(number(1))->lane_id);
    return id;
}

static uint32_t lane_of(uint64_t pid)
{
    for (uint32_t each = 1; each < segment->sections[SECTION_CLIENTS].count; each++)
        if (client_at(each)->lane_id && client_at(each)->pid == pid)
            return each;
    return 0;
}

static const char *forge(void)
{
    static char took[24];
    union wire_packet packet;
    struct ticket ticket;
    unsigned count = 0;
    int fds[4];
    char name[64];
    snprintf(name, sizeof(name), "%s", words[1]);
    const uint32_t victim = lane_of(number(3));
    if (!victim || !wire_resolve(connection, 1, name) || wire_receive(connection, &packet, fds) <= 0)
        return "no lane, or no answer";
    uint64_t *const tickets = (uint64_t *)(void *)(commons + sections[COMMONS_TICKETS].offset) +
                              (size_t)packet.resolved.breaker * TICKET_WORDS;
    while (count < number(2) && ticket_take(tickets, (unsigned)number(2), 0, victim, 0, &ticket) == 0)
        count++;
    snprintf(took, sizeof(took), "%u", count);
    return took;
}

static void ring_for_its_lane(void)
{
    struct commons_header *const header = (struct commons_header *)(void *)commons;
    const uint32_t number = lane_of((uint64_t)getpid());
    __atomic_fetch_or(&header->dirty[number / 64], UINT64_C(1) << number % 64, __ATOMIC_SEQ_CST);
    doorbell_ring(&header->doorbell);
}

static const char *flip(void)
{
    static char flips[24];
    union wire_packet packet;
    unsigned count = 0;
    int fds[4];
    char name[64];
    snprintf(name, sizeof(name), "%s", words[1]);
    if (!wire_resolve(connection, 1, name) || wire_receive(connection, &packet, fds) <= 0)
        return "no answer";
    uint64_t *const word = (uint64_t *)(void *)(commons + sections[COMMONS_WORDS].offset +
                                                packet.resolved.breaker * sizeof(struct state_line));
    for (; count < number(2); count++) {
        const uint64_t before = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        const uint32_t epoch = word_epoch(before) + 1;
        __atomic_store_n(word,
                         count % 2 ? word_closed(epoch, 0, word_generation(before)) : word_open(epoch, UINT32_MAX),
                         __ATOMIC_SEQ_CST);
        writer_tell(&lane, 0, epoch, TRIP_OK, false, 1, 0); /* names the breaker: tripd looks at its word at once */
        ring_for_its_lane();
        usleep(100);
    }
    snprintf(flips, sizeof(flips), "%u", count);
    return flips;
}

static void *wait_for_ever(void *bell)
{
    while (syscall(SYS_futex, bell, FUTEX_WAIT, DOORBELL_ASLEEP, NULL, NULL, 0) == 0 || errno == EAGAIN)
        usleep(1000);
    return NULL;
}

static const char *crowd(void)
{
    struct commons_header *const header = (struct commons_header *)(void *)commons;
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (uint64_t i = 0; i < number(1); i++)
        if (pthread_create(&thread, &small, wait_for_ever, &header->doorbell) != 0)
            return "no more threads";
    return "ok";
}

/* More than tripd takes: a meter a section is one breaker's. */
#define HOARD (2 * LANE_SECTIONS)

static const char *hoard(void)
{
    const uint32_t slot = (uint32_t)number(1);
    const uint8_t *const policies = (const uint8_t *)segment + segment->sections[SECTION_POLICY].offset;
    const struct policy_slot *const policy = (const struct policy_slot *)(const void *)policies + slot;
    for (uint32_t meter = 0; meter < HOARD; meter++)
        writer_meter(&lane, slot, policy_incarnation(policy->admission), meter % LANE_SECTIONS);
    return "ok";
}

static const char *names(void)
{
    static char made[24];
    union wire_packet packet;
    unsigned count = 0;
    for (unsigned i = 0; i < number(1); i++) {
        char name[32];
        int fds[4];
        snprintf(name, sizeof(name), "squatted/%u", i);
        if (!wire_resolve(connection, i, name) || wire_receive(connection, &packet, fds) <= 0)
            return "no answer";
        count += packet.head.kind == WIRE_RESOLVED && packet.resolved.error == 0;
    }
    snprintf(made, sizeof(made), "%u", count);
    return made;
}

static const char *scribble(void)
{
    memset(commons, 0xff, sections[COMMONS_WORDS].offset);
    return "ok";
}

static const struct {
    const char *name;
    const char *(*take)(void);
} steps[] = {
    {"hello", hello}, {"attach", attach}, {"lane", lane_id},      {"crowd", crowd}, {"hoard", hoard},
    {"forge", forge}, {"names", names},   {"scribble", scribble}, {"flip", flip},
};

static const char *take(char *line)
{
    char *rest = NULL;
    for (unsigned i = 0; i < WORDS; i++) {
        words[i] = strtok_r(i ? NULL : line, " \n", &rest);
        words[i] = words[i] ? words[i] : "";
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(words[0], steps[i].name) == 0)
            return steps[i].take();
    return "no such step";
}

int main(int argc, char **argv)
{
    char line[256];
    if (argc != 2) {
        fprintf(stderr, "usage: hostile_reporter SOCKET\n");
        return 2;
    }
    socket_path = argv[1];
    while (fgets(line, sizeof(line), stdin)) {
        printf("%s\n", take(line));
        fflush(stdout);
    }
    return 0;
}
