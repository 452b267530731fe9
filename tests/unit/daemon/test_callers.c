/* Connections of each user: how many a user may have, and that an end makes room. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/callers.h"

#define STRANGER 0

static struct callers *callers;

static int set_up(void **state)
{
    (void)state;
    return callers_new(&callers);
}

static int tear_down(void **state)
{
    (void)state;
    callers = callers_free(callers);
    return 0;
}

static void a_stranger_has_sixteen_connections_and_room_again_after_an_end(void **state)
{
    (void)state;
    struct caller *caller[17];
    for (int i = 0; i < 16; i++)
        assert_int_equal(callers_come(callers, 1000, STRANGER, &caller[i]), 0);
    assert_int_equal(callers_come(callers, 1000, STRANGER, &caller[16]), -EUSERS);
    assert_int_equal(callers_come(callers, 1064, STRANGER, &caller[16]), 0);
    callers_leave(caller[3]);
    assert_int_equal(callers_come(callers, 1000, STRANGER, &caller[3]), 0);
    assert_int_equal(callers_come(callers, 1000, STRANGER, &caller[3]), -EUSERS);
    for (int i = 0; i < 17; i++)
        callers_leave(caller[i]);
}

static void strangers_together_leave_room_for_reporters(void **state)
{
    (void)state;
    struct caller *strangers[128], *reporters[40], *more;
    for (uid_t i = 0; i < 128; i++)
        assert_int_equal(callers_come(callers, 100000 + i, STRANGER, &strangers[i]), 0);
    assert_int_equal(callers_come(callers, 100128, STRANGER, &more), -EUSERS);
    for (int i = 0; i < 40; i++)
        assert_int_equal(callers_come(callers, 1000, 40, &reporters[i]), 0);
    assert_int_equal(callers_come(callers, 1000, 40, &more), -EUSERS);
    for (int i = 0; i < 128; i++)
        callers_leave(strangers[i]);
    for (int i = 0; i < 40; i++)
        callers_leave(reporters[i]);
}

static void a_user_that_lost_its_role_has_too_many_until_some_end(void **state)
{
    (void)state;
    struct caller *caller[20], *more;
    for (int i = 0; i < 20; i++)
        assert_int_equal(callers_come(callers, 1000, 40, &caller[i]), 0);
    assert_int_equal(callers_come(callers, 1000, STRANGER, &more), -EUSERS);
    for (int i = 0; i < 5; i++)
        callers_leave(caller[i]);
    assert_int_equal(callers_come(callers, 1000, STRANGER, &more), 0);
    callers_leave(more);
    for (int i = 5; i < 20; i++)
        callers_leave(caller[i]);
}

static void reporters_together_have_four_full_shares_beside_root(void **state)
{
    (void)state;
    struct caller *reporters[4][40], *roots[40], *more;
    for (uid_t user = 0; user < 4; user++)
        for (int i = 0; i < 40; i++)
            assert_int_equal(callers_come(callers, 1000 + user, 40, &reporters[user][i]), 0);
    assert_int_equal(callers_come(callers, 1004, 40, &more), -EUSERS);
    assert_int_equal(callers_come(callers, 1005, STRANGER, &more), 0);
    callers_leave(more);
    for (int i = 0; i < 40; i++)
        assert_int_equal(callers_come(callers, 0, 40, &roots[i]), 0);
    assert_int_equal(callers_come(callers, 0, 40, &more), -EUSERS);
    callers_leave(reporters[2][7]);
    assert_int_equal(callers_come(callers, 1004, 40, &reporters[2][7]), 0);
    for (int i = 0; i < 40; i++) {
        callers_leave(roots[i]);
        for (int user = 0; user < 4; user++)
            callers_leave(reporters[user][i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_has_sixteen_connections_and_room_again_after_an_end),
        TEST(strangers_together_leave_room_for_reporters),
        TEST(reporters_together_have_four_full_shares_beside_root),
        TEST(a_user_that_lost_its_role_has_too_many_until_some_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
