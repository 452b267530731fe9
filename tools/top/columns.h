/* The columns of the table of breakers. A narrow screen leaves out those that matter least. */
#ifndef TRIP_TOP_COLUMNS_H
#define TRIP_TOP_COLUMNS_H

#include <stdio.h>

#include "canvas.h"
#include "rows.h"

/* X(ENUM_SUFFIX, "heading", width, to the right?, rank: the higher, the sooner it is left out, "what it says") */
#define COLUMNS(X)                                                                                                \
    X(NAME, "NAME", 18, false, 0, "the breaker's name, or its group's; it gets the room that is left")            \
    X(STATE, "STATE", 12, false, 0,                                                                               \
      "closed, open, half_open or ramping (?: as last known); of a group how many are not closed")                \
    X(MODE, "MODE", 11, false, 4, "forced_open, disabled or shadow; nothing: auto")                               \
    X(OWNER, "SET BY", 8, false, 12, "who set the mode: operator, fleet, rule or config")                         \
    X(CALLS, "CALLS/S", 7, true, 1, "calls that ended, a second")                                                 \
    X(FAILED, "FAIL%", 5, true, 1, "failures among the calls of the window, by which the breaker is judged")      \
    X(SLOW, "SLOW%", 5, true, 6, "slow calls among those of the window; -: calls are not timed")                  \
    X(P50, "P50", 7, true, 8, "half of the calls since the last heartbeat took no longer")                        \
    X(P99, "P99", 7, true, 3, "99 of 100 of them took no longer")                                                 \
    X(IN_FLIGHT, "FLY", 5, true, 7, "calls in flight")                                                            \
    X(DENIED, "DENY/S", 6, true, 1, "calls that were denied, a second: by the breaker or by a limit")             \
    X(PERMITS, "PERMIT", 6, true, 9, "half-open: probes that may start now; ramping: the share that is admitted") \
    X(NEXT, "NEXT", 7, true, 2, "until the next probe, the ramp's end, or the end of the mode's TTL")             \
    X(REASON, "REASON", 16, false, 10, "why it opened last, while it is not closed")                              \
    X(TRAIL, "LAST MINUTE", 30, false, 11,                                                                        \
      "calls a second over the last minute; in bad colour where some failed or were denied")

#define COLUMN_ENUM(suffix, heading, width, right, rank, help) COLUMN_##suffix,
enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };

/* Where columns stand: from this one on, as wide. 0 wide: it is left out. */
struct columns_plan {
    int at[COLUMN_COUNT], width[COLUMN_COUNT];
};

/* Finds the places for a screen of so many columns. */
struct columns_plan columns_plan(int width);
const char *column_heading(enum column column);
const char *column_help(enum column column);
/* Names a column in the settings file and on the command line: "name", "calls". */
const char *column_key(enum column column);
bool column_of_key(const char *key, enum column *ret_column);
row_order_fn *column_order(enum column column);
bool column_sorts(enum column column); /* can one sort by it? */
/* Are its greatest values what one looks for? Then they come first when it is chosen to sort by. */
bool column_descends(enum column column);

/* Writes the table for the manual, in scdoc's form. */
void columns_manual(FILE *out);

void columns_paint_headings(struct canvas *canvas, int row, const struct columns_plan *plan, enum column sorted,
                            bool descending);
void columns_paint(struct canvas *canvas, int at, const struct columns_plan *plan, const struct row *row, bool tagged,
                   bool tree);

#endif
