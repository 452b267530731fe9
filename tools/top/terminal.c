#define NCURSES_WIDECHAR 1
#include "terminal.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

/* Capabilities that term.h makes macros of. */
#undef columns
#undef lines

#define WHEEL_LINES 3
#define ESCAPE_MS   50 /* how long a sequence of a key may take */
#define CHARACTERS  8  /* one, and those that join it */

enum { PAIR_NONE, PAIR_GOOD, PAIR_PROBED, PAIR_RAMPING, PAIR_BAD, PAIR_MODED, PAIR_KEY, PAIR_ALARM };

static SCREEN *screen;
static bool colours;

bool terminal_is_ascii(void)
{
    const char *const term = getenv("TERM");
    return strcmp(nl_langinfo(CODESET), "UTF-8") != 0 || (term && strcmp(term, "linux") == 0);
}

static void begin_colours(void)
{
    const char *const refused = getenv("NO_COLOR"); /* no-color.org */
    colours = has_colors() && !(refused && *refused) && start_color() == OK;
    if (!colours)
        return;
    const short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;
    init_pair(PAIR_GOOD, COLOR_GREEN, ground);
    init_pair(PAIR_PROBED, COLOR_YELLOW, ground);
    init_pair(PAIR_RAMPING, COLOR_CYAN, ground);
    init_pair(PAIR_BAD, COLOR_RED, ground);
    init_pair(PAIR_MODED, COLOR_MAGENTA, ground);
    init_pair(PAIR_KEY, COLOR_CYAN, ground);
    init_pair(PAIR_ALARM, COLOR_WHITE, COLOR_RED);
}

int terminal_open(void)
{
    int found;
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || setupterm(NULL, STDOUT_FILENO, &found) != OK)
        return -ENOTTY;
    const bool places_text = cursor_address && clear_screen;
    del_curterm(cur_term);
    if (!places_text)
        return -ENOTTY;
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return -ENOTTY;
    atexit(terminal_close); /* for the ends that nobody plans, as for want of memory */
    set_term(screen);
    begin_colours();
    cbreak();
    noecho();
    nonl();
    curs_set(0);
    keypad(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    mousemask(BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    mouseinterval(200);
    return 0;
}

void terminal_close(void)
{
    if (!screen)
        return;
    move(LINES - 1, 0);
    clrtoeol(); /* where a terminal has no second screen, the prompt comes next here */
    refresh();
    endwin();
    delscreen(screen);
    screen = NULL;
}

void terminal_size(int *ret_rows, int *ret_columns)
{
    getmaxyx(stdscr, *ret_rows, *ret_columns);
}

/* --------------------------------------------------------------------------------------------------------- showing */

static attr_t attributes(const struct cell *cell, short *ret_pair)
{
    static const struct {
        attr_t attributes, without_colours;
        short pair;
    } looks[STYLE_COUNT] = {
        [STYLE_PLAIN] = {A_NORMAL, A_NORMAL, PAIR_NONE},   [STYLE_BOLD] = {A_BOLD, A_BOLD, PAIR_NONE},
        [STYLE_DIM] = {A_DIM, A_DIM, PAIR_NONE},           [STYLE_HEADING] = {A_REVERSE, A_REVERSE, PAIR_NONE},
        [STYLE_GOOD] = {A_NORMAL, A_NORMAL, PAIR_GOOD},    [STYLE_PROBED] = {A_BOLD, A_BOLD, PAIR_PROBED},
        [STYLE_RAMPING] = {A_BOLD, A_BOLD, PAIR_RAMPING},  [STYLE_BAD] = {A_BOLD, A_BOLD, PAIR_BAD},
        [STYLE_MODED] = {A_BOLD, A_UNDERLINE, PAIR_MODED}, [STYLE_KEY] = {A_NORMAL, A_BOLD, PAIR_KEY},
        [STYLE_ALARM] = {A_BOLD, A_REVERSE, PAIR_ALARM}};
    *ret_pair = colours ? looks[cell->style].pair : PAIR_NONE;
    const attr_t look = colours ? looks[cell->style].attributes : looks[cell->style].without_colours;
    return cell->selected ? look | A_REVERSE : look;
}

static void show_row(const struct canvas *canvas, int row)
{
    for (int column = 0; column < canvas->columns; column++) {
        const struct cell *const cell = &canvas->cells[row * canvas->columns + column];
        const wchar_t text[2] = {cell->character, L'\0'};
        cchar_t shown;
        short pair;
        if (cell->character == 0)
            continue; /* the wide character before it covers this place */
        const attr_t look = attributes(cell, &pair);
        if (setcchar(&shown, text, look, pair, NULL) == OK)
            mvadd_wch(row, column, &shown);
    }
}

void terminal_show(const struct canvas *canvas)
{
    for (int row = 0; row < canvas->rows; row++)
        show_row(canvas, row);
    refresh();
}

/* ---------------------------------------------------------------------------------------------------------- events */

static int pressed_of(wint_t code)
{
    static const struct {
        wint_t code;
        int pressed;
    } keys[] = {{KEY_UP, PRESSED_UP},         {KEY_DOWN, PRESSED_DOWN},          {KEY_LEFT, PRESSED_LEFT},
                {KEY_RIGHT, PRESSED_RIGHT},   {KEY_PPAGE, PRESSED_PAGE_UP},      {KEY_NPAGE, PRESSED_PAGE_DOWN},
                {KEY_HOME, PRESSED_HOME},     {KEY_END, PRESSED_END_KEY},        {KEY_ENTER, PRESSED_ENTER},
                {KEY_BTAB, PRESSED_BACK_TAB}, {KEY_BACKSPACE, PRESSED_BACKSPACE}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].code == code)
            return keys[i].pressed;
    return code >= KEY_F(1) && code <= KEY_F(10) ? PRESSED_F1 + (int)(code - KEY_F(1)) : PRESSED_NOTHING;
}

static struct terminal_event mouse_event(void)
{
    MEVENT mouse;
    if (getmouse(&mouse) != OK)
        return (struct terminal_event){.kind = TERMINAL_NOTHING};
    if (mouse.bstate & (BUTTON4_PRESSED | BUTTON5_PRESSED))
        return (struct terminal_event){.kind = TERMINAL_WHEEL,
                                       .lines = mouse.bstate & BUTTON4_PRESSED ? -WHEEL_LINES : WHEEL_LINES};
    return (struct terminal_event){.kind = TERMINAL_CLICK,
                                   .row = mouse.y,
                                   .column = mouse.x,
                                   .twice = (mouse.bstate & BUTTON1_DOUBLE_CLICKED) != 0};
}

static int character_of(wint_t character)
{
    switch (character) {
    case L'\r':
    case L'\n':
        return PRESSED_ENTER;
    case L'\t':
        return PRESSED_TAB;
    case 27:
        return PRESSED_ESCAPE;
    case 8:
    case 127:
        return PRESSED_BACKSPACE;
    default:
        return character < PRESSED_FIRST ? (int)character : PRESSED_NOTHING;
    }
}

struct terminal_event terminal_wait(int ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    wint_t code;
    timeout(ms);
    const int got = get_wch(&code);
    if (got == ERR) {
        const bool hung_up = poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL));
        return (struct terminal_event){.kind = hung_up ? TERMINAL_ENDED : TERMINAL_NOTHING};
    }
    if (got == KEY_CODE_YES && code == KEY_RESIZE)
        return (struct terminal_event){.kind = TERMINAL_RESIZED};
    if (got == KEY_CODE_YES && code == KEY_MOUSE)
        return mouse_event();
    return (struct terminal_event){.kind = TERMINAL_KEY,
                                   .pressed = got == KEY_CODE_YES ? pressed_of(code) : character_of(code)};
}
