#include "wrap.h"

#include <stdbool.h>
#include <string.h>

static int is_letter(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static int columns(const char *text, size_t length)
{
    int width = 0;
    for (size_t i = 0; i < length; i++)
        width += is_letter(text[i]);
    return width;
}

int wrap_width(const char *text)
{
    return columns(text, strlen(text));
}

/* Returns how many bytes of the text take `room` columns at most; whole letters, and one at least. */
static size_t bytes_within(const char *text, size_t length, int room)
{
    size_t bytes = 0;
    int width = 0;
    for (; bytes < length; bytes++) {
        width += is_letter(text[bytes]);
        if (width > room && bytes > 0 && is_letter(text[bytes]))
            break;
    }
    return bytes;
}

static void next_line(FILE *out, int indent, int *column)
{
    fprintf(out, "\n%*s", indent, "");
    *column = indent;
}

/* Prints one word, in pieces if no line is long enough for it. */
static void print_word(FILE *out, const char *word, size_t length, int *column, int indent)
{
    while (length > 0) {
        const size_t fits = bytes_within(word, length, WRAP_WIDTH - *column);
        fwrite(word, 1, fits, out);
        *column += columns(word, fits);
        word += fits;
        length -= fits;
        if (length > 0)
            next_line(out, indent, column);
    }
}

void wrap_print(FILE *out, const char *text, int column, int indent)
{
    for (bool first = true; *text; first = false) {
        const size_t length = strcspn(text, " ");
        const int width = columns(text, length) + !first;
        if (!first && column + width > WRAP_WIDTH) {
            next_line(out, indent, &column);
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        print_word(out, text, length, &column, indent);
        text += length + (text[length] == ' ');
    }
}
