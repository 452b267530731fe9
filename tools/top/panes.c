#include "panes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal/enum_names.h"
#include "states.h"

#define LINE_MAX_BYTES 2048
#define LABEL_WIDTH    14

#define PANE_NAME(suffix, name) name,
static const char *const names[PANE_COUNT] = {PANES(PANE_NAME)};

const char *pane_name(enum pane pane)
{
    return names[pane];
}

void pane_write(enum pane pane, struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    static pane_fn *const panes[PANE_COUNT] = {
        [PANE_BREAKER] = pane_breaker,     [PANE_EVENTS] = pane_events,   [PANE_ERRORS] = pane_errors,
        [PANE_INCIDENTS] = pane_incidents, [PANE_CLIENTS] = pane_clients, [PANE_LIMITS] = pane_limits};
    if (panes[pane])
        panes[pane](paper, scene, options);
}

static int put(struct canvas *paper, int column, enum style style, const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES];
    vsnprintf(text, sizeof(text), format, arguments);
    return canvas_put(paper, paper->rows - 1, column, paper->columns, style, text);
}

int pane_line(struct canvas *paper, enum style style, const char *format, ...)
{
    va_list arguments;
    canvas_add_row(paper);
    va_start(arguments, format);
    const int column = put(paper, 0, style, format, arguments);
    va_end(arguments);
    return column;
}

int pane_more(struct canvas *paper, int column, enum style style, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    column = put(paper, column, style, format, arguments);
    va_end(arguments);
    return column;
}

int pane_fact(struct canvas *paper, const char *label, const char *format, ...)
{
    va_list arguments;
    canvas_add_row(paper);
    canvas_put(paper, paper->rows - 1, 0, LABEL_WIDTH - 1, STYLE_DIM, label);
    va_start(arguments, format);
    const int column = put(paper, LABEL_WIDTH, STYLE_PLAIN, format, arguments);
    va_end(arguments);
    return column;
}

void pane_heading(struct canvas *paper, const char *text)
{
    const int row = canvas_add_row(paper);
    canvas_fill(paper, row, STYLE_HEADING);
    canvas_put(paper, row, 0, paper->columns, STYLE_HEADING, text);
}

enum style style_of_state_name(const char *state)
{
    for (unsigned i = 0; i < TRIP_STATE_COUNT; i++)
        if (strcmp(state_names[i], state) == 0)
            return state_style((trip_state)i);
    return STYLE_PLAIN;
}
