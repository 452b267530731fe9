/* triptop without a terminal: keys and clicks go in, a canvas comes out. What is shown, what is selected and tagged,
 * and what the user is being asked live here; it reads no clock and no keyboard.
 *
 *   source.h ──> top_look ──> rows ──> top_paint ──> canvas.h
 *                    keys.h ──> top_press ──┘
 */
#ifndef TRIP_TOP_TOP_H
#define TRIP_TOP_TOP_H

#include "act.h"
#include "panes.h"
#include "settings.h"

/* What the user is being asked in the last row. */
enum question {
    ASK_NOTHING,
    ASK_SEARCH,
    ASK_FILTER,
    ASK_INTERVAL,
    ASK_REASON,
    ASK_SPAN,
    ASK_COLUMN /* in a list, over the pane */
};

#define TYPED_MAX     200
#define PAPER_COLUMNS 512 /* of panes other than the table: a message is no longer */

struct top_options {
    const struct arguments *arguments; /* whose tripd acts; NULL: nothing can be changed */
    const char *unchangeable;          /* then: why */
    const char *named;                 /* the instance, or the file */
    char *const *patterns;             /* names or patterns of the breakers to show; NULL after the last */
    bool recording;
    bool ascii;
};

struct top {
    struct top_options options;
    struct settings settings;
    struct looks *looks;
    struct scene scene;
    struct rows rows;
    enum pane pane;
    bool help, paused, left; /* left: the user wants to leave */
    char filter[TYPED_MAX], searched[TYPED_MAX];
    json_t *tagged;                   /* names, as keys of an object */
    char selected[TRIP_NAME_MAX + 1]; /* a breaker's or a group's name */
    bool group;                       /* it is a group's: a breaker may have the same name */
    size_t cursor, first;             /* in the table: the selected row, and the first one on the screen */
    int scrolled, aside;              /* in other panes: the first line and column on the screen */
    int rows_on_screen, lines;        /* as last painted: for pages, and the ends */
    struct columns_plan plan;         /* likewise */
    enum question question;
    char typed[TYPED_MAX], reason[TYPED_MAX];
    const struct act *act;
    char **targets; /* names of breakers, NULL after the last */
    enum column choice;
    char *message; /* what was done last; NULL: nothing */
    bool allowed;  /* the user has the role control */
    bool answered; /* tripd answered when it was asked last */
    char refused[128];
    uint64_t asked_of; /* the worker and the config of which the roles were asked */
};

/* Without memory the program ends. */
struct top *top_new(const struct top_options *options);
struct top *top_free(struct top *top);

/* Takes a new look. snapshot NULL: there is none, and `waits` says what is waited for. */
void top_look(struct top *top, const struct snapshot *snapshot, const char *waits, uint64_t unix_ms);
/* Forgets earlier looks, for the next one is at another time. playback: where it is; NULL: it is no recording. */
void top_jump(struct top *top);
void top_playback(struct top *top, const char *playback);

/* Does what a key asks for. Returns an action that is not its own: of a recording, or ACTION_PAUSE; else ACTION_COUNT.
 */
enum action top_press(struct top *top, int pressed);
void top_click(struct top *top, int row, int column, bool twice);
void top_wheel(struct top *top, int lines);

void top_paint(struct top *top, struct canvas *canvas);

/* Parts, for top.c, top_keys.c, top_ask.c and top_paint.c. */
void top_rows(struct top *top); /* makes the rows anew */
const struct row *top_row(const struct top *top);
struct rows_options top_rows_options(const struct top *top);
void top_select(struct top *top, size_t cursor);
void top_say(struct top *top, const char *format, ...) __attribute__((format(printf, 2, 3)));
void top_ask(struct top *top, enum question question, const char *typed);
void top_answer(struct top *top, int pressed);
void top_begin_act(struct top *top, enum action action);
void top_forget_targets(struct top *top);
void top_search(struct top *top);
bool top_may_act(struct top *top);
/* How many names are tagged. */
size_t top_tagged(const struct top *top);
void top_sort_by(struct top *top, enum column column);

#endif
