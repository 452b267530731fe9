/* The table's columns: which are there, where they stand, and what their cells say. */
#include "../../support/painted.h"
#include "columns.h"
#include "symbols.h"

#define WIDEST 300

static struct {
    struct look_breaker breaker;
    struct rows rows;
    struct canvas *canvas;
    bool tagged, tree;
} fixture;

/* A breaker that nothing has happened to yet. */
static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.breaker = (struct look_breaker){.name = "payments/db",
                                            .certain = true,
                                            .p50_ms = -1,
                                            .p99_ms = -1,
                                            .figures = {.timed = true,
                                                        .failure_permille = -1,
                                                        .slow_permille = -1,
                                                        .mode_owner = MODE_OWNER_COUNT,
                                                        .mode_ttl_ms = FIGURES_NEVER}};
    for (unsigned i = 0; i < TRAIL_PLACES; i++)
        fixture.breaker.trail.calls[i] = -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rows_clear(&fixture.rows);
    fixture.canvas = canvas_free(fixture.canvas);
    return 0;
}

/* Paints the fixture's breaker, or in the tree its group, into the first row of a canvas. */
static const struct canvas *paint(int width, bool ascii)
{
    const struct look_breaker *breakers[] = {&fixture.breaker};
    const struct look look = {.count = 1, .breakers = breakers};
    const struct columns_plan plan = columns_plan(width);
    rows_make(&fixture.rows, &look, &(struct rows_options){.tree = fixture.tree});
    canvas_free(fixture.canvas);
    fixture.canvas = canvas_new((int)fixture.rows.count, width, ascii);
    for (size_t i = 0; i < fixture.rows.count; i++)
        columns_paint(fixture.canvas, (int)i, &plan, &fixture.rows.rows[i], fixture.tagged, fixture.tree);
    return fixture.canvas;
}

/* A column of the row on a wide screen, without the spaces at its ends. */
static const char *cell(enum column column)
{
    static char text[PAINTED_MAX];
    const struct columns_plan plan = columns_plan(200);
    painted_read(paint(200, false), 0, plan.at[column], plan.width[column], text);
    size_t end = strlen(text);
    while (end > 0 && text[end - 1] == ' ')
        end--;
    text[end] = '\0';
    return text + strspn(text, " ");
}

static void assert_cell(enum column column, const char *expected)
{
    assert_string_equal(cell(column), expected);
}

/* --------------------------------------------------------------------------------------------------- which are there
 */

static void assert_columns(int width, const char *expected)
{
    const struct columns_plan plan = columns_plan(width);
    char text[256] = "";
    size_t used = 0;
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        if (plan.width[column])
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "",
                                     column_key((enum column)column));
    assert_string_equal(text, expected);
}

static void test_a_narrow_screen_leaves_out_what_matters_least(void **state)
{
    (void)state;
    assert_columns(1, "name state");
    assert_columns(40, "name state calls");
    assert_columns(80, "name state mode calls failed p99 denied next");
    assert_columns(100, "name state mode calls failed slow p50 p99 in_flight denied next");
    assert_columns(120, "name state mode calls failed slow p50 p99 in_flight denied permits next");
    assert_columns(160, "name state mode calls failed slow p50 p99 in_flight denied permits next reason trail");
    assert_columns(200, "name state mode owner calls failed slow p50 p99 in_flight denied permits next reason trail");
}

static void test_the_name_gets_the_room_that_is_left_up_to_60_columns(void **state)
{
    (void)state;
    assert_int_equal(columns_plan(1).width[COLUMN_NAME], 18);
    assert_int_equal(columns_plan(80).width[COLUMN_NAME], 18);
    assert_int_equal(columns_plan(120).width[COLUMN_NAME], 31);
    assert_int_equal(columns_plan(160).width[COLUMN_NAME], 23);
    assert_int_equal(columns_plan(200).width[COLUMN_NAME], 54);
    assert_int_equal(columns_plan(300).width[COLUMN_NAME], 60);
}

static void test_no_column_overlaps_another_and_all_fit_from_31_columns_on(void **state)
{
    (void)state;
    for (int width = 1; width <= WIDEST; width++) {
        const struct columns_plan plan = columns_plan(width);
        int end = -1;
        for (unsigned column = 0; column < COLUMN_COUNT; column++) {
            if (!plan.width[column])
                continue;
            assert_int_equal(plan.at[column], end + 1); /* a space between two */
            end = plan.at[column] + plan.width[column];
        }
        if (width >= 31)
            assert_in_range(end, 1, width);
    }
}

/* With the longest texts of all cells: what is painted in the space between two columns, or beside a column that the
 * canvas has no room for? */
static void test_no_cell_is_wider_than_its_column(void **state)
{
    (void)state;
    memset(fixture.breaker.name, 'n', TRIP_NAME_MAX);
    fixture.breaker.figures = (struct figures){.state = TRIP_STATE_HALF_OPEN,
                                               .mode = TRIP_MODE_FORCED_OPEN,
                                               .mode_owner = MODE_OWNER_CONFIG,
                                               .mode_ttl_ms = FIGURES_NEVER - 1,
                                               .permits_free = UINT32_MAX,
                                               .timed = true};
    fixture.breaker.certain = false;
    fixture.breaker.reason = TRIP_REASON_RELAPSE;
    fixture.breaker.condition = TRIP_REASON_FAILURE_RATE;
    fixture.breaker.window_calls = fixture.breaker.window_failures = fixture.breaker.window_slow = 1;
    fixture.breaker.in_flight = UINT64_MAX;
    fixture.breaker.rates = (struct rates){.known = true, .calls = 1e18, .denied = 1e18};
    fixture.breaker.p50_ms = fixture.breaker.p99_ms = 1e15;
    for (unsigned i = 0; i < TRAIL_PLACES; i++)
        fixture.breaker.trail.calls[i] = 1;
    for (int width = 1; width <= WIDEST; width++) {
        const struct columns_plan plan = columns_plan(width);
        const struct canvas *const canvas = paint(width, false);
        for (unsigned column = 0; column < COLUMN_COUNT; column++) {
            const int after = plan.at[column] + plan.width[column];
            if (plan.width[column] && after < width)
                assert_int_equal(painted_cell(canvas, 0, after)->character, L' ');
        }
    }
}

static void test_columns_have_keys_by_which_they_are_found(void **state)
{
    (void)state;
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        enum column found = COLUMN_COUNT;
        assert_true(column_of_key(column_key((enum column)column), &found));
        assert_int_equal(found, column);
    }
    enum column none = COLUMN_COUNT;
    assert_false(column_of_key("", &none));
    assert_false(column_of_key("NAME", &none));
    assert_int_equal(none, COLUMN_COUNT);
}

static void test_one_can_sort_by_ten_of_the_columns(void **state)
{
    (void)state;
    const enum column sorted[] = {COLUMN_NAME, COLUMN_STATE, COLUMN_MODE, COLUMN_CALLS,     COLUMN_FAILED,
                                  COLUMN_SLOW, COLUMN_P50,   COLUMN_P99,  COLUMN_IN_FLIGHT, COLUMN_DENIED};
    unsigned count = 0;
    for (unsigned column = 0; column < COLUMN_COUNT; column++)
        count += column_sorts((enum column)column);
    assert_int_equal(count, 10);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(column_sorts(sorted[i]));
        assert_int_equal(column_descends(sorted[i]), sorted[i] != COLUMN_NAME);
    }
}

static void test_the_manual_has_a_line_for_each_column(void **state)
{
    (void)state;
    char *manual, line[160];
    size_t size;
    FILE *const out = open_memstream(&manual, &size);
    columns_manual(out);
    fclose(out);
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        snprintf(line, sizeof(line), "*%s*\n\t", column_heading((enum column)column));
        if (!strstr(manual, line))
            fail_msg("the manual lacks \"%s\"", line);
    }
    assert_non_null(strstr(manual, "half\\_open")); /* else scdoc underlines what follows */
    free(manual);
}

/* ---------------------------------------------------------------------------------------------------------- headings
 */

static void assert_headings(int width, bool ascii, enum column sorted, bool descending, const char *expected)
{
    struct canvas *const canvas = canvas_new(1, width, ascii);
    const struct columns_plan plan = columns_plan(width);
    columns_paint_headings(canvas, 0, &plan, sorted, descending);
    assert_painted_row(canvas, 0, expected);
    assert_style(canvas, 0, width - 1, STYLE_HEADING);
    canvas_free(canvas);
}

static void test_headings_stand_above_their_columns(void **state)
{
    (void)state;
    assert_headings(160, false, COLUMN_STATE, true,
                    "NAME                    STATE▼       MODE        CALLS/S FAIL% SLOW%     P50     P99   FLY DENY/S "
                    "PERMIT    NEXT REASON           LAST MINUTE");
    assert_headings(80, true, COLUMN_NAME, false,
                    "NAME^              STATE        MODE        CALLS/S FAIL%     P99 DENY/S    NEXT");
    assert_headings(10, false, COLUMN_NAME, true, "NAME▼");
}

static void test_the_mark_of_the_order_is_seen_in_each_heading(void **state)
{
    (void)state;
    const struct {
        enum column column;
        const char *heading;
    } cases[] = {{COLUMN_NAME, "NAME▼"},    {COLUMN_STATE, "STATE▼"}, {COLUMN_MODE, "MODE▼"},
                 {COLUMN_CALLS, "CALLS/▼"}, {COLUMN_FAILED, "FAIL▼"}, {COLUMN_SLOW, "SLOW▼"},
                 {COLUMN_P50, "P50▼"},      {COLUMN_P99, "P99▼"},     {COLUMN_IN_FLIGHT, "FLY▼"},
                 {COLUMN_DENIED, "DENY/▼"}};
    const struct columns_plan plan = columns_plan(160);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct canvas *const canvas = canvas_new(1, 160, false);
        const enum column column = cases[i].column;
        const int end = plan.at[column] + plan.width[column], width = canvas_width(cases[i].heading);
        const bool left = column <= COLUMN_MODE;
        columns_paint_headings(canvas, 0, &plan, column, true);
        assert_painted(canvas, 0, left ? plan.at[column] : end - width, cases[i].heading);
        canvas_free(canvas);
    }
}

/* ------------------------------------------------------------------------------------------------------------- cells
 */

static void test_a_breaker_that_nothing_has_happened_to(void **state)
{
    (void)state;
    assert_painted_row(paint(80, false), 0, "payments/db        ● closed                       -     -       -      -");
    assert_painted_row(paint(80, true), 0, "payments/db        o closed                       -     -       -      -");
    assert_cell(COLUMN_CALLS, "-");
    assert_cell(COLUMN_FAILED, "-");
    assert_cell(COLUMN_SLOW, "-");
    assert_cell(COLUMN_P50, "-");
    assert_cell(COLUMN_P99, "-");
    assert_cell(COLUMN_IN_FLIGHT, "0");
    assert_cell(COLUMN_DENIED, "-");
    assert_cell(COLUMN_MODE, "");
    assert_cell(COLUMN_PERMITS, "");
    assert_cell(COLUMN_NEXT, "");
    assert_cell(COLUMN_REASON, "");
    assert_cell(COLUMN_TRAIL, "");
}

static void test_a_busy_breaker_at_160_columns(void **state)
{
    (void)state;
    fixture.breaker.rates = (struct rates){.known = true, .calls = 1234.4, .failures = 12, .denied = 0.5, .errors = 3};
    fixture.breaker.window_calls = 200;
    fixture.breaker.window_failures = 31;
    fixture.breaker.window_slow = 4;
    fixture.breaker.p50_ms = 0.42;
    fixture.breaker.p99_ms = 1250;
    fixture.breaker.in_flight = 17;
    fixture.breaker.trail.calls[27] = 600;
    fixture.breaker.trail.calls[28] = 0;
    fixture.breaker.trail.calls[29] = 1200;
    fixture.breaker.trail.trouble[29] = true;
    const struct canvas *const canvas = paint(160, false);
    assert_painted_row(
        canvas, 0,
        "payments/db             ● closed                    1234   16%    2%   0.4ms    1.2s    17    0.5"
        "                                                            ▄ █");
    assert_style(canvas, 0, 0, STYLE_PLAIN);
    assert_style(canvas, 0, 24, STYLE_GOOD);
    assert_style(canvas, 0, 53, STYLE_PLAIN);
    assert_style(canvas, 0, 59, STYLE_BAD);    /* FAIL% */
    assert_style(canvas, 0, 66, STYLE_PROBED); /* SLOW% */
    assert_style(canvas, 0, 94, STYLE_BAD);    /* DENY/S */
    assert_style(canvas, 0, 157, STYLE_GOOD);
    assert_style(canvas, 0, 159, STYLE_BAD);
    assert_painted(paint(160, true), 0, 157, "- #");
}

static void test_rates_that_are_known_to_be_none(void **state)
{
    (void)state;
    fixture.breaker.rates.known = true;
    fixture.breaker.window_calls = 10;
    assert_cell(COLUMN_CALLS, "0");
    assert_cell(COLUMN_DENIED, "0");
    assert_cell(COLUMN_FAILED, "0%");
    assert_cell(COLUMN_SLOW, "0%");
}

static void test_nobody_knows_what_is_slow_where_a_sample_of_calls_is_timed(void **state)
{
    (void)state;
    fixture.breaker.window_calls = 10;
    fixture.breaker.window_slow = 5;
    assert_cell(COLUMN_SLOW, "50%");
    fixture.breaker.figures.timed = false;
    assert_cell(COLUMN_SLOW, "-");
}

static void test_an_open_breaker_says_why_and_when_it_is_probed(void **state)
{
    (void)state;
    fixture.breaker.figures.state = TRIP_STATE_OPEN;
    fixture.breaker.figures.retry_after_ms = 25000;
    fixture.breaker.reason = TRIP_REASON_CONSECUTIVE;
    assert_cell(COLUMN_STATE, "✖ open");
    assert_cell(COLUMN_NEXT, "25s");
    assert_cell(COLUMN_PERMITS, "");
    assert_cell(COLUMN_REASON, "consecutive");
    fixture.breaker.reason = TRIP_REASON_RELAPSE;
    fixture.breaker.condition = TRIP_REASON_FAILURES;
    assert_cell(COLUMN_REASON, "relapse: failure"); /* cut */
    assert_painted(paint(80, true), 0, 19, "X open      ");
    assert_style(paint(80, false), 0, 19, STYLE_BAD);
}

static void test_a_state_that_clients_may_have_moved_has_a_question_mark(void **state)
{
    (void)state;
    fixture.breaker.certain = false;
    assert_cell(COLUMN_STATE, "● closed?");
    fixture.breaker.figures.state = TRIP_STATE_HALF_OPEN;
    assert_cell(COLUMN_STATE, "◐ half_open?");
}

static void test_a_half_open_breaker_says_how_many_probes_may_start(void **state)
{
    (void)state;
    fixture.breaker.figures.state = TRIP_STATE_HALF_OPEN;
    fixture.breaker.figures.permits_free = 2;
    assert_cell(COLUMN_STATE, "◐ half_open");
    assert_cell(COLUMN_PERMITS, "2");
    assert_cell(COLUMN_NEXT, "0ms");
    fixture.breaker.figures.permits_free = 0;
    fixture.breaker.figures.retry_after_ms = 1500;
    assert_cell(COLUMN_PERMITS, "0");
    assert_cell(COLUMN_NEXT, "1.5s");
    assert_painted(paint(80, true), 0, 19, "? half_open ");
    assert_style(paint(80, false), 0, 19, STYLE_PROBED);
}

static void test_a_ramping_breaker_says_what_it_admits_and_until_when(void **state)
{
    (void)state;
    fixture.breaker.figures.state = TRIP_STATE_RAMPING;
    fixture.breaker.figures.ramps = true;
    fixture.breaker.figures.ramp_permille = 125;
    fixture.breaker.figures.ramp_ends_ms = 72000;
    assert_cell(COLUMN_STATE, "◢ ramping");
    assert_cell(COLUMN_PERMITS, "12%");
    assert_cell(COLUMN_NEXT, "1m12s");
    fixture.breaker.figures.ramp_ends_ms = FIGURES_NEVER; /* not known */
    assert_cell(COLUMN_NEXT, "-");
    assert_painted(paint(80, true), 0, 19, "/ ramping   ");
    assert_style(paint(80, false), 0, 19, STYLE_RAMPING);
}

static void test_a_mode_says_who_set_it(void **state)
{
    (void)state;
    struct figures *const figures = &fixture.breaker.figures;
    figures->mode = TRIP_MODE_FORCED_OPEN;
    figures->mode_owner = MODE_OWNER_OPERATOR;
    assert_cell(COLUMN_MODE, "forced_open");
    assert_cell(COLUMN_OWNER, "operator");
    assert_cell(COLUMN_NEXT, "never");
    figures->mode_ttl_ms = 3600000;
    assert_cell(COLUMN_NEXT, "1h00m");
    figures->mode = TRIP_MODE_DISABLED;
    figures->mode_owner = MODE_OWNER_RULE;
    assert_cell(COLUMN_MODE, "disabled");
    assert_cell(COLUMN_OWNER, "rule");
    assert_cell(COLUMN_NEXT, "1h00m");
    figures->mode = TRIP_MODE_SHADOW;
    assert_cell(COLUMN_MODE, "shadow");
    assert_cell(COLUMN_NEXT, ""); /* the state moves on in the shadow */
    figures->state = TRIP_STATE_OPEN;
    figures->retry_after_ms = 9000;
    assert_cell(COLUMN_NEXT, "9.0s");
    assert_style(paint(80, false), 0, 32, STYLE_MODED);
}

/* ------------------------------------------------------------------------------------------------------------- names
 */

static void test_a_long_name_is_cut(void **state)
{
    (void)state;
    snprintf(fixture.breaker.name, sizeof(fixture.breaker.name), "payments/europe/settlement-bank/db");
    assert_painted(paint(80, false), 0, 0, "payments/europe/se ● closed");
    assert_painted(paint(120, false), 0, 0, "payments/europe/settlement-bank ● closed");
}

static void test_a_tagged_breaker_has_a_mark_before_its_name(void **state)
{
    (void)state;
    fixture.tagged = true;
    assert_painted(paint(80, false), 0, 0, "▸payments/db       ● closed");
    assert_style(fixture.canvas, 0, 1, STYLE_BOLD);
    assert_painted(paint(80, true), 0, 0, ">payments/db       o closed");
}

static void test_the_tree_indents_the_last_parts_of_names(void **state)
{
    (void)state;
    fixture.tree = true;
    fixture.breaker.window_calls = 10;
    fixture.breaker.figures.mode = TRIP_MODE_SHADOW;
    fixture.breaker.figures.state = TRIP_STATE_OPEN;
    fixture.breaker.in_flight = 3;
    assert_painted_row(paint(100, false), 0,
                       "▼ payments/        ✖ 1 of 1     1 not auto        -    0%    0%                     3      -");
    assert_painted_row(
        fixture.canvas, 1,
        "  db               ✖ open       shadow            -    0%    0%       -       -     3      -     0ms");
    assert_style(fixture.canvas, 0, 0, STYLE_BOLD);
    assert_painted_row(paint(100, true), 0,
                       "- payments/        X 1 of 1     1 not auto        -    0%    0%                     3      -");
}

static void test_a_folded_group_has_another_mark(void **state)
{
    (void)state;
    const struct columns_plan plan = columns_plan(80);
    const struct row row = {.name = "payments/db", .length = 8, .folded = true, .breakers = 3, .states = {2, 1, 0, 0}};
    fixture.canvas = canvas_new(2, 80, false);
    columns_paint(fixture.canvas, 0, &plan, &row, false, true);
    assert_painted(fixture.canvas, 0, 0, "▶ payments/        ✖ 1 of 3");
    fixture.canvas->ascii = true;
    columns_paint(fixture.canvas, 1, &plan, &row, false, true);
    assert_painted(fixture.canvas, 1, 0, "+ payments/        X 1 of 3");
}

static void test_a_large_group_says_no_number_that_is_cut(void **state)
{
    (void)state;
    const struct columns_plan plan = columns_plan(80);
    struct row row = {.name = "payments/db", .length = 8, .breakers = 65535, .states = {65532, 3, 0, 0}};
    fixture.canvas = canvas_new(1, 80, false);
    columns_paint(fixture.canvas, 0, &plan, &row, false, true);
    assert_painted(fixture.canvas, 0, 19, "✖ 3 of 65535 ");
    row.breakers = 2000;
    row.states[TRIP_STATE_CLOSED] = 1000;
    row.states[TRIP_STATE_OPEN] = 1000;
    columns_paint(fixture.canvas, 0, &plan, &row, false, true);
    assert_painted(fixture.canvas, 0, 19, "✖ 1000 ");
}

/* ----------------------------------------------------------------------------------------------------------- symbols
 */

static void test_symbols_are_as_wide_in_ascii(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SYMBOL_COUNT; i++) {
        assert_int_equal(canvas_width(symbol((enum symbol)i, false)), canvas_width(symbol((enum symbol)i, true)));
        for (const char *byte = symbol((enum symbol)i, true); *byte; byte++)
            assert_in_range(*byte, ' ', '~');
    }
    for (unsigned part = 0; part < SPARKS + 3; part++) {
        assert_int_equal(canvas_width(symbol_spark(part, false)), 1);
        assert_in_range(*symbol_spark(part, true), ' ', '~');
    }
    assert_string_equal(symbol_spark(8, false), "█");
    assert_string_equal(symbol_spark(99, false), "█");
}

static void test_no_two_states_have_one_symbol(void **state)
{
    (void)state;
    for (unsigned ascii = 0; ascii < 2; ascii++)
        for (unsigned a = 0; a < TRIP_STATE_COUNT; a++)
            for (unsigned b = 0; b < a; b++)
                assert_string_not_equal(symbol(symbol_of_state((trip_state)a), ascii),
                                        symbol(symbol_of_state((trip_state)b), ascii));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_narrow_screen_leaves_out_what_matters_least),
        TEST(test_the_name_gets_the_room_that_is_left_up_to_60_columns),
        TEST(test_no_column_overlaps_another_and_all_fit_from_31_columns_on),
        TEST(test_no_cell_is_wider_than_its_column),
        TEST(test_columns_have_keys_by_which_they_are_found),
        TEST(test_one_can_sort_by_ten_of_the_columns),
        TEST(test_the_manual_has_a_line_for_each_column),
        TEST(test_headings_stand_above_their_columns),
        TEST(test_the_mark_of_the_order_is_seen_in_each_heading),
        TEST(test_a_breaker_that_nothing_has_happened_to),
        TEST(test_a_busy_breaker_at_160_columns),
        TEST(test_rates_that_are_known_to_be_none),
        TEST(test_nobody_knows_what_is_slow_where_a_sample_of_calls_is_timed),
        TEST(test_an_open_breaker_says_why_and_when_it_is_probed),
        TEST(test_a_state_that_clients_may_have_moved_has_a_question_mark),
        TEST(test_a_half_open_breaker_says_how_many_probes_may_start),
        TEST(test_a_ramping_breaker_says_what_it_admits_and_until_when),
        TEST(test_a_mode_says_who_set_it),
        TEST(test_a_long_name_is_cut),
        TEST(test_a_tagged_breaker_has_a_mark_before_its_name),
        TEST(test_the_tree_indents_the_last_parts_of_names),
        TEST(test_a_folded_group_has_another_mark),
        TEST(test_a_large_group_says_no_number_that_is_cut),
        TEST(test_symbols_are_as_wide_in_ascii),
        TEST(test_no_two_states_have_one_symbol),
    };
    return cmocka_run_group_tests(tests, painted_set_up, NULL);
}
