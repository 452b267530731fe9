#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/breaker.h"
#include "internal/error_records.h"
#include "internal/events.h"
#include "internal/levels.h"
#include "internal/names.h"
#include "internal/paths.h"
#include "internal/segment_plan.h"
#include "internal/ticks.h"
#include "users.h"
#include "wrong.h"

#define TRIES    5
#define FILE_MAX (UINT64_C(4) << 30)

enum data_from { DATA_READ /* from a file */, DATA_MAPPED, DATA_BORROWED };

struct snapshot {
    const uint8_t *data;
    uint64_t size;
    enum data_from from;
    struct section sections[SECTION_COUNT]; /* checked */
    enum report_daemon daemon;              /* as the tool knows it */
    /* Where it is looked at; of borrowed memory also when, and what was known of tripd then. */
    struct snapshot_look look;
    bool boot_known; /* false: there is no boot id here, as without /proc */
};

/* -------------------------------------------------------------------------------------------------------- checking */

/* Checks a section. least: what an entry must hold for this reader; a later version's entries may be longer. */
static bool section_ok(const struct section *section, uint32_t least, uint64_t size)
{
    return section->offset >= sizeof(struct segment_header) && section->offset % 8 == 0 && section->stride >= least &&
           section->stride % 8 == 0 && section->offset <= size &&
           (uint64_t)section->stride * section->count <= size - section->offset;
}

static bool counts_ok(const struct section sections[SECTION_COUNT])
{
    const uint32_t places = sections[SECTION_NAMES].count;
    bool ok = sections[SECTION_TRANSITIONS].count == TRANSITION_RING && sections[SECTION_ACTS].count == ACTS_RING &&
              sections[SECTION_CLIENTS].count >= 1 && sections[SECTION_PATTERNS].count == PATTERNS_MAX && places &&
              (places & (places - 1)) == 0;
    for (unsigned i = 0; i < SECTION_COUNT; i++)
        ok = ok && (section_memory(i) != MEMORY_SLOTS || sections[i].count >= BREAKERS_MAX);
    return ok;
}

/* Checks the header of a segment. header: a copy of it. */
static int check(const struct segment_header *header, const char *path, char **ret_why)
{
    if (header->magic != SEGMENT_MAGIC)
        return wrong(ret_why, -EBADMSG, "%s is no state segment of tripd", path);
    if (header->version == 0)
        return wrong(ret_why, -EAGAIN, "%s is being made: try again", path);
    if (header->version != LAYOUT_VERSION || header->digest != layout_digest())
        return wrong(ret_why, -EPROTO,
                     "%s has layout %u, digest %016llx; this tripctl reads layout %u, digest %016llx: install the same "
                     "version of tripd and tripctl",
                     path, header->version, (unsigned long long)header->digest, LAYOUT_VERSION,
                     (unsigned long long)layout_digest());
    if (header->size > FILE_MAX)
        return wrong(ret_why, -EBADMSG, "%s is damaged: no segment has %llu bytes", path,
                     (unsigned long long)header->size);
    for (unsigned i = 0; i < SECTION_COUNT; i++)
        if (!section_ok(&header->sections[i], section_shape(i).stride, header->size))
            return wrong(ret_why, -EBADMSG, "%s is damaged: section %u is not where it can be", path, i);
    if (!counts_ok(header->sections) || header->slots > BREAKERS_MAX ||
        header->latency_groups > header->sections[SECTION_LATENCY].count ||
        header->error_records > header->sections[SECTION_ERRORS].count ||
        header->fingerprints > header->sections[SECTION_FINGERPRINTS].count ||
        header->sections[SECTION_INCIDENTS].count != INCIDENTS_KEPT || header->sections[SECTION_CHRONICLE].count != 1 ||
        header->groups > header->sections[SECTION_GROUPS].count || header->sections[SECTION_HOST].count != 1 ||
        header->sections[SECTION_ERROR_ROWS].count != ERROR_ROWS || header->sections[SECTION_CORRELATION].count != 1 ||
        header->sections[SECTION_LEVELS].count != 1)
        return wrong(ret_why, -EBADMSG, "%s is damaged: its sections do not go together", path);
    return 0;
}

/* Plans a packed copy, which has the header in its first page and then the entries of each section that are in use.
 * sections: where they are now. Returns the size of the copy, whole pages. */
static uint64_t plan_packed(const struct segment_header *header, const struct section *sections,
                            struct section packed[SECTION_COUNT])
{
    uint64_t size = LAYOUT_PAGE;
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        packed[i] = (struct section){.offset = size,
                                     .stride = sections[i].stride,
                                     .count = (uint32_t)at_most(section_entries(header, i), sections[i].count)};
        size += LANE_ALIGN((uint64_t)packed[i].stride * packed[i].count);
    }
    return size;
}

/* --------------------------------------------------------------------------------------------------------- opening */

static bool owner_trusted(uid_t owner)
{
    const struct passwd *tripd = getpwnam("tripd");
    return owner == 0 || owner == geteuid() || (tripd && owner == tripd->pw_uid);
}

static int map(struct snapshot *snapshot, int fd, const struct segment_header *header)
{
    void *data = mmap(NULL, snapshot->size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    snapshot->data = data;
    snapshot->from = DATA_MAPPED;
    memcpy(snapshot->sections, header->sections, sizeof(snapshot->sections));
    return 0;
}

static bool load_at(int fd, uint8_t *to, uint64_t size, uint64_t offset)
{
    for (uint64_t loaded = 0; loaded < size;) {
        const ssize_t more = pread(fd, to + loaded, size - loaded, (off_t)(offset + loaded));
        if (more <= 0)
            return false;
        loaded += (uint64_t)more;
    }
    return true;
}

/* Copies the part of a checked file that is in use. The file has places for many more breakers, which a copy of it may
 * have filled with zeros. */
static int load(struct snapshot *snapshot, int fd, const struct segment_header *header)
{
    const uint64_t size = plan_packed(header, header->sections, snapshot->sections);
    if (size > LAYOUT_PAGE + SECTION_COUNT * LAYOUT_PAGE + header->size)
        return -EBADMSG; /* the sections overlap */
    uint8_t *const data = aligned_alloc(LAYOUT_PAGE, size);
    if (!data)
        return -ENOMEM;
    snapshot->data = data;
    memcpy(data, header, sizeof(*header));
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        const struct section *const section = &snapshot->sections[i];
        if (!load_at(fd, data + section->offset, (uint64_t)section->stride * section->count,
                     header->sections[i].offset))
            return -EIO;
    }
    return 0;
}

static int take(struct snapshot *snapshot, int fd, const char *path, bool is_file, char **ret_why)
{
    struct stat status;
    char owner[USER_NAME_MAX];
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || status.st_size <= 0 || (uint64_t)status.st_size > FILE_MAX)
        return wrong(ret_why, -EBADMSG, "%s is no state segment of tripd", path);
    if (!is_file && !owner_trusted(status.st_uid))
        return wrong(ret_why, -EPERM,
                     "%s belongs to user %s, who is neither root, nor tripd, nor you: it is not looked at; with "
                     "--segment it is, if you trust it",
                     path, user_name(status.st_uid, owner));
    snapshot->size = (uint64_t)status.st_size;
    struct segment_header header;
    if (!load_at(fd, (uint8_t *)&header, sizeof(header), 0))
        return wrong(ret_why, -EBADMSG, "%s is no state segment of tripd: it is too short", path);
    const int error = check(&header, path, ret_why);
    if (error < 0)
        return error;
    if (header.size > snapshot->size)
        return wrong(ret_why, -EBADMSG, "%s is cut short: %llu bytes of %llu", path, (unsigned long long)snapshot->size,
                     (unsigned long long)header.size);
    return is_file ? load(snapshot, fd, &header) : map(snapshot, fd, &header);
}

int snapshot_open(const char *path, bool is_file, struct snapshot **ret_snapshot, char **ret_why)
{
    *ret_why = NULL;
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return -ENOMEM;
    snapshot->boot_known = boot_id_read(snapshot->look.boot_id) == 0;
    int fd = is_file ? open(path, O_RDONLY | O_CLOEXEC) : paths_segment_open(path, O_RDONLY, 0);
    if (is_file && fd < 0)
        fd = -errno;
    int error = fd;
    if (fd >= 0) {
        error = take(snapshot, fd, path, is_file, ret_why);
        close(fd);
    }
    if (error < 0) {
        snapshot_close(snapshot);
        return error;
    }
    *ret_snapshot = snapshot;
    return 0;
}

int snapshot_of_memory(const void *packed, uint64_t size, const char *name, const struct snapshot_look *look,
                       struct snapshot **ret_snapshot, char **ret_why)
{
    struct segment_header header;
    *ret_why = NULL;
    if (size < sizeof(header))
        return wrong(ret_why, -EBADMSG, "%s has no segment: it is too short", name);
    memcpy(&header, packed, sizeof(header));
    const int error = check(&header, name, ret_why);
    if (error < 0)
        return error;
    struct snapshot *const snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return -ENOMEM;
    *snapshot = (struct snapshot){
        .data = packed, .size = size, .from = DATA_BORROWED, .daemon = look->daemon, .look = *look, .boot_known = true};
    if (plan_packed(&header, header.sections, snapshot->sections) != size) {
        free(snapshot);
        return wrong(ret_why, -EBADMSG, "%s is damaged: its segment has another size", name);
    }
    *ret_snapshot = snapshot;
    return 0;
}

struct snapshot *snapshot_close(struct snapshot *snapshot)
{
    if (!snapshot)
        return NULL;
    if (snapshot->from == DATA_MAPPED)
        munmap((void *)snapshot->data, snapshot->size);
    else if (snapshot->from == DATA_READ)
        free((void *)snapshot->data);
    free(snapshot);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------------- header */

static const void *entry(const struct snapshot *snapshot, enum segment_section section, uint64_t index)
{
    const struct section *place = &snapshot->sections[section];
    return snapshot->data + place->offset + index * place->stride;
}

struct segment_header snapshot_header(const struct snapshot *snapshot)
{
    return *(const struct segment_header *)snapshot->data;
}

enum report_daemon snapshot_daemon(const struct snapshot *snapshot)
{
    if (snapshot->from == DATA_BORROWED)
        return snapshot->look.daemon;
    const struct segment_header header = snapshot_header(snapshot);
    return snapshot->boot_known ? report_daemon_state(&header, monotonic_ns(), snapshot->look.boot_id) : REPORT_GONE;
}

void snapshot_know_daemon(struct snapshot *snapshot, enum report_daemon daemon)
{
    snapshot->daemon = daemon;
}

enum report_daemon snapshot_known_daemon(const struct snapshot *snapshot)
{
    return snapshot->daemon;
}

uint64_t snapshot_mono_ns(const struct snapshot *snapshot)
{
    return snapshot->from == DATA_BORROWED ? snapshot->look.mono_ns : monotonic_ns();
}

/* Is it of the boot in which it is looked at, so that its times are of that host's clock? */
static bool of_this_boot(const struct snapshot *snapshot, const struct segment_header *header)
{
    return snapshot->boot_known && memcmp(header->boot_id, snapshot->look.boot_id, sizeof(header->boot_id)) == 0 &&
           header->heartbeat_mono_ns <= snapshot_mono_ns(snapshot);
}

uint64_t snapshot_now_ms(const struct snapshot *snapshot)
{
    const struct segment_header header = snapshot_header(snapshot);
    if (header.clock_kind == CLOCK_KIND_TEST)
        return header.test_now_ns / 1000000;
    const bool here = snapshot->from != DATA_READ && of_this_boot(snapshot, &header);
    const uint64_t at_ns = here ? snapshot_mono_ns(snapshot) : header.heartbeat_mono_ns;
    return at_ns > header.created_mono_ns ? (at_ns - header.created_mono_ns) / 1000000 : 0;
}

/* --------------------------------------------------------------------------------------------------------- packing */

uint64_t snapshot_packed_size(const struct snapshot *snapshot)
{
    struct section packed[SECTION_COUNT];
    const struct segment_header header = snapshot_header(snapshot);
    return plan_packed(&header, snapshot->sections, packed);
}

/* Takes the words over that differ, in an order in which a reader sees a guarded copy (internal/words.h). False: none
 * differs. */
static bool take_words(void *to, const void *shared, uint64_t size)
{
    uint64_t *const copy = to;
    const shared_word *const from = shared;
    bool differs = false;
    for (uint64_t i = 0; i < size / 8; i++) {
        const uint64_t word = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE); /* pairs with the writers' releases */
        differs |= word != copy[i];
        copy[i] = word;
    }
    return differs;
}

/* Looks at an entry until it is found as it was found before: then it stood like this at one moment. */
static void take_entry(void *to, const void *shared, uint64_t size)
{
    for (unsigned tries = 0; take_words(to, shared, size) && tries < TRIES; tries++)
        ;
}

bool snapshot_pack(const struct snapshot *snapshot, void *packed, uint64_t size)
{
    struct segment_header header = {0};
    struct section sections[SECTION_COUNT];
    take_entry(&header, snapshot->data, sizeof(header));
    if (plan_packed(&header, snapshot->sections, sections) != size)
        return false;
    memcpy(packed, &header, sizeof(header));
    for (unsigned i = 0; i < SECTION_COUNT; i++)
        for (uint32_t at = 0; at < sections[i].count; at++)
            take_entry((uint8_t *)packed + sections[i].offset + (uint64_t)at * sections[i].stride,
                       entry(snapshot, i, at), sections[i].stride);
    return true;
}

/* -------------------------------------------------------------------------------------------------------- breakers */

uint32_t snapshot_slots(const struct snapshot *snapshot)
{
    /* Acquire: pairs with tripd's release when they have memory. */
    const uint32_t slots = __atomic_load_n(&((const struct segment_header *)snapshot->data)->slots, __ATOMIC_ACQUIRE);
    return slots < BREAKERS_MAX ? slots : BREAKERS_MAX;
}

static void copy_latency(const struct snapshot *snapshot, const uint32_t numbers[LATENCY_GROUPS],
                         uint64_t ret_latency[LATENCY_BUCKETS])
{
    const struct section *const section = &snapshot->sections[SECTION_LATENCY];
    /* Acquire: pairs with tripd's release when they have memory. */
    const uint32_t there =
        __atomic_load_n(&((const struct segment_header *)snapshot->data)->latency_groups, __ATOMIC_ACQUIRE);
    latency_load(numbers, entry(snapshot, SECTION_LATENCY, 0), section->stride,
                 there < section->count ? there : section->count, ret_latency);
}

/* Copies what tripd writes under a sequence. If a tripd died within a write, the sequence stays odd, and what is there
 * is shown. */
static void copy_sequenced(const uint64_t *sequence, const void *from, void *to, size_t size)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        /* Acquire: pairs with the release of the sequence that ended the last write. */
        const uint64_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
        memcpy(to, from, size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy before the second look */
        if (!(before & 1) && __atomic_load_n(sequence, __ATOMIC_RELAXED) == before)
            break;
    }
}

/* Copies the details, and the calls by latency of the same name. */
static bool copy_detail(const struct snapshot *snapshot, uint32_t slot, struct snapshot_breaker *ret_breaker)
{
    const struct detail_slot *const from = entry(snapshot, SECTION_DETAIL, slot);
    struct detail_slot *const detail = &ret_breaker->detail;
    uint64_t after;
    unsigned tries = 0;
    do {
        copy_sequenced(&from->sequence, from, detail, sizeof(*from));
        copy_latency(snapshot, detail->latency, ret_breaker->latency);
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy before the second look */
        after = __atomic_load_n(&from->sequence, __ATOMIC_RELAXED);
    } while (detail->sequence != after && ++tries < TRIES);
    detail->name[TRIP_NAME_MAX] = '\0';
    return detail->name[0] != '\0';
}

/* Copies the first `size` bytes of the image in force. */
static void copy_core(const struct core_slot *from, void *ret_core, size_t size)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        /* Acquire: pairs with the release of segment_commit. */
        const uint64_t commits = __atomic_load_n(&from->commits, __ATOMIC_ACQUIRE);
        memcpy(ret_core, &from->images[commits & 1], size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy before the second look */
        if (__atomic_load_n(&from->commits, __ATOMIC_RELAXED) == commits)
            return;
    }
}

static int find(const struct snapshot *snapshot, const char *name, uint32_t *ret_slot)
{
    return names_find(entry(snapshot, SECTION_NAMES, 0), snapshot->sections[SECTION_NAMES].count,
                      entry(snapshot, SECTION_DETAIL, 0), snapshot->sections[SECTION_DETAIL].stride,
                      snapshot_slots(snapshot), name, ret_slot, NULL);
}

/* Returns the time since the last heartbeat; for another boot or host it is not known. */
static uint64_t uncertain_for_ms(const struct snapshot *snapshot)
{
    const struct segment_header header = snapshot_header(snapshot);
    if (snapshot->daemon == REPORT_RUNNING || snapshot->daemon == REPORT_GONE || !of_this_boot(snapshot, &header))
        return 0;
    return (snapshot_mono_ns(snapshot) - header.heartbeat_mono_ns) / 1000000;
}

bool snapshot_breaker(const struct snapshot *snapshot, uint32_t slot, struct snapshot_breaker *ret_breaker)
{
    uint32_t found;
    if (!copy_detail(snapshot, slot, ret_breaker))
        return false;
    if (find(snapshot, ret_breaker->detail.name, &found) < 0 || found != slot)
        return false; /* it is forgotten, or not published yet */
    const uint64_t *mirror = entry(snapshot, SECTION_MIRROR, slot);
    ret_breaker->policy = *(const struct policy_slot *)entry(snapshot, SECTION_POLICY, slot);
    copy_core(entry(snapshot, SECTION_CORE, slot), &ret_breaker->core, sizeof(ret_breaker->core));
    const struct limits_shown *limits = entry(snapshot, SECTION_LIMITS, slot);
    copy_sequenced(&limits->sequence, limits, &ret_breaker->limits, sizeof(*limits));
    const struct reporters_shown *reporters = entry(snapshot, SECTION_REPORTERS, slot);
    copy_sequenced(&reporters->sequence, reporters, &ret_breaker->reporters, sizeof(*reporters));
    ret_breaker->report = (struct report_breaker){.policy = &ret_breaker->policy,
                                                  .detail = &ret_breaker->detail,
                                                  .core = &ret_breaker->core,
                                                  .word = __atomic_load_n(mirror, __ATOMIC_RELAXED),
                                                  .now_ms = snapshot_now_ms(snapshot),
                                                  .limits = &ret_breaker->limits,
                                                  .reporters = &ret_breaker->reporters,
                                                  .latency = ret_breaker->latency,
                                                  .daemon = snapshot->daemon,
                                                  .as_of_ms = uncertain_for_ms(snapshot)};
    return true;
}

bool snapshot_window(const struct snapshot *snapshot, uint32_t slot, struct window *ret_window)
{
    struct core_state core;
    copy_core(entry(snapshot, SECTION_CORE, slot), &core, sizeof(core));
    *ret_window = core.window;
    return window_ok(ret_window);
}

static struct error_records records_of(const struct snapshot *snapshot)
{
    const struct correlation_shown *const shown = entry(snapshot, SECTION_CORRELATION, 0);
    const struct segment_header header = snapshot_header(snapshot);
    return (struct error_records){.places = entry(snapshot, SECTION_ERRORS, 0),
                                  .stride = snapshot->sections[SECTION_ERRORS].stride,
                                  .count =
                                      (uint32_t)at_most(header.error_records, snapshot->sections[SECTION_ERRORS].count),
                                  .next = __atomic_load_n(&shown->next, __ATOMIC_ACQUIRE)};
}

bool snapshot_error(const struct snapshot *snapshot, uint64_t after, struct error_record *ret_record)
{
    const struct error_records records = records_of(snapshot);
    return error_record_after(&records, after, ret_record);
}

bool snapshot_find(const struct snapshot *snapshot, const char *name, struct snapshot_breaker *ret_breaker)
{
    uint32_t slot;
    if (find(snapshot, name, &slot) < 0 || !snapshot_breaker(snapshot, slot, ret_breaker))
        return false;
    const struct error_records records = records_of(snapshot);
    if (error_record_find(&records, ret_breaker->detail.error_sequence, &ret_breaker->error))
        ret_breaker->report.error = &ret_breaker->error;
    return true;
}

/* ---------------------------------------------------------------------------------------------------- all the rest */

bool snapshot_transition(const struct snapshot *snapshot, uint64_t index, struct transition *ret_transition)
{
    const struct events events = {.header = (const struct segment_header *)snapshot->data,
                                  .ring = entry(snapshot, SECTION_TRANSITIONS, 0),
                                  .acts = entry(snapshot, SECTION_ACTS, 0),
                                  .ring_stride = snapshot->sections[SECTION_TRANSITIONS].stride,
                                  .acts_stride = snapshot->sections[SECTION_ACTS].stride};
    return event_from(&events, index, ret_transition);
}

/* Returns the time at which tripd counted last. */
static uint64_t as_of_ms(const struct snapshot *snapshot)
{
    const struct segment_header header = snapshot_header(snapshot);
    if (snapshot->daemon == REPORT_RUNNING || header.clock_kind == CLOCK_KIND_TEST)
        return snapshot_now_ms(snapshot);
    return time_until(header.heartbeat_mono_ns, header.created_mono_ns) / 1000000;
}

struct report_correlation snapshot_correlation(const struct snapshot *snapshot)
{
    return (struct report_correlation){.rows = entry(snapshot, SECTION_ERROR_ROWS, 0),
                                       .shown = entry(snapshot, SECTION_CORRELATION, 0),
                                       .now_ns = as_of_ms(snapshot) * 1000000};
}

uint32_t snapshot_fingerprints(const struct snapshot *snapshot)
{
    /* Acquire: pairs with tripd's release when the entries have memory. */
    return (uint32_t)at_most(
        __atomic_load_n(&((const struct segment_header *)snapshot->data)->fingerprints, __ATOMIC_ACQUIRE),
        snapshot->sections[SECTION_FINGERPRINTS].count);
}

bool snapshot_fingerprint(const struct snapshot *snapshot, uint32_t place, struct fingerprint *ret_entry)
{
    const uint64_t id = words_take(ret_entry, entry(snapshot, SECTION_FINGERPRINTS, place), sizeof(*ret_entry));
    ret_entry->text[FINGERPRINT_TEXT_MAX] = '\0';
    return id != 0;
}

bool snapshot_incident(const struct snapshot *snapshot, uint32_t place, struct incident *ret_incident)
{
    uint64_t id = 0;
    for (unsigned tries = 0; tries < TRIES && id == 0; tries++) /* it may be written just now */
        id = words_take(ret_incident, entry(snapshot, SECTION_INCIDENTS, place), sizeof(*ret_incident));
    return id != 0;
}

struct chronicle_shown snapshot_chronicle(const struct snapshot *snapshot)
{
    return chronicle_show(entry(snapshot, SECTION_CHRONICLE, 0));
}

uint32_t snapshot_groups(const struct snapshot *snapshot)
{
    /* Acquire: pairs with tripd's release when the entry has memory and its name. */
    return (uint32_t)at_most(
        __atomic_load_n(&((const struct segment_header *)snapshot->data)->groups, __ATOMIC_ACQUIRE),
        snapshot->sections[SECTION_GROUPS].count);
}

bool snapshot_group(const struct snapshot *snapshot, uint32_t at, struct snapshot_group *ret_group)
{
    const struct group_slot *const from = entry(snapshot, SECTION_GROUPS, at);
    uint64_t commits, after;
    unsigned tries = 0;
    memcpy(ret_group->name, from->name, sizeof(ret_group->name));
    ret_group->name[TRIP_NAME_MAX] = '\0';
    do {
        /* Acquire: pairs with tripd's release, the image that it selects is whole. */
        commits = __atomic_load_n(&from->commits, __ATOMIC_ACQUIRE);
        words_load(&ret_group->image, &from->images[commits & 1], sizeof(ret_group->image));
        after = __atomic_load_n(&from->commits, __ATOMIC_RELAXED); /* after the copy, whose loads are acquires */
    } while (after != commits && ++tries < TRIES);
    return after == commits;
}

uint64_t snapshot_groups_moved(const struct snapshot *snapshot)
{
    uint64_t commits = 0;
    for (uint32_t at = 0; at < snapshot_groups(snapshot); at++)
        commits += __atomic_load_n(&((const struct group_slot *)entry(snapshot, SECTION_GROUPS, at))->commits,
                                   __ATOMIC_ACQUIRE);
    return commits;
}

struct host_metrics snapshot_host(const struct snapshot *snapshot)
{
    struct host_metrics host;
    words_load(&host, entry(snapshot, SECTION_HOST, 0), sizeof(host));
    return host;
}

void snapshot_levels(const struct snapshot *snapshot, struct levels_image *ret_levels)
{
    levels_copy(entry(snapshot, SECTION_LEVELS, 0), ret_levels);
}

uint32_t snapshot_lanes(const struct snapshot *snapshot)
{
    return snapshot->sections[SECTION_CLIENTS].count - 1;
}

bool snapshot_client(const struct snapshot *snapshot, uint32_t lane, struct client_slot *ret_client)
{
    return lane >= 1 && lane <= snapshot_lanes(snapshot) &&
           words_take(ret_client, entry(snapshot, SECTION_CLIENTS, lane), sizeof(*ret_client)) != 0;
}

bool snapshot_pattern(const struct snapshot *snapshot, uint32_t place, struct pattern_slot *ret_pattern)
{
    const uint64_t serial = words_take(ret_pattern, entry(snapshot, SECTION_PATTERNS, place), sizeof(*ret_pattern));
    ret_pattern->pattern[TRIP_NAME_MAX] = '\0';
    return serial != 0 && (ret_pattern->until_ms == 0 || snapshot_now_ms(snapshot) < ret_pattern->until_ms);
}
