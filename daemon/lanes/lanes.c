#include "lanes/lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal/policy.h"
#include "log.h"

/* the memory that one thread needs for its first breakers; every lane is sure to get it */
#define LANE_COUNTED_LEAST ((uint64_t)96 << 10)
#define LANE_SEALS         (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct lane {
    struct lanes *lanes;
    struct lane_header *memory;
    uint64_t lane_id;
    uint64_t allocated; /* the lane's memory, as last measured */
    uint64_t charged;   /* memory that this process keeps for it on the heap */
    int fd;
    uint32_t number;
    uint32_t meters, rooms, sections; /* in use, as of the last look */
    bool calls;                       /* the table of calls in flight is in use */
    uid_t uid;
    pid_t pid;
    bool connected;
    char program[sizeof(((struct lane_header *)0)->program) + 1];
};

struct lanes {
    struct lanes_options options;
    struct lane **places; /* by number; place 0 is unused */
    uint32_t count, highest;
    bool told_charge; /* the log has said that a lane's quota is used up */
};

int lanes_new(const struct lanes_options *options, struct lanes **ret_lanes)
{
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (!lanes)
        return -ENOMEM;
    lanes->options = *options;
    lanes->places = calloc(LANES_MAX + 1, sizeof(struct lane *));
    if (!lanes->places) {
        free(lanes);
        return -ENOMEM;
    }
    *ret_lanes = lanes;
    return 0;
}

/* Frees everything of the lane but its descriptor. */
static void lane_drop(struct lane *lane)
{
    if (lane->memory)
        munmap(lane->memory, LANE_SIZE);
    free(lane);
}

static void lane_free(struct lane *lane)
{
    close(lane->fd);
    lane_drop(lane);
}

struct lanes *lanes_free(struct lanes *lanes)
{
    if (!lanes)
        return NULL;
    for (uint32_t number = 1; number <= lanes->highest; number++)
        if (lanes->places[number])
            lane_free(lanes->places[number]);
    free(lanes->places);
    free(lanes);
    return NULL;
}

void lanes_reconfigure(struct lanes *lanes, uint32_t max_lanes, uint64_t memory_per_user)
{
    lanes->options.max_lanes = max_lanes;
    lanes->options.memory_per_user = memory_per_user;
}

/* ------------------------------------------------------------------------------------------------------- attaching */

static bool has_memory(int fd, size_t from, size_t until)
{
    return lseek(fd, (off_t)from, SEEK_HOLE) >= (off_t)until;
}

/* Tells why a file is no lane. NULL: it can be mapped and read without a SIGBUS. */
static const char *misfit_file(int fd)
{
    struct stat status;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return "the lane is no memfd";
    if ((seals & LANE_SEALS) != LANE_SEALS)
        return "the lane is not sealed against shrinking, growing and further seals";
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return "the lane is no file";
    if (status.st_size < 0 || (size_t)status.st_size != LANE_SIZE)
        return "the lane has another size than this tripd's lanes";
    if (!has_memory(fd, 0, lane_head_offset(1)) || !has_memory(fd, LANE_RESOLVED_OFFSET, LANE_CALLS_OFFSET))
        return "the lane's header has no memory";
    return NULL;
}

/* Tells why a header is none of a lane of this layout. NULL: it is one. header: a copy. */
static const char *misfit_header(const struct lanes *lanes, const struct lane_header *header, uint64_t lane_id)
{
    if (header->magic != LANE_MAGIC)
        return "the lane's magic is not a lane's";
    if (header->version != LAYOUT_VERSION)
        return "the lane has another layout version";
    if (header->digest != layout_digest())
        return "the lane has another layout digest";
    if (header->lane_id == 0)
        return "the lane has no id";
    if (header->lane_id != lane_id)
        return "the lane has another id than the packet that brought it";
    if (header->segment_id != lanes->options.segment_id)
        return "the lane counts for the breakers of another segment";
    return NULL;
}

/* Copies the program's name, as the lane gives it, made fit for a terminal. */
static void copy_program(char to[sizeof(((struct lane *)0)->program)],
                         const char from[sizeof(((struct lane_header *)0)->program)])
{
    size_t i = 0;
    for (; i < sizeof(((struct lane_header *)0)->program) && from[i]; i++)
        to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?';
    to[i] = '\0';
}

static int lane_map(const struct lanes *lanes, const struct lane_offer *offer, struct lane *lane, const char **ret_why)
{
    struct lane_header header = {0};
    const char *why = misfit_file(offer->fd);
    /* With pread, not through a mapping: reading a page there would also map pages around it, which tripd never reads.
     */
    if (!why && pread(offer->fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
        why = "the lane's header cannot be read";
    if (!why)
        why = misfit_header(lanes, &header, offer->lane_id);
    if (why) {
        *ret_why = why;
        return -EINVAL;
    }
    void *const memory = mmap(NULL, LANE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, offer->fd, 0);
    if (memory == MAP_FAILED) {
        const int error = -errno;
        *ret_why = "the lane cannot be mapped for writing";
        return error == -ENOMEM ? error : -EINVAL;
    }
    lane->memory = memory;
    lane->lane_id = header.lane_id;
    copy_program(lane->program, header.program);
    return 0;
}

/* Opens the memfd again. The sender's file description may hold its lock, which our mapping would keep. tripd does not
 * wait for a memfd on which the sender has put a lease. -1: it cannot be opened again; the sender's descriptor must do.
 */
static int own_description(int fd)
{
    char path[32];
    const bool writable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR; /* tripd's rights might make it writable */
    if (!writable || misfit_file(fd))
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

/* Finds this user's lane by its id. Another user's lane may have the same id without conflict: whoever reads an id can
 * take it. */
static struct lane *lane_of_id(const struct lanes *lanes, uid_t uid, uint64_t lane_id)
{
    for (uint32_t number = 1; number <= lanes->highest; number++) {
        struct lane *const lane = lanes->places[number];
        if (lane && lane->lane_id == lane_id && lane->uid == uid)
            return lane;
    }
    return NULL;
}

static bool same_memfd(int fd, int other_fd)
{
    struct stat status, other;
    return fstat(fd, &status) == 0 && fstat(other_fd, &other) == 0 && status.st_dev == other.st_dev &&
           status.st_ino == other.st_ino;
}

static uint64_t counted(const struct lane *lane)
{
    const uint64_t taken = lane->allocated + lane->charged;
    return taken > LANE_COUNTED_LEAST ? taken : LANE_COUNTED_LEAST;
}

uint64_t lanes_memory(const struct lanes *lanes)
{
    uint64_t memory = 0;
    for (uint32_t number = 1; number <= lanes->highest; number++)
        if (lanes->places[number])
            memory += lanes->places[number]->allocated + lanes->places[number]->charged;
    return memory;
}

static bool within_quota(const struct lanes *lanes, uid_t uid, uint64_t more)
{
    uint64_t memory = more;
    for (uint32_t number = 1; number <= lanes->highest; number++)
        if (lanes->places[number] && lanes->places[number]->uid == uid)
            memory += counted(lanes->places[number]);
    return memory <= lanes->options.memory_per_user;
}

static void say_no_room(struct lanes *lanes, uid_t uid)
{
    if (lanes->told_charge)
        return;
    lanes->told_charge = true;
    log_warning("limits.lane_memory_per_user is used up by processes of uid %u, and what they report of breakers that "
                "are new to them is not counted; raise it, and reload the config",
                (unsigned)uid);
}

bool lane_charge(struct lane *lane, size_t bytes)
{
    const bool sure = lane->allocated + lane->charged + bytes <= LANE_COUNTED_LEAST;
    if (!sure && !within_quota(lane->lanes, lane->uid, bytes)) {
        say_no_room(lane->lanes, lane->uid);
        return false;
    }
    lane->charged += bytes;
    return true;
}

/* Finds a free number, or checks that the wanted one is free. 0: there is none, or the wanted one is taken. */
static uint32_t free_number(const struct lanes *lanes, uint32_t wanted)
{
    if (wanted)
        return wanted <= LANES_MAX && !lanes->places[wanted] ? wanted : 0;
    if (lanes->count >= lanes->options.max_lanes)
        return 0;
    uint32_t number = 1; /* there are more numbers than lanes */
    while (lanes->places[number])
        number++;
    return number;
}

/* Handles an attach for a lane that is there already: its own process comes back, or another process claims its id. */
static int take_up_again(struct lane *lane, int fd, pid_t pid, const char **ret_why)
{
    if (lane->connected || !same_memfd(lane->fd, fd)) {
        *ret_why = "a lane with this id is attached";
        return -EEXIST;
    }
    lane->connected = true;
    lane->pid = pid;
    return 0;
}

/* Gives the lane its number, if there is room for one more lane. */
static int admit(const struct lanes *lanes, const struct lane_offer *offer, struct lane *lane, const char **ret_why)
{
    lane->number = free_number(lanes, offer->number);
    if (!lane->number) {
        *ret_why = offer->number ? "another lane has this number" : "limits.max_lanes lanes are attached";
        return -EMFILE;
    }
    if (!within_quota(lanes, offer->uid, counted(lane))) {
        *ret_why = "limits.lane_memory_per_user is used up by this user's other processes";
        return -EDQUOT;
    }
    return 0;
}

/* Attaches a lane. Takes the offered descriptor on success. */
static int attach(struct lanes *lanes, const struct lane_offer *offer, struct lane **ret_lane, const char **ret_why)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane) {
        *ret_why = "out of memory";
        return -ENOMEM;
    }
    lane->fd = offer->fd;
    lane_measure(lane);
    int error = lane_map(lanes, offer, lane, ret_why);
    struct lane *const before = error == 0 ? lane_of_id(lanes, offer->uid, lane->lane_id) : NULL;
    if (before) {
        *ret_why = "another process's lane has its id";
        error = offer->number ? -EEXIST : take_up_again(before, offer->fd, offer->pid, ret_why);
        lane_drop(lane);
        if (error < 0)
            return error;
        close(offer->fd);
        *ret_lane = before;
        return 0;
    }
    if (error == 0)
        error = admit(lanes, offer, lane, ret_why);
    if (error < 0) {
        lane_drop(lane);
        return error;
    }
    lane->lanes = lanes;
    lane->uid = offer->uid;
    lane->pid = offer->pid;
    lane->connected = offer->number == 0;
    lanes->places[lane->number] = lane;
    lanes->count++;
    if (lane->number > lanes->highest)
        lanes->highest = lane->number;
    /* Pairs with the acquire of a client that asks whether its lane is looked at. */
    __atomic_store_n(&lane->memory->detached, 0, __ATOMIC_RELEASE);
    *ret_lane = lane;
    return 0;
}

int lanes_attach(struct lanes *lanes, const struct lane_offer *offer, struct lane **ret_lane, const char **ret_why)
{
    /* the keeper already holds a description of our own */
    const int own = offer->number == 0 ? own_description(offer->fd) : -1;
    struct lane_offer ours = *offer;
    if (own >= 0)
        ours.fd = own;
    const int error = attach(lanes, &ours, ret_lane, ret_why);
    if (own >= 0)
        close(error < 0 ? own : offer->fd);
    return error;
}

void lane_grant(struct lane *lane, uint64_t commons_number)
{
    const uint64_t granted = policy_lane_grant(commons_number, lane->number);
    /* Sequentially consistent: pairs with the fence of tell_ring. Either the client sees its number and rings, or the
     * look at the lane that follows this grant sees what it told. */
    __atomic_store_n(&lane->memory->granted, granted, __ATOMIC_SEQ_CST);
}

void lane_hung_up(struct lane *lane)
{
    lane->connected = false;
}

void lanes_remove(struct lanes *lanes, struct lane *lane)
{
    /* Pairs with the client's acquire: it may give up this lane. */
    __atomic_store_n(&lane->memory->detached, 1, __ATOMIC_RELEASE);
    lanes->places[lane->number] = NULL;
    lanes->count--;
    while (lanes->highest > 0 && !lanes->places[lanes->highest])
        lanes->highest--;
    lane_free(lane);
}

struct lane *lanes_get(const struct lanes *lanes, uint32_t number)
{
    return number >= 1 && number <= LANES_MAX ? lanes->places[number] : NULL;
}

uint32_t lanes_count(const struct lanes *lanes)
{
    return lanes->count;
}

uint32_t lanes_highest(const struct lanes *lanes)
{
    return lanes->highest;
}

bool lane_abandoned(const struct lane *lane)
{
    if (flock(lane->fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    flock(lane->fd, LOCK_UN);
    return true;
}

/* ------------------------------------------------------------------------------------------------------ what it is */

uint32_t lane_number(const struct lane *lane)
{
    return lane->number;
}

uint64_t lane_identity(const struct lane *lane)
{
    return lane->lane_id;
}

uid_t lane_uid(const struct lane *lane)
{
    return lane->uid;
}

pid_t lane_pid(const struct lane *lane)
{
    return lane->pid;
}

const char *lane_program(const struct lane *lane)
{
    return lane->program;
}

int lane_fd(const struct lane *lane)
{
    return lane->fd;
}

uint32_t lane_meters(const struct lane *lane)
{
    return lane->meters;
}

uint64_t lane_lost(const struct lane *lane)
{
    return __atomic_load_n(&lane->memory->lost, __ATOMIC_RELAXED); /* only its value counts */
}

/* ------------------------------------------------------------------------------------------------ for who reads it */

void *lane_memory(const struct lane *lane)
{
    return lane->memory;
}

bool lane_resolved(const struct lane *lane, uint32_t breaker)
{
    /* Relaxed: the fences of both sides order it (libtrip's lane_resolve, and who asks here). */
    const uint64_t bits = __atomic_load_n(lane_resolved_at(lane->memory, breaker), __ATOMIC_RELAXED);
    return bits >> breaker % 64 & 1;
}

bool lane_resolved_any(const struct lane *lane, const uint64_t *breakers)
{
    for (uint32_t word = 0; word < LANE_BREAKERS / 64; word++)
        /* Relaxed: a process whose bit comes after this look has yet to bind the breaker, and then looks itself. */
        if (breakers[word] &&
            breakers[word] & __atomic_load_n(lane_resolved_at(lane->memory, word * 64), __ATOMIC_RELAXED))
            return true;
    return false;
}

void lane_measure(struct lane *lane)
{
    struct stat status;
    if (fstat(lane->fd, &status) == 0)
        lane->allocated = (uint64_t)status.st_blocks * 512;
}

/* Returns how far the lane has memory from this offset on. */
static size_t memory_until(const struct lane *lane, size_t from)
{
    const off_t hole = lseek(lane->fd, (off_t)from, SEEK_HOLE);
    return hole > (off_t)from ? (size_t)hole : from;
}

static uint32_t as_far_as(uint32_t marked, size_t there)
{
    return marked < there ? marked : (uint32_t)there;
}

static void look_for_meters(struct lane *lane, uint32_t marked)
{
    const size_t until = memory_until(lane, lane_meter_offset(lane->meters));
    lane->meters = as_far_as(marked, (until - LANE_METERS_OFFSET) / sizeof(struct meter));
}

static void look_for_rooms(struct lane *lane, uint32_t marked)
{
    const size_t until = memory_until(lane, lane_room_offset(lane->rooms));
    lane->rooms = as_far_as(marked, (until - LANE_ROOMS_OFFSET) / sizeof(struct lane_room));
}

static void look_for_sections(struct lane *lane, uint32_t marked)
{
    const size_t rings = memory_until(lane, lane_rings_offset(lane->sections)) - LANE_RINGS_OFFSET;
    const size_t heads = memory_until(lane, lane_head_offset(lane->sections)) - LANE_HEADS_OFFSET;
    lane->sections = as_far_as(as_far_as(marked, rings / LANE_RINGS_SIZE), heads / sizeof(struct lane_section));
}

void lane_look(struct lane *lane)
{
    /* Pairs with the client's release after it took a meter, a room or a section: those below are initialised. */
    const uint32_t meters = as_far_as(__atomic_load_n(&lane->memory->meters_used, __ATOMIC_ACQUIRE), LANE_METERS);
    const uint32_t sections = as_far_as(__atomic_load_n(&lane->memory->sections_used, __ATOMIC_ACQUIRE), LANE_SECTIONS);
    const uint32_t rooms = as_far_as(__atomic_load_n(&lane->memory->rooms_used, __ATOMIC_ACQUIRE), LANE_ROOMS);
    if (meters <= lane->meters && rooms <= lane->rooms && sections <= lane->sections)
        return;
    if (meters > lane->meters)
        look_for_meters(lane, meters);
    if (rooms > lane->rooms)
        look_for_rooms(lane, rooms);
    if (sections > lane->sections)
        look_for_sections(lane, sections);
    lane_measure(lane);
}

uint32_t lane_sections(const struct lane *lane)
{
    return lane->sections;
}

uint32_t lane_rooms(const struct lane *lane)
{
    return lane->rooms;
}

bool lane_calls(struct lane *lane)
{
    /* Pairs with the client's release after it gave the table its memory. */
    if (!lane->calls && __atomic_load_n(&lane->memory->calls_used, __ATOMIC_ACQUIRE))
        lane->calls = memory_until(lane, LANE_CALLS_OFFSET) >= LANE_RINGS_OFFSET;
    return lane->calls;
}

void lanes_reading(const struct lanes *lanes, uint32_t number)
{
    if (lanes->options.draining) /* the keeper looks after this process is dead, so that no order is needed */
        __atomic_store_n(lanes->options.draining, number, __ATOMIC_RELAXED);
}
