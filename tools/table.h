/* A table for a terminal: columns as wide as their widest cell, two spaces between, no spaces at a line's end, and no
 * line wider than WRAP_WIDTH. A cell that does not fit where it belongs goes on with the next line, and what follows it
 * in its row stands in its own columns there. Without memory a tool ends here, with a word of why. */
#ifndef TRIP_TOOLS_TABLE_H
#define TRIP_TOOLS_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct table;

/* Makes a table. A heading that begins with '>' is that of a column of numbers, which is set to the right. */
struct table *table_new(const char *const *headings, size_t columns);
struct table *table_free(struct table *table);
/* If the table is too wide, this column (from 0) is made narrower, but not below `least`; columns named first shrink
 * first. */
void table_shrink(struct table *table, size_t column, int least);
/* Adds the next cell, formatted as by printf; row after row. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *table, FILE *out);

#endif
