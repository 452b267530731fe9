/* Looks as text and JSON. */
#include "../../support/screen.h"
#include "batch.h"

static struct screen fixture;
static char *printed;

static int set_up(void **state)
{
    (void)state;
    static const struct correlation_settings settings = {.window = 60 * TRIP_S, .max_errors = 100};
    screen_make(&fixture, 8);
    return segment_correlation_publish(fixture.watched.segment, &settings);
}

static int tear_down(void **state)
{
    (void)state;
    free(printed);
    printed = NULL;
    unsetenv("COLUMNS");
    screen_remove(&fixture);
    return 0;
}

static const char *print(void (*batch)(FILE *out, const struct top *top))
{
    size_t size;
    free(printed);
    FILE *const out = open_memstream(&printed, &size);
    batch(out, fixture.top);
    fclose(out);
    return printed;
}

static void add_two(void)
{
    struct watched *const watched = &fixture.watched;
    const uint32_t db = watched_breaker(watched, "payments/db");
    watched_breaker(watched, "web");
    watched_beat(watched, 1000);
    screen_look(&fixture);
    watched_beat(watched, 1000);
    watched_totals(watched, db, &(struct breaker_totals){.calls = 40, .failures = 10, .denied = {3}, .errors = {10}});
    watched_calls(watched, db, "SSSSSSSSSSSSFFFF");
    watched_in_flight(watched, db, 2);
    watched_step(watched, db, word_open(2, 132000),
                 &(struct transition){.reason = TRIP_REASON_CONSECUTIVE, .by = BY_CLIENT});
    screen_look(&fixture);
}

static void test_a_look_as_text_ends_with_an_empty_line(void **state)
{
    (void)state;
    add_two();
    setenv("COLUMNS", "80", 1);
    assert_string_equal(print(batch_print),
                        "tripd web-1  up 2.0s, heartbeat 300ms ago  0 processes                  22:15:02\n"
                        "calls 40/s   denied 3/s   errors 10/s   in flight 2\n"
                        "no errors in 1m00s\n"
                        "no open incident\n"
                        "2 breakers: ✖ 1 open ◐ 0 half_open ◢ 0 ramping ● 1 closed  ██████████░░░░░░░░░░\n"
                        "\n"
                        "NAME               STATE▼       MODE        CALLS/S FAIL%     P99 DENY/S    NEXT\n"
                        "payments/db        ✖ open                        40   25%       -      3     30s\n"
                        "web                ● closed                       0     -       -      0\n"
                        "\n");
}

static void test_without_a_terminal_there_are_170_columns(void **state)
{
    (void)state;
    const char *const widths[] = {NULL, "", "nonsense", "19", "1001", "-80"};
    add_two();
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        if (widths[i])
            setenv("COLUMNS", widths[i], 1);
        assert_non_null(strstr(print(batch_print), " REASON           LAST MINUTE\n"));
    }
    setenv("COLUMNS", "100", 1);
    assert_null(strstr(print(batch_print), "REASON"));
}

static void test_what_is_waited_for_as_text_and_as_json(void **state)
{
    (void)state;
    top_look(fixture.top, NULL, "waits for tripd", WATCHED_UNIX_MS);
    assert_string_equal(print(batch_print), "tripd web-1\nwaits for tripd\n\n");
    assert_string_equal(print(batch_json), "{\"file\":\"web-1\",\"daemon\":null,\"waits_for\":\"waits for tripd\"}\n");
}

static void test_a_look_as_json_is_one_line(void **state)
{
    (void)state;
    add_two();
    assert_string_equal(
        print(batch_json),
        "{\"file\":\"web-1\",\"at_unix_ms\":1700000102000,\"daemon\":\"running\",\"heartbeat_age_ms\":300,"
        "\"up_ms\":2000,\"processes\":0,\"states\":{\"closed\":1,\"open\":1,\"half_open\":0,\"ramping\":0},"
        "\"in_flight\":2,\"analysis\":{\"name\":null,\"analysis\":\"no_errors\",\"errors\":0,\"per_second\":0.0,"
        "\"type\":null,\"type_errors\":0},\"incidents\":[],\"breakers\":["
        "{\"breaker\":\"payments/db\",\"state\":\"open\",\"mode\":\"auto\",\"mode_owner\":null,"
        "\"reason\":\"consecutive\",\"state_for_ms\":0,\"failure_rate\":25.0,\"slow_rate\":0.0,\"p50_ms\":null,"
        "\"p99_ms\":null,\"in_flight\":2,\"permits_free\":0,\"ramp\":null,\"retry_after_ms\":30000,"
        "\"calls_per_second\":40.0,\"failures_per_second\":10.0,\"denied_per_second\":3.0,"
        "\"errors_per_second\":10.0},"
        "{\"breaker\":\"web\",\"state\":\"closed\",\"mode\":\"auto\",\"mode_owner\":null,\"reason\":\"none\","
        "\"state_for_ms\":2000,\"failure_rate\":null,\"slow_rate\":null,\"p50_ms\":null,\"p99_ms\":null,"
        "\"in_flight\":0,\"permits_free\":0,\"ramp\":null,\"retry_after_ms\":0,\"calls_per_second\":0.0,"
        "\"failures_per_second\":0.0,\"denied_per_second\":0.0,\"errors_per_second\":0.0}],"
        "\"calls_per_second\":40.0,\"failures_per_second\":10.0,\"denied_per_second\":3.0,"
        "\"errors_per_second\":10.0}\n");
}

static void test_rates_that_nobody_knows_are_null(void **state)
{
    (void)state;
    add_two();
    screen_look_as(&fixture, REPORT_DEAD);
    print(batch_json);
    assert_non_null(strstr(printed, "\"daemon\":\"dead\""));
    assert_non_null(strstr(printed, "\"calls_per_second\":null,\"failures_per_second\":null,"
                                    "\"denied_per_second\":null,\"errors_per_second\":null}\n"));
}

static void test_in_the_tree_json_has_the_breakers_alone(void **state)
{
    (void)state;
    struct incident incident = {.id = 7, .candidate = INCIDENT_NOBODY};
    add_two();
    segment_incident(fixture.watched.segment, &incident);
    incident = (struct incident){.id = 8, .end_ms = 5, .end_unix_ms = 5, .candidate = INCIDENT_NOBODY};
    segment_incident(fixture.watched.segment, &incident);
    fixture.top->settings.tree = true;
    screen_look(&fixture);
    print(batch_json);
    assert_non_null(strstr(printed, "\"breakers\":[{\"breaker\":\"payments/db\""));
    assert_non_null(strstr(printed, "{\"breaker\":\"web\""));
    assert_null(strstr(printed, "\"payments\""));
    assert_non_null(strstr(printed, "\"incidents\":[{\"incident\":7,")); /* what goes on, alone */
    assert_null(strstr(printed, "\"incident\":8"));
    assert_non_null(strstr(print(batch_print), "▼ payments/"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_look_as_text_ends_with_an_empty_line), TEST(test_without_a_terminal_there_are_170_columns),
        TEST(test_what_is_waited_for_as_text_and_as_json), TEST(test_a_look_as_json_is_one_line),
        TEST(test_rates_that_nobody_knows_are_null),       TEST(test_in_the_tree_json_has_the_breakers_alone),
    };
    return cmocka_run_group_tests(tests, painted_set_up, NULL);
}
