/* Adaptive concurrency: how many calls may be in flight at once, told from what the calls meet. Pure, no pointers,
 * copied as it is.
 *
 * AIMD, gradient2 and Vegas after the project concurrency-limits of Netflix (github.com/Netflix/concurrency-limits:
 * AIMDLimit, Gradient2Limit, VegasLimit, WindowedLimit):
 *
 *   aimd       + 1 a window
 *   gradient2  0.8 * limit + 0.2 * (limit * gradient + max(4, sqrt(limit))),
 *              gradient = 1.5 * unloaded / latency within [0.5, 1]
 *   vegas      queue = limit * (1 - 1.5 * unloaded / latency), with d = log10(limit), at least 1:
 *              up to d: + 6d;  below 3d: + d;  above 6d: - d;  between: as it is
 *   all        a window in which a tenth of the calls were drops: * 0.9; one that used less than half of the limit:
 *              no rise
 *
 * A drop is a call that failed; to aimd, which reads no latency, also one that was slow.
 *
 * What differs from there, and why:
 * - A window ends when 10 calls and as many as were in flight have ended: a step a round trip, however short the
 *   interval is beside the latency. Otherwise news of a step comes after many further ones, and the limit swings.
 * - A failure is a drop, for gradient2 too, which knew none; a tenth of failures, not one: thousands of calls of a host
 *   always hold some. The latency of a window with drops is not believed: refusals are quick.
 * - Latencies come in half octaves, up to 1.5 apart. So Vegas tolerates 1.5, as gradient2 does, and what is below the
 *   first bucket's end counts as that.
 * - AIMD's timeout is what `trip.slow_after` calls slow, and a tenth of slow calls, not one, are beyond it. How many of
 *   them failed besides is not known: a slow failure may count as two drops, which for a window come to all its calls
 *   at most.
 * - AIMD adds a hundredth of the limit where that is more than 1: a limit of 1000 regains its tenth as soon as one of
 *   100 does.
 * - The unloaded latency is measured, not averaged over a load that presses: docs/decisions/limiter-drains.md. It is a
 *   mean, compared with a mean: beside a minimum, the natural spread of latencies would look like a queue.
 */
#ifndef TRIP_CORE_LIMITER_H
#define TRIP_CORE_LIMITER_H

#include <stdint.h>

/* X(ENUM_SUFFIX, "name in config and JSON") */
#define LIMITER_KINDS(X)      \
    X(NONE, "none")           \
    X(AIMD, "aimd")           \
    X(GRADIENT2, "gradient2") \
    X(VEGAS, "vegas")

enum limiter_kind {
#define X(kind, name) LIMITER_##kind,
    LIMITER_KINDS(X)
#undef X
        LIMITER_KIND_COUNT
};

struct limiter_state {
    uint32_t kind, min, max;
    uint32_t drain_windows; /* windows until the drain ends; 0: no drain */
    double limit;           /* the limit; a third of it is in force during a drain */
    double unloaded_ns;     /* latency without a queue; 0: not measured yet */
    uint64_t drain_start_ns, drain_due_ns;
    struct {
        double calls, drops, latency_ns; /* sums over the window */
        uint32_t in_flight;              /* the most */
        uint32_t reserved;
    } window;
};
_Static_assert(sizeof(struct limiter_state) <= 128, "limiter_state outgrew its place in the segment");

/* What happened in an interval of about 100 ms to 1 s. */
struct limiter_sample {
    uint64_t now_ns;
    uint64_t calls;           /* calls that ended in it */
    uint64_t failures;        /* how many of them failed */
    uint64_t slow;            /* how many of them were slow, failed or not */
    uint64_t mean_latency_ns; /* their mean latency; each counts as the middle of its bucket */
    uint32_t in_flight;       /* calls in flight: the most, or the average */
};

/* Sets the limiter up. NONE keeps the limit at `max`. A min of 0 counts as 1, a max below min as min. */
void limiter_init(struct limiter_state *limiter, enum limiter_kind kind, uint32_t min, uint32_t max);

/* Returns the limit in force, within [min, max]. It begins at 20, or as near to it as min and max allow. */
uint32_t limiter_limit(const struct limiter_state *limiter);

/* Takes a sample into account, and returns the new limit in force. */
uint32_t limiter_update(struct limiter_state *limiter, const struct limiter_sample *sample);

#endif
