/* What keys, clicks and the wheel do. */
#include <string.h>

#include "top.h"

#define ASIDE_STEP 8

/* --------------------------------------------------------------------------------------------------------- moving */

static void scroll_to(struct top *top, int line)
{
    const int most = top->lines - top->rows_on_screen;
    top->scrolled = line > most ? most : line;
    if (top->scrolled < 0)
        top->scrolled = 0;
}

static bool in_table(const struct top *top)
{
    return top->pane == PANE_BREAKERS && !top->help;
}

static void move(struct top *top, int lines)
{
    if (!in_table(top))
        scroll_to(top, top->scrolled + lines);
    else if (lines < 0 && (size_t)-lines > top->cursor)
        top_select(top, 0);
    else
        top_select(top, top->cursor + (size_t)lines);
}

static void move_to_end(struct top *top, bool last)
{
    if (!in_table(top))
        scroll_to(top, last ? top->lines : 0);
    else
        top_select(top, last ? top->rows.count : 0);
}

static void show_pane(struct top *top, enum pane pane)
{
    top->pane = pane;
    top->help = false;
    top->scrolled = top->aside = 0;
}

/* -------------------------------------------------------------------------------------------------------- the table */

static void fold(struct top *top, bool folded)
{
    const struct row *const row = top_row(top);
    if (!row || row->breaker)
        return;
    if (folded)
        json_object_setn_new(top->settings.folded, row->name, row->length, json_true());
    else
        json_object_deln(top->settings.folded, row->name, row->length);
    top_rows(top);
}

static void open_row(struct top *top)
{
    const struct row *const row = top_row(top);
    if (row && row->breaker)
        show_pane(top, PANE_BREAKER);
    else if (row)
        fold(top, !row->folded);
}

void top_sort_by(struct top *top, enum column column)
{
    if (column == top->settings.sort)
        top->settings.descending = !top->settings.descending;
    else
        top->settings.descending = column_descends(column);
    top->settings.sort = column;
    top_rows(top);
}

/* Goes to the next column that is on the screen and can be sorted by. */
static void sort_beside(struct top *top, int step)
{
    unsigned column = top->settings.sort;
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        column = (column + COLUMN_COUNT + (unsigned)step) % COLUMN_COUNT;
        if (top->plan.width[column] && column_sorts((enum column)column)) {
            top_sort_by(top, (enum column)column);
            return;
        }
    }
}

/* Is the breaker in the group? */
static bool is_in(const struct look_breaker *breaker, const struct row *group)
{
    return strncmp(breaker->name, group->name, group->length + 1) == 0;
}

static void tag_name(const struct top *top, const char *name, bool tagged)
{
    if (tagged)
        json_object_set_new(top->tagged, name, json_true());
    else
        json_object_del(top->tagged, name);
}

/* Tags the selected breaker, or all of the selected group that are shown; or takes the tags away if all have one. */
static void tag(struct top *top)
{
    const struct row *const row = top_row(top);
    const struct rows_options options = top_rows_options(top);
    const struct look *const look = top->scene.look;
    bool all = true;
    if (!row)
        return;
    for (unsigned pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < look->count; i++) {
            const char *const name = look->breakers[i]->name;
            const bool meant = row->breaker ? row->breaker == look->breakers[i]
                                            : is_in(look->breakers[i], row) && rows_show(look->breakers[i], &options);
            if (meant && pass == 0)
                all = all && json_object_get(top->tagged, name);
            else if (meant)
                tag_name(top, name, !all);
        }
    move(top, 1);
}

size_t top_tagged(const struct top *top)
{
    return json_object_size(top->tagged);
}

void top_search(struct top *top)
{
    for (size_t step = 1; *top->searched && step <= top->rows.count; step++) {
        const size_t at = (top->cursor + step) % top->rows.count;
        const struct row *const row = &top->rows.rows[at];
        if (row->breaker && strstr(row->name, top->searched)) {
            top_select(top, at);
            return;
        }
    }
    if (*top->searched)
        top_say(top, "no breaker that is shown has \"%s\" in its name", top->searched);
}

/* Goes left or right: folds or unfolds the selected group, or shows other columns of a pane. */
static void go_aside(struct top *top, bool left)
{
    if (in_table(top))
        fold(top, left);
    else if (left)
        top->aside = top->aside > ASIDE_STEP ? top->aside - ASIDE_STEP : 0;
    else if (top->aside + ASIDE_STEP < PAPER_COLUMNS)
        top->aside += ASIDE_STEP;
}

/* ------------------------------------------------------------------------------------------------------------- keys */

static void press_in_table(struct top *top, enum action action)
{
    switch (action) {
    case ACTION_OPEN:
        open_row(top);
        break;
    case ACTION_TREE:
        top->settings.tree = !top->settings.tree;
        top_rows(top);
        break;
    case ACTION_SORT_BEFORE:
        sort_beside(top, -1);
        break;
    case ACTION_SORT_AFTER:
        sort_beside(top, 1);
        break;
    case ACTION_SORT_MENU:
        top->choice = top->settings.sort;
        top_ask(top, ASK_COLUMN, "");
        break;
    case ACTION_REVERSE:
        top->settings.descending = !top->settings.descending;
        top_rows(top);
        break;
    case ACTION_SEARCH:
        top_ask(top, ASK_SEARCH, "");
        break;
    case ACTION_SEARCH_AGAIN:
        top_search(top);
        break;
    case ACTION_TAG:
        tag(top);
        break;
    case ACTION_UNTAG:
        json_object_clear(top->tagged);
        break;
    default:
        break;
    }
}

/* Handles keys of every pane. True: it was one of these. */
static bool press_anywhere(struct top *top, enum action action)
{
    const int page = top->rows_on_screen > 0 ? top->rows_on_screen : 1;
    switch (action) {
    case ACTION_HELP:
        top->help = !top->help;
        top->scrolled = top->aside = 0;
        return true;
    case ACTION_QUIT:
        top->left = true;
        return true;
    case ACTION_NEXT_PANE:
        show_pane(top, (top->pane + 1) % PANE_COUNT);
        return true;
    case ACTION_PREVIOUS_PANE:
        show_pane(top, (top->pane + PANE_COUNT - 1) % PANE_COUNT);
        return true;
    case ACTION_UP:
    case ACTION_DOWN:
        move(top, action == ACTION_UP ? -1 : 1);
        return true;
    case ACTION_PAGE_UP:
    case ACTION_PAGE_DOWN:
        move(top, action == ACTION_PAGE_UP ? -page : page);
        return true;
    case ACTION_FIRST:
    case ACTION_LAST:
        move_to_end(top, action == ACTION_LAST);
        return true;
    case ACTION_LEFT:
    case ACTION_RIGHT:
        go_aside(top, action == ACTION_LEFT);
        return true;
    case ACTION_FILTER:
        top_ask(top, ASK_FILTER, top->filter);
        return true;
    case ACTION_INTERVAL:
        top_ask(top, ASK_INTERVAL, "");
        return true;
    default:
        if (action < ACTION_PANE_BREAKERS || action > ACTION_PANE_LIMITS)
            return false;
        show_pane(top, (enum pane)(action - ACTION_PANE_BREAKERS));
        return true;
    }
}

enum action top_press(struct top *top, int pressed)
{
    if (top->question != ASK_NOTHING) {
        top_answer(top, pressed);
        return ACTION_COUNT;
    }
    free(top->message);
    top->message = NULL;
    if (top->help && (pressed == PRESSED_ESCAPE || pressed == 'q')) {
        top->help = false;
        return ACTION_COUNT;
    }
    const enum action action = key_action(pressed);
    if (action == ACTION_COUNT || press_anywhere(top, action))
        return ACTION_COUNT;
    switch (key_place(action)) {
    case KEY_IN_TABLE:
        if (in_table(top))
            press_in_table(top, action);
        return ACTION_COUNT;
    case KEY_CONTROL:
        top_begin_act(top, action);
        return ACTION_COUNT;
    default:
        return action;
    }
}

/* ------------------------------------------------------------------------------------------------------------ mouse */

/* The column to sort by under a place on the screen. COLUMN_COUNT: there is none. */
static enum column column_at(const struct top *top, int at)
{
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        if (column_sorts((enum column)column) && at >= top->plan.at[column] &&
            at < top->plan.at[column] + top->plan.width[column])
            return (enum column)column;
    return COLUMN_COUNT;
}

static void click_tab(struct top *top, int column)
{
    int at = 0;
    for (unsigned pane = 0; pane < PANE_COUNT; pane++) {
        at += 4 + (int)strlen(pane_name((enum pane)pane));
        if (column < at) {
            show_pane(top, (enum pane)pane);
            return;
        }
    }
}

void top_click(struct top *top, int row, int column, bool twice)
{
    const int heading = HEADER_ROWS + 1, line = row - heading - 1;
    if (top->question != ASK_NOTHING)
        return;
    if (row == HEADER_ROWS)
        click_tab(top, column);
    else if (in_table(top) && row == heading && column_at(top, column) < COLUMN_COUNT)
        top_sort_by(top, column_at(top, column));
    else if (in_table(top) && line >= 0 && line < top->rows_on_screen && top->first + (size_t)line < top->rows.count) {
        top_select(top, top->first + (size_t)line);
        if (twice)
            open_row(top);
    }
}

void top_wheel(struct top *top, int lines)
{
    if (top->question == ASK_NOTHING)
        move(top, lines);
}
