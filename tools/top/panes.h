/* Panes: what the screen shows below its header. The table of breakers is painted row by row; every other pane writes
 * its lines onto paper of any length, of which the screen shows a part. */
#ifndef TRIP_TOP_PANES_H
#define TRIP_TOP_PANES_H

#include "rows.h"
#include "scene.h"

/* X(ENUM_SUFFIX, "name on its tab") */
#define PANES(X)              \
    X(BREAKERS, "Breakers")   \
    X(BREAKER, "One breaker") \
    X(EVENTS, "Events")       \
    X(ERRORS, "Errors")       \
    X(INCIDENTS, "Incidents") \
    X(CLIENTS, "Clients")     \
    X(LIMITS, "Limits")

#define PANE_ENUM(suffix, name) PANE_##suffix,
enum pane { PANES(PANE_ENUM) PANE_COUNT };

struct pane_options {
    const char *breaker;             /* the selected one; "": none */
    const struct rows_options *rows; /* which breakers are wanted */
    int width;                       /* of the screen: the paper may be wider */
};

typedef void pane_fn(struct canvas *paper, const struct scene *scene, const struct pane_options *options);

/* Writes the pane's lines. Not for the table of breakers. */
void pane_write(enum pane pane, struct canvas *paper, const struct scene *scene, const struct pane_options *options);
const char *pane_name(enum pane pane);

/* The panes, for pane_write. */
pane_fn pane_breaker, pane_events, pane_errors, pane_incidents, pane_clients, pane_limits;

/* Adds a line to the paper; several may follow each other on it: returns the column after the text. */
int pane_line(struct canvas *paper, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
int pane_more(struct canvas *paper, int column, enum style style, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds a line "  label       text", as tripctl's screens have it. */
int pane_fact(struct canvas *paper, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Adds a line for a heading of columns. */
void pane_heading(struct canvas *paper, const char *text);

enum style style_of_state_name(const char *state);

#endif
