#include "lanes/lane_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/words.h"

static uint64_t load(const uint64_t *word)
{
    /* Pairs with the client's release: what it did before is there. */
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* ------------------------------------------------------------------------------------------------ coming and going */

/* Where the last worker stopped reading. A tail that no ring can have: nothing of it is read again. */
static void adopt_tail(struct lane_side *side, uint32_t section)
{
    struct lane_section *const line = lane_section_at(side->memory, section);
    const uint64_t head = load(&line->head), tail = load(&line->tail);
    side->sections[section].tail = head - tail <= LANE_EVENTS ? tail : head;
}

int lane_side_new(struct lane *lane, struct lane_side **ret_side)
{
    struct lane_side *side = calloc(1, sizeof(*side));
    uint16_t *const claimed = calloc(BREAKERS_MAX, sizeof(*claimed));
    if (!side || !claimed) {
        free(claimed);
        free(side);
        return -ENOMEM;
    }
    side->claimed = claimed;
    side->lane = lane;
    side->memory = lane_memory(lane);
    side->lane_id = lane_identity(lane);
    side->uid = lane_uid(lane);
    side->number = lane_number(lane);
    side->meter_count = lane_meter_count(lane);
    side->looked_ticks = TICKS_UNKNOWN;
    for (uint32_t section = 0; section < LANE_SECTIONS; section++)
        adopt_tail(side, section);
    *ret_side = side;
    return 0;
}

struct lane_side *lane_side_free(struct lane_side *side)
{
    if (!side)
        return NULL;
    for (uint32_t chunk = 0; chunk < side->chunk_count; chunk++)
        free(side->chunks[chunk]);
    free(side->chunks);
    free(side->claimed);
    free(side);
    return NULL;
}

bool lane_side_of(const struct lane_side *side, const struct journal_mark *mark)
{
    return side->lane_id == mark->lane_id && side->uid == mark->uid;
}

/* ---------------------------------------------------------------------------------------------------------- meters */

struct meter_side *lane_side_meter(const struct lane_side *side, uint32_t number)
{
    const uint32_t chunk = number / METERS_PER_CHUNK;
    if (number >= side->meters || chunk >= side->chunk_count || !side->chunks[chunk])
        return NULL;
    struct meter_side *const meter = &side->chunks[chunk][number % METERS_PER_CHUNK];
    return meter->owner ? meter : NULL;
}

uint32_t meter_side_section(const struct meter_side *meter)
{
    return (uint32_t)(meter->owner >> 48) % LANE_SECTIONS;
}

static struct meter *line_of(const struct meter_side *meter)
{
    return lane_meter_at(meter->lane->memory, meter->number);
}

bool meter_side_claim(const struct meter_side *meter, uint32_t breaker)
{
    uint16_t *const sections = &meter->lane->claimed[breaker];
    const uint16_t bit = (uint16_t)(1u << meter_side_section(meter));
    if (*sections & bit)
        return false;
    *sections |= bit;
    return true;
}

void meter_side_unclaim(const struct meter_side *meter, uint32_t breaker)
{
    meter->lane->claimed[breaker] &= (uint16_t) ~(1u << meter_side_section(meter));
}

uint64_t meter_side_owner(const struct meter_side *meter)
{
    return load(&line_of(meter)->owner);
}

/* NULL: no memory, or no room in the user's quota. */
static struct meter_side *meter_place(struct lane_side *side, uint32_t number)
{
    const uint32_t at = number / METERS_PER_CHUNK;
    if (at >= side->chunk_count) { /* a client takes its meters one after the other */
        void *const grown = realloc(side->chunks, (at + 1) * sizeof(*side->chunks));
        if (!grown)
            return NULL;
        side->chunks = grown;
        memset(&side->chunks[side->chunk_count], 0, (at + 1 - side->chunk_count) * sizeof(*side->chunks));
        side->chunk_count = at + 1;
    }
    struct meter_side **const chunk = &side->chunks[at];
    if (!*chunk && lane_charge(side->lane, METERS_PER_CHUNK * sizeof(**chunk)))
        *chunk = calloc(METERS_PER_CHUNK, sizeof(**chunk));
    return *chunk ? &(*chunk)[number % METERS_PER_CHUNK] : NULL;
}

/* By this worker or one before, also what its calls took is in the details. */
static bool counted_before(const struct meter_marks *marks)
{
    const struct meter_marks none = {0};
    return memcmp(marks, &none, sizeof(none)) != 0;
}

static void meter_adopt(struct lane_side *side, struct meter_side *meter, uint32_t number, uint64_t owner)
{
    const struct meter *const line = lane_meter_at(side->memory, number);
    meter->lane = side;
    meter->number = number;
    meter->owner = owner;
    meter->breaker = NO_BREAKER;
    meter->marked_ticks = side->looked_ticks; /* it was not in use then */
    meter->deferred_ticks = TICKS_UNKNOWN;
    words_load(&meter->marks, &line->marks, sizeof(meter->marks));
    for (unsigned bucket = 0; counted_before(&meter->marks) && bucket < LATENCY_BUCKETS; bucket++) {
        /* Details: no order is needed. */
        meter->latency[bucket] = __atomic_load_n(&line->latency[bucket], __ATOMIC_RELAXED);
        meter->failed_latency[bucket] = __atomic_load_n(&line->failed_latency[bucket], __ATOMIC_RELAXED);
    }
}

void lane_side_look(struct lane_side *side, uint64_t now_ticks, void (*found)(void *context, struct meter_side *meter),
                    void *context)
{
    const uint32_t used = lane_look(side->lane);
    uint32_t unowned = UINT32_MAX;
    if (used > side->meters)
        side->meters = used;
    for (uint32_t number = side->unowned; number < side->meters; number++) {
        if (lane_side_meter(side, number))
            continue;
        const uint64_t owner = load(&lane_meter_at(side->memory, number)->owner);
        struct meter_side *const meter = owner ? meter_place(side, number) : NULL;
        if (!meter) {
            unowned = number < unowned ? number : unowned;
            continue;
        }
        meter_adopt(side, meter, number, owner);
        found(context, meter);
    }
    side->unowned = unowned < side->meters ? unowned : side->meters;
    side->looked_ticks = now_ticks;
}

void meter_side_read(const struct meter_side *meter, struct counters *ret_counters)
{
    const struct meter *const line = line_of(meter);
    struct counters *const to = ret_counters;
    to->owner = load(&line->owner);
    const uint64_t failures = load(&line->failures);
    to->ok = load(&line->ok);
    to->failures = load(&line->failures);
    to->slow = load(&line->slow); /* after its call: a call that is seen here has its slowness seen */
    to->steady = failures == to->failures;
    to->total_timeouts = load(&line->total_timeouts); /* before their calls: those of what is seen here are seen */
    to->total_slow = load(&line->total_slow);
    to->total_ok = load(&line->total_ok);
    to->started = load(&line->started);
    to->finished = load(&line->finished);
    to->total_failures = load(&line->total_failures);
    to->ignored = load(&line->ignored);
    to->cancelled = load(&line->cancelled);
    to->late = load(&line->late);
    to->denied = load(&line->denied);
    to->retries = load(&line->retries);
    for (unsigned kind = 0; kind < LIMITED_COUNT; kind++)
        to->limited[kind] = load(&line->limited[kind]);
}

uint64_t meter_side_begun(const struct meter_side *meter)
{
    return load(&line_of(meter)->started);
}

uint64_t meter_side_ended(const struct meter_side *meter)
{
    return load(&line_of(meter)->finished);
}

bool lane_side_complete(const struct lane_side *side)
{
    return side->unowned == side->meters && side->meters == lane_meters(side->lane);
}

bool lane_side_mark(struct lane_side *side, uint32_t number, const struct meter_marks *marks)
{
    struct meter_side *const meter = lane_side_meter(side, number);
    if (number >= side->meter_count)
        return false;
    words_store(&lane_meter_at(side->memory, number)->marks, marks, sizeof(*marks));
    if (meter)
        meter->marks = *marks;
    return true;
}

void meter_side_latency(struct meter_side *meter, uint64_t counts[LATENCY_BUCKETS], int64_t went_well[LATENCY_BUCKETS])
{
    const struct meter *const line = line_of(meter);
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        /* Details: no order is needed. The difference is modular: a bucket may wrap. */
        const uint32_t count = __atomic_load_n(&line->latency[bucket], __ATOMIC_RELAXED);
        const uint16_t failed = __atomic_load_n(&line->failed_latency[bucket], __ATOMIC_RELAXED);
        const uint32_t came = count - meter->latency[bucket];
        counts[bucket] += came;
        went_well[bucket] += (int64_t)came - (uint16_t)(failed - meter->failed_latency[bucket]);
        meter->latency[bucket] = count;
        meter->failed_latency[bucket] = failed;
    }
}

/* ----------------------------------------------------------------------------------------------------------- rings */

static bool event_at(const struct lane_side *side, uint32_t section, uint64_t index, struct told *ret_told)
{
    const struct lane_event *const event = lane_event_at(side->memory, side->meter_count, section, index);
    /* Pairs with the client's release of the stamp, which it writes last. */
    if (__atomic_load_n(&event->stamp, __ATOMIC_ACQUIRE) != (uint32_t)index + 1)
        return false;
    ret_told->ticks = __atomic_load_n(&event->ticks, __ATOMIC_RELAXED);
    ret_told->ok = __atomic_load_n(&event->ok, __ATOMIC_RELAXED);
    ret_told->failures = __atomic_load_n(&event->failures, __ATOMIC_RELAXED);
    ret_told->slow = __atomic_load_n(&event->slow, __ATOMIC_RELAXED);
    ret_told->what = __atomic_load_n(&event->what, __ATOMIC_RELAXED);
    ret_told->next = 0;
    return true;
}

/* True: it is the meter's first in this batch. */
static bool chain(struct told_batch *batch, struct meter_side *meter)
{
    const uint32_t place = ++batch->count;
    const bool first = meter->told_last == 0;
    if (first)
        meter->told_first = place;
    else
        batch->events[meter->told_last - 1].next = place;
    meter->told_last = place;
    return first;
}

bool lane_side_take(struct lane_side *side, uint32_t section, struct told_batch *batch, uint32_t most,
                    void (*taken)(void *context, struct meter_side *meter), void *context)
{
    struct section_side *const ring = &side->sections[section];
    /* Pairs with the client's release of `head`: the events before it are written, but for a shared section's. */
    const uint64_t head = load(&lane_section_at(side->memory, section)->head);
    uint64_t there = head - ring->tail;
    bool stuck = false;
    ring->dropped = ring->full || there >= LANE_EVENTS;
    ring->full = there >= LANE_EVENTS;
    if (there > LANE_EVENTS) { /* no ring is so full: what it tells is lost, what it counts is not */
        ring->tail = head;
        there = 0;
    }
    while (there > 0 && most > 0 && batch->count < batch->capacity) {
        struct told *const told = &batch->events[batch->count];
        const bool whole = event_at(side, section, ring->tail, told);
        struct meter_side *const meter = whole ? lane_side_meter(side, told->what & 0xffff) : NULL;
        if (meter && chain(batch, meter))
            taken(context, meter);
        /* A thread may have died between taking a place and writing there; a full ring does not wait for it. */
        stuck = !whole && !ring->full;
        if (stuck)
            break;
        ring->tail++;
        there--;
        most--;
    }
    ring->more = there > 0;
    return ring->full || (there > 0 && !stuck);
}

void lane_side_release(struct lane_side *side, uint32_t section)
{
    uint64_t *const tail = &lane_section_at(side->memory, section)->tail;
    const uint64_t read = side->sections[section].tail;
    /* Pairs with the client's acquire before it overwrites an event. */
    if (__atomic_load_n(tail, __ATOMIC_RELAXED) != read)
        __atomic_store_n(tail, read, __ATOMIC_RELEASE);
}

/* ---------------------------------------------------------------------------------------------------------- errors */

bool lane_side_error(const struct lane_side *side, uint32_t section, uint32_t place,
                     char ret_message[TRIP_ERROR_MESSAGE_MAX + 1])
{
    const struct lane_error *const record = lane_error_at(side->memory, side->meter_count, section, place);
    uint64_t text[sizeof(record->message) / 8];
    if (place >= LANE_ERRORS)
        return false;
    const uint64_t stamp = load(&record->stamp);
    words_load(text, record->message, sizeof(text));
    /* After the copy, whose loads are acquires: a record that was overwritten meanwhile has another stamp. */
    if (stamp == 0 || stamp == LANE_ERROR_WRITING || (stamp - 1) % LANE_ERRORS != place ||
        __atomic_load_n(&record->stamp, __ATOMIC_RELAXED) != stamp)
        return false;
    memcpy(ret_message, text, sizeof(text));
    ret_message[TRIP_ERROR_MESSAGE_MAX] = '\0';
    return true;
}
