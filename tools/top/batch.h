/* Looks as text or JSON on standard output, for scripts, mails and terminals that cannot place text. */
#ifndef TRIP_TOP_BATCH_H
#define TRIP_TOP_BATCH_H

#include <stdio.h>

#include "top.h"

/* Prints the header and the table of all rows. */
void batch_print(FILE *out, const struct top *top);
/* Prints the look as JSON, in a line. */
void batch_json(FILE *out, const struct top *top);

#endif
