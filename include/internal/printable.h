/* Makes strangers' text safe for a log or a terminal: no control character (C0, DEL, C1) may move the cursor or end a
 * line, and no character that changes the direction of writing may make a line read as another one. */
#ifndef TRIP_INTERNAL_PRINTABLE_H
#define TRIP_INTERNAL_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Counts the bytes of a directional character: U+061C; U+200E, U+200F; U+2028 to U+202E, with the separators of lines;
 * U+2066 to U+2069. */
static inline size_t printable_direction(const unsigned char *text, size_t size)
{
    if (size >= 2 && text[0] == 0xd8 && text[1] == 0x9c)
        return 2;
    if (size < 3 || text[0] != 0xe2)
        return 0;
    const bool marks = text[1] == 0x80 && (text[2] == 0x8e || text[2] == 0x8f);
    const bool overrides = text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae;
    const bool isolates = text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9;
    return marks || overrides || isolates ? 3 : 0;
}

/* Returns how many bytes the character here has if it must not be printed; 0: it may be. */
static inline size_t printable_not(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (size == 0)
        return 0;
    if (bytes[0] < 0x20 || bytes[0] == 0x7f)
        return 1;
    if (size >= 2 && bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0)
        return 2;
    return printable_direction(bytes, size);
}

static inline bool printable_all(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (printable_not(text + i, size - i))
            return false;
    return true;
}

/* Replaces each byte of such characters by a question mark. */
static inline void printable_make(char *text, size_t size)
{
    for (size_t i = 0, bytes; i<size; i += bytes> 0 ? bytes : 1) {
        bytes = printable_not(text + i, size - i);
        memset(text + i, '?', bytes);
    }
}

#endif
