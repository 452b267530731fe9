/* `fallback` of a breakers entry: what it means in the book, the words in which it is refused, and how it is shown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "protocol/report_config.h"
#include "trip.h"

static struct config *accepted(const char *text)
{
    struct config *config = NULL;
    char *problems = NULL;
    const int r = config_parse(text, strlen(text), "t.yaml", &config, &problems);
    if (r != 0)
        fail_msg("refused with %d:\n%s", r, problems ? problems : "(nothing)");
    if (config->fallbacks)
        assert_true(fallback_book_ok(config->fallbacks));
    return config;
}

/* Asserts that the text is refused with exactly these lines. */
static void refused(const char *text, const char *lines)
{
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_parse(text, strlen(text), "t.yaml", &config, &problems), -EINVAL);
    assert_null(config);
    assert_string_equal(problems, lines);
    free(problems);
}

/* Checks one fallback, in line 3. */
static void refused_fallback(const char *fallback, const char *what)
{
    char text[5600], lines[1200];
    snprintf(text, sizeof(text), "breakers:\n- match: a\n  fallback: %s\n", fallback);
    snprintf(lines, sizeof(lines), "t.yaml:3: %s\n", what);
    refused(text, lines);
}

/* Checks the one strategy for `network`. */
static void refused_strategy(const char *strategy, const char *what)
{
    char fallback[5400], whole[1100];
    snprintf(fallback, sizeof(fallback), "{network: [{%s}]}", strategy);
    snprintf(whole, sizeof(whole), "fallback.network%s", what);
    refused_fallback(fallback, whole);
}

static struct config *with(const char *fallback)
{
    char text[5600];
    snprintf(text, sizeof(text), "breakers:\n- match: a\n  fallback: %s\n", fallback);
    return accepted(text);
}

/* Writes the list that an entry has for a type, a word for each step: "cached 300000 | queue q". */
static const char *list_of(const struct config *config, size_t entry, enum trip_error_type type)
{
    static const char *const names[] = {"none", "cached", "alternative", "reduced", "default", "queue"};
    static char list[2048];
    const uint16_t fallback = config->breakers[entry].fallback;
    const struct fallback_book *const book = config->fallbacks;
    const uint16_t first = fallback ? book->chains[fallback - 1].first[type] : 0;
    size_t length = 0;
    list[0] = '\0';
    for (const struct fallback_step *step = &book->steps[first ? first - 1 : 0]; first; step++) {
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s", names[step->strategy]);
        if (step->strategy == TRIP_STRATEGY_CACHED)
            length += (size_t)snprintf(list + length, sizeof(list) - length, " %llu", (unsigned long long)step->ttl_ms);
        else
            length += (size_t)snprintf(list + length, sizeof(list) - length, " %.*s", (int)step->size,
                                       book->texts + step->text);
        if (step->flags & FALLBACK_WEIGHTED)
            length += (size_t)snprintf(list + length, sizeof(list) - length, " %u", step->weight);
        if (step->flags & FALLBACK_LAST)
            break;
        length += (size_t)snprintf(list + length, sizeof(list) - length, step->flags & FALLBACK_MORE ? " + " : " | ");
    }
    return list;
}

static const char *shown(const struct config *config, bool origins)
{
    static char *text;
    size_t length = 0;
    free(text);
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    assert_int_equal(config_write_yaml(config, file, origins), 0);
    fclose(file);
    return text;
}

/* ------------------------------------------------------------------------------------------------------- meaning */

static void test_each_error_type_has_its_list_and_the_star_is_for_all_others(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- match: \"payments/*\"\n"
                                     "  fallback:\n"
                                     "    network: [{cached: {ttl: 300s}}, {default: {value: {items: []}}}]\n"
                                     "    timeout: [{alternative: {endpoints: [\"backup.example.com:443\"]}}]\n"
                                     "    service_unavailable: [{queue: retry_queue}]\n"
                                     "    \"*\": [{reduced: [recommendations]}]\n");
    assert_null(config->notes);
    assert_string_equal(list_of(config, 0, TRIP_ERROR_NETWORK), "cached 300000 | default {\"items\":[]}");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_TIMEOUT), "alternative backup.example.com:443");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_SERVICE_UNAVAILABLE), "queue retry_queue");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_UNKNOWN), "reduced recommendations");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_USER + 15), "reduced recommendations");
    assert_int_equal(config->breakers[1].fallback, 0);
    assert_int_equal(config->fallbacks->generation, 0);
    assert_int_equal(config->fallbacks->chain_count, 1);
    assert_int_equal(config->fallbacks->step_count, 5);
    assert_string_equal(config->fallbacks->texts, ""); /* what a step without a text has */
    config_free(config);
}

static void test_an_empty_list_is_no_strategy_for_this_type(void **state)
{
    (void)state;
    struct config *config = with("{\"*\": [{queue: q}], user_3: []}");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_USER + 3), "");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_USER + 4), "queue q");
    config_free(config);
}

static void test_standard_has_no_endpoints_for_a_timeout(void **state)
{
    (void)state;
    struct config *config = with("standard");
    for (int type = 0; type < TRIP_ERROR_TYPE_COUNT; type++)
        assert_string_equal(list_of(config, 0, (enum trip_error_type)type), type == TRIP_ERROR_NETWORK ? "cached 300000"
                                                                            : type == TRIP_ERROR_SERVICE_UNAVAILABLE
                                                                                ? "queue retry_queue"
                                                                                : "");
    config_free(config);
}

static void test_no_strategy_at_all_is_no_fallback(void **state)
{
    (void)state;
    static const char *const none[] = {"none", "", "{}", "{network: [], \"*\": []}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct config *config = with(none[i]);
        assert_int_equal(config->breakers[0].fallback, 0);
        assert_null(config->fallbacks);
        config_free(config);
    }
}

static void test_endpoints_keep_their_order_or_are_drawn_by_weight(void **state)
{
    (void)state;
    struct config *config = with("{network: [{alternative: {endpoints: [a, {endpoint: b}]}},"
                                 "{alternative: {pick: weighted, endpoints: [{endpoint: c, weight: 1000}, d]}},"
                                 "{alternative: {pick: order, endpoints: [\"e@f-1_2/3:4\"]}}]}");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_NETWORK),
                        "alternative a + alternative b | alternative c 1000 + alternative d 1 | alternative "
                        "e@f-1_2/3:4");
    config_free(config);
}

static void test_a_cached_answer_may_be_300s_old_unless_it_says_else(void **state)
{
    (void)state;
    static const char *const texts[] = {"{cached: {}}", "{cached: }", "{cached: {ttl: 1s}}", "{cached: {ttl: 30d}}"};
    static const char *const lists[] = {"cached 300000", "cached 300000", "cached 1000", "cached 2592000000"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char fallback[64];
        snprintf(fallback, sizeof(fallback), "{network: [%s]}", texts[i]);
        struct config *config = with(fallback);
        assert_string_equal(list_of(config, 0, TRIP_ERROR_NETWORK), lists[i]);
        config_free(config);
    }
}

static void test_features_are_kept_with_commas(void **state)
{
    (void)state;
    struct config *config = with("{network: [{reduced: [a, \"b-2\", c/d]}]}");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_NETWORK), "reduced a,b-2,c/d");
    config_free(config);
}

static void test_values_are_json_by_the_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"text", "\"text\""},
        {"yes", "\"yes\""},
        {"true", "true"},
        {"False", "false"},
        {"\"true\"", "\"true\""},
        {"null", "null"},
        {"~", "null"},
        {"", "null"},
        {"''", "\"\""},
        {"0", "0"},
        {"-12", "-12"},
        {"+12", "12"},
        {"007", "7"},
        {"-00", "-0"},
        {"0x1F", "31"},
        {"0o17", "15"},
        {"0x", "\"0x\""},
        {"0o8", "\"0o8\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1.50", "1.50"},
        {".5", "0.5"},
        {"-.5e+3", "-0.5e+3"},
        {"5.", "5"},
        {"1e3", "1e3"},
        {"1e", "\"1e\""},
        {"1.2.3", "\"1.2.3\""},
        {".", "\".\""},
        {"- ", "[null]"},
        {"\"1\"", "\"1\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[1, [a, {b: []}], ~]", "[1,[\"a\",{\"b\":[]}],null]"},
        {"{a: 1, 2: b, ? true : {c: d}}", "{\"a\":1,\"2\":\"b\",\"true\":{\"c\":\"d\"}}"},
        {"\"\\\"\\\\\\n\\t\\e\\x7f\\x85\"", "\"\\\"\\\\\\n\\t\\u001b\\u007f\\u0085\""},
        {"\"\\u2028\\ufeff\\uffff\"", "\"\\u2028\\ufeff\\uffff\""},
        {"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512], list[256];
        snprintf(text, sizeof(text),
                 "breakers:\n- match: a\n  fallback:\n    network:\n    - default:\n        value:\n          %s\n",
                 cases[i].yaml);
        snprintf(list, sizeof(list), "default %s", cases[i].json);
        struct config *config = accepted(text);
        assert_string_equal(list_of(config, 0, TRIP_ERROR_NETWORK), list);
        struct config *again = accepted(shown(config, false));
        assert_string_equal(list_of(again, 0, TRIP_ERROR_NETWORK), list);
        config_free(again);
        config_free(config);
    }
}

static void test_what_is_equal_is_kept_once(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- {match: a, fallback: standard}\n"
                                     "- {match: b, fallback: {service_unavailable: [{queue: retry_queue}],\n"
                                     "                        network: [{cached: {}}]}}\n"
                                     "- {match: c, fallback: {timeout: [{alternative: {endpoints: [retry_queue]}},\n"
                                     "                                  {queue: retry_queue}]}}\n");
    assert_int_equal(config->breakers[0].fallback, 1);
    assert_int_equal(config->breakers[1].fallback, 1);
    assert_int_equal(config->breakers[2].fallback, 2);
    assert_int_equal(config->fallbacks->chain_count, 2);
    assert_int_equal(config->fallbacks->step_count, 4); /* no list begins within another */
    assert_int_equal(config->fallbacks->text_used, 13);
    config_free(config);
}

static void test_strategies_behind_one_that_always_answers_are_noted(void **state)
{
    (void)state;
    struct config *config = accepted("breakers:\n"
                                     "- match: a\n"
                                     "  fallback:\n"
                                     "    network:\n"
                                     "    - cached: {}\n"
                                     "    - default: {value: 1}\n"
                                     "    - queue: q\n"
                                     "    - reduced: [f]\n"
                                     "    \"*\": [{reduced: [f]}, {queue: q}]\n");
    assert_string_equal(config->notes,
                        "t.yaml:7: fallback.network: queue is never tried, as default stands before it and always "
                        "answers\n"
                        "t.yaml:8: fallback.network: reduced is never tried, as default stands before it and always "
                        "answers\n");
    config_free(config);
}

/* ------------------------------------------------------------------------------------------------------- refusals */

static void test_what_is_no_fallback_is_refused(void **state)
{
    (void)state;
    static const char not_one[] = "; write none, standard, or strategies by error type, as {network: [{cached: {ttl: "
                                  "300s}}]}";
    char what[256];
    snprintf(what, sizeof(what), "fallback: 'cached' is not one%s", not_one);
    refused_fallback("cached", what);
    snprintf(what, sizeof(what), "fallback: a list is not one%s", not_one);
    refused_fallback("[{cached: {}}]", what);
    refused("breakers:\n- match: a\n  falback: none\n",
            "t.yaml:3: unknown key 'falback' in breakers; write fallback\n");
    refused("breakers:\n- match: a\n  fallback: none\n  fallback: standard\n",
            "t.yaml:4: fallback stands here and in line 3; remove one of the two\n");
}

static void test_unknown_types_and_strategies_are_refused_with_the_nearest(void **state)
{
    (void)state;
    refused_fallback("{netwrok: []}", "unknown key 'netwrok' in fallback; write network");
    refused_fallback(
        "{cached: {}}",
        "unknown key 'cached' in fallback; known here: unknown, network, timeout, service_unavailable, "
        "rate_limited, resource_exhausted, protocol, authentication, internal, user_0 to user_15, or \"*\" "
        "for all others");
    refused_fallback("{network: [{cache: {}}]}", "unknown key 'cache' in fallback.network; write cached");
    refused_fallback("{\"*\": [{nothing: {}}]}", "unknown key 'nothing' in fallback.*; known here: cached, "
                                                 "alternative, reduced, default, queue");
    refused_fallback("{network: [{cached: {tl: 1s}}]}", "unknown key 'tl' in fallback.network.cached; write ttl");
}

/* A list holds one strategy an item. */
static void test_an_item_is_one_strategy(void **state)
{
    (void)state;
    refused_strategy("cached: {}, queue: q", ": cached and queue stand in one item; write an item for each, as "
                                             "[{cached: ...}, {queue: ...}]");
    refused_fallback("{network: [{queue: q, queue: r}]}", "queue stands here and in line 3; remove one of the two");
    refused_strategy("", ": an item names no strategy; write one, as {cached: {ttl: 300s}}");
    refused_fallback("{network: [cached]}", "fallback.network is 'cached'; write keys and values, as cached: ...");
    refused_fallback("{network: cached}", "fallback.network: 'cached' is no list of strategies; write it as [{cached: "
                                          "{ttl: 300s}}], or [] for none");
    refused_fallback("{network: }", "fallback.network: nothing is no list of strategies; write it as [{cached: {ttl: "
                                    "300s}}], or [] for none");
}

static void test_a_ttl_is_of_1s_to_30d(void **state)
{
    (void)state;
    refused_strategy("cached: {ttl: 999ms}", ".cached.ttl: '999ms' is less than 1s; write 1s to 30d");
    refused_strategy("cached: {ttl: 30d1ms}", ".cached.ttl: '30d1ms' is more than 30d; write 1s to 30d");
    refused_strategy("cached: {ttl: 1000.5ms}", ".cached.ttl: '1000.5ms' is finer than 1ms; write 1s to 30d");
    refused_strategy("cached: {ttl: 300}", ".cached.ttl: '300' has no unit; write a number and ms, s, m, h or d, as "
                                           "250ms or 30s");
    refused_strategy("cached: 300s", ".cached is '300s'; write keys and values, as ttl: ...");
}

static void test_endpoints_are_names_with_weights_where_they_are_drawn(void **state)
{
    (void)state;
    static const char as[] = " is no name; write 1 to 127 of letters, digits and . _ : / @ -, as "
                             "\"backup.example.com:443\"";
    char what[256];
    snprintf(what, sizeof(what), ".alternative.endpoints: 'a b'%s", as);
    refused_strategy("alternative: {endpoints: [a b]}", what);
    snprintf(what, sizeof(what), ".alternative.endpoints: nothing%s", as);
    refused_strategy("alternative: {endpoints: [\"\"]}", what);
    refused_strategy("alternative: {}",
                     ".alternative has no endpoints; write them as {endpoints: [\"backup.example.com:443\"]}");
    refused_strategy("alternative: {endpoints: []}", ".alternative.endpoints: a list is no list of 1 to 16; write it "
                                                     "as [\"backup.example.com:443\"]");
    refused_strategy("alternative: {endpoints: a}", ".alternative.endpoints: 'a' is no list of 1 to 16; write it "
                                                    "as [\"backup.example.com:443\"]");
    refused_strategy("alternative: {endpoints: [a], pick: random}",
                     ".alternative.pick: 'random' is not one; write order or weighted");
    refused_strategy("alternative: {endpoints: [{endpoint: a, weight: 1}]}",
                     ".alternative.endpoints: weight has no effect without pick: weighted; add pick: weighted, or "
                     "leave it out");
    refused_strategy("alternative: {pick: weighted, endpoints: [{endpoint: a, weight: 0}]}",
                     ".alternative.endpoints.weight: '0' is less than 1; write 1 to 1000");
    refused_strategy("alternative: {pick: weighted, endpoints: [{endpoint: a, weight: 1001}]}",
                     ".alternative.endpoints.weight: '1001' is more than 1000; write 1 to 1000");
    refused_strategy("alternative: {pick: weighted, endpoints: [{weight: 2}]}",
                     ".alternative.endpoints: one has no endpoint; write it as {endpoint: \"backup.example.com:443\", "
                     "weight: 2}");
    refused_fallback("{network: [{alternative: {endpoint: [a]}}]}",
                     "unknown key 'endpoint' in fallback.network.alternative; write endpoints");
}

static void test_names_of_features_and_queues_are_valid_names(void **state)
{
    (void)state;
    static const char right[] = "is no name; write 1 to 127 of letters, digits and . _ : / @ -, as";
    char what[256];
    snprintf(what, sizeof(what), ".reduced: 'a,b' %s recommendations", right);
    refused_strategy("reduced: [\"a,b\"]", what);
    snprintf(what, sizeof(what), ".queue: a list %s retry_queue", right);
    refused_strategy("queue: [q]", what);
    refused_strategy("reduced: []", ".reduced: a list is no list of 1 to 32 features; write it as [recommendations]");
    refused_strategy("reduced: search",
                     ".reduced: 'search' is no list of 1 to 32 features; write it as [recommendations]");
}

static void test_values_that_json_does_not_have_are_refused(void **state)
{
    (void)state;
    static const char bits[] = "is more than 64 bits hold; write a smaller number, or quotes around it";
    char what[256];
    snprintf(what, sizeof(what), ".default: '9223372036854775808' %s", bits);
    refused_strategy("default: {value: 9223372036854775808}", what);
    snprintf(what, sizeof(what), ".default: '0x8000000000000000' %s", bits);
    refused_strategy("default: {value: 0x8000000000000000}", what);
    snprintf(what, sizeof(what), ".default: '1e999' %s", bits);
    refused_strategy("default: {value: [1e999]}", what);
    refused_strategy("default: {value: -.inf}",
                     ".default: '-.inf' is a number that JSON does not have; write another, or quotes around it");
    refused_strategy("default: {value: {a: \"x\\0y\"}}", ".default: 'x?y' holds a NUL; write it without");
    refused_strategy("default: {value: {[a]: 1}}", ".default: a list is no key of JSON; write a text");
    refused_strategy("default: {value: {a: 1, \"a\": 2}}",
                     ".default: 'a' stands here and in line 3; remove one of the two");
    refused_strategy("default: {}", ".default has no value; write it as {value: {items: []}}");
    refused_strategy("default: [1]", ".default is a list; write keys and values, as value: ...");
}

static void test_a_value_is_no_deeper_than_9_levels(void **state)
{
    (void)state;
    struct config *config = with("{network: [{default: {value: [[[[[[[[[1]]]]]]]]]}}]}");
    assert_string_equal(list_of(config, 0, TRIP_ERROR_NETWORK), "default [[[[[[[[[1]]]]]]]]]");
    config_free(config);
    refused_fallback("{network: [{default: {value: [[[[[[[[[[1]]]]]]]]]]}}]}",
                     "nested too deep for any setting; close the brackets, or indent less");
}

/* --------------------------------------------------------------------------------------------------------- bounds */

/* Repeats a letter. */
static const char *run(char letter, size_t count)
{
    static char text[5000];
    assert_true(count < sizeof(text));
    memset(text, letter, count);
    text[count] = '\0';
    return text;
}

static void test_a_value_has_4096_bytes_and_a_key_1000_at_most(void **state)
{
    (void)state;
    char text[5200];
    snprintf(text, sizeof(text), "{network: [{default: {value: %s}}]}", run('x', 4094));
    struct config *config = with(text), *again = accepted(shown(config, false));
    assert_int_equal(again->fallbacks->text_used, 4098);
    config_free(again);
    config_free(config);
    snprintf(text, sizeof(text), "default: {value: %s}", run('x', 4095));
    refused_strategy(text, ".default: takes more than 4096 bytes as JSON; write a shorter one");
    snprintf(text, sizeof(text), "{network: [{default: {value: {? %s : 1}}}]}", run('k', 998));
    config = with(text);
    again = accepted(shown(config, false));
    config_free(again);
    config_free(config);
    snprintf(text, sizeof(text), "default: {value: {? %s : 1}}", run('k', 999));
    refused_strategy(text,
                     ".default: 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...' is a key of more than 1000 bytes; "
                     "write a shorter one");
}

static void test_a_list_has_16_strategies_at_most_each_endpoint_counted(void **state)
{
    (void)state;
    struct config *config = with("{network: [{alternative: {endpoints: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o]}},"
                                 "{queue: q}]}");
    assert_int_equal(config->fallbacks->step_count, 16);
    config_free(config);
    refused_fallback("{network: [{alternative: {endpoints: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o]}},"
                     "{cached: {}}, {queue: q}]}",
                     "fallback.network: has 17 strategies, each endpoint counted, and may have 16; leave some out");
    refused_strategy("alternative: {endpoints: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}",
                     ".alternative.endpoints: a list is no list of 1 to 16; write it as [\"backup.example.com:443\"]");
}

/* Makes a config of `count` entries, each of which `entry` writes. */
static char *entries(unsigned count, void (*entry)(FILE *file, unsigned i))
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    fputs("breakers:\n", file);
    for (unsigned i = 0; i < count; i++)
        entry(file, i);
    fclose(file);
    return text;
}

/* Asserts that so many entries are accepted, and read the same when they are shown, and that one more is refused. */
static void assert_bound(unsigned count, void (*entry)(FILE *file, unsigned i), const char *lines)
{
    char *text = entries(count, entry);
    struct config *config = accepted(text), *again = accepted(shown(config, false));
    assert_memory_equal(config->fallbacks, again->fallbacks, sizeof(*config->fallbacks));
    config_free(again);
    config_free(config);
    free(text);
    text = entries(count + 1, entry);
    refused(text, lines);
    free(text);
}

static void own_queue(FILE *file, unsigned i)
{
    fprintf(file, "- {match: a%u, fallback: {network: [{queue: q%u}]}}\n", i, i);
}

static void test_there_are_256_different_chains_at_most(void **state)
{
    (void)state;
    assert_bound(256, own_queue,
                 "t.yaml:258: fallback: with this one all files together have more than 256; write equal ones, which "
                 "count once\n");
}

static void own_lists(FILE *file, unsigned i)
{
    fprintf(file, "- {match: a%u, fallback: {", i);
    for (unsigned type = 0; type < 8; type++) {
        fprintf(file, "user_%u: [", type);
        for (unsigned step = 0; step < 16; step++)
            fprintf(file, "{cached: {ttl: %us}}, ", 1000 * i + 100 * type + step + 1);
        fputs("], ", file);
    }
    fputs("}}\n", file);
}

static void own_lists_and_one_more(FILE *file, unsigned i)
{
    if (i < 8)
        own_lists(file, i);
    else
        fputs("- {match: b, fallback: {network: [{cached: {}}]}}\n", file);
}

static void test_there_are_1024_strategies_at_most(void **state)
{
    (void)state;
    assert_bound(8, own_lists_and_one_more,
                 "t.yaml:10: fallback.network: with these 1 strategies all files together have more than 1024; write "
                 "equal lists, which count once\n");
}

/* Writes 12 values that take 49150 bytes with their NULs, and the last of them `more` bytes more. */
static void write_values(char text[65536], size_t more)
{
    size_t length = (size_t)sprintf(text, "breakers:\n");
    for (unsigned i = 0; i < 12; i++)
        length += (size_t)sprintf(text + length, "- {match: a%u, fallback: {network: [{default: {value: %s%02u}}]}}\n",
                                  i, run('x', i < 11 ? 4092 : 4078 + more), i);
}

static void test_the_texts_take_49150_bytes_at_most(void **state)
{
    (void)state;
    static char text[65536];
    write_values(text, 0);
    struct config *config = accepted(text), *again = accepted(shown(config, false));
    assert_int_equal(config->fallbacks->text_used, 49151);
    assert_memory_equal(config->fallbacks, again->fallbacks, sizeof(*config->fallbacks));
    config_free(again);
    config_free(config);
    write_values(text, 1);
    refused(text,
            "t.yaml:13: fallback.network.default: the texts of all fallbacks take more than 49150 bytes with this "
            "one; write shorter ones, or equal ones, which count once\n");
}

static void test_a_chain_takes_32768_bytes_at_most(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    for (unsigned types = 7; types <= 8; types++) {
        FILE *file = open_memstream(&text, &length);
        fputs("breakers:\n- match: a\n  fallback:\n", file);
        for (unsigned type = 0; type < types; type++)
            fprintf(file, "    user_%u: [{default: {value: %s%u}}]\n", type, run('x', 4093), type);
        fclose(file);
        if (types == 7)
            config_free(accepted(text));
        else
            refused(text, "t.yaml:4: fallback: takes 33152 bytes, written out for each type, and may take 32768; write "
                          "shorter texts, or one list as \"*\"\n");
        free(text);
    }
}

/* --------------------------------------------------------------------------------------------------------- showing */

static const char many[] = "breakers:\n"
                           "- match: a\n"
                           "  fallback:\n"
                           "    network: [{cached: {ttl: 1500ms}}, {default: {value: {items: [], n: 1.0}}}]\n"
                           "    timeout:\n"
                           "    - alternative: {endpoints: [\"x:1\", \"y:2\"]}\n"
                           "    - alternative: {pick: weighted, endpoints: [{endpoint: z, weight: 3}, w]}\n"
                           "    user_3: []\n"
                           "    \"*\": [{reduced: [f, g]}, {queue: retry_queue}]\n"
                           "- match: b\n"
                           "  fallback: standard\n";

static void test_chains_are_shown_as_lists_by_error_type(void **state)
{
    (void)state;
    struct config *config = accepted(many);
    const char *const text = shown(config, false);
    const char *const begin = strstr(text, "    fallback:\n"), *const end = strstr(text, "    forget_after");
    char chain[1024];
    assert_true(begin && end > begin);
    snprintf(chain, sizeof(chain), "%.*s", (int)(end - begin), begin);
    assert_string_equal(chain,
                        "    fallback:\n"
                        "      network:\n"
                        "        - cached: {ttl: 1500ms}\n"
                        "        - default: {value: {\"items\":[],\"n\":1.0}}\n"
                        "      timeout:\n"
                        "        - alternative: {pick: order, endpoints: [\"x:1\", \"y:2\"]}\n"
                        "        - alternative: {pick: weighted, endpoints: [{endpoint: \"z\", weight: 3}, {endpoint: "
                        "\"w\", weight: 1}]}\n"
                        "      user_3: []\n"
                        "      \"*\":\n"
                        "        - reduced: [\"f\", \"g\"]\n"
                        "        - queue: \"retry_queue\"\n");
    config_free(config);
}

static void test_shown_chains_read_back_as_the_same_book(void **state)
{
    (void)state;
    for (int origins = 0; origins <= 1; origins++) {
        struct config *config = accepted(many), *again = accepted(shown(config, origins));
        assert_string_equal(list_of(again, 0, TRIP_ERROR_TIMEOUT),
                            "alternative x:1 + alternative y:2 | alternative z 3 + alternative w 1");
        assert_string_equal(list_of(again, 0, TRIP_ERROR_UNKNOWN), "reduced f,g | queue retry_queue");
        assert_memory_equal(config->breakers, again->breakers, 3 * sizeof(struct breaker_settings));
        struct config *third = accepted(shown(again, origins));
        assert_memory_equal(again->fallbacks, third->fallbacks, sizeof(*again->fallbacks));
        config_free(third);
        config_free(again);
        config_free(config);
    }
}

static void assert_fallback_json(const json_t *entry, const char *expected)
{
    char *const text = json_dumps(json_object_get(entry, "fallback"), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text ? text : "none", expected);
    free(text);
}

static void test_json_has_the_chains_with_ttl_ms_and_values_as_texts(void **state)
{
    (void)state;
    static const char first[] =
        "{\"network\":[{\"cached\":{\"ttl_ms\":1500}},{\"default\":{\"value_json\":\"{\\\"items"
        "\\\":[],\\\"n\\\":1.0}\"}}],\"timeout\":[{\"alternative\":{\"pick\":\"order\","
        "\"endpoints\":[\"x:1\",\"y:2\"]}},{\"alternative\":{\"pick\":\"weighted\","
        "\"endpoints\":[{\"endpoint\":\"z\",\"weight\":3},{\"endpoint\":\"w\",\"weight\":1}]}}],"
        "\"user_3\":[],\"*\":[{\"reduced\":[\"f\",\"g\"]},{\"queue\":\"retry_queue\"}]}";
    struct config *config = accepted(many);
    json_t *whole = report_config(config, true), *entry = report_settings(config, config_settings_for(config, "a"));
    assert_fallback_json(entry, first);
    assert_fallback_json(json_array_get(json_object_get(whole, "breakers"), 0), first);
    assert_fallback_json(json_array_get(json_object_get(whole, "breakers"), 2), "none");
    json_decref(whole);
    json_decref(entry);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_error_type_has_its_list_and_the_star_is_for_all_others),
        cmocka_unit_test(test_an_empty_list_is_no_strategy_for_this_type),
        cmocka_unit_test(test_standard_has_no_endpoints_for_a_timeout),
        cmocka_unit_test(test_no_strategy_at_all_is_no_fallback),
        cmocka_unit_test(test_endpoints_keep_their_order_or_are_drawn_by_weight),
        cmocka_unit_test(test_a_cached_answer_may_be_300s_old_unless_it_says_else),
        cmocka_unit_test(test_features_are_kept_with_commas),
        cmocka_unit_test(test_values_are_json_by_the_core_schema),
        cmocka_unit_test(test_what_is_equal_is_kept_once),
        cmocka_unit_test(test_strategies_behind_one_that_always_answers_are_noted),
        cmocka_unit_test(test_what_is_no_fallback_is_refused),
        cmocka_unit_test(test_unknown_types_and_strategies_are_refused_with_the_nearest),
        cmocka_unit_test(test_an_item_is_one_strategy),
        cmocka_unit_test(test_a_ttl_is_of_1s_to_30d),
        cmocka_unit_test(test_endpoints_are_names_with_weights_where_they_are_drawn),
        cmocka_unit_test(test_names_of_features_and_queues_are_valid_names),
        cmocka_unit_test(test_values_that_json_does_not_have_are_refused),
        cmocka_unit_test(test_a_value_is_no_deeper_than_9_levels),
        cmocka_unit_test(test_a_value_has_4096_bytes_and_a_key_1000_at_most),
        cmocka_unit_test(test_a_list_has_16_strategies_at_most_each_endpoint_counted),
        cmocka_unit_test(test_there_are_256_different_chains_at_most),
        cmocka_unit_test(test_there_are_1024_strategies_at_most),
        cmocka_unit_test(test_the_texts_take_49150_bytes_at_most),
        cmocka_unit_test(test_a_chain_takes_32768_bytes_at_most),
        cmocka_unit_test(test_chains_are_shown_as_lists_by_error_type),
        cmocka_unit_test(test_shown_chains_read_back_as_the_same_book),
        cmocka_unit_test(test_json_has_the_chains_with_ttl_ms_and_values_as_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
