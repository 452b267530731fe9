/* tripctl's command line: the meaning of good ones, and the messages to bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"

#define VERB(function, words, operands, options, help) {#function, words, operands, options, help, NULL},
static const struct verb verbs[] = {TRIPCTL_VERBS(VERB){0}};

static char said[8192]; /* on standard output and standard error */

static enum arguments_answer parse_words(int argc, char **argv, struct arguments *ret_arguments)
{
    int saved[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    FILE *file = tmpfile();
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    const enum arguments_answer answer = arguments_parse(argc, argv, verbs, ret_arguments);
    fflush(stdout);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(saved[0]);
    close(saved[1]);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
    return answer;
}

#define PARSE(arguments, ...)                                                       \
    parse_words((int)(sizeof((char *[]){"tripctl", __VA_ARGS__}) / sizeof(char *)), \
                (char *[]){"tripctl", __VA_ARGS__, NULL}, arguments)

#define ASSERT_WRONG(expected, ...)                                        \
    do {                                                                   \
        struct arguments untouched = {.instance = "untouched"};            \
        assert_int_equal(PARSE(&untouched, __VA_ARGS__), ARGUMENTS_WRONG); \
        assert_string_equal(said, expected);                               \
        assert_string_equal(untouched.instance, "untouched");              \
    } while (0)

static int set_up(void **state)
{
    (void)state;
    unsetenv("TRIP_INSTANCE");
    return 0;
}

static void test_options_may_stand_anywhere(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "--json", "trip", "--for", "30s", "payments/*", "-i", "blue", "--reason=a b"),
                     ARGUMENTS_RUN);
    assert_string_equal(arguments.verb->method, "trip");
    assert_string_equal(arguments.operand, "payments/*");
    assert_string_equal(arguments.instance, "blue");
    assert_string_equal(arguments.reason, "a b");
    assert_int_equal(arguments.for_ms, 30000);
    assert_int_equal(arguments.given, OPTION_JSON | OPTION_FOR | OPTION_INSTANCE | OPTION_REASON);
}

static void test_durations_have_units(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "clock", "advance", "250ms"), ARGUMENTS_RUN);
    assert_int_equal(arguments.duration_ms, 250);
    assert_int_equal(PARSE(&arguments, "disable", "db", "--ttl", "5m"), ARGUMENTS_RUN);
    assert_int_equal(arguments.ttl_ms, 300000);
    assert_int_equal(PARSE(&arguments, "trip", "db", "--for", "720h"), ARGUMENTS_RUN);
    assert_int_equal(arguments.for_ms, 2592000000);

    struct arguments untouched;
    static const char *const wrong[] = {"5", "5x", "-5s", "0s", "721h", "", "1e3s", "010s"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(PARSE(&untouched, "trip", "db", "--for", (char *)wrong[i]), ARGUMENTS_WRONG);
        assert_ptr_equal(strstr(said, "tripctl: --for: "), said);
    }
}

static void test_wait_takes_a_state_and_a_timeout(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "wait", "db", "--state", "half_open", "--timeout", "500ms"), ARGUMENTS_RUN);
    assert_string_equal(arguments.operand, "db");
    assert_int_equal(arguments.state, TRIP_STATE_HALF_OPEN);
    assert_int_equal(arguments.timeout_ms, 500);
    assert_int_equal(PARSE(&arguments, "wait", "db", "--state", "open"), ARGUMENTS_RUN);
    assert_int_equal(arguments.timeout_ms, 30000);
    ASSERT_WRONG("tripctl: --state: 'opne' is no state; closed, open, half_open and ramping are\n", "wait", "db",
                 "--state", "opne");
    ASSERT_WRONG("tripctl: wait needs NAME\n", "wait", "--state", "open");
    ASSERT_WRONG("tripctl: show has no option --timeout; `tripctl show --help` lists its options\n", "show", "db",
                 "--timeout", "1s");
}

static void test_verbs_of_two_words(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "config", "check", "x.yaml"), ARGUMENTS_RUN);
    assert_string_equal(arguments.verb->method, "config_check");
    assert_string_equal(arguments.operand, "x.yaml");
    ASSERT_WRONG("tripctl: config needs another word, as in config check\n", "config");
    ASSERT_WRONG("tripctl: clock needs another word, as in clock show\n", "clock", "back");
}

static void test_an_operand_may_be_left_out_where_it_says_so(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "list"), ARGUMENTS_RUN);
    assert_null(arguments.operand);
    assert_string_equal(arguments.instance, "default");
    ASSERT_WRONG("tripctl: trip needs NAME|PATTERN\n", "trip");
    ASSERT_WRONG("tripctl: list does not take b\n", "list", "a", "b");
    ASSERT_WRONG("tripctl: status does not take db\n", "status", "db");
}

static void test_a_trace_takes_a_file_and_may_take_a_pattern(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "trace", "/tmp/any file", "--for", "30s"), ARGUMENTS_RUN);
    assert_string_equal(arguments.operand, "/tmp/any file");
    assert_null(arguments.second);
    assert_int_equal(arguments.for_ms, 30000);
    assert_int_equal(PARSE(&arguments, "trace", "-", "payments/*"), ARGUMENTS_RUN);
    assert_string_equal(arguments.operand, "-");
    assert_string_equal(arguments.second, "payments/*");
    ASSERT_WRONG("tripctl: trace needs FILE [NAME|PATTERN]\n", "trace");
    ASSERT_WRONG("tripctl: trace does not take b\n", "trace", "x", "a", "b");
    ASSERT_WRONG("tripctl: \"a b\" is no name or pattern: 1 to 127 of letters, digits and . _ : / @ -, with * for any "
                 "run of characters and ? for one\n",
                 "trace", "x", "a b");
}

static void test_a_recording_takes_a_file_a_pace_and_a_bound(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "record", "/tmp/any file"), ARGUMENTS_RUN);
    assert_string_equal(arguments.operand, "/tmp/any file");
    assert_int_equal(arguments.every_ms, 1000);
    assert_int_equal(arguments.most, 67108864);
    assert_int_equal(PARSE(&arguments, "record", "f", "--every", "100ms", "--most", "64KiB"), ARGUMENTS_RUN);
    assert_int_equal(arguments.every_ms, 100);
    assert_int_equal(arguments.most, 65536);
    ASSERT_WRONG("tripctl: --every: '99ms' is less than 100ms; write 100ms to 30d\n", "record", "f", "--every", "99ms");
    ASSERT_WRONG("tripctl: --most: '63KiB' is less than 64KiB; write 64KiB to 4GiB\n", "record", "f", "--most", "63KiB");
    ASSERT_WRONG("tripctl: --most: '5GiB' is more than 4GiB; write 64KiB to 4GiB\n", "record", "f", "--most", "5GiB");
}

static void test_a_level_may_come_without_a_group_and_a_feature_needs_its_state(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "level"), ARGUMENTS_RUN);
    assert_string_equal(arguments.verb->method, "level_list");
    assert_int_equal(PARSE(&arguments, "level", "set", "minimal"), ARGUMENTS_RUN);
    assert_null(arguments.operand);
    assert_string_equal(arguments.second, "minimal");
    assert_int_equal(PARSE(&arguments, "level", "set", "payments", "2", "--ttl", "5m"), ARGUMENTS_RUN);
    assert_string_equal(arguments.operand, "payments");
    assert_string_equal(arguments.second, "2");
    assert_int_equal(PARSE(&arguments, "level", "auto"), ARGUMENTS_RUN);
    assert_null(arguments.operand);
    assert_null(arguments.second);
    assert_int_equal(PARSE(&arguments, "feature", "set", "search", "20%"), ARGUMENTS_RUN);
    assert_string_equal(arguments.operand, "search");
    assert_string_equal(arguments.second, "20%");
    ASSERT_WRONG("tripctl: level set needs [GROUP] LEVEL\n", "level", "set");
    ASSERT_WRONG("tripctl: level set does not take c\n", "level", "set", "a", "b", "c");
    ASSERT_WRONG("tripctl: feature set needs FEATURE on|off|PERCENT\n", "feature", "set", "search");
    ASSERT_WRONG("tripctl: \"a b\" is no name: 1 to 127 of letters, digits and . _ : / @ -\n", "level", "set", "a b",
                 "1");
}

static void test_wrong_verbs_and_options_are_named(void **state)
{
    (void)state;
    ASSERT_WRONG("tripctl: there is no verb lst; did you mean `list`?\n", "lst");
    ASSERT_WRONG("tripctl: there is no verb frobnicate; `tripctl --help` lists the verbs\n", "frobnicate");
    ASSERT_WRONG("tripctl: what shall be done? `tripctl --help` lists the verbs\n", "--json");
    ASSERT_WRONG("tripctl: there is no option --wide; `tripctl --help` lists what there is\n", "list", "--wide");
    ASSERT_WRONG("tripctl: there is no option -x; `tripctl --help` lists what there is\n", "-x", "list");
    ASSERT_WRONG("tripctl: an argument is missing after --for\n", "trip", "db", "--for");
    ASSERT_WRONG("tripctl: list has no option --for; `tripctl list --help` lists its options\n", "list", "--for", "5s");
    ASSERT_WRONG("tripctl: trip has no option --segment; `tripctl trip --help` lists its options\n", "trip", "db",
                 "--segment", "x");
}

static void test_names_and_patterns_are_checked(void **state)
{
    (void)state;
    char longest[129];
    struct arguments arguments;
    memset(longest, 'x', 128);
    longest[128] = '\0';
    ASSERT_WRONG("tripctl: \"d b\" is no name or pattern: 1 to 127 of letters, digits and . _ : / @ -, with * for any "
                 "run of characters and ? for one\n",
                 "trip", "d b");
    ASSERT_WRONG("tripctl: \"d*\" is no name of a breaker: 1 to 127 of letters, digits and . _ : / @ -; `tripctl list` "
                 "takes patterns\n",
                 "show", "d*");
    assert_int_equal(PARSE(&arguments, "trip", longest), ARGUMENTS_WRONG);
    assert_int_equal(PARSE(&arguments, "trip", longest + 1), ARGUMENTS_RUN);
    assert_int_equal(PARSE(&arguments, "trip", ""), ARGUMENTS_WRONG);
}

static void test_a_reason_is_one_short_line(void **state)
{
    (void)state;
    char longest[89];
    struct arguments arguments;
    memset(longest, 'x', 88);
    longest[88] = '\0';
    ASSERT_WRONG("tripctl: the reason is longer than 87 bytes\n", "trip", "db", "--reason", longest);
    assert_int_equal(PARSE(&arguments, "trip", "db", "--reason", longest + 1), ARGUMENTS_RUN);
    ASSERT_WRONG("tripctl: the reason has a control character; it must be one line of text\n", "trip", "db", "--reason",
                 "a\nb");
}

static void test_the_instance_comes_from_option_environment_or_default(void **state)
{
    (void)state;
    struct arguments arguments;
    setenv("TRIP_INSTANCE", "green", 1);
    assert_int_equal(PARSE(&arguments, "status"), ARGUMENTS_RUN);
    assert_string_equal(arguments.instance, "green");
    assert_int_equal(PARSE(&arguments, "status", "--instance", "blue"), ARGUMENTS_RUN);
    assert_string_equal(arguments.instance, "blue");
    ASSERT_WRONG("tripctl: \"../x\" is no instance: 1 to 63 letters, digits and . _ -, no dot first\n", "status", "-i",
                 "../x");
}

static void test_help_and_version_end_the_way(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(PARSE(&arguments, "--version"), ARGUMENTS_DONE);
    assert_string_equal(said, "tripctl 0.1.0\n");
    assert_int_equal(PARSE(&arguments, "--help"), ARGUMENTS_DONE);
    assert_non_null(strstr(said, "\n  force-open NAME|PATTERN    deny every call"));
    assert_int_equal(PARSE(&arguments, "clock", "advance", "-h"), ARGUMENTS_DONE);
    assert_ptr_equal(strstr(said, "usage: tripctl clock advance DURATION [OPTION...]\n"), said);
    assert_int_equal(PARSE(&arguments, "--complete"), ARGUMENTS_DONE);
    assert_ptr_equal(strstr(said, "list\t[NAME|PATTERN]\t--instance=NAME --user --json --help --segment=FILE \nshow\t"),
                     said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_may_stand_anywhere),
        cmocka_unit_test(test_durations_have_units),
        cmocka_unit_test(test_wait_takes_a_state_and_a_timeout),
        cmocka_unit_test(test_verbs_of_two_words),
        cmocka_unit_test(test_an_operand_may_be_left_out_where_it_says_so),
        cmocka_unit_test(test_a_trace_takes_a_file_and_may_take_a_pattern),
        cmocka_unit_test(test_a_recording_takes_a_file_a_pace_and_a_bound),
        cmocka_unit_test(test_a_level_may_come_without_a_group_and_a_feature_needs_its_state),
        cmocka_unit_test(test_wrong_verbs_and_options_are_named),
        cmocka_unit_test(test_names_and_patterns_are_checked),
        cmocka_unit_test(test_a_reason_is_one_short_line),
        cmocka_unit_test(test_the_instance_comes_from_option_environment_or_default),
        cmocka_unit_test(test_help_and_version_end_the_way),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
