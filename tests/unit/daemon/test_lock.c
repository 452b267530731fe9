/* One tripd for each instance. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/folder.h"
#include "lock.h"

static char folder[FOLDER_ROOM], path[64];

static int set_up(void **state)
{
    (void)state;
    folder_make(folder, FOLDER_IN_TMP);
    snprintf(path, sizeof(path), "%s/lock", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void test_the_lock_file_names_its_holder(void **state)
{
    (void)state;
    char text[32] = {0};
    int fd;
    pid_t holder;
    assert_int_equal(lock_take(path, &fd, &holder), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_int_equal(atoi(text), getpid());
    close(fd);
}

static void test_no_other_user_may_open_the_lock_file_and_so_hold_it(void **state)
{
    (void)state;
    struct stat status;
    int fd;
    pid_t holder;
    assert_int_equal(lock_take(path, &fd, &holder), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    close(fd);
}

static void test_a_shorter_pid_leaves_nothing_of_a_longer_one(void **state)
{
    (void)state;
    struct stat status;
    int fd;
    pid_t holder;
    char expected[32];
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("4194303\n4194303\n", file);
    fclose(file);
    assert_int_equal(lock_take(path, &fd, &holder), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, snprintf(expected, sizeof(expected), "%d\n", (int)getpid()));
    close(fd);
}

static void test_a_second_tripd_is_told_who_holds_the_lock(void **state)
{
    (void)state;
    int fd, second = 77;
    pid_t holder = 0;
    assert_int_equal(lock_take(path, &fd, &holder), 0);
    assert_int_equal(lock_take(path, &second, &holder), -EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    assert_int_equal(second, 77);
    close(fd);
    assert_int_equal(lock_take(path, &second, &holder), 0);
    close(second);
}

static void test_the_lock_is_held_until_the_last_heir_of_its_description_is_gone(void **state)
{
    (void)state;
    int fd, second, ends[2];
    pid_t holder = 0;
    char byte;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(lock_take(path, &fd, &holder), 0);
    const pid_t worker = fork();
    if (worker == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) < 0);
    }
    close(fd);
    assert_int_equal(lock_take(path, &second, &holder), -EWOULDBLOCK);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    assert_int_equal(lock_take(path, &second, &holder), 0);
    close(second);
}

static void test_a_killed_holders_heir_is_waited_for(void **state)
{
    (void)state;
    int fd, second;
    pid_t holder = 0;
    assert_int_equal(lock_take(path, &fd, &holder), 0);
    /* The file names a keeper that is gone; its worker, in an fsync of a busy disk, still holds the description, for 1
     * s. */
    const pid_t keeper = fork();
    if (keeper == 0)
        _exit(0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    char text[32];
    const int size = snprintf(text, sizeof(text), "%d\n", (int)keeper);
    assert_int_equal(pwrite(fd, text, (size_t)size, 0), size);
    const pid_t worker = fork();
    if (worker == 0) {
        usleep(1000000);
        _exit(0);
    }
    close(fd);
    assert_int_equal(lock_take(path, &second, &holder), 0);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    close(second);
}

static void test_a_folder_that_is_missing_is_said(void **state)
{
    (void)state;
    int fd;
    pid_t holder;
    assert_int_equal(lock_take("/tmp/trip-no-such-folder/lock", &fd, &holder), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_lock_file_names_its_holder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_other_user_may_open_the_lock_file_and_so_hold_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_shorter_pid_leaves_nothing_of_a_longer_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_tripd_is_told_who_holds_the_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_lock_is_held_until_the_last_heir_of_its_description_is_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_killed_holders_heir_is_waited_for, set_up, tear_down),
        cmocka_unit_test(test_a_folder_that_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
