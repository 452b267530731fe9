/* This process's copies of the book of fallback chains: one a generation that was asked for, kept until trip_close, so
 * that texts may be pointed to. */
#ifndef TRIP_FALLBACK_H
#define TRIP_FALLBACK_H

#include "base.h"

struct trip_client;
struct fallback_copy;

struct fallback_copy *fallbacks_free(struct fallback_copy *copies);

#endif
