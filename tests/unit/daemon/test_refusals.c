/* Each reason is logged once a minute for each user; of all reasons a bounded number; and logged ones are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/refusals.h"

#define S UINT64_C(1000000000)

static struct refusals refusals;

static int setup(void **state)
{
    (void)state;
    refusals = (struct refusals){0};
    return 0;
}

static bool add(uid_t uid, int error, const char *why, uint64_t at_ns)
{
    struct refusal refusal = {.uid = uid, .pid = 7, .error = error};
    strcpy(refusal.why, why);
    return refusals_add(&refusals, &refusal, at_ns, at_ns / 1000000);
}

static void test_a_reason_is_told_once_a_minute_for_each_user_and_counted_each_time(void **state)
{
    (void)state;
    const struct refusal *latest[REFUSALS_SHOWN];
    assert_true(add(33, -13, "role", 100 * S));
    assert_false(add(33, -13, "role", 159 * S));
    assert_true(add(33, -71, "layout", 159 * S));
    assert_true(add(34, -13, "role", 159 * S));
    assert_true(add(33, -13, "role still", 160 * S));
    assert_int_equal(refusals_latest(&refusals, latest), 3);
    assert_int_equal(latest[0]->uid, 33);
    assert_int_equal(latest[0]->error, -13);
    assert_int_equal(latest[0]->count, 3);
    assert_int_equal(latest[0]->last_unix_ms, 160000);
    assert_string_equal(latest[0]->why, "role still");
    assert_int_equal(latest[1]->count, 1);
}

static void test_the_latest_are_shown_and_the_oldest_give_way(void **state)
{
    (void)state;
    const struct refusal *latest[REFUSALS_SHOWN];
    for (unsigned i = 0; i < REFUSALS_REMEMBERED + 10; i++)
        assert_true(add(1000 + i, -13, "role", (100 + i) * S));
    assert_int_equal(refusals_latest(&refusals, latest), REFUSALS_SHOWN);
    for (unsigned i = 0; i < REFUSALS_SHOWN; i++)
        assert_int_equal(latest[i]->uid, 1000 + REFUSALS_REMEMBERED + 9 - i);
    assert_true(add(1000, -13, "role", 200 * S)); /* forgotten, so that it is told anew */
    assert_false(add(1000 + REFUSALS_REMEMBERED + 9, -13, "role", 200 * S));
}

static void test_many_users_are_told_sixty_four_reasons_a_minute(void **state)
{
    (void)state;
    for (uint64_t minute = 1; minute < 4; minute++) {
        unsigned told = 0;
        for (uid_t uid = 100000; uid < 101000; uid++)
            told += refusals_tell(&refusals, uid, -13, minute * 60 * S + uid);
        assert_int_equal(told, 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_reason_is_told_once_a_minute_for_each_user_and_counted_each_time, setup),
        cmocka_unit_test_setup(test_the_latest_are_shown_and_the_oldest_give_way, setup),
        cmocka_unit_test_setup(test_many_users_are_told_sixty_four_reasons_a_minute, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
