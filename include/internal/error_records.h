/* Reads the error records of a segment one after the other, by their sequence, which is index + 1. A record has
 * its place by its index, unless correlation.max_errors has changed since it was written. */
#ifndef TRIP_INTERNAL_ERROR_RECORDS_H
#define TRIP_INTERNAL_ERROR_RECORDS_H

#include <stdbool.h>
#include <string.h>

#include "internal/layout.h"
#include "internal/words.h"

/* Finds the next pair in a context of `size` bytes: key, NUL, value, NUL at *at, which moves on behind it. False: no
 * whole pair is left. */
static inline bool error_context_next(const char *context, size_t size, size_t *at, const char **ret_key,
                                      const char **ret_value)
{
    const size_t key = strnlen(context + *at, size - *at) + 1;
    const size_t value = *at + key < size ? strnlen(context + *at + key, size - *at - key) + 1 : size;
    if (*at + key + value > size)
        return false;
    *ret_key = context + *at;
    *ret_value = *ret_key + key;
    *at += key + value;
    return true;
}

struct error_records {
    const uint8_t *places;
    uint32_t stride, count; /* count: places that have memory */
    uint64_t next;          /* index of the record that tripd writes next */
};

static inline const struct error_record *error_record_place(const struct error_records *records, uint64_t place)
{
    return (const struct error_record *)(const void *)(records->places + place * records->stride);
}

/* Copies the record with this index. False: another record is there, or one that is being written. */
static inline bool error_record_copy(const struct error_record *from, uint64_t sequence,
                                     struct error_record *ret_record)
{
    return words_take(ret_record, from, sizeof(*ret_record)) == sequence;
}

/* Finds the record with the lowest sequence that is more than `after`. NULL: there is none. */
static inline const struct error_record *error_record_lowest(const struct error_records *records, uint64_t after,
                                                             uint64_t *ret_sequence)
{
    const struct error_record *lowest = NULL;
    *ret_sequence = UINT64_MAX;
    for (uint32_t place = 0; place < records->count; place++) {
        const struct error_record *const record = error_record_place(records, place);
        const uint64_t sequence =
            __atomic_load_n(&record->sequence, __ATOMIC_RELAXED); /* error_record_copy checks it again */
        if (sequence > after && sequence < *ret_sequence) {
            *ret_sequence = sequence;
            lowest = record;
        }
    }
    return lowest;
}

/* Copies the first record whose sequence is more than `after`. False: there is none. */
static inline bool error_record_after(const struct error_records *records, uint64_t after,
                                      struct error_record *ret_record)
{
    uint64_t sequence;
    if (records->count == 0 || after >= records->next)
        return false;
    if (error_record_copy(error_record_place(records, after % records->count), after + 1, ret_record))
        return true;
    for (unsigned tries = 0; tries < 5; tries++) { /* tripd may overwrite the record that was found */
        const struct error_record *const lowest = error_record_lowest(records, after, &sequence);
        if (!lowest || error_record_copy(lowest, sequence, ret_record))
            return lowest != NULL;
    }
    return false;
}

/* Copies the record with this sequence. False: it is overwritten, or there was none (0). */
static inline bool error_record_find(const struct error_records *records, uint64_t sequence,
                                     struct error_record *ret_record)
{
    return sequence && error_record_after(records, sequence - 1, ret_record) && ret_record->sequence == sequence;
}

#endif
