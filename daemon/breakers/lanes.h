#ifndef TRIPD_BREAKERS_LANES_H
#define TRIPD_BREAKERS_LANES_H

#include "breakers/table.h"

/* Calls `each` for the lanes of these bits. */
void breakers_for_lanes(struct breakers *breakers, const uint64_t *bits,
                        void (*each)(struct breakers *breakers, struct lane_reader *reader));
void breakers_take_dirty(struct breakers *breakers); /* lanes that clients have marked are ready */
/* Reads what lanes have told, drains and settles whom it is about, until nothing is left. */
void breakers_collect(struct breakers *breakers);
void breakers_collect_told(struct breakers *breakers); /* the same of all that have told something */
/* The same, and which calls of theirs are in flight for too long. */
void breakers_collect_and_watch(struct breakers *breakers);
/* The same of all lanes, whether they have told something or not: new meters are found. */
void breakers_collect_all(struct breakers *breakers);

#endif
