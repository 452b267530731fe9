/* `levels:` and `features:` of the config file: their meaning, and the words in which they are refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

static struct config *accepted(const char *text)
{
    struct config *config = NULL;
    char *problems = NULL;
    if (config_parse(text, strlen(text), "t.yaml", &config, &problems) != 0)
        fail_msg("refused:\n%s", problems ? problems : "(nothing)");
    return config;
}

/* Asserts that the text is refused with exactly these lines. */
static void refused(const char *text, const char *lines)
{
    struct config *config = NULL;
    char *problems = NULL;
    assert_int_equal(config_parse(text, strlen(text), "t.yaml", &config, &problems), -EINVAL);
    assert_string_equal(problems, lines);
    free(problems);
}

static const struct feature_settings *feature(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->feature_count; i++)
        if (strcmp(config->features[i].name, name) == 0)
            return &config->features[i];
    fail_msg("no feature %s", name);
    return NULL;
}

static void test_by_default_there_are_four_levels_steps_of_30_s_and_no_features(void **state)
{
    (void)state;
    struct config *config = accepted("");
    assert_int_equal(config->levels.count, 4);
    assert_string_equal(config->levels.names[0], "normal");
    assert_string_equal(config->levels.names[3], "emergency");
    assert_int_equal(config->levels.back_after, 30000000000);
    assert_int_equal(config->feature_count, 0);
    config_free(config);
    config = accepted("levels:\nfeatures:\n");
    assert_int_equal(config->levels.count, 4);
    config_free(config);
}

static void test_a_feature_names_its_level_or_its_number_also_before_the_levels_are_named(void **state)
{
    (void)state;
    struct config *config = accepted("features:\n"
                                     "  recommendations: {off_from: some, percent: 12.5%}\n"
                                     "  \"payments/express\": {off_from: 2}\n"
                                     "  late: {off_from: never}\n"
                                     "  plain:\n"
                                     "levels: {names: [all, some, none], back_after: 500ms}\n");
    assert_int_equal(config->levels.count, 3);
    assert_int_equal(config->levels.back_after, 500000000);
    assert_int_equal(feature(config, "recommendations")->off_from, 1);
    assert_int_equal(feature(config, "recommendations")->percent, 125);
    assert_int_equal(feature(config, "payments/express")->off_from, 2);
    assert_int_equal(feature(config, "payments/express")->percent, 1000);
    assert_int_equal(feature(config, "late")->off_from, LEVEL_NEVER);
    assert_int_equal(feature(config, "plain")->off_from, LEVEL_NEVER);
    config_free(config);
}

static void test_levels_that_cannot_be_told_apart_are_refused(void **state)
{
    (void)state;
    refused("levels: {names: [normal]}\n",
            "t.yaml:1: levels.names: a list is no list of 2 to 8 names; write them as [normal, degraded, minimal, "
            "emergency], the mildest first\n");
    refused("levels: {names: [a, b, c, d, e, f, g, h, i]}\n",
            "t.yaml:1: levels.names: a list is no list of 2 to 8 names; write them as [normal, degraded, minimal, "
            "emergency], the mildest first\n");
    refused("levels:\n  names:\n  - a\n  - b\n  - a\n",
            "t.yaml:5: levels.names: 'a' stands there twice; remove one of the two\n");
    refused("levels: {names: [a, 1]}\n",
            "t.yaml:1: levels.names: '1' is no name of a level; write a letter, and then up to 30 of letters, digits, "
            "_ and -, but not never\n");
    refused("levels: {names: [a, never]}\n",
            "t.yaml:1: levels.names: 'never' is no name of a level; write a letter, and then up to 30 of letters, "
            "digits, _ and -, but not never\n");
    refused(
        "levels: {names: [a, abcdefghijklmnopqrstuvwxyzabcdef]}\n",
        "t.yaml:1: levels.names: 'abcdefghijklmnopqrstuvwxyzabcdef' is no name of a level; write a letter, and then "
        "up to 30 of letters, digits, _ and -, but not never\n");
    config_free(accepted("levels: {names: [a, abcdefghijklmnopqrstuvwxyzabcde, c, d, e, f, g, h]}\n"));
}

static void test_back_after_is_from_100_ms_to_24_h(void **state)
{
    (void)state;
    config_free(accepted("levels: {back_after: 100ms}\n"));
    config_free(accepted("levels: {back_after: 24h}\n"));
    refused("levels: {back_after: 99ms}\n",
            "t.yaml:1: levels.back_after: '99ms' is less than 100ms; write 100ms to 1d\n");
    refused("levels: {back_after: 25h}\n", "t.yaml:1: levels.back_after: '25h' is more than 1d; write 100ms to 1d\n");
    refused("levels: {bak_after: 1s}\n", "t.yaml:1: unknown key 'bak_after' in levels; write back_after\n");
}

static void test_a_feature_that_could_never_be_on_or_names_no_level_is_refused_at_its_line(void **state)
{
    (void)state;
    refused("features:\n  a:\n    percent: 50%\n    off_from: gone\n",
            "t.yaml:4: features.off_from: 'gone' is no level; write one of degraded, minimal, emergency, a number from "
            "1 to 3, or never\n");
    refused("features: {a: {off_from: 4}}\n",
            "t.yaml:1: features.off_from: '4' is no level; write one of degraded, minimal, emergency, a number from 1 "
            "to 3, or never\n");
    refused("features: {a: {off_from: 0}}\n",
            "t.yaml:1: features.off_from: normal would switch the feature off for good; write percent: 0% if that is "
            "meant, else one of degraded, minimal, emergency\n");
    refused("features: {a: {off_from: normal}}\n",
            "t.yaml:1: features.off_from: normal would switch the feature off for good; write percent: 0% if that is "
            "meant, else one of degraded, minimal, emergency\n");
    refused("features: {a: {off_from: []}}\n",
            "t.yaml:1: features.off_from: a list is no level; write a level's name or number\n");
    refused("features: {a: {percent: 101%}}\n",
            "t.yaml:1: features.percent: '101%' is more than 100%; write 0% to 100%\n");
    refused("features: {a: {off: 1}}\n", "t.yaml:1: unknown key 'off' in features; known here: off_from, percent\n");
    config_free(accepted("features: {a: {percent: 0%}}\n"));
}

static void test_names_of_features_are_those_of_breakers_and_stand_once(void **state)
{
    (void)state;
    refused("features: {\"a b\": {}}\n",
            "t.yaml:1: features: 'a b' is no name; write 1 to 127 of letters, digits and . _ : / @ -\n");
    refused("features: {\"a*\": {}}\n",
            "t.yaml:1: features: 'a*' is no name; write 1 to 127 of letters, digits and . _ : / @ -\n");
    refused("features:\n  a: {off_from: 1}\n  a: {off_from: 2}\n",
            "t.yaml:3: features: a stands here and in line 2; remove one of the two\n");
    refused("features: [a]\n",
            "t.yaml:1: features is a list; write names and settings, as recommendations: {off_from: 1}\n");
}

/* Found by search: the first 54 bits of their hashes are equal. */
static void test_two_features_whose_words_could_not_be_told_apart_are_refused(void **state)
{
    (void)state;
    refused(
        "features:\n  mCHwqxvPo:\n  other:\n  0aHpHRuxR:\n",
        "t.yaml:4: features: mCHwqxvPo and 0aHpHRuxR cannot be told apart, as their names have the same hash; rename "
        "one\n");
}

static void test_256_features_are_accepted_and_one_more_is_refused(void **state)
{
    (void)state;
    char *text = NULL, line[96];
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    fputs("features:\n", file);
    for (unsigned i = 0; i < 256; i++)
        fprintf(file, "  feature-%u: {off_from: 1}\n", i);
    fflush(file);
    struct config *const config = accepted(text);
    assert_int_equal(config->feature_count, 256);
    config_free(config);
    fputs("  one-more:\n", file);
    fclose(file);
    snprintf(line, sizeof(line),
             "t.yaml:258: features: one-more is one more than the 256 that there may be; remove one\n");
    refused(text, line);
    free(text);
}

static void test_a_drop_in_replaces_a_feature_and_names_the_levels_of_all_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/trip-config-XXXXXX", path[64], drop_in[96];
    struct config *config = NULL;
    char *problems = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/t.yaml", folder);
    snprintf(drop_in, sizeof(drop_in), "%s/t.d", folder);
    mkdir(drop_in, 0700);
    strcat(drop_in, "/10.yaml");
    FILE *file = fopen(path, "w");
    fputs("features: {a: {off_from: worse, percent: 10%}, b: {off_from: 1}}\n", file);
    fclose(file);
    file = fopen(drop_in, "w");
    fputs("levels: {names: [good, worse]}\nfeatures: {a: {off_from: worse}}\n", file);
    fclose(file);
    assert_int_equal(config_load(path, &config, &problems), 0);
    assert_int_equal(config->feature_count, 2);
    assert_int_equal(feature(config, "a")->percent, 1000);
    assert_int_equal(config->said[0].origin.file, 2);
    config_free(config);
    file = fopen(drop_in, "w");
    fputs("levels: {names: [good, bad]}\n", file);
    fclose(file);
    assert_int_equal(config_load(path, &config, &problems), -EINVAL);
    assert_non_null(strstr(problems,
                           "t.yaml:1: features.off_from: 'worse' is no level; write one of bad, a number from "
                           "1 to 1, or never"));
    free(problems);
    unlink(drop_in);
    *strrchr(drop_in, '/') = '\0';
    rmdir(drop_in);
    unlink(path);
    rmdir(folder);
}

static void test_a_shown_config_reads_back_the_same(void **state)
{
    (void)state;
    struct config *config = accepted("levels: {names: [all, some], back_after: 1m30s}\n"
                                     "features: {a/b: {off_from: 1, percent: 12.5%}, c: {percent: 0%}}\n");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_int_equal(config_write_yaml(config, file, false), 0);
    fclose(file);
    assert_non_null(strstr(text, "levels: {names: [all, some], back_after: 90s}\n"
                                 "features:\n"
                                 "  \"a/b\": {off_from: some, percent: 12.5%}\n"
                                 "  \"c\": {off_from: never, percent: 0%}\n"));
    struct config *again = accepted(text);
    assert_int_equal(again->feature_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(again->features[i].name, config->features[i].name);
        assert_int_equal(again->features[i].percent, config->features[i].percent);
        assert_int_equal(again->features[i].off_from, config->features[i].off_from);
    }
    assert_int_equal(again->levels.back_after, 90000000000);
    assert_int_equal(again->levels.count, 2);
    assert_string_equal(again->levels.names[0], "all");
    assert_string_equal(again->levels.names[1], "some");
    config_free(again);
    config_free(config);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_default_there_are_four_levels_steps_of_30_s_and_no_features),
        cmocka_unit_test(test_a_feature_names_its_level_or_its_number_also_before_the_levels_are_named),
        cmocka_unit_test(test_levels_that_cannot_be_told_apart_are_refused),
        cmocka_unit_test(test_back_after_is_from_100_ms_to_24_h),
        cmocka_unit_test(test_a_feature_that_could_never_be_on_or_names_no_level_is_refused_at_its_line),
        cmocka_unit_test(test_names_of_features_are_those_of_breakers_and_stand_once),
        cmocka_unit_test(test_two_features_whose_words_could_not_be_told_apart_are_refused),
        cmocka_unit_test(test_256_features_are_accepted_and_one_more_is_refused),
        cmocka_unit_test(test_a_drop_in_replaces_a_feature_and_names_the_levels_of_all_files),
        cmocka_unit_test(test_a_shown_config_reads_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
