/* The section of a lane that a thread has for itself, found without a lock from then on. */
#include "client.h"

#include <string.h>
#include <unistd.h>

#include "internal/numbers.h"

_Thread_local struct thread thread_self;

static pthread_key_t exit_key;
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;
static bool exit_key_made;

static struct lane *lane_of_slot(const struct thread_slot *slot)
{
    for (struct trip_client *client = clients.first; client; client = client->next) {
        if (client->serial != slot->client)
            continue;
        for (struct lane *lane = __atomic_load_n(&client->lanes, __ATOMIC_ACQUIRE); lane; lane = lane->older)
            if (lane->serial == slot->lane)
                return lane;
    }
    return NULL;
}

/* A closed client, or a lane of the parent process, has no section to give back. */
static void slot_give(struct thread_slot *slot)
{
    if (slot->generation == fork_generation() && slot->section) {
        pthread_mutex_lock(&clients.lock);
        struct lane *const lane = lane_of_slot(slot);
        if (lane)
            lane_section_give(lane, slot->section);
        pthread_mutex_unlock(&clients.lock);
    }
    memset(slot, 0, sizeof(*slot));
}

static void thread_exited(void *value)
{
    struct thread *const self = value;
    self->exiting = true;
    for (unsigned i = 0; i < THREAD_SLOTS; i++)
        if (self->slots[i].generation)
            slot_give(&self->slots[i]);
}

static void make_exit_key(void)
{
    exit_key_made = pthread_key_create(&exit_key, thread_exited) == 0;
}

/* Without a pthread key no destructor would give the section back, so the thread shares section 0. */
static uint32_t section_for(struct lane *lane)
{
    ERRNO_KEPT;
    pthread_once(&exit_key_once, make_exit_key);
    if (thread_self.exiting || !exit_key_made || pthread_setspecific(exit_key, &thread_self) != 0)
        return 0;
    return lane_section_take(lane);
}

/* Calls that are tracked take the slow paths. */
static uint64_t own_lane(const struct thread_slot *slot)
{
    return slot->section && !thread_self.tracking ? slot->lane : 0;
}

void thread_own_sections(void)
{
    for (unsigned i = 0; i < THREAD_SLOTS; i++)
        thread_self.slots[i].own_lane = own_lane(&thread_self.slots[i]);
}

struct thread_slot *thread_take(struct trip_client *client)
{
    const uint64_t generation = fork_generation();
    struct lane *const lane = __atomic_load_n(&client->lane, __ATOMIC_ACQUIRE);
    struct thread_slot *const slot = &thread_self.slots[client->thread_slot];
    if (!generation || !lane)
        return NULL;
    if (slot->generation == generation && slot->lane == lane->serial)
        return slot;
    if (slot->generation)
        slot_give(slot);
    slot->section = section_for(lane);
    slot->generation = generation;
    slot->client = client->serial;
    slot->lane = lane->serial;
    slot->own_lane = own_lane(slot);
    slot->lane_at = lane;
    slot->round = &lane->view->segment->round;
    slot->meters = lane->meters[slot->section];
    return slot;
}

#define SAMPLE_BITS  4
#define SAMPLE_DRAWS 32 /* words of dice; one draw in ten millions needs them all, and its call is timed early */
_Static_assert(SAMPLED_ONE_IN == 1 << SAMPLE_BITS, "a dice has as many sides as half a byte");

/* How many throws of a dice it takes until it shows 0: a word is eight throws, the lowest half byte the first. */
static uint32_t throws_until_sampled(void)
{
    uint32_t thrown = 0;
    for (unsigned draw = 0; draw < SAMPLE_DRAWS; draw++, thrown += 32 / SAMPLE_BITS) {
        const uint32_t dice = thread_random();
        const uint32_t zeros = (dice - 0x11111111u) & ~dice & 0x88888888u; /* its lowest bit is of the first 0 */
        if (zeros)
            return thrown + (uint32_t)__builtin_ctz(zeros) / SAMPLE_BITS + 1;
    }
    return thrown;
}

COLD bool thread_draw_sample(void)
{
    if (thread_self.to_sample == 0)
        thread_self.to_sample = throws_until_sampled();
    if (--thread_self.to_sample > 0)
        return false;
    thread_self.to_sample = throws_until_sampled();
    return true;
}

/* By what tells threads, processes and moments apart; async-signal-safe. */
COLD static uint64_t random_seed(void)
{
    uint64_t process = (uint64_t)getpid();
    uint64_t seed = thread_self.random ^ random_next(&process);
    seed ^= monotonic_ns() ^ (uint64_t)(uintptr_t)&thread_self << 20;
    return random_next(&seed) | 1;
}

/* xorshift64*: a dice for ramps and delays, not for secrets. What a parent drew last all its children inherit: each
 * begins anew, at every draw while its generation is not known yet. */
uint32_t thread_random(void)
{
    /* Relaxed: written by this process, or wiped by the fork that made it. */
    const uint64_t generation = __atomic_load_n(fork_page, __ATOMIC_RELAXED);
    const bool inherited = generation == 0 || generation != thread_self.random_generation;
    uint64_t x = unlikely(inherited) ? random_seed() : thread_self.random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    thread_self.random = x;
    thread_self.random_generation = generation;
    return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}
