/* The parts of a message that template.c masks or keeps, by their looks. Each function returns how many bytes the part
 * has that begins here; 0: none does. A part ends where neither a letter nor a digit nor a mask follows, for a mask
 * stands for letters and digits. Texts are clean: UTF-8 without control characters. */
#ifndef TRIP_CORE_TEMPLATE_PARTS_H
#define TRIP_CORE_TEMPLATE_PARTS_H

#include <stdbool.h>
#include <stddef.h>

/* These parts are masked, the first one of a list that is there. A list ends with a mask NULL. */
struct template_part {
    size_t (*length)(const char *at);
    const char *mask;
};
extern const struct template_part template_wholes[];  /* quoted strings, uuids, times, addresses */
extern const struct template_part template_numbers[]; /* durations, hexadecimal numbers, ids, numbers */

size_t template_mask_length(const char *at);
/* A number has a sign, digits, points and an exponent, and may stand inside of a word. */
size_t template_number_length(const char *at);
/* A known word has digits and yet does not vary: HTTP/1.1, SHA256, ORA-12541, v2, 40P01. */
size_t template_known_length(const char *at);
/* A code is a status or an error's number, such as 503, -110, 0x80070005, or 1045 (28000). */
size_t template_code_length(const char *at);
size_t template_scheme_length(const char *at); /* with :// */
size_t template_user_length(const char *at);   /* of a URL, up to @ */
size_t template_query_length(const char *at);  /* of a URL, behind its question mark */
/* A temporary name is that of a file, in a folder that is, or is not, for temporary files. */
size_t template_temporary_length(const char *at, bool in_tmp);

static inline bool template_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool template_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool template_is_alnum(char c)
{
    return template_is_digit(c) || template_is_letter(c);
}

#endif
