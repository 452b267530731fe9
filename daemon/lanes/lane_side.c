#include "lanes/lane_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/announce.h"
#include "internal/words.h"

#define CLAIM_CHAINS_LEAST 16u

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

/* Without memory it is tried again at the next look. */
static void adopt_sections(struct lane_side *side)
{
    const uint32_t sections = lane_sections(side->lane);
    if (side->section_count >= sections)
        return;
    struct section_side *const grown = realloc(side->sections, sections * sizeof(*grown));
    if (!grown)
        return;
    side->sections = grown;
    for (; side->section_count < sections; side->section_count++) {
        grown[side->section_count] = (struct section_side){0};
        adopt_tail(side, side->section_count);
    }
}

int lane_side_new(struct lane *lane, struct lane_side **ret_side)
{
    struct lane_side *side = calloc(1, sizeof(*side));
    struct meter_side **const claims = calloc(CLAIM_CHAINS_LEAST, sizeof(*claims));
    if (!side || !claims) {
        free(claims);
        free(side);
        return -ENOMEM;
    }
    side->claims = claims;
    side->claim_chains = CLAIM_CHAINS_LEAST;
    side->lane = lane;
    side->memory = lane_memory(lane);
    side->lane_id = lane_identity(lane);
    side->uid = lane_uid(lane);
    side->number = lane_number(lane);
    side->looked_ticks = TICKS_UNKNOWN;
    lane_look(lane);
    adopt_sections(side);
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
    free(side->claims);
    free(side->sections);
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

/* A meter may name a section that is not in use: nothing was told there. */
const struct section_side *meter_side_ring(const struct meter_side *meter)
{
    static const struct section_side none;
    const uint32_t section = meter_side_section(meter);
    return section < meter->lane->section_count ? &meter->lane->sections[section] : &none;
}

static struct meter *line_of(const struct meter_side *meter)
{
    return lane_meter_at(meter->lane->memory, meter->number);
}

static struct meter_side **claim_chain(const struct lane_side *side, uint32_t breaker, uint32_t section)
{
    const uint32_t hash = (breaker * LANE_SECTIONS + section) * UINT32_C(0x9e3779b1);
    return &side->claims[(hash >> 8) % side->claim_chains];
}

/* As many chains as meters; without memory the chains become longer. */
static void grow_claims(struct lane_side *side)
{
    struct meter_side **const few = side->claims;
    const uint32_t count = side->claim_chains;
    struct meter_side **const more = calloc((size_t)count * 2, sizeof(*more));
    if (!more)
        return;
    side->claims = more;
    side->claim_chains = count * 2;
    for (uint32_t i = 0; i < count; i++)
        for (struct meter_side *meter = few[i], *next; meter; meter = next) {
            struct meter_side **const chain = claim_chain(side, meter->breaker, meter_side_section(meter));
            next = meter->next_claim;
            meter->next_claim = *chain;
            *chain = meter;
        }
    free(few);
}

bool meter_side_claim(struct meter_side *meter, uint32_t breaker)
{
    struct lane_side *const side = meter->lane;
    const uint32_t section = meter_side_section(meter);
    if (side->claim_count >= side->claim_chains && side->claim_chains < LANE_METERS)
        grow_claims(side);
    struct meter_side **const chain = claim_chain(side, breaker, section);
    for (const struct meter_side *other = *chain; other; other = other->next_claim)
        if (other->breaker == breaker && meter_side_section(other) == section)
            return false;
    meter->breaker = breaker;
    meter->next_claim = *chain;
    *chain = meter;
    side->claim_count++;
    return true;
}

void meter_side_unclaim(struct meter_side *meter)
{
    struct meter_side **place = claim_chain(meter->lane, meter->breaker, meter_side_section(meter));
    while (*place != meter)
        place = &(*place)->next_claim;
    *place = meter->next_claim;
    meter->lane->claim_count--;
    meter->breaker = NO_BREAKER;
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
    meter->announced = __atomic_load_n(&line->announced, __ATOMIC_RELAXED); /* it is read anyway */
    words_load(&meter->marks, &line->marks, sizeof(meter->marks));
    for (unsigned bucket = 0; counted_before(&meter->marks) && bucket < LATENCY_BUCKETS; bucket++) {
        /* Details: no order is needed. */
        meter->latency[bucket] = __atomic_load_n(&line->latency[bucket], __ATOMIC_RELAXED);
    }
}

static void activate(struct meter_side *meter)
{
    if (!meter->active) {
        meter->next_active = meter->lane->active;
        meter->lane->active = meter;
    }
    meter->active = ANNOUNCED_BEATS;
}

/* A meter that is not known yet is found by lane_side_look, and read then. */
static void take_group(struct lane_side *side, uint32_t first)
{
    for (uint32_t number = first; number < first + ANNOUNCED_METERS; number++) {
        struct meter_side *const meter = lane_side_meter(side, number);
        const uint32_t note = meter ? __atomic_load_n(&line_of(meter)->announced, __ATOMIC_RELAXED) : 0;
        if (!meter || note == meter->announced)
            continue;
        meter->announced = note;
        activate(meter);
    }
}

static void take_groups(struct lane_side *side, uint64_t *bits, uint32_t first)
{
    if (!__atomic_load_n(bits, __ATOMIC_RELAXED))
        return;
    /* Pairs with the client's release: the note is there. */
    for (uint64_t left = __atomic_exchange_n(bits, 0, __ATOMIC_ACQUIRE); left; left &= left - 1)
        take_group(side, first + (uint32_t)__builtin_ctzll(left) * ANNOUNCED_METERS);
}

bool lane_side_moved(struct lane_side *side)
{
    struct lane_header *const header = side->memory;
    /* Acquire: pairs with the client's release, the bit is there. */
    const bool any = __atomic_load_n(&header->announced, __ATOMIC_RELAXED) &&
                     __atomic_exchange_n(&header->announced, 0, __ATOMIC_ACQUIRE);
    for (uint32_t word = 0; any && word < sizeof(header->moved) / sizeof(header->moved[0]); word++)
        take_groups(side, &header->moved[word], word * 64 * ANNOUNCED_METERS);
    return any || side->active || side->unowned < side->meters;
}

void lane_side_beat(struct lane_side *side, void (*each)(void *context, struct meter_side *meter), void *context)
{
    struct meter_side **at = &side->active;
    while (*at) {
        struct meter_side *const meter = *at;
        each(context, meter);
        if (--meter->active)
            at = &meter->next_active;
        else
            *at = meter->next_active;
    }
}

void lane_side_look(struct lane_side *side, uint64_t now_ticks, void (*found)(void *context, struct meter_side *meter),
                    void *context)
{
    uint32_t unowned = UINT32_MAX;
    side->short_of_room = false;
    lane_look(side->lane);
    adopt_sections(side);
    side->meters = lane_meters(side->lane);
    for (uint32_t number = side->unowned; number < side->meters; number++) {
        if (lane_side_meter(side, number))
            continue;
        const uint64_t owner = load(&lane_meter_at(side->memory, number)->owner);
        struct meter_side *const meter = owner ? meter_place(side, number) : NULL;
        if (!meter) {
            unowned = number < unowned ? number : unowned;
            side->short_of_room |= owner != 0;
            continue;
        }
        meter_adopt(side, meter, number, owner);
        activate(meter);
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
    return !side->short_of_room;
}

bool lane_side_mark(struct lane_side *side, uint32_t number, const struct meter_marks *marks)
{
    struct meter_side *const meter = lane_side_meter(side, number);
    if (number >= lane_meters(side->lane))
        return false;
    words_store(&lane_meter_at(side->memory, number)->marks, marks, sizeof(*marks));
    if (meter)
        meter->marks = *marks;
    return true;
}

void meter_side_latency(struct meter_side *meter, uint64_t counts[LATENCY_BUCKETS])
{
    const struct meter *const line = line_of(meter);
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        /* Details: no order is needed. The difference is modular: a bucket may wrap. */
        const uint32_t count = __atomic_load_n(&line->latency[bucket], __ATOMIC_RELAXED);
        counts[bucket] += count - meter->latency[bucket];
        meter->latency[bucket] = count;
    }
}

/* ----------------------------------------------------------------------------------------------------------- rings */

static bool event_at(const struct lane_side *side, uint32_t section, uint64_t index, struct told *ret_told)
{
    const struct lane_event *const event = lane_event_at(side->memory, section, index);
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
    ring->stuck = false;
    ring->dropped = ring->full || there >= LANE_EVENTS;
    ring->full = there >= LANE_EVENTS;
    if (there > LANE_EVENTS) { /* no ring is so full: what it tells is lost, what it counts is not */
        ring->tail = head;
        there = 0;
    }
    while (there > 0 && most > 0 && batch->count < batch->capacity) {
        struct told *const told = &batch->events[batch->count];
        const bool whole = event_at(side, section, ring->tail, told);
        struct meter_side *const meter = whole ? lane_side_meter(side, lane_event_meter(told->what)) : NULL;
        if (meter && chain(batch, meter))
            taken(context, meter);
        /* A thread may have died between taking a place and writing there; a full ring does not wait for it. */
        ring->stuck = !whole && !ring->full;
        if (ring->stuck)
            break;
        ring->tail++;
        there--;
        most--;
    }
    ring->more = there > 0;
    return ring->full || (there > 0 && !ring->stuck);
}

bool section_side_untaken(const struct section_side *section)
{
    return section->dropped || section->stuck;
}

bool lane_side_untaken(const struct lane_side *side)
{
    for (uint32_t section = 0; section < side->section_count; section++)
        if (section_side_untaken(&side->sections[section]))
            return true;
    return false;
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
    const struct lane_error *const record = lane_error_at(side->memory, section, place);
    uint64_t text[sizeof(record->message) / 8];
    if (section >= side->section_count || place >= LANE_ERRORS)
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
