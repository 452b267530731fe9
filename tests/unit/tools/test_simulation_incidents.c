/* A trace's steps with messages become fingerprints, and its breakers that fail together become incidents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../support/simulated.h"

#define OPEN    "open: {for: 30s, jitter: 0%}"
#define CASCADE "breakers: [{match: api, depends_on: [db], " OPEN "}, {match: \"*\", " OPEN "}]"
#define ANY     "breakers: [{match: \"*\", " OPEN "}]"

/* Returns the event of this kind that has so many of it before. NULL: there is none. */
static const json_t *event_of(const struct run *run, const char *kind, unsigned before)
{
    size_t i;
    json_t *event;
    json_array_foreach(run->events, i, event)
    {
        if (is_kind(event, kind) && before-- == 0)
            return event;
    }
    return NULL;
}

static const char *word(const json_t *event, const char *group, const char *key)
{
    const char *const text = json_string_value(json_object_get(group ? json_object_get(event, group) : event, key));
    return text ? text : "null";
}

/* "T BREAKER INCIDENT TO" of each incident that began or ended. */
static const char *incidents(const struct run *run, char text[1024])
{
    const json_t *event;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; (event = event_of(run, "incident", i)); i++)
        used +=
            (size_t)snprintf(text + used, 1024 - used, "%lld %s %lld %s; ", number(event, NULL, "t_ms"),
                             word(event, NULL, "breaker"), number(event, NULL, "incident"), word(event, NULL, "to"));
    return text;
}

/* "ERRORS TYPE TEMPLATE" of each fingerprint. */
static const char *fingerprints(const struct run *run, char text[1024])
{
    const json_t *event;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; (event = event_of(run, "fingerprint", i)); i++)
        used += (size_t)snprintf(text + used, 1024 - used, "%lld %s %s; ", number(event, NULL, "errors"),
                                 word(event, NULL, "type"), word(event, NULL, "template"));
    return text;
}

/* Are these the names, with commas between them, that the event has under the key? */
static void assert_names(const json_t *event, const char *key, const char *expected)
{
    char text[256] = "";
    size_t i, used = 0;
    const json_t *name;
    json_array_foreach(json_object_get(event, key), i, name) used +=
        (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "",
                         json_string_value(json_is_object(name) ? json_object_get(name, "breaker") : name));
    assert_string_equal(text, expected);
}

/* ------------------------------------------------------------------------------------------------------- incidents */

/* The database fails, and 700 ms later the service that needs it. Both are half-open from 30 s after they opened. */
static const char *const cascade[] = {
    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\",\"n\":20}",
    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"api\",\"outcome\":\"ok\",\"n\":20}",
    "{\"t_ms\":10000,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":\"network\",\"message\":"
    "\"connect to 10.0.0.7:5432 failed after 1503 ms\",\"trace\":\"t-1\",\"n\":3}",
    "{\"t_ms\":10100,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":\"network\",\"message\":"
    "\"connect to 10.0.0.8:5432 failed after 2 ms\",\"trace\":\"t-2\",\"n\":2}",
    "{\"t_ms\":10800,\"op\":\"call\",\"breaker\":\"api\",\"outcome\":\"failure\",\"error\":\"service_unavailable\","
    "\"message\":\"order 4711 not stored\",\"trace\":\"t-1\",\"n\":5}",
    NULL};

static struct run begin_cascade(const char *more)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "%s\n%s", CASCADE, more);
    struct run run = begin(yaml, false);
    steps(&run, cascade);
    return run;
}

static void assert_cascade(const json_t *incident)
{
    assert_int_equal(number(incident, NULL, "incident"), 1);
    assert_int_equal(number(incident, NULL, "start_unix_ms"), 10000);
    assert_int_equal(number(incident, NULL, "errors"), 10);
    assert_names(incident, "breakers", "db,api");
    assert_names(incident, "members", "db,api");
    assert_string_equal(word(incident, "candidate", "breaker"), "db");
    assert_int_equal(number(incident, "candidate", "lead_ms"), 800);
    assert_true(json_is_null(json_object_get(incident, "process")));
}

static void test_two_breakers_that_fail_together_are_one_incident(void **state)
{
    struct run run = begin_cascade("");
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":400000,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    /* It begins at the full second after it was there, and ends 300 s after the last half-open step. */
    assert_string_equal(incidents(&run, text), "11000 db 1 began; 340800 db 1 ended; ");
    simulation_end(run.simulation);
    assert_cascade(event_of(&run, "incident_summary", 0));
    assert_int_equal(number(event_of(&run, "incident_summary", 0), NULL, "end_unix_ms"), 40800);
    assert_null(event_of(&run, "incident_summary", 1));
    assert_string_equal(fingerprints(&run, text), "5 network connect to <address> failed after <n> ms; "
                                                  "5 service_unavailable order <n> not stored; ");
    assert_names(event_of(&run, "fingerprint", 0), "breakers", "db");
    assert_names(event_of(&run, "fingerprint", 1), "breakers", "api");
    end(&run);
}

static void test_quiet_is_counted_from_the_last_that_happened(void **state)
{
    struct run run = begin_cascade("correlation: {quiet: 60s}");
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":100799,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(incidents(&run, text), "11000 db 1 began; ");
    steps(&run, (const char *[]){"{\"t_ms\":100800,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(incidents(&run, text), "11000 db 1 began; 100800 db 1 ended; ");
    end(&run);
}

static void test_an_incident_goes_on_while_a_breaker_is_open(void **state)
{
    struct run run = begin_cascade("correlation: {quiet: 1s}");
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":90000,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(incidents(&run, text), "11000 db 1 began; 41800 db 1 ended; ");
    end(&run);
}

static void test_the_last_errors_are_in_what_is_said_at_the_end(void **state)
{
    struct run run = begin(ANY, false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"ok\"}",
                    "{\"t_ms\":1,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"message\":\"a\"}",
                    "{\"t_ms\":2,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"message\":\"a\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(fingerprints(&run, text), "2 unknown a; ");
    end(&run);
}

static void test_an_incident_that_goes_on_at_the_end_has_none(void **state)
{
    struct run run = begin_cascade("");
    char text[1024];
    (void)state;
    simulation_end(run.simulation);
    assert_string_equal(incidents(&run, text), "10800 db 1 began; ");
    assert_cascade(event_of(&run, "incident_summary", 0));
    assert_true(json_is_null(json_object_get(event_of(&run, "incident_summary", 0), "end_unix_ms")));
    end(&run);
}

static void test_what_fails_again_after_quiet_is_another_incident(void **state)
{
    struct run run = begin_cascade("");
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":500000,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\"}",
                                 "{\"t_ms\":500500,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(incidents(&run, text), "11000 db 1 began; 340800 db 1 ended; 500500 db 2 began; ");
    assert_int_equal(number(event_of(&run, "incident_summary", 1), NULL, "incident"), 2);
    end(&run);
}

static void test_what_an_operator_opens_is_no_incident(void **state)
{
    struct run run = begin(ANY, false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
                                 "{\"t_ms\":5000,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    simulation_end(run.simulation);
    assert_string_equal(incidents(&run, text), "");
    assert_null(event_of(&run, "incident_summary", 0));
    end(&run);
}

/* ---------------------------------------------------------------------------------------------------- fingerprints */

static const char *fingerprints_at_end(struct run *run, char text[1024])
{
    simulation_end(run->simulation);
    fingerprints(run, text);
    end(run);
    return text;
}

static void test_each_of_n_errors_has_the_message(void **state)
{
    struct run run = begin(ANY, false);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){
              "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"message\":\"a\",\"n\":100}",
              "{\"t_ms\":1,\"op\":\"mode\",\"breaker\":\"db\",\"mode\":\"disabled\"}",
              "{\"t_ms\":1,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"message\":\"b\",\"n\":70}",
              "{\"t_ms\":2,\"op\":\"error\",\"breaker\":\"db\",\"message\":\"c\",\"n\":5000}", NULL});
    assert_string_equal(fingerprints_at_end(&run, text), "5000 unknown c; 100 unknown a; 70 unknown b; ");
}

static void test_an_error_of_a_denied_call_or_of_none_says_nothing(void **state)
{
    struct run run = begin(ANY, false);
    char text[1024];
    (void)state;
    steps(&run,
          (const char *[]){
              "{\"t_ms\":0,\"op\":\"trip\",\"breaker\":\"db\"}",
              "{\"t_ms\":1,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"message\":\"a\"}",
              "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"api\",\"outcome\":\"ok\",\"message\":\"b\",\"n\":9}",
              "{\"t_ms\":1,\"op\":\"record\",\"breaker\":\"api\",\"outcome\":\"failure\",\"trace\":\"t\"}", NULL});
    assert_string_equal(fingerprints_at_end(&run, text), "");
}

static void test_a_call_that_takes_long_fails_with_its_message(void **state)
{
    struct run run = begin(ANY, false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){
                    "{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"latency_ms\":900,"
                    "\"message\":\"slow 1\",\"n\":3}",
                    "{\"t_ms\":1,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\",\"latency_ms\":900}",
                    "{\"t_ms\":2,\"op\":\"begin\",\"breaker\":\"db\",\"id\":\"1\"}",
                    "{\"t_ms\":3,\"op\":\"end\",\"id\":\"1\",\"outcome\":\"failure\",\"message\":\"gone\"}", NULL});
    assert_string_equal(fingerprints_at_end(&run, text), "3 timeout slow <n>; 1 unknown gone; ");
}

static void test_each_attempt_of_a_retried_call_fails_with_its_message(void **state)
{
    struct run run = begin("breakers: [{match: \"*\", retry: {attempts: 3, jitter: none}}]", false);
    char text[1024];
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"failure\",\"error\":"
                                 "\"network\",\"latency_ms\":5,\"retry\":true,\"message\":\"reset by peer\"}",
                                 NULL});
    assert_string_equal(fingerprints_at_end(&run, text), "3 network reset by peer; ");
}

static void test_calls_that_are_cut_off_leave_nothing_behind(void **state)
{
    struct run run = begin(ANY, false);
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"call\",\"breaker\":\"db\",\"outcome\":\"timeout\","
                                 "\"latency_ms\":900,\"message\":\"slow\",\"n\":3}",
                                 NULL});
    end(&run); /* which frees the texts: LeakSanitizer looks */
}

static void test_a_line_with_texts_has_an_end(void **state)
{
    struct run run = begin(ANY, false);
    (void)state;
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"error\",\"breaker\":\"db\",\"message\":\"a\",\"n\":1000001}"),
                     -EINVAL);
    assert_string_equal(run.problem, "\"n\" is 1000001, but errors of db are decided one by one here (texts, limits, "
                                     "retries, --verdicts): a line may have 1000000");
    assert_int_equal(step(&run, "{\"t_ms\":0,\"op\":\"error\",\"breaker\":\"db\",\"n\":1000000000}"), 0);
    end(&run);
}

/* ------------------------------------------------------------------------------------------------------------ texts */

/* Reads a step of the op with a text of so many bytes under the key. */
static int parse(const char *op, const char *key, unsigned length, struct trace_step *ret_step, char problem[256])
{
    char line[512];
    const int used = snprintf(line, sizeof(line),
                              "{\"t_ms\":0,\"op\":\"%s\",\"breaker\":\"db\",\"id\":\"1\","
                              "\"outcome\":\"failure\",\"%s\":\"%0*d\"}",
                              op, key, (int)length, 7);
    return trace_step_parse(line, (size_t)used, ret_step, problem);
}

static void test_texts_are_as_long_as_tripd_keeps_them(void **state)
{
    static const char *const ops[] = {"call", "record", "end", "error"};
    struct trace_step parsed;
    char problem[256] = "";
    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        assert_int_equal(parse(ops[i], "message", 95, &parsed, problem), 0);
        assert_int_equal(strlen(parsed.texts.message), 95);
        assert_string_equal(parsed.texts.trace, "");
        assert_int_equal(parse(ops[i], "message", 96, &parsed, problem), -EINVAL);
        assert_string_equal(problem, "\"message\" must be a text of 1 to 95 bytes");
        assert_int_equal(parse(ops[i], "trace", 63, &parsed, problem), 0);
        assert_int_equal(strlen(parsed.texts.trace), 63);
        assert_int_equal(parse(ops[i], "trace", 64, &parsed, problem), -EINVAL);
        assert_string_equal(problem, "\"trace\" must be a text of 1 to 63 bytes");
        assert_int_equal(parse(ops[i], "correlation", 63, &parsed, problem), 0);
        assert_int_equal(strlen(parsed.texts.correlation), 63);
        assert_int_equal(parse(ops[i], "correlation", 64, &parsed, problem), -EINVAL);
        assert_string_equal(problem, "\"correlation\" must be a text of 1 to 63 bytes");
    }
}

static void test_a_step_without_texts_says_so(void **state)
{
    struct trace_step parsed;
    char problem[256] = "";
    (void)state;
    assert_int_equal(parse("call", "host", 200, &parsed, problem), 0);
    assert_null(trace_step_texts(&parsed));
    assert_int_equal(parse("begin", "message", 200, &parsed, problem), 0); /* which has no error */
    assert_null(trace_step_texts(&parsed));
}

static void test_the_latest_error_has_the_message(void **state)
{
    struct run run = begin(ANY, false);
    (void)state;
    steps(&run, (const char *[]){"{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"message\":"
                                 "\"n\\u00e3o\"}",
                                 "{\"t_ms\":0,\"op\":\"show\",\"breaker\":\"db\"}", NULL});
    assert_string_equal(word(last(&run), "error", "message"), "n\u00e3o");
    end(&run);
}

/* Are errors of db and of api, with these texts, held to belong to the same requests, in which db's came first? */
static bool are_linked(const char *of_db, const char *of_api)
{
    struct run run = begin(ANY, false);
    char lines[2][256];
    bool linked = false;
    size_t i;
    const json_t *evidence;
    snprintf(lines[0], sizeof(lines[0]),
             "{\"t_ms\":0,\"op\":\"record\",\"breaker\":\"db\",\"outcome\":\"failure\",\"n\":5,%s}", of_db);
    snprintf(lines[1], sizeof(lines[1]),
             "{\"t_ms\":100,\"op\":\"record\",\"breaker\":\"api\",\"outcome\":\"failure\",\"n\":5,%s}", of_api);
    steps(&run, (const char *[]){lines[0], lines[1], NULL});
    simulation_end(run.simulation);
    const json_t *const candidate = json_object_get(event_of(&run, "incident_summary", 0), "candidate");
    json_array_foreach(json_object_get(candidate, "evidence"), i, evidence)
    {
        linked |= strcmp(word(evidence, NULL, "kind"), "trace") == 0;
    }
    end(&run);
    return linked;
}

static void test_ids_that_errors_share_are_evidence(void **state)
{
    (void)state;
    assert_true(are_linked("\"correlation\":\"req-7\"", "\"correlation\":\"req-7\""));
    assert_true(are_linked("\"trace\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"",
                           "\"trace\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01\""));
    assert_false(are_linked("\"correlation\":\"req-7\"", "\"trace\":\"req-7\""));
}

static void test_the_same_trace_prints_the_same_bytes(void **state)
{
    char *printed[2];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct run run = begin_cascade("");
        simulation_end(run.simulation);
        printed[i] = json_dumps(run.events, JSON_COMPACT);
        end(&run);
    }
    assert_string_equal(printed[0], printed[1]);
    free(printed[0]);
    free(printed[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_breakers_that_fail_together_are_one_incident),
        cmocka_unit_test(test_quiet_is_counted_from_the_last_that_happened),
        cmocka_unit_test(test_an_incident_goes_on_while_a_breaker_is_open),
        cmocka_unit_test(test_the_last_errors_are_in_what_is_said_at_the_end),
        cmocka_unit_test(test_an_incident_that_goes_on_at_the_end_has_none),
        cmocka_unit_test(test_what_fails_again_after_quiet_is_another_incident),
        cmocka_unit_test(test_what_an_operator_opens_is_no_incident),
        cmocka_unit_test(test_each_of_n_errors_has_the_message),
        cmocka_unit_test(test_an_error_of_a_denied_call_or_of_none_says_nothing),
        cmocka_unit_test(test_a_call_that_takes_long_fails_with_its_message),
        cmocka_unit_test(test_each_attempt_of_a_retried_call_fails_with_its_message),
        cmocka_unit_test(test_calls_that_are_cut_off_leave_nothing_behind),
        cmocka_unit_test(test_a_line_with_texts_has_an_end),
        cmocka_unit_test(test_texts_are_as_long_as_tripd_keeps_them),
        cmocka_unit_test(test_a_step_without_texts_says_so),
        cmocka_unit_test(test_the_latest_error_has_the_message),
        cmocka_unit_test(test_ids_that_errors_share_are_evidence),
        cmocka_unit_test(test_the_same_trace_prints_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
