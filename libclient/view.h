/* The mapped segment and commons, every offset checked. */
#ifndef TRIP_VIEW_H
#define TRIP_VIEW_H

#include "base.h"
#include "internal/layout.h"
#include "internal/policy.h"
#include "internal/state_word.h"
#include "internal/ticks.h"

struct table {
    const uint8_t *base;
    uint32_t stride, count;
};

struct commons_view {
    struct commons_header *memory;
    size_t size;
    uint64_t id, number;
    uint32_t slots; /* of breakers: so many had memory when it was mapped */
    struct table words, permits, limits, tickets;
    struct commons_view *older; /* the commons that this one replaced */
    bool opened_late;           /* a breaker opened in it after it was replaced, and tripd does not know yet */
    bool retired;               /* private zeros have replaced its memory */
};

struct view {
    const struct segment_header *segment; /* NULL: nothing is shared, the breakers are private */
    size_t segment_size;
    struct commons_view *commons; /* the latest that was mapped */
    uint64_t segment_id;
    struct table policies, details, cores, names, mirror, rests;
    const struct fallback_memory *fallbacks; /* NULL: a simulation has none */
    const uint64_t *feature_words;           /* FEATURE_PLACES of them */
    enum ticks_kind ticks;
    uint64_t created_mono_ns;
    uint64_t clock_offset_ns; /* modular, to tripd's CLOCK_MONOTONIC, which may be another time namespace's */
    struct view *older;
};

struct view_offer {
    int segment_fd, commons_fd;
    uint64_t segment_id, segment_size, commons_id, commons_size, commons_number;
    uint32_t slots;
    uint64_t clock_offset_ns;
    uid_t daemon_uid;
};

extern const struct view private_view;

/* Maps the segment and commons that tripd offers. -EPROTO: the layout is another one; -EINVAL: they cannot be trusted.
 */
int view_map(const struct view_offer *offer, struct view **ret_view);
/* The same segment came with another commons. Mapped, it is used from view_use_commons on, by bindings that are made
 * then. The one before stays as it is, for calls in flight and late openings; older ones are retired: their memory is
 * given back, and reads as zeros. */
int view_map_commons(const struct view_offer *offer, struct commons_view **ret_commons);
void view_use_commons(struct view *view, struct commons_view *commons);
struct commons_view *commons_view_unmap(struct commons_view *commons);
struct view *view_unmap(struct view *view);
/* No tripd looks after the state words: its heartbeat is stale, it was stopped, or there never was one. */
bool view_away(const struct view *view);
/* Which start of tripd's worker, since the segment's creation, serves it; the latest one while none does. */
static inline uint32_t view_start(const struct view *view)
{
    return __atomic_load_n(&view->segment->starts, __ATOMIC_ACQUIRE); /* pairs with segment_started */
}
/* Since the segment's creation, on the instance's clock. */
uint64_t view_now_ns(const struct view *view);
uint64_t view_now_ms(const struct view *view);

/* Ticks where the TSC does not tell them. */
uint64_t view_ticks_elsewhere(const struct view *view);

static inline uint64_t view_ticks(const struct view *view)
{
    const uint64_t ticks = likely(view->ticks == TICKS_TSC) ? tsc_now_ns(&view->segment->tsc) : 0;
    return likely(ticks) ? ticks : view_ticks_elsewhere(view);
}

static inline const struct policy_slot *view_policy(const struct view *view, uint32_t slot)
{
    return (const struct policy_slot *)(view->policies.base + (size_t)slot * view->policies.stride);
}

static inline const struct detail_slot *view_detail(const struct view *view, uint32_t slot)
{
    return (const struct detail_slot *)(const void *)(view->details.base + (size_t)slot * view->details.stride);
}

static inline struct commons_view *view_latest(const struct view *view)
{
    return __atomic_load_n(&view->commons, __ATOMIC_ACQUIRE);
}

/* Has the daemon moved on to another commons than the one mapped here? */
static inline bool view_outdated(const struct view *view)
{
    /* Relaxed: a thread that sees it attaches, which checks again. */
    return view->segment && __atomic_load_n(&view->segment->commons_id, __ATOMIC_RELAXED) != view_latest(view)->id;
}

#endif
