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

/* ------------------------------------------------------------------------------------------------------- the memory */

static int sealed_memfd(size_t size)
{
    struct rlimit limit;
    /* A file beyond the limit is a signal to the host program, which ends it. */
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < size)
        return -EFBIG;
    const int fd = descriptor_raise(memfd_create("trip-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        const int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Of the thread: the process's folder is empty once its main thread has ended. -1: there is no /proc. */
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
static int map_and_lock(int fd, size_t size, void **ret_memory)
{
    int second = second_description(fd);
    if (second < 0)
        second = descriptor_copy(fd);
    if (second < 0)
        return -errno;
    void *memory = MAP_FAILED;
    if (flock(second, LOCK_EX | LOCK_NB) == 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, second, 0);
    int error = memory == MAP_FAILED ? -errno : 0;
    if (error == 0 && madvise(memory, size, MADV_DONTFORK) < 0) {
        error = -errno;
        munmap(memory, size);
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

static void fill_header(struct lane_header *header, uint64_t segment_id, uint32_t meter_count, uint64_t lane_id)
{
    header->magic = LANE_MAGIC;
    header->version = LAYOUT_VERSION;
    header->meter_count = meter_count;
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

int lane_make(const struct view *view, uint32_t meter_count, struct lane **ret_lane)
{
    const size_t mapped = sizeof(struct lane) + (size_t)LANE_SECTIONS * BREAKERS_MAX * sizeof(struct meter *);
    const size_t size = lane_size(meter_count);
    void *memory;
    const int fd = sealed_memfd(size);
    if (fd < 0)
        return fd;
    int error = map_and_lock(fd, size, &memory);
    if (error < 0) {
        close(fd);
        return error;
    }
    /* Mapped, not allocated: pages of sections that no thread takes are never touched, and a child can drop it. */
    struct lane *const lane =
        mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (lane == MAP_FAILED) {
        error = -errno;
        munmap(memory, size);
        close(fd);
        return error;
    }
    lane->serial = serial_next();
    lane->view = view;
    lane->memory = memory;
    lane->size = size;
    lane->memfd = descriptor_own(fd);
    lane->meter_count = meter_count;
    lane->taken = 1; /* section 0 is nobody's own */
    lane->mapped = mapped;
    fill_header(lane->memory, view->segment_id, meter_count, random_id());
    *ret_lane = lane;
    return 0;
}

struct lane *lane_forget(struct lane *lane)
{
    descriptor_close(&lane->memfd);
    munmap(lane, lane->mapped);
    return NULL;
}

struct lane *lane_free(struct lane *lane)
{
    munmap(lane->memory, lane->size);
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

uint32_t lane_section_take(struct lane *lane)
{
    uint32_t taken = __atomic_load_n(&lane->taken, __ATOMIC_RELAXED);
    for (;;) {
        const uint32_t section = (uint32_t)__builtin_ctz(~taken);
        if (section >= LANE_SECTIONS)
            return 0;
        /* Acquire: pairs with lane_section_give, the former owner's last stores are visible. */
        if (__atomic_compare_exchange_n(&lane->taken, &taken, taken | 1u << section, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            raise_to(&lane->memory->sections_used, section + 1);
            return section;
        }
    }
}

void lane_section_give(struct lane *lane, uint32_t section)
{
    __atomic_fetch_and(&lane->taken, ~(1u << section), __ATOMIC_RELEASE); /* pairs with lane_section_take */
}

/* ------------------------------------------------------------------------------------------------ resolved breakers */

void lane_resolve(const struct lane *lane, uint32_t slot)
{
    uint64_t *const bits = lane_resolved_at(lane->memory, lane->meter_count, slot);
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
    const uint32_t spare = (uint32_t)(meter - lane_meter_at(lane->memory, 0)) + 1;
    for (size_t i = 0; i < sizeof(lane->spares) / sizeof(lane->spares[0]); i++) {
        uint32_t none = 0;
        if (__atomic_compare_exchange_n(&lane->spares[i], &none, spare, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
}

static struct meter *fresh_take(struct lane *lane)
{
    /* Events have 16 bits for a meter. */
    const uint32_t most = lane->meter_count < 65536 ? lane->meter_count : 65536;
    uint32_t used = __atomic_load_n(&lane->memory->meters_used, __ATOMIC_RELAXED);
    /* Release: pairs with tripd's acquire; the meter's owner, still 0, is written last. */
    while (used < most && !__atomic_compare_exchange_n(&lane->memory->meters_used, &used, used + 1, true,
                                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    return used < most ? lane_meter_at(lane->memory, used) : NULL;
}

/* There is one meter a breaker for section 0, so that every outcome finds one, and LANE_SPARE_METERS for the others. */
static struct meter *meter_take(struct lane *lane, uint32_t section, struct meter **place)
{
    if (section && __atomic_fetch_add(&lane->thread_meters, 1, __ATOMIC_RELAXED) >= LANE_SPARE_METERS) {
        __atomic_fetch_sub(&lane->thread_meters, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    struct meter *meter = spare_take(lane), *none = NULL;
    if (!meter)
        meter = fresh_take(lane);
    if (!meter)
        return NULL;
    /* In section 0 two threads may want the same one: the later takes the earlier's. */
    if (__atomic_compare_exchange_n(place, &none, meter, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        return meter;
    spare_give(lane, meter);
    return none;
}

struct meter *lane_meter(struct lane *lane, uint32_t section, uint32_t slot, uint64_t owner)
{
    struct meter **const place = &lane_meters(lane, section)[slot];
    const uint64_t whose = owner | (uint64_t)section << 48;
    struct meter *meter = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (!meter)
        meter = meter_take(lane, section, place);
    /* Another incarnation's until now: its counts go on, tripd's marks say which are whose. Release: pairs with tripd's
     * acquire of the owner. */
    if (meter && __atomic_load_n(&meter->owner, __ATOMIC_RELAXED) != whose)
        __atomic_store_n(&meter->owner, whose, __ATOMIC_RELEASE);
    return meter;
}
