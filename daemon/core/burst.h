/* Is something happening far more often than it used to? Counts by buckets of 10 seconds, and compares the bucket that
 * runs with the long run.
 *
 * For example: two errors in 10 s in the long run, and 30 in this bucket: a burst. 8 would be none.
 *
 * The long run is the mean of the buckets that have ended, of the first 360 each alike, from then on the newer the more
 * (exponentially, with a time constant of an hour). The test is that of Freeman and Tukey for a Poisson count
 * (Transformations Related to the Angular and the Square Root, Annals of Mathematical Statistics 21, 1950): n events
 * where m are expected are a burst if sqrt(n) + sqrt(n + 1) - sqrt(4 m + 1) >= 5. Of a Poisson stream that has been
 * steady for an hour it says so in fewer than one of 100,000 buckets, measured by test_burst. Before the first bucket
 * has ended nothing is expected: nine events are a burst.
 *
 * Pure. Times are nanoseconds since the segment's creation on the instance's clock. */
#ifndef TRIP_CORE_BURST_H
#define TRIP_CORE_BURST_H

#include <stdbool.h>

#include "internal/layout_chronicle.h"

#define BURST_BUCKET_NS UINT64_C(10000000000)

/* Counts n events. An event of an earlier bucket counts in the one that runs. True: with these the bucket is a burst,
 * and was none before. */
bool burst_add(struct burst *burst, uint64_t at_ns, uint64_t n);
/* Was there a burst in the bucket of this time, or in the one before? */
bool burst_now(const struct burst *burst, uint64_t now_ns);
/* Thousandths of an event a second: in the bucket that runs, over the time that it has run so far, a second at least;
 * or in the one before, if nothing has come since; and in the long run. */
uint64_t burst_rate_milli(const struct burst *burst, uint64_t now_ns);
uint64_t burst_long_run_milli(const struct burst *burst);

#endif
