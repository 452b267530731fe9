/* The lines that an operator reads, from trees as --json prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "print.h"
#include "print_entry.h"

static void assert_prints(void (*print)(FILE *, const json_t *), const char *tree, const char *expected)
{
    json_error_t error;
    json_t *json = json_loads(tree, 0, &error);
    if (!json)
        print_error("%s at %d\n", error.text, error.position);
    assert_non_null(json);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(out, json);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void test_spans(void **state)
{
    (void)state;
    char text[24];
    assert_string_equal(print_span(0, text), "0ms");
    assert_string_equal(print_span(999, text), "999ms");
    assert_string_equal(print_span(1000, text), "1.0s");
    assert_string_equal(print_span(9999, text), "9.9s");
    assert_string_equal(print_span(10000, text), "10s");
    assert_string_equal(print_span(59999, text), "59s");
    assert_string_equal(print_span(60000, text), "1m00s");
    assert_string_equal(print_span(3599999, text), "59m59s");
    assert_string_equal(print_span(3600000, text), "1h00m");
    assert_string_equal(print_span(86399999, text), "23h59m");
    assert_string_equal(print_span(86400000 + 3 * 3600000, text), "1d03h");
}

#define LINE(name, state, mode, rest)                                                                     \
    "{\"breaker\":\"" name "\",\"state\":\"" state "\",\"mode\":\"" mode "\",\"reason\":\"consecutive\"," \
    "\"since_unix_ms\":1700000095000,\"window\":{\"calls\":16,\"ok\":10,\"failures\":6,\"slow\":1,"       \
    "\"failure_rate\":37.5,\"slow_rate\":6.2}," rest "}"

#define FOR(ms, rest) "\"state_for_ms\":" #ms ",\"retry_after_ms\":" rest

static void test_a_list_begins_with_trouble(void **state)
{
    (void)state;
    static const char tree[] = "{\"breakers\":["
        /* clang-format off */
        LINE("b", "closed", "auto", FOR(3600000, "0")) ","
        LINE("a", "closed", "auto", FOR(90000, "0")) ","
        LINE("off", "closed", "forced_open", FOR(5000, "null,\"mode_owner\":\"operator\",\"mode_reason\":\"move\","
             "\"mode_ttl_ms\":null")) ","
        LINE("ramp", "ramping", "auto", FOR(1, "0,\"ramp\":{\"admit\":12.5,\"ends_ms\":900}")) ","
        LINE("half", "half_open", "auto", FOR(700, "0")) ","
        LINE("open", "open", "auto", FOR(5000, "25000,\"by\":\"operator\",\"uid\":4000000001,\"note\":\"drill\"")) ","
        LINE("try", "closed", "shadow", FOR(5000, "0,\"mode_owner\":\"config\",\"mode_reason\":null,"
             "\"mode_ttl_ms\":61000"))
        /* clang-format on */
        "],\"patterns\":[]}";
    assert_prints(print_list, tree,
                  "STATE               BREAKER  WHY            FOR   PROBE  FAILED  SLOW  CALLS  BY\n"
                  "forced_open (closed)  off    -             5.0s   never   37.5%  6.2%     16\n"
                  "    operator: move\n"
                  "open                open     consecutive   5.0s  in 25s   37.5%  6.2%     16\n"
                  "    operator uid 4000000001: drill\n"
                  "half_open           half     consecutive  700ms     now   37.5%  6.2%     16  -\n"
                  "ramping 12.5%       ramp     consecutive    1ms       -   37.5%  6.2%     16  -\n"
                  "shadow (closed)     try      -             5.0s       -   37.5%  6.2%     16\n"
                  "    config for 1m01s more\n"
                  "closed              a        -            1m30s       -   37.5%  6.2%     16  -\n"
                  "closed              b        -            1h00m       -   37.5%  6.2%     16  -\n");
}

static void test_a_long_name_stands_beside_a_long_state(void **state)
{
    (void)state;
    static const char tree[] = "{\"breakers\":["
        /* clang-format off */
        LINE("a", "closed", "auto", FOR(1000, "0")) ","
        LINE("payments/settlement/eu-central-1/visa", "half_open", "shadow", FOR(3600000, "3599000"))
        /* clang-format on */
        "],\"patterns\":[]}";
    assert_prints(print_list, tree,
                  "STATE         BREAKER     WHY            FOR      PROBE  FAILED  SLOW  CALLS  BY\n"
                  "shadow (half_open)  payments/settlement/eu-central-1/visa\n"
                  "                          consecutive  1h00m  in 59m59s   37.5%  6.2%     16\n"
                  "closed        a           -             1.0s          -   37.5%  6.2%     16  -\n");
}

static void test_a_long_name_makes_its_own_row_go_on_below(void **state)
{
    (void)state;
    static const char tree[] = "{\"breakers\":["
        /* clang-format off */
        LINE("a", "closed", "auto", FOR(1000, "0")) ","
        LINE("payments/settlement/eu-central-1/visa", "closed", "auto", FOR(1000, "0"))
        /* clang-format on */
        "],\"patterns\":[]}";
    assert_prints(print_list, tree,
                  "STATE   BREAKER                        WHY   FOR  PROBE  FAILED  SLOW  CALLS  BY\n"
                  "closed  a                              -    1.0s      -   37.5%  6.2%     16  -\n"
                  "closed  payments/settlement/eu-central-1/visa\n"
                  "                                       -    1.0s      -   37.5%  6.2%     16  -\n");
}

/* 120 letters, in words or in one. */
#define WORDS                                                                                                          \
    "a reason that is as long as one can be, and as people write them when they are in a hurry, with all there is to " \
    "say...."
#define WORD                                                                                                         \
    "reason-that-is-as-long-as-one-can-be--and-as-people-write-them-when-they-are-in-a-hurry--with-all-there-is-to-" \
    "say-------"
#define LETTERS "\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6"

static void assert_80_columns(json_t *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print_list(out, list);
    fclose(out);
    int width = 0;
    for (const char *at = text; *at; at++) {
        width = *at == '\n' ? 0 : width + (((unsigned char)*at & 0xc0) != 0x80);
        if (width > 80)
            fail_msg("wider than 80 columns:\n%s", text);
    }
    free(text);
}

static void test_a_list_is_no_wider_than_80_columns_whatever_is_in_it(void **state)
{
    (void)state;
    static const char *const states[] = {"closed", "open", "half_open", "ramping"};
    static const char *const modes[] = {"auto", "forced_open", "disabled", "shadow"};
    static const char *const reasons[] = {"none", "consecutive", "probe_failed", "failure_rate"};
    static const char *const texts[] = {"", "x", WORDS, WORD, LETTERS LETTERS LETTERS LETTERS};
    static const char *const names[] = {"a", "payments/db", "payments/settlement/eu-central-1/visa", WORD};
    static const json_int_t numbers[] = {0, 999, 3599999, 86399999, INT64_MAX};
    for (unsigned i = 0; i < 4 * 4 * 4 * 5 * 4 * 5; i++) {
        const unsigned text = i / 64 % 5, name = i / 320 % 4, large = i / 1280;
        json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:s}", "breaker", names[name], "state",
                                states[i % 4], "mode", modes[i / 4 % 4], "reason", reasons[i / 16 % 4], "state_for_ms",
                                numbers[large], "retry_after_ms", numbers[large], "by", "operator", "uid",
                                (json_int_t)4000000001, "note", texts[text]);
        json_object_update_new(row, json_pack("{s:s, s:s, s:I, s:{s:f, s:I}, s:{s:f, s:f, s:I}}", "mode_owner",
                                              "operator", "mode_reason", texts[text], "mode_ttl_ms", numbers[large],
                                              "ramp", "admit", 12.5, "ends_ms", numbers[large], "window",
                                              "failure_rate", 100.0, "slow_rate", 100.0, "calls", numbers[large]));
        json_t *pattern = json_pack("{s:s, s:s, s:I, s:I, s:s}", "pattern", names[name], "mode", modes[i / 4 % 4],
                                    "ttl_ms", numbers[large], "uid", (json_int_t)4000000001, "reason", texts[text]);
        json_t *list = json_pack("{s:[o], s:[o]}", "breakers", row, "patterns", pattern);
        assert_non_null(list);
        assert_80_columns(list);
        json_decref(list);
    }
}

static void test_a_list_of_nothing_says_so(void **state)
{
    (void)state;
    assert_prints(print_list, "{\"breakers\":[],\"patterns\":[]}", "no breakers\n");
    assert_prints(print_list,
                  "{\"breakers\":[],\"patterns\":[{\"pattern\":\"pay/*\",\"mode\":\"disabled\",\"ttl_ms\":50000,"
                  "\"uid\":4000000001,\"reason\":\"drill\"}]}",
                  "no breakers\n\n"
                  "modes by pattern, for breakers to come too:\n"
                  "PATTERN  MODE      ENDS    BY              REASON\n"
                  "pay/*    disabled  in 50s  uid 4000000001  drill\n");
}

static const char shown[] =
    "{\"t_ms\":100000,\"event\":\"show\",\"breaker\":\"payments/a\",\"state\":\"open\",\"mode\":\"auto\","
    "\"reason\":\"consecutive\",\"since_unix_ms\":1700000095000,\"state_for_ms\":5000,"
    "\"window\":{\"calls\":9,\"ok\":3,\"failures\":6,\"slow\":1,\"failure_rate\":null,\"slow_rate\":null},"
    "\"consecutive_failures\":0,\"retry_after_ms\":25000,\"permits_free\":0,"
    "\"mode_owner\":null,\"mode_reason\":null,\"mode_ttl_ms\":null,"
    "\"totals\":{\"calls\":100,\"ok\":91,\"failures\":9,\"timeouts\":4,\"slow\":3,\"ignored\":2,\"cancelled\":1,"
    "\"late\":6,\"denied\":7},\"in_flight\":2,\"calls_until_rate\":1,\"opens\":2,\"open_ms\":30000,"
    "\"trips\":{\"consecutive\":1,\"failures\":0,\"operator\":1},"
    "\"error\":{\"type\":\"timeout\",\"message\":\"no answer in 1 s\",\"at_unix_ms\":1700000094000},\"modes\":[],"
    "\"latency\":{\"calls\":100,\"p50_ms\":0.065536,\"p95_ms\":25.16,\"p99_ms\":null},"
    "\"settings\":{\"match\":\"payments/*\",\"consecutive_failures\":5,\"slow_after_ms\":60000,"
    "\"minimum_calls\":10,\"permits\":2,\"max_wait_ms\":10000,\"next_open_ms\":60000},"
    "\"created_unix_ms\":1700000000000,"
    "\"limits\":{\"concurrency\":{\"limit\":37,\"max\":50,\"taken\":14,\"holders\":[{\"lane\":4,\"tickets\":12},"
    "{\"lane\":9,\"tickets\":2}],\"rejected\":11},\"rate\":{\"limit\":100,\"per_ms\":60000,\"burst\":7,"
    "\"window\":\"bucket\",\"free\":3,\"rejected\":22},\"throttle\":{\"admit_permille\":635,\"shed\":33},"
    "\"retry\":{\"budget_tokens\":321,\"retries\":8,\"refused\":5},\"deadline_rejected\":44},"
    "\"reporters\":{\"count\":12,\"lanes\":[{\"lane\":4,\"calls\":99,\"failures\":9,\"slow\":3},"
    "{\"lane\":9,\"calls\":1,\"failures\":0,\"slow\":null}]}}";

static void test_show_tells_everything_about_an_open_breaker(void **state)
{
    (void)state;
    assert_prints(print_show, shown,
                  "payments/a: open, consecutive, for 5.0s, since 2023-11-14 22:14:55.000\n"
                  "  next probe  in 25s\n"
                  "  mode        auto\n"
                  "  last error  timeout: no answer in 1 s, at 2023-11-14 22:14:54.000\n"
                  "  window      9 calls: 3 ok, 6 failed (-), 1 slow (-)\n"
                  "              the rates count after 1 more call\n"
                  "  in a row    0 failed\n"
                  "  in flight   2\n"
                  "  totals      100 calls: 91 ok, 9 failed, 4 of them timeouts; 3 slow\n"
                  "              7 denied, 2 ignored, 1 cancelled, 6 late\n"
                  "  latency     p50 0.0655ms, p95 25ms, p99 >137s\n"
                  "  opened      2 times, 30s in all: consecutive 1, operator 1\n"
                  "  reporters   12 processes: 99 calls by lane 4 (9 failed), 1 call by lane 9 (0 failed), "
                  "and 10 more\n"
                  "  concurrency 14 of 37 tickets taken, 50 at most: 12 by lane 4, 2 by lane 9; 11 rejected\n"
                  "  rate        3 of 7 free, 100 in 1m00s; 22 rejected\n"
                  "  throttle    admits 63.5%; 33 shed\n"
                  "  retries     8, 5 refused; 321 more are paid for\n"
                  "  deadlines   44 calls not sent: their deadline had passed\n"
                  "  settings    of \"payments/*\": opens after 5 failures in a row\n"
                  "              opens for 1m00s next time\n"
                  "              slow after 1m00s, rates from 10 calls, 2 permits of 10s\n");
}

static void test_show_ends_with_the_entry_of_the_config(void **state)
{
    (void)state;
    static const char tree[] =
        "{\"breaker\":\"db\",\"config\":{\"match\":\"d*\",\"mode\":\"auto\",\"forget_after_ms\":3600000,"
        "\"trip\":{\"consecutive_failures\":5,\"failures\":0,\"failure_rate\":12.5,\"slow_rate\":0,"
        "\"slow_after_ms\":0.5,\"stall_after_ms\":0,\"in_flight\":7},"
        "\"window\":{\"type\":\"time\",\"for_ms\":90000,\"minimum_calls\":10},"
        "\"open\":{\"for_ms\":1001,\"multiplier\":1.5,\"max_ms\":300000,\"jitter\":10,\"forget_ms\":600000},"
        "\"ramp\":{\"over_ms\":0,\"steps\":[10,25.5]},"
        "\"retry\":{\"backoff\":\"fixed\",\"jitter\":\"proportional\",\"attempts\":3,\"base_ms\":100,\"max_ms\":10000,"
        "\"jitter_ratio\":10,\"total_ms\":0,\"on\":[\"timeout\",\"user_1\"],"
        "\"budget\":{\"ratio\":2.5,\"min_per_second\":10}},"
        "\"hedge\":{\"at\":\"p95\",\"after_ms\":20,\"max\":1}}}";
    json_t *json = json_loads(tree, 0, NULL);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print_show(out, json);
    fclose(out);
    const char *entry = strstr(text, "  config ");
    assert_non_null(entry);
    assert_string_equal(entry, "  config      match: d*, mode: auto, forget_after: 1h\n"
                               "  trip        consecutive_failures: 5, failures: 0, failure_rate: 12.5%,\n"
                               "              slow_rate: 0%, slow_after: 0.5ms, stall_after: 0s, in_flight: 7\n"
                               "  window      type: time, for: 90s, minimum_calls: 10\n"
                               "  open        for: 1001ms, multiplier: 1.5, max: 5m, jitter: 10%, forget: 10m\n"
                               "  ramp        over: 0s, steps: [10%, 25.5%]\n"
                               "  retry       backoff: fixed, jitter: proportional, attempts: 3, base: 100ms,\n"
                               "              max: 10s, jitter_ratio: 10%, total: 0s, on: [timeout, user_1],\n"
                               "              budget: {ratio: 2.5%, min_per_second: 10}\n"
                               "  hedge       at: p95, after: 20ms, max: 1\n");
    free(text);
    json_decref(json);
}

static void test_show_says_the_fallback_in_the_words_of_the_config(void **state)
{
    (void)state;
    static const char tree[] =
        "{\"match\":\"d*\",\"fallback\":{\"network\":[{\"cached\":{\"ttl_ms\":300000}},"
        "{\"default\":{\"value_json\":\"{\\\"items\\\":[]}\"}}],\"timeout\":[{\"alternative\":{\"pick\":\"weighted\","
        "\"endpoints\":[{\"endpoint\":\"b:443\",\"weight\":3},{\"endpoint\":\"c\",\"weight\":1}]}}],\"user_3\":[],"
        "\"*\":[{\"reduced\":[\"search\",\"ads\"]},{\"queue\":\"q\"}]}}";
    assert_prints(print_entry, tree,
                  "  config      match: d*\n"
                  "  fallback    network: [{cached: {ttl: 5m}}, {default: {value: {\"items\":[]}}}],\n"
                  "              timeout: [{alternative: {pick: weighted, endpoints: [{endpoint:\n"
                  "              b:443, weight: 3}, {endpoint: c, weight: 1}]}}], user_3: [], *:\n"
                  "              [{reduced: [search, ads]}, {queue: q}]\n");
}

static void test_show_says_that_only_tripd_knows_the_rest(void **state)
{
    (void)state;
    static const char last[] = "  config      tripd alone knows its other settings, and does not say them\n";
    json_t *json = json_pack("{s:s, s:n}", "breaker", "db", "config");
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print_show(out, json);
    fclose(out);
    assert_string_equal(text + strlen(text) - strlen(last), last);
    free(text);
    json_decref(json);
}

static void test_show_names_the_owners_of_modes(void **state)
{
    (void)state;
    assert_prints(
        print_show,
        "{\"breaker\":\"db\",\"state\":\"half_open\",\"mode\":\"forced_open\",\"reason\":\"probe_failed\","
        "\"since_unix_ms\":1700000095000,\"state_for_ms\":5000,\"retry_after_ms\":60000,\"permits_free\":1,"
        "\"probes\":{\"ok\":2,\"failures\":0,\"slow\":1,\"needed\":3},"
        "\"modes\":[{\"owner\":\"operator\",\"mode\":\"forced_open\",\"since_unix_ms\":1700000090000,\"ttl_ms\":60000,"
        "\"uid\":4000000001,\"reason\":\"migration\"},{\"owner\":\"config\",\"mode\":\"shadow\","
        "\"since_unix_ms\":1700000000000,\"ttl_ms\":null,\"uid\":0,\"reason\":null}],\"error\":null,"
        "\"settings\":{\"match\":\"*\",\"consecutive_failures\":0,\"permits\":1}}",
        "db: forced_open (half_open), probe_failed, for 5.0s, since 2023-11-14 22:14:55.000\n"
        "  next probe  in 1m00s\n"
        "  permits     1 free of 1\n"
        "  probes      2 of 3 ok, 0 failed, 1 slow\n"
        "  mode        forced_open by operator uid 4000000001 since 2023-11-14 22:14:50.000, ends in 1m00s: migration\n"
        "  then        shadow by config since 2023-11-14 22:13:20.000\n"
        "  window      0 calls: 0 ok, 0 failed (-), 0 slow (-)\n"
        "  in a row    0 failed\n"
        "  in flight   0\n"
        "  totals      0 calls: 0 ok, 0 failed, 0 of them timeouts; 0 slow\n"
        "              0 denied, 0 ignored, 0 cancelled, 0 late\n"
        "  opened      0 times, 0ms in all\n"
        "  settings    of \"*\": no streak opens it\n"
        "              opens for 0ms next time\n"
        "              slow after 0ms, rates from 0 calls, 1 permit of 0ms\n");
}

/* The first lines of what is shown for a breaker with these keys beside its name and times. */
static void assert_shows(const char *keys, const char *expected)
{
    char tree[512], *text = NULL;
    size_t size = 0;
    snprintf(tree, sizeof(tree), "{\"breaker\":\"db\",\"mode\":\"auto\",\"state_for_ms\":3000,%s}", keys);
    json_t *json = json_loads(tree, 0, NULL);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(json);
    print_show(out, json);
    fclose(out);
    assert_true(size > strlen(expected));
    text[strlen(expected)] = '\0';
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void test_show_begins_with_actor_and_reason(void **state)
{
    (void)state;
    assert_shows("\"state\":\"open\",\"reason\":\"operator\",\"by\":\"operator\",\"uid\":4000000001,"
                 "\"note\":\"db failover\"",
                 "db: open, operator uid 4000000001: \"db failover\", for 3.0s");
    assert_shows("\"state\":\"open\",\"reason\":\"operator\",\"by\":\"operator\",\"uid\":4000000001,\"note\":null",
                 "db: open, operator uid 4000000001, for 3.0s");
    assert_shows("\"state\":\"closed\",\"reason\":\"consecutive\",\"by\":\"operator\",\"uid\":4000000001,"
                 "\"note\":\"it is back\"",
                 "db: closed, operator uid 4000000001: \"it is back\", for 3.0s");
    assert_shows("\"state\":\"closed\",\"reason\":\"consecutive\",\"by\":\"tripd\",\"uid\":null,\"note\":null",
                 "db: closed, for 3.0s");
}

static void test_show_says_what_a_ramp_admits(void **state)
{
    (void)state;
    assert_shows("\"state\":\"ramping\",\"reason\":\"consecutive\",\"ramp\":{\"admit\":25,\"ends_ms\":12000}",
                 "db: ramping 25%, consecutive, for 3.0s, since -\n"
                 "  ramp        admits 25%, all in 12s\n"
                 "  mode        auto\n");
}

static void test_show_says_where_only_a_sample_of_calls_is_timed(void **state)
{
    (void)state;
    assert_shows(
        "\"state\":\"closed\",\"window\":{\"calls\":9,\"ok\":9,\"failures\":0,\"slow\":null,\"failure_rate\":null,"
        "\"slow_rate\":null},\"totals\":{\"calls\":9,\"ok\":9,\"slow\":null},\"latency_sampled\":16,"
        "\"latency\":{\"calls\":2,\"p50_ms\":0.065536,\"p95_ms\":25.16,\"p99_ms\":null}",
        "db: closed, for 3.0s, since -\n"
        "  mode        auto\n"
        "  window      9 calls: 9 ok, 0 failed (-), - slow (-)\n"
        "  in a row    0 failed\n"
        "  in flight   0\n"
        "  totals      9 calls: 9 ok, 0 failed, 0 of them timeouts; - slow\n"
        "              0 denied, 0 ignored, 0 cancelled, 0 late\n"
        "  latency     p50 0.0655ms, p95 25ms, p99 >137s, of one call in 16\n");
}

static void test_a_count_of_one_is_singular(void **state)
{
    (void)state;
    assert_shows("\"state\":\"closed\",\"window\":{\"calls\":1,\"ok\":0,\"failures\":1,\"slow\":0},"
                 "\"totals\":{\"calls\":1,\"failures\":1,\"timeouts\":1}",
                 "db: closed, for 3.0s, since -\n"
                 "  mode        auto\n"
                 "  window      1 call: 0 ok, 1 failed (-), 0 slow (-)\n"
                 "  in a row    0 failed\n"
                 "  in flight   0\n"
                 "  totals      1 call: 0 ok, 1 failed, 1 of them timeout; 0 slow\n");
}

static void test_events_are_a_line_each(void **state)
{
    (void)state;
    assert_prints(print_events,
                  "{\"events\":[{\"sequence\":1,\"at_unix_ms\":1700000095123,\"breaker\":\"db\",\"from\":\"closed\","
                  "\"to\":\"open\",\"reason\":\"operator\",\"by\":\"operator\",\"uid\":4000000001,\"note\":\"drill\"},"
                  "{\"sequence\":2,\"at_unix_ms\":1700000125123,\"breaker\":\"db\",\"from\":\"open\","
                  "\"to\":\"half_open\",\"reason\":\"operator\",\"by\":\"tripd\",\"uid\":null,\"note\":null}]}",
                  "2023-11-14 22:14:55.123  db: closed -> open (operator), by operator uid 4000000001: drill\n"
                  "2023-11-14 22:15:25.123  db: open -> half_open, by tripd\n");
    assert_prints(
        print_events,
        "{\"events\":[{\"sequence\":3,\"at_unix_ms\":1700000095123,\"breaker\":\"db\",\"event\":\"mode\","
        "\"from\":\"auto\",\"to\":\"forced_open\",\"until_unix_ms\":1700000125123,\"by\":\"operator\","
        "\"uid\":4000000001,\"note\":\"drill\"},{\"sequence\":4,\"at_unix_ms\":1700000125123,"
        "\"breaker\":\"db\",\"event\":\"mode\",\"from\":\"forced_open\",\"to\":\"auto\","
        "\"until_unix_ms\":null,\"by\":\"tripd\",\"uid\":null,\"note\":\"its time ended\"}]}",
        "2023-11-14 22:14:55.123  db: mode auto -> forced_open until 2023-11-14 22:15:25.123, by operator uid "
        "4000000001: drill\n"
        "2023-11-14 22:15:25.123  db: mode forced_open -> auto, by tripd: its time ended\n");
}

static void test_events_of_levels_and_features_name_whom_they_are_of(void **state)
{
    (void)state;
    assert_prints(
        print_events,
        "{\"events\":[{\"at_unix_ms\":1700000095123,\"group\":null,\"event\":\"level\",\"from\":\"normal\","
        "\"to\":\"minimal\",\"set\":\"minimal\",\"until_unix_ms\":1700000125123,\"by\":\"operator\","
        "\"uid\":4000000001,\"note\":\"drill\"},{\"at_unix_ms\":1700000095123,\"group\":\"payments\","
        "\"event\":\"level\",\"from\":\"minimal\",\"to\":\"degraded\",\"set\":\"normal\",\"until_unix_ms\":null,"
        "\"by\":\"tripd\",\"uid\":null,\"note\":\"its time ended\"},{\"at_unix_ms\":1700000095123,"
        "\"feature\":\"search\",\"event\":\"feature\",\"from\":\"on\",\"to\":\"off\",\"until_unix_ms\":null,"
        "\"by\":\"tripd\",\"uid\":null,\"note\":\"level minimal\"}]}",
        "2023-11-14 22:14:55.123  host: level normal -> minimal until 2023-11-14 22:15:25.123, by operator uid "
        "4000000001: "
        "drill\n"
        "2023-11-14 22:14:55.123  payments: level minimal -> degraded, on the way to normal, by tripd: its time ended\n"
        "2023-11-14 22:14:55.123  search: feature on -> off, by tripd: level minimal\n");
}

static void test_levels_are_a_table_with_the_names_of_all_below_it(void **state)
{
    (void)state;
    assert_prints(print_levels,
                  "{\"levels\":[{\"group\":null,\"level\":\"minimal\",\"own\":\"minimal\",\"set\":\"normal\","
                  "\"next_step_ms\":30000,\"ttl_ms\":null,\"by\":\"tripd\",\"uid\":null,\"reason\":\"its time "
                  "ended\"},{\"group\":\"payments\",\"level\":\"minimal\",\"own\":\"degraded\",\"set\":\"degraded\","
                  "\"next_step_ms\":null,\"ttl_ms\":300000,\"by\":\"operator\",\"uid\":4000000001,\"reason\":null}],"
                  "\"names\":[\"normal\",\"degraded\",\"minimal\"],\"back_after_ms\":30000}",
                  "GROUP     IN FORCE  OWN       SET       NEXT STEP  ENDS IN  BY\n"
                  "host      minimal   minimal   normal          30s\n"
                  "    tripd: its time ended\n"
                  "payments  minimal   degraded  degraded               5m00s\n"
                  "    operator uid 4000000001\n"
                  "\n"
                  "levels: normal, degraded, minimal; each step back takes 30s\n");
}

static void test_what_a_change_of_a_level_did_is_said_in_a_sentence(void **state)
{
    (void)state;
    assert_prints(print_level_change,
                  "{\"group\":null,\"level\":\"minimal\",\"own\":\"minimal\",\"set\":\"minimal\",\"features_off\":1}",
                  "host: level minimal, 1 feature is off\n");
    assert_prints(print_level_change,
                  "{\"group\":\"payments\",\"level\":\"minimal\",\"own\":\"minimal\",\"set\":\"normal\","
                  "\"next_step_ms\":30000,\"features_off\":3}",
                  "payments: level minimal, 3 features are off\n"
                  "it goes back to normal one step at a time, the next one in 30s\n");
    assert_prints(print_level_change,
                  "{\"group\":\"payments\",\"level\":\"minimal\",\"own\":\"degraded\",\"set\":\"degraded\","
                  "\"features_off\":0}",
                  "payments: level minimal, 0 features are off\n"
                  "its own level is degraded; that of the host or of an outer group is higher\n");
}

static void test_a_feature_says_why_it_is_as_it_is(void **state)
{
    (void)state;
    assert_prints(print_features,
                  "{\"features\":[{\"feature\":\"express\",\"state\":\"off\",\"percent\":0,\"decides\":\"level\","
                  "\"level\":\"minimal\",\"off_from\":\"minimal\"},{\"feature\":\"plain\",\"state\":\"on\","
                  "\"percent\":100,\"decides\":\"config\",\"off_from\":null},{\"feature\":\"search\",\"state\":\"20%\","
                  "\"percent\":20,\"decides\":\"operator\",\"off_from\":null,\"by\":\"operator\",\"uid\":4000000001,"
                  "\"reason\":\"trial\",\"ttl_ms\":5000}]}",
                  "FEATURE  STATE  OFF FROM  ENDS IN  WHY\n"
                  "express  off    minimal            level minimal\n"
                  "plain    on     never              config\n"
                  "search   20%    never        5.0s  operator uid 4000000001: trial\n");
    assert_prints(print_features, "{\"features\":[]}", "no features\n");
}

static void test_clients_are_a_table(void **state)
{
    (void)state;
    assert_prints(
        print_clients,
        "{\"clients\":[{\"lane\":1,\"pid\":4242,\"uid\":4000000001,\"program\":\"nginx\","
        "\"attached_unix_ms\":1700000000000,\"detached\":true,\"meters\":16,\"lost\":7},{\"lane\":12,\"pid\":5,"
        "\"uid\":4000000002,\"program\":\"php-fpm\",\"attached_unix_ms\":1700000000000,\"detached\":false,"
        "\"meters\":3,\"lost\":12},{\"lane\":13,\"pid\":6,\"uid\":4000000002,\"program\":\"php-fpm\","
        "\"attached_unix_ms\":1700000000000,\"detached\":false,\"meters\":3,\"lost\":0}]}",
        "LANE   PID  USER            PROGRAM  ATTACHED                 BREAKERS\n"
        "   1  4242  uid 4000000001  nginx    2023-11-14 22:13:20.000        16\n"
        "    detached, 7 lost\n"
        "  12     5  uid 4000000002  php-fpm  2023-11-14 22:13:20.000         3  12 lost\n"
        "  13     6  uid 4000000002  php-fpm  2023-11-14 22:13:20.000         3\n");
    assert_prints(print_clients, "{\"clients\":[]}", "no clients\n");
}

/* first: what tripd is. file: as JSON and as shown. */
static void assert_status(const char *daemon, const char *file, const char *more, const char *first, const char *named)
{
    static const char tree[] =
        "{\"daemon\":\"%s\",\"heartbeat_age_ms\":4000,\"keeper_pid\":100,\"worker_pid\":101,\"starts\":2,"
        "\"clock\":\"real\",\"timer\":\"tsc_given_up\",\"now_ms\":100000,\"created_unix_ms\":1700000000000,\"config_"
        "unix_ms\":1700000001000,"
        "\"segment_bytes\":5242880,\"breakers\":{\"count\":3,\"most\":1024,\"overflow\":5,\"not_auto\":1,\"closed\":1,"
        "\"open\":1,\"half_open\":1,\"ramping\":0},\"clients\":{\"count\":8,\"most\":64,\"refused\":4,\"no_lane\":1,"
        "\"no_memory\":2,\"lost\":31},\"config_file\":%s,\"transitions\":77%s}";
    static const char lines[] =
        "%s"
        "  breakers    3 of 1024: 1 open, 1 half_open, 0 ramping, 1 closed; 1 not in mode auto\n"
        "              5 times limits.max_breakers was used up: raise it\n"
        "  clients     8 of 64, 4 refused\n"
        "              1 time limits.max_lanes was used up: raise it\n"
        "              2 times limits.lane_memory_per_user was used up: raise it\n"
        "              31 outcomes lost: the kernel had no memory to count them\n"
        "  segment     5120 KiB since 2023-11-14 22:13:20.000; tripd started 2 times\n"
        "  config      %s of 2023-11-14 22:13:21.000\n"
        "  clock       real, 1m40s; the TSC was given up, calls are timed by CLOCK_MONOTONIC\n"
        "  transitions 77\n";
    char given[1024], expected[1024];
    snprintf(given, sizeof(given), tree, daemon, file, more);
    snprintf(expected, sizeof(expected), lines, first, named);
    assert_prints(print_status, given, expected);
}

static void test_status_says_whether_tripd_runs(void **state)
{
    (void)state;
    assert_status("running", "\"/etc/tripd/default.yaml\"",
                  ",\"version\":\"0.1.0\",\"loop\":\"io_uring\",\"wakeups\":9",
                  "  tripd       running, keeper 100 and worker 101\n"
                  "  version     0.1.0, on io_uring, 9 wake-ups\n",
                  "/etc/tripd/default.yaml");
    assert_status("stalled", "null", "", "  tripd       stalled: no heartbeat for 4.0s; keeper 100, worker 101\n", "-");
    assert_status("dead", "null", "",
                  "  tripd       dead, and was not stopped: no heartbeat for 4.0s; clients go on without it\n", "-");
    assert_status("stopped", "null", "", "  tripd       stopped cleanly\n", "-");
}

static void print_hits_tripped(FILE *out, const json_t *result)
{
    print_hits(out, result, "tripped", "; later ones too");
}

static void test_hits_are_listed_and_counted(void **state)
{
    (void)state;
    assert_prints(print_hits_tripped, "{\"count\":1,\"breakers\":[\"db\"]}", "db\n1 breaker tripped; later ones too\n");
    assert_prints(print_hits_tripped, "{\"count\":2,\"breakers\":[\"a\",\"b\"],\"skipped\":[\"c\"]}",
                  "a\nb\n2 breakers tripped; later ones too\n"
                  "1 skipped, for the mode keeps the state as it is until `tripctl auto`:\nc\n");
    assert_prints(print_hits_tripped, "{\"count\":0,\"breakers\":[]}", "0 breakers tripped; later ones too\n");
}

static void print_hits_reset(FILE *out, const json_t *result)
{
    print_hits(out, result, "reset", "");
}

static void test_a_reset_that_a_mode_outlasts_says_so(void **state)
{
    (void)state;
    assert_prints(print_hits_reset,
                  "{\"count\":1,\"breakers\":[\"db\"],\"held\":[{\"breaker\":\"db\",\"mode\":\"forced_open\","
                  "\"mode_owner\":\"operator\"}]}",
                  "db\n1 breaker reset\ndb stays forced_open by operator; `tripctl auto db` ends that\n");
}

static void test_a_reload_prints_its_notes(void **state)
{
    (void)state;
    assert_prints(print_reloaded, "{\"reloaded\":true,\"notes\":[\"x.yaml:7: three\"]}", "x.yaml:7: three\nreloaded\n");
}

static void test_json_is_one_line_with_rates_as_people_write_them(void **state)
{
    (void)state;
    assert_prints(print_json, "{\"failure_rate\": 33.3, \"slow_rate\": 50.0, \"x\": null}",
                  "{\"failure_rate\":33.3,\"slow_rate\":50.0,\"x\":null}\n");
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
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_a_list_begins_with_trouble),
        cmocka_unit_test(test_a_long_name_stands_beside_a_long_state),
        cmocka_unit_test(test_a_long_name_makes_its_own_row_go_on_below),
        cmocka_unit_test(test_a_list_is_no_wider_than_80_columns_whatever_is_in_it),
        cmocka_unit_test(test_a_list_of_nothing_says_so),
        cmocka_unit_test(test_show_tells_everything_about_an_open_breaker),
        cmocka_unit_test(test_show_ends_with_the_entry_of_the_config),
        cmocka_unit_test(test_show_says_the_fallback_in_the_words_of_the_config),
        cmocka_unit_test(test_show_says_that_only_tripd_knows_the_rest),
        cmocka_unit_test(test_show_names_the_owners_of_modes),
        cmocka_unit_test(test_show_begins_with_actor_and_reason),
        cmocka_unit_test(test_show_says_what_a_ramp_admits),
        cmocka_unit_test(test_show_says_where_only_a_sample_of_calls_is_timed),
        cmocka_unit_test(test_a_count_of_one_is_singular),
        cmocka_unit_test(test_events_are_a_line_each),
        cmocka_unit_test(test_events_of_levels_and_features_name_whom_they_are_of),
        cmocka_unit_test(test_levels_are_a_table_with_the_names_of_all_below_it),
        cmocka_unit_test(test_what_a_change_of_a_level_did_is_said_in_a_sentence),
        cmocka_unit_test(test_a_feature_says_why_it_is_as_it_is),
        cmocka_unit_test(test_clients_are_a_table),
        cmocka_unit_test(test_status_says_whether_tripd_runs),
        cmocka_unit_test(test_hits_are_listed_and_counted),
        cmocka_unit_test(test_a_reset_that_a_mode_outlasts_says_so),
        cmocka_unit_test(test_a_reload_prints_its_notes),
        cmocka_unit_test(test_json_is_one_line_with_rates_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
