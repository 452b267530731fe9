/* systemd's protocols, against a socket that stands in for systemd. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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
#include "notify.h"

static char folder[FOLDER_ROOM], path[64];
static int manager;

static int bind_manager(const struct sockaddr_un *address, socklen_t size)
{
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return manager < 0 ? -1 : bind(manager, (const struct sockaddr *)address, size);
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    folder_make(folder, FOLDER_IN_TMP);
    snprintf(path, sizeof(path), "%s/notify.sock", folder);
    strcpy(address.sun_path, path);
    setenv("NOTIFY_SOCKET", path, 1);
    return bind_manager(&address, sizeof(address));
}

static int tear_down(void **state)
{
    (void)state;
    close(manager);
    folder_remove(folder);
    unsetenv("NOTIFY_SOCKET");
    return 0;
}

/* Receives the next message. *ret_fd: its descriptor or -1. */
static void receive(char text[256], int *ret_fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {.iov_base = text, .iov_len = 255};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    const ssize_t size = recvmsg(manager, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    assert_true(size > 0);
    text[size] = '\0';
    *ret_fd = -1;
    if (CMSG_FIRSTHDR(&message))
        memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
}

static void test_without_systemd_nothing_is_sent(void **state)
{
    (void)state;
    struct notify notify;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_open(&notify), 0);
    assert_int_equal(notify.fd, -1);
    assert_false(notify.watchdog);
    notify_send(&notify, "READY=1");
    notify_store(&notify, "x", 1, true);
    notify_close(&notify);
}

static void test_variables_arrive_as_one_message(void **state)
{
    (void)state;
    char text[256];
    int fd;
    struct notify notify;
    assert_int_equal(notify_open(&notify), 0);
    notify_send(&notify, "READY=1\nSTATUS=%d breakers", 7);
    receive(text, &fd);
    assert_string_equal(text, "READY=1\nSTATUS=7 breakers");
    assert_int_equal(fd, -1);
    notify_close(&notify);
}

static void test_an_abstract_socket_is_reached(void **state)
{
    (void)state;
    char text[256], name[64];
    int fd;
    struct notify notify;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int length = snprintf(name, sizeof(name), "@trip-notify-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)length);
    address.sun_path[0] = '\0';
    close(manager);
    assert_int_equal(bind_manager(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(notify_open(&notify), 0);
    notify_send(&notify, "WATCHDOG=1");
    receive(text, &fd);
    assert_string_equal(text, "WATCHDOG=1");
    notify_close(&notify);
}

static void test_a_descriptor_goes_into_the_store_by_name(void **state)
{
    (void)state;
    char text[256];
    int fd, ends[2];
    struct stat sent, received;
    struct notify notify;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(notify_open(&notify), 0);
    notify_store(&notify, "commons", ends[0], true);
    receive(text, &fd);
    assert_string_equal(text, "FDSTORE=1\nFDNAME=commons");
    assert_true(fd >= 0);
    assert_int_equal(fstat(ends[0], &sent), 0);
    assert_int_equal(fstat(fd, &received), 0);
    assert_int_equal(sent.st_ino, received.st_ino);
    close(fd);
    notify_store(&notify, "owner.3", ends[1], false);
    receive(text, &fd);
    assert_string_equal(text, "FDSTORE=1\nFDNAME=owner.3\nFDPOLL=0");
    close(fd);
    notify_unstore(&notify, "owner.3");
    receive(text, &fd);
    assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=owner.3");
    assert_int_equal(fd, -1);
    close(ends[0]);
    close(ends[1]);
    notify_close(&notify);
}

static void test_the_watchdog_is_wanted_only_of_the_process_it_names(void **state)
{
    (void)state;
    char pid[32];
    struct notify notify;
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_open(&notify), 0);
    assert_true(notify.watchdog);
    notify_close(&notify);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_open(&notify), 0);
    assert_true(notify.watchdog);
    notify_close(&notify);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_open(&notify), 0);
    assert_false(notify.watchdog);
    notify_close(&notify);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void test_a_socket_of_another_family_is_an_error(void **state)
{
    (void)state;
    struct notify notify = {.fd = 77};
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    assert_int_equal(notify_open(&notify), -EAFNOSUPPORT);
    assert_int_equal(notify.fd, 77);
}

/* Descriptors 3 and 4 are set, so this runs in a child, which reports by its status. */
static int inherit_in_child(void)
{
    char pid[32];
    struct notify_fd *fds;
    size_t count;
    if (dup2(STDERR_FILENO, 3) != 3 || dup2(STDERR_FILENO, 4) != 4 || dup2(STDERR_FILENO, 5) != 5)
        return 1;
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "3", 1);
    setenv("LISTEN_FDNAMES", "commons::lane.1.0.77.0123456789abcdef", 1);
    if (notify_inherit(&fds, &count) != 0 || count != 3)
        return 2;
    if (fds[0].fd != 3 || strcmp(fds[0].name, "commons") != 0)
        return 3;
    if (fds[1].fd != 4 || strcmp(fds[1].name, "") != 0)
        return 4;
    if (fds[2].fd != 5 || strcmp(fds[2].name, "lane.1.0.77.0123456789abcdef") != 0)
        return 5;
    if (!(fcntl(3, F_GETFD) & FD_CLOEXEC) || !(fcntl(5, F_GETFD) & FD_CLOEXEC))
        return 6;
    if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
        return 7;
    free(fds);
    return 0;
}

static void test_inherited_descriptors_have_their_names(void **state)
{
    (void)state;
    int status;
    const pid_t child = fork();
    if (child == 0)
        _exit(inherit_in_child());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_descriptors_meant_for_another_process_are_left(void **state)
{
    (void)state;
    struct notify_fd *fds;
    size_t count;
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(notify_inherit(&fds, &count), 0);
    assert_null(fds);
    assert_int_equal(count, 0);
    assert_null(getenv("LISTEN_FDS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_systemd_nothing_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_variables_arrive_as_one_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_abstract_socket_is_reached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_descriptor_goes_into_the_store_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_watchdog_is_wanted_only_of_the_process_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_socket_of_another_family_is_an_error, set_up, tear_down),
        cmocka_unit_test(test_inherited_descriptors_have_their_names),
        cmocka_unit_test(test_descriptors_meant_for_another_process_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
