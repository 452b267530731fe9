/* A count window is a ring of bits: bit i of `failed` says that the call in place i failed, of `slowed` that it was
 * slow. Bits beyond the filled places are zero, so that counting bits tells what a batch replaces. */
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
    memset(window->trouble_ns, 0, sizeof(window->trouble_ns));
    window->trouble_before_ns = 0;
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

/* Returns a mask of the bits [from, from + n) that stand in the same word as the first, and how many they are. */
static uint64_t mask_of(uint32_t from, uint32_t n, uint32_t *ret_take)
{
    const uint32_t shift = from % 64, room = 64 - shift;
    *ret_take = n < room ? n : room;
    return (*ret_take == 64 ? UINT64_MAX : (UINT64_C(1) << *ret_take) - 1) << shift;
}

static uint32_t count_bits(const uint64_t *bits, uint32_t from, uint32_t n)
{
    uint32_t set = 0;

    for (uint32_t take; n > 0; from += take, n -= take)
        set += (uint32_t)__builtin_popcountll(bits[from / 64] & mask_of(from, n, &take));
    return set;
}

/* Sets the bits [from, from + n) to `value`, and returns how many of them were set before. */
static uint32_t replace_bits(uint64_t *bits, uint32_t from, uint32_t n, bool value)
{
    uint32_t before = 0;

    while (n > 0) {
        uint32_t take;
        const uint64_t mask = mask_of(from, n, &take);
        uint64_t *const word = &bits[from / 64];

        before += (uint32_t)__builtin_popcountll(*word & mask);
        *word = value ? *word | mask : *word & ~mask;
        from += take;
        n -= take;
    }
    return before;
}

/* Sets the bits of the ring's next n places to `value`, and keeps `sum`, how many bits are set. */
static void replace_places(const struct window *window, uint64_t *bits, uint64_t *sum, uint32_t n, bool value)
{
    const uint32_t to_end = window->size - window->next, first = n < to_end ? n : to_end;

    if (*sum == 0 && !value)
        return;
    *sum -= replace_bits(bits, window->next, first, value);
    *sum -= replace_bits(bits, 0, n - first, value);
    *sum += value ? n : 0;
}

/* Returns how many bits would be set after replace_places. */
static uint64_t sum_after(const struct window *window, const uint64_t *bits, uint64_t sum, uint32_t n, bool value)
{
    const uint32_t to_end = window->size - window->next, first = n < to_end ? n : to_end;
    const uint64_t added = value ? n : 0;

    if (sum == 0)
        return added;
    return sum + added - count_bits(bits, window->next, first) - count_bits(bits, 0, n - first);
}

static struct window_sums count_sums_after(const struct window *window, uint64_t n, enum call_kind kind)
{
    const uint32_t places = n < window->size ? (uint32_t)n : window->size;

    return (struct window_sums){
        .calls = window->calls + places < window->size ? window->calls + places : window->size,
        .failures = sum_after(window, window->failed, window->failures, places, kind & CALL_FAILED),
        .slow = sum_after(window, window->slowed, window->slow, places, kind & CALL_SLOW),
    };
}

/* The tenth of the ring that a place is in. */
static uint32_t tenth_of(const struct window *window, uint32_t place)
{
    return (uint32_t)((uint64_t)place * WINDOW_BUCKETS / window->size);
}

static uint32_t begin_of(const struct window *window, uint32_t tenth)
{
    return (uint32_t)(((uint64_t)tenth * window->size + WINDOW_BUCKETS - 1) / WINDOW_BUCKETS);
}

/* Notes when the calls came that are about to be written to `places` places from `next` on. A tenth whose first place
 * is written anew forgets what it held; what is left of it behind is remembered beside. */
static void note_trouble(struct window *window, uint64_t now_ns, uint32_t places, bool trouble)
{
    if (places == window->size) { /* nothing of before is left */
        memset(window->trouble_ns, 0, sizeof(window->trouble_ns));
        window->trouble_before_ns = 0;
    }
    for (uint32_t left = places, place = window->next; left > 0;) {
        const uint32_t tenth = tenth_of(window, place);
        const uint32_t room = begin_of(window, tenth + 1) - place, take = left < room ? left : room;
        if (place == begin_of(window, tenth)) {
            window->trouble_before_ns = window->trouble_ns[tenth];
            window->trouble_ns[tenth] = 0;
        }
        if (trouble && window->trouble_ns[tenth] == 0)
            window->trouble_ns[tenth] = now_ns ? now_ns : 1;
        left -= take;
        place = (place + take) % window->size;
    }
}

static void count_add(struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    const uint32_t places = n < window->size ? (uint32_t)n : window->size;

    note_trouble(window, now_ns, places, kind != CALL_OK);
    replace_places(window, window->failed, &window->failures, places, kind & CALL_FAILED);
    replace_places(window, window->slowed, &window->slow, places, kind & CALL_SLOW);
    window->next = (window->next + places) % window->size;
    window->calls = window->calls + places < window->size ? window->calls + places : window->size;
}

/* ---------------------------------------------------------------------------------------------- the last T seconds */

static uint64_t bucket_of(const struct window *window, uint64_t now_ns)
{
    return now_ns / (window->span_ns / WINDOW_BUCKETS);
}

static void forget_bucket(struct window *window, uint64_t number)
{
    struct window_bucket *const bucket = &window->buckets[number % WINDOW_BUCKETS];

    window->trouble_ns[number % WINDOW_BUCKETS] = 0;
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
    if (bucket <= window->bucket) /* a call older than the newest bucket counts in the newest */
        return;
    const uint64_t passed = bucket - window->bucket;
    for (uint64_t i = 1; i <= passed && i <= WINDOW_BUCKETS; i++)
        forget_bucket(window, window->bucket + i);
    window->bucket = bucket;
}

/* Returns how many of n calls still fit into the bucket. A full bucket counts no further: its sums cannot wrap,
 * whatever a lane claims. */
static uint32_t fitting(const struct window_bucket *bucket, uint64_t n)
{
    const uint32_t room = UINT32_MAX - bucket->calls;
    return n < room ? (uint32_t)n : room;
}

static void time_add(struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    struct window_bucket *const bucket = &window->buckets[window->bucket % WINDOW_BUCKETS];
    uint64_t *const trouble_ns = &window->trouble_ns[window->bucket % WINDOW_BUCKETS];
    const uint32_t added = fitting(bucket, n);

    if (kind != CALL_OK && *trouble_ns == 0)
        *trouble_ns = now_ns ? now_ns : 1;
    bucket->calls += added;
    bucket->failures += kind & CALL_FAILED ? added : 0;
    bucket->slow += kind & CALL_SLOW ? added : 0;
    window->calls += added;
    window->failures += kind & CALL_FAILED ? added : 0;
    window->slow += kind & CALL_SLOW ? added : 0;
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

static struct window_sums time_sums_after(const struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    struct window_sums sums = window_sums_at(window, now_ns);
    const uint64_t added = fitting(&window->buckets[window->bucket % WINDOW_BUCKETS], n);

    if (bucket_of(window, now_ns) >= window->bucket + WINDOW_BUCKETS) /* the newest bucket is forgotten by then */
        return sums;
    sums.calls += added;
    sums.failures += kind & CALL_FAILED ? added : 0;
    sums.slow += kind & CALL_SLOW ? added : 0;
    return sums;
}

/* ------------------------------------------------------------------------------------------------------------ both */

struct window_sums window_sums_after(const struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    return window->type == WINDOW_COUNT ? count_sums_after(window, n, kind) : time_sums_after(window, now_ns, n, kind);
}

void window_add(struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind)
{
    if (window->type == WINDOW_COUNT) {
        count_add(window, now_ns, n, kind);
        return;
    }
    window_advance(window, now_ns);
    time_add(window, now_ns, n, kind);
}

/* Does the ring still hold trouble of the last time round in the tenth that is being written? */
static bool holds_before(const struct window *window)
{
    const uint32_t end = begin_of(window, tenth_of(window, window->next) + 1), n = end - window->next;
    return count_bits(window->failed, window->next, n) + count_bits(window->slowed, window->next, n) > 0;
}

uint64_t window_trouble_since(const struct window *window, uint64_t now_ns)
{
    const bool counts = window->type == WINDOW_COUNT;
    const uint64_t newest =
        counts ? tenth_of(window, (window->next + window->size - 1) % window->size) : window->bucket;
    /* The newest is of now: the oldest tenth is the one behind it. */
    uint64_t since_ns = 0;
    if (counts && window->next != begin_of(window, (uint32_t)newest + 1) % window->size && holds_before(window))
        return window->trouble_before_ns;
    for (uint64_t i = 1; i <= WINDOW_BUCKETS && since_ns == 0; i++)
        if (counts || window->bucket + i > bucket_of(window, now_ns))
            since_ns = window->trouble_ns[(newest + i) % WINDOW_BUCKETS];
    return since_ns;
}

static bool bit(const uint64_t *bits, uint32_t place)
{
    return bits[place / 64] >> (place % 64) & 1;
}

/* When the first trouble came of the tenth that this place is in, in its round. */
static uint64_t trouble_at(const struct window *window, uint32_t place)
{
    const uint32_t tenth = tenth_of(window, place);
    const bool before =
        place >= window->next && window->next != begin_of(window, tenth) && tenth == tenth_of(window, window->next);
    return before ? window->trouble_before_ns : window->trouble_ns[tenth];
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
        count_add(window, trouble_at(&old, place), 1, call_kind(bit(old.failed, place), bit(old.slowed, place)));
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

bool window_ok(const struct window *window)
{
    return window->type <= WINDOW_TIME && window->size >= 1 && window->size <= SETTINGS_WINDOW_MAX &&
           window->next < window->size && (window->type == WINDOW_TIME || window->calls <= window->size);
}

enum call_kind window_kind(const struct window *window, uint32_t back)
{
    const uint32_t place = (window->next + window->size - 1 - back) % window->size;
    return call_kind(bit(window->failed, place), bit(window->slowed, place));
}
