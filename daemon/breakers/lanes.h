#ifndef TRIPD_BREAKERS_LANES_H
#define TRIPD_BREAKERS_LANES_H

#include "breakers/table.h"

/* Calls `each` for the lanes whose bits are set. */
void breakers_for_lanes(struct breakers *breakers, const uint64_t *bits,
                        void (*each)(struct breakers *breakers, struct lane_reader *reader));
void breakers_take_dirty(struct breakers *breakers); /* makes the lanes that clients have marked ready */
/* Reads what ready lanes have told, drains and settles the breakers concerned, until nothing is left. */
void breakers_collect(struct breakers *breakers);
void breakers_collect_told(struct breakers *breakers); /* does the same for all lanes that told something */
/* Does the same, and looks for calls of these lanes that are in flight for too long. */
void breakers_collect_and_watch(struct breakers *breakers);
/* Does the same for all lanes, whether they told something or not, so that new meters are found. */
void breakers_collect_all(struct breakers *breakers);

#endif
