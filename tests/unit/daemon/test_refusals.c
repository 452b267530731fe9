/* What the log says of refusals: each user's each reason once a minute, and a bounded number of them all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "refusals.h"

#define SECOND UINT64_C(1000000000)

static void each_reason_is_told_once_a_minute(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    assert_true(refusals_tell(&refusals, 1000, -EACCES, 5 * SECOND));
    assert_false(refusals_tell(&refusals, 1000, -EACCES, 64 * SECOND));
    assert_true(refusals_tell(&refusals, 1000, -EPROTO, 64 * SECOND));
    assert_true(refusals_tell(&refusals, 1001, -EACCES, 64 * SECOND));
    assert_true(refusals_tell(&refusals, 1000, -EACCES, 65 * SECOND));
    assert_false(refusals_tell(&refusals, 1000, -EACCES, 66 * SECOND));
}

static void many_users_are_told_sixty_four_reasons_a_minute(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    for (uint64_t minute = 1; minute < 4; minute++) {
        unsigned told = 0;
        for (uid_t uid = 100000; uid < 101000; uid++)
            told += refusals_tell(&refusals, uid, -EACCES, minute * 60 * SECOND + uid);
        assert_int_equal(told, 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_is_told_once_a_minute),
        cmocka_unit_test(many_users_are_told_sixty_four_reasons_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
