/* A sliding window of calls: the last N, or the last T seconds in 10 sub-buckets. Pure, no pointers, copied as it is.
 * Which of the N calls were failures and which were slow is a bit each, so that a full batch of successes costs words,
 * not calls. What a window forgets is gone: sums are kept, never recounted. */
#ifndef TRIP_CORE_WINDOW_H
#define TRIP_CORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"

#define WINDOW_BUCKETS 10

struct window_bucket {
    uint32_t calls, failures, slow;
};

struct window {
    uint8_t type; /* enum window_type */
    uint32_t size;
    uint64_t span_ns;
    uint64_t calls, failures, slow; /* in the window now */
    uint32_t next;                  /* count: place of the next call; `calls` places before it are filled */
    uint64_t bucket;                /* time: number of the newest bucket, now / (span / 10) */
    /* When the first call came that failed or was slow: of each bucket, or of each tenth of the ring; 0: there was
     * none. The tenth that is being written keeps beside it the time of the round before. */
    uint64_t trouble_ns[WINDOW_BUCKETS], trouble_before_ns;
    struct window_bucket buckets[WINDOW_BUCKETS];
    uint64_t failed[SETTINGS_WINDOW_MAX / 64];
    uint64_t slowed[SETTINGS_WINDOW_MAX / 64];
};

/* How a call ended, as bits. */
enum call_kind { CALL_OK = 0, CALL_FAILED = 1, CALL_SLOW = 2, CALL_FAILED_SLOW = 3, CALL_KINDS = 4 };

static inline enum call_kind call_kind(bool failed, bool slow)
{
    return (enum call_kind)((failed ? CALL_FAILED : 0) | (slow ? CALL_SLOW : 0));
}

void window_init(struct window *window, enum window_type type, uint32_t size, uint64_t span_ns);
void window_clear(struct window *window);
/* Changes the window's shape. Another size keeps the latest calls that fit; another type or span starts empty. */
void window_reshape(struct window *window, enum window_type type, uint32_t size, uint64_t span_ns);
void window_add(struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind);
/* Returns when the oldest failed or slow call came that is in the window at now_ns. 0: there is none. For a count
 * window it may be the time of a call before it, up to a tenth of the window, that the window has just forgotten. */
uint64_t window_trouble_since(const struct window *window, uint64_t now_ns);
/* Makes a time window forget what is older than its span. A count window forgets nothing. */
void window_advance(struct window *window, uint64_t now_ns);

/* The sums that window_advance would leave; the window stays as it is. */
struct window_sums {
    uint64_t calls, failures, slow;
};
struct window_sums window_sums_at(const struct window *window, uint64_t now_ns);
/* Returns likewise the sums after n more equal calls in the newest bucket. */
struct window_sums window_sums_after(const struct window *window, uint64_t now_ns, uint64_t n, enum call_kind kind);

/* For readers of a copy. Is it whole, so that the functions here may read it? */
bool window_ok(const struct window *window);
/* Returns how the call ended that came so many calls before the latest one of a count window; fewer than `calls`. */
enum call_kind window_kind(const struct window *window, uint32_t back);

/* Copies the part that is in use: for a count window of 100 a fraction of sizeof(struct window). */
void window_copy(struct window *to, const struct window *from);

#endif
