/* json_value [PATH]: reads one JSON text from standard input and prints the value at a path such as window.calls or
 * events.-1.to (from the end), text without quotes. Without a path it only reads. 1: it is no JSON, or has no such
 * value. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *member(const json_t *value, const char *key)
{
    if (!json_is_array(value))
        return json_object_get(value, key);
    char *end;
    const long index = strtol(key, &end, 10);
    if (*end)
        return NULL;
    return json_array_get(value, index < 0 ? json_array_size(value) - (size_t)-index : (size_t)index);
}

static int print(const json_t *value)
{
    if (json_is_string(value))
        return puts(json_string_value(value)) < 0;
    return json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT) < 0 || putchar('\n') < 0;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *const whole = json_loadf(stdin, 0, &error);
    const json_t *value = whole;
    if (!whole) {
        fprintf(stderr, "json_value: %s\n", error.text);
        return 1;
    }
    for (char *key = argc == 2 ? strtok(argv[1], ".") : NULL; key && value; key = strtok(NULL, "."))
        value = member(value, key);
    if (!value)
        fprintf(stderr, "json_value: no such value\n");
    const int status = !value || (argc == 2 && print(value)) ? 1 : 0;
    json_decref(whole);
    return status;
}
