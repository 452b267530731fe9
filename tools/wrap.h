/* Breaks text for a terminal into lines of so many columns. */
#ifndef TRIP_TOOLS_WRAP_H
#define TRIP_TOOLS_WRAP_H

#include <stdio.h>

#define WRAP_WIDTH 80

/* Returns the columns that a UTF-8 text takes, near enough: its code points. */
int wrap_width(const char *text);

/* Prints the text from the column where the line stands, and breaks it between words, or within a word that is too long
 * for a line. Further lines begin at `indent`. Prints no newline at the end. */
void wrap_print(FILE *out, const char *text, int column, int indent);

#endif
