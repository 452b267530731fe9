/* The canvas: nobody can paint beside it, and no byte of a text gets on it that a terminal would take for a command. */
#include "../../support/painted.h"

/* U+6F22 and U+5B57, each two columns wide; U+00E4, one column. */
#define WIDE "漢字"

static struct canvas *ascii_or_not(bool ascii)
{
    return canvas_new(2, 8, ascii);
}

static void assert_put(int column, int width, const char *text, const char *expected)
{
    struct canvas *const canvas = ascii_or_not(false);
    canvas_put(canvas, 0, column, width, STYLE_PLAIN, text);
    assert_painted_row(canvas, 0, expected);
    assert_painted_row(canvas, 1, "");
    canvas_free(canvas);
}

/* --------------------------------------------------------------------------------------------------------- clipping */

static void test_a_text_is_cut_at_the_right_edge_and_at_its_width(void **state)
{
    (void)state;
    assert_put(0, 99, "abcdefghij", "abcdefgh");
    assert_put(6, 99, "abcdefghij", "      ab");
    assert_put(0, 3, "abcdefghij", "abc");
    assert_put(0, 0, "abc", "");
    assert_put(0, -1, "abc", "");
    assert_put(8, 99, "abc", "");
    assert_put(2000000000, 99, "abc", "");
}

static void test_a_text_that_begins_outside_is_not_put(void **state)
{
    (void)state;
    struct canvas *const canvas = ascii_or_not(false);
    assert_int_equal(canvas_put(canvas, -1, 0, 8, STYLE_PLAIN, "abc"), 0);
    assert_int_equal(canvas_put(canvas, 2, 0, 8, STYLE_PLAIN, "abc"), 0);
    assert_int_equal(canvas_put(canvas, 0, -1, 8, STYLE_PLAIN, "abc"), -1);
    canvas_fill(canvas, 2, STYLE_HEADING);
    canvas_fill(canvas, -1, STYLE_HEADING);
    canvas_select(canvas, 2);
    canvas_select(canvas, -1);
    for (int row = 0; row < 2; row++) {
        assert_painted_row(canvas, row, "");
        assert_style(canvas, row, 0, STYLE_PLAIN);
        assert_false(painted_cell(canvas, row, 0)->selected);
    }
    canvas_free(canvas);
}

static void test_put_returns_the_column_after_the_text(void **state)
{
    (void)state;
    struct canvas *const canvas = ascii_or_not(false);
    assert_int_equal(canvas_put(canvas, 0, 1, 8, STYLE_PLAIN, "ab"), 3);
    assert_int_equal(canvas_put(canvas, 0, 3, 8, STYLE_PLAIN, "漢"), 5);
    assert_int_equal(canvas_put(canvas, 0, 5, 8, STYLE_PLAIN, "cdefgh"), 8);
    assert_int_equal(canvas_print(canvas, 1, 0, 8, STYLE_BOLD, "%d-%s", 7, "x"), 3);
    assert_painted_row(canvas, 0, " ab漢cde");
    assert_painted_row(canvas, 1, "7-x");
    assert_style(canvas, 1, 2, STYLE_BOLD);
    assert_style(canvas, 1, 3, STYLE_PLAIN);
    canvas_free(canvas);
}

static void test_a_text_at_the_right_end_of_its_columns(void **state)
{
    (void)state;
    struct canvas *const canvas = ascii_or_not(false);
    canvas_put_right(canvas, 0, 1, 5, STYLE_PLAIN, "ab");
    canvas_put_right(canvas, 1, 1, 5, STYLE_PLAIN, "漢b");
    assert_painted_row(canvas, 0, "    ab");
    assert_painted_row(canvas, 1, "   漢b");
    canvas_put_right(canvas, 0, 1, 5, STYLE_PLAIN, "abcdefg"); /* its end is cut, for its beginning says more */
    assert_painted_row(canvas, 0, " abcde");
    canvas_free(canvas);
}

static void test_a_long_text_goes_on_in_the_next_rows(void **state)
{
    (void)state;
    struct canvas *const canvas = canvas_new(4, 5, false);
    assert_int_equal(canvas_rows_for(canvas, ""), 0);
    assert_int_equal(canvas_rows_for(canvas, "abcde"), 1);
    assert_int_equal(canvas_rows_for(canvas, "abcdef"), 2);
    canvas_put(canvas, 1, 0, 5, STYLE_PLAIN, "-----");
    canvas_put(canvas, 2, 0, 5, STYLE_PLAIN, "-----");
    canvas_put_rows(canvas, 1, 2, STYLE_KEY, "abcdefg");
    assert_painted_rows(canvas, 0, "\nabcde\nfg\n");
    assert_style(canvas, 2, 1, STYLE_KEY);
    canvas_put_rows(canvas, 3, 1, STYLE_PLAIN, "abcdefg"); /* there is room for so much alone */
    assert_painted_row(canvas, 3, "abcde");
    canvas_put_rows(canvas, -1, 2, STYLE_PLAIN, "01234567");
    assert_painted_row(canvas, 0, "567");
    canvas_free(canvas);
}

static void test_a_canvas_without_rows_or_columns_takes_everything_and_shows_nothing(void **state)
{
    (void)state;
    const int sizes[][2] = {{0, 0}, {0, 80}, {24, 0}};
    for (unsigned i = 0; i < 3; i++) {
        struct canvas *const canvas = canvas_new(sizes[i][0], sizes[i][1], false);
        canvas_put(canvas, 0, 0, 80, STYLE_PLAIN, "abc");
        canvas_put_right(canvas, 0, 0, 80, STYLE_PLAIN, "abc");
        canvas_put_rows(canvas, 0, canvas_rows_for(canvas, "abc"), STYLE_PLAIN, "abc");
        canvas_fill(canvas, 0, STYLE_PLAIN);
        canvas_select(canvas, 0);
        canvas_copy(canvas, 0, canvas, 0, 0, 24);
        assert_painted_row(canvas, 0, "");
        canvas_free(canvas);
    }
}

/* ------------------------------------------------------------------------------------------------------- characters */

static void test_a_wide_character_takes_two_columns_or_none(void **state)
{
    (void)state;
    assert_put(0, 99, WIDE WIDE, "漢字漢字");
    assert_put(0, 3, WIDE, "漢");
    assert_put(7, 99, WIDE, "");
    assert_put(5, 99, WIDE, "     漢");
    assert_int_equal(canvas_width(WIDE "ä"), 5);
}

static void test_half_of_a_wide_character_that_is_overwritten_becomes_a_space(void **state)
{
    (void)state;
    const struct {
        int column;
        const char *text, *expected;
    } cases[] = {{0, "x", "x 字漢字"},  {1, "x", " x字漢字"}, {3, "x", "漢 x漢字"},
                 {1, "字", " 字 漢字"}, {7, "x", "漢字漢 x"}, {6, "x", "漢字漢x"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct canvas *const canvas = ascii_or_not(false);
        canvas_put(canvas, 0, 0, 8, STYLE_PLAIN, WIDE WIDE);
        canvas_put(canvas, 0, cases[i].column, 8, STYLE_PLAIN, cases[i].text);
        assert_painted_row(canvas, 0, cases[i].expected);
        canvas_free(canvas);
    }
}

static void test_control_characters_become_question_marks(void **state)
{
    (void)state;
    assert_put(0, 99, "a\033[2Jb", "a?[2Jb");
    assert_put(0, 99, "a\tb\nc\rd", "a?b?c?d");
    assert_put(0, 99, "\x7f\x01", "??");
    assert_put(0, 99,
               "\xc2\x9b"
               "2J",
               "?2J"); /* U+009B, a control sequence in one character */
}

static void test_what_joins_the_character_before_it_becomes_a_question_mark(void **state)
{
    (void)state;
    assert_put(0, 99, "e\xcc\x81", "e?");                  /* U+0301 */
    assert_put(0, 99, "a\xe2\x80\x8b\xe2\x80\xae", "a??"); /* U+200B, and U+202E, which turns the rest round */
}

static void test_broken_utf_8_becomes_a_question_mark_a_byte(void **state)
{
    (void)state;
    assert_put(0, 99, "\xff\xfe", "??");
    assert_put(0, 99, "a\xe6\xbc", "a??");    /* cut short at the text's end */
    assert_put(0, 99, "\xe6\xbcz", "??z");    /* cut short before another character */
    assert_put(0, 99, "\xc0\xaf", "??");      /* overlong */
    assert_put(0, 99, "\xed\xa0\x80", "???"); /* a surrogate */
    assert_put(0, 99, "\x80ok", "?ok");       /* a byte that begins nothing */
    assert_int_equal(canvas_width("\xff" WIDE), 5);
}

static void test_ascii_mode_shows_a_question_mark_in_each_column_of_what_it_lacks(void **state)
{
    (void)state;
    struct canvas *const canvas = ascii_or_not(true);
    assert_int_equal(canvas_put(canvas, 0, 0, 8, STYLE_PLAIN, "aä漢~b"), 6);
    assert_painted_row(canvas, 0, "a???~b");
    for (int column = 0; column < 8; column++)
        assert_in_range(painted_cell(canvas, 0, column)->character, ' ', '~');
    canvas_free(canvas);
}

/* ----------------------------------------------------------------------------------------------------- rows, copies */

static void test_a_canvas_that_grows_keeps_its_rows(void **state)
{
    (void)state;
    struct canvas *const canvas = canvas_new(0, 8, false);
    char text[16];
    for (int row = 0; row < 100; row++) {
        assert_int_equal(canvas_add_row(canvas), row);
        canvas_print(canvas, row, 0, 8, STYLE_PLAIN, "row %d", row);
    }
    assert_int_equal(canvas->rows, 100);
    for (int row = 0; row < 100; row++) {
        snprintf(text, sizeof(text), "row %d", row);
        assert_painted_row(canvas, row, text);
    }
    canvas_free(canvas);
}

static void test_blanking_changes_the_size_and_leaves_nothing(void **state)
{
    (void)state;
    const int sizes[][2] = {{2, 8}, {1, 20}, {30, 3}, {4, 100}, {50, 40}, {0, 0}, {3, 5}};
    struct canvas *const canvas = ascii_or_not(false);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        canvas_blank(canvas, sizes[i][0], sizes[i][1]);
        assert_int_equal(canvas->rows, sizes[i][0]);
        assert_int_equal(canvas->columns, sizes[i][1]);
        for (int row = 0; row < canvas->rows; row++) {
            assert_painted_row(canvas, row, "");
            canvas_fill(canvas, row, STYLE_ALARM);
            canvas_select(canvas, row);
            canvas_put(canvas, row, 0, 100, STYLE_ALARM, "left");
        }
        const int added = canvas_add_row(canvas);
        assert_painted_row(canvas, added, "");
        canvas_put(canvas, added, 0, 100, STYLE_ALARM, "left");
    }
    canvas_free(canvas);
}

static void test_a_selected_row_is_marked_from_one_end_to_the_other(void **state)
{
    (void)state;
    struct canvas *const canvas = ascii_or_not(false);
    canvas_put(canvas, 1, 0, 8, STYLE_GOOD, "abc");
    canvas_select(canvas, 1);
    for (int column = 0; column < 8; column++) {
        assert_true(painted_cell(canvas, 1, column)->selected);
        assert_false(painted_cell(canvas, 0, column)->selected);
    }
    assert_style(canvas, 1, 0, STYLE_GOOD);
    canvas_free(canvas);
}

static struct canvas *paper(void)
{
    struct canvas *const canvas = canvas_new(4, 12, false);
    const char *const rows[] = {"0123456789ab", "漢字漢字漢字", "a", "zzzzzzzzzzzz"};
    for (int row = 0; row < 4; row++)
        canvas_put(canvas, row, 0, 12, STYLE_KEY, rows[row]);
    return canvas;
}

static void test_a_copy_shows_a_part_of_another_canvas(void **state)
{
    (void)state;
    struct canvas *const canvas = canvas_new(4, 5, false), *const from = paper();
    canvas_copy(canvas, 1, from, 0, 2, 2);
    assert_painted_row(canvas, 0, "");
    assert_painted_row(canvas, 1, "23456");
    assert_painted_row(canvas, 2, "字漢"); /* half of the third one is cut */
    assert_painted_row(canvas, 3, "");
    assert_style(canvas, 1, 4, STYLE_KEY);
    canvas_copy(canvas, 1, from, 1, 1, 1);
    assert_painted_row(canvas, 1, " 字漢"); /* and of the first one */
    canvas_free(from);
    canvas_free(canvas);
}

static void test_a_copy_takes_no_more_than_there_is(void **state)
{
    (void)state;
    struct canvas *const canvas = canvas_new(3, 20, false), *const from = paper();
    canvas_copy(canvas, 0, from, 3, 10, 99); /* beyond the last row, and beyond the last column */
    assert_painted_row(canvas, 0, "zz");
    assert_painted_row(canvas, 1, "");
    canvas_copy(canvas, 2, from, 0, 0, 99); /* beyond the last row of the copy */
    assert_painted_row(canvas, 2, "0123456789ab");
    canvas_copy(canvas, 1, from, 0, 12, 1); /* the other one has ended */
    canvas_copy(canvas, 1, from, 0, 13, 1);
    canvas_copy(canvas, 1, from, -1, 0, 1);
    canvas_copy(canvas, -1, from, 0, 0, 1);
    canvas_copy(canvas, 1, from, 0, 0, -1);
    assert_painted_row(canvas, 1, "");
    canvas_copy(canvas, 0, from, -1, 0, 2);
    assert_painted_row(canvas, 0, "zz");
    assert_painted_row(canvas, 1, "0123456789ab");
    canvas_free(from);
    canvas_free(canvas);
}

static void test_a_row_as_text_ends_with_its_last_character(void **state)
{
    (void)state;
    struct canvas *const canvas = ascii_or_not(false);
    canvas_put(canvas, 0, 2, 8, STYLE_PLAIN, "ä 漢 ");
    canvas_fill(canvas, 1, STYLE_HEADING);
    assert_painted_row(canvas, 0, "  ä 漢");
    assert_painted_row(canvas, 1, "");
    assert_painted_row(canvas, 2, ""); /* which is none */
    assert_painted_row(canvas, -1, "");
    canvas_free(canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_is_cut_at_the_right_edge_and_at_its_width),
        cmocka_unit_test(test_a_text_that_begins_outside_is_not_put),
        cmocka_unit_test(test_put_returns_the_column_after_the_text),
        cmocka_unit_test(test_a_text_at_the_right_end_of_its_columns),
        cmocka_unit_test(test_a_long_text_goes_on_in_the_next_rows),
        cmocka_unit_test(test_a_canvas_without_rows_or_columns_takes_everything_and_shows_nothing),
        cmocka_unit_test(test_a_wide_character_takes_two_columns_or_none),
        cmocka_unit_test(test_half_of_a_wide_character_that_is_overwritten_becomes_a_space),
        cmocka_unit_test(test_control_characters_become_question_marks),
        cmocka_unit_test(test_what_joins_the_character_before_it_becomes_a_question_mark),
        cmocka_unit_test(test_broken_utf_8_becomes_a_question_mark_a_byte),
        cmocka_unit_test(test_ascii_mode_shows_a_question_mark_in_each_column_of_what_it_lacks),
        cmocka_unit_test(test_a_canvas_that_grows_keeps_its_rows),
        cmocka_unit_test(test_blanking_changes_the_size_and_leaves_nothing),
        cmocka_unit_test(test_a_selected_row_is_marked_from_one_end_to_the_other),
        cmocka_unit_test(test_a_copy_shows_a_part_of_another_canvas),
        cmocka_unit_test(test_a_copy_takes_no_more_than_there_is),
        cmocka_unit_test(test_a_row_as_text_ends_with_its_last_character),
    };
    return cmocka_run_group_tests(tests, painted_set_up, NULL);
}
