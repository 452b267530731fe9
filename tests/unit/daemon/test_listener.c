/* The control socket's listening end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/folder.h"
#include "net/listener.h"

static char folder[FOLDER_ROOM], path[80];

static int set_up(void **state)
{
    (void)state;
    folder_make(folder, FOLDER_IN_TMP);
    snprintf(path, sizeof(path), "%s/made/x.sock", folder);
    return listener_make_folder(path);
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static int connect_to(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, where);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

static void test_anyone_who_reaches_the_folder_may_connect(void **state)
{
    (void)state;
    int fd;
    struct stat at;
    assert_int_equal(listener_make_folder(path), 0); /* it is there already */
    assert_int_equal(listener_make(path, &fd), 0);
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0666);
    assert_int_equal(connect_to(path), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
}

static void test_a_dead_ones_socket_is_replaced(void **state)
{
    (void)state;
    int fd;
    assert_int_equal(listener_make(path, &fd), 0);
    close(fd);
    assert_int_equal(connect_to(path), -ECONNREFUSED);
    assert_int_equal(listener_make(path, &fd), 0);
    assert_int_equal(connect_to(path), 0);
    close(fd);
}

static void test_a_path_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    int fd = 77;
    const int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(listener_make(path, &fd), -EEXIST);
    assert_int_equal(fd, 77);
    assert_int_equal(access(path, F_OK), 0);
}

static void test_an_inherited_socket_is_used_only_at_its_own_path(void **state)
{
    (void)state;
    int fd, pair[2];
    assert_int_equal(listener_make(path, &fd), 0);
    assert_true(listener_usable(fd, path));
    assert_false(listener_usable(fd, "/tmp/other.sock"));
    unlink(path);
    assert_false(listener_usable(fd, path));
    assert_true(listener_is(fd));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_false(listener_is(pair[0]));
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

static void test_a_path_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char long_path[200];
    int fd;
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[150] = '/';
    long_path[199] = '\0';
    assert_int_equal(listener_make_folder(long_path), -ENAMETOOLONG);
    assert_int_equal(listener_make(long_path, &fd), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_anyone_who_reaches_the_folder_may_connect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_dead_ones_socket_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_path_that_is_no_socket_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_inherited_socket_is_used_only_at_its_own_path, set_up, tear_down),
        cmocka_unit_test(test_a_path_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
