/* The median of samples, with an interval that holds however the samples are distributed. */
#ifndef TRIP_MEDIAN_H
#define TRIP_MEDIAN_H

#include <stddef.h>

#define MEDIAN_SAMPLES_MIN 6 /* of fewer, not even the whole range holds the true median in 95 of 100 runs */

struct median {
    double value, low, high; /* the true median lies between low and high in at least 95 of 100 runs */
};

/* Sorts the samples, of which there must be at least one. For fewer than MEDIAN_SAMPLES_MIN the interval is their whole
 * range. */
struct median median_of(double *samples, size_t count);

#endif
