/* Paints the screen: header, tabs, a pane, and the last row, which says what keys do, what was done, or what is asked.
 */
#include <stdio.h>
#include <string.h>

#include "symbols.h"
#include "top.h"

#define TABS_ROW HEADER_ROWS
#define BODY_ROW (HEADER_ROWS + 1)

#define MESSAGE_ROWS 4

/* ------------------------------------------------------------------------------------------------------- the frame */

/* "F2 Breakers F3 One breaker ...": the first of a pane's keys, and its name. */
static void paint_tabs(const struct top *top, struct canvas *canvas)
{
    int at = 0;
    for (unsigned pane = 0; pane < PANE_COUNT; pane++) {
        const char *const keys = key_names((enum action)(ACTION_PANE_BREAKERS + pane));
        const bool shown = top->pane == (enum pane)pane && !top->help;
        at = canvas_print(canvas, TABS_ROW, at, canvas->columns, STYLE_KEY, "%.*s ", (int)strcspn(keys, " "), keys);
        at = canvas_put(canvas, TABS_ROW, at, canvas->columns, shown ? STYLE_HEADING : STYLE_PLAIN,
                        pane_name((enum pane)pane));
        at = canvas_put(canvas, TABS_ROW, at, canvas->columns, STYLE_PLAIN, " ");
    }
}

static void paint_hints(struct top *top, struct canvas *canvas)
{
    static const struct {
        const char *key, *word;
        enum key_place place;
    } hints[] = {{"F1", "help", KEY_ANYWHERE}, {"/", "find", KEY_IN_TABLE},    {"\\", "filter", KEY_ANYWHERE},
                 {"t", "tree", KEY_IN_TABLE},  {"F6", "sort", KEY_IN_TABLE},   {"x", "trip", KEY_CONTROL},
                 {"f", "force", KEY_CONTROL},  {"d", "disable", KEY_CONTROL},  {"a", "auto", KEY_CONTROL},
                 {"r", "reset", KEY_CONTROL},  {"[", "back", KEY_RECORDING},   {"]", "on", KEY_RECORDING},
                 {".", "step", KEY_RECORDING}, {"}", "faster", KEY_RECORDING}, {"q", "quit", KEY_ANYWHERE}};
    const bool may = top_may_act(top);
    int at = 0;
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        const bool acts = hints[i].place == KEY_CONTROL;
        if (top->options.recording ? acts : hints[i].place == KEY_RECORDING)
            continue;
        at = canvas_put(canvas, canvas->rows - 1, at, canvas->columns, acts && !may ? STYLE_DIM : STYLE_KEY,
                        hints[i].key);
        at = canvas_print(canvas, canvas->rows - 1, at, canvas->columns, acts && !may ? STYLE_DIM : STYLE_PLAIN, " %s ",
                          hints[i].word);
    }
}

/* Says what the user is asked. */
static void question_of(const struct top *top, char text[TYPED_MAX])
{
    size_t count = 0;
    while (top->targets && top->targets[count])
        count++;
    switch (top->question) {
    case ASK_SEARCH:
        snprintf(text, TYPED_MAX, "find: ");
        break;
    case ASK_FILTER:
        snprintf(text, TYPED_MAX, "show names with (empty: all): ");
        break;
    case ASK_INTERVAL:
        snprintf(text, TYPED_MAX, "look each (now %llums): ", (unsigned long long)top->settings.interval_ms);
        break;
    case ASK_REASON:
        snprintf(text, TYPED_MAX, "%s %.64s%s: why? (Esc: not) ", top->act->doing,
                 count == 1 ? top->targets[0] : "these ", count == 1 ? "" : "breakers");
        if (count > 1)
            snprintf(text, TYPED_MAX, "%s %zu breakers: why? (Esc: not) ", top->act->doing, count);
        break;
    case ASK_SPAN:
        snprintf(text, TYPED_MAX, "for how long, as 30s or 5m? (empty: %s) ",
                 top->act->span == ACT_FOR ? "its next open time" : "until auto");
        break;
    default:
        snprintf(text, TYPED_MAX, "sort by: Up and Down, Enter");
    }
}

/* Puts a message into as many rows as it takes, of which this one is the last; of a long one its beginning. */
static void paint_message(struct canvas *canvas, int last, enum style style, const char *text)
{
    const int needed = canvas_rows_for(canvas, text), rows = needed < MESSAGE_ROWS ? needed : MESSAGE_ROWS;
    canvas_put_rows(canvas, last - rows + 1, rows, style, text);
}

static void paint_last(struct top *top, struct canvas *canvas)
{
    char text[TYPED_MAX];
    const int row = canvas->rows - 1;
    int at = 0;
    canvas_fill(canvas, row, STYLE_PLAIN); /* a screen without room has something else there */
    if (top->question != ASK_NOTHING) {
        question_of(top, text);
        at = canvas_put(canvas, row, at, canvas->columns, STYLE_KEY, text);
        if (top->question == ASK_COLUMN)
            return;
        at = canvas_put(canvas, row, at, canvas->columns, STYLE_BOLD, top->typed);
        canvas_put(canvas, row, at, canvas->columns, STYLE_BOLD, "_");
        if (top->message) /* what was wrong with the last answer */
            paint_message(canvas, row - 1, STYLE_ALARM, top->message);
        return;
    }
    if (!top->message) {
        paint_hints(top, canvas);
        return;
    }
    paint_message(canvas, row, STYLE_BOLD, top->message);
}

/* What is not as usual, at the right end of the tabs' row. */
static void paint_marks(const struct top *top, struct canvas *canvas)
{
    char text[2 * TYPED_MAX] = "";
    size_t used = 0;
    if (top->paused)
        used += (size_t)snprintf(text, sizeof(text), " paused");
    if (*top->filter)
        used += (size_t)snprintf(text + used, sizeof(text) - used, " only \"%s\"", top->filter);
    if (top_tagged(top))
        snprintf(text + used, sizeof(text) - used, " %zu tagged", top_tagged(top));
    if (*text)
        canvas_put_right(canvas, TABS_ROW, 0, canvas->columns, STYLE_ALARM, text);
}

/* -------------------------------------------------------------------------------------------------------- the pane */

/* Keeps the selected row on the screen. */
static void follow_cursor(struct top *top)
{
    const size_t rows = top->rows_on_screen > 0 ? (size_t)top->rows_on_screen : 1;
    if (top->cursor < top->first)
        top->first = top->cursor;
    if (top->cursor >= top->first + rows)
        top->first = top->cursor - rows + 1;
    if (top->first + rows > top->rows.count)
        top->first = top->rows.count > rows ? top->rows.count - rows : 0;
}

static void paint_table(struct top *top, struct canvas *canvas)
{
    top->plan = columns_plan(canvas->columns);
    top->rows_on_screen = canvas->rows - BODY_ROW - 2;
    columns_paint_headings(canvas, BODY_ROW, &top->plan, top->settings.sort, top->settings.descending);
    follow_cursor(top);
    for (int i = 0; i < top->rows_on_screen && top->first + (size_t)i < top->rows.count; i++) {
        const struct row *const row = &top->rows.rows[top->first + (size_t)i];
        const bool tagged = row->breaker && json_object_get(top->tagged, row->breaker->name);
        columns_paint(canvas, BODY_ROW + 1 + i, &top->plan, row, tagged, top->settings.tree);
        if (top->first + (size_t)i == top->cursor)
            canvas_select(canvas, BODY_ROW + 1 + i);
    }
    if (top->rows.count == 0 && top->scene.look)
        canvas_put(canvas, BODY_ROW + 1, 0, canvas->columns, STYLE_PLAIN,
                   top->scene.look->count ? "no breaker matches" : "no program has asked for a breaker yet");
}

static void write_help(const struct top *top, struct canvas *paper)
{
    static const char *const places[] = {[KEY_ANYWHERE] = "KEYS",
                                         [KEY_IN_TABLE] = "IN THE TABLE OF BREAKERS",
                                         [KEY_CONTROL] =
                                             "FOR USERS WITH THE ROLE CONTROL: OF ALL TAGGED, OR THE SELECTED ONE",
                                         [KEY_RECORDING] = "WHILE A RECORDING IS PLAYED BACK"};
    for (unsigned place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        pane_heading(paper, places[place]);
        for (unsigned action = 0; action < ACTION_COUNT; action++)
            if (key_place((enum action)action) == (enum key_place)place) {
                const int at = pane_line(paper, STYLE_KEY, "%11s  ", key_names((enum action)action));
                pane_more(paper, at, STYLE_PLAIN, "%s", key_help((enum action)action));
            }
    }
    pane_heading(paper, "COLUMNS");
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        const int at = pane_line(paper, STYLE_KEY, "%11s  ", column_heading((enum column)column));
        pane_more(paper, at, STYLE_PLAIN, "%s", column_help((enum column)column));
    }
    if (*top->refused)
        pane_line(paper, STYLE_ALARM, "%s", top->refused);
}

/* The columns to sort by, with the choice marked. */
static void write_choices(const struct top *top, struct canvas *paper)
{
    pane_heading(paper, "SORT BY");
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        if (!column_sorts((enum column)column))
            continue;
        const int at = pane_line(paper, STYLE_KEY, "%11s  ", column_heading((enum column)column));
        pane_more(paper, at, STYLE_PLAIN, "%s", column_help((enum column)column));
        if (column == top->choice)
            canvas_select(paper, paper->rows - 1);
    }
}

static void paint_paper(struct top *top, struct canvas *canvas)
{
    const struct rows_options rows = top_rows_options(top);
    const struct pane_options options = {
        .breaker = top->group ? "" : top->selected, .rows = &rows, .width = canvas->columns};
    const int columns = canvas->columns > PAPER_COLUMNS ? canvas->columns : PAPER_COLUMNS;
    struct canvas *const paper = canvas_new(0, columns, canvas->ascii);
    if (top->question == ASK_COLUMN)
        write_choices(top, paper);
    else if (top->help)
        write_help(top, paper);
    else
        pane_write(top->pane, paper, &top->scene, &options);
    top->lines = paper->rows;
    top->rows_on_screen = canvas->rows - BODY_ROW - 1;
    if (top->scrolled > top->lines - top->rows_on_screen)
        top->scrolled = top->lines > top->rows_on_screen ? top->lines - top->rows_on_screen : 0;
    canvas_copy(canvas, BODY_ROW, paper, top->scrolled, top->aside, top->rows_on_screen);
    canvas_free(paper);
}

void top_paint(struct top *top, struct canvas *canvas)
{
    header_paint(canvas, &top->scene);
    paint_tabs(top, canvas);
    paint_marks(top, canvas);
    if (top->question == ASK_COLUMN || top->help)
        paint_paper(top, canvas);
    else if (!top->scene.snapshot)
        canvas_put(canvas, BODY_ROW, 0, canvas->columns, STYLE_PLAIN, "Nothing to show yet. `q` leaves.");
    else if (top->pane == PANE_BREAKERS)
        paint_table(top, canvas);
    else
        paint_paper(top, canvas);
    paint_last(top, canvas);
}
