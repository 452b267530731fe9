/* tripd's command line: what is understood, and what each mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "options.h"

/* Parses words up to NULL; *said is what went to standard error and output. */
static enum options_answer parse(struct options *options, char said[CAPTURE_MAX], const char *const *words)
{
    char *argv[16] = {(char *)"tripd"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    struct capture capture;
    capture_begin(&capture);
    const enum options_answer answer = options_parse(argc, argv, options);
    capture_end(&capture, said);
    return answer;
}

#define PARSE(options, said, ...) parse(options, said, (const char *const[]){__VA_ARGS__, NULL})

static void test_without_arguments_the_default_instance_runs(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct options options;
    unsetenv("TRIP_INSTANCE");
    assert_int_equal(PARSE(&options, said, NULL), OPTIONS_RUN);
    assert_string_equal(options.instance, "default");
    assert_null(options.config);
    assert_false(options.user);
    assert_false(options.test_clock);
    assert_string_equal(said, "");
}

static void test_every_option_is_understood(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct options options;
    assert_int_equal(PARSE(&options, said, "-i", "web", "-c", "x.yaml", "--user", "--test-clock"), OPTIONS_RUN);
    assert_string_equal(options.instance, "web");
    assert_string_equal(options.config, "x.yaml");
    assert_true(options.user);
    assert_true(options.test_clock);
    assert_int_equal(PARSE(&options, said, "--instance=db", "--config=y.yaml"), OPTIONS_RUN);
    assert_string_equal(options.instance, "db");
    assert_string_equal(options.config, "y.yaml");
}

static void test_the_environment_names_the_instance_unless_told(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct options options;
    setenv("TRIP_INSTANCE", "from-env", 1);
    assert_int_equal(PARSE(&options, said, NULL), OPTIONS_RUN);
    assert_string_equal(options.instance, "from-env");
    assert_int_equal(PARSE(&options, said, "-i", "told"), OPTIONS_RUN);
    assert_string_equal(options.instance, "told");
    setenv("TRIP_INSTANCE", "no/name", 1);
    assert_int_equal(PARSE(&options, said, NULL), OPTIONS_WRONG);
    assert_non_null(strstr(said, "\"no/name\" cannot name an instance"));
    unsetenv("TRIP_INSTANCE");
}

static void test_a_bad_instance_is_refused_and_nothing_is_set(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct options options = {.instance = "untouched"};
    assert_int_equal(PARSE(&options, said, "-i", "../etc"), OPTIONS_WRONG);
    assert_string_equal(said, "tripd: \"../etc\" cannot name an instance: 1 to 63 letters, digits and . _ - are "
                              "allowed, and the first is no dot\n");
    assert_string_equal(options.instance, "untouched");
}

static void test_each_mistake_is_named(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct options options;
    assert_int_equal(PARSE(&options, said, "--frobnicate"), OPTIONS_WRONG);
    assert_string_equal(said, "tripd: there is no option --frobnicate; `tripd --help` lists what there is\n");
    assert_int_equal(PARSE(&options, said, "-z"), OPTIONS_WRONG);
    assert_string_equal(said, "tripd: there is no option -z; `tripd --help` lists what there is\n");
    assert_int_equal(PARSE(&options, said, "-i"), OPTIONS_WRONG);
    assert_string_equal(said, "tripd: an argument is missing after -i; `tripd --help` lists what there is\n");
    assert_int_equal(PARSE(&options, said, "--config"), OPTIONS_WRONG);
    assert_string_equal(said, "tripd: an argument is missing after --config; `tripd --help` lists what there is\n");
    assert_int_equal(PARSE(&options, said, "start"), OPTIONS_WRONG);
    assert_string_equal(said, "tripd: no argument is expected: start; `tripd --help` lists what there is\n");
}

static void test_help_and_version_are_printed_and_that_is_all(void **state)
{
    (void)state;
    char said[CAPTURE_MAX];
    struct options options;
    assert_int_equal(PARSE(&options, said, "--version"), OPTIONS_DONE);
    assert_string_equal(said, "tripd 0.1.0\n");
    assert_int_equal(PARSE(&options, said, "--help"), OPTIONS_DONE);
    assert_non_null(strstr(said, "  -i, --instance NAME "));
    assert_non_null(strstr(said, "      --test-clock "));
    assert_int_equal(PARSE(&options, said, "-h"), OPTIONS_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_arguments_the_default_instance_runs),
        cmocka_unit_test(test_every_option_is_understood),
        cmocka_unit_test(test_the_environment_names_the_instance_unless_told),
        cmocka_unit_test(test_a_bad_instance_is_refused_and_nothing_is_set),
        cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_help_and_version_are_printed_and_that_is_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
