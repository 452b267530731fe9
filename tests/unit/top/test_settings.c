/* What the user chose: what is saved is loaded, and a file that says nonsense does no harm. */
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
#include "settings.h"

static struct {
    char config[FOLDER_ROOM]; /* $XDG_CONFIG_HOME */
    char folder[96], file[128];
    struct settings settings;
} fixture;

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    folder_make(fixture.config, FOLDER_IN_TMP);
    snprintf(fixture.folder, sizeof(fixture.folder), "%s/triptop", fixture.config);
    snprintf(fixture.file, sizeof(fixture.file), "%s/settings.json", fixture.folder);
    setenv("XDG_CONFIG_HOME", fixture.config, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    settings_clear(&fixture.settings);
    folder_remove(fixture.config);
    unsetenv("XDG_CONFIG_HOME");
    return 0;
}

static void load(void)
{
    settings_clear(&fixture.settings);
    settings_load(&fixture.settings);
}

static void write_file(const char *text)
{
    mkdir(fixture.folder, 0700);
    FILE *const file = fopen(fixture.file, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A second, those in trouble first, a list with nothing folded. */
static void assert_first_settings(void)
{
    assert_int_equal(fixture.settings.interval_ms, 1000);
    assert_int_equal(fixture.settings.sort, COLUMN_STATE);
    assert_true(fixture.settings.descending);
    assert_false(fixture.settings.tree);
    assert_int_equal(json_object_size(fixture.settings.folded), 0);
}

static void assert_loads_as_at_first(const char *text)
{
    write_file(text);
    load();
    assert_first_settings();
}

/* ----------------------------------------------------------------------------------------------------- there and back
 */

static void test_without_a_file_all_is_as_at_first(void **state)
{
    (void)state;
    load();
    assert_first_settings();
}

static void test_what_is_saved_is_loaded(void **state)
{
    (void)state;
    load();
    fixture.settings.interval_ms = 2500;
    fixture.settings.sort = COLUMN_P99;
    fixture.settings.descending = false;
    fixture.settings.tree = true;
    json_object_set_new(fixture.settings.folded, "payments/db", json_true());
    json_object_set_new(fixture.settings.folded, "", json_true()); /* the group of "/health" */
    assert_int_equal(settings_save(&fixture.settings), 0);
    load();
    assert_int_equal(fixture.settings.interval_ms, 2500);
    assert_int_equal(fixture.settings.sort, COLUMN_P99);
    assert_false(fixture.settings.descending);
    assert_true(fixture.settings.tree);
    assert_int_equal(json_object_size(fixture.settings.folded), 2);
    assert_non_null(json_object_get(fixture.settings.folded, "payments/db"));
    assert_non_null(json_object_get(fixture.settings.folded, ""));
}

static void test_each_column_that_one_can_sort_by_is_kept(void **state)
{
    (void)state;
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        if (!column_sorts((enum column)column))
            continue;
        load();
        fixture.settings.sort = (enum column)column;
        assert_int_equal(settings_save(&fixture.settings), 0);
        load();
        assert_int_equal(fixture.settings.sort, column);
    }
}

static void test_the_file_replaces_the_one_before_and_nothing_is_left_beside_it(void **state)
{
    (void)state;
    struct stat status;
    char fresh[160];
    load();
    assert_int_equal(settings_save(&fixture.settings), 0);
    fixture.settings.interval_ms = 100;
    assert_int_equal(settings_save(&fixture.settings), 0);
    load();
    assert_int_equal(fixture.settings.interval_ms, 100);
    snprintf(fresh, sizeof(fresh), "%s.new", fixture.file);
    assert_int_equal(access(fresh, F_OK), -1);
    assert_int_equal(stat(fixture.folder, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

/* -------------------------------------------------------------------------------------------------------- bad files */

static void test_a_damaged_file_gives_the_first_settings(void **state)
{
    (void)state;
    const char *const texts[] = {
        "", "{", "[]", "null", "7", "\"interval_ms\"", "{}", "\xff\xfe{", "{\"a", "{\"tree\":tru", "{}{\"tree\":true}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_loads_as_at_first(texts[i]);
}

static void test_values_of_foreign_types_are_left_out(void **state)
{
    (void)state;
    assert_loads_as_at_first("{\"interval_ms\":\"2000\",\"sort\":3,\"descending\":0,\"tree\":\"true\",\"folded\":[]}");
    assert_loads_as_at_first("{\"interval_ms\":2000.5,\"sort\":{},\"descending\":null,\"tree\":1,\"folded\":\"a\"}");
    assert_loads_as_at_first("{\"interval_ms\":null,\"sort\":null,\"descending\":[],\"tree\":{},\"folded\":null}");
    write_file("{\"interval_ms\":[],\"tree\":true,\"folded\":{\"a\":0}}"); /* the others are taken */
    load();
    assert_int_equal(fixture.settings.interval_ms, 1000);
    assert_true(fixture.settings.tree);
    assert_int_equal(json_object_size(fixture.settings.folded), 1);
}

static void test_values_out_of_range_are_left_out(void **state)
{
    (void)state;
    const char *const texts[] = {"{\"interval_ms\":99}",  "{\"interval_ms\":3600001}", "{\"interval_ms\":-1000}",
                                 "{\"interval_ms\":0}",   "{\"sort\":\"\"}",           "{\"sort\":\"CALLS\"}",
                                 "{\"sort\":\"latency\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_loads_as_at_first(texts[i]);
    write_file("{\"interval_ms\":3600000}");
    load();
    assert_int_equal(fixture.settings.interval_ms, 3600000);
}

static void test_a_column_that_one_cannot_sort_by_is_left_out(void **state)
{
    (void)state;
    assert_loads_as_at_first("{\"sort\":\"trail\"}");
    assert_loads_as_at_first("{\"sort\":\"permits\"}");
    assert_loads_as_at_first("{\"sort\":\"next\"}");
    assert_loads_as_at_first("{\"sort\":\"reason\"}");
}

static void test_a_huge_file_is_not_read(void **state)
{
    (void)state;
    write_file("{\"tree\":true}");
    assert_int_equal(truncate(fixture.file, INT64_C(1) << 30), 0); /* a hole */
    load();
    assert_first_settings();
}

static void test_what_is_no_file_is_not_read(void **state)
{
    (void)state;
    mkdir(fixture.folder, 0700);
    assert_int_equal(mkfifo(fixture.file, 0600), 0); /* who opens it waits for a writer */
    load();
    assert_first_settings();
    assert_int_equal(unlink(fixture.file), 0);
    assert_int_equal(mkdir(fixture.file, 0700), 0);
    load();
    assert_first_settings();
    assert_int_equal(settings_save(&fixture.settings), -EIO);
}

/* ----------------------------------------------------------------------------------------------------------- folders
 */

static void test_without_a_home_nothing_is_kept_and_nothing_breaks(void **state)
{
    (void)state;
    char *const home = strdup(getenv("HOME") ? getenv("HOME") : "/");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    load();
    assert_first_settings();
    assert_int_equal(settings_save(&fixture.settings), -ENOENT);
    setenv("HOME", "relative", 1);
    setenv("XDG_CONFIG_HOME", "relative", 1);
    assert_int_equal(settings_save(&fixture.settings), -ENOENT);
    setenv("HOME", home, 1);
    free(home);
}

static void test_in_a_home_without_a_config_folder_one_is_made(void **state)
{
    (void)state;
    char *const home = strdup(getenv("HOME") ? getenv("HOME") : "/"), path[160];
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", fixture.config, 1);
    load();
    fixture.settings.tree = true;
    assert_int_equal(settings_save(&fixture.settings), 0);
    snprintf(path, sizeof(path), "%s/.config/triptop/settings.json", fixture.config);
    assert_int_equal(access(path, F_OK), 0);
    load();
    assert_true(fixture.settings.tree);
    setenv("HOME", home, 1);
    free(home);
}

static void test_a_folder_that_cannot_be_is_an_error_alone(void **state)
{
    (void)state;
    char deep[5000];
    load();
    memset(deep, 'x', sizeof(deep) - 1);
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    setenv("XDG_CONFIG_HOME", deep, 1);
    assert_int_equal(settings_save(&fixture.settings), -ENOENT);
    load();
    assert_first_settings();
    write_file("{}");
    setenv("XDG_CONFIG_HOME", fixture.file, 1); /* a file */
    assert_int_equal(settings_save(&fixture.settings), -ENOTDIR);
    load();
    assert_first_settings();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_file_all_is_as_at_first),
        TEST(test_what_is_saved_is_loaded),
        TEST(test_each_column_that_one_can_sort_by_is_kept),
        TEST(test_the_file_replaces_the_one_before_and_nothing_is_left_beside_it),
        TEST(test_a_damaged_file_gives_the_first_settings),
        TEST(test_values_of_foreign_types_are_left_out),
        TEST(test_values_out_of_range_are_left_out),
        TEST(test_a_column_that_one_cannot_sort_by_is_left_out),
        TEST(test_a_huge_file_is_not_read),
        TEST(test_what_is_no_file_is_not_read),
        TEST(test_without_a_home_nothing_is_kept_and_nothing_breaks),
        TEST(test_in_a_home_without_a_config_folder_one_is_made),
        TEST(test_a_folder_that_cannot_be_is_an_error_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
