/* A client's lane: made, mapped, and divided into sections for threads and meters for breakers. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal/lane_write.h"
#include "internal/numbers.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define METERS_A_PAGE    (LAYOUT_PAGE / (uint32_t)sizeof(struct meter))
#define ROOMS_A_PAGE     (LAYOUT_PAGE / (uint32_t)sizeof(struct lane_room))
#define REFUSED_PAUSE_NS UINT64_C(1000000000)
#define TABLE_SIZE       (LANE_BREAKERS * sizeof(struct meter *))

/* ------------------------------------------------------------------------------------------------------- the memory */

static int sealed_memfd(void)
{
    struct rlimit limit;
    /* A file beyond the limit is a signal to the host program, which ends it. */
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < LANE_SIZE)
        return -EFBIG;
    const int fd = descriptor_raise(memfd_create("trip-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)LANE_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        const int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Opens the thread's folder, because the process's is empty once its main thread has ended. -1: there is no /proc. */
static int second_description(int fd)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
    return descriptor_raise(open(path, O_RDWR | O_CLOEXEC));
}

/* Maps through a second description, which nothing but the mapping keeps: its flock is free again when this program is
 * gone, be it by an exec, which leaves the process and so its pidfd alive. Where none is to be had, through the first:
 * tripd makes one for itself, and closes ours. Then a child that no atfork handler ran for keeps the lock, too, until
 * its first call. */
static int map_and_lock(int fd, void **ret_memory)
{
    int second = second_description(fd);
    if (second < 0)
        second = descriptor_copy(fd);
    if (second < 0)
        return -errno;
    void *memory = MAP_FAILED;
    if (flock(second, LOCK_EX | LOCK_NB) == 0)
        memory = mmap(NULL, LANE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, second, 0);
    int error = memory == MAP_FAILED ? -errno : 0;
    if (error == 0 && madvise(memory, LANE_SIZE, MADV_DONTFORK) < 0) {
        error = -errno;
        munmap(memory, LANE_SIZE);
    }
    close(second);
    *ret_memory = error == 0 ? memory : NULL;
    return error;
}

/* For people: the name of the whole process. Many programs write over their argv. */
static void name_program(char *to, size_t size)
{
    const int fd = descriptor_raise(open("/proc/self/comm", O_RDONLY | O_CLOEXEC));
    const ssize_t length = fd >= 0 ? read(fd, to, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (length > 1)
        to[length - 1] = '\0'; /* its newline */
    else
        strncpy(to, program_invocation_short_name, size - 1);
}

static void fill_header(struct lane_header *header, uint64_t segment_id, uint64_t lane_id)
{
    header->magic = LANE_MAGIC;
    header->version = LAYOUT_VERSION;
    header->digest = layout_digest();
    header->lane_id = lane_id;
    header->segment_id = segment_id;
    header->pid = (uint32_t)getpid();
    header->sections_used = 1;
    name_program(header->program, sizeof(header->program));
}

static uint64_t random_id(void)
{
    uint64_t id = 0;
    while (id == 0 && getrandom(&id, sizeof(id), GRND_NONBLOCK) == (ssize_t)sizeof(id))
        ;
    /* Early at boot: unlikely to meet another one, and tripd refuses an id that is attached already. */
    return id ? id : monotonic_ns() ^ (uint64_t)getpid() << 40;
}

/* Linux before 5.14. A page that is allocated passes for a hole until it is looked at. */
static int allocate(const struct lane *lane, size_t first, size_t size)
{
    const volatile uint8_t *const memory = (const volatile uint8_t *)lane->memory + first;
    int result;
    do
        result = descriptor_valid(&lane->memfd) ? fallocate(lane->memfd.fd, 0, (off_t)first, (off_t)size) : -1;
    while (result < 0 && errno == EINTR);
    for (size_t at = 0; result == 0 && at < size; at += LAYOUT_PAGE)
        (void)memory[at];
    return result;
}

/* Gives these pages their memory now: where the kernel refuses it, a store to one of them would be a SIGBUS. */
static int give_memory(const struct lane *lane, size_t from, size_t until)
{
    ERRNO_KEPT;
    const size_t first = from / LAYOUT_PAGE * LAYOUT_PAGE, size = LANE_ALIGN(until) - first;
    int result = madvise((uint8_t *)lane->memory + first, size, MADV_POPULATE_WRITE);
    if (result < 0 && errno == EINVAL)
        result = allocate(lane, first, size);
    return result < 0 ? -ENOMEM : 0;
}

/* A kernel that refused memory is asked again only after a while, because each refusal costs it a long search. */
static bool may_ask(const struct lane *lane)
{
    const uint64_t until_ns = __atomic_load_n(&lane->refused_until_ns, __ATOMIC_RELAXED);
    return until_ns == 0 || coarse_ns() >= until_ns;
}

static bool ask_memory(struct lane *lane, size_t from, size_t until)
{
    if (!may_ask(lane))
        return false;
    const bool given = give_memory(lane, from, until) == 0;
    __atomic_store_n(&lane->refused_until_ns, given ? 0 : coarse_ns() + REFUSED_PAUSE_NS, __ATOMIC_RELAXED);
    return given;
}

/* Mapped, not allocated: a child can drop it, and only what is touched takes memory. */
static void *map_private(size_t size)
{
    void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* The header, the bits of resolved breakers, and section 0, to which everything goes that finds no other place. */
static int fill_lane(struct lane *lane)
{
    lane->meters[0] = map_private(TABLE_SIZE);
    (void)madvise(lane->memory, LANE_SIZE, MADV_NOHUGEPAGE); /* of which each would count as a whole */
    if (!lane->meters[0] || give_memory(lane, 0, lane_head_offset(1)) < 0 ||
        give_memory(lane, LANE_RESOLVED_OFFSET, LANE_CALLS_OFFSET) < 0 ||
        give_memory(lane, lane_rings_offset(0), lane_rings_offset(1)) < 0)
        return -ENOMEM;
    lane->sections_present = 1;
    fill_header(lane->memory, lane->view->segment_id, random_id());
    return 0;
}

int lane_make(const struct view *view, struct lane **ret_lane)
{
    void *memory;
    const int fd = sealed_memfd();
    if (fd < 0)
        return fd;
    int error = map_and_lock(fd, &memory);
    if (error < 0) {
        close(fd);
        return error;
    }
    struct lane *const lane = map_private(sizeof(*lane));
    if (!lane) {
        munmap(memory, LANE_SIZE);
        close(fd);
        return -ENOMEM;
    }
    lane->serial = serial_next();
    lane->view = view;
    lane->memory = memory;
    lane->memfd = descriptor_own(fd);
    lane->taken[0] = 1; /* section 0 is nobody's own */
    error = fill_lane(lane);
    if (error < 0) {
        lane_free(lane);
        return error;
    }
    *ret_lane = lane;
    return 0;
}

struct lane *lane_forget(struct lane *lane)
{
    descriptor_close(&lane->memfd);
    for (uint32_t section = 0; section < LANE_SECTIONS; section++)
        if (lane->meters[section])
            munmap(lane->meters[section], TABLE_SIZE);
    munmap(lane, sizeof(*lane));
    return NULL;
}

struct lane *lane_free(struct lane *lane)
{
    munmap(lane->memory, LANE_SIZE);
    return lane_forget(lane);
}

/* --------------------------------------------------------------------------------------------------------- sections */

static void raise_to(uint32_t *counter, uint32_t least)
{
    uint32_t seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
    /* Release: pairs with tripd's acquire, what is below the count is initialised. */
    while (seen < least &&
           !__atomic_compare_exchange_n(counter, &seen, least, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

/* Sections below it have memory: a section that a thread takes, and those before it that another one is about to. */
static bool section_present(struct lane *lane, uint32_t section)
{
    const uint32_t present = __atomic_load_n(&lane->sections_present, __ATOMIC_ACQUIRE);
    if (section < present)
        return true;
    if (!ask_memory(lane, lane_rings_offset(present), lane_rings_offset(section + 1)) ||
        !ask_memory(lane, lane_head_offset(present), lane_head_offset(section + 1)))
        return false;
    raise_to(&lane->sections_present, section + 1);
    return true;
}

/* For the thread that holds the section's bit. */
static bool section_ready(struct lane *lane, uint32_t section)
{
    if (!lane->meters[section])
        lane->meters[section] = map_private(TABLE_SIZE);
    if (!lane->meters[section] || !section_present(lane, section))
        return false;
    raise_to(&lane->memory->sections_used, section + 1);
    return true;
}

/* The lowest that is free, LANE_SECTIONS if none is. */
static uint32_t free_section(struct lane *lane)
{
    for (uint32_t word = 0; word < sizeof(lane->taken) / sizeof(lane->taken[0]); word++) {
        uint64_t taken = __atomic_load_n(&lane->taken[word], __ATOMIC_RELAXED);
        while (~taken) {
            const uint64_t bit = ~taken & (taken + 1);
            const uint32_t section = word * 64 + (uint32_t)__builtin_ctzll(bit);
            if (section >= LANE_SECTIONS)
                return LANE_SECTIONS;
            /* Acquire: pairs with lane_section_give, the former owner's last stores are visible. */
            if (__atomic_compare_exchange_n(&lane->taken[word], &taken, taken | bit, true, __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED))
                return section;
        }
    }
    return LANE_SECTIONS;
}

uint32_t lane_section_take(struct lane *lane)
{
    const uint32_t section = free_section(lane);
    if (section == LANE_SECTIONS)
        return 0;
    if (section_ready(lane, section))
        return section;
    lane_section_give(lane, section);
    return 0;
}

void lane_section_give(struct lane *lane, uint32_t section)
{
    /* Release: pairs with free_section. */
    __atomic_fetch_and(&lane->taken[section / 64], ~(UINT64_C(1) << section % 64), __ATOMIC_RELEASE);
}

/* -------------------------------------------------------------------------------------------------- calls in flight */

bool lane_calls_ready(struct lane *lane)
{
    if (__atomic_load_n(&lane->calls_present, __ATOMIC_ACQUIRE))
        return true;
    if (!ask_memory(lane, LANE_CALLS_OFFSET, LANE_RINGS_OFFSET))
        return false;
    __atomic_store_n(&lane->calls_present, true, __ATOMIC_RELEASE);
    __atomic_store_n(&lane->memory->calls_used, 1, __ATOMIC_RELEASE); /* pairs with tripd's acquire */
    return true;
}

/* ------------------------------------------------------------------------------------------------ resolved breakers */

void lane_resolve(const struct lane *lane, uint32_t slot)
{
    uint64_t *const bits = lane_resolved_at(lane->memory, slot);
    const uint64_t bit = UINT64_C(1) << slot % 64;
    if (!(__atomic_load_n(bits, __ATOMIC_RELAXED) & bit))
        __atomic_fetch_or(bits, bit, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* pairs with the fence of tripd's evict: one of both sees the other */
}

/* ----------------------------------------------------------------------------------------------------------- meters */

static struct meter *spare_take(struct lane *lane)
{
    for (size_t i = 0; i < sizeof(lane->spares) / sizeof(lane->spares[0]); i++) {
        /* Relaxed: a spare meter holds no counts. */
        const uint32_t spare = __atomic_load_n(&lane->spares[i], __ATOMIC_RELAXED)
                                   ? __atomic_exchange_n(&lane->spares[i], 0, __ATOMIC_RELAXED)
                                   : 0;
        if (spare)
            return lane_meter_at(lane->memory, spare - 1);
    }
    return NULL;
}

static void spare_give(struct lane *lane, const struct meter *meter)
{
    const uint32_t spare = lane_meter_number(lane->memory, meter) + 1;
    for (size_t i = 0; i < sizeof(lane->spares) / sizeof(lane->spares[0]); i++) {
        uint32_t none = 0;
        if (__atomic_compare_exchange_n(&lane->spares[i], &none, spare, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
}

/* Entries that a lane takes one after the other, meters or rooms, and that get their memory a few at a time. */
struct pool {
    uint32_t *used;    /* in the lane: entries below may be looked at */
    uint32_t *present; /* entries below have memory */
    uint32_t a_page, most;
    size_t (*offset)(uint32_t entry);
};

/* Gives an entry its memory, and some more behind it, so that libtrip asks the kernel now and then, and little memory
 * is ahead of its use. */
static bool pool_present(struct lane *lane, const struct pool *pool, uint32_t entry)
{
    const uint32_t present = __atomic_load_n(pool->present, __ATOMIC_ACQUIRE);
    if (entry < present)
        return true;
    const uint64_t more = at_least(present / 16, pool->a_page);
    const uint32_t until = (uint32_t)at_most((entry + more) / pool->a_page * pool->a_page, pool->most);
    if (!ask_memory(lane, pool->offset(present), pool->offset(until)))
        return false;
    raise_to(pool->present, until);
    return true;
}

/* Takes the next entry, and returns its number + 1. 0: the lane has no more of them, or the kernel gives no memory. */
static uint32_t pool_take(struct lane *lane, const struct pool *pool)
{
    uint32_t used = __atomic_load_n(pool->used, __ATOMIC_RELAXED);
    do {
        if (used >= pool->most || !pool_present(lane, pool, used))
            return 0;
        /* Release: pairs with tripd's acquire, the entry has its memory. */
    } while (!__atomic_compare_exchange_n(pool->used, &used, used + 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    return used + 1;
}

/* Takes the next meter, whose owner is 0: its taker writes the owner last. NULL: as pool_take. */
static struct meter *fresh_take(struct lane *lane)
{
    const struct pool meters = {.used = &lane->memory->meters_used,
                                .present = &lane->meters_present,
                                .a_page = METERS_A_PAGE,
                                .most = LANE_METERS,
                                .offset = lane_meter_offset};
    const uint32_t meter = pool_take(lane, &meters);
    return meter ? lane_meter_at(lane->memory, meter - 1) : NULL;
}

/* Counts one more meter of a thread's. False: they have as many as they may, and the rest are section 0's. */
static bool thread_meter_count(struct lane *lane)
{
    uint32_t meters = __atomic_load_n(&lane->thread_meters, __ATOMIC_RELAXED);
    while (meters < LANE_THREAD_METERS)
        if (__atomic_compare_exchange_n(&lane->thread_meters, &meters, meters + 1, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

/* There is one meter a breaker for section 0, so that every outcome finds one, and LANE_THREAD_METERS for the others.
 */
static struct meter *meter_take(struct lane *lane, uint32_t section, struct meter **place)
{
    if (section && !thread_meter_count(lane))
        return NULL;
    struct meter *meter = spare_take(lane), *none = NULL;
    if (!meter)
        meter = fresh_take(lane);
    if (!meter) {
        __atomic_fetch_sub(&lane->thread_meters, section != 0, __ATOMIC_RELAXED);
        return NULL;
    }
    /* In section 0 two threads may want the same one: the later takes the earlier's. */
    if (__atomic_compare_exchange_n(place, &none, meter, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        return meter;
    spare_give(lane, meter);
    return none;
}

struct meter *lane_meter(struct lane *lane, uint32_t section, uint32_t slot, uint64_t owner)
{
    struct meter **const place = &lane->meters[section][slot % LANE_BREAKERS];
    const uint64_t whose = owner | (uint64_t)section << 48;
    struct meter *meter = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (!meter)
        meter = meter_take(lane, section, place);
    /* Another incarnation's until now: its counts go on, tripd's marks say which are whose. Release: pairs with tripd's
     * acquire of the owner. */
    if (meter && __atomic_load_n(&meter->owner, __ATOMIC_RELAXED) != whose) {
        __atomic_store_n(&meter->rung, 0, __ATOMIC_RELAXED); /* the thread's own note, and in section 0 a hint */
        __atomic_store_n(&meter->owner, whose, __ATOMIC_RELEASE);
    }
    return meter;
}

/* ------------------------------------------------------------------------------------------------------------ rooms */

/* Takes the next room. Returns its number + 1; 0: none is left, or there is no memory for it. */
static uint32_t room_take(struct lane *lane)
{
    const struct pool rooms = {.used = &lane->memory->rooms_used,
                               .present = &lane->rooms_present,
                               .a_page = ROOMS_A_PAGE,
                               .most = LANE_ROOMS,
                               .offset = lane_room_offset};
    return pool_take(lane, &rooms);
}

/* Gives back a room in which nobody has counted. If another thread took the next one meanwhile, the room is lost: a
 * lane has rooms to spare. */
static void room_give(struct lane *lane, uint32_t room)
{
    __atomic_compare_exchange_n(&lane->memory->rooms_used, &room, room - 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

COLD uint32_t lane_room_take(struct lane *lane, uint32_t *place)
{
    const uint32_t room = room_take(lane);
    uint32_t there = 0;
    /* In section 0 two threads may want the same one: the later takes the earlier's. Release: pairs with tripd's
     * acquire of the place, the room is below `rooms_used`. */
    if (!room || __atomic_compare_exchange_n(place, &there, room, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        return room;
    room_give(lane, room);
    return there;
}
