/* Keys and clicks: what is selected, tagged, folded, sorted and asked, and what stands on the screen then. */
#include "../../support/answers.h"
#include "../../support/screen.h"
#include "core/fingerprints.h"

#define TABLE (HEADER_ROWS + 2) /* the first breaker's row */

static struct screen fixture;
static struct top *top;
static const struct arguments arguments = {.instance = "test"};

static int set_up(void **state)
{
    (void)state;
    static const struct correlation_settings settings = {.window = 60 * TRIP_S, .max_errors = 100};
    screen_make(&fixture, 200);
    top = fixture.top;
    segment_correlation_publish(fixture.watched.segment, &settings);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    screen_remove(&fixture);
    return 0;
}

static uint32_t add(const char *name)
{
    return watched_breaker(&fixture.watched, name);
}

static void add_all(const char *const *names)
{
    for (; *names; names++)
        add(*names);
}
#define ADD(...) add_all((const char *const[]){__VA_ARGS__, NULL})

static void open_breaker(uint32_t slot)
{
    segment_mirror(fixture.watched.segment, slot, word_open(2, 130000));
}

static void look(void)
{
    screen_look(&fixture);
}

static const struct canvas *paint(void)
{
    return screen_paint(&fixture, 24, 80);
}

static void press(int pressed)
{
    screen_press(&fixture, pressed);
}

static void type(const char *text)
{
    screen_type(&fixture, text);
}

/* The names in the table, in their order; the selected one in brackets, a tagged one with a star before it. */
static void assert_table(const char *expected)
{
    char text[4096] = "";
    size_t used = 0;
    for (size_t i = 0; i < top->rows.count; i++) {
        const struct row *const row = &top->rows.rows[i];
        char name[TRIP_NAME_MAX + 2];
        snprintf(name, sizeof(name), "%.*s%s", (int)row->length, row->name, row->breaker ? "" : "/");
        const bool tagged = row->breaker && json_object_get(top->tagged, name);
        used += (size_t)snprintf(text + used, sizeof(text) - used, i == top->cursor ? "%s[%s%s]" : "%s%s%s",
                                 i ? " " : "", tagged ? "*" : "", name);
    }
    assert_string_equal(text, expected);
}

/* The last row, which says what keys do, what was done, or what is asked. */
static void assert_says(const char *expected)
{
    assert_painted_row(screen_paint(&fixture, 24, 160), 23, expected);
}

/* The row of the tabs from where the marks begin. */
static void assert_marks(const char *expected)
{
    const struct canvas *const canvas = screen_paint(&fixture, 24, 160);
    char text[PAINTED_MAX];
    painted_read(canvas, HEADER_ROWS, 81, 79, text);
    assert_string_equal(text + strspn(text, " "), expected);
}

#define HINTS_OF_A_FILE "F1 help / find \\ filter t tree F6 sort x trip f force d disable a auto r reset q quit"

/* ------------------------------------------------------------------------------------------------------- selecting */

static void test_the_first_row_is_selected_at_first(void **state)
{
    (void)state;
    ADD("a", "b", "c");
    look();
    assert_table("[a] b c");
    const struct canvas *const canvas = paint();
    assert_true(painted_cell(canvas, TABLE, 0)->selected);
    assert_true(painted_cell(canvas, TABLE, 79)->selected);
    assert_false(painted_cell(canvas, TABLE + 1, 0)->selected);
}

static void test_the_selection_follows_its_breaker_when_the_order_changes(void **state)
{
    (void)state;
    ADD("a", "b");
    const uint32_t c = add("c");
    look();
    press(PRESSED_DOWN);
    assert_table("a [b] c");
    open_breaker(c);
    add("aa");
    look();
    assert_table("c a aa [b]");
    press('I');
    assert_table("a aa [b] c");
    press('I');
    press('t');
    assert_table("c a aa [b]");
}

static void test_where_the_selected_breaker_is_gone_its_neighbour_is_selected(void **state)
{
    (void)state;
    ADD("a", "b", "c");
    look();
    press(PRESSED_DOWN);
    segment_forget(fixture.watched.segment, 1);
    look();
    assert_table("a [c]");
    segment_forget(fixture.watched.segment, 2);
    look();
    assert_table("[a]");
    segment_forget(fixture.watched.segment, 0);
    look();
    assert_table("");
    assert_painted_row(paint(), TABLE, "no program has asked for a breaker yet");
    ADD("d", "e");
    look();
    assert_table("[d] e");
}

static void test_arrows_and_pages_move_the_selection_within_the_table(void **state)
{
    (void)state;
    char name[8];
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "b%02u", i);
        add(name);
    }
    look();
    paint(); /* 16 rows of breakers */
    press(PRESSED_UP);
    assert_int_equal(top->cursor, 0);
    press(PRESSED_DOWN);
    press(PRESSED_DOWN);
    assert_int_equal(top->cursor, 2);
    press(PRESSED_PAGE_DOWN);
    assert_int_equal(top->cursor, 18);
    assert_painted(paint(), TABLE, 0, "b03");
    assert_painted(paint(), TABLE + 15, 0, "b18");
    press(PRESSED_PAGE_UP);
    assert_int_equal(top->cursor, 2);
    assert_painted(paint(), TABLE, 0, "b02");
    press(PRESSED_PAGE_UP);
    assert_int_equal(top->cursor, 0);
    press(PRESSED_END_KEY);
    assert_int_equal(top->cursor, 59);
    assert_painted(paint(), TABLE + 15, 0, "b59");
    press(PRESSED_DOWN);
    press(PRESSED_PAGE_DOWN);
    assert_int_equal(top->cursor, 59);
    press(PRESSED_HOME);
    assert_int_equal(top->cursor, 0);
    assert_painted(paint(), TABLE, 0, "b00");
}

static void test_a_page_of_a_screen_without_room_is_a_line(void **state)
{
    (void)state;
    ADD("a", "b", "c", "d");
    look();
    for (int rows = 1; rows <= 9; rows++) {
        screen_paint(&fixture, rows, 80);
        press(PRESSED_PAGE_DOWN);
        assert_table("a [b] c d");
        press(PRESSED_PAGE_UP);
        assert_table("[a] b c d");
    }
}

/* -------------------------------------------------------------------------------------------------- search, filter */

static void test_a_search_goes_to_the_next_name_that_has_the_text(void **state)
{
    (void)state;
    ADD("api", "db/read", "db/write", "mail");
    look();
    type("/db");
    assert_says("find: db_");
    press(PRESSED_ENTER);
    assert_table("api [db/read] db/write mail");
    press('n');
    assert_table("api db/read [db/write] mail");
    press('n');
    assert_table("api [db/read] db/write mail"); /* from the beginning again */
    type("/ail");
    press(PRESSED_ENTER);
    assert_table("api db/read db/write [mail]");
}

static void test_a_search_that_finds_nothing_says_so_and_stays(void **state)
{
    (void)state;
    ADD("api", "db");
    look();
    press(PRESSED_DOWN);
    type("/nosuch");
    press(PRESSED_ENTER);
    assert_table("api [db]");
    assert_says("no breaker that is shown has \"nosuch\" in its name");
    press(PRESSED_UP);
    assert_says(HINTS_OF_A_FILE);
    type("/");
    press(PRESSED_ENTER); /* for nothing */
    assert_table("[api] db");
    assert_says(HINTS_OF_A_FILE);
}

static void test_esc_leaves_a_search(void **state)
{
    (void)state;
    ADD("api", "db");
    look();
    type("/db");
    press(PRESSED_ESCAPE);
    assert_table("[api] db");
    assert_says(HINTS_OF_A_FILE);
    press('n');
    assert_table("[api] db");
}

static void test_a_filter_shows_some_alone_and_is_shown_itself(void **state)
{
    (void)state;
    ADD("api", "db/read", "db/write");
    look();
    type("\\db");
    assert_says("show names with (empty: all): db_");
    assert_table("[api] db/read db/write"); /* not before Enter */
    press(PRESSED_ENTER);
    assert_table("[db/read] db/write");
    assert_marks("only \"db\"");
    type("\\");
    assert_says("show names with (empty: all): db_");
    press(PRESSED_BACKSPACE);
    press(PRESSED_BACKSPACE);
    press(PRESSED_BACKSPACE); /* of nothing */
    type("*write");
    press(PRESSED_ENTER);
    assert_table("[db/write]");
    type("\\x");
    press(PRESSED_ESCAPE);
    assert_table("[db/write]");
    type("\\x");
    press(PRESSED_ENTER);
    assert_table("");
    assert_painted_row(paint(), TABLE, "no breaker matches");
    type("\\");
    for (unsigned i = 0; i < 7; i++)
        press(PRESSED_BACKSPACE);
    press(PRESSED_ENTER);
    assert_table("api db/read [db/write]");
    assert_marks("");
}

static void test_names_on_the_command_line_are_those_that_there_are(void **state)
{
    (void)state;
    ADD("api", "db/read", "db/write");
    screen_open(&fixture, &(struct top_options){
                              .named = "web-1", .unchangeable = "a file", .patterns = (char *const[]){"db/*", NULL}});
    top = fixture.top;
    look();
    assert_table("[db/read] db/write");
    type("\\w");
    press(PRESSED_ENTER);
    assert_table("[db/write]");
}

static void test_characters_of_several_bytes_are_typed_and_rubbed_out_whole(void **state)
{
    (void)state;
    ADD("api");
    look();
    press('\\');
    press(0xe4);
    press(0x6f22);
    press('x');
    assert_says("show names with (empty: all): ä漢x_");
    press(PRESSED_BACKSPACE);
    press(PRESSED_BACKSPACE);
    assert_says("show names with (empty: all): ä_");
    press(0xd800); /* no character */
    press(PRESSED_F5);
    press(PRESSED_UP);
    press(PRESSED_TAB);
    press('\033');
    assert_says("show names with (empty: all): ä_");
    press(PRESSED_BACKSPACE);
    assert_says("show names with (empty: all): _");
}

static void test_no_more_is_typed_than_there_is_room_for(void **state)
{
    (void)state;
    ADD("api");
    look();
    press('\\');
    for (unsigned i = 0; i < 300; i++)
        press(0xe4); /* of two bytes */
    assert_int_equal(strlen(top->typed), 198);
    press('x');
    assert_int_equal(strlen(top->typed), 199);
    press('x');
    assert_int_equal(strlen(top->typed), 199);
    press(PRESSED_ENTER);
    paint();
}

/* ----------------------------------------------------------------------------------------------------------- tagging
 */

static void test_space_tags_and_goes_on(void **state)
{
    (void)state;
    ADD("a", "b", "c");
    look();
    press(PRESSED_SPACE);
    assert_table("*a [b] c");
    press(' ');
    assert_table("*a *b [c]");
    assert_marks("2 tagged");
    assert_painted(paint(), TABLE, 0, "▸a");
    press(PRESSED_UP);
    press(PRESSED_SPACE);
    assert_table("*a b [c]");
    press('U');
    assert_table("a b [c]");
    assert_marks("");
}

static void test_a_group_is_tagged_as_what_is_shown_of_it(void **state)
{
    (void)state;
    struct segment *const segment = fixture.watched.segment;
    ADD("db/read", "db/write", "db/x/y", "dbother", "mail");
    segment_detail_hidden(segment, add("db/old"), 90000);
    press('t');
    look();
    assert_table("[db/] db/read db/write db/x/ db/x/y dbother mail");
    press(PRESSED_SPACE);
    assert_table("db/ [*db/read] *db/write db/x/ *db/x/y dbother mail");
    assert_int_equal(json_object_size(top->tagged), 3);
    press(PRESSED_SPACE); /* one of them is not tagged: the group tags all again */
    press(PRESSED_HOME);
    press(PRESSED_SPACE);
    assert_table("db/ [*db/read] *db/write db/x/ *db/x/y dbother mail");
    press(PRESSED_HOME);
    press(PRESSED_SPACE); /* all are: it takes the tags away */
    assert_table("db/ [db/read] db/write db/x/ db/x/y dbother mail");
    type("\\*write");
    press(PRESSED_ENTER);
    press(PRESSED_HOME);
    press(PRESSED_SPACE);
    type("\\");
    for (unsigned i = 0; i < 6; i++)
        press(PRESSED_BACKSPACE);
    press(PRESSED_ENTER);
    assert_table("db/ db/read [*db/write] db/x/ db/x/y dbother mail");
}

static void test_tags_outlive_what_is_shown(void **state)
{
    (void)state;
    ADD("a", "b");
    look();
    press(PRESSED_SPACE);
    type("\\b");
    press(PRESSED_ENTER);
    assert_table("[b]");
    assert_marks("only \"b\" 1 tagged");
    press(PRESSED_SPACE);
    assert_marks("only \"b\" 2 tagged");
}

static void test_in_an_empty_table_nothing_is_tagged(void **state)
{
    (void)state;
    look();
    press(PRESSED_SPACE);
    press(PRESSED_ENTER);
    press(PRESSED_LEFT);
    press('n');
    assert_int_equal(json_object_size(top->tagged), 0);
    top_look(top, NULL, "waits", 0);
    press(PRESSED_SPACE);
    press(PRESSED_DOWN);
    press('<');
    assert_table("");
}

/* ----------------------------------------------------------------------------------------------------------- folding
 */

static void test_left_folds_a_group_and_right_unfolds_it(void **state)
{
    (void)state;
    ADD("db/read", "db/write", "mail");
    press('t');
    look();
    press(PRESSED_LEFT);
    assert_table("[db/] mail");
    press(PRESSED_LEFT);
    assert_table("[db/] mail");
    press(PRESSED_RIGHT);
    assert_table("[db/] db/read db/write mail");
    press('-');
    assert_table("[db/] mail");
    press('+');
    press(PRESSED_ENTER);
    assert_table("[db/] mail");
    press(PRESSED_ENTER);
    assert_table("[db/] db/read db/write mail");
    press(PRESSED_DOWN);
    press(PRESSED_LEFT); /* of a breaker: nothing */
    assert_table("db/ [db/read] db/write mail");
    assert_int_equal(top->pane, PANE_BREAKERS);
}

static void test_a_breaker_and_the_group_of_its_name_are_two_rows(void **state)
{
    (void)state;
    ADD("db", "db/read", "db/");
    press('t');
    look();
    assert_table("[db] db/ db/ db/read"); /* the third one is a breaker in the group */
    press(PRESSED_DOWN);
    assert_null(top_row(top)->breaker);
    look();
    assert_int_equal(top->cursor, 1);
    press('2');
    assert_painted_row(paint(), TABLE - 1, "Choose a breaker in the table: Enter shows it here.");
    press('1');
    press(PRESSED_DOWN);
    look();
    assert_int_equal(top->cursor, 2);
    assert_string_equal(top_row(top)->breaker->name, "db/");
    press(PRESSED_ENTER);
    assert_painted_row(paint(), TABLE - 1, "db/  ● closed for 0ms");
    press('1');
    press('t');
    assert_table("db [db/] db/read");
}

/* ----------------------------------------------------------------------------------------------------------- sorting
 */

static void assert_sorted(enum column column, bool descending)
{
    assert_int_equal(top->settings.sort, column);
    assert_int_equal(top->settings.descending, descending);
}

static void test_keys_sort_by_the_columns_on_the_screen(void **state)
{
    (void)state;
    ADD("a");
    look();
    paint(); /* NAME STATE MODE CALLS/S FAIL% P99 DENY/S NEXT */
    assert_sorted(COLUMN_STATE, true);
    press('>');
    assert_sorted(COLUMN_MODE, true);
    press('>');
    press('>');
    assert_sorted(COLUMN_FAILED, true);
    press('>');
    assert_sorted(COLUMN_P99, true);
    press('>');
    assert_sorted(COLUMN_DENIED, true);
    press('>');
    assert_sorted(COLUMN_NAME, false); /* past those that one cannot sort by */
    press('I');
    assert_sorted(COLUMN_NAME, true);
    press('<');
    assert_sorted(COLUMN_DENIED, true);
    press('<');
    press('I');
    assert_sorted(COLUMN_P99, false);
}

static void test_a_list_of_columns_to_sort_by(void **state)
{
    (void)state;
    ADD("a");
    look();
    press(PRESSED_F6);
    const struct canvas *canvas = paint();
    assert_painted_rows(canvas, TABLE - 1,
                        "SORT BY\n"
                        "       NAME  the breaker's name, or its group's; it gets the room that is left");
    assert_true(painted_cell(canvas, TABLE + 1, 0)->selected); /* STATE */
    assert_painted_row(canvas, 23, "sort by: Up and Down, Enter");
    assert_nowhere(canvas, "LAST MINUTE");
    press(PRESSED_DOWN);
    press(PRESSED_DOWN);
    press(PRESSED_ENTER);
    assert_sorted(COLUMN_CALLS, true);
    press(PRESSED_F6);
    press(PRESSED_UP);
    press(PRESSED_UP);
    press(PRESSED_UP);
    press(PRESSED_UP); /* round the end */
    press(PRESSED_ENTER);
    assert_sorted(COLUMN_DENIED, true);
    press(PRESSED_F6);
    press(PRESSED_DOWN);
    press(PRESSED_ESCAPE);
    assert_sorted(COLUMN_DENIED, true);
    press(PRESSED_F6);
    press(PRESSED_ENTER); /* the one that it is sorted by: it does not turn round */
    assert_sorted(COLUMN_DENIED, true);
}

static void test_in_a_list_nothing_is_typed(void **state)
{
    (void)state;
    ADD("a");
    look();
    press(PRESSED_F6);
    type("abc");
    assert_painted_row(paint(), 23, "sort by: Up and Down, Enter");
}

static void test_a_click_on_a_heading_sorts_by_it(void **state)
{
    (void)state;
    ADD("a");
    look();
    screen_paint(&fixture, 24, 160);
    top_click(top, TABLE - 1, 54, false);
    assert_sorted(COLUMN_CALLS, true);
    top_click(top, TABLE - 1, 54, false);
    assert_sorted(COLUMN_CALLS, false);
    top_click(top, TABLE - 1, 0, false);
    assert_sorted(COLUMN_NAME, false);
    top_click(top, TABLE - 1, 23, false); /* between two */
    assert_sorted(COLUMN_NAME, false);
    const int unsorted[] = {98, 107, 120, 140}; /* PERMIT NEXT REASON LAST MINUTE */
    for (unsigned i = 0; i < 4; i++) {
        top_click(top, TABLE - 1, unsorted[i], false);
        assert_sorted(COLUMN_NAME, false);
    }
}

/* ------------------------------------------------------------------------------------------------------------ mouse */

static void test_a_click_selects_a_row_and_two_open_it(void **state)
{
    (void)state;
    ADD("a", "b", "c");
    look();
    paint();
    top_click(top, TABLE + 2, 40, false);
    assert_table("a b [c]");
    top_click(top, TABLE + 3, 40, false); /* below the last one */
    assert_table("a b [c]");
    top_click(top, 2, 40, false); /* the header */
    assert_table("a b [c]");
    top_click(top, TABLE + 1, 79, true);
    assert_table("a [b] c");
    assert_int_equal(top->pane, PANE_BREAKER);
    assert_painted(paint(), TABLE - 1, 0, "b  ● closed");
    top_click(top, TABLE, 0, true); /* in this pane: nothing */
    assert_table("a [b] c");
}

static void test_a_click_below_the_table_selects_nothing(void **state)
{
    (void)state;
    char name[8];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "b%02u", i);
        add(name);
    }
    look();
    paint();
    top_click(top, 22, 0, false);
    assert_int_equal(top->cursor, 15);
    top_click(top, 23, 0, false); /* the last row, which says what keys do */
    assert_int_equal(top->cursor, 15);
    paint();
    assert_int_equal(top->first, 0);
}

static void test_a_click_on_a_tab_shows_its_pane(void **state)
{
    (void)state;
    const struct {
        int column;
        enum pane pane;
    } cases[] = {{0, PANE_BREAKERS}, {11, PANE_BREAKERS},  {12, PANE_BREAKER}, {26, PANE_BREAKER}, {27, PANE_EVENTS},
                 {37, PANE_ERRORS},  {47, PANE_INCIDENTS}, {60, PANE_CLIENTS}, {71, PANE_LIMITS},  {80, PANE_LIMITS}};
    ADD("a");
    look();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        press('h');
        top_click(top, HEADER_ROWS, cases[i].column, false);
        assert_int_equal(top->pane, cases[i].pane);
        assert_false(top->help);
    }
    top_click(top, HEADER_ROWS, 81, false);
    assert_int_equal(top->pane, PANE_LIMITS);
}

static void test_the_wheel_moves_the_selection_or_the_pane(void **state)
{
    (void)state;
    ADD("a", "b", "c", "d", "e");
    look();
    paint();
    top_wheel(top, 3);
    assert_table("a b c [d] e");
    top_wheel(top, -3);
    assert_table("[a] b c d e");
    press('h');
    paint();
    top_wheel(top, 3);
    assert_int_equal(top->scrolled, 3);
    press('h');
    assert_table("[a] b c d e");
    type("/x");
    top_wheel(top, 3); /* while something is asked: nothing */
    top_click(top, TABLE + 1, 0, false);
    assert_table("[a] b c d e");
}

/* ------------------------------------------------------------------------------------------------------------ panes */

static void test_keys_show_panes(void **state)
{
    (void)state;
    const int keys[] = {PRESSED_F2, PRESSED_F3, PRESSED_F4, PRESSED_F5, PRESSED_F7, PRESSED_F8, PRESSED_F9};
    ADD("a");
    look();
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        press(keys[pane]);
        assert_int_equal(top->pane, pane);
        press('1' + (pane + 3) % PANE_COUNT);
        assert_int_equal(top->pane, (pane + 3) % PANE_COUNT);
    }
    press('7');
    press(PRESSED_TAB);
    assert_int_equal(top->pane, PANE_BREAKERS);
    press(PRESSED_TAB);
    assert_int_equal(top->pane, PANE_BREAKER);
    press(PRESSED_BACK_TAB);
    press(PRESSED_BACK_TAB);
    assert_int_equal(top->pane, PANE_LIMITS);
    press(PRESSED_SPACE); /* keys of the table do nothing here */
    press('t');
    press(PRESSED_ENTER);
    assert_int_equal(json_object_size(top->tagged), 0);
    assert_false(top->settings.tree);
    assert_int_equal(top->pane, PANE_LIMITS);
}

static void test_enter_shows_the_selected_breaker(void **state)
{
    (void)state;
    ADD("a", "b");
    look();
    press(PRESSED_DOWN);
    press(PRESSED_ENTER);
    assert_painted(paint(), TABLE - 1, 0, "b  ● closed for 0ms");
    open_breaker(0); /* another order */
    look();
    assert_painted(paint(), TABLE - 1, 0, "b  ● closed for 0ms");
}

static void test_a_pane_scrolls_to_its_end_and_no_further(void **state)
{
    (void)state;
    const uint32_t a = add("a");
    for (unsigned i = 0; i < 50; i++) {
        watched_at(&fixture.watched, 100000 + i);
        watched_step(&fixture.watched, a, i % 2 ? word_closed(2, 0, 1) : word_open(2, 130000),
                     &(struct transition){.reason = TRIP_REASON_FAILURES});
    }
    look();
    press('3');
    paint(); /* 17 of 51 lines */
    press(PRESSED_UP);
    press(PRESSED_PAGE_UP);
    assert_int_equal(top->scrolled, 0);
    press(PRESSED_DOWN);
    assert_painted_row(paint(), TABLE - 1, "2023-11-14 22:15:00.049  a  open -> closed, by tripd");
    press(PRESSED_PAGE_DOWN);
    assert_int_equal(top->scrolled, 18);
    press(PRESSED_END_KEY);
    assert_int_equal(top->scrolled, 34);
    press(PRESSED_DOWN);
    press(PRESSED_PAGE_DOWN);
    assert_int_equal(top->scrolled, 34);
    assert_painted_row(paint(), 22, "2023-11-14 22:15:00.000  a  closed -> open (failures), by tripd");
    screen_paint(&fixture, 60, 80); /* a larger screen shows all */
    assert_int_equal(top->scrolled, 0);
    press(PRESSED_HOME);
    assert_int_equal(top->scrolled, 0);
}

static void test_a_wide_pane_moves_aside(void **state)
{
    (void)state;
    const uint32_t a = add("a");
    watched_step(&fixture.watched, a, word_open(2, 0), &(struct transition){.reason = TRIP_REASON_FAILURES});
    look();
    press('3');
    press(PRESSED_RIGHT);
    assert_painted_row(paint(), TABLE, "14 22:15:00.000  a  closed -> open (failures), by tripd");
    press(PRESSED_RIGHT);
    assert_painted_row(paint(), TABLE, ":00.000  a  closed -> open (failures), by tripd");
    press(PRESSED_LEFT);
    press(PRESSED_LEFT);
    press(PRESSED_LEFT);
    assert_painted_row(paint(), TABLE, "2023-11-14 22:15:00.000  a  closed -> open (failures), by tripd");
    for (unsigned i = 0; i < 100; i++)
        press(PRESSED_RIGHT);
    assert_int_equal(top->aside, 504);
    assert_painted_row(paint(), TABLE, "");
    press('4');
    assert_int_equal(top->aside, 0);
}

static void test_the_help_screen_has_every_key_and_column(void **state)
{
    (void)state;
    ADD("a");
    look();
    paint();
    press('h');
    const struct canvas *const canvas = screen_paint(&fixture, 100, 160);
    for (unsigned action = 0; action < ACTION_COUNT; action++)
        if (painted_find(canvas, key_help((enum action)action)) < 0)
            fail_msg("there is no help for %s", key_names((enum action)action));
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        assert_int_not_equal(painted_find(canvas, column_help((enum column)column)), -1);
    assert_painted_row(canvas, TABLE - 1, "KEYS");
    assert_painted(canvas, TABLE, 5, "F1 h ?  show this help");
    assert_int_not_equal(painted_find(canvas, "nothing can be changed in a file"), -1);
    assert_style(canvas, HEADER_ROWS, 3, STYLE_PLAIN); /* no tab is the one that is shown */
}

static void test_help_is_left_by_the_keys_that_one_tries(void **state)
{
    (void)state;
    const int leave[] = {'h', '?', PRESSED_F1, 'q', PRESSED_ESCAPE};
    ADD("a");
    look();
    press('3');
    for (size_t i = 0; i < sizeof(leave) / sizeof(leave[0]); i++) {
        press(PRESSED_F1);
        assert_true(top->help);
        paint();
        press(PRESSED_DOWN);
        press(leave[i]);
        assert_false(top->help);
        assert_int_equal(top->pane, PANE_EVENTS);
        assert_false(top->left);
    }
    press('q');
    assert_true(top->left);
    top->left = false;
    press(PRESSED_F10);
    assert_true(top->left);
}

/* -------------------------------------------------------------------------------------------------------- interval */

static void test_the_interval_is_read_as_a_span(void **state)
{
    (void)state;
    ADD("a");
    look();
    type("s250ms");
    assert_says("look each (now 1000ms): 250ms_");
    press(PRESSED_ENTER);
    assert_int_equal(top->settings.interval_ms, 250);
    type("s1h");
    press(PRESSED_ENTER);
    assert_int_equal(top->settings.interval_ms, 3600000);
    type("s");
    press(PRESSED_ENTER); /* as it is */
    assert_int_equal(top->settings.interval_ms, 3600000);
    assert_says(HINTS_OF_A_FILE);
}

static void test_what_is_no_interval_is_told_and_asked_again(void **state)
{
    (void)state;
    const struct {
        const char *typed, *why;
    } cases[] = {{"99ms", "is less than 100ms; write 100ms to 1h"},
                 {"2h", "is more than 1h; write 100ms to 1h"},
                 {"abc", "is not understood"},
                 {"5", "has no unit; write a number and ms, s, m, h or d"},
                 {"-1s", "is negative"}};
    ADD("a");
    look();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        press('s');
        type(cases[i].typed);
        press(PRESSED_ENTER);
        assert_int_equal(top->question, ASK_INTERVAL);
        assert_int_equal(top->settings.interval_ms, 1000);
        if (!top->message || !strstr(top->message, cases[i].why))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].typed, top->message, cases[i].why);
        assert_int_not_equal(painted_find(screen_paint(&fixture, 24, 160), cases[i].typed), -1);
        press(PRESSED_BACKSPACE); /* the word about it goes as one types on */
        assert_null(top->message);
        press(PRESSED_ESCAPE);
    }
}

/* ------------------------------------------------------------------------------------------------ what is not its own
 */

static void test_pause_and_the_keys_of_recordings_are_handed_on(void **state)
{
    (void)state;
    ADD("a");
    look();
    assert_int_equal(top_press(top, 'Z'), ACTION_PAUSE);
    assert_int_equal(top_press(top, ']'), ACTION_SEEK_ON);
    assert_int_equal(top_press(top, '.'), ACTION_STEP);
    top->paused = true;
    assert_marks("paused");
    assert_int_equal(top_press(top, 0x1f600), ACTION_COUNT);
    type("/");
    assert_int_equal(top_press(top, 'Z'), ACTION_COUNT); /* which is typed now */
    assert_says("find: Z_");
}

/* ------------------------------------------------------------------------------------------------------------ acting
 */

static void test_a_file_cannot_be_changed(void **state)
{
    (void)state;
    ADD("a");
    look();
    for (const char *key = "xfdar"; *key; key++) {
        press(*key);
        assert_says("nothing can be changed in a file");
        assert_int_equal(top->question, ASK_NOTHING);
    }
    assert_style(fixture.canvas, 23, 0, STYLE_BOLD);
    press(PRESSED_UP);
    paint();
    assert_painted(fixture.canvas, 23, 39, "x trip");
    assert_style(fixture.canvas, 23, 39, STYLE_DIM);
}

static void open_for_tripd(void)
{
    screen_open(&fixture, &(struct top_options){.named = "test", .arguments = &arguments});
    top = fixture.top;
}

static void test_where_tripd_does_not_answer_nothing_is_asked(void **state)
{
    (void)state;
    ADD("a");
    open_for_tripd();
    look();
    press('x');
    assert_says("tripd does not answer, and nobody else changes breakers");
    assert_int_equal(top->question, ASK_NOTHING);
}

static void test_where_tripd_does_not_run_it_is_said_while_it_does_not(void **state)
{
    (void)state;
    ADD("a");
    open_for_tripd();
    screen_look_as(&fixture, REPORT_DEAD);
    press('f');
    assert_says("tripd does not run, and nobody else changes breakers");
    look();
    press('f');
    assert_says("tripd does not answer, and nobody else changes breakers");
    screen_look_as(&fixture, REPORT_STALLED);
    paint();
    look();
    press('f');
    assert_says("tripd does not answer, and nobody else changes breakers");
}

static const char *roles;

/* Does everything but to mail. */
static json_t *answer(const struct rpc_message *request, json_t **ret_error)
{
    const char *const name = json_string_value(json_object_get(request->params, "name"));
    if (strcmp(request->method, "status") == 0)
        return json_pack("{s:o}", "roles", json_loads(roles, 0, NULL));
    if (strcmp(name, "mail") != 0)
        return json_pack("{s:i}", "count", 1);
    *ret_error = rpc_error(RPC_CODE_REFUSED, "not today");
    return NULL;
}

static struct answers answers;

/* A tripd whose user has these roles. */
static void start_tripd(const char *having)
{
    roles = having;
    answers.answer = answer;
    answers_start(&answers);
    open_for_tripd();
}

static void test_who_lacks_the_role_is_told_so(void **state)
{
    (void)state;
    ADD("a");
    start_tripd("[\"observe\"]");
    look();
    press('x');
    assert_says("you do not have the role control: access.control in tripd's config");
    assert_int_equal(top->question, ASK_NOTHING);
    press('h');
    assert_int_not_equal(painted_find(screen_paint(&fixture, 100, 160), "you do not have the role control"), -1);
    look();
    assert_string_equal(answers.asked, "status {}\n"); /* once, and not at each look */
    roles = "[\"observe\",\"control\"]";
    fixture.watched.segment->header->config_unix_ms++;
    look();
    press('h');
    press('x');
    assert_says("trip a: why? (Esc: not) _");
    answers_stop(&answers);
}

static void test_an_act_asks_why_and_for_how_long(void **state)
{
    (void)state;
    ADD("a", "b");
    start_tripd("[\"control\"]");
    look();
    press(PRESSED_DOWN);
    press('x');
    assert_says("trip b: why? (Esc: not) _");
    type("drill");
    press(PRESSED_ENTER);
    assert_says("for how long, as 30s or 5m? (empty: its next open time) _");
    type("nonsense");
    press(PRESSED_ENTER);
    assert_int_equal(top->question, ASK_SPAN);
    assert_ptr_equal(strstr(top->message, "'nonsense' "), top->message);
    for (unsigned i = 0; i < 8; i++)
        press(PRESSED_BACKSPACE);
    type("5m");
    press(PRESSED_ENTER);
    assert_says("1 breaker tripped: b");
    press(PRESSED_UP);
    press('f');
    press(PRESSED_ENTER);
    assert_says("for how long, as 30s or 5m? (empty: until auto) _");
    press(PRESSED_ENTER);
    assert_says("1 breaker forced open: a");
    press('r');
    type("over");
    press(PRESSED_ENTER); /* which needs no span */
    assert_says("1 breaker reset: a");
    answers_stop(&answers);
    assert_string_equal(answers.asked, "status {}\n"
                                       "trip {\"for_ms\":300000,\"name\":\"b\",\"reason\":\"drill\"}\n"
                                       "force_open {\"name\":\"a\"}\n"
                                       "reset {\"name\":\"a\",\"reason\":\"over\"}\n");
}

static void test_esc_does_nothing_at_either_question(void **state)
{
    (void)state;
    ADD("a");
    start_tripd("[\"control\"]");
    look();
    press('d');
    type("why");
    press(PRESSED_ESCAPE);
    assert_says("nothing was done");
    press('d');
    press(PRESSED_ENTER);
    type("5m");
    press(PRESSED_ESCAPE);
    assert_says("nothing was done");
    assert_int_equal(top->question, ASK_NOTHING);
    assert_null(top->targets);
    answers_stop(&answers);
    assert_string_equal(answers.asked, "status {}\n");
}

static void test_an_act_is_done_to_all_that_are_tagged(void **state)
{
    (void)state;
    ADD("a", "b", "mail");
    start_tripd("[\"control\"]");
    look();
    press(PRESSED_SPACE);
    press(PRESSED_DOWN);
    press(PRESSED_SPACE);
    assert_table("*a b [*mail]");
    press('d');
    assert_says("disable 2 breakers: why? (Esc: not) _");
    press(PRESSED_ENTER);
    press(PRESSED_ENTER);
    assert_says("1 breaker disabled: a; mail: not today");
    assert_table("a b [mail]");
    answers_stop(&answers);
    assert_string_equal(answers.asked, "status {}\n"
                                       "disable {\"name\":\"a\"}\n"
                                       "disable {\"name\":\"mail\"}\n");
}

static void test_an_act_on_a_group_is_done_to_what_is_shown_of_it(void **state)
{
    (void)state;
    ADD("db/read", "db/write", "dbother");
    segment_detail_hidden(fixture.watched.segment, add("db/old"), 90000);
    start_tripd("[\"control\"]");
    press('t');
    look();
    assert_table("[db/] db/read db/write dbother");
    press(PRESSED_LEFT); /* a folded group too */
    press('a');
    assert_says("set to auto 2 breakers: why? (Esc: not) _");
    press(PRESSED_ENTER);
    assert_says("2 breakers set to auto: db/read, db/write");
    press(PRESSED_RIGHT);
    type("\\write");
    press(PRESSED_ENTER);
    press(PRESSED_HOME);
    press('a');
    assert_says("set to auto db/write: why? (Esc: not) _");
    answers_stop(&answers);
}

static void test_an_act_on_the_one_breaker_that_is_shown(void **state)
{
    (void)state;
    ADD("db", "db/read");
    start_tripd("[\"control\"]");
    press('t');
    look();
    press(PRESSED_SPACE); /* db, but the pane shows another one */
    assert_table("*db [db/] db/read");
    press('2');
    press('x');
    assert_says("no breaker is selected"); /* a group */
    press('1');
    press(PRESSED_DOWN);
    press(PRESSED_ENTER);
    press('x');
    assert_says("trip db/read: why? (Esc: not) _");
    press(PRESSED_ESCAPE);
    press('3');
    press('x');
    assert_says("choose breakers in the table first");
    answers_stop(&answers);
}

static void test_a_breaker_that_is_forgotten_while_one_is_asked_is_still_meant_by_name(void **state)
{
    (void)state;
    ADD("a", "b");
    start_tripd("[\"control\"]");
    look();
    press('r');
    segment_forget(fixture.watched.segment, 0);
    look();
    assert_says("reset a: why? (Esc: not) _");
    press(PRESSED_ENTER);
    assert_says("1 breaker reset: a"); /* as tripd answers */
    press(PRESSED_SPACE);
    segment_forget(fixture.watched.segment, 1);
    look();
    press('r');
    assert_says("no breaker is selected");
    answers_stop(&answers);
}

static void test_a_reason_is_no_longer_than_tripd_takes_it(void **state)
{
    (void)state;
    ADD("a");
    start_tripd("[\"control\"]");
    look();
    press('r');
    for (unsigned i = 0; i < 150; i++)
        press('x');
    assert_int_equal(strlen(top->typed), 87);
    press(PRESSED_ENTER);
    assert_says("1 breaker reset: a");
    answers_stop(&answers);
}

/* ------------------------------------------------------------------------------------------------------------- sizes
 */

/* Something for every line of every pane. */
static void fill_panes(void)
{
    struct watched *const watched = &fixture.watched;
    struct segment *const segment = watched->segment;
    char name[TRIP_NAME_MAX + 1];
    memset(name, 'n', TRIP_NAME_MAX);
    name[TRIP_NAME_MAX] = '\0';
    const uint32_t db = add("payments/db"), other = add(name);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "payments/%u", i);
        add(name);
    }
    watched_beat(watched, 1000);
    look();
    watched_beat(watched, 1000);
    watched_totals(watched, db,
                   &(struct breaker_totals){.calls = 999, .retries = 7, .denied = {1, 2, 3, 4, 5, 6, 7, 8}});
    watched_calls(watched, db, "SFsfSFsfSFsfSFsfSFsfSFsfSFsfSFsfSFsfSFsfSFsfSFsf");
    watched_step(
        watched, db, word_open(2, 400000),
        &(struct transition){.reason = TRIP_REASON_RELAPSE, .condition = TRIP_REASON_FAILURES, .note = "note"});
    segment_mode_publish(segment, other, MODE_OWNER_CONFIG, TRIP_MODE_FORCED_OPEN, 0, 0, "reason", 0);
    segment_error(segment, &(struct error_record){.breaker = db, .message = "connection refused", .trace = "4bf92f"});
    segment_detail_error(segment, db, &(struct error_record){.message = "connection refused"});
    segment_latency_put(segment, db, 100, 7);
    segment_latency_put(segment, db, 300, 90);
    segment_fingerprints_reserve(segment, 16);
    segment_fingerprint(segment, 0, &(struct fingerprint){.id = 1, .count = 5, .breaker_count = 1, .text = "refused"});
    struct incident incident = {.id = 1, .candidate = 0, .member_count = 1, .moment_count = 1, .deploy_unix_ms = 1};
    snprintf(incident.names, sizeof(incident.names), "payments/db");
    segment_incident(segment, &incident);
    segment_client_set(segment, 1, &(struct client_slot){.lane_id = 9, .pid = 4242, .program = "nginx"});
    segment_reporters_show(segment, db, &(struct reporters_shown){.count = 1, .lanes = {{.lane = 1, .calls = 9}}});
    segment_limits_publish(
        segment, db, &(struct policy_slot){.limits = POLICY_TICKETS | POLICY_RATE | POLICY_THROTTLE, .tickets = 5});
    segment_limits_show(segment, db, &(struct limits_shown){.tickets_taken = 7, .holders = {{1, 4}, {2, 3}}});
    look();
}

static void paint_at_all_sizes(void)
{
    const int rows[] = {1, 2, 5, 6, 7, 8, 9, 24, 60}, columns[] = {1, 2, 5, 10, 31, 80, 200};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t j = 0; j < sizeof(columns) / sizeof(columns[0]); j++)
            screen_paint(&fixture, rows[i], columns[j]);
}

static void test_every_pane_is_painted_at_every_size(void **state)
{
    (void)state;
    for (unsigned ascii = 0; ascii < 2; ascii++) {
        screen_open(&fixture, &(struct top_options){.named = "web-1", .unchangeable = "a file", .ascii = ascii});
        top = fixture.top;
        if (!ascii)
            fill_panes();
        look();
        for (int key = '1'; key <= '7'; key++) {
            press(key);
            paint_at_all_sizes();
            press(PRESSED_END_KEY);
            press(PRESSED_RIGHT);
            paint_at_all_sizes();
            press('h');
            paint_at_all_sizes();
            press('h');
        }
        press('1');
        press('t');
        paint_at_all_sizes();
        press(PRESSED_F6);
        paint_at_all_sizes();
        press(PRESSED_ESCAPE);
        type("/text");
        paint_at_all_sizes();
        press(PRESSED_ESCAPE);
    }
}

static void test_the_table_at_24_by_80(void **state)
{
    (void)state;
    fill_panes();
    assert_painted_rows(paint(), TABLE - 2,
                        "F2 Breakers F3 One breaker F4 Events F5 Errors F7 Incidents F8 Clients F9 Limits\n"
                        "NAME               STATE▼       MODE        CALLS/S FAIL%     P99 DENY/S    NEXT\n"
                        "payments/db        ✖ open                       999   50%    60ms     36   4m58s\n"
                        "nnnnnnnnnnnnnnnnnn ● closed     forced_open       0     -       -      0   never\n"
                        "payments/0         ● closed                       0     -       -      0");
}

static void test_the_table_at_60_by_200(void **state)
{
    (void)state;
    fill_panes();
    const struct canvas *const canvas = screen_paint(&fixture, 60, 200);
    assert_painted_rows(
        canvas, TABLE - 1,
        "NAME                                                   STATE▼       MODE        SET BY   CALLS/S FAIL% SLOW%  "
        "   P50     P99   FLY DENY/S PERMIT    NEXT REASON           LAST MINUTE\n"
        "payments/db                                            ✖ open                                999   50%     -  "
        " "
        " 60ms    60ms     0     36          4m58s relapse: failure                              █");
    assert_painted(canvas, TABLE + 41, 0, "payments/9");
    assert_painted_row(canvas, TABLE + 42, "");
    assert_painted_row(canvas, 59, HINTS_OF_A_FILE);
}

static void test_the_last_row_has_nothing_of_what_it_covers(void **state)
{
    (void)state;
    ADD("a");
    look();
    for (int rows = 1; rows <= 8; rows++)
        assert_painted_row(screen_paint(&fixture, rows, 160), rows - 1, HINTS_OF_A_FILE);
    press('x');
    for (int rows = 1; rows <= 8; rows++)
        assert_painted_row(screen_paint(&fixture, rows, 160), rows - 1, "nothing can be changed in a file");
}

/* ------------------------------------------------------------------------------------------------------ in any order
 */

static int any_key(unsigned *seed)
{
    const unsigned random = (unsigned)rand_r(seed) % 8;
    if (random < 4)
        return PRESSED_FIRST + 1 + rand_r(seed) % (PRESSED_COUNT - PRESSED_FIRST - 1);
    if (random < 7)
        return ' ' + rand_r(seed) % 95;
    return rand_r(seed) % 0x30000;
}

/* A breaker comes, goes or opens, or time passes. */
static void anything_happens(unsigned *seed)
{
    struct segment *const segment = fixture.watched.segment;
    const uint32_t slot = (uint32_t)rand_r(seed) % 40;
    char name[32];
    switch (rand_r(seed) % 4) {
    case 0:
        snprintf(name, sizeof(name), "%s%u/%u", rand_r(seed) % 2 ? "payments/" : "", slot % 3, slot);
        if (segment_find(segment, name, &(uint32_t){0}) < 0)
            add(name);
        break;
    case 1:
        if (segment_used(segment, slot))
            segment_forget(segment, slot);
        break;
    case 2:
        if (segment_used(segment, slot))
            open_breaker(slot);
        break;
    default:
        watched_beat(&fixture.watched, 1000);
    }
}

static void test_keys_and_clicks_in_any_order_do_no_harm(void **state)
{
    (void)state;
    unsigned seed = 1;
    fill_panes();
    for (unsigned i = 0; i < 4000; i++) {
        if (i % 8 == 0)
            anything_happens(&seed);
        if (i % 40 == 0)
            screen_look_as(&fixture, rand_r(&seed) % 3 ? REPORT_RUNNING : REPORT_DEAD);
        if (i % 500 == 499)
            top_look(top, NULL, "waits for tripd", 0);
        if (i % 5 == 0)
            top_click(top, rand_r(&seed) % 30, rand_r(&seed) % 100, rand_r(&seed) % 2);
        top_press(top, any_key(&seed));
        if (i % 3 == 0)
            screen_paint(&fixture, 1 + rand_r(&seed) % 40, 1 + rand_r(&seed) % 120);
        assert_in_range(top->question, ASK_NOTHING, ASK_COLUMN);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_row_is_selected_at_first),
        TEST(test_the_selection_follows_its_breaker_when_the_order_changes),
        TEST(test_where_the_selected_breaker_is_gone_its_neighbour_is_selected),
        TEST(test_arrows_and_pages_move_the_selection_within_the_table),
        TEST(test_a_page_of_a_screen_without_room_is_a_line),
        TEST(test_a_search_goes_to_the_next_name_that_has_the_text),
        TEST(test_a_search_that_finds_nothing_says_so_and_stays),
        TEST(test_esc_leaves_a_search),
        TEST(test_a_filter_shows_some_alone_and_is_shown_itself),
        TEST(test_names_on_the_command_line_are_those_that_there_are),
        TEST(test_characters_of_several_bytes_are_typed_and_rubbed_out_whole),
        TEST(test_no_more_is_typed_than_there_is_room_for),
        TEST(test_space_tags_and_goes_on),
        TEST(test_a_group_is_tagged_as_what_is_shown_of_it),
        TEST(test_tags_outlive_what_is_shown),
        TEST(test_in_an_empty_table_nothing_is_tagged),
        TEST(test_left_folds_a_group_and_right_unfolds_it),
        TEST(test_a_breaker_and_the_group_of_its_name_are_two_rows),
        TEST(test_keys_sort_by_the_columns_on_the_screen),
        TEST(test_a_list_of_columns_to_sort_by),
        TEST(test_in_a_list_nothing_is_typed),
        TEST(test_a_click_on_a_heading_sorts_by_it),
        TEST(test_a_click_selects_a_row_and_two_open_it),
        TEST(test_a_click_below_the_table_selects_nothing),
        TEST(test_a_click_on_a_tab_shows_its_pane),
        TEST(test_the_wheel_moves_the_selection_or_the_pane),
        TEST(test_keys_show_panes),
        TEST(test_enter_shows_the_selected_breaker),
        TEST(test_a_pane_scrolls_to_its_end_and_no_further),
        TEST(test_a_wide_pane_moves_aside),
        TEST(test_the_help_screen_has_every_key_and_column),
        TEST(test_help_is_left_by_the_keys_that_one_tries),
        TEST(test_the_interval_is_read_as_a_span),
        TEST(test_what_is_no_interval_is_told_and_asked_again),
        TEST(test_pause_and_the_keys_of_recordings_are_handed_on),
        TEST(test_a_file_cannot_be_changed),
        TEST(test_where_tripd_does_not_answer_nothing_is_asked),
        TEST(test_where_tripd_does_not_run_it_is_said_while_it_does_not),
        TEST(test_who_lacks_the_role_is_told_so),
        TEST(test_an_act_asks_why_and_for_how_long),
        TEST(test_esc_does_nothing_at_either_question),
        TEST(test_an_act_is_done_to_all_that_are_tagged),
        TEST(test_an_act_on_a_group_is_done_to_what_is_shown_of_it),
        TEST(test_an_act_on_the_one_breaker_that_is_shown),
        TEST(test_a_breaker_that_is_forgotten_while_one_is_asked_is_still_meant_by_name),
        TEST(test_a_reason_is_no_longer_than_tripd_takes_it),
        TEST(test_every_pane_is_painted_at_every_size),
        TEST(test_the_table_at_24_by_80),
        TEST(test_the_table_at_60_by_200),
        TEST(test_the_last_row_has_nothing_of_what_it_covers),
        TEST(test_keys_and_clicks_in_any_order_do_no_harm),
    };
    return cmocka_run_group_tests(tests, painted_set_up, NULL);
}
