/* Why a file was refused, in words for people. */
#ifndef TRIP_TOOLS_WRONG_H
#define TRIP_TOOLS_WRONG_H

/* Writes the words to *ret_why, which the caller frees; NULL without memory. Returns `error`. */
int wrong(char **ret_why, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
