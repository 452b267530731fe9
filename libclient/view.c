/* Mapping what tripd offers. Both descriptors come over the socket and are judged as if a stranger had sent them:
 * owner, seals, exact sizes, and every section's bounds from a copy of the segment's header. */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal/commons_plan.h"
#include "internal/segment_plan.h"

const struct view private_view = {.ticks = TICKS_MONOTONIC};

/* ---------------------------------------------------------------------------------------------------------- checks */

static bool section_fits(const struct section *section, size_t size, uint32_t least_stride, uint32_t least_count)
{
    return section->stride >= least_stride && section->stride % sizeof(uint64_t) == 0 &&
           section->count >= least_count && section->offset % sizeof(uint64_t) == 0 && section->offset <= size &&
           (uint64_t)section->stride * section->count <= size - section->offset;
}

static struct table table_of(const void *base, const struct section *section)
{
    return (struct table){(const uint8_t *)base + section->offset, section->stride, section->count};
}

static int segment_file(const struct view_offer *offer)
{
    struct stat status;
    if (fstat(offer->segment_fd, &status) < 0)
        return -errno;
    const bool trusted = status.st_uid == 0 || status.st_uid == geteuid() || status.st_uid == offer->daemon_uid;
    const bool whole = S_ISREG(status.st_mode) && status.st_size >= (off_t)sizeof(struct segment_header) &&
                       (uint64_t)status.st_size == offer->segment_size;
    return trusted && whole ? 0 : -EINVAL;
}

/* header: a copy. */
static int segment_header_check(const struct segment_header *header, const struct view_offer *offer)
{
    if (header->magic != SEGMENT_MAGIC)
        return -EINVAL;
    if (header->version != LAYOUT_VERSION || header->digest != layout_digest())
        return -EPROTO;
    if (header->size != offer->segment_size || header->segment_id != offer->segment_id ||
        header->clock_kind > CLOCK_KIND_TEST)
        return -EINVAL;
    static const enum segment_section read[] = {SECTION_POLICY,    SECTION_MIRROR,       SECTION_RESTS,
                                                SECTION_DETAIL,    SECTION_CORE,         SECTION_NAMES,
                                                SECTION_FALLBACKS, SECTION_FEATURE_WORDS};
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++) {
        const struct section shape = section_shape(read[i]);
        if (!section_fits(&header->sections[read[i]], header->size, shape.stride, shape.count))
            return -EINVAL;
    }
    const struct section *const names = &header->sections[SECTION_NAMES];
    const struct section *const features = &header->sections[SECTION_FEATURE_WORDS];
    return names->stride == sizeof(uint64_t) && names->count == NAMES_PLACES && features->stride == sizeof(uint64_t)
               ? 0
               : -EINVAL;
}

/* Checks the commons' size alone, which its seals fix: every process can write its content. */
static int commons_file(const struct view_offer *offer, uint64_t size)
{
    struct stat status;
    const int seals = fcntl(offer->commons_fd, F_GET_SEALS);
    if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
        return -EINVAL;
    if (fstat(offer->commons_fd, &status) < 0)
        return -errno;
    return offer->commons_size == size && (uint64_t)status.st_size == size ? 0 : -EINVAL;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

/* A sandbox may forbid the instruction, with SIGSEGV. */
static bool tsc_allowed(void)
{
#ifdef __x86_64__
    int permission = PR_TSC_ENABLE;
    return prctl(PR_GET_TSC, &permission) < 0 || permission == PR_TSC_ENABLE;
#else
    return false;
#endif
}

static int segment_map(struct view *view, const struct view_offer *offer)
{
    struct segment_header header;
    int error = segment_file(offer);
    if (error < 0)
        return error;
    void *const memory = mmap(NULL, offer->segment_size, PROT_READ, MAP_SHARED, offer->segment_fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    view->segment = memory;
    view->segment_size = offer->segment_size;
    /* Acquire: pairs with the release of the version, which is written last. 0: tripd is not ready. */
    if (__atomic_load_n(&view->segment->version, __ATOMIC_ACQUIRE) == 0)
        return -EAGAIN;
    memcpy(&header, memory, sizeof(header));
    error = segment_header_check(&header, offer);
    if (error < 0)
        return error;
    view->segment_id = header.segment_id;
    view->policies = table_of(memory, &header.sections[SECTION_POLICY]);
    view->details = table_of(memory, &header.sections[SECTION_DETAIL]);
    view->cores = table_of(memory, &header.sections[SECTION_CORE]);
    view->names = table_of(memory, &header.sections[SECTION_NAMES]);
    view->mirror = table_of(memory, &header.sections[SECTION_MIRROR]);
    view->rests = table_of(memory, &header.sections[SECTION_RESTS]);
    view->fallbacks = (const void *)table_of(memory, &header.sections[SECTION_FALLBACKS]).base;
    view->feature_words =
        (const uint64_t *)(const void *)table_of(memory, &header.sections[SECTION_FEATURE_WORDS]).base;
    view->ticks = header.clock_kind == CLOCK_KIND_TEST ? TICKS_TEST : tsc_allowed() ? TICKS_TSC : TICKS_MONOTONIC;
    view->created_mono_ns = header.created_mono_ns;
    view->clock_offset_ns = offer->clock_offset_ns;
    return 0;
}

static int commons_map(const struct view_offer *offer, struct commons_view **ret_commons)
{
    struct section sections[COMMONS_SECTION_COUNT];
    const uint64_t size = commons_plan(sections);
    const int error = commons_file(offer, size);
    if (error < 0)
        return error;
    struct commons_view *const commons = malloc(sizeof(*commons));
    if (!commons)
        return -ENOMEM;
    void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, offer->commons_fd, 0);
    if (memory == MAP_FAILED) {
        const int failure = -errno;
        free(commons);
        return failure;
    }
    *commons = (struct commons_view){
        .memory = memory,
        .size = size,
        .id = offer->commons_id,
        .number = offer->commons_number,
        .slots = offer->slots < BREAKERS_MAX ? offer->slots : BREAKERS_MAX,
        .words = table_of(memory, &sections[COMMONS_WORDS]),
        .permits = table_of(memory, &sections[COMMONS_PERMITS]),
        .limits = table_of(memory, &sections[COMMONS_LIMITS]),
        .tickets = table_of(memory, &sections[COMMONS_TICKETS]),
    };
    *ret_commons = commons;
    return 0;
}

int view_map(const struct view_offer *offer, struct view **ret_view)
{
    struct view *view = calloc(1, sizeof(*view));
    if (!view)
        return -ENOMEM;
    int error = segment_map(view, offer);
    if (error == 0)
        error = commons_map(offer, &view->commons);
    if (error < 0) {
        view_unmap(view);
        return error;
    }
    *ret_view = view;
    return 0;
}

/* Replaces the commons by private zeros, so that a late thread still finds memory at its addresses; no other process
 * sees its stores. The zeros are mapped elsewhere first: if the kernel refused them in place (vm.overcommit_memory=2
 * counts the whole size), Linux before 6.12 would already have unmapped the commons. If they are refused, the old
 * commons and its memory stay. */
static void commons_retire(struct commons_view *commons)
{
    if (commons->retired)
        return;
    void *const zeros =
        mmap(NULL, commons->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED)
        return;
    const bool moved =
        mremap(zeros, commons->size, commons->size, MREMAP_MAYMOVE | MREMAP_FIXED, commons->memory) != MAP_FAILED;
    if (!moved)
        munmap(zeros, commons->size);
    __atomic_store_n(&commons->retired, moved, __ATOMIC_RELAXED); /* others read it without the lock */
}

int view_map_commons(const struct view_offer *offer, struct commons_view **ret_commons)
{
    return commons_map(offer, ret_commons);
}

void view_use_commons(struct view *view, struct commons_view *commons)
{
    commons->older = view->commons;
    __atomic_store_n(&view->commons, commons, __ATOMIC_RELEASE);
    for (struct commons_view *each = commons->older->older; each; each = each->older)
        commons_retire(each);
}

struct commons_view *commons_view_unmap(struct commons_view *commons)
{
    if (!commons)
        return NULL;
    munmap(commons->memory, commons->size);
    free(commons);
    return NULL;
}

struct view *view_unmap(struct view *view)
{
    if (!view)
        return NULL;
    if (view->segment)
        munmap((void *)(uintptr_t)view->segment, view->segment_size);
    while (view->commons) {
        struct commons_view *const commons = view->commons;
        view->commons = commons->older;
        commons_view_unmap(commons);
    }
    free(view);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------------ time */

bool view_away(const struct view *view)
{
    if (!view->segment)
        return true;
    /* Relaxed: a slightly old heartbeat serves as well. */
    if (__atomic_load_n(&view->segment->daemon_state, __ATOMIC_RELAXED) != DAEMON_RUNNING)
        return true;
    const uint64_t heartbeat = __atomic_load_n(&view->segment->heartbeat_mono_ns, __ATOMIC_RELAXED);
    const uint64_t now = coarse_ns() + view->clock_offset_ns; /* a few ms behind */
    return now > heartbeat && now - heartbeat >= HEARTBEAT_STALE_NS;
}

COLD uint64_t view_ticks_elsewhere(const struct view *view)
{
    /* Acquire: as in view_now_ns. */
    return view->ticks == TICKS_TEST ? __atomic_load_n(&view->segment->test_now_ns, __ATOMIC_ACQUIRE)
                                     : monotonic_ns() + view->clock_offset_ns;
}

uint64_t view_now_ns(const struct view *view)
{
    if (view->ticks == TICKS_TEST)
        /* Acquire: pairs with tripd's release of the time, published after all timers that it made due. */
        return __atomic_load_n(&view->segment->test_now_ns, __ATOMIC_ACQUIRE);
    return monotonic_ns() + view->clock_offset_ns - view->created_mono_ns;
}

uint64_t view_now_ms(const struct view *view)
{
    return view_now_ns(view) / 1000000;
}
