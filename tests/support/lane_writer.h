/* A client by hand: makes a lane and writes it as libtrip does (internal/lane_write.h), a step at a time, so that tests
 * can stop between any two. The counters of an outcome and its event are separate calls. */
#ifndef TRIP_TESTS_LANE_WRITER_H
#define TRIP_TESTS_LANE_WRITER_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal/lane_write.h"

struct lane_writer {
    int fd; /* -1: tripd has taken it */
    struct lane_header *memory;
    size_t size;
};

/* Memory of a lane without meters: more than what each lane is sure to get. */
#define WRITER_MEMORY lane_rings_offset(2)
#define WRITER_SEALS  (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Gives memory to what is marked as used, as to a section's part: libtrip does so first. */
static inline void writer_give_memory(struct lane_writer *writer, size_t from, size_t until)
{
    const uint8_t *const memory = (const uint8_t *)writer->memory;
    if (fallocate(writer->fd, 0, (off_t)from, (off_t)(until - from)) < 0)
        abort();
    for (size_t at = from; at < until; at += LAYOUT_PAGE) /* a page passes for a hole until it is touched */
        (void)*(const volatile uint8_t *)(memory + at);
    (void)*(const volatile uint8_t *)(memory + until - 1);
}

static inline void writer_sections(struct lane_writer *writer, uint32_t sections)
{
    writer_give_memory(writer, 0, lane_rings_offset(sections));
    __atomic_store_n(&writer->memory->sections_used, sections, __ATOMIC_RELEASE);
}

static inline void writer_make_sized(struct lane_writer *writer, uint64_t lane_id, size_t size, int seals)
{
    *writer = (struct lane_writer){.size = size};
    writer->fd = memfd_create("lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (writer->fd < 0 || ftruncate(writer->fd, (off_t)size) < 0)
        abort(); /* this machine cannot run the test */
    writer->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
    if (writer->memory == MAP_FAILED || (seals && fcntl(writer->fd, F_ADD_SEALS, seals) < 0))
        abort();
    writer->memory->magic = LANE_MAGIC;
    writer->memory->version = LAYOUT_VERSION;
    writer->memory->digest = layout_digest();
    writer->memory->lane_id = lane_id;
    writer->memory->pid = (uint32_t)getpid();
    memcpy(writer->memory->program, "writer", sizeof("writer"));
    writer->memory->calls_used = 1;
    if (size != LANE_SIZE)
        return;
    writer_give_memory(writer, 0, WRITER_MEMORY);
    writer_sections(writer, 1);
}

static inline void writer_make(struct lane_writer *writer, uint64_t lane_id)
{
    writer_make_sized(writer, lane_id, LANE_SIZE, WRITER_SEALS);
}

/* Returns the descriptor for tripd, which closes it. */
static inline int writer_send(struct lane_writer *writer)
{
    return fcntl(writer->fd, F_DUPFD_CLOEXEC, 0);
}

static inline void writer_free(struct lane_writer *writer)
{
    munmap(writer->memory, writer->size);
    close(writer->fd);
}

static inline uint32_t writer_section(const struct lane_writer *writer, uint32_t meter)
{
    return (uint32_t)(lane_meter_at(writer->memory, meter)->owner >> 48) % LANE_SECTIONS;
}

/* Takes a meter for this breaker in this section. */
static inline uint32_t writer_meter(struct lane_writer *writer, uint32_t breaker, uint32_t incarnation,
                                    uint32_t section)
{
    const uint32_t meter = writer->memory->meters_used;
    struct lane_header *const header = writer->memory;
    if (section >= header->sections_used)
        writer_sections(writer, section + 1);
    *((volatile uint8_t *)lane_meter_at(header, meter + 1) - 1) = 0; /* gives memory to its last page */
    __atomic_store_n(&lane_meter_at(header, meter)->owner, meter_owner(breaker, incarnation, section),
                     __ATOMIC_RELEASE);
    __atomic_store_n(&header->meters_used, meter + 1, __ATOMIC_RELEASE);
    return meter;
}

/* Takes a room for a group of buckets. */
static inline void writer_room(struct lane_writer *writer, uint32_t *place)
{
    struct lane_header *const header = writer->memory;
    const uint32_t room = header->rooms_used + 1;
    ((volatile struct lane_room *)lane_room_at(header, room - 1))->counters[0] = 0; /* gives memory to its page */
    __atomic_store_n(&header->rooms_used, room, __ATOMIC_RELEASE);
    __atomic_store_n(place, room, __ATOMIC_RELEASE);
}

/* Counts n calls of this latency. */
static inline void writer_latency(struct lane_writer *writer, uint32_t meter, uint64_t latency_ns, uint32_t n)
{
    const uint32_t bucket = latency_bucket(latency_ns), group = bucket / LATENCY_GROUP;
    const uint32_t *const room = &lane_meter_at(writer->memory, meter)->rooms[group];
    if (!*room)
        writer_room(writer, &lane_meter_at(writer->memory, meter)->rooms[group]);
    __atomic_fetch_add(&lane_room_at(writer->memory, *room - 1)->counters[bucket % LATENCY_GROUP], n, __ATOMIC_RELAXED);
}

/* Returns the calls of this bucket that a meter has counted. */
static inline uint32_t lane_latency(void *lane, uint32_t meter, uint32_t bucket)
{
    const uint32_t room = lane_meter_at(lane, meter)->rooms[bucket / LATENCY_GROUP];
    return room ? lane_room_at(lane, room - 1)->counters[bucket % LATENCY_GROUP] : 0;
}

static inline void writer_total(uint64_t *total, uint64_t n)
{
    lane_add(total, n, true);
}

/* Counts n plain successes of a closed breaker, in counters only. */
static inline void writer_ok(struct lane_writer *writer, uint32_t meter, uint32_t epoch, uint64_t n)
{
    struct meter *const line = lane_meter_at(writer->memory, meter);
    lane_add_evidence(&line->ok, epoch, n, true);
    writer_total(&line->total_ok, n);
}

/* Counts an outcome for which an event follows. */
static inline void writer_count(struct lane_writer *writer, uint32_t meter, uint32_t epoch, trip_outcome outcome,
                                bool slow)
{
    struct meter *const line = lane_meter_at(writer->memory, meter);
    const bool failed = outcome != TRIP_OK;
    if (slow) {
        lane_add_evidence(&line->slow, epoch, 1, true);
        writer_total(&line->total_slow, 1);
    }
    lane_add_evidence(failed ? &line->failures : &line->ok, epoch, 1, true);
    writer_total(failed ? &line->total_failures : &line->total_ok, 1);
    if (outcome == TRIP_TIMEOUT)
        writer_total(&line->total_timeouts, 1);
}

/* Counts n errors without records. */
static inline void writer_errors(struct lane_writer *writer, uint32_t meter, trip_error_type type, uint32_t n)
{
    uint32_t *const place = &lane_meter_at(writer->memory, meter)->errors;
    if (!*place)
        writer_room(writer, place);
    __atomic_fetch_add(&lane_room_at(writer->memory, *place - 1)->counters[type], n, __ATOMIC_RELEASE);
}

/* Writes an error's whole record; `text` gives all but stamp and meter. */
static inline void writer_error_record(struct lane_writer *writer, uint32_t meter, const struct lane_error *text)
{
    struct lane_error record = *text;
    record.meter = meter;
    lane_append_record(writer->memory, writer_section(writer, meter), &record);
}

/* Appends the event, with the counters as they are now. False: the ring is full, and the event is dropped. */
static inline bool writer_tell(struct lane_writer *writer, uint32_t meter, uint32_t epoch, trip_outcome outcome,
                               bool slow, uint64_t ticks, uint32_t type)
{
    const struct meter *const line = lane_meter_at(writer->memory, meter);
    const uint32_t what = lane_event_what(meter, outcome, slow, type);
    const uint32_t section = writer_section(writer, meter);
    uint64_t index, waiting;
    if (!lane_take_place(writer->memory, section, &index, &waiting))
        return false;
    lane_write_event(writer->memory, section, index, line, epoch, ticks, what);
    return true;
}

/* Reports an outcome with counters and event. */
static inline bool writer_outcome(struct lane_writer *writer, uint32_t meter, uint32_t epoch, trip_outcome outcome,
                                  bool slow, uint64_t ticks)
{
    const bool failed = outcome == TRIP_FAILURE || outcome == TRIP_TIMEOUT;
    const trip_error_type type = outcome == TRIP_TIMEOUT ? TRIP_ERROR_TIMEOUT : TRIP_ERROR_UNKNOWN;
    writer_count(writer, meter, epoch, outcome, slow);
    if (failed)
        writer_errors(writer, meter, type, 1);
    return writer_tell(writer, meter, epoch, outcome, slow, ticks, type);
}

#endif
