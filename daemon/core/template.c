#include "core/template.h"

#include <string.h>
#include <strings.h>

#include "core/template_parts.h"
#include "internal/printable.h"

#define MESSAGE_MAX 511 /* bytes of a message that are looked at */
#define PASSES      4

#define WILDCARD "<*>"

/* ------------------------------------------------------------------------------------------------ the clean message */

/* Returns how many bytes the UTF-8 character here has; 0: it is none. */
static size_t character_length(const char *text)
{
    const unsigned char *const bytes = (const unsigned char *)text;
    const unsigned first = bytes[0], second = first ? bytes[1] : 0;
    const size_t length = first < 0x80   ? 1
                          : first < 0xc2 ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                          : first < 0xf5 ? 4
                                         : 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0, beyond = first == 0xf4 && second >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Writes the message with one space for each white space within it, and a question mark for each character that cannot
 * be printed. */
static void clean(const char *message, char ret_text[MESSAGE_MAX + 1])
{
    size_t length = 0, bytes;
    for (const char *at = message; *at; at += bytes > 0 ? bytes : 1) {
        bytes = character_length(at);
        if (length + (bytes > 0 ? bytes : 1) > MESSAGE_MAX)
            break;
        if (is_space(*at)) {
            if (length > 0 && ret_text[length - 1] != ' ')
                ret_text[length++] = ' ';
        } else if (bytes == 0 || printable_not(at, bytes)) {
            ret_text[length++] = '?';
        } else {
            memcpy(ret_text + length, at, bytes);
            length += bytes;
        }
    }
    if (length > 0 && ret_text[length - 1] == ' ')
        length--;
    ret_text[length] = '\0';
}

/* --------------------------------------------------------------------------------------------------------- one pass */

/* These words say that a code follows, behind so many of the characters at most. */
static const struct code_word {
    const char *word, *between;
    unsigned most;
} code_words[] = {
    {"status", " =:#([", 3},
    {"statuscode", " =:#([", 3},
    {"code", " =:#([", 3},
    {"errorcode", " =:#([", 3},
    {"errcode", " =:#([", 3},
    {"exitcode", " =:#([", 3},
    {"returncode", " =:#([", 3},
    {"errno", " =:#([", 3},
    {"sqlstate", " =:#([", 3},
    {"sqlcode", " =:#([", 3},
    {"error", " =:#([", 1},
    {"err", " =:#([", 1},
    {"rc", "=", 1},
    {"http", " ", 1},
    {"tls", " ", 1},
    {"ssl", " ", 1},
    {"signal", " =", 1},
};

struct scan {
    const char *at;               /* what is left of the message */
    char before;                  /* the byte before it; a letter, where a mask stands */
    bool in_path;                 /* the word that runs has a slash */
    bool full;                    /* the next part does not fit */
    size_t length;                /* written */
    size_t whole;                 /* of which up to the last space */
    unsigned between;             /* how many characters may still come before the code */
    const struct code_word *code; /* NULL: none is expected */
    char *out;
};

static void put(struct scan *scan, const char *text, size_t length)
{
    scan->full = scan->full || length > FINGERPRINT_TEXT_MAX - scan->length;
    if (scan->full)
        return;
    memcpy(scan->out + scan->length, text, length);
    scan->length += length;
}

static bool copy(struct scan *scan, size_t length)
{
    if (length == 0)
        return false;
    put(scan, scan->at, length);
    scan->at += length;
    scan->before = scan->at[-1];
    scan->code = NULL;
    return true;
}

static bool mask(struct scan *scan, size_t length, const char *mask)
{
    if (length == 0)
        return false;
    put(scan, mask, strlen(mask));
    scan->at += length;
    scan->before = 'x';
    scan->code = NULL;
    return true;
}

static bool mask_one_of(struct scan *scan, const struct template_part *parts)
{
    for (; parts->mask; parts++)
        if (mask(scan, parts->length(scan->at), parts->mask))
            return true;
    return false;
}

/* A mask of the message is one of the template too. */
static bool copy_mask(struct scan *scan)
{
    const bool copied = copy(scan, template_mask_length(scan->at));
    if (copied)
        scan->before = 'x';
    return copied;
}

static bool copy_scheme(struct scan *scan)
{
    if (!copy(scan, template_scheme_length(scan->at)))
        return false;
    scan->in_path = true;
    mask(scan, template_user_length(scan->at), "<user>");
    return true;
}

static bool mask_temporary(struct scan *scan)
{
    const bool in_tmp = scan->length >= 5 && memcmp(scan->out + scan->length - 5, "/tmp/", 5) == 0;
    return scan->before == '/' && mask(scan, template_temporary_length(scan->at, in_tmp), "<temp>");
}

static void expect_code(struct scan *scan, const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(code_words) / sizeof(code_words[0]); i++) {
        if (strncasecmp(code_words[i].word, word, length) != 0 || code_words[i].word[length])
            continue;
        scan->code = &code_words[i];
        scan->between = code_words[i].most;
    }
}

static bool copy_known(struct scan *scan)
{
    const char *const word = scan->at;
    if (!copy(scan, template_known_length(word)))
        return false;
    if (strncasecmp(word, "http/", 5) == 0) /* HTTP/1.1 502 */
        expect_code(scan, word, 4);
    return true;
}

static bool copy_code(struct scan *scan)
{
    return scan->code && copy(scan, template_code_length(scan->at));
}

static bool copy_letters(struct scan *scan, bool fresh)
{
    const char *const word = scan->at;
    while (template_is_letter(*scan->at))
        copy(scan, 1);
    if (fresh && !template_is_alnum(*scan->at))
        expect_code(scan, word, (size_t)(scan->at - word));
    return scan->at > word;
}

/* Copies a character that is neither a letter nor a digit. */
static void copy_separator(struct scan *scan)
{
    const char separator = *scan->at;
    const struct code_word *const code = scan->code;
    const bool between = code && scan->between > 0 && strchr(code->between, separator);
    if (separator == ' ')
        scan->whole = scan->length;
    copy(scan, character_length(scan->at));
    if (between) {
        scan->between--;
        scan->code = code;
    }
    scan->in_path = separator != ' ' && (scan->in_path || separator == '/');
    if (separator == '?' && scan->in_path)
        mask(scan, template_query_length(scan->at), "<query>");
}

/* Copies or masks the part that begins here. Most begin only where a word may begin. */
static void take_part(struct scan *scan)
{
    const bool fresh = !template_is_alnum(scan->before);
    if (copy_mask(scan))
        return;
    if (fresh && (mask_one_of(scan, template_wholes) || mask_temporary(scan) || copy_scheme(scan) || copy_known(scan) ||
                  copy_code(scan) || mask_one_of(scan, template_numbers)))
        return;
    if (template_is_digit(*scan->at))
        mask(scan, template_number_length(scan->at), "<n>");
    else if (!copy_letters(scan, fresh))
        copy_separator(scan);
}

/* Masks the text once. What is too long loses the word that does not fit and all behind it, or, if that is the first
 * word, its end. */
static void mask_once(const char *text, char ret_template[FINGERPRINT_TEXT_MAX + 1])
{
    struct scan scan = {.at = text, .before = ' ', .out = ret_template};
    while (*scan.at && !scan.full)
        take_part(&scan);
    if (scan.full && scan.whole > 0)
        scan.length = scan.whole;
    ret_template[scan.length] = '\0';
}

/* Masks the text until nothing changes any more. That is after one pass, but for texts that were cut within a word, or
 * whose parts are so long that only a mask brings together what stood around them. */
void template_of(const char *message, char ret_template[FINGERPRINT_TEXT_MAX + 1])
{
    char text[MESSAGE_MAX + 1];
    clean(message, text);
    for (unsigned pass = 0; pass < PASSES; pass++) {
        mask_once(text, ret_template);
        if (strcmp(text, ret_template) == 0)
            return;
        strcpy(text, ret_template);
    }
    strcpy(ret_template, WILDCARD);
}

/* ---------------------------------------------------------------------------------------------------- two templates */

static bool same_word(const char *one, size_t one_length, const char *other, size_t other_length)
{
    return one_length == other_length && memcmp(one, other, one_length) == 0;
}

/* Returns what stands behind the word and the space that follows it. */
static const char *behind(const char *text, size_t word)
{
    return text + word + (text[word] == ' ');
}

bool template_merge(const char *one, const char *other, char ret_common[FINGERPRINT_TEXT_MAX + 1])
{
    char common[FINGERPRINT_TEXT_MAX + 1];
    size_t words = 0, same = 0, length = 0;
    for (; *one && *other; words++) {
        const size_t one_word = strcspn(one, " "), other_word = strcspn(other, " ");
        const bool equal = same_word(one, one_word, other, other_word);
        const size_t word = equal ? one_word : strlen(WILDCARD);
        if ((words == 0 && !equal) || length + (words > 0) + word > FINGERPRINT_TEXT_MAX)
            return false;
        if (words > 0)
            common[length++] = ' ';
        memcpy(common + length, equal ? one : WILDCARD, word);
        length += word;
        same += equal;
        one = behind(one, one_word);
        other = behind(other, other_word);
    }
    if (*one || *other || 2 * same <= words)
        return false;
    common[length] = '\0';
    memcpy(ret_common, common, length + 1);
    return true;
}
