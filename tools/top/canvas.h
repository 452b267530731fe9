/* Text in cells with styles: what the screens are painted on. A terminal shows it, a file gets its lines, and a test
 * reads what stands where. Whoever paints cannot leave it: what is outside is cut off. No control character gets on it.
 *
 * Texts are of the locale's encoding (setlocale); characters that it does not have become '?'. */
#ifndef TRIP_TOP_CANVAS_H
#define TRIP_TOP_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* What a text means; the terminal gives it a colour. */
#define STYLES(X) \
    X(PLAIN)      \
    X(BOLD)       \
    X(DIM)        \
    X(HEADING)    \
    X(GOOD)       \
    X(PROBED)     \
    X(RAMPING)    \
    X(BAD)        \
    X(MODED)      \
    X(KEY)        \
    X(ALARM)

#define STYLE_ENUM(suffix) STYLE_##suffix,
enum style { STYLES(STYLE_ENUM) STYLE_COUNT };

struct cell {
    wchar_t character; /* 0: the right half of the wide one before it */
    unsigned char style;
    bool selected;
};

struct canvas {
    int rows, columns;
    int room; /* rows that have memory */
    bool ascii;
    struct cell *cells;
};

/* Without memory the program ends, with a word of why. */
struct canvas *canvas_new(int rows, int columns, bool ascii);
struct canvas *canvas_free(struct canvas *canvas);
/* Makes it blank, with so many rows and columns. */
void canvas_blank(struct canvas *canvas, int rows, int columns);
/* Adds a blank row at the end, and returns its number. */
int canvas_add_row(struct canvas *canvas);

/* Puts a text, of at most `width` columns, and returns the column after it. */
int canvas_put(struct canvas *canvas, int row, int column, int width, enum style style, const char *text);
int canvas_print(struct canvas *canvas, int row, int column, int width, enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Puts a text at the right end of so many columns. */
void canvas_put_right(struct canvas *canvas, int row, int column, int width, enum style style, const char *text);
/* Returns how many rows a text takes; puts it into so many, and cuts off what they have no room for. */
int canvas_rows_for(const struct canvas *canvas, const char *text);
void canvas_put_rows(struct canvas *canvas, int row, int rows, enum style style, const char *text);
/* Fills a row with spaces of a style. */
void canvas_fill(struct canvas *canvas, int row, enum style style);
/* Marks a row, from one end to the other. */
void canvas_select(struct canvas *canvas, int row);
/* Copies `rows` rows of another one, from its row and column on. */
void canvas_copy(struct canvas *canvas, int row, const struct canvas *other, int from, int aside, int rows);

/* Returns the columns that a text takes. */
int canvas_width(const char *text);
/* Returns a row as text without spaces at its end, which the caller frees. */
char *canvas_text(const struct canvas *canvas, int row);

#endif
