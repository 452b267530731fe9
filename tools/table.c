#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wrap.h"

#define COLUMNS_MAX 16
#define SHRINKS_MAX 4
#define GAP         2 /* columns between two cells */
#define INDENT      4 /* of the lines on which a cell goes on */

struct table {
    size_t columns, cells, room;
    char **texts; /* the headings are the first row */
    int widths[COLUMNS_MAX];
    struct {
        size_t column;
        int least;
    } shrink[SHRINKS_MAX]; /* the columns that may shrink, in this order */
    size_t shrinks;
    bool right[COLUMNS_MAX];
};

static void *needed(void *memory)
{
    if (memory)
        return memory;
    fputs("no memory left\n", stderr);
    exit(1);
}

/* Adds a cell. Takes the text. */
static void add(struct table *table, char *text)
{
    if (table->cells == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->texts = needed(realloc(table->texts, table->room * sizeof(*table->texts)));
    }
    int *width = &table->widths[table->cells % table->columns];
    *width = wrap_width(text) > *width ? wrap_width(text) : *width;
    table->texts[table->cells++] = text;
}

struct table *table_new(const char *const *headings, size_t columns)
{
    struct table *table = needed(calloc(1, sizeof(*table)));
    table->columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
    for (size_t i = 0; i < table->columns; i++) {
        table->right[i] = headings[i][0] == '>';
        add(table, needed(strdup(headings[i] + table->right[i])));
    }
    return table;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    for (size_t i = 0; i < table->cells; i++)
        free(table->texts[i]);
    free(table->texts);
    free(table);
    return NULL;
}

void table_cell(struct table *table, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    add(table, needed(length < 0 ? NULL : text));
}

void table_shrink(struct table *table, size_t column, int least)
{
    table->shrink[table->shrinks].column = column;
    table->shrink[table->shrinks++].least = least;
}

/* Returns the table's width. The last column is as wide as its heading, for its cells may go on with the next line. */
static int total(const struct table *table, const int *widths)
{
    int sum = wrap_width(table->texts[table->columns - 1]);
    for (size_t i = 0; i + 1 < table->columns; i++)
        sum += widths[i] + GAP;
    return sum;
}

static void fit(const struct table *table, int widths[COLUMNS_MAX])
{
    memcpy(widths, table->widths, sizeof(table->widths));
    for (size_t i = 0; i < table->shrinks; i++) {
        int *const width = &widths[table->shrink[i].column];
        const int over = total(table, widths) - WRAP_WIDTH, spare = *width - table->shrink[i].least;
        if (over > 0 && spare > 0)
            *width -= over < spare ? over : spare;
    }
}

static int column_begin(const int *widths, size_t column)
{
    int begin = 0;
    for (size_t i = 0; i < column; i++)
        begin += widths[i] + GAP;
    return begin;
}

/* Returns where a cell begins; before `free`, from where on the line is free: it has no place on this line. A cell that
 * the one before it pushes stays on the line if it is still within its column, or if the row would go on below anyway.
 */
static int place_of(const struct table *table, const int *widths, size_t column, int width, int free)
{
    const int begin = column_begin(widths, column), end = begin + widths[column];
    const int place = begin + (table->right[column] && width < widths[column] ? widths[column] - width : 0);
    return place < free && (free + width <= end || width > widths[column]) ? free : place;
}

/* Returns where a cell begins on a line of its own: the last column's at the left, others in their column. */
static int place_below(const struct table *table, size_t column, int place, int width)
{
    const bool last = column + 1 == table->columns;
    if (place + width <= WRAP_WIDTH)
        return place;
    return last || width > WRAP_WIDTH - INDENT ? INDENT : WRAP_WIDTH - width;
}

static void print_row(const struct table *table, const int *widths, char *const *row, FILE *out)
{
    int end = 0; /* end of the line so far */
    for (size_t i = 0; i < table->columns; i++) {
        const int width = wrap_width(row[i]), from = end > 0 ? end + GAP : 0;
        int place = place_of(table, widths, i, width, from);
        if (width == 0)
            continue;
        if (end > 0 && (place < from || place + width > WRAP_WIDTH)) {
            fputc('\n', out);
            end = 0;
            place = place_below(table, i, place_of(table, widths, i, width, 0), width);
        }
        fprintf(out, "%*s", place - end, "");
        wrap_print(out, row[i], place, INDENT);
        end = place + width;
    }
    fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
    int widths[COLUMNS_MAX];
    fit(table, widths);
    for (size_t cell = 0; cell + table->columns <= table->cells; cell += table->columns)
        print_row(table, widths, table->texts + cell, out);
}
