#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16

struct table {
    size_t columns, cells, room;
    char **texts; /* the headings are the first row */
    int widths[COLUMNS_MAX];
    int most[COLUMNS_MAX]; /* 0: as wide as it gets */
    bool right[COLUMNS_MAX];
};

static void *needed(void *memory)
{
    if (memory)
        return memory;
    fputs("no memory left\n", stderr);
    exit(1);
}

/* Columns of a terminal that a UTF-8 text takes, near enough: its code points. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* text: taken. */
static void add(struct table *table, char *text)
{
    if (table->cells == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->texts = needed(realloc(table->texts, table->room * sizeof(*table->texts)));
    }
    int *width = &table->widths[table->cells % table->columns];
    *width = width_of(text) > *width ? width_of(text) : *width;
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

void table_most(struct table *table, size_t column, int width)
{
    table->most[column] = width;
}

static int padding_of(const struct table *table, size_t column, const char *text)
{
    const int most = table->most[column], widest = table->widths[column];
    const int padding = (most && most < widest ? most : widest) - width_of(text);
    return padding > 0 ? padding : 0;
}

/* Blanks are owed until something follows them. */
static void print_row(const struct table *table, char *const *row, FILE *out)
{
    int owed = 0;
    for (size_t i = 0; i < table->columns; i++) {
        const int padding = padding_of(table, i, row[i]);
        const int before = owed + (table->right[i] ? padding : 0);
        if (*row[i])
            fprintf(out, "%*s%s", before, "", row[i]);
        owed = (*row[i] ? 0 : before) + (table->right[i] ? 0 : padding) + 2;
    }
    fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
    for (size_t cell = 0; cell + table->columns <= table->cells; cell += table->columns)
        print_row(table, table->texts + cell, out);
}
