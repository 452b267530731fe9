/* A config of several files: NAME.yaml, and the drop-ins of NAME.d. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../support/folder.h"
#include "config/config.h"
#include "trip.h"

static struct {
    char dir[FOLDER_ROOM], main[64];
} fixture;

static int set_up(void **state)
{
    (void)state;
    folder_make(fixture.dir, FOLDER_IN_TMP);
    snprintf(fixture.main, sizeof(fixture.main), "%s/t.yaml", fixture.dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(fixture.dir);
    return 0;
}

static void write_text(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", fixture.dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture.dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* In `expected`, DIR stands for the folder. */
static void assert_says(const char *said, const char *expected)
{
    char whole[4096] = "";
    if (!said)
        fail_msg("nothing was said instead of:\n%s", expected);
    for (const char *at = expected; *at;) {
        const bool dir = strncmp(at, "DIR", 3) == 0;
        const size_t length = strlen(whole);
        snprintf(whole + length, sizeof(whole) - length, "%.*s", dir ? (int)sizeof(fixture.dir) : 1,
                 dir ? fixture.dir : at);
        at += dir ? 3 : 1;
    }
    assert_string_equal(said, whole);
}

static struct config *accepted(void)
{
    struct config *config = NULL;
    char *problems = NULL;
    if (config_load(fixture.main, &config, &problems) != 0)
        fail_msg("refused:\n%s", problems ? problems : "(nothing)");
    return config;
}

static void refused(int error, const char *expected)
{
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_load(fixture.main, &config, &problems), error);
    assert_null(config);
    assert_says(problems, expected);
    free(problems);
}

static void test_entries_of_drop_ins_stand_before_the_files_in_order_of_name(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "breakers:\n- match: main/*\n- match: \"*\"\n  open: {for: 1s}\n");
    write_text("t.d/20-b.yaml", "breakers: [{match: a/*, open: {for: 20s}}, {match: b/*}]\n");
    write_text("t.d/10-a.yaml", "breakers: [{match: a/x, open: {for: 10s}}]\n");
    struct config *config = accepted();
    assert_int_equal(config->breaker_count, 5);
    assert_string_equal(config->breakers[0].match, "a/x");
    assert_string_equal(config->breakers[1].match, "a/*");
    assert_string_equal(config->breakers[2].match, "b/*");
    assert_string_equal(config->breakers[3].match, "main/*");
    assert_string_equal(config->breakers[4].match, "*");
    assert_int_equal(config_settings_for(config, "a/x")->open.span, 10000000000);
    assert_int_equal(config_settings_for(config, "a/y")->open.span, 20000000000);
    assert_int_equal(config_settings_for(config, "c")->open.span, 1000000000);
    assert_string_equal(config->file, fixture.main);
    assert_null(config->notes);
    config_free(config);
}

static void test_of_limits_and_access_the_key_read_last_wins(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "limits: {max_breakers: 10, max_lanes: 10}\naccess: {report: [\"user:1\"], control: []}\n");
    write_text("t.d/10-a.yaml", "limits: {max_lanes: 20}\naccess: {report: [\"user:2\", \"user:3\"]}\n");
    write_text("t.d/20-b.yaml", "limits: {max_lanes: 30}\n");
    struct config *config = accepted();
    assert_int_equal(config->limits.max_breakers, 10);
    assert_int_equal(config->limits.max_lanes, 30);
    assert_int_equal(config->access[CONFIG_REPORT].count, 2);
    assert_string_equal(config->access[CONFIG_REPORT].who[0].text, "user:2");
    assert_int_equal(config->access[CONFIG_CONTROL].count, 0);
    config_free(config);
}

static void test_problems_of_all_files_are_told_at_once(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "limits: {max_lanes: 0}\n");
    write_text("t.d/10-a.yaml", "breakers:\n- match: a\n  trip: {failures: x}\n");
    write_text("t.d/20-b.yaml", "\nnothing: 1\n");
    refused(-EINVAL, "DIR/t.yaml:1: limits.max_lanes: '0' is less than 1; write 1 to 4095\n"
                     "DIR/t.d/10-a.yaml:3: trip.failures: 'x' is not understood; write a whole number, as 100\n"
                     "DIR/t.d/20-b.yaml:2: unknown key 'nothing'; known here: limits, access, correlation, breakers, "
                     "levels, features\n");
}

static void test_an_entry_that_a_drop_in_replaces_is_noted_and_left_out(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "breakers:\n- match: payments/db\n  open: {for: 1s}\n- match: other\n");
    write_text("t.d/10-a.yaml", "\nbreakers:\n- match: payments/*\n  open: {for: 2s}\n");
    struct config *config = accepted();
    assert_says(config->notes, "DIR/t.yaml:2: match: \"payments/db\" is replaced by \"payments/*\" of "
                               "DIR/t.d/10-a.yaml:3, which stands before it\n");
    assert_int_equal(config->breaker_count, 3);
    assert_string_equal(config->breakers[1].match, "other");
    assert_int_equal(config_settings_for(config, "payments/db")->open.span, 2000000000);
    config_free(config);
}

static void test_within_one_file_an_entry_that_is_never_reached_is_a_problem(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "");
    write_text("t.d/10-a.yaml", "breakers:\n- match: a*\n- match: ab\n");
    refused(-EINVAL,
            "DIR/t.d/10-a.yaml:3: match: \"ab\" is never reached, as \"a*\" stands before it and the first that "
            "matches wins; write the narrower pattern first, or remove one\n");
}

static void test_only_yaml_files_that_are_not_hidden_are_drop_ins(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "");
    write_text("t.d/10-a.yaml~", "nothing: 1\n");
    write_text("t.d/.10-a.yaml", "nothing: 1\n");
    write_text("t.d/README", "nothing: 1\n");
    struct config *config = accepted();
    assert_int_equal(config->breaker_count, 1);
    config_free(config);
}

static void test_a_file_of_another_ending_has_no_drop_ins(void **state)
{
    (void)state;
    struct config *config = NULL;
    char *problems = NULL;
    char path[64];
    make_folder("t.conf.d");
    make_folder("t.d");
    write_text("t.conf", "");
    write_text("t.conf.d/a.yaml", "nothing: 1\n");
    write_text("t.d/a.yaml", "nothing: 1\n");
    snprintf(path, sizeof(path), "%s/t.conf", fixture.dir);
    assert_int_equal(config_load(path, &config, &problems), 0);
    config_free(config);
}

static void test_drop_ins_count_where_the_file_may_be_missing(void **state)
{
    (void)state;
    struct config *config = NULL;
    char *problems = NULL;
    make_folder("t.d");
    write_text("t.d/a.yaml", "limits: {max_lanes: 7}\n");
    refused(-ENOENT, "DIR/t.yaml: cannot be read: No such file or directory; create it, or name another one\n");
    assert_int_equal(config_load_if_there(fixture.main, &config, &problems), 0);
    assert_int_equal(config->limits.max_lanes, 7);
    assert_null(config->file);
    config_free(config);
}

static void test_a_drop_in_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "");
    make_folder("t.d/a.yaml");
    refused(-EINVAL, "DIR/t.d/a.yaml: not a file; name the YAML file itself\n");
}

static void test_a_file_where_the_folder_should_be_is_refused(void **state)
{
    (void)state;
    write_text("t.yaml", "");
    write_text("t.d", "");
    refused(-ENOTDIR, "DIR/t.d: cannot be read: Not a directory; drop-ins are files in a folder of this name\n");
}

static void test_64_drop_ins_are_read_and_65_refused(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "");
    for (unsigned i = 0; i < 64; i++) {
        char name[32];
        snprintf(name, sizeof(name), "t.d/%02u.yaml", i);
        write_text(name, "");
    }
    config_free(accepted());
    write_text("t.d/64.yaml", "");
    refused(-E2BIG, "DIR/t.d: more than 64 drop-ins; put several into one file\n");
}

static void write_comment(const char *name, size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, '#', size);
    text[size] = '\0';
    write_text(name, text);
    free(text);
}

static void test_all_files_together_have_1_mib_at_most(void **state)
{
    (void)state;
    make_folder("t.d");
    write_comment("t.yaml", 600000);
    write_comment("t.d/a.yaml", (1 << 20) - 600000);
    config_free(accepted());
    write_comment("t.d/a.yaml", (1 << 20) - 600000 + 1);
    refused(-EFBIG,
            "DIR/t.d/a.yaml: larger than 1MiB together with the files read before it; let patterns with * stand "
            "for many breakers\n");
}

static void test_all_files_together_have_4096_entries_at_most(void **state)
{
    (void)state;
    char *text = malloc(400000);
    assert_non_null(text);
    size_t length = (size_t)sprintf(text, "breakers:\n");
    for (unsigned i = 0; i < 4096; i++)
        length += (size_t)sprintf(text + length, "- match: a%u\n", i);
    make_folder("t.d");
    write_text("t.yaml", text);
    free(text);
    write_text("t.d/a.yaml", "breakers: []\n");
    config_free(accepted());
    write_text("t.d/a.yaml", "\nbreakers: [{match: b}]\n");
    refused(
        -EINVAL,
        "DIR/t.d/a.yaml:2: breakers: with these 1 entries there are 4097, and all files together may have 4096; let "
        "patterns with * stand for many breakers\n");
}

static void test_show_names_the_file_of_each_setting(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "limits: {max_lanes: 7}\nbreakers:\n- match: main\n");
    write_text("t.d/a.yaml", "access:\n  report: [any]\nbreakers:\n- match: dropped\n");
    struct config *config = accepted();
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_int_equal(config_write_yaml(config, file, true), 0);
    fclose(file);
    char comments[2048] = "";
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (line[0] == '#' || strstr(line, "match:"))
            strcat(strcat(comments, line), "\n");
    assert_says(comments, "# limits.max_breakers: default\n"
                          "# limits.max_lanes: DIR/t.yaml:1\n"
                          "# limits.lane_memory_per_user: default\n"
                          "# limits.breakers_per_user: default\n"
                          "# correlation.window: default\n"
                          "# correlation.max_errors: default\n"
                          "# correlation.high_error_rate: default\n"
                          "# correlation.pattern_share: default\n"
                          "# correlation.fingerprints: default\n"
                          "# correlation.cascade_window: default\n"
                          "# correlation.quiet: default\n"
                          "# access.observe: default\n"
                          "# access.report: DIR/t.d/a.yaml:2\n"
                          "# access.control: default\n"
                          "# levels.names: default\n"
                          "# levels.back_after: default\n"
                          "# DIR/t.d/a.yaml:4\n"
                          "  - match: \"dropped\"\n"
                          "# DIR/t.yaml:3\n"
                          "  - match: \"main\"\n"
                          "# default\n"
                          "  - match: \"*\"\n");
    free(text);
    config_free(config);
}

static void test_a_config_shown_with_origins_reads_back_the_same(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "breakers:\n- match: main\n- match: x/y\n");
    write_text("t.d/a.yaml", "breakers:\n- match: x/*\n");
    struct config *config = accepted(), *again = NULL;
    char *text = NULL, *problems = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_int_equal(config_write_yaml(config, file, true), 0);
    fclose(file);
    assert_int_equal(config_parse(text, length, "shown", &again, &problems), 0);
    assert_int_equal(again->breaker_count, 3);
    assert_memory_equal(config->breakers, again->breakers, 3 * sizeof(struct breaker_settings));
    config_free(again);
    config_free(config);
    free(text);
}

/* Returns the first step that an entry has for errors of the network. */
static const char *network_text(const struct config *config, const char *name)
{
    const uint16_t fallback = config_settings_for(config, name)->fallback;
    assert_true(fallback && fallback_book_ok(config->fallbacks));
    const uint16_t first = config->fallbacks->chains[fallback - 1].first[TRIP_ERROR_NETWORK];
    assert_true(first);
    return config->fallbacks->texts + config->fallbacks->steps[first - 1].text;
}

static void test_drop_ins_have_fallbacks_beside_the_files(void **state)
{
    (void)state;
    make_folder("t.d");
    write_text("t.yaml", "breakers:\n- {match: main, fallback: {network: [{queue: main}]}}\n"
                         "- {match: gone, fallback: {network: [{queue: gone}]}}\n- {match: none}\n");
    write_text("t.d/a.yaml", "breakers:\n- {match: \"g*\", fallback: {network: [{queue: dropped}]}}\n");
    struct config *config = accepted(), *again = NULL;
    char *text = NULL, *problems = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_int_equal(config_write_yaml(config, file, true), 0);
    fclose(file);
    assert_int_equal(config_parse(text, length, "shown", &again, &problems), 0);
    const struct config *const both[] = {config, again};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(network_text(both[i], "main"), "main");
        assert_string_equal(network_text(both[i], "gone"), "dropped");
        assert_int_equal(config_settings_for(both[i], "none")->fallback, 0);
    }
    config_free(again);
    config_free(config);
    free(text);
}

static void test_files_that_change_give_other_fallbacks(void **state)
{
    (void)state;
    write_text("t.yaml", "breakers: [{match: a, fallback: {network: [{queue: one}]}}]\n");
    struct config *config = accepted();
    write_text("t.yaml",
               "breakers: [{match: b, fallback: standard}, {match: a, fallback: {network: [{queue: two}]}}]\n");
    struct config *next = accepted();
    assert_string_equal(network_text(config, "a"), "one");
    assert_string_equal(network_text(next, "a"), "two");
    config_free(config);
    write_text("t.yaml", "breakers: [{match: a}]\n");
    config = accepted();
    assert_null(config->fallbacks);
    config_free(config);
    config_free(next);
}

static void test_bounds_of_fallbacks_are_for_all_files_together(void **state)
{
    (void)state;
    char *text = malloc(65536);
    assert_non_null(text);
    size_t length = (size_t)sprintf(text, "breakers:\n");
    for (unsigned i = 0; i < 256; i++)
        length += (size_t)sprintf(text + length, "- {match: a%u, fallback: {network: [{queue: q%u}]}}\n", i, i);
    make_folder("t.d");
    write_text("t.yaml", text);
    free(text);
    write_text("t.d/a.yaml", "breakers: [{match: b, fallback: {network: [{queue: q7}]}}]\n");
    config_free(accepted());
    write_text("t.d/a.yaml", "breakers:\n- {match: b, fallback: standard}\n");
    refused(-EINVAL, "DIR/t.d/a.yaml:2: fallback: with this one all files together have more than 256; write equal "
                     "ones, which count once\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_entries_of_drop_ins_stand_before_the_files_in_order_of_name),
        TEST(test_of_limits_and_access_the_key_read_last_wins),
        TEST(test_problems_of_all_files_are_told_at_once),
        TEST(test_an_entry_that_a_drop_in_replaces_is_noted_and_left_out),
        TEST(test_within_one_file_an_entry_that_is_never_reached_is_a_problem),
        TEST(test_only_yaml_files_that_are_not_hidden_are_drop_ins),
        TEST(test_a_file_of_another_ending_has_no_drop_ins),
        TEST(test_drop_ins_count_where_the_file_may_be_missing),
        TEST(test_a_drop_in_that_cannot_be_read_is_refused),
        TEST(test_a_file_where_the_folder_should_be_is_refused),
        TEST(test_64_drop_ins_are_read_and_65_refused),
        TEST(test_all_files_together_have_1_mib_at_most),
        TEST(test_all_files_together_have_4096_entries_at_most),
        TEST(test_show_names_the_file_of_each_setting),
        TEST(test_a_config_shown_with_origins_reads_back_the_same),
        TEST(test_drop_ins_have_fallbacks_beside_the_files),
        TEST(test_files_that_change_give_other_fallbacks),
        TEST(test_bounds_of_fallbacks_are_for_all_files_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
