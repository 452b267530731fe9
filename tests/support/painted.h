/* What stands where on a canvas of triptop, for a test that reads it. */
#ifndef TRIP_TEST_PAINTED_H
#define TRIP_TEST_PAINTED_H

#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "canvas.h"

#define PAINTED_MAX 8192

/* A group's set-up: characters beyond ASCII, and one time zone. */
static inline int painted_set_up(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    return setlocale(LC_ALL, "C.UTF-8") ? 0 : -1;
}

static inline const struct cell *painted_cell(const struct canvas *canvas, int row, int column)
{
    return &canvas->cells[row * canvas->columns + column];
}

/* Reads a part of a row. Half of a wide character that the part cuts is left out. */
static inline void painted_read(const struct canvas *canvas, int row, int column, int width, char text[PAINTED_MAX])
{
    size_t length = 0;
    for (int i = 0; i < width && column + i < canvas->columns; i++) {
        const wchar_t character = painted_cell(canvas, row, column + i)->character;
        if (character)
            length += (size_t)snprintf(text + length, PAINTED_MAX - length, "%lc", (wint_t)character);
    }
    text[length] = '\0';
}

/* A row, without the spaces at its end. */
static inline void assert_painted_row(const struct canvas *canvas, int row, const char *expected)
{
    char *const text = canvas_text(canvas, row);
    if (strcmp(text, expected) != 0)
        fail_msg("row %d is\n\"%s\", not\n\"%s\"", row, text, expected);
    free(text);
}

/* The rows from this one on, a line each. */
static inline void assert_painted_rows(const struct canvas *canvas, int row, const char *expected)
{
    char line[PAINTED_MAX];
    while (*expected) {
        const size_t length = strcspn(expected, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, expected);
        assert_painted_row(canvas, row++, line);
        expected += length + (expected[length] == '\n');
    }
}

/* A text that begins at a column. */
static inline void assert_painted(const struct canvas *canvas, int row, int column, const char *expected)
{
    char text[PAINTED_MAX];
    painted_read(canvas, row, column, canvas_width(expected), text);
    if (strcmp(text, expected) == 0)
        return;
    char *const whole = canvas_text(canvas, row);
    fail_msg("at column %d there is \"%s\", not \"%s\", in row %d:\n%s", column, text, expected, row, whole);
}

static inline void assert_style(const struct canvas *canvas, int row, int column, enum style expected)
{
    assert_int_equal(painted_cell(canvas, row, column)->style, expected);
}

/* Returns the first row that has this text. -1: none has. */
static inline int painted_find(const struct canvas *canvas, const char *text)
{
    for (int row = 0; row < canvas->rows; row++) {
        char *const line = canvas_text(canvas, row);
        const bool found = strstr(line, text) != NULL;
        free(line);
        if (found)
            return row;
    }
    return -1;
}

static inline void assert_nowhere(const struct canvas *canvas, const char *text)
{
    assert_int_equal(painted_find(canvas, text), -1);
}

#endif
