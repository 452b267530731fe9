/* Pokes a packed segment: an input says which bytes of which entries become what. */
#ifndef TRIP_TESTS_FUZZ_POKE_H
#define TRIP_TESTS_FUZZ_POKE_H

#include "bytes.h"
#include "packed_segment.h"

#define POKES_MAX 64

struct pokes {
    struct {
        uint64_t at;
        uint8_t before[8];
    } made[POKES_MAX];
    unsigned count;
};

/* Makes one poke: where (0: the header, or the number of a section + 1), which entry, how far in it, and a number of 1,
 * 2, 4 or 8 bytes. */
static inline void poke(struct pokes *pokes, const struct packed_segment *packed, uint8_t *memory, struct bytes *bytes)
{
    const struct section header = {.stride = sizeof(struct segment_header), .count = 1};
    const unsigned where = bytes_below(bytes, SECTION_COUNT + 1);
    const struct section *const place = where > 0 ? &packed->sections[where - 1] : &header;
    const uint32_t entry = place->count > 0 ? bytes_below(bytes, place->count) : 0;
    const uint32_t within = bytes_below(bytes, place->stride);
    const size_t size = (size_t)1 << (bytes_byte(bytes) & 3);
    const uint64_t value = bytes_number(bytes);
    const uint64_t at = place->offset + (uint64_t)entry * place->stride + within;
    if (place->count == 0 || at + 8 > packed->size || pokes->count == POKES_MAX)
        return;
    pokes->made[pokes->count].at = at;
    memcpy(pokes->made[pokes->count++].before, memory + at, 8);
    memcpy(memory + at, &value, size);
}

/* Takes them all back. */
static inline void unpoke(struct pokes *pokes, uint8_t *memory)
{
    while (pokes->count > 0) {
        pokes->count--;
        memcpy(memory + pokes->made[pokes->count].at, pokes->made[pokes->count].before, 8);
    }
}

#endif
