/* The table of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys.h"

#define SPECIAL(suffix, name) {name, PRESSED_##suffix},
static const struct {
    const char *name;
    int pressed;
} specials[] = {SPECIAL_KEYS(SPECIAL)};

/* Returns the key with this name. PRESSED_NOTHING: no key has it. */
static int pressed_of(const char *name, size_t length)
{
    if (length == 1)
        return (unsigned char)*name;
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (strlen(specials[i].name) == length && strncmp(specials[i].name, name, length) == 0)
            return specials[i].pressed;
    return PRESSED_NOTHING;
}

/* Takes the next key of an action's list. False: there is none. */
static bool next_key(const char **names, int *ret_pressed)
{
    const size_t length = strcspn(*names, " ");
    if (length == 0)
        return false;
    *ret_pressed = pressed_of(*names, length);
    *names += length + ((*names)[length] == ' ');
    return true;
}

static void test_every_key_of_the_table_is_known_and_has_its_action(void **state)
{
    (void)state;
    for (unsigned action = 0; action < ACTION_COUNT; action++) {
        const char *names = key_names((enum action)action);
        unsigned own = 0;
        for (int pressed; next_key(&names, &pressed); own++) {
            assert_int_not_equal(pressed, PRESSED_NOTHING);
            assert_int_equal(key_action(pressed), action);
        }
        assert_in_range(own, 1, 3);
    }
}

static void test_no_key_has_two_actions(void **state)
{
    (void)state;
    enum action action_of[128 + PRESSED_COUNT - PRESSED_FIRST];
    for (size_t i = 0; i < sizeof(action_of) / sizeof(action_of[0]); i++)
        action_of[i] = ACTION_COUNT;
    for (unsigned action = 0; action < ACTION_COUNT; action++) {
        const char *names = key_names((enum action)action);
        for (int pressed; next_key(&names, &pressed);) {
            const int at = pressed < PRESSED_FIRST ? pressed : 128 + pressed - PRESSED_FIRST;
            if (action_of[at] != ACTION_COUNT)
                fail_msg("\"%s\" and \"%s\" have a key in common", key_names(action_of[at]),
                         key_names((enum action)action));
            action_of[at] = (enum action)action;
        }
    }
}

static void test_some_keys_by_their_codes(void **state)
{
    (void)state;
    assert_int_equal(key_action('q'), ACTION_QUIT);
    assert_int_equal(key_action(PRESSED_F10), ACTION_QUIT);
    assert_int_equal(key_action(PRESSED_F1), ACTION_HELP);
    assert_int_equal(key_action('?'), ACTION_HELP);
    assert_int_equal(key_action(' '), ACTION_TAG);
    assert_int_equal(key_action(PRESSED_SPACE), ACTION_TAG);
    assert_int_equal(key_action('\\'), ACTION_FILTER);
    assert_int_equal(key_action('I'), ACTION_REVERSE);
    assert_int_equal(key_action(PRESSED_BACK_TAB), ACTION_PREVIOUS_PANE);
}

static void test_a_key_that_is_in_no_list_has_no_action(void **state)
{
    (void)state;
    const int keys[] = {PRESSED_NOTHING, PRESSED_ESCAPE, PRESSED_BACKSPACE, PRESSED_COUNT, 'i', 'Q', '\n', 0xe4, -1,
                        0x1f600,         'F' + 256};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(key_action(keys[i]), ACTION_COUNT);
}

static void test_keys_are_in_the_place_where_they_mean_something(void **state)
{
    (void)state;
    assert_int_equal(key_place(ACTION_HELP), KEY_ANYWHERE);
    assert_int_equal(key_place(ACTION_SORT_MENU), KEY_IN_TABLE);
    assert_int_equal(key_place(ACTION_TRIP), KEY_CONTROL);
    assert_int_equal(key_place(ACTION_RESET), KEY_CONTROL);
    assert_int_equal(key_place(ACTION_SEEK_BACK), KEY_RECORDING);
}

/* Takes the backslashes away that keep a character from scdoc. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++) {
        text += *text == '\\' && text[1];
        *to++ = *text;
    }
    *to = '\0';
}

static void test_the_manual_has_a_line_for_each_action(void **state)
{
    (void)state;
    char *manual, line[256];
    size_t size;
    FILE *const out = open_memstream(&manual, &size);
    keys_manual(out);
    fclose(out);
    assert_non_null(strstr(manual, "## Everywhere\n\n*F1 h ?*\n\tshow this help\n\n"));
    assert_non_null(strstr(manual, "*Left \\-*\n\t")); /* scdoc takes a hyphen at a line's begin for a list */
    assert_non_null(strstr(manual, "*\\\\*\n\tshow breakers alone")); /* and a backslash for its own */
    assert_non_null(strstr(manual, "*\\<*\n\tsort by the column before"));
    assert_non_null(strstr(manual, "## For users with the role control\n"));
    unescape(manual);
    for (unsigned action = 0; action < ACTION_COUNT; action++) {
        snprintf(line, sizeof(line), "*%s*\n\t%s\n\n", key_names((enum action)action), key_help((enum action)action));
        if (!strstr(manual, line))
            fail_msg("the manual lacks \"%s\"", line);
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_of_the_table_is_known_and_has_its_action),
        cmocka_unit_test(test_no_key_has_two_actions),
        cmocka_unit_test(test_some_keys_by_their_codes),
        cmocka_unit_test(test_a_key_that_is_in_no_list_has_no_action),
        cmocka_unit_test(test_keys_are_in_the_place_where_they_mean_something),
        cmocka_unit_test(test_the_manual_has_a_line_for_each_action),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
