/* Text for a terminal that is no wider than so many columns. */
#ifndef TRIP_TOOLS_WRAP_H
#define TRIP_TOOLS_WRAP_H

#include <stdio.h>

#define WRAP_WIDTH 80

/* Columns of a terminal that a UTF-8 text takes, near enough: its code points. */
int wrap_width(const char *text);

/* Prints the text from this column on, where the line already stands, and breaks it between words, or within one that
 * is too long for a line; the next lines begin at `indent`. No newline at the end. */
void wrap_print(FILE *out, const char *text, int column, int indent);

#endif
