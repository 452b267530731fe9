/* Any YAML value as JSON, for a fallback's `default`: plain scalars by the core schema of YAML 1.2, quoted ones as
 * texts. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "config/yaml_parts.h"

#define KEY_MAX 1000 /* bytes of a mapping's key as JSON: YAML reads keys of up to 1024 letters */

struct json {
    struct reader *reader;
    const char *where;
    char *text;
    size_t size;
};

static bool put(struct json *json, const yaml_node_t *node, const char *bytes, size_t size)
{
    if (size > FALLBACK_VALUE_MAX - json->size) {
        config_problem(json->reader->problems, line_of(node),
                       "%s: takes more than %d bytes as JSON; write a shorter one", json->where, FALLBACK_VALUE_MAX);
        return false;
    }
    memcpy(json->text + json->size, bytes, size);
    json->size += size;
    json->text[json->size] = '\0';
    return true;
}

static bool put_text(struct json *json, const yaml_node_t *node, const char *text)
{
    return put(json, node, text, strlen(text));
}

/* Says why a scalar has no place in JSON. */
static bool refuse(struct json *json, const yaml_node_t *node, const char *why)
{
    char quoted[CONFIG_QUOTE_MAX];
    config_problem(json->reader->problems, line_of(node), "%s: %s %s", json->where, quote(node, quoted), why);
    return false;
}

/* ----------------------------------------------------------------------------------------------------------- texts */

/* Returns the code point at the beginning of valid UTF-8, and how many bytes it has. */
static uint32_t code_point(const char *text, size_t *ret_length)
{
    const unsigned char *const byte = (const unsigned char *)text;
    static const struct {
        unsigned char below, mask;
    } kinds[] = {{0x80, 0x7f}, {0xe0, 0x1f}, {0xf0, 0x0f}, {0xff, 0x07}};
    size_t more = 0;
    while (byte[0] >= kinds[more].below)
        more++;
    uint32_t code = byte[0] & kinds[more].mask;
    for (size_t i = 1; i <= more; i++)
        code = code << 6 | (byte[i] & 0x3f);
    *ret_length = more + 1;
    return code;
}

/* Does YAML read this letter back from a quoted text, and does no terminal obey it? Others are escaped. */
static bool stays(uint32_t code)
{
    if (code < 0xa0)
        return code >= ' ' && code < 0x7f && code != '"' && code != '\\';
    return code != 0x2028 && code != 0x2029 && code != 0xfeff && code != 0xfffe && code != 0xffff;
}

static bool put_letter(struct json *json, const yaml_node_t *node, const char *letter, size_t length, uint32_t code)
{
    char escaped[8];
    if (stays(code))
        return put(json, node, letter, length);
    if (code == '"' || code == '\\')
        snprintf(escaped, sizeof(escaped), "\\%c", (char)code);
    else if (code == '\n' || code == '\t')
        snprintf(escaped, sizeof(escaped), "\\%c", code == '\n' ? 'n' : 't');
    else
        snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)code & 0xffff); /* none that is more has to go */
    return put_text(json, node, escaped);
}

static bool put_string(struct json *json, const yaml_node_t *node)
{
    const char *text = scalar(node);
    size_t length;
    if (!text)
        return refuse(json, node, "holds a NUL; write it without");
    if (!put_text(json, node, "\""))
        return false;
    for (; *text; text += length) {
        const uint32_t code = code_point(text, &length);
        if (!put_letter(json, node, text, length, code))
            return false;
    }
    return put_text(json, node, "\"");
}

/* --------------------------------------------------------------------------------------------------------- numbers */

#define DIGITS "0123456789"

/* The parts of a decimal number, as [-+]1.5e+9. */
struct number {
    bool negative, integer;
    const char *whole, *fraction, *exponent; /* fraction: behind the dot; exponent: its e */
    size_t whole_length, fraction_length;
};

static bool split(const char *text, struct number *ret_number)
{
    struct number number = {.negative = *text == '-', .whole = text + (*text == '-' || *text == '+')};
    number.whole_length = strspn(number.whole, DIGITS);
    const char *at = number.whole + number.whole_length;
    number.integer = *at == '\0';
    number.fraction = at + (*at == '.');
    number.fraction_length = *at == '.' ? strspn(number.fraction, DIGITS) : 0;
    number.exponent = number.fraction + number.fraction_length;
    at = number.exponent;
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '-' || at[1] == '+' ? 2 : 1;
        if (!*at)
            return false;
        at += strspn(at, DIGITS);
    }
    *ret_number = number;
    return *at == '\0' && number.whole_length + number.fraction_length > 0;
}

/* Writes a decimal number as JSON has it: with no plus, no leading zero, and digits on both sides of a dot. */
static bool put_number(struct json *json, const yaml_node_t *node, struct number number)
{
    while (number.whole_length > 1 && *number.whole == '0') {
        number.whole++;
        number.whole_length--;
    }
    return put_text(json, node, number.negative ? "-" : "") &&
           (number.whole_length ? put(json, node, number.whole, number.whole_length) : put_text(json, node, "0")) &&
           (!number.fraction_length ||
            (put_text(json, node, ".") && put(json, node, number.fraction, number.fraction_length))) &&
           put_text(json, node, number.exponent);
}

static bool in_range(const char *text, bool integer)
{
    errno = 0;
    if (!integer)
        return isfinite(strtod(text, NULL));
    (void)strtoll(text, NULL, 10);
    return errno == 0;
}

/* Writes 0x1f and 0o17 as decimal numbers. */
static bool put_based(struct json *json, const yaml_node_t *node, const char *digits, int base)
{
    char decimal[24];
    errno = 0;
    const unsigned long long value = strtoull(digits, NULL, base);
    if (errno || value > INT64_MAX)
        return refuse(json, node, "is more than 64 bits hold; write a smaller number, or quotes around it");
    snprintf(decimal, sizeof(decimal), "%llu", value);
    return put_text(json, node, decimal);
}

/* --------------------------------------------------------------------------------------------------------- scalars */

static bool is_one(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool consists(const char *text, const char *of)
{
    return *text && text[strspn(text, of)] == '\0';
}

static bool put_plain(struct json *json, const yaml_node_t *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const not_finite[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    const char *const text = scalar(node);
    struct number number;
    if (is_one(text, nulls))
        return put_text(json, node, "null");
    if (is_one(text, trues))
        return put_text(json, node, "true");
    if (is_one(text, falses))
        return put_text(json, node, "false");
    if (is_one(text + (*text == '-' || *text == '+'), not_finite))
        return refuse(json, node, "is a number that JSON does not have; write another, or quotes around it");
    if (strncmp(text, "0x", 2) == 0 && consists(text + 2, DIGITS "abcdefABCDEF"))
        return put_based(json, node, text + 2, 16);
    if (strncmp(text, "0o", 2) == 0 && consists(text + 2, "01234567"))
        return put_based(json, node, text + 2, 8);
    if (!split(text, &number))
        return put_string(json, node);
    if (!in_range(text, number.integer))
        return refuse(json, node, "is more than 64 bits hold; write a smaller number, or quotes around it");
    return put_number(json, node, number);
}

/* ------------------------------------------------------------------------------------------------ lists and mappings
 */

static bool put_node(struct json *json, const yaml_node_t *node);

static bool put_list(struct json *json, const yaml_node_t *node)
{
    for (ptrdiff_t i = 0; i < list_length(node); i++)
        if (!put_text(json, node, i ? "," : "[") || !put_node(json, list_item(json->reader, node, i)))
            return false;
    return put_text(json, node, list_length(node) ? "]" : "[]");
}

static const yaml_node_t *node_of(struct json *json, int node)
{
    return yaml_document_get_node(&json->reader->document, node);
}

static bool put_key(struct json *json, const yaml_node_t *node, const yaml_node_pair_t *pair)
{
    const yaml_node_t *const key = node_of(json, pair->key);
    if (key->type != YAML_SCALAR_NODE)
        return refuse(json, key, "is no key of JSON; write a text");
    for (const yaml_node_pair_t *before = node->data.mapping.pairs.start; before < pair; before++) {
        const yaml_node_t *const other = node_of(json, before->key);
        if (key->data.scalar.length != other->data.scalar.length ||
            memcmp(key->data.scalar.value, other->data.scalar.value, key->data.scalar.length) != 0)
            continue;
        char quoted[CONFIG_QUOTE_MAX];
        config_problem(json->reader->problems, line_of(key),
                       "%s: %s stands here and in line %zu; remove one of the two", json->where, quote(key, quoted),
                       line_of(other));
        return false;
    }
    const size_t begin = json->size;
    if (!put_string(json, key))
        return false;
    return json->size - begin <= KEY_MAX || refuse(json, key, "is a key of more than 1000 bytes; write a shorter one");
}

static bool put_mapping(struct json *json, const yaml_node_t *node)
{
    const yaml_node_pair_t *const first = node->data.mapping.pairs.start, *const end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = first; pair < end; pair++)
        if (!put_text(json, node, pair > first ? "," : "{") || !put_key(json, node, pair) ||
            !put_text(json, node, ":") || !put_node(json, node_of(json, pair->value)))
            return false;
    return put_text(json, node, first < end ? "}" : "{}");
}

/* Recursion is bounded by DEPTH_MAX of yaml.c. */
static bool put_node(struct json *json, const yaml_node_t *node)
{
    if (node->type == YAML_SEQUENCE_NODE)
        return put_list(json, node);
    if (node->type == YAML_MAPPING_NODE)
        return put_mapping(json, node);
    return scalar(node) && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? put_plain(json, node)
                                                                              : put_string(json, node);
}

bool config_read_json(struct reader *reader, const char *where, const yaml_node_t *node,
                      char json[FALLBACK_VALUE_MAX + 1])
{
    struct json whole = {.reader = reader, .where = where, .text = json};
    return put_node(&whole, node);
}
