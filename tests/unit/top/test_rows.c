/* Breakers as rows: which are there, in which order, and what a group sums up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "columns.h"
#include "rows.h"

#define BREAKERS_MOST 16

static struct {
    struct look look;
    struct look_breaker breakers[BREAKERS_MOST];
    const struct look_breaker *shown[BREAKERS_MOST];
    struct rows_options options;
    struct rows rows;
} fixture;

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.look.breakers = fixture.shown;
    fixture.options.folded = json_object();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rows_clear(&fixture.rows);
    json_decref((json_t *)fixture.options.folded);
    return 0;
}

static struct look_breaker *add(const char *name)
{
    const uint32_t at = fixture.look.count++;
    struct look_breaker *const breaker = &fixture.breakers[at];
    snprintf(breaker->name, sizeof(breaker->name), "%s", name);
    breaker->slot = at;
    breaker->rates.known = true;
    breaker->p50_ms = breaker->p99_ms = -1;
    fixture.shown[at] = breaker;
    return breaker;
}

static void add_all(const char *const *names)
{
    for (; *names; names++)
        add(*names);
}

static void fold(const char *group)
{
    json_object_set_new((json_t *)fixture.options.folded, group, json_true());
}

/* The rows as one text: a group ends with its slash, and with a plus if it is folded. */
static void assert_rows(const char *expected)
{
    char text[4096] = "";
    size_t used = 0;
    rows_make(&fixture.rows, &fixture.look, &fixture.options);
    for (size_t i = 0; i < fixture.rows.count; i++) {
        const struct row *const row = &fixture.rows.rows[i];
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s%s%s", i ? " " : "", (int)row->length,
                                 row->name, row->breaker ? "" : "/", row->folded ? "+" : "");
    }
    assert_string_equal(text, expected);
}

/* What the tree shows: each row's depth and the last part of its name. */
static void assert_tree(const char *expected)
{
    char text[4096] = "";
    size_t used = 0;
    rows_make(&fixture.rows, &fixture.look, &fixture.options);
    for (size_t i = 0; i < fixture.rows.count; i++) {
        const struct row *const row = &fixture.rows.rows[i];
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u:%.*s%s", i ? " " : "", row->depth,
                                 (int)(row->length - row->label), row->name + row->label, row->breaker ? "" : "/");
    }
    assert_string_equal(text, expected);
}

#define PATTERNS(...) ((char *const[]){__VA_ARGS__, NULL})

/* --------------------------------------------------------------------------------------------- which breakers there
 * are
 */

static void test_no_breakers_are_no_rows(void **state)
{
    (void)state;
    assert_rows("");
    fixture.options.tree = true;
    assert_rows("");
    fixture.options.order = column_order(COLUMN_CALLS);
    assert_rows("");
}

static void test_a_list_is_in_the_order_of_names(void **state)
{
    (void)state;
    add_all((const char *const[]){"mail", "db/read", "db", "db/write", "cache", NULL});
    assert_rows("cache db db/read db/write mail");
}

static void test_a_filter_is_a_part_of_a_name_or_a_pattern(void **state)
{
    (void)state;
    const struct {
        const char *filter, *expected;
    } cases[] = {{"", "db/read db/write mail web"},
                 {"db", "db/read db/write"},
                 {"ai", "mail"},
                 {"/w", "db/write"},
                 {"d*", "db/read db/write"},
                 {"*d", "db/read"},
                 {"w?b", "web"},
                 {"eb?", ""},
                 {"*", "db/read db/write mail web"},
                 {"none", ""},
                 {"DB", ""}};
    add_all((const char *const[]){"db/read", "db/write", "mail", "web", NULL});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture.options.filter = cases[i].filter;
        assert_rows(cases[i].expected);
    }
    fixture.options.filter = NULL;
    assert_rows("db/read db/write mail web");
}

static void test_several_patterns_show_what_any_of_them_names(void **state)
{
    (void)state;
    add_all((const char *const[]){"db/read", "db/write", "mail", "web", NULL});
    fixture.options.patterns = PATTERNS("web", "*read");
    assert_rows("db/read web");
    fixture.options.patterns = PATTERNS("we"); /* a name is whole */
    assert_rows("");
    fixture.options.patterns = PATTERNS("db/*");
    fixture.options.filter = "write";
    assert_rows("db/write");
    fixture.options.filter = "mail";
    assert_rows("");
    fixture.options.patterns = (char *const[]){NULL};
    assert_rows("mail");
}

static void test_hidden_breakers_are_there_when_names_are_asked_for(void **state)
{
    (void)state;
    add("db");
    add("old")->hidden = true;
    assert_rows("db");
    fixture.options.tree = true;
    assert_rows("db");
    fixture.options.filter = "*";
    assert_rows("db old");
    fixture.options.filter = "";
    fixture.options.patterns = PATTERNS("o*");
    assert_rows("old");
}

static void test_what_is_shown_is_wanted_and_not_hidden(void **state)
{
    (void)state;
    const struct look_breaker *const db = add("db");
    struct look_breaker *const old = add("old");
    old->hidden = true;
    assert_true(rows_show(db, &fixture.options));
    assert_false(rows_show(old, &fixture.options));
    fixture.options.filter = "old";
    assert_false(rows_show(db, &fixture.options));
    assert_true(rows_show(old, &fixture.options));
}

/* --------------------------------------------------------------------------------------------------------- the order
 */

static void test_each_column_orders_by_what_it_shows_and_ties_by_name(void **state)
{
    (void)state;
    struct look_breaker *const a = add("a"), *const b = add("b"), *const c = add("c");
    a->figures.state = TRIP_STATE_RAMPING;
    b->figures.state = TRIP_STATE_OPEN;
    a->figures.mode = b->figures.mode = TRIP_MODE_SHADOW;
    a->rates.calls = c->rates.calls = 0.5;
    b->rates.calls = 0.25;
    a->window_calls = b->window_calls = 100;
    a->window_failures = 1;
    b->window_failures = 2;
    b->window_slow = 7;
    a->p50_ms = 5;
    b->p50_ms = 0.5;
    c->p50_ms = 0.25;
    a->p99_ms = 10;
    c->p99_ms = 20;
    b->in_flight = c->in_flight = 3;
    c->rates.denied = 0.1;
    const struct {
        enum column column;
        const char *rising, *falling;
    } cases[] = {{COLUMN_NAME, "a b c", "c b a"},      {COLUMN_STATE, "c a b", "b a c"},
                 {COLUMN_MODE, "c a b", "a b c"},      {COLUMN_CALLS, "b a c", "a c b"},
                 {COLUMN_FAILED, "c a b", "b a c"},    {COLUMN_SLOW, "c a b", "b a c"},
                 {COLUMN_P50, "c b a", "a b c"},       {COLUMN_P99, "b a c", "c a b"},
                 {COLUMN_IN_FLIGHT, "a b c", "b c a"}, {COLUMN_DENIED, "a b c", "c a b"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture.options.order = column_order(cases[i].column);
        fixture.options.descending = false;
        assert_rows(cases[i].rising);
        fixture.options.descending = true;
        assert_rows(cases[i].falling);
    }
}

static void test_the_state_orders_by_trouble_and_a_mode_adds_to_it(void **state)
{
    (void)state;
    const trip_state states[] = {TRIP_STATE_CLOSED, TRIP_STATE_OPEN, TRIP_STATE_HALF_OPEN, TRIP_STATE_RAMPING};
    const char *const names[] = {"closed", "open", "half", "ramping"};
    char name[32];
    for (unsigned i = 0; i < 4; i++) {
        add(names[i])->figures.state = states[i];
        snprintf(name, sizeof(name), "%s-moded", names[i]);
        struct look_breaker *const moded = add(name);
        moded->figures.state = states[i];
        moded->figures.mode = TRIP_MODE_DISABLED;
    }
    fixture.options.order = column_order(COLUMN_STATE);
    fixture.options.descending = true;
    assert_rows("open-moded open half-moded half ramping-moded ramping closed-moded closed");
}

/* ---------------------------------------------------------------------------------------------------------- the tree
 */

static void test_groups_fold_out_into_their_breakers(void **state)
{
    (void)state;
    add_all((const char *const[]){"payments/db/write", "mail", "payments/api", "payments/db/read", "web", NULL});
    fixture.options.tree = true;
    assert_rows("mail payments/ payments/api payments/db/ payments/db/read payments/db/write web");
    assert_tree("0:mail 0:payments/ 1:api 1:db/ 2:read 2:write 0:web");
}

static void test_a_folded_group_hides_what_is_in_it(void **state)
{
    (void)state;
    add_all((const char *const[]){"payments/db/write", "mail", "payments/api", "payments/db/read", NULL});
    fixture.options.tree = true;
    fold("payments/db");
    fold("mail"); /* which is no group, and "pay" is none either */
    fold("pay");
    assert_rows("mail payments/ payments/api payments/db/+");
    fold("payments");
    assert_rows("mail payments/+");
    json_object_del((json_t *)fixture.options.folded, "payments");
    assert_rows("mail payments/ payments/api payments/db/+");
}

static void test_a_group_has_the_sums_of_its_breakers(void **state)
{
    (void)state;
    struct look_breaker *const read = add("db/a/read"), *const write = add("db/b/write"), *const other = add("web");
    *read = (struct look_breaker){.name = "db/a/read",
                                  .figures = {.state = TRIP_STATE_OPEN, .mode = TRIP_MODE_SHADOW},
                                  .window_calls = 10,
                                  .window_failures = 4,
                                  .window_slow = 2,
                                  .in_flight = 3,
                                  .rates = {.calls = 9, .failures = 9, .denied = 9, .errors = 9}};
    *write = (struct look_breaker){.name = "db/b/write",
                                   .window_calls = 30,
                                   .window_failures = 1,
                                   .window_slow = 5,
                                   .in_flight = 8,
                                   .rates = {.known = true, .calls = 5.5, .failures = 2, .denied = 1.5, .errors = 4}};
    read->rates = (struct rates){0}; /* not known yet */
    other->in_flight = 100;
    fixture.options.tree = true;
    fold("db/a");
    assert_rows("db/ db/a/+ db/b/ db/b/write web");
    const struct row *const group = &fixture.rows.rows[0];
    assert_null(group->breaker);
    assert_int_equal(group->breakers, 2);
    assert_int_equal(group->states[TRIP_STATE_OPEN], 1);
    assert_int_equal(group->states[TRIP_STATE_CLOSED], 1);
    assert_int_equal(group->moded, 1);
    assert_int_equal(group->window_calls, 40);
    assert_int_equal(group->window_failures, 5);
    assert_int_equal(group->window_slow, 7);
    assert_int_equal(group->in_flight, 11);
    assert_true(group->rates.known);
    assert_float_equal(group->rates.calls, 5.5, 0);
    assert_float_equal(group->rates.failures, 2, 0);
    assert_float_equal(group->rates.denied, 1.5, 0);
    assert_float_equal(group->rates.errors, 4, 0);
    assert_int_equal(row_state(group), TRIP_STATE_OPEN);
    assert_int_equal(fixture.rows.rows[1].breakers, 1);
    assert_false(fixture.rows.rows[1].rates.known);
    assert_int_equal(row_state(&fixture.rows.rows[2]), TRIP_STATE_CLOSED);
}

static void test_groups_stand_among_breakers_by_their_sums(void **state)
{
    (void)state;
    add("a/x")->rates.calls = 2;
    add("a/y")->rates.calls = 3;
    add("b")->rates.calls = 4;
    add("c/z")->rates.calls = 1;
    fixture.options.tree = true;
    fixture.options.order = column_order(COLUMN_CALLS);
    fixture.options.descending = true;
    assert_rows("a/ a/y a/x b c/ c/z");
    fixture.options.descending = false;
    assert_rows("c/ c/z b a/ a/x a/y");
    fixture.options.order = column_order(COLUMN_NAME);
    fixture.options.descending = true;
    assert_rows("c/ c/z b a/ a/y a/x");
}

static void test_a_groups_trouble_is_that_of_its_breaker_in_the_most(void **state)
{
    (void)state;
    add("a/x")->figures.state = TRIP_STATE_RAMPING;
    add("a/y")->figures.state = TRIP_STATE_HALF_OPEN;
    add("b/z");
    fixture.options.tree = true;
    rows_make(&fixture.rows, &fixture.look, &fixture.options);
    assert_int_equal(row_state(&fixture.rows.rows[0]), TRIP_STATE_HALF_OPEN);
    assert_int_equal(row_trouble(&fixture.rows.rows[0]), 4);
    assert_int_equal(row_state(&fixture.rows.rows[3]), TRIP_STATE_CLOSED);
    assert_int_equal(row_trouble(&fixture.rows.rows[3]), 0);
    assert_int_equal(row_state(&(struct row){0}), TRIP_STATE_CLOSED);
    assert_int_equal(row_trouble(&(struct row){0}), 0);
}

static void test_a_breaker_stands_before_the_group_of_its_name(void **state)
{
    (void)state;
    add_all((const char *const[]){"db/read", "db-old", "db", "db.1", NULL});
    fixture.options.tree = true;
    assert_rows("db db/ db/read db-old db.1");
    fixture.options.order = column_order(COLUMN_CALLS);
    assert_rows("db db/ db/read db-old db.1");
    fold("db"); /* the group alone */
    assert_rows("db db/+ db-old db.1");
}

static void test_only_what_is_shown_is_in_a_group(void **state)
{
    (void)state;
    add("db/read");
    add("db/old")->hidden = true;
    add("db/write");
    add("mail");
    fixture.options.tree = true;
    fixture.options.filter = "";
    assert_rows("db/ db/read db/write mail");
    assert_int_equal(fixture.rows.rows[0].breakers, 2);
    fixture.options.filter = "write";
    assert_rows("db/ db/write");
    assert_int_equal(fixture.rows.rows[0].breakers, 1);
}

static void test_names_may_have_slashes_anywhere(void **state)
{
    (void)state;
    add_all((const char *const[]){"/", "//", "/a", "a/", "a//b", "a/b", NULL});
    assert_rows("/ // /a a/ a//b a/b");
    fixture.options.tree = true;
    assert_rows("/ / // // /a a/ a/ a// a//b a/b");
    /* A last part that is empty is shown as the slash before it. */
    assert_tree("0:/ 1:/ 1:/ 2:/ 1:a 0:a/ 1:/ 1:/ 2:b 1:b");
}

static void test_a_name_of_slashes_alone_has_as_many_groups(void **state)
{
    (void)state;
    char name[TRIP_NAME_MAX + 1];
    memset(name, '/', TRIP_NAME_MAX);
    name[TRIP_NAME_MAX] = '\0';
    add(name);
    fixture.options.tree = true;
    rows_make(&fixture.rows, &fixture.look, &fixture.options);
    assert_int_equal(fixture.rows.count, 128);
    assert_int_equal(fixture.rows.rows[127].depth, 127);
    assert_ptr_equal(fixture.rows.rows[127].breaker, fixture.shown[0]);
    for (unsigned i = 0; i < 127; i++) {
        assert_null(fixture.rows.rows[i].breaker);
        assert_int_equal(fixture.rows.rows[i].length, i);
        assert_int_equal(fixture.rows.rows[i].breakers, 1);
    }
}

static void test_rows_are_made_anew(void **state)
{
    (void)state;
    add_all((const char *const[]){"a", "b", NULL});
    assert_rows("a b");
    add("aa");
    assert_rows("a aa b");
    rows_clear(&fixture.rows);
    assert_int_equal(fixture.rows.count, 0);
    rows_clear(&fixture.rows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_no_breakers_are_no_rows),
        TEST(test_a_list_is_in_the_order_of_names),
        TEST(test_a_filter_is_a_part_of_a_name_or_a_pattern),
        TEST(test_several_patterns_show_what_any_of_them_names),
        TEST(test_hidden_breakers_are_there_when_names_are_asked_for),
        TEST(test_what_is_shown_is_wanted_and_not_hidden),
        TEST(test_each_column_orders_by_what_it_shows_and_ties_by_name),
        TEST(test_the_state_orders_by_trouble_and_a_mode_adds_to_it),
        TEST(test_groups_fold_out_into_their_breakers),
        TEST(test_a_folded_group_hides_what_is_in_it),
        TEST(test_a_group_has_the_sums_of_its_breakers),
        TEST(test_groups_stand_among_breakers_by_their_sums),
        TEST(test_a_groups_trouble_is_that_of_its_breaker_in_the_most),
        TEST(test_a_breaker_stands_before_the_group_of_its_name),
        TEST(test_only_what_is_shown_is_in_a_group),
        TEST(test_names_may_have_slashes_anywhere),
        TEST(test_a_name_of_slashes_alone_has_as_many_groups),
        TEST(test_rows_are_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
