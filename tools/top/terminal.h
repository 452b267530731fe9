/* The terminal: shows a canvas, and says what is pressed. Made with ncurses, which redraws only what changed. */
#ifndef TRIP_TOP_TERMINAL_H
#define TRIP_TOP_TERMINAL_H

#include "canvas.h"
#include "keys.h"

/* Takes over the terminal. -ENOTTY: it is none, or one that cannot place text, as TERM=dumb. */
int terminal_open(void);
void terminal_close(void);

/* Can this terminal show characters beyond ASCII? Not the Linux console, whose fonts lack the symbols. */
bool terminal_is_ascii(void);

void terminal_size(int *ret_rows, int *ret_columns);
void terminal_show(const struct canvas *canvas);

enum terminal_kind { TERMINAL_NOTHING, TERMINAL_KEY, TERMINAL_CLICK, TERMINAL_WHEEL, TERMINAL_RESIZED, TERMINAL_ENDED };

struct terminal_event {
    enum terminal_kind kind;
    int pressed; /* keys.h */
    int row, column;
    bool twice;
    int lines; /* of the wheel: up is below 0 */
};

/* Waits so long for an event. */
struct terminal_event terminal_wait(int ms);

#endif
