/* Reads an input as numbers, for targets whose input is no text: what to do next, where, and with which value. Behind
 * its end there are zeros. */
#ifndef TRIP_TESTS_FUZZ_BYTES_H
#define TRIP_TESTS_FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t left;
};

static inline bool bytes_left(const struct bytes *bytes)
{
    return bytes->left > 0;
}

static inline uint64_t bytes_take(struct bytes *bytes, size_t size)
{
    uint64_t value = 0;
    const size_t there = size < bytes->left ? size : bytes->left;
    memcpy(&value, bytes->data, there);
    bytes->data += there;
    bytes->left -= there;
    return value;
}

static inline uint8_t bytes_byte(struct bytes *bytes)
{
    return (uint8_t)bytes_take(bytes, 1);
}

/* Returns a number below the limit, which is not 0. */
static inline uint32_t bytes_below(struct bytes *bytes, uint32_t limit)
{
    return (uint32_t)bytes_take(bytes, limit > 256 ? 2 : 1) % limit;
}

/* Returns a number: a small one takes a byte, any other nine; also the ends of the words' ranges. */
static inline uint64_t bytes_number(struct bytes *bytes)
{
    static const uint64_t ends[] = {UINT32_MAX, UINT64_C(1) << 32, (UINT64_C(1) << 44) - 1, UINT64_MAX};
    const uint8_t first = bytes_byte(bytes);
    if (first < 248)
        return first;
    if (first < 252)
        return bytes_take(bytes, (size_t)1 << (first - 248));
    return ends[first - 252];
}

#endif
