#define _XOPEN_SOURCE 700 /* wcwidth */
#include "canvas.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"

#define PRINTED_MAX 1024

static struct cell *cell_at(const struct canvas *canvas, int row, int column)
{
    return &canvas->cells[(size_t)row * (size_t)canvas->columns + (size_t)column];
}

static void blank_rows(const struct canvas *canvas, int from, int to)
{
    for (int row = from; row < to; row++)
        for (int column = 0; column < canvas->columns; column++)
            *cell_at(canvas, row, column) = (struct cell){.character = L' '};
}

static void make_room(struct canvas *canvas, int rows)
{
    const size_t size = (size_t)rows * (size_t)(canvas->columns ? canvas->columns : 1) * sizeof(struct cell);
    canvas->cells = must(realloc(canvas->cells, size ? size : 1));
    canvas->room = rows;
}

struct canvas *canvas_new(int rows, int columns, bool ascii)
{
    struct canvas *const canvas = must(calloc(1, sizeof(*canvas)));
    canvas->ascii = ascii;
    canvas_blank(canvas, rows, columns);
    return canvas;
}

struct canvas *canvas_free(struct canvas *canvas)
{
    if (canvas)
        free(canvas->cells);
    free(canvas);
    return NULL;
}

void canvas_blank(struct canvas *canvas, int rows, int columns)
{
    const bool wider = columns > canvas->columns;
    canvas->columns = columns;
    canvas->rows = rows;
    if (wider || rows > canvas->room || !canvas->cells)
        make_room(canvas, rows);
    blank_rows(canvas, 0, rows);
}

int canvas_add_row(struct canvas *canvas)
{
    if (canvas->rows == canvas->room)
        make_room(canvas, 2 * canvas->room + 16);
    canvas->rows++;
    blank_rows(canvas, canvas->rows - 1, canvas->rows);
    return canvas->rows - 1;
}

/* ----------------------------------------------------------------------------------------------------------- texts */

/* Takes the next character of a text. Returns its columns, 0 at the text's end. */
static int next_character(const char **text, mbstate_t *state, wchar_t *ret_character)
{
    const size_t left = strnlen(*text, MB_LEN_MAX);
    const size_t used = left ? mbrtowc(ret_character, *text, left, state) : 0;
    if (used == 0)
        return 0;
    if (used > left) { /* no character of this encoding */
        memset(state, 0, sizeof(*state));
        *ret_character = L'?';
        (*text)++;
        return 1;
    }
    *text += used;
    const int columns = wcwidth(*ret_character);
    if (columns > 0)
        return columns;
    *ret_character = L'?'; /* a control character, or one that joins the one before it */
    return 1;
}

int canvas_width(const char *text)
{
    mbstate_t state = {0};
    wchar_t character;
    int width = 0;
    for (int columns; (columns = next_character(&text, &state, &character)) > 0;)
        width += columns;
    return width;
}

static bool inside(const struct canvas *canvas, int row, int column)
{
    return row >= 0 && row < canvas->rows && column >= 0 && column < canvas->columns;
}

/* Puts a character that takes so many columns. Half of a wide one that it overwrites becomes a space. */
static void put_character(const struct canvas *canvas, int row, int column, int columns, wchar_t character,
                          enum style style)
{
    if (cell_at(canvas, row, column)->character == 0 && column > 0)
        cell_at(canvas, row, column - 1)->character = L' ';
    if (column + columns < canvas->columns && cell_at(canvas, row, column + columns)->character == 0)
        cell_at(canvas, row, column + columns)->character = L' ';
    for (int i = 0; i < columns; i++) {
        struct cell *const cell = cell_at(canvas, row, column + i);
        cell->character = i == 0 ? character : 0;
        cell->style = (unsigned char)style;
    }
}

int canvas_put(struct canvas *canvas, int row, int column, int width, enum style style, const char *text)
{
    mbstate_t state = {0};
    wchar_t character;
    const int room = canvas->columns - column, end = column + (width < room ? width : room);
    for (int columns; (columns = next_character(&text, &state, &character)) > 0; column += columns) {
        if (column + columns > end || !inside(canvas, row, column))
            break;
        if (canvas->ascii && character > 126)
            for (int i = 0; i < columns; i++) /* a wide one may not leave a column that nothing is shown in */
                put_character(canvas, row, column + i, 1, L'?', style);
        else
            put_character(canvas, row, column, columns, character, style);
    }
    return column;
}

int canvas_print(struct canvas *canvas, int row, int column, int width, enum style style, const char *format, ...)
{
    char text[PRINTED_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return canvas_put(canvas, row, column, width, style, text);
}

void canvas_put_right(struct canvas *canvas, int row, int column, int width, enum style style, const char *text)
{
    const int wide = canvas_width(text);
    canvas_put(canvas, row, wide < width ? column + width - wide : column, width, style, text);
}

int canvas_rows_for(const struct canvas *canvas, const char *text)
{
    return canvas->columns ? (canvas_width(text) + canvas->columns - 1) / canvas->columns : 0;
}

void canvas_put_rows(struct canvas *canvas, int row, int rows, enum style style, const char *text)
{
    struct canvas *const line = canvas_new(1, rows * canvas->columns, canvas->ascii);
    canvas_put(line, 0, 0, line->columns, style, text);
    for (int i = 0; i < rows; i++)
        canvas_copy(canvas, row + i, line, 0, i * canvas->columns, 1);
    canvas_free(line);
}

void canvas_fill(struct canvas *canvas, int row, enum style style)
{
    for (int column = 0; inside(canvas, row, column); column++)
        put_character(canvas, row, column, 1, L' ', style);
}

void canvas_select(struct canvas *canvas, int row)
{
    for (int column = 0; inside(canvas, row, column); column++)
        cell_at(canvas, row, column)->selected = true;
}

void canvas_copy(struct canvas *canvas, int row, const struct canvas *other, int from, int aside, int rows)
{
    const int left = other->columns - aside, columns = canvas->columns < left ? canvas->columns : left;
    for (int i = 0; i < rows && columns > 0; i++) {
        if (!inside(canvas, row + i, 0) || !inside(other, from + i, aside))
            continue;
        struct cell *const first = cell_at(canvas, row + i, 0), *const last = first + columns - 1;
        memcpy(first, cell_at(other, from + i, aside), (size_t)columns * sizeof(struct cell));
        const bool cut = aside + columns < other->columns && !cell_at(other, from + i, aside + columns)->character;
        if (first->character == 0)
            first->character = L' ';
        if (cut) /* the left half of a wide character */
            last->character = L' ';
    }
}

char *canvas_text(const struct canvas *canvas, int row)
{
    char *const text = must(malloc((size_t)canvas->columns * MB_LEN_MAX + 1));
    mbstate_t state = {0};
    size_t length = 0, end = 0;
    for (int column = 0; inside(canvas, row, column); column++) {
        const wchar_t character = cell_at(canvas, row, column)->character;
        const size_t more = character ? wcrtomb(text + length, character, &state) : 0;
        length += more == (size_t)-1 ? 0 : more;
        end = character && character != L' ' ? length : end;
    }
    text[end] = '\0';
    return text;
}
