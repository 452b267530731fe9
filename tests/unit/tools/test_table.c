/* Tables for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "table.h"

static void assert_prints(const struct table *table, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_print(table, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    static const char *const headings[] = {"NAME", ">COUNT", "NOTE"};
    struct table *table = table_new(headings, 3);
    table_cell(table, "a");
    table_cell(table, "%d", 7);
    table_cell(table, "x");
    table_cell(table, "longer");
    table_cell(table, "%d", 1234567);
    table_cell(table, "y z");
    assert_prints(table, "NAME      COUNT  NOTE\n"
                         "a             7  x\n"
                         "longer  1234567  y z\n");
    table_free(table);
}

/* 30 letters, of which there are so many. */
#define THIRTY "abcdefghijklmnopqrstuvwxyz1234"

static void test_a_table_too_wide_is_made_narrower_in_the_order_told(void **state)
{
    (void)state;
    static const char *const headings[] = {"A", "B", ">C", "D"};
    struct table *table = table_new(headings, 4);
    table_shrink(table, 1, 20);
    table_shrink(table, 0, 10);
    table_cell(table, "%s", THIRTY);
    table_cell(table, "%s", THIRTY);
    table_cell(table, "%d", 1234567890);
    table_cell(table, "%s", "words that go on and on, and do not end before the line does, so that they");
    table_cell(table, "%s", "x");
    table_cell(table, "%s", THIRTY THIRTY THIRTY);
    table_cell(table, "%d", 7);
    table_cell(table, "%s", "y");
    assert_prints(table, "A                               B                                           C  D\n"
                         "abcdefghijklmnopqrstuvwxyz1234  abcdefghijklmnopqrstuvwxyz1234     1234567890\n"
                         "    words that go on and on, and do not end before the line does, so that they\n"
                         "x\n"
                         "    abcdefghijklmnopqrstuvwxyz1234abcdefghijklmnopqrstuvwxyz1234abcdefghijklmnop\n"
                         "    qrstuvwxyz1234\n"
                         "                                                                            7  y\n");
    table_free(table);
}

static void test_lines_do_not_end_in_blanks(void **state)
{
    (void)state;
    static const char *const headings[] = {"A", "B", ">C", ""};
    struct table *table = table_new(headings, 4);
    table_cell(table, "1");
    table_cell(table, "%s", "");
    table_cell(table, "%s", "");
    table_cell(table, "last");
    table_cell(table, "2");
    for (int i = 0; i < 3; i++)
        table_cell(table, "%s", "");
    assert_prints(table, "A  B  C\n"
                         "1        last\n"
                         "2\n");
    table_free(table);
}

static void test_letters_of_several_bytes_take_one_column(void **state)
{
    (void)state;
    static const char *const headings[] = {"WHO", "WHAT"};
    struct table *table = table_new(headings, 2);
    table_cell(table, "J\xc3\xb6rg");
    table_cell(table, "x");
    table_cell(table, "Anna");
    table_cell(table, "y");
    assert_prints(table, "WHO   WHAT\n"
                         "J\xc3\xb6rg  x\n"
                         "Anna  y\n");
    table_free(table);
}

static void test_a_table_grows(void **state)
{
    (void)state;
    static const char *const headings[] = {">N"};
    struct table *table = table_new(headings, 1);
    for (int i = 1; i <= 1000; i++)
        table_cell(table, "%d", i);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_print(table, out);
    fclose(out);
    assert_int_equal(size, 1001 * 5);
    free(text);
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(test_a_table_too_wide_is_made_narrower_in_the_order_told),
        cmocka_unit_test(test_lines_do_not_end_in_blanks),
        cmocka_unit_test(test_letters_of_several_bytes_take_one_column),
        cmocka_unit_test(test_a_table_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
