/* Adaptive throttling: the client-side rule of Google's Site Reliability Engineering (O'Reilly, 2016), chapter
 * "Handling Overload". Pure, no pointers, copied as it is.
 *
 *   reject with probability max(0, (requests - K * accepts) / (requests + 1))
 *
 * over a sliding window of what callers asked for, shed calls included, and of what the dependency accepted. K calls
 * reach it for each that it accepts: with 2 it refuses as many as it serves.
 *
 * - The window is 10 s, in 10 sub-buckets; the book's is two minutes. There a window is one task's and needs the time
 *   to fill; here it holds the calls of all processes of a host. When all calls begin to fail, shedding begins after
 *   half a window: 5 s, not a minute. It ends as much sooner.
 * - Never are fewer admitted than 1 call in 100, or than a call a second. By the book, while nothing is accepted about
 *   one call passes in a window, and a dependency that is back is noticed late. A hundredth is no load to speak of, and
 *   up to a call a second there is nothing worth shedding.
 */
#ifndef TRIP_CORE_THROTTLE_H
#define TRIP_CORE_THROTTLE_H

#include <stdint.h>

#define THROTTLE_BUCKETS 10

struct throttle_bucket {
    uint64_t second; /* the second that the counts are of */
    uint32_t requests, accepts;
};

/* All zero: no calls yet. */
struct throttle_state {
    struct throttle_bucket buckets[THROTTLE_BUCKETS];
};
_Static_assert(sizeof(struct throttle_state) <= 256, "throttle_state outgrew its place in the segment");

/* Adds calls. requests: calls that callers attempted, shed ones included. accepts: calls that went well; failures for
 * another reason than overload cannot be told apart, and lead to shedding too. */
void throttle_add(struct throttle_state *throttle, uint64_t now_ns, uint64_t requests, uint64_t accepts);

/* Of 1000 calls that throttling would admit, returns how many it still admits, at least, if they are sheddable: midway
 * between 1000 / K and 1000. With 1000 / K or fewer the share of admitted calls could not rise again where all calls
 * are sheddable: it rises only if K times the accepted calls are more than the admitted ones. */
uint32_t throttle_sheddable_permille(uint64_t k_thousandths);

/* Returns how many of 1000 calls to admit. k_thousandths: K; 2000 is the book's, 0 turns throttling off. */
uint32_t throttle_admit_permille(const struct throttle_state *throttle, uint64_t now_ns, uint64_t k_thousandths);

#endif
