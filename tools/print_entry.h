/* Prints an entry of the config, given as JSON, like a config file: `show` prints so what is in force. */
#ifndef TRIP_TOOLS_PRINT_ENTRY_H
#define TRIP_TOOLS_PRINT_ENTRY_H

#include <jansson.h>
#include <stdio.h>

/* Prints each section as a line, its label in the first 14 columns. */
void print_entry(FILE *out, const json_t *entry);

#endif
