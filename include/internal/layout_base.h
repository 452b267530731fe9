/* Constants that the layouts of segment, commons and lane share. */
#ifndef TRIP_INTERNAL_LAYOUT_BASE_H
#define TRIP_INTERNAL_LAYOUT_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "trip.h"

#ifndef LAYOUT_VERSION /* a test builds a tripd and a libtrip of the next version */
#define LAYOUT_VERSION 1u
#endif
#define LAYOUT_LINE 64
#define LAYOUT_PAGE 4096

/* Tables have this many places, whatever the config says; a place gets its memory when it is first used. */
#define BREAKERS_MAX 65535u
#define LANES_MAX    4095u /* 12 bits of lane in permits and in `probing` */

#endif
