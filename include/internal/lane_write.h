/* The writer's half of a lane: every client counts and reports with these functions, libtrip among them.
 *
 *   an outcome that is told               an error with texts
 *     `slow`, then `ok` or `failures`       its record          (stamp last, release)
 *     totals, the call's first              its type's counter  (release)
 *     its event       (stamp last, release)
 *     the bell, which may ring: bell.h
 *
 * tripd reads each list from the bottom up, so whatever it finds was counted before. `own` says that no other thread
 * writes to the section: its words are stored plainly. In section 0, which threads share, the same words are changed
 * with atomics. Releases pair with tripd's acquires. Counters that moved are announced: announce.h.
 */
#ifndef TRIP_INTERNAL_LANE_WRITE_H
#define TRIP_INTERNAL_LANE_WRITE_H

#include "internal/announce.h"
#include "internal/layout.h"
#include "internal/state_word.h"
#include "internal/words.h"

/* An outcome that was held up between the state word and its evidence is older than the evidence by few epochs; a word
 * further away is no older one, but one that was put right. */
#define LANE_OLDER_EPOCHS 1024

static inline uint32_t lane_meter_number(void *lane, const struct meter *meter)
{
    return (uint32_t)(meter - lane_meter_at(lane, 0));
}

/* --------------------------------------------------------------------------------------------------------- counters */

static inline void lane_add(uint64_t *counter, uint64_t n, bool own)
{
    if (own)
        __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELEASE);
    else
        __atomic_fetch_add(counter, n, __ATOMIC_RELEASE);
}

/* Where another thread has counted in a later epoch, these outcomes enter the totals only. Never inlined: a thread with
 * a section of its own should not carry this along. */
__attribute__((noinline, unused)) static void lane_add_shared_evidence(uint64_t *evidence, uint32_t epoch, uint64_t n)
{
    uint64_t seen = __atomic_load_n(evidence, __ATOMIC_RELAXED);
    do {
        const uint32_t ahead = (evidence_epoch(seen) - epoch) & WORD_EPOCH_MASK;
        if (seen != 0 && ahead != 0 && ahead < LANE_OLDER_EPOCHS)
            return;
    } while (!__atomic_compare_exchange_n(evidence, &seen, evidence_after(seen, epoch, n), true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

/* Counts outcomes of this epoch. */
static inline void lane_add_evidence(uint64_t *evidence, uint32_t epoch, uint64_t n, bool own)
{
    if (own)
        __atomic_store_n(evidence, evidence_after(__atomic_load_n(evidence, __ATOMIC_RELAXED), epoch, n),
                         __ATOMIC_RELEASE);
    else
        lane_add_shared_evidence(evidence, epoch, n);
}

/* ----------------------------------------------------------------------------------------------------------- events */

/* Takes a place for one more event. *ret_waiting: how many events tripd has not taken, with this one. False: the ring
 * is full, and tripd derives the event from the counters. */
static inline bool lane_take_place(void *lane, uint32_t section, uint64_t *ret_index, uint64_t *ret_waiting)
{
    struct lane_section *const ring = lane_section_at(lane, section);
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    do {
        /* Acquire: pairs with tripd's release of the tail, it has read what is overwritten now. */
        *ret_waiting = head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) + 1;
        if (*ret_waiting > LANE_EVENTS)
            return false;
    } while (!section &&
             !__atomic_compare_exchange_n(&ring->head, &head, head + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *ret_index = head;
    return true;
}

static inline uint64_t lane_evidence_of(const uint64_t *evidence, uint32_t epoch)
{
    const uint64_t word = __atomic_load_n(evidence, __ATOMIC_RELAXED);
    return evidence_epoch(word) == epoch ? word : evidence_make(epoch, 0);
}

/* Writes the event, which carries the meter's evidence of this epoch; `what`: lane_event_what(). */
static inline void lane_write_event(void *lane, uint32_t section, uint64_t index, const struct meter *meter,
                                    uint32_t epoch, uint64_t ticks, uint32_t what)
{
    struct lane_event *const event = lane_event_at(lane, section, index);
    /* Relaxed: the stamp orders them. Atomic: in section 0 a thread that was held up here until tripd passed over its
     * place may meet the thread that has the place now. */
    __atomic_store_n(&event->ticks, ticks, __ATOMIC_RELAXED);
    __atomic_store_n(&event->ok, lane_evidence_of(&meter->ok, epoch), __ATOMIC_RELAXED);
    __atomic_store_n(&event->failures, (uint32_t)lane_evidence_of(&meter->failures, epoch), __ATOMIC_RELAXED);
    __atomic_store_n(&event->slow, (uint32_t)lane_evidence_of(&meter->slow, epoch), __ATOMIC_RELAXED);
    __atomic_store_n(&event->what, what, __ATOMIC_RELAXED);
    /* Release: pairs with tripd's acquire of the stamp, the event is whole. */
    __atomic_store_n(&event->stamp, (uint32_t)(index + 1), __ATOMIC_RELEASE);
    if (section)
        /* Pairs with tripd's acquire of the head. */
        __atomic_store_n(&lane_section_at(lane, section)->head, index + 1, __ATOMIC_RELEASE);
}

/* ---------------------------------------------------------------------------------------------------- error records */

/* Takes the place for writing. False: in section 0, another thread still writes there, LANE_ERRORS records behind. */
static inline bool lane_claim_record(struct lane_error *place, bool own)
{
    uint64_t seen = __atomic_load_n(&place->stamp, __ATOMIC_RELAXED);
    if (own) {
        __atomic_store_n(&place->stamp, LANE_ERROR_WRITING, __ATOMIC_RELAXED);
        return true;
    }
    /* Acquire: pairs with the release of the stamp by whoever wrote here before. */
    return seen != LANE_ERROR_WRITING && __atomic_compare_exchange_n(&place->stamp, &seen, LANE_ERROR_WRITING, false,
                                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lane_write_record(void *lane, uint32_t section, uint64_t index, const struct lane_error *record)
{
    struct lane_error *const place = lane_error_at(lane, section, index);
    const size_t head = offsetof(struct lane_error, ticks);
    if (!lane_claim_record(place, section != 0))
        return;
    /* No word of the new record under the old one's stamp: words.h. */
    words_store((uint8_t *)place + head, (const uint8_t *)record + head, offsetof(struct lane_error, reserved) - head);
    __atomic_store_n(&place->stamp, index + 1, __ATOMIC_RELEASE); /* pairs with tripd's acquire */
}

/* Appends a record, whose stamp is given here. Returns how many the section has had, with this one. */
static inline uint64_t lane_append_record(void *lane, uint32_t section, const struct lane_error *record)
{
    struct lane_section *const head = lane_section_at(lane, section);
    /* Relaxed: the stamp tells whether a record is whole. */
    const uint64_t index = section ? __atomic_load_n(&head->errors, __ATOMIC_RELAXED)
                                   : __atomic_fetch_add(&head->errors, 1, __ATOMIC_RELAXED);
    lane_write_record(lane, section, index, record);
    if (section)
        __atomic_store_n(&head->errors, index + 1, __ATOMIC_RELAXED);
    return index + 1;
}

#endif
