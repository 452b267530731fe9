#include "median.h"

#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many samples at each end lie outside the interval. A sample is below the true median with probability 1/2, so the
 * number of them that are is binomial: the most that may be left out at one end while both tails have at most 5%. */
static size_t outside(size_t count)
{
    double term = 1, tail = 0;
    for (size_t i = 0; i < count; i++)
        term /= 2;
    for (size_t left_out = 0;; left_out++) {
        tail += term;
        if (tail > 0.025)
            return left_out;
        term *= (double)(count - left_out) / (double)(left_out + 1);
    }
}

struct median median_of(double *samples, size_t count)
{
    const size_t middle = count / 2, left_out = outside(count);
    qsort(samples, count, sizeof(*samples), by_size);
    const size_t first = left_out > 0 ? left_out - 1 : 0;
    return (struct median){
        .value = count % 2 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2,
        .low = samples[first],
        .high = samples[count - 1 - first],
    };
}
