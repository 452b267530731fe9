/* Work in a child: its output comes back, its failure too, and no descriptor of ours stays open there. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/aside.h"

static struct loop *loop;
static struct aside *aside;
static int told_error;
static char told[32];
static int ours[2];

static void told_of(void *context, int error, const char *data, size_t size)
{
    assert_ptr_equal(context, &aside);
    told_error = error;
    snprintf(told, sizeof(told), "%.*s", (int)size, data ? data : "");
    loop_stop(loop);
}

static void run(aside_work_fn *work)
{
    told[0] = '\0';
    assert_int_equal(aside_start(loop, work, (char[]){"seven"}, told_of, &aside, &aside), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static int write_context(void *context, FILE *out)
{
    return fputs(context, out) < 0 ? -EIO : 0;
}

static int fail_after_writing(void *context, FILE *out)
{
    fputs(context, out);
    return -ENOENT;
}

static int die(void *context, FILE *out)
{
    (void)context;
    (void)out;
    return raise(SIGKILL);
}

static int look_for_descriptors(void *context, FILE *out)
{
    (void)context;
    return fprintf(out, "%d", fcntl(ours[0], F_GETFD) >= 0 || fcntl(ours[1], F_GETFD) >= 0) < 0 ? -EIO : 0;
}

static int wait_for_ever(void *context, FILE *out)
{
    (void)context;
    (void)out;
    while (pause() < 0)
        continue;
    return 0;
}

static void the_child_s_output_comes_back(void **state)
{
    (void)state;
    run(write_context);
    assert_int_equal(told_error, 0);
    assert_string_equal(told, "seven");
}

static void its_failure_comes_back_without_data(void **state)
{
    (void)state;
    run(fail_after_writing);
    assert_int_equal(told_error, -ENOENT);
    assert_string_equal(told, "");
}

static void a_child_that_dies_is_an_error(void **state)
{
    (void)state;
    run(die);
    assert_int_equal(told_error, -EIO);
}

static void descriptors_do_not_stay_open_in_the_child(void **state)
{
    (void)state;
    assert_int_equal(pipe(ours), 0);
    run(look_for_descriptors);
    assert_string_equal(told, "0");
    close(ours[0]);
    close(ours[1]);
}

static void a_stop_ends_the_child(void **state)
{
    (void)state;
    assert_int_equal(aside_start(loop, wait_for_ever, NULL, told_of, &aside, &aside), 0);
    aside = aside_stop(aside);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_null(aside_stop(NULL));
}

static int set_up(void **state)
{
    const char *why;
    (void)state;
    return loop_new(&loop, LOOP_AUTO, &why);
}

static int tear_down(void **state)
{
    (void)state;
    loop = loop_free(loop);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_child_s_output_comes_back), TEST(its_failure_comes_back_without_data),
        TEST(a_child_that_dies_is_an_error), TEST(descriptors_do_not_stay_open_in_the_child),
        TEST(a_stop_ends_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
