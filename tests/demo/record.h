/* The demo's notes, in memory that all its processes map: a line for each request in the book of its worker, and what
 * the upstream saw. */
#ifndef TRIP_DEMO_RECORD_H
#define TRIP_DEMO_RECORD_H

#include <stdint.h>

#include "trip.h"

#define RECORD_WORKERS_MAX 64
#define RECORD_LINES       16384

struct record_line {
    uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC; end_ns is written last, 0: in flight */
    uint32_t verdict;          /* trip_verdict */
    uint32_t outcome;          /* trip_outcome, of an admitted call */
    uint32_t strategy;         /* trip_strategy: what answered instead */
    uint32_t status;           /* of the HTTP answer */
};

struct record_book {
    uint64_t lines; /* written last */
    struct record_line line[RECORD_LINES];
};

struct record_upstream {
    uint64_t requests; /* requests that came, answered or not */
    uint64_t most;     /* the most at the same time */
};

struct record {
    uint32_t ready; /* workers that are attached and accept */
    struct record_upstream upstream;
    struct record_book book[RECORD_WORKERS_MAX];
};

uint64_t record_now_ns(void);
/* NULL: see errno. */
struct record *record_map(const char *path);

#endif
