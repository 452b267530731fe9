/* Core images, and the one transaction that changes an image and the marks in lanes together: internal/layout.h.
 *
 * A kill leaves what the instructions before it stored, in their order; so it is the compiler's order that counts here,
 * and each step is a release store, which no earlier store passes, followed by step_done(), which no later one does. */
#include "segment/segment.h"

#include <string.h>

#include "internal/words.h"

static struct core_slot *core_at(const struct segment *segment, uint32_t slot)
{
    return &segment->cores[slot];
}

static struct core_state *image_at(const struct segment *segment, uint32_t slot, uint64_t commits)
{
    return (struct core_state *)&core_at(segment, slot)->images[commits & 1];
}

static void step_done(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

const struct core_state *segment_core(const struct segment *segment, uint32_t slot)
{
    return image_at(segment, slot, core_at(segment, slot)->commits);
}

bool segment_never_called(const struct segment *segment, uint32_t slot)
{
    const struct breaker_totals none = {0};
    const struct core_head *const head = &segment_core(segment, slot)->head;
    return memcmp(&head->totals, &none, sizeof(none)) == 0;
}

/* Returns the image that is not in force, for writing. */
static struct core_state *begin_image(struct segment *segment, uint32_t slot)
{
    segment->journal->mark_count = 0;
    segment->transaction = slot + 1;
    /* A reader that saw `commits` before the last commit may still copy this image: after the fence it sees the newer
     * `commits` if it sees anything of what is written now. Pairs with the acquire of words_load. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return image_at(segment, slot, core_at(segment, slot)->commits + 1);
}

struct core_state *segment_begin(struct segment *segment, uint32_t slot)
{
    const struct core_state *from = segment_core(segment, slot);
    struct core_state *to = begin_image(segment, slot);
    memcpy(to, from, offsetof(struct core_state, window));
    window_copy(&to->window, &from->window);
    return to;
}

bool segment_mark(struct segment *segment, const struct journal_mark *mark)
{
    struct journal *journal = segment->journal;
    if (journal->mark_count >= JOURNAL_MARKS)
        return false;
    journal->marks[journal->mark_count++] = *mark;
    return true;
}

/* -------------------------------------------------------------------------------- marks whose lane is not there */

static bool same_lane(const struct journal_mark *mark, uid_t uid, uint64_t lane_id)
{
    return mark->lane_id == lane_id && mark->uid == uid;
}

static struct journal_mark *pending_place(struct segment *segment, const struct journal_mark *mark)
{
    struct journal_mark *free_place = NULL;
    for (unsigned i = 0; i < PENDING_MARKS; i++) {
        struct journal_mark *place = &segment->pending[i];
        if (same_lane(place, mark->uid, mark->lane_id) && place->kind == mark->kind && place->place == mark->place)
            return place;
        if (place->lane_id == 0 && !free_place)
            free_place = place;
    }
    /* The table is full of marks of lanes that never came back, such as lanes that died with tripd. They give way one
     * after the other, the oldest first; if such a lane did come back, that meter would be counted twice. */
    return free_place ? free_place : &segment->pending[segment->journal->pending_next++ % PENDING_MARKS];
}

/* Adds a mark to the pending table. Done again after a kill, it finds the same place, for lane_id is set last. */
static void pending_add(struct segment *segment, const struct journal_mark *mark)
{
    struct journal_mark *place = pending_place(segment, mark);
    const size_t head = offsetof(struct journal_mark, lane);
    if (!same_lane(place, mark->uid, mark->lane_id))
        __atomic_store_n(&place->lane_id, 0, __ATOMIC_RELEASE);
    step_done();
    words_store((uint8_t *)place + head, (const uint8_t *)mark + head, sizeof(*place) - head);
    __atomic_store_n(&place->lane_id, mark->lane_id, __ATOMIC_RELEASE);
    step_done();
}

void segment_pending_store(struct segment *segment, uid_t uid, uint64_t lane_id)
{
    for (unsigned i = 0; i < PENDING_MARKS; i++) {
        struct journal_mark *place = &segment->pending[i];
        if (!same_lane(place, uid, lane_id) || !segment->store_mark(segment->store_context, place))
            continue;
        /* last: a worker killed before this stores the same mark again */
        step_done();
        __atomic_store_n(&place->lane_id, 0, __ATOMIC_RELEASE);
    }
}

/* -------------------------------------------------------------------------------------------------- the commit */

/* Does steps 3 and 4 of the transaction in the journal. Doing them twice has the same effect as once. */
static void carry_out(struct segment *segment)
{
    struct journal *journal = segment->journal;
    const uint32_t slot = (uint32_t)journal->state - 1;
    /* Pairs with the acquire of readers: they see the image that it selects. */
    __atomic_store_n(&core_at(segment, slot)->commits, journal->commits, __ATOMIC_RELEASE);
    step_done();
    for (uint64_t i = 0; i < journal->mark_count; i++)
        if (!segment->store_mark(segment->store_context, &journal->marks[i]))
            pending_add(segment, &journal->marks[i]);
    step_done();
    __atomic_store_n(&journal->state, 0, __ATOMIC_RELEASE);
    step_done();
}

void segment_store_marks_by(struct segment *segment, segment_store_mark_fn *store, void *context)
{
    segment->store_mark = store;
    segment->store_context = context;
}

void segment_commit(struct segment *segment)
{
    struct journal *journal = segment->journal;
    const uint32_t slot = segment->transaction - 1;
    if (segment->transaction == 0)
        return;
    segment->transaction = 0;
    journal->commits = core_at(segment, slot)->commits + 1;
    /* The commit. Image, marks and `commits` are stored before it. A kill before this store leaves everything as it
     * was; after a kill from here on, segment_recover carries the transaction out. */
    __atomic_store_n(&journal->state, (uint64_t)slot + 1, __ATOMIC_RELEASE);
    step_done();
    carry_out(segment);
}

void segment_core_clear(struct segment *segment, uint32_t slot)
{
    /* nothing was ever committed: the slot is still all zeros, and its pages have no memory yet */
    if (core_at(segment, slot)->commits == 0)
        return;
    memset(begin_image(segment, slot), 0, sizeof(struct core_state));
    segment_commit(segment);
}

void segment_recover(struct segment *segment)
{
    struct journal *journal = segment->journal;
    const uint64_t state = journal->state;
    segment->transaction = 0;
    const bool sound = state != 0 && state <= segment->slots && journal->mark_count <= JOURNAL_MARKS &&
                       journal->commits - core_at(segment, (uint32_t)state - 1)->commits <= 1;
    if (sound)
        carry_out(segment);
    else
        __atomic_store_n(&journal->state, 0, __ATOMIC_RELEASE);
    segment_groups_restore(segment);
}
