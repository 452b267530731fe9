#include "segment/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal/boot.h"
#include "internal/names.h"
#include "internal/paths.h"
#include "internal/policy.h"
#include "internal/segment_plan.h"
#include "internal/succession.h"
#include "segment/pages.h"

#define SHM_DIR       "/dev/shm" /* where glibc's shm_open puts its names */
#define FILE_PATH_MAX (PATHS_MAX + sizeof(SHM_DIR))
#define USED_WORDS    (BREAKERS_MAX / 64 + 1)
#define BEING_MADE    "~" /* no letter of instance names: never another instance's segment */

/* ------------------------------------------------------------------------------------------------------ layout */

#define SLOTS_BATCH 64 /* that get memory at once */

/* ------------------------------------------------------------------------------------------------------- files */

/* The segment's file: what shm_open's names stand for. */
static int file_path(const char *path, const char *ending, char file[FILE_PATH_MAX])
{
    return paths_format(file, FILE_PATH_MAX, paths_env("TRIP_SHM_DIR") ? "" : SHM_DIR, path, ending, "");
}

static bool same_file(int fd, int other_fd)
{
    struct stat status, other;
    return fstat(fd, &status) == 0 && fstat(other_fd, &other) == 0 && status.st_dev == other.st_dev &&
           status.st_ino == other.st_ino;
}

/* A second description of the file behind fd, read-only: no F_SETFL and no mprotect makes it writable again. */
static int open_read_only(const char *path, int fd)
{
    const int read_only_fd = paths_segment_open(path, O_RDONLY, 0);
    if (read_only_fd < 0 || same_file(fd, read_only_fd))
        return read_only_fd;
    close(read_only_fd);
    return -ESTALE;
}

/* What is there whether there are breakers or not. */
static int reserve_rest(int fd, const struct segment_header *header)
{
    int error = pages_reserve(fd, 0, sizeof(*header));
    for (unsigned i = 0; error == 0 && i < SECTION_COUNT; i++)
        if (section_memory(i) == MEMORY_ALL || section_memory(i) == MEMORY_GROUPS)
            error = pages_reserve_entries(fd, &header->sections[i], 0, section_entries(header, i));
    return error;
}

int segment_reserve(struct segment *segment, uint32_t slots)
{
    if (slots <= segment->slots)
        return 0;
    int error = 0;
    for (unsigned i = 0; error == 0 && i < SECTION_COUNT; i++)
        if (section_memory(i) == MEMORY_SLOTS)
            error = pages_reserve_entries(segment->fd, &segment->header->sections[i], segment->slots, slots);
    if (error < 0)
        return error;
    segment->slots = slots;
    /* Pairs with the acquire of those who read slots in turn. */
    __atomic_store_n(&segment->header->slots, segment->slots, __ATOMIC_RELEASE);
    return 0;
}

uint32_t segment_slots_wanted(const struct segment *segment)
{
    if (segment->take_next < segment->slots || segment->slots >= segment->header->max_breakers)
        return segment->slots;
    return segment->slots < BREAKERS_MAX - SLOTS_BATCH ? segment->slots + SLOTS_BATCH : BREAKERS_MAX;
}

/* ----------------------------------------------------------------------------------------------------- mapping */

struct segment *segment_unmap(struct segment *segment)
{
    if (!segment)
        return NULL;
    if (segment->header)
        munmap(segment->header, segment->size);
    if (segment->fd >= 0)
        close(segment->fd);
    if (segment->read_only_fd >= 0)
        close(segment->read_only_fd);
    free(segment->used);
    free(segment);
    return NULL;
}

#define SET_PLACE(suffix, pointer, type, entries, memory) \
    segment->pointer = (type *)(map + sections[SECTION_##suffix].offset);
static void set_places(struct segment *segment, uint8_t *map, const struct section sections[SECTION_PLACES])
{
    segment->header = (struct segment_header *)map;
    SEGMENT_SECTIONS(SET_PLACE)
}

/* Takes fd, also when it fails. name NULL: it has none. */
static int map_segment(int fd, const char *path, const char *name, const struct segment_header *header,
                       struct segment **ret_segment)
{
    int error;
    struct segment *segment = calloc(1, sizeof(*segment));
    if (!segment) {
        close(fd);
        return -ENOMEM;
    }
    segment->fd = fd;
    segment->slots = header->slots;
    segment->size = header->size;
    snprintf(segment->path, sizeof(segment->path), "%s", path);
    segment->read_only_fd = name ? open_read_only(name, fd) : -1;
    if (name && segment->read_only_fd < 0) {
        error = segment->read_only_fd;
        goto fail;
    }
    error = -ENOMEM;
    segment->used = calloc(USED_WORDS, sizeof(*segment->used));
    if (!segment->used)
        goto fail;
    uint8_t *map = mmap(NULL, segment->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        error = -errno;
        goto fail;
    }
    set_places(segment, map, header->sections);
    *ret_segment = segment;
    return 0;
fail:
    segment_unmap(segment);
    return error;
}

/* ---------------------------------------------------------------------------------------------------- creation */

static int describe(const struct segment_options *options, struct segment_header *ret_header)
{
    const struct clock *clock = options->clock;
    struct segment_header header = {
        .magic = SEGMENT_MAGIC,
        .version = LAYOUT_VERSION,
        .header_size = sizeof(struct segment_header),
        .digest = layout_digest(),
        .created_mono_ns = monotonic_ns(),
        .created_unix_ms = realtime_ms(),
        .owner_uid = geteuid(),
        .clock_kind = clock->ticks == TICKS_TEST ? CLOCK_KIND_TEST : CLOCK_KIND_REAL,
        .max_breakers = options->max_breakers,
        .max_lanes = options->max_lanes,
        .tsc = {.sequence = clock->tsc.ns_q32 ? 2 : 0, .bases = {clock->tsc}},
        .groups = 1, /* that of breakers without a group */
        .round = 1,  /* a meter's note of 0 says that it was never announced */
    };
    header.size = segment_plan(header.sections);
    if (getrandom(&header.segment_id, sizeof(header.segment_id), 0) != sizeof(header.segment_id))
        return -EIO;
    const int error = boot_id_read(header.boot_id);
    if (error < 0)
        return error;
    *ret_header = header;
    return 0;
}

/* Is the name free, or ours to replace? */
static int check_owner(const char *file)
{
    struct stat status;
    if (lstat(file, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    return status.st_uid == geteuid() && S_ISREG(status.st_mode) ? 0 : -EPERM;
}

/* A file of its own under the temporary name; one that a creation left half-way is unlinked. Only the owner of the
 * instance's lock comes here, so nobody else makes one now. */
static int open_being_made(const char *name, const char *file, const struct segment_header *header)
{
    int error = check_owner(file);
    if (error < 0)
        return error;
    paths_segment_unlink(name);
    const int fd = paths_segment_open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return fd;
    error = ftruncate(fd, (off_t)header->size) < 0 ? -errno : reserve_rest(fd, header);
    if (error == 0 && fchmod(fd, 0644) < 0) /* whatever the umask says */
        error = -errno;
    if (error == 0)
        return fd;
    paths_segment_unlink(name);
    close(fd);
    return error;
}

static void fill_header(struct segment *segment, const struct segment_header *header)
{
    struct segment_header draft = *header;
    draft.version = 0;
    *segment->header = draft;
    /* Last: pairs with the acquire of whoever reads the version first. */
    __atomic_store_n(&segment->header->version, header->version, __ATOMIC_RELEASE);
}

int segment_create(const struct segment_options *options, struct clock *clock, struct segment **ret_segment)
{
    char name[PATHS_MAX + sizeof(BEING_MADE)], file[FILE_PATH_MAX], made[FILE_PATH_MAX];
    struct segment_header header;
    struct segment *segment;
    int error = describe(options, &header);
    if (error == 0)
        error = paths_format(name, sizeof(name), options->path, "", BEING_MADE, "");
    if (error == 0)
        error = file_path(options->path, "", file);
    if (error == 0)
        error = file_path(options->path, BEING_MADE, made);
    if (error == 0)
        error = check_owner(file);
    if (error < 0)
        return error;

    const int fd = open_being_made(name, made, &header);
    if (fd < 0)
        return fd;
    error = map_segment(fd, options->path, name, &header, &segment);
    if (error < 0) {
        paths_segment_unlink(name);
        return error;
    }
    fill_header(segment, &header);
    error = segment_reserve(segment, SLOTS_BATCH);
    if (error == 0 && rename(made, file) < 0)
        error = -errno;
    if (error < 0) {
        paths_segment_unlink(name);
        segment_unmap(segment);
        return error;
    }
    *clock = *options->clock;
    clock->created_mono_ns = header.created_mono_ns;
    *ret_segment = segment;
    return 0;
}

int segment_create_private(const struct segment_options *options, struct segment **ret_segment)
{
    struct segment_header header;
    struct segment *segment;
    int error = describe(options, &header);
    if (error < 0)
        return error;
    const int fd = memfd_create("trip-segment", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)header.size) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    error = map_segment(fd, "", NULL, &header, &segment);
    if (error < 0)
        return error;
    segment->wall = options->clock;
    fill_header(segment, &header);
    *ret_segment = segment;
    return 0;
}

uint64_t segment_wall_ms(const struct segment *segment)
{
    return segment->wall ? clock_now_ms(segment->wall) : realtime_ms();
}

/* ---------------------------------------------------------------------------------------------------- adoption */

/* Names both: which of the two programs is the older one? */
static const char *other_layout(const struct segment_header *header)
{
    static char why[128]; /* tripd looks at one segment at a time */
    snprintf(why, sizeof(why),
             "it has layout %" PRIu32 ", digest %016" PRIx64 ", this tripd layout %u, digest %016" PRIx64,
             header->version, header->digest, LAYOUT_VERSION, layout_digest());
    return why;
}

/* NULL: fits. `header` is a copy. */
static const char *misfit(const struct segment_header *header, uint64_t file_size)
{
    struct section sections[SECTION_PLACES];
    uint8_t boot_id[BOOT_ID_SIZE];
    if (header->magic != SEGMENT_MAGIC)
        return "it is no segment of tripd";
    if (header->version == 0)
        return "it was never finished";
    if (header->version != LAYOUT_VERSION || header->digest != layout_digest())
        return other_layout(header);
    if (header->header_size != sizeof(*header))
        return "its header has another size";
    if (header->slots > BREAKERS_MAX)
        return "it has more slots than places";
    if (header->latency_groups > LATENCY_GROUPS_MAX)
        return "it has more latency groups than places";
    if (header->groups < 1 || header->groups > GROUPS_MAX)
        return "it has more groups than places";
    if (header->size != segment_plan(sections) || memcmp(header->sections, sections, sizeof(sections)) != 0)
        return "its sections are not where they should be";
    if (header->size != file_size)
        return "its file has another size than it says";
    if (boot_id_read(boot_id) < 0 || memcmp(boot_id, header->boot_id, BOOT_ID_SIZE) != 0)
        return "it is of another boot";
    if (header->created_mono_ns > monotonic_ns())
        return "it is of another time namespace";
    if (header->clock_kind > CLOCK_KIND_TEST)
        return "its clock is none";
    return NULL;
}

static struct tsc_base tsc_in_force(const struct tsc_line *line)
{
    return line->bases[line->sequence & 1];
}

/* The clock that the segment was made with. */
static struct clock clock_of(const struct segment_header *header)
{
    return (struct clock){
        .ticks = header->clock_kind == CLOCK_KIND_TEST ? TICKS_TEST : TICKS_MONOTONIC,
        .tsc = tsc_in_force(&header->tsc),
        .created_mono_ns = header->created_mono_ns,
        .test_now_ns = header->test_now_ns,
    };
}

/* A worker that died while it wrote left a sequence odd, or a transition that is not yet counted, or among the acts
 * alone.
 */
static void restore_halves(struct segment *segment)
{
    segment_latency_restore(segment);
    segment_chronicle_restore(segment);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        uint64_t *sequence = &segment->details[slot].sequence;
        if (segment_used(segment, slot) && (*sequence & 1))
            __atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELEASE);
    }
    segment_transitions_restore(segment);
}

/* A descriptor of the file and a copy of its header, or what hinders. */
static enum segment_found look(const char *path, int *ret_fd, struct segment_header *ret_header, const char **ret_why)
{
    struct stat status;
    const int fd = paths_segment_open(path, O_RDWR | O_NONBLOCK, 0);
    if (fd == -ENOENT)
        return SEGMENT_NONE;
    if (fd < 0) {
        *ret_why = fd == -EACCES ? "it belongs to another user" : "it cannot be opened";
        return SEGMENT_FOREIGN;
    }
    enum segment_found found = SEGMENT_FOREIGN;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        *ret_why = "it is no file";
    } else if (status.st_uid != geteuid()) {
        *ret_why = "it belongs to another user";
    } else if (pread(fd, ret_header, sizeof(*ret_header), 0) != (ssize_t)sizeof(*ret_header)) {
        *ret_why = "it is too short";
        found = SEGMENT_INCOMPATIBLE;
    } else {
        *ret_why = misfit(ret_header, (uint64_t)status.st_size);
        found = *ret_why ? SEGMENT_INCOMPATIBLE : SEGMENT_READY;
    }
    if (found == SEGMENT_READY)
        *ret_fd = fd;
    else
        close(fd);
    return found;
}

enum segment_found segment_adopt(const struct segment_options *options, struct clock *clock,
                                 struct segment **ret_segment, const char **ret_why)
{
    struct segment_header header;
    struct segment *segment;
    int fd;
    const enum segment_found found = look(options->path, &fd, &header, ret_why);
    if (found != SEGMENT_READY)
        return found;
    if (options->clock && (options->clock->ticks == TICKS_TEST) != (header.clock_kind == CLOCK_KIND_TEST)) {
        close(fd);
        *ret_why = header.clock_kind == CLOCK_KIND_TEST ? "it has a test clock" : "it has the real clock";
        return SEGMENT_INCOMPATIBLE;
    }
    if (map_segment(fd, options->path, options->path, &header, &segment) < 0) {
        *ret_why = "it cannot be mapped";
        return SEGMENT_FOREIGN;
    }
    segment_names_restore(segment);
    restore_halves(segment);
    *clock = clock_of(&header);
    *ret_segment = segment;
    return SEGMENT_READY;
}

void segment_inherit(struct segment *segment, struct clock *clock)
{
    memset(segment->used, 0, USED_WORDS * sizeof(*segment->used));
    segment->slots = segment->header->slots;
    segment->used_count = 0;
    segment->take_next = 0;
    segment->transaction = 0;
    segment_names_restore(segment);
    restore_halves(segment);
    clock->test_now_ns = segment->header->test_now_ns;
    clock->tsc = tsc_in_force(&segment->header->tsc); /* given up, it stays so */
}

bool segment_still_named(const struct segment *segment)
{
    char file[FILE_PATH_MAX];
    struct stat named, ours;
    return file_path(segment->path, "", file) == 0 && lstat(file, &named) == 0 && fstat(segment->fd, &ours) == 0 &&
           named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
}

/* ------------------------------------------------------------------------------------------------------ header */

/* Each field of the header that changes is a word by itself: release, so that a reader's acquire of a newer value
 * finds what was written before it. */

void segment_heartbeat(struct segment *segment)
{
    __atomic_store_n(&segment->header->heartbeat_mono_ns, monotonic_ns(), __ATOMIC_RELEASE);
    __atomic_store_n(&segment->header->daemon_state, DAEMON_RUNNING, __ATOMIC_RELEASE);
}

void segment_tsc_publish(struct segment *segment, const struct tsc_base *base)
{
    struct tsc_line *const line = &segment->header->tsc;
    const uint64_t sequence = line->sequence;
    struct tsc_base *const next = &line->bases[(sequence + 1) & 1];
    if (memcmp(base, &line->bases[sequence & 1], sizeof(*base)) == 0)
        return;
    /* Release: a reader that finds any of the next base's words finds that `sequence` had moved away from it before. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&next->cycles, base->cycles, __ATOMIC_RELAXED);
    __atomic_store_n(&next->ns, base->ns, __ATOMIC_RELAXED);
    __atomic_store_n(&next->ns_q32, base->ns_q32, __ATOMIC_RELAXED);
    __atomic_store_n(&line->sequence, sequence + 1, __ATOMIC_RELEASE); /* pairs with tsc_now_ns */
}

void segment_round(struct segment *segment)
{
    uint32_t *const round = &segment->header->round;
    __atomic_store_n(round, *round + 1, __ATOMIC_RELEASE);
}

void segment_stopped(struct segment *segment)
{
    __atomic_store_n(&segment->header->daemon_state, DAEMON_STOPPED, __ATOMIC_RELEASE);
}

void segment_started(struct segment *segment, pid_t keeper, pid_t worker)
{
    struct segment_header *header = segment->header;
    __atomic_store_n(&header->starts, header->starts + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&header->keeper_pid, (uint32_t)keeper, __ATOMIC_RELEASE);
    __atomic_store_n(&header->worker_pid, (uint32_t)worker, __ATOMIC_RELEASE);
}

void segment_commons_begin(struct segment *segment)
{
    const uint64_t number = segment->header->commons_number + 1;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        struct breaker_rest *const rest = &segment->rests[slot];
        const uint64_t mirror = segment->mirror[slot];
        if (!segment_used(segment, slot) || (rest->since != 0 && !word_moved(rest->word, mirror)))
            continue;
        /* In this order: with an old `since` and the new word, openings would be taken over that are too old. */
        __atomic_store_n(&rest->since, number, __ATOMIC_RELEASE);
        __atomic_store_n(&rest->word, mirror, __ATOMIC_RELEASE); /* pairs with the acquire of rest_load */
    }
}

void segment_commons_publish(struct segment *segment, uint64_t commons_id)
{
    struct segment_header *const header = segment->header;
    if (header->commons_id != commons_id) {
        /* Lanes are handed on with their commons; those of an older one are gone until they attach again. */
        for (uint32_t lane = 0; header->commons_id != 0 && lane <= LANES_MAX; lane++)
            segment_client_clear(segment, lane);
        /* A worker that dies in between leaves a number that nobody uses. */
        __atomic_store_n(&header->slots_before, header->slots, __ATOMIC_RELEASE);
        __atomic_store_n(&header->commons_number, header->commons_number + 1, __ATOMIC_RELEASE);
        __atomic_store_n(&header->commons_id, commons_id, __ATOMIC_RELEASE);
    }
    /* Also where a worker died between two of them. Sequentially consistent: pairs with a client that opens a breaker
     * in the old commons and then looks here (streak.c): it sees the new number, or tripd will be told of the opening.
     */
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        uint64_t *const admission = &segment->policies[slot].admission;
        const uint64_t moved = policy_with_commons(*admission, header->commons_number);
        if (segment_used(segment, slot) && *admission != moved)
            __atomic_store_n(admission, moved, __ATOMIC_SEQ_CST);
    }
}

void segment_bounds(struct segment *segment, uint32_t max_breakers, uint32_t max_lanes)
{
    __atomic_store_n(&segment->header->max_breakers, max_breakers, __ATOMIC_RELEASE);
    __atomic_store_n(&segment->header->max_lanes, max_lanes, __ATOMIC_RELEASE);
}

void segment_test_now(struct segment *segment, uint64_t now_ns)
{
    /* Pairs with the acquire of view_ticks_elsewhere: who sees the time sees what it made due. */
    __atomic_store_n(&segment->header->test_now_ns, now_ns, __ATOMIC_RELEASE);
}

void segment_counts(struct segment *segment, uint32_t breakers, uint32_t lanes)
{
    __atomic_store_n(&segment->header->breakers, breakers, __ATOMIC_RELEASE);
    __atomic_store_n(&segment->header->lanes, lanes, __ATOMIC_RELEASE);
}

void segment_refused(struct segment *segment)
{
    __atomic_store_n(&segment->header->refused, segment->header->refused + 1, __ATOMIC_RELEASE);
}

void segment_refused_lane(struct segment *segment, int error)
{
    struct segment_header *header = segment->header;
    uint64_t *count = error == -EMFILE ? &header->refused_lanes : &header->refused_memory;
    __atomic_store_n(count, *count + 1, __ATOMIC_RELEASE);
}

void segment_configured(struct segment *segment)
{
    __atomic_store_n(&segment->header->config_unix_ms, realtime_ms(), __ATOMIC_RELEASE);
}
