#include "keys.h"

#include <string.h>

#define KEY_FACTS(suffix, keys, place, help) {keys, KEY_##place, help},
static const struct {
    const char *keys;
    enum key_place place;
    const char *help;
} facts[ACTION_COUNT] = {KEYS(KEY_FACTS)};

#define SPECIAL_KEY_NAME(suffix, name) {name, PRESSED_##suffix},
static const struct {
    const char *name;
    int pressed;
} specials[] = {SPECIAL_KEYS(SPECIAL_KEY_NAME)};

enum key_place key_place(enum action action)
{
    return facts[action].place;
}

const char *key_names(enum action action)
{
    return facts[action].keys;
}

const char *key_help(enum action action)
{
    return facts[action].help;
}

/* Is this the key's name? A character's name is the character. */
static bool names(const char *name, size_t length, int pressed)
{
    if (length == 1)
        return pressed == (unsigned char)*name;
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (strlen(specials[i].name) == length && memcmp(specials[i].name, name, length) == 0)
            return pressed == specials[i].pressed;
    return false;
}

enum action key_action(int pressed)
{
    if (pressed == ' ')
        pressed = PRESSED_SPACE; /* ' ' stands between the keys of the table */
    for (unsigned action = 0; action < ACTION_COUNT; action++)
        for (const char *name = facts[action].keys; *name;) {
            const size_t length = strcspn(name, " ");
            if (names(name, length, pressed))
                return (enum action)action;
            name += length + (name[length] == ' ');
        }
    return ACTION_COUNT;
}

/* Writes a text with a backslash before what scdoc would take for its own. */
static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_<>#[]{}-.+", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

void manual_entry(FILE *out, const char *term, const char *meaning)
{
    fputc('*', out);
    write_escaped(out, term);
    fputs("*\n\t", out);
    write_escaped(out, meaning);
    fputs("\n\n", out);
}

void keys_manual(FILE *out)
{
    static const char *const places[] = {[KEY_ANYWHERE] = "Everywhere",
                                         [KEY_IN_TABLE] = "In the table of breakers",
                                         [KEY_CONTROL] = "For users with the role control",
                                         [KEY_RECORDING] = "While a recording is played back"};
    for (unsigned place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        fprintf(out, "## %s\n\n", places[place]);
        for (unsigned action = 0; action < ACTION_COUNT; action++) {
            if (facts[action].place != (enum key_place)place)
                continue;
            manual_entry(out, facts[action].keys, facts[action].help);
        }
    }
}
