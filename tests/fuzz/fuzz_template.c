/* Two messages, on two lines. Each one's template has the length it may have, is printable UTF-8, and is the template
 * of itself. What two templates have in common does not depend on which comes first, and has nothing that it does not
 * have in common with each of them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/template.h"
#include "fuzz.h"
#include "internal/printable.h"

/* jansson takes no text that is not UTF-8. */
static void check_utf8(const char *text)
{
    json_t *const string = json_string(text);
    assert(string);
    json_decref(string);
}

static void check_template(const char *message, char ret_template[FINGERPRINT_TEXT_MAX + 1])
{
    char again[FINGERPRINT_TEXT_MAX + 1];
    memset(ret_template, 'x', FINGERPRINT_TEXT_MAX + 1);
    template_of(message, ret_template);
    assert(memchr(ret_template, '\0', FINGERPRINT_TEXT_MAX + 1));
    assert(printable_all(ret_template, strlen(ret_template)));
    check_utf8(ret_template);
    template_of(ret_template, again);
    assert(strcmp(ret_template, again) == 0);
}

static void check_common(const char *common, const char *of)
{
    char again[FINGERPRINT_TEXT_MAX + 1];
    assert(memchr(common, '\0', FINGERPRINT_TEXT_MAX + 1));
    check_utf8(common);
    assert(template_merge(common, of, again));
    assert(strcmp(common, again) == 0);
}

static void check_merge(const char *one, const char *other)
{
    char common[FINGERPRINT_TEXT_MAX + 1], turned[FINGERPRINT_TEXT_MAX + 1];
    const bool merged = template_merge(one, other, common);
    assert(template_merge(other, one, turned) == merged);
    if (!merged)
        return;
    assert(strcmp(common, turned) == 0);
    check_common(common, one);
    check_common(common, other);
}

/* Returns the line as a string in memory of exactly its size: sanitizers see a read behind its end. */
static char *line_of(const uint8_t *data, size_t size)
{
    char *const line = malloc(size + 1);
    assert(line);
    memcpy(line, data, size);
    line[size] = '\0';
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char one[FINGERPRINT_TEXT_MAX + 1], other[FINGERPRINT_TEXT_MAX + 1];
    const uint8_t *const newline = size ? memchr(data, '\n', size) : NULL;
    const size_t first = newline ? (size_t)(newline - data) : size;
    char *const line = line_of(data, first), *const rest = line_of(data + first, size - first);
    check_template(line, one);
    check_template(rest, other);
    check_merge(one, other);
    check_merge(one, one[0] ? one : other);
    free(line);
    free(rest);
    return 0;
}
