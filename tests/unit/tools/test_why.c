/* The few lines of `tripctl why`, from facts as the verb gathers them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "why.h"
#include "wrap.h"

/* 12 minutes and 3 seconds after 2023-11-14 22:13:20 UTC. */
#define NOW "\"now_unix_ms\":1700000723000"

#define WINDOW \
    "\"window\":{\"calls\":40,\"ok\":10,\"failures\":30,\"slow\":20,\"failure_rate\":75.0,\"slow_rate\":50.0}"
#define SETTINGS  "\"settings\":{\"consecutive_failures\":5}"
#define TOTALS    "\"totals\":{\"denied\":1234}"
#define BY_CLIENT "\"by\":\"client\",\"uid\":null,\"note\":null"
#define NO_MODE   "\"mode\":\"auto\",\"mode_owner\":null,\"mode_uid\":null,\"mode_reason\":null,\"mode_ttl_ms\":null"
#define NO_PROBES "\"probes\":{\"ok\":0,\"failures\":0,\"slow\":0,\"needed\":3}"
#define MORE      WINDOW "," SETTINGS "," TOTALS ",\"in_flight\":2"

#define NAMED(name, state, reason, rest)                                           \
    "{\"breaker\":\"" name "\",\"state\":\"" state "\",\"reason\":\"" reason "\"," \
    "\"since_unix_ms\":1700000000000,\"state_for_ms\":723000," MORE "," rest "}"
#define BY_TRIPD           "\"by\":\"tripd\",\"uid\":null,\"note\":null"
#define OPEN(name, reason) NAMED(name, "open", reason, BY_CLIENT "," NO_MODE "," NO_PROBES ",\"retry_after_ms\":17000")

#define CANDIDATE(name, sure)                                                                         \
    "\"candidate\":{\"breaker\":\"" name "\",\"confidence\":" sure ",\"lead_ms\":1200,\"evidence\":[" \
    "{\"kind\":\"first\",\"words\":\"failed first\"},"                                                \
    "{\"kind\":\"opened_first\",\"words\":\"opened first\"},"                                         \
    "{\"kind\":\"depended_on\",\"words\":\"is one that others of the incident depend on\"}]}"

static json_t *lines_of(const char *facts)
{
    json_error_t error;
    json_t *const tree = json_loads(facts, 0, &error);
    if (!tree)
        fail_msg("%s at %d", error.text, error.position);
    const json_t *const breakers = json_object_get(tree, "breakers");
    if (!json_object_get(tree, "in_trouble"))
        json_object_set_new(tree, "in_trouble", json_integer((json_int_t)json_array_size(breakers)));
    json_t *const lines = why_lines(tree);
    assert_non_null(lines);
    json_decref(tree);
    return lines;
}

/* Joins the lines, each of which ends with a newline then. The caller frees the text. */
static char *said(const char *facts)
{
    json_t *const lines = lines_of(facts), *line;
    char *text = NULL;
    size_t size = 0, i;
    FILE *const out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_true(json_array_size(lines) <= 12);
    json_array_foreach(lines, i, line)
    {
        assert_true(wrap_width(json_string_value(line)) <= 80);
        fprintf(out, "%s\n", json_string_value(line));
    }
    fclose(out);
    json_decref(lines);
    return text;
}

static void assert_says(const char *facts, const char *expected)
{
    char *const text = said(facts);
    assert_string_equal(text, expected);
    free(text);
}

#define INCIDENT(end, for_ms, breakers, rest)                                                                      \
    "\"incident\":{\"incident\":42,\"start_unix_ms\":1699999990000,\"end_unix_ms\":" end ",\"for_ms\":" for_ms "," \
    "\"breakers\":[" breakers "],\"more_breakers\":0,\"errors\":4711," rest "}"
#define NO_INCIDENT           "\"incident\":null"
#define THREE                 "\"payments/db\",\"payments/api\",\"mail\""
#define FINGERPRINT(template) "\"fingerprint\":{\"id\":7,\"template\":\"" template "\",\"errors\":4000}"
#define PROCESS               "\"process\":{\"pid\":4321,\"errors\":3000}"
#define DEPLOY                "\"deploy\":{\"name\":\"v1.2\",\"at_unix_ms\":1699999870000,\"before_ms\":120000}"
#define NO_ORIGIN             "\"fingerprint\":null,\"process\":null,\"deploy\":null"

#define FACTS(daemon, all, breakers, denied, rest)                                                                   \
    "{" NOW ",\"instance\":\"web\",\"daemon\":\"" daemon "\",\"asked\":null,\"all\":" all ",\"breakers\":[" breakers \
    "],"                                                                                                             \
    "\"denied_per_second\":" denied "," rest "}"

/* ---------------------------------------------------------------------------------------------------------- trouble */

static void test_a_breaker_that_opened_in_an_incident_of_three(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9", OPEN("payments/db", "consecutive") "," OPEN("mail", "failure_rate"), "12.4",
                      INCIDENT("null", "733000", THREE,
                               CANDIDATE("payments/db", "81.0") "," FINGERPRINT(
                                   "connect to <address> failed after <n> ms") "," PROCESS "," DEPLOY)),
                "payments/db has been open for 12m03s, since 2023-11-14 22:13:20. Also in\n"
                "  trouble: mail.\n"
                "It last opened because 5 calls in a row failed; of the last 40 calls 30 failed.\n"
                "Together they deny 12 calls a second now; 4 are in flight, all stalled.\n"
                "Incident 42 began 12m13s ago, with 3 breakers and 4711 errors so far.\n"
                "Most likely the cause: payments/db (81% sure), which failed first and opened\n"
                "  first.\n"
                "Most frequent error: connect to <address> failed after <n> ms (about 4000 of\n"
                "  4711).\n"
                "The next probe may go out in 17s; it closes after 3, if they are good.\n"
                "You can: tripctl reset payments/db; tripctl force-open payments/db --ttl 1h\n"
                "More: tripctl show payments/db; tripctl incidents show 42\n");
}

static void test_errors_of_many_processes_and_a_deploy_without_a_name(void **state)
{
    (void)state;
    assert_says(
        FACTS(
            "running", "9", OPEN("db", "failure_rate"), "0.0",
            INCIDENT("null", "733000", "\"db\"",
                     CANDIDATE("db",
                               "96.0") ",\"fingerprint\":null,"
                                       "\"process\":{\"pid\":4321,\"errors\":2355},"
                                       "\"deploy\":{\"name\":null,\"at_unix_ms\":1699999870000,\"before_ms\":120000}")),
        "db has been open for 12m03s, since 2023-11-14 22:13:20.\n"
        "It last opened because too many calls failed: 30 of the last 40 (75.0%).\n"
        "It denies 0 calls a second now; 2 are in flight, all stalled.\n"
        "Incident 42 began 12m13s ago, with 1 breaker and 4711 errors so far.\n"
        "The deploy was 2m00s before it.\n"
        "The next probe may go out in 17s; it closes after 3, if they are good.\n"
        "You can: tripctl reset db; tripctl force-open db --ttl 1h\n"
        "More: tripctl show db; tripctl incidents show 42\n");
}

static void test_a_breaker_that_an_operator_forced_open(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9",
                      NAMED("payments/db", "closed", "consecutive",
                            BY_CLIENT ",\"mode\":\"forced_open\",\"mode_owner\":\"operator\",\"mode_uid\":4000000001,"
                                      "\"mode_reason\":\"maintenance\",\"mode_ttl_ms\":3600000," NO_PROBES
                                      ",\"retry_after_ms\":null"),
                      "3.5", NO_INCIDENT),
                "payments/db is forced open: it denies every call.\n"
                "That was done by operator uid 4000000001: maintenance.\n"
                "It denies 4 calls a second now; 2 are in flight.\n"
                "Its mode ends in 1h00m.\n"
                "You can: tripctl auto payments/db\n"
                "More: tripctl show payments/db; tripctl errors payments/db\n");
}

static void test_a_breaker_that_the_config_forces_open_for_good(void **state)
{
    (void)state;
    assert_says(
        FACTS("running", "9",
              NAMED("db", "open", "consecutive",
                    BY_CLIENT ",\"mode\":\"forced_open\",\"mode_owner\":\"config\",\"mode_uid\":null,"
                              "\"mode_reason\":null,\"mode_ttl_ms\":null," NO_PROBES ",\"retry_after_ms\":null"),
              "0.0", NO_INCIDENT),
        "db is forced open: it denies every call.\n"
        "That was done by the config.\n"
        "It denies 0 calls a second now; 2 are in flight, all stalled.\n"
        "It stays so until somebody ends it: its mode has no TTL.\n"
        "You can: tripctl auto db\n"
        "More: tripctl show db; tripctl errors db\n");
}

static void test_a_breaker_that_an_operator_tripped(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9",
                      NAMED("db", "open", "operator",
                            "\"by\":\"operator\",\"uid\":4000000001,\"note\":\"drill\"," NO_MODE "," NO_PROBES
                            ",\"retry_after_ms\":900"),
                      "0.0", NO_INCIDENT),
                "db has been open for 12m03s, since 2023-11-14 22:13:20.\n"
                "That was done by operator uid 4000000001: drill.\n"
                "It denies 0 calls a second now; 2 are in flight, all stalled.\n"
                "The next probe may go out in 900ms; it closes after 3, if they are good.\n"
                "You can: tripctl reset db; tripctl force-open db --ttl 1h\n"
                "More: tripctl show db; tripctl errors db\n");
}

#define HALF_OPEN(probes) \
    NAMED("db", "half_open", "probe_failed", BY_TRIPD "," NO_MODE "," probes ",\"retry_after_ms\":0")

static void test_a_breaker_that_is_being_probed(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9", HALF_OPEN("\"probes\":{\"ok\":1,\"failures\":0,\"slow\":0,\"needed\":3}"), "3.5",
                      NO_INCIDENT),
                "db has been half-open for 12m03s, since 2023-11-14 22:13:20.\n"
                "It last opened again because a probe failed.\n"
                "It denies 4 calls a second now; 2 are in flight.\n"
                "It is being probed: 1 of 3 good probes so far.\n"
                "You can: tripctl reset db; tripctl force-open db --ttl 1h\n"
                "More: tripctl show db; tripctl errors db\n");
}

/* An open breaker admits no call, so those in flight began before it opened; of another state nobody can say. */
static void test_calls_in_flight_have_stalled_once_their_breaker_has_been_open_for_a_second(void **state)
{
    (void)state;
    const struct {
        const char *breakers, *cost;
    } cases[] = {
#define IN_FLIGHT(name, state, mode, for_ms, calls)                                                        \
    "{\"breaker\":\"" name "\",\"state\":\"" state "\",\"mode\":\"" mode "\",\"state_for_ms\":" for_ms "," \
    "\"in_flight\":" calls "}"
        {IN_FLIGHT("a", "open", "auto", "999", "3"), "It denies 4 calls a second now; 3 are in flight."},
        {IN_FLIGHT("a", "open", "auto", "1000", "3"), "It denies 4 calls a second now; 3 are in flight, all stalled."},
        {IN_FLIGHT("a", "open", "auto", "1000", "1"), "It denies 4 calls a second now; 1 is in flight, stalled."},
        {IN_FLIGHT("a", "open", "auto", "1000", "0"), "It denies 4 calls a second now; 0 are in flight."},
        {IN_FLIGHT("a", "open", "forced_open", "1000", "2"),
         "It denies 4 calls a second now; 2 are in flight, all stalled."},
        {IN_FLIGHT("a", "closed", "forced_open", "1000", "2"), "It denies 4 calls a second now; 2 are in flight."},
        {IN_FLIGHT("a", "open", "auto", "1000", "3") "," IN_FLIGHT("b", "half_open", "auto", "1000", "2") "," IN_FLIGHT(
             "c", "open", "shadow", "1000", "5"),
         "Together they deny 4 calls a second now; 10 are in flight, 3 of them stalled."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char facts[1024];
        snprintf(facts, sizeof(facts), FACTS("running", "9", "%s", "3.5", NO_INCIDENT), cases[i].breakers);
        char *const text = said(facts);
        if (!strstr(text, cases[i].cost))
            fail_msg("case %zu does not say \"%s\":\n%s", i, cases[i].cost, text);
        free(text);
    }
}

static void test_a_breaker_that_is_ramping(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9",
                      NAMED("db", "ramping", "relapse", BY_TRIPD "," NO_MODE "," NO_PROBES ",\"retry_after_ms\":0"),
                      "3.5", NO_INCIDENT),
                "db has been ramping for 12m03s, since 2023-11-14 22:13:20.\n"
                "It last opened again because calls failed while it was closing step by step.\n"
                "It denies 4 calls a second now; 2 are in flight.\n"
                "It is closing: it admits a growing part of the calls.\n"
                "You can: tripctl reset db; tripctl force-open db --ttl 1h\n"
                "More: tripctl show db; tripctl errors db\n");
}

static void test_a_tripd_that_is_dead(void **state)
{
    (void)state;
    assert_says(FACTS("dead", "9", OPEN("db", "slow_rate"), "null", NO_INCIDENT),
                "tripd is dead: this is what it knew last, and programs go on without it.\n"
                "db has been open for 12m03s, since 2023-11-14 22:13:20.\n"
                "It last opened because too many calls were slow: 20 of the last 40 (50.0%).\n"
                "1234 of its calls were denied so far.\n"
                "The next probe may go out in 17s; it closes after 3, if they are good.\n"
                "To act on it, start tripd: systemctl start tripd@web\n"
                "More: tripctl show db; tripctl errors db\n");
}

static void test_five_breakers_are_three_names_and_how_many_more(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9",
                      OPEN("db", "in_flight") "," OPEN("a", "") "," OPEN("b", "") "," OPEN("c", "") "," OPEN("d", ""),
                      "1.0", NO_INCIDENT),
                "db has been open for 12m03s, since 2023-11-14 22:13:20. Also in trouble: a, b,\n"
                "  c, and 1 more.\n"
                "It last opened because too many calls were in flight at once.\n"
                "Together they deny 1 call a second now; 10 are in flight, all stalled.\n"
                "The next probe may go out in 17s; it closes after 3, if they are good.\n"
                "You can: tripctl reset db; tripctl force-open db --ttl 1h\n"
                "More: tripctl show db; tripctl errors db\n");
}

/* ------------------------------------------------------------------------------------------------------------- calm */

static void test_calm_after_an_incident(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9", "", "null",
                      INCIDENT("1700000050000", "60000", THREE, CANDIDATE("payments/db", "81.0") "," NO_ORIGIN)),
                "None of the 9 breakers denies calls.\n"
                "The last incident, 42, of 3 breakers, ended at 2023-11-14 22:14:10, after 1m00s.\n"
                "Most likely the cause: payments/db (81% sure), which failed first and opened\n"
                "  first.\n"
                "More: tripctl incidents show 42\n");
}

static void test_calm_without_an_incident(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9", "", "null", NO_INCIDENT), "None of the 9 breakers denies calls.\n");
    assert_says(FACTS("running", "1", "", "null", NO_INCIDENT), "The one breaker denies nothing.\n");
}

static void test_no_breaker_at_all(void **state)
{
    (void)state;
    assert_says(FACTS("running", "0", "", "null", NO_INCIDENT), "No program has asked for a breaker yet.\n");
}

static void test_a_breaker_that_was_asked_for_and_is_closed(void **state)
{
    (void)state;
    assert_says(FACTS("running", "9",
                      NAMED("db", "closed", "none", BY_TRIPD "," NO_MODE "," NO_PROBES ",\"retry_after_ms\":0"), "0.0",
                      NO_INCIDENT),
                "db is closed, and admits every call that its limits allow.\n");
}

/* ------------------------------------------------------------------------------------------------------ long names */

#define LONG16        "payments/europe/"
#define LONG127       LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 LONG16 "settlement-bank"
#define LONG          OPEN(LONG127, "consecutive")
#define LONG_TEMPLATE "connect to <address> failed after <n> ms and so it goes on as long as one template can be : <n>"

static void test_names_of_127_characters_leave_twelve_lines_of_80_columns(void **state)
{
    (void)state;
    assert_int_equal(strlen(LONG127), 127);
    assert_int_equal(strlen(LONG_TEMPLATE), 95);
    assert_says(FACTS("dead", "9", LONG "," LONG "," LONG "," LONG "," LONG, "12.4",
                      INCIDENT("null", "733000", THREE,
                               CANDIDATE(LONG127, "81.0") "," FINGERPRINT(LONG_TEMPLATE) "," PROCESS "," DEPLOY)),
                "tripd is dead: this is what it knew last, and programs go on without it.\n"
                "payments/europe/payments/europe/payments/europe/payments/europe/payments/europe/\n"
                "  payments/europe/payments/europe/settlement-bank has been open for 12m03s,\n"
                "  since 2023-11-14 22:13:20. Also in trouble:\n"
                "  payments/europe/payments/europe/payments...,\n"
                "  payments/europe/payments/europe/payments...,\n"
                "  payments/europe/payments/europe/payments..., and 1 more.\n"
                "The next probe may go out in 17s; it closes after 3, if they are good.\n"
                "To act on it, start tripd: systemctl start tripd@web\n"
                "More: tripctl show\n"
                "  payments/europe/payments/europe/payments/europe/payments/europe/payments/europ\n"
                "  e/payments/europe/payments/europe/settlement-bank; tripctl incidents show 42\n");
}

static void test_a_name_of_127_characters_that_an_operator_forced_open_with_a_long_reason(void **state)
{
    (void)state;
    free(said(
        FACTS("running", "9",
              NAMED(LONG127, "half_open", "consecutive",
                    BY_CLIENT ",\"mode\":\"forced_open\",\"mode_owner\":\"operator\",\"mode_uid\":4000000001,"
                              "\"mode_reason\":\"" LONG127 " \\u00e4\\u00f6\\u00fc\",\"mode_ttl_ms\":null," NO_PROBES
                              ",\"retry_after_ms\":null"),
              "1e300", NO_INCIDENT)));
    free(said("{}"));
    free(said("{\"breakers\":[{}],\"incident\":{}}"));
    free(said("{\"breakers\":[{\"state\":\"open\"}],\"incident\":{\"candidate\":{},\"fingerprint\":{},\"process\":{},"
              "\"deploy\":{}}}"));
}

static int set_up(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_breaker_that_opened_in_an_incident_of_three),
        cmocka_unit_test(test_errors_of_many_processes_and_a_deploy_without_a_name),
        cmocka_unit_test(test_a_breaker_that_an_operator_forced_open),
        cmocka_unit_test(test_a_breaker_that_the_config_forces_open_for_good),
        cmocka_unit_test(test_a_breaker_that_an_operator_tripped),
        cmocka_unit_test(test_a_breaker_that_is_being_probed),
        cmocka_unit_test(test_calls_in_flight_have_stalled_once_their_breaker_has_been_open_for_a_second),
        cmocka_unit_test(test_a_breaker_that_is_ramping),
        cmocka_unit_test(test_a_tripd_that_is_dead),
        cmocka_unit_test(test_five_breakers_are_three_names_and_how_many_more),
        cmocka_unit_test(test_calm_after_an_incident),
        cmocka_unit_test(test_calm_without_an_incident),
        cmocka_unit_test(test_no_breaker_at_all),
        cmocka_unit_test(test_a_breaker_that_was_asked_for_and_is_closed),
        cmocka_unit_test(test_names_of_127_characters_leave_twelve_lines_of_80_columns),
        cmocka_unit_test(test_a_name_of_127_characters_that_an_operator_forced_open_with_a_long_reason),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
