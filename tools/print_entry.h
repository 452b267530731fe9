/* An entry of the config as JSON, printed as in a config file: what `show` says is in force. */
#ifndef TRIP_TOOLS_PRINT_ENTRY_H
#define TRIP_TOOLS_PRINT_ENTRY_H

#include <jansson.h>
#include <stdio.h>

/* Each section as a line, its label in the first 14 columns. */
void print_entry(FILE *out, const json_t *entry);

#endif
