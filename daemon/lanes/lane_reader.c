#include "lanes/lane_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal/announce.h"
#include "internal/numbers.h"
#include "internal/words.h"

#define CLAIM_CHAINS_LEAST 16u
#define ERRORS_READ_MASK   ((1u << LANE_ERRORS) - 1)

static uint64_t load(const uint64_t *word)
{
    /* Pairs with the client's release: what it did before is there. */
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* ------------------------------------------------------------------------------------------------ coming and going */

/* Begins where the last worker stopped reading. Where the tail is one that no ring can have, nothing is read again. */
static void adopt_tail(struct lane_reader *reader, uint32_t section)
{
    struct lane_section *const line = lane_section_at(reader->memory, section);
    const uint64_t head = load(&line->head), tail = load(&line->tail);
    reader->sections[section].tail = head - tail <= LANE_EVENTS ? tail : head;
    const uint64_t written = load(&line->errors), read = load(&line->errors_tail);
    reader->sections[section].errors_tail = written - read <= LANE_ERRORS ? read : written;
    reader->sections[section].errors_read = written - read <= LANE_ERRORS ? line->errors_read & ERRORS_READ_MASK : 0;
}

/* Begins to read the sections that the client has opened since. Without memory the next look tries again. */
static void adopt_sections(struct lane_reader *reader)
{
    const uint32_t sections = lane_sections(reader->lane);
    if (reader->section_count >= sections)
        return;
    struct section_cursor *const grown = realloc(reader->sections, sections * sizeof(*grown));
    if (!grown)
        return;
    reader->sections = grown;
    for (; reader->section_count < sections; reader->section_count++) {
        grown[reader->section_count] = (struct section_cursor){0};
        adopt_tail(reader, reader->section_count);
    }
}

int lane_reader_new(struct lane *lane, struct lane_reader **ret_reader)
{
    struct lane_reader *reader = calloc(1, sizeof(*reader));
    struct meter_cursor **const claims = calloc(CLAIM_CHAINS_LEAST, sizeof(*claims));
    if (!reader || !claims) {
        free(claims);
        free(reader);
        return -ENOMEM;
    }
    reader->claims = claims;
    reader->claim_chains = CLAIM_CHAINS_LEAST;
    reader->lane = lane;
    reader->memory = lane_memory(lane);
    reader->lane_id = lane_identity(lane);
    reader->uid = lane_uid(lane);
    reader->number = lane_number(lane);
    reader->looked_ticks = TICKS_UNKNOWN;
    lane_look(lane);
    adopt_sections(reader);
    *ret_reader = reader;
    return 0;
}

static void free_latency(struct meter_cursor *meter)
{
    for (struct latency_taken *taken = meter->latency, *next; taken; taken = next) {
        next = taken->next;
        free(taken);
    }
}

static void free_chunk(struct meter_cursor *chunk)
{
    for (uint32_t i = 0; chunk && i < METERS_PER_CHUNK; i++)
        free_latency(&chunk[i]);
    free(chunk);
}

struct lane_reader *lane_reader_free(struct lane_reader *reader)
{
    if (!reader)
        return NULL;
    for (uint32_t chunk = 0; chunk < reader->chunk_count; chunk++)
        free_chunk(reader->chunks[chunk]);
    free(reader->chunks);
    free(reader->claims);
    free(reader->sections);
    free(reader);
    return NULL;
}

bool lane_reader_of(const struct lane_reader *reader, const struct journal_mark *mark)
{
    return reader->lane_id == mark->lane_id && reader->uid == mark->uid;
}

/* ---------------------------------------------------------------------------------------------------------- meters */

struct meter_cursor *lane_reader_meter(const struct lane_reader *reader, uint32_t number)
{
    const uint32_t chunk = number / METERS_PER_CHUNK;
    if (number >= reader->meters || chunk >= reader->chunk_count || !reader->chunks[chunk])
        return NULL;
    struct meter_cursor *const meter = &reader->chunks[chunk][number % METERS_PER_CHUNK];
    return meter->owner ? meter : NULL;
}

uint32_t meter_cursor_section(const struct meter_cursor *meter)
{
    return (uint32_t)(meter->owner >> 48) % LANE_SECTIONS;
}

/* A meter may name a section that is not in use: nothing was told there. */
const struct section_cursor *meter_cursor_ring(const struct meter_cursor *meter)
{
    static const struct section_cursor none;
    const uint32_t section = meter_cursor_section(meter);
    return section < meter->lane->section_count ? &meter->lane->sections[section] : &none;
}

static struct meter *line_of(const struct meter_cursor *meter)
{
    return lane_meter_at(meter->lane->memory, meter->number);
}

static struct meter_cursor **claim_chain(const struct lane_reader *reader, uint32_t breaker, uint32_t section)
{
    const uint32_t hash = (breaker * LANE_SECTIONS + section) * UINT32_C(0x9e3779b1);
    return &reader->claims[(hash >> 8) % reader->claim_chains];
}

/* Doubles the number of chains. Where malloc has no memory the chains that are there become longer. */
static void grow_claims(struct lane_reader *reader)
{
    struct meter_cursor **const few = reader->claims;
    const uint32_t count = reader->claim_chains;
    struct meter_cursor **const more = calloc((size_t)count * 2, sizeof(*more));
    if (!more)
        return;
    reader->claims = more;
    reader->claim_chains = count * 2;
    for (uint32_t i = 0; i < count; i++)
        for (struct meter_cursor *meter = few[i], *next; meter; meter = next) {
            struct meter_cursor **const chain = claim_chain(reader, meter->breaker, meter_cursor_section(meter));
            next = meter->next_claim;
            meter->next_claim = *chain;
            *chain = meter;
        }
    free(few);
}

bool meter_cursor_claim(struct meter_cursor *meter, uint32_t breaker)
{
    struct lane_reader *const reader = meter->lane;
    const uint32_t section = meter_cursor_section(meter);
    if (reader->claim_count >= reader->claim_chains && reader->claim_chains < LANE_METERS)
        grow_claims(reader);
    struct meter_cursor **const chain = claim_chain(reader, breaker, section);
    for (const struct meter_cursor *other = *chain; other; other = other->next_claim)
        if (other->breaker == breaker && meter_cursor_section(other) == section)
            return false;
    meter->breaker = breaker;
    meter->next_claim = *chain;
    *chain = meter;
    reader->claim_count++;
    return true;
}

void meter_cursor_unclaim(struct meter_cursor *meter)
{
    struct meter_cursor **place = claim_chain(meter->lane, meter->breaker, meter_cursor_section(meter));
    while (*place != meter)
        place = &(*place)->next_claim;
    *place = meter->next_claim;
    meter->lane->claim_count--;
    meter->breaker = NO_BREAKER;
}

uint64_t meter_cursor_owner(const struct meter_cursor *meter)
{
    return load(&line_of(meter)->owner);
}

static struct reported reported_in_all(const struct meter_marks *marks)
{
    return (struct reported){
        .calls = marks->total_ok + marks->total_failures, .failures = marks->total_failures, .slow = marks->total_slow};
}

void meter_cursor_pass_on(struct meter_cursor *meter, uint64_t owner)
{
    meter->owner = owner;
    meter->before = reported_in_all(&meter->marks);
}

struct reported meter_cursor_reported(const struct meter_cursor *meter)
{
    const struct reported all = reported_in_all(&meter->marks), *const before = &meter->before;
    const uint64_t calls = total_grown(all.calls, before->calls);
    return (struct reported){.calls = calls,
                             .failures = at_most(total_grown(all.failures, before->failures), calls),
                             .slow = at_most(total_grown(all.slow, before->slow), calls)};
}

/* NULL: no memory, or no room in the user's quota. */
static struct meter_cursor *meter_place(struct lane_reader *reader, uint32_t number)
{
    const uint32_t at = number / METERS_PER_CHUNK;
    if (at >= reader->chunk_count) { /* a client takes its meters one after the other */
        void *const grown = realloc(reader->chunks, (at + 1) * sizeof(*reader->chunks));
        if (!grown)
            return NULL;
        reader->chunks = grown;
        memset(&reader->chunks[reader->chunk_count], 0, (at + 1 - reader->chunk_count) * sizeof(*reader->chunks));
        reader->chunk_count = at + 1;
    }
    struct meter_cursor **const chunk = &reader->chunks[at];
    if (!*chunk && lane_charge(reader->lane, METERS_PER_CHUNK * sizeof(**chunk)))
        *chunk = calloc(METERS_PER_CHUNK, sizeof(**chunk));
    return *chunk ? &(*chunk)[number % METERS_PER_CHUNK] : NULL;
}

/* Whether this worker or one before has counted calls of the meter: then their latencies are in the segment, too. */
static bool counted_before(const struct meter_marks *marks)
{
    const struct meter_marks none = {0};
    return memcmp(marks, &none, sizeof(none)) != 0;
}

/* NULL: the place in the meter holds no room, or one that is not in use. That two meters name the same room harms
 * nobody: what it counts counts twice, as if their client had counted it twice. */
static struct lane_room *room_at(const struct meter_cursor *meter, const uint32_t *place)
{
    /* Acquire: pairs with the client's release, the room is below `rooms_used`. */
    const uint32_t room = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    return room && room <= lane_rooms(meter->lane->lane) ? lane_room_at(meter->lane->memory, room - 1) : NULL;
}

/* ---------------------------------------------------------------------------------------------------- latencies */

static struct lane_room *latency_room(const struct meter_cursor *meter, uint32_t group)
{
    return room_at(meter, &line_of(meter)->rooms[group]);
}

/* NULL: no memory, or no room in the user's quota. */
static struct latency_taken *latency_taken(struct meter_cursor *meter, uint32_t group)
{
    struct latency_taken *taken = meter->latency;
    while (taken && taken->group != group)
        taken = taken->next;
    if (taken || meter->lane->latency_refused)
        return taken;
    taken = lane_charge(meter->lane->lane, sizeof(*taken)) ? calloc(1, sizeof(*taken)) : NULL;
    meter->lane->latency_refused = !taken;
    if (!taken)
        return NULL;
    taken->group = group;
    taken->next = meter->latency;
    meter->latency = taken;
    return taken;
}

/* True: `ret_calls` came since the last time, at least one. */
static bool take_latency(struct latency_taken *taken, const struct lane_room *room, uint32_t ret_calls[LATENCY_GROUP])
{
    uint32_t any = 0;
    for (unsigned i = 0; i < LATENCY_GROUP; i++) {
        /* Details: no order is needed. The difference is modular: a counter may wrap. */
        const uint32_t calls = __atomic_load_n(&room->counters[i], __ATOMIC_RELAXED);
        ret_calls[i] = calls - taken->calls[i];
        taken->calls[i] = calls;
        any |= ret_calls[i];
    }
    return any != 0;
}

static void adopt_latency(struct meter_cursor *meter)
{
    uint32_t calls[LATENCY_GROUP];
    for (uint32_t group = 0; group < LATENCY_GROUPS; group++) {
        const struct lane_room *const room = latency_room(meter, group);
        struct latency_taken *const taken = room ? latency_taken(meter, group) : NULL;
        if (taken)
            take_latency(taken, room, calls);
        else if (room)
            meter->latency_before |= UINT32_C(1) << group;
    }
}

void meter_cursor_latency(struct meter_cursor *meter,
                          void (*each)(void *context, uint32_t group, const uint32_t calls[LATENCY_GROUP]),
                          void *context)
{
    uint32_t calls[LATENCY_GROUP];
    for (uint32_t group = 0; group < LATENCY_GROUPS; group++) {
        const struct lane_room *const room = latency_room(meter, group);
        struct latency_taken *const taken = room ? latency_taken(meter, group) : NULL;
        const uint32_t bit = UINT32_C(1) << group;
        if (taken && take_latency(taken, room, calls) && !(meter->latency_before & bit))
            each(context, group, calls);
        if (taken)
            meter->latency_before &= ~bit;
    }
}

/* ------------------------------------------------------------------------------------------------ looking for them */

static void meter_adopt(struct lane_reader *reader, struct meter_cursor *meter, uint32_t number, uint64_t owner)
{
    const struct meter *const line = lane_meter_at(reader->memory, number);
    meter->lane = reader;
    meter->number = number;
    meter->owner = owner;
    meter->breaker = NO_BREAKER;
    meter->marked_ticks = reader->looked_ticks; /* it was not in use then */
    meter->deferred_ticks = TICKS_UNKNOWN;
    meter->announced = __atomic_load_n(&line->announced, __ATOMIC_RELAXED); /* it is read anyway */
    words_load(&meter->marks, &line->marks, sizeof(meter->marks));
    if (counted_before(&meter->marks))
        adopt_latency(meter);
}

static void activate(struct meter_cursor *meter)
{
    if (!meter->active) {
        meter->next_active = meter->lane->active;
        meter->lane->active = meter;
    }
    meter->active = ANNOUNCED_BEATS;
}

/* A meter that is not known yet is found by lane_reader_look, and read then. */
static void take_group(struct lane_reader *reader, uint32_t first)
{
    for (uint32_t number = first; number < first + ANNOUNCED_METERS; number++) {
        struct meter_cursor *const meter = lane_reader_meter(reader, number);
        const uint32_t note = meter ? __atomic_load_n(&line_of(meter)->announced, __ATOMIC_RELAXED) : 0;
        if (!meter || note == meter->announced)
            continue;
        meter->announced = note;
        activate(meter);
    }
}

static void take_groups(struct lane_reader *reader, uint64_t *bits, uint32_t first)
{
    if (!__atomic_load_n(bits, __ATOMIC_RELAXED))
        return;
    /* Pairs with the client's release: the note is there. */
    for (uint64_t left = __atomic_exchange_n(bits, 0, __ATOMIC_ACQUIRE); left; left &= left - 1)
        take_group(reader, first + (uint32_t)__builtin_ctzll(left) * ANNOUNCED_METERS);
}

bool lane_reader_moved(struct lane_reader *reader)
{
    struct lane_header *const header = reader->memory;
    /* Acquire: pairs with the client's release, the bit is there. */
    const bool any = __atomic_load_n(&header->announced, __ATOMIC_RELAXED) &&
                     __atomic_exchange_n(&header->announced, 0, __ATOMIC_ACQUIRE);
    for (uint32_t word = 0; any && word < sizeof(header->moved) / sizeof(header->moved[0]); word++)
        take_groups(reader, &header->moved[word], word * 64 * ANNOUNCED_METERS);
    return any || reader->active || reader->unowned < reader->meters;
}

void lane_reader_beat(struct lane_reader *reader, void (*each)(void *context, struct meter_cursor *meter),
                      void *context)
{
    struct meter_cursor **at = &reader->active;
    while (*at) {
        struct meter_cursor *const meter = *at;
        each(context, meter);
        if (--meter->active)
            at = &meter->next_active;
        else
            *at = meter->next_active;
    }
}

void lane_reader_look(struct lane_reader *reader, uint64_t now_ticks,
                      void (*found)(void *context, struct meter_cursor *meter), void *context)
{
    uint32_t unowned = UINT32_MAX;
    reader->short_of_room = false;
    reader->latency_refused = false;
    lane_look(reader->lane);
    adopt_sections(reader);
    reader->meters = lane_meters(reader->lane);
    for (uint32_t number = reader->unowned; number < reader->meters; number++) {
        if (lane_reader_meter(reader, number))
            continue;
        const uint64_t owner = load(&lane_meter_at(reader->memory, number)->owner);
        struct meter_cursor *const meter = owner ? meter_place(reader, number) : NULL;
        if (!meter) {
            unowned = number < unowned ? number : unowned;
            reader->short_of_room |= owner != 0;
            continue;
        }
        meter_adopt(reader, meter, number, owner);
        activate(meter);
        found(context, meter);
    }
    reader->unowned = unowned < reader->meters ? unowned : reader->meters;
    reader->looked_ticks = now_ticks;
}

/* Reads the counts of the meter's room for errors. A meter without a room has counted no new ones. */
static void read_errors(const struct meter_cursor *meter, uint32_t errors[TRIP_ERROR_TYPE_COUNT])
{
    const struct lane_room *const counts = room_at(meter, &line_of(meter)->errors);
    for (unsigned type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        /* Acquire: pairs with the client's release, an error that is counted has its record. */
        errors[type] = counts ? __atomic_load_n(&counts->counters[type], __ATOMIC_ACQUIRE) : meter->marks.errors[type];
}

void meter_cursor_read(const struct meter_cursor *meter, struct counters *ret_counters)
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
    to->retries = load(&line->retries);
    to->retries_refused = load(&line->retries_refused);
    for (unsigned denial = 0; denial < DENIALS; denial++)
        to->denied[denial] = load(&line->denied[denial]);
    read_errors(meter, to->errors);
}

uint64_t meter_cursor_begun(const struct meter_cursor *meter)
{
    return load(&line_of(meter)->started);
}

uint64_t meter_cursor_ended(const struct meter_cursor *meter)
{
    return load(&line_of(meter)->finished);
}

bool lane_reader_complete(const struct lane_reader *reader)
{
    return !reader->short_of_room;
}

bool lane_reader_mark(struct lane_reader *reader, uint32_t number, const struct meter_marks *marks)
{
    struct meter_cursor *const meter = lane_reader_meter(reader, number);
    if (number >= lane_meters(reader->lane))
        return false;
    words_store(&lane_meter_at(reader->memory, number)->marks, marks, sizeof(*marks));
    if (meter)
        meter->marks = *marks;
    return true;
}

/* ----------------------------------------------------------------------------------------------------------- rings */

static bool event_at(const struct lane_reader *reader, uint32_t section, uint64_t index, struct told *ret_told)
{
    const struct lane_event *const event = lane_event_at(reader->memory, section, index);
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
static bool chain(struct told_batch *batch, struct meter_cursor *meter)
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

uint32_t lane_reader_telling(const struct lane_reader *reader)
{
    uint32_t telling = 0;
    for (uint32_t section = 0; section < reader->section_count; section++)
        /* Relaxed: a guess at how many will share the batch. */
        telling += __atomic_load_n(&lane_section_at(reader->memory, section)->head, __ATOMIC_RELAXED) !=
                   reader->sections[section].tail;
    return telling;
}

bool lane_reader_take(struct lane_reader *reader, uint32_t section, struct told_batch *batch, uint32_t most,
                      void (*taken)(void *context, struct meter_cursor *meter), void *context)
{
    struct section_cursor *const ring = &reader->sections[section];
    /* Pairs with the client's release of `head`: the events before it are written, but for a shared section's. */
    const uint64_t head = load(&lane_section_at(reader->memory, section)->head);
    uint64_t there = head - ring->tail;
    ring->stuck = false;
    ring->dropped = ring->full || there >= LANE_EVENTS;
    ring->full = there >= LANE_EVENTS;
    if (there > LANE_EVENTS) { /* no ring is so full: what it tells is lost, what it counts is not */
        ring->tail = head;
        there = 0;
    }
    struct meter_cursor *meter = NULL;
    uint32_t number = LANE_METERS; /* of `meter`: the event before told of it */
    for (; there > 0 && most > 0 && batch->count < batch->capacity; ring->tail++, there--, most--) {
        struct told *const told = &batch->events[batch->count];
        if (!event_at(reader, section, ring->tail, told)) {
            /* A thread may have died between taking a place and writing there; a full ring does not wait for it. */
            ring->stuck = !ring->full;
            if (ring->stuck)
                break;
            continue;
        }
        if (lane_event_meter(told->what) != number) {
            number = lane_event_meter(told->what);
            meter = lane_reader_meter(reader, number);
        }
        if (meter && chain(batch, meter))
            taken(context, meter);
    }
    ring->more = there > 0;
    return ring->full || (there > 0 && !ring->stuck);
}

bool section_cursor_untaken(const struct section_cursor *section)
{
    return section->dropped || section->stuck;
}

bool lane_reader_untaken(const struct lane_reader *reader)
{
    for (uint32_t section = 0; section < reader->section_count; section++)
        if (section_cursor_untaken(&reader->sections[section]))
            return true;
    return false;
}

void lane_reader_release(struct lane_reader *reader, uint32_t section)
{
    uint64_t *const tail = &lane_section_at(reader->memory, section)->tail;
    const uint64_t read = reader->sections[section].tail;
    /* Pairs with the client's acquire before it overwrites an event. */
    if (__atomic_load_n(tail, __ATOMIC_RELAXED) != read)
        __atomic_store_n(tail, read, __ATOMIC_RELEASE);
}

/* ---------------------------------------------------------------------------------------------------------- errors */

/* Copies the record if it is whole and this meter's. A section has 16 records, and each of its meters looks at them
 * all: records of other meters are not copied. */
static bool copy_error(const struct meter_cursor *meter, uint32_t section, uint64_t index, struct lane_error *ret_copy)
{
    const struct lane_error *const record = lane_error_at(meter->lane->memory, section, index);
    /* Relaxed: what the record says is believed only of its copy. A record that became this meter's just now has an
     * error that the meter's next drain finds counted. */
    return __atomic_load_n(&record->meter, __ATOMIC_RELAXED) == meter->number &&
           words_take(ret_copy, record, sizeof(*ret_copy)) == index + 1 && ret_copy->meter == meter->number;
}

/* Passes over the records that the client has overwritten. Returns how many of them tripd has not read. */
static uint64_t pass_overwritten(struct section_cursor *ring, uint64_t written)
{
    uint64_t lost = 0;
    if (written - ring->errors_tail > LANE_ERRORS) {
        const uint64_t passed = written - ring->errors_tail - LANE_ERRORS;
        lost = passed - (uint64_t)__builtin_popcount(passed < LANE_ERRORS ? ring->errors_read & ((1u << passed) - 1)
                                                                          : ring->errors_read);
        ring->errors_read = passed < LANE_ERRORS ? ring->errors_read >> passed : 0;
        ring->errors_tail = written - LANE_ERRORS;
    }
    return lost;
}

/* Writes into the lane which records tripd has read, for the next worker. */
static void note_read(const struct lane_reader *reader, uint32_t section)
{
    struct section_cursor *const ring = &reader->sections[section];
    struct lane_section *const line = lane_section_at(reader->memory, section);
    for (; ring->errors_read & 1; ring->errors_read >>= 1)
        ring->errors_tail++;
    __atomic_store_n(&line->errors_tail, ring->errors_tail, __ATOMIC_RELAXED);
    __atomic_store_n(&line->errors_read, ring->errors_read, __ATOMIC_RELAXED);
}

uint64_t meter_cursor_errors(const struct meter_cursor *meter,
                             void (*each)(void *context, const struct lane_error *record), void *context)
{
    const struct lane_reader *const reader = meter->lane;
    const uint32_t section = meter_cursor_section(meter);
    struct lane_error record;
    if (section >= reader->section_count)
        return 0;
    struct section_cursor *const ring = &reader->sections[section];
    /* Relaxed: each record's stamp says whether it is whole. */
    const uint64_t written = __atomic_load_n(&lane_section_at(reader->memory, section)->errors, __ATOMIC_RELAXED);
    const uint64_t lost = pass_overwritten(ring, written);
    for (uint64_t index = ring->errors_tail; index != written; index++) {
        const uint32_t bit = 1u << (index - ring->errors_tail);
        if (ring->errors_read & bit || !copy_error(meter, section, index, &record))
            continue;
        ring->errors_read |= bit;
        each(context, &record);
    }
    note_read(reader, section);
    return lost;
}
