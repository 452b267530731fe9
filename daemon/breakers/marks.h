#ifndef TRIPD_BREAKERS_MARKS_H
#define TRIPD_BREAKERS_MARKS_H

#include "breakers/table.h"

/* A segment_store_mark_fn, with these breakers as its context. */
bool breakers_store_mark(void *breakers, const struct journal_mark *mark);

#endif
