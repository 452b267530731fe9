/* A count window is a ring of bits: place of a call, was it a failure, was it slow. Bits beyond the filled places are
 * zero, so that what a batch replaces is told by counting bits. */
#include "core/window.h"

#include <string.h>

static uint32_t words(uint32_t size)
{
    return (size + 63) / 64;
}

void window_clear(struct window *window)
{
    window->calls = window->failures = window->slow = 0;
    window->next = 0;
    window->bucket = 0;
    memset(window->buckets, 0, sizeof(window->buckets));
    if (window->type != WINDOW_COUNT)
        return;
    memset(window->failed, 0, words(window->size) * sizeof(uint64_t));
    memset(window->slowed, 0, words(window->size) * sizeof(uint64_t));
}

void window_init(struct window *window, enum window_type type, uint32_t size, uint64_t span_ns)
{
    window->type = (uint8_t)type;
    window->size = size < 1 ? 1 : size > SETTINGS_WINDOW_MAX ? SETTINGS_WINDOW_MAX : size;
    window->span_ns = span_ns < WINDOW_BUCKETS ? WINDOW_BUCKETS : span_ns;
    window_clear(window);
}

/* ------------------------------------------------------------------------------------------------ the last N calls */

/* Sets the bits [from, from + n) to `value`, and returns how many of them were set before. */
static uint32_t replace_bits(uint64_t *bits, uint32_t from, uint32_t n, bool value)
{
    uint32_t before = 0;

    while (n > 0) {
        const uint32_t shift = from % 64, room = 64 - shift, take = n < room ? n : room;
        const uint64_t mask = (take == 64 ? UINT64_MAX : (UINT64_C(1) << take) - 1) << shift;
        uint64_t *const word = &bits[from / 64];

        before += (uint32_t)__builtin_popcountll(*word & mask);
        *word = value ? *word | mask : *word & ~mask;
        from += take;
        n -= take;
    }
    return before;
}

/* n places of the ring from `next` on become `value`. `sum`: how many are set, kept. */
static void replace_places(const struct window *window, uint64_t *bits, uint64_t *sum, uint32_t n, bool value)
{
    const uint32_t to_end = window->size - window->next, first = n < to_end ? n : to_end;

    if (*sum == 0 && !value)
        return;
    *sum -= replace_bits(bits, window->next, first, value);
    *sum -= replace_bits(bits, 0, n - first, value);
    *sum += value ? n : 0;
}

static void count_add(struct window *window, uint64_t n, bool failed, bool slow)
{
    const uint32_t places = n < window->size ? (uint32_t)n : window->size;

    replace_places(window, window->failed, &window->failures, places, failed);
    replace_places(window, window->slowed, &window->slow, places, slow);
    window->next = (window->next + places) % window->size;
    window->calls = window->calls + places < window->size ? window->calls + places : window->size;
}

/* ---------------------------------------------------------------------------------------------- the last T seconds */

static uint64_t bucket_of(const struct window *window, uint64_t now_ns)
{
    return now_ns / (window->span_ns / WINDOW_BUCKETS);
}

static void forget_bucket(struct window *window, struct window_bucket *bucket)
{
    window->calls -= bucket->calls;
    window->failures -= bucket->failures;
    window->slow -= bucket->slow;
    memset(bucket, 0, sizeof(*bucket));
}

void window_advance(struct window *window, uint64_t now_ns)
{
    if (window->type != WINDOW_TIME)
        return;
    const uint64_t bucket = bucket_of(window, now_ns);
    if (bucket <= window->bucket) /* a time of before: its bucket is the newest there is */
        return;
    const uint64_t passed = bucket - window->bucket;
    for (uint64_t i = 1; i <= passed && i <= WINDOW_BUCKETS; i++)
        forget_bucket(window, &window->buckets[(window->bucket + i) % WINDOW_BUCKETS]);
    window->bucket = bucket;
}

/* A bucket that is full counts no further: its sums cannot wrap, whatever a lane claims. */
static void time_add(struct window *window, uint64_t n, bool failed, bool slow)
{
    struct window_bucket *const bucket = &window->buckets[window->bucket % WINDOW_BUCKETS];
    const uint32_t room = UINT32_MAX - bucket->calls, added = n < room ? (uint32_t)n : room;

    bucket->calls += added;
    bucket->failures += failed ? added : 0;
    bucket->slow += slow ? added : 0;
    window->calls += added;
    window->failures += failed ? added : 0;
    window->slow += slow ? added : 0;
}

struct window_sums window_sums_at(const struct window *window, uint64_t now_ns)
{
    struct window_sums sums = {window->calls, window->failures, window->slow};

    if (window->type != WINDOW_TIME)
        return sums;
    const uint64_t bucket = bucket_of(window, now_ns);
    for (uint64_t i = 1; window->bucket + i <= bucket && i <= WINDOW_BUCKETS; i++) {
        const struct window_bucket *const old = &window->buckets[(window->bucket + i) % WINDOW_BUCKETS];
        sums.calls -= old->calls;
        sums.failures -= old->failures;
        sums.slow -= old->slow;
    }
    return sums;
}

/* ------------------------------------------------------------------------------------------------------------ both */

void window_add(struct window *window, uint64_t now_ns, uint64_t n, bool failed, bool slow)
{
    if (window->type == WINDOW_COUNT) {
        count_add(window, n, failed, slow);
        return;
    }
    window_advance(window, now_ns);
    time_add(window, n, failed, slow);
}

static bool bit(const uint64_t *bits, uint32_t place)
{
    return bits[place / 64] >> (place % 64) & 1;
}

void window_reshape(struct window *window, enum window_type type, uint32_t size, uint64_t span_ns)
{
    struct window old;

    if (window->type == type && (type == WINDOW_COUNT ? window->size == size : window->span_ns == span_ns))
        return;
    old.calls = 0;
    if (window->type == WINDOW_COUNT && type == WINDOW_COUNT)
        window_copy(&old, window);
    window_init(window, type, size, span_ns);
    for (uint64_t left = old.calls < window->size ? old.calls : window->size; left > 0; left--) {
        const uint32_t place = (old.next + old.size - (uint32_t)left) % old.size;
        count_add(window, 1, bit(old.failed, place), bit(old.slowed, place));
    }
}

void window_copy(struct window *to, const struct window *from)
{
    memcpy(to, from, offsetof(struct window, failed));
    if (from->type != WINDOW_COUNT)
        return;
    memcpy(to->failed, from->failed, words(from->size) * sizeof(uint64_t));
    memcpy(to->slowed, from->slowed, words(from->size) * sizeof(uint64_t));
}
