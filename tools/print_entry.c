#include "print_entry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "wrap.h"

#define LABEL 14 /* columns */

/* Returns the value of a key, which stands in the section's JSON as `name` or `name_ms`. */
static const json_t *value_of(const json_t *section, const struct config_key *key)
{
    char name[32];
    const json_t *value = json_object_get(section, config_key_name(key));
    snprintf(name, sizeof(name), "%s_ms", config_key_name(key));
    return value ? value : json_object_get(section, name);
}

static uint64_t quantity(const json_t *value, enum config_kind kind)
{
    const double number = json_number_value(value);
    switch (kind) {
    case CONFIG_DURATION:
        return (uint64_t)llround(number * 1e6);
    case CONFIG_RATE:
        return (uint64_t)llround(number * 10);
    case CONFIG_FACTOR:
        return (uint64_t)llround(number * 1000);
    default:
        return (uint64_t)json_integer_value(value);
    }
}

static void write_list(FILE *out, const json_t *list)
{
    size_t i;
    json_t *item;
    char text[CONFIG_TEXT_MAX];
    fputc('[', out);
    json_array_foreach(list, i, item)
        fprintf(out, "%s%s", i ? ", " : "",
                json_is_string(item) ? json_string_value(item)
                                     : config_value_format(CONFIG_RATE, quantity(item, CONFIG_RATE), text));
    fputc(']', out);
}

static void write_value(FILE *out, const struct config_key *key, const json_t *value)
{
    char text[CONFIG_TEXT_MAX];
    fprintf(out, "%s: ", config_key_name(key));
    if (json_is_array(value))
        write_list(out, value);
    else if (json_is_string(value))
        fputs(json_string_value(value), out);
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
    else
        fputs(config_value_format(key->kind, quantity(value, key->kind), text), out);
}

/* Writes the keys of a section, and the keys of sections within it behind their name. */
static void write_section(FILE *out, const char *section, const json_t *from)
{
    const char *comma = "";
    for (enum config_key_id id = 0; id < CONFIG_KEY_COUNT; id++) {
        const json_t *value = strcmp(config_keys[id].section, section) == 0 ? value_of(from, &config_keys[id]) : NULL;
        if (!value || id == KEY_fallback)
            continue;
        fputs(comma, out);
        write_value(out, &config_keys[id], value);
        comma = ", ";
    }
    for (size_t i = 0; *section && i < CONFIG_SECTION_COUNT; i++) {
        const json_t *inner = json_object_get(from, config_section_name(config_sections[i]));
        if (!inner || !config_section_within(config_sections[i], section))
            continue;
        fprintf(out, "%s%s: {", comma, config_section_name(config_sections[i]));
        write_section(out, config_sections[i], inner);
        fputc('}', out);
    }
}

static void write_part(FILE *out, const json_t *part);

/* Writes the key and value of an object within a fallback in the words of the config. */
static void write_pair(FILE *out, const char *name, const json_t *value)
{
    char ttl[CONFIG_TEXT_MAX];
    if (strcmp(name, "ttl_ms") == 0) {
        fprintf(out, "ttl: %s", config_value_format(CONFIG_DURATION, quantity(value, CONFIG_DURATION), ttl));
        return;
    }
    fprintf(out, "%s: ", strcmp(name, "value_json") == 0 ? "value" : name);
    write_part(out, value);
}

static void write_object(FILE *out, const json_t *object)
{
    const char *name, *comma = "";
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        fputs(comma, out);
        write_pair(out, name, value);
        comma = ", ";
    }
}

static void write_part(FILE *out, const json_t *part)
{
    size_t i;
    json_t *item;
    if (json_is_object(part)) {
        fputc('{', out);
        write_object(out, part);
        fputc('}', out);
    } else if (json_is_array(part)) {
        fputc('[', out);
        json_array_foreach(part, i, item)
        {
            fputs(i ? ", " : "", out);
            write_part(out, item);
        }
        fputc(']', out);
    } else if (json_is_string(part)) {
        fputs(json_string_value(part), out);
    } else {
        fprintf(out, "%lld", (long long)json_integer_value(part));
    }
}

/* Prints a section, or what is not of sections, a fallback (section NULL). */
static void print_section(FILE *out, const char *label, const char *section, const json_t *from)
{
    char *text = NULL;
    size_t size;
    FILE *memory = from ? open_memstream(&text, &size) : NULL;
    if (!memory)
        return;
    if (section)
        write_section(memory, section, from);
    else
        write_object(memory, from);
    if (fclose(memory) == 0) {
        fprintf(out, "  %-*s", LABEL - 2, label);
        wrap_print(out, text, LABEL, LABEL);
        fputc('\n', out);
    }
    free(text);
}

void print_entry(FILE *out, const json_t *entry)
{
    print_section(out, "config", "", entry);
    for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++)
        if (config_section_within(config_sections[i], ""))
            print_section(out, config_sections[i], config_sections[i], json_object_get(entry, config_sections[i]));
    print_section(out, "fallback", NULL, json_object_get(entry, "fallback"));
}
